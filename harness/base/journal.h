/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must not stay behind, written down before it comes into being, so that the next start can
 * clean up after a SIGKILL. One journal file per living process, locked with flock by it: a journal
 * whose lock can be had has lost its owner.
 */
#ifndef VB_BASE_JOURNAL_H
#define VB_BASE_JOURNAL_H

#include <stddef.h>
#include <sys/types.h>
#include "base/err.h"

struct journal;

/* Opens a new journal in folder dir (made if missing). Caller ends with journal_close. */
int journal_open(const char *dir, struct journal **out, struct err *e);

/* Records a path (file or folder) or a process that is to vanish. Durable when it returns. */
int journal_path(struct journal *j, const char *path, struct err *e);
int journal_pid(struct journal *j, pid_t pid, struct err *e);

/*
 * Makes a folder that nobody else may enter (0700), known to the journal before it is there: a
 * SIGKILL at any instant leaves nothing for good. *out: prefix and 16 random hexadecimal digits;
 * the caller removes the folder, strikes it out with journal_done_path and frees the name. j may be
 * NULL: then nothing is recorded.
 */
int journal_folder(struct journal *j, const char *prefix, char **out, struct err *e);

/* Strikes an entry out again. */
void journal_done_path(struct journal *j, const char *path);
void journal_done_pid(struct journal *j, pid_t pid);

/* Removes what is still listed (processes first), then the journal itself. */
void journal_close(struct journal *j);

/*
 * Does the same for every journal in dir whose owner is gone; calls told (may be NULL) with a
 * sentence for each thing removed. A pid is only killed when its start time matches.
 * Returns the number of things removed, or a negative code.
 */
int journal_sweep(const char *dir, void (*told)(const char *what, void *arg), void *arg,
		  struct err *e);

#endif
