/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Distribution functions and quantiles of Student's t, chi-square and the normal distribution. */
#include <float.h>
#include <math.h>
#include "stats/stats.h"

/* Above this many degrees of freedom t and the normal distribution agree to better than 1e-11. */
#define DF_NORMAL 1e11

/* Continued fractions need about sqrt(df) steps; beyond DF_NORMAL none is evaluated. */
#define CF_MAX 1000000
#define CF_EPS 1e-16
#define CF_TINY 1e-300

static double normal_sf(double z)
{
	return 0.5 * erfc(z / M_SQRT2);
}

/* lgamma without the global signgam; the arguments here are positive. */
static double ln_gamma(double a)
{
	int sign;

	return lgamma_r(a, &sign);
}

/*
 * ln B(a, 1/2). For large a the difference of two lgammas cancels; the asymptotic series of
 * ln G(a + 1/2) - ln G(a) does not [Abramowitz & Stegun 6.1.40 gives both terms].
 */
static double ln_beta_half(double a)
{
	double i = 1 / a, i2 = i * i, d;

	if (a < 40)
		return ln_gamma(a) + ln_gamma(0.5) - ln_gamma(a + 0.5);
	d = 0.5 * log(a) - i / 8 + i * i2 / 192 - i * i2 * i2 / 640;
	return 0.5 * log(M_PI) - d;
}

/* The continued fraction of the incomplete beta function [A&S 26.5.8] by the modified Lentz method.
 */
static double beta_fraction(double a, double b, double x)
{
	double c = 1, d = 1 - (a + b) * x / (a + 1), h;

	d = 1 / (fabs(d) < CF_TINY ? CF_TINY : d);
	h = d;
	for (int m = 1; m < CF_MAX; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		double coef[2] = {even, odd}, step = 1;

		for (int k = 0; k < 2; k++) {
			d = 1 + coef[k] * d;
			d = 1 / (fabs(d) < CF_TINY ? CF_TINY : d);
			c = 1 + coef[k] / c;
			c = fabs(c) < CF_TINY ? CF_TINY : c;
			step = c * d;
			h *= step;
		}
		if (fabs(step - 1) < CF_EPS)
			break;
	}
	return h;
}

/* P(T > t) for t >= 0: half of the regularised incomplete beta function I_x(df/2, 1/2) at df/(df +
 * t^2). */
static double t_sf(double t, double df)
{
	double a = df / 2, t2 = t * t, x, y, front;

	if (df > DF_NORMAL)
		return normal_sf(t);
	if (!(t2 > 0))
		return 0.5;
	x = isinf(t2) ? 0 : df / (df + t2);
	if (x == 0) /* t^2 overflows or dwarfs df: the leading power is all that is left */
		return 0.5 * exp(a * (log(df) - 2 * log(t)) - ln_beta_half(a)) / a;
	y = t2 / (df + t2); /* 1 - x, without cancellation */
	front = exp(-a * log1p(t2 / df) + 0.5 * log(y) - ln_beta_half(a));
	if (x < (a + 1) / (a + 2.5))
		return 0.5 * front * beta_fraction(a, 0.5, x) / a;
	return 0.5 * (1 - front * beta_fraction(0.5, a, y) / 0.5);
}

double t_cdf(double t, double df)
{
	if (isnan(t) || !(df > 0))
		return NAN;
	return t < 0 ? t_sf(-t, df) : 1 - t_sf(t, df);
}

static double t_pdf(double t, double df)
{
	if (df > DF_NORMAL)
		return exp(-t * t / 2) / sqrt(2 * M_PI);
	return exp(-(df + 1) / 2 * log1p(t * t / df) - 0.5 * log(df) - ln_beta_half(df / 2));
}

/* A decreasing tail function of x >= 0 and its density, so that one solver serves all quantiles. */
struct tail {
	double (*sf)(double x, double df);
	double (*pdf)(double x, double df);
	double df;
};

/* x >= 0 with sf(x) = q: Newton's steps, each kept inside a bracket that shrinks. */
static double tail_solve(const struct tail *f, double q, double start)
{
	double lo = 0, hi = start, x;

	while (f->sf(hi, f->df) > q) {
		lo = hi;
		hi *= 2;
		if (isinf(hi))
			return hi;
	}
	x = 0.5 * (lo + hi);
	for (int i = 0; i < 400; i++) {
		double miss = f->sf(x, f->df) - q, next;

		if (miss > 0)
			lo = x;
		else
			hi = x;
		next = x + miss / f->pdf(x, f->df);
		if (!(next > lo && next < hi))
			next = 0.5 * (lo + hi);
		if (fabs(next - x) <= 4 * DBL_EPSILON * fabs(next))
			return next;
		x = next;
	}
	return x;
}

double t_quantile(double p, double df)
{
	struct tail f = {t_sf, t_pdf, df};

	if (!(p >= 0 && p <= 1) || !(df > 0))
		return NAN;
	if (p == 0.5)
		return 0;
	if (p == 0 || p == 1)
		return p == 0 ? -INFINITY : INFINITY;
	return p < 0.5 ? -tail_solve(&f, p, 1) : tail_solve(&f, 1 - p, 1);
}

double normal_quantile(double p)
{
	return t_quantile(p, INFINITY);
}

/* Q(a, x) = G(a, x)/G(a): series below a + 1 [A&S 6.5.29], continued fraction above [A&S 6.5.31].
 */
static double gamma_sf(double a, double x)
{
	double front, sum, term, b, c, d, h;

	if (!(x > 0))
		return 1;
	front = exp(-x + a * log(x) - ln_gamma(a));
	if (x < a + 1) {
		sum = term = 1 / a;
		for (int n = 1; n < CF_MAX && term > sum * CF_EPS; n++) {
			term *= x / (a + n);
			sum += term;
		}
		return 1 - front * sum;
	}
	b = x + 1 - a;
	c = 1 / CF_TINY;
	d = 1 / b;
	h = d;
	for (int n = 1; n < CF_MAX; n++) {
		double an = -n * (n - a);

		b += 2;
		d = an * d + b;
		d = 1 / (fabs(d) < CF_TINY ? CF_TINY : d);
		c = b + an / c;
		c = fabs(c) < CF_TINY ? CF_TINY : c;
		h *= c * d;
		if (fabs(c * d - 1) < CF_EPS)
			break;
	}
	return front * h;
}

static double chi2_sf(double x, double df)
{
	return gamma_sf(df / 2, x / 2);
}

static double chi2_pdf(double x, double df)
{
	return exp((df / 2 - 1) * log(x / 2) - x / 2 - ln_gamma(df / 2)) / 2;
}

double chi2_quantile(double p, double df)
{
	struct tail f = {chi2_sf, chi2_pdf, df};

	if (!(p >= 0 && p <= 1) || !(df > 0) || isinf(df))
		return NAN;
	if (p == 0 || p == 1)
		return p == 0 ? 0 : INFINITY;
	return tail_solve(&f, 1 - p, df);
}
