# SPDX-License-Identifier: GPL-2.0-or-later
# Boots the small guest by hand and speaks with its agent, through a wire written anew here from wire.h.
package AgentTest;
use v5.36;
use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use JSON::PP;
use POSIX ();
use Socket;
use Time::HiRes qw(time sleep);

our ($HELLO, $FACTS, $DISK, $JOB, $CANCEL, $SYNC, $POWEROFF, $DISKS, $FS_SCAN, $FS_SUM, $FS_FREE) = 1 .. 11;
our ($READY, $REPLY, $RESULT, $PROGRESS, $ERROR) = 64 .. 68;
my $PATIENCE = 120;    # a busy host under emulation is slow, not wrong
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my @started;

sub connect_to ($path) {
	for (1 .. 1000) {
		my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path);
		return $s if $s;
		sleep 0.02;
	}
	die "$path: $!";
}

# guest: folder with vmlinuz; initramfs: its path; dir: for sockets and logs.
sub boot ($class, %o) {
	my $g = bless { %o, seq => 0, in => '', qmpbuf => '' }, $class;
	my @argv = ($o{qemu}, qw(-nodefaults -no-user-config -no-reboot -display none -machine q35 -accel tcg),
		qw(-cpu max -smp 2 -m 512M), '-kernel', "$o{guest}/vmlinuz", '-initrd', $o{initramfs},
		'-append', 'console=ttyS0 quiet panic=-1 8250.nr_uarts=1 i8042.noaux no_timer_check tsc=reliable',
		'-serial', "file:$o{dir}/console",
		'-chardev', "socket,id=qmp,path=$o{dir}/qmp,server=on,wait=off", '-mon', 'chardev=qmp,mode=control',
		'-chardev', "socket,id=agent,path=$o{dir}/agent,server=on,wait=off",
		'-device', 'virtio-serial-pci,id=vser',
		'-device', 'virtserialport,bus=vser.0,chardev=agent,name=org.vbench.agent.0',
		map { ('-device', "pcie-root-port,id=rp$_,chassis=" . ($_ + 1) . ',slot=' . ($_ + 1)) } 0 .. 3);
	$g->{pid} = fork // die "fork: $!";
	if (!$g->{pid}) {
		open STDOUT, '>', "$o{dir}/qemu.log";
		open STDERR, '>&', \*STDOUT;
		exec @argv or POSIX::_exit(127);
	}
	push @started, $g->{pid};
	$g->{sock} = connect_to("$o{dir}/agent");
	$g->{qmp} = connect_to("$o{dir}/qmp");
	$g->qmp_read;
	$g->qmp_ask('qmp_capabilities');
	return $g;
}

sub end ($g) {
	kill 'KILL', $g->{pid};
	waitpid $g->{pid}, 0;
	@started = grep { $_ != $g->{pid} } @started;
}
END { my $rc = $?; kill 'KILL', @started if @started; waitpid $_, 0 for @started; $? = $rc }

sub wait_readable ($s, $end) {
	vec(my $bits = '', fileno $s, 1) = 1;
	my $left = $end - time;
	return $left > 0 && select($bits, undef, undef, $left) > 0;
}

sub qmp_read ($g) {
	my $end = time + $PATIENCE;
	while (index($g->{qmpbuf}, "\n") < 0) {
		wait_readable($g->{qmp}, $end) or die 'QMP is silent';
		sysread($g->{qmp}, $g->{qmpbuf}, 65536, length $g->{qmpbuf}) or die 'QMP has ended';
	}
	(my $line, $g->{qmpbuf}) = split /\n/, $g->{qmpbuf}, 2;
	return $json->decode($line);
}

sub qmp_ask ($g, $command, %args) {
	syswrite $g->{qmp}, $json->encode({ execute => $command, %args ? (arguments => \%args) : () }) . "\n";
	while (1) {
		my $r = $g->qmp_read;
		die "$command: $r->{error}{desc}" if $r->{error};
		return $r->{return} if exists $r->{return};
	}
}

sub qmp_event ($g, $name) {
	while (1) { return if ($g->qmp_read->{event} // '') eq $name }
}

# Sends; the number of the request.
sub request ($g, $type, $body) {
	my $payload = $json->encode($body);
	syswrite $g->{sock}, pack('a4 C C v V', 'VBA1', 1, $type, ++$g->{seq}, length $payload) . $payload;
	return $g->{seq};
}

# The next message: [type, seq, body], or nothing within the time.
sub hear ($g, $patience = $PATIENCE) {
	my $end = time + $patience;
	while (1) {
		if (length $g->{in} >= 12) {
			my ($magic, $version, $type, $seq, $len) = unpack 'a4 C C v V', $g->{in};
			die "not a frame: $magic $version" if $magic ne 'VBA1' || $version != 1 || $len > 4 << 20;
			if (length $g->{in} >= 12 + $len) {
				my $m = [$type, $seq, $json->decode(substr $g->{in}, 12, $len)];
				substr($g->{in}, 0, 12 + $len) = '';
				return $m;
			}
		}
		wait_readable($g->{sock}, $end) or return;
		sysread($g->{sock}, $g->{in}, 65536, length $g->{in}) or return;
	}
}

# Asks; messages of other numbers are passed over, progress of this one goes to @$progress.
sub ask ($g, $type, $body, $progress = undef) {
	my $seq = $g->request($type, $body);
	while (my $m = $g->hear) {
		next if $m->[1] != $seq;
		return $m if $m->[0] != $PROGRESS;
		push @$progress, $m->[2] if $progress;
	}
	return [0, $seq, { error => 'the agent is silent' }];
}

# Plugs an image (raw; readonly => 1) as a virtio-blk disk into root port 0..3: its facts.
sub plug ($g, $port, $file, %o) {
	my $ro = $o{readonly} ? JSON::PP::true : JSON::PP::false;
	my $serial = 'fs' . ++$g->{plugged};
	my $discard = $o{discard} // 'unmap';
	$g->qmp_ask('blockdev-add', driver => 'raw', 'node-name' => "n$port", 'read-only' => $ro, discard => $discard,
		file => { driver => 'file', filename => $file, discard => $discard, 'read-only' => $ro });
	$g->qmp_ask('device_add', driver => 'virtio-blk-pci', id => "vb$port", bus => "rp$port", drive => "n$port", serial => $serial,
		$discard eq 'ignore' ? (discard => JSON::PP::false, 'write-zeroes' => JSON::PP::false) : ());
	return $g->ask($DISK, { serial => $serial, timeout_ms => 60000 })->[2];
}

sub unplug ($g, $port) {
	$g->qmp_ask('device_del', id => "vb$port");
	while (1) {
		my $r = $g->qmp_read;
		last if ($r->{event} // '') eq 'DEVICE_DELETED' && ($r->{data}{device} // '') eq "vb$port";
	}
	$g->qmp_ask('blockdev-del', 'node-name' => "n$port");
}

sub console ($g) { open my $f, '<', "$g->{dir}/console" or return ''; local $/; return <$f> }

1;
