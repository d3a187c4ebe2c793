#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will put a guest's threads on CPUs, its memory on nodes and huge pages, and turn settings of the host for a trial:
# asked and got agree, what this host lacks is left out with the reason, and settings go back, after a SIGKILL too.
#
# Expected: what /proc/PID/task/*/status and the settings' own files say while the guest runs.
use strict;
use warnings;
use lib 'tests/lib';
use DBI;
use Test::More;
use VBTest;

VBTest::needs();
my $s = sandbox();
my ($cpu) = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s+(\d+)/m;
my @quick = ('disk.backend' => 'null', 'guest.vcpus' => 1, 'workload r.rw' => 'randread', 'run.strict' => 'on');

# threads: explicit, by the planner, and as they come
my $v = $s->run($s->profile(@quick, 'guest.pin' => "$cpu/$cpu/$cpu, plan, none"));
$s->exits($v, 0, 'pinned, planned, free: measured');
my @t = $s->trials;
is(scalar(grep { $_->{ok} } @t), 3, '... three trials') or diag(join "\n", map { $_->{detail} // '' } @t);
my %got = map { ($_->{asked} => $_->{got}) } grep { $_->{key} eq 'guest.pin' } $s->checks;
is($got{"vcpus $cpu, iothreads $cpu, emulator $cpu"}, "vcpus $cpu, iothreads $cpu, emulator $cpu", '... each thread where it was put');
is($got{none}, 'none', '... or where it came to be');
is(scalar(grep { /^vcpus \d/ && $got{$_} eq $_ } keys %got), 2, '... and where the planner wants it');
$s->clean('pins');

# a list that is not as the kernel writes it
my @mine = map { /(\d+)-(\d+)/ ? $1 .. $2 : $_ } split /,/, slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s+(\S+)/m ? $1 : 0;
SKIP: {
	skip 'one CPU', 2 if @mine < 2 || $mine[1] != $mine[0] + 1;
	$v = $s->run($s->profile(@quick, 'guest.pin' => "$cpu/$cpu/$mine[1]+$mine[0]"));
	$s->exits($v, 0, 'CPUs in another order than the kernel has them: measured');
	my ($c) = grep { $_->{key} eq 'guest.pin' } $s->checks;
	like($c->{got}, qr/emulator $mine[0]-$mine[1]$/, '... as the kernel says it');
}

# a vhost-user server does an iothread's work: it gets the iothreads' CPUs, thread by thread, as the kernel sees it
SKIP: {
	skip 'one CPU', 4 if @mine < 2;
	$v = $s->start_run($s->profile(@quick, 'disk.backend' => 'vhost-user', 'guest.pin' => "$mine[0]/$mine[1]/$mine[0]", 'workload r.runtime' => '1s'));
	my $seen = $s->until_or_over($v, sub {
		my @lists = map { map { slurp($_) =~ /^Cpus_allowed_list:\s+(\S+)/m ? $1 : () } glob "/proc/$_->{pid}/task/*/status" } $s->servers;
		return @lists > 1 && !grep { $_ ne $mine[1] } @lists;
	});
	ok($seen && !$s->over($v), 'a server beside a pinned guest: all of its threads are where the iothreads would be');
	$s->finish($v);
	$s->exits($v, 0, '... measured');
	my ($pin) = grep { $_->{key} eq 'guest.pin' } $s->checks;
	my $want = "vcpus $mine[0], emulator $mine[0], server $mine[1]";
	is($pin->{asked}, $want, '... asked');
	is($pin->{got}, $want, '... and got');
}

# what would be done, and where
{
	my $p = $s->profile(@quick, 'guest.pin' => "plan, $cpu/$cpu/$cpu", 'guest.count' => '1, 2');
	$v = $s->run($p, '--dry-run');
	$s->exits($v, 0, '--dry-run');
	is(scalar(() = $v->{stdout} =~ /^  # pinned: vcpus \d[\d,-]*, iothreads \d[\d,-]*, emulator \d/mg), 2, '... says where one guest goes');
	is(scalar(() = $v->{stdout} =~ /^  # guest [12]: vcpus \d[\d,-]*, iothreads \d[\d,-]*, emulator \d/mg), 4, '... and each of two') or diag $v->{stdout};
	is(scalar(() = $v->{stdout} =~ m{^  # all 2 guests on the same CPUs: guest\.pin = $cpu/$cpu/$cpu is every guest's; plan gives each its own$}mg), 1,
		'... and that explicit pins are those of both');
}

# a run that was planned goes on as it was planned, or not at all
SKIP: {
	skip 'one CPU', 4 if @mine < 2;
	my $last = $s->newest->{uuid};
	$v = $s->start_run($s->profile(@quick, 'guest.pin' => 'plan', 'workload r.runtime' => '2s', 'run.blocks' => 4));
	ok($s->until_or_over($v, sub { $s->newest->{uuid} ne $last && grep { $_->{ok} } $s->trials }), 'a planned run, in its middle') or diag($s->finish($v)->{stderr});
	$s->kill_and_wait($v);
	# as if the planner had said something else then
	my $meta = sub {
		my ($from, $to) = @_;
		my $db = DBI->connect('dbi:SQLite:' . $s->db_file, '', '', { RaiseError => 1 });
		return $db->do("UPDATE run SET meta = replace(meta, ?, ?) WHERE uuid = ?", undef, $from, $to, $s->newest->{uuid});
	};
	$meta->('pinned vcpus ', 'pinned vcpus 9');
	$v = $s->vbench('run', '--wait', '--resume');
	$s->exits($v, 2, 'resumed where the plan is another one: refused');
	like($v->{stderr}, qr/begun with another .* or pins .*\(then pinned vcpus 9\S*.*; now pinned vcpus (?!9)/, '... with the pins of then and of now');
	$meta->('pinned vcpus 9', 'pinned vcpus ');
	$v = $s->vbench('run', '--wait', '--resume');
	$s->exits($v, 0, 'resumed as it was begun');
}

# a CPU that there is not
$v = $s->run($s->profile(@quick, 'guest.pin' => '4095'));
is($v->{status}, 4, 'CPU 4095: not measured');
like(($s->trials)[0]{detail} // '', qr/guest\.pin: this host has no CPU of 4095/, '... for the reason named');
$s->clean('no such CPU');

SKIP: {
	skip 'this kernel has no numa_maps', 4 if !-e '/proc/self/numa_maps';
	$v = $s->run($s->profile(@quick, 'guest.nodes' => '0, 999'));
	$s->exits($v, 0, 'memory on node 0; node 999 is left out');
	like("$v->{stdout}$v->{stderr}", qr/this host has no NUMA node 999/, '... and listed with the reason') or diag $v->{stdout};
	my ($c) = grep { $_->{key} eq 'guest.nodes' } $s->checks;
	is($c->{got}, 'bind:0', '... the kernel says that the memory is bound');
	$s->clean('nodes');
}

my $thp = '/sys/kernel/mm/transparent_hugepage/enabled';
my $chosen = sub { return slurp($_[0]) =~ /\[(\w+)\]/ ? $1 : '' };
SKIP: {
	skip 'settings of the host need root, and transparent huge pages', 29 if $> || !-w $thp;
	my $was = $chosen->($thp);
	my $other = $was eq 'always' ? 'madvise' : 'always';
	my $p = $s->profile(@quick, 'knob.thp' => "keep, $other");
	$v = $s->run($p);
	is($v->{status}, 2, 'a knob without consent: refused');
	like($v->{stderr}, qr/knob\.thp changes a setting of the whole host.*--consent host/, '... with what would consent');
	is($chosen->($thp), $was, '... and nothing is changed');
	$v = $s->run($p, '--consent', 'host');
	$s->exits($v, 0, 'with consent: measured');
	my @c = grep { $_->{key} eq 'knob.thp' } $s->checks;
	is(join(' ', map { "$_->{asked}=$_->{got}" } @c), "$other=$other", '... it was in force');
	is($chosen->($thp), $was, '... and is as it was');

	# killed while it is in force: the next run puts it back, whatever it measures
	$p = $s->profile(@quick, 'knob.thp' => $other, 'workload r.runtime' => '20s');
	$v = $s->start_run($p, '--consent', 'host');
	ok($s->until_or_over($v, sub { $chosen->($thp) eq $other }), 'in force in mid-run') or diag($s->finish($v)->{stderr});
	$s->kill_and_wait($v);
	is($chosen->($thp), $other, 'SIGKILL: still in force');
	$v = $s->run($s->profile(@quick));
	$s->exits($v, 0, 'the next run');
	is($chosen->($thp), $was, '... has put it back');

	# changed by somebody else since: theirs stays
	my $third = (grep { $_ ne $was && $_ ne $other } qw(always madvise never))[0];
	$v = $s->start_run($p, '--consent', 'host');
	ok($s->until_or_over($v, sub { $chosen->($thp) eq $other }), 'once more in mid-run');
	$s->kill_and_wait($v);
	spurt($thp, $third);
	$v = $s->run($s->profile(@quick));
	$s->exits($v, 0, 'the next run measures');
	is($chosen->($thp), $third, '... what somebody else has set since stays');
	like($v->{stderr}, qr/thp: someone changed it since, from $other to $third: that stays/, '... and is named');
	$v = $s->run($s->profile(@quick));
	unlike($v->{stderr}, qr/thp/, '... once');
	spurt($thp, $was);

	# interrupted
	$v = $s->start_run($p, '--consent', 'host');
	ok($s->until_or_over($v, sub { $chosen->($thp) eq $other && grep { $_->{cmd} =~ /qemu/ } $s->processes }), 'and again');
	kill 'INT', $v->{pid};
	$v = $s->finish($v);
	is($v->{status}, 130, '^C ends the run');
	is($chosen->($thp), $was, '... and what it turned goes back');

	# by hand, without another run
	$v = $s->start_run($p, '--consent', 'host');
	ok($s->until_or_over($v, sub { $chosen->($thp) eq $other }), 'the last one');
	my $busy = $s->vbench('revert');
	is($busy->{status}, 4, 'vbench revert while it runs: not its business');
	like($busy->{stderr}, qr/go back when it ends/, '... it says');
	is($chosen->($thp), $other, '... and leaves it');
	$s->kill_and_wait($v);
	like($s->vbench('apply', '--list')->{stdout}, qr/^\S+  host +1 changes$/m, 'killed: apply --list shows it');
	$s->exits($s->vbench('revert'), 0, 'vbench revert');
	is($chosen->($thp), $was, '... puts it back');

	# the two arms of a comparison
	$v = $s->run($s->profile(@quick), '--vs', "knob.thp=$other");
	is($v->{status}, 2, '--vs knob.thp: consent as well');
	$v = $s->run($s->profile(@quick), '--vs', "knob.thp=$other", '--consent', 'host');
	ok($v->{status} != 2 && $v->{status} != 4, '... with which it is measured') or diag $v->{stderr};
	is($chosen->($thp), $was, '... and put back');
	is(join(' ', map { $_->{got} } grep { $_->{key} eq 'knob.thp' } $s->checks), $other, '... in that arm alone');
}

# a setting that this host lacks (halt_poll_ns is KVM's): that cell is left out, the others are measured
SKIP: {
	skip 'this host has KVM', 2 if $> || -e '/sys/module/kvm/parameters/halt_poll_ns';
	$v = $s->run($s->profile(@quick, 'knob.halt-poll-ns' => 'keep, 0'), '--consent', 'host');
	$s->exits($v, 0, 'a setting that this host lacks: the others are measured');
	like("$v->{stdout}$v->{stderr}", qr/knob\.halt-poll-ns: this host has no such setting/, '... and why is said');
}

my $pool = '/sys/kernel/mm/hugepages/hugepages-2048kB';
SKIP: {
	skip 'huge pages need root', 5 if $> || !-w "$pool/nr_hugepages";
	my $was = slurp("$pool/nr_hugepages") + 0;
	my $free = slurp("$pool/free_hugepages") + 0;
	skip 'this host has huge pages in use', 5 if $was;
	$v = $s->run($s->profile(@quick, 'guest.pages' => 'any, 2M'));
	$s->exits($v, 0, 'no huge pages here: the others are measured');
	like("$v->{stdout}$v->{stderr}", qr/needs 128 huge pages of 2M, 0 are free; `vbench apply host/, '... and what would help is said');
	spurt("$pool/nr_hugepages", 140);
	SKIP: {
		skip 'this host has too little memory in one piece', 3 if slurp("$pool/free_hugepages") < 128;
		$v = $s->run($s->profile(@quick, 'guest.pages' => '2M'));
		$s->exits($v, 0, 'huge pages of 2M: measured');
		my ($c) = grep { $_->{key} eq 'guest.pages' } $s->checks;
		is($c->{got}, '2M', '... the kernel says so');
		$s->clean('huge pages');
	}
	spurt("$pool/nr_hugepages", $was);
}
done_testing();
