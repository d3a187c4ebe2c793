/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What images and many disks take, on a terminal: a short table under a workload's cells. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "reports/text.h"

static void value_text(const struct model_row *r, const struct metric_row *metric, char *buf,
		       size_t size)
{
	const struct model_value *v = row_value(r, metric);

	if (v && isfinite(v->abs.mid))
		metric_text(metric, v->abs.mid, buf, size);
	else
		snprintf(buf, size, "-");
}

static bool row_has(const struct model_row *r, const struct aside *a)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct model_value *v = row_value(r, a->metric[i]);

		if (v && isfinite(v->abs.mid))
			return true;
	}
	return false;
}

/* The figures of a row as one field, each column as wide as it needs. */
static void figures(const struct model_row *r, const struct aside *a, const int *wide, char *buf,
		    size_t size)
{
	size_t at = 0;

	buf[0] = 0;
	for (size_t i = 0; i < a->n && at < size; i++) {
		char text[64];

		if (r)
			value_text(r, a->metric[i], text, sizeof(text));
		else
			snprintf(text, sizeof(text), "%s", a->name[i]);
		at += snprintf(buf + at, size - at, "%s%*s", i ? "  " : "", wide[i], text);
	}
}

void text_aside(const struct text *t, const struct model *m, const struct model_workload *w,
		enum aside_kind kind)
{
	struct aside a;
	struct line *lines;
	int wide[ASIDE_MAX] = {0};
	size_t n = 1;
	char head[64];

	if (!workload_aside(m, w, kind, &a))
		return;
	for (size_t i = 0; i < a.n; i++) {
		wide[i] = (int)strlen(a.name[i]);
		for (size_t r = 0; r < w->nrows; r++) {
			value_text(&w->rows[r], a.metric[i], head, sizeof(head));
			wide[i] = (int)strlen(head) > wide[i] ? (int)strlen(head) : wide[i];
		}
	}
	lines = xcalloc(w->nrows + 1, sizeof(*lines));
	lines[0].name = a.title;
	snprintf(lines[0].number, sizeof(lines[0].number), "#");
	figures(NULL, &a, wide, lines[0].ratio, sizeof(lines[0].ratio));
	for (size_t r = 0; r < w->nrows; r++) {
		if (!row_has(&w->rows[r], &a))
			continue;
		snprintf(lines[n].number, sizeof(lines[n].number), "%u", w->rows[r].cell + 1);
		lines[n].name = row_label(m, &w->rows[r]);
		figures(&w->rows[r], &a, wide, lines[n].ratio, sizeof(lines[n].ratio));
		n++;
	}
	text_table(t, lines, n);
	free(lines);
}
