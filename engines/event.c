// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes to eventfds whose other holder is hostile: bounded by a signal. */
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>
#include "engines/event.h"

#define GIVE_UP_NS 20000000

/* glibc 2.36 has no name of its own for it. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static void event_caught(int sig)
{
	(void)sig;
}

void event_guard(void)
{
	/* No SA_RESTART: that the call ends is what it is for. */
	struct sigaction ours = {.sa_handler = event_caught}, there;

	if (sigaction(EVENT_SIGNAL, NULL, &there) || there.sa_flags & SA_SIGINFO ||
	    (there.sa_handler != SIG_DFL && there.sa_handler != SIG_IGN))
		return;
	sigemptyset(&ours.sa_mask);
	sigaction(EVENT_SIGNAL, &ours, NULL);
}

void event_signal(int fd)
{
	/* Again and again: the first may come before the thread is in the call. */
	const struct itimerspec often = {.it_value = {.tv_nsec = GIVE_UP_NS},
					 .it_interval = {.tv_nsec = GIVE_UP_NS}};
	struct sigevent to = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = EVENT_SIGNAL};
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	uint64_t one = 1;
	sigset_t set;
	timer_t timer;
	bool timed;

	if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLOUT))
		return;
	event_guard();
	sigemptyset(&set);
	sigaddset(&set, EVENT_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	to.sigev_notify_thread_id = gettid();
	/* Without the timer the look above has to do. */
	timed = !timer_create(CLOCK_MONOTONIC, &to, &timer);
	if (timed)
		timer_settime(timer, 0, &often, NULL);
	/* EINTR comes only of a write that blocks, and so of a counter that is full. */
	(void)!write(fd, &one, sizeof(one));
	if (timed)
		timer_delete(timer);
}
