// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The back end that does nothing: at once, or after a latency that is the same for all requests, so
 * that those in flight are a queue in the order of their due times.
 *
 * Precision: a request is never early. How late it is depends on who looks: a thread that polls
 * sees it within one turn; one that sleeps until blkq_due, after its timer and the scheduler.
 */
#include <stdlib.h>
#include "engines/blkdev_internal.h"

struct null_wait {
	uint64_t due; /* CLOCK_MONOTONIC, ns */
	uint8_t *status;
	uint32_t written;
	uint16_t id, ndescs;
};

/* A ring of a power of two that grows with what is in flight, at most to RING_MAX_SIZE. */
struct null_queue {
	struct null_wait *wait;
	unsigned size, head, tail;
};

static int null_open(struct blkdev *b, const struct blkdev_opts *o, struct err *e)
{
	(void)b;
	(void)o;
	(void)e;
	return 0;
}

static void null_close(struct blkdev *b)
{
	(void)b;
}

static int null_make(struct blkq *q, struct err *e)
{
	struct null_queue *n = xcalloc(1, sizeof(*n));

	(void)e;
	n->size = 32;
	n->wait = xcalloc(n->size, sizeof(*n->wait));
	q->back = n;
	return 0;
}

static void null_free(struct blkq *q)
{
	struct null_queue *n = q->back;

	free(n->wait);
	free(n);
}

static void null_grow(struct null_queue *n)
{
	struct null_wait *more = xcalloc(2ul * n->size, sizeof(*more));

	for (unsigned i = n->head; i != n->tail; i++)
		more[i & (2 * n->size - 1)] = n->wait[i & (n->size - 1)];
	free(n->wait);
	n->wait = more;
	n->size *= 2;
}

static int null_start(struct blkq *q, const struct blkreq *r)
{
	struct null_queue *n = q->back;

	if (!q->dev->latency_ns)
		return VIRTIO_BLK_S_OK;
	if (n->tail - n->head == n->size)
		null_grow(n);
	/* The clock is read for each: one reading for a batch would make its first ones late. */
	n->wait[n->tail++ & (n->size - 1)] = (struct null_wait){
		.due = blk_now() + q->dev->latency_ns,
		.status = r->status,
		.written = r->written,
		.id = r->id,
		.ndescs = r->ndescs,
	};
	return BACK_LATER;
}

static void null_reap(struct blkq *q)
{
	struct null_queue *n = q->back;
	uint64_t now = blk_now();

	while (n->head != n->tail) {
		const struct null_wait *w = &n->wait[n->head & (n->size - 1)];
		struct blkreq r = {
			.status = w->status,
			.written = w->written,
			.id = w->id,
			.ndescs = w->ndescs,
		};

		if (w->due > now)
			break;
		n->head++;
		blkq_complete(q, &r, VIRTIO_BLK_S_OK);
	}
}

static uint64_t null_due(const struct blkq *q)
{
	const struct null_queue *n = q->back;

	return n->head == n->tail ? UINT64_MAX : n->wait[n->head & (n->size - 1)].due;
}

const struct back_ops back_null = {
	.name = "null",
	.open = null_open,
	.close = null_close,
	.make = null_make,
	.free = null_free,
	.start = null_start,
	.reap = null_reap,
	.due = null_due,
};
