/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Estimates and intervals against arithmetic by hand and published tables; t(2, 97.5 %)
 * is 4.302652729749464. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include "stats/stats.h"

#define T2 4.302652729749464 /* mpmath; 4.303 in every table */

static void near(double got, double want, double within)
{
	if (!(fabs(got - want) <= within))
		fail_msg("%.15g, should be %.15g", got, want);
}

static void assert_interval(struct interval i, double mid, double lo, double hi, size_t n)
{
	near(i.mid, mid, 1e-9 * fabs(mid));
	near(i.lo, lo, 1e-9 * fabs(mid));
	near(i.hi, hi, 1e-9 * fabs(mid));
	assert_int_equal(i.n, n);
}

static void assert_nothing(struct interval i)
{
	assert_true(isnan(i.mid) && isnan(i.lo) && isnan(i.hi));
}

static void describes(void **state)
{
	static const double x[] = {2, 4, 4, 4, 5, 5, 7, 9};

	(void)state;
	near(mean(x, 8), 5, 0);
	near(sd(x, 8), sqrt(32 / 7.0), 1e-15);
	near(median(x, 8), 4.5, 0);
	near(median(x, 7), 4, 0);
	near(percentile(x, 8, 0.9), 7.6,
	     1e-12); /* 0.9 * 7 = 6.3 between the 7th (7) and the 8th (9) */
	near(percentile(x, 8, 1), 9, 0);
	assert_true(isnan(mean(x, 0)) && isnan(sd(x, 1)) && isnan(median(x, 0)));
}

static void student(void **state)
{
	static const double x[] = {1, 2, 3}, same[] = {5, 5, 5};
	double half = T2 / sqrt(3);

	(void)state;
	assert_interval(t_interval(x, 3, 0.95, 0), 2, 2 - half, 2 + half, 3);
	assert_interval(t_interval(x, 3, 0.95, 0.5), 2, 2 - half, 2 + half,
			3); /* below the sd: no effect */
	assert_interval(t_interval(same, 3, 0.95, 0), 5, 5, 5, 3);
	assert_interval(t_interval(same, 3, 0.95, 0.3), 5, 5 - 0.3 * half, 5 + 0.3 * half, 3);
	near(t_interval(same, 3, 0.95, 0.3).sd, 0.3, 0);
	near(t_interval(x, 1, 0.95, 0).mid, 1, 0);
	assert_true(isnan(t_interval(x, 1, 0.95, 0).lo) && isnan(t_interval(x, 1, 0.95, 0).hi));
	assert_nothing(t_interval(x, 0, 0.95, 0));
}

static void geometric(void **state)
{
	static const double x[] = {1, 10, 100}, odd[] = {1, NAN, 10, 0, 100, -4, INFINITY};
	double half = exp(T2 * log(10) / sqrt(3));

	(void)state;
	assert_interval(gmean_interval(x, 3, 0.95), 10, 10 / half, 10 * half, 3);
	assert_interval(gmean_interval(odd, 7, 0.95), 10, 10 / half, 10 * half, 3);
	near(gmean_interval(x, 3, 0.95).sd, log(10), 1e-12);
	assert_nothing(gmean_interval(odd + 1, 1, 0.95));
	assert_nothing(gmean_interval(x, 0, 0.95));
}

/* Blocks differ by a factor of 4, which pairs do not see; log differences are ln 1.1 -0.01, 0,
 * +0.01, so their sd is 0.01. */
static void ratio(void **state)
{
	static const double a[] = {100, 200, 50, 70, NAN, 0, 3};
	double b[] = {110 * exp(-0.01), 220, 55 * exp(0.01), NAN, 80, 7, -3};
	double half = exp(0.01 * T2 / sqrt(3)), floor_half = exp(0.02 * T2 / sqrt(3));

	(void)state;
	assert_interval(ratio_interval(a, b, 3, 0.95, 0), 1.1, 1.1 / half, 1.1 * half, 3);
	assert_interval(ratio_interval(a, b, 7, 0.95, 0), 1.1, 1.1 / half, 1.1 * half, 3);
	assert_interval(ratio_interval(a, b, 3, 0.95, 0.02), 1.1, 1.1 / floor_half,
			1.1 * floor_half, 3);
	near(ratio_interval(b, a, 3, 0.95, 0).mid, 1 / 1.1, 1e-12);
	assert_nothing(ratio_interval(a + 3, b + 3, 4, 0.95, 0));
}

static void difference(void **state)
{
	static const double a[] = {0, 10, 20, NAN, 1}, b[] = {1, 12, 23, 5, NAN};
	double half = T2 / sqrt(3);

	(void)state;
	assert_interval(diff_interval(a, b, 5, 0.95), 2, 2 - half, 2 + half, 3); /* 1, 2, 3 */
	assert_interval(diff_interval(NULL, a, 3, 0.95), 10, 10 - 10 * half, 10 + 10 * half,
			3); /* the plain mean */
	assert_nothing(diff_interval(a + 3, b + 3, 2, 0.95));
}

/* statistics.md, part 2: half-width of the 95 % interval in units of a trial's sd; pairs have
 * sqrt(2) times that sd. */
static void half_widths(void **state)
{
	static const struct {
		size_t n;
		double half;
	} rows[] = {{3, 3.51},	{4, 2.25},  {5, 1.76},	{6, 1.48},  {8, 1.18},
		    {10, 1.01}, {12, 0.90}, {15, 0.78}, {20, 0.66}, {30, 0.53}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct interval t = t_interval_of(0, sqrt(2), rows[i].n, 0.95);

		near(t.hi, rows[i].half, 0.005001);
		near(t.lo, -t.hi, 1e-15);
	}
}

/* p is below 0.05 exactly when the 95 % interval excludes equality. */
static void p_agrees_with_interval(void **state)
{
	(void)state;
	for (size_t n = 2; n < 30; n++) {
		double s = 0.07, edge = t_quantile(0.975, n - 1) * s / sqrt(n);
		struct interval at = t_interval_of(edge, s, n, 0.95), r = at;

		near(diff_p(&at), 0.05, 1e-9);
		r.mid = exp(-edge);
		near(ratio_p(&r), 0.05, 1e-9);
		at.mid = edge * 1.001;
		assert_true(diff_p(&at) < 0.05);
		at.mid = edge * 0.999;
		assert_true(diff_p(&at) > 0.05);
	}
}

static void p_edges(void **state)
{
	struct interval i = {0, 0, 0, 3, 0};

	(void)state;
	near(diff_p(&i), 1, 0);
	i.mid = 0.1;
	near(diff_p(&i), 0, 0);
	i.n = 1;
	assert_true(isnan(diff_p(&i)));
	i = (struct interval){NAN, NAN, NAN, 3, 1};
	assert_true(isnan(diff_p(&i)) && isnan(ratio_p(&i)));
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * Critical values T of Wilcoxon's signed-rank test, two-sided 5 %, as tables print them: the limits
 * are the Walsh averages of rank T + 1 from either end.
 */
static void signed_rank_limits(void **state)
{
	static const struct {
		size_t n, t;
	} rows[] = {{6, 0},   {7, 2},	{8, 3},	  {9, 5},    {10, 8},  {12, 13},
		    {15, 25}, {20, 52}, {25, 89}, {30, 137}, {50, 434}};
	double d[50], walsh[50 * 51 / 2];

	(void)state;
	for (size_t r = 0; r < sizeof(rows) / sizeof(*rows); r++) {
		size_t n = rows[r].n, k = 0;
		struct interval i;

		for (size_t j = 0; j < n; j++)
			d[j] = j * j * 0.7 + 1 / (1.0 + j); /* no two sums alike */
		for (size_t a = 0; a < n; a++)
			for (size_t b = 0; b <= a; b++)
				walsh[k++] = (d[a] + d[b]) / 2;
		qsort(walsh, k, sizeof(*walsh), by_value);
		i = hodges_lehmann(d, n, 0.95);
		near(i.lo, walsh[rows[r].t], 1e-12);
		near(i.hi, walsh[k - 1 - rows[r].t], 1e-12);
	}
}

static void hodges_lehmann_estimate(void **state)
{
	static const double ramp[] = {3, 1, 6, 2, 5, 4, 1e300};
	double d[70];

	(void)state;
	assert_interval(hodges_lehmann(ramp, 6, 0.95), 3.5, 1, 6, 6);
	assert_nothing(hodges_lehmann(ramp, 5, 0.95)); /* 5 values reach 93.75 % at best */
	/* P(W+ <= 1) is 2/64 exactly, so limits of 1 - 4/64 are the second from either end: 1.5
	 * and 5.5. */
	assert_interval(hodges_lehmann(ramp, 6, 0.9375), 3.5, 1.5, 5.5, 6);
	/* 99 % of 6 values do not exist either: 2 * 2^-6 > 0.01 */
	assert_true(isnan(hodges_lehmann(ramp, 6, 0.99).lo) &&
		    hodges_lehmann(ramp, 6, 0.99).mid == 3.5);
	d[0] = NAN;
	for (size_t i = 1; i < 70; i++)
		d[i] = i;
	assert_nothing(hodges_lehmann(d, 70, 0.95));
	/* 1..60: McCornack's table has T = 648 there, the normal approximation may be one rank off.
	 */
	near(hodges_lehmann(d + 1, 60, 0.95).mid, 30.5, 0);
	near(hodges_lehmann(d + 1, 60, 0.95).lo, 25.5, 0.51);
}

static void histogram(void **state)
{
	static const double lo[] = {0, 10, 20, 40}, hi[] = {10, 20, 40, 80};
	static const unsigned long long count[] = {0, 50, 40, 10}, none[] = {0, 0, 0, 0};

	(void)state;
	near(histogram_percentile(lo, hi, count, 4, 0.5), 20, 1e-12);
	near(histogram_percentile(lo, hi, count, 4, 0.25), 15, 1e-12);
	near(histogram_percentile(lo, hi, count, 4, 0.7), 30, 1e-12);
	near(histogram_percentile(lo, hi, count, 4, 0.99), 76, 1e-9);
	near(histogram_percentile(lo, hi, count, 4, 0), 10, 0);
	near(histogram_percentile(lo, hi, count, 4, 1), 80, 0);
	assert_true(isnan(histogram_percentile(lo, hi, none, 4, 0.5)));
	assert_true(isnan(histogram_percentile(lo, hi, count, 0, 0.5)));
	assert_true(isnan(histogram_percentile(lo, hi, count, 4, 1.5)));
}

/* By hand from the definitions: 0.005 * 4, 0.01 * 3, 0.03 * 2, then the larger of 0.04 and what
 * went before. */
static void many_comparisons(void **state)
{
	double h[] = {0.01, NAN, 0.04, 0.03, 0.005}, q[] = {0.01, NAN, 0.04, 0.03, 0.005},
	       one[] = {0.8, 0.9};

	(void)state;
	holm(h, 5);
	near(h[0], 0.03, 1e-15);
	assert_true(isnan(h[1]));
	near(h[2], 0.06, 1e-15);
	near(h[3], 0.06, 1e-15);
	near(h[4], 0.02, 1e-15);
	bh(q, 5);
	near(q[0], 0.02, 1e-15); /* 0.01 * 4 / 2 */
	assert_true(isnan(q[1]));
	near(q[2], 0.04, 1e-15);
	near(q[3], 0.04, 1e-15); /* 0.03 * 4 / 3 */
	near(q[4], 0.02, 1e-15);
	holm(one, 2);
	near(one[0], 1, 0);
	near(one[1], 1, 0);
	holm(one, 0);
	bh(one, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(describes),
		cmocka_unit_test(student),
		cmocka_unit_test(geometric),
		cmocka_unit_test(ratio),
		cmocka_unit_test(difference),
		cmocka_unit_test(half_widths),
		cmocka_unit_test(p_agrees_with_interval),
		cmocka_unit_test(p_edges),
		cmocka_unit_test(signed_rank_limits),
		cmocka_unit_test(hodges_lehmann_estimate),
		cmocka_unit_test(histogram),
		cmocka_unit_test(many_comparisons),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
