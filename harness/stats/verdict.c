// SPDX-License-Identifier: GPL-2.0-or-later
/* Verdicts from intervals, and how many blocks more would decide (statistics.md, part 4). */
#include <math.h>
#include "stats/sequential.h"
#include "stats/verdict.h"

/* Below so many pairs s says too little of sigma for a forecast: 0.62 to 2.45 times at 6. */
#define FORECAST_MIN 6
#define FORECAST_LEVEL 0.95

const char *verdict_word(enum verdict v)
{
	switch (v) {
	case VERDICT_SAME:
		return "same";
	case VERDICT_WORSE:
		return "worse";
	case VERDICT_BETTER:
		return "better";
	case VERDICT_UNDECIDED:
		return "undecided";
	case VERDICT_NONE:
		break;
	}
	return "none";
}

enum verdict verdict_of(double lo, double hi, double m)
{
	if (isnan(lo) || isnan(hi))
		return VERDICT_NONE;
	if (-m < lo && hi < m)
		return VERDICT_SAME;
	if (lo == 0 && hi == 0) /* compared exactly, with no margin at all */
		return VERDICT_SAME;
	if (lo > 0)
		return VERDICT_WORSE;
	if (hi < 0)
		return VERDICT_BETTER;
	return VERDICT_UNDECIDED;
}

/* Turned so that worse is positive. */
static enum verdict turned(double lo, double hi, bool higher_is_better, double m)
{
	return higher_is_better ? verdict_of(-hi, -lo, m) : verdict_of(lo, hi, m);
}

enum verdict verdict_ratio(const struct interval *ratio, bool higher_is_better, double min_effect)
{
	return turned(log(ratio->lo), log(ratio->hi), higher_is_better, log1p(min_effect));
}

enum verdict verdict_diff(const struct interval *diff, bool higher_is_better, double min_effect)
{
	return turned(diff->lo, diff->hi, higher_is_better, min_effect);
}

/* The factor of the interval after n blocks: Student's quantile, or a repeated interval's. */
struct factor {
	double level;
	unsigned max; /* 0: Student's */
};

static double factor_at(const struct factor *f, unsigned n)
{
	if (!f->max)
		return t_quantile(0.5 + f->level / 2, n - 1.0);
	return n > f->max ? INFINITY : seq_factor(f->max, n);
}

static bool decides(const struct factor *f, double s, double need, unsigned n)
{
	return n >= 2 && factor_at(f, n) * s / sqrt(n) < need;
}

/* Fewest blocks beyond n with which sigma = s would decide. */
static unsigned blocks_more(const struct factor *f, double s, double need, unsigned n)
{
	unsigned lo = 0, hi = 1;

	/* The half-width only shrinks as blocks are added: double, then halve. */
	while (!decides(f, s, need, n + hi)) {
		if (hi >= FORECAST_MANY || (f->max && n + hi >= f->max))
			return FORECAST_MANY;
		lo = hi;
		hi = hi * 2 > FORECAST_MANY ? FORECAST_MANY : hi * 2;
		if (f->max && n + hi > f->max)
			hi = f->max - n;
	}
	while (hi - lo > 1) {
		unsigned at = lo + (hi - lo) / 2;

		if (decides(f, s, need, n + at))
			hi = at;
		else
			lo = at;
	}
	return hi;
}

static struct forecast forecast(double mid, double s, size_t n, double m, double df_history,
				const struct factor *f)
{
	struct forecast r = {false, 0, 0};
	double df = df_history > 0 ? df_history : n - 1.0;
	double near = fabs(mid), need = fmax(near, m - near);

	if (n < 2 || n > 1000000 || !isfinite(mid) || !(s >= 0) || isinf(s) || !(m > 0) ||
	    df < FORECAST_MIN - 1)
		return r;
	r.known = true;
	if (decides(f, s, need, n))
		return r;
	r.lo = blocks_more(f, s * sqrt(df / chi2_quantile(0.5 + FORECAST_LEVEL / 2, df)), need, n);
	r.hi = blocks_more(f, s * sqrt(df / chi2_quantile(0.5 - FORECAST_LEVEL / 2, df)), need, n);
	return r;
}

struct forecast verdict_forecast(double mid, double s, size_t n, double m, double df_history,
				 double level)
{
	struct factor f = {level, 0};

	if (!(level > 0 && level < 1))
		return (struct forecast){false, 0, 0};
	return forecast(mid, s, n, m, df_history, &f);
}

struct forecast verdict_forecast_seq(double mid, double s, size_t n, double m, double df_history,
				     unsigned max)
{
	struct factor f = {0, max};

	if (max < SEQ_FIRST || max > SEQ_MAX || n > max)
		return (struct forecast){false, 0, 0};
	return forecast(mid, s, n, m, df_history, &f);
}
