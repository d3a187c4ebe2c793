/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The free-space rule: a full pool pauses every guest on it, so vbench never fills one. */
#ifndef VB_RUN_SPACE_H
#define VB_RUN_SPACE_H

#include <stdint.h>
#include "base/err.h"

struct space {
	uint64_t size, avail; /* of the file system, bytes; avail: for unprivileged users */
	uint64_t keep;	      /* what the rule keeps free of it */
};

/* max(10 %, 10 GiB): what stays free unless the profile says otherwise. */
uint64_t space_keep(uint64_t size);

/*
 * File system that dir lies on, or will lie on: the nearest folder above that exists counts.
 * keep_bytes 0 means space_keep. 0 or -errno.
 */
int space_get(const char *dir, uint64_t keep_bytes, struct space *s, struct err *e);

/*
 * Whether need_bytes more can be written below dir with keep_bytes (0: max(10 %, 10 GiB)) left
 * free. 0, or -ENOSPC and a sentence. Cheap (one statvfs): with a need of 0 it is the watch during
 * a run.
 */
int space_check(const char *dir, uint64_t need_bytes, uint64_t keep_bytes, struct err *e);

/* The rule alone. */
int space_judge(const char *dir, const struct space *s, uint64_t need_bytes, struct err *e);

#endif
