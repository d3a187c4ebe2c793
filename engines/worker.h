/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread that serves one queue of a device: polling, sleeping on its kick, or both in turn. */
#ifndef VB_ENGINES_WORKER_H
#define VB_ENGINES_WORKER_H

#include "engines/blkdev.h"

enum ring_wait {
	WAIT_POLL,     /* never sleeps, but yields now and then while there is nothing to do, for
			  a driver on the same CPU; asks for no notification */
	WAIT_EVENTFD,  /* sleeps as soon as there is nothing to do */
	WAIT_ADAPTIVE, /* polls for poll_ns, then sleeps */
};

struct worker_opts {
	enum ring_wait wait;
	uint64_t poll_ns;
	int kick; /* eventfd or -1 (the driver gave none: WAIT_POLL whatever was asked) */
	int call; /* eventfd or -1 (the driver wants no interrupts) */
	int cpu;  /* to be pinned to, or -1 */
};

/*
 * A null back end's latency (blkdev_opts.latency_ns) is kept within one turn of the queue under
 * WAIT_POLL. WAIT_ADAPTIVE sleeps until 50 us before the time and polls from there. WAIT_EVENTFD
 * sleeps until the time itself (timer slack 1 ns): the scheduler's wake-up, some us to some tens of
 * us, comes on top.
 */

struct worker;

/* Starts it; fds stay the caller's and must live until worker_stop, as must dev and vq. kick and
 * call are made non-blocking; a peer that undoes this can hold up its own queue, not worker_stop
 * (event.h). vq belongs to the worker's thread until worker_stop returns. 0, or what blkq_make
 * said, -EINVAL for a CPU that cannot be. */
int worker_start(struct worker **out, struct blkdev *dev, struct dev_vq *vq,
		 const struct worker_opts *o, struct err *e);
/* Tells it to end, and does not wait: so that several end at the same time. */
void worker_ask(struct worker *w);
/* Takes no more chains, waits for those in flight (WORKER_DRAIN_S and the null back end's latency
 * at most, from worker_ask on, beside the one request that is being served), ends the thread and
 * frees it. Whatever the peer does to kick and call. NULL does nothing. */
#define WORKER_DRAIN_S 10
void worker_stop(struct worker *w);
/* Why it has stopped serving ("descriptor 3: address ... lies outside"), or NULL. Any thread; lives
 * until worker_stop. */
const char *worker_broken(struct worker *w);

#endif
