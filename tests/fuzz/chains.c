/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzer of what a hostile driver can put into its rings: the input fills areas, tables and memory,
 * then pops, pushes, flushes, arms and rewrites in turn. Areas and regions have exactly the bytes
 * that the spec gives them, so that the address sanitizer sees any access beside them.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "engines/dev.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REGIONS 3
/* Guest address of the first region; the second is behind it, the third far away. */
#define NEAR 0x10000

struct input {
	const uint8_t *at;
	size_t left;
};

struct world {
	struct ring_opts o;
	struct ring_bytes bytes;
	struct ring_areas areas;
	struct mem mem;
	struct dev_vq *q;
	struct dev_chain chain;
	/* what is in flight, oldest first; a queue's size at most */
	struct {
		uint16_t id, ndescs;
	} * flight;
	unsigned flying, slots;
	char *taken;
	bool broken;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static unsigned take(struct input *in, size_t bytes)
{
	unsigned v = 0;

	while (bytes-- && in->left) {
		v = v << 8 | *in->at++;
		in->left--;
	}
	return v;
}

static void fill(struct input *in, void *to, size_t size)
{
	size_t n = size < in->left ? size : in->left;

	memcpy(to, in->at, n);
	in->at += n;
	in->left -= n;
}

/* The areas are the driver's memory too: it may point chains at them. */
static void world_make(struct world *w, struct input *in)
{
	static const uint16_t sizes[] = {1, 2, 3, 4, 5, 8, 16, 64, 100, 256, 1000, 1024, 32768};
	unsigned how = take(in, 1), n = sizes[take(in, 1) % (sizeof(sizes) / sizeof(*sizes))];
	uint64_t at = NEAR, len = 64 + (take(in, 1) << (how >> 5));
	uint32_t base;

	w->o = (struct ring_opts){
		.size = n, .packed = how & 1, .event_idx = how & 2, .indirect = how & 4};
	while (ring_why_not(&w->o))
		w->o.size--;
	w->bytes = ring_bytes(&w->o);
	w->areas.desc = aligned_alloc(16, w->bytes.desc);
	w->areas.driver = malloc(w->bytes.driver);
	w->areas.device = malloc(w->bytes.device);
	memset(w->areas.desc, 0, w->bytes.desc);
	memset(w->areas.driver, 0, w->bytes.driver);
	memset(w->areas.device, 0, w->bytes.device);
	for (unsigned i = 0; i < REGIONS; i++, at += i == 1 ? len : 0x100000)
		must(!mem_add_local(&w->mem, calloc(1, len), at, len, NULL));
	must(!mem_add_local(&w->mem, w->areas.desc, 0x40000000, w->bytes.desc, NULL));
	base = w->o.packed ? 0x80008000 : 0;
	if (how & 8)
		base = take(in, 4);
	if (how & 16) {
		fill(in, w->areas.driver, w->bytes.driver);
		fill(in, w->areas.device, w->bytes.device);
	}
	if (dev_make(&w->q, &w->o, &w->areas, base, &w->mem, NULL))
		return;
	w->flight = calloc(w->o.size, sizeof(*w->flight));
	w->taken = calloc(1, w->o.size);
	must(dev_base(w->q) == base);
}

static void world_free(struct world *w)
{
	dev_free(w->q);
	for (unsigned i = 0; i < REGIONS; i++)
		free(w->mem.region[i].at);
	free(w->areas.desc);
	free(w->areas.driver);
	free(w->areas.device);
	free(w->flight);
	free(w->taken);
}

static void piece_check(const struct world *w, const struct iovec *v)
{
	const char *at = v->iov_base;

	must(v->iov_len);
	for (unsigned i = 0; i < w->mem.n; i++) {
		const struct mem_region *r = &w->mem.region[i];

		if (at >= r->at && (uint64_t)(at - r->at) < r->size) {
			must(v->iov_len <= r->size - (uint64_t)(at - r->at));
			return;
		}
	}
	abort();
}

static void chain_check(struct world *w)
{
	const struct dev_chain *c = &w->chain;
	uint64_t out = 0, in = 0;

	must(c->id < w->o.size && c->ndescs && !w->taken[c->id]);
	must(c->out + c->in <= DEV_IOVS);
	for (unsigned i = 0; i < c->out; i++) {
		piece_check(w, &c->iov[i]);
		out += c->iov[i].iov_len;
	}
	for (unsigned i = c->out; i < (unsigned)c->out + c->in; i++) {
		piece_check(w, &c->iov[i]);
		in += c->iov[i].iov_len;
	}
	must(out == c->out_len && in == c->in_len && out + in <= UINT64_C(1) << 32);
	must(w->flying < w->o.size);
	w->taken[c->id] = 1;
	w->flight[w->flying].id = c->id;
	w->flight[w->flying++].ndescs = c->ndescs;
	w->slots += c->ndescs;
	/* Hostile chains may share descriptors in a split ring, never in a packed one. */
	must(c->ndescs <= w->o.size && (!w->o.packed || w->slots <= w->o.size));
}

static void pop(struct world *w)
{
	int rc = dev_pop(w->q, &w->chain);

	must(rc == 0 || rc == 1 || rc == -EPROTO);
	must(!w->broken || rc == -EPROTO);
	must((rc == -EPROTO) == !!dev_why(w->q));
	w->broken = rc == -EPROTO;
	if (rc == 1)
		chain_check(w);
	else if (w->broken)
		must(*dev_why(w->q) && !dev_arm(w->q));
}

static void push(struct world *w, unsigned which, uint32_t written)
{
	if (!w->flying)
		return;
	which %= w->flying;
	dev_push(w->q, w->flight[which].id, w->flight[which].ndescs, written);
	w->taken[w->flight[which].id] = 0;
	w->slots -= w->flight[which].ndescs;
	w->flying--;
	memmove(&w->flight[which], &w->flight[which + 1], (w->flying - which) * sizeof(*w->flight));
}

/* Whole descriptors that a driver could have meant: purely random ones are refused at once. */
static void plausible(struct world *w, struct input *in)
{
	unsigned to = take(in, 1), flags = take(in, 1), at = take(in, 2);
	bool table = to & 0x80;
	uint64_t off = take(in, 1), addr = NEAR + off, len = take(in, 1) << (flags >> 4);
	char *ring = w->areas.desc;
	unsigned i = at % w->o.size, tail = take(in, 1);

	if (to & 1)
		addr = 0x40000000 + 16 * off;
	if (flags & VRING_DESC_F_INDIRECT)
		len = len / 16 * 16;
	if (table) {
		ring = w->mem.region[0].at;
		i = at % 4;
	}
	if (w->o.packed) {
		struct vring_packed_desc d = {
			addr, (uint32_t)len, (uint16_t)(tail % w->o.size),
			(uint16_t)((flags & 7) | (flags & 8 ? 1 << 7 : 1 << 15))};

		memcpy(ring + 16 * i, &d, 16);
	} else {
		struct vring_desc d = {addr, (uint32_t)len, (uint16_t)(flags & 7),
				       (uint16_t)(tail % w->o.size)};

		memcpy(ring + 16 * i, &d, 16);
		if (!table && !(to & 2)) {
			struct vring_avail *a = w->areas.driver;

			a->ring[a->idx++ % w->o.size] = (uint16_t)i;
		}
	}
}

static void rewrite(struct world *w, struct input *in)
{
	unsigned which = take(in, 1) % 6, at = take(in, 2), n = 1 + take(in, 1) % 32;
	struct {
		char *at;
		size_t size;
	} p[] = {{w->areas.desc, w->bytes.desc},
		 {w->areas.driver, w->bytes.driver},
		 {w->areas.device, w->bytes.device},
		 {w->mem.region[0].at, w->mem.region[0].size},
		 {w->mem.region[1].at, w->mem.region[1].size},
		 {w->mem.region[2].at, w->mem.region[2].size}};

	at %= p[which].size;
	fill(in, p[which].at + at, n < p[which].size - at ? n : p[which].size - at);
}

static void act(struct world *w, struct input *in)
{
	unsigned op = take(in, 1);

	switch (op & 7) {
	case 0:
	case 1:
		pop(w);
		break;
	case 2:
		push(w, op >> 3, op << 7);
		break;
	case 3:
		dev_flush(w->q);
		must(!dev_flush(w->q));
		break;
	case 4:
		dev_arm(w->q);
		break;
	case 5:
		dev_suppress(w->q);
		break;
	case 6:
		rewrite(w, in);
		break;
	case 7:
		for (unsigned n = 1 + op / 64; n && in->left; n--)
			plausible(w, in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {0};
	struct input in = {data, size};

	world_make(&w, &in);
	while (w.q && in.left)
		act(&w, &in);
	if (w.q) {
		const struct dev_counters *n = dev_counters(w.q);

		while (w.flying)
			push(&w, 0, 0);
		dev_flush(w.q);
		must(n->popped == n->pushed && n->interrupts <= n->flushes);
	}
	world_free(&w);
	return 0;
}
