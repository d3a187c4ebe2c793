// SPDX-License-Identifier: GPL-2.0-or-later
/* What stored runs say of each series: missing, failed, suspected, confirmed, blind. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gate/gate.h"
#include "stats/stats.h"

/* fio's histogram bins are at most 1/64 of their value wide (part 2's floor of a variance). */
#define BIN_WIDTH (1.0 / 64)

const char *gate_word(enum gate_state s)
{
	static const char *const words[] = {
		[GATE_SAME] = "same",	    [GATE_BETTER] = "better",
		[GATE_WORSE] = "worse",	    [GATE_MISSING] = "missing",
		[GATE_FAILED] = "failed",   [GATE_MISMATCHED] = "mismatched",
		[GATE_RENAMED] = "renamed", [GATE_BLIND] = "blind",
	};

	return words[s];
}

bool gate_fails(enum gate_state s)
{
	return s >= GATE_WORSE;
}

static double floor_of(const struct gate_series *x)
{
	return x->metric->percentile ? BIN_WIDTH / sqrt(12) : 0;
}

static struct gate_stage stage_of(const struct gate_series *x, const struct gate_points *p)
{
	return gate_stage_of(p->base, p->change, p->blocks, x->metric->better == HIGHER_IS_BETTER,
			     floor_of(x));
}

/* Two-sided, 95 %, for show; verdicts come from the stages' own tests. */
static struct gate_limits limits_of(const struct gate_stage *s)
{
	struct interval i = t_interval_of(s->harm, s->sd, s->n, 0.95);

	return (struct gate_limits){i.lo, i.hi};
}

static void settle(struct gate_series *x, enum gate_state state, char *why, char *remedy)
{
	free(x->why);
	free(x->remedy);
	x->state = state;
	x->why = why;
	x->remedy = remedy;
}

/* Whether a run's trials let the series be judged at all; settles it where not. */
static bool usable(const struct gate_run *r, struct gate_series *x, const struct gate_points *p)
{
	double base = gate_run_failed(r, x->base_id), change = gate_run_failed(r, x->change_id);
	double worst = fmax(base, change);
	const char *see = "see `vbench report` of the run";

	if (p->mismatched)
		settle(x, GATE_MISMATCHED,
		       xasprintf("%u of its trials did not run as asked; %s", p->mismatched,
				 p->detail ? p->detail : ""),
		       xasprintf("mend what differs, or ask for what is in force; %s %.8s", see,
				 r->run.uuid));
	else if (p->limited)
		settle(x, GATE_MISSING,
		       xasprintf("%u of its trials met a limit; %s", p->limited,
				 p->detail ? p->detail : ""),
		       xstrdup("take the cell out of the profile, then `vbench gate accept "
			       "--environment`"));
	else if (worst > GATE_FAILED_MAX)
		settle(x, GATE_FAILED,
		       xasprintf("%.0f %% of the trials of its %s arm failed%s%s", 100 * worst,
				 change >= base ? "tonight" : "reference", p->detail ? "; " : "",
				 p->detail ? p->detail : ""),
		       xasprintf("%s %.8s; then run the gate again", see, r->run.uuid));
	else if (p->missing)
		settle(x, GATE_MISSING,
		       xasprintf("%u of its %zu trials are not there", p->missing, 2 * p->blocks),
		       xasprintf("%s %.8s for what ended it; then run the gate again", see,
				 r->run.uuid));
	else
		return true;
	return false;
}

/* Caller frees. seen80 is no number where the spread hides a harm of any size (gate_seen). */
static char *would_hide(double seen80, double must_see)
{
	if (!isfinite(seen80))
		return xasprintf("tonight's spread would have hidden a harm of any size, and "
				 "gate.must-see is %.1f %%",
				 100 * must_see);
	return xasprintf("tonight's spread would have hidden %.1f %%, and gate.must-see is %.1f %%",
			 100 * seen80, 100 * must_see);
}

static void look_for_blindness(const struct gate_night *n, struct gate_series *x)
{
	x->sd = x->screen.sd / sqrt(2);
	x->seen80 = gate_seen(&n->rule, x->sd, 0.8);
	x->seen90 = gate_seen(&n->rule, x->sd, 0.9);
	x->needs = gate_needs(&n->rule, x->sd, 0.8);
	if (x->seen80 <= n->rule.must_see)
		return;
	if (x->needs && n->plan_blocks && n->plan_confirm && n->rule.blocks < GATE_PLAN_BLOCKS &&
	    n->rule.confirm < GATE_PLAN_CONFIRM)
		settle(x, GATE_BLIND, would_hide(x->seen80, n->rule.must_see),
		       xasprintf(
			       "the next nights are planned by this one's spread, too (by itself it would "
			       "have taken %u blocks); if that is too long, make the host quieter, "
			       "or raise gate.must-see",
			       x->needs));
	else if (x->needs)
		settle(x, GATE_BLIND, would_hide(x->seen80, n->rule.must_see),
		       xasprintf(
			       "set gate.blocks = %u and gate.confirm = %u, make the host quieter, "
			       "or raise gate.must-see",
			       x->needs,
			       (unsigned)ceil((double)x->needs * n->rule.confirm /
					      n->rule.blocks)));
	else
		settle(x, GATE_BLIND,
		       xasprintf("tonight's spread hides every harm of interest (sd of a trial "
				 "%.1f %%)",
				 100 * x->sd),
		       xstrdup("make the host quieter, or raise gate.must-see"));
}

static void screen_series(const struct gate_run *r, struct gate_night *n, struct gate_series *x)
{
	gate_points_free(&x->screened);
	gate_run_points(r, x->base_id, x->change_id, x->workload, x->metric, &x->screened);
	x->screen = stage_of(x, &x->screened);
	x->limits = limits_of(&x->screen);
	x->p = x->screen.p_worse;
	if (!usable(r, x, &x->screened))
		return;
	if (x->screen.n < 2) {
		settle(x, GATE_MISSING, xasprintf("it has %zu whole pairs of trials", x->screen.n),
		       xasprintf(
			       "gate.blocks must be 2 or more, and %s be measured by its workload",
			       x->metric->id));
		return;
	}
	x->suspect = gate_suspect(&x->screen);
	look_for_blindness(n, x);
}

int gate_judge_screen(struct store *s, struct gate_night *n, struct err *e)
{
	struct gate_run r;
	size_t i;
	int rc = gate_run_read(s, n->screen_run, &r, e);

	if (rc)
		return rc;
	n->trial_seconds = r.trial_seconds;
	for (i = 0; i < n->nseries; i++)
		screen_series(&r, n, &n->series[i]);
	gate_run_free(&r);
	return 0;
}

/* Stage 2 counts for the suspects whose trials are all there; a suspect without it is missing. */
static void read_confirm(const struct gate_run *r, struct gate_series *x)
{
	gate_points_free(&x->confirmed);
	gate_run_points(r, x->base_id, x->change_id, x->workload, x->metric, &x->confirmed);
	x->confirm = stage_of(x, &x->confirmed);
	x->tested = true;
	if (!usable(r, x, &x->confirmed))
		return;
	if (x->confirm.n < 2) {
		settle(x, GATE_MISSING,
		       xstrdup("it was suspected, and its fresh blocks are not there"),
		       xstrdup("run the gate again"));
		return;
	}
	x->limits = limits_of(&x->confirm);
}

static bool broken(enum gate_state s)
{
	return s == GATE_MISSING || s == GATE_FAILED || s == GATE_MISMATCHED || s == GATE_RENAMED;
}

static char *shown_worse(const struct gate_series *x)
{
	return xasprintf("%s is worse than the reference build's, confirmed on %zu fresh blocks",
			 x->metric->title, x->confirm.n);
}

static const char red_remedy[] =
	"find the change (`vbench bisect`); or, if it is wanted, `vbench gate accept PROFILE --why "
	"TEXT`. A re-run of this build joins this record";

/*
 * A suspect that was not confirmed is cleared only by fresh blocks that would have shown must_see:
 * they may have been louder than those of stage 1.
 */
static void look_again(const struct gate_night *n, struct gate_series *x)
{
	double sd = x->confirm.sd / sqrt(2), seen = gate_seen(&n->rule, sd, 0.8);

	if (x->state != GATE_SAME || seen <= n->rule.must_see)
		return;
	x->seen80 = seen;
	x->seen90 = gate_seen(&n->rule, sd, 0.9);
	settle(x, GATE_BLIND,
	       xasprintf("it was suspected, and its fresh blocks varied so much that they would "
			 "have hidden %.1f %%; gate.must-see is %.1f %%",
			 100 * seen, 100 * n->rule.must_see),
	       xstrdup("run the gate again when the host is quieter"));
}

int gate_judge_confirm(struct store *s, struct gate_night *n, struct err *e)
{
	struct gate_stage *stages = xcalloc(n->nseries + 1, sizeof(*stages));
	double *p = xcalloc(n->nseries + 1, sizeof(*p));
	int *suspect = xcalloc(n->nseries + 1, sizeof(*suspect));
	int *shown = xcalloc(n->nseries + 1, sizeof(*shown));
	struct gate_run r;
	size_t i;
	int rc = gate_run_read(s, n->confirm_run, &r, e);

	for (i = 0; i < n->nseries && !rc; i++) {
		struct gate_series *x = &n->series[i];

		if (!x->suspect || broken(x->state))
			continue;
		read_confirm(&r, x);
		if (broken(x->state))
			continue;
		suspect[i] = x->suspect;
		stages[i] = x->confirm;
	}
	if (!rc)
		gate_confirm(&n->rule, stages, suspect, n->nseries, p, shown);
	for (i = 0; i < n->nseries && !rc; i++) {
		struct gate_series *x = &n->series[i];

		if (suspect[i])
			x->p = p[i];
		if (shown[i] > 0)
			settle(x, GATE_WORSE, shown_worse(x), xstrdup(red_remedy));
		else if (shown[i] < 0)
			settle(x, GATE_BETTER, NULL, NULL);
		else if (suspect[i] > 0)
			look_again(n, x);
	}
	if (!rc)
		gate_run_free(&r);
	free(stages);
	free(p);
	free(suspect);
	free(shown);
	return rc;
}

void gate_judge_rest(struct gate_night *n)
{
	size_t i;

	for (i = 0; i < n->nseries; i++) {
		struct gate_series *x = &n->series[i];

		if (broken(x->state) || x->tested || (x->screen.n && !x->suspect))
			continue;
		settle(x, GATE_MISSING,
		       xstrdup(x->suspect
				       ? "it is suspected, and its fresh blocks could not be measured"
				       : "nothing of it could be measured"),
		       xstrdup("mend what kept it from being measured, and run the gate again"));
	}
}

static void append(double **all, size_t *n, const double *more, size_t nmore)
{
	*all = xrealloc(*all, *n + nmore + 1, sizeof(**all));
	memcpy(*all + *n, more, nmore * sizeof(**all));
	*n += nmore;
}

/*
 * One more run of the record. Runs of earlier nights were judged whole in their time; what
 * tonight's lacks makes the series fail as it would on any night.
 */
static void add_run(const struct gate_run *r, struct gate_series *x, bool tonight)
{
	const char *base = gate_run_cell(r, x->base_label);
	const char *change = gate_run_cell(r, x->change_label);
	struct gate_points p;
	size_t n = x->confirmed.blocks;

	/* ids of cells hold the path of their QEMU, which need not have stayed the same */
	gate_run_points(r, base ? base : x->base_id, change ? change : x->change_id, x->workload,
			x->metric, &p);
	append(&x->confirmed.base, &n, p.base, p.blocks);
	n = x->confirmed.blocks;
	append(&x->confirmed.change, &n, p.change, p.blocks);
	x->confirmed.blocks = n;
	if (tonight)
		usable(r, x, &p);
	gate_points_free(&p);
}

static void judge_sequence(struct gate_night *n, struct gate_series *x)
{
	double m = log1p(n->rule.must_see);

	x->confirm = stage_of(x, &x->confirmed);
	x->tested = x->joined = true;
	x->sd = x->confirm.sd / sqrt(2);
	x->limits = gate_sequence(&x->confirm, gate_level(&n->rule), n->nseries);
	x->p = NAN;
	if (broken(x->state))
		return;
	if (x->limits.hi < m)
		settle(x, x->limits.hi < 0 ? GATE_BETTER : GATE_SAME, NULL, NULL);
	else if (x->limits.lo > 0)
		settle(x, GATE_WORSE,
		       xasprintf(
			       "%s is worse than the reference build's over all %zu blocks of this "
			       "record",
			       x->metric->title, x->confirm.n),
		       xstrdup(red_remedy));
	else
		settle(x, GATE_WORSE,
		       xasprintf(
			       "this build was found worse before, and %zu blocks have not shown the "
			       "harm to be below gate.must-see (%.1f %%)",
			       x->confirm.n, 100 * n->rule.must_see),
		       xstrdup(red_remedy));
}

int gate_judge_joined(struct store *s, struct gate_night *n, const char *const *runs, size_t nruns,
		      struct err *e)
{
	size_t i, k;
	int rc = 0;

	for (i = 0; i < n->nseries; i++)
		gate_points_free(&n->series[i].confirmed);
	for (k = 0; k < nruns && !rc; k++) {
		struct gate_run r;

		rc = gate_run_read(s, runs[k], &r, e);
		if (rc)
			break;
		for (i = 0; i < n->nseries; i++)
			add_run(&r, &n->series[i], k == nruns - 1);
		n->trial_seconds = r.trial_seconds;
		gate_run_free(&r);
	}
	n->joined_runs = (unsigned)nruns;
	for (i = 0; i < n->nseries && !rc; i++)
		judge_sequence(n, &n->series[i]);
	return rc;
}

static struct gate_series *find_series(struct gate_night *n, const char *key)
{
	size_t i;

	for (i = 0; i < n->nseries; i++)
		if (!strcmp(n->series[i].key, key))
			return &n->series[i];
	return NULL;
}

static void add_lost(struct gate_night *n, const struct store_gate_series *x)
{
	struct gate_series *s;

	n->series = xrealloc(n->series, n->nseries + 1, sizeof(*n->series));
	s = &n->series[n->nseries++];
	*s = (struct gate_series){.key = xstrdup(x->key),
				  .name = xstrdup(x->name),
				  .metric = metric_find(x->metric),
				  .p = NAN,
				  .sd = NAN,
				  .seen80 = NAN,
				  .seen90 = NAN,
				  .limits = {NAN, NAN}};
	settle(s, GATE_RENAMED,
	       xstrdup("it was there on earlier nights, and the profile has it no more (renamed, "
		       "defined otherwise, or taken out?)"),
	       xstrdup("bring it back, or `vbench gate accept PROFILE --environment --why TEXT`"));
}

static bool has_key(const struct store_gate *g, const char *key)
{
	size_t i;

	for (i = 0; i < g->nseries; i++)
		if (!strcmp(g->series[i].key, key))
			return true;
	return false;
}

void gate_judge_known(struct gate_night *n, const struct store_gate *accepted)
{
	size_t own = n->nseries, i;

	for (i = 0; i < accepted->nseries; i++)
		if (!find_series(n, accepted->series[i].key))
			add_lost(n, &accepted->series[i]);
	for (i = 0; i < own; i++)
		if (!has_key(accepted, n->series[i].key) && n->series[i].state != GATE_WORSE)
			settle(&n->series[i], GATE_RENAMED,
			       xstrdup("no accepted series is this one (renamed, defined otherwise, "
				       "or new?)"),
			       xstrdup("`vbench gate accept PROFILE --environment --why TEXT` makes "
				       "it one of the series"));
}
