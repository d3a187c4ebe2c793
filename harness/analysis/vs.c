// SPDX-License-Identifier: GPL-2.0-or-later
/* Pairs of a run with two arms: the profile as it is, and with the change (vbench run --vs). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

#define PAIRS_MAX 4096 /* more cells than a run can measure; notes may come from elsewhere */

static char **settings(const json_t *list, size_t *n)
{
	char **all = xcalloc(json_array_size(list) + 1, sizeof(*all));

	*n = 0;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_is_string(json_array_get(list, i)))
			all[(*n)++] = xstrdup(json_string_value(json_array_get(list, i)));
	return all;
}

static long find_cell(const struct model *m, const json_t *id)
{
	const char *want = json_string_value(id);

	for (size_t i = 0; want && i < m->ncells; i++)
		if (!strcmp(m->cells[i].id, want))
			return i;
	return -1;
}

/* The base cell's label without the word "base". New. */
static char *pair_label(const struct model_cell *base)
{
	char *copy = xstrdup(base->label), *save = NULL, *s = NULL;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		if (strcmp(w, "base") && strcmp(w, "arm=base"))
			text_add(&s, "%s%s", s ? " " : "", w);
	free(copy);
	return s ? s : xstrdup("the cell");
}

static double *copy_points(const struct model_value *v, size_t n)
{
	double *x = xcalloc(n + 1, sizeof(*x));

	for (size_t k = 0; k < n; k++)
		x[k] = v ? v->points[k] : NAN;
	return x;
}

static void vs_add(struct model *m, size_t work, size_t base, size_t change)
{
	static const struct interval unknown = {NAN, NAN, NAN, 0, NAN};
	const struct model_workload *w = &m->workloads[work];
	const struct model_value *a, *b;
	struct model_value v = {.ratio = unknown, .robust = unknown, .p = NAN};
	struct model_vs *x;

	m->vs = array_add(m->vs, &m->nvs, sizeof(*m->vs));
	x = &m->vs[m->nvs - 1];
	x->workload = work;
	x->base = base;
	x->change = change;
	x->label = pair_label(&m->cells[base]);
	x->metric = v.metric = w->primary;
	x->too_many_failed = w->rows[base].too_many_failed || w->rows[change].too_many_failed;
	a = w->primary ? row_metric(&w->rows[base], w->primary->id) : NULL;
	b = w->primary ? row_metric(&w->rows[change], w->primary->id) : NULL;
	x->base_points = copy_points(a, m->blocks_planned);
	x->change_points = copy_points(b, m->blocks_planned);
	if (a && b && !x->too_many_failed) {
		v.points = x->change_points;
		v.abs = b->abs;
		judge_compare(m, &v, a, m->blocks_planned);
	}
	x->ratio = v.ratio;
	x->robust = v.robust;
	x->disagree = v.disagree;
	x->sd = v.ratio.sd;
	x->p = x->p_raw = v.p;
}

/* One family: all pairs under all workloads, since any of them makes a reader act. */
static void vs_mark(struct model *m)
{
	double *p = xcalloc(m->nvs + 1, sizeof(*p));
	size_t family = 0;

	for (size_t i = 0; i < m->nvs; i++) {
		p[i] = m->vs[i].p_raw;
		family += !isnan(p[i]);
	}
	holm(p, m->nvs);
	for (size_t i = 0; i < m->nvs; i++) {
		struct model_vs *x = &m->vs[i];
		struct model_value v = {.metric = x->metric,
					.ratio = x->ratio,
					.p = p[i],
					.same = x->ratio.mid == 1};

		x->p = p[i];
		if (!x->metric || x->too_many_failed)
			continue;
		judge_mark(m, &v, m->workloads[x->workload].min_effect, family);
		x->verdict = v.verdict;
		x->more = v.more;
	}
	free(p);
}

void build_vs(struct build *b)
{
	struct model *m = b->m;
	json_t *vs = json_object_get(b->meta, "vs"), *pairs = json_object_get(vs, "pairs");
	size_t lost = 0;

	if (!json_is_object(vs))
		return;
	m->vs_base = settings(json_object_get(vs, "base"), &m->nvs_base);
	m->vs_change = settings(json_object_get(vs, "change"), &m->nvs_change);
	for (size_t i = 0; i < json_array_size(pairs); i++) {
		const json_t *pair = json_array_get(pairs, i);
		long base = find_cell(m, json_array_get(pair, 0));
		long change = find_cell(m, json_array_get(pair, 1));

		/* a cell may stand in several pairs: where the change means nothing, cells fold */
		if (base < 0 || change < 0 || base == change || i >= PAIRS_MAX) {
			lost++;
			continue;
		}
		for (size_t w = 0; w < m->nworkloads; w++)
			vs_add(m, w, base, change);
	}
	if (lost)
		model_warn(m, "%zu pairs of cells are not those of this run and are left out.",
			   lost);
	vs_mark(m);
}
