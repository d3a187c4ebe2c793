/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a run goes on and when it stops: its policy, made from the profile's keys. Private to run/.
 */
#ifndef VB_RUN_DECIDE_H
#define VB_RUN_DECIDE_H

#include "run/context.h"
#include "store/metric.h"

/* Whether the number of blocks is left to what is measured (run.decide, run.precision). */
bool run_is_sequential(const struct run *r);

/* The first look, so the fewest blocks that can be planned; 1 for fixed blocks. */
unsigned run_first_look(const struct run *r);

/* The policy of r->seed, r->blocks and the profile; the caller's to free. */
struct policy *run_policy(const struct run *r);

/*
 * The metric that a workload is judged by: run.primary, or by the workload: mean latency where one
 * request is in flight, else IOPS, of the direction that it has. NULL: run.primary names none. The
 * same as the model's (analysis/values.c), which is told it in a sequential run's primary_json.
 */
const struct metric_row *run_primary(const struct run *r, size_t workload);

/* Its value in a trial; NAN: none. */
double run_primary_value(const struct run *r, size_t workload, const struct store_sample *s,
			 size_t n);

/*
 * Refuses a run that could not decide: its metric has no ratio, or trials of this profile are known
 * to vary so much on this host that run.max-blocks would not show half of run.decide (part 4; from
 * the newest complete run in the store; without one nothing is refused). -EINVAL.
 */
int run_decide_check(struct run *r, struct err *e);

/* search.c: the policy of a search, its blocks and trials at most, its notes for the record (new; NULL:
 * no search), and back from there; "search" of meta. */
struct policy *run_search_policy(const struct run *r);
unsigned run_search_blocks(const struct run *r);
unsigned run_search_trials(const struct run *r);
int run_search_check(const struct run *r, struct err *e);
json_t *run_search_json(const struct run *r);
void run_search_read(struct run *r, const json_t *meta);
/* search.json in the run's folder: what it found, when it has come to its end. */
int run_search_save(const struct run *r, struct err *e);
void run_search_take(struct run *r, const struct run_search *s);

/* "vs": the arms and their pairs; NULL: the profile has none. And "decide" or "precision" with the
 * quantities that are fixed at the start; *name is which. NULL: fixed blocks. New. */
json_t *run_vs_json(const struct profile *p);
json_t *run_decide_json(const struct run *r, const char **name);

#endif
