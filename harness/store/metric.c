/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of metrics, and values as people read them. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "store/metric.h"

/*
 * Smallest effects of interest (statistics.md, part 4): 2 % for rates and means, 5 % for p99, 10 %
 * for p99.9; for those compared by difference in the metric's own unit. p50 is not judged below one
 * bin of fio's histogram, at most 1.6 %, so 2 % too. What may be 0 has no logarithm and is compared
 * by difference.
 */
#define IO(dir, name)                                                                              \
	{dir ".iops", name "s per second", "IOPS", HIGHER_IS_BETTER, SCALE_RATIO, 0.02, false},    \
		{dir ".bw", name " bandwidth", "B/s", HIGHER_IS_BETTER, SCALE_RATIO, 0.02, false}, \
		{dir ".lat.mean",                                                                  \
		 name " latency, mean",                                                            \
		 "ns",                                                                             \
		 LOWER_IS_BETTER,                                                                  \
		 SCALE_RATIO,                                                                      \
		 0.02,                                                                             \
		 false},                                                                           \
		{dir ".lat.p50",                                                                   \
		 name " latency, median",                                                          \
		 "ns",                                                                             \
		 LOWER_IS_BETTER,                                                                  \
		 SCALE_RATIO,                                                                      \
		 0.02,                                                                             \
		 true},                                                                            \
		{dir ".lat.p99",                                                                   \
		 name " latency, 99th percentile",                                                 \
		 "ns",                                                                             \
		 LOWER_IS_BETTER,                                                                  \
		 SCALE_RATIO,                                                                      \
		 0.05,                                                                             \
		 true},                                                                            \
		{dir ".lat.p99.9",                                                                 \
		 name " latency, 99.9th percentile",                                               \
		 "ns",                                                                             \
		 LOWER_IS_BETTER,                                                                  \
		 SCALE_RATIO,                                                                      \
		 0.10,                                                                             \
		 true},                                                                            \
		{dir ".slat.mean",                                                                 \
		 name " submission latency, mean",                                                 \
		 "ns",                                                                             \
		 LOWER_IS_BETTER,                                                                  \
		 SCALE_RATIO,                                                                      \
		 0.02,                                                                             \
		 false},                                                                           \
		{dir ".clat.mean",                                                                 \
		 name " completion latency, mean",                                                 \
		 "ns",                                                                             \
		 LOWER_IS_BETTER,                                                                  \
		 SCALE_RATIO,                                                                      \
		 0.02,                                                                             \
		 false},                                                                           \
	{                                                                                          \
		dir ".clat.p99", name " completion latency, 99th percentile", "ns",                \
			LOWER_IS_BETTER, SCALE_RATIO, 0.05, true                                   \
	}

#define CPU(id, title, effect)                                                       \
	{                                                                            \
		id, title, "ns/IO", LOWER_IS_BETTER, SCALE_DIFFERENCE, effect, false \
	}

/* Counts per I/O that can be 0: of what moves or wakes another core. */
#define PER_IO(id, title)                                                                    \
	{                                                                                    \
		id, title " per I/O", "1/IO", LOWER_IS_BETTER, SCALE_DIFFERENCE, 0.02, false \
	}

const struct metric_row metrics[] = {
	{"iops", "I/Os per second, all directions", "IOPS", HIGHER_IS_BETTER, SCALE_RATIO, 0.02,
	 false},
	IO("read", "read"),
	IO("write", "write"),
	{"sync.lat.mean", "sync latency, mean", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.02, false},
	{"sync.lat.p99", "sync latency, 99th percentile", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.05,
	 true},
	CPU("cpu_per_io", "CPU time of the host per I/O", 500),
	CPU("cpu_per_io.vcpu", "CPU time of QEMU per I/O, vCPU threads", 500),
	CPU("cpu_per_io.iothread", "CPU time of QEMU per I/O, I/O threads", 500),
	CPU("cpu_per_io.rest", "CPU time of QEMU per I/O, other threads", 500),
	CPU("cpu_per_io.server", "CPU time of the vhost-user or NBD server per I/O", 50),
	CPU("cpu_per_io.fio", "CPU time of fio on the host per I/O", 50),
	{"iops.per_disk", "I/Os per second and disk", "IOPS", HIGHER_IS_BETTER, SCALE_RATIO, 0.02,
	 false},
	{"plug.time", "time until all disks are there", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.05,
	 false},
	{"host.rss", "resident memory of QEMU, disks plugged", "B", LOWER_IS_BETTER, SCALE_RATIO,
	 0.02, false},
	{"image.create", "time to create the image", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.05,
	 false},
	{"image.convert", "time to convert the image from raw", "ns", LOWER_IS_BETTER, SCALE_RATIO,
	 0.05, false},
	PER_IO("vring.kicks_per_io", "kicks of the vring driver"),
	PER_IO("vring.interrupts_per_io", "interrupts of the vring driver"),
	PER_IO("vring.sleeps_per_io", "sleeps of the vring driver"),
	PER_IO("vring.descs_per_io", "ring descriptors"),
	PER_IO("vring.lines_per_io", "cache lines of the ring moved"),
	{"vring.batch", "requests made visible at once by the vring driver", "chains",
	 HIGHER_IS_BETTER, SCALE_RATIO, 0.05, false},
	{"guest.ctxt_per_io", "context switches in the guest per I/O", "1/IO", LOWER_IS_BETTER,
	 SCALE_DIFFERENCE, 0.05, false},
	{"guest.steal", "CPU time stolen from the guest", "share", LOWER_IS_BETTER,
	 SCALE_DIFFERENCE, 0.01, false},
	{"fairness.jain", "fairness among guests (Jain's index of their IOPS)", "share",
	 HIGHER_IS_BETTER, SCALE_DIFFERENCE, 0.01, false},
	{"guest.iops.min", "I/Os per second of the slowest guest", "IOPS", HIGHER_IS_BETTER,
	 SCALE_RATIO, 0.02, false},
	{"guest.iops.max", "I/Os per second of the fastest guest", "IOPS", HIGHER_IS_BETTER,
	 SCALE_RATIO, 0.02, false},
	{"guest.cpu", "utilisation of the guests' CPUs, as they see it", "share", LOWER_IS_BETTER,
	 SCALE_DIFFERENCE, 0.01, false},
	{"runqueue.wait", "time that vCPUs waited for a CPU of the host", "share", LOWER_IS_BETTER,
	 SCALE_DIFFERENCE, 0.01, false},
	{"host.cpu", "utilisation of the host's CPUs", "share", LOWER_IS_BETTER, SCALE_DIFFERENCE,
	 0.01, false},
	{"image.bytes", "image size on the host's disk", "B", LOWER_IS_BETTER, SCALE_EXACT, 0,
	 false},
};

const size_t nmetrics = sizeof(metrics) / sizeof(metrics[0]);

double metric_sd_floor(const struct metric_row *m)
{
	return m->percentile ? METRIC_BIN / sqrt(12) : 0;
}

const struct metric_row *metric_find(const char *id)
{
	size_t i;

	for (i = 0; i < nmetrics; i++)
		if (!strcmp(metrics[i].id, id))
			return &metrics[i];
	return NULL;
}

/* A row of prefixes: a value below "below" (after rounding) is divided by "by" and gets "suffix".
 */
struct prefix {
	double below, by;
	const char *suffix;
};

/* From 999.5 on, three digits round to 1000. */
static const struct prefix si[] = {
	{999.5, 1, " "}, {999.5e3, 1e3, "k "}, {999.5e6, 1e6, "M "}, {INFINITY, 1e9, "G "}};
static const struct prefix binary[] = {{1023.5, 1, " "},
				       {1023.5 * 0x1p10, 0x1p10, " Ki"},
				       {1023.5 * 0x1p20, 0x1p20, " Mi"},
				       {1023.5 * 0x1p30, 0x1p30, " Gi"},
				       {INFINITY, 0x1p40, " Ti"}};
static const struct prefix times[] = {
	{999.5, 1, " ns"}, {999.5e3, 1e3, " us"}, {999.5e6, 1e6, " ms"}, {INFINITY, 1e9, " s"}};
static const struct prefix plain[] = {{INFINITY, 1, ""}};

static const struct {
	const char *unit;
	const struct prefix *prefixes;
	double times;	   /* to what is printed */
	const char *after; /* the prefix */
} formats[] = {
	{"IOPS", si, 1, "IOPS"},     {"B/s", binary, 1, "B/s"},
	{"B", binary, 1, "B"},	     {"ns", times, 1, ""},
	{"ns/IO", times, 1, "/IO"},  {"1/IO", plain, 1, " per I/O"},
	{"share", plain, 100, " %"}, {"chains", plain, 1, " chains"},
};

/* Three significant digits; whole numbers from 100 on, so "1020 MiB/s" keeps its four. */
static int digits(double v)
{
	if (v == 0 || v >= 99.95)
		return 0;
	if (v >= 9.995)
		return 1;
	if (v >= 0.9995)
		return 2;
	if (v >= 0.09995)
		return 3;
	return 4;
}

char *metric_text(const struct metric_row *m, double value, char *buf, size_t size)
{
	const struct prefix *p = plain;
	const char *after = "";
	double v = fabs(value);
	size_t i;

	if (!isfinite(value)) {
		snprintf(buf, size, "-");
		return buf;
	}
	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(formats[i].unit, m->unit))
			continue;
		p = formats[i].prefixes;
		after = formats[i].after;
		v *= formats[i].times;
	}
	while (v >= p->below)
		p++;
	v /= p->by;
	snprintf(buf, size, "%s%.*f%s%s", value < 0 ? "-" : "", digits(v), v, p->suffix, after);
	return buf;
}
