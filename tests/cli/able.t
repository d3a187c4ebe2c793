#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will ask for what some builds of QEMU do not have, and see cells left out with the reason. No guest is started.
#
# Expected: what `QEMU -device DEVICE,help` and `qemu-img --help` themselves say is there.
use strict;
use warnings;
use lib 'tests/lib';
use Test::More;
use VBTest;

VBTest::needs();
my $s = sandbox();

sub where { my ($name) = @_; return (grep { -x } map { "$_/$name" } split /:/, $ENV{PATH})[0] }
sub dry { my $v = $s->vbench('run', '--dry-run', $s->profile(@_)); return $v }

my $has = `qemu-system-x86_64 -device virtio-blk-pci,help 2>/dev/null` =~ /iothread-vq-mapping/;
my %mapped = ('disk.backend' => 'null', 'disk.queues' => 2, 'disk.count' => 2, 'disk.iothreads' => 2);
my $v = dry(%mapped, 'disk.iothread-mapping' => 'disk, queues');
$s->exits($v, 0, 'a mapping that only newer QEMUs have: what is left is measured');
is(scalar(() = $v->{stdout} =~ /^cell \d/mg), $has ? 2 : 1, '... as many cells as this QEMU can do');
SKIP: {
	skip 'this QEMU has it', 4 if $has;
	like($v->{stdout}, qr/^skipped: \S*.*queues: .*iothread-vq-mapping.*QEMU/m, '... the other is listed with the reason');
	like($v->{stdout}, qr/^schedule.*\n\s+block 1: 1\.r$/m, '... and not in the schedule');
	$v = dry(%mapped, 'disk.iothread-mapping' => 'queues');
	$s->exits($v, 2, 'nothing but that: exit 2');
	like($v->{stderr}, qr/iothread-vq-mapping/, '... with the reason');
}

# A qemu-img that lacks a format stands beside a QEMU that has it.
mkdir "$s->{dir}/bin";
my $real = where('qemu-system-x86_64');
symlink $real, "$s->{dir}/bin/qemu-system-x86_64";
spurt("$s->{dir}/bin/qemu-img", "#!/bin/sh\necho 'usage: qemu-img'\necho 'Supported formats: raw qcow2 luks'\n", 0755);
$v = $s->vbench({ env => { PATH => "$s->{dir}/bin:$ENV{PATH}" } }, 'run', '--dry-run', $s->profile('disk.format' => 'raw, vmdk, qcow2'));
$s->exits($v, 0, 'a format that qemu-img lacks: the others are measured');
like($v->{stdout}, qr/^skipped: vmdk.*: .*built without the format vmdk$/m, '... and it is listed');
is(scalar(() = $v->{stdout} =~ /^cell \d/mg), 2, '... two cells');

# A server that is not installed is an error that names its package (qemu-nbd is found beside the real QEMU).
my $bin = "$s->{dir}/few";
mkdir $bin;
symlink $real, "$bin/qemu-system-x86_64";
symlink where($_), "$bin/$_" for qw(qemu-img rm test sh);
$v = $s->vbench({ env => { PATH => $bin } }, 'run', '--dry-run',
	$s->profile('disk.backend' => 'nbd', 'disk.nbd' => 'nbdkit', 'disk.cache' => 'writeback'));
$s->exits($v, 2, 'without nbdkit: exit 2');
like($v->{stderr}, qr/no nbdkit .*install nbdkit/, '... with the package that has it');
done_testing();
