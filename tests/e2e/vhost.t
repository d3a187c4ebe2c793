#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will plug disks that a process of its own serves (vhost-user-blk) into real guests: vbench's device and
# qemu-storage-daemon, split and packed, with every block verified; it will ask a device for what it does not offer, and
# kill servers in the middle of I/O.
#
# Expected: feature bits of VIRTIO 1.2, section 6 (28 indirect descriptors, 29 event index, 34 packed ring), in the guest's
# sysfs and in the SET_FEATURES that the device saw alike; the daemon (QEMU 7.2) offers no packed ring.
use strict;
use warnings;
use lib 'tests/lib';
use File::Basename qw(dirname);
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep);
use VBTest;

VBTest::needs(programs => ['qemu-storage-daemon']);
my $device = VBTest::engines() . '/vbench-vhost-blk';
plan skip_all => "no $device; run make engines" if !-x $device;
my $s = sandbox();

sub evidence { my ($t, $when) = @_; return eval { decode_json(slurp($s->newest->{folder} . "/$t->{folder}/$when.json")) } // {} }
sub bit { my ($features, $n) = @_; return defined $features && length $features > $n ? substr($features, $n, 1) : 'none' }
sub trial_of { my ($label) = @_; return (grep { $_->{label} eq $label } $s->trials)[0] // {} }
sub checked { my ($t, $key) = @_; return (grep { $_->{seq} == $t->{seq} && $_->{key} eq $key } $s->checks)[0] // {} }

# One rung after the other: name => {key => value}. A ladder, since its cells are no product.
sub rungs {
	my (%rungs) = @_;
	return map { my $name = $_; map { ("rung $name.$_" => $rungs{$name}{$_}) } keys %{ $rungs{$name} } } keys %rungs;
}

# What driver and device agreed on, from both sides.
sub bits_agree {
	my ($label, %want) = @_;
	my $after = evidence(trial_of($label), 'after');
	for my $n (sort { $a <=> $b } keys %want) {
		is(bit($after->{guest}{disk}{features}, $n), $want{$n}, "$label: bit $n in the guest");
		is(bit($after->{server}{features}, $n), $want{$n}, "$label: bit $n in SET_FEATURES") if $label =~ /^own/;
	}
}

# --- every block written is read back and checked ---

my %vhost = ('disk.backend' => 'vhost-user');
my %daemon = (%vhost, 'disk.server' => 'storage-daemon');
my %verify = ('workload v.rw' => 'randrw', 'workload v.verify' => 'crc32c', 'workload v.iodepth' => 8, 'workload v.runtime' => '500ms');
my %kept = (
	'own-memory-split' => { %vhost, 'disk.serves' => 'memory', 'disk.ring' => 'split' },
	'own-memory-packed' => { %vhost, 'disk.serves' => 'memory', 'disk.ring' => 'packed' },
	'own-file-packed' => { %vhost, 'disk.serves' => 'file', 'disk.ring' => 'packed', 'disk.queue-size' => 128 },
	'daemon-file' => { %daemon, 'disk.serves' => 'file' },
	'daemon-qcow2' => { %daemon, 'disk.serves' => 'file', 'disk.format' => 'qcow2', 'disk.cache' => 'directsync' },
	'daemon-packed' => { %daemon, 'disk.serves' => 'file', 'disk.ring' => 'packed' },
);
my $v = $s->run($s->profile(%verify, rungs(%kept)));
$s->exits($v, 0, 'verified writes: exit 0');
is(scalar(@{ [$s->trials] }), 5, '... and every cell has its trial, but for what the daemon does not offer');
like($s->newest->{skipped}, qr/rung daemon-packed.*offers no packed ring/, '... which is left out, with the reason');
for my $label (grep { $_ ne 'daemon-packed' } sort keys %kept) {
	my $t = trial_of($label);
	is($t->{ok}, 1, "$label: no block differs") or diag($t->{detail});
	my $fio = eval { decode_json(slurp($s->newest->{folder} . "/$t->{folder}/fio.json")) } // {};
	my $job = $fio->{jobs}[0] // {};
	is($job->{error}, 0, "$label: fio has no error");
	cmp_ok($job->{write}{total_ios} // 0, '>', 0, "$label: it has written");
	like(slurp($s->newest->{folder} . "/$t->{folder}/job.fio"), qr/^verify=crc32c$/m, "$label: with verify");
	is(checked($t, 'disk.server')->{got}, $label =~ /^own/ ? 'vbench' : 'storage-daemon', "$label: served by who was asked");
	is(checked($t, 'disk.backend')->{state}, 0, "$label: through vhost");
}
bits_agree('own-memory-split', 28 => 1, 29 => 1, 34 => 0);
bits_agree('own-memory-packed', 28 => 1, 29 => 1, 34 => 1);
bits_agree('own-file-packed', 34 => 1);
bits_agree('daemon-file', 28 => 1, 29 => 1, 34 => 0);
is(checked(trial_of('own-memory-packed'), 'disk.ring')->{source}, 'both', 'guest and device were both asked for the ring');
is(checked(trial_of('own-file-packed'), 'disk.queue-size')->{got}, 128, 'the queue size is read from the vhost side');
is(evidence(trial_of('own-file-packed'), 'after')->{qmp}{queue}, undef, '... and never by the query that stops the ring');

$s->clean('after verified writes');

# Of a device that does not offer it QEMU plugs the disk without a word, and the guest gets a split ring; fio's driver refuses.
my $poor = "$s->{dir}/poor/engines";
mkdir $_ for dirname($poor), $poor, "$s->{dir}/real";
symlink VBTest::engines() . '/../fio', dirname($poor) . '/fio';
spurt("$poor/vring.so", slurp(VBTest::engines() . '/vring.so'), 0755);
spurt("$s->{dir}/real/vbench-vhost-blk", slurp($device), 0755);
spurt("$poor/vbench-vhost-blk", qq(#!/bin/sh\nexec $s->{dir}/real/vbench-vhost-blk "\$@" --no-packed\n), 0755);
$v = $s->run({ env => { VBENCH_ENGINES => $poor } }, $s->profile(%vhost, 'guest.site' => 'guest, host', 'disk.ring' => 'packed'));
$s->exits($v, 4, 'a device without packed rings: exit 4');
my ($t) = grep { $_->{site} eq 'host' } $s->trials;
is($t->{ok}, 0, '... the trial on the host failed');
like($t->{detail}, qr/vbench-vhost-blk offers no packed ring.*: disk\.ring=split/, '... in the words of the profile');
($t) = grep { $_->{site} ne 'host' } $s->trials;
is($t->{ok}, 0, '... the trial in the guest failed');
is($t->{cause}, 'mismatch', '... as a mismatch');
like($t->{detail}, qr/^disk\.ring: asked packed, got split\b/, '... that names both rings');
my ($n) = $s->rows('SELECT count(*) AS n FROM sample s JOIN run r ON r.id = s.run WHERE r.uuid = ? AND s.seq = ?', $s->newest->{uuid}, $t->{seq});
is($n->{n}, 0, '... without a figure');
$s->clean('after a device without packed rings');

# --- null back ends, and what else is negotiated ---

my %null = (
	'own-split' => { %vhost, 'disk.event-idx' => 'off' },
	'own-packed' => { %vhost, 'disk.ring' => 'packed', 'disk.indirect' => 'off', 'disk.server-wait' => 'poll', 'disk.queues' => 2 },
	'daemon-null' => { %daemon, 'disk.server-wait' => 'adaptive' },
	'qemu-null' => { 'disk.backend' => 'null' },
	'booted' => { %vhost, 'guest.start' => 'boot' },
);
$v = $s->run($s->profile('workload r.rw' => 'randread', 'workload r.iodepth' => 4, rungs(%null)));
$s->exits($v, 0, 'null back ends: exit 0');
for my $label (sort keys %null) {
	$t = trial_of($label);
	is($t->{ok}, 1, "$label: measured") or diag($t->{detail});
	like(slurp($s->newest->{folder} . "/$t->{folder}/qemu.txt"), qr/memory-backend-memfd,id=ram,share=on/, "$label: the memory that all guests of the run have");
}
is(scalar(grep { $_->{state} == 1 } $s->checks), 0, 'nothing differs from what was asked');
bits_agree('own-split', 28 => 1, 29 => 0, 34 => 0);
bits_agree('own-packed', 28 => 0, 29 => 1, 34 => 1);
is(checked(trial_of('own-packed'), 'disk.queues')->{got}, 2, 'two queues');
is(checked(trial_of('own-packed'), 'disk.server-wait')->{got}, 'poll', 'a device that polls says so');
my ($cpu) = $s->rows('SELECT count(*) AS n FROM sample s JOIN run r ON r.id = s.run WHERE r.uuid = ? AND s.metric LIKE ?', $s->newest->{uuid}, '%server%');
cmp_ok($cpu->{n}, '>=', 1, 'the CPU time of the server is among the figures');
$s->clean('after null back ends');

# --- a profile without such disks has the memory that it always had ---

$v = $s->run($s->profile('disk.backend' => 'null'));
$s->exits($v, 0, 'without vhost-user: exit 0');
unlike(slurp($s->newest->{folder} . '/' . ($s->trials)[0]{folder} . '/qemu.txt'), qr/memfd/, '... and no shared memory');

# --- a build of QEMU without its own daemon ---

my $build = "$s->{dir}/build-of-its-own";
my ($qemu) = grep { -x } map { "$_/qemu-system-x86_64" } split /:/, $ENV{PATH};
mkdir $_ for $build, "$build/bin";
# what it looks for beside its own folder
symlink dirname(dirname($qemu)) . "/$_", "$build/$_" for qw(share lib);
system 'cp', '-L', $qemu, "$build/bin";
$v = $s->vbench('run', '--dry-run', $s->profile(%daemon, 'guest.qemu' => "$build/bin/qemu-system-x86_64"));
$s->exits($v, 2, 'a build of QEMU without a daemon: exit 2');
like($v->{stderr}, qr/no qemu-storage-daemon beside guest\.qemu = \Q$build\E/, '... and no other build\'s is taken');
my ($theirs) = grep { -x } map { "$_/qemu-storage-daemon" } split /:/, $ENV{PATH};
system 'cp', '-L', $theirs, "$build/bin";
$v = $s->vbench('run', '--dry-run', $s->profile(%daemon, 'guest.qemu' => "$build/bin/qemu-system-x86_64"));
$s->exits($v, 0, 'with one beside it: exit 0');
like($v->{stdout}, qr{^  \$ \Q$build\E/bin/qemu-storage-daemon }m, '... and it is that one');
unlink glob "$build/bin/*";

# --- servers die in the middle of I/O ---

$v = $s->start_run($s->profile('disk.backend' => 'vhost-user', 'disk.server' => 'vbench, storage-daemon',
	map { ("workload $_.rw" => 'randread', "workload $_.iodepth" => 8, "workload $_.runtime" => '1500ms') } 'a', 'b'));
my $folder = $s->folder($v);
my %killed;
for my $i (0 .. 3) {
	my $job = sprintf '%s/trials/%05d/job.fio', $folder, $i;
	last if !$s->until_or_over($v, sub { -e $job }) || $s->over($v);
	my ($server) = $s->servers or next;
	my $what = $server->{cmd} =~ /storage-daemon/ ? 'storage-daemon' : 'vbench';
	next if $killed{$what}++;
	sleep 0.3;
	kill 'KILL', $server->{pid};
	push @{ $killed{trials} }, $i;
}
$s->finish($v);
$s->exits($v, 4, 'servers killed: exit 4');
my @t = $s->trials;
is(scalar @t, 4, '... and the run went on to its end');
is(scalar @{ $killed{trials} // [] }, 2, 'one server of each kind was killed');
for my $i (0 .. $#t) {
	if (grep { $_ == $i } @{ $killed{trials} // [] }) {
		is($t[$i]{ok}, 0, "trial $i: failed");
		is($t[$i]{cause}, 'server', "trial $i: for what it cannot do without is gone");
		like($t[$i]{detail}, qr/ended by itself .*SIGKILL/, "trial $i: which is said");
	} else {
		is($t[$i]{ok}, 1, "trial $i: measured") or diag($t[$i]{detail});
	}
}
$s->clean('after servers that died');

done_testing;
