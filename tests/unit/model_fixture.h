/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Made-up models to try reports on: a rich one (12 cells, 2 workloads, 8 blocks, every kind of
 * trouble), and a small one whose figures are round. Built with the x* functions, so model_free()
 * takes them.
 */
#ifndef VB_TESTS_MODEL_FIXTURE_H
#define VB_TESTS_MODEL_FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/model.h"

enum { FIX_CELLS = 12, FIX_BLOCKS = 8 };

static const struct metric_row fixture_metrics[] = {
	{"read.iops", "reads per second", "IOPS", HIGHER_IS_BETTER, SCALE_RATIO, 0.02, false},
	{"read.lat.mean", "read latency, mean", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.02, false},
	{"read.lat.p50", "read latency, median", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.02, true},
	{"read.lat.p99", "read latency, 99th percentile", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.05,
	 true},
	{"read.lat.p99.9", "read latency, 99.9th percentile", "ns", LOWER_IS_BETTER, SCALE_RATIO,
	 0.1, true},
	{"read.bw", "read bandwidth", "B/s", HIGHER_IS_BETTER, SCALE_RATIO, 0.02, false},
	{"cpu_per_io", "CPU time of QEMU per I/O", "ns/IO", LOWER_IS_BETTER, SCALE_DIFFERENCE, 500,
	 false},
	{"image.bytes", "image size on the host's disk", "B", LOWER_IS_BETTER, SCALE_EXACT, 0,
	 false},
};
enum { FIX_METRICS = sizeof(fixture_metrics) / sizeof(fixture_metrics[0]) };

/* A deterministic number in -1..1. */
static double fixture_noise(unsigned a, unsigned b, unsigned c)
{
	uint64_t x = (a + 1) * 0x9e3779b97f4a7c15ull ^ (b + 1) * 0xc2b2ae3d27d4eb4full ^
		     (c + 1) * 0x165667b19e3779f9ull;

	x ^= x >> 31;
	x *= 0x7fb5d329728ea185ull;
	x ^= x >> 27;
	return (double)(x % 20001) / 10000.0 - 1;
}

/* 2.365: Student's t, 7 degrees of freedom, 97.5 %. Good enough to look at; nothing is judged by
 * it. */
static struct interval fixture_mean(const double *x, size_t n, bool logs)
{
	struct interval r = {NAN, NAN, NAN, n, NAN};
	double sum = 0, squares = 0;

	for (size_t i = 0; i < n; i++)
		sum += logs ? log(x[i]) : x[i];
	for (size_t i = 0; i < n; i++)
		squares += pow((logs ? log(x[i]) : x[i]) - sum / n, 2);
	r.sd = sqrt(squares / (n - 1));
	r.mid = sum / n;
	r.lo = r.mid - 2.365 * r.sd / sqrt(n);
	r.hi = r.mid + 2.365 * r.sd / sqrt(n);
	if (logs) {
		r.mid = exp(r.mid);
		r.lo = exp(r.lo);
		r.hi = exp(r.hi);
	}
	return r;
}

static void fixture_compare(struct model_value *v, const struct model_value *first)
{
	double d[FIX_BLOCKS];
	bool difference = v->metric->scale == SCALE_DIFFERENCE;

	for (size_t b = 0; b < FIX_BLOCKS; b++)
		d[b] = difference ? v->points[b] - first->points[b]
				  : v->points[b] / first->points[b];
	v->ratio = fixture_mean(d, FIX_BLOCKS, !difference);
	double equal = difference ? 0 : 1;

	v->differs = v->ratio.lo > equal || v->ratio.hi < equal;
	v->better = v->differs && (v->ratio.mid > equal) == (v->metric->better == HIGHER_IS_BETTER);
	if (!difference)
		v->same = v->ratio.lo > 1 / 1.02 && v->ratio.hi < 1.02;
	v->differs = v->differs && !v->same;
	v->verdict = v->same	   ? VERDICT_SAME
		     : !v->differs ? VERDICT_UNDECIDED
		     : v->better   ? VERDICT_BETTER
				   : VERDICT_WORSE;
	if (v->verdict == VERDICT_UNDECIDED)
		v->more = (struct forecast){true, 3, 41};
}

static void fixture_row(struct model_row *r, unsigned w, unsigned c)
{
	static const double base[] = {41000, 190e3, 170e3, 420e3, 1.9e6, 168e6, 21500, 1.07e9};

	r->cell = c;
	r->ok = FIX_BLOCKS;
	r->nvalues = FIX_METRICS;
	r->values = xcalloc(FIX_METRICS, sizeof(*r->values));
	for (unsigned k = 0; k < FIX_METRICS; k++) {
		struct model_value *v = &r->values[k];
		double good = 1 + 0.017 * (double)(c % 6) * (w ? -0.6 : 1) + (c >= 6 ? -0.16 : 0);
		double way = fixture_metrics[k].better == HIGHER_IS_BETTER ? good : 1 / good;

		v->metric = &fixture_metrics[k];
		v->robust = v->ratio = (struct interval){NAN, NAN, NAN, 0, NAN};
		v->p = NAN;
		v->points = xcalloc(FIX_BLOCKS, sizeof(double));
		for (unsigned b = 0; b < FIX_BLOCKS; b++)
			v->points[b] = v->metric->scale == SCALE_EXACT
					       ? base[k] * (c % 3 == 2 ? 1 : 0.25)
					       : base[k] * way * (w ? 0.4 : 1) *
							 (1 + 0.03 * fixture_noise(b, w, 99) +
							  0.025 * fixture_noise(c, b, k + 10 * w));
		v->abs = fixture_mean(v->points, FIX_BLOCKS, v->metric->scale == SCALE_RATIO);
	}
}

static void fixture_effect(struct model_effect *e, const char *axis, const char *from,
			   const char *to, double mid, double half)
{
	e->axis = xstrdup(axis);
	e->from = xstrdup(from);
	e->to = xstrdup(to);
	e->ratio = (struct interval){mid, mid / (1 + half), mid * (1 + half), FIX_BLOCKS, half};
	e->differs = e->ratio.lo > 1 || e->ratio.hi < 1;
	e->better = e->differs && mid > 1;
	e->verdict = !e->differs ? VERDICT_UNDECIDED : e->better ? VERDICT_BETTER : VERDICT_WORSE;
	e->metric = &fixture_metrics[0];
	e->combos = 6;
}

static void fixture_workload(struct model_workload *w, unsigned i)
{
	w->name = xstrdup(i ? "randread-1" : "randread-8");
	w->describe = xstrdup(i ? "randread 4k, QD 1, 700 ms" : "randread 4k, QD 8, 700 ms");
	w->primary = &fixture_metrics[i ? 1 : 0];
	w->min_effect = 0.02;
	w->spread = (struct model_spread){.second = 0.048,
					  .between = 0.049,
					  .length = 2,
					  .overhead = 0.9,
					  .trials = 95,
					  .slow = 3,
					  .judged = 94,
					  .slow_by = 0.82};
	w->best_seconds = 0.93;
	w->nrows = FIX_CELLS;
	w->rows = xcalloc(FIX_CELLS, sizeof(*w->rows));
	for (unsigned c = 0; c < FIX_CELLS; c++) {
		fixture_row(&w->rows[c], i, c);
		for (unsigned k = 0; c && k < FIX_METRICS; k++)
			fixture_compare(&w->rows[c].values[k], &w->rows[0].values[k]);
		w->rows[c].best_set = c >= 2 && c < 6;
	}
	if (!i) {
		w->rows[7].failed = 2;
		w->rows[7].ok = 6;
		w->rows[7].too_many_failed = true;
		for (unsigned k = 0; k < FIX_METRICS; k++) {
			w->rows[7].values[k].ratio = (struct interval){NAN, NAN, NAN, 0, NAN};
			w->rows[7].values[k].differs = false;
			w->rows[7].values[k].verdict = VERDICT_NONE;
		}
	}
	w->effects = xcalloc(4, sizeof(*w->effects));
	w->neffects = 4;
	fixture_effect(&w->effects[0], "disk.bus", "virtio-blk", "virtio-scsi", 0.845, 0.02);
	fixture_effect(&w->effects[1], "disk.ring", "split", "packed", 1.052, 0.021);
	fixture_effect(&w->effects[2], "disk.mode", "thin", "full", 1.011, 0.03);
	fixture_effect(&w->effects[3], "disk.format", "raw", "qcow2", 0.997, 0.028);
	w->template_var = (struct components){0.0004, 0.0009, 2.1, FIX_BLOCKS};
	w->trial_sd = 0.0595; /* sqrt(0.049^2 + 0.048^2 / 2) */
	w->headline = xstrdup(
		i ? "No cell was shown to differ by more than 9 % from virtio-blk split raw."
		  : "virtio-blk packed qcow2 full is the fastest: +9 % [+7, +12] against "
		    "virtio-blk split raw; every virtio-scsi cell is slower.");
}

static void fixture_cell(struct model_cell *c, unsigned i)
{
	static const char *const bus[] = {"virtio-blk", "virtio-scsi"};
	static const char *const ring[] = {"split", "packed"};
	static const char *const image[] = {"raw", "qcow2 thin", "qcow2 full"};
	const char *b = bus[i / 6], *r = ring[i / 3 % 2], *g = image[i % 3];

	snprintf(c->id, sizeof(c->id), "%016x", 0xabc0 + i);
	c->index = i;
	c->label = xasprintf("%s %s %s", b, r, g);
	c->keys_text = xasprintf("bus=%s ring=%s image=%s", b, r, g);
	c->keys = json_pack("{s:s, s:s, s:s, s:s, s:n}", "disk.bus", b, "disk.ring", r,
			    "disk.cache", "none", "disk.aio", "io_uring", "disk.latency");
	c->qemu = xasprintf(
		"/usr/bin/qemu-system-x86_64 -accel tcg -machine pc-q35-7.2 -cpu max -smp 2 "
		"-m 256M -nodefaults -no-user-config -display none -sandbox on -incoming "
		"fd:7 -qmp unix:/run/vbench/%u/qmp,server=on",
		i);
	c->plug = xstrdup("{\"execute\":\"blockdev-add\",\"arguments\":{\"driver\":\"raw\"}}\n"
			  "{\"execute\":\"device_add\",\"arguments\":{\"id\":\"disk0\"}}");
	c->repeat = xasprintf(
		"vbench run quick.ini --set disk.bus=%s --set disk.ring=%s --set run.seed=42", b,
		r);
	c->facts = json_pack("{s:s, s:s, s:i, s:b, s:n}", "driver", "virtio_blk", "scheduler",
			     "none", "queues", 1, "rotational", 0, "wbt_lat_usec");
}

static void fixture_add_fact(struct model *m, const char *group, const char *name,
			     const char *value)
{
	m->facts = xrealloc(m->facts, m->nfacts + 1, sizeof(*m->facts));
	m->facts[m->nfacts++] = (struct model_fact){xstrdup(group), xstrdup(name), xstrdup(value)};
}

static void fixture_add_side(struct model *m, const char *name, const char *values)
{
	m->side = xrealloc(m->side, m->nside + 1, sizeof(*m->side));
	m->side[m->nside++] = (struct model_side){xstrdup(name), xstrdup(values)};
}

static void fixture_evidence(struct model *m)
{
	static const char *const keys[] = {"disk.ring",	     "disk.cache",	"disk.queues",
					   "disk.aio",	     "disk.queue-size", "guest.accel",
					   "guest.scheduler"};

	m->nchecks = sizeof(keys) / sizeof(keys[0]);
	m->checks = xcalloc(m->nchecks, sizeof(*m->checks));
	for (unsigned i = 0; i < m->nchecks; i++) {
		m->checks[i].key = xstrdup(keys[i]);
		m->checks[i].match = i == 0 ? 190 : 192;
		m->checks[i].unknown = i == 3 ? 192 : 0;
		m->checks[i].match -= i == 3 ? 192 : 0;
		m->checks[i].asked = xstrdup(i == 0 ? "packed" : "as asked");
		m->checks[i].got = xstrdup(i == 0 ? "split (bit 34 of the guest's features is 0)"
						  : "as asked");
		m->checks[i].cell_label = xstrdup("virtio-scsi split qcow2 thin");
	}
	m->checks[0].differ = 2;
	m->nfailures = 2;
	m->failures = xcalloc(2, sizeof(*m->failures));
	m->failures[0] = (struct model_failure){17, xstrdup("virtio-scsi split qcow2 thin"),
						xstrdup("randread-8"), xstrdup("mismatch"),
						xstrdup("disk.ring: asked packed, got split")};
	m->failures[1] = (struct model_failure){
		103, xstrdup("virtio-scsi split qcow2 thin"), xstrdup("randread-8"),
		xstrdup("guest"),
		xstrdup("the guest stopped answering after 5.2 s; end of its console:\r\n"
			"[    4.210] Kernel panic - not syncing: <none>\r\n\x1b[31m[    4.211] CPU: 0\x1b[0m")};
	fixture_add_fact(m, "Machine", "model", "Example Server 9");
	fixture_add_fact(m, "Machine", "processors", "2 sockets, 2 cores each");
	fixture_add_fact(m, "Kernel", "release", "6.1.0-18-amd64");
	fixture_add_fact(m, "Kernel", "mitigations",
			 "spectre_v2: Mitigation; Retpolines, meltdown: Not affected");
	fixture_add_fact(m, "Storage", "file system of /var/lib/vbench",
			 "ext4 (rw,relatime) on nvme0n1p2");
	m->phases =
		json_pack("{s:{s:f,s:f}, s:{s:f,s:f}, s:{s:f,s:f}, s:{s:f,s:f}, s:{s:f,s:f}}",
			  "open_ns", "median", 2.4e8, "p90", 3.1e8, "plug_ns", "median", 1.9e8,
			  "p90", 2.4e8, "check_ns", "median", 4e7, "p90", 5e7, "work_ns", "median",
			  1.05e9, "p90", 1.06e9, "close_ns", "median", 6e7, "p90", 9e7);
	m->noise = json_pack("{s:{s:f,s:f}, s:{s:f,s:f}}", "steal, % of a CPU", "median", 0.0,
			     "max", 1.75, "load", "median", 1.21, "max", 2.4);
}

static void fixture_pair(struct model *m, unsigned i, enum verdict v, struct interval ratio)
{
	struct model_vs *x = &m->vs[i];

	x->workload = i % 2;
	x->base = i / 2;
	x->change = i / 2 + 3;
	x->label = xstrdup(i / 2 ? "virtio-blk qcow2 thin" : "virtio-blk raw");
	x->metric = m->workloads[i % 2].primary;
	x->ratio = x->robust = ratio;
	x->disagree = i == 0;
	x->p = x->p_raw = NAN;
	x->sd = 0.02;
	x->verdict = v;
	x->too_many_failed = i == 3;
	x->more = (struct forecast){v == VERDICT_UNDECIDED, 8, 30};
	x->base_points = xcalloc(FIX_BLOCKS, sizeof(double));
	x->change_points = xcalloc(FIX_BLOCKS, sizeof(double));
}

/* Two pairs under two workloads, with each verdict once; the last one failed. */
static void fixture_vs(struct model *m)
{
	m->nvs = 4;
	m->vs = xcalloc(4, sizeof(*m->vs));
	fixture_pair(m, 0, VERDICT_WORSE, (struct interval){0.88, 0.86, 0.9, FIX_BLOCKS, 0.02});
	fixture_pair(m, 1, VERDICT_UNDECIDED,
		     (struct interval){1.01, 0.97, 1.05, FIX_BLOCKS, 0.02});
	fixture_pair(m, 2, VERDICT_SAME, (struct interval){1.01, 1.004, 1.016, FIX_BLOCKS, 0.02});
	fixture_pair(m, 3, VERDICT_NONE, (struct interval){NAN, NAN, NAN, 0, NAN});
	m->vs_base = xcalloc(1, sizeof(*m->vs_base));
	m->vs_change = xcalloc(1, sizeof(*m->vs_change));
	m->nvs_change = 1;
	m->vs_change[0] = xstrdup("disk.ring=packed");
}

/* 12 cells, 2 workloads, 8 blocks. The caller frees with model_free(). */
static inline struct model *fixture_rich(void)
{
	struct model *m = xcalloc(1, sizeof(*m));

	strcpy(m->uuid, "6f9619ff-8b86-4d01-b42d-00cf4fc964ff");
	m->label = xstrdup("trunk");
	m->profile = xstrdup("quick");
	m->title = xstrdup("Disk buses, rings and qcow2 modes");
	m->question = xstrdup("Which disk configuration should this host give its guests?");
	m->command = xstrdup("vbench run quick.ini");
	m->version = xstrdup("0.1");
	m->status = xstrdup("complete");
	m->profile_text =
		xstrdup("# Which disk configuration?\n[disk]\nbus = virtio-blk, virtio-scsi\n"
			"ring = split, packed\n");
	m->begun = 1700000000000000000;
	m->ended = m->begun + 318000000000;
	m->seed = 42;
	m->blocks_planned = m->blocks_done = FIX_BLOCKS;
	m->trials_planned = 192;
	m->trials_ok = 190;
	m->trials_failed = 2;
	m->accel = xstrdup("tcg");
	m->relative_only = true;
	m->headline = xstrdup(
		"Give guests virtio-blk with a packed ring: 3 to 9 % more random reads at queue depth 8 "
		"than split rings, and no qcow2 mode was shown to cost anything. virtio-scsi is 16 % "
		"slower.");
	m->nwarnings = 2;
	m->warnings = xcalloc(2, sizeof(*m->warnings));
	m->warnings[0] = xstrdup(
		"Measured under TCG (no /dev/kvm): compare the cells with each other only.");
	m->warnings[1] = xstrdup("disk.aio could not be read back in 192 trials.");
	m->axes = json_pack("[{s:s,s:[s,s]},{s:s,s:[s,s]}]", "key", "disk.bus", "values",
			    "virtio-blk", "virtio-scsi", "key", "disk.ring", "values", "split",
			    "packed");
	m->skipped = json_pack("[{s:s,s:s,s:b},{s:s,s:s,s:b}]", "what",
			       "format=raw mode=full (4 combinations)", "reason",
			       "raw images have no qcow2 mode", "folded", 1, "what",
			       "bus=nvme ring=packed (3 combinations)", "reason",
			       "nvme has no virtio ring", "folded", 0);
	m->ncells = FIX_CELLS;
	m->cells = xcalloc(FIX_CELLS, sizeof(*m->cells));
	for (unsigned i = 0; i < FIX_CELLS; i++)
		fixture_cell(&m->cells[i], i);
	m->nworkloads = 2;
	m->workloads = xcalloc(2, sizeof(*m->workloads));
	for (unsigned i = 0; i < 2; i++)
		fixture_workload(&m->workloads[i], i);
	fixture_vs(m);
	fixture_evidence(m);
	fixture_add_side(m, "max_segments", "254 (virtio-blk), 126 (virtio-scsi)");
	fixture_add_side(m, "transport_driver", "none (virtio-blk), virtio_scsi (virtio-scsi)");
	return m;
}

/* What a guest, a profile or a file might hold to get at the reader of a page or a terminal. */
#define FIX_HOSTILE                                                                               \
	"<script>alert(1)</script>\"onload=\"alert(2)\" 'x' ]]> &amp; `touch /tmp/vbench-pwned` " \
	"$(touch /tmp/vbench-pwned) \";system 'touch /tmp/vbench-pwned'\n\t\x1b[31m\x07"          \
	"\xe2\x80\xae"                                                                            \
	"abc\xff\xc0\x80\xed\xa0\x80 {/:Bold x} %d%s@1 L0 \\"

static void fixture_spoil(char **s)
{
	free(*s);
	*s = xstrdup(FIX_HOSTILE);
}

/* The rich model with each text that comes from elsewhere replaced by a hostile one. */
static inline struct model *fixture_hostile(void)
{
	struct model *m = fixture_rich();
	char **own[] = {&m->label,	  &m->profile, &m->title,   &m->question,
			&m->source,	  &m->command, &m->version, &m->status,
			&m->profile_text, &m->accel,   &m->headline};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		fixture_spoil(own[i]);
	for (size_t i = 0; i < m->nwarnings; i++)
		fixture_spoil(&m->warnings[i]);
	for (size_t i = 0; i < m->ncells; i++) {
		struct model_cell *c = &m->cells[i];

		fixture_spoil(&c->label);
		fixture_spoil(&c->keys_text);
		fixture_spoil(&c->qemu);
		fixture_spoil(&c->plug);
		fixture_spoil(&c->repeat);
		json_object_set_new(c->facts, "<script>\"'",
				    json_string("<img src=x onerror=alert(3)>"));
	}
	for (size_t i = 0; i < m->nworkloads; i++) {
		struct model_workload *w = &m->workloads[i];

		fixture_spoil(&w->name);
		fixture_spoil(&w->describe);
		fixture_spoil(&w->headline);
		for (size_t k = 0; k < w->neffects; k++) {
			fixture_spoil(&w->effects[k].axis);
			fixture_spoil(&w->effects[k].from);
			fixture_spoil(&w->effects[k].to);
		}
	}
	for (size_t i = 0; i < m->nvs; i++)
		fixture_spoil(&m->vs[i].label);
	fixture_spoil(&m->vs_change[0]);
	for (size_t i = 0; i < m->nchecks; i++) {
		fixture_spoil(&m->checks[i].key);
		fixture_spoil(&m->checks[i].asked);
		fixture_spoil(&m->checks[i].got);
		fixture_spoil(&m->checks[i].cell_label);
	}
	for (size_t i = 0; i < m->nfailures; i++) {
		fixture_spoil(&m->failures[i].cell_label);
		fixture_spoil(&m->failures[i].workload);
		fixture_spoil(&m->failures[i].cause);
		fixture_spoil(&m->failures[i].detail);
	}
	for (size_t i = 0; i < m->nside; i++) {
		fixture_spoil(&m->side[i].name);
		fixture_spoil(&m->side[i].values);
	}
	for (size_t i = 0; i < m->nfacts; i++) {
		fixture_spoil(&m->facts[i].group);
		fixture_spoil(&m->facts[i].name);
		fixture_spoil(&m->facts[i].value);
	}
	json_object_set_new(m->phases, "<b onload='x'>", json_string("<not a number>"));
	json_object_set_new(m->noise, "<b onload='x'>", json_integer(7));
	json_array_append_new(m->skipped, json_string("<script>"));
	json_array_append_new(m->axes,
			      json_pack("{s:s,s:s}", "key", "<script>", "values", "<script>"));
	return m;
}

/* One row of the small model: a figure with its interval, a ratio with its interval. */
static void fixture_small_row(struct model_row *r, unsigned cell, struct interval abs,
			      struct interval ratio)
{
	r->cell = cell;
	r->ok = 4;
	r->nvalues = 1;
	r->values = xcalloc(1, sizeof(*r->values));
	r->values[0] = (struct model_value){
		.metric = &fixture_metrics[0], .abs = abs, .ratio = ratio, .p = NAN};
	r->values[0].points = xcalloc(4, sizeof(double));
	for (unsigned b = 0; b < 4; b++)
		r->values[0].points[b] = abs.mid;
}

/* 4 cells, 1 workload, 4 blocks, all figures given: what is printed can be worked out by hand. */
static inline struct model *fixture_small(void)
{
	static const char *const labels[] = {"raw", "qcow2 thin", "qcow2 full", "qcow2 metadata"};
	static const struct interval none = {NAN, NAN, NAN, 0, NAN};
	struct model *m = xcalloc(1, sizeof(*m));

	strcpy(m->uuid, "00000000-0000-4000-8000-000000000001");
	m->blocks_planned = m->blocks_done = 4;
	m->trials_planned = 16;
	m->trials_ok = 15;
	m->trials_failed = 1;
	m->headline = xstrdup("qcow2 thin is faster than raw.");
	m->ncells = 4;
	m->cells = xcalloc(4, sizeof(*m->cells));
	for (unsigned i = 0; i < 4; i++) {
		m->cells[i].index = i;
		m->cells[i].label = xstrdup(labels[i]);
	}
	m->nworkloads = 1;
	m->workloads = xcalloc(1, sizeof(*m->workloads));
	struct model_workload *w = &m->workloads[0];

	w->name = xstrdup("w");
	w->describe = xstrdup("randread 4k");
	w->trial_sd = NAN;
	w->primary = &fixture_metrics[0];
	w->min_effect = 0.02;
	w->spread = (struct model_spread){
		.second = NAN, .between = NAN, .length = NAN, .overhead = NAN, .slow_by = NAN};
	w->best_seconds = NAN;
	w->nrows = 4;
	w->rows = xcalloc(4, sizeof(*w->rows));
	fixture_small_row(&w->rows[0], 0, (struct interval){45100, 43900, 46200, 4, 0}, none);
	fixture_small_row(&w->rows[1], 1, (struct interval){53200, 51000, 55400, 4, 0},
			  (struct interval){1.18, 1.12, 1.25, 4, 0});
	fixture_small_row(&w->rows[2], 2, (struct interval){45600, 44000, 47200, 4, 0},
			  (struct interval){1.011, 0.985, 1.038, 4, 0});
	fixture_small_row(&w->rows[3], 3, (struct interval){900, 800, 1000, 3, 0}, none);
	w->rows[1].values[0].differs = w->rows[1].values[0].better = true;
	w->rows[1].values[0].verdict = VERDICT_BETTER;
	w->rows[2].values[0].verdict = VERDICT_UNDECIDED;
	w->rows[2].values[0].more = (struct forecast){true, 2, 30};
	w->rows[3].ok = 3;
	w->rows[3].failed = 1;
	w->rows[3].too_many_failed = true;
	w->effects = xcalloc(1, sizeof(*w->effects));
	w->neffects = 1;
	fixture_effect(&w->effects[0], "disk.mode", "thin", "full", 0.85, 0.04);
	fixture_add_side(m, "max_segments", "254 (raw), 126 (qcow2)");
	return m;
}

#endif
