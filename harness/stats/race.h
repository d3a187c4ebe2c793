/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A race: the cells that a screening predicts to be best, and the start, in complete blocks, of
 * which the worse half leaves after each round until one is left: successive halving [Karnin, Koren
 * & Somekh 2013; Jamieson & Talwalkar 2016] (statistics.md, part 15). The start stays in every
 * block. What it says of the winner's gain is too good, since the luckiest wins: measure that
 * afresh.
 *
 * Values are logarithms, turned so that more is worse.
 */
#ifndef VB_STATS_RACE_H
#define VB_STATS_RACE_H

#include <stdbool.h>
#include <stddef.h>

#define RACE_BEST 8 /* cells beside the start */

/* Rounds of a race of n cells beside the start. */
unsigned race_rounds(size_t n);

/*
 * Of `visits` (trials of one cell) left and n cells beside the start, the blocks of the next round:
 * an equal share of the visits for each round left, at least one block, and 0 when not even one
 * block fits.
 */
unsigned race_blocks(size_t n, size_t visits);

/* How many of the best cells can race with so many visits, at most RACE_BEST. */
size_t race_cells(size_t visits);

struct race_cell {
	size_t cell;
	double mean;	  /* over all its blocks of the race; NAN: failed */
	unsigned changes; /* settings in which it differs from the start */
	double before;	  /* as it was predicted; only settles what is otherwise equal */
};

/* Best first: mean, then fewer changes, then prediction, then index; those that failed last. */
void race_sort(struct race_cell *c, size_t n);

/* How many of n stay after a round. */
size_t race_keep(size_t n);

#endif
