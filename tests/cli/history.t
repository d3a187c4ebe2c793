#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# `vbench history` as a user types it. The store is made by the unit test of histories (tests/unit/history.c), where its
# nights are stated: a loss of 10 % on the 38th night, two nights missing after the 10th, another kernel from the 20th on.
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

my $vbench = $ENV{VBENCH} // getcwd() . '/vbench';
my ($maker) = grep { -x } $ENV{VBENCH_HISTORY_TEST} // (), 'build/tests/history', 'build/san/tests/history';
BAIL_OUT('no ./vbench; run make') unless -x $vbench;
BAIL_OUT('no build/tests/history; run make check-programs') unless $maker;

my $dir = tempdir(CLEANUP => 1);
$ENV{XDG_DATA_HOME} = "$dir/data";
$ENV{TZ} = 'UTC';
delete $ENV{COLUMNS};
my @db = ('--db', "$dir/h.db");

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

sub flat { my $t = shift; $t =~ s/\s+/ /g; return $t }

is(system($maker, '--make', $dir), 0, 'a store with nights is made');

# The terminal.
my ($rc, $out, $err) = vbench('history', 'plain', @db);
is($rc, 1, 'the newest confirmed change is for the worse: exit 1');
is($err, '', 'nothing on stderr');
like($out, qr/^plain: 45 nights on this host, one a day/, 'how many nights');
like(flat($out), qr/-10\.\d % worse since b"><script>alert\(1\)<\/script>\?\[31m, found 2023-12-23; confirmed by more than one night/,
	'the change, its build and the night on which it was found');
unlike($out, qr/[^\n\x20-\x7e]/, 'no control character of a label gets to the terminal');
like($out, qr/GAP: 2 nights without a run between 2023-11-23 and 2023-11-26/, 'missing nights are an alarm');
like(flat($out), qr/the host's kernel, firmware and neighbours are in it/, 'what a bare series cannot tell');
my @plot = grep { /^.{13}\|/ } split /\n/, $out;
cmp_ok(scalar @plot, '>=', 5, 'a plot');
is(scalar(() = join('', @plot) =~ /o/g), 45, 'with a point a night');
{
	local $ENV{COLUMNS} = 48;
	(undef, $out) = vbench('history', 'plain', @db);
	my @long = grep { length > 48 && !/^  newest/ } split /\n/, $out;
	is_deeply(\@long, [], 'a narrow terminal: nothing is wider');
}

# Nights of the gate.
($rc, $out) = vbench('history', 'profiles/gated.ini', @db);
is($rc, 1, 'a path names its profile; exit 1');
like(flat($out), qr/ratio to the reference build/, 'the gate: by the ratio');
like(flat($out), qr/-4\.\d % worse since c00000ea, .* confirmed by fresh blocks against the reference build/,
	'a loss of 4 % under a host that wanders by 30 %');
unlike($out, qr/bare series/, 'and the host is not in it');

# Too few nights, and no profile named.
($rc, $out) = vbench('history', @db);
is($rc, 0, 'three nights: exit 0');
like($out, qr/^young: 3 nights.*not said: 3 of the 8 nights/s, 'the newest profile; what it takes to say more');
unlike($out, qr/^.{13}\|/m, 'and no plot');

# JSON.
($rc, $out) = vbench('history', 'plain', '--json', @db);
is($rc, 1, '--json: the same exit status');
my $j = decode_json($out);
is(scalar @{ $j->{nights} }, 45, '--json: nights');
is($j->{series}[0]{metric}, 'read.iops', 'the primary metric');
is(scalar @{ $j->{series}[0]{points} }, 45, 'a point each');
is_deeply([map { [@$_{qw(night found direction)}] } @{ $j->{series}[0]{changes} }], [[37, 37, 'worse']], 'the change');
is_deeply($j->{gaps}[0], { after_night => 9, missing => 2 }, 'the gap');
is($j->{gaps}[1]{after_night}, 44, 'and that no night has come since');
is($j->{nights}[19]{changed}, 'host kernel 6.1.0-40 -> 6.1.0-41', 'a changed kernel is on its night');
is($j->{series}[0]{drift}{p}, undef, 'no drift is told across a step');

# The page.
($rc, $out) = vbench('history', 'plain', '--html', "$dir/h.html", @db);
is($rc, 1, '--html: the same exit status');
is($out, "$dir/h.html\n", 'and prints where it is');
open my $f, '<:raw', "$dir/h.html" or die;
my $page = do { local $/; <$f> };
close $f;
unlike($page, qr/<script/, 'a label is no markup');
like($page, qr/&lt;script&gt;/, 'it is text');
like($page, qr/default-src 'none'; style-src 'sha256-[A-Za-z0-9+\/]{43}='/, 'the policy allows one sheet');
is(scalar(() = $page =~ /<circle /g), 45, 'a point a night');
my ($css) = $page =~ m{<style>(.*?)</style>}s;
require Digest::SHA;
my ($want) = $page =~ /sha256-([^']+)/;
is(Digest::SHA::sha256_base64($css) . '=', $want, 'the hash is that of the sheet');
SKIP: {
	skip 'no xmllint', 1 unless grep { -x "$_/xmllint" } split /:/, $ENV{PATH};
	my ($svg) = $page =~ m{(<svg.*?</svg>)}s;
	open my $o, '>:raw', "$dir/h.svg" or die;
	print $o $svg;
	close $o;
	is(system('xmllint', '--noout', "$dir/h.svg"), 0, 'the drawing is well-formed');
}

# What is wrong.
for ([['nowhere', @db], qr/no complete run of profile "nowhere" on this host/],
	[['plain', '--metric', 'read.x', @db], qr/no metric "read.x"/],
	[['plain', '--cell', "x\e[31m", @db], qr/no cell "x\?\[31m"/],
	[['plain', 'gated', @db], qr/one PROFILE at a time/],
	[['plain', '--json', '--html', 'x', @db], qr/exclude each other/],
	[['plain', '--metric'], qr/--metric is not an option of it, or lacks its value/],
	[['plain', '--db', "$dir/none.db"], qr/none\.db/]) {
	my ($args, $says) = @$_;
	($rc, $out, $err) = vbench('history', @$args);
	is($rc, 2, "history @{[map { s/[^ -~]/?/gr } @$args[0 .. ($#$args < 2 ? $#$args : 2)]]}: exit 2");
	like($err, $says, 'and says why');
}
($rc, $out) = vbench('history', '--help');
is($rc, 0, '--help: exit 0');
like($out, qr/^Usage: vbench history/, 'and the usage');

done_testing;
