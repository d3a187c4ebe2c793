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
	BLK_NULL,   /* writes go nowhere; reads leave the buffer as it is, though 2.7.8.2 has a
		       device write all that it says it did: QEMU's null-co does the same */
	BLK_MEMORY, /* anonymous memory of this process */
	BLK_FILE,   /* a regular file or block device, through io_uring */
};

#define BLK_LATENCY_MAX UINT64_C(10000000000) /* ns */

struct blkdev_opts {
	enum blk_kind kind;
	const char *path;    /* BLK_FILE */
	uint64_t size;	     /* bytes, a multiple of 512; BLK_FILE: 0 takes the file's */
	uint64_t latency_ns; /* BLK_NULL: each request completes no earlier than this after it was
				popped, and as soon after as the queue's thread looks */
	unsigned block_size; /* logical: 512, 1024, 2048 or 4096 */
	unsigned queues;     /* 1 .. 256 */
	bool read_only, direct;
	bool packed, event_idx, indirect; /* what is offered */
	const char *id;	     /* what GET_ID answers, at most 20 bytes of it; NULL: "vbench" */
	unsigned queue_size; /* the smallest queue that is expected: seg_max is at most this less
				2, since no chain may be longer than its queue (2.7.5.2); 0: 256 */
};

struct blkdev;
/* opts (and its strings) need not outlive the call. The size of BLK_MEMORY is reserved, not yet
 * used. -EINVAL with a sentence for options that cannot be, else the -errno of what failed. */
int blkdev_open(struct blkdev **out, const struct blkdev_opts *o, struct err *e);
/* After every blkq_free. NULL does nothing. */
void blkdev_close(struct blkdev *b);

/* Device features that are offered (5.2.3 and the ring's own), VERSION_1 always among them. */
uint64_t blkdev_features(const struct blkdev *b);
/* Told what the driver accepted: without VIRTIO_BLK_F_FLUSH each write is on stable storage before
 * it completes (5.2.6.2). Until told, all that is offered counts as accepted. Any thread. */
void blkdev_negotiated(struct blkdev *b, uint64_t features);
/* blkdev_opts.latency_ns. */
uint64_t blkdev_latency(const struct blkdev *b);
/* Configuration space, little-endian (5.2.4). */
void blkdev_config(const struct blkdev *b, struct virtio_blk_config *out);

/* One queue's requests. Created by, used in and freed by the queue's own thread. dev and vq are
 * borrowed; no other thread uses vq meanwhile. */
struct blkq;
int blkq_make(struct blkq **out, struct blkdev *b, struct dev_vq *vq, struct err *e);

/* Takes what the driver made available and completes what is done; returns how many chains moved,
 * or -EPROTO, from then on, when the driver broke the ring (the sentence is blkq_why's). *irq says
 * whether the driver wants an interrupt (also beside -EPROTO). Bounded: at most BLKQ_BATCH chains
 * are taken in one turn, and none after one that may take long. Flushes by itself, every BLKQ_FLUSH
 * chains: large enough to share the cost of a cache line's move, small enough that driver and
 * device work at the same time rather than in turn (two cores, null: 54 to 57 ns per I/O at depth
 * 32, against 80 to 92 with one flush per turn). */
#define BLKQ_BATCH 64
#define BLKQ_FLUSH 16
int blkq_turn(struct blkq *q, bool *irq);
/* Why the ring is broken: the queue's own sentence (a chain without room for header or status) or
 * dev_why's. Lives as long as the queue. */
const char *blkq_why(const struct blkq *q);
/* From now on a turn takes no more chains, it only completes those in flight. */
void blkq_stop(struct blkq *q);

/* Requests that the back end still has; what to wait on for the next completion: a descriptor that
 * becomes readable (-1: none) or a time (CLOCK_MONOTONIC, ns; UINT64_MAX: none). */
unsigned blkq_inflight(const struct blkq *q);
int blkq_fd(const struct blkq *q);
uint64_t blkq_due(const struct blkq *q);
/* Before sleeping on blkq_fd: false when something has completed, or could not be submitted,
 * meanwhile. */
bool blkq_arm(struct blkq *q);
/* Requests in flight are dropped without an answer; their buffers must stay mapped for as long as
 * the back end has them, so drain first (blkq_stop, blkq_turn, blkq_inflight). */
void blkq_free(struct blkq *q);

#endif
