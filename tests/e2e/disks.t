#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will put several disks into a guest, on every bus that takes them plugged: all are found, each by its own serial, all are
# written and verified, and their counters add up.
#
# Expected: fio's verify; sizes and serials as asked; N equal disks are N times the bytes of one.
use strict;
use warnings;
use lib 'tests/lib';
use JSON::PP;
use Test::More;
use VBTest;

VBTest::needs();
my $s = sandbox();
my %cells = (
	'virtio-blk' => { 'disk.bus' => 'virtio-blk', 'disk.count' => 10 },
	'virtio-blk, functions' => { 'disk.bus' => 'virtio-blk', 'disk.count' => 10, 'disk.slots' => 'multifunction' },
	'virtio-scsi' => { 'disk.bus' => 'virtio-scsi', 'disk.count' => 40 },
	'virtio-scsi, each' => { 'disk.bus' => 'virtio-scsi', 'disk.count' => 6, 'disk.controllers' => 'each' },
	'nvme' => { 'disk.bus' => 'nvme', 'disk.count' => 6 },
);
for my $name (sort keys %cells) {
	my $n = $cells{$name}{'disk.count'};
	my $v = $s->run($s->profile(%{ $cells{$name} }, 'disk.size' => '1M', 'workload w.rw' => 'write', 'workload w.verify' => 'crc32c',
			'workload w.runtime' => '5s'));
	$s->exits($v, 0, "$name: measured");
	my ($t) = $s->trials;
	my $ev = eval { decode_json(slurp($s->newest->{folder} . "/$t->{folder}/before.json")) } // {};
	my @disks = @{ $ev->{guest}{disks} // [] };
	is(scalar @disks, $n, "... $n disks in the guest");
	my (%paths, %serials);
	$paths{ $_->{path} }++, $serials{ $_->{serial} }++ for @disks;
	is(keys(%paths) . ' ' . keys %serials, "$n $n", '... each has its own path and serial');
	is(scalar(grep { $_->{size_bytes} != 1 << 20 } @disks), 0, '... and the size that was asked for');
	like(slurp($s->newest->{folder} . "/$t->{folder}/job.fio"), qr/\Q$_\E\b/, "... $_ is in the job") for (sort keys %paths)[0, -1];
	is(join(' ', map { "$_->{key}: asked $_->{asked}, got $_->{got}" } grep { $_->{state} == 1 } $s->checks), '', '... asked = got');
	$s->clean($name);
}
done_testing();
