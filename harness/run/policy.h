/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy decides the next trial from the results so far. Resume is replay: stored results are
 * told again, in order. */
#ifndef VB_RUN_POLICY_H
#define VB_RUN_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct order {
	unsigned seq;		 /* from 0 */
	unsigned block, place;	 /* place within the block */
	unsigned cell, workload; /* indices into the profile's */
	uint64_t randseed; /* fio's: equal for all trials of a block, different between blocks */
};

struct outcome {
	struct order order;
	bool ok;
	double primary; /* the workload's primary metric; NAN: not known. Not for policy_fixed */
};

struct policy {
	const char *name;
	/* The next trial; false when there is none. Asking twice without telling gives the same
	 * order. */
	bool (*ask)(struct policy *p, struct order *out);
	/* Its result. */
	void (*tell)(struct policy *p, const struct outcome *r);
	/* Trials in all, at most, as far as can be said now. */
	unsigned (*total)(const struct policy *p);
	/* Whether a cell has any trial in the block that the next trial is of. */
	bool (*takes_part)(const struct policy *p, unsigned cell);
	/* Comparisons that are not decided yet; 0 where the policy has none. */
	unsigned (*open)(const struct policy *p);
	void (*free)(struct policy *p);
};

/*
 * Fixed number of blocks. Every block holds each (cell, workload) once, in an order drawn afresh
 * from (seed, block) by Fisher and Yates's shuffle: randomised complete blocks [Box, Hunter &
 * Hunter 2005].
 */
struct policy *policy_fixed(uint64_t seed, unsigned blocks, unsigned cells, unsigned workloads);

/* Two cells that are compared, in every workload. */
struct policy_pair {
	unsigned ref, cell;
};

/*
 * When a comparison is closed (statistics.md, part 6). decide: its repeated interval [Jennison &
 * Turnbull 1984] for at most max_blocks looks gives a verdict with 1 + width as the smallest ratio
 * that matters; the looks come after each pair from SEQ_FIRST on, and their error is 5 % over all
 * of them, and over all comparisons of a family (Holm). precision: half of its ratio's 95 % t
 * interval is at most width [Chow & Robbins 1965], from PRECISION_FIRST pairs on; that covers 93.7
 * to 95.2 %. Stein's two stages [1945] never cover less than 95 %, but cost 5 to 35 % more blocks,
 * and the interval that they promise is not the one that a report of the same values shows.
 */
struct policy_rule {
	bool precision;	 /* else decide */
	bool one_family; /* all comparisons; else those of each workload, as reports judge them */
	double width;	 /* ratio less 1 */
	unsigned max_blocks;
	const struct policy_pair *pairs;
	size_t npairs;
	const double *sd_floor; /* of each workload's metric, as in ratio_interval; NULL: none */
};

/*
 * Complete blocks as policy_fixed draws them (the same ones, while nothing is closed) until every
 * comparison is closed, or max_blocks are measured. A cell leaves the blocks of a workload when all
 * its comparisons in it are closed; so a reference stays while there is one. A block with a failed
 * trial is left out of its pair. A comparison is given up when one of its cells failed in each of
 * the first SEQ_FIRST blocks. What is copied from rule is the policy's own.
 *
 * The schedule is a function of seed, rule and the told outcomes alone.
 */
struct policy *policy_decide(uint64_t seed, unsigned cells, unsigned workloads,
			     const struct policy_rule *rule);

/* Fisher and Yates's shuffle of order[n], drawn from (seed, block). */
void policy_shuffle(uint64_t seed, unsigned block, unsigned *order, unsigned n);

/* fio's seed for a block: a function of run seed and block alone, in 1 .. 2^31-1. */
uint64_t policy_randseed(uint64_t seed, unsigned block);

/* SplitMix64 [Steele, Lea & Flood 2014]: the next number of a stream whose state is *s. */
uint64_t splitmix64(uint64_t *s);

#endif
