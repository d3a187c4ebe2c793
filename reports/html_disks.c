/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What images and many disks take, on the page: a short table under a workload's cells. */
#include <math.h>
#include "reports/page.h"

static void aside_cell(FILE *f, const struct model_value *v)
{
	char text[128];

	if (!v || !isfinite(v->abs.mid))
		html(f, "<td class=\"num na\">\xe2\x80\x93</td>");
	else
		html(f, "<td class=\"num\">%s</td>",
		     num_value(v->metric, &v->abs, NUM_HTML, text, sizeof(text)));
}

static void aside_table(FILE *f, const struct model *m, const struct model_workload *w,
			const struct aside *a)
{
	html(f,
	     "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: %s\">"
	     "<table class=\"lat\">\n<thead><tr><th scope=\"col\">#</th>"
	     "<th scope=\"col\">Cell</th>",
	     a->title);
	for (size_t i = 0; i < a->n; i++)
		html(f, "<th scope=\"col\" class=\"num\">%s</th>", a->metric[i]->title);
	html(f, "</tr></thead>\n<tbody>\n");
	for (size_t r = 0; r < w->nrows; r++) {
		html(f, "<tr><td class=\"num idx\">%u</td><th scope=\"row\">%s</th>",
		     w->rows[r].cell + 1, row_label(m, &w->rows[r]));
		for (size_t i = 0; i < a->n; i++)
			aside_cell(f, row_value(&w->rows[r], a->metric[i]));
		html(f, "</tr>\n");
	}
	html(f, "</tbody></table></div>\n");
}

void part_asides(FILE *f, const struct model *m, const struct model_workload *w)
{
	struct aside a;

	if (workload_aside(m, w, ASIDE_IMAGE, &a)) {
		html(f, "<h3>Images</h3>\n");
		aside_table(f, m, w, &a);
	}
	if (workload_aside(m, w, ASIDE_DISKS, &a)) {
		html(f, "<h3>Disks</h3>\n");
		aside_table(f, m, w, &a);
	}
}
