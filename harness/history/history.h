/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile's nights on one host: a series per cell, workload and metric, what changed in it and
 * when, and what cannot be said. A night is a complete run; of the gate's nights the screening run,
 * whose figures are also had as a ratio to the reference build that ran interleaved with it.
 */
#ifndef VB_HISTORY_HISTORY_H
#define VB_HISTORY_HISTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "stats/change.h"
#include "stats/stats.h"
#include "store/metric.h"

struct store;

#define HISTORY_TELL 8 /* nights below which there is a list and no more */

struct history_night {
	char uuid[37];
	int64_t begun; /* CLOCK_REALTIME ns */
	char *label;   /* "" without one */
	char *build;   /* what ran: QEMU, guest kernel, ..., a line each; "" when not known */
	char *changed; /* host and build against the night before: "kernel 6.1 -> 6.2; ..."; NULL */
	bool gate;     /* a night of the gate */
	char *reference; /* gate: id of its reference build's record; else NULL */
};

/* A series' figures on one night; NAN where there are none. */
struct history_point {
	double value;	     /* mean over the night's trials, in the metric's unit */
	double ratio;	     /* to the reference build, paired by block */
	double confirm;	     /* the same of the fresh blocks that a suspect got */
	double confirm_p;    /* one-sided, in the direction of `confirm` */
	unsigned ok, failed; /* trials */
};

struct history_change {
	struct change c; /* nights are indices into history.nights */
	bool confirmed;	 /* by a second night, or by fresh blocks against the reference build */
	bool by_reference;
	bool better;	   /* in the metric's good direction */
	bool surroundings; /* host or build tools changed on a night of the set */
	double ratio;	   /* new level / old one; SCALE_RATIO only, else NAN */
};

struct history_series {
	char cell[17]; /* of the newest night */
	char *keys;    /* of its cell, but for the paths of QEMU and guest kernel; "": not known */
	char *label, *workload;
	const struct metric_row *metric;
	struct history_point *points; /* [nnights] */
	size_t there;		      /* nights with a value */
	bool by_ratio;		      /* judged by the ratio to the reference build */
	double rho;		      /* autocorrelation of its newest stretch */
	double sd;		      /* of nights about their level, as a share; NAN */
	struct history_change *changes;
	size_t nchanges;
	/* Slow drift against the anchor: nights anchor_lo.. are its 20. p NAN: cannot be told. */
	size_t anchor_lo, anchor_hi;
	double drift_p, drift_step;
	bool drifts;
	char *unsaid; /* what cannot be said of it, and why; NULL: nothing */
};

/* Calendar nights without a run, between two nights of a series that otherwise comes nightly. */
struct history_gap {
	size_t after; /* the night before the gap; the newest one: it goes on */
	unsigned missing;
};

struct history {
	char *profile;
	char host_id[65];
	struct history_night *nights; /* oldest first */
	size_t nnights;
	struct history_series *series;
	size_t nseries;
	struct history_gap *gaps;
	size_t ngaps;
	bool nightly; /* runs come once a night, so that gaps are alarms */
	char *unsaid; /* of all series; NULL: nothing */
};

struct history_ask {
	const char *profile; /* name; NULL: that of the newest run */
	const char *host;    /* stable id */
	const char *metric;  /* id; NULL: each workload's primary one */
	const char *cell;    /* label, or the beginning of an id; NULL: all */
	int64_t now;	     /* CLOCK_REALTIME ns, for nights that have not come since; 0: none */
};

/*
 * Reads the store. -EINVAL with the remedy when the profile, metric or cell is not there; a profile
 * with too few nights is no error. The caller frees.
 */
int history_make(struct store *s, const struct history_ask *ask, struct history **out,
		 struct err *e);
void history_free(struct history *h);

/* Whether a change for the worse is confirmed, or a drift for the worse found: exit status 1. */
bool history_alarms(const struct history *h);

json_t *history_json(const struct history *h);

/* On what scale a series is judged: log, log ratio, or the value where it can be 0. NAN: missing.
 */
double history_scale(const struct history_series *s, const struct history_point *p);

/* The labels of nights lo..hi as "a", "a or b", "a .. b (5 builds)"; caller frees. */
char *history_builds(const struct history *h, size_t lo, size_t hi);

#endif
