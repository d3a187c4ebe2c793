#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will run several guests at once: all are there, asked = got for each, they start together and measure together, their
# sums are the sums of what each did; a guest that is killed fails that trial by its number, and nothing is left behind.
#
# Expected: arithmetic on fio's own documents, one of each guest (sums; Jain's index by its definition); the number of QEMUs in
# /proc. How fast anything is is not looked at; trials that this host was too busy for are tried again.
use strict;
use warnings;
use lib 'tests/lib';
use JSON::PP;
use List::Util qw(max min sum);
use Test::More;
use Time::HiRes qw(sleep);
use VBTest;

VBTest::needs(programs => ['cc']);
my $s = sandbox();
my %quick = ('guest.vcpus' => 1, 'guest.memory' => '160M', 'disk.size' => '16M');

sub document { my ($path) = @_; return eval { decode_json(slurp($path)) } // {} }

# Bins of all guests, and how many I/Os.
sub bins {
	my (@docs) = @_;
	my %all;
	for my $d (@docs) {
		my ($job) = grep { $_->{jobname} =~ /^vbench-/ } @{ $d->{jobs} };
		$all{$_} += $job->{read}{lat_ns}{bins}{$_} for keys %{ $job->{read}{lat_ns}{bins} };
	}
	return \%all;
}

# --- 1, 2 and 3 guests, with a load on their CPUs beside the I/O ---

my $profile = $s->profile(%quick, 'guest.count' => '1, 2, 3', 'workload w.rw' => 'randread', 'workload w.iodepth' => 4, 'workload w.cpu-load' => 20,
	'workload w.precondition' => 'fill', 'workload w.runtime' => '3s', 'workload w.ramp' => '300ms');
my %good;
for my $try (1 .. 4) {
	my $v = $s->run($profile);
	$good{ $_->{label} } //= { %$_, folder => $s->newest->{folder} . "/$_->{folder}" } for grep { $_->{ok} } $s->trials;
	my @others = grep { !$_->{ok} && $_->{detail} !~ /measured together for only/ } $s->trials;
	is(join("\n", map { "$_->{label}: $_->{detail}" } @others), '', "no trial failed for another reason than a busy host (try $try)");
	last if keys %good == 3;
}
is(join(', ', sort keys %good), '1 guest, 2 guests, 3 guests', 'measured, and labelled by what they count');

for my $label (sort keys %good) {
	my ($n) = $label =~ /(\d)/;
	my $dir = $good{$label}{folder};
	my $g = document("$dir/guests.json");
	my @docs = map { document($_) } grep { -e } map { "$dir/guest-$_/fio.json" } 2 .. $n;
	my $all = document("$dir/fio.json")->{jobs}[0]{read};
	my @iops = map { $_->{iops} } @{ $g->{guests} };

	is($g->{count}, $n, "$label: as many");
	is(scalar @iops, $n, '... each with its own figures');
	is(scalar @docs, $n - 1, '... and its own document of fio');
	cmp_ok(abs(sum(@iops) - $all->{iops}), '<=', 1e-6 * $all->{iops}, '... which come to the sum');
	for my $i (2 .. $n) {
		my ($job) = grep { $_->{jobname} =~ /^vbench-/ } @{ $docs[$i - 2]{jobs} };
		cmp_ok(abs($job->{read}{iops} - $iops[$i - 1]), '<=', 1e-6 * $iops[$i - 1], "... guest $i: fio's figure is the one told");
		like(slurp("$dir/guest-$i/job.fio"), qr/^cpuload=20$/m, "... guest $i: the load is in its job");
		isnt(slurp("$dir/guest-$i/job.fio"), slurp("$dir/job.fio"), "... guest $i: other addresses than the first's");
	}
	cmp_ok($g->{overlap}, '>=', 0.95, '... measured together');
	ok(defined $g->{spread_ns} && $g->{spread_ns} >= 0, '... the spread of starts is recorded');
	is($g->{guests}[0]{steal}, undef, '... an emulated guest does not know of steal');
	ok(defined $_->{wait} && $_->{wait} >= 0 && $_->{wait} <= 1, '... the wait of its vCPUs is a share') for @{ $g->{guests} };

	my $before = document("$dir/before.json");
	is(scalar @{ $before->{guests} // [] }, $n, '... evidence of each');
	my %paths = map { $_->{image}{info}{filename} => 1 } @{ $before->{guests} };
	is(scalar keys %paths, $n, '... each with an image of its own');
	my %boots = map { $_->{guest}{facts}{boot_id} => 1 } @{ $before->{guests} };
	is(scalar keys %boots, $n, '... each a guest of its own');
	like($good{$label}{template}, qr/^b00-/, '... from a template');
}

# The pooled document: of N guests all I/Os, bin by bin. The first guest's own is what is left of it.
if ($good{'3 guests'}) {
	my $dir = $good{'3 guests'}{folder};
	my $all = bins({ jobs => [{ jobname => 'vbench-', read => document("$dir/fio.json")->{jobs}[0]{read} }] });
	my $others = bins(map { document("$dir/guest-$_/fio.json") } 2, 3);
	is(scalar(grep { $all->{$_} < $others->{$_} } keys %$others), 0, 'merged bins hold every guest\'s');
	my $g = document("$dir/guests.json");
	my @v = map { $_->{iops} } @{ $g->{guests} };
	my ($jain) = $s->rows('SELECT value FROM sample JOIN run ON run.id = sample.run WHERE metric = ? AND uuid LIKE ? AND seq = ?', 'fairness.jain',
		($dir =~ m{/runs/([^/]+)/})[0], $good{'3 guests'}{seq});
	cmp_ok(abs($jain->{value} - sum(@v)**2 / (3 * sum(map { $_**2 } @v))), '<', 1e-9, "Jain's index");
}
is(scalar(keys %{ { map { $_->{template} =~ s/-[^-]*$//r => 1 } values %good } }), 1, 'equal machines share a template');
is(scalar(grep { $_->{state} == 1 } $s->checks), 0, 'asked = got in all of them');
is((grep { $_->{key} eq 'guest.count' } $s->checks)[0]{got}, (grep { $_->{key} eq 'guest.count' } $s->checks)[0]{asked}, 'the number of guests, too');
$s->clean('several guests');

my $m = $s->model;
is(scalar @{ $m->{overcommit}{curves} }, 1, 'the report has a curve');
is(join(' ', map { $_->{guests} } @{ $m->{overcommit}{curves}[0]{at} }), join(' ', sort map { /(\d)/ } grep { /guest/ } map { $_->{label} } grep { $_->{ok} } $s->trials),
	'... over the number of guests');
is(join(' ', map { $_->{word} } @{ $m->{overcommit}{rules} }), 'undecided undecided undecided', '... and no verdict from one block');

# --- one is killed in mid-run ---

my $v = $s->start_run($s->profile(%quick, 'guest.count' => 3, 'workload w.rw' => 'randread', 'workload w.runtime' => '120s'));
my $folder = $s->folder($v);
$s->until_or_over($v, sub { -e "$folder/trials/00000/guest-3/job.fio" });
sleep 3;
is(scalar @{ [$s->guests] }, 3, 'three guests run');
my ($third) = grep {
	my $pid = $_->{pid};
	grep { (readlink($_) // '') =~ m{/guest-3/vb0\.img$} } glob "/proc/$pid/fd/*";
} $s->guests;
ok($third, 'the third is known by its image') && kill 'KILL', $third->{pid};
$s->finish($v);
$s->exits($v, 4, 'a guest killed: nothing could be measured');
my ($t) = $s->trials;
is($t->{cause}, 'qemu', '... the cause');
like($t->{detail}, qr/^guest 3: QEMU ended by itself \(.*SIGKILL/, '... names the guest');
$s->clean('a guest killed');

# --- guests that do harm, two at once: each costs its trial and is named, and the run goes on ---

my $fio = $s->compile('tests/lib/rogue_fio.c', 'fio', '-static');
my $real = slurp(VBTest::guest() . '/fio');
spurt($fio, slurp($fio) . $real . pack('Q<', length $real), 0755);
my $dir = "$s->{dir}/guest-fio";
mkdir $dir;
symlink VBTest::guest() . "/$_", "$dir/$_" for qw(KERNEL vmlinuz modules vbench-agent);
rename $fio, "$dir/fio" or die "$fio: $!";
my %harm = (
	crash => ['fio', qr/^guest 1: fio in the guest ended with signal 6/],
	panic => [qr/^(?:guest|qemu)$/, qr/^guest [12]: .*guest went down/s],
	nonsense => ['agent', qr/^guest [12]: .*not to be believed/],
	flood => [qr/^(?:agent|timeout|guest)$/, qr/^guest [12]: ./],
);
$v = $s->run({ env => { VBENCH_GUEST => $dir } }, $s->profile(%quick, 'guest.count' => 2, 'run.blocks' => 1,
	map { ("workload $_.rw" => 'randread', "workload $_.runtime" => '2s', "workload $_.ramp" => '300ms') } 'good', keys %harm));
$s->exits($v, 4, 'guests that do harm: exit 4');
my %trial = map { $_->{workload} => $_ } $s->trials;
is(scalar keys %trial, 1 + keys %harm, '... and every trial was tried');
for my $how (sort keys %harm) {
	is($trial{$how}{ok}, 0, "$how: the trial failed");
	like($trial{$how}{cause} // '', ref $harm{$how}[0] ? $harm{$how}[0] : qr/^$harm{$how}[0]$/, "$how: cause") or diag($trial{$how}{detail});
	like($trial{$how}{detail} // '', $harm{$how}[1], "$how: the sentence names the guest");
}
ok($trial{good}{ok} || $trial{good}{detail} =~ /measured together for only/, 'the trial beside them was measured') or diag($trial{good}{detail});
$s->clean('after guests that do harm');

# --- what is in force is held against what was asked in each of them ---

my $liar = $s->compile('tests/lib/liar.c', 'liar.so', '-shared -fPIC -pthread');
$v = $s->run({ env => { LD_PRELOAD => $liar, LIAR => '"driver":"qcow2"=>"driver":"raw"' } },
	$s->profile(%quick, 'guest.count' => 2, 'disk.format' => 'qcow2', 'disk.mode' => 'full', 'run.blocks' => 1));
$s->exits($v, 4, 'another format than asked for: exit 4');
($t) = $s->trials;
is($t->{cause}, 'mismatch', '... a mismatch') or diag($t->{detail});
like($t->{detail}, qr/^guest 1: disk\.format: asked qcow2, got raw/, '... that names the guest');
$s->clean('a mismatch');

# --- ratios that this host cannot have ---

my $cpus = `nproc` + 0;
$v = $s->vbench('run', '--dry-run', $s->profile(%quick, 'guest.vcpus' => 2 * $cpus, 'guest.overcommit' => '1, 2'));
$s->exits($v, 0, 'one ratio of two makes a whole number of guests');
like($v->{stdout}, qr/^skipped: overcommit=1: guest\.overcommit=1 of \d+ CPUs? is no whole number/m, '... the other is left out, with the reason');
like($v->{stdout}, qr/^  # 1 guest: \d+ vCPUs on $cpus CPUs?, a ratio of 2$/m, '... and what the first comes to is told');
$v = $s->vbench('run', '--dry-run', $s->profile(%quick, 'guest.memory' => '256G', 'guest.count' => '1, 64'));
like($v->{stdout}, qr/^skipped: 64 guests: 64 guests take .* of memory/m, 'guests that do not fit into memory are left out');
done_testing();
