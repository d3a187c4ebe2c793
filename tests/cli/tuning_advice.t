#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# tuning.md's advice can be typed in: every piece of code in it is known to the program that it is for. XML is held against libvirt's own
# schemas, QEMU's options, properties and keys against the real QEMU, commands against their own help, files against the kernel's documentation.
use strict;
use warnings;
use lib 'tests/lib';
use Advice;
use AdviceQemu;
use Test::More;

my @sections = Advice::sections('tuning.md');
cmp_ok(scalar @sections, '>=', 80, 'sections there are: ' . @sections);
my $qemu = AdviceQemu->new;
my $names = Advice::element_names();
my $virsh = grep { -x "$_/virsh" } split /:/, $ENV{PATH};
chomp(my $libvirt = $virsh ? `virsh --version` : '');

# Words that say something and are typed nowhere: names of values, fields of answers, keys of other programs' files.
my %WORDS = map { $_ => 1 } (
	# parameters of the kernel's command line and of modules [Linux, admin-guide/kernel-parameters.txt; virtio_blk.c; cpuidle-haltpoll.c]
	'isolcpus=4-7 nohz_full=4-7 rcu_nocbs=4-7 irqaffinity=0-3', 'processor.max_cstate=1 intel_idle.max_cstate=1', 'force=1',
	'default_hugepagesz=1G hugepagesz=1G hugepages=672', 'clocksource=kvm-clock', 'virtio_blk.poll_queues=2',
	# of a cgroup [Linux, admin-guide/cgroup-v2.rst]
	'cpuset.cpus.partition',
	# tuned's profiles and their variables [tuned, profiles/]
	'cpu-partitioning', 'realtime-virtual-host', 'realtime-virtual-guest', 'isolated_cores=', 'elevator',
	# of fio [fio(1)], chrony [chrony.conf(5)], nfs(5), mount(8) of ext4, PostgreSQL, ksmtuned
	'ioengine=io_uring', 'hipri=1', 'refclock PHC /dev/ptp0 poll 2', 'rsize=1048576,wsize=1048576', 'nobarrier', 'fsync=off', '/etc/ksmtuned.conf',
	# of vbench's profiles
	'disk.precondition = fill',
	# Proxmox's words, and numbers
	'cores', 'sockets',
	# values of werror, of error_policy and of aio [qemu(1), libvirt: formatdomain]
	'stop', 'report', 'ignore', 'io_uring',
	# of XML: attributes and an element's attribute's name
	'detect_zeroes', 'retries',
	'qemu-img create', 'qemu-img commit',
);
my %APPLY = map { $_ => 1 } qw(QEMU libvirt sysfs Guest Proxmox);

# --- taken apart ---
my (%docs, %whose, @rest);
my %count;
for my $s (@sections) {
	for my $piece (@{ $s->{code} }) {
		my ($field, $code) = @$piece;
		my $what = "$s->{id} $field: $code";
		if ($code =~ /^<(\w+)\/?>$/ || $code =~ /^<(\w+)><(\w+)>$/) {
			my @unknown = grep { defined && !$names->{$_} } $1, $2;
			ok(!@unknown, "$what: an element of libvirt's") if %$names;
			$count{element}++;
		} elsif ($code =~ /^</) {
			$docs{$what} = Advice::domain(Advice::elements($code));
			$whose{$what} = $s;
			ok(defined $docs{$what}, "$what: its place is known");
			delete $docs{$what} if !defined $docs{$what};
			$count{xml}++;
		} elsif ($code =~ /^-(?!-)/ && $field ne 'Rule' || $code =~ /^-[A-Z]/) {
			push @rest, [ 'qemu', $what, $code, $s ];
		} elsif ($field eq 'Proxmox' && $code =~ /^--/) {
			push @rest, [ 'command', $what, "qm set ID $code", $s ];
		} elsif ($code =~ /^--\w/) {
			push @rest, [ 'command', $what, "virsh migrate $code", $s ];
		} elsif (defined Advice::command($code)) {
			push @rest, [ 'command', $what, $code, $s ];
		} elsif ($field eq 'Proxmox' && $code =~ /^(\w+)=\w+$/) {
			ok($Advice::QM_DRIVE{$1}, "$what: a key of qm's");
		} elsif ($field eq 'QEMU' || $code =~ /^(?:(?:x-)?query-|hv-|kvm-)/) {
			push @rest, [ 'word', $what, $code, $s ] if !$WORDS{$code} && $code !~ m{^/objects/};
		} elsif ($APPLY{$field}) {
			my $attribute = $code =~ /^(\w+)='\w+'$/ && $field eq 'libvirt';
			my @files = Advice::files_in($code);
			ok($attribute || @files && "@files" eq $code || $WORDS{$code}, "$what: something that is typed in somewhere");
		}
		for my $path (Advice::files_in($code)) {
			next if $code =~ m{/dev/(?:VG|vg|urandom)} || $code eq 'refclock PHC /dev/ptp0 poll 2';
			ok(Advice::kernel_file($path), "$what: $path");
			$count{file}++;
		}
	}
}

# --- XML ---
SKIP: {
	skip 'no schemas of libvirt, or no xmllint', 1 if !-e $Advice::SCHEMA || !grep { -x "$_/xmllint" } split /:/, $ENV{PATH};
	my %bad = Advice::invalid(%docs);
	for my $what (sort keys %docs) {
		my ($later) = grep { $docs{$what} =~ $_->[0] } @Advice::XML_LATER;
		delete $bad{$what} if $later && $whose{$what}{text} =~ /\b\Q$later->[1]\E\b/ && AdviceQemu::older($libvirt, $later->[1]);
		is($bad{$what}, undef, "$what: valid");
	}
	cmp_ok(scalar keys %docs, '>=', 80, 'pieces of XML: ' . keys %docs);
	# the same machinery finds what is wrong
	my %wrong = (
		'a misspelt attribute' => Advice::domain(Advice::elements("<driver name='qemu' queue-size='256'/>")),
		'a misspelt value'     => Advice::domain(Advice::elements("<driver name='qemu' cache='nil'/>")),
		'the wrong place'      => Advice::domain("<cputune><emulatorpin vcpu='0'/></cputune>"),
		'not well-formed'      => Advice::domain("<cputune></cpu>"),
	);
	is_deeply([ sort keys %{ { Advice::invalid(%wrong) } } ], [ sort keys %wrong ], 'what is wrong is found');
}

# --- QEMU ---
SKIP: {
	skip 'no qemu-system-x86_64', 1 if !$qemu;
	my $options = 0;
	for my $r (grep { $_->[0] ne 'command' } @rest) {
		my ($kind, $what, $code, $s) = @$r;
		my @bad;
		if ($kind eq 'qemu') {
			@bad = $qemu->line($code);
			$options++;
		} elsif ($kind eq 'word') {
			my ($first, $json) = $code =~ /^([\w-]+)(?: (\S.*))?$/ ? ($1, $2) : ($code, undef);
			if ($qemu->command($first)) {
				# "migrate-set-parameters {"max-bandwidth": BYTES}": names of arguments
				my $arguments = $qemu->arguments($first);
				@bad = grep { !exists $arguments->{$_} } ($json // '') =~ /"([\w-]+)":/g;
			} elsif ($first =~ /^query-|^x-query-/) {
				@bad = ($first);
			} else {
				@bad = map { $qemu->word($_) } split /,/, $code =~ s/\|.*//r;
			}
		}
		@bad = grep { !$qemu->later($_, $s->{text}) } @bad;
		is("@bad", '', "$what: known to QEMU");
	}
	cmp_ok($options, '>=', 60, "pieces of command lines: $options");
	# capabilities of migration, named as such
	for my $s (@sections) {
		for my $name ($s->{text} =~ /\bcapability (?!since)([a-z]+(?:-[a-z]+)*)\b/g) {
			ok($qemu->capability($name) || $qemu->later($name, $s->{text}), "$s->{id}: capability $name");
		}
	}
	my @wrong = ('-device virtio-blk-pci,...,queue_sise=256', '-object iothread,poll-max=3', '-machine ...,hpt=off', '-cpu host,hv-timer',
		'-netdev tap,vhst=on', '-numa node,nodid=0', '-blockdev file,filenam=x', '-blockdev file,aio=nativ', '-drive ...,l2-cachesize=64M',
		'-drive ...,cache=nne', '-global kvm-pit.lost=delay', '-smp 8,socket=1', '-object iothread,poll-max-ns=0', '-blockdev null-co,size=1',
		'-object memory-backend-ram,id=m0,size=1G -m 1G', '-rtc base=utc,driftfx=slew', '-nohpet', '-vga nein');
	is(join(' ', map { my @b = $qemu->line($_); @b ? () : $_ } @wrong), '', 'what QEMU does not know is found');
}

# --- commands ---
SKIP: {
	skip 'no virsh', 1 if !$virsh;
	my $commands = 0;
	for my $r (grep { $_->[0] eq 'command' } @rest) {
		my $bad = Advice::command($r->[2]);
		is("@{ $bad // ['no command'] }", '', "$r->[1]: a command that is known");
		$commands++;
	}
	cmp_ok($commands, '>=', 80, "commands: $commands");
	my @wrong = ('virsh vcpupinn DOMAIN', 'virsh migrate --tunneled', 'virsh iothreadpin DOMAIN 1', 'qemu-img info -Q IMAGE',
		'qemu-img create -f qcow2 -o clustersize=64k IMAGE SIZE', 'qm set ID --iothread 1', 'sysctl vm.swapiness=10', 'taskset -Z CPU TID',
		'tuned-adm profile virtual_host', 'numactl --cpubind=0 x');
	is(join(' ', map { my $b = Advice::command($_); @{ $b // [] } ? () : $_ } @wrong), '', 'what is wrong is found');
}
ok(!Advice::kernel_file($_), "no such file: $_") for '/sys/kernel/mm/ksm/runs', '/proc/sys/kernel/numa_balance', '/sys/module/kvm/parameters/halt_poll';
done_testing();
