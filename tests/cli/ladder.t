#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# `vbench report` of a ladder: text, JSON and page of a store that tests/unit/ladder.c makes and whose times are stated
# there. Expected values are worked out by hand in that file and here.
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

my $vbench = $ENV{VBENCH} // getcwd() . '/vbench';
my ($maker) = grep { -x } $ENV{VBENCH_LADDER_TEST} // (), 'build/tests/ladder', 'build/san/tests/ladder';
BAIL_OUT('no ./vbench; run make') unless -x $vbench;
BAIL_OUT('no build/tests/ladder; run make check-programs') unless $maker;

my $dir = tempdir(CLEANUP => 1);
is(system($maker, '--make', $dir), 0, 'the store is made');
my @report = ($vbench, 'report', 'last', '--db', "$dir/ladder.db");

sub output {
	open my $f, '-|', @_ or die;
	binmode $f;
	local $/;
	my $text = <$f>;
	return (close $f) ? $text : undef;
}

# JSON: the tree, and each layer with its sign, interval and word.
my $model = decode_json(output(@report, '--json') // '{}');
my %rung = map { $_->{rung} => $_ } @{ $model->{ladder} };
is_deeply([ map { $_->{rung} } @{ $model->{ladder} } ], [qw(null file poll twice guest late)], 'rungs in the order of the tree');
is_deeply([ map { $_->{depth} } @{ $model->{ladder} } ], [ 0, 1, 2, 2, 1, 2 ], 'and how deep they stand');
is($rung{poll}{adds}, 'polling', 'what a layer adds is told');
is($rung{guest}{unlike}, JSON::PP::true, 'a step into the emulation is marked');
my %want = (file => [ 1000, 'costs' ], poll => [ -200, 'saves' ], twice => [ 0, 'undecided' ], guest => [ 51000, 'costs' ],
	late => [ 10000, 'costs' ]);
for my $name (sort keys %want) {
	my $w = $rung{$name}{workloads}[0];
	my ($ns, $cpu) = @{$w}{qw(ns_per_io cpu_per_io)};
	my ($mid, $word) = @{ $want{$name} };
	cmp_ok(abs($ns->{layer}{mid} - $mid), '<', 1e-6, "$name: its layer is $mid ns");
	cmp_ok(abs($cpu->{layer}{mid} - 2 * $mid), '<', 1e-6, "$name: and twice that of CPU time");
	is($ns->{word}, $word, "$name: $word");
	is($ns->{layer}{n}, 3, "$name: from 3 pairs");
	cmp_ok($ns->{layer}{lo}, '<=', $ns->{layer}{mid}, "$name: within its interval");
}
is($rung{null}{workloads}[0]{ns_per_io}{word}, undef, 'what stands on the ground has no layer');
cmp_ok(abs($rung{file}{workloads}[0]{ns_per_io}{layer}{hi} - 1000 - 4.302652729749464 * 10 / sqrt 3), '<', 1e-6,
	'the interval is Student\'s');
is_deeply($model->{workloads}[0]{effects}, [], 'no main effects');
is(scalar(grep { $_->{best_set} } @{ $model->{workloads}[0]{rows} }), 0, 'and no best cell');

# Text: equal to what was written by hand.
open my $g, '<:raw', 'tests/golden/ladder.txt' or die;
my $golden = do { local $/; <$g> };
is(output(@report, '--text'), $golden, 'the text report is the golden one');

# The page.
is(system(@report[ 0 .. 4 ], '-o', "$dir/page.html"), 0, 'a page is written');
open my $p, '<:raw', "$dir/page.html" or die;
my $page = do { local $/; <$p> };
like($page, qr{<section id="ladder"}, 'with the ladder');
like($page, qr{a &lt;guest&gt;}, 'words of the profile are escaped');
unlike($page, qr{<guest>}, 'wherever they stand');
my ($row) = $page =~ m{(<tr><th scope="row" class="rung d2">poll<.*?</tr>)}s;
like($row, qr{>\xe2\x88\x92200\xc2\xa0ns \[\xe2\x88\x92225,\xc2\xa0\xe2\x88\x92175\]<.*saves</td>}s, 'a layer that saves has a minus');

done_testing;
