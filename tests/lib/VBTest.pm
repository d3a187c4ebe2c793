# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of whole runs share: a private data folder, small profiles, vbench as a child, its store, its left-overs.
package VBTest;
use strict;
use warnings;
use Cwd qw(abs_path getcwd);
use DBI;
use Exporter qw(import);
use File::Temp qw(tempdir);
use JSON::PP;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(time sleep);

our @EXPORT = qw(sandbox needs spurt slurp wait_until);

# How long to wait for what must happen on the slowest of hosts, and for the next sign of life of what takes its time. Others may
# measure meanwhile: runs queue up on the host's lock.
our $PATIENCE = 600;
# For what is over to be gone: a killed process takes as long as its I/O, and its CPU, are kept from it by others.
our $GONE = 60;

# Skips the whole test where real guests cannot be.
sub needs {
	my (%want) = @_;
	plan skip_all => 'needs root: ' . $want{root} if $want{root} && $>;
	plan skip_all => "no $_" for grep { !in_path($_) } 'qemu-system-x86_64', 'qemu-img', @{ $want{programs} // [] };
	BAIL_OUT(program() . ' is not built; run make') if !-x program();
	my $guest = guest();
	plan skip_all => "no small guest in $guest; run make fio guest" if grep { !-e "$guest/$_" } qw(KERNEL vmlinuz fio vbench-agent);
}

# The same for tests that run on the host alone: fio, its engine and the device. No QEMU, no guest.
sub needs_host {
	my (%want) = @_;
	plan skip_all => "no $_" for grep { !in_path($_) } @{ $want{programs} // [] };
	BAIL_OUT(program() . ' is not built; run make') if !-x program();
	my $dir = engines();
	plan skip_all => "no fio engine in $dir; run make fio engines" if grep { !-e "$dir/$_" } qw(vring.so vbench-vhost-blk ../fio/fio);
}

sub in_path { my ($name) = @_; return scalar grep { -x "$_/$name" } split /:/, $ENV{PATH} }
sub program { return abs_path($ENV{VBENCH} // getcwd() . '/vbench') // 'vbench' }
sub guest { return abs_path($ENV{VBENCH_GUEST} // getcwd() . '/build/guest') // '' }

sub engines { return abs_path($ENV{VBENCH_ENGINES} // getcwd() . '/build/engines') // '' }

sub slurp {
	my ($path) = @_;
	open my $f, '<:raw', $path or return '';
	local $/;
	return scalar(<$f>) // '';
}

sub spurt {
	my ($path, $text, $mode) = @_;
	open my $f, '>:raw', $path or die "$path: $!";
	print $f $text;
	close $f or die "$path: $!";
	chmod $mode, $path if $mode;
	return $path;
}

# Calls $what until it is true; its value, or nothing when the time is over.
sub wait_until {
	my ($what, $seconds) = @_;
	my $end = time + ($seconds // $PATIENCE);
	while (1) {
		my $got = $what->();
		return $got if $got;
		return if time > $end;
		sleep 0.02;
	}
}

my @living;

# A folder of its own for each test; everything that vbench keeps goes there. QEMU runs as another user, and must get in.
sub sandbox {
	my (%o) = @_;
	my $dir = tempdir('vbench-test-XXXXXX', TMPDIR => 1, CLEANUP => !$ENV{VBENCH_TEST_KEEP});
	chmod 0755, $dir;
	my $s = bless { dir => $dir, xdg => $o{xdg} // "$dir/xdg", n => 0, env => {} }, 'VBTest';
	mkdir $s->{xdg};
	push @living, $s;
	return $s;
}

sub data { return "$_[0]{xdg}/vbench" }

# So that the end below is reached.
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP PIPE);

END {
	my $status = $?;
	# A test that dies must not leave guests running, whatever vbench does.
	for my $s (@living) { kill 'KILL', @{ $s->{helpers} // [] }, map { $_->{pid} } $s->processes }
	$? = $status;
}

# A profile of one small and quick cell, changed by section.key => value (undef: without it); a workload is
# "workload NAME.key", a rung "rung NAME.disk.key". One workload "r" unless others are named.
sub profile {
	my ($s, %change) = @_;
	my %p = (
		'host.free' => '64M', 'guest.accel' => 'tcg', 'disk.size' => '16M', 'run.blocks' => 1, 'run.seed' => 20240229,
		(grep { /^workload / } keys %change) ? () : ('workload r.rw' => 'randread'), %change,
	);
	my %sections;
	for my $key (keys %p) {
		my ($section, $name) = $key =~ /^((?:(?:workload|rung) \S+?|\w+))\.(.+)$/ or die "no key: $key";
		$sections{$section}{$name} = $p{$key};
	}
	my $text = '';
	for my $section (sort keys %sections) {
		my %keys = ($section =~ /^workload / ? (runtime => '200ms', ramp => '0s') : (), %{ $sections{$section} });
		$text .= "[$section]\n" . join('', map { defined $keys{$_} ? "$_ = $keys{$_}\n" : '' } sort keys %keys);
	}
	return spurt("$s->{dir}/profile-" . ++$s->{n} . '.ini', $text);
}

# Starts vbench: a child with {pid, out, err} (files). Options before the arguments: {env => {}, before => [command ...]}.
sub start {
	my ($s, @args) = @_;
	my $o = ref $args[0] ? shift @args : {};
	my $n = ++$s->{n};
	my $v = { had => { map { $_ => 1 } glob $s->data . '/runs/*' }, out => "$s->{dir}/out-$n", err => "$s->{dir}/err-$n", begun => time, args => "@args" };
	my %env = (XDG_DATA_HOME => $s->{xdg}, VBENCH_GUEST => guest(), VBENCH_ENGINES => engines(), LC_ALL => 'C.UTF-8', %{ $s->{env} }, %{ $o->{env} // {} });
	spurt($v->{out}, '');
	spurt($v->{err}, '');
	$v->{pid} = fork // die "fork: $!";
	if (!$v->{pid}) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', $v->{out} or POSIX::_exit(126);
		open STDERR, '>>', $v->{err} or POSIX::_exit(126);
		%ENV = (%ENV, %env);
		exec @{ $o->{before} // [] }, $o->{program} // program(), @args or POSIX::_exit(127);
	}
	return $v;
}

# Whether it has ended.
sub over {
	my ($s, $v) = @_;
	$v->{wait} //= $? if !defined $v->{wait} && waitpid($v->{pid}, WNOHANG) == $v->{pid};
	return defined $v->{wait};
}

sub kill_and_wait {
	my ($s, $v) = @_;
	return if $s->over($v);
	kill 'KILL', $v->{pid};
	waitpid $v->{pid}, 0;
	$v->{wait} = $?;
}

# Waits until $what is true or it has ended.
sub until_or_over { my ($s, $v, $what) = @_; return wait_until(sub { $what->() || $s->over($v) }) }

# What it has said so far, by size: a run of many trials may take longer than anybody's patience, but says each of them.
sub said { my ($v) = @_; return (-s $v->{out} // 0) + (-s $v->{err} // 0) }

# Waits for its end; adds status (of exit), signal, stdout, stderr, seconds. One that does not end is killed, and the test fails.
sub finish {
	my ($s, $v, $seconds) = @_;
	my ($ended, $said);
	do {
		$said = said($v);
		$ended = wait_until(sub { $s->over($v) }, $seconds);
	} until $ended || $seconds || said($v) == $said;
	if (!$ended) {
		$s->kill_and_wait($v);
		fail("vbench $v->{args} ends");
		diag(slurp($v->{err}));
	}
	my $w = $v->{wait};
	@$v{qw(status signal seconds stdout stderr)} = ($w & 127 ? -1 : $w >> 8, $w & 127, time - $v->{begun}, slurp($v->{out}), slurp($v->{err}));
	return $v;
}

# The folder of the run that it began, as soon as there is one; nothing if it ended before.
sub folder {
	my ($s, $v) = @_;
	my $new;
	$s->until_or_over($v, sub { ($new) = grep { !$v->{had}{$_} } glob $s->data . '/runs/*' });
	return $new // '';
}

sub vbench { my ($s, @args) = @_; return $s->finish($s->start(@args)) }

# `vbench run`, behind whoever else measures on this host.
sub run { my ($s, @args) = @_; my @o = ref $args[0] ? shift @args : (); return $s->vbench(@o, 'run', '--wait', @args) }
sub start_run { my ($s, @args) = @_; my @o = ref $args[0] ? shift @args : (); return $s->start(@o, 'run', '--wait', @args) }

# Checks an exit status, and shows what was printed if it is another.
sub exits {
	my ($s, $v, $status, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is($v->{signal} ? "signal $v->{signal}" : $v->{status}, $status, $what)
		|| do { diag("stderr without the trials that went well:\n" . told($v->{stderr}) . "\nstdout:\n$v->{stdout}"); 0 };
}

# What a run said on stderr, without a line for each trial: those that say what went wrong are few, and stand behind many.
sub told { my ($stderr) = @_; return join '', grep { !m{^trial \d+/\d+ .*: [\d.]+ \w+$} } split /^/, $stderr }

sub db_file { return $_[0]->data . '/vbench.db' }

# Rows of the store as hashes.
sub rows {
	my ($s, $sql, @bind) = @_;
	my $file = $s->{db} // $s->db_file;
	my @none;
	return @none if !-e $file;
	my $db = DBI->connect("dbi:SQLite:dbname=$file", '', '', { RaiseError => 1, PrintError => 0, sqlite_see_if_its_a_number => 1 });
	$db->sqlite_busy_timeout(20000);
	# A store that is being made has no tables yet.
	return @none if !@{ $db->selectcol_arrayref("SELECT name FROM sqlite_schema WHERE name = 'asked_got'") };
	my $rows = $db->selectall_arrayref($sql, { Slice => {} }, @bind);
	$db->disconnect;
	return @$rows;
}

sub newest { my ($s) = @_; return ($s->rows('SELECT * FROM run ORDER BY begun DESC, id DESC LIMIT 1'))[0] // {} }

sub trials {
	my ($s, $uuid) = @_;
	return $s->rows('SELECT t.*, c.label, c.idx AS cell_idx FROM trial t JOIN run r ON r.id = t.run JOIN cell c ON c.run = t.run AND c.id = t.cell '
		. 'WHERE r.uuid = ? ORDER BY t.seq', $uuid // $s->newest->{uuid} // '');
}

sub checks {
	my ($s, $uuid) = @_;
	return $s->rows('SELECT a.* FROM asked_got a JOIN run r ON r.id = a.run WHERE r.uuid = ? ORDER BY a.seq, a.idx', $uuid // $s->newest->{uuid} // '');
}

# The model of a run, as `vbench report --json` tells it.
sub model {
	my ($s, $run) = @_;
	my $v = $s->vbench('report', $run // 'last', '--json');
	return eval { decode_json($v->{stdout}) } // do { diag($v->{stderr}); {} };
}

# Processes that were started by a vbench of this sandbox, by the data folder in their environment: {pid, cmd}. QEMUs
# carry its path on their command line, too. vbench itself (and what a test starts around it) only with `all`.
sub processes {
	my ($s, %o) = @_;
	my @found;
	for my $pid (grep { $_ != $$ } map { m{(\d+)$} ? $1 : () } glob '/proc/[0-9]*') {
		my $cmd = slurp("/proc/$pid/cmdline") =~ tr/\0/ /r;
		next if $cmd eq '';    # ended, and not waited for
		my $ours = index($cmd, "$s->{dir}/") >= 0 || index("\0" . slurp("/proc/$pid/environ"), "\0XDG_DATA_HOME=$s->{xdg}\0") >= 0;
		push @found, { pid => $pid, cmd => $cmd } if $ours;
	}
	return @found;
}

# The QEMUs that run a guest.
sub guests { my ($s) = @_; return grep { $_->{cmd} =~ /qemu-system\S* .*-kernel \Q$s->{dir}\E/ } $s->processes }

# The vhost-user servers, and the fios, of trials on the host.
sub servers { my ($s) = @_; return grep { $_->{cmd} =~ m{^\S*/(?:vbench-vhost-blk|qemu-storage-daemon) } } $s->processes }
sub fios { my ($s) = @_; return grep { $_->{cmd} =~ m{^\S*/fio --output} } $s->processes }

# All that must not be there when nothing runs, as sentences.
sub leftovers {
	my ($s) = @_;
	my $data = $s->data;
	return (
		(map { "process $_->{pid}: $_->{cmd}" } $s->processes),
		(map { "file $_" } glob("$data/journal/*"), glob("$data/images/*"), glob("$data/runs/*/templates"), glob("$data/guest/*.tmp"), glob("$data/host/*.tmp"),
			glob("$data/runs/*/trials/*/{fio,server}"),
			map { glob "$_/vbench-*" } @{ $s->{image_dirs} // [] }),
	);
}

sub clean {
	my ($s, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until(sub { !$s->leftovers }, $GONE);
	return is(join("\n", $s->leftovers), '', "$what: nothing is left behind");
}

# A C file of tests/lib compiled into the sandbox; dies with the compiler's words.
sub compile {
	my ($s, $source, $out, @flags) = @_;
	my $cc = $ENV{CC} // 'cc';
	my $log = `$cc -std=gnu11 -D_GNU_SOURCE -O1 -I. -o '$s->{dir}/$out' '$source' @flags 2>&1`;
	die "$source: $log" if $?;
	chmod 0755, "$s->{dir}/$out";
	return "$s->{dir}/$out";
}

1;
