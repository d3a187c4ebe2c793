/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of a split virtqueue against rings written by hand, and what both layouts have
 * in common. Expected values: virtio 1.2, 2.7, worked out by hand; the sections are named where
 * they matter.
 */
#include "tests/unit/dev_rings.h"

static void split_takes_a_chain_apart(void **state)
{
	struct ring r;

	(void)state;
	ring_start(&r, (struct ring_opts){.size = 8}, 0);
	assert_int_equal(dev_pop(r.q, &chain), 0);
	put(r.desc, 5, NEAR, 16, NEXT, 2);
	put(r.desc, 2, NEAR + 0xff0, 0x20, NEXT | WRITE, 7); /* over the border of two regions */
	put(r.desc, 7, NEAR + 0x10, 1, WRITE, 0);
	offer(&r, 5);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	chain_is(5, 3, 1, 3, 16, 0x21);
	piece_is(0, nearby, 16);
	piece_is(1, nearby + 0xff0, 0x10);
	piece_is(2, behind, 0x10);
	piece_is(3, nearby + 0x10, 1);
	assert_int_equal(dev_pop(r.q, &chain), 0);
	assert_null(dev_why(r.q));
	ring_end(&r);
}

static void split_follows_tables(void **state)
{
	struct ring r;

	(void)state;
	ring_start(&r, (struct ring_opts){.size = 2, .indirect = true}, 0);
	/* At an odd address, for nothing aligns tables; chained out of order, one entry unused;
	 * WRITE is ignored in what refers to it (2.7.5.3.2). */
	put(nearby + 1, 0, NEAR + 0x200, 16, NEXT, 3);
	put(nearby + 1, 3, NEAR + 0x300, 4096 - 0x300, NEXT | WRITE, 1);
	put(nearby + 1, 1, NEAR + 0x210, 1, WRITE, 0);
	put(nearby + 1, 2, ~0ULL, ~0u, 0xffff, 0xffff);
	put(r.desc, 1, NEAR + 1, 64, INDIRECT | WRITE, 0);
	offer(&r, 1);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	chain_is(1, 1, 1, 2, 16, 4096 - 0x300 + 1);
	piece_is(1, nearby + 0x300, 4096 - 0x300);
	piece_is(2, nearby + 0x210, 1);
	dev_push(r.q, 1, 1, 0);
	dev_flush(r.q);

	/* ordinary descriptors, then a table (2.7.5.3.2) */
	put(r.desc, 1, NEAR + 0x400, 8, NEXT, 0);
	put(r.desc, 0, NEAR + 1, 64, INDIRECT, 0);
	offer(&r, 1);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	chain_is(1, 2, 2, 2, 24, 4096 - 0x300 + 1);
	piece_is(0, nearby + 0x400, 8);
	ring_end(&r);
}

static void empty_descriptors_add_nothing(void **state)
{
	struct ring r;

	(void)state;
	ring_start(&r, (struct ring_opts){.size = 4}, 0);
	put(r.desc, 0, ~0ULL, 0, NEXT, 1); /* an address that names no bytes */
	put(r.desc, 1, NEAR, 3, NEXT, 2);
	put(r.desc, 2, 0, 0, WRITE, 0);
	put(r.desc, 3, 0, 0, 0, 0);
	offer(&r, 0);
	offer(&r, 3);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	chain_is(0, 3, 1, 0, 3, 0);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	chain_is(3, 1, 0, 0, 0, 0);
	dev_push(r.q, 3, 1, 0);
	dev_flush(r.q);
	/* Their direction counts all the same (2.7.4.2). */
	put(r.desc, 3, 0, 0, NEXT | WRITE, 2);
	put(r.desc, 2, NEAR, 1, 0, 0);
	offer(&r, 3);
	assert_int_equal(dev_pop(r.q, &chain), -EPROTO);
	ring_end(&r);
}

static void takes_what_just_fits(void **state)
{
	struct ring r;

	(void)state;
	/* As many descriptors as the queue, and 2^32 bytes (2.7.5, 2.7.5.2). */
	ring_start(&r, (struct ring_opts){.size = 4, .indirect = true}, 0);
	for (unsigned i = 0; i < 4; i++)
		put(r.desc, i, BIG, 1u << 30, i < 3 ? NEXT : 0, (uint16_t)(i + 1));
	offer(&r, 0);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	chain_is(0, 4, 4, 0, 1ULL << 32, 0);
	dev_push(r.q, 0, 4, 0);
	dev_flush(r.q);
	/* a table of which all is used */
	for (unsigned i = 0; i < 4; i++)
		put(nearby, i, NEAR, 1, i < 3 ? NEXT : 0, (uint16_t)(i + 1));
	put(r.desc, 3, NEAR, 64, INDIRECT, 0);
	offer(&r, 3);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	chain_is(3, 1, 4, 0, 4, 0);
	ring_end(&r);
}

static void split_gives_back_in_batches(void **state)
{
	struct ring r;

	(void)state;
	/* The 16-bit indices wrap within this. */
	ring_start(&r, (struct ring_opts){.size = 4}, 65534);
	for (unsigned i = 0; i < 4; i++) {
		put(r.desc, i, NEAR + i, 1, WRITE, 0);
		offer(&r, (uint16_t)i);
	}
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(dev_pop(r.q, &chain), 1);
		assert_int_equal(chain.id, i);
	}
	assert_int_equal(dev_base(r.q), 2); /* 65534 + 4 modulo 65536 */
	assert_false(dev_flush(r.q));
	dev_push(r.q, 2, 1, 77);
	dev_push(r.q, 0, 1, 0);
	dev_push(r.q, 3, 1, 0xffffffff);
	assert_int_equal(le16toh(r.used->idx), 65534);
	assert_true(dev_flush(r.q));
	assert_false(dev_flush(r.q));
	assert_int_equal(le16toh(r.used->idx), 1);
	/* places 65534 % 4 = 2, 3, 0 */
	assert_int_equal(le32toh(r.used->ring[2].id), 2);
	assert_int_equal(le32toh(r.used->ring[2].len), 77);
	assert_int_equal(le32toh(r.used->ring[3].id), 0);
	assert_int_equal(le32toh(r.used->ring[0].id), 3);
	assert_int_equal(le32toh(r.used->ring[0].len), 0xffffffff);
	/* three descriptors are the driver's again */
	offer(&r, 3);
	offer(&r, 0);
	offer(&r, 2);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(dev_pop(r.q, &chain), 1);
	assert_int_equal(dev_counters(r.q)->popped, 7);
	assert_int_equal(dev_counters(r.q)->pushed, 3);
	assert_int_equal(dev_counters(r.q)->flushes, 1);
	assert_int_equal(dev_counters(r.q)->interrupts, 1);
	ring_end(&r);
}

static void split_interrupts_as_asked(void **state)
{
	/* 2.7.7.2: with the event index, when an entry with index used_event is written */
	static const struct {
		uint16_t base, batch, event;
		bool irq;
	} rows[] = {
		{0, 1, 0, true},	  {0, 1, 1, false},    {0, 1, 65535, false},
		{0, 8, 7, true},	  {0, 8, 8, false},    {5, 3, 4, false},
		{5, 3, 5, true},	  {5, 3, 7, true},     {5, 3, 8, false},
		{65533, 8, 65535, true},  {65533, 8, 4, true}, {65533, 8, 5, false},
		{65533, 8, 65532, false},
	};
	struct ring r;

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		/* the flag is to be ignored then */
		for (int flag = 0; flag < 2; flag++) {
			ring_start(&r, (struct ring_opts){.size = 8, .event_idx = true},
				   rows[i].base);
			r.avail->flags = htole16(flag);
			r.avail->ring[8] = htole16(rows[i].event);
			for (uint16_t k = 0; k < rows[i].batch; k++) {
				put(r.desc, k, NEAR, 1, 0, 0);
				offer(&r, k);
				assert_int_equal(dev_pop(r.q, &chain), 1);
				dev_push(r.q, k, 1, 0);
			}
			if (dev_flush(r.q) != rows[i].irq)
				fail_msg("row %zu", i);
			ring_end(&r);
		}
	}
	/* without: by flag alone, whatever lies in used_event */
	for (int flag = 0; flag < 2; flag++) {
		ring_start(&r, (struct ring_opts){.size = 8}, 0);
		r.avail->flags = htole16(flag);
		r.avail->ring[8] = htole16(flag ? 0 : 1000);
		put(r.desc, 0, NEAR, 1, 0, 0);
		offer(&r, 0);
		assert_int_equal(dev_pop(r.q, &chain), 1);
		dev_push(r.q, 0, 1, 0);
		assert_int_equal(dev_flush(r.q), !flag);
		ring_end(&r);
	}
}

static void split_asks_for_kicks(void **state)
{
	struct ring r;

	(void)state;
	ring_start(&r, (struct ring_opts){.size = 4}, 0);
	dev_suppress(r.q);
	assert_int_equal(le16toh(r.used->flags), 1); /* NO_NOTIFY, 2.7.10 */
	assert_true(dev_arm(r.q));
	assert_int_equal(le16toh(r.used->flags), 0);
	put(r.desc, 0, NEAR, 1, 0, 0);
	offer(&r, 0);
	assert_false(dev_arm(r.q));
	assert_int_equal(le16toh(r.used->flags), 1);
	ring_end(&r);

	ring_start(&r, (struct ring_opts){.size = 4, .event_idx = true}, 65535);
	uint16_t *avail_event = (uint16_t *)(void *)&r.used->ring[4];

	dev_suppress(r.q);
	assert_true(dev_arm(r.q));
	assert_int_equal(le16toh(*avail_event), 65535);
	/* Not asking any more: going from 65535 to 0 must not pass it. */
	dev_suppress(r.q);
	assert_false(ring_passed(le16toh(*avail_event), 0, 65535));
	assert_true(dev_arm(r.q));
	put(r.desc, 0, NEAR, 1, 0, 0);
	put(r.desc, 1, NEAR, 1, 0, 0);
	offer(&r, 0);
	assert_false(dev_arm(r.q));
	assert_int_equal(dev_pop(r.q, &chain), 1);
	assert_true(dev_arm(r.q));
	assert_int_equal(le16toh(*avail_event), 0);
	/* seen by a pop already, and not popped */
	offer(&r, 1);
	offer(&r, 1);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	assert_false(dev_arm(r.q));
	/* flags stay 0 throughout (2.7.10.2) */
	assert_int_equal(r.used->flags, 0);
	ring_end(&r);
}

/* The good start: descriptors 0 -> 1 -> 2 of 8, and a table at NEAR that is like it. */
static const struct crime split_crimes[] = {
	{"not wholly in", 0xffff, 1, 0, 0, 0, false},
	{"not wholly in", NEAR + 0x1fff, 2, 0, 0, 0, false},
	{"not wholly in", ~0ULL, 1, 0, 0, 0, false},
	{"not wholly in", ~0ULL - 10, 100, 0, 0, 0, false},
	{"not wholly in", NEAR + 0x2000, 1, 2, WRITE, 0, false},
	{"next is 8 in", NEAR, 1, 1, NEXT | WRITE, 8, false},
	{"next is 65535 in", NEAR, 1, 0, NEXT, 65535, false},
	{"longer than the queue", NEAR, 1, 2, NEXT | WRITE, 1, false},
	{"longer than the queue", NEAR, 0, 0, NEXT, 0, false},
	{"follows a writable", NEAR, 1, 2, 0, 0, false},
	{"follows a writable", NEAR, 0, 2, 0, 0, false},
	{"has a next", NEAR, 16, 0, INDIRECT | NEXT, 1, false},
	{"no number of desc", NEAR, 15, 0, INDIRECT, 0, false},
	{"no number of desc", NEAR, 17, 0, INDIRECT, 0, false},
	{"no number of desc", NEAR, 0, 0, INDIRECT, 0, false},
	{"not in one piece", NEAR + 0xff0, 32, 0, INDIRECT, 0, false},
	{"not in one piece", 16, 16, 0, INDIRECT, 0, false},
	{"not in one piece", ~0ULL - 15, 0xfffffff0, 0, INDIRECT, 0, false},
	{"holds another", NEAR + 0x800, 16, 1, INDIRECT, 0, true},
	{"next is 4 in", NEAR, 1, 2, NEXT | WRITE, 4, true},
	{"a loop in", NEAR, 1, 2, NEXT | WRITE, 2, true},
	{"a loop in", NEAR, 0, 0, NEXT, 0, true},
	{"follows a writable", NEAR, 1, 2, 0, 0, true},
	{"not wholly in", 0, 1, 1, 0, 0, true},
	/* 4 GiB and 1 byte: one over the limit of 2.7.5.2 */
	{"2^32", BIG, 0xfffffffe, 2, WRITE, 0, false},
};

static void split_refuses(void **state)
{
	struct ring r;

	(void)state;
	for (size_t i = 0; i < N(split_crimes); i++) {
		const struct crime *c = &split_crimes[i];

		ring_start(&r, (struct ring_opts){.size = 8, .indirect = true}, 0);
		for (int table = 0; table < 2; table++) {
			void *t = table ? (void *)nearby : r.desc;

			put(t, 0, NEAR + 0x800, 1, NEXT, 1);
			put(t, 1, NEAR + 0x801, 2, NEXT | WRITE, 2);
			put(t, 2, NEAR + 0x803, 1, WRITE, 0);
			put(t, 3, NEAR + 0x804, 1, WRITE, 0);
		}
		/* what comes first is good in itself */
		put(r.desc, 3, NEAR, 64, INDIRECT, 0);
		offer(&r, c->table ? 3 : 0);
		put(c->table ? (void *)nearby : r.desc, c->i, c->addr, c->len, c->flags, c->tail);
		if (dev_pop(r.q, &chain) != -EPROTO || !strstr(dev_why(r.q), c->says))
			fail_msg("row %zu (%s): %s", i, c->says, dev_why(r.q));
		/* and for good */
		put(r.desc, 0, NEAR, 1, 0, 0);
		assert_int_equal(dev_pop(r.q, &chain), -EPROTO);
		assert_false(dev_arm(r.q));
		ring_end(&r);
	}
}

static void split_refuses_indices(void **state)
{
	struct ring r;

	(void)state;
	ring_start(&r, (struct ring_opts){.size = 4}, 10);
	r.avail->idx = htole16(15);
	assert_int_equal(dev_pop(r.q, &chain), -EPROTO);
	assert_non_null(strstr(dev_why(r.q), "from 10 to 15"));
	ring_end(&r);

	/* back by one is ahead by 65535 */
	ring_start(&r, (struct ring_opts){.size = 32768}, 10);
	r.avail->idx = htole16(9);
	assert_int_equal(dev_pop(r.q, &chain), -EPROTO);
	ring_end(&r);

	ring_start(&r, (struct ring_opts){.size = 4}, 0);
	offer(&r, 4);
	assert_int_equal(dev_pop(r.q, &chain), -EPROTO);
	assert_non_null(strstr(dev_why(r.q), "names descriptor 4"));
	ring_end(&r);

	/* more in flight than there are descriptors, by way of several looks; pushed and not yet
	 * visible is in flight too */
	ring_start(&r, (struct ring_opts){.size = 2}, 0);
	put(r.desc, 0, NEAR, 1, 0, 0);
	put(r.desc, 1, NEAR, 1, 0, 0);
	offer(&r, 0);
	offer(&r, 1);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	dev_push(r.q, 0, 1, 0);
	offer(&r, 0);
	assert_int_equal(dev_pop(r.q, &chain), -EPROTO);
	/* what was done before can still be given back */
	dev_flush(r.q);
	assert_int_equal(le16toh(r.used->idx), 1);
	ring_end(&r);

	/* of two that were taken, one is back */
	ring_start(&r, (struct ring_opts){.size = 2}, 0);
	put(r.desc, 0, NEAR, 1, 0, 0);
	put(r.desc, 1, NEAR, 1, 0, 0);
	offer(&r, 0);
	offer(&r, 1);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	dev_push(r.q, 0, 1, 0);
	dev_flush(r.q);
	offer(&r, 0);
	offer(&r, 0);
	assert_int_equal(dev_pop(r.q, &chain), -EPROTO);
	assert_non_null(strstr(dev_why(r.q), "from 2 to 4"));
	ring_end(&r);

	ring_start(&r, (struct ring_opts){.size = 4}, 0);
	put(r.desc, 3, NEAR, 1, 0, 0);
	offer(&r, 3);
	offer(&r, 3);
	assert_int_equal(dev_pop(r.q, &chain), 1);
	assert_int_equal(dev_pop(r.q, &chain), -EPROTO);
	assert_non_null(strstr(dev_why(r.q), "again"));
	ring_end(&r);

	ring_start(&r, (struct ring_opts){.size = 4}, 0);
	put(r.desc, 0, NEAR, 16, INDIRECT, 0);
	offer(&r, 0);
	assert_int_equal(dev_pop(r.q, &chain), -EPROTO);
	assert_non_null(strstr(dev_why(r.q), "not negotiated"));
	ring_end(&r);
}

static void bounds_long_chains(void **state)
{
	struct ring r;

	(void)state;
	/* 260 pieces are taken, 261 are not: ordinary descriptors of a large ring */
	for (unsigned n = 260; n <= 261; n++) {
		ring_start(&r, (struct ring_opts){.size = 512}, 0);
		for (unsigned i = 0; i < n; i++)
			put(r.desc, i, NEAR + i, 1, i + 1 < n ? NEXT : 0, (uint16_t)(i + 1));
		offer(&r, 0);
		assert_int_equal(dev_pop(r.q, &chain), n == 260 ? 1 : -EPROTO);
		if (n == 260)
			chain_is(0, 260, 260, 0, 260, 0);
		else
			assert_non_null(strstr(dev_why(r.q), "more than 260 pieces"));
		ring_end(&r);
	}
	/* A table longer than the queue is Linux' way; empty entries do not make it endless. */
	for (unsigned n = 255; n <= 256; n++) {
		ring_start(&r, (struct ring_opts){.size = 8, .indirect = true}, 0);
		for (unsigned i = 0; i < n; i++)
			put(nearby, i, 0, 0, i + 1 < n ? NEXT : 0, (uint16_t)(i + 1));
		for (unsigned i = 0; i < 5; i++)
			put(r.desc, i, 0, 0, NEXT, (uint16_t)(i + 1));
		put(r.desc, 5, NEAR, 0x1000, INDIRECT, 0);
		offer(&r, 0);
		assert_int_equal(dev_pop(r.q, &chain), n == 255 ? 1 : -EPROTO);
		if (n == 256)
			assert_non_null(strstr(dev_why(r.q), "more than 260 descriptors"));
		ring_end(&r);
	}
}

/* --- both layouts ----------------------------------------------------------------------------- */

static void a_wrong_push_breaks_the_queue(void **state)
{
	struct ring r;

	(void)state;
	for (int packed = 0; packed < 2; packed++) {
		ring_start(&r, (struct ring_opts){.size = 4, .packed = packed}, packed ? START : 0);
		dev_push(r.q, 4, 1, 0);
		assert_non_null(strstr(dev_why(r.q), "does not have"));
		assert_false(dev_flush(r.q));
		ring_end(&r);
	}
}

static void makes_only_what_can_be(void **state)
{
	static const struct {
		struct ring_opts o;
		unsigned desc, driver, device; /* misaligned by */
		uint32_t base;
		const char *says; /* NULL: can be */
	} rows[] = {
		{{.size = 0}, 0, 0, 0, 0, "at least 1"},
		{{.size = 3}, 0, 0, 0, 0, "powers of two"},
		{{.size = 65536}, 0, 0, 0, 0, "at most 32768"},
		{{.size = 32769, .packed = true}, 0, 0, 0, START, "at most 32768"},
		{{.size = 4}, 8, 0, 0, 0, "16 bytes"},
		{{.size = 4}, 0, 1, 0, 0, "2 bytes"},
		{{.size = 4}, 0, 2, 0, 0, NULL},
		{{.size = 4}, 0, 0, 2, 0, "4 bytes"},
		{{.size = 4, .packed = true}, 0, 2, 0, START, "4 bytes"},
		{{.size = 4, .packed = true}, 0, 0, 2, START, "4 bytes"},
		{{.size = 4, .packed = true}, 0, 0, 0, START, NULL},
		{{.size = 4}, 0, 0, 0, 0x10000, "at most 0xffff"},
		/* the used index is 0 */
		{{.size = 4}, 0, 0, 0, 4, NULL},
		{{.size = 4}, 0, 0, 0, 5, "in flight"},
		{{.size = 4}, 0, 0, 0, 65535, "in flight"},
		{{.size = 4, .packed = true}, 0, 0, 0, 0x80008004, "outside"},
		{{.size = 4, .packed = true}, 0, 0, 0, 0x80048000, "outside"},
		{{.size = 4, .packed = true}, 0, 0, 0, 0x80008003, NULL},
		{{.size = 4, .packed = true}, 0, 0, 0, 0x80038002, "ahead"},
		{{.size = 4, .packed = true}, 0, 0, 0, 0x80020001, NULL},
		{{.size = 4, .packed = true}, 0, 0, 0, 0x80020003, "ahead"},
		{{.size = 4, .packed = true}, 0, 0, 0, 0, NULL},
	};
	static struct {
		_Alignas(64) char bytes[256];
	} area[3];
	struct mem mem = {0};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct ring_areas a = {area[0].bytes + rows[i].desc, area[1].bytes + rows[i].driver,
				       area[2].bytes + rows[i].device};
		struct dev_vq *q = NULL;
		struct err e = {0};
		int rc = dev_make(&q, &rows[i].o, &a, rows[i].base, &mem, &e);

		if (rc != (rows[i].says ? -EINVAL : 0) || !q != !!rows[i].says ||
		    (rows[i].says && !strstr(e.text, rows[i].says)))
			fail_msg("row %zu: %d %s", i, rc, e.text);
		dev_free(q);
	}
	dev_free(NULL);
	assert_int_equal(dev_make(&(struct dev_vq *){NULL}, &(struct ring_opts){.size = 4},
				  &(struct ring_areas){0}, 0, &mem, NULL),
			 -EINVAL);
}

static void sizes_of_areas(void **state)
{
	/* 2.7: 16 n, 6 + 2 n, 6 + 8 n. 2.8.10.1: 16 n, 4, 4. */
	struct ring_bytes n = ring_bytes(&(struct ring_opts){.size = 256});

	(void)state;
	assert_int_equal(n.desc, 4096);
	assert_int_equal(n.driver, 518);
	assert_int_equal(n.device, 2054);
	n = ring_bytes(&(struct ring_opts){.size = 32768});
	assert_int_equal(n.desc, 524288);
	assert_int_equal(n.driver, 65542);
	assert_int_equal(n.device, 262150);
	n = ring_bytes(&(struct ring_opts){.size = 1000, .packed = true});
	assert_int_equal(n.desc, 16000);
	assert_int_equal(n.driver, 4);
	assert_int_equal(n.device, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_takes_a_chain_apart),
		cmocka_unit_test(split_follows_tables),
		cmocka_unit_test(empty_descriptors_add_nothing),
		cmocka_unit_test(takes_what_just_fits),
		cmocka_unit_test(split_gives_back_in_batches),
		cmocka_unit_test(split_interrupts_as_asked),
		cmocka_unit_test(split_asks_for_kicks),
		cmocka_unit_test(split_refuses),
		cmocka_unit_test(split_refuses_indices),
		cmocka_unit_test(bounds_long_chains),
		cmocka_unit_test(a_wrong_push_breaks_the_queue),
		cmocka_unit_test(makes_only_what_can_be),
		cmocka_unit_test(sizes_of_areas),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
