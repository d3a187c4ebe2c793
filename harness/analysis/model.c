/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the store's rows to the model: the order of the steps, and the model's end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

json_t *json_read(struct model *m, const char *what, const char *text, json_type kind)
{
	json_error_t e;
	json_t *v = text && *text ? json_loads(text, 0, &e) : NULL;

	if (v && json_typeof(v) == kind)
		return v;
	if (text && *text && !json_is_null(v))
		model_warn(m, "The store holds %s that cannot be read.", what);
	json_decref(v);
	return kind == JSON_ARRAY ? json_array() : json_object();
}

static int by_index(const void *a, const void *b)
{
	const struct store_cell *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

static int work_by_index(const void *a, const void *b)
{
	const struct store_workload *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

static int by_seq(const void *a, const void *b)
{
	const struct store_trial *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

static int read_rows(struct build *b, struct store *s, const char *uuid, struct err *e)
{
	int rc = store_run_find(s, uuid, &b->run, e);

	if (!rc)
		rc = store_cells(s, b->run.uuid, &b->cells, &b->ncells, e);
	if (!rc)
		rc = store_workloads(s, b->run.uuid, &b->works, &b->nworks, e);
	if (!rc)
		rc = store_trials(s, b->run.uuid, &b->trials, &b->ntrials, e);
	if (rc)
		return rc;
	if (b->ncells)
		qsort(b->cells, b->ncells, sizeof(*b->cells), by_index);
	if (b->nworks)
		qsort(b->works, b->nworks, sizeof(*b->works), work_by_index);
	if (b->ntrials)
		qsort(b->trials, b->ntrials, sizeof(*b->trials), by_seq);
	return 0;
}

static char *meta_text(const struct build *b, const char *key)
{
	return xstrdup(json_string_value(json_object_get(b->meta, key)));
}

static void describe_run(struct build *b)
{
	struct model *m = b->m;
	const struct store_run *r = &b->run;

	memcpy(m->uuid, r->uuid, sizeof(m->uuid));
	m->uuid[sizeof(m->uuid) - 1] = 0;
	b->meta = json_read(m, "notes of the run", r->meta_json, JSON_OBJECT);
	b->primary = json_read(m, "primary metrics", r->primary_json, JSON_OBJECT);
	m->axes = json_read(m, "axes", r->axes_json, JSON_ARRAY);
	m->skipped = json_read(m, "skipped combinations", r->skipped_json, JSON_ARRAY);
	m->label = xstrdup(r->label);
	m->profile = xstrdup(r->profile_name);
	m->profile_text = xstrdup(r->profile_text);
	m->command = xstrdup(r->command);
	m->version = xstrdup(r->version);
	m->status = xstrdup(r->status ? r->status : "unknown");
	m->title = meta_text(b, "title");
	m->question = meta_text(b, "question");
	m->source = meta_text(b, "source");
	m->begun = r->begun;
	m->ended = r->ended;
	m->seed = r->seed;
	m->trials_planned = r->trials;
}

static void build_end(struct build *b)
{
	store_cells_free(b->cells, b->ncells);
	store_workloads_free(b->works, b->nworks);
	store_trials_free(b->trials, b->ntrials);
	store_run_free(&b->run);
	json_decref(b->meta);
	json_decref(b->primary);
	free(b->cell_of);
	free(b->work_of);
	free(b->grid);
}

int model_make(struct store *s, const char *uuid, struct model **out, struct err *e)
{
	struct build b = {.m = NULL};
	int rc = read_rows(&b, s, uuid, e);

	*out = NULL;
	if (!rc) {
		b.m = *out = xcalloc(1, sizeof(**out));
		describe_run(&b);
		build_place(&b);
		build_cells(&b);
		judge_begin(&b);
		build_values(&b);
		build_search(&b);
		build_vs(&b);
		if (!b.m->search)
			build_effects(&b);
		build_spread(&b);
		build_checks(&b);
		build_ladder(&b);
		if (!b.m->search) {
			build_claims(&b);
			build_curves(&b);
		}
		build_facts(&b);
		build_side(&b);
		build_warnings(&b);
		build_answer(&b);
		curve_headline(b.m);
	}
	build_end(&b);
	return rc;
}

static void workload_free(struct model_workload *w)
{
	for (size_t r = 0; r < w->nrows; r++) {
		for (size_t j = 0; j < w->rows[r].nvalues; j++)
			free(w->rows[r].values[j].points);
		free(w->rows[r].values);
		free(w->rows[r].limit);
	}
	for (size_t i = 0; i < w->neffects; i++) {
		free(w->effects[i].axis);
		free(w->effects[i].from);
		free(w->effects[i].to);
	}
	for (size_t i = 0; i < w->ninteractions; i++)
		interaction_free(&w->interactions[i]);
	free(w->rows);
	free(w->effects);
	free(w->interactions);
	free(w->name);
	free(w->describe);
	free(w->headline);
	free(w->spread.why);
}

static void texts_free(char **s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(s[i]);
	free(s);
}

static void vs_free(struct model *m)
{
	for (size_t i = 0; i < m->nvs; i++) {
		free(m->vs[i].label);
		free(m->vs[i].base_points);
		free(m->vs[i].change_points);
	}
	free(m->vs);
	texts_free(m->vs_base, m->nvs_base);
	texts_free(m->vs_change, m->nvs_change);
}

static void cell_free(struct model_cell *c)
{
	free(c->label);
	free(c->keys_text);
	free(c->qemu);
	free(c->plug);
	free(c->repeat);
	json_decref(c->keys);
	json_decref(c->facts);
}

static void health_free(struct model *m)
{
	for (size_t i = 0; i < m->nchecks; i++) {
		free(m->checks[i].key);
		free(m->checks[i].asked);
		free(m->checks[i].got);
		free(m->checks[i].cell_label);
	}
	for (size_t i = 0; i < m->nfailures; i++) {
		free(m->failures[i].cell_label);
		free(m->failures[i].workload);
		free(m->failures[i].cause);
		free(m->failures[i].detail);
	}
	for (size_t i = 0; i < m->nfacts; i++) {
		free(m->facts[i].group);
		free(m->facts[i].name);
		free(m->facts[i].value);
	}
	for (size_t i = 0; i < m->nside; i++) {
		free(m->side[i].name);
		free(m->side[i].values);
	}
	for (size_t i = 0; i < m->nwarnings; i++)
		free(m->warnings[i]);
	free(m->checks);
	free(m->failures);
	free(m->facts);
	free(m->side);
	free(m->warnings);
}

void model_free(struct model *m)
{
	if (!m)
		return;
	ladder_free(m);
	curves_free(m);
	searched_free(m);
	vs_free(m);
	for (size_t i = 0; i < m->ncells; i++)
		cell_free(&m->cells[i]);
	for (size_t i = 0; i < m->nworkloads; i++)
		workload_free(&m->workloads[i]);
	health_free(m);
	free(m->cells);
	free(m->workloads);
	free(m->label);
	free(m->profile);
	free(m->title);
	free(m->question);
	free(m->source);
	free(m->command);
	free(m->version);
	free(m->status);
	free(m->profile_text);
	free(m->accel);
	free(m->headline);
	json_decref(m->axes);
	json_decref(m->skipped);
	json_decref(m->phases);
	json_decref(m->noise);
	free(m);
}
