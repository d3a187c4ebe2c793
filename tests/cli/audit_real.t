#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Machines as tools write them (virt-install, Proxmox, Nova, oVirt, by hand): what is raised of each is what a person would raise, by the
# sections of tuning.md, and no more; remedies can be taken as they stand.
use strict;
use warnings;
use JSON::PP;
use Test::More;

my $vbench = $ENV{VBENCH} // './vbench';
-x $vbench or BAIL_OUT("$vbench is not built; run make");
my $dir = 'tests/fixtures/audit/real';
my $host = 'tests/fixtures/snapshots/two-socket-smt.json'; # 16 cores, 32 CPUs, 2 nodes of 64 GiB, no huge pages set aside

sub audit {
	my ($target, @more) = @_;
	open my $p, '-|', $vbench, 'audit', $target, '--snapshot', $host, @more or die "$vbench: $!";
	my $text = do { local $/; <$p> };
	close $p;
	return $text // '';
}

# Ids by weight: not followed although it should be, and "may". By hand, from the file.
my %want = (
	# a qcow2 file with QEMU's default cache, no iothread; a sound card
	'virt-install.xml' => [ 'BLK-05 BLK-18', 'GST-03' ],
	# x86-64-v2-AES, HPET, neither rng nor agent; SCSI without need, no discard, detect-zeroes=on
	'proxmox.args' => [ 'CLK-03 CPU-02 GST-05 GST-06', 'BLK-02 BLK-25 BLK-26' ],
	# disks on rbd; no iothread, no agent
	'nova.xml' => [ 'BLK-05 GST-06', '' ],
	# pages of 1 GiB that this host has not set aside
	'ovirt-hp.xml' => [ 'MEM-01', '' ],
	'windows.xml' => [ 'BLK-01 BLK-18 CLK-04 GST-05 GST-06 GST-07 NET-01', 'BLK-25 GST-03' ],
	'database.xml' => [ 'MEM-01', '' ],
	'file-server.xml' => [ 'BLK-04', '' ],
	'plain.args' => [ 'BLK-01 BLK-18 CLK-03 CPU-01 GST-05 GST-06 IMG-01', 'BLK-25' ],
);
my %rules;
is_deeply([ map { s{.*/}{}r } glob "$dir/*" ], [ sort keys %want ], 'each file is looked at');
for my $name (sort keys %want) {
	my $got = eval { decode_json(audit("$dir/$name", '--json')) } // { rules => [] };
	my %by;
	push @{ $by{ $_->{weight} } }, $_->{id} for grep { $_->{state} eq 'broken' } @{ $got->{rules} };
	is(join(' ', sort @{ $by{must} // [] }, @{ $by{should} // [] }), $want{$name}[0], "$name: not followed");
	is(join(' ', sort @{ $by{may} // [] }), $want{$name}[1], "$name: to be tried");
	$rules{$name} = { map { $_->{id} => $_ } @{ $got->{rules} } };
}

# hot-plug: 16 sockets are for 128 vCPUs, of which 8 fill the first
is($rules{'ovirt-hp.xml'}{$_}{state}, 'followed', "ovirt-hp.xml: $_ looks at the vCPUs that there are") for qw(CPU-10 CPU-11);
# 16 vCPUs and 64 GiB leave a node nothing: two nodes are right
is($rules{'database.xml'}{$_}{state}, 'followed', "database.xml: $_") for qw(CPU-06 CPU-07 CPU-08 CPU-09 CPU-10 NUMA-02 NUMA-04);
# io= says nothing to QEMU's rbd
is($rules{'nova.xml'}{'BLK-34'}{state}, 'not applicable', 'nova.xml: no aio on rbd');
is($rules{'file-server.xml'}{'NUMA-05'}{state}, 'not applicable', 'file-server.xml: nothing is bound, so no node is near');
is($rules{'windows.xml'}{'BLK-24'}{state}, 'not applicable', "windows.xml: no Linux scheduler in it");

sub change { my ($name, $id, $kind) = @_; return join ' ', map { $_->{change}{$kind} // () } @{ $rules{$name}{$id}{findings} } }
unlike(change('windows.xml', 'BLK-25', 'guest'), qr/systemctl|fstrim/, 'windows.xml: no systemctl for Windows');
like(change('windows.xml', 'GST-06', 'guest'), qr/virtio-win/, 'windows.xml: the agent is in virtio-win');
# libvirt's names [formatdomain: hypervisor features]
like(change('windows.xml', 'GST-07', 'libvirt'), qr{<vpindex state='on'/>.*<synic state='on'/>.*<tlbflush state='on'/>}, 'windows.xml: XML to be pasted');
unlike(change('windows.xml', 'GST-07', 'libvirt'), qr{\.\.\.|<relaxed}, 'windows.xml: all of it, and nothing that is there already');
like(change('plain.args', 'IMG-01', 'qemu'), qr/format=raw/, 'plain.args: a format');
unlike(change('plain.args', 'CLK-03', 'qemu'), qr/q35/, 'plain.args: no HPET on the machine type that it has');
unlike($rules{'proxmox.args'}{'CPU-02'}{findings}[0]{found}, qr/enforce/, 'proxmox.args: enforce is no feature of a CPU');

# people read it
my $text = audit("$dir/file-server.xml");
is(scalar(() = $text =~ /only the guest knows/g), 1, 'forty disks: the same is said once');
like($text, qr/disk sda, sdb, .* and 32 more: only the guest knows/s, 'and whose it is');
like(audit("$dir/proxmox.args"), qr/^GST-05.*?^  Proxmox +`qm set ID --rng0 source/ms, "Proxmox's own command");
unlike(audit("$dir/plain.args"), qr/Proxmox +`/, 'and for no other machine');

# a profile: vbench's own guest is bare on purpose, and finds its accelerator by itself
{
	my $got = decode_json(audit('profiles/quick.ini', '--json'));
	my %state = map { $_->{id} => $_->{state} } @{ $got->{rules} };
	is($state{$_}, 'not applicable', "a profile: $_ is none of its business") for qw(GST-05 GST-06 CLK-03);
	is($state{'CPU-01'}, "can't tell", 'a profile: guest.accel = auto is not emulation');
	like(audit('profiles/quick.ini'), qr/^BLK-25.*?^  profile +disk\.discard = unmap/ms, 'the key that follows a rule');
}
my ($label) = `$vbench audit profiles/quick.ini --json` =~ /cell \\"([^"\\]+)/;
like(`$vbench audit 'profiles/quick.ini#$label' --json`, qr/"here": true/, 'a cell of a profile runs here too');

# a machine as a profile, and that audited: nothing of its disk changes on the way
for my $name (qw(virt-install.xml proxmox.args)) {
	my $ini = `$vbench profile $dir/$name 2>/dev/null`;
	require File::Temp;
	my $tmp = File::Temp->new(SUFFIX => '.ini');
	print $tmp $ini;
	close $tmp;
	my $got = eval { decode_json(audit("$tmp", '--json')) } // { rules => [] };
	my %state = map { $_->{id} => $_->{state} } @{ $got->{rules} };
	is($state{$_}, $rules{$name}{$_}{state}, "$name as a profile: $_ as before") for qw(BLK-01 BLK-05 BLK-18 BLK-20 BLK-25 BLK-26 IMG-01);
}

# the host's CPUs are counted, whatever files its snapshot has
unlike(`$vbench profile $dir/virt-install.xml --json --snapshot $host`, qr/fewer than/, 'two vCPUs on 32 CPUs');
like(`$vbench profile $dir/database.xml --json --snapshot tests/fixtures/snapshots/cloud2.json`, qr/has 2 CPUs, fewer than/, 'sixteen on two');
done_testing();
