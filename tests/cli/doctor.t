#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# `vbench doctor`: lines, exit status, and that it finds what a test took away. It must leave nothing behind.
use v5.36;
use Test::More;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use JSON::PP;
use Time::HiRes qw(time);

my $work = tempdir(CLEANUP => 1);
chmod 0755, $work;

# [exit status, stdout, stderr]
sub run_shell($command) {
	system "$command >$work/out 2>$work/err </dev/null";
	my $status = $? >> 8;
	local $/;
	my @text = map { open my $f, '<', "$work/$_" or die; scalar <$f> // '' } qw(out err);
	return ($status, @text);
}

mkdir "$work/images";
my ($status, $out, $err) = run_shell("./vbench doctor --dir $work/images");
my @lines = split /\n/, $out;
my $last = pop @lines;
ok $status == 0 || $status == 4, 'it exits with 0 or 4';
is scalar(grep { !/^(?:PASS|WARN|FAIL)  [^:]+: \S/ } @lines), 0, 'one line a check: state, what, detail';
is scalar(grep { /^(?:WARN|FAIL)/ && !/ -> \S/ } @lines), 0, 'what is not well has a remedy';
my $failed = grep { /^FAIL/ } @lines;
my $warned = grep { /^WARN/ } @lines;
like $last, qr/^${\scalar @lines} checks: $failed failed, $warned warnings?;/, 'the last line sums up';
is $status, $failed ? 4 : 0, 'the exit status says whether something needed is missing';
unlike $out, qr/\033/, 'no colours on a pipe';
opendir my $d, "$work/images";
is_deeply [grep { !/^\.\.?$/ } readdir $d], [], 'nothing is left in the image folder';

for my $what ('rights', 'host lock', 'QEMU', 'qemu-img', 'gnuplot', 'io_uring', 'O_DIRECT', 'FIEMAP', 'free space', 'KSM',
	'swap', 'frequency governor', 'other guests', 'userfaultfd', 'qemu-storage-daemon', 'qemu-nbd', 'nbdkit') {
	ok scalar(grep { /^\w+  \Q$what\E: / } @lines), "$what is looked at";
}

($status, $out) = run_shell("./vbench doctor --json --dir $work/images");
my $j = eval { decode_json($out) };
ok $j, '--json prints JSON' or diag $out;
is $j->{pass} + $j->{warn} + $j->{fail}, scalar @{$j->{checks}}, 'and counts its checks';
is $status, $j->{fail} ? 4 : 0, 'and exits accordingly';

# What is taken away is found.
sub state_of($what) { return (map { /^(\w+)  \Q$what\E: / ? $1 : () } split /\n/, $out)[0] // 'no line' }

($status, $out) = run_shell("./vbench doctor --dir $work/images --qemu /nonexistent/qemu");
is state_of('QEMU'), 'FAIL', 'a QEMU that is not there';
is $status, 4, 'which is needed';
($status, $out) = run_shell("./vbench doctor --dir $work/images --qemu /bin/false");
is state_of('QEMU'), 'FAIL', 'a QEMU that does not answer';
like $out, qr/^FAIL  QEMU: .*exit status 1/m, 'with how it ended';

open my $old, '>', "$work/old-qemu";
print $old qq(#!/bin/sh\nread x\n)
    . qq(echo '{"return":{"qemu":{"major":5,"minor":2,"micro":0},"package":""},"id":"version"}'\n)
    . qq(printf '{"return":[{"name":"\\\\u001b[2J","values":["threads","native"]}],"id":"schema"}{broken'\n);
close $old;
chmod 0755, "$work/old-qemu";
($status, $out) = run_shell("./vbench doctor --dir $work/images --qemu $work/old-qemu");
is state_of('QEMU'), 'FAIL', 'a QEMU that is too old';
is state_of('QEMU io_uring'), 'WARN', 'and built without io_uring';
is state_of('QEMU devices'), 'WARN', 'and without the devices';

open my $hung, '>', "$work/hung-qemu";
print $hung "#!/bin/sh\nexec sleep 600\n";
close $hung;
chmod 0755, "$work/hung-qemu";
my $begun = time;
($status, $out) = run_shell("./vbench doctor --dir $work/images --qemu $work/hung-qemu");
is state_of('QEMU'), 'FAIL', 'a QEMU that hangs';
cmp_ok time - $begun, '<', 300, 'does not hang the doctor';

($status, $out) = run_shell("./vbench doctor --dir /proc/self");
is state_of('image folder writable'), 'FAIL', 'an image folder where no file can be made';
($status, $out) = run_shell("PATH=/nonexistent ./vbench doctor --dir $work/images/not/there/yet");
isnt state_of('O_DIRECT'), 'no line', 'a folder still to be made is judged by the one above it';
ok !-e "$work/images/not", 'and not made';

my $held = fork // die "fork: $!";
if (!$held) {
	# flock(2) by another program: 2 is LOCK_EX
	my $f;
	if (!open $f, '+<', '/tmp/vbench.lock') {
		open $f, '+>', '/tmp/vbench.lock' or exit 1;
		chmod 0666, '/tmp/vbench.lock';
	}
	flock $f, 2 or exit 1;
	open my $ready, '>', "$work/ready";
	close $ready;
	sleep 60;
	exit 0;
}
for (1 .. 600) {
	last if -e "$work/ready";
	select undef, undef, undef, 0.1;
}
($status, $out) = run_shell("./vbench doctor --dir $work/images");
is state_of('host lock'), 'WARN', 'a run that has the lock is named';
kill 'KILL', $held;
waitpid $held, 0;

for my $bad ('--nonsense', 'extra', "--dir ''", '--dir') {
	($status, $out, $err) = run_shell("./vbench doctor $bad");
	is $status, 2, "doctor $bad is bad input";
	is $out, '', 'and nothing is looked at';
}

SKIP: {
	skip 'not root', 2 if $>;
	skip 'nobody cannot reach the program', 2 if system 'runuser -u nobody -- test -x ./vbench';
	chmod 0777, "$work/images";
	($status, $out, $err) = run_shell("runuser -u nobody -- ./vbench doctor --dir $work/images");
	like $out, qr/^PASS  rights: nobody, unprivileged/m, 'an unprivileged user is told so';
	isnt state_of('QEMU'), 'FAIL', 'and can start QEMU';
}
done_testing;
