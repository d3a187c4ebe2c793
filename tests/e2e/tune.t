#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will tune a guest with a null disk in which one setting is known to be worth much, in a space of 2 x 2 x 2;
# kill it in the search, and see it go on with the same schedule.
#
# Expected: each request takes 40 ms at the start and 1 ms with the better setting, by the back end's own clock.
use strict;
use warnings;
use lib 'tests/lib';
use JSON::PP;
use Test::More;
use VBTest;

VBTest::needs();
my $s = sandbox();
my $profile = $s->profile('disk.backend' => 'null', 'disk.latency' => '40ms, 1ms', 'guest.vcpus' => 1, 'guest.memory' => '160M',
	'workload r.rw' => 'randread', 'workload r.runtime' => '400ms');
my @args = ('--wait', '--no-rules', '--space', 'disk.ring=split,packed', '--space', 'disk.event-idx=on,off', '--budget', 12, '--max-blocks', 5,
	'--min-effect', '20%', '--json');

my $v = $s->start('tune', @args, $profile);
$s->until_or_over($v, sub { $s->trials >= 3 });
$s->kill_and_wait($v);
my ($state) = map { decode_json(VBTest::slurp($_)) } glob $s->data . '/tune/*.json';
is($state->{phase}, 'search', 'killed in the search');
my @before = map { "$_->{seq} $_->{block} $_->{label} $_->{randseed}" } $s->trials($state->{search_run});
cmp_ok(scalar @before, '>=', 3, '... after some trials');

is($state->{db}, $s->db_file, 'it knows where its runs are');
$v = $s->vbench('tune', '--resume', '--wait', '--json');
$s->exits($v, 0, 'resumed: exit 0');
my $r = decode_json($v->{stdout} || '{}');
my @trials = $s->trials($r->{search_run});
is_deeply([ map { "$_->{seq} $_->{block} $_->{label} $_->{randseed}" } @trials[ 0 .. $#before ] ], \@before, 'what was there stays');
is($r->{phase}, 'done', 'it has come to its end');
cmp_ok(scalar @trials, '<=', 12, 'the search kept to its budget');
my %start;
$start{ $_->{block} }++ for grep { $_->{label} =~ /latency=40ms split event-idx=on/ } @trials;
is(scalar keys %start, 1 + $trials[-1]{block}, 'the start is in every block of the race');

isnt($r->{recommended}, 'start', 'something better is recommended');
my ($axis) = grep { $r->{axes}[$_]{key} eq 'disk.latency' } 0 .. $#{ $r->{axes} };
is($r->{ $r->{recommended} }[$axis], '1ms', '... with the setting that is known to be better') or diag($v->{stdout});
my ($setting) = grep { $_->{key} eq 'disk.latency' } @{ $r->{settings} };
is($setting->{word}, 'kept', '... which is kept') or diag(explain($r->{settings}));
for my $other (grep { $_->{key} ne 'disk.latency' } @{ $r->{settings} }) {
	isnt($other->{word}, 'kept', "$other->{key} does nothing, and is not kept") or diag(explain($other));
}
my $proof = $r->{ $r->{recommended} eq 'lean' ? 'confirm' : 'final' };
is($proof->{pairs}[0]{verdict}, 'better', 'the gain is shown in fresh blocks');
cmp_ok($proof->{pairs}[0]{lo}, '>', 1.2, '... and is no small one');

# The profile has a seed: the search's addresses are not the proof's.
my %drawn = map { $_->{randseed} => 1 } @trials;
is(scalar(grep { $drawn{ $_->{randseed} } } $s->trials($r->{final_run})), 0, 'the proof has draws of its own');

# The run of the proof judges the same pairs by itself.
my $model = $s->model($r->{final_run});
is($model->{vs}[0]{verdict}, $r->{final}{pairs}[0]{verdict}, "the report's verdict is the same");
my %labels = map { $_->{uuid} => $_->{label} } $s->rows('SELECT uuid, label FROM run');
like($labels{ $r->{search_run} }, qr/: search$/, 'the search is a run with a label');
like($labels{ $r->{final_run} }, qr/: proof$/, '... and so is the proof');

# The report of the search ranks and does not judge; that of the proof has the tuning.
$model = $s->model($r->{search_run});
is(scalar @{ $model->{search}{cells} }, 8, 'the search is reported as ranks of all cells');
is($model->{search}{winner}, $r->{search}{winner}, '... with its winner');
is_deeply([ grep { defined $_->{verdict} } map { @{ $_->{values} } } map { @{ $_->{rows} } } @{ $model->{workloads} } ], [], '... and no verdict');
like($model->{headline}, qr/None of it is a measurement of gain/, '... which it says');
$v = $s->vbench('report', $r->{final_run}, '--text');
like($v->{stdout}, qr/^tuning: recommended is the (?:winner|search)/m, "the proof's report begins with the tuning");
$v = $s->vbench('report', $r->{final_run}, '-o', "$s->{dir}/final.html");
like(VBTest::slurp("$s->{dir}/final.html"), qr/<h2 id="tuning-h">Tuning</, '... as does its page');
$model = $s->model($r->{final_run});
like($model->{cells}[1]{repeat}, qr/--set disk\.latency=1ms/, "a cell's own command has its settings");
my ($record) = glob $s->data . "/runs/$r->{final_run}*/tuning.json";
spurt($record, '{"format":"vbench-tune-1","final_run":"' . $r->{final_run} . '","recommended":"lean","because":"<b>x","axes":[1,{"key":[]}],"settings":[null,{"key":"<i>"}],"final":7,"confirm":{"pairs":{}},"search":[]}');
$v = $s->vbench('report', $r->{final_run}, '-o', "$s->{dir}/odd.html");
$s->exits($v, 0, 'a record that was edited: the page is made');
unlike(VBTest::slurp("$s->{dir}/odd.html"), qr/<b>x|<i>/, '... and escaped');
$s->exits($s->vbench('report', $r->{final_run}, '--text'), 0, '... and the text');

# Complete runs are not measured again.
my $n = () = $s->rows('SELECT seq FROM trial');
$v = $s->vbench('tune', "--resume=$r->{id}", '--export-dir', "$s->{dir}/export");
$s->exits($v, 0, 'asked again, it says the same');
is(scalar(() = $s->rows('SELECT seq FROM trial')), $n, '... without a trial more');
like($v->{stdout}, qr/^Recommended: /m, '... in words');
like(VBTest::slurp("$s->{dir}/export/domain.xml"), qr/<domain/, 'exported: libvirt');
like(VBTest::slurp("$s->{dir}/export/tuned.ini"), qr/^\[disk\]/m, '... and a profile');
# ^C, in the search: exit 130, and it goes on.
$v = $s->start('tune', @args, $profile);
my $had = () = $s->rows('SELECT seq FROM trial');
$s->until_or_over($v, sub { (() = $s->rows('SELECT seq FROM trial')) > $had });
kill 'INT', $v->{pid};
$s->finish($v);
$s->exits($v, 130, '^C: exit 130');
like($v->{stderr}, qr/go on with: vbench tune --resume=[0-9a-f]{8}/, '... and how to go on');
$v = $s->vbench('tune', '--resume', '--wait', '--export', 'qemu');
$s->exits($v, 0, '... which it does');
like($v->{stdout}, qr/^(?:#.*\n)*\s*qemu-system/, 'an export is all that stands on stdout');
$s->clean('at the end');
done_testing;
