#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will measure images that are converted from one source of data, and such as have files beside them.
#
# Expected: the source is made once a run and goes with it; a compressed image takes about half of a plain one (what zlib and
# zstd leave of data that is half noise: arithmetic, 0.5 and a little); conversion has a time; nothing is left behind.
use strict;
use warnings;
use lib 'tests/lib';
use Test::More;
use VBTest;

VBTest::needs();
my $s = sandbox();
my $profile = $s->profile('run.strict' => 'off', 'disk.size' => '32M', 'disk.format' => 'qcow2', 'disk.content' => 'data',
	'disk.compression' => 'none, zlib, zstd', 'disk.aio' => 'threads', 'disk.cache' => 'writeback');
my $dry = $s->vbench('run', '--dry-run', $profile);
$s->exits($dry, 0, '--dry-run');
is(scalar(() = $dry->{stdout} =~ /^  # once a run: 32\.?0* MiB of data in \S+\.raw$/mg), 3, '... names the source for each cell');
is(scalar(() = $dry->{stdout} =~ /^  \$ \S+qemu-img convert /mg), 3, '... and how it is converted');

my $run = $s->start_run($profile);
my %sources;
wait_until(sub {
	$sources{ (stat)[1] } = $_ for grep { -e } glob $s->data . '/images/*/*.raw';
	return $s->over($run);
});
$s->finish($run);
$s->exits($run, 0, 'measured');
is(scalar keys %sources, 1, 'one source was there in the whole run') or diag(explain(\%sources));
my %bytes = map { $_->{label} => $_->{value} } $s->rows("SELECT c.label, s.value FROM sample s JOIN trial t ON t.run = s.run AND t.seq = s.seq "
	. "JOIN cell c ON c.run = t.run AND c.id = t.cell WHERE s.metric = 'image.bytes'");
my ($plain) = map { $bytes{$_} } grep { /none/ } keys %bytes;
cmp_ok($plain // 0, '>=', 32 << 20, 'a plain image holds all the data');
for my $how ('zlib', 'zstd') {
	my ($got) = map { $bytes{$_} } grep { /$how/ } keys %bytes;
	my $share = ($got // 0) / ($plain || 1);
	ok($share > 0.5 && $share < 0.6, "$how leaves half of it") or diag("$share of it");
}
my ($times) = $s->rows("SELECT count(*) AS n FROM sample WHERE metric = 'image.convert' AND value > 1e6");
is($times->{n}, 3, 'the time of each conversion is kept');
$s->clean('after the run');

# Files beside the image: bases of a chain, a data file.
for my $o (['a chain', 'disk.backing' => 3, 'disk.content' => 'data'], ['a data file', 'disk.data-file' => 'on', 'disk.precondition' => 'fill']) {
	my ($what, @keys) = @$o;
	my $v = $s->run($s->profile('run.strict' => 'off', 'disk.format' => 'qcow2', @keys));
	$s->exits($v, 0, "$what: measured");
	my ($taken) = $s->rows("SELECT s.value FROM sample s JOIN run r ON r.id = s.run WHERE metric = 'image.bytes' AND r.uuid = ?", $s->newest->{uuid});
	cmp_ok($taken->{value} // 0, '>=', 16 << 20, "$what: all its files are counted");
	$s->clean("after $what");
}
done_testing();
