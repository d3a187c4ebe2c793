#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# vbench tune without a guest: the space, what is left out of it, the cost beside exhaustive search, and what is refused.
# Expected: counts by hand.
use strict;
use warnings;
use lib 'tests/lib';
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
done_testing;
