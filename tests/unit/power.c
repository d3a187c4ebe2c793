/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Power and sample sizes against closed forms and the tables of statistics.md, parts 5 and 13. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "stats/power.h"

static void near(double got, double want, double tol)
{
	if (!(fabs(got - want) <= tol))
		fail_msg("%.12g, should be %.12g +- %g", got, want, tol);
}

static double phi(double z)
{
	return 0.5 * erfc(-z / sqrt(2));
}

/*
 * Two degrees of freedom: s^2 is exponential, and integrating E Phi(t s - d) by parts gives
 * Phi(-d) + t / w exp(-d^2 / w^2) Phi(t d / w), w^2 = t^2 + 2.
 */
static void two_degrees_of_freedom(void **state)
{
	static const double t[] = {-40, -3, -0.5, 1e-3, 0.7, 2, 9.92, 60, 3000};
	static const double d[] = {-6, -1, 0, 0.3, 2, 5, 12, 35};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++)
		for (size_t k = 0; k < sizeof(d) / sizeof(*d); k++) {
			double w = sqrt(t[i] * t[i] + 2);

			near(noncentral_t_cdf(t[i], 2, d[k]),
			     phi(-d[k]) +
				     t[i] / w * exp(-d[k] * d[k] / w / w) * phi(t[i] * d[k] / w),
			     1e-9);
		}
}

/* Central t comes out of the integral, too: a shift too small to matter. */
static void no_shift_is_students(void **state)
{
	static const double df[] = {1, 2, 3, 9, 50, 1000, 100000};

	(void)state;
	for (size_t i = 0; i < sizeof(df) / sizeof(*df); i++) {
		near(noncentral_t_cdf(1, df[i], 1e-13), noncentral_t_cdf(1, df[i], 0), 1e-9);
		near(noncentral_t_cdf(-4, df[i], 1e-13), noncentral_t_cdf(-4, df[i], 0), 1e-9);
		near(noncentral_t_cdf(0, df[i], 1.5), phi(-1.5), 1e-12);
	}
	near(noncentral_t_cdf(INFINITY, 3, 1), 1, 0);
	near(noncentral_t_cdf(-INFINITY, 3, 1), 0, 0);
	assert_true(isnan(noncentral_t_cdf(1, 0, 1)));
}

struct sizes {
	double effect, sd, alpha;
	bool one_sided;
	double power;
	unsigned n;
};

/*
 * The tables of part 5. Those at 5 % and at 1 % for an sd to 5 % are of a gain (ln 1.03), those of
 * the gate (one-sided, and 1 % with an sd of 6 and 10 %) of a loss (ln 0.97), as their figures
 * show.
 */
static void tables_of_part_5(void **state)
{
	static const struct sizes want[] = {
		{0.03, 0.01, 0.05, false, 0.8, 5},     {0.03, 0.01, 0.05, false, 0.9, 5},
		{0.05, 0.01, 0.05, false, 0.8, 3},     {0.05, 0.01, 0.05, false, 0.9, 4},
		{0.1, 0.01, 0.05, false, 0.8, 3},      {0.1, 0.01, 0.05, false, 0.9, 3},
		{0.03, 0.02, 0.05, false, 0.8, 10},    {0.03, 0.02, 0.05, false, 0.9, 12},
		{0.05, 0.02, 0.05, false, 0.8, 5},     {0.05, 0.02, 0.05, false, 0.9, 6},
		{0.1, 0.02, 0.05, false, 0.8, 3},      {0.1, 0.02, 0.05, false, 0.9, 4},
		{0.03, 0.05, 0.05, false, 0.8, 47},    {0.03, 0.05, 0.05, false, 0.9, 63},
		{0.05, 0.05, 0.05, false, 0.8, 19},    {0.05, 0.05, 0.05, false, 0.9, 25},
		{0.1, 0.05, 0.05, false, 0.8, 7},      {0.1, 0.05, 0.05, false, 0.9, 8},
		{0.03, 0.01, 0.01, false, 0.9, 7},     {0.03, 0.02, 0.01, false, 0.9, 18},
		{0.03, 0.05, 0.01, false, 0.9, 89},    {0.05, 0.01, 0.01, false, 0.9, 5},
		{0.05, 0.02, 0.01, false, 0.9, 9},     {0.05, 0.05, 0.01, false, 0.9, 35},
		{0.1, 0.01, 0.01, false, 0.9, 4},      {0.1, 0.02, 0.01, false, 0.9, 5},
		{0.1, 0.05, 0.01, false, 0.9, 12},     {-0.03, 0.06, 0.01, false, 0.9, 119},
		{-0.05, 0.06, 0.01, false, 0.9, 45},   {-0.1, 0.06, 0.01, false, 0.9, 14},
		{-0.03, 0.1, 0.01, false, 0.9, 325},   {-0.05, 0.1, 0.01, false, 0.9, 117},
		{-0.1, 0.1, 0.01, false, 0.9, 31},     {-0.03, 0.01, 0.001, true, 0.9, 9},
		{-0.03, 0.02, 0.001, true, 0.9, 22},   {-0.03, 0.05, 0.001, true, 0.9, 108},
		{-0.05, 0.01, 0.001, true, 0.9, 6},    {-0.05, 0.02, 0.001, true, 0.9, 11},
		{-0.05, 0.05, 0.001, true, 0.9, 42},   {-0.1, 0.01, 0.001, true, 0.9, 4},
		{-0.1, 0.02, 0.001, true, 0.9, 6},     {-0.1, 0.05, 0.001, true, 0.9, 14},
		{-0.03, 0.01, 0.0001, true, 0.9, 12},  {-0.03, 0.02, 0.0001, true, 0.9, 29},
		{-0.03, 0.05, 0.0001, true, 0.9, 142}, {-0.05, 0.01, 0.0001, true, 0.9, 8},
		{-0.05, 0.02, 0.0001, true, 0.9, 15},  {-0.05, 0.05, 0.0001, true, 0.9, 55},
		{-0.1, 0.01, 0.0001, true, 0.9, 6},    {-0.1, 0.02, 0.0001, true, 0.9, 8},
		{-0.1, 0.05, 0.0001, true, 0.9, 18},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		const struct sizes *w = &want[i];
		unsigned n = pairs_for(w->effect, w->sd, w->alpha, w->one_sided, w->power);

		if (n != w->n)
			fail_msg("row %zu: %u pairs, should be %u", i, n, w->n);
	}
}

/* "n = 3: 4.6 / 9.2 / 23 %; n = 6: 2.1 / 4.1 / 10 %; n = 10: 1.4 / 2.8 / 7.0 %": logs, to the
 * digits shown. */
static void smallest_effects_of_part_5(void **state)
{
	(void)state;
	near(log1p(effect_seen(0.01, 3, 0.05, false, 0.8)), 0.046, 0.0005);
	near(log1p(effect_seen(0.02, 3, 0.05, false, 0.8)), 0.092, 0.0005);
	near(log1p(effect_seen(0.05, 3, 0.05, false, 0.8)), 0.23, 0.005);
	near(log1p(effect_seen(0.01, 6, 0.05, false, 0.8)), 0.021, 0.001);
	near(log1p(effect_seen(0.02, 6, 0.05, false, 0.8)), 0.041, 0.001);
	near(log1p(effect_seen(0.05, 6, 0.05, false, 0.8)), 0.10, 0.005);
	near(log1p(effect_seen(0.01, 10, 0.05, false, 0.8)), 0.014, 0.0005);
	near(log1p(effect_seen(0.02, 10, 0.05, false, 0.8)), 0.028, 0.0005);
	near(log1p(effect_seen(0.05, 10, 0.05, false, 0.8)), 0.070, 0.0006);
	/* what it says is seen with that power, by the other function */
	near(power_pairs(effect_seen(0.03, 7, 0.01, true, 0.9), 0.03, 7, 0.01, true), 0.9, 1e-9);
	assert_true(isnan(effect_seen(0.01, 1, 0.05, false, 0.8)));
	assert_true(isnan(effect_seen(NAN, 5, 0.05, false, 0.8)));
	near(effect_seen(0, 5, 0.05, false, 0.8), 0, 0);
}

/* "sd equal to min_effect 24 / 28; half of it 8 / 9; a third 5 / 5; twice it 87 / 106", m on the
 * log scale. */
static void pairs_for_same_of_part_5(void **state)
{
	double m = expm1(0.02);

	(void)state;
	assert_int_equal(pairs_for_same(m, 0.02, 0.8), 24);
	assert_int_equal(pairs_for_same(m, 0.02, 0.9), 28);
	assert_int_equal(pairs_for_same(m, 0.01, 0.8), 8);
	assert_int_equal(pairs_for_same(m, 0.01, 0.9), 9);
	assert_int_equal(pairs_for_same(m, 0.02 / 3, 0.8), 5);
	assert_in_range(pairs_for_same(m, 0.02 / 3, 0.9), 5, 6); /* 5 pairs: 87.7 % */
	assert_int_equal(pairs_for_same(m, 0.04, 0.8), 87);
	assert_int_equal(pairs_for_same(m, 0.04, 0.9), 106);
	assert_int_equal(pairs_for_same(0.02, 10, 0.8), 0);
}

static void power_of_nothing_is_alpha(void **state)
{
	(void)state;
	near(power_pairs(0, 0.02, 10, 0.05, false), 0.05, 1e-12);
	near(power_pairs(1e-14, 0.02, 10, 0.05, false), 0.05, 1e-9);
	near(power_pairs(1e-14, 0.02, 10, 0.01, true), 0.01, 1e-9);
	near(power_pairs(0.05, 0, 10, 0.05, false), 1, 0);
	assert_true(isnan(power_pairs(-1, 0.02, 10, 0.05, false)));
	assert_int_equal(pairs_for(0, 0.02, 0.05, false, 0.8), 0);
	assert_int_equal(pairs_for(0.05, 0, 0.05, false, 0.8), 3);
	assert_int_equal(pairs_for(0.05, NAN, 0.05, false, 0.8), 0);
}

/*
 * Of 0 of n the upper limit is 1 - tail^(1/n), of n of n the lower one tail^(1/n). Part 13: 10
 * nights 26 %, 60 5 %, 299 1 %, one-sided 95 %; 28 of 30: at least 80 %, 30 of 30: 90 %. 5 of 20:
 * 0.0866 to 0.4910 [Clopper & Pearson 1934, tables].
 */
static void exact_limits_of_a_share(void **state)
{
	double lo, hi;

	(void)state;
	binomial_limits(0, 10, 0.9, &lo, &hi);
	near(lo, 0, 0);
	near(hi, 1 - pow(0.05, 0.1), 1e-12);
	near(hi, 0.26, 0.005);
	binomial_limits(0, 60, 0.9, &lo, &hi);
	near(hi, 0.05, 0.005);
	binomial_limits(0, 299, 0.9, &lo, &hi);
	near(hi, 0.01, 0.0005);
	binomial_limits(28, 30, 0.9, &lo, &hi);
	near(lo, 0.80, 0.005);
	binomial_limits(30, 30, 0.9, &lo, &hi);
	near(lo, pow(0.05, 1.0 / 30), 1e-12);
	near(hi, 1, 0);
	binomial_limits(5, 20, 0.95, &lo, &hi);
	near(lo, 0.0866, 0.00005);
	near(hi, 0.4910, 0.00005);
	binomial_limits(1, 1, 0.95, &lo, &hi);
	near(lo, 0.025, 1e-12);
	binomial_limits(3, 2, 0.95, &lo, &hi);
	assert_true(isnan(lo) && isnan(hi));
	binomial_limits(0, 0, 0.95, &lo, &hi);
	assert_true(isnan(lo) && isnan(hi));
	binomial_limits(1000, 100000, 0.95, &lo,
			&hi); /* normal approximation with continuity: 0.00939, 0.01064 */
	near(lo, 0.00939, 0.00003);
	near(hi, 0.01064, 0.00003);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_degrees_of_freedom),
		cmocka_unit_test(no_shift_is_students),
		cmocka_unit_test(tables_of_part_5),
		cmocka_unit_test(smallest_effects_of_part_5),
		cmocka_unit_test(pairs_for_same_of_part_5),
		cmocka_unit_test(power_of_nothing_is_alpha),
		cmocka_unit_test(exact_limits_of_a_share),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
