// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Broken lines in randomised complete blocks [Quandt 1958; Hinkley 1971; sup-F: Davies 1987,
 * Andrews 1993]. With whole blocks their effects are orthogonal to the levels': what depends on the
 * break is a fit to the level means alone, and the rest of the sum of squares is the levels' and
 * blocks' interaction, the same for every break.
 */
#include "analysis/knee.h"
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "stats/stats.h"

#define GRID 120  /* breaks looked at for the test */
#define FINE 2000 /* and for the interval */

/* The sweep of levels: means over whole blocks, and what is left of the sum of squares. */
struct sweep {
	size_t m, n;
	double x[KNEE_LEVELS_MAX], mean[KNEE_LEVELS_MAX]; /* logs */
	double rest; /* sum of squares of the interaction, (m - 1)(n - 1) degrees of freedom */
	double line; /* n times the sum of squares of the means about the straight line */
	double u1[KNEE_LEVELS_MAX]; /* unit vector of ln x less its mean */
	int worse;
};

static bool block_whole(const double *y, size_t levels, size_t nblocks, size_t b)
{
	for (size_t k = 0; k < levels; k++)
		if (!(y[k * nblocks + b] > 0) || !isfinite(y[k * nblocks + b]))
			return false;
	return true;
}

static double dot(const double *a, const double *b, size_t n)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		s += a[i] * b[i];
	return s;
}

/* v less its mean and its part along u1 (if any); to length 1. False: nothing is left of it. */
static bool orthogonal(double *v, const double *u1, size_t n)
{
	double sum = 0, along, length;

	for (size_t i = 0; i < n; i++)
		sum += v[i];
	for (size_t i = 0; i < n; i++)
		v[i] -= sum / (double)n;
	along = u1 ? dot(v, u1, n) : 0;
	for (size_t i = 0; u1 && i < n; i++)
		v[i] -= along * u1[i];
	length = sqrt(dot(v, v, n));
	if (!(length > 1e-9))
		return false;
	for (size_t i = 0; i < n; i++)
		v[i] /= length;
	return true;
}

static bool sweep_make(struct sweep *s, const double *x, size_t levels, const double *y,
		       size_t nblocks)
{
	double all = 0, grand, sum = 0;

	s->m = levels;
	for (size_t b = 0; b < nblocks; b++) {
		double block = 0;

		if (!block_whole(y, levels, nblocks, b))
			continue;
		s->n++;
		for (size_t k = 0; k < levels; k++)
			block += log(y[k * nblocks + b]) / (double)levels;
		for (size_t k = 0; k < levels; k++) {
			double d = log(y[k * nblocks + b]) - block;

			s->mean[k] += d;
			all += d * d;
		}
	}
	if (s->n < 2)
		return false;
	for (size_t k = 0; k < levels; k++) {
		s->mean[k] /= (double)s->n;
		s->x[k] = log(x[k]);
		sum += (double)s->n * s->mean[k] * s->mean[k];
	}
	s->rest = fmax(all - sum, 0);
	memcpy(s->u1, s->x, levels * sizeof(*s->x));
	if (!orthogonal(s->u1, NULL, levels))
		return false;
	grand = dot(s->mean, s->u1, levels);
	s->line = fmax(sum - (double)s->n * grand * grand, 0);
	return true;
}

/* The direction in the means that a break at t adds to the straight line. */
static bool direction(const struct sweep *s, double t, double *u)
{
	for (size_t k = 0; k < s->m; k++)
		u[k] = s->x[k] > t ? s->x[k] - t : 0;
	return orthogonal(u, s->u1, s->m);
}

/* By how much a break there lowers the sum of squares of n blocks with these means; a turn the
 * other way is no knee and lowers nothing. */
static double gain(const struct sweep *s, const double *u, const double *mean)
{
	double c = dot(u, mean, s->m) * s->worse;

	return c > 0 ? (double)s->n * c * c : 0;
}

static double grid_at(const struct sweep *s, size_t i, size_t of)
{
	double span = s->x[s->m - 1] - s->x[0];

	return s->x[0] + span * ((double)i + 0.5) / (double)of;
}

/* ---- the test ---- */

/* xorshift64* [Vigna 2016] and the polar method: the same numbers in every run. */
static double normal(uint64_t *state)
{
	for (;;) {
		double v[2], q;

		for (int i = 0; i < 2; i++) {
			*state ^= *state >> 12;
			*state ^= *state << 25;
			*state ^= *state >> 27;
			v[i] = (double)((*state * 0x2545f4914f6cdd1dull) >> 11) * 0x1p-52 - 1;
		}
		q = v[0] * v[0] + v[1] * v[1];
		if (q > 0 && q < 1)
			return v[0] * sqrt(-2 * log(q) / q);
	}
}

/* Chi-square by Marsaglia and Tsang's gamma [2000], df >= 2. */
static double chi_square(uint64_t *state, double df)
{
	double d = df / 2 - 1.0 / 3, c = 1 / sqrt(9 * d);

	for (;;) {
		double z = normal(state), v = 1 + c * z, u;

		if (v <= 0)
			continue;
		v = v * v * v;
		*state ^= *state >> 12;
		*state ^= *state << 25;
		*state ^= *state >> 27;
		u = ((double)((*state * 0x2545f4914f6cdd1dull) >> 11) + 0.5) * 0x1p-53;
		if (log(u) < 0.5 * z * z + d - d * v + d * log(v))
			return 2 * d * v;
	}
}

/* The gain over what is then left: the greatest of it over all breaks is sup-F but for a factor. */
static double ratio_of(double best, double line, double rest)
{
	return best / (fmax(line - best, 0) + rest);
}

/*
 * Share of straight lines, with noise of any size, whose best break gains as much. What is left of
 * the means about a line has m - 2 dimensions; noise enters as such.
 */
static double sup_p(const struct sweep *s, double (*u)[KNEE_LEVELS_MAX], size_t nu, double seen)
{
	uint64_t state = 0x9e3779b97f4a7c15ull ^ (s->m * 1000003 + s->n);
	double df = (double)((s->m - 1) * (s->n - 1));
	size_t above = 0;

	for (size_t i = 0; i < KNEE_SIMS; i++) {
		double z[KNEE_LEVELS_MAX], sum = 0, along, line, best = 0;

		for (size_t k = 0; k < s->m; k++) {
			z[k] = normal(&state) / sqrt((double)s->n);
			sum += z[k];
		}
		for (size_t k = 0; k < s->m; k++)
			z[k] -= sum / (double)s->m;
		along = dot(z, s->u1, s->m);
		line = (double)s->n * (dot(z, z, s->m) - along * along);
		for (size_t j = 0; j < nu; j++)
			best = fmax(best, gain(s, u[j], z));
		above += ratio_of(best, line, chi_square(&state, df)) >= seen;
	}
	return (double)(above + 1) / (KNEE_SIMS + 1);
}

/* ---- the break ---- */

/* Slopes of the best broken line: from the two unit vectors' coefficients back to ln x. */
static void slopes(const struct sweep *s, double t, struct knee *out)
{
	/* least squares on (x, (x - t)+), both centred */
	double h[KNEE_LEVELS_MAX], xm = 0, hm = 0, ym = 0, xx = 0, xh = 0, hh = 0, xy = 0, hy = 0;
	double det, b, c;

	for (size_t k = 0; k < s->m; k++) {
		h[k] = s->x[k] > t ? s->x[k] - t : 0;
		xm += s->x[k] / (double)s->m;
		hm += h[k] / (double)s->m;
		ym += s->mean[k] / (double)s->m;
	}
	for (size_t k = 0; k < s->m; k++) {
		double x = s->x[k] - xm, g = h[k] - hm, y = s->mean[k] - ym;

		xx += x * x;
		xh += x * g;
		hh += g * g;
		xy += x * y;
		hy += g * y;
	}
	det = xx * hh - xh * xh;
	b = (xy * hh - hy * xh) / det;
	c = (hy * xx - xy * xh) / det;
	out->before = t > s->x[1] ? b : NAN;
	out->after = t < s->x[s->m - 2] ? b + c : NAN;
}

static void interval(const struct sweep *s, double best, double at, double level, struct knee *out)
{
	double df = (double)(s->n * (s->m - 1)) - 3;
	double var = (fmax(s->line - best, 0) + s->rest) / df;
	double q = t_quantile((1 + level) / 2, df), u[KNEE_LEVELS_MAX];
	double lo = INFINITY, hi = -INFINITY, step = (s->x[s->m - 1] - s->x[0]) / FINE;

	for (size_t i = 0; i < FINE; i++) {
		double t = grid_at(s, i, FINE);

		if (!direction(s, t, u) || best - gain(s, u, s->mean) > q * q * var)
			continue;
		lo = fmin(lo, t - step / 2);
		hi = fmax(hi, t + step / 2);
	}
	out->at = exp(at);
	out->lo = exp(fmin(lo, at));
	out->hi = exp(fmax(hi, at));
	/* before the second level and behind the last but one every break fits alike */
	out->lo_open = lo < s->x[1];
	out->hi_open = hi > s->x[s->m - 2];
	if (out->lo_open)
		out->lo = exp(s->x[0]);
	if (out->hi_open)
		out->hi = exp(s->x[s->m - 1]);
}

static const char *why_not(const double *x, size_t levels)
{
	if (levels < KNEE_LEAST)
		return "a knee needs at least 4 levels";
	if (levels > KNEE_LEVELS_MAX)
		return "there are more levels than can be fitted";
	for (size_t k = 0; k < levels; k++)
		if (!(x[k] > 0) || !isfinite(x[k]) || (k && !(x[k] > x[k - 1])))
			return "the levels do not ascend";
	return NULL;
}

void knee_fit(const double *x, size_t levels, const double *y, size_t nblocks, int worse,
	      double level, struct knee *out)
{
	struct sweep s = {.worse = worse};
	double(*u)[KNEE_LEVELS_MAX], best = 0, at = NAN;
	size_t nu = 0;

	*out = (struct knee){.at = NAN,
			     .lo = NAN,
			     .hi = NAN,
			     .before = NAN,
			     .after = NAN,
			     .p = NAN,
			     .sd = NAN,
			     .levels = levels};
	out->why = why_not(x, levels);
	if (out->why)
		return;
	if (!sweep_make(&s, x, levels, y, nblocks)) {
		out->why = "a knee needs at least 2 blocks in which every level was measured";
		out->blocks = s.n;
		return;
	}
	out->blocks = s.n;
	u = xcalloc(GRID, sizeof(*u));
	for (size_t i = 0; i < GRID; i++)
		nu += direction(&s, grid_at(&s, i, GRID), u[nu]);
	for (size_t i = 0; i < FINE; i++) {
		double v[KNEE_LEVELS_MAX], t = grid_at(&s, i, FINE), g;

		g = direction(&s, t, v) ? gain(&s, v, s.mean) : 0;
		if (g > best) {
			best = g;
			at = t;
		}
	}
	/* these fit alike as far as the level that they lie beside */
	at = fmin(fmax(at, s.x[1]), s.x[s.m - 2]);
	out->p = best > 0 ? sup_p(&s, u, nu, ratio_of(best, s.line, s.rest)) : 1;
	out->word = out->p < KNEE_SHOWN ? KNEE_SHOWN_AT : KNEE_STRAIGHT;
	out->sd = sqrt((fmax(s.line - best, 0) + s.rest) / ((double)(s.n * (s.m - 1)) - 3));
	if (best > 0)
		slopes(&s, at, out);
	if (out->word == KNEE_SHOWN_AT)
		interval(&s, best, at, level, out);
	free(u);
}
