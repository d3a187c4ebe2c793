/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A trial's images on the host: made by the plan's steps, read back, removed. Private to run/. */
#ifndef VB_RUN_IMAGE_H
#define VB_RUN_IMAGE_H

#include "run/context.h"

/* What the steps of one metric took together; the plan gives one to the first disk's only. */
struct image_time {
	const char *metric;
	uint64_t ns;
};

enum { IMAGE_TIMES = 4 };

/*
 * Runs the plan's image steps as QEMU's user, watching space, time and ^C, and fills times (unused
 * ones: metric NULL). Sets r->watch_dir. A block device is looked at once more instead, and nothing
 * is made. 0, or negative with *cause.
 */
int image_make(struct run *r, const struct cell *c, const struct disk_plan *p,
	       struct image_time times[IMAGE_TIMES], enum cause *cause, struct err *e);

/*
 * The "image" of the evidence (HACKING.md), of the first disk; new reference. FIEMAP with its sync
 * flag also keeps the image's own writeback out of the time that is measured next. Of a block
 * device: its size, and "device", its name.
 */
json_t *image_evidence(const struct run *r, const struct cell *c, const struct disk_plan *p);

/* Bytes that the images take on the host, with their bases and data files. 0: there are none. */
uint64_t image_bytes(const struct disk_plan *p);

/* Begins to remove the images; image_dropped waits until they are gone. Never touches a device. */
void image_drop(struct run *r, const struct disk_plan *p);
void image_dropped(struct run *r);

#endif
