#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will fill the file system under an image, and remove an image, while a guest writes to it: the trial says so, on every bus,
# and the next trial is measured.
#
# Expected: ENOSPC of write(2) is "No space left on device" (QEMU's BLOCK_IO_ERROR; nvme has no such event, there the words are ours).
use strict;
use warnings;
use lib 'tests/lib';
use Cwd qw(getcwd);
use Test::More;
use VBTest;

VBTest::needs(root => 'full disks need a mount namespace', programs => [qw(unshare nsenter)]);
my $s = sandbox();

# A process that holds a mount namespace in which $small is a file system of 128 MiB.
my $small = "$s->{dir}/small";
mkdir $small;
my $holder = fork // die;
if (!$holder) {
	open STDOUT, '>', '/dev/null';
	open STDERR, '>', '/dev/null';
	exec 'unshare', '-m', '--propagation', 'private', 'sh', '-c',
		"mount -t tmpfs -o size=128m,mode=1777 tmpfs '$small' && touch '$small/mounted' && exec sleep 3600";
}
push @{ $s->{helpers} }, $holder;
my $inside = "/proc/$holder/root$small";
if (!wait_until(sub { -e "$inside/mounted" }, 20)) {
	kill 'KILL', $holder;
	plan skip_all => 'no file system can be mounted here';
}
my @in = (before => ['nsenter', "--mount=/proc/$holder/ns/mnt", '--wd=' . getcwd()]);
# Of the file system in there: df would look in our own list of mounts.
sub free_bytes { my ($blocks, $size) = split ' ', `stat -f -c '%a %S' '$inside'`; return $blocks * $size }
my %write = (rw => 'write', bs => '64k', runtime => '2s');

# Two trials: the disk fills during the first one, and is empty again for the second. tmpfs of Linux 6.1 has no O_DIRECT. vbench's own
# look at free space, four times a second, is sometimes earlier than QEMU's word.
my $from_qemu = 0;
for my $bus (qw(virtio-blk virtio-scsi nvme ide)) {
	my $v = $s->start_run({@in}, $s->profile('disk.bus' => $bus, 'disk.dir' => $small, 'disk.format' => 'qcow2', 'disk.cache' => 'writeback',
			'host.free' => '4k', 'disk.throttle-bps' => '4M', map { my $w = $_; map { ("workload $w.$_" => $write{$_}) } keys %write } 'a', 'b'));
	my $folder = $s->folder($v);
	$s->until_or_over($v, sub { -e "$folder/trials/00000/job.fio" });
	# All but a MiB at one stroke: QEMU runs into the end, not vbench, which looks at free space a few times a second.
	my $free = free_bytes();
	system 'fallocate', '-l', $free - (2 << 20), "$inside/ballast";
	$s->until_or_over($v, sub { slurp($v->{err}) =~ /^trial 1\//m });
	unlink "$inside/ballast";
	$s->finish($v);
	# With no room for the next image either, the run waits to be resumed; it depends on when the ballast went.
	$s->run({@in}, '--resume') if ($s->newest->{status} // '') eq 'interrupted';
	my @t = $s->trials;
	is($t[0]{cause}, 'disk-full', "$bus: a disk that fills: cause disk-full") or diag($v->{stderr});
	like($t[0]{detail} // '', qr/no space left|has 0 B free/i, '... and the sentence');
	$from_qemu++ if ($t[0]{detail} // '') =~ /I\/O error on the image: No space left on device/;
	is($t[-1]{ok}, 1, '... the next trial is measured') or diag($v->{stderr});
	$s->clean("$bus on a full disk");
}

cmp_ok($from_qemu, '>', 0, 'at least one of them was told by QEMU');

# The image is removed while the guest writes to it.
my $v = $s->start_run({@in}, $s->profile('disk.dir' => $small, 'disk.cache' => 'writeback', 'host.free' => '4k',
		map { my $w = $_; map { ("workload $w.$_" => $write{$_}) } keys %write } 'a', 'b'));
my $folder = $s->folder($v);
$s->until_or_over($v, sub { -e "$folder/trials/00000/job.fio" });
my @gone = grep { -f } glob "$inside/vbench-*/*";
cmp_ok(scalar @gone, '>', 0, 'there is an image to be removed');
unlink @gone;
$s->finish($v);
my @t = $s->trials;
is($t[0]{cause}, 'io', 'an image that is removed: cause io') or diag($v->{stderr});
like($t[0]{detail} // '', qr/image \S+ is gone/, '... and which one');
is($t[1]{ok}, 1, '... the next trial is measured') or diag($v->{stderr});
$s->clean('after an image was removed');

kill 'KILL', $holder;
waitpid $holder, 0;
done_testing();
