/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Estimates and intervals. libm only; no allocation visible to the caller, no I/O. NAN marks "cannot be said". */
#ifndef VB_STATS_STATS_H
#define VB_STATS_STATS_H

#include <stddef.h>

/* Student's t: distribution function and quantile, df > 0 (not necessarily whole). Chi-square and normal quantiles likewise. */
double t_cdf(double t, double df);
double t_quantile(double p, double df);
double normal_quantile(double p);
double chi2_quantile(double p, double df);

struct interval {
	double mid, lo, hi;
	size_t n;
	double sd; /* of the values that went in */
};

double mean(const double *x, size_t n);
double sd(const double *x, size_t n); /* n - 1 in the denominator; NAN for n < 2 */
double median(const double *x, size_t n);

/* Student's interval of the mean; sd_floor as in statistics.md part 2 (0: none). n < 2: lo, hi NAN. */
struct interval t_interval(const double *x, size_t n, double level, double sd_floor);

/* Geometric mean and its interval, from logs of x > 0; mid/lo/hi in x's unit, sd on the log scale. */
struct interval gmean_interval(const double *x, size_t n, double level);

/* Ratio b/a of geometric means from pairs (same block); all values > 0. sd is that of the paired log differences. */
struct interval ratio_interval(const double *a, const double *b, size_t n, double level, double sd_floor);

/* Difference b - a of paired means. */
struct interval diff_interval(const double *a, const double *b, size_t n, double level);

/*
 * Hodges-Lehmann median of Walsh averages with exact signed-rank limits [Hodges & Lehmann 1963], n >= 6
 * (below: all NAN). Works on any values; for ratios hand in log differences.
 */
struct interval hodges_lehmann(const double *d, size_t n, double level);

/*
 * Main effect of level b against level a of one axis, from per-block contrasts (statistics.md part 3):
 * d[k] = mean over the other axes' combinations of (ln y_b - ln y_a) in block k. Result on the ratio scale.
 * y is [nblocks][ncombos] for each level, row-major; a block with any NAN in a combination that is in use is left out.
 */
struct interval main_effect(const double *ya, const double *yb, size_t nblocks, size_t ncombos,
			    double level);

/*
 * One-way random effects by ANOVA [Searle, Casella & McCulloch 1992]: groups of sizes n[g] laid one after
 * another in x. Returns the two components of variance (between may be cut at 0) and F.
 */
struct components {
	double between, within, f;
	size_t groups;
};
struct components variance_components(const double *x, const size_t *n, size_t groups);

/* Interpolated percentile (0..1) of a histogram of bins [lo[i], hi[i]) with counts; NAN when empty. */
double histogram_percentile(const double *lo, const double *hi, const unsigned long long *count,
			    size_t bins, double p);

#endif
