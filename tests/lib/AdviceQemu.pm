# SPDX-License-Identifier: GPL-2.0-or-later
# Whether QEMU knows what advice names: options, properties, keys and QMP commands, asked of the real program, which starts no machine.
package AdviceQemu;
use strict;
use warnings;
use IPC::Open2;
use JSON::PP;

# What is newer than the oldest QEMU that the tests meet (7.2): word, the version in which it came, and where that is said.
# Advice may name it only beside that version.
our %LATER = (
	'iothread-vq-mapping' => [ '9.0', 'QEMU 9.0, qapi/virtio.json: IOThreadVirtQueueMapping' ],
	'vqs'                 => [ '9.0', 'the same' ],
	'dirty-limit'         => [ '8.1', 'QEMU 8.1, qapi/migration.json: MigrationCapability' ],
);

# Options whose values have names in front, and where QEMU keeps them.
my %LISTS = (smp => 'smp-opts', overcommit => 'overcommit', rtc => 'rtc', name => 'name', chardev => 'chardev', drive => 'drive');

# A QEMU without a machine that answers; undef when there is none.
sub new {
	my ($class) = @_;
	grep { -x "$_/qemu-system-x86_64" } split /:/, $ENV{PATH} or return;
	my $pid = open2(my $out, my $in, 'qemu-system-x86_64', qw(-machine none -nodefaults -display none -S -qmp stdio));
	my $q = bless { pid => $pid, in => $in, out => $out, cache => {} }, $class;
	my $hello = decode_json(scalar(<$out>) // die "QEMU does not answer\n");
	my $v = $hello->{QMP}{version}{qemu};
	$q->{version} = "$v->{major}.$v->{minor}";
	$q->ask('qmp_capabilities');
	$q->{schema} = { map { $_->{name} => $_ } @{ $q->ask('query-qmp-schema') } };
	$q->{lists} = { map { $_->{option} => { map { $_->{name} => 1 } @{ $_->{parameters} } } } @{ $q->ask('query-command-line-options') } };
	my $help = `qemu-system-x86_64 -help 2>/dev/null`;
	$q->{options} = { M => 1, map { $_ => 1 } $help =~ /^-([a-zA-Z][\w-]*)/gm };    # -M: the manual's short form of -machine
	return $q;
}

sub DESTROY {
	my ($q) = @_;
	local ($?, $!);
	close $q->{in};
	kill 'KILL', $q->{pid};
	waitpid $q->{pid}, 0;
}

# The answer of a command; undef for an error.
sub ask {
	my ($q, $command, %args) = @_;
	print { $q->{in} } encode_json({ execute => $command, %args ? (arguments => \%args) : () }), "\n";
	$q->{in}->flush;
	while (defined(my $line = readline $q->{out})) {
		my $got = decode_json($line);
		return $got->{return} if exists $got->{return};
		return if $got->{error};
	}
	die "QEMU is gone\n";
}

sub command { my ($q, $name) = @_; my $s = $q->{schema}{$name}; return $s && $s->{'meta-type'} eq 'command' }

# Names of the members of a QAPI type with those of its variant, one level below with dots.
sub members {
	my ($q, $type, $variant, $depth) = @_;
	my $s = $q->{schema}{ $type // '' } // return {};
	my %got;
	for my $m (@{ $s->{members} // [] }) {
		next if !ref $m;
		$got{ $m->{name} } = $m->{type};
		my $below = $q->{schema}{ $m->{type} };
		next if $depth || !$below || $below->{'meta-type'} ne 'object';
		my $more = $q->members($m->{type}, undef, 1);
		$got{"$m->{name}.$_"} = $more->{$_} for keys %$more;
	}
	for my $v (@{ $s->{variants} // [] }) {
		next if defined $variant && $v->{case} ne $variant;
		%got = (%got, %{ $q->members($v->{type}, undef, $depth) });
	}
	return \%got;
}

# Values of an enumeration; nothing for another type.
sub values_of {
	my ($q, $type) = @_;
	my $s = $q->{schema}{ $type // '' };
	return if !$s || $s->{'meta-type'} ne 'enum';
	return map { ref $_ ? $_->{name} : $_ } @{ $s->{values} // [ map { $_->{name} } @{ $s->{members} } ] };
}

# Members of the argument of a command, with a variant's.
sub arguments { my ($q, $command, $variant) = @_; return $q->members($q->{schema}{$command}{'arg-type'}, $variant) }

# Capabilities and parameters of migration.
sub capability {
	my ($q, $name) = @_;
	my $list = $q->{schema}{ $q->{schema}{'migrate-set-capabilities'}{'arg-type'} }{members}[0]{type};
	my $what = $q->{schema}{ $q->{schema}{$list}{'element-type'} };
	my ($enum) = map { $_->{type} } grep { $_->{name} eq 'capability' } @{ $what->{members} };
	return scalar grep { $_ eq $name } $q->values_of($enum);
}

# Properties of a device or another type, by name.
sub properties {
	my ($q, $how, $type) = @_;
	return $q->{cache}{$how}{$type} //= do {
		my $got = $q->ask($how, typename => $type);
		$got && { map { $_->{name} => 1 } @$got };
	};
}

# Names that a user may write with - or _.
sub has { my ($set, $name) = @_; return $set && ($set->{$name} || $set->{ $name =~ tr/_/-/r } || $set->{ $name =~ tr/-/_/r }) }

my %ALIAS = ('virtio-serial' => 'virtio-serial-pci', 'virtio-blk' => 'virtio-blk-pci', lsi => 'lsi53c895a');    # QEMU, softmmu/qdev-monitor.c: qdev_alias_table

# All properties by which advice may set something without saying on what: "num-queues=N".
sub anything {
	my ($q) = @_;
	return $q->{anything} //= {
		(map { %{ $q->properties('device-list-properties', $_) } } qw(virtio-blk-pci virtio-scsi-pci virtio-net-pci scsi-hd)),
		(map { %{ $q->properties('qom-list-properties', $_) } } qw(memory-backend-memfd memory-backend-ram memory-backend-file iothread)),
		(map { $_ => 1 } keys %{ $q->arguments('blockdev-add') }), %{ $q->{lists}{'smp-opts'} }, %{ $q->{lists}{drive} },
		%{ $q->{lists}{overcommit} }, cache => 1,
	};
}

sub cpu_features {
	my ($q) = @_;
	return $q->{cpu} //= { map { %{ $q->properties('device-list-properties', "$_-x86_64-cpu") // {} } } 'max', 'qemu64', 'host' };
}

# "a=1,b,c=2" without "..." as pairs; a name alone has no value.
sub pairs { return map { [ split /=/, $_, 2 ] } grep { length && $_ ne '...' } split /,/, $_[0] }

# What has values has to have a name, too, or QEMU refuses it; "..." says that there is more, and a type alone is only named.
sub whole {
	my ($value, $option, $name) = @_;
	return $value !~ /,.*=./ || $value =~ /\.\.\./ || $value =~ /\b\Q$name\E=/ ? () : "-$option without $name";
}

# Each of these gets the value of an option and says what QEMU does not know in it.
my %CHECK = (
	device => sub {
		my ($q, $value) = @_;
		my ($driver, @keys);
		if ($value =~ /^\{/) {
			my $j = eval { decode_json($value) } // return 'no JSON';
			$driver = delete $j->{driver};
			@keys = sort keys %$j;
		} else {
			my ($first, @pairs) = pairs($value);
			$driver = $first->[0] // '';
			return () if $value =~ /^\.\.\./ && !grep { !has($q->anything, $_->[0]) && $_->[0] !~ /^[rw]error$/ } $first, @pairs;
			@keys = map { $_->[0] } @pairs;
		}
		my $p = $q->properties('device-list-properties', $ALIAS{$driver} // $driver) // return "device $driver";
		return map { "$driver: $_" } grep { !has($p, $_) && !/^(?:id|bus|addr)$/ } @keys;
	},
	object => sub {
		my ($q, $value) = @_;
		my ($type, @pairs) = pairs($value);
		my $p = $q->properties('qom-list-properties', $type->[0]) // return "object $type->[0]";
		return ((map { "$type->[0]: $_" } grep { !has($p, $_) && $_ ne 'id' } map { $_->[0] } @pairs), whole($value, 'object', 'id'));
	},
	machine => sub {
		my ($q, $value) = @_;
		my %known = map { $_->{name} => 1, $_->{alias} // '' => 1 } @{ $q->ask('query-machines') };
		my @pairs = pairs($value);
		my $type = @pairs && !defined $pairs[0][1] ? (shift @pairs)->[0] : 'q35';
		return "machine $type" if !$known{$type};
		# not by QMP: a machine type that is only asked about leaves notifiers behind, of which microvm's end QEMU
		my $p = $q->{cache}{machine}{$type} //= { map { $_ => 1 } `qemu-system-x86_64 -machine $type,help 2>/dev/null` =~ /^\s+([\w-]+)=/gm };
		return map { "machine $type: $_->[0]" } grep { !has($p, $_->[0]) && $_->[0] ne 'accel' } @pairs;
	},
	cpu => sub {
		my ($q, $value) = @_;
		my ($model, @pairs) = pairs($value);
		my %models = map { $_->{name} => 1 } @{ $q->ask('query-cpu-definitions') };
		my @bad = $models{ $model->[0] } || $model->[0] =~ /^(?:[A-Z]+|\.\.\.)$/ ? () : "CPU model $model->[0]";
		return (@bad, map { "-cpu: $_" } grep { !has($q->cpu_features, $_) } map { $_->[0] =~ s/^[+-]//r } @pairs);
	},
	accel => sub {
		my ($q, $value) = @_;
		my ($type, @pairs) = pairs($value);
		my $p = $q->properties('qom-list-properties', "$type->[0]-accel") // return "accelerator $type->[0]";
		return map { "accel $type->[0]: $_->[0]" } grep { !has($p, $_->[0]) } @pairs;
	},
	netdev => sub { return (by_schema(@_, 'netdev_add', 'type'), whole($_[1], 'netdev', 'id')) },
	numa => sub { return by_schema(@_, 'set-numa-node', 'type') },
	blockdev => sub { return (by_schema(@_, 'blockdev-add', 'driver'), whole($_[1], 'blockdev', 'node-name')) },
	drive => sub {
		my ($q, $value) = @_;
		my $known = $q->arguments('blockdev-add');
		my %modes = map { $_ => 1 } qw(none writeback writethrough directsync unsafe);    # qemu(1), -drive cache=
		return map { "-drive: $_->[0]" . (defined $_->[1] ? "=$_->[1]" : '') }
			grep { $_->[0] eq 'cache' ? !$modes{ $_->[1] } : !$q->{lists}{drive}{ $_->[0] } && !$known->{ $_->[0] } } pairs($value);
	},
	global => sub {
		my ($q, $value) = @_;
		my ($driver, $property) = $value =~ /^([^.]+)\.([^=]+)=/ or return "-global $value";
		return has($q->properties('device-list-properties', $driver), $property) ? () : "-global $driver.$property";
	},
	(map { $_ => sub { my ($q, $value) = @_; return `qemu-system-x86_64 -$_[2] help 2>/dev/null` =~ /^\Q$value\E\b/m ? () : "-$_[2] $value" } } 'vga'),
);
$CHECK{M} = $CHECK{machine};

# "driver,key=value" by the schema of the QMP command that does the same; enumerations by their values.
sub by_schema {
	my ($q, $value, $option, $command, $by) = @_;
	my ($type, @pairs) = pairs($value);
	my $what = $type && defined $type->[1] && $type->[0] eq $by ? $type->[1] : $type->[0];
	my $arguments = $q->{schema}{ $q->{schema}{$command}{'arg-type'} };
	my @cases = map { $_->{case} } @{ $arguments->{variants} };
	if ($value =~ /^\.\.\./) {
		undef $what;
		unshift @pairs, $type;
	} elsif (!grep { $_ eq $what } @cases) {
		return "-$option $what";
	}
	my $known = $q->arguments($command, $what);
	my @bad;
	for my $pair (@pairs) {
		my ($key, $val) = @$pair;
		my @values = $q->values_of($known->{$key});
		push @bad, "-$option: $key" if !exists $known->{$key};
		push @bad, "-$option: $key=$val" if @values && !grep { $_ eq $val } @values;
	}
	return @bad;
}

# Words of a command line: blanks part them, but not within '...'.
sub words {
	my ($text) = @_;
	my @words;
	push @words, defined $1 ? $1 : $2 while $text =~ /'([^']*)'|(\S+)/g;
	return @words;
}

# What QEMU does not know in a text with options in it; prose around them is passed over.
sub line {
	my ($q, $text) = @_;
	my @words = words($text);
	my @bad;
	for (my $i = 0; $i < @words; $i++) {
		my ($option) = $words[$i] =~ /^-([a-zA-Z][a-zA-Z_-]*)[,;)]?$/ or next;
		push(@bad, "-$option"), next if !$q->{options}{$option};
		my $value = $i + 1 < @words ? $words[ $i + 1 ] : '';
		# an option that is only named has nothing after it that could be its value
		next if $words[$i] =~ /[,;)]$/ || $value =~ /^(?:-\w|\(|$)/ || $value eq '...' || $text =~ /fewer -$option|-$option for|in place/;
		$i++;
		$value =~ s/[,;:)]+$|(?<!\.)\.$// unless $value =~ /^\{/;
		if ($CHECK{$option}) {
			push @bad, $CHECK{$option}->($q, $value, $option);
		} elsif ($LISTS{$option}) {
			my $known = $q->{lists}{ $LISTS{$option} };
			my ($first, @pairs) = pairs($value);
			push @pairs, $first if defined $first->[1];
			push @bad, map { "-$option: $_->[0]" } grep { !has($known, $_->[0]) && $_->[0] ne 'id' } @pairs;
		}
	}
	# memory that nothing uses is there twice
	push @bad, map { "memory $_ is not used" } grep { $text !~ /(?:memory-backend|memdev)=$_\b/ } $text =~ /-object memory-backend-[^ ]*\bid=(\w+)/g
		if $text !~ /\.\.\./;
	return @bad;
}

# "key=value" or "key" without an option: something must have that property.
sub word {
	my ($q, $word) = @_;
	my ($key, $value) = split /=/, $word, 2;
	return () if has($q->anything, $key);
	return () if has($q->cpu_features, $key);
	return $word;
}

# Whether every unknown is in the table of later things, whose version the section names, and this QEMU is older.
sub later {
	my ($q, $bad, $section) = @_;
	for my $word (keys %LATER) {
		my ($version) = @{ $LATER{$word} };
		next if $bad !~ /\Q$word\E/;
		return $section =~ /\b\Q$version\E\b/ && older($q->{version}, $version);
	}
	return 0;
}

# Versions by their numbers: 7.2 is older than 10.0.
sub older {
	my ($x, $y) = map { [ split /\./ ] } @_;
	for my $i (0 .. 2) {
		my $d = ($x->[$i] // 0) <=> ($y->[$i] // 0);
		return $d < 0 if $d;
	}
	return 0;
}

1;
