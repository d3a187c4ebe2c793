/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Eventfds that a peer shares. O_NONBLOCK belongs to the open file description, so that the peer
 * can clear it and fill the counter at any moment: a write (or read) of ours then blocks, whatever
 * was set or looked at before. Only a signal ends that.
 */
#ifndef VB_ENGINES_EVENT_H
#define VB_ENGINES_EVENT_H

#include <signal.h>

/* What interrupts a thread that is held up. Ignored by default, so that a stray one does nothing.
 */
#define EVENT_SIGNAL SIGURG

/* Makes EVENT_SIGNAL end a blocking call with EINTR, in threads that do not have it blocked: a
 * handler that does nothing, for the whole process and for good; a handler that somebody else has
 * put there stays. */
void event_guard(void);

/*
 * Adds 1 to the counter of fd, or gives up after some 20 ms: it is full then, and whoever waits for
 * it has been told. For what is rare: it takes a timer of its own. Unblocks EVENT_SIGNAL in the
 * calling thread.
 */
void event_signal(int fd);

#endif
