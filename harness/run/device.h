/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block devices that cells write to: looked at, and agreed to by the user. Private to run/. */
#ifndef VB_RUN_DEVICE_H
#define VB_RUN_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/err.h"
#include "profile/profile.h"

struct run;

/*
 * Whether a cell's device may be overwritten, by what is on this machine now and by the user's
 * --consent. 0, or exit status 2 naming the device and the remedy. first: at the run's start, where
 * the device that path means is remembered; later it must be the same. Cells on no device pass.
 */
int device_check(struct run *r, const struct cell *c, bool first, struct err *e);

/* st_rdev of a cell's device, as it was agreed to; 0: it was not, or the cell has none. */
uint64_t device_number(const struct run *r, const struct cell *c);

/* All cells'; before anything is written. Every --consent must name a device of the profile. */
int device_check_all(struct run *r, struct err *e);

/* For --dry-run: what would be overwritten, and what the user would have to say. */
void device_print(struct run *r, FILE *out);

#endif
