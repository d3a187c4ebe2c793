#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# The lab host itself: what it promises to the tests that run in it and to people at a terminal.
use v5.36;
use Cwd qw(getcwd);
use Digest::MD5 qw(md5_hex);
use File::Temp qw(tempdir);
use Test::More;

my $run = getcwd() . '/tests/lab/run';
-x $run or BAIL_OUT('run from the top of the checkout');
my $lab = $ENV{VBENCH_LAB_DIR} // getcwd() . '/build/lab';
-e "$lab/stamp" or plan skip_all => 'no lab host: make lab';
my $dir = tempdir(CLEANUP => 1);

# Runs the lab; returns (exit status, stdout, stderr).
sub lab (@args) {
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDOUT, '>', "$dir/stdout";
		open STDERR, '>', "$dir/stderr";
		exec $run, @args or die;
	}
	waitpid $pid, 0;
	my $status = $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
	return ($status, slurp("$dir/stdout"), slurp("$dir/stderr"));
}

sub slurp ($file) {
	local $/;
	open my $in, '<:raw', $file or return undef;
	return scalar readline $in;
}

sub spew ($file, $text) {
	open my $out, '>:raw', $file or die "$file: $!";
	print $out $text;
	close $out or die "$file: $!";
	return $file;
}

# Emulators alive whose command line holds a word of ours.
sub machines ($word) {
	return grep { (slurp("$_/cmdline") // '') =~ /\Q$word\E/ && (readlink("$_/exe") // '') =~ /qemu-system/ } glob '/proc/[0-9]*';
}

subtest 'bad options start nothing' => sub {
	for (['--nonsense', 'true'], [], ['--kvm', 'maybe', 'true'], ['--memory', 'lots', 'true'], ['--nodes', '9', 'true'],
		['--put', '/nonexistent:/x', 'true'], ['--put', 'x', 'true'], ['--get', '/', 'true'], ['--timeout', '0', 'true'])
	{
		my ($status, $out, $err) = lab(@$_);
		is($status, 2, "status of: @$_");
		like($err, qr/^lab: .+\n\z/m, 'and a sentence');
	}
	my ($status, $out) = lab('--help');
	is($status, 0, '--help');
	like($out, qr/^usage:/, 'on standard output');
	local $ENV{VBENCH_LAB_DIR} = '/nonexistent';
	($status, $out, my $err) = lab('true');
	is($status, 125, 'without a lab host: status');
	like($err, qr/make lab/, 'and the remedy');
};

subtest 'output, exit status and files come through unchanged' => sub {
	# Bytes that a terminal, a line discipline or a text layer would change, and more than any pipe holds.
	my $bytes = join '', map { chr } 0 .. 255;
	my $script = spew("$dir/script.pl", <<'END');
my $all = join '', map { chr } 0 .. 255;
binmode STDOUT;
print STDOUT $all x 4096;
print STDERR "to stderr\r\n\0x";
print STDERR join('|', @ARGV), "\n";
print STDERR "stdin: ", length(join '', <STDIN>), "\n";
open my $again, '>', '/dev/stderr' or die; print $again "again\n"; close $again;
mkdir '/root/d'; mkdir '/root/d/e';
open my $f, '>', '/root/d/e/f' or die; print $f $all; close $f;
symlink '/etc/hostname', '/root/d/link';
open $f, '>', '/root/sparse' or die; truncate $f, 10 << 30; close $f;
open $f, '>', 'here' or die; print $f "relative\n"; close $f;
exit 37;
END
	chdir $dir or die;
	my @odd = ('a b', "it's", '$HOME', "two\nlines", '', '*');
	my ($status, $out, $err) = lab('--put', "$script:/root/in/script.pl", '--get', '/root/d:got', '--get', 'here', '--get',
		"/root/sparse:$dir/sparse", 'perl', '/root/in/script.pl', @odd);
	chdir substr($run, 0, -length '/tests/lab/run');
	is($status, 37, 'exit status');
	is(length $out, 256 * 4096, 'length of standard output');
	is(md5_hex($out), md5_hex($bytes x 4096), 'its bytes');
	is($err, "to stderr\r\n\0x" . join('|', @odd) . "\nstdin: 0\nagain\n", 'standard error, arguments and empty input');
	is(slurp("$dir/got/e/f"), $bytes, 'a file in a folder');
	is(readlink("$dir/got/link"), '/etc/hostname', 'a link stays what it was');
	is(slurp("$dir/here"), "relative\n", 'a path from the top of the checkout');
	is(-s "$dir/sparse", 10 << 30, 'a sparse file');
	cmp_ok((stat "$dir/sparse")[12], '<', 2048, 'stays sparse');
};

subtest 'four CPUs, two nodes, KVM that works, as an engineer' => sub {
	spew("$dir/kvm.pl", <<'END');
# KVM_GET_API_VERSION, KVM_CREATE_VM, KVM_CHECK_EXTENSION(KVM_CAP_NR_MEMSLOTS): linux/kvm.h
open my $kvm, '+<', '/dev/kvm' or die "open: $!\n";
my $version = ioctl $kvm, 0xae00, 0 or die "version: $!\n";
my $vm = ioctl $kvm, 0xae01, 0 or die "create: $!\n";
print "api $version vm ", ($vm > 2 ? 'yes' : 'no'), "\n";
END
	my ($status, $out, $err) = lab('--user', 'lab', '--put', "$dir/kvm.pl:/tmp/kvm.pl", 'sh', '-c', <<'END');
nproc; ls -d /sys/devices/system/node/node? | wc -l; cat /sys/devices/system/node/node?/cpulist
lscpu | grep -E '^Socket|^Core' | tr -s ' '
id -un; id -Gn; echo $HOME; pwd; touch ~/mine && echo writable
perl /tmp/kvm.pl
END
	is($status, 0, 'status') or diag $err;
	is($err, '', 'no noise');
	my $top = getcwd();
	# 12 is KVM_API_VERSION, fixed since Linux 2.6.22.
	is($out, <<"END", 'what it is');
4
2
0-1
2-3
Core(s) per socket: 2
Socket(s): 2
lab
lab kvm
/home/lab
$top
writable
api 12 vm yes
END
};

subtest 'a nested guest runs on KVM' => sub {
	# The initramfs is made inside, of the busybox there; the kernel is the lab's own.
	my $script = spew("$dir/nest.sh", <<'END');
set -e
cd; mkdir -p r/bin r/proc r/sys; cp /bin/busybox r/bin/
cat >r/init <<'I'
#!/bin/busybox sh
B=/bin/busybox
$B mount -t proc proc /proc; $B mount -t sysfs sysfs /sys
echo "clock $($B cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
echo "hypervisor $($B grep -c -w hypervisor /proc/cpuinfo)"
$B poweroff -f
I
chmod +x r/init; (cd r; find . | busybox cpio -o -H newc 2>/dev/null) >r.cpio
qemu-system-x86_64 -nodefaults -display none -no-reboot -machine q35 -accel kvm -cpu host -m 256 -kernel "$1" \
	-initrd r.cpio -append 'console=ttyS0 quiet panic=-1' -serial stdio
cut -d' ' -f1 /proc/uptime >&2
END
	my ($status, $out, $err) = lab('--user', 'lab', '--timeout', 300, '--put', "$lab/vmlinuz:/vmlinuz", '--put', "$script:/nest.sh",
		'sh', '/nest.sh', '/vmlinuz');
	is($status, 0, 'QEMU ended well') or diag $err;
	like($out, qr/^clock kvm-clock\r?$/m, 'its clock is KVM\'s own');
	like($out, qr/^hypervisor 1\r?$/m, 'one virtual CPU');
	note "uptime of the lab host at the end: $err";
};

subtest 'no KVM, and another shape' => sub {
	my ($status, $out) = lab('--no-kvm', '--smp', '6,sockets=3,cores=2', '--nodes', 3, '--memory', '1536M', 'sh', '-c', <<'END');
ls /dev/kvm 2>&1; nproc; ls -d /sys/devices/system/node/node? | wc -l
awk '/MemTotal/ { print int($2 / 1048576 + 0.5) }' /proc/meminfo
END
	is($status, 0, 'status');
	like($out, qr/cannot access '\/dev\/kvm'/, 'no device');
	like($out, qr/^6\n3\n1\n\z/m, 'CPUs, nodes, GiB');
};

subtest 'KVM that does not work' => sub {
	my $probe = 'open my $k, "+<", "/dev/kvm" or do { print "open: $!\n"; exit }; print "opened\n"; ioctl $k, 0xae00, 0 or print "ioctl: $!\n"';
	my ($status, $out) = lab(qw(--bad-kvm --user lab perl -e), $probe);
	is($out, "opened\nioctl: Inappropriate ioctl for device\n", '--bad-kvm opens and answers nothing');
	($status, $out) = lab(qw(--user nobody perl -e), $probe);
	is($out, "open: Permission denied\n", 'nobody may not');
};

subtest 'what goes wrong is said' => sub {
	my ($status, $out, $err) = lab('--get', '/etc/hostname:a:b', 'true');
	is($status, 2, 'a bad pair') or diag $err;
	($status, $out, $err) = lab('--get', '/nonexistent', '--get', "/etc/hostname:$dir/name", 'true');
	is($status, 125, 'a file that is not there');
	like($err, qr{^lab: --get /nonexistent: }, 'is named');
	is(slurp("$dir/name"), "lab\n", 'the others come');

	($status, $out, $err) = lab('sh', '-c', 'echo said; sleep 1; echo c > /proc/sysrq-trigger; sleep 60');
	is($status, 125, 'a machine that panics');
	is($out, "said\n", 'what was said before stays');
	like($err, qr/the machine ended before the command did\n.*sysrq triggered crash/s, 'and why');

	($status, $out, $err) = lab('command-that-is-not-there');
	is($status, 127, 'no such command');
	like($err, qr/command-that-is-not-there/, 'is named');

	my $word = "lab_test_t$$";
	# long enough that the machine is up by then, which takes what it takes
	my $limit = 15;
	while (1) {
		($status, $out, $err) = lab('--append', $word, '--timeout', $limit, 'sh', '-c', 'echo said; sleep 1000');
		last if $out ne '' || $limit > 200;
		$limit *= 2;
	}
	is($status, 124, 'time is up');
	is($out, "said\n", 'what was said before stays');
	like($err, qr/did not end within $limit s/, 'and why');
	is(machines($word), 0, 'the machine is gone');
};

subtest 'output is live, and nothing stays behind' => sub {
	for my $signal (qw(TERM KILL)) {
		my $word = "lab_test_$signal$$";
		local $ENV{TMPDIR} = "$dir/tmp$signal";
		mkdir $ENV{TMPDIR} or die;
		my $pid = open(my $in, '-|', $run, '--append', $word, 'sh', '-c', 'echo up; sleep 1000') or die "fork: $!";
		is(scalar <$in>, "up\n", "a line comes while the command runs ($signal)");
		is(machines($word), 1, 'one machine');
		kill $signal, $pid;
		close $in;
		my $wait = 100;
		select undef, undef, undef, 0.1 while $wait-- && machines($word);
		is(machines($word), 0, 'none afterwards');
		is_deeply([glob "$ENV{TMPDIR}/* $ENV{TMPDIR}/.*vbench*"], [], 'no file either');
	}
};

done_testing();
