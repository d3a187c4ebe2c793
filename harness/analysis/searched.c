// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A run that searched (`vbench tune`): its cells were visited as it went along, so they are ranked
 * and never judged; and the record of the whole tuning, which stands beside each of its runs.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"
#include "base/file.h"

#define RECORD_MAX (4 << 20)

/* A JSON object of the run's folder, or NULL. New. */
static json_t *record(const struct build *b, const char *name)
{
	char *path, *text = NULL;
	json_t *v = NULL;
	size_t len = 0;

	if (!b->run.folder || !*b->run.folder)
		return NULL;
	path = xasprintf("%s/%s", b->run.folder, name);
	if (!file_read(path, RECORD_MAX, &text, &len))
		v = json_loadb(text, len, 0, NULL);
	free(text);
	free(path);
	if (v && json_is_object(v))
		return v;
	json_decref(v);
	return NULL;
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* The record names the run that it lies with: another's is none. */
static void take_tuning(struct build *b)
{
	static const char *const runs[] = {"search_run", "final_run", "confirm_run",
					   "exhaustive_run"};
	json_t *t = record(b, "tuning.json");
	const char *format = text_of(t, "format");
	bool own = false;

	for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++)
		own |= text_of(t, runs[i]) && !strcmp(text_of(t, runs[i]), b->m->uuid);
	if (own && format && !strcmp(format, "vbench-tune-1"))
		b->m->tuning = t;
	else
		json_decref(t);
}

static long cell_named(const struct model *m, const char *id)
{
	for (size_t i = 0; id && i < m->ncells; i++)
		if (!strcmp(m->cells[i].id, id))
			return (long)i;
	return -1;
}

static double logs_of(const json_t *of, const char *id)
{
	const json_t *v = json_object_get(of, id);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

static int by_prediction(const void *a, const void *b)
{
	const struct model_tried *x = a, *y = b;

	if (isnan(x->predicted) != isnan(y->predicted))
		return isnan(x->predicted) ? 1 : -1;
	if (!isnan(x->predicted) && x->predicted != y->predicted)
		return x->predicted > y->predicted ? -1 : 1;
	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return (x->cell > y->cell) - (x->cell < y->cell);
}

/* Where in a list of texts, or of objects with such a text; its length: nowhere. */
static size_t place_in(const json_t *list, const char *key, const char *text)
{
	size_t i = 0;

	for (; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);
		const char *s = key ? text_of(v, key) : json_string_value(v);

		if (s && text && !strcmp(s, text))
			break;
	}
	return i;
}

static struct model_tried tried(const struct model *m, size_t cell, const json_t *found, long start)
{
	const json_t *of = json_object_get(found, "predicted");
	const json_t *racing = json_object_get(found, "racing"),
		     *failed = json_object_get(found, "failed");
	const struct model_cell *c = &m->cells[cell];
	struct model_tried t = {.cell = (unsigned)cell,
				.place = (unsigned)place_in(racing, "cell", c->id)};

	t.raced = t.place < json_array_size(racing);
	t.failed = place_in(failed, NULL, c->label) < json_array_size(failed);

	t.predicted = start < 0 ? NAN : exp(logs_of(of, m->cells[start].id) - logs_of(of, c->id));
	for (size_t w = 0; w < m->nworkloads; w++) {
		const struct model_row *r = &m->workloads[w].rows[cell];
		unsigned n = r->ok + r->failed + r->limits;

		t.visits = n > t.visits ? n : t.visits;
	}
	return t;
}

/* A cell was taken into further blocks since it looked good: no comparison of these trials holds
 * what an interval promises. */
static void unjudge(struct model *m)
{
	const struct interval none = {NAN, NAN, NAN, 0, NAN};

	for (size_t w = 0; w < m->nworkloads; w++)
		for (size_t i = 0; i < m->workloads[w].nrows; i++) {
			struct model_row *r = &m->workloads[w].rows[i];

			r->best_set = r->same_as_best = false;
			for (size_t k = 0; k < r->nvalues; k++) {
				struct model_value *v = &r->values[k];

				v->abs.lo = v->abs.hi = NAN;
				v->ratio = v->robust = none;
				v->p = NAN;
				v->disagree = v->differs = v->better = v->same = false;
				v->verdict = VERDICT_NONE;
				v->more = (struct forecast){0};
			}
		}
}

void build_search(struct build *b)
{
	const json_t *meta = json_object_get(b->meta, "search");
	struct model *m = b->m;
	struct model_search *s;
	json_t *found;

	take_tuning(b);
	if (!json_is_object(meta))
		return;
	found = record(b, "search.json");
	m->search = s = xcalloc(1, sizeof(*s));
	s->start = cell_named(m, text_of(meta, "start"));
	s->winner = cell_named(m, text_of(found, "winner"));
	s->visits = (unsigned)json_integer_value(json_object_get(found ? found : meta, "visits"));
	s->screened = (unsigned)json_integer_value(json_object_get(found, "screened"));
	s->noise_sd = logs_of(found, "noise_sd");
	s->cells = xcalloc(m->ncells + 1, sizeof(*s->cells));
	for (size_t i = 0; i < m->ncells; i++) {
		s->cells[i] = tried(m, i, found, s->start);
		s->tried += s->cells[i].visits > 0;
	}
	s->ncells = m->ncells;
	qsort(s->cells, s->ncells, sizeof(*s->cells), by_prediction);
	unjudge(m);
	json_decref(found);
}

char *search_headline(const struct model *m)
{
	const struct model_search *s = m->search;
	char *out = NULL;

	text_add(&out, "A search: %u visits to %u of %zu cells", s->visits, s->tried, s->ncells);
	if (s->winner < 0)
		text_add(&out, "; it has not come to its end.");
	else if (s->winner == s->start)
		text_add(&out, "; nothing looks better than the start.");
	else
		text_add(&out, "; %s looks best.", m->cells[s->winner].label);
	text_add(&out,
		 " None of it is a measurement of gain: the same trials chose the winner. What "
		 "it gains was measured in fresh blocks, by the run of the proof%s%s.",
		 text_of(m->tuning, "final_run") ? ", " : "",
		 text_of(m->tuning, "final_run") ? text_of(m->tuning, "final_run") : "");
	return out;
}

void search_json(const struct model *m, json_t *into)
{
	const struct model_search *s = m->search;
	json_t *cells, *o;

	json_object_set_new(into, "tuning", m->tuning ? json_deep_copy(m->tuning) : json_null());
	if (!s) {
		json_object_set_new(into, "search", json_null());
		return;
	}
	cells = json_array();
	for (size_t i = 0; i < s->ncells; i++) {
		const struct model_tried *t = &s->cells[i];

		o = json_object();
		json_object_set_new(o, "cell", json_str(m->cells[t->cell].id));
		json_object_set_new(o, "predicted", json_num(t->predicted));
		json_object_set_new(o, "visits", json_integer(t->visits));
		json_object_set_new(o, "raced", json_boolean(t->raced));
		json_object_set_new(o, "failed", json_boolean(t->failed));
		json_array_append_new(cells, o);
	}
	o = json_object();
	json_object_set_new(o, "start",
			    s->start < 0 ? json_null() : json_str(m->cells[s->start].id));
	json_object_set_new(o, "winner",
			    s->winner < 0 ? json_null() : json_str(m->cells[s->winner].id));
	json_object_set_new(o, "visits", json_integer(s->visits));
	json_object_set_new(o, "screened", json_integer(s->screened));
	json_object_set_new(o, "noise_sd", json_num(s->noise_sd));
	json_object_set_new(o, "cells", cells);
	json_object_set_new(into, "search", o);
}

void searched_free(struct model *m)
{
	if (m->search)
		free(m->search->cells);
	free(m->search);
	json_decref(m->tuning);
}
