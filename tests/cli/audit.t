#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# `vbench audit` and the help of its rules: targets, options, formats, exit statuses; and that checks only ask for facts that there are.
use v5.36;
use Test::More;
use File::Temp qw(tempdir);
use JSON::PP;

my $vbench = $ENV{VBENCH} // './vbench';
-x $vbench or BAIL_OUT("$vbench is not built; run make");
my $dir = tempdir(CLEANUP => 1);
my $host = 'tests/fixtures/audit/host.json';

# [exit status, stdout, stderr]
sub run_vbench(@args) {
	open my $keep_out, '>&', \*STDOUT or die;
	open my $keep_err, '>&', \*STDERR or die;
	open STDOUT, '>', "$dir/out" or die;
	open STDERR, '>', "$dir/err" or die;
	system 'timeout', '60', $vbench, @args;
	my $status = $? >> 8;
	open STDOUT, '>&', $keep_out or die;
	open STDERR, '>&', $keep_err or die;
	local $/;
	my @text = map { open my $f, '<', "$dir/$_" or die; scalar(<$f>) // '' } qw(out err);
	return ($status, @text);
}

sub spurt($name, $text) {
	open my $f, '>', "$dir/$name" or die;
	print $f $text;
	close $f or die;
	return "$dir/$name";
}

my $good = 'tests/fixtures/audit/good/web.xml';
# The good machine, with KVM taken away: one rule of weight "should".
my $slow = do { open my $f, '<', $good or die; local $/; <$f> };
$slow =~ s/type='kvm'/type='qemu'/ or die;
$slow = spurt('slow.xml', $slow);

# --- targets and the host ---
my ($status, $out, $err) = run_vbench('audit', $good, '--snapshot', $host);
is $status, 0, 'a good machine: 0';
is $err, '', 'and not a word on stderr';
like $out, qr/^web \(/, 'it is named';
like $out, qr/\n\d+ rules: 0 not followed/, 'and counted';

($status, $out) = run_vbench('audit', $slow, '--snapshot', $host);
is $status, 1, 'without KVM: 1';
like $out, qr/NOT FOLLOWED: should.*\nCPU-01 .*found .*tcg.*want +KVM.*libvirt +<domain type='kvm'>.*QEMU +-accel kvm.*https:/s,
	'found, wanted, changes in libvirt and QEMU, source';

($status, $out) = run_vbench('audit', $good, '--json', '--rules', 'CPU-03,CPU-12');
my $got = decode_json($out);
is $status, 0, 'a machine from elsewhere: what depends on its host is no breach';
ok !$got->{here}, 'it is not held against this host';
is_deeply [ map { $_->{state} } @{ $got->{rules} } ], [ ("can't tell") x 2 ], 'which cannot be told then';
like $got->{rules}[0]{findings}[0]{found}, qr/--here.*--snapshot/, 'with what would tell';
($status, $out) = run_vbench('audit', $good, '--json', '--rules', 'CPU-03', '--here');
isnt decode_json($out)->{rules}[0]{state}, "can't tell", 'with --here it can';

($status, $out) = run_vbench('audit', 'host', '--snapshot', $host, '--json');
$got = decode_json($out);
is $got->{name}, 'host', 'the host alone';
my %state = map { $_->{id} => $_->{state} } @{ $got->{rules} };
is $state{'CPU-12'}, 'followed', 'its governor is looked at';
is $state{'CPU-01'}, 'not applicable', 'a machine is not';

($status, $out) = run_vbench('audit', $good, '--snapshot', $host, '--rules', 'CPU-04', '--json', '--others', $good, '--others', $slow);
like decode_json($out)->{rules}[0]{findings}[0]{found}, qr/^12 vCPUs of 3 machines on 16 CPUs: 0\.8 /, 'three machines of 4 vCPUs on 16 CPUs';

# --- options ---
($status, $out) = run_vbench('audit', $good, '--snapshot', $host, '--for', 'latency', '--json');
is_deeply decode_json($out)->{for}, ['latency'], '--for';
for my $bad ([ '--for', 'speed' ], [ '--rules', 'CPU-1000' ], [ '--format', 'pdf' ], ['extra'], [ '--snapshot', "$dir/none" ],
	[ '--others', "$dir/none" ], [ '-o', "$dir/none/x" ], ['--nonsense']) {
	($status, $out, $err) = run_vbench('audit', $good, '--snapshot', $host, @$bad);
	is $status, 2, "@$bad: 2";
	is $out, '', 'nothing on stdout';
	like $err, qr/\S/, 'a sentence on stderr';
}
for my $bad ([], ["$dir/none.xml"], [ '--list', $good ]) {
	($status, $out, $err) = run_vbench('audit', @$bad);
	is $status, 2, "audit @$bad: 2";
	is $out, '', 'nothing on stdout';
}

{
	local $ENV{PATH} = '/usr/bin:/bin'; # Proxmox has qm in /usr/sbin
	($status, $out, $err) = run_vbench('audit', 'qm:101');
	is $status, 2, 'qm: without qm: 2';
	like $err, qr/^vbench: qm:101: .*qm showcmd 101 --pretty.*\n\z/, 'and what to do instead';
}

my $may = do { open my $f, '<', $good or die; local $/; <$f> };
$may =~ s{(<devices>)}{$1<sound model='ich9'/>} or die;
$may = spurt('may.xml', $may);
($status) = run_vbench('audit', $may, '--snapshot', $host, '--rules', 'GST-03');
is $status, 0, 'a rule of weight "may" does not fail';
($status) = run_vbench('audit', $may, '--snapshot', $host, '--rules', 'GST-03', '--strict');
is $status, 1, 'but strictly';

# --- formats ---
($status, $out) = run_vbench('audit', $slow, '--snapshot', $host, '--format', 'tap');
my ($plan) = $out =~ /^1\.\.(\d+)$/m;
my @tests = $out =~ /^(?:not )?ok (\d+)/mg;
is_deeply \@tests, [ 1 .. $plan ], 'TAP: a test a rule, in order';
like $out, qr/^not ok \d+ - CPU-01 /m, 'the broken one fails';
is scalar(() = $out =~ /^not ok (?!.*# TODO)/mg), 1, 'and no other';
like $out, qr/^ok \d+ - GST-07 .*# SKIP not applicable: /m, 'what does not apply is skipped, with the reason';
($status, $out) = run_vbench('audit', $slow, '--snapshot', $host, '--format', 'json', '-o', "$dir/file.json");
is $status, 1, '-o';
is $out, '', 'leaves stdout empty';
ok eval { decode_json(do { open my $f, '<', "$dir/file.json" or die; local $/; <$f> }) }, 'and writes the file';
my ($short) = (run_vbench('audit', $good, '--snapshot', $host))[1];
my ($long) = (run_vbench('audit', $good, '--snapshot', $host, '--all'))[1];
unlike $short, qr/^NOT APPLICABLE/m, 'what does not apply is left out';
like $long, qr/^FOLLOWED.*^NOT APPLICABLE/ms, 'but with --all';

# --- a command line that a file adds to, which is not read: what is not on it may be there ---
my $part = spurt('part.argv', "qemu-system-x86_64 -nodefaults -readconfig $dir/rest.cfg");
($status, $out) = run_vbench('audit', $part, '--snapshot', $host, '--rules', 'CPU-01,CLK-03,GST-05,GST-06', '--json');
is_deeply [ map { $_->{state} } @{ decode_json($out)->{rules} } ], [ ("can't tell") x 4 ], '-readconfig: accelerator, HPET, rng and agent may be in that file';
is $status, 0, 'and nothing is broken';
($status, $out) = run_vbench('audit', $part, '--snapshot', $host, '--json');
is_deeply [ map { $_->{found} } grep { $_->{state} eq 'broken' && $_->{found} =~ /default/ } map { @{ $_->{findings} } } @{ decode_json($out)->{rules} } ], [], "nothing else is said to be QEMU's default";
$part = spurt('said.argv', "qemu-system-x86_64 -nodefaults -accel tcg -readconfig $dir/rest.cfg");
($status, $out) = run_vbench('audit', $part, '--snapshot', $host, '--rules', 'CPU-01');
is $status, 1, 'what is on it is judged';

# --- remedies can be typed in: what libvirt 9.0 refuses or takes without effect is not among them ---
my $desktop = spurt('desktop.xml', <<'END');
<domain type='kvm' xmlns:o='http://libosinfo.org/xmlns/libvirt/domain/1.0'><name>d</name><memory unit='GiB'>4</memory><vcpu>18</vcpu><iothreads>2</iothreads>
<metadata><o:libosinfo><o:os id='http://microsoft.com/win/11'/></o:libosinfo></metadata>
<os><type arch='x86_64' machine='q35'>hvm</type></os><cpu mode='host-passthrough'><topology sockets='1' cores='9' threads='2'/></cpu>
<devices>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/a'/><target dev='sda' bus='sata'/><address type='drive' controller='0' bus='0' target='0' unit='0'/></disk>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/b'/><target dev='vda' bus='virtio'/></disk>
<interface type='user'><model type='virtio'/></interface><interface type='user'><model type='e1000e'/></interface>
<channel type='spicevmc'/><graphics type='spice'/></devices></domain>
END
($status, $out) = run_vbench('audit', $desktop, '--snapshot', $host, '--for', 'latency', '--rules', 'CPU-03,CPU-10,BLK-01,BLK-05,NET-01,GST-03', '--json');
my %xml;
for my $rule (@{ decode_json($out)->{rules} }) {
	push @{ $xml{ $rule->{id} } }, map { $_->{change}{libvirt} // '' } grep { $_->{state} eq 'broken' } @{ $rule->{findings} };
}
# "CPU topology doesn't match maximum vcpu count"
is_deeply $xml{'CPU-03'}, ["<vcpu>16</vcpu>, and in <cpu> <topology sockets='1' cores='16' threads='1'/>"], 'CPU-03: fewer vCPUs, and the topology of as many';
is_deeply $xml{'CPU-10'}, ["<cpu><topology sockets='1' cores='18' threads='1'/></cpu>"], 'CPU-10: Windows gets cores, not sockets';
# "virtio disk cannot have an address of type 'drive'"
like $xml{'BLK-01'}[0], qr{bus='virtio'/> .*, without the disk's <address>}, 'BLK-01: the address of the old bus goes';
is_deeply $xml{'BLK-05'}, ["<driver ... iothread='1'/> in the disk"], 'BLK-05: there are iothreads, and no fewer are asked for';
# its netdev stays {"type":"user"}
is scalar(grep { m{^<interface type='network'>.*<driver name='vhost'/>\z} } @{ $xml{'NET-01'} }), 2, 'NET-01: no vhost behind a user network';
# "chardev 'spicevmc' not supported without spice graphics"
ok scalar(grep { /<graphics>.*spicevmc/ } @{ $xml{'GST-03'} }), 'GST-03: what goes through SPICE goes with it';

my $partly = do { open my $f, '<', $desktop or die; local $/; <$f> };
$partly =~ s{(<iothreads>)}{<cputune><vcpupin vcpu='0' cpuset='1'/></cputune>$1} or die;
($status, $out) = run_vbench('audit', spurt('partly.xml', $partly), '--snapshot', $host, '--rules', 'CPU-06');
like $out, qr/of 18 vCPUs only these are pinned: 0;/, 'CPU-06 names the vCPUs, which is not how many';

# --- a reason that many rules have is said once ---
($status, $out) = run_vbench('audit', $good);
my ($tail) = $out =~ /\nCAN'T TELL\n(.*)\n\d+ rules: /s;
is scalar(() = $tail =~ /nothing says that web is to run on this host/g), 1, 'that its host is not known is said once';
like $tail, qr/^CPU-03, CPU-04, .*\bGST-01\n {10}nothing says that web/ms, 'of all the rules that want it';
my $cannot = grep { $_->{state} eq "can't tell" } @{ decode_json((run_vbench('audit', $good, '--json'))[1])->{rules} };
is scalar(() = $tail =~ /(?:^|, )[A-Z]+-\d+(?=,|\n|  )/mg), $cannot, 'and no rule is lost';

# --- the rules themselves ---
($status, $out) = run_vbench('audit', '--list', '--json');
my $list = decode_json($out);
is $status, 0, '--list';
cmp_ok scalar(@$list), '>=', 80, 'rules: ' . @$list;
is scalar(grep { $_->{weight} !~ /^(?:must|should|may)$/ || !length $_->{title} } @$list), 0, 'each with weight and title';
for my $part (qw(CPU NUMA MEM BLK IMG NET MIG CLK GST)) {
	ok scalar(grep { $_->{id} =~ /^$part-/ } @$list), "part $part";
}
($status, $out) = run_vbench('help', 'cpu-06');
is $status, 0, 'help of a rule, in any case';
like $out, qr/^CPU-06 .*Rule .*When .*QEMU .*libvirt .*Sources .*https:/s, 'is its section';
($status, $out) = run_vbench('help', 'rules');
like $out, qr/^CPU-01 .*^GST-09 /ms, 'help rules lists them';
($status, $out) = run_vbench('help', 'tuning');
is $out, do { open my $f, '<', 'tuning.md' or die; local $/; <$f> }, 'help tuning is the document';

# --- hostile ---
my $deep = spurt('deep.xml', '<domain>' . ('<a>' x 100000));
($status, $out, $err) = run_vbench('audit', $deep, '--snapshot', $host);
is $status, 2, 'XML without end: 2';
($status, $out, $err) = run_vbench('audit', $good, '--snapshot', spurt('snap.json', '{"format":1,"hwloc":"<topology/>","files":{}}'));
ok $status == 2 || $status == 4, 'a snapshot without a topology: an error';
is $out, '', 'and no audit';

# --- facts: what a check asks for is in the table, else it would never be found ---
my %known;
{
	open my $f, '<', 'harness/vm/keys.c' or die;
	/^\t\{"([^"]+)", VM_/ && ($known{$1} = 1) while <$f>;
}
cmp_ok scalar(keys %known), '>', 100, 'facts in the table: ' . keys %known;
# "vcpu.%u.pin" asks for vcpu.#.pin, "smp.%s" for any that begin with smp.
sub is_known($key) {
	my $pattern = quotemeta($key =~ s/\.(?:%z?u|\d+)(?=\.|\z)/.#/gr);
	$pattern =~ s/\\%s/[a-z-]+/g;
	return scalar grep { /^$pattern$/ } keys %known;
}
my ($asked, @unknown) = (0);
for my $file (glob 'harness/tuner/*.c') {
	open my $f, '<', $file or die;
	my $text = do { local $/; <$f> };
	my @keys = $text =~ /\b(?:vm_get|vm_where|fact_where)\(\s*[^,()]+,\s*[^,()]+,\s*"([^"]+)"/g;
	push @keys, $text =~ /\b(?:vm_number|vm_is)\(\s*[^,()]+,\s*[^,()]+,\s*[^,()]+,\s*"([^"]+)"/g;
	push @keys, $text =~ /\bbytes_of\(\s*[^,()]+,\s*[^,()]+,\s*"([^"]+)"/g;
	push @keys, $text =~ /\b(?:quota|promise)\(\s*s,\s*f,(?:\s*VM_ASKED,)?\s*"([^"]+)"/g;
	push @keys, $text =~ /\bcheck_flag\((?:[^";]|"(?=[^"]*",\s*"))*?"[^"]*",\s*"([^"]+)"/g;
	push @unknown, map { "$file: $_" } grep { !is_known($_) } grep { !/^%s(?:\z|\.)|%\z/ } @keys; # those with a name for %s, or cut by PRIu64, are checked where it is
	$asked += @keys;
}
cmp_ok $asked, '>', 150, "places that ask for a fact: $asked";
is_deeply \@unknown, [], 'each asks for one that there is';
ok !is_known('vcpu.%u.pinned'), 'and one that there is not would be seen';

done_testing;
