// SPDX-License-Identifier: GPL-2.0-or-later
/* The space: the profile's own axes, what is asked for, and what rules advise; safety is not in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "host/snapshot.h"
#include "tune/tune.h"
#include "tuner/rule.h"
#include "vm/read.h"

/* Of rules, axes are taken up to so many combinations, in this order; others are named. */
#define RULE_COMBINATIONS 768
static const char *const rule_keys[] = {
	"disk.bus",	    "disk.ring",	  "disk.aio",
	"disk.cache",	    "disk.iothread",	  "disk.queues",
	"guest.pin",	    "guest.pages",	  "disk.poll-max",
	"disk.mode",	    "disk.l2-cache-size", "disk.cluster-size",
	"disk.extended-l2", "guest.nodes",	  "disk.iothread-mapping",
	"guest.scheduler",  "disk.queue-size",
};

const char *tune_str(const json_t *state, const char *key)
{
	return json_string_value(json_object_get(state, key));
}

const char **tune_sets(const json_t *state, size_t more, size_t *n)
{
	const json_t *sets = json_object_get(state, "sets");
	const char **out = xcalloc(json_array_size(sets) + more + 1, sizeof(*out));

	for (*n = 0; *n < json_array_size(sets); (*n)++)
		out[*n] = json_string_value(json_array_get(sets, *n));
	return out;
}

/* As --set takes it: canonical times and shares have no unit. New. */
static char *spelt(const struct key_row *row, const char *canonical)
{
	char buf[64];

	if (!row || !canonical || strlen(canonical) > 31)
		return xstrdup(canonical);
	return xstrdup(key_value_text(row, canonical, buf, sizeof(buf)));
}

char *tune_value(const struct cell *c, const char *key)
{
	char name[64];

	for (size_t k = 0; k < K_COUNT; k++)
		if (!strcmp(key_full_name(&profile_keys[k], name, sizeof(name)), key))
			return spelt(&profile_keys[k], c->val[k]);
	for (size_t i = 0; i < c->nextras; i++)
		if (!strncmp(key, "disk.blockdev.", 14) && !strcmp(c->extras[i].key, key + 14))
			return xstrdup(c->extras[i].value);
	return NULL;
}

static const char *axis_key(const json_t *axis)
{
	return tune_str(axis, "key");
}

static const char *axis_at(const json_t *axis, size_t i)
{
	return json_string_value(json_array_get(json_object_get(axis, "values"), i));
}

static size_t axis_size(const json_t *axis)
{
	return json_array_size(json_object_get(axis, "values"));
}

int tune_one_cell(const json_t *state, const char *const *values, struct profile **out,
		  struct err *e)
{
	const json_t *axes = json_object_get(state, "axes"), *a;
	const char *text = tune_str(state, "text");
	size_t n, i, own = json_array_size(axes);
	const char **sets = tune_sets(state, own + 2, &n);
	char **made = xcalloc(own + 1, sizeof(*made));
	int rc;

	json_array_foreach(axes, i, a) sets[n++] = made[i] =
		xasprintf("%s=%s", axis_key(a), values && values[i] ? values[i] : axis_at(a, 0));
	sets[n++] = "run.decide=none";
	sets[n++] = "run.precision=none";
	rc = profile_parse(text, strlen(text), tune_str(state, "path"), sets, n, out, e);
	for (i = 0; i < own; i++)
		free(made[i]);
	free(made);
	free(sets);
	if (!rc && (*out)->ncells != 1) {
		profile_free(*out);
		*out = NULL;
		rc = err_input(e, "%s: a ladder cannot be tuned; give a profile without rungs",
			       tune_str(state, "path"));
	}
	return rc;
}

int tune_search_profile(const json_t *state, struct profile **out, struct err *e)
{
	const json_t *axes = json_object_get(state, "axes"), *a;
	const char *text = tune_str(state, "text");
	size_t n, i, k, own = json_array_size(axes);
	const char **sets = tune_sets(state, own + 3, &n);
	char **made = xcalloc(own + 1, sizeof(*made)), *label;
	int rc;

	json_array_foreach(axes, i, a)
	{
		made[i] = xasprintf("%s=%s", axis_key(a), axis_at(a, 0));
		for (k = 1; k < axis_size(a); k++) {
			char *longer = xasprintf("%s, %s", made[i], axis_at(a, k));

			free(made[i]);
			made[i] = longer;
		}
		sets[n++] = made[i];
	}
	label = xasprintf("run.label=%s: search", tune_str(state, "label"));
	sets[n++] = label;
	sets[n++] = "run.decide=none";
	sets[n++] = "run.precision=none";
	rc = profile_parse(text, strlen(text), tune_str(state, "path"), sets, n, out, e);
	for (i = 0; i < own; i++)
		free(made[i]);
	free(made);
	free(sets);
	free(label);
	return rc;
}

/* --- what may be in it --- */

static void left_out(json_t *state, const char *key, const char *value, const char *why)
{
	json_array_append_new(
		json_object_get(state, "left_out"),
		json_pack("{s:s, s:s?, s:s}", "key", key, "value", value, "why", why));
}

/*
 * Why a value is not tried although it may be faster. Safety is not traded: what the start promises
 * after a flush, or after each write, every cell promises (qemu(1), cache modes).
 */
static const char *unsafe(const char *key, const char *value, const char *start)
{
	bool each = start && (!strcmp(start, "writethrough") || !strcmp(start, "directsync"));

	if (!strcmp(key, "disk.blockdev.cache.no-flush"))
		return "drops the guest's flushes: safety is not traded for speed";
	if (strcmp(key, "disk.cache"))
		return NULL;
	if (!strcmp(value, "unsafe"))
		return "drops the guest's flushes: safety is not traded for speed";
	if (each && strcmp(value, "writethrough") && strcmp(value, "directsync"))
		return "the start has each write on the disk before it is answered; this would not";
	return NULL;
}

static json_t *find_axis(const json_t *state, const char *key)
{
	size_t i;
	json_t *a;

	json_array_foreach(json_object_get(state, "axes"), i,
			   a) if (!strcmp(axis_key(a), key)) return a;
	return NULL;
}

static bool has_value(const json_t *axis, const char *value)
{
	for (size_t i = 0; i < axis_size(axis); i++)
		if (!strcmp(axis_at(axis, i), value))
			return true;
	return false;
}

static bool is_fixed(const struct tune_opts *o, const char *key)
{
	for (size_t i = 0; i < o->nfixed; i++)
		if (!strcmp(o->fixed[i], key) ||
		    (strchr(key, '.') && !strcmp(o->fixed[i], strchr(key, '.') + 1)))
			return true;
	return false;
}

/* The value as the profile spells it, of the cell with it; NULL: no such value, key or cell. New.
 */
static char *canonical(const json_t *state, const char *key, const char *value, struct err *why)
{
	json_t *copy = json_deep_copy(state);
	json_t *axes = json_object_get(copy, "axes");
	struct profile *p = NULL;
	char *out = NULL;

	for (size_t i = json_array_size(axes); i-- > 0;)
		if (!strcmp(axis_key(json_array_get(axes, i)), key))
			json_array_remove(axes, i);
	json_array_append_new(axes, json_pack("{s:s, s:[s]}", "key", key, "values", value));
	if (!tune_one_cell(copy, NULL, &p, why)) {
		out = tune_value(&p->cells[0], key);
		if (!out)
			err_set(why, -ENOENT, "means nothing where the start is");
	}
	profile_free(p);
	json_decref(copy);
	return out;
}

/* Adds a value to an axis, unless it is there, or unsafe. */
static void add_value(json_t *state, json_t *axis, const char *value)
{
	const char *why = unsafe(axis_key(axis), value, axis_at(axis, 0));

	if (has_value(axis, value))
		return;
	if (why)
		left_out(state, axis_key(axis), value, why);
	else
		json_array_append_new(json_object_get(axis, "values"), json_string(value));
}

/* The profile's own: the first value is the start's. */
static void own_axes(json_t *state, const struct profile *p, const struct tune_opts *o)
{
	for (size_t i = 0; i < p->naxes; i++) {
		const struct axis *a = &p->axes[i];
		char *v = spelt(a->row, a->values[0]);
		json_t *axis = json_pack("{s:s, s:[s], s:s}", "key", a->key, "values", v, "from",
					 "the profile");

		json_array_append(json_object_get(state, "axes"), axis);
		free(v);
		for (size_t k = 1; k < a->nvalues && !is_fixed(o, a->key); k++) {
			v = spelt(a->row, a->values[k]);
			add_value(state, axis, v);
			free(v);
		}
		json_decref(axis);
	}
}

/* "disk.ring=split,packed"; the start's value comes first, whether it is named or not. */
static int asked_axis(json_t *state, const struct cell *start, const char *text, struct err *e)
{
	size_t n = strcspn(text, "=");
	char *key = strndup(text, n), *values, *save = NULL, *now = tune_value(start, key);
	json_t *axis = find_axis(state, key);
	struct err why = {0};
	int rc = 0;

	if (!text[n] || !strchr(key, '.')) {
		free(key);
		free(now);
		return err_input(e,
				 "--space %s: write KEY=VALUE,VALUE, for instance "
				 "disk.ring=split,packed",
				 text);
	}
	values = xstrdup(text + n + 1);
	if (!axis) {
		axis = json_pack("{s:s, s:[], s:s}", "key", key, "values", "from", "--space");
		if (now)
			json_array_append_new(json_object_get(axis, "values"), json_string(now));
		json_array_append_new(json_object_get(state, "axes"), axis);
	}
	for (char *v = strtok_r(values, ", ", &save); v && !rc; v = strtok_r(NULL, ", ", &save)) {
		char *c = canonical(state, key, v, &why);

		/* the value may have a sense with others only: what cannot be is skipped later */
		if (!c && why.rc == -EINVAL && !now)
			rc = err_input(e, "--space %s: %s", key, why.text);
		else if (!c && strstr(why.text, "no key"))
			rc = err_input(e, "--space %s: %s", key, why.text);
		else
			add_value(state, axis, c ? c : v);
		free(c);
	}
	free(values);
	free(key);
	free(now);
	return rc;
}

static size_t combinations(const json_t *state)
{
	size_t n = 1, i;
	json_t *a;

	json_array_foreach(json_object_get(state, "axes"), i, a) n *= axis_size(a);
	return n;
}

/* What rules say of one key for this machine, as an axis; NULL: nothing else than it is. */
static json_t *rule_axis(json_t *state, const struct subject *s, const char *key, const char *now)
{
	json_t *axis = json_pack("{s:s, s:[s], s:s}", "key", key, "values", now, "from", "");
	const struct rule_row *r;

	for (size_t i = 0; (r = rule_at(i)) != NULL; i++) {
		char buf[200] = "", all[500], *save = NULL;
		const char *good = r->good, *from;

		if (!r->key || strcmp(r->key, key))
			continue;
		if (r->advise && r->advise(s, buf, sizeof(buf)))
			good = buf;
		snprintf(all, sizeof(all), "%s,%s", good ? good : "", r->other ? r->other : "");
		for (char *v = strtok_r(all, ",", &save); v; v = strtok_r(NULL, ",", &save)) {
			struct err why = {0};
			char *c = canonical(state, key, v, &why);

			if (c)
				add_value(state, axis, c);
			else
				left_out(state, key, v, why.text);
			free(c);
		}
		from = tune_str(axis, "from");
		json_object_set_new(axis, "from",
				    json_sprintf("%s%s%s", from, *from ? ", " : "", r->id));
	}
	if (axis_size(axis) > 1)
		return axis;
	json_decref(axis);
	return NULL;
}

static int rule_axes(json_t *state, const struct profile *start, const struct tune_opts *o,
		     struct err *e)
{
	struct snapshot *host = NULL;
	struct vm *vm = NULL;
	int rc = snapshot_take(&host, e);

	if (!rc)
		rc = vm_read_cell(start, &start->cells[0], &vm, e);
	for (size_t i = 0; !rc && i < sizeof(rule_keys) / sizeof(*rule_keys); i++) {
		struct subject s = {.vm = vm, .host = host, .here = true};
		const char *key = rule_keys[i];
		char *now = tune_value(&start->cells[0], key);
		json_t *axis = NULL;

		if (now && !find_axis(state, key) && !is_fixed(o, key))
			axis = rule_axis(state, &s, key, now);
		free(now);
		if (!axis)
			continue;
		if (combinations(state) * axis_size(axis) <= RULE_COMBINATIONS)
			json_array_append(json_object_get(state, "axes"), axis);
		else
			left_out(
				state, key, NULL,
				"the space is large enough; ask for it with --space, or --fix another");
		json_decref(axis);
	}
	vm_free(vm);
	snapshot_free(host);
	return rc;
}

/* Axes of one value do not vary, but must be said where the profile has a list. */
static size_t varying(const json_t *state)
{
	size_t n = 0, i;
	json_t *a;

	json_array_foreach(json_object_get(state, "axes"), i, a) n += axis_size(a) > 1;
	return n;
}

int tune_space(json_t *state, const struct tune_opts *o, struct err *e)
{
	const char *text = tune_str(state, "text");
	struct profile *p = NULL, *start = NULL, *all = NULL;
	size_t n;
	const char **sets = tune_sets(state, 2, &n);
	int rc;

	json_object_set_new(state, "axes", json_array());
	json_object_set_new(state, "left_out", json_array());
	sets[n++] = "run.decide=none";
	sets[n++] = "run.precision=none";
	rc = profile_parse(text, strlen(text), tune_str(state, "path"), sets, n, &p, e);
	free(sets);
	if (!rc)
		own_axes(state, p, o);
	if (!rc)
		rc = tune_one_cell(state, NULL, &start, e);
	for (size_t i = 0; !rc && i < o->nspaces; i++)
		rc = asked_axis(state, &start->cells[0], o->spaces[i], e);
	if (!rc && !o->no_rules)
		rc = rule_axes(state, start, o, e);
	if (!rc && !varying(state))
		rc = err_input(e,
			       "%s: there is nothing to vary; name settings with --space KEY=V1,V2",
			       p->path);
	profile_free(start);
	start = NULL;
	if (!rc)
		rc = tune_one_cell(state, NULL, &start, e);
	if (!rc)
		rc = tune_search_profile(state, &all, e);
	if (!rc) {
		json_t *skipped = json_array();

		for (size_t i = 0; i < all->nskipped; i++)
			json_array_append_new(skipped, json_pack("{s:s, s:s, s:b}", "what",
								 all->skipped[i].what, "reason",
								 all->skipped[i].reason, "folded",
								 all->skipped[i].folded));
		json_object_set_new(state, "skipped", skipped);
		json_object_set_new(state, "cells", json_integer((json_int_t)all->ncells));
		json_object_set_new(state, "start", json_string(start->cells[0].id));
	}
	profile_free(p);
	profile_free(start);
	profile_free(all);
	return rc;
}
