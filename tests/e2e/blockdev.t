#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will give vbench block devices (loop devices) to overwrite, and see which of them it takes.
#
# Expected: nothing is written without the user's consent, twice where there is data; a device in use is refused whatever
# the user says; with consent it works although QEMU's user may not open it, and nothing about the node changes. What was
# on a refused device is there afterwards, byte for byte (sha256sum).
use strict;
use warnings;
use lib 'tests/lib';
use Digest::SHA;
use Test::More;
use VBTest;

VBTest::needs(root => 'loop devices', programs => [qw(losetup mkfs.ext4 mkswap swapon wipefs mount umount)]);
my $s = sandbox();
my $file = "$s->{dir}/device.img";
my $mnt = "$s->{dir}/mnt";
mkdir $mnt;
is(system('truncate', '-s', '48M', $file), 0, 'a file');
chomp(my $loop = `losetup -f --show $file 2>/dev/null`);
plan skip_all => 'no loop devices here' if $loop !~ m{^/dev/loop\d+$};
END { local $?; if ($loop) { system "swapoff $loop 2>/dev/null"; system "umount $mnt 2>/dev/null"; system "losetup -d $loop" } }

my $profile = $s->profile('disk.backend' => 'block', 'disk.device' => $loop);
my @once = ('--consent', $loop);
my @twice = (@once, @once);

sub content { return Digest::SHA->new(256)->addfile($file)->hexdigest }
sub quietly { return system("@_ >/dev/null 2>&1") }

# A refusal: exit 2, the device and the remedy named, not a byte written.
sub refused {
	my ($what, $like, @args) = @_;
	system 'sync', $file;
	my $before = content();
	my $v = $s->run('-q', @args, $profile);
	$s->exits($v, 2, "$what: exit 2");
	like($v->{stderr}, $like, "$what: why");
	like($v->{stderr}, qr/\Q$loop\E/, "$what: the device is named");
	system 'sync', $file;
	is(content(), $before, "$what: nothing was written");
}

refused('no consent', qr/would be overwritten.*--consent \Q$loop\E/);
my $v = $s->run('-q', @once, '--consent', '/dev/null', $profile);
$s->exits($v, 2, 'a consent that is no use: exit 2');
like($v->{stderr}, qr{--consent /dev/null}, '... and it is named');

my $dry = $s->vbench('run', '--dry-run', $profile);
$s->exits($dry, 0, '--dry-run needs no consent');
like($dry->{stdout}, qr/^device \Q$loop\E .*--consent \Q$loop\E/m, '... and says that a run does');
like($dry->{stdout}, qr/"driver":"host_device"/, '... and what QEMU would be told');

quietly("mkfs.ext4 -q -F -L precious $loop");
refused('a file system, consent once', qr/ext4.*precious.*--consent \Q$loop\E twice/, @once);
is(quietly("mount $loop $mnt"), 0, 'mounted');
refused('mounted', qr/mounted on \Q$mnt\E; umount/, @twice);
quietly("umount $mnt");
SKIP: {
	quietly("mkswap -f $loop");
	skip 'no swap here', 4 if quietly("swapon $loop");
	refused('swap', qr/swap space in use; swapoff/, @twice);
	quietly("swapoff $loop");
}
quietly("wipefs -a $loop");
is(quietly("printf 'label: dos\\n,8M\\n' | sfdisk $loop"), 0, 'a partition table');
refused('a partition table, consent once', qr/partition.*--consent \Q$loop\E twice/, @once);
quietly("wipefs -a $loop");
open my $writer, '+<', $loop or die "$loop: $!";
refused('open for writing elsewhere', qr/open for writing in process $$ /, @twice);
close $writer;
quietly("blockdev --setro $loop");
refused('read-only', qr/read-only/, @twice);
quietly("blockdev --setrw $loop");
$v = $s->run('-q', @once, '--set', 'disk.size=1G', $profile);
$s->exits($v, 2, 'too small: exit 2');
like($v->{stderr}, qr/has 48\.?0* MiB, less than disk\.size = 1G/, '... why');

# With consent: through a link, as by-id names are; written by a guest whose QEMU may not open the device.
my $link = "$s->{dir}/by-id";
symlink $loop, $link;
my @node = (stat $loop)[2, 4, 5];
my $written = $s->profile('disk.backend' => 'block', 'disk.device' => $loop, 'disk.size' => '32M', 'run.blocks' => 2,
	'disk.cache' => 'none', 'workload w.rw' => 'write', 'workload w.bs' => '1M', 'workload w.runtime' => '400ms');
my ($before, $behind) = (content(), substr(slurp($file), 32 << 20));
$v = $s->run('--consent', $link, $written);
$s->exits($v, 0, 'with consent: measured');
my @trials = $s->trials;
is(scalar(grep { $_->{ok} } @trials), 2, 'both trials') or diag(map { "$_->{detail}\n" } grep { !$_->{ok} } @trials);
system 'sync', $loop;
isnt(content(), $before, 'the device was written');
# disk.size bounds what a guest may touch
ok(substr(slurp($file), 32 << 20) eq $behind, '... and nothing of it behind disk.size');
my %got = map { $_->{key} => $_ } $s->checks;
is($got{'disk.backend'}{got}, 'block', 'asked = got: backend');
is($got{'disk.device'}{state}, 0, 'asked = got: device') or diag(explain($got{'disk.device'}));
is_deeply([(stat $loop)[2, 4, 5]], \@node, 'mode and owner of the device are as they were');
$s->clean('after the runs');
ok(-b $loop, 'the device is still there');
is(quietly("losetup -l $loop"), 0, '... and attached');
done_testing();
