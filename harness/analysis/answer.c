/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer in sentences, from the data alone: nothing is said that an interval does not show. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

#define NAMES_MAX 4 /* cells named in a sentence */

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

static void say_no_difference(char **s, const struct model_effect *f)
{
	char *from = level_label(f->axis, f->from), *to = level_label(f->axis, f->to);
	char *lo = text_signed(f->ratio.lo), *hi = text_signed(f->ratio.hi);

	if (isnan(f->ratio.lo))
		text_add(s, "nothing can be said of %s against %s", to, from);
	else if (f->same)
		text_add(s, "%s and %s are the same within %g %% (%s to %s)", from, to,
			 100 * f->metric->min_effect, lo, hi);
	else
		text_add(s, "no difference shown between %s and %s (%s to %s%s)", from, to, lo, hi,
			 f->ratio.lo > 1 || f->ratio.hi < 1
				 ? ", too little among so many comparisons"
				 : "");
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
				say_no_difference(&s, &w->effects[i]);
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

static char *run_answer(const struct model *m)
{
	unsigned n, judged, workloads;
	bool *in = best_everywhere(m, &n, &judged, &workloads);
	char *s = NULL;

	if (!workloads)
		text_add(&s, "Not measured: %s.",
			 m->trials_ok ? "no metric to judge by" : "no trial succeeded");
	else if (judged == 1)
		text_add(&s, "One cell was measured, so there is nothing to compare.");
	else if (n == judged)
		text_add(
			&s,
			"No cell was shown worse than the best: choose freely among the %u, or measure more blocks.",
			judged);
	else if (n) {
		text_add(&s, "Not shown worse than the best%s: ",
			 workloads > 1 ? " under any workload" : "");
		say_names(&s, m, in, n);
		text_add(&s, " (%u of %u cells; the others were).", n, judged);
	} else {
		text_add(
			&s,
			"No cell is among the best under every workload: choose by the workload that matters.");
	}
	if (workloads && m->relative_only)
		text_add(&s, " Relative only: measured under TCG.");
	free(in);
	return s;
}

void build_answer(struct build *b)
{
	for (size_t i = 0; i < b->m->nworkloads; i++)
		b->m->workloads[i].headline = workload_answer(b->m, &b->m->workloads[i]);
	b->m->headline = run_answer(b->m);
}
