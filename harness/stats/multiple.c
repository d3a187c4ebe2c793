/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adjusted p values for many comparisons (statistics.md, part 7). */
#include <math.h>
#include <stdlib.h>
#include "stats/stats.h"

struct ranked {
	double p;
	size_t at;
};

static int by_p(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return (x->p > y->p) - (x->p < y->p);
}

/* The p values that exist, ascending; NULL when there are none (or no memory: then all become NAN,
 * never smaller). */
static struct ranked *rank_p(double *p, size_t n, size_t *count)
{
	struct ranked *r = malloc((n ? n : 1) * sizeof(*r));

	*count = 0;
	for (size_t i = 0; i < n; i++) {
		if (!r)
			p[i] = NAN;
		else if (!isnan(p[i]))
			r[(*count)++] = (struct ranked){p[i], i};
	}
	if (r)
		qsort(r, *count, sizeof(*r), by_p);
	return r;
}

void holm(double *p, size_t n)
{
	double worst = 0;
	size_t m;
	struct ranked *r = rank_p(p, n, &m);

	for (size_t i = 0; i < m; i++) {
		worst = fmax(worst, fmin(1, (m - i) * r[i].p));
		p[r[i].at] = worst;
	}
	free(r);
}

void bh(double *p, size_t n)
{
	double best = 1;
	size_t m;
	struct ranked *r = rank_p(p, n, &m);

	for (size_t i = m; i-- > 0;) {
		best = fmin(best, r[i].p * m / (i + 1));
		p[r[i].at] = best;
	}
	free(r);
}
