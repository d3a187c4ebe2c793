// SPDX-License-Identifier: GPL-2.0-or-later
/* How many blocks tonight takes, from the spread that earlier nights had. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gate/night.h"

#define PLAN_NIGHTS 30 /* the newest: a host's spread ages */

/* The sd of a trial of one series, pooled over nights. */
struct spread {
	double sd, df;
	size_t nights;
};

/*
 * Degrees of freedom of a night's sd, which is of its screening: pairs - 1. A confirmed series' own
 * pairs are of stage 2, so there those of the night's plan count; failed ones are too few to matter
 * (GATE_FAILED_MAX).
 */
static double freedom(const struct store_gate *g, const struct store_gate_series *x)
{
	json_t *doc;
	double n = x->n;

	if (x->stage == 2) {
		doc = gate_doc(g);
		n = json_number_value(json_object_get(doc, "blocks"));
		json_decref(doc);
	}
	return n > 1 && n < 1e6 ? n - 1 : 0;
}

static struct spread spread_of(const char *key, const struct store_gate *g, size_t n)
{
	struct spread s = {NAN, 0, 0};
	double ss = 0, df;
	size_t i, k;

	for (i = n; i-- && s.nights < PLAN_NIGHTS;) {
		/* a joined one has no screening, and shares its blocks with others */
		if (strcmp(g[i].kind, GATE_NIGHT) || g[i].joins || gate_record_injected(&g[i]))
			continue;
		for (k = 0; k < g[i].nseries; k++) {
			const struct store_gate_series *x = &g[i].series[k];

			if (strcmp(x->key, key) || !isfinite(x->sd) || x->sd < 0)
				continue;
			df = freedom(&g[i], x);
			ss += x->sd * x->sd * df;
			s.df += df;
			s.nights += df > 0;
			break;
		}
	}
	if (s.df > 0)
		s.sd = sqrt(ss / s.df);
	return s;
}

void gate_plan_night(struct gate_night *n, const struct store_gate *records, size_t nrecords)
{
	struct spread worst = {NAN, 0, 0};
	const char *name = "";
	size_t unknown = 0, i;
	char *reason;

	if (!n->plan_blocks && !n->plan_confirm)
		return;
	for (i = 0; i < n->nseries; i++) {
		struct spread s = spread_of(n->series[i].key, records, nrecords);

		if (s.df < GATE_PLAN_DF) {
			unknown++;
		} else if (isnan(worst.sd) || s.sd > worst.sd) {
			worst = s;
			name = n->series[i].name;
		}
	}
	if (isfinite(worst.sd))
		gate_plan(&n->rule, worst.sd, n->plan_blocks, n->plan_confirm);
	if (unknown && n->plan_blocks && n->rule.blocks < GATE_BLOCKS)
		n->rule.blocks = GATE_BLOCKS;
	if (unknown && n->plan_confirm && n->rule.confirm < GATE_CONFIRM)
		n->rule.confirm = GATE_CONFIRM;
	if (isnan(worst.sd))
		reason = xstrdup("until nights enough have shown the spread of a trial");
	else
		reason = xasprintf("planned from %zu night%s: sd %.1f %%%s%s%s", worst.nights,
				   worst.nights == 1 ? "" : "s", 100 * worst.sd,
				   n->nseries > 1 ? " in the noisiest series, " : "",
				   n->nseries > 1 ? name : "",
				   unknown ? "; not less than 10 + 20 while others are new" : "");
	free(n->plan);
	n->plan = xasprintf("%u + %u, %s", n->rule.blocks, n->rule.confirm, reason);
	free(reason);
}
