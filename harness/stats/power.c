// SPDX-License-Identifier: GPL-2.0-or-later
/* What a number of pairs can see (statistics.md, part 5), by integration over the spread that a run
 * may happen to have. */
#include <math.h>
#include "stats/power.h"
#include "stats/stats.h"

#define PAIRS_MIN 3
#define PAIRS_MAX 100000

/* Beyond so many of its standard deviations the normal distribution holds nothing that a double
 * sees. */
#define NORMAL_END 8.5

static double normal_cdf(double z)
{
	return 0.5 * erfc(-z / M_SQRT2);
}

/* u = s / sigma of df degrees of freedom: its density, log scale against underflow. */
struct spread {
	double df, ln_scale;
};

static struct spread spread_of(double df)
{
	int sign;

	return (struct spread){df, M_LN2 + df / 2 * log(df / 2) - lgamma_r(df / 2, &sign)};
}

static double spread_density(const struct spread *s, double u)
{
	if (!(u > 0))
		return s->df == 1 ? sqrt(2 / M_PI) : 0;
	return exp(s->ln_scale + (s->df - 1) * log(u) - s->df * u * u / 2);
}

/* A conditional probability, given u. */
struct given {
	double (*of)(double u, double t, double ncp);
	double t, ncp;
};

/* Gauss-Legendre of 8 nodes on each of n panels of [lo, hi] [Abramowitz & Stegun 25.4.30]. */
static double integrate(const struct spread *s, const struct given *g, double lo, double hi,
			unsigned n)
{
	static const double x[4] = {0.1834346424956498, 0.5255324099163290, 0.7966664774136267,
				    0.9602898564975363};
	static const double w[4] = {0.3626837833783620, 0.3137066458778873, 0.2223810344533745,
				    0.1012285362903763};
	double half = (hi - lo) / n / 2, sum = 0;

	for (unsigned i = 0; i < n; i++) {
		double mid = lo + (2 * i + 1) * half;

		for (int k = 0; k < 8; k++) {
			double u = mid + half * (k % 2 ? x[k / 2] : -x[k / 2]);

			sum += w[k / 2] * spread_density(s, u) * g->of(u, g->t, g->ncp);
		}
	}
	return sum * half;
}

/*
 * E g(u). The density's bulk is about 1 wide at 1 df and 1/sqrt(2 df) later; g turns from 0 to 1
 * over a few 1/|t| around ncp/t, which gets panels of its own.
 */
static double expect(double df, const struct given *g)
{
	struct spread s = spread_of(df);
	double width = NORMAL_END * 1.1 / sqrt(2 * df) * M_SQRT2;
	double lo = fmax(0, 1 - width), hi = 1 + width;
	double at = g->ncp / g->t, turn = NORMAL_END / fabs(g->t);
	double from = fmin(hi, fmax(lo, at - turn)), to = fmin(hi, fmax(lo, at + turn));
	double sum = 0;

	if (from > lo)
		sum += integrate(&s, g, lo, from, 60);
	if (to > from)
		sum += integrate(&s, g, from, to, 120);
	if (hi > to)
		sum += integrate(&s, g, to, hi, 60);
	return sum;
}

static double below(double u, double t, double ncp)
{
	return normal_cdf(t * u - ncp);
}

double noncentral_t_cdf(double t, double df, double ncp)
{
	struct given g = {below, t, ncp};
	double p;

	if (isnan(t) || isnan(ncp) || !(df > 0) || isinf(ncp))
		return NAN;
	if (isinf(t))
		return t > 0;
	if (ncp == 0)
		return t_cdf(t, df);
	if (t == 0)
		return normal_cdf(-ncp);
	if (df > 1e8)
		return normal_cdf(t - ncp);
	p = expect(df, &g);
	return p < 0 ? 0 : p > 1 ? 1 : p;
}

/* Power with a paired t whose mean is shifted by ncp standard errors. */
static double power_of(double ncp, unsigned n, double alpha, bool one_sided)
{
	double df = n - 1.0, t = t_quantile(1 - (one_sided ? alpha : alpha / 2), df);
	double p = 1 - noncentral_t_cdf(t, df, ncp);

	return one_sided ? p : p + noncentral_t_cdf(-t, df, ncp);
}

double power_pairs(double effect, double sd, unsigned n, double alpha, bool one_sided)
{
	double ncp = fabs(log1p(effect)) * sqrt(n) / (M_SQRT2 * sd);

	if (n < 2 || !(sd >= 0) || isinf(sd) || !(effect > -1) || isinf(effect) ||
	    !(alpha > 0 && alpha < 1))
		return NAN;
	if (effect == 0)
		return alpha;
	return sd == 0 ? 1 : power_of(ncp, n, alpha, one_sided);
}

/* Smallest n in PAIRS_MIN..PAIRS_MAX with enough(n), which once true stays so; 0: none. */
struct plan {
	double effect, sd, alpha, power;
	bool one_sided;
	bool (*enough)(const struct plan *p, unsigned n);
};

static unsigned smallest(const struct plan *p)
{
	unsigned lo = PAIRS_MIN - 1, hi = PAIRS_MIN;

	while (!p->enough(p, hi)) {
		if (hi == PAIRS_MAX)
			return 0;
		lo = hi;
		hi = hi * 2 > PAIRS_MAX ? PAIRS_MAX : hi * 2;
	}
	while (hi - lo > 1) {
		unsigned at = lo + (hi - lo) / 2;

		if (p->enough(p, at))
			hi = at;
		else
			lo = at;
	}
	return hi;
}

static bool enough_to_differ(const struct plan *p, unsigned n)
{
	return power_pairs(p->effect, p->sd, n, p->alpha, p->one_sided) >= p->power;
}

unsigned pairs_for(double effect, double sd, double alpha, bool one_sided, double power)
{
	struct plan p = {effect, sd, alpha, power, one_sided, enough_to_differ};

	return smallest(&p);
}

double effect_seen(double sd, unsigned n, double alpha, bool one_sided, double power)
{
	double lo = 0, hi = 1;

	if (n < 2 || !isfinite(sd) || sd < 0 || !(alpha > 0 && alpha < 1) ||
	    !(power > alpha && power < 1))
		return NAN;
	if (sd == 0)
		return 0;
	while (power_of(hi, n, alpha, one_sided) < power) {
		lo = hi;
		hi *= 2;
	}
	for (int i = 0; i < 50; i++) {
		double at = (lo + hi) / 2;

		if (power_of(at, n, alpha, one_sided) < power)
			lo = at;
		else
			hi = at;
	}
	return expm1(hi * M_SQRT2 * sd / sqrt(n));
}

/*
 * The interval lies within +-m when |mean| < m - c u sigma / sqrt(n); in standard errors, given u:
 * |z| < ncp - t u with ncp = m sqrt(n) / sigma.
 */
static double within(double u, double t, double ncp)
{
	double room = ncp - t * u;

	return room > 0 ? 2 * normal_cdf(room) - 1 : 0;
}

static bool enough_for_same(const struct plan *p, unsigned n)
{
	struct given g = {within, t_quantile(1 - p->alpha / 2, n - 1.0),
			  log1p(p->effect) * sqrt(n) / (M_SQRT2 * p->sd)};

	return expect(n - 1.0, &g) >= p->power;
}

unsigned pairs_for_same(double min_effect, double sd, double power)
{
	struct plan p = {min_effect, sd, 0.05, power, false, enough_for_same};

	if (!isfinite(sd) || sd < 0 || !(min_effect > 0) || isinf(min_effect))
		return 0;
	return sd == 0 ? PAIRS_MIN : smallest(&p);
}

/* P(X >= k) of a binomial, from the term at k on, for p <= k/n, where terms fall; 0 < k <= n,
 * p > 0. */
static double binomial_from(size_t k, size_t n, double p)
{
	int sign;
	double term = exp(lgamma_r(n + 1.0, &sign) - lgamma_r(k + 1.0, &sign) -
			  lgamma_r(n - k + 1.0, &sign) + k * log(p) + (n - k) * log1p(-p));
	double sum = term, odds = p / (1 - p);

	for (size_t i = k; i < n; i++) {
		double ratio = (n - i) / (i + 1.0) * odds;

		term *= ratio;
		sum += term;
		if (term < sum * 1e-17)
			break;
	}
	return sum;
}

/* p with P(X >= k) = tail <= 1/2; at p = k/n it is at least 1/2, the median being k. */
static double binomial_solve(size_t k, size_t n, double tail)
{
	double lo = 0, hi = (double)k / n;

	for (int i = 0; i < 60; i++) {
		double at = (lo + hi) / 2;

		if (binomial_from(k, n, at) < tail)
			lo = at;
		else
			hi = at;
	}
	return (lo + hi) / 2;
}

void binomial_limits(size_t k, size_t n, double level, double *lo, double *hi)
{
	double tail = (1 - level) / 2;

	*lo = *hi = NAN;
	if (!n || k > n || !(level > 0 && level < 1))
		return;
	*lo = k ? binomial_solve(k, n, tail) : 0;
	/* The failures' lower limit, from the other end. */
	*hi = k < n ? 1 - binomial_solve(n - k, n, tail) : 1;
}
