// SPDX-License-Identifier: GPL-2.0-or-later
/* A history as JSON: nights once, figures by series, numbers that are not known as null. */
#include <math.h>
#include "history/history.h"

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static void put(json_t *o, const char *key, const char *text)
{
	json_object_set_new(o, key, text ? json_string(text) : json_null());
}

static json_t *night_json(const struct history_night *n)
{
	json_t *o = json_object();

	put(o, "run", n->uuid);
	json_object_set_new(o, "begun_ns", json_integer(n->begun));
	put(o, "label", n->label);
	put(o, "build", n->build);
	put(o, "changed", n->changed);
	json_object_set_new(o, "gate", json_boolean(n->gate));
	put(o, "reference", n->reference);
	return o;
}

static json_t *point_json(const struct history_point *p)
{
	json_t *o = json_object();

	json_object_set_new(o, "value", number(p->value));
	json_object_set_new(o, "ratio", number(p->ratio));
	json_object_set_new(o, "confirm", number(p->confirm));
	json_object_set_new(o, "confirm_p", number(p->confirm_p));
	json_object_set_new(o, "ok", json_integer(p->ok));
	json_object_set_new(o, "failed", json_integer(p->failed));
	return o;
}

static json_t *change_json(const struct history *h, const struct history_change *c)
{
	json_t *o = json_object(), *set = json_array();
	size_t i;

	json_object_set_new(o, "night", json_integer((json_int_t)c->c.at));
	json_object_set_new(o, "found", json_integer((json_int_t)c->c.found));
	for (i = c->c.set_lo; i <= c->c.set_hi && i < h->nnights; i++)
		json_array_append_new(set, json_string(h->nights[i].uuid));
	json_object_set_new(o, "set", set);
	json_object_set_new(o, "z", number(c->c.z));
	json_object_set_new(o, "step", number(c->c.step));
	json_object_set_new(o, "ratio", number(c->ratio));
	json_object_set_new(o, "confirmed", json_boolean(c->confirmed));
	json_object_set_new(o, "withdrawn", json_boolean(c->c.withdrawn && !c->confirmed));
	json_object_set_new(o, "by_reference", json_boolean(c->by_reference));
	put(o, "direction", c->better ? "better" : "worse");
	json_object_set_new(o, "surroundings_changed", json_boolean(c->surroundings));
	return o;
}

static json_t *series_json(const struct history *h, const struct history_series *s)
{
	json_t *o = json_object(), *points = json_array(), *changes = json_array(), *drift;
	size_t i;

	put(o, "cell", s->cell);
	put(o, "label", s->label);
	put(o, "workload", s->workload);
	put(o, "metric", s->metric->id);
	put(o, "judged_by", s->by_ratio ? "ratio to the reference build" : "value");
	for (i = 0; i < h->nnights; i++)
		json_array_append_new(points, point_json(&s->points[i]));
	for (i = 0; i < s->nchanges; i++)
		json_array_append_new(changes, change_json(h, &s->changes[i]));
	json_object_set_new(o, "points", points);
	json_object_set_new(o, "changes", changes);
	json_object_set_new(o, "sd", number(s->sd));
	json_object_set_new(o, "rho", number(s->rho));
	drift = json_pack("{s:I, s:I, s:o, s:o, s:b}", "anchor_first", (json_int_t)s->anchor_lo,
			  "anchor_end", (json_int_t)s->anchor_hi, "p", number(s->drift_p), "step",
			  number(s->drift_step), "found", s->drifts);
	json_object_set_new(o, "drift", drift);
	put(o, "unsaid", s->unsaid);
	return o;
}

json_t *history_json(const struct history *h)
{
	json_t *o = json_object(), *nights = json_array(), *series = json_array(),
	       *gaps = json_array();
	size_t i;

	put(o, "profile", h->profile);
	put(o, "host", h->host_id);
	for (i = 0; i < h->nnights; i++)
		json_array_append_new(nights, night_json(&h->nights[i]));
	for (i = 0; i < h->nseries; i++)
		json_array_append_new(series, series_json(h, &h->series[i]));
	for (i = 0; i < h->ngaps; i++)
		json_array_append_new(gaps, json_pack("{s:I, s:I}", "after_night",
						      (json_int_t)h->gaps[i].after, "missing",
						      (json_int_t)h->gaps[i].missing));
	json_object_set_new(o, "nights", nights);
	json_object_set_new(o, "series", series);
	json_object_set_new(o, "gaps", gaps);
	json_object_set_new(o, "nightly", json_boolean(h->nightly));
	put(o, "unsaid", h->unsaid);
	return o;
}
