#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# The snapshots of odd machines: each can be read, says what is odd about it, holds nobody's names, and is the machine it says.
# What is expected was counted by hand from the descriptions in tests/fixtures/snapshots/make.
use v5.36;
use Test::More;
use File::Temp;
use JSON::PP;

my $program = $ENV{VBENCH} // './vbench';
my $dir = 'tests/fixtures/snapshots';

# name => [packages, nodes with CPUs, groups of cores that share a cache, cores, CPUs that are online]; groups are only
# drawn where there are several, or several kinds of cores: 0.
my %machine = (
	cloud2 => [1, 1, 0, 2, 2], 'desktop-smt' => [1, 1, 0, 8, 16], 'two-socket-smt' => [2, 2, 2, 16, 32], 'epyc-nps4' => [1, 4, 8, 32, 64],
	'epyc-nps1' => [1, 1, 8, 64, 128], hybrid => [1, 1, 2, 14, 20], offline => [1, 1, 0, 8, 11], cpuset => [1, 1, 0, 8, 16], 'no-numa' => [1, 1, 0, 4, 4],
	memoryless => [2, 4, 4, 16, 16], single => [1, 1, 0, 1, 1], 'eight-socket' => [8, 8, 8, 64, 64], arm80 => [1, 1, 0, 80, 80],
	asymmetric => [2, 2, 2, 16, 16], 'huge-one-node' => [2, 2, 2, 16, 16], 'smt-off' => [1, 1, 0, 8, 8], isolcpus => [1, 1, 0, 8, 16],
	# what QEMU was told, less what Linux was told not to start
	'real-two-nodes' => [2, 2, 2, 8, 8], 'real-maxcpus' => [1, 1, 0, 7, 7],
);
my @files = glob "$dir/*.json";
cmp_ok scalar @files, '>=', 14, 'there are 14 snapshots at least';
is_deeply [sort map { m{([^/]+)\.json$} } @files], [sort keys %machine], 'and all are known here';

chomp(my $node = `uname -n`);
for my $name (sort keys %machine) {
	my $text = do { local $/; open my $f, '<', "$dir/$name.json" or die "$name: $!"; <$f> };
	my $s = decode_json($text);
	is $s->{format}, 1, "$name: format 1";
	like $s->{name}, qr/\S.{10}/, 'says what is odd about it';
	unlike $text, qr/\Q"$node"\E|"HostName\\" value=\\"[^\\]|\/home\/|\/root\/|SerialNumber\\" value=\\"[^\\]/, 'holds no names of a machine';
	my $drawn = `$program plan --snapshot $dir/$name.json --guest x:vcpus=1,memory=256M 2>&1`;
	cmp_ok $? >> 8, '<=', 1, 'a small guest has a plan there' or diag $drawn;
	my ($picture) = split /^A = x/m, $drawn;
	my @rows = $picture =~ /^      (\|.*\|)$/mg;
	my $cpus = 0;
	$cpus += () = /\| +\d+ /g for @rows;
	# The first row of each box has a CPU of every core: a row that follows a rule.
	my $cores = 0;
	while ($picture =~ /^ +\+[-+]+\+\n      (\|.*\|)$/mg) { my $row = $1; $cores += () = $row =~ /\| +\d+ /g }
	is_deeply [scalar(() = $picture =~ /^package /mg), scalar(() = $picture =~ /^  node /mg), scalar(() = $picture =~ /^    last-level cache/mg), $cores, $cpus],
		$machine{$name}, 'packages, nodes, caches, cores and CPUs are as described';
}

# --- hostile and broken ones: one sentence, quickly, and status 2 ------------------------------------------------------

sub odd ($what, $text) {
	my $f = File::Temp->new(SUFFIX => '.json');
	print $f ref $text ? encode_json($text) : $text;
	close $f;
	my $said = `timeout 20 $program plan --snapshot $f --guest x:vcpus=1,memory=64M 2>&1`;
	is $? >> 8, 2, "$what: bad input" or diag $said;
	like $said, qr/^vbench: \Q$f\E[^\n]*\n\z/, 'and one sentence names it';
	return;
}
my $good = decode_json(do { local $/; open my $f, '<', "$dir/single.json" or die; <$f> });
my $bomb = join '', '<!ENTITY l0 "lol">', map { my $n = $_ - 1; "<!ENTITY l$_ \"" . "&l$n;" x 10 . '">' } 1 .. 12;
my $pu = '<object type="PU" os_index="%s" cpuset="0x1" complete_cpuset="0x1" nodeset="0x1" complete_nodeset="0x1"/>';
my $sets = 'cpuset="0x1" complete_cpuset="0x1" allowed_cpuset="0x1" nodeset="0x1" complete_nodeset="0x1" allowed_nodeset="0x1"';
my %xml = (
	'a billion laughs' => qq(<?xml version="1.0"?><!DOCTYPE topology [$bomb]><topology version="2.0"><object type="Machine" name="&l12;" $sets/></topology>),
	'the same in an element' => qq(<?xml version="1.0"?><!DOCTYPE topology [$bomb]><topology version="2.0">&l12;</topology>),
	'a file as entity' => '<!DOCTYPE topology [<!ENTITY a SYSTEM "file:///etc/passwd">]><topology version="2.0"><object type="Machine" name="&a;"/></topology>',
	'an entity that nobody defined' => '<topology version="2.0">&a;</topology>',
	'200000 levels' => '<topology version="2.0">' . '<object type="Group" cpuset="0x1">' x 200_000 . '</object>' x 200_000 . '</topology>',
	'a CPU of number 4294967290' => qq(<topology version="2.0"><object type="Machine" os_index="0" $sets><object type="NUMANode" os_index="0" $sets/>)
		. sprintf($pu, 4294967290) . '</object></topology>',
	'sets of 4 MB' => '<topology version="2.0"><object type="Machine" cpuset="' . '0xffffffff,' x 400_000 . '0x1"/></topology>',
	# hwloc 2.9's reader takes them for there, and crashes
	'objects without sets' => '<topology version="2.0"><object type="Machine" os_index="0" cpuset="0x1" complete_cpuset="0x1"><object type="PU" os_index="0"/>'
		. '<object type="Package" os_index="0"/></object></topology>',
	'sets that contradict each other' => qq(<topology version="2.0"><object type="Machine" os_index="0" $sets><object type="NUMANode" os_index="0" $sets/>)
		. sprintf($pu, 0) . sprintf($pu, 0) . '</object></topology>',
	'an empty text' => '', 'a text that ends early' => '<topology version="2.0"><object type="Machine"',
);
odd($_, { %$good, hwloc => $xml{$_} }) for sort keys %xml;
odd('another format', { %$good, format => 2 });
odd('no topology', { format => 1, files => {} });
odd('files that are numbers', { %$good, files => { '/proc/cmdline' => 7 } });
odd('no JSON', 'hello');
odd('nothing', '');
my $whole = encode_json($good);
odd("cut at $_ %", substr $whole, 0, length($whole) * $_ / 100) for 10, 50, 99;
odd('a list nested 100000 deep', '[' x 100_000);
# Numbers without sense are not believed.
my $huge = { %$good, files => { %{ $good->{files} }, '/sys/devices/system/node/node0/meminfo' => 'Node 0 MemTotal: 99999999999999999999 kB',
	'/sys/devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages' => '9223372036854775807' } };
my $file = File::Temp->new(SUFFIX => '.json');
print $file encode_json($huge);
close $file;
my $drawn = `timeout 20 $program plan --snapshot $file --guest x:vcpus=1,memory=64M 2>&1`;
cmp_ok $? >> 8, '<=', 1, 'absurd sizes do no harm' or diag $drawn;

sub lines_of ($path) {
	open my $f, '<', $path or return;
	chomp(my @lines = <$f>);
	return @lines;
}

# --- the one of this machine: nobody's names in it, and read back as what it is --------------------------------------------

my $tmp = File::Temp->newdir;
is system("$program host --save $tmp/a >/dev/null && $program host --save $tmp/b >/dev/null"), 0, 'vbench host --save';
my ($one, $two) = map { my $n = $_; decode_json(do { local $/; open my $f, '<', "$tmp/$n" or die; <$f> }) } qw(a b);
is $one->{hwloc}, $two->{hwloc}, 'the topology is the same each time';
is_deeply [sort keys %{ $one->{files} }], [sort keys %{ $two->{files} }], 'and so is what there is';
my $all = do { local $/; open my $f, '<', "$tmp/a" or die; <$f> };
my @names = grep { /\w{4}/ } map { lines_of($_) } '/etc/machine-id', '/proc/sys/kernel/random/boot_id',
	glob('/sys/class/net/*/address /sys/block/*/device/serial /sys/class/dmi/id/*serial /sys/class/dmi/id/product_uuid');
push @names, $node if length $node > 4;
unlike $all, qr/\Q$_\E/i, 'holds no name, number or address of the machine' for grep { !/^[0:]+$/ } @names;
unlike $all, qr/"host_id"|"boot_id"/, 'nor what is made of them';

# What hwloc's own program says of the same XML, where that is installed.
SKIP: {
	skip 'no lstopo-no-graphics', 1 if !grep { -x "$_/lstopo-no-graphics" } split /:/, $ENV{PATH};
	my @bad;
	for my $name (sort keys %machine) {
		my $s = decode_json(do { local $/; open my $f, '<', "$dir/$name.json" or die; <$f> });
		my $xml = File::Temp->new(SUFFIX => '.xml');
		print $xml $s->{hwloc};
		close $xml;
		my $n = () = `lstopo-no-graphics -i $xml --disallowed --only PU 2>/dev/null` =~ /\n/g;
		push @bad, "$name: $n" if $n != $machine{$name}[4];
	}
	is_deeply \@bad, [], 'lstopo counts as many CPUs';
}
done_testing;
