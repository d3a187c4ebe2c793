/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trial that is going on: its state, shared by the files that make it up. Private to run/. */
#ifndef VB_RUN_TRIAL_H
#define VB_RUN_TRIAL_H

#include "run/context.h"
#include "run/image.h"

enum { MAX_CHECKS = 128 };

struct trial {
	struct run *r;
	const struct cell *cell;
	const struct workload *work;
	const struct order *order;
	struct store_trial *t;
	struct disk_plan plan;
	bool planned;
	json_t *phases, *before, *after;
	struct asked_got checks[MAX_CHECKS];
	size_t nchecks;
	struct image_time times[IMAGE_TIMES];
	char *folder;
	enum cause cause;
};

/* Notes what has passed since then (monotonic ns) under that name. */
void trial_phase(struct trial *x, const char *name, uint64_t since);
/* A file in the trial's folder; one that cannot be written is let go. */
void trial_artefact(struct trial *x, const char *name, const char *text, size_t len);
/* Remembers the first cause, and returns rc. */
int trial_fail(struct trial *x, enum cause cause, int rc);

/* Runs fio's job text, which takes ns; caller ends res with job_result_free. 0, or negative with
 * the cause kept. */
int trial_work(struct trial *x, const char *fio, uint64_t ns, uint64_t ramp_ns,
	       struct job_result *res, struct err *e);

/* fill.c: writes the disks as the workload or the cell wants it before the measurement; and says in
 * a check what is to be seen of that afterwards. */
int trial_precondition(struct trial *x, struct err *e);
void trial_agree_fill(struct trial *x);

#endif
