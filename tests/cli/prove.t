#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# What the statistics promise, in the short form of make prove-statistics: each figure is a test. Before that, what `ok`
# is worth: made-up values, half of which must not pass, and the same figures from one thread as from two.
use v5.36;
use Test::More;

my $program = $ENV{VBENCH_PROOF} // 'build/prove/statistics';
plan skip_all => "$program is not built; run make check-programs" unless -x $program;

sub run (@args) {
	open my $f, '-|', $program, @args or die "$program: $!";
	my @lines = <$f>;
	close $f;
	return ($? >> 8, @lines);
}

subtest 'judging' => sub {
	my ($status, @lines) = run('--judging');
	my (%said, $order);
	for (grep { !/^#/ } @lines) {
		like($_, qr/^\S+ +\S+ (?:<=|>=|=|==)\S+ +(?:ok|not)\b/, 'a line is NAME VALUE BOUND ok|not');
		my ($name, undef, undef, $verdict) = split;
		$said{$name} = $verdict;
		is($verdict, $order++ % 2 ? 'not' : 'ok', $name);
	}
	is($order, 16, 'all of them');
	is($status, 1, 'figures that do not hold make the status 1');
	($status) = run('--judging', '--only', 'twin.fails');
	is($status, 0, 'those that hold make it 0');
	($status, @lines) = run('--judging', '--tap');
	is(scalar(grep { /^not ok \d+ - / } @lines), 8, 'TAP says not ok');
	ok((grep { /^1\.\.16$/ } @lines), 'TAP has a plan');
};

subtest 'one thread or two' => sub {
	my sub figures (@args) {
		my ($status, @lines) = run('--short', '--only', 'part3', @args);
		return grep { !/^#/ } @lines;
	}
	my @one = figures('--threads', 1);
	cmp_ok(scalar @one, '>', 5, 'there are figures');
	is_deeply([figures('--threads', 2)], \@one, 'the same figures');
	my @other = figures('--seed', 2);
	is(scalar @other, scalar @one, 'with another seed as many');
	isnt($other[0], $one[0], 'but others');
};

subtest 'figures' => sub {
	my ($rc, @lines) = run('--short', '--tap');
	my $figures = 0;
	for (@lines) {
		if (/^(not )?ok \d+ - (.*)/) {
			$figures++;
			ok(!$1, $2);
		}
	}
	is($rc, 0, 'all hold');
	cmp_ok($figures, '>', 300, 'hundreds of them');
	for my $part (1 .. 16) {
		ok((grep { /- part$part\./ } @lines), "part $part is there");
	}
	for my $twin (qw(seconds-pooled naive-looks plug-in-variance bootstrap one-template one-run-baseline
		one-run-a-side twin-slides)) {
		ok((grep { /^ok .*\Q$twin\E.*fails as it must/ } @lines), "the wrong twin $twin fails");
	}
};

done_testing;
