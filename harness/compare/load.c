// SPDX-License-Identifier: GPL-2.0-or-later
/* The two sides: which runs they are, and which others are comparable with them. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "compare/compare.h"

void *compare_add(void *array, size_t *n, size_t size)
{
	char *a = xrealloc(array, *n + 1, size);

	memset(a + *n * size, 0, size);
	++*n;
	return a;
}

void compare_warn(struct compare *c, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->warnings = compare_add(c->warnings, &c->nwarnings, sizeof(*c->warnings));
	c->warnings[c->nwarnings - 1] = xstrdup(text);
}

static bool same(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

static void run_free(struct compare_run *r)
{
	compare_env_free(r);
	model_free(r->model);
	store_run_free(&r->row);
}

void compare_side_free(struct compare_side *s)
{
	for (size_t i = 0; i < s->nruns; i++)
		run_free(&s->runs[i]);
	for (size_t i = 0; i < s->nhistory; i++)
		run_free(&s->history[i]);
	free(s->runs);
	free(s->history);
	free(s->name);
}

static int run_load(struct store *s, const char *uuid, struct compare_run *r, struct err *e)
{
	int rc = store_run_find(s, uuid, &r->row, e);

	if (!rc)
		rc = model_make(s, uuid, &r->model, e);
	if (!rc)
		compare_env_read(r);
	return rc;
}

/* Was the name a label? "last", an id and its beginning are one run. */
static bool is_label(const char *what, const struct store_run *found)
{
	return found->label && *found->label && !strcmp(found->label, what) &&
	       strcasecmp(found->uuid, what) != 0 && strcmp(what, "last") != 0 &&
	       strncmp(what, "last~", 5) != 0;
}

static bool side_has(const struct compare_side *s, const char *uuid)
{
	for (size_t i = 0; i < s->nruns; i++)
		if (!strcmp(s->runs[i].row.uuid, uuid))
			return true;
	return false;
}

static int side_add(struct store *s, struct compare_side *side, const char *uuid, struct err *e)
{
	side->runs = compare_add(side->runs, &side->nruns, sizeof(*side->runs));
	return run_load(s, uuid, &side->runs[side->nruns - 1], e);
}

/* The newest run of a label, by preference one of that host. */
static const struct store_run *label_newest(const struct store_run *all, size_t n,
					    const char *label, const char *host)
{
	const struct store_run *first = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!same(all[i].label, label))
			continue;
		if (host && !strcmp(all[i].host_id, host))
			return &all[i];
		if (!first)
			first = &all[i];
	}
	return first;
}

/* All runs of a label that share host and profile with its newest. */
static int label_load(struct store *s, struct compare_side *side, const struct store_run *all,
		      size_t n, const char *host, struct err *e)
{
	const struct store_run *newest = label_newest(all, n, side->name, host);
	int rc = 0;

	if (!newest)
		return err_input(e, "no run has the label \"%s\" any more", side->name);
	for (size_t i = 0; i < n && !rc; i++) {
		if (!same(all[i].label, side->name))
			continue;
		if (strcmp(all[i].host_id, newest->host_id) ||
		    !same(all[i].profile_name, newest->profile_name)) {
			side->elsewhere++;
			continue;
		}
		if (side->nruns < COMPARE_READ_MAX)
			rc = side_add(s, side, all[i].uuid, e);
	}
	for (size_t i = 1; i < side->nruns && !rc; i++)
		side->mixed |= strcmp(side->runs[i].state, side->runs[0].state) != 0;
	return rc;
}

static int side_load(struct store *s, struct compare_side *side, const char *what,
		     const struct store_run *all, size_t n, const char *host, struct err *e)
{
	struct store_run found = {0};
	int rc = store_run_find(s, what, &found, e);

	side->name = xstrdup(what);
	if (!rc) {
		side->label = is_label(what, &found);
		rc = side->label ? label_load(s, side, all, n, host, e)
				 : side_add(s, side, found.uuid, e);
	}
	store_run_free(&found);
	return rc;
}

/* Do two texts of JSON objects have the same in these members? What one lacks the other must lack.
 */
static bool members_equal(const char *x, const char *y, const char *const *keys)
{
	json_t *a = json_loads(x ? x : "{}", 0, NULL), *b = json_loads(y ? y : "{}", 0, NULL);
	bool ok = true;

	for (; *keys && ok; keys++) {
		json_t *v = json_object_get(a, *keys), *w = json_object_get(b, *keys);

		ok = v && w ? json_equal(v, w) : v == w;
	}
	json_decref(a);
	json_decref(b);
	return ok;
}

/*
 * A run that may stand in for one of the side's: settled, of the same host, profile and number of
 * blocks. What is cheap to see is seen before the run is read; all else is seen from its
 * surroundings.
 */
static bool may_compare(const struct store_run *r, const struct store_run *like)
{
	static const char *const host[] = {"kernel",	  "microcode", "cmdline",
					   "mitigations", "qemu",      NULL};
	static const char *const meta[] = {"decide", "precision", NULL};

	return !strcmp(r->host_id, like->host_id) && same(r->profile_name, like->profile_name) &&
	       r->blocks == like->blocks && r->status && !strcmp(r->status, "complete") &&
	       same(r->version, like->version) &&
	       members_equal(r->host_json, like->host_json, host) &&
	       members_equal(r->meta_json, like->meta_json, meta);
}

static int history_load(struct store *s, struct compare_side *side,
			const struct compare_side *other, const struct store_run *all, size_t n,
			struct err *e)
{
	const struct compare_run *like = &side->runs[0];
	size_t reads = 0;
	int rc = 0;

	for (size_t i = 0; i < n && !rc && reads < COMPARE_READ_MAX; i++) {
		struct compare_run r = {.nenv = 0};

		if (side_has(other, all[i].uuid) || !may_compare(&all[i], &like->row))
			continue;
		reads++;
		rc = run_load(s, all[i].uuid, &r, e);
		if (rc || strcmp(r.state, like->state) != 0) {
			run_free(&r);
			continue;
		}
		side->history = compare_add(side->history, &side->nhistory, sizeof(*side->history));
		side->history[side->nhistory - 1] = r;
	}
	return rc;
}

static int overlap(const struct compare *c, struct err *e)
{
	for (size_t i = 0; i < c->a.nruns; i++)
		if (side_has(&c->b, c->a.runs[i].row.uuid))
			return err_input(
				e,
				"run %.8s is on both sides: \"%s\" and \"%s\"; name two different runs",
				c->a.runs[i].row.uuid, c->a.name, c->b.name);
	return 0;
}

static void warn_side(struct compare *c, const struct compare_side *s)
{
	if (s->elsewhere)
		compare_warn(c,
			     "%zu run%s of label %s on other hosts or of other profiles: left out.",
			     s->elsewhere, s->elsewhere == 1 ? "" : "s", s->name);
	if (s->mixed)
		compare_warn(
			c,
			"The runs of label %s were not made in the same surroundings; the newest one's are shown.",
			s->name);
	for (size_t i = 0; i < s->nruns; i++)
		if (s->runs[i].row.status && strcmp(s->runs[i].row.status, "complete"))
			compare_warn(c, "Run %.8s is not complete (%s).", s->runs[i].row.uuid,
				     s->runs[i].row.status);
}

/* Runs of other lengths are not of the same spread. */
static void warn_blocks(struct compare *c)
{
	unsigned a = c->a.runs[0].model->blocks_done, b = c->b.runs[0].model->blocks_done;

	if (a != b)
		compare_warn(c, "%s has %u blocks, %s has %u: the shorter one's means vary more.",
			     c->a.name, a, c->b.name, b);
	if (!same(c->a.runs[0].row.profile_name, c->b.runs[0].row.profile_name))
		compare_warn(c, "The profiles differ: %s and %s.", c->a.runs[0].row.profile_name,
			     c->b.runs[0].row.profile_name);
	if (c->other_host)
		compare_warn(
			c,
			"The runs come from two hosts: shown, not judged. Compare hosts by the ratios within "
			"each host's own runs.");
}

int compare_sides(struct store *s, const char *a, const char *b, struct compare *c, struct err *e)
{
	struct store_run *all = NULL;
	size_t n = 0;
	int rc = store_runs(s, &all, &n, e);

	if (!rc)
		rc = side_load(s, &c->a, a, all, n, NULL, e);
	if (!rc)
		rc = side_load(s, &c->b, b, all, n, c->a.runs[0].row.host_id, e);
	if (!rc)
		rc = overlap(c, e);
	if (!rc) {
		c->other_host = strcmp(c->a.runs[0].row.host_id, c->b.runs[0].row.host_id) != 0;
		warn_side(c, &c->a);
		warn_side(c, &c->b);
		warn_blocks(c);
	}
	if (!rc && !c->other_host)
		rc = history_load(s, &c->a, &c->b, all, n, e);
	if (!rc && !c->other_host)
		rc = history_load(s, &c->b, &c->a, all, n, e);
	store_runs_free(all, n);
	return rc;
}
