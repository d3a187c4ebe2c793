#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# The lab host's own libvirt: a domain under KVM on a machine of two nodes is audited, planned, moved to the other node and back. What
# virsh and the kernel say of it is held against the plan and against before. The test runs itself inside the lab.
use strict;
use warnings;
use lib 'tests/lib';
use Cwd qw(getcwd);
use JSON::PP;
use Test::More;

if (!$ENV{VBENCH_IN_LAB}) {
	my $run = getcwd() . '/tests/lab/run';
	-x $run or BAIL_OUT('run from the top of the checkout');
	-e(($ENV{VBENCH_LAB_DIR} // getcwd() . '/build/lab') . '/stamp') or plan skip_all => 'no lab host: make lab';
	-x 'vbench' && -e 'build/guest/vmlinuz' or plan skip_all => 'no vbench or guest assets: make';
	my $killer = "/tmp/vbench-killer-$$.so";
	system('cc', '-std=gnu11', '-D_GNU_SOURCE', '-O1', '-shared', '-fPIC', '-o', $killer, 'tests/lib/killer.c', '-ldl') == 0
		or BAIL_OUT('tests/lib/killer.c does not compile');
	my $status = system($run, '--timeout', 900, '--put', "$killer:/tmp/killer.so", ($ENV{VBENCH} ? ('--put', "$ENV{VBENCH}:/usr/local/bin/vbench") : ()),
		'env', 'VBENCH_IN_LAB=1', ($ENV{VBENCH} ? 'VBENCH=/usr/local/bin/vbench' : ()), 'perl', 'tests/lab/t/libvirt.t');
	unlink $killer;
	# its output is this test's: 124 and 125 are the lab's, and leave it without a plan
	exit $status >> 8;
}

require LibvirtTest;
require VBTest;
LibvirtTest->import;
VBTest->import;
VBTest::needs(root => 'a libvirtd of its own', programs => [ 'libvirtd', 'virsh', 'unshare' ]);
my $s = libvirt_apart();

# CPUs 0 and 1 are node 0's, 2 and 3 node 1's (tests/lab/run): a node has room for one vCPU and one iothread.
my @cpus = ('0-1', '2-3');
# 64 MiB in normal pages
use constant PAGES => 16384;

# A domain that begins on a node (of a running one libvirt changes the nodes only if they are mode='restrictive', or none are said), its memory there from the start; its guest is a firmware that finds no disk.
sub domain {
	my ($name, $node, $mode) = @_;
	return spurt("$s->{dir}/$name.xml", <<"END");
<domain type='kvm'><name>$name</name><memory unit='MiB'>64</memory>
<memoryBacking><source type='memfd'/><access mode='shared'/><allocation mode='immediate'/></memoryBacking>
<vcpu cpuset='$cpus[$node]'>1</vcpu><iothreads>1</iothreads><numatune><memory mode='$mode' nodeset='$node'/></numatune>
<os><type arch='x86_64' machine='q35'>hvm</type></os>
<cpu mode='host-passthrough'/>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>
END
}

# Pages of the domain's RAM by node, from the kernel: "N0=16384".
sub ram {
	my ($name) = @_;
	my $pid = slurp("/run/libvirt/qemu/$name.pid") + 0;
	my ($line) = grep { m{file=/memfd:memory-backend} } split /\n/, slurp("/proc/$pid/numa_maps");
	return join ' ', ($line // '') =~ /\b(N\d+=\d+)\b/g;
}

# exit status, and "RULE state" of each finding of some rules that is in force
sub in_force {
	my $v = $s->vbench('audit', 'libvirt:vm1', '--json', '--rules', $_[0]);
	my $j = eval { decode_json($v->{stdout}) } // { rules => [] };
	diag $v->{stderr} if !@{ $j->{rules} };
	return ($v->{status}, map { my $id = $_->{id}; map { "$id $_->{state}" } grep { $_->{side} eq 'in force' } @{ $_->{findings} } } @{ $j->{rules} });
}

daemon_start();
is(system('virsh -q define ' . domain('vm1', 0, 'restrictive')), 0, 'a domain') or BAIL_OUT('virsh define');
# Where the planner wants it decides where it begins: on the other node.
my $v = $s->vbench('plan', 'libvirt:vm1', '--json');
$s->exits($v, 0, 'a plan for a domain that is shut off');
my $to = (eval { decode_json($v->{stdout}) } // {})->{guests}[0]{nodes} // '';
like($to, qr/^[01]$/, '... within a node') or BAIL_OUT('no plan');
my $from = 1 - $to;
virsh('undefine vm1');
is(system('virsh -q define ' . domain('vm1', $from, 'restrictive')), 0, 'it begins on the other');
is(system('virsh -q start vm1'), 0, 'it runs') or BAIL_OUT('virsh start: ' . slurp('/var/log/libvirt/qemu/vm1.log'));
my $pid = slurp('/run/libvirt/qemu/vm1.pid') + 0;
like(slurp("/proc/$pid/cmdline"), qr/accel=kvm|-accel\0kvm/, '... under KVM');
my ($before, $threads) = (pins('vm1'), kernel('vm1'));
ok($threads->{'CPU 0/KVM'} && $threads->{'IO iothread1'}, '... with its threads') or diag explain $threads;
is($before->{nodes}, $from, '... its memory bound');
is(ram('vm1'), "N$from=" . PAGES, '... and there');

$v = $s->vbench('plan', 'libvirt:vm1', '--json');
$s->exits($v, 0, 'a plan for it while it runs');
my $plan = spurt("$s->{dir}/plan.json", $v->{stdout});
my $g = (eval { decode_json($v->{stdout}) } // {})->{guests}[0];
is($g->{nodes}, $to, '... onto the other node, still');
my $planned = { 'vcpu 0' => $g->{vcpu}[0], 'iothread 1' => $g->{iothread}[0], emulator => $g->{emulator}, nodes => $to };
note explain $planned;

subtest 'applied' => sub {
	$s->exits($s->vbench('apply', 'libvirt:vm1', '--plan', $plan), 0, 'apply');
	is_deeply(pins('vm1'), $planned, 'virsh shows the plan');
	my $t = kernel('vm1');
	is($t->{'CPU 0/KVM'}, $planned->{'vcpu 0'}, 'vCPU, by the kernel');
	is($t->{'IO iothread1'}, $planned->{'iothread 1'}, 'iothread');
	is($t->{main}, $planned->{emulator}, 'emulator');
	is(ram('vm1'), "N$to=" . PAGES, 'its memory moved');
	$v = $s->vbench('apply', '--verify');
	$s->exits($v, 0, '--verify');
	note $v->{stdout};
	my ($status, @found) = in_force('CPU-06,CPU-08');
	is("@found", 'CPU-06 followed CPU-08 followed', 'the audit sees both kinds of pins in force');
	is($status, 0, '... and nothing against it');
};

subtest 'reverted' => sub {
	$s->exits($s->vbench('revert'), 0, 'revert');
	is_deeply(pins('vm1'), $before, 'all as before, by virsh');
	is_deeply(kernel('vm1'), $threads, '... and by the kernel');
	is(ram('vm1'), "N$from=" . PAGES, '... memory too');
};

subtest 'killed in between' => sub {
	# The guest stands still, so that only vbench changes anything.
	virsh('suspend vm1');
	my @bad;
	# libvirt's own writes count too, so there are many points: closer and closer to the first
	# that it gets by, since it changes things at its end
	my $try = sub {
		my ($n) = @_;
		my $k = $s->vbench({ env => { LD_PRELOAD => '/tmp/killer.so', KILLER => $n } }, 'apply', 'libvirt:vm1', '--plan', $plan);
		my $moved = ram('vm1');
		$v = $s->vbench('revert');
		my ($now, $ram) = (pins('vm1'), ram('vm1'));
		push @bad, "$n: $v->{stdout}$v->{stderr}" if $v->{status};
		push @bad, "$n: pins" if grep { $now->{$_} ne $before->{$_} } keys %$before;
		push @bad, "$n: memory $ram" if $ram ne "N$from=" . PAGES;
		note sprintf '%d: signal %d, status %d, memory then %s', $n, @$k{qw(signal status)}, $moved;
		push @bad, "$n: status $k->{status}" if !$k->{signal} && $k->{status};
		return $k->{signal};
	};
	my ($killed, $through) = (0, 2000);
	while ($through < 64000 && $try->($through)) {
		$killed = $through;
		$through *= 2;
	}
	cmp_ok($killed, '>', 0, "it gets through at $through") or diag @bad;
	for (1 .. 3) {
		my $n = int(($killed + $through) / 2);
		$try->($n) ? ($killed = $n) : ($through = $n);
	}
	is_deeply(\@bad, [], 'killed anywhere: revert puts all back');
};

virsh('destroy vm1');
subtest 'memory that libvirt does not move' => sub {
	is(system('virsh -q define ' . domain('vm2', $from, 'strict')), 0, 'a domain that is bound to a node by QEMU');
	is(system('virsh -q start vm2'), 0, '... runs');
	my $had = pins('vm2');
	$v = $s->vbench('plan', 'libvirt:vm2', '--json');
	my $other = spurt("$s->{dir}/other.json", $v->{stdout});
	$v = $s->vbench('apply', 'libvirt:vm2', '--plan', $other);
	$s->exits($v, 4, 'apply: cannot');
	like($v->{stderr}, qr/libvirt refuses: .*; --no-memory applies the rest of the plan/, '... says who refuses, and what can be done');
	is_deeply(pins('vm2'), $had, '... and leaves all as it was');
	$s->exits($s->vbench('apply', 'libvirt:vm2', '--plan', $other, '--no-memory'), 0, '--no-memory');
	is(pins('vm2')->{nodes}, $had->{nodes}, '... memory stays');
	$s->exits($s->vbench('revert'), 0, 'revert');
	is_deeply(pins('vm2'), $had, '... as before');
};

is($s->vbench('apply', '--list')->{stdout}, "nothing is applied\n", 'no record is left');
done_testing;
