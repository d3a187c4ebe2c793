/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The figures that the choice of methods rests on, simulated anew with fixed seeds: coverage of
 * Student's interval of paired logs where the percentile bootstrap and Welch's test go wrong,
 * templates that are not renewed, main effects against pairs, many comparisons. Expected values are
 * those of the simulations by which the methods were chosen (notes on methods, parts 1, 2, 3 and 7;
 * standard error of a rate 0.1 to 0.4 points), made by another program. A rate passes when its 99 %
 * binomial interval reaches the figure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include "stats/stats.h"

/* xorshift64* [Marsaglia 2003; Vigna 2016], seeded by each test, so that tests do not depend on
 * each other. */
struct rng {
	uint64_t s;
};

static double uniform(struct rng *g)
{
	g->s ^= g->s >> 12;
	g->s ^= g->s << 25;
	g->s ^= g->s >> 27;
	return ((g->s * 0x2545f4914f6cdd1dull >> 11) + 0.5) * 0x1p-53;
}

static double normal(struct rng *g)
{
	return sqrt(-2 * log(uniform(g))) * cos(2 * M_PI * uniform(g));
}

/* Student's t with 3 degrees of freedom, scaled to unit variance. */
static double heavy(struct rng *g)
{
	double a = normal(g), b = normal(g), c = normal(g);

	return normal(g) / sqrt((a * a + b * b + c * c) / 3) / sqrt(3);
}

enum errors { NORMAL, HEAVY, SPOILED_BOTH, SPOILED_ONE };

/* Log of a trial: 5 % of blocks, then the trial's own error; spoiled: 5 % of trials 20 % slow. */
static double trial(struct rng *g, enum errors kind, double s, double block, bool second)
{
	double e = s * (kind == HEAVY ? heavy(g) : normal(g));

	if ((kind == SPOILED_BOTH || (kind == SPOILED_ONE && second)) && uniform(g) < 0.05)
		e += log(1.2);
	return block + e;
}

static void pairs(struct rng *g, enum errors kind, double s, size_t n, double *a, double *b)
{
	for (size_t i = 0; i < n; i++) {
		double block = 0.05 * normal(g);

		a[i] = exp(trial(g, kind, s, block, false));
		b[i] = exp(trial(g, kind, s, block, true));
	}
}

static bool covers(struct interval i, double truth)
{
	return i.lo <= truth && truth <= i.hi;
}

/* Is the rate k/n within lo..hi (in percent), give or take 2.576 standard errors? */
static void rate(const char *what, double k, double n, double lo, double hi)
{
	double p = k / n, e = 2.576 * sqrt(p * (1 - p) / n);

	if (!(p + e >= lo / 100 && p - e <= hi / 100))
		fail_msg("%s: %.2f +- %.2f %%, should be %g to %g", what, 100 * p, 100 * e, lo, hi);
}

static double t_coverage(uint64_t seed, enum errors kind, double s, size_t n, size_t reps)
{
	struct rng g = {seed};
	double a[20], b[20], k = 0;

	for (size_t i = 0; i < reps; i++) {
		pairs(&g, kind, s, n, a, b);
		k += covers(ratio_interval(a, b, n, 0.95, 0), 1);
	}
	return k;
}

static void student_covers(void **state)
{
	static const size_t n[] = {3, 5, 10, 20};

	(void)state;
	rate("n = 5, sd 5 %", t_coverage(1, NORMAL, 0.05, 5, 200000), 200000, 94.8, 95.2);
	for (size_t i = 0; i < 4; i++) {
		rate("normal 2 %", t_coverage(2 + i, NORMAL, 0.02, n[i], 40000), 40000, 94.8, 95.2);
		rate("t, 3 df", t_coverage(12 + i, HEAVY, 0.02, n[i], 20000), 20000, 95.5, 96.0);
		rate("5 % spoiled in both", t_coverage(22 + i, SPOILED_BOTH, 0.02, n[i], 20000),
		     20000, 96.2, 98.2);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The wrong twin: percentile bootstrap of the mean log difference, which is called 95 % as well. */
static double bootstrap_coverage(uint64_t seed, size_t n, size_t reps)
{
	enum { DRAWS = 399 };
	struct rng g = {seed};
	double a[20], b[20], d[20], m[DRAWS], k = 0;

	for (size_t i = 0; i < reps; i++) {
		pairs(&g, NORMAL, 0.05, n, a, b);
		for (size_t j = 0; j < n; j++)
			d[j] = log(b[j] / a[j]);
		for (size_t r = 0; r < DRAWS; r++) {
			m[r] = 0;
			for (size_t j = 0; j < n; j++)
				m[r] += d[(size_t)(uniform(&g) * n)] / n;
		}
		qsort(m, DRAWS, sizeof(*m), by_value);
		k += m[9] <= 0 && 0 <= m[389]; /* ranks 10 and 390 of 399: 2.5 and 97.5 % */
	}
	return k;
}

static void bootstrap_fails(void **state)
{
	(void)state;
	rate("n = 3", bootstrap_coverage(31, 3, 2000), 2000, 73, 76);
	rate("n = 5", bootstrap_coverage(32, 5, 4000), 4000, 83, 85);
	rate("n = 10", bootstrap_coverage(33, 10, 2000), 2000, 89.5, 90.5);
}

/* The other wrong twin: unpaired Welch throws the blocks away. Trial sd 2 %, block sd 5 %, n = 10.
 */
static void welch_is_wasteful(void **state)
{
	enum { N = 10, REPS = 10000 };
	struct rng g = {41};
	double a[N], b[N], k = 0, paired = 0, unpaired = 0;

	(void)state;
	for (size_t i = 0; i < REPS; i++) {
		double va, vb, se, df, half, d;
		struct interval r;

		pairs(&g, NORMAL, 0.02, N, a, b);
		r = ratio_interval(a, b, N, 0.95, 0);
		paired += log(r.hi / r.lo);
		for (size_t j = 0; j < N; j++) {
			a[j] = log(a[j]);
			b[j] = log(b[j]);
		}
		va = pow(sd(a, N), 2) / N;
		vb = pow(sd(b, N), 2) / N;
		se = sqrt(va + vb);
		df = (va + vb) * (va + vb) / ((va * va + vb * vb) / (N - 1));
		half = t_quantile(0.975, df) * se;
		d = mean(b, N) - mean(a, N);
		k += fabs(d) <= half;
		unpaired += 2 * half;
	}
	rate("Welch", k, REPS, 99.6, 100);
	assert_true(unpaired / paired > 2.35 && unpaired / paired < 2.65);
}

/*
 * One cell alone has spoiled trials, sd 1 %: Student's interval still holds for the typical pair
 * (95.5-96.7), but not for the mean, whose true value it misses (62-89 in the notes, which do not
 * name the sd; with 1 % n = 3 gives 91). That is why the estimand is the typical trial.
 */
static void spoiled_in_one(void **state)
{
	enum { REPS = 20000 };
	static const size_t n[] = {3, 5, 10, 20};
	const double mean_ratio = exp(0.05 * log(1.2));

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct rng g = {51 + i};
		double a[20], b[20], typical = 0, average = 0;

		for (size_t j = 0; j < REPS; j++) {
			struct interval r;

			pairs(&g, SPOILED_ONE, 0.01, n[i], a, b);
			r = ratio_interval(a, b, n[i], 0.95, 0);
			typical += covers(r, 1);
			average += covers(r, mean_ratio);
		}
		rate("typical pair", typical, REPS, 95.5, 96.7);
		rate("mean", average, REPS, 62, 92);
	}
}

struct hl_result {
	double covered, hl_width, t_width;
};

static struct hl_result hl_run(uint64_t seed, enum errors kind, double s, size_t n, size_t reps)
{
	struct rng g = {seed};
	struct hl_result r = {0, 0, 0};
	double a[20], b[20], d[20];

	for (size_t i = 0; i < reps; i++) {
		struct interval h, t;

		pairs(&g, kind, s, n, a, b);
		for (size_t j = 0; j < n; j++)
			d[j] = log(b[j] / a[j]);
		h = hodges_lehmann(d, n, 0.95);
		t = t_interval(d, n, 0.95, 0);
		r.covered += covers(h, 0);
		r.hl_width += h.hi - h.lo;
		r.t_width += t.hi - t.lo;
	}
	return r;
}

static void hodges_lehmann_holds(void **state)
{
	static const size_t n[] = {6, 8, 10, 15, 20};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct hl_result r = hl_run(61 + i, NORMAL, 0.02, n[i], 10000);

		rate("Hodges-Lehmann", r.covered, 10000, 94.9, 96.9);
		if (n[i] >= 10)
			assert_true(fabs(r.hl_width / r.t_width - 1.03) < 0.015);
	}
}

/* statistics.md part 1: trial sd 1 %; two builds that are one and the same, each with a template
 * (or one a block). */
static double template_alarms(uint64_t seed, double s, size_t n, bool fresh, size_t reps)
{
	struct rng g = {seed};
	double d[20], k = 0;

	for (size_t i = 0; i < reps; i++) {
		double shift = 0;

		for (size_t j = 0; j < n; j++) {
			if (fresh || !j)
				shift = s * (normal(&g) - normal(&g));
			d[j] = shift + 0.01 * (normal(&g) - normal(&g));
		}
		k += !covers(t_interval(d, n, 0.95, 0), 0);
	}
	return k;
}

static void one_template_alarms(void **state)
{
	static const struct {
		double s, rate[3];
	} rows[] = {{0.0025, {8, 11, 18}},
		    {0.005, {16, 26, 40}},
		    {0.01, {38, 51, 65}},
		    {0.02, {63, 73, 82}}};
	static const size_t n[] = {6, 10, 20};
	const size_t reps = 10000;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < 3; j++) {
			double want = rows[i].rate[j]; /* printed in whole percents */

			rate("one template",
			     template_alarms(71 + i * 3 + j, rows[i].s, n[j], false, reps), reps,
			     want - 0.5, want + 0.5);
			rate("fresh", template_alarms(91 + i * 3 + j, rows[i].s, n[j], true, reps),
			     reps, 4.5, 5.5);
		}
}

/* A 2 x 2 x 3 matrix of logs, ya/yb the six combinations at either level of the first axis, in
 * three blocks. */
struct matrix {
	double cell[12][3], ya[18], yb[18];
};

static void matrix_draw(struct rng *g, struct matrix *m, const double *s)
{
	double block[3] = {0.05 * normal(g), 0.05 * normal(g), 0.05 * normal(g)};

	for (size_t c = 0; c < 12; c++)
		for (size_t k = 0; k < 3; k++) {
			m->cell[c][k] = block[k] + s[c] * normal(g);
			if (c < 6)
				m->ya[k * 6 + c] = exp(m->cell[c][k]);
			else
				m->yb[k * 6 + c - 6] = exp(m->cell[c][k]);
		}
}

/* Median half-widths in units of the trial sd: a pair's t 2.9, main effect 1.2, with pooled
 * residuals 0.68. */
static void main_effects_are_narrow(void **state)
{
	enum { REPS = 6001 };
	static double pair[REPS], effect[REPS], pooled[REPS];
	double s[12], covered = 0;
	struct rng g = {101};
	struct matrix m;

	(void)state;
	for (size_t c = 0; c < 12; c++)
		s[c] = 0.01;
	for (size_t i = 0; i < REPS; i++) {
		struct interval p, f;
		struct two_way w;

		matrix_draw(&g, &m, s);
		p = diff_interval(m.cell[0], m.cell[6], 3, 0.95);
		f = main_effect(m.ya, m.yb, 3, 6, 0.95);
		w = two_way_fit(&m.cell[0][0], 12, 3);
		assert_int_equal(w.df, 22);
		pair[i] = (p.hi - p.lo) / 2 / 0.01;
		effect[i] = log(f.hi / f.lo) / 2 / 0.01;
		/* difference of two means of 18 values each */
		pooled[i] = t_quantile(0.975, 22) * w.residual_sd * sqrt(2 / 18.0) / 0.01;
		covered += covers(f, 1);
	}
	assert_true(fabs(median(pair, REPS) - 2.9) < 0.08);
	assert_true(fabs(median(effect, REPS) - 1.2) < 0.05);
	assert_true(fabs(median(pooled, REPS) - 0.68) < 0.02);
	rate("main effect", covered, REPS, 94.8, 95.2);
}

/* Ten cells of 1 %, two of 5 %: per-block contrasts stay valid; an interval of the noisy pair from
 * pooled residuals does not. */
static void unequal_sd(void **state)
{
	enum { REPS = 20000 };
	double s[12], covered = 0, pooled = 0;
	struct rng g = {111};
	struct matrix m;

	(void)state;
	for (size_t c = 0; c < 12; c++)
		s[c] = c == 0 || c == 6 ? 0.05 : 0.01;
	for (size_t i = 0; i < REPS; i++) {
		struct two_way w;
		double half;

		matrix_draw(&g, &m, s);
		covered += covers(main_effect(m.ya, m.yb, 3, 6, 0.95), 1);
		w = two_way_fit(&m.cell[0][0], 12, 3);
		half = t_quantile(0.975, w.df) * w.residual_sd * sqrt(2 / 3.0);
		pooled += fabs(mean(m.cell[6], 3) - mean(m.cell[0], 3)) <= half;
	}
	rate("main effect", covered, REPS, 94.8, 95.2);
	rate("pooled", pooled, REPS, 60.5, 61.5);
}

/*
 * Eleven cells against a reference under two independent metrics, 3 blocks, nothing differs. Any
 * marked: 60 % by each interval for itself, 4-5 % by Holm over all 22.
 */
static void holm_holds_the_family(void **state)
{
	enum { REPS = 5000, CELLS = 11 };
	struct rng g = {121};
	double naive = 0, held = 0, reference[3], cell[3];

	(void)state;
	for (size_t i = 0; i < REPS; i++) {
		double p[2 * CELLS], least = 1, least_held = 1;

		for (size_t j = 0; j < 2 * CELLS; j++) {
			struct interval r;

			for (size_t k = 0; k < 3; k++) {
				if (j % CELLS == 0)
					reference[k] = exp(0.01 * normal(&g));
				cell[k] = exp(0.01 * normal(&g));
			}
			r = ratio_interval(reference, cell, 3, 0.95, 0);
			p[j] = ratio_p(&r);
			least = fmin(least, p[j]);
		}
		holm(p, 2 * CELLS);
		for (size_t j = 0; j < 2 * CELLS; j++)
			least_held = fmin(least_held, p[j]);
		naive += least < 0.05;
		held += least_held < 0.05;
	}
	rate("uncorrected", naive, REPS, 59, 61);
	rate("Holm", held, REPS, 4, 5);
}

/* Both components of a one-way layout come back: 8 groups of 12, between 1 %, within 2 %. */
static void components_come_back(void **state)
{
	enum { REPS = 4000, GROUPS = 8, SIZE = 12 };
	struct rng g = {131};
	double x[GROUPS * SIZE], between = 0, within = 0;
	size_t n[GROUPS];

	(void)state;
	for (size_t i = 0; i < REPS; i++) {
		struct components c;

		for (size_t k = 0; k < GROUPS; k++) {
			double shift = normal(&g);

			n[k] = SIZE;
			for (size_t j = 0; j < SIZE; j++)
				x[k * SIZE + j] = shift + 2 * normal(&g);
		}
		c = variance_components(x, n, GROUPS);
		between += c.between / REPS;
		within += c.within / REPS;
	}
	/* The cut at 0 lifts the mean of between a little: it is cut in about 3 % of draws. */
	assert_true(fabs(within - 4) < 0.03);
	assert_true(between > 0.96 && between < 1.06);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(student_covers),	   cmocka_unit_test(bootstrap_fails),
		cmocka_unit_test(welch_is_wasteful),	   cmocka_unit_test(spoiled_in_one),
		cmocka_unit_test(hodges_lehmann_holds),	   cmocka_unit_test(one_template_alarms),
		cmocka_unit_test(main_effects_are_narrow), cmocka_unit_test(unequal_sd),
		cmocka_unit_test(holm_holds_the_family),   cmocka_unit_test(components_come_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
