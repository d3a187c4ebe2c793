#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Deliberately bad settings: each file differs from a good machine in one, and is found by the id that its name begins with.
use strict;
use warnings;
use File::Basename qw(basename);
use JSON::PP;
use Test::More;

my $vbench = $ENV{VBENCH} // './vbench';
my $dir = 'tests/fixtures/audit';
-x $vbench or BAIL_OUT("$vbench is not built; run make");

# What an audit says: its exit status, and the ids of broken rules by weight.
sub audit {
	my ($file, @more) = @_;
	open my $p, '-|', $vbench, 'audit', $file, '--json', '--snapshot', "$dir/host.json", @more or die "$vbench: $!";
	my $text = do { local $/; <$p> };
	close $p;
	my $status = $? >> 8;
	my $got = eval { decode_json($text // '') };
	ok($got, basename($file) . ': JSON') or return ($status, [], {});
	my %by;
	push @{ $by{ $_->{weight} } }, $_->{id} for grep { $_->{state} eq 'broken' } @{ $got->{rules} };
	return ($status, [ sort @{ $by{must} // [] }, @{ $by{should} // [] } ], $got);
}

for my $file (sort glob "$dir/good/*") {
	my ($status, $broken) = audit($file);
	is($status, 0, basename($file) . ': exit status 0');
	is_deeply($broken, [], basename($file) . ': nothing is raised');
}

my @bad = sort glob "$dir/bad/*";
cmp_ok(scalar @bad, '>=', 20, 'bad settings there are: ' . @bad);
my %ids;
for my $file (@bad) {
	my $name = basename($file);
	my ($id) = $name =~ /^([A-Z]+-\d+)-/ or die "$name: no id at its beginning";
	my ($status, $broken, $got) = audit($file);
	$ids{$id} = 1;
	is($status, 1, "$name: exit status 1");
	is_deeply($broken, [$id], "$name: $id is broken, and nothing else");
	my ($rule) = grep { $_->{id} eq $id } @{ $got->{rules} // [] };
	my @found = grep { $_->{state} eq 'broken' } @{ $rule->{findings} // [] };
	is(scalar @found, 1, "$name: found once");
	ok($found[0]{found} && $found[0]{want}, "$name: what was found, and what is wanted");
	ok(scalar(keys %{ $found[0]{change} // {} }), "$name: what to change");
	like($rule->{sources}[0]{url} // '', qr{^https://}, "$name: the source");
}
cmp_ok(scalar keys %ids, '>=', 20, 'rules that are tried: ' . keys %ids);

# All at once, a comment in the file naming each.
{
	open my $f, '<', "$dir/all.xml" or die $!;
	my $text = do { local $/; <$f> };
	my %want = map { $_ => 1 } map { /[A-Z]+-\d+/g } $text =~ /<!--(.*?)-->/gs;
	my ($status, $broken) = audit("$dir/all.xml");
	is($status, 1, 'all at once: exit status 1');
	is_deeply($broken, [ sort keys %want ], 'all at once: each is found, ' . keys(%want) . ' rules');
}

# oVirt's list: a machine that has it all, and one with what it forbids, one at a time. Names as on oVirt's page.
{
	my ($status, $broken) = audit("$dir/good/web.xml", '--rules', 'ovirt-hp');
	is_deeply([ $status, $broken ], [ 0, [] ], 'ovirt-hp: the good machine follows the list');
	open my $f, '<', "$dir/good/web.xml" or die $!;
	my $good = do { local $/; <$f> };
	my %break = (
		'OVH-01' => [ qr{<video>.*?</video>}s, "<graphics type='vnc'/><video><model type='vga'/></video>" ],
		'OVH-02' => [ qr{<controller type='usb' model='none'/>}, "<controller type='usb' model='qemu-xhci'/>" ],
		'OVH-03' => [ qr{<memballoon}, "<sound model='ich9'/><memballoon" ],
		'OVH-04' => [ qr{<memballoon}, "<smartcard mode='host'/><memballoon" ],
		'OVH-05' => [ qr{<memballoon}, "<watchdog model='i6300esb' action='reset'/><memballoon" ],
		'OVH-06' => [ qr{<memballoon model='none'/>}, "<memballoon model='virtio'/>" ],
		'OVH-07' => [ qr{<cpu mode='host-passthrough'[^>]*>}, "<cpu mode='host-model'>" ],
		'OVH-09' => [ qr{<emulatorpin cpuset='0'/>}, '' ],
		'OVH-10' => [ qr{<vcpupin vcpu='3' cpuset='5'/>}, '' ],
		'OVH-12' => [ qr{<hugepages>.*?</hugepages>}s, '' ],
		'OVH-13' => [ qr{<driver name='vhost' queues='4'/>}, "<driver name='vhost'/>" ],
		'OVH-14' => [ qr{<rng.*?</rng>}s, '' ],
	);
	require File::Temp;
	for my $id (sort keys %break) {
		(my $xml = $good) =~ s/$break{$id}[0]/$break{$id}[1]/ or die "$id: nothing to break";
		my $tmp = File::Temp->new(SUFFIX => '.xml');
		print $tmp $xml;
		close $tmp;
		my ($s, $b) = audit("$tmp", '--rules', 'ovirt-hp');
		is($s, 1, "ovirt-hp, $id: exit status 1");
		ok((grep { $_ eq $id } @$b), "ovirt-hp: $id is found (@$b)");
		is_deeply([ grep { /^OVH/ && $_ ne $id } @$b ], [], "ovirt-hp: nothing else of oVirt's list, $id");
	}
	# a machine that is no high-performance one is not judged by that list unless asked
	my (undef, undef, $got) = audit("$dir/bad/BLK-08-one-queue.xml");
	is_deeply([ grep { $_->{id} =~ /^OVH/ } @{ $got->{rules} } ], [], 'the set "all" has no OVH rule');
}

# Migration is asked about only if it is to be: libvirt's own rule is that disks then have cache none or directsync.
{
	my (undef, $broken) = audit("$dir/bad/BLK-18-writeback.xml", '--for', 'migration');
	is_deeply([ grep { /^(?:BLK-18|MIG-15)$/ } @$broken ], [ 'BLK-18', 'MIG-15' ], 'cache writeback stands in the way of migration');
	(undef, $broken) = audit("$dir/good/web.xml", '--for', 'migration');
	is_deeply($broken, ['MIG-16'], 'host-passthrough and migration: MIG-16 alone');
}
done_testing();
