// SPDX-License-Identifier: GPL-2.0-or-later
/* Trials of a stored run with two arms, laid out by pair and block. */
#include "gate/series.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS_MAX 10000 /* more is no run of ours, and would only cost memory */

void gate_points_free(struct gate_points *p)
{
	free(p->base);
	free(p->change);
	free(p->detail);
	*p = (struct gate_points){0};
}

int gate_run_read(struct store *s, const char *uuid, struct gate_run *out, struct err *e)
{
	double sum = 0;
	size_t i;
	int rc;

	*out = (struct gate_run){0};
	rc = store_run_find(s, uuid, &out->run, e);
	if (!rc)
		rc = store_cells(s, out->run.uuid, &out->cells, &out->ncells, e);
	if (!rc)
		rc = store_trials(s, out->run.uuid, &out->trials, &out->ntrials, e);
	if (rc) {
		gate_run_free(out);
		return rc;
	}
	for (i = 0; i < out->ntrials; i++)
		sum += (double)(out->trials[i].ended - out->trials[i].begun) / 1e9;
	out->trial_seconds = out->ntrials ? sum / (double)out->ntrials : NAN;
	return 0;
}

void gate_run_free(struct gate_run *r)
{
	store_run_free(&r->run);
	store_cells_free(r->cells, r->ncells);
	store_trials_free(r->trials, r->ntrials);
	*r = (struct gate_run){0};
}

static double value_of(const struct store_trial *t, const char *metric)
{
	size_t i;

	for (i = 0; t->ok && i < t->nsamples; i++)
		if (!strcmp(t->samples[i].metric, metric))
			return isfinite(t->samples[i].value) ? t->samples[i].value : NAN;
	return NAN;
}

static bool cause_is(const struct store_trial *t, const char *cause)
{
	return !t->ok && t->cause && !strcmp(t->cause, cause);
}

static void note_failure(struct gate_points *out, const struct store_trial *t)
{
	if (t->ok)
		return;
	out->mismatched += cause_is(t, "mismatch");
	out->limited += cause_is(t, "limit");
	if (!out->detail)
		out->detail = xasprintf("%s: %.*s", t->cause ? t->cause : "failed",
					t->detail ? (int)strcspn(t->detail, "\n") : 0,
					t->detail ? t->detail : "");
}

void gate_run_points(const struct gate_run *r, const char *base, const char *change,
		     const char *workload, const struct metric_row *metric, struct gate_points *out)
{
	size_t n = r->run.blocks < BLOCKS_MAX ? r->run.blocks : BLOCKS_MAX, i;
	bool *there = xcalloc(2 * n + 1, sizeof(*there));

	*out = (struct gate_points){.blocks = n,
				    .base = xcalloc(n + 1, sizeof(double)),
				    .change = xcalloc(n + 1, sizeof(double))};
	for (i = 0; i < n; i++)
		out->base[i] = out->change[i] = NAN;
	for (i = 0; i < r->ntrials; i++) {
		const struct store_trial *t = &r->trials[i];
		bool other = !strcmp(t->cell, change);
		double v;

		if (t->block >= n || !t->workload || strcmp(t->workload, workload) ||
		    (!other && strcmp(t->cell, base)))
			continue;
		there[2 * t->block + other] = true;
		v = value_of(t, metric->id);
		if (!isnan(v)) /* one repeated in its place: the last good one counts */
			(other ? out->change : out->base)[t->block] = v;
		note_failure(out, t);
	}
	for (i = 0; i < 2 * n; i++)
		out->missing += !there[i];
	free(there);
}

const char *gate_run_cell(const struct gate_run *r, const char *label)
{
	size_t i;

	for (i = 0; label && i < r->ncells; i++)
		if (r->cells[i].label && !strcmp(r->cells[i].label, label))
			return r->cells[i].id;
	return NULL;
}

double gate_run_failed(const struct gate_run *r, const char *cell)
{
	size_t n = 0, failed = 0, i;

	for (i = 0; i < r->ntrials; i++) {
		if (strcmp(r->trials[i].cell, cell))
			continue;
		n++;
		failed += !r->trials[i].ok && !cause_is(&r->trials[i], "limit");
	}
	return n ? (double)failed / (double)n : 0;
}

/* Both directions at once: fio reports them apart, and the harness sums requests. */
static bool is_mixed(const char *rw)
{
	return !strncmp(rw, "rw", 2) || !strncmp(rw, "randrw", 6) || !strncmp(rw, "readwrite", 9);
}

int gate_metric(const struct profile *p, const struct workload *w, const struct metric_row **out,
		struct err *e)
{
	const char *asked = profile_get(p, K_PRIMARY), *rw = workload_get(w, K_RW);
	bool one = workload_u64(w, K_IODEPTH) * workload_u64(w, K_NUMJOBS) == 1;
	char id[40];

	if (asked && strcmp(asked, "auto"))
		snprintf(id, sizeof(id), "%s", asked);
	else if (rw && is_mixed(rw) && !one)
		snprintf(id, sizeof(id), "iops");
	else
		snprintf(id, sizeof(id), "%s.%s",
			 rw && strstr(rw, "write") && !is_mixed(rw) ? "write" : "read",
			 one ? "lat.mean" : "iops");
	*out = metric_find(id);
	if (!*out)
		return err_input(e, "run.primary: there is no metric \"%s\"", id);
	if ((*out)->scale != SCALE_RATIO)
		return err_input(e,
				 "run.primary: %s can be 0 and has no ratio, and the gate judges "
				 "ratios; name another, or take run.primary out",
				 id);
	return 0;
}
