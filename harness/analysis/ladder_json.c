/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ladder and the published figures as JSON; model.h has the shape. */
#include "analysis/build.h"

static json_t *word_json(enum layer_word w)
{
	switch (w) {
	case LAYER_COSTS:
		return json_string("costs");
	case LAYER_SAVES:
		return json_string("saves");
	case LAYER_UNDECIDED:
		return json_string("undecided");
	default:
		return json_null();
	}
}

static json_t *figure_json(const struct model *m, const struct model_layer *l)
{
	json_t *o = json_object(), *points = json_array();

	for (size_t k = 0; l->points && k < m->blocks_planned; k++)
		json_array_append_new(points, json_num(l->points[k]));
	json_object_set_new(o, "abs", json_interval(&l->abs));
	json_object_set_new(o, "layer", json_interval(&l->layer));
	json_object_set_new(o, "robust", json_interval(&l->robust));
	json_object_set_new(o, "disagree", json_boolean(l->disagree));
	json_object_set_new(o, "p", json_num(l->p));
	json_object_set_new(o, "word", word_json(l->word));
	json_object_set_new(o, "points", points);
	return o;
}

static json_t *step_json(const struct model *m, const struct model_workload *w, size_t i)
{
	static const char *const names[STEP_FIGURES] = {
		[STEP_NS] = "ns_per_io", [STEP_LAT] = "lat", [STEP_CPU] = "cpu_per_io"};
	const struct model_step *s = &w->steps[i];
	json_t *o = json_object();

	json_object_set_new(o, "workload", json_str(w->name));
	json_object_set_new(o, "why", json_str(s->why));
	for (int f = 0; f < STEP_FIGURES; f++)
		json_object_set_new(o, names[f], figure_json(m, &s->of[f]));
	return o;
}

static json_t *rung_json(const struct model *m, size_t i)
{
	const struct model_rung *r = &m->rungs[i];
	json_t *o = json_object(), *works = json_array();

	for (size_t w = 0; w < m->nworkloads; w++)
		if (m->workloads[w].steps)
			json_array_append_new(works, step_json(m, &m->workloads[w], i));
	json_object_set_new(o, "rung", json_str(r->name));
	json_object_set_new(o, "over", json_str(r->over));
	json_object_set_new(o, "adds", json_str(r->adds));
	json_object_set_new(o, "depth", json_integer(r->depth));
	json_object_set_new(o, "cell", r->cell < 0 ? json_null() : json_str(m->cells[r->cell].id));
	json_object_set_new(o, "place", r->cell < 0 ? json_null() : json_str(r->place));
	json_object_set_new(o, "unlike", json_boolean(r->unlike));
	json_object_set_new(o, "why", json_str(r->why));
	json_object_set_new(o, "workloads", works);
	return o;
}

static json_t *claim_json(const struct model *m, const struct model_claim *c)
{
	json_t *o = json_object();

	json_object_set_new(o, "id", json_str(c->id));
	json_object_set_new(o, "what", json_str(c->what));
	json_object_set_new(o, "published", json_str(c->published));
	json_object_set_new(o, "setting", json_str(c->setting));
	json_object_set_new(o, "source", json_str(c->source));
	json_object_set_new(o, "a", json_str(c->a));
	json_object_set_new(o, "b", json_str(c->b));
	json_object_set_new(o, "metric",
			    json_str(c->count	 ? "disks"
				     : c->metric ? c->metric->id
						 : NULL));
	json_object_set_new(o, "low", json_num(c->low));
	json_object_set_new(o, "high", json_num(c->high));
	json_object_set_new(o, "asserts",
			    json_pack("{s:o, s:o}", "low",
				      c->from > 0 ? json_num(c->from) : json_null(), "high",
				      json_num(c->to)));
	json_object_set_new(o, "workload", json_str(m->workloads[c->workload].name));
	json_object_set_new(o, "where", json_str(c->where));
	json_object_set_new(o, "ratio", json_interval(&c->ratio));
	json_object_set_new(o, "pairs", json_integer(c->pairs));
	json_object_set_new(o, "p", json_num(c->p));
	json_object_set_new(o, "word", json_string(claim_text(c->word)));
	return o;
}

void ladder_json(const struct model *m, json_t *into)
{
	json_t *rungs = json_array(), *claims = json_array();

	for (size_t i = 0; i < m->nrungs; i++)
		json_array_append_new(rungs, rung_json(m, i));
	for (size_t i = 0; i < m->nclaims; i++)
		json_array_append_new(claims, claim_json(m, &m->claims[i]));
	json_object_set_new(into, "ladder", rungs);
	json_object_set_new(into, "claims", claims);
}
