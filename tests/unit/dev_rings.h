/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings that a test writes by hand, and the device's side over them. */
#ifndef VB_TESTS_DEV_RINGS_H
#define VB_TESTS_DEV_RINGS_H

#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "engines/dev.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

enum { NEXT = 1, WRITE = 2, INDIRECT = 4, AVAIL = 1 << 7, USED = 1 << 15 };

/* The driver's memory: `nearby` at 0x10000, `behind` follows it at 0x11000 and lies elsewhere here;
 * 5 GiB of addresses without memory at BIG. */
#define NEAR 0x10000
#define BIG 0x100000000
static char nearby[0x1000], behind[0x1000];

struct ring {
	struct ring_opts o;
	struct ring_areas a;
	struct mem mem;
	struct dev_vq *q;
	struct vring_desc *desc;	/* split */
	struct vring_packed_desc *slot; /* packed */
	struct vring_avail *avail;
	struct vring_used *used;
	struct vring_packed_desc_event *driver, *device;
};

static struct dev_chain chain;

/* Areas of exactly the bytes that they need, as the sanitizers see. */
static inline void ring_start(struct ring *r, struct ring_opts o, uint32_t base)
{
	struct ring_bytes n = ring_bytes(&o);
	struct err e = {0};

	*r = (struct ring){.o = o};
	r->a.desc = r->desc = aligned_alloc(16, n.desc);
	r->a.driver = malloc(n.driver);
	r->a.device = malloc(n.device);
	r->slot = r->a.desc;
	r->avail = r->a.driver;
	r->used = r->a.device;
	r->driver = r->a.driver;
	r->device = r->a.device;
	memset(r->a.desc, 0, n.desc);
	memset(r->a.driver, 0, n.driver);
	memset(r->a.device, 0, n.device);
	if (!o.packed)
		r->avail->idx = r->used->idx = htole16((uint16_t)base);
	assert_int_equal(mem_add_local(&r->mem, nearby, NEAR, sizeof(nearby), &e), 0);
	assert_int_equal(mem_add_local(&r->mem, behind, NEAR + 0x1000, sizeof(behind), &e), 0);
	/* Never touched, as only lengths matter there. */
	assert_int_equal(mem_add_local(&r->mem, (void *)(uintptr_t)BIG, BIG, 5ULL << 30, &e), 0);
	if (dev_make(&r->q, &r->o, &r->a, base, &r->mem, &e))
		fail_msg("%s", e.text);
}

static inline void ring_end(struct ring *r)
{
	dev_free(r->q);
	mem_clear(&r->mem);
	free(r->a.desc);
	free(r->a.driver);
	free(r->a.device);
}

static inline void put(void *table, unsigned i, uint64_t addr, uint32_t len, uint16_t flags,
		       uint16_t next)
{
	struct vring_desc d = {htole64(addr), htole32(len), htole16(flags), htole16(next)};

	memcpy((char *)table + 16 * i, &d, 16);
}

static inline void slot(void *table, unsigned i, uint64_t addr, uint32_t len, uint16_t id,
			uint16_t flags)
{
	struct vring_packed_desc d = {htole64(addr), htole32(len), htole16(id), htole16(flags)};

	memcpy((char *)table + 16 * i, &d, 16);
}

/* Makes the chain at this head available, as 2.7.13 has it. */
static inline void offer(struct ring *r, uint16_t head)
{
	uint16_t idx = le16toh(r->avail->idx);

	r->avail->ring[idx % r->o.size] = htole16(head);
	r->avail->idx = htole16((uint16_t)(idx + 1));
}

static inline void piece_is(unsigned i, const void *base, size_t len)
{
	assert_ptr_equal(chain.iov[i].iov_base, base);
	assert_int_equal(chain.iov[i].iov_len, len);
}

static inline void chain_is(unsigned id, unsigned ndescs, unsigned out, unsigned in,
			    uint64_t out_len, uint64_t in_len)
{
	assert_int_equal(chain.id, id);
	assert_int_equal(chain.ndescs, ndescs);
	assert_int_equal(chain.out, out);
	assert_int_equal(chain.in, in);
	assert_int_equal(chain.out_len, out_len);
	assert_int_equal(chain.in_len, in_len);
}

/* Base of a packed ring at its start: both indices 0, both wrap counters 1. */
#define START 0x80008000

/* What a hostile driver writes over a good start, at i of the ring or of a table, and what we say.
 * tail: next (split), id (packed). */
struct crime {
	const char *says;
	uint64_t addr;
	uint32_t len;
	uint16_t i, flags, tail;
	bool table;
};

#endif
