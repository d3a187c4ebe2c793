/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a virtio-blk device does with a chain (virtio 1.2, 5.2): parses the request, whatever its
 * framing (2.7.4.1), hands it to a back end, and gives the chain back with its status. No sockets,
 * no threads: worker.h has those.
 */
#ifndef VB_ENGINES_BLKDEV_H
#define VB_ENGINES_BLKDEV_H

#include <linux/virtio_blk.h>
#include "engines/dev.h"

enum blk_kind {
	BLK_NULL,   /* reads give zeroes without touching the buffer, writes go nowhere */
	BLK_MEMORY, /* anonymous memory of this process */
	BLK_FILE,   /* a regular file or block device, through io_uring */
};

struct blkdev_opts {
	enum blk_kind kind;
	const char *path;    /* BLK_FILE */
	uint64_t size;	     /* bytes, a multiple of 512; BLK_FILE: 0 takes the file's */
	uint64_t latency_ns; /* BLK_NULL: each request completes no earlier than this after it was
				popped */
	unsigned block_size; /* logical, 512 .. 4096 */
	unsigned queues;     /* 1 .. 256 */
	bool read_only, direct;
	bool packed, event_idx, indirect; /* what is offered */
};

struct blkdev;
int blkdev_open(struct blkdev **out, const struct blkdev_opts *o, struct err *e);
void blkdev_close(struct blkdev *b);

/* Device features that are offered (5.2.3 and the ring's own), VERSION_1 always among them. */
uint64_t blkdev_features(const struct blkdev *b);
/* Told what the driver accepted (5.2.3: no flush feature, no write cache). */
void blkdev_negotiated(struct blkdev *b, uint64_t features);
/* Configuration space, little-endian (5.2.4). */
void blkdev_config(const struct blkdev *b, struct virtio_blk_config *out);

/* One queue's requests. Created by, and used in, the queue's own thread. */
struct blkq;
int blkq_make(struct blkq **out, struct blkdev *b, struct dev_vq *vq, struct err *e);

/* Takes what the driver made available and completes what is done; returns how many chains moved,
 * or -EPROTO when the driver broke the ring (the sentence is dev_why's). Flushes by itself; *irq is
 * set when the driver wants an interrupt. */
int blkq_turn(struct blkq *q, bool *irq);

/* Requests that the back end still has; what to wait on for the next completion: a descriptor that
 * becomes readable (-1: none) or a time (CLOCK_MONOTONIC, ns; UINT64_MAX: none). */
unsigned blkq_inflight(const struct blkq *q);
int blkq_fd(const struct blkq *q);
uint64_t blkq_due(const struct blkq *q);
/* Before sleeping on blkq_fd: false when something has completed meanwhile. */
bool blkq_arm(struct blkq *q);
void blkq_free(struct blkq *q);

#endif
