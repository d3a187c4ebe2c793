#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# `vbench run --vs`, run.decide and run.precision without a guest: what --dry-run shows, and what is refused with which words.
# Expected values: the profile's own keys, counted by hand.
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use Test::More;

my $vbench = $ENV{VBENCH} // getcwd() . '/vbench';
BAIL_OUT('no ./vbench; run make') unless -x $vbench;
my ($qemu) = grep { -x } map { "$_/qemu-system-x86_64" } split /:/, $ENV{PATH};
plan skip_all => 'no qemu-system-x86_64' unless $qemu;
my $guest = $ENV{VBENCH_GUEST} // getcwd() . '/build/guest';
plan skip_all => "no small guest in $guest; run make fio guest" unless -e "$guest/KERNEL";

my $dir = tempdir(CLEANUP => 1);
local $ENV{XDG_DATA_HOME} = "$dir/data";
local $ENV{VBENCH_GUEST} = $guest;

sub vbench {
	my @args = @_;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDOUT, '>', "$dir/out" or die;
		open STDERR, '>', "$dir/err" or die;
		exec $vbench, @args or die;
	}
	waitpid $pid, 0;
	my $status = $? >> 8;
	return ($status, map { my $f = $_; open my $h, '<:raw', "$dir/$f" or die; local $/; scalar(<$h>) // '' } qw(out err));
}

sub profile {
	my ($text) = @_;
	open my $f, '>', "$dir/p.ini" or die;
	print $f $text;
	close $f;
	return "$dir/p.ini";
}

my $plain = "[guest]\naccel = tcg\n[workload r]\nrw = randread\n[workload w]\nrw = randwrite\n[run]\nblocks = 3\nseed = 1\n";

{
	my ($status, $out, $err) = vbench('run', profile($plain), '--dry-run', '--vs', 'disk.cache=writeback', '--vs', 'disk.ring=packed');
	is $status, 0, 'two changes, one arm' or diag $err;
	like $out, qr/^2 cells x 2 workloads x 3 blocks = 12 trials, about /m, 'both arms are counted';
	like $out, qr/^arm base: the profile$/m, 'what the base is';
	like $out, qr/^arm change: the profile with disk\.cache=writeback, disk\.ring=packed$/m, 'and the change';
	like $out, qr/^  cell 2 against cell 1$/m, 'who is held against whom';
	like $out, qr/and 512 MiB of templates at a time/, 'a template of 256 MiB for each arm';
	my ($base, $change) = $out =~ /^cell 1 \w+: base\n(.*?)^cell 2 \w+: change\n(.*)^schedule/ms;
	unlike $base, qr/"packed":(?:true|"on")/, 'the base has the split ring';
	like $change, qr/"packed":(?:true|"on")/, 'the change the packed one';
	like $base, qr/"direct":true/, 'the base goes by the page cache';
	unlike $change, qr/"direct":true/, 'the change does not';
	my @blocks = $out =~ /^  block \d:((?: \d\.\w)+)$/mg;
	is scalar @blocks, 3, 'three blocks';
	is join(' ', sort split ' ', $_), '1.r 1.w 2.r 2.w', 'each with every trial of both arms' for @blocks;
}

{
	my ($status, $out) = vbench('run', profile($plain), '--dry-run', '--vs', 'disk.ring=split');
	is $status, 0, 'an arm that changes nothing';
	like $out, qr/^  cell 2 against cell 1, which are equal: what differs is noise \(an A\/A run\)$/m, 'is called what it is';
	like $out, qr/and 512 MiB of templates at a time/, 'and has a template of its own';
}

{
	my ($status, $out, $err) = vbench('run', profile($plain), '--dry-run', '--vs', 'disk.cache=writeback', '--set', 'run.decide=5%', '--set', 'run.max-blocks=7');
	is $status, 0, 'run.decide' or diag $err;
	like $out, qr/^2 cells x 2 workloads x at most 7 blocks = at most 28 trials, at most /m, 'its cost is an upper bound';
	like $out, qr/^schedule \(cell\.workload\), seed 1, as long as nothing is decided:$/m, 'and its schedule a plan';
	is scalar(() = $out =~ /^  block \d+:/mg), 7, 'of at most seven blocks';
}

{
	my ($status, $out, $err) = vbench('run', profile($plain), '--dry-run', '--vs', 'disk.cache=writeback', '--set', 'run.decide=5%', '--for', '70m');
	is $status, 0, '--for with run.decide' or diag $err;
	like $out, qr/x at most 40 blocks/, 'no more than run.max-blocks';
	($status, $out, $err) = vbench('run', profile($plain), '--dry-run', '--vs', 'disk.cache=writeback', '--set', 'run.decide=5%', '--for', '20s');
	is $status, 2, 'too little time for one look';
	like $err, qr/--for: about \d blocks? fit.*the first look comes after 4/, 'is told';
}

my @bad = (
	[ [ '--vs', 'disk.rng=packed' ], qr/--vs disk\.rng: "rng" is no key of \[disk\]; did you mean "ring"\?/ ],
	[ [ '--vs', 'workload.bs=8k' ], qr/give the profile a second \[workload NAME\]/ ],
	[ [ '--vs', 'guest.qemu=/nonexistent/qemu' ], qr{guest\.qemu: no program "/nonexistent/qemu"} ],
	[ [ '--vs', 'guest.kernel=/nonexistent/vmlinuz' ], qr{/nonexistent/vmlinuz} ],
	[ [ '--set', 'disk.bus=nvme', '--vs', 'disk.ring=packed' ], qr/--vs disk\.ring: means nothing in any cell of \S+: / ],
	[ [ '--set', 'disk.ring=split,packed', '--vs', 'disk.ring=packed' ], qr/disk\.ring is an axis of .*--set disk\.ring=split/ ],
	[ [ '--set', 'run.decide=5%' ], qr/there is one cell, and so nothing to compare.*--vs KEY=VALUE/ ],
	[ [ '--set', 'run.decide=5', '--vs', 'disk.cache=unsafe' ], qr/must be from 0\.1% to 50%/ ],
	[ [ '--vs', 'disk.cache=unsafe', '--set', 'run.decide=5%', '--set', 'run.precision=3%' ], qr/take one of them out/ ],
	[ [ '--vs', 'disk.cache=unsafe', '--set', 'run.precision=3%', '--set', 'run.max-blocks=9' ], qr/after block 10/ ],
	[ [ '--vs', 'disk.cache=unsafe', '--set', 'run.max-blocks=101' ], qr/must be from 4 to 100/ ],
);
for (@bad) {
	my ($args, $words) = @$_;
	my ($status, $out, $err) = vbench('run', profile($plain), '--dry-run', @$args);
	is $status, 2, "@$args: exit 2";
	like $err, $words, '... with the reason';
}

{
	my ($status, $out, $err) = vbench('run', '--vs', 'disk.cache=unsafe');
	is $status, 2, '--vs without a profile';
	($status, $out, $err) = vbench('run', '--resume', '--vs', 'disk.cache=unsafe');
	is $status, 2, '--resume takes no --vs';
	like $err, qr/no profile, --set, --vs, --for or --dry-run/, '... and says so';
	($status, $out) = vbench('run', '--help');
	like $out, qr/^      --vs KEY=VALUE    \S/m, 'the help has --vs';
	($status, $out) = vbench('help', 'profile');
	like $out, qr/^\[gate\]  \S/m, 'help profile has [gate]';
	like $out, qr/^    decide = PERCENT from 0\.1% to 50%, or none \(default none\)$/m, 'and shares with their bounds';
}

ok !-e "$dir/data/vbench/runs", 'nothing was written';
done_testing;
