/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a report shows: the answer, the cells, the evidence, what was agreed between asked and got, the run's
 * health and its environment. Reports see nothing else; `--json` prints exactly this.
 */
#ifndef VB_ANALYSIS_MODEL_H
#define VB_ANALYSIS_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "stats/stats.h"
#include "store/metric.h"

struct store;

/* One metric of one cell under one workload. */
struct model_value {
	const struct metric_row *metric;
	struct interval abs;   /* geometric (or arithmetic, for SCALE_DIFFERENCE) mean over blocks */
	struct interval ratio; /* to the first cell, paired by block; NAN for the first cell itself */
	bool differs;	       /* shown to differ from the first cell: the interval excludes "equal" */
	bool better;	       /* only if differs: in the metric's good direction */
	double *points;	       /* [nblocks] this cell's value in each block, NAN where missing */
};

struct model_cell {
	char id[17];
	char *label;
	unsigned index;
	json_t *keys;	/* "disk.bus" -> canonical value or null */
	char *keys_text; /* the values of the axes as people write them */
	char *qemu;	/* full command line of its first good trial, shell-quoted; may be NULL */
	char *plug;	/* QMP commands that plugged its disk, a line each; may be NULL */
	char *repeat;	/* vbench command that repeats just this cell */
	json_t *facts;	/* disk facts as the guest saw them (driver, queues, scheduler, ...), may be NULL */
};

struct model_row { /* a cell under a workload */
	unsigned cell; /* index into cells */
	unsigned ok, failed;
	bool too_many_failed; /* over 5 %: no verdict */
	struct model_value *values;
	size_t nvalues;
};

struct model_effect {
	char *axis;   /* "disk.ring" */
	char *from, *to; /* levels as people write them */
	struct interval ratio;
	bool differs, better;
	const struct metric_row *metric;
};

struct model_workload {
	char *name, *describe;
	const struct metric_row *primary;
	struct model_row *rows;
	size_t nrows;
	struct model_effect *effects; /* for the primary metric */
	size_t neffects;
	struct components template_var; /* of log primary metric, block effects included; groups 0 if it can't be told */
	double trial_sd; /* coefficient of variation of one trial after block effects, pooled over cells; NAN */
	char *headline;	 /* one sentence that answers, from the data alone */
};

struct model_check { /* asked against got of one key, over all trials */
	char *key;
	unsigned match, differ, unknown;
	char *asked, *got; /* of one trial; of a differing one if there is any */
	char *cell_label;  /* where that was */
};

struct model_failure {
	unsigned seq;
	char *cell_label, *workload, *cause, *detail;
};

struct model_fact { /* environment, in display order */
	char *group, *name, *value;
};

struct model {
	char uuid[37];
	char *label, *profile, *title, *question, *source, *command, *version, *status;
	char *profile_text;
	int64_t begun, ended;
	uint64_t seed;
	unsigned blocks_planned, blocks_done, trials_planned, trials_ok, trials_failed;
	char *accel;		  /* in force: "kvm", "tcg" or "kvm, tcg" */
	bool relative_only;	  /* under TCG: figures are good for comparison only */
	char *headline;		  /* the decision, one or two sentences */
	char **warnings;	  /* what a reader must know before believing: noise, TCG, few blocks, unknowns */
	size_t nwarnings;
	json_t *axes;		  /* [{"key","values"}] */
	json_t *skipped;
	struct model_cell *cells;
	size_t ncells;
	struct model_workload *workloads;
	size_t nworkloads;
	struct model_check *checks;
	size_t nchecks;
	struct model_failure *failures;
	size_t nfailures;
	struct model_fact *facts;
	size_t nfacts;
	json_t *phases; /* {"open_ns": {"median":..,"p90":..}, ...} where the harness's own time goes */
	json_t *noise;	/* summary of host noise: steal, pressure, load: {"name": {"median","max"}} */
};

/* Reads the run and analyses it. 0 or -errno. Caller frees with model_free. */
int model_make(struct store *s, const char *uuid, struct model **out, struct err *e);
void model_free(struct model *m);

/* The model as JSON (new reference); NAN becomes null. */
json_t *model_json(const struct model *m);

#endif
