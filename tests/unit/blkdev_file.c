// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file back end behind a ring filled in by hand: what is in the file is looked at with pread.
 * And all back ends: data against a copy kept here, and requests that make no sense.
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
#include "engines/drv.h"
#include "blkfixture.h"

static void file_open(struct fixture *f, bool direct, size_t size)
{
	char path[64];

	file_make(path, "/var/tmp", size);
	fixture_open(f,
		     (struct blkdev_opts){
			     .kind = BLK_FILE, .path = path, .direct = direct, .block_size = 512});
	strcpy(f->path, path);
}

/* Whether the file system of /var/tmp has O_DIRECT in sectors of 512 bytes. */
static bool has_direct(void)
{
	struct blkdev_opts o = {.kind = BLK_FILE, .direct = true, .block_size = 512, .queues = 1};
	struct blkdev *b;
	char path[64];
	int rc;

	file_make(path, "/var/tmp", 4096);
	o.path = path;
	rc = blkdev_open(&b, &o, NULL);
	if (!rc)
		blkdev_close(b);
	unlink(path);
	if (rc)
		print_message("# no O_DIRECT of 512 bytes here\n");
	return !rc;
}

/* Buffers at any address, in any number of pieces of any length: what O_DIRECT does not take goes
 * through a buffer, in parts (700,000 bytes are several). pread is the judge. */
static void file_holds_what_was_written(void **state)
{
	static const struct {
		uint32_t off, len, piece;
	} cases[] = {
		{DATA, 512, 512},
		{DATA, 65536, 4096},
		{DATA, 65536, 65536},
		{DATA + 1, 4096, 4096},
		{DATA + 512, 4096, 512},
		{DATA + 3, 4096, 1000},
		{DATA + 7, 1367 * 512, 5001},
		{DATA, 1367 * 512, 5120},
		{DATA, 65536, 300},
	};
	char *got = malloc(1 << 20);

	(void)state;
	for (unsigned d = 0; d < 2; d++) {
		struct fixture f;
		int fd;

		if (d && !has_direct())
			break;
		file_open(&f, d, 1 << 20);
		fd = open(f.path, O_RDONLY);
		for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
			bool reads = i & 1;
			uint32_t len = cases[i / 2].len, off = cases[i / 2].off;
			struct hand_seg s[250];
			unsigned n = 1;

			s[0] = (struct hand_seg){HEADER, 16, false};
			for (uint32_t at = 0; at < len; at += s[n++].len) {
				uint32_t k = cases[i / 2].piece;

				s[n] = (struct hand_seg){off + at, k < len - at ? k : len - at,
							 reads};
			}
			s[n++] = (struct hand_seg){STATUS, 1, true};
			hand_header(&f.h, HEADER, reads ? IN : OUT, 3 + i);
			f.h.at[STATUS] = (char)NOTHING;
			fill(&f, off, len, reads ? 0 : i);
			hand_add(&f.h, s, n);
			assert_int_equal(pump(&f, 1), reads ? len + 1 : 1);
			assert_int_equal(f.h.at[STATUS], OK);
			assert_int_equal(pread(fd, got, len, (3 + i) * 512), len);
			assert_memory_equal(f.h.at + off, got, len);
		}
		close(fd);
		fixture_close(&f);
	}
	free(got);
}

/* More requests than there are bounce buffers, all at once; each reads a sector of its own. */
static void many_requests_at_once(void **state)
{
	(void)state;
	for (unsigned d = 0; d < 2; d++) {
		struct fixture f;
		char got[512];
		int fd;

		if (d && !has_direct())
			break;
		file_open(&f, d, 1 << 20);
		fd = open(f.path, O_RDONLY);
		for (unsigned i = 0; i < 80; i++) {
			struct hand_seg s[] = {{HEADER + 16 * i, 16, false},
					       {DATA + 1 + 600 * i, 512, true},
					       {STATUS + i, 1, true}};

			hand_header(&f.h, HEADER + 16 * i, IN, 2047 - 11 * i);
			f.h.at[STATUS + i] = (char)NOTHING;
			hand_add(&f.h, s, 3);
		}
		pump(&f, 80);
		assert_int_equal(blkq_inflight(f.q), 0);
		for (unsigned i = 0; i < 80; i++) {
			assert_int_equal(f.h.at[STATUS + i], OK);
			assert_int_equal(pread(fd, got, 512, 512 * (2047 - 11 * (int)i)), 512);
			assert_memory_equal(f.h.at + DATA + 1 + 600 * i, got, 512);
		}
		close(fd);
		fixture_close(&f);
	}
}

static void a_file_cut_short_is_an_io_error(void **state)
{
	struct fixture f;

	(void)state;
	file_open(&f, false, 65536);
	assert_int_equal(truncate(f.path, 4096), 0);
	assert_int_equal(request(&f, IN, 0, 4096), OK);
	assert_int_equal(request(&f, IN, 8, 512), IOERR);
	assert_int_equal(request(&f, IN, 0, 8192), IOERR); /* half of it is there */
	fixture_close(&f);
}

static void flush_and_discard_of_a_file(void **state)
{
	struct fixture f;
	char got[4096];
	int fd;

	(void)state;
	file_open(&f, false, 65536);
	fd = open(f.path, O_RDONLY);
	assert_int_equal(request(&f, FLUSH, 0, 0), OK);
	segment(&f, 0, 8, 8, 0);
	assert_int_equal(request(&f, DISCARD, 0, 16), OK);
	assert_int_equal(lseek(fd, 0, SEEK_END), 65536);
	assert_int_equal(pread(fd, got, sizeof(got), 0), sizeof(got));
	assert_false(all(got, sizeof(got), 0)); /* its neighbour is as it was */
	/* Without a write cache. */
	blkdev_negotiated(f.b, 1ull << 32);
	fill(&f, DATA, 512, 9);
	assert_int_equal(request(&f, OUT, 9, 512), OK);
	assert_int_equal(pread(fd, got, 512, 9 * 512), 512);
	assert_memory_equal(got, f.h.at + DATA, 512);
	close(fd);
	fixture_close(&f);
}

/* The kernel finds that the peer's buffer is gone: an error, no signal. */
static void a_buffer_that_is_gone_is_an_io_error(void **state)
{
	struct fixture f;

	(void)state;
	file_open(&f, false, 65536);
	assert_int_equal(munmap(f.h.at + DATA, 4096), 0);
	assert_int_equal(request(&f, IN, 0, 4096), IOERR);
	assert_int_equal(request(&f, OUT, 0, 4096), IOERR);
	fixture_close(&f);
}

/* --- all back ends ---------------------------------------------------------------------------- */

static uint32_t dice(uint32_t *x, uint32_t n)
{
	*x = *x * 1664525u + 1013904223u;
	return (*x >> 8) % n;
}

/* One request of 1 to 8 blocks through the driver's side of a real ring. */
static void drv_request(struct fixture *f, struct drv_vq *d, uint32_t type, uint64_t sector,
			uint32_t len, uint32_t token)
{
	struct drv_seg s[4] = {{HAND_GUEST + HEADER, 16},
			       {HAND_GUEST + DATA, len / 2},
			       {HAND_GUEST + DATA + len / 2, len / 2 + 1}};
	uint64_t end = now_ns() + 20000000000u;
	struct drv_done done;
	bool irq;

	hand_header(&f->h, HEADER, type, sector);
	f->h.at[DATA + len] = (char)NOTHING;
	if (type == OUT)
		s[2] = (struct drv_seg){HAND_GUEST + DATA + len / 2, len / 2};
	s[3] = (struct drv_seg){HAND_GUEST + DATA + len, 1};
	assert_int_equal(drv_add(d, s, type == OUT ? 3 : 1, type == OUT ? 1 : 2, token), 0);
	drv_publish(d);
	while (!drv_harvest(d, &done, 1)) {
		assert_true(blkq_turn(f->q, &irq) >= 0);
		assert_true(now_ns() < end);
	}
	assert_int_equal(done.token, token);
	assert_int_equal(done.len, type == OUT ? 1 : len + 1);
	assert_int_equal(f->h.at[DATA + len], OK);
}

/* 2000 random reads and writes against a copy of the disk, in both layouts, queues of 4 and 5, so
 * that the ring goes round many times; the shadow is the judge. */
static void the_disk_equals_its_shadow(void **state)
{
	char *shadow = malloc(DISK);

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct ring_opts ro = {.size = i & 1 ? 5 : 4, .packed = i & 1, .event_idx = i & 1};
		uint32_t x = i + 1;
		struct ring_areas areas;
		struct drv_vq *d;
		struct fixture f;
		char path[64];

		file_make(path, "/var/tmp", DISK);
		assert_int_equal(truncate(path, 0) | truncate(path, DISK), 0);
		fixture_open(&f, (struct blkdev_opts){.kind = i & 2 ? BLK_FILE : BLK_MEMORY,
						      .path = path});
		strcpy(f.path, path);
		/* A ring of the driver's in the place of the one by hand. */
		blkq_free(f.q);
		dev_free(f.h.vq);
		memset(f.h.at, 0, HEADER);
		assert_int_equal(drv_make(&d, &ro, 4, f.h.at, HAND_GUEST, NULL), 0);
		drv_areas(d, &areas);
		assert_int_equal(
			dev_make(&f.h.vq, &ro, &areas, i & 1 ? 0x80008000 : 0, &f.h.mem, NULL), 0);
		assert_int_equal(blkq_make(&f.q, f.b, f.h.vq, NULL), 0);
		memset(shadow, 0, DISK);
		for (unsigned n = 0; n < 2000; n++) {
			uint32_t blocks = 1 + dice(&x, 8);
			uint32_t at = dice(&x, DISK / 512 - blocks + 1);
			char *p = f.h.at + DATA;

			if (dice(&x, 2)) {
				fill(&f, DATA, blocks * 512, n);
				memcpy(shadow + 512 * at, p, blocks * 512);
				drv_request(&f, d, OUT, at, blocks * 512, n);
			} else {
				memset(p, (int)n, blocks * 512);
				drv_request(&f, d, IN, at, blocks * 512, n);
				assert_memory_equal(p, shadow + 512 * at, blocks * 512);
			}
		}
		drv_free(d);
		fixture_close(&f);
	}
	free(shadow);
}

/* Headers, segments and framing by dice: whatever chain has room for header and status is answered
 * with one of the three status values, and nothing outside is touched (the sanitizers' word). */
static void nonsense_is_answered(void **state)
{
	static const uint32_t types[] = {IN, OUT, FLUSH, GET_ID, DISCARD, WRITE_ZEROES, 2, 77};
	uint32_t x = 4711, id, len;
	char path[64];
	bool irq;

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		struct blkdev_opts o = {.kind = (enum blk_kind)(i % 3),
					.path = path,
					.direct = i % 6 == 2 && has_direct(),
					.block_size = 512u << dice(&x, 4)};
		struct fixture f;

		file_make(path, "/var/tmp", 1 << 16);
		o.size = 1 << 16;
		fixture_open(&f, o);
		strcpy(f.path, path);
		for (unsigned n = 0; n < 60; n++) {
			struct hand_seg s[9];
			unsigned k = 1 + dice(&x, 8), outs = 1 + dice(&x, k);
			uint32_t out = 0, in = 0, last = 0;
			uint64_t end;
			int rc = 0;

			hand_header(&f.h, HEADER, types[dice(&x, 8)],
				    dice(&x, 4) ? dice(&x, 140) : UINT64_MAX - dice(&x, 70000));
			for (unsigned j = 0; j < 4; j++)
				segment(&f, j, dice(&x, 150), dice(&x, 150), dice(&x, 8) / 6);
			for (unsigned j = 0; j < k; j++) {
				uint32_t l = dice(&x, 3) ? 512 * dice(&x, 20) : dice(&x, 40);

				s[j] = (struct hand_seg){DATA + dice(&x, 3) * 16, l, j >= outs};
				if (!j)
					s[j] = (struct hand_seg){HEADER, 16 + dice(&x, 4) / 3 * 64,
								 false};
				*(s[j].in ? &in : &out) += s[j].len;
				if (s[j].len)
					last = s[j].off + s[j].len - 1;
			}
			if (k == outs || dice(&x, 2)) {
				s[k++] = (struct hand_seg){STATUS, 1, true};
				last = STATUS;
				in++;
			}
			f.h.at[last] = (char)NOTHING;
			hand_add(&f.h, s, k);
			end = now_ns() + 20000000000u;
			while (rc >= 0 && !hand_take(&f.h, &id, &len)) {
				rc = blkq_turn(f.q, &irq);
				assert_true(now_ns() < end);
			}
			if (rc < 0) {
				assert_true(out < 16 || !in);
				break;
			}
			assert_true(out >= 16 && in);
			assert_int_equal(len, in);
			assert_in_range(f.h.at[last], OK, UNSUPP);
		}
		fixture_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_holds_what_was_written),
		cmocka_unit_test(many_requests_at_once),
		cmocka_unit_test(a_file_cut_short_is_an_io_error),
		cmocka_unit_test(flush_and_discard_of_a_file),
		cmocka_unit_test(a_buffer_that_is_gone_is_an_io_error),
		cmocka_unit_test(the_disk_equals_its_shadow),
		cmocka_unit_test(nonsense_is_answered),
	};

	/* What hangs ends too. */
	alarm(300);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
