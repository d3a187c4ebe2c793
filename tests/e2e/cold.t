#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will measure disks that cannot be plugged: their templates have blank disks, and each trial its own image. What is read
# is the image's, not what the template saw; equal machines share a template; a full machine names its limit.
#
# Expected: fio's verify, which knows what it wrote; PCI has 32 slots on a bus.
use strict;
use warnings;
use lib 'tests/lib';
use Test::More;
use VBTest;

VBTest::needs();
my $s = sandbox();
my $full = -e VBTest::guest() . '/full/KERNEL';
my %cells = (
	ide => { 'disk.bus' => 'ide' },
	direct => { 'disk.bus' => 'virtio-blk', 'disk.slots' => 'direct' },
	mmio => { 'disk.bus' => 'virtio-mmio', 'guest.machine' => 'microvm', 'disk.queue-size' => 1024 },
	($full ? (ahci => { 'disk.bus' => 'ahci' }) : ()),
);
for my $name (sort keys %cells) {
	my $v = $s->run($s->profile(%{ $cells{$name} }, 'run.blocks' => 1, 'workload w.rw' => 'write', 'workload w.verify' => 'crc32c',
			'workload w.runtime' => undef, 'workload r.rw' => 'randread', 'workload r.precondition' => 'fill'));
	$s->exits($v, 0, "$name: measured");
	my @t = $s->trials;
	is(scalar(grep { $_->{ok} } @t), 2, '... both trials') or diag(join "\n", map { $_->{detail} // '' } @t);
	is($t[0]{template_id}, $t[1]{template_id}, '... from one template');
	my $plug = slurp($s->newest->{folder} . "/$t[0]{folder}/plug.txt");
	like($plug, qr/^-device '\{.*"id":"vb0"/m, '... its disk is an option of QEMU');
	unlike($plug, qr/execute/, '... and nothing is plugged');
	is(join(' ', map { "$_->{key}: asked $_->{asked}, got $_->{got}" } grep { $_->{state} == 1 } $s->checks), '', '... asked = got');
	$s->clean($name);
}

# More than there is room for: fewer than the root bus's 32 slots, of which the chipset and our own devices have some.
my $v = $s->run($s->profile(%{ $cells{direct} }, 'disk.count' => 33, 'disk.size' => '1M'));
my ($t) = $s->trials;
is($t->{cause}, 'limit', '33 disks on the root bus: cause limit') or diag($v->{stderr});
like($t->{detail} // '', qr/^(?:template: )?virtio-blk: disk (\d+) of 33 found no place: .*; the limit is 2\d$/, '... and how many fit');
$s->clean('33 disks on the root bus');
done_testing();
