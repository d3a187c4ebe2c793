/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store under bad luck: foreign, newer and damaged files, a full disk, SIGKILL, other writers,
 * no rights. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include "tests/unit/store_sample.h"

/* Opening must fail with rc, say `say` and exit status 2, and leave the file's bytes alone. */
static void refuses_and_keeps(const char *path, int rc, const char *say)
{
	char *before = NULL, *after = NULL;
	struct store *s = NULL;
	size_t nb = 0, na = 0;
	struct err e = {0};

	assert_int_equal(file_read(path, 1 << 24, &before, &nb), 0);
	for (int create = 0; create < 2; create++) {
		expect_rc(store_open(path, create, &s, &e), rc, &e);
		assert_null(s);
		if (!strstr(e.text, say) || !strstr(e.text, path))
			fail_msg("%s", e.text);
		assert_int_equal(e.status, VB_BAD_INPUT);
	}
	assert_int_equal(file_read(path, 1 << 24, &after, &na), 0);
	assert_int_equal(na, nb);
	assert_memory_equal(after, before, na);
	free(before);
	free(after);
}

/* Through SQLite itself, not through the room. */
static void raw_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void foreign_files_are_refused(void **state)
{
	char *path = in_folder(state, "x.db");
	struct store *s = NULL;
	struct err e = {0};

	store_close(open_store(path));
	raw_sql(path, "PRAGMA user_version = 3");
	refuses_and_keeps(path, -EINVAL, "newer vbench");
	raw_sql(path, "PRAGMA user_version = -1");
	refuses_and_keeps(path, -EINVAL, "never was");
	raw_sql(path, "PRAGMA user_version = 1; PRAGMA application_id = 77");
	refuses_and_keeps(path, -EINVAL, "not a store of vbench");
	unlink(path);
	raw_sql(path, "CREATE TABLE t (x)");
	refuses_and_keeps(path, -EINVAL, "not a store of vbench");
	assert_int_equal(
		file_write(path, "this is a diary, long enough for a header", 41, 0644, NULL), 0);
	refuses_and_keeps(path, -EBADMSG, "damaged or no SQLite database");
	expect_rc(store_open(*state, true, &s, &e), -EINVAL, &e);
	expect_rc(store_open("/dev/null", true, &s, &e), -EINVAL, &e);
	expect_rc(store_open("", true, &s, &e), -EINVAL, &e);
	free(path);
	path = in_folder(state, "missing/x.db");
	expect_rc(store_open(path, false, &s, &e), -ENOENT, &e);
	assert_int_equal(e.status, VB_BAD_INPUT);
	assert_false(path_exists(path));
	free(path);
}

/* An empty file, as a store whose making was killed leaves it, is filled when writing and named
 * when reading. */
static void empty_file_is_a_beginning(void **state)
{
	char *path = in_folder(state, "x.db");
	struct store *s = NULL;
	struct err e = {0};

	assert_int_equal(file_write(path, "", 0, 0600, NULL), 0);
	expect_rc(store_open(path, false, &s, &e), -ENOENT, &e);
	s = open_store(path);
	begin_run(s, UUID_A, "x", BEGUN, NULL);
	store_close(s);
	free(path);
}

static void damage_is_named(void **state)
{
	char *path = in_folder(state, "x.db"), junk[4096], *before = NULL, *after = NULL;
	struct store *s = open_store(path);
	struct store_trial *t = NULL;
	size_t n = 0, nb = 0, na = 0;
	struct err e = {0};
	int fd, i, failed = 0;

	begin_run(s, UUID_A, "x", BEGUN, NULL);
	for (i = 0; i < 50; i++)
		put_trial(s, UUID_A, (unsigned)i, false);
	store_close(s);
	/* All pages but the first (the header and the schema) become rubbish. */
	memset(junk, 0xa5, sizeof(junk));
	fd = open(path, O_WRONLY);
	for (i = 1; i < 200 && (off_t)i * 4096 < lseek(fd, 0, SEEK_END); i++)
		assert_int_equal(pwrite(fd, junk, sizeof(junk), (off_t)i * 4096), sizeof(junk));
	close(fd);
	assert_int_equal(file_read(path, 1 << 24, &before, &nb), 0);
	if (!store_open(path, false, &s, &e)) {
		failed = store_trials(s, UUID_A, &t, &n, &e);
		assert_null(t);
		store_close(s);
	} else {
		failed = e.rc;
	}
	assert_int_equal(failed, -EBADMSG);
	assert_int_equal(e.status, VB_BAD_INPUT);
	assert_non_null(strstr(e.text, path));
	assert_int_equal(file_read(path, 1 << 24, &after, &na), 0);
	assert_int_equal(na, nb);
	assert_memory_equal(after, before, na);
	free(before);
	free(after);
	/* Cut to half its pages. */
	assert_int_equal(truncate(path, (off_t)nb / 2 / 4096 * 4096), 0);
	refuses_and_keeps(path, -EBADMSG, "damaged");
	free(path);
}

/* Fills s until it refuses; then everything before is there, and the refused trial goes in once
 * there is room. */
static unsigned fill(struct store *s, struct err *e)
{
	unsigned seq = 0;
	int rc;

	while (!(rc = put_trial_rc(s, UUID_A, seq, seq % 3 == 0, e))) {
		seq++;
		assert_true(seq < 100000);
	}
	if (rc != -ENOSPC)
		fail_msg("%d: %s", rc, e->text);
	assert_non_null(strstr(e->text, s->path));
	assert_non_null(strstr(e->text, "no space left"));
	return seq;
}

static void full_database_keeps_what_it_has(void **state)
{
	char *path = in_folder(state, "x.db");
	struct store *s = open_store(path);
	struct err e = {0};
	unsigned n;

	begin_run(s, UUID_A, "x", BEGUN, NULL);
	/* SQLite's own limit gives SQLITE_FULL [sqlite.org/pragma.html#pragma_max_page_count]. */
	expect_rc(db_exec(s, "PRAGMA max_page_count = 60", "limiting", &e), 0, &e);
	n = fill(s, &e);
	assert_true(n > 10);
	assert_int_equal(count_trials(s, UUID_A), n);
	expect_rc(db_exec(s, "PRAGMA max_page_count = 6000", "limiting", &e), 0, &e);
	put_trial(s, UUID_A, n, false);
	assert_int_equal(count_trials(s, UUID_A), n + 1);
	store_close(s);
	free(path);
}

/* In a child with a mount namespace of its own: 0 fine, 77 cannot be tried here, else the failed
 * step. */
static int full_disk_child(const char *dir)
{
	char *path = xasprintf("%s/x.db", dir), *ballast = xasprintf("%s/ballast", dir);
	struct store *s = NULL;
	struct err e = {0};
	unsigned n = 0;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=2m"))
		return 77;
	if (file_write(ballast, xcalloc(1, 600000), 600000, 0600, NULL) ||
	    store_open(path, true, &s, &e))
		return 2;
	begin_run(s, UUID_A, "x", BEGUN, NULL);
	n = fill(s, &e);
	if (count_trials(s, UUID_A) != n)
		return 3;
	/* The same after a new start, still full. */
	store_close(s);
	if (store_open(path, true, &s, &e) || count_trials(s, UUID_A) != n)
		return 4;
	unlink(ballast);
	if (put_trial_rc(s, UUID_A, n, false, &e) || count_trials(s, UUID_A) != n + 1)
		return 5;
	store_close(s);
	return 0;
}

static void full_disk_keeps_what_it_has(void **state)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(full_disk_child(*state));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("no mount namespace without root\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Stores trials from `from` on, telling each in the pipe once it is committed, until killed. */
static void write_for_ever(const char *path, unsigned from, int tell)
{
	struct store *s = NULL;
	struct err e = {0};

	if (store_open(path, true, &s, &e))
		_exit(1);
	for (;; from++) {
		if (put_trial_rc(s, UUID_A, from, from % 2, &e))
			_exit(2);
		if (write(tell, &from, sizeof(from)) != sizeof(from))
			_exit(3);
	}
}

/* Returns how many trials were told of. The delay runs from when the writer is ready, so kills fall
 * among its writes. */
static unsigned kill_writer(const char *path, unsigned from, unsigned delay_us)
{
	unsigned seq, next = from;
	int tell[2], status;
	pid_t pid;

	assert_int_equal(pipe(tell), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		write_for_ever(path, from, tell[1]);
	close(tell[1]);
	assert_int_equal(read(tell[0], &seq, sizeof(seq)), sizeof(seq));
	assert_int_equal(seq, next++);
	usleep(delay_us);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while (read(tell[0], &seq, sizeof(seq)) == sizeof(seq))
		assert_int_equal(seq, next++);
	close(tell[0]);
	return next;
}

static void killed_writer_loses_nothing(void **state)
{
	char *path = in_folder(state, "x.db");
	struct store *s = open_store(path);
	struct store_trial *t = NULL;
	unsigned next = 0, random = 12345, round;
	struct err e = {0};
	size_t n = 0, i;
	int64_t bad;

	begin_run(s, UUID_A, "x", BEGUN, NULL);
	store_close(s);
	for (round = 0; round < 25; round++) {
		random = random * 1103515245 + 12345;
		next = kill_writer(path, next, random / 65536 % 20000);
		s = open_store(path);
		expect_rc(
			db_number(
				s,
				"SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
				&bad, &e),
			0, &e);
		assert_int_equal(bad, 0);
		expect_rc(store_trials(s, UUID_A, &t, &n, &e), 0, &e);
		/* One more may have been committed without having been told. */
		assert_in_range(n, next, next + 1);
		for (i = 0; i < n; i++) {
			assert_int_equal(t[i].seq, i);
			assert_int_equal(t[i].nsamples, 2);
			assert_int_equal(t[i].nchecks, 2);
		}
		store_trials_free(t, n);
		store_close(s);
		next = (unsigned)n;
	}
	free(path);
}

/* Another vbench holds the lock: the trial waits for it instead of being lost. */
static void writers_wait_for_each_other(void **state)
{
	char *path = in_folder(state, "x.db"), c;
	struct store *s = open_store(path);
	int ready[2], status;
	pid_t pid;

	begin_run(s, UUID_A, "x", BEGUN, NULL);
	store_close(s);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		struct err e = {0};

		s = NULL;
		if (store_open(path, true, &s, &e) || db_begin(s, "holding", &e))
			_exit(1);
		if (write(ready[1], "r", 1) != 1)
			_exit(2);
		usleep(200000);
		_exit(db_commit(s, "holding", &e) ? 3 : 0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	s = open_store(path);
	put_trial(s, UUID_A, 0, false);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(ready[0]);
	close(ready[1]);
	store_close(s);
	free(path);
}

/* 0 when a reader without any right to write gets at the runs, and is told so when it writes. */
static int reader_child(const char *path)
{
	struct store_run *runs = NULL;
	struct store *s = NULL;
	struct err e = {0};
	size_t n = 0;

	if (setresuid(65534, 65534, 65534))
		return 77;
	if (store_open(path, false, &s, &e) || store_runs(s, &runs, &n, &e)) {
		fprintf(stderr, "# %s\n", e.text);
		return 2;
	}
	if (n != 1 || strcmp(runs[0].uuid, UUID_A))
		return 3;
	if (store_run_status(s, UUID_A, "complete", 1, &e) != -EACCES || e.status != VB_BAD_INPUT)
		return 4;
	store_close(s);
	if (store_open(path, true, &s, &e) != -EACCES || e.status != VB_BAD_INPUT)
		return 5;
	return 0;
}

static void readers_need_no_right_to_write(void **state)
{
	char *path = in_folder(state, "x%.db");
	struct store *s = open_store(path);
	int status, held;
	pid_t pid;

	begin_run(s, UUID_A, "x", BEGUN, NULL);
	assert_int_equal(chmod(*state, 0755), 0);
	assert_int_equal(chmod(path, 0644), 0);
	/* First while a writer has it open, then after that has ended. */
	for (held = 1; held >= 0; held--) {
		if (!held)
			store_close(s);
		pid = fork();
		if (!pid)
			_exit(reader_child(path));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			break;
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	free(path);
	if (held >= 0) {
		if (held)
			store_close(s);
		print_message("needs root, to become another user\n");
		skip();
	}
}

/* Magic numbers as in statfs(2)'s manual page. */
static void wal_only_on_local_file_systems(void **state)
{
	static const long local[] = {0xef53,	 0x58465342, 0x9123683e,
				     0x01021994, 0x794c7630, 0x2fc12fc1},
			  shared[] = {0x6969,	  0x517b,     0xff534d42, 0xfe534d42,
				      0x65735546, 0x01021997, 0x00c36400, 0x73757245};
	char *path = in_folder(state, "x.db"), *head = NULL;
	struct store *s;
	struct err e = {0};
	int64_t level = 0;
	size_t i, n = 0;

	for (i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		assert_true(db_wal_ok(local[i]));
	for (i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
		assert_false(db_wal_ok(shared[i]));
	/* statfs's f_type may be sign-extended. */
	assert_false(db_wal_ok((long)(int)0xff534d42));
	/* Bytes 18 and 19 of the header are 2 for WAL, 1 for a rollback journal
	 * [sqlite.org/fileformat.html, 1.3]. */
	s = open_store(path);
	/* 3 is EXTRA [sqlite.org/pragma.html#pragma_synchronous]. */
	expect_rc(db_number(s, "PRAGMA synchronous", &level, &e), 0, &e);
	assert_int_equal(level, 3);
	store_close(s);
	assert_int_equal(file_read(path, 1 << 24, &head, &n), 0);
	assert_int_equal(head[18], 2);
	assert_int_equal(head[19], 2);
	free(head);
	free(path);
}

/* As on NFS: a store that was in WAL mode becomes a plain one, keeps its trials and serves two at
 * once. */
static void rollback_journal_works(void **state)
{
	char *path = in_folder(state, "x.db"), *wal = in_folder(state, "x.db-wal"), *head = NULL;
	struct store *a = open_store(path), *b;
	struct err e = {0};
	int64_t level = 0;
	size_t n = 0;

	begin_run(a, UUID_A, "x", BEGUN, NULL);
	put_trial(a, UUID_A, 0, false);
	expect_rc(db_journal(a, false, &e), 0, &e);
	expect_rc(db_number(a, "PRAGMA synchronous", &level, &e), 0, &e);
	assert_int_equal(level, 3);
	put_trial(a, UUID_A, 1, false);
	assert_false(path_exists(wal));
	expect_rc(db_connect(path, SQLITE_OPEN_READWRITE, &b, &e), 0, &e);
	put_trial(b, UUID_A, 2, false);
	put_trial(a, UUID_A, 3, false);
	assert_int_equal(count_trials(b, UUID_A), 4);
	store_close(b);
	store_close(a);
	assert_int_equal(file_read(path, 1 << 24, &head, &n), 0);
	assert_int_equal(head[18], 1);
	assert_int_equal(head[19], 1);
	free(head);
	free(wal);
	free(path);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_setup, folder_teardown)
		TEST(foreign_files_are_refused),
		TEST(empty_file_is_a_beginning),
		TEST(damage_is_named),
		TEST(full_database_keeps_what_it_has),
		TEST(full_disk_keeps_what_it_has),
		TEST(killed_writer_loses_nothing),
		TEST(writers_wait_for_each_other),
		TEST(readers_need_no_right_to_write),
		TEST(wal_only_on_local_file_systems),
		TEST(rollback_journal_works),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
