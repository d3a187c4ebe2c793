#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Plans applied to a running QEMU and taken back: what the kernel says of its threads is compared with the plan and with before, also
# when vbench is killed anywhere in between. (Memory between nodes and KVM: tests/lab/t/apply.t.)
use strict;
use warnings;
use lib 'tests/lib';
use Cwd qw(getcwd);
use IO::Socket::UNIX;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);
use VBTest;

VBTest::needs();
my $s = sandbox();
my $killer = $s->compile('tests/lib/killer.c', 'killer.so', '-shared -fPIC -ldl');
my $records = $s->data . '/changes';

# CPUs that we may use: the first and the last of them (equal on a machine with one).
my ($mine) = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m;
my @cpus = map { /(\d+)-(\d+)/ ? $1 .. $2 : $_ } split /,/, $mine;
my ($first, $last) = @cpus[0, -1];

my @qemu;
END { local $?; kill 'KILL', @qemu if @qemu }

# A paused QEMU with two vCPUs and an iothread; its pid when its threads are there.
sub qemu {
	my ($name, @more) = @_;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$s->{dir}/$name.log";
		open STDERR, '>&', \*STDOUT;
		exec 'qemu-system-x86_64', '-name', "guest=$name,debug-threads=on", '-machine', 'q35', '-accel', 'tcg,thread=multi', '-smp', 2,
			'-m', 32, '-S', '-nodefaults', '-no-user-config', '-display', 'none', '-object', 'iothread,id=io0',
			'-qmp', "unix:$s->{dir}/$name.qmp,server=on,wait=off", @more or POSIX::_exit(127);
	}
	push @qemu, $pid;
	# a thread gives itself its name some time after it is there
	my $named = sub { my $n = by_name($pid); return $name eq 'nameless' || 3 == grep { $n->{$_} } 'CPU 0/TCG', 'CPU 1/TCG', 'IO io0' };
	wait_until(sub { keys %{ threads($pid) } >= 5 && -S "$s->{dir}/$name.qmp" && $named->() }) or BAIL_OUT('QEMU does not come up');
	sleep 0.3;
	return $pid;
}

# tid -> CPU list, by the kernel
sub threads {
	my ($pid) = @_;
	my %t;
	for my $task (glob "/proc/$pid/task/*") {
		my ($tid) = $task =~ /(\d+)$/;
		$t{$tid} = $1 if slurp("$task/status") =~ /^Cpus_allowed_list:\s*(\S+)/m;
	}
	return \%t;
}

sub by_name {
	my ($pid) = @_;
	my %n;
	for my $task (glob "/proc/$pid/task/*") {
		chomp(my $name = slurp("$task/comm"));
		push @{ $n{$name} }, $task =~ /(\d+)$/;
	}
	return \%n;
}

# One HMP command through QMP; what it prints.
sub monitor {
	my ($socket, $line) = @_;
	my $c = IO::Socket::UNIX->new(Peer => $socket) or die "$socket: $!";
	local $/ = "\n";
	<$c>;
	print $c encode_json($_), "\n" for { execute => 'qmp_capabilities' }, { execute => 'human-monitor-command', arguments => { 'command-line' => $line } };
	$c->flush;
	<$c>;
	return scalar <$c>;
}

sub plan_file {
	my (%p) = @_;
	my %guest = (name => 'g', vcpus => 2, iothreads => 1, vcpu => ["$first", "$last"], iothread => ["$last"], emulator => "$first",
		nodes => undef, mode => undef, memory => 32 << 20, page => 0, placed => JSON::PP::true, %p);
	return spurt("$s->{dir}/plan-" . ++$s->{n} . '.json', encode_json({ format => 'vbench-plan-1', guests => [ \%guest ] }));
}

my $plan = plan_file();
my $pid = qemu('g', '-blockdev', 'file,node-name=d0,filename=' . spurt("$s->{dir}/d0.raw", "\0" x (1 << 20)) . ',aio=threads');
my $before = threads($pid);

subtest 'each thread is where the plan says, and back' => sub {
	my $v = $s->vbench('apply', "pid:$pid", '--plan', $plan, '--json');
	$s->exits($v, 0, 'apply');
	# the first that vbench did here; a run's QEMU, under root's vbench another user, will have to enter
	is(sprintf('%o', (stat $s->data)[2] & 0777), $> ? '700' : '755', "... in a folder as a run makes it");
	is(sprintf('%o', (stat $records)[2] & 0777), '700', '... its records in one that is ours');
	my $id = decode_json($v->{stdout})->{id};
	like($id, qr/^\d{8}-\d{6}-[0-9a-f]{3}$/, 'names its record');
	my ($now, $names) = (threads($pid), by_name($pid));
	is($now->{ $names->{'CPU 0/TCG'}[0] }, $first, 'vCPU 0');
	is($now->{ $names->{'CPU 1/TCG'}[0] }, $last, 'vCPU 1');
	is($now->{ $names->{'IO io0'}[0] }, $last, 'iothread');
	my %pinned = map { $names->{$_}[0] => 1 } 'CPU 0/TCG', 'CPU 1/TCG', 'IO io0';
	is_deeply([ grep { !$pinned{$_} && $now->{$_} ne $first } keys %$now ], [], 'all others: the emulator\'s CPUs');
	is((stat "$records/$id.json")[2] & 0777, 0600, 'the record is ours alone');
	$s->exits($s->vbench('apply', '--verify', $id), 0, '--verify');

	# A worker, made by the main thread for its image, has the main thread's CPUs.
	monitor("$s->{dir}/g.qmp", 'qemu-io d0 "aio_write 0 64k"');
	my $worker = wait_until(sub { (grep { !$before->{$_} } keys %{ threads($pid) })[0] }, 20);
	ok($worker, 'QEMU made a worker since') or return;
	$v = $s->vbench('apply', '--verify', '--json');
	$s->exits($v, 0, '--verify knows it by its maker');
	my $told = decode_json($v->{stdout});
	ok($told->{ok} && @{ $told->{lines} } >= keys %$before, 'a line each');
	$v = $s->vbench('revert', substr($id, 0, 15));
	$s->exits($v, 0, 'revert');
	my $after = threads($pid);
	is_deeply({ map { $_ => $after->{$_} } grep { $before->{$_} } keys %$after }, $before, 'all as before');
	is($after->{$worker} // $mine, $mine, 'and the worker, if it still lives');
	is_deeply([ glob "$records/*.json" ], [], 'no record is left');
};

subtest 'thread numbers from QEMU itself' => sub {
	# without their names
	my $other = qemu('nameless', '-name', 'guest=nameless,debug-threads=off');
	my $was = threads($other);
	my $v = $s->vbench('apply', "pid:$other", '--plan', $plan);
	$s->exits($v, 2, 'by name: refused');
	like($v->{stderr}, qr/give --qmp SOCKET/, '... with the remedy');
	$s->exits($s->vbench('apply', "pid:$other", '--plan', $plan, '--qmp', "$s->{dir}/nameless.qmp"), 0, 'with --qmp');
	my %on;
	$on{$_}++ for values %{ threads($other) };
	# vCPU 1 and the iothread
	is($on{$last} // 0, $first == $last ? keys %$was : 2, 'two on the last CPU');
	$s->exits($s->vbench('apply', '--verify'), 0, '--verify');
	$s->exits($s->vbench('revert'), 0, 'revert');
	is_deeply(threads($other), $was, 'all as before');

	$v = $s->vbench('apply', "pid:$pid", '--plan', $plan, '--qmp', "$s->{dir}/nameless.qmp");
	$s->exits($v, 2, 'another QEMU\'s socket is refused');
	like($v->{stderr}, qr/is the socket of process $other, not of $pid/, '... by the kernel\'s word');
};

# A process that serves a socket of its own, and lies. What it says never reaches a thread that is not its own.
subtest 'a socket that lies' => sub {
	my $greeting = '{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}';
	my $cpu = sub { join ', ', map { '{"cpu-index": ' . $_->[0] . ', "thread-id": ' . $_->[1] . '}' } @_ };
	my ($tid) = keys %$before;
	my %why = ('threads of another process' => qr/none of its own/, 'a vCPU twice' => qr/answers nonsense/, 'no numbers' => qr/answers nonsense/,
		'numbers out of range' => qr/answers nonsense/, 'too few vCPUs' => qr/QEMU has 1 vCPUs, the plan 2/);
	my %lies = (
		'no JSON' => ["hello\n"],
		'a huge answer' => [ $greeting, '{"return": {}}', '{"return": [' . ('[' x 1_000_000) . "\n" ],
		'closes at once' => [],
		'too few vCPUs' => [ $greeting, '{"return": {}}', '{"return": [' . $cpu->([ 0, 2 ]) . ']}', '{"return": []}' ],
		'threads of another process' => [ $greeting, '{"return": {}}', '{"return": [' . $cpu->([ 0, $tid ], [ 1, $pid ]) . ']}',
			'{"return": [{"id": "io0", "thread-id": ' . $pid . '}]}' ],
		'a vCPU twice' => [ $greeting, '{"return": {}}', '{"return": [' . $cpu->([ 0, 'SELF' ], [ 0, 'SELF' ]) . ']}', '{"return": []}' ],
		'no numbers' => [ $greeting, '{"return": {}}', '{"return": [{"cpu-index": 0, "thread-id": "x"}, {}]}', '{"return": []}' ],
		'numbers out of range' => [ $greeting, '{"return": {}}', '{"return": [' . $cpu->([ 0, -1 ], [ 99, 1 << 40 ]) . ']}', '{"return": []}' ],
	);
	for my $lie (sort keys %lies) {
		my $path = "$s->{dir}/liar-" . ++$s->{n};
		my $liar = fork // die;
		if (!$liar) {
			$SIG{PIPE} = 'IGNORE'; # no END block here: it ends the guests
			my $l = IO::Socket::UNIX->new(Local => $path, Listen => 1) or POSIX::_exit(1);
			my $c = $l->accept;
			local $/ = "\n";
			my $id = 0;
			for my $i (0 .. $#{ $lies{$lie} }) {
				my $line = '';
				last if $i && !sysread $c, $line, 65536; # questions need not end in a newline
				my $text = $lies{$lie}[$i] =~ s/SELF/$$/gr;
				# answers carry the question's id
				$text =~ s/^\{"return"/{"id": $id, "return"/ if ($id) = $line =~ /"id": *("[^"]*"|\d+)/;
				syswrite $c, "$text\n";
			}
			POSIX::_exit(0);
		}
		push @qemu, $liar;
		wait_until(sub { -S $path }, 20);
		my $v = $s->vbench('apply', "pid:$liar", '--plan', $plan, '--qmp', $path);
		ok($v->{status} == 2 || $v->{status} == 4, "$lie: refused") or diag $v->{status}, $v->{stdout}, $v->{stderr};
		is(scalar(() = $v->{stderr} =~ /\n/g), 1, '... in one sentence');
		like($v->{stderr}, $why{$lie} // qr/QEMU|QMP/, '... that names the lie');
		kill 'KILL', $liar;
		waitpid $liar, 0;
		my $now = threads($pid);
		is_deeply([ grep { $now->{$_} ne $mine } keys %$now ], [], '... and nothing was touched') if $lie =~ /another/;
	}
	is_deeply([ glob "$records/*.json" ], [], 'no record is left');
};

# SIGKILL before and after each call that writes a record or changes a thread, until the command gets through; then revert.
sub killed_everywhere {
	my ($what, $prepare, @command) = @_;
	my ($n, $bad, $v) = (0, 0);
	for (; $n < 400; $n++) {
		$prepare->();
		$v = $s->vbench({ env => { LD_PRELOAD => $killer, KILLER => $n } }, @command);
		my $back = $s->vbench('revert');
		my $now = threads($pid);
		my @left = glob "$records/*.json";
		if ($back->{status} || @left || grep { ($now->{$_} // '') ne $before->{$_} } keys %$before) {
			$bad++;
			diag "$what, killed at point $n: revert: $back->{status}\n$back->{stdout}$back->{stderr}", explain($now);
		}
		last if !$v->{signal};
	}
	is($bad, 0, "$what: killed anywhere, revert puts all back");
	$s->exits($v, 0, '... until it got through');
	cmp_ok($n, '>', 10, "... after $n kills");
}

wait_until(sub { keys %{ threads($pid) } == keys %$before }, 60); # workers end when idle
killed_everywhere('apply', sub { }, 'apply', "pid:$pid", '--plan', $plan);
killed_everywhere('revert', sub { $s->vbench('apply', "pid:$pid", '--plan', $plan) }, 'revert');

subtest 'settings of the host, in a mount name space of their own' => sub {
	plan skip_all => 'needs root' if $>;
	plan skip_all => 'no name spaces here' if system('unshare', '-m', 'true');
	my $file = spurt("$s->{dir}/swappiness", "60\n");
	my $hidden = [ 'unshare', '-m', 'sh', '-c', "mount --bind $file /proc/sys/vm/swappiness && exec \"\$@\"", 'sh' ];
	my ($real) = slurp('/proc/sys/vm/swappiness');
	my @command = ('apply', 'host', 'swappiness=10', '--consent', 'host');
	my $go = sub { my @more = ref $_[0] ? %{ shift() } : (); return $s->vbench({ before => $hidden, @more }, @_) };
	$s->exits($go->(@command), 0, 'apply');
	is(slurp($file), "10\n", 'is in force') or diag slurp($file);
	$s->exits($go->('apply', '--verify'), 0, '--verify');
	spurt($file, "30\n");
	my $v = $go->('apply', '--verify');
	$s->exits($v, 1, '--verify after someone changed it');
	$v = $go->('revert');
	$s->exits($v, 1, 'revert leaves that alone');
	like($v->{stdout}, qr/swappiness: someone changed it since, from 10 to 30: left alone \(--force puts back 60\)/, '... and says so');
	is(slurp($file), "30\n", '... indeed');
	$s->exits($go->('revert', '--force'), 0, '--force');
	is(slurp($file), "60\n", '... puts it back');
	my ($n, $bad) = (0, 0);
	for (; $n < 100; $n++) {
		$v = $go->({ env => { LD_PRELOAD => $killer, KILLER => $n } }, @command);
		$bad++ if $go->('revert')->{status} || slurp($file) ne "60\n";
		last if $v->{status} == 0;
	}
	is($bad, 0, "killed at each of $n points: as before");
	cmp_ok($n, '>', 5, 'there were some');
	is(slurp('/proc/sys/vm/swappiness'), $real, 'the real one was never touched');
};

subtest 'the process ends' => sub {
	$s->exits($s->vbench('apply', "pid:$pid", '--plan', $plan), 0, 'apply');
	kill 'KILL', $pid;
	waitpid $pid, 0;
	my $v = $s->vbench('apply', '--verify');
	$s->exits($v, 1, '--verify');
	like($v->{stdout}, qr/it has ended/, '... says why');
	$v = $s->vbench('revert');
	$s->exits($v, 0, 'revert');
	like($v->{stdout}, qr/gone/, '... says why');
	is_deeply([ glob "$records/*.json" ], [], 'no record is left');
};

done_testing;
