// SPDX-License-Identifier: GPL-2.0-or-later
/* The device's side of a virtqueue: what both layouts have in common. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "engines/dev_internal.h"

static bool aligned(const void *p, uintptr_t to)
{
	return p && !((uintptr_t)p & (to - 1));
}

static int areas_check(const struct ring_opts *o, const struct ring_areas *a, struct err *e)
{
	/* 2.7 and 2.8.10.1; without it the atomic accesses would not be. */
	if (!aligned(a->desc, 16))
		return err_input(e, "the descriptor area is missing or not aligned to 16 bytes");
	if (!aligned(a->driver, o->packed ? 4 : 2))
		return err_input(e, "the driver area is missing or not aligned to %d bytes",
				 o->packed ? 4 : 2);
	if (!aligned(a->device, 4))
		return err_input(e, "the device area is missing or not aligned to 4 bytes");
	return 0;
}

/*
 * Only the available index is handed over; the used index is in the ring. They differ by what a
 * device that went away before us left undone.
 */
static int split_start(struct dev_vq *q, uint32_t base, struct err *e)
{
	if (base > UINT16_MAX)
		return err_input(e, "ring base %#x: a split ring's is at most 0xffff", base);
	q->avail = q->seen = (uint16_t)base;
	q->used = le16toh(__atomic_load_n(&q->used_ring->idx, __ATOMIC_ACQUIRE));
	q->held = (uint16_t)(q->avail - q->used);
	if (q->held > q->size)
		return err_input(e,
				 "ring base %u: the ring's used index is %u, and a queue of %u "
				 "entries cannot have %u chains in flight",
				 base, q->used, q->size, q->held);
	q->asked = le16toh(__atomic_load_n((uint16_t *)(void *)&q->used_ring->ring[q->size],
					   __ATOMIC_RELAXED));
	return 0;
}

static int packed_start(struct dev_vq *q, uint32_t base, struct err *e)
{
	uint32_t avail = base & 0x7fff, used = base >> 16 & 0x7fff;
	bool avail_wrap = base >> 15 & 1, used_wrap = base >> 31;

	if (avail >= q->size || used >= q->size)
		return err_input(e,
				 "ring base %#x: index %u or %u lies outside a ring of %u entries",
				 base, avail, used, q->size);
	if (avail_wrap == used_wrap ? avail < used : avail > used)
		return err_input(e, "ring base %#x: the used index is ahead of the available one",
				 base);
	q->held = avail_wrap == used_wrap ? avail - used : avail + q->size - used;
	q->avail = (uint16_t)avail;
	q->used = (uint16_t)used;
	q->avail_bits = packed_avail_bits(avail_wrap);
	q->used_bits = packed_used_bits(used_wrap);
	return 0;
}

int dev_make(struct dev_vq **out, const struct ring_opts *o, const struct ring_areas *areas,
	     uint32_t base, const struct mem *mem, struct err *e)
{
	const char *why = ring_why_not(o);
	struct dev_vq *q;
	int rc;

	*out = NULL;
	if (why)
		return err_input(e, "%u entries: %s", o->size, why);
	rc = areas_check(o, areas, e);
	if (rc)
		return rc;
	q = xcalloc(1, sizeof(*q));
	q->packed = o->packed;
	q->event_idx = o->event_idx;
	q->indirect = o->indirect;
	q->size = o->size;
	q->longest = o->size > DEV_IOVS ? o->size : DEV_IOVS;
	q->desc = areas->desc;
	if (q->packed) {
		q->driver_event = areas->driver;
		q->device_event = areas->device;
	} else {
		q->avail_ring = areas->driver;
		q->used_ring = areas->device;
	}
	q->mem = mem;
	q->hot = &mem->region[0];
	q->asking = true; /* zeroed areas ask for kicks */
	rc = q->packed ? packed_start(q, base, e) : split_start(q, base, e);
	if (rc) {
		free(q);
		return rc;
	}
	q->taken = xcalloc(q->size, sizeof(*q->taken));
	*out = q;
	return 0;
}

void dev_free(struct dev_vq *q)
{
	if (!q)
		return;
	free(q->taken);
	free(q);
}

int dev_break(struct dev_vq *q, const char *fmt, ...)
{
	va_list ap;

	if (!q->broken) {
		va_start(ap, fmt);
		vsnprintf(q->why, sizeof(q->why), fmt, ap);
		va_end(ap);
		q->broken = true;
	}
	return -EPROTO;
}

const char *dev_why(const struct dev_vq *q)
{
	return q->broken ? q->why : NULL;
}

int dev_map_slow(struct dev_vq *q, uint64_t addr, uint32_t len, struct iovec *iov, unsigned max)
{
	int n = mem_iov(q->mem, addr, len, iov, max);

	if (n == -EMSGSIZE)
		return dev_break(q, "a chain has more than %d pieces", DEV_IOVS);
	if (n < 0)
		return dev_break(q,
				 "%u bytes at address %#llx are not wholly in the driver's memory",
				 len, (unsigned long long)addr);
	for (unsigned i = 0; i < q->mem->n; i++) {
		if (addr - q->mem->region[i].guest < q->mem->region[i].size)
			q->hot = &q->mem->region[i];
	}
	return n;
}

const char *dev_table(struct dev_vq *q, struct dev_desc d)
{
	const char *table;

	if (!q->indirect) {
		dev_break(q,
			  "an indirect descriptor, but VIRTIO_F_INDIRECT_DESC is not negotiated");
		return NULL;
	}
	if (!d.len || d.len % 16) {
		dev_break(q, "an indirect table of %u bytes, which is no number of descriptors",
			  d.len);
		return NULL;
	}
	if (likely(d.addr - q->hot->guest < q->hot->size &&
		   d.len <= q->hot->size - (d.addr - q->hot->guest)))
		return q->hot->at + (d.addr - q->hot->guest);
	table = mem_at(q->mem, d.addr, d.len);
	if (!table)
		dev_break(q,
			  "an indirect table of %u bytes at %#llx is not in one piece of the "
			  "driver's memory",
			  d.len, (unsigned long long)d.addr);
	return table;
}

int dev_pop(struct dev_vq *q, struct dev_chain *c)
{
	if (unlikely(q->broken))
		return -EPROTO;
	return q->packed ? packed_pop(q, c) : split_pop(q, c);
}

void dev_push(struct dev_vq *q, uint16_t id, uint16_t ndescs, uint32_t written)
{
	if (unlikely(id >= q->size || !ndescs || q->taken[id] != ndescs)) {
		dev_break(q,
			  "the device gave back chain %u of %u descriptors, which it does not "
			  "have: a bug of the device's",
			  id, ndescs);
		return;
	}
	q->taken[id] = 0;
	q->count.pushed++;
	if (q->packed)
		packed_push(q, id, ndescs, written);
	else
		split_push(q, id, written);
}

bool dev_flush(struct dev_vq *q)
{
	bool irq;

	if (!q->pending)
		return false;
	irq = q->packed ? packed_flush(q) : split_flush(q);
	q->held -= q->pending;
	q->pending = 0;
	q->count.flushes++;
	q->count.interrupts += irq;
	return irq;
}

void dev_suppress(struct dev_vq *q)
{
	if (!q->asking)
		return;
	q->asking = false;
	if (q->packed)
		packed_suppress(q);
	else
		split_suppress(q);
}

bool dev_arm(struct dev_vq *q)
{
	bool armed;

	/* A broken queue has something to say at the next pop. */
	if (q->broken)
		return false;
	q->count.arms++;
	q->asking = true;
	armed = q->packed ? packed_arm(q) : split_arm(q);
	if (!armed)
		dev_suppress(q);
	return armed;
}

uint32_t dev_base(const struct dev_vq *q)
{
	if (!q->packed)
		return q->avail;
	return q->avail | (uint32_t)(q->avail_bits == packed_avail_bits(true)) << 15 |
	       (uint32_t)q->used << 16 | (uint32_t)(q->used_bits == packed_used_bits(true)) << 31;
}

const struct dev_counters *dev_counters(const struct dev_vq *q)
{
	return &q->count;
}
