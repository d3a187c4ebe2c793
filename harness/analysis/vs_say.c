// SPDX-License-Identifier: GPL-2.0-or-later
/* The two arms of a run in sentences, from the verdicts alone. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

#define NAMED_MAX 4 /* comparisons told one by one */

char *forecast_text(const struct forecast *f, char *buf, size_t size)
{
	if (!f->known)
		snprintf(buf, size, "%s", "");
	else if (f->lo >= FORECAST_MANY)
		snprintf(buf, size, "more than %d more blocks", FORECAST_MANY);
	else if (f->hi >= FORECAST_MANY)
		snprintf(buf, size, "%u to more than %d more blocks", f->lo, FORECAST_MANY);
	else if (f->lo == f->hi)
		snprintf(buf, size, "%u more block%s", f->lo, f->lo == 1 ? "" : "s");
	else
		snprintf(buf, size, "%u to %u more blocks", f->lo, f->hi);
	return buf;
}

static void say_settings(char **s, char *const *sets, size_t n, const char *none)
{
	for (size_t i = 0; i < n; i++)
		text_add(s, "%s%s", i ? " " : "", sets[i]);
	if (!n)
		text_add(s, "%s", none);
}

/* "disk.ring=packed against the profile as it is" */
static void say_arms(char **s, const struct model *m)
{
	bool again = m->nvs_base == m->nvs_change;

	for (size_t i = 0; again && i < m->nvs_base; i++)
		again = !strcmp(m->vs_base[i], m->vs_change[i]);
	if (again) {
		text_add(s, "The same against itself (A/A)");
		return;
	}
	say_settings(s, m->vs_change, m->nvs_change, "the profile as it is");
	text_add(s, " against ");
	say_settings(s, m->vs_base, m->nvs_base, "the profile as it is");
}

/* "-12 % (95 % interval -14 % to -10 %, 8 blocks)"; of differences in the metric's unit. */
static void say_ratio(char **s, const struct model_vs *x)
{
	const struct interval *r = &x->ratio;
	char *mid, *lo, *hi, a[64], b[64], c[64];

	if (x->metric->scale == SCALE_DIFFERENCE) {
		text_add(s, "%s%s (95 %% interval %s to %s, %zu blocks)", r->mid > 0 ? "+" : "",
			 metric_text(x->metric, r->mid, a, sizeof(a)),
			 metric_text(x->metric, r->lo, b, sizeof(b)),
			 metric_text(x->metric, r->hi, c, sizeof(c)), r->n);
		return;
	}
	mid = text_signed(r->mid);
	lo = text_signed(r->lo);
	hi = text_signed(r->hi);
	if (isfinite(r->lo) && isfinite(r->hi))
		text_add(s, "%s (95 %% interval %s to %s, %zu blocks)", mid, lo, hi, r->n);
	else
		text_add(s, "%s in %zu block%s, without an interval", mid, r->n,
			 r->n == 1 ? "" : "s");
	free(mid);
	free(lo);
	free(hi);
}

/* "virtio-blk: worse, -12 % (...)" */
static void say_pair(char **s, const struct model *m, const struct model_vs *x, bool workload)
{
	char more[64];

	if (workload)
		text_add(s, "%s, ", m->workloads[x->workload].name);
	text_add(s, "%s: ", x->label);
	if (x->too_many_failed) {
		text_add(s, "no verdict, more than 5 %% of its trials failed");
		return;
	}
	if (!x->metric || !isfinite(x->ratio.mid)) {
		text_add(s, "not measured");
		return;
	}
	text_add(s, "%s%s%s ", x->metric->title, x->verdict == VERDICT_NONE ? "" : " ",
		 x->verdict == VERDICT_NONE ? "" : verdict_word(x->verdict));
	say_ratio(s, x);
	if (x->verdict == VERDICT_SAME)
		text_add(s, ", the same within %g %s",
			 (x->metric->scale == SCALE_DIFFERENCE ? 1 : 100) *
				 m->workloads[x->workload].min_effect,
			 x->metric->scale == SCALE_DIFFERENCE ? x->metric->unit : "%");
	if (x->more.known)
		text_add(s, "; would be decided by %s",
			 forecast_text(&x->more, more, sizeof(more)));
}

/* What a reader must act on comes first. */
static const enum verdict order[] = {VERDICT_WORSE, VERDICT_BETTER, VERDICT_UNDECIDED, VERDICT_NONE,
				     VERDICT_SAME};
#define ORDERS (sizeof(order) / sizeof(*order))

/* Pairs of one workload, or of all (NULL), up to so many. */
static void say_pairs(char **s, const struct model *m, const struct model_workload *w)
{
	size_t said = 0, all = 0;

	for (size_t o = 0; o < ORDERS; o++)
		for (size_t i = 0; i < m->nvs; i++) {
			const struct model_vs *x = &m->vs[i];

			if (x->verdict != order[o] || (w && &m->workloads[x->workload] != w) ||
			    ++all > NAMED_MAX)
				continue;
			text_add(s, "%s", said++ ? "; " : "");
			say_pair(s, m, x, !w && m->nworkloads > 1);
		}
	if (all > said)
		text_add(s, "; %zu more below", all - said);
}

char *vs_answer(const struct model *m, const struct model_workload *w)
{
	char *s = xasprintf("%s: ", w->name);

	say_pairs(&s, m, w);
	text_add(&s, ".");
	return s;
}

char *vs_headline(const struct model *m)
{
	static const char *const words[] = {"worse", "better", "undecided", "without a verdict",
					    "same"};
	size_t n[ORDERS] = {0}, said = 0;
	char *s = NULL;

	for (size_t i = 0; i < m->nvs; i++)
		for (size_t o = 0; o < ORDERS; o++)
			n[o] += m->vs[i].verdict == order[o];
	say_arms(&s, m);
	text_add(&s, ": ");
	for (size_t o = 0; o < ORDERS; o++)
		if (n[o] && m->nvs > 1)
			text_add(&s, "%s%zu %s", said++ ? ", " : "", n[o], words[o]);
	text_add(&s, "%s", said ? ". " : "");
	say_pairs(&s, m, NULL);
	text_add(&s, ".%s", m->relative_only ? " Relative only: measured under TCG." : "");
	return s;
}
