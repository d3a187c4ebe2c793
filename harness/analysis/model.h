/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a report shows: the answer, the cells, the evidence, what was agreed between asked and got,
 * the run's health and its environment. Reports see nothing else; `--json` prints exactly this.
 */
#ifndef VB_ANALYSIS_MODEL_H
#define VB_ANALYSIS_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "analysis/knee.h"
#include "base/err.h"
#include "stats/stats.h"
#include "stats/verdict.h"
#include "store/metric.h"

struct store;

/*
 * One metric of one cell under one workload, and how it stands against the first cell. Intervals
 * are 95 %, each for itself; `differs` is corrected for the number of comparisons, so an interval
 * may exclude "equal" without a mark.
 */
struct model_value {
	const struct metric_row *metric;
	/*
	 * Mean over blocks: geometric for SCALE_RATIO, else arithmetic. For SCALE_EXACT lo and hi
	 * are the smallest and the largest value seen.
	 */
	struct interval abs;
	/*
	 * To the first cell, paired by block; NAN for the first cell itself, and where either cell
	 * has too many failed trials. SCALE_RATIO and SCALE_EXACT: the ratio, equal is 1 (a
	 * SCALE_EXACT value that is constant in both cells has lo = mid = hi). SCALE_DIFFERENCE:
	 * the *difference* in the metric's unit, equal is 0.
	 */
	struct interval ratio;
	/* SCALE_RATIO from 6 blocks: Hodges-Lehmann estimate of the ratio; speaks of the typical
	 * pair. Else NAN. */
	struct interval robust;
	bool disagree; /* ratio and robust are further apart than half of ratio's half-width: look
			  at the points */
	double p; /* adjusted: Holm for the primary metric, Benjamini-Hochberg for all others; NAN
		   */
	bool differs; /* shown to differ from the first cell: p < 0.05 and not `same` */
	bool better;  /* only if differs: in the metric's good direction */
	bool same;    /* interval of ratio within the metric's min_effect: shown to be the same for
			 practical ends */
	/*
	 * The same in a word, in all reports: same, better or worse as above, else undecided.
	 * VERDICT_NONE for the first cell itself, and where there is no interval.
	 */
	enum verdict verdict;
	struct forecast more; /* blocks more that would decide; known only of an undecided one */
	double *points; /* [model.blocks_planned] this cell's value in each block, NAN where missing
			 */
};

struct model_cell {
	char id[17];
	char *label;
	unsigned index;
	json_t *keys;	 /* "disk.bus" -> canonical value or null */
	char *keys_text; /* the values of the axes as people write them: "bus=virtio-blk
			    ring=packed"; in a ladder "rung=NAME" */
	char *qemu;	 /* full command line of its first good trial, shell-quoted; may be NULL */
	char *plug;	 /* QMP commands that plugged its disk, a line each; may be NULL */
	char *repeat;	 /* vbench command that repeats just this cell */
	json_t *facts; /* disk facts as the guest saw them (driver, queues, scheduler, ...), may be
			  NULL */
};

struct model_row {     /* a cell under a workload */
	unsigned cell; /* index into cells */
	unsigned ok, failed;
	/* Trials that ended at a limit (cause "limit": no room for so many disks), which is a
	 * finding and not in `failed`; and the reason of the first one, NULL: none. */
	unsigned limits;
	char *limit;
	bool too_many_failed; /* over 5 % of those attempted: no ratio, no verdict, in no effect.
				 Limits count where others of the row are good: that is no limit */
	bool best_set;	      /* primary metric: not shown worse than the best cell (all pairs,
				 Bonferroni), or same_as_best; false without data */
	/* Primary metric, if best_set: to the cell with the best mean, as model_value.ratio; NAN
	 * for that cell itself. Without best_set it means nothing. */
	struct interval to_best;
	bool same_as_best; /* to_best within min_effect, or the best cell itself */
	/*
	 * Good trials far on the bad side of this cell's typical one (model_workload.spread has the
	 * rule), and how far: their median as a ratio of the primary metric to the typical trial;
	 * NAN without any.
	 */
	unsigned slow;
	double slow_by;
	struct model_value
		*values; /* the same metrics in the same order in every row of a workload */
	size_t nvalues;
};

/*
 * What a level of an axis does against the axis's first level, averaged over all other axes
 * (per-block contrasts, statistics.md part 3). Cells are matched by the other axes' values; where a
 * key does not apply on one side (raw has no mode), that side's cell is held against the mean of
 * the other side's cells.
 */
struct model_effect {
	char *axis;	       /* "disk.ring" */
	char *from, *to;       /* levels as people write them */
	struct interval ratio; /* to/from; n is the number of blocks with all cells in use */
	double p;	       /* Holm over the effects of the workload */
	bool differs, better;  /* as in model_value: `to` against `from` */
	bool same;
	enum verdict verdict; /* as in model_value */
	struct forecast more;
	unsigned combos;   /* matched combinations of the other axes it averages over */
	unsigned left_out; /* combinations without data, or with too many failed trials */
	const struct metric_row *metric;
};

/* How the effect of one axis changes with another: ratio of its two effects, equal is 1. Only those
 * shown (Holm). */
struct model_interaction {
	char *axis, *from, *to;		/* the effect ... */
	char *by, *by_from, *by_to;	/* ... at by_to against that at by_from */
	struct interval at_from, at_to; /* the effect to/from at each of the two */
	struct interval ratio;
	double p;
};

/*
 * A rung of the ladder: a profile with [rung NAME] sections. Rungs stand in the order of the tree:
 * each behind the one that it stands on, siblings as in the profile. Names and `adds` come from the
 * profile: to be escaped.
 */
struct model_rung {
	char *name;
	char *over;	   /* the rung that it stands on; NULL: on the ground */
	char *adds;	   /* the layer between the two, in words; may be NULL */
	long below;	   /* index of `over` in model.rungs; -1: on the ground */
	unsigned depth;	   /* rungs below it */
	long cell;	   /* index into cells; -1: was not measured ... */
	char *why;	   /* ... and why; else NULL */
	const char *place; /* where its fio ran: "host", "kvm", "tcg", "guest" (not known which) */
	bool unlike;	   /* its place differs from that of `over`, and one of the two is emulated:
			      the layer is relative only */
};

/* What was shown of a layer; undecided is an answer, too. */
enum layer_word { LAYER_NONE, LAYER_UNDECIDED, LAYER_COSTS, LAYER_SAVES };

/*
 * One figure of a rung under one workload, and what its layer adds to it, in ns per I/O. The rung's
 * own is a *geometric* mean, as everywhere else, so that no interval reaches below zero. Layers are
 * *arithmetic* means: times add up, so that the layers of a stack sum to the arithmetic mean of its
 * top rung's points (where all have the same blocks), which neither ratios nor geometric means
 * would; and so a layer is not quite the difference of the two rungs' abs.
 */
struct model_layer {
	struct interval abs; /* of the rung: geometric mean over blocks, 95 % */
	/* The layer: rung less the rung below, paired within blocks; n pairs; NAN without a
	 * partner. */
	struct interval layer;
	struct interval robust; /* Hodges-Lehmann of the same pairs, from 6; else NAN */
	bool disagree;		/* layer and robust further apart than half of layer's half-width */
	double p; /* that the layer is 0: Holm over the layers of this figure under this workload */
	/* From p, so an interval (which stands for itself) may exclude 0 where it says undecided.
	 */
	enum layer_word word;
	double *points; /* [model.blocks_planned] of the rung, NAN where missing */
};

/*
 * STEP_NS, 1e9 / IOPS, is the primary one: elapsed time per I/O, at depth the inverse throughput
 * and not what one I/O waits. STEP_LAT: what it waits, submission to completion (of a mix: weighted
 * by I/Os). STEP_CPU: CPU time of all processes that take part.
 */
enum step_figure { STEP_NS, STEP_LAT, STEP_CPU, STEP_FIGURES };

struct model_step { /* a rung under a workload */
	struct model_layer of[STEP_FIGURES];
	char *why; /* no layer, or one without interval: the reason; else NULL */
};

/*
 * What a workload found when it says so itself (workload.precondition): an image as it was made, so
 * that a write is the first one to its place, or one that was written before. Of reads PASS_NONE.
 */
enum workload_pass { PASS_NONE, PASS_FIRST_WRITE, PASS_STEADY };

/*
 * Where the noise of the primary metric comes from (statistics.md, part 8), as coefficients of
 * variation, and how long a trial should be on this host. For show and for planning: no interval
 * is made of them.
 */
struct model_spread {
	/*
	 * Of one second within a trial, from fio's windows (half seconds, or iopsavgtime of the
	 * job), which are taken as independent: the sd that one-second values would have. NAN:
	 * cannot be told, see why.
	 */
	double second;
	/* Of one trial against others of its cell and block with its seconds' share taken out: what
	 * a longer trial does not remove. 0: none was seen. NAN: cannot be told. */
	double between;
	double length;	 /* median measured time of a trial in s, ramp excluded; NAN */
	double overhead; /* median of all else that a trial takes, ramp included, in s; NAN */
	size_t trials;	 /* whose seconds were read */
	char *why;	 /* second or best_seconds cannot be told: the reason; else NULL */
	/*
	 * Slow trials: further than 4 robust standard deviations (1.4826 times the median absolute
	 * deviation, pooled over cells), and than 5 %, on the bad side of the typical trial of
	 * their cell in their block. judged is the number of trials looked at, 0: too few to tell.
	 */
	size_t slow, judged;
	double slow_by; /* median of theirs against the typical one, as a ratio; NAN */
};

struct model_workload {
	char *name, *describe;
	enum workload_pass pass;
	const struct metric_row *primary;
	/* Smallest effect that matters for `primary` here: the metric's own, or run.decide. */
	double min_effect;
	struct model_row *rows;
	size_t nrows;
	struct model_effect *effects; /* for the primary metric */
	size_t neffects;
	struct model_interaction
		*interactions; /* read these before the effects that they qualify */
	size_t ninteractions;
	/*
	 * Of the log primary metric, cells held fixed: between blocks, and within (one trial). Each
	 * block has its own template, so "between" holds template *and* time of the block; the
	 * design cannot tell them apart. groups 0 if it can't be told, or without templates.
	 */
	struct components template_var;
	double trial_sd; /* coefficient of variation of one trial after block effects, pooled over
			    cells; NAN */
	struct model_spread spread;
	/* Best trial length here: sqrt(overhead * second^2 / between^2) in s [Kalibera & Jones
	 * 2013]. INFINITY: trials differ by no more than their seconds, so the longer the better;
	 * NAN: cannot be told. */
	double best_seconds;
	char *headline;		  /* a sentence or two that answer, from the data alone */
	struct model_step *steps; /* [model.nrungs]; NULL without a ladder */
};

/*
 * A published figure, or an order or equality that was claimed, beside what was measured here. What
 * it asserts is a range of the ratio that its author would accept (analysis/claims.h has the rules,
 * claims_*.c the tables).
 */
enum claim_word {
	CLAIM_NONE,	 /* "no figure": nothing that could be true or false here */
	CLAIM_CONFIRMED, /* the 95 % interval lies within what is asserted */
	CLAIM_REFUTED,	 /* shown to lie outside: p < 0.05, corrected */
	CLAIM_UNDECIDED, /* all else: the interval is too wide, or across an end */
};

/* "confirmed", "refuted", "undecided", "no figure": the same word in all reports. */
const char *claim_text(enum claim_word w);

struct model_claim {
	const char *id, *what, *published, *setting, *source; /* of the table: static */
	const char *a, *b; /* the cells compared, b over a, as patterns; static; a NULL: count */
	const struct metric_row *metric;
	/* Not a ratio but the most disks of cells b: ratio is then lo: the most that were there,
	 * hi: one below the fewest that were refused, INFINITY: none was. */
	bool count;
	double low, high; /* published, as a ratio; NAN: no figure */
	double from, to;  /* asserted; 0 and INFINITY: open; NAN: nothing */
	size_t workload;  /* index */
	char *where;	  /* the kind of cells compared: "host vring loop", "guest virtio-blk" */
	/* Ratio b/a of the metric, from each block's contrast over all pairs of cells that differ
	 * in nothing but what a and b name; n blocks. */
	struct interval ratio;
	unsigned pairs;
	double p; /* that the ratio lies within from..to: Holm over all claims of the run; NAN */
	enum claim_word word;
};

struct model_check { /* asked against got of one key, over all trials */
	char *key;
	unsigned match, differ, unknown;
	char *asked, *got; /* of one trial; of a differing one if there is any */
	char *cell_label;  /* where that was */
};

struct model_failure { /* limits are none */
	unsigned seq;
	char *cell_label, *workload, *cause, *detail;
};

/*
 * A fact of the disk as the guest sees it that differs between cells beside the axes (a bus brings
 * it along); effects hold it, too. Values with the levels of an axis from which they follow, else
 * with cells: "254 (virtio-blk), 126 (virtio-scsi)". Both come from the guest: to be escaped.
 */
struct model_side {
	char *name, *values;
};

/*
 * Two arms of one run (`vbench run --vs`): a cell as the profile is, and the same cell with the
 * change, under one workload. The primary metric, change over base, paired within blocks.
 */
struct model_vs {
	size_t workload, base, change;	 /* indices */
	char *label;			 /* of the cell, without the name of the arm */
	const struct metric_row *metric; /* NULL: nothing was measured */
	struct interval ratio; /* as model_value.ratio: the difference for SCALE_DIFFERENCE */
	struct interval robust;
	bool disagree;
	double p;	      /* Holm over all pairs and workloads of the run; NAN */
	double p_raw;	      /* each for itself */
	double sd;	      /* of the paired (log) differences; NAN */
	bool too_many_failed; /* in either cell: no verdict */
	enum verdict verdict;
	struct forecast more;
	double *base_points, *change_points; /* [model.blocks_planned], NAN where missing */
};

/* "8 to 30 more blocks", "more than 1000 more blocks"; "" when not known. Into buf, which is
 * returned. */
char *forecast_text(const struct forecast *f, char *buf, size_t size);

/*
 * Overcommit: what becomes of a guest as more of them share the host. Cells that differ in nothing
 * but the number of guests, by the ratio of all their vCPUs to the host's CPUs.
 */
enum curve_figure { CURVE_SHARE, CURVE_P99, CURVE_FIGURES }; /* IOPS per guest; 99th percentile */

struct model_point {
	unsigned cell;		/* index into cells */
	unsigned guests, vcpus; /* vCPUs of each */
	double ratio;
};

struct model_knee {
	const struct metric_row *metric; /* NULL: the figure was not measured */
	struct interval *abs;		 /* [npoints] geometric mean over blocks, 95 % */
	double *points;			 /* [npoints * model.blocks_planned], NAN where missing */
	struct knee fit;		 /* its interval stands for itself, 95 % */
	struct knee wide; /* the same at 1 - 0.05 / knees of the run: what rules are judged by */
};

struct model_curve {
	size_t workload;	/* index */
	bool steady;		/* each guest asks for a fixed rate, whatever the others do */
	char *where;		/* values of the other axes, as in a label; NULL: there are none */
	struct model_point *at; /* by ratio */
	size_t npoints;
	struct model_knee of[CURVE_FIGURES];
};

/*
 * What a rule is judged by where its source has no figure; all of them are vbench's own.
 * Nothing is refuted that is not shown to be worse at its ratio than at 1:1 by more than
 * RULE_LITTLE_WORSE, and without a knee nothing is confirmed that could be; behind a knee nothing
 * is confirmed that is shown to be worse by more than RULE_MUCH_WORSE. A rule that is of guests
 * with a certain load is refuted by no heavier, and confirmed by no lighter one: half of it to half
 * more.
 */
#define RULE_LITTLE_WORSE 1.1
#define RULE_MUCH_WORSE 1.5
#define RULE_LOAD_LEAST 0.5 /* of the source's */
#define RULE_LOAD_MOST 1.5

/* The host's CPUs at a ratio, as the source has them and as they were at the nearest level that is
 * not above it. */
struct model_load {
	double says;  /* share; NAN: the source has no figure */
	double ratio; /* of that level; NAN: there is none */
	struct interval was;
};

/* A rule about the ratio, and what this run shows of it; reasons are in why. */
struct model_rule {
	const char *id, *what, *source; /* static */
	double ratio;
	double busy; /* share of the host's CPUs above which the source calls it busy; NAN */
	struct model_load one, at; /* at 1:1, and at the rule's ratio: of the first curve judged */
	enum claim_word word;
	char *why;
};

/*
 * A run that searched: cells were visited the more the better they looked. They are ranked by the
 * model fitted to all of its trials, and compared by nothing: `ratio` and all marks of model_value
 * are empty, as are the ends of `abs`, best_set, effects and claims.
 */
struct model_tried {
	unsigned cell;	  /* index into cells */
	unsigned visits;  /* 0: predicted only */
	double predicted; /* speed, to the start's; NAN: not known */
	unsigned place;	  /* in the race's last order, from 0; where there is no prediction */
	bool raced;	  /* in the last round of the race */
	bool failed;	  /* left since a trial failed */
};

struct model_search {
	long start, winner; /* index into cells; -1: not known, or not there yet */
	unsigned visits, screened, tried;
	double noise_sd;	   /* of one visit, log; NAN */
	struct model_tried *cells; /* by prediction, best first */
	size_t ncells;
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
	/* blocks_planned is also the length of model_value.points; blocks_done have all their
	 * trials in the store. */
	unsigned blocks_planned, blocks_done, trials_planned, trials_ok, trials_failed;
	unsigned trials_limit; /* at a limit: neither ok nor failed */
	char *accel; /* in force: "kvm", "tcg", "kvm, tcg", "unknown"; "none": no guest at all */
	bool relative_only; /* under TCG: figures are good for comparison only */
	char *headline;	    /* the decision, one or two sentences */
	char **warnings;    /* what a reader must know before believing: noise, TCG, few blocks,
			       unknowns */
	size_t nwarnings;
	json_t *axes; /* [{"key","values"}] */
	json_t *skipped;
	struct model_cell *cells;
	size_t ncells;
	struct model_workload *workloads;
	size_t nworkloads;
	/* Pairs of a run with two arms, each under each workload; in the order of the pairs, then
	 * of the workloads. vs_base, vs_change: what each arm was given beside the profile. */
	struct model_vs *vs;
	size_t nvs;
	char **vs_base, **vs_change;
	size_t nvs_base, nvs_change;
	/*
	 * run.decide: up to seq_max blocks with a look after each from the 4th, and every interval
	 * of a comparison is the repeated one of stats/sequential.h, p likewise; 0: Student's.
	 * stopped_early: it (or run.precision) ended before blocks_planned. decide: the smallest
	 * effect that matters, in place of the metric's; precision: the half-width that was asked
	 * for. NAN: neither.
	 */
	unsigned seq_max;
	bool stopped_early;
	double decide, precision;
	/*
	 * A ladder has rungs, and its cells are compared by them alone: `ratio`, `robust`, `p` and
	 * all marks of model_value are then empty, as are best_set and effects.
	 */
	struct model_rung *rungs;
	size_t nrungs;
	struct model_claim *claims;
	size_t nclaims;
	struct model_curve *curves;
	size_t ncurves;
	struct model_rule *rules; /* none without curves */
	size_t nrules;
	unsigned cpus;		     /* of the host that the ratios are of; 0: no curves */
	struct model_search *search; /* NULL: the run searched nothing */
	json_t *tuning; /* the record of the tuning that this run is part of; object or NULL. From a
			   file: to be held against any type, and escaped */
	struct model_side *side;
	size_t nside;
	struct model_check *checks;
	size_t nchecks;
	struct model_failure *failures;
	size_t nfailures;
	struct model_fact *facts;
	size_t nfacts;
	json_t *phases; /* {"open_ns": {"median":..,"p90":..}, ...} where the harness's own time
			   goes */
	json_t *noise;	/* summary of host noise: steal, pressure, load: {"name": {"median","max"}}
			 */
};

/* Reads the run and analyses it. 0 or -errno. Caller frees with model_free. */
int model_make(struct store *s, const char *uuid, struct model **out, struct err *e);
void model_free(struct model *m);

/* What could not be measured, cells that share a reason together: [{"what": "3 cells with
 * pages=2M", "reason", "cells": [words of each; none where what is one]}]. New reference. */
json_t *model_left_out(const struct model *m);

/*
 * The model as JSON (new reference); NAN becomes null. A ladder adds
 *   "ladder": [{"rung", "over", "adds", "depth", "cell" (its id), "place", "unlike", "why",
 *     "workloads": [{"workload", "why", "ns_per_io": F, "lat": F, "cpu_per_io": F}]}]
 *   with F = {"abs": interval, "layer": interval, "robust": interval, "disagree", "p",
 *     "word": "costs" | "saves" | "undecided" | null, "points": [ns of each block]}
 * (else it is []), and published figures
 *   "claims": [{"id", "what", "published", "setting", "source", "a", "b", "metric", "low", "high",
 *     "asserts": {"low", "high"}, "workload", "where", "ratio": interval, "pairs", "p",
 *     "word": "confirmed" | "refuted" | "undecided" | "no figure"}],
 * where an open end of what is asserted is null, a and b name cells by "KEY=VALUE|VALUE ...", and
 * the metric "disks" has in "ratio" not a ratio but the most disks that were there (lo) and one
 * below the fewest that were refused (hi; null: none was). Each row of a workload has "limits" and
 * "limit", the trials that ended at a limit of QEMU or the guest and its reason: a finding, not
 * counted as failed. A workload has "pass": "first-write" | "steady" | null.
 * "verdict" is "same" | "worse" | "better" | "undecided", or null where there is nothing to judge;
 * "more" is null or {"lo", "hi"}, blocks more that would decide (hi null: more than 1000), both of
 * each value and each effect. A workload has "min_effect", "best_seconds" (null: cannot be told, or
 * with "longer_is_better" without bound) and "spread": {"second", "between", "length", "overhead",
 * "trials", "why", "slow", "judged", "slow_by"}; its rows "slow" and "slow_by". A run with two arms
 * adds "arms": {"base": [settings], "change": [settings]} (else null) "vs": [{"workload", "base",
 * "change" (cell ids), "label", "metric", "ratio" (or "difference"), "robust", "disagree", "p",
 * "p_raw", "sd", "too_many_failed", "verdict", "more", "base_points", "change_points"}] and "run"
 * has "seq_max", "stopped_early", "decide" and "precision". Several guests at once add
 * "overcommit":
 * {"cpus", "curves": [{"workload", "steady", "where", "at": [{"cell" (id), "ratio", "guests",
 * "vcpus"}], "iops_per_guest": K, "p99": K}], "rules": [{"id", "what", "source", "ratio", "word",
 * "why", "busy", "load": [{"says", "ratio", "was": interval | null} at 1:1 and at its ratio]}],
 * "thresholds": {"whose": "vbench", "little_worse", "much_worse", "load_least", "load_most"}}
 * (else null) with K = null or {"metric", "abs": [interval], "points": [[...] of each
 * level], "knee":
 * {"word": "knee" | "straight" | "none", "why", "at", "lo", "hi", "lo_open", "hi_open", "before",
 * "after", "p", "sd", "blocks", "levels"}, "wide": {"lo", "hi", "lo_open", "hi_open"}}. A run that
 * searched has "search": {"start", "winner" (cell ids), "visits", "screened", "noise_sd", "cells":
 * [{"cell", "predicted", "visits", "raced", "failed"}] by rank} (else null), and each run of a
 * tuning "tuning", its record (else null).
 */
json_t *model_json(const struct model *m);

#endif
