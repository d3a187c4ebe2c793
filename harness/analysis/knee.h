/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a curve bends: a broken line in blocks, its break with an interval, and whether there is a
 * break at all. Pure: numbers in, numbers out; tests/prove simulates it.
 */
#ifndef VB_ANALYSIS_KNEE_H
#define VB_ANALYSIS_KNEE_H

#include <stdbool.h>
#include <stddef.h>

#define KNEE_LEVELS_MAX 64
#define KNEE_LEAST 4   /* levels: below, every break between the ends fits alike */
#define KNEE_SIMS 1999 /* of the sup-F under the straight line */
#define KNEE_SHOWN 0.05

enum knee_word {
	KNEE_NONE,     /* cannot be told: too few levels or blocks, see why */
	KNEE_STRAIGHT, /* no knee is shown within the range */
	KNEE_SHOWN_AT,
};

struct knee {
	enum knee_word word;
	const char *why; /* of KNEE_NONE; static */
	/* On the axis's own scale (a ratio), from the fit of logs. An end that is open could as
	 * well lie at or beyond the first (last) level but one: the data do not bound it there. NAN
	 * unless shown. */
	double at, lo, hi;
	bool lo_open, hi_open;
	/* Slopes of ln y over ln x, of the best broken line; NAN where one level alone would make
	 * it, or without any turn. */
	double before, after;
	double p;  /* that there is no break: sup-F against its simulated distribution */
	double sd; /* of one observation about the broken line, in logs */
	size_t blocks, levels; /* in use: blocks with all levels */
};

/*
 * y[level * nblocks + block] > 0 (NAN: missing; a block that misses one is left out) at ascending
 * x[level] > 0, levels of them. worse: +1 when a knee is a turn upwards (latency), -1 when it is
 * one downwards (throughput per guest); turns the other way are no knees. level: of the interval.
 *
 * ln y = block + a + b ln x + c max(0, ln x - t) + error, by least squares over t in the range of
 * x; on these scales the ideal host is a broken line, since what is shared by more falls as 1/x.
 * The interval is of all t that the F test of one more parameter does not reject, the ends of their
 * hull. Noise is of the residuals of the best broken line, with its lack of fit.
 */
void knee_fit(const double *x, size_t levels, const double *y, size_t nblocks, int worse,
	      double level, struct knee *out);

#endif
