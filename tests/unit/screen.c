// SPDX-License-Identifier: GPL-2.0-or-later
/* The screening of a space: which cells, and what they say of all. Expected values: arithmetic by
 * hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "stats/screen.h"

static const unsigned two[] = {2, 2, 2, 2};

/* A full 2^4: cell c has bit i of c as its level of axis i. */
static void fill(unsigned char level[16][4])
{
	for (unsigned c = 0; c < 16; c++)
		for (unsigned i = 0; i < 4; i++)
			level[c][i] = c >> i & 1;
}

static void identity(size_t *order, size_t n)
{
	for (size_t i = 0; i < n; i++)
		order[i] = i;
}

/* Eight of 2^4 by information: a half fraction of resolution IV has each level of each axis four
 * times. */
static void chooses_balanced(void **state)
{
	unsigned char level[16][4];
	struct screen_space s = {16, 4, two, &level[0][0]};
	size_t order[16], out[16];

	(void)state;
	fill(level);
	identity(order, 16);
	assert_int_equal(screen_choose(&s, 8, 5, order, out), 8);
	assert_int_equal(out[0], 5);
	for (unsigned i = 0; i < 4; i++) {
		unsigned ones = 0;

		for (unsigned k = 0; k < 8; k++)
			ones += level[out[k]][i];
		assert_int_equal(ones, 4);
	}
	for (unsigned k = 0; k < 8; k++)
		for (unsigned m = 0; m < k; m++)
			assert_int_not_equal(out[k], out[m]);
	assert_int_equal(screen_choose(&s, 99, 0, order, out), 16);
	assert_int_equal(screen_choose(&s, 4, 16, order, out), 0);
}

/* Additive truth without noise, in two blocks whose levels differ by 5: differences of cells come
 * out, but for the shrinkage: a hundredth of the largest effect at most. */
static void predicts_what_was_not_tried(void **state)
{
	unsigned char level[16][4];
	static const double effect[] = {0.5, -0.25, 0.125, 0};
	struct screen_space s = {16, 4, two, &level[0][0]};
	struct screen_obs obs[12];
	struct screen_fit fit;
	double mid[16], truth[16];

	(void)state;
	fill(level);
	for (unsigned c = 0; c < 16; c++) {
		truth[c] = 0;
		for (unsigned i = 0; i < 4; i++)
			truth[c] += level[c][i] * effect[i];
	}
	for (unsigned k = 0; k < 12; k++) /* cells 0, 5, 10, 15, ...: 5k mod 16 */
		obs[k] = (struct screen_obs){5 * k % 16, k / 6, truth[5 * k % 16] + 5 * (k / 6)};
	assert_true(screen_predict(&s, obs, 12, 0, mid, &fit));
	assert_int_equal(fit.used, 12);
	assert_int_equal(fit.blocks, 2);
	for (unsigned c = 1; c < 16; c++)
		assert_true(fabs(mid[c] - mid[0] - (truth[c] - truth[0])) < 0.005);
}

/* One axis that means nothing in half of the cells: those are alike on it, and nothing is NAN. */
static void axis_without_meaning(void **state)
{
	static const unsigned levels[] = {2, 3};
	static const unsigned char level[] = {0, 0, 0, 1, 0, 2, 1, SCREEN_NONE};
	struct screen_space s = {4, 2, levels, level};
	struct screen_obs obs[] = {{0, 0, 0}, {1, 0, 1}, {2, 0, 2}, {3, 0, -1}};
	struct screen_fit fit;
	double mid[4];

	(void)state;
	assert_true(screen_predict(&s, obs, 4, 0, mid, &fit));
	for (unsigned c = 0; c < 4; c++)
		assert_true(isfinite(mid[c]));
	assert_true(mid[3] < mid[2]);
}

static void refuses_what_says_nothing(void **state)
{
	static const unsigned char level[] = {0, 1};
	struct screen_space s = {2, 1, two, level};
	struct screen_obs alone[] = {{0, 0, 1}, {1, 1, 2}};
	struct screen_fit fit;
	double mid[2] = {7, 7};

	(void)state;
	assert_false(
		screen_predict(&s, alone, 2, 0, mid, &fit)); /* a block each: its level is all */
	assert_int_equal(fit.used, 0);
	assert_true(mid[0] == 0 && mid[1] == 0);
	assert_false(screen_predict(&s, alone, 0, 0, mid, &fit));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chooses_balanced),
		cmocka_unit_test(predicts_what_was_not_tried),
		cmocka_unit_test(axis_without_meaning),
		cmocka_unit_test(refuses_what_says_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
