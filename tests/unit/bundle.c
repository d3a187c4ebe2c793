/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bundles: a run travels whole, twice is once, and nothing is replaced. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/file.h>
#include "tests/unit/bundle_place.h"

static void same_file(const char *a, const char *b, const char *name)
{
	char *pa = xasprintf("%s/%s", a, name), *pb = xasprintf("%s/%s", b, name), *ta = NULL,
	     *tb = NULL;
	size_t na = 0, nb = 0;

	assert_int_equal(file_read(pa, 1 << 20, &ta, &na), 0);
	assert_int_equal(file_read(pb, 1 << 20, &tb, &nb), 0);
	assert_int_equal(na, nb);
	assert_memory_equal(ta, tb, na);
	free(pa);
	free(pb);
	free(ta);
	free(tb);
}

static void check_travel(void **state, const char *name, const char *magic, size_t nmagic)
{
	struct place p = place_make(state, name);
	struct store_run got = {0};
	char uuid[37], *head = NULL;
	struct err e = {0};
	size_t n = 0;

	expect_rc(store_export(p.from, UUID_A, p.bundle, &e), 0, &e);
	assert_int_equal(file_read(p.bundle, 1 << 24, &head, &n), 0);
	assert_memory_equal(head, magic, nmagic);
	free(head);
	expect_rc(store_import(p.to, p.bundle, p.runs, uuid, &e), 0, &e);
	assert_string_equal(uuid, UUID_A);
	expect_rc(rows_equal(p.from, 1, p.to, 1, &e), 1, &e);
	assert_int_equal(count_trials(p.to, UUID_A), 5);
	expect_rc(store_run_find(p.to, UUID_A, &got, &e), 0, &e);
	/* Its folder is the one here, not the one there. */
	assert_memory_equal(got.folder, p.runs, strlen(p.runs));
	same_file(p.run, got.folder, "run.log");
	same_file(p.run, got.folder, "trials/0/fio.json");
	same_file(p.run, got.folder, "trials/0/empty");
	same_file(p.run, got.folder, "trials/0/caf\xc3\xa9");
	store_run_free(&got);
	/* Again: nothing changes. */
	uuid[0] = 0;
	expect_rc(store_import(p.to, p.bundle, p.runs, uuid, &e), 1, &e);
	assert_string_equal(uuid, UUID_A);
	assert_int_equal(count_runs(p.to), 1);
	assert_int_equal(names_in(p.runs), 1);
	place_end(&p);
}

/* Magic numbers from RFC 8878 (zstd), RFC 1952 (gzip), the .xz format, and tar's first name. */
static void runs_travel_as_zstd(void **state)
{
	check_travel(state, "b.tar.zst", "\x28\xb5\x2f\xfd", 4);
}

static void runs_travel_as_gzip(void **state)
{
	check_travel(state, "b.tar.gz", "\x1f\x8b", 2);
}

static void runs_travel_as_xz(void **state)
{
	check_travel(state, "b.tar.xz",
		     "\xfd"
		     "7zXZ",
		     6);
}

static void runs_travel_as_tar(void **state)
{
	check_travel(state, "b.tar", "manifest.json", 14);
}

static void other_content_is_refused(void **state)
{
	struct place p = place_make(state, "b.tar.zst");
	struct err e = {0};
	char uuid[37];

	expect_rc(store_export(p.from, UUID_A, p.bundle, &e), 0, &e);
	begin_run(p.to, UUID_B, "another", BEGUN, NULL);
	begin_run(p.to, UUID_A, "build 7", BEGUN, NULL);
	for (unsigned i = 0; i < 5; i++)
		put_trial(p.to, UUID_A, i, i == 3);
	/* Equal but for how it ended. */
	expect_rc(store_import(p.to, p.bundle, p.runs, uuid, &e), -EEXIST, &e);
	assert_int_equal(e.status, VB_BAD_INPUT);
	assert_int_equal(names_in(p.runs), 0);
	expect_rc(store_run_status(p.to, UUID_A, "complete", BEGUN + 9, &e), 0, &e);
	expect_rc(store_import(p.to, p.bundle, p.runs, uuid, &e), 1, &e);
	put_trial(p.to, UUID_A, 5, false);
	expect_rc(store_import(p.to, p.bundle, p.runs, uuid, &e), -EEXIST, &e);
	assert_int_equal(count_trials(p.to, UUID_A), 6);
	assert_int_equal(names_in(p.runs), 0);
	place_end(&p);
}

static void export_replaces_nothing(void **state)
{
	struct place p = place_make(state, "b.tar.zst");
	char *text = NULL, *odd = in_folder(state, "b.zip"),
	     *lost = in_folder(state, "no/such/b.tar");
	size_t before;
	struct err e = {0};

	put_file(p.dir, "b.tar.zst", "mine");
	before = names_in(p.dir);
	expect_rc(store_export(p.from, UUID_A, p.bundle, &e), -EEXIST, &e);
	assert_int_equal(file_read(p.bundle, 100, &text, NULL), 0);
	assert_string_equal(text, "mine");
	expect_rc(store_export(p.from, UUID_A, odd, &e), -EINVAL, &e);
	assert_non_null(strstr(e.text, ".tar.zst"));
	expect_rc(store_export(p.from, UUID_A, lost, &e), -ENOENT, &e);
	unlink(p.bundle);
	expect_rc(store_export(p.from, UUID_C, p.bundle, &e), -ENOENT, &e);
	assert_int_equal(names_in(p.dir), before - 1);
	free(text);
	free(odd);
	free(lost);
	place_end(&p);
}

static void export_takes_plain_files_only(void **state)
{
	struct place p = place_make(state, "b.tar");
	char *link = in_folder(state, "run/link"), *fifo = in_folder(state, "run/trials/fifo"),
	     *big = in_folder(state, "run/memory"), *text;
	static const char *const out[] = {"artefacts/link", "artefacts/memory",
					  "artefacts/trials/fifo"};
	struct err e = {0};
	json_t *manifest;
	size_t n = 0, i;
	int fd;

	assert_int_equal(symlink("/etc/passwd", link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	fd = open(big, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, BUNDLE_MAX_FILE + 1), 0);
	close(fd);
	expect_rc(store_export(p.from, UUID_A, p.bundle, &e), 0, &e);
	text = entry_of(p.bundle, "manifest.json", &n);
	manifest = json_loadb(text, n, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(manifest, "uuid")), UUID_A);
	assert_string_equal(json_string_value(json_object_get(manifest, "vbench")), "0.1");
	/* Each left-out thing is named, in order of names, and is not in the bundle. */
	assert_int_equal(json_array_size(json_object_get(manifest, "left_out")), 3);
	for (i = 0; i < 3; i++) {
		assert_string_equal(
			json_string_value(json_array_get(json_object_get(manifest, "left_out"), i)),
			out[i]);
		assert_null(entry_of(p.bundle, out[i], &n));
	}
	json_decref(manifest);
	free(text);
	free(link);
	free(fifo);
	free(big);
	place_end(&p);
}

/* What a killed import left is removed by the next one; what a living one holds is not. */
static void dead_stages_are_swept(void **state)
{
	struct place p = place_make(state, "b.tar");
	char *dead = in_folder(state, "imported/runs/.import-dead/trials"),
	     *living = in_folder(state, "imported/runs/.import-living");
	struct err e = {0};
	char uuid[37];
	int fd;

	expect_rc(store_export(p.from, UUID_A, p.bundle, &e), 0, &e);
	expect_rc(dir_make(dead, 0700, &e), 0, &e);
	expect_rc(dir_make(living, 0700, &e), 0, &e);
	fd = open(living, O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	expect_rc(store_import(p.to, p.bundle, p.runs, uuid, &e), 0, &e);
	assert_false(path_exists(dead));
	assert_true(path_exists(living));
	assert_int_equal(names_in(p.runs), 2);
	close(fd);
	free(dead);
	free(living);
	place_end(&p);
}

/* `bundle --make FOLDER`: the store and folder of these tests, for tests of the command line. */
static int make_place(char *folder)
{
	void *state = folder;
	struct place p = place_make(&state, "unused");

	begin_run(p.from, UUID_C, "evil \x1b[31m\xc2\x9b label", BEGUN + 60000000000ll, NULL);
	place_end(&p);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_setup, folder_teardown)
		TEST(runs_travel_as_zstd),
		TEST(runs_travel_as_gzip),
		TEST(runs_travel_as_xz),
		TEST(runs_travel_as_tar),
		TEST(other_content_is_refused),
		TEST(export_replaces_nothing),
		TEST(export_takes_plain_files_only),
		TEST(dead_stages_are_swept),
	};

	if (argc == 3 && !strcmp(argv[1], "--make"))
		return make_place(argv[2]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
