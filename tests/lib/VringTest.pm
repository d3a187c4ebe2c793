# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of the fio engine and its device share: both as children, fio's JSON, and an end that leaves nothing behind.
package VringTest;
use strict;
use warnings;
use Cwd qw(getcwd);
use Exporter qw(import);
use File::Temp qw(tempdir);
use JSON::PP;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(time sleep);
use VBTest;

our @EXPORT = qw(place device start_device storage_daemon daemon_over end_child over start_fio finish_fio fio job_error error_of spurt slurp wait_until);

my $top = getcwd();
my $built = $ENV{VBENCH_ENGINES} // "$top/build/engines";
my $fio = "$top/build/fio/fio";
my $engine = "$top/build/engines/vring.so";
$engine = "$built/vring.so" if -e "$built/vring.so";
my $dir;
my $n = 0;
my %children;

# A folder for sockets (short: their paths have 107 bytes) and files; or the whole test is skipped.
sub place {
	plan skip_all => 'no fio with which engines work; run make fio' if !-x $fio;
	BAIL_OUT('the engine is not built; run make engines') if !-e $engine || !-x "$built/vbench-vhost-blk";
	return $dir = tempdir('vring-XXXXXX', TMPDIR => 1, CLEANUP => !$ENV{VBENCH_TEST_KEEP});
}

END {
	my $status = $?;
	for my $pid (keys %children) {
		kill 'CONT', $pid;
		kill 'KILL', $pid;
		waitpid $pid, 0;
	}
	$? = $status;
}

# A child with its output in files: {pid, out, err}.
sub start {
	my (@command) = @_;
	my $c = { out => "$dir/out-" . ++$n, err => "$dir/err-$n", begun => time };
	$c->{pid} = fork // die "fork: $!";
	if (!$c->{pid}) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', $c->{out} or POSIX::_exit(126);
		open STDERR, '>', $c->{err} or POSIX::_exit(126);
		chdir $dir;
		exec @command or POSIX::_exit(127);
	}
	$children{ $c->{pid} } = 1;
	return $c;
}

# Whether it has ended; then its wait status is in {wait}.
sub over {
	my ($c) = @_;
	if (!defined $c->{wait} && waitpid($c->{pid}, WNOHANG) == $c->{pid}) {
		$c->{wait} = $?;
		delete $children{ $c->{pid} };
	}
	return defined $c->{wait};
}

# By this signal, or by itself (0) within ten seconds; else it is killed. Whether it did as it was told.
sub end_child {
	my ($c, $signal) = @_;
	kill $signal, $c->{pid} if $signal && !over($c);
	my $ended = wait_until(sub { over($c) }, 10);
	if (!$ended) {
		kill 'KILL', $c->{pid};
		wait_until(sub { over($c) }, 10);
	}
	return $ended;
}

sub listens {
	my ($c) = @_;
	wait_until(sub { -S $c->{socket} || over($c) }, 20);
	die "no socket $c->{socket}: " . slurp($c->{err}) if !-S $c->{socket};
	return $c;
}

sub start_device { return start("$built/vbench-vhost-blk", @_) }

# Our device, listening on a socket of its own.
sub device {
	my (@options) = @_;
	my $socket = "$dir/s" . ++$n;
	my $c = start_device('--socket', $socket, @options);
	$c->{socket} = $socket;
	return listens($c);
}

# qemu-storage-daemon over a raw file, or over null-co with 1 ms of latency.
sub storage_daemon {
	my ($file, %export) = @_;
	my $null = 'driver=null-co,node-name=d,size=16777216,latency-ns=1000000,read-zeroes=on';
	my $node = $file ? "driver=file,node-name=d,filename=$file" : $null;
	return daemon_over(['--blockdev', $node], %export);
}

# qemu-storage-daemon with these options, which make a node "d".
sub daemon_over {
	my ($options, %export) = @_;
	my $socket = "$dir/s" . ++$n;
	my $more = join '', map { ",$_=$export{$_}" } sort keys %export;
	my $c = start('qemu-storage-daemon', @$options, '--export',
		"type=vhost-user-blk,id=e,node-name=d,writable=on,addr.type=unix,addr.path=$socket$more");
	$c->{socket} = $socket;
	return listens($c);
}

# Starts fio with jobs in order, each [name, option => value ...]; the first may be named "global".
sub start_fio {
	my (@jobs) = @_;
	my $text = "[global]\nioengine=external:$engine\nthread=1\n";
	my $output = "$dir/json-" . ++$n;
	for my $job (@jobs) {
		my ($name, @options) = @$job;
		$text .= "[$name]\n" if $name ne 'global';
		while (my ($key, $value) = splice @options, 0, 2) { $text .= "$key=$value\n" }
	}
	my $c = start($fio, '--output-format=json', "--output=$output", spurt("$dir/job-$n", $text));
	$c->{json} = $output;
	return $c;
}

# Waits for fio's end, which must come within so many seconds: adds status, signal, seconds, said (all that it printed) and
# jobs, what it says of each.
sub finish_fio {
	my ($c, $seconds) = @_;
	$c->{hung} = !wait_until(sub { over($c) }, $seconds // 100);
	if ($c->{hung}) {
		kill 'KILL', $c->{pid};
		wait_until(sub { over($c) }, 10);
	}
	my $json = slurp($c->{json});
	$c->{said} = slurp($c->{out}) . slurp($c->{err});
	$c->{said} .= $1 if $json =~ s/\A([^{]*)//;
	my $got = eval { decode_json($json) } // {};
	$c->{jobs} = $got->{jobs} // [];
	@$c{qw(status signal seconds)} = ($c->{wait} & 127 ? -1 : $c->{wait} >> 8, $c->{wait} & 127, time - $c->{begun});
	return $c;
}

sub fio { return finish_fio(start_fio(@_)) }

# What went wrong with a run of fio as a whole, or ''.
sub error_of {
	my ($f) = @_;
	return 'hung' if $f->{hung};
	return "signal $f->{signal}" if $f->{signal};
	return "status $f->{status}: $f->{said}" if $f->{status};
	return '';
}

# The error of a job by name; -1 if there is no such job in the result.
sub job_error {
	my ($f, $name) = @_;
	my ($job) = grep { $_->{jobname} eq $name } @{ $f->{jobs} };
	return $job ? $job->{error} : -1;
}

1;
