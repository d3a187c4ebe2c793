#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# `vbench runs` as a user types it: list, show, export, import, and what it says when something is wrong.
# The store is made by the unit test of bundles (tests/unit/bundle.c, store_sample.h), whose run is stated there.
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

my $vbench = $ENV{VBENCH} // getcwd() . '/vbench';
my ($maker) = grep { -x } $ENV{VBENCH_BUNDLE_TEST} // (), 'build/tests/bundle', 'build/san/tests/bundle';
BAIL_OUT('no ./vbench; run make') unless -x $vbench;
BAIL_OUT('no build/tests/bundle; run make check-programs') unless $maker;

my $A = 'aaaa1111-0000-4000-8000-000000000001';
my $C = 'bbbb3333-0000-4000-8000-000000000003';
my $dir = tempdir(CLEANUP => 1);
$ENV{XDG_DATA_HOME} = "$dir/data";
$ENV{TZ} = 'UTC';

# Exit status, stdout, stderr.
sub vbench {
	my $pid = fork // die;
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$dir/out" or die;
		open STDERR, '>', "$dir/err" or die;
		exec $vbench, @_;
		exit 127;
	}
	waitpid $pid, 0;
	my ($status, @text) = ($?);
	for my $name (qw(out err)) {
		open my $f, '<:raw', "$dir/$name" or die;
		local $/;
		push @text, scalar <$f>;
	}
	return ($status & 127 ? "signal $status" : $status >> 8, map { $_ // '' } @text);
}

# Nothing there yet.
my ($rc, $out, $err) = vbench('runs');
is($rc, 0, 'no store: exit 0');
is($out, '', 'and nothing on stdout');
like($err, qr/No runs yet in \Q$dir\E\/data\/vbench\/vbench\.db.*vbench run/, 'but a sentence on stderr');
ok(!-e "$dir/data", 'and looking makes nothing');
($rc, $out) = vbench('runs', '--json');
is_deeply(decode_json($out), [], '--json: an empty list');
($rc, $out, $err) = vbench('runs', 'show', 'last');
is($rc, 2, 'show without a store: exit 2');
like($err, qr/no such store/, 'and says so');

# A store with two runs.
is(system($maker, '--make', $dir), 0, 'the sample store is made');
my @db = ('--db', "$dir/from.db");
($rc, $out, $err) = vbench('runs', @db);
is($rc, 0, 'list: exit 0');
my @lines = split /\n/, $out;
is(scalar @lines, 3, 'a head and two runs');
like($lines[0], qr/^RUN\s+LABEL\s+PROFILE\s+BEGUN\s+OK\s+FAILED\s+LIMIT\s+PLANNED\s+STATUS$/, 'the head');
# 1700000000 s is 2023-11-14 22:13:20 UTC; the other began a minute later. 5 trials, of which number 3 failed.
like($lines[1], qr/^bbbb3333\s+evil \?\[31m\? label\s+quick\s+2023-11-14 22:14\s+0\s+0\s+0\s+6\s+running, tcg$/,
	'newest first; control characters of a label do not reach the terminal');
like($lines[2], qr/^aaaa1111\s+build 7\s+quick\s+2023-11-14 22:13\s+4\s+1\s+0\s+6\s+complete, tcg$/, 'the other');
($rc, $out) = vbench('runs', '--json', @db);
my $list = decode_json($out);
is($list->[1]{uuid}, $A, 'json: uuid');
is($list->[1]{trials_failed}, 1, 'json: failed trials');
is($list->[1]{trials_limit}, 0, 'json: trials at a limit');
is($list->[1]{begun_ns}, 1700000000000000000, 'json: begun');

# One run.
($rc, $out) = vbench('runs', 'show', 'build 7', @db);
is($rc, 0, 'show by label: exit 0');
like($out, qr/^run\s+\Q$A\E$/m, 'its id');
like($out, qr/^trials\s+4 ok, 1 failed, 6 planned in 3 blocks$/m, 'its trials');
# 0xfedcba9876543210 in decimal.
like($out, qr/^seed\s+18364758544493064720$/m, 'its seed, all 64 bits');
like($out, qr/^  00000000000000c2\s+1 ok\s+1 failed\s+nvme$/m, 'a cell: trials 1 and 3, of which 3 failed');
like($out, qr/^  randread: randread 4k, QD 8, 700 ms$/m, 'its workload');
like($out, qr/^  3, cell 00000000000000c2, randread: qemu: QEMU was killed by SIGSEGV$/m, 'its failure');
unlike($out, qr/\x1b/, 'no escape from a guest console');
($rc, $out) = vbench('runs', '--json', 'show', 'aaaa', @db);
my $run = decode_json($out);
is($run->{seed}, '18364758544493064720', 'json: the seed as text');
is($run->{cells}[1]{keys}{'disk.bus'}, 'nvme', 'json: keys of a cell');
is($run->{cells}[1]{keys}{'disk.mode'}, undef, 'json: a key that does not apply');
is($run->{failures}[0]{cause}, 'qemu', 'json: the failure');
for my $which ('last~5', 'nothing', 'aaa') {
	($rc, $out, $err) = vbench('runs', 'show', $which, @db);
	is($rc, 2, "show $which: exit 2");
	like($err, qr/^vbench: .*\Q$which\E/, 'and names it');
}

# From store to store.
my $bundle = "$dir/moved.tar.zst";
($rc, $out, $err) = vbench('runs', 'export', 'last~1', '-o', $bundle, @db);
is($rc, 0, 'export: exit 0') or diag $err;
is($out, "$bundle\n", 'and prints the file');
($rc, $out, $err) = vbench('runs', 'export', 'last~1', '-o', $bundle, @db);
is($rc, 2, 'export again: exit 2');
like($err, qr/exists already/, 'since it replaces nothing');
SKIP: {
	skip 'no tar or zstd', 1 if system('tar --version >/dev/null 2>&1 && zstd --version >/dev/null 2>&1');
	# GNU tar reads it, and sees what the folder held.
	my @names = sort split /\n/, `tar --zstd -tf $bundle 2>/dev/null`;
	is_deeply([grep { !/caf/ } @names],
		[sort qw(manifest.json run.db artefacts/run.log artefacts/trials/ artefacts/trials/0/
			artefacts/trials/0/fio.json artefacts/trials/0/empty)], 'GNU tar lists it');
}
($rc, $out, $err) = vbench('runs', 'import', $bundle);
is($rc, 0, 'import: exit 0') or diag $err;
like($out, qr/: imported run \Q$A\E$/, 'and names the run');
ok(-e "$dir/data/vbench/runs/$A/trials/0/fio.json", 'its artefacts are in the runs folder');
($rc, $out) = vbench('runs', 'import', $bundle);
is($rc, 0, 'import again: exit 0');
like($out, qr/is there already.*nothing changed/, 'and nothing changed');
my (undef, $there) = vbench('runs', '--json', 'show', $A, @db);
my (undef, $here) = vbench('runs', '--json', 'show', $A);
my ($one, $two) = map { my $j = decode_json($_); delete $j->{folder}; $j } $there, $here;
is_deeply($two, $one, 'the run here is the run there, but for its folder');
($rc, $out, $err) = vbench('runs', '--json', 'import', "$dir/missing.tar", $bundle);
is($rc, 2, 'a missing bundle: exit 2');
like($err, qr/missing\.tar/, 'and names it');
is(decode_json($out)->[0]{uuid}, $A, 'the one after it was still looked at');
open my $f, '>', "$dir/junk.tar.zst" or die;
print $f 'junk' x 1000;
close $f;
($rc, $out, $err) = vbench('runs', 'import', "$dir/junk.tar.zst");
is($rc, 2, 'junk: exit 2');
like($err, qr/no bundle of vbench/, 'and says so');

# Damage.
open $f, '>', "$dir/bad.db" or die;
print $f 'not a database, but long enough to look like one' x 100;
close $f;
($rc, $out, $err) = vbench('runs', '--db', "$dir/bad.db");
is($rc, 2, 'a damaged store: exit 2');
like($err, qr/damaged or no SQLite database.*left as it is/, 'and says what to do');
is(-s "$dir/bad.db", 4800, 'and leaves it alone');

# Misuse.
for my $case (['dance'], ['show'], ['show', 'a', 'b'], ['export'], ['import'], ['--nonsense'], ['-o', 'x'],
	['import', '-o', 'x', 'y'])
{
	($rc, $out, $err) = vbench('runs', @$case);
	is($rc, 2, "runs @$case: exit 2");
	like($err, qr/vbench runs --help/, 'and names the help');
}
($rc, $out) = vbench('runs', '--help');
is($rc, 0, '--help: exit 0');
like($out, qr/$_/, "and tells of $_") for qw(show export import --db --json);

done_testing();
