#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Guests of `vbench run` under KVM on a machine of two nodes: threads pinned as written and as planned, memory bound and in huge
# pages, several guests on CPUs of their own, a setting of the host for the time of a trial. What the kernel said of each guest while
# it ran is held against what was asked for, and asked against got; in the end the machine is as it was.
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

sub spurt ($file, $text) {
	open my $out, '>', $file or die "$file: $!";
	print $out $text;
	close $out or die "$file: $!";
	return $file;
}

# Looks at every QEMU that comes and goes, by /proc alone. One line each, of all that was seen of it and differed:
# [{"threads": {name: [CPU lists]}, "numa": [lines of numa_maps], "balancing": "0"}, ...]. Threads come before they are pinned, and go
# one by one: a guest was pinned when it was once seen so; it was not when it never was.
spurt("$dir/watch.pl", <<'END');
use strict;
use JSON::PP;
my $json = JSON::PP->new->canonical;
sub slurp { local $/; open my $f, '<', $_[0] or return ''; return scalar(<$f>) // '' }
my (%seen, @order, $stop);
$SIG{TERM} = sub { $stop = 1 };
while (!$stop) {
	for my $proc (glob '/proc/[0-9]*') {
		next if slurp("$proc/cmdline") !~ /^[^\0]*qemu-system/;
		my %t;
		for my $task (glob "$proc/task/*") {
			my ($name, $status) = (slurp("$task/comm"), slurp("$task/status"));
			chomp $name;
			push @{ $t{$name} }, $1 if $status =~ /^Cpus_allowed_list:\s*(\S+)/m;
		}
		# not begun, or half ended
		next if !$t{'CPU 0/KVM'};
		my @numa = grep { /bind|huge/ && /N\d+=/ } split /\n/, slurp("$proc/numa_maps");
		my $key = "$proc " . (split ' ', slurp("$proc/stat") =~ s/.*\) //sr)[19];
		chomp(my $balancing = slurp('/proc/sys/kernel/numa_balancing'));
		my $view = $json->encode({ threads => \%t, numa => \@numa, balancing => $balancing });
		push @order, $key if !$seen{$key};
		push @{ $seen{$key} }, $view if !grep { $_ eq $view } @{ $seen{$key} };
	}
	select undef, undef, undef, 0.2;
}
print '[', join(', ', @{ $seen{$_} }), "]\n" for @order;
END

my $rest = "[disk]\nbackend = null\nsize = 16M\niothread = on\n[run]\nblocks = 1\nstrict = on\n[workload r]\nrw = randread\nramp = 0s\n";
my $guest = "[guest]\naccel = kvm\nvcpus = 1\nmemory = 128M\n";
spurt("$dir/threads.ini", "${guest}pin = none, plan, 3/2/1+0\n${rest}runtime = 3s\n");
spurt("$dir/memory.ini", "${guest}pin = plan\nnodes = plan, 1\npages = 2M\n[knob]\nnuma-balancing = 0\n${rest}runtime = 3s\n");
# here, two guests begin seconds after each other, and must measure at once
spurt("$dir/several.ini", "${guest}count = 2\npin = plan\n${rest}runtime = 15s\n");

spurt("$dir/script", <<'END');
export XDG_DATA_HOME=/tmp/xdg
mkdir -p -m 755 /tmp/xdg
section() { echo "== $*"; }
host() { cat /proc/sys/kernel/numa_balancing /sys/devices/system/node/node[01]/hugepages/hugepages-2048kB/nr_hugepages | tr '\n' ' '; echo; }
measure() { # profile, options
	section $1 dry; vbench run /tmp/t/$1.ini --dry-run "${@:2}"
	perl /tmp/t/watch.pl >/tmp/$1.seen & w=$!
	section $1 run; vbench run /tmp/t/$1.ini --no-report -q "${@:2}"; echo "status $?"
	kill $w; wait $w
	section $1 seen; cat /tmp/$1.seen
	section $1 checks
	sqlite3 -separator '|' /tmp/xdg/vbench/vbench.db "SELECT a.key, a.asked, a.got FROM asked_got a WHERE a.run = (SELECT max(id) FROM run) AND a.key IN
		('guest.pin', 'guest.nodes', 'guest.pages', 'knob.numa-balancing') ORDER BY a.seq, a.idx"
	section $1 trials; sqlite3 -separator '|' /tmp/xdg/vbench/vbench.db "SELECT ok, coalesce(cause, ''), coalesce(detail, '') FROM trial WHERE run = (SELECT max(id) FROM run)"
}
section before; host
measure threads
measure several
vbench apply host nr-hugepages:2M:node1=72 --consent host >/dev/null || exit 1
section refused; vbench run /tmp/t/memory.ini --no-report -q; echo "status $?"
measure memory --consent host
section after; host; vbench apply --list
section back; vbench revert >/dev/null; echo "status $?"; host
section left; pgrep -l qemu-system; ls /tmp/xdg/vbench/knobs/*.json 2>/dev/null
exit 0
END

my ($status, $text) = lab_script('VBENCH_GUEST=$PWD/build/guest bash /tmp/t/script', '--put', "$dir:/tmp/t");
my %part;
is($status, 0, 'the lab ran') or diag $text;
$part{$1} = $2 while $text =~ /^== (.+)\n((?:(?!== ).*\n)*)/mg;

# Of each QEMU all views.
sub seen ($what) { return map { decode_json($_) } grep { /^\[/ } split /\n/, $part{"$what seen"} // '' }

# "vcpus 3, iothreads 2, emulator 0-1" of what the kernel said of a guest.
sub threads_of ($s) {
	my %t = %{ $s->{threads} };
	my @vcpu = map { @{ $t{$_} } } sort grep { /^CPU / } keys %t;
	my @io = map { @{ $t{$_} } } sort grep { /^IO / && $_ ne 'IO mon_iothread' } keys %t;
	my %rest = map { $_ => 1 } map { @{ $t{$_} } } grep { !/^(CPU|IO) / || $_ eq 'IO mon_iothread' } keys %t;
	return "vcpus @vcpu, iothreads @io, emulator " . join ' ', sort keys %rest;
}

sub measured ($what, $trials) {
	is(($part{"$what run"} // '') =~ /^status (\d+)$/m ? $1 : 'none', 0, "$what: measured") or diag $part{"$what run"};
	my @ok = grep { /^1\|/ } split /\n/, $part{"$what trials"} // '';
	is(scalar @ok, $trials, "... all $trials trials") or diag $part{"$what trials"};
	my @checks = map { [ split /\|/ ] } split /\n/, $part{"$what checks"} // '';
	my @differ = map { "@$_" } grep { $_->[1] ne $_->[2] } @checks;
	cmp_ok(scalar @checks, '>=', $trials, '... with checks');
	is_deeply(\@differ, [], '... asked is got in all');
	return @checks;
}

subtest 'threads' => sub {
	my @checks = measured('threads', 3);
	my ($plan) = ($part{'threads dry'} // '') =~ /pin=plan[^\n]*\n(?:  #[^\n]*\n)*?  # pinned: (.*)/;
	ok($plan, '--dry-run says what the plan is') or diag $part{'threads dry'};
	like($plan // '', qr/^vcpus \d, iothreads [\d,-]+, emulator [\d,-]+$/, '... thread by thread');
	my @seen = seen('threads');
	my %pins = map { threads_of($_) => 1 } map { @$_ } @seen;
	ok($pins{'vcpus 3, iothreads 2, emulator 0-1'}, 'the kernel saw a guest that is pinned as written') or diag explain \@seen;
	ok($plan && $pins{$plan}, '... one that is pinned as planned') or diag explain \@seen;
	# the machine has CPUs 0-3; the guest of the template has no iothread, either
	my @io = grep { grep { $_->{threads}{'IO io0'} } @$_ } @seen;
	ok((grep { !grep { $_ ne '0-3' } map { map { @$_ } values %{ $_->{threads} } } @$_ } @io), '... and one that never was') or diag explain \@seen;
	my %asked = map { $_->[1] => 1 } grep { $_->[0] eq 'guest.pin' } @checks;
	is_deeply([ sort keys %asked ], [ sort 'none', $plan // '', 'vcpus 3, iothreads 2, emulator 0-1' ], 'and asked was that');
};

subtest 'several guests' => sub {
	measured('several', 1);
	my %plan = ($part{'several dry'} // '') =~ /^  # guest (\d+): (.*)$/mg;
	is(scalar keys %plan, 2, '--dry-run says where each goes') or diag $part{'several dry'};
	my %pins = map { threads_of($_) => 1 } map { @$_ } seen('several');
	ok($pins{$_}, "the kernel saw one on $_") or diag explain [ keys %pins ] for values %plan;
	my @vcpu = map { /^vcpus (\S+),/ } values %plan;
	isnt($vcpu[0], $vcpu[1], 'their vCPUs have CPUs of their own');
	ok(!(grep { !/^\d$/ } @vcpu), '... one each') or diag explain \@vcpu;
};

subtest 'memory and a setting' => sub {
	like($part{refused} // '', qr/knob\.numa-balancing changes a setting of the whole host.*--consent host.*status 2$/s, 'refused without consent');
	my @checks = measured('memory', 2);
	my %asked = map { join(' ', @$_[ 0, 1 ]) => 1 } @checks;
	ok($asked{$_}, "asked: $_") or diag explain \%asked for 'guest.pages 2M', 'guest.nodes bind:1', 'knob.numa-balancing 0';
	my @seen = seen('memory');
	# while the setting was in force
	my @quiet = map { [ grep { $_->{balancing} eq '0' } @$_ ] } @seen;
	my @ram = map { [ grep { /^\S+ bind\S*:1 / } map { @{ $_->{numa} } } @$_ ] } @quiet;
	cmp_ok((grep { @$_ } @ram), '>=', 2, 'with NUMA balancing off, the kernel saw guests bound to node 1') or diag explain \@seen;
	is_deeply([ grep { /N0=/ } map { @$_ } @ram ], [], '... with all their memory there');
	# 128 MiB = 64 pages of 2 MiB, taken before the guest runs
	cmp_ok((grep { grep { / N1=64 kernelpagesize_kB=2048/ } @$_ } @ram), '>=', 2, '... in huge pages') or diag explain \@ram;
};

is($part{before}, "1 0 0 \n", 'the machine before');
like($part{after}, qr/^1 0 72 \n\S+  host +1 changes$/m, '... after the runs: NUMA balancing is as it was, and the huge pages of apply are there');
is($part{back}, "status 0\n1 0 0 \n", '... after revert: as before');
is($part{left}, '', 'no guest and no record is left');
diag $text if !Test::More->builder->is_passing;
done_testing;
