/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A trial's asked against got: the rows of all guests, both sides and both times, and what they
 * mean. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "run/guests.h"
#include "run/knobs.h"
#include "run/trial.h"

json_t *trial_evidence(const struct trial *x, json_t *of, size_t guest)
{
	json_t *guests = json_object_get(of, "guests");

	return x->r->site == x->r->many ? json_array_get(guests, guest) : of;
}

const struct site *trial_site(const struct trial *x, size_t guest)
{
	const struct site *site = x->r->site;

	return site->each ? site->each[guest] : site;
}

/* Of the same key one row, the worst: a difference seen anywhere, then what cannot be told. */
static void keep_row(struct trial *x, const struct asked_got *a, size_t guest)
{
	static const int rank[] = {[GOT_MATCH] = 0, [GOT_UNKNOWN] = 1, [GOT_DIFFER] = 2};
	size_t k;

	for (k = 0; k < x->nchecks && strcmp(x->checks[k].key, a->key); k++)
		;
	if (k == MAX_CHECKS)
		return;
	if (k < x->nchecks && rank[a->state] <= rank[x->checks[k].state])
		return;
	if (k == x->nchecks)
		x->nchecks++;
	x->checks[k] = *a;
	x->guest_of[k] = guest;
}

/* What one guest's evidence says of it and its disks. */
static void agree_guest(struct trial *x, size_t g)
{
	json_t *before = trial_evidence(x, x->before, g), *after = trial_evidence(x, x->after, g);
	struct asked_got rows[MAX_CHECKS];
	struct site *site = x->r->site;
	size_t n = disk_asked_got(x->cell, &x->plan[g], before, after, rows, MAX_CHECKS), i;

	for (i = 0; i < n; i++)
		keep_row(x, &rows[i], g);
	site = (struct site *)trial_site(x, g);
	n = site->ops->agreed(site, x->cell, before, rows, MAX_CHECKS);
	for (i = 0; i < n; i++)
		keep_row(x, &rows[i], g);
	if (g == 0 || x->after) {
		size_t had = x->nchecks;

		trial_agree_fill(x, g);
		if (x->nchecks > had) {
			rows[0] = x->checks[--x->nchecks];
			keep_row(x, &rows[0], g);
		}
	}
	if (!x->after)
		return;
	n = site->ops->agreed(site, x->cell, after, rows, MAX_CHECKS);
	for (i = 0; i < n; i++)
		if (rows[i].state == GOT_DIFFER)
			keep_row(x, &rows[i], g);
}

/* As many guests as were asked for answered; of a ratio, what it came to here. */
static void agree_count(struct trial *x)
{
	struct asked_got a = {.from = "both"};
	double ratio = cell_overcommit(x->cell);
	size_t i, got = 0;

	if (x->r->site != x->r->many)
		return;
	for (i = 0; i < x->nplans; i++)
		got += json_is_object(json_object_get(trial_evidence(x, x->before, i), "guest"));
	if (ratio > 0) {
		snprintf(a.key, sizeof(a.key), "guest.overcommit");
		snprintf(a.asked, sizeof(a.asked), "%g: %u guests on %u CPUs", ratio,
			 run_guests(x->cell), run_cpus());
		snprintf(a.got, sizeof(a.got), "%g: %zu guests on %u CPUs",
			 (double)(got * cell_u64(x->cell, K_VCPUS)) / run_cpus(), got, run_cpus());
	} else {
		snprintf(a.key, sizeof(a.key), "guest.count");
		snprintf(a.asked, sizeof(a.asked), "%zu", x->nplans);
		snprintf(a.got, sizeof(a.got), "%zu", got);
	}
	a.state = strcmp(a.asked, a.got) ? GOT_DIFFER : GOT_MATCH;
	keep_row(x, &a, SIZE_MAX);
}

void trial_agree(struct trial *x)
{
	struct asked_got rows[MAX_CHECKS];
	size_t n;

	x->nchecks = 0;
	for (size_t g = 0; g < x->nplans; g++)
		agree_guest(x, g);
	agree_count(x);
	n = run_knobs_agreed(x->cell, rows, MAX_CHECKS);
	for (size_t i = 0; i < n; i++)
		keep_row(x, &rows[i], SIZE_MAX);
}

/* "guest 3: ", where there are several and it is one of them. */
static const char *whose(const struct trial *x, size_t check, char *buf, size_t size)
{
	if (x->nplans > 1 && x->guest_of[check] != SIZE_MAX)
		snprintf(buf, size, "guest %zu: ", x->guest_of[check] + 1);
	else
		buf[0] = 0;
	return buf;
}

int trial_judge(struct trial *x, struct err *e)
{
	char who[32];
	size_t i;

	for (i = 0; i < x->nchecks; i++) {
		const struct asked_got *a = &x->checks[i];

		if (a->state == GOT_DIFFER)
			return trial_fail(x, CAUSE_MISMATCH,
					  err_set(e, -EBADE, "%s%s: asked %s, got %s (says the %s)",
						  whose(x, i, who, sizeof(who)), a->key, a->asked,
						  a->got, *a->from ? a->from : "host"));
	}
	/* what only the workload shows is not judged before it */
	for (i = 0; x->r->strict && x->after && i < x->nchecks; i++) {
		const struct asked_got *a = &x->checks[i];

		if (a->state == GOT_UNKNOWN)
			return trial_fail(
				x, CAUSE_MISMATCH,
				err_set(e, -EBADE,
					"%s%s: asked %s, and it cannot be told what is in force: %s "
					"(run.strict is on)",
					whose(x, i, who, sizeof(who)), a->key, a->asked, a->got));
	}
	return 0;
}
