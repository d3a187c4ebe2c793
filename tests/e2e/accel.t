#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will ask for KVM and give TCG behind vbench's back, and see that no figure comes of it. (A KVM that works is the
# lab host's: tests/lab.)
#
# guest.qemu is a script that runs QEMU as told, or, once it is to lie, with TCG in KVM's place. That KVM works here is
# remembered from "an earlier try": the memory of the try that fails on a machine without KVM is turned round.
use strict;
use warnings;
use lib 'tests/lib';
use JSON::PP;
use Test::More;
use VBTest;

plan skip_all => 'needs root: a device node that QEMU\'s user may open, in a mount namespace of its own' if $>;
plan skip_all => 'no /dev/kvm' unless -c '/dev/kvm';
plan skip_all => 'no unshare' unless VBTest::in_path('unshare');
my $s = sandbox();
my $dir = $s->{dir};
my $real = VBTest::program();

# /dev/kvm as it is on most hosts: open to QEMU's user.
system('mknod', '-m', '666', "$dir/kvm", 'c', 10, 232) == 0 or plan skip_all => 'no mknod';
VBTest::spurt("$dir/vbench", <<"END");
#!/bin/sh
exec unshare -m --propagation private sh -c 'mount --bind "$dir/kvm" /dev/kvm && exec "$real" "\$\@"' vbench "\$\@"
END
VBTest::spurt("$dir/qemu", <<"END");
#!/bin/bash
if [ -e "$dir/lie" ]; then
	args=()
	for a; do
		case \$a in kvm) a=tcg ;; host) a=max ;; esac
		args+=("\$a")
	done
	set -- "\${args[\@]}"
fi
exec qemu-system-x86_64 "\$\@"
END
chmod 0755, "$dir/vbench", "$dir/qemu";
$ENV{VBENCH} = "$dir/vbench";

my $profile = $s->profile('guest.accel' => 'auto', 'guest.qemu' => "$dir/qemu");

# The honest try: KVM, or TCG with a reason that is said aloud.
my $v = $s->run($profile);
$s->exits($v, 0, 'accel = auto: exit 0');
my ($got) = grep { $_->{key} eq 'guest.accel' } $s->checks;
is($got->{state}, 0, 'asked and got agree');
my $file = $s->data . '/accel.json';
my $memory = decode_json(VBTest::slurp($file));
my ($key) = keys %{ $memory->{outcomes} };
ok($key, 'the outcome is remembered') or BAIL_OUT('nothing to turn round');
my $kvm = $memory->{outcomes}{$key}{kvm};
if ($kvm) {
	is($got->{got}, 'kvm', 'KVM works here, and was used');
} else {
	is($got->{got}, 'tcg', 'KVM does not work here: TCG was used');
	like($v->{stderr}, qr/WARNING: KVM does not work here, falling back to TCG: \S+/, 'and the reason is said');
	$v = $s->run($profile);
	like($v->{stderr}, qr/remembered since this host booted/, 'a second run remembers it');
	$v = $s->run('--set', 'guest.accel=kvm', $profile);
	$s->exits($v, 4, 'accel = kvm: exit 4');
	like($v->{stderr}, qr/guest\.accel = kvm, but KVM does not work here: \S+/, 'with the reason');
}

# The lie.
$memory->{outcomes}{$key}{kvm} = JSON::PP::true;
VBTest::spurt($file, encode_json($memory));
VBTest::spurt("$dir/lie", '');
$v = $s->run($profile);
$s->exits($v, 4, 'asked KVM, got TCG: exit 4');
my ($trial) = $s->trials($s->newest->{uuid});
is($trial->{ok}, 0, 'the trial failed');
is($trial->{cause}, 'mismatch', 'its cause is a mismatch') or diag($trial->{detail});
like($trial->{detail}, qr/^guest\.accel: asked kvm, got tcg\b.*host/, 'it names both sides');
my ($n) = $s->rows('SELECT count(*) AS n FROM sample s JOIN run r ON r.id = s.run WHERE r.uuid = ?', $s->newest->{uuid});
is($n->{n}, 0, 'it has no figure');
$s->clean('in the end');

done_testing;
