// SPDX-License-Identifier: GPL-2.0-or-later
/* Verdicts on runs as samples of the run level (statistics.md, part 10). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "compare/compare.h"

#define LEVEL 0.95
#define ALPHA 0.05

/* Interval mid +- t(df) se, and its p. */
static struct interval t_from(double mid, double se, double df, size_t n, double s, double *p)
{
	double half = t_quantile(0.5 + LEVEL / 2, df) * se;

	*p = se > 0 ? 2 * t_cdf(-fabs(mid) / se, df) : mid == 0;
	return (struct interval){mid, mid - half, mid + half, n, s};
}

static const struct interval nothing = {NAN, NAN, NAN, 0, NAN};

struct interval judge_history(const double *x, size_t nx, const double *h, size_t nh, double *p)
{
	double s = sd(h, nh);

	*p = NAN;
	if (nx < 1 || nh < 2 || !isfinite(s))
		return nothing;
	return t_from(mean(x, nx) - mean(h, nh), s * sqrt(1.0 / nx + 1.0 / nh), nh - 1.0, nx + nh,
		      s, p);
}

/*
 * Welch's approximate degrees of freedom let through 6 to 7.5 % instead of 5 with so few runs (3
 * and 20: 7.1); the smaller side's alone 1 to 3 %. Their harmonic mean keeps 5.2 % at most for 3 to
 * 60 runs a side whose spreads differ up to twofold (40,000 replications each).
 */
static double careful_df(double va, size_t na, double vb, size_t nb)
{
	double v = va + vb, least = (na < nb ? na : nb) - 1.0;
	double welch = v > 0 ? v * v / (va * va / (na - 1.0) + vb * vb / (nb - 1.0)) : least;

	return 2 / (1 / welch + 1 / least);
}

struct interval judge_welch(const double *a, size_t na, const double *b, size_t nb, double *p)
{
	double va, vb, pooled;

	*p = NAN;
	if (na < 2 || nb < 2)
		return nothing;
	va = pow(sd(a, na), 2) / na;
	vb = pow(sd(b, nb), 2) / nb;
	if (!isfinite(va + vb))
		return nothing;
	pooled = sqrt((va * na * (na - 1.0) + vb * nb * (nb - 1.0)) / (na + nb - 2.0));
	return t_from(mean(b, nb) - mean(a, na), sqrt(va + vb), careful_df(va, na, vb, nb), na + nb,
		      pooled, p);
}

/* The mean of a run on the scale on which runs are compared; NAN: not measured. */
static double run_value(const struct compare_run *r, const char *cell_id,
			const struct compare_row *row)
{
	const struct model_workload *w;
	const struct model_row *mr = compare_row_of(r->model, cell_id, row->workload, &w);

	if (!mr || mr->too_many_failed || w->primary != row->metric)
		return NAN;
	for (size_t i = 0; i < mr->nvalues; i++)
		if (mr->values[i].metric == row->metric) {
			double v = mr->values[i].abs.mid;

			return row->metric->scale == SCALE_DIFFERENCE ? v : v > 0 ? log(v) : NAN;
		}
	return NAN;
}

struct values {
	double *x;
	size_t n;
};

static struct values values_of(const struct compare_run *runs, size_t n, const char *cell_id,
			       const struct compare_row *row)
{
	struct values v = {xcalloc(n + 1, sizeof(double)), 0};

	for (size_t i = 0; i < n; i++) {
		double x = run_value(&runs[i], cell_id, row);

		if (isfinite(x))
			v.x[v.n++] = x;
	}
	return v;
}

/* From the scale of runs to that of the report. */
static struct interval shown(const struct compare_row *row, struct interval i)
{
	if (row->metric->scale == SCALE_DIFFERENCE)
		return i;
	i.mid = exp(i.mid);
	i.lo = exp(i.lo);
	i.hi = exp(i.hi);
	return i;
}

static bool constant(const struct interval *i)
{
	return isfinite(i->mid) && i->lo == i->hi;
}

/* Turned round: a to b instead of b to a. */
static struct interval negated(struct interval i)
{
	double lo = i.lo;

	i.mid = -i.mid;
	i.lo = -i.hi;
	i.hi = -lo;
	return i;
}

static void by_history(struct compare_row *row, const struct values *x, const struct values *h,
		       bool of_b)
{
	struct interval i = judge_history(x->x, x->n, h->x, h->n, &row->p);

	row->judged = shown(row, of_b ? negated(i) : i);
	row->sd_run = i.sd;
	row->how = HOW_HISTORY;
	row->na = of_b ? x->n : h->n;
	row->nb = of_b ? h->n : x->n;
}

static void by_welch(struct compare_row *row, const struct values *a, const struct values *b)
{
	struct interval i = judge_welch(a->x, a->n, b->x, b->n, &row->p);

	row->judged = shown(row, i);
	row->sd_run = i.sd;
	row->how = HOW_WELCH;
	row->na = a->n;
	row->nb = b->n;
}

static void not_judged(const struct compare *c, struct compare_row *row, size_t known)
{
	row->verdict = VERDICT_UNDECIDED;
	if (c->a.nruns == 1 && c->b.nruns == 1)
		row->why = xasprintf(
			"one run a side; %zu comparable run%s, %d are needed: use run --vs", known,
			known == 1 ? "" : "s", COMPARE_HISTORY);
	else
		row->why = xasprintf(
			"%zu and %zu runs; needs %d comparable runs of one side, or %d a side and %d in all",
			row->na, row->nb, COMPARE_HISTORY, COMPARE_WELCH_MIN, COMPARE_HISTORY);
}

/*
 * Is the mean of each of these runs at least as exact as those of the history? A run that was cut
 * short, or has fewer blocks, varies more than they tell: 1 block against 8 runs of 10 (trials
 * 5 %, runs 1 %) would differ falsely in 39 % of cases, 3 blocks in 18 %.
 */
static bool as_exact(const struct compare_side *s, const struct compare_run *like)
{
	for (size_t i = 0; i < s->nruns; i++) {
		const struct store_run *r = &s->runs[i].row;
		const struct model *m = s->runs[i].model;
		bool fixed = isnan(m->decide) && isnan(m->precision);

		if (!r->status || strcmp(r->status, "complete") || r->blocks < like->row.blocks)
			return false;
		if (isnan(m->decide) != isnan(like->model->decide) ||
		    isnan(m->precision) != isnan(like->model->precision))
			return false;
		/* one that stops by itself may be short; another is when its time was used up */
		if (fixed && m->blocks_done < like->row.blocks)
			return false;
	}
	return true;
}

/*
 * Two sides of several runs bring their own spread. Else one side's comparable runs tell how runs
 * vary, and what the other side's mean is held against; those of the first side by preference.
 */
static void choose(const struct compare *c, struct compare_row *row, const struct values *a,
		   const struct values *b, const struct values *ha, const struct values *hb)
{
	row->na = a->n;
	row->nb = b->n;
	if (row->metric->scale == SCALE_EXACT && constant(&row->abs_a) && constant(&row->abs_b)) {
		double r = row->abs_b.mid == row->abs_a.mid ? 1 : row->abs_b.mid / row->abs_a.mid;

		row->how = HOW_EXACT;
		row->judged = (struct interval){r, r, r, 2, 0};
	} else if (c->other_host) {
		row->why = xstrdup("another host: figures of different hosts are not judged");
	} else if (!a->n || !b->n) {
		row->why = xstrdup("not measured on both sides");
	} else if (a->n >= COMPARE_WELCH_MIN && b->n >= COMPARE_WELCH_MIN &&
		   a->n + b->n >= COMPARE_HISTORY) {
		by_welch(row, a, b);
	} else if (ha->n >= COMPARE_HISTORY && as_exact(&c->b, &c->a.runs[0])) {
		by_history(row, b, ha, false);
	} else if (hb->n >= COMPARE_HISTORY && as_exact(&c->a, &c->b.runs[0])) {
		by_history(row, a, hb, true);
	} else if (ha->n >= COMPARE_HISTORY || hb->n >= COMPARE_HISTORY) {
		row->verdict = VERDICT_UNDECIDED;
		row->why = xstrdup("a run that is not complete, or has fewer blocks than the "
				   "comparable ones, varies more than they do");
	} else {
		not_judged(c, row, ha->n > hb->n ? ha->n : hb->n);
	}
}

static void judge_row(const struct compare *c, struct compare_row *row)
{
	const char *ida = c->a.runs[0].model->cells[row->a].id;
	const char *idb = c->b.runs[0].model->cells[row->b].id;
	struct values a = values_of(c->a.runs, c->a.nruns, ida, row);
	struct values b = values_of(c->b.runs, c->b.nruns, idb, row);
	struct values ha = values_of(c->a.history, c->a.nhistory, ida, row);
	struct values hb = values_of(c->b.history, c->b.nhistory, idb, row);

	row->judged = nothing;
	row->p = row->sd_run = row->change = NAN;
	if (a.n && b.n) {
		row->change = mean(b.x, b.n) - mean(a.x, a.n);
		if (row->metric->scale != SCALE_DIFFERENCE)
			row->change = exp(row->change);
	}
	if (!row->why)
		choose(c, row, &a, &b, &ha, &hb);
	free(a.x);
	free(b.x);
	free(ha.x);
	free(hb.x);
}

/* What the interval says, unless the number of rows makes a difference that small unremarkable. */
static void row_verdict(struct compare_row *row)
{
	bool higher = row->metric->better == HIGHER_IS_BETTER;
	enum verdict v = row->metric->scale == SCALE_DIFFERENCE
				 ? verdict_diff(&row->judged, higher, row->metric->min_effect)
				 : verdict_ratio(&row->judged, higher, row->metric->min_effect);

	if ((v == VERDICT_WORSE || v == VERDICT_BETTER) && row->how != HOW_EXACT &&
	    !(row->p < ALPHA)) {
		v = VERDICT_UNDECIDED;
		row->why =
			xstrdup("differs by itself, but not once corrected for the number of rows");
	}
	row->verdict = v;
}

void compare_judge(struct compare *c)
{
	double *p = xcalloc(c->nrows + 1, sizeof(*p));

	for (size_t i = 0; i < c->nrows; i++) {
		judge_row(c, &c->rows[i]);
		p[i] = c->rows[i].p;
	}
	holm(p, c->nrows);
	for (size_t i = 0; i < c->nrows; i++) {
		c->rows[i].p = p[i];
		if (c->rows[i].how != HOW_NOT)
			row_verdict(&c->rows[i]);
	}
	free(p);
}
