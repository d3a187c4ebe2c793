#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will run profiles over every bus, ring and format on real guests, and look at all that they leave in the store.
#
# Expected values: the matrix is multiplied out here by hand; settings must be those of the profile (asked) as guest and host
# report them (got); the order must be that of the --dry-run with the same seed.
use strict;
use warnings;
use lib 'tests/lib';
use JSON::PP;
use Test::More;
use Time::HiRes qw(time sleep);
use VBTest;

VBTest::needs();
my $s = sandbox();

# 2 virtio buses x 2 rings x 2 formats, and nvme (which has no ring) x 2 formats: 10 cells.
my @change = ('disk.bus' => 'virtio-blk, virtio-scsi, nvme', 'disk.ring' => 'split, packed', 'disk.format' => 'raw, qcow2',
	'run.blocks' => 2, 'run.label' => 'matrix', 'guest.vcpus' => 1,
	'workload r.rw' => 'randread', 'workload w.rw' => 'randwrite', 'workload w.fsync' => 8, 'workload w.bs' => '8k');
my $profile = $s->profile(@change);
my $CELLS = 10;
my $N = $CELLS * 2 * 2;

# --- what --dry-run announces ---

my $dry = $s->vbench('run', '--dry-run', $profile);
$s->exits($dry, 0, '--dry-run: exit 0');
is(join(' ', glob $s->data . '/*'), '', '--dry-run: makes nothing');
my @cells = map { [split ' '] } $dry->{stdout} =~ /^cell \d+ \w+: (.*)$/mg;
is(scalar @cells, $CELLS, "--dry-run: $CELLS cells");
like($dry->{stdout}, qr/^folded: .*nvme/m, '--dry-run: that nvme has no ring is said');
like($dry->{stdout}, qr/^\s+\$ \S*qemu-system-x86_64 .*-nodefaults/m, '--dry-run: QEMU\'s command line');
like($dry->{stdout}, qr/^\s+\{"execute":"device_add","arguments":.*"packed":true/m, '--dry-run: the QMP commands');
my @schedule = map { [split ' '] } $dry->{stdout} =~ /^  block \d+: (.*)$/mg;
is(scalar @schedule, 2, '--dry-run: a schedule for 2 blocks');

# --- the run, and a second one that wants to measure beside it ---

my $v = $s->start_run($profile);
ok($s->until_or_over($v, sub { $s->trials > 2 }), 'the run is under way');
my ($guest) = wait_until(sub { my @g = $s->guests; @g ? $g[0] : undef }, 30);
my ($uid) = slurp("/proc/" . ($guest ? $guest->{pid} : 0) . '/status') =~ /^Uid:\s+(\d+)/m;
SKIP: {
	skip 'no QEMU was caught in the act', 1 if !defined $uid;
	$> ? is($uid, $>, 'QEMU runs as the user who measures') : isnt($uid, 0, 'QEMU does not run as root');
}
my $second = $s->vbench('run', $profile);
$s->exits($second, 4, 'a second run at the same time: exit 4');
my $uuid = $s->newest->{uuid};
like($second->{stderr}, qr/process $v->{pid}\b.*\Q$uuid\E/, '... and says who measures');
is(scalar $s->rows('SELECT * FROM run'), 1, '... and stores nothing');
$s->finish($v);
$s->exits($v, 0, 'the run: exit 0');
$s->clean('after a run');

# --- trials and their order ---

my $run = $s->newest;
is($run->{status}, 'complete', 'the run is complete');
is($run->{label}, 'matrix', 'the run has its label');
is($run->{trials}, $N, "$N trials were planned");
my @trials = $s->trials;
is(scalar @trials, $N, "$N trials are stored");
is(scalar(grep { $_->{ok} } @trials), $N, 'all of them were measured')
	or diag(map { "$_->{seq} $_->{label} $_->{workload}: $_->{cause}: $_->{detail}\n" } grep { !$_->{ok} } @trials);
is(join(' ', map { $_->{seq} } @trials), join(' ', 0 .. $N - 1), 'they are numbered without a gap');
for my $block (0, 1) {
	my @in = grep { $_->{block} == $block } @trials;
	my @got = map { $_->{cell_idx} + 1 . ".$_->{workload}" } sort { $a->{place} <=> $b->{place} } @in;
	is_deeply(\@got, $schedule[$block], "block $block: the order is the one that --dry-run printed");
	my %once = map { $_ => 1 } @got;
	is(scalar keys %once, $N / 2, "block $block: each cell with each workload once");
	my %seeds = map { $_->{randseed} => 1 } @in;
	is(scalar keys %seeds, 1, "block $block: one seed for fio");
	my %templates = map { $_->{template} => 1 } @in;
	is(scalar keys %templates, 1, "block $block: one template for cells that share all but the disk");
}
isnt("@{$schedule[0]}", "@{$schedule[1]}", 'the blocks have orders of their own');
isnt($trials[0]{randseed}, $trials[-1]{randseed}, 'the blocks have seeds of their own');
isnt($trials[0]{template}, $trials[-1]{template}, 'the blocks have templates of their own');
is(scalar(grep { $_->{fresh} } @trials), $N, 'every guest was a fresh one');

# --- asked against got ---

my @checks = $s->checks;
my %rows = map { ("$_->{seq} $_->{key}" => $_) } @checks;
is(join("\n", map { "$_->{seq} $_->{key}: asked $_->{asked}, got $_->{got}" } grep { $_->{state} == 1 } @checks), '', 'nothing differs from what was asked for');
my @unknown = grep { $_->{state} == 2 } @checks;
is(scalar(grep { $_->{got} !~ /\w \w/ } @unknown), 0, 'what cannot be told has a reason');
my %may = map { $_ => 1 } qw(disk.aio disk.mode disk.latency);
is(join(' ', grep { !$may{$_} } map { $_->{key} } @unknown), '', 'only what shows by its effect may be unknown');
for my $t (@trials) {
	# A cell's label names the values of its axes.
	my ($bus, $format, $ring) = map { $t->{label} =~ /\b($_)\b/ } 'virtio-blk|virtio-scsi|nvme', 'raw|qcow2', 'split|packed';
	my @want = (['disk.bus', $bus], ['disk.format', $format], ['disk.size', '16M'], ['guest.accel', 'tcg'], ['guest.vcpus', 1], ['guest.scheduler', 'none'],
		$bus eq 'nvme' ? () : ['disk.ring', $ring // '?']);
	my @bad = grep { my $r = $rows{"$t->{seq} $_->[0]"}; !$r || $r->{state} || $r->{asked} ne $_->[1] } @want;
	is(join(' ', map { $_->[0] } @bad), '', "trial $t->{seq} ($t->{label}): what was asked for is what was read back");
}

# --- samples ---

my %metric;
push @{ $metric{"$_->{seq} $_->{metric}"} }, $_->{value} for $s->rows('SELECT * FROM sample');
is(scalar(grep { !($metric{"$_->{seq} iops"} && $metric{"$_->{seq} iops"}[0] > 0) } @trials), 0, 'each trial has its IOPS');
for my $t (grep { $_->{seq} < 6 } @trials) {
	my $dir = $t->{workload} eq 'r' ? 'read' : 'write';
	my ($lat, $bw, $iops) = map { $metric{"$t->{seq} $dir.$_"}[0] // 0 } qw(lat.mean bw iops);
	ok($lat > 0, "trial $t->{seq}: $dir latency");
	# 4k reads, 8k writes; fio rounds its figures
	cmp_ok(abs($bw / ($iops || 1) - ($dir eq 'read' ? 4096 : 8192)), '<', 200, "trial $t->{seq}: bandwidth is IOPS x bs");
}
# So short a trial may be too short for its window of steady I/O; not all of them are.
ok(scalar(grep { ($metric{"$_->{seq} cpu_per_io"}[0] // 0) > 0 } @trials), 'CPU per I/O is measured');
# An fsync after every eighth write: a trial of a loaded host may end before it.
ok(scalar(grep { $metric{"$_->{seq} sync.lat.mean"} } grep { $_->{workload} eq 'w' } @trials), 'sync latency is measured');
is(scalar(grep { $metric{"$_->{seq} sync.lat.mean"} } grep { $_->{workload} eq 'r' } @trials), 0, '... of writing trials');

# --- artefacts, facts, page ---

my $folder = $run->{folder};
for my $t (@trials[0, $N - 1]) {
	for my $name (qw(before.json after.json fio.json job.fio plug.txt qemu.txt)) {
		ok(-s "$folder/$t->{folder}/$name", "trial $t->{seq}: $name");
	}
	ok(-e "$folder/$t->{folder}/console.log", "trial $t->{seq}: console.log");
	like(slurp("$folder/$t->{folder}/job.fio"), qr/^randseed=$t->{randseed}$/m, "trial $t->{seq}: fio was given the block's seed");
	my $before = decode_json(slurp("$folder/$t->{folder}/before.json"));
	is($before->{guest}{disk}{size_bytes}, 16 << 20, "trial $t->{seq}: the evidence is that of its disk");
	isnt($before->{host}{uid}, 0, "trial $t->{seq}: QEMU was not root");
}
my $facts = eval { decode_json($run->{host_facts}) } // {};
ok($facts->{kernel} && $facts->{qemu} && $facts->{cpu}, 'the host\'s facts are stored');
like(slurp("$folder/topology.xml"), qr/<topology/, 'the host\'s topology is there');
my $page = slurp("$folder/report.html");
like($page, qr/<html.*<svg.*<\/html>/s, 'the page is there, with plots');
unlike($page, qr/(?:src|href)=["']?https?:/, '... and fetches nothing');
like($v->{stdout}, qr{report: \Q$folder\E/report\.html}, '... and its place is printed');

# --- what is printed where ---

is(scalar(() = $v->{stderr} =~ /^trial \d+\/$N  block [12]  [rw], \S.*: \d+ IOPS$/mg), $N, 'without a terminal: one line a trial');
unlike($v->{stdout} . $v->{stderr}, qr/[\e\r]/, '... and no control characters');
like($v->{stderr}, qr/\b$N trials, about /, 'the cost is printed first');
my $runs = $s->vbench('runs');
$s->exits($runs, 0, 'vbench runs: exit 0');
my $short = substr $uuid, 0, 8;
like($runs->{stdout}, qr/^.*\b$short.*$/m, 'vbench runs lists it');
my $m = $s->model;
is($m->{run}{uuid}, $uuid, 'report --json is the run\'s model');
is($m->{run}{trials_ok}, $N, '... with every trial');

# --- it is over ---

my $again = $s->run('--resume');
$s->exits($again, 2, '--resume without an unfinished run: exit 2');
$again = $s->run("--resume=$short");
$s->exits($again, 2, '--resume of a complete run: exit 2');
like($again->{stderr}, qr/complete/, '... and says that it is');
is(scalar $s->trials, $N, '... and adds nothing');

# --- cold boot, null back end, JSON on stdout ---

$v = $s->run('--json', '--no-report', $s->profile('guest.start' => 'boot', 'disk.backend' => 'null', 'disk.latency' => '1ms', 'disk.queues' => 2));
$s->exits($v, 0, 'cold boot over a null back end: exit 0');
my $json = eval { decode_json($v->{stdout}) } // {};
is($json->{run}{trials_ok}, 1, '--json: stdout is the model');
my ($t) = $s->trials;
is($t->{template}, '', 'cold boot: no template');
my ($lat) = $s->rows('SELECT value FROM sample s JOIN run r ON r.id = s.run WHERE r.uuid = ? AND metric = ?', $s->newest->{uuid}, 'read.lat.mean');
cmp_ok($lat->{value}, '>=', 1e6, 'a null back end of 1 ms is no quicker than that');
ok(!-e $s->newest->{folder} . '/report.html', '--no-report: no page');
$s->clean('at the end');
done_testing();
