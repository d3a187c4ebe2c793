#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# A domain under a real libvirtd: what `vbench profile` reads of it, shut off and running, while nothing of it changes; and libvirt
# takes the XML that vbench writes. The daemon is the test's own, in a mount namespace with folders of its own. Expected facts are by
# hand from the domain's XML, affinities from `taskset`.
use strict;
use warnings;
use lib 'tests/lib';
use VBTest;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep);

VBTest::needs(root => 'libvirtd in a mount namespace', programs => [qw(libvirtd virsh unshare mount taskset)]);

my $s = sandbox();
my $dir = $s->{dir};
my %pids;

# The daemon's own folders; stdio_handler: virtlogd would be another daemon.
mkdir "$dir/$_" for qw(etc etc/qemu lib run cache socket images);
spurt("$dir/libvirtd.conf", <<"END");
unix_sock_dir = "$dir/socket"
unix_sock_group = "root"
unix_sock_ro_perms = "0777"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:file:$dir/log"
END
spurt("$dir/etc/qemu.conf", <<'END');
stdio_handler = "file"
security_driver = "none"
user = "root"
group = "root"
cgroup_controllers = []
namespaces = []
remember_owner = 0
END
spurt("$dir/start", <<"END");
set -e
mkdir -p /run/libvirt /etc/libvirt /var/lib/libvirt /var/cache/libvirt
mount --bind $dir/etc /etc/libvirt
mount --bind $dir/lib /var/lib/libvirt
mount --bind $dir/run /run/libvirt
mount --bind $dir/cache /var/cache/libvirt
exec libvirtd -f $dir/libvirtd.conf -p $dir/pid
END

my $daemon = fork // die "fork: $!";
if (!$daemon) {
	open STDIN, '<', '/dev/null';
	open STDOUT, '>', "$dir/daemon-out";
	open STDERR, '>&', \*STDOUT;
	exec 'unshare', '--mount', 'sh', "$dir/start" or exit 127;
}
my $gone;
my $up = wait_until(sub {
	$gone = waitpid($daemon, POSIX::WNOHANG()) == $daemon;
	return $gone || -S "$dir/socket/libvirt-sock";
}, 60);

END {
	my $status = $?;
	kill 'KILL', grep { is_ours($_) } keys %pids;
	if ($daemon && !$gone) {
		kill 'TERM', $daemon;
		wait_until(sub { waitpid($daemon, POSIX::WNOHANG()) == $daemon }, 20) or kill 'KILL', $daemon;
	}
	$? = $status;
}

if (!$up || $gone) {
	my $why = (split /\n/, slurp("$dir/daemon-out") . slurp("$dir/log"))[-1] // 'no reason given';
	$daemon = 0 if $gone;
	plan skip_all => "libvirtd cannot be started here: $why";
}

my $rw = "qemu+unix:///system?socket=$dir/socket/libvirt-sock";
my $ro = "$rw-ro";

# A pid may be another's by now.
sub is_ours { my ($pid) = @_; return slurp("/proc/$pid/cmdline") =~ /\Q$dir\E/ }

# Status and output of virsh.
sub virsh {
	my (@args) = @_;
	my $pid = open(my $f, '-|') // die "fork: $!";
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDERR, '>&', \*STDOUT;
		exec 'timeout', 60, 'virsh', '-q', '-c', $rw, @args or exit 127;
	}
	my $text = join '', <$f>;
	close $f;
	return ($? >> 8, $text);
}

sub does {
	my ($what, @args) = @_;
	my ($status, $text) = virsh(@args);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is($status, 0, $what) || do { diag($text); 0 };
}

# The facts that vbench reads: {key => value} of each side, and all of the object.
sub facts {
	my ($name) = @_;
	my $v = $s->vbench('profile', '--json', "libvirt:$ro#$name");
	$s->exits($v, 0, "$name is read");
	my $j = eval { decode_json($v->{stdout}) } // { asked => {}, got => {}, notes => [] };
	my %side = map { my $side = $_; $side => { map { $_ => $j->{$side}{$_}{value} } keys %{ $j->{$side} } } } qw(asked got);
	return (\%side, $j);
}

# Nothing of the rest makes sense.
sub give_up { done_testing; exit 1 }

sub has {
	my ($facts, $what, %want) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my %got = map { $_ => $facts->{$_} } keys %want;
	is_deeply(\%got, \%want, $what);
}

# --- a domain that is shut off ---
system('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', 'cluster_size=128k', "$dir/images/a.qcow2", '1G') == 0 or die 'qemu-img';
system('qemu-img', 'create', '-q', '-f', 'raw', "$dir/images/b.img", '64M') == 0 or die 'qemu-img';
# both CPUs of the smallest machines, or the first one twice
my $last = scalar(grep { /^processor\s/ } split /\n/, slurp('/proc/cpuinfo')) > 1 ? 1 : 0;
my ($qemu) = grep { -x } map { "$_/qemu-system-x86_64" } split /:/, $ENV{PATH};
my $uuid = 'c5f1a1c2-0c39-4e7e-8a44-' . join '', map { sprintf '%02x', int rand 256 } 1 .. 6;
spurt("$dir/vm.xml", <<"END");
<domain type='qemu'>
  <name>vb-test</name><uuid>$uuid</uuid><memory unit='MiB'>96</memory><vcpu>2</vcpu>
  <iothreads>2</iothreads>
  <cputune>
    <vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='1' cpuset='$last'/><iothreadpin iothread='1' cpuset='$last'/>
  </cputune>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <emulator>$qemu</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' io='native' discard='unmap' iothread='1' queues='2'/>
      <source file='$dir/images/a.qcow2'/><target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='writeback'/>
      <source file='$dir/images/b.img'/><target dev='sda' bus='scsi'/>
    </disk>
    <controller type='scsi' index='0' model='virtio-scsi'><driver iothread='2' queues='2'/></controller>
    <memballoon model='none'/>
  </devices>
</domain>
END
does('a domain is defined', 'define', "$dir/vm.xml") or give_up();
my ($f, $j) = facts('vb-test');
ok(!$j->{running}, 'it does not run');
has($f->{asked}, 'what it asks for', vcpus => 2, 'memory.size' => 96 << 20, accel => 'tcg', iothreads => 2, 'vcpu.1.pin' => $last,
	'iothread.0.pin' => $last, 'disk.0.bus' => 'virtio-blk', 'disk.0.cache' => 'none', 'disk.0.aio' => 'native',
	'disk.0.iothread' => 1, 'disk.1.bus' => 'virtio-scsi', 'disk.1.iothread' => 2, 'controller.0.queues' => 2, balloon => 'none');
has($f->{got}, 'its images are looked at', 'disk.0.size' => 1 << 30, 'disk.0.cluster' => 128 << 10, 'disk.1.size' => 64 << 20);
is($j->{asked}{'disk.0.cache'}{where}, 'domain/devices/disk[1]/driver/@cache', 'with the place in its XML');

# --- its profile ---
my $v = $s->vbench('profile', "libvirt:$ro#vb-test");
$s->exits($v, 0, 'a profile of it is written');
my %line = $v->{stdout} =~ /^([a-z-]+) = (.*)$/mg;
has(\%line, 'with its settings', bus => 'virtio-blk', cache => 'none', aio => 'native', discard => 'unmap', iothread => 'on', queues => 2,
	'cluster-size' => '128k', vcpus => 2, dir => "$dir/images", format => 'qcow2');
like($v->{stdout}, qr/^#   disk\.1\.bus = virtio-scsi \(domain\/devices\/disk\[2\]/m, 'and what it cannot say as a comment');
my $program = VBTest::program();
my $env = 'XDG_DATA_HOME=' . $s->{xdg} . ' VBENCH_GUEST=' . VBTest::guest();
my $dry = `$env timeout 120 $program profile 'libvirt:$ro#vb-test' | $env timeout 120 $program run - --dry-run 2>&1`;
is($?, 0, 'vbench run - takes it');
like($dry, qr/vb-test as it is.*1 cell /s, 'as one cell');

# --- running; --paused: no guest code, no time ---
does('it is started', 'start', '--paused', 'vb-test');
my (undef, $before) = virsh('dominfo', 'vb-test');
my (undef, $xml) = virsh('dumpxml', 'vb-test');
($f, $j) = facts('vb-test');
ok($j->{running} && $j->{pid}, 'it runs');
$pids{ $j->{pid} } = 1 if $j->{pid};
ok($j->{pid} && is_ours($j->{pid}), 'and its process is the right one');
has($f->{asked}, 'what it asks for is the same', 'disk.0.cache' => 'none', 'vcpu.1.pin' => $last, 'disk.1.iothread' => 2);
is($f->{got}{'disk.0.direct'}, 'on', 'O_DIRECT is in force');
is($f->{got}{'disk.1.direct'}, 'off', 'and not where it was not asked for');
for my $i (0, 1) {
	my $tid = $f->{got}{"vcpu.$i.tid"} // 0;
	my ($list) = `taskset -pc $tid 2>/dev/null` =~ /: (\S+)$/;
	is($f->{got}{"vcpu.$i.pin"}, $list, "vCPU $i is where taskset says");
	is($list, $i ? $last : 0, 'and where it was asked to be');
}
does('a vCPU is moved', 'vcpupin', 'vb-test', '1', '0', '--live');
($f, $j) = facts('vb-test');
is($f->{asked}{'vcpu.1.pin'}, 0, 'the running domain asks for that');
is($f->{got}{'vcpu.1.pin'}, 0, 'and it is in force');
SKIP: {
	skip 'one CPU', 1 if !$last;
	ok(scalar(grep { /at its next start: vcpu\.1\.pin = 1/ } @{ $j->{notes} }), 'its next start will have another');
}
does('it is moved back', 'vcpupin', 'vb-test', '1', $last, '--live');

# --- someone ran taskset: what libvirt says is not what holds ---
# [state, found, where] of each finding of a rule that is in force; what of it is broken
sub in_force {
	my ($rule) = @_;
	my $v = $s->vbench('audit', '--json', '--rules', $rule, "libvirt:$ro#vb-test");
	my $j = eval { decode_json($v->{stdout}) } // { rules => [] };
	return ($v->{status}, grep { $_->{side} eq 'in force' && $_->{state} eq 'broken' } map { @{ $_->{findings} } } @{ $j->{rules} });
}
SKIP: {
	skip 'one CPU', 13 if !$last;
	my ($status, @broken) = in_force('CPU-06');
	is_deeply([ map { $_->{found} } @broken ], [], 'CPU-06: pins as asked are in force');
	my $tid = $f->{got}{'vcpu.1.tid'} // 0;
	is(system("taskset -pc 0 $tid >/dev/null"), 0, 'taskset moves a vCPU behind its back');
	($status, @broken) = in_force('CPU-06');
	is($status, 1, 'CPU-06: exit status 1');
	is(scalar(@broken), 1, 'one vCPU strays');
	is($broken[0]{part}, 'vcpu 1', 'the one that was moved');
	like($broken[0]{found}, qr/on CPUs 0, although $last is what is asked for/, 'from where to where');
	like($broken[0]{where}, qr{^/proc/\d+/task/$tid\b}, 'and where that was seen');
	is($broken[0]{change}{libvirt}, "virsh vcpupin DOMAIN 1 $last --live", 'with the command that mends it');
	# asked by the XML of the running domain: libvirt does not know
	like((virsh('dumpxml', 'vb-test'))[1], qr/vcpupin vcpu='1' cpuset='$last'/, 'libvirt still says that it is where it was');
	$tid = $f->{got}{'iothread.0.tid'} // 0;
	system("taskset -pc 0 $tid >/dev/null");
	($status, @broken) = in_force('CPU-08');
	is_deeply([ map { $_->{part} } grep { $_->{found} =~ /although/ } @broken ], ['iothread 1'], 'CPU-08: so is a moved iothread');
	is(system("taskset -pc $last $_ >/dev/null"), 0, 'put back') for $tid, $f->{got}{'vcpu.1.tid'} // 0;
	($status, @broken) = in_force('CPU-06,CPU-08');
	is_deeply([ grep { $_->{found} =~ /although/ } @broken ], [], 'and then nothing strays');
}
my (undef, $after) = virsh('dominfo', 'vb-test');
s/^CPU time:.*\n//m for $before, $after;
is($after, $before, 'nothing about it changed, taints among them');
is((virsh('dumpxml', 'vb-test'))[1], $xml, 'nor did its XML');

# --- what libvirt takes of ours ---
my $writer = ($ENV{VBENCH_TESTS} // 'build/tests') . '/vm_write_xml';
SKIP: {
	skip "no $writer; run make check", 5 if !-x $writer;
	spurt("$dir/live.xml", $xml);
	my @files = (['vb-test', "$dir/live.xml"], map { [$_->[0], "tests/fixtures/vms/$_->[1].xml"] } ['web', 'bare'], ['store', 'scsi']);
	for (@files) {
		my ($name, $file) = @$_;
		my $text = `$writer libvirt $file`;
		# there may be no KVM here; the emulator is wherever it is
		$text =~ s/<domain type='kvm'/<domain type='qemu'/;
		$text =~ s/ migratable='\w+'//;
		spurt("$dir/out.xml", $text);
		my $validate = `virt-xml-validate $dir/out.xml domain 2>&1`;
		is($?, 0, "$name: our XML follows libvirt's schema") || diag($validate) if VBTest::in_path('virt-xml-validate') && -d '/usr/share/libvirt/schemas';
		does("$name: and libvirt defines it", 'define', "$dir/out.xml");
	}
	($f) = facts('store');
	has($f->{asked}, 'it says the same there', 'disk.12.kind' => 'lun', 'disk.11.controller' => 1, 'controller.1.queues' => 8, 'disk.0.iothread' => 1);
}

# --- plans: for the domain, and into one ---
my $snapshot = 'tests/fixtures/snapshots/two-socket-smt.json';
$v = $s->vbench('plan', '--snapshot', $snapshot, '--json', "libvirt:$ro#vb-test");
my $plan = eval { decode_json($v->{stdout}) } // { guests => [{}] };
is_deeply([@{ $plan->{guests}[0] }{qw(name vcpus memory iothreads)}], ['vb-test', 2, 96 << 20, 2], 'a domain is a target: its vCPUs, memory and iothreads');
# 18 vCPUs on nodes of 7 free cores with two threads: two cells. KVM is not to be had here.
$v = $s->vbench('plan', '--snapshot', $snapshot, '--export', 'libvirt', '--guest', "it's planned:vcpus=18,memory=256M,iothreads=2");
my $planned = $v->{stdout} =~ s/type='kvm'/type='qemu'/r;
spurt("$dir/plan.xml", $planned);
does('libvirt defines a plan', 'define', "$dir/plan.xml");
# virsh vcpupin shows no CPUs above this machine's
my (undef, $defined) = virsh('dumpxml', "it's planned");
my %pins = map { $_ => [$defined =~ /<${_}pin [^>]*cpuset='([^']*)'/g] } qw(vcpu iothread emulator);
# core 0 (CPUs 0, 16) and core 8 (8, 24) are kept; neighbours on siblings, which are 16 apart
is_deeply($pins{vcpu}, [(map { ($_, $_ + 16) } 1 .. 5), (map { ($_, $_ + 16) } 9 .. 12)], 'its vCPUs are pinned as planned') || diag($planned);
is_deeply($pins{emulator}, ['0,8,16,24'], 'its other threads, too');
is_deeply($pins{iothread}, [6, 7], 'and its iothreads');
like((virsh('numatune', "it's planned"))[1], qr/numa_nodeset\s*: 0-1$/m, 'its memory is bound');
like($defined, qr{<memnode cellid='1' mode='strict' nodeset='1'/>}, 'cell by cell');
like($defined, qr{<cell id='1' cpus='10-17' memory='131072' unit='KiB'/>}, 'of half the memory each');
# The same as commands, for a domain that has nothing of it.
spurt("$dir/plain.xml", "<domain type='qemu'><name>it's plain</name><memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>");
does('a domain without any pins', 'define', "$dir/plain.xml");
$v = $s->vbench('plan', '--snapshot', 'tests/fixtures/snapshots/cloud2.json', '--export', 'virsh', '--guest', "it's plain:vcpus=1,memory=64M,iothreads=1");
spurt("$dir/plan.sh", "set -e\nvirsh() { command virsh -q -c '$rw' \"\$@\"; }\n" . ($v->{stdout} =~ s/^LIVE=.*$/LIVE=/mr));
SKIP: {
	skip 'libvirt pins to CPUs that are there', 3 if !$last;
	my $done = `timeout 120 sh $dir/plan.sh 2>&1`;
	is($?, 0, 'virsh takes each command') || diag($done);
	(undef, $defined) = virsh('dumpxml', "it's plain");
	like($defined, qr{<vcpupin vcpu='0' cpuset='0'/>\s*<emulatorpin cpuset='1'/>\s*<iothreadpin iothread='1' cpuset='1'/>}, 'and the domain has the pins');
	like($defined, qr{<memory mode='strict' nodeset='0'/>}, 'and the node');
}

# --- errors: one sentence each, with a remedy ---
for (
	["libvirt:$ro#nosuch", qr/no domain "nosuch"; there are: .*vb-test/],
	["libvirt:qemu+unix:///system?socket=$dir/none#x", qr/cannot be reached \(.*\); start libvirtd/],
	['libvirt:', qr/names no domain/],
) {
	my ($target, $want) = @$_;
	my $e = $s->vbench('profile', $target);
	$s->exits($e, 2, "$target is refused");
	like($e->{stderr}, qr/^vbench: .*$want.*\n\z/, 'in one line');
	is($e->{stdout}, '', 'and nothing else');
}
does('it is ended', 'destroy', 'vb-test');
done_testing;
