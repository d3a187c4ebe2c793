// SPDX-License-Identifier: GPL-2.0-or-later
/* Slow drift against the anchor: what is too little for any one night to be red. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gate/gate.h"
#include "gate/night.h"
#include "stats/change.h"

static double turned(const struct metric_row *m, double log_ratio)
{
	return m && m->better == HIGHER_IS_BETTER ? -log_ratio : log_ratio;
}

/* The harm that a night found of a series; NAN: not measured. */
static double harm_of(const struct store_gate *g, const char *key)
{
	size_t i;

	for (i = 0; i < g->nseries; i++)
		if (!strcmp(g->series[i].key, key))
			return g->series[i].ratio > 0 ? turned(metric_find(g->series[i].metric),
							       log(g->series[i].ratio))
						      : NAN;
	return NAN;
}

static double harm_tonight(const struct gate_series *x)
{
	if (x->state == GATE_MISSING || x->state == GATE_FAILED || x->state == GATE_MISMATCHED ||
	    x->state == GATE_RENAMED)
		return NAN;
	return x->tested ? x->confirm.harm : x->screen.harm;
}

/*
 * Nights after the anchor against the same reference, whatever came of them: one that is left out
 * because it was slow would hide the drift. Those that joined another share its blocks.
 */
static size_t nights_since(const struct gate_night *n, const struct store_gate *g, size_t ng,
			   const struct store_gate *last, const struct store_gate **out)
{
	size_t i, k = 0;

	for (i = 0; i < ng; i++)
		if (!strcmp(g[i].kind, GATE_NIGHT) && g[i].begun > last->begun && !g[i].joins &&
		    strcmp(g[i].uuid, n->uuid) && g[i].reference &&
		    !strcmp(g[i].reference, last->reference) && !gate_record_injected(&g[i]))
			out[k++] = &g[i];
	return k;
}

static void add_text(char **all, char *more)
{
	char *both = xasprintf("%s%s%s", *all ? *all : "", *all ? "\n" : "", more);

	free(*all);
	free(more);
	*all = both;
}

/* p of one series, and its step; NAN when it cannot be told. */
static double drift_of(const struct gate_series *x, const struct store_gate *const *anchor,
		       const struct store_gate *const *since, size_t nsince, double *step)
{
	double a[GATE_ANCHOR], *b = xcalloc(nsince + 1, sizeof(*b)), p;
	size_t i;

	for (i = 0; i < GATE_ANCHOR; i++)
		a[i] = harm_of(anchor[i], x->key);
	for (i = 0; i < nsince; i++)
		b[i] = harm_of(since[i], x->key);
	b[nsince] = harm_tonight(x);
	p = change_drift(a, GATE_ANCHOR, b, nsince + 1, step);
	free(b);
	return p;
}

void gate_judge_drift(struct gate_night *n, const struct store_gate *records, size_t nrecords)
{
	const struct store_gate *anchor[GATE_ANCHOR], **since;
	double level = CHANGE_DRIFT_P / (double)(n->nseries ? n->nseries : 1), most = NAN;
	size_t nsince, i, told = 0;
	char *worse = NULL;

	if (n->injected || gate_anchor(records, nrecords, anchor) < GATE_ANCHOR)
		return;
	since = xcalloc(nrecords + 1, sizeof(*since));
	nsince = nights_since(n, records, nrecords, anchor[GATE_ANCHOR - 1], since);
	for (i = 0; nsince + 1 >= CHANGE_DRIFT_NIGHTS && i < n->nseries; i++) {
		const struct gate_series *x = &n->series[i];
		double step, p = drift_of(x, anchor, since, nsince, &step);

		if (isnan(p))
			continue;
		told++;
		most = isnan(most) ? step : fmax(most, step);
		if (step > 0 && p < level)
			add_text(
				&worse,
				xasprintf("%s: the last %d nights are %+.1f %% against the anchor: "
					  "worse (p = %.2g)",
					  x->name, CHANGE_DRIFT_NIGHTS,
					  100 * expm1(turned(x->metric, step)), p));
	}
	free(since);
	if (worse) {
		gate_check_add(
			n, GATE_DRIFT, false, worse,
			xstrdup("`vbench history` shows the series, and between which builds it went; if "
				"that is wanted, `vbench gate accept PROFILE --why TEXT` keeps the "
				"present build as the reference, and begins the anchor anew"));
		n->checks[n->nchecks - 1].red = true;
	} else if (told) {
		gate_check_add(n, GATE_DRIFT, true,
			       xasprintf("none shown for the worse: the last %d nights against the "
					 "anchor's %d, a harm of %+.1f %% at most",
					 CHANGE_DRIFT_NIGHTS, GATE_ANCHOR, 100 * expm1(most)),
			       NULL);
	}
}
