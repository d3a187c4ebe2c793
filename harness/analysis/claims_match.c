/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which profiles, cells and workloads a published figure is about. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/claims.h"

#define COVERAGE "l2-coverage"

bool claim_wanted(const struct claim *c, const char *profile)
{
	const char *p = c->profiles;

	while (profile && *p) {
		size_t n = strcspn(p, " ");

		if (!strncmp(profile, p, n))
			return true;
		p += n + strspn(p + n, " ");
	}
	return false;
}

/* One "KEY=VALUES" of a pattern, which lives as long as it. */
struct word {
	const char *key, *values;
	size_t nkey, nvalues;
};

static bool word_next(const char **pattern, struct word *w)
{
	const char *p = *pattern + strspn(*pattern, " ");

	if (!*p)
		return false;
	w->key = p;
	w->nkey = strcspn(p, "=");
	w->values = p + w->nkey + 1;
	w->nvalues = strcspn(w->values, " ");
	*pattern = w->values + w->nvalues;
	return true;
}

static double number_of(const struct model_cell *c, const char *key)
{
	const char *v = cell_value(c, key);
	char *end;
	double x = v ? strtod(v, &end) : NAN;

	return v && end != v && !*end && x > 0 ? x : NAN;
}

/*
 * Share of the image, in %, whose L2 tables the cache can hold: entries have 8 bytes a cluster, 16
 * with subclusters [QEMU, docs/qcow2-cache.txt]. "auto" is no number. Into buf; NULL: not told.
 */
static const char *coverage(const struct model_cell *c, char *buf, size_t size)
{
	const char *sub = cell_value(c, "disk.extended-l2");
	double entry = sub && !strcmp(sub, "on") ? 16 : 8;
	double share = 100 * number_of(c, "disk.l2-cache-size") *
		       number_of(c, "disk.cluster-size") / entry / number_of(c, "disk.size");

	if (!isfinite(share) || share > 1e6)
		return NULL;
	snprintf(buf, size, "%.0f", share > 100 ? 100 : share);
	return buf;
}

static bool in_values(const struct word *w, const char *v)
{
	const char *p = w->values, *end = p + w->nvalues;

	if (!v)
		v = "-";
	while (p < end) {
		size_t n = strcspn(p, "| ");

		if (strlen(v) == n && !memcmp(p, v, n))
			return true;
		p += n + (p + n < end);
	}
	return false;
}

bool claim_cell(const char *pattern, const struct model_cell *c)
{
	struct word w;
	char key[64], buf[32];

	while (pattern && word_next(&pattern, &w)) {
		snprintf(key, sizeof(key), "%.*s", (int)w.nkey, w.key);
		if (!in_values(&w, !strcmp(key, COVERAGE) ? coverage(c, buf, sizeof(buf))
							  : cell_value(c, key)))
			return false;
	}
	return true;
}

/* What a pattern says of a key; false: nothing. */
static bool says(const char *pattern, const char *key, struct word *w)
{
	bool cache = !strcmp(key, "disk.l2-cache-size");

	while (pattern && word_next(&pattern, w)) {
		if (strlen(key) == w->nkey && !memcmp(w->key, key, w->nkey))
			return true;
		if (cache && !strncmp(w->key, COVERAGE "=", sizeof(COVERAGE)))
			return true;
	}
	return false;
}

/* A key in which the two sides of a claim differ on purpose: not if both name the same values. */
static bool named(const struct claim *c, const char *key)
{
	struct word a, b;
	bool in_a = says(c->a, key, &a), in_b = says(c->b, key, &b);

	if (in_a && in_b)
		return a.nvalues != b.nvalues || memcmp(a.values, b.values, a.nvalues);
	return in_a || in_b;
}

/* Of keys handed through to QEMU absent means not set, which is a value. */
static bool passed_through(const char *key)
{
	return !strncmp(key, "disk.blockdev.", 14);
}

bool claim_pair(const struct claim *c, const struct model_cell *a, const struct model_cell *b)
{
	const char *key;
	json_t *v;

	json_object_foreach(a->keys, key, v)
	{
		json_t *other = json_object_get(b->keys, key);
		bool both = json_is_string(v) && json_is_string(other);

		if (named(c, key))
			continue;
		if (both ? !json_equal(v, other) : passed_through(key))
			return false;
	}
	json_object_foreach(b->keys, key, v)
	{
		if (passed_through(key) && !json_object_get(a->keys, key))
			return false;
	}
	return true;
}

char *claim_where(const struct claim *c, const struct model_cell *a)
{
	static const char *const host[] = {"disk.driver", "disk.server", "disk.serves"};
	static const char *const guest[] = {"disk.bus", "disk.backend", "disk.server",
					    "disk.serves"};
	bool on_host = cell_value_is(a, "guest.site", "host");
	bool vhost = on_host || cell_value_is(a, "disk.backend", "vhost-user");
	char *s = NULL;

	text_add(&s, on_host ? "host" : "guest");
	for (size_t i = 0; i < (on_host ? 3 : vhost ? 4 : 2); i++) {
		const char *key = on_host ? host[i] : guest[i], *v = cell_value(a, key);

		if (v && !named(c, key))
			text_add(&s, ", %s", v);
	}
	return s;
}

static const char *work_text(const json_t *keys, const char *key, char *buf, size_t size)
{
	return json_text(json_object_get(keys, key), buf, size);
}

static unsigned long work_number(const json_t *keys, const char *key, unsigned long otherwise)
{
	char buf[32];
	const char *v = work_text(keys, key, buf, sizeof(buf));

	return v ? strtoul(v, NULL, 10) : otherwise;
}

static bool is_text(const json_t *keys, const char *key, const char *value)
{
	char buf[32];
	const char *v = work_text(keys, key, buf, sizeof(buf));

	return v && !strcmp(v, value);
}

bool claim_workload(const struct claim_work *want, const json_t *keys)
{
	char buf[32];
	const char *rw = work_text(keys, "workload.rw", buf, sizeof(buf));
	unsigned long bs = work_number(keys, "workload.bs", 0);
	unsigned long depth = work_number(keys, "workload.iodepth", 1);

	if (want->rw && (!rw || strcmp(rw, want->rw)))
		return false;
	if (bs < want->min_bs || (want->max_bs && bs > want->max_bs))
		return false;
	if ((want->depth && depth != want->depth) || depth < want->min_depth)
		return false;
	if (want->max_depth && depth > want->max_depth)
		return false;
	if (want->engine && !is_text(keys, "workload.ioengine", want->engine))
		return false;
	if (want->jobs && work_number(keys, "workload.numjobs", 1) != want->jobs)
		return false;
	/* fio's own default is an equal mix */
	return !want->reads || work_number(keys, "workload.fio.rwmixread", 50) == want->reads;
}

const char *claim_pass(const json_t *keys, const struct model_cell *c)
{
	switch (cell_pass(json_string_value(json_object_get(keys, "workload.precondition")), c)) {
	case PASS_FIRST_WRITE:
		return "first-write";
	case PASS_STEADY:
		return "steady";
	default:
		return NULL;
	}
}
