/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handing an open block device to a QEMU whose user may not open it: a file descriptor set. */
#ifndef VB_GUEST_FDSET_H
#define VB_GUEST_FDSET_H

#include <stdint.h>
#include "base/err.h"
#include "disk/disk.h"
#include "guest/qmp.h"

/* The plan's host_device node has the filename "/dev/fdset/1". */
#define FDSET_ID 1

/*
 * Opens the block device of a plan (p->device) for reading and writing, exclusively: as long as
 * QEMU has it, nobody can mount it. An fd that the caller closes, or an error with exit status 2.
 */
int fdset_open(const struct disk_plan *p, struct err *e);

/* QEMU's own copy of it, in set FDSET_ID: to be called before the plan's specs. See qmp_call. */
int fdset_add(struct qmp *q, int fd, uint64_t deadline, struct err *e);

#endif
