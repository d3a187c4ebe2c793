#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Data integrity through the fio engine vring: what fio wrote it must read back, by its own crc32c, over every form of the
# rings and from three devices; and a device that lies must be seen.
use strict;
use warnings;
use lib 'tests/lib';
use Fcntl qw(F_SETFD);
use JSON::PP;
use Socket qw(AF_UNIX SOCK_STREAM);
use Test::More;
use VringTest;

my $dir = place();
my %sizes = (split => [2, 4, 128, 32768], packed => [2, 3, 4, 128, 1000, 32768]);
my @waits = qw(poll eventfd adaptive);
my @verify = (rw => 'randwrite', verify => 'crc32c', do_verify => 1, verify_fatal => 1, verify_state_save => 0);

sub image {
	my ($name, $size) = @_;
	spurt("$dir/$name", '');
	truncate "$dir/$name", $size;
	return "$dir/$name";
}

sub report { return eval { decode_json(slurp($_[0])) } // {} }

# How often the ring went round, by what the engine counted: 3 descriptors a request, or 1 with a table, or 2 where the ring
# has no room for 3.
sub laps {
	my ($r) = @_;
	my $descs = $r->{indirect} ? 1 : $r->{copies} ? 2 : 3;
	return ($r->{queues}[0]{added} // 0) * $descs / ($r->{queue_size} || 1);
}

# One job per size of ring; small rings do not need many requests to go round often.
sub jobs {
	my ($layout, $event_idx, $indirect, %o) = @_;
	my $k = $event_idx * 2 + $indirect;
	my @jobs;
	for my $size (@{ $o{sizes} // $sizes{$layout} }) {
		my $wait = $waits[$k++ % @waits];
		my @much = $size > 20000 ? (bs => 512, size => '17M', iodepth => 512) : (bs => '4k', size => $size > 4 ? '4M' : '1M', iodepth => 64);
		push @jobs, ["$layout-$size-$wait", @verify, ring => $layout, queue_size => $size, event_idx => $event_idx, indirect => $indirect,
			rewrite => $event_idx != $indirect ? 1 : 0, wait => $wait, @much, stonewall => 1, report => "$dir/report-$o{name}-$size", $o{options}->($size, $wait)];
	}
	return @jobs;
}

# Waits for fio that was started with these jobs, and looks at each.
sub check_jobs {
	my ($what, $started, @jobs) = @_;
	my $f = finish_fio($started);
	is(error_of($f), '', "$what: fio ends well");
	for my $job (@jobs) {
		my ($name, %o) = @$job;
		my $r = report($o{report});
		my $laps = laps($r);
		is(job_error($f, $name), 0, "$what: $name: reads what it wrote");
		is(join(' ', map { $_ // '' } @$r{qw(ring queue_size wait)}), "$o{ring} $o{queue_size} $o{wait}", "$what: $name: is what was asked for");
		cmp_ok($laps, '>=', 2, "$what: $name: the ring went round");
	}
	return $f;
}

for my $layout (sort keys %sizes) {
	for my $event_idx (0, 1) {
		for my $indirect (0, 1) {
			my $what = "event_idx=$event_idx indirect=$indirect";
			my @loop = jobs($layout, $event_idx, $indirect, name => 'loop', options => sub {
				my ($size, $wait) = @_;
				return (transport => 'loop', path => "d$size", serves => 'memory', serve_size => '17M', device_wait => $wait);
			});
			my $k = 0;
			my @devices;
			my @ours = jobs($layout, $event_idx, $indirect, name => 'ours', options => sub {
				my ($size, $wait) = @_;
				my @serves = $k++ % 2 ? ('--serves', 'memory', '--size', '17M') : ('--file', image("image-$size", 17 << 20), '--direct', 'off');
				push @devices, device(@serves, '--wait', $waits[$k % @waits]);
				return (path => $devices[-1]{socket});
			});
			# Much of fio's time is sleep.
			my @started = (start_fio(@loop), start_fio(@ours));
			check_jobs("loop, $what", $started[0], @loop);
			my $f = check_jobs("our device, $what", $started[1], @ours);
			for my $size (@{ $sizes{$layout} }) {
				my $line = join ', ', $layout, "$size entries", ('event_idx') x $event_idx, ('indirect') x $indirect, '1 queue';
				like($f->{said}, qr/^vring: vhost-user \S+: \Q$line\E\b/m, "our device, $what: the line on $layout, $size entries");
			}
			is(scalar(grep { !end_child($_, 'TERM') || $_->{wait} } @devices), 0, "our device, $what: each ends when told to, with status 0");
		}
	}
}

for my $event_idx (0, 1) {
	for my $indirect (0, 1) {
		my @daemons;
		my @jobs = jobs('split', $event_idx, $indirect, name => 'qsd', sizes => [2, 4, 128, 1024, 32768], options => sub {
			push @daemons, storage_daemon(image("qsd-$_[0]", 17 << 20));
			return (path => $daemons[-1]{socket});
		});
		check_jobs("qemu-storage-daemon, event_idx=$event_idx indirect=$indirect", start_fio(@jobs), @jobs);
		is(scalar(grep { !end_child($_, 'TERM') } @daemons), 0, 'each storage daemon ends when told to');
	}
}

# Several queues: a job each, on one connection.
for my $layout (sort keys %sizes) {
	my $d = device('--serves', 'memory', '--size', '8M', '--queues', 4, '--report', "$dir/device-report");
	my $f = fio(['several', @verify, ring => $layout, queue_size => 64, path => $d->{socket}, numjobs => 4, size => '2M', offset_increment => '2M',
		bs => '4k', iodepth => 16, wait => 'eventfd']);
	is(error_of($f), '', "$layout, four queues: each job reads what it wrote");
	is(scalar(@{ $f->{jobs} }), 4, "$layout, four queues: four jobs");
	end_child($d, 'TERM');
	my $r = report("$dir/device-report");
	is(scalar(grep { ($_->{popped} // 0) >= 1024 } @{ $r->{queues} // [] }), 4, "$layout, four queues: the device had requests on each")
			|| diag(slurp("$dir/device-report"));
}
{
	my $d = storage_daemon(image('several', 8 << 20), 'num-queues' => 2);
	my $f = fio(['several', @verify, path => $d->{socket}, numjobs => 2, size => '2M', offset_increment => '2M', bs => '4k', iodepth => 16]);
	is(error_of($f), '', 'qemu-storage-daemon, two queues: each job reads what it wrote');
	end_child($d, 'TERM');
}

{
	my $f = fio(['several', @verify, transport => 'loop', path => 'd', serves => 'memory', serve_size => '8M', numjobs => 3, size => '2M', offset_increment => '2M',
		ring => 'packed', queue_size => 100, bs => '4k', iodepth => 16, wait => 'eventfd', device_wait => 'eventfd']);
	is(error_of($f), '', 'loop, three queues: each job reads what it wrote');
	is(scalar(grep { $_->{read}{total_ios} == 512 } @{ $f->{jobs} }), 3, 'loop, three queues: all of it');
}

# A socket that is connected already, as the harness has it.
{
	socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, 0 or die "socketpair: $!";
	# Each end is inherited by its own program only: an end that is open elsewhere never ends.
	fcntl $theirs, F_SETFD, 0;
	my $d = start_device('--fd', fileno $theirs, '--serves', 'memory', '--size', '4M');
	close $theirs;
	fcntl $ours, F_SETFD, 0;
	my $f = fio(['inherited', @verify, path => 'fd:' . fileno $ours, bs => '4k', size => '4M', iodepth => 16]);
	close $ours;
	is(error_of($f), '', 'an inherited connection');
	ok(end_child($d, 0) && $d->{wait} == 0, 'with which the device ends, too');
}

# Sizes of blocks, mixes, flushes, trims; over a file, so that the other side is there to be looked at.
for my $layout (sort keys %sizes) {
	my $file = image('mixed', 16 << 20);
	my $d = device('--file', $file, '--direct', 'off', '--queue-size', 128);
	my @global = ('global', path => $d->{socket}, ring => $layout, queue_size => 128, iodepth => 16, stonewall => 1);
	my $f = fio([@global],
		['blocks', @verify, bsrange => '512-1M', size => '16M'],
		['mix', @verify, rw => 'randrw', verify_backlog => 32, bs => '4k', size => '4M'],
		['flush', @verify, bs => '4k', size => '1M', fsync => 8],
		['trims', @verify, rw => 'trimwrite', bs => '64k', size => '8M', iodepth => 1]);
	is(error_of($f), '', "$layout: fio ends well");
	is(job_error($f, $_), 0, "$layout: $_") for qw(blocks mix flush trims);
	my %by = map { $_->{jobname} => $_ } @{ $f->{jobs} };
	cmp_ok($by{flush}{sync}{total_ios} // 0, '>=', 32, "$layout: 256 writes, a flush behind every eighth");
	is($by{trims}{trim}{total_ios} // 0, 128, "$layout: 8 MiB in trims of 64 KiB");

	spurt($file, "\xff" x (16 << 20));
	$f = fio([@global], ['zeroes', rw => 'trim', trim => 'write_zeroes', bs => '64k', size => '4M', offset => '4M']);
	is(error_of($f), '', "$layout: write zeroes");
	my $now = slurp($file);
	ok($now eq "\xff" x (4 << 20) . "\0" x (4 << 20) . "\xff" x (8 << 20), "$layout: zeroes where they were asked for, and nowhere else");
	end_child($d, 'TERM');
}

# What is on the disk is where it should be: a pattern by fio, read by us.
{
	my $file = image('pattern', 1 << 20);
	my $d = device('--file', $file, '--direct', 'off');
	my $f = fio(['pattern', path => $d->{socket}, rw => 'randwrite', bs => 512, offset => '64k', size => '128k', buffer_pattern => '0x5a', iodepth => 8, fsync => 64]);
	is(error_of($f), '', 'a pattern is written');
	ok(slurp($file) eq "\0" x 65536 . "\x5a" x 131072 . "\0" x (851968), 'and lies in the file at its place');
	end_child($d, 'TERM');
}

# loop over a file is that file.
{
	my $file = image('looped', 1 << 20);
	my $f = fio(['looped', transport => 'loop', serves => 'file', serve_path => $file, rw => 'write', bs => '4k', size => '64k', offset => '8k', buffer_pattern => '0xa5']);
	is(error_of($f), '', 'loop over a file');
	ok(slurp($file) eq "\0" x 8192 . "\xa5" x 65536 . "\0" x ((1 << 20) - 73728), 'and the file has it');
}

# What a harness asked for it reads back: the device within fio is told of, one elsewhere is not.
{
	my %device = (serves => 'null', latency_ns => 20000, device_wait => 'adaptive', device_poll_ns => 70000);
	my @job = ('job', rw => 'randread', bs => '4k', size => '64k', serve_size => '1M', report => "$dir/told");
	is(error_of(fio([@job, transport => 'loop', %device, wait => 'adaptive', poll_ns => 30000, rewrite => 1])), '', 'a job with a report');
	my $r = report("$dir/told");
	is_deeply({ map { $_ => $r->{$_} } keys %device, 'poll_ns', 'rewrite' }, { %device, poll_ns => 30000, rewrite => JSON::PP::true }, 'which has what was asked for');
	is(error_of(fio([@job, transport => 'loop', serves => 'memory'])), '', 'one over memory');
	$r = report("$dir/told");
	is_deeply([@$r{qw(serves device_wait latency_ns rewrite)}], ['memory', 'poll', 0, JSON::PP::false], 'says so, too');
}

# loop's device is not bound to where the job is.
SKIP: {
	my ($cpus) = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m;
	my ($first) = $cpus =~ /^(\d+)[-,]/ or skip 'one processor', 1;
	my $c = start_fio(['job', transport => 'loop', rw => 'randread', bs => '4k', serve_size => '1M', time_based => 1, runtime => 30, iodepth => 4, cpus_allowed => $first,
		device_wait => 'eventfd', wait => 'eventfd']);
	my $list;
	wait_until(sub {
		for my $task (glob "/proc/$c->{pid}/task/*") {
			($list) = slurp("$task/status") =~ /^Cpus_allowed_list:\s*(\S+)/m if slurp("$task/comm") eq "vring-queue\n";
		}
		return $list || over($c);
	}, 30);
	is($list, $cpus, "loop's device may use all processors that fio may");
	end_child($c, 'INT');
}

# These tests can fail: a byte that changes behind the device's back is seen.
for my $transport ('our device', 'qemu-storage-daemon') {
	my $file = image('corrupt', 1 << 20);
	my $d = $transport eq 'our device' ? device('--file', $file, '--direct', 'off') : storage_daemon($file);
	my @job = ('job', path => $d->{socket}, @verify, bs => '4k', size => '1M', iodepth => 8, randseed => 4);
	is(error_of(fio([@job, do_verify => 0])), '', "$transport: written");
	if ($transport ne 'our device') {
		# One client per export and life.
		end_child($d, 'TERM');
		$d = storage_daemon($file);
		$job[2] = $d->{socket};
	}
	is(error_of(fio([@job, rw => 'randread'])), '', "$transport: read back by another run") if $transport eq 'our device';
	open my $f, '+<:raw', $file or die "$file: $!";
	seek $f, 300 * 1024 + 17, 0;
	read $f, my $byte, 1;
	seek $f, 300 * 1024 + 17, 0;
	print $f chr(ord($byte) ^ 0x10);
	close $f;
	my $r = fio([@job, rw => 'randread']);
	isnt($r->{status}, 0, "$transport: a bit that flipped is an error");
	# EILSEQ, as errno(3) has it on Linux
	is(job_error($r, 'job'), 84, "$transport: the one that fio has for it");
	end_child($d, 'TERM');
}

# Refusals: a sentence that names the remedy, a status that is not 0, at once.
sub refused {
	my ($what, $sentence, @job) = @_;
	my $f = fio(['job', rw => 'randread', bs => '4k', size => '64k', @job]);
	ok(!$f->{hung} && !$f->{signal} && $f->{status}, "$what: is refused") || diag(error_of($f) || $f->{said});
	like($f->{said}, $sentence, "$what: and why");
}

{
	my $d = storage_daemon(undef);
	refused('packed of qemu-storage-daemon', qr/^vring: .*no packed ring.*ring=split/m, path => $d->{socket}, ring => 'packed');
	end_child($d, 'TERM');
	for ([event_idx => qr/no event index.*event_idx=0/], [indirect => qr/no indirect descriptors.*indirect=0/], [packed => qr/no packed ring/]) {
		my ($what, $sentence) = @$_;
		$d = device('--no-' . ($what =~ tr/_/-/r));
		refused("$what of a device without", $sentence, path => $d->{socket}, ring => $what eq 'packed' ? 'packed' : 'split');
		end_child($d, 'TERM');
	}
	$d = device('--max-queue-size', 128);
	refused('a ring larger than the device takes', qr/^vring: .*\b256\b/m, path => $d->{socket}, queue_size => 256);
	end_child($d, 'TERM');
	$d = device('--queues', 2);
	refused('jobs that are processes', qr/^vring: .*thread=1/m, path => $d->{socket}, numjobs => 2, thread => 0);
	refused('more jobs than queues', qr/^vring: .*\b2 queues/m, path => $d->{socket}, numjobs => 3);
	end_child($d, 'TERM');
}
refused('no path', qr/^vring: .*path=/m);
refused('a path where nothing is', qr/^vring: .*\Q$dir\E\/nothing.*: No such file/m, path => "$dir/nothing");
refused('a file that is no socket', qr/^vring: .*\Q$dir\E\/pattern\b.*: /m, path => "$dir/pattern");
refused('a socket that nobody listens on', qr/^vring: .*\Q$dir\E\/dead.*refused/mi, path => do {
	require IO::Socket::UNIX;
	my $s = IO::Socket::UNIX->new(Local => "$dir/dead", Listen => 1) or die "$dir/dead: $!";
	close $s;
	"$dir/dead";
});
my @loop = (transport => 'loop');
refused('a split ring of 1000', qr/^vring: .*power of two/m, @loop, queue_size => 1000);
refused('a ring of 0', qr/queue_size/, @loop, queue_size => 0);
refused('a ring of 32769', qr/queue_size/, @loop, queue_size => 32769);
refused('a layout that is none', qr/ring/, @loop, ring => 'round');
refused('a way to wait that is none', qr/wait/, @loop, wait => 'sleep');
refused('a file without serves=file', qr/^vring: .*serve_path=.*serves=file/m, @loop, serve_path => "$dir/pattern");
refused("$_->[0] of a device elsewhere", qr/^vring: .*\Q$_->[0]\E: .*transport=loop/m, path => "$dir/nothing", @$_)
	for [serves => 'memory'], [serve_path => "$dir/pattern"], [serve_size => '1M'], [latency_ns => 1000], [device_wait => 'eventfd'], [device_poll_ns => 1],
	[device_cpu => 0];
refused('O_SYNC', qr/^vring: .*sync.*fsync=1/m, @loop, rw => 'randwrite', sync => 1);
refused('reading before', qr/^vring: .*pre_read/m, @loop, pre_read => 1);
refused('zones', qr/^vring: .*zonemode/m, @loop, zonemode => 'zbd');
refused('an offset behind the end', qr/^vring: .*offset/m, @loop, serve_size => '1M', offset => '1M');
refused('loop over no file', qr/^vring: .*serve_path=/m, @loop, serves => 'file');
refused('loop over a file that is not there', qr/^vring: .*\Q$dir\E\/nothing/m, @loop, serves => 'file', serve_path => "$dir/nothing");

done_testing;
