/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Means, medians and Student's intervals of values, ratios and differences (statistics.md, part 2).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "stats/stats.h"

double mean(const double *x, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i];
	return n ? sum / n : NAN;
}

double sd(const double *x, size_t n)
{
	double m = mean(x, n), sum = 0;

	if (n < 2)
		return NAN;
	for (size_t i = 0; i < n; i++)
		sum += (x[i] - m) * (x[i] - m);
	return sqrt(sum / (n - 1));
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double percentile(const double *x, size_t n, double p)
{
	double *s, at, v;
	size_t i;

	if (!n || !(p >= 0 && p <= 1))
		return NAN;
	for (i = 0; i < n; i++)
		if (isnan(x[i]))
			return NAN;
	s = malloc(n * sizeof(*s));
	if (!s)
		return NAN;
	memcpy(s, x, n * sizeof(*s));
	qsort(s, n, sizeof(*s), by_value);
	at = p * (n - 1);
	i = at;
	v = i + 1 < n && at > i ? s[i] + (at - i) * (s[i + 1] - s[i]) : s[i];
	free(s);
	return v;
}

double median(const double *x, size_t n)
{
	return percentile(x, n, 0.5);
}

struct interval t_interval_of(double mid, double s, size_t n, double level)
{
	struct interval r = {mid, NAN, NAN, n, s};
	double half;

	if (n < 2 || !(level > 0 && level < 1))
		return r;
	half = t_quantile(0.5 + level / 2, n - 1) * s / sqrt(n);
	r.lo = mid - half;
	r.hi = mid + half;
	return r;
}

struct interval t_interval(const double *x, size_t n, double level, double sd_floor)
{
	double s = sd(x, n);

	/* A constant reading says that the metric's step is coarse, not that it has no noise. */
	return t_interval_of(mean(x, n), s < sd_floor ? sd_floor : s, n, level);
}

static struct interval exp_of(struct interval r)
{
	r.mid = exp(r.mid);
	r.lo = exp(r.lo);
	r.hi = exp(r.hi);
	return r;
}

static const struct interval nothing = {NAN, NAN, NAN, 0, NAN};

/* Keeps the finite ones of x[i] = of(a[i], b[i]) and makes their t interval; a NULL stands for all
 * neutral. */
static struct interval paired(const double *a, const double *b, size_t n,
			      double (*of)(double a, double b), double neutral, double level,
			      double sd_floor)
{
	struct interval r = nothing;
	double *d = malloc((n ? n : 1) * sizeof(*d));
	size_t k = 0;

	if (!d)
		return r;
	for (size_t i = 0; i < n; i++) {
		double v = of(a ? a[i] : neutral, b[i]);

		if (isfinite(v))
			d[k++] = v;
	}
	if (k)
		r = t_interval(d, k, level, sd_floor);
	free(d);
	return r;
}

static double log_ratio(double a, double b)
{
	return a > 0 && b > 0 ? log(b) - log(a) : NAN;
}

static double difference(double a, double b)
{
	return b - a;
}

struct interval gmean_interval(const double *x, size_t n, double level)
{
	return exp_of(paired(NULL, x, n, log_ratio, 1, level, 0));
}

struct interval ratio_interval(const double *a, const double *b, size_t n, double level,
			       double sd_floor)
{
	return exp_of(paired(a, b, n, log_ratio, 1, level, sd_floor));
}

struct interval diff_interval(const double *a, const double *b, size_t n, double level)
{
	return paired(a, b, n, difference, 0, level, 0);
}

/* Two-sided p of a mean of n values with standard deviation s against 0. */
static double mean_p(double mid, double s, size_t n)
{
	if (n < 2 || isnan(mid) || isnan(s))
		return NAN;
	if (s == 0)
		return mid == 0 ? 1 : 0;
	return 2 * t_cdf(-fabs(mid) * sqrt(n) / s, n - 1);
}

double ratio_p(const struct interval *r)
{
	return mean_p(log(r->mid), r->sd, r->n);
}

double diff_p(const struct interval *d)
{
	return mean_p(d->mid, d->sd, d->n);
}

double histogram_percentile(const double *lo, const double *hi, const unsigned long long *count,
			    size_t bins, double p)
{
	double total = 0, before = 0, want;
	size_t last = bins;

	for (size_t i = 0; i < bins; i++)
		total += count[i];
	if (!(total > 0) || !(p >= 0 && p <= 1))
		return NAN;
	want = p * total;
	for (size_t i = 0; i < bins; i++) {
		if (!count[i])
			continue;
		if (before + count[i] >= want)
			return lo[i] + (hi[i] - lo[i]) * (want - before) / count[i];
		before += count[i];
		last = i;
	}
	return hi[last]; /* rounding of p * total */
}
