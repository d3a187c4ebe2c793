/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile's axes as factors: main effects and interactions by per-block contrasts, and the
 * variance (statistics.md 3, 8). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

/* Pairs of axes are tried in all combinations of levels; beyond this many cells that is no longer
 * quick. */
#define INTERACTION_CELLS 256

/* ln of the primary metric of every cell of a workload, [ncells][nblocks]; NAN where missing or not
 * to be judged. */
struct grid {
	const struct model *m;
	double *ln;
	size_t ncells, nblocks;
};

static bool grid_empty(const struct grid *g, size_t cell)
{
	for (size_t k = 0; k < g->nblocks; k++)
		if (!isnan(g->ln[cell * g->nblocks + k]))
			return false;
	return true;
}

static void grid_fill(struct grid *g, const struct build *b, const struct model_workload *w)
{
	g->m = b->m;
	g->ncells = w->nrows;
	g->nblocks = b->nblocks;
	g->ln = xcalloc(g->ncells * g->nblocks + 1, sizeof(*g->ln));
	for (size_t i = 0; i < g->ncells * g->nblocks; i++)
		g->ln[i] = NAN;
	for (size_t r = 0; r < w->nrows; r++)
		for (size_t j = 0; !w->rows[r].too_many_failed && j < w->rows[r].nvalues; j++) {
			const struct model_value *v = &w->rows[r].values[j];

			if (v->metric != w->primary)
				continue;
			for (size_t k = 0; k < g->nblocks; k++)
				if (v->points[k] > 0)
					g->ln[r * g->nblocks + k] = log(v->points[k]);
		}
}

/* A level of an axis; key NULL: no condition. */
struct level {
	const char *key, *value;
};

static bool cell_at(const struct model_cell *c, const struct level *l)
{
	const char *v = l->key ? cell_value(c, l->key) : NULL;

	return !l->key || (v && !strcmp(v, l->value));
}

/* Do two cells agree on every axis but these two? A key that does not apply to one of them agrees
 * with everything. */
static bool cells_match(const struct model *m, size_t a, size_t b, const char *skip1,
			const char *skip2)
{
	for (size_t i = 0; i < json_array_size(m->axes); i++) {
		const char *key = axis_key(m, i), *va, *vb;

		if (!key || !strcmp(key, skip1) || (skip2 && !strcmp(key, skip2)))
			continue;
		va = cell_value(&m->cells[a], key);
		vb = cell_value(&m->cells[b], key);
		if (va && vb && strcmp(va, vb))
			return false;
	}
	return true;
}

/*
 * The combinations over which two levels of an axis are compared. Cells of the one level are linked
 * with the cells of the other that match; what hangs together is one combination: usually one cell
 * a side, but raw (which has no mode) hangs together with qcow2 in all its modes. group[c] is the
 * combination of a cell or -1, side[c] 1 for from, 2 for to.
 */
struct combos {
	long *group;
	char *side;
	size_t n, left_out;
};

static long root_of(const long *up, long i)
{
	while (up[i] != i)
		i = up[i];
	return i;
}

/* Numbers the groups that have both sides and data in every cell. */
static void combos_number(struct combos *c, const long *up, const struct grid *g)
{
	char *sides = xcalloc(g->ncells + 1, 1), *empty = xcalloc(g->ncells + 1, 1);
	long *number = xcalloc(g->ncells + 1, sizeof(*number));

	for (size_t i = 0; i < g->ncells; i++) {
		if (!c->side[i])
			continue;
		sides[root_of(up, i)] |= c->side[i];
		empty[root_of(up, i)] |= grid_empty(g, i);
	}
	for (size_t i = 0; i < g->ncells; i++) {
		number[i] = -1;
		if (sides[i] == 3 && !empty[i])
			number[i] = c->n++;
		else if (sides[i] == 3)
			c->left_out++;
	}
	for (size_t i = 0; i < g->ncells; i++)
		c->group[i] = c->side[i] ? number[root_of(up, i)] : -1;
	free(sides);
	free(empty);
	free(number);
}

static void combos_make(struct combos *c, const struct grid *g, const struct level *from,
			const struct level *to, const struct level *only)
{
	long *up = xcalloc(g->ncells + 1, sizeof(*up));

	*c = (struct combos){xcalloc(g->ncells + 1, sizeof(*c->group)), xcalloc(g->ncells + 1, 1),
			     0, 0};
	for (size_t i = 0; i < g->ncells; i++) {
		up[i] = i;
		if (!cell_at(&g->m->cells[i], only))
			continue;
		if (cell_at(&g->m->cells[i], from))
			c->side[i] = 1;
		else if (cell_at(&g->m->cells[i], to))
			c->side[i] = 2;
	}
	for (size_t i = 0; i < g->ncells; i++)
		for (size_t j = 0; c->side[i] == 1 && j < g->ncells; j++)
			if (c->side[j] == 2 && cells_match(g->m, i, j, from->key, only->key))
				up[root_of(up, j)] = root_of(up, i);
	combos_number(c, up, g);
	free(up);
}

static void combos_free(struct combos *c)
{
	free(c->group);
	free(c->side);
}

/* Geometric mean over the cells of one side of every combination, [nblocks][n]; NAN where one of
 * them is missing. */
static double *combos_side(const struct combos *c, const struct grid *g, char side)
{
	double *y = xcalloc(g->nblocks * c->n + 1, sizeof(*y));
	size_t *k = xcalloc(c->n + 1, sizeof(*k));

	for (size_t i = 0; i < g->ncells; i++) {
		if (c->group[i] < 0 || c->side[i] != side)
			continue;
		k[c->group[i]]++;
		for (size_t b = 0; b < g->nblocks; b++)
			y[b * c->n + c->group[i]] += g->ln[i * g->nblocks + b];
	}
	for (size_t b = 0; b < g->nblocks; b++)
		for (size_t j = 0; j < c->n; j++)
			y[b * c->n + j] = exp(y[b * c->n + j] / k[j]);
	free(k);
	return y;
}

static struct interval combos_effect(const struct combos *c, const struct grid *g)
{
	double *a = combos_side(c, g, 1), *b = combos_side(c, g, 2);
	struct interval r = main_effect(a, b, g->nblocks, c->n, LEVEL);

	free(a);
	free(b);
	return r;
}

/* The levels of an axis in profile order, without those that no cell has. Borrowed values; caller
 * frees the array. */
static const char **axis_levels(const struct model *m, size_t axis, size_t *n)
{
	json_t *values = json_object_get(json_array_get(m->axes, axis), "values");
	const char *key = axis_key(m, axis),
		   **out = xcalloc(json_array_size(values) + 1, sizeof(*out));

	*n = 0;
	for (size_t i = 0; key && i < json_array_size(values); i++) {
		struct level l = {key, json_string_value(json_array_get(values, i))};
		bool seen = false;

		for (size_t c = 0; l.value && c < m->ncells && !seen; c++)
			seen = cell_at(&m->cells[c], &l);
		if (seen)
			out[(*n)++] = l.value;
	}
	return out;
}

static void effect_add(struct model_workload *w, const struct grid *g, const struct level *from,
		       const struct level *to)
{
	struct model_effect *f;
	struct level all = {NULL, NULL};
	struct combos c;

	combos_make(&c, g, from, to, &all);
	w->effects = array_add(w->effects, &w->neffects, sizeof(*w->effects));
	f = &w->effects[w->neffects - 1];
	f->axis = xstrdup(from->key);
	f->from = level_text(from->key, from->value);
	f->to = level_text(to->key, to->value);
	f->metric = w->primary;
	f->ratio = combos_effect(&c, g);
	f->combos = c.n;
	f->left_out = c.left_out;
	judge_floored(f->metric, &f->ratio);
	f->p = judge_ratio(g->m, &f->ratio);
	combos_free(&c);
}

static void effects_mark(const struct model *m, struct model_workload *w)
{
	size_t family = 0;
	double *p = xcalloc(w->neffects + 1, sizeof(*p));

	for (size_t i = 0; i < w->neffects; i++) {
		p[i] = w->effects[i].p;
		family += !isnan(p[i]);
	}
	holm(p, w->neffects);
	for (size_t i = 0; i < w->neffects; i++) {
		struct model_effect *f = &w->effects[i];

		f->p = p[i];
		f->verdict =
			judge_word(m, f->metric, &f->ratio, f->p, w->min_effect, family, &f->more);
		f->same = f->verdict == VERDICT_SAME;
		f->differs = f->verdict == VERDICT_BETTER || f->verdict == VERDICT_WORSE;
		f->better = f->verdict == VERDICT_BETTER;
	}
	free(p);
}

/* Effect per combination, [nblocks][c->n], with the combinations in the order of `like` (an equal
 * split of the other axes). */
static double *combos_ratios(const struct combos *c, const struct grid *g, const long *order)
{
	double *a = combos_side(c, g, 1), *b = combos_side(c, g, 2);
	double *y = xcalloc(g->nblocks * c->n + 1, sizeof(*y));

	for (size_t k = 0; k < g->nblocks; k++)
		for (size_t j = 0; j < c->n; j++)
			y[k * c->n + j] = b[k * c->n + order[j]] / a[k * c->n + order[j]];
	free(a);
	free(b);
	return y;
}

/* Pairs the combinations of p with those of q by the axes other than the two; false when they do
 * not pair one to one. */
static bool combos_pair(const struct combos *p, const struct combos *q, const struct grid *g,
			const char *axis, const char *by, long *order)
{
	for (size_t j = 0; j < p->n; j++)
		order[j] = -1;
	for (size_t i = 0; i < g->ncells; i++)
		for (size_t k = 0; p->group[i] >= 0 && k < g->ncells; k++) {
			if (q->group[k] < 0 || !cells_match(g->m, i, k, axis, by))
				continue;
			if (order[p->group[i]] >= 0 && order[p->group[i]] != q->group[k])
				return false;
			order[p->group[i]] = q->group[k];
		}
	for (size_t j = 0; j < p->n; j++) {
		if (order[j] < 0)
			return false;
		for (size_t k = 0; k < j; k++)
			if (order[k] == order[j])
				return false;
	}
	return p->n && p->n == q->n;
}

static void interaction_add(struct model_workload *w, const struct grid *g,
			    const struct level *from, const struct level *to,
			    const struct level *by_from, const struct level *by_to)
{
	struct combos p, q;
	long *order, *same;

	combos_make(&p, g, from, to, by_from);
	combos_make(&q, g, from, to, by_to);
	order = xcalloc(g->ncells + 1, sizeof(*order));
	same = xcalloc(g->ncells + 1, sizeof(*same));
	for (size_t i = 0; i < g->ncells; i++)
		same[i] = i;
	if (combos_pair(&p, &q, g, from->key, by_from->key, order)) {
		double *yp = combos_ratios(&p, g, same), *yq = combos_ratios(&q, g, order);
		struct model_interaction *x;

		w->interactions =
			array_add(w->interactions, &w->ninteractions, sizeof(*w->interactions));
		x = &w->interactions[w->ninteractions - 1];
		x->axis = xstrdup(from->key);
		x->from = level_text(from->key, from->value);
		x->to = level_text(to->key, to->value);
		x->by = xstrdup(by_from->key);
		x->by_from = level_text(by_from->key, by_from->value);
		x->by_to = level_text(by_to->key, by_to->value);
		x->at_from = combos_effect(&p, g);
		x->at_to = combos_effect(&q, g);
		x->ratio = main_effect(yp, yq, g->nblocks, p.n, LEVEL);
		judge_floored(w->primary, &x->ratio);
		x->p = judge_ratio(g->m, &x->ratio);
		free(yp);
		free(yq);
	}
	free(order);
	free(same);
	combos_free(&p);
	combos_free(&q);
}

void interaction_free(struct model_interaction *x)
{
	free(x->axis);
	free(x->from);
	free(x->to);
	free(x->by);
	free(x->by_from);
	free(x->by_to);
}

/* Holm over all that were tried; those not shown go. One within min_effect qualifies nothing and
 * goes too. */
static void interactions_keep(struct model_workload *w)
{
	double *p = xcalloc(w->ninteractions + 1, sizeof(*p));
	size_t kept = 0;

	for (size_t i = 0; i < w->ninteractions; i++)
		p[i] = w->interactions[i].p;
	holm(p, w->ninteractions);
	for (size_t i = 0; i < w->ninteractions; i++) {
		struct model_interaction *x = &w->interactions[i];

		x->p = p[i];
		if (p[i] < ALPHA && verdict_ratio(&x->ratio, true, w->min_effect) != VERDICT_SAME)
			w->interactions[kept++] = *x;
		else
			interaction_free(x);
	}
	w->ninteractions = kept;
	free(p);
}

static void interactions(struct model_workload *w, const struct grid *g, size_t a, size_t b)
{
	size_t na, nb;
	const char **va = axis_levels(g->m, a, &na), **vb = axis_levels(g->m, b, &nb);

	for (size_t i = 1; i < na; i++)
		for (size_t j = 1; j < nb; j++) {
			struct level from = {axis_key(g->m, a), va[0]},
				     to = {axis_key(g->m, a), va[i]};
			struct level by0 = {axis_key(g->m, b), vb[0]},
				     by1 = {axis_key(g->m, b), vb[j]};

			interaction_add(w, g, &from, &to, &by0, &by1);
		}
	free(va);
	free(vb);
}

static void main_effects(struct model_workload *w, const struct grid *g)
{
	for (size_t i = 0; i < json_array_size(g->m->axes); i++) {
		size_t n;
		const char **v = axis_levels(g->m, i, &n);
		struct level from = {axis_key(g->m, i), n ? v[0] : NULL};

		for (size_t j = 1; j < n; j++)
			effect_add(w, g, &from, &(struct level){from.key, v[j]});
		free(v);
	}
	effects_mark(g->m, w);
}

/* Without a template (cold boots) blocks still differ, but nothing about templates was seen. */
static bool has_templates(const struct build *b)
{
	for (size_t i = 0; i < b->ntrials; i++)
		if (b->trials[i].ok && b->trials[i].template_id[0])
			return true;
	return false;
}

void build_effects(struct build *b)
{
	for (size_t i = 0; i < b->m->nworkloads; i++) {
		struct model_workload *w = &b->m->workloads[i];
		struct two_way fit;
		struct grid g;
		size_t axes = json_array_size(b->m->axes);

		w->template_var = (struct components){NAN, NAN, NAN, 0};
		if (!w->primary || w->primary->scale != SCALE_RATIO)
			continue;
		grid_fill(&g, b, w);
		fit = two_way_fit(g.ln, g.ncells, g.nblocks);
		w->trial_sd = fit.residual_sd;
		if (has_templates(b))
			w->template_var = fit.blocks;
		main_effects(w, &g);
		for (size_t x = 0; x < axes && g.ncells <= INTERACTION_CELLS; x++)
			for (size_t y = x + 1; y < axes; y++)
				interactions(w, &g, x, y);
		interactions_keep(w);
		free(g.ln);
	}
}
