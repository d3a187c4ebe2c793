#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will let the agent look at, sum and empty file systems of all kinds that vbench slim knows, in a real guest.
#
# Expected values: types, UUIDs and labels are those that mkfs was told; the sum of ext4 is computed here anew from the folder that
# mkfs was given, after the description at the head of guest-agent/fs_sum.c; what is free is known by a pattern that filled the image
# before mkfs; that a file system is whole after it, its own fsck says.
use v5.36;
use lib 'tests/lib';
use AgentTest;
use Digest::SHA;
use File::Temp qw(tempdir);
use List::Util qw(first);
use Test::More;
use Time::HiRes qw(time sleep);

$ENV{PATH} .= ':/usr/sbin:/sbin';
my ($QEMU) = grep { -x } map { "$_/qemu-system-x86_64" } split /:/, $ENV{PATH};
my $GUEST = $ENV{VBENCH_GUEST} || 'build/guest';
my $KERNEL = -e "$GUEST/KERNEL" ? do { local (@ARGV, $/) = ("$GUEST/KERNEL"); <> } : '';
chomp $KERNEL;
my $builder = first { -x } grep { defined } $ENV{VBENCH_FS_BUILDER}, 'build/tests/fs_decode', 'build/san/tests/fs_decode';
plan skip_all => 'no qemu-system-x86_64' if !$QEMU;
plan skip_all => 'no guest kernel, fio and agent (make all fio guest)' if !$KERNEL || !-e "$GUEST/vbench-agent";
plan skip_all => 'build/tests/fs_decode is not built' if !$builder;
for my $tool (qw(mkfs.ext4 mkfs.xfs mkfs.btrfs mkfs.vfat mkswap sfdisk debugfs)) {
	plan skip_all => "no $tool" if !grep { -x "$_/$tool" } split /:/, $ENV{PATH};
}

my $dir = tempdir('vbench-fs-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $UUID = '01234567-89ab-4cde-8f01-23456789abcd';
my $PATTERN = 'never used, and yet on the disk.' x 128;    # 4 KiB
my $MB = 1 << 20;

sub run (@cmd) {
	my $pid = open(my $out, '-|') // die "fork: $!";
	if (!$pid) {
		open STDERR, '>&', \*STDOUT;
		exec @cmd or POSIX::_exit(127);
	}
	my $text = do { local $/; <$out> } // '';
	close $out;
	return wantarray ? ($? >> 8, $text) : $? ? die "@cmd: $text" : $text;
}

sub must (@cmd) { my ($rc, $text) = run(@cmd); die "@cmd: exit $rc\n$text" if $rc; return $text }

# An image full of the pattern, so that what nobody wrote can be told.
sub image ($name, $mb) {
	open my $f, '>', "$dir/$name" or die "$name: $!";
	my $chunk = $PATTERN x 256;
	print $f $chunk for 1 .. $mb;
	close $f or die "$name: $!";
	return "$dir/$name";
}

# MiB of the image's 4 KiB blocks that are still the pattern.
sub pattern_mb ($file) {
	open my $f, '<:raw', $file or die "$file: $!";
	my $n = 0;
	while (read($f, my $buf, 1 << 20)) {
		for (my $i = 0; $i < length $buf; $i += 4096) { $n++ if substr($buf, $i, 4096) eq $PATTERN }
	}
	return $n / 256;
}

sub put_into ($image, $at, $file) {
	open my $in, '<:raw', $file or die "$file: $!";
	open my $out, '+<:raw', $image or die "$image: $!";
	seek $out, $at, 0;
	while (read($in, my $buf, 1 << 20)) { print $out $buf }
	close $out or die "$image: $!";
}

# --- a folder to be put into ext4, and the sum that it must have ---

my $tree = "$dir/tree";
sub spurt ($name, $text) { open my $f, '>:raw', "$tree/$name" or die "$name: $!"; print $f $text; close $f or die }
mkdir $_ for $tree, "$tree/a", "$tree/a/deep", "$tree/b.d", "$tree/empty";
spurt('a/one', "one\n");
spurt('a/deep/blocks', ("\0" x 65536) . 'x' . ("\0" x 70000) . ('y' x 200000));
spurt('a.txt', '');
spurt('b.d/zeroes', "\0" x 300000);
spurt("b.d/\xc3\xa4 odd\nname", 'odd');
symlink '/nowhere/at/all', "$tree/b.d/link";
{ open my $f, '>', "$tree/sparse" or die; truncate $f, 10 * $MB; seek $f, 5 * $MB + 17, 0; print $f 'in the middle'; close $f }
chmod 0750, "$tree/a";
chmod 04711, "$tree/a/one";
POSIX::mkfifo("$tree/fifo", 0600);
my $has_attr = system('setfattr', '-n', 'user.vbench', '-v', 'its value', "$tree/a/one") == 0 &&
	system('setfattr', '-n', 'user.another', '-v', '2', "$tree/a/one") == 0;
{
	my @all = split /\0/, must('find', $tree, '-depth', '-print0');
	my $when = 1_600_000_000;
	for (@all) { -l $_ ? system('touch', '-h', '-d', '@1600000000', $_) : utime($when, $when, $_) }
}

# Inodes that mkfs itself makes: what debugfs says of mode, owner and time.
sub debugfs_inode ($image, $path) {
	my $text = must('debugfs', '-R', "stat $path", $image);
	my ($mode) = $text =~ /Mode:\s+(\d+)/;
	my ($uid, $gid) = $text =~ /User:\s+(\d+)\s+Group:\s+(\d+)/;
	my ($time, $extra) = $text =~ /mtime: 0x([0-9a-f]+)(?::([0-9a-f]+))?/;
	return (040000 | oct $mode, $uid, $gid, hex $time, hex($extra // 0) >> 2);
}

# Descriptions as in guest-agent/fs_sum.c.
sub text32 ($s) { return pack('V', length $s) . $s }

sub object ($path, $mode, $uid, $gid, $mtime, $nsec, $attrs, $tail) {
	return text32($path) . pack('V V V Q< q< V', $mode, $uid, $gid, 0, $mtime, $nsec) . pack('V', scalar keys %$attrs) .
		join('', map { text32($_) . text32($attrs->{$_}) } sort keys %$attrs) . $tail;
}

sub content ($file) {
	open my $f, '<:raw', $file or die "$file: $!";
	my ($at, $out) = (0, '');
	while (read($f, my $buf, 65536)) {
		$out .= pack('Q< V', $at, length $buf) . $buf if $buf =~ /[^\0]/;
		$at += length $buf;
	}
	return pack('Q<', $at) . $out . pack('Q<', ~0);
}

sub tree_sum ($image) {
	my $sha = Digest::SHA->new(256);
	$sha->add("vbench-sum-1\n");
	my %n = (files => 0, dirs => 1, others => 0, bytes => 0);
	my $walk = sub ($self, $rel) {
		my $at = "$tree/$rel";
		opendir my $d, $at or die "$at: $!";
		my @names = sort grep { !/^\.\.?$/ } readdir $d;
		@names = sort @names, 'lost+found' if $rel eq '';
		for my $name (@names) {
			my $path = $rel eq '' ? $name : "$rel/$name";
			if ($path eq 'lost+found') {
				my @i = debugfs_inode($image, '/lost+found');
				$sha->add(object($path, @i, {}, ''));
				$n{dirs}++;
				next;
			}
			my @st = lstat "$tree/$path";
			my %attrs = $has_attr && $path eq 'a/one' ? ('user.vbench' => 'its value', 'user.another' => '2') : ();
			my $tail = '';
			if (-l _) { $tail = text32(readlink "$tree/$path"); $n{others}++ }
			elsif (-f _) { $n{files}++; $n{bytes} += $st[7]; $tail = content("$tree/$path") }
			elsif (-d _) { $n{dirs}++ }
			else { $n{others}++ }
			$sha->add(object($path, @st[2, 4, 5, 9], 0, \%attrs, $tail));
			$self->($self, $path) if !-l "$tree/$path" && -d "$tree/$path";
		}
	};
	$sha->add(object('', debugfs_inode($image, '/'), {}, ''));
	$walk->($walk, '');
	return { %n, sha256 => $sha->hexdigest };
}

# --- images ---

my %made;
sub make ($type, $mb, @cmd) { $made{$type} = image($type, $mb); must(@cmd, $made{$type}) }
make('ext4', 96, qw(mkfs.ext4 -q -F -E), 'nodiscard,lazy_itable_init=0', qw(-L mylabel -U), $UUID, '-d', $tree);
make('ext3', 48, qw(mkfs.ext3 -q -F -E), 'nodiscard,lazy_itable_init=0', qw(-U), $UUID, '-d', $tree);
make('ext2', 48, qw(mkfs.ext2 -q -F -E), 'nodiscard,lazy_itable_init=0', qw(-U), $UUID, '-d', $tree);
make('vfat', 64, qw(mkfs.vfat -F 32 -i 1234abcd -n VBLABEL));
make('xfs', 320, qw(mkfs.xfs -q -f -K -L myxfs -m), "uuid=$UUID");
my @btrfs = (160, qw(mkfs.btrfs -q -f -K -L mybtrfs -U), $UUID, '--rootdir', $tree);
make('btrfs', @btrfs);
make('swap', 32, qw(mkswap -L myswap -U), $UUID);
my %is = (ext2 => ['', $UUID], ext3 => ['', $UUID], ext4 => ['mylabel', $UUID], xfs => ['myxfs', $UUID], btrfs => ['mybtrfs', $UUID],
	vfat => ['VBLABEL', '1234-ABCD'], swap => ['myswap', $UUID]);

system($builder, 'build', "$dir/initramfs", "$GUEST/vbench-agent", "$GUEST/fio", "$GUEST/modules/lib/modules/$KERNEL") == 0
	or BAIL_OUT('no initramfs');
my $g = AgentTest->boot(qemu => $QEMU, guest => $GUEST, initramfs => "$dir/initramfs", dir => $dir);
my $m = $g->hear;
ok($m && $m->[0] == $AgentTest::READY, 'the guest starts') or BAIL_OUT($g->console);
$g->ask($AgentTest::HELLO, { time_ns => int(time * 1e9), entropy => 'ab' x 64 });

sub scan ($disk) { return $g->ask($AgentTest::FS_SCAN, { path => $disk->{path}, timeout_ms => 60000 }) }
my ($SCAN, $SUM, $FREE) = ($AgentTest::FS_SCAN, $AgentTest::FS_SUM, $AgentTest::FS_FREE);
my ($REPLY, $ERROR, $PROGRESS) = ($AgentTest::REPLY, $AgentTest::ERROR, $AgentTest::PROGRESS);
sub sum_of ($path, $type) { return $g->ask($AgentTest::FS_SUM, { path => $path, type => $type, timeout_ms => 300000 }) }
sub give_back ($path, $type, $how) { return $g->ask($AgentTest::FS_FREE, { path => $path, type => $type, how => $how, timeout_ms => 300000 }) }
sub answered ($r, $what) { return is($r->[0], $AgentTest::REPLY, $what) || diag(explain $r->[2], substr $g->console, -2000) }

my %fsck = (ext2 => [qw(e2fsck -fn)], ext3 => [qw(e2fsck -fn)], ext4 => [qw(e2fsck -fn)], xfs => [qw(xfs_repair -n)],
	btrfs => [qw(btrfs check)], vfat => [qw(fsck.vfat -n)]);

for my $type (qw(ext4 ext3 ext2 vfat xfs btrfs)) {
	my $file = $made{$type};
	my $full = pattern_mb($file);
	my ($before) = (stat $file)[12];
	for my $how (qw(zero trim)) {
		# btrfs on an image that was not zeroed before
		make('btrfs', @btrfs) if $type eq 'btrfs' && $how eq 'trim';
		my $disk = $g->plug(0, $file);
		my $r = scan($disk);
		answered($r, "$type: scan");
		is($r->[2]{table}, 'none', "$type: no partition table");
		my $v = $r->[2]{volumes}[0];
		is_deeply([@$v{qw(path type label uuid bytes refused)}], [$disk->{path}, $type, @{ $is{$type} }, -s $file, undef],
			"$type: path, type, label, UUID, size") or diag explain $v;
		$r = sum_of($disk->{path}, $type);
		answered($r, "$type: sum");
		my $sum = $r->[2];
		if ($type eq 'ext4' && $how eq 'zero') {
			is_deeply($sum, tree_sum($file), 'ext4: the sum is that of the folder it was made of') or diag explain [$sum, tree_sum($file)];
		}
		my $t = time;
		$r = give_back($disk->{path}, $type, $how);
		answered($r, "$type: $how");
		note sprintf '%s %s: %.1f s, %.1f MiB of %.1f', $type, $how, time - $t, ($r->[2]{bytes} // 0) / $MB, ($r->[2]{free_bytes} // 0) / $MB;
		# Half of so small a btrfs is chunks of metadata (32 MiB, twice), in which no file's bytes can lie: zeroes do not
		# reach them. FITRIM does, if nothing was written to them since the mount (fs_free.c, btrfs_again), which cannot
		# be had for certain.
		my $part = $type eq 'btrfs' ? 0.4 : 0.9;
		cmp_ok($r->[2]{bytes} // 0, '>=', $part * ($r->[2]{free_bytes} // ~0), "$type: $how reaches what is free");
		TODO: {
			local $TODO = 'the kernel passes over a piece of a metadata chunk' if $type eq 'btrfs' && $how eq 'trim';
			cmp_ok($r->[2]{bytes} // 0, '>=', 0.9 * ($r->[2]{free_bytes} // ~0), "$type: trim reaches all that is free") if $how eq 'trim';
		}
		$r = sum_of($disk->{path}, $type);
		is_deeply($r->[2], $sum, "$type: $how leaves all files as they are");
		$g->unplug(0);
		my ($rc, $text) = run(@{ $fsck{$type} }, $file);
		is($rc, 0, "$type: its fsck finds nothing after $how") or diag($text);
		next if $how eq 'trim';
		# Inode tables, and the like, are no free space, but unwritten.
		my $left = pattern_mb($file);
		cmp_ok($full, '>', 0.5 * (-s $file) / $MB, "$type: most of it was never used");
		cmp_ok($left, '<', ($type eq 'btrfs' ? 0.6 : 0.04) * $full, "$type: after zero next to nothing is left of what was there") or diag("$full -> $left MiB");
	}
	my $left = (stat $file)[12];
	cmp_ok($left, '<', ($type eq 'btrfs' ? 0.65 : 0.35) * $before, "$type: after trim its blocks are back with the host");
	TODO: {
		local $TODO = 'the kernel passes over a piece of a metadata chunk' if $type eq 'btrfs';
		cmp_ok($left, '<', 0.35 * $before, "$type: after trim nearly all of them");
	}
}

sub refused_like ($r, $re, $what) { return (is($r->[0], $ERROR, $what) && like($r->[2]{error}, $re, '... and why')) || diag(explain $r->[2]) }

# --- swap: its first page stays, the rest becomes zeroes ---

for my $how (qw(zero trim)) {
	my $file = image("swap.$how", 32);
	must('mkswap', '-q', '-L', 'myswap', '-U', $UUID, $file);
	open my $f, '<:raw', $file;
	read $f, my $head, 4096;
	my $disk = $g->plug(0, $file);
	my $v = scan($disk)->[2]{volumes}[0];
	is_deeply([@$v{qw(type label uuid refused)}], ['swap', 'myswap', $UUID, undef], 'swap: found');
	my $r = give_back($disk->{path}, 'swap', $how);
	answered($r, "swap: $how");
	is($r->[2]{bytes}, 32 * $MB - 4096, 'swap: all but its first page');
	$g->unplug(0);
	open $f, '<:raw', $file;
	read $f, my $after, 4096;
	ok($after eq $head, "swap: its header is as it was after $how");
	my ($rest, $n) = ('', 0);
	$n += $rest =~ tr/\0//c while read $f, $rest, 1 << 20;
	is($n, 0, 'swap: all behind it is zero');
	is(((stat $file)[12] * 512) < $MB, 1, 'swap: and back with the host') if $how eq 'trim';
}

# --- a table with all kinds of things in it ---

sub sfdisk ($file, $script) {
	open my $p, '|-', 'sfdisk', '-q', '--wipe', 'never', $file or die "sfdisk: $!";
	print $p $script;
	close $p or die 'sfdisk failed';
}

sub mark ($file, $at, $bytes) { open my $f, '+<:raw', $file or die "$file: $!"; seek $f, $at, 0; print $f $bytes; close $f or die "$!" }

my $many = "$dir/many";
{ open my $f, '>', $many or die; truncate $f, 200 * $MB }
sfdisk($many, "label: gpt\nstart=2048,size=98304\nstart=100352,size=65536\nstart=165888,size=8192\nstart=174080,size=8192\n" .
	"start=182272,size=8192\nstart=190464,size=8192\nstart=198656,size=65536\n");
put_into($many, 2048 * 512, $made{ext3});
put_into($many, 100352 * 512, "$dir/swap.zero");
# LUKS: LUKS on-disk format 1.2.3, 2.3.1; LVM2: "LABELONE" in sector 1 and "LVM2 001" at its type; NTFS: OEM name at 3.
mark($many, 165888 * 512, "LUKS\xba\xbe\0\1" . ("\0" x 32) . 'aes');
mark($many, 174080 * 512 + 512, 'LABELONE' . pack('Q< V V', 1, 0, 32) . 'LVM2 001');
{
	my $sector = "\0" x 512;
	# the checksum of LVM2's label: CRC-32 with LVM's own start (lib/misc/crc.c), over all but its first 20 bytes
	my $label = 'LVM2 001' . 'a' x 32 . ("\0" x 448);
	$label = pack('V', 32) . $label;
	$label = substr $label, 0, 492;
	my $crc = 0xf597a6cf;
	for my $c (unpack 'C*', $label) {
		$crc ^= $c;
		$crc = ($crc & 1) ? ($crc >> 1) ^ 0xedb88320 : $crc >> 1 for 1 .. 8;
	}
	mark($many, 174080 * 512 + 512, 'LABELONE' . pack('Q< V', 1, $crc) . $label);
}
# A suspended system: the magic of a swap that holds one.
mark($many, 190464 * 512 + 4086, 'S1SUSPEND');
put_into($many, 198656 * 512, $made{swap});
mark($many, 198656 * 512 + 1080, "\x53\xef");    # and ext's magic: which is it?
{
	must('dd', "if=$many", "of=$dir/rest", 'bs=1M', 'skip=49', 'status=none');
	my ($rest) = split ' ', must('sha256sum', "$dir/rest");
	my $disk = $g->plug(0, $many);
	my $r = scan($disk);
	answered($r, 'a table of many: scan');
	is($r->[2]{table}, 'gpt', 'a table of many: GPT');
	my @v = @{ $r->[2]{volumes} };
	is_deeply([map { $_->{path} } @v], [map { "$disk->{path}$_" } 1 .. 7], 'all its partitions are listed, in order');
	is_deeply([map { $_->{type} } @v[0 .. 5]], [qw(ext3 swap crypto_LUKS LVM2_member), '', 'swsuspend'], 'what they are') or diag explain \@v;
	is_deeply([map { defined $_->{refused} ? 1 : 0 } @v[0 .. 5]], [0, 0, 1, 1, 1, 1], 'what is understood and what is not');
	is($v[0]{bytes}, 48 * $MB, 'a partition has its own size');
	like($v[2]{refused}, qr/LUKS/, 'LUKS is named');
	like($v[3]{refused}, qr/LVM/, 'LVM is named');
	like($v[4]{refused}, qr/nothing that is known/, 'what is not known is said to be so');
	like($v[5]{refused}, qr/suspended/, 'a suspended system is named');
	like($v[6]{refused}, qr/more than one/, 'what bears two marks is neither');
	# One volume is worked on, its neighbours stay.
	my $sum = sum_of($v[0]{path}, 'ext3')->[2];
	answered(give_back($v[0]{path}, 'ext3', 'zero'), 'a partition: zero');
	is_deeply(sum_of($v[0]{path}, 'ext3')->[2], $sum, 'a partition: its files are as they were');
	refused_like(give_back($v[2]{path}, 'crypto_LUKS', 'trim'), qr/understood/, 'LUKS is not touched when asked for');
	refused_like(give_back($v[2]{path}, 'ext4', 'trim'), qr/can't be mounted/, '... not even under a false name');
	refused_like(give_back($v[2]{path}, 'swap', 'trim'), qr/no header/, '... or as swap');
	$g->unplug(0);
	must('dd', "if=$many", "of=$dir/rest", 'bs=1M', 'skip=49', 'status=none');
	is((split ' ', must('sha256sum', "$dir/rest"))[0], $rest, 'nothing beyond the partition has changed');
}

my $mbr = "$dir/mbr";
{ open my $f, '>', $mbr or die; truncate $f, 130 * $MB }
sfdisk($mbr, "label: dos\nstart=2048,size=98304,type=83\nstart=100352,size=150000,type=5\nstart=102400,size=98304,type=83\n");
put_into($mbr, 2048 * 512, $made{ext2});
put_into($mbr, 102400 * 512, $made{ext3});
{
	my $disk = $g->plug(0, $mbr);
	my $r = scan($disk);
	is($r->[2]{table}, 'dos', 'MBR: table');
	is_deeply([map { [$_->{path} =~ s/.*\D//r, $_->{type}, defined $_->{refused} ? 1 : 0] } @{ $r->[2]{volumes} }],
		[[1, 'ext2', 0], [2, '', 1], [5, 'ext3', 0]], 'MBR: primary, extended, logical') or diag explain $r->[2];
	$g->unplug(0);
}

# --- what is broken, unknown, read-only or without discards ---

my $odd = "$dir/odd";
must('cp', '--sparse=always', $made{ext4}, $odd);
must('debugfs', '-w', '-R', 'set_super_value feature_incompat 0x400002c2', $odd);    # bit 30: nobody has it
{
	my $disk = $g->plug(0, $odd);
	my $v = scan($disk)->[2]{volumes}[0];
	is($v->{type}, 'ext4', 'ext4 with a feature of tomorrow: recognised') or diag explain $v;
	like($v->{refused}, qr/can't be mounted.*unsupported optional features/, '... and refused in the words of the kernel');
	$g->unplug(0);
}
must('cp', '--sparse=always', $made{ext4}, $odd);
{
	my ($block) = must('debugfs', '-R', 'blocks /a', $odd) =~ /^(\d+)/m;
	must('dd', 'if=/dev/urandom', "of=$odd", 'bs=' . (must('dumpe2fs', '-h', $odd) =~ /Block size:\s+(\d+)/)[0], "seek=$block", 'count=1', 'conv=notrunc', 'status=none');
	my $disk = $g->plug(0, $odd);
	refused_like(sum_of($disk->{path}, 'ext4'), qr/"a"?.*:/, 'a folder of rubbish: the sum is refused');
	$g->unplug(0);
}
{
	my $disk = $g->plug(0, $made{ext4}, readonly => 1);
	my $r = scan($disk);
	is($r->[2]{volumes}[0]{refused}, undef, 'a read-only disk: understood') or diag explain $r;
	$r = sum_of($disk->{path}, 'ext4');
	is_deeply($r->[2], tree_sum($made{ext4}), 'a read-only disk: the sum');
	refused_like(give_back($disk->{path}, 'ext4', 'trim'), qr/mounted/, 'a read-only disk: nothing to give back');
	$g->unplug(0);
}
{
	my $disk = $g->plug(0, $made{ext4}, discard => 'ignore');
	refused_like(give_back($disk->{path}, 'ext4', 'trim'), qr/discards/, 'a disk without discards: trim says so');
	answered(sum_of($disk->{path}, 'ext4'), '... and it is not mounted any more');
	$g->unplug(0);
}
refused_like($g->ask($SCAN, { path => $_ }), qr/block device/, "path \"$_\"") for '/dev/../dev/null', '/etc', 'vda', '/dev/null', '', '/dev/vda/';
refused_like($g->ask($SUM, { path => 7, type => [] }), qr/block device/, 'rubbish as arguments');

# --- two devices of one btrfs ---

{
	my @dev = (image('b0', 128), image('b1', 128));
	must(qw(mkfs.btrfs -q -f -K), @dev);
	my $disk = $g->plug(0, $dev[0]);
	my $v = scan($disk)->[2]{volumes}[0];
	like($v->{refused}, qr/one of 2 devices/, 'one of two devices of btrfs is refused') or diag explain $v;
	$g->unplug(0);
}

# --- CANCEL and time-out in the middle ---

sub throttle ($bps) { $g->qmp_ask('block_set_io_throttle', id => '/machine/peripheral/vb0/virtio-backend', bps => 0, bps_rd => 0, bps_wr => $bps, iops => 0, iops_rd => 0, iops_wr => 0) }
for my $type (qw(ext4 vfat)) {
	my $disk = $g->plug(0, $made{$type});
	my $sum = sum_of($disk->{path}, $type)->[2];
	throttle(4 * $MB);
	my $seq = $g->request($FREE, { path => $disk->{path}, type => $type, how => 'zero', timeout_ms => 300000 });
	my $m;
	while ($m = $g->hear) { last if $m->[0] == $PROGRESS && $m->[2]{done_bytes} > 2 * $MB }
	cmp_ok($m->[2]{total_bytes}, '>', 30 * $MB, "$type: progress says how much there is to do");
	refused_like($g->ask($SCAN, { path => $disk->{path} }), qr/under way/, "$type: one request at a time");
	my $job = $g->ask($AgentTest::JOB, { job => "[j]\nfilename=$disk->{path}\nrw=read\nsize=4k\n" });
	refused_like($job, qr/under way/, "$type: and no job beside it");
	throttle(0);
	$g->request($AgentTest::CANCEL, { seq => $seq });
	while ($m = $g->hear) { last if $m->[1] == $seq && $m->[0] != $PROGRESS }
	refused_like($m, qr/cancelled/, "$type: CANCEL ends it");
	is_deeply(sum_of($disk->{path}, $type)->[2], $sum, "$type: nothing stays of it");
	throttle(2 * $MB);
	$seq = $g->request($FREE, { path => $disk->{path}, type => $type, how => 'zero', timeout_ms => 1000 });
	# under way, however late the guest came to it; its second is over before the disk is fast again
	while ($m = $g->hear) { last if $m->[1] == $seq }
	sleep 2 if $m && $m->[0] == $PROGRESS;
	throttle(0);    # what is on its way to the disk has to get there before the process can end
	while ($m && $m->[0] == $PROGRESS && ($m = $g->hear)) { last if $m->[1] == $seq && $m->[0] != $PROGRESS }
	refused_like($m, qr/too long/, "$type: so does its time-out");
	is_deeply(sum_of($disk->{path}, $type)->[2], $sum, "$type: nothing stays of it either");
	$g->unplug(0);
	my ($rc, $text) = run(@{ $fsck{$type} }, $made{$type});
	is($rc, 0, "$type: its fsck finds nothing") or diag($text);
}

# --- QEMU killed in the middle: a journal is left, which a scan does not touch and a sum replays ---

{
	my $disk = $g->plug(0, $made{ext4});
	my $sum = sum_of($disk->{path}, 'ext4')->[2];
	throttle(8 * $MB);
	$g->request($FREE, { path => $disk->{path}, type => 'ext4', how => 'zero', timeout_ms => 300000 });
	my $m;
	while ($m = $g->hear) { last if $m->[0] == $PROGRESS && $m->[2]{done_bytes} > 16 * $MB }
	$g->end;
	like(must('dumpe2fs', '-h', $made{ext4}), qr/needs_recovery/, 'after a kill the journal needs recovery');
	my $was = must('sha256sum', $made{ext4});
	$g = AgentTest->boot(qemu => $QEMU, guest => $GUEST, initramfs => "$dir/initramfs", dir => $dir);
	ok($g->hear, 'another guest starts');
	$disk = $g->plug(0, $made{ext4});
	is(scan($disk)->[2]{volumes}[0]{refused}, undef, 'a journal that needs recovery is no reason to refuse');
	is(must('sha256sum', $made{ext4}), $was, 'a scan writes nothing at all');
	is_deeply(sum_of($disk->{path}, 'ext4')->[2], $sum, 'nothing stays of what was killed');
	answered(give_back($disk->{path}, 'ext4', 'trim'), 'and then it can be trimmed');
	is_deeply(sum_of($disk->{path}, 'ext4')->[2], $sum, '... with all files as they were');
	$g->unplug(0);
	my ($rc, $text) = run(qw(e2fsck -fn), $made{ext4});
	is($rc, 0, 'its fsck finds nothing') or diag($text);
}
$g->end;
done_testing;
