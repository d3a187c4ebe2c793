// SPDX-License-Identifier: GPL-2.0-or-later
/* What documented practice says of a tuning: the audit of a configuration, which rules advise which
 * value, and values that are never tried since they would break a rule of safety. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tune/tune.h"
#include "tuner/audit.h"
#include "vm/read.h"

/* --- the audit --- */

static void put_broken(json_t *list, const struct audited *a)
{
	for (size_t i = 0; i < a->findings.n; i++) {
		const struct finding *f = &a->findings.list[i];

		if (f->state != RULE_BROKEN)
			continue;
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s?}", "id", a->rule->id,
					"weight", rule_weight_name(a->rule->weight), "title",
					a->text ? a->text->title : "", "found", f->found, "want",
					f->want, "key", a->rule->key));
		return;
	}
}

static json_t *audit_pack(const struct audit *a)
{
	json_t *broken = json_array();

	for (int w = RULE_MUST; w <= RULE_MAY; w++)
		for (size_t i = 0; i < a->n; i++)
			if (a->list[i].state == RULE_BROKEN &&
			    a->list[i].rule->weight == (enum rule_weight)w)
				put_broken(broken, &a->list[i]);
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:o}", "followed",
			 (int)a->count[RULE_FOLLOWED], "broken", (int)a->count[RULE_BROKEN],
			 "not_applicable", (int)a->count[RULE_NOT_APPLICABLE], "cant_tell",
			 (int)a->count[RULE_CANT_TELL], "must", (int)a->broken_must, "should",
			 (int)a->broken_should, "may", (int)a->broken_may, "rules", broken);
}

int tune_audit(const struct profile *p, const char *snapshot, json_t **out, struct err *e)
{
	struct snapshot *host = NULL;
	struct audit a = {0};
	struct vm *vm = NULL;
	int rc = snapshot ? snapshot_load(snapshot, &host, e) : snapshot_take(&host, e);

	*out = NULL;
	if (!rc)
		rc = vm_read_cell(p, &p->cells[0], &vm, e);
	if (!rc) {
		struct subject s = {.vm = vm, .host = host, .here = true};

		rc = audit_run(&s, "all", &a, e);
		if (!rc)
			*out = audit_pack(&a);
		audit_free(&a);
	}
	vm_free(vm);
	snapshot_free(host);
	return rc;
}

/* --- which rule advises what --- */

/* Of one axis: {"value": ["BLK-05", ...]}. */
static void advise_axis(json_t *state, json_t *axis, const struct subject *s)
{
	const char *key = tune_str(axis, "key");
	json_t *advice = json_object();
	const struct rule_row *r;

	for (size_t i = 0; (r = rule_at(i)) != NULL; i++) {
		const char *good = r->good;
		struct err why = {0};
		char buf[200] = "", *c;
		json_t *ids;

		if (!r->key || strcmp(r->key, key))
			continue;
		if (r->advise && r->advise(s, buf, sizeof(buf)))
			good = buf;
		c = good ? tune_canonical(state, key, good, &why) : NULL;
		if (c) {
			ids = json_object_get(advice, c);
			if (!ids)
				json_object_set_new(advice, c, ids = json_array());
			json_array_append_new(ids, json_string(r->id));
		}
		free(c);
	}
	json_object_set_new(axis, "advice", advice);
}

void tune_advise(json_t *state, const struct subject *s)
{
	json_t *axis;
	size_t i;

	json_array_foreach(json_object_get(state, "axes"), i, axis) advise_axis(state, axis, s);
}

/* --- what must not be --- */

static bool breaks(const struct rule_row *r, const struct vm *vm, const struct snapshot *host)
{
	struct subject s = {.vm = vm, .host = host, .here = true};
	struct findings f = {0};
	bool broken = false;

	r->check(&s, &f);
	for (size_t i = 0; i < f.n; i++)
		broken |= f.list[i].state == RULE_BROKEN;
	findings_free(&f);
	return broken;
}

const char *tune_breaks(const struct vm *now, const struct vm *start, const struct snapshot *host)
{
	const struct rule_row *r;

	for (size_t i = 0; (r = rule_at(i)) != NULL; i++)
		if (r->weight == RULE_MUST && breaks(r, now, host) && !breaks(r, start, host))
			return r->id;
	return NULL;
}

/* The start with this one value; NULL: there is no such cell by itself. */
static struct vm *with_value(const json_t *state, size_t axis, const char *value)
{
	const char **values =
		xcalloc(json_array_size(json_object_get(state, "axes")) + 1, sizeof(*values));
	struct profile *p = NULL;
	struct vm *vm = NULL;
	struct err e = {0};

	values[axis] = value;
	if (!tune_one_cell(state, values, &p, &e) && vm_read_cell(p, &p->cells[0], &vm, &e))
		vm = NULL;
	profile_free(p);
	free(values);
	return vm;
}

static void bar_value(json_t *state, const json_t *axis, const char *value, const char *id)
{
	const struct rule_text *t = rule_text(id);

	json_array_append_new(json_object_get(state, "left_out"),
			      json_pack("{s:s, s:s, s:o}", "key", tune_str(axis, "key"), "value",
					value, "why",
					json_sprintf("breaks %s, which is safety and not speed: %s",
						     id, t ? t->title : "")));
}

void tune_bar(json_t *state, const struct subject *s)
{
	json_t *axis;
	size_t i;

	json_array_foreach(json_object_get(state, "axes"), i, axis)
	{
		json_t *values = json_object_get(axis, "values");

		for (size_t k = json_array_size(values); k-- > 1;) {
			const char *value = json_string_value(json_array_get(values, k));
			struct vm *vm = with_value(state, i, value);
			const char *id = vm ? tune_breaks(vm, s->vm, s->host) : NULL;

			vm_free(vm);
			if (!id)
				continue;
			bar_value(state, axis, value, id);
			json_array_remove(values, k);
		}
	}
}
