#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# The page of an audit: it needs nothing else, lets nothing in, shows what is broken first, and nothing is lost.
use strict;
use warnings;
use Digest::SHA qw(sha256_base64);
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

my $vbench = $ENV{VBENCH} // './vbench';
my $dir = 'tests/fixtures/audit';
my $tmp = tempdir('vbench-audit-XXXXXX', TMPDIR => 1, CLEANUP => 1);
-x $vbench or BAIL_OUT("$vbench is not built; run make");

sub slurp { my ($path) = @_; open my $f, '<:raw', $path or die "$path: $!"; local $/; return scalar <$f> }

sub run_vbench {
	my (@args) = @_;
	open my $p, '-|', $vbench, @args or die "$vbench: $!";
	binmode $p;
	my $out = do { local $/; <$p> };
	close $p;
	return ($? >> 8, $out // '');
}

# A machine that would break out of the page if it could.
my $evil = "</code><script>alert(1)</script>\"'&amp;\x{202e}";
(my $xml = slurp("$dir/all.xml")) =~ s{<name>web</name>}{<name>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;"'</name>};
$xml =~ s{/var/lib/libvirt/images/web\.vmdk}{/i/&lt;img src=x onerror=alert(1)&gt;\&quot;};
$xml =~ s{<emulator>[^<]*</emulator>}{<emulator>/usr/bin/&lt;b&gt;qemu</emulator>};
$xml =~ s{dev='vdc'}{dev='&lt;i&gt;vdc'};
open my $f, '>', "$tmp/evil.xml" or die $!;
print $f $xml;
close $f;

my %page;
for my $case ([ all => "$dir/all.xml", 1 ], [ good => "$dir/good/web.xml", 0 ], [ evil => "$tmp/evil.xml", 1 ], [ host => 'host', -1 ]) {
	my ($name, $target, $want) = @$case;
	my ($status, $out) = run_vbench('audit', $target, '--format', 'html', '--snapshot', "$dir/host.json");
	$want < 0 ? cmp_ok($status, '<=', 1, "$name: exit status") : is($status, $want, "$name: exit status $want");
	$page{$name} = $out;
}

for my $name (sort keys %page) {
	my $page = $page{$name};
	my ($css) = $page =~ m{<style>(.*?)</style>}s;
	my ($policy) = $page =~ m{http-equiv="Content-Security-Policy" content="([^"]*)"};
	my $hash = sha256_base64($css // '');
	$hash .= '=' while length($hash) % 4;
	like($policy, qr/default-src 'none'/, "$name: the policy allows nothing");
	ok(index($policy, "style-src 'sha256-$hash'") >= 0, "$name: the style's hash is right");
	unlike($policy, qr/unsafe|script-src|https?:/, "$name: and has no way around");
	unlike($page, qr/<script|<iframe|<object|<embed|<img|<b>|<i>/i, "$name: nothing that runs or loads, no foreign markup");
	unlike($page, qr/<[^<>]*\s(?:style|on\w+)=/, "$name: no inline style, no handler");
	my @links = $page =~ /<[^<>]*\s(?:src|href|xlink:href)="([^"]*)"/g;
	is_deeply([ grep { !/^(?:#|data:,$|https:)/ } @links ], [], "$name: links go to the page or to sources");
	unlike($page, qr/<(?!a )[a-z]+[^<>]*\s(?:src|href)="https?:/, "$name: only links to click on, nothing fetched");
	my %seen;
	$seen{$_}++ for $page =~ /<[^<>]*\sid="([^"]*)"/g;
	is_deeply([ grep { $seen{$_} > 1 } sort keys %seen ], [], "$name: ids are unique");
	is_deeply([ grep { /^#./ && !$seen{ substr $_, 1 } } @links ], [], "$name: links lead somewhere");
	my @levels = $page =~ /<h([1-6])/g;
	is(scalar(grep { $_ == 1 } @levels), 1, "$name: one h1");
	is_deeply([ grep { $levels[$_] > $levels[ $_ - 1 ] + 1 } 1 .. $#levels ], [], "$name: no heading level is skipped");
	my @ragged;
	for my $table ($page =~ m{<table.*?</table>}gs) {
		my %width;
		$width{ scalar(() = $_ =~ /<t[hd][\s>]/g) }++ for $table =~ m{<tr>.*?</tr>}gs;
		push @ragged, substr $table, 0, 200 if keys %width > 1;
	}
	is_deeply(\@ragged, [], "$name: all rows of a table have as many fields");
	is_deeply([ grep { !/\sscope=/ } $page =~ /(<th[\s>][^<]*?>)/g ], [], "$name: table headers have a scope");
	# what is opened is closed, in order
	my (@open, @wrong);
	(my $body = $page) =~ s{<style>.*?</style>}{}s;
	$body =~ s{^<!DOCTYPE html>}{};
	while ($body =~ m{<(/?)([a-z][a-z0-9]*)\b[^<>]*>}g) {
		my ($end, $tag) = ($1, $2);
		next if $tag =~ /^(?:meta|link)$/;
		if ($end) { push @wrong, "</$tag> after @open" if !@open || pop(@open) ne $tag }
		else { push @open, $tag }
	}
	is_deeply([ \@open, [ @wrong[ 0 .. ($#wrong < 2 ? $#wrong : 2) ] ] ], [ [], [] ], "$name: well nested");
}

# The page and the JSON say the same, and what is broken stands first, must before should before may.
{
	my (undef, $json) = run_vbench('audit', "$dir/all.xml", '--json', '--snapshot', "$dir/host.json");
	my @rules = @{ decode_json($json)->{rules} };
	my @broken = grep { $_->{state} eq 'broken' } @rules;
	my @want = map { my $w = $_; map { $_->{id} } grep { $_->{weight} eq $w } @broken } qw(must should may);
	is_deeply([ $page{all} =~ /<h3 id="([^"]*)"/g ], \@want, 'broken rules in order of their weight');
	my @silent = grep { my $id = $_->{id}; $page{all} !~ /\b\Q$id\E\b/ } @rules;
	is_deeply([ map { $_->{id} } @silent ], [], 'each rule is on the page');
	for my $r (@broken) {
		my ($part) = $page{all} =~ m{<h3 id="$r->{id}">(.*?)(?=<h3|<section)}s;
		ok(index($part, qq(href="$r->{sources}[0]{url}")) > 0, "$r->{id}: its source is a link");
	}
	like($page{all}, qr/>@{[ scalar @broken ]} of @{[ scalar @rules ]} rules are not followed/, 'counts at the top');
	cmp_ok(index($page{all}, '<h3 id='), '<', index($page{all}, 'id="unknown"'), 'broken before unknown');
}
like($page{good}, qr/No rule of \d+ is broken/, 'the good machine: said so');
like($page{evil}, qr{&lt;/title&gt;&lt;script&gt;}, 'a hostile name is shown, escaped');

# In a real browser: nothing on the console, nothing wider than 800 pixels.
SKIP: {
	my ($chromium) = grep { -x } map { ("$_/chromium", "$_/chromium-browser") } split /:/, $ENV{PATH};
	skip 'no chromium', 2 if !$chromium;
	open my $o, '>', "$tmp/evil.html" or die $!;
	print $o $page{evil};
	close $o;
	my $log = `timeout 60 "$chromium" --headless --no-sandbox --disable-gpu --enable-logging=stderr --window-size=800,1200 --user-data-dir=$tmp/c --screenshot=$tmp/page.png file://$tmp/evil.html 2>&1`;
	unlike($log, qr/CONSOLE/, 'nothing on the console');
	ok(-s "$tmp/page.png", 'a picture');
}
done_testing();
