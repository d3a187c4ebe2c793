/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of one virtqueue: pop, push, flush. Split and packed are a file each
 * (dev_split.c, dev_packed.c). One thread uses a queue. Everything the driver wrote is read once,
 * copied, and checked: loops, chains longer than the queue, addresses outside its memory, indirect
 * tables of odd length, nested or mixed with next, writable before readable are -EPROTO, after
 * which the queue stays broken and dev_why says why (a device would set DEVICE_NEEDS_RESET).
 */
#ifndef VB_ENGINES_DEV_H
#define VB_ENGINES_DEV_H

#include "engines/mem.h"
#include "engines/ring.h"

#define DEV_IOVS                                                                            \
	260 /* pieces of one chain: seg_max 254 with header and status, and some that cross \
	       regions */

/* A chain as it was popped: what the driver lets us read, then what it lets us write. */
struct dev_chain {
	uint16_t id;	  /* split: head index; packed: buffer id */
	uint16_t ndescs;  /* ring descriptors that it takes (packed: what push has to skip) */
	uint16_t out, in; /* pieces: iov[0..out) to be read, iov[out..out+in) to be written */
	uint64_t out_len, in_len;
	struct iovec iov[DEV_IOVS];
};

struct dev_vq;

/*
 * Makes the device's side over areas that lie in this process (mem_at_user found them). base: where
 * to go on, as SET_VRING_BASE has it: split: next available index; packed: bits 0-14 available
 * index, 15 its wrap counter, 16-30 used index, 31 its wrap counter (0x80008000 at the start). mem
 * is borrowed. -EINVAL with a sentence when options, alignment (2.7, 2.8.13) or base cannot be.
 */
int dev_make(struct dev_vq **out, const struct ring_opts *o, const struct ring_areas *areas,
	     uint32_t base, const struct mem *mem, struct err *e);
void dev_free(struct dev_vq *q);

/* The next chain: 1; 0 when there is none; -EPROTO. */
int dev_pop(struct dev_vq *q, struct dev_chain *c);

/* Gives a chain back, in any order, with the bytes that were written into it. Not visible before
 * dev_flush. */
void dev_push(struct dev_vq *q, uint16_t id, uint16_t ndescs, uint32_t written);

/* Makes all that was pushed visible. True: the driver wants an interrupt. */
bool dev_flush(struct dev_vq *q);

/* No kicks, please / a kick at the next chain, please; false: one is there already. */
void dev_suppress(struct dev_vq *q);
bool dev_arm(struct dev_vq *q);

/* For GET_VRING_BASE, in the form that dev_make takes. With chains in flight the caller waits for
 * them first. */
uint32_t dev_base(const struct dev_vq *q);
const char *dev_why(const struct dev_vq *q);

struct dev_counters {
	uint64_t popped, pushed, flushes, interrupts, arms, empty;
};
const struct dev_counters *dev_counters(const struct dev_vq *q);

#endif
