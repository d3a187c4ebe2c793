#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will ask `vbench bisect` for what it must refuse before any guest is started.
#
# Expected: exit status 2 and the remedy; with --step 128, for git bisect run takes 1 to 124 for "bad" and stops at 128 (git-bisect(1)).
use strict;
use warnings;
use lib 'tests/lib';
use Test::More;
use VBTest;

BAIL_OUT('vbench is not built; run make') if !-x VBTest::program();
my $s = sandbox();
my $p = $s->profile('disk.backend' => 'null');
my @ends = ('--good', 'disk.latency=1ms', '--bad', 'disk.latency=2ms');

sub refused {
	my ($what, $status, $like, @args) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $v = $s->vbench('bisect', @args);
	$s->exits($v, $status, $what);
	like($v->{stderr}, $like, "... $what: and why");
	is($v->{stdout}, '', "... $what: nothing on stdout");
}

my $v = $s->vbench(qw(bisect --help));
$s->exits($v, 0, '--help');
like($v->{stdout}, qr/^usage: vbench bisect /, '... prints the usage');
like($v->{stdout}, qr/\Q$_\E/, "... with $_") for qw(--good --bad --step --builds --error --cap --series), 'git bisect run', '125';
like($s->vbench('help')->{stdout}, qr/^\s*bisect\s/m, 'the list of commands names it');

refused('no profile', 2, qr/which profile/);
refused('a profile that is not there', 2, qr/no profile "nowhere"/, 'nowhere', @ends);
refused('two profiles', 2, qr/one too many/, $p, $p, @ends);
refused('no ends', 2, qr/both ends are needed/, $p);
refused('one end', 2, qr/both ends are needed/, $p, @ends[0, 1]);
refused('a list and ends', 2, qr/names the ends itself/, $p, '--builds', $s->{dir}, @ends);
refused('an unknown option', 2, qr/--help/, $p, @ends, '--frobnicate');
refused("--$_->[0] $_->[1]", 2, qr/--$_->[0]: .*$_->[2]/, $p, @ends, "--$_->[0]", $_->[1])
	for ['cap', 3, 'from 4'], ['end-pairs', 1, 'from 2'], ['among', 1, 'from 2'], ['error', '50%', 'at most 40%'], ['error', 0, 'above 0'],
	['min-effect', 'nan', 'write a share'], ['cap', '5x', 'no number'];

# what is no fault of a build must not be taken for its verdict
refused('a wrong key of a step', 128, qr/latencyy/, $p, @ends, '--step', 'disk.latencyy=1ms');
refused('a step without ends', 128, qr/both ends are needed/, $p, '--step', 'disk.latency=1ms');
refused('a step of a profile that is not there', 128, qr/no profile/, 'nowhere', @ends, '--step', 'disk.latency=1ms');
refused('a wrong key of an end', 2, qr/latencyy/, $p, '--good', 'disk.latencyy=1ms', '--bad', 'disk.latency=1ms');
my $axis = $s->profile('disk.backend' => 'null', 'disk.latency' => '1ms, 2ms');
refused('an end that is an axis', 2, qr/axis/, $axis, @ends);

# lists
refused('a list that is not there', 2, qr{/nowhere: No such file}, $p, '--builds', '/nowhere');
my $one = spurt("$s->{dir}/one", "# only one\n/bin/true\n");
refused('a list of one build', 2, qr/1 build; it takes two/, $p, '--builds', $one);
my $not = spurt("$s->{dir}/not", "/bin/true\n/etc/hostname-that-is-not\n");
refused('a list with a build that is not there', 2, qr/build 2, .*No such file/, $p, '--builds', $not);
mkdir "$s->{dir}/empty";
refused('an empty folder', 2, qr/0 builds; it takes two/, $p, '--builds', "$s->{dir}/empty");

ok(!-e $s->data . '/bisect', 'nothing was recorded');
$s->clean('after all refusals');
done_testing;
