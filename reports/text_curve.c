// SPDX-License-Identifier: GPL-2.0-or-later
/* Several guests at once on a terminal: each curve as a table, its knees, and rules held to them.
 */
#include <stdlib.h>
#include <string.h>
#include "reports/text.h"

static void put_table(const struct text *t, const struct model *m, const struct model_curve *c)
{
	int width[CURVE_COLUMNS];
	bool shown[CURVE_COLUMNS];
	char buf[64];

	for (int k = 0; k < CURVE_COLUMNS; k++) {
		shown[k] = curve_has(m, c, k);
		width[k] = (int)strlen(curve_title(k));
		for (size_t i = 0; i < c->npoints; i++) {
			int n = term_columns(curve_text(m, c, i, k, buf, sizeof(buf)));

			width[k] = n > width[k] ? n : width[k];
		}
	}
	for (size_t i = 0; i <= c->npoints; i++) {
		fputs("  ", t->out);
		for (int k = 0; k < CURVE_COLUMNS; k++)
			if (shown[k])
				fprintf(t->out, "%s%*s", k ? "  " : "", width[k],
					i ? curve_text(m, c, i - 1, k, buf, sizeof(buf))
					  : curve_title(k));
		fputc('\n', t->out);
	}
}

void text_curves(const struct text *t, const struct model *m, const struct model_workload *w)
{
	char buf[256];

	for (size_t i = 0; i < m->ncurves; i++) {
		const struct model_curve *c = &m->curves[i];
		char *head;

		if (&m->workloads[c->workload] != w)
			continue;
		head = xasprintf("guests at once, on %u CPU%s%s%s:", m->cpus,
				 m->cpus == 1 ? "" : "s", c->where ? ", " : "",
				 c->where ? c->where : "");
		text_wrapped(t, "  ", head, 2);
		free(head);
		put_table(t, m, c);
		for (int f = 0; f < CURVE_FIGURES; f++) {
			head = xasprintf("%s: %s", curve_figure_word(f),
					 knee_text(&c->of[f], buf, sizeof(buf)));
			text_wrapped(t, "  ", head, 4);
			free(head);
		}
	}
}

void text_rules(const struct text *t, const struct model *m)
{
	char *s;

	if (!m->nrules)
		return;
	text_wrapped(t, "", "rules on vCPUs to CPUs, held against these knees:", 2);
	for (size_t i = 0; i < m->nrules; i++) {
		const struct model_rule *r = &m->rules[i];
		char load[256];

		rule_load_text(r, load, sizeof(load));
		s = xasprintf("%s, %s: %s (%s%s%s)", r->id, r->what, claim_text(r->word), r->why,
			      *load ? "; " : "", load);

		text_wrapped(t, "  ", s, 4);
		free(s);
	}
	s = xasprintf(
		"Thresholds that are vbench's own: refuted takes more than %.0f %% worse at the "
		"ratio than at 1:1; confirmed without a knee takes less, behind one no more than "
		"%.0f %% worse; a source's load counts as met from %.1f to %.1f times its figure.",
		100 * (RULE_LITTLE_WORSE - 1), 100 * (RULE_MUCH_WORSE - 1), RULE_LOAD_LEAST,
		RULE_LOAD_MOST);
	text_wrapped(t, "  ", s, 2);
	free(s);
	fputc('\n', t->out);
}
