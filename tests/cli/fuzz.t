#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs each coverage-guided fuzzer of tests/fuzz for FUZZ_SECONDS (20): no crash, leak, hang or undefined behaviour.
use v5.36;
use Test::More;
use File::Basename qw(basename);
use File::Path qw(make_path);

my $seconds = $ENV{FUZZ_SECONDS} || 20;
my @sources = sort glob 'tests/fuzz/*.c';
plan skip_all => 'no fuzzers in tests/fuzz' unless @sources;
plan tests => 2 * @sources;

for my $source (@sources) {
	my $name = basename($source, '.c');
	my $program = "build/fuzz/$name";
	my $corpus = "build/fuzz/corpus/$name";
	my $found = "build/fuzz/found/$name";

	make_path($corpus, $found);
	my @seeds = grep { -d } "tests/fuzz/$name.seeds", "tests/fuzz/corpus/$name", "tests/fuzz/seeds/$name";
	my @dict = grep { -f } "tests/fuzz/$name.dict";

	my $pid = open my $out, '-|';
	defined $pid or BAIL_OUT("fork: $!");
	if (!$pid) {
		open STDERR, '>&', \*STDOUT;
		exec $program, "-max_total_time=$seconds", '-timeout=10', '-rss_limit_mb=1024',
		    '-print_final_stats=1', "-artifact_prefix=$found/", (map { "-dict=$_" } @dict),
		    $corpus, @seeds;
		exit 127;
	}
	my @lines = <$out>;
	close $out;
	my ($error) = grep { $lines[$_] =~ /ERROR: |runtime error: / } 0 .. $#lines;
	$error //= @lines > 60 ? @lines - 60 : 0;
	is $?, 0, "$name: nothing found in $seconds s"
	    or diag join '', @lines[$error .. ($error + 60 < @lines ? $error + 59 : $#lines)];
	my ($runs) = map { /number_of_executed_units: (\d+)/ } @lines;
	my ($cover) = reverse map { /cov: (\d+)/ } @lines;
	note sprintf '%s: %s inputs, %s edges', $name, $runs // '?', $cover // '?';
	# A fuzzer that stops at its first check, or is not instrumented, finds nothing either.
	cmp_ok $runs // 0, '>', 1000, "$name: went through many inputs";
}
