// SPDX-License-Identifier: GPL-2.0-or-later
/* The device's side of a split virtqueue (virtio 1.2, 2.7). */
#include "engines/dev_internal.h"

/* avail_event and used_event lie behind the last entry of the other ring (2.7.6, 2.7.8). */
static uint16_t *avail_event(struct dev_vq *q)
{
	return (uint16_t *)(void *)&q->used_ring->ring[q->size];
}

static uint16_t *used_event(struct dev_vq *q)
{
	return &q->avail_ring->ring[q->size];
}

static uint16_t avail_idx(const struct dev_vq *q)
{
	return le16toh(__atomic_load_n(&q->avail_ring->idx, __ATOMIC_ACQUIRE));
}

/* 2.7.5.3: the entries of a table are chained by next, which indexes the table. */
static int split_table(struct dev_vq *q, struct dev_chain *c, struct dev_walk *w,
		       struct dev_desc of)
{
	const char *table = dev_table(q, of);
	uint32_t entries = of.len / sizeof(struct vring_desc), i = 0, n = 0;

	if (!table)
		return -EPROTO;
	for (;;) {
		struct dev_desc d = dev_read(table + i * sizeof(struct vring_desc));
		uint16_t flags = d.tail[0];
		int rc;

		/* 2.7.5.3.1: one table per descriptor. */
		if (unlikely(flags & VRING_DESC_F_INDIRECT))
			return dev_break(q, "an indirect table holds another");
		rc = dev_piece(q, c, w, d, flags & VRING_DESC_F_WRITE);
		if (unlikely(rc))
			return rc;
		n++;
		w->descs++;
		if (!(flags & VRING_DESC_F_NEXT))
			return 0;
		if (unlikely(n == entries))
			return dev_break(q, "a loop in an indirect table of %u descriptors",
					 entries);
		if (unlikely(w->descs == q->longest))
			return dev_break(q, "a chain has more than %u descriptors", q->longest);
		i = d.tail[1];
		if (unlikely(i >= entries))
			return dev_break(q, "next is %u in an indirect table of %u descriptors", i,
					 entries);
	}
}

static int split_chain(struct dev_vq *q, struct dev_chain *c, unsigned head)
{
	struct dev_walk w = {0};
	unsigned i = head, n = 0;
	int rc;

	for (;;) {
		struct dev_desc d = dev_read(q->desc + i * sizeof(struct vring_desc));
		uint16_t flags = d.tail[0];

		n++;
		/* A table may end a chain of ordinary descriptors (2.7.5.3.2, where WRITE is to be
		 * ignored too). */
		if (flags & VRING_DESC_F_INDIRECT) {
			if (unlikely(flags & VRING_DESC_F_NEXT))
				return dev_break(q, "descriptor %u is indirect and has a next", i);
			rc = split_table(q, c, &w, d);
			if (unlikely(rc))
				return rc;
			break;
		}
		rc = dev_piece(q, c, &w, d, flags & VRING_DESC_F_WRITE);
		if (unlikely(rc))
			return rc;
		w.descs++;
		if (!(flags & VRING_DESC_F_NEXT))
			break;
		/* 2.7.5: Queue Size is the longest chain, so that longer means a loop. */
		if (unlikely(n == q->size))
			return dev_break(q, "the chain at descriptor %u is longer than the queue",
					 head);
		i = d.tail[1];
		if (unlikely(i >= q->size))
			return dev_break(q, "next is %u in a table of %u descriptors", i, q->size);
	}
	return dev_done(q, c, &w, head, n);
}

int split_pop(struct dev_vq *q, struct dev_chain *c)
{
	unsigned head;
	int rc;

	if (q->avail == q->seen) {
		/* Acquire: pairs with the driver's barrier before its update of idx (2.7.13.3.1);
		 * one load for all that is available. */
		uint16_t idx = avail_idx(q), fresh = (uint16_t)(idx - q->avail);

		if (!fresh) {
			q->count.empty++;
			return 0;
		}
		/* Each chain takes a descriptor of the table until the driver sees it used. */
		if (unlikely(fresh > q->size - q->held))
			return dev_break(q,
					 "the available index went from %u to %u, and a queue of "
					 "%u entries with %u in flight has no room for that",
					 q->avail, idx, q->size, q->held);
		q->seen = idx;
	}
	head = le16toh(
		__atomic_load_n(&q->avail_ring->ring[q->avail & (q->size - 1)], __ATOMIC_RELAXED));
	if (unlikely(head >= q->size))
		return dev_break(q, "the available ring names descriptor %u of a table of %u", head,
				 q->size);
	rc = split_chain(q, c, head);
	if (likely(rc > 0)) {
		q->avail++;
		q->held++;
	}
	return rc;
}

void split_push(struct dev_vq *q, uint16_t id, uint32_t written)
{
	vring_used_elem_t *elem =
		&q->used_ring->ring[(uint16_t)(q->used + q->pending) & (q->size - 1)];

	elem->id = htole32(id);
	elem->len = htole32(written);
	q->pending++;
}

bool split_flush(struct dev_vq *q)
{
	uint16_t before = q->used;

	q->used = (uint16_t)(q->used + q->pending);
	/* 2.7.8.2: the entries are there before the index says so. */
	__atomic_store_n(&q->used_ring->idx, htole16(q->used), __ATOMIC_RELEASE);
	/* The driver enables, then looks at idx again (2.7.14); we publish idx, then look whether
	 * it has enabled. One of the two sees the other only if neither load passes the store. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* 2.7.7.2 */
	if (q->event_idx)
		return ring_passed(le16toh(__atomic_load_n(used_event(q), __ATOMIC_RELAXED)),
				   q->used, before);
	return !(le16toh(__atomic_load_n(&q->avail_ring->flags, __ATOMIC_RELAXED)) &
		 VRING_AVAIL_F_NO_INTERRUPT);
}

/*
 * With the event index, flags has to stay 0 (2.7.10.2), and an avail_event that was passed asks for
 * nothing for the next 2^16 chains. One that was not passed yet is set back behind the next chain,
 * which would kick else.
 */
void split_suppress(struct dev_vq *q)
{
	if (!q->event_idx) {
		__atomic_store_n(&q->used_ring->flags, htole16(VRING_USED_F_NO_NOTIFY),
				 __ATOMIC_RELAXED);
	} else if (q->asked == q->seen) {
		q->asked = (uint16_t)(q->seen - 1);
		__atomic_store_n(avail_event(q), htole16(q->asked), __ATOMIC_RELAXED);
	}
}

bool split_arm(struct dev_vq *q)
{
	if (q->avail != q->seen)
		return false;
	if (q->event_idx) {
		q->asked = q->avail;
		__atomic_store_n(avail_event(q), htole16(q->asked), __ATOMIC_RELAXED);
	} else {
		__atomic_store_n(&q->used_ring->flags, 0, __ATOMIC_RELAXED);
	}
	/* The driver publishes idx, then reads these, with a barrier between (2.7.13.4.1): with
	 * ours here, either it sees what we ask or we see what it added. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return avail_idx(q) == q->avail;
}
