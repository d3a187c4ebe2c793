/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What could not be measured, as a report says it. */
#include <stdlib.h>
#include "analysis/model.h"
#include "profile/profile.h"

json_t *model_left_out(const struct model *m)
{
	json_t *out = json_array();
	size_t n, nlines;
	struct skipped *all = skipped_of(m->skipped, &n);
	struct skipped_line *lines = skipped_lines(all, n, &nlines);

	for (size_t i = 0; i < nlines; i++) {
		json_t *cells = json_array();

		for (size_t k = 0; lines[i].ncell > 1 && k < lines[i].ncell; k++)
			json_array_append_new(cells, json_string(all[lines[i].cell[k]].what));
		json_array_append_new(out, json_pack("{s:s, s:s, s:o}", "what", lines[i].what,
						     "reason", lines[i].reason, "cells", cells));
	}
	skipped_lines_free(lines, nlines);
	free(all);
	return out;
}
