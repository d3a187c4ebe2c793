// SPDX-License-Identifier: GPL-2.0-or-later
/* The gate's two stages, exact limits of shares, bisection, and the change points of their own file
 * (statistics.md, parts 11 to 14). */
#include <math.h>
#include <stdlib.h>
#include "bisect/wald.h"
#include "gate/judge.h"
#include "stats/power.h"
#include "shape.h"
#include "sim_change.h"

#define SERIES 24
#define MAX_N 60
#define MAX_CAP 4000

struct night_case {
	struct gate_rule rule;
	double sd, effect; /* of series 0: less, as the table has it */
	bool reuse;	   /* stage 2 judges the blocks of stage 1 again */
};

enum { RED, FOUND, SUSPECTS, NIGHT_FIGURES };

static struct gate_stage stage(struct prove_rng *g, double sd, double theta, size_t n)
{
	double a[MAX_N], b[MAX_N];

	/* Bandwidth-like: less is worse. */
	normal_pairs(g, sd, theta, n, a, b);
	return gate_stage_of(a, b, n, true, 0);
}

static void night(struct prove_rng *g, const void *arg, double *out)
{
	const struct night_case *c = arg;
	struct gate_stage confirm[SERIES];
	double p[SERIES];
	int suspect[SERIES], shown[SERIES];

	out[RED] = out[SUSPECTS] = 0;
	for (size_t i = 0; i < c->rule.series; i++) {
		double theta = i ? 0 : log1p(-c->effect);
		struct gate_stage first = stage(g, c->sd, theta, c->rule.blocks);

		suspect[i] = gate_suspect(&first);
		confirm[i] = first;
		out[SUSPECTS] += suspect[i] > 0;
		if (suspect[i] && !c->reuse)
			confirm[i] = stage(g, c->sd, theta, c->rule.confirm);
	}
	gate_confirm(&c->rule, confirm, suspect, c->rule.series, p, shown);
	for (size_t i = 0; i < c->rule.series; i++)
		if (shown[i] > 0)
			out[RED] = 1;
	out[FOUND] = shown[0] > 0;
}

/* The rate at which gate_level() allows stage 2 its 1 %, as in part 11's table. */
static struct gate_rule table_rule(unsigned blocks, unsigned confirm)
{
	return (struct gate_rule){blocks, confirm, 0.05, 0.9, SERIES};
}

static void found(void)
{
	static const struct {
		unsigned blocks, confirm;
		double sd, found[3];
	} table[] = {{6, 12, 0.01, {1, 1, 1}},
		     {6, 12, 0.02, {0.56, 0.99, 1}},
		     {10, 20, 0.02, {0.92, 1, 1}},
		     {10, 20, 0.05, {0.09, 0.47, 1}},
		     {20, 40, 0.05, {0.33, 0.92, 1}}};
	static const double effects[] = {0.03, 0.05, 0.10};
	size_t reps = prove_reps(6000, 300), k = NIGHT_FIGURES;

	for (size_t i = 0; i < 15; i++) {
		struct night_case c = {table_rule(table[i / 3].blocks, table[i / 3].confirm),
				       table[i / 3].sd, effects[i % 3], false};
		const char *name =
			prove_name("part11.found.blocks%u+%u.sd%g.effect%g", c.rule.blocks,
				   c.rule.confirm, 100 * c.sd, 100 * c.effect);
		struct prove_stat r;
		double *v;

		if (prove_is_short() && i != 4 && i != 6 && i != 10)
			continue;
		v = prove_run(name, reps, k, night, &c);
		r = prove_rate(v, reps, k, FOUND);
		prove_agrees(name, r.value, r.se, table[i / 3].found[i % 3], 0.015);
		free(v);
	}
}

static void false_nights(void)
{
	size_t reps = prove_reps(100000, 1200), k = NIGHT_FIGURES;
	struct night_case c = {table_rule(6, 12), 0.02, 0, false};
	double *v = prove_run("part11.false", reps, k, night, &c);
	struct prove_stat r = prove_rate(v, reps, k, RED);

	prove_figure("part11.false-nights.24-series", r.value, prove_is_short() ? 0.025 : 0.011,
		     true, r.se);
	r = prove_mean(v, reps, k, SUSPECTS);
	prove_agrees("part11.false-suspects.24-series", r.value, r.se, SERIES * GATE_SCREEN, 0);
	free(v);
	c.reuse = true;
	reps = prove_reps(5000, 600);
	v = prove_run("part11.reuse", reps, k, night, &c);
	r = prove_rate(v, reps, k, RED);
	prove_twin("part11.twin.first-blocks-judged-again", r.value, 0.011, true, r.se);
	free(v);
}

struct one_stage {
	struct gate_rule rule;
};

enum { FIRST, SECOND, STAGE_FIGURES };

static void both_stages(struct prove_rng *g, const void *arg, double *out)
{
	const struct one_stage *c = arg;
	struct gate_stage a = stage(g, 0.02, 0, c->rule.blocks),
			  b = stage(g, 0.02, 0, c->rule.confirm);
	int suspect = 1, shown = 0;
	double p;

	out[FIRST] = gate_suspect(&a) > 0;
	gate_confirm(&c->rule, &b, &suspect, 1, &p, &shown);
	out[SECOND] = shown > 0;
}

/*
 * The rate of a profile, 1 % of false alarms in 90 nights, is one of small chances: each stage has
 * blocks of its own, so they multiply. With one series that is exact; with 24 the bound is
 * arithmetic.
 */
static void ninety_nights(void)
{
	struct one_stage c = {{10, 20, 0.05, 0.01, 1}};
	struct gate_rule many = {10, 20, 0.05, 0.01, SERIES};
	size_t reps = prove_reps(1500000, 60000);
	double *v = prove_run("part11.stages", reps, STAGE_FIGURES, both_stages, &c), night_rate;
	struct prove_stat a = prove_rate(v, reps, STAGE_FIGURES, FIRST);
	struct prove_stat b = prove_rate(v, reps, STAGE_FIGURES, SECOND);

	prove_agrees("part11.stage1.false", a.value, a.se, GATE_SCREEN, 0);
	prove_agrees("part11.stage2.false", b.value, b.se, gate_level(&c.rule), 0);
	night_rate = a.value * b.value;
	prove_figure("part11.90-nights.1-series", 1 - pow(1 - night_rate, GATE_NIGHTS),
		     prove_is_short() ? 0.02 : 0.011, true,
		     GATE_NIGHTS * night_rate * (a.se / a.value + b.se / b.value));
	/* 0.01 / 90 of a night that surely has a suspect */
	prove_near("part11.level.24-series", gate_level(&many), 0.01 / 90, 1e-9);
	prove_figure("part11.90-nights-bound.24-series", gate_rate_bound(&many), 0.01 + 1e-12, true,
		     0);
	free(v);
}

/* What the gate says it can see, it finds. */
static void seen(void)
{
	struct night_case c = {{10, 20, 0.05, 0.01, SERIES}, 0.02, 0, false};
	size_t reps = prove_reps(6000, 500), k = NIGHT_FIGURES;
	struct prove_stat r;
	double *v;

	/* Its effect is a share of harm; here less is worse, a little more in logs. */
	c.effect = 1 - 1 / (1 + gate_seen(&c.rule, c.sd, 0.8));
	v = prove_run("part11.seen", reps, k, night, &c);
	r = prove_rate(v, reps, k, FOUND);
	prove_figure("part11.what-is-seen-is-found.power80", r.value,
		     prove_is_short() ? 0.74 : 0.78, false, r.se);
	free(v);
}

void prove_part11(void)
{
	found();
	false_nights();
	ninety_nights();
	seen();
}

void prove_part12(void)
{
	sim_change_prove();
}

/* --- part 13 --- */

static double binomial_at(size_t k, size_t n, double p)
{
	return exp(lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0) + k * log(p) +
		   (n - k) * log1p(-p));
}

/* Smallest coverage over many true shares, by enumeration. */
static double least_coverage(size_t n)
{
	double least = 1, lo[301], hi[301];

	for (size_t k = 0; k <= n; k++)
		binomial_limits(k, n, 0.95, &lo[k], &hi[k]);
	for (double p = 0.002; p < 1; p += 0.00731) {
		double sum = 0;

		for (size_t k = 0; k <= n; k++)
			if (lo[k] <= p && p <= hi[k])
				sum += binomial_at(k, n, p);
		least = fmin(least, sum);
	}
	return least;
}

void prove_part13(void)
{
	static const struct {
		size_t k, n;
		bool upper;
		double limit, round;
	} table[] = {{0, 10, true, 0.26, 0.005},
		     {0, 60, true, 0.05, 0.005},
		     {0, 299, true, 0.01, 0.0005},
		     {28, 30, false, 0.80, 0.006},
		     {30, 30, false, 0.90, 0.006}};

	/* Limits of one side at 95 % are those of two at 90 %. */
	for (size_t i = 0; i < 5; i++) {
		double lo, hi;

		binomial_limits(table[i].k, table[i].n, 0.90, &lo, &hi);
		prove_near(prove_name("part13.limit.%zu-of-%zu", table[i].k, table[i].n),
			   table[i].upper ? hi : lo, table[i].limit, table[i].round);
	}
	for (size_t n = 10; n <= 300; n *= 5)
		prove_figure(prove_name("part13.coverage.n%zu", n), least_coverage(n), 0.95, false,
			     0);
	prove_bank_figures();
}

/* --- part 14 --- */

struct wald_case {
	double sd, step, error, df;
	unsigned min;
	bool bad;
};

enum { PAIRS, WRONG_ANSWER, NO_ANSWER, WALD_FIGURES };

static void wald_step(struct prove_rng *g, const void *arg, double *out)
{
	const struct wald_case *c = arg;
	double sigma = M_SQRT2 * c->sd, s = sigma, delta = log1p(c->step);
	enum wald_answer a = WALD_MORE;
	struct wald w;

	if (isfinite(c->df)) {
		double sum = 0;

		for (int i = 0; i < c->df; i++) {
			double z = prove_normal(g);

			sum += z * z;
		}
		s = sigma * sqrt(sum / c->df);
	}
	wald_begin(&w, delta, s, c->df, c->error, c->min, MAX_CAP);
	while (a == WALD_MORE)
		a = wald_add(&w, (c->bad ? delta : 0) + sigma * prove_normal(g));
	out[PAIRS] = w.n;
	out[WRONG_ANSWER] = a == (c->bad ? WALD_GOOD : WALD_BAD);
	out[NO_ANSWER] = a == WALD_UNDECIDED;
}

static void pairs_a_step(void)
{
	static const double steps[] = {0.03, 0.05, 0.10}, sds[] = {0.01, 0.02, 0.05};
	/* As printed: whole pairs. */
	static const double mean_pairs[3][3] = {{3, 2, 1}, {10, 4, 2}, {59, 22, 6}};
	static const double top[3][3] = {{NAN, NAN, NAN}, {22, 8, NAN}, {128, 48, 13}};
	double error = wald_step_error(0.05, 256);
	size_t reps = prove_reps(40000, 2000), k = WALD_FIGURES;

	prove_near("part14.step-error", error, 0.05 / 8, 1e-15);
	for (size_t i = 0; i < 9; i++) {
		struct wald_case c = {sds[i / 3], steps[i % 3], error, INFINITY, 1, i % 2};
		const char *what = prove_name("sd%g.step%g", 100 * c.sd, 100 * c.step);
		struct prove_stat r;
		double *v;

		if (prove_is_short() && i != 3 && i != 7)
			continue;
		v = prove_run(prove_name("part14.%s", what), reps, k, wald_step, &c);
		r = prove_mean(v, reps, k, PAIRS);
		prove_agrees(prove_name("part14.pairs.%s", what), r.value, r.se,
			     mean_pairs[i / 3][i % 3], 0.5 + 0.03 * mean_pairs[i / 3][i % 3]);
		if (!isnan(top[i / 3][i % 3])) {
			r = prove_percentile(v, reps, k, PAIRS, 0.95);
			prove_agrees(prove_name("part14.pairs-95th.%s", what), r.value, r.se,
				     top[i / 3][i % 3], 1 + 0.03 * top[i / 3][i % 3]);
		}
		r = prove_rate(v, reps, k, WRONG_ANSWER);
		prove_nominal(prove_name("part14.wrong.known-sd.%s", what), &r, error);
		free(v);
	}
}

/* As the product does it: the spread from the ends, at least four pairs. */
static void sd_from_the_ends(void)
{
	double error = wald_step_error(0.05, 256);
	size_t reps = prove_reps(40000, 4000), k = WALD_FIGURES;

	for (int df = 5; df <= 20; df += 15)
		for (int bad = 0; bad < 2; bad++) {
			struct wald_case c = {0.02, 0.05, error, df, WALD_MIN_PAIRS, bad};
			const char *name =
				prove_name("part14.wrong.sd-of-%d-df.%s", df, bad ? "bad" : "good");
			double *v = prove_run(name, reps, k, wald_step, &c);
			struct prove_stat r = prove_rate(v, reps, k, WRONG_ANSWER);

			prove_figure(name, r.value, error * (prove_is_short() ? 1.6 : 1.1), true,
				     r.se);
			free(v);
		}
}

struct bisect_case {
	size_t builds, culprit;
	double sd, step;
};

/* Builds 0 (good) to N - 1 (bad), halved; ends known. */
static void bisection(struct prove_rng *g, const void *arg, double *out)
{
	const struct bisect_case *c = arg;
	double error = wald_step_error(0.05, c->builds);
	size_t good = 0, bad = c->builds - 1;

	while (bad - good > 1) {
		size_t mid = good + (bad - good) / 2;
		struct wald_case w = {c->sd, c->step, error, 10, WALD_MIN_PAIRS, mid >= c->culprit};
		double r[WALD_FIGURES];

		wald_step(g, &w, r);
		if ((r[WRONG_ANSWER] > 0) != w.bad)
			bad = mid;
		else
			good = mid;
	}
	out[0] = bad != c->culprit;
}

void prove_part14(void)
{
	struct bisect_case c = {256, 77, 0.02, 0.05};
	size_t reps = prove_reps(20000, 1000);
	struct prove_stat r;
	double *v;

	pairs_a_step();
	sd_from_the_ends();
	v = prove_run("part14.bisection", reps, 1, bisection, &c);
	r = prove_rate(v, reps, 1, 0);
	prove_figure("part14.bisection-of-256-wrong", r.value, 0.05, true, r.se);
	free(v);
}
