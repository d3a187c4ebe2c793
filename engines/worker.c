// SPDX-License-Identifier: GPL-2.0-or-later
/* The thread of one queue: polls it, or sleeps until a kick, a completion, a time or the end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include "engines/event.h"
#include "engines/worker.h"

#define NS_PER_S UINT64_C(1000000000)
#define SPIN_NS 50000	   /* of a latency, polled rather than slept by WAIT_ADAPTIVE */
#define YIELD_TURNS 512	   /* empty ones in a row (some 10 us), after which WAIT_POLL yields */
#define NUDGE_NS 100000000 /* between two signals to a thread that does not end */

struct worker {
	pthread_t thread;
	struct blkdev *dev;
	struct dev_vq *vq;
	struct worker_opts o;
	int stop_fd; /* wakes the thread; `stop` says what for */
	atomic_bool stop;
	atomic_bool broken; /* why is complete */
	char why[256];
	sem_t started; /* rc and e are complete */
	sem_t ended;
	int rc;
	struct err e;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static bool stopping(struct worker *w)
{
	return atomic_load_explicit(&w->stop, memory_order_acquire);
}

static void worker_break(struct worker *w, const char *why)
{
	if (atomic_load_explicit(&w->broken, memory_order_relaxed))
		return;
	snprintf(w->why, sizeof(w->why), "%s", why ? why : "the ring is broken");
	atomic_store_explicit(&w->broken, true, memory_order_release);
}

/* An interrupt. A counter that is full is one already: EAGAIN, or EINTR where the peer has made it
 * block (worker_stop's signal; once is enough). */
static void call_write(struct worker *w)
{
	uint64_t one = 1;

	if (w->o.call >= 0 && write(w->o.call, &one, sizeof(one)) < 0 && errno == EINTR &&
	    stopping(w))
		w->o.call = -1;
}

/* One turn and its interrupt: how many chains moved, or -EPROTO. */
static int turn(struct worker *w, struct blkq *q)
{
	bool irq = false;
	int n = blkq_turn(q, &irq);

	if (irq)
		call_write(w);
	return n;
}

/* A kick that is there, but cannot be read, would wake us for ever. */
static void kick_take(struct worker *w, short revents)
{
	uint64_t n;
	ssize_t k;

	if (!revents)
		return;
	k = revents & POLLIN ? read(w->o.kick, &n, sizeof(n)) : -1;
	if (k > 0 || (k < 0 && revents & POLLIN && (errno == EAGAIN || errno == EINTR)))
		return;
	worker_break(w, "the kick descriptor cannot be read: it is not an eventfd, or was closed");
}

/* Until a completion or the time `until`; while it serves also until a kick or the end. */
static void nap(struct worker *w, const struct blkq *q, uint64_t until, bool serves)
{
	struct pollfd p[3] = {
		{.fd = serves ? w->stop_fd : -1, .events = POLLIN},
		{.fd = serves ? w->o.kick : -1, .events = POLLIN},
		{.fd = blkq_fd(q), .events = POLLIN},
	};
	struct timespec t;

	if (until != UINT64_MAX) {
		uint64_t now = now_ns();

		if (now >= until)
			return;
		t.tv_sec = (time_t)((until - now) / NS_PER_S);
		t.tv_nsec = (long)((until - now) % NS_PER_S);
	}
	if (ppoll(p, 3, until != UINT64_MAX ? &t : NULL, NULL) > 0)
		kick_take(w, p[1].revents);
}

/* Sleeps if there is nothing to do, also at a second look (2.7.10, 2.8.14: a chain that was made
 * available before the driver could see that it is to notify would wait for ever). */
static void worker_sleep(struct worker *w, struct blkq *q)
{
	uint64_t until = blkq_due(q);

	if (w->o.wait == WAIT_ADAPTIVE && until != UINT64_MAX) {
		until = until > SPIN_NS ? until - SPIN_NS : 0;
		if (now_ns() >= until) {
			cpu_relax();
			return;
		}
	}
	if (dev_arm(w->vq) && blkq_arm(q))
		nap(w, q, until, true);
	dev_suppress(w->vq);
}

static void worker_serve(struct worker *w, struct blkq *q)
{
	uint64_t idle = 0; /* since when, or 0 */
	unsigned empty = 0;

	dev_suppress(w->vq);
	while (!stopping(w) && !atomic_load_explicit(&w->broken, memory_order_relaxed)) {
		int n = turn(w, q);

		if (n < 0) {
			worker_break(w, blkq_why(q));
		} else if (n > 0) {
			idle = 0;
			empty = 0;
		} else if (w->o.wait == WAIT_POLL) {
			cpu_relax();
			/* Else a driver on the same CPU waits for the end of our time slice. */
			if (++empty % YIELD_TURNS == 0)
				sched_yield();
		} else if (w->o.wait == WAIT_EVENTFD) {
			worker_sleep(w, q);
		} else {
			uint64_t now = now_ns();

			if (!idle)
				idle = now;
			if (now - idle < w->o.poll_ns) {
				cpu_relax();
			} else {
				worker_sleep(w, q);
				/* A due time's last stretch is polled on; all else starts anew. */
				idle = blkq_due(q) == UINT64_MAX ? 0 : idle;
			}
		}
	}
}

/* Waits for what the back end still has, but not for ever. */
static void worker_drain(struct worker *w, struct blkq *q)
{
	uint64_t limit = now_ns() + WORKER_DRAIN_S * NS_PER_S + blkdev_latency(w->dev);

	blkq_stop(q);
	turn(w, q);
	while (blkq_inflight(q) && now_ns() < limit) {
		uint64_t due = blkq_due(q);

		if (blkq_arm(q))
			nap(w, q, due < limit ? due : limit, false);
		turn(w, q);
	}
}

static int pin(int cpu, struct err *e)
{
	cpu_set_t set;
	int rc;

	if (cpu < 0)
		return 0;
	if (cpu >= CPU_SETSIZE)
		return err_input(e, "CPU %d: there are at most %d", cpu, CPU_SETSIZE);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	rc = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	if (rc)
		return err_input(e, "CPU %d cannot be used: %s", cpu, strerror(rc));
	return 0;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct blkq *q = NULL;
	int rc = pin(w->o.cpu, &w->e);

	/* Times are kept to the ns that the timer has, not to the usual 50 us. */
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	pthread_setname_np(pthread_self(), "vring-queue");
	if (!rc)
		rc = blkq_make(&q, w->dev, w->vq, &w->e);
	w->rc = rc;
	sem_post(&w->started);
	if (!rc) {
		worker_serve(w, q);
		worker_drain(w, q);
		blkq_free(q);
	}
	sem_post(&w->ended);
	return NULL;
}

static int nonblocking(int fd, const char *name, struct err *e)
{
	int flags;

	if (fd < 0)
		return 0;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
		return err_set(e, -errno, "the queue's %s descriptor: %s", name, strerror(errno));
	return 0;
}

/* Signals are for the program's other threads; what the thread itself causes is not, nor what ends
 * a call that holds it up. */
static int thread_create(struct worker *w)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, EVENT_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}

static void worker_free(struct worker *w)
{
	sem_destroy(&w->started);
	sem_destroy(&w->ended);
	close(w->stop_fd);
	free(w);
}

int worker_start(struct worker **out, struct blkdev *dev, struct dev_vq *vq,
		 const struct worker_opts *o, struct err *e)
{
	struct worker *w;
	int rc;

	*out = NULL;
	if (nonblocking(o->kick, "kick", e) || nonblocking(o->call, "call", e))
		return e ? e->rc : -EBADF;
	w = xcalloc(1, sizeof(*w));
	w->dev = dev;
	w->vq = vq;
	w->o = *o;
	if (o->kick < 0)
		w->o.wait = WAIT_POLL;
	w->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->stop_fd < 0) {
		rc = err_set(e, -errno, "an eventfd: %s", strerror(errno));
		free(w);
		return rc;
	}
	sem_init(&w->started, 0, 0);
	sem_init(&w->ended, 0, 0);
	rc = thread_create(w);
	if (rc) {
		worker_free(w);
		return err_set(e, rc, "a thread for the queue: %s", strerror(-rc));
	}
	while (sem_wait(&w->started) < 0)
		;
	rc = w->rc;
	if (rc) {
		pthread_join(w->thread, NULL);
		if (e)
			*e = w->e;
		worker_free(w);
		return rc;
	}
	*out = w;
	return 0;
}

void worker_ask(struct worker *w)
{
	uint64_t one = 1;

	if (atomic_exchange_explicit(&w->stop, true, memory_order_acq_rel))
		return;
	/* It cannot fail, being ours and written once. */
	while (write(w->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* The end of the thread, or some time for it: whether it has ended. */
static bool worker_wait(struct worker *w)
{
	uint64_t until = now_ns() + NUDGE_NS;
	struct timespec t = {.tv_sec = (time_t)(until / NS_PER_S),
			     .tv_nsec = (long)(until % NS_PER_S)};

	return !sem_clockwait(&w->ended, CLOCK_MONOTONIC, &t);
}

void worker_stop(struct worker *w)
{
	if (!w)
		return;
	worker_ask(w);
	/* A peer may hold it up in a read or write of an eventfd that they share. */
	while (!worker_wait(w)) {
		event_guard();
		pthread_kill(w->thread, EVENT_SIGNAL);
	}
	pthread_join(w->thread, NULL);
	worker_free(w);
}

const char *worker_broken(struct worker *w)
{
	return atomic_load_explicit(&w->broken, memory_order_acquire) ? w->why : NULL;
}
