/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Distribution functions and quantiles against mpmath 1.3.0 (30 digits): t by numerical integration
 * of its density and by the inverse error function, chi-square by gammainc. The familiar ones
 * (12.706, 4.303, 1.960, 3.841) stand in every table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "stats/stats.h"

static void assert_near(double got, double want)
{
	double error = fabs(got - want) / fmax(1e-300, fabs(want));

	if (!(error < 1e-9))
		fail_msg("%.17g, should be %.17g", got, want);
}

struct quantile {
	double p, df, x;
};

static void t_quantiles(void **state)
{
	static const struct quantile rows[] = {
		{0.975, 1, 12.7062047361747},	   {0.975, 2, 4.302652729749464},
		{0.975, 3, 3.18244630528371},	   {0.975, 5, 2.570581835636316},
		{0.975, 7, 2.364624251592785},	   {0.975, 9, 2.262157162798206},
		{0.975, 29, 2.045229642132704},	   {0.9995, 5, 6.86882662588111},
		{0.9, 10, 1.372183641110336},	   {0.6, 2.5, 0.2814595127485477},
		{0.999999, 4, 41.57785415045097},  {0.995, 1000, 2.580754698065951},
		{0.975, 100000, 1.95998770753461}, {0.025, 11, -2.20098516009164},
		{0.00001, 9, -8.102057879394822},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_near(t_quantile(rows[i].p, rows[i].df), rows[i].x);
}

static void t_cdfs(void **state)
{
	static const struct quantile rows[] = {
		{0.0049965204409427736, 7, -3.5}, {0.94903026058507082, 5, 2},
		{0.79796948636086327, 2.5, 1},	  {0.50036755251526953, 3, 0.001},
		{1.1670081613006343e-6, 4, -40},  {0.97500196620736511, 1e6, 1.96},
		{0.97122005367460675, 37, 1.96},  {0.13065468873499942, 0.5, -6},
		{0.97328272659076778, 81, 1.96},  {0.99297710543796141, 100, 2.5},
		{0.9750021047131352, 1e9, 1.96},  {0.0018053165237208517, 79, -3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_near(t_cdf(rows[i].x, rows[i].df), rows[i].p);
}

/* With 1 degree of freedom t is Cauchy's distribution, with 2 it has a closed form: both by hand,
 * far into the tails. */
static void t_closed_forms(void **state)
{
	(void)state;
	for (double t = 1e-6; t < 1e9; t *= 7.3) {
		assert_near(t_cdf(-t, 1), atan(1 / t) / M_PI);
		/* 1/2 - t / (2 sqrt(2 + t^2)), written without the difference */
		assert_near(t_cdf(-t, 2), 1 / (sqrt(2 + t * t) * (sqrt(2 + t * t) + t)));
	}
}

static void quantile_inverts_cdf(void **state)
{
	static const double dfs[] = {0.7, 1, 2, 3, 6, 11, 39, 41, 333, 1e4, 1e7, 1e12};

	(void)state;
	for (size_t i = 0; i < sizeof(dfs) / sizeof(*dfs); i++)
		for (double p = 1e-9; p < 0.5; p *= 1.9)
			assert_near(t_cdf(t_quantile(p, dfs[i]), dfs[i]), p);
}

static void normal_quantiles(void **state)
{
	(void)state;
	assert_near(normal_quantile(0.975), 1.959963984540054);
	assert_near(normal_quantile(0.995), 2.575829303548901);
	assert_near(normal_quantile(0.0001), -3.719016485455681);
	assert_near(normal_quantile(0.9999999), 5.199337582192817);
	assert_true(normal_quantile(0.5) == 0);
}

static void chi2_quantiles(void **state)
{
	static const struct quantile rows[] = {
		{0.95, 1, 3.841458820694126},	 {0.025, 2, 0.05063561596857975},
		{0.975, 9, 19.02276779864164},	 {0.5, 5, 4.351460191095527},
		{0.01, 3.5, 0.1956507925410407}, {0.999, 200, 267.5405278227572},
		{0.025, 5, 0.8312116134866624},	 {0.000001, 4, 0.002829761322958686},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_near(chi2_quantile(rows[i].p, rows[i].df), rows[i].x);
}

/* statistics.md, part 4: the 95 % range of sigma/s is 0.52-6.3 at n = 3, 0.62-2.45 at 6, 0.69-1.83
 * at 10. */
static void range_of_sd(void **state)
{
	static const struct {
		double n, lo, hi;
	} rows[] = {{3, 0.52, 6.3}, {6, 0.62, 2.45}, {10, 0.69, 1.83}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		double df = rows[i].n - 1;

		assert_true(fabs(sqrt(df / chi2_quantile(0.975, df)) - rows[i].lo) < 0.005001);
		assert_true(fabs(sqrt(df / chi2_quantile(0.025, df)) - rows[i].hi) <
			    (i ? 0.005001 : 0.05));
	}
}

static void edges(void **state)
{
	(void)state;
	assert_true(t_quantile(0.5, 3) == 0);
	assert_true(t_quantile(1, 3) == INFINITY && t_quantile(0, 3) == -INFINITY);
	assert_true(chi2_quantile(0, 3) == 0 && chi2_quantile(1, 3) == INFINITY);
	assert_true(t_cdf(INFINITY, 4) == 1 && t_cdf(-INFINITY, 4) == 0 && t_cdf(0, 4) == 0.5);
	assert_true(isnan(t_quantile(NAN, 3)) && isnan(t_quantile(0.9, 0)) &&
		    isnan(t_quantile(1.1, 3)));
	assert_true(isnan(t_cdf(NAN, 3)) && isnan(t_cdf(1, -1)) && isnan(t_cdf(1, NAN)));
	assert_true(isnan(chi2_quantile(-0.1, 3)) && isnan(chi2_quantile(0.5, NAN)));
	assert_true(isnan(normal_quantile(2)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_quantiles),	    cmocka_unit_test(t_cdfs),
		cmocka_unit_test(t_closed_forms),   cmocka_unit_test(quantile_inverts_cdf),
		cmocka_unit_test(normal_quantiles), cmocka_unit_test(chi2_quantiles),
		cmocka_unit_test(range_of_sd),	    cmocka_unit_test(edges),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
