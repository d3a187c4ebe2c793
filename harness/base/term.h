/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Progress on stderr: a bar on a terminal, one line a step on a pipe. */
#ifndef VB_BASE_TERM_H
#define VB_BASE_TERM_H

#include <stdbool.h>
#include <stdint.h>

struct term {
	bool tty;
	bool quiet;
	bool drawn;	  /* a bar stands on the last line */
	int width;	  /* columns */
	uint64_t last_ns; /* when the bar was last drawn */
};

void term_init(struct term *t, bool quiet);

/* Redraws the bar (at most 10 times a second; force for the last). No effect on a pipe. done/total
 * in steps. */
void term_bar(struct term *t, unsigned done, unsigned total, uint64_t elapsed_ns, uint64_t left_ns,
	      const char *what, bool force);

/* One line above the bar; on a pipe just a line. Control characters in it are shown as '?'. */
void term_line(struct term *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Wipes the bar. */
void term_end(struct term *t);

/*
 * ^C and the like (SIGINT, SIGTERM, SIGHUP) become readable on the descriptor instead of deadly, so
 * that work ends between two steps and cleans up; SIGPIPE is ignored. -1 when there is none to be
 * had. Release: from here on ^C does what it does everywhere.
 */
int term_stop_fd(void);
void term_stop_release(void);

/* CLOCK_MONOTONIC and CLOCK_REALTIME in ns. */
uint64_t clock_mono_ns(void);
uint64_t clock_real_ns(void);

#endif
