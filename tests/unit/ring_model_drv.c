// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The driver's side of both rings (engines/drv.h) against a model device made from virtio 1.2:
 * random histories of adding, publishing, using out of order, harvesting, suppressing and arming.
 * Whatever the model says is due, is expected; no value here comes from the rings themselves.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <cmocka.h>
#include "engines/drv.h"
#include "model/device.h"

#define SEGS_AT 0x100000ull /* where the pieces are said to lie: the model never touches them */
#define SEGS_LEN (1ull << 40)
#define RING_AT 0x7f0000000000ull

struct history {
	struct ring_opts o;
	unsigned max_segs;
	uint64_t seed, r, steps, target;
	uint8_t *mem;
	size_t bytes;
	struct drv_vq *q;
	struct mdev d;

	/* Chains by where they are; each list holds at most as many as the ring has entries. */
	uint64_t *added; /* seeds, not published */
	unsigned n_added;
	struct mheld *held; /* the device's, in no order */
	unsigned n_held;
	struct drv_done *given; /* used, in the order of using */
	unsigned *given_descs;
	uint64_t n_given, n_shown, n_taken; /* running; the list is a circle of size entries */

	unsigned free; /* ring descriptors that the driver must have */
	uint64_t chains, descs, publishes, kicks;
	bool armed;	   /* an interrupt was asked for, and has not come */
	uint64_t due_at;   /* once so many chains in all are used */
	uint64_t added_at; /* chains when it was asked for */
	bool suppressed;
	uint64_t quiet_from, unwanted; /* used since, and interrupts due in spite of it */
	unsigned fill;		       /* of 8 steps, so many add */
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

static void history_begin(struct history *h)
{
	struct err e = {0};
	struct ring_areas a;
	unsigned n = h->o.size;

	h->r = h->seed;
	h->bytes = drv_bytes(&h->o, h->max_segs);
	h->mem = mmap(NULL, h->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(h->mem, MAP_FAILED);
	if (drv_make(&h->q, &h->o, h->max_segs, h->mem, RING_AT, &e))
		fail_msg("drv_make: %s", e.text);
	drv_areas(h->q, &a);
	h->d = (struct mdev){.size = n,
			     .packed = h->o.packed,
			     .event_idx = h->o.event_idx,
			     .indirect = h->o.indirect,
			     .desc = a.desc,
			     .driver = a.driver,
			     .device = a.device,
			     .mem = h->mem,
			     .mem_addr = RING_AT,
			     .mem_len = h->bytes};
	mdev_make(&h->d);
	h->added = zeroed(n, sizeof(*h->added));
	h->held = zeroed(n, sizeof(*h->held));
	h->given = zeroed(n, sizeof(*h->given));
	h->given_descs = zeroed(n, sizeof(*h->given_descs));
	h->free = n;
	/* 2.7, 2.8.13: alignment of the areas, as the device's addresses have it. */
	MUST(h, ((uint8_t *)a.desc - h->mem) % 16 == 0, "the descriptor area's alignment");
	MUST(h, ((uint8_t *)a.driver - h->mem) % (h->o.packed ? 4 : 2) == 0, "the driver area's");
	MUST(h, ((uint8_t *)a.device - h->mem) % 4 == 0, "the device area's");
}

static void history_end(struct history *h)
{
	drv_free(h->q);
	munmap(h->mem, h->bytes);
	mdev_free(&h->d);
	free(h->added);
	free(h->held);
	free(h->given);
	free(h->given_descs);
}

/* What is not published is not there for the device. */
static void check_nothing_more(struct history *h)
{
	static struct mchain c;
	int got = mdev_take(&h->d, &c);

	MUST(h, got <= 0, "the device sees a chain that was not published");
	MUST(h, !got, "%s", h->d.wrong);
}

/* False: there was no room. */
static bool step_add(struct history *h)
{
	static struct chain c;
	uint64_t seed = rnd(&h->r);
	unsigned n, need, room;
	int rc;

	chain_make(&c, seed, h->max_segs, SEGS_AT, SEGS_LEN);
	n = c.out + c.in;
	/* An indirect chain takes one descriptor (drv.h); a ring without them one for each piece.
	 */
	need = h->o.indirect ? 1 : n;
	room = drv_room(h->q, n);
	rc = drv_add(h->q, (const struct drv_seg *)c.seg, c.out, c.in, c.token);
	if (rc == -ENOSPC) {
		MUST(h, h->free < need, "no room for %u pieces, and %u entries are free", n,
		     h->free);
		MUST(h, room == 0, "room for %u chains, and there is none", room);
		return false;
	}
	MUST(h, rc == 0, "drv_add(%u pieces): %d", n, rc);
	MUST(h, h->free >= need, "a chain of %u pieces went into %u free entries", n, h->free);
	MUST(h, room == h->free / need, "room for %u chains of %u entries, and %u are free", room,
	     need, h->free);
	h->free -= need;
	h->added[h->n_added++] = seed;
	h->chains++;
	return true;
}

/* The device reads what has become visible, at once: the same chains, in the same order. */
static void check_published(struct history *h)
{
	static struct mchain got;
	static struct chain want;

	for (unsigned i = 0; i < h->n_added; i++) {
		struct mheld *held = &h->held[h->n_held];
		int rc = mdev_take(&h->d, &got);

		MUST(h, rc >= 0, "%s", h->d.wrong);
		MUST(h, rc == 1, "%u of %u published chains are not there", h->n_added - i,
		     h->n_added);
		chain_make(&want, h->added[i], h->max_segs, SEGS_AT, SEGS_LEN);
		MUST(h, got.out == want.out && got.in == want.in, "%u+%u pieces, not %u+%u",
		     got.out, got.in, want.out, want.in);
		for (unsigned k = 0; k < want.out + want.in; k++)
			MUST(h,
			     got.seg[k].addr == want.seg[k].addr &&
				     got.seg[k].len == want.seg[k].len,
			     "piece %u", k);
		MUST(h, got.ndescs == (h->o.indirect ? 1 : want.out + want.in), "takes %u entries",
		     got.ndescs);
		for (unsigned k = 0; h->o.packed && h->o.size <= 128 && k < h->n_held; k++)
			MUST(h, h->held[k].id != got.id, "2.8: id %u is in use", got.id);
		*held = (struct mheld){.token = want.token,
				       .in_len = want.in_len,
				       .hash = got.hash,
				       .table = got.table,
				       .table_len = got.table_len,
				       .id = got.id,
				       .ndescs = got.ndescs};
		h->n_held++;
		h->descs += got.ndescs;
	}
	check_nothing_more(h);
	h->n_added = 0;
}

static void step_publish(struct history *h)
{
	uint64_t from = h->d.seen;
	unsigned n = h->n_added;
	bool kick, due;

	check_nothing_more(h);
	kick = drv_publish(h->q);
	check_published(h);
	due = mdev_kick_due(&h->d, from);
	MUST(h, kick || !due, "a lost wake-up: the device wants to be notified");
	/* "SHOULD NOT" (2.7.10.1): nobody races here, so there is no excuse for one. */
	MUST(h, !kick || due, "a notification that the device does not want");
	h->publishes += n ? 1 : 0;
	h->kicks += kick;
}

/* The device uses some chains, in any order, and shows them. */
static void step_use(struct history *h)
{
	unsigned n = rnd_below(&h->r, h->n_held + 1);
	bool irq;

	if (rnd_one_in(&h->r, 2) && n > 3)
		n = 3;
	for (; n; n--) {
		unsigned k = rnd_below(&h->r, h->n_held), at = h->n_given % h->o.size;
		struct mheld held = h->held[k];
		uint32_t len = held.in_len ? rnd(&h->r) % (held.in_len + 1) : 0;

		h->held[k] = h->held[--h->n_held];
		h->given[at] = (struct drv_done){.token = held.token, .len = len};
		h->given_descs[at] = held.ndescs;
		h->n_given++;
		MUST(h, !mdev_give(&h->d, &held, len, rnd(&h->r)), "%s", h->d.wrong);
	}
	if (h->n_given == h->n_shown)
		return;
	irq = mdev_show(&h->d);
	h->n_shown = h->n_given;
	if (h->armed) {
		bool now = !h->o.event_idx || h->n_shown >= h->due_at;

		/*
		 * A packed ring's event is a place in the ring: a shorter chain that was added
		 * since may have made it too far. It is never further than all that was
		 * outstanding.
		 */
		if (h->o.packed && h->o.event_idx && h->chains != h->added_at)
			now = h->n_shown >= h->added_at;

		MUST(h, irq || !now, "asked for an interrupt at %llu used, %llu are, none is due",
		     (unsigned long long)h->due_at, (unsigned long long)h->n_shown);
		/* A split ring counts chains, so it can say exactly when (2.7.10). */
		MUST(h, !irq || now || h->o.packed, "an interrupt earlier than asked for");
		h->armed &= !irq;
	} else if (h->suppressed) {
		h->unwanted += irq;
		/* The event index can be moved away, never switched off: one in 2^16 (2.7.7). */
		MUST(h, h->unwanted <= 1 + (h->n_shown - h->quiet_from) / 32768,
		     "%llu interrupts in spite of suppression", (unsigned long long)h->unwanted);
	}
}

static void step_harvest(struct history *h)
{
	struct drv_done done[64];
	unsigned max = 1 + rnd_below(&h->r, 64);
	uint64_t there = h->n_shown - h->n_taken;
	int n = drv_harvest(h->q, done, max);

	MUST(h, n >= 0, "%s", drv_why(h->q));
	/* Not all need come at once, but some must. */
	MUST(h, (uint64_t)n <= there && (unsigned)n <= max && (n || !there),
	     "%d harvested of %llu, at most %u", n, (unsigned long long)there, max);
	for (int i = 0; i < n; i++, h->n_taken++) {
		unsigned at = h->n_taken % h->o.size;

		MUST(h, done[i].token == h->given[at].token, "token %u, not %u", done[i].token,
		     h->given[at].token);
		MUST(h, done[i].len == h->given[at].len, "length %u, not %u", done[i].len,
		     h->given[at].len);
		h->free += h->given_descs[at];
	}
	/* Who sleeps does not harvest: an interrupt asked for is promised until then. */
	if (n && h->armed)
		h->armed = h->suppressed = false;
}

static void step_suppress(struct history *h)
{
	drv_suppress(h->q);
	if (!h->suppressed || h->armed) {
		h->quiet_from = h->n_shown;
		h->unwanted = 0;
	}
	h->suppressed = true;
	h->armed = false;
}

static void step_arm(struct history *h)
{
	unsigned there = (unsigned)(h->n_shown - h->n_taken), out = drv_outstanding(h->q);
	unsigned after;
	bool armed;

	if (out == there)
		return;
	after = 1 + rnd_below(&h->r, rnd_one_in(&h->r, 2) ? 2 : out);
	if (after > out)
		after = out;
	armed = drv_arm(h->q, after);
	MUST(h, !armed || there < after || !h->o.event_idx,
	     "sleeps until %u more are used, and %u are", after, there);
	MUST(h, !armed || h->o.event_idx || !there, "sleeps, and %u are used", there);
	MUST(h, armed || there, "nothing is used, and it does not sleep");
	/* A packed ring's event may lie among what is used already, if chains differ in length. */
	MUST(h, armed || there >= after || !h->o.event_idx || (h->o.packed && !h->o.indirect),
	     "%u of %u, and it does not sleep", there, after);
	if (!armed && (!h->suppressed || h->armed)) {
		h->quiet_from = h->n_shown;
		h->unwanted = 0;
	}
	h->suppressed = !armed;
	h->armed = armed;
	h->due_at = h->n_taken + after;
	h->added_at = h->chains;
}

static void step(struct history *h)
{
	unsigned burst = rnd_one_in(&h->r, 4) ? h->o.size : 4;

	h->steps++;
	if (rnd_one_in(&h->r, 64))
		h->fill = rnd_below(&h->r, 8);
	if (rnd_below(&h->r, 8) < h->fill) {
		burst = 1 + rnd_below(&h->r, burst);
		while (burst && step_add(h))
			burst--;
		if (rnd_one_in(&h->r, 4))
			return;
		step_publish(h);
		return;
	}
	switch (rnd_below(&h->r, 8)) {
	case 0:
		step_suppress(h);
		break;
	case 1:
		step_arm(h);
		break;
	case 2:
		mdev_wishes(&h->d, &h->r);
		break;
	case 3:
		step_publish(h);
		break;
	case 4:
	case 5:
		step_use(h);
		break;
	default:
		step_harvest(h);
	}
	MUST(h, drv_outstanding(h->q) == h->n_added + h->n_held + (h->n_shown - h->n_taken),
	     "%u outstanding", drv_outstanding(h->q));
}

/* What can never be is told apart from what is not possible now. */
static void check_too_long(struct history *h)
{
	static struct drv_seg many[CHAIN_MAX + 2];

	for (unsigned i = 0; i < CHAIN_MAX + 2; i++)
		many[i] = (struct drv_seg){.addr = SEGS_AT, .len = 1};
	MUST(h, drv_add(h->q, many, 1, h->max_segs, 1) == -EMSGSIZE, "a chain of max_segs + 1");
	MUST(h, !drv_publish(h->q), "a kick for nothing");
	check_nothing_more(h);
}

static void play(const struct ring_opts *o, unsigned max_segs, uint64_t seed, uint64_t target)
{
	struct history h = {
		.o = *o, .max_segs = max_segs, .seed = seed, .target = target, .fill = 4};
	const struct drv_counters *c;

	history_begin(&h);
	check_too_long(&h);
	/* A driver begins with interrupts on: both structures are zeroed (2.7.10, 2.8.10). */
	while (h.chains < h.target)
		step(&h);
	step_publish(&h);
	while (h.n_held || h.n_shown != h.n_taken) {
		step_use(&h);
		step_harvest(&h);
	}
	MUST(&h, h.free == o->size && drv_outstanding(h.q) == 0, "%u free in the end", h.free);
	MUST(&h, drv_room(h.q, 1) == o->size, "room for %u in the end", drv_room(h.q, 1));
	c = drv_counters(h.q);
	MUST(&h, c->added == h.chains && c->done == h.chains, "chains counted");
	/* A split ring's descriptors may lie there already from the last time. */
	MUST(&h, o->packed ? c->descs == h.descs : c->descs <= h.descs, "descriptors counted");
	MUST(&h, c->publishes == h.publishes && c->kicks == h.kicks, "publishes counted");
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
