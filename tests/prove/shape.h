/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shapes of a trial's error and levels at which trials are alike: what all simulations draw from.
 */
#ifndef VB_PROVE_SHAPE_H
#define VB_PROVE_SHAPE_H

#include "prove.h"

enum shape {
	SHAPE_NORMAL2,	 /* normal, 2 % */
	SHAPE_LOGN5,	 /* lognormal, 5 % */
	SHAPE_LOGN30,	 /* lognormal, 30 % */
	SHAPE_T3,	 /* Student's t with 3 degrees of freedom, scale 2 % */
	SHAPE_SKEWED,	 /* exponential, 2 %: a hard floor and a long tail */
	SHAPE_SPOILED,	 /* normal 1 %, and 5 % of the trials 20 % slower */
	SHAPE_SPOILED_B, /* the same in the second cell only */
	SHAPES,
	SHAPES_ALIKE = SHAPE_SPOILED_B /* those before it are alike in both cells */
};

extern const char *const shape_word[SHAPES];

/* The error of the log of one trial of cell 0 or 1. */
double shape_error(struct prove_rng *g, enum shape s, int cell);

/* By how much the mean of the pairs' differences exceeds the typical one. */
double shape_mean(enum shape s);

/*
 * n pairs of raw values, as the store would hold them: b is a * exp(theta). sd of a block 5 %; each
 * pair has its own errors.
 */
void shape_pairs(struct prove_rng *g, enum shape s, double theta, size_t n, double *a, double *b);

/* The same with normal errors of standard deviation sd. */
void normal_pairs(struct prove_rng *g, double sd, double theta, size_t n, double *a, double *b);

#endif
