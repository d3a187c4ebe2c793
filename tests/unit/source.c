// SPDX-License-Identifier: GPL-2.0-or-later
/* The data that images are converted from: its size, owner, that it repeats, and that a compressor
 * leaves half of it (measured with zlib, an independent program). */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "run/source.h"

#define MIB (1ull << 20)

static char dir[32];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/source-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return dir_remove(dir, NULL);
}

static char *read_all(const char *path, size_t *len)
{
	char *data;

	assert_int_equal(file_read(path, 64 * MIB, &data, len), 0);
	return data;
}

static void is_what_was_asked_for(void **state)
{
	char *path = xasprintf("%s/a", dir), *again = xasprintf("%s/b", dir), *x, *y;
	struct err e = {0};
	struct stat st;
	size_t n, m;

	(void)state;
	assert_int_equal(source_make(path, "data", 3 * MIB + 4096, 7, NULL, NULL, NULL, &e), 0);
	assert_int_equal(source_make(again, "data", 3 * MIB + 4096, 7, NULL, NULL, NULL, &e), 0);
	x = read_all(path, &n);
	y = read_all(again, &m);
	assert_int_equal(n, 3 * MIB + 4096);
	assert_int_equal(m, n);
	assert_memory_equal(x, y, n);
	/* nothing sparse */
	assert_int_equal(stat(path, &st), 0);
	assert_true((size_t)st.st_blocks * 512 >= n);
	/* no half megabyte is like another, and another seed gives other data */
	assert_int_not_equal(memcmp(x, x + MIB / 2, MIB / 2), 0);
	assert_int_not_equal(memcmp(x, x + MIB, MIB), 0);
	free(y);
	unlink(again);
	assert_int_equal(source_make(again, "data", 3 * MIB + 4096, 8, NULL, NULL, NULL, &e), 0);
	y = read_all(again, &m);
	assert_int_not_equal(memcmp(x, y, 4096), 0);
	free(x);
	free(y);
	free(path);
	free(again);
}

static void compresses_to_half(void **state)
{
	char *path = xasprintf("%s/c", dir), *cmd = NULL, *out = NULL;
	const char *argv[] = {"sh", "-c", NULL, NULL};
	struct err e = {0};
	double share;

	(void)state;
	assert_int_equal(source_make(path, "data", 16 * MIB, 1, NULL, NULL, NULL, &e), 0);
	cmd = xasprintf("gzip -c %s | wc -c", path);
	argv[2] = cmd;
	assert_int_equal(child_run(argv, NULL, 60000, &out, &e), 0);
	share = atof(out) / (16.0 * (double)MIB);
	/* 2 KiB of noise in 4 KiB cannot become less; the rest becomes next to nothing */
	assert_true(share > 0.5 && share < 0.53);
	free(out);
	free(cmd);
	free(path);
}

static void a_block_of_its_own(void **state)
{
	unsigned char a[SOURCE_BLOCK], b[SOURCE_BLOCK];
	size_t i;

	(void)state;
	source_block(5, 0, a);
	source_block(5, 26, b); /* the same letter */
	assert_int_not_equal(memcmp(a, b, SOURCE_BLOCK / 2), 0);
	assert_memory_equal(a + SOURCE_BLOCK / 2, b + SOURCE_BLOCK / 2, SOURCE_BLOCK / 2);
	for (i = SOURCE_BLOCK / 2; i < SOURCE_BLOCK; i++)
		assert_int_equal(a[i], 'a');
}

/* 4 MiB: a quarter in use, the half behind it as the word says, the last quarter a hole. Room in
 * blocks of 512 bytes, stat(2). */
static void freed_room(void **state)
{
	static const struct {
		const char *content;
		unsigned mib; /* that take room */
		bool stale;   /* data to be read in the half behind */
	} all[] = {{"fresh", 1, false},
		   {"deleted", 3, true},
		   {"zeroed", 3, false},
		   {"trimmed", 1, false}};
	unsigned char is[SOURCE_BLOCK], want[SOURCE_BLOCK];
	static const unsigned char zero[SOURCE_BLOCK];

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char *path = xasprintf("%s/%s", dir, all[i].content);
		struct err e = {0};
		struct stat st;
		int fd;

		assert_int_equal(
			source_make(path, all[i].content, 4 * MIB, 5, NULL, NULL, NULL, &e), 0);
		fd = open(path, O_RDONLY);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_size, 4 * MIB);
		assert_in_range(st.st_blocks, all[i].mib * MIB / 512,
				(all[i].mib * MIB + 65536) / 512);
		for (uint64_t at = 0; at < 4 * MIB; at += SOURCE_BLOCK) {
			bool data = at < MIB || (all[i].stale && at < 3 * MIB);

			source_block(5, at / SOURCE_BLOCK, want);
			assert_int_equal(pread(fd, is, sizeof(is), (off_t)at), sizeof(is));
			assert_memory_equal(is, data ? want : zero, sizeof(is));
		}
		close(fd);
		free(path);
	}
}

static void is_made_once(void **state)
{
	char *path = xasprintf("%s/d", dir);
	struct stat first, second;
	struct err e = {0};

	(void)state;
	assert_int_equal(source_make(path, "data", MIB, 1, NULL, NULL, NULL, &e), 0);
	assert_int_equal(stat(path, &first), 0);
	assert_int_equal(source_make(path, "data", MIB, 1, NULL, NULL, NULL, &e), 0);
	assert_int_equal(stat(path, &second), 0);
	assert_int_equal(first.st_ino, second.st_ino);
	assert_int_equal(first.st_mtim.tv_nsec, second.st_mtim.tv_nsec);
	/* another size, or what is no file, is none */
	assert_int_equal(source_make(path, "data", 2 * MIB, 1, NULL, NULL, NULL, &e), 0);
	assert_int_equal(stat(path, &second), 0);
	assert_int_equal(second.st_size, 2 * MIB);
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(source_make(path, "data", MIB, 1, NULL, NULL, NULL, &e), 0);
	assert_int_equal(lstat(path, &second), 0);
	assert_true(S_ISREG(second.st_mode));
	free(path);
}

/* nobody's, as QEMU's user would be: only root can give it that. */
static void is_the_users(void **state)
{
	struct child_user user = {.uid = 65534, .gid = 65534};
	char *sub = xasprintf("%s/sub", dir), *path = xasprintf("%s/sub/e", dir);
	struct err e = {0};
	struct stat st;

	(void)state;
	if (geteuid())
		skip();
	chmod(dir, 0755);
	assert_int_equal(mkdir(sub, 0700), 0);
	/* not the user's folder yet: made with that user's rights, it cannot be made */
	assert_int_equal(source_make(path, "data", MIB, 1, &user, NULL, NULL, &e), -EACCES);
	assert_int_equal(chown(sub, 65534, 65534), 0);
	assert_int_equal(source_make(path, "data", MIB, 1, &user, NULL, NULL, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(st.st_gid, 65534);
	/* and we are ourselves again */
	unlink(path);
	assert_int_equal(source_make(path, "data", MIB, 1, NULL, NULL, NULL, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
	free(sub);
	free(path);
}

static int stop_at_once(void *arg, struct err *e)
{
	++*(int *)arg;
	return err_set(e, -EINTR, "interrupted");
}

static void leaves_nothing_when_stopped(void **state)
{
	char *path = xasprintf("%s/f", dir), *part = xasprintf("%s/f.part", dir);
	struct err e = {0};
	int calls = 0;

	(void)state;
	assert_int_equal(source_make(path, "data", 64 * MIB, 1, NULL, stop_at_once, &calls, &e),
			 -EINTR);
	assert_int_equal(calls, 1);
	assert_false(path_exists(path));
	assert_false(path_exists(part));
	assert_int_equal(source_make(path, "data", MIB + 1, 1, NULL, NULL, NULL, &e), -EINVAL);
	free(path);
	free(part);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_what_was_asked_for),
		cmocka_unit_test(compresses_to_half),
		cmocka_unit_test(a_block_of_its_own),
		cmocka_unit_test(freed_room),
		cmocka_unit_test(is_made_once),
		cmocka_unit_test(is_the_users),
		cmocka_unit_test(leaves_nothing_when_stopped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
