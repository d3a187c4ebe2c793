// SPDX-License-Identifier: GPL-2.0-or-later
// vhost-user messages across a socket: whole or not at all, within a time, and no descriptor lost.

#include "engines/vhost.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct vhost_header) == 12, "vhost-user: header");
_Static_assert(sizeof(struct vhost_vring_address) == 40, "vhost-user: vring address description");
_Static_assert(sizeof(struct vhost_memory) == 264, "vhost-user: multiple memory regions");
_Static_assert(sizeof(struct vhost_mem_slot) == 40, "vhost-user: single memory region");
_Static_assert(offsetof(struct vhost_config, data) == 12, "vhost-user: virtio device config space");

#define PAYLOAD_MAX sizeof(((struct vhost_msg *)0)->raw)

union fd_control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(VHOST_MAX_FDS * sizeof(int))];
};

static const char *const request_names[] = {
	[VHOST_GET_FEATURES] = "GET_FEATURES",
	[VHOST_SET_FEATURES] = "SET_FEATURES",
	[VHOST_SET_OWNER] = "SET_OWNER",
	[VHOST_RESET_OWNER] = "RESET_OWNER",
	[VHOST_SET_MEM_TABLE] = "SET_MEM_TABLE",
	[VHOST_SET_LOG_BASE] = "SET_LOG_BASE",
	[VHOST_SET_LOG_FD] = "SET_LOG_FD",
	[VHOST_SET_VRING_NUM] = "SET_VRING_NUM",
	[VHOST_SET_VRING_ADDR] = "SET_VRING_ADDR",
	[VHOST_SET_VRING_BASE] = "SET_VRING_BASE",
	[VHOST_GET_VRING_BASE] = "GET_VRING_BASE",
	[VHOST_SET_VRING_KICK] = "SET_VRING_KICK",
	[VHOST_SET_VRING_CALL] = "SET_VRING_CALL",
	[VHOST_SET_VRING_ERR] = "SET_VRING_ERR",
	[VHOST_GET_PROTOCOL_FEATURES] = "GET_PROTOCOL_FEATURES",
	[VHOST_SET_PROTOCOL_FEATURES] = "SET_PROTOCOL_FEATURES",
	[VHOST_GET_QUEUE_NUM] = "GET_QUEUE_NUM",
	[VHOST_SET_VRING_ENABLE] = "SET_VRING_ENABLE",
	[VHOST_SET_BACKEND_REQ_FD] = "SET_BACKEND_REQ_FD",
	[VHOST_GET_CONFIG] = "GET_CONFIG",
	[VHOST_SET_CONFIG] = "SET_CONFIG",
	[VHOST_GET_MAX_MEM_SLOTS] = "GET_MAX_MEM_SLOTS",
	[VHOST_ADD_MEM_REG] = "ADD_MEM_REG",
	[VHOST_REM_MEM_REG] = "REM_MEM_REG",
	[VHOST_SET_STATUS] = "SET_STATUS",
	[VHOST_GET_STATUS] = "GET_STATUS",
};

const char *vhost_request_name(uint32_t request)
{
	const char *name = NULL;

	if (request < sizeof(request_names) / sizeof(*request_names))
		name = request_names[request];
	return name ? name : "unknown request";
}

/* CLOCK_MONOTONIC in ms; base/term.h's clock is not linked into the fio engine. */
static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits for the socket until deadline (ms; -1: for ever). 0, -ETIMEDOUT or -errno. An error or end
 * of the socket is left for the next call on it to tell. */
static int sock_wait(int sock, short events, int64_t deadline)
{
	struct pollfd p = {.fd = sock, .events = events};

	for (;;) {
		int64_t left = deadline < 0 ? -1 : deadline - now_ms();
		int n = poll(&p, 1, deadline >= 0 && left < 0 ? 0 : (int)left);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (deadline >= 0 && now_ms() >= deadline)
			return -ETIMEDOUT;
	}
}

static int64_t deadline_ms(int timeout_ms)
{
	return timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
}

static int send_failed(const struct vhost_msg *m, int rc, struct err *e)
{
	const char *name = vhost_request_name(m->h.request);

	if (rc == -EPIPE || rc == -ECONNRESET)
		return err_set(e, -EPIPE, "%s: the vhost-user peer has closed the connection",
			       name);
	if (rc == -ETIMEDOUT)
		return err_set(e, rc, "%s: the vhost-user peer takes no messages", name);
	return err_set(e, rc, "%s: sending failed: %s", name, strerror(-rc));
}

int vhost_send(int sock, const struct vhost_msg *m, int timeout_ms, struct err *e)
{
	struct vhost_header h = m->h;
	struct iovec iov[2] = {
		{.iov_base = &h, .iov_len = sizeof(h)},
		{.iov_base = (void *)(uintptr_t)m->raw, .iov_len = h.size},
	};
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};
	union fd_control control;
	int64_t deadline = deadline_ms(timeout_ms);

	if (h.size > PAYLOAD_MAX || m->nfds > VHOST_MAX_FDS)
		return err_set(e, -EINVAL, "%s: %u bytes and %u descriptors are no message",
			       vhost_request_name(h.request), h.size, m->nfds);
	h.flags = (h.flags & ~VHOST_FLAG_VERSION) | VHOST_VERSION;
	if (m->nfds) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		mh.msg_control = control.buf;
		mh.msg_controllen = CMSG_SPACE(m->nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(m->nfds * sizeof(int));
		memcpy(CMSG_DATA(c), m->fds, m->nfds * sizeof(int));
	}
	while (iov[0].iov_len || iov[1].iov_len) {
		ssize_t n = sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
		int rc = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = errno == EAGAIN ? sock_wait(sock, POLLOUT, deadline) : -errno;
		if (rc)
			return send_failed(m, rc, e);
		if (n <= 0)
			continue;
		/* Descriptors travel with the first byte, once. */
		mh.msg_control = NULL;
		mh.msg_controllen = 0;
		for (unsigned i = 0; i < 2; i++) {
			size_t part = (size_t)n < iov[i].iov_len ? (size_t)n : iov[i].iov_len;

			iov[i].iov_base = (char *)iov[i].iov_base + part;
			iov[i].iov_len -= part;
			n -= (ssize_t)part;
		}
	}
	return 0;
}

/* Takes every descriptor out of the control data, whatever else is wrong, so that none leaks. The
 * buffer has room for VHOST_MAX_FDS. */
static void take_fds(struct msghdr *mh, struct vhost_msg *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (m->nfds < VHOST_MAX_FDS)
				m->fds[m->nfds++] = fd;
			else
				close(fd);
		}
	}
}

/*
 * Reads exactly len bytes. Descriptors are taken while `first`: they come with a message's first
 * byte (a receive on a stream socket never runs past data that carries descriptors). Any others are
 * dropped by the kernel, which says so. *got: bytes that came, for the sentence.
 */
static int recv_exactly(int sock, void *buf, size_t len, struct vhost_msg *m, bool first,
			int64_t deadline, size_t *got)
{
	union fd_control control;

	*got = 0;
	while (*got < len) {
		struct iovec iov = {.iov_base = (char *)buf + *got, .iov_len = len - *got};
		struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n;
		int rc;

		if (first && !*got) {
			mh.msg_control = control.buf;
			mh.msg_controllen = sizeof(control.buf);
		}
		n = recvmsg(sock, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = errno == EAGAIN ? sock_wait(sock, POLLIN, deadline) : -errno;
			if (rc)
				return rc;
			continue;
		}
		if (mh.msg_controllen && mh.msg_control)
			take_fds(&mh, m);
		if (mh.msg_flags & MSG_CTRUNC)
			return -EBADF;
		if (n == 0)
			return -ECONNRESET;
		*got += (size_t)n;
	}
	return 0;
}

/* The sentence for what recv_exactly returned, and the code that vhost_recv promises. */
static int recv_failed(const struct vhost_msg *m, int rc, bool begun, struct err *e)
{
	const char *name = vhost_request_name(m->h.request);

	switch (rc) {
	case -EBADF:
		return err_set(e, -EPROTO,
			       "a message came with more than %d descriptors, or with some that "
			       "cannot be had (raise the limit of open files: ulimit -n)",
			       VHOST_MAX_FDS);
	case -ECONNRESET:
		if (begun)
			return err_set(e, rc,
				       "the vhost-user peer closed the connection inside a message "
				       "(%s)",
				       name);
		return err_set(e, rc, "the vhost-user peer closed the connection");
	case -ETIMEDOUT:
		if (begun)
			return err_set(e, rc, "the rest of a message (%s) did not come in time",
				       name);
		return err_set(e, rc, "no message came in time");
	default:
		return err_set(e, rc, "receiving failed: %s", strerror(-rc));
	}
}

int vhost_recv(int sock, struct vhost_msg *m, int timeout_ms, struct err *e)
{
	int64_t deadline = deadline_ms(timeout_ms);
	size_t got;
	int rc;

	memset(m, 0, sizeof(*m));
	for (unsigned i = 0; i < VHOST_MAX_FDS; i++)
		m->fds[i] = -1;
	rc = recv_exactly(sock, &m->h, sizeof(m->h), m, true, deadline, &got);
	if (rc) {
		rc = recv_failed(m, rc, got > 0, e);
	} else if ((m->h.flags & VHOST_FLAG_VERSION) != VHOST_VERSION) {
		rc = err_set(e, -EPROTO, "%s: vhost-user version %u; only version %u is known",
			     vhost_request_name(m->h.request), m->h.flags & VHOST_FLAG_VERSION,
			     VHOST_VERSION);
	} else if (m->h.size > PAYLOAD_MAX) {
		rc = err_set(e, -EPROTO, "%s: a payload of %u bytes; at most %zu are taken",
			     vhost_request_name(m->h.request), m->h.size, PAYLOAD_MAX);
	} else if (m->h.size) {
		rc = recv_exactly(sock, m->raw, m->h.size, m, false, deadline, &got);
		if (rc)
			rc = recv_failed(m, rc, true, e);
	}
	if (rc)
		vhost_msg_drop(m);
	return rc;
}

void vhost_msg_drop(struct vhost_msg *m)
{
	for (unsigned i = 0; i < m->nfds; i++) {
		if (m->fds[i] >= 0)
			close(m->fds[i]);
		m->fds[i] = -1;
	}
	m->nfds = 0;
}
