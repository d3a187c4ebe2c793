#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# This test will measure disks behind NBD servers (qemu-nbd, nbdkit), verify what is written through them, and let one die.
#
# Expected: fio's verify (written and read back in the guest) finds no error; the server's CPU time is counted; a server that
# dies costs its trial, with the cause "server", and the run goes on; no socket, server or image is left.
use strict;
use warnings;
use lib 'tests/lib';
use Test::More;
use VBTest;

VBTest::needs(programs => [qw(qemu-nbd nbdkit)]);
my $s = sandbox();
my %verify = ('workload w.rw' => 'randwrite', 'workload w.bs' => '4k', 'workload w.iodepth' => 8, 'workload w.verify' => 'crc32c',
	'workload w.runtime' => '600ms');

sub measured {
	my ($what, $trials, %p) = @_;
	my $v = $s->run($s->profile(%verify, 'disk.backend' => 'nbd', %p));
	$s->exits($v, 0, "$what: measured");
	my @t = $s->trials;
	is(scalar(grep { $_->{ok} } @t), $trials, "$what: every trial") or diag(map { "$_->{label}: $_->{detail}\n" } grep { !$_->{ok} } @t);
	my %got = map { $_->{key} => $_ } $s->checks;
	is($got{'disk.backend'}{got}, 'nbd', "$what: asked = got: backend");
	is($got{'disk.nbd'}{state}, 0, "$what: asked = got: server");
	my ($cpu) = $s->rows("SELECT count(*) AS n FROM sample WHERE metric = 'cpu_per_io.server' AND value > 0");
	cmp_ok($cpu->{n}, '>', 0, "$what: the server's CPU time is counted");
	$s->clean("after $what");
}

measured('qemu-nbd', 2, 'disk.nbd' => 'qemu-nbd', 'disk.format' => 'raw, qcow2');
measured('nbdkit with the image', 1, 'disk.nbd' => 'nbdkit', 'disk.cache' => 'writeback');
measured('nbdkit with a plugin', 1, 'disk.nbd' => 'nbdkit', 'disk.nbdkit' => 'memory 16M');

# A plugin that is not there is said once, before anything is measured.
my $v = $s->run('-q', $s->profile('disk.backend' => 'nbd', 'disk.nbd' => 'nbdkit', 'disk.nbdkit' => 'no-such-plugin x=1'));
$s->exits($v, 2, 'an unknown plugin: exit 2');
like($v->{stderr}, qr/nbdkit cannot load its plugin no-such-plugin/, '... named');

# One that dies under its guest.
my $p = $s->profile('disk.backend' => 'nbd', map { ("workload $_.rw" => 'randread', "workload $_.runtime" => '3s') } 'a', 'b');
my $run = $s->start_run($p);
my $folder = $s->folder($run);
my $killed = wait_until(sub {
	return 1 if $s->over($run);
	return if !-e "$folder/trials/00000/job.fio";
	my ($nbd) = grep { $_->{cmd} =~ m{^\S*qemu-nbd --persistent} } $s->processes;
	return $nbd && kill 'KILL', $nbd->{pid};
});
ok($killed && !$s->over($run), 'the first trial\'s server is killed');
$s->finish($run);
my @t = $s->trials;
is($t[0]{cause}, 'server', 'that trial failed, by its server') or diag($t[0]{detail});
like($t[0]{detail} // '', qr/qemu-nbd.*SIGKILL/, '... and says how it ended');
is($t[1]{ok}, 1, 'the next one was measured');
$s->clean('after a server\'s death');
done_testing();
