#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will let guests die, hang, lie and flood, and QEMU die and hang. Each costs a trial, never the run; what was
# recorded stays, and nothing is left behind.
#
# Expected: the cause (enum cause in harness/guest/site.h) that was brought about here, and exit status 4 (could not measure).
use strict;
use warnings;
use lib 'tests/lib';
use Test::More;
use Time::HiRes qw(time sleep);
use VBTest;

VBTest::needs(programs => ['cc']);
my $s = sandbox();

# A guest folder with one program exchanged.
sub guest_with {
	my ($name, $file) = @_;
	my $dir = "$s->{dir}/guest-$name";
	mkdir $dir;
	symlink VBTest::guest() . "/$_", "$dir/$_" for grep { $_ ne $name } qw(KERNEL vmlinuz modules fio vbench-agent);
	rename $file, "$dir/$name" or die "$file: $!";
	return $dir;
}

sub trial_of { my ($workload) = @_; return (grep { $_->{workload} eq $workload } $s->trials)[0] // {} }

# --- guests that do harm while they are measured ---

my $fio = $s->compile('tests/lib/rogue_fio.c', 'fio', '-static');
my $real = slurp(VBTest::guest() . '/fio');
spurt($fio, slurp($fio) . $real . pack('Q<', length $real), 0755);

# workload => [cause, what its sentence says]
my %harm = (
	panic => ['guest', qr/guest went down \(\S+\): .*Kernel panic.*sysrq.*console ends: ./s],
	poweroff => ['guest', qr/guest went down/],
	rubbish => ['fio', qr/fio in the guest ended without a result \(status 0\): fio: everything is fine/],
	nonsense => ['agent', qr/not to be believed/],
	nothing => ['fio', qr/fio in the guest ended without a result \(status 0\); it said nothing/],
	crash => ['fio', qr/signal 6/],
	chatter => ['fio', qr/status 1/],
	hang => ['timeout', qr/did not end in \d+ s/],
	garbage => ['agent', qr/agent/],
	flood => [qr/^(?:agent|timeout)$/, qr/./],
);
my $v = $s->run({ env => { VBENCH_GUEST => guest_with('fio', $fio) } },
	$s->profile('run.blocks' => 1, map { ("workload $_.rw" => 'randread') } 'fine', 'good', keys %harm));
$s->exits($v, 4, 'guests that do harm: exit 4');
is($s->newest->{status}, 'complete', '... but the run went to its end');
is(scalar(@{ [$s->trials] }), 2 + keys %harm, '... and holds every trial');
for my $how (sort keys %harm) {
	my $t = trial_of($how);
	is($t->{ok}, 0, "$how: the trial failed");
	ref $harm{$how}[0] ? like($t->{cause}, $harm{$how}[0], "$how: cause") : is($t->{cause}, $harm{$how}[0], "$how: cause") or diag($t->{detail});
	like($t->{detail}, $harm{$how}[1], "$how: the sentence");
	unlike($t->{detail}, qr/[\0-\x08\x0b-\x1f\x7f]/, "$how: ... moves no cursor");
	like($v->{stderr}, qr/^trial \d+\/\d+  block 1  $how, [^\n]*: FAILED \(\Q$t->{cause}\E\) \S[^\n]*\n(?:trial|vbench)/m, "$how: ... on one line");
	cmp_ok(length $t->{detail}, '<', 2000, "$how: ... and is bounded");
	cmp_ok(-s $s->newest->{folder} . "/$t->{folder}/console.log", '<', 2 << 20, "$how: the console's log is bounded");
}
is(trial_of($_)->{ok}, 1, "$_: trials beside them were measured") for qw(fine good);
like($v->{stderr}, qr/^trial .*panic.*FAILED \(guest\)/m, 'a panic is said at once');
unlike($v->{stderr} . $v->{stdout}, qr/\e/, 'no guest reaches the terminal');
$s->clean('after guests that do harm');
my $m = $s->model;
is($m->{run}{trials_failed}, scalar keys %harm, 'the report counts the failed trials');

# --- agents that do harm ---

my %agents = (
	0 => ['that ends', 'guest', qr/guest went down \(\S+\): .*Attempted to kill init.*console ends: ./s],
	1 => ['that sends rubbish', 'agent', qr/agent channel/],
	2 => ['that announces 4 GB', 'agent', qr/agent channel/],
	3 => ['that sends no JSON', 'agent', qr/agent channel: .*JSON/],
	4 => ['that floods', qr/^(?:agent|timeout)$/, qr/./],
	5 => ['that falls silent', 'timeout', qr/did not answer/],
);
for my $n (sort keys %agents) {
	my ($what, $cause, $detail) = @{ $agents{$n} };
	my $dir = guest_with('vbench-agent', $s->compile('tests/lib/rogue_agent.c', 'agent', '-static', "-DROGUE=$n"));
	$v = $s->run({ env => { VBENCH_GUEST => $dir } }, $s->profile('run.blocks' => 2));
	system 'rm', '-rf', $dir;
	$s->exits($v, 4, "an agent $what: exit 4");
	my @trials = $s->trials;
	is(scalar @trials, 1, "an agent $what: no second block where the first gave nothing");
	like($trials[0]{cause} // '', ref $cause ? $cause : qr/^$cause$/, "an agent $what: cause");
	like($trials[0]{detail} // '', $detail, "an agent $what: the sentence");
	like($v->{stderr}, qr/no trial of block 1 could be measured/, "an agent $what: and why the run ends");
	$s->clean("an agent $what");
}

# --- QEMU dies, QEMU hangs, both in mid-trial ---

$v = $s->start_run($s->profile('run.blocks' => 1, map { ("workload $_.rw" => 'randread', "workload $_.runtime" => '1500ms') } 'a' .. 'c'));
for my $n (0, 1) {
	my $folder = $s->folder($v);
	$s->until_or_over($v, sub { -e "$folder/trials/0000$n/job.fio" });
	sleep 0.3;
	my ($g) = $s->guests;
	ok($g, 'there is a QEMU to be ' . ($n ? 'stopped' : 'killed')) or last;
	kill $n ? 'STOP' : 'KILL', $g->{pid};
}
$s->finish($v);
$s->exits($v, 4, 'QEMU killed and QEMU stopped: exit 4');
my @t = $s->trials;
is(scalar @t, 3, '... and the run went on');
is($t[0]{cause}, 'qemu', 'QEMU killed: cause qemu');
like($t[0]{detail}, qr/SIGKILL/, '... and the signal is named');
is($t[1]{cause}, 'timeout', 'QEMU stopped: cause timeout');
is($t[2]{ok}, 1, 'the trial after them was measured') or diag($t[2]{detail});
$s->clean('after QEMU died and hung');

# --- a QEMU that dies while a template is made: once it is a boot more, twice it is the block's end ---

# The real QEMU, but for the first boots (machines that have something to restore are none): as many as $deaths, each told by a file.
sub mortal {
	my ($deaths) = @_;
	my $dir = "$s->{dir}/mortal-$deaths";
	mkdir $dir;
	mkdir "$dir/dead";
	chmod 0777, "$dir/dead";
	return spurt("$dir/qemu", <<"SH", 0755);
#!/bin/sh
case "\$*" in
*-incoming* | *-version* | *-help* | *'-machine help'* | *'-device help'*) ;;
*-kernel*)
	if [ \$(ls "$dir/dead" | wc -l) -lt $deaths ]; then
		: >"$dir/dead/\$\$"
		kill -KILL \$\$
	fi ;;
esac
exec qemu-system-x86_64 "\$@"
SH
}
$v = $s->run($s->profile('guest.qemu' => mortal(1)));
$s->exits($v, 0, 'one template lost: exit 0');
like($v->{stderr}, qr/making a template failed, trying once more: .*SIGKILL/, '... the loss is said, with the reason');
is(($s->trials)[0]{ok}, 1, '... and the trial was measured');
$s->clean('after a template lost');
$v = $s->run($s->profile('guest.qemu' => mortal(9)));
$s->exits($v, 4, 'every template lost: exit 4');
like(($s->trials)[0]{detail}, qr/^template: .*SIGKILL/, '... the trial names it');
my @dead = glob "$s->{dir}/mortal-9/dead/*";
is(scalar @dead, 2, '... after two boots, no more');
$s->clean('after every template lost');
done_testing();
