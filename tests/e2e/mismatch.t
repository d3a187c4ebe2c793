#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will give guests something else than was asked for, behind vbench's back, and see that no figure comes of it.
#
# Each lie changes one thing in what QEMU is told (tests/lib/liar.c, loaded into QEMU). Expected: trials of the cell that is
# lied about fail with cause "mismatch" and both sides named; the cell that the lie does not touch is measured.
use strict;
use warnings;
use lib 'tests/lib';
use Test::More;
use VBTest;

VBTest::needs(programs => ['cc']);
my $s = sandbox();
my $liar = $s->compile('tests/lib/liar.c', 'liar.so', '-shared -fPIC -pthread');

sub lie {
	my (%o) = @_;
	my $what = $o{what};
	my $v = $s->run({ env => { LD_PRELOAD => $liar, LIAR => $o{lie} } }, $s->profile(%{ $o{profile} }));
	my @trials = $s->trials($s->newest->{uuid});
	my ($bad) = grep { $_->{label} =~ /(?:^| )\Q$o{cell}\E(?: |$)/ } @trials;
	my ($good) = grep { $_->{label} !~ /(?:^| )\Q$o{cell}\E(?: |$)/ } @trials;
	$s->exits($v, 4, "$what: exit 4");
	is(scalar @trials, 2, "$what: both trials are stored");
	ok($bad && $good, "$what: cells as expected") or return diag(map { "$_->{label}\n" } @trials);
	is($bad->{ok}, 0, "$what: the trial failed");
	is($bad->{cause}, 'mismatch', "$what: its cause is a mismatch") or diag($bad->{detail});
	like($bad->{detail}, $o{detail}, "$what: it names both sides");
	my ($n) = $s->rows('SELECT count(*) AS n FROM sample s JOIN run r ON r.id = s.run WHERE r.uuid = ? AND s.seq = ? AND s.metric LIKE ?',
		$s->newest->{uuid}, $bad->{seq}, '%iops');
	is($n->{n}, 0, "$what: it has no figure") if !$o{late};
	my @differ = grep { $_->{state} == 1 } $s->checks;
	is(join(' ', map { "$_->{seq} $_->{key}" } grep { $_->{key} eq $o{key} } @differ), "$bad->{seq} $o{key}", "$what: the row of asked and got says so");
	is($good->{ok}, 1, "$what: the other cell was measured") or diag($good->{detail});
	like($v->{stderr}, qr/^trial .*FAILED \(mismatch\) \Q$o{key}\E: asked /m, "$what: it is said at once");
	$s->clean($what);
}

# Without a lie nothing differs: the library itself changes nothing.
my $v = $s->run({ env => { LD_PRELOAD => $liar, LIAR => 'no such text=>x' } }, $s->profile('disk.ring' => 'packed', 'disk.queues' => 2));
$s->exits($v, 0, 'with a liar that tells the truth: exit 0');

lie(what => 'ring', lie => '"packed":true=>"packed":false', profile => { 'disk.ring' => 'split, packed' }, cell => 'packed',
	key => 'disk.ring', detail => qr/^disk\.ring: asked packed, got split\b.*guest/);
lie(what => 'ring of virtio-scsi', lie => '"packed":true=>"packed":false', profile => { 'disk.bus' => 'virtio-scsi', 'disk.ring' => 'packed, split' },
	cell => 'packed', key => 'disk.ring', detail => qr/^disk\.ring: asked packed, got split\b.*guest/);
lie(what => 'queues', lie => '"num-queues":2=>"num-queues":1', profile => { 'disk.queues' => '1, 2' }, cell => 'queues=2',
	key => 'disk.queues', detail => qr/^disk\.queues: asked 2, got 1\b.*guest/);
lie(what => 'queue size', lie => '"queue-size":256=>"queue-size":64', profile => { 'disk.queue-size' => '256, 128' }, cell => 'queue-size=256',
	key => 'disk.queue-size', detail => qr/^disk\.queue-size: asked 256, got 64\b.*host/);
lie(what => 'cache mode (O_DIRECT)', lie => '"direct":true=>"direct":false', profile => { 'disk.cache' => 'none, writeback' }, cell => 'cache=none',
	key => 'disk.cache', detail => qr/^disk\.cache: asked none, got writeback\b.*host/);
lie(what => 'cache mode (write cache)', lie => '"write-cache":"off"=>"write-cache":"on"',
	profile => { 'disk.cache' => 'writeback, writethrough' }, cell => 'cache=writethrough',
	key => 'disk.cache', detail => qr/^disk\.cache: asked writethrough, got writeback\b/);
lie(what => 'cache mode (flushes)', lie => '"no-flush":false=>"no-flush":true', profile => { 'disk.cache' => 'writeback, unsafe' }, cell => 'cache=writeback',
	key => 'disk.cache', detail => qr/^disk\.cache: asked writeback, got unsafe\b/);
lie(what => 'format', lie => '"driver":"qcow2"=>"driver":"raw"', profile => { 'disk.format' => 'raw, qcow2', 'disk.mode' => 'full' }, cell => 'qcow2',
	key => 'disk.format', detail => qr/^disk\.format: asked qcow2, got raw\b.*host/);
# Only the workload shows these two.
lie(what => 'aio', lie => '"aio":"io_uring"=>"aio":"threads"', profile => { 'disk.aio' => 'io_uring, threads', 'disk.iothread' => 'off' }, cell => 'io_uring',
	key => 'disk.aio', detail => qr/^disk\.aio: asked io_uring, got (?:threads|not io_uring)\b/, late => 1);
lie(what => 'iothread', lie => ',"iothread":"io0"=>', profile => { 'disk.iothread' => 'on, off' }, cell => 'iothread=on',
	key => 'disk.iothread', detail => qr/^disk\.iothread: asked on, got .*no CPU time/, late => 1);

# A guest that does not set the scheduler: said by the agent's word on the disk, which a lie cannot reach; see tests/unit/asked.c.
done_testing();
