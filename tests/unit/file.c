/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole files and folders on a real file system. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/child.h"
#include "base/file.h"

static char *top; /* a folder for each test, removed behind it */

static int setup(void **state)
{
	char name[] = "/tmp/vbench-file-XXXXXX";

	(void)state;
	top = mkdtemp(name) ? strdup(name) : NULL;
	return top && !chdir(top) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	/* Not dir_remove, which is under test. */
	if (chdir("/") ||
	    child_run((const char *[]){"rm", "-rf", top, NULL}, NULL, 10000, NULL, NULL))
		return -1;
	free(top);
	return 0;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void reads_whole_files_up_to_a_bound(void **state)
{
	size_t len;
	char *text;

	(void)state;
	put("a", "12345");
	assert_int_equal(file_read("a", 5, &text, &len), 0);
	assert_string_equal(text, "12345");
	assert_int_equal(len, 5);
	free(text);
	assert_int_equal(file_read("a", 4, &text, &len), -EFBIG);
	assert_null(text);
	put("a", "");
	assert_int_equal(file_read("a", 0, &text, &len), 0);
	assert_int_equal(len, 0);
	assert_string_equal(text, "");
	free(text);
	assert_int_equal(file_read("none", 10, &text, NULL), -ENOENT);
	assert_int_equal(file_read(".", 10, &text, NULL), -EISDIR);
}

/* Files of /proc say size 0; one longer than a first read must come whole. */
static void reads_files_of_unknown_size(void **state)
{
	size_t len;
	char *text;

	(void)state;
	assert_int_equal(file_read("/proc/self/maps", 1 << 24, &text, &len), 0);
	assert_true(len > 100);
	assert_int_equal(text[len - 1], '\n');
	free(text);
	assert_int_equal(file_read("/dev/zero", 100000, &text, &len), -EFBIG);
}

static void reads_first_lines(void **state)
{
	char buf[8];

	(void)state;
	put("a", "one \t\ntwo\n");
	assert_int_equal(file_line("a", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "one");
	put("a", "longer than that");
	assert_int_equal(file_line("a", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "longer");
	put("a", "");
	assert_int_equal(file_line("a", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "");
	assert_int_equal(file_line("none", buf, sizeof(buf)), -ENOENT);
	assert_string_equal(buf, "");
}

static void reads_numbers_and_nothing_else(void **state)
{
	static const char *const bad[] = {"", "x", "-1", "+1", " 1", "0x10", "1 2", "1.5"};
	uint64_t v = 7;

	(void)state;
	put("n", "18446744073709551615\n");
	assert_int_equal(file_u64("n", &v), 0);
	assert_true(v == UINT64_MAX);
	put("n", "18446744073709551616\n");
	assert_int_equal(file_u64("n", &v), -ERANGE);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put("n", bad[i]);
		assert_int_equal(file_u64("n", &v), -EINVAL);
	}
}

static void writes_atomically(void **state)
{
	struct err e = {0};
	struct stat st;
	char *text;
	int old;

	(void)state;
	umask(022);
	put("a", "old");
	old = open("a", O_RDONLY);
	assert_int_equal(file_write("a", "new", 3, 0640, &e), 0);
	assert_int_equal(file_read("a", 10, &text, NULL), 0);
	assert_string_equal(text, "new");
	free(text);
	/* Whoever has the old one open still reads all of it. */
	text = calloc(1, 10);
	assert_int_equal(read(old, text, 9), 3);
	assert_string_equal(text, "old");
	free(text);
	close(old);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(file_write("no/such/a", "x", 1, 0600, &e), -ENOENT);
	assert_non_null(strstr(e.text, "no/such/a"));
	/* A folder in the way: refused, and no temporary file stays. */
	assert_int_equal(mkdir("d", 0700), 0);
	assert_true(file_write("d", "x", 1, 0600, &e) < 0);
	assert_int_equal(unlink("a"), 0);
	assert_int_equal(rmdir("d"), 0);
	assert_int_equal(rmdir(top), 0); /* empty */
	assert_int_equal(mkdir(top, 0700), 0);
}

static void makes_folders(void **state)
{
	struct err e = {0};
	struct stat st;

	(void)state;
	assert_int_equal(mkdir("a", 0711), 0);
	assert_int_equal(dir_make("a//b/c/", 0750, &e), 0);
	assert_int_equal(stat("a/b/c", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0711);
	assert_int_equal(dir_make("a/b/c", 0700, &e), 0);
	put("f", "");
	assert_int_equal(dir_make("f/g", 0700, &e), -ENOTDIR);
	assert_int_equal(dir_make("f", 0700, &e), -ENOTDIR);
	assert_int_equal(dir_make("/proc/none", 0700, &e), -ENOENT);
}

static void removes_trees(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(dir_make("a/b/c", 0700, &e), 0);
	put("a/f", "x");
	put("a/b/c/g", "x");
	assert_int_equal(mkfifo("a/p", 0600), 0);
	assert_int_equal(dir_remove("a", &e), 0);
	assert_false(path_exists("a"));
	assert_int_equal(dir_remove("a", &e), 0);      /* missing is fine */
	assert_int_equal(dir_remove("no/a/b", &e), 0); /* also above */
	put("f", "x");
	assert_int_equal(dir_remove("f", &e), 0);
	assert_false(path_exists("f"));
	assert_true(dir_remove("/", &e) < 0);
	assert_true(dir_remove("..", &e) < 0);
	assert_true(dir_remove("", &e) < 0);
}

static void never_follows_links(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(dir_make("kept/sub", 0700, &e), 0);
	put("kept/f", "x");
	assert_int_equal(dir_make("a", 0700, &e), 0);
	assert_int_equal(symlink("../kept", "a/link"), 0);
	assert_int_equal(symlink("kept", "link"), 0);
	assert_int_equal(dir_remove("a", &e), 0);
	assert_int_equal(dir_remove("link/", &e), 0); /* the link itself, in spite of the slash */
	assert_true(path_exists("kept/f"));
	assert_int_equal(access("link", F_OK), -1);
}

static void stops_at_mount_points(void **state)
{
	struct err e = {0};
	int rc;

	(void)state;
	assert_int_equal(dir_make("kept", 0700, &e), 0);
	put("kept/f", "x");
	assert_int_equal(dir_make("a/m", 0700, &e), 0);
	put("a/f", "x");
	/* A bind mount: the same device on both sides. */
	if (mount("kept", "a/m", NULL, MS_BIND, NULL))
		skip(); /* needs root, and a container that may mount */
	rc = dir_remove("a", &e);
	assert_int_equal(umount("a/m"), 0);
	assert_int_equal(rc, -EBUSY);
	assert_non_null(strstr(e.text, "mount point"));
	assert_true(path_exists("kept/f"));
	assert_false(path_exists("a/f")); /* what could go is gone */
}

static void does_not_run_out_of_stack_or_files(void **state)
{
	struct err e = {0};
	int rc;

	(void)state;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(mkdir("d", 0700), 0);
		assert_int_equal(chdir("d"), 0);
	}
	assert_int_equal(chdir(top), 0);
	rc = dir_remove("d", &e);
	assert_int_equal(rc, -ELOOP);
	assert_true(strlen(e.text) > 0);
}

static void copies_files(void **state)
{
	struct err e = {0};
	size_t len;
	char *big = malloc(300000), *back;

	(void)state;
	for (int i = 0; i < 300000; i++)
		big[i] = (char)(i * 31 + i / 251);
	assert_int_equal(file_write("a", big, 300000, 0600, &e), 0);
	put("b", "shorter, and to be replaced");
	assert_int_equal(file_copy("a", "b", 0600, &e), 0);
	assert_int_equal(file_read("b", 1 << 20, &back, &len), 0);
	assert_int_equal(len, 300000);
	assert_memory_equal(big, back, len);
	free(back);
	/* No copy_file_range from /proc: the fall-back. */
	assert_int_equal(file_copy("/proc/self/cmdline", "c", 0600, &e), 0);
	assert_int_equal(file_read("c", 4096, &back, &len), 0);
	assert_true(len > 0);
	free(back);
	assert_int_equal(file_copy("a", "a", 0600, &e), -EINVAL); /* and it is not truncated */
	assert_int_equal(file_read("a", 1 << 20, &back, &len), 0);
	assert_int_equal(len, 300000);
	free(back);
	assert_int_equal(file_copy("none", "d", 0600, &e), -ENOENT);
	assert_int_equal(file_copy(".", "d", 0600, &e), -EISDIR);
	assert_int_equal(mkfifo("p", 0600), 0);
	assert_int_equal(file_copy("p", "d", 0600, &e), -EINVAL);
	assert_false(path_exists("d"));
	free(big);
}

/* A full disk leaves no half copy and no half file. */
static void leaves_no_half_copy(void **state)
{
	struct err e = {0};

	(void)state;
	if (mkdir("m", 0700) || mount("none", "m", "tmpfs", 0, "size=64k"))
		skip();
	put("a", "");
	assert_int_equal(truncate("a", 1 << 20), 0);
	assert_int_equal(file_copy("a", "m/a", 0600, &e), -ENOSPC);
	assert_false(path_exists("m/a"));
	{
		char *big = calloc(1, 1 << 20);
		int rc = file_write("m/b", big, 1 << 20, 0600, &e);

		free(big);
		assert_int_equal(rc, -ENOSPC);
	}
	assert_false(path_exists("m/b"));
	assert_int_equal(umount("m"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_whole_files_up_to_a_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_files_of_unknown_size, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_first_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_numbers_and_nothing_else, setup, teardown),
		cmocka_unit_test_setup_teardown(writes_atomically, setup, teardown),
		cmocka_unit_test_setup_teardown(makes_folders, setup, teardown),
		cmocka_unit_test_setup_teardown(removes_trees, setup, teardown),
		cmocka_unit_test_setup_teardown(never_follows_links, setup, teardown),
		cmocka_unit_test_setup_teardown(stops_at_mount_points, setup, teardown),
		cmocka_unit_test_setup_teardown(does_not_run_out_of_stack_or_files, setup,
						teardown),
		cmocka_unit_test_setup_teardown(copies_files, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_no_half_copy, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
