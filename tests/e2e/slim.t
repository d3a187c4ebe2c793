#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will make images small, and break what it can meanwhile.
#
# Expected: an image in which 64 MiB were written and deleted comes down to within 5 % of one in which they never were;
# files are those that mkfs.ext4 was given, read back by debugfs; what fails or is killed leaves the image byte for byte.
use strict;
use warnings;
use Cwd qw(getcwd);
use Digest::SHA;
use JSON::PP;
use List::Util qw(first);
use lib 'tests/lib';
use Test::More;
use Time::HiRes qw(time sleep);
use VBTest;

$ENV{PATH} .= ':/usr/sbin:/sbin';
VBTest::needs(programs => [qw(mkfs.ext4 debugfs qemu-io)]);
my $s = sandbox();
my $dir = "$s->{dir}/images";
mkdir $dir;
my $MIB = 1 << 20;

sub sh { my (@cmd) = @_; system(@cmd) == 0 or die "@cmd: exit $?" }
sub sha { my ($f) = @_; return Digest::SHA->new(256)->addfile($f, 'b')->hexdigest }
sub allocated { my ($f) = @_; return (stat $f)[12] * 512 }
sub listing { return join ' ', sort grep { !/^\.\.?$/ } map { s{.*/}{}r } glob("$dir/* $dir/.*") }
sub slim { my (@args) = @_; my @o = ref $args[0] ? shift @args : (); return $s->vbench(@o, qw(slim --free 64M --accel tcg), @args) }

# Numbers that look random, and do not compress: a counter's hashes.
sub noise { my ($bytes, $salt) = @_; my $n = 0; my $t = ''; $t .= Digest::SHA::sha512("$salt " . $n++) while length $t < $bytes; return substr $t, 0, $bytes }

# --- two images: in one of them, a file of 64 MiB was written, and deleted again ---

my $files = "$s->{dir}/files";
mkdir $_ for $files, "$files/a", "$files/a/b";
spurt("$files/a/noise", noise(12 * $MIB, 'kept'));
spurt("$files/a/b/text", "it was a dark and stormy night\n" x 1000);
spurt("$files/empty", '');
symlink 'a/b/text', "$files/link";
sh('mkfs.ext4', '-q', '-d', $files, "$dir/fresh.raw", '256M');
spurt("$files/junk", noise(64 * $MIB, 'deleted'));
sh('mkfs.ext4', '-q', '-d', $files, "$dir/used.raw", '256M');
unlink "$files/junk";
sh("debugfs -w -R 'rm /junk' $dir/used.raw 2>/dev/null");
sh('qemu-img', 'convert', '-O', 'qcow2', "$dir/$_.raw", "$dir/$_.qcow2") for qw(fresh used);
cmp_ok(allocated("$dir/used.qcow2"), '>', allocated("$dir/fresh.qcow2") + 60 * $MIB, 'what was deleted is still in the image');
my $used = sha("$dir/used.qcow2");

# What is wrong with an image that slim made, by independent programs; "" if every file is there. Two results need not be
# equal byte for byte: a superblock counts mounts, and says when.
sub wrong_files {
	my ($image) = @_;
	my $raw = "$s->{dir}/check.raw";
	my $to = "$s->{dir}/dump";
	return 'qemu-img check' if system("qemu-img check -q $image");
	sh('qemu-img', 'convert', '-O', 'raw', $image, $raw);
	return 'e2fsck' if system("e2fsck -fn $raw >/dev/null 2>&1");
	sh('rm', '-rf', $to);
	mkdir $to;
	sh("debugfs -R 'rdump / $to' $raw >/dev/null 2>&1");
	rmdir "$to/lost+found";
	unlink $raw;
	return scalar `diff -r --no-dereference $files $to 2>&1`;
}

sub same_files {
	my ($image, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(wrong_files($image), '', "$what: every file is there, byte for byte, and e2fsck finds nothing");
}

my $v = slim("$dir/used.qcow2", '-o', "$dir/out.qcow2");
my $took = $v->{seconds};
$s->exits($v, 0, 'slim: exit 0');
my ($small, $fresh) = (allocated("$dir/out.qcow2"), allocated("$dir/fresh.qcow2"));
cmp_ok($small, '<=', $fresh * 1.05, "within 5 % of a fresh image's size") or diag("$small bytes, fresh: $fresh");
is(sha("$dir/used.qcow2"), $used, 'the image is untouched');
same_files("$dir/out.qcow2", 'the result');
like($v->{stdout}, qr/^\s*vda\s+ext4\s.*trimmed.*equal before, after, and in the result/m, 'the volume is named');
like($v->{stdout}, qr/before, .* after/, '... and sizes');
# 256 MiB / 64 KiB * 8 = 32 KiB, in whole tables of 64 KiB
like($v->{stdout}, qr/l2-cache-size .*65536 bytes/, '... and the L2 cache that the result needs');
$s->clean('after slim');

# --- zeroes, compression, raw images, JSON ---

my $n = () = glob "$dir/*";
$v = slim("$dir/used.raw", '-o', "$dir/zero.qcow2", '--zero', '--compress', 'zstd', '--json');
$s->exits($v, 0, '--zero --compress zstd of a raw image: exit 0');
my $j = eval { decode_json($v->{stdout}) } // {};
is($j->{format}, 'raw', '... its format');
is($j->{table}, 'none', '... no partition table');
is($j->{virtual_size}, 256 * $MIB, '... its size');
is(scalar @{ $j->{volumes} // [] }, 1, '... one volume');
my $vol = $j->{volumes}[0] // {};
is_deeply([@$vol{qw(volume type how left_alone)}], ['vda', 'ext4', 'zero', undef], '... ext4, zeroed');
is($vol->{files}, 3, '... with the files that were put there');
is($vol->{file_bytes}, 12 * $MIB + 31 * 1000, '... and their bytes');
like($vol->{sha256}, qr/^[0-9a-f]{64}$/, '... summed');
is($j->{after}{allocated}, allocated("$dir/zero.qcow2"), '... the result as stat sees it');
# What is left is the journal of the filling, at most. How much of it was used depends on how often the guest committed.
my ($journal) = `dumpe2fs -h $dir/fresh.raw 2>/dev/null` =~ /^Total journal size:\s+(\d+)M$/m;
ok($journal && $journal <= 16, "the file system's journal has a size") or diag($journal);
cmp_ok($j->{after}{allocated}, '<=', $small + $journal * $MIB, "... as small as by trimming, but for the journal's $journal MiB");
cmp_ok($j->{peak_bytes}, '>=', $j->{after}{allocated}, '... the peak holds the result');
my ($info) = eval { decode_json(scalar `qemu-img info --output=json $dir/zero.qcow2`) };
is($info->{'format-specific'}{data}{'compression-type'}, 'zstd', '... compressed with zstd');
same_files("$dir/zero.qcow2", '--zero');
is(scalar(() = glob "$dir/*"), $n + 1, 'one file more');

# --- partitions, of which one must be left alone ---

SKIP: {
	skip 'no sfdisk', 8 if !VBTest::in_path('sfdisk');
	my $img = "$dir/parts.raw";
	sh('truncate', '-s', '300M', $img);
	sh("printf 'start=2048,size=524288\\nstart=526336,size=16384\\n' | sfdisk -q -X gpt $img");
	sh("dd if=$dir/used.raw of=$img bs=1M seek=1 conv=notrunc status=none");
	# cryptsetup's on-disk format 1.2: magic, version 1, cipher, mode, hash
	my $luks = pack('a6 n a32 a32 a32 N N a20 a32 N a40', "LUKS\xba\xbe", 1, 'aes', 'xts-plain64', 'sha256', 4096, 64, '', '', 1000,
		'12345678-1234-1234-1234-123456789abc') . noise(2 * $MIB, 'luks');
	open my $f, '+<:raw', $img or die;
	seek $f, 526336 * 512, 0;
	print $f $luks;
	close $f;
	$v = slim($img, '-o', "$dir/parts.qcow2", '--json');
	$s->exits($v, 0, 'a disk with partitions: exit 0');
	$j = eval { decode_json($v->{stdout}) } // {};
	is($j->{table}, 'gpt', '... its table');
	my %by = map { $_->{volume} => $_ } @{ $j->{volumes} // [] };
	is($by{vda1}{how}, 'trim', '... the file system is trimmed');
	like($by{vda2}{left_alone} // '', qr/LUKS|crypt/i, '... what is encrypted is left alone');
	like($v->{stderr}, qr/vda2 .*left alone/, '... and that is said');
	cmp_ok(allocated("$dir/parts.qcow2"), '<=', $small + 4 * $MIB, '... and it is small');
	sh('qemu-img', 'convert', '-O', 'raw', "$dir/parts.qcow2", "$s->{dir}/parts.raw");
	open $f, '<:raw', "$s->{dir}/parts.raw" or die;
	seek $f, 526336 * 512, 0;
	read $f, (my $kept), length $luks;
	ok($kept eq $luks, '... byte for byte as it was');
	seek $f, 0, 0;
	read $f, (my $head), $MIB;
	seek $f, 0, 2;
	is(substr($head, 512, 8), 'EFI PART', '... the table, too');
	unlink "$s->{dir}/parts.raw", $img, "$dir/parts.qcow2";
}

# --- in place: through a link, with owner and mode ---

sh('cp', "$dir/used.qcow2", "$dir/mine.qcow2");
chmod 0640, "$dir/mine.qcow2";
chown 12345, 23456, "$dir/mine.qcow2" if !$>;
symlink 'mine.qcow2', "$dir/link.qcow2";
my @before = stat "$dir/mine.qcow2";
$v = slim("$dir/link.qcow2", '--in-place');
$s->exits($v, 0, '--in-place: exit 0');
my @after = stat "$dir/mine.qcow2";
ok(-l "$dir/link.qcow2", '... the link is still one');
isnt($after[1], $before[1], '... what it means was replaced');
is_deeply([@after[2, 4, 5]], [@before[2, 4, 5]], '... mode and owner are kept');
cmp_ok(allocated("$dir/mine.qcow2"), '<=', $fresh * 1.05, '... and it is small');
same_files("$dir/mine.qcow2", 'in place');
unlink "$dir/mine.qcow2", "$dir/link.qcow2", "$dir/zero.qcow2";
$s->clean('after --in-place');

# --- images that are refused, once QEMU has looked at them ---

my $there = listing();
sub refused {
	my ($image, $status, $like, @args) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $was = sha($image);
	my $r = slim('-q', $image, '-o', "$dir/no.qcow2", @args);
	$s->exits($r, $status, "$image: exit $status");
	like($r->{stderr}, $like, '... and why');
	is(sha($image), $was, '... untouched');
	ok(!-e "$dir/no.qcow2", '... and no result');
}
my $odd = "$dir/odd.qcow2";
sh('cp', "$dir/fresh.qcow2", $odd);
# docs/interop/qcow2.txt: the first refcount block lies where the first entry of the refcount table (bytes 48 to 55) points
open my $f, '+<:raw', $odd or die;
seek $f, 48, 0;
read $f, my $at, 8;
seek $f, unpack('Q>', $at), 0;
read $f, $at, 8;
seek $f, unpack('Q>', $at) & ~511, 0;
print $f "\0" x 64;
close $f;
refused($odd, 2, qr/\Q$odd\E is corrupt \(\d+ errors? or more\); see `qemu-img check/);
sh('cp', "$dir/fresh.qcow2", $odd);
sh('qemu-img', 'snapshot', '-c', 'one', $odd);
refused($odd, 2, qr/internal snapshot/);
unlink $odd;
sh('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', 'fresh.qcow2', '-F', 'qcow2', $odd);
refused($odd, 2, qr/backing file fresh\.qcow2.*--format qcow2/);
{
	my $pid = fork // die;
	if (!$pid) {
		open STDOUT, '>', '/dev/null';
		exec 'qemu-io', '-c', 'sleep 60000', "$dir/fresh.qcow2";
	}
	push @{ $s->{helpers} }, $pid;
	# its lock, which the kernel lists by device and inode (proc(5))
	my $inode = (stat "$dir/fresh.qcow2")[1];
	ok(wait_until(sub { slurp('/proc/locks') =~ /:$inode /m }), 'another program has an image open');
	refused("$dir/fresh.qcow2", 4, qr/is in use; shut its guest down/);
	kill 'KILL', $pid;
	waitpid $pid, 0;
}

# What stands on another image is made whole, when its format is vouched for.
$v = slim('-q', '--format', 'qcow2', $odd, '-o', "$dir/whole.qcow2");
$s->exits($v, 0, 'an overlay of another image: exit 0');
like($v->{stderr}, qr/stands on 1 other image/, '... and that is said');
same_files("$dir/whole.qcow2", '... and made whole');
unlink $odd, "$dir/whole.qcow2";
is(listing(), $there, 'nothing else was made');
$s->clean('after refusals');

# --- ^C, SIGKILL ---

$v = $s->start(qw(slim --free 64M --accel tcg), "$dir/used.qcow2", '-o', "$dir/no.qcow2");
$s->until_or_over($v, sub { slurp($v->{err}) =~ /^(?:freeing|summing)/m });
kill 'INT', $v->{pid};
$s->finish($v);
$s->exits($v, 130, 'SIGINT: exit 130');
is(listing(), $there, '... nothing was made');
$s->clean('SIGINT');

srand(my $seed = $ENV{VBENCH_TEST_SEED} // time);
diag("moments drawn with VBENCH_TEST_SEED=$seed") if $ENV{VBENCH_TEST_VERBOSE};
my $bad = 0;
for my $i (1 .. 10) {
	$v = $s->start(qw(slim -q --free 64M --accel tcg), "$dir/used.qcow2", '-o', "$dir/killed.qcow2");
	my $end = time + rand($took * 0.95);
	sleep 0.01 while time < $end && !$s->over($v);
	$s->kill_and_wait($v);
	$bad++ if sha("$dir/used.qcow2") ne $used;
	# a result that is there is whole
	$bad++ if -e "$dir/killed.qcow2" && wrong_files("$dir/killed.qcow2");
	unlink "$dir/killed.qcow2";
}
is($bad, 0, "ten SIGKILLs (seed $seed): the image is untouched, and a result is whole or not there");
# With the rename itself among what can be hit: the image is the old one or the new one.
for my $i (1 .. 2) {
	sh('cp', "$dir/used.qcow2", "$dir/mine.qcow2");
	$v = $s->start(qw(slim -q --free 64M --accel tcg --in-place), "$dir/mine.qcow2");
	my $end = time + $took * (0.9 + rand 0.15);
	sleep 0.01 while time < $end && !$s->over($v);
	$s->kill_and_wait($v);
	ok(sha("$dir/mine.qcow2") eq $used || !wrong_files("$dir/mine.qcow2"), 'killed in place: the old image or the new one');
}
unlink "$dir/mine.qcow2";
$v = slim('-q', "$dir/used.qcow2", '-o', "$dir/last.qcow2");
$s->exits($v, 0, 'after all that: exit 0');
unlink "$dir/last.qcow2";
is(listing(), $there, '... and nothing is left beside the image');
$s->clean('after SIGKILLs');

# --- a disk that is full ---

SKIP: {
	skip 'full disks need a mount namespace, and that needs root', 1 if $>;
	skip 'no unshare or nsenter', 1 if grep { !VBTest::in_path($_) } qw(unshare nsenter);
	my $tiny = "$s->{dir}/tiny";
	mkdir $tiny;
	my $holder = fork // die;
	if (!$holder) {
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', '/dev/null';
		exec 'unshare', '-m', '--propagation', 'private', 'sh', '-c',
			"mount -t tmpfs -o size=8m,mode=1777 tmpfs '$tiny' && touch '$tiny/mounted' && exec sleep 3600";
	}
	push @{ $s->{helpers} }, $holder;
	my $inside = "/proc/$holder/root$tiny";
	ok(wait_until(sub { -e "$inside/mounted" }, 20), 'a small file system') or do { kill 'KILL', $holder; skip 'cannot mount', 1 };
	my @in = (before => ['nsenter', "--mount=/proc/$holder/ns/mnt", "--wd=" . getcwd()]);
	for my $how (['--free', '1M', qr/stay free|disk is full|No space|no space/], ['--free', '4k', qr/stay free|disk is full|No space|no space/]) {
		$v = $s->vbench({@in}, qw(slim -q --accel tcg), @$how[0, 1], "$dir/used.qcow2", '-o', "$tiny/out.qcow2");
		$s->exits($v, 4, "a result that does not fit (@$how[0, 1]): exit 4");
		like($v->{stderr}, $how->[2], '... and why');
		is(join(' ', map { s{.*/}{}r } glob "$inside/* $inside/.v*"), 'mounted', '... and nothing is left there');
		is(sha("$dir/used.qcow2"), $used, '... and the image is untouched');
	}
	kill 'KILL', $holder;
	waitpid $holder, 0;
	$s->clean('after a full disk');
}
done_testing();
