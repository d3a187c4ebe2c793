// SPDX-License-Identifier: GPL-2.0-or-later
/* A run of listed cells read back and judged: each pair's objective, with its interval and verdict.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "stats/sequential.h"
#include "stats/verdict.h"
#include "store/metric.h"
#include "store/store.h"
#include "tune/tune.h"

#define LEVEL 0.95
/* As the report has it (analysis/build.h): slow cells time out more often, so what is left of them
 * flatters them (statistics.md, part 1). */
#define FAILED_MAX 0.05

/* Trials of a cell under one workload that counts. */
struct tally {
	unsigned ok, failed;
};

struct proof {
	struct store_run run;
	struct store_cell *cells;
	struct store_trial *trials;
	size_t ncells, ntrials;
	json_t *meta;
	const json_t *primary; /* {workload: metric}, those that count */
	unsigned blocks;       /* that are there */
	unsigned max;	       /* looked at after each of at most so many; 0: fixed */
	double floor;	       /* of the objective's sd */
	double *x;	       /* [cells][blocks] worse positive, all that count; NAN */
	double *each;	       /* [workloads that count][cells][blocks] the same of one */
	struct tally *tally;   /* [workloads that count][cells] */
};

static double value_of(const struct store_trial *t, const char *metric)
{
	for (size_t i = 0; t->ok && i < t->nsamples; i++)
		if (!strcmp(t->samples[i].metric, metric) && t->samples[i].value > 0)
			return t->samples[i].value;
	return NAN;
}

static size_t cell_of(const struct proof *p, const char *id)
{
	size_t i = 0;

	while (i < p->ncells && strcmp(p->cells[i].id, id))
		i++;
	return i;
}

/* Which of the workloads that count; their number: none of them. */
static size_t workload_of(const struct proof *p, const char *name)
{
	const json_t *m;
	const char *k;
	size_t i = 0;

	json_object_foreach((json_t *)p->primary, k, m)
	{
		if (!strcmp(k, name))
			break;
		i++;
	}
	return i;
}

/* The mean over the workloads that count, where all of them are there. */
static void gather(struct proof *p)
{
	size_t n = p->ncells * p->blocks, want = json_object_size(p->primary);
	unsigned *got = xcalloc(n + 1, sizeof(*got));

	p->x = xcalloc(n + 1, sizeof(*p->x));
	p->each = xcalloc(want * n + 1, sizeof(*p->each));
	p->tally = xcalloc(want * p->ncells + 1, sizeof(*p->tally));
	for (size_t i = 0; i < want * n; i++)
		p->each[i] = NAN;
	for (size_t i = 0; i < p->ntrials; i++) {
		const struct store_trial *t = &p->trials[i];
		const char *id = json_string_value(json_object_get(p->primary, t->workload));
		const struct metric_row *m = id ? metric_find(id) : NULL;
		size_t c = cell_of(p, t->cell), at = c * p->blocks + t->block;
		size_t w = workload_of(p, t->workload);
		double v = m ? value_of(t, m->id) : NAN;

		if (c == p->ncells || !m || t->block >= p->blocks)
			continue;
		if (isnan(v)) {
			p->tally[w * p->ncells + c].failed++;
			continue;
		}
		p->tally[w * p->ncells + c].ok++;
		p->each[w * n + at] = m->better == HIGHER_IS_BETTER ? 1 / v : v;
		p->x[at] += (m->better == HIGHER_IS_BETTER ? -1 : 1) * log(v);
		p->floor = fmax(p->floor, metric_sd_floor(m));
		got[at]++;
	}
	for (size_t i = 0; i < n; i++)
		p->x[i] = want && got[i] == want ? exp(p->x[i] / (double)want) : NAN;
	free(got);
}

static int load(struct proof *p, const char *db, const char *uuid, struct err *e)
{
	struct store *s = NULL;
	int rc = store_open(db, false, &s, e);

	if (!rc)
		rc = store_run_find(s, uuid, &p->run, e);
	if (!rc)
		rc = store_cells(s, p->run.uuid, &p->cells, &p->ncells, e);
	if (!rc)
		rc = store_trials(s, p->run.uuid, &p->trials, &p->ntrials, e);
	store_close(s);
	if (rc)
		return rc;
	p->meta = json_loads(p->run.meta_json ? p->run.meta_json : "{}", 0, NULL);
	p->max = json_object_get(p->meta, "decide") ? p->run.blocks : 0;
	for (size_t i = 0; i < p->ntrials; i++)
		if (p->trials[i].block >= p->blocks && p->trials[i].block < 100000)
			p->blocks = p->trials[i].block + 1;
	gather(p);
	return 0;
}

static void unload(struct proof *p)
{
	store_run_free(&p->run);
	store_cells_free(p->cells, p->ncells);
	store_trials_free(p->trials, p->ntrials);
	json_decref(p->meta);
	free(p->x);
	free(p->each);
	free(p->tally);
}

static struct interval interval_in(const struct proof *p, const double *x, size_t base,
				   size_t change)
{
	const double *a = &x[base * p->blocks], *b = &x[change * p->blocks];

	if (p->max)
		return seq_ratio(a, b, p->blocks, p->max, p->floor);
	return ratio_interval(a, b, p->blocks, LEVEL, p->floor);
}

static struct interval interval_of(const struct proof *p, size_t base, size_t change)
{
	return interval_in(p, p->x, base, change);
}

/* Trials of a cell under a workload: more failed than may. */
static bool failed_under(const struct proof *p, size_t cell, size_t work)
{
	const struct tally *t = &p->tally[work * p->ncells + cell];

	return t->failed > FAILED_MAX * (t->ok + t->failed);
}

/* Under any workload that counts more trials failed than may; *failed of *all. */
static bool too_many_failed(const struct proof *p, size_t cell, unsigned *failed, unsigned *all)
{
	for (size_t w = 0; w < json_object_size(p->primary); w++) {
		const struct tally *t = &p->tally[w * p->ncells + cell];

		*failed = t->failed;
		*all = t->ok + t->failed;
		if (failed_under(p, cell, w))
			return true;
	}
	return false;
}

/* As run/policy_decide.c and analysis/judge.c have it: below 5 % exactly when the interval
 * excludes 1. */
static double p_of(const struct proof *p, struct interval r)
{
	if (r.n < (p->max ? SEQ_FIRST : 2))
		return NAN;
	if (p->max)
		r.sd *= seq_factor(p->max, (unsigned)r.n) /
			t_quantile(0.5 + LEVEL / 2, (double)r.n - 1);
	return ratio_p(&r);
}

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static enum verdict verdict_in(struct interval r, double padj, double min_effect)
{
	enum verdict v = verdict_ratio(&r, false, min_effect);

	if ((v == VERDICT_WORSE || v == VERDICT_BETTER) && !(padj < 1 - LEVEL))
		v = VERDICT_UNDECIDED;
	return v;
}

static void put_interval(json_t *o, struct interval r)
{
	json_object_set_new(o, "speed", number(1 / r.mid));
	json_object_set_new(o, "lo", number(1 / r.hi));
	json_object_set_new(o, "hi", number(1 / r.lo));
	json_object_set_new(o, "blocks", json_integer((json_int_t)r.n));
}

static struct interval interval_under(const struct proof *p, size_t work, size_t base,
				      size_t change)
{
	return interval_in(p, &p->each[work * p->ncells * p->blocks], base, change);
}

/* p of a pair under each workload that counts, as the report has them in one family. */
static void p_under(const struct proof *p, size_t base, size_t change, double *out)
{
	for (size_t w = 0; w < json_object_size(p->primary); w++)
		out[w] = failed_under(p, base, w) || failed_under(p, change, w)
				 ? NAN
				 : p_of(p, interval_under(p, w, base, change));
}

/* What the mean over several workloads hides: each by itself. padj: of each of them. */
static void put_workloads(const struct proof *p, json_t *o, size_t base, size_t change,
			  const double *padj, double min_effect)
{
	json_t *list = json_array();
	const json_t *m;
	const char *name;
	size_t w = 0;

	json_object_foreach((json_t *)p->primary, name, m)
	{
		struct interval r = interval_under(p, w, base, change);
		bool failed = failed_under(p, base, w) || failed_under(p, change, w);
		json_t *one = json_pack("{s:s, s:O, s:s}", "workload", name, "metric", m, "verdict",
					failed ? "failed"
					       : verdict_word(verdict_in(r, padj[w], min_effect)));

		if (!failed)
			put_interval(one, r);
		json_array_append_new(list, one);
		w++;
	}
	json_object_set_new(o, "workloads", list);
}

/* Of "change" against "base", in speed: more is better. */
static json_t *pair_json(const struct proof *p, size_t base, size_t change, double padj,
			 const double *each, double min_effect)
{
	struct interval r = interval_of(p, base, change);
	json_t *o = json_pack("{s:s, s:s, s:s, s:o}", "base", p->cells[base].label, "change",
			      p->cells[change].label, "verdict",
			      verdict_word(verdict_in(r, padj, min_effect)), "p", number(padj));
	unsigned failed, all;

	put_interval(o, r);
	if (json_object_size(p->primary) > 1)
		put_workloads(p, o, base, change, each, min_effect);
	if (too_many_failed(p, base, &failed, &all) || too_many_failed(p, change, &failed, &all)) {
		json_object_set_new(o, "verdict", json_string("failed"));
		json_object_set_new(o, "failed",
				    json_pack("{s:i, s:i}", "failed", (int)failed, "of", (int)all));
	}
	return o;
}

static size_t cell_named(const struct proof *p, const char *label)
{
	size_t i = 0;

	while (i < p->ncells && strcmp(p->cells[i].label, label))
		i++;
	return i;
}

/* The search's winner against the start in the confirmation, where both ran beside what was to be
 * confirmed: it costs no trial, and not to look would be to choose. NULL: not in this run. */
static json_t *again(const struct proof *p, double min_effect)
{
	size_t a = cell_named(p, "start"), b = cell_named(p, "winner"),
	       nw = json_object_size(p->primary);
	double *each;
	json_t *out;

	if (a == p->ncells || b == p->ncells || cell_named(p, "lean") == p->ncells)
		return NULL;
	each = xcalloc(nw + 1, sizeof(*each));
	p_under(p, a, b, each);
	holm(each, nw);
	out = pair_json(p, a, b, p_of(p, interval_of(p, a, b)), each, min_effect);
	free(each);
	return out;
}

int tune_judge(const json_t *state, const char *uuid, const struct tune_opts *o, json_t **out,
	       struct err *e)
{
	struct proof p = {.primary = json_object_get(json_object_get(state, "search"), "primary")};
	double min = json_number_value(json_object_get(state, "min_effect"));
	int rc = load(&p, o->db, uuid, e);
	const json_t *pairs = json_object_get(p.meta, "listed_pairs");
	size_t n = json_array_size(pairs);
	size_t nw = json_object_size(p.primary);
	double *padj = xcalloc(n + 1, sizeof(*padj)), *each = xcalloc(n * nw + 1, sizeof(*each));
	json_t *list = json_array(), *second;

	for (int pass = 0; !rc && pass < 2; pass++) {
		for (size_t i = 0; i < n; i++) {
			const json_t *k = json_array_get(pairs, i);
			size_t a = (size_t)json_integer_value(json_array_get(k, 0));
			size_t b = (size_t)json_integer_value(json_array_get(k, 1));

			if (a >= p.ncells || b >= p.ncells)
				continue;
			if (pass)
				json_array_append_new(
					list, pair_json(&p, a, b, padj[i], &each[i * nw], min));
			else {
				padj[i] = p_of(&p, interval_of(&p, a, b));
				p_under(&p, a, b, &each[i * nw]);
			}
		}
		if (!pass) {
			holm(padj, n);
			holm(each, n * nw);
		}
	}
	*out = json_pack("{s:s, s:s, s:i, s:i, s:I, s:o}", "run", uuid, "status",
			 p.run.status ? p.run.status : "", "blocks", (int)p.blocks, "max_blocks",
			 (int)p.max, "trials", (json_int_t)p.ntrials, "pairs", list);
	if (!rc && (second = again(&p, min)))
		json_object_set_new(*out, "again", second);
	free(padj);
	free(each);
	unload(&p);
	return rc;
}

/* NAN where too many of its trials failed: it is no best cell then, however fast the others were.
 */
static double mean_of(const struct proof *p, size_t cell)
{
	unsigned failed, all;
	double sum = 0;
	size_t n = 0;

	if (too_many_failed(p, cell, &failed, &all))
		return NAN;
	for (size_t i = 0; i < p->blocks; i++) {
		double v = p->x[cell * p->blocks + i];

		if (isnan(v))
			continue;
		sum += log(v);
		n++;
	}
	return n ? sum / (double)n : NAN;
}

int tune_rank(const json_t *state, const char *uuid, const char *cell, const struct tune_opts *o,
	      json_t **out, struct err *e)
{
	struct proof p = {.primary = json_object_get(json_object_get(state, "search"), "primary")};
	int rc = load(&p, o->db, uuid, e);
	size_t best = 0, at = rc ? 0 : cell_of(&p, cell), rank = 1, failed = 0;
	struct interval r;

	*out = NULL;
	if (!rc && at == p.ncells)
		rc = err_set(e, -EIO, "the recommended cell %s is not in run %.8s", cell, uuid);
	for (size_t i = 0; !rc && i < p.ncells; i++) {
		if (mean_of(&p, i) < mean_of(&p, best) || isnan(mean_of(&p, best)))
			best = i;
		rank += mean_of(&p, i) < mean_of(&p, at);
	}
	for (size_t i = 0; !rc && i < p.ntrials; i++)
		failed += !p.trials[i].ok;
	if (!rc) {
		r = interval_of(&p, best, at);
		*out = json_pack("{s:s, s:I, s:I, s:I, s:s, s:I, s:o, s:o, s:o}", "run", uuid,
				 "cells", (json_int_t)p.ncells, "trials", (json_int_t)p.ntrials,
				 "failed", (json_int_t)failed, "best", p.cells[best].label, "rank",
				 (json_int_t)rank, "speed", number(at == best ? 1 : 1 / r.mid),
				 "lo", number(at == best ? 1 : 1 / r.hi), "hi",
				 number(at == best ? 1 : 1 / r.lo));
	}
	unload(&p);
	return rc;
}
