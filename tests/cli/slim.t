#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will ask `vbench slim` for what it must refuse before any guest is started.
#
# Expected: exit status 2 for what the user can mend, a sentence that names the file and the remedy, nothing written.
use strict;
use warnings;
use lib 'tests/lib';
use Test::More;
use VBTest;

BAIL_OUT('vbench is not built; run make') if !-x VBTest::program();
my $s = sandbox();
my $dir = "$s->{dir}/images";
mkdir $dir;

sub refused {
	my ($what, $like, @args) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $v = $s->vbench('slim', @args);
	$s->exits($v, 2, $what);
	like($v->{stderr}, $like, "... $what: and why");
	is($v->{stdout}, '', "... $what: nothing on stdout");
}

my $v = $s->vbench(qw(slim --help));
$s->exits($v, 0, '--help');
like($v->{stdout}, qr/^usage: vbench slim /, '... prints the usage');
like($v->{stdout}, qr/\Q$_\E/, "... with $_") for qw(--output --in-place --compress --trim --zero --skip --format --free --accel --json);
like($s->vbench('help')->{stdout}, qr/^\s*slim\s/m, 'the list of commands names it');

my $raw = spurt("$dir/disk.raw", "\0" x 65536);
my $out = "$dir/out.qcow2";

refused('no image', qr/which image/);
refused('no target', qr/-o OUT, or --in-place/, $raw);
refused('two targets', qr/exclude each other/, $raw, '-o', $out, '--in-place');
refused('two images', qr/"$dir\/b" is one too many/, $raw, "$dir/b", '-o', $out);
refused('an unknown option', qr/--help/, $raw, '--frobnicate');
refused('an unknown compression', qr/"lzo" is not one of zlib, zstd/, $raw, '-o', $out, '--compress', 'lzo');
refused('an unknown accelerator', qr/"hvf" is not one of auto, kvm, tcg/, $raw, '-o', $out, '--accel', 'hvf');
refused('trim and zero', qr/exclude each other/, $raw, '-o', $out, '--trim', '--zero');
refused('no size', qr/"much" is not a size/, $raw, '-o', $out, '--free', 'much');

refused('a missing image', qr{\Q$dir\E/none: No such file}, "$dir/none", '-o', $out);
refused('a folder', qr{no regular file}, $dir, '-o', $out);
refused('a device', qr{no regular file}, '/dev/null', '-o', $out);
spurt("$dir/empty", '');
refused('an empty file', qr{is empty}, "$dir/empty", '-o', $out);
refused('an unknown format', qr/"zvhd" is not supported; it is one of raw, qcow2/, $raw, '-o', $out, '--format', 'zvhd');
refused('a folder that is not there', qr{\Q$dir\E/no: No such file}, $raw, '-o', "$dir/no/out");
refused('no file name', qr/names no file/, $raw, '-o', "$dir/");
refused('the image itself', qr/--in-place replaces it/, $raw, '-o', $raw);
refused('the image itself, forced', qr/--in-place replaces it/, $raw, '-o', $raw, '--force');
link $raw, "$dir/second";
refused('another name of the image', qr/--in-place replaces it/, $raw, '-o', "$dir/second", '--force');
refused('another format in place', qr/use -o/, $raw, '--in-place');
spurt("$dir/there", 'precious');
refused('a target that exists', qr/exists; --force/, $raw, '-o', "$dir/there");
mkdir "$dir/sub";
refused('a target that is a folder', qr/no regular file/, $raw, '-o', "$dir/sub", '--force');
symlink "$dir/nowhere", "$dir/dangling";
refused('a target that is a dead link', qr/exists; --force/, $raw, '-o', "$dir/dangling");

# docs/interop/qcow2.txt: magic, version 3; bit 2 of the incompatible features (byte 79) is an external data file.
# LUKS: its magic. A VMDK of several files begins with this comment.
spurt("$dir/luks", "LUKS\xba\xbe\0\1" . "\0" x 4096);
refused('LUKS', qr/encrypted \(LUKS\)/, "$dir/luks", '-o', $out);
spurt("$dir/vmdk", "# Disk DescriptorFile\nversion=1\n");
refused('a VMDK of several files', qr/several files/, "$dir/vmdk", '-o', $out);

is(slurp("$dir/there"), 'precious', 'what was there is untouched');
is(join(' ', sort map { s{.*/}{}r } glob "$dir/{*,.v*}"), 'dangling disk.raw empty luks second sub there vmdk', 'nothing was made');
ok(!-e $s->data . '/guest', 'no guest was prepared');
$s->clean('after all refusals');
done_testing();
