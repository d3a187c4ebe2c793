/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `vbench tune`: a space of settings, a search in it, the proof in fresh blocks, and what each
 * setting of the winner is worth (statistics.md, part 15). Its state is one JSON object, in a file
 * that is written before each step, so that a killed tuning goes on where it was.
 */
#ifndef VB_TUNE_TUNE_H
#define VB_TUNE_TUNE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/err.h"
#include "profile/profile.h"
#include "tuner/rule.h"

struct tune_opts {
	const char *const *sets; /* as of `vbench run --set` */
	size_t nsets;
	const char *const *spaces; /* "disk.ring=split,packed" */
	size_t nspaces;
	const char *const *fixed; /* keys that stay as they are */
	size_t nfixed;
	const char *snapshot; /* whose practice counts: a machine's file; NULL: this one's */
	bool no_rules;	      /* only the profile's axes and --space */
	unsigned visits;      /* of the search; 0: as many as the space has cells, within bounds */
	uint64_t budget_ns;   /* or by time; 0: none */
	const char *workload; /* that counts; NULL: all */
	const char *label;
	double min_effect;   /* smallest difference that matters; 0: 2 % */
	unsigned max_blocks; /* of the proof; 0: 20 */
	unsigned blocks;     /* fixed blocks in its place; 0: until decided */
	bool exhaustive;     /* --check-exhaustive */
	bool keep;	     /* settings of the host that are recommended stay in force */
	const char *db, *command;
	bool wait, quiet;
	const char *const *consents;
	size_t nconsents;
	int stop_fd;
};

/*
 * Makes the state of a tuning that begins: the space (space.c), the start, the price. NULL in
 * *state and an error when the profile will not do. The start is the profile as it is, with the
 * first value of each list. New reference.
 */
int tune_begin(const char *path, const struct tune_opts *o, json_t **state, struct err *e);

/* The newest unfinished one of this host's, or that whose id begins so. */
int tune_reopen(const char *what, json_t **state, struct err *e);

/* Prints space, what was left out and why, cost beside exhaustive search. */
void tune_plan_text(const json_t *state, FILE *out);

/* Goes on from where the state is to its end, -EINTR when stopped. */
int tune_go(json_t *state, const struct tune_opts *o, struct err *e);

/* The result (state.result) for people. tune_status: 0 or VB_UNDECIDED, VB_NOT_MEASURED. */
void tune_text(const json_t *state, FILE *out);
int tune_status(const json_t *state);

/* The final configuration. formats of vm/write.h, "profile", and "plan"; -EINVAL with the names
 * there are. */
int tune_export(const json_t *state, const char *format, FILE *out, struct err *e);
bool tune_export_known(const char *format);
/* Each format into a file of that folder. */
int tune_export_all(const json_t *state, const char *dir, struct err *e);

/* --- within the room --- */

/* Adds "axes", "left_out", "cells", "start" to the state. */
int tune_space(json_t *state, const struct tune_opts *o, struct err *e);

/* The state's file. */
int tune_save(const json_t *state, struct err *e);

/* valid.c: the field by which a state cannot be one of this room's; NULL: it can. */
const char *tune_invalid(const json_t *state);

/* A text of the state, or NULL; its sets with more behind, to be freed by the caller (array only).
 */
const char *tune_str(const json_t *state, const char *key);
const char **tune_sets(const json_t *state, size_t more, size_t *n);

/* "disk.ring" of a cell as --set takes it, new; NULL: means nothing there. */
char *tune_value(const struct cell *c, const char *key);

/* The profile of the search, and that of a cell with each axis at values[i] (NULL: the first). */
int tune_search_profile(const json_t *state, struct profile **out, struct err *e);
int tune_one_cell(const json_t *state, const char *const *values, struct profile **out,
		  struct err *e);

/* proof.c: reads a run of listed cells and judges its pairs: "pairs": [{...}]. New. */
int tune_judge(const json_t *state, const char *uuid, const struct tune_opts *o, json_t **out,
	       struct err *e);
/* Of a run of all cells: how near a cell comes to the one that did best there. New. */
int tune_rank(const json_t *state, const char *uuid, const char *cell, const struct tune_opts *o,
	      json_t **out, struct err *e);
/*
 * settle.c, pure. The proof's pairs as tune_judge has them: sets "settings"' words, and
 * "recommended" or "lean"; the next phase. And the confirmation's.
 */
const char *tune_settle_proof(json_t *state, const json_t *judged);
void tune_settle_confirmation(json_t *state, const json_t *judged);
void tune_recommend(json_t *state, const char *which, const char *why);
/* fresh.c: a search in which the start could not be measured, or nothing at all. */
bool tune_blind(const json_t *state);
/* "run.seed=N" for a step after the search, where the profile has a seed: blocks would not be fresh
 * with the search's addresses and orders. NULL: it draws its own. New. */
char *tune_fresh_seed(const json_t *state, const char *run_key);
/* The values of all axes in the recommended configuration; the array is the caller's. */
const char **tune_recommended(const json_t *state);
/* The value as the profile spells it, of the start with it; NULL: no such value, key or cell. New.
 */
char *tune_canonical(const json_t *state, const char *key, const char *value, struct err *why);

/*
 * practice.c. An audit of a profile's first cell on this host, or a snapshot's: counts, and
 * "rules", those that it breaks. New.
 */
int tune_audit(const struct profile *p, const char *snapshot, json_t **out, struct err *e);
/* "advice" of each axis: {value: [ids of rules that advise it]}. */
void tune_advise(json_t *state, const struct subject *start);
/* Takes out values that break a rule of weight "must" which the start does not break. */
void tune_bar(json_t *state, const struct subject *start);
/* Id of the first such rule; NULL: none. */
const char *tune_breaks(const struct vm *now, const struct vm *start, const struct snapshot *host);
/* Whether `--consent host` was given. */
bool tune_may_change_host(const struct tune_opts *o);

/* keep.c: settings of the host that are recommended, put in force for good; --keep. */
int tune_keep(json_t *state, const struct tune_opts *o, struct err *e);
/* For each run of the tuning its part of the record, for reports: tuning.json in the folder. */
int tune_record(const json_t *state, const struct tune_opts *o, struct err *e);

/* place.c: guest.pin and guest.nodes = plan of a cell, as CPUs and nodes of this host, into vm;
 * *plan: what `vbench apply` takes, new, NULL where the cell asks for none. */
int tune_place(const struct profile *p, const struct cell *c, struct vm *vm, json_t **plan,
	       struct err *e);

/* loop.c: one run of that id, begun or gone on with. */
int tune_run_all(const struct profile *p, const char *uuid, const struct tune_opts *o,
		 struct err *e);
/* export.c, check.c: the last step. */
int tune_check(json_t *state, const struct tune_opts *o, struct err *e);

#endif
