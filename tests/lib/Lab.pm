# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of the lab host share.
package Lab;
use strict;
use warnings;
use Exporter qw(import);
use Test::More;

our @EXPORT = qw(nested_hung lab_script);

# Whether a run in the lab failed as it does when a nested guest hangs (tests/lab/README.md): the lab's exit status, and all that was
# said, with a trial's result as "ok|cause|detail" on a line of its own where there are such.
sub nested_hung {
	my ($status, $text) = @_;
	return 1 if $status == 124;
	return scalar $text =~ /was not up in \d|did not answer in time|did not end in|was not ready in time|does not come up|^0\|timeout\|/m;
}

# Runs a shell command in the lab, with what is to be put there, and $VBENCH's program where there is one; when a nested guest hangs,
# once more, and that is said with how it ended. Returns (exit status, all that was said).
sub lab_script {
	my @args = @_;
	my ($status, $text) = script_once(@args);
	return ($status, $text) if !nested_hung($status, $text);
	my @lines = split /^/m, $text;
	splice @lines, 0, -8 if @lines > 8;
	diag 'a nested guest hung; once more: ', @lines;
	return script_once(@args);
}

sub script_once {
	my ($command, @options) = @_;
	my @program = $ENV{VBENCH} ? ('--put', "$ENV{VBENCH}:/usr/local/bin/vbench") : ();
	open my $lab, '-|', 'tests/lab/run', '--timeout', 900, @options, @program, 'sh', '-c', "PATH=/usr/local/bin:\$PATH $command 2>&1" or die "tests/lab/run: $!";
	local $/;
	my $text = <$lab> // '';
	close $lab;
	return ($? >> 8, $text);
}

1;
