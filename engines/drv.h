/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver's side of one virtqueue: add, publish (and kick), harvest. Split and packed are a file
 * each (drv_split.c, drv_packed.c) behind this interface. One thread uses a queue; the other side
 * is another thread, process or machine and is not trusted: an id that is not outstanding, a chain
 * used twice or before it was published, or an index that ran too far is -EPROTO, never a wild
 * access. Lengths are bytes.
 */
#ifndef VB_ENGINES_DRV_H
#define VB_ENGINES_DRV_H

#include "base/err.h"
#include "engines/ring.h"

/* A piece of memory as the device addresses it. */
struct drv_seg {
	uint64_t addr;
	uint32_t len;
};

/* A completion: the token of drv_add, and how many bytes the device says it wrote. */
struct drv_done {
	uint32_t token, len;
};

/*
 * What the queue has done since drv_make. Lines are 64-byte lines of the areas: a line counts once
 * in each publish (written) or harvest (read), which is what has to move between the two cores.
 * Indirect tables, and the caller's headers and status bytes, come on top.
 */
struct drv_counters {
	uint64_t added;	    /* chains */
	uint64_t descs;	    /* ring descriptors written: one that lies there already is not (split,
			       without     drv_rewrite) */
	uint64_t publishes; /* batches made visible */
	uint64_t kicks;	    /* publishes for which the device wanted to be notified */
	uint64_t harvests;  /* batches taken, empty ones not counted */
	uint64_t done;	    /* chains taken back */
	uint64_t empty;	    /* looks at the ring that found nothing */
	uint64_t arms;	    /* times an interrupt was asked for */
	uint64_t lines_written; /* of the areas, by publishes */
	uint64_t lines_read;	/* of the device's area (split) or ring (packed), by harvests */
};

struct drv_vq;

/* Shared memory for one queue: the areas and, with indirect descriptors, a table of max_segs
 * entries for each chain that can be outstanding. At most max_segs segments go into a chain. */
size_t drv_bytes(const struct ring_opts *o, unsigned max_segs);

/*
 * Makes a queue in mem (drv_bytes() of zeroed, page-aligned memory, which stays the caller's),
 * which the device sees at addr. -EINVAL with a sentence when the options cannot be. Free with
 * drv_free.
 */
int drv_make(struct drv_vq **out, const struct ring_opts *o, unsigned max_segs, void *mem,
	     uint64_t addr, struct err *e);
void drv_free(struct drv_vq *q);

/* Where the areas lie in mem: for SET_VRING_ADDR, and for a device in the same process. */
void drv_areas(const struct drv_vq *q, struct ring_areas *out);

/*
 * Before the first drv_add: whether each chain's descriptors and its table are written again
 * although the same ones lie there already, as drivers of kernels do; false after drv_make. A split
 * ring's tables stay where they are, and so do a caller's buffers, so that otherwise most of what a
 * driver in use writes goes unwritten; packed descriptors are overwritten by the device and leave
 * nothing to skip but tables.
 */
void drv_rewrite(struct drv_vq *q, bool all);

/*
 * Adds a chain: segs holds `out` device-readable segments, then `in` device-writable ones
 * (2.7.4.2). Not visible to the device before drv_publish. token comes back with the completion and
 * is below 2^31; two chains may carry the same. 0; -ENOSPC: no room now; -EMSGSIZE: no such chain
 * fits into this ring ever (more segments than max_segs, or than entries: 2.7.5.3.1, 2.8.5 forbid
 * it for indirect tables too).
 */
int drv_add(struct drv_vq *q, const struct drv_seg *segs, unsigned out, unsigned in,
	    uint32_t token);

/* How many chains of nsegs segments could be added now. */
unsigned drv_room(const struct drv_vq *q, unsigned nsegs);

/* Makes all that was added visible at once. True: the device wants to be notified (and it must be
 * after this returns). False also when nothing was added. */
bool drv_publish(struct drv_vq *q);

/* Takes at most max completions. How many, 0 if there are none, -EPROTO (for ever) if the device
 * broke the ring: drv_why says how. */
int drv_harvest(struct drv_vq *q, struct drv_done *done, unsigned max);
const char *drv_why(const struct drv_vq *q);

/* Chains that were added and not harvested. */
unsigned drv_outstanding(const struct drv_vq *q);

/* No interrupts, please: the caller polls. A hint (2.7.7, 2.8.10): one may still come. */
void drv_suppress(struct drv_vq *q);

/*
 * Asks for an interrupt once `after` (1 ..) more chains are used, as far as the layout can say that
 * (event index; packed counts descriptors, so it may come earlier), else at the next one. False: so
 * many are there already, or the ring cannot tell: harvest instead of sleeping; suppression is then
 * as drv_suppress leaves it. An arm holds until the next harvest that takes something; nothing is
 * to be added between arm and sleep, since a shorter chain than all before could delay the
 * interrupt.
 */
bool drv_arm(struct drv_vq *q, unsigned after);

const struct drv_counters *drv_counters(const struct drv_vq *q);

#endif
