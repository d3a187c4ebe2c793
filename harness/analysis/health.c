/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the run went: asked against got, failures, accelerator, the harness's own time, noise of the
 * host. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

enum { MATCH, DIFFER, UNKNOWN }; /* enum got_state's values, as stored */

static const char *trial_label(const struct build *b, size_t trial)
{
	return b->cell_of[trial] < 0 ? b->trials[trial].cell : b->m->cells[b->cell_of[trial]].label;
}

/* What is worth showing: a difference before an unknown before a match. */
static int rank_of(int state)
{
	return state == DIFFER ? 2 : state == UNKNOWN ? 1 : 0;
}

static void take_check(struct model_check *c, const struct store_check *from, const char *label)
{
	int seen = c->differ ? 2 : c->unknown ? 1 : c->match ? 0 : -1;

	if (rank_of(from->state) > seen) {
		free(c->asked);
		free(c->got);
		free(c->cell_label);
		c->asked = xstrdup(from->asked ? from->asked : "");
		c->got = xstrdup(from->got ? from->got : "");
		c->cell_label = xstrdup(label);
	}
	c->match += from->state == MATCH;
	c->differ += from->state == DIFFER;
	c->unknown += from->state != MATCH && from->state != DIFFER;
}

static struct model_check *check_of(struct model *m, const char *key)
{
	for (size_t i = 0; i < m->nchecks; i++)
		if (!strcmp(m->checks[i].key, key))
			return &m->checks[i];
	m->checks = array_add(m->checks, &m->nchecks, sizeof(*m->checks));
	m->checks[m->nchecks - 1].key = xstrdup(key);
	return &m->checks[m->nchecks - 1];
}

static void checks(struct build *b)
{
	for (size_t i = 0; i < b->ntrials; i++)
		for (size_t j = 0; j < b->trials[i].nchecks; j++) {
			const struct store_check *from = &b->trials[i].checks[j];

			if (from->key)
				take_check(check_of(b->m, from->key), from, trial_label(b, i));
		}
}

static void failures(struct build *b)
{
	struct model *m = b->m;

	for (size_t i = 0; i < b->ntrials; i++) {
		const struct store_trial *t = &b->trials[i];
		struct model_failure *f;

		if (t->ok || trial_at_limit(t))
			continue;
		m->failures = array_add(m->failures, &m->nfailures, sizeof(*m->failures));
		f = &m->failures[m->nfailures - 1];
		f->seq = t->seq;
		f->cell_label = xstrdup(trial_label(b, i));
		f->workload = xstrdup(t->workload ? t->workload : "");
		f->cause = xstrdup(t->cause ? t->cause : "unknown");
		f->detail = xstrdup(t->detail ? t->detail : "");
	}
}

static bool no_guest(const struct model *m)
{
	for (size_t c = 0; c < m->ncells; c++) {
		const char *site = cell_value(&m->cells[c], "guest.site");

		if (!site || strcmp(site, "host"))
			return false;
	}
	return m->ncells > 0;
}

/* What was in force by the checks of good trials; without such a check, what the run says of
 * itself. */
static void accelerator(struct build *b)
{
	bool kvm = false, tcg = false;

	for (size_t i = 0; i < b->ntrials; i++)
		for (size_t j = 0; b->trials[i].ok && j < b->trials[i].nchecks; j++) {
			const struct store_check *c = &b->trials[i].checks[j];

			if (!c->key || !c->got || strcmp(c->key, "guest.accel") ||
			    c->state == UNKNOWN)
				continue;
			kvm |= !strncmp(c->got, "kvm", 3);
			tcg |= !strncmp(c->got, "tcg", 3);
		}
	if (no_guest(b->m)) {
		b->m->accel = xstrdup("none");
		return;
	}
	if (!kvm && !tcg) {
		const char *said = json_string_value(json_object_get(b->meta, "accel"));

		kvm = said && !strcmp(said, "kvm");
		tcg = said && !strcmp(said, "tcg");
	}
	b->m->accel = xstrdup(kvm && tcg ? "kvm, tcg" : kvm ? "kvm" : tcg ? "tcg" : "unknown");
	b->m->relative_only = tcg;
}

struct series {
	char *name;
	double *x;
	size_t n;
};

static void series_take(struct series **all, size_t *n, const char *name, double v)
{
	struct series *s = NULL;

	for (size_t i = 0; i < *n && !s; i++)
		if (!strcmp((*all)[i].name, name))
			s = &(*all)[i];
	if (!s) {
		*all = array_add(*all, n, sizeof(**all));
		s = &(*all)[*n - 1];
		s->name = xstrdup(name);
	}
	s->x = xrealloc(s->x, s->n + 1, sizeof(*s->x));
	s->x[s->n++] = v;
}

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

/* {"name": {"median": .., LABEL: ..}} of the numeric members of one JSON object a trial; LABEL is
 * that quantile. */
static json_t *summary(struct build *b, bool noise, const char *label, double quantile)
{
	struct series *all = NULL;
	size_t n = 0;
	json_t *out = json_object();

	for (size_t i = 0; i < b->ntrials; i++) {
		const struct store_trial *t = &b->trials[i];
		const char *text = noise ? t->noise_json : t->phases_json, *key;
		json_t *o, *v;

		if (!t->ok || !text)
			continue;
		o = json_read(b->m, noise ? "noise of a trial" : "phases of a trial", text,
			      JSON_OBJECT);
		json_object_foreach(o, key, v) if (json_is_number(v))
			series_take(&all, &n, key, json_number_value(v));
		json_decref(o);
	}
	for (size_t i = 0; i < n; i++) {
		json_object_set_new(out, all[i].name,
				    json_pack("{s:o, s:o}", "median",
					      number(median(all[i].x, all[i].n)), label,
					      number(percentile(all[i].x, all[i].n, quantile))));
		free(all[i].name);
		free(all[i].x);
	}
	free(all);
	return out;
}

void build_checks(struct build *b)
{
	checks(b);
	failures(b);
	accelerator(b);
	b->m->phases = summary(b, false, "p90", 0.9);
	b->m->noise = summary(b, true, "max", 1);
}
