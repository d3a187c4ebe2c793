#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# What runs all tests must itself be able to fail: tools/prove.sh over small tests of its own, good and bad, in either list.
use v5.36;
use File::Temp 'tempdir';
use Test::More;

my $dir = tempdir('vbench-test-XXXXXX', TMPDIR => 1, CLEANUP => 1);

sub made ($name, $text) {
	open my $f, '>', "$dir/$name.t" or die "$dir/$name.t: $!";
	print $f "use Test::More;\n$text\ndone_testing();\n";
	close $f or die;
	return "$dir/$name.t";
}

my $good = made(good => 'ok(1);');
my $bad = made(bad => 'is(1 + 1, 3, "a sum"); diag("the cause");');
my $dies = made(dies => 'ok(1); die "of something";');
my $inner = made(inner => 'subtest part => sub { is(2, 3, "a product") or diag("the inner cause") }; diag($_) for 1 .. 40;');
my $worse = made(worse => 'ok(0, "another") for 1 .. 40;');

# Exit status and all that was said.
sub ran (@args) {
	my $text = do { local $ENV{PERL5OPT}; qx{tools/prove.sh prove --timer @args 2>&1} };
	return ($? >> 8, $text);
}

# The part for whoever reads from the end.
sub summary ($text) { return join '', $text =~ /^(\n--- .*)/ms }

for my $args ([], ['--'], ['--', $good, '--'], [$good]) {
	my ($status, $text) = ran(@$args);
	is($status, 2, '[' . join(' ', map { s{.*/}{}r } @$args) . '] is refused');
	like($text, qr/no tests in list \d/, '... with the reason');
}
is((ran('--', @$_))[0], 0, '[' . join(' ', map { s{.*/}{}r } @$_) . '] passes') for [$good], [$good, '--', $good];
isnt((ran('--', @$_))[0], 0, '[' . join(' ', map { s{.*/}{}r } @$_) . '] fails')
	for [$bad], [$good, '--', $bad], [$bad, '--', $good], [$good, $bad, $good], [$good, '--', $dies], ["$dir/none.t"];

my ($status, $text) = ran('--', $good, $bad, '--', $dies, $worse, $inner);
isnt($status, 0, 'four of five fail');
my $end = summary($text);
like($end, qr/^--- \S+bad\.t failed first with:\n#   Failed test 'a sum'/m, 'the first one, and its first words');
like($end, qr/^# the cause$/m, '... and its diagnosis');
like($end, qr/^--- \S+worse\.t failed first with:/m, 'one of the second list');
like($end, qr/^--- \S+inner\.t failed first with:\n +#   Failed test 'a product'/m, 'of a subtest, what failed in it');
like($end, qr/^ +# the inner cause$/m, '... and why');
unlike($end, qr/good\.t/, 'not the one that passed');
# two lines a failure: its name, and where
is(scalar(() = $end =~ /'another'/g), 24 / 2, 'no more than 24 lines of one');
done_testing();
