// SPDX-License-Identifier: GPL-2.0-or-later
/* The device's side of a packed virtqueue (virtio 1.2, 2.8). */
#include "engines/dev_internal.h"

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED (1u << VRING_PACKED_DESC_F_USED)
#define WRAP (1u << VRING_PACKED_EVENT_F_WRAP_CTR)

uint16_t packed_avail_bits(bool wrap)
{
	return wrap ? AVAIL : USED;
}

uint16_t packed_used_bits(bool wrap)
{
	return wrap ? AVAIL | USED : 0;
}

static uint16_t *flags_at(const struct dev_vq *q, unsigned i)
{
	return &((struct vring_packed_desc *)(uintptr_t)q->desc)[i].flags;
}

/* Acquire: pairs with the driver's barrier before it writes the first flags (2.8.21.2.1). */
static bool is_available(const struct dev_vq *q)
{
	uint16_t flags = le16toh(__atomic_load_n(flags_at(q, q->avail), __ATOMIC_ACQUIRE));

	return (flags & (AVAIL | USED)) == q->avail_bits;
}

/* 2.8.7: a table's entries follow each other, and WRITE is the only flag that counts. */
static int packed_table(struct dev_vq *q, struct dev_chain *c, struct dev_walk *w,
			struct dev_desc of)
{
	const char *table = dev_table(q, of);
	uint32_t entries = of.len / sizeof(struct vring_packed_desc);

	if (!table)
		return -EPROTO;
	if (unlikely(entries > q->longest))
		return dev_break(q, "a chain has %u descriptors, more than %u", entries,
				 q->longest);
	for (uint32_t i = 0; i < entries; i++) {
		struct dev_desc d = dev_read(table + i * sizeof(struct vring_packed_desc));
		int rc = dev_piece(q, c, w, d, d.tail[1] & VRING_DESC_F_WRITE);

		if (unlikely(rc))
			return rc;
	}
	return 0;
}

int packed_pop(struct dev_vq *q, struct dev_chain *c)
{
	uint32_t room = q->size - q->held, n = 0, at = q->avail;
	uint16_t bits = q->avail_bits;
	struct dev_walk w = {0};
	struct dev_desc d;
	int rc;

	if (!is_available(q)) {
		q->count.empty++;
		return 0;
	}
	do {
		uint16_t flags;

		/* 2.8.17: no list is longer than the queue, nor has the driver room for one that
		 * runs into what is not used yet. */
		if (unlikely(n == room))
			return dev_break(q,
					 "the chain at descriptor %u takes more than the %u free "
					 "descriptors of the ring",
					 q->avail, room);
		d = dev_read(q->desc + at * sizeof(struct vring_packed_desc));
		flags = d.tail[1];
		/* 2.8.6: AVAIL and USED must be right in all of a list. */
		if (unlikely((flags & (AVAIL | USED)) != bits))
			return dev_break(q,
					 "descriptor %u belongs to the chain at %u and is not "
					 "available",
					 at, q->avail);
		n++;
		if (flags & VRING_DESC_F_INDIRECT) {
			/* 2.8.19: an indirect descriptor is not part of a list. */
			if (unlikely(n > 1 || flags & VRING_DESC_F_NEXT))
				return dev_break(q, "descriptor %u is indirect and part of a list",
						 at);
			rc = packed_table(q, c, &w, d);
		} else {
			rc = dev_piece(q, c, &w, d, flags & VRING_DESC_F_WRITE);
		}
		if (unlikely(rc))
			return rc;
		/* 2.8.1: the counter changes behind the last descriptor of the ring. */
		if (++at == q->size) {
			at = 0;
			bits ^= AVAIL | USED;
		}
	} while (d.tail[1] & VRING_DESC_F_NEXT);

	/* 2.8.6: the last of the list has the id. */
	if (unlikely(d.tail[0] >= q->size))
		return dev_break(q, "buffer id %u in a ring of %u entries", d.tail[0], q->size);
	rc = dev_done(q, c, &w, d.tail[0], n);
	if (likely(rc > 0)) {
		q->avail = (uint16_t)at;
		q->avail_bits = bits;
		q->held += n;
	}
	return rc;
}

/*
 * Writes a used descriptor at once, except for the flags of a batch's first: the driver looks at
 * one place only, the next in sequence (2.8.2), and sees nothing of the batch before that.
 */
void packed_push(struct dev_vq *q, uint16_t id, uint16_t ndescs, uint32_t written)
{
	struct vring_packed_desc *d = (struct vring_packed_desc *)(uintptr_t)q->desc + q->used;
	/* 2.8.3, 2.8.4: WRITE says that the length means something. */
	uint16_t flags = (uint16_t)(q->used_bits | (written ? VRING_DESC_F_WRITE : 0));
	uint32_t next = q->used + (uint32_t)ndescs;

	d->id = htole16(id);
	d->len = htole32(written);
	if (!q->pending) {
		q->first = q->used;
		q->first_bits = q->used_bits;
		q->first_flags = flags;
	} else {
		__atomic_store_n(&d->flags, htole16(flags), __ATOMIC_RELAXED);
	}
	if (next >= q->size) {
		next -= q->size;
		q->used_bits ^= AVAIL | USED;
	}
	q->used = (uint16_t)next;
	q->pending += ndescs;
}

/*
 * 2.8.10, 2.8.14: whether the descriptor of the event lies among those that the batch passed.
 * Places are counted from the start of the ring in which the batch begins; the other wrap counter
 * is one ring further on.
 */
static bool packed_passed(const struct dev_vq *q, uint32_t off_wrap)
{
	uint32_t place = off_wrap & (WRAP - 1);
	bool wrap = off_wrap & WRAP, begins = q->first_bits;

	/* No such descriptor: an interrupt too many does no harm. */
	if (place >= q->size)
		return true;
	if (wrap != begins)
		place += q->size;
	return place >= q->first && place < q->first + q->pending;
}

bool packed_flush(struct dev_vq *q)
{
	uint32_t event;

	/* Release: pairs with the driver's barrier behind its look at the flags (2.8.22). */
	__atomic_store_n(flags_at(q, q->first), htole16(q->first_flags), __ATOMIC_RELEASE);
	/* 2.8.22: the driver enables, then looks at the flags again; see split_flush. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* Both halves at one moment: an offset with the flags of another would lose an interrupt.
	 */
	event = le32toh(__atomic_load_n(q->driver_event, __ATOMIC_RELAXED));
	switch (event >> 16 & 3) {
	case VRING_PACKED_EVENT_FLAG_DISABLE:
		return false;
	case VRING_PACKED_EVENT_FLAG_DESC:
		return !q->event_idx || packed_passed(q, event & 0xffff);
	}
	return true;
}

static void event_set(struct dev_vq *q, uint32_t flags, uint32_t off_wrap)
{
	__atomic_store_n(q->device_event, htole32(flags << 16 | off_wrap), __ATOMIC_RELAXED);
}

void packed_suppress(struct dev_vq *q)
{
	event_set(q, VRING_PACKED_EVENT_FLAG_DISABLE, 0);
}

bool packed_arm(struct dev_vq *q)
{
	if (q->event_idx)
		event_set(q, VRING_PACKED_EVENT_FLAG_DESC,
			  q->avail | (q->avail_bits == AVAIL ? WRAP : 0));
	else
		event_set(q, VRING_PACKED_EVENT_FLAG_ENABLE, 0);
	/* 2.8.21.3.1: the driver has its barrier between its flags and its look at these. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !is_available(q);
}
