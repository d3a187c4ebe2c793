/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Change points of a series of nights: the unknown-parameter change-point model [Hawkins, Qiu &
 * Kang 2003; Hawkins & Zamba 2005; Ross 2015] with generalised least squares under AR(1), one
 * threshold on the normal scale; location as a set; an anchor for slow drift. Values are logs, one
 * a night, NAN where a night is missing.
 */
#ifndef VB_STATS_CHANGE_H
#define VB_STATS_CHANGE_H

#include <stdbool.h>
#include <stddef.h>

#define CHANGE_QUIET 30	   /* no alarm before so many nights */
#define CHANGE_H 4.28	   /* two-sided, cumulative over 90 nights re-read nightly, under AR(1) */
#define CHANGE_SUSPECT 2.5 /* z beyond which fresh blocks are taken */

struct change {
	size_t at;	       /* first night of the new level */
	size_t set_lo, set_hi; /* nights among which the change lies, 90 % */
	double z;	       /* of the best split, on the normal scale, signed */
	double step;	       /* estimated change of the log */
	double rho;	       /* of the segment that it was judged by */
	size_t found;	       /* the night on which the alarm was raised */
	bool provisional;      /* answered for by one night, or by the size of a few only */
	bool withdrawn;	       /* provisional, and later nights did not bear it out */
};

/*
 * Level, one-sided, of the fresh blocks that answer a suspect night, taken together with the
 * reference build's: 1 % of stretches of 90 nights have a false one, since 13 % of quiet nights are
 * suspect.
 */
#define CHANGE_CONFIRM_P 0.0008

/* Level of change_drift, read nightly: 2.5 % of stretches of 90 nights have a false one, half of
 * them in each direction. */
#define CHANGE_DRIFT_P 0.0012
#define CHANGE_ANCHOR 20      /* nights of an anchor */
#define CHANGE_DRIFT_NIGHTS 7 /* newest nights that are held against it */

/* The statistic of the last night of a segment x[0..n): 0 when it cannot be told (n < 6). */
struct change change_last(const double *x, size_t n);

/* The same with rho given; 0: independent nights. */
struct change change_last_rho(const double *x, size_t n, double rho);

/*
 * Reads the series as it would have been read night by night: after each confirmed alarm a new
 * segment begins at its `at`. An alarm is provisional until it stands with nights clipped at the
 * median +- 2.5 robust standard deviations and with more than one night behind the split; what
 * several nights do not bear out stays in the list as provisional. Returns how many there are, at
 * most max in out.
 */
size_t change_read(const double *x, size_t n, double h, struct change *out, size_t max);

/*
 * What fresh blocks of a night said of tonight's build beside the reference build: the log ratio
 * (as x has it) and its p, one-sided towards it. NAN: none were taken.
 */
struct change_fresh {
	double step, p;
};

/* A suspect night that its fresh blocks bear out, in the same direction. */
bool change_borne_out(const struct change *c, const struct change_fresh *fresh);

/*
 * change_read with fresh[n]: a night that is borne out is an alarm above CHANGE_SUSPECT already, and
 * not provisional. Only while the level is still the reference build's, so before any confirmed
 * change: later, fresh blocks would find the known change again. x holds one reference build's
 * nights.
 */
size_t change_read_fresh(const double *x, const struct change_fresh *fresh, size_t n, double h,
			 struct change *out, size_t max);

/*
 * Slow drift: mean of the last 7 of the nights since the anchor against the mean of the anchor's
 * nights (20, moved only by a recorded human act). p is two-sided; the nights' spread and their
 * autocorrelation are those of all nights about a straight line. NAN when it cannot be told (fewer
 * than 8 nights in the anchor, or 3 of the last 7). Read nightly, alarm below CHANGE_DRIFT_P.
 */
double change_drift(const double *anchor, size_t nanchor, const double *since, size_t nsince,
		    double *step);

/* Lag-1 autocorrelation, bias corrected and clipped to 0..0.9. */
double change_rho(const double *x, size_t n);

#endif
