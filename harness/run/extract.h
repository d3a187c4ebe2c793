/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fio's JSON, the guest's and the engine's counters, and CPU time -> samples of the metric table.
 */
#ifndef VB_RUN_EXTRACT_H
#define VB_RUN_EXTRACT_H

#include <jansson.h>
#include "guest/site.h"
#include "store/store.h"

#define EXTRACT_MAX 64

/*
 * Fills at most EXTRACT_MAX samples; returns how many, or -EPROTO with a sentence when the document
 * is not a result of fio (or its job failed). Percentiles are interpolated inside fio's bins and
 * left out when fewer than 100 I/Os lie above them (statistics.md, part 9). What is missing (the
 * guest's counters on a host site, a report of the engine) has no sample.
 */
int extract_samples(const struct job_result *r, struct store_sample *out, struct err *e);

/*
 * What several guests add to the samples behind the n that are there: fairness, the least and the
 * most of one guest, CPU time. Returns how many there are then.
 */
int extract_together(const struct job_together *t, struct store_sample *out, int n);

/* Jain's index of n values: sum^2 / (n * sum of squares); 1: all equal, 1/n: one has all. NAN
 * without any above 0 [Jain, Chiu & Hawe 1984]. */
double extract_jain(const double *v, size_t n);

/* The one group of fio's document that did the I/O; NULL and a sentence when there is none such. A
 * load on the CPUs (CPU_LOAD_JOB) is none, but may have failed. Borrowed. */
json_t *extract_group(const json_t *fio, struct err *e);

/*
 * The bin that fio prints as `key` (its middle): [*lo, *hi) in ns. fio groups values by their
 * highest bit into 64 bins an octave (stat.c, plat_idx_to_val); below 128 ns every value has its
 * own.
 */
void extract_bin(uint64_t key, double *lo, double *hi);

#endif
