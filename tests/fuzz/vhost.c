// SPDX-License-Identifier: GPL-2.0-or-later
// Fuzzer of what a hostile vhost-user front end can send: bytes on a socket, messages with any
// descriptors, and the rings and memory behind them.

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engines/vhost_back.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define QUEUES 3
#define SIZE 0x8000u
#define USER UINT64_C(0x100000)
#define GUEST UINT64_C(0x10000)
#define OFFERED (UINT64_C(1) << 28 | UINT64_C(1) << 29 | UINT64_C(1) << 32 | UINT64_C(1) << 34)
#define MESSAGES 64

#define ENSURE(what)             \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

/* --- the input, which reads as zeroes behind its end --------------------------------------- */

struct input {
	const uint8_t *p;
	size_t left;
};

static void take(struct input *in, void *out, size_t n)
{
	size_t have = n < in->left ? n : in->left;

	memset(out, 0, n);
	memcpy(out, in->p, have);
	in->p += have;
	in->left -= have;
}

static uint8_t take8(struct input *in)
{
	uint8_t v;

	take(in, &v, sizeof(v));
	return v;
}

static uint16_t take16(struct input *in)
{
	uint16_t v;

	take(in, &v, sizeof(v));
	return v;
}

/* --- what is served: chains are popped between messages, by this thread
 * --------------------------- */

struct served {
	struct dev_vq *vq[QUEUES];
	unsigned starts, stops;
	uint64_t sum; /* of what chains let us read, so that it is read */
};

static uint64_t served_features(void *arg)
{
	(void)arg;
	return OFFERED;
}

static void served_negotiated(void *arg, uint64_t features)
{
	struct served *s = arg;

	ENSURE(!(features & ~OFFERED));
	for (unsigned i = 0; i < QUEUES; i++)
		ENSURE(!s->vq[i]);
}

static size_t served_config(void *arg, uint8_t data[VHOST_CONFIG_MAX])
{
	(void)arg;
	memset(data, 1, 60);
	return 60;
}

static int served_start(void *arg, unsigned index, struct dev_vq *vq, int kick, int call,
			void **worker, struct err *e)
{
	struct served *s = arg;

	(void)e;
	ENSURE(index < QUEUES && !s->vq[index]);
	ENSURE(kick < 0 || fcntl(kick, F_GETFL) & O_NONBLOCK);
	ENSURE(call < 0 || fcntl(call, F_GETFL) & O_NONBLOCK);
	s->vq[index] = vq;
	s->starts++;
	*worker = &s->vq[index];
	return 0;
}

static void served_stop(void *arg, void *worker)
{
	*(struct dev_vq **)worker = NULL;
	((struct served *)arg)->stops++;
}

static const char *served_broken(void *arg, void *worker)
{
	(void)arg;
	return dev_why(*(struct dev_vq **)worker);
}

static const struct back_ops ops = {
	.features = served_features,
	.negotiated = served_negotiated,
	.config = served_config,
	.start = served_start,
	.stop = served_stop,
	.broken = served_broken,
};

static void chain_touch(struct served *s, const struct dev_chain *c)
{
	uint64_t lengths[2] = {0, 0};

	for (unsigned i = 0; i < (unsigned)c->out + c->in; i++) {
		volatile char *at = c->iov[i].iov_base;
		size_t len = c->iov[i].iov_len;

		lengths[i >= c->out] += len;
		if (!len)
			continue;
		s->sum += (unsigned char)at[0] + (unsigned char)at[len - 1];
		if (i >= c->out)
			at[0] = at[len - 1] = 0x55;
	}
	ENSURE(lengths[0] == c->out_len && lengths[1] == c->in_len);
}

static void queues_turn(struct served *s)
{
	for (unsigned i = 0; i < QUEUES; i++) {
		struct dev_chain c;

		for (unsigned n = 0; s->vq[i] && n < 64; n++) {
			int rc = dev_pop(s->vq[i], &c);

			ENSURE(rc == 0 || rc == 1 || (rc == -EPROTO && dev_why(s->vq[i])));
			if (rc <= 0)
				break;
			chain_touch(s, &c);
			dev_push(s->vq[i], c.id, c.ndescs, (uint32_t)c.in_len);
			if (n & 1)
				dev_flush(s->vq[i]);
		}
		if (!s->vq[i])
			continue;
		dev_flush(s->vq[i]);
		if (dev_arm(s->vq[i]))
			dev_suppress(s->vq[i]);
	}
}

/* --- descriptors
 * ---------------------------------------------------------------------------------- */

static int fd_of_kind(unsigned kind, int memfd)
{
	int p[2], fd = -1;

	switch (kind % 8) {
	case 0:
	case 1:
	case 2:
		return fcntl(memfd, F_DUPFD_CLOEXEC, 0);
	case 3:
	case 4:
		return eventfd(0, EFD_CLOEXEC);
	case 5:
		fd = memfd_create("small", MFD_CLOEXEC);
		ENSURE(!ftruncate(fd, 100));
		return fd;
	case 6:
		ENSURE(!pipe2(p, O_CLOEXEC));
		close(p[0]);
		return p[1];
	default:
		return open("/", O_PATH | O_CLOEXEC);
	}
}

/* --- messages that are nearly right
 * --------------------------------------------------------------- */

static uint64_t take_address(struct input *in, uint64_t base)
{
	uint64_t raw;
	uint8_t how = take8(in);

	if (how < 250)
		return base + how * 0x80u;
	take(in, &raw, sizeof(raw));
	return raw;
}

static void take_region(struct input *in, struct vhost_region *r)
{
	r->guest = take_address(in, GUEST);
	r->user = take_address(in, USER);
	r->size = take_address(in, 0x80);
	r->offset = take_address(in, 0);
}

static uint32_t take_index(struct input *in)
{
	uint8_t v = take8(in);

	return v < 250 ? v % QUEUES : v * 0x01010101u;
}

/* Fills the payload as its request has it; what is left of the input decides on the rest. */
static void take_payload(struct input *in, struct vhost_msg *m)
{
	switch (m->h.request) {
	case VHOST_SET_FEATURES:
		m->u64 = (uint64_t)take8(in) << 28; /* 28 .. 35 */
		m->h.size = 8;
		break;
	case VHOST_SET_PROTOCOL_FEATURES:
		m->u64 = take16(in);
		m->h.size = 8;
		break;
	case VHOST_SET_MEM_TABLE:
		m->memory.n = take8(in) % 10;
		for (unsigned i = 0; i < m->memory.n && i < VHOST_MAX_REGIONS; i++) {
			struct vhost_region r;

			take_region(in, &r);
			m->memory.region[i] = r;
		}
		m->h.size = 8 + 32 * m->memory.n;
		break;
	case VHOST_ADD_MEM_REG:
	case VHOST_REM_MEM_REG: {
		struct vhost_region r;

		take_region(in, &r);
		m->slot.region = r;
		m->h.size = 40;
		break;
	}
	case VHOST_SET_VRING_ADDR:
		m->addr.index = take_index(in);
		m->addr.desc = take_address(in, USER);
		m->addr.avail = take_address(in, USER);
		m->addr.used = take_address(in, USER);
		m->h.size = 40;
		break;
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
		m->u64 = take_index(in) | (m->nfds ? 0 : VHOST_NOFD);
		m->h.size = 8;
		break;
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_ENABLE:
		m->state.index = take_index(in);
		m->state.num = take8(in);
		m->h.size = 8;
		break;
	case VHOST_SET_VRING_BASE:
	case VHOST_GET_VRING_BASE:
		m->state.index = take_index(in);
		m->state.num = take16(in) | (uint32_t)take16(in) << 16;
		m->h.size = 8;
		break;
	case VHOST_GET_CONFIG:
		m->config.offset = take16(in);
		m->config.size = take16(in);
		m->h.size = 12 + m->config.size;
		break;
	default:
		m->h.size = take8(in) & 0xf0 ? 0 : 8;
	}
}

static void take_message(struct input *in, int memfd, struct vhost_msg *m)
{
	uint8_t how = take8(in), fds = take8(in);

	memset(m, 0, sizeof(*m));
	m->h.request = take8(in) % 44;
	m->h.flags = VHOST_VERSION | (how & 0x80 ? VHOST_FLAG_NEED_REPLY : 0) |
		     (how == 0x7f ? VHOST_FLAG_REPLY : 0);
	for (unsigned i = 0; i < VHOST_MAX_FDS; i++)
		m->fds[i] = -1;
	m->nfds = fds & 15;
	m->nfds = m->nfds < 4 ? m->nfds : m->nfds == 15 ? VHOST_MAX_FDS : 1;
	for (unsigned i = 0; i < m->nfds; i++)
		m->fds[i] = fd_of_kind(fds >> 4 & 7, memfd);
	take_payload(in, m);
	if ((how & 0x70) == 0x70) {
		/* or anything at all, in any size that vhost_recv lets pass */
		m->h.size = take16(in) % (sizeof(m->raw) + 1);
		take(in, m->raw, take8(in));
	}
	m->h.size = m->h.size <= sizeof(m->raw) ? m->h.size : sizeof(m->raw);
}

static void memory_change(struct input *in, int memfd)
{
	uint8_t bytes[255];
	off_t at = take16(in) % SIZE;
	uint8_t n = take8(in);

	take(in, bytes, n);
	/* a peer may also cut its memory short */
	if (n == 255)
		ENSURE(!ftruncate(memfd, at));
	else
		ENSURE(pwrite(memfd, bytes, n, at) == n);
}

static bool handle(struct back *b, struct vhost_msg *m, struct vhost_msg *reply, bool *has_reply)
{
	struct err e = {0};
	int rc = back_handle(b, m, reply, has_reply, &e);

	ENSURE(!m->nfds);
	ENSURE(rc <= 0 && (!rc || *e.text));
	ENSURE(!*has_reply || (reply->h.size <= sizeof(reply->raw) && !reply->nfds &&
			       reply->h.flags == (VHOST_VERSION | VHOST_FLAG_REPLY)));
	return !rc;
}

static void feed_messages(struct input *in, struct back *b, struct served *s, int memfd)
{
	struct vhost_msg m, reply;
	bool has_reply;

	for (unsigned n = 0; in->left && n < MESSAGES; n++) {
		if (take8(in) & 1)
			memory_change(in, memfd);
		take_message(in, memfd, &m);
		if (!handle(b, &m, &reply, &has_reply))
			break;
		queues_turn(s);
	}
}

/* --- bytes on a socket
 * ----------------------------------------------------------------------------- */

static void send_piece(int sock, const void *data, size_t len, int fd, unsigned nfds)
{
	char control[CMSG_SPACE(16 * sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	if (nfds) {
		struct cmsghdr *c;

		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		for (unsigned i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(fd));
	}
	sendmsg(sock, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Pieces of the input, each with some descriptors; the other end answers as the device does. */
static void feed_bytes(struct input *in, struct back *b, struct served *s, int memfd)
{
	struct vhost_msg m, reply;
	bool has_reply;
	int sv[2];

	ENSURE(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv));
	for (unsigned n = 0; in->left && n < MESSAGES; n++) {
		uint8_t how = take8(in), len = take8(in), bytes[255];
		int fd = fd_of_kind(how >> 4, memfd);

		take(in, bytes, len);
		send_piece(sv[1], bytes, len, fd, how & 15);
		close(fd);
	}
	shutdown(sv[1], SHUT_WR);
	for (;;) {
		struct err e = {0};
		int rc = vhost_recv(sv[0], &m, 0, &e);

		ENSURE(rc <= 0 && (!rc || *e.text));
		if (rc)
			break;
		ENSURE(m.h.size <= sizeof(m.raw) && m.nfds <= VHOST_MAX_FDS);
		if (!handle(b, &m, &reply, &has_reply))
			break;
		if (has_reply)
			ENSURE(!vhost_send(sv[0], &reply, 0, &e));
		queues_turn(s);
	}
	close(sv[0]);
	close(sv[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct served s = {.sum = 0};
	struct back *b;
	int first, memfd, again;
	uint8_t how;

	mem_guard();
	/* The lowest free number, again at the end: then none was lost. */
	first = eventfd(0, EFD_CLOEXEC);
	ENSURE(first >= 0 && !close(first));
	memfd = memfd_create("guest", MFD_CLOEXEC);
	ENSURE(memfd >= 0 && !ftruncate(memfd, SIZE));
	b = back_make(&ops, &s, QUEUES, 1024);
	how = take8(&in);
	if (how & 1)
		feed_bytes(&in, b, &s, memfd);
	else
		feed_messages(&in, b, &s, memfd);
	if (how & 2)
		back_stop(b);
	back_free(b);
	ENSURE(s.starts == s.stops);
	close(memfd);
	again = eventfd(0, EFD_CLOEXEC);
	ENSURE(again == first);
	close(again);
	return 0;
}
