#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# The page in a real browser: no error on its console, a picture that is not blank, nothing fetched, nothing runs.
use strict;
use warnings;
use Digest::SHA qw(sha256_base64);
use File::Temp qw(tempdir);
use Test::More;

my $writer = $ENV{VBENCH_REPORT_TEST} // 'build/tests/report';
my ($chromium) = grep { -x } map { ("$_/chromium", "$_/chromium-browser", "$_/google-chrome") }
	split /:/, $ENV{PATH};
my $dir = tempdir('vbench-page-XXXXXX', TMPDIR => 1, CLEANUP => 1);

-x $writer or plan skip_all => "$writer is not built (make check-unit)";

sub slurp {
	my ($path) = @_;
	open my $f, '<:raw', $path or return '';
	local $/;
	return scalar <$f>;
}

my %page;
for my $kind (qw(rich hostile none empty)) {
	is(system($writer, '--page', $kind, "$dir/$kind.html"), 0, "$kind model: a page is written");
	$page{$kind} = slurp("$dir/$kind.html");
}
(my $ladder = $writer) =~ s{report$}{ladder};
for my $kind (-x $ladder ? qw(plain hostile) : ()) {
	is(system($ladder, '--page', $kind, "$dir/ladder-$kind.html"), 0, "$kind ladder: a page is written");
	$page{"ladder-$kind"} = slurp("$dir/ladder-$kind.html");
}

# --- what can be seen without a browser ---

for my $kind (sort keys %page) {
	my ($css) = $page{$kind} =~ m{<style>(.*?)</style>}s;
	my ($policy) = $page{$kind} =~ m{http-equiv="Content-Security-Policy" content="([^"]*)"};
	my $hash = sha256_base64($css);
	$hash .= '=' while length($hash) % 4;
	like($policy, qr/default-src 'none'/, "$kind: the policy allows nothing");
	unlike($policy, qr/unsafe|script-src|https?:/, "$kind: and has no way around");
	ok(index($policy, "style-src 'sha256-$hash'") >= 0, "$kind: the style's hash is right");
	unlike($page{$kind}, qr/<[^<>]*\s(?:style|on\w+)=/, "$kind: no inline style, no handler");
	unlike($page{$kind}, qr/<script|<iframe|<object|<embed|<img/i, "$kind: nothing that runs or loads");
	my @links = $page{$kind} =~ /<[^<>]*\s(?:src|href|xlink:href)="([^"]*)"/g;
	is_deeply([ grep { !/^(?:#|data:,$)/ } @links ], [], "$kind: links stay in the page");
	my %seen;
	$seen{$_}++ for $page{$kind} =~ /<[^<>]*\sid="([^"]*)"/g;
	is_deeply([ grep { $seen{$_} > 1 } sort keys %seen ], [], "$kind: ids are unique");
	is_deeply([ grep { /^#./ && !$seen{ substr $_, 1 } } @links ], [], "$kind: links lead somewhere");
	my @levels = $page{$kind} =~ /<h([1-6])/g;
	is(scalar(grep { $_ == 1 } @levels), 1, "$kind: one h1");
	is_deeply([ grep { $levels[$_] > $levels[ $_ - 1 ] + 1 } 1 .. $#levels ], [], "$kind: no heading level is skipped");
	like($page{$kind}, qr/<html lang="en">/, "$kind: its language is said");
	my @ragged;
	for my $table ($page{$kind} =~ m{<table.*?</table>}gs) {
		my %width;
		$width{ scalar(() = $_ =~ /<t[hd][\s>]/g) }++ for $table =~ m{<tr>.*?</tr>}gs;
		push @ragged, substr $table, 0, 200 if keys %width > 1;
	}
	is_deeply(\@ragged, [], "$kind: all rows of a table have as many fields");
	is_deeply([ grep { !/\sscope=/ } $page{$kind} =~ /(<th[\s>][^<]*?>)/g ], [], "$kind: table headers have a scope");
}
ok(length($page{rich}) < 1_500_000, 'the rich page is under 1.5 MB: ' . length $page{rich});

# WCAG 2.1, 1.4.3: text against its background at least 4.5 : 1, in both schemes.
sub luminance {
	my @c = map { hex } $_[0] =~ /^#(..)(..)(..)$/;
	my ($r, $g, $b) = map { my $s = $_ / 255; $s <= 0.03928 ? $s / 12.92 : (($s + 0.055) / 1.055)**2.4 } @c;
	return 0.2126 * $r + 0.7152 * $g + 0.0722 * $b;
}
sub contrast {
	my ($x, $y) = sort { $b <=> $a } map { luminance($_) } @_;
	return ($x + 0.05) / ($y + 0.05);
}
my @schemes = $page{rich} =~ /:root \{(.*?)\}/gs;
for my $i (0, 1) {
	my %v = $schemes[$i] =~ /--(\w+): (#\w{6})/g;
	for my $text (qw(ink muted better worse accent bad)) {
		for my $on (qw(paper card)) {
			my $c = contrast($v{$text}, $v{$on});
			ok($c >= 4.5, sprintf '%s scheme: %s on %s has contrast %.1f', ('light', 'dark')[$i], $text, $on, $c);
		}
	}
	ok(contrast($v{ink}, $v{warn}) >= 4.5, 'warnings too');
}

# --- in Chromium ---

# A port of the loopback on which nobody listens stands for the network: what the page wanted from it would fail, loudly.
sub browse {
	my ($file, @options) = @_;
	my $profile = tempdir('profile-XXXXXX', DIR => $dir);
	my $log = "$dir/log";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDOUT, '>', "$log.out" or die;
		open STDERR, '>', $log or die;
		exec 'timeout', '-k', '5', '120', $chromium, qw(--headless --no-sandbox --disable-gpu --no-first-run
			--disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage
			--disable-extensions --hide-scrollbars --enable-logging=stderr --v=0
			--proxy-server=http://127.0.0.1:9), "--user-data-dir=$profile", @options, "file://$file";
		exit 127;
	}
	waitpid $pid, 0;
	return ($? >> 8, slurp($log), slurp("$log.out"));
}

# Width and height of a PNG [PNG, 11.2.2], and how many bytes its picture needs packed: a blank one next to none.
sub png {
	my $data = slurp($_[0]);
	return (0, 0, 0) unless substr($data, 0, 8) eq "\x89PNG\r\n\x1a\n";
	return (unpack('NN', substr $data, 16, 8), length $data);
}

SKIP: {
	skip 'no chromium here (package chromium)', 1 unless $chromium;
	my @console;

	# The console speaks: else its silence below would say nothing.
	open my $f, '>', "$dir/bad.html" or die;
	print $f "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\"><body onload='x()'><img src='x.png'>";
	close $f;
	my ($rc, $log) = browse("$dir/bad.html", '--dump-dom');
	like($log, qr/CONSOLE/, 'an offence against the policy would be seen on the console');

	for my $kind (sort keys %page) {
		my $dom;
		($rc, $log, $dom) = browse("$dir/$kind.html", "--screenshot=$dir/$kind.png", '--window-size=1400,1800');
		is($rc, 0, "$kind: Chromium shows the page");
		@console = grep { /CONSOLE|ERR_|Refused/ } split /\n/, $log;
		is_deeply(\@console, [], "$kind: no error on its console");
		my ($w, $h, $size) = png("$dir/$kind.png");
		is("$w x $h", '1400 x 1800', "$kind: a picture of the size asked for");
		ok($size > 20_000, "$kind: that is not blank ($size bytes packed)");
	}
	($rc, $log, my $dom) = browse("$dir/rich.html", '--dump-dom');
	like($dom, qr/id="$_"/, "the browser's tree holds $_")
		for qw(decision warnings w0 w1 checks failures skipped repeat host time method provenance profile);
	($rc, $log, $dom) = browse("$dir/hostile.html", '--dump-dom');
	unlike($dom, qr/<script|<b onload|<img/i, 'hostile text stays text in the browser\'s tree');

	# A frame of 360 px: nothing is wider than it but what scrolls by itself.
	for my $width (360, 1400) {
		open $f, '>', "$dir/frame.html" or die;
		print $f "<body style='margin:0'><iframe src='rich.html' style='width:${width}px;height:900px;border:0'></iframe>",
			"<script>onload = () => { const d = frames[0].document.documentElement;",
			"document.title = d.scrollWidth + ' of ' + d.clientWidth; }</script>";
		close $f;
		($rc, $log, $dom) = browse("$dir/frame.html", '--allow-file-access-from-files', '--dump-dom');
		like($dom, qr/<title>$width of $width</, "$width px wide: the page fits");
	}
}
done_testing();
