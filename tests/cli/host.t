#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# `vbench host`: what it says of this machine, held against what uname, nproc and df say.
use v5.36;
use Test::More;
use File::Temp qw(tempdir);
use JSON::PP;

# [exit status, stdout, stderr]
sub run_vbench(@args) {
	my $dir = tempdir(CLEANUP => 1);
	system "./vbench @args >$dir/out 2>$dir/err </dev/null";
	my $status = $? >> 8;
	local $/;
	my @text = map { open my $f, '<', "$dir/$_" or die; scalar <$f> // '' } qw(out err);
	return ($status, @text);
}

my ($status, $out, $err) = run_vbench(qw(host --json --dir /));
is $status, 0, 'host --json exits with 0';
is $err, '', 'and complains of nothing';
my $f = eval { decode_json($out) };
ok $f, 'and prints JSON' or diag $@;
chomp(my $kernel = `uname -r`);
is $f->{kernel}, $kernel, 'the kernel is that of uname -r';
chomp(my $machine = `uname -m`);
is $f->{architecture}, $machine, 'the architecture is that of uname -m';
chomp(my $online = `getconf _NPROCESSORS_ONLN`);
cmp_ok $f->{topology}{pus}, '>=', $online, 'it has at least the CPUs that are online';
like $f->{host_id}, qr/^[0-9a-f]{64}$/, 'the id is a hash';
my ($size) = `df -B1 --output=size /` =~ /(\d+)\s*$/;
is $f->{storage}[0]{size_bytes}, $size, 'the size of / is that of df';
my ($type) = `df --output=fstype /` =~ /(\S+)\s*$/;
is $f->{storage}[0]{filesystem}, $type, 'its file system is that of df';
chomp(my $qemu = (`qemu-system-x86_64 --version 2>/dev/null` =~ /version (\S+)/)[0] // '');
SKIP: {
	skip 'no qemu-system-x86_64', 1 unless $qemu && $machine eq 'x86_64';
	is $f->{qemu}{version}, $qemu, 'QEMU is of the version it says it is';
}

my ($status2, $out2) = run_vbench(qw(host --json --dir /));
my $g = decode_json($out2);
is_deeply [$out =~ /^\s*("[^"]+"):/mg], [$out2 =~ /^\s*("[^"]+"):/mg], 'keys come in the same order each time';
is $g->{host_id}, $f->{host_id}, 'the id stays';

($status, $out, $err) = run_vbench('host');
is $status, 0, 'host exits with 0';
like $out, qr/^System .*Linux \Q$kernel\E/m, 'the summary names the kernel';
like $out, qr/^Storage /m, 'and storage';
unlike $out, qr/[^\n\x20-\x7e\x80-\xff]/, 'and holds no control characters';

($status, $out, $err) = run_vbench(qw(host --dir /dev/shm));
SKIP: {
	skip '/dev/shm is no tmpfs', 1 unless `df --output=fstype /dev/shm 2>/dev/null` =~ /tmpfs/;
	like $out, qr/^Storage .*tmpfs \(memory\)/m, 'a folder in memory is named as such';
}

($status, $out, $err) = run_vbench(qw(host --topology));
is $status, 0, 'host --topology exits with 0';
like $out, qr/<object type="Machine".*<object type="PU"/s, 'and prints a machine with processing units';
chomp(my $name = `uname -n`);
unlike $out, qr/"HostName" value="\Q$name\E"/, 'without the host name';

for my $bad ('--nonsense', 'extra', '--json --topology', '--dir') {
	($status, $out, $err) = run_vbench("host $bad");
	is $status, 2, "host $bad is bad input";
	like $err, qr/usage: vbench host/, 'and usage is shown';
}

SKIP: {
	skip 'not root', 2 if $>;
	skip 'nobody cannot reach the program', 2 if system 'runuser -u nobody -- test -x ./vbench';
	my $as = `runuser -u nobody -- ./vbench host --json --dir / 2>&1`;
	my $n = eval { decode_json($as) };
	ok $n, 'an unprivileged user gets facts, too' or diag $as;
	is $n->{host_id}, $f->{host_id}, 'of a host with the same id';
}
done_testing;
