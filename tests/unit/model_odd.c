/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Odd rows -> model: nothing measured, broken JSON, rows that belong nowhere, values that are no
 * numbers. A store of ours refuses most of this, but a file can come from anywhere, so the store
 * here is a fake one that hands out what it is given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include "analysis/model.h"
#include "rows.h"

#define RING "[{\"key\":\"disk.ring\",\"values\":[\"split\",\"packed\"]}]"

struct store {
	struct rows *rows;
	int fail_at; /* which of the four questions fails, from 1 */
	int handed_out;
};

static int answer(struct store *s, int question, struct err *e)
{
	if (s->fail_at == question)
		return err_set(e, -EIO, "the disk is gone");
	s->handed_out++;
	return 0;
}

int store_run_find(struct store *s, const char *what, struct store_run *out, struct err *e)
{
	int rc = answer(s, 1, e);

	(void)what;
	if (!rc)
		*out = s->rows->run;
	return rc;
}

int store_cells(struct store *s, const char *uuid, struct store_cell **out, size_t *n,
		struct err *e)
{
	(void)uuid;
	*out = s->rows->cells;
	*n = s->rows->ncells;
	return answer(s, 2, e);
}

int store_workloads(struct store *s, const char *uuid, struct store_workload **out, size_t *n,
		    struct err *e)
{
	(void)uuid;
	*out = s->rows->works;
	*n = s->rows->nworks;
	return answer(s, 3, e);
}

int store_trials(struct store *s, const char *uuid, struct store_trial **out, size_t *n,
		 struct err *e)
{
	(void)uuid;
	*out = s->rows->trials;
	*n = s->rows->ntrials;
	return answer(s, 4, e);
}

/* The rows stay the test's own. */
void store_run_free(struct store_run *r)
{
	(void)r;
}

void store_cells_free(struct store_cell *c, size_t n)
{
	(void)c;
	(void)n;
}

void store_workloads_free(struct store_workload *w, size_t n)
{
	(void)w;
	(void)n;
}

void store_trials_free(struct store_trial *t, size_t n)
{
	(void)t;
	(void)n;
}

/* Makes the model and its JSON, which must hold together whatever the rows are. */
static struct model *model_of(struct rows *r)
{
	struct store s = {r, 0, 0};
	struct err e = {0};
	struct model *m;
	json_t *j;
	char *text;

	assert_int_equal(model_make(&s, ROWS_UUID, &m, &e), 0);
	assert_non_null(m->headline);
	assert_non_null(m->accel);
	for (size_t i = 0; i < m->nworkloads; i++)
		assert_non_null(m->workloads[i].headline);
	j = model_json(m);
	text = json_dumps(j, 0);
	assert_non_null(text);
	free(text);
	json_decref(j);
	return m;
}

static bool warned(const struct model *m, const char *part)
{
	for (size_t i = 0; i < m->nwarnings; i++)
		if (strstr(m->warnings[i], part))
			return true;
	return false;
}

static void two_cells(struct rows *r, unsigned blocks)
{
	rows_begin(r, RING, blocks);
	rows_cell(r, "split", "{\"disk.ring\":\"split\"}");
	rows_cell(r, "packed", "{\"disk.ring\":\"packed\"}");
	rows_work(r, "w", "{\"rw\":\"randread\",\"iodepth\":\"8\"}");
}

static void nothing_at_all(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	memset(&r, 0, sizeof(r)); /* every text NULL, every count 0 */
	m = model_of(&r);
	assert_string_equal(m->status, "unknown");
	assert_string_equal(m->accel, "unknown");
	assert_non_null(strstr(m->headline, "Not measured"));
	assert_int_equal(m->nfacts, 0);
	assert_int_equal(m->nwarnings, 2); /* not complete; no trial */
	model_free(m);
	model_free(NULL);
}

static void no_trials(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	two_cells(&r, 8);
	m = model_of(&r);
	assert_int_equal(m->ncells, 2);
	assert_int_equal(m->workloads[0].nrows, 2);
	assert_null(m->workloads[0].primary);
	assert_string_equal(m->workloads[0].headline, "w: not measured.");
	assert_int_equal(m->blocks_planned, 8);
	assert_int_equal(m->blocks_done, 0);
	model_free(m);
	rows_end(&r);
}

/* One block gives values but no intervals, and certainly no marks. */
static void one_block(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	two_cells(&r, 1);
	rows_sample(rows_trial(&r, 0, 0, 0), "read.iops", 100);
	rows_sample(rows_trial(&r, 0, 1, 0), "read.iops", 900);
	m = model_of(&r);
	assert_true(fabs(m->workloads[0].rows[1].values[0].ratio.mid - 9) < 1e-12);
	assert_true(isnan(m->workloads[0].rows[1].values[0].ratio.lo));
	assert_false(m->workloads[0].rows[1].values[0].differs);
	assert_false(m->workloads[0].effects[0].differs);
	assert_true(isnan(m->workloads[0].trial_sd));
	assert_non_null(strstr(m->workloads[0].headline, "nothing can be said"));
	assert_string_equal(m->headline,
			    "Undecided cell by cell: none of the 2 was shown worse than the best, "
			    "but there are too few blocks to say how large a difference may be. "
			    "Measure more blocks.");
	assert_true(warned(m, "Only 1 whole block:"));
	model_free(m);
	rows_end(&r);
}

/*
 * By hand: 4 guests of 1 vCPU on CPUs 0, 1 and 3 are 1.33 vCPUs a CPU there, and 0.5 of 8 CPUs;
 * starts 10, 40 and 100 ms apart have the median 40.
 */
static void guests_that_share(void **state)
{
	static const int apart[] = {100, 10, 40};
	struct rows r;
	struct model *m;

	(void)state;
	rows_begin(&r, "[{\"key\":\"guest.count\",\"values\":[\"4\"]}]", 3);
	rows_cell(&r, "4 guests", "{\"guest.count\":\"4\",\"guest.pin\":\"0-1+3/0/2-7\"}");
	rows_work(&r, "w", "{\"rw\":\"randread\"}");
	for (unsigned b = 0; b < 3; b++) {
		struct store_trial *t = rows_trial(&r, b, 0, 0);

		free(t->facts_json);
		t->facts_json = xasprintf(
			"{\"guests\":{\"count\":4,\"vcpus\":1,\"cpus\":8,\"spread_ns\":%d000000,"
			"\"overlap\":0.9%u}}",
			apart[b], 7 - b);
		rows_sample(t, "read.iops", 100 + b);
	}
	m = model_of(&r);
	assert_true(warned(m, "by 40 ms in the median trial, 100 ms at most. They measured "
			      "together for 95.0 % of the time at least"));
	assert_true(warned(m,
			   "4 guests: guest.pin = 0-1+3/0/2-7 put the vCPUs of all 4 guests on the "
			   "same 3 CPUs: 1.33 vCPUs a CPU there, where the ratio of 0.5 is to "
			   "the 8 CPUs"));
	model_free(m);
	rows_end(&r);
}

/* A cell without a single trial, and one of all failures, beside one that was measured. */
static void missing_cells(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	two_cells(&r, 3);
	rows_cell(&r, "never", "{}");
	for (unsigned k = 0; k < 3; k++) {
		rows_fail(rows_trial(&r, k, 0, 0), "qemu");
		rows_sample(rows_trial(&r, k, 1, 0), "read.iops", 100 + k);
	}
	m = model_of(&r);
	assert_true(m->workloads[0].rows[0].too_many_failed);
	assert_false(m->workloads[0].rows[2].too_many_failed);
	assert_true(
		isnan(m->workloads[0].rows[1].values[0].ratio.mid)); /* the first cell has nothing
									to compare with */
	assert_true(m->workloads[0].rows[1].values[0].abs.n == 3);
	assert_true(isnan(m->workloads[0].rows[2].values[0].abs.mid));
	assert_true(warned(m, "no ratios either"));
	assert_int_equal(m->blocks_done, 0);
	model_free(m);
	rows_end(&r);
}

static void broken_json(void **state)
{
	static const char *const broken[] = {
		"",
		"{",
		"[]",
		"{}",
		"null",
		"\"x\"",
		"7",
		"[null,{},[],7]",
		"[{\"key\":7,\"values\":{}}]",
		"[{\"key\":\"disk.ring\",\"values\":[7,null,\"packed\"]}]",
		"{\"w\":[],\"cpu\":[[[[[[[[[[1]]]]]]]]]],\"storage\":{}}",
		"{\"side\":7}",
		"{\"side\":{\"a\":{},\"b\":[1],\"c\":null,\"\":\"\",\"d\":1e400}}",
		"\xff\xfe"};

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		struct rows r;
		char **texts[] = {&r.run.sets_json,	 &r.run.host_json,     &r.run.axes_json,
				  &r.run.skipped_json,	 &r.run.primary_json,  &r.run.meta_json,
				  &r.cells[0].keys_json, &r.works[0].keys_json};

		two_cells(&r, 2);
		for (unsigned k = 0; k < 4; k++) {
			struct store_trial *t = rows_trial(&r, k / 2, k % 2, 0);

			rows_sample(t, "read.iops", 100 + k);
			t->facts_json = xstrdup(broken[i]);
			t->noise_json = xstrdup(broken[i]);
			t->phases_json = xstrdup(broken[i]);
		}
		for (size_t j = 0; j < sizeof(texts) / sizeof(*texts); j++) {
			free(*texts[j]);
			*texts[j] = xstrdup(broken[i]);
		}
		model_free(model_of(&r));
		rows_end(&r);
	}
}

/* More facts than are looked at, a name and a value beyond all bounds. */
static void side_without_end(void **state)
{
	struct rows r;
	struct model *m;
	char *big = xcalloc(100001, 1);

	(void)state;
	memset(big, 'x', 100000);
	two_cells(&r, 1);
	for (size_t c = 0; c < 2; c++) {
		json_t *side = json_object();
		struct store_trial *t = rows_trial(&r, 0, c, 0);
		json_t *all = json_pack("{s:o}", "side", side);

		rows_sample(t, "read.iops", 100);
		json_object_set_new(side, big, json_integer((int)c));
		json_object_set_new(side, "value", json_string(c ? big : "short"));
		for (int i = 0; i < 1000; i++) {
			char name[16];

			snprintf(name, sizeof(name), "f%d", i);
			json_object_set_new(side, name, json_integer((int)c));
		}
		t->facts_json = json_dumps(all, 0);
		json_decref(all);
	}
	m = model_of(&r);
	assert_int_equal(m->nside, 64);
	assert_string_equal(m->side[0].name, "value");
	assert_string_equal(m->side[0].values, "short (split), too long to show (packed)");
	model_free(m);
	rows_end(&r);
	free(big);
}

static void strangers(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	two_cells(&r, 2);
	for (unsigned k = 0; k < 2; k++)
		for (size_t c = 0; c < 2; c++) {
			struct store_trial *t = rows_trial(&r, k, c, 0);

			rows_sample(t, "read.iops", 100);
			rows_sample(t, "from.the.future", 1);
		}
	rows_sample(rows_trial(&r, 0, 0, 0), "read.iops", 1);
	strcpy(r.trials[4].cell, "nobody's");
	rows_trial(&r, 4000000000u, 0, 0);
	rows_trial(&r, 0, 0, 0);
	free(r.trials[6].workload);
	r.trials[6].workload = NULL;
	m = model_of(&r);
	assert_true(warned(
		m,
		"4 samples of metrics that this vbench does not know (such as from.the.future)"));
	assert_true(warned(m, "3 stored trials belong to no cell"));
	assert_int_equal(m->trials_ok, 4);
	assert_int_equal(m->blocks_planned, 2);
	assert_int_equal(m->workloads[0].rows[0].nvalues, 1);
	model_free(m);
	rows_end(&r);
}

static void no_numbers(void **state)
{
	static const double odd[] = {NAN, INFINITY, 0, -1, 1e308, 5e-324};
	struct rows r;
	struct model *m;

	(void)state;
	two_cells(&r, 6);
	for (unsigned k = 0; k < 6; k++)
		for (size_t c = 0; c < 2; c++) {
			struct store_trial *t = rows_trial(&r, k, c, 0);

			rows_sample(t, "read.iops", c ? odd[k] : 100);
			rows_sample(t, "read.lat.mean", odd[(k + c) % 6]);
			rows_sample(t, "cpu_per_io", odd[(k + 2 * c) % 6]);
			rows_sample(t, "image.bytes", odd[(k + 3 * c) % 6]);
		}
	m = model_of(&r);
	assert_int_equal(m->workloads[0].rows[1].values[0].ratio.n, 2); /* 1e308 and 5e-324 */
	model_free(m);
	rows_end(&r);
}

/* A trial repeated in its place counts once, by its last good one. */
static void repeated_trial(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	two_cells(&r, 1);
	rows_sample(rows_trial(&r, 0, 0, 0), "read.iops", 1);
	rows_sample(rows_trial(&r, 0, 0, 0), "read.iops", 2);
	rows_fail(rows_trial(&r, 0, 0, 0), "agent");
	m = model_of(&r);
	assert_true(m->workloads[0].rows[0].values[0].points[0] == 2);
	assert_int_equal(m->workloads[0].rows[0].values[0].abs.n, 1);
	model_free(m);
	rows_end(&r);
}

/* Bytes that are no text end up readable in the JSON, not lost and not in the way. */
static void not_utf8(void **state)
{
	struct rows r;
	struct model *m;
	json_t *j;
	const char *label;

	(void)state;
	two_cells(&r, 1);
	free(r.cells[0].label);
	r.cells[0].label = xstrdup("sp\xffit");
	rows_fail(rows_trial(&r, 0, 0, 0), "qemu\xc3");
	m = model_of(&r);
	j = model_json(m);
	label = json_string_value(
		json_object_get(json_array_get(json_object_get(j, "cells"), 0), "label"));
	assert_string_equal(label, "sp?it");
	json_decref(j);
	model_free(m);
	rows_end(&r);
}

static void store_that_fails(void **state)
{
	struct rows r;

	(void)state;
	two_cells(&r, 1);
	for (int i = 1; i <= 4; i++) {
		struct store s = {&r, i, 0};
		struct err e = {0};
		struct model *m = (struct model *)&r;

		assert_int_equal(model_make(&s, ROWS_UUID, &m, &e), -EIO);
		assert_null(m);
		assert_string_equal(e.text, "the disk is gone");
		assert_int_equal(s.handed_out, i - 1);
	}
	rows_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_at_all), cmocka_unit_test(no_trials),
		cmocka_unit_test(one_block),	  cmocka_unit_test(guests_that_share),
		cmocka_unit_test(missing_cells),  cmocka_unit_test(broken_json),
		cmocka_unit_test(strangers),	  cmocka_unit_test(no_numbers),
		cmocka_unit_test(repeated_trial), cmocka_unit_test(side_without_end),
		cmocka_unit_test(not_utf8),	  cmocka_unit_test(store_that_fails),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
