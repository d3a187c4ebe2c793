/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer in sentences, from the data alone: nothing is said that an interval does not show. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

#define NAMES_MAX 4    /* cells named in a sentence */
#define FINDINGS_MAX 3 /* main effects that the run's headline leads with */

static const char *plural(unsigned n)
{
	return n == 1 ? "" : "s";
}

/* "A beat B by 18 % (95 % interval 12 to 25 %, 8 blocks)"; ratio is of the loser's or the winner's
 * metric, whichever is the larger, less 1. */
static void say_winner(char **s, const struct model_effect *f)
{
	char *from = level_label(f->axis, f->from), *to = level_label(f->axis, f->to);
	bool up = f->ratio.mid > 1;
	double mid = up ? f->ratio.mid : 1 / f->ratio.mid;
	double lo = up ? f->ratio.lo : 1 / f->ratio.hi, hi = up ? f->ratio.hi : 1 / f->ratio.lo;
	bool higher = f->metric->better == HIGHER_IS_BETTER;
	char *a, *b, *c;

	/* "lower by" is said of the winner, so it is 1 - 1/ratio; "higher by" is ratio - 1. */
	if (!higher) {
		double was = lo;

		mid = 2 - 1 / mid;
		lo = 2 - 1 / was;
		hi = 2 - 1 / hi;
	}
	a = text_change(mid);
	b = text_change(lo);
	c = text_change(hi);
	text_add(s, "%s beat %s: %s %s (95 %% interval %s to %s, %zu block%s)",
		 f->better ? to : from, f->better ? from : to, a, higher ? "higher" : "lower", b, c,
		 f->ratio.n, plural(f->ratio.n));
	free(a);
	free(b);
	free(c);
	free(from);
	free(to);
}

static void say_no_difference(char **s, const struct model_effect *f, double min_effect)
{
	char more[64];

	char *from = level_label(f->axis, f->from), *to = level_label(f->axis, f->to);
	char *lo = text_signed(f->ratio.lo), *hi = text_signed(f->ratio.hi);

	if (isnan(f->ratio.lo))
		text_add(s, "nothing can be said of %s against %s", to, from);
	else if (f->same)
		text_add(s, "%s and %s are the same within %g %% (%s to %s)", from, to,
			 100 * min_effect, lo, hi);
	else
		text_add(s, "no difference shown between %s and %s (%s to %s%s%s%s)", from, to, lo,
			 hi,
			 f->ratio.lo > 1 || f->ratio.hi < 1
				 ? ", too little among so many comparisons"
				 : "",
			 f->more.known ? "; would be decided by " : "",
			 forecast_text(&f->more, more, sizeof(more)));
	free(lo);
	free(hi);
	free(from);
	free(to);
}

static void say_interaction(char **s, const struct model_interaction *x)
{
	char *from = level_label(x->axis, x->from), *to = level_label(x->axis, x->to);
	char *a = text_signed(x->at_from.mid), *b = text_signed(x->at_to.mid);
	char *by_from = level_label(x->by, x->by_from), *by_to = level_label(x->by, x->by_to);

	text_add(s, "what %s does against %s depends on %s: %s with %s, %s with %s", to, from,
		 key_short(x->by), a, by_from, b, by_to);
	free(from);
	free(to);
	free(a);
	free(b);
	free(by_from);
	free(by_to);
}

/* Without axes to speak of: how many cells were shown better or worse than the first. */
static void say_rows(char **s, const struct model *m, const struct model_workload *w)
{
	unsigned better = 0, worse = 0, compared = 0;

	for (size_t r = 1; r < w->nrows; r++)
		for (size_t j = 0; j < w->rows[r].nvalues; j++) {
			const struct model_value *v = &w->rows[r].values[j];

			if (v->metric != w->primary)
				continue;
			compared += !isnan(v->ratio.lo);
			better += v->differs && v->better;
			worse += v->differs && !v->better;
		}
	if (compared)
		text_add(s, "of %u cells compared with %s, %u shown better, %u shown worse",
			 compared, m->cells[0].label, better, worse);
	else
		text_add(s, "too little data to compare cells");
}

static void say_single(char **s, const struct model_workload *w)
{
	char mid[64], lo[64], hi[64];

	for (size_t j = 0; j < w->rows[0].nvalues; j++) {
		const struct model_value *v = &w->rows[0].values[j];

		if (v->metric != w->primary)
			continue;
		metric_text(v->metric, v->abs.mid, mid, sizeof(mid));
		metric_text(v->metric, v->abs.lo, lo, sizeof(lo));
		metric_text(v->metric, v->abs.hi, hi, sizeof(hi));
		if (isnan(v->abs.lo))
			text_add(s, "%s in %zu block%s; one cell, nothing to compare", mid,
				 v->abs.n, plural(v->abs.n));
		else
			text_add(
				s,
				"%s (95 %% interval %s to %s, %zu blocks); one cell, nothing to compare",
				mid, lo, hi, v->abs.n);
	}
}

static char *workload_answer(const struct model *m, const struct model_workload *w)
{
	char *s = NULL;
	size_t start;

	if (!w->primary)
		return xasprintf("%s: not measured.", w->name);
	text_add(&s, "%s, judged by %s: ", w->name, w->primary->title);
	start = strlen(s);
	for (size_t i = 0; i < w->ninteractions; i++) {
		text_add(&s, "%s", strlen(s) > start ? "; " : "");
		say_interaction(&s, &w->interactions[i]);
	}
	for (int shown = 1; shown >= 0; shown--) /* what was shown comes first */
		for (size_t i = 0; i < w->neffects; i++) {
			if (w->effects[i].differs != shown)
				continue;
			text_add(&s, "%s", strlen(s) > start ? "; " : "");
			if (shown)
				say_winner(&s, &w->effects[i]);
			else
				say_no_difference(&s, &w->effects[i], w->min_effect);
		}
	if (!w->neffects && w->nrows == 1)
		say_single(&s, w);
	else if (!w->neffects)
		say_rows(&s, m, w);
	text_add(&s, ".");
	return s;
}

/* Cells that are in the best set of every workload that has one; n of them, of all candidates. */
static bool *best_everywhere(const struct model *m, unsigned *n, unsigned *judged,
			     unsigned *workloads)
{
	bool *in = xcalloc(m->ncells + 1, sizeof(*in)), *has = xcalloc(m->ncells + 1, sizeof(*has));

	for (size_t c = 0; c < m->ncells; c++)
		in[c] = true;
	*n = *judged = *workloads = 0;
	for (size_t i = 0; i < m->nworkloads; i++) {
		const struct model_workload *w = &m->workloads[i];
		bool any = false;

		for (size_t r = 0; r < w->nrows; r++)
			any |= w->rows[r].best_set;
		if (!any)
			continue;
		(*workloads)++;
		for (size_t r = 0; r < w->nrows; r++) {
			in[r] &= w->rows[r].best_set;
			has[r] |= w->rows[r].ok && !w->rows[r].too_many_failed;
		}
	}
	for (size_t c = 0; c < m->ncells; c++) {
		in[c] &= *workloads > 0;
		*n += in[c];
		*judged += has[c];
	}
	free(has);
	return in;
}

static void say_names(char **s, const struct model *m, const bool *in, unsigned n)
{
	unsigned said = 0;

	for (size_t c = 0; c < m->ncells && said < NAMES_MAX; c++)
		if (in[c])
			text_add(s, "%s%s", said++ ? ", " : "", m->cells[c].label);
	if (n > said)
		text_add(s, " and %u more", n - said);
}

/* ---- the run's answer: what was shown, then what to choose ---- */

struct finding {
	const struct model_workload *w;
	const struct model_effect *f;
};

static int by_size(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;
	double dx = fabs(log(x->f->ratio.mid)), dy = fabs(log(y->f->ratio.mid));

	if (dx != dy)
		return dx < dy ? 1 : -1;
	return (x->f > y->f) - (x->f < y->f); /* qsort() keeps no order of its own */
}

/* "12 % slower than", "4.2 times as fast as": what `to` is against `from`. */
static char *change_text(const struct model_effect *f)
{
	bool higher = f->metric->better == HIGHER_IS_BETTER, up = f->ratio.mid > 1;
	double mid = f->ratio.mid;
	char *share, *s;

	if (mid > 3)
		return xasprintf("%.1f times %s", mid, higher ? "as fast as" : "the latency of");
	share = text_change(1 + fabs(mid - 1));
	if (higher)
		s = xasprintf("%s %s than", share, up ? "faster" : "slower");
	else
		s = xasprintf("%s %s latency than", share, up ? "higher" : "lower");
	free(share);
	return s;
}

/* The interval in the words of change_text: of 0.8 to 0.97 "3.0 to 20 %". */
static char *range_text(const struct interval *r)
{
	double lo = r->mid > 1 ? r->lo - 1 : 1 - r->hi, hi = r->mid > 1 ? r->hi - 1 : 1 - r->lo;

	if (r->mid > 3)
		return xasprintf("%.1f to %.1f times", r->lo, r->hi);
	lo *= 100;
	hi *= 100;
	return xasprintf("%.*f to %.*f %%", fabs(lo) < 9.95 ? 1 : 0, lo, hi < 9.95 ? 1 : 0, hi);
}

/* The other axis on which this effect was shown to depend, or NULL. */
static const char *depends_on(const struct finding *x)
{
	for (size_t i = 0; i < x->w->ninteractions; i++) {
		const struct model_interaction *n = &x->w->interactions[i];

		if (!strcmp(n->axis, x->f->axis) && !strcmp(n->to, x->f->to))
			return n->by;
		if (!strcmp(n->by, x->f->axis) && !strcmp(n->by_to, x->f->to))
			return n->axis;
	}
	return NULL;
}

static void say_finding(char **s, const struct finding *x)
{
	char *from = level_label(x->f->axis, x->f->from), *to = level_label(x->f->axis, x->f->to);
	char *change = change_text(x->f), *range = range_text(&x->f->ratio);
	const char *by = depends_on(x);

	text_add(s, "%s: %s %s %s (95 %% interval %s%s%s)", x->w->name, to, change, from, range,
		 by ? "; on average, it depends on " : "", by ? key_short(by) : "");
	free(from);
	free(to);
	free(change);
	free(range);
}

/* Main effects that were shown, the largest first. */
static void say_findings(char **s, const struct model *m)
{
	struct finding *all;
	size_t n = 0, max = 0;

	for (size_t i = 0; i < m->nworkloads; i++)
		max += m->workloads[i].neffects;
	all = xcalloc(max + 1, sizeof(*all));
	for (size_t i = 0; i < m->nworkloads; i++)
		for (size_t j = 0; j < m->workloads[i].neffects; j++)
			if (m->workloads[i].effects[j].differs)
				all[n++] = (struct finding){&m->workloads[i],
							    &m->workloads[i].effects[j]};
	if (n)
		qsort(all, n, sizeof(*all), by_size);
	for (size_t i = 0; i < n && i < FINDINGS_MAX; i++) {
		text_add(s, "%s", i ? "; " : "");
		say_finding(s, &all[i]);
	}
	if (n > FINDINGS_MAX)
		text_add(s, "; %zu more below", n - FINDINGS_MAX);
	text_add(s, "%s", n ? ". " : "");
	free(all);
}

/*
 * How far apart the cells of the set may still be. They are held against the first cell, whose
 * intervals stand in the table, or, where that one is out, against the best.
 */
struct spread {
	bool same;	   /* all shown to be the same for practical ends */
	bool unknown;	   /* some comparison has no interval */
	double bound;	   /* largest share that an interval leaves open: 0.38 */
	double min_effect; /* the widest margin used for `same` */
};

static void spread_add(struct spread *x, const struct interval *r, bool same)
{
	double far = fmax(fabs(r->hi - 1), fabs(1 - r->lo));

	x->same &= same;
	if (isfinite(r->lo) && isfinite(r->hi))
		x->bound = fmax(x->bound, far);
	else
		x->unknown = true;
}

static struct spread set_spread(const struct model *m, const bool *in)
{
	struct spread x = {true, false, 0, 0};

	for (size_t i = 0; i < m->nworkloads; i++) {
		const struct model_workload *w = &m->workloads[i];
		bool any = false;

		for (size_t r = 0; r < w->nrows; r++)
			any |= w->rows[r].best_set;
		if (!any)
			continue;
		x.min_effect = fmax(x.min_effect, w->min_effect);
		for (size_t r = 0; r < w->nrows; r++) {
			const struct model_row *row = &w->rows[r];

			if (!in[r])
				continue;
			if (!in[0]) {
				if (!row->same_as_best || !isnan(row->to_best.mid))
					spread_add(&x, &row->to_best, row->same_as_best);
				continue;
			}
			for (size_t j = 0; r && j < row->nvalues; j++)
				if (row->values[j].metric == w->primary)
					spread_add(&x, &row->values[j].ratio, row->values[j].same);
		}
	}
	return x;
}

static void say_open(char **s, const struct spread *x)
{
	char *bound = text_change(1 + x->bound);

	if (x->unknown)
		text_add(s, "there are too few blocks to say how large a difference may be");
	else
		text_add(s, "differences of up to %s are not ruled out", bound);
	free(bound);
}

static void say_all(char **s, const struct model *m, const bool *in, unsigned n)
{
	struct spread x = set_spread(m, in);

	if (x.same) {
		text_add(s, "All %u cells compared are the same within %g %%: choose freely.", n,
			 100 * x.min_effect);
		return;
	}
	text_add(s, "Undecided cell by cell: none of the %u was shown worse than the best, but ",
		 n);
	say_open(s, &x);
	text_add(s, ". Measure more blocks.");
}

static void say_some(char **s, const struct model *m, const bool *in, unsigned n, unsigned judged,
		     unsigned workloads)
{
	struct spread x = set_spread(m, in);

	text_add(s,
		 "Not shown worse than the best%s: ", workloads > 1 ? " under any workload" : "");
	say_names(s, m, in, n);
	text_add(s, " (%u of %u cells; the others were).", n, judged);
	if (n < 2)
		return;
	if (x.same) {
		text_add(s, " These are the same within %g %%: choose freely among them.",
			 100 * x.min_effect);
		return;
	}
	text_add(s, " Undecided between these: ");
	say_open(s, &x);
	text_add(s, ". Measure more blocks.");
}

static char *run_answer(const struct model *m)
{
	unsigned n, judged, workloads;
	bool *in = best_everywhere(m, &n, &judged, &workloads);
	char *s = NULL;

	say_findings(&s, m);
	if (!workloads)
		text_add(&s, "Not measured: %s.",
			 m->trials_ok ? "no metric to judge by" : "no trial succeeded");
	else if (judged == 1)
		text_add(&s, "One cell was measured, so there is nothing to compare.");
	else if (n == judged)
		say_all(&s, m, in, n);
	else if (n)
		say_some(&s, m, in, n, judged, workloads);
	else
		text_add(
			&s,
			"No cell is among the best under every workload: choose by the workload that matters.");
	if (workloads && m->relative_only)
		text_add(&s, " Relative only: measured under TCG.");
	free(in);
	return s;
}

void build_answer(struct build *b)
{
	struct model *m = b->m;

	for (size_t i = 0; i < m->nworkloads; i++)
		m->workloads[i].headline = m->search   ? NULL
					   : m->nrungs ? ladder_answer(m, &m->workloads[i])
					   : m->nvs    ? vs_answer(m, &m->workloads[i])
						       : workload_answer(m, &m->workloads[i]);
	m->headline = m->search	  ? search_headline(m)
		      : m->nrungs ? ladder_headline(m)
		      : m->nvs	  ? vs_headline(m)
				  : run_answer(m);
}
