// SPDX-License-Identifier: GPL-2.0-or-later
/* Errors of verdicts and the sizes that they need (statistics.md, parts 4 and 5). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "stats/power.h"
#include "stats/verdict.h"
#include "shape.h"

#define MAX_N 120
#define MIN_EFFECT 0.02
#define LEVEL 0.95

struct verdict_case {
	double sd, theta, min_effect;
	size_t n;
};

enum { WORSE, BETTER, SAME, TURNED, VERDICT_FIGURES };

static void one_verdict(struct prove_rng *g, const void *arg, double *out)
{
	const struct verdict_case *c = arg;
	double a[MAX_N], b[MAX_N];
	struct interval r;
	enum verdict low, high;

	normal_pairs(g, c->sd, c->theta, c->n, a, b);
	r = ratio_interval(a, b, c->n, LEVEL, 0);
	low = verdict_ratio(&r, false, c->min_effect);
	high = verdict_ratio(&r, true, c->min_effect);
	out[WORSE] = low == VERDICT_WORSE;
	out[BETTER] = low == VERDICT_BETTER;
	out[SAME] = low == VERDICT_SAME;
	out[TURNED] = (low == VERDICT_WORSE) == (high == VERDICT_BETTER) &&
		      (low == VERDICT_BETTER) == (high == VERDICT_WORSE) &&
		      (low == VERDICT_SAME) == (high == VERDICT_SAME);
}

static void errors(void)
{
	static const double sds[] = {0.01, 0.02, 0.05};
	static const size_t sizes[] = {6, 10, 20};
	size_t reps = prove_reps(200000, 20000), k = VERDICT_FIGURES;

	for (size_t i = 0; i < 9; i++) {
		struct verdict_case c = {sds[i / 3], 0, MIN_EFFECT, sizes[i % 3]};
		const char *what = prove_name("sd%g.n%zu", 100 * c.sd, c.n);
		struct prove_stat r;
		double *v;

		/* Short: the case in which nothing is ever "same" first, so that the error is
		 * whole. */
		if (prove_is_short() && i != 7)
			continue;
		v = prove_run(prove_name("part4.null.%s", what), reps, k, one_verdict, &c);
		r = prove_rate(v, reps, k, WORSE);
		prove_nominal(prove_name("part4.equal-called-worse.%s", what), &r, 0.025);
		r = prove_rate(v, reps, k, BETTER);
		prove_nominal(prove_name("part4.equal-called-better.%s", what), &r, 0.025);
		r = prove_mean(v, reps, k, TURNED);
		prove_equal(prove_name("part4.direction-turns.%s", what), r.value, 1);
		free(v);
		for (int sign = -1; sign <= 1; sign += 2) {
			struct verdict_case m = c;

			m.theta = sign * log1p(MIN_EFFECT);
			m.sd = sds[i / 3] / 5; /* small enough for "same" to be said at all */
			v = prove_run(prove_name("part4.edge.%s.%d", what, sign), reps, k,
				      one_verdict, &m);
			r = prove_rate(v, reps, k, SAME);
			prove_nominal(prove_name("part4.min-effect-called-same.sd%g.n%zu.%s",
						 100 * m.sd, m.n, sign < 0 ? "better" : "worse"),
				      &r, 0.025);
			free(v);
		}
	}
}

/* +20 % latency is never a gain, whatever else is drawn. */
static void never_a_gain(void)
{
	struct verdict_case c = {0.05, log(1.2), MIN_EFFECT, 6};
	size_t reps = prove_reps(100000, 5000), k = VERDICT_FIGURES;
	double *v = prove_run("part4.plus20", reps, k, one_verdict, &c);
	struct prove_stat r = prove_rate(v, reps, k, BETTER);

	prove_figure("part4.plus20-called-better", r.value, 0.002, true, r.se);
	r = prove_rate(v, reps, k, WORSE);
	prove_figure("part4.plus20-called-worse", r.value, 0.90, false, r.se);
	free(v);
}

/* --- forecasts --- */

/* Whether the range holds the number that the true sigma would give for the same mean. */
static void forecasts(struct prove_rng *g, const void *arg, double *out)
{
	const struct verdict_case *c = arg;
	double a[MAX_N], b[MAX_N], mid, sigma = M_SQRT2 * c->sd;
	struct interval r;
	struct forecast f, truth;

	normal_pairs(g, c->sd, c->theta, c->n, a, b);
	r = ratio_interval(a, b, c->n, LEVEL, 0);
	mid = log(r.mid);
	f = verdict_forecast(mid, r.sd, c->n, log1p(c->min_effect), 0, LEVEL);
	truth = verdict_forecast(mid, sigma, c->n, log1p(c->min_effect), 1e5, LEVEL);
	out[0] = f.known;
	/* A verdict that stands already needs no forecast; nor would the truth's. */
	out[1] = f.hi && truth.hi ? f.lo <= truth.hi && truth.lo <= f.hi : NAN;
}

static void forecast_ranges(void)
{
	static const struct {
		size_t n;
		double lo, hi;
	} table[] = {{3, 0.52, 6.3}, {6, 0.62, 2.45}, {10, 0.69, 1.83}};
	size_t reps = prove_reps(20000, 1000);

	for (size_t i = 0; i < 3; i++) {
		double df = table[i].n - 1;

		prove_near(prove_name("part4.sigma-over-s.low.n%zu", table[i].n),
			   sqrt(df / chi2_quantile(0.975, df)), table[i].lo, 0.0051);
		prove_near(prove_name("part4.sigma-over-s.high.n%zu", table[i].n),
			   sqrt(df / chi2_quantile(0.025, df)), table[i].hi, 0.051);
	}
	for (size_t n = 5; n <= 10; n++) {
		struct verdict_case c = {0.05, 0.03, MIN_EFFECT, n};
		struct prove_stat known, r;
		double *v;

		if (n > 6 && n < 10)
			continue;
		v = prove_run(prove_name("part4.forecast.n%zu", n), reps, 2, forecasts, &c);
		known = prove_mean(v, reps, 2, 0);
		r = prove_rate(v, reps, 2, 1);
		prove_equal(prove_name("part4.forecast-is-made.n%zu", n), known.value, n >= 6);
		if (n >= 6)
			prove_figure(prove_name("part4.forecast-holds-the-truth.n%zu", n), r.value,
				     0.93, false, r.se);
		free(v);
	}
}

void prove_part4(void)
{
	errors();
	never_a_gain();
	forecast_ranges();
}

/* --- part 5 --- */

/*
 * The two-sided rows up to an sd of 5 % are for 3, 5, 10 % more, all others for 3, 5, 10 % less
 * (which is more in logs, by a tenth at 10 %, and so takes fewer pairs).
 */
static void sizes_of_pairs(void)
{
	static const double effects[] = {0.03, 0.05, 0.10};
	static const struct {
		double sd, alpha, power;
		bool one_sided;
		int sign;
		unsigned n[3];
	} table[] = {
		{0.01, 0.05, 0.8, false, 1, {5, 3, 3}},
		{0.01, 0.05, 0.9, false, 1, {5, 4, 3}},
		{0.02, 0.05, 0.8, false, 1, {10, 5, 3}},
		{0.02, 0.05, 0.9, false, 1, {12, 6, 4}},
		{0.05, 0.05, 0.8, false, 1, {47, 19, 7}},
		{0.05, 0.05, 0.9, false, 1, {63, 25, 8}},
		{0.01, 0.01, 0.9, false, 1, {7, 5, 4}},
		{0.02, 0.01, 0.9, false, 1, {18, 9, 5}},
		{0.05, 0.01, 0.9, false, 1, {89, 35, 12}},
		{0.01, 0.001, 0.9, true, -1, {9, 6, 4}},
		{0.02, 0.001, 0.9, true, -1, {22, 11, 6}},
		{0.05, 0.001, 0.9, true, -1, {108, 42, 14}},
		{0.01, 0.0001, 0.9, true, -1, {12, 8, 6}},
		{0.02, 0.0001, 0.9, true, -1, {29, 15, 8}},
		{0.05, 0.0001, 0.9, true, -1, {142, 55, 18}},
		{0.06, 0.01, 0.9, false, -1, {119, 45, 14}},
		{0.10, 0.01, 0.9, false, -1, {325, 117, 31}},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		for (size_t e = 0; e < 3; e++)
			prove_equal(prove_name("part5.pairs.sd%g.alpha%g.power%g.effect%g",
					       100 * table[i].sd, 100 * table[i].alpha,
					       100 * table[i].power,
					       table[i].sign * 100 * effects[e]),
				    pairs_for(table[i].sign * effects[e], table[i].sd,
					      table[i].alpha, table[i].one_sided, table[i].power),
				    table[i].n[e]);
}

static void sizes_of_effects(void)
{
	static const struct {
		unsigned n;
		double effect[3], round[3];
	} table[] = {{3, {4.6, 9.2, 23}, {0.2, 0.4, 2}},
		     {6, {2.1, 4.1, 10}, {0.08, 0.11, 0.6}},
		     {10, {1.4, 2.8, 7.0}, {0.06, 0.06, 0.25}}};
	static const double sds[] = {0.01, 0.02, 0.05};

	/* The table has logs, the function ratios less 1: compared as logs. */
	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < 3; j++)
			prove_near(
				prove_name("part5.effect-seen.n%u.sd%g", table[i].n, 100 * sds[j]),
				100 * log1p(effect_seen(sds[j], table[i].n, 0.05, false, 0.8)),
				table[i].effect[j], table[i].round[j]);
}

static void sizes_of_same(void)
{
	static const struct {
		double over; /* sd in units of min_effect */
		unsigned n80, n90;
	} table[] = {{1, 24, 28}, {0.5, 8, 9}, {1 / 3.0, 5, 6}, {2, 87, 106}};

	/* sd = m on the log scale. Five pairs at a third have a power of 87.8 %. */
	for (size_t i = 0; i < 4; i++) {
		double sd = table[i].over * log1p(MIN_EFFECT);

		prove_equal(prove_name("part5.pairs-for-same.sd%.2g.power80", table[i].over),
			    pairs_for_same(MIN_EFFECT, sd, 0.8), table[i].n80);
		prove_equal(prove_name("part5.pairs-for-same.sd%.2g.power90", table[i].over),
			    pairs_for_same(MIN_EFFECT, sd, 0.9), table[i].n90);
	}
}

/* The formula against trials: the share found is the power that it says. */
static void power_is_real(void)
{
	static const struct {
		double sd, effect;
		size_t n;
	} table[] = {{0.02, 0.03, 10}, {0.05, 0.05, 25}, {0.01, 0.05, 3}};
	size_t reps = prove_reps(100000, 4000), k = VERDICT_FIGURES;

	for (size_t i = 0; i < 3; i++) {
		/* A tiny min_effect: no interval is "same", so that each that excludes 1 counts. */
		struct verdict_case c = {table[i].sd, log1p(table[i].effect), 1e-9, table[i].n};
		const char *name = prove_name("part5.power.sd%g.effect%g.n%zu", 100 * c.sd,
					      100 * table[i].effect, c.n);
		double *v = prove_run(name, reps, k, one_verdict, &c);
		struct prove_stat r = prove_rate(v, reps, k, WORSE);

		prove_agrees(name, r.value, r.se,
			     power_pairs(table[i].effect, c.sd, c.n, 0.05, false), 0.0005);
		free(v);
	}
}

static void same_is_real(void)
{
	size_t reps = prove_reps(100000, 4000), k = VERDICT_FIGURES, n;

	for (int p = 80; p <= 90; p += 10) {
		struct verdict_case c = {MIN_EFFECT / 2, 0, MIN_EFFECT, 0};
		const char *name = prove_name("part5.same-is-said.power%d", p);
		struct prove_stat r;
		double *v;

		c.n = n = pairs_for_same(MIN_EFFECT, c.sd, p / 100.0);
		v = prove_run(name, reps, k, one_verdict, &c);
		r = prove_rate(v, reps, k, SAME);
		prove_figure(name, r.value, p / 100.0 - 0.01, false, r.se);
		free(v);
		/* And one block fewer does not do. */
		c.n = n - 1;
		v = prove_run(prove_name("%s.less", name), reps, k, one_verdict, &c);
		r = prove_rate(v, reps, k, SAME);
		prove_figure(prove_name("part5.same-is-not-said-sooner.power%d", p), r.value,
			     p / 100.0 + (prove_is_short() ? 0.03 : 0.01), true, r.se);
		free(v);
	}
}

void prove_part5(void)
{
	sizes_of_pairs();
	sizes_of_effects();
	sizes_of_same();
	power_is_real();
	same_is_real();
}
