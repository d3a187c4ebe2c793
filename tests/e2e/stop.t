#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will stop runs by signals and by full disks, for images and for the store, and go on with them.
#
# Expected: exit status 130 for a signal, 4 for a full disk (design, "Exit status"); stored trials stay; nothing is left behind.
use strict;
use warnings;
use Cwd qw(getcwd);
use lib 'tests/lib';
use Test::More;
use Time::HiRes qw(time sleep);
use VBTest;

VBTest::needs();
my $s = sandbox();

sub count { my ($sql) = @_; my ($r) = $s->rows("SELECT count(*) AS n FROM $sql"); return $r ? $r->{n} : 0 }

# Until it has stored more than $from trials of its run, or is over.
sub under_way {
	my ($v, $folder, $from) = @_;
	return $s->until_or_over($v, sub { count("trial t JOIN run r ON r.id = t.run WHERE r.folder = '$folder'") > $from });
}

# --- ^C and SIGTERM ---

my $v = $s->start_run($s->profile('run.blocks' => 3, map { ("workload $_.rw" => 'randread') } 'a' .. 'd'));
my $folder = $s->folder($v);
for my $signal (qw(INT TERM HUP)) {
	my $had = count('trial');
	under_way($v, $folder, $had);
	kill $signal, $v->{pid};
	my $sent = time;
	$s->finish($v);
	$s->exits($v, 130, "SIG$signal: exit 130");
	cmp_ok(time - $sent, '<', 30, "SIG$signal: soon");
	my $run = $s->newest;
	is($run->{status}, 'interrupted', "SIG$signal: the run is interrupted");
	cmp_ok(count('trial'), '>', $had, "SIG$signal: stored trials stay");
	is(count('trial WHERE NOT ok'), 0, "SIG$signal: the one that was cut short is no failed trial");
	my $short = substr $run->{uuid}, 0, 8;
	like($v->{stderr}, qr/vbench run --resume=$short\b/, "SIG$signal: how to go on is said");
	$s->clean("SIG$signal");
	$v = $s->start_run("--resume=$short");
}
$s->finish($v);
$s->exits($v, 0, 'resumed thrice, the run comes to its end');
is(count('trial WHERE ok'), 12, '... with every trial');
is(count('run'), 1, '... in one run');

# While the first template is made, and before anything is stored.
$v = $s->start_run($s->profile());
$s->until_or_over($v, sub { scalar $s->guests });
kill 'INT', $v->{pid};
$s->finish($v);
$s->exits($v, 130, 'SIGINT while a guest boots: exit 130');
$s->clean('SIGINT while a guest boots');

# --- disks that fill ---

SKIP: {
	skip 'full disks need a mount namespace, and that needs root', 1 if $>;
	skip 'no unshare or nsenter', 1 if grep { !VBTest::in_path($_) } qw(unshare nsenter);
	my $small = "$s->{dir}/small";
	mkdir $small;
	# A process that holds a mount namespace in which $small is a file system of 64 MiB.
	my $holder = fork // die;
	if (!$holder) {
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', '/dev/null';
		exec 'unshare', '-m', '--propagation', 'private', 'sh', '-c',
			"mount -t tmpfs -o size=64m,mode=1777 tmpfs '$small' && touch '$small/mounted' && exec sleep 3600";
	}
	push @{ $s->{helpers} }, $holder;
	my $inside = "/proc/$holder/root$small";
	ok(wait_until(sub { -e "$inside/mounted" }, 20), 'a small file system') or do { kill 'KILL', $holder; skip 'cannot mount', 1 };
	my @in = (before => ['nsenter', "--mount=/proc/$holder/ns/mnt", "--wd=" . getcwd()]);
	my $fill = sub { my ($leave) = @_; system "dd if=/dev/zero of=$inside/ballast bs=64k status=none 2>/dev/null; truncate -s -$leave $inside/ballast" };

	# Images: the thin image grows while it is written to. tmpfs of Linux 6.1 has no O_DIRECT.
	$v = $s->start_run({@in}, $s->profile('disk.dir' => $small, 'disk.format' => 'qcow2', 'disk.cache' => 'writeback', 'host.free' => '1M', 'run.blocks' => 2,
			map { ("workload $_.rw" => 'write', "workload $_.bs" => '64k', "workload $_.runtime" => '1s') } 'a' .. 'c'));
	under_way($v, $s->folder($v), 0);
	$fill->('3M');
	$s->finish($v);
	$s->exits($v, 4, 'images on a full disk: exit 4');
	my $run = $s->newest;
	my @all = $s->trials($run->{uuid});
	is($all[-1]{cause}, 'disk-full', '... cause disk-full') or diag($all[-1]{detail} // '');
	is($all[0]{ok}, 1, '... what was measured before stays');
	is($run->{status}, 'interrupted', '... the run is interrupted');
	like($v->{stderr}, qr/--resume.*once there is room/, '... what to do is said');
	is(join(' ', glob "$inside/vbench-*"), '', '... and no image stays');
	$s->clean('images on a full disk');
	unlink "$inside/ballast";
	$v = $s->run({@in}, '--resume=' . substr $run->{uuid}, 0, 8);
	$s->exits($v, 4, '... resumed with room: the rest is measured (and the failed one counted)');
	is(scalar(grep { $_->{ok} } $s->trials($run->{uuid})), 5, '... all but the one that found no room');

	# The store. The ballast leaves nothing.
	$v = $s->start_run({@in}, '--db', "$small/store.db", $s->profile('run.blocks' => 2, map { ("workload $_.rw" => 'randread') } 'a' .. 'c'));
	$s->until_or_over($v, sub { slurp($v->{err}) =~ /^trial 1\//m });
	$fill->(0);
	$s->finish($v);
	$s->exits($v, 4, 'the store on a full disk: exit 4');
	like($v->{stderr}, qr{\Q$small/store.db\E: .*(?:full|space)}i, '... and says which file');
	# SQLite would follow /proc/PID/root out of the namespace: the store is looked at in a copy.
	my $copy = sub {
		system "cp $inside/store.db* $s->{dir}";
		unlink "$s->{dir}/store.db-shm";
		$s->{db} = "$s->{dir}/store.db";
	};
	$copy->();
	my $had = count('trial');
	cmp_ok($had, '>', 0, '... what was stored stays');
	$s->clean('the store on a full disk');
	unlink "$inside/ballast";
	$v = $s->run({@in}, '--db', "$small/store.db", '--resume');
	$s->exits($v, 0, '... resumed with room: exit 0');
	$copy->();
	is(count('trial WHERE ok'), 6, '... every trial is there');
	$s->clean('after it was resumed');
	kill 'KILL', $holder;
	waitpid $holder, 0;
}
done_testing();
