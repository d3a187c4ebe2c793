/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host side of the agent channel: a socket, a parser, a bounded queue. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/term.h"
#include "guest/agent.h"

#define QUEUE_MAX 64
#define QUEUE_BYTES_MAX (8u << 20) /* of payload: what it becomes in memory is a multiple */
#define SMALL_MAX (256u << 10)	   /* of any message but RESULT */
#define READ_CHUNK 65536
#define INPUT_CHUNKS 128 /* a call of agent_input ends although a guest goes on sending */
#define SEND_TIMEOUT_NS 5000000000ull

struct queued {
	struct agent_msg msg;
	size_t bytes;
};

struct agent {
	int fd;
	uint16_t seq;
	struct wire_parser parser;
	struct queued queue[QUEUE_MAX];
	size_t n, bytes;
	struct err broken; /* rc not 0: how the channel ended */
};

struct agent *agent_new(int fd)
{
	struct agent *a = xcalloc(1, sizeof(*a));

	a->fd = fd;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return a;
}

void agent_free(struct agent *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++)
		json_decref(a->queue[i].msg.body);
	wire_free(&a->parser);
	close(a->fd);
	free(a);
}

int agent_fd(const struct agent *a)
{
	return a->fd;
}

/* The channel is of no more use; the first reason stays. */
static int agent_break(struct agent *a, int rc, const char *why, struct err *e)
{
	if (!a->broken.rc)
		err_set(&a->broken, rc, "agent channel: %s", why);
	return err_set(e, a->broken.rc, "%s", a->broken.text);
}

/* Writes all of it, waiting for a slow reader until the deadline. */
static int send_all(struct agent *a, const char *data, size_t len, uint64_t deadline, struct err *e)
{
	while (len) {
		struct pollfd pfd = {.fd = a->fd, .events = POLLOUT};
		ssize_t n = send(a->fd, data, len, MSG_NOSIGNAL);

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			if (clock_mono_ns() >= deadline)
				return agent_break(a, -ETIMEDOUT,
						   "the guest does not read what is sent", e);
			poll(&pfd, 1, 20);
		} else if (errno != EINTR) {
			return agent_break(a, -ECONNRESET, strerror(errno), e);
		}
	}
	return 0;
}

int agent_send(struct agent *a, enum wire_type type, json_t *payload, uint16_t *seq, struct err *e)
{
	char *text = payload ? json_dumps(payload, JSON_COMPACT) : xstrdup("{}"), *frame;
	size_t len = text ? strlen(text) : 0;
	int rc;

	json_decref(payload);
	if (!text || len > WIRE_MAX_PAYLOAD) {
		free(text);
		return err_set(e, -EMSGSIZE, "agent channel: a request too long to be sent");
	}
	if (a->broken.rc) {
		free(text);
		return err_set(e, a->broken.rc, "%s", a->broken.text);
	}
	if (!++a->seq)
		a->seq = 1; /* 0 is what belongs to no request */
	frame = xcalloc(1, WIRE_HEADER + len);
	wire_header((uint8_t *)frame, (uint8_t)type, a->seq, (uint32_t)len);
	memcpy(frame + WIRE_HEADER, text, len);
	rc = send_all(a, frame, WIRE_HEADER + len, clock_mono_ns() + SEND_TIMEOUT_NS, e);
	free(frame);
	free(text);
	if (!rc && seq)
		*seq = a->seq;
	return rc;
}

static void queue_remove(struct agent *a, size_t i)
{
	a->bytes -= a->queue[i].bytes;
	a->n--;
	memmove(&a->queue[i], &a->queue[i + 1], (a->n - i) * sizeof(a->queue[0]));
}

/* Room for a message that matters may be had from progress that nobody took. */
static bool queue_make_room(struct agent *a, size_t bytes)
{
	for (size_t i = 0; i < a->n && (a->n == QUEUE_MAX || a->bytes + bytes > QUEUE_BYTES_MAX);) {
		if (a->queue[i].msg.type != WIRE_PROGRESS) {
			i++;
			continue;
		}
		json_decref(a->queue[i].msg.body);
		queue_remove(a, i);
	}
	return a->n < QUEUE_MAX && a->bytes + bytes <= QUEUE_BYTES_MAX;
}

/* Judges a frame and queues what it says. NULL or a sentence. */
static const char *frame_accept(struct agent *a, const struct wire_frame *f)
{
	json_error_t je;
	json_t *body;

	if (f->type < WIRE_READY || f->type > WIRE_LAST)
		return "the guest sent a message of an unknown type";
	if (f->type != WIRE_RESULT && f->len > SMALL_MAX)
		return "the guest sent a message far too long for its type";
	if (f->type == WIRE_PROGRESS && a->n == QUEUE_MAX)
		return NULL;
	if (!queue_make_room(a, f->len))
		return "the guest floods us with messages";
	body = json_loadb(f->payload, f->len, JSON_REJECT_DUPLICATES, &je);
	if (!json_is_object(body)) {
		json_decref(body);
		return "the guest sent a message that is no JSON object";
	}
	a->queue[a->n++] = (struct queued){
		.msg = {.type = f->type, .seq = f->seq, .body = body},
		.bytes = f->len,
	};
	a->bytes += f->len;
	return NULL;
}

static int frames_take(struct agent *a, struct err *e)
{
	const char *why = NULL;
	struct wire_frame f;
	int rc;

	while (!why && (rc = wire_next(&a->parser, &f, &why)) > 0)
		why = frame_accept(a, &f);
	return why ? agent_break(a, -EPROTO, why, e) : 0;
}

int agent_input(struct agent *a, struct err *e)
{
	char buf[READ_CHUNK];
	int rc;

	for (int i = 0; i < INPUT_CHUNKS && !a->broken.rc; i++) {
		ssize_t n = read(a->fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return agent_break(a, -ECONNRESET,
					   n ? strerror(errno) : "closed by QEMU, which has ended",
					   e);
		rc = wire_feed(&a->parser, buf, (size_t)n);
		if (rc)
			return agent_break(a, rc, strerror(-rc), e);
		rc = frames_take(a, e);
		if (rc)
			return rc;
	}
	return a->broken.rc ? agent_break(a, a->broken.rc, "", e) : 0;
}

void agent_msg_free(struct agent_msg *m)
{
	json_decref(m->body);
	m->body = NULL;
}

int agent_take(struct agent *a, struct agent_msg *out)
{
	if (!a->n)
		return 0;
	*out = a->queue[0].msg;
	queue_remove(a, 0);
	return 1;
}
