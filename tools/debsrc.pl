#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Reads apt's own source lists (one-line and deb822 files named as arguments) and prints the Debian
# archives among them as deb822 source-package entries, for a private apt configuration.
use strict;
use warnings;

# Third parties carry no fio of Debian's, and may be unreachable.
sub is_debian {
	my ($uri) = @_;
	return $uri =~ m{/debian(?:-security|-archive)?(?:/[0-9TZ]+)?/*$} && $uri !~ m{//[^/]*docker};
}

sub entry {
	my (%f) = @_;
	my @uris = grep { is_debian($_) } split ' ', $f{uris} // '';
	return if !@uris || lc($f{enabled} // 'yes') eq 'no';
	print "Types: deb-src\nURIs: @uris\nSuites: $f{suites}\n";
	print "Components: $f{components}\n" if length($f{components} // '');
	for my $key ('Signed-By', 'Trusted', 'Check-Valid-Until') {
		print "$key: $f{lc $key}\n" if length($f{lc $key} // '');
	}
	print "\n";
}

sub one_line {
	my ($line) = @_;
	$line =~ s/#.*//;
	my ($options, $uri, $suite, $components) =
	    $line =~ /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*?)\s*$/
	    or return;
	my %options = map { /^([^=]+)=(.*)$/ ? (lc $1, $2) : () } split ' ', $options // '';
	entry(%options, uris => $uri, suites => $suite, components => $components);
}

sub stanza {
	my ($text) = @_;
	my (%f, $key);
	for (split /\n/, $text) {
		next if /^#/;
		if (/^([^\s:]+):\s*(.*?)\s*$/) {
			$f{$key = lc $1} = $2;
		} elsif (defined $key && /^\s/) {
			$f{$key} .= "\n$_"; # an embedded key goes on over several lines
		}
	}
	entry(%f) if ($f{types} // '') =~ /\bdeb\b(?!-)/;
}

for my $file (@ARGV) {
	open my $in, '<', $file or next;
	local $/;
	my $text = <$in> // '';
	if ($file =~ /\.sources$/) {
		$text =~ s/^#.*\n//mg;
		stanza($_) for split /\n\s*\n/, $text;
	} else {
		one_line($_) for split /\n/, $text;
	}
}
