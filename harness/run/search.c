// SPDX-License-Identifier: GPL-2.0-or-later
/* A search over a profile's cells (vbench tune): the space as levels of its axes, the policy, the
 * record. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "run/decide.h"
#include "run/policy_tune.h"

/* A profile's axes as a space of levels; to be freed with levels_free. */
struct levels {
	unsigned *levels;
	unsigned char *level;
	signed char *turn;
	struct tune_rule rule;
};

static const char *value_of(const struct axis *a, const struct cell *c)
{
	if (a->row)
		return c->val[a->row->id];
	for (size_t i = 0; i < c->nextras; i++)
		if (!strcmp(c->extras[i].key, a->key + strlen("disk.blockdev.")))
			return c->extras[i].value;
	return NULL;
}

static unsigned char level_of(const struct axis *a, const struct cell *c)
{
	const char *v = value_of(a, c);

	for (size_t i = 0; v && i < a->nvalues && i < SCREEN_NONE; i++)
		if (!strcmp(v, a->values[i]))
			return (unsigned char)i;
	return SCREEN_NONE;
}

static size_t start_of(const struct run *r)
{
	for (size_t i = 0; i < r->profile->ncells; i++)
		if (!strcmp(r->profile->cells[i].id, r->search.start))
			return i;
	return SIZE_MAX;
}

static bool counts(const struct run *r, size_t workload)
{
	return !r->search_workload ||
	       !strcmp(r->search_workload, r->profile->workloads[workload].name);
}

static void levels_make(const struct run *r, struct levels *l)
{
	const struct profile *p = r->profile;

	l->levels = xcalloc(p->naxes + 1, sizeof(*l->levels));
	l->level = xcalloc(p->ncells * p->naxes + 1, 1);
	l->turn = xcalloc(p->nworkloads + 1, 1);
	for (size_t i = 0; i < p->naxes; i++) {
		l->levels[i] = (unsigned)p->axes[i].nvalues;
		for (size_t c = 0; c < p->ncells; c++)
			l->level[c * p->naxes + i] = level_of(&p->axes[i], &p->cells[c]);
	}
	for (size_t w = 0; w < p->nworkloads; w++) {
		const struct metric_row *m = run_primary(r, w);

		if (m && counts(r, w))
			l->turn[w] = m->better == HIGHER_IS_BETTER ? -1 : 1;
	}
	l->rule = (struct tune_rule){.space = {p->ncells, p->naxes, l->levels, l->level},
				     .start = start_of(r),
				     .visits = r->search.visits,
				     .turn = l->turn};
}

static void levels_free(struct levels *l)
{
	free(l->levels);
	free(l->level);
	free(l->turn);
}

int run_search_check(const struct run *r, struct err *e)
{
	size_t n = 0;

	if (start_of(r) == SIZE_MAX)
		return err_input(e,
				 "%s: the start is not among the cells that can be had here; see "
				 "--dry-run for what was left out",
				 r->profile->path);
	for (size_t w = 0; w < r->profile->nworkloads; w++) {
		const struct metric_row *m = run_primary(r, w);

		n += counts(r, w);
		if (!counts(r, w))
			continue;
		if (!m || m->scale != SCALE_RATIO)
			return err_input(e,
					 "run.primary: %s is no metric with a ratio, by which "
					 "settings could be searched",
					 profile_get(r->profile, K_PRIMARY));
	}
	if (!n)
		return err_input(e, "%s: there is no workload \"%s\"", r->profile->path,
				 r->search_workload);
	return 0;
}

struct policy *run_search_policy(const struct run *r)
{
	struct levels l;
	struct policy *p;

	levels_make(r, &l);
	p = policy_tune(r->seed, (unsigned)r->profile->nworkloads, &l.rule);
	levels_free(&l);
	return p;
}

unsigned run_search_blocks(const struct run *r)
{
	struct levels l;
	unsigned n;

	levels_make(r, &l);
	n = policy_tune_blocks(&l.rule);
	levels_free(&l);
	return n;
}

unsigned run_search_trials(const struct run *r)
{
	struct levels l;
	unsigned n, w = 0;

	levels_make(r, &l);
	n = policy_tune_visits(&l.rule);
	for (size_t i = 0; i < r->profile->nworkloads; i++)
		w += counts(r, i);
	levels_free(&l);
	return n * w;
}

json_t *run_search_json(const struct run *r)
{
	return json_pack("{s:i, s:s, s:s?}", "visits", (int)r->search.visits, "start",
			 r->search.start, "workload", r->search_workload);
}

void run_search_take(struct run *r, const struct run_search *s)
{
	r->search = *s;
	r->search_workload = xstrdup(s->workload);
	r->search.workload = r->search_workload;
}

void run_search_read(struct run *r, const json_t *meta)
{
	const char *start = json_string_value(json_object_get(meta, "start"));
	json_int_t visits = json_integer_value(json_object_get(meta, "visits"));
	struct run_search s = {.workload = json_string_value(json_object_get(meta, "workload"))};

	if (!start || visits < 1 || visits > 1000000)
		return;
	s.visits = (unsigned)visits;
	strncpy(s.start, start, sizeof(s.start) - 1);
	run_search_take(r, &s);
}

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *racing_json(const struct run *r, const struct tune_state *s)
{
	json_t *out = json_array();

	for (size_t i = 0; i < s->nracing; i++) {
		const struct race_cell *c = &s->racing[i];
		const struct cell *cell = &r->profile->cells[c->cell];

		json_array_append_new(out, json_pack("{s:s, s:s, s:o, s:i}", "cell", cell->id,
						     "label", cell->label, "mean", number(c->mean),
						     "changes", (int)c->changes));
	}
	return out;
}

int run_search_save(const struct run *r, struct err *e)
{
	const struct tune_state *s = policy_tune_state(r->policy);
	json_t *failed = json_array(), *primary = json_object(), *fit = json_object(), *out;
	char *path = xasprintf("%s/search.json", r->folder), *text;
	int rc;

	for (size_t i = 0; i < r->profile->ncells; i++)
		if (s->failed[i])
			json_array_append_new(failed, json_string(r->profile->cells[i].label));
	for (size_t w = 0; w < r->profile->nworkloads; w++)
		if (counts(r, w))
			json_object_set_new(primary, r->profile->workloads[w].name,
					    json_string(run_primary(r, w)->id));
	for (size_t i = 0; s->predicted && i < r->profile->ncells; i++)
		json_object_set_new(fit, r->profile->cells[i].id, number(s->predicted[i]));
	out = json_pack("{s:s, s:s, s:i, s:i, s:b, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o}",
			"winner", r->profile->cells[s->winner].id, "start", r->search.start,
			"visits", (int)s->visits, "measured", (int)s->measured, "start_failed",
			s->failed[start_of(r)], "screened", (int)s->screen, "blocks",
			(int)s->blocks, "cells", (int)r->profile->ncells, "selected_gain_log",
			number(s->gain), "noise_sd", number(s->fit.noise_sd), "racing",
			racing_json(r, s), "failed", failed, "primary", primary, "predicted", fit);
	text = json_dumps(out, JSON_INDENT(1));
	rc = file_write(path, text, strlen(text), 0644, e);
	json_decref(out);
	free(text);
	free(path);
	return rc;
}
