// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Driver and device of one queue in a thread each, under ThreadSanitizer: what either wrote before
 * it gave a chain away, the other reads; and who sleeps is woken. A notification that got lost
 * shows as a sleep of 20 seconds. What is expected is computed from the chain's number.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "engines/dev.h"
#include "engines/drv.h"

#define CHAINS 200000
#define PATIENCE_MS 20000
#define SLOTS 64 /* chains in flight at most */
#define PIECES 6 /* of a chain at most */
#define WORDS 4	 /* 8-byte words of a piece */
#define PIECE (WORDS * sizeof(uint64_t))
#define GUEST 0x10000000ull

struct wire {
	struct ring_opts o;
	bool sleeps;
	struct drv_vq *drv;
	struct dev_vq *dev;
	struct mem mem;
	int kick, call;
	size_t ring_bytes, bytes;
	uint8_t *memory; /* the ring, then SLOTS * PIECES pieces */

	bool stop; /* atomic */
	char drv_why[160], dev_why[160];
	uint64_t drv_sleeps, dev_sleeps;
};

static uint64_t mix(uint64_t x)
{
	x *= 0x9e3779b97f4a7c15ull;
	return x ^ x >> 29;
}

/* Chain k has 1 .. 3 pieces for the device to read and 0 .. 3 to write (none of it: only reads). */
static unsigned outs_of(uint64_t k)
{
	return 1 + mix(k) % 3;
}

static unsigned ins_of(uint64_t k)
{
	return mix(k) / 3 % 4;
}

static bool stopped(struct wire *w)
{
	return __atomic_load_n(&w->stop, __ATOMIC_RELAXED);
}

static void notify(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static void stop(struct wire *w)
{
	__atomic_store_n(&w->stop, true, __ATOMIC_RELAXED);
	notify(w->kick);
	notify(w->call);
}

/* Until the other side notifies. False: it did not. */
static bool nap(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t n;
	int rc = poll(&p, 1, PATIENCE_MS);

	if (rc > 0 && read(fd, &n, sizeof(n)) != sizeof(n))
		abort();
	return rc > 0;
}

static uint64_t word(uint64_t k, bool from_device, unsigned i)
{
	return mix(k * 2 + from_device) + i;
}

/* --- the device --------------------------------------------------------------------------------
 */

static bool dev_check(struct wire *w, const struct dev_chain *c, uint64_t k)
{
	unsigned outs = outs_of(k), ins = ins_of(k);

	if (c->out_len != outs * PIECE || c->in_len != ins * PIECE || c->out != outs ||
	    c->in != ins) {
		snprintf(w->dev_why, sizeof(w->dev_why), "chain %llu: %u+%u pieces, not %u+%u",
			 (unsigned long long)k, c->out, c->in, outs, ins);
		return false;
	}
	for (unsigned i = 0; i < outs * WORDS; i++) {
		const uint64_t *at = c->iov[i / WORDS].iov_base;

		if (at[i % WORDS] != word(k, false, i)) {
			snprintf(w->dev_why, sizeof(w->dev_why),
				 "chain %llu: word %u is not what the driver wrote",
				 (unsigned long long)k, i);
			return false;
		}
	}
	for (unsigned i = 0; i < ins * WORDS; i++) {
		uint64_t *at = c->iov[outs + i / WORDS].iov_base;

		at[i % WORDS] = word(k, true, i);
	}
	return true;
}

/* Chains that the device keeps for a while, so that they come back in another order. */
struct kept {
	uint16_t id, ndescs;
	uint32_t len;
};

static bool dev_give(struct wire *w, struct kept *kept, unsigned *n, unsigned leave)
{
	bool moved = *n > leave;

	while (*n > leave) {
		struct kept c = kept[--*n];

		dev_push(w->dev, c.id, c.ndescs, c.len);
	}
	if (dev_flush(w->dev))
		notify(w->call);
	return moved;
}

static bool dev_sleep(struct wire *w)
{
	if (!w->sleeps) {
		sched_yield();
		return true;
	}
	if (!dev_arm(w->dev))
		return true;
	w->dev_sleeps++;
	if (!nap(w->kick)) {
		snprintf(w->dev_why, sizeof(w->dev_why),
			 "the device was asleep for %d s: no kick came", PATIENCE_MS / 1000);
		return false;
	}
	dev_suppress(w->dev);
	return true;
}

static void *dev_thread(void *arg)
{
	static __thread struct dev_chain c;
	struct wire *w = arg;
	struct kept kept[SLOTS];
	unsigned n = 0;
	uint64_t k = 0;

	dev_suppress(w->dev);
	while (!stopped(w) && (k < CHAINS || n)) {
		int rc = n < SLOTS ? dev_pop(w->dev, &c) : 0;

		if (rc < 0) {
			snprintf(w->dev_why, sizeof(w->dev_why), "%s", dev_why(w->dev));
			break;
		}
		if (rc) {
			if (!dev_check(w, &c, k))
				break;
			kept[n++] = (struct kept){c.id, c.ndescs, (uint32_t)c.in_len};
			/* Some are given back in the middle of a batch. */
			if (mix(++k) % 5 == 0)
				dev_give(w, kept, &n, mix(k) % 3);
			continue;
		}
		if (!dev_give(w, kept, &n, 0) && k < CHAINS && !dev_sleep(w))
			break;
	}
	if (w->dev_why[0])
		stop(w);
	return NULL;
}

/* --- the driver --------------------------------------------------------------------------------
 */

struct slots {
	uint64_t chain[SLOTS];
	unsigned free[SLOTS], n_free;
};

static uint8_t *piece_at(struct wire *w, unsigned slot, unsigned i)
{
	return w->memory + w->ring_bytes + (slot * PIECES + i) * PIECE;
}

static int drv_put(struct wire *w, struct slots *s, uint64_t k)
{
	unsigned slot = s->free[s->n_free - 1], outs = outs_of(k), ins = ins_of(k);
	struct drv_seg segs[PIECES];
	int rc;

	for (unsigned i = 0; i < outs * WORDS; i++)
		((uint64_t *)piece_at(w, slot, i / WORDS))[i % WORDS] = word(k, false, i);
	for (unsigned i = 0; i < outs + ins; i++)
		segs[i] = (struct drv_seg){GUEST + (uint64_t)(piece_at(w, slot, i) - w->memory),
					   PIECE};
	rc = drv_add(w->drv, segs, outs, ins, slot);
	if (rc)
		return rc;
	s->chain[slot] = k;
	s->n_free--;
	return 0;
}

static bool drv_check(struct wire *w, struct slots *s, const struct drv_done *d)
{
	uint64_t k = s->chain[d->token];
	unsigned outs = outs_of(k), ins = ins_of(k);

	if (d->len != ins * PIECE) {
		snprintf(w->drv_why, sizeof(w->drv_why), "chain %llu: %u bytes written, not %zu",
			 (unsigned long long)k, d->len, ins * PIECE);
		return false;
	}
	for (unsigned i = 0; i < ins * WORDS; i++)
		if (((uint64_t *)piece_at(w, d->token, outs + i / WORDS))[i % WORDS] !=
		    word(k, true, i)) {
			snprintf(w->drv_why, sizeof(w->drv_why),
				 "chain %llu: word %u is not what the device wrote",
				 (unsigned long long)k, i);
			return false;
		}
	s->free[s->n_free++] = d->token;
	return true;
}

static bool drv_sleep(struct wire *w, uint64_t k)
{
	unsigned out = drv_outstanding(w->drv);

	if (!w->sleeps) {
		sched_yield();
		return true;
	}
	if (!drv_arm(w->drv, 1 + mix(k) % out))
		return true;
	w->drv_sleeps++;
	if (!nap(w->call)) {
		snprintf(w->drv_why, sizeof(w->drv_why),
			 "the driver was asleep for %d s, %u chains in flight: no interrupt came",
			 PATIENCE_MS / 1000, out);
		return false;
	}
	drv_suppress(w->drv);
	return true;
}

static bool drv_reap(struct wire *w, struct slots *s, uint64_t k, bool *any)
{
	struct drv_done done[16];
	int n = drv_harvest(w->drv, done, 1 + mix(k + 1) % 16);

	*any = n > 0;
	if (n < 0)
		snprintf(w->drv_why, sizeof(w->drv_why), "%s", drv_why(w->drv));
	for (int i = 0; i < n; i++)
		if (!drv_check(w, s, &done[i]))
			return false;
	return n >= 0;
}

static void drv_run(struct wire *w)
{
	struct slots s = {.n_free = 0};
	uint64_t k = 0;
	bool any;

	while (s.n_free < SLOTS) {
		s.free[s.n_free] = s.n_free;
		s.n_free++;
	}
	drv_suppress(w->drv);
	while (!stopped(w) && (k < CHAINS || s.n_free < SLOTS)) {
		/* Batches of all sizes, at all depths. */
		for (unsigned n = 1 + mix(k) % 24; n && k < CHAINS && s.n_free; n--, k++)
			if (drv_put(w, &s, k))
				break;
		if (drv_publish(w->drv))
			notify(w->kick);
		if (!drv_reap(w, &s, k, &any))
			break;
		/* Also with some that are used and not taken. */
		if ((!any || mix(k + 2) % 4 == 0) && drv_outstanding(w->drv) && !drv_sleep(w, k))
			break;
	}
	if (w->drv_why[0])
		stop(w);
}

/* --- both --------------------------------------------------------------------------------------
 */

static void wire_run(struct ring_opts o, bool sleeps)
{
	struct wire w = {.o = o, .sleeps = sleeps};
	struct ring_areas areas;
	struct err e = {0};
	pthread_t t;

	w.ring_bytes = (drv_bytes(&o, PIECES) + 4095) / 4096 * 4096;
	w.bytes = w.ring_bytes + SLOTS * PIECES * PIECE;
	w.memory = mmap(NULL, w.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(w.memory, MAP_FAILED);
	w.kick = eventfd(0, EFD_CLOEXEC);
	w.call = eventfd(0, EFD_CLOEXEC);
	assert_true(w.kick >= 0 && w.call >= 0);
	assert_int_equal(drv_make(&w.drv, &o, PIECES, w.memory, GUEST, &e), 0);
	drv_areas(w.drv, &areas);
	assert_int_equal(mem_add_local(&w.mem, w.memory, GUEST, w.bytes, &e), 0);
	assert_int_equal(dev_make(&w.dev, &o, &areas, o.packed ? 0x80008000 : 0, &w.mem, &e), 0);
	assert_int_equal(pthread_create(&t, NULL, dev_thread, &w), 0);
	drv_run(&w);
	pthread_join(t, NULL);
	if (w.drv_why[0] || w.dev_why[0])
		fail_msg("%s%s%s", w.drv_why, w.drv_why[0] && w.dev_why[0] ? "; " : "", w.dev_why);
	/* Else the waiting was not tried. */
	assert_true(!sleeps || (w.drv_sleeps && w.dev_sleeps));
	print_message("# the driver slept %llu times, the device %llu\n",
		      (unsigned long long)w.drv_sleeps, (unsigned long long)w.dev_sleeps);
	dev_free(w.dev);
	drv_free(w.drv);
	mem_clear(&w.mem);
	munmap(w.memory, w.bytes);
	close(w.kick);
	close(w.call);
}

#define RUN(packed, event_idx, indirect, sleeps)                                            \
	static void test_##packed##event_idx##indirect##sleeps(void **state)                \
	{                                                                                   \
		(void)state;                                                                \
		wire_run((struct ring_opts){packed ? 61 : 64, packed, event_idx, indirect}, \
			 sleeps);                                                           \
	}
#define RUNS(packed)         \
	RUN(packed, 0, 0, 0) \
	RUN(packed, 0, 0, 1) \
	RUN(packed, 0, 1, 0) \
	RUN(packed, 0, 1, 1) \
	RUN(packed, 1, 0, 0) RUN(packed, 1, 0, 1) RUN(packed, 1, 1, 0) RUN(packed, 1, 1, 1)
RUNS(0)
RUNS(1)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{"split, polling", test_0000, NULL, NULL, NULL},
		{"split, sleeping", test_0001, NULL, NULL, NULL},
		{"split, indirect, polling", test_0010, NULL, NULL, NULL},
		{"split, indirect, sleeping", test_0011, NULL, NULL, NULL},
		{"split, event index, polling", test_0100, NULL, NULL, NULL},
		{"split, event index, sleeping", test_0101, NULL, NULL, NULL},
		{"split, event index, indirect, polling", test_0110, NULL, NULL, NULL},
		{"split, event index, indirect, sleeping", test_0111, NULL, NULL, NULL},
		{"packed, polling", test_1000, NULL, NULL, NULL},
		{"packed, sleeping", test_1001, NULL, NULL, NULL},
		{"packed, indirect, polling", test_1010, NULL, NULL, NULL},
		{"packed, indirect, sleeping", test_1011, NULL, NULL, NULL},
		{"packed, event index, polling", test_1100, NULL, NULL, NULL},
		{"packed, event index, sleeping", test_1101, NULL, NULL, NULL},
		{"packed, event index, indirect, polling", test_1110, NULL, NULL, NULL},
		{"packed, event index, indirect, sleeping", test_1111, NULL, NULL, NULL},
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
