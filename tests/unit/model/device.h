/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model of the device's side of a virtqueue, made from the text of virtio 1.2 (2.7 split, 2.8
 * packed): slow, plain, and with an opinion on everything that a driver does.
 */
#ifndef VB_TESTS_MODEL_DEVICE_H
#define VB_TESTS_MODEL_DEVICE_H

#include "bits.h"

struct mdev {
	unsigned size;
	bool packed, event_idx, indirect;
	uint8_t *desc, *driver, *device; /* the areas (2.6) */
	const uint8_t *mem;		 /* where indirect tables may lie */
	uint64_t mem_addr, mem_len;

	/* Running numbers of chains (split) or descriptors (packed) since the start. */
	uint64_t seen;	/* found available */
	uint64_t used;	/* written as used */
	uint64_t shown; /* of those, what the driver can see */

	uint8_t *busy;	       /* split: this descriptor is the device's now */
	uint8_t (*shadow)[16]; /* packed: the ring as the driver left it */
	unsigned first_flags;  /* packed: flags of the first used descriptor not shown */
	const char *wrong;     /* the rule that the driver broke */
};

/* A chain as the device read it. */
struct mchain {
	unsigned id, ndescs, out, in;
	uint64_t hash; /* of everything read, to see that it stays */
	uint64_t table;
	uint32_t table_len; /* 0: no indirect table */
	struct piece seg[CHAIN_MAX];
};

static inline void mdev_make(struct mdev *d)
{
	d->busy = calloc(d->size, 1);
	d->shadow = calloc(d->size, sizeof(*d->shadow));
	if (!d->busy || !d->shadow)
		abort();
}

static inline void mdev_free(struct mdev *d)
{
	free(d->busy);
	free(d->shadow);
}

static inline int mdev_wrong(struct mdev *d, const char *rule)
{
	d->wrong = rule;
	return -1;
}

/* The wrap counter that belongs to a running number of descriptors: 1 at the start (2.8.1). */
static inline unsigned wrap_at(uint64_t number, unsigned size)
{
	return number / size % 2 ? 0 : 1;
}

static inline int mdev_piece(struct mdev *d, struct mchain *c, const uint8_t *desc, unsigned flags)
{
	if (c->out + c->in == CHAIN_MAX)
		return mdev_wrong(d, "more pieces than were ever added");
	if (!(flags & F_WRITE) && c->in)
		return mdev_wrong(d, "2.7.4.2: device-readable after device-writable");
	c->seg[c->out + c->in].addr = get_bytes(desc, 8);
	c->seg[c->out + c->in].len = (uint32_t)get_bytes(desc + 8, 4);
	if (flags & F_WRITE)
		c->in++;
	else
		c->out++;
	return 0;
}

/* 2.7.5.3 (entries linked by next) and 2.8.7 (one after the other). */
static inline int mdev_table(struct mdev *d, struct mchain *c)
{
	uint64_t off = c->table - d->mem_addr;
	unsigned n = c->table_len / 16;
	const uint8_t *t;

	if (!d->indirect)
		return mdev_wrong(d, "INDIRECT without the feature");
	if (!n || c->table_len % 16)
		return mdev_wrong(d, "an indirect table of odd length");
	if (c->table < d->mem_addr || off > d->mem_len || c->table_len > d->mem_len - off)
		return mdev_wrong(d, "an indirect table outside the queue's memory");
	if (n > d->size)
		return mdev_wrong(d, "2.7.5.3.1, 2.8.17: a chain longer than the queue");
	t = d->mem + off;
	c->hash = hash_bytes(c->hash, t, c->table_len);
	for (unsigned i = 0, steps = 0;; steps++) {
		const uint8_t *e = t + 16 * i;
		unsigned flags = get16(e + (d->packed ? 14 : 12));

		if (flags & ~(unsigned)(F_WRITE | (d->packed ? 0 : F_NEXT)))
			return mdev_wrong(d, "a flag that is not for indirect tables");
		if (mdev_piece(d, c, e, flags) < 0)
			return -1;
		if (d->packed ? i + 1 == n : !(flags & F_NEXT))
			return 0;
		i = d->packed ? i + 1 : get16(e + 14);
		if (i >= n || steps >= n)
			return mdev_wrong(d, "next leaves the indirect table, or loops");
	}
}

/* Walks a split chain; marks its descriptors as the device's, or as the driver's again. */
static inline int split_walk(struct mdev *d, struct mchain *c, bool take)
{
	unsigned at = c->id;

	c->hash = c->ndescs = c->out = c->in = c->table_len = 0;
	for (;;) {
		const uint8_t *e = d->desc + 16 * (at % d->size);
		unsigned flags = get16(e + 12);

		if (at >= d->size)
			return mdev_wrong(d, "a descriptor index beyond the queue");
		if (d->busy[at] == take)
			return mdev_wrong(d, take ? "a descriptor that is the device's already"
						  : "a chain changed in the device's hands");
		d->busy[at] = take;
		c->ndescs++;
		c->hash = hash_bytes(c->hash, e, 16);
		if (flags & ~(unsigned)(F_NEXT | F_WRITE | F_INDIRECT))
			return mdev_wrong(d, "flags that 2.7.5 does not know");
		if (flags & F_INDIRECT) {
			if (flags & F_NEXT)
				return mdev_wrong(d, "2.7.5.3.1: both INDIRECT and NEXT");
			c->table = get_bytes(e, 8);
			c->table_len = (uint32_t)get_bytes(e + 8, 4);
			return mdev_table(d, c);
		}
		if (mdev_piece(d, c, e, flags) < 0)
			return -1;
		if (!(flags & F_NEXT))
			return 0;
		at = get16(e + 14);
	}
}

static inline int split_take(struct mdev *d, struct mchain *c)
{
	uint16_t idx = (uint16_t)get16(d->driver + 2);
	uint16_t ahead = (uint16_t)(idx - d->seen);

	if (get16(d->driver) > !d->event_idx)
		return mdev_wrong(d, "2.7.7.1: flags of the available ring");
	if (ahead > d->size)
		return mdev_wrong(d, "the available index ran too far");
	if (!ahead)
		return 0;
	c->id = get16(d->driver + 4 + 2 * (d->seen % d->size));
	if (c->id >= d->size)
		return mdev_wrong(d, "a head beyond the queue");
	if (split_walk(d, c, true) < 0)
		return -1;
	d->seen++;
	return 1;
}

static inline int packed_take(struct mdev *d, struct mchain *c)
{
	c->hash = c->ndescs = c->out = c->in = c->table_len = 0;
	if (get16(d->driver + 2) > (d->event_idx ? EVENTS_DESC : EVENTS_DISABLE))
		return mdev_wrong(d, "2.8.10: event flags of the driver");
	if (get16(d->driver + 2) == EVENTS_DESC && get16(d->driver) % 32768 >= d->size)
		return mdev_wrong(d, "2.8.10: an event offset beyond the ring");
	for (;;) {
		uint64_t number = d->seen + c->ndescs;
		const uint8_t *e = d->desc + 16 * (number % d->size);
		unsigned flags = get16(e + 14), wrap = wrap_at(number, d->size);
		bool available = !!(flags & F_AVAIL) == wrap && !!(flags & F_USED) != wrap;

		if (!available && !c->ndescs)
			return 0;
		if (!available)
			return mdev_wrong(d, "2.8.6: AVAIL and USED inside of a list");
		if (number - d->used >= d->size)
			return mdev_wrong(d, "more descriptors available than the ring has");
		if (flags & ~(unsigned)(F_NEXT | F_WRITE | F_INDIRECT | F_AVAIL | F_USED))
			return mdev_wrong(d, "flags that 2.8 does not know");
		memcpy(d->shadow[number % d->size], e, 16);
		c->id = get16(e + 12);
		c->ndescs++;
		if (flags & F_INDIRECT) {
			if (flags & F_NEXT || c->ndescs > 1)
				return mdev_wrong(d, "2.8.17: INDIRECT in a list");
			c->table = get_bytes(e, 8);
			c->table_len = (uint32_t)get_bytes(e + 8, 4);
			if (mdev_table(d, c) < 0)
				return -1;
		} else if (mdev_piece(d, c, e, flags) < 0) {
			return -1;
		}
		if (!(flags & F_NEXT))
			break;
	}
	d->seen += c->ndescs;
	return 1;
}

/* The next chain that the driver made available: 1, 0: none, -1: it broke d->wrong. */
static inline int mdev_take(struct mdev *d, struct mchain *c)
{
	return d->packed ? packed_take(d, c) : split_take(d, c);
}

/* What the device keeps of a chain until it is done. */
struct mheld {
	uint32_t token;
	uint64_t in_len, hash, table;
	uint32_t table_len;
	unsigned id, ndescs;
};

/*
 * Uses a chain: it must still be what it was (a driver does not change what it made available).
 * Not visible before mdev_show(). junk fills what a driver has to ignore.
 */
static inline int mdev_give(struct mdev *d, const struct mheld *h, uint32_t len, uint64_t junk)
{
	if (!d->packed) {
		uint8_t *e = d->device + 4 + 8 * (d->used % d->size);
		struct mchain now = {.id = h->id};

		if (split_walk(d, &now, false) < 0)
			return -1;
		if (now.hash != h->hash || now.ndescs != h->ndescs)
			return mdev_wrong(d, "a chain changed in the device's hands");
		put_bytes(e, 4, h->id);
		put_bytes(e + 4, 4, len);
		d->used++;
		return 0;
	}
	for (unsigned i = 0; i < h->ndescs; i++) {
		unsigned slot = (d->used + i) % d->size;

		if (memcmp(d->desc + 16 * slot, d->shadow[slot], 16))
			return mdev_wrong(d, "2.8.13: a descriptor changed in the device's hands");
	}
	if (h->table_len &&
	    hash_bytes(0, d->mem + (h->table - d->mem_addr), h->table_len) != h->hash)
		return mdev_wrong(d, "an indirect table changed in the device's hands");
	/* 2.8.4, 2.8.6: the address means nothing, NEXT is to be ignored. */
	uint8_t *e = d->desc + 16 * (d->used % d->size);
	unsigned flags = (wrap_at(d->used, d->size) ? F_AVAIL | F_USED : 0) | (len ? F_WRITE : 0) |
			 (junk % 8 ? 0 : F_NEXT);

	put_bytes(e, 8, junk);
	put_bytes(e + 8, 4, len);
	put16(e + 12, h->id);
	if (d->used == d->shown)
		d->first_flags = flags;
	else
		put16(e + 14, flags);
	d->used += h->ndescs;
	return 0;
}

/* Whether a notification is due for the numbers from .. to: 2.7.7.2, 2.7.10 and 2.8.10. */
static inline bool event_due(bool packed, bool event_idx, unsigned size, const uint8_t *flags_at,
			     const uint8_t *event_at, uint64_t from, uint64_t to)
{
	unsigned flags = get16(flags_at), event = get16(event_at);

	if (from == to)
		return false;
	if (packed && flags != EVENTS_DESC)
		return flags == EVENTS_ENABLE;
	if (!packed && !event_idx)
		return flags == 0;
	for (uint64_t i = from; i < to; i++) {
		if (!packed && (uint16_t)i == event)
			return true;
		if (packed && i % size == event % 32768 && wrap_at(i, size) == event / 32768)
			return true;
	}
	return false;
}

/* Shows what was used. True: the driver must be interrupted. */
static inline bool mdev_show(struct mdev *d)
{
	uint64_t from = d->shown;

	if (d->used == from)
		return false;
	if (d->packed)
		put16(d->desc + 16 * (from % d->size) + 14, d->first_flags);
	else
		put16(d->device + 2, d->used);
	d->shown = d->used;
	return event_due(d->packed, d->event_idx, d->size, d->driver + (d->packed ? 2 : 0),
			 d->driver + (d->packed ? 0 : 4 + 2 * d->size), from, d->used);
}

/* Whether what was made available between two values of d->seen must be told to the device. */
static inline bool mdev_kick_due(const struct mdev *d, uint64_t from)
{
	return event_due(d->packed, d->event_idx, d->size, d->device + (d->packed ? 2 : 0),
			 d->device + (d->packed ? 0 : 4 + 8 * d->size), from, d->seen);
}

/* Some event for running numbers around `number`, or anywhere. */
static inline unsigned some_event(uint64_t *r, bool packed, unsigned size, uint64_t number)
{
	uint64_t n = number + rnd_below(r, 8);

	if (rnd_one_in(r, 4))
		n = rnd(r) >> 20;
	else if (number > 8 && rnd_one_in(r, 4))
		n = number - rnd_below(r, 8);
	return packed ? (unsigned)(n % size | wrap_at(n, size) << 15) : (uint16_t)n;
}

/*
 * Wishes for notifications, as the side that writes them may put them: flags at one place, event
 * at another. What has no meaning without (or with) the event index is junk: it must be ignored.
 */
static inline void some_wishes(uint64_t *r, bool packed, bool event_idx, unsigned size,
			       uint64_t number, uint8_t *flags_at, uint8_t *event_at)
{
	put16(flags_at, rnd_below(r, packed && event_idx ? 3 : 2));
	put16(event_at, some_event(r, packed, size, number));
}

static inline void mdev_wishes(struct mdev *d, uint64_t *r)
{
	some_wishes(r, d->packed, d->event_idx, d->size, d->seen, d->device + (d->packed ? 2 : 0),
		    d->device + (d->packed ? 0 : 4 + 8 * d->size));
}

#endif
