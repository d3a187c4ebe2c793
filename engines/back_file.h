/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file back end from inside: back_file.c has the file and the io_uring of each queue,
 * back_file_step.c what a request does there, step by step.
 */
#ifndef VB_ENGINES_BACK_FILE_H
#define VB_ENGINES_BACK_FILE_H

#include <liburing.h>
#include "engines/blkdev_internal.h"

#define FILE_BOUNCE_BYTES \
	(256u * 1024)	/* a request that O_DIRECT does not take goes in such parts */
#define FILE_BOUNCES 32 /* buffers of a queue; further requests wait for one */
#define FILE_ZERO_BYTES (64u * 1024)
#define FILE_FEW 4 /* pieces that need no table of their own */

struct file {
	int fd;
	bool direct;
	unsigned mem_align, io_align; /* of O_DIRECT: addresses; offsets and lengths */
	char *zeroes;		      /* FILE_ZERO_BYTES */
	/* The file system cannot: found out once, for all queues. */
	atomic_bool no_punch, no_zero;
};

enum file_step {
	STEP_RW,    /* read or write from pieces */
	STEP_RANGE, /* fallocate the range at hand */
	STEP_ZERO,  /* write zeroes over it, since that could not be */
	STEP_SYNC,
};

struct filereq {
	struct filereq *next; /* of free, ready or starved */
	struct blkreq r;
	enum file_step step;
	unsigned retries;
	uint64_t done;	/* bytes: of the request, or of the range at hand */
	unsigned range; /* at hand */
	int mode;	/* of the fallocate in the ring */
	bool bounced;	/* has to go through a buffer */
	char *bounce;
	struct iovec few[FILE_FEW];
	struct iovec *table; /* or as many as the longest request so far had; stays with the slot */
	unsigned table_size;
	struct blk_range range_table[BLK_RANGES];
};

struct file_list {
	struct filereq *first, **last;
};

struct file_queue {
	struct io_uring ring;
	struct filereq *free;
	struct file_list ready;	  /* to go into the ring */
	struct file_list starved; /* to go there when a bounce buffer is free */
	struct filereq **chunks;
	unsigned nchunks;
	unsigned in_ring;
	char *bounce[FILE_BOUNCES]; /* those that are free */
	unsigned nbounce, bounces_made;
};

void file_list_add(struct file_list *l, struct filereq *f);
struct filereq *file_list_take(struct file_list *l);

/* Copies a request, whose pieces and ranges are the queue's, into its slot; its first step is ready
 * to be prepared. */
void filereq_fill(const struct file *file, struct filereq *f, const struct blkreq *r);

/*
 * Makes the step ready to go into the ring. False: not now, the request has ended or waits
 * elsewhere (for a bounce buffer, or behind other steps).
 */
bool filereq_ready(struct blkq *q, struct filereq *f);
/* Fills in the entry of the step at hand. */
void filereq_prep(const struct blkq *q, struct filereq *f, struct io_uring_sqe *sqe);
/* The kernel's answer to it: the request ends, or its next step goes to `ready`. */
void filereq_result(struct blkq *q, struct filereq *f, int res);

#endif
