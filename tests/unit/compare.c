/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Comparisons of stored runs against arithmetic by hand. `compare --make FOLDER` leaves the store
 * that tests/cli/compare.t looks at: FOLDER/runs.db.
 *
 * A run of level L has three blocks of L e^-0.01, L, L e^0.01 in both cells, so its geometric mean
 * is L.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include "compare/compare.h"
#include "store_sample.h"

#define HOST_1 "1111111111111111111111111111111111111111111111111111111111111111"
#define HOST_2 "2222222222222222222222222222222222222222222222222222222222222222"
#define T7 2.364624 /* t(7, 97.5 %), tables */

static void near(double got, double want, double tol)
{
	if (!(fabs(got - want) <= tol))
		fail_msg("%.9g, should be %.9g +- %g", got, want, tol);
}

struct spec {
	unsigned nr; /* makes the id and the time */
	const char *label, *host, *kernel, *metric, *ring, *cell_2;
	double level_1, level_2;
	bool fail_2; /* the trials of the second cell fail */
};

static const struct spec usual = {.host = HOST_1,
				  .kernel = "6.1",
				  .metric = "read.iops",
				  .ring = "split",
				  .cell_2 = CELL_2,
				  .level_1 = 1000,
				  .level_2 = 1000};

static void uuid_of(unsigned nr, char *uuid)
{
	snprintf(uuid, 37, "%08x-0000-4000-8000-000000000001", 0xc0de0000 + nr);
}

static void put_value(struct store *s, const char *uuid, const struct spec *r, unsigned seq)
{
	double level = seq % 2 ? r->level_2 : r->level_1;
	struct store_sample sample = {.value = level * exp(0.01 * ((int)(seq / 2) - 1))};
	bool ok = !(r->fail_2 && seq % 2);
	struct store_trial t = {
		.seq = seq,
		.block = seq / 2,
		.place = seq % 2,
		.workload = (char *)"randread",
		.site = (char *)"small guest",
		.ok = ok,
		.cause = ok ? NULL : (char *)"qemu",
		.template_id = "",
		.begun = BEGUN + seq,
		.ended = BEGUN + seq + 1,
		.samples = &sample,
		.nsamples = ok,
	};
	struct err e = {0};

	snprintf(sample.metric, sizeof(sample.metric), "%s", r->metric);
	/* ids are made of the keys: another ring, another id */
	snprintf(t.cell, sizeof(t.cell), "%s", seq % 2 ? r->cell_2 : CELL_1);
	if (strcmp(r->ring, "split"))
		t.cell[0] = 'f';
	expect_rc(store_trial_put(s, uuid, &t, &e), 0, &e);
}

static void put_run(struct store *s, const struct spec *r)
{
	struct store_run run = sample_run("", r->label, BEGUN + r->nr * 1000000000ll);
	struct store_cell cells[2] = {{"", 0, (char *)"virtio-blk", NULL},
				      {"", 1, (char *)"nvme", NULL}};
	struct err e = {0};

	uuid_of(r->nr, run.uuid);
	memcpy(run.host_id, r->host, 65);
	run.host_json = xasprintf(
		"{\"kernel\":\"%s\",\"boot_id\":\"%u\",\"memory\":{\"available_bytes\":%u}}",
		r->kernel, r->nr, r->nr);
	run.primary_json = xasprintf("{\"randread\":\"%s\"}", r->metric);
	run.meta_json =
		(char *)"{\"profile_path\":\"my quick.ini\",\"fingerprint\":\"qemu /usr/bin/qemu (5 bytes) 7.2\\n\"}";
	run.sets_json = (char *)"[\"run.seed=7\",\"disk.size=1G\",\"run.label=x\"]";
	for (int i = 0; i < 2; i++) {
		snprintf(cells[i].id, sizeof(cells[i].id), "%s", i ? r->cell_2 : CELL_1);
		if (strcmp(r->ring, "split"))
			cells[i].id[0] = 'f';
		cells[i].keys_json =
			xasprintf("{\"disk.bus\":\"%s\",\"disk.ring\":\"%s\",\"disk.mode\":null}",
				  i ? "nvme" : "virtio-blk", r->ring);
	}
	if (strcmp(r->cell_2, CELL_2)) {
		free(cells[1].keys_json);
		cells[1].keys_json = xstrdup(
			"{\"disk.bus\":\"usb\",\"disk.ring\":\"split\",\"disk.mode\":null}");
		cells[1].label = (char *)"usb";
	}
	expect_rc(store_run_begin(s, &run, cells, 2, sample_workloads, 1, &e), 0, &e);
	for (unsigned seq = 0; seq < 6; seq++)
		put_value(s, run.uuid, r, seq);
	expect_rc(store_run_status(s, run.uuid, "complete", run.begun + 1, &e), 0, &e);
	free(run.host_json);
	free(run.primary_json);
	free(cells[0].keys_json);
	free(cells[1].keys_json);
}

/* n earlier runs, number from on: levels 1000 e^+-0.01 by turns in the first cell, e^+-0.002 in the
 * other. */
static void put_history(struct store *s, unsigned from, unsigned n, struct spec like)
{
	for (unsigned i = 0; i < n; i++) {
		like.nr = from + i;
		like.level_1 = 1000 * exp(i % 2 ? 0.01 : -0.01);
		like.level_2 = 1000 * exp(i % 2 ? 0.002 : -0.002);
		put_run(s, &like);
	}
}

static struct store *new_store(void **state, const char *name)
{
	char *path = in_folder(state, name);
	struct store *s = open_store(path);

	free(path);
	return s;
}

static struct compare compared(struct store *s, const char *a, const char *b)
{
	struct compare c;
	struct err e = {0};

	expect_rc(compare_make(s, a, b, &c, &e), 0, &e);
	return c;
}

static char *printed(const struct compare *c, int form)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	json_t *j = form == 2 ? compare_json(c) : NULL;

	assert_non_null(f);
	if (form == 0)
		assert_int_equal(compare_text(c, f, false), 0);
	else if (form == 1)
		assert_int_equal(compare_markdown(c, f), 0);
	else
		assert_true(j && json_dumpf(j, f, JSON_INDENT(1)) == 0);
	json_decref(j);
	fclose(f);
	return text;
}

static void has(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("\"%s\" is not in:\n%s", what, text);
}

static const struct compare_diff *diff_named(const struct compare *c, const char *name)
{
	for (size_t i = 0; i < c->ndiffs; i++)
		if (!strcmp(c->diffs[i].name, name))
			return &c->diffs[i];
	return NULL;
}

/* s of +-0.01, four each: 0.01 sqrt(8/7) = 0.01069045; half-width 2.364624 * 0.01069045 * sqrt(1 +
 * 1/8). */
static void history_by_hand(void **state)
{
	static const double h[] = {0.01, -0.01, 0.01, -0.01, 0.01, -0.01, 0.01, -0.01};
	static const double x[] = {0.06, 0.04};
	double p;
	struct interval i = judge_history(x, 1, h, 8, &p);

	(void)state;
	near(i.mid, 0.06, 1e-12);
	near(i.sd, 0.01 * sqrt(8.0 / 7), 1e-12);
	near(i.hi - i.mid, T7 * 0.01 * sqrt(8.0 / 7) * sqrt(1 + 1.0 / 8), 1e-7);
	i = judge_history(x, 2, h, 8, &p);
	near(i.mid, 0.05, 1e-12);
	near(i.mid - i.lo, T7 * 0.01 * sqrt(8.0 / 7) * sqrt(1.0 / 2 + 1.0 / 8), 1e-7);
	i = judge_history(x, 1, h, 1, &p);
	assert_true(isnan(i.lo) && isnan(p));
}

/*
 * Variances 1 and 4 of 4 and 4: se^2 = 1/4 + 4/4; Welch's df = 1.25^2 / (0.25^2/3 + 1^2/3)
 * = 4.411765, harmonic mean with 3: 3.571429. t = 2.4 / 1.118 = 2.147 has p = 0.121 with 3 and
 * 0.098 with 4 degrees of freedom (tables).
 */
static void welch_by_hand(void **state)
{
	const double u = sqrt(0.75); /* -u, -u, u, u has variance 1 */
	double a[] = {-u, -u, u, u}, b[] = {2.4 - 2 * u, 2.4 - 2 * u, 2.4 + 2 * u, 2.4 + 2 * u}, p;
	struct interval i = judge_welch(a, 4, b, 4, &p);

	(void)state;
	near(i.mid, 2.4, 1e-12);
	near((i.hi - i.mid) / sqrt(1.25), t_quantile(0.975, 3.5714286), 1e-6);
	assert_true(p > 0.0975 && p < 0.1215);
	near(i.sd, sqrt(2.5), 1e-12);
	i = judge_welch(a, 1, b, 4, &p);
	assert_true(isnan(i.lo) && isnan(p));
}

static void one_run_a_side_is_undecided(void **state)
{
	struct store *s = new_store(state, "one.db");
	struct spec b = usual;
	struct compare c;
	char *text;

	put_run(s, &usual);
	b.nr = 1;
	b.level_1 = 2000;
	put_run(s, &b);
	c = compared(s, "last~1", "last");
	assert_int_equal(c.nrows, 2);
	near(c.rows[0].change, 2, 1e-9);
	assert_int_equal(c.rows[0].verdict, VERDICT_UNDECIDED);
	assert_int_equal(c.rows[1].verdict, VERDICT_UNDECIDED);
	assert_true(isnan(c.rows[0].judged.mid));
	text = printed(&c, 0);
	has(text, "use run --vs");
	has(text, "2 undecided.");
	free(text);
	compare_free(&c);
	store_close(s);
}

/*
 * 0.05 +- 0.026813 in the first cell; 0 +- 0.0053626 in the second, which lies within ln 1.02 =
 * 0.0198. p of the first: t(7) = 0.05 / 0.011339 = 4.4096: between 0.001 (5.408) and 0.01 (3.499),
 * doubled by Holm.
 */
static void eight_comparable_runs_decide(void **state)
{
	struct store *s = new_store(state, "eight.db");
	struct spec b = usual;
	struct compare c;

	put_history(s, 0, 8, usual);
	b.nr = 8;
	b.level_1 = 1000 * exp(0.05);
	b.kernel = "6.2";
	put_run(s, &b);
	c = compared(s, "last~1", "last");
	assert_int_equal(c.a.nhistory, 8);
	assert_int_equal(c.b.nhistory, 1);
	assert_int_equal(c.rows[0].how, HOW_HISTORY);
	near(log(c.rows[0].judged.mid), 0.05, 1e-9);
	near(log(c.rows[0].judged.lo), 0.05 - 0.026813, 2e-6);
	near(log(c.rows[0].judged.hi), 0.05 + 0.026813, 2e-6);
	/* To the last of the eight, 1000 e^0.01, what is shown is 0.04. */
	near(log(c.rows[0].change), 0.04, 1e-9);
	assert_int_equal(c.rows[0].verdict, VERDICT_BETTER);
	assert_true(c.rows[0].p > 0.002 && c.rows[0].p < 0.02);
	assert_int_equal(c.rows[1].verdict, VERDICT_SAME);
	compare_free(&c);
	/* The other way round: the same interval, turned. */
	c = compared(s, "last", "last~1");
	near(log(c.rows[0].judged.lo), -0.05 - 0.026813, 2e-6);
	assert_int_equal(c.rows[0].verdict, VERDICT_WORSE);
	assert_int_equal(c.rows[0].na, 1);
	assert_int_equal(c.rows[0].nb, 8);
	compare_free(&c);
	store_close(s);
}

static void what_is_not_comparable_does_not_count(void **state)
{
	struct store *s = new_store(state, "seven.db");
	struct spec b = usual, other = usual;
	struct compare c;

	put_history(s, 0, 7, usual);
	other.kernel = "6.3";
	put_history(s, 7, 4, other);
	other = usual;
	other.host = HOST_2;
	put_history(s, 11, 4, other);
	b.nr = 15;
	b.level_1 = 1000 * exp(0.5);
	b.kernel = "6.2";
	put_run(s, &b);
	c = compared(s, "c0de0006", "last");
	assert_int_equal(c.a.nhistory, 7);
	assert_int_equal(c.rows[0].verdict, VERDICT_UNDECIDED);
	has(c.rows[0].why, "7 comparable runs, 8 are needed");
	compare_free(&c);
	store_close(s);
}

/* A latency that rises by as much is worse, and the surroundings say by which kernel. */
static void direction_is_the_metrics(void **state)
{
	struct store *s = new_store(state, "lat.db");
	struct spec b = usual;
	const struct compare_diff *d;
	struct compare c;

	b.metric = "read.lat.mean";
	put_history(s, 0, 8, b);
	b.nr = 8;
	b.level_1 = 1000 * exp(0.05);
	b.kernel = "6.2";
	put_run(s, &b);
	c = compared(s, "last~1", "last");
	assert_int_equal(c.rows[0].verdict, VERDICT_WORSE);
	d = diff_named(&c, "release");
	assert_non_null(d);
	assert_string_equal(d->group, "Kernel");
	assert_string_equal(d->a, "6.1");
	assert_string_equal(d->b, "6.2");
	/* Another boot is worth a line; what was free at that moment is not. */
	assert_non_null(diff_named(&c, "boot id"));
	assert_int_equal(c.ndiffs, 2);
	assert_true(c.nsame >= 2); /* vbench, QEMU */
	compare_free(&c);
	store_close(s);
}

static void labels_stand_for_all_their_runs(void **state)
{
	struct store *s = new_store(state, "labels.db");
	struct spec r = usual;
	struct compare c;
	struct err e = {0};
	char *text;

	r.label = "old";
	put_history(s, 0, 4, r);
	r.host = HOST_2;
	put_history(s, 4, 1, r); /* left out */
	r = usual;
	r.label = "new";
	for (unsigned i = 0; i < 4; i++) {
		r.nr = 8 + i;
		r.level_1 = 1200 * exp(i % 2 ? 0.01 : -0.01);
		put_run(s, &r);
	}
	/* Sides prefer one host: "new" is there on the first only, and is named first. */
	c = compared(s, "new", "old");
	assert_int_equal(c.a.nruns, 4);
	assert_int_equal(c.b.nruns, 4);
	assert_int_equal(c.b.elsewhere, 1);
	assert_int_equal(c.rows[0].how, HOW_WELCH);
	/* equal variances of 0.01^2 * 4/3; df 2 / (1/6 + 1/3) = 4: t(4) = 2.776445 */
	near(log(c.rows[0].judged.mid), log(1000.0 / 1200), 1e-9);
	near(log(c.rows[0].judged.hi / c.rows[0].judged.mid), 2.776445 * 0.01154701 * sqrt(0.5),
	     1e-7);
	assert_int_equal(c.rows[0].verdict, VERDICT_WORSE);
	text = printed(&c, 1);
	has(text, "1 run of label old on other hosts");
	free(text);
	compare_free(&c);
	expect_rc(compare_make(s, "new", "last", &c, &e), -EINVAL, &e);
	has(e.text, "on both sides");
	assert_int_equal(e.status, VB_BAD_INPUT);
	compare_free(&c);
	store_close(s);
}

static void hosts_are_not_judged(void **state)
{
	struct store *s = new_store(state, "hosts.db");
	struct spec b = usual;
	struct compare c;
	char *text;

	put_history(s, 0, 9, usual);
	b.nr = 9;
	b.host = HOST_2;
	b.level_1 = 9000;
	put_run(s, &b);
	c = compared(s, "last~1", "last");
	assert_true(c.other_host);
	assert_int_equal(c.rows[0].verdict, VERDICT_NONE);
	assert_true(isfinite(c.rows[0].change));
	text = printed(&c, 0);
	has(text, "two hosts");
	has(text, "2 not judged.");
	free(text);
	compare_free(&c);
	store_close(s);
}

/* Missing and failed cells are named; cells whose ring differs throughout are matched, and the run
 * that would decide is spelled out. */
static void cells_that_do_not_match_are_loud(void **state)
{
	struct store *s = new_store(state, "cells.db");
	struct spec b = usual;
	struct compare c;
	char *text;

	put_run(s, &usual);
	b.nr = 1;
	b.cell_2 = "00000000000000c3";
	put_run(s, &b);
	b = usual;
	b.nr = 2;
	b.fail_2 = true;
	put_run(s, &b);
	b = usual;
	b.nr = 3;
	b.ring = "packed";
	put_run(s, &b);
	c = compared(s, "c0de0000", "c0de0001");
	assert_int_equal(c.nrows, 1);
	assert_int_equal(c.nalone, 2);
	text = printed(&c, 0);
	has(text, "cell nvme: only in A");
	has(text, "cell usb: only in B");
	free(text);
	compare_free(&c);
	c = compared(s, "c0de0000", "c0de0002");
	assert_int_equal(c.rows[1].verdict, VERDICT_NONE);
	has(c.rows[1].why, "failed in c0de0002: 3 of 3 trials");
	compare_free(&c);
	c = compared(s, "c0de0000", "c0de0003");
	assert_int_equal(c.nrows, 2);
	assert_int_equal(c.nalone, 0);
	assert_string_equal(
		c.command,
		"vbench run 'my quick.ini' --set disk.size=1G --set disk.ring=split --vs disk.ring=packed");
	assert_non_null(diff_named(&c, "disk.ring"));
	compare_free(&c);
	store_close(s);
}

static void hostile_texts_stay_texts(void **state)
{
	struct store *s = new_store(state, "hostile.db");
	struct spec b = usual;

	b.label = "x|<b>\x1b[31m`";
	put_run(s, &b);
	b.nr = 1;
	b.kernel = "6 | <script>";
	put_run(s, &b);
	for (int form = 0; form < 3; form++) {
		struct compare c = compared(s, "last~1", "last");
		char *text = printed(&c, form);

		for (const char *p = text; *p; p++)
			assert_true((unsigned char)*p >= ' ' || *p == '\n');
		if (form == 1) {
			has(text, "6 \\| \\<script\\>");
			assert_null(strstr(text, "x|<b>"));
		}
		free(text);
		compare_free(&c);
	}
	store_close(s);
}

static int make(const char *dir)
{
	char *path = xasprintf("%s/runs.db", dir);
	struct store *s = open_store(path);
	struct spec b = usual;

	b.label = "base";
	put_history(s, 0, 8, b);
	b = usual;
	b.nr = 8;
	b.level_1 = 1000 * exp(0.05);
	b.kernel = "6.2";
	put_run(s, &b);
	b.nr = 9;
	b.kernel = "6.4";
	b.ring = "packed";
	put_run(s, &b);
	store_close(s);
	free(path);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(history_by_hand),
		cmocka_unit_test(welch_by_hand),
		cmocka_unit_test(one_run_a_side_is_undecided),
		cmocka_unit_test(eight_comparable_runs_decide),
		cmocka_unit_test(what_is_not_comparable_does_not_count),
		cmocka_unit_test(direction_is_the_metrics),
		cmocka_unit_test(labels_stand_for_all_their_runs),
		cmocka_unit_test(hosts_are_not_judged),
		cmocka_unit_test(cells_that_do_not_match_are_loud),
		cmocka_unit_test(hostile_texts_stay_texts),
	};

	if (argc == 3 && !strcmp(argv[1], "--make"))
		return make(argv[2]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
