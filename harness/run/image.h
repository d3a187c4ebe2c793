/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A trial's image on the host: made by the plan's steps, read back, removed. Private to run/. */
#ifndef VB_RUN_IMAGE_H
#define VB_RUN_IMAGE_H

#include "run/context.h"

/*
 * Runs the plan's image steps as QEMU's user, watching space, time and ^C. Sets r->watch_dir. 0, or
 * negative with *cause.
 */
int image_make(struct run *r, const struct cell *c, const struct disk_plan *p, enum cause *cause,
	       struct err *e);

/*
 * The "image" of the evidence (HACKING.md); new reference. FIEMAP with its sync flag also keeps the
 * image's own writeback out of the time that is measured next.
 */
json_t *image_evidence(const struct run *r, const struct cell *c, const struct disk_plan *p);

/* Begins to remove the image; image_dropped waits until it is gone. */
void image_drop(struct run *r, const struct disk_plan *p);
void image_dropped(struct run *r);

#endif
