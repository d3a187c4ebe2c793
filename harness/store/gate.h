/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate's records: nights (what was found of each series) and accepts (what a person declared to
 * be the reference). The key of both is (host, profile).
 */
#ifndef VB_STORE_GATE_H
#define VB_STORE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "store/store.h"

#define GATE_NIGHT "night"
#define GATE_ACCEPT "accept"

/* One series of a night: a cell's pair of arms under a workload, by its primary metric. */
struct store_gate_series {
	char *key;	/* stable over nights and builds */
	char *name;	/* for people: "randread, virtio-blk packed" */
	char *metric;	/* id */
	char *state;	/* a word of the gate's: "same", "worse", "blind", ... */
	unsigned stage; /* that the figures are of: 1 screened, 2 confirmed; 0: not measured */
	unsigned n;	/* pairs */
	double ratio, lo, hi; /* tonight's build / reference; NAN: not known (also below) */
	double sd;	      /* of one trial, on the log scale */
	double p;	      /* one-sided, adjusted within its stage */
	double seen;	      /* smallest harm that would have been found, as a share; 80 % power */
};

struct store_gate {
	char uuid[37];
	char host_id[65];
	char *profile;
	char *kind;  /* GATE_NIGHT or GATE_ACCEPT */
	char *state; /* night: "begun", "green", "red", "blind", "unmeasured", "cleared"; accept:
			"reference", "environment", "anchor" */
	int64_t begun, ended; /* CLOCK_REALTIME ns; ended 0: still going on, or killed */
	char *label;
	char *build;	 /* fingerprint of the build under test, or of the one that is kept */
	char *reference; /* night: uuid of the accept that keeps its reference build; else NULL */
	char *joins;	 /* night: uuid of the red night whose record it adds to; else NULL */
	char *screen_run, *confirm_run; /* uuids of runs; NULL: there was none */
	char *who, *why;		/* accept */
	char *doc_json;			/* particulars, an object: the gate's own */
	struct store_gate_series *series;
	size_t nseries;
};

/* Adds a record with its series; a uuid that is there already is -EEXIST. */
int store_gate_put(struct store *s, const struct store_gate *g, struct err *e);

/* Replaces the record of that uuid and its series, whole. -ENOENT when there is none. */
int store_gate_update(struct store *s, const struct store_gate *g, struct err *e);

/*
 * Records, oldest first, with their series. host or profile NULL: of all. Caller frees with
 * store_gates_free.
 */
int store_gates(struct store *s, const char *host, const char *profile, struct store_gate **out,
		size_t *n, struct err *e);
void store_gate_free(struct store_gate *g);
void store_gates_free(struct store_gate *g, size_t n);

#endif
