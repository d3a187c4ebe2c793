// SPDX-License-Identifier: GPL-2.0-or-later
/* The space: the profile's own axes, what is asked for, and what rules advise; safety is not in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include "tune/space.h"

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

const char *space_key(const json_t *axis)
{
	return tune_str(axis, "key");
}

const char *space_at(const json_t *axis, size_t i)
{
	return json_string_value(json_array_get(json_object_get(axis, "values"), i));
}

size_t space_size(const json_t *axis)
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
		xasprintf("%s=%s", space_key(a), values && values[i] ? values[i] : space_at(a, 0));
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
		made[i] = xasprintf("%s=%s", space_key(a), space_at(a, 0));
		for (k = 1; k < space_size(a); k++) {
			char *longer = xasprintf("%s, %s", made[i], space_at(a, k));

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

void space_left_out(json_t *state, const char *key, const char *value, const char *why)
{
	json_array_append_new(
		json_object_get(state, "left_out"),
		json_pack("{s:s, s:s?, s:s}", "key", key, "value", value, "why", why));
}

/* What the guest is for and how it is measured, not how it is set up: what does less is faster. */
static const char *const not_settings[] = {
	"guest.site",
	"guest.count",
	"guest.overcommit",
	"guest.arm",
	"guest.start",
	"disk.count",
	"disk.size",
	"disk.content",
	"disk.precondition",
	"disk.driver",
	"disk.throttle-iops",
	"disk.throttle-bps",
	"disk.throttle-iops-max",
	"disk.throttle-bps-max",
	"disk.throttle-burst",
};

static bool is_setting(const char *key)
{
	for (size_t i = 0; i < sizeof(not_settings) / sizeof(*not_settings); i++)
		if (!strcmp(key, not_settings[i]))
			return false;
	return true;
}

static bool on_tmpfs(const char *dir)
{
	struct statfs fs;

	return dir && *dir == '/' && !statfs(dir, &fs) && fs.f_type == TMPFS_MAGIC;
}

static const char forgetful[] = "keeps nothing of what is written, which the start does";

/* A back end that keeps nothing of what is written, or loses it with the host. */
static bool forgets(const char *key, const char *value)
{
	if (!strcmp(key, "disk.backend"))
		return !strcmp(value, "null");
	if (!strcmp(key, "disk.serves"))
		return !strcmp(value, "null") || !strcmp(value, "memory");
	if (!strcmp(key, "disk.nbdkit"))
		return !strncmp(value, "memory", 6) || !strncmp(value, "null", 4);
	return !strcmp(key, "disk.dir") && on_tmpfs(value);
}

/*
 * Why a value is not tried although it may be faster. Safety is not traded: what the start promises
 * after a flush, or after each write, every cell promises (qemu(1), cache modes).
 */
static const char *unsafe(const char *key, const char *value, const char *start)
{
	bool each = start && (!strcmp(start, "writethrough") || !strcmp(start, "directsync"));

	if (!is_setting(key))
		return "says what is measured, and is no setting by which it could be better; run one "
		       "tuning for each";
	if (start && forgets(key, value) && !forgets(key, start))
		return forgetful;
	if (!strcmp(key, "disk.blockdev.cache.no-flush"))
		return "drops the guest's flushes: safety is not traded for speed";
	if (!strcmp(key, "guest.sandbox") && strcmp(value, "on") && start && !strcmp(start, "on"))
		return "takes QEMU's sandbox away: safety is not traded for speed";
	if (!strcmp(key, "disk.format") && start && !strcmp(start, "luks"))
		return "the start is encrypted; this would not be";
	if (strcmp(key, "disk.cache"))
		return NULL;
	if (!strcmp(value, "unsafe"))
		return "drops the guest's flushes: safety is not traded for speed";
	if (each && strcmp(value, "writethrough") && strcmp(value, "directsync"))
		return "the start has each write on the disk before it is answered; this would not";
	return NULL;
}

json_t *space_axis(const json_t *state, const char *key)
{
	size_t i;
	json_t *a;

	json_array_foreach(json_object_get(state, "axes"), i,
			   a) if (!strcmp(space_key(a), key)) return a;
	return NULL;
}

static bool has_value(const json_t *axis, const char *value)
{
	for (size_t i = 0; i < space_size(axis); i++)
		if (!strcmp(space_at(axis, i), value))
			return true;
	return false;
}

bool space_is_fixed(const struct tune_opts *o, const char *key)
{
	for (size_t i = 0; i < o->nfixed; i++)
		if (!strcmp(o->fixed[i], key) ||
		    (strchr(key, '.') && !strcmp(o->fixed[i], strchr(key, '.') + 1)))
			return true;
	return false;
}

char *tune_canonical(const json_t *state, const char *key, const char *value, struct err *why)
{
	json_t *copy = json_deep_copy(state);
	json_t *axes = json_object_get(copy, "axes");
	struct profile *p = NULL;
	char *out = NULL;

	for (size_t i = json_array_size(axes); i-- > 0;)
		if (!strcmp(space_key(json_array_get(axes, i)), key))
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
void space_add(json_t *state, json_t *axis, const char *value)
{
	const char *why = unsafe(space_key(axis), value, space_at(axis, 0));

	if (has_value(axis, value))
		return;
	if (why)
		space_left_out(state, space_key(axis), value, why);
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
		for (size_t k = 1; k < a->nvalues && !space_is_fixed(o, a->key); k++) {
			v = spelt(a->row, a->values[k]);
			space_add(state, axis, v);
			free(v);
		}
		json_decref(axis);
	}
}

/* "disk.ring=split,packed"; the start's value comes first, whether it is named or not. */
static int asked_axis(json_t *state, const struct cell *start, const char *text, bool host,
		      struct err *e)
{
	size_t n = strcspn(text, "=");
	char *key = strndup(text, n), *values, *save = NULL, *now = tune_value(start, key);
	json_t *axis = space_axis(state, key);
	struct err why = {0};
	int rc = 0;

	if (!text[n] || !strchr(key, '.'))
		rc = err_input(e,
			       "--space %s: write KEY=VALUE,VALUE, for instance "
			       "disk.ring=split,packed",
			       text);
	else if (!strncmp(key, "knob.", 5) && !host)
		rc = err_input(
			e,
			"--space %s changes a setting of the whole host while trials run, and "
			"puts it back: say --consent host",
			key);
	if (rc) {
		free(key);
		free(now);
		return rc;
	}
	values = xstrdup(text + n + 1);
	if (!axis) {
		axis = json_pack("{s:s, s:[], s:s}", "key", key, "values", "from", "--space");
		if (now)
			json_array_append_new(json_object_get(axis, "values"), json_string(now));
		json_array_append_new(json_object_get(state, "axes"), axis);
	}
	for (char *v = strtok_r(values, ", ", &save); v && !rc; v = strtok_r(NULL, ", ", &save)) {
		char *c = tune_canonical(state, key, v, &why);

		/* the value may have a sense with others only: what cannot be is skipped later */
		if (!c && why.rc == -EINVAL && !now)
			rc = err_input(e, "--space %s: %s", key, why.text);
		else if (!c && strstr(why.text, "no key"))
			rc = err_input(e, "--space %s: %s", key, why.text);
		else
			space_add(state, axis, c ? c : v);
		free(c);
	}
	free(values);
	free(key);
	free(now);
	return rc;
}

/* Axes of one value do not vary, but must be said where the profile has a list. */
static size_t varying(const json_t *state)
{
	size_t n = 0, i;
	json_t *a;

	json_array_foreach(json_object_get(state, "axes"), i, a) n += space_size(a) > 1;
	return n;
}

/* With what is behind it where nothing else is said: a server that has null or memory. */
static bool ends_nowhere(const json_t *state, size_t axis, const char *value)
{
	const char **values = xcalloc(json_array_size(json_object_get(state, "axes")) + 1,
				      sizeof(*values)),
		   *serves, *nbdkit;
	struct profile *p = NULL;
	struct err e = {0};
	bool nowhere = false;

	values[axis] = value;
	if (!tune_one_cell(state, values, &p, &e)) {
		serves = cell_get(&p->cells[0], K_SERVES);
		nbdkit = cell_get(&p->cells[0], K_NBDKIT);
		nowhere = forgets("disk.backend", value) ||
			  (serves && forgets("disk.serves", serves)) ||
			  (nbdkit && forgets("disk.nbdkit", nbdkit));
	}
	profile_free(p);
	free(values);
	return nowhere;
}

static void bar_back_ends(json_t *state)
{
	json_t *a;
	size_t i;

	json_array_foreach(json_object_get(state, "axes"), i, a)
	{
		json_t *values = json_object_get(a, "values");

		if (strcmp(space_key(a), "disk.backend") || ends_nowhere(state, i, space_at(a, 0)))
			continue;
		for (size_t k = space_size(a); k-- > 1;) {
			if (!ends_nowhere(state, i, space_at(a, k)))
				continue;
			space_left_out(state, "disk.backend", space_at(a, k), forgetful);
			json_array_remove(values, k);
		}
	}
}

/* The first of what was asked for and left out says why. */
static int nothing_to_vary(const json_t *state, const char *path, struct err *e)
{
	const json_t *x = json_array_get(json_object_get(state, "left_out"), 0);

	if (!x || !tune_str(x, "value"))
		return err_input(
			e, "%s: there is nothing to vary; name settings with --space KEY=V1,V2",
			path);
	return err_input(
		e,
		"%s: there is nothing to vary (%s=%s is not tried: %s); name settings with "
		"--space KEY=V1,V2",
		path, tune_str(x, "key"), tune_str(x, "value"), tune_str(x, "why"));
}

int tune_space(json_t *state, const struct tune_opts *o, struct err *e)
{
	const char *text = tune_str(state, "text");
	struct profile *p = NULL, *start = NULL, *all = NULL;
	json_t *audit = NULL;
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
		rc = asked_axis(state, &start->cells[0], o->spaces[i], tune_may_change_host(o), e);
	if (!rc) {
		bar_back_ends(state);
		rc = space_by_practice(state, start, o, e);
	}
	if (!rc && !varying(state))
		rc = nothing_to_vary(state, p->path, e);
	profile_free(start);
	start = NULL;
	if (!rc)
		rc = tune_one_cell(state, NULL, &start, e);
	if (!rc && !tune_audit(start, o->snapshot, &audit, e))
		json_object_set_new(state, "audit", audit);
	if (!rc)
		rc = tune_search_profile(state, &all, e);
	if (!rc) {
		json_object_set_new(state, "skipped", skipped_json(all->skipped, all->nskipped));
		json_object_set_new(state, "cells", json_integer((json_int_t)all->ncells));
		json_object_set_new(state, "start", json_string(start->cells[0].id));
	}
	profile_free(p);
	profile_free(start);
	profile_free(all);
	return rc;
}
