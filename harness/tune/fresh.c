// SPDX-License-Identifier: GPL-2.0-or-later
/* What keeps the proof apart from the search: other draws, and no word where the search saw
 * nothing.
 */
#include <inttypes.h>
#include <string.h>
#include "tune/tune.h"

bool tune_blind(const json_t *state)
{
	const json_t *found = json_object_get(state, "search"),
		     *measured = json_object_get(found, "measured");

	return (json_is_integer(measured) && !json_integer_value(measured)) ||
	       json_is_true(json_object_get(found, "start_failed"));
}

char *tune_fresh_seed(const json_t *state, const char *run_key)
{
	static const char *const steps[] = {"search_run", "final_run", "confirm_run",
					    "exhaustive_run"};
	struct profile *p = NULL;
	struct err e = {0};
	const char *seed;
	char *out = NULL;
	uint64_t step = 0;

	while (step < 4 && strcmp(steps[step], run_key))
		step++;
	if (tune_one_cell(state, NULL, &p, &e))
		return NULL;
	seed = profile_get(p, K_SEED);
	/* any other number gives other streams (run/policy.c); below 2^47, as a run has it */
	if (seed && strcmp(seed, "random"))
		out = xasprintf("run.seed=%" PRIu64,
				(profile_u64(p, K_SEED) + step * UINT64_C(0x9e3779b97f5)) &
					UINT64_C(0x7fffffffffff));
	profile_free(p);
	return out;
}
