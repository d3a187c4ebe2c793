#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Plans applied to a running libvirt domain: what virsh and the kernel say of it is compared with the plan and with before
# (tests/lab/t/libvirt.t has it under KVM, with two nodes).
use strict;
use warnings;
use lib 'tests/lib';
use JSON::PP;
use LibvirtTest;
use Test::More;
use VBTest;

VBTest::needs(root => 'a libvirtd of its own', programs => [ 'libvirtd', 'virsh', 'unshare' ]);
my $s = libvirt_apart();

my ($mine) = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m;
my @cpus = map { /(\d+)-(\d+)/ ? $1 .. $2 : $_ } split /,/, $mine;
my ($first, $last) = @cpus[0, -1];
my ($node) = slurp('/sys/devices/system/node/has_memory') =~ /^(\d+)/ or plan skip_all => 'a kernel without nodes';

my $xml = spurt("$s->{dir}/vm1.xml", <<'END');
<domain type='qemu'><name>vm1</name><memory unit='MiB'>32</memory><vcpu>2</vcpu><iothreads>2</iothreads>
<os><type arch='x86_64' machine='q35'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>
END
my $plan = spurt("$s->{dir}/plan.json", encode_json({ format => 'vbench-plan-1', guests => [ { name => 'vm1', vcpus => 2, iothreads => 2,
	vcpu => ["$first", "$last"], iothread => [ "$last", "$first" ], emulator => "$first", nodes => "$node", mode => 'strict', memory => 32 << 20,
	page => 0, placed => JSON::PP::true } ] }));

my $v = $s->vbench('apply', 'libvirt:vm1', '--plan', $plan);
$s->exits($v, 2, 'no libvirtd: exit 2');
like($v->{stderr}, qr/^vbench apply: qemu:\/\/\/system: libvirt refuses: .*\n\z/, '... in one sentence');

daemon_start();
$v = $s->vbench('apply', 'libvirt:vm1', '--plan', $plan);
$s->exits($v, 2, 'no such domain: exit 2');
like($v->{stderr}, qr/no such domain/, '... says so');
is(system("virsh -q define $xml >/dev/null"), 0, 'a domain') or BAIL_OUT('virsh define');
$v = $s->vbench('apply', 'libvirt:vm1', '--plan', $plan);
$s->exits($v, 2, 'a domain that does not run: exit 2');
like($v->{stderr}, qr/does not run/, '... says so');
is(system('virsh -q start vm1 >/dev/null'), 0, 'it runs') or BAIL_OUT('virsh start: ' . slurp('/var/log/libvirt/qemu/vm1.log'));

my ($before, $threads) = (pins('vm1'), kernel('vm1'));
my $stored = virsh('dumpxml --inactive vm1');
my @memory;

subtest 'a plan is in force, as virsh and the kernel see it' => sub {
	$v = $s->vbench('apply', 'libvirt:vm1', '--plan', $plan, '--json');
	if ($v->{status} == 4 && $v->{stderr} =~ /--no-memory/) {
		diag "this libvirt cannot change memory here: $v->{stderr}";
		is_deeply(pins('vm1'), $before, 'all or nothing');
		@memory = ('--no-memory');
		$v = $s->vbench('apply', 'libvirt:vm1', '--plan', $plan, '--json', @memory);
	}
	$s->exits($v, 0, 'apply');
	is_deeply(pins('vm1'), { 'vcpu 0' => $first, 'vcpu 1' => $last, 'iothread 1' => $last, 'iothread 2' => $first, emulator => $first,
		nodes => @memory ? $before->{nodes} : $node }, 'virsh shows the plan');
	my $t = kernel('vm1');
	is($t->{'CPU 0/TCG'}, $first, 'vCPU 0, by the kernel') if $t->{'CPU 0/TCG'};
	is($t->{'CPU 1/TCG'}, $last, 'vCPU 1') if $t->{'CPU 1/TCG'};
	is($t->{'IO iothread1'}, $last, 'iothread 1');
	is($t->{'IO iothread2'}, $first, 'iothread 2');
	is($t->{main}, $first, 'emulator');
	is(virsh('dumpxml --inactive vm1'), $stored, 'its stored description is not touched');
	$s->exits($s->vbench('apply', '--verify'), 0, '--verify');
};

subtest 'someone else changes a pin' => sub {
	plan skip_all => 'one CPU only' if $first == $last;
	virsh("vcpupin vm1 0 $last --live");
	$v = $s->vbench('apply', '--verify');
	$s->exits($v, 1, '--verify: exit 1');
	like($v->{stdout}, qr/^NO  vCPU 0 of domain vm1: CPU $last, not CPU $first$/m, '... names it');
	$v = $s->vbench('revert');
	$s->exits($v, 1, 'revert leaves it alone');
	is(pins('vm1')->{'vcpu 0'}, $last, '... indeed');
	$s->exits($s->vbench('revert', '--force'), 0, '--force');
};

subtest 'all as before' => sub {
	$s->exits($s->vbench('revert'), 0, 'revert');
	my $now = pins('vm1');
	# libvirt has no way back to "no nodes said"
	like(delete $now->{nodes}, qr/^(\Q$before->{nodes}\E|[\d,-]+)$/, 'memory: as before, or all nodes');
	delete $before->{nodes};
	is_deeply($now, $before, 'pins, by virsh');
	is_deeply(kernel('vm1'), $threads, 'and by the kernel');
};

subtest 'killed in between' => sub {
	my $killer = $s->compile('tests/lib/killer.c', 'killer.so', '-shared -fPIC -ldl');
	my ($n, $bad) = (0, 0);
	# libvirt's own writes count too, so there are many points: some of them (tests/e2e/apply.t has each of ours)
	for (; $n < 900; $n += 11) {
		my $k = $s->vbench({ env => { LD_PRELOAD => $killer, KILLER => $n } }, 'apply', 'libvirt:vm1', '--plan', $plan, @memory);
		my $back = $s->vbench('revert');
		my $now = pins('vm1');
		delete $now->{nodes};
		$bad++ if $back->{status} || grep { $now->{$_} ne $before->{$_} } keys %$before;
		last if !$k->{signal};
	}
	is($bad, 0, 'anywhere: revert puts all back');
	cmp_ok($n, '>', 20, "... up to point $n");
};

subtest 'the domain is started anew' => sub {
	$s->exits($s->vbench('apply', 'libvirt:vm1', '--plan', $plan, @memory), 0, 'apply');
	virsh('destroy vm1');
	virsh('start vm1');
	my $fresh = pins('vm1');
	$v = $s->vbench('apply', '--verify');
	$s->exits($v, 1, '--verify: exit 1');
	like($v->{stdout}, qr/started anew/, '... says why');
	$v = $s->vbench('revert', '--force');
	$s->exits($v, 0, 'revert');
	like($v->{stdout}, qr/is gone, and its setting with it/, '... has nothing to do');
	is_deeply(pins('vm1'), $fresh, '... and does nothing');
};

subtest 'libvirtd away' => sub {
	$s->exits($s->vbench('apply', 'libvirt:vm1', '--plan', $plan, @memory), 0, 'apply');
	daemon_end();
	$v = $s->vbench('revert');
	$s->exits($v, 1, 'revert cannot: exit 1');
	like($v->{stdout}, qr/^NO  .*libvirt refuses/m, '... and says why');
	daemon_start();
	$s->exits($s->vbench('revert'), 0, 'when it is back, it can');
	my $now = pins('vm1');
	delete $now->{nodes};
	is_deeply($now, $before, '... all as before');
};

done_testing;
