/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent says about file systems, checked: types, ranges, lengths. Each function returns 0,
 * or -EPROTO and a sentence that names the field; *out is then as it was. Bodies stay the caller's.
 */
#ifndef VB_GUEST_FS_DECODE_H
#define VB_GUEST_FS_DECODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

#define FS_VOLUMES_MAX 1024

/* What was found on a disk: a partition, or the whole of it. Texts are printable. */
struct fs_volume {
	char path[72]; /* "/dev/vda1": /dev/ and a plain name */
	char type[32]; /* "ext4"; "" where nothing was recognised */
	char uuid[80], label[128];
	uint64_t bytes;
	char *refused; /* why it is to be left alone, owned; NULL: it is understood */
};

struct fs_scan {
	char table[16]; /* "gpt", "dos", "none", or the name of a table that is not understood */
	struct fs_volume *volumes; /* owned; no path twice */
	size_t nvolumes;
};

struct fs_sum {
	uint64_t files, dirs, others;
	uint64_t bytes;	 /* sum of the regular files' sizes */
	char sha256[65]; /* lower-case hex */
};

struct fs_free {
	uint64_t bytes;	     /* trimmed or zeroed */
	uint64_t free_bytes; /* that the file system called free before */
	double seconds;
};

/* Of WIRE_PROGRESS during FS_SUM and FS_FREE. */
struct fs_progress {
	uint64_t done_bytes, total_bytes; /* done may exceed total, which is an estimate; total may
					     be 0: not known yet */
	uint64_t elapsed_ns;
};

/* Modules that the guest needs for the file systems; NULL-terminated, without order. */
extern const char *const slim_guest_modules[];

/* Answer to FS_SCAN of the disk with that path ("/dev/vda"): every volume is it or begins with it.
 * Caller frees with fs_scan_free. */
int fs_decode_scan(const json_t *body, const char *disk, struct fs_scan *out, struct err *e);
void fs_scan_free(struct fs_scan *s);

int fs_decode_sum(const json_t *body, struct fs_sum *out, struct err *e);
int fs_decode_free(const json_t *body, struct fs_free *out, struct err *e);
int fs_decode_progress(const json_t *body, struct fs_progress *out, struct err *e);

#endif
