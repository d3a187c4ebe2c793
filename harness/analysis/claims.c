/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Published figures beside ours: a table of claims "b against a changes throughput by so much",
 * each held against all pairs of cells that differ in nothing else. In our own words, with the
 * source.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

/* Pairs are looked for among all cells, and a report names each kind of them: far over what a
 * profile of ours has, and no run from elsewhere can make a report endless. */
#define CELLS_MAX 512
#define CLAIMS_MAX 256

/* An interval whose ends are further apart than this factor is in line with too much to say so of
 * any of it: the published effects are of some per cent. */
#define WIDE 1.2

struct claim {
	const char *id, *what;
	const char *key, *a, *b; /* the axis, and the two values compared: b against a */
	/* The workload that the claim is about, as far as it matters: requests of at least so many
	 * bytes; 0: any. */
	unsigned long min_bs;
	const char *published; /* as its source has it */
	double low, high;      /* the same as a ratio of throughput; NAN: no figure */
	const char *setting;   /* what it was measured on: nobody should expect it elsewhere */
	const char *source;
};

static const struct claim claims[] = {
	{"packed-dpdk-2018", "packed against split ring", "disk.ring", "split", "packed", 0,
	 "3 to 4 % fewer packets (13 % without mergeable buffers)", 0.96, 0.97,
	 "first implementation for network packets, no disk", "DPDK mailing list, 2018"},
	{"packed-firecracker", "packed against split ring", "disk.ring", "split", "packed", 0,
	 "about 2 % more", 1.02, 1.02, "a software device in a virtual machine monitor",
	 "Firecracker issue 2477"},
	{"packed-vhost-lwn", "packed against split ring", "disk.ring", "split", "packed", 0,
	 "about 2 % more", 1.02, 1.02, "vhost in the kernel, network packets",
	 "LWN's summary of the vhost patches"},
	{"packed-hardware", "packed against split ring", "disk.ring", "split", "packed", 0,
	 "helps devices in hardware; little is expected of software", NAN, NAN,
	 "software back ends in general", "rust-vmm, discussion of packed rings"},
	{"indirect-dpdk", "indirect descriptors", "disk.indirect", "off", "on", 0,
	 "1 to 4 % fewer packets in micro-benchmarks (50 % more before the first loss)", 0.96, 0.99,
	 "network packets, no disk", "DPDK mailing list"},
	{"indirect-cloud-hypervisor", "indirect descriptors", "disk.indirect", "off", "on", 262144,
	 "14 % more (2888 to 3293 MiB/s)", 1.14, 1.14, "sequential writes of 256 KiB, 64 in flight",
	 "cloud-hypervisor pull request"},
};

/* Of profiles that study rings or layers; elsewhere nobody asked. */
static bool wanted(const struct model *m)
{
	return m->profile && (!strncmp(m->profile, "ring", 4) || !strcmp(m->profile, "ladder"));
}

/* Equal in every key but that one? */
static bool keys_equal_but(json_t *x, json_t *y, const char *key)
{
	const char *k;
	json_t *v;

	if (json_object_size(x) != json_object_size(y))
		return false;
	json_object_foreach(x, k, v)
	{
		if (strcmp(k, key) && !json_equal(v, json_object_get(y, k)))
			return false;
	}
	return true;
}

static bool value_is(const struct model_cell *c, const char *key, const char *value)
{
	const char *v = cell_value(c, key);

	return v && !strcmp(v, value);
}

/* What kind of path a cell is, "host, vring, loop, null": figures of different kinds are not
 * averaged. New. */
static char *where_text(const struct model_cell *c)
{
	static const char *const host[] = {"disk.driver", "disk.server", "disk.serves"};
	static const char *const guest[] = {"disk.bus", "disk.backend", "disk.server",
					    "disk.serves"};
	bool on_host = value_is(c, "guest.site", "host");
	bool vhost = on_host || value_is(c, "disk.backend", "vhost-user");
	char *s = NULL;

	text_add(&s, on_host ? "host" : "guest");
	for (size_t i = 0; i < (on_host ? 3 : vhost ? 4 : 2); i++) {
		const char *v = cell_value(c, on_host ? host[i] : guest[i]);

		if (v)
			text_add(&s, ", %s", v);
	}
	return s;
}

static double iops_of(const struct model_row *r, size_t block)
{
	static const char *const ids[] = {"iops", "read.iops", "write.iops"};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		const struct model_value *v = row_metric(r, ids[i]);

		if (v && v->points && isfinite(v->points[block]))
			return v->points[block];
	}
	return NAN;
}

struct pair {
	size_t a, b; /* cells */
	char *where;
};

/* All pairs of cells for a claim; rows with too many failed trials have no part. */
static struct pair *pairs_of(const struct model *m, const struct model_workload *w,
			     const struct claim *c, size_t *n)
{
	struct pair *all = NULL;

	*n = 0;
	for (size_t a = 0; a < w->nrows; a++) {
		if (w->rows[a].too_many_failed || !value_is(&m->cells[a], c->key, c->a))
			continue;
		for (size_t b = 0; b < w->nrows; b++) {
			if (w->rows[b].too_many_failed || !value_is(&m->cells[b], c->key, c->b) ||
			    !keys_equal_but(m->cells[a].keys, m->cells[b].keys, c->key))
				continue;
			all = array_add(all, n, sizeof(*all));
			all[*n - 1] = (struct pair){a, b, where_text(&m->cells[a])};
			break; /* equal in all keys is the same cell */
		}
	}
	return all;
}

/* Per-block contrasts over the pairs of one kind (statistics.md part 3). */
static struct interval contrast(const struct model *m, const struct model_workload *w,
				const struct pair *all, size_t n, const char *where,
				unsigned *pairs)
{
	size_t blocks = m->blocks_planned, k = 0, combos = 0;
	double *ya, *yb;
	struct interval r;

	for (size_t i = 0; i < n; i++)
		combos += !strcmp(all[i].where, where);
	ya = xcalloc(blocks * combos + 1, sizeof(*ya));
	yb = xcalloc(blocks * combos + 1, sizeof(*yb));
	for (size_t i = 0; i < n; i++) {
		if (strcmp(all[i].where, where))
			continue;
		for (size_t b = 0; b < blocks; b++) {
			ya[b * combos + k] = iops_of(&w->rows[all[i].a], b);
			yb[b * combos + k] = iops_of(&w->rows[all[i].b], b);
		}
		k++;
	}
	r = main_effect(ya, yb, blocks, combos, LEVEL);
	*pairs = combos;
	free(ya);
	free(yb);
	return r;
}

/* Two-sided p of Student's test against that end of low..high which is nearer; 1 within. */
static double outside_p(const struct interval *r, double low, double high)
{
	struct interval off = *r;

	if (!isfinite(low) || !isfinite(high) || r->n < 2)
		return NAN;
	if (r->mid >= low && r->mid <= high)
		return 1;
	off.mid /= r->mid < low ? low : high;
	return ratio_p(&off);
}

static void claim_add(struct model *m, size_t work, const struct claim *c, const char *where,
		      struct interval ratio, unsigned pairs)
{
	struct model_claim *x;

	m->claims = array_add(m->claims, &m->nclaims, sizeof(*m->claims));
	x = &m->claims[m->nclaims - 1];
	*x = (struct model_claim){.id = c->id,
				  .what = c->what,
				  .published = c->published,
				  .setting = c->setting,
				  .source = c->source,
				  .low = c->low,
				  .high = c->high,
				  .workload = work,
				  .where = xstrdup(where),
				  .ratio = ratio,
				  .pairs = pairs};
	x->p = outside_p(&ratio, c->low, c->high);
}

static enum claim_word claim_word(const struct model_claim *c)
{
	const struct interval *r = &c->ratio;
	bool with_equal = r->lo <= 1 && r->hi >= 1; /* "no difference" would do */
	bool says_equal = c->low <= 1 && c->high >= 1;

	if (!isfinite(c->low) || !isfinite(c->high))
		return CLAIM_NONE;
	if (c->p < ALPHA)
		return CLAIM_DIFFERS;
	if (!isfinite(r->lo) || !isfinite(r->hi) || r->hi < c->low || r->lo > c->high)
		return CLAIM_UNDECIDED; /* outside, but only before Holm */
	if (!(r->hi <= WIDE * r->lo) || (with_equal && !says_equal))
		return CLAIM_UNDECIDED;
	return CLAIM_IN_LINE;
}

/* "Differs" is said of many figures at once: Holm over all of them (statistics.md part 7). */
static void claims_judge(struct model *m)
{
	double *p = xcalloc(m->nclaims + 1, sizeof(*p));

	for (size_t i = 0; i < m->nclaims; i++)
		p[i] = m->claims[i].p;
	holm(p, m->nclaims);
	for (size_t i = 0; i < m->nclaims; i++) {
		m->claims[i].p = p[i];
		m->claims[i].word = claim_word(&m->claims[i]);
	}
	free(p);
}

static void claim_work(struct model *m, size_t work, const struct claim *c)
{
	const struct model_workload *w = &m->workloads[work];
	size_t n;
	struct pair *all = pairs_of(m, w, c, &n);

	for (size_t i = 0; i < n; i++) {
		unsigned pairs;
		struct interval ratio;
		bool done = false;

		for (size_t k = 0; k < i; k++)
			done |= !strcmp(all[k].where, all[i].where);
		if (done)
			continue;
		ratio = contrast(m, w, all, n, all[i].where, &pairs);
		if (isfinite(ratio.mid) && m->nclaims < CLAIMS_MAX)
			claim_add(m, work, c, all[i].where, ratio, pairs);
	}
	for (size_t i = 0; i < n; i++)
		free(all[i].where);
	free(all);
}

/* Size of a workload's requests in bytes; 0: not known. */
static unsigned long request_size(const struct build *b, size_t work)
{
	json_t *keys =
		b->works[work].keys_json ? json_loads(b->works[work].keys_json, 0, NULL) : NULL;
	char buf[32];
	const char *v = json_text(json_object_get(keys, "workload.bs"), buf, sizeof(buf));
	unsigned long size = v ? strtoul(v, NULL, 10) : 0;

	json_decref(keys);
	return size;
}

void build_claims(struct build *b)
{
	if (!wanted(b->m) || b->m->ncells > CELLS_MAX)
		return;
	for (size_t i = 0; i < b->m->nworkloads; i++)
		for (size_t k = 0; k < sizeof(claims) / sizeof(claims[0]); k++)
			if (request_size(b, i) >= claims[k].min_bs)
				claim_work(b->m, i, &claims[k]);
	claims_judge(b->m);
}
