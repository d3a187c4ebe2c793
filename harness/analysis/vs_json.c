// SPDX-License-Identifier: GPL-2.0-or-later
/* Verdicts, forecasts, parts of the noise and the two arms of a run as JSON. */
#include <math.h>
#include "analysis/build.h"

json_t *json_verdict(enum verdict v)
{
	return v == VERDICT_NONE ? json_null() : json_string(verdict_word(v));
}

json_t *json_forecast(const struct forecast *f)
{
	json_t *o;

	if (!f->known)
		return json_null();
	o = json_object();
	json_object_set_new(o, "lo", f->lo < FORECAST_MANY ? json_integer(f->lo) : json_null());
	json_object_set_new(o, "hi", f->hi < FORECAST_MANY ? json_integer(f->hi) : json_null());
	return o;
}

json_t *spread_json(const struct model_spread *s)
{
	json_t *o = json_object();

	json_object_set_new(o, "second", json_num(s->second));
	json_object_set_new(o, "between", json_num(s->between));
	json_object_set_new(o, "length", json_num(s->length));
	json_object_set_new(o, "overhead", json_num(s->overhead));
	json_object_set_new(o, "trials", json_integer(s->trials));
	json_object_set_new(o, "why", json_str(s->why));
	json_object_set_new(o, "slow", json_integer(s->slow));
	json_object_set_new(o, "judged", json_integer(s->judged));
	json_object_set_new(o, "slow_by", json_num(s->slow_by));
	return o;
}

static json_t *texts(char *const *s, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_str(s[i]));
	return a;
}

static json_t *points(const double *x, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; x && i < n; i++)
		json_array_append_new(a, json_num(x[i]));
	return a;
}

static json_t *pair_json(const struct model *m, const struct model_vs *x)
{
	json_t *o = json_object();
	bool difference = x->metric && x->metric->scale == SCALE_DIFFERENCE;

	json_object_set_new(o, "workload", json_str(m->workloads[x->workload].name));
	json_object_set_new(o, "base", json_str(m->cells[x->base].id));
	json_object_set_new(o, "change", json_str(m->cells[x->change].id));
	json_object_set_new(o, "label", json_str(x->label));
	json_object_set_new(o, "metric", json_str(x->metric ? x->metric->id : NULL));
	json_object_set_new(o, difference ? "difference" : "ratio", json_interval(&x->ratio));
	json_object_set_new(o, "robust", json_interval(&x->robust));
	json_object_set_new(o, "disagree", json_boolean(x->disagree));
	json_object_set_new(o, "p", json_num(x->p));
	json_object_set_new(o, "p_raw", json_num(x->p_raw));
	json_object_set_new(o, "sd", json_num(x->sd));
	json_object_set_new(o, "too_many_failed", json_boolean(x->too_many_failed));
	json_object_set_new(o, "verdict", json_verdict(x->verdict));
	json_object_set_new(o, "more", json_forecast(&x->more));
	json_object_set_new(o, "base_points", points(x->base_points, m->blocks_planned));
	json_object_set_new(o, "change_points", points(x->change_points, m->blocks_planned));
	return o;
}

void vs_json(const struct model *m, json_t *into)
{
	json_t *all = json_array(), *arms = json_null();

	for (size_t i = 0; i < m->nvs; i++)
		json_array_append_new(all, pair_json(m, &m->vs[i]));
	if (m->vs_base || m->vs_change) {
		arms = json_object();
		json_object_set_new(arms, "base", texts(m->vs_base, m->nvs_base));
		json_object_set_new(arms, "change", texts(m->vs_change, m->nvs_change));
	}
	json_object_set_new(into, "arms", arms);
	json_object_set_new(into, "vs", all);
}
