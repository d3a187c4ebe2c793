// SPDX-License-Identifier: GPL-2.0-or-later
// vhost-user messages across a socket. Expected bytes are those of QEMU's
// docs/interop/vhost-user.rst.

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/vhost.h"

#define SHORT_MS 20 /* for what never comes */
#define LONG_MS 60000

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

struct pair {
	int a, b;
	unsigned before; /* descriptors open at the start */
};

static int setup(void **state)
{
	static struct pair p;
	int sv[2];

	p.before = open_fds();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return -1;
	p.a = sv[0];
	p.b = sv[1];
	*state = &p;
	return 0;
}

/* Whatever happened: no descriptor may be left. */
static int teardown(void **state)
{
	struct pair *p = *state;

	if (p->a >= 0)
		close(p->a);
	if (p->b >= 0)
		close(p->b);
	assert_int_equal(open_fds(), p->before);
	return 0;
}

/* Bytes with n descriptors (all the same one), as no honest sender would. */
static void raw_send(int sock, const void *data, size_t len, int fd, unsigned n)
{
	char control[CMSG_SPACE(32 * sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n) {
		struct cmsghdr *c;

		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		for (unsigned i = 0; i < n; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(fd));
	}
	assert_int_equal(sendmsg(sock, &mh, 0), len);
}

/* The header of the spec: request, flags (version 1), size; native byte order. */
static void test_bytes_of_a_message(void **state)
{
	struct pair *p = *state;
	struct vhost_msg m = {.h = {.request = VHOST_SET_VRING_NUM, .flags = 1, .size = 8},
			      .state = {.index = 3, .num = 256}};
	const uint32_t expected[] = {8, 1, 8, 3, 256};
	uint32_t got[6];

	assert_int_equal(vhost_send(p->a, &m, LONG_MS, NULL), 0);
	assert_int_equal(recv(p->b, got, sizeof(got), MSG_DONTWAIT), sizeof(expected));
	assert_memory_equal(got, expected, sizeof(expected));
}

/* A region: guest address, size, user address, mmap offset; the table has number and padding in
 * front; a single one has 64 bits of padding. */
static void test_layouts(void **state)
{
	struct vhost_msg m;

	(void)state;
	assert_int_equal((char *)&m.memory.region[1] - (char *)&m.memory, 8 + 32);
	assert_int_equal((char *)&m.memory.region[0].user - (char *)&m.memory, 8 + 16);
	assert_int_equal((char *)&m.slot.region.guest - (char *)&m.slot, 8);
	assert_int_equal((char *)&m.addr.desc - (char *)&m.addr, 8);
	assert_int_equal((char *)&m.addr.used - (char *)&m.addr, 16);
	assert_int_equal((char *)&m.addr.avail - (char *)&m.addr, 24);
	assert_int_equal((char *)&m.config.data - (char *)&m.config, 12);
}

static void test_there_and_back(void **state)
{
	struct pair *p = *state;
	struct vhost_msg m = {.h = {.request = VHOST_SET_MEM_TABLE, .flags = 1 | 8, .size = 72}};
	struct stat sent, got;
	struct vhost_msg r;

	m.memory.n = 2;
	m.memory.region[1].offset = UINT64_C(0x123456789abcdef0);
	m.nfds = 2;
	m.fds[0] = memfd_create("one", MFD_CLOEXEC);
	m.fds[1] = eventfd(7, EFD_CLOEXEC);
	assert_int_equal(vhost_send(p->a, &m, LONG_MS, NULL), 0);
	/* what is sent stays the sender's */
	assert_int_equal(fstat(m.fds[0], &sent), 0);
	assert_int_equal(vhost_recv(p->b, &r, LONG_MS, NULL), 0);
	assert_memory_equal(&r.h, &m.h, sizeof(m.h));
	assert_memory_equal(r.raw, m.raw, 72);
	assert_int_equal(r.nfds, 2);
	assert_int_equal(fstat(r.fds[0], &got), 0);
	assert_true(sent.st_ino == got.st_ino && sent.st_dev == got.st_dev);
	assert_true(fcntl(r.fds[0], F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(r.fds[1], F_GETFD) & FD_CLOEXEC);
	/* nothing of an earlier message is left behind the payload */
	for (size_t i = 72; i < sizeof(r.raw); i++)
		assert_int_equal(r.raw[i], 0);
	vhost_msg_drop(&r);
	vhost_msg_drop(&r); /* twice is once */
	assert_int_equal(r.nfds, 0);
	close(m.fds[0]);
	close(m.fds[1]);
}

static void test_pieces(void **state)
{
	struct pair *p = *state;
	const uint32_t whole[] = {2, 1, 8, 0x11111111, 0x22222222, 1, 1, 0};
	struct vhost_msg r;

	for (size_t i = 0; i < sizeof(whole); i++)
		raw_send(p->a, (const char *)whole + i, 1, -1, 0);
	assert_int_equal(vhost_recv(p->b, &r, LONG_MS, NULL), 0);
	assert_int_equal(r.h.request, VHOST_SET_FEATURES);
	assert_true(r.u64 == UINT64_C(0x2222222211111111) || r.u64 == UINT64_C(0x1111111122222222));
	/* the next one begins where it ended */
	assert_int_equal(vhost_recv(p->b, &r, LONG_MS, NULL), 0);
	assert_int_equal(r.h.request, VHOST_GET_FEATURES);
	assert_int_equal(r.h.size, 0);
}

static void test_refused(void **state)
{
	struct pair *p = *state;
	static const struct {
		uint32_t h[3];
		const char *word;
	} bad[] = {
		{{1, 0, 0}, "version 0"},	    {{1, 2, 0}, "version 2"},
		{{1, 3, 0}, "version 3"},	    {{5, 1, 513}, "513 bytes"},
		{{5, 1, 0xffffffff}, "4294967295"}, {{5, 1, 0x80000000}, "2147483648"},
	};
	struct err e;
	struct vhost_msg r;
	int fd = eventfd(0, EFD_CLOEXEC);

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		memset(&e, 0, sizeof(e));
		raw_send(p->a, bad[i].h, 12, fd, 2);
		assert_int_equal(vhost_recv(p->b, &r, LONG_MS, &e), -EPROTO);
		assert_non_null(strstr(e.text, bad[i].word));
		assert_int_equal(r.nfds, 0);
	}
	close(fd);
}

static void test_largest(void **state)
{
	struct pair *p = *state;
	struct vhost_msg m = {.h = {.request = VHOST_SET_CONFIG, .flags = 1, .size = 512}}, r;

	memset(m.raw, 0xa5, sizeof(m.raw));
	assert_int_equal(vhost_send(p->a, &m, LONG_MS, NULL), 0);
	assert_int_equal(vhost_recv(p->b, &r, LONG_MS, NULL), 0);
	assert_memory_equal(r.raw, m.raw, 512);
	m.h.size = 513;
	assert_int_equal(vhost_send(p->a, &m, LONG_MS, NULL), -EINVAL);
	m.h.size = 0;
	m.nfds = VHOST_MAX_FDS + 1;
	assert_int_equal(vhost_send(p->a, &m, LONG_MS, NULL), -EINVAL);
}

static void test_descriptors_too_many(void **state)
{
	struct pair *p = *state;
	const uint32_t h[] = {5, 1, 0};
	struct err e = {0};
	struct vhost_msg r;
	int fd = eventfd(0, EFD_CLOEXEC);

	raw_send(p->a, h, sizeof(h), fd, VHOST_MAX_FDS);
	assert_int_equal(vhost_recv(p->b, &r, LONG_MS, &e), 0);
	assert_int_equal(r.nfds, VHOST_MAX_FDS);
	vhost_msg_drop(&r);
	raw_send(p->a, h, sizeof(h), fd, VHOST_MAX_FDS + 1);
	assert_int_equal(vhost_recv(p->b, &r, LONG_MS, &e), -EPROTO);
	assert_non_null(strstr(e.text, "descriptors"));
	close(fd);
}

/* Descriptors belong to a message's first byte; elsewhere nobody would know whose they are. */
static void test_descriptors_late(void **state)
{
	struct pair *p = *state;
	const uint32_t h[] = {5, 1, 8, 0, 0};
	struct vhost_msg r;
	int fd = eventfd(0, EFD_CLOEXEC);

	raw_send(p->a, h, 12, fd, 1);
	raw_send(p->a, h + 3, 8, fd, 1);
	assert_int_equal(vhost_recv(p->b, &r, LONG_MS, NULL), -EPROTO);
	assert_int_equal(r.nfds, 0);
	close(fd);
}

static void test_end_of_the_stream(void **state)
{
	struct pair *p = *state;
	const uint32_t h[] = {2, 1, 8, 0};
	struct err e = {0};
	struct vhost_msg r;
	int fd = eventfd(0, EFD_CLOEXEC);

	raw_send(p->a, h, sizeof(h), fd, 1);
	close(fd);
	close(p->a);
	p->a = -1;
	assert_int_equal(vhost_recv(p->b, &r, LONG_MS, &e), -ECONNRESET);
	assert_non_null(strstr(e.text, "inside a message (SET_FEATURES)"));
	assert_int_equal(vhost_recv(p->b, &r, LONG_MS, &e), -ECONNRESET);
	assert_null(strstr(e.text, "inside"));
	/* and no SIGPIPE, which would end this program */
	r.h.size = 0;
	assert_int_equal(vhost_send(p->b, &r, LONG_MS, &e), -EPIPE);
}

static void test_times(void **state)
{
	struct pair *p = *state;
	const uint32_t h[] = {2, 1, 8, 0};
	struct vhost_msg m = {.h = {.request = VHOST_SET_CONFIG, .flags = 1, .size = 512}}, r;
	int rc, n = 0;

	assert_int_equal(vhost_recv(p->b, &r, SHORT_MS, NULL), -ETIMEDOUT);
	assert_int_equal(vhost_recv(p->b, &r, 0, NULL), -ETIMEDOUT);
	raw_send(p->a, h, sizeof(h), -1, 0);
	assert_int_equal(vhost_recv(p->b, &r, SHORT_MS, NULL), -ETIMEDOUT);
	/* nobody reads: the socket's buffer is full some day */
	do
		rc = vhost_send(p->a, &m, SHORT_MS, NULL);
	while (!rc && ++n < 100000);
	assert_int_equal(rc, -ETIMEDOUT);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(vhost_request_name(1), "GET_FEATURES");
	assert_string_equal(vhost_request_name(18), "SET_VRING_ENABLE");
	assert_string_equal(vhost_request_name(24), "GET_CONFIG");
	assert_string_equal(vhost_request_name(0), "unknown request");
	assert_string_equal(vhost_request_name(19), "unknown request");
	assert_string_equal(vhost_request_name(41), "unknown request");
	assert_string_equal(vhost_request_name(0xffffffff), "unknown request");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_bytes_of_a_message),
		T(test_layouts),
		T(test_there_and_back),
		T(test_pieces),
		T(test_refused),
		T(test_largest),
		T(test_descriptors_too_many),
		T(test_descriptors_late),
		T(test_end_of_the_stream),
		T(test_times),
		T(test_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
