/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes into the store comes out; what does not belong there is refused; runs are found by
 * their names. */
#include <errno.h>
#include <math.h>
#include "tests/unit/store_sample.h"

static void run_comes_back_whole(void **state)
{
	char *path = in_folder(state, "new/deep/vbench.db");
	struct store_run want = sample_run(UUID_A, "build 7", BEGUN), *runs = NULL;
	struct store_workload *w = NULL;
	struct store_cell *c = NULL;
	struct store *s = open_store(path);
	struct err e = {0};
	size_t n = 0;

	begin_run(s, UUID_A, "build 7", BEGUN, "/somewhere/run");
	store_close(s);
	expect_rc(store_open(path, false, &s, &e), 0, &e);
	expect_rc(store_runs(s, &runs, &n, &e), 0, &e);
	assert_int_equal(n, 1);
	assert_string_equal(runs[0].uuid, UUID_A);
	assert_string_equal(runs[0].host_id, want.host_id);
	assert_string_equal(runs[0].label, "build 7");
	assert_string_equal(runs[0].profile_name, "quick");
	/* Byte for byte, although it is not UTF-8. */
	assert_string_equal(runs[0].profile_text, want.profile_text);
	assert_string_equal(runs[0].sets_json, want.sets_json);
	assert_string_equal(runs[0].command, want.command);
	assert_string_equal(runs[0].version, want.version);
	assert_string_equal(runs[0].folder, "/somewhere/run");
	assert_string_equal(runs[0].host_json, want.host_json);
	assert_string_equal(runs[0].axes_json, want.axes_json);
	assert_string_equal(runs[0].skipped_json, want.skipped_json);
	assert_string_equal(runs[0].primary_json, want.primary_json);
	assert_string_equal(runs[0].meta_json, want.meta_json);
	assert_true(runs[0].seed == 0xfedcba9876543210ull);
	assert_int_equal(runs[0].blocks, 3);
	assert_int_equal(runs[0].trials, 6);
	assert_true(runs[0].begun == BEGUN && runs[0].ended == 0);
	assert_string_equal(runs[0].status, "running");
	store_runs_free(runs, n);

	expect_rc(store_cells(s, UUID_A, &c, &n, &e), 0, &e);
	assert_int_equal(n, 2);
	assert_string_equal(c[1].id, CELL_2);
	assert_int_equal(c[1].index, 1);
	assert_string_equal(c[1].label, "nvme");
	assert_string_equal(c[1].keys_json, sample_cells[1].keys_json);
	store_cells_free(c, n);

	expect_rc(store_workloads(s, UUID_A, &w, &n, &e), 0, &e);
	assert_int_equal(n, 1);
	assert_string_equal(w[0].name, "randread");
	assert_string_equal(w[0].id, "00000000000000w1");
	assert_string_equal(w[0].keys_json, sample_workloads[0].keys_json);
	assert_string_equal(w[0].describe, sample_workloads[0].describe);
	store_workloads_free(w, n);

	expect_rc(store_run_status(s, UUID_A, "complete", BEGUN + 5, &e), 0, &e);
	expect_rc(store_run_status(s, UUID_B, "complete", 1, &e), -ENOENT, &e);
	assert_true(store_run_status(s, UUID_A, "splendid", 1, &e) < 0);
	expect_rc(store_runs(s, &runs, &n, &e), 0, &e);
	assert_string_equal(runs[0].status, "complete");
	assert_true(runs[0].ended == BEGUN + 5);
	store_runs_free(runs, n);
	store_close(s);
	free(path);
}

static void trials_come_back_in_order(void **state)
{
	char *path = in_folder(state, "vbench.db");
	struct store *s = open_store(path);
	struct store_trial *t = NULL;
	unsigned ok = 0, failed = 0, limited = 0;
	struct err e = {0};
	size_t n = 0;

	begin_run(s, UUID_A, "x", BEGUN, NULL);
	begin_run(s, UUID_B, "y", BEGUN, NULL);
	put_trial(s, UUID_A, 2, false);
	put_trial(s, UUID_A, 0, false);
	put_trial(s, UUID_B, 0, false);
	put_trial(s, UUID_A, 1, true);
	expect_rc(store_trials(s, UUID_A, &t, &n, &e), 0, &e);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(t[i].seq, i);
		assert_int_equal(t[i].block, i / 2);
		assert_int_equal(t[i].place, i % 2);
		assert_string_equal(t[i].cell, i % 2 ? CELL_2 : CELL_1);
		assert_string_equal(t[i].workload, "randread");
		assert_string_equal(t[i].site, "small guest");
		assert_true(t[i].fresh);
		assert_string_equal(t[i].template_id, "template-7");
		assert_true(t[i].randseed == 0xffffffffffffffffull - i);
		assert_true(t[i].ok == (i != 1));
		assert_true(t[i].begun == BEGUN + (int64_t)i);
		assert_true(t[i].ended == BEGUN + (int64_t)i + 700000000);
		assert_string_equal(t[i].phases_json, "{\"open_ns\":200000000}");
		assert_string_equal(t[i].noise_json, "{\"steal\":0.01}");
		assert_string_equal(t[i].facts_json, "{\"disk\":{\"queues\":2}}");
		assert_int_equal(t[i].nsamples, 2);
		assert_string_equal(t[i].samples[0].metric, "read.iops");
		assert_true(t[i].samples[0].value == 1000.5 + (double)i);
		assert_true(t[i].samples[1].value == 2e6 + (double)i);
		assert_int_equal(t[i].nchecks, 2);
		assert_string_equal(t[i].checks[0].key, "disk.ring");
		assert_string_equal(t[i].checks[0].got, "packed");
		assert_int_equal(t[i].checks[0].state, 0);
		assert_string_equal(t[i].checks[1].from, "aio-nr");
		assert_null(t[i].checks[1].got);
		assert_int_equal(t[i].checks[1].state, 2);
	}
	assert_null(t[0].cause);
	assert_string_equal(t[1].cause, "qemu");
	assert_string_equal(t[1].detail, "QEMU was killed by SIGSEGV\nconsole: \x1b[31mbye");
	assert_string_equal(t[2].folder, "trials/2");
	store_trials_free(t, n);
	expect_rc(store_trial_counts(s, UUID_A, &ok, &failed, &limited, &e), 0, &e);
	assert_int_equal(ok, 2);
	assert_int_equal(failed, 1);
	assert_int_equal(limited, 0);
	expect_rc(store_trials(s, UUID_C, &t, &n, &e), -ENOENT, &e);
	store_close(s);
	free(path);
}

/* What QEMU or the guest takes no more of is a finding: neither good nor failed. */
static void limits_are_no_failures(void **state)
{
	char *path = in_folder(state, "vbench.db");
	struct store *s = open_store(path);
	unsigned ok = 9, failed = 9, limited = 9;
	struct store_trial t = {.seq = 2,
				.workload = (char *)"randread",
				.site = (char *)"small guest",
				.cause = (char *)"limit",
				.detail = (char *)"the limit is 28",
				.begun = BEGUN,
				.ended = BEGUN + 1};
	struct err e = {0};

	snprintf(t.cell, sizeof(t.cell), "%s", CELL_1);
	begin_run(s, UUID_A, "x", BEGUN, NULL);
	expect_rc(store_trial_counts(s, UUID_A, &ok, &failed, &limited, &e), 0, &e);
	assert_true(!ok && !failed && !limited);
	put_trial(s, UUID_A, 0, false);
	put_trial(s, UUID_A, 1, true);
	expect_rc(store_trial_put(s, UUID_A, &t, &e), 0, &e);
	t.seq = 3;
	expect_rc(store_trial_put(s, UUID_A, &t, &e), 0, &e);
	expect_rc(store_trial_counts(s, UUID_A, &ok, &failed, &limited, &e), 0, &e);
	assert_int_equal(ok, 1);
	assert_int_equal(failed, 1);
	assert_int_equal(limited, 2);
	store_close(s);
	free(path);
}

/* The Unicode Standard 15, table 3-11 (maximal subparts) and section 3.9 D93b. */
static void guest_text_becomes_utf8(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"plain", "plain"},
		{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
		{"\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64",
		 "\x61\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x62\xef\xbf\xbd\x63\xef\xbf\xbd\xef\xbf\xbd\x64"},
		/* table 3-8: non-shortest forms, a byte each */
		{"\xc0\xaf\x41", "\xef\xbf\xbd\xef\xbf\xbd\x41"},
		/* table 3-9: surrogates */
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		/* above U+10FFFF */
		{"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"cut \xe2\x82", "cut \xef\xbf\xbd"},
	};
	char *path = in_folder(state, "vbench.db");
	struct store *s = open_store(path);
	struct store_trial *got = NULL;
	struct err e = {0};
	size_t i, n = 0;

	begin_run(s, UUID_A, "x", BEGUN, NULL);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct store_trial t = {.seq = (unsigned)i,
					.cell = CELL_1,
					.workload = (char *)"randread",
					.cause = (char *)"guest",
					.detail = (char *)cases[i].in};

		expect_rc(store_trial_put(s, UUID_A, &t, &e), 0, &e);
	}
	expect_rc(store_trials(s, UUID_A, &got, &n, &e), 0, &e);
	assert_int_equal(n, i);
	for (i = 0; i < n; i++)
		assert_string_equal(got[i].detail, cases[i].out);
	store_trials_free(got, n);
	store_close(s);
	free(path);
}

static void sql_in_text_is_text(void **state)
{
	static const char evil[] = "'); DROP TABLE trial; --\"";
	char *path = in_folder(state, "vbench.db");
	struct store *s = open_store(path);
	struct store_run found = {0};
	struct err e = {0};

	begin_run(s, UUID_A, evil, BEGUN, NULL);
	expect_rc(store_run_find(s, evil, &found, &e), 0, &e);
	assert_string_equal(found.label, evil);
	store_run_free(&found);
	assert_int_equal(count_trials(s, UUID_A), 0);
	store_close(s);
	free(path);
}

static void a_trial_is_stored_once(void **state)
{
	char *path = in_folder(state, "vbench.db");
	struct store *s = open_store(path);
	struct store_run again = sample_run(UUID_A, "again", BEGUN);
	struct store_trial *t = NULL;
	struct err e = {0};
	size_t n = 0;

	begin_run(s, UUID_A, "x", BEGUN, NULL);
	put_trial(s, UUID_A, 4, false);
	expect_rc(put_trial_rc(s, UUID_A, 4, true, &e), -EEXIST, &e);
	assert_non_null(strstr(e.text, "trial 4"));
	expect_rc(put_trial_rc(s, UUID_C, 4, true, &e), -ENOENT, &e);
	expect_rc(store_run_begin(s, &again, sample_cells, 2, sample_workloads, 1, &e), -EEXIST,
		  &e);
	expect_rc(store_trials(s, UUID_A, &t, &n, &e), 0, &e);
	assert_int_equal(n, 1);
	assert_true(t[0].ok);
	assert_int_equal(t[0].nsamples, 2);
	store_trials_free(t, n);
	store_close(s);
	free(path);
}

/* Refused whole: nothing of such a trial stays, and the sentence names what was wrong. */
static void a_trial_belongs_to_its_run(void **state)
{
	struct store_sample bad[2] = {{"read.iops", 1}, {"read.furlongs", 2}},
			    inf = {"iops", INFINITY}, unsaid[2] = {{"iops", NAN}, {"read.iops", 5}};
	struct store_trial t = {
		.seq = 1, .cell = CELL_1, .workload = (char *)"randread", .ok = true};
	char *path = in_folder(state, "vbench.db");
	struct store *s = open_store(path);
	struct store_trial *got = NULL;
	struct err e = {0};
	size_t n = 0;

	begin_run(s, UUID_A, "x", BEGUN, NULL);
	t.samples = bad;
	t.nsamples = 2;
	expect_rc(store_trial_put(s, UUID_A, &t, &e), -EINVAL, &e);
	assert_non_null(strstr(e.text, "read.furlongs"));
	t.samples = &inf;
	t.nsamples = 1;
	expect_rc(store_trial_put(s, UUID_A, &t, &e), -EINVAL, &e);
	t.nsamples = 0;
	strcpy(t.cell, "nowhere");
	expect_rc(store_trial_put(s, UUID_A, &t, &e), -EINVAL, &e);
	strcpy(t.cell, CELL_1);
	t.workload = (char *)"nothing";
	expect_rc(store_trial_put(s, UUID_A, &t, &e), -EINVAL, &e);
	t.workload = (char *)"randread";
	t.ok = false;
	expect_rc(store_trial_put(s, UUID_A, &t, &e), -EINVAL, &e);
	assert_int_equal(count_trials(s, UUID_A), 0);

	/* NAN is "cannot be said": no sample, but a trial. */
	t.ok = true;
	t.samples = unsaid;
	t.nsamples = 2;
	expect_rc(store_trial_put(s, UUID_A, &t, &e), 0, &e);
	expect_rc(store_trials(s, UUID_A, &got, &n, &e), 0, &e);
	assert_int_equal(n, 1);
	assert_int_equal(got[0].nsamples, 1);
	assert_string_equal(got[0].samples[0].metric, "read.iops");
	store_trials_free(got, n);
	store_close(s);
	free(path);
}

static void find(struct store *s, const char *what, int rc, const char *uuid)
{
	struct store_run r = {0};
	struct err e = {0};

	expect_rc(store_run_find(s, what, &r, &e), rc, &e);
	if (!rc)
		assert_string_equal(r.uuid, uuid);
	else
		assert_int_equal(e.status, VB_BAD_INPUT);
	store_run_free(&r);
}

static void runs_are_found(void **state)
{
	char *path = in_folder(state, "vbench.db");
	struct store *s = open_store(path);
	struct store_run r = {0};
	struct err e = {0};

	find(s, "last", -ENOENT, NULL);
	begin_run(s, UUID_B, "nightly", BEGUN + 20, NULL);
	begin_run(s, UUID_A, "nightly", BEGUN + 10, NULL);
	begin_run(s, UUID_C, "aaaa", BEGUN + 30, NULL);
	find(s, "last", 0, UUID_C);
	find(s, "last~0", 0, UUID_C);
	find(s, "last~1", 0, UUID_B);
	find(s, "last~2", 0, UUID_A);
	find(s, "last~3", -ENOENT, NULL);
	find(s, "last~", -EINVAL, NULL);
	find(s, "last~1x", -EINVAL, NULL);
	find(s, "last~99999999999999999999", -EINVAL, NULL);
	find(s, "lasting", -ENOENT, NULL);
	find(s, "nightly", 0, UUID_B); /* the newest of that label */
	find(s, UUID_A, 0, UUID_A);
	find(s, "AAAA1111-0000-4000-8000-000000000001", 0, UUID_A);
	find(s, "aaaa1", 0, UUID_A);
	find(s, "bbbb3333-0", 0, UUID_C);
	find(s, "bbb", -ENOENT, NULL); /* under 4 digits */
	find(s, "bbbb%", -ENOENT, NULL);
	find(s, "", -ENOENT, NULL);
	find(s, "aaaa", 0, UUID_C); /* a label goes before a prefix */
	store_close(s);

	/* Without that label it is two runs' prefix: both are named. */
	free(path);
	path = in_folder(state, "other.db");
	s = open_store(path);
	begin_run(s, UUID_A, "one", BEGUN, NULL);
	begin_run(s, UUID_B, UUID_A, BEGUN,
		  NULL); /* a label that is another's uuid gains nothing */
	expect_rc(store_run_find(s, "aaaa", &r, &e), -ENOTUNIQ, &e);
	assert_non_null(strstr(e.text, UUID_A));
	assert_non_null(strstr(e.text, UUID_B));
	find(s, UUID_A, 0, UUID_A);
	store_close(s);
	free(path);
}

static void metrics_are_kept_with_the_run(void **state)
{
	char *path = in_folder(state, "vbench.db");
	struct store *s = open_store(path);
	struct err e = {0};
	int64_t n = 0;

	begin_run(s, UUID_A, "x", BEGUN, NULL);
	expect_rc(
		db_number(
			s,
			"SELECT count(*) FROM metric WHERE id = 'read.lat.p99' AND better = 'lower' AND"
			" unit = 'ns' AND scale = 'ratio' AND min_effect = 0.05",
			&n, &e),
		0, &e);
	assert_int_equal(n, 1);
	expect_rc(
		db_number(
			s,
			"SELECT count(*) FROM metric WHERE id = 'image.bytes' AND scale = 'exact'",
			&n, &e),
		0, &e);
	assert_int_equal(n, 1);
	expect_rc(db_number(s,
			    "SELECT count(*) FROM metric WHERE id = 'iops' AND better = 'higher'",
			    &n, &e),
		  0, &e);
	assert_int_equal(n, 1);
	store_close(s);
	free(path);
}

static void data_folder_follows_the_user(void **state)
{
	char *old_xdg = xstrdup(getenv("XDG_DATA_HOME")), *old_home = xstrdup(getenv("HOME")), *dir,
	     *db;

	(void)state;
	setenv("XDG_DATA_HOME", "/data/of/me", 1);
	dir = store_data_dir();
	db = store_default_db();
	assert_string_equal(dir, "/data/of/me/vbench");
	assert_string_equal(db, "/data/of/me/vbench/vbench.db");
	free(dir);
	dir = store_runs_dir(db);
	assert_string_equal(dir, "/data/of/me/vbench/runs");
	free(dir);
	free(db);
	dir = store_runs_dir("here.db");
	assert_string_equal(dir, "./runs");
	free(dir);
	/* XDG Base Directory Specification: relative paths are invalid and ignored. */
	setenv("XDG_DATA_HOME", "of/me", 1);
	setenv("HOME", "/home/me", 1);
	dir = store_data_dir();
	assert_string_equal(dir, geteuid() ? "/home/me/.local/share/vbench" : "/var/lib/vbench");
	free(dir);
	if (old_home)
		setenv("HOME", old_home, 1);
	if (old_xdg)
		setenv("XDG_DATA_HOME", old_xdg, 1);
	else
		unsetenv("XDG_DATA_HOME");
	free(old_home);
	free(old_xdg);
}

static void folders_are_private(void **state)
{
	char *path = in_folder(state, "a/b/vbench.db"), *dir = in_folder(state, "a/b");
	struct stat st;

	store_close(open_store(path));
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	free(dir);
	free(path);
}

/* Names that mean something to SQLite are plain files here. */
static void odd_names_are_files(void **state)
{
	static const char *const odd[] = {":memory:", "file:x?mode=memory", "a'b\"c %20#.db"};
	struct store *s;
	size_t i;

	assert_int_equal(chdir(*state), 0);
	for (i = 0; i < 3; i++) {
		s = open_store(odd[i]);
		begin_run(s, UUID_A, "x", BEGUN, NULL);
		store_close(s);
		assert_true(path_exists(odd[i]));
		s = open_store(odd[i]);
		assert_int_equal(count_trials(s, UUID_A), 0);
		store_close(s);
	}
	assert_int_equal(chdir("/"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_setup, folder_teardown)
		TEST(run_comes_back_whole),	     TEST(trials_come_back_in_order),
		TEST(limits_are_no_failures),	     TEST(guest_text_becomes_utf8),
		TEST(sql_in_text_is_text),	     TEST(a_trial_is_stored_once),
		TEST(a_trial_belongs_to_its_run),    TEST(runs_are_found),
		TEST(metrics_are_kept_with_the_run), TEST(data_folder_follows_the_user),
		TEST(folders_are_private),	     TEST(odd_names_are_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
