/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nightly gate: tonight's build of QEMU and guest kernel, interleaved with a kept reference
 * build (statistics.md, part 11). The room's front header.
 */
#ifndef VB_GATE_GATE_H
#define VB_GATE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/err.h"
#include "gate/judge.h"
#include "gate/series.h"
#include "store/gate.h"

/*
 * What became of a series. Only GATE_WORSE to GATE_BLIND make a night fail; the order is that of
 * their weight.
 */
enum gate_state {
	GATE_SAME,	 /* not suspected, or suspected and not confirmed */
	GATE_BETTER,	 /* a confirmed gain: shown, never red */
	GATE_WORSE,	 /* confirmed on fresh blocks */
	GATE_MISSING,	 /* trials, or the series, are not there */
	GATE_FAILED,	 /* more than 5 % of a cell's trials failed */
	GATE_MISMATCHED, /* what was asked for was not in force */
	GATE_RENAMED,	 /* known from earlier nights and not there, or the reverse */
	GATE_BLIND,	 /* a harm of must_see could have gone by unseen */
};

/* The words of TAP, JUnit and the store. */
const char *gate_word(enum gate_state s);
bool gate_fails(enum gate_state s);

struct gate_series {
	char *key;  /* workload, cell and metric, whatever the build: the same over nights */
	char *name; /* "randread, virtio-blk packed" */
	char *workload;
	char base_id[17], change_id[17]; /* cells of the arms, and their labels */
	char *base_label, *change_label;
	const struct metric_row *metric;
	struct gate_points screened, confirmed;
	struct gate_stage screen, confirm;
	int suspect;	       /* +1 worse, -1 better */
	bool tested;	       /* stage 2 was made */
	bool joined;	       /* judged by the confidence sequence over the record's runs */
	double p;	       /* adjusted, of the stage that it was judged by */
	double sd;	       /* of one trial, log scale, stage 1 */
	double seen80, seen90; /* harm that would have been found */
	unsigned needs; /* blocks of stage 1 with which must_see is seen; 0: more than 10000 */
	struct gate_limits
		limits; /* of the harm: 95 % interval of its last stage, or the sequence */
	enum gate_state state;
	char *why, *remedy; /* when it fails; NULL */
};

/* One more thing that must hold: the reference, the environment, the host, the set of series. */
struct gate_check {
	char *name;
	bool ok;
	bool red;	     /* not ok: it is a harm, and not what kept one from being looked for */
	char *text, *remedy; /* remedy NULL where ok */
};

struct gate_night {
	char uuid[37];
	char *profile, *label, *command;
	char host[65];
	char *build, *reference; /* in words */
	bool same_build;	 /* tonight's is the reference build: an A/A night */
	bool injected;		 /* harm was put in on purpose: no night of the history */
	char *joins;		 /* uuid of the red night whose record this adds to, or NULL */
	struct gate_rule rule;
	bool plan_blocks, plan_confirm; /* gate.blocks, gate.confirm are "auto" */
	char *plan; /* "14 + 38, planned from 12 nights: sd 2.1 %"; NULL: the profile's numbers */
	struct gate_check *checks;
	size_t nchecks;
	struct gate_series *series;
	size_t nseries;
	size_t cells;	      /* pairs of cells */
	double trial_seconds; /* mean length of a trial, all phases */
	unsigned joined_runs; /* stages 2 that the record holds, this one included */
	int64_t begun, ended; /* CLOCK_REALTIME ns */
	char screen_run[37], confirm_run[37]; /* "": none */
};

void gate_check_add(struct gate_night *n, const char *name, bool ok, char *text, char *remedy);

/*
 * Exit status (base/err.h): VB_WORSE when any series is worse, or drifts; else VB_NOT_MEASURED when
 * any is missing, failed, mismatched or renamed or a check does not hold; else VB_UNDECIDED when
 * any is blind; else VB_OK. And its word in the store: "red", "unmeasured", "blind", "green";
 * "cleared" for a record that was red and is now shown to be below must_see.
 */
enum vb_status gate_status(const struct gate_night *n);
const char *gate_night_word(const struct gate_night *n);

/* A point for each check and series; harm as the metric's own change, in percent. */
void gate_tap(const struct gate_night *n, FILE *out);
/* The same as a JUnit file; 0 or -errno. */
int gate_junit(const struct gate_night *n, const char *path, struct err *e);
/* One line for a series, without its state: "+0.4 % (95 %: -1.0 to +1.8 %), 10 blocks". Caller
 * frees. */
char *gate_figures(const struct gate_series *s);
/* What a night could have seen and cost, in lines; caller frees. */
char *gate_summary(const struct gate_night *n);

void gate_night_free(struct gate_night *n);

struct gate_opts {
	const char *path; /* of the profile */
	const char *const *sets;
	size_t nsets;
	const char *const *inject; /* sets of tonight's arm alone */
	size_t ninject;
	const char *db, *label, *command, *junit;
	const char *const *consents;
	size_t nconsents;
	bool wait, quiet, init;
	int stop_fd;
};

/*
 * Makes a night: measures, judges, records, and fills *out whatever came of it (gate_night_free). 0
 * when it was judged; -EINTR when it was stopped; else -errno: nothing can be said.
 */
int gate_night_run(const struct gate_opts *o, struct gate_night *out, struct err *e);

/*
 * Judges stored runs: screen and confirm of this night (NULL: there was none), with what is known
 * from earlier records. Used by gate_night_run, and by tests with stores made by hand. n->series
 * and n->rule are filled before.
 */
int gate_judge_screen(struct store *s, struct gate_night *n, struct err *e);
int gate_judge_confirm(struct store *s, struct gate_night *n, struct err *e);
/* The stages 2 of a record's runs (uuids, oldest first), in the place of both. */
int gate_judge_joined(struct store *s, struct gate_night *n, const char *const *runs, size_t nruns,
		      struct err *e);
/* What was not measured at all, or suspected and not tested, is missing. */
void gate_judge_rest(struct gate_night *n);
/*
 * Series that were accepted and tonight has not, and the reverse: both fail until somebody accepts
 * them. Comes last; what is worse stays worse.
 */
void gate_judge_known(struct gate_night *n, const struct store_gate *accepted);

/*
 * Plans tonight's blocks from earlier nights (records of this host and profile), as far as they are
 * to be planned: the noisiest series decides, by the sd of its trials over its newest 30 nights
 * that were neither injected nor joined another. A series with fewer than 10 degrees of freedom
 * wants 10 + 20 blocks. n->series and n->rule are filled before; says it in n->plan.
 */
void gate_plan_night(struct gate_night *n, const struct store_gate *records, size_t nrecords);

/*
 * Slow drift (stats/change.h): mean of each series over tonight and the 6 nights before it, against
 * the 20 nights of the anchor. Adds the check "drift" from the 27th night on, red when one drifts
 * for the worse; the level of change_drift is shared out to the series. Comes after all series are
 * judged; an injected night is no part of it.
 */
#define GATE_DRIFT "drift"
#define GATE_DRIFT_RATE 0.0125 /* in GATE_NIGHTS nights: half of what CHANGE_DRIFT_P has */
void gate_judge_drift(struct gate_night *n, const struct store_gate *records, size_t nrecords);

enum gate_accept { ACCEPT_REFERENCE, ACCEPT_ENVIRONMENT, ACCEPT_ANCHOR };

/*
 * A person's act, recorded with who and why. ACCEPT_REFERENCE keeps the present build (from: NULL
 * or "now", or the uuid of a night whose build it must still be) and today's environment and
 * series, and begins the anchor anew; ACCEPT_ENVIRONMENT takes today's environment and series, and
 * keeps the reference build; ACCEPT_ANCHOR makes the last 20 nights the anchor. *said: a sentence,
 * new.
 */
int gate_accept(const struct gate_opts *o, enum gate_accept what, const char *from, const char *why,
		char **said, struct err *e);

/* Reference, anchor, nights, rates and what they could see; profile NULL: of all. */
int gate_show(const char *db, const char *profile, FILE *out, struct err *e);

/* The newest accept of these records, or NULL; and the nights of its anchor, oldest first. */
#define GATE_ANCHOR 20
const struct store_gate *gate_accepted(const struct store_gate *g, size_t n);
size_t gate_anchor(const struct store_gate *g, size_t n, const struct store_gate **out);

#endif
