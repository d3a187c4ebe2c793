/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Screening a space of settings: which cells to try, and what a few trials say of all of them
 * (statistics.md, part 15). The model is a ridge regression of main effects and two-axis
 * interactions, each with a shrinkage of its own, and a free level for each block [Hoerl & Kennard
 * 1970; Robinson 1991]; cells are chosen by the information that they add under the same prior
 * (Bayesian D-optimality [Chaloner & Verdinelli 1995]) with exchanges [Fedorov 1972].
 *
 * Values are logarithms, turned so that more is worse.
 */
#ifndef VB_STATS_SCREEN_H
#define VB_STATS_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#define SCREEN_NONE 255	   /* as a level: the axis means nothing in this cell */
#define SCREEN_OBS_MAX 800 /* time grows with the third power */

struct screen_space {
	size_t cells, axes;
	const unsigned *levels;	    /* [axes] how many each has, at least 2 and at most 254 */
	const unsigned char *level; /* [cells][axes] */
};

struct screen_obs {
	size_t cell;
	unsigned block;
	double y; /* finite */
};

/*
 * Chooses n distinct cells into out, `first` among them: start is the cell that is always there,
 * and order a permutation of the cells, of which the earlier is taken where two are worth the same.
 * Returns how many were chosen: n, or all that there are; 0: no memory.
 */
size_t screen_choose(const struct screen_space *s, size_t n, size_t start, const size_t *order,
		     size_t *out);

struct screen_fit {
	double main,
		inter; /* variances of a main effect and of an interaction, as shares of noise's */
	double noise_sd; /* of one trial; NAN: cannot be told */
	size_t used, blocks;
};

/*
 * Fits n observations and predicts every cell into mid[cells] (no block's level in it, so only
 * differences mean anything). The two shrinkages maximise the restricted likelihood (REML
 * [Patterson & Thompson 1971]), an interaction's variance being at most a main effect's. A cell may
 * be observed more than once. With rest > 0 each cell also has an effect of its own, of that
 * variance as a share of noise's: what axes and pairs of them do not explain. false: no block with
 * two observations, more than SCREEN_OBS_MAX, or no memory; mid is then 0, and fit->used too.
 */
bool screen_predict(const struct screen_space *s, const struct screen_obs *obs, size_t n,
		    double rest, double *mid, struct screen_fit *fit);

#endif
