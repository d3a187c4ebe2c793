#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will measure every value of every table at least once, in real guests and on the host, and hold what was asked against
# what was got. A value that nobody measures here, and that is not on the list of those which cannot be here, fails the test.
#
# Expected: the values are those of `vbench help profile`, the program's own table; that they were in force is said by QEMU, the
# guest and the host (asked_got of the store).
use strict;
use warnings;
use lib 'tests/lib';
use JSON::PP;
use Test::More;
use VBTest;

VBTest::needs(root => 'disks of other formats, NBD servers and QEMU as another user',
	programs => ['qemu-storage-daemon', 'qemu-nbd', 'nbdkit']);
VBTest::needs_host();
my $s = sandbox();

# Values that cannot be measured here, each with the reason and the place where they are.
my %elsewhere = (
	'guest.accel=auto' => 'resolved: tests/e2e/accel.t',
	'guest.accel=kvm' => 'needs KVM: tests/lab',
	'guest.start=boot' => 'tests/e2e/run.t',
	'disk.backend=block' => 'needs a consent on the command line: tests/e2e/blockdev.t',
	'guest.pages=2M' => 'needs huge pages set aside: tests/e2e/pins.t',
	'guest.pages=1G' => 'needs huge pages set aside at boot: tests/unit/asked.c',
	'disk.iothread-mapping=queues' => 'QEMU 9.0: left out with the reason on older ones',
);

# Values that QEMU or fio takes and does not tell again.
my %untold = ('disk.discard=unmap' => 1, 'disk.driver=none' => 1);

# The table: what may be asked.
my $help = $s->vbench('help', 'profile');
is($help->{status}, 0, 'help profile: exit 0');
my (%values, %default, $section);
for (split /\n/, $help->{stdout}) {
	$section = $1 if /^\[(\w+)/;
	next if !defined $section || $section !~ /^(?:guest|disk)$/;
	next if !/^    ([\w-]+) = ([a-z0-9][\w.-]*(?:, [a-z0-9][\w.-]*)+) \(default (\S+)\)/;
	$values{"$section.$1"} = [split /, /, $2];
	$default{"$section.$1"} = $3;
}
cmp_ok(scalar keys %values, '>=', 20, 'the table of keys with values can be read') or diag($help->{stdout});

# name => the cell: rungs of one profile, each a configuration of its own.
my %qcow2 = ('disk.format' => 'qcow2');
my %vhost = ('disk.backend' => 'vhost-user');
my %host = (%vhost, 'guest.site' => 'host');
my %cells = (
	'plain' => { 'disk.bus' => 'virtio-blk' },
	(map { ("format-$_" => { 'disk.format' => $_, 'disk.content' => 'data', 'disk.size' => '32M' }) } qw(qcow2 qcow qed vmdk vdi vpc vhdx luks)),
	(map { ("bus-$_" => { 'disk.bus' => $_ }) } qw(virtio-scsi nvme ide)),
	'bus-ahci' => { 'disk.bus' => 'ahci' },
	'bus-mmio' => { 'disk.bus' => 'virtio-mmio', 'guest.machine' => 'microvm' },
	(map { ("mode-$_" => { %qcow2, 'disk.mode' => $_ }) } qw(metadata falloc full)),
	(map { ("cache-$_" => { 'disk.cache' => $_ }) } qw(writeback writethrough directsync unsafe)),
	(map { ("aio-$_" => { 'disk.aio' => $_ }) } qw(native threads)),
	'l2' => { %qcow2, 'disk.extended-l2' => 'on', 'disk.cluster-size' => '128k', 'disk.l2-cache-size' => '256k' },
	'old' => { %qcow2, 'disk.compat' => '0.10' },
	'lazy' => { %qcow2, 'disk.lazy-refcounts' => 'on', 'disk.data-file' => 'on' },
	# smaller ones do not tell: their metadata is as large as the data (probe_node.c)
	(map { ("compressed-$_" => { %qcow2, 'disk.content' => 'data', 'disk.compression' => $_, 'disk.size' => '64M' }) } qw(zlib zstd)),
	(map { ("content-$_" => { %qcow2, 'disk.content' => $_, 'disk.size' => '64M' }) } qw(fresh deleted zeroed trimmed)),
	'chain' => { %qcow2, 'disk.content' => 'data', 'disk.backing' => 2 },
	'zeroes' => { 'disk.detect-zeroes' => 'on' },
	'unmap' => { 'disk.detect-zeroes' => 'unmap', 'disk.discard' => 'unmap' },
	'throttled' => { 'disk.throttle-iops' => 500, 'disk.throttle-iops-max' => 1000, 'disk.throttle-burst' => '2s' },
	'throttled-bps' => { 'disk.throttle-bps' => '4M', 'disk.throttle-bps-max' => '8M' },
	'packed' => { 'disk.ring' => 'packed', 'disk.event-idx' => 'off', 'disk.indirect' => 'off', 'disk.queue-size' => 64 },
	'main-loop' => { 'disk.iothread' => 'off', 'disk.ioeventfd' => 'off' },
	'polls' => { 'disk.poll-max' => '0s', 'disk.queues' => 2, 'guest.poll-queues' => 1, 'guest.scheduler' => 'mq-deadline' },
	'four' => { 'disk.count' => 4, 'disk.iothreads' => 2 },
	'four-scsi' => { 'disk.count' => 4, 'disk.bus' => 'virtio-scsi', 'disk.controllers' => 'each' },
	'four-shared' => { 'disk.count' => 4, 'disk.bus' => 'virtio-scsi', 'disk.controllers' => 'shared' },
	'direct' => { 'disk.slots' => 'direct' },
	'functions' => { 'disk.count' => 4, 'disk.slots' => 'multifunction' },
	'null' => { 'disk.backend' => 'null', 'disk.latency' => '100us', 'guest.nodes' => '0' },
	'nbd' => { 'disk.backend' => 'nbd' },
	'nbd-qcow2' => { 'disk.backend' => 'nbd', %qcow2 },
	'nbdkit' => { 'disk.backend' => 'nbd', 'disk.nbd' => 'nbdkit', 'disk.cache' => 'writeback' },
	'nbdkit-memory' => { 'disk.backend' => 'nbd', 'disk.nbd' => 'nbdkit', 'disk.nbdkit' => 'memory 16M', 'disk.cache' => 'writeback' },
	'filled' => { 'disk.precondition' => 'fill', 'guest.pin' => 'plan', 'guest.nodes' => '0', 'guest.memory-mode' => 'preferred' },
	'random' => { 'disk.precondition' => 'random' },
	'open' => { 'guest.sandbox' => 'off', 'guest.nodes' => '0', 'guest.memory-mode' => 'interleave' },
	(map { ("vhost-$_" => { %vhost, 'disk.serves' => $_ }) } qw(null file memory)),
	'vhost-daemon' => { %vhost, 'disk.server' => 'storage-daemon' },
	'vhost-poll' => { %vhost, 'disk.server-wait' => 'poll' },
	'vhost-adaptive' => { %vhost, 'disk.server-wait' => 'adaptive' },
	'host-none' => { 'guest.site' => 'host', 'disk.driver' => 'none', 'disk.backend' => undef },
	'host-file' => { 'guest.site' => 'host', 'disk.driver' => 'file' },
	'host-loop' => { %host, 'disk.server' => 'loop', 'disk.wait' => 'eventfd' },
	'host-poll' => { %host, 'disk.wait' => 'poll' },
	'host-adaptive' => { %host, 'disk.wait' => 'adaptive' },
);
my %rungs = map { my $n = $_; map { defined $cells{$n}{$_} ? ("rung $n.$_" => $cells{$n}{$_}) : () } keys %{ $cells{$n} } } keys %cells;
my $v = $s->run($s->profile('disk.size' => '16M', 'guest.memory' => '320M', 'workload w.rw' => 'randrw', 'workload w.iodepth' => 4, %rungs));
$s->exits($v, 0, 'a run over all tables: exit 0');
my @trials = $s->trials;
is($_->{ok}, 1, "$_->{label}: measured") or diag("$_->{cause}: $_->{detail}") for @trials;
my %there = map { $_->{label} => 1 } @trials;
is(join(' ', grep { !$there{$_} } sort keys %cells), '', 'no cell was left out') or diag($s->newest->{skipped});

# What was in force.
my (%seen, %cell_of);
for my $c ($s->checks) {
	isnt($c->{state}, 1, "$c->{key}: asked $c->{asked}") or diag("got $c->{got} ($c->{source}) in trial $c->{seq}");
	# "it cannot be told" is no reading
	$seen{"$c->{key}=$c->{asked}"} = 1 if $c->{state} == 0;
}
# A default may be the absence of an option, of which there is nothing to read back: that a cell was measured with it is enough.
for my $cell ($s->rows('SELECT c.keys, c.label FROM cell c JOIN run r ON r.id = c.run WHERE r.uuid = ?', $s->newest->{uuid})) {
	my $keys = decode_json($cell->{keys});
	$cell_of{"$_=$keys->{$_}"} = $cell->{label} for grep { defined $keys->{$_} } keys %$keys;
}
for my $key (sort keys %values) {
	for my $value (@{ $values{$key} }) {
		my $what = "$key=$value";
		if ($elsewhere{$what}) { note("$what: $elsewhere{$what}"); next }
		ok($cell_of{$what}, "$what is in a measured cell");
		ok($seen{$what}, "$what was read back") if $value ne $default{$key} && !$untold{$what};
	}
}
$s->clean('after all tables');
done_testing();
