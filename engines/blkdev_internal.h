/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What blkdev.c and its back ends (back_*.c) share: a checked request, and what a back end does. */
#ifndef VB_ENGINES_BLKDEV_INTERNAL_H
#define VB_ENGINES_BLKDEV_INTERNAL_H

#include <stdatomic.h>
#include "engines/blkdev.h"

#define BLK_SECTOR 512u		     /* 5.2.6: the unit of the protocol, whatever blk_size is */
#define BLK_RANGES 16u		     /* max_discard_seg, max_write_zeroes_seg */
#define BLK_RANGE_SECTORS (1u << 21) /* max_discard_sectors, max_write_zeroes_sectors: 1 GiB */
/* BLK_MEMORY zeroes within the request: 16 MiB, so that one of BLK_RANGES takes a fraction of a
 * second. */
#define BLK_RANGE_SECTORS_MEMORY (1u << 15)
#define BLK_LONG (64u << 20)		 /* bytes; a longer request is the last of its turn */
#define BLK_SEG_MAX (DEV_IOVS - 2u - 4u) /* 254: header, status, and pieces that cross regions */

/* A part of the disk, bytes. unmap: of write zeroes, may deallocate. */
struct blk_range {
	uint64_t offset, len;
	bool unmap;
};

/*
 * A request whose every field has been checked. iov and ranges lie in the queue and are another
 * request's after start() returns: a back end that goes on later copies what it needs.
 */
struct blkreq {
	uint32_t type; /* VIRTIO_BLK_T_IN, _OUT, _FLUSH, _DISCARD or _WRITE_ZEROES */
	uint16_t id, ndescs;
	uint32_t written;     /* what dev_push is told */
	uint8_t *status;      /* the driver's status byte */
	uint64_t offset, len; /* IN, OUT: bytes of the disk; len is the sum over iov */
	struct iovec *iov;
	unsigned niov;
	struct blk_range *ranges; /* DISCARD, WRITE_ZEROES */
	unsigned nranges;
};

#define BACK_LATER (-1) /* of start(): blkq_complete() comes in some reap() */

struct back_ops {
	const char *name;
	int (*open)(struct blkdev *b, const struct blkdev_opts *o, struct err *e);
	void (*close)(struct blkdev *b);
	int (*make)(struct blkq *q, struct err *e);
	void (*free)(struct blkq *q);

	/* VIRTIO_BLK_S_* when it is done already, or BACK_LATER. */
	int (*start)(struct blkq *q, const struct blkreq *r);
	/* These may be NULL. Once a turn: hands over what was started; completes what is done. */
	void (*submit)(struct blkq *q);
	void (*reap)(struct blkq *q);
	int (*fd)(const struct blkq *q);
	uint64_t (*due)(const struct blkq *q);
	bool (*arm)(struct blkq *q);
};

extern const struct back_ops back_null, back_memory, back_file;

struct blkdev {
	const struct back_ops *ops;
	void *back; /* the back end's own */
	uint64_t size, latency_ns;
	unsigned block_size, queues, seg_max;
	uint32_t range_sectors; /* of a discard's or write zeroes' range, at most */
	bool read_only;
	char id[VIRTIO_BLK_ID_BYTES]; /* no NUL when it is 20 bytes long (5.2.6) */
	uint64_t features;
	atomic_bool writethrough;
};

struct blkq {
	struct blkdev *dev;
	struct dev_vq *vq;
	const struct back_ops *ops;
	void *back;	   /* the back end's own */
	unsigned inflight; /* popped, not pushed */
	unsigned pushed;   /* in this turn */
	unsigned pending;  /* of these, not flushed */
	bool irq;	   /* a flush of this turn wants one */
	bool stopped, broken;
	const char *why;
	struct blk_range ranges[BLK_RANGES];
	struct dev_chain chain;
};

/* The answer to a request that start() kept. Visible after this turn's flush. */
void blkq_complete(struct blkq *q, const struct blkreq *r, uint8_t status);

/* CLOCK_MONOTONIC, ns. */
uint64_t blk_now(void);

/* len bytes between pieces and a buffer; the pieces hold at least as many. */
void pieces_gather(const struct iovec *iov, unsigned n, void *to, uint64_t len);
void pieces_scatter(const struct iovec *iov, unsigned n, const void *from, uint64_t len);
/* Drops len bytes, and what is empty, from the front. */
void pieces_advance(struct iovec **iov, unsigned *n, uint64_t len);

#endif
