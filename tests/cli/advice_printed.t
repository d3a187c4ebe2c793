#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# What the program prints can be typed in, too: changes that audits of bad and of real machines propose, and exports of plans. Held against
# libvirt's schemas, the real QEMU and commands' own help, as tests/cli/tuning_advice.t does for tuning.md.
use strict;
use warnings;
use lib 'tests/lib';
use Advice;
use AdviceQemu;
use File::Basename qw(basename);
use JSON::PP;
use Test::More;

my $vbench = $ENV{VBENCH} // './vbench';
-x $vbench or BAIL_OUT("$vbench is not built; run make");
my $dir = 'tests/fixtures';
my $qemu = AdviceQemu->new;
my $names = Advice::element_names();
my %has = map { my $p = $_; $p => scalar grep { -x "$_/$p" } split /:/, $ENV{PATH} } qw(virsh xmllint);
my $schema = -e $Advice::SCHEMA && $has{xmllint};
chomp(my $libvirt = $has{virsh} ? `virsh --version` : '');

sub output {
	open my $p, '-|', @_ or die "$_[0]: $!";
	my $text = do { local $/; <$p> };
	close $p;
	return $text // '';
}

# --- changes ---
my %sections = map { $_->{id} => $_ } Advice::sections('tuning.md');
my %changes;    # "ID kind" => {text => where it was seen}
sub take {
	my ($file, $host, @more) = @_;
	my $got = eval { decode_json(output($vbench, 'audit', $file, '--json', '--snapshot', $host, @more)) };
	ok($got, basename($file) . ": an audit @more") or return;
	for my $rule (@{ $got->{rules} }) {
		for my $f (@{ $rule->{findings} // [] }) {
			my %c = %{ $f->{change} // {} };
			$changes{"$rule->{id} $_"}{ $c{$_} } //= basename($file) for keys %c;
		}
	}
	return $got;
}
take($_, "$dir/audit/host.json") for glob "$dir/audit/bad/*";
take($_, "$dir/snapshots/two-socket-smt.json", '--for', 'latency') for glob("$dir/audit/real/*"), "$dir/audit/all.xml";
take("$dir/audit/all.xml", "$dir/snapshots/two-socket-smt.json", '--for', $_) for 'realtime', 'migration', 'dense';
take($_, "$dir/snapshots/two-socket-smt.json", '--rules', 'ovirt-hp', '--for', 'migration') for map { "$dir/audit/real/$_" } 'virt-install.xml', 'windows.xml';
cmp_ok(scalar keys %changes, '>=', 100, 'changes that are proposed: ' . keys %changes);

# The text that people read has the same words.
for my $file ("$dir/audit/bad/BLK-05-main-loop.xml", "$dir/audit/real/windows.xml") {
	my $flat = output($vbench, 'audit', $file, '--snapshot', "$dir/audit/host.json") =~ s/\s+//gr;
	my $got = decode_json(output($vbench, 'audit', $file, '--snapshot', "$dir/audit/host.json", '--json'));
	my @lost;
	for my $rule (grep { $_->{state} eq 'broken' } @{ $got->{rules} }) {
		push @lost, map { values %{ $_->{change} // {} } } @{ $rule->{findings} };
	}
	is_deeply([ grep { index($flat, s/\s+//gr) < 0 } @lost ], [], basename($file) . ': the text says the same as JSON');
}

# The XML within a sentence: from an element's beginning to where all are closed. What is to go away, or only named, is not typed in.
sub pieces {
	my ($text) = @_;
	$text =~ s/^no (?:<[^>]+>(?:, <[^>]+>)* nor )?<[^>]+>(?:, )?//; # what goes is no piece
	my ($xml) = $text =~ /(<.*)/s or return;
	my @all = map { defined ? $_ : "<$text" } Advice::elements($xml);
	return grep { !m{^<(\w+)(?:/>|>\s*</\g1>)} } @all;
}

my (%docs, %of);
for my $key (sort keys %changes) {
	my ($id, $kind) = split / /, $key;
	my $section = $sections{$id};
	for my $text (sort keys %{ $changes{$key} }) {
		my $what = "$key ($changes{$key}{$text}): $text";
		if ($kind eq 'libvirt') {
			my ($virsh) = $text =~ /\b(virsh [^,;()]*)/;
			if ($virsh && $has{virsh}) {
				is("@{ Advice::command($virsh =~ s/\s+$//r) // ['no command'] }", '', "$what: virsh knows it");
			}
			my @unknown = grep { !$names->{$_} && "<$_ " !~ $Advice::XML_LATER[0][0] } $text =~ /<([a-z][\w-]*)(?!:)\b/g;
			is("@unknown", '', "$what: elements of libvirt's") if %$names && $text !~ /<qemu:/;
			my @e = $text =~ /<qemu:/ ? () : pieces($text) or next;
			$docs{$what} = Advice::domain(@e);
			$of{$what} = $section;
			ok($docs{$what}, "$what: its place is known") or delete $docs{$what};
		} elsif ($kind eq 'qemu') {
			next if $text =~ /^(?:no |fewer |upgrade )/;
			my ($command) = $text =~ /^(?:no option[^:]*: )?((?:qemu-img|taskset|chrt|numactl|fallocate) [^,;()]*)/;
			my @bad = defined $command ? @{ Advice::command($command =~ s/ for .*|\s+$//r) // ['no command'] } : ();
			# what is taken away, or was so long ago, need not be known
			my $options = $text =~ s/(?:;|, and|,) no .*|\(before .*?\)|in place of .*//gr;
			$options =~ s/.*?qemu-system-x86_64// if defined $command;
			push @bad, $qemu->line($options) if $qemu && (!defined $command || $command =~ /qemu-system/);
			push @bad, map { $qemu->word($_) } split /,/, $1 if $qemu && $text =~ /^([a-z]\S*=\S*)/;
			ok($text =~ /(?:^|[ ;:])(?:-[a-z]|qemu-img |taskset |chrt |QMP |[a-z][\w-]+=)/, "$what: something to type in");
			is(join('; ', grep { !$qemu || !$qemu->later($_, $section->{text}) } @bad), '', "$what: known to QEMU");
		} else {
			my @bad = grep { !Advice::kernel_file($_) && !m{^/sys/block/\w+/} } Advice::files_in($text);
			push @bad, @{ Advice::command($text =~ s/ \(.*//r =~ s/, (?:or|then) .*//r) // [] };
			is("@bad", '', "$what: files and commands that there are");
		}
	}
}
SKIP: {
	skip 'no schemas of libvirt, or no xmllint', 1 if !$schema;
	my %bad = Advice::invalid(%docs);
	for my $what (sort keys %docs) {
		my ($later) = grep { $docs{$what} =~ $_->[0] } @Advice::XML_LATER;
		delete $bad{$what} if $later && $what =~ /\b\Q$later->[1]\E\b/ && AdviceQemu::older($libvirt, $later->[1]);
		is($bad{$what}, undef, "$what: valid");
	}
	cmp_ok(scalar keys %docs, '>=', 50, 'pieces of XML: ' . keys %docs);
}

# --- remedies fit the machine that they are for ---
{
	open my $f, '<', "$dir/audit/good/web.xml" or die $!;
	my $xml = do { local $/; <$f> };
	# three vCPUs, two of them on the threads of a core (CPUs 2 and 18 of two-socket-smt)
	$xml =~ s/machine='pc-q35-7.2'/machine='pc'/;
	$xml =~ s/<cpu mode='host-passthrough'[^>]*>.*?<\/cpu>/<cpu mode='host-model'\/>/s;
	$xml =~ s/<pmu state='off'\/>/<pmu state='on'\/>/;
	$xml =~ s/queues='4'\/>(\s*<\/interface>)/queues='3' tx_queue_size='2048'\/>$1/;
	$xml =~ s/<vcpu placement='static'>4/<vcpu placement='static'>3/;
	$xml =~ s/<vcpupin vcpu='3' cpuset='5'\/>//;
	$xml =~ s/(vcpupin vcpu='1' cpuset=)'3'/$1'18'/;
	require File::Temp;
	my $tmp = File::Temp->new(SUFFIX => '.xml');
	print $tmp $xml;
	close $tmp;
	my $got = take("$tmp", "$dir/snapshots/two-socket-smt.json", '--for', 'latency,migration');
	my %said;
	for my $rule (@{ $got->{rules} }) {
		for my $finding (grep { $_->{change} } @{ $rule->{findings} }) {
			$said{"$rule->{id} $_"} .= "$finding->{change}{$_}\n" for keys %{ $finding->{change} };
		}
	}
	# QEMU's machine "pc" is i440fx: q35 would be another machine
	like($said{'MIG-16 libvirt'}, qr/machine='pc-i440fx-\d/, 'the machine type with its version, and no other');
	# "host-model" is a word of libvirt's
	like($said{'CPU-20 qemu'}, qr/^-cpu (?!host-)\S+,pmu=off$/m, 'a model that QEMU has');
	# QEMU, hw/net/virtio-net.c: 256 on a tap device, whatever is asked for
	like($said{'NET-03 qemu'}, qr/tx_queue_size=256$/m, 'a ring that can be had');
	# sockets x cores x threads must be the vCPUs [qemu(1), -smp]
	like($said{'CPU-09 qemu'}, qr/^-smp 3,sockets=1,cores=3,threads=1$/m, 'three vCPUs make no pairs');
}

# --- exports of plans ---
my $snapshot = "$dir/snapshots/two-socket-smt.json";
for my $file ("$dir/audit/good/web.xml", "$dir/audit/real/database.xml", "$dir/audit/real/plain.args", 'profiles/quick.ini') {
	my $name = basename($file);
	my %export = map { $_ => output("$vbench plan $file --snapshot $snapshot --export $_ 2>/dev/null") } qw(libvirt virsh qemu qm);
	if ($schema) {
		my @e = Advice::elements($export{libvirt} =~ s/<!--.*?-->//gsr);
		my $doc = $e[0] && $e[0] =~ /^<domain/ ? $e[0] : Advice::domain(@e);
		my %bad = Advice::invalid($name => $doc // $export{libvirt});
		ok(length $export{libvirt}, "$name: a plan as XML");
		is($bad{$name}, undef, "$name: a plan as XML is valid");
	}
	for my $kind ('virsh', 'qm') {
		next if $kind eq 'virsh' && !$has{virsh};
		my @lines = grep { /^$kind / } map { s/\s+#.*//r } split /\n/, $export{$kind} =~ s/\\\n\s*/ /gr =~ s/\$LIVE/--live/gr;
		ok(scalar @lines, "$name: a plan as commands of $kind");
		is(join('; ', map { @{ Advice::command($_) // ["no command: $_"] } } @lines), '', "$name: $kind knows them");
	}
	if ($qemu) {
		my ($options) = $export{qemu} =~ s/\\\n\s*/ /gr =~ /^(qemu-system.*)/m;
		like($options // '', qr/ -accel \w/, "$name: a plan as options says how to run it (QEMU by itself emulates)");
		# a machine type of a newer QEMU is what was asked for
		is(join('; ', grep { !/^machine pc-q35-[89]/ } $qemu->line($options // '-none')), '', "$name: a plan as options is known to QEMU");
	}
}

# --- whole machines, as `vbench tune` and others write them ---
SKIP: {
	my $writer = ($ENV{VBENCH_TESTS} // 'build/tests') . '/vm_write_xml';
	skip "$writer is not built", 1 if !-x $writer;
	for my $file (sort glob "$dir/vms/*.xml") {
		my $name = basename($file);
		my $xml = output($writer, 'libvirt', $file) =~ s/^#.*\n//gmr;
		# what libvirt's words do not hold is said in a comment, and then there is a hole
		if ($schema && $xml !~ /is to be added|put its own source/) {
			my %bad = Advice::invalid($name => $xml);
			delete $bad{$name} if $xml =~ /<poll / && AdviceQemu::older($libvirt, '9.4.0');
			is($bad{$name}, undef, "$name: written as XML that is valid");
		}
		next if !$qemu || $xml !~ /arch='x86_64'/;
		my ($line) = output($writer, 'qemu', $file) =~ s/\\\n\s*/ /gr =~ m{^(\S*/(?:qemu|kvm)\S* .*|qemu-system.*)}m;
		# types of newer QEMUs and of distributions are what was asked for
		is(join('; ', grep { !/^machine \S*-(?:[89]|rhel|[1-9]\d)/ } $qemu->line($line // '-none')), '', "$name: written as options that QEMU knows");
	}
}
done_testing();
