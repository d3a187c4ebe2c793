/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a block device of this machine may be overwritten: asked before the first byte. Writes
 * nothing. */
#ifndef VB_HOST_BLOCKDEV_H
#define VB_HOST_BLOCKDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

/* A device and what is on it, as far as overwriting matters. */
struct blockdev {
	dev_t dev;	 /* what stat() calls st_rdev */
	uint64_t bytes;	 /* its size */
	char name[64];	 /* the kernel's: "loop0", "nvme0n1p2" */
	char found[400]; /* what looks like data ("an ext4 file system", "3 partitions"): wants
			    consent twice; "": nothing known to libblkid */
};

/*
 * Looks at path (links are followed). 0, or an error with exit status 2 that says why the device
 * can never be used: none, read-only, mounted (or a partition of it), swap, held by another device
 * (dm, md, bcache, ...), opened by a process that writes or exclusively, or not to be read by us.
 * What is on it is no error here: see found. What it cannot see, blockdev_unseen says.
 */
int blockdev_look(const char *path, struct blockdev *out, struct err *e);

/*
 * What consent is given in spite of, as a sentence part: processes that only read the device are
 * never looked for, and without root (uid: geteuid()) the open files of other users are hidden.
 */
const char *blockdev_unseen(uid_t uid);

/*
 * How often the device behind path is among those that the user named (--consent), whatever link
 * each word goes through. What is no block device counts for nothing.
 */
unsigned blockdev_consents(const char *path, const char *const *named, size_t n);

/* The parts of it that only read /proc and /sys, below root ("": this machine), of a device and,
 * where it is a whole disk, its partitions. 0, or as blockdev_look. label is for messages. */
int blockdev_in_use(const char *root, unsigned major, unsigned minor, const char *label,
		    struct err *e);
/* Partitions that the kernel knows of it. */
size_t blockdev_partitions(const char *root, unsigned major, unsigned minor);

#endif
