#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# A real QEMU, stopped at its first instruction, read by its pid: what was asked for and what is in force.
# Expected: what QEMU was started with, taskset's own answer, qemu-img's, and /proc as Perl reads it.
use v5.36;
no warnings 'qw';
use lib 'tests/lib';
use VBTest;
use IO::Socket::UNIX;
use JSON::PP;
use Test::More;

VBTest::needs();
plan skip_all => 'no taskset' if !VBTest::in_path('taskset');
my $s = sandbox();
my @children;
END { my $status = $?; for my $pid (@children) { kill 'KILL', $pid; waitpid $pid, 0 } $? = $status }

sub run {
	my (@command) = @_;
	my $pid = open my $out, '-|';
	defined $pid or die "fork: $!";
	if (!$pid) { open STDERR, '>&', \*STDOUT; exec @command; exit 127 }
	local $/;
	my $text = <$out> // '';
	close $out;
	return ($text, $? >> 8);
}

sub start {
	my (@command) = @_;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		chdir $s->{dir} or exit 126;
		open STDOUT, '>', "$s->{dir}/qemu.log";
		open STDERR, '>&', \*STDOUT;
		exec @command;
		exit 127;
	}
	push @children, $pid;
	# Its vCPUs come last.
	wait_until(sub { threads($pid)->{'CPU 1/TCG'} || waitpid($pid, 1) });
	ok threads($pid)->{'CPU 1/TCG'}, 'QEMU takes this command line' or diag VBTest::slurp("$s->{dir}/qemu.log");
	return $pid;
}

sub threads {
	my ($pid) = @_;
	my %tid;
	for my $dir (glob "/proc/$pid/task/*") {
		chomp(my $comm = slurp("$dir/comm"));
		$tid{$comm} = $dir =~ s{.*/}{}r;
	}
	return \%tid;
}

sub facts {
	my ($target) = @_;
	my ($text, $status) = run(VBTest::program(), 'profile', '--json', $target);
	is $status, 0, "read: $target" or diag $text;
	return eval { decode_json($text) } // {};
}

is((run('qemu-img', 'create', '-q', '-f', 'qcow2', "$s->{dir}/base.qcow2", '64M'))[1], 0, 'base image');
is((run('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', 'cluster_size=128k', '-b', 'base.qcow2', '-F', 'qcow2', "$s->{dir}/top.qcow2"))[1], 0, 'overlay');
is((run('qemu-img', 'create', '-q', '-f', 'raw', "$s->{dir}/two, raw.img", '16M'))[1], 0, 'raw image');

my $pid = start(qw(qemu-system-x86_64 -name guest=t-one,debug-threads=on -S -machine q35 -accel tcg -m 48 -smp 2,maxcpus=4,sockets=1,cores=2,threads=2),
	qw(-nodefaults -display none -vga none -sandbox on -object iothread,id=io0,poll-max-ns=1000),
	qw(-drive file=top.qcow2,if=none,id=d0,format=qcow2,cache=writeback,aio=threads -device),
	'virtio-blk-pci,drive=d0,id=one,iothread=io0,num-queues=2,queue-size=64,packed=on',
	'-blockdev', "raw,node-name=two,file.driver=file,file.filename=$s->{dir}/two,, raw.img", qw(-device virtio-scsi-pci,id=hba,num_queues=3 -device scsi-hd,drive=two,id=two,serial=S2),
	qw(-netdev user,id=n0 -device virtio-net-pci,netdev=n0 -device virtio-balloon-pci -rtc base=utc),
	'-qmp', "unix:$s->{dir}/qmp,server=on,wait=off");

chomp(my $allowed = (run('sh', '-c', "sed -n 's/^Cpus_allowed_list:\\s*//p' /proc/self/status"))[0]);
my ($first) = $allowed =~ /^(\d+)/;
run('taskset', '-p', '-c', $first, threads($pid)->{'CPU 1/TCG'});
run('taskset', '-p', '-c', $first, threads($pid)->{'IO io0'});
my $vm = facts("pid:$pid");
my ($asked, $got) = @$vm{qw(asked got)};
my $is = sub { my ($side, $key, $value) = @_; is $side->{$key}{value}, $value, "$key is $value" };

$is->($got, 'vcpu.1.pin', $first);
$is->($got, 'vcpu.0.pin', $allowed);
$is->($got, 'iothread.0.pin', $first);
$is->($got, 'vcpu.1.tid', threads($pid)->{'CPU 1/TCG'});
$is->($got, 'iothreads', 1);
$is->($got, 'vcpus', 2);
$is->($got, 'memory.size', 48 << 20);
$is->($got, 'sandbox', 'on');
$is->($got, 'disk.0.direct', 'off');
$is->($got, 'disk.0.format', 'qcow2');
$is->($got, 'disk.0.cluster', 128 << 10);
$is->($got, 'disk.0.size', 64 << 20);
$is->($got, 'disk.0.backing', 1);
$is->($got, 'disk.1.format', 'raw');
$is->($got, 'disk.1.size', 16 << 20);
$is->($asked, 'disk.0.packed', 'on');
$is->($asked, 'controller.0.queues', 3);
$is->($asked, 'disk.1.source', "$s->{dir}/two, raw.img");
is $vm->{pid}, $pid, 'its pid';
ok $vm->{running}, 'it runs';
is_deeply [sort grep { /^S/ } (VBTest::slurp("/proc/$pid/status") =~ /^State:\s*(\S)/m)], ['S'], 'it was not stopped';


# --- what its command line does not say: a disk plugged in and one drawn since ---
my $late = sub { grep { /is open for writing, and nothing names it/ } @{ $_[0]{notes} } };
is_deeply [$late->($vm)], [], 'every image that is open is named';
is((run('qemu-img', 'create', '-q', '-f', 'raw', "$s->{dir}/late.img", '16M'))[1], 0, 'an image for later');
my $qmp = IO::Socket::UNIX->new(Peer => "$s->{dir}/qmp") or die "no QMP: $!";
$qmp->autoflush(1);
scalar <$qmp>;
sub qmp {
	my ($command, %arguments) = @_;
	print $qmp encode_json({ execute => $command, %arguments ? (arguments => \%arguments) : () }), "\n";
	while (1) {
		my $answer = decode_json(scalar <$qmp>);
		return exists $answer->{return} if !$answer->{event};
	}
}
ok qmp('qmp_capabilities'), 'QMP: qmp_capabilities';
ok qmp('blockdev-add', driver => 'raw', 'node-name' => 'late', file => { driver => 'file', filename => "$s->{dir}/late.img" }), 'QMP: blockdev-add';
ok qmp('device_add', driver => 'scsi-hd', bus => 'hba.0', drive => 'late'), 'QMP: device_add';
$vm = facts("pid:$pid");
my @late = $late->($vm);
is scalar(@late), 1, 'an image is open that nothing names';
like $late[0], qr{^\Q$s->{dir}\E/late\.img \(/proc/$pid/fd/\d+\) .*No rule has looked at it.*query-block}, 'which one, and who knows it';
my ($tap) = run(VBTest::program(), 'audit', '--format', 'tap', '--rules', 'BLK-01,BLK-05', "pid:$pid");
# its two disks are virtio ones, and have no iothread but the first: the third nobody knows
like $tap, qr/^ok 1 - BLK-01 .*# SKIP can't tell: images opened since it started \(1\)/m, 'no rule says that all disks follow it';
like $tap, qr/^not ok 2 - BLK-05 /m, 'what is broken stays so';
like $tap, qr/^# aside .*late\.img/m, 'and which image it is stands in every format';
ok qmp('device_del', id => 'two'), 'QMP: device_del';
# once the device is really gone
ok wait_until(sub { qmp('blockdev-del', 'node-name' => 'two') }, 60), 'QMP: blockdev-del';
$vm = facts("pid:$pid");
ok scalar(grep { /no descriptor of it is open on ".*two, raw\.img", disk 1 when it started/ } @{ $vm->{notes} }), 'a disk that is gone is said to be';
close $qmp;

# --- a mount namespace of its own, as in a container: another image lies at that path here ---
SKIP: {
	skip 'mount namespaces want root and unshare', 6 if $> || !VBTest::in_path('unshare');
	mkdir "$s->{dir}/ns";
	my $make = "qemu-img create -q -f qcow2 -o cluster_size";
	is((run('sh', '-c', "$make=4k $s->{dir}/ns/c.qcow2 8M"))[1], 0, 'an image of this side');
	my $there = start('unshare', '--mount', '--propagation', 'private', 'sh', '-c', "mount -t tmpfs t $s->{dir}/ns && $make=64k $s->{dir}/ns/c.qcow2 8M && " .
		"exec qemu-system-x86_64 -name there,debug-threads=on -S -machine q35 -accel tcg -m 48 -smp 2 -nodefaults -display none -drive file=$s->{dir}/ns/c.qcow2,format=qcow2,if=virtio");
	my $in = facts("pid:$there");
	is $in->{got}{'disk.0.cluster'}, undef, 'its clusters are not taken for those of the other';
	ok scalar(grep { /"\Q$s->{dir}\E\/ns\/c\.qcow2" is not here what it is where process $there runs/ } @{ $in->{notes} }), 'and that is said';
	is $in->{got}{'disk.0.direct'}{value}, 'off', 'what its descriptor says is';
}

kill 'KILL', $pid;
waitpid $pid, 0;
my ($text, $status) = run(VBTest::program(), 'profile', '--json', "pid:$pid");
is $status, 2, 'a pid that is gone is bad input';
like $text, qr/^vbench: there is no process $pid;/, 'and one sentence says so';
is scalar(() = $text =~ /\n/g), 1, 'one';
($text, $status) = run(VBTest::program(), 'profile', '--json', "pid:$$");
is $status, 2, 'so is a process that is no QEMU';
like $text, qr/^vbench: process $$ is no QEMU \(.*perl/, 'and that is said';
done_testing;
