// SPDX-License-Identifier: GPL-2.0-or-later
/* Successive halving: budgets and order. Expected values: arithmetic by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "stats/race.h"

static void halves(void **state)
{
	(void)state;
	assert_int_equal(race_rounds(8), 3); /* 8, 4, 2 -> 1 */
	assert_int_equal(race_rounds(5), 2); /* 5, 2 -> 1 */
	assert_int_equal(race_rounds(1), 1);
	assert_int_equal(race_keep(8), 4);
	/* 48 visits: a third each; 9 cells (with the start) once, 39 left: 19 for 5 cells thrice,
	 * 24 for 3 */
	assert_int_equal(race_blocks(8, 48), 1);
	assert_int_equal(race_blocks(4, 39), 3);
	assert_int_equal(race_blocks(2, 24), 8);
	assert_int_equal(race_blocks(8, 9), 1);
	assert_int_equal(race_blocks(8, 8), 0);
	/* one block a round: 9 + 5 + 3 = 17 */
	assert_int_equal(race_cells(17), 8);
	assert_int_equal(race_cells(16), 7); /* 8 + 4 (3 and the start) */
	assert_int_equal(race_cells(2), 1);
}

static void orders(void **state)
{
	struct race_cell c[] = {{0, NAN, 0, -9}, {1, 2, 1, 0}, {2, 1, 3, 5},
				{3, 1, 2, 7},	 {4, 1, 2, 6}, {5, 1, 2, 6}};
	static const size_t want[] = {4, 5, 3, 2, 1, 0};

	(void)state;
	race_sort(c, 6);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(c[i].cell, want[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(halves), cmocka_unit_test(orders)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
