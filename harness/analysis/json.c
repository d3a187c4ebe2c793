/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model as JSON: everything a report sees, in a fixed order; what cannot be said is null. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

json_t *json_num(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

/* Text from guests and files may be no UTF-8; then each byte over ASCII becomes '?'. */
json_t *json_str(const char *s)
{
	json_t *v;
	char *copy;

	if (!s)
		return json_null();
	v = json_string(s);
	if (v)
		return v;
	copy = xstrdup(s);
	for (char *c = copy; *c; c++)
		if (*c & 0x80)
			*c = '?';
	v = json_string(copy);
	free(copy);
	return v ? v : json_null();
}

static json_t *copy_of(json_t *v)
{
	return v ? json_deep_copy(v) : json_null();
}

json_t *json_interval(const struct interval *i)
{
	json_t *o = json_object();

	json_object_set_new(o, "mid", json_num(i->mid));
	json_object_set_new(o, "lo", json_num(i->lo));
	json_object_set_new(o, "hi", json_num(i->hi));
	json_object_set_new(o, "n", json_integer(i->n));
	json_object_set_new(o, "sd", json_num(i->sd));
	return o;
}

static const char *scale_name(enum metric_scale s)
{
	return s == SCALE_RATIO ? "ratio" : s == SCALE_DIFFERENCE ? "difference" : "exact";
}

/* Metrics explain themselves once, by id; elsewhere only the id stands. */
static void metric_put(json_t *into, const struct metric_row *r)
{
	json_t *o;

	if (!r || json_object_get(into, r->id))
		return;
	o = json_object();
	json_object_set_new(o, "title", json_str(r->title));
	json_object_set_new(o, "unit", json_str(r->unit));
	json_object_set_new(o, "better",
			    json_string(r->better == HIGHER_IS_BETTER ? "higher" : "lower"));
	json_object_set_new(o, "scale", json_string(scale_name(r->scale)));
	json_object_set_new(o, "min_effect", json_num(r->min_effect));
	json_object_set_new(o, "percentile", json_boolean(r->percentile));
	json_object_set_new(into, r->id, o);
}

static json_t *metrics_json(const struct model *m)
{
	json_t *all = json_object();

	for (size_t i = 0; i < m->nworkloads; i++) {
		const struct model_workload *w = &m->workloads[i];

		metric_put(all, w->primary);
		for (size_t j = 0; w->nrows && j < w->rows[0].nvalues; j++)
			metric_put(all, w->rows[0].values[j].metric);
	}
	return all;
}

static json_t *value_json(const struct model *m, const struct model_value *v)
{
	json_t *o = json_object(), *points = json_array();

	for (size_t k = 0; v->points && k < m->blocks_planned; k++)
		json_array_append_new(points, json_num(v->points[k]));
	json_object_set_new(o, "metric", json_str(v->metric->id));
	json_object_set_new(o, "abs", json_interval(&v->abs));
	json_object_set_new(o, v->metric->scale == SCALE_DIFFERENCE ? "difference" : "ratio",
			    json_interval(&v->ratio));
	json_object_set_new(o, "robust", json_interval(&v->robust));
	json_object_set_new(o, "disagree", json_boolean(v->disagree));
	json_object_set_new(o, "p", json_num(v->p));
	json_object_set_new(o, "differs", json_boolean(v->differs));
	json_object_set_new(o, "better", v->differs ? json_boolean(v->better) : json_null());
	json_object_set_new(o, "same", json_boolean(v->same));
	json_object_set_new(o, "verdict", json_verdict(v->verdict));
	json_object_set_new(o, "more", json_forecast(&v->more));
	json_object_set_new(o, "points", points);
	return o;
}

static json_t *row_json(const struct model *m, const struct model_row *r)
{
	json_t *o = json_object(), *values = json_array();

	for (size_t j = 0; j < r->nvalues; j++)
		json_array_append_new(values, value_json(m, &r->values[j]));
	json_object_set_new(o, "cell", json_str(m->cells[r->cell].id));
	json_object_set_new(o, "label", json_str(m->cells[r->cell].label));
	json_object_set_new(o, "ok", json_integer(r->ok));
	json_object_set_new(o, "failed", json_integer(r->failed));
	json_object_set_new(o, "limits", json_integer(r->limits));
	json_object_set_new(o, "limit", json_str(r->limit));
	json_object_set_new(o, "too_many_failed", json_boolean(r->too_many_failed));
	json_object_set_new(o, "best_set", json_boolean(r->best_set));
	json_object_set_new(o, "to_best", r->best_set ? json_interval(&r->to_best) : json_null());
	json_object_set_new(o, "same_as_best",
			    r->best_set ? json_boolean(r->same_as_best) : json_null());
	json_object_set_new(o, "slow", json_integer(r->slow));
	json_object_set_new(o, "slow_by", json_num(r->slow_by));
	json_object_set_new(o, "values", values);
	return o;
}

static json_t *effect_json(const struct model_effect *f)
{
	json_t *o = json_object();

	json_object_set_new(o, "axis", json_str(f->axis));
	json_object_set_new(o, "from", json_str(f->from));
	json_object_set_new(o, "to", json_str(f->to));
	json_object_set_new(o, "metric", json_str(f->metric->id));
	json_object_set_new(o, "ratio", json_interval(&f->ratio));
	json_object_set_new(o, "p", json_num(f->p));
	json_object_set_new(o, "differs", json_boolean(f->differs));
	json_object_set_new(o, "better", f->differs ? json_boolean(f->better) : json_null());
	json_object_set_new(o, "same", json_boolean(f->same));
	json_object_set_new(o, "verdict", json_verdict(f->verdict));
	json_object_set_new(o, "more", json_forecast(&f->more));
	json_object_set_new(o, "combinations", json_integer(f->combos));
	json_object_set_new(o, "left_out", json_integer(f->left_out));
	return o;
}

static json_t *interaction_json(const struct model_interaction *x)
{
	json_t *o = json_object();

	json_object_set_new(o, "axis", json_str(x->axis));
	json_object_set_new(o, "from", json_str(x->from));
	json_object_set_new(o, "to", json_str(x->to));
	json_object_set_new(o, "by", json_str(x->by));
	json_object_set_new(o, "by_from", json_str(x->by_from));
	json_object_set_new(o, "by_to", json_str(x->by_to));
	json_object_set_new(o, "at_from", json_interval(&x->at_from));
	json_object_set_new(o, "at_to", json_interval(&x->at_to));
	json_object_set_new(o, "ratio", json_interval(&x->ratio));
	json_object_set_new(o, "p", json_num(x->p));
	return o;
}

static json_t *components_json(const struct components *c)
{
	json_t *o = json_object();

	json_object_set_new(o, "between", json_num(c->between));
	json_object_set_new(o, "within", json_num(c->within));
	json_object_set_new(o, "f", json_num(c->f));
	json_object_set_new(o, "groups", json_integer(c->groups));
	json_object_set_new(
		o, "note",
		json_string(
			"of the log primary metric, cells held fixed; each block has its own template, "
			"so between holds template and time together"));
	return o;
}

static json_t *workload_json(const struct model *m, const struct model_workload *w)
{
	json_t *o = json_object(), *rows = json_array(), *effects = json_array(),
	       *inter = json_array();

	for (size_t i = 0; i < w->nrows; i++)
		json_array_append_new(rows, row_json(m, &w->rows[i]));
	for (size_t i = 0; i < w->neffects; i++)
		json_array_append_new(effects, effect_json(&w->effects[i]));
	for (size_t i = 0; i < w->ninteractions; i++)
		json_array_append_new(inter, interaction_json(&w->interactions[i]));
	json_object_set_new(o, "name", json_str(w->name));
	json_object_set_new(o, "describe", json_str(w->describe));
	json_object_set_new(o, "pass",
			    w->pass == PASS_FIRST_WRITE ? json_string("first-write")
			    : w->pass == PASS_STEADY	? json_string("steady")
							: json_null());
	json_object_set_new(o, "headline", json_str(w->headline));
	json_object_set_new(o, "primary", json_str(w->primary ? w->primary->id : NULL));
	json_object_set_new(o, "min_effect", json_num(w->min_effect));
	json_object_set_new(o, "rows", rows);
	json_object_set_new(o, "interactions", inter);
	json_object_set_new(o, "effects", effects);
	json_object_set_new(o, "trial_sd", json_num(w->trial_sd));
	json_object_set_new(o, "template_variance", components_json(&w->template_var));
	json_object_set_new(o, "spread", spread_json(&w->spread));
	json_object_set_new(o, "best_seconds", json_num(w->best_seconds));
	json_object_set_new(o, "longer_is_better", json_boolean(isinf(w->best_seconds)));
	return o;
}

static json_t *cell_json(const struct model_cell *c)
{
	json_t *o = json_object();

	json_object_set_new(o, "id", json_str(c->id));
	json_object_set_new(o, "index", json_integer(c->index));
	json_object_set_new(o, "label", json_str(c->label));
	json_object_set_new(o, "keys", copy_of(c->keys));
	json_object_set_new(o, "keys_text", json_str(c->keys_text));
	json_object_set_new(o, "repeat", json_str(c->repeat));
	json_object_set_new(o, "qemu", json_str(c->qemu));
	json_object_set_new(o, "plug", json_str(c->plug));
	json_object_set_new(o, "facts", copy_of(c->facts));
	return o;
}

static json_t *checks_json(const struct model *m)
{
	json_t *a = json_array();

	for (size_t i = 0; i < m->nchecks; i++) {
		const struct model_check *c = &m->checks[i];
		json_t *o = json_object();

		json_object_set_new(o, "key", json_str(c->key));
		json_object_set_new(o, "match", json_integer(c->match));
		json_object_set_new(o, "differ", json_integer(c->differ));
		json_object_set_new(o, "unknown", json_integer(c->unknown));
		json_object_set_new(o, "asked", json_str(c->asked));
		json_object_set_new(o, "got", json_str(c->got));
		json_object_set_new(o, "cell", json_str(c->cell_label));
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *failures_json(const struct model *m)
{
	json_t *a = json_array();

	for (size_t i = 0; i < m->nfailures; i++) {
		const struct model_failure *f = &m->failures[i];
		json_t *o = json_object();

		json_object_set_new(o, "seq", json_integer(f->seq));
		json_object_set_new(o, "cell", json_str(f->cell_label));
		json_object_set_new(o, "workload", json_str(f->workload));
		json_object_set_new(o, "cause", json_str(f->cause));
		json_object_set_new(o, "detail", json_str(f->detail));
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *side_json(const struct model *m)
{
	json_t *a = json_array();

	for (size_t i = 0; i < m->nside; i++) {
		json_t *o = json_object();

		json_object_set_new(o, "name", json_str(m->side[i].name));
		json_object_set_new(o, "values", json_str(m->side[i].values));
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *facts_json(const struct model *m)
{
	json_t *a = json_array();

	for (size_t i = 0; i < m->nfacts; i++) {
		json_t *o = json_object();

		json_object_set_new(o, "group", json_str(m->facts[i].group));
		json_object_set_new(o, "name", json_str(m->facts[i].name));
		json_object_set_new(o, "value", json_str(m->facts[i].value));
		json_array_append_new(a, o);
	}
	return a;
}

/* JSON's integers end at 2^63 - 1 here; a larger seed is text rather than another number. */
static json_t *seed_json(uint64_t seed)
{
	char text[24];

	if (seed <= INT64_MAX)
		return json_integer((json_int_t)seed);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)seed);
	return json_string(text);
}

static json_t *run_json(const struct model *m)
{
	json_t *o = json_object();

	json_object_set_new(o, "uuid", json_str(m->uuid));
	json_object_set_new(o, "label", json_str(m->label));
	json_object_set_new(o, "profile", json_str(m->profile));
	json_object_set_new(o, "title", json_str(m->title));
	json_object_set_new(o, "question", json_str(m->question));
	json_object_set_new(o, "source", json_str(m->source));
	json_object_set_new(o, "command", json_str(m->command));
	json_object_set_new(o, "version", json_str(m->version));
	json_object_set_new(o, "status", json_str(m->status));
	json_object_set_new(o, "begun_ns", json_integer(m->begun));
	json_object_set_new(o, "ended_ns", m->ended ? json_integer(m->ended) : json_null());
	json_object_set_new(o, "seed", seed_json(m->seed));
	json_object_set_new(o, "blocks_planned", json_integer(m->blocks_planned));
	json_object_set_new(o, "blocks_done", json_integer(m->blocks_done));
	json_object_set_new(o, "trials_planned", json_integer(m->trials_planned));
	json_object_set_new(o, "trials_ok", json_integer(m->trials_ok));
	json_object_set_new(o, "trials_failed", json_integer(m->trials_failed));
	json_object_set_new(o, "trials_limit", json_integer(m->trials_limit));
	json_object_set_new(o, "seq_max", json_integer(m->seq_max));
	json_object_set_new(o, "stopped_early", json_boolean(m->stopped_early));
	json_object_set_new(o, "decide", json_num(m->decide));
	json_object_set_new(o, "precision", json_num(m->precision));
	json_object_set_new(o, "accel", json_str(m->accel));
	json_object_set_new(o, "relative_only", json_boolean(m->relative_only));
	json_object_set_new(o, "profile_text", json_str(m->profile_text));
	return o;
}

json_t *model_json(const struct model *m)
{
	json_t *o = json_object(), *warnings = json_array(), *cells = json_array(),
	       *works = json_array();

	for (size_t i = 0; i < m->nwarnings; i++)
		json_array_append_new(warnings, json_str(m->warnings[i]));
	for (size_t i = 0; i < m->ncells; i++)
		json_array_append_new(cells, cell_json(&m->cells[i]));
	for (size_t i = 0; i < m->nworkloads; i++)
		json_array_append_new(works, workload_json(m, &m->workloads[i]));
	json_object_set_new(o, "model", json_integer(1)); /* version of this shape */
	json_object_set_new(o, "headline", json_str(m->headline));
	json_object_set_new(o, "warnings", warnings);
	json_object_set_new(o, "run", run_json(m));
	json_object_set_new(o, "metrics", metrics_json(m));
	json_object_set_new(o, "axes", copy_of(m->axes));
	json_object_set_new(o, "skipped", copy_of(m->skipped));
	json_object_set_new(o, "cells", cells);
	json_object_set_new(o, "workloads", works);
	vs_json(m, o);
	ladder_json(m, o);
	curve_json(m, o);
	search_json(m, o);
	json_object_set_new(o, "side", side_json(m));
	json_object_set_new(o, "checks", checks_json(m));
	json_object_set_new(o, "failures", failures_json(m));
	json_object_set_new(o, "facts", facts_json(m));
	json_object_set_new(o, "phases", copy_of(m->phases));
	json_object_set_new(o, "noise", copy_of(m->noise));
	return o;
}
