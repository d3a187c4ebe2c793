# SPDX-License-Identifier: GPL-2.0-or-later
# Advice as text (tuning.md's, or what the program prints), taken apart: XML for libvirt, commands, files of the kernel; and who knows them.
package Advice;
use strict;
use warnings;
use File::Temp qw(tempdir);

# --- sections ---

# Sections of a document: id, text, and its pieces of code with the field they stand in: [{id, text, code => [[field, code] ...]} ...].
sub sections {
	my ($path) = @_;
	open my $f, '<', $path or die "$path: $!";
	my $text = do { local $/; <$f> };
	my @all;
	for my $part (split /^(?=## )/m, $text) {
		my ($id) = $part =~ /^## ([A-Z]+-\d+) / or next;
		my $s = { id => $id, text => $part =~ s/\s+/ /gr, code => [], fields => {} };
		for my $field (split /^- (?=\w+: )/m, $part) {
			my ($name, $body) = $field =~ /^(\w+): (.*)/s or next;
			$body =~ s/\s+/ /g;
			$s->{fields}{$name} = $body;
			push @{ $s->{code} }, map { [ $name, $_ ] } $body =~ /`([^`]+)`/g if $name ne 'Sources';
		}
		push @all, $s;
	}
	return @all;
}

# --- XML ---

our $SCHEMA = '/usr/share/libvirt/schemas/domain.rng';

# What libvirt learnt after the version that the tests meet first (9.0.0): a pattern, the version, where it is said.
our @XML_LATER = (
	[ qr/<poll /,         '9.4.0',  'libvirt NEWS, v9.4.0: iothread polling' ],
	[ qr/<iothread id=.*<\/driver>/, '10.0.0', 'libvirt NEWS, v10.0.0: iothread to virtqueue mapping' ],
);

# Where an element belongs; "" is <domain> itself.
my %PLACE = (
	(map { $_ => '' } qw(vcpu iothreads iothreadids cputune numatune memoryBacking memtune features clock os blkiotune cpu memory currentMemory)),
	(map { $_ => 'devices' } qw(disk controller interface memballoon rng channel video graphics sound watchdog smartcard input console)),
	(map { $_ => 'devices/disk' } qw(target address driver blockio iotune source)),
	(map { $_ => 'devices/interface' } qw(model mtu)),
	page => 'memoryBacking/hugepages', timer => 'clock', type => 'os', hyperv => 'features', kvm => 'features',
	(map { $_ => 'features/hyperv' } qw(relaxed vapic spinlocks vpindex runtime synic stimer reset frequencies reenlightenment tlbflush ipi)),
	(map { $_ => 'cputune' } qw(vcpupin iothreadpin emulatorpin)), topology => 'cpu', cache => 'cpu', feature => 'cpu', numa => 'cpu',
	nosharepages => 'memoryBacking', hugepages => 'memoryBacking',
);
my %OPEN = (
	'devices/disk' => "<devices><disk type='file' device='disk'><source file='/image'/>", 'devices/interface' => "<devices><interface type='bridge'><source bridge='br0'/>",
	'memoryBacking/hugepages' => '<memoryBacking><hugepages>', clock => "<clock offset='utc'>", os => '<os>', devices => '<devices>', '' => '',
	features => '<features>', 'features/hyperv' => "<features><hyperv mode='custom'>", cputune => '<cputune>', cpu => "<cpu mode='host-passthrough'>",
	memoryBacking => '<memoryBacking>',
);

# The elements of a text, one after the other, made whole: "..." taken out, words that stand for values given some, what is left open closed.
sub elements {
	my ($text) = @_;
	$text =~ s/ \w+='\.\.\.'//g;
	$text =~ s/ ?\.\.\. ?(?=[^<>]*\/?>)/ /g;
	$text =~ s/\.\.\.//g;
	my %word = (N => 4, CPU => 2, CPUS => '0-1', SIZE => 1, NODE => 0);
	$text =~ s/([>'])(N|CPU|CPUS|SIZE|NODE)(?=[<'])/$1$word{$2}/g;
	my (@all, @open, $from);
	while ($text =~ m{<(/?)([a-zA-Z]\w*)((?:\s+[\w:-]+\s*=\s*(?:'[^']*'|"[^"]*"))*)\s*(/?)>}g) {
		my ($end, $name, $attributes, $empty) = ($1, $2, $3, $4);
		$from = $-[0] if !@open;
		$end ? $name eq ($open[-1] // '') ? pop @open : return (undef, "</$name> ends nothing") : $empty || push @open, $name;
		push @all, substr $text, $from, pos($text) - $from if !@open;
	}
	push @all, substr($text, $from) =~ s/[^>]*$//r . join '', map { "</$_>" } reverse @open if @open;
	return @all;
}

# A whole domain around elements that belong together.
sub domain {
	my (@elements) = @_;
	my ($type) = map { /^<domain type='(\w+)'/ } @elements;
	@elements = grep { !/^<domain/ } @elements;
	my %has = map { /^<(\w+)/ => 1 } @elements;
	my ($inner, %in) = ('');
	for my $e (@elements) {
		my ($name) = $e =~ /^<(\w+)/;
		# the same names stand in several places; what is with them tells which
		my $place = $PLACE{$name} // return;
		$place = 'devices/interface' if $name eq 'driver' && ($has{model} || $e =~ /'vhost'|rx_queue_size/);
		if ($name eq 'disk') {
			$e =~ s{</disk>$}{<source protocol='rbd' name='pool/image'/></disk>} if $e =~ /type='network'/ && $e !~ /<source/;
			$e =~ s{</disk>$}{<source dev='/dev/null'/></disk>} if $e =~ /type='block'/ && $e !~ /<source/;
			$e =~ s{</disk>$}{<target dev='vda'/></disk>} if $e !~ /<target/;
			$e =~ s{^<disk device}{<disk type='file' device};
		}
		$e =~ s{^<vcpu ([^>]*)></vcpu>}{<vcpu $1>4</vcpu>};
		$e =~ s{<type></type>}{<type>hvm</type>};
		$e =~ s{^<input type='tablet'></input>}{<input type='tablet'/>};
		$in{$place} .= $e;
	}
	for my $place (sort keys %in) {
		my $more = $place eq 'devices/disk' && !$has{target} ? "<target dev='vda' bus='virtio'/>" : '';
		my $close = join '', map { "</$_>" } reverse split m{/}, $place;
		$inner .= "$OPEN{$place}$in{$place}$more$close";
	}
	# one <devices> from several
	$inner =~ s{</devices><devices>}{}g;
	my $t = $type // 'kvm';
	return "<domain type='$t'><name>a</name>" . ($has{memory} ? '' : "<memory unit='GiB'>8</memory>")
		. ($inner =~ /<os>/ ? '' : "<os><type arch='x86_64' machine='q35'>hvm</type></os>") . "$inner</domain>";
}

# Which of these texts (key => XML) the schema does not take: key => its first complaint.
sub invalid {
	my (%docs) = @_;
	my $dir = tempdir('vbench-advice-XXXXXX', TMPDIR => 1, CLEANUP => 1);
	my (%file, $n);
	for my $key (sort keys %docs) {
		my $path = "$dir/" . ++$n . '.xml';
		$file{$path} = $key;
		open my $f, '>', $path or die "$path: $!";
		print $f $docs{$key};
		close $f or die "$path: $!";
	}
	my @files = sort keys %file;
	return if !@files;
	open my $p, '-|', "xmllint --noout --relaxng $SCHEMA " . join(' ', @files) . ' 2>&1' or die "xmllint: $!";
	my (%ok, %why);
	while (my $line = <$p>) {
		$ok{ $file{$1} } = 1 if $line =~ /^(\S+) validates$/ && $file{$1};
		push @{ $why{ $file{$1} } }, $2 if $line =~ /^(\S+?\.xml):\d+: (.*)/ && $file{$1};
	}
	close $p;
	return map { $_ => join('; ', @{ $why{$_} // ['not valid'] }) } grep { !$ok{$_} } keys %docs;
}

# Names of all elements that libvirt's schemas have.
sub element_names {
	my %names;
	for my $path (glob $SCHEMA =~ s/domain\.rng$/*.rng/r) {
		open my $f, '<', $path or next;
		while (<$f>) { $names{$1} = 1 while /<element name=["']([\w-]+)["']/g }
	}
	return \%names;
}

# --- commands ---

# virsh: "help COMMAND" lists options as "--name" (a flag), "--name <type>" and "[--name] <type>" (may be given without its name).
my %virsh;
sub virsh {
	my ($command, @words) = @_;
	$virsh{$command} //= do {
		my $text = `virsh help '$command' 2>/dev/null`;
		my %o = map { $_->[0] => $_->[1] ? 'value' : 'flag' } map { [ /^(\S+?)\]?( <|$)/ ? ($1, $2 ne '') : () ] }
			map { s/^\s+\[?--//r =~ s/\s{2,}.*//r } grep { /^\s+\[?--/ } split /\n/, $text;
		my ($synopsis) = $text =~ /SYNOPSIS\n\s+(.*)/;
		my $must = ($synopsis // '') =~ s/\[[^\]]*\]//gr;
		{ known => defined $synopsis, options => \%o, need => scalar(() = $must =~ / <[\w-]+>/g),
			places => ($synopsis // '') =~ /\.\.\./ ? 1000 : scalar(grep { $_ eq 'value' } values %o) };
	};
	my $v = $virsh{$command};
	return "virsh $command" if !$v->{known};
	my (@bad, $given);
	while (@words) {
		my $word = shift @words;
		$given++, next if $word !~ /^--(\S+)/;
		my $kind = $v->{options}{$1};
		push @bad, "virsh $command $word" if !$kind;
		shift @words if ($kind // '') eq 'value';
	}
	push @bad, "virsh $command: too many words" if ($given // 0) > $v->{places};
	# a command with its domain is whole; one without shows an option
	push @bad, "virsh $command: words are missing" if $given && $given < $v->{need};
	return @bad;
}

# qemu-img: its help has a line for each command, and -o help the options of a format.
my (%image, %format);
sub qemu_img {
	my ($command, @words) = @_;
	%image = map { /^  (\w+) (.*)/ ? ($1 => $2) : () } split /\n/, `qemu-img --help` if !%image;
	return () if $command =~ /^--version$/;
	my $help = $image{$command} // return "qemu-img $command";
	my $fmt = 'qcow2';
	my @bad;
	for my $i (0 .. $#words) {
		next if $words[$i] !~ /^-/;
		my ($name, $value) = split /=/, $words[$i], 2;
		push @bad, "qemu-img $command $name" if $help !~ /[\[( ]\Q$name\E[\]= )]/;
		$fmt = $words[ $i + 1 ] if $name eq '-f' || $name eq '-O';
		push @bad, image_options($fmt, $words[ $i + 1 ]) if $name eq '-o' && $command =~ /^(?:create|amend|convert)$/;
	}
	return @bad;
}

sub image_options {
	my ($fmt, $list) = @_;
	$format{$fmt} //= { map { $_ => 1 } `qemu-img create -f $fmt -o help x 2>/dev/null` =~ /^\s+(\w+)=/gm };
	return map { "qemu-img -o $_ ($fmt)" } grep { !$format{$fmt}{$_} } map { s/=.*//r } split /,/, $list;
}

# qm set: options and keys by qm(1) and qm.conf(5) of Proxmox VE 8; those with a number end in "N".
my %QM = map { $_ => 1 } qw(kvm cpu sockets cores vcpus affinity cpuunits cpulimit numa numaN hugepages memory balloon virtioN scsiN scsihw netN vga
	tablet serialN machine rng0 agent ostype);
my %QM_KEYS = (
	numa => [qw(cpus hostnodes memory policy)], rng => [qw(source)], agent => [qw(enabled fstrim_cloned_disks)], net => [qw(virtio bridge queues mtu)],
	cpu => [qw(cputype flags)],
);
our %QM_DRIVE = map { $_ => 1 } qw(iothread aio cache discard mbps iops queues mtu);

sub qm {
	my ($command, @words) = @_;
	return () if $command =~ /^(?:list|showcmd)$/;
	return "qm $command" if $command ne 'set';
	my @bad;
	while (@words) {
		my $word = shift @words;
		next if $word !~ /^--(\S+)/;
		my $name = $1;
		my $value = @words && $words[0] !~ /^--/ ? shift @words : '';
		my $kind = $name =~ s/\d+$//r;
		push @bad, "qm --$name" if !$QM{$name} && !$QM{"${kind}N"};
		my $keys = $QM_KEYS{$kind} // next;
		for my $pair (grep { /=/ } split /,/, $value) {
			my ($key) = split /=/, $pair;
			push @bad, "qm --$name $key" if !grep { $_ eq $key } @$keys;
		}
	}
	return @bad;
}

# Programs whose --help names their options.
my %HELP = map { $_ => 1 } qw(taskset chrt lscpu lsblk);
# Programs that need not be here: their options as used, and the page that has them.
my %PAGE = (
	numactl => [ qr/^(?:--cpunodebind=\d+|--membind=\d+|-H)$/, 'numactl(8)' ], numastat => [ qr/^-[cp]$/, 'numastat(8)' ],
	ethtool => [ qr/^-[lLgG]$/, 'ethtool(8)' ], 'tuned-adm' => [ qr/^$/, 'tuned-adm(8)' ], chronyc => [ qr/^$/, 'chronyc(1)' ],
	systemctl => [ qr/^--now$/, 'systemctl(1)' ], modprobe => [ qr/^$/, 'modprobe(8)' ], fuser => [ qr/^$/, 'fuser(1)' ],
	filefrag => [ qr/^-v$/, 'filefrag(8)' ], fstrim => [ qr/^-av$/, 'fstrim(8)' ], fallocate => [ qr/^-l$/, 'fallocate(1)' ],
	strace => [ qr/^-[cp]$/, 'strace(1)' ], lsattr => [ qr/^$/, 'lsattr(1)' ], chattr => [ qr/^$/, 'chattr(1)' ], lsusb => [ qr/^$/, 'lsusb(8)' ],
	perf => [ qr/^-e$/, 'perf-stat(1)' ], 'stress-ng' => [ qr/^--stream$/, 'stress-ng(1)' ], ping => [ qr/^-[Ms]$/, 'ping(8)' ],
	ip => [ qr/^-s$/, 'ip(8)' ], migratepages => [ qr/^$/, 'migratepages(8)' ], hwlatdetect => [ qr/^$/, 'hwlatdetect(8)' ],
);
my %PLAIN = map { $_ => 1 } qw(grep cat ls echo tee wc nproc readlink stat df dmesg pgrep ulimit vbench);
# Profiles, [tuned, profiles/].
my %TUNED = map { $_ => 1 } qw(virtual-host virtual-guest latency-performance network-latency realtime-virtual-host realtime-virtual-guest cpu-partitioning);

# What is wrong with a command line; undef when it is none. Pipes and lists are commands each.
sub command {
	my ($text) = @_;
	my @bad;
	my @parts = grep { /\S/ } map { s/^\s+|\s+$//gr } $text =~ /((?:'[^']*'|[^'|;]|\\\|)+)/g;
	return if !@parts || !is_program($parts[0]);
	for my $part (@parts) {
		my @words = grep { $_ ne '...' } map { s/^'(.*)'$/$1/sr } $part =~ /('[^']*'|[^\s']+)/g;
		my $name = shift @words;
		push(@bad, "command $name"), next if !is_program($name);
		my ($to) = grep { $words[$_] eq '>' } 0 .. $#words;
		@words = @words[ 0 .. $to - 1 ] if defined $to;
		if ($name eq 'virsh') { push @bad, virsh(@words) }
		elsif ($name eq 'qemu-img') { push @bad, qemu_img(@words) }
		elsif ($name eq 'qm') { push @bad, qm(@words) }
		elsif ($name eq 'sysctl') { push @bad, map { "sysctl $_" } grep { !kernel_file('/proc/sys/' . (s/=.*//r =~ tr{.}{/}r)) } @words }
		elsif ($HELP{$name}) {
			my $help = `$name --help 2>&1`;
			push @bad, map { my $w = $_; map { "$name -$_" } grep { $help !~ /(?:^|\s|,)-$_\b/m } split //, $w =~ s/^-//r } grep { /^-\w+$/ } @words;
		} elsif (my $page = $PAGE{$name}) {
			push @bad, map { "$name $_" } grep { /^-/ && !/$page->[0]/ } @words[ 0 .. ($name eq 'numactl' && $#words > 1 ? 1 : $#words) ];
			push @bad, map { "tuned's profile $_" } grep { $words[0] eq 'profile' && !$TUNED{$_} } @words[ 1 .. $#words ] if $name eq 'tuned-adm';
			push @bad, "tuned-adm $words[0]" if $name eq 'tuned-adm' && $words[0] !~ /^(?:profile|active|verify)$/;
		}
	}
	return \@bad;
}

sub is_program { my ($name) = ($_[0] // '') =~ /^([\w-]+)/ or return; return $name =~ /^(?:virsh|qemu-img|qm|sysctl)$/ || $HELP{$name} || $PAGE{$name} || $PLAIN{$name} }

# --- files of the kernel ---

# What need not be on the machine that tests, with the place in the kernel's documentation (Documentation/) that has it.
my @FILES = (
	[ qr{^/dev/kvm$},                                            'virt/kvm/api.rst' ],
	[ qr{^/dev/cpu_dma_latency$},                                'power/pm_qos_interface.rst' ],
	[ qr{^/dev/ptp0$},                                           'driver-api/ptp.rst' ],
	[ qr{^/proc/(?:PID|QEMU|\*)/task/(?:TID|\*)/(?:schedstat|status|comm)$}, 'scheduler/sched-stats.rst, filesystems/proc.rst' ],
	[ qr{^/proc/(?:QEMU|PID)/(?:numa_maps|smaps|smaps_rollup|status|fdinfo/FD|task/\*)$}, 'filesystems/proc.rst' ],
	[ qr{^/proc/irq/N/(?:effective_affinity_list|smp_affinity_list)$}, 'core-api/irq/irq-affinity.rst; Linux, kernel/irq/proc.c' ],
	[ qr{^/proc/pressure/(?:cpu|memory)$},                       'accounting/psi.rst' ],
	[ qr{^/proc/sys/kernel/numa_balancing$},                     'admin-guide/sysctl/kernel.rst' ],
	[ qr{^/proc/sys/vm/(?:swappiness|dirty_[\w*]+|unprivileged_userfaultfd)$}, 'admin-guide/sysctl/vm.rst' ],
	[ qr{^/sys/devices/system/cpu/cpu\*/cpufreq/scaling_governor$}, 'admin-guide/pm/cpufreq.rst' ],
	[ qr{^/sys/devices/system/cpu/cpufreq/boost$},               'admin-guide/pm/cpufreq.rst' ],
	[ qr{^/sys/devices/system/cpu/intel_pstate/(?:no_turbo|min_perf_pct)$}, 'admin-guide/pm/intel_pstate.rst' ],
	[ qr{^/sys/devices/system/cpu/cpu0/cpuidle/state\*/(?:name|latency|disable)$}, 'admin-guide/pm/cpuidle.rst' ],
	[ qr{^/sys/devices/system/cpu/cpuidle/current_driver$},      'admin-guide/pm/cpuidle.rst' ],
	[ qr{^/sys/devices/system/cpu/cpu\*/cache/index3/shared_cpu_list$}, 'ABI/testing/sysfs-devices-system-cpu' ],
	[ qr{^/sys/devices/system/cpu/cpu\*/topology/(?:thread_siblings_list|core_cpus_list)$}, 'ABI/stable/sysfs-devices-system-cpu' ],
	[ qr{^/sys/devices/system/cpu/smt/control$},                 'ABI/testing/sysfs-devices-system-cpu' ],
	[ qr{^/sys/devices/system/cpu/(?:isolated|nohz_full)$},      'ABI/testing/sysfs-devices-system-cpu' ],
	[ qr{^/sys/devices/system/cpu/vulnerabilities/\*$},          'ABI/testing/sysfs-devices-system-cpu' ],
	[ qr{^/sys/devices/system/node$},                            'ABI/stable/sysfs-devices-node' ],
	[ qr{^/sys/fs/resctrl/\*/schemata$},                         'filesystems/resctrl.rst (before Linux 6.16 in x86/)' ],
	[ qr{^/sys/module/kvm/parameters/halt_poll_ns$},             'virt/kvm/halt-polling.rst' ],
	[ qr{^/sys/module/haltpoll/parameters/guest_halt_poll_ns$},  'virt/guest-halt-polling.rst' ],
	[ qr{^/sys/module/virtio_blk/parameters/poll_queues$},       'Linux, drivers/block/virtio_blk.c: module_param(poll_queues)' ],
	[ qr{^/sys/kernel/mm/hugepages/hugepages-(?:2048|1048576)kB(?:/(?:(?:nr|free|resv)_hugepages)?)?$}, 'admin-guide/mm/hugetlbpage.rst' ],
	[ qr{^/sys/kernel/mm/transparent_hugepage/(?:enabled|defrag)$}, 'admin-guide/mm/transhuge.rst' ],
	[ qr{^/sys/kernel/mm/ksm/(?:\*|run|merge_across_nodes|pages_to_scan|sleep_millisecs)$}, 'admin-guide/mm/ksm.rst' ],
	[ qr{^/sys/block/(?:DEVICE|\*|\w+)/queue/(?:scheduler|nr_requests|max_segments|io_poll|write_cache|discard_max_bytes|physical_block_size|read_ahead_kb|max_sectors_kb)$},
		'ABI/stable/sysfs-block' ],
	[ qr{^/sys/block/vda/mq$},                                   'Linux, block/blk-mq-sysfs.c: "mq"' ],
	[ qr{^/sys/block/\*/device/driver$},                         'driver-api/driver-model/binding.rst' ],
	[ qr{^/sys/class/nvme/nvme0/device/numa_node$},              'ABI/testing/sysfs-bus-pci' ],
	[ qr{^/sys/block/DEVICE$},                                   'ABI/stable/sysfs-block' ],
	[ qr{^/sys/bus/virtio/devices/virtioN/features$},            'Linux, drivers/virtio/virtio.c: features_show' ],
	[ qr{^/sys/class/ptp/ptp\*/clock_name$},                     'ABI/testing/sysfs-ptp' ],
	[ qr{^/sys/class/misc/hw_random/rng_current$},               'admin-guide/hw_random.rst' ],
	[ qr{^/sys/devices/system/clocksource/clocksource0/current_clocksource$}, 'Linux, kernel/time/clocksource.c' ],
);

# Whether the kernel has, or may have, that file.
sub kernel_file {
	my ($path) = @_;
	return 1 if grep { $path =~ $_->[0] } @FILES;
	return $path !~ /[*{]/ && -e $path;
}

# The files of the kernel that a text names; {a,b} are several.
sub files_in {
	my ($text) = @_;
	my @all;
	for my $path ($text =~ m{((?<![\w.])/(?:sys|proc|dev)/[\w./*{},:-]*[\w*\}/])}g) {
		$path =~ s{/$}{} if $path !~ /kB\/$/;
		push @all, $path =~ /^(.*)\{(.*)\}(.*)$/ ? map { "$1$_$3" } split /,/, $2 : $path;
	}
	return @all;
}

1;
