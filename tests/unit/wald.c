/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wald's test of a bisection's step against arithmetic by hand, and against the table of
 * statistics.md part 14 (simulated there): mean pairs, errors at most what was asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include "bisect/wald.h"

static void near(double got, double want, double within)
{
	if (!(fabs(got - want) <= within))
		fail_msg("%.15g, should be %.15g", got, want);
}

/* sd known: ln L1/L0 = sum of delta (d - delta / 2) / sd^2. Here 2 (d - 1) for each d. */
static void ratio_with_known_sd(void **state)
{
	struct wald w;

	(void)state;
	wald_begin(&w, 2, 1, INFINITY, 0.05, 1, 100);
	near(w.bound, log(19), 1e-12);			/* (1 - 0.05) / 0.05 */
	assert_int_equal(wald_add(&w, 1.5), WALD_MORE); /* 2 * 0.5 = 1 */
	near(wald_ratio(&w), 1, 1e-12);
	assert_int_equal(wald_add(&w, 1.5), WALD_MORE); /* 2 < 2.944 */
	assert_int_equal(wald_add(&w, 1.5), WALD_BAD);	/* 3 > 2.944 */
	/* an answer stays */
	assert_int_equal(wald_add(&w, -100), WALD_BAD);
	assert_int_equal(w.n, 3);
}

/* Estimated from df = 2, sd = 1: before 2 * 1; d = 3, delta = 2: good 2 + 9, bad 2 + 1, and
 * (2 + 1) / 2 * ln(11 / 3). */
static void ratio_with_estimated_sd(void **state)
{
	struct wald w;

	(void)state;
	wald_begin(&w, 2, 1, 2, 0.05, 1, 100);
	wald_add(&w, 3);
	near(wald_ratio(&w), 1.5 * log(11 / 3.0), 1e-12);
	/* and with many degrees of freedom it is the one above */
	wald_begin(&w, 2, 1, 1e9, 0.05, 1, 100);
	wald_add(&w, 1.5);
	near(wald_ratio(&w), 1, 1e-6);
}

static void good_is_the_mirror_of_bad(void **state)
{
	struct wald a, b, c;
	static const double d[] = {1.2, 0.7, 1.9, 1.1, 2.5, 1.4, 1.8, 2.2};

	(void)state;
	wald_begin(&a, 2, 1, 9, 0.01, 1, 100);
	wald_begin(&b, 2, 1, 9, 0.01, 1, 100);
	wald_begin(&c, -2, 1, 9, 0.01, 1, 100);
	for (size_t i = 0; i < sizeof(d) / sizeof(*d); i++) {
		wald_add(&a, d[i]);
		wald_add(&b, 2 - d[i]); /* turned about the middle between the ends */
		wald_add(&c, -d[i]);	/* a bad end that is faster */
		near(wald_ratio(&a), -wald_ratio(&b), 1e-9);
		near(wald_ratio(&a), wald_ratio(&c), 1e-9);
	}
	assert_int_equal(a.answer, WALD_BAD);
	assert_int_equal(b.answer, WALD_GOOD);
	assert_int_equal(c.answer, WALD_BAD);
}

static void not_before_the_least_nor_after_the_most(void **state)
{
	struct wald w;

	(void)state;
	wald_begin(&w, 1, 0.01, INFINITY, 0.01, WALD_MIN_PAIRS, 10);
	for (unsigned i = 1; i < WALD_MIN_PAIRS; i++)
		assert_int_equal(wald_add(&w, 1), WALD_MORE);
	/* what is missing counts for nothing */
	assert_int_equal(wald_add(&w, NAN), WALD_MORE);
	assert_int_equal(wald_add(&w, INFINITY), WALD_MORE);
	assert_int_equal(w.n, WALD_MIN_PAIRS - 1);
	assert_int_equal(wald_add(&w, 1), WALD_BAD);
	/* just between the ends for ever */
	wald_begin(&w, 1, 1, 19, 0.01, WALD_MIN_PAIRS, 10);
	for (unsigned i = 1; i < 10; i++)
		assert_int_equal(wald_add(&w, 0.5), WALD_MORE);
	assert_int_equal(wald_add(&w, 0.5), WALD_UNDECIDED);
}

static void nothing_to_tell_apart(void **state)
{
	struct wald w;

	(void)state;
	wald_begin(&w, 0, 1, 9, 0.01, 4, 10);
	assert_int_equal(wald_add(&w, 1), WALD_UNDECIDED);
	wald_begin(&w, NAN, 1, 9, 0.01, 4, 10);
	assert_int_equal(wald_add(&w, 1), WALD_UNDECIDED);
	wald_begin(&w, 1, NAN, 9, 0.01, 4, 10);
	assert_int_equal(wald_add(&w, 1), WALD_UNDECIDED);
	wald_begin(&w, 1, 1, 0, 0.01, 4, 10);
	assert_int_equal(wald_add(&w, 1), WALD_UNDECIDED);
	/* a metric without noise is no trouble */
	wald_begin(&w, 1, 0, 9, 0.01, 1, 10);
	assert_int_equal(wald_add(&w, 0), WALD_GOOD);
}

/* total / ceil(log2 N) */
static void errors_of_steps(void **state)
{
	(void)state;
	near(wald_step_error(0.05, 256), 0.05 / 8, 1e-15);
	near(wald_step_error(0.05, 257), 0.05 / 9, 1e-15);
	near(wald_step_error(0.05, 2), 0.05, 1e-15);
	near(wald_step_error(0.05, 1), 0.05, 1e-15);
	assert_true(wald_step_error(0.05, SIZE_MAX) > 0);
}

/* Marsaglia's polar method over a fixed stream of drand48's kind, written out: the same everywhere.
 */
static double uniform(uint64_t *s)
{
	*s = *s * 0x5deece66dull + 0xb;
	return (double)((*s >> 8) & 0xffffffffffull) / 0x1p40;
}

static double normal(uint64_t *s)
{
	double u, v, q;

	do {
		u = 2 * uniform(s) - 1;
		v = 2 * uniform(s) - 1;
		q = u * u + v * v;
	} while (q >= 1 || q == 0);
	return u * sqrt(-2 * log(q) / q);
}

struct figures {
	double mean;
	double wrong;
};

/* df 0: sd known. Half of the builds are good, half are bad. */
static struct figures simulate(double step, double sd, unsigned df, unsigned min, unsigned reps,
			       uint64_t seed)
{
	double delta = log1p(step), pair = sqrt(2) * sd;
	struct figures f = {0, 0};

	for (unsigned r = 0; r < reps; r++) {
		double known = pair, truth = r & 1 ? delta : 0;
		struct wald w;

		if (df) {
			double chi2 = 0;

			for (unsigned i = 0; i < df; i++)
				chi2 += pow(normal(&seed), 2);
			known = pair * sqrt(chi2 / df);
		}
		wald_begin(&w, delta, known, df ? df : INFINITY, wald_step_error(0.05, 256), min,
			   100000);
		while (wald_add(&w, truth + pair * normal(&seed)) == WALD_MORE)
			;
		f.mean += w.n;
		f.wrong += (w.answer == WALD_BAD) != (r & 1);
	}
	f.mean /= reps;
	f.wrong /= reps;
	return f;
}

static void the_table_of_part_14(void **state)
{
	/* mean pairs, N = 256, total error 5 %; the table is rounded to whole pairs */
	static const struct {
		double sd, step, pairs;
	} row[] = {{0.01, 0.03, 3},  {0.01, 0.05, 2},  {0.01, 0.10, 1},
		   {0.02, 0.03, 10}, {0.02, 0.05, 4},  {0.02, 0.10, 2},
		   {0.05, 0.03, 59}, {0.05, 0.05, 22}, {0.05, 0.10, 6}};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		struct figures f = simulate(row[i].step, row[i].sd, 0, 1, 4000, 11 + i);

		/* half a pair of rounding there, and three standard errors of 4000: 5 % */
		near(f.mean, row[i].pairs, 0.5 + 0.05 * row[i].pairs + 0.2);
		/* 0.625 %, and three standard errors */
		assert_true(f.wrong <= 0.00625 + 3 * sqrt(0.00625 / 4000));
	}
}

/* The ends' sd is an estimate. Plugged in as if it were known, 19 df give 1.3 % of wrong answers at
 * 5 % of noise; integrated out they stay within 0.625 %. */
static void an_estimated_sd_keeps_the_error(void **state)
{
	struct figures f = simulate(0.05, 0.05, 19, WALD_MIN_PAIRS, 8000, 5);

	(void)state;
	assert_true(f.wrong <= 0.00625 + 3 * sqrt(0.00625 / 8000));
	assert_true(f.mean < 30);
	f = simulate(0.03, 0.02, 9, WALD_MIN_PAIRS, 8000, 6);
	assert_true(f.wrong <= 0.00625 + 3 * sqrt(0.00625 / 8000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ratio_with_known_sd),
		cmocka_unit_test(ratio_with_estimated_sd),
		cmocka_unit_test(good_is_the_mirror_of_bad),
		cmocka_unit_test(not_before_the_least_nor_after_the_most),
		cmocka_unit_test(nothing_to_tell_apart),
		cmocka_unit_test(errors_of_steps),
		cmocka_unit_test(the_table_of_part_14),
		cmocka_unit_test(an_estimated_sd_keeps_the_error),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
