/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Executes a profile: the one feedback loop between policy, site and store. */
#ifndef VB_RUN_RUN_H
#define VB_RUN_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/err.h"
#include "base/term.h"
#include "profile/profile.h"
#include "store/metric.h"
#include "store/store.h"

/* A search in the place of blocks of all cells (policy_tune.h); its start is the cell of that id.
 */
struct run_search {
	unsigned visits;
	char start[17];
	const char *workload; /* the one that counts; NULL: all, by their geometric mean */
};

struct run_opts {
	const char *db;	     /* database file */
	const char *command; /* as typed, for the record */
	uint64_t budget_ns;  /* --for: fits the blocks into it; 0: run.blocks */
	bool wait;	     /* for another measuring run of this host to end */
	bool quiet;
	const char *const *consents; /* block devices that may be overwritten, as typed */
	size_t nconsents;
	const char *uuid;		 /* of the run that begins; NULL: any */
	const struct run_search *search; /* NULL: as the profile says */
	bool decide_anyway; /* run.decide is not refused where it is less than max-blocks show */
	int stop_fd;	    /* readable when the user wants to stop (signalfd); -1: none */
};

/* What became of it. */
struct run_outcome {
	char uuid[37];
	unsigned ok, failed;
	unsigned limited; /* trials that met a limit (of slots, say): found out, not failed */
	bool interrupted;
	char *folder; /* caller frees */
	char *page;   /* where its HTML page goes (run.out); caller frees */
};

/*
 * Runs a profile from its start. 0 when it ran to its planned end (trials may have failed: see
 * out), -EINTR when it was stopped, else -errno: nothing or not all could be measured. Everything
 * recorded stays.
 */
int run_profile(const struct profile *p, const struct run_opts *o, struct run_outcome *out,
		struct err *e);

/* Goes on with an unfinished run: "" means this host's newest unfinished one. Stored trials are
 * replayed to the policy. */
int run_resume(const char *what, const struct run_opts *o, struct run_outcome *out, struct err *e);

/* The metric that decides under a workload: run.primary, or the one that its pattern has. NULL:
 * there is no such metric. */
const struct metric_row *run_primary_of(const struct profile *p, size_t workload);

/* What a run would cost, at most: time, trials, bytes written to images. Starts nothing. */
struct run_price {
	uint64_t ns, bytes;
	unsigned trials, blocks;
	size_t cells;	/* those that can be had here */
	json_t *unable; /* [{"what", "reason", "folded": false}] of the others; the caller's, or
			   NULL */
};
int run_price(const struct profile *p, const struct run_opts *o, struct run_price *out,
	      struct err *e);

/* Prints cells, skipped combinations with reasons, schedule, estimates, and every cell's command
 * lines. Starts no guest. */
int run_dry(const struct profile *p, const struct run_opts *o, FILE *out, struct err *e);

#endif
