// SPDX-License-Identifier: GPL-2.0-or-later
/* Preloaded into QEMU by a wrapper: every positioned read (aio = threads) takes 20 ms more, so that
 * one build is slower. */
#include <dlfcn.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void wait_a_while(void)
{
	const struct timespec t = {.tv_nsec = 20000000};

	nanosleep(&t, NULL);
}

ssize_t preadv(int fd, const struct iovec *v, int n, off_t at)
{
	ssize_t (*real)(int, const struct iovec *, int, off_t) = dlsym(RTLD_NEXT, "preadv64");

	wait_a_while();
	return real(fd, v, n, at);
}

ssize_t preadv64(int fd, const struct iovec *v, int n, off64_t at)
{
	return preadv(fd, v, n, at);
}

ssize_t pread(int fd, void *buf, size_t n, off_t at)
{
	ssize_t (*real)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread64");

	wait_a_while();
	return real(fd, buf, n, at);
}

ssize_t pread64(int fd, void *buf, size_t n, off64_t at)
{
	return pread(fd, buf, n, at);
}
