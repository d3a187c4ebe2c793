/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of data that images are converted from: made once a run and size. Private to run/. */
#ifndef VB_RUN_SOURCE_H
#define VB_RUN_SOURCE_H

#include <stddef.h>
#include <stdint.h>
#include "base/child.h"
#include "base/err.h"

enum { SOURCE_BLOCK = 4096 };

/*
 * Makes path, bytes long, as user's file, unless it is there already with that size. Every block of
 * 4 KiB is half noise (from seed and its place) and half one byte again and again, never zero: a
 * compressor leaves about half, and no two blocks are equal. content is "data" (all of it), or of
 * an image before its export, with a quarter in use and the half behind that "fresh" (never
 * written), "deleted" (stale data), "zeroed" (written with zeroes) or "trimmed" (stale, then
 * punched out); the last quarter was never written. Written back before it returns, so that its
 * writeback disturbs no measurement. tick (may be NULL) is called for every 16 MiB; nonzero ends
 * it. 0 or -errno, and then nothing of it is left.
 */
int source_make(const char *path, const char *content, uint64_t bytes, uint64_t seed,
		const struct child_user *user, int (*tick)(void *arg, struct err *e), void *arg,
		struct err *e);

/* The content of the block at that place: SOURCE_BLOCK bytes. */
void source_block(uint64_t seed, uint64_t block, unsigned char *out);

#endif
