#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# `vbench plan` over snapshots of odd machines: the whole text against plans that were read line by line and held against the rules
# (tests/golden/plans), its options, bad input, exports, and what it does with a plan's JSON.
use v5.36;
use Test::More;
use File::Temp qw(tempdir);
use JSON::PP;

my $program = $ENV{VBENCH} // './vbench';
my $dir = tempdir(CLEANUP => 1);

# [exit status, stdout, stderr]; a signal is status -1.
sub plan_of (@args) {
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$dir/out";
		open STDERR, '>', "$dir/err";
		exec $program, 'plan', @args or exit 127;
	}
	waitpid $pid, 0;
	my $status = $? & 127 ? -1 : $? >> 8;
	local $/;
	return ($status, map { open my $f, '<', "$dir/$_" or die; scalar <$f> // '' } qw(out err));
}

sub snapshot ($name) { return ('--snapshot', "tests/fixtures/snapshots/$name.json") }
sub guests (@g) { return map { ('--guest', $_) } @g }

# [name of the golden plan, exit status, snapshot, arguments]
my @golden = (
	['cloud2-one', 1, 'cloud2', guests('web:vcpus=1,memory=1G,iothreads=1')],
	['cloud2-two', 1, 'cloud2', guests('web:vcpus=2,memory=1G,iothreads=1')],
	['desktop-siblings', 0, 'desktop-smt', guests('a:vcpus=4,memory=8G,iothreads=1', 'b:vcpus=3,memory=4G,iothreads=2')],
	['desktop-isolate', 0, 'desktop-smt', '--smt', 'isolate', guests('a:vcpus=4,memory=8G,iothreads=1')],
	['desktop-spread', 0, 'desktop-smt', '--smt', 'spread', guests('a:vcpus=6,memory=8G,iothreads=1')],
	['desktop-crowd', 1, 'desktop-smt', guests('vm:vcpus=8,memory=4G,iothreads=1,count=5')],
	['two-socket', 0, 'two-socket-smt', guests('web:vcpus=4,memory=8G,iothreads=1,count=2', 'db:vcpus=8,memory=32G,iothreads=1,disk-node=1')],
	['epyc-nps4-large', 1, 'epyc-nps4', guests('big:vcpus=24,memory=96G,iothreads=2,disk-node=2', 'small:vcpus=8,memory=8G')],
	['epyc-nps1-caches', 0, 'epyc-nps1', guests('ccx:vcpus=16,memory=32G,iothreads=1', 'wide:vcpus=32,memory=64G')],
	['hybrid', 0, 'hybrid', guests('a:vcpus=6,memory=8G,iothreads=1', 'b:vcpus=4,memory=4G,iothreads=1')],
	['hybrid-small-cores', 0, 'hybrid', '--small-cores', guests('a:vcpus=12,memory=8G', 'b:vcpus=6,memory=4G')],
	['offline', 0, 'offline', guests('a:vcpus=5,memory=8G,iothreads=1')],
	['cpuset', 1, 'cpuset', guests('a:vcpus=4,memory=8G,iothreads=1')],
	['no-numa', 0, 'no-numa', guests('a:vcpus=2,memory=4G,iothreads=1')],
	['memoryless', 0, 'memoryless', guests('a:vcpus=2,memory=8G,iothreads=1,disk-node=1')],
	['single', 1, 'single', guests('a:vcpus=1,memory=512M')],
	['eight-socket', 0, 'eight-socket', guests('a:vcpus=12,memory=160G,iothreads=1,disk-node=5')],
	['arm80', 0, 'arm80', guests('a:vcpus=16,memory=64G,iothreads=2')],
	['asymmetric', 0, 'asymmetric', guests('a:vcpus=8,memory=64G,iothreads=1', 'b:vcpus=3,memory=16G')],
	['huge-pages', 1, 'huge-one-node', guests('a:vcpus=4,memory=24G,pages=1G', 'b:vcpus=4,memory=8G,pages=2M', 'c:vcpus=2,memory=16G,pages=1G')],
	['smt-off', 0, 'smt-off', guests('a:vcpus=4,memory=8G,iothreads=1')],
	['real-two-nodes', 0, 'real-two-nodes', guests('a:vcpus=2,memory=64M,iothreads=1,pages=2M')],
	['real-maxcpus', 0, 'real-maxcpus', guests('a:vcpus=3,memory=64M,iothreads=1')],
	['isolcpus', 0, 'isolcpus', guests('a:vcpus=4,memory=8G,iothreads=1', 'b:vcpus=2,memory=2G,floating')],
);
for my $g (@golden) {
	my ($name, $want, $on, @args) = @$g;
	my ($status, $out, $err) = plan_of(snapshot($on), @args);
	is $status, $want, "$name: exit status";
	is $err, '', "$name: nothing on stderr";
	my $file = "tests/golden/plans/$name.txt";
	if ($ENV{VBENCH_GOLDEN}) {    # to look at, line by line, before it is kept
		open my $f, '>', $file or die "$file: $!";
		print $f $out;
	}
	my $golden = do { local $/; open my $f, '<', $file or die "$file: $!"; <$f> };
	is $out, $golden, "$name: the plan that was read line by line";
}

# --- options and bad input --------------------------------------------------------------------------

my @one = guests('a:vcpus=2,memory=1G');
for my $bad (
	[[], qr/no guest/], [[guests('a')], qr/NAME:vcpus=4/], [[guests('a:vcpus=2')], qr/memory must be said/],
	[[guests('a:memory=1G')], qr/vcpus and memory/], [[guests('a:vcpus=-1,memory=1G')], qr/"-1" is not a number/],
	[[guests('a:vcpus=99999999999999999999,memory=1G')], qr/not a number from 0 to 4096/], [[guests('a:vcpus=2,memory=1G,colour=red')], qr/no "colour"/],
	[[guests('a:vcpus=2,memory=1G,pages=3M')], qr/pages are 2M or 1G/], [[guests('a:vcpus=2,memory=1G', 'a:vcpus=1,memory=1G')], qr/two guests are named a/],
	[[guests("a\e[31m:vcpus=2,memory=1G")], qr/control\s+characters/], [[@one, '--smt', 'odd'], qr/siblings, isolate and spread/],
	[[@one, '--ratio', 'nan'], qr/--ratio/], [[@one, '--ratio', '0'], qr/--ratio/], [[@one, '--reserved', '0-'], qr/no list of CPUs/],
	[[@one, '--export', 'vmware'], qr/--export vmware/], [[@one, '--json', '--export', 'qm'], qr/not both/], [[@one, '--nonsense'], qr/--help/],
	[[guests('a:vcpus=2,memory=1G,count=513')], qr/0 to 512/], [[guests('a:vcpus=2,memory=1G,count=0')], qr/no guest/],
) {
	my ($status, $out, $err) = plan_of(snapshot('desktop-smt'), @{ $bad->[0] });
	is $status, 2, "bad input: @{$bad->[0]}" =~ s/[^ -~]/?/gr;
	like $err, $bad->[1], 'and one sentence says what';
	is $out, '', 'and no plan is printed';
}
my ($status, $out, $err) = plan_of('--snapshot', '/nonexistent', @one);
is $status, 2, 'a snapshot that is not there is bad input';
like $err, qr{/nonexistent}, 'and named';
($status, $out, $err) = plan_of('--help');
is $status, 0, '--help';
like $out, qr/^usage: vbench plan/, 'shows the usage';

# CPU-03: 8 cores; CPU-04: 2 x 16 logical CPUs.
($status, $out, $err) = plan_of(snapshot('desktop-smt'), '--enforce', guests('a:vcpus=9,memory=1G'));
is $status, 2, '--enforce refuses 9 vCPUs on 8 cores';
like $err, qr/9 vCPUs .* 8 physical cores .*CPU-03/, 'and says why';
($status, $out, $err) = plan_of(snapshot('desktop-smt'), '--enforce', guests('a:vcpus=8,memory=1G,count=4'));
isnt $status, 2, '--enforce takes 32 vCPUs on 16 logical CPUs';
($status, $out, $err) = plan_of(snapshot('desktop-smt'), '--enforce', guests('a:vcpus=8,memory=1G,count=4', 'b:vcpus=1,memory=1G'));
is $status, 2, '--enforce refuses 33';
like $err, qr/CPU-04/, 'and says why';
($status, $out, $err) = plan_of(snapshot('desktop-smt'), '--enforce', '--ratio', '3', guests('a:vcpus=8,memory=1G,count=4', 'b:vcpus=1,memory=1G'));
isnt $status, 2, '--ratio 3 lets 33 pass';

# --- JSON and exports ---------------------------------------------------------------------------------

($status, $out, $err) = plan_of(snapshot('desktop-smt'), '--json', '--reserved', '1', '--keep-cores', '2', guests('a:vcpus=4,memory=8G,iothreads=1'));
my $plan = eval { decode_json($out) } // {};
is $status, 0, '--json';
is $plan->{format}, 'vbench-plan-1', 'names its format';
# Cores 0 (CPUs 0 and 8) and 2 (2 and 10) are kept, core 1 is reserved with its sibling: 3 and 11, 4 and 12, iothread on 5.
is_deeply $plan->{guests}[0]{vcpu}, [qw(3 11 4 12)], 'vCPUs on the first cores that are left, in pairs';
is_deeply $plan->{guests}[0]{iothread}, ['5'], 'the iothread on the next';
is $plan->{guests}[0]{emulator}, '0,2,8,10', 'emulator threads on the kept cores';
is_deeply $plan->{guests}[0]{topology}, { sockets => 1, dies => 1, cores => 2, threads => 2 }, 'and the guest is told of the pairs';

my %shows = (
	libvirt => qr{<vcpupin vcpu=['"]1['"] cpuset=['"]9['"]/>}, virsh => qr/vcpupin\b.*\b9\b/, qemu => qr/taskset\b/, qm => qr/qm set/,
	ovirt => qr/cpu/i, nova => qr/hw:/,
);
for my $format (sort keys %shows) {
	($status, $out, $err) = plan_of(snapshot('desktop-smt'), '--export', $format, guests('a:vcpus=4,memory=8G,iothreads=1'));
	is $status, 0, "--export $format";
	like $out, $shows{$format}, 'has its own words';
	# QEMU emulates by itself, and libvirt takes no domain without <os><type> (CPU-01, GST-04)
	like $out, qr/^ +-machine q35\b.*^ +-accel kvm\b/ms, 'which say how to run it' if $format eq 'qemu';
	like $out, qr{^<domain type='kvm'>.*<type arch='x86_64' machine='q35'>hvm</type>}ms, 'which are enough to define it' if $format eq 'libvirt';
}

# A guest with two dies (two caches of 8 cores on epyc-nps1, CPU-10): those who have no dies are told as many CPUs. Nova: sockets x cores
# x threads must be the flavor's vCPUs; oVirt: they are its vCPUs.
my @wide = (snapshot('epyc-nps1'), guests('wide:vcpus=32,memory=64G'));
($status, $out, $err) = plan_of(@wide, '--export', 'nova');
my %nova = $out =~ /--property hw:cpu_(sockets|cores|threads|thread_policy)=(\S+)/g;
is_deeply \%nova, { sockets => 1, cores => 16, threads => 2, thread_policy => 'require' }, 'Nova is told 32 CPUs, siblings together';
($status, $out, $err) = plan_of(@wide, '--export', 'ovirt');
my ($topology) = $out =~ m{<topology>(.*?)</topology>}s;
my %ovirt = ($topology // '') =~ m{<(sockets|cores|threads)>(\d+)<}g;
is_deeply \%ovirt, { sockets => 1, cores => 16, threads => 2 }, 'and so is oVirt';
($status, $out, $err) = plan_of(@wide, '--export', 'libvirt');
like $out, qr{<topology sockets='1' dies='2' cores='8' threads='2'/>}, 'libvirt has dies';

# Proxmox binds memory by cells only (qm(1): numa0, hostnodes, policy), and hugepages are in MB.
($status, $out, $err) = plan_of(snapshot('huge-one-node'), '--export', 'qm', guests('a:vcpus=4,memory=24G,pages=1G'));
is $status, 0, 'huge pages for Proxmox';
like $out, qr/--memory 24576 \\\n  --hugepages 1024 \\\n  --numa 1 \\\n  --numa0 cpus=0-3,hostnodes=1,policy=bind,memory=24576 \\\n/, 'and one cell, bound to the node';
unlike $out, qr/not in Proxmox's words: (?:numatune|memory)/, 'so nothing of memory is left';
($status, $out, $err) = plan_of(snapshot('huge-one-node'), '--export', 'qemu', guests('a:vcpus=4,memory=24G,pages=1G'));
like $out, qr/memory-backend-memfd,\S*hugetlbsize=1073741824,prealloc=on,host-nodes=1,policy=bind/, 'QEMU takes them at its start: bound pages may not be there later';

like $out, qr/ -accel kvm /, 'a new guest is not emulated, which QEMU would do by itself';

# Several guests in one text: whose is what; and what is not satisfied is said elsewhere.
my @two = (snapshot('desktop-smt'), guests("it's a:vcpus=2,memory=1G", 'b:vcpus=1,memory=1G', 'c:vcpus=1,memory=900G'));
for my $format (qw(virsh qemu qm nova)) {
	($status, $out, $err) = plan_of(@two, '--export', $format);
	is $status, 1, "$format: one of three guests has no place";
	is_deeply [$out =~ /^# (it's a|b|c)$/mg], ["it's a", 'b'], 'the others are named, each above its words';
	like $err, qr/^vbench: not satisfied: c: not placed: /m, 'the third on stderr';
	spurt_and_check($format, $out);
}
($status, $out, $err) = plan_of(@two, '--export', 'libvirt');
is scalar(() = $out =~ m{^<domain .*?^</domain>$}msg), 2, 'libvirt: two domains';
like $err, qr/^vbench: not satisfied: c: /m, 'and the third on stderr';

# The shell can read it.
sub spurt_and_check ($format, $text) {
	open my $f, '>', "$dir/$format.sh" or die;
	print $f $text;
	close $f;
	is system('sh', '-n', "$dir/$format.sh"), 0, "$format: the shell takes it";
	return;
}

# One CPU: keeping it would leave none, so that is not advised; two: it is.
($status, $out, $err) = plan_of(snapshot('single'), guests('a:vcpus=1,memory=512M'));
unlike $out, qr/--keep-cores/, 'no advice that cannot be followed';
($status, $out, $err) = plan_of(snapshot('cloud2'), guests('a:vcpus=1,memory=512M'));
like $out, qr/no core is kept for the host.*--keep-cores 1|CPU \d: no guest's, for QEMU's other threads/, 'but elsewhere it is';

# Not every machine has a cache that cores share.
($status, $out, $err) = plan_of(snapshot('arm80'), guests('a:vcpus=4,memory=1G'));
unlike $out, qr/last-level/, 'nothing is said of caches that are not known';

# A target's topology: 4 of 8 vCPUs are there, so the plan of 4 must not become the limit.
open my $hot, '>', "$dir/hot.cmd" or die;
print $hot "qemu-system-x86_64 -name hot,debug-threads=on -M q35 -accel kvm -m 4G -smp 4,maxcpus=8,sockets=1,cores=8,threads=1 -object iothread,id=fast\n";
close $hot;
($status, $out, $err) = plan_of(snapshot('desktop-smt'), '--export', 'qemu', "$dir/hot.cmd");
like $out, qr/-smp 4,maxcpus=8 /, 'vCPUs that can be plugged stay';
like $out, qr/-object iothread,id=fast\b.*^pin 'IO fast' taskset/ms, 'and so does the iothread\'s name';
like $out, qr/-machine q35,memory-backend=ram0 /, 'and the machine';

# libvirt's XML is a target: tests/fixtures/vms/pinned.xml says these.
my $pinned = do { local $/; open my $x, '<', 'tests/fixtures/vms/pinned.xml' or die; <$x> };
my ($vcpus) = $pinned =~ m{<vcpu\b[^>]*\bcurrent=['"](\d+)['"]};    # those that are there, of more that can be
my ($iothreads) = $pinned =~ m{<iothreads>(\d+)<};
($status, $out, $err) = plan_of(snapshot('two-socket-smt'), '--json', 'tests/fixtures/vms/pinned.xml');
my $xml_plan = eval { decode_json($out) } // {};
is $xml_plan->{guests}[0]{vcpus}, $vcpus, 'an XML is a target: its vCPUs' or diag $err;
is $xml_plan->{guests}[0]{iothreads}, $iothreads // 0, 'and its iothreads';

# A target gives vCPUs, memory and iothreads.
open my $f, '>', "$dir/vm.cmd" or die;
print $f "qemu-system-x86_64 -name web -m 4G -smp 4,sockets=4 -object iothread,id=io0 -accel kvm\n";
close $f;
($status, $out, $err) = plan_of(snapshot('desktop-smt'), '--json', "$dir/vm.cmd");
$plan = eval { decode_json($out) } // {};
is $plan->{guests}[0]{vcpus}, 4, 'a command line is a target: its vCPUs' or diag $err;
is $plan->{guests}[0]{memory}, 4 << 30, 'its memory';
is $plan->{guests}[0]{iothreads}, 1, 'its iothreads';

done_testing;
