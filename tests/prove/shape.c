// SPDX-License-Identifier: GPL-2.0-or-later
/* Shapes of a trial's error (statistics.md, part 2). */
#include <math.h>
#include "shape.h"

#define BASE 123.0 /* microseconds, say: no interval may depend on the unit */
#define BLOCK 0.05
#define SPOILED 0.05 /* share of slow trials, and how slow they are */
#define SLOW 1.2

const char *const shape_word[SHAPES] = {
	[SHAPE_NORMAL2] = "normal2",
	[SHAPE_LOGN5] = "lognormal5",
	[SHAPE_LOGN30] = "lognormal30",
	[SHAPE_T3] = "t3",
	[SHAPE_SKEWED] = "skewed",
	[SHAPE_SPOILED] = "spoiled",
	[SHAPE_SPOILED_B] = "spoiled-one-cell",
};

static double student3(struct prove_rng *g)
{
	double chi2 = 0, z = prove_normal(g);

	for (int i = 0; i < 3; i++) {
		double v = prove_normal(g);

		chi2 += v * v;
	}
	return z / sqrt(chi2 / 3);
}

double shape_error(struct prove_rng *g, enum shape s, int cell)
{
	switch (s) {
	case SHAPE_LOGN5:
		return 0.05 * prove_normal(g);
	case SHAPE_LOGN30:
		return 0.30 * prove_normal(g);
	case SHAPE_T3:
		return 0.02 * student3(g);
	case SHAPE_SKEWED:
		return 0.02 * prove_exponential(g);
	case SHAPE_SPOILED:
	case SHAPE_SPOILED_B:
		return 0.01 * prove_normal(g) +
		       ((s == SHAPE_SPOILED || cell) && prove_uniform(g) < SPOILED ? log(SLOW) : 0);
	default:
		return 0.02 * prove_normal(g);
	}
}

double shape_mean(enum shape s)
{
	return s == SHAPE_SPOILED_B ? SPOILED * log(SLOW) : 0;
}

void shape_pairs(struct prove_rng *g, enum shape s, double theta, size_t n, double *a, double *b)
{
	for (size_t i = 0; i < n; i++) {
		double block = BLOCK * prove_normal(g);

		a[i] = BASE * exp(block + shape_error(g, s, 0));
		b[i] = BASE * exp(block + theta + shape_error(g, s, 1));
	}
}

void normal_pairs(struct prove_rng *g, double sd, double theta, size_t n, double *a, double *b)
{
	for (size_t i = 0; i < n; i++) {
		double block = BLOCK * prove_normal(g);

		a[i] = BASE * exp(block + sd * prove_normal(g));
		b[i] = BASE * exp(block + theta + sd * prove_normal(g));
	}
}
