/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Change points of a series of nights: the unknown-parameter change-point model [Hawkins, Qiu & Kang
 * 2003; Hawkins & Zamba 2005; Ross 2015] with generalised least squares under AR(1), one threshold on
 * the normal scale; location as a set; an anchor for slow drift. Values are logs, one a night, NAN
 * where a night is missing.
 */
#ifndef VB_STATS_CHANGE_H
#define VB_STATS_CHANGE_H

#include <stdbool.h>
#include <stddef.h>

#define CHANGE_QUIET 30	    /* no alarm before so many nights */
#define CHANGE_H     4.23   /* two-sided, cumulative over 90 nights re-read nightly, under AR(1) */
#define CHANGE_SUSPECT 2.5  /* z beyond which fresh blocks are taken */

struct change {
	size_t at;	       /* first night of the new level */
	size_t set_lo, set_hi; /* nights among which the change lies, 90 % */
	double z;	       /* of the best split, on the normal scale, signed */
	double step;	       /* estimated change of the log */
	double rho;	       /* of the segment that it was judged by */
	size_t found;	       /* the night on which the alarm was raised */
	bool provisional;      /* answered for by one night only */
};

/* The statistic of the last night of a segment x[0..n): 0 when it cannot be told (n < 6). */
struct change change_last(const double *x, size_t n);

/*
 * Reads the series as it would have been read night by night: after each alarm a new segment begins at
 * its `at`. Returns how many there are, at most max in out.
 */
size_t change_read(const double *x, size_t n, double h, struct change *out, size_t max);

/*
 * Slow drift: mean of the last 7 nights against a fixed set of `anchor` nights. p two-sided with the
 * nights' own spread; NAN when it cannot be told.
 */
double change_drift(const double *anchor, size_t nanchor, const double *last, size_t nlast,
		    double *step);

/* Lag-1 autocorrelation, bias corrected and clipped to 0..0.9. */
double change_rho(const double *x, size_t n);

#endif
