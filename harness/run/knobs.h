/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host-wide settings as keys of a cell ([knob]): made with consent, put back in the end. Private to
 * run/. */
#ifndef VB_RUN_KNOBS_H
#define VB_RUN_KNOBS_H

#include <stdio.h>
#include "run/context.h"

/* -EINVAL (exit status 2) when the profile sets knobs without `--consent host`, or without root. */
int run_knobs_check(const struct run *r, struct err *e);

/* Why this host cannot do a cell's knobs; NULL: it can. Caller frees. */
char *run_knobs_lacking(const struct cell *c);

/* What of the host a cell changes, a line each (--dry-run). */
void run_knobs_print(const struct cell *c, FILE *out);

/* Puts back what a killed run left changed; what somebody else changed since is named, and theirs.
 * Under the host's lock only: no other run's are taken for left-overs. */
int run_knobs_sweep(struct run *r, struct err *e);

/* Makes the host as the cell wants it: nothing where it is so already; else the last cell's knobs
 * go back first. */
int run_knobs_set(struct run *r, const struct cell *c, struct err *e);

/* Puts everything back; says on stderr what could not be, or was changed by someone else meanwhile.
 */
void run_knobs_end(struct run *r);

/* Asked against what is in force now, a row for each knob that the cell sets; returns how many. */
size_t run_knobs_agreed(const struct cell *c, struct asked_got *out, size_t max);

#endif
