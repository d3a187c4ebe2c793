// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The driver's side of the packed ring (virtio 1.2, 2.8).
 *
 * Ordering: every descriptor of a batch but the first is written with its flags at once; the first
 * one's flags follow at publish, as a release store. The device goes through the ring in order, so
 * it sees nothing of the batch before that. It is the rule for one list (2.8.17: its first
 * descriptor last), taken for all lists of a batch together.
 */
#include <errno.h>
#include "engines/drv_internal.h"

#define F_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define F_USED (1u << VRING_PACKED_DESC_F_USED)

static void packed_start(struct drv_vq *q)
{
	struct drv_packed *p = &q->packed;

	p->desc = q->areas.desc;
	p->ours = q->areas.driver;
	p->theirs = q->areas.device;
	p->wrap = p->used_wrap = true;
	p->shortest = UINT16_MAX;
}

/* The event suppression structure in one store: offset and wrap below, flags above (2.8.14). */
static void put_event(struct drv_packed *p, uint16_t off_wrap, uint16_t flags)
{
	__atomic_store_n(p->ours, htole32(off_wrap | (uint32_t)flags << 16), __ATOMIC_RELAXED);
}

static void put_desc(struct drv_vq *q, uint64_t addr, uint32_t len, uint16_t id, uint16_t flags)
{
	struct drv_packed *p = &q->packed;
	struct vring_packed_desc *d = &p->desc[p->next];

	flags |= p->wrap ? F_AVAIL : F_USED;
	d->addr = htole64(addr);
	d->len = htole32(len);
	d->id = htole16(id);
	if (p->pending++) {
		__atomic_store_n(&d->flags, htole16(flags), __ATOMIC_RELAXED);
	} else {
		p->first = p->next;
		p->first_flags = flags;
	}
	if (++p->next == q->o.size) {
		p->next = 0;
		p->wrap = !p->wrap;
	}
}

static int packed_add(struct drv_vq *q, const struct drv_seg *segs, unsigned out, unsigned in,
		      uint32_t token)
{
	uint16_t id = drv_take(q, token), ndescs;
	unsigned n = out + in, i;

	if (q->o.indirect && n > 1) {
		ndescs = 1;
		put_desc(q, drv_table(q, id, segs, out, in),
			 (uint32_t)(n * sizeof(struct vring_packed_desc)), id,
			 VRING_DESC_F_INDIRECT);
	} else {
		ndescs = (uint16_t)n;
		for (i = 0; i < n; i++)
			put_desc(q, segs[i].addr, segs[i].len, id,
				 (uint16_t)((i < out ? 0 : VRING_DESC_F_WRITE) |
					    (i + 1 < n ? VRING_DESC_F_NEXT : 0)));
	}
	q->chain[id] = (struct drv_chain){
		.token = token, .number = (uint32_t)q->n.added, .ndescs = ndescs};
	q->nfree -= ndescs;
	if (ndescs < q->packed.shortest)
		q->packed.shortest = ndescs;
	q->outstanding++;
	q->n.added++;
	q->n.descs += ndescs;
	return 0;
}

/* 2.8.14: does the device want to hear of the descriptors from `before` (of the ring, modulo 2^16)
 * to p->next? */
static bool wants_kick(const struct drv_vq *q, uint16_t pending)
{
	const struct drv_packed *p = &q->packed;
	uint32_t v = le32toh(__atomic_load_n(p->theirs, __ATOMIC_RELAXED));
	uint16_t flags = v >> 16 & 3, at = v & 0x7fff;

	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !q->o.event_idx)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	/* an offset with the other wrap counter lies in the lap before */
	if ((v >> 15 & 1) != p->wrap)
		at = (uint16_t)(at - q->o.size);
	return ring_passed(at, p->next, (uint16_t)(p->next - pending));
}

static bool packed_publish(struct drv_vq *q)
{
	struct drv_packed *p = &q->packed;
	uint16_t pending = p->pending;
	bool kick;

	if (!pending)
		return false;
	__atomic_store_n(&p->desc[p->first].flags, htole16(p->first_flags), __ATOMIC_RELEASE);
	p->pending = 0;
	q->shown = q->n.added;
	/* 2.8.21.2: the flags must be out before the device's suppression is read */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	kick = wants_kick(q, pending);
	q->n.publishes++;
	q->n.kicks += kick;
	q->n.lines_written += drv_lines(0, sizeof(*p->desc), p->first, pending, q->o.size);
	return kick;
}

static bool is_used(const struct drv_packed *p, uint16_t at, bool wrap)
{
	uint16_t flags = le16toh(__atomic_load_n(&p->desc[at].flags, __ATOMIC_ACQUIRE));

	return !!(flags & F_AVAIL) == wrap && !!(flags & F_USED) == wrap;
}

/* Past a chain of so many descriptors. */
static void step(const struct drv_vq *q, uint16_t ndescs, uint16_t *at, bool *wrap)
{
	unsigned next = *at + ndescs;

	if (next >= q->o.size) {
		next -= q->o.size;
		*wrap = !*wrap;
	}
	*at = (uint16_t)next;
}

static int packed_harvest(struct drv_vq *q, struct drv_done *done, unsigned max)
{
	struct drv_packed *p = &q->packed;
	uint16_t first = p->next_used, descs = 0;
	unsigned n = 0;

	while (n < max && q->outstanding && is_used(p, p->next_used, p->used_wrap)) {
		const struct vring_packed_desc *d = &p->desc[p->next_used];
		uint16_t id = le16toh(__atomic_load_n(&d->id, __ATOMIC_RELAXED));
		struct drv_chain c;

		if (id >= q->o.size || !q->chain[id].ndescs || drv_is_hidden(q, id))
			return drv_broken(q,
					  "used descriptor %u names buffer %u, which is not "
					  "outstanding",
					  p->next_used, id);
		c = q->chain[id];
		done[n].token = c.token;
		done[n++].len = le32toh(__atomic_load_n(&d->len, __ATOMIC_RELAXED));
		step(q, c.ndescs, &p->next_used, &p->used_wrap);
		descs = (uint16_t)(descs + c.ndescs);
		q->nfree += c.ndescs;
		drv_give(q, id);
		q->outstanding--;
	}
	if (!n) {
		q->n.empty++;
		return 0;
	}
	q->n.harvests++;
	q->n.done += n;
	q->n.lines_read += drv_lines(0, sizeof(*p->desc), first, descs, q->o.size);
	return (int)n;
}

static void packed_suppress(struct drv_vq *q)
{
	put_event(&q->packed, 0, VRING_PACKED_EVENT_FLAG_DISABLE);
}

/*
 * Whether `after` chains are used already, or ones that cover the descriptor `event` places ahead,
 * which then was passed before it was asked for. Ids are looked at, not believed: harvest judges
 * them.
 */
static bool used_already(const struct drv_vq *q, unsigned after, unsigned event)
{
	const struct drv_packed *p = &q->packed;
	uint16_t at = p->next_used;
	bool wrap = p->used_wrap;
	unsigned passed = 0;

	while (q->outstanding && is_used(p, at, wrap)) {
		uint16_t id = le16toh(__atomic_load_n(&p->desc[at].id, __ATOMIC_RELAXED));

		if (!--after || id >= q->o.size || !q->chain[id].ndescs)
			return true;
		passed += q->chain[id].ndescs;
		if (passed > event)
			return true;
		step(q, q->chain[id].ndescs, &at, &wrap);
	}
	return false;
}

static bool packed_arm(struct drv_vq *q, unsigned after)
{
	struct drv_packed *p = &q->packed;
	unsigned ahead = 0;

	if (q->o.event_idx) {
		/*
		 * The offset counts descriptors, and which chains come first is not known: as many
		 * of the shortest kind is never too late.
		 */
		uint16_t at = p->next_used;
		bool wrap = p->used_wrap;

		if (p->shortest != UINT16_MAX)
			ahead = (after - 1) * p->shortest;
		step(q, (uint16_t)ahead, &at, &wrap);
		put_event(p, (uint16_t)(at | wrap << 15), VRING_PACKED_EVENT_FLAG_DESC);
	} else {
		after = 1;
		put_event(p, 0, VRING_PACKED_EVENT_FLAG_ENABLE);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !used_already(q, after, ahead);
}

const struct drv_ops drv_packed_ops = {
	.add = packed_add,
	.publish = packed_publish,
	.harvest = packed_harvest,
	.suppress = packed_suppress,
	.arm = packed_arm,
	.start = packed_start,
};
