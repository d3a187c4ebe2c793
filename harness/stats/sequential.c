// SPDX-License-Identifier: GPL-2.0-or-later
/* Repeated intervals, the t confidence sequence and Stein's second stage (statistics.md, part 6).
 */
#include <limits.h>
#include <math.h>
#include "stats/seq_table.h"
#include "stats/sequential.h"

#define SEQ_LEVEL 0.95
#define CONFSEQ_G 1.0

double seq_factor(unsigned max, unsigned n)
{
	if (max < SEQ_FIRST || max > SEQ_MAX || n > max)
		return NAN;
	if (n < SEQ_FIRST)
		return INFINITY;
	return seq_table[seq_table_row(max) + n - SEQ_FIRST] / SEQ_TABLE_UNIT;
}

double confseq_factor(unsigned n, double alpha)
{
	double w = 1 + n * CONFSEQ_G, k;

	if (!(alpha > 0 && alpha < 1))
		return NAN;
	if (n < 2)
		return INFINITY;
	k = exp((log(w) - 2 * log(alpha)) / n);
	if (k >= w)
		return INFINITY;
	return sqrt((n - 1.0) * (k - 1) / (1 - k / w));
}

/* Half-width after r's n values; NAN without a spread. */
static double half_width(const struct interval *r, unsigned max)
{
	double c;

	if (r->n < 2 || r->n > UINT_MAX || isnan(r->sd))
		return NAN;
	c = max ? seq_factor(max, r->n) : confseq_factor(r->n, 1 - SEQ_LEVEL);
	return isinf(c) ? c : c * r->sd / sqrt(r->n);
}

struct interval seq_ratio(const double *a, const double *b, size_t n, unsigned max, double sd_floor)
{
	struct interval r = ratio_interval(a, b, n, SEQ_LEVEL, sd_floor);
	double half = half_width(&r, max);

	r.lo = r.mid * exp(-half);
	r.hi = r.mid * exp(half);
	return r;
}

struct interval seq_diff(const double *a, const double *b, size_t n, unsigned max)
{
	struct interval r = diff_interval(a, b, n, SEQ_LEVEL);
	double half = half_width(&r, max);

	r.lo = r.mid - half;
	r.hi = r.mid + half;
	return r;
}

unsigned stein_blocks(double s0, unsigned n0, double w, double level)
{
	double half, n;

	if (n0 < 2 || !(level > 0 && level < 1) || !(s0 > 0) || !(w > 0))
		return n0;
	half = t_quantile(0.5 + level / 2, n0 - 1.0) * s0 / w;
	n = ceil(half * half);
	return n >= UINT_MAX ? UINT_MAX : n > n0 ? (unsigned)n : n0;
}
