#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will kill vbench (SIGKILL) at 20 random instants of a run, each time go on with --resume, and hold the store
# that comes of it against that of an undisturbed run of the same seed.
#
# Expected: the undisturbed run's own rows; no process after a kill, no file after the next start.
use strict;
use warnings;
use lib 'tests/lib';
use Test::More;
use Time::HiRes qw(time sleep);
use VBTest;

VBTest::needs();
my $KILLS = $ENV{VBENCH_KILLS} // 20;
my $seed = srand($ENV{VBENCH_TEST_SEED} // time);
diag("instants: VBENCH_TEST_SEED=$seed");

# 2 cells x 4 workloads x 4 blocks: a template is a third of a block, so that kills hit all there is.
my @change = ('disk.ring' => 'split, packed', 'guest.vcpus' => 1, 'run.blocks' => 4,
	map { ("workload $_.rw" => 'randwrite', "workload $_.runtime" => '50ms') } 'a' .. 'd');

# What must be equal: cells with their keys, workloads, and trials in their order.
sub picture {
	my ($s, $uuid) = @_;
	my ($run) = $s->rows('SELECT * FROM run WHERE uuid = ?', $uuid);
	my @cells = $s->rows('SELECT idx, id, label, keys FROM cell WHERE run = ? ORDER BY idx', $run->{id});
	my @work = $s->rows('SELECT idx, id, name, keys, describe FROM workload WHERE run = ? ORDER BY idx', $run->{id});
	my @trials = map { join ' ', @$_{qw(seq block place cell workload randseed ok fresh)} } $s->trials($uuid);
	my @metrics = map { join ' ', @$_{qw(seq metric)} } $s->rows('SELECT seq, metric FROM sample WHERE run = ? ORDER BY seq, metric', $run->{id});
	# Percentiles and CPU per I/O are left out: a trial of 50 ms has them only when enough I/Os fell into it.
	return { (map { $_ => $run->{$_} } qw(seed blocks trials status axes skipped profile_text)), cells => \@cells, workloads => \@work, in_order => \@trials,
		samples => [grep { !/ cpu_per_io|[.]p\d/ } @metrics] };
}

my $calm = sandbox();
my $v = $calm->run($calm->profile(@change));
$calm->exits($v, 0, 'the undisturbed run: exit 0');
my $want = picture($calm, $calm->newest->{uuid});
is(scalar @{ $want->{in_order} }, 32, '... of 32 trials');
# Beside starting up, which a resumed run does anew.
my $length = $calm->newest->{ended} / 1e9 - $calm->newest->{begun} / 1e9;

my $s = sandbox();
my $profile = $s->profile(@change);
my ($kills, $runs, $stored, %old) = (0, 0, 0);

# The journal of a running vbench: its name appears when the left-overs of the last one have been dealt with.
sub journals { return glob $s->data . '/journal/*' }

sub unfinished { my ($r) = $s->rows("SELECT uuid FROM run WHERE status != 'complete'"); return $r ? $r->{uuid} : undef }

sub compare {
	my ($run) = $s->rows("SELECT uuid FROM run WHERE status = 'complete' ORDER BY begun DESC LIMIT 1");
	is_deeply(picture($s, $run->{uuid}), $want, 'cells, trials and order are those of the undisturbed run');
	my ($again) = grep { $_->{n} > 1 } $s->rows('SELECT run, seq, count(*) AS n FROM trial GROUP BY run, seq');
	ok(!$again, 'no trial is there twice');
	my %blocks;
	push @{ $blocks{"$_->{block}"}{ $_->{template} } }, $_->{seq} for $s->trials($run->{uuid});
	for my $block (sort keys %blocks) {
		# Trials of one template lie side by side: a template does not outlive the process that made it.
		my @seqs = map { my @q = @$_; [$q[0], $q[-1], scalar @q] } values %{ $blocks{$block} };
		is(scalar(grep { $_->[1] - $_->[0] + 1 != $_->[2] } @seqs), 0, "block $block: no template was used again after a kill");
	}
	$runs++;
}

while ($kills < $KILLS) {
	my $uuid = unfinished();
	$v = $s->start_run('--no-report', $uuid ? "--resume=$uuid" : $profile);
	# One in five anywhere from the start of the program on, the others after its clean-up.
	my $early = rand() < 0.2;
	$s->until_or_over($v, sub { scalar grep { !$old{$_} } journals() }) if !$early;
	my $delay = rand($early ? 1.5 : $length / 5);
	my $end = time + $delay;
	sleep 0.01 while time < $end && !$s->over($v);
	if ($s->over($v)) {
		# It came to its end before the kill: what it left is judged, and a new run begins.
		$s->finish($v);
		$s->exits($v, 0, 'a resumed run came to its end: exit 0') or last;
		compare();
		next;
	}
	$s->kill_and_wait($v);
	$kills++;
	my $gone = wait_until(sub { !$s->processes }, $VBTest::GONE);
	my ($n) = $s->rows('SELECT count(*) AS n FROM trial');
	ok($gone, sprintf 'kill %d, %s%.2f s in (%d trials stored): no process is left', $kills, $early ? 'start + ' : '', $delay, $n ? $n->{n} : 0)
		or diag(map { "$_->{pid} $_->{cmd}\n" } $s->processes);
	# What the last kill left must be gone by the time this one's journal was there.
	my @still = grep { $old{$_} } journals();
	is("@still", '', "... and the left-overs of the kill before were dealt with") if !$early;
	%old = map { $_ => 1 } journals();
	$stored = $n->{n} if $n;
}
my $uuid = unfinished();
if ($uuid) {
	$v = $s->run("--resume=" . substr $uuid, 0, 8);
	$s->exits($v, 0, 'after the last kill the run comes to its end: exit 0');
	like($v->{stderr}, qr/^resuming run \S+: $stored of 32 trials are stored/m, '... from where it was') if !$runs;
	compare();
}
$s->clean('at the end');
my %known = map { $_->{folder} => 1 } $s->rows('SELECT folder FROM run');
is(join(' ', grep { !$known{$_} } glob $s->data . '/runs/*'), '', 'no folder of a run that the store does not know');
my $check = ($s->rows('PRAGMA integrity_check'))[0];
is($check->{integrity_check}, 'ok', 'the store is whole');
is(scalar $s->rows('PRAGMA foreign_key_check'), 0, '... in its references, too');
done_testing();
