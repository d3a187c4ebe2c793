/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Main effects and components of variance against arithmetic by hand; t(2, 97.5 %)
 * is 4.302652729749464. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "stats/stats.h"

#define T2 4.302652729749464

static void near(double got, double want)
{
	if (!(fabs(got - want) <= 1e-9 * fmax(1, fabs(want))))
		fail_msg("%.15g, should be %.15g", got, want);
}

/*
 * Two combinations, three blocks. The first gains 10 %, the second 30 %; in block 0 both a further
 * -2 %, in block 2 +2 % (in logs). Contrasts: ln sqrt(1.1 * 1.3) - 0.02, 0, + 0.02; their sd is
 * 0.02. Levels of combinations and blocks cancel.
 */
static void averages_over_combinations(void **state)
{
	double ya[] = {100, 7, 300, 2, 50, 90}, yb[6], mid = sqrt(1.1 * 1.3),
	       half = exp(T2 * 0.02 / sqrt(3));
	struct interval r;

	(void)state;
	for (int k = 0; k < 3; k++) {
		yb[2 * k] = ya[2 * k] * 1.1 * exp(0.02 * (k - 1));
		yb[2 * k + 1] = ya[2 * k + 1] * 1.3 * exp(0.02 * (k - 1));
	}
	r = main_effect(ya, yb, 3, 2, 0.95);
	near(r.mid, mid);
	near(r.lo, mid / half);
	near(r.hi, mid * half);
	near(r.sd, 0.02);
	assert_int_equal(r.n, 3);
}

static void leaves_broken_blocks_out(void **state)
{
	/* Blocks 1 and 3 lack a value; a third combination is never whole, so it is not in use and
	 * costs no block. */
	static const double ya[] = {1, 1, NAN, 1, 1, 5, 1, 1, NAN, 1, NAN, 5, 1, 1, NAN};
	static const double yb[] = {2, 2, 9, NAN, 8, NAN, 2, 2, 9, 7, 7, NAN, 4, 1, 9};
	struct interval r = main_effect(ya, yb, 5, 3, 0.95);

	(void)state;
	assert_int_equal(r.n, 3);
	near(r.mid, 2); /* blocks 0 and 2: 2 and 2; block 4: 4 and 1 */
	near(r.sd, 0);
}

static void nothing_to_say(void **state)
{
	static const double ya[] = {1, NAN, 0, -1}, yb[] = {NAN, 1, 1, 1};
	static const double one[] = {2}, two[] = {3};
	struct interval r = main_effect(ya, yb, 4, 1, 0.95);

	(void)state;
	assert_true(isnan(r.mid) && isnan(r.lo) && isnan(r.hi) && r.n == 0);
	r = main_effect(ya, yb, 0, 0, 0.95);
	assert_true(isnan(r.mid) && r.n == 0);
	r = main_effect(one, two, 1, 1, 0.95);
	near(r.mid, 1.5);
	assert_true(isnan(r.lo) && isnan(r.hi) && r.n == 1);
}

/* Group means 2, 5, 8: MSB = 3 * (9 + 0 + 9) / 2 = 27, MSW = 6 / 6 = 1; (27 - 1) / 3. */
static void components_of_equal_groups(void **state)
{
	static const double x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	static const size_t n[] = {3, 3, 3};
	struct components c = variance_components(x, n, 3);

	(void)state;
	near(c.f, 27);
	near(c.within, 1);
	near(c.between, 26 / 3.0);
	assert_int_equal(c.groups, 3);
}

/* SSB = 2 * 9 + 3 * 4 = 30, SSW = 2 + 8 = 10, n0 = 5 - 13/5 = 2.4. */
static void components_of_unequal_groups(void **state)
{
	static const double x[] = {1, 3, 5, 7, 9};
	static const size_t n[] = {2, 3};
	struct components c = variance_components(x, n, 2);

	(void)state;
	near(c.within, 10 / 3.0);
	near(c.f, 9);
	near(c.between, (30 - 10 / 3.0) / 2.4);
}

static void components_cut_at_zero(void **state)
{
	static const double x[] = {1, 9, 1, 9};
	static const size_t two[] = {2, 2}, hole[] = {2, 0}, single[] = {1, 1};
	struct components c = variance_components(x, two, 2);

	(void)state;
	near(c.between, 0);
	near(c.f, 0);
	assert_int_equal(c.groups, 2);
	assert_int_equal(variance_components(x, hole, 2).groups, 0);
	assert_int_equal(variance_components(x, single, 2).groups, 0);
	assert_int_equal(variance_components(x, two, 1).groups, 0);
	assert_int_equal(variance_components(x, two, 0).groups, 0);
}

/*
 * Rows 1 2 6 / 3 4 5: residuals -.5 -.5 1 / .5 .5 -1, RSS 3 on 2 df; blocks' SS = 2 * (2.25 + .25 +
 * 4) = 13 on 2 df; between = (6.5 - 1.5) / 2.
 */
static void cells_and_blocks(void **state)
{
	static const double x[] = {1, 2, 6, 3, 4, 5};
	struct two_way r = two_way_fit(x, 2, 3);

	(void)state;
	near(r.residual_sd, sqrt(1.5));
	assert_int_equal(r.df, 2);
	near(r.blocks.within, 1.5);
	near(r.blocks.between, 2.5);
	near(r.blocks.f, 6.5 / 1.5);
	assert_int_equal(r.blocks.groups, 3);
}

/*
 * With holes. An additive table stays additive, so nothing is left; a disturbance of one field by 3
 * in the 2 x 2 corner that is left of the interaction gives residuals of 3/4: RSS = 4 * 9/16, on 1
 * df.
 */
static void holes(void **state)
{
	static const double add[] = {1, 11, NAN, 2, NAN, 102, NAN, 13, 103, NAN, NAN, NAN};
	static const double corner[] = {0, 0, NAN, 0, 3, NAN, NAN, NAN, 7};
	struct two_way r = two_way_fit(add, 4, 3);

	(void)state;
	near(r.residual_sd, 0);
	assert_int_equal(r.df, 6 + 1 - 3 - 3);
	assert_int_equal(r.blocks.groups, 3);
	r = two_way_fit(corner, 2, 3); /* rows 0 0 - / 0 3 - */
	near(r.residual_sd, sqrt(4 * 9 / 16.0));
	assert_int_equal(r.df, 1);
}

/*
 * Rows 0 0 6 / 0 3 -: the last block has one value, so it fits, and the rest is the corner above:
 * within = 9/4 on 1 df. About the cells' means (2, 1.5) there are 24 + 4.5, so blocks explain 28.5
 * - 2.25 on 2 df; their factor is (5 - 2) / 2.
 */
static void blocks_of_unequal_size(void **state)
{
	static const double x[] = {0, 0, 6, 0, 3, NAN};
	struct two_way r = two_way_fit(x, 2, 3);

	(void)state;
	near(r.blocks.within, 2.25);
	near(r.blocks.f, 13.125 / 2.25);
	near(r.blocks.between, (13.125 - 2.25) / 1.5);
}

static void too_little_for_two_ways(void **state)
{
	static const double x[] = {1, 2, 3, 4}, none[] = {NAN, NAN, NAN, NAN};

	(void)state;
	assert_true(isnan(two_way_fit(x, 1, 4).residual_sd) &&
		    two_way_fit(x, 1, 4).blocks.groups == 0);
	assert_true(isnan(two_way_fit(x, 4, 1).residual_sd));
	assert_true(isnan(two_way_fit(none, 2, 2).residual_sd));
	assert_true(isnan(two_way_fit(x, 0, 0).residual_sd));
	assert_int_equal(two_way_fit(x, 2, 2).df, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(averages_over_combinations),
		cmocka_unit_test(leaves_broken_blocks_out),
		cmocka_unit_test(nothing_to_say),
		cmocka_unit_test(components_of_equal_groups),
		cmocka_unit_test(components_of_unequal_groups),
		cmocka_unit_test(components_cut_at_zero),
		cmocka_unit_test(cells_and_blocks),
		cmocka_unit_test(holes),
		cmocka_unit_test(blocks_of_unequal_size),
		cmocka_unit_test(too_little_for_two_ways),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
