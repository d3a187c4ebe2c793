#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will bisect over "builds" whose latency is known: 1 ms is good, 20 ms is bad, whatever the machine does besides.
#
# Expected: exit statuses 0, 1 and 125 as git bisect run takes them (git-bisect(1)), and the build at which the latency rises.
use strict;
use warnings;
use lib 'tests/lib';
use Test::More;
use VBTest;

# On the host, for speed: fio, its vring engine, and the device as a process of its own, which adds the latency.
VBTest::needs_host();
my $s = sandbox();
my $p = $s->profile('guest.site' => 'host', 'guest.accel' => undef, 'disk.driver' => 'vring', 'disk.backend' => 'vhost-user', 'disk.serves' => 'null',
	'disk.wait' => 'eventfd', 'workload r.rw' => 'randread', 'workload r.iodepth' => 1, 'workload r.runtime' => '300ms');
my @ends = ('--good', 'disk.latency=1ms', '--bad', 'disk.latency=20ms', '--end-pairs', 4, '--wait');
my $runs = sub { my @r = $s->rows("SELECT count(*) AS n FROM run"); return @r ? $r[0]{n} : 0 };

# the first step checks the ends, and leaves a record
my $v = $s->vbench('bisect', $p, @ends, '--step', 'disk.latency=19ms');
$s->exits($v, 1, 'a build like the bad end: 1');
like($v->{stdout}, qr/^bad: \+\d+\.\d % to the good end in \d+ pairs/, '... and says so');
like($v->{stderr}, qr/^ends: r, .*: the bad end is worse by \+\d/m, '... after a look at the ends');
is($runs->(), 2, '... with one run for the ends and one for the build');

# a build that cannot be measured is skipped; the record of the ends holds
$v = $s->vbench({ env => { PATH => '/nonexistent' } }, 'bisect', $p, @ends, '--step', 'disk.server=storage-daemon');
$s->exits($v, 125, 'a build that cannot be measured (its server is not installed): 125');
like($v->{stderr}, qr/^ends \(recorded\): /m, '... and the ends are not measured again');
like($v->{stdout}, qr/^undecided: .*could not be measured/, '... and says why');
is($runs->(), 2, '... nothing was run');

# equal ends
$v = $s->vbench('bisect', $p, '--good', 'disk.latency=5ms', '--bad', 'disk.latency=5ms', '--end-pairs', 2, '--wait', '--step', 'disk.latency=5ms',
	'--min-effect', '100%');
$s->exits($v, 125, 'ends that do not differ: 125');
like($v->{stderr}, qr/nothing to bisect: /, '... and why');
is($runs->(), 3, '... and the build is not measured');

# by itself over a list: the third of three "builds", the second being good
my $list = spurt("$s->{dir}/list", "# oldest first\n1ms\n1ms\n20ms\n");
$v = $s->vbench('bisect', $p, '--builds', $list, '--key', 'disk.latency', '--end-pairs', 4, '--wait', '-q');
$s->exits($v, 0, 'a list of builds');
like($v->{stdout}, qr/^it came with build 3 of 3: 20ms\n  the last good one is 1ms$/m, '... the build is named');
is($runs->(), 5, '... the one in the middle was measured, and once more; these ends are on record');

$s->clean('after the bisections');
done_testing;
