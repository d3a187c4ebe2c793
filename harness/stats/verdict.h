/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verdicts: what an interval says of a difference, given the smallest effect that matters. "same"
 * is two one-sided tests [Schuirmann 1987; Berger & Hsu 1996]; "undecided" is an answer.
 */
#ifndef VB_STATS_VERDICT_H
#define VB_STATS_VERDICT_H

#include <stdbool.h>
#include "stats/stats.h"

enum verdict {
	VERDICT_NONE, /* nothing to judge: no interval */
	VERDICT_SAME, /* the interval lies within the smallest effect that matters */
	VERDICT_WORSE,
	VERDICT_BETTER,
	VERDICT_UNDECIDED,
};

/* "same", "worse", "better", "undecided"; "none". The same words in all reports, JSON and TAP. */
const char *verdict_word(enum verdict v);

/*
 * On theta, the log ratio (or a difference) turned so that worse is positive, with m > 0 on the
 * same scale: first match of  -m < lo and hi < m: same;  lo > 0: worse;  hi < 0: better; undecided.
 * NAN in either end: VERDICT_NONE. Without a margin (m 0) only equality itself, lo = hi = 0, is the
 * same.
 */
enum verdict verdict_of(double lo, double hi, double m);

/* The same of a ratio b/a as ratio_interval gives it (equal is 1; min_effect 0.02: m = ln 1.02),
 * and of a difference b - a (equal is 0; min_effect in its unit). */
enum verdict verdict_ratio(const struct interval *ratio, bool higher_is_better, double min_effect);
enum verdict verdict_diff(const struct interval *diff, bool higher_is_better, double min_effect);

/*
 * How many blocks more would decide, from n pairs with mean mid and standard deviation s on the log
 * (or difference) scale: the smallest n' - n at which the half-width c(n') * s / sqrt(n') is below
 * the needed distance (to 0 or to the nearer end of +-m, whichever is sooner), taken at both ends
 * of the chi-square interval of s. known is false below 6 blocks, unless df_history says how many
 * degrees of freedom s has from the store. hi is FORECAST_MANY when it never would within that.
 */
#define FORECAST_MANY 1000
struct forecast {
	bool known;
	unsigned lo, hi; /* blocks more */
};
struct forecast verdict_forecast(double mid, double s, size_t n, double m, double df_history,
				 double level);

/*
 * The same for a run that is looked at after every block, of at most max (SEQ_FIRST..SEQ_MAX):
 * c(n') is seq_factor(max, n'). FORECAST_MANY: not within max.
 */
struct forecast verdict_forecast_seq(double mid, double s, size_t n, double m, double df_history,
				     unsigned max);

#endif
