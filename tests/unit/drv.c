// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The driver's side of both rings, byte by byte. Expected values are worked out by hand from virtio
 * 1.2: what lies where after each step. Random histories against models are in ring_model*.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "engines/drv.h"

#define AT 0x100000ull /* where the device sees our memory */

struct q {
	struct drv_vq *q;
	struct ring_areas a;
	char *mem;
};

static struct q make(unsigned size, bool packed, bool event_idx, bool indirect)
{
	struct ring_opts o = {size, packed, event_idx, indirect};
	struct q x;
	struct err e = {0};
	size_t n = drv_bytes(&o, 3);

	x.mem = aligned_alloc(4096, (n + 4095) / 4096 * 4096);
	memset(x.mem, 0, n);
	assert_int_equal(drv_make(&x.q, &o, 3, x.mem, AT, &e), 0);
	drv_areas(x.q, &x.a);
	return x;
}

static void drop(struct q *x)
{
	drv_free(x->q);
	free(x->mem);
}

static const struct drv_seg read3[] = {{0x10, 16}, {0x2000, 4096}, {0x30, 1}};

static int add_read(struct q *x, uint32_t token)
{
	return drv_add(x->q, read3, 1, 2, token);
}

static void split_direct(void **state)
{
	struct q x = make(4, false, false, false);
	struct vring_desc *d = x.a.desc;
	struct vring_avail *avail = x.a.driver;
	struct vring_used *used = x.a.device;
	struct drv_done done[4];

	(void)state;
	assert_int_equal(add_read(&x, 7), 0);
	/* 2.7.13: nothing is available before the index is written */
	assert_int_equal(avail->idx, 0);
	assert_true(drv_publish(x.q));
	assert_int_equal(avail->idx, 1);
	assert_int_equal(avail->ring[0], 0);
	/* header readable, data and status writable (5.2.6), linked 0 -> 1 -> 2 */
	assert_int_equal(d[0].addr, 0x10);
	assert_int_equal(d[0].len, 16);
	assert_int_equal(d[0].flags, VRING_DESC_F_NEXT);
	assert_int_equal(d[0].next, 1);
	assert_int_equal(d[1].flags, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE);
	assert_int_equal(d[1].next, 2);
	assert_int_equal(d[2].addr, 0x30);
	assert_int_equal(d[2].flags, VRING_DESC_F_WRITE);
	/* one entry is left of four: no second chain of three */
	assert_int_equal(add_read(&x, 8), -ENOSPC);
	assert_int_equal(drv_room(x.q, 3), 0);
	assert_int_equal(drv_room(x.q, 1), 1);
	assert_int_equal(drv_harvest(x.q, done, 4), 0);
	used->ring[0].id = 0;
	used->ring[0].len = 4097;
	used->idx = 1;
	assert_int_equal(drv_harvest(x.q, done, 4), 1);
	assert_int_equal(done[0].token, 7);
	assert_int_equal(done[0].len, 4097);
	assert_int_equal(drv_outstanding(x.q), 0);
	/* 2.7.10: with the device's flag set there is no kick */
	used->flags = VRING_USED_F_NO_NOTIFY;
	assert_int_equal(add_read(&x, 9), 0);
	assert_false(drv_publish(x.q));
	assert_int_equal(avail->ring[1], 0);
	assert_false(drv_publish(x.q));
	drop(&x);
}

static void split_event_index(void **state)
{
	struct q x = make(8, false, true, true);
	struct vring_avail *avail = x.a.driver;
	struct vring_used *used = x.a.device;
	/* 2.7.8: avail_event lies behind the used ring's 8 entries */
	uint16_t *avail_event = (uint16_t *)(void *)&used->ring[8];
	uint16_t *used_event = &avail->ring[8];
	struct drv_done done[8];

	(void)state;
	/* avail_event 0: the chain with index 0 is to be told */
	assert_int_equal(add_read(&x, 0), 0);
	assert_true(drv_publish(x.q));
	/* it still says 0: index 1 was not asked for */
	assert_int_equal(add_read(&x, 1), 0);
	assert_false(drv_publish(x.q));
	/* 3 asked for; 2 and 3 in one batch pass it */
	*avail_event = 3;
	assert_int_equal(add_read(&x, 2), 0);
	assert_int_equal(add_read(&x, 3), 0);
	assert_true(drv_publish(x.q));
	/* "after 3 of the 4": the entry with used index 2 */
	assert_true(drv_arm(x.q, 3));
	assert_int_equal(*used_event, 2);
	assert_int_equal(avail->flags, 0);
	used->ring[0].id = 2;
	used->ring[1].id = 0;
	used->ring[2].id = 3;
	used->idx = 3;
	assert_false(drv_arm(x.q, 3));
	assert_int_equal(drv_harvest(x.q, done, 2), 2);
	assert_int_equal(done[0].token, 2);
	assert_int_equal(done[1].token, 0);
	assert_int_equal(drv_harvest(x.q, done, 8), 1);
	assert_int_equal(done[0].token, 3);
	/* suppressed: an index that was passed just now comes round after 65535 more */
	drv_suppress(x.q);
	assert_int_equal(*used_event, 2);
	drop(&x);
}

static void packed_wraps(void **state)
{
	struct q x = make(3, true, false, false);
	struct vring_packed_desc *d = x.a.desc;
	uint32_t *ours = x.a.driver, *theirs = x.a.device;
	struct drv_seg two[] = {{0x10, 16}, {0x20, 1}};
	struct drv_done done[3];

	(void)state;
	*theirs = VRING_PACKED_EVENT_FLAG_DISABLE << 16;
	assert_int_equal(drv_add(x.q, two, 1, 1, 40), 0);
	/* 2.8.17: the list's first flags come last */
	assert_int_equal(d[0].flags, 0);
	assert_int_equal(d[1].flags, 1 << 7 | VRING_DESC_F_WRITE);
	assert_false(drv_publish(x.q));
	assert_int_equal(d[0].flags, 1 << 7 | VRING_DESC_F_NEXT);
	assert_int_equal(drv_add(x.q, two, 1, 1, 41), -ENOSPC);
	/* used: both bits as the wrap counter, 1; the id in the first of the skipped ones */
	d[0].id = d[1].id;
	d[0].len = 1;
	d[0].flags = 1 << 7 | 1 << 15;
	assert_int_equal(drv_harvest(x.q, done, 3), 1);
	assert_int_equal(done[0].token, 40);
	/* the next list takes entry 2, and entry 0 in the second lap: there available is bit 15 */
	*theirs = VRING_PACKED_EVENT_FLAG_ENABLE;
	assert_int_equal(drv_add(x.q, two, 1, 1, 41), 0);
	assert_true(drv_publish(x.q));
	assert_int_equal(d[2].flags, 1 << 7 | VRING_DESC_F_NEXT);
	assert_int_equal(d[0].flags, 1 << 15 | VRING_DESC_F_WRITE);
	assert_int_equal(drv_harvest(x.q, done, 3), 0);
	drv_suppress(x.q);
	assert_int_equal(*ours >> 16, VRING_PACKED_EVENT_FLAG_DISABLE);
	assert_true(drv_arm(x.q, 1));
	assert_int_equal(*ours >> 16, VRING_PACKED_EVENT_FLAG_ENABLE);
	drop(&x);
}

static void packed_event_index(void **state)
{
	struct q x = make(5, true, true, true);
	struct vring_packed_desc *d = x.a.desc;
	uint32_t *ours = x.a.driver, *theirs = x.a.device;
	struct drv_done done[5];
	unsigned i;

	(void)state;
	/* the device asks for entry 3 of the first lap (wrap bit 1) */
	*theirs = VRING_PACKED_EVENT_FLAG_DESC << 16 | 1 << 15 | 3;
	for (i = 0; i < 3; i++)
		assert_int_equal(add_read(&x, i), 0);
	assert_false(drv_publish(x.q));
	assert_int_equal(add_read(&x, 3), 0);
	assert_int_equal(add_read(&x, 4), 0);
	assert_true(drv_publish(x.q));
	assert_int_equal(d[4].flags, 1 << 7 | VRING_DESC_F_INDIRECT);
	assert_int_equal(d[4].len, 3 * 16);
	/* "after 2": entry 1 of the first lap */
	assert_true(drv_arm(x.q, 2));
	assert_int_equal(*ours, VRING_PACKED_EVENT_FLAG_DESC << 16 | 1 << 15 | 1);
	for (i = 0; i < 5; i++)
		d[i].flags = 1 << 7 | 1 << 15;
	assert_false(drv_arm(x.q, 2));
	assert_int_equal(drv_harvest(x.q, done, 5), 5);
	/* second lap: entry 0, asked for with wrap bit 0 */
	*theirs = VRING_PACKED_EVENT_FLAG_DESC << 16 | 0;
	assert_int_equal(add_read(&x, 0), 0);
	assert_true(drv_publish(x.q));
	assert_int_equal(d[0].flags, 1 << 15 | VRING_DESC_F_INDIRECT);
	/* entry 4 of the first lap was long ago */
	*theirs = VRING_PACKED_EVENT_FLAG_DESC << 16 | 1 << 15 | 4;
	assert_int_equal(add_read(&x, 1), 0);
	assert_false(drv_publish(x.q));
	drop(&x);
}

/* A device that lies is found out, and stays broken. */
static void hostile(void **state)
{
	struct q s = make(4, false, false, true), p = make(4, true, false, true);
	struct vring_used *used = s.a.device;
	struct vring_packed_desc *d = p.a.desc;
	struct drv_done done[4];

	(void)state;
	assert_int_equal(add_read(&s, 0), 0);
	drv_publish(s.q);
	used->idx = 2;
	assert_int_equal(drv_harvest(s.q, done, 4), -EPROTO);
	assert_non_null(strstr(drv_why(s.q), "outstanding"));
	used->idx = 1;
	assert_int_equal(drv_harvest(s.q, done, 4), -EPROTO);
	drop(&s);

	s = make(4, false, false, false);
	used = s.a.device;
	assert_int_equal(add_read(&s, 0), 0);
	drv_publish(s.q);
	used->ring[0].id = 1; /* a part of a chain is none */
	used->idx = 1;
	assert_int_equal(drv_harvest(s.q, done, 4), -EPROTO);
	drop(&s);

	assert_int_equal(add_read(&p, 0), 0);
	drv_publish(p.q);
	d[0].id = 0xffff;
	d[0].flags = 1 << 7 | 1 << 15;
	assert_int_equal(drv_harvest(p.q, done, 4), -EPROTO);
	drop(&p);
}

/* What was added but not published is not the device's to complete, though it can guess the id. */
static void hidden_chains(void **state)
{
	struct q s = make(4, false, false, true), p = make(4, true, false, true);
	struct vring_used *used = s.a.device;
	struct vring_packed_desc *d = p.a.desc;
	struct drv_done done[4];

	(void)state;
	assert_int_equal(add_read(&s, 0), 0);
	used->idx = 1; /* ring[0].id is 0 */
	assert_int_equal(drv_harvest(s.q, done, 4), -EPROTO);
	drop(&s);

	/* the other one was published: the number of completions is right, the id is not */
	s = make(4, false, false, true);
	used = s.a.device;
	assert_int_equal(add_read(&s, 0), 0);
	drv_publish(s.q);
	assert_int_equal(add_read(&s, 1), 0);
	used->ring[0].id = 1;
	used->idx = 1;
	assert_int_equal(drv_harvest(s.q, done, 4), -EPROTO);
	drop(&s);

	/* and with the right one it goes on */
	s = make(4, false, false, true);
	used = s.a.device;
	assert_int_equal(add_read(&s, 0), 0);
	drv_publish(s.q);
	assert_int_equal(add_read(&s, 1), 0);
	used->idx = 1;
	assert_int_equal(drv_harvest(s.q, done, 4), 1);
	assert_int_equal(done[0].token, 0);
	drv_publish(s.q);
	used->ring[1].id = 1;
	used->idx = 2;
	assert_int_equal(drv_harvest(s.q, done, 4), 1);
	drop(&s);

	assert_int_equal(add_read(&p, 0), 0);
	drv_publish(p.q);
	assert_int_equal(add_read(&p, 1), 0);
	d[0].id = 1;
	d[0].flags = 1 << 7 | 1 << 15;
	assert_int_equal(drv_harvest(p.q, done, 4), -EPROTO);
	drop(&p);
}

/* The same chain a second time: a ring descriptor that lies there is left alone, or written again.
 */
static void rewriting(void **state)
{
	(void)state;
	for (int all = 0; all < 2; all++) {
		struct q x = make(4, false, false, true);
		struct vring_desc *d = x.a.desc, *table;
		struct vring_used *used = x.a.device;
		struct drv_done done[4];

		drv_rewrite(x.q, all);
		assert_int_equal(add_read(&x, 0), 0);
		drv_publish(x.q);
		used->idx = 1;
		assert_int_equal(drv_harvest(x.q, done, 4), 1);
		table = (void *)(x.mem + (d[0].addr - AT));
		assert_int_equal(table[1].addr, 0x2000);
		/* marks that only another store removes */
		d[0].len = 1;
		table[1].addr = 2;
		assert_int_equal(add_read(&x, 0), 0);
		assert_int_equal(d[0].len, all ? 48 : 1);
		assert_int_equal(table[1].addr, all ? 0x2000 : 2);
		assert_int_equal(drv_counters(x.q)->descs, all ? 2 : 1);
		drop(&x);
	}
}

static void limits(void **state)
{
	struct ring_opts o = {3, false, false, false};
	struct drv_seg many[4] = {{0}};
	struct drv_vq *q;
	struct err e = {0};
	struct q x = make(2, true, true, true);

	(void)state;
	assert_int_equal(drv_make(&q, &o, 3, NULL, 0, &e), -EINVAL);
	assert_non_null(strstr(e.text, "power"));
	/* a table longer than the queue is forbidden (2.7.5.3.1) */
	assert_int_equal(add_read(&x, 0), -EMSGSIZE);
	assert_int_equal(drv_add(x.q, many, 2, 2, 0), -EMSGSIZE);
	assert_int_equal(drv_room(x.q, 3), 0);
	assert_int_equal(drv_room(x.q, 2), 2);
	drop(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_direct),	 cmocka_unit_test(split_event_index),
		cmocka_unit_test(packed_wraps),	 cmocka_unit_test(packed_event_index),
		cmocka_unit_test(hostile),	 cmocka_unit_test(limits),
		cmocka_unit_test(hidden_chains), cmocka_unit_test(rewriting),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
