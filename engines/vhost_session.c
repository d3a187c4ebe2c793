// SPDX-License-Identifier: GPL-2.0-or-later
// A vhost-user back end's session: its queues between stopped and running, its connection, its end.

#include <errno.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engines/event.h"
#include "engines/vhost_back_internal.h"

#define MSG_TIMEOUT_MS 2000 /* for the rest of a message, or for the peer to take ours */
#define LOOK_MS 200	    /* how often running queues are asked whether they broke */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct back *back_make(const struct back_ops *ops, void *arg, unsigned queues, unsigned max_size)
{
	struct back *b = xcalloc(1, sizeof(*b));

	b->ops = ops;
	b->arg = arg;
	b->losses = mem_losses();
	b->looked_ns = now_ns();
	b->dirty = true; /* that it began is news */
	b->nqueues = queues < BACK_QUEUES ? queues : BACK_QUEUES;
	b->max_size = max_size < RING_MAX_SIZE ? max_size : RING_MAX_SIZE;
	for (unsigned i = 0; i < BACK_QUEUES; i++)
		b->queue[i].kick = b->queue[i].call = b->queue[i].err = -1;
	return b;
}

static void counters_add(struct dev_counters *sum, const struct dev_counters *c)
{
	sum->popped += c->popped;
	sum->pushed += c->pushed;
	sum->flushes += c->flushes;
	sum->interrupts += c->interrupts;
	sum->arms += c->arms;
	sum->empty += c->empty;
}

void back_queue_stop(struct back *b, struct back_ring *q)
{
	if (!back_queue_runs(q))
		return;
	b->ops->stop(b->arg, q->worker);
	q->worker = NULL;
	q->base = dev_base(q->vq);
	q->has_base = true;
	counters_add(&q->sum, dev_counters(q->vq));
	dev_free(q->vq);
	q->vq = NULL;
	b->dirty = true;
}

/* Where the areas are here; they must lie in one region each. */
static int queue_areas(const struct back *b, unsigned index, const struct ring_opts *o,
		       struct ring_areas *out, struct err *e)
{
	const struct vhost_vring_address *a = &b->queue[index].addr;
	struct ring_bytes n = ring_bytes(o);
	const struct {
		const char *name;
		uint64_t user;
		size_t bytes;
		void **at;
	} areas[] = {
		{"descriptor", a->desc, n.desc, &out->desc},
		{"driver", a->avail, n.driver, &out->driver},
		{"device", a->used, n.device, &out->device},
	};

	for (unsigned i = 0; i < 3; i++) {
		*areas[i].at = mem_at_user(&b->mem, areas[i].user, areas[i].bytes);
		if (!*areas[i].at)
			return err_set(e, -EPROTO,
				       "queue %u: its %s area (%zu bytes at user address 0x%llx) "
				       "lies outside the memory regions",
				       index, areas[i].name, areas[i].bytes,
				       (unsigned long long)areas[i].user);
	}
	return 0;
}

/* Why a queue that is started and enabled cannot run, or NULL. */
static const char *queue_lacks(const struct back *b, const struct back_ring *q)
{
	if (!b->has_features)
		return "SET_FEATURES";
	if (!q->size)
		return "SET_VRING_NUM";
	if (!q->has_addr)
		return "SET_VRING_ADDR";
	if (!b->mem.n)
		return "SET_MEM_TABLE";
	return NULL;
}

int back_queue_go(struct back *b, unsigned index, struct err *e)
{
	struct back_ring *q = &b->queue[index];
	const char *lacks = queue_lacks(b, q);
	struct ring_areas areas;
	struct ring_opts o;
	const char *why;
	int rc;

	if (back_queue_runs(q) || !q->started || !q->enabled)
		return 0;
	if (lacks)
		return err_set(e, -EPROTO, "queue %u was started without %s before", index, lacks);
	/* Without VERSION_1 (virtio 1.2, 6.1) fields would be in the byte order of the guest. */
	if (!(b->features & BIT(VIRTIO_F_VERSION_1)))
		return err_set(e, -EPROTO,
			       "queue %u was started by a driver that did not accept VERSION_1; "
			       "use a modern one (QEMU: disable-legacy=on)",
			       index);
	o = (struct ring_opts){
		.size = q->size,
		.packed = b->features & BIT(VIRTIO_F_RING_PACKED),
		.event_idx = b->features & BIT(VIRTIO_RING_F_EVENT_IDX),
		.indirect = b->features & BIT(VIRTIO_RING_F_INDIRECT_DESC),
	};
	why = ring_why_not(&o);
	if (why)
		return err_set(e, -EPROTO, "queue %u: %s", index, why);
	rc = queue_areas(b, index, &o, &areas, e);
	if (rc)
		return rc;
	/* Both wrap counters of a packed ring start at 1 (2.8.1). */
	if (!q->has_base)
		q->base = o.packed ? 0x80008000u : 0;
	rc = dev_make(&q->vq, &o, &areas, q->base, &b->mem, e);
	if (rc) {
		q->vq = NULL;
		return err_prefix(e, "queue %u", index);
	}
	rc = b->ops->start(b->arg, index, q->vq, q->kick, q->call, &q->worker, e);
	if (rc) {
		dev_free(q->vq);
		q->vq = NULL;
		return rc;
	}
	q->ran = true;
	q->has_kick = q->kick >= 0;
	q->has_call = q->call >= 0;
	q->opts = o;
	b->dirty = true;
	return 0;
}

void back_pause(struct back *b)
{
	for (unsigned i = 0; b->ops->ask && i < b->nqueues; i++)
		if (back_queue_runs(&b->queue[i]))
			b->ops->ask(b->arg, b->queue[i].worker);
	for (unsigned i = 0; i < b->nqueues; i++)
		back_queue_stop(b, &b->queue[i]);
}

int back_resume(struct back *b, struct err *e)
{
	for (unsigned i = 0; i < b->nqueues; i++) {
		int rc = back_queue_go(b, i, e);

		if (rc)
			return rc;
	}
	return 0;
}

/* --- the connection ------------------------------------------------------------------------ */

int back_memory_check(const struct back *b, struct err *e)
{
	if (mem_losses() == b->losses)
		return 0;
	return err_set(e, -EPROTO, "the peer has cut its memory short while it was in use");
}

/* Whether something broke since: a ring, or the memory that was taken away under it. */
static int session_look(struct back *b, struct err *e)
{
	int rc = back_memory_check(b, e);

	b->looked_ns = now_ns();
	for (unsigned i = 0; !rc && i < b->nqueues; i++) {
		struct back_ring *q = &b->queue[i];
		const char *why;

		if (!back_queue_runs(q))
			continue;
		why = b->ops->broken(b->arg, q->worker);
		if (!why)
			continue;
		if (q->err >= 0)
			event_signal(q->err);
		return err_set(e, -EPROTO, "queue %u: %s", i, why);
	}
	return rc;
}

static bool any_runs(const struct back *b)
{
	for (unsigned i = 0; i < b->nqueues; i++)
		if (back_queue_runs(&b->queue[i]))
			return true;
	return false;
}

/* Waits for a message: 1; 0 when it shall end; negative when something broke. What is new is told
 * once the peer has nothing more to say. */
static int session_wait(struct back *b, int sock, int stop_fd, struct err *e)
{
	struct pollfd p[2] = {
		{.fd = sock, .events = POLLIN},
		{.fd = stop_fd, .events = POLLIN},
	};

	for (;;) {
		/* A peer that always has something to say gets no later look for it. */
		bool due = now_ns() - b->looked_ns >= LOOK_MS * UINT64_C(1000000);
		int rc, n = poll(p, 2, b->dirty ? 0 : any_runs(b) ? LOOK_MS : -1);

		if (n < 0 && errno != EINTR)
			return err_set(e, -errno, "poll: %s", strerror(errno));
		if (n > 0 && p[1].revents)
			return 0;
		if (n > 0 && !due)
			return 1;
		if (b->dirty && b->ops->changed)
			b->ops->changed(b->arg);
		b->dirty = false;
		rc = session_look(b, e);
		if (rc)
			return rc;
		if (n > 0)
			return 1;
	}
}

static int session_turn(struct back *b, int sock, struct err *e)
{
	struct vhost_msg m, reply;
	struct err unsent = {0};
	bool has_reply;
	int rc = vhost_recv(sock, &m, MSG_TIMEOUT_MS, e);

	if (rc)
		return rc;
	rc = back_handle(b, &m, &reply, &has_reply, e);
	if (has_reply && vhost_send(sock, &reply, MSG_TIMEOUT_MS, &unsent) && !rc)
		rc = err_set(e, unsent.rc, "%s", unsent.text);
	return rc;
}

int back_serve(struct back *b, int sock, int stop_fd, struct err *e)
{
	int rc;

	for (;;) {
		rc = session_wait(b, sock, stop_fd, e);
		if (rc <= 0)
			return rc;
		rc = session_turn(b, sock, e);
		/* It has gone, maybe without its answer: that is how connections end. */
		if (rc == -ECONNRESET || rc == -EPIPE)
			return 0;
		if (rc)
			return rc;
	}
}

/* --- its end, and what there is to say of it ----------------------------------------------- */

void back_stop(struct back *b)
{
	back_pause(b);
	b->over = true;
}

void back_free(struct back *b)
{
	if (!b)
		return;
	back_stop(b);
	mem_clear(&b->mem);
	for (unsigned i = 0; i < BACK_QUEUES; i++) {
		const int fds[] = {b->queue[i].kick, b->queue[i].call, b->queue[i].err};

		for (unsigned k = 0; k < 3; k++)
			if (fds[k] >= 0)
				close(fds[k]);
	}
	free(b);
}

bool back_features(const struct back *b, uint64_t *features)
{
	*features = b->features;
	return b->has_features;
}

uint64_t back_protocol_features(const struct back *b)
{
	return b->protocol_features;
}

uint64_t back_offered(const struct back *b)
{
	return b->ops->features(b->arg) | BIT(VHOST_F_PROTOCOL_FEATURES);
}

bool back_queue(const struct back *b, unsigned index, struct back_queue *out)
{
	const struct back_ring *q;

	if (index >= b->nqueues || !b->queue[index].ran)
		return false;
	q = &b->queue[index];
	*out = (struct back_queue){
		.opts = q->opts,
		.running = back_queue_runs(q),
		.kicks = q->has_kick,
		.interrupts = q->has_call,
		.sum = q->sum,
	};
	return true;
}
