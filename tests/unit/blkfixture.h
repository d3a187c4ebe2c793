/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A block device behind a ring filled in by hand, and its requests: what blkdev*.c test with. */
#ifndef VB_TESTS_BLKFIXTURE_H
#define VB_TESTS_BLKFIXTURE_H

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "handring.h"

/* 5.2.6 */
enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13 };
enum { OK = 0, IOERR = 1, UNSUPP = 2 };

#define HEADER 0x10000 /* places in the memory */
#define STATUS 0x11000
#define DATA 0x20000
#define DISK (1u << 20)
#define NOTHING 0xee /* in a status byte that was not written */

struct fixture {
	struct hand h;
	struct blkdev *b;
	struct blkq *q;
	char path[64];
	struct err e;
};

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void fixture_open(struct fixture *f, struct blkdev_opts o)
{
	memset(f, 0, sizeof(*f));
	hand_make(&f->h, false);
	if (!o.block_size)
		o.block_size = 512;
	o.queues = o.queues ? o.queues : 1;
	if (o.kind != BLK_FILE && !o.size)
		o.size = DISK;
	if (blkdev_open(&f->b, &o, &f->e))
		fail_msg("%s", f->e.text);
	if (blkq_make(&f->q, f->b, f->h.vq, &f->e))
		fail_msg("%s", f->e.text);
}

static inline void fixture_close(struct fixture *f)
{
	blkq_free(f->q);
	blkdev_close(f->b);
	hand_free(&f->h);
	if (f->path[0])
		unlink(f->path);
}

/* A file of pseudo-random bytes in dir; unlink it. */
static inline void file_make(char *path, const char *dir, size_t size)
{
	int fd;
	uint32_t x = 1;
	unsigned char *p = malloc(size);

	snprintf(path, 64, "%s/vbench-blkdev-XXXXXX", dir);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	for (size_t i = 0; i < size; i++) {
		x = x * 1664525u + 1013904223u;
		p[i] = (unsigned char)(x >> 24);
	}
	assert_int_equal(pwrite(fd, p, size, 0), size);
	free(p);
	close(fd);
}

/* Turns until n chains came back, at most 20 s. The last one's length. */
static inline uint32_t pump(struct fixture *f, unsigned n)
{
	uint64_t end = now_ns() + 20000000000u;
	uint32_t id, len = 0;
	bool irq;

	for (unsigned got = 0; got < n;) {
		assert_true(now_ns() < end);
		assert_true(blkq_turn(f->q, &irq) >= 0);
		while (hand_take(&f->h, &id, &len))
			got++;
		if (got < n && blkq_inflight(f->q) && blkq_arm(f->q)) {
			struct pollfd p = {.fd = blkq_fd(f->q), .events = POLLIN};

			poll(&p, 1, 1);
		}
	}
	return len;
}

/* One request in the usual framing; its status. */
static inline int request(struct fixture *f, uint32_t type, uint64_t sector, uint32_t len)
{
	bool in = type == IN || type == GET_ID;
	struct hand_seg s[] = {{HEADER, 16, false}, {DATA, len, in}, {STATUS, 1, true}};

	if (!len)
		s[1] = s[2];
	hand_header(&f->h, HEADER, type, sector);
	f->h.at[STATUS] = (char)NOTHING;
	hand_add(&f->h, s, len ? 3 : 2);
	/* 2.7.8.2: all of the writable part counts as written. */
	assert_int_equal(pump(f, 1), in ? len + 1 : 1);
	return (unsigned char)f->h.at[STATUS];
}

static inline void fill(struct fixture *f, uint32_t off, uint32_t len, unsigned seed)
{
	for (uint32_t i = 0; i < len; i++)
		f->h.at[off + i] = (char)(seed + i * 7 + (i >> 8));
}

static inline bool all(const char *p, size_t len, char c)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != c)
			return false;
	return true;
}

/* 5.2.6: a segment is sector, number of sectors, flags (bit 0: unmap). */
static inline void segment(struct fixture *f, unsigned i, uint64_t sector, uint32_t sectors,
			   uint32_t flags)
{
	uint64_t s = htole64(sector);
	uint32_t w[2] = {htole32(sectors), htole32(flags)};

	memcpy(f->h.at + DATA + 16 * i, &s, 8);
	memcpy(f->h.at + DATA + 16 * i + 8, w, 8);
}

#endif
