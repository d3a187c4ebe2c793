// SPDX-License-Identifier: GPL-2.0-or-later
/* Several guests' fio documents and counters added up. Everything here was sent by guests: types
 * are checked, nothing is assumed. */
#include "run/pool.h"
#include <errno.h>
#include <math.h>
#include <string.h>
#include "run/extract.h"

static double number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	double d = json_number_value(v);

	return json_is_number(v) && isfinite(d) && d > 0 ? d : 0;
}

/* Counts above it are lies, as in extract.c, and sums of such would overflow. */
#define COUNT_MAX (1ll << 40)

static void add_bins(json_t *into, const json_t *bins)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)bins, key, v)
	{
		json_int_t n = json_integer_value(v);
		json_int_t had = json_integer_value(json_object_get(into, key));

		if (n > 0 && n <= COUNT_MAX && had <= COUNT_MAX)
			json_object_set_new(into, key, json_integer(had + n));
	}
}

/* {"N", "mean", "bins"} of a latency, over all I/Os of both. */
static void add_latency(json_t *into, const char *name, const json_t *from)
{
	const json_t *dist = json_object_get(from, name);
	json_t *sum = json_object_get(into, name);
	double n = number(dist, "N"), had;

	if (!json_is_object(dist) || !(n > 0))
		return;
	if (!sum) {
		sum = json_pack("{s:f, s:f, s:{}}", "N", 0.0, "mean", 0.0, "bins");
		json_object_set_new(into, name, sum);
	}
	had = number(sum, "N");
	json_object_set_new(
		sum, "mean",
		json_real((number(sum, "mean") * had + number(dist, "mean") * n) / (had + n)));
	json_object_set_new(sum, "N", json_real(had + n));
	add_bins(json_object_get(sum, "bins"), json_object_get(dist, "bins"));
}

static void add_direction(json_t *into, const char *dir, const json_t *job)
{
	static const char *const sums[] = {"total_ios", "io_bytes", "iops", "bw_bytes"};
	static const char *const lats[] = {"lat_ns", "slat_ns", "clat_ns"};
	const json_t *from = json_object_get(job, dir);
	json_t *sum = json_object_get(into, dir);
	size_t i;

	if (!sum) {
		sum = json_object();
		json_object_set_new(into, dir, sum);
	}
	for (i = 0; i < sizeof(sums) / sizeof(*sums); i++)
		json_object_set_new(sum, sums[i],
				    json_real(number(sum, sums[i]) + number(from, sums[i])));
	for (i = 0; i < sizeof(lats) / sizeof(*lats); i++)
		add_latency(sum, lats[i], from);
	if (number(from, "runtime") > number(sum, "runtime"))
		json_object_set_new(sum, "runtime", json_real(number(from, "runtime")));
}

/* Context switches and the disk's counters; the CPUs' are in job_guest. mono_ns is the first's. */
static void add_counters(json_t *into, const char *when, const json_t *reply)
{
	const json_t *from = json_object_get(reply, when);
	const json_t *stat = json_object_get(from, "disk_stat");
	json_t *sum = json_object_get(into, when), *all;
	size_t i;

	if (!sum) {
		sum = json_object();
		json_object_set_new(into, when, sum);
		if (json_is_integer(json_object_get(from, "mono_ns")))
			json_object_set(sum, "mono_ns", json_object_get(from, "mono_ns"));
		json_object_set_new(sum, "disk_stat", json_array());
	}
	json_object_set_new(sum, "ctxt", json_real(number(sum, "ctxt") + number(from, "ctxt")));
	all = json_object_get(sum, "disk_stat");
	for (i = 0; i < json_array_size(stat); i++) {
		json_int_t n = json_integer_value(json_array_get(stat, i));
		json_int_t had = json_integer_value(json_array_get(all, i));

		if (n < 0 || n > INT64_MAX / 128 || had > INT64_MAX / 2)
			n = 0;
		if (i < json_array_size(all))
			json_array_set_new(all, i, json_integer(had + n));
		else
			json_array_append_new(all, json_integer(n));
	}
}

static void add_cpu(struct job_result *into, const struct job_result *r)
{
	into->cpu_vcpu_ns += r->cpu_vcpu_ns;
	into->cpu_iothread_ns += r->cpu_iothread_ns;
	into->cpu_rest_ns += r->cpu_rest_ns;
	into->cpu_server_ns += r->cpu_server_ns;
	into->cpu_ios += r->cpu_ios;
}

int pool_results(struct job_result *r, struct err *e)
{
	json_t *job = json_pack("{s:s, s:i}", "jobname", "all guests", "error", 0);
	json_t *reply = json_object();
	bool cpu = true;
	size_t i;

	for (i = 0; i < r->together->n; i++)
		cpu = cpu && r->together->guest[i].result->cpu_ios;
	for (i = 0; i < r->together->n; i++) {
		const struct job_result *one = r->together->guest[i].result;
		const json_t *from = extract_group(one->fio, e);

		if (!from) {
			err_prefix(e, "guest %zu", i + 1);
			json_decref(job);
			json_decref(reply);
			return -EPROTO;
		}
		add_direction(job, "read", from);
		add_direction(job, "write", from);
		add_direction(job, "trim", from);
		if (!json_object_get(job, "sync"))
			json_object_set_new(job, "sync", json_object());
		add_latency(json_object_get(job, "sync"), "lat_ns", json_object_get(from, "sync"));
		add_counters(reply, "before", one->reply);
		add_counters(reply, "after", one->reply);
		/* a guest whose window cannot be told would leave I/Os without their CPU time */
		if (cpu)
			add_cpu(r, one);
	}
	r->fio = json_pack("{s:O?, s:[o]}", "fio version",
			   json_object_get(r->together->guest[0].result->fio, "fio version"),
			   "jobs", job);
	r->reply = reply;
	return 0;
}

static json_t *known(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

json_t *pool_together(const struct job_together *t, unsigned vcpus, unsigned cpus)
{
	json_t *guests = json_array();
	uint64_t first = UINT64_MAX;
	size_t i, d;

	for (i = 0; i < t->n; i++)
		first = t->guest[i].from_ns < first ? t->guest[i].from_ns : first;
	for (i = 0; i < t->n; i++) {
		static const char *const dirs[] = {"read", "write", "trim"};
		const struct job_guest *g = &t->guest[i];
		const json_t *job = extract_group(g->result->fio, NULL);
		double iops = 0, bw = 0;

		for (d = 0; d < 3; d++) {
			iops += number(json_object_get(job, dirs[d]), "iops");
			bw += number(json_object_get(job, dirs[d]), "bw_bytes");
		}
		json_array_append_new(guests, json_pack("{s:f, s:f, s:I, s:o, s:o, s:o}", "iops",
							iops, "bw", bw, "start_ns",
							(json_int_t)(g->from_ns - first), "cpu",
							known(g->cpu), "steal", known(g->steal),
							"wait", known(g->wait)));
	}
	return json_pack("{s:i, s:i, s:i, s:f, s:I, s:f, s:o, s:o}", "count", (int)t->n, "vcpus",
			 (int)vcpus, "cpus", (int)cpus, "ratio",
			 (double)(t->n * vcpus) / (cpus ? cpus : 1), "spread_ns",
			 (json_int_t)t->spread_ns, "overlap", t->overlap, "host_cpu",
			 known(t->host_cpu), "guests", guests);
}
