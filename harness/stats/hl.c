/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Hodges-Lehmann estimate with limits from the signed-rank distribution. */
#include <math.h>
#include <stdlib.h>
#include "stats/stats.h"

#define HL_MIN 6    /* below, no two-sided 95 % limits exist: 2 * 2^-5 > 0.05 */
#define HL_EXACT 50 /* 2^50 sign patterns are still counted exactly in a double */
#define HL_MAX 4096 /* 8 million Walsh averages */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * How many of the smallest Walsh averages lie below the lower limit: the largest k with P(W+ < k)
 * <= tail, W+ being the signed-rank statistic of n values. Counts of the 2^n sign patterns by their
 * rank sum, one rank at a time.
 */
static size_t cut_exact(size_t n, double tail)
{
	double count[HL_EXACT * (HL_EXACT + 1) / 2 + 1] = {1}, below = 0;
	size_t top = n * (n + 1) / 2, k = 0;

	for (size_t rank = 1; rank <= n; rank++)
		for (size_t s = top; s >= rank; s--)
			count[s] += count[s - rank];
	while (k < top && below + count[k] <= ldexp(tail, n))
		below += count[k++];
	return k;
}

static size_t cut_normal(size_t n, double tail)
{
	double m = n * (n + 1.0) / 4, s = sqrt(n * (n + 1.0) * (2 * n + 1.0) / 24);
	double k = m + normal_quantile(tail) * s;

	return k > 0 ? k : 0;
}

struct interval hodges_lehmann(const double *d, size_t n, double level)
{
	struct interval r = {NAN, NAN, NAN, n, NAN};
	size_t pairs = n * (n + 1) / 2, cut, k = 0;
	double *walsh;

	if (n < HL_MIN || n > HL_MAX || !(level > 0 && level < 1))
		return r;
	for (size_t i = 0; i < n; i++)
		if (!isfinite(d[i]))
			return r;
	walsh = malloc(pairs * sizeof(*walsh));
	if (!walsh)
		return r;
	for (size_t i = 0; i < n; i++)
		for (size_t j = i; j < n; j++)
			walsh[k++] = (d[i] + d[j]) / 2;
	qsort(walsh, pairs, sizeof(*walsh), by_value);
	r.mid = pairs % 2 ? walsh[pairs / 2] : (walsh[pairs / 2 - 1] + walsh[pairs / 2]) / 2;
	r.sd = sd(d, n);
	cut = n <= HL_EXACT ? cut_exact(n, (1 - level) / 2) : cut_normal(n, (1 - level) / 2);
	if (cut) {
		r.lo = walsh[cut - 1];
		r.hi = walsh[pairs - cut];
	}
	free(walsh);
	return r;
}
