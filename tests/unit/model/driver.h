/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model of the driver's side of a virtqueue, made from the text of virtio 1.2 (2.7 split, 2.8
 * packed): it lays chains out in every way that the text allows, and checks what a device returns.
 */
#ifndef VB_TESTS_MODEL_DRIVER_H
#define VB_TESTS_MODEL_DRIVER_H

#include "device.h"

struct mdrv {
	unsigned size, max_segs;
	bool packed, event_idx, indirect;
	uint8_t *desc, *driver, *device; /* the areas (2.6) */
	uint8_t *tables;		 /* size tables of max_segs entries */
	uint64_t tables_at;		 /* as the device addresses them */

	/* Running numbers of chains (split) or descriptors (packed) since the start. */
	uint64_t put;	/* written */
	uint64_t shown; /* of those, made available */
	uint64_t taken; /* found used */

	uint16_t *free; /* split: free descriptors; packed: free ids, below size as in 2.8.22 */
	unsigned n_free;
	unsigned descs_free;  /* packed: free places of the ring */
	uint16_t *next;	      /* split: the driver's own links */
	unsigned *ndescs;     /* by head or id: descriptors of the chain, 0 while not out */
	unsigned first_flags; /* packed: flags of the first descriptor not shown */
	const char *wrong;    /* the rule that the device broke */
};

static inline void mdrv_make(struct mdrv *m)
{
	m->free = calloc(m->size, sizeof(*m->free));
	m->next = calloc(m->size, sizeof(*m->next));
	m->ndescs = calloc(m->size, sizeof(*m->ndescs));
	if (!m->free || !m->next || !m->ndescs)
		abort();
	for (unsigned i = 0; i < m->size; i++)
		m->free[m->n_free++] = (uint16_t)i;
	m->descs_free = m->size;
}

static inline void mdrv_free(struct mdrv *m)
{
	free(m->free);
	free(m->next);
	free(m->ndescs);
}

static inline unsigned mdrv_pick(struct mdrv *m, uint64_t *r)
{
	unsigned k = rnd_one_in(r, 2) ? m->n_free - 1 : rnd_below(r, m->n_free);
	unsigned got = m->free[k];

	m->free[k] = m->free[--m->n_free];
	return got;
}

/* Pieces i .. n-1 into a table: split tables are linked, in any order (2.7.5.3). */
static inline void mdrv_table(struct mdrv *m, uint64_t *r, unsigned which, const struct chain *c,
			      unsigned first)
{
	uint8_t *t = m->tables + (size_t)which * m->max_segs * 16;
	unsigned n = c->out + c->in - first, mul = 1;

	/* A permutation that leaves 0 where it is: times an odd number, if n is a power of two. */
	if (!m->packed && !(n & (n - 1)))
		mul = rnd_below(r, n) | 1;
	for (unsigned i = 0; i < n; i++) {
		const struct piece *p = &c->seg[first + i];
		unsigned flags = first + i >= c->out ? F_WRITE : 0;
		unsigned more = i + 1 < n ? F_NEXT : 0;

		if (m->packed)
			put_desc(t + 16 * i, p->addr, p->len, rnd_below(r, 65536), flags);
		else
			put_desc(t + 16 * (i * mul % n), p->addr, p->len, flags | more,
				 more ? (i + 1) * mul % n : rnd_below(r, 65536));
	}
}

static inline void split_put(struct mdrv *m, uint64_t *r, const struct chain *c, unsigned direct,
			     unsigned *id)
{
	unsigned n = c->out + c->in, entries = direct + (direct < n), at = mdrv_pick(m, r);

	*id = at;
	m->ndescs[at] = entries;
	for (unsigned i = 0; i < entries; i++) {
		bool last = i + 1 == entries;
		unsigned next = last ? rnd_below(r, 65536) : mdrv_pick(m, r);
		unsigned flags = last ? 0 : F_NEXT;

		if (i < direct) {
			put_desc(m->desc + 16 * at, c->seg[i].addr, c->seg[i].len,
				 flags | (i >= c->out ? F_WRITE : 0), next);
		} else {
			/* 2.7.5.3.2: WRITE has no meaning here */
			mdrv_table(m, r, at, c, direct);
			put_desc(m->desc + 16 * at, m->tables_at + (uint64_t)at * m->max_segs * 16,
				 16 * (n - direct), F_INDIRECT | (rnd_one_in(r, 4) ? F_WRITE : 0),
				 next);
		}
		if (!last)
			m->next[at] = (uint16_t)next;
		at = next;
	}
	put16(m->driver + 4 + 2 * (m->put % m->size), *id);
	m->put++;
}

static inline void packed_put(struct mdrv *m, uint64_t *r, const struct chain *c, unsigned direct,
			      unsigned *id)
{
	unsigned n = c->out + c->in, entries = direct < n ? 1 : n, i = mdrv_pick(m, r);

	*id = i;
	m->ndescs[i] = entries;
	for (unsigned k = 0; k < entries; k++, m->put++) {
		uint8_t *e = m->desc + 16 * (m->put % m->size);
		unsigned flags = wrap_at(m->put, m->size) ? F_AVAIL : F_USED, old = get16(e + 14);
		/* Buffer ID counts in the last descriptor of a list (2.8.6). */
		unsigned this_id = k + 1 == entries ? *id : rnd_below(r, 65536);

		if (direct < n) {
			flags |= F_INDIRECT | (rnd_one_in(r, 4) ? F_WRITE : 0);
			mdrv_table(m, r, i, c, 0);
			put_desc(e, m->tables_at + (uint64_t)i * m->max_segs * 16, 16 * n, this_id,
				 old);
		} else {
			flags |= (k >= c->out ? F_WRITE : 0) | (k + 1 < n ? F_NEXT : 0);
			put_desc(e, c->seg[k].addr, c->seg[k].len, this_id, old);
		}
		if (m->put == m->shown)
			m->first_flags = flags;
		else
			put16(e + 14, flags);
	}
	m->descs_free -= entries;
}

/*
 * Writes a chain, in one of the ways there are: directly, through a table, or (split only, which
 * 2.7.5.3.2 wants handled) with the last pieces in a table. False: no room. *id and *ndescs: what
 * a device must call it.
 */
static inline bool mdrv_put(struct mdrv *m, uint64_t *r, const struct chain *c, unsigned *id,
			    unsigned *ndescs)
{
	unsigned n = c->out + c->in, direct = n, room = m->packed ? m->descs_free : m->n_free;

	if (m->indirect && rnd_below(r, 4))
		direct = m->packed || !rnd_one_in(r, 4) ? 0 : rnd_below(r, n);
	*ndescs = direct == n ? n : m->packed ? 1 : direct + 1;
	if (*ndescs > room || !m->n_free)
		return false;
	if (m->packed)
		packed_put(m, r, c, direct, id);
	else
		split_put(m, r, c, direct, id);
	return true;
}

/* Makes all of it available. True: the device must be notified. */
static inline bool mdrv_show(struct mdrv *m)
{
	uint64_t from = m->shown;

	if (m->put == from)
		return false;
	if (m->packed)
		put16(m->desc + 16 * (from % m->size) + 14, m->first_flags);
	else
		put16(m->driver + 2, m->put);
	m->shown = m->put;
	return event_due(m->packed, m->event_idx, m->size, m->device + (m->packed ? 2 : 0),
			 m->device + (m->packed ? 0 : 4 + 8 * m->size), from, m->put);
}

static inline int mdrv_wrong(struct mdrv *m, const char *rule)
{
	m->wrong = rule;
	return -1;
}

/* Frees what a used chain held. */
static inline void mdrv_reuse(struct mdrv *m, unsigned i)
{
	unsigned n = m->ndescs[i];

	m->ndescs[i] = 0;
	if (m->packed) {
		m->free[m->n_free++] = (uint16_t)i;
		m->descs_free += n;
		return;
	}
	for (unsigned at = i; n--; at = m->next[at])
		m->free[m->n_free++] = (uint16_t)at;
}

/* What the device has written next as used: 1, 0: nothing, -1: it broke m->wrong. */
static inline int mdrv_take(struct mdrv *m, unsigned *id, uint32_t *len)
{
	unsigned flags;

	if (!m->packed) {
		const uint8_t *e = m->device + 4 + 8 * (m->taken % m->size);

		if (get16(m->device) > !m->event_idx)
			return mdrv_wrong(m, "2.7.10.2: flags of the used ring");
		if (get16(m->device + 2) == (uint16_t)m->taken)
			return 0;
		if ((uint64_t)get_bytes(e, 4) >= m->size)
			return mdrv_wrong(m, "a used id beyond the queue");
		*id = get16(e);
		*len = (uint32_t)get_bytes(e + 4, 4);
	} else {
		const uint8_t *e = m->desc + 16 * (m->taken % m->size);
		unsigned wrap = wrap_at(m->taken, m->size);

		if (get16(m->device + 2) > (m->event_idx ? EVENTS_DESC : EVENTS_DISABLE))
			return mdrv_wrong(m, "2.8.10: event flags of the device");
		flags = get16(e + 14);
		/* One that is available has two different bits; this was shown if it is now. */
		if (m->taken == m->put || !!(flags & F_USED) != wrap || !!(flags & F_AVAIL) != wrap)
			return 0;
		*id = get16(e + 12);
		*len = (uint32_t)get_bytes(e + 8, 4);
		if (!(flags & F_WRITE) != !*len)
			return mdrv_wrong(m, "2.8.4: WRITE says whether anything was written");
	}
	if (*id >= m->size || !m->ndescs[*id])
		return mdrv_wrong(m, "a chain that is not outstanding was used");
	m->taken += m->packed ? m->ndescs[*id] : 1;
	return 1;
}

/* Whether what became used between two values of m->taken must interrupt the driver. */
static inline bool mdrv_irq_due(const struct mdrv *m, uint64_t from)
{
	return event_due(m->packed, m->event_idx, m->size, m->driver + (m->packed ? 2 : 0),
			 m->driver + (m->packed ? 0 : 4 + 2 * m->size), from, m->taken);
}

static inline void mdrv_wishes(struct mdrv *m, uint64_t *r)
{
	some_wishes(r, m->packed, m->event_idx, m->size, m->taken, m->driver + (m->packed ? 2 : 0),
		    m->driver + (m->packed ? 0 : 4 + 2 * m->size));
}

#endif
