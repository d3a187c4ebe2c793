/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many guests a cell means on this host, and where each has its images. Private to run/. */
#ifndef VB_RUN_GUESTS_H
#define VB_RUN_GUESTS_H

#include "run/context.h"

/* CPUs that guests of ours can run on: those that we may use (sched_getaffinity(2)). At least 1. */
unsigned run_cpus(void);

/*
 * Guests at once in a cell: guest.count, or of guest.overcommit the number whose vCPUs come to that
 * ratio of cpus; 0 where that is no whole number. 1 on a host site.
 */
unsigned guests_of(const struct cell *c, unsigned cpus);
unsigned run_guests(const struct cell *c); /* on this host; at least 1 */

/*
 * Why this host cannot have a cell's guests (new text), NULL: it can. Not of single guests, which
 * are checked once for the run. avail: bytes of memory, UINT64_MAX: not known.
 */
char *guests_unable(const struct cell *c, unsigned cpus, uint64_t avail);
uint64_t run_memory_available(void); /* MemAvailable */

/* What several guests need beside their own memory, each: QEMU itself, its translation cache. */
#define GUEST_EXTRA (64ull << 20)
/* What stays free of the host's memory. */
#define GUESTS_RESERVE (256ull << 20)

/*
 * Plans of all guests of a cell: the first's images lie in the cell's folder, the others' in one of
 * their own below it. *n of them, to be freed one by one, and the array. make: the folders are
 * made, too.
 */
int run_plans(const struct run *r, const struct cell *c, bool make, struct disk_plan **out,
	      size_t *n, struct err *e);
void run_plans_free(struct disk_plan *plans, size_t n);

#endif
