/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver's side of a queue from inside: what both layouts keep, and the table that picks one.
 */
#ifndef VB_ENGINES_DRV_INTERNAL_H
#define VB_ENGINES_DRV_INTERNAL_H

#include <endian.h>
#include "engines/drv.h"

#define DRV_LINE 64 /* bytes of a cache line, as the counters mean it */

/* Of drv_rewrite: no descriptor has this flag, so that what a shadow remembers with it differs from
 * whatever is to be written. */
#define DRV_REWRITE 0x8000u

/* One entry of an indirect table, or of the split ring's descriptor table: 16 bytes on all sides.
 */
struct drv_table_entry {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

/* A chain that may be outstanding: split: by head index; packed: by buffer id. */
struct drv_chain {
	uint32_t token;
	uint32_t number; /* how many were added before it, modulo 2^32 */
	uint16_t ndescs; /* ring descriptors that it holds; 0: it is free */
};

struct drv_ops {
	int (*add)(struct drv_vq *q, const struct drv_seg *segs, unsigned out, unsigned in,
		   uint32_t token);
	bool (*publish)(struct drv_vq *q);
	int (*harvest)(struct drv_vq *q, struct drv_done *done, unsigned max);
	void (*suppress)(struct drv_vq *q);
	bool (*arm)(struct drv_vq *q, unsigned after);
	void (*start)(struct drv_vq *q);
};

extern const struct drv_ops drv_split_ops, drv_packed_ops;

struct drv_split {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t *used_event;  /* ours, behind the available ring */
	uint16_t *avail_event; /* the device's, behind the used ring */
	uint16_t mask;
	uint16_t idx;	    /* next available index, not all of it published */
	uint16_t published; /* what avail->idx says */
	uint16_t last_used, used_seen, event;
	struct drv_table_entry *shadow; /* of desc: what lies there already is not written again */
	size_t desc_line;		/* written last */
};

struct drv_packed {
	struct vring_packed_desc *desc;
	uint32_t *ours, *theirs; /* event suppression: driver's area, device's area */
	uint16_t next, next_used;
	uint16_t first, first_flags; /* of the batch that is not published yet */
	uint16_t pending;	     /* its descriptors */
	uint16_t shortest;	     /* chain ever added, in descriptors */
	bool wrap, used_wrap;
};

struct drv_vq {
	const struct drv_ops *ops;
	struct ring_opts o;
	struct ring_areas areas;
	unsigned max_segs, nfree; /* free ring descriptors */
	unsigned outstanding;
	uint64_t shown;		 /* n.added at the last publish */
	uint16_t rewrite;	 /* DRV_REWRITE or 0: in the flags of what the shadows remember */
	struct drv_chain *chain; /* o.size of them */
	uint16_t *free, *place;	 /* stack of free heads or ids, and where each lies in it */
	unsigned nheads;
	char *tables; /* indirect tables: one of `stride` bytes for each head or id */
	uint64_t tables_addr;
	size_t stride;
	struct drv_table_entry *table_shadow;
	struct drv_counters n;
	char why[160];
	union {
		struct drv_split split;
		struct drv_packed packed;
	};
};

/* Breaks the queue for ever; -EPROTO. */
int drv_broken(struct drv_vq *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * A free head or id: the token itself if it can be had (then the chain's table holds what it held
 * the last time, and its lines need not move), else the one freed last.
 */
static inline uint16_t drv_take(struct drv_vq *q, uint32_t token)
{
	uint16_t id, at, last;

	if (token < q->o.size && !q->chain[token].ndescs)
		id = (uint16_t)token;
	else
		id = q->free[q->nheads - 1];
	at = q->place[id];
	last = q->free[--q->nheads];
	q->free[at] = last;
	q->place[last] = at;
	return id;
}

static inline void drv_give(struct drv_vq *q, uint16_t id)
{
	q->chain[id].ndescs = 0;
	q->place[id] = (uint16_t)q->nheads;
	q->free[q->nheads++] = id;
}

/* Whether a chain that is outstanding is one that the device cannot know of yet: one of those that
 * were added since the last publish. */
static inline bool drv_is_hidden(const struct drv_vq *q, uint16_t id)
{
	uint64_t hidden = q->n.added - q->shown;

	return hidden && (uint32_t)q->n.added - 1 - q->chain[id].number < hidden;
}

/* Writes the table of a chain; only entries that differ from what is there (unless drv_rewrite says
 * otherwise). Its device address. */
static inline uint64_t drv_table(struct drv_vq *q, uint16_t id, const struct drv_seg *segs,
				 unsigned out, unsigned in)
{
	struct drv_table_entry *at = (void *)(q->tables + id * q->stride);
	struct drv_table_entry *old = q->table_shadow + (size_t)id * q->max_segs;
	unsigned n = out + in, i;

	for (i = 0; i < n; i++) {
		uint16_t flags = 0, next = 0;

		if (i >= out)
			flags |= VRING_DESC_F_WRITE;
		/* packed tables are in order and have no next (2.8.7) */
		if (!q->o.packed && i + 1 < n) {
			flags |= VRING_DESC_F_NEXT;
			next = (uint16_t)(i + 1);
		}
		if (old[i].addr == segs[i].addr && old[i].len == segs[i].len &&
		    old[i].flags == flags && old[i].next == next)
			continue;
		old[i] = (struct drv_table_entry){segs[i].addr, segs[i].len, flags | q->rewrite,
						  next};
		if (q->o.packed) {
			/* the same 16 bytes, but addr, len, id, flags (2.8.13) */
			struct vring_packed_desc *d = (void *)&at[i];

			d->addr = htole64(segs[i].addr);
			d->len = htole32(segs[i].len);
			d->id = 0;
			d->flags = htole16(flags);
		} else {
			at[i].addr = htole64(segs[i].addr);
			at[i].len = htole32(segs[i].len);
			at[i].flags = htole16(flags);
			at[i].next = htole16(next);
		}
	}
	return q->tables_addr + id * q->stride;
}

/* How many lines an array of `size`-byte entries from `from` for n entries spans, wrapping at
 * `entries`; base: its offset in its line. */
static inline unsigned drv_lines(size_t base, size_t size, unsigned from, unsigned n,
				 unsigned entries)
{
	unsigned lines = 0;

	while (n) {
		unsigned run = n < entries - from ? n : entries - from;
		size_t a = base + size * from, b = base + size * (from + run) - 1;

		lines += (unsigned)(b / DRV_LINE - a / DRV_LINE) + 1;
		n -= run;
		from = 0;
	}
	return lines;
}

#endif
