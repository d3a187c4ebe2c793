/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Repeated intervals against the published figures (statistics.md part 6), exact first looks and a
 * simulation with a fixed seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "stats/sequential.h"
#include "stats/verdict.h"

/* half: half a step of the last digit printed, and what its simulation may err by: 1 % at the
 * second look. */
static void near(double got, double want, double half)
{
	if (!(fabs(got - want) <= half))
		fail_msg("%.6g, should be %.6g +- %g", got, want, half);
}

static void table_of_part_6(void **state)
{
	static const struct {
		unsigned max, n;
		double c, half;
	} want[] = {
		{12, 4, 4.9, 0.1},    {12, 5, 4.6, 0.1},    {12, 6, 4.1, 0.1},	{12, 8, 3.5, 0.1},
		{12, 10, 3.1, 0.1},   {12, 12, 2.87, 0.05}, {20, 4, 5.9, 0.1},	{20, 5, 5.5, 0.1},
		{20, 6, 4.8, 0.1},    {20, 8, 3.9, 0.1},    {20, 10, 3.5, 0.1}, {20, 12, 3.2, 0.1},
		{20, 15, 2.97, 0.05}, {20, 20, 2.71, 0.05}, {40, 4, 7.4, 0.1},	{40, 5, 6.9, 0.16},
		{40, 6, 5.7, 0.1},    {40, 8, 4.6, 0.1},    {40, 10, 4.0, 0.1}, {40, 12, 3.7, 0.1},
		{40, 15, 3.4, 0.1},   {40, 20, 3.1, 0.1},   {40, 30, 2.8, 0.1}, {40, 40, 2.6, 0.1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
		near(seq_factor(want[i].max, want[i].n), want[i].c, want[i].half);
}

/* The first look spends 5 % * 4 / max of Student's t with 3 df: exact. */
static void first_look_is_students(void **state)
{
	(void)state;
	for (unsigned max = SEQ_FIRST; max <= SEQ_MAX; max++)
		near(seq_factor(max, SEQ_FIRST), t_quantile(1 - 0.025 * SEQ_FIRST / max, 3),
		     0.0011);
}

static void every_factor_is_sane(void **state)
{
	(void)state;
	for (unsigned max = SEQ_FIRST; max <= SEQ_MAX; max++)
		for (unsigned n = SEQ_FIRST; n <= max; n++) {
			double c = seq_factor(max, n);

			/* Never below what a single look of 5 % costs, falling with n, rising with
			 * max. */
			assert_true(c >= t_quantile(0.975, n - 1) - 0.0011);
			assert_true(n == SEQ_FIRST || c < seq_factor(max, n - 1));
			assert_true(n == max || c > seq_factor(max - 1, n));
		}
	assert_true(isinf(seq_factor(20, 3)));
	assert_true(isinf(seq_factor(20, 0)));
	assert_true(isnan(seq_factor(20, 21)));
	assert_true(isnan(seq_factor(3, 3)));
	assert_true(isnan(seq_factor(101, 50)));
}

/* xorshift64* and Box-Muller: the tests' own. */
static double uniform(uint64_t *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return ((*s * 2685821657736338717ull >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(uint64_t *s)
{
	return sqrt(-2 * log(uniform(s))) * cos(2 * M_PI * uniform(s));
}

/* Share of null paths that any look calls different; naive: the plain 95 % interval at each look
 * from the third on. */
static double false_share(unsigned max, int naive, unsigned paths, uint64_t seed)
{
	unsigned hits = 0;

	for (unsigned k = 0; k < paths; k++) {
		double sum = 0, sq = 0;

		for (unsigned n = 1; n <= max; n++) {
			double x = normal(&seed), c, s;

			sum += x;
			sq += x * x;
			if (n < (naive ? 3 : SEQ_FIRST))
				continue;
			s = sqrt((sq - sum * sum / n) / (n - 1));
			c = naive ? t_quantile(0.975, n - 1) : seq_factor(max, n);
			if (fabs(sum) > c * s * sqrt(n)) {
				hits++;
				break;
			}
		}
	}
	return (double)hits / paths;
}

/* 40,000 paths: standard error 0.11 points; bounds at 4 of them. The naive twin has to fail. */
static void error_over_all_looks_is_5_percent(void **state)
{
	(void)state;
	near(false_share(12, 0, 40000, 1), 0.05, 0.0045);
	near(false_share(40, 0, 40000, 2), 0.05, 0.0045);
	near(false_share(100, 0, 40000, 3), 0.05, 0.0045);
	near(false_share(30, 1, 4000, 4), 0.265, 0.03); /* part 6: 26.5 % */
}

static void confidence_sequence(void **state)
{
	(void)state;
	near(confseq_factor(5, 0.05), 8.45, 0.005);
	near(confseq_factor(6, 0.05), 5.45, 0.005);
	near(confseq_factor(10, 0.05), 3.87, 0.005);
	near(confseq_factor(20, 0.05), 3.42, 0.005);
	near(confseq_factor(40, 0.05), 3.32, 0.005);
	/* n = 4: (5 * 400)^(1/4) = 6.69 > 5 */
	assert_true(isinf(confseq_factor(4, 0.05)));
	assert_true(isinf(confseq_factor(1, 0.05)));
	assert_true(isnan(confseq_factor(10, 0)));
}

/* Four pairs with logs of 0, 0, 0.02, 0.02: mid 0.01, s = 0.02 / sqrt(3); the look of 4 at most 4.
 */
static void intervals_by_hand(void **state)
{
	static const double a[] = {100, NAN, 7, 3, 50};
	double b[] = {100, 5, 7, 3 * exp(0.02), 50 * exp(0.02)};
	double s = 0.02 / sqrt(3), half = 3.183 * s / 2; /* t(3, 97.5 %) = 3.18245 */
	struct interval r = seq_ratio(a, b, 5, 4, 0);

	(void)state;
	assert_int_equal(r.n, 4);
	near(log(r.mid), 0.01, 1e-12);
	near(r.sd, s, 1e-12);
	near(log(r.lo), 0.01 - half, 1e-9);
	near(log(r.hi), 0.01 + half, 1e-9);
	r = seq_ratio(a, b, 5, 4, 0.1);
	near(r.sd, 0.1, 1e-12);
	r = seq_ratio(a, b, 5, 0, 0); /* no sequence yet at 4 */
	near(r.lo, 0, 0);
	assert_true(isinf(r.hi));
	assert_int_equal(verdict_ratio(&r, true, 0.02), VERDICT_UNDECIDED);
}

static void differences_and_few_pairs(void **state)
{
	static const double a[] = {0, 0, 1, 1}, b[] = {1, 1, 3, 3};
	struct interval r = seq_diff(a, b, 4, 4);

	(void)state;
	near(r.mid, 1.5, 1e-12);
	near(r.hi, 1.5 + 3.183 * sqrt(1.0 / 3) / 2, 1e-9);
	r = seq_diff(a, b, 3, 4);
	assert_true(isinf(r.lo) && r.lo < 0 && isinf(r.hi) && r.hi > 0);
	r = seq_diff(a, b, 1, 4);
	assert_true(isnan(r.lo) && isnan(r.hi));
	r = seq_ratio(b, b, 0, 4, 0);
	assert_true(isnan(r.mid) && isnan(r.lo));
	r = seq_ratio(b, b, 3, 4, 0); /* no spread is no look either */
	near(r.lo, 0, 0);
}

/* t(9, 97.5 %) = 2.262157: (2.262157 * 0.05 / 0.03)^2 = 14.2; half of w: 56.9 */
static void stein(void **state)
{
	(void)state;
	assert_int_equal(stein_blocks(0.05, 10, 0.03, 0.95), 15);
	assert_int_equal(stein_blocks(0.05, 10, 0.015, 0.95), 57);
	assert_int_equal(stein_blocks(0.01, 10, 0.03, 0.95), 10);
	assert_int_equal(stein_blocks(NAN, 10, 0.03, 0.95), 10);
	assert_int_equal(stein_blocks(1e9, 10, 1e-9, 0.95), UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_of_part_6),
		cmocka_unit_test(first_look_is_students),
		cmocka_unit_test(every_factor_is_sane),
		cmocka_unit_test(error_over_all_looks_is_5_percent),
		cmocka_unit_test(confidence_sequence),
		cmocka_unit_test(intervals_by_hand),
		cmocka_unit_test(differences_and_few_pairs),
		cmocka_unit_test(stein),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
