/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The results of several guests as one: sums, and distributions over all their I/Os. Private to
 * run/. */
#ifndef VB_RUN_POOL_H
#define VB_RUN_POOL_H

#include <jansson.h>
#include "guest/site.h"

/* Of what all guests measured the share in which all of them must have been at work. */
#define TOGETHER_LEAST 0.95

/*
 * Fills fio, reply and the CPU figures of r from r->together: I/Os, bytes and rates are sums,
 * latencies are of all I/Os (means weighted with their number, fio's bins added up: they are the
 * same in all guests, whose fio is one program). So "read.iops" is that of all guests. 0, or
 * -EPROTO naming the guest.
 */
int pool_results(struct job_result *r, struct err *e);

/*
 * What each guest did, for people and for the report: {"count", "vcpus", "cpus", "ratio",
 * "spread_ns", "overlap", "host_cpu", "guests": [{"iops", "bw", "start_ns" (after the first),
 * "cpu", "steal", "wait"}]}. Shares that are not known are null. New reference.
 */
json_t *pool_together(const struct job_together *t, unsigned vcpus, unsigned cpus);

#endif
