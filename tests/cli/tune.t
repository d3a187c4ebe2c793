#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# vbench tune without a guest: the space, what is left out of it, the cost beside exhaustive search, and what is refused.
# Expected: counts by hand.
use strict;
use warnings;
use lib 'tests/lib';
use JSON::PP;
use Test::More;
use VBTest;

VBTest::needs();
my $s = sandbox();
my $profile = $s->profile('disk.backend' => 'null', 'disk.latency' => '2ms, 1ms');

sub dry { return $s->vbench('tune', '--dry-run', '--no-rules', @_) }

my $v = dry('--space', 'disk.ring=split,packed', '--space', 'disk.event-idx=on,off', $profile);
$s->exits($v, 0, 'a plan: exit 0');
like($v->{stdout}, qr/^The space: 8 cells/m, '2 x 2 x 2 cells');
like($v->{stdout}, qr/disk\.latency +2ms, 1ms +\(the profile\)/, "the profile's list is an axis, its first value the start's");
like($v->{stdout}, qr/disk\.ring +split, packed +\(--space\)/, '... and what was asked for');
like($v->{stdout}, qr/exhaustive search would be 40 trials/, 'the cost stands beside exhaustive search: 8 cells x 5');
is_deeply([glob($s->data . '/runs/*'), glob($s->data . '/tune/*')], [], 'nothing is begun');

$v = dry('--space', 'disk.ring=packed', '--fix', 'disk.latency', $profile);
like($v->{stdout}, qr/^The space: 2 cells/m, "--fix: a list counts by its first value; the start's own value is added");
like($v->{stdout}, qr/disk\.ring +split, packed/, '... in front');

$v = dry('--space', 'disk.cache=none,unsafe,writeback', '--set', 'disk.backend=file', '--set', 'disk.latency=0s', $profile);
like($v->{stdout}, qr/not tried: disk\.cache=unsafe: .*safety is not traded/, 'cache = unsafe is never tried');
like($v->{stdout}, qr/disk\.cache +none, writeback /, '... the others are');
$v = dry('--space', 'disk.cache=directsync,writeback', '--set', 'disk.backend=file', '--set', 'disk.latency=0s', '--set', 'disk.cache=writethrough', $profile);
like($v->{stdout}, qr/not tried: disk\.cache=writeback/, 'a start that writes through is not weakened');
like($v->{stdout}, qr/disk\.cache +writethrough, directsync /, '... but directsync promises the same');

$v = dry('--space', 'disk.ring=packed', '--space', 'disk.blockdev.cache.no-flush=on', $profile);
unlike($v->{stdout}, qr/no-flush +.*on/, 'nor by a pass-through key');

# What less is faster of is no setting; nor is a disk that forgets.
my @kept = ('--set', 'disk.backend=file', '--set', 'disk.latency=0s');
for (
	[ 'disk.backend=file,null',       qr/disk\.backend=null is not tried: keeps nothing/ ],
	[ 'disk.backend=file,vhost-user', qr/disk\.backend=vhost-user is not tried: keeps nothing/ ],
	[ 'disk.size=8M',                 qr/disk\.size=8M is not tried: says what is measured/ ],
	[ 'guest.count=1,2',              qr/guest\.count=2 is not tried: says what is measured/ ],
	[ 'guest.overcommit=1',           qr/guest\.overcommit=1 is not tried: says what is measured/ ],
) {
	my ($space, $says) = @$_;
	$v = dry(@kept, '--space', $space, $profile);
	$s->exits($v, 2, "$space alone is no space: exit 2");
	like($v->{stderr}, $says, '... and why');
}
$v = dry(@kept, '--set', 'disk.count=1, 4', '--space', 'disk.ring=packed', $profile);
like($v->{stdout}, qr/^  disk\.count +1   \(the profile\)$/m, "a profile's list of such counts by its first value");
like($v->{stdout}, qr/not tried: disk\.count=4: says what is measured/, '... which is said');

# What this host cannot do is in no search, and in no price: it has no node 999.
$v = dry('--space', 'guest.nodes=any,999', '--space', 'disk.ring=packed', $profile);
like($v->{stdout}, qr/^The space: 4 cells/m, 'a node that is not here is in no cell of the space: latency x ring are 4');
like($v->{stdout}, qr/exhaustive search would be 20 trials/, '... nor in the price of all');
like($v->{stdout}, qr/^  skipped: 4 cells with nodes=999: this host has no NUMA node 999/m, "... with the reason, once for all of them");

$v = dry('--space', 'guest.nodes=any,999', '--fix', 'disk.latency', $profile);
$s->exits($v, 2, 'only the start can be had here: exit 2');
like($v->{stderr}, qr/nothing but the start can be had here \(.*no NUMA node 999/, '... and why');

# What is optimised is said before anything starts.
$v = dry('--space', 'disk.ring=packed', $s->profile('disk.backend' => 'null', 'workload r.rw' => 'randread', 'workload r.iodepth' => 4, 'workload w.rw' => 'randwrite'));
like($v->{stdout}, qr/^What counts: the geometric mean of /m, 'several workloads: the geometric mean of all');
like($v->{stdout}, qr/read\.iops of r\b.*write\.lat\.mean of w\b/, '... by the metric of each');
$v = dry('--space', 'disk.ring=packed', $s->profile('disk.backend' => 'null', 'workload r.rw' => 'randread', 'workload r.iodepth' => 4, 'workload r.rate' => '500iops'));
like($v->{stdout}, qr/^  note: r asks for a fixed rate, so that its read\.iops cannot get better; --set run\.primary=read\.lat\.p99/m, 'a fixed rate cannot be beaten');

for (
	[ 'no profile',        [],                                                  qr/name a profile/ ],
	[ 'no such profile',   ['nosuch'],                                          qr/no profile "nosuch"/ ],
	[ 'nothing to vary',   [ '--set', 'disk.latency=1ms', $profile ],           qr/nothing to vary; name settings with --space/ ],
	[ 'no such key',       [ '--space', 'disk.rnig=split', $profile ],          qr/rnig/ ],
	[ 'no such value',     [ '--space', 'disk.ring', $profile ],                qr/write KEY=VALUE/ ],
	[ 'no such workload',  [ '--workload', 'nosuch', $profile ],                qr/no workload "nosuch"/ ],
	[ 'a budget of words', [ '--budget', 'much', $profile ],                    qr/neither a number of visits nor a time/ ],
	[ 'no effect at all',  [ '--min-effect', '0', $profile ],                   qr/--min-effect/ ],
	[ 'nothing to resume', ['--resume'],                                        qr/no unfinished tuning/ ],
	[ 'two profiles',      [ $profile, $profile ],                              qr/one too many/ ],
) {
	my ($what, $args, $says) = @$_;
	my @dry = "@$args" =~ /resume/ ? () : ('--dry-run', '--no-rules');
	$v = $s->vbench('tune', @dry, @$args);
	$s->exits($v, 2, "$what: exit 2");
	like($v->{stderr}, $says, '... and the reason');
	is(scalar(split /\n/, $v->{stderr}), 1, '... in one line');
}

# --- what documented practice says ---

sub rules { return $s->vbench('tune', '--dry-run', @_) }

# --- advice for another machine: its host is held against the rules, and its settings are not turned here ---
# NUMA-06: balancing is on where machines float. The audit's host has it off; cloud2 has one node, where there is nothing to balance.
$v = rules('--consent', 'host', '--snapshot', 'tests/fixtures/snapshots/cloud2.json', $profile);
$s->exits($v, 0, '--snapshot with --dry-run');
unlike($v->{stdout}, qr/^  NUMA-06 /m, 'one machine');
like($v->{stdout}, qr/not tried: knob\.thp: a setting of the machine in --snapshot/, 'whose settings are not within reach');
like(rules('--snapshot', 'tests/fixtures/audit/host.json', $profile)->{stdout}, qr/^  NUMA-06 /m, 'and another');
for (['without --dry-run', qr/it goes with --dry-run/, '--snapshot', 'tests/fixtures/snapshots/cloud2.json'], ['no such file', qr/none\.json/, '--dry-run', '--snapshot', 'none.json']) {
	my ($what, $why, @more) = @$_;
	$v = $s->vbench('tune', @more, $profile);
	$s->exits($v, 2, "--snapshot, $what");
	like($v->{stderr}, $why, '... says why');
}

# An IDE disk breaks BLK-01 (tuning.md); the rest is fixed, so that the space is small.
my @fixed = map { ('--fix', $_) } qw(guest.pin guest.pages disk.mode disk.cluster-size disk.extended-l2 disk.l2-cache-size guest.nodes disk.queues disk.poll-max disk.iothread-mapping guest.scheduler disk.queue-size disk.ring disk.iothread);
$v = rules(@fixed, 'profiles/bare.ini');
$s->exits($v, 0, "rules for QEMU's bare defaults: exit 0");
like($v->{stdout}, qr/^Audit of the start: \d+ rules followed, \d+ not \(must 0,/m, 'the start is audited');
like($v->{stdout}, qr/^  BLK-01 +should .*\(disk\.bus\)$/m, '... broken rules stand with their ids');
like($v->{stdout}, qr/disk\.bus +ide, virtio-blk.*\(BLK-01/, '... and the rule is where the values come from');
like($v->{stdout}, qr/not tried: knob\.\S+: changes the whole host; --consent host/, 'settings of the host need consent');
$v = rules(@fixed, '--consent', 'host', 'profiles/bare.ini');
unlike($v->{stdout}, qr/--consent host lets/, '... with it they are tried, or the host has none, or they are in force');

my $xml = spurt("$s->{dir}/domain.xml", <<'XML');
<domain type='kvm'><name>web</name><memory unit='MiB'>256</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='writeback'/><source file='/var/lib/libvirt/images/web.qcow2'/><target dev='sda' bus='sata'/></disk></devices></domain>
XML
my $sh = $s->finish($s->start({ program => '/bin/sh' }, '-c', join ' ', VBTest::program(), 'profile', $xml, '|', VBTest::program(), 'tune', '-', '--dry-run', '--no-rules',
	'--set', 'guest.accel=tcg', '--set', 'disk.size=64M', '--space', 'disk.bus=virtio-blk'));
$s->exits($sh, 0, 'vbench profile FILE | vbench tune -: exit 0');
like($sh->{stdout}, qr/disk\.bus +ahci, virtio-blk/, "... the start is the domain's disk");

for (
	[ 'a knob without consent', [ '--dry-run', '--space', 'knob.thp=always', $profile ], qr/--consent host/ ],
	[ 'no such format',         [ '--export', 'vmx', $profile ],                         qr/there are libvirt, virsh/ ],
	[ 'two results',            [ '--export', 'qemu', '--json', $profile ],              qr/not both/ ],
) {
	my ($what, $args, $says) = @$_;
	$v = $s->vbench('tune', '--no-rules', @$args);
	$s->exits($v, 2, "$what: exit 2");
	like($v->{stderr}, $says, '... and the reason');
}

# --- a state that was edited ---

my $id = '11111111-2222-4333-8444-555555555555';
my %good = (
	format => 'vbench-tune-1', phase => 'done', begun => 1, path => 'p.ini', text => "[disk]\nring = split\n[workload r]\nrw = randread\n",
	label => 'p', sets => [], min_effect => 0.02, max_blocks => 20, blocks => 0, visits => 16, cells => 2, start => '0123456789abcdef',
	exhaustive => JSON::PP::false, keep => JSON::PP::false, axes => [ { key => 'disk.ring', values => [ 'split', 'packed' ], from => 'x' } ], left_out => [],
	search => { winner => '0123456789abcdef', start => '0123456789abcdef', primary => { r => 'read.iops' } }, winner => ['packed'],
	settings => [ { key => 'disk.ring', from => 'split', to => 'packed', axis => 0, word => 'kept', cell => 'x' } ], recommended => 'winner', because => 'it is',
	final => { pairs => [ { base => 'start', change => 'winner', verdict => 'better', speed => 1.2, lo => 1.1, hi => 1.3, blocks => 4 } ] },
	id => $id, map { $_ => $id } qw(search_run final_run confirm_run exhaustive_run),
);
mkdir $s->data;
mkdir $s->data . '/tune';
sub state_is { my (%change) = @_; return spurt($s->data . "/tune/$id.json", JSON::PP->new->encode({ %good, %change })) }

state_is();
$v = $s->vbench('tune', '--resume=1111', '--no-report');
$s->exits($v, 0, 'one that is done is shown');
like($v->{stdout}, qr/kept +disk\.ring: split -> packed/, '... with its settings');
state_is(audit_end => { rules => [ { id => 'BLK-20', weight => 'must', title => 'cache=unsafe only for what may be lost' } ] });
like($s->vbench('tune', '--resume=1111', '--no-report')->{stdout}, qr/^UNSAFE, as the start is: BLK-20, cache=unsafe only/m, 'a start that loses data is no recommendation, and says so');
state_is(final => { max_blocks => 20, pairs => [ { base => 'start', change => 'winner', verdict => 'failed', failed => { failed => 3, of => 20 }, blocks => 17 } ] },
	recommended => 'start', search => { %{ $good{search} }, failed => ['nvme'], visits => 12, cells => 4, primary => { r => 'read.iops', w => 'write.iops' } });
$v = $s->vbench('tune', '--resume=1111', '--no-report');
$s->exits($v, 4, 'trials failed in the proof: exit 4');
like($v->{stdout}, qr/in fresh blocks: 3 of 20 trials failed: failed$/m, '... how many');
like($v->{stdout}, qr/^Cells that left the search because a trial failed or met a limit: nvme$/m, '... cells that left are named');
like($v->{stdout}, qr/^Trials: search 24 \(12 visits/m, '... 12 visits of 2 workloads are 24 trials');
my $best = { cells => 20, trials => 100, failed => 1, rank => 1, best => 'it' };
state_is(all => $best);
like($s->vbench('tune', '--resume=1111', '--no-report')->{stdout}, qr/^All 20 cells measured 5 times \(1 of 100 trials failed\): this is the best of them$/m, 'of all cells, trials that failed are told');
state_is(all => { %$best, failed => 0 });
like($s->vbench('tune', '--resume=1111', '--no-report')->{stdout}, qr/^All 20 cells measured 5 times: this is the best of them$/m, '... and else nothing');
state_is();
for (
	[ 'another id',              id => '../../../../tmp/11111111-2222-4333-8444-555' ],
	[ 'an id of another file',   id => '21111111-2222-4333-8444-555555555555' ],
	[ 'another format',          format => 'vbench-tune-9' ],
	[ 'no phase of ours',        phase => 'over' ],
	[ 'axes that are none',      axes => 'disk.ring' ],
	[ 'values that are numbers', axes => [ { key => 'disk.ring', from => 'x', values => [ 1, 2 ] } ] ],
	[ 'an axis without values',  axes => [ { key => 'disk.ring', from => 'x', values => [] } ] ],
	[ 'a winner too short',      winner => [] ],
	[ 'a setting of no axis',    settings => [ { %{ $good{settings}[0] }, axis => 99 } ] ],
	[ 'a setting without word',  settings => [ { key => 'a', from => 'b', to => 'c', axis => 0 } ] ],
	[ 'no recommendation',       recommended => undef ],
	[ 'one that is not there',   recommended => 'lean' ],
	[ 'a pair of nothing',       final => { pairs => [ {} ] } ],
	[ 'visits without end',      visits => 1e12 ],
	[ 'no smallest effect',      min_effect => -1 ],
	[ 'a kept list of lists',    kept => { record => 'x', settings => { thp => [] } } ],
) {
	my ($what, %change) = @$_;
	state_is(%change);
	$v = $s->vbench('tune', "--resume=$id", '--no-report');
	$s->exits($v, 2, "$what: exit 2");
	like($v->{stderr}, qr/was edited or is broken: "\w+" is not as a tuning writes it/, '... and the field');
	is($s->vbench('tune', '--resume')->{wait} >> 8, 2, '... and it is not the newest unfinished one');
}

# What is only shown may be anything.
state_is(audit => { rules => [ {}, 7 ] }, audit_end => { rules => [ {}, 7, { weight => 'must' } ] }, notes => [ {} ], objective => { r => {} },
	search => { %{ $good{search} }, failed => [ {}, undef ] }, confirm => { pairs => [], again => { workloads => [ {}, 3 ] } });
$v = $s->vbench('tune', "--resume=$id", '--no-report');
$s->exits($v, 0, 'a state with odd things to show: exit 0');

# --- in the middle no rule changes; another host's is not ours to go on with ---

for my $late (['--min-effect', '5%'], ['--budget', 30], ['--max-blocks', 9], ['--blocks', 3], ['--workload', 'r'], ['--no-rules'], ['--check-exhaustive']) {
	$v = $s->vbench('tune', '--resume', @$late);
	$s->exits($v, 2, "--resume with @$late: exit 2");
	like($v->{stderr}, qr/--resume goes on as the tuning was begun/, '... and why');
}
state_is(phase => 'search', host => '0' x 64);
$v = $s->vbench('tune', "--resume=$id");
$s->exits($v, 2, "another host's tuning: exit 2");
like($v->{stderr}, qr/was begun on another host; it can only be resumed there/, '... and why');
like($s->vbench('tune', '--resume')->{stderr}, qr/no unfinished tuning/, '... nor is it the newest of this one');
state_is(host => '0' x 64);
$s->exits($s->vbench('tune', "--resume=$id", '--no-report'), 0, 'one that is done can be looked at');

for my $text ('', '[' x 100_000, "\0" x 4096, '{"format":"vbench-tune-1","format":1}') {
	spurt($s->data . "/tune/$id.json", $text);
	$v = $s->vbench('tune', "--resume=$id");
	$s->exits($v, 2, 'no JSON at all: exit 2');
}
done_testing;
