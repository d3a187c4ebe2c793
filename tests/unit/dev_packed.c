/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of a packed virtqueue against rings written by hand. Expected values: virtio
 * 1.2, 2.8, worked out by hand; the sections are named where they matter.
 */
#include "tests/unit/dev_rings.h"

static uint16_t flags_of(const struct ring *r, unsigned i)
{
	return le16toh(r->slot[i].flags);
}

static void packed_goes_round(void **state)
{
	struct ring r;

	(void)state;
	ring_start(&r, (struct ring_opts){.size = 3, .packed = true}, START);
	assert_int_equal(dev_base(r.q), START);
	/* Zeroed descriptors are neither available nor used (2.8.1). */
	assert_int_equal(dev_pop(r.q, &chain), 0);
	slot(r.slot, 0, NEAR, 5, 99, AVAIL | NEXT); /* the id of the last counts (2.8.6) */
	slot(r.slot, 1, NEAR + 5, 6, 2, AVAIL | WRITE);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	chain_is(2, 2, 1, 1, 5, 6);
	piece_is(0, nearby, 5);
	piece_is(1, nearby + 5, 6);
	assert_int_equal(dev_pop(r.q, &chain), 0);
	assert_int_equal(dev_base(r.q), 0x80008002);
	dev_push(r.q, 2, 2, 6);
	assert_int_equal(flags_of(&r, 0), AVAIL | NEXT);
	assert_true(dev_flush(r.q));
	/* one used descriptor for the list, in place of its first; the rest is left alone */
	assert_int_equal(flags_of(&r, 0), AVAIL | USED | WRITE);
	assert_int_equal(le16toh(r.slot[0].id), 2);
	assert_int_equal(le32toh(r.slot[0].len), 6);
	assert_int_equal(flags_of(&r, 1), AVAIL | WRITE);
	assert_int_equal(dev_base(r.q), 0x80028002);

	/* over the end: slot 2 under wrap counter 1, slots 0 and 1 under 0 */
	slot(r.slot, 2, NEAR, 1, 0, AVAIL | NEXT);
	slot(r.slot, 0, NEAR, 2, 0, USED | NEXT);
	slot(r.slot, 1, NEAR, 4, 1, USED);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	chain_is(1, 3, 3, 0, 7, 0);
	assert_int_equal(dev_base(r.q), 0x80020002);
	dev_push(r.q, 1, 3, 0);
	dev_flush(r.q);
	/* nothing written: no WRITE (2.8.3) */
	assert_int_equal(flags_of(&r, 2), AVAIL | USED);
	assert_int_equal(dev_base(r.q), 0x00020002);

	/* slot 2 again, now under 0: used looks like 0 */
	slot(r.slot, 2, NEAR, 1, 1, USED);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	assert_int_equal(dev_base(r.q), 0x00028000);
	dev_push(r.q, 1, 1, 1);
	dev_flush(r.q);
	assert_int_equal(flags_of(&r, 2), WRITE);
	assert_int_equal(dev_base(r.q), START);
	ring_end(&r);
}

static void packed_takes_what_just_fits(void **state)
{
	struct ring r;

	(void)state;
	ring_start(&r, (struct ring_opts){.size = 3, .packed = true}, 0x80008000);
	for (unsigned i = 0; i < 3; i++)
		slot(r.slot, i, NEAR, 1, 0, AVAIL | (i < 2 ? NEXT : 0));
	assert_int_equal(dev_pop(r.q, &chain), 1);
	chain_is(0, 3, 3, 0, 3, 0);
	ring_end(&r);
}

static void packed_starts_where_told(void **state)
{
	struct ring r;

	(void)state;
	/* index 4 of 5 under wrap counter 0, both */
	ring_start(&r, (struct ring_opts){.size = 5, .packed = true}, 0x00040004);
	assert_int_equal(dev_base(r.q), 0x00040004);
	slot(r.slot, 4, NEAR, 1, 3, AVAIL);
	assert_int_equal(dev_pop(r.q, &chain), 0);
	slot(r.slot, 4, NEAR, 1, 3, USED);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	assert_int_equal(dev_base(r.q), 0x00048000);
	ring_end(&r);
}

static void packed_gives_back_in_batches(void **state)
{
	struct ring r;

	(void)state;
	ring_start(&r, (struct ring_opts){.size = 4, .packed = true}, START);
	slot(r.slot, 0, NEAR, 1, 3, AVAIL);
	slot(r.slot, 1, NEAR, 1, 0, AVAIL | NEXT);
	slot(r.slot, 2, NEAR, 1, 1, AVAIL);
	slot(r.slot, 3, NEAR, 1, 2, AVAIL | WRITE);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(dev_pop(r.q, &chain), 1);
	assert_int_equal(dev_pop(r.q, &chain), 0);
	/* Out of order: they are written in sequence from slot 0, and skip their own lengths. */
	dev_push(r.q, 1, 2, 0);
	dev_push(r.q, 2, 1, 9);
	dev_push(r.q, 3, 1, 0);
	assert_int_equal(flags_of(&r, 0), AVAIL); /* where the driver looks: nothing yet */
	dev_flush(r.q);
	assert_int_equal(flags_of(&r, 0), AVAIL | USED);
	assert_int_equal(le16toh(r.slot[0].id), 1);
	assert_int_equal(flags_of(&r, 2), AVAIL | USED | WRITE);
	assert_int_equal(le16toh(r.slot[2].id), 2);
	assert_int_equal(le32toh(r.slot[2].len), 9);
	assert_int_equal(flags_of(&r, 3), AVAIL | USED);
	assert_int_equal(le16toh(r.slot[3].id), 3);
	assert_int_equal(dev_base(r.q), 0); /* both once round */
	ring_end(&r);
}

static void packed_follows_tables(void **state)
{
	struct ring r;

	(void)state;
	ring_start(&r, (struct ring_opts){.size = 2, .packed = true, .indirect = true}, START);
	/* Only WRITE counts in a table, its entries follow each other, ids are ignored (2.8.7). */
	slot(nearby, 0, NEAR + 0x100, 16, 9999, USED);
	slot(nearby, 1, NEAR + 0x110, 8, 9999, NEXT | AVAIL);
	slot(nearby, 2, NEAR + 0x118, 1, 9999, WRITE | INDIRECT);
	slot(r.slot, 0, NEAR, 48, 1, AVAIL | INDIRECT | WRITE);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	chain_is(1, 1, 2, 1, 24, 1);
	piece_is(0, nearby + 0x100, 16);
	piece_is(1, nearby + 0x110, 8);
	piece_is(2, nearby + 0x118, 1);
	ring_end(&r);
}

static void packed_interrupts_as_asked(void **state)
{
	/* 2.8.10. Slots used before, slots of the batch, event flags, offset | wrap << 15. Rings of
	 * 5 entries, wrap counter 1 at the start. */
	static const struct {
		unsigned before, batch, flags, off_wrap;
		bool event_idx, irq;
	} rows[] = {
		{0, 1, 0, 0, false, true},
		{0, 1, 1, 0, false, false},
		{0, 1, 0, 0, true, true},
		{0, 1, 1, 0x8000, true, false},
		{0, 1, 2, 0x8000, true, true},
		{0, 1, 2, 0x8001, true, false},
		{0, 1, 2, 0x8005, true, true},	/* no such slot: rather one too many */
		{0, 1, 2, 0x8003, false, true}, /* not negotiated, so it says nothing */
		{0, 1, 3, 0x8003, true, true},	/* reserved */
		{0, 1, 2, 0x0000, true, false}, /* slot 0 of the next round */
		{2, 2, 2, 0x8001, true, false},
		{2, 2, 2, 0x8002, true, true},
		{2, 2, 2, 0x8003, true, true},
		{2, 2, 2, 0x8004, true, false},
		/* slots 4, 0, 1: over the end */
		{4, 3, 2, 0x8003, true, false},
		{4, 3, 2, 0x8004, true, true},
		{4, 3, 2, 0x0000, true, true},
		{4, 3, 2, 0x0001, true, true},
		{4, 3, 2, 0x0002, true, false},
		{4, 3, 2, 0x8000, true, false}, /* the round that is over */
		/* the second round, wrap counter 0 */
		{5, 2, 2, 0x0001, true, true},
		{5, 2, 2, 0x0002, true, false},
		{5, 2, 2, 0x8001, true, false},
		{9, 2, 2, 0x0004, true, true},
		{9, 2, 2, 0x8000, true, true},
		{9, 2, 2, 0x8001, true, false},
		/* the whole ring */
		{0, 5, 2, 0x8004, true, true},
		{3, 5, 2, 0x0002, true, true},
		{3, 5, 2, 0x0003, true, false},
	};
	struct ring r;

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		unsigned done = rows[i].before + rows[i].batch;

		ring_start(&r,
			   (struct ring_opts){
				   .size = 5, .packed = true, .event_idx = rows[i].event_idx},
			   START);
		for (unsigned k = 0; k < done; k++) {
			slot(r.slot, k % 5, NEAR, 1, (uint16_t)(k % 5), k / 5 % 2 ? USED : AVAIL);
			assert_int_equal(dev_pop(r.q, &chain), 1);
			dev_push(r.q, (uint16_t)(k % 5), 1, 0);
			if (k < rows[i].before)
				dev_flush(r.q);
		}
		r.driver->off_wrap = htole16(rows[i].off_wrap);
		r.driver->flags = htole16(rows[i].flags);
		if (dev_flush(r.q) != rows[i].irq)
			fail_msg("row %zu", i);
		ring_end(&r);
	}
}

static void packed_asks_for_kicks(void **state)
{
	struct ring r;

	(void)state;
	ring_start(&r, (struct ring_opts){.size = 3, .packed = true}, START);
	dev_suppress(r.q);
	assert_int_equal(le16toh(r.device->flags), 1);
	assert_true(dev_arm(r.q));
	assert_int_equal(le16toh(r.device->flags), 0);
	slot(r.slot, 0, NEAR, 1, 0, AVAIL);
	assert_false(dev_arm(r.q));
	assert_int_equal(le16toh(r.device->flags), 1);
	ring_end(&r);

	/* slot 2 of 3 under wrap counter 1, then slot 0 under 0 */
	ring_start(&r, (struct ring_opts){.size = 3, .packed = true, .event_idx = true},
		   0x80028002);
	assert_true(dev_arm(r.q));
	assert_int_equal(le16toh(r.device->flags), 2);
	assert_int_equal(le16toh(r.device->off_wrap), 0x8002);
	slot(r.slot, 2, NEAR, 1, 0, AVAIL);
	assert_false(dev_arm(r.q));
	assert_int_equal(le16toh(r.device->flags), 1);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	assert_true(dev_arm(r.q));
	assert_int_equal(le16toh(r.device->flags), 2);
	assert_int_equal(le16toh(r.device->off_wrap), 0x0000);
	ring_end(&r);
}

/* Written over a good list of slots 0, 1, 2 of 4, or over its table. */
static const struct crime packed_crimes[] = {
	{"not wholly in", 0xffff, 1, 0, AVAIL, 0, false},
	{"not wholly in", NEAR + 0x1fff, 2, 0, AVAIL, 0, false},
	{"is not available", NEAR, 1, 1, NEXT | USED, 0, false},
	{"is not available", NEAR, 1, 1, NEXT | AVAIL | USED, 0, false},
	{"is not available", NEAR, 1, 2, WRITE, 0, false},
	{"follows a writable", NEAR, 1, 2, AVAIL, 0, false},
	{"buffer id 4 in", NEAR, 1, 2, AVAIL | WRITE, 4, false},
	{"buffer id 65535 in", NEAR, 1, 0, AVAIL, 65535, false},
	{"part of a list", NEAR, 16, 2, AVAIL | INDIRECT, 0, false},
	{"part of a list", NEAR, 16, 0, AVAIL | INDIRECT | NEXT, 0, false},
	{"no number of desc", NEAR, 15, 0, AVAIL | INDIRECT, 0, false},
	{"no number of desc", NEAR, 0, 0, AVAIL | INDIRECT, 0, false},
	{"not in one piece", NEAR + 0xff0, 32, 0, AVAIL | INDIRECT, 0, false},
	{"has 320 descriptors", BIG, 320 * 16, 0, AVAIL | INDIRECT, 0, false},
	{"follows a writable", NEAR, 1, 2, 0, 0, true},
	{"not wholly in", 0, 1, 1, WRITE, 0, true},
	{"2^32", BIG, 0xfffffffe, 2, AVAIL | WRITE, 0, false},
};

static void packed_refuses(void **state)
{
	struct ring r;

	(void)state;
	for (size_t i = 0; i < N(packed_crimes); i++) {
		const struct crime *c = &packed_crimes[i];

		ring_start(&r, (struct ring_opts){.size = 4, .packed = true, .indirect = true},
			   START);
		slot(r.slot, 0, NEAR, 1, 0, AVAIL | NEXT);
		slot(r.slot, 1, NEAR, 2, 0, AVAIL | NEXT | WRITE);
		slot(r.slot, 2, NEAR, 1, 1, AVAIL | WRITE);
		if (c->table) {
			slot(nearby, 0, NEAR + 0x800, 1, 0, 0);
			slot(nearby, 1, NEAR + 0x800, 1, 0, WRITE);
			slot(nearby, 2, NEAR + 0x800, 1, 0, WRITE);
			slot(r.slot, 0, NEAR, 48, 0, AVAIL | INDIRECT);
		}
		slot(c->table ? (void *)nearby : r.slot, c->i, c->addr, c->len, c->tail, c->flags);
		if (dev_pop(r.q, &chain) != -EPROTO || !strstr(dev_why(r.q), c->says))
			fail_msg("row %zu (%s): %s", i, c->says, dev_why(r.q));
		assert_int_equal(dev_pop(r.q, &chain), -EPROTO);
		ring_end(&r);
	}
}

static void packed_refuses_too_much(void **state)
{
	struct ring r;

	(void)state;
	/* an endless list, for which the driver needs the same descriptors twice */
	ring_start(&r, (struct ring_opts){.size = 3, .packed = true}, START);
	for (unsigned i = 0; i < 3; i++)
		slot(r.slot, i, NEAR, 1, 0, AVAIL | NEXT);
	assert_int_equal(dev_pop(r.q, &chain), -EPROTO);
	assert_non_null(strstr(dev_why(r.q), "the 3 free"));
	ring_end(&r);

	/* a second round before the first is used; pushed and not flushed is not used */
	ring_start(&r, (struct ring_opts){.size = 2, .packed = true}, START);
	slot(r.slot, 0, NEAR, 1, 0, AVAIL);
	slot(r.slot, 1, NEAR, 1, 1, AVAIL);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	dev_push(r.q, 0, 1, 0);
	slot(r.slot, 0, NEAR, 1, 0, USED);
	assert_int_equal(dev_pop(r.q, &chain), -EPROTO);
	ring_end(&r);

	ring_start(&r, (struct ring_opts){.size = 4, .packed = true}, START);
	slot(r.slot, 0, NEAR, 1, 3, AVAIL);
	slot(r.slot, 1, NEAR, 1, 3, AVAIL);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	assert_int_equal(dev_pop(r.q, &chain), -EPROTO);
	assert_non_null(strstr(dev_why(r.q), "again"));
	ring_end(&r);

	ring_start(&r, (struct ring_opts){.size = 4, .packed = true}, START);
	slot(r.slot, 0, NEAR, 16, 3, AVAIL | INDIRECT);
	assert_int_equal(dev_pop(r.q, &chain), -EPROTO);
	assert_non_null(strstr(dev_why(r.q), "not negotiated"));
	ring_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packed_goes_round),
		cmocka_unit_test(packed_takes_what_just_fits),
		cmocka_unit_test(packed_starts_where_told),
		cmocka_unit_test(packed_gives_back_in_batches),
		cmocka_unit_test(packed_follows_tables),
		cmocka_unit_test(packed_interrupts_as_asked),
		cmocka_unit_test(packed_asks_for_kicks),
		cmocka_unit_test(packed_refuses),
		cmocka_unit_test(packed_refuses_too_much),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
