/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the main table: each cell's metrics, their ratio to the first cell, and what may be
 * marked. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

static const struct interval unknown = {NAN, NAN, NAN, 0, NAN};

const struct model_value *row_metric(const struct model_row *r, const char *id)
{
	for (size_t j = 0; j < r->nvalues; j++)
		if (!strcmp(r->values[j].metric->id, id))
			return &r->values[j];
	return NULL;
}

static double sample_value(const struct store_trial *t, const char *metric)
{
	for (size_t i = 0; t && i < t->nsamples; i++)
		if (!strcmp(t->samples[i].metric, metric))
			return isfinite(t->samples[i].value) ? t->samples[i].value : NAN;
	return NAN;
}

/* Is there a sample of that metric in any good trial of the workload? */
static bool work_has(const struct build *b, size_t work, const char *metric)
{
	for (size_t c = 0; c < b->ncells; c++)
		for (size_t k = 0; k < b->nblocks; k++)
			if (!isnan(sample_value(build_trial(b, c, work, k), metric)))
				return true;
	return false;
}

/* A workload key as text, whether stored as "rw" or as "workload.rw". */
static const char *work_key(const json_t *keys, const char *name, char *buf, size_t size)
{
	char full[64];
	const char *v = json_text(json_object_get(keys, name), buf, size);

	if (v)
		return v;
	snprintf(full, sizeof(full), "workload.%s", name);
	return json_text(json_object_get(keys, full), buf, size);
}

static unsigned long work_number(const json_t *keys, const char *name)
{
	char buf[64];
	const char *v = work_key(keys, name, buf, sizeof(buf));

	return v ? strtoul(v, NULL, 10) : 1;
}

/*
 * One metric judges a workload: mean latency where one I/O is in flight, else IOPS. (Of a closed
 * loop at fixed depth, IOPS, bandwidth and mean latency are one datum three times, so a second one
 * would only look like more evidence.)
 */
static const struct metric_row *primary_auto(const struct build *b, size_t work, const json_t *keys)
{
	char buf[64], want[4][40] = {{0}};
	const char *rw = work_key(keys, "rw", buf, sizeof(buf));
	bool one = work_number(keys, "iodepth") * work_number(keys, "numjobs") == 1;
	bool mixed = rw && (!strncmp(rw, "rw", 2) || !strncmp(rw, "randrw", 6) ||
			    !strncmp(rw, "readwrite", 9));
	const char *x = rw && strstr(rw, "write") && !mixed ? "write" : "read";

	if (mixed && !one) {
		strcpy(want[0], "iops");
		strcpy(want[1], "total.iops");
	} else {
		snprintf(want[0], sizeof(want[0]), "%s.%s", x, one ? "lat.mean" : "iops");
		snprintf(want[1], sizeof(want[1]), "%s.%s", x, one ? "iops" : "lat.mean");
	}
	strcpy(want[2], "read.iops");
	strcpy(want[3], "write.iops");
	for (size_t i = 0; i < 4; i++) {
		const struct metric_row *m = metric_find(want[i]);

		if (m && work_has(b, work, m->id))
			return m;
	}
	for (size_t i = 0; i < nmetrics; i++) /* a workload of another kind: whatever comes first */
		if (metrics[i].scale == SCALE_RATIO && work_has(b, work, metrics[i].id))
			return &metrics[i];
	return NULL;
}

static const struct metric_row *primary_of(const struct build *b, size_t work)
{
	const struct store_workload *w = &b->works[work];
	const char *asked =
		w->name ? json_string_value(json_object_get(b->primary, w->name)) : NULL;
	const struct metric_row *m = asked ? metric_find(asked) : NULL;
	json_t *keys;

	if (m && work_has(b, work, m->id))
		return m;
	if (asked && strcmp(asked, "auto") && b->m->trials_ok)
		model_warn(
			b->m,
			"%s: the primary metric %s has no samples; another one is judged instead.",
			w->name, asked);
	keys = json_read(b->m, "keys of a workload", w->keys_json, JSON_OBJECT);
	m = primary_auto(b, work, keys);
	json_decref(keys);
	return m;
}

static struct interval spread(const double *x, size_t n)
{
	struct interval r = unknown;
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (isnan(x[i]))
			continue;
		r.lo = r.n && r.lo <= x[i] ? r.lo : x[i];
		r.hi = r.n && r.hi >= x[i] ? r.hi : x[i];
		sum += x[i];
		r.n++;
	}
	if (r.n)
		r.mid = r.lo == r.hi ? r.lo : sum / r.n;
	return r;
}

static struct interval absolute(const struct metric_row *m, const double *x, size_t n)
{
	struct interval r;

	if (m->scale == SCALE_RATIO)
		return gmean_interval(x, n, LEVEL);
	if (m->scale == SCALE_EXACT)
		return spread(x, n);
	r = diff_interval(NULL, x, n, LEVEL);
	return r;
}

static void take_trial(struct model_row *row, const struct store_trial *t)
{
	if (t->ok) {
		row->ok++;
	} else if (trial_at_limit(t)) {
		row->limits++;
		if (!row->limit)
			row->limit = xstrdup(t->detail ? t->detail : "");
	} else {
		row->failed++;
	}
}

static void fill_row(const struct build *b, size_t work, struct model_row *row,
		     const struct metric_row *const *list, size_t nlist)
{
	size_t c = row->cell;
	unsigned bad;

	for (size_t i = 0; i < b->ntrials; i++)
		if (b->cell_of[i] == (long)c && b->work_of[i] == (long)work)
			take_trial(row, &b->trials[i]);
	bad = row->failed + (row->ok ? row->limits : 0);
	row->too_many_failed = bad > FAILED_MAX * (row->ok + bad);
	row->values = xcalloc(nlist + 1, sizeof(*row->values));
	row->nvalues = nlist;
	for (size_t j = 0; j < nlist; j++) {
		struct model_value *v = &row->values[j];

		v->metric = list[j];
		v->points = xcalloc(b->nblocks + 1, sizeof(*v->points));
		for (size_t k = 0; k < b->nblocks; k++)
			v->points[k] = sample_value(build_trial(b, c, work, k), list[j]->id);
		v->abs = absolute(list[j], v->points, b->nblocks);
		v->ratio = v->robust = unknown;
		v->p = NAN;
	}
}

/* Part 7: Holm within the primary metric; Benjamini-Hochberg over all others, which explore. */
static void adjust(struct model_workload *w)
{
	size_t max = w->nrows * (w->nrows ? w->rows[0].nvalues : 0), n;
	double *p = xcalloc(max + 1, sizeof(*p));

	for (int primary = 1; primary >= 0; primary--) {
		n = 0;
		for (size_t r = 0; r < w->nrows; r++)
			for (size_t j = 0; j < w->rows[r].nvalues; j++)
				if ((w->rows[r].values[j].metric == w->primary) == primary)
					p[n++] = w->rows[r].values[j].p;
		if (primary)
			holm(p, n);
		else
			bh(p, n);
		n = 0;
		for (size_t r = 0; r < w->nrows; r++)
			for (size_t j = 0; j < w->rows[r].nvalues; j++)
				if ((w->rows[r].values[j].metric == w->primary) == primary)
					w->rows[r].values[j].p = p[n++];
	}
	free(p);
}

/* How many cells were compared with the first in this metric. */
static size_t compared(const struct model_workload *w, const struct metric_row *metric)
{
	size_t n = 0;

	for (size_t r = 1; r < w->nrows; r++)
		for (size_t j = 0; j < w->rows[r].nvalues; j++)
			n += w->rows[r].values[j].metric == metric &&
			     !isnan(w->rows[r].values[j].p);
	return n;
}

static void compare_rows(const struct build *b, struct model_workload *w)
{
	for (size_t r = 1; r < w->nrows; r++) {
		if (w->rows[0].too_many_failed || w->rows[r].too_many_failed)
			continue;
		for (size_t j = 0; j < w->rows[r].nvalues; j++)
			judge_compare(b->m, &w->rows[r].values[j], &w->rows[0].values[j],
				      b->nblocks);
	}
	adjust(w);
	for (size_t r = 1; r < w->nrows; r++)
		for (size_t j = 0; j < w->rows[r].nvalues; j++) {
			struct model_value *v = &w->rows[r].values[j];

			judge_mark(b->m, v, judge_min_effect(w, v->metric), compared(w, v->metric));
		}
}

/* The primary metric's value of a row that may be judged, or NULL. */
static const struct model_value *judged(const struct model_workload *w, size_t r)
{
	const struct model_row *row = &w->rows[r];

	for (size_t j = 0; !row->too_many_failed && j < row->nvalues; j++)
		if (row->values[j].metric == w->primary && row->values[j].abs.n)
			return &row->values[j];
	return NULL;
}

/*
 * Cells not shown worse than the one with the best mean. That one was chosen by looking, so each p
 * is held against the number of all pairs it might have been (Bonferroni): valid whichever pairs
 * the data pick, if a little kind to the rest. As everywhere, what was shown to be the same for
 * practical ends is not worse, however small its p.
 */
static void best_set(const struct build *b, struct model_workload *w)
{
	const struct model_value *best = NULL;
	size_t k = 0;

	if (!w->primary || w->primary->scale != SCALE_RATIO)
		return;
	for (size_t r = 0; r < w->nrows; r++) {
		const struct model_value *v = judged(w, r);

		if (!v)
			continue;
		k++;
		if (!best || (w->primary->better == HIGHER_IS_BETTER ? v->abs.mid > best->abs.mid
								     : v->abs.mid < best->abs.mid))
			best = v;
	}
	for (size_t r = 0; r < w->nrows; r++) {
		const struct model_value *v = judged(w, r);
		struct interval i;
		double p;

		if (!v)
			continue;
		i = ratio_interval(best->points, v->points, b->nblocks, LEVEL,
				   judge_floor(w->primary));
		p = judge_ratio(b->m, &i);
		w->rows[r].to_best = v == best ? unknown : i;
		w->rows[r].same_as_best =
			v == best || verdict_ratio(&i, true, w->min_effect) == VERDICT_SAME;
		w->rows[r].best_set = w->rows[r].same_as_best || !(p * (k * (k - 1.0) / 2) < ALPHA);
	}
}

static enum workload_pass pass_of(const struct build *b, size_t work)
{
	const char *text = b->works[work].keys_json;
	json_t *keys = text ? json_loads(text, 0, NULL) : NULL;
	enum workload_pass pass = workload_pass_of(b->m, keys);

	json_decref(keys);
	return pass;
}

static void unknown_metrics(const struct build *b)
{
	size_t n = 0;
	const char *first = NULL;

	for (size_t i = 0; i < b->ntrials; i++)
		for (size_t j = 0; j < b->trials[i].nsamples; j++)
			if (!metric_find(b->trials[i].samples[j].metric)) {
				first = first ? first : b->trials[i].samples[j].metric;
				n++;
			}
	if (n)
		model_warn(
			b->m,
			"%zu samples of metrics that this vbench does not know (such as %s) are left out.",
			n, first);
}

/* run.decide names the smallest effect that the run was to find; a share, so not of differences. */
static double min_effect_of(const struct model *m, const struct metric_row *primary)
{
	if (primary && primary->scale == SCALE_RATIO && !isnan(m->decide))
		return m->decide;
	return primary ? primary->min_effect : NAN;
}

void build_values(struct build *b)
{
	struct model *m = b->m;
	const struct metric_row **list = xcalloc(nmetrics + 1, sizeof(*list));

	unknown_metrics(b);
	m->workloads = xcalloc(b->nworks + 1, sizeof(*m->workloads));
	m->nworkloads = b->nworks;
	for (size_t i = 0; i < b->nworks; i++) {
		struct model_workload *w = &m->workloads[i];
		size_t nlist = 0;

		w->name = xstrdup(b->works[i].name ? b->works[i].name : "");
		w->describe = xstrdup(b->works[i].describe ? b->works[i].describe : "");
		w->pass = pass_of(b, i);
		w->trial_sd = NAN;
		w->primary = primary_of(b, i);
		w->min_effect = min_effect_of(m, w->primary);
		for (size_t j = 0; j < nmetrics; j++)
			if (work_has(b, i, metrics[j].id))
				list[nlist++] = &metrics[j];
		w->rows = xcalloc(b->ncells + 1, sizeof(*w->rows));
		w->nrows = b->ncells;
		for (size_t c = 0; c < b->ncells; c++) {
			w->rows[c].cell = c;
			fill_row(b, i, &w->rows[c], list, nlist);
		}
		compare_rows(b, w);
		best_set(b, w);
	}
	free(list);
}
