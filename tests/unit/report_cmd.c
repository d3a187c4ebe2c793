/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vbench report`: from a store to a page, a table or JSON, and its exit statuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "cmd/cmd.h"
#include "tests/unit/rows.h"

struct place {
	char dir[40];
	char *db, *out, *err;
};

/* Two cells in 6 blocks: the second has 5 % more IOPS in each, give or take 0.1 %. */
static void store_fill(const struct place *p)
{
	struct err e = {0};
	struct store *s;
	struct rows r;

	rows_begin(&r, "[{\"key\":\"disk.ring\",\"values\":[\"split\",\"packed\"]}]", 6);
	rows_cell(&r, "split", "{\"disk.ring\":\"split\"}");
	rows_cell(&r, "packed", "{\"disk.ring\":\"packed\"}");
	rows_work(&r, "rr", "{\"rw\":\"randread\",\"iodepth\":\"8\"}");
	r.run.folder = xasprintf("%s/run", p->dir);
	r.run.label = xstrdup("trunk");
	r.run.trials = 12;
	for (unsigned b = 0; b < 6; b++)
		for (unsigned c = 0; c < 2; c++)
			rows_sample(rows_trial(&r, b, c, 0), "read.iops",
				    (c ? 42000 + 40 * (b % 2) : 40000) * (1 + 0.02 * b));
	assert_int_equal(dir_make(r.run.folder, 0755, &e), 0);
	assert_int_equal(store_open(p->db, true, &s, &e), 0);
	assert_int_equal(store_run_begin(s, &r.run, r.cells, r.ncells, r.works, r.nworks, &e), 0);
	for (size_t i = 0; i < r.ntrials; i++)
		assert_int_equal(store_trial_put(s, r.run.uuid, &r.trials[i], &e), 0);
	assert_int_equal(store_run_status(s, r.run.uuid, "complete", 9, &e), 0);
	store_close(s);
	rows_end(&r);
}

static int setup(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	strcpy(p->dir, "/tmp/vbench-report-XXXXXX");
	if (!mkdtemp(p->dir))
		return -1;
	p->db = xasprintf("%s/vbench.db", p->dir);
	p->out = xasprintf("%s/stdout", p->dir);
	p->err = xasprintf("%s/stderr", p->dir);
	*state = p;
	store_fill(p);
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	dir_remove(p->dir, NULL);
	free(p->db);
	free(p->out);
	free(p->err);
	free(p);
	return 0;
}

/* Runs it with stdout and stderr in files; out NULL: the ones of place. Arguments end with NULL. */
static int report(const struct place *p, const char *out, ...)
{
	char *argv[16] = {(char *)"report"};
	int argc = 1, rc, keep[2] = {dup(1), dup(2)};
	va_list ap;

	va_start(ap, out);
	while ((argv[argc] = va_arg(ap, char *)) != NULL)
		argc++;
	va_end(ap);
	fflush(NULL);
	assert_non_null(freopen(out ? out : p->out, "w", stdout));
	assert_non_null(freopen(p->err, "w", stderr));
	rc = cmd_report(argc, argv);
	fflush(NULL);
	clearerr(stdout);
	dup2(keep[0], 1);
	dup2(keep[1], 2);
	close(keep[0]);
	close(keep[1]);
	return rc;
}

static char *text_of(const char *path)
{
	char *text = NULL;

	assert_int_equal(file_read(path, 8 << 20, &text, NULL), 0);
	return text;
}

static void assert_holds(const char *path, const char *what)
{
	char *text = text_of(path);

	if (!strstr(text, what))
		fail_msg("no \"%s\" in %s: %.600s", what, path, text);
	free(text);
}

static void page_goes_to_the_run(void **state)
{
	struct place *p = *state;
	char *want = xasprintf("%s/run/report.html\n", p->dir), *got;

	assert_int_equal(report(p, NULL, "--db", p->db, NULL), VB_OK);
	got = text_of(p->out);
	assert_string_equal(got, want);
	want[strlen(want) - 1] = 0;
	assert_holds(want, "<!DOCTYPE html>");
	assert_holds(want, "packed");
	free(want);
	free(got);
}

static void page_goes_where_it_is_told(void **state)
{
	struct place *p = *state;
	char *file = xasprintf("%s/x.html", p->dir),
	     *other = xasprintf("%s/run/report.html", p->dir);

	assert_int_equal(report(p, NULL, "trunk", "-o", file, "--db", p->db, NULL), VB_OK);
	assert_holds(file, "</html>");
	assert_false(path_exists(other));
	free(file);
	free(other);
}

/* 42000 and 42040 in turns against 40000: a ratio of 1.0505 by hand, far outside its interval's
 * width. */
static void text_has_the_ratio(void **state)
{
	struct place *p = *state;

	assert_int_equal(report(p, NULL, "--text", "--db", p->db, "last", NULL), VB_OK);
	assert_holds(p->out, "first cell");
	assert_holds(p->out, "+5.05 % [");
	assert_holds(p->out, "better");
}

static void json_is_the_model(void **state)
{
	struct place *p = *state;
	json_t *j;

	assert_int_equal(report(p, NULL, "--json", "--db", p->db, NULL), VB_OK);
	j = json_load_file(p->out, 0, NULL);
	assert_non_null(j);
	assert_int_equal(json_array_size(json_object_get(j, "cells")), 2);
	json_decref(j);
}

static void default_store_is_the_users(void **state)
{
	struct place *p = *state;
	char *data = xasprintf("%s/data", p->dir);

	setenv("XDG_DATA_HOME", data, 1);
	assert_int_equal(report(p, NULL, "--text", NULL), VB_BAD_INPUT); /* there is none yet */
	assert_holds(p->err, data);
	unsetenv("XDG_DATA_HOME");
	free(data);
}

static void bad_input_is_named(void **state)
{
	struct place *p = *state;

	assert_int_equal(report(p, NULL, "--db", p->db, "nosuch", NULL), VB_BAD_INPUT);
	assert_holds(p->err, "nosuch");
	assert_int_equal(report(p, NULL, "--db", p->db, "a", "b", NULL), VB_BAD_INPUT);
	assert_int_equal(report(p, NULL, "--json", "--text", NULL), VB_BAD_INPUT);
	assert_int_equal(report(p, NULL, "--frobnicate", NULL), VB_BAD_INPUT);
	assert_holds(p->err, "--frobnicate");
	assert_int_equal(report(p, NULL, "--db", NULL), VB_BAD_INPUT);
	assert_int_equal(report(p, NULL, "--db", p->db, "--text", "-o", "/nonexistent/x", NULL),
			 VB_BAD_INPUT);
	assert_holds(p->err, "/nonexistent/x");
}

static void run_without_a_folder_needs_a_file(void **state)
{
	struct place *p = *state;
	char *run = xasprintf("%s/run", p->dir);

	assert_int_equal(dir_remove(run, NULL), 0);
	assert_int_equal(report(p, NULL, "--db", p->db, NULL), VB_BAD_INPUT);
	assert_holds(p->err, "-o");
	free(run);
}

static void full_output_is_an_error(void **state)
{
	struct place *p = *state;

	if (access("/dev/full", W_OK) != 0)
		skip();
	assert_int_equal(report(p, "/dev/full", "--json", "--db", p->db, NULL), VB_NOT_MEASURED);
	assert_int_equal(report(p, "/dev/full", "--text", "--db", p->db, NULL), VB_NOT_MEASURED);
	assert_int_equal(report(p, "/dev/full", "--db", p->db, NULL), VB_NOT_MEASURED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(page_goes_to_the_run),
		TEST(page_goes_where_it_is_told),
		TEST(text_has_the_ratio),
		TEST(json_is_the_model),
		TEST(default_store_is_the_users),
		TEST(bad_input_is_named),
		TEST(run_without_a_folder_needs_a_file),
		TEST(full_output_is_an_error),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
