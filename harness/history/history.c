// SPDX-License-Identifier: GPL-2.0-or-later
/* The nights of a profile: which runs are nights, and the life of a history. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "history/internal.h"
#include "store/gate.h"

static bool same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

static bool is_vs(const struct store_run *r)
{
	json_t *j = r->meta_json ? json_loads(r->meta_json, 0, NULL) : NULL;
	bool vs = json_is_object(json_object_get(j, "vs"));

	json_decref(j);
	return vs;
}

struct gates {
	struct store_gate *g;
	size_t n;
};

/* The gate's record of which the run is the screening; NULL: none. A night that joins a red one's
 * record is no night of its own: its build has been judged. */
static const struct store_gate *gate_of(const struct gates *all, const char *uuid)
{
	size_t i;

	for (i = 0; i < all->n; i++)
		if (same(all->g[i].kind, GATE_NIGHT) && same(all->g[i].screen_run, uuid))
			return &all->g[i];
	return NULL;
}

static bool confirms(const struct gates *all, const char *uuid)
{
	size_t i;

	for (i = 0; i < all->n; i++)
		if (same(all->g[i].confirm_run, uuid))
			return true;
	return false;
}

/* Harm that was put in on purpose (the gate's own member of its record). */
static bool injected(const struct store_gate *g)
{
	json_t *j = g->doc_json ? json_loads(g->doc_json, 0, NULL) : NULL;
	bool some = json_array_size(json_object_get(j, "injected")) > 0;

	json_decref(j);
	return some;
}

/* Complete, of this host and profile; an A/B that is no gate's is about something else, and so is
 * the fresh half of a gate's night. */
static bool is_night(const struct store_run *r, const char *profile, const char *host,
		     const struct gates *all)
{
	const struct store_gate *g;

	if (!same(r->status, "complete") || strcmp(r->host_id, host) ||
	    !same(r->profile_name, profile))
		return false;
	if (confirms(all, r->uuid))
		return false;
	g = gate_of(all, r->uuid);
	return g ? (!g->joins || !*g->joins) && !injected(g) : !is_vs(r);
}

static void night_of(struct history_night *n, const struct store_run *r,
		     const struct store_run *before, const struct store_gate *g)
{
	*n = (struct history_night){.begun = r->begun,
				    .label = xstrdup(r->label ? r->label : ""),
				    .build = history_build_of(r),
				    .changed = before ? history_surroundings(before, r) : NULL,
				    .gate = g != NULL,
				    .reference = g ? xstrdup(g->reference) : NULL};
	memcpy(n->uuid, r->uuid, sizeof(n->uuid));
}

static int fill(struct store *s, const struct history_ask *ask, const struct gates *gates,
		struct store_run *runs, size_t nruns, struct history *h, struct err *e)
{
	const struct store_run **chosen = xcalloc(nruns + 1, sizeof(*chosen));
	const struct store_gate *g;
	size_t i;
	int rc = 0;

	for (i = nruns; i-- > 0;) /* the store has the newest first */
		if (is_night(&runs[i], h->profile, h->host_id, gates))
			chosen[h->nnights++] = &runs[i];
	h->nights = xcalloc(h->nnights + 1, sizeof(*h->nights));
	for (i = 0; i < h->nnights && !rc; i++) {
		struct night_run r = {.run = *chosen[i]};

		g = gate_of(gates, chosen[i]->uuid);
		if (g && g->confirm_run && strlen(g->confirm_run) < sizeof(r.confirm))
			strcpy(r.confirm, g->confirm_run);
		night_of(&h->nights[i], chosen[i], i ? chosen[i - 1] : NULL, g);
		rc = history_read_night(s, ask, h, i, &r, e);
	}
	free(chosen);
	return rc;
}

static int nothing(const struct history_ask *ask, const struct history *h, struct err *e)
{
	if (!h->nnights)
		return err_input(
			e,
			"no complete run of profile \"%s\" on this host; `vbench runs` lists "
			"what there is, `vbench run %s` makes one",
			h->profile, h->profile);
	if (ask->metric && !metric_find(ask->metric))
		return err_input(
			e,
			"--metric: no metric \"%s\"; `vbench report --json` names those of a "
			"run",
			ask->metric);
	if (ask->cell)
		return err_input(
			e,
			"no cell \"%s\" with figures in the runs of profile \"%s\"; `vbench "
			"runs show %.8s` lists the newest run's cells",
			ask->cell, h->profile, h->nights[h->nnights - 1].uuid);
	return err_input(e, "no trial of profile \"%s\" has %s%s; the reports name the causes",
			 h->profile, ask->metric ? "a value of " : "a good result",
			 ask->metric ? ask->metric : "");
}

int history_make(struct store *s, const struct history_ask *ask, struct history **out,
		 struct err *e)
{
	struct history *h = xcalloc(1, sizeof(*h));
	struct gates gates = {0};
	struct store_run *runs = NULL;
	const char *profile = ask->profile;
	size_t n = 0, i;
	int rc = store_runs(s, &runs, &n, e);

	*out = NULL;
	for (i = 0; !rc && !profile && i < n; i++)
		if (same(runs[i].status, "complete") && !strcmp(runs[i].host_id, ask->host))
			profile = runs[i].profile_name;
	if (!rc && !profile)
		rc = err_input(e,
			       "no complete run of this host in the store; `vbench run` makes one");
	if (!rc) {
		h->profile = xstrdup(profile);
		strncpy(h->host_id, ask->host, sizeof(h->host_id) - 1);
		rc = store_gates(s, ask->host, profile, &gates.g, &gates.n, e);
	}
	if (!rc)
		rc = fill(s, ask, &gates, runs, n, h, e);
	if (!rc && !h->nseries)
		rc = nothing(ask, h, e);
	if (!rc)
		history_judge(h, ask->now);
	store_gates_free(gates.g, gates.n);
	store_runs_free(runs, n);
	if (rc)
		history_free(h);
	else
		*out = h;
	return rc;
}

void history_free(struct history *h)
{
	size_t i;

	if (!h)
		return;
	for (i = 0; i < h->nnights && h->nights; i++) {
		free(h->nights[i].label);
		free(h->nights[i].build);
		free(h->nights[i].changed);
		free(h->nights[i].reference);
	}
	for (i = 0; i < h->nseries; i++) {
		free(h->series[i].label);
		free(h->series[i].keys);
		free(h->series[i].workload);
		free(h->series[i].points);
		free(h->series[i].changes);
		free(h->series[i].unsaid);
	}
	free(h->nights);
	free(h->series);
	free(h->gaps);
	free(h->profile);
	free(h->unsaid);
	free(h);
}

bool history_alarms(const struct history *h)
{
	const struct history_series *s;
	size_t i, k;

	for (i = 0; i < h->nseries; i++) {
		s = &h->series[i];
		/* the newest confirmed change speaks for the present level */
		for (k = s->nchanges; k-- > 0;)
			if (s->changes[k].confirmed) {
				if (!s->changes[k].better)
					return true;
				break;
			}
		if (s->drifts && (s->drift_step > 0) != (s->metric->better == HIGHER_IS_BETTER))
			return true;
	}
	return false;
}

char *history_builds(const struct history *h, size_t lo, size_t hi)
{
	const char *a, *b;
	char one[2][9];

	hi = hi < h->nnights ? hi : h->nnights - 1;
	memcpy(one[0], h->nights[lo].uuid, 8);
	memcpy(one[1], h->nights[hi].uuid, 8);
	one[0][8] = one[1][8] = 0;
	a = *h->nights[lo].label ? h->nights[lo].label : one[0];
	b = *h->nights[hi].label ? h->nights[hi].label : one[1];
	if (lo == hi)
		return xstrdup(a);
	if (lo + 1 == hi)
		return xasprintf("%s or %s", a, b);
	return xasprintf("%s .. %s (%zu builds)", a, b, hi - lo + 1);
}
