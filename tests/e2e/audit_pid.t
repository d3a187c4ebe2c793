#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Real QEMU processes, stopped before their first instruction: what is in force is found, apart from what was requested.
use strict;
use warnings;
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep);

my $vbench = $ENV{VBENCH} // './vbench';
-x $vbench or BAIL_OUT("$vbench is not built; run make");
sub in_path { my ($name) = @_; return scalar grep { -x "$_/$name" } split /:/, $ENV{PATH} }
in_path($_) or plan skip_all => "no $_" for qw(qemu-system-x86_64 qemu-img taskset);
$> and plan skip_all => 'needs root: descriptors of another process';

my $dir = tempdir('vbench-pid-XXXXXX', DIR => $ENV{VBENCH_TMP} // '/var/tmp', CLEANUP => 1);
my @children;
END { my $rc = $?; kill 'KILL', @children if @children; waitpid $_, 0 for @children; $? = $rc }

# Starts QEMU, stopped (-S), and waits until its vCPU threads have their names.
sub start {
	my ($vcpus, @args) = @_;
	defined(my $pid = fork) or die "fork: $!";
	if (!$pid) {
		open STDERR, '>', "$dir/qemu.log";
		exec 'qemu-system-x86_64', '-name', 'guest=audited,debug-threads=on', '-machine', 'pc-q35-7.2', '-accel', 'tcg,thread=multi',
			'-m', '64', '-smp', $vcpus, '-S', '-display', 'none', '-nodefaults', '-object', 'iothread,id=io0', @args;
		exit 127;
	}
	push @children, $pid;
	for (1 .. 3000) {
		my %tid = threads($pid);
		return $pid if grep({ /^CPU/ } keys %tid) == $vcpus && $tid{'IO io0'};
		waitpid($pid, 1) == $pid and last;
		sleep 0.1;
	}
	open my $f, '<', "$dir/qemu.log" or die;
	BAIL_OUT('QEMU did not start: ' . join '', <$f>);
}

sub slurp { my ($path) = @_; open my $f, '<', $path or return ''; local $/; return scalar(<$f>) // '' }

sub threads {
	my ($pid) = @_;
	my %tid;
	for my $path (glob "/proc/$pid/task/*") {
		open my $f, '<', "$path/comm" or next;
		chomp(my $name = <$f> // '');
		$tid{$name} = $path =~ s{.*/}{}r;
	}
	return %tid;
}

sub stop {
	my ($pid) = @_;
	kill 'KILL', $pid;
	waitpid $pid, 0;
	@children = grep { $_ != $pid } @children;
}

# Findings of a rule as "side state", of an audit of a process.
sub audit {
	my ($pid, @more) = @_;
	open my $p, '-|', $vbench, 'audit', "pid:$pid", '--json', @more or die "$vbench: $!";
	my $got = eval { decode_json(do { local $/; <$p> }) };
	close $p;
	ok($got, "pid $pid: JSON") or return;
	my %findings;
	$findings{ $_->{id} } = [ map { "$_->{side}: $_->{state}" } @{ $_->{findings} } ] for @{ $got->{rules} };
	return (\%findings, $got);
}

is(system('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', "$dir/a.qcow2", '64M'), 0, 'an image of 4 KiB clusters');
is(system('qemu-img', 'create', '-q', '-f', 'raw', '-o', 'preallocation=full', "$dir/b.raw", '16M'), 0, 'an image that is wholly allocated');

# cache.direct on the format's node alone: asked for O_DIRECT, the file is opened without [blockdev options are not handed down].
SKIP: {
	my $pid = start(2, '-blockdev', "file,filename=$dir/a.qcow2,node-name=f0",
		'-blockdev', 'qcow2,file=f0,node-name=n0,cache.direct=on', '-device', 'virtio-blk-pci,drive=n0,id=vda,iothread=io0');
	my %tid = threads($pid);
	my ($f, $got) = audit($pid);
	is_deeply($f->{'BLK-18'}, [ 'requested: followed', 'in force: broken' ], 'BLK-18: requested O_DIRECT is not in force');
	is_deeply($f->{'IMG-07'}, ['in force: broken'], 'IMG-07: clusters of 4 KiB, read from the image in use');
	is_deeply($f->{'BLK-05'}, ['requested: followed'], 'BLK-05: its iothread');
	my ($rule) = grep { $_->{id} eq 'BLK-18' } @{ $got->{rules} };
	my ($broken) = grep { $_->{state} eq 'broken' } @{ $rule->{findings} };
	like($broken->{where}, qr{^/proc/$pid/fdinfo/\d+$}, 'BLK-18: where it was seen');

	my %after = threads($pid);
	is_deeply([ map { $after{$_} } grep { /^(?:CPU|IO)/ } sort keys %after ], [ map { $tid{$_} } grep { /^(?:CPU|IO)/ } sort keys %tid ],
		'an audit leaves its threads as they are'); # workers of QEMU's come and go by themselves
	like(slurp("/proc/$pid/stat"), qr/\) [RS]/, 'nor stops it');

	# in force, set by nobody's request: a CPU for each vCPU, and the iothread and QEMU's own threads on the same ones
	my @cpus = map { /(\d+)-(\d+)/ ? $1 .. $2 : $_ } split /,/, `taskset -pc $$` =~ s/.*: |\n//gr;
	@cpus >= 2 or skip 'one CPU', 5;
	my %to = ('CPU 0/TCG' => $cpus[0], 'CPU 1/TCG' => $cpus[1], 'IO io0' => $cpus[0]);
	is(system("taskset -pc $to{$_} $tid{$_} >/dev/null"), 0, "$_ on CPU $to{$_}") for sort keys %to;
	($f) = audit($pid);
	is_deeply([ grep { /in force: broken/ } @{ $f->{'CPU-08'} } ], ['in force: broken'], 'CPU-08: the iothread shares a CPU with a vCPU');
	is_deeply([ grep { /in force: broken/ } @{ $f->{'CPU-07'} } ], ['in force: broken'], "CPU-07: QEMU's own threads may run where vCPUs are");
}


stop($children[0]) while @children;

# The same machine as it should be opened: nothing to say of BLK-18.
{
	my $pid = start(2, '-drive', "file=$dir/b.raw,format=raw,if=none,id=d0,cache=none,aio=native",
		'-device', 'virtio-blk-pci,drive=d0,id=vda,iothread=io0');
	my ($f) = audit($pid);
	is_deeply($f->{'BLK-18'}, [ 'requested: followed', 'in force: followed' ], 'BLK-18: requested and in force');
	is_deeply($f->{'BLK-31'}, ['in force: followed'], 'BLK-31: wholly allocated');
	is_deeply([ grep { /broken/ } @{ $f->{'BLK-21'} } ], [], 'BLK-21: native with O_DIRECT');
	stop($pid);
	my $text = `$vbench audit pid:$pid 2>&1`;
	is($? >> 8, 2, 'a pid that has gone: exit status 2');
	is(scalar(my @lines = split /\n/, $text), 1, 'and one sentence');
}

# An image handed over as a descriptor, as libvirt and vbench do: QEMU's command line has no path of it.
{
	my $start = sub {
		my ($direct, @images) = @_;
		my (@args, @open);
		for my $i (0 .. $#images) {
			open $open[$i], '+<', $images[$i] or die "$images[$i]: $!";
			fcntl $open[$i], 2, 0 or die $!; # F_SETFD: it stays open in QEMU
			push @args, '-add-fd', 'fd=' . fileno($open[$i]) . ",set=$i", '-blockdev', "file,node-name=f$i,filename=/dev/fdset/$i$direct",
				'-blockdev', ($images[$i] =~ /qcow2/ ? 'qcow2' : 'raw') . ",node-name=n$i,file=f$i,cache.direct=on", '-device', "virtio-blk-pci,drive=n$i,iothread=io0";
		}
		return start(1, @args);
	};
	my $pid = $start->('', "$dir/a.qcow2");
	my ($f) = audit($pid);
	is_deeply($f->{'BLK-18'}, [ 'requested: followed', 'in force: broken' ], 'BLK-18: a descriptor without O_DIRECT');
	is_deeply($f->{'IMG-07'}, ['in force: broken'], 'IMG-07: its clusters');
	stop($pid);
	$pid = $start->(',cache.direct=on', "$dir/a.qcow2");
	($f) = audit($pid);
	is_deeply($f->{'BLK-18'}, [ 'requested: followed', 'in force: followed' ], 'BLK-18: QEMU sets O_DIRECT on a descriptor too');
	stop($pid);
	$pid = $start->('', "$dir/a.qcow2", "$dir/b.raw");
	my ($all) = audit($pid);
	is_deeply([ grep { /in force/ } @{ $all->{'BLK-18'} } ], [ ("in force: can't tell") x 2 ], 'BLK-18: of two such disks nothing is guessed');
	stop($pid);
}

# What is no QEMU is said so.
{
	my $text = `$vbench audit pid:$$ 2>&1`;
	is($? >> 8, 2, 'a pid of something else: exit status 2');
	is(scalar(my @lines = split /\n/, $text), 1, 'and one sentence: ' . $text =~ s/\n//r);
}
done_testing();
