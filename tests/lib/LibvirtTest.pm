# SPDX-License-Identifier: GPL-2.0-or-later
# A libvirtd of the test's own, in folders that nobody else sees (a mount name space), and what virsh and the kernel say of a domain.
package LibvirtTest;
use strict;
use warnings;
use Exporter qw(import);
use POSIX ();
use Test::More;
use VBTest;

our @EXPORT = qw(libvirt_apart daemon_start daemon_end virsh pins kernel);

my ($daemon, $log, @cgroups, %had);

# Runs the test again in a mount name space, or skips all of it; then hides the host's libvirt behind empty folders. The sandbox's
# folder gets the daemon's log.
sub libvirt_apart {
	if (!$ENV{VBENCH_TEST_APART}) {
		plan skip_all => 'no mount name spaces here' if system('unshare', '-m', 'true');
		$ENV{VBENCH_TEST_APART} = 1;
		exec 'unshare', '-m', '--propagation', 'private', $^X, $0 or die;
	}
	my $s = sandbox();
	$log = "$s->{dir}/libvirtd.log";
	@cgroups = grep { -d } glob '/sys/fs/cgroup{,/*}';
	%had = map { $_ => 1 } grep { -d "$_/machine" } @cgroups;
	for my $d ('/run', '/var/lib/libvirt', '/var/cache/libvirt', '/var/log/libvirt', '/etc/libvirt') {
		plan skip_all => "no $d" if !-d $d;
		system('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', $d) == 0 or BAIL_OUT("mount $d");
	}
	mkdir '/run/libvirt';
	spurt('/etc/libvirt/qemu.conf', "security_driver = \"none\"\nuser = \"root\"\ngroup = \"root\"\ndynamic_ownership = 0\nstdio_handler = \"file\"\nnamespaces = []\n");
	spurt('/etc/libvirt/libvirtd.conf', "auth_unix_rw = \"none\"\n");
	return $s;
}

sub daemon_start {
	$daemon = fork // die;
	if (!$daemon) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', $log;
		open STDERR, '>&', \*STDOUT;
		exec 'libvirtd' or POSIX::_exit(127);
	}
	wait_until(sub { system('virsh -q list >/dev/null 2>&1') == 0 }, 60) or BAIL_OUT('libvirtd does not answer: ' . slurp($log));
}

sub daemon_end { kill 'TERM', $daemon; waitpid $daemon, 0; $daemon = 0 }

END {
	if ($daemon) {
		local $?;
		system("virsh -q destroy $_ >/dev/null 2>&1") for split ' ', virsh('list --name');
		daemon_end();
		# what libvirt made for its domains
		for my $c (grep { !$had{$_} } @cgroups) { system("find '$c/machine' -depth -type d -exec rmdir {} + 2>/dev/null") if -d "$c/machine" }
	}
}

sub virsh { my ($line) = @_; return scalar `virsh -q $line 2>&1` }

# What virsh says of a domain's pins and memory.
sub pins {
	my ($name) = @_;
	my ($vcpus, $iothreads, %p) = (virsh("vcpupin $name"), virsh("iothreadinfo $name"));
	$p{"vcpu $1"} = $2 while $vcpus =~ /^\s*(\d+)\s+(\S+)$/mg;
	$p{"iothread $1"} = $2 while $iothreads =~ /^\s*(\d+)\s+(\S+)$/mg;
	my $emulator = virsh("emulatorpin $name");
	$p{emulator} = $1 if $emulator =~ m{(\S+)\s*\z};
	$p{nodes} = $1 if virsh("numatune $name") =~ /^numa_nodeset\s*:[ \t]*(.*)$/m;
	return \%p;
}

# What the kernel says: name of thread -> CPU list; the main thread is called so.
sub kernel {
	my ($name) = @_;
	my %t;
	my $pid = slurp("/run/libvirt/qemu/$name.pid") + 0;
	for my $task (glob "/proc/$pid/task/*") {
		chomp(my $comm = slurp("$task/comm"));
		$comm = 'main' if $task eq "/proc/$pid/task/$pid";
		$t{$comm} = $1 if slurp("$task/status") =~ /^Cpus_allowed_list:\s*(\S+)/m;
	}
	return \%t;
}

1;
