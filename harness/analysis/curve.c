/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cells with several guests at once put in order of their ratio, and the knee of each curve. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

static const char *const counting[] = {"guest.count", "guest.overcommit"};

static bool counts(const char *key)
{
	return !strcmp(key, counting[0]) || !strcmp(key, counting[1]);
}

/* Two cells that differ in the number of guests alone. */
static bool alike(const struct model_cell *a, const struct model_cell *b)
{
	const char *key;
	json_t *v;

	json_object_foreach(a->keys, key,
			    v) if (!counts(key) &&
				   !json_equal(v, json_object_get(b->keys, key))) return false;
	return true;
}

/* What a cell's trials had: guests, vCPUs, CPUs; false: they were not several at once. */
static bool point_of(const struct build *b, size_t cell, struct model_point *out, unsigned *cpus)
{
	for (size_t i = 0; i < b->ntrials; i++) {
		json_t *facts, *g;
		json_int_t n, v, c;

		if (b->cell_of[i] != (long)cell || !b->trials[i].ok || !b->trials[i].facts_json)
			continue;
		facts = json_loads(b->trials[i].facts_json, 0, NULL);
		g = json_object_get(facts, "guests");
		n = json_integer_value(json_object_get(g, "count"));
		v = json_integer_value(json_object_get(g, "vcpus"));
		c = json_integer_value(json_object_get(g, "cpus"));
		json_decref(facts);
		if (n < 1 || v < 1 || c < 1 || n > 4096 || v > 4096 || c > 1 << 20)
			continue;
		*out = (struct model_point){(unsigned)cell, (unsigned)n, (unsigned)v,
					    (double)(n * v) / (double)c};
		*cpus = (unsigned)c;
		return true;
	}
	return false;
}

static int by_ratio(const void *a, const void *b)
{
	double x = ((const struct model_point *)a)->ratio,
	       y = ((const struct model_point *)b)->ratio;

	return (x > y) - (x < y);
}

/* The other axes' values, as a label has them. */
static char *where_of(const struct model *m, const struct model_cell *c)
{
	char *text = NULL;

	for (size_t i = 0; i < json_array_size(m->axes); i++) {
		const char *key = axis_key(m, i), *v = key ? cell_value(c, key) : NULL;
		char *level, *label;

		if (!key || !v || counts(key))
			continue;
		level = level_text(key, v);
		label = level_label(key, level);
		text_add(&text, "%s%s", text ? " " : "", label);
		free(level);
		free(label);
	}
	return text;
}

/* ---- figures ---- */

static const struct model_row *row_of(const struct model_workload *w, unsigned cell)
{
	for (size_t i = 0; i < w->nrows; i++)
		if (w->rows[i].cell == cell)
			return &w->rows[i];
	return NULL;
}

/* Where a workload reads and writes, its reads: they are what somebody waits for. */
static const char *metric_id(const struct model_curve *c, const struct model_workload *w,
			     enum curve_figure f)
{
	static const char *const p99[] = {"read.lat.p99", "write.lat.p99"};

	if (f == CURVE_SHARE)
		return "iops";
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < c->npoints; k++) {
			const struct model_row *r = row_of(w, c->at[k].cell);
			const struct model_value *v = r ? row_metric(r, p99[i]) : NULL;

			if (v && isfinite(v->abs.mid))
				return p99[i];
		}
	return NULL;
}

static void figure_fill(const struct model *m, struct model_curve *c, enum curve_figure f)
{
	const struct model_workload *w = &m->workloads[c->workload];
	const char *id = metric_id(c, w, f);
	struct model_knee *k = &c->of[f];
	size_t nb = m->blocks_planned;

	k->metric = id ? metric_find(id) : NULL;
	k->abs = xcalloc(c->npoints, sizeof(*k->abs));
	k->points = xcalloc(c->npoints * nb + 1, sizeof(*k->points));
	for (size_t i = 0; i < c->npoints; i++) {
		const struct model_row *r = row_of(w, c->at[i].cell);
		const struct model_value *v = r && id ? row_metric(r, id) : NULL;
		double by = f == CURVE_SHARE ? c->at[i].guests : 1;

		for (size_t b = 0; b < nb; b++)
			k->points[i * nb + b] =
				v && v->points && !r->too_many_failed ? v->points[b] / by : NAN;
		k->abs[i] = gmean_interval(k->points + i * nb, nb, LEVEL);
	}
}

/* Levels where nothing could be measured are not in the fit: the others still are. */
static void figure_fit(const struct model *m, const struct model_curve *c, enum curve_figure f,
		       double level, struct knee *out)
{
	const struct model_knee *k = &c->of[f];
	size_t nb = m->blocks_planned, n = 0;
	double *x = xcalloc(c->npoints + 1, sizeof(*x));
	double *y = xcalloc(c->npoints * nb + 1, sizeof(*y));

	for (size_t i = 0; i < c->npoints; i++) {
		if (!isfinite(k->abs[i].mid))
			continue;
		x[n] = c->at[i].ratio;
		memcpy(y + n++ * nb, k->points + i * nb, nb * sizeof(*y));
	}
	knee_fit(x, n, y, nb, f == CURVE_SHARE ? -1 : 1, level, out);
	free(x);
	free(y);
}

/* Holm over all knees: the words; then the intervals that rules are judged by. */
static void fit_all(struct model *m)
{
	size_t n = 0, k = 0;
	double *p;

	for (size_t i = 0; i < m->ncurves; i++)
		for (int f = 0; f < CURVE_FIGURES; f++) {
			figure_fit(m, &m->curves[i], f, LEVEL, &m->curves[i].of[f].fit);
			n += m->curves[i].of[f].fit.word != KNEE_NONE;
		}
	p = xcalloc(n + 1, sizeof(*p));
	for (size_t i = 0; i < m->ncurves; i++)
		for (int f = 0; f < CURVE_FIGURES; f++)
			if (m->curves[i].of[f].fit.word != KNEE_NONE)
				p[k++] = m->curves[i].of[f].fit.p;
	holm(p, n);
	k = 0;
	for (size_t i = 0; i < m->ncurves; i++)
		for (int f = 0; f < CURVE_FIGURES; f++) {
			struct model_knee *x = &m->curves[i].of[f];

			if (x->fit.word == KNEE_NONE)
				continue;
			figure_fit(m, &m->curves[i], f, 1 - ALPHA / (double)n, &x->wide);
			x->fit.p = p[k++];
			if (x->fit.p >= KNEE_SHOWN && x->fit.word == KNEE_SHOWN_AT) {
				x->fit.word = KNEE_STRAIGHT;
				x->fit.at = x->fit.lo = x->fit.hi = NAN;
			}
		}
	free(p);
}

/* ---- curves ---- */

static bool has_ratio(const struct model_point *at, size_t n, double ratio)
{
	for (size_t i = 0; i < n; i++)
		if (at[i].ratio == ratio)
			return true;
	return false;
}

static bool has_rate(const struct store_workload *w)
{
	json_t *keys = w->keys_json ? json_loads(w->keys_json, 0, NULL) : NULL;
	const char *rate = json_string_value(json_object_get(keys, "workload.rate"));
	bool has = rate && strcmp(rate, "none");

	json_decref(keys);
	return has;
}

static void add_curve(struct build *b, const struct model_point *all, size_t n, size_t from,
		      bool *taken)
{
	struct model *m = b->m;
	struct model_point *at = xcalloc(n, sizeof(*at));
	size_t k = 0;

	for (size_t i = from; i < n; i++) {
		if (taken[i] || !alike(&m->cells[all[from].cell], &m->cells[all[i].cell]))
			continue;
		taken[i] = true;
		/* count and ratio can say the same: one of the two cells stands for it */
		if (!has_ratio(at, k, all[i].ratio))
			at[k++] = all[i];
	}
	qsort(at, k, sizeof(*at), by_ratio);
	for (size_t w = 0; k > 1 && w < m->nworkloads; w++) {
		struct model_curve *c;

		m->curves = array_add(m->curves, &m->ncurves, sizeof(*m->curves));
		c = &m->curves[m->ncurves - 1];
		c->workload = w;
		c->steady = w < b->nworks && has_rate(&b->works[w]);
		c->where = where_of(m, &m->cells[at[0].cell]);
		c->npoints = k;
		c->at = xcalloc(k, sizeof(*c->at));
		memcpy(c->at, at, k * sizeof(*at));
		for (int f = 0; f < CURVE_FIGURES; f++)
			figure_fill(m, c, f);
	}
	free(at);
}

void build_curves(struct build *b)
{
	struct model *m = b->m;
	struct model_point *all = xcalloc(m->ncells + 1, sizeof(*all));
	bool *taken = xcalloc(m->ncells + 1, sizeof(*taken));
	size_t n = 0;

	for (size_t i = 0; i < m->ncells && !m->nrungs; i++)
		n += point_of(b, i, &all[n], &m->cpus);
	for (size_t i = 0; i < n; i++)
		if (!taken[i])
			add_curve(b, all, n, i, taken);
	free(all);
	free(taken);
	if (!m->ncurves)
		return;
	fit_all(m);
	curve_rules(m);
}

void curves_free(struct model *m)
{
	for (size_t i = 0; i < m->ncurves; i++) {
		for (int f = 0; f < CURVE_FIGURES; f++) {
			free(m->curves[i].of[f].abs);
			free(m->curves[i].of[f].points);
		}
		free(m->curves[i].where);
		free(m->curves[i].at);
	}
	for (size_t i = 0; i < m->nrules; i++)
		free(m->rules[i].why);
	free(m->curves);
	free(m->rules);
}
