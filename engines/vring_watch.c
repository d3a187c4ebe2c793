// SPDX-License-Identifier: GPL-2.0-or-later
/* The watch over kicks: a thread that interrupts one which the device has made to block. */
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include "engines/vring.h"

/* So often it looks: a kick that blocks ends within twice that. */
#define WATCH_MS 1000

struct vring_watch {
	pthread_t thread, job;
	atomic_uint *kicking;
	atomic_uint expired; /* the value of *kicking that has lasted too long, or 0 */
	int stop;	     /* eventfd */
};

/* Of the signals that nobody has a meaning for. */
static int watch_signal(void)
{
	return SIGRTMIN + 6;
}

static void watch_handler(int number)
{
	/* Only there so that write() ends with EINTR. */
	(void)number;
}

static void *watch_main(void *arg)
{
	struct vring_watch *w = arg;
	struct pollfd p = {.fd = w->stop, .events = POLLIN};
	unsigned before = 0;

	pthread_setname_np(pthread_self(), "vring-watch");
	/* Nothing but the stop wakes it: signals are blocked. */
	while (!poll(&p, 1, WATCH_MS)) {
		unsigned now = atomic_load_explicit(w->kicking, memory_order_relaxed);

		if (now & 1 && now == before) {
			/* Again at each look: the first may come just before the write. */
			atomic_store(&w->expired, now);
			pthread_kill(w->job, watch_signal());
		}
		before = now;
	}
	return NULL;
}

bool vring_watch_expired(const struct vring_queue *q)
{
	return q->watch && atomic_load(&q->watch->expired) ==
				   atomic_load_explicit(&q->kicking, memory_order_relaxed);
}

/* Signals are for fio's other threads. */
static int watch_create(struct vring_watch *w)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&w->thread, NULL, watch_main, w);
	/* The job has to be interrupted whatever fio had blocked. */
	sigdelset(&old, watch_signal());
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}

int vring_watch_start(struct vring_queue *q, struct err *e)
{
	/* Without SA_RESTART. */
	struct sigaction a = {.sa_handler = watch_handler};
	struct vring_watch *w;
	int rc;

	if (sigaction(watch_signal(), &a, NULL))
		return err_set(e, -errno, "signal %d: %s", watch_signal(), strerror(errno));
	w = xcalloc(1, sizeof(*w));
	w->job = pthread_self();
	w->kicking = &q->kicking;
	w->stop = eventfd(0, EFD_CLOEXEC);
	rc = w->stop < 0 ? -errno : watch_create(w);
	if (rc) {
		if (w->stop >= 0)
			close(w->stop);
		free(w);
		return err_set(e, rc, "a thread that watches over kicks: %s", strerror(-rc));
	}
	q->watch = w;
	return 0;
}

void vring_watch_stop(struct vring_queue *q)
{
	struct vring_watch *w = q->watch;
	uint64_t one = 1;

	if (!w)
		return;
	q->watch = NULL;
	/* Our own, written once: it cannot fail or block. */
	while (write(w->stop, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(w->thread, NULL);
	close(w->stop);
	free(w);
}
