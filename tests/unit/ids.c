/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of CPUs and nodes. Expected values: the kernel's own form (lists without strides), by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/ids.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void reads_and_writes_lists(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {{"0", "0"},	      {"3,1", "1,3"},	   {"0-2,1", "0-2"},   {"0,1,2,8", "0-2,8"},
		    {"4095", "4095"}, {"5-5", "5"},	   {"63,64", "63-64"}, {"0-4095", "0-4095"},
		    {"007", "7"},     {"2,4,6,3,5", "2-6"}};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct ids s;
		char *text;

		assert_true(ids_parse(rows[i].in, &s));
		assert_false(ids_empty(&s));
		text = ids_text(&s);
		assert_string_equal(text, rows[i].out);
		free(text);
		text = ids_canonical(rows[i].in);
		assert_string_equal(text, rows[i].out);
		free(text);
	}
}

static void refuses_what_is_no_list(void **state)
{
	static const char *const rows[] = {"",
					   "x",
					   "1-",
					   "-1",
					   "2-1",
					   "4096",
					   "0-4096",
					   "1 2",
					   "1,,2",
					   "1,",
					   ",1",
					   "0x1",
					   "1;2",
					   "1\n",
					   "1-2-3",
					   "0-7:2",
					   "18446744073709551617",
					   "^1",
					   "1+2"};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct ids s;

		memset(&s, 0xff, sizeof(s));
		assert_false(ids_parse(rows[i], &s));
		assert_true(ids_empty(&s));
		assert_null(ids_canonical(rows[i]));
	}
	assert_false(ids_parse(NULL, &(struct ids){0}));
	assert_null(ids_canonical(NULL));
}

static void reads_a_range_and_stops_behind_it(void **state)
{
	const char *text = "4-7+9/x", *at = text;
	unsigned from, to;

	(void)state;
	assert_true(ids_range(&at, &from, &to));
	assert_int_equal(from, 4);
	assert_int_equal(to, 7);
	assert_string_equal(at, "+9/x");
	assert_false(ids_range(&at, &from, &to)); /* "+" */
	assert_string_equal(at, "+9/x");
	at++;
	assert_true(ids_range(&at, &from, &to));
	assert_int_equal(from, 9);
	assert_int_equal(to, 9);
	assert_string_equal(at, "/x");
}

static void adds_removes_and_cuts(void **state)
{
	struct ids a, b;
	char *text;

	(void)state;
	assert_true(ids_parse("0-9", &a));
	assert_true(ids_parse("8-70", &b));
	ids_and(&a, &b);
	assert_true(ids_parse("8,9", &b));
	assert_true(ids_equal(&a, &b));
	ids_remove(&a, 9);
	ids_remove(&a, IDS_MAX); /* outside: nothing */
	ids_add(&a, IDS_MAX);
	assert_true(ids_has(&a, 8));
	assert_false(ids_has(&a, 9));
	assert_false(ids_has(&a, IDS_MAX));
	assert_false(ids_equal(&a, &b));
	ids_remove(&a, 8);
	assert_true(ids_empty(&a));
	text = ids_text(&a);
	assert_string_equal(text, "");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes_lists),
		cmocka_unit_test(refuses_what_is_no_list),
		cmocka_unit_test(reads_a_range_and_stops_behind_it),
		cmocka_unit_test(adds_removes_and_cuts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
