/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The free-space rule, max(10 %, 10 GiB): expected values by hand. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <cmocka.h>
#include "run/space.h"

#define GIB (1ull << 30)

static void keeps_the_larger(void **state)
{
	(void)state;
	assert_int_equal(space_keep(0), 10 * GIB);
	assert_int_equal(space_keep(100 * GIB), 10 * GIB); /* both are equal there */
	assert_int_equal(space_keep(99 * GIB), 10 * GIB);
	assert_int_equal(space_keep(110 * GIB), 11 * GIB);
	assert_int_equal(space_keep(2000 * GIB), 200 * GIB);
}

static int judge(uint64_t avail, uint64_t keep, uint64_t need)
{
	const struct space s = {.size = 1000 * GIB, .avail = avail, .keep = keep};

	return space_judge("/x", &s, need, NULL);
}

static void judges_to_the_byte(void **state)
{
	(void)state;
	assert_int_equal(judge(30 * GIB, 10 * GIB, 20 * GIB), 0);
	assert_int_equal(judge(30 * GIB, 10 * GIB, 20 * GIB + 1), -ENOSPC);
	assert_int_equal(judge(30 * GIB - 1, 10 * GIB, 20 * GIB), -ENOSPC);
	assert_int_equal(judge(10 * GIB, 10 * GIB, 0), 0);
	assert_int_equal(judge(10 * GIB - 1, 10 * GIB, 0), -ENOSPC);
}

static void does_not_wrap_around(void **state)
{
	(void)state;
	assert_int_equal(judge(30 * GIB, 10 * GIB, UINT64_MAX), -ENOSPC);
	assert_int_equal(judge(30 * GIB, UINT64_MAX, 1), -ENOSPC);
	assert_int_equal(judge(0, 1, 0), -ENOSPC);
	assert_int_equal(judge(UINT64_MAX, 1, UINT64_MAX - 1), 0);
}

static void says_what_is_short_and_what_to_do(void **state)
{
	const struct space s = {.size = 1000 * GIB, .avail = 101 * GIB, .keep = 100 * GIB};
	struct err e = {0};

	(void)state;
	assert_int_equal(space_judge("/srv/images", &s, 4 * GIB, &e), -ENOSPC);
	assert_non_null(strstr(e.text, "/srv/images"));
	assert_non_null(strstr(e.text, "101 GiB"));
	assert_non_null(strstr(e.text, "4 GiB"));
	assert_non_null(strstr(e.text, "100 GiB"));
	assert_non_null(strstr(e.text, "host.free"));
	assert_int_equal(e.status, VB_NOT_MEASURED);
}

static void asks_the_file_system(void **state)
{
	struct statvfs v;
	struct space s, below;

	(void)state;
	assert_int_equal(statvfs("/", &v), 0);
	assert_int_equal(space_get("/", 0, &s, NULL), 0);
	assert_int_equal(s.size, (uint64_t)v.f_blocks * v.f_frsize);
	assert_int_equal(s.keep, space_keep(s.size));
	/* a folder still to be made lies where its parent lies; a given keep is taken as it is */
	assert_int_equal(space_get("/nonexistent/a/b", 7, &below, NULL), 0);
	assert_int_equal(below.size, s.size);
	assert_int_equal(below.keep, 7);
	assert_int_equal(space_get("nonexistent-here", 0, &below, NULL), 0);
	assert_int_equal(space_check("/", 0, 1, NULL), 0);
	assert_int_equal(space_check("/", s.size, 1, NULL), -ENOSPC);
	assert_int_equal(space_get("/dev/null/x", 0, &s, NULL), -ENOTDIR);
	assert_int_equal(space_get("", 0, &s, NULL), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_larger),
		cmocka_unit_test(judges_to_the_byte),
		cmocka_unit_test(does_not_wrap_around),
		cmocka_unit_test(says_what_is_short_and_what_to_do),
		cmocka_unit_test(asks_the_file_system),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
