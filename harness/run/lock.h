/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One measuring run per host, whoever starts it: two that run at once measure each other. */
#ifndef VB_RUN_LOCK_H
#define VB_RUN_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

/*
 * Takes the host's lock for this process. Someone else has it: -EBUSY and a sentence that says who
 * (exit status 4), or with wait: waits until it is free. -EINTR (exit status 130) when a signal
 * ends the waiting. Taking it twice is fine. It ends with the process at the latest, however that
 * ends; children do not inherit it.
 */
int run_lock_take(bool wait, struct err *e);

/* Adds what runs here (the run's UUID or label) to what others are told. Without the lock nothing
 * happens. */
void run_lock_note(const char *run);

void run_lock_release(void);

/* Says whether the lock could be had now: 0, or -EBUSY and who has it, or why it can't be told.
 * Takes nothing. */
int run_lock_check(struct err *e);

/*
 * The same on given files, for tests. Every file that can be opened is locked, in order; one at
 * least must be. Several places, since none is writable by everyone on every distribution; two runs
 * meet in one of them.
 */
enum { RUN_LOCK_PLACES = 2 };
struct run_lock {
	int fd[RUN_LOCK_PLACES];    /* -1: none */
	bool ours[RUN_LOCK_PLACES]; /* may be written to */
	bool held;
};
int run_lock_take_at(struct run_lock *l, const char *const places[RUN_LOCK_PLACES], bool wait,
		     struct err *e);
void run_lock_note_at(struct run_lock *l, const char *run);
void run_lock_release_at(struct run_lock *l);

#endif
