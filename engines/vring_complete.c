// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests on their way back from the device: harvested, waited for, or given up with it. */
#include <sched.h>
#include <sys/epoll.h>
#include <time.h>
#include "engines/vring.h"

/* Empty looks at the ring between two looks at socket and clock: some 100 us. */
#define LOOKS 16384
/* Empty looks between two offers of the core to others: some 5 us. */
#define YIELD_LOOKS 1024
/* Interrupts without a completion between two of those. */
#define WAKES 64
/* A sleeper looks after its device once in a while. */
#define WATCH_MS 1000
/* wait=adaptive reads the clock this often. */
#define ADAPTIVE_LOOKS 32
/* A job that has ended waits so long for what is in flight, whatever io_timeout= says. */
#define LAST_SECONDS 30

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- completion --- */

/* 5.2.6: the status is one of three; what the device left alone is still 0xff. */
static int complete_errno(uint8_t status)
{
	if (status == VIRTIO_BLK_S_UNSUPP)
		return ENOTSUP;
	return EIO;
}

static void complete_done_copy(struct vring_queue *q, struct io_u *io_u)
{
	const char *from = q->memory + q->place->bounce + io_u->index * q->place->stride +
			   sizeof(struct virtio_blk_outhdr);
	uint32_t len = q->length[io_u->index];
	uint8_t status = *(const volatile uint8_t *)(from + len);

	if (status != VIRTIO_BLK_S_OK)
		io_u->error = (unsigned)complete_errno(status);
	else if (io_u->ddir == DDIR_READ)
		memcpy(io_u->xfer_buf, from, len);
}

/* After vring_die the statuses do not count: all that is left ends with its error. */
static unsigned complete_give_dead(struct vring_queue *q, unsigned n, unsigned max)
{
	while (n < max && q->given < q->ndone) {
		struct io_u *io_u = q->ios[q->done[q->given++].token];

		io_u->error = (unsigned)q->dead;
		q->events[n++] = io_u;
	}
	return n;
}

/* Hands out at most max of what was harvested. */
static unsigned complete_give(struct vring_queue *q, unsigned n, unsigned max)
{
	if (unlikely(q->dead))
		return complete_give_dead(q, n, max);
	while (n < max && q->given < q->ndone) {
		uint32_t slot = q->done[q->given++].token;
		struct io_u *io_u = q->ios[slot];
		uint8_t status;

		q->events[n++] = io_u;
		if (unlikely(q->place->copies)) {
			complete_done_copy(q, io_u);
			continue;
		}
		status = *(volatile uint8_t *)&q->slots[slot].status;
		if (unlikely(status != VIRTIO_BLK_S_OK))
			io_u->error = (unsigned)complete_errno(status);
	}
	return n;
}

void vring_die(struct vring_queue *q, int error)
{
	bool *harvested;

	if (q->dead)
		return;
	q->dead = error;
	harvested = xcalloc(q->place->depth, sizeof(*harvested));
	for (unsigned i = q->given; i < q->ndone; i++)
		harvested[q->done[i].token] = true;
	memmove(q->done, q->done + q->given, (q->ndone - q->given) * sizeof(*q->done));
	q->ndone -= q->given;
	q->given = 0;
	for (unsigned i = 0; i < q->nevents; i++)
		harvested[q->events[i]->index] = true;
	for (unsigned i = 0; i < q->place->depth; i++)
		if (q->ios[i] && q->ios[i]->flags & IO_U_F_FLIGHT && !harvested[i])
			q->done[q->ndone++].token = i;
	q->nadded = q->npending = 0;
	free(harvested);
}

/* One look at the ring. Whether there is something to hand out. */
static inline bool complete_look(struct vring_queue *q)
{
	int rc;

	if (q->given < q->ndone)
		return true;
	if (unlikely(q->dead))
		return false;
	rc = drv_harvest(q->vq, q->done, q->place->depth);
	if (unlikely(rc < 0)) {
		log_err("vring: %s: queue %u: the device broke the ring: %s\n", q->conn->name,
			q->place->queue, drv_why(q->vq));
		vring_die(q, EIO);
		return true;
	}
	q->given = 0;
	q->ndone = (unsigned)rc;
	return rc > 0;
}

/* --- waiting --- */

/* One wait for completions. */
struct wait_state {
	uint64_t since; /* 0: the clock was not read yet */
	uint64_t poll_until;
	unsigned looks;
};

/* Checks what does not show in the ring: the device's life, and the time. May end the queue. */
static void complete_watch(struct vring_queue *q, struct thread_data *td, struct wait_state *w)
{
	uint64_t limit = q->o->io_timeout, now = clock_ns();
	int error = vring_queue_check(q);

	if (!w->since)
		w->since = now;
	if (!limit && td->terminate)
		limit = LAST_SECONDS;
	if (!error && limit && now - w->since > limit * 1000000000u) {
		log_err("vring: %s: queue %u: %u requests in flight, and nothing came back for %u s: "
			"given up (io_timeout=)\n",
			q->conn->name, q->place->queue, drv_outstanding(q->vq), (unsigned)limit);
		error = ETIMEDOUT;
	}
	/* What the device finished before it went is finished. */
	if (error && !complete_look(q))
		vring_die(q, error);
}

/* Sleeps until the device interrupts or hangs up, or until it is time to look after it. */
static void complete_sleep(struct vring_queue *q, struct thread_data *td, struct wait_state *w,
			   unsigned want)
{
	struct epoll_event ev[3];
	int n;

	/* What waits for room in the ring is to get there before the device has run dry. */
	if (q->npending && want > 1) {
		unsigned half = (drv_outstanding(q->vq) + 1) / 2;

		want = want < half ? want : half;
	}
	/* Counted, so that a device that only pretends to have something is found out, too. */
	w->looks++;
	if (!drv_arm(q->vq, want)) {
		if (w->looks % WAKES == 0)
			complete_watch(q, td, w);
		return;
	}
	q->sleeps++;
	n = epoll_wait(q->epoll, ev, 3, WATCH_MS);
	drv_suppress(q->vq);
	if (n == 1 && ev[0].data.fd == q->fds.call) {
		q->interrupts++;
		if (w->looks % WAKES)
			return;
	}
	complete_watch(q, td, w);
}

/* After an empty look: spins, sleeps or checks the device, by wait=. */
static void complete_wait(struct vring_queue *q, struct thread_data *td, struct wait_state *w,
			  unsigned want)
{
	if (q->o->wait == WAIT_EVENTFD) {
		complete_sleep(q, td, w, want);
		return;
	}
	if (q->o->wait == WAIT_ADAPTIVE && w->looks % ADAPTIVE_LOOKS == 0) {
		uint64_t now = clock_ns();

		if (!w->poll_until)
			w->poll_until = now + q->o->poll_ns;
		if (now >= w->poll_until) {
			complete_sleep(q, td, w, want);
			w->poll_until = 0;
			return;
		}
	}
	if (unlikely(++w->looks % LOOKS == 0))
		complete_watch(q, td, w);
	/* The device may be waiting for this very core. */
	if (unlikely(w->looks % YIELD_LOOKS == 0))
		sched_yield();
	nop;
}

int vring_getevents(struct thread_data *td, unsigned int min, unsigned int max,
		    const struct timespec *t)
{
	struct vring_queue *q = td->io_ops_data;
	struct wait_state w = {0};
	unsigned n = 0;

	q->nevents = 0;
	(void)t; /* only {0, 0} with min = 0 */
	/* With min = 0 fio does not. What is added but not published, no device can complete. */
	if (unlikely(q->nadded))
		vring_commit(td);
	for (;;) {
		if (complete_look(q)) {
			if (unlikely(q->nadded < q->npending))
				vring_refill(td);
			q->nevents = n = complete_give(q, n, max);
			if (n >= min)
				return (int)n;
			w = (struct wait_state){0};
			continue;
		}
		/* Nothing is out there that could still come: never wait for it. */
		if (n >= min || q->dead || !drv_outstanding(q->vq))
			return (int)n;
		complete_wait(q, td, &w, min - n);
	}
}

struct io_u *vring_event(struct thread_data *td, int event)
{
	struct vring_queue *q = td->io_ops_data;

	return q->events[event];
}
