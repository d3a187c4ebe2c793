/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a disk image small: the space that its file systems do not use is given back, and the rest
 * is converted into a new qcow2 image. The image itself is only ever read.
 */
#ifndef VB_SLIM_SLIM_H
#define VB_SLIM_SLIM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/err.h"

enum slim_how {
	SLIM_AUTO, /* trim; zero where a file system cannot be trimmed */
	SLIM_TRIM,
	SLIM_ZERO,
	SLIM_KEEP, /* free space stays as it is: a plain conversion */
};

struct slim_opts {
	const char *image;
	const char *out;      /* NULL with in_place */
	const char *format;   /* of image; NULL: from its first bytes */
	const char *compress; /* "zlib", "zstd"; NULL: not compressed */
	const char *accel;    /* "auto", "kvm", "tcg" */
	const char *qemu;     /* NULL: the default */
	const char *data;     /* vbench's data folder */
	const char *const
		*skip; /* volumes to be left alone ("vda1"), NULL-terminated; NULL: none */
	enum slim_how how;
	bool in_place; /* image is replaced by the result */
	bool force;    /* an existing out may be replaced */
	bool quiet;
	uint64_t keep; /* bytes that stay free on out's file system; 0: max(10 %, 10 GiB) */
	int stop_fd;   /* readable when the user wants to stop; -1: none */
};

/* What was found on the disk: a partition, or the whole of it. */
struct slim_volume {
	char name[64]; /* "vda1": of the guest, which has the image as vda */
	char type[32]; /* "ext4"; "" where nothing was recognised */
	char uuid[80], label[128];
	uint64_t bytes;
	char *refused;		      /* why it was left alone; NULL: it was not */
	uint64_t files, dirs, others; /* what is on it */
	uint64_t file_bytes;	      /* their sizes' sum */
	char sum[65];		      /* SHA-256 over all of it, "": of none (swap) */
	char how[8];		      /* "trim", "zero"; "" if neither */
	uint64_t freed;		      /* bytes trimmed or zeroed */
};

struct slim_result {
	char *image, *out;	    /* paths as they are, links resolved */
	char format[16], table[16]; /* of image; its partition table: "gpt", "dos", "none" */
	char accel[8];		    /* of the guest that looked into it */
	char compress[8];	    /* "" if not */
	uint64_t virtual_size;
	uint64_t before, after;		  /* allocated bytes of the files (st_blocks) */
	uint64_t before_size, after_size; /* their lengths */
	uint64_t peak;			  /* most that was taken on out's file system meanwhile */
	uint64_t ns;
	uint64_t cluster_size; /* of out */
	bool extended_l2;
	uint64_t l2_cache; /* that holds all of out's L2 tables */
	struct slim_volume *volumes;
	size_t nvolumes;
	char **notes; /* what the user should know */
	size_t nnotes;
};

/*
 * Does it. 0: out is there, verified and on stable storage; -EINTR when stopped; else -errno, and
 * neither image nor an earlier out was touched. *r is filled as far as it came: caller frees it
 * with slim_result_free in each case. As root, everything that parses the image runs as QEMU's
 * user.
 */
int slim_run(const struct slim_opts *o, struct slim_result *r, struct err *e);
void slim_result_free(struct slim_result *r);

/* For people, and as one JSON object (new reference). */
void slim_print(const struct slim_result *r, FILE *out);
json_t *slim_json(const struct slim_result *r);

/*
 * Memory for all L2 tables of a qcow2 image: an entry of 8 bytes for each cluster, 16 with extended
 * L2 entries (docs/interop/qcow2.txt, "Cluster mapping"), in whole tables of one cluster each.
 */
uint64_t slim_l2_cache(uint64_t virtual_size, uint64_t cluster_size, bool extended_l2);

/*
 * The format that the first bytes and the last 512 of a file name: "raw" for none. descriptor: set
 * when the file is a text that names others (vmdk). pread of fd only. 0 or -errno.
 */
int slim_probe(int fd, uint64_t size, const char **format, bool *descriptor);

/* max(10 %, 10 GiB) of a file system of that size: what stays free by default. */
uint64_t slim_keep(uint64_t fs_size);

#endif
