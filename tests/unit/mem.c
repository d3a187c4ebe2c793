/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A peer's memory: what is inside, what is refused, and files that are cut short. Expected values:
 * arithmetic by hand on the addresses below; man 2 mmap (SIGBUS beyond the end of a file).
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "engines/mem.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE 4096

/* Guest addresses: a [0x10000, 0x11000), b [0x11000, 0x11800) right behind it, c [0x20000,
 * 0x20100). All lie elsewhere here. */
static char a[0x1000], b[0x800], c[0x100];

static struct mem three(void)
{
	struct mem m = {0};
	struct err e = {0};

	assert_int_equal(mem_add_local(&m, c, 0x20000, sizeof(c), &e), 0);
	assert_int_equal(mem_add_local(&m, a, 0x10000, sizeof(a), &e), 0);
	assert_int_equal(mem_add_local(&m, b, 0x11000, sizeof(b), &e), 0);
	return m;
}

static int file_of(size_t size)
{
	int fd = memfd_create("region", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void finds_pieces(void **state)
{
	static const struct {
		uint64_t at, len;
		int n;
		const char *base[2];
		size_t size[2];
	} rows[] = {
		{0x10000, 1, 1, {a}, {1}},
		{0x10000, 0x1000, 1, {a}, {0x1000}},
		{0x10fff, 1, 1, {a + 0xfff}, {1}},
		{0x10ff0, 0x20, 2, {a + 0xff0, b}, {0x10, 0x10}},
		{0x10000, 0x1800, 2, {a, b}, {0x1000, 0x800}},
		{0x200ff, 1, 1, {c + 0xff}, {1}},
		{0x10000, 0, 0, {0}, {0}},
		{0, 0, 0, {0}, {0}},
		{0xffff, 1, -EFAULT, {0}, {0}},
		{0xffff, 2, -EFAULT, {0}, {0}},
		{0x11800, 1, -EFAULT, {0}, {0}},
		{0x10000, 0x1801, -EFAULT, {0}, {0}},
		{0x20000, 0x101, -EFAULT, {0}, {0}},
		{0x20000, UINT64_MAX, -EFAULT, {0}, {0}},
		{0x10000, UINT64_MAX - 0x10000 + 1, -EFAULT, {0}, {0}},
		{0x10000, UINT64_MAX - 0x10000 + 2, -EFAULT, {0}, {0}},
		{UINT64_MAX, 1, -EFAULT, {0}, {0}},
		{UINT64_MAX, 2, -EFAULT, {0}, {0}},
	};
	struct mem m = three();

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct iovec iov[2] = {{0}};

		if (mem_iov(&m, rows[i].at, rows[i].len, iov, 2) != rows[i].n)
			fail_msg("row %zu", i);
		for (int k = 0; k < rows[i].n; k++) {
			assert_ptr_equal(iov[k].iov_base, rows[i].base[k]);
			assert_int_equal(iov[k].iov_len, rows[i].size[k]);
		}
	}
	mem_clear(&m);
	assert_int_equal(m.n, 0);
}

static void writes_no_more_pieces_than_asked(void **state)
{
	struct mem m = three();
	struct iovec iov[2] = {{0}};

	(void)state;
	assert_int_equal(mem_iov(&m, 0x10ff0, 0x20, iov, 1), -EMSGSIZE);
	assert_null(iov[1].iov_base);
	assert_int_equal(mem_iov(&m, 0x10000, 1, iov, 0), -EMSGSIZE);
	assert_int_equal(mem_iov(&m, 0x10000, 0, iov, 0), 0);
}

static void one_piece_or_none(void **state)
{
	struct mem m = three();
	uint64_t ua = (uintptr_t)a;

	(void)state;
	assert_ptr_equal(mem_at(&m, 0x10800, 0x800), a + 0x800);
	assert_null(mem_at(&m, 0x10800, 0x801));
	assert_null(mem_at(&m, 0x10800, UINT64_MAX));
	assert_null(mem_at(&m, 0x10800, 0));
	assert_null(mem_at(&m, 0xffff, 2));
	assert_ptr_equal(mem_at_user(&m, ua + 0x800, 0x800), a + 0x800);
	assert_null(mem_at_user(&m, ua + 0x800, 0x801));
	assert_null(mem_at_user(&m, ua + 0x800, 0));
	assert_null(mem_at_user(&m, 0x10000, 1));
	assert_null(mem_at_user(&m, ua, UINT64_MAX));
}

static void maps_from_any_offset(void **state)
{
	int fd = file_of(3 * PAGE);
	struct mem m = {0};
	struct err e = {0};
	char *at;

	(void)state;
	assert_int_equal(pwrite(fd, "xyz", 3, PAGE + 100), 3);
	assert_int_equal(mem_add(&m, fd, PAGE + 100, 0x5000, 0x7f0000, 2 * PAGE - 100, &e), 0);
	close(fd);
	at = mem_at(&m, 0x5000, 3);
	assert_memory_equal(at, "xyz", 3);
	assert_ptr_equal(mem_at_user(&m, 0x7f0000, 1), at);
	/* up to the file's last byte */
	at = mem_at(&m, 0x5000, 2 * PAGE - 100);
	at[2 * PAGE - 101] = 1;
	mem_clear(&m);
}

struct refusal {
	uint64_t offset, guest, user, size;
	const char *says;
};

static void refuses(void **state)
{
	/* beside a region of one page: guest 0x10000, user 0x70000 */
	static const struct refusal rows[] = {
		{0, 0x40000, 0x40000, 0, "no bytes"},
		{0, UINT64_MAX - 0xfff, 0x40000, 0x2000, "end of the address space"},
		{0, 0x40000, UINT64_MAX - 0xfff, 0x2000, "end of the address space"},
		{0, 0, 0x40000, UINT64_MAX, "end of the address space"},
		{0, 0x80000, 0x80000, UINT64_MAX / 2, "too large"},
		{UINT64_MAX - 0xfff, 0x40000, 0x40000, 0x1000, "too large"},
		{0, 0x10fff, 0x40000, 0x1000, "overlap"},
		{0, 0xf001, 0x40000, 0x1000, "overlap"},
		{0, 0x10000, 0x40000, 0x1000, "overlap"},
		{0, 0xf000, 0x40000, 0x3000, "overlap"},
		{0, 0x40000, 0x70fff, 0x1000, "overlap"},
		{0, 0x40000, 0x6f001, 0x1000, "overlap"},
		{0, 0x40000, 0x40000, 0x4001, "has 16384 bytes"},
		{0x4000, 0x40000, 0x40000, 1, "has 16384 bytes"},
		{0x3fff, 0x40000, 0x40000, 2, "has 16384 bytes"},
	};
	int fd = file_of(0x4000), ends[2];
	struct mem m = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(mem_add(&m, fd, 0, 0x10000, 0x70000, 0x1000, &e), 0);
	for (size_t i = 0; i < N(rows); i++) {
		const struct refusal *r = &rows[i];

		e = (struct err){0};
		assert_int_equal(mem_add(&m, fd, r->offset, r->guest, r->user, r->size, &e),
				 -EINVAL);
		if (!strstr(e.text, r->says))
			fail_msg("row %zu says: %s", i, e.text);
		assert_int_equal(m.n, 1);
		assert_int_equal(mem_add(&m, fd, r->offset, r->guest, r->user, r->size, NULL),
				 -EINVAL);
	}
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(mem_add(&m, ends[0], 0, 0x40000, 0x40000, 0x1000, &e), -EINVAL);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(mem_add(&m, -1, 0, 0x40000, 0x40000, 0x1000, &e), -EBADF);
	/* neighbours do not overlap */
	assert_int_equal(mem_add(&m, fd, 0, 0x11000, 0x71000, 0x1000, &e), 0);
	assert_int_equal(mem_add(&m, fd, 0, 0xf000, 0x6f000, 0x1000, &e), 0);
	mem_clear(&m);
	close(fd);
}

/* Its pages, and what fstat says, may come from where the peer can hold them back for ever: FUSE, a
 * network. Any file with pages elsewhere stands for these; only memory files have seals (man 2
 * fcntl). */
static void takes_only_memory_files(void **state)
{
	static const char *const dirs[] = {"/var/tmp", ".", "/root"};
	struct mem m = {0};
	struct err e = {0};
	unsigned tried = 0;

	(void)state;
	for (size_t i = 0; i < N(dirs); i++) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "%s/vbench-mem-XXXXXX", dirs[i]);
		fd = mkstemp(path);
		if (fd < 0)
			continue;
		unlink(path);
		if (fcntl(fd, F_GET_SEALS) < 0) {
			assert_int_equal(ftruncate(fd, PAGE), 0);
			assert_int_equal(mem_add(&m, fd, 0, 0, 0, PAGE, &e), -EINVAL);
			assert_non_null(strstr(e.text, "memfd"));
			tried++;
		}
		close(fd);
	}
	assert_int_equal(m.n, 0);
	if (!tried)
		skip();
}

static void bounds_their_number(void **state)
{
	int fd = file_of(PAGE);
	struct mem m = {0};
	struct err e = {0};
	uint64_t at = 0x10000;

	(void)state;
	for (int i = 0; i < 32; i++, at += PAGE)
		assert_int_equal(mem_add(&m, fd, 0, at, at, PAGE, &e), 0);
	assert_int_equal(mem_add(&m, fd, 0, at, at, PAGE, &e), -EINVAL);
	assert_non_null(strstr(e.text, "more than 32"));

	/* Only what was given can be taken away, and its place is free again. */
	assert_int_equal(mem_remove(&m, 0x11000, 0x11000, PAGE - 1, &e), -EINVAL);
	assert_int_equal(mem_remove(&m, 0x11000, 0x12000, PAGE, &e), -EINVAL);
	assert_int_equal(mem_remove(&m, 0x11000, 0x11000, PAGE, &e), 0);
	assert_int_equal(mem_remove(&m, 0x11000, 0x11000, PAGE, &e), -EINVAL);
	assert_null(mem_at(&m, 0x11000, 1));
	assert_non_null(mem_at(&m, 0x10000, PAGE));
	assert_non_null(mem_at(&m, 0x12000, PAGE));
	assert_int_equal(mem_add(&m, fd, 0, 0x11000, 0x11000, PAGE, &e), 0);
	mem_clear(&m);
	close(fd);
}

static void survives_a_cut_file(void **state)
{
	int fd = file_of(8 * PAGE);
	struct mem m = {0};
	struct err e = {0};
	volatile char *at;

	(void)state;
	mem_guard();
	mem_guard();
	assert_int_equal(mem_add(&m, fd, 0, 0, 0x70000, 8 * PAGE, &e), 0);
	at = mem_at(&m, 0, 8 * PAGE);
	memset((char *)at, 'm', 8 * PAGE);
	assert_false(mem_lost());
	assert_int_equal(mem_losses(), 0);
	assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
	assert_int_equal(at[5 * PAGE + 77], 0);
	assert_true(mem_lost());
	assert_int_equal(mem_losses(), 1);
	at[7 * PAGE] = 'w';
	assert_int_equal(mem_losses(), 2); /* another page */
	assert_int_equal(at[7 * PAGE], 'w');
	assert_int_equal(at[7 * PAGE + 1], 0);
	/* what is there is still the file's */
	assert_int_equal(at[2 * PAGE - 1], 'm');
	assert_int_equal(pwrite(fd, "n", 1, PAGE), 1);
	assert_int_equal(at[PAGE], 'n');
	mem_clear(&m);
	close(fd);
}

/* How a child ends that does this. */
static int end_of(void (*act)(void))
{
	struct rlimit none = {0};
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		setrlimit(RLIMIT_CORE, &none);
		act();
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void default_action(void)
{
	signal(SIGBUS, SIG_DFL);
}

static volatile char *foreign(void)
{
	int fd = file_of(PAGE);
	char *at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED || ftruncate(fd, 0))
		_exit(98);
	return at;
}

static void touch_foreign(void)
{
	default_action();
	mem_guard();
	(void)*foreign();
}

/* A region that was there, and is not any more. */
static void touch_cleared(void)
{
	int fd = file_of(PAGE);
	struct mem m = {0};
	char *at;

	default_action();
	mem_guard();
	if (mem_add(&m, fd, 0, 0, 0, PAGE, NULL))
		_exit(98);
	at = mem_at(&m, 0, PAGE);
	mem_clear(&m);
	if (mmap(at, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
	    ftruncate(fd, 0))
		_exit(98);
	(void)*(volatile char *)at;
}

/* What another process sends is no fault, whatever address it names. */
static void sent(void)
{
	int fd = file_of(PAGE);
	siginfo_t info = {.si_signo = SIGBUS, .si_code = SI_QUEUE};
	struct mem m = {0};

	default_action();
	mem_guard();
	if (mem_add(&m, fd, 0, 0, 0, PAGE, NULL))
		_exit(98);
	info.si_addr = mem_at(&m, 0, PAGE);
	syscall(SYS_rt_sigqueueinfo, getpid(), SIGBUS, &info);
}

static void earlier_handler(int sig)
{
	_exit(sig == SIGBUS ? 42 : 97);
}

static void touch_foreign_handled(void)
{
	signal(SIGBUS, earlier_handler);
	mem_guard();
	(void)*foreign();
}

/* Runs before anything else has installed the guard, which is for good. */
static void foreign_faults_go_where_they_went(void **state)
{
	int status;

	(void)state;
	status = end_of(touch_foreign);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	status = end_of(touch_cleared);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	status = end_of(sent);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	status = end_of(touch_foreign_handled);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_faults_go_where_they_went),
		cmocka_unit_test(finds_pieces),
		cmocka_unit_test(writes_no_more_pieces_than_asked),
		cmocka_unit_test(one_piece_or_none),
		cmocka_unit_test(maps_from_any_offset),
		cmocka_unit_test(refuses),
		cmocka_unit_test(takes_only_memory_files),
		cmocka_unit_test(bounds_their_number),
		cmocka_unit_test(survives_a_cut_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
