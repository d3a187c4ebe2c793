// SPDX-License-Identifier: GPL-2.0-or-later
/* What documented practice adds to the space: values that rules advise, as far as the space has
 * room. */
#include <stdlib.h>
#include <string.h>
#include "apply/apply.h"
#include "host/snapshot.h"
#include "tune/space.h"
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
/* Of the whole host, so with consent only. */
static const char *const host_keys[] = {
	"knob.halt-poll-ns", "knob.thp", "knob.numa-balancing",
	"knob.governor",     "knob.ksm", "knob.swappiness",
};

static size_t combinations(const json_t *state)
{
	size_t n = 1, i;
	json_t *a;

	json_array_foreach(json_object_get(state, "axes"), i, a) n *= space_size(a);
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
			char *c = tune_canonical(state, key, v, &why);

			if (c)
				space_add(state, axis, c);
			else
				space_left_out(state, key, v, why.text);
			free(c);
		}
		from = tune_str(axis, "from");
		json_object_set_new(axis, "from",
				    json_sprintf("%s%s%s", from, *from ? ", " : "", r->id));
	}
	if (space_size(axis) > 1)
		return axis;
	json_decref(axis);
	return NULL;
}

/*
 * A key that means nothing where the start is, but does with another bus of the space: an IDE disk
 * has no ring. Its value there, without anybody's word, comes first.
 */
static json_t *other_bus_axis(const json_t *state, const struct subject *s, const char *key)
{
	const json_t *bus = space_axis(state, "disk.bus");
	json_t *axis = NULL;

	for (size_t k = 1; bus && !axis && k < space_size(bus); k++) {
		json_t *there = json_deep_copy(state);
		struct profile *p = NULL;
		struct err e = {0};
		char *now;

		json_object_set_new(space_axis(there, "disk.bus"), "values",
				    json_pack("[s]", space_at(bus, k)));
		now = tune_one_cell(there, NULL, &p, &e) ? NULL : tune_value(&p->cells[0], key);
		if (now)
			axis = rule_axis(there, s, key, now);
		free(now);
		profile_free(p);
		json_decref(there);
	}
	return axis;
}

/* Adds an axis unless that makes too many cells. now: NULL where the start has no such key. */
static void add_rule_axis(json_t *state, const struct subject *s, const char *key, const char *now)
{
	json_t *axis = now ? rule_axis(state, s, key, now) : other_bus_axis(state, s, key);

	if (!axis)
		return;
	if (combinations(state) * space_size(axis) <= RULE_COMBINATIONS)
		json_array_append(json_object_get(state, "axes"), axis);
	else
		space_left_out(
			state, key, NULL,
			"the space is large enough; ask for it with --space, or --fix another");
	json_decref(axis);
}

static void rule_axes(json_t *state, const struct subject *s, const struct profile *start,
		      const struct tune_opts *o)
{
	for (size_t i = 0; i < sizeof(rule_keys) / sizeof(*rule_keys); i++) {
		char *now = tune_value(&start->cells[0], rule_keys[i]);

		if (!space_axis(state, rule_keys[i]) && !space_is_fixed(o, rule_keys[i]))
			add_rule_axis(state, s, rule_keys[i], now);
		free(now);
	}
}

bool tune_may_change_host(const struct tune_opts *o)
{
	for (size_t i = 0; i < o->nconsents; i++)
		if (!strcmp(o->consents[i], "host"))
			return true;
	return false;
}

/* What is in force already is no other value than "keep". */
static void drop_in_force(json_t *state, json_t *axis, const char *in_force)
{
	json_t *values = json_object_get(axis, "values");

	for (size_t k = json_array_size(values); k-- > 1;) {
		const char *v = json_string_value(json_array_get(values, k));

		if (strcmp(v, in_force))
			continue;
		space_left_out(state, space_key(axis), v, "is in force on this host already");
		json_array_remove(values, k);
	}
}

/* Settings of the whole host, as far as it has them, and only where the start leaves them alone. */
static void host_axes(json_t *state, const struct subject *s, const struct profile *start,
		      const struct tune_opts *o)
{
	for (size_t i = 0; i < sizeof(host_keys) / sizeof(*host_keys); i++) {
		const char *key = host_keys[i];
		char *now = tune_value(&start->cells[0], key), *in_force = NULL;
		bool try = now && !strcmp(now, "keep") && !space_axis(state, key) &&
			   !space_is_fixed(o, key);
		struct err why = {0};
		json_t *axis;

		if (try && o->snapshot) {
			space_left_out(state, key, NULL,
				       "a setting of the machine in --snapshot, not of this one");
		} else if (try && !tune_may_change_host(o)) {
			space_left_out(state, key, NULL,
				       "changes the whole host; --consent host lets it be tried");
		} else if (try && changes_knob_read(key + strlen("knob."), &in_force, &why)) {
			space_left_out(state, key, NULL, "this host has no such setting");
		} else if (try && (axis = rule_axis(state, s, key, now))) {
			drop_in_force(state, axis, in_force);
			if (space_size(axis) > 1 &&
			    combinations(state) * space_size(axis) <= RULE_COMBINATIONS)
				json_array_append(json_object_get(state, "axes"), axis);
			else if (space_size(axis) > 1)
				space_left_out(
					state, key, NULL,
					"the space is large enough; ask for it with --space");
			json_decref(axis);
		}
		free(in_force);
		free(now);
	}
}

/* What rules add to the space, and what they take out of it. */
int space_by_practice(json_t *state, const struct profile *start, const struct tune_opts *o,
		      struct err *e)
{
	struct subject s = {.here = true};
	struct snapshot *host = NULL;
	struct vm *vm = NULL;
	int rc = o->snapshot ? snapshot_load(o->snapshot, &host, e) : snapshot_take(&host, e);

	if (!rc)
		rc = vm_read_cell(start, &start->cells[0], &vm, e);
	if (!rc) {
		s.host = host;
		s.vm = vm;
		if (!o->no_rules) {
			rule_axes(state, &s, start, o);
			host_axes(state, &s, start, o);
		}
		tune_bar(state, &s);
		tune_advise(state, &s);
	}
	vm_free(vm);
	snapshot_free(host);
	return rc;
}
