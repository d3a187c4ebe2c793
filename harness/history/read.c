// SPDX-License-Identifier: GPL-2.0-or-later
/* A night's trials become one figure a series: their mean, and the ratio to the reference build. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "history/internal.h"

#define BLOCKS_MAX 100000 /* a store says how many there are; more is no run of ours */

struct rows { /* all that is read of one run */
	struct store_cell *cells;
	struct store_workload *works;
	struct store_trial *trials;
	size_t ncells, nworks, ntrials, nblocks;
	json_t *pairs, *primary; /* [[base id, change id], ...], {workload: metric} */
};

static json_t *part_of(const char *text, const char *a, const char *b)
{
	json_t *j = text ? json_loads(text, 0, NULL) : NULL;
	json_t *part = a ? json_object_get(json_object_get(j, a), b) : j;

	json_incref(part);
	json_decref(j);
	return part;
}

static void rows_free(struct rows *r)
{
	store_cells_free(r->cells, r->ncells);
	store_workloads_free(r->works, r->nworks);
	store_trials_free(r->trials, r->ntrials);
	json_decref(r->pairs);
	json_decref(r->primary);
}

static int rows_read(struct store *s, const char *uuid, const struct store_run *run, struct rows *r,
		     struct err *e)
{
	size_t i;
	int rc;

	*r = (struct rows){.pairs = part_of(run->meta_json, "vs", "pairs"),
			   .primary = part_of(run->primary_json, NULL, NULL)};
	rc = store_cells(s, uuid, &r->cells, &r->ncells, e);
	if (!rc)
		rc = store_workloads(s, uuid, &r->works, &r->nworks, e);
	if (!rc)
		rc = store_trials(s, uuid, &r->trials, &r->ntrials, e);
	for (i = 0; !rc && i < r->ntrials; i++)
		if (r->trials[i].block < BLOCKS_MAX && r->trials[i].block >= r->nblocks)
			r->nblocks = r->trials[i].block + 1;
	return rc;
}

/* The cell that `id` is held against; NULL: none. */
static const char *base_of(const struct rows *r, const char *id)
{
	const char *change;
	json_t *pair;
	size_t i;

	json_array_foreach(r->pairs, i, pair)
	{
		change = json_string_value(json_array_get(pair, 1));
		if (change && !strcmp(change, id))
			return json_string_value(json_array_get(pair, 0));
	}
	return NULL;
}

static bool is_base(const struct rows *r, const char *id)
{
	const char *base;
	json_t *pair;
	size_t i;

	json_array_foreach(r->pairs, i, pair)
	{
		base = json_string_value(json_array_get(pair, 0));
		if (base && !strcmp(base, id))
			return true;
	}
	return false;
}

static double sample(const struct store_trial *t, const char *metric)
{
	size_t i;

	for (i = 0; t->ok && i < t->nsamples; i++)
		if (!strcmp(t->samples[i].metric, metric))
			return t->samples[i].value;
	return NAN;
}

static bool of(const struct store_trial *t, const char *cell, const char *workload)
{
	return !strcmp(t->cell, cell) && t->workload && !strcmp(t->workload, workload);
}

/* --- which metric
 * --------------------------------------------------------------------------------- */

static bool has(const struct rows *r, const char *workload, const char *metric)
{
	size_t i;

	for (i = 0; i < r->ntrials; i++)
		if (r->trials[i].workload && !strcmp(r->trials[i].workload, workload) &&
		    !isnan(sample(&r->trials[i], metric)))
			return true;
	return false;
}

/* A workload's key, whether stored as "rw" or as "workload.rw". */
static const json_t *key(const json_t *keys, const char *name)
{
	const json_t *j = json_object_get(keys, name);

	return j ? j : json_object_get(keys, name + strlen("workload."));
}

static unsigned long key_number(const json_t *keys, const char *name)
{
	const json_t *j = key(keys, name);

	return json_is_integer(j)  ? (unsigned long)json_integer_value(j)
	       : json_is_string(j) ? strtoul(json_string_value(j), NULL, 10)
				   : 1;
}

/* As the report chooses it: mean latency where one I/O is in flight, else IOPS. */
static const struct metric_row *metric_auto(const struct rows *r, const struct store_workload *w)
{
	json_t *keys = part_of(w->keys_json, NULL, NULL);
	const char *rw = json_string_value(key(keys, "workload.rw"));
	bool one = key_number(keys, "workload.iodepth") * key_number(keys, "workload.numjobs") == 1;
	bool mixed = rw && (!strncmp(rw, "rw", 2) || !strncmp(rw, "randrw", 6) ||
			    !strncmp(rw, "readwrite", 9));
	const char *x = rw && strstr(rw, "write") && !mixed ? "write" : "read";
	const struct metric_row *m = NULL;
	char want[4][40];
	size_t i;

	snprintf(want[0], sizeof(want[0]), "%s.%s", x, one ? "lat.mean" : "iops");
	snprintf(want[1], sizeof(want[1]), "%s.%s", x, one ? "iops" : "lat.mean");
	if (mixed && !one) {
		snprintf(want[0], sizeof(want[0]), "iops");
		snprintf(want[1], sizeof(want[1]), "total.iops");
	}
	snprintf(want[2], sizeof(want[2]), "read.iops");
	snprintf(want[3], sizeof(want[3]), "write.iops");
	json_decref(keys);
	for (i = 0; i < 4; i++) {
		m = metric_find(want[i]);
		if (m && has(r, w->name, m->id))
			return m;
	}
	for (i = 0; i < nmetrics; i++)
		if (metrics[i].scale == SCALE_RATIO && has(r, w->name, metrics[i].id))
			return &metrics[i];
	return NULL;
}

static const struct metric_row *metric_of(const struct rows *r, const struct store_workload *w,
					  const struct history_ask *ask)
{
	const char *named = ask->metric;
	const struct metric_row *m;

	if (!named)
		named = json_string_value(json_object_get(r->primary, w->name));
	m = named ? metric_find(named) : NULL;
	if (m && has(r, w->name, m->id))
		return m;
	return ask->metric ? NULL : metric_auto(r, w);
}

/* --- figures
 * -------------------------------------------------------------------------------------- */

static void point_mean(const struct rows *r, const struct history_series *s,
		       struct history_point *p)
{
	bool logs = s->metric->scale == SCALE_RATIO;
	double v, sum = 0;
	size_t i, n = 0;

	for (i = 0; i < r->ntrials; i++) {
		if (!of(&r->trials[i], s->cell, s->workload))
			continue;
		++*(r->trials[i].ok ? &p->ok : &p->failed);
		v = sample(&r->trials[i], s->metric->id);
		if (!isfinite(v) || (logs && v <= 0))
			continue;
		sum += logs ? log(v) : v;
		n++;
	}
	if (n)
		p->value = logs ? exp(sum / (double)n) : sum / (double)n;
}

static struct interval pair_ratio(const struct rows *r, const struct history_series *s)
{
	const char *base = base_of(r, s->cell);
	double *a = xcalloc(2 * r->nblocks + 1, sizeof(*a)), *b = a + r->nblocks;
	struct interval out = {NAN, NAN, NAN, 0, NAN};
	size_t i;

	for (i = 0; i < 2 * r->nblocks; i++)
		a[i] = NAN;
	for (i = 0; base && i < r->ntrials; i++) {
		const struct store_trial *t = &r->trials[i];

		if (t->block >= r->nblocks)
			continue;
		if (of(t, base, s->workload))
			a[t->block] = sample(t, s->metric->id);
		else if (of(t, s->cell, s->workload))
			b[t->block] = sample(t, s->metric->id);
	}
	if (base && s->metric->scale == SCALE_RATIO)
		out = ratio_interval(a, b, r->nblocks, 0.95, metric_sd_floor(s->metric));
	free(a);
	return out;
}

/* --- series
 * --------------------------------------------------------------------------------------- */

static const char *plain_label(const struct store_cell *c)
{
	const char *label = c->label ? c->label : "";

	return strncmp(label, "change ", 7) ? label : label + 7;
}

static bool cell_wanted(const struct history_ask *ask, const struct store_cell *c)
{
	const char *label = c->label ? c->label : "";

	if (!ask->cell)
		return true;
	if (!strcmp(label, ask->cell) ||
	    (strlen(ask->cell) >= 4 && !strncmp(c->id, ask->cell, strlen(ask->cell))))
		return true;
	return !strcmp(plain_label(c), ask->cell);
}

/* A cell without its build: each night's QEMU may lie in a folder of its own, and an id hashes the
 * path. New. */
static char *stable_keys(const struct store_cell *c)
{
	json_t *j = part_of(c->keys_json, NULL, NULL);
	char *out = NULL;

	if (json_is_object(j)) {
		json_object_del(j, "guest.qemu");
		json_object_del(j, "guest.kernel");
		if (json_object_size(j))
			out = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
	}
	json_decref(j);
	return out ? out : xstrdup("");
}

/* Two cells of one run are never the same: their labels differ. */
static bool same_cell(const struct history_series *s, const struct store_cell *c, const char *keys,
		      const char *label)
{
	if (!strcmp(s->cell, c->id))
		return true;
	return *keys && !strcmp(s->keys, keys) && (!*label || !strcmp(s->label, label));
}

/* The gate's "change packed" is known as "packed" otherwise. */
static struct history_series *series_of(struct history *h, const struct store_cell *c,
					const char *workload, const struct metric_row *m)
{
	const char *label = plain_label(c);
	char *keys = stable_keys(c);
	struct history_series *s;
	size_t i;

	for (i = 0; i < h->nseries; i++) {
		s = &h->series[i];
		if (strcmp(s->workload, workload) || s->metric != m ||
		    !same_cell(s, c, keys, label))
			continue;
		snprintf(s->cell, sizeof(s->cell), "%s", c->id);
		free(s->keys);
		s->keys = keys;
		return s;
	}
	h->series = xrealloc(h->series, h->nseries + 1, sizeof(*h->series));
	s = &h->series[h->nseries++];
	*s = (struct history_series){.keys = keys,
				     .label = xstrdup(*label ? label : c->id),
				     .workload = xstrdup(workload),
				     .metric = m,
				     .points = xcalloc(h->nnights + 1, sizeof(*s->points)),
				     .drift_p = NAN,
				     .drift_step = NAN,
				     .sd = NAN};
	snprintf(s->cell, sizeof(s->cell), "%s", c->id);
	for (i = 0; i < h->nnights; i++)
		s->points[i].value = s->points[i].ratio = s->points[i].confirm =
			s->points[i].confirm_p = NAN;
	return s;
}

static void fill(struct history *h, const struct history_ask *ask, size_t night,
		 const struct rows *r, const struct rows *fresh)
{
	const struct metric_row *m;
	struct history_series *s;
	struct interval q;
	size_t c, w;

	for (w = 0; w < r->nworks; w++) {
		m = r->works[w].name ? metric_of(r, &r->works[w], ask) : NULL;
		for (c = 0; m && c < r->ncells; c++) {
			if (!cell_wanted(ask, &r->cells[c]) || is_base(r, r->cells[c].id))
				continue;
			s = series_of(h, &r->cells[c], r->works[w].name, m);
			point_mean(r, s, &s->points[night]);
			s->points[night].ratio = pair_ratio(r, s).mid;
			if (!fresh)
				continue;
			q = pair_ratio(fresh, s);
			s->points[night].confirm = q.mid;
			s->points[night].confirm_p = ratio_p(&q) / 2;
		}
	}
}

int history_read_night(struct store *s, const struct history_ask *ask, struct history *h, size_t i,
		       const struct night_run *r, struct err *e)
{
	struct store_run confirm = {0};
	struct rows rows, fresh = {0};
	int rc = rows_read(s, r->run.uuid, &r->run, &rows, e);

	/* a record may name a run that was not kept */
	if (!rc && *r->confirm && !store_run_find(s, r->confirm, &confirm, NULL))
		rc = rows_read(s, confirm.uuid, &confirm, &fresh, e);
	if (!rc)
		fill(h, ask, i, &rows, confirm.uuid[0] ? &fresh : NULL);
	rows_free(&rows);
	rows_free(&fresh);
	store_run_free(&confirm);
	return rc;
}
