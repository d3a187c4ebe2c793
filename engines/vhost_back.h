/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The back end of one vhost-user connection: what the front end said so far, and which queues it
 * set running. Messages go in, replies come out; threads and the disk are behind a table of
 * operations, so that tests and a fuzzer run the whole of it without any. Everything the peer says
 * is hostile until checked.
 *
 * The protocol is that of QEMU's docs/interop/vhost-user.rst. Where it leaves a choice: a ring
 * starts at SET_VRING_KICK (and SET_VRING_ENABLE, if bit 30 was accepted), not at the first kick; a
 * disabled ring is not processed at all; what changes under a running ring (memory, addresses,
 * descriptors) stops it, with the I/O in flight awaited, and starts it again where it was.
 */
#ifndef VB_ENGINES_VHOST_BACK_H
#define VB_ENGINES_VHOST_BACK_H

#include "engines/dev.h"
#include "engines/vhost.h"

#define BACK_QUEUES 256 /* SET_VRING_KICK has 8 bits for the index */

/* What the session serves. All are called from the thread that serves the session. */
struct back_ops {
	/* Device features that are offered, bit 30 aside. */
	uint64_t (*features)(void *arg);
	/* What the front end accepted; no queue runs. */
	void (*negotiated)(void *arg, uint64_t features);
	/* Fills the first bytes of the configuration space (the rest is zero); how many it is. */
	size_t (*config)(void *arg, uint8_t data[VHOST_CONFIG_MAX]);
	/* Has a queue served, until stop. kick, call: -1 for none. worker is what stop gets. */
	int (*start)(void *arg, unsigned index, struct dev_vq *vq, int kick, int call,
		     void **worker, struct err *e);
	/* NULL, or says that stop is near, before several are stopped: they end at the same time
	 * then. */
	void (*ask)(void *arg, void *worker);
	/* Returns when nothing of it is in flight any more. */
	void (*stop)(void *arg, void *worker);
	/* NULL, or why that queue is not served any more. The text lives until stop. */
	const char *(*broken)(void *arg, void *worker);
	/* NULL, or is told that back_queue or back_features would say something new. */
	void (*changed)(void *arg);
};

struct back;

/* queues: 1 .. BACK_QUEUES. max_size: the largest ring that is taken, 1 .. RING_MAX_SIZE. ops and
 * arg must outlive the session. Never fails. */
struct back *back_make(const struct back_ops *ops, void *arg, unsigned queues, unsigned max_size);

/* Stops the queues, unmaps the peer's memory, closes its descriptors. */
void back_free(struct back *b);

/*
 * Handles a message and takes its descriptors, whatever comes of it. *has_reply: reply is to be
 * sent (also, at times, with a failure). 0; negative with a sentence when the session is over: the
 * peer broke the protocol (-EPROTO), or something failed here.
 */
int back_handle(struct back *b, struct vhost_msg *m, struct vhost_msg *reply, bool *has_reply,
		struct err *e);

/*
 * Serves a connected socket (which stays the caller's) until the peer goes (0), stop_fd becomes
 * readable (0 too), or the session breaks (negative, with a sentence). The queues then still run:
 * back_stop.
 */
int back_serve(struct back *b, int sock, int stop_fd, struct err *e);

/* Ends what runs; back_queue then has the final counters. The session answers no more messages. */
void back_stop(struct back *b);

/* What SET_FEATURES said, false before; what SET_PROTOCOL_FEATURES said, 0 before. */
bool back_features(const struct back *b, uint64_t *features);
uint64_t back_protocol_features(const struct back *b);
/* What GET_FEATURES answers. */
uint64_t back_offered(const struct back *b);

struct back_queue {
	struct ring_opts opts; /* as it last ran */
	bool running;
	bool kicks, interrupts;	 /* whether there are descriptors for them (else the sides poll) */
	struct dev_counters sum; /* over all its runs that ended */
};

/* Of queue `index`; false if it never ran. */
bool back_queue(const struct back *b, unsigned index, struct back_queue *out);

#endif
