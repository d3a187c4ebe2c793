// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the noise comes from, how long a trial should be here, and which trials were far slower
 * than their like (statistics.md, parts 2 and 8). All of it is for show and for planning.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

#define FIO_MAX (8 << 20) /* bytes of fio's report, histograms included */
#define TRIALS_MAX 100	  /* reports read for a workload: more would add little */
#define FIO_WINDOW 0.5	  /* s: fio's iopsavgtime where the job does not set it */
#define SLOW_SIGMA 4	  /* false in fewer than 1 of 30,000 normal trials */
#define SLOW_LEAST 1.05
#define SLOW_TRIALS 6 /* of a cell: below, its median is no typical trial */
#define MAD_SIGMA 1.4826

/* ---- seconds within a trial ---- */

struct seconds {
	double squares, df; /* what one-second values would vary by, over their mean */
	double *length, *overhead;
	size_t n, told; /* reports read; those with two windows or more */
};

static double number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	double x = json_is_number(v) ? json_number_value(v) : NAN;

	return isfinite(x) && x >= 0 ? x : NAN;
}

/* The direction that the metric is about; of a mix the busier one. Borrowed, or NULL. */
static const json_t *direction(const json_t *job, const struct metric_row *m)
{
	const json_t *rd = json_object_get(job, "read"), *wr = json_object_get(job, "write");

	if (!strncmp(m->id, "read.", 5))
		return rd;
	if (!strncmp(m->id, "write.", 6))
		return wr;
	return number(rd, "total_ios") >= number(wr, "total_ios") ? rd : wr;
}

/* Length of fio's windows in s. */
static double window(const json_t *fio, const json_t *job)
{
	const char *ms = json_string_value(
		json_object_get(json_object_get(job, "job options"), "iopsavgtime"));

	if (!ms)
		ms = json_string_value(
			json_object_get(json_object_get(fio, "global options"), "iopsavgtime"));
	return ms && atof(ms) >= 1 && atof(ms) <= 1e5 ? atof(ms) / 1e3 : FIO_WINDOW;
}

static void seconds_take(struct seconds *s, const json_t *dir, double each,
			 const struct store_trial *t)
{
	double length = number(dir, "runtime") / 1e3, took = (t->ended - t->begun) / 1e9;
	double n = number(dir, "iops_samples"), mid = number(dir, "iops_mean"),
	       dev = number(dir, "iops_stddev"), all = number(dir, "iops");

	if (!(length > 0))
		return;
	s->length[s->n] = length;
	s->overhead[s->n++] = took > length ? took - length : 0;
	/* fio adds up windows that it has; should they not be of this job, they say nothing */
	if (!(n >= 2) || !(n <= 1 + 2 * length / each) || !(mid > 0.5 * all) || !(mid < 2 * all) ||
	    isnan(dev))
		return;
	s->squares += (n - 1) * (dev / mid) * (dev / mid) * each;
	s->df += n - 1;
	s->told++;
}

static void seconds_read(struct seconds *s, const struct build *b, size_t work,
			 const struct metric_row *m)
{
	for (size_t i = 0; i < b->ntrials && s->n < TRIALS_MAX; i++) {
		const struct store_trial *t = &b->trials[i];
		char *text;
		json_t *fio, *job;

		if (!t->ok || b->work_of[i] != (long)work || b->cell_of[i] < 0)
			continue;
		text = build_artefact(b, t, "fio.json", FIO_MAX);
		if (!text)
			break; /* a run keeps all of them or none */
		fio = json_loads(text, 0, NULL);
		job = json_array_get(json_object_get(fio, "jobs"), 0);
		seconds_take(s, direction(job, m), window(fio, job), t);
		json_decref(fio);
		free(text);
	}
}

/* fio merges the windows of several jobs as if they were one after another. */
static bool one_job(const struct build *b, size_t work)
{
	json_t *keys =
		b->works[work].keys_json ? json_loads(b->works[work].keys_json, 0, NULL) : NULL;
	char buf[32];
	const char *n = json_text(json_object_get(keys, "workload.numjobs"), buf, sizeof(buf));
	bool one = !n || !strcmp(n, "1");

	json_decref(keys);
	return one;
}

static const char *untold(const struct build *b, size_t work, const struct seconds *s)
{
	if (!s->n)
		return "fio's own reports are not kept with this run";
	if (!one_job(b, work))
		return "fio mixes the windows of several jobs";
	return "a trial is too short: it has fewer than two of the windows that fio reports";
}

static void best_length(struct model_workload *w)
{
	struct model_spread *s = &w->spread;
	double within = s->second * s->second / s->length;

	if (isnan(s->second) || isnan(w->trial_sd))
		return;
	s->between = sqrt(fmax(0, w->trial_sd * w->trial_sd - within));
	w->best_seconds = s->between > 0  ? sqrt(s->overhead) * s->second / s->between
			  : s->second > 0 ? INFINITY
					  : NAN;
}

static void find_seconds(const struct build *b, size_t work, struct model_workload *w)
{
	struct seconds s = {.length = xcalloc(TRIALS_MAX, sizeof(double)),
			    .overhead = xcalloc(TRIALS_MAX, sizeof(double))};

	seconds_read(&s, b, work, w->primary);
	w->spread.length = median(s.length, s.n);
	w->spread.overhead = median(s.overhead, s.n);
	if (s.told && one_job(b, work)) {
		w->spread.trials = s.told;
		w->spread.second = sqrt(s.squares / s.df);
		best_length(w);
	} else {
		w->spread.why = xstrdup(untold(b, work, &s));
	}
	free(s.length);
	free(s.overhead);
}

/* ---- slow trials ---- */

/* ln of the primary metric, turned so that bad is up, [nrows][n]; NAN where it is not judged. */
static double *turned_logs(const struct model_workload *w, size_t n)
{
	double *x = xcalloc(w->nrows * n + 1, sizeof(*x));

	for (size_t i = 0; i < w->nrows * n; i++)
		x[i] = NAN;
	for (size_t r = 0; r < w->nrows; r++) {
		const struct model_value *v = row_metric(&w->rows[r], w->primary->id);

		for (size_t k = 0; v && v->abs.n >= SLOW_TRIALS && k < n; k++)
			if (v->points[k] > 0)
				x[r * n + k] = log(v->points[k]) *
					       (w->primary->better == HIGHER_IS_BETTER ? -1 : 1);
	}
	return x;
}

/* Takes the median of count values, step apart, away from them; returns how many there were. */
static size_t centre(double *x, size_t count, size_t step, size_t least)
{
	double *have = xcalloc(count + 1, sizeof(*have)), mid;
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (!isnan(x[i * step]))
			have[n++] = x[i * step];
	mid = median(have, n);
	for (size_t i = 0; n >= least && n && i < count; i++)
		x[i * step] -= mid;
	free(have);
	return n;
}

/* Residuals from cell and block by medians [Tukey's median polish]: a slow trial stays one. In
 * blocks of one or two cells it could not be told from a slow block. */
static size_t polish(double *x, size_t rows, size_t n)
{
	size_t all = 0;

	for (int pass = 0; pass < 3; pass++) {
		all = 0;
		for (size_t r = 0; r < rows; r++)
			all += centre(x + r * n, n, 1, 1);
		for (size_t k = 0; pass < 2 && k < n; k++)
			centre(x + k, rows, n, 3);
	}
	return all;
}

/* Those of x beyond the limit, by their median as a ratio of the metric; counts them. */
static double slow_ratio(const double *x, size_t n, double limit, bool higher, size_t *count)
{
	double *far = xcalloc(n + 1, sizeof(*far)), mid;

	*count = 0;
	for (size_t i = 0; i < n; i++)
		if (x[i] > limit)
			far[(*count)++] = x[i];
	mid = median(far, *count);
	free(far);
	return exp(higher ? -mid : mid);
}

static void find_slow(struct model_workload *w, size_t n)
{
	bool higher = w->primary->better == HIGHER_IS_BETTER;
	double *x = turned_logs(w, n), *size = xcalloc(w->nrows * n + 1, sizeof(*size)), limit;
	size_t k = 0, slow;

	w->spread.judged = polish(x, w->nrows, n);
	for (size_t i = 0; i < w->nrows * n; i++)
		if (!isnan(x[i]))
			size[k++] = fabs(x[i]);
	limit = fmax(SLOW_SIGMA * MAD_SIGMA * median(size, k), log(SLOW_LEAST));
	w->spread.slow_by = slow_ratio(x, w->nrows * n, limit, higher, &w->spread.slow);
	for (size_t r = 0; r < w->nrows; r++) {
		w->rows[r].slow_by = slow_ratio(x + r * n, n, limit, higher, &slow);
		w->rows[r].slow = slow;
	}
	free(x);
	free(size);
}

void build_spread(struct build *b)
{
	for (size_t i = 0; i < b->m->nworkloads; i++) {
		struct model_workload *w = &b->m->workloads[i];

		w->spread.second = w->spread.between = w->spread.length = w->spread.overhead =
			w->spread.slow_by = w->best_seconds = NAN;
		for (size_t r = 0; r < w->nrows; r++)
			w->rows[r].slow_by = NAN;
		if (!w->primary || w->primary->scale != SCALE_RATIO)
			continue;
		find_seconds(b, i, w);
		find_slow(w, b->nblocks);
	}
}
