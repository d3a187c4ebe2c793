/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several parts of a report ask of a ladder; nothing here trusts an index in it. */
#include <math.h>
#include <string.h>
#include "reports/page.h"

const struct metric_row *step_metric(enum step_figure f)
{
	static const struct metric_row rows[STEP_FIGURES] = {
		[STEP_NS] = {"ns_per_io", "time per I/O", "ns", LOWER_IS_BETTER, SCALE_DIFFERENCE,
			     0, false},
		[STEP_LAT] = {"lat", "latency", "ns", LOWER_IS_BETTER, SCALE_DIFFERENCE, 0, false},
		[STEP_CPU] = {"cpu_per_io", "CPU time per I/O", "ns", LOWER_IS_BETTER,
			      SCALE_DIFFERENCE, 0, false},
	};

	return &rows[f];
}

const char *layer_text(enum layer_word w)
{
	static const char *const words[] = {"", "undecided", "costs", "saves"};

	return words[w];
}

enum mark layer_mark(const struct model_rung *r, enum layer_word w)
{
	if (r->unlike)
		return MARK_NONE;
	return w == LAYER_COSTS ? MARK_WORSE : w == LAYER_SAVES ? MARK_BETTER : MARK_NONE;
}

bool steps_have(const struct model *m, const struct model_workload *w, enum step_figure f)
{
	for (size_t i = 0; w->steps && i < m->nrungs; i++)
		if (isfinite(w->steps[i].of[f].abs.mid))
			return true;
	return false;
}

size_t rung_stack(const struct model *m, size_t i, size_t *stack, size_t max)
{
	size_t n = 0;

	for (long at = i; at >= 0 && (size_t)at < m->nrungs && n < max; at = m->rungs[at].below)
		stack[n++] = at;
	for (size_t k = 0; k < n / 2; k++) {
		size_t swap = stack[k];

		stack[k] = stack[n - 1 - k];
		stack[n - 1 - k] = swap;
	}
	return n;
}

bool rung_is_top(const struct model *m, size_t i)
{
	for (size_t k = 0; k < m->nrungs; k++)
		if (m->rungs[k].below == (long)i)
			return false;
	return true;
}
