#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will make nights of the gate in real guests: an A/A night, one with an injected slow-down, and a re-run of a red build.
#
# Expected: equal builds are not called worse (screen and confirmation together err once in 1,800 nights here: 5 % in 90 nights
# over two series); a null disk whose latency is made six times as long is never called the same, and is worse unless the host is
# so loud that the gate says that it could not see.
use strict;
use warnings;
use lib 'tests/lib';
use JSON::PP;
use TAP::Parser;
use Test::More;
use VBTest;

VBTest::needs(programs => ['xmllint']);
my $s = sandbox();
# few blocks of a loud host see little: must-see is as high as it goes, and a blind night is no red one
my $profile = $s->profile('disk.backend' => 'null', 'disk.latency' => '500us', 'disk.iothread' => 'on', 'disk.ring' => 'split, packed',
	'guest.vcpus' => 1, 'workload r.rw' => 'randread', 'workload r.iodepth' => 1, 'workload r.runtime' => '200ms',
	'gate.blocks' => 4, 'gate.confirm' => 4, 'gate.must-see' => '50%', 'gate.rate' => '5%');

sub points {
	my ($v) = @_;
	my $p = TAP::Parser->new({ tap => $v->{stdout} });
	my %points;
	while (my $r = $p->next) { $points{ $r->description =~ s/^- //r } = $r->is_ok if $r->is_test }
	is(join(' ', $p->parse_errors), '', 'TAP parses');
	return %points;
}

# --- the first night keeps its build; equal builds are green, or blind on a loud host ---

my $v = $s->vbench('gate', '--init', '--wait', '--label', 'build 1', $profile);
my %points = points($v);
ok($v->{status} == 0 || $v->{status} == 3, 'A/A: green, or blind on a loud host') or diag("$v->{status}\n$v->{stdout}$v->{stderr}");
is(scalar(grep { /: worse/ } keys %points), 0, 'A/A: no series is worse');
is(scalar(grep { /^r, (?:split|packed): (?:same|better|blind), / } keys %points), 2, 'A/A: both series have figures') or diag($v->{stdout});
like($v->{stdout}, qr/^# 2 pairs of cells, 2 series, 4 blocks; .* s a trial; /m, 'cells, blocks, trial length and wall time are stated');
like($v->{stdout}, qr/^# spread of a trial: sd /m, '... and spread');
like($v->{stdout}, qr/^# tonight could see a harm of /m, '... and what could have been seen');
$s->clean('after a night');

my ($run) = $s->rows("SELECT r.* FROM run r JOIN gate g ON g.screen_run = r.uuid WHERE g.kind = 'night'");
is($run->{trials}, 2 * 2 * 4, 'the run has both arms of both cells in four blocks');
is($run->{label}, 'build 1', '... and the label');
my @templates = $s->rows("SELECT block, json_extract(c.keys, '\$.\"guest.qemu\"') AS qemu, count(DISTINCT template) AS n FROM trial t JOIN run r ON r.id = t.run "
	. "JOIN cell c ON c.run = t.run AND c.id = t.cell WHERE r.uuid = ? GROUP BY block, qemu", $run->{uuid});
is(scalar @templates, 4 * 2, 'two builds in each block');
is(scalar(grep { $_->{n} != 1 } @templates), 0, '... with a template each');
is(scalar(grep { $_->{qemu} =~ m{/ref/.*/qemu-system$} } @templates), 4, 'one of them is the kept build');

# --- a slow-down in tonight's arm: red on the first night, or blind on a loud host; never green ---

my $junit = "$s->{dir}/gate.xml";
$v = $s->vbench('gate', '--wait', '--inject', 'disk.latency=3ms', '--junit', $junit, $profile);
%points = points($v);
ok($v->{status} == 1 || $v->{status} == 3, 'a slow-down: exit 1 on the first night, or 3 on a loud host') or diag("$v->{status}\n$v->{stdout}$v->{stderr}");
my $word = $v->{status} == 1 ? 'worse' : 'blind';
is(scalar(grep { /^r, \w+: (?:worse|blind), / && !$points{$_} } keys %points), 2, '... and no series passes for the same') or diag($v->{stdout});
cmp_ok(scalar(grep { /^r, \w+: $word, / } keys %points), '>=', 1, "... and one is $word");
is(system("xmllint --noout --schema tests/fixtures/junit.xsd $junit 2>/dev/null"), 0, 'JUnit is valid') or diag(slurp($junit));
like(slurp($junit), $word eq 'worse' ? qr/<failure [^>]*type="worse"/ : qr/<error [^>]*type="blind"/, '... and has it');
my ($night) = $s->rows("SELECT * FROM gate WHERE kind = 'night' ORDER BY begun DESC LIMIT 1");
is($night->{state}, $word eq 'worse' ? 'red' : 'blind', 'the night is recorded');
isnt($night->{confirm_run} // '', $night->{screen_run}, '... with two runs, where there was a suspect');
is_deeply(decode_json($night->{doc})->{injected}, ['disk.latency=3ms'], '... and what was injected');

# --- the same build again, were it really red: its record gets more blocks, and no new test ---

SKIP: {
	skip 'the host is too loud for a suspect', 7 if !$night->{confirm_run};
	my $db = DBI->connect('dbi:SQLite:dbname=' . $s->db_file, '', '', { RaiseError => 1 });
	my $doc = decode_json($night->{doc});
	$doc->{injected} = [];
	$db->do("UPDATE gate SET doc = ?, state = 'red' WHERE uuid = ?", {}, encode_json($doc), $night->{uuid});
	$db->do("UPDATE gate_series SET state = 'worse' WHERE stage = 2 AND gate = (SELECT id FROM gate WHERE uuid = ?)", {}, $night->{uuid});
	$db->disconnect;
	$v = $s->vbench('gate', '--wait', $profile);
	points($v);
	my ($again) = $s->rows("SELECT * FROM gate WHERE kind = 'night' ORDER BY begun DESC LIMIT 1");
	is($again->{joins}, $night->{uuid}, 'a re-run joins the record of the red night');
	is($again->{screen_run}, undef, '... and screens nothing');
	like($v->{stdout}, qr/joined record .*: 2 runs of 4 blocks/, '... and says so');
	my ($n) = $s->rows('SELECT n FROM gate_series s JOIN gate g ON g.id = s.gate WHERE g.uuid = ? LIMIT 1', $again->{uuid});
	is($n->{n}, 8, '... all its blocks count');
	like($again->{state}, qr/^(?:red|cleared)$/, '... and it is red until they show otherwise');
	like($s->vbench('gate', 'show', $profile)->{stdout}, qr/joins \Q@{[substr $night->{uuid}, 0, 8]}\E/, 'show: the record that it joined');
}

$s->clean('after all nights');
done_testing;
