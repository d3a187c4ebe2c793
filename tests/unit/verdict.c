/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts of part 4 by hand, both directions; forecasts against arithmetic with tables of t and
 * chi-square. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "stats/sequential.h"
#include "stats/verdict.h"

static void first_match_wins(void **state)
{
	(void)state;
	assert_int_equal(verdict_of(-0.01, 0.01, 0.02), VERDICT_SAME);
	assert_int_equal(verdict_of(0.005, 0.015, 0.02),
			 VERDICT_SAME); /* differs, by less than matters */
	assert_int_equal(verdict_of(-0.015, -0.005, 0.02), VERDICT_SAME);
	assert_int_equal(verdict_of(0.005, 0.02, 0.02),
			 VERDICT_WORSE); /* the end itself is outside */
	assert_int_equal(verdict_of(0.005, 0.1, 0.02), VERDICT_WORSE);
	assert_int_equal(verdict_of(-0.1, -0.001, 0.02), VERDICT_BETTER);
	assert_int_equal(verdict_of(-0.02, 0.01, 0.02), VERDICT_UNDECIDED);
	assert_int_equal(verdict_of(0, 0.1, 0.02), VERDICT_UNDECIDED); /* 0 is not excluded */
	assert_int_equal(verdict_of(-0.1, 0, 0.02), VERDICT_UNDECIDED);
	assert_int_equal(verdict_of(-INFINITY, INFINITY, 0.02), VERDICT_UNDECIDED);
	assert_int_equal(verdict_of(NAN, 0.01, 0.02), VERDICT_NONE);
	assert_int_equal(verdict_of(0.01, NAN, 0.02), VERDICT_NONE);
}

/* Each verdict against that of the other direction: worse and better change places, the rest stays.
 */
static void direction_turns_worse_into_better(void **state)
{
	static const struct interval ratio[] = {
		{1.2, 1.1, 1.3, 10, 0.1},  {0.8, 0.7, 0.9, 10, 0.1}, {1, 0.99, 1.01, 10, 0.01},
		{1.05, 0.9, 1.2, 10, 0.1}, {1, NAN, NAN, 1, NAN},
	};
	static const enum verdict lower[] = {VERDICT_WORSE, VERDICT_BETTER, VERDICT_SAME,
					     VERDICT_UNDECIDED, VERDICT_NONE};
	static const enum verdict higher[] = {VERDICT_BETTER, VERDICT_WORSE, VERDICT_SAME,
					      VERDICT_UNDECIDED, VERDICT_NONE};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct interval d = ratio[i];

		d.mid -= 1;
		d.lo -= 1;
		d.hi -= 1;
		assert_int_equal(verdict_ratio(&ratio[i], false, 0.02), lower[i]);
		assert_int_equal(verdict_ratio(&ratio[i], true, 0.02), higher[i]);
		assert_int_equal(verdict_diff(&d, false, 0.02), lower[i]);
		assert_int_equal(verdict_diff(&d, true, 0.02), higher[i]);
	}
}

/* +-m is the same distance up and down on the log scale: 1.02 and 1/1.02, not 0.98. */
static void the_margin_is_one_of_logs(void **state)
{
	struct interval up = {1.01, 1.0, 1.0199, 10, 0}, down = {0.99, 1 / 1.0199, 1.0, 10, 0},
			out = {0.99, 0.9802, 0.9999, 10, 0};

	(void)state;
	assert_int_equal(verdict_ratio(&up, false, 0.02), VERDICT_SAME);
	assert_int_equal(verdict_ratio(&down, false, 0.02), VERDICT_SAME);
	assert_int_equal(verdict_ratio(&out, false, 0.02), VERDICT_BETTER);
}

static void constants_are_compared_exactly(void **state)
{
	struct interval one = {1, 1, 1, 5, 0}, more = {1.5, 1.5, 1.5, 5, 0}, zero = {0, 0, 0, 5, 0};

	(void)state;
	assert_int_equal(verdict_ratio(&one, false, 0.02), VERDICT_SAME);
	assert_int_equal(verdict_ratio(&one, false, 0), VERDICT_SAME);
	assert_int_equal(verdict_ratio(&more, false, 0), VERDICT_WORSE);
	assert_int_equal(verdict_ratio(&more, false, 0.02), VERDICT_WORSE);
	assert_int_equal(verdict_ratio(&zero, true, 0.02), VERDICT_WORSE); /* nothing left of it */
}

static void words(void **state)
{
	(void)state;
	assert_string_equal(verdict_word(VERDICT_NONE), "none");
	assert_string_equal(verdict_word(VERDICT_SAME), "same");
	assert_string_equal(verdict_word(VERDICT_WORSE), "worse");
	assert_string_equal(verdict_word(VERDICT_BETTER), "better");
	assert_string_equal(verdict_word(VERDICT_UNDECIDED), "undecided");
}

/*
 * 10 pairs, s = 0.05, mid = 0.03, m = 0.0198: needed half-width 0.03. chi-square with 9 df: 19.0228
 * and 2.70039 (tables), so sigma is between 0.03439 and 0.09128. At 0.03439: n' = 8 would do (2.365
 * * 0.03439 / sqrt(8) = 0.02875), so one block more. At 0.09128: 1.96 sigma / 0.03 squared is 35.6,
 * and with t: n' = 37: 2.028 * 0.09128 / 6.083 = 0.03043; 38: 2.026 / 6.164 * 0.09128 = 0.03000(2);
 * 39: 0.02959.
 */
static void forecast_by_tables(void **state)
{
	struct forecast f = verdict_forecast(0.03, 0.05, 10, log(1.02), 0, 0.95);

	(void)state;
	assert_true(f.known);
	assert_int_equal(f.lo, 1);
	assert_in_range(f.hi, 28, 29);
	/* To the margin instead: mid 0.001, m 0.0198: needed 0.0188; (1.96 * 0.09128 / 0.0188)^2
	 * = 90.6, with t(92) = 1.986: 93. */
	f = verdict_forecast(-0.001, 0.05, 10, log(1.02), 0, 0.95);
	assert_in_range(f.hi, 82, 84);
	/* Known from a history: the range of s shrinks to the one point. */
	f = verdict_forecast(0.03, 0.05, 3, log(1.02), 1e6, 0.95);
	assert_true(f.known);
	assert_int_equal(
		f.lo,
		f.hi); /* t(12) = 2.179: 13 pairs give 0.0302; 14: 2.160 / 3.742 * 0.05 = 0.0289 */
	assert_int_equal(f.hi, 11);
}

static void forecast_bounds(void **state)
{
	struct forecast f;

	(void)state;
	assert_false(verdict_forecast(0.03, 0.05, 5, 0.02, 0, 0.95).known);
	assert_true(verdict_forecast(0.03, 0.05, 6, 0.02, 0, 0.95).known);
	assert_true(verdict_forecast(0.03, 0.05, 3, 0.02, 20, 0.95).known);
	assert_false(verdict_forecast(0.03, 0.05, 3, 0.02, 3, 0.95).known);
	assert_false(verdict_forecast(NAN, 0.05, 10, 0.02, 0, 0.95).known);
	assert_false(verdict_forecast(0.03, NAN, 10, 0.02, 0, 0.95).known);
	assert_false(verdict_forecast(0.03, 0.05, 10, 0, 0, 0.95).known);
	f = verdict_forecast(0.01, 3, 10, 0.02, 0, 0.95);
	assert_int_equal(f.hi, FORECAST_MANY);
	f = verdict_forecast(0.5, 0.01, 10, 0.02, 0, 0.95); /* decided already */
	assert_true(f.known);
	assert_int_equal(f.lo, 0);
	assert_int_equal(f.hi, 0);
}

/* What a run of at most 40 blocks can still do: never more than what is left, and never by a
 * smaller factor than Student's. */
static void forecast_of_a_sequential_run(void **state)
{
	struct forecast f, t;

	(void)state;
	f = verdict_forecast_seq(0.03, 0.05, 10, log(1.02), 0, 40);
	t = verdict_forecast(0.03, 0.05, 10, log(1.02), 0, 0.95);
	assert_true(f.known);
	assert_true(f.lo > t.lo && f.lo <= 30);
	assert_int_equal(f.hi, FORECAST_MANY); /* 0.09128 * 2.6 / sqrt(40) = 0.0375 > 0.03 */
	/* sigma 0.03439: part 6 has c(40, 12) = 3.7, c(40, 15) = 3.4: 0.0367, 0.0302; so 16 or next
	 * to it. */
	assert_in_range(10 + f.lo, 15, 16);
	assert_false(verdict_forecast_seq(0.03, 0.05, 10, 0.02, 0, 3).known);
	assert_false(verdict_forecast_seq(0.03, 0.05, 41, 0.02, 0, 40).known);
	f = verdict_forecast_seq(0.01, 0.05, 40, 0.02, 0, 40); /* nothing is left */
	assert_int_equal(f.lo, FORECAST_MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_match_wins),
		cmocka_unit_test(direction_turns_worse_into_better),
		cmocka_unit_test(the_margin_is_one_of_logs),
		cmocka_unit_test(constants_are_compared_exactly),
		cmocka_unit_test(words),
		cmocka_unit_test(forecast_by_tables),
		cmocka_unit_test(forecast_bounds),
		cmocka_unit_test(forecast_of_a_sequential_run),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
