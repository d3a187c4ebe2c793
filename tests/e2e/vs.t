#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will compare two QEMU binaries, one of them wrapped to be slower, in one run that is killed on the way and resumed;
# and stop it when it is decided.
#
# Expected: the wrapped one adds 20 ms to each read, and is worse; the schedule is the undisturbed plan's, from --dry-run.
use strict;
use warnings;
use lib 'tests/lib';
use JSON::PP;
use Test::More;
use VBTest;

VBTest::needs(programs => ['cc']);
my $s = sandbox();
my ($qemu) = grep { -x } map { "$_/qemu-system-x86_64" } split /:/, $ENV{PATH};
my $slow = $s->compile('tests/lib/slow.c', 'slow.so', '-shared', '-fPIC', '-ldl');
my $wrapper = spurt("$s->{dir}/slow-qemu", "#!/bin/sh\nLD_PRELOAD='$slow' exec '$qemu' \"\$@\"\n", 0755);

my $profile = $s->profile('disk.aio' => 'threads', 'guest.vcpus' => 1, 'run.decide' => '20%', 'run.max-blocks' => 8, 'workload r.rw' => 'randread',
	'workload r.runtime' => '400ms');
my @vs = ('--vs', "guest.qemu=$wrapper");

my $dry = $s->vbench('run', '--dry-run', @vs, $profile);
$s->exits($dry, 0, 'the plan: exit 0');
my @plan = map { /^  block \d+:(.*)/ ? split(' ', $1) : () } split /\n/, $dry->{stdout};
is(scalar @plan, 16, '... of at most 16 trials');

my $v = $s->start_run(@vs, $profile);
$s->until_or_over($v, sub { $s->trials >= 3 });
$s->kill_and_wait($v);
my $killed = () = $s->trials;
cmp_ok($killed, '>=', 3, 'killed after some trials');

$v = $s->run('--resume', '--json');
$s->exits($v, 0, 'resumed: exit 0');
my $run = $s->newest;
my @trials = $s->trials;
is($run->{status}, 'complete', 'the run is complete');
is(scalar(grep { !$_->{ok} } @trials), 0, 'no trial failed');
cmp_ok(scalar @trials, '<', 16, 'it was decided before the last block');
cmp_ok(scalar @trials, '>=', 8, '... and not before the fourth');
like($v->{stderr}, qr/stopped early: all comparisons are closed/, '... and says so');
is(join(' ', map { $_->{cell_idx} + 1 . ".$_->{workload}" } @trials), join(' ', @plan[ 0 .. $#trials ]), 'the schedule is the planned one, kill or no kill');

# A template for each arm in each block, none of them shared.
my (%templates, %arms);
for my $t (@trials) {
	$templates{ $t->{template} }{"$t->{block} $t->{label}"} = 1;
	$arms{ $t->{label} }++;
}
is_deeply([ sort keys %arms ], [qw(base change)], 'two arms');
is($arms{base}, $arms{change}, '... equally often');
is(scalar(grep { keys %$_ > 1 } values %templates), 0, 'no template is shared by arms or blocks');

my $meta = decode_json($run->{meta});
is_deeply($meta->{vs}{change}, ["guest.qemu=$wrapper"], 'the record has the change');
is_deeply($meta->{vs}{base}, [], '... and a base that says nothing');
is(scalar @{ $meta->{vs}{pairs} }, 1, '... and the pair');
is($meta->{decide}{max_blocks}, 8, '... and how far it was to go');

my $model = $s->model;
is($model->{vs}[0]{verdict}, 'worse', 'the slower binary is named: worse') or diag(explain($model->{vs}));
is($model->{run}{stopped_early} // $model->{stopped_early}, JSON::PP::true, 'the report says that it stopped early');
is((decode_json($run->{primary_metrics}))->{r}, 'read.lat.mean', 'it was stopped by mean latency')
	or diag($run->{primary_metrics});
is($model->{vs}[0]{metric}, 'read.lat.mean', '... which is what the report judges');
$s->clean('at the end');
done_testing;
