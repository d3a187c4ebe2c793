#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# The #include lines of every room against the table in HACKING.md, and the marks that each file must carry.
use strict;
use warnings;
use Test::More;
use File::Find;

# room -> rooms it may include (itself always). Read from the table, so that text and test cannot part.
my %may;
open my $h, '<', 'HACKING.md' or die "HACKING.md: $!";
while (<$h>) {
	next unless /^\|\s*`([a-z\/-]+)`\s*\|.*\|\s*([^|]+?)\s*\|$/;
	my ($room, $list) = ($1, $2);
	$room =~ s{^harness/}{};
	$may{$room} = { $room => 1 };
	next if $list =~ /^(?:libc|nothing|itself)/;
	for my $word (split /\s*,\s*/, $list) {
		if ($word eq 'all') {
			$may{$room}{'*'} = 1;
		} elsif ($word =~ /wire\.h/) {
			$may{$room}{'guest-agent'} = 1;
		} elsif ($word =~ /^([a-z]+)/) {
			$may{$room}{$1} = 1;
		}
	}
}
close $h;
cmp_ok(scalar keys %may, '>=', 12, 'the table in HACKING.md names the rooms');

# What analysis/model.h includes in its turn, reports may see.
$may{reports}{$_} = 1 for qw(analysis base stats store);

my @files;
find(sub { push @files, $File::Find::name if /\.[ch]$/ }, grep { -d } qw(harness guest-agent reports engines));
cmp_ok(scalar @files, '>', 50, 'there are sources to look at');

my (@bad, @nospdx, @cmd);
for my $f (sort @files) {
	my $room = $f =~ m{^harness/([a-z]+)/} ? $1 : $f =~ m{^(guest-agent|reports|engines)/} ? $1 : '';
	open my $in, '<', $f or die "$f: $!";
	my $n = 0;
	while (<$in>) {
		$n++;
		push @nospdx, $f if $n == 1 && !/SPDX-License-Identifier: GPL-2\.0-or-later/;
		next unless $room && /^\s*#\s*include\s+"([^"]+)"/;
		my $inc = $1;
		my $to = $inc =~ m{^([a-z-]+)/} ? $1 : $room;
		push @cmd, "$f:$n includes $inc" if $to eq 'cmd' && $room ne 'cmd';
		next if $may{$room}{'*'} || $may{$room}{$to};
		push @bad, "$f:$n includes $inc, which room $room may not";
	}
	close $in;
}
is_deeply(\@bad, [], 'every #include is allowed by the table');
is_deeply(\@cmd, [], 'nothing includes cmd');
is_deeply(\@nospdx, [], 'every source begins with its licence');

# sub-commands hold no SQL and speak no QMP
my @leaks;
for my $f (grep { m{^harness/cmd/.*\.c$} } @files) {
	open my $in, '<', $f or die;
	while (<$in>) {
		push @leaks, "$f:$.: $_" if /sqlite3_|qmp_call|\bSELECT\b|\bINSERT\b/;
	}
	close $in;
}
is_deeply(\@leaks, [], 'cmd holds no SQL and no QMP');

done_testing;
