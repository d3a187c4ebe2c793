// SPDX-License-Identifier: GPL-2.0-or-later
/* A/A when trials, templates, blocks and runs differ; runs beside runs; baselines (statistics.md,
 * parts 1 and 10). */
#include <math.h>
#include <stdlib.h>
#include "compare/compare.h"
#include "stats/stats.h"
#include "stats/verdict.h"
#include "shape.h"

#define MAX_N 40
#define LEVEL 0.95
#define SECONDS 10 /* of a trial, each a value of fio's */

struct levels {
	double trial, template, run, second;
	size_t n;
	bool one_template; /* one a build for the whole run, instead of one in each block */
	bool one_run;	   /* each side in a run of its own, instead of interleaved in one */
};

enum { EXCLUDES, FALSE_WORSE_BETTER, POOLED, LEVEL_FIGURES };

/* One run of n blocks of two equal arms, by levels: run, block, template, trial, second. */
static void equal_arms(struct prove_rng *g, const struct levels *c, double *a, double *b,
		       double *sa, double *sb)
{
	double *side[2] = {a, b}, *sec[2] = {sa, sb}, run[2], tmpl[2];

	run[0] = c->run * prove_normal(g);
	run[1] = c->one_run ? c->run * prove_normal(g) : run[0];
	for (size_t k = 0; k < c->n; k++) {
		double block = 0.05 * prove_normal(g);

		for (int s = 0; s < 2; s++) {
			double x, sum = 0;

			if (!k || !c->one_template)
				tmpl[s] = c->template * prove_normal(g);
			if (c->one_run)
				block = 0;
			x = run[s] + block + tmpl[s] + c->trial * prove_normal(g);
			for (int i = 0; i < SECONDS; i++) {
				double y = x + c->second * prove_normal(g);

				sec[s][k * SECONDS + i] = exp(y);
				sum += y / SECONDS;
			}
			side[s][k] = exp(sum);
		}
	}
}

static void equal_run(struct prove_rng *g, const void *arg, double *out)
{
	const struct levels *c = arg;
	double a[MAX_N], b[MAX_N], sa[MAX_N * SECONDS], sb[MAX_N * SECONDS];
	struct interval r;
	enum verdict v;

	equal_arms(g, c, a, b, sa, sb);
	r = ratio_interval(a, b, c->n, LEVEL, 0);
	v = verdict_ratio(&r, false, 0.02);
	out[EXCLUDES] = r.lo > 1 || r.hi < 1;
	out[FALSE_WORSE_BETTER] = v == VERDICT_WORSE || v == VERDICT_BETTER;
	/* Every second of a trial counted as an observation of its own. */
	r = ratio_interval(sa, sb, c->n * SECONDS, LEVEL, 0);
	out[POOLED] = r.lo > 1 || r.hi < 1;
}

static void interleaved(void)
{
	static const double sds[] = {0.005, 0.01, 0.02};
	size_t reps = prove_reps(60000, 16000), k = LEVEL_FIGURES;

	for (size_t i = 0; i < 27; i++) {
		struct levels c = {sds[i / 9], sds[i / 3 % 3], sds[i % 3], 0.01, 10, false, false};
		const char *what = prove_name("trial%g.template%g.run%g", 100 * c.trial,
					      100 * c.template, 100 * c.run);
		struct prove_stat r;
		double *v;

		if (prove_is_short() && i != 13)
			continue;
		v = prove_run(prove_name("part10.aa.%s", what), reps, k, equal_run, &c);
		r = prove_rate(v, reps, k, EXCLUDES);
		prove_nominal(prove_name("part10.aa-excludes-1.%s", what), &r, 0.05);
		r = prove_rate(v, reps, k, FALSE_WORSE_BETTER);
		prove_nominal(prove_name("part10.aa-false-verdict.%s", what), &r, 0.05);
		free(v);
	}
	for (size_t i = 0; i < 3; i++) {
		struct levels c = {sds[i], sds[i], sds[i], 0.01, 10, false, false};
		const char *name = prove_name("part10.twin.seconds-pooled.sd%g", 100 * sds[i]);
		size_t n = prove_reps(20000, 1000);
		double *v = prove_run(name, n, k, equal_run, &c);
		struct prove_stat r = prove_rate(v, n, k, POOLED);

		prove_twin(name, r.value, 0.055, true, r.se);
		free(v);
	}
}

/* Part 1: one template a build. The trial's sd is 1 %, all of it between trials. */
static void one_template(void)
{
	static const struct {
		double sd, rate[3];
	} table[] = {{0.0025, {0.08, 0.11, 0.18}},
		     {0.005, {0.16, 0.26, 0.40}},
		     {0.01, {0.38, 0.51, 0.65}},
		     {0.02, {0.63, 0.73, 0.82}}};
	static const size_t sizes[] = {6, 10, 20};
	size_t reps = prove_reps(20000, 1500), k = LEVEL_FIGURES;

	for (size_t i = 0; i < 12; i++) {
		struct levels c = {0.01, table[i / 3].sd, 0, 0, sizes[i % 3], true, false};
		const char *what = prove_name("sd%g.n%zu", 100 * c.template, c.n);
		struct prove_stat r;
		double *v;

		if (prove_is_short() && i != 4 && i != 7 && i != 10)
			continue;
		v = prove_run(prove_name("part1.one-template.%s", what), reps, k, equal_run, &c);
		r = prove_rate(v, reps, k, EXCLUDES);
		prove_twin(prove_name("part1.twin.one-template.%s", what), r.value, 0.055, true,
			   r.se);
		prove_agrees(prove_name("part1.one-template-as-published.%s", what), r.value, r.se,
			     table[i / 3].rate[i % 3], 0.01);
		free(v);
		c.one_template = false;
		if (prove_is_short())
			continue;
		v = prove_run(prove_name("part1.fresh-template.%s", what), 4 * reps, k, equal_run,
			      &c);
		r = prove_rate(v, 4 * reps, k, EXCLUDES);
		prove_nominal(prove_name("part1.fresh-template.%s", what), &r, 0.05);
		free(v);
	}
}

/* --- a run beside a run --- */

struct runs_case {
	double run;	 /* sd between runs; trials 1 % */
	size_t n, known; /* trials of a run; comparable runs */
	double alpha;
};

static double run_mean(struct prove_rng *g, const struct runs_case *c)
{
	return c->run * prove_normal(g) + 0.01 / sqrt(c->n) * prove_normal(g);
}

/* p of the unpaired t with one variance: trials of two runs taken for the sample. */
static double unpaired_p(const double *a, const double *b, size_t n)
{
	double s = sqrt((pow(sd(a, n), 2) + pow(sd(b, n), 2)) / 2);

	return 2 * t_cdf(-fabs(mean(b, n) - mean(a, n)) / (s * sqrt(2.0 / n)), 2 * n - 2);
}

enum { ONE_A_SIDE, BY_HISTORY, BY_WELCH, RUN_FIGURES };

static void beside(struct prove_rng *g, const void *arg, double *out)
{
	const struct runs_case *c = arg;
	double a[MAX_N], b[MAX_N], h[MAX_N], ra, rb, p;

	/* The wrong way: trials as the sample. */
	ra = c->run * prove_normal(g);
	rb = c->run * prove_normal(g);
	for (size_t i = 0; i < c->n; i++) {
		a[i] = ra + 0.01 * prove_normal(g);
		b[i] = rb + 0.01 * prove_normal(g);
	}
	out[ONE_A_SIDE] = unpaired_p(a, b, c->n) < c->alpha;
	for (size_t i = 0; i < c->known; i++)
		h[i] = run_mean(g, c);
	a[0] = run_mean(g, c);
	judge_history(a, 1, h, c->known, &p);
	out[BY_HISTORY] = p < c->alpha;
	/* The same runs as two labels of equal size. */
	judge_welch(h, c->known / 2, h + c->known / 2, c->known - c->known / 2, &p);
	out[BY_WELCH] = p < c->alpha;
}

static void runs(void)
{
	static const struct {
		double sd, rate[5];
	} table[] = {{0.005, {0.10, 0.16, 0.27, 0.41, 0.55}},
		     {0.01, {0.24, 0.37, 0.54, 0.66, 0.76}},
		     {0.02, {0.48, 0.62, 0.75, 0.83, 0.87}}};
	static const size_t sizes[] = {3, 5, 10, 20, 40};
	size_t reps = prove_reps(60000, 12000), k = RUN_FIGURES;

	for (size_t i = 0; i < 15; i++) {
		struct runs_case c = {table[i / 5].sd, sizes[i % 5], COMPARE_HISTORY, 0.05};
		const char *what = prove_name("sd%g.n%zu", 100 * c.run, c.n);
		struct prove_stat r;
		double *v;

		if (prove_is_short() && i % 5 != 2)
			continue;
		v = prove_run(prove_name("part10.runs.%s", what), reps, k, beside, &c);
		r = prove_rate(v, reps, k, ONE_A_SIDE);
		prove_twin(prove_name("part10.twin.one-run-a-side.%s", what), r.value, 0.055, true,
			   r.se);
		prove_agrees(prove_name("part10.one-run-a-side-as-published.%s", what), r.value,
			     r.se, table[i / 5].rate[i % 5], 0.01);
		r = prove_rate(v, reps, k, BY_HISTORY);
		prove_nominal(prove_name("part10.eight-runs-known.%s", what), &r, 0.05);
		r = prove_rate(v, reps, k, BY_WELCH);
		prove_nominal(prove_name("part10.four-runs-a-side.%s", what), &r, 0.05);
		free(v);
	}
}

/* --- baselines: 1 % test, n = 10, sd between runs 1 % --- */

enum { ONE_RUN_NIGHT, ONE_RUN_BASELINE, SET_NIGHT, BASELINE_FIGURES };
#define NIGHTS 60
#define SET 20

static void baseline(struct prove_rng *g, const void *arg, double *out)
{
	const struct runs_case *c = arg;
	double base[MAX_N], set[SET], p, at = c->run * prove_normal(g), alarms = 0, red = 0;

	for (size_t i = 0; i < c->n; i++)
		base[i] = at + 0.01 * prove_normal(g);
	for (size_t i = 0; i < SET; i++)
		set[i] = run_mean(g, c);
	for (int night = 0; night < NIGHTS; night++) {
		double x[MAX_N], m;

		at = c->run * prove_normal(g);
		for (size_t i = 0; i < c->n; i++)
			x[i] = at + 0.01 * prove_normal(g);
		m = mean(x, c->n);
		alarms += unpaired_p(base, x, c->n) < c->alpha;
		judge_history(&m, 1, set, SET, &p);
		red += p < c->alpha;
	}
	out[ONE_RUN_NIGHT] = alarms / NIGHTS;
	out[ONE_RUN_BASELINE] = alarms >= NIGHTS / 3.0;
	out[SET_NIGHT] = red / NIGHTS;
}

static void baselines(void)
{
	struct runs_case c = {0.01, 10, SET, 0.01};
	size_t reps = prove_reps(20000, 1500), k = BASELINE_FIGURES;
	double *v = prove_run("part10.baseline", reps, k, baseline, &c);
	struct prove_stat r = prove_mean(v, reps, k, ONE_RUN_NIGHT);

	prove_twin("part10.twin.one-run-baseline.false-nights", r.value, 0.011, true, r.se);
	/* Baselines that are red on a third of all nights, from bad luck on the first. */
	r = prove_rate(v, reps, k, ONE_RUN_BASELINE);
	prove_twin("part10.twin.one-run-baseline.red-a-third-of-nights", r.value, 0.05, true, r.se);
	r = prove_mean(v, reps, k, SET_NIGHT);
	prove_nominal("part10.set-of-20-nights.false-nights", &r, 0.01);
	prove_agrees("part10.set-of-20-nights-as-published", r.value, r.se, 0.010, 0.0005);
	free(v);
}

void prove_part1(void)
{
	one_template();
}

void prove_part10(void)
{
	interleaved();
	runs();
	baselines();
}
