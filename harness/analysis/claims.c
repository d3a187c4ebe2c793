/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Published figures beside ours: each claim of the tables is held against all pairs of cells that
 * differ in nothing but what it names, and what it asserts is confirmed, refuted, or neither.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/claims.h"

/* Far over what a profile of ours has, and no run from elsewhere can make a report endless. */
#define CELLS_MAX 512
#define PAIRS_MAX 1024
#define CLAIMS_MAX 512

#define SAME_WITHIN 1.05 /* a smaller difference than this is none to those who say "equal" */
#define FIGURE_WITHIN 2	 /* what a figure is off by at most, however large the effect */

static const struct claim_list *const lists[] = {&claims_ring, &claims_bus, &claims_threads,
						 &claims_qcow2, &claims_formats};

const char *claim_text(enum claim_word w)
{
	static const char *const words[] = {
		[CLAIM_NONE] = "no figure",
		[CLAIM_CONFIRMED] = "confirmed",
		[CLAIM_REFUTED] = "refuted",
		[CLAIM_UNDECIDED] = "undecided",
	};

	return words[w];
}

/* How far from a published ratio a measured one may be and still be the same finding. */
static double slack(double ratio)
{
	return fmin(exp(fabs(log(ratio)) / 2), FIGURE_WITHIN);
}

void claim_range(const struct claim *c, double *from, double *to)
{
	*from = *to = NAN;
	switch (c->rule) {
	case RULE_SIZE:
		*from = c->low / slack(c->low);
		*to = c->high * slack(c->high);
		break;
	case RULE_SAME:
		*from = fmin(isfinite(c->low) ? c->low : 1, 1 / SAME_WITHIN);
		*to = fmax(isfinite(c->high) ? c->high : 1, SAME_WITHIN);
		break;
	case RULE_MORE:
		*from = 1;
		*to = INFINITY;
		break;
	case RULE_LESS:
		*from = 0;
		*to = 1;
		break;
	case RULE_BETWEEN:
		*from = c->from;
		*to = c->to;
		break;
	case RULE_NONE:
		break;
	}
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

static double point_of(const struct claim *c, const struct model_row *r, size_t block)
{
	const struct model_value *v;

	if (!c->metric)
		return iops_of(r, block);
	v = row_metric(r, c->metric);
	return v && v->points ? v->points[block] : NAN;
}

struct pair {
	size_t a, b; /* cells */
	char *where;
	bool use; /* under the workload at hand */
};

/* All pairs of cells for a claim. */
static struct pair *pairs_of(const struct model *m, const struct claim *c, size_t *n)
{
	struct pair *all = NULL;

	*n = 0;
	for (size_t a = 0; a < m->ncells; a++) {
		if (!claim_cell(c->a, &m->cells[a]))
			continue;
		for (size_t b = 0; b < m->ncells && *n < PAIRS_MAX; b++) {
			if (b == a || !claim_cell(c->b, &m->cells[b]) ||
			    !claim_pair(c, &m->cells[a], &m->cells[b]))
				continue;
			all = array_add(all, n, sizeof(*all));
			all[*n - 1] = (struct pair){a, b, claim_where(c, &m->cells[a]), false};
		}
	}
	return all;
}

/* Per-block contrasts over the pairs in use of one kind (statistics.md part 3). */
static struct interval contrast(const struct model *m, const struct model_workload *w,
				const struct claim *c, const struct pair *all, size_t n,
				const char *where, unsigned *pairs)
{
	size_t blocks = m->blocks_planned, k = 0, combos = 0;
	double *ya, *yb;
	struct interval r;

	for (size_t i = 0; i < n; i++)
		combos += all[i].use && !strcmp(all[i].where, where);
	ya = xcalloc(blocks * combos + 1, sizeof(*ya));
	yb = xcalloc(blocks * combos + 1, sizeof(*yb));
	for (size_t i = 0; i < n; i++) {
		if (!all[i].use || strcmp(all[i].where, where))
			continue;
		for (size_t b = 0; b < blocks; b++) {
			ya[b * combos + k] = point_of(c, &w->rows[all[i].a], b);
			yb[b * combos + k] = point_of(c, &w->rows[all[i].b], b);
		}
		k++;
	}
	r = main_effect(ya, yb, blocks, combos, LEVEL);
	judge_floored(metric_find(c->metric ? c->metric : "iops"), &r);
	judge_ratio(m, &r); /* the interval in force: a run may have been looked at */
	*pairs = combos;
	free(ya);
	free(yb);
	return r;
}

/* Two-sided p of a test against that end of from..to which is nearer; 1 within. */
static double outside_p(const struct model *m, const struct interval *r, double from, double to)
{
	struct interval off = *r;

	if (isnan(from) || isnan(to) || r->n < 2)
		return NAN;
	if (r->mid >= from && r->mid <= to)
		return 1;
	off.mid /= r->mid < from ? from : to;
	return judge_ratio(m, &off);
}

static struct model_claim *claim_add(struct model *m, size_t work, const struct claim *c,
				     const char *where, struct interval ratio, unsigned pairs)
{
	struct model_claim *x;

	m->claims = array_add(m->claims, &m->nclaims, sizeof(*m->claims));
	x = &m->claims[m->nclaims - 1];
	*x = (struct model_claim){.id = c->id,
				  .what = c->what,
				  .published = c->published,
				  .setting = c->setting,
				  .source = c->source,
				  .a = c->a,
				  .b = c->b,
				  .metric = metric_find(c->metric ? c->metric : "iops"),
				  .count = c->count,
				  .low = c->low,
				  .high = c->high,
				  .workload = work,
				  .where = xstrdup(where),
				  .ratio = ratio,
				  .pairs = pairs,
				  .p = NAN};
	claim_range(c, &x->from, &x->to);
	return x;
}

static enum claim_word claim_word(const struct model_claim *c)
{
	const struct interval *r = &c->ratio;

	if (isnan(c->from) || isnan(c->to))
		return CLAIM_NONE;
	if (c->p < ALPHA)
		return CLAIM_REFUTED;
	/* At an open end equality is not enough: "faster" is not "equal". */
	if ((r->lo > c->from || (r->lo == c->from && c->from != 1)) &&
	    (r->hi < c->to || (r->hi == c->to && c->to != 1)))
		return CLAIM_CONFIRMED;
	return CLAIM_UNDECIDED;
}

/*
 * A number of disks has no noise: the most that were there, and the fewest that could not be. All
 * numbers from the first up to below the second may be the true most.
 */
static enum claim_word count_word(const struct model_claim *c)
{
	const struct interval *r = &c->ratio;

	if (isnan(c->from) || isnan(c->to))
		return CLAIM_NONE;
	if (r->lo > c->to || r->hi < c->from)
		return CLAIM_REFUTED;
	return r->lo >= c->from && r->hi <= c->to ? CLAIM_CONFIRMED : CLAIM_UNDECIDED;
}

/* "Refuted" is said of many claims at once: Holm over all of them (statistics.md part 7). */
static void claims_judge(struct model *m)
{
	double *p = xcalloc(m->nclaims + 1, sizeof(*p));

	for (size_t i = 0; i < m->nclaims; i++)
		p[i] = m->claims[i].p;
	holm(p, m->nclaims);
	for (size_t i = 0; i < m->nclaims; i++) {
		struct model_claim *c = &m->claims[i];

		c->p = p[i];
		c->word = c->count ? count_word(c) : claim_word(c);
	}
	free(p);
}

/* Rows with too many failed trials have no part, nor have cells whose pass is another one. */
static void choose(const struct model *m, const struct model_workload *w, const struct claim *c,
		   const json_t *keys, struct pair *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *a = claim_pass(keys, &m->cells[all[i].a]);
		const char *b = claim_pass(keys, &m->cells[all[i].b]);
		const char *pass = c->work.pass;

		all[i].use = !w->rows[all[i].a].too_many_failed &&
			     !w->rows[all[i].b].too_many_failed &&
			     (!pass || (a && b && !strcmp(a, pass) && !strcmp(b, pass)));
	}
}

static void claim_work(struct model *m, size_t work, const struct claim *c, const json_t *keys,
		       struct pair *all, size_t n)
{
	const struct model_workload *w = &m->workloads[work];

	choose(m, w, c, keys, all, n);
	for (size_t i = 0; i < n; i++) {
		unsigned pairs;
		struct interval ratio;
		bool done = !all[i].use;

		for (size_t k = 0; k < i && !done; k++)
			done = all[k].use && !strcmp(all[k].where, all[i].where);
		if (done)
			continue;
		ratio = contrast(m, w, c, all, n, all[i].where, &pairs);
		if (isfinite(ratio.mid) && m->nclaims < CLAIMS_MAX) {
			struct model_claim *x = claim_add(m, work, c, all[i].where, ratio, pairs);

			x->p = outside_p(m, &ratio, x->from, x->to);
		}
	}
}

/* The sentence of a limit may say the number itself ("...; the limit is 27"); NAN: it does not. */
static double limit_said(const struct model_row *r)
{
	static const char words[] = "the limit is ";
	const char *at = r->limit ? strstr(r->limit, words) : NULL;
	char *end;
	double n = at ? strtod(at + strlen(words), &end) : NAN;

	return at && n > 0 && n < 1e6 && !*end ? n : NAN;
}

/* The most disks of any cell b that was measured, and the fewest that hit a limit. */
static void claim_count(struct model *m, size_t work, const struct claim *c)
{
	const struct model_workload *w = &m->workloads[work];
	struct interval r = {NAN, NAN, INFINITY, 0, NAN};
	unsigned cells = 0;

	for (size_t i = 0; i < w->nrows; i++) {
		const char *v = cell_value(&m->cells[i], "disk.count");
		double n = v ? strtod(v, NULL) : NAN;

		if (!(n > 0) || !claim_cell(c->b, &m->cells[i]))
			continue;
		if (w->rows[i].ok) {
			r.lo = r.lo >= n ? r.lo : n;
			r.n = r.n > w->rows[i].ok ? r.n : w->rows[i].ok;
			cells++;
		} else if (w->rows[i].limits) {
			double said = limit_said(&w->rows[i]);

			r.hi = fmin(r.hi, n - 1);
			if (said < n) {
				r.hi = fmin(r.hi, said);
				r.lo = r.lo >= said ? r.lo : said;
			}
			r.n = r.n > w->rows[i].limits ? r.n : w->rows[i].limits;
			cells++;
		}
	}
	r.hi = fmax(r.hi, r.lo); /* what was there counts more than what was said */
	r.mid = r.lo;
	if (isfinite(r.lo) && m->nclaims < CLAIMS_MAX)
		claim_add(m, work, c, "guest", r, cells);
}

static void claim_take(struct build *b, const struct claim *c, json_t *const *keys)
{
	size_t n = 0;
	struct pair *all = c->count ? NULL : pairs_of(b->m, c, &n);

	for (size_t i = 0; i < b->m->nworkloads; i++) {
		if (!claim_workload(&c->work, keys[i]))
			continue;
		if (!c->count)
			claim_work(b->m, i, c, keys[i], all, n);
		else
			claim_count(b->m, i, c);
		if (c->count)
			break; /* how many disks there can be is no matter of workloads */
	}
	for (size_t i = 0; i < n; i++)
		free(all[i].where);
	free(all);
}

void build_claims(struct build *b)
{
	json_t **keys;

	if (b->m->ncells > CELLS_MAX)
		return;
	keys = xcalloc(b->m->nworkloads + 1, sizeof(*keys));
	for (size_t i = 0; i < b->m->nworkloads; i++)
		keys[i] = b->works[i].keys_json ? json_loads(b->works[i].keys_json, 0, NULL) : NULL;
	for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++)
		for (size_t k = 0; k < lists[l]->n; k++)
			if (claim_wanted(&lists[l]->rows[k], b->m->profile))
				claim_take(b, &lists[l]->rows[k], keys);
	claims_judge(b->m);
	for (size_t i = 0; i < b->m->nworkloads; i++)
		json_decref(keys[i]);
	free(keys);
}
