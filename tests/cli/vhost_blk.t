#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# vbench-vhost-blk without a guest: its options, its socket, its report, and peers that misbehave. Messages are those of
# QEMU's docs/interop/vhost-user.rst: request, flags (version 1; 4: reply; 8: need reply), size, payload.
use v5.36;
use Test::More;
use Cwd qw(abs_path);
use Fcntl qw(F_SETFD S_ISSOCK);
use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use JSON::PP;
use POSIX qw(WNOHANG);
use Socket;
use Time::HiRes qw(time sleep);

my $program = abs_path($ENV{VBENCH_VHOST_BLK} // 'build/engines/vbench-vhost-blk');
plan skip_all => 'vbench-vhost-blk is not built; run make engines' unless $program && -x $program;

my $dir = tempdir(CLEANUP => 1);
my $patience = 120;
my %living;
END { my $status = $?; kill 'KILL', keys %living; $? = $status }

sub slurp ($path) {
	open my $f, '<:raw', $path or return '';
	local $/;
	return <$f> // '';
}

sub wait_until ($what) {
	my $end = time + $patience;
	while (time < $end) {
		my $got = $what->();
		return $got if $got;
		sleep 0.01;
	}
	return;
}

my $n = 0;

sub start (@args) {
	my $d = { err => "$dir/err-" . ++$n, out => "$dir/out-$n" };
	$d->{pid} = fork // die "fork: $!";
	if (!$d->{pid}) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', $d->{out};
		open STDERR, '>', $d->{err};
		exec $program, @args or POSIX::_exit(127);
	}
	$living{ $d->{pid} } = 1;
	return $d;
}

# Waits for its end: adds status ("signal N" if one ended it), said.
sub finish ($d) {
	wait_until(sub { waitpid($d->{pid}, WNOHANG) == $d->{pid} }) or do {
		fail 'it ends';
		kill 'KILL', $d->{pid};
		waitpid $d->{pid}, 0;
	};
	delete $living{ $d->{pid} };
	$d->{status} = $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
	$d->{said} = slurp($d->{err});
	return $d;
}

sub stop ($d) { kill 'TERM', $d->{pid}; return finish($d) }

sub dial ($path) {
	return wait_until(sub { IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) });
}

sub report ($path) { return eval { decode_json(slurp($path)) } // {} }
sub tell_it ($s, $request, $payload = '', $flags = 1) { syswrite $s, pack('LLL', $request, $flags, length $payload) . $payload }

sub get ($s, $size) {
	my $got = '';
	while (length $got < $size) {
		sysread $s, $got, $size - length $got, length $got or return $got;
	}
	return $got;
}

# [request, flags, payload], or nothing at the end.
sub hear ($s) {
	my $h = get($s, 12);
	return if length $h < 12;
	my ($request, $flags, $size) = unpack 'LLL', $h;
	return [$request, $flags, get($s, $size)];
}

sub ask ($s, $request, $payload = '', $flags = 1) { tell_it($s, $request, $payload, $flags); return hear($s) // [0, 0, ''] }
sub ends ($s) { return !hear($s) }
sub ones ($text) { return join ' ', grep { substr($text, $_, 1) eq '1' } 0 .. length($text) - 1 }
sub bits ($value) { return join ' ', grep { $value >> $_ & 1 } 0 .. 63 }

subtest 'options' => sub {
	my $d = finish(start('--help'));
	is $d->{status}, 0, '--help';
	my $help = slurp($d->{out});
	like $help, qr/--$_\b/, "tells of --$_" for qw(socket fd listen-fd serves latency queues wait cpu no-packed report);
	like slurp(finish(start('--version'))->{out}), qr/^vbench-vhost-blk \S+$/, '--version';
	my @bad = (
		[[], qr/--socket/],
		[[qw(--socket a --fd 0)], qr/--fd/],
		[[qw(--fd 0)], qr/no UNIX stream socket/],
		[[qw(--fd 77)], qr/no UNIX stream socket/],
		[[qw(--listen-fd x)], qr/"x" is no number/],
		[[qw(--socket s --serves tape)], qr/"tape" is none of null, memory, file/],
		[[qw(--socket s --serves file)], qr/needs --file/],
		[[qw(--socket s --serves null --file f)], qr/--serves file/],
		[[qw(--socket s --file /nonexistent/disk)], qr{/nonexistent/disk}],
		[[qw(--socket s --serves memory --latency 5us)], qr/--serves null/],
		[[qw(--socket s --latency 2s)], qr/"2s"/],
		[[qw(--socket s --size 1000)], qr/multiple of 512/],
		[[qw(--socket s --size 0)], qr/no size/],
		[[qw(--socket s --block-size 700)], qr/512/],
		[[qw(--socket s --queues 0)], qr/1 to 256/],
		[[qw(--socket s --queues 257)], qr/1 to 256/],
		[[qw(--socket s --queues 2x)], qr/"2x"/],
		[[qw(--socket s --max-queue-size 32769)], qr/1 to 32768/],
		[[qw(--socket s --wait long)], qr/poll, eventfd, adaptive/],
		[[qw(--socket s --poll-ns -1)], qr/"-1"/],
		[[qw(--socket s --cpu 3-1)], qr/no list of CPUs/],
		[['--socket', 's', '--cpu', '0,'], qr/no list of CPUs/],
		[[qw(--socket s --cpu 1023)], qr/CPU 1023/],
		[[qw(--socket s --direct maybe)], qr/off, on/],
		[[qw(--socket s --report /dev/null)], qr/no regular file/],
		[[qw(--socket s --report /nonexistent/r)], qr{/nonexistent/r}],
		[[qw(--socket s --id 123456789012345678901)], qr/20 bytes/],
		[['--socket', ''], qr/1 to 107/],
		[['--socket', 'x' x 108], qr/1 to 107/],
		[[qw(--socket /nonexistent/s)], qr{/nonexistent/s}],
		[[qw(--sockets s)], qr/--help/],
		[[qw(--socket s more)], qr/"more"/],
	);
	for (@bad) {
		my ($args, $words) = @$_;
		my $bad = finish(start(@$args));
		is $bad->{status}, 2, "@$args: exits with 2";
		like $bad->{said}, $words, ' and says why';
		unlike $bad->{said}, qr/^(?!vbench-vhost-blk: |$program: )./m, ' with its name in front';
	}
	ok !-e 's', 'no socket was made';
};

subtest 'a session' => sub {
	my ($path, $file) = ("$dir/a.sock", "$dir/a.json");
	my $d = start('--socket', $path, '--report', $file, qw(--queues 3 --size 1M --block-size 4k));
	my $s = dial($path);
	# virtio 1.2: SEG_MAX 2, BLK_SIZE 6, FLUSH 9, MQ 12, INDIRECT 28, EVENT_IDX 29, VERSION_1 32, PACKED 34; vhost-user 30
	my $features = unpack 'Q', ask($s, 1)->[2];
	my %has = map { $_ => 1 } split / /, bits($features);
	ok $has{$_}, "bit $_ is offered" for 2, 6, 9, 12, 28, 29, 30, 32, 34;
	ok !$has{$_}, "bit $_ is not" for 5, 11, 26, 33;
	is bits(unpack 'Q', ask($s, 15)->[2]), '0 3 9 15', 'protocol features MQ, REPLY_ACK, CONFIG, CONFIGURE_MEM_SLOTS';
	is unpack('Q', ask($s, 17)->[2]), 3, 'queues';
	tell_it($s, 16, pack 'Q', 0x209);
	tell_it($s, 3);
	is_deeply ask($s, 2, pack('Q', 1 << 32 | 1 << 30), 9), [2, 5, pack 'Q', 0], 'SET_FEATURES is acknowledged';

	# config: capacity (64), size_max, seg_max (32), geometry (32), blk_size (32), topology (64), wce, unused (8), queues (16)
	my $config = ask($s, 24, pack('LLL', 0, 60, 0) . "\0" x 60);
	is length $config->[2], 72, 'GET_CONFIG has the size that was asked for';
	my ($capacity, $seg_max, $block, $queues) = unpack 'x12 Q x4 L x4 L x10 S', $config->[2];
	is $capacity, 2048, 'capacity in sectors of 512 bytes';
	is $block, 4096, 'block size';
	is $queues, 3, 'queues in config space';
	cmp_ok $seg_max, '>=', 1, 'seg_max';
	is_deeply ask($s, 25, pack('LLLC', 32, 1, 0, 0), 9)->[2], pack('Q', 1), 'SET_CONFIG is refused';
	isnt unpack('Q', ask($s, 39, pack('Q', 1), 9)->[2]), 0, 'so is what is not offered';

	my $r = wait_until(sub { my $r = report($file); $r->{features} && $r });
	is $r->{device}, 'vbench-vhost-blk', 'report: device';
	is ones($r->{features_offered}), bits($features), 'report: features offered';
	is ones($r->{features}), '30 32', 'report: features, as SET_FEATURES had them';
	is $r->{protocol_features}, 0x209, 'report: protocol features';
	is_deeply [@$r{qw(clients broken queues)}], [1, undef, []], 'report: clients, nothing broken, no queue ran';
	ok $r->{connected}, 'report: connected';
	is_deeply [@$r{qw(serves latency_ns poll_ns)}], ['null', 0, 32768], 'report: what it serves, and how';

	close $s;
	$r = wait_until(sub { my $r = report($file); exists $r->{connected} && !$r->{connected} && $r });
	is ones($r->{features} // ''), '30 32', 'the report stays when the client has gone';
	$s = dial($path);
	is unpack('Q', ask($s, 17)->[2]), 3, 'a second client is served';
	ok -S $path, 'the socket is there';
	stop($d);
	is $d->{status}, 0, 'SIGTERM ends it, with 0, in the middle of a session';
	is $d->{said}, '', 'in silence';
	ok !-e $path, 'the socket is gone';
	is report($file)->{clients}, 2, 'report: two clients';
	is_deeply [glob "$dir/a.json?*"], [], 'no other file is left';
};

subtest 'what it was asked for is in the report' => sub {
	my @asked = (
		[[qw(--latency 3ms --poll-ns 7)], ['null', 3000000, 7]],
		[[qw(--serves memory)], ['memory', 0, 32768]],
		[['--file', "$dir/disk"], ['file', 0, 32768]],
	);
	open my $f, '>', "$dir/disk" or die;
	truncate $f, 1 << 20;
	for (@asked) {
		my ($args, $want) = @$_;
		my $d = start('--socket', "$dir/r.sock", '--report', "$dir/r.json", qw(--direct off), @$args);
		dial("$dir/r.sock");
		is_deeply [@{ report("$dir/r.json") }{qw(serves latency_ns poll_ns)}], $want, "@$args";
		stop($d);
		unlink "$dir/r.json";
	}
};

subtest 'what is not offered' => sub {
	my $path = "$dir/b.sock";
	my $d = start('--socket', $path, qw(--no-packed --no-event-idx --no-indirect --read-only --once));
	my $s = dial($path);
	my %has = map { $_ => 1 } split / /, bits(unpack 'Q', ask($s, 1)->[2]);
	ok !$has{$_}, "no bit $_" for 28, 29, 34;
	ok $has{5}, 'read-only is';
	tell_it($s, 2, pack 'Q', 1 << 34);
	ok ends($s), 'who takes packed all the same is sent away';
	finish($d);
	is $d->{status}, 4, 'with --once, it exits with 4';
	like $d->{said}, qr/SET_FEATURES: .*0x400000000 were not offered/, 'and says why';
};

subtest 'peers that misbehave' => sub {
	my ($path, $file) = ("$dir/c.sock", "$dir/c.json");
	my $d = start('--socket', $path, '--report', $file, '--size', '1M');
	my @bad = (
		['another version', pack('LLL', 1, 2, 0), qr/version 2/],
		['a payload that is too long', pack('LLL', 5, 1, 0xffffffff), qr/4294967295 bytes/],
		['noise', "GET / HTTP/1.0\r\n\r\n", qr/version 3/], # the lowest two bits of "/"
		['a queue that is not there', pack('LLLLL', 8, 1, 8, 1, 4), qr/SET_VRING_NUM: queue 1; the device has 1/],
		['a kick without descriptor', pack('LLLQ', 12, 1, 8, 0), qr/SET_VRING_KICK: 0 descriptors/],
		['a start without anything', pack('LLLQ', 12, 1, 8, 256), qr/without SET_FEATURES/],
		['regions without descriptors', pack('LLLLLQ4', 5, 1, 40, 1, 0, 0, 4096, 0, 0), qr/SET_MEM_TABLE: 0 descriptors for 1 regions/],
		['a request of tomorrow', pack('LLL', 99, 1, 0), qr/request 99/],
		['half a message', pack('LLLL', 2, 1, 8, 0), qr/SET_FEATURES/, 'waits'],
	);
	for (@bad) {
		my ($what, $bytes, $words) = @$_;
		my $s = dial($path);
		syswrite $s, $bytes;
		ok ends($s), "$what: the connection ends";
		close $s;
		ok wait_until(sub { my $r = report($file); !$r->{connected} && ($r->{broken} // '') =~ $words }), ' and the report says why'
		    or diag slurp($file);
	}
	my $s = dial($path);
	is unpack('Q', ask($s, 17)->[2]), 1, 'the next client is served as if nothing had been';
	ok wait_until(sub { my $r = report($file); $r->{connected} && !defined $r->{broken} }), 'and nothing is broken';
	close $s;
	stop($d);
	is $d->{status}, 0, 'it ends well';
	is scalar(() = $d->{said} =~ /^vbench-vhost-blk: /mg), scalar @bad, 'one sentence was said for each';
};

subtest 'the path of the socket' => sub {
	my $path = "$dir/d.sock";
	my $d = start('--socket', $path);
	dial($path);
	my $second = finish(start('--socket', $path));
	is $second->{status}, 2, 'where somebody listens, no other does';
	like $second->{said}, qr/somebody listens/, 'and it says why';
	kill 'KILL', $d->{pid};
	finish($d);
	ok -S $path, 'SIGKILL leaves a socket behind';
	$d = start('--socket', $path);
	ok wait_until(sub { my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path); $s && ask($s, 17)->[1] == 5 }), 'which the next replaces';
	unlink $path;
	open my $f, '>', $path or die;
	close $f;
	stop($d);
	ok -f $path, 'a file that took its place is not removed';
	$d = finish(start('--socket', $path));
	is $d->{status}, 2, 'a file is not replaced';
	like $d->{said}, qr/no socket/, 'and it says why';
	ok -f $path, 'it is still there';
};

subtest 'inherited sockets' => sub {
	my $file = "$dir/e.json";
	socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die;
	fcntl $theirs, F_SETFD, 0;
	my $d = start('--fd', fileno $theirs, '--report', $file);
	close $theirs;
	is unpack('Q', ask($ours, 17)->[2]), 1, '--fd is served';
	close $ours;
	is finish($d)->{status}, 0, 'and it ends with 0 when its peer goes';
	is report($file)->{clients}, 1, 'having reported';

	socketpair $ours, $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die;
	fcntl $theirs, F_SETFD, 0;
	$d = start('--fd', fileno $theirs);
	syswrite $ours, pack 'LLL', 99, 1, 0;
	is finish($d)->{status}, 4, '4 when its peer breaks the protocol';

	my $path = "$dir/f.sock";
	my $l = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $path, Listen => 1) or die;
	fcntl $l, F_SETFD, 0;
	$d = finish(start('--fd', fileno $l));
	is $d->{status}, 2, '--fd takes no listening socket';
	like $d->{said}, qr/use --listen-fd/, 'and says what does';
	$d = start('--listen-fd', fileno $l, '--once');
	my $s = dial($path);
	is unpack('Q', ask($s, 17)->[2]), 1, '--listen-fd is served';
	close $s;
	is finish($d)->{status}, 0, '--once: it ends with its first client';
	ok -S $path, 'the socket stays, it is not its own';
};

done_testing;
