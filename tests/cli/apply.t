#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# vbench apply and revert without a guest: what is refused, and that nothing is touched then.
use strict;
use warnings;
use Cwd qw(abs_path getcwd);
use File::Temp qw(tempdir);
use JSON::PP;
use POSIX ();
use Test::More;

my $vbench = abs_path($ENV{VBENCH} // getcwd() . '/vbench');
-x $vbench or BAIL_OUT('no vbench; run make');
my $dir = tempdir(CLEANUP => 1);
$ENV{XDG_DATA_HOME} = $dir;
$ENV{LC_ALL} = 'C.UTF-8';
my $records = "$dir/vbench/changes";

sub slurp {
	my ($file) = @_;
	open my $in, '<:raw', $file or return '';
	local $/;
	return scalar(<$in>) // '';
}

# (exit status, stdout, stderr); a signal is -1.
sub vbench {
	my (@args) = @_;
	my $stdin = ref $args[0] ? ${ shift @args } : '';
	open my $in, '>', "$dir/in" or die;
	print $in $stdin;
	close $in;
	my $pid = fork // die;
	if (!$pid) {
		open STDIN, '<', "$dir/in";
		open STDOUT, '>', "$dir/out";
		open STDERR, '>', "$dir/err";
		exec 'timeout', 60, $vbench, @args or POSIX::_exit(127);
	}
	waitpid $pid, 0;
	return ($? & 127 ? -1 : $? >> 8, slurp("$dir/out"), slurp("$dir/err"));
}

sub refused {
	my ($what, $sentence, @args) = @_;
	my ($status, $out, $err) = vbench(@args);
	is($status, 2, "$what: exit 2") or diag $out, $err;
	like($err, $sentence, '... and a sentence that helps');
}

# A plan as `vbench plan --json` writes it, for a guest of one vCPU.
my $plan = encode_json({ format => 'vbench-plan-1', guests => [ { name => 'g', vcpus => 1, iothreads => 0, vcpu => ['0'], iothread => [],
	emulator => '0', nodes => undef, mode => undef, memory => 67108864, page => 0, placed => JSON::PP::true } ] });

refused('no target', qr/TARGET/, 'apply');
refused('an unknown target', qr/pid:N, libvirt:NAME or host/, 'apply', 'web1', '--plan', '-');
refused('no plan', qr/vbench plan pid:$$ --json \| vbench apply pid:$$ --plan -/, 'apply', "pid:$$");
refused('a plan that is not there', qr/No such file/, 'apply', "pid:$$", '--plan', "$dir/none");
refused('a plan that is none', qr/standard input: "guests" must be an array.*vbench plan --json/, \'{"format": "vbench-plan-1", "guests": 7}', 'apply', "pid:$$", '--plan', '-');
refused('an empty plan', qr/standard input:1: not JSON .*vbench plan --json/, \'', 'apply', "pid:$$", '--plan', '-');
refused('a guest that the plan lacks', qr/no guest other/, \$plan, 'apply', "pid:$$", '--plan', '-', '--guest', 'other');
refused('a pid that is none', qr/pid:N/, \$plan, 'apply', "pid:$_", '--plan', '-') for '', 'x', '0', '-1', '12x';
refused('a process that is not there', qr/there is none such/, \$plan, 'apply', 'pid:2147483646', '--plan', '-');
refused('a process that is no QEMU', qr/no threads named "CPU 0\/KVM"/, \$plan, 'apply', "pid:$$", '--plan', '-');
refused('a socket that is not there', qr/No such file/, \$plan, 'apply', "pid:$$", '--plan', '-', '--qmp', "$dir/none");
refused('a URI that runs programs', qr/not a libvirt URI of this machine/, \$plan,
	'apply', "libvirt:qemu+ext:///system?command=$dir/x#g", '--plan', '-');

# --- settings of the machine: nothing here may be carried out ---

my $swappiness = slurp('/proc/sys/vm/swappiness');
refused('host settings without consent', qr/vbench apply host swappiness=1 --consent host$/m, 'apply', 'host', 'swappiness=1');
refused('consent to something else', qr/--consent host$/m, 'apply', 'host', 'swappiness=1', '--consent', 'thp');
is(slurp('/proc/sys/vm/swappiness'), $swappiness, 'nothing was changed');
refused('an unknown setting', qr/there are governor, thp, /, 'apply', 'host', 'speed=11', '--consent', 'host');
refused('a value that is none', qr/always,madvise,never/, 'apply', 'host', 'thp=sometimes', '--consent', 'host');
refused('a setting without a value', qr/KNOB=VALUE/, 'apply', 'host', 'thp', '--consent', 'host');
refused('a path as a device', qr/scheduler/, 'apply', 'host', 'scheduler:../../../tmp=none', '--consent', 'host');
refused('no setting', qr/KNOB=VALUE/, 'apply', 'host', '--consent', 'host');
{
	my ($status, $out, $err) = vbench('apply', 'host', 'swappiness=1', '--dry-run');
	is($status, 0, 'a dry run needs no consent') or diag $err;
	like($out, qr/^swappiness: (\d+ -> 1|1, as it is)$/m, '... and says what it would do');
	is(slurp('/proc/sys/vm/swappiness'), $swappiness, '... and does not');
}

# --- records ---

{
	my ($status, $out) = vbench('apply', '--list');
	is($status, 0, '--list of nothing');
	is($out, "nothing is applied\n", '... says so');
	($status, $out) = vbench('apply', '--list', '--json');
	is_deeply(decode_json($out), [], '... as JSON too');
	($status, $out) = vbench('revert');
	is($status, 0, 'revert of nothing');
	refused('--verify of nothing', qr/no record/, 'apply', '--verify');
	refused('an unknown record', qr/no record|no such record/, 'revert', '2024');
	is((stat $records)[2] & 07777, 0700, 'records are ours alone');
}

my $boot = slurp('/proc/sys/kernel/random/boot_id');
chomp $boot;

sub record {
	my ($id, $text) = @_;
	open my $f, '>', "$records/$id.json" or die;
	print $f ref $text ? encode_json({ format => 'vbench-changes-1', id => $id, boot => $boot, target => 'host', changes => [$text] }) : $text;
	close $f;
	chmod 0600, "$records/$id.json";
}

# Somebody wrote files of ours: nothing of them is carried out, and the sentence names the file.
{
	my $victim = "$dir/victim";
	open my $f, '>', $victim or die;
	print $f "old\n";
	close $f;
	my %knob = (what => 'knob', state => 'made', before => '1', after => '1');
	my @bad = (
		{ %knob, knob => $victim, instance => undef },
		{ %knob, knob => 'scheduler', instance => "../../..$victim", before => 'none', after => 'none' },
		{ %knob, knob => 'governor', instance => '..', before => 'performance', after => 'performance' },
		{ %knob, knob => 'swappiness', instance => undef, before => "1\n2" },
		{ %knob, knob => 'swappiness', instance => undef, before => '1; reboot' },
		{ what => 'domain', state => 'made', before => '0', after => '0', uri => "qemu+ext:///system?command=$victim", uuid => 'a' x 36,
			name => 'x', number => 1, role => 'emulator' },
		{ what => 'thread', state => 'made', before => '0', after => '0', pid => 1, start => 1, tid => 1, thread_start => 1, role => 'emulator' },
		'', '[]', '{', "\0" x 100, '{"format": "vbench-changes-1"}', '[' x 100000, '{"a":' x 5000,
	);
	for my $i (0 .. $#bad) {
		my $id = '20240229-120000-000';
		record($id, $bad[$i]);
		my ($status, $out, $err) = vbench('revert', $id, '--force');
		is($status, 2, "a record that somebody edited, $i: exit 2") or diag $out, $err;
		like($err, qr/\Q$records\E\/$id\.json: /, '... names the file');
		($status, $out) = vbench('apply', '--list');
		is($status, 0, '... and the list stands it');
		unlink "$records/$id.json";
	}
	is(slurp($victim), "old\n", 'nothing outside the table was written to');
	is(slurp('/proc/sys/vm/swappiness'), $swappiness, 'nor inside');
}

# After a reboot, settings are as the machine's own configuration says: the record goes, and nothing is written.
{
	my $id = '20240229-120000-000';
	record($id, encode_json({ format => 'vbench-changes-1', id => $id, boot => '01234567-89ab-cdef-0123-456789abcdef', target => 'host',
		changes => [ { what => 'knob', state => 'made', before => '99', after => 0 + $swappiness . '', knob => 'swappiness', instance => undef } ] }));
	my ($status, $out) = vbench('apply', '--list');
	like($out, qr/^$id\s+host\s+1 changes, before the last boot$/m, 'a record from before a reboot is shown as such');
	($status, $out) = vbench('apply', '--verify', $id);
	is($status, 1, '--verify: not in force any more: exit 1');
	($status, $out) = vbench('revert');
	is($status, 0, 'revert: exit 0');
	like($out, qr/started anew/, '... says why');
	is(slurp('/proc/sys/vm/swappiness'), $swappiness, '... and writes nothing');
	ok(!-e "$records/$id.json", '... the record is gone');
}

# One bad record does not keep the others from their turn.
{
	record('20240229-120000-001', '{');
	record('20240229-120000-000', encode_json({ format => 'vbench-changes-1', id => '20240229-120000-000',
		boot => '01234567-89ab-cdef-0123-456789abcdef', target => 'host', changes => [] }));
	my ($status) = vbench('revert');
	is($status, 2, 'revert of all, one of them bad: exit 2');
	ok(!-e "$records/20240229-120000-000.json", '... the good one is taken back');
	unlink "$records/20240229-120000-001.json";
}

for my $command ('apply', 'revert') {
	my ($status, $out) = vbench($command, '--help');
	is($status, 0, "$command --help");
	like($out, qr/^usage: vbench $command/, '... on standard output');
}

done_testing;
