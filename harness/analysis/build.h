/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the analysis room: what the steps from stored rows to the model share. */
#ifndef VB_ANALYSIS_BUILD_H
#define VB_ANALYSIS_BUILD_H

#include "analysis/model.h"
#include "store/store.h"

#define LEVEL 0.95
#define ALPHA 0.05

/* More failed trials than this share of those attempted: missing is no longer at random
 * (statistics.md part 1). */
#define FAILED_MAX 0.05

/* A block number beyond this is no run of ours; it would only cost memory. */
#define BLOCKS_MAX 10000

/* The rows as stored, and where each trial belongs. */
struct build {
	struct store_run run;
	struct store_cell *cells;
	struct store_workload *works;
	struct store_trial *trials;
	size_t ncells, nworks, ntrials, nblocks;
	long *cell_of, *work_of; /* [ntrials]; -1: belongs nowhere and is left out */
	long *grid;		 /* [ncells][nworks][nblocks]: its good trial, or -1 */
	json_t *meta, *primary;	 /* objects; empty when absent or broken */
	struct model *m;
};

/* The good trial of a cell under a workload in a block, or NULL. */
const struct store_trial *build_trial(const struct build *b, size_t cell, size_t work,
				      size_t block);

/* Did it end at a limit of QEMU or the guest (CAUSE_LIMIT)? That is a finding, no failure. */
bool trial_at_limit(const struct store_trial *t);

/*
 * pass.c: what a workload finds on a cell: an image as it was made, so that a write is the first to
 * its place, or one written before. precondition: the workload's own, or NULL. PASS_NONE: cannot be
 * told (no image, or a device that nobody made fresh).
 */
enum workload_pass cell_pass(const char *precondition, const struct model_cell *c);

/* Of a workload that says so itself (keys) and writes, when all cells agree; else PASS_NONE. */
enum workload_pass workload_pass_of(const struct model *m, const json_t *keys);

/* Warns where the first writes of a trial are as many as the image has clusters. */
void warn_used_up(struct build *b);

/* together.c: guests at once that start apart, or share CPUs by their pins. */
void warn_together(struct build *b);

/* Steps, in the order in which model_make takes them. */
void build_place(struct build *b);  /* place.c: trials to cells, workloads, blocks */
void build_cells(struct build *b);  /* cells.c */
void judge_begin(struct build *b);  /* judge.c: by which rule this run was looked at */
void build_values(struct build *b); /* values.c: rows, means, ratios, marks */
void build_vs(struct build *b);	    /* vs.c: pairs of the two arms of --vs */
void build_spread(
	struct build *b); /* spread.c: parts of the noise, best trial length, slow trials */
void build_effects(struct build *b); /* axes.c: main effects, interactions, variance */
void build_checks(struct build *b);  /* health.c: asked/got, failures, accelerator, phases, noise */
void build_facts(struct build *b);   /* facts.c: environment */
void build_ladder(struct build *b);  /* ladder.c: rungs and layers, of a profile that has some */
void build_search(struct build *b); /* searched.c: ranks instead of verdicts; the tuning's record */
void build_claims(struct build *b); /* claims.c: published figures */
void build_curves(struct build *b); /* curve.c: several guests at once, knees, rules */
void build_side(struct build *b);   /* side.c: what differs beside the axes */
void build_answer(struct build *b); /* answer.c: headlines */
void build_warnings(struct build *b); /* warn.c */

/* ladder.c: the same from a profile at hand; build_ladder takes the stored one. Places of guests
 * stay "guest". */
struct profile;
void ladder_make(struct model *m, const struct profile *p);
void ladder_unlike(struct model *m); /* from the places */
void ladder_free(struct model *m);

/* curve.c, curve_rules.c, curve_json.c */
void curve_rules(struct model *m);
void curves_free(struct model *m);
void curve_headline(
	struct model *m); /* instead of the cells', which are sums over ever more guests */
void curve_json(const struct model *m, json_t *into); /* "overcommit" */

/* searched.c */
char *search_headline(const struct model *m);
void search_json(const struct model *m, json_t *into); /* "search", "tuning" */
void searched_free(struct model *m);

/* ladder_say.c: what a ladder adds to warnings and headlines. */
void ladder_warn(struct model *m);
char *ladder_answer(const struct model *m, const struct model_workload *w);
char *ladder_headline(const struct model *m);

/*
 * judge.c. An interval of ratios is Student's when it comes in, and the one in force when it goes
 * out: judge_ratio makes it the repeated one in a run that was looked at after each block, and
 * returns its two-sided p. judge_floored gives it the variance floor of the metric (part 2).
 */
double judge_floor(const struct metric_row *metric); /* of the sd of log differences */
void judge_floored(const struct metric_row *metric, struct interval *r);
double judge_ratio(const struct model *m, struct interval *r);
double judge_diff(const struct model *m, struct interval *r); /* of differences, the same */
double judge_min_effect(const struct model_workload *w, const struct metric_row *metric);

/* The word for an interval with adjusted p, as one of `family` comparisons; into more what would
 * decide. */
enum verdict judge_word(const struct model *m, const struct metric_row *metric,
			const struct interval *r, double p, double min_effect, size_t family,
			struct forecast *more);

/* v against ref over n blocks: ratio, robust, disagree, p, not yet adjusted; then the marks. */
void judge_compare(const struct model *m, struct model_value *v, const struct model_value *ref,
		   size_t n);
void judge_mark(const struct model *m, struct model_value *v, double min_effect, size_t family);

/* cells.c: a file of a trial's artefacts, at most max bytes, without blanks at its end; NULL if
 * there is none. New. */
char *build_artefact(const struct build *b, const struct store_trial *t, const char *name,
		     size_t max);

/* vs_say.c: what was shown of the two arms, for the run and for one workload; the arms in words.
 * New. */
char *vs_headline(const struct model *m);
char *vs_answer(const struct model *m, const struct model_workload *w);

void vs_json(const struct model *m, json_t *into);     /* vs_json.c: "arms", "vs" */
json_t *json_verdict(enum verdict v);		       /* vs_json.c: VERDICT_NONE is null */
json_t *json_forecast(const struct forecast *f);       /* vs_json.c: not known is null */
json_t *spread_json(const struct model_spread *s);     /* vs_json.c */
void ladder_json(const struct model *m, json_t *into); /* ladder_json.c: "ladder", "claims" */
json_t *json_num(double v);			       /* json.c: NAN is null */
json_t *json_str(const char *s);		       /* json.c: what is no UTF-8 becomes '?' */
json_t *json_interval(const struct interval *i);       /* json.c */

/* The value of a metric in a row, or NULL. values.c */
const struct model_value *row_metric(const struct model_row *r, const char *id);

void interaction_free(struct model_interaction *x); /* axes.c; what it holds, not itself */

/* text.c */
void text_add(char **s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *text_shell(const char *s);			  /* quoted for a shell, new */
const char *key_short(const char *key);			  /* "disk.ring" -> "ring" */
char *level_text(const char *key, const char *canonical); /* as people write it, new */
char *level_label(const char *key,
		  const char *text); /* "packed", "queues=4": as in a cell's label, new */
char *text_change(double ratio);     /* "18 %", "3.4 times": how far a ratio > 1 is from 1, new */
char *text_signed(double ratio);     /* "+18 %", "-3.2 %", new */

/* model.c */
void model_warn(struct model *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Object or array of that text; an empty one of the kind wanted, with a warning, when it is broken.
 * New reference. */
json_t *json_read(struct model *m, const char *what, const char *text, json_type kind);

/* Value of a member as text: its string, or what an int, a real or a bool looks like; NULL for
 * others. Into buf. */
const char *json_text(const json_t *v, char *buf, size_t size);

/* Canonical value of a cell's key; NULL where it does not apply. */
const char *cell_value(const struct model_cell *c, const char *key);
bool cell_value_is(const struct model_cell *c, const char *key, const char *value);

/* Axis i's key, or NULL. */
const char *axis_key(const struct model *m, size_t i);

/* The array with one zeroed element more; counts *n up. */
void *array_add(void *array, size_t *n, size_t size);

#endif
