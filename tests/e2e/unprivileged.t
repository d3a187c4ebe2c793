#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will run the quick profile as a user without any rights: no root, no group, no home.
#
# Expected: as many trials as the profile has cells and workloads, all under TCG where /dev/kvm may not be opened.
use strict;
use warnings;
use lib 'tests/lib';
use File::Basename qw(dirname);
use Test::More;
use VBTest;

VBTest::needs();
my $s = sandbox();
my @as;
if (!$>) {
	plan skip_all => 'no runuser' if !VBTest::in_path('runuser');
	my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
	plan skip_all => 'no user nobody' if !defined $uid;
	@as = qw(runuser -u nobody --);
	chown $uid, $gid, $s->{xdg};
}

# The checkout may lie where others cannot go: the program stands beside what it needs, as there.
my $bin = "$s->{dir}/bin";
my $guest = VBTest::guest();
mkdir $bin;
mkdir "$bin/build";
is(system('cp', '-rL', VBTest::program(), "$bin/vbench"), 0, 'a copy of the program');
is(system('cp', '-rL', $guest, "$bin/build/guest"), 0, '... and of the guest');
is(system('cp', '-r', 'profiles', "$bin/profiles"), 0, '... and of the profiles');
system 'chmod', '-R', 'a+rX', $bin;
delete $ENV{VBENCH_GUEST};

my @run = ({ before => \@as, program => "$bin/vbench", env => { HOME => '/nonexistent', VBENCH_GUEST => "$bin/build/guest" } });
my $v = $s->start(@run, qw(run --wait quick --set run.blocks=1 --set host.free=64M --set guest.accel=tcg));
my $g;
$s->until_or_over($v, sub { ($g) = $s->guests });
my ($uid) = slurp('/proc/' . ($g ? $g->{pid} : 0) . '/status') =~ /^Uid:\s+(\d+)/m;
$s->finish($v);
$s->exits($v, 0, 'the quick profile: exit 0');
isnt($uid // -1, 0, 'QEMU is not root');
my $run = $s->newest;
is($run->{status}, 'complete', 'the run is complete');
my ($cells) = $s->rows('SELECT count(*) AS n FROM cell');
my ($work) = $s->rows('SELECT count(*) AS n FROM workload');
my @trials = $s->trials;
cmp_ok($cells->{n}, '>=', 4, 'several cells');
is(scalar @trials, $cells->{n} * $work->{n}, 'each cell with each workload');
is(scalar(grep { $_->{ok} } @trials), scalar @trials, 'all measured') or diag(map { "$_->{label}: $_->{detail}\n" } grep { !$_->{ok} } @trials);
is(scalar(grep { $_->{key} eq 'guest.accel' && $_->{asked} eq 'tcg' && $_->{got} eq 'tcg' && !$_->{state} } $s->checks), scalar @trials, 'under TCG');
is((stat $s->db_file)[4], (stat $s->{xdg})[4], 'the store is that user\'s');
ok(-s "$run->{folder}/report.html", 'the page is there');
$s->clean('after the run');

# Nothing of it needs a writable home or the checkout.
my $doctor = $s->vbench(@run, 'doctor');
unlike($doctor->{stderr}, qr/AddressSanitizer|Segmentation/, 'doctor runs, too');
like($doctor->{stdout}, qr/^PASS|^WARN|^FAIL/m, '... and says what it found');
done_testing();
