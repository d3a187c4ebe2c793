/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several equal guests as one site: all restored from one template, each with its own disks, their
 * jobs made ready and then let go together. One guest is taken, too, for cells that are compared
 * with more.
 */
#ifndef VB_GUEST_MANY_H
#define VB_GUEST_MANY_H

#include "guest/small.h"

/* At most: vCPUs are threads, and each guest has sockets, logs and a memory of its own. */
#define MANY_MAX 64

/*
 * first: a site of site_small_new, whose templates all use and which is the first guest; it stays
 * the caller's, and ends after this one. Set site.guests before open, which takes as many plans.
 * The result of work is in job_result.together alone, but for what a failed guest said.
 */
struct site *site_many_new(struct site *first);

/*
 * Of guests whose results are in (together->guest[].result, with job.ramp_ns): each one's window,
 * their spread and overlap, from the guests' own clocks. offset_ns[i] is host's CLOCK_MONOTONIC
 * less the i-th guest's; now: host's, when all results were there. 0, or -EPROTO when a guest does
 * not tell, or tells what cannot be.
 */
int many_windows(struct job_together *t, uint64_t ramp_ns, const int64_t *offset_ns, uint64_t now,
		 struct err *e);

#endif
