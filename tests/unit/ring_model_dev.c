// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The device's side of both rings (engines/dev.h) against a model driver made from virtio 1.2:
 * chains in every layout that the text allows, completed in any order, with every wish for
 * interrupts, and with stops on the way (GET_VRING_BASE, SET_VRING_BASE).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <cmocka.h>
#include "engines/dev.h"
#include "model/driver.h"

/* The driver's memory: two neighbours in its addresses, strangers here, so that pieces cross. */
#define HALF (8u << 20)
#define SEGS_AT 0x4000000000ull
#define RING_AT 0x7f0000000000ull

struct pending {
	uint64_t seed;
	unsigned id, ndescs;
};

struct history {
	struct ring_opts o;
	unsigned max_segs;
	uint64_t seed, r, steps;
	uint8_t *ring, *half[2];
	size_t ring_bytes;
	struct mem mem;
	struct ring_areas areas;
	struct mdrv m;
	struct dev_vq *q;

	struct pending *put; /* in order, a circle of size entries; of these: */
	uint64_t n_put, n_shown, n_popped;
	struct pending *popped; /* the device's, in no order */
	unsigned n_held;
	struct pending *pushed; /* in order, not flushed, with lengths */
	uint32_t *pushed_len;
	unsigned n_pushed;
	unsigned *to_free; /* used, and not yet free again */
	unsigned n_to_free;

	bool armed, suppressed;
	uint64_t quiet_from, unwanted;
	uint64_t kicks_due, interrupts, flushes, stops;
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

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n, size);

	assert_non_null(p);
	return p;
}

static void *pages(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static size_t up(size_t n)
{
	return (n + 63) / 64 * 64;
}

static void lay_out(struct history *h)
{
	/* Sizes of the areas: the tables of 2.7 and 2.8.10.1. */
	size_t n = h->o.size, desc = up(16 * n), driver = up(h->o.packed ? 4 : 6 + 2 * n);
	size_t device = up(h->o.packed ? 4 : 6 + 8 * n), tables = desc + driver + device;

	h->ring_bytes = tables + 16 * n * h->max_segs;
	h->ring = pages(h->ring_bytes);
	h->areas = (struct ring_areas){h->ring, h->ring + desc, h->ring + desc + driver};
	h->m = (struct mdrv){.size = h->o.size,
			     .max_segs = h->max_segs,
			     .packed = h->o.packed,
			     .event_idx = h->o.event_idx,
			     .indirect = h->o.indirect,
			     .desc = h->ring,
			     .driver = h->ring + desc,
			     .device = h->ring + desc + driver,
			     .tables = h->ring + tables,
			     .tables_at = RING_AT + tables};
}

static void history_begin(struct history *h)
{
	struct err e = {0};
	unsigned n = h->o.size;

	h->r = h->seed;
	lay_out(h);
	mdrv_make(&h->m);
	h->half[0] = pages(HALF);
	h->half[1] = pages(HALF);
	if (mem_add_local(&h->mem, h->half[1], SEGS_AT + HALF, HALF, &e) ||
	    mem_add_local(&h->mem, h->ring, RING_AT, h->ring_bytes, &e) ||
	    mem_add_local(&h->mem, h->half[0], SEGS_AT, HALF, &e))
		fail_msg("mem_add_local: %s", e.text);
	if (dev_make(&h->q, &h->o, &h->areas, h->o.packed ? 0x80008000 : 0, &h->mem, &e))
		fail_msg("dev_make: %s", e.text);
	h->put = zeroed(n, sizeof(*h->put));
	h->popped = zeroed(n, sizeof(*h->popped));
	h->pushed = zeroed(n, sizeof(*h->pushed));
	h->pushed_len = zeroed(n, sizeof(*h->pushed_len));
	h->to_free = zeroed(n, sizeof(*h->to_free));
}

static void history_end(struct history *h)
{
	dev_free(h->q);
	mem_clear(&h->mem);
	munmap(h->ring, h->ring_bytes);
	munmap(h->half[0], HALF);
	munmap(h->half[1], HALF);
	mdrv_free(&h->m);
	free(h->put);
	free(h->popped);
	free(h->pushed);
	free(h->pushed_len);
	free(h->to_free);
}

static struct chain *chain_of(const struct history *h, uint64_t seed)
{
	static struct chain c;

	chain_make(&c, seed, h->max_segs, SEGS_AT, 2 * HALF);
	return &c;
}

static void step_put(struct history *h)
{
	unsigned burst = 1 + rnd_below(&h->r, rnd_one_in(&h->r, 4) ? h->o.size : 4);

	for (; burst; burst--) {
		struct pending p = {.seed = rnd(&h->r)};

		if (!mdrv_put(&h->m, &h->r, chain_of(h, p.seed), &p.id, &p.ndescs))
			break;
		h->put[h->n_put++ % h->o.size] = p;
	}
}

static void step_show(struct history *h)
{
	bool any = h->n_put != h->n_shown, due = mdrv_show(&h->m);

	h->n_shown = h->n_put;
	if (!any)
		return;
	MUST(h, !h->armed || due, "a lost wake-up: armed, and the driver need not kick");
	if (h->suppressed) {
		h->unwanted += due;
		MUST(h, h->unwanted <= 1 + (h->n_shown - h->quiet_from) / 32768,
		     "%llu kicks in spite of suppression", (unsigned long long)h->unwanted);
	}
	h->kicks_due += due;
	h->armed = false;
}

/* Pieces from `from` on against the chain's, byte ranges of this process, however they are cut. */
static bool same_bytes(const struct history *h, const struct piece *want, unsigned n,
		       const struct iovec *iov, unsigned n_iov)
{
	size_t done = 0;
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t off = want[i].addr - SEGS_AT, left = want[i].len;

		while (left) {
			unsigned half = off >= HALF;
			uint64_t in_half = HALF * (half + 1ull) - off, run;

			if (k == n_iov || (char *)iov[k].iov_base + done !=
						  (char *)h->half[half] + (off - half * HALF))
				return false;
			run = left < in_half ? left : in_half;
			if (run > iov[k].iov_len - done)
				run = iov[k].iov_len - done;
			if (!run)
				return false;
			off += run;
			left -= run;
			done += run;
			if (done == iov[k].iov_len) {
				k++;
				done = 0;
			}
		}
	}
	return k == n_iov && !done;
}

static void check_popped(struct history *h, const struct pending *p, const struct dev_chain *c)
{
	const struct chain *want = chain_of(h, p->seed);
	uint64_t out_len = 0;

	for (unsigned i = 0; i < want->out; i++)
		out_len += want->seg[i].len;
	MUST(h, c->id == p->id, "id %u, not %u", c->id, p->id);
	MUST(h, c->ndescs == p->ndescs, "takes %u entries, not %u", c->ndescs, p->ndescs);
	MUST(h, c->out_len == out_len && c->in_len == want->in_len, "lengths of the chain");
	MUST(h, same_bytes(h, want->seg, want->out, c->iov, c->out), "pieces to be read");
	MUST(h, same_bytes(h, want->seg + want->out, want->in, c->iov + c->out, c->in),
	     "pieces to be written");
}

static void step_pop(struct history *h)
{
	static struct dev_chain c;
	unsigned n = 1 + rnd_below(&h->r, rnd_one_in(&h->r, 4) ? h->o.size : 4);

	for (; n; n--) {
		const struct pending *p = &h->put[h->n_popped % h->o.size];
		int rc = dev_pop(h->q, &c);

		MUST(h, rc >= 0, "%s", dev_why(h->q));
		if (h->n_popped == h->n_shown) {
			MUST(h, rc == 0, "a chain that was not made available");
			return;
		}
		MUST(h, rc == 1, "a chain is not seen");
		check_popped(h, p, &c);
		h->popped[h->n_held++] = *p;
		h->n_popped++;
	}
}

static void step_push(struct history *h)
{
	unsigned n = rnd_below(&h->r, h->n_held + 1);

	if (n > 4 && rnd_one_in(&h->r, 2))
		n = 4;
	for (; n; n--) {
		unsigned k = rnd_below(&h->r, h->n_held);
		struct pending p = h->popped[k];
		uint64_t in = chain_of(h, p.seed)->in_len;
		uint32_t len = in && !rnd_one_in(&h->r, 8) ? (uint32_t)(rnd(&h->r) % (in + 1)) : 0;

		h->popped[k] = h->popped[--h->n_held];
		dev_push(h->q, (uint16_t)p.id, (uint16_t)p.ndescs, len);
		h->pushed[h->n_pushed] = p;
		h->pushed_len[h->n_pushed++] = len;
	}
}

/* Nothing is there before the flush; then all of it, in order, and the right word on interrupts. */
static void step_flush(struct history *h)
{
	uint64_t from = h->m.taken;
	unsigned id;
	uint32_t len;
	bool irq, due;
	int rc = mdrv_take(&h->m, &id, &len);

	MUST(h, rc >= 0, "%s", h->m.wrong);
	MUST(h, !rc, "a used chain can be seen before dev_flush");
	irq = dev_flush(h->q);
	for (unsigned i = 0; i < h->n_pushed; i++) {
		rc = mdrv_take(&h->m, &id, &len);
		MUST(h, rc >= 0, "%s", h->m.wrong);
		MUST(h, rc == 1, "%u of %u used chains are missing", h->n_pushed - i, h->n_pushed);
		MUST(h, id == h->pushed[i].id, "id %u, not %u", id, h->pushed[i].id);
		MUST(h, len == h->pushed_len[i], "length %u, not %u", len, h->pushed_len[i]);
		h->to_free[h->n_to_free++] = id;
	}
	rc = mdrv_take(&h->m, &id, &len);
	MUST(h, rc == 0, "more was used than pushed");
	due = mdrv_irq_due(&h->m, from);
	MUST(h, irq || !due, "a lost wake-up: the driver wants an interrupt");
	MUST(h, !irq || due, "an interrupt that the driver does not want");
	h->interrupts += irq;
	h->n_pushed = 0;
}

static void step_free(struct history *h)
{
	unsigned n = rnd_one_in(&h->r, 2) ? h->n_to_free : rnd_below(&h->r, h->n_to_free + 1);

	while (n--)
		mdrv_reuse(&h->m, h->to_free[--h->n_to_free]);
}

static void step_wait(struct history *h)
{
	bool there = h->n_popped != h->n_shown;

	if (rnd_one_in(&h->r, 2)) {
		dev_suppress(h->q);
		if (!h->suppressed) {
			h->quiet_from = h->n_shown;
			h->unwanted = 0;
		}
		h->suppressed = true;
		h->armed = false;
		return;
	}
	h->armed = dev_arm(h->q);
	h->suppressed = false;
	MUST(h, h->armed == !there, "%s, and %llu chains are there", h->armed ? "sleeps" : "awake",
	     (unsigned long long)(h->n_shown - h->n_popped));
}

/* GET_VRING_BASE, then SET_VRING_BASE with the same: nothing is lost, nothing comes twice. */
static void step_stop(struct history *h)
{
	struct err e = {0};
	uint32_t base, want = (uint16_t)h->n_popped;
	uint64_t avail = 0;

	while (h->n_held)
		step_push(h);
	step_flush(h);
	base = dev_base(h->q);
	if (h->o.packed) {
		/* The model's numbers: descriptors that were used make up those that were popped.
		 */
		avail = h->m.taken;
		want = (uint32_t)(avail % h->o.size | wrap_at(avail, h->o.size) << 15);
		want |= want << 16;
	}
	MUST(h, base == want, "base %#x, not %#x", base, want);
	dev_free(h->q);
	if (dev_make(&h->q, &h->o, &h->areas, base, &h->mem, &e))
		fail_msg("dev_make, base %#x: %s", base, e.text);
	h->armed = h->suppressed = false;
	h->stops++;
}

static void step(struct history *h)
{
	h->steps++;
	if (rnd_one_in(&h->r, 64))
		h->fill = rnd_below(&h->r, 8);
	if (rnd_below(&h->r, 8) < h->fill) {
		step_put(h);
		if (!rnd_one_in(&h->r, 4))
			step_show(h);
		return;
	}
	switch (rnd_below(&h->r, 8)) {
	case 0:
		mdrv_wishes(&h->m, &h->r);
		break;
	case 1:
		step_wait(h);
		break;
	case 2:
		step_push(h);
		step_flush(h);
		break;
	case 3:
		step_push(h);
		break;
	case 4:
		step_flush(h);
		break;
	case 5:
		step_free(h);
		break;
	case 6:
		step_show(h);
		break;
	default:
		step_pop(h);
	}
	if (rnd_one_in(&h->r, 256))
		step_stop(h);
}

static void play(const struct ring_opts *o, unsigned max_segs, uint64_t seed, uint64_t target)
{
	struct history h = {.o = *o, .max_segs = max_segs, .seed = seed, .fill = 4};

	history_begin(&h);
	while (h.n_put < target)
		step(&h);
	step_show(&h);
	while (h.n_popped != h.n_put || h.n_held || h.n_pushed) {
		step_pop(&h);
		step_push(&h);
		step_flush(&h);
	}
	MUST(&h, h.stops > 0 || o->size > 1000, "no stops");
	step_stop(&h);
	h.n_to_free = 0;
	history_end(&h);
}

static void histories(bool packed, bool event_idx, bool indirect)
{
	/* The third figure is of chains: 2.7's indices wrap at 65536, twice in the long ones. */
	static const struct {
		unsigned split, packed;
		uint64_t chains;
	} sizes[] = {{1, 1, 3000},  {2, 2, 10000},	{4, 3, 140000},	    {4, 5, 10000},
		     {8, 7, 20000}, {128, 128, 140000}, {256, 1000, 30000}, {32768, 32768, 140000}};
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

#define HISTORY(packed, event_idx, indirect)                         \
	static void test_##packed##event_idx##indirect(void **state) \
	{                                                            \
		(void)state;                                         \
		histories(packed, event_idx, indirect);              \
	}

HISTORY(0, 0, 0)
HISTORY(0, 0, 1)
HISTORY(0, 1, 0)
HISTORY(0, 1, 1)
HISTORY(1, 0, 0)
HISTORY(1, 0, 1)
HISTORY(1, 1, 0)
HISTORY(1, 1, 1)

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
