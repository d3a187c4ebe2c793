/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policy "search": a screening of the space, then a race of the cells that look best
 * (statistics.md, part 15). */
#ifndef VB_RUN_POLICY_TUNE_H
#define VB_RUN_POLICY_TUNE_H

#include "run/policy.h"
#include "stats/race.h"
#include "stats/screen.h"

/* A visit is one measurement of a cell: a trial of each workload that counts. */
struct tune_rule {
	struct screen_space space;
	size_t start;	 /* the cell that the user has now */
	unsigned visits; /* how many there may be */
	/*
	 * What counts: the mean over workloads of the logarithm of the primary metric; +1 where
	 * more of it is worse, -1 where less is, 0: not measured. NULL: +1 for all.
	 */
	const signed char *turn;
};

enum tune_phase { TUNE_SCREEN, TUNE_RACE, TUNE_DONE };

struct tune_state {
	enum tune_phase phase;
	size_t winner;	     /* best so far; the start, where nothing looks better */
	unsigned screen;     /* visits planned for the screening; 0: so few cells that all race */
	unsigned visits;     /* done */
	unsigned measured;   /* of the visits: those in which all workloads that count were */
	unsigned blocks;     /* done, of both phases */
	unsigned race_first; /* the first block of the race */
	struct screen_fit fit;
	const struct race_cell *racing; /* those in the race, best first, as of the last round */
	size_t nracing;
	const double *predicted; /* [cells] log, worse positive, by all trials; NULL: no fit */
	const bool *failed;	 /* [cells] have left: a trial failed, or met a limit */
	double gain; /* of the winner over the start in the race, log; too good: it was selected */
};

/*
 * Cells that fail leave and are not replaced. What is copied from rule is the policy's own. The
 * schedule is a function of seed, rule and told outcomes alone.
 */
struct policy *policy_tune(uint64_t seed, unsigned workloads, const struct tune_rule *rule);

/* Of a policy that policy_tune made. Borrowed; valid until the next tell. */
const struct tune_state *policy_tune_state(const struct policy *p);

/* Blocks, and visits, that a search will have at most. */
unsigned policy_tune_blocks(const struct tune_rule *rule);
unsigned policy_tune_visits(const struct tune_rule *rule);

#endif
