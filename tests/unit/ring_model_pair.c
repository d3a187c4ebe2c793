// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The driver's and the device's side of both rings against each other, in one thread that goes from
 * one to the other by chance. Both may sleep, and then only a notification wakes them: when both
 * sleep with work left, one was lost. What is expected is what was put in.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <cmocka.h>
#include "engines/dev.h"
#include "engines/drv.h"
#include "model/bits.h"

#define SPAN (16u << 20)
#define SEGS_AT 0x4000000000ull
#define RING_AT 0x7f0000000000ull

struct in_flight {
	uint64_t seed;
	uint32_t token;
};

struct pair {
	struct ring_opts o;
	unsigned max_segs;
	uint64_t seed, r, steps;
	uint8_t *ring, *data;
	size_t ring_bytes;
	struct mem mem;
	struct drv_vq *drv;
	struct dev_vq *dev;

	struct in_flight *put; /* in order; a circle of size entries */
	uint64_t n_put, n_shown, n_popped, n_used, n_taken;
	struct held {
		uint32_t token, in_len;
		uint16_t id, ndescs;
	} * held;
	unsigned n_held, n_pushed;
	struct drv_done *used; /* in order; a circle */
	uint64_t n_given;      /* pushed, flushed or not */

	bool drv_asleep, dev_asleep;
	uint64_t drv_naps, dev_naps;
	unsigned fill;
};

#define MUST(h, cond, ...)                                                                      \
	do {                                                                                    \
		if (!(cond)) {                                                                  \
			print_message("# %s size %u event_idx %d indirect %d, seed %llu, step " \
				      "%llu: ",                                                 \
				      (h)->o.packed ? "packed" : "split", (h)->o.size,          \
				      (h)->o.event_idx, (h)->o.indirect,                        \
				      (unsigned long long)(h)->seed,                            \
				      (unsigned long long)(h)->steps);                          \
			print_message(__VA_ARGS__);                                             \
			print_message("\n");                                                    \
			fail_msg("%s", #cond);                                                  \
		}                                                                               \
	} while (0)

static void *pages(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n, size);

	assert_non_null(p);
	return p;
}

static void pair_begin(struct pair *h)
{
	struct ring_areas areas;
	struct err e = {0};

	h->r = h->seed;
	h->ring_bytes = drv_bytes(&h->o, h->max_segs);
	h->ring = pages(h->ring_bytes);
	h->data = pages(SPAN);
	if (drv_make(&h->drv, &h->o, h->max_segs, h->ring, RING_AT, &e))
		fail_msg("drv_make: %s", e.text);
	drv_areas(h->drv, &areas);
	if (mem_add_local(&h->mem, h->ring, RING_AT, h->ring_bytes, &e) ||
	    mem_add_local(&h->mem, h->data, SEGS_AT, SPAN, &e))
		fail_msg("mem_add_local: %s", e.text);
	if (dev_make(&h->dev, &h->o, &areas, h->o.packed ? 0x80008000 : 0, &h->mem, &e))
		fail_msg("dev_make: %s", e.text);
	h->put = zeroed(h->o.size, sizeof(*h->put));
	h->held = zeroed(h->o.size, sizeof(*h->held));
	h->used = zeroed(h->o.size, sizeof(*h->used));
}

static void pair_end(struct pair *h)
{
	dev_free(h->dev);
	drv_free(h->drv);
	mem_clear(&h->mem);
	munmap(h->ring, h->ring_bytes);
	munmap(h->data, SPAN);
	free(h->put);
	free(h->held);
	free(h->used);
}

static void drv_fill(struct pair *h)
{
	static struct chain c;
	unsigned burst = 1 + rnd_below(&h->r, rnd_one_in(&h->r, 4) ? h->o.size : 4);

	for (; burst; burst--) {
		uint64_t seed = rnd(&h->r);
		int rc;

		chain_make(&c, seed, h->max_segs, SEGS_AT, SPAN);
		rc = drv_add(h->drv, (const struct drv_seg *)c.seg, c.out, c.in, c.token);
		if (rc == -ENOSPC)
			break;
		MUST(h, !rc, "drv_add: %d", rc);
		h->put[h->n_put++ % h->o.size] = (struct in_flight){seed, c.token};
	}
	if (rnd_below(&h->r, 4) == 0)
		return;
	if (drv_publish(h->drv))
		h->dev_asleep = false;
	h->n_shown = h->n_put;
}

static void drv_reap(struct pair *h)
{
	struct drv_done done[32];
	int n = drv_harvest(h->drv, done, 1 + rnd_below(&h->r, 32));

	MUST(h, n >= 0, "%s", drv_why(h->drv));
	MUST(h, n > 0 || h->n_taken == h->n_used, "used chains are not found");
	for (int i = 0; i < n; i++, h->n_taken++) {
		const struct drv_done *want = &h->used[h->n_taken % h->o.size];

		MUST(h, h->n_taken < h->n_used, "more is harvested than was used");
		MUST(h, done[i].token == want->token && done[i].len == want->len,
		     "token %u, length %u, not %u, %u", done[i].token, done[i].len, want->token,
		     want->len);
	}
}

static void dev_work(struct pair *h)
{
	static struct dev_chain c;
	static struct chain want;
	unsigned n = 1 + rnd_below(&h->r, rnd_one_in(&h->r, 4) ? h->o.size : 4);

	for (; n; n--) {
		const struct in_flight *p = &h->put[h->n_popped % h->o.size];
		uint64_t out_len = 0;
		int rc = dev_pop(h->dev, &c);

		MUST(h, rc >= 0, "%s", dev_why(h->dev));
		MUST(h, !rc == (h->n_popped == h->n_shown), "popped %d of %llu", rc,
		     (unsigned long long)(h->n_shown - h->n_popped));
		if (!rc)
			return;
		chain_make(&want, p->seed, h->max_segs, SEGS_AT, SPAN);
		MUST(h, c.out == want.out && c.in == want.in, "pieces");
		for (unsigned i = 0; i < want.out + want.in; i++) {
			MUST(h,
			     (uint8_t *)c.iov[i].iov_base - h->data ==
				     (ptrdiff_t)(want.seg[i].addr - SEGS_AT),
			     "piece %u", i);
			MUST(h, c.iov[i].iov_len == want.seg[i].len, "length of piece %u", i);
			out_len += i < want.out ? want.seg[i].len : 0;
		}
		MUST(h, c.out_len == out_len && c.in_len == want.in_len, "lengths");
		h->held[h->n_held++] =
			(struct held){p->token, (uint32_t)want.in_len, c.id, c.ndescs};
		h->n_popped++;
	}
}

static void dev_finish(struct pair *h)
{
	unsigned n = rnd_below(&h->r, h->n_held + 1);

	for (; n; n--) {
		unsigned k = rnd_below(&h->r, h->n_held);
		struct held c = h->held[k];
		uint32_t len = c.in_len ? (uint32_t)(rnd(&h->r) % (c.in_len + 1)) : 0;

		h->held[k] = h->held[--h->n_held];
		dev_push(h->dev, c.id, c.ndescs, len);
		h->used[h->n_given++ % h->o.size] = (struct drv_done){c.token, len};
	}
	if (rnd_one_in(&h->r, 4))
		return;
	if (dev_flush(h->dev))
		h->drv_asleep = false;
	h->n_used = h->n_given;
}

static void drv_turn(struct pair *h)
{
	unsigned out;

	if (h->drv_asleep)
		return;
	if (rnd_below(&h->r, 8) < h->fill)
		drv_fill(h);
	else if (rnd_below(&h->r, 4))
		drv_reap(h);
	else if (rnd_one_in(&h->r, 2))
		drv_suppress(h->drv);
	out = drv_outstanding(h->drv);
	/* Nothing may be kept back by who sleeps, and somebody else must have something to do. */
	if (rnd_one_in(&h->r, 8) && out && h->n_shown == h->n_put) {
		while (h->n_taken != h->n_used && rnd_below(&h->r, 64))
			drv_reap(h);
		out = drv_outstanding(h->drv);
		if (!out)
			return;
		h->drv_asleep = drv_arm(h->drv, 1 + rnd_below(&h->r, out));
		h->drv_naps += h->drv_asleep;
	}
}

static void dev_turn(struct pair *h)
{
	if (!h->dev_asleep && rnd_one_in(&h->r, 2))
		dev_work(h);
	else if (!h->dev_asleep && rnd_one_in(&h->r, 16))
		dev_suppress(h->dev);
	/* The back end's completions come by themselves. */
	if (rnd_one_in(&h->r, 2))
		dev_finish(h);
	if (!h->dev_asleep && rnd_one_in(&h->r, 4)) {
		h->dev_asleep = dev_arm(h->dev);
		h->dev_naps += h->dev_asleep;
	}
}

static void step(struct pair *h)
{
	h->steps++;
	if (rnd_one_in(&h->r, 64))
		h->fill = 1 + rnd_below(&h->r, 7);
	if (rnd_one_in(&h->r, 2))
		drv_turn(h);
	else
		dev_turn(h);
	if (!h->drv_asleep || h->n_given != h->n_used || h->n_held)
		return;
	MUST(h, !h->dev_asleep || h->n_popped == h->n_shown, "the device was not woken");
	/* It asked for an interrupt no later than when all that is outstanding is used. */
	MUST(h, h->n_used != h->n_shown, "the driver was not woken");
}

static void play(const struct ring_opts *o, unsigned max_segs, uint64_t seed, uint64_t target)
{
	struct pair h = {.o = *o, .max_segs = max_segs, .seed = seed, .fill = 4};
	unsigned least = o->size > 1000 ? 0 : 20;

	pair_begin(&h);
	while (h.n_taken < target)
		step(&h);
	/* The largest rings are done in few steps. */
	MUST(&h, h.drv_naps >= least && h.dev_naps >= least, "%llu and %llu naps",
	     (unsigned long long)h.drv_naps, (unsigned long long)h.dev_naps);
	pair_end(&h);
}

static void pairs(bool packed, bool event_idx, bool indirect)
{
	/* The third figure is of chains: 2.7's indices wrap at 65536, twice in the long ones. */
	static const struct {
		unsigned split, packed;
		uint64_t chains;
	} sizes[] = {{1, 1, 3000},  {2, 2, 10000},	{4, 3, 140000},	    {4, 5, 10000},
		     {8, 7, 20000}, {128, 128, 140000}, {256, 1000, 30000}, {32768, 32768, 400000}};
	uint64_t seed = seed_of_test();

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct ring_opts o = {.size = packed ? sizes[i].packed : sizes[i].split,
				      .packed = packed,
				      .event_idx = event_idx,
				      .indirect = indirect};
		unsigned most = o.size < 32768 ? CHAIN_MAX : 32;

		play(&o, o.size < most ? o.size : most, seed + i, sizes[i].chains);
	}
}

#define PAIR(packed, event_idx, indirect)                            \
	static void test_##packed##event_idx##indirect(void **state) \
	{                                                            \
		(void)state;                                         \
		pairs(packed, event_idx, indirect);                  \
	}

PAIR(0, 0, 0)
PAIR(0, 0, 1)
PAIR(0, 1, 0)
PAIR(0, 1, 1)
PAIR(1, 0, 0)
PAIR(1, 0, 1)
PAIR(1, 1, 0)
PAIR(1, 1, 1)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{"split", test_000, NULL, NULL, NULL},
		{"split, indirect", test_001, NULL, NULL, NULL},
		{"split, event index", test_010, NULL, NULL, NULL},
		{"split, event index, indirect", test_011, NULL, NULL, NULL},
		{"packed", test_100, NULL, NULL, NULL},
		{"packed, indirect", test_101, NULL, NULL, NULL},
		{"packed, event index", test_110, NULL, NULL, NULL},
		{"packed, event index, indirect", test_111, NULL, NULL, NULL},
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	print_message("# seed %llu\n", (unsigned long long)seed_of_test());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
