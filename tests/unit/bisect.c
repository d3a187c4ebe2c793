/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The search over builds, the list of them and the record of the ends. Expected: the first bad
 * build by construction; at most ceil(log2 N) tests and two second ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "bisect/bisect.h"
#include "bisect/record.h"
#include "bisect/search.h"

static unsigned log2_up(size_t n)
{
	unsigned k = 0;

	while (((size_t)1 << k) < n)
		k++;
	return k;
}

static void finds_each_first_bad_build(void **state)
{
	(void)state;
	for (size_t n = 2; n <= 40; n++) {
		for (size_t bad = 1; bad < n; bad++) {
			struct search s;
			size_t b, lo, hi, tests = 0, second = 0;
			bool again;

			search_begin(&s, n);
			while (search_next(&s, &b, &again)) {
				assert_true(b > 0 && b + 1 < n);
				tests += !again;
				second += again;
				assert_true(tests + second <= 2 * n);
				search_tell(&s, b, b >= bad ? WALD_BAD : WALD_GOOD);
			}
			search_range(&s, &lo, &hi);
			assert_int_equal(hi, bad);
			assert_int_equal(lo, bad - 1);
			assert_true(tests <= log2_up(n));
			/* both neighbours once more, unless they are the ends */
			assert_int_equal(second, (bad - 1 > 0) + (bad < n - 1));
			search_free(&s);
		}
	}
}

/* Builds 4 to 6 of ten cannot be told, and 5 is the first bad one: 4 .. 7 is all that can be said.
 */
static void says_the_set_when_some_cannot_be_told(void **state)
{
	struct search s;
	size_t b, lo, hi, tests = 0;
	bool again;

	(void)state;
	search_begin(&s, 10);
	while (search_next(&s, &b, &again)) {
		assert_true(++tests <= 20);
		search_tell(&s, b,
			    b >= 4 && b <= 6 ? WALD_UNDECIDED
			    : b >= 5	     ? WALD_BAD
					     : WALD_GOOD);
	}
	search_range(&s, &lo, &hi);
	assert_int_equal(lo, 3);
	assert_int_equal(hi, 7);
	search_free(&s);
}

/* The first answer about build 3 was wrong: the second takes it back, and the search goes on. */
static void a_contradiction_widens_the_set(void **state)
{
	struct search s;
	size_t b, lo, hi, tests = 0;
	bool again, lied = false;

	(void)state;
	search_begin(&s, 8);
	while (search_next(&s, &b, &again)) {
		enum wald_answer a = b >= 6 ? WALD_BAD : WALD_GOOD;

		assert_true(++tests <= 16);
		if (b == 3 && !lied) {
			a = WALD_BAD;
			lied = true;
		}
		search_tell(&s, b, a);
	}
	assert_true(lied);
	search_range(&s, &lo, &hi);
	assert_int_equal(hi, 6);
	assert_int_equal(lo, 5);
	assert_int_equal(s.answer[3], WALD_UNDECIDED);
	search_free(&s);
}

/* Whatever is answered: it ends, tests none a third time, and the ends stay what they are. */
static void ends_whatever_is_answered(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		size_t n = 2 + round % 30, b, lo, hi, tests = 0;
		unsigned asked[32] = {0};
		struct search s;
		bool again;

		search_begin(&s, n);
		while (search_next(&s, &b, &again)) {
			assert_int_equal(asked[b]++, again);
			assert_true(++tests <= 2 * n);
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			search_tell(&s, b, (enum wald_answer)(1 + (seed >> 40) % 3));
		}
		search_range(&s, &lo, &hi);
		assert_true(lo < hi && hi < n);
		assert_int_equal(s.answer[0], WALD_GOOD);
		assert_int_equal(s.answer[n - 1], WALD_BAD);
		search_free(&s);
	}
}

static int folder_setup(void **state)
{
	char *dir = strdup("/tmp/vbench-bisect-XXXXXX");

	*state = dir;
	return mkdtemp(dir) && !setenv("XDG_DATA_HOME", dir, 1) ? 0 : -1;
}

static int folder_teardown(void **state)
{
	int rc = dir_remove(*state, NULL);

	free(*state);
	return rc;
}

static char *make(void **state, const char *name, const char *text, mode_t mode)
{
	char *path = xasprintf("%s/%s", (char *)*state, name);

	assert_int_equal(file_write(path, text, strlen(text), mode, NULL), 0);
	return path;
}

static void reads_lists_and_folders(void **state)
{
	struct err e = {0};
	struct bisect_list l;
	char *dir = xasprintf("%s/builds", (char *)*state), *text, *list, *v2, *v10, *plain;

	assert_int_equal(mkdir(dir, 0755), 0);
	v10 = make(state, "builds/qemu-10", "#!/bin/sh\n", 0755);
	v2 = make(state, "builds/qemu-2", "#!/bin/sh\n", 0755);
	plain = make(state, "builds/notes", "not a program\n", 0644);
	assert_int_equal(bisect_list_read(dir, true, &l, &e), 0);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.build[0], v2); /* 2 before 10 */
	assert_string_equal(l.build[1], v10);
	bisect_list_free(&l);

	text = xasprintf("# newest last\n  %s \r\n\n%s", v10, v2);
	list = make(state, "list", text, 0644);
	assert_int_equal(bisect_list_read(list, true, &l, &e), 0);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.build[0], v10); /* as the file has it */
	assert_string_equal(l.build[1], v2);
	bisect_list_free(&l);
	free(list);
	free(text);

	text = xasprintf("%s\n%s\n", v2, plain);
	list = make(state, "list", text, 0644);
	assert_int_equal(bisect_list_read(list, true, &l, &e), -EINVAL);
	assert_non_null(strstr(e.text, "build 2"));
	assert_int_equal(bisect_list_read(list, false, &l, &e), 0); /* values of another key */
	assert_string_equal(l.build[1], plain);
	bisect_list_free(&l);
	assert_int_equal(l.n, 0);
	free(list);
	list = make(state, "list", v2, 0644);
	assert_int_equal(bisect_list_read(list, true, &l, &e), -EINVAL);
	assert_non_null(strstr(e.text, "two at least"));
	assert_int_equal(bisect_list_read("/nonexistent/list", true, &l, &e), -EINVAL);
	free(list);
	free(text);
	free(plain);
	free(v2);
	free(v10);
	free(dir);
}

static struct bisect_opts options(const char *profile)
{
	return (struct bisect_opts){.arms = {.profile = profile},
				    .end_pairs = 20,
				    .cap = 64,
				    .error = 0.05,
				    .min_effect = NAN,
				    .among = 256};
}

static void the_record_is_of_just_these_ends(void **state)
{
	struct err e = {0};
	char *profile = make(state, "p.ini", "[workload r]\nrw = read\n", 0644);
	char *qemu = make(state, "qemu", "one", 0755), *set = xasprintf("guest.qemu=%s", qemu);
	const char *good_text = "guest.qemu=/good";
	struct set_list good = {&good_text, 1}, bad = {(const char **)&set, 1};
	struct bisect_opts o = options(profile);
	char *of = bisect_record_of(&o, &good, &bad, &e), *other;
	struct bisect_ends x = {.shown = true,
				.workload = xstrdup("r"),
				.label = xstrdup("the cell"),
				.cell = "00000000000000c1",
				.metric = xstrdup("read.iops"),
				.delta = 0.0625,
				.lo = 0.05,
				.hi = 0.075,
				.sd = 0.02,
				.pairs = 20,
				.cells = 1},
			   got;

	assert_non_null(of);
	assert_int_equal(bisect_record_read(of, &got), -ENOENT);
	strcpy(x.uuid, "aaaa1111-0000-4000-8000-000000000001");
	assert_int_equal(bisect_record_write(of, &x, &e), 0);
	assert_int_equal(bisect_record_read(of, &got), 0);
	assert_true(got.shown && got.recorded && !got.difference);
	assert_string_equal(got.workload, "r");
	assert_string_equal(got.label, "the cell");
	assert_string_equal(got.cell, "00000000000000c1");
	assert_string_equal(got.metric, "read.iops");
	assert_true(got.delta == 0.0625 && got.lo == 0.05 && got.hi == 0.075 && got.sd == 0.02);
	assert_int_equal(got.pairs, 20);
	bisect_ends_free(&got);
	bisect_ends_free(&x);

	/* another file under the same name, another setting, another profile: another check */
	free(make(state, "qemu", "three", 0755));
	other = bisect_record_of(&o, &good, &bad, &e);
	assert_string_not_equal(of, other);
	assert_int_equal(bisect_record_read(other, &got), -ENOENT);
	free(other);
	free(make(state, "p.ini", "[workload r]\nrw = write\n", 0644));
	other = bisect_record_of(&o, &good, &bad, &e);
	assert_int_equal(bisect_record_read(other, &got), -ENOENT);
	free(other);
	free(of);
	free(set);
	free(qemu);
	free(profile);
}

/* What stands in the file is not believed unread. */
static void a_broken_record_is_measured_anew(void **state)
{
	static const char *const broken[] = {
		"",
		"[]",
		"{",
		"{\"of\": \"x\"}",
		"{\"of\": \"x\", \"run\": 5}",
		"{\"of\": \"x\", \"run\": \"r\", \"cell\": \"c\", \"shown\": true}",
		"{\"of\": \"x\", \"run\": \"r\", \"shown\": true, \"workload\": \"w\", \"label\": \"l\", \"cell\": \"c\", "
		"\"metric\": \"m\", \"delta\": \"big\", \"sd\": 1, \"pairs\": 20}",
		"{\"of\": \"x\", \"run\": \"r\", \"shown\": true, \"workload\": \"w\", \"label\": \"l\", \"cell\": \"c\", "
		"\"metric\": \"m\", \"delta\": 1, \"sd\": 1, \"pairs\": -4}",
		"{\"of\": \"x\", \"cell\": \"c\", \"run\": \"0123456789012345678901234567890123456789\", \"shown\": false, "
		"\"why\": \"\"}",
	};
	struct bisect_ends x = {.why = xstrdup("none"),
				.delta = NAN,
				.lo = NAN,
				.hi = NAN,
				.sd = NAN},
			   got;
	char *dir = xasprintf("%s/vbench/bisect", (char *)*state), *cmd, *path = NULL;
	struct err e = {0};
	FILE *f;
	char line[512];

	assert_int_equal(bisect_record_write("x", &x, &e), 0);
	bisect_ends_free(&x);
	/* a check that showed nothing is a record, too */
	assert_int_equal(bisect_record_read("x", &got), 0);
	assert_false(got.shown);
	assert_string_equal(got.why, "none");
	bisect_ends_free(&got);
	cmd = xasprintf("grep -l '\"of\": \"x\"' %s/*", dir);
	f = popen(cmd, "r");
	assert_non_null(fgets(line, sizeof(line), f));
	pclose(f);
	line[strcspn(line, "\n")] = 0;
	path = line;
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		assert_int_equal(file_write(path, broken[i], strlen(broken[i]), 0644, &e), 0);
		if (bisect_record_read("x", &got) != -ENOENT)
			fail_msg("taken for a record: %s", broken[i]);
	}
	free(cmd);
	free(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_each_first_bad_build),
		cmocka_unit_test(says_the_set_when_some_cannot_be_told),
		cmocka_unit_test(a_contradiction_widens_the_set),
		cmocka_unit_test(ends_whatever_is_answered),
		cmocka_unit_test(reads_lists_and_folders),
		cmocka_unit_test(the_record_is_of_just_these_ends),
		cmocka_unit_test(a_broken_record_is_measured_anew),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
