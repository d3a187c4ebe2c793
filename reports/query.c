/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several parts of a report ask of a model; nothing here trusts an index or a pointer in it.
 */
#include <stdio.h>
#include <string.h>
#include "reports/page.h"

const struct model_value *row_value(const struct model_row *r, const struct metric_row *m)
{
	for (size_t i = 0; r && m && i < r->nvalues; i++) {
		const struct metric_row *have = r->values[i].metric;

		if (have && (have == m || (have->id && m->id && strcmp(have->id, m->id) == 0)))
			return &r->values[i];
	}
	return NULL;
}

const struct model_value *row_primary(const struct model_workload *w, const struct model_row *r)
{
	return row_value(r, w->primary);
}

const struct model_row *workload_first(const struct model_workload *w)
{
	for (size_t i = 0; i < w->nrows; i++)
		if (w->rows[i].cell == 0)
			return &w->rows[i];
	return NULL;
}

const char *row_label(const struct model *m, const struct model_row *r)
{
	if (r->cell >= m->ncells || !m->cells[r->cell].label)
		return "(no name)";
	return m->cells[r->cell].label;
}

enum mark row_mark(const struct model_row *r, const struct model_value *v)
{
	if (r->too_many_failed)
		return MARK_FAILED;
	if (r->limits && !r->ok)
		return MARK_LIMIT;
	return !v || r->cell == 0 ? MARK_NONE : verdict_mark(v->verdict);
}

enum mark verdict_mark(enum verdict v)
{
	switch (v) {
	case VERDICT_BETTER:
		return MARK_BETTER;
	case VERDICT_WORSE:
		return MARK_WORSE;
	case VERDICT_SAME:
		return MARK_SAME;
	default:
		return MARK_NONE;
	}
}

char *verdict_text(enum verdict v, const struct forecast *more, char *buf, size_t size)
{
	char blocks[64];

	snprintf(buf, size, "%s%s%s", v == VERDICT_NONE ? "" : verdict_word(v),
		 v == VERDICT_UNDECIDED && more->known ? ", " : "",
		 v == VERDICT_UNDECIDED ? forecast_text(more, blocks, sizeof(blocks)) : "");
	return buf;
}

char *row_word(const struct model_row *r, const struct model_value *v, char *buf, size_t size)
{
	enum mark k = row_mark(r, v);

	if (k == MARK_NONE && v && r->cell)
		return verdict_text(v->verdict, &v->more, buf, size);
	snprintf(buf, size, "%s", mark_word(k));
	return buf;
}

const char *mark_word(enum mark k)
{
	static const char *const words[] = {"", "better", "worse", "failed", "same", "limit"};

	return words[k];
}

const char *row_limit(const struct model_row *r)
{
	return r->limit && *r->limit ? r->limit : "no room for more disks";
}

const char *workload_pass(const struct model_workload *w)
{
	return w->pass == PASS_FIRST_WRITE ? "first write" : w->pass == PASS_STEADY ? "steady" : "";
}

const char *mark_sign(enum mark k)
{
	static const char *const signs[] = {"",	 "\xe2\x96\xb2", "\xe2\x96\xbc", "\xe2\x9c\x95",
					    "=", "\xe2\x80\x96"};

	return signs[k];
}

size_t model_points(const struct model *m)
{
	return m->blocks_planned;
}

bool workload_best_told(const struct model_workload *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->nrows; i++)
		n += w->rows[i].best_set;
	return n > 0 && n < w->nrows;
}

size_t workload_differing(const struct model_workload *w, const struct metric_row *m)
{
	size_t n = 0;

	for (size_t i = 0; i < w->nrows; i++) {
		enum mark k = row_mark(&w->rows[i], row_value(&w->rows[i], m));

		n += k == MARK_BETTER || k == MARK_WORSE;
	}
	return n;
}
