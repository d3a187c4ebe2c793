// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * LD_PRELOAD library for tests: SIGKILLs its process around the Nth call that changes something, so
 * that every place where power could fail is visited one after the other.
 *
 * KILLER=N: calls are counted from 0; an even N kills before call N / 2, an odd one after it.
 * Counted are what writes a record (fsync, rename, unlink), what changes a thread
 * (sched_setaffinity), a setting (write to a descriptor above 2) and where memory lies (syscall).
 * KILLER_SIGNAL=N: that signal instead of SIGKILL.
 */
#include <dlfcn.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static long limit(void)
{
	const char *text = getenv("KILLER");

	return text ? atol(text) : -1;
}

static void point(void)
{
	static long points;
	const char *other = getenv("KILLER_SIGNAL");

	if (points++ == limit())
		kill(getpid(), other ? atoi(other) : SIGKILL);
}

#define REAL(type, name, ...)             \
	static type (*real)(__VA_ARGS__); \
	if (!real)                        \
	*(void **)&real = dlsym(RTLD_NEXT, name)

#define AROUND(type, call)  \
	do {                \
		type got;   \
                            \
		point();    \
		got = call; \
		point();    \
		return got; \
	} while (0)

int sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *set)
{
	REAL(int, "sched_setaffinity", pid_t, size_t, const cpu_set_t *);
	AROUND(int, real(pid, size, set));
}

int fsync(int fd)
{
	REAL(int, "fsync", int);
	AROUND(int, real(fd));
}

int rename(const char *from, const char *to)
{
	REAL(int, "rename", const char *, const char *);
	AROUND(int, real(from, to));
}

int unlink(const char *path)
{
	REAL(int, "unlink", const char *);
	AROUND(int, real(path));
}

ssize_t write(int fd, const void *data, size_t len)
{
	REAL(ssize_t, "write", int, const void *, size_t);
	if (fd <= 2)
		return real(fd, data, len);
	AROUND(ssize_t, real(fd, data, len));
}

/* move_pages(2) with a list of nodes moves; without, it asks. */
long syscall(long number, ...)
{
	long a[6];
	va_list ap;

	REAL(long, "syscall", long, ...);
	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number != SYS_move_pages || !a[3])
		return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	AROUND(long, real(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}
