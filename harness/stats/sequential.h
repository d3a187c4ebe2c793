/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intervals that may be looked at after every block. Group-sequential repeated intervals on the t
 * statistic [Lan & DeMets 1983; Jennison & Turnbull 1984, 1991] where the number of blocks has a
 * limit, a t confidence sequence [Lai 1976; Wang & Ramdas 2023] where it has none.
 */
#ifndef VB_STATS_SEQUENTIAL_H
#define VB_STATS_SEQUENTIAL_H

#include "stats/stats.h"

#define SEQ_FIRST 4   /* the first look */
#define SEQ_MAX	  100 /* the largest max_blocks that the table knows */

/*
 * c_n of the interval mid +- c_n * s / sqrt(n) for a look after block n of at most max, error 5 % over
 * all looks, spent as 5 % * n / max. INFINITY before the first look; NAN for max outside
 * SEQ_FIRST..SEQ_MAX or n > max.
 */
double seq_factor(unsigned max, unsigned n);

/* c_n of the confidence sequence with mixing variance g = 1 (in units of s^2); INFINITY while there
 * is none. */
double confseq_factor(unsigned n, double alpha);

/*
 * The same as ratio_interval and diff_interval, with c_n in the place of Student's quantile. max 0: the
 * confidence sequence.
 */
struct interval seq_ratio(const double *a, const double *b, size_t n, unsigned max, double sd_floor);
struct interval seq_diff(const double *a, const double *b, size_t n, unsigned max);

/* Stein's second stage [1945]: blocks in all for a 95 % interval of half-width w (log scale) from the
 * first n0 with standard deviation s0 of pairs; at least n0. */
unsigned stein_blocks(double s0, unsigned n0, double w, double level);

#endif
