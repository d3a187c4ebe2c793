#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# What `vbench plan` writes, given to real programs: QEMU starts with its options and has the cells they say, its shell commands pin
# the right machine's threads; and guests that run here keep the CPUs that they are pinned to. Affinities by /proc as Perl reads it.
use v5.36;
no warnings 'qw';
use lib 'tests/lib';
use VBTest;
use JSON::PP;
use Test::More;

VBTest::needs();
plan skip_all => 'no taskset or pgrep' if grep { !VBTest::in_path($_) } qw(taskset pgrep);
my $s = sandbox();
my @children;
END { my $status = $?; for my $pid (@children) { kill 'KILL', $pid; waitpid $pid, 0 } $? = $status }

sub allowed ($task) { return (slurp("/proc/$task/status") =~ /^Cpus_allowed_list:\s*(\S+)/m)[0] // '' }

sub numbers ($list) { return map { /^(\d+)-(\d+)$/ ? $1 .. $2 : $_ } split /,/, $list }

sub threads ($pid) {
	my %tid;
	for my $dir (glob "/proc/$pid/task/*") {
		chomp(my $comm = slurp("$dir/comm"));
		$tid{$comm} = $dir =~ s{.*/}{}r;
	}
	return \%tid;
}

sub start (@command) {
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$s->{dir}/qemu.log";
		open STDERR, '>&', \*STDOUT;
		exec @command;
		exit 127;
	}
	push @children, $pid;
	wait_until(sub { threads($pid)->{'CPU 0/TCG'} || waitpid($pid, POSIX::WNOHANG()) });
	ok threads($pid)->{'CPU 0/TCG'}, 'QEMU runs' or diag slurp("$s->{dir}/qemu.log");
	return $pid;
}

sub stop ($pid) {
	kill 'KILL', $pid;
	waitpid $pid, 0;
	@children = grep { $_ != $pid } @children;
	return;
}

# The command line and the commands behind it. It asks for KVM, which tests cannot.
sub exported (@args) {
	my $v = $s->vbench('plan', '--export', 'qemu', @args);
	my ($line, $rest) = split /\n\n/, $v->{stdout} =~ s/ \\\n */ /gr, 2;
	like $line, qr/^qemu-system-x86_64 .*-machine q35\S* .*-accel kvm /, 'a machine of today, and not emulated';
	$line =~ s/ -accel kvm / /;
	return ($line, $rest, $v);
}

# --- QEMU takes the options -------------------------------------------------------------------------

# 18 vCPUs: a node has 8 cores, of which one is kept; 7 x 2 CPUs for 18 do not suffice, so there are two cells of 9 + 9 or,
# siblings staying together, 10 + 8.
my ($line) = exported('--snapshot', 'tests/fixtures/snapshots/two-socket-smt.json', '--guest', "it's a,b:vcpus=18,memory=128M,iothreads=2");
my @nodes = $line =~ /host-nodes=(\d+),policy=bind/g;
is "@nodes", '0 1', 'two cells, bound to a node each';
# This machine may have one node only.
$line =~ s/host-nodes=1/host-nodes=0/;
my $ask = join '\n', map { encode_json($_) } { execute => 'qmp_capabilities' }, { execute => 'query-memdev' }, { execute => 'query-cpus-fast' },
	{ execute => 'query-iothreads' }, { execute => 'query-name' }, { execute => 'quit' };
my $answers = `printf '$ask\n' | timeout 120 $line -S -nodefaults -display none -accel tcg -qmp stdio 2>&1`;
my @answers = map { eval { decode_json($_) } // () } split /\n/, $answers;
my ($memory, $cpus, $iothreads, $name) = map { $_->{return} } grep { ref($_->{return} // 0) eq 'ARRAY' || exists +($_->{return} // {})->{name} } @answers;
is scalar(@{ $memory // [] }), 2, 'QEMU starts with two memory devices' or diag $answers;
is_deeply [map { [$_->{size}, $_->{policy}, $_->{'host-nodes'}] } @{ $memory // [] }], [([64 << 20, 'bind', [0]]) x 2], 'of half the memory each, bound';
my %cell;
$cell{ $_->{props}{'node-id'} }++ for @{ $cpus // [] };
is_deeply \%cell, { 0 => 10, 1 => 8 }, 'and two cells of vCPUs';
is scalar(@{ $iothreads // [] }), 2, 'and two iothreads';
is +($name // {})->{name}, "it's a,b", 'and its name';

# --- the commands pin the machine of that name ---------------------------------------------------------

my @ours = numbers(allowed('self'));
SKIP: {
	skip 'needs CPUs 0 and 1', 6 if !grep({ $_ == 0 } @ours) || !grep { $_ == 1 } @ours;
	# cloud2 has CPUs 0 and 1: the vCPU is on 0, the iothread on 1, and QEMU's other threads there, too.
	my $tag = "vb-plan-$$";
	my ($start, $pins) = exported('--snapshot', 'tests/fixtures/snapshots/cloud2.json', '--guest', "$tag-1:vcpus=1,memory=48M,iothreads=1");
	my $one = start('sh', '-c', "exec $start -S -nodefaults -display none -accel tcg");
	# newer, and begins with the same name
	my $ten = start('qemu-system-x86_64', '-name', "guest=$tag-10,debug-threads=on", qw(-S -nodefaults -display none -accel tcg -m 48));
	spurt("$s->{dir}/pins", $pins);
	my $said = `timeout 60 sh $s->{dir}/pins 2>&1`;
	my $tid = threads($one);
	is allowed($tid->{'CPU 0/TCG'}), '0', 'its vCPU is where the plan says' or diag $said;
	is allowed($tid->{'IO iothread1'}), '1', 'and its iothread';
	is allowed($one), '1', 'and its main thread';
	is allowed(threads($ten)->{'CPU 0/TCG'}), allowed('self'), 'a machine whose name begins alike is left alone';
	stop($_) for $one, $ten;
}

# --- others that run here, and the target itself -----------------------------------------------------------

SKIP: {
	skip 'one CPU', 1 if @ours < 2;
	my $me = "vb-plan-other-$$";
	my $pid = start('qemu-system-x86_64', '-name', "guest=$me,debug-threads=on", qw(-S -nodefaults -display none -accel tcg -m 48 -smp 1 -object iothread,id=odd0));
	my $mine = sub ($v) {
		my $p = eval { decode_json($v->{stdout}) } // {};
		my %cpu = map { $_ => 1 } map { numbers($_) } map { @{ $_->{vcpu} }, @{ $_->{iothread} }, $_->{emulator} // () } @{ $p->{guests} };
		return ($p, \%cpu, join "\n", map { @{ $p->{$_} // [] } } qw(why limits));
	};
	my ($p, $cpu, $text) = $mine->($s->vbench(qw(plan --json --guest new:vcpus=1,memory=64M)));
	unlike $text, qr/threads of [^\n]*\b$me\b/, 'a machine that floats takes no CPU';
	like $text, qr/^all guests \(\d+ vCPUs of \d+ that run here among them\)/m, 'but its vCPUs count for the total';
	system('taskset', '-p', '-c', $ours[0], threads($pid)->{'CPU 0/TCG'}) == 0 or diag 'taskset';
	($p, $cpu, $text) = $mine->($s->vbench(qw(plan --json --guest new:vcpus=1,memory=64M)));
	ok !$cpu->{ $ours[0] }, 'a CPU that a running machine is pinned to is not in the plan';
	ok !grep({ $_ == $ours[0] } numbers($p->{housekeeping})), 'nor among the host\'s';
	# Others may run here, and only four are named.
	like $text, qr/^CPUs? \S+: threads of [^\n]*(?:\b$me\b|more)[^\n]* pinned/m, 'and it is said whose it is';
	# A plan for the machine itself may use its own.
	($p, $cpu, $text) = $mine->($s->vbench(qw(plan --json), "pid:$pid"));
	unlike $text, qr/threads of [^\n]*\b$me\b/, 'a machine is not in the way of its own plan';
	is_deeply [@{ $p->{guests}[0] }{qw(name vcpus memory iothreads)}], [$me, 1, 48 << 20, 1], 'which has its name, vCPUs, memory and iothreads';
	# Its iothread has a name of its own, and its accelerator is not KVM.
	my $v = $s->vbench(qw(plan --export qemu), "pid:$pid");
	like $v->{stdout}, qr/-object iothread,id=odd0\b.*^pin 'IO odd0' taskset/ms, 'the words for it use its iothread\'s name';
	like $v->{stdout}, qr/-accel tcg/, 'and its accelerator';
	stop($pid);
}
done_testing;
