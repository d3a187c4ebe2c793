#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will keep a reference build, break it, move the host, and read what the gate says; no guest is started.
#
# Expected: statuses are those of `vbench gate --help`; TAP is read by TAP::Parser and JUnit by xmllint, independent programs.
use strict;
use warnings;
use lib 'tests/lib';
use JSON::PP;
use TAP::Parser;
use Test::More;
use VBTest;

VBTest::needs(programs => ['xmllint']);
my $s = sandbox();
my $profile = $s->profile('profile.title' => 'gated', 'disk.backend' => 'null', 'disk.size' => '16M');
my ($name) = $profile =~ m{([^/]+)\.ini$};

# A night that cannot measure: the profile's seed keeps it from other work, and an impossible reserve of room from guests.
sub night { return $s->vbench('gate', '-q', '--wait', '--set', 'host.free=1000T', @_, $profile) }

sub points {
	my ($text) = @_;
	my $p = TAP::Parser->new({ tap => $text });
	my %points;
	while (my $r = $p->next) {
		$points{ $r->description =~ s/^- //r } = $r->is_ok if $r->is_test;
	}
	return ($p, \%points);
}

# --- bad input ---

$s->exits($s->vbench('gate'), 2, 'no profile: exit 2');
$s->exits($s->vbench('gate', 'accept', $profile), 2, 'accept without --why: exit 2');
my $v = $s->vbench('gate', $profile);
$s->exits($v, 2, 'no reference: exit 2');
like($v->{stderr}, qr/vbench gate accept \S+ --why/, '... and says what to type');
like($v->{stdout}, qr/^Bail out!/m, '... and TAP says that nothing was tested');
$s->exits($s->vbench('gate', 'accept', $profile, '--why', 'x', '--environment'), 2, '--environment without a reference: exit 2');

my $host = $s->profile('guest.site' => 'host', 'disk.backend' => 'vhost-user', 'disk.server' => 'vbench', 'disk.serves' => 'null', 'guest.accel' => undef);
$v = $s->vbench('gate', 'accept', $host, '--why', 'x');
$s->exits($v, 2, 'a profile whose cells run on the host: exit 2');
like($v->{stderr}, qr/runs on the host, without QEMU or a guest/, '... and says why there is nothing to compare');

# --- a reference; one that was killed while it was made leaves nothing for good ---

$v = $s->start('gate', 'accept', $profile, '--why', 'killed');
ok($s->until_or_over($v, sub { glob $s->data . '/gate-*' }), 'accept makes a folder for a time');
$s->kill_and_wait($v);

$v = $s->vbench('gate', 'accept', $profile, '--why', 'where we begin');
$s->exits($v, 0, 'accept: exit 0');
my ($ref) = glob $s->data . "/ref/*/$name/*-*";
ok($ref && -x "$ref/qemu-system", 'the reference is a folder with a program in it');
like(`$ref/qemu-system --version`, qr/QEMU emulator version/, '... that runs');
my $manifest = decode_json(slurp("$ref/manifest.json"));
my ($qemu) = grep { $_->{name} =~ m{^bin/qemu-system} } @{ $manifest->{files} };
is((split ' ', `sha256sum $ref/$qemu->{name}`)[0], $qemu->{sha256}, '... and is the file of the manifest (sha256sum)');
my ($row) = $s->rows('SELECT * FROM gate');
is("$row->{kind} $row->{state} $row->{why}", 'accept reference where we begin', 'the record says what and why');
ok(length $row->{who}, '... and who');
like($s->vbench('gate', 'show')->{stdout}, qr/^\s+accepted .*where we begin/m, 'show: who, when, why');
$s->exits($s->vbench('gate', 'accept', $profile, '--why', 'x', '--anchor'), 2, '--anchor before there are 20 nights: exit 2');
$s->exits($s->vbench('gate', 'accept', $profile, '--why', 'x', '--from', 'last'), 2, '--from a night that never was: exit 2');

# --- a night that measures nothing is as loud as a slow one ---

my $junit = "$s->{dir}/gate.xml";
$v = night('--junit', $junit);
$s->exits($v, 4, 'nothing measured: exit 4');
my ($parser, $points) = points($v->{stdout});
is(join(' ', $parser->parse_errors), '', 'TAP parses');
is(join(' ', glob $s->data . '/gate-*'), '', '... and what the killed accept left is gone');
like($v->{stdout}, qr/^# blocks: 10 \+ 20, until nights enough have shown the spread/m, 'without nights to plan from: 10 + 20 blocks');
is(decode_json(($s->rows("SELECT doc FROM gate WHERE kind = 'night'"))[0]{doc})->{plan} // '', '10 + 20, until nights enough have shown the spread of a trial',
	'... and the night has it');
ok($parser->is_good_plan, '... and its plan holds');
is(scalar(grep { /^measuring:/ && !$points->{$_} } keys %$points), 1, 'it says that it could not measure');
is(scalar(grep { /^r: missing/ && !$points->{$_} } keys %$points), 1, 'the series is missing');
is(scalar(grep { /^environment:/ && $points->{$_} } keys %$points), 1, 'the environment is as accepted');
is(system("xmllint --noout --schema tests/fixtures/junit.xsd $junit 2>/dev/null"), 0, 'JUnit is valid') or diag(slurp($junit));
is(($s->rows("SELECT state FROM gate WHERE kind = 'night'"))[0]{state}, 'unmeasured', 'the night is recorded');

# --- a workload renamed, a host set up otherwise, another host, a reference that was touched ---

my $text = slurp($profile);
spurt($profile, $text =~ s/workload r\]/workload other]/r);
($parser, $points) = points(night()->{stdout});
is(scalar(grep { /^(?:r|other): renamed/ && !$points->{$_} } keys %$points), 2, 'a renamed workload: old and new name speak');
spurt($profile, $text);

my $db = DBI->connect('dbi:SQLite:dbname=' . $s->db_file, '', '', { RaiseError => 1 });
my $doc = decode_json($row->{doc});
$doc->{environment}{kernel} = '1.0';
$db->do('UPDATE gate SET doc = ? WHERE kind = ?', {}, encode_json($doc), 'accept');
$v = night();
($parser, $points) = points($v->{stdout});
is(scalar(grep { /^environment:/ && !$points->{$_} } keys %$points), 1, 'another kernel: the environment speaks');
like($v->{stdout}, qr/kernel: 1\.0 -> \S+.*\n.*remedy: .*--environment/, '... with old, new and a remedy');
$s->exits($s->vbench('gate', 'accept', $profile, '--environment', '--why', 'new kernel'), 0, 'accept --environment: exit 0');
($parser, $points) = points(night()->{stdout});
is(scalar(grep { /^environment:/ && $points->{$_} } keys %$points), 1, '... and it is quiet again');
is(scalar(() = glob $s->data . "/ref/*/$name/*-*"), 1, '... with the same reference build');

night('--label', 'build-1');
$db->do("UPDATE gate SET build = 'other' WHERE label = 'build-1'");
($parser, $points) = points(night('--label', 'build-1')->{stdout});
is(scalar(grep { /^label:/ && !$points->{$_} } keys %$points), 1, 'another QEMU under an old label speaks');

chmod 0644, "$ref/guest/vmlinuz";
open my $f, '>>', "$ref/guest/vmlinuz" or die $!;
print $f 'x';
close $f;
$v = night();
$s->exits($v, 4, 'a reference that was touched: exit 4');
like($v->{stdout}, qr/^not ok \d+ - reference build: \S+vmlinuz is not the file that was kept/m, '... and says which file');

$db->do("UPDATE gate SET host = 'another'");
$v = night();
$s->exits($v, 4, 'a store of another host: exit 4');
like($v->{stdout}, qr/^not ok 1 - host: /m, '... and the host speaks');

$s->clean('after all');
is(join(' ', glob $s->data . '/gate-*'), '', 'no temporary folder is left');
done_testing;
