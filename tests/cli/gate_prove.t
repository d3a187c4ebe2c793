#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will ask `vbench gate prove` for what it must refuse, and for its answer without a bank.
#
# Expected: exit status 2 and the remedy for bad input, 3 where there is too little to say; no guest is started.
use strict;
use warnings;
use lib 'tests/lib';
use JSON::PP;
use Test::More;
use VBTest;

BAIL_OUT('vbench is not built; run make') if !-x VBTest::program();
my $s = sandbox();
my $null = $s->profile('disk.backend' => 'null', 'gate.blocks' => 4, 'gate.confirm' => 6);

sub refused {
	my ($what, $like, @args) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $v = $s->vbench('gate', 'prove', @args);
	$s->exits($v, 2, $what);
	like($v->{stderr}, $like, "... $what: and why");
	is($v->{stdout}, '', "... $what: nothing on stdout");
}

my $v = $s->vbench(qw(gate prove --help));
$s->exits($v, 0, '--help');
like($v->{stdout}, qr/^usage: vbench gate prove /, '... prints the usage');
like($v->{stdout}, qr/\Q$_\E/, "... with $_") for qw(--bank --blocks --inject --effects --nights --json);

refused('no profile', qr/which profile/);
refused('a profile that is not there', qr/no profile "nowhere"/, 'nowhere');
refused('two profiles', qr/one too many/, $null, $null);
refused('an unknown option', qr/--help/, $null, '--frobnicate');
refused('--blocks alone', qr/goes with --bank/, $null, '--blocks', 5);
refused("--blocks $_", qr/no number from 1 to 1000/, $null, '--bank', '--blocks', $_) for 0, -1, '1e3', 1001, '';
refused("--effects '$_'", qr/percents parted by commas/, $null, '--effects', $_) for '', '0', '2,,3', '2,3,', '-5', 'x', '101', 'nan', 'inf';
refused('too many effects', qr/more than/, $null, '--effects', join(',', 1 .. 17));

# what cannot be injected into is refused before anything is measured
my %no = (
	'a file' => [qr/has no latency to raise.*disk\.backend=null/s, $s->profile],
	'the main loop' => [qr/whole milliseconds.*disk\.iothread=on/s, $s->profile('disk.backend' => 'null', 'disk.iothread' => 'off')],
	'an axis' => [qr/disk\.latency is an axis/, $s->profile('disk.backend' => 'null', 'disk.latency' => '1ms, 2ms')],
);
refused("--inject into $_", $no{$_}[0], $no{$_}[1], '--inject') for sort keys %no;

$v = $s->vbench('gate', 'prove', $null);
$s->exits($v, 3, 'without a bank nothing is proved');
like($v->{stdout}, qr/bank: empty.*--bank --blocks/, '... and it says how to fill it');
unlike($v->{stdout}, qr/false alarms/, '... and claims no rate');
ok(!-e $s->db_file, '... and makes no store');

$v = $s->vbench('gate', 'prove', $null, '--json');
$s->exits($v, 3, '--json');
my $j = eval { decode_json($v->{stdout}) } // {};
is($j->{bank}{blocks}, 0, '... the bank is empty');
is($j->{false_alarms}, undef, '... no rate');
is_deeply([@{ $j->{gate} }{qw(blocks confirm)}], [4, 6], '... the shape of a night is that of the profile');
is_deeply([map { $_->{effect} } @{ $j->{found} }], [0.02, 0.03, 0.05, 0.1], '... the slow-downs of part 13');

$s->clean('after all refusals');
done_testing;
