// SPDX-License-Identifier: GPL-2.0-or-later
/* Policy "until decided": complete blocks, of which cells leave as their comparisons are closed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "profile/profile.h"
#include "run/policy.h"
#include "stats/sequential.h"
#include "stats/verdict.h"

#define LEVEL 0.95

struct comparison {
	unsigned ref, cell, workload;
	bool closed;
	double p; /* of the newest look, or of the one that closed it; NAN: none yet */
};

struct decide {
	struct policy policy;
	uint64_t seed;
	unsigned cells, workloads;
	struct policy_rule rule;
	double *sd_floor; /* [workloads] */
	struct comparison *comparisons;
	size_t ncomparisons;
	double *value;	/* [cells][workloads][max_blocks]; NAN: failed, or not in that block */
	unsigned *good; /* [cells][workloads]: trials that did not fail */
	unsigned seq, block, place;
	unsigned *order; /* of the block: place -> cell * workloads + workload */
	unsigned n;	 /* places in it; 0: the run is over */
};

/* What open comparisons still want. */
static void begin_block(struct decide *d)
{
	unsigned all = d->cells * d->workloads;
	bool *wanted = xcalloc(all + 1, sizeof(*wanted));

	for (size_t i = 0; i < d->ncomparisons; i++) {
		const struct comparison *c = &d->comparisons[i];

		if (c->closed)
			continue;
		wanted[c->ref * d->workloads + c->workload] = true;
		wanted[c->cell * d->workloads + c->workload] = true;
	}
	d->n = d->place = 0;
	for (unsigned i = 0; d->block < d->rule.max_blocks && i < all; i++)
		if (wanted[i])
			d->order[d->n++] = i;
	policy_shuffle(d->seed, d->block, d->order, d->n);
	free(wanted);
}

static const double *values(const struct decide *d, unsigned cell, unsigned workload)
{
	return &d->value[((size_t)cell * d->workloads + workload) * d->rule.max_blocks];
}

/* The interval that stops, which is the one that is reported. */
static struct interval interval_of(const struct decide *d, const struct comparison *c)
{
	const double *a = values(d, c->ref, c->workload), *b = values(d, c->cell, c->workload);
	double floor = d->sd_floor[c->workload];

	if (d->rule.precision)
		return ratio_interval(a, b, d->block, LEVEL, floor);
	return seq_ratio(a, b, d->block, d->rule.max_blocks, floor);
}

/* Below 5 % exactly when the repeated interval excludes 1: p of t divided by what that interval is
 * wider by than Student's. */
static double repeated_p(const struct decide *d, struct interval r)
{
	if (d->rule.precision)
		return NAN;
	if (r.n < SEQ_FIRST) /* not yet looked at, but one of the family: the report counts it */
		return 1;
	r.sd *= seq_factor(d->rule.max_blocks, (unsigned)r.n) /
		t_quantile(0.5 + LEVEL / 2, (double)r.n - 1);
	return ratio_p(&r);
}

/* p: adjusted for its family. "same" needs no correction: who calls all pairs the same claims no
 * difference. Which of the two is better decides nothing. */
static bool decided(const struct decide *d, const struct comparison *c, double p)
{
	struct interval r = interval_of(d, c);
	enum verdict v;

	if (d->rule.precision)
		return r.n >= PRECISION_FIRST && r.hi / r.mid - 1 <= d->rule.width;
	v = verdict_ratio(&r, true, d->rule.width);
	return v == VERDICT_SAME || ((v == VERDICT_WORSE || v == VERDICT_BETTER) && p < 1 - LEVEL);
}

/* Blind to values: only that there are none. */
static bool hopeless(const struct decide *d, const struct comparison *c)
{
	return d->block >= SEQ_FIRST && (!d->good[c->ref * d->workloads + c->workload] ||
					 !d->good[c->cell * d->workloads + c->workload]);
}

/*
 * Holm's procedure [1979] over all comparisons of a family, closed ones with the p that closed
 * them: what it rejected stays rejected, since open ones have a larger p then, and a smaller one
 * later only takes a place before it.
 */
static void adjust(const struct decide *d, unsigned workload, double *p)
{
	double *family = xcalloc(d->ncomparisons + 1, sizeof(*family));
	size_t n = 0, k = 0;

	for (size_t i = 0; i < d->ncomparisons; i++)
		if (d->rule.one_family || d->comparisons[i].workload == workload)
			family[n++] = d->comparisons[i].p;
	holm(family, n);
	for (size_t i = 0; i < d->ncomparisons; i++)
		if (d->rule.one_family || d->comparisons[i].workload == workload)
			p[i] = family[k++];
	free(family);
}

static void look(struct decide *d)
{
	double *p = xcalloc(d->ncomparisons + 1, sizeof(*p));

	for (size_t i = 0; i < d->ncomparisons; i++)
		if (!d->comparisons[i].closed)
			d->comparisons[i].p = hopeless(d, &d->comparisons[i])
						      ? NAN
						      : repeated_p(d, interval_of(
									     d, &d->comparisons[i]));
	for (unsigned w = 0; w < (d->rule.one_family ? 1 : d->workloads); w++)
		adjust(d, w, p);
	for (size_t i = 0; i < d->ncomparisons; i++) {
		struct comparison *c = &d->comparisons[i];

		if (!c->closed)
			c->closed = hopeless(d, c) || decided(d, c, p[i]);
	}
	free(p);
}

static bool decide_ask(struct policy *p, struct order *out)
{
	struct decide *d = (struct decide *)p;

	if (!d->n)
		return false;
	*out = (struct order){.seq = d->seq,
			      .block = d->block,
			      .place = d->place,
			      .cell = d->order[d->place] / d->workloads,
			      .workload = d->order[d->place] % d->workloads,
			      .randseed = policy_randseed(d->seed, d->block)};
	return true;
}

static void decide_tell(struct policy *p, const struct outcome *r)
{
	struct decide *d = (struct decide *)p;
	size_t what;

	if (!d->n) /* nothing was asked */
		return;
	what = d->order[d->place];
	if (r->ok) {
		d->good[what]++;
		d->value[what * d->rule.max_blocks + d->block] = r->primary;
	}
	d->seq++;
	if (++d->place < d->n)
		return;
	d->block++;
	look(d);
	begin_block(d);
}

static unsigned decide_total(const struct policy *p)
{
	const struct decide *d = (const struct decide *)p;

	if (!d->n)
		return d->seq;
	return d->seq + d->n - d->place + d->n * (d->rule.max_blocks - d->block - 1);
}

static bool decide_takes_part(const struct policy *p, unsigned cell)
{
	const struct decide *d = (const struct decide *)p;

	for (unsigned i = 0; i < d->n; i++)
		if (d->order[i] / d->workloads == cell)
			return true;
	return false;
}

static unsigned decide_open(const struct policy *p)
{
	const struct decide *d = (const struct decide *)p;
	unsigned n = 0;

	for (size_t i = 0; i < d->ncomparisons; i++)
		n += !d->comparisons[i].closed;
	return n;
}

static void decide_free(struct policy *p)
{
	struct decide *d = (struct decide *)p;

	free(d->sd_floor);
	free(d->comparisons);
	free(d->value);
	free(d->good);
	free(d->order);
	free(d);
}

struct policy *policy_decide(uint64_t seed, unsigned cells, unsigned workloads,
			     const struct policy_rule *rule)
{
	struct decide *d = xcalloc(1, sizeof(*d));
	size_t n = (size_t)cells * workloads;

	d->policy = (struct policy){.name = rule->precision ? "until precise" : "until decided",
				    .ask = decide_ask,
				    .tell = decide_tell,
				    .total = decide_total,
				    .takes_part = decide_takes_part,
				    .open = decide_open,
				    .free = decide_free};
	d->seed = seed;
	d->cells = cells;
	d->workloads = workloads;
	d->rule = *rule;
	d->rule.pairs = NULL;
	d->rule.sd_floor = NULL;
	d->sd_floor = xcalloc(workloads + 1, sizeof(*d->sd_floor));
	if (rule->sd_floor)
		memcpy(d->sd_floor, rule->sd_floor, workloads * sizeof(*d->sd_floor));
	d->ncomparisons = rule->npairs * workloads;
	d->comparisons = xcalloc(d->ncomparisons + 1, sizeof(*d->comparisons));
	for (size_t i = 0; i < d->ncomparisons; i++)
		d->comparisons[i] = (struct comparison){.ref = rule->pairs[i / workloads].ref,
							.cell = rule->pairs[i / workloads].cell,
							.workload = (unsigned)(i % workloads),
							.p = NAN};
	d->value = xcalloc(n * rule->max_blocks + 1, sizeof(*d->value));
	for (size_t i = 0; i < n * rule->max_blocks; i++)
		d->value[i] = NAN;
	d->good = xcalloc(n + 1, sizeof(*d->good));
	d->order = xcalloc(n + 1, sizeof(*d->order));
	begin_block(d);
	return &d->policy;
}
