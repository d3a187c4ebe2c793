#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Malformed profiles through `vbench run FILE --dry-run`: one line with file, line and remedy, exit status 2, nothing started.
# Expected lines are by hand, from the text of each profile. The ready profiles are read, too.
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Find;
use File::Temp qw(tempdir);
use Test::More;

my $vbench = $ENV{VBENCH} // getcwd() . '/vbench';
BAIL_OUT('no ./vbench; run make') unless -x $vbench;
my $share = getcwd();
my $dir = tempdir('vbench-profile-XXXXXX', TMPDIR => 1, CLEANUP => 1);
mkdir "$dir/$_" for qw(data run config);
$ENV{XDG_DATA_HOME} = "$dir/data";
$ENV{XDG_RUNTIME_DIR} = "$dir/run";
$ENV{XDG_CONFIG_HOME} = "$dir/config";

# Exit status, stdout, stderr.
sub vbench {
	my $pid = fork // die;
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$dir/out" or die;
		open STDERR, '>', "$dir/err" or die;
		exec $vbench, @_;
		exit 127;
	}
	waitpid $pid, 0;
	my ($status, @text) = ($?);
	for my $name (qw(out err)) {
		open my $f, '<:raw', "$dir/$name" or die;
		local $/;
		push @text, scalar(<$f>) // '';
	}
	return ($status & 127 ? 'signal ' . ($status & 127) : $status >> 8, @text);
}

sub put {
	my ($name, $text) = @_;
	open my $f, '>:raw', "$dir/$name" or die;
	print $f $text;
	close $f or die;
	return "$dir/$name";
}

# What a run would leave: anything but empty folders.
sub left_over {
	my @files;
	find(sub { push @files, $File::Find::name if !-d }, map { "$dir/$_" } qw(data run config));
	return @files;
}

my $W = "[workload w]\nrw = randread\n";
# [what, profile, line, message with its remedy]
my @malformed = (
	['unknown section', "[dsik]\nbus = nvme\n$W", 1, qr/\[dsik\] is no section; did you mean \[disk\]\?/],
	['unknown section, near to none', "$W\n[network]\nmtu = 1500\n", 4, qr/there are \[profile\]/],
	['unknown key', "[disk]\n\nringg = packed\n$W", 3, qr/"ringg" is no key of \[disk\]; did you mean "ring"\?/],
	['key of another section', "[disk]\nblocks = 3\n$W", 2, qr/belongs into \[run\]/],
	['unknown value', "[disk]\nring = split, pakced\n$W", 2, qr/"pakced" is not one of split, packed; did you/],
	['bad unit of a size', "[disk]\nsize = 4X\n$W", 2, qr/"4X" is not a size; .* 4k or 1G/],
	['bad unit of a time', "[workload w]\nruntime = 3 fortnights\n", 2, qr/is not a time; .* 700ms/],
	['number out of range', "[disk]\nqueue-size = 65536\n$W", 2, qr/out of range; .* from 2 to 32768/],
	['queue size that only a host site takes', "[disk]\nqueue-size = 1000\n$W", 1,
		qr/power of two from 4 to 1024; others need guest\.site=host/],
	['packed ring without a driver for it', "[guest]\nsite = host\n[disk]\nbackend = file\n$W", 1,
		qr/driver=vring needs backend=vhost-user/],
	['rung without a name', "[rung]\ndisk.bus = nvme\n$W", 1, qr/a rung needs a name; write for instance/],
	['duplicate rung', "[rung a]\n[rung  a]\n$W", 2, qr/give this rung a name of its own/],
	['key of a rung that is not in full', "[rung a]\nbus = nvme\n$W", 2, qr/did you mean "disk\.bus"\?/],
	['unknown key of a rung', "[rung a]\ndisk.buss = nvme\n$W", 2, qr/no key of \[disk\]; did you mean "bus"\?/],
	['rung over none', "[rung ab]\n[rung b]\nover = abc\nadds = x\n$W", 3, qr/no rung "abc" above; did you mean "ab"\?/],
	['rung over a later one', "[rung a]\nover = b\nadds = x\n[rung b]\n$W", 2, qr/no rung "b" above; name an earlier one/],
	['rungs and a list', "[disk]\nbus = nvme, virtio-blk\n[rung a]\n$W", 2, qr/with rungs takes no lists; .*into \[rung NAME\]/],
	['list in a rung', "[rung a]\ndisk.bus = nvme, virtio-blk\n$W", 2, qr/this key takes one value/],
	['two rungs of one kind', "[rung a]\n[rung b]\ndisk.bus = virtio-blk\n$W", 2, qr/is the same as \[rung a\]; take/],
	['number that is none', "[guest]\nvcpus = many\n$W", 2, qr/"many" is not a whole number/],
	['empty axis', "[disk]\nbus = \n$W", 2, qr/no value; write one of virtio-blk, virtio-scsi, nvme/],
	['hole in an axis', "[disk]\nbus = nvme,,virtio-blk\n$W", 2, qr/a value of the list is empty; take the stray/],
	['value twice in an axis', "[disk]\nsize = 1G, 1024M\n$W", 2, qr/is in the list twice; take one out/],
	['list where none is allowed', "[workload w]\nbs = 4k, 8k\n", 2, qr/this key takes one value/],
	['duplicate key', "[disk]\nbus = nvme\nbus = nvme\n$W", 3, qr/bus is there twice .*keep one/],
	['duplicate section', "[disk]\nbus = nvme\n$W\[disk]\nsize = 1G\n", 5, qr/twice; put its keys under one heading/],
	['duplicate workload', "$W\n$W", 4, qr/twice; give this workload a name of its own/],
	['workload without a name', "[workload]\nrw = read\n", 1, qr/needs a name; write for instance/],
	['no workload', "[disk]\nbus = nvme\n", 1, qr/no workload; add a section/],
	['unterminated section', "$W\n[disk\nbus = nvme\n", 4, qr/not closed; it must end with "\]"/],
	['key in front of all sections', "bus = nvme\n$W", 1, qr/before the first section; begin with/],
	['line without "="', "[disk]\nbus nvme\n$W", 2, qr/neither KEY = VALUE nor \[SECTION\]; put #/],
	['binary garbage', "\x7fELF\x02\x01\x01\0\0\0\0\x03\0>" . join('', map { chr } 0 .. 255) x 40, 1,
		qr/control character 0x7f; a profile is plain text/],
	['NUL byte', "[disk]\nbus = nv\0me\n$W", 2, qr/byte 9 is the control character 0x00/],
	['Latin-1', "[profile]\ntitle = \xc4rger\n$W", 2, qr/byte 9 \(0xc4\) is not UTF-8/],
	['line of 10 MB', "[disk]\n# " . 'x' x 10_000_000 . "\n$W", 2, qr/line is 10000002 bytes long; .* at most 65536/],
	['file of 10 MB', "$W" . "# filler\n" x 1_200_000, 1, qr/file has 1080002\d bytes; a profile has at most/],
	['file of 20 MB', "$W" . "# filler\n" x 2_400_000, 1, qr/over 16 MiB large; a profile has at most/],
	['too many cells', "[disk]\nqueue-size = 4,8,16,32,64,128,256,512,1024\nsize = "
		. join(',', map { "${_}M" } 1 .. 500) . "\n$W", 1, qr/more than 4096 combinations; shorten a list/],
	['nothing that makes sense', "[disk]\naio = native\ncache = unsafe\n$W", 1, qr/no combination .*cache=none or/],
	['depth of a synchronous engine', "[workload w]\nioengine = psync\niodepth = 8\n", 1, qr/use io_uring or libaio/],
	['more buffers than memory', "[workload w]\nbs = 1M\niodepth = 256\n", 1, qr/lower them or raise guest.memory/],
	['a ring by pass-through, behind asked and got', "[guest]\nsite = host\n[disk]\nbackend = vhost-user\n$W\nfio.ring = split\n", 5,
		qr/fio\.ring is not taken on the host: use disk\.ring/],
	['a foreign file by pass-through', "[guest]\nsite = host\n[disk]\nbackend = vhost-user\n$W\nfio.serve_path = /etc/passwd\n", 5,
		qr/fio\.serve_path is not taken on the host/],
	['a larger file by pass-through', "[guest]\nsite = host\n[disk]\ndriver = file\n$W\nfio.filesize = 300M\n", 5,
		qr/fio\.filesize is not taken on the host: use disk\.size/],
	['verify of what nothing keeps', "[disk]\nbackend = null\n[workload w]\nrw = randwrite\nverify = md5\n", 3, qr/keeps nothing that could be read back/],
	['a cell that there is not', "[disk]\nring = split, packed\n$W\n[run]\nonly = packd\n", 7, qr/run\.only|only: there is no cell "packd"; did you mean "packed"\?/],
	['a format that QEMU has no driver for', "[disk]\nformat = zvhd\n$W", 2, qr/"zvhd": Huawei's own format, no QEMU driver; convert it with the vendor's tool/],
	['cluster size that is no power of two', "[disk]\nformat = qcow2\ncluster-size = 96k\n$W", 3, qr/cluster-size: "96k" must be a power of two/],
	['burst of half a second', "[disk]\nthrottle-iops = 10\nthrottle-burst = 1500ms\n$W", 3, qr/must be a multiple of 1s/],
	['block device without a name', "[disk]\nbackend = block\n$W", 1, qr!needs disk\.device = /dev/!],
	['a file in the place of a block device', "[disk]\nbackend = block\ndevice = /etc/passwd\n$W", 3, qr/must be a block device/],
	['a device behind nbdkit', "[disk]\nbackend = nbd\nnbd = nbdkit\nnbdkit = sh file=/dev/sda\n$W", 4, qr/may name no device; write disk\.backend = block/],
	['an option of nbdkit', "[disk]\nbackend = nbd\nnbd = nbdkit\nnbdkit = memory 1G --run x\n$W", 4, qr/no other option of nbdkit/],
	['a microvm with PCI', "[guest]\nmachine = microvm\n$W", 1, qr/a microvm has no PCI; use bus=virtio-mmio/],
	['a fifth IDE disk', "[disk]\nbus = ide\ncount = 5\n$W", 1, qr/two channels of two disks each/],
	['a chain over nothing', "[disk]\nformat = qcow2\nbacking = 4\n$W", 1, qr/use content=data/],
	['one thing said twice', "[disk]\ndiscard = unmap\nblockdev.discard = unmap\n$W", 1, qr/say the same thing; keep one/],
	['verify by jobs that overwrite each other', "[workload w]\nrw = write\nverify = md5\nnumjobs = 2\n", 1, qr/fio\.offset_increment/],
	['another disk by pass-through', "[disk]\nblockdev.file.filename = /dev/sda\n$W", 2, qr/vbench makes the image/],
);

my $n = 0;
for my $case (@malformed) {
	my ($what, $text, $line, $message) = @$case;
	my $path = put('p' . $n++ . '.ini', $text);
	my ($status, $out, $err) = vbench('run', $path, '--dry-run');
	subtest $what => sub {
		is $status, 2, 'exit status 2';
		is $out, '', 'nothing on stdout';
		is $err =~ tr/\n//, 1, 'one line on stderr';
		like $err, qr/^(vbench: )?\Q$path\E:$line: /, "names $path:$line";
		like $err, $message, 'says what and how to mend it';
		unlike $err, qr/[\x00-\x09\x0b-\x1f\x7f]/, 'no control character reaches the terminal';
		is_deeply [left_over()], [], 'nothing was started';
	};
}

my $good = put('good.ini', $W);
for my $case (
	['disk.bus=nvmee', qr/--set disk\.bus: "nvmee" is not one of .*did you mean "nvme"\?/],
	['disk.buss=nvme', qr/--set disk\.buss: "buss" is no key of \[disk\]; did you mean "bus"\?/],
	['workload x.bs=8k', qr/--set workload x\.bs: there is no workload "x\.bs"/],
	['nvme', qr/--set nvme: write SECTION\.KEY=VALUE/],
) {
	my ($set, $message) = @$case;
	my ($status, $out, $err) = vbench('run', $good, '--dry-run', '--set', $set);
	subtest "--set $set" => sub {
		is $status, 2, 'exit status 2';
		is $out, '', 'nothing on stdout';
		is $err =~ tr/\n//, 1, 'one line on stderr';
		like $err, $message, 'names the argument and the remedy';
	};
}

{
	my ($status, $out, $err) = vbench('run', "$dir/none.ini", '--dry-run');
	is $status, 2, 'a missing profile is bad input';
	like $err, qr/none(\.ini)?/, 'and is named';
	($status, $out, $err) = vbench('run', $dir, '--dry-run');
	is $status, 2, 'a folder is no profile';
}

{
	my ($status, $out) = vbench('help', 'profile');
	is $status, 0, 'vbench help profile';
	like $out, qr/^\[\Q$_\E/m, "lists [$_" for qw(profile host guest disk knob rung workload run);
	for my $key (qw(poll-queues count controllers slots cluster-size extended-l2 lazy-refcounts compat l2-cache-size content
		backing compression data-file detect-zeroes discard throttle-iops throttle-bps throttle-iops-max throttle-bps-max
		throttle-burst iothreads iothread-mapping poll-max ioeventfd device nbd nbdkit disks precondition pin pages nodes memory-mode halt-poll-ns)) {
		like $out, qr/^    \Q$key\E = .+ \(default \S+\)\n        \S/m, "lists $key";
	}
	like $out, qr/^        not zvhd, zvhd2: Huawei's own format, no QEMU driver; convert it/m, 'and what there is not';
	like $out, qr/^    queue-size = NUMBER from 2 to 32768 \(default 256\)$/m, 'with types, bounds and defaults';
}

# Ready profiles answer the question in their first comment.
for my $path (glob 'profiles/*.ini') {
	open my $f, '<', $path or die;
	my $first = <$f>;
	like $first, qr/^# .*\?/, "$path begins with its question";
	my ($name) = $path =~ m{([^/]+)\.ini$};
	my ($status, $out, $err) = vbench('run');
	like $out, qr/^\Q$name\E\s.*\?/m, "bare `vbench run` lists $name with its question";
}

done_testing;
