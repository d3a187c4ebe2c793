/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trials of a stored run with two arms, laid out by pair and block. */
#ifndef VB_GATE_SERIES_H
#define VB_GATE_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include "profile/profile.h"
#include "store/metric.h"
#include "store/store.h"

/* A pair under one workload. */
struct gate_points {
	size_t blocks;	       /* planned */
	double *base, *change; /* [blocks]; NAN: missing or failed */
	unsigned missing;      /* trials that are not stored, of 2 * blocks */
	unsigned mismatched, limited;
	char *detail; /* of the first failed trial, its first line */
};
void gate_points_free(struct gate_points *p);

/* A run's rows, read once. */
struct gate_run {
	struct store_run run;
	struct store_cell *cells;
	struct store_trial *trials;
	size_t ncells, ntrials;
	double trial_seconds; /* mean, from begin to end of a trial */
};
int gate_run_read(struct store *s, const char *uuid, struct gate_run *out, struct err *e);
void gate_run_free(struct gate_run *r);

void gate_run_points(const struct gate_run *r, const char *base, const char *change,
		     const char *workload, const struct metric_row *metric,
		     struct gate_points *out);

/* The cell of that label, which a build's path is no part of; NULL: none. Borrowed. */
const char *gate_run_cell(const struct gate_run *r, const char *label);

/* Failed trials of a cell as a share of those stored, over all workloads; mismatches are failures,
 * limits are none. */
double gate_run_failed(const struct gate_run *r, const char *cell);

/*
 * The metric that judges a workload (run.primary, else mean latency where one I/O is in flight,
 * else IOPS), as the report has it. -EINVAL when it has no ratio.
 */
int gate_metric(const struct profile *p, const struct workload *w, const struct metric_row **out,
		struct err *e);

#endif
