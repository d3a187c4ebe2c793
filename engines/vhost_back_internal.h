/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside a vhost-user session: its state, and the steps between a stopped and a running queue. */
#ifndef VB_ENGINES_VHOST_BACK_INTERNAL_H
#define VB_ENGINES_VHOST_BACK_INTERNAL_H

#include "engines/vhost_back.h"

#define BIT(n) (UINT64_C(1) << (n))

struct back_ring {
	unsigned size;
	struct vhost_vring_address addr;
	uint32_t base;
	bool has_addr, has_base;
	bool started, enabled;
	int kick, call, err; /* -1: none */

	struct dev_vq *vq; /* with worker: while it runs */
	void *worker;

	bool ran, has_kick, has_call; /* in the last run */
	struct ring_opts opts;	      /* of the last run */
	struct dev_counters sum;
};

struct back {
	const struct back_ops *ops;
	void *arg;
	unsigned nqueues, max_size;
	uint64_t features, protocol_features;
	bool has_features;
	bool over;	    /* broken or stopped: no more messages */
	bool dirty;	    /* something is new since ops->changed */
	unsigned losses;    /* mem_losses of earlier sessions */
	uint64_t looked_ns; /* CLOCK_MONOTONIC: when session_look was last there */
	struct mem mem;
	struct back_ring queue[BACK_QUEUES];
};

/* Waits for what is in flight; base then says where it has to go on. */
void back_queue_stop(struct back *b, struct back_ring *q);

/* Brings a queue to run if it is started and enabled and does not run yet. */
int back_queue_go(struct back *b, unsigned index, struct err *e);

/* 0, or -EPROTO with a sentence when the peer has taken memory away in this session. */
int back_memory_check(const struct back *b, struct err *e);

/* All that run; all that are to. */
void back_pause(struct back *b);
int back_resume(struct back *b, struct err *e);

static inline bool back_queue_runs(const struct back_ring *q)
{
	return q->vq != NULL;
}

#endif
