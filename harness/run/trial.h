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
	struct disk_plan *plan; /* of the first guest, behind which stand the others' */
	size_t nplans;		/* guests; 0: there is no plan yet */
	json_t *phases;
	json_t *before, *after; /* see trial_evidence */
	json_t *together;	/* what several guests were measured by, each; NULL: one guest */
	struct asked_got checks[MAX_CHECKS];
	size_t guest_of[MAX_CHECKS]; /* whose evidence the check is from; SIZE_MAX: the host's */
	size_t nchecks;
	struct image_time times[IMAGE_TIMES];
	char *folder;
	enum cause cause;
};

/* Notes what has passed since then (monotonic ns) under that name. */
void trial_phase(struct trial *x, const char *name, uint64_t since);
/* A file in the trial's folder; one that cannot be written is let go. */
void trial_artefact(struct trial *x, const char *name, const char *text, size_t len);
/* The same of JSON; NULL is none. */
void trial_artefact_json(struct trial *x, const char *name, const json_t *v);
/* Adds to the samples that are stored. */
void trial_sample(struct trial *x, const char *metric, double value);
/* Remembers the first cause, and returns rc. */
int trial_fail(struct trial *x, enum cause cause, int rc);

/* The evidence of one guest, from before or after; NULL without any. Borrowed. */
json_t *trial_evidence(const struct trial *x, json_t *of, size_t guest);

/* agree.c: fills the checks anew from the evidence there is; -EBADE when what is in force is not
 * what was asked for. */
void trial_agree(struct trial *x);
int trial_judge(struct trial *x, struct err *e);

/* The site in which the guest's disks have their paths: the trial's, or one of several. */
const struct site *trial_site(const struct trial *x, size_t guest);

/* measure.c: the trial's workload, from its jobs to its samples. 0, or negative with the cause
 * kept. */
int trial_measure(struct trial *x, struct err *e);

/*
 * Whether a guest's clock is wrong: it says that more time passed in a job than the host's from
 * before it was sent until after its result was there. All its figures are by that clock.
 */
bool trial_clock_wrong(uint64_t guest_ns, uint64_t host_ns);

/*
 * Runs fio's job texts, one for each guest, which take ns; gate: threads in each that are let go
 * together, 0: none. Caller ends res with job_result_free. 0, or negative with the cause kept.
 */
int trial_work(struct trial *x, char *const *fio, unsigned gate, uint64_t ns, uint64_t ramp_ns,
	       struct job_result *res, struct err *e);

/* fill.c: writes the disks as the workload or the cell wants it before the measurement; and says in
 * a check what is to be seen of that afterwards. */
int trial_precondition(struct trial *x, struct err *e);
void trial_agree_fill(struct trial *x, size_t guest);

#endif
