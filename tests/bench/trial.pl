#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# What measuring costs beside the measured: harness time per trial, with templates and with cold boot, and where it goes.
#
# One run, whose two cells (guest.start = template, boot) alternate in randomised blocks. A line a figure, NAME VALUE UNIT, on
# stdout, and the same in bench.json. Times are of the host's clock; p10, p50, p90 are over the trials of a cell.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use POSIX qw(floor strftime);
use Test::More ();
use VBTest;

my $BLOCKS = $ENV{VBENCH_BENCH_BLOCKS} // 10;
my $OUT = $ENV{VBENCH_BENCH_JSON} // 'bench.json';

-x VBTest::program() && -e VBTest::guest() . '/fio' or die "bench: build first: make all fio guest\n";
my $s = sandbox();
my $profile = $s->profile('guest.start' => 'template, boot', 'guest.accel' => $ENV{VBENCH_BENCH_ACCEL} // 'auto', 'disk.size' => '64M', 'run.blocks' => $BLOCKS,
	'workload r.rw' => 'randread', 'workload r.runtime' => '300ms');
print STDERR "bench: one run of $BLOCKS blocks with templates and cold boot, some two minutes under emulation\n";
my $v = $s->start_run('--no-report', $profile);
$s->finish($v);
if ($v->{status}) {
	print STDERR $v->{stderr};
	die "bench: the run ended with status $v->{status}\n";
}

# Interpolated between order statistics (Hyndman & Fan 1996, type 7).
sub quantile {
	my ($p, @x) = @_;
	@x = sort { $a <=> $b } @x or return 0;
	my $at = $p * $#x;
	my $i = floor($at);
	return $x[$i] + ($at - $i) * (($x[$i + 1] // $x[$i]) - $x[$i]);
}

my @figures;
sub figure { my ($name, $value, $unit, $digits) = @_; push @figures, { name => $name, value => 0 + sprintf('%.*f', $digits // 4, $value), unit => $unit } }

sub spread {
	my ($name, @x) = @_;
	figure("$name.p50", quantile(0.5, @x), 's');
	figure("$name.p10", quantile(0.1, @x), 's');
	figure("$name.p90", quantile(0.9, @x), 's');
}

my @trials = $s->trials;
my %of;
for my $t (@trials) {
	$t->{ns} = decode_json($t->{phases});
	push @{ $of{ $t->{template} eq '' ? 'boot' : 'template' } }, $t;
}
die "bench: not every trial has its times\n" if grep { !$_->{ns}{all_ns} || !$_->{ns}{fio_process_ns} } @trials;

# Outside of fio's process, and outside of the time that fio was asked to run.
my %median;
for my $start (qw(template boot)) {
	my @beside = map { ($_->{ns}{all_ns} - $_->{ns}{fio_process_ns}) / 1e9 } @{ $of{$start} };
	$median{$start} = quantile(0.5, @beside);
	spread("trial.$start.beside_fio", @beside);
}
figure('trial.boot_to_template', $median{boot} / $median{template}, 'ratio', 2);
my %nominal;
for my $start (qw(template boot)) {
	my @beside = map { ($_->{ns}{all_ns} - $_->{ns}{fio_ns}) / 1e9 } @{ $of{$start} };
	$nominal{$start} = quantile(0.5, @beside);
	spread("trial.$start.beside_runtime", @beside);
}
figure('trial.boot_to_template_by_runtime', $nominal{boot} / $nominal{template}, 'ratio', 2);

# Where it goes: phases of harness/run/trial.c. What fio's process lives beyond its runtime is fio's, and shown apart.
for my $start (qw(template boot)) {
	my @in = map { $_->{ns} } @{ $of{$start} };
	my @names = grep { !/^(?:all|work|fio|fio_process)_ns$/ } sort keys %{ $in[0] };
	for my $name (@names) { figure("phase.$start." . $name =~ s/_ns$//r, quantile(0.5, map { $_->{$name} / 1e6 } @in), 'ms', 2) }
	figure("phase.$start.work_beside_fio", quantile(0.5, map { ($_->{work_ns} - $_->{fio_process_ns}) / 1e6 } @in), 'ms', 2);
	figure("phase.$start.fio_beyond_runtime", quantile(0.5, map { ($_->{fio_process_ns} - $_->{fio_ns}) / 1e6 } @in), 'ms', 2);
	my @rest = map {
		my $n = $_;
		my $sum = $n->{work_ns};
		$sum += $n->{$_} for @names;
		($n->{all_ns} - $sum) / 1e6;
	} @in;
	figure("phase.$start.rest", quantile(0.5, @rest), 'ms', 2);
}

# From one trial's end to the next one's beginning: the store's commit and the loop; at a block's start also its template.
my (@within, @between);
for my $i (1 .. $#trials) {
	my $gap = ($trials[$i]{begun} - $trials[$i - 1]{ended}) / 1e9;
	push @{ $trials[$i]{block} == $trials[$i - 1]{block} ? \@within : \@between }, $gap;
}
spread('store.commit', @within);
spread('template.boot_and_save', map { $_ - quantile(0.5, @within) } @between) if @between;
my ($run) = $s->newest;
figure('run.trials', scalar @trials, 'trials', 0);
figure('run.seconds', ($run->{ended} - $run->{begun}) / 1e9, 's', 1);

printf "%s %s %s\n", @$_{qw(name value unit)} for @figures;
my ($accel) = grep { $_->{key} eq 'guest.accel' } $s->checks;
my $host = decode_json($run->{host_facts});
my %about = (version => $run->{version}, when => strftime('%Y-%m-%dT%H:%M:%SZ', gmtime), accel => $accel ? $accel->{got} : undef, blocks => $BLOCKS + 0,
	cpu => ref $host->{cpu} ? $host->{cpu}{brand} // $host->{cpu}{model} : undef, kernel => $host->{kernel});
spurt($OUT, JSON::PP->new->canonical->pretty->encode({ about => \%about, figures => \@figures }));
print STDERR "bench: accelerator $about{accel}; written to $OUT\n";
