// SPDX-License-Identifier: GPL-2.0-or-later
/* A comparison as JSON. */
#include <math.h>
#include <stdlib.h>
#include "compare/compare.h"

static json_t *num(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

/* What is not UTF-8 becomes '?': stores may come from elsewhere. */
static json_t *text(const char *s)
{
	json_t *v = s ? json_string(s) : json_null();
	char *copy;

	if (v)
		return v;
	copy = xstrdup(s);
	for (char *p = copy; *p; p++)
		*p = *p & 0x80 ? '?' : *p;
	v = json_string(copy);
	free(copy);
	return v;
}

static json_t *interval(const struct interval *i)
{
	return json_pack("{s:o, s:o, s:o}", "mid", num(i->mid), "lo", num(i->lo), "hi", num(i->hi));
}

static json_t *runs(const struct compare_run *r, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, text(r[i].row.uuid));
	return a;
}

static json_t *side(const struct compare_side *s)
{
	return json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:I, s:i, s:b}", "name", text(s->name),
			 "label", s->label, "runs", runs(s->runs, s->nruns), "comparable",
			 runs(s->history, s->nhistory), "profile",
			 text(s->runs[0].row.profile_name), "host", text(s->runs[0].row.host_id),
			 "begun_ns", (json_int_t)s->runs[0].row.begun, "blocks",
			 (int)s->runs[0].model->blocks_done, "mixed", s->mixed);
}

static const char *how_word(enum compare_how how)
{
	return how == HOW_EXACT	    ? "exact"
	       : how == HOW_HISTORY ? "history"
	       : how == HOW_WELCH   ? "welch"
				    : NULL;
}

static json_t *row(const struct compare *c, const struct compare_row *r)
{
	json_t *o =
		json_pack("{s:o, s:o, s:o, s:o, s:s, s:s}", "cell", text(r->label), "a_id",
			  text(c->a.runs[0].model->cells[r->a].id), "b_id",
			  text(c->b.runs[0].model->cells[r->b].id), "workload", text(r->workload),
			  "metric", r->metric->id, "verdict", verdict_word(r->verdict));

	json_object_set_new(o, "a", interval(&r->abs_a));
	json_object_set_new(o, "b", interval(&r->abs_b));
	json_object_set_new(o, "change", num(r->change));
	json_object_set_new(o, "judged", interval(&r->judged));
	json_object_set_new(o, "how", text(how_word(r->how)));
	json_object_set_new(o, "runs_a", json_integer((json_int_t)r->na));
	json_object_set_new(o, "runs_b", json_integer((json_int_t)r->nb));
	json_object_set_new(o, "sd_run", num(r->sd_run));
	json_object_set_new(o, "p", num(r->p));
	json_object_set_new(o, "why", text(r->why));
	return o;
}

json_t *compare_json(const struct compare *c)
{
	json_t *diffs = json_array(), *rows = json_array(), *alone = json_array(),
	       *warn = json_array();
	json_t *keys = json_array();

	for (size_t i = 0; i < c->ndiffs; i++) {
		const struct compare_diff *d = &c->diffs[i];

		json_array_append_new(diffs, json_pack("{s:o, s:o, s:o, s:o, s:i}", "group",
						       text(d->group), "name", text(d->name), "a",
						       text(d->a), "b", text(d->b), "cells",
						       (int)d->cells));
	}
	for (size_t i = 0; i < c->nkeys; i++)
		json_array_append_new(keys,
				      json_pack("{s:o, s:o, s:o}", "key", text(c->keys[i]), "a",
						text(c->key_a[i]), "b", text(c->key_b[i])));
	for (size_t i = 0; i < c->nrows; i++)
		json_array_append_new(rows, row(c, &c->rows[i]));
	for (size_t i = 0; i < c->nalone; i++)
		json_array_append_new(alone, json_pack("{s:s, s:s, s:o, s:o}", "side",
						       c->alone[i].of_b ? "b" : "a", "what",
						       c->alone[i].workload ? "workload" : "cell",
						       "label", text(c->alone[i].label), "why",
						       text(c->alone[i].why)));
	for (size_t i = 0; i < c->nwarnings; i++)
		json_array_append_new(warn, text(c->warnings[i]));
	return json_pack("{s:o, s:o, s:b, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "a", side(&c->a),
			 "b", side(&c->b), "same_host", !c->other_host, "differs", diffs, "same",
			 (json_int_t)c->nsame, "keys", keys, "rows", rows, "only", alone,
			 "warnings", warn, "command", text(c->command));
}
