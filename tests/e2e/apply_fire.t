#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# vbench apply and revert when things go wrong around them: a full disk, ^C, folders and links of others, two at once, a daemon that
# does not answer, plans that lie. A process with a QEMU's threads stands for the guest; what the kernel says of these is the judge.
use strict;
use warnings;
use lib 'tests/lib';
use JSON::PP;
use POSIX ();
use Socket;
use Test::More;
use VBTest;

BAIL_OUT('vbench is not built; run make') if !-x VBTest::program();
my $s = sandbox();
my $data = $s->data;
my $records = "$data/changes";
my $killer = $s->compile('tests/lib/killer.c', 'killer.so', '-shared -fPIC -ldl');
my $program = $s->compile('tests/lib/threads.c', 'threads', '-pthread');

my ($mine) = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m;
my ($first) = $mine =~ /^(\d+)/;
my $n = 0;

my @started;
END { local $?; kill 'KILL', @started if @started }

sub guest {
	my $pid = open(my $out, '-|', $program) // die "fork: $!";
	push @started, $pid;
	push @{ $s->{open} }, $out;
	like(scalar <$out>, qr/^up/, 'a process with threads');
	wait_until(sub { keys %{ threads($pid) } == 5 && slurp("/proc/$pid/task/" . (sort { $b <=> $a } keys %{ threads($pid) })[0] . '/comm') =~ /rcu/ });
	return $pid;
}

sub threads {
	my ($pid) = @_;
	my %t;
	for my $task (glob "/proc/$pid/task/*") {
		my ($tid) = $task =~ /(\d+)$/;
		$t{$tid} = $1 if slurp("$task/status") =~ /^Cpus_allowed_list:\s*(\S+)/m;
	}
	return \%t;
}

sub plan_text {
	my %guest = (name => 'g', vcpus => 2, iothreads => 1, vcpu => [ "$first", "$first" ], iothread => ["$first"], emulator => "$first",
		nodes => undef, mode => undef, memory => 32 << 20, page => 0, placed => JSON::PP::true, @_);
	return encode_json({ format => 'vbench-plan-1', guests => [ \%guest ] });
}
sub records { my @all = glob "$records/*.json"; return @all }

my $pid = guest();
my $before = threads($pid);
my $plan = spurt("$s->{dir}/plan.json", plan_text());
plan skip_all => 'one CPU: a pinned thread looks like any other' if $mine eq $first;

# --- nothing is touched ---

$s->exits($s->vbench('apply', "pid:$pid", '--plan', $plan, '--dry-run'), 0, 'a dry run');
ok(!-e $data, '... makes no folder either');
is_deeply(threads($pid), $before, '... and touches no thread');

for my $case (['more vCPUs than a machine can have', vcpus => 4_000_000_000], ['more than it lists', vcpus => 3], ['fewer than none', vcpus => -1],
	['CPUs without end', emulator => '0-99999999999999999999'], ['CPUs backwards', emulator => '3-0'], ['no CPUs', emulator => ''],
	['a CPU that is none here', emulator => '4095'], ['nodes that are no list', nodes => '0;1', mode => 'strict'], ['no place', placed => JSON::PP::false]) {
	my ($what, @lie) = @$case;
	my $v = $s->vbench('apply', "pid:$pid", '--plan', spurt("$s->{dir}/lie.json", plan_text(@lie)));
	$s->exits($v, 2, "a plan with $what");
	is(scalar(() = $v->{stderr} =~ /\n/g), 1, '... one sentence') or diag $v->{stderr};
	is_deeply(threads($pid), $before, '... nothing touched');
}

# --- a plan from a socket, as what sshd runs has its input ---

subtest 'standard input is a socket' => sub {
	socketpair my $here, my $there, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!";
	my $child = fork // die;
	if (!$child) {
		open STDIN, '<&', $there or POSIX::_exit(126);
		open STDOUT, '>', "$s->{dir}/socket.out";
		open STDERR, '>&', \*STDOUT;
		close $here;
		$ENV{XDG_DATA_HOME} = $s->{xdg};
		exec VBTest::program(), 'apply', "pid:$pid", '--plan', '-', '--dry-run' or POSIX::_exit(127);
	}
	close $there;
	syswrite $here, plan_text();
	shutdown $here, 1;
	waitpid $child, 0;
	is($? >> 8, 0, 'is read') or diag slurp("$s->{dir}/socket.out");
	like(slurp("$s->{dir}/socket.out"), qr/^vCPU 0, thread/, '... and understood');
};

# --- whose folder is it ---

subtest 'records of others' => sub {
	my $other = "$s->{dir}/other";
	mkdir $other;
	my $refused = sub {
		my ($what, @command) = @_;
		my $v = $s->vbench(@command ? @command : ('apply', "pid:$pid", '--plan', $plan));
		isnt($v->{status}, 0, "$what: refused") or diag $v->{stdout};
		is(scalar(() = $v->{stderr} =~ /\n/g), 1, '... one sentence') or diag $v->{stderr};
		is_deeply(threads($pid), $before, '... nothing touched');
	};
	mkdir $data;
	mkdir $records;
	chmod 0777, $records;
	$refused->('a folder that all may write to');
	chmod 0700, $records;
	SKIP: {
		skip 'needs root', 3 if $>;
		chown 65534, -1, $records;
		$refused->('a folder of another user');
		chown 0, -1, $records;
	}
	spurt("$other/victim", "old\n");
	symlink "$other/victim", "$records/lock";
	$refused->('a link where the lock should be');
	is(slurp("$other/victim"), "old\n", '... what it leads to stays');
	unlink "$records/lock";

	# somebody's record by a link, a hard link, a pipe, or that all may write to
	my $id = '20240229-120000-000';
	my $text = encode_json({ format => 'vbench-changes-1', id => $id, boot => slurp('/proc/sys/kernel/random/boot_id') =~ s/\s//r, target => 'host',
		changes => [ { what => 'thread', state => 'made', before => "$first", after => $mine, pid => $pid + 0, tid => $pid + 0,
			start => 1, thread_start => 1, role => 'emulator' } ] });
	spurt("$other/record", $text, 0600);
	symlink "$other/record", "$records/$id.json";
	$refused->('a record that is a link', 'revert', $id);
	unlink "$records/$id.json";
	link "$other/record", "$records/$id.json";
	$refused->('a record with two names', 'revert', $id);
	unlink "$records/$id.json";
	POSIX::mkfifo("$records/$id.json", 0600);
	$refused->('a pipe', 'revert', $id);
	unlink "$records/$id.json";
	spurt("$records/$id.json", $text, 0666);
	$refused->('a record that all may write to', 'revert', $id);
	unlink "$records/$id.json";

	# what is not vbench's own left-over is not swept away
	spurt("$records/$_", '') for my ($mine1, $theirs) = ("$id.json.71.0.tmp", 'notes.tmp');
	$s->exits($s->vbench('revert'), 0, 'revert');
	ok(!-e "$records/$mine1", 'a half written record of a killed vbench goes');
	ok(-e "$records/$theirs", "... somebody's file stays");
	unlink "$records/$theirs";
};

# --- a full disk ---

subtest 'no room for a record' => sub {
	plan skip_all => 'needs root' if $>;
	plan skip_all => 'no name spaces here' if system('unshare', '-m', 'true');
	# pages of the tmpfs that are free when the command starts: none, and then one more each time, until it gets through
	my ($pages, $refused, $bad, $v) = (0, 0, 0);
	for (; $pages < 12; $pages++) {
		$v = $s->vbench({ before => [ 'unshare', '-m', 'sh', '-c', 'mount -t tmpfs -o size=128k,mode=700 none "$0" && cd "$0" && : >lock && '
			. 'head -c ' . (131072 - 4096 * $pages) . ' /dev/zero >filler; "$@"; rc=$?; ls *.json 2>/dev/null; exit $rc', $records ] },
			'apply', "pid:$pid", '--plan', $plan);
		last if $v->{status} == 0;
		$refused++ if $v->{stderr} =~ /No space left/;
		my $now = threads($pid);
		my @left = $v->{stdout} =~ /^\S+\.json$/mg;
		if (@left || grep { $now->{$_} ne $before->{$_} } keys %$before) {
			$bad++;
			diag "$pages pages: ", $v->{stdout}, $v->{stderr}, explain($now);
		}
	}
	is($bad, 0, "refused or taken back, with each of 0 to $pages free pages");
	cmp_ok($refused, '>', 0, "... $refused times for want of room");
	$s->exits($v, 0, '... with room, it is applied');
	# its record went with the mount: by hand
	system("taskset -apc $mine $pid >/dev/null") if $v->{status} == 0;
	is_deeply(threads($pid), $before, 'back again');
};

# --- ^C ---

subtest '^C anywhere' => sub {
	my ($point, $ended, $bad, $v) = (0, 0, 0);
	for (; $point < 200; $point++) {
		$v = $s->vbench({ env => { LD_PRELOAD => $killer, KILLER => $point, KILLER_SIGNAL => POSIX::SIGINT() } }, 'apply', "pid:$pid", '--plan', $plan);
		my $now = threads($pid);
		my $changed = grep { $now->{$_} ne $before->{$_} } keys %$before;
		if ($v->{status} == 130) {
			$ended++;
			$bad++ if $changed || records() || $v->{stderr} !~ /interrupted/;
		} else {
			# too late: all of it is applied
			$bad++ if $v->{status} || !$changed || records() != 1;
			$s->vbench('revert');
			$bad++ if grep { threads($pid)->{$_} ne $before->{$_} } keys %$before;
			last if $v->{stdout} =~ /^applied/m && $point > 2 * keys %$before && ++$s->{late} > 4;
		}
		diag "point $point: ", explain($v) if $bad;
		last if $bad;
	}
	is($bad, 0, 'taken back with status 130, or all of it applied');
	cmp_ok($ended, '>', 10, "... ended by it at $ended points");
};

# --- two at once ---

subtest 'two at once' => sub {
	my @both = map { $s->start('apply', "pid:$pid", '--plan', $plan) } 1 .. 4;
	my @done = map { $s->finish($_) } @both;
	is(scalar(grep { $_->{status} == 0 } @done), 4, 'four at once: one after the other') or diag explain \@done;
	is(scalar records(), 4, '... a record each');
	$s->exits($s->vbench('revert'), 0, 'revert');
	is_deeply(threads($pid), $before, 'all as before');
};

# --- a daemon that does not answer is no word that the domain is gone ---

subtest 'libvirt does not answer' => sub {
	my $lib = "$s->{dir}/lib";
	mkdir $lib;
	rename $s->compile('tests/lib/fake_libvirt.c', 'libvirt.so.0', '-shared -fPIC -w'), "$lib/libvirt.so.0" or die;
	my $pins = spurt("$s->{dir}/pins", "255 255\n");
	my %env = (LD_LIBRARY_PATH => $lib, FAKE_PINS => $pins);
	my $one = spurt("$s->{dir}/one.json", plan_text(vcpus => 1, vcpu => ['0'], iothreads => 0, iothread => [], emulator => '0'));
	my $v = $s->vbench({ env => \%env }, 'apply', 'libvirt:web', '--plan', $one);
	$s->exits($v, 0, 'apply') or return;
	is(slurp($pins), "1 1\n", '... pinned');
	# VIR_ERR_RPC (39), VIR_ERR_AUTH_FAILED (45): libvirt/virterror.h
	for my $code (39, 45) {
		$v = $s->vbench({ env => { %env, FAKE_FAIL => $code } }, 'revert');
		$s->exits($v, 1, "revert while looking it up fails with $code: something is left");
		like($v->{stdout}, qr/the daemon does not answer/, '... for the reason named');
		is(scalar records(), 1, '... the record stays');
	}
	$s->exits($s->vbench({ env => \%env }, 'revert'), 0, 'revert when it answers again');
	is(slurp($pins), "255 255\n", '... as before');
	# VIR_ERR_NO_DOMAIN (42)
	$s->exits($s->vbench({ env => \%env }, 'apply', 'libvirt:web', '--plan', $one), 0, 'once more');
	$v = $s->vbench({ env => { %env, FAKE_FAIL => 42 } }, 'revert');
	$s->exits($v, 0, 'revert when there is no such domain');
	like($v->{stdout}, qr/vCPU 0 of domain web: is gone/, '... says so');
	is(scalar records(), 0, '... the record goes');
};

done_testing;
