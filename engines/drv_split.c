// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The driver's side of the split ring (virtio 1.2, 2.7).
 *
 * Ordering: descriptors and ring entries are plain stores; the release store of the available index
 * makes them visible with it (2.7.13.3). Whether the device wants a kick is read behind a full
 * barrier (2.7.13.4): store-load is the one order that even x86 does not keep, and the device
 * stores its event index and looks for more in the opposite order.
 */
#include <errno.h>
#include <stdlib.h>
#include "engines/drv_internal.h"

static void split_start(struct drv_vq *q)
{
	struct drv_split *s = &q->split;

	s->desc = q->areas.desc;
	s->avail = q->areas.driver;
	s->used = q->areas.device;
	s->used_event = &s->avail->ring[q->o.size];
	s->avail_event = (uint16_t *)(void *)&s->used->ring[q->o.size];
	s->mask = (uint16_t)(q->o.size - 1);
	s->shadow = xcalloc(q->o.size, sizeof(*s->shadow));
	s->desc_line = SIZE_MAX;
}

/* One descriptor, unless it lies there already. */
static void put_desc(struct drv_vq *q, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags,
		     uint16_t next)
{
	struct drv_split *s = &q->split;
	struct drv_table_entry *old = &s->shadow[i];
	size_t line = i * sizeof(*s->desc) / DRV_LINE;

	if (old->addr == addr && old->len == len && old->flags == flags && old->next == next)
		return;
	*old = (struct drv_table_entry){addr, len, flags | q->rewrite, next};
	s->desc[i].addr = htole64(addr);
	s->desc[i].len = htole32(len);
	s->desc[i].flags = htole16(flags);
	s->desc[i].next = htole16(next);
	q->n.descs++;
	if (line != s->desc_line) {
		s->desc_line = line;
		q->n.lines_written++;
	}
}

/* A chain of ring descriptors: its head. They are given back in reverse, so that the next chain of
 * this length gets the same ones in the same order. */
static uint16_t put_chain(struct drv_vq *q, const struct drv_seg *segs, unsigned out, unsigned n,
			  uint32_t token)
{
	uint16_t head = drv_take(q, n == 1 ? token : UINT32_MAX), at = head;
	unsigned i;

	for (i = 0; i < n; i++) {
		uint16_t flags = i < out ? 0 : VRING_DESC_F_WRITE, next = 0;

		q->chain[at].ndescs = (uint16_t)n;
		if (i + 1 < n) {
			next = drv_take(q, UINT32_MAX);
			flags |= VRING_DESC_F_NEXT;
		}
		put_desc(q, at, segs[i].addr, segs[i].len, flags, next);
		/* only a head is known to the device */
		q->chain[at].token = UINT32_MAX;
		at = next;
	}
	return head;
}

static int split_add(struct drv_vq *q, const struct drv_seg *segs, unsigned out, unsigned in,
		     uint32_t token)
{
	struct drv_split *s = &q->split;
	unsigned n = out + in;
	uint16_t head;

	if (q->o.indirect && n > 1) {
		head = drv_take(q, token);
		q->chain[head].ndescs = 1;
		put_desc(q, head, drv_table(q, head, segs, out, in),
			 (uint32_t)(n * sizeof(struct drv_table_entry)), VRING_DESC_F_INDIRECT, 0);
		q->nfree--;
	} else {
		head = put_chain(q, segs, out, n, token);
		q->nfree -= n;
	}
	q->chain[head].token = token;
	q->chain[head].number = (uint32_t)q->n.added;
	s->avail->ring[s->idx & s->mask] = htole16(head);
	s->idx++;
	q->outstanding++;
	q->n.added++;
	return 0;
}

static bool split_publish(struct drv_vq *q)
{
	struct drv_split *s = &q->split;
	uint16_t before = s->published, n = (uint16_t)(s->idx - before);
	bool kick;

	if (!n)
		return false;
	__atomic_store_n(&s->avail->idx, htole16(s->idx), __ATOMIC_RELEASE);
	s->published = s->idx;
	q->shown = q->n.added;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (q->o.event_idx)
		kick = ring_passed(le16toh(__atomic_load_n(s->avail_event, __ATOMIC_RELAXED)),
				   s->idx, before);
	else
		kick = !(le16toh(__atomic_load_n(&s->used->flags, __ATOMIC_RELAXED)) &
			 VRING_USED_F_NO_NOTIFY);
	q->n.publishes++;
	q->n.kicks += kick;
	/* the entries, and the index's line if it is another one */
	q->n.lines_written += drv_lines(4, 2, before & s->mask, n, q->o.size);
	if ((before & s->mask) >= DRV_LINE / 2 - 2)
		q->n.lines_written++;
	s->desc_line = SIZE_MAX;
	return kick;
}

/* Frees what a completed chain held: head last, so that it comes first again. */
static void free_chain(struct drv_vq *q, uint16_t head)
{
	const struct drv_split *s = &q->split;
	unsigned n = q->chain[head].ndescs, i;
	uint16_t at[8], v;

	q->nfree += n;
	if (n == 1) {
		drv_give(q, head);
		return;
	}
	/* links are taken from the private copy: the shared table is the device's to scribble on */
	if (n <= 8) {
		for (i = 0, v = head; i < n; i++, v = s->shadow[v].next)
			at[i] = v;
		while (i--)
			drv_give(q, at[i]);
		return;
	}
	for (i = 0; i < n; i++, head = v) {
		v = s->shadow[head].next;
		drv_give(q, head);
	}
}

/* With event index, polling means an event that lies behind; it must not be overtaken by the 16-bit
 * index. */
static void push_event_away(struct drv_vq *q)
{
	struct drv_split *s = &q->split;

	s->event = (uint16_t)(s->last_used - 1);
	__atomic_store_n(s->used_event, htole16(s->event), __ATOMIC_RELAXED);
}

static int split_harvest(struct drv_vq *q, struct drv_done *done, unsigned max)
{
	struct drv_split *s = &q->split;
	uint16_t first = s->last_used;
	unsigned n = 0, there;

	if (s->last_used == s->used_seen) {
		/* pairs with the device's release of its index (2.7.8.2) */
		s->used_seen = le16toh(__atomic_load_n(&s->used->idx, __ATOMIC_ACQUIRE));
		if (s->last_used == s->used_seen) {
			q->n.empty++;
			return 0;
		}
		there = q->outstanding - (unsigned)(q->n.added - q->shown);
		if ((uint16_t)(s->used_seen - s->last_used) > there)
			return drv_broken(q,
					  "used index %u is ahead of %u by more than the %u chains "
					  "outstanding",
					  s->used_seen, s->last_used, there);
		q->n.harvests++;
		q->n.lines_read++;
	}
	while (n < max && s->last_used != s->used_seen) {
		const struct vring_used_elem *u = &s->used->ring[s->last_used & s->mask];
		uint32_t id = le32toh(__atomic_load_n(&u->id, __ATOMIC_RELAXED));

		if (id >= q->o.size || !q->chain[id].ndescs || q->chain[id].token == UINT32_MAX ||
		    drv_is_hidden(q, (uint16_t)id))
			return drv_broken(q,
					  "used entry %u names chain %u, which is not outstanding",
					  s->last_used & s->mask, id);
		done[n].token = q->chain[id].token;
		done[n++].len = le32toh(__atomic_load_n(&u->len, __ATOMIC_RELAXED));
		free_chain(q, (uint16_t)id);
		s->last_used++;
		q->outstanding--;
	}
	q->n.done += n;
	q->n.lines_read += drv_lines(4, 8, first & s->mask, n, q->o.size);
	if (q->o.event_idx && (uint16_t)(s->last_used - s->event) > 0x4000 &&
	    (uint16_t)(s->last_used - s->event) < 0xc000)
		push_event_away(q);
	return (int)n;
}

static void split_suppress(struct drv_vq *q)
{
	/* 2.7.7.1: with event index the flag stays 0 */
	if (q->o.event_idx)
		push_event_away(q);
	else
		__atomic_store_n(&q->split.avail->flags, htole16(VRING_AVAIL_F_NO_INTERRUPT),
				 __ATOMIC_RELAXED);
}

static bool split_arm(struct drv_vq *q, unsigned after)
{
	struct drv_split *s = &q->split;
	uint16_t there;

	if (q->o.event_idx) {
		/* an interrupt when the entry of this index is written (2.7.10) */
		s->event = (uint16_t)(s->last_used + after - 1);
		__atomic_store_n(s->used_event, htole16(s->event), __ATOMIC_RELAXED);
	} else {
		after = 1;
		__atomic_store_n(&s->avail->flags, 0, __ATOMIC_RELAXED);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	there = le16toh(__atomic_load_n(&s->used->idx, __ATOMIC_ACQUIRE));
	return (uint16_t)(there - s->last_used) < after;
}

const struct drv_ops drv_split_ops = {
	.add = split_add,
	.publish = split_publish,
	.harvest = split_harvest,
	.suppress = split_suppress,
	.arm = split_arm,
	.start = split_start,
};
