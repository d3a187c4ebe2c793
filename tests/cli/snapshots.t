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
