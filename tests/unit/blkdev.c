// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The block device behind a ring filled in by hand: expected values are those of virtio 1.2, 5.2
 * (numbers of features, types and status, framing, bounds), and files are looked at with pread.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "blkfixture.h"

/* --- configuration ---------------------------------------------------------------------------- */

static void features_are_those_of_the_spec(void **state)
{
	struct fixture f;
	struct virtio_blk_config c;
	/* 5.2.3: SEG_MAX 2, BLK_SIZE 6, FLUSH 9, MQ 12, DISCARD 13, WRITE_ZEROES 14; 6: VERSION_1
	 * 32. CONFIG_WCE (11) would need SET_CONFIG. */
	uint64_t plain = 1ull << 2 | 1 << 6 | 1 << 9 | 1 << 12 | 1 << 13 | 1 << 14 | 1ull << 32;

	(void)state;
	fixture_open(&f, (struct blkdev_opts){.size = DISK, .queues = 3, .block_size = 4096});
	assert_int_equal(blkdev_features(f.b), plain);
	blkdev_config(f.b, &c);
	assert_int_equal(le64toh(c.capacity), DISK / 512);
	assert_int_equal(le32toh(c.seg_max), 254);
	assert_int_equal(le32toh(c.blk_size), 4096);
	assert_int_equal(le16toh(c.num_queues), 3);
	assert_int_equal(le32toh(c.discard_sector_alignment), 8);
	assert_true(le32toh(c.max_discard_sectors) > 0 && le32toh(c.max_discard_seg) > 0);
	assert_true(le32toh(c.max_write_zeroes_sectors) > 0 && le32toh(c.max_write_zeroes_seg) > 0);
	assert_int_equal(c.write_zeroes_may_unmap, 1);
	fixture_close(&f);

	/* RO 5; INDIRECT_DESC 28, EVENT_IDX 29, RING_PACKED 34. */
	fixture_open(&f, (struct blkdev_opts){.read_only = true,
					      .packed = true,
					      .event_idx = true,
					      .indirect = true,
					      .queue_size = 128});
	assert_int_equal(blkdev_features(f.b),
			 (plain & ~(3ull << 13)) | 1 << 5 | 1ull << 28 | 1ull << 29 | 1ull << 34);
	blkdev_config(f.b, &c);
	assert_int_equal(le32toh(c.seg_max), 126);
	assert_int_equal(c.max_discard_sectors, 0);
	fixture_close(&f);
}

static void impossible_options_are_refused(void **state)
{
	static const struct {
		struct blkdev_opts o;
		const char *says;
	} cases[] = {
		{{.size = DISK, .block_size = 256, .queues = 1}, "256"},
		{{.size = DISK, .block_size = 1536, .queues = 1}, "1536"},
		{{.size = DISK, .block_size = 8192, .queues = 1}, "8192"},
		{{.size = DISK, .block_size = 512}, "0 queues"},
		{{.size = DISK, .block_size = 512, .queues = 257}, "257"},
		{{.block_size = 512, .queues = 1}, "0 bytes"},
		{{.size = 513, .block_size = 512, .queues = 1}, "513"},
		{{.size = 512, .block_size = 4096, .queues = 1}, "4096"},
		{{.size = UINT64_MAX - 511, .block_size = 512, .queues = 1}, "2^63"},
		{{.size = DISK, .block_size = 512, .queues = 1, .queue_size = 32769}, "32769"},
		{{.kind = BLK_MEMORY,
		  .size = DISK,
		  .block_size = 512,
		  .queues = 1,
		  .latency_ns = 1},
		 "latency"},
		{{.size = DISK, .block_size = 512, .queues = 1, .latency_ns = 10000000001}, "10 s"},
		{{.kind = BLK_MEMORY, .size = 1ull << 62, .block_size = 512, .queues = 1},
		 "memory"},
		{{.kind = BLK_FILE, .block_size = 512, .queues = 1}, "path"},
		{{.kind = BLK_FILE, .path = "/nonexistent/x", .block_size = 512, .queues = 1},
		 "/nonexistent/x"},
		{{.kind = BLK_FILE, .path = "/dev/null", .block_size = 512, .queues = 1},
		 "/dev/null: neither"},
		{{.kind = BLK_FILE, .path = "/", .read_only = true, .block_size = 512, .queues = 1},
		 "/: neither"},
		{{.kind = (enum blk_kind)7, .size = DISK, .block_size = 512, .queues = 1}, "7"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct blkdev *b = (void *)&b;
		struct err e = {0};

		assert_true(blkdev_open(&b, &cases[i].o, &e) < 0);
		assert_null(b);
		if (!strstr(e.text, cases[i].says))
			fail_msg("case %u: \"%s\"", i, e.text);
	}
}

static void a_file_shorter_than_the_disk_is_refused(void **state)
{
	struct blkdev_opts o = {.kind = BLK_FILE, .block_size = 512, .queues = 1, .size = 8192};
	struct blkdev *b;
	struct err e = {0};
	char path[64];

	(void)state;
	file_make(path, "/tmp", 4096);
	o.path = path;
	assert_int_equal(blkdev_open(&b, &o, &e), -EINVAL);
	assert_non_null(strstr(e.text, "4096"));
	unlink(path);
	file_make(path, "/tmp", 0);
	o.size = 0;
	assert_int_equal(blkdev_open(&b, &o, &e), -EINVAL);
	assert_non_null(strstr(e.text, "empty"));
	unlink(path);
}

/* --- requests --------------------------------------------------------------------------------- */

/* 2.7.4.1: "the device MUST NOT make assumptions about the particular arrangement of descriptors".
 * Each string cuts a 16-byte header + 1024 bytes + status: lengths, readable | writable. */
static void any_framing_is_the_same_request(void **state)
{
	static const struct {
		uint32_t out[6], in[6];
	} framing[] = {
		/* write: 16 + 1024 readable, 1 writable */
		{{16, 1024}, {1}},
		{{1040}, {1}},
		{{1, 15, 1024}, {1}},
		{{8, 8, 1000, 24}, {1}},
		{{15, 2, 1023}, {1}},
		{{17, 511, 512}, {1}},
		{{3, 5, 7, 1, 1024}, {1}},
		/* read: 16 readable, 1024 + 1 writable */
		{{16}, {1024, 1}},
		{{16}, {1025}},
		{{4, 12}, {1, 1023, 1}},
		{{16}, {1023, 2}},
		{{5, 5, 6}, {512, 511, 1, 1}},
	};
	struct fixture f;

	(void)state;
	fixture_open(&f, (struct blkdev_opts){.kind = BLK_MEMORY});
	for (unsigned i = 0; i < sizeof(framing) / sizeof(*framing); i++) {
		bool writes = framing[i].in[0] == 1 && !framing[i].in[1];
		struct hand_seg s[12];
		uint32_t off = DATA;
		unsigned n = 0;

		/* Readable parts lie one behind the other at DATA, writable ones at 2 * DATA. */
		fill(&f, DATA + 16, 1024, i + 1);
		hand_header(&f.h, DATA, writes ? OUT : IN, writes ? i : i - 1);
		for (unsigned j = 0; j < 6 && framing[i].out[j]; off += framing[i].out[j++])
			s[n++] = (struct hand_seg){off, framing[i].out[j], false};
		off = 2 * DATA;
		for (unsigned j = 0; j < 6 && framing[i].in[j]; off += framing[i].in[j++])
			s[n++] = (struct hand_seg){off, framing[i].in[j], true};
		if (!writes) {
			/* What it reads was written by another path. */
			fill(&f, DATA, 1024, 100 + i);
			assert_int_equal(request(&f, OUT, i - 1, 1024), OK);
			memset(f.h.at + 2 * DATA, NOTHING, 1025);
			hand_header(&f.h, DATA, IN, i - 1);
		}
		f.h.at[off - 1] = (char)NOTHING;
		hand_add(&f.h, s, n);
		assert_int_equal(pump(&f, 1), writes ? 1 : 1025);
		assert_int_equal(f.h.at[off - 1], OK);
		if (writes) {
			assert_int_equal(request(&f, IN, i, 1024), OK);
			fill(&f, 3 * DATA, 1024, i + 1);
			assert_memory_equal(f.h.at + DATA, f.h.at + 3 * DATA, 1024);
		} else {
			fill(&f, 3 * DATA, 1024, 100 + i);
			assert_memory_equal(f.h.at + 2 * DATA, f.h.at + 3 * DATA, 1024);
		}
	}
	fixture_close(&f);
}

static void a_chain_without_room_breaks_the_queue(void **state)
{
	static const struct {
		struct hand_seg s[3];
		unsigned n;
	} chains[] = {
		{{{HEADER, 16, false}}, 1},		       /* no status */
		{{{STATUS, 1, true}}, 1},		       /* no header */
		{{{HEADER, 15, false}, {STATUS, 1, true}}, 2}, /* short header */
		{{{HEADER, 8, false}, {HEADER, 7, false}, {STATUS, 1, true}}, 3},
		{{{HEADER, 16, false}, {STATUS, 0, true}}, 2}, /* status of no bytes */
		{{{HEADER, 0, false}, {STATUS, 16, true}}, 2},
	};
	struct fixture f;
	bool irq;

	(void)state;
	for (unsigned i = 0; i < sizeof(chains) / sizeof(*chains); i++) {
		struct hand_seg good[] = {{HEADER, 16, false}, {STATUS + 8, 1, true}};
		uint32_t id, len;

		fixture_open(&f, (struct blkdev_opts){0});
		hand_header(&f.h, HEADER, FLUSH, 0);
		f.h.at[STATUS] = (char)NOTHING;
		hand_add(&f.h, good, 2);
		hand_add(&f.h, chains[i].s, chains[i].n);
		hand_add(&f.h, good, 2);
		assert_int_equal(blkq_turn(f.q, &irq), -EPROTO);
		assert_non_null(blkq_why(f.q));
		assert_true(strlen(blkq_why(f.q)) > 20);
		/* What came before it was answered, what came after never is. */
		assert_true(hand_take(&f.h, &id, &len));
		assert_int_equal(id, 0);
		assert_int_equal(blkq_turn(f.q, &irq), -EPROTO);
		assert_false(irq);
		assert_false(hand_take(&f.h, &id, &len));
		assert_int_equal((unsigned char)f.h.at[STATUS], NOTHING);
		fixture_close(&f);
	}
}

static void a_bad_ring_breaks_the_queue_in_the_rings_words(void **state)
{
	struct hand_seg s[] = {{HAND_BYTES, 16, false}, {STATUS, 1, true}};
	struct fixture f;
	bool irq;

	(void)state;
	fixture_open(&f, (struct blkdev_opts){0});
	hand_add(&f.h, s, 2);
	assert_int_equal(blkq_turn(f.q, &irq), -EPROTO);
	assert_string_equal(blkq_why(f.q), dev_why(f.h.vq));
	fixture_close(&f);
}

static void ranges_are_bounded_by_disk_and_block(void **state)
{
	static const struct {
		uint64_t sector;
		uint32_t len;
		int status;
	} cases[] = {
		{0, 4096, OK},
		{DISK / 512 - 8, 4096, OK},
		{DISK / 512 - 8, 8192, IOERR},
		{DISK / 512, 4096, IOERR},
		{DISK / 512, 0, OK}, /* nothing, at the end */
		{DISK / 512 + 8, 0, IOERR},
		{8, 512, IOERR}, /* no whole block */
		{1, 4096, IOERR},
		{0, 4095, IOERR},
		{0, 1, IOERR},
		{UINT64_MAX, 4096, IOERR},
		{1ull << 55, 4096, IOERR}, /* * 512 = 2^64 */
		{(1ull << 55) - 8, 4096, IOERR},
		{UINT64_MAX - 7, 4096, IOERR},
		{1ull << 63, 4096, IOERR},
	};
	static const enum blk_kind kinds[] = {BLK_NULL, BLK_MEMORY, BLK_FILE};
	struct fixture f;
	char path[64];

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		file_make(path, "/tmp", DISK);
		fixture_open(&f, (struct blkdev_opts){
					 .kind = kinds[k], .block_size = 4096, .path = path});
		strcpy(f.path, path);
		for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			assert_int_equal(request(&f, IN, cases[i].sector, cases[i].len),
					 cases[i].status);
			assert_int_equal(request(&f, OUT, cases[i].sector, cases[i].len),
					 cases[i].status);
		}
		fixture_close(&f);
	}
}

static void a_read_only_disk_is_not_written(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, (struct blkdev_opts){.kind = BLK_MEMORY, .read_only = true});
	memset(f.h.at + DATA, 'x', 512);
	assert_int_equal(request(&f, OUT, 0, 512), IOERR); /* 5.2.6.2 */
	memset(f.h.at + DATA, 0, 16);
	assert_int_equal(request(&f, WRITE_ZEROES, 0, 16), IOERR);
	assert_int_equal(request(&f, DISCARD, 0, 16), IOERR);
	assert_int_equal(request(&f, FLUSH, 0, 0), OK);
	assert_int_equal(request(&f, IN, 0, 512), OK);
	assert_true(all(f.h.at + DATA, 512, 0));
	fixture_close(&f);
}

static void unknown_types_are_unsupported(void **state)
{
	/* SCSI command (2, legacy), GET_LIFETIME, SECURE_ERASE, a zone command, legacy barrier. */
	static const uint32_t types[] = {2, 3, 5, 10, 14, 16, 0x80000000u, 0x80000001u, UINT32_MAX};
	struct fixture f;

	(void)state;
	fixture_open(&f, (struct blkdev_opts){.kind = BLK_MEMORY});
	for (unsigned i = 0; i < sizeof(types) / sizeof(*types); i++)
		assert_int_equal(request(&f, types[i], 0, 512), UNSUPP);
	fixture_close(&f);
}

/* 5.2.6: 20 bytes, NUL-padded, no NUL when it is that long. */
static void the_id_has_twenty_bytes(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, (struct blkdev_opts){.id = "disk-1"});
	memset(f.h.at + DATA, 'x', 64);
	assert_int_equal(request(&f, GET_ID, 0, 20), OK);
	assert_memory_equal(f.h.at + DATA, "disk-1\0\0\0\0\0\0\0\0\0\0\0\0\0\0x", 21);
	assert_int_equal(request(&f, GET_ID, 0, 3), OK);
	memset(f.h.at + DATA, 'x', 64);
	assert_int_equal(request(&f, GET_ID, 0, 64), OK);
	assert_int_equal(f.h.at[DATA + 20], 'x');
	fixture_close(&f);
	fixture_open(&f, (struct blkdev_opts){.id = "abcdefghijklmnopqrstuvwxyz"});
	assert_int_equal(request(&f, GET_ID, 0, 20), OK);
	assert_memory_equal(f.h.at + DATA, "abcdefghijklmnopqrst", 20);
	fixture_close(&f);
}

/* --- discard and write zeroes ----------------------------------------------------------------- */

static void segments_are_checked(void **state)
{
	static const struct {
		uint32_t type;
		uint64_t sector;
		uint32_t sectors, flags;
		int status;
	} cases[] = {
		{DISCARD, 0, 8, 0, OK},
		{DISCARD, 0, 8, 1, UNSUPP}, /* 5.2.6.2: unmap is reserved for discard */
		{DISCARD, 0, 8, 2, UNSUPP},
		{WRITE_ZEROES, 0, 8, 0, OK},
		{WRITE_ZEROES, 0, 8, 1, OK},
		{WRITE_ZEROES, 0, 8, 2, UNSUPP},
		{WRITE_ZEROES, 0, 8, 0x80000001u, UNSUPP},
		{DISCARD, 0, 4, 0, IOERR}, /* half a block of 4096 */
		{WRITE_ZEROES, 4, 8, 0, IOERR},
		{DISCARD, DISK / 512 - 8, 8, 0, OK},
		{DISCARD, DISK / 512 - 8, 16, 0, IOERR},
		{DISCARD, UINT64_MAX - 7, 8, 0, IOERR},
		{WRITE_ZEROES, 1ull << 55, 8, 0, IOERR},
		{WRITE_ZEROES, 0, UINT32_MAX - 7, 0, IOERR},
		{DISCARD, 0, 0, 0, OK},
	};
	struct virtio_blk_config c;
	struct fixture f;

	(void)state;
	fixture_open(&f, (struct blkdev_opts){.block_size = 4096});
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		segment(&f, 0, cases[i].sector, cases[i].sectors, cases[i].flags);
		assert_int_equal(request(&f, cases[i].type, 0, 16), cases[i].status);
	}
	/* As many segments as it says, not one more; no halves, not none. */
	blkdev_config(f.b, &c);
	for (unsigned i = 0; i <= le32toh(c.max_discard_seg); i++)
		segment(&f, i, 8 * i, 8, 0);
	assert_int_equal(request(&f, DISCARD, 0, 16 * le32toh(c.max_discard_seg)), OK);
	assert_int_equal(request(&f, DISCARD, 0, 16 * le32toh(c.max_discard_seg) + 16), IOERR);
	assert_int_equal(request(&f, DISCARD, 0, 24), IOERR);
	assert_int_equal(request(&f, DISCARD, 0, 15), IOERR);
	assert_int_equal(request(&f, DISCARD, 0, 0), IOERR);
	fixture_close(&f);

	/* Nothing longer than it says, on a disk where that would fit. */
	fixture_open(&f, (struct blkdev_opts){.size = 1ull << 40});
	segment(&f, 0, 8, le32toh(c.max_discard_sectors), 0);
	assert_int_equal(request(&f, DISCARD, 0, 16), OK);
	segment(&f, 0, 8, le32toh(c.max_discard_sectors) + 8, 0);
	assert_int_equal(request(&f, DISCARD, 0, 16), IOERR);
	fixture_close(&f);
}

/* What may take long comes alone, so that who wants the queue to stop waits for one of it at most:
 * of three in the ring, each turn takes one, and of short ones all. */
static void a_long_request_ends_its_turn(void **state)
{
	static const enum blk_kind kinds[] = {BLK_NULL, BLK_MEMORY};
	struct hand_seg s[] = {{HEADER, 16, false}, {DATA, 16, false}, {STATUS, 1, true}};
	struct hand_seg r[] = {{HEADER, 16, false}, {DATA, 512, true}, {STATUS, 1, true}};
	struct virtio_blk_config c;
	struct fixture f;
	uint64_t most;
	bool irq;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		fixture_open(&f, (struct blkdev_opts){.kind = kinds[k]});
		hand_header(&f.h, HEADER, WRITE_ZEROES, 0);
		segment(&f, 0, 0, 8, 0);
		for (unsigned i = 0; i < 3; i++)
			hand_add(&f.h, s, 3);
		/* each is taken and given back: two moves */
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(blkq_turn(f.q, &irq), 2);
		assert_int_equal(blkq_turn(f.q, &irq), 0);
		hand_header(&f.h, HEADER, IN, 0);
		for (unsigned i = 0; i < 3; i++)
			hand_add(&f.h, r, 3);
		assert_int_equal(blkq_turn(f.q, &irq), 6);
		fixture_close(&f);
	}
	/* And one of memset's, with all its segments, is no more than 256 MiB. */
	fixture_open(&f, (struct blkdev_opts){.kind = BLK_MEMORY, .size = 1ull << 40});
	blkdev_config(f.b, &c);
	most = 512ull * le32toh(c.max_write_zeroes_sectors) * le32toh(c.max_write_zeroes_seg);
	assert_in_range(most, 1, 256u << 20);
	segment(&f, 0, 0, le32toh(c.max_write_zeroes_sectors) + 1, 0);
	assert_int_equal(request(&f, WRITE_ZEROES, 0, 16), IOERR);
	fixture_close(&f);
}

/* Zeroes exactly the ranges, or, when one of the segments is bad, nothing at all. */
static void zeroes_where_asked(struct fixture *f, uint32_t flags)
{
	static const struct {
		uint32_t sector, sectors;
	} zero[] = {{1, 1}, {3, 21}, {64, 300}, {400, 0}, {DISK / 512 - 1, 1}};
	char *want = malloc(DISK);

	for (uint32_t off = 0; off < DISK; off += 1u << 18) {
		fill(f, DATA, 1u << 18, off >> 10 | 1);
		memcpy(want + off, f->h.at + DATA, 1u << 18);
		assert_int_equal(request(f, OUT, off / 512, 1u << 18), OK);
	}
	for (unsigned i = 0; i < 5; i++)
		segment(f, i, zero[i].sector, zero[i].sectors, flags);
	segment(f, 5, DISK / 512, 1, flags);
	assert_int_equal(request(f, WRITE_ZEROES, 0, 96), IOERR);
	for (unsigned pass = 0; pass < 2; pass++) {
		for (uint32_t off = 0; off < DISK; off += 1u << 18) {
			assert_int_equal(request(f, IN, off / 512, 1u << 18), OK);
			assert_memory_equal(f->h.at + DATA, want + off, 1u << 18);
		}
		if (pass)
			break;
		for (unsigned i = 0; i < 5; i++) {
			segment(f, i, zero[i].sector, zero[i].sectors, flags);
			memset(want + 512 * zero[i].sector, 0, 512 * zero[i].sectors);
		}
		assert_int_equal(request(f, WRITE_ZEROES, 0, 80), OK);
	}
	free(want);
}

static void write_zeroes_zeroes(void **state)
{
	struct fixture f;
	char path[64];

	(void)state;
	for (uint32_t flags = 0; flags < 2; flags++) {
		fixture_open(&f, (struct blkdev_opts){.kind = BLK_MEMORY});
		zeroes_where_asked(&f, flags);
		fixture_close(&f);
		/* On a file system that can (the tests'), and on tmpfs, which has no ZERO_RANGE:
		 * there it is written. Both with and without write cache. */
		for (unsigned i = 0; i < 4; i++) {
			file_make(path, i & 1 ? "/dev/shm" : "/var/tmp", DISK);
			fixture_open(&f, (struct blkdev_opts){.kind = BLK_FILE, .path = path});
			strcpy(f.path, path);
			blkdev_negotiated(f.b, i & 2 ? blkdev_features(f.b) : 1ull << 32);
			zeroes_where_asked(&f, flags);
			fixture_close(&f);
		}
	}
}

/* --- null ------------------------------------------------------------------------------------- */

static void null_leaves_the_buffer_alone(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, (struct blkdev_opts){0});
	memset(f.h.at + DATA, 'x', 512);
	assert_int_equal(request(&f, IN, 0, 512), OK);
	assert_true(all(f.h.at + DATA, 512, 'x'));
	assert_int_equal(blkq_inflight(f.q), 0);
	assert_int_equal(blkq_fd(f.q), -1);
	assert_true(blkq_due(f.q) == UINT64_MAX);
	fixture_close(&f);
}

/* Whatever the machine does meanwhile, no request is early, and all come in their order. */
static void latency_is_kept(void **state)
{
	const uint64_t latency = 2000000;
	uint64_t popped[100], end = now_ns() + 20000000000u;
	struct hand_seg s[] = {{HEADER, 16, false}, {DATA, 512, true}, {STATUS, 1, true}};
	struct fixture f;
	unsigned added = 0, done = 0;
	uint32_t id, len;
	bool irq;

	(void)state;
	fixture_open(&f, (struct blkdev_opts){.latency_ns = latency});
	hand_header(&f.h, HEADER, IN, 0);
	while (done < 100) {
		uint64_t before = now_ns();

		assert_true(before < end);
		if (added < 100) {
			/* 3 x 80 descriptors are in flight at most. */
			if (added - done < 80) {
				popped[added++] = before;
				hand_add(&f.h, s, 3);
			}
		}
		assert_true(blkq_turn(f.q, &irq) >= 0);
		assert_int_equal(blkq_inflight(f.q), added - (uint16_t)le16toh(f.h.used->idx));
		while (hand_take(&f.h, &id, &len)) {
			assert_int_equal(id, done * 3 % HAND_SIZE);
			assert_true(now_ns() - popped[done] >= latency);
			done++;
		}
		if (done < added)
			assert_true(blkq_due(f.q) >= popped[done] + latency &&
				    blkq_due(f.q) <= now_ns() + latency);
	}
	assert_true(blkq_due(f.q) == UINT64_MAX);
	fixture_close(&f);
}

static void a_turn_is_bounded_and_batched(void **state)
{
	struct hand_seg s[] = {{HEADER, 16, false}, {STATUS, 1, true}};
	struct fixture f;
	uint32_t id, len;
	unsigned n = 0;
	bool irq = false;

	(void)state;
	fixture_open(&f, (struct blkdev_opts){0});
	hand_header(&f.h, HEADER, FLUSH, 0);
	for (unsigned i = 0; i < HAND_SIZE / 2; i++)
		hand_add(&f.h, s, 2);
	assert_int_equal(blkq_turn(f.q, &irq), 2 * BLKQ_BATCH); /* taken and given back */
	assert_true(irq);
	assert_int_equal(dev_counters(f.h.vq)->flushes, BLKQ_BATCH / BLKQ_FLUSH);
	assert_int_equal(le16toh(f.h.used->idx), BLKQ_BATCH);
	while (hand_take(&f.h, &id, &len))
		n++;
	assert_int_equal(n, BLKQ_BATCH);
	assert_int_equal(blkq_turn(f.q, &irq), 2 * (HAND_SIZE / 2 - BLKQ_BATCH));
	assert_int_equal(blkq_turn(f.q, &irq), 0);
	assert_false(irq);
	/* Once stopped, it takes nothing. */
	blkq_stop(f.q);
	hand_add(&f.h, s, 2);
	assert_int_equal(blkq_turn(f.q, &irq), 0);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_are_those_of_the_spec),
		cmocka_unit_test(impossible_options_are_refused),
		cmocka_unit_test(a_file_shorter_than_the_disk_is_refused),
		cmocka_unit_test(any_framing_is_the_same_request),
		cmocka_unit_test(a_chain_without_room_breaks_the_queue),
		cmocka_unit_test(a_bad_ring_breaks_the_queue_in_the_rings_words),
		cmocka_unit_test(ranges_are_bounded_by_disk_and_block),
		cmocka_unit_test(a_read_only_disk_is_not_written),
		cmocka_unit_test(unknown_types_are_unsupported),
		cmocka_unit_test(the_id_has_twenty_bytes),
		cmocka_unit_test(segments_are_checked),
		cmocka_unit_test(a_long_request_ends_its_turn),
		cmocka_unit_test(write_zeroes_zeroes),
		cmocka_unit_test(null_leaves_the_buffer_alone),
		cmocka_unit_test(latency_is_kept),
		cmocka_unit_test(a_turn_is_bounded_and_batched),
	};

	/* What hangs ends too. */
	alarm(300);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
