// SPDX-License-Identifier: GPL-2.0-or-later
/* Wald's sequential test of two means [Wald 1945], with the spread known or estimated. */
#include <math.h>
#include "bisect/wald.h"

void wald_begin(struct wald *w, double delta, double sd, double df, double error, unsigned min,
		unsigned cap)
{
	*w = (struct wald){.delta = delta, .sd = sd, .df = df, .min = min, .cap = cap};
	/* equal errors of both kinds: A = (1 - b) / a, B = b / (1 - a) = 1 / A */
	w->bound = log((1 - error) / error);
	if (!isfinite(delta) || delta == 0 || !isfinite(sd) || sd < 0 || !(df > 0) ||
	    !(error > 0 && error < 0.5))
		w->answer = WALD_UNDECIDED;
	if (w->sd < fabs(delta) / 1000)
		w->sd = fabs(delta) / 1000;
}

double wald_ratio(const struct wald *w)
{
	double good, bad;

	if (isinf(w->df))
		return w->delta * (w->sum - w->n * w->delta / 2) / (w->sd * w->sd);
	/* the likelihood of a mean m is (df sd^2 + sum (d - m)^2) ^ (-(df + n) / 2) */
	good = w->df * w->sd * w->sd + w->sum2;
	bad = good - 2 * w->delta * w->sum + w->n * w->delta * w->delta;
	return (w->df + w->n) / 2 * log(good / bad);
}

enum wald_answer wald_add(struct wald *w, double d)
{
	double ratio;

	if (w->answer != WALD_MORE || !isfinite(d))
		return w->answer;
	w->n++;
	w->sum += d;
	w->sum2 += d * d;
	if (w->n < w->min)
		return w->answer;
	ratio = wald_ratio(w);
	if (ratio >= w->bound)
		w->answer = WALD_BAD;
	else if (ratio <= -w->bound)
		w->answer = WALD_GOOD;
	else if (w->n >= w->cap)
		w->answer = WALD_UNDECIDED;
	return w->answer;
}

const char *wald_word(enum wald_answer a)
{
	switch (a) {
	case WALD_GOOD:
		return "good";
	case WALD_BAD:
		return "bad";
	case WALD_UNDECIDED:
		return "undecided";
	case WALD_MORE:
		break;
	}
	return "more";
}

double wald_step_error(double total, size_t builds)
{
	unsigned steps = 0;

	while (steps < 63 && ((size_t)1 << steps) < builds)
		steps++;
	return total / (steps ? steps : 1);
}
