#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# `vbench compare` as a user types it: surroundings first, verdicts only where runs are known to vary by how much.
# The store is made by tests/unit/compare.c, which states the arithmetic.
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

my $vbench = $ENV{VBENCH} // getcwd() . '/vbench';
my ($maker) = grep { -x } $ENV{VBENCH_COMPARE_TEST} // (), 'build/tests/compare', 'build/san/tests/compare';
BAIL_OUT('no ./vbench; run make') unless -x $vbench;
BAIL_OUT('no build/tests/compare; run make check-programs') unless $maker;

my $dir = tempdir(CLEANUP => 1);
$ENV{XDG_DATA_HOME} = "$dir/data";
$ENV{TZ} = 'UTC';

sub slurp { open my $f, '<:raw', $_[0] or die "$_[0]: $!"; local $/; return scalar(<$f>) // '' }

# Exit status, stdout, stderr.
sub vbench {
	my $pid = fork // die;
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$dir/out" or die;
		open STDERR, '>', "$dir/err" or die;
		exec $vbench, 'compare', @_;
		exit 127;
	}
	waitpid $pid, 0;
	my $status = $?;
	return ($status & 127 ? "signal $status" : $status >> 8, slurp("$dir/out"), slurp("$dir/err"));
}

is(system($maker, '--make', $dir), 0, 'a store with eight runs of a label and two more is made');
my @db = ('--db', "$dir/runs.db");

# What is wrong is said, with 2.
for my $case (
	[[], qr/two runs or labels/], [['last'], qr/two runs or labels/], [[qw(last last~1 last~2)], qr/two runs or labels/],
	[[qw(--json --md last last~1)], qr/exclude each other/], [[qw(--nonsense last last~1)], qr/--nonsense is not an option/],
	[[qw(last nothing-of-that-name)], qr/no run "nothing-of-that-name"/], [[qw(last last)], qr/on both sides/],
	[['base', 'c0de0003'], qr/on both sides/],
) {
	my ($args, $why) = @$case;
	my ($rc, $out, $err) = vbench(@$args, @db);
	is($rc, 2, "@$args: exit 2");
	like($err, $why, 'and says why');
	is($out, '', 'and nothing on stdout');
}
is((vbench('--help'))[0], 0, '--help: exit 0');

# 0.05 +- 0.026813 of logs is +5.1 % [+2.3, +8.0]; the other cell is the same within +-0.54 %.
my ($rc, $out, $err) = vbench('base', 'c0de0008', @db);
is($rc, 0, 'a label against a run: exit 0');
is($err, '', 'nothing on stderr');
like($out, qr/^A  base: label, 8 runs/m, 'A is the label');
like($out, qr/^  Kernel\s+release\s+A  6\.1\s+B  6\.2$/m, 'the kernels differ');
ok(index($out, 'release') < index($out, 'better'), 'the surroundings come before the figures');
like($out, qr/^  virtio-blk .* better \+5\.1 % \[\+2\.3, \+8\.0\], 1 run to 8$/m, 'the first cell is better');
like($out, qr/^  nvme .* same 0 % \[-0\.5, \+0\.5\], 1 run to 8$/m, 'the second is the same');
unlike($out, qr/To decide/, 'no key differs: no run to propose');
unlike($out, qr/\e/, 'no colour on a pipe');

# A drop ends with 0 as well: this is no gate.
($rc, $out) = vbench('c0de0008', 'base', @db);
is($rc, 0, 'the other way round: exit 0');
like($out, qr/^  virtio-blk .* worse -4\.9 %/m, 'worse');

# One run a side; a ring that differs in all cells.
($rc, $out) = vbench('last~1', 'last', @db);
is($rc, 0, 'one run a side: exit 0');
like($out, qr/2 undecided\..*1 comparable run, 8 are needed: use run --vs/s, 'undecided, and why');
like($out, qr/^    vbench run 'my quick\.ini' --set disk\.size=1G --set disk\.ring=split --vs disk\.ring=packed$/m, 'and how to decide');

($rc, $out) = vbench('--json', 'base', 'c0de0008', @db);
is($rc, 0, '--json: exit 0');
my $j = decode_json($out);
is($j->{rows}[0]{verdict}, 'better', 'json: verdict');
is($j->{rows}[0]{how}, 'history', 'json: how it was judged');
cmp_ok(abs($j->{rows}[0]{judged}{lo} - exp(0.05 - 0.026813)), '<', 1e-5, 'json: lower end');
is($j->{rows}[1]{verdict}, 'same', 'json: verdict of the second cell');
is_deeply([map { $_->{name} } @{ $j->{differs} }], ['release', 'boot id'], 'json: what differs');
is(scalar @{ $j->{a}{comparable} }, 8, 'json: the runs that told the spread');
ok($j->{same_host}, 'json: one host');
is($j->{command}, undef, 'json: no command');

($rc, $out) = vbench('--md', 'base', 'c0de0008', @db);
is($rc, 0, '--md: exit 0');
like($out, qr/^\| virtio-blk +\| .* \| better \\?\+5\.1 % /m, 'md: a row');
my @columns = map { scalar(() = /(?<!\\)\|/g) } grep { /^\|/ } split /\n/, $out;
is_deeply([grep { $_ != 5 && $_ != 6 } @columns], [], 'md: four or five columns in each row');

($rc, undef, $err) = vbench('last', 'last~1', '--db', "$dir/none.db");
is($rc, 2, 'no store: exit 2');
ok(!-e "$dir/none.db", 'and none is made');

done_testing;
