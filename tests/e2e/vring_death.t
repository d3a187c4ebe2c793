#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# When one side of a vhost-user connection dies in the middle of I/O, the other must not hang: fio ends with errors for what was
# in flight, within seconds; the device goes on to its next client.
use strict;
use warnings;
use lib 'tests/lib';
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

my @left = grep { slurp("$_/cmdline") =~ /\Q$dir\E/ } glob '/proc/[0-9]*';
is("@left", '', 'nothing is left running');

done_testing;
