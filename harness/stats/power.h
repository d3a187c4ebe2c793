/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a number of pairs can see: exact power of the paired t test by the noncentral t distribution,
 * and exact limits of a share [Clopper & Pearson 1934]. sd is that of one trial on the log scale; a
 * pair varies by sqrt(2) * sd. Effects are ratios less 1 (0.05: 5 %).
 */
#ifndef VB_STATS_POWER_H
#define VB_STATS_POWER_H

#include <stdbool.h>
#include <stddef.h>

double noncentral_t_cdf(double t, double df, double ncp);

/* Power of n pairs against an effect; alpha two-sided, or one-sided. */
double power_pairs(double effect, double sd, unsigned n, double alpha, bool one_sided);

/* Smallest number of pairs (3..100000) with that power; 0: more than that. */
unsigned pairs_for(double effect, double sd, double alpha, bool one_sided, double power);

/* Smallest effect that n pairs show with that power; NAN for n < 2 or sd not finite. */
double effect_seen(double sd, unsigned n, double alpha, bool one_sided, double power);

/* Pairs that call two equal cells "same" with that power (95 % interval within +-min_effect). */
unsigned pairs_for_same(double min_effect, double sd, double power);

/* Exact two-sided limits of a share: k of n. */
void binomial_limits(size_t k, size_t n, double level, double *lo, double *hi);

#endif
