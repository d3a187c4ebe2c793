/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of one virtqueue: pop, push, flush. Split and packed are a file each
 * (dev_split.c, dev_packed.c). One thread uses a queue. Everything the driver wrote is read once,
 * copied, and checked. -EPROTO, after which the queue stays broken and dev_why says why (a device
 * would set DEVICE_NEEDS_RESET), are: an available index that runs further than the ring has room;
 * indices, next fields and buffer ids outside the ring; a chain made available again before it was
 * used; loops; chains longer than the queue, than 2^32 bytes, or of more pieces than DEV_IOVS;
 * addresses outside the driver's memory; writable before readable; indirect tables that were not
 * negotiated, are empty, of odd length, nested, mixed with next, or not in one piece of memory; in
 * the packed ring, a list of which not every descriptor is marked available.
 *
 * What is allowed: descriptors of length 0 (no section forbids them; they add no piece, and their
 * address is not looked at); indirect tables longer than the queue, though 2.7.5.3.1 tells drivers
 * not to, since Linux makes them by seg_max alone; split: a table at the end of a chain
 * (2.7.5.3.2).
 */
#ifndef VB_ENGINES_DEV_H
#define VB_ENGINES_DEV_H

#include "engines/mem.h"
#include "engines/ring.h"

/* Pieces of one chain: seg_max 254 with header and status, and some that cross regions. */
#define DEV_IOVS 260

/* A chain as it was popped: what the driver lets us read, then what it lets us write. */
struct dev_chain {
	uint16_t id;	  /* split: head index; packed: buffer id; below the size, and no other
			     chain that is in flight has it */
	uint16_t ndescs;  /* ring descriptors that it takes (packed: what push has to skip) */
	uint16_t out, in; /* pieces: iov[0..out) to be read, iov[out..out+in) to be written */
	uint64_t out_len, in_len;
	struct iovec iov[DEV_IOVS];
};

struct dev_vq;

/*
 * Makes the device's side over areas that lie in this process (mem_at_user found them). base: where
 * to go on, as SET_VRING_BASE has it: split: next available index; packed: bits 0-14 available
 * index, 15 its wrap counter, 16-30 used index, 31 its wrap counter (0x80008000 at the start). The
 * used index of a split ring is taken from its used ring, as the driver last saw it; it may be
 * behind base by at most the queue's size. mem is borrowed, and does not change while the queue
 * lives. -EINVAL with a sentence when options, alignment (2.7, 2.8.10.1) or base cannot be.
 */
int dev_make(struct dev_vq **out, const struct ring_opts *o, const struct ring_areas *areas,
	     uint32_t base, const struct mem *mem, struct err *e);
void dev_free(struct dev_vq *q);

/* The next chain: 1; 0 when there is none; -EPROTO. Only the pieces that it has are written into
 * c->iov. Chains in flight never take more of the ring than there is. */
int dev_pop(struct dev_vq *q, struct dev_chain *c);

/* Gives a chain back, in any order, with the bytes that were written into it: id and ndescs as
 * dev_pop gave them (others break the queue). Not visible before dev_flush. */
void dev_push(struct dev_vq *q, uint16_t id, uint16_t ndescs, uint32_t written);

/* Makes all that was pushed visible at once. True: the driver wants an interrupt. False also when
 * nothing was pushed. */
bool dev_flush(struct dev_vq *q);

/* No kicks, please (a hint: one may still come). */
void dev_suppress(struct dev_vq *q);
/* A kick at the next chain, please. False: one is there already (or the queue is broken), pop
 * instead of sleeping; kicks are then as dev_suppress leaves them. */
bool dev_arm(struct dev_vq *q);

/* For GET_VRING_BASE, in the form that dev_make takes. With chains in flight the caller waits for
 * them first. */
uint32_t dev_base(const struct dev_vq *q);
/* What the driver did wrong, or NULL; lives as long as the queue. */
const char *dev_why(const struct dev_vq *q);

/* Since dev_make; empty: looks at the ring that found nothing; interrupts: flushes that were true.
 */
struct dev_counters {
	uint64_t popped, pushed, flushes, interrupts, arms, empty;
};
const struct dev_counters *dev_counters(const struct dev_vq *q);

#endif
