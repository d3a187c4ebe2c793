#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# A plan applied to a guest under KVM on a machine of two nodes: threads, memory and huge pages are where the plan says by /proc, and as
# before after revert, also when vbench is killed in between. One boot of the lab host does it all; what it saw is judged here.
use v5.36;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use lib 'tests/lib';
use JSON::PP;
use Lab;
use Test::More;

-x 'tests/lab/run' or BAIL_OUT('run from the top of the checkout');
-e(($ENV{VBENCH_LAB_DIR} // getcwd() . '/build/lab') . '/stamp') or plan skip_all => 'no lab host: make lab';
-x 'vbench' && -e 'build/guest/vmlinuz' or plan skip_all => 'no vbench or guest assets: make';
my $dir = tempdir(CLEANUP => 1);

system('cc', '-std=gnu11', '-D_GNU_SOURCE', '-O1', '-shared', '-fPIC', '-o', "$dir/killer.so", 'tests/lib/killer.c', '-ldl') == 0
	or BAIL_OUT('tests/lib/killer.c does not compile');

# Runs in the lab. CPUs 0 and 1 are node 0's, 2 and 3 node 1's. The guest begins on node 0 and is planned onto node 1, whose iothread
# stays apart. Automatic NUMA balancing is switched off by vbench itself, as one setting of the host: else memory would wander by itself.
open my $out, '>', "$dir/script" or die;
print $out <<'END';
set -u
export XDG_DATA_HOME=/tmp/xdg
mkdir -p /tmp/xdg
section() { echo "== $*"; }
threads() { for t in /proc/$1/task/*; do echo "${t##*/} $(cat $t/comm 2>/dev/null | tr ' ' _) $(sed -n 's/^Cpus_allowed_list:\t//p' $t/status 2>/dev/null)"; done; }
# file of guest RAM by node and page size, from the kernel
ram() { grep -E "$2" /proc/$1/numa_maps | grep -oE 'N[0-9]+=[0-9]+|kernelpagesize_kB=[0-9]+' | tr '\n' ' '; echo; }
pages() { awk -v want="$2" '/^[0-9a-f]+-[0-9a-f]+ / { in_ram = $0 ~ want } in_ram && /^KernelPageSize:/ { print $2; exit }' /proc/$1/smaps; }
state() { threads $1; }
start() { # name, RAM backend's options
	taskset -c 0,1 qemu-system-x86_64 -name guest=$1,debug-threads=on -machine q35,memory-backend=ram -object $2 -accel kvm -cpu host \
		-smp 2 -m 64 -object iothread,id=io0 -nodefaults -no-user-config -display none -qmp unix:/tmp/$1.qmp,server=on,wait=off \
		-kernel build/guest/vmlinuz -append 'panic=0' >/tmp/$1.log 2>&1 &
	pid=$!
	for i in $(seq 300); do
		[ "$(grep -l '^CPU [01]/KVM' /proc/$pid/task/*/comm 2>/dev/null | wc -l)" = 2 ] && [ -S /tmp/$1.qmp ] && return
		sleep 0.1
	done
	echo "$1 does not come up"; cat /tmp/$1.log; exit 1
}
plan() { # page size
	echo '{"format": "vbench-plan-1", "guests": [{"name": "g", "vcpus": 2, "iothreads": 1, "vcpu": ["2", "3"], "iothread": ["1"],
		"emulator": "0-1", "nodes": "1", "mode": "strict", "memory": 67108864, "page": '$1', "placed": true}]}'
}
cat /sys/devices/system/node/node1/cpulist
section knobs
cat /proc/sys/kernel/numa_balancing
vbench apply host numa-balancing=0 nr-hugepages:2M:node0=40 nr-hugepages:2M:node1=40 --consent host; echo "status $?"
cat /proc/sys/kernel/numa_balancing /sys/devices/system/node/node[01]/hugepages/hugepages-2048kB/nr_hugepages

for kind in huge small; do
	if [ $kind = huge ]; then
		start huge memory-backend-memfd,id=ram,size=64M,hugetlb=on,hugetlbsize=2M,prealloc=on
		page=2097152 map='file=/memfd:.* huge' smap=memfd
	else
		start small memory-backend-memfd,id=ram,size=64M,share=on,prealloc=on
		page=0 map='file=/memfd:' smap=memfd
	fi
	plan $page >/tmp/plan.json
	section $kind before; threads $pid
	section $kind ram before; ram $pid "$map"; pages $pid $smap
	section $kind apply
	if [ $kind = huge ]; then vbench apply pid:$pid --plan /tmp/plan.json; else vbench apply pid:$pid --plan - --qmp /tmp/small.qmp </tmp/plan.json; fi
	echo "status $?"
	section $kind after; threads $pid
	section $kind ram after; ram $pid "$map"; pages $pid $smap
	section $kind verify; vbench apply --verify; echo "status $?"
	section $kind moved; taskset -pc 0 $(threads $pid | sed -n 's/ CPU_0.*//p') >/dev/null; vbench apply --verify; echo "status $?"
	taskset -pc 2 $(threads $pid | sed -n 's/ CPU_0.*//p') >/dev/null
	section $kind revert; vbench revert $(vbench apply --list | sed -n '1s/ .*//p'); echo "status $?"
	section $kind back; threads $pid
	section $kind ram back; ram $pid "$map"
	[ $kind = small ] || { kill -9 $pid; wait $pid; } 2>/dev/null
	last=$pid
done
section planned
vbench plan pid:$last --json >/tmp/own.json; echo "status $?"
cat /tmp/own.json
section planned apply
vbench apply pid:$last --plan - </tmp/own.json; echo "status $?"
section planned threads; threads $last
section planned back; vbench revert $(vbench apply --list | sed -n '1s/ .*//p') >/dev/null; echo "status $?"; threads $last

# The guest stands still, so that only vbench changes anything.
kill -STOP $last
section kills
threads $last | cut -d' ' -f1,3 >/tmp/want
n=$FROM
while [ $n -lt 300 ]; do
	KILLER=$n LD_PRELOAD=/tmp/killer.so vbench apply pid:$last --plan /tmp/plan.json >/tmp/o 2>&1; status=$?
	id=$(vbench apply --list | sed -n '/pid:/s/ .*//p')
	[ -z "$id" ] || vbench revert $id >/tmp/r 2>&1 || { echo "bad: revert at $n"; cat /tmp/r; }
	threads $last | cut -d' ' -f1,3 | cmp -s - /tmp/want || { echo "bad: threads at $n"; threads $last; }
	r=$(ram $last 'file=/memfd:'); case $r in *N1=*) echo "bad: memory at $n: $r" ;; esac
	[ $status = 137 ] || break
	n=$((n + STEP))
done 2>/dev/null
echo "killed up to $n, then status $status"
section knobs back
vbench revert; echo "status $?"
cat /proc/sys/kernel/numa_balancing /sys/devices/system/node/node[01]/hugepages/hugepages-2048kB/nr_hugepages
vbench apply --list
END
close $out;

my ($status, $text) = lab_script('FROM=0 STEP=9 bash /tmp/script', '--put', "$dir/killer.so:/tmp/killer.so", '--put', "$dir/script:/tmp/script");
my %part;
is($status, 0, 'the lab ran') or diag $text;
$part{ $1 } = $2 while $text =~ /^== (.+)\n((?:(?!== ).*\n)*)/mg;

# name of thread -> CPU lists
sub threads ($what) {
	my %t;
	push @{ $t{$2} }, $3 while ($part{$what} // '') =~ /^(\d+) (\S+) (\S+)$/mg;
	return \%t;
}

sub by_tid ($what) {
	return { ($part{$what} // '') =~ /^(\d+) \S+ (\S+)$/mg };
}

sub says ($what, $want, $sentence) {
	my $got = ($part{$what} // '') =~ /^status (\d+)$/m ? $1 : 'none';
	return is($got, $want, $sentence) || diag $part{$what} // $text;
}

says('knobs', 0, 'settings of the host, with consent');
like($part{knobs}, qr/^status 0\n0\n40\n40\n/m, '... are in force');

for my $kind ('huge', 'small') {
	subtest "a guest in $kind pages" => sub {
		says("$kind apply", 0, 'apply');
		my $t = threads("$kind after");
		is_deeply($t->{'CPU_0/KVM'}, ['2'], 'vCPU 0');
		is_deeply($t->{'CPU_1/KVM'}, ['3'], 'vCPU 1');
		is_deeply($t->{'IO_io0'}, ['1'], 'iothread');
		delete @$t{ 'CPU_0/KVM', 'CPU_1/KVM', 'IO_io0' };
		# KVM's own thread for huge pages cannot be told from others, and need not be
		is_deeply([ grep { $_ ne '0-1' } map { @$_ } values %$t ], [], 'emulator threads') or diag $part{"$kind after"};
		# 64 MiB: 32 pages of 2 MiB, or 16384 of 4 KiB
		my ($n, $kib) = $kind eq 'huge' ? (32, 2048) : (16384, 4);
		like($part{"$kind ram before"}, qr/^N0=$n kernelpagesize_kB=$kib \n$kib$/m, 'its RAM was on node 0');
		like($part{"$kind ram after"}, qr/^N1=$n kernelpagesize_kB=$kib \n$kib$/m, '... is on node 1, in pages of the same size');
		says("$kind verify", 0, '--verify');
		like($part{"$kind verify"}, qr/^ok  memory of process \d+: pages of 2048 KiB$/m, '... of page sizes too') if $kind eq 'huge';
		says("$kind moved", 1, '--verify, when someone moved a thread');
		like($part{"$kind moved"}, qr/^NO  vCPU 0, .*: CPU 0, not CPU 2$/m, '... names it');
		says("$kind revert", 0, 'revert');
		my ($before, $back) = (by_tid("$kind before"), by_tid("$kind back"));
		ok(keys %$before >= 5, 'there are threads');
		is_deeply({ map { $_ => $back->{$_} } grep { $back->{$_} } keys %$before }, { map { $_ => $before->{$_} } grep { $back->{$_} } keys %$before },
			'... each is where it was');
		like($part{"$kind ram back"}, qr/^N0=$n kernelpagesize_kB=$kib $/m, '... and its RAM');
	};
}

subtest 'vbench plan, applied' => sub {
	says('planned', 0, 'plan');
	my $plan = eval { decode_json(($part{planned} // '') =~ s/^status.*\n//r) };
	ok($plan, 'is JSON') or return;
	my $g = $plan->{guests}[0];
	says('planned apply', 0, 'apply');
	my $t = threads('planned threads');
	is_deeply($t->{"CPU_$_/KVM"}, [ $g->{vcpu}[$_] ], "vCPU $_ is where it says") for 0, 1;
	is_deeply($t->{'IO_io0'}, [ $g->{iothread}[0] ], 'the iothread too');
	says('planned back', 0, 'revert');
	is_deeply(by_tid('planned back'), by_tid('small back'), 'all as before');
};

unlike($part{kills}, qr/^bad/m, 'killed anywhere, revert puts threads and memory back');
like($part{kills}, qr/^killed up to \d{2,}, then status 0$/m, '... until it got through') or diag $part{kills};
says('knobs back', 0, 'settings of the host go back');
like($part{'knobs back'}, qr/^status 0\n1\n0\n0\nnothing is applied$/m, '... all of them, and no record is left');
diag $text if !Test::More->builder->is_passing;
done_testing;
