// SPDX-License-Identifier: GPL-2.0-or-later
/* QMP client: newline-free JSON stream both ways, replies matched by id (QEMU
 * docs/interop/qmp-spec). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/term.h"
#include "guest/qmp.h"

#define QMP_MAX_MESSAGE (32u << 20)
#define QMP_MAX_EVENTS 256

void qmp_init(struct qmp *q, int fd)
{
	*q = (struct qmp){.fd = fd, .events = json_array()};
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void qmp_free(struct qmp *q)
{
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
	free(q->buf);
	q->buf = NULL;
	q->len = q->cap = 0;
	json_decref(q->events);
	q->events = NULL;
}

/* 1: bytes came, 0: none there, else negative. */
static int qmp_read(struct qmp *q, struct err *e)
{
	ssize_t n;

	if (q->len + 65536 > q->cap) {
		if (q->cap >= QMP_MAX_MESSAGE)
			return err_set(e, -EPROTO, "QEMU sent a QMP message of more than %u MiB",
				       QMP_MAX_MESSAGE >> 20);
		q->cap = q->cap ? q->cap * 2 : 131072;
		q->buf = xrealloc(q->buf, q->cap, 1);
	}
	n = recv(q->fd, q->buf + q->len, q->cap - q->len, MSG_DONTWAIT);
	if (n > 0) {
		q->len += (size_t)n;
		return 1;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return err_set(e, -ECONNRESET, "QEMU closed its control socket");
}

/* Takes one line (QEMU ends every message with CR LF); NULL if none is whole. -EPROTO for garbage.
 */
static int qmp_message(struct qmp *q, json_t **out, struct err *e)
{
	json_error_t je;
	size_t line;
	char *nl;

	*out = NULL;
	nl = q->len ? memchr(q->buf, '\n', q->len) : NULL;
	if (!nl)
		return 0;
	line = (size_t)(nl - q->buf) + 1;
	*out = json_loadb(q->buf, line, JSON_ALLOW_NUL, &je);
	memmove(q->buf, q->buf + line, q->len - line);
	q->len -= line;
	if (!json_is_object(*out)) {
		json_decref(*out);
		*out = NULL;
		return err_set(e, -EPROTO, "QEMU sent something that is not QMP: %s", je.text);
	}
	return 1;
}

static void qmp_keep_event(struct qmp *q, json_t *msg)
{
	if (json_array_size(q->events) >= QMP_MAX_EVENTS)
		json_array_remove(q->events, 0);
	json_array_append(q->events, msg);
}

int qmp_input(struct qmp *q, struct err *e)
{
	json_t *msg;
	int rc, got;

	do {
		rc = qmp_read(q, e);
		while ((got = qmp_message(q, &msg, e)) > 0) {
			if (json_object_get(msg, "event"))
				qmp_keep_event(q, msg);
			json_decref(msg);
		}
		if (got < 0)
			return got;
	} while (rc > 0);
	return rc;
}

/* Waits for the next message that is no event. */
static int qmp_wait(struct qmp *q, uint64_t deadline, json_t **out, struct err *e)
{
	for (;;) {
		struct pollfd pfd = {.fd = q->fd, .events = POLLIN};
		uint64_t now;
		json_t *msg;
		int rc = qmp_message(q, &msg, e);

		if (rc < 0)
			return rc;
		if (rc > 0) {
			if (!json_object_get(msg, "event")) {
				*out = msg;
				return 0;
			}
			qmp_keep_event(q, msg);
			json_decref(msg);
			continue;
		}
		rc = qmp_read(q, e);
		if (rc < 0)
			return rc;
		if (rc > 0)
			continue;
		now = clock_mono_ns();
		if (now >= deadline)
			return err_set(e, -ETIMEDOUT, "QEMU did not answer in time");
		if (poll(&pfd, 1, (int)((deadline - now) / 1000000 + 1)) < 0 && errno != EINTR)
			return err_set(e, -errno, "poll: %s", strerror(errno));
	}
}

static int qmp_send(struct qmp *q, const char *text, size_t len, int pass_fd, uint64_t deadline,
		    struct err *e)
{
	size_t done = 0;

	while (done < len) {
		union {
			char buf[CMSG_SPACE(sizeof(int))];
			struct cmsghdr align;
		} u;
		struct iovec iov = {(char *)text + done, len - done};
		struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
		struct pollfd pfd = {.fd = q->fd, .events = POLLOUT};
		ssize_t n;

		if (pass_fd >= 0 && !done) {
			struct cmsghdr *c;

			memset(&u, 0, sizeof(u));
			mh.msg_control = u.buf;
			mh.msg_controllen = sizeof(u.buf);
			c = CMSG_FIRSTHDR(&mh);
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(c), &pass_fd, sizeof(int));
		}
		n = sendmsg(q->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			done += (size_t)n;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_set(e, -ECONNRESET, "QEMU closed its control socket");
		if (clock_mono_ns() >= deadline)
			return err_set(e, -ETIMEDOUT, "QEMU does not read its control socket");
		poll(&pfd, 1, 50);
	}
	return 0;
}

int qmp_greet(struct qmp *q, uint64_t deadline, struct err *e)
{
	json_t *msg;
	int rc = qmp_wait(q, deadline, &msg, e);

	if (rc)
		return rc;
	if (!json_object_get(msg, "QMP"))
		rc = err_set(e, -EPROTO, "QEMU's greeting is not QMP");
	json_decref(msg);
	return rc ? rc : qmp_call(q, "qmp_capabilities", NULL, -1, deadline, NULL, e);
}

int qmp_call(struct qmp *q, const char *cmd, json_t *args, int pass_fd, uint64_t deadline,
	     json_t **ret, struct err *e)
{
	json_t *req = json_pack("{s:s, s:I}", "execute", cmd, "id", (json_int_t)++q->next_id);
	json_t *msg = NULL;
	char *text;
	int rc;

	if (ret)
		*ret = NULL;
	if (args)
		json_object_set_new(req, "arguments", args);
	text = json_dumps(req, JSON_COMPACT);
	json_decref(req);
	rc = qmp_send(q, text, strlen(text), pass_fd, deadline, e);
	free(text);
	if (rc)
		return err_prefix(e, "%s", cmd);
	for (;;) {
		rc = qmp_wait(q, deadline, &msg, e);
		if (rc)
			return err_prefix(e, "%s", cmd);
		/* a reply to an earlier call that ran into its deadline */
		if (json_integer_value(json_object_get(msg, "id")) == (json_int_t)q->next_id)
			break;
		json_decref(msg);
	}
	if (json_object_get(msg, "error")) {
		const char *desc =
			json_string_value(json_object_get(json_object_get(msg, "error"), "desc"));

		rc = err_set(e, -EREMOTEIO, "%s: QEMU says: %s", cmd, desc ? desc : "(no reason)");
	} else if (ret) {
		*ret = json_incref(json_object_get(msg, "return"));
	}
	json_decref(msg);
	return rc;
}

json_t *qmp_event(struct qmp *q, const char *name)
{
	size_t i;
	json_t *ev;

	json_array_foreach(q->events, i, ev)
	{
		const char *n = json_string_value(json_object_get(ev, "event"));

		if (n && (!name || !strcmp(n, name))) {
			json_incref(ev);
			json_array_remove(q->events, i);
			return ev;
		}
	}
	return NULL;
}
