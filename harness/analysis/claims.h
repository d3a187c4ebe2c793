/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the analysis room: the tables of published figures, and how a row of them says which cells
 * and workloads it is about.
 */
#ifndef VB_ANALYSIS_CLAIMS_H
#define VB_ANALYSIS_CLAIMS_H

#include "analysis/build.h"

/*
 * What a claim asserts of the ratio b/a, as a range that its author would accept:
 *
 *   RULE_SIZE    a figure: the direction and about the size. From half to one and a half times the
 *                published effect on the logarithm, and never further from it than a factor of 2;
 *                of a range low..high each end is moved outwards so. "No effect" is never inside.
 *   RULE_SAME    "no difference": within 5 %, or the published spread where that is wider.
 *   RULE_MORE    an order: over 1, however little.
 *   RULE_LESS    an order: below 1, however little.
 *   RULE_BETWEEN from..to, which the row says: the text has bounds ("at least 5 % ahead").
 *   RULE_NONE    nothing that could be true or false here: "no figure".
 */
enum claim_rule { RULE_NONE, RULE_SIZE, RULE_SAME, RULE_MORE, RULE_LESS, RULE_BETWEEN };

/* Which workloads: as far as it matters. */
struct claim_work {
	const char *rw;	  /* NULL: any */
	const char *engine; /* of fio; NULL: any */
	const char *pass; /* "first-write", "steady" (workload.precondition); NULL: any */
	unsigned long min_bs, max_bs; /* bytes; 0: any */
	unsigned long depth, jobs;    /* 0: any */
	unsigned long min_depth, max_depth;
	unsigned long reads; /* share in %, of mixes; 0: any */
};

/*
 * Cells are named by "KEY=VALUE KEY=VALUE|VALUE ..."; the value "-" stands for a key that does not
 * apply. "l2-coverage=60" is made up: the share in % of the qcow2 image that its L2 cache can hold
 * tables of.
 */
struct claim {
	const char *id, *what;
	const char *profiles; /* prefixes of the profiles that ask, a blank between */
	const char *a, *b;    /* the ratio is b over a */
	struct claim_work work;
	const char *metric; /* NULL: I/Os per second, of all directions */
	/*
	 * No ratio but a number of disks, the most that cells b can have. a is NULL, low and high
	 * are such numbers.
	 */
	bool count;
	enum claim_rule rule;
	double low, high;      /* published; NAN: no figure */
	double from, to;       /* of RULE_BETWEEN */
	const char *published; /* as its source has it */
	const char *setting;   /* what it was measured on: nobody should expect it elsewhere */
	const char *source;
};

struct claim_list {
	const struct claim *rows;
	size_t n;
};

extern const struct claim_list claims_ring, claims_bus, claims_threads, claims_qcow2,
	claims_formats;

/* The range that a claim asserts; NAN: none. 0 and INFINITY are open ends. */
void claim_range(const struct claim *c, double *from, double *to);

/* claims_match.c */

bool claim_wanted(const struct claim *c, const char *profile);

/* Does the pattern name that cell? */
bool claim_cell(const char *pattern, const struct model_cell *c);

/*
 * Do two cells differ in nothing but what the claim's patterns name? A key that does not apply to
 * one of them is no difference (raw has no cluster size).
 */
bool claim_pair(const struct claim *c, const struct model_cell *a, const struct model_cell *b);

/*
 * What kind of path a cell is, "guest, virtio-blk, file": figures of different kinds are not
 * averaged. Of what the claim's patterns name nothing is said. New.
 */
char *claim_where(const struct claim *c, const struct model_cell *a);

/* keys: of the workload, may be NULL. */
bool claim_workload(const struct claim_work *want, const json_t *keys);

/* The pass of a workload on a cell: "first-write", "steady", or NULL. */
const char *claim_pass(const json_t *keys, const struct model_cell *c);

#endif
