/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two runs, or two labels, beside each other: what differs around them first, then what was
 * measured. A verdict needs to know how runs vary among themselves (statistics.md part 10): one run
 * is one sample.
 */
#ifndef VB_COMPARE_COMPARE_H
#define VB_COMPARE_COMPARE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "analysis/model.h"
#include "base/err.h"
#include "stats/verdict.h"
#include "store/store.h"

#define COMPARE_HISTORY 8   /* comparable runs that a verdict needs */
#define COMPARE_READ_MAX 60 /* runs of a history that are read, newest first */
#define COMPARE_WELCH_MIN 3 /* runs on each side for a test of two sides, with 8 in all */

/* One row of the surroundings. Values come from hosts and guests: to be cleaned before they are
 * shown. */
struct compare_env {
	char *group, *name, *value;
	bool state; /* a run with another value is not comparable; else worth showing only */
};

struct compare_run {
	struct store_run row;
	struct model *model;
	struct compare_env *env;
	size_t nenv;
	char *state; /* all rows of env that make the state, in one text */
};

struct compare_side {
	char *name; /* as typed */
	bool label;
	struct compare_run *runs; /* newest first; one, or all of the label's on the host */
	size_t nruns;
	size_t elsewhere; /* runs of the label on other hosts or of other profiles: left out */
	bool mixed;	  /* its runs do not share one state */
	/* Comparable runs of the same state, its own among them, without the other side's: index
	 * into runs is not meant, these are runs of their own. */
	struct compare_run *history;
	size_t nhistory;
};

/* A fact that differs; a or b NULL: not there. */
struct compare_diff {
	char *group, *name, *a, *b;
	unsigned cells; /* in how many cells; 0: of the run */
};

/* How a row was judged, or why not. */
enum compare_how {
	HOW_NOT,     /* see why */
	HOW_EXACT,   /* a metric without noise */
	HOW_HISTORY, /* one side against the other's comparable runs */
	HOW_WELCH,   /* runs against runs */
};

struct compare_row {
	size_t a, b; /* cells of the newest run of each side */
	char *label, *workload;
	const struct metric_row *metric;
	struct interval abs_a, abs_b; /* of the newest runs, within each run */
	double change; /* b to a, means of the runs named: ratio, or difference for SCALE_DIFFERENCE
			*/
	struct interval judged; /* the same by `how`, 95 %; NAN: not judged */
	enum compare_how how;
	size_t na, nb; /* runs that went in */
	double sd_run; /* between runs, log scale (or the unit's); NAN */
	double p;      /* Holm over all rows; NAN */
	enum verdict verdict;
	char *why; /* of an undecided or missing one; may be NULL */
};

/* A cell or a workload that only one side has. */
struct compare_alone {
	bool of_b, workload;
	char *label, *why;
};

struct compare {
	struct compare_side a, b;
	bool other_host;
	struct compare_diff *diffs;
	size_t ndiffs, nsame; /* nsame: rows that are equal */
	char **keys;	      /* keys of cells that differ throughout: "disk.ring" */
	char **key_a, **key_b;
	size_t nkeys;
	struct compare_row *rows;
	size_t nrows;
	struct compare_alone *alone;
	size_t nalone;
	char *command; /* that would decide: vbench run ... --vs ...; NULL: none is known */
	char **warnings;
	size_t nwarnings;
};

/*
 * Reads and judges. a and b as store_run_find takes them; a label stands for all its runs on the
 * host. 0, or -errno with a sentence (status 2 for what cannot be compared). Freed with
 * compare_free, also after an error.
 */
int compare_make(struct store *s, const char *a, const char *b, struct compare *out, struct err *e);
void compare_free(struct compare *c);

/* For a terminal, as Markdown, as JSON (new reference). 0 or -EIO. */
int compare_text(const struct compare *c, FILE *f, bool colour);
int compare_markdown(const struct compare *c, FILE *f);
json_t *compare_json(const struct compare *c);

/*
 * The statistics alone. One side's values x[0..nx) against the other's comparable runs h[0..nh), nh
 * >= 2: mean(x) - mean(h) +- t(nh - 1) s_h sqrt(1/nx + 1/nh). Welch's unpaired interval of mean(b)
 * - mean(a). Both return NAN ends when there are too few; sd receives the spread between runs, p
 * the two-sided p.
 */
struct interval judge_history(const double *x, size_t nx, const double *h, size_t nh, double *p);
struct interval judge_welch(const double *a, size_t na, const double *b, size_t nb, double *p);

/* Inside the room. */
void compare_env_read(struct compare_run *r);
void compare_env_diff(struct compare *c);
void compare_env_free(struct compare_run *r);
int compare_sides(struct store *s, const char *a, const char *b, struct compare *c, struct err *e);
void compare_side_free(struct compare_side *s);
void compare_match(struct compare *c);
void compare_judge(struct compare *c);
void compare_command(struct compare *c);
void compare_warn(struct compare *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *compare_add(void *array, size_t *n, size_t size);

/* Canonical value of a cell's key; NULL where it does not apply or is not known. */
const char *compare_key(const struct model_cell *cell, const char *key);

/* The row of a cell (by its id, or by index when id is NULL) under a workload, or NULL. */
const struct model_row *compare_row_of(const struct model *m, const char *cell_id,
				       const char *workload, const struct model_workload **w);

#endif
