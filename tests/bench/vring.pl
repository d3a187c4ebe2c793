#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# How fast the vring engine drives a vhost-user disk that does nothing, and who is the limit: one queue, 4 KiB random reads,
# qemu-storage-daemon over null-co with an iothread of its own, driver and daemon on a processor each.
#
# Beside it, at depth 1: what a bare kick of a sleeping process and its answer take (kick.c), which no driver of such a device can
# beat; and the same driver with vbench's own device, which polls.
#
# Rounds in random order, every measurement in fresh processes; fio's null engine runs in each round, as the ceiling. Printed are
# medians with the smallest and largest of the rounds; ratios are taken within a round. A line a figure on stdout:
# NAME MEDIAN MIN MAX UNIT, and the same in bench-vring.json.
use strict;
use warnings;
use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use JSON::PP;
use List::Util qw(shuffle);
use POSIX qw(:sys_wait_h sysconf _SC_CLK_TCK);
use Time::HiRes qw(time sleep);

my $ROUNDS = $ENV{VBENCH_BENCH_ROUNDS} // 5;
my $SECONDS = $ENV{VBENCH_BENCH_SECONDS} // 2;
my $OUT = $ENV{VBENCH_BENCH_VRING_JSON} // 'bench-vring.json';
my $FIO = $ENV{VBENCH_FIO} // 'build/fio/fio';
my $ENGINES = $ENV{VBENCH_ENGINES} // 'build/engines';
my $DAEMON = 'qemu-storage-daemon';
my $KICK = $ENV{VBENCH_KICK} // 'build/bench/kick';
my ($DRIVER_CPU, $DAEMON_CPU) = split /,/, $ENV{VBENCH_BENCH_CPUS} // '0,1';

-x $FIO && -e "$ENGINES/vring.so" && -x $KICK or die "bench: build first: make fio engines build/bench/kick\n";
my $dir = tempdir(CLEANUP => 1);
my %children;
END { kill KILL => $_ for keys %children }
$SIG{INT} = $SIG{TERM} = sub { exit 130 };

sub spawn {
	my ($log, @cmd) = @_;
	my $pid = fork() // die "fork: $!\n";
	if (!$pid) {
		open STDOUT, '>', $log; open STDERR, '>&', \*STDOUT; open STDIN, '<', '/dev/null';
		exec @cmd or POSIX::_exit(127);
	}
	return $pid;
}

# user + system time of a process, in seconds
sub cpu {
	open my $h, '<', "/proc/$_[0]/stat" or return 0;
	my @f = split / /, (<$h> =~ s/.*\) //r);
	return ($f[11] + $f[12]) / sysconf(_SC_CLK_TCK);
}

sub daemon_start {
	my ($n, $own) = @_;
	my $sock = "$dir/s$n";
	my $pid = $own ? spawn("$dir/daemon.log", 'taskset', '-c', $DAEMON_CPU, "$ENGINES/vbench-vhost-blk", '--socket', $sock, '--serves', 'null', '--size', '1G',
		'--wait', 'poll') : spawn("$dir/daemon.log", 'taskset', '-c', $DAEMON_CPU, $DAEMON, '--blockdev', 'driver=null-co,node-name=n,size=1073741824',
		'--object', 'iothread,id=t', '--export', "vhost-user-blk,id=e,node-name=n,addr.type=unix,addr.path=$sock,iothread=t,num-queues=1");
	$children{$pid} = 1;
	for (1 .. 500) {
		return ($pid, $sock) if -S $sock;
		sleep 0.01;
	}
	die "bench: the daemon does not listen:\n", do { open my $h, "<", "$dir/daemon.log"; <$h> };
}

sub fio {
	my ($tag, @opts) = @_;
	my $json = "$dir/$tag.json";
	my @cmd = ('taskset', '-c', $DRIVER_CPU, $FIO, '--name=j', '--thread=1', '--rw=randread', '--bs=4k', '--size=1G', '--norandommap=1',
		'--time_based=1', "--runtime=$SECONDS", '--ramp_time=500ms', '--output-format=json', "--output=$json", @opts);
	my $pid = spawn("$dir/$tag.log", @cmd);
	waitpid $pid, 0;
	if ($?) {
		open my $h, '<', "$dir/$tag.log";
		die "bench: fio failed: @cmd\n", <$h>;
	}
	open my $h, '<', $json or die "$json: $!";
	my $text = do { local $/; <$h> };
	$text =~ s/\A[^{]*//;
	return decode_json($text)->{jobs}[0];
}

my (@plan, $n);
for my $depth (1, 32, 128) {
	push @plan, { depth => $depth, engine => 'null' };
	push @plan, { depth => $depth, engine => 'vring', wait => $_ } for qw(poll eventfd);
	push @plan, { depth => $depth, engine => 'vring', wait => 'poll', own => 1, ring => $_ } for qw(split packed);
}
push @plan, { depth => 1, engine => 'kick', wait => $_ } for qw(poll eventfd);

my (%seen, %ratio);
sub note { my ($name, $unit, $value) = @_; push @{ $seen{$name}{values} }, $value; $seen{$name}{unit} = $unit }

for my $round (1 .. $ROUNDS) {
	my %iops;
	for my $p (shuffle @plan) {
		my @opts = ("--iodepth=$p->{depth}");
		my $base = "qd$p->{depth}";
		if ($p->{engine} eq 'kick') {
			chomp($iops{"$base.kick.$p->{wait}"} = `$KICK $p->{wait} $DRIVER_CPU $DAEMON_CPU $SECONDS`);
			die "bench: $KICK failed\n" if $?;
			next;
		}
		if ($p->{engine} eq 'null') {
			$iops{"$base.null"} = fio('null', '--ioengine=null', @opts)->{read}{iops};
			next;
		}
		my ($pid, $sock) = daemon_start(++$n, $p->{own});
		my $name = $p->{own} ? "$base.own.$p->{ring}" : "$base.$p->{wait}";
		my ($t0, $c0) = (time, cpu($pid));
		my $job = fio('vring', "--ioengine=external:./$ENGINES/vring.so", "--path=$sock", '--ring=' . ($p->{ring} // 'split'), '--queue_size=256', "--wait=$p->{wait}",
			"--report=$dir/report.json", @opts);
		my $share = (cpu($pid) - $c0) / ($SECONDS + 0.5);
		kill TERM => $pid;
		waitpid $pid, 0;
		delete $children{$pid};
		$iops{$name} = $job->{read}{iops};
		note("$name.daemon_core", '% of a core', 100 * $share);
		note("$name.daemon_ns", 'ns CPU/IO', 1e9 * $share / $job->{read}{iops});
		open my $h, '<', "$dir/report.json" or next;
		my $q = decode_json(do { local $/; <$h> })->{queues}[0];
		next unless $q->{done};
		note("$name.kicks", '1/IO', $q->{kicks} / $q->{done});
		note("$name.batch", 'IO/publish', $q->{added} / $q->{publishes});
		note("$name.empty", 'looks/IO', $q->{empty} / $q->{done});
	}
	for my $name (keys %iops) {
		note("$name.iops", 'IOPS', $iops{$name});
		note("$name.ns", 'ns/IO', 1e9 / $iops{$name});
		my ($depth) = $name =~ /^(qd\d+)\./;
		next if $name =~ /null|kick/;
		note("$name.of_null", 'ratio to null', $iops{$name} / $iops{"$depth.null"});
		note("$name.of_kick", 'ratio to a bare kick', $iops{$name} / $iops{"$depth.kick.$1"}) if $name =~ /^qd1\.(poll|eventfd)$/;
	}
	print STDERR "bench: round $round of $ROUNDS done\n";
}

my @figures;
for my $name (sort keys %seen) {
	my @v = sort { $a <=> $b } @{ $seen{$name}{values} };
	my $median = @v % 2 ? $v[$#v / 2] : ($v[@v / 2 - 1] + $v[@v / 2]) / 2;
	printf "%-32s %12.4g %12.4g %12.4g  %s\n", $name, $median, $v[0], $v[-1], $seen{$name}{unit};
	push @figures, { name => $name, median => $median, min => $v[0], max => $v[-1], rounds => scalar @v, unit => $seen{$name}{unit} };
}
open my $h, '>', $OUT or die "$OUT: $!";
print $h JSON::PP->new->canonical->pretty->encode(\@figures);
close $h or die "$OUT: $!";
