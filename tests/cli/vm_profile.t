#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# `vbench profile FILE` and `vbench run -`: profiles of machines that libvirt's XML describes. Expected lines are by hand from the
# fixtures in tests/fixtures/vms. Nothing is started.
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use Test::More;

my $vbench = $ENV{VBENCH} // getcwd() . '/vbench';
BAIL_OUT('no ./vbench; run make') unless -x $vbench;
my $dir = tempdir('vbench-vm-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
mkdir "$dir/$_" for qw(data images);
$ENV{XDG_DATA_HOME} = "$dir/data";
my $vms = 'tests/fixtures/vms';

sub slurp { my ($path) = @_; open my $f, '<:raw', $path or return ''; local $/; return scalar(<$f>) // '' }
sub spurt { my ($path, $text) = @_; open my $f, '>:raw', $path or die "$path: $!"; print $f $text; close $f or die; return $path }

# Exit status, stdout, stderr; standard input is a file.
sub vbench {
	my ($in, @args) = @_;
	my $pid = fork // die;
	if (!$pid) {
		open STDIN, '<', $in or die;
		open STDOUT, '>', "$dir/out" or die;
		open STDERR, '>', "$dir/err" or die;
		exec 'timeout', 120, $vbench, @args;
		exit 127;
	}
	waitpid $pid, 0;
	return ($? & 127 ? 'signal ' . ($? & 127) : $? >> 8, slurp("$dir/out"), slurp("$dir/err"));
}

# {"section.key" => value} of a profile; keys of workloads are not of interest.
sub keys_of {
	my ($text) = @_;
	my ($section, %keys) = ('');
	for (split /\n/, $text) {
		$section = $1 if /^\[(.+)\]$/;
		$keys{"$section.$1"} = $2 if /^([a-z0-9-]+) = (.*)$/;
	}
	return \%keys;
}

sub has {
	my ($keys, $what, %want) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my %got = map { $_ => $keys->{$_} } keys %want;
	is_deeply(\%got, \%want, $what);
}

sub profile_of {
	my ($file) = @_;
	my ($status, $out, $err) = vbench('/dev/null', 'profile', $file);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($status, 0, "a profile of $file") || diag($err);
	is($err, '', 'and no word more');
	return ($out, keys_of($out));
}

# --- what is asked for, what QEMU takes otherwise ---
my ($text, $k) = profile_of("$vms/bare.xml");
# not said: QEMU's defaults are writeback, threads, and since 5.2 a queue for each vCPU
has($k, 'a bare machine', 'guest.vcpus' => 4, 'disk.bus' => 'virtio-blk', 'disk.format' => 'qcow2', 'disk.cache' => 'writeback',
	'disk.aio' => 'threads', 'disk.discard' => 'unmap', 'disk.iothread' => 'off', 'disk.queues' => 4, 'disk.ring' => 'split',
	'guest.memory' => '1G', 'disk.mode' => 'thin', 'guest.pin' => undef);
like($text, qr/^# it has 4096 MiB/m, 'less memory is said');
like($text, qr/^# .*thin is a guess/m, 'and a guess');
is(scalar(() = $text =~ /^\[workload /mg), 4, 'four workloads');

($text, $k) = profile_of("$vms/pinned.xml");
has($k, 'a tuned one', 'guest.vcpus' => 6, 'guest.pages' => '1G', 'disk.ring' => 'packed', 'disk.queues' => 4, 'disk.queue-size' => 512,
	'disk.iothread' => 'on', 'disk.poll-max' => '65536ns', 'disk.cache' => 'none', 'disk.aio' => 'native', 'disk.format' => 'raw',
	'disk.throttle-iops' => 5000, 'disk.detect-zeroes' => 'unmap', 'guest.cpu' => 'Skylake-Server-IBRS,+pcid,+invtsc,-hle,-rtm',
	'disk.dir' => undef);
like($text, qr{^#   vcpu\.1\.pin = 22 \(domain/cputune/vcpupin\[2\]/\@cpuset\)$}m, 'what it cannot say: with the place');
like($text, qr{^#   disk\.1\.cache = directsync }m, 'and so the other disk');

($text, $k) = profile_of("$vms/ovirt.xml");
has($k, 'a chain wants data', 'disk.bus' => 'virtio-scsi', 'disk.backing' => 1, 'disk.content' => 'data', 'disk.iothread' => 'on',
	'guest.vcpus' => 2);
($text, $k) = profile_of("$vms/scsi.xml");
has($k, 'queues are its controller\'s', 'disk.bus' => 'virtio-scsi', 'disk.queues' => 4, 'disk.iothread' => 'on', 'disk.aio' => 'io_uring');
($text, $k) = profile_of("$vms/windows.xml");
has($k, 'AHCI', 'disk.bus' => 'ahci', 'disk.cache' => 'writethrough', 'disk.queues' => undef, 'disk.iothread' => undef);
is($k->{'profile.title'}, 'win & "files" <2> as it is', 'its name is text');
($text, $k) = profile_of("$vms/nvme.xml");
has($k, 'under emulation', 'guest.accel' => 'tcg', 'guest.vcpus' => 1, 'disk.cache' => 'writeback');
profile_of("$vms/nova.xml");

# --- a folder that is there, and pins on CPU 0, which is everywhere ---
my $mine = <<"END";
<domain type='kvm'><name>n
[disk]
evil = on</name><memory unit='MiB'>512</memory><vcpu>1</vcpu>
<iothreads>1</iothreads><cputune><vcpupin vcpu='0' cpuset='0'/><iothreadpin iothread='1' cpuset='0'/><emulatorpin cpuset='0'/></cputune>
<os><type arch='x86_64'>hvm</type></os><devices>
<disk type='file'><driver type='raw' cache='writeback' io='native' iothread='1'/><source file='$dir/images/x'/><target dev='vda' bus='virtio'/></disk>
</devices></domain>
END
my $file = spurt("$dir/mine.xml", $mine);
($text, $k) = profile_of($file);
has($k, 'folder and pins', 'disk.dir' => "$dir/images", 'guest.pin' => '0/0/0', 'guest.memory' => '512M', 'disk.aio' => 'threads');
is($k->{'disk.evil'}, undef, 'a name of several lines brings none into the profile');
like($text, qr/aio = native does not go/, 'what QEMU would refuse is said');

# --- vbench run - ---
my $p = spurt("$dir/p.ini", $text);
my ($status, $out, $err) = vbench($p, 'run', '-', '--dry-run');
is($status, 0, 'run - takes it from standard input') || diag($err);
like($out, qr/1 cell x 4 workloads/, 'as one cell');
($status, $out, $err) = vbench('/dev/null', 'run', '-', '--dry-run');
is($status, 2, 'not from a device');
like($err, qr/^vbench: -: standard input is neither a pipe nor a file; .*vbench profile/, 'with a remedy');
($status, $out, $err) = vbench(spurt("$dir/empty", ''), 'run', '-', '--dry-run');
is($status, 2, 'nor nothing');
like($err, qr/empty/, 'which it says');
($status, $out, $err) = vbench(spurt("$dir/bad", "[dsik]\n"), 'run', '-', '--dry-run');
is($status, 2, 'nor what is no profile');
like($err, qr/^vbench: standard input:1: /, 'with the line');

# --- XML from standard input, facts as JSON, a file of its own ---
($status, $out, $err) = vbench($file, 'profile', '--json', '-');
is($status, 0, 'facts as JSON');
like($out, qr/"vcpu\.0\.pin": \{\s+"value": "0",\s+"where": "domain\/cputune\/vcpupin\[1\]\/\@cpuset"/, 'with their places');
($status, $out, $err) = vbench('/dev/null', 'profile', '-o', "$dir/new.ini", $file);
is($status, 0, '-o');
is(slurp("$dir/new.ini"), $text, 'is the same profile');
is($out, '', 'and nothing on standard output');
($status, $out, $err) = vbench('/dev/null', 'profile', '-o', "$dir/new.ini", $file);
is($status, 2, 'a file that is there is kept');
like($err, qr/File exists/, 'which it says');

# --- facts of a profile: what its first cell asks for ---
my $ini = spurt("$dir/cell.ini", <<'END');
[guest]
vcpus = 3
memory = 512M
cpu = Skylake-Server,-pmu,+pcid
pin = 4-6/2/0-1
[disk]
bus = virtio-scsi
count = 2
queues = 3
ring = packed
iothread = on
poll-max = 10us
format = qcow2
cache = directsync
aio = native
discard = unmap
[workload w]
rw = randread
END
($status, $out, $err) = vbench('/dev/null', 'profile', '--json', $ini);
is($status, 0, 'facts of a profile') || diag($err);
my %fact = $out =~ /"([\w.-]+)": \{\s+"value": "([^"]*)"/g;
# one controller for both disks has one iothread
has(\%fact, 'what it asks for', vcpus => 3, 'memory.size' => 512 << 20, 'cpu.model' => 'Skylake-Server', 'cpu.features' => '-pmu,+pcid',
	'cpu.pmu' => 'off', 'vcpu.0.pin' => 4, 'vcpu.2.pin' => 6, 'iothread.0.pin' => 2, 'emulator.pin' => '0-1', iothreads => 1,
	'iothread.0.poll-max-ns' => 10000, 'disk.1.bus' => 'virtio-scsi', 'disk.1.controller' => 0, 'controller.0.queues' => 3,
	'controller.0.packed' => 'on', 'disk.1.iothread' => 1, 'disk.0.cache' => 'directsync', 'disk.0.aio' => 'native',
	'disk.0.discard' => 'unmap', 'disk.0.format' => 'qcow2', 'disk.0.packed' => undef);
like($out, qr/"disk\.0\.cache": \{\s+"value": "directsync",\s+"where": "disk\.cache"/, 'with the key as the place');
($text, $k) = profile_of($ini);
has($k, 'and a profile of it says the same', 'disk.bus' => 'virtio-scsi', 'disk.ring' => 'packed', 'disk.queues' => 3, 'disk.poll-max' => '10000ns',
	'disk.cache' => 'directsync', 'guest.vcpus' => 3, 'guest.memory' => '512M');

# --- what cannot be ---
for (
	[["$vms/s390x.xml"], qr/not x86_64/], [["$dir/none.xml"], qr/No such file/], [[], qr/no TARGET/], [['a', 'b'], qr/one TARGET/],
	[[spurt("$dir/net.xml", '<network/>')], qr/a libvirt network/],
	[[spurt("$dir/nodisk.xml", '<domain><vcpu>1</vcpu></domain>')], qr/no disk whose bus is known/],
	[[spurt("$dir/bomb.xml", "<!DOCTYPE d [<!ENTITY a 'b'>]>\n<domain>&a;</domain>")], qr/bomb\.xml:1: a document type/],
) {
	my ($args, $want) = @$_;
	($status, $out, $err) = vbench('/dev/null', 'profile', @$args);
	is($status, 2, "refused: @$args");
	like($err, qr/^vbench: [^\n]*$want[^\n]*\n\z/, 'in one line');
	is($out, '', 'nothing comes out');
}
done_testing;
