/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The layer ladder: rungs of the profile, and each layer as the paired difference of two of them.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"
#include "profile/profile.h"

static const struct interval unknown = {NAN, NAN, NAN, 0, NAN};

/* ---- the tree ---- */

static long rung_named(const struct rung *all, size_t n, const char *name)
{
	for (size_t i = 0; name && i < n; i++)
		if (all[i].name && !strcmp(all[i].name, name))
			return i;
	return -1;
}

struct tree {
	const struct rung *from;
	size_t n;
	bool *placed;
	struct model *m;
};

/* Appends rung i and, behind it, what stands on it. */
static void tree_place(struct tree *t, size_t i, long below)
{
	long at = t->m->nrungs;
	struct model_rung *r;

	if (t->placed[i])
		return;
	t->placed[i] = true;
	r = &t->m->rungs[t->m->nrungs++];
	r->name = xstrdup(t->from[i].name ? t->from[i].name : "");
	r->over = t->from[i].over ? xstrdup(t->from[i].over) : NULL;
	r->adds = t->from[i].adds ? xstrdup(t->from[i].adds) : NULL;
	r->below = below;
	r->depth = below < 0 ? 0 : t->m->rungs[below].depth + 1;
	r->cell = -1;
	r->place = "guest";
	for (size_t k = 0; k < t->n; k++)
		if (rung_named(t->from, t->n, t->from[k].over) == (long)i)
			tree_place(t, k, at);
}

/* Rungs on the ground first. What is left then stands on itself in a circle, which no profile of
 * ours can say. */
static void tree_make(struct model *m, const struct profile *p)
{
	struct tree t = {p->rungs, p->nrungs, xcalloc(p->nrungs + 1, sizeof(bool)), m};

	m->rungs = xcalloc(p->nrungs + 1, sizeof(*m->rungs));
	for (size_t i = 0; i < t.n; i++)
		if (rung_named(t.from, t.n, t.from[i].over) < 0)
			tree_place(&t, i, -1);
	for (size_t i = 0; i < t.n; i++)
		tree_place(&t, i, -1);
	free(t.placed);
}

/* ---- the rungs' cells ---- */

/* By id; a later vbench may name the same cell otherwise, then by the label, which is the rung's
 * name. */
static long cell_of_rung(const struct model *m, const struct profile *p, const struct rung *r)
{
	for (size_t c = 0; r->cell < p->ncells && c < m->ncells; c++)
		if (!strcmp(m->cells[c].id, p->cells[r->cell].id))
			return c;
	for (size_t c = 0; r->name && c < m->ncells; c++)
		if (m->cells[c].label && !strcmp(m->cells[c].label, r->name))
			return c;
	return -1;
}

/* "rung NAME", or the name alone; "rung NAME: KEY=..." is a key of it that means nothing there. */
static bool names_rung(const char *what, const char *name)
{
	return !strcmp(what, name) || (!strncmp(what, "rung ", 5) && !strcmp(what + 5, name));
}

static char *skip_reason(const struct model *m, const struct profile *p, const char *name)
{
	size_t i;
	json_t *s;

	json_array_foreach(m->skipped, i, s)
	{
		const char *what = json_string_value(json_object_get(s, "what"));
		const char *why = json_string_value(json_object_get(s, "reason"));

		if (what && why && names_rung(what, name))
			return xstrdup(why);
	}
	for (i = 0; i < p->nskipped; i++)
		if (p->skipped[i].what && p->skipped[i].reason &&
		    names_rung(p->skipped[i].what, name))
			return xstrdup(p->skipped[i].reason);
	return xstrdup("the run holds no cell for it");
}

static void find_cells(struct model *m, const struct profile *p)
{
	for (size_t i = 0; i < m->nrungs; i++) {
		struct model_rung *r = &m->rungs[i];
		long from = rung_named(p->rungs, p->nrungs, r->name);
		const char *site;

		r->cell = from < 0 ? -1 : cell_of_rung(m, p, &p->rungs[from]);
		if (r->cell < 0) {
			r->why = skip_reason(m, p, r->name);
			continue;
		}
		free(m->cells[r->cell].keys_text); /* there are no axes */
		m->cells[r->cell].keys_text = xasprintf("rung=%s", r->name);
		site = cell_value(&m->cells[r->cell], "guest.site");
		if (site && !strcmp(site, "host"))
			r->place = "host";
	}
}

/* ---- figures ---- */

static double point_of(const struct model_row *r, const char *metric, size_t block)
{
	const struct model_value *v = row_metric(r, metric);

	return v && v->points ? v->points[block] : NAN;
}

/* Of a mix, the mean over all I/Os: each direction's mean weighted with its I/Os. */
static double latency(const struct model_row *r, size_t block)
{
	double rl = point_of(r, "read.lat.mean", block), ri = point_of(r, "read.iops", block);
	double wl = point_of(r, "write.lat.mean", block), wi = point_of(r, "write.iops", block);
	bool reads = isfinite(rl) && !(ri <= 0), writes = isfinite(wl) && !(wi <= 0);

	if (reads && writes)
		return (rl * ri + wl * wi) / (ri + wi);
	return reads ? rl : writes ? wl : NAN;
}

/* Elapsed time per I/O. Runs before `iops` was stored have each direction's alone. */
static double time_per_io(const struct model_row *r, size_t block)
{
	double all = point_of(r, "iops", block);

	if (!isfinite(all)) {
		double reads = point_of(r, "read.iops", block);
		double writes = point_of(r, "write.iops", block);

		all = (isfinite(reads) ? reads : 0) + (isfinite(writes) ? writes : 0);
	}
	return all > 0 ? 1e9 / all : NAN;
}

static double figure_of(const struct model_row *r, enum step_figure f, size_t block)
{
	switch (f) {
	case STEP_NS:
		return time_per_io(r, block);
	case STEP_LAT:
		return latency(r, block);
	default:
		return point_of(r, "cpu_per_io", block);
	}
}

/*
 * A rung's own figure is a time, so its interval is made on the logarithm, as in every other table:
 * Student's on the times themselves reaches below zero where a few blocks differ a lot. Only the
 * differences are arithmetic.
 */
static void fill_figure(const struct model *m, const struct model_row *r, enum step_figure f,
			struct model_layer *l)
{
	size_t n = m->blocks_planned;

	l->points = xcalloc(n + 1, sizeof(*l->points));
	for (size_t k = 0; k < n; k++)
		l->points[k] = r ? figure_of(r, f, k) : NAN;
	l->abs = gmean_interval(l->points, n, LEVEL);
	l->layer = l->robust = unknown;
	l->p = NAN;
}

/*
 * Student's interval of the paired differences is right when they are symmetric, so for equal error
 * shapes; two rungs of very different length have errors of different length, and the longer one's
 * skew stays in. So the typical pair stands beside it (statistics.md part 2), and a reader is told
 * when the two tell different stories.
 */
static void compare(const struct model *m, const struct model_layer *below, struct model_layer *l)
{
	size_t n = m->blocks_planned, k = 0;
	double *d = xcalloc(n + 1, sizeof(*d)), half;

	l->layer = diff_interval(below->points, l->points, n, LEVEL);
	half = (l->layer.hi - l->layer.lo) / 2; /* Student's, whatever is shown */
	l->p = judge_diff(m, &l->layer);
	if (!isfinite(l->layer.lo)) /* looked at after each block, and not yet */
		l->layer.lo = l->layer.hi = NAN;
	for (size_t i = 0; i < n; i++)
		if (isfinite(below->points[i]) && isfinite(l->points[i]))
			d[k++] = l->points[i] - below->points[i];
	l->robust = hodges_lehmann(d, k, LEVEL);
	l->disagree = fabs(l->robust.mid - l->layer.mid) > half / 2 + 1e-9 * fabs(l->layer.mid);
	free(d);
}

/* ---- what a layer lacks ---- */

static const struct model_row *row_of(const struct model *m, const struct model_workload *w, long i)
{
	long cell = i < 0 ? -1 : m->rungs[i].cell;

	return cell < 0 || (size_t)cell >= w->nrows ? NULL : &w->rows[cell];
}

/* Why a rung can have no part in a difference, new; NULL if it can. */
static char *rung_unfit(const struct model *m, const struct model_workload *w, long i)
{
	const struct model_row *r = row_of(m, w, i);

	if (!r)
		return xasprintf("%s was not measured: %s", m->rungs[i].name,
				 m->rungs[i].why ? m->rungs[i].why : "no trial of it");
	if (r->too_many_failed)
		return xasprintf("%u of %u trials of %s failed", r->failed, r->ok + r->failed,
				 m->rungs[i].name);
	if (!r->ok)
		return xasprintf("no trial of %s yet", m->rungs[i].name);
	return NULL;
}

static void layer_make(const struct model *m, struct model_workload *w, size_t i)
{
	struct model_step *s = &w->steps[i];
	long below = m->rungs[i].below;

	s->why = rung_unfit(m, w, i);
	if (!s->why && below >= 0)
		s->why = rung_unfit(m, w, below);
	if (s->why || below < 0)
		return;
	for (int f = 0; f < STEP_FIGURES; f++)
		compare(m, &w->steps[below].of[f], &s->of[f]);
	if (!s->of[STEP_NS].layer.n)
		s->why = xasprintf("no block has a good trial of both %s and %s", m->rungs[i].name,
				   m->rungs[below].name);
	else if (s->of[STEP_NS].layer.n < 2)
		s->why = xstrdup("an interval needs 2 blocks");
}

/*
 * Holm over the layers of one figure under one workload: each figure is a question of its own, and
 * within it every sentence may be believed at once (statistics.md part 7).
 */
static void judge(const struct model *m, struct model_workload *w, enum step_figure f)
{
	double *p = xcalloc(m->nrungs + 1, sizeof(*p));

	for (size_t i = 0; i < m->nrungs; i++)
		p[i] = w->steps[i].of[f].p;
	holm(p, m->nrungs);
	for (size_t i = 0; i < m->nrungs; i++) {
		struct model_layer *l = &w->steps[i].of[f];

		l->p = p[i];
		if (!isfinite(l->layer.mid))
			l->word = LAYER_NONE;
		else if (l->p < ALPHA && l->layer.mid != 0)
			l->word = l->layer.mid > 0 ? LAYER_COSTS : LAYER_SAVES;
		else
			l->word = LAYER_UNDECIDED;
	}
	free(p);
}

static void steps_make(struct model *m, struct model_workload *w)
{
	w->steps = xcalloc(m->nrungs + 1, sizeof(*w->steps));
	for (size_t i = 0; i < m->nrungs; i++)
		for (int f = 0; f < STEP_FIGURES; f++)
			fill_figure(m, row_of(m, w, i), f, &w->steps[i].of[f]);
	for (size_t i = 0; i < m->nrungs; i++)
		layer_make(m, w, i);
	for (int f = 0; f < STEP_FIGURES; f++)
		judge(m, w, f);
}

/* The first cell is the bottom of the ladder, no configuration that others would want to beat. */
static void forget_first(struct model_workload *w)
{
	for (size_t r = 0; r < w->nrows; r++) {
		struct model_row *row = &w->rows[r];

		row->best_set = row->same_as_best = false;
		row->to_best = unknown;
		for (size_t j = 0; j < row->nvalues; j++) {
			struct model_value *v = &row->values[j];

			v->ratio = v->robust = unknown;
			v->p = NAN;
			v->differs = v->better = v->same = v->disagree = false;
			v->verdict = VERDICT_NONE;
			v->more.known = false;
		}
	}
}

void ladder_unlike(struct model *m)
{
	for (size_t i = 0; i < m->nrungs; i++) {
		struct model_rung *r = &m->rungs[i];
		const char *other = r->below < 0 ? r->place : m->rungs[r->below].place;

		r->unlike = strcmp(r->place, other) &&
			    (!strcmp(r->place, "tcg") || !strcmp(other, "tcg"));
	}
}

void ladder_make(struct model *m, const struct profile *p)
{
	if (!p->nrungs)
		return;
	tree_make(m, p);
	find_cells(m, p);
	for (size_t i = 0; i < m->nworkloads; i++) {
		steps_make(m, &m->workloads[i]);
		forget_first(&m->workloads[i]);
	}
	ladder_unlike(m);
}

/* ---- from the store ---- */

/* The accelerator that was in force in a cell's good trials, else the run's if it had one only. */
static const char *accel_of(const struct build *b, long cell)
{
	for (size_t i = 0; i < b->ntrials; i++)
		for (size_t j = 0;
		     b->cell_of[i] == cell && b->trials[i].ok && j < b->trials[i].nchecks; j++) {
			const struct store_check *c = &b->trials[i].checks[j];

			if (!c->key || !c->got || strcmp(c->key, "guest.accel") || c->state == 2)
				continue;
			if (!strncmp(c->got, "kvm", 3) || !strncmp(c->got, "tcg", 3))
				return c->got[0] == 'k' ? "kvm" : "tcg";
		}
	return !strcmp(b->m->accel, "kvm") ? "kvm" : !strcmp(b->m->accel, "tcg") ? "tcg" : "guest";
}

static struct profile *stored_profile(struct build *b)
{
	const char *text = b->run.profile_text;
	json_t *sets = json_read(b->m, "--set arguments", b->run.sets_json, JSON_ARRAY);
	const char **list = xcalloc(json_array_size(sets) + 1, sizeof(*list));
	struct profile *p = NULL;
	struct err e = {0};
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(sets); i++)
		if (json_is_string(json_array_get(sets, i)))
			list[n++] = json_string_value(json_array_get(sets, i));
	if (profile_parse(text, strlen(text), b->run.profile_name ? b->run.profile_name : "profile",
			  list, n, &p, &e)) {
		model_warn(b->m, "The stored profile cannot be read, so there is no ladder: %s",
			   e.text);
		p = NULL;
	}
	free(list);
	json_decref(sets);
	return p;
}

void build_ladder(struct build *b)
{
	const char *text = b->run.profile_text;
	struct profile *p;

	/* What has no rungs need not be read: it may be of another version of vbench. */
	if (!text || !strstr(text, "[rung"))
		return;
	p = stored_profile(b);
	if (!p)
		return;
	ladder_make(b->m, p);
	for (size_t i = 0; i < b->m->nrungs; i++)
		if (b->m->rungs[i].cell >= 0 && strcmp(b->m->rungs[i].place, "host"))
			b->m->rungs[i].place = accel_of(b, b->m->rungs[i].cell);
	ladder_unlike(b->m);
	profile_free(p);
}

void ladder_free(struct model *m)
{
	for (size_t w = 0; w < m->nworkloads; w++) {
		struct model_step *s = m->workloads[w].steps;

		for (size_t i = 0; s && i < m->nrungs; i++) {
			for (int f = 0; f < STEP_FIGURES; f++)
				free(s[i].of[f].points);
			free(s[i].why);
		}
		free(s);
		m->workloads[w].steps = NULL;
	}
	for (size_t i = 0; i < m->nrungs; i++) {
		free(m->rungs[i].name);
		free(m->rungs[i].over);
		free(m->rungs[i].adds);
		free(m->rungs[i].why);
	}
	free(m->rungs);
	for (size_t i = 0; i < m->nclaims; i++)
		free(m->claims[i].where);
	free(m->claims);
}
