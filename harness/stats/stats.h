/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Estimates and intervals. libm only; no allocation visible to the caller, no I/O. NAN marks
 * "cannot be said". Missing observations are NAN in the input too: a pair uses only the blocks in
 * which both sides are there, and nothing is ever put in their place.
 */
#ifndef VB_STATS_STATS_H
#define VB_STATS_STATS_H

#include <stddef.h>

/* Student's t: distribution function and quantile, df > 0 (not necessarily whole). Chi-square and
 * normal quantiles likewise. */
double t_cdf(double t, double df);
double t_quantile(double p, double df);
double normal_quantile(double p);
double chi2_quantile(double p, double df);

struct interval {
	double mid, lo, hi;
	size_t n;  /* values or pairs used */
	double sd; /* of the values that went in, or the floor where that is larger */
};

double mean(const double *x, size_t n);
double sd(const double *x, size_t n); /* n - 1 in the denominator; NAN for n < 2 */
double median(const double *x, size_t n);
double percentile(const double *x, size_t n,
		  double p); /* p in 0..1, linear between order statistics */

/*
 * The t interval from its summary alone: mid of n values with standard deviation s. n < 2: lo, hi
 * NAN.
 */
struct interval t_interval_of(double mid, double s, size_t n, double level);

/* Student's interval of the mean; sd_floor as in statistics.md part 2 (0: none). n < 2: lo, hi NAN.
 */
struct interval t_interval(const double *x, size_t n, double level, double sd_floor);

/* Geometric mean and its interval, from logs of x > 0; mid/lo/hi in x's unit, sd on the log scale.
 * Others are left out. */
struct interval gmean_interval(const double *x, size_t n, double level);

/*
 * Ratio b/a of geometric means from pairs (same block). A pair with a value that is not finite and
 * > 0 is left out. sd is that of the paired log differences.
 */
struct interval ratio_interval(const double *a, const double *b, size_t n, double level,
			       double sd_floor);

/* Difference b - a of paired means; a pair with a value that is not finite is left out. a NULL: the
 * plain mean of b. */
struct interval diff_interval(const double *a, const double *b, size_t n, double level);

/*
 * Two-sided p of Student's test that a ratio is 1 / a difference is 0, from its interval's mid, sd
 * and n. It is below 1 - level exactly when the interval excludes equality. NAN for n < 2.
 */
double ratio_p(const struct interval *r);
double diff_p(const struct interval *d);

/*
 * Many comparisons: p becomes the adjusted p, in place. NAN stays and is not counted in the family.
 * holm: family-wise error [Holm 1979]; bh: false discovery rate [Benjamini & Hochberg 1995].
 */
void holm(double *p, size_t n);
void bh(double *p, size_t n);

/*
 * Hodges-Lehmann median of Walsh averages with exact signed-rank limits [Hodges & Lehmann 1963], n
 * >= 6 (below: all NAN); above 50 values the limits use the normal approximation. At most 4096
 * values. Works on any values; for ratios hand in log differences.
 */
struct interval hodges_lehmann(const double *d, size_t n, double level);

/*
 * Main effect of level b against level a of one axis, from per-block contrasts (statistics.md part
 * 3): d[k] = mean over the other axes' combinations of (ln y_b - ln y_a) in block k. Result on the
 * ratio scale, sd that of the contrasts. y is [nblocks][ncombos] for each level, row-major. A
 * combination without a single whole pair is not in use; a block with a missing value in a
 * combination that is in use is left out. n < 1: all NAN.
 */
struct interval main_effect(const double *ya, const double *yb, size_t nblocks, size_t ncombos,
			    double level);

/*
 * One-way random effects by ANOVA [Searle, Casella & McCulloch 1992]: groups of sizes n[g] laid one
 * after another in x. Returns the two components of variance (between may be cut at 0) and F;
 * groups 0 when it cannot be told.
 */
struct components {
	double between, within, f;
	size_t groups;
};
struct components variance_components(const double *x, const size_t *n, size_t groups);

/*
 * Additive model x[c][b] = mu_c + beta_b + e_cb by least squares, x row-major [ncells][nblocks],
 * NAN where missing. residual_sd is sqrt(RSS/df), what one trial varies by once cell and block are
 * taken out; blocks is the random block effect with the cells held fixed (within = residual
 * variance), groups 0 when it cannot be told.
 */
struct two_way {
	double residual_sd;
	size_t df;
	struct components blocks;
};
struct two_way two_way_fit(const double *x, size_t ncells, size_t nblocks);

/* Interpolated percentile (0..1) of a histogram of bins [lo[i], hi[i]) with counts; NAN when empty.
 */
double histogram_percentile(const double *lo, const double *hi, const unsigned long long *count,
			    size_t bins, double p);

#endif
