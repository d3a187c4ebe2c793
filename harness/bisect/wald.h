/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wald's sequential test [1945] of one build: is it as good as the good end, or as bad as the bad
 * end? From paired differences to the good end, one after another. Pure: no I/O, libm only.
 */
#ifndef VB_BISECT_WALD_H
#define VB_BISECT_WALD_H

#include <stddef.h>

#define WALD_MIN_PAIRS 4 /* of a step: fewer would trust single trials (statistics.md part 14) */

enum wald_answer { WALD_MORE, WALD_GOOD, WALD_BAD, WALD_UNDECIDED };

/*
 * delta: the difference of the ends (not 0), sd: of one pair, df: degrees of freedom that sd was
 * estimated with (INFINITY: known). Differences and delta are on one scale: logs, or the metric's.
 */
struct wald {
	double delta, sd, df;
	double bound; /* on the log of the likelihood ratio */
	unsigned min, cap;
	unsigned n; /* pairs taken */
	double sum, sum2;
	enum wald_answer answer;
};

/*
 * error: probability of either wrong answer, 0 < error < 0.5. No answer before min pairs; with cap
 * pairs and none, WALD_UNDECIDED. Bad arguments (delta 0, sd negative, NAN) begin a test that is
 * undecided at once. An sd of 0 is taken as a thousandth of delta, so that equal pairs end in an
 * answer.
 */
void wald_begin(struct wald *w, double delta, double sd, double df, double error, unsigned min,
		unsigned cap);

/* One pair's difference to the good end. One that is not finite changes nothing. An answer stays.
 */
enum wald_answer wald_add(struct wald *w, double d);

/*
 * Log of the likelihood ratio, bad to good, of the pairs so far. With sd known that of two normal
 * means. Else the ends' sd is an observation, too: sigma is integrated out over what the ends say
 * of it, and the step's own pairs add to that, so that a noisier hour does not pass for certainty.
 */
double wald_ratio(const struct wald *w);

/* "good", "bad", "undecided", "more". */
const char *wald_word(enum wald_answer a);

/*
 * Error of each step when the whole bisection over so many builds (the ends among them) may err
 * with probability total: total / ceil(log2 builds), at least one step.
 */
double wald_step_error(double total, size_t builds);

#endif
