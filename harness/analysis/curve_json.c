/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Overcommit as JSON; model.h has the shape. */
#include <math.h>
#include "analysis/build.h"

static json_t *fit_json(const struct knee *k)
{
	static const char *const words[] = {
		[KNEE_NONE] = "none", [KNEE_STRAIGHT] = "straight", [KNEE_SHOWN_AT] = "knee"};
	json_t *o = json_object();

	json_object_set_new(o, "word", json_string(words[k->word]));
	json_object_set_new(o, "why", json_str(k->why));
	json_object_set_new(o, "at", json_num(k->at));
	json_object_set_new(o, "lo", json_num(k->lo));
	json_object_set_new(o, "hi", json_num(k->hi));
	json_object_set_new(o, "lo_open", json_boolean(k->lo_open));
	json_object_set_new(o, "hi_open", json_boolean(k->hi_open));
	json_object_set_new(o, "before", json_num(k->before));
	json_object_set_new(o, "after", json_num(k->after));
	json_object_set_new(o, "p", json_num(k->p));
	json_object_set_new(o, "sd", json_num(k->sd));
	json_object_set_new(o, "blocks", json_integer((json_int_t)k->blocks));
	json_object_set_new(o, "levels", json_integer((json_int_t)k->levels));
	return o;
}

static json_t *figure_json(const struct model *m, const struct model_curve *c,
			   const struct model_knee *k)
{
	json_t *o, *abs, *points, *wide;

	if (!k->metric)
		return json_null();
	o = json_object();
	abs = json_array();
	points = json_array();
	wide = json_object();
	for (size_t i = 0; i < c->npoints; i++) {
		json_t *level = json_array();

		for (size_t b = 0; b < m->blocks_planned; b++)
			json_array_append_new(level,
					      json_num(k->points[i * m->blocks_planned + b]));
		json_array_append_new(points, level);
		json_array_append_new(abs, json_interval(&k->abs[i]));
	}
	json_object_set_new(wide, "lo", json_num(k->wide.lo));
	json_object_set_new(wide, "hi", json_num(k->wide.hi));
	json_object_set_new(wide, "lo_open", json_boolean(k->wide.lo_open));
	json_object_set_new(wide, "hi_open", json_boolean(k->wide.hi_open));
	json_object_set_new(o, "metric", json_str(k->metric->id));
	json_object_set_new(o, "abs", abs);
	json_object_set_new(o, "points", points);
	json_object_set_new(o, "knee", fit_json(&k->fit));
	json_object_set_new(o, "wide", wide);
	return o;
}

static json_t *one_json(const struct model *m, const struct model_curve *c)
{
	json_t *o = json_object(), *at = json_array();

	for (size_t i = 0; i < c->npoints; i++)
		json_array_append_new(at, json_pack("{s:s, s:f, s:i, s:i}", "cell",
						    m->cells[c->at[i].cell].id, "ratio",
						    c->at[i].ratio, "guests", (int)c->at[i].guests,
						    "vcpus", (int)c->at[i].vcpus));
	json_object_set_new(o, "workload", json_str(m->workloads[c->workload].name));
	json_object_set_new(o, "steady", json_boolean(c->steady));
	json_object_set_new(o, "where", json_str(c->where));
	json_object_set_new(o, "at", at);
	json_object_set_new(o, "iops_per_guest", figure_json(m, c, &c->of[CURVE_SHARE]));
	json_object_set_new(o, "p99", figure_json(m, c, &c->of[CURVE_P99]));
	return o;
}

static json_t *load_json(const struct model_load *l)
{
	return json_pack("{s:o, s:o, s:o}", "says", json_num(l->says), "ratio", json_num(l->ratio),
			 "was", isfinite(l->was.mid) ? json_interval(&l->was) : json_null());
}

void curve_json(const struct model *m, json_t *into)
{
	json_t *o, *curves, *rules;

	if (!m->ncurves) {
		json_object_set_new(into, "overcommit", json_null());
		return;
	}
	o = json_object();
	curves = json_array();
	rules = json_array();
	for (size_t i = 0; i < m->ncurves; i++)
		json_array_append_new(curves, one_json(m, &m->curves[i]));
	for (size_t i = 0; i < m->nrules; i++) {
		const struct model_rule *r = &m->rules[i];
		json_t *x = json_object();

		json_object_set_new(x, "id", json_str(r->id));
		json_object_set_new(x, "what", json_str(r->what));
		json_object_set_new(x, "source", json_str(r->source));
		json_object_set_new(x, "ratio", json_num(r->ratio));
		json_object_set_new(x, "word", json_string(claim_text(r->word)));
		json_object_set_new(x, "why", json_str(r->why));
		json_object_set_new(x, "busy", json_num(r->busy));
		json_object_set_new(x, "load",
				    json_pack("[o, o]", load_json(&r->one), load_json(&r->at)));
		json_array_append_new(rules, x);
	}
	json_object_set_new(o, "cpus", json_integer(m->cpus));
	json_object_set_new(o, "curves", curves);
	json_object_set_new(o, "rules", rules);
	json_object_set_new(o, "thresholds",
			    json_pack("{s:s, s:f, s:f, s:f, s:f}", "whose", "vbench",
				      "little_worse", RULE_LITTLE_WORSE, "much_worse",
				      RULE_MUCH_WORSE, "load_least", RULE_LOAD_LEAST, "load_most",
				      RULE_LOAD_MOST));
	json_object_set_new(into, "overcommit", o);
}
