// SPDX-License-Identifier: GPL-2.0-or-later
/* After the proof: on demand all cells are measured, to see how near the recommendation is to the
 * best. */
#include <stdlib.h>
#include <string.h>
#include "tune/tune.h"

#define BLOCKS "run.blocks=5"

/* All cells of the space in five blocks. */
static int all_cells(const json_t *state, struct profile **out, struct err *e)
{
	json_t *copy = json_deep_copy(state);
	char *label = xasprintf("%s (all cells)", tune_str(state, "label"));
	char *seed = tune_fresh_seed(state, "exhaustive_run");
	int rc;

	json_array_append_new(json_object_get(copy, "sets"), json_string(BLOCKS));
	if (seed)
		json_array_append_new(json_object_get(copy, "sets"), json_string(seed));
	json_object_set_new(copy, "label", json_string(label));
	rc = tune_search_profile(copy, out, e);
	json_decref(copy);
	free(seed);
	free(label);
	return rc;
}

int tune_check(json_t *state, const struct tune_opts *o, struct err *e)
{
	const char **values = tune_recommended(state);
	struct profile *all = NULL, *one = NULL;
	const char *uuid = tune_str(state, "exhaustive_run");
	json_t *out = NULL;
	int rc = tune_one_cell(state, values, &one, e);

	if (!rc && !tune_audit(one, NULL, &out, NULL))
		json_object_set_new(state, "audit_end", out);
	out = NULL;
	if (!rc && json_is_true(json_object_get(state, "exhaustive"))) {
		rc = all_cells(state, &all, e);
		if (!rc)
			rc = tune_run_all(all, uuid, o, e);
		if (!rc)
			rc = tune_rank(state, uuid, one->cells[0].id, o, &out, e);
		if (!rc)
			json_object_set_new(state, "all", out);
	}
	profile_free(all);
	profile_free(one);
	free(values);
	if (rc)
		return rc;
	json_object_set_new(state, "phase", json_string("keep"));
	return tune_save(state, e);
}
