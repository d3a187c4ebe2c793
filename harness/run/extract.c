// SPDX-License-Identifier: GPL-2.0-or-later
/* What a trial measured. Everything here was sent by a guest, or written by another process: types
 * and ranges are checked, nothing is assumed. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "run/extract.h"
#include "stats/stats.h"
#include "store/metric.h"

struct samples {
	struct store_sample *out;
	int n;
};

static void put(struct samples *s, const char *metric, double value)
{
	struct store_sample *x;

	if (s->n >= EXTRACT_MAX || !metric_find(metric) || !isfinite(value) || value < 0)
		return;
	x = &s->out[s->n++];
	snprintf(x->metric, sizeof(x->metric), "%s", metric);
	x->value = value;
}

static double number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

void extract_bin(uint64_t key, double *lo, double *hi)
{
	int bits;

	if (key < 128) {
		*lo = (double)key - 0.5;
		*hi = (double)key + 0.5;
		return;
	}
	bits = 63 - __builtin_clzll(key) - 6;
	*lo = (double)(key - ((1ull << bits) >> 1));
	*hi = *lo + (double)(1ull << bits);
}

struct bin {
	uint64_t key;
	unsigned long long count;
};

static int bin_order(const void *a, const void *b)
{
	uint64_t x = ((const struct bin *)a)->key, y = ((const struct bin *)b)->key;

	return x < y ? -1 : x > y;
}

/* Percentiles of one distribution, from the bins of fio's json+ output. */
static void put_percentiles(struct samples *s, const char *prefix, const json_t *dist)
{
	static const struct {
		const char *name;
		double p;
	} wanted[] = {{"p50", 0.50}, {"p99", 0.99}, {"p99.9", 0.999}};
	const json_t *bins = json_object_get(dist, "bins"), *v;
	size_t n = json_object_size(bins), i = 0, k;
	struct bin *b = xcalloc(n + 1, sizeof(*b));
	double *lo = xcalloc(n + 1, sizeof(*lo)), *hi = xcalloc(n + 1, sizeof(*hi));
	unsigned long long *count = xcalloc(n + 1, sizeof(*count)), total = 0;
	const char *key;

	json_object_foreach((json_t *)bins, key, v)
	{
		json_int_t c = json_integer_value(v);

		/* a count above 2^40 in one trial is a lie, and sums of such would overflow */
		if (c <= 0 || c > (1ll << 40) || i >= n)
			continue;
		b[i].key = strtoull(key, NULL, 10);
		b[i++].count = (unsigned long long)c;
	}
	n = i;
	qsort(b, n, sizeof(*b), bin_order);
	for (i = 0; i < n; i++) {
		extract_bin(b[i].key, &lo[i], &hi[i]);
		count[i] = b[i].count;
		total += count[i];
	}
	for (k = 0; k < sizeof(wanted) / sizeof(*wanted); k++) {
		char metric[40];

		if ((double)total * (1 - wanted[k].p) < 100)
			continue;
		snprintf(metric, sizeof(metric), "%s.%s", prefix, wanted[k].name);
		put(s, metric, histogram_percentile(lo, hi, count, n, wanted[k].p));
	}
	free(b);
	free(lo);
	free(hi);
	free(count);
}

static void put_latency(struct samples *s, const char *dir, const char *part, const json_t *dist)
{
	char prefix[32], metric[40];

	if (!json_is_object(dist) || !(number(dist, "mean") > 0))
		return;
	snprintf(prefix, sizeof(prefix), "%s.%s", dir, part);
	snprintf(metric, sizeof(metric), "%s.mean", prefix);
	put(s, metric, number(dist, "mean"));
	put_percentiles(s, prefix, dist);
}

/* One direction of one job; returns its I/Os. */
static double put_direction(struct samples *s, const char *dir, const json_t *d, double *iops)
{
	double ios = number(d, "total_ios");
	char metric[40];

	if (!(ios > 0))
		return 0;
	snprintf(metric, sizeof(metric), "%s.iops", dir);
	put(s, metric, number(d, "iops"));
	snprintf(metric, sizeof(metric), "%s.bw", dir);
	put(s, metric, number(d, "bw_bytes"));
	put_latency(s, dir, "lat", json_object_get(d, "lat_ns"));
	put_latency(s, dir, "slat", json_object_get(d, "slat_ns"));
	put_latency(s, dir, "clat", json_object_get(d, "clat_ns"));
	if (number(d, "iops") > 0)
		*iops += number(d, "iops");
	return ios;
}

static double cpu_ticks(const json_t *snap, const char *key)
{
	return number(json_object_get(snap, "cpu"), key);
}

/* One counter of /sys/block/NAME/stat (Documentation/block/stat.rst), its growth over the job. */
static double stat_growth(const json_t *a, const json_t *b, size_t field)
{
	const json_t *x = json_array_get(json_object_get(a, "disk_stat"), field);
	const json_t *y = json_array_get(json_object_get(b, "disk_stat"), field);

	return json_is_integer(x) && json_is_integer(y)
		       ? (double)(json_integer_value(y) - json_integer_value(x))
		       : NAN;
}

/*
 * fio's I/Os over the whole job, ramp included, and how many of them one request of the disk stands
 * for: the guest's block layer splits and merges differently on every bus, so requests do not
 * compare, and fio does not count its ramp. Bytes are the common measure.
 */
struct ios {
	double whole, per_request;
};

static struct ios count_ios(const json_t *job, const json_t *reply)
{
	const json_t *a = json_object_get(reply, "before"), *b = json_object_get(reply, "after");
	const json_t *rd = json_object_get(job, "read"), *wr = json_object_get(job, "write");
	double requests = stat_growth(a, b, 0) + stat_growth(a, b, 4);
	double bytes = 512 * (stat_growth(a, b, 2) + stat_growth(a, b, 6));
	double fio_bytes = fmax(0, number(rd, "io_bytes")) + fmax(0, number(wr, "io_bytes"));
	double fio_ios = fmax(0, number(rd, "total_ios")) + fmax(0, number(wr, "total_ios"));

	if (!(requests > 0) || !(bytes > 0) || !(fio_bytes > 0) || !(fio_ios > 0))
		return (struct ios){NAN, NAN};
	return (struct ios){bytes / (fio_bytes / fio_ios),
			    bytes / requests / (fio_bytes / fio_ios)};
}

/* Context switches and steal in the guest, over the whole job. */
static void put_guest(struct samples *s, const json_t *reply, struct ios ios)
{
	static const char *const busy[] = {"user",   "nice", "system",	"idle",
					   "iowait", "irq",  "softirq", "steal"};
	const json_t *a = json_object_get(reply, "before"), *b = json_object_get(reply, "after");
	double all = 0;
	size_t i;

	put(s, "guest.ctxt_per_io", (number(b, "ctxt") - number(a, "ctxt")) / ios.whole);
	for (i = 0; i < sizeof(busy) / sizeof(*busy); i++) {
		double d = cpu_ticks(b, busy[i]) - cpu_ticks(a, busy[i]);

		if (d > 0)
			all += d;
	}
	if (all > 0)
		put(s, "guest.steal", (cpu_ticks(b, "steal") - cpu_ticks(a, "steal")) / all);
}

static void put_share(struct samples *s, const char *metric, uint64_t ns, double n)
{
	if (ns)
		put(s, metric, (double)ns / n);
}

/*
 * CPU time in the window, for each I/O of fio's that the window saw: all that the host spends on
 * it. On the host fio's process is part of that, and the window counts fio's own I/Os.
 */
static void put_cpu(struct samples *s, const struct job_result *r, struct ios ios)
{
	bool host = r->cpu_fio_ns > 0;
	double n = (double)r->cpu_ios * (host ? 1 : ios.per_request);

	if (!(n > 0))
		return;
	put(s, "cpu_per_io",
	    ((double)r->cpu_vcpu_ns + (double)r->cpu_iothread_ns + (double)r->cpu_rest_ns +
	     (double)r->cpu_server_ns + (double)r->cpu_fio_ns) /
		    n);
	if (!host) {
		put(s, "cpu_per_io.vcpu", (double)r->cpu_vcpu_ns / n);
		put(s, "cpu_per_io.iothread", (double)r->cpu_iothread_ns / n);
		put(s, "cpu_per_io.rest", (double)r->cpu_rest_ns / n);
	}
	put_share(s, "cpu_per_io.server", r->cpu_server_ns, n);
	put_share(s, "cpu_per_io.fio", r->cpu_fio_ns, n);
}

/* A counter of the engine's, over all its queues; NAN when any has none. */
static double engine_sum(const json_t *engine, const char *key)
{
	const json_t *queues = json_object_get(engine, "queues");
	double sum = json_array_size(queues) ? 0 : NAN;
	size_t i;

	for (i = 0; i < json_array_size(queues); i++)
		sum += number(json_array_get(queues, i), key);
	return sum;
}

/* What the driver within fio did for each I/O, over the whole job, its ramp included. */
static void put_engine(struct samples *s, const json_t *engine)
{
	double done = engine_sum(engine, "done"), publishes = engine_sum(engine, "publishes");
	static const struct {
		const char *metric, *key, *more;
	} each[] = {
		{"vring.kicks_per_io", "kicks", NULL},
		{"vring.interrupts_per_io", "interrupts", NULL},
		{"vring.sleeps_per_io", "sleeps", NULL},
		{"vring.descs_per_io", "descs", NULL},
		{"vring.lines_per_io", "lines_written", "lines_read"},
	};
	size_t i;

	if (!(done > 0))
		return;
	for (i = 0; i < sizeof(each) / sizeof(*each); i++)
		put(s, each[i].metric,
		    (engine_sum(engine, each[i].key) +
		     (each[i].more ? engine_sum(engine, each[i].more) : 0)) /
			    done);
	if (publishes > 0)
		put(s, "vring.batch", engine_sum(engine, "added") / publishes);
}

double extract_jain(const double *v, size_t n)
{
	double sum = 0, squares = 0;

	for (size_t i = 0; i < n; i++) {
		sum += v[i];
		squares += v[i] * v[i];
	}
	return squares > 0 ? sum * sum / ((double)n * squares) : NAN;
}

/* I/Os a second of one guest, all directions; 0: none. */
static double guest_iops(const struct job_guest *g)
{
	static const char *const dirs[] = {"read", "write", "trim"};
	const json_t *job = extract_group(g->result->fio, NULL);
	double sum = 0;

	for (size_t i = 0; i < 3; i++) {
		double v = number(json_object_get(job, dirs[i]), "iops");

		sum += v > 0 ? v : 0;
	}
	return sum;
}

/* A mean of those that are known. */
static double mean_known(const double *v, size_t n)
{
	double sum = 0;
	size_t known = 0;

	for (size_t i = 0; i < n; i++) {
		if (!isfinite(v[i]))
			continue;
		sum += v[i];
		known++;
	}
	return known ? sum / (double)known : NAN;
}

int extract_together(const struct job_together *t, struct store_sample *out, int n)
{
	double *v = xcalloc(4 * t->n + 1, sizeof(*v));
	double *cpu = v + t->n, *steal = cpu + t->n, *wait = steal + t->n;
	double least = INFINITY, most = 0;
	struct samples s = {out, n};

	for (size_t i = 0; i < t->n; i++) {
		v[i] = guest_iops(&t->guest[i]);
		least = v[i] < least ? v[i] : least;
		most = v[i] > most ? v[i] : most;
		cpu[i] = t->guest[i].cpu;
		steal[i] = t->guest[i].steal;
		wait[i] = t->guest[i].wait;
	}
	put(&s, "fairness.jain", extract_jain(v, t->n));
	if (least > 0)
		put(&s, "guest.iops.min", least);
	put(&s, "guest.iops.max", most);
	put(&s, "guest.cpu", mean_known(cpu, t->n));
	put(&s, "guest.steal", mean_known(steal, t->n));
	put(&s, "runqueue.wait", mean_known(wait, t->n));
	put(&s, "host.cpu", t->host_cpu);
	free(v);
	return s.n;
}

json_t *extract_group(const json_t *fio, struct err *e)
{
	json_t *jobs = json_object_get(fio, "jobs"), *found = NULL, *job;
	size_t i, n = 0;

	json_array_foreach(jobs, i, job)
	{
		const char *name = json_string_value(json_object_get(job, "jobname"));
		json_int_t error = json_integer_value(json_object_get(job, "error"));
		bool load = name && !strcmp(name, CPU_LOAD_JOB);

		if (error) {
			err_set(e, -EPROTO, "fio's %s ended with error %lld (%s)",
				load ? "load on the CPUs" : "job", (long long)error,
				strerror((int)error));
			return NULL;
		}
		if (load)
			continue;
		found = json_is_object(job) ? job : found;
		n++;
	}
	if (found && n == 1)
		return found;
	if (!found)
		err_set(e, -EPROTO, "fio's document has no job in it");
	else
		err_set(e, -EPROTO, "fio's document has %zu jobs instead of one group", n);
	return NULL;
}

int extract_samples(const struct job_result *r, struct store_sample *out, struct err *e)
{
	struct samples s = {out, 0};
	const json_t *job = extract_group(r->fio, e);
	double ios = 0, iops = 0;

	if (!job)
		return -EPROTO;
	/* fio counts the reads of a verification without the time that they took */
	if (!r->reads_check)
		ios += put_direction(&s, "read", json_object_get(job, "read"), &iops);
	ios += put_direction(&s, "write", json_object_get(job, "write"), &iops);
	ios += put_direction(&s, "trim", json_object_get(job, "trim"), &iops);
	if (!(ios > 0))
		return err_set(
			e, -EPROTO,
			"fio completed no I/O in the measured time; give the workload more runtime");
	put(&s, "iops", iops);
	put_latency(&s, "sync", "lat", json_object_get(json_object_get(job, "sync"), "lat_ns"));
	put_cpu(&s, r, count_ios(job, r->reply));
	put_guest(&s, r->reply, count_ios(job, r->reply));
	put_engine(&s, r->engine);
	return r->together ? extract_together(r->together, out, s.n) : s.n;
}
