/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What dev.c, dev_split.c and dev_packed.c share: the queue, how a descriptor is read, and how a
 * chain becomes pieces of memory. Nobody else includes this.
 */
#ifndef VB_ENGINES_DEV_INTERNAL_H
#define VB_ENGINES_DEV_INTERNAL_H

#include <endian.h>
#include <errno.h>
#include "engines/dev.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

struct dev_vq {
	/* Set when the queue is made. */
	bool packed, event_idx, indirect;
	bool broken; /* why[] says why; for good */
	bool asking; /* the driver may kick us, as far as we have told it */
	uint32_t size;
	uint32_t longest; /* descriptors that one chain may have, indirect ones included */
	const char *desc;
	union {
		struct vring_avail *avail_ring; /* split */
		uint32_t *driver_event;		/* packed: off_wrap, then flags */
	};
	union {
		struct vring_used *used_ring;
		uint32_t *device_event;
	};
	const struct mem *mem;
	const struct mem_region *hot; /* where the last address was found */
	uint16_t *taken; /* by id: ring descriptors of the chain that we have; 0: none */

	/*
	 * Descriptors (packed) or chains (split) that are ours as the driver sees it: popped, and
	 * not flushed.
	 */
	uint32_t held;
	uint32_t pending; /* of these, pushed */

	/*
	 * Split: free-running indices. Packed: places in the ring, whose wrap counters are kept as
	 * the flags that they make: what an available descriptor looks like at `avail`, and a used
	 * one at `used`.
	 */
	uint16_t avail, used;
	uint16_t seen;	/* split: avail->idx as it was last read */
	uint16_t asked; /* split: avail_event as it was last written */
	uint16_t avail_bits, used_bits;
	uint16_t first, first_flags; /* packed: what opens the batch (see packed_flush) */
	uint16_t first_bits;

	struct dev_counters count;
	char why[200];
};

int split_pop(struct dev_vq *q, struct dev_chain *c);
void split_push(struct dev_vq *q, uint16_t id, uint32_t written);
bool split_flush(struct dev_vq *q);
void split_suppress(struct dev_vq *q);
bool split_arm(struct dev_vq *q);

int packed_pop(struct dev_vq *q, struct dev_chain *c);
void packed_push(struct dev_vq *q, uint16_t id, uint16_t ndescs, uint32_t written);
bool packed_flush(struct dev_vq *q);
void packed_suppress(struct dev_vq *q);
bool packed_arm(struct dev_vq *q);
/* The bits of 2.8.1 that an available, or a used, descriptor has under a wrap counter. */
uint16_t packed_avail_bits(bool wrap);
uint16_t packed_used_bits(bool wrap);

/* Breaks the queue for good; -EPROTO. */
int dev_break(struct dev_vq *q, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));

/* One descriptor as it was at one moment. Both layouts have 8 bytes of address and 4 of length;
 * tail: split: flags, next; packed: id, flags. */
struct dev_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t tail[2];
};

/*
 * Reads a descriptor once: two loads that the compiler can neither repeat nor leave out, so that a
 * driver which changes it meanwhile cannot get past a check. Ordered by the acquire that made the
 * chain known. Nothing in 2.7.5.3 or 2.8.7 aligns indirect tables, hence the type.
 */
static inline struct dev_desc dev_read(const char *at)
{
	typedef uint64_t word __attribute__((aligned(1), may_alias));
	uint64_t addr = le64toh(((const volatile word *)at)[0]);
	uint64_t rest = le64toh(((const volatile word *)at)[1]);

	return (struct dev_desc){
		addr, (uint32_t)rest, {(uint16_t)(rest >> 32), (uint16_t)(rest >> 48)}};
}

/* A chain while it is taken apart. */
struct dev_walk {
	unsigned descs;	 /* of the ring and of tables, empty ones too */
	unsigned pieces; /* iov used */
	unsigned out;	 /* pieces before the first writable one */
	bool writable;	 /* a writable descriptor has been seen */
	uint64_t out_len, in_len;
};

/* What does not lie in the region of the last address: -EPROTO or the number of pieces. */
int dev_map_slow(struct dev_vq *q, uint64_t addr, uint32_t len, struct iovec *iov, unsigned max);

/*
 * Adds one descriptor's memory to the chain. A descriptor of length 0 is allowed, since no section
 * forbids it: it counts as a descriptor and for the order of directions, and its address names
 * nothing and is not looked at.
 */
static inline int dev_piece(struct dev_vq *q, struct dev_chain *c, struct dev_walk *w,
			    struct dev_desc d, bool write)
{
	const struct mem_region *r = q->hot;
	uint64_t off = d.addr - r->guest;

	/* 2.7.4.2, 2.8.17: readable elements come first. */
	if (write && !w->writable) {
		w->writable = true;
		w->out = w->pieces;
	} else if (unlikely(!write && w->writable)) {
		return dev_break(q, "a device-readable descriptor follows a writable one");
	}
	if (write)
		w->in_len += d.len;
	else
		w->out_len += d.len;

	if (likely(d.len && off < r->size && d.len <= r->size - off && w->pieces < DEV_IOVS)) {
		c->iov[w->pieces++] = (struct iovec){r->at + off, d.len};
	} else if (d.len) {
		int n = dev_map_slow(q, d.addr, d.len, c->iov + w->pieces, DEV_IOVS - w->pieces);

		if (n < 0)
			return n;
		w->pieces += (unsigned)n;
	}
	return 0;
}

/* The table of an indirect descriptor; NULL: the queue is broken. */
const char *dev_table(struct dev_vq *q, struct dev_desc d);

/* Fills in what the walk found. */
static inline int dev_done(struct dev_vq *q, struct dev_chain *c, const struct dev_walk *w,
			   unsigned id, unsigned ndescs)
{
	/* 2.7.5.2: no chain is longer than 2^32 bytes. The packed ring's used length has no more
	 * bits than the split one's. */
	if (unlikely(w->out_len + w->in_len > UINT64_C(1) << 32))
		return dev_break(q, "chain %u is longer than 2^32 bytes", id);
	if (unlikely(q->taken[id]))
		return dev_break(q, "chain %u was made available again before it was used", id);
	q->taken[id] = (uint16_t)ndescs;
	q->count.popped++;
	c->id = (uint16_t)id;
	c->ndescs = (uint16_t)ndescs;
	c->out = (uint16_t)(w->writable ? w->out : w->pieces);
	c->in = (uint16_t)(w->pieces - c->out);
	c->out_len = w->out_len;
	c->in_len = w->in_len;
	return 1;
}

#endif
