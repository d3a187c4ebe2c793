#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# When one side of a vhost-user connection dies in the middle of I/O, the other must not hang: fio ends with errors for what was
# in flight, within seconds; the device goes on to its next client.
use strict;
use warnings;
use lib 'tests/lib';
use Fcntl qw(F_SETFL O_NONBLOCK O_RDWR);
use Test::More;
use Time::HiRes qw(sleep);
use VringTest;

my $dir = place();
my $seed = $ENV{VRING_SEED} // 20240607;
srand $seed;
note "seed $seed";

my @load = (rw => 'randrw', bs => '4k', size => '16M', time_based => 1, runtime => 120, iodepth => 16);

# Whether fio's job has begun: a thread of it beside fio's own, which has used up some time or slept some times.
sub working {
	my ($c) = @_;
	my @tasks = grep { !m{/\Q$c->{pid}\E$} } glob "/proc/$c->{pid}/task/*";
	return scalar grep {
		my ($naps) = slurp("$_/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m;
		my $ticks = (split ' ', slurp("$_/stat") =~ s/.*\) //r)[11];    # utime, field 14 of proc(5)
		($naps // 0) > 20 || ($ticks // 0) > 5;
	} @tasks;
}

# Starts fio, and comes back at some instant of its I/O.
sub busy_fio {
	my (@options) = @_;
	my $c = start_fio(['job', @load, @options]);
	wait_until(sub { working($c) || over($c) }, 60);
	sleep rand 0.4;
	return $c;
}

sub requests { my ($f) = @_; return ($f->{jobs}[0]{read}{total_ios} // 0) + ($f->{jobs}[0]{write}{total_ios} // 0) }

# fio must end by itself, with this error (or one of these) of its job.
sub ends_with_error {
	my ($f, $what, @errors) = @_;
	finish_fio($f, 10);
	ok(!$f->{hung}, "$what: fio ends within 10 s") || return;
	is($f->{signal}, 0, "$what: by itself");
	isnt($f->{status}, 0, "$what: with a status that says so");
	my $error = job_error($f, 'job');
	ok((grep { $_ == $error } @errors), "$what: error $error of its job") || diag($f->{said});
	like($f->{said}, qr/^vring: .*/m, "$what: and a sentence");
}

# Errors of errno(3) that name a peer that is gone: EIO, ENODEV, EPIPE, ENOTCONN, ECONNRESET, ESHUTDOWN.
my @gone = (5, 19, 32, 107, 104, 108);

my %servers = (
	'our device' => sub { device('--serves', 'null', '--latency', '1ms', '--size', '16M', '--wait', $_[0] % 4 < 2 ? 'eventfd' : 'poll') },
	'qemu-storage-daemon' => sub { storage_daemon(undef) },
);
for my $name (sort keys %servers) {
	my $in_flight = 0;
	for my $k (0 .. 9) {
		my $wait = $k % 2 ? 'eventfd' : 'poll';
		my $d = $servers{$name}->($k);
		my @ring = $name eq 'our device' && $k % 3 == 0 ? (ring => 'packed', queue_size => 100) : ();
		my $f = busy_fio(path => $d->{socket}, wait => $wait, @ring);
		kill 'KILL', $d->{pid};
		ends_with_error($f, "$name killed, $wait, $k", @gone);
		$in_flight += requests($f) > 0;
		ok(end_child($d, 0), "$name killed, $wait, $k: it is gone");
	}
	cmp_ok($in_flight, '>=', 8, "$name: nearly all were killed in the middle of I/O");
}

# One that lives and does nothing: the time-out, ETIMEDOUT.
for my $name (sort keys %servers) {
	for my $wait (qw(poll eventfd adaptive)) {
		my $d = $servers{$name}->(0);
		my $f = busy_fio(path => $d->{socket}, wait => $wait, io_timeout => 2);
		kill 'STOP', $d->{pid};
		ends_with_error($f, "$name stopped, $wait", 110);
		kill 'CONT', $d->{pid};
		ok(end_child($d, 'KILL'), "$name stopped, $wait: it is gone");
	}
}

# Several queues of one connection: none of the jobs hangs.
{
	my $d = device('--serves', 'null', '--latency', '1ms', '--size', '16M', '--queues', 3);
	my $f = busy_fio(path => $d->{socket}, numjobs => 3, wait => 'eventfd');
	kill 'KILL', $d->{pid};
	ends_with_error($f, 'three queues, the device killed', @gone);
	is(scalar(grep { $_->{error} } @{ $f->{jobs} }), 3, 'three queues: each job ends with an error');
	end_child($d, 0);
}

# The other direction: clients that die leave the device as it was.
for my $wait (qw(eventfd poll adaptive)) {
	my $d = device('--serves', 'memory', '--size', '16M', '--queues', 2, '--wait', $wait);
	for my $k (1 .. 3) {
		my $f = busy_fio(path => $d->{socket}, numjobs => $k == 2 ? 2 : 1, wait => $k == 3 ? 'poll' : 'eventfd', ring => $k == 2 ? 'packed' : 'split');
		end_child($f, 'KILL');
		ok(!over($d), "fio killed, $k, the device on $wait: the device lives") || diag(slurp($d->{err}));
	}
	my $f = fio(['job', rw => 'randwrite', bs => '4k', size => '2M', iodepth => 16, verify => 'crc32c', verify_state_save => 0, path => $d->{socket}]);
	is(error_of($f), '', "the device on $wait serves its next client");
	ok(end_child($d, 'TERM') && $d->{wait} == 0, "the device on $wait ends when told to, with status 0") || diag("wait status $d->{wait}");
}

# fio that is asked to end while the device does not answer.
{
	my $d = device('--serves', 'null', '--latency', '1ms', '--size', '16M');
	my $f = busy_fio(path => $d->{socket}, io_timeout => 3, wait => 'eventfd');
	kill 'STOP', $d->{pid};
	kill 'INT', $f->{pid};
	finish_fio($f, 20);
	ok(!$f->{hung}, 'fio that was interrupted ends, though the device is stopped');
	kill 'CONT', $d->{pid};
	ok(end_child($d, 'TERM'), 'and the device, once it goes on');
}

# A device that was given up may still have the requests: neither its memory nor its queue may be anybody else's. Sixteen writes of
# 1 KiB each, at one a second, are under way when the first job ends.
{
	my $file = "$dir/slow";
	spurt($file, '');
	truncate $file, 16 << 20;
	my $d = daemon_over(['--object', 'throttle-group,id=t,x-iops-total=1,x-iops-size=1024', '--blockdev', "driver=file,node-name=f,filename=$file",
		'--blockdev', 'driver=throttle,node-name=d,file=f,throttle-group=t']);
	my @write = (path => $d->{socket}, rw => 'write', bs => '4k', size => '16k', iodepth => 4);
	my $f = fio(['a', @write, offset => '8M', buffer_pattern => '0xaa', io_timeout => 1], ['b', @write, stonewall => 1, buffer_pattern => '0xbb']);
	ok(!$f->{hung}, 'a device that is slower than the time-out: fio ends');
	is(job_error($f, 'a'), 110, 'the first job by its time-out');
	ok(job_error($f, 'b') > 0, 'the next one of the same queue does not run in the memory that is still in use') || diag($f->{said});
	like($f->{said}, qr/^vring: b: .*left behind/m, 'and says why');
	sleep 2;
	my $now = slurp($file);
	ok(index(substr($now, 8 << 20, 16384), "\xbb") < 0, 'nothing of the one is written for the other');
	end_child($d, 'KILL');
}

# A job that is a process and is killed stops nothing.
{
	my $d = device('--serves', 'null', '--latency', '1ms', '--size', '16M');
	my @job = (path => $d->{socket}, thread => 0, rw => 'randread', bs => '4k', iodepth => 16, time_based => 1);
	my $f = start_fio(['a', @job, runtime => 120], ['b', @job, runtime => 1, stonewall => 1]);
	my @pids;
	wait_until(sub { @pids = split ' ', slurp("/proc/$f->{pid}/task/$f->{pid}/children"); @pids || over($f) }, 60);
	sleep 0.5;
	kill 'KILL', @pids;
	finish_fio($f, 20);
	ok(!$f->{hung}, 'a job was killed: fio ends');
	ok(job_error($f, 'b') > 0, 'the next one does not run in its memory') || diag($f->{said});
	like($f->{said}, qr/^vring: b: .*left behind/m, 'and says why');
	ok(end_child($d, 'TERM'), 'the device ends when told to');
}

# A hostile device makes the kick block: it takes O_NONBLOCK from the eventfd that both have open, and fills the counter
# (eventfd(2): up to 2^64 - 2). Here we do it, with a descriptor taken from fio (pidfd_getfd(2)), while the device is stopped.
SKIP: {
	my $d = device('--serves', 'null', '--size', '16M', '--wait', 'eventfd');
	my $f = start_fio(['job', path => $d->{socket}, rw => 'randread', bs => '4k', size => '16M', time_based => 1, runtime => 120, iodepth => 64,
		rate_iops => 20, event_idx => 0, wait => 'eventfd', io_timeout => 60]);
	my ($kick) = (0);
	wait_until(sub {
		($kick) = sort { $a <=> $b } map { (readlink // '') eq 'anon_inode:[eventfd]' && m{(\d+)$} ? $1 : () } glob "/proc/$f->{pid}/fd/*";
		return $kick || over($f);
	}, 20);
	my $pidfd = syscall 434, $f->{pid} + 0, 0;
	my $fd = $pidfd < 0 ? -1 : syscall 438, $pidfd, $kick + 0, 0;
	if ($fd < 0) {
		kill 'KILL', $f->{pid};
		skip "pidfd_getfd: $!", 5;
	}
	open my $h, '+<&=', $fd or die "descriptor $fd: $!";
	# Again if the device was awake when it was stopped, and so wants no kick.
	for (1 .. 4) {
		sleep 0.5;
		kill 'STOP', $d->{pid};
		# Non-blocking, and what is there now first: more than the rest would be refused.
		fcntl $h, F_SETFL, O_RDWR | O_NONBLOCK;
		sysread $h, my $now, 8;
		syswrite $h, pack('Q', ~0 - 1);
		fcntl $h, F_SETFL, O_RDWR;
		last if wait_until(sub { over($f) }, 4);
		kill 'CONT', $d->{pid};
	}
	kill 'STOP', $d->{pid};
	ends_with_error($f, 'a kick that blocks', 5);
	end_child($d, 'KILL');
}

my @left = grep { slurp("$_/cmdline") =~ /\Q$dir\E/ } glob '/proc/[0-9]*';
is("@left", '', 'nothing is left running');

done_testing;
