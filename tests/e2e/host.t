#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will run fio on the host itself: over nothing, over a file, and through vring over every vhost-user server.
#
# Expected values: what each cell asked for must be what engine and server say; sums are multiplied out here by hand. Rates
# are only held to be there: a noisy machine decides how high they are.
use strict;
use warnings;
use lib 'tests/lib';
use File::Basename qw(dirname);
use JSON::PP;
use Test::More;
use VBTest;

VBTest::needs_host(programs => [qw(qemu-img qemu-storage-daemon)]);
my $s = sandbox();

# Nothing of QEMU but its tools is in the PATH, and no guest is to be had.
my $bin = "$s->{dir}/bin";
mkdir $bin;
for my $name (qw(rm test qemu-img qemu-storage-daemon)) {
	my ($from) = grep { -x } map { "$_/$name" } split /:/, $ENV{PATH};
	symlink $from, "$bin/$name" or die "$name: $!";
}
my %bare = (PATH => $bin, VBENCH_GUEST => '/nonexistent');

my %host = ('guest.site' => 'host', 'guest.accel' => undef, 'disk.serves' => 'null', 'disk.wait' => 'eventfd',
	'workload r.rw' => 'randread', 'workload r.iodepth' => 4, 'workload r.runtime' => '300ms');
sub rungs {
	my %r = @_;
	return map { my $n = $_; map { ("rung $n.$_" => $r{$n}{$_}) } keys %{ $r{$n} } } keys %r;
}
sub vring { my ($server, $ring) = @_; return { 'disk.driver' => 'vring', 'disk.backend' => 'vhost-user', 'disk.server' => $server, 'disk.ring' => $ring } }

my %cells = (
	none => { 'disk.driver' => 'none' }, file => { 'disk.driver' => 'file', 'disk.precondition' => 'fill' },
	'loop-split' => vring('loop', 'split'), 'loop-packed' => vring('loop', 'packed'),
	'own-split' => vring('vbench', 'split'), 'own-packed' => vring('vbench', 'packed'),
	'qsd-split' => vring('storage-daemon', 'split'),
);
my $profile = $s->profile(%host, rungs(%cells));
my $N = keys %cells;

# --- what --dry-run shows ---

my $dry = $s->vbench({ env => \%bare }, 'run', '--dry-run', $profile);
$s->exits($dry, 0, '--dry-run without QEMU: exit 0');
is(scalar(() = $dry->{stdout} =~ /^cell \d+ /mg), $N, "--dry-run: $N cells");
is(scalar(() = $dry->{stdout} =~ m{^  \$ \S+/vbench-vhost-blk .*\{sock\}}mg), 2, '--dry-run: the device\'s command lines');
is(scalar(() = $dry->{stdout} =~ m{^  \$ \S+/qemu-storage-daemon .*\{sock\}}mg), 1, '--dry-run: the storage daemon\'s');
is(scalar(() = $dry->{stdout} =~ m{^    ioengine=external:/\S+/vring\.so$}mg), 5, '--dry-run: the engine\'s lines');
unlike($dry->{stdout}, qr/qemu-system/, '--dry-run: no guest');
ok(!-e $s->data, '--dry-run: makes nothing');

# --- the run ---

my $v = $s->run({ env => \%bare }, $profile);
$s->exits($v, 0, 'the run without QEMU and guest: exit 0');
$s->clean('after the run');
my $run = $s->newest;
is($run->{status}, 'complete', 'the run is complete');
my %trial = map { $_->{label} => $_ } $s->trials;
is(join(' ', sort keys %trial), join(' ', sort keys %cells), 'each cell has its trial');
is(join("\n", map { "$_->{label}: $_->{detail}" } grep { !$_->{ok} } values %trial), '', 'all were measured');
is(join(' ', map { $_->{site} } values %trial), join(' ', ('host') x $N), 'on the host');
is(scalar(grep { $_->{fresh} } values %trial), $N, 'each in a fresh process');
my %metric;
$metric{ $_->{seq} }{ $_->{metric} } = $_->{value} for $s->rows('SELECT * FROM sample');
my %row;
$row{ $_->{seq} }{ $_->{key} } = $_ for $s->checks;
is(join("\n", map { "$_->{key}: asked $_->{asked}, got $_->{got}" } grep { $_->{state} == 1 } $s->checks), '', 'nothing differs from what was asked for');

for my $name (sort keys %trial) {
	my $seq = $trial{$name}{seq};
	my $m = $metric{$seq} // {};
	my $got = $row{$seq} // {};
	my $folder = "$run->{folder}/$trial{$name}{folder}";
	my ($server, $ring) = $name =~ /^(loop|own|qsd)-(split|packed)$/;
	ok(($m->{iops} // 0) > 0 && ($m->{'read.lat.mean'} // 0) > 0, "$name: has its figures");
	is($got->{'guest.site'}{got}, 'host', "$name: ran on the host");
	ok(-s "$folder/$_", "$name: $_") for qw(before.json after.json fio.json job.fio fio.txt);
	ok(!exists $m->{'cpu_per_io.vcpu'}, "$name: no vCPU has cost anything");
	if (defined $m->{cpu_per_io}) {
		my $sum = ($m->{'cpu_per_io.fio'} // 0) + ($m->{'cpu_per_io.server'} // 0);
		ok($m->{'cpu_per_io.fio'} > 0 && abs($m->{cpu_per_io} - $sum) < 1e-6 * $sum, "$name: CPU per I/O is fio's and the server's");
	}
	if (!$server) {
		is(scalar(grep { /^vring\./ } keys %$m), 0, "$name: there is no ring");
		next;
	}
	is($got->{'disk.ring'}{got}, $ring, "$name: the ring is $ring, as the device was told");
	is($got->{'disk.ring'}{state}, 0, "$name: ... as asked");
	is($got->{'disk.server'}{state}, 0, "$name: the server is the one asked for");
	my $said = decode_json(slurp("$folder/engine.json"));
	is(substr($said->{features}, 34, 1), $ring eq 'packed' ? 1 : 0, "$name: feature bit 34");
	my %sum;
	for my $q (@{ $said->{queues} }) { $sum{$_} += $q->{$_} for qw(done added publishes kicks) }
	ok(abs($m->{'vring.batch'} - $sum{added} / $sum{publishes}) < 1e-9, "$name: requests per publish");
	ok(abs($m->{'vring.kicks_per_io'} - $sum{kicks} / $sum{done}) < 1e-9, "$name: kicks per I/O");
	# at least the ring's entry and its being used have to move between the sides, at most all of a request's lines
	ok($m->{'vring.lines_per_io'} > 0 && $m->{'vring.lines_per_io'} < 64, "$name: lines per I/O");
	is(exists $m->{'cpu_per_io.server'} ? 1 : 0, $server eq 'loop' ? 0 : 1, "$name: the server's CPU time is " . ($server eq 'loop' ? 'fio\'s' : 'its own'))
		if defined $m->{cpu_per_io};
	ok(-s "$folder/server.txt", "$name: the server's command line") if $server ne 'loop';
	next if $server ne 'own';
	my $theirs = decode_json(slurp("$folder/server.json"));
	is($theirs->{features}, $said->{features}, "$name: both sides speak of the same features");
	is($theirs->{queues}[0]{popped}, $said->{queues}[0]{done}, "$name: ... and of as many requests");
}
is($row{ $trial{file}{seq} }{'disk.precondition'}{got}, 'fill', 'file: the image was filled');
my $page = slurp("$run->{folder}/report.html");
like($page, qr/<html.*<\/html>/s, 'the page is there');

# --- what cannot be: one cell is left out, with its reason, and the others are measured ---

$v = $s->run({ env => \%bare }, $s->profile(%host, rungs(bad => vring('storage-daemon', 'packed'), good => vring('storage-daemon', 'split'))));
$s->exits($v, 0, 'packed against the storage daemon: exit 0');
is(join(' ', map { "$_->{label} $_->{ok}" } $s->trials), 'good 1', '... that cell has no trial, the other was measured');
like($s->newest->{skipped}, qr/rung bad.*offers no packed ring/, '... and the run says why');

# --- an image that fio has made larger ---

$v = $s->run({ env => \%bare }, $s->profile(%host, 'workload r.rw' => 'randwrite', rungs(file => { 'disk.driver' => 'file', 'disk.size' => '8M' },
	daemon => { %{ vring('storage-daemon', 'split') }, 'disk.serves' => 'file', 'disk.size' => '8M', 'disk.precondition' => 'fill' })));
$s->exits($v, 0, 'images: exit 0');
my %sized = map { $_->{label} => $_->{seq} } $s->trials;
for my $name ('file', 'daemon') {
	my ($size) = grep { $_->{seq} == $sized{$name} && $_->{key} eq 'disk.size' } $s->checks;
	is($size->{got}, '8M', "$name: the image has the size of the disk");
	my $after = decode_json(slurp($s->newest->{folder} . sprintf('/trials/%05d/after.json', $sized{$name})));
	is($after->{image}{size}, 8 << 20, '... after the workload, too');
}
my ($aio) = grep { $_->{seq} == $sized{daemon} && $_->{key} eq 'disk.aio' } $s->checks;
is("$aio->{state} $aio->{got}", '0 io_uring', 'the daemon submits as it was asked to, judged by its own version');
$s->clean('after images');

# --- a server that dies while it serves ---

for my $server ('vbench', 'storage-daemon') {
	my $long = $s->start_run($s->profile(%host, 'run.blocks' => 2, 'workload r.runtime' => '1500ms',
		rungs(x => vring($server, 'split'), y => { 'disk.driver' => 'none' })));
	my $pid;
	$s->until_or_over($long, sub { ($pid) = map { $_->{pid} } $s->servers; $pid && $s->fios });
	# fio's jobs take a moment until they are at it
	select undef, undef, undef, 0.8;
	ok($pid && kill('KILL', $pid), "$server: killed while it served");
	$s->finish($long);
	$s->exits($long, 4, '... exit 4');
	my @failed = grep { !$_->{ok} } $s->trials;
	is(join(' ', map { $_->{label} } @failed), 'x', '... its trial failed, and no other');
	like($failed[0]{detail}, qr/\Q$server\E.*SIGKILL/, '... and names who ended how');
	is(scalar(() = $s->trials), 4, '... the run went on');
	$s->clean("$server: after its death");
}

# --- more threads that poll than CPUs ---

SKIP: {
	my $cpus = () = slurp('/proc/cpuinfo') =~ /^processor\s/mg;
	skip "$cpus CPUs are many", 2 if !$cpus || $cpus > 8;
	$v = $s->run($s->profile(%host, 'workload r.numjobs' => $cpus + 1, 'disk.queues' => $cpus + 1, 'disk.wait' => 'poll', rungs(x => vring('loop', 'packed'))));
	$s->exits($v, 0, 'more threads that poll than CPUs: exit 0');
	like($v->{stderr}, qr/WARNING: x: @{[$cpus + 1]} threads poll on \d+ CPU/, '... with a warning');
}

# --- SIGKILL and ^C ---

my @slow = (%host, 'run.blocks' => 3, 'workload r.runtime' => '1s', rungs(a => vring('vbench', 'packed'), b => vring('storage-daemon', 'split')));
my $slow = $s->profile(@slow);
$v = $s->start_run($slow);
$s->until_or_over($v, sub { $s->trials >= 2 && $s->servers && $s->fios });
$s->kill_and_wait($v);
ok(wait_until(sub { !$s->processes }, $VBTest::GONE), 'after SIGKILL of vbench: fio and server die with it');
my $stored = () = $s->trials;
my $killed = $s->newest;
ok(scalar(() = glob "$killed->{folder}/trials/*/{fio,server}"), '... and leave folders of their user behind');
# the next run of whatever kind, here one that needs fio alone
$v = $s->run($s->profile(%host, rungs(x => { 'disk.driver' => 'none' })));
$s->exits($v, 0, 'a run after it: exit 0');
is(join(' ', glob "$killed->{folder}/trials/*/{fio,server}"), '', '... has removed them');
ok(scalar(() = glob $s->data . "/host/*/$_"), "... and kept the copy of $_ for the next run that needs it") for qw(vring.so vbench-vhost-blk);
$v = $s->vbench('run', '--wait', "--resume=$killed->{uuid}");
$s->exits($v, 0, '--resume: exit 0');
is(scalar(() = $s->trials($killed->{uuid})), 6, '--resume: 2 cells in 3 blocks');
cmp_ok($stored, '<', 6, '... of which some were missing');
is(scalar(grep { $_->{ok} } $s->trials($killed->{uuid})), 6, '... all measured');
$s->clean('after --resume');

$v = $s->start_run($slow);
$s->until_or_over($v, sub { $s->servers && $s->fios });
kill 'INT', $v->{pid};
$s->finish($v, 60);
$s->exits($v, 130, '^C: exit 130');
$s->clean('after ^C');

# another engine than the run was begun with
my $other = "$s->{dir}/other/engines";
mkdir $_ for dirname($other), $other;
symlink VBTest::engines() . '/../fio', dirname($other) . '/fio';
spurt("$other/$_", slurp(VBTest::engines() . "/$_"), 0755) for qw(vring.so vbench-vhost-blk);
spurt("$other/vring.so", slurp("$other/vring.so") . "\0", 0755);
$v = $s->run({ env => { VBENCH_ENGINES => $other } }, '--resume');
$s->exits($v, 2, '--resume with another engine: exit 2');
like($v->{stderr}, qr/begun with another .*engine/, '... and says why');

# --- what is missing ---

$v = $s->run({ env => { VBENCH_ENGINES => '/nonexistent' } }, $slow);
$s->exits($v, 2, 'without engines: exit 2');
like($v->{stderr}, qr/make (?:fio|engines)/, '... and says what to do');
# an engine that fio cannot load
spurt("$other/vring.so", 'no object');
$v = $s->run({ env => { VBENCH_ENGINES => $other } }, $slow);
$s->exits($v, 4, 'an engine that is none: exit 4');
like($v->{stderr}, qr/cannot load the engine/, '... and says so, once');
is(scalar(() = $v->{stderr} =~ /cannot load/g), 1, '... before any trial');

# what reaches beyond the disk
for my $option ('filename', 'exec_prerun', 'thread', 'filesize', 'serve_path', 'report', 'ring') {
	$v = $s->vbench('run', '--dry-run', $s->profile(%host, "workload r.fio.$option" => '0', 'disk.driver' => 'none'));
	$s->exits($v, 2, "fio.$option on the host: exit 2");
	like($v->{stderr}, qr/fio\.$option/, '... and names it');
}

$v = $s->vbench('run', '--dry-run', $s->profile(%host, 'disk.format' => 'qcow2', 'disk.precondition' => 'fill', 'disk.serves' => 'file',
	'disk.driver' => 'vring', 'disk.backend' => 'vhost-user', 'disk.server' => 'storage-daemon'));
$s->exits($v, 2, 'a fill beside the format of the image: exit 2');
like($v->{stderr}, qr/raw/, '... and says which format can be filled');

mkdir "$s->{dir}/empty";
$v = $s->run({ env => { PATH => "$s->{dir}/empty" } }, $s->profile(%host, rungs(x => vring('storage-daemon', 'split'))));
$s->exits($v, 2, 'without the storage daemon: exit 2');
like($v->{stderr}, qr/qemu-system-common/, '... and names the package');

# --- as a user without rights ---

SKIP: {
	skip 'not root', 4 if $>;
	skip 'no runuser', 4 if !VBTest::in_path('runuser');
	my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
	skip 'no user nobody', 4 if !defined $uid;
	my $u = sandbox();
	chown $uid, $gid, $u->{xdg};
	my $copy = "$u->{dir}/bin";
	mkdir $_ for $copy, "$copy/build";
	system 'cp', '-rL', VBTest::program(), "$copy/vbench";
	system 'cp', '-rL', VBTest::engines(), "$copy/build/engines";
	mkdir "$copy/build/fio";
	system 'cp', '-L', VBTest::engines() . '/../fio/fio', "$copy/build/fio/fio";
	system 'chmod', '-R', 'a+rX', $copy;
	my @how = ({ before => [qw(runuser -u nobody --)], program => "$copy/vbench",
			env => { HOME => '/nonexistent', VBENCH_GUEST => '/nonexistent', VBENCH_ENGINES => "$copy/build/engines" } });
	my $p = $u->profile(%host, rungs(%cells{'file', 'loop-packed', 'own-packed', 'qsd-split'}));
	chmod 0644, $p;
	$v = $u->run(@how, $p);
	$u->exits($v, 0, 'as nobody: exit 0');
	is(scalar(grep { $_->{ok} } $u->trials), 4, '... all measured');
	is((stat $u->db_file)[4], $uid, '... the store is that user\'s');
	$u->clean('as nobody');
}

# --- both sites in one run ---

SKIP: {
	my $guest = VBTest::guest();
	skip 'no small guest', 8 if grep { !-e "$guest/$_" } qw(KERNEL vmlinuz fio vbench-agent);
	skip 'no QEMU', 8 if !VBTest::in_path('qemu-system-x86_64');
	$v = $s->run($s->profile(%host, 'guest.accel' => 'tcg', 'guest.vcpus' => 1, rungs(
		ground => vring('vbench', 'packed'),
		kernel => { %{ vring('vbench', 'packed') }, 'guest.site' => 'guest', 'disk.driver' => undef, over => 'ground', adds => 'a guest' },
		qemu => { 'guest.site' => 'guest', 'disk.backend' => 'null', over => 'kernel', adds => 'its own device' },
	)));
	$s->exits($v, 0, 'host and guest in one run: exit 0');
	my %t = map { $_->{label} => $_ } $s->trials;
	is(join("\n", map { $_->{detail} } grep { !$_->{ok} } values %t), '', '... all measured');
	is($t{ground}{site}, 'host', '... one of them on the host');
	isnt($t{$_}{site}, 'host', "... $_ in a guest") for qw(kernel qemu);
	is($t{ground}{template}, '', '... without a template');
	is($t{kernel}{template}, $t{qemu}{template}, '... the guests share one: their memory is of a kind');
	ok((grep { $_->{metric} eq 'cpu_per_io.fio' && $_->{seq} == $t{ground}{seq} } $s->rows('SELECT s.* FROM sample s JOIN run r ON r.id = s.run WHERE r.uuid = ?', $s->newest->{uuid})) ? 1 : 0,
		'... and the host\'s fio has its CPU time');
}

$s->clean('at the end');
done_testing();
