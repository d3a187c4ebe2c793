// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The knee of a curve, on data made by hand: exact broken and straight lines, turns that are none,
 * missing blocks. What the interval covers is simulated (tests/prove).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "analysis/knee.h"

#define BLOCKS 6
#define LEVELS 6

static const double ratios[LEVELS] = {0.5, 1, 1.5, 2, 3, 4};

/* What is shared falls as 1/x behind the knee: y = min(1, knee/x); with errors that are small, of
 * either sign, and sum to nothing over a block. */
static void make(double *y, double knee, double power, double error)
{
	for (int k = 0; k < LEVELS; k++)
		for (int b = 0; b < BLOCKS; b++) {
			double over = knee > 0 && ratios[k] > knee ? ratios[k] / knee : 1;
			int sign = (k * 5 + b * 7 + k * b) % 3 - 1;

			y[k * BLOCKS + b] =
				1000 * (1 + 0.1 * b) * pow(over, power) * exp(error * sign);
		}
}

static void finds_the_break(void **state)
{
	double y[LEVELS * BLOCKS];
	struct knee k;

	(void)state;
	make(y, 1.8, -1, 0.01);
	knee_fit(ratios, LEVELS, y, BLOCKS, -1, 0.95, &k);
	assert_int_equal(k.word, KNEE_SHOWN_AT);
	assert_true(fabs(k.at - 1.8) < 0.05);
	assert_true(k.lo < 1.8 && 1.8 < k.hi && k.hi - k.lo < 0.2);
	assert_false(k.lo_open || k.hi_open);
	assert_true(fabs(k.before) < 0.05);
	assert_true(fabs(k.after + 1) < 0.05);
	assert_true(k.p < 0.001);
	assert_int_equal(k.blocks, BLOCKS);
}

/* Without any error the break is found to a step of the grid: (ln 8) / 2000. */
static void is_exact_without_errors(void **state)
{
	double y[LEVELS * BLOCKS];
	struct knee k;

	(void)state;
	make(y, 2, -1, 0);
	knee_fit(ratios, LEVELS, y, BLOCKS, -1, 0.95, &k);
	assert_int_equal(k.word, KNEE_SHOWN_AT);
	assert_true(fabs(log(k.at / 2)) < log(8) / 1000);
}

static void a_straight_line_has_none(void **state)
{
	double y[LEVELS * BLOCKS];
	struct knee k;

	(void)state;
	make(y, 0, 0, 0.02);
	knee_fit(ratios, LEVELS, y, BLOCKS, -1, 0.95, &k);
	assert_int_equal(k.word, KNEE_STRAIGHT);
	assert_true(k.p > 0.05 && isnan(k.at) && isnan(k.lo));
	/* falling all along is straight, too */
	for (int l = 0; l < LEVELS; l++)
		for (int b = 0; b < BLOCKS; b++)
			y[l * BLOCKS + b] /= ratios[l];
	knee_fit(ratios, LEVELS, y, BLOCKS, -1, 0.95, &k);
	assert_int_equal(k.word, KNEE_STRAIGHT);
}

/* A latency turns upwards; the same turn is none for a throughput. */
static void knows_which_way_is_worse(void **state)
{
	double y[LEVELS * BLOCKS];
	struct knee k;

	(void)state;
	make(y, 1.5, 2, 0.01);
	knee_fit(ratios, LEVELS, y, BLOCKS, 1, 0.95, &k);
	assert_int_equal(k.word, KNEE_SHOWN_AT);
	assert_true(fabs(k.at - 1.5) < 0.05);
	knee_fit(ratios, LEVELS, y, BLOCKS, -1, 0.95, &k);
	assert_int_equal(k.word, KNEE_STRAIGHT);
}

/* Between the first two levels every break fits alike: the first is then free. */
static void says_where_data_bound_nothing(void **state)
{
	double y[LEVELS * BLOCKS];
	struct knee k;

	(void)state;
	make(y, 0.7, -1, 0.01);
	knee_fit(ratios, LEVELS, y, BLOCKS, -1, 0.95, &k);
	assert_int_equal(k.word, KNEE_SHOWN_AT);
	assert_true(k.lo_open && !k.hi_open);
	assert_true(k.lo == 0.5 && k.hi < 1.2);
}

static void a_level_more_is_a_wider_interval(void **state)
{
	double y[LEVELS * BLOCKS];
	struct knee a, b;

	(void)state;
	make(y, 2.4, -1, 0.05);
	knee_fit(ratios, LEVELS, y, BLOCKS, -1, 0.95, &a);
	knee_fit(ratios, LEVELS, y, BLOCKS, -1, 0.999, &b);
	assert_true(b.lo <= a.lo && b.hi >= a.hi && b.hi - b.lo > a.hi - a.lo);
}

static void broken_blocks_are_left_out(void **state)
{
	double y[LEVELS * BLOCKS];
	struct knee k;

	(void)state;
	make(y, 2, -1, 0.01);
	y[0 * BLOCKS + 1] = NAN;
	y[5 * BLOCKS + 3] = 0;
	y[4 * BLOCKS + 3] = INFINITY;
	knee_fit(ratios, LEVELS, y, BLOCKS, -1, 0.95, &k);
	assert_int_equal(k.word, KNEE_SHOWN_AT);
	assert_int_equal(k.blocks, BLOCKS - 2);
}

static void says_why_not(void **state)
{
	static const double back[] = {1, 2, 1.5, 3, 4, 5};
	double y[LEVELS * BLOCKS];
	struct knee k;

	(void)state;
	make(y, 2, -1, 0.01);
	knee_fit(ratios, 3, y, BLOCKS, -1, 0.95, &k);
	assert_int_equal(k.word, KNEE_NONE);
	assert_non_null(k.why);
	knee_fit(ratios, LEVELS, y, 1, -1, 0.95, &k);
	assert_int_equal(k.word, KNEE_NONE);
	assert_non_null(k.why);
	knee_fit(back, LEVELS, y, BLOCKS, -1, 0.95, &k);
	assert_int_equal(k.word, KNEE_NONE);
	assert_string_equal(k.why, "the levels do not ascend");
}

/* The test is a simulation with a fixed seed: the same figures in every report. */
static void is_the_same_every_time(void **state)
{
	double y[LEVELS * BLOCKS];
	struct knee a, b;

	(void)state;
	make(y, 3, -0.2, 0.05);
	knee_fit(ratios, LEVELS, y, BLOCKS, -1, 0.95, &a);
	knee_fit(ratios, LEVELS, y, BLOCKS, -1, 0.95, &b);
	assert_true(a.p == b.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_break),
		cmocka_unit_test(is_exact_without_errors),
		cmocka_unit_test(a_straight_line_has_none),
		cmocka_unit_test(knows_which_way_is_worse),
		cmocka_unit_test(says_where_data_bound_nothing),
		cmocka_unit_test(a_level_more_is_a_wider_interval),
		cmocka_unit_test(broken_blocks_are_left_out),
		cmocka_unit_test(says_why_not),
		cmocka_unit_test(is_the_same_every_time),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
