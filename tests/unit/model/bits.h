/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the ring models share: bytes in little-endian order, chance from a seed, and chains that a
 * seed describes wholly, so that nobody has to keep them.
 */
#ifndef VB_TESTS_MODEL_BITS_H
#define VB_TESTS_MODEL_BITS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Flags of descriptors: virtio 1.2, 2.7.5 and 2.8.1, 2.8.6, 2.8.7. */
enum { F_NEXT = 1, F_WRITE = 2, F_INDIRECT = 4, F_AVAIL = 1 << 7, F_USED = 1 << 15 };

/* Event suppression of packed rings: 2.8.10. */
enum { EVENTS_ENABLE = 0, EVENTS_DISABLE = 1, EVENTS_DESC = 2 };

/* The areas are read and written bytewise: nothing is shared with the structures under test. */
static inline uint64_t get_bytes(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

static inline void put_bytes(uint8_t *p, unsigned n, uint64_t v)
{
	for (unsigned i = 0; i < n; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

static inline unsigned get16(const uint8_t *p)
{
	return (unsigned)get_bytes(p, 2);
}

static inline void put16(uint8_t *p, uint64_t v)
{
	put_bytes(p, 2, v);
}

/* A descriptor of either layout: addr 8, len 4, then (split) flags, next or (packed) id, flags. */
static inline void put_desc(uint8_t *p, uint64_t addr, uint32_t len, unsigned third,
			    unsigned fourth)
{
	put_bytes(p, 8, addr);
	put_bytes(p + 8, 4, len);
	put16(p + 12, third);
	put16(p + 14, fourth);
}

/* A Weyl sequence with a mixing step: chance enough for histories. */
static inline uint64_t rnd(uint64_t *state)
{
	uint64_t x = *state += 0xd1342543de82ef95ull;

	x ^= x >> 32;
	x *= 0xdaba0b6eb09322e3ull;
	x ^= x >> 29;
	x *= 0xdaba0b6eb09322e3ull;
	return x ^ x >> 32;
}

/* 0 .. n-1 */
static inline unsigned rnd_below(uint64_t *state, unsigned n)
{
	return n ? (unsigned)((rnd(state) >> 16) % n) : 0;
}

static inline bool rnd_one_in(uint64_t *state, unsigned n)
{
	return !rnd_below(state, n);
}

/* The test's seed: fixed, so that a failure comes again; RING_SEED=N takes another. */
static inline uint64_t seed_of_test(void)
{
	const char *s = getenv("RING_SEED");

	return s ? strtoull(s, NULL, 0) : 20220701;
}

static inline uint64_t hash_bytes(uint64_t h, const uint8_t *p, size_t n)
{
	while (n--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

#define CHAIN_MAX 256

struct piece {
	uint64_t addr;
	uint32_t len;
};

/* A buffer: `out` pieces that the device reads, then `in` that it writes (2.7.4.2). */
struct chain {
	uint32_t token;
	unsigned out, in;
	uint64_t in_len;
	struct piece seg[CHAIN_MAX];
};

/* The chain of a seed: 1 .. max pieces in [base, base + span), mostly few of them; a span of at
 * least 64 KiB. */
static inline void chain_make(struct chain *c, uint64_t seed, unsigned max, uint64_t base,
			      uint64_t span)
{
	uint64_t r = seed;
	unsigned few = max < 4 ? max : 4;
	unsigned n = 1 + rnd_below(&r, rnd_one_in(&r, 16) ? max : few);

	if (rnd_one_in(&r, 64))
		n = max;
	c->token = (uint32_t)rnd(&r) & (rnd_one_in(&r, 8) ? 7 : INT32_MAX);
	c->out = rnd_below(&r, n + 1);
	c->in = n - c->out;
	c->in_len = 0;
	for (unsigned i = 0; i < n; i++) {
		uint64_t x = rnd(&r);

		c->seg[i].len = 1 + (uint32_t)(x & (x >> 60 ? 511 : 65535));
		c->seg[i].addr = base + (x >> 16) % (span - c->seg[i].len + 1);
		c->in_len += i >= c->out ? c->seg[i].len : 0;
	}
}

#endif
