#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will boot the small guest by hand and speak with its agent, through a wire written anew here from wire.h.
#
# Expected values: from wire.h and HACKING.md (shapes), from what QEMU was told (sizes, serials, queues, ring), from the
# VIRTIO specification 1.2, 6 (bit 34 is the packed ring, bit 32 VERSION_1), and from fio's manual (exit status).
use strict;
use warnings;
use Fcntl;
use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use JSON::PP;
use List::Util qw(first);
use POSIX qw(WNOHANG);
use Socket;
use Test::More;
use Time::HiRes qw(time sleep);

my ($QEMU) = grep { -x } map { "$_/qemu-system-x86_64" } split /:/, $ENV{PATH};
my $GUEST = $ENV{VBENCH_GUEST} || 'build/guest';
my $KERNEL = do { local (@ARGV, $/) = ("$GUEST/KERNEL"); -e $ARGV[0] ? <> : '' };
chomp $KERNEL;
plan skip_all => 'no qemu-system-x86_64' if !$QEMU;
plan skip_all => 'no guest kernel, fio and agent (make all fio guest)'
	if !$KERNEL || !-e "$GUEST/fio" || !-e "$GUEST/vbench-agent";

# Types of wire.h.
my ($HELLO, $FACTS, $DISK, $JOB, $CANCEL, $SYNC, $POWEROFF) = 1 .. 7;
my $GO = 12;
my ($READY, $REPLY, $RESULT, $PROGRESS, $ERROR, $GATED) = 64 .. 69;
my $PATIENCE = 300;    # a busy host under emulation is slow, not wrong
my $dir = tempdir('vbench-agent-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my @started;
END { my $rc = $?; kill 'KILL', grep { $_ } @started; waitpid $_, 0 for @started; $? = $rc }

my $builder = (first { -x } 'build/tests/initramfs', 'build/san/tests/initramfs')
	or plan skip_all => 'build/tests/initramfs is not built';
system($builder, 'build', "$dir/initramfs", "$GUEST/vbench-agent", "$GUEST/fio",
	"$GUEST/modules/lib/modules/$KERNEL") == 0 or BAIL_OUT('no initramfs');

# --- a guest ---

sub connect_to {
	my ($path) = @_;
	for (1 .. 50 * $PATIENCE) {
		my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path);
		return $s if $s;
		sleep 0.02;
	}
	die "$path: $!";
}

sub boot {
	my ($name, @more) = @_;
	my $g = { name => $name, seq => 0, in => '', console => "$dir/$name.console", qmpbuf => '' };
	my @argv = ($QEMU, qw(-nodefaults -no-user-config -no-reboot -display none -machine q35 -accel tcg),
		qw(-cpu max -smp 2 -m 256M), '-kernel', "$GUEST/vmlinuz", '-initrd', "$dir/initramfs",
		'-append', 'console=ttyS0 quiet panic=-1 8250.nr_uarts=1 i8042.noaux no_timer_check ' . ($ENV{VB_APPEND} // ''),
		'-serial', "file:$g->{console}",
		'-chardev', "socket,id=qmp,path=$dir/$name.qmp,server=on,wait=off", '-mon', 'chardev=qmp,mode=control',
		'-chardev', "socket,id=agent,path=$dir/$name.agent,server=on,wait=off",
		'-device', 'virtio-serial-pci,id=vser',
		'-device', 'virtserialport,bus=vser.0,chardev=agent,name=org.vbench.agent.0',
		(map { ('-device', "pcie-root-port,id=rp$_,chassis=" . ($_ + 1) . ',slot=' . ($_ + 1)) } 0 .. 3), @more);
	$g->{begun} = time;
	$g->{pid} = fork;
	if (!$g->{pid}) {
		open STDOUT, '>', "$dir/$name.log";
		open STDERR, '>&', \*STDOUT;
		exec @argv or POSIX::_exit(127);
	}
	push @started, $g->{pid};
	$g->{sock} = connect_to("$dir/$name.agent");
	$g->{qmp} = connect_to("$dir/$name.qmp");
	qmp_read($g);
	qmp($g, 'qmp_capabilities');
	return $g;
}

sub qmp_read {
	my ($g) = @_;
	my $end = time + $PATIENCE;
	while (index($g->{qmpbuf}, "\n") < 0) {
		wait_readable($g->{qmp}, $end) or die 'QMP is silent';
		sysread($g->{qmp}, $g->{qmpbuf}, 65536, length $g->{qmpbuf}) or die 'QMP has ended';
	}
	my ($line, $rest) = split /\n/, $g->{qmpbuf}, 2;
	$g->{qmpbuf} = $rest;
	return $json->decode($line);
}

sub qmp {
	my ($g, $command, $args) = @_;
	syswrite $g->{qmp}, $json->encode({ execute => $command, $args ? (arguments => $args) : () }) . "\n";
	while (1) {
		my $r = qmp_read($g);
		die "$command: $r->{error}{desc}" if $r->{error};
		return $r->{return} if exists $r->{return};
	}
}

sub wait_readable {
	my ($s, $end) = @_;
	my $bits = '';
	vec($bits, fileno $s, 1) = 1;
	my $left = $end - time;
	return $left > 0 && select($bits, undef, undef, $left) > 0;
}

sub frame { my ($type, $seq, $payload) = @_; return pack('a4 C C v V', 'VBA1', 1, $type, $seq, length $payload) . $payload }

sub request { my ($g, $type, $body) = @_; syswrite $g->{sock}, frame($type, ++$g->{seq}, $json->encode($body)); return $g->{seq} }

# The next message: [type, seq, body], or nothing within the time.
sub hear {
	my ($g, $patience) = @_;
	my $end = time + ($patience // $PATIENCE);
	while (1) {
		if (length $g->{in} >= 12) {
			my ($magic, $version, $type, $seq, $len) = unpack 'a4 C C v V', $g->{in};
			die "not a frame: $magic $version" if $magic ne 'VBA1' || $version != 1 || $len > 4 << 20;
			if (length $g->{in} >= 12 + $len) {
				my $m = [$type, $seq, $json->decode(substr $g->{in}, 12, $len)];
				substr($g->{in}, 0, 12 + $len) = '';
				return $m;
			}
		}
		wait_readable($g->{sock}, $end) or return;
		sysread($g->{sock}, $g->{in}, 65536, length $g->{in}) or return;
	}
}

# Asks, and passes what else arrives with other numbers; progress of this one goes to @$progress.
sub ask {
	my ($g, $type, $body, $progress) = @_;
	my $seq = request($g, $type, $body);
	while (my $m = hear($g)) {
		next if $m->[1] != $seq;
		return $m if $m->[0] != $PROGRESS;
		push @$progress, $m->[2] if $progress;
	}
	return [0, $seq, {}];
}

sub hello { ask($_[0], $HELLO, { time_ns => int(time * 1e9), entropy => 'ab' x 64 }) }

sub works { my ($g, $what) = @_; my $m = hello($g); is($m->[0], $REPLY, "$what: the agent still answers") }

sub cpu_s {    # of the QEMU process
	my ($g) = @_;
	open my $f, '<', "/proc/$g->{pid}/stat" or return 0;
	my @v = split ' ', (<$f> =~ s/^.*\) //r);
	return ($v[11] + $v[12]) / POSIX::sysconf(&POSIX::_SC_CLK_TCK);
}

sub job { my ($target, $more) = @_; return "[global]\nfilename=$target\ndirect=1\nrw=randread\nbs=4k\nioengine=libaio\niodepth=4\n$more\n[job]\n" }

# --- the tests ---

my $g = boot('first');
my $m = hear($g);
ok($m && $m->[0] == $READY && $m->[1] == 0, 'READY comes after boot, with number 0') or diag(console($g)), BAIL_OUT('the guest does not start');
diag(sprintf 'boot to READY %.2f s', time - $g->{begun});
is($m->[2]{version}, 1, 'READY names the version of the protocol');
$m = hello($g);
is($m->[0], $REPLY, 'HELLO is answered');
is($m->[2]{version}, 1, '... with the version');
my $boot_id = $m->[2]{boot_id};
like($boot_id, qr/^[0-9a-f-]{36}$/, '... and the boot id');
is(ask($g, $HELLO, { entropy => $_ })->[0], $ERROR, "entropy \"" . substr($_, 0, 8) . "\" is refused") for 'abc', 'zz', 'ab' x 65;

$m = ask($g, $FACTS, {});
is($m->[2]{cpus}, 2, 'FACTS: as many CPUs as the machine has');
like($m->[2]{kernel}, qr/^\Q$KERNEL\E /, 'FACTS: the kernel that was booted');
cmp_ok($m->[2]{memory_bytes}, '<=', 256 << 20, 'FACTS: memory within that of the machine');
like($m->[2]{fio}, qr/^fio-\d/, 'FACTS: fio and its version');
like($m->[2]{cmdline}, qr/console=ttyS0/, 'FACTS: the command line');

# Three buses, each a 64 MiB disk over null-co.
qmp($g, 'object-add', { 'qom-type' => 'iothread', id => 'io0' });
for my $n (0 .. 2) {
	qmp($g, 'blockdev-add', { driver => 'null-co', 'node-name' => "n$n", size => 64 << 20, 'read-zeroes' => JSON::PP::true });
}
my $plugged = time;
qmp($g, 'device_add', { driver => 'virtio-blk-pci', id => 'vb0', bus => 'rp0', drive => 'n0', serial => 'vbench-0', packed => JSON::PP::true,
		'num-queues' => 2, iothread => 'io0' });
my $vda = ask($g, $DISK, { serial => 'vbench-0', timeout_ms => 30000, scheduler => 'none' })->[2];
diag(sprintf 'virtio-blk visible after %.3f s', time - $plugged);
is($vda->{driver}, 'virtio_blk', 'virtio-blk: driver') or diag(explain $vda);
is($vda->{path}, "/dev/$vda->{name}", 'virtio-blk: path');
is($vda->{transport_driver}, undef, 'virtio-blk: no transport of its own');
is($vda->{queues}, 2, 'virtio-blk: as many queues as asked for');
is(substr($vda->{features}, 34, 1), 1, 'virtio-blk: the packed ring is negotiated');
is(substr($vda->{features}, 32, 1), 1, 'virtio-blk: VERSION_1 is negotiated');
is($vda->{size_bytes}, 64 << 20, 'virtio-blk: size');
is($vda->{scheduler}, 'none', 'virtio-blk: scheduler as asked for');
like($vda->{pci}, qr/^0000:[0-9a-f]{2}:00\.0$/, 'virtio-blk: PCI address');
cmp_ok($vda->{msix_vectors}, '>=', 3, 'virtio-blk: a vector a queue and one for the configuration');

$plugged = time;
qmp($g, 'device_add', { driver => 'virtio-scsi-pci', id => 'sc0', bus => 'rp1', 'num_queues' => 1, packed => JSON::PP::false });
qmp($g, 'device_add', { driver => 'scsi-hd', id => 'vb1', bus => 'sc0.0', drive => 'n1', serial => 'vbench-1' });
my $sda = ask($g, $DISK, { serial => 'vbench-1', timeout_ms => 30000, scheduler => 'mq-deadline' })->[2];
diag(sprintf 'virtio-scsi visible after %.3f s', time - $plugged);
is($sda->{driver}, 'sd', 'virtio-scsi: driver') or diag(explain $sda);
is($sda->{transport_driver}, 'virtio_scsi', 'virtio-scsi: driver of the transport');
is(substr($sda->{features}, 34, 1), 0, 'virtio-scsi: the split ring');
is($sda->{queues}, 1, 'virtio-scsi: queues');
is($sda->{scheduler}, 'mq-deadline', 'virtio-scsi: scheduler as asked for');

$plugged = time;
qmp($g, 'device_add', { driver => 'nvme', id => 'vb2', bus => 'rp2', drive => 'n2', serial => 'vbench-2' });
my $nvme = ask($g, $DISK, { serial => 'vbench-2', timeout_ms => 30000, scheduler => 'none' })->[2];
diag(sprintf 'nvme visible after %.3f s', time - $plugged);
is($nvme->{driver}, 'nvme', 'nvme: driver') or diag(explain $nvme);
is($nvme->{features}, undef, 'nvme: no virtio features');
is($nvme->{size_bytes}, 64 << 20, 'nvme: size');

$m = ask($g, $DISK, { serial => 'nobody', timeout_ms => 100 });
is($m->[0], $ERROR, 'a disk that does not come is an error');
like($m->[2]{error}, qr/nobody/, '... that names it');
$m = ask($g, $DISK, { serial => 'vbench-0', timeout_ms => 100, scheduler => 'fastest' });
is($m->[0], $ERROR, 'a scheduler that the kernel lacks is an error');
like($m->[2]{error}, qr/fastest.*\[none\]/s, '... that says which there are');

# Jobs.
for my $d ($vda, $sda, $nvme) {
	my @progress;
	my $serial = $d->{serial};
	ask($g, $DISK, { serial => $serial, timeout_ms => 1000 });
	my $t = time;
	$m = ask($g, $JOB, { job => job($d->{path}, "time_based=1\nruntime=1\nlat_percentiles=1"), timeout_ms => 60000, interval_ms => 200 }, \@progress);
	diag(sprintf '%s: 1 s job took %.2f s, RESULT %d bytes', $d->{name}, time - $t, length $json->encode($m->[2]));
	is($m->[0], $RESULT, "$d->{name}: the job ends with RESULT");
	my $r = $m->[2];
	is($r->{exit}, 0, "$d->{name}: exit status 0") or diag($r->{output});
	my $ios = $r->{fio}{jobs}[0]{read}{total_ios};
	cmp_ok($ios, '>', 0, "$d->{name}: fio did I/O");
	ok($r->{fio}{jobs}[0]{read}{lat_ns}{bins}, "$d->{name}: with json+ bins");
	cmp_ok(scalar @progress, '>=', 2, "$d->{name}: progress came");
	ok(!(grep { $progress[$_]{ios} < $progress[$_ - 1]{ios} } 1 .. $#progress), "$d->{name}: progress only grows");
	# The disk has seen what fio counts, and little more (nothing else touches it).
	my $seen = $r->{after}{disk_stat}[0] - $r->{before}{disk_stat}[0];
	cmp_ok(abs($seen - $ios), '<=', 0.02 * $ios + 64, "$d->{name}: the disk's counter agrees with fio's");
	cmp_ok($r->{after}{mono_ns} - $r->{before}{mono_ns}, '>=', 1e9, "$d->{name}: time passed between the counters");
	cmp_ok($r->{after}{ctxt}, '>', $r->{before}{ctxt}, "$d->{name}: context switches were counted");
	cmp_ok(abs($r->{fio}{timestamp} - time), '<', 120, "$d->{name}: the guest's clock is the host's");
}

$m = ask($g, $JOB, { job => "[job]\nfilename=/dev/null\nrw=sideways\n", timeout_ms => 30000, interval_ms => 0 });
isnt($m->[2]{exit}, 0, 'a job that fio refuses: its exit status is told');
like($m->[2]{output}, qr/sideways/, '... and what it printed');
is($m->[2]{fio}, undef, '... and there is no document');

my $long = job($vda->{path}, "time_based=1\nruntime=600\nnumjobs=2\ngroup_reporting=1");
my $seq = request($g, $JOB, { job => $long, timeout_ms => 0, interval_ms => 100 });
1 until hear($g)->[0] == $PROGRESS;
is(ask($g, $JOB, { job => $long })->[0], $ERROR, 'a second job beside the first is refused');
my $cancel = request($g, $CANCEL, { seq => $seq });
my %got;
while (my $n = hear($g)) {
	$got{$n->[1]} = $n if $n->[0] != $PROGRESS;
	last if $got{$seq} && $got{$cancel};
}
is($got{$cancel}[0], $REPLY, 'CANCEL is answered');
is($got{$seq}[0], $RESULT, '... and the job still has its RESULT');
ok($got{$seq}[2]{cancelled} && !$got{$seq}[2]{timed_out}, '... which says cancelled');
is($got{$seq}[2]{signal}, 9, '... and by which signal');
$m = ask($g, $JOB, { job => $long, timeout_ms => 700, interval_ms => 0 });
ok($m->[2]{timed_out} && !$m->[2]{cancelled}, 'a job over its time says timed_out');
is(ask($g, $CANCEL, { seq => $seq })->[0], $REPLY, 'CANCEL of a job that is over is no error');
is(ask($g, $SYNC, {})->[0], $REPLY, 'SYNC is answered');

# The gate: threads of fio that stand ready until GO.
is(ask($g, $GO, { seq => 1 })->[0], $ERROR, 'GO without a job is an error');
is(ask($g, $JOB, { job => $long, gate => -1 })->[0], $ERROR, 'a gate for less than no thread, too');
my $gated = job($vda->{path}, "exec_prerun=gate\ntime_based=1\nruntime=1\nnumjobs=3\ngroup_reporting=1");
$seq = request($g, $JOB, { job => $gated, timeout_ms => 60000, interval_ms => 100, gate => 3 });
1 until ($m = hear($g))->[0] != $PROGRESS;
is("@$m[0, 1] $m->[2]{threads}", "$GATED $seq 3", 'all threads stand at the gate');
my $last;
for (1 .. 8) { $m = hear($g); $last = $m->[2] if $m->[0] == $PROGRESS }
is($last->{ios}, 0, '... and do no I/O');
ok(defined $last->{cpu}{idle} && $last->{mono_ns} > 0, '... but their CPUs and clock are told');
is(ask($g, $GO, { seq => $seq + 1000 })->[0], $ERROR, 'GO for another job does not open it');
my $go = request($g, $GO, { seq => $seq });
%got = ();
while (my $n = hear($g)) {
	$got{$n->[1]} = $n if $n->[0] != $PROGRESS;
	last if $got{$seq};
}
is($got{$go}[0], $REPLY, 'GO is answered');
is($got{$seq}[2]{exit}, 0, '... and the job runs to its end') or diag($got{$seq}[2]{output});
my $times = $got{$seq}[2]{gate};
ok($last->{mono_ns} < $times->{open_ns} && $times->{open_ns} <= $times->{first_ns} && $times->{first_ns} <= $times->{last_ns}
		&& $times->{last_ns} < $got{$seq}[2]{after}{mono_ns}, '... which tells when its threads went through')
	or diag(explain($times));
cmp_ok($got{$seq}[2]{fio}{jobs}[0]{read}{total_ios}, '>', 0, '... and what they did');
$seq = request($g, $JOB, { job => $gated, timeout_ms => 60000, interval_ms => 0, gate => 4 });
ok(!hear($g, 1), 'a thread that does not come keeps the gate from being told ready');
request($g, $CANCEL, { seq => $seq });
1 until ($m = hear($g))->[0] == $RESULT;
ok($m->[2]{cancelled}, '... and a job that waits there can be cancelled');
$m = ask($g, $JOB, { job => $gated, timeout_ms => 60000, interval_ms => 0 });
ok(!$m->[2]{fio}{jobs}[0]{read}{total_ios} && !$m->[2]{timed_out}, 'a job that waits at a gate which is not there does nothing, at once');

# A disk that hangs: fio can't be killed, the agent must live.
qmp($g, 'block_set_io_throttle', { id => 'vb1', bps => 0, bps_rd => 0, bps_wr => 0, iops => 1, iops_rd => 0, iops_wr => 0 });
$seq = request($g, $JOB, { job => job($sda->{path}, "time_based=1\nruntime=600\niodepth=32"), timeout_ms => 1500, interval_ms => 0 });
works($g, 'while a disk hangs');
while ($m = hear($g)) { last if $m->[1] == $seq }
ok($m && $m->[0] == $RESULT && $m->[2]{timed_out}, 'a job on a disk that hangs ends by its time-out');
diag("output of the hung job: $m->[2]{output}");
works($g, 'after a job that hung');
qmp($g, 'block_set_io_throttle', { id => 'vb1', map { $_ => 0 } qw(bps bps_rd bps_wr iops iops_rd iops_wr) });
for (1 .. 100) {
	$m = ask($g, $JOB, { job => job($nvme->{path}, "number_ios=10"), timeout_ms => 30000, interval_ms => 0 });
	last if $m->[0] == $RESULT;
	sleep 0.2;
}
is($m->[2]{exit}, 0, 'once the disk answers again, so does a new job');

# Rubbish.
my $hello = frame($HELLO, 999, '{}');
my %rubbish = (
	'a web request' => "GET / HTTP/1.1\r\nHost: VBA\r\n\r\n",
	'zeroes' => "\0" x 5000,
	'another version' => pack('a4 C C v V', 'VBA1', 9, $HELLO, 1, 0),
	'a length beyond the limit' => pack('a4 C C v V', 'VBA1', 1, $HELLO, 1, 0xffffffff),
);
for my $what (sort keys %rubbish) {
	syswrite $g->{sock}, $rubbish{$what} . $hello;
	$m = hear($g);
	ok($m->[0] == $ERROR && $m->[1] == 0, "$what: one ERROR with number 0");
	$m = hear($g);
	ok($m->[0] == $REPLY && $m->[1] == 999, "$what: a frame right behind it is understood");
}
my %nonsense = (
	'an unknown type' => frame(42, 77, '{}'),
	'no JSON' => frame($FACTS, 77, '{'),
	'no object' => frame($FACTS, 77, '[1]'),
	'a key twice' => frame($DISK, 77, '{"serial":"a","serial":"b"}'),
	'a job without a job' => frame($JOB, 77, '{"job":7}'),
	'a disk without a serial' => frame($DISK, 77, '{}'),
	'no payload' => frame($FACTS, 77, ''),
);
for my $what (sort keys %nonsense) {
	syswrite $g->{sock}, $nonsense{$what};
	$m = hear($g);
	ok($m->[0] == $ERROR && $m->[1] == 77, "$what: ERROR with the request's number");
}
works($g, 'after nonsense');

# A host that goes away in the middle of a frame, and another that comes.
syswrite $g->{sock}, substr(frame($JOB, 5, '{"job":"' . 'x' x 5000 . '"}'), 0, 3000);
sleep 0.2;
close $g->{sock};
my $before = cpu_s($g);
sleep 1.5;
my $used = (cpu_s($g) - $before) / 1.5;
cmp_ok($used, '<', 0.7, 'without a host the agent does not spin');
diag(sprintf 'CPU of QEMU without a host: %.0f %%', 100 * $used);
$g->{sock} = connect_to("$dir/first.agent");
$g->{in} = '';
works($g, 'with another host');
syswrite $g->{sock}, substr(frame($FACTS, 6, '{}'), 0, 7);
$m = hear($g);
ok($m->[0] == $ERROR && $m->[1] == 0, 'a frame begun and never finished is given up');
works($g, 'after half a frame');

# Template: saved without disks, restored elsewhere.
for my $id (qw(vb0 sc0 vb2)) { qmp($g, 'device_del', { id => $id }) }
# The guest lets go of them in its own time, and what is left would be missed when the state is restored.
my $until = time + $PATIENCE;
sleep 0.1 while time < $until && grep { $_->{name} =~ /^(?:vb0|sc0|vb2)$/ } @{ qmp($g, 'qom-list', { path => '/machine/peripheral' }) };
qmp($g, 'stop');
qmp($g, 'migrate-set-parameters', { 'max-bandwidth' => 1 << 40 });
qmp($g, 'migrate', { uri => "exec:cat >$dir/template" });
sleep 0.05 until qmp($g, 'query-migrate')->{status} =~ /completed|failed/;
is(qmp($g, 'query-migrate')->{status}, 'completed', 'the template is saved');
kill 'KILL', $g->{pid};
waitpid $g->{pid}, 0;
@started = ();
my $r = boot('second', '-incoming', "exec:cat $dir/template");
sleep 0.005 while qmp($r, 'query-status')->{status} eq 'inmigrate';
qmp($r, 'cont');
$m = hello($r);
diag(sprintf 'restore to first reply %.2f s', time - $r->{begun});
is($m->[0], $REPLY, 'restored: HELLO is answered');
is($m->[2]{boot_id}, $boot_id, 'restored: it is the same boot');
qmp($r, 'blockdev-add', { driver => 'null-co', 'node-name' => 'n0', size => 32 << 20 });
qmp($r, 'device_add', { driver => 'virtio-blk-pci', bus => 'rp0', drive => 'n0', serial => 'again' });
is(ask($r, $DISK, { serial => 'again', timeout_ms => 30000 })->[2]{size_bytes}, 32 << 20, 'restored: a disk can be plugged');
is(ask($r, $POWEROFF, {})->[0], $REPLY, 'POWEROFF is answered');
my $end = time + $PATIENCE;
my $gone;
sleep 0.05 until ($gone = waitpid($r->{pid}, WNOHANG)) || time > $end;
ok($gone, '... and the machine goes off');
@started = () if $gone;
unlike(console($r) . console($g), qr/panic|Oops|fatal/i, 'nothing bad on the console');
done_testing();

sub console { my ($v) = @_; open my $f, '<', $v->{console} or return ''; local $/; return <$f> // '' }
