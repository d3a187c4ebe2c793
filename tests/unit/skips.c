/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of what is not measured. Expected values: written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "profile/profile.h"

static void says(const struct skipped *s, size_t n, const char *expected)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	skipped_print(s, n, "left out: ", f);
	fclose(f);
	assert_string_equal(text, expected);
	free(text);
}

static void a_reason_of_many_cells_is_said_once(void **state)
{
	static const struct skipped s[] = {
		{(char *)"ide pin=none pages=2M", (char *)"no pages", false},
		{(char *)"ide pin=plan pages=any", (char *)"no place", false},
		{(char *)"virtio-blk pin=none pages=2M", (char *)"no pages", false},
		{(char *)"virtio-blk pin=plan pages=2M", (char *)"no pages", false},
	};

	(void)state;
	says(s, 4,
	     "left out: 3 cells with pages=2M: no pages\n"
	     "left out: ide pin=plan pages=any: no place\n");
	/* both words are of both */
	says(s + 2, 2, "left out: 2 cells with virtio-blk pages=2M: no pages\n");
	says(s, 1, "left out: ide pin=none pages=2M: no pages\n");
	says(s, 0, "");
}

static void cells_with_nothing_in_common_are_named(void **state)
{
	static const struct skipped s[] = {
		{(char *)"a b", (char *)"r", false},
		{(char *)"c", (char *)"r", false},
		{(char *)"ab", (char *)"r", false}, /* "a" is not a word of it */
		{(char *)"d a", (char *)"r", false},
	};

	(void)state;
	says(s, 2, "left out: 2 cells (a b, c): r\n");
	says(s, 3, "left out: 3 cells (a b, c, ab): r\n");
	says(s, 4, "left out: 4 cells (a b, c, ab, ...): r\n");
}

/* A combination says itself how many it stands for; what is folded is measured, and said elsewhere.
 */
static void combinations_keep_their_lines(void **state)
{
	static const struct skipped s[] = {
		{(char *)"bus=ide (4 combinations)", (char *)"r", false},
		{(char *)"aio=native (2 combinations)", (char *)"r", false},
		{(char *)"bus=nvme", (char *)"r", true},
		{(char *)"bus=ahci", (char *)"r", false},
	};

	(void)state;
	says(s, 4,
	     "left out: bus=ide (4 combinations): r\n"
	     "left out: aio=native (2 combinations): r\n"
	     "left out: bus=ahci: r\n");
}

static void rungs_keep_their_names(void **state)
{
	static const struct skipped s[] = {
		{(char *)"rung a", (char *)"run.only does not name it", false},
		{(char *)"rung b", (char *)"run.only does not name it", false},
	};

	(void)state;
	says(s, 2,
	     "left out: rung a: run.only does not name it\n"
	     "left out: rung b: run.only does not name it\n");
}

static void a_line_knows_its_cells(void **state)
{
	static const struct skipped s[] = {
		{(char *)"a x", (char *)"r", false},
		{(char *)"b x", (char *)"other", false},
		{(char *)"a y", (char *)"same", true},
		{(char *)"c x", (char *)"r", false},
	};
	size_t n;
	struct skipped_line *l = skipped_lines(s, 4, &n);

	(void)state;
	assert_int_equal(n, 2);
	assert_string_equal(l[0].what, "2 cells with x");
	assert_string_equal(l[0].reason, "r");
	assert_int_equal(l[0].ncell, 2);
	assert_int_equal(l[0].cell[0], 0);
	assert_int_equal(l[0].cell[1], 3);
	assert_string_equal(l[1].what, "b x");
	assert_int_equal(l[1].ncell, 1);
	assert_int_equal(l[1].cell[0], 1);
	skipped_lines_free(l, n);
}

static void json_and_back(void **state)
{
	static const struct skipped s[] = {
		{(char *)"a", (char *)"r", false},
		{(char *)"b", (char *)"same", true},
	};
	json_t *list = skipped_json(s, 2);
	struct skipped *back;
	size_t n;

	(void)state;
	/* what was edited, or is of another version */
	json_array_insert_new(list, 0, json_string("no object"));
	json_array_append_new(list, json_pack("{s:s}", "what", "no reason"));
	back = skipped_of(list, &n);
	assert_int_equal(n, 2);
	assert_string_equal(back[0].what, "a");
	assert_false(back[0].folded);
	assert_string_equal(back[1].reason, "same");
	assert_true(back[1].folded);
	free(back);
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reason_of_many_cells_is_said_once),
		cmocka_unit_test(cells_with_nothing_in_common_are_named),
		cmocka_unit_test(combinations_keep_their_lines),
		cmocka_unit_test(rungs_keep_their_names),
		cmocka_unit_test(a_line_knows_its_cells),
		cmocka_unit_test(json_and_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
