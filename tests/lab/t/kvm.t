#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# vbench under KVM, and what it does when KVM is there but does not work: in the lab host.
use v5.36;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use lib 'tests/lib';
use JSON;
use Lab;
use Test::More;

my $run = getcwd() . '/tests/lab/run';
-x $run or BAIL_OUT('run from the top of the checkout');
-e(($ENV{VBENCH_LAB_DIR} // getcwd() . '/build/lab') . '/stamp') or plan skip_all => 'no lab host: make lab';
-x 'vbench' && -e 'build/guest/KERNEL' && -e 'build/guest/fio' && -e 'build/guest/vbench-agent'
	or plan skip_all => 'no vbench or guest assets: make';
my $dir = tempdir(CLEANUP => 1);

sub slurp ($file) {
	local $/;
	open my $in, '<:raw', $file or return '';
	return scalar readline $in;
}

# Runs a shell script in the lab; returns (exit status, stdout, stderr). Limits are far over what is needed. Nested guests in
# the emulated machine hang now and then (tests/lab/README.md): then, and only then, all is done once more, and that is said.
sub lab ($script, @options) {
	my @result = lab_once($script, @options);
	return @result if !nested_hung(@result[ 0, 2 ]);
	diag 'a nested guest hung; once more: ', $result[2];
	return lab_once($script, @options);
}

sub lab_once ($script, @options) {
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDOUT, '>', "$dir/stdout";
		open STDERR, '>', "$dir/stderr";
		exec $run, '--timeout', 600, @options, 'sh', '-c', $script or die;
	}
	waitpid $pid, 0;
	return ($? >> 8, slurp("$dir/stdout"), slurp("$dir/stderr"));
}

# The model that `vbench report --json` printed.
sub model ($file) {
	my $model = eval { decode_json(slurp($file)) };
	ok($model, 'the model is JSON') or diag "$@\n", slurp("$dir/stderr");
	return $model // {};
}

sub check_of ($model, $key) {
	my ($check) = grep { $_->{key} eq $key } @{ $model->{checks} // [] };
	return $check // {};
}

# tests/lab/kvm.ini: 2 rings x 1 workload x 2 blocks.
use constant TRIALS => 4;

subtest 'a run under KVM says kvm in asked and got' => sub {
	my ($status, $out, $err) = lab(<<'END', '--user', 'lab', '--get', "/tmp/kvm.json:$dir/kvm.json");
vbench run tests/lab/kvm.ini --db /tmp/kvm.db || exit
vbench report last --db /tmp/kvm.db --json >/tmp/kvm.json || exit
pgrep -l qemu-system >&2
cut -d' ' -f1 /proc/uptime >&2
END
	is($status, 0, 'exit status') or diag $out, $err;
	my $model = model("$dir/kvm.json");
	is($model->{run}{status}, 'complete', 'complete');
	is($model->{run}{trials_ok}, TRIALS, 'all trials good');
	is($model->{run}{accel}, 'kvm', 'the run is one of KVM');
	my $accel = check_of($model, 'guest.accel');
	is($accel->{asked}, 'kvm', 'asked');
	is($accel->{got}, 'kvm', 'got');
	# Read before and after each workload, or once: never fewer than the trials, and none that differs.
	cmp_ok($accel->{match} // 0, '>=', TRIALS, 'in each trial');
	is($accel->{differ}, 0, 'differs nowhere');
	is($accel->{unknown}, 0, 'unknown nowhere');
	# kvm-clock exists only under KVM: the guest's own word.
	like(slurp("$dir/kvm.json"), qr/kvm-clock/, "the guest's clock is KVM's");
	unlike($err, qr/qemu-system/, 'no QEMU stays behind');
	unlike("$out$err", qr/falling back|\btcg\b/i, 'nothing of emulation');
	note "uptime of the lab host at the end: ", $err =~ /([\d.]+)\n\z/;
};

subtest 'a device that does not work: auto falls back aloud, kvm refuses' => sub {
	my ($status, $out, $err) = lab(<<'END', '--user', 'lab', '--bad-kvm', '--get', "/tmp/auto.json:$dir/auto.json");
vbench run tests/lab/kvm.ini --db /tmp/kvm.db
echo "kvm: $?"
echo ==== >&2
vbench run tests/lab/kvm.ini --set guest.accel=auto --set disk.ring=split --set run.blocks=1 --set workload.runtime=15s --db /tmp/kvm.db >/tmp/auto.out
echo "auto: $?"
vbench report last --db /tmp/kvm.db --json >/tmp/auto.json
cut -d' ' -f1 /proc/uptime >&2
END
	my ($kvm, $auto) = split /^====\n/m, $err;
	like($out, qr/^kvm: 4$/m, 'accel = kvm: cannot measure');
	like($kvm, qr/kvm/i, 'said') or diag $err;
	# The device answers ENOTTY to KVM_GET_API_VERSION, which QEMU reports in words of its own.
	like($kvm, qr/kvm version too old|Inappropriate ioctl|could not access|failed to initialize kvm/i, 'with the reason');
	like($out, qr/^auto: 0$/m, 'accel = auto: measures') or diag $auto;
	like($auto, qr/tcg/i, 'says that it emulates');
	like($auto, qr/kvm version too old|Inappropriate ioctl|could not access|failed to initialize kvm/i, 'and why');
	my $model = model("$dir/auto.json");
	is($model->{run}{trials_ok}, 1, 'the trial is good');
	my $accel = check_of($model, 'guest.accel');
	is($accel->{asked}, 'tcg', 'asked');
	is($accel->{got}, 'tcg', 'got');
	note "uptime of the lab host at the end: ", $err =~ /([\d.]+)\n\z/;
};

# Refusals by reason need no guest.
for my $case (['no device', qr{/dev/kvm}, '--user', 'lab', '--no-kvm'],
	['no right to the device', qr{permi|right|group}i, '--user', 'nobody'])
{
	my ($name, $reason, @options) = @$case;
	subtest $name => sub {
		my ($status, $out, $err) = lab('HOME=/tmp vbench run tests/lab/kvm.ini --db /tmp/kvm.db', @options);
		is($status, 4, 'accel = kvm: cannot measure');
		like($err, $reason, 'with the reason') or diag $err;
		is($out, '', 'no result');
	};
}

done_testing();
