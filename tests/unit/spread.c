/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the noise comes from, how long a trial should be, slow trials: store and fio's reports ->
 * model. */
#include <sys/stat.h>
#include "stored.h"

/* fio's report of a trial: so many half seconds with that mean and standard deviation. */
static void put_fio(const char *dir, unsigned seq, double mean, double cv, int n, int ms)
{
	char *path = xasprintf("%s/trials", dir), *text;
	struct err e;

	mkdir(path, 0755);
	free(path);
	path = xasprintf("%s/trials/%04u", dir, seq);
	assert_int_equal(mkdir(path, 0755), 0);
	free(path);
	path = xasprintf("%s/trials/%04u/fio.json", dir, seq);
	text = xasprintf("{\"jobs\":[{\"read\":{\"total_ios\":100,\"iops\":%g,\"runtime\":%d,"
			 "\"iops_mean\":%g,\"iops_stddev\":%g,\"iops_samples\":%d},"
			 "\"write\":{\"total_ios\":0}}]}",
			 mean, ms, mean, cv * mean, n);
	assert_int_equal(file_write(path, text, strlen(text), 0644, &e), 0);
	free(path);
	free(text);
}

/*
 * The probe of part 8: v_w = 23 and v_b = 24 (percent squared), 0.9 s of overhead, trials of 1 s:
 * the best length is sqrt(0.9 * 23 / 24) = 0.9287 s. A half second varies by sqrt(2 * 23) %, a
 * trial by sqrt(24 + 23) = 6.856 %: values of exp(+-a) in turn in two cells, opposite ways, have
 * residuals +-a and (2 - 1) * (n - 1) degrees of freedom for 2 n values, so a = 6.856 % * sqrt((n -
 * 1) / (2 n)).
 */
static void best_length(void **state)
{
	const unsigned n = 10;
	char dir[] = "/tmp/vbench-spread-XXXXXX";
	double a = sqrt(47e-4 * (n - 1) / (2 * n));
	struct rows r;
	struct model *m;
	struct err e;

	(void)state;
	assert_non_null(mkdtemp(dir));
	rows_begin(&r, RING, n);
	rows_cell(&r, "split", "{\"disk.ring\":\"split\"}");
	rows_cell(&r, "packed", "{\"disk.ring\":\"packed\"}");
	rows_work(&r, "w", DEEP);
	r.run.folder = xstrdup(dir);
	for (unsigned k = 0; k < n; k++)
		for (size_t c = 0; c < 2; c++) {
			struct store_trial *t = rows_trial(&r, k, c, 0);

			rows_sample(t, "read.iops", 1000 * exp((k + c) % 2 ? a : -a));
			t->begun = 1;
			t->ended = t->begun + 1900000000;
			put_fio(dir, t->seq, 1000, sqrt(46e-4), 3, 1000);
		}
	m = model_of(&r);
	near(m->workloads[0].trial_sd, sqrt(47e-4), 1e-9);
	near(m->workloads[0].spread.second, sqrt(23e-4), 1e-9);
	near(m->workloads[0].spread.between, sqrt(24e-4), 1e-9);
	near(m->workloads[0].spread.length, 1, 1e-9);
	near(m->workloads[0].spread.overhead, 0.9, 1e-9);
	assert_int_equal(m->workloads[0].spread.trials, 20);
	near(m->workloads[0].best_seconds, 0.9287, 1e-4);
	model_free(m);
	/* one window in a trial says nothing of its seconds */
	assert_int_equal(dir_remove(dir, &e), 0);
	assert_int_equal(mkdir(dir, 0755), 0);
	for (unsigned i = 0; i < 2 * n; i++)
		put_fio(dir, i, 1000, 0, 1, 700);
	m = model_of(&r);
	assert_true(isnan(m->workloads[0].best_seconds) && isnan(m->workloads[0].spread.second));
	assert_non_null(strstr(m->workloads[0].spread.why, "too short"));
	near(m->workloads[0].spread.length, 0.7, 1e-9);
	model_free(m);
	assert_int_equal(dir_remove(dir, &e), 0);
	m = model_of(&r);
	assert_non_null(strstr(m->workloads[0].spread.why, "not kept"));
	model_free(m);
	rows_end(&r);
}

/* fio's file may hold anything: no crash, no figure. */
static void broken_reports(void **state)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{\"jobs\":7}",
		"{\"jobs\":[{\"read\":[]}]}",
		"{\"jobs\":[{\"read\":{\"runtime\":1e308,\"iops_samples\":1e308,\"iops_mean\":-1}}]}",
		"{\"jobs\":[{\"read\":{\"runtime\":1000,\"iops\":5,\"iops_samples\":4,\"iops_mean\":5,"
		"\"iops_stddev\":\"x\"}}]}"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		char dir[] = "/tmp/vbench-broken-XXXXXX", *path;
		struct rows r;
		struct model *m;
		struct err e;

		assert_non_null(mkdtemp(dir));
		rows_begin(&r, RING, 6);
		rows_cell(&r, "split", "{\"disk.ring\":\"split\"}");
		rows_cell(&r, "packed", "{\"disk.ring\":\"packed\"}");
		rows_work(&r, "w", DEEP);
		for (unsigned k = 0; k < 12; k++)
			rows_sample(rows_trial(&r, k / 2, k % 2, 0), "read.iops", 1000 + 7 * k);
		r.run.folder = xstrdup(dir);
		put_fio(dir, 0, 1, 1, 1, 1);
		path = xasprintf("%s/trials/0000/fio.json", dir);
		assert_int_equal(file_write(path, texts[i], strlen(texts[i]), 0644, &e), 0);
		m = model_of(&r);
		assert_true(isnan(m->workloads[0].spread.second));
		assert_true(isnan(m->workloads[0].best_seconds));
		assert_non_null(m->workloads[0].spread.why);
		model_free(m);
		rows_end(&r);
		free(path);
		assert_int_equal(dir_remove(dir, &e), 0);
	}
}

/*
 * Three cells, ten blocks, +-1 % in turn; two trials of the second cell have 80 % of their IOPS,
 * and one of the third 130 %, which is no slow one. By medians the residual of the slow ones is ln
 * 0.8 +- 1 %.
 */
static void slow_trials(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	rows_begin(&r, "[]", 10);
	for (int c = 0; c < 3; c++)
		rows_cell(&r, (const char *[]){"a", "b", "c"}[c], "{}");
	rows_work(&r, "w", DEEP);
	for (unsigned k = 0; k < 10; k++)
		for (size_t c = 0; c < 3; c++)
			rows_sample(rows_trial(&r, k, c, 0), "read.iops",
				    1000.0 * (k + 1) * exp((k + c) % 2 ? 0.01 : -0.01) *
					    (c == 1 && (k == 3 || k == 6) ? 0.8 : 1) *
					    (c == 2 && k == 5 ? 1.3 : 1));
	m = model_of(&r);
	assert_int_equal(m->workloads[0].spread.judged, 30);
	assert_int_equal(m->workloads[0].spread.slow, 2);
	near(m->workloads[0].spread.slow_by, 0.8, 0.025);
	assert_int_equal(m->workloads[0].rows[0].slow, 0);
	assert_int_equal(m->workloads[0].rows[1].slow, 2);
	assert_int_equal(m->workloads[0].rows[2].slow, 0);
	assert_true(isnan(m->workloads[0].rows[0].slow_by));
	assert_true(warned(m, "w: 2 of 30 trials (6.7 %) were far off the typical one"));
	model_free(m);
	rows_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(best_length),
		cmocka_unit_test(broken_reports),
		cmocka_unit_test(slow_trials),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
