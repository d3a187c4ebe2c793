/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Knobs of the host, turned for a cell's trials: recorded before, read back after, put back. */
#include "run/knobs.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "apply/apply.h"

enum { FIRST = K_KNOB_GOVERNOR, LAST = K_KNOB_SWAPPINESS };

static const char *wanted(const struct cell *c, int k)
{
	const char *v = c ? cell_get(c, (enum key_id)k) : NULL;

	return v && strcmp(v, "keep") ? v : NULL;
}

static bool same_knobs(const struct cell *a, const struct cell *b)
{
	for (int k = FIRST; k <= LAST; k++) {
		const char *x = wanted(a, k), *y = wanted(b, k);

		if (!x != !y || (x && strcmp(x, y)))
			return false;
	}
	return true;
}

/* Records of runs are apart from those of `vbench apply`, which stay until they are reverted. */
static char *records(const struct run *r)
{
	return xasprintf("%s/knobs", r->data);
}

int run_knobs_check(const struct run *r, struct err *e)
{
	const struct profile *p = r->profile;
	bool consent = false;

	for (size_t i = 0; i < r->opts->nconsents; i++)
		consent |= !strcmp(r->opts->consents[i], "host");
	for (size_t i = 0; i < p->ncells; i++)
		for (int k = FIRST; k <= LAST; k++) {
			const char *name = profile_keys[k].name;

			if (!wanted(&p->cells[i], k))
				continue;
			if (!consent)
				return err_input(
					e,
					"knob.%s changes a setting of the whole host while the run goes on "
					"(and puts it back): say --consent host, or leave it at keep",
					name);
			if (geteuid())
				return err_input(
					e,
					"knob.%s: only root may change settings of the host; be root, "
					"or leave it at keep",
					name);
		}
	return 0;
}

char *run_knobs_lacking(const struct cell *c)
{
	for (int k = FIRST; k <= LAST; k++) {
		struct err e = {0};
		char *value;

		if (!wanted(c, k))
			continue;
		if (changes_knob_read(profile_keys[k].name, &value, &e))
			return xasprintf("knob.%s: this host has no such setting",
					 profile_keys[k].name);
		free(value);
	}
	return NULL;
}

void run_knobs_print(const struct cell *c, FILE *out)
{
	for (int k = FIRST; k <= LAST; k++) {
		struct err e = {0};
		char *now;

		if (!wanted(c, k) || changes_knob_read(profile_keys[k].name, &now, &e))
			continue;
		fprintf(out, "  # host: %s = %s while it is measured (now %s)\n",
			profile_keys[k].name, wanted(c, k), now);
		free(now);
	}
}

static void told(bool ok, const char *what, void *arg)
{
	if (!ok)
		run_warn(arg, "vbench: %s", what);
}

int run_knobs_sweep(struct run *r, struct err *e)
{
	char *dir = records(r);
	int rc = changes_settle(dir, told, r, e);

	free(dir);
	if (rc)
		err_prefix(e,
			   "settings of the host that a run before left changed; `vbench revert` "
			   "tries again");
	return rc;
}

void run_knobs_end(struct run *r)
{
	struct err e = {0};
	char *dir;

	if (!r->knobs)
		return;
	dir = records(r);
	/* what somebody else has set meanwhile stays, and is said */
	if (changes_settle(dir, told, r, &e) < 0)
		run_warn(
			r,
			"vbench: settings of the host were not all put back: %s; `vbench run` tries again at its "
			"next start",
			e.text);
	free(dir);
	r->knobs = NULL;
}

int run_knobs_set(struct run *r, const struct cell *c, struct err *e)
{
	struct change_set *set;
	char *dir;
	int rc;

	if (r->knobs ? same_knobs(r->knobs, c) : !cell_turns_knobs(c))
		return 0;
	run_knobs_end(r);
	if (!cell_turns_knobs(c))
		return 0;
	dir = records(r);
	rc = changes_new(dir, &set, e);
	free(dir);
	if (rc)
		return rc;
	for (int k = FIRST; !rc && k <= LAST; k++)
		if (wanted(c, k))
			rc = changes_add_knob(set, profile_keys[k].name, wanted(c, k), e);
	if (!rc)
		rc = changes_apply(set, r->knobs_id, e);
	if (!rc)
		r->knobs = c;
	changes_free(set);
	return rc;
}

size_t run_knobs_agreed(const struct cell *c, struct asked_got *out, size_t max)
{
	size_t n = 0;

	for (int k = FIRST; k <= LAST && n < max; k++) {
		const char *want = wanted(c, k);
		struct asked_got *a = &out[n];
		struct err e = {0};
		char *now;

		if (!want)
			continue;
		n++;
		memset(a, 0, sizeof(*a));
		snprintf(a->key, sizeof(a->key), "knob.%s", profile_keys[k].name);
		snprintf(a->from, sizeof(a->from), "host");
		snprintf(a->asked, sizeof(a->asked), "%s", want);
		if (changes_knob_read(profile_keys[k].name, &now, &e)) {
			snprintf(a->got, sizeof(a->got), "cannot be read");
			a->state = GOT_UNKNOWN;
			continue;
		}
		snprintf(a->got, sizeof(a->got), "%s", now);
		a->state = strcmp(now, want) ? GOT_DIFFER : GOT_MATCH;
		free(now);
	}
	return n;
}
