// SPDX-License-Identifier: GPL-2.0-or-later
/* The gate's own two stages as a judge of resampled nights. */
#include <math.h>
#include <stdlib.h>
#include "base/err.h"
#include "gate/prove_night.h"

/* Harms as the values that the gate reads: a reference of 1, and so much more of what is bad. */
static struct gate_stage stage_of(const double *harm, size_t n, double *one, double *value)
{
	for (size_t k = 0; k < n; k++) {
		one[k] = 1;
		value[k] = exp(harm[k]); /* NAN stays */
	}
	return gate_stage_of(one, value, n, false, 0);
}

void prove_gate(const double *const *first, size_t nfirst, const double *const *second,
		size_t nsecond, size_t nseries, bool *red, void *arg)
{
	const struct gate_rule *rule = arg;
	size_t longest = nfirst > nsecond ? nfirst : nsecond;
	double *one = xcalloc(longest + 1, sizeof(*one)),
	       *value = xcalloc(longest + 1, sizeof(*value));
	struct gate_stage *confirm = xcalloc(nseries + 1, sizeof(*confirm));
	int *suspect = xcalloc(nseries + 1, sizeof(*suspect)),
	    *shown = xcalloc(nseries + 1, sizeof(*shown));
	double *p = xcalloc(nseries + 1, sizeof(*p));

	for (size_t i = 0; i < nseries; i++) {
		struct gate_stage screen = stage_of(first[i], nfirst, one, value);

		suspect[i] = gate_suspect(&screen);
		if (suspect[i])
			confirm[i] = stage_of(second[i], nsecond, one, value);
	}
	gate_confirm(rule, confirm, suspect, nseries, p, shown);
	for (size_t i = 0; i < nseries; i++)
		red[i] = shown[i] > 0;
	free(one);
	free(value);
	free(confirm);
	free(suspect);
	free(shown);
	free(p);
}
