// SPDX-License-Identifier: GPL-2.0-or-later
/* Several guests at once on the page: plot and table of each curve, its knees, and the rules. */
#include <stdio.h>
#include "reports/page.h"

static void put_plot(FILE *f, const struct plots *p, size_t i)
{
	if (!p->curve_wide[i] || !p->curve_narrow[i])
		return;
	html(f, "<figure>\n<div class=\"wide\">");
	fputs(p->curve_wide[i], f); /* both have passed svg_adopt() */
	html(f, "</div>\n<div class=\"narrow\">");
	fputs(p->curve_narrow[i], f);
	html(f,
	     "</div>\n<figcaption>What one guest gets, and how long its slowest requests take, by the "
	     "ratio of all vCPUs to CPUs; both axes are logarithmic. Small dots are single blocks, bars "
	     "95 %% intervals (one that ends at the frame goes on beyond it); where a knee was shown, the band is its interval.</figcaption>\n"
	     "</figure>\n");
}

static void put_table(FILE *f, const struct model *m, const struct model_curve *c)
{
	char buf[64];

	html(f,
	     "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: guests at "
	     "once\"><table>\n<thead><tr>");
	for (int k = 0; k < CURVE_COLUMNS; k++)
		if (curve_has(m, c, k))
			html(f, "<th scope=\"col\" class=\"num\">%s</th>", curve_title(k));
	html(f, "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < c->npoints; i++) {
		html(f, "<tr>");
		for (int k = 0; k < CURVE_COLUMNS; k++)
			if (curve_has(m, c, k))
				html(f, "<td class=\"num\">%s</td>",
				     curve_text(m, c, i, k, buf, sizeof(buf)));
		html(f, "</tr>\n");
	}
	html(f, "</tbody></table></div>\n");
}

void part_curves(FILE *f, const struct model *m, size_t w, const struct plots *p)
{
	char buf[256];

	for (size_t i = 0; i < m->ncurves; i++) {
		const struct model_curve *c = &m->curves[i];

		if (c->workload != w)
			continue;
		html(f, "<h3>Guests at once, on %u CPUs%s%s</h3>\n", m->cpus, c->where ? ", " : "",
		     c->where ? c->where : "");
		put_plot(f, p, i);
		put_table(f, m, c);
		html(f, "<ul>\n");
		for (int k = 0; k < CURVE_FIGURES; k++)
			html(f, "<li>%s: %s</li>\n", curve_figure_word(k),
			     knee_text(&c->of[k], buf, sizeof(buf)));
		html(f, "</ul>\n");
	}
}

static unsigned percent(double share)
{
	return (unsigned)(100 * share + 0.5);
}

void part_rules(FILE *f, const struct model *m)
{
	if (!m->nrules)
		return;
	html(f,
	     "<section id=\"rules\"><h2>Rules on vCPUs to CPUs</h2>\n"
	     "<p class=\"note\">Judged by workloads with a fixed rate, where there are any. Refuted: "
	     "some knee lies wholly before the rule's ratio, by an interval that is corrected for the "
	     "number of knees, and it is worse at the ratio than at 1:1 by more than %u %%. "
	     "Confirmed: every knee that was shown lies at or behind it, with no more than %u %% "
	     "shown to be worse there, and what has no knee is less than %u %% worse. Where the "
	     "source has a load in mind, a heavier one (over %u %% of it) refutes nothing, and a "
	     "lighter one (below %u %% of it) confirms nothing. All else is undecided. These "
	     "thresholds are vbench's own, not the sources'.</p>\n"
	     "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: rules\"><table>\n"
	     "<thead><tr><th scope=\"col\">Rule</th><th scope=\"col\">Says</th>"
	     "<th scope=\"col\">Here</th><th scope=\"col\">Because</th><th scope=\"col\">Source</th></tr>"
	     "</thead>\n<tbody>\n",
	     percent(RULE_LITTLE_WORSE - 1), percent(RULE_MUCH_WORSE - 1),
	     percent(RULE_LITTLE_WORSE - 1), percent(RULE_LOAD_MOST), percent(RULE_LOAD_LEAST));
	for (size_t i = 0; i < m->nrules; i++) {
		const struct model_rule *r = &m->rules[i];
		char load[256];

		rule_load_text(r, load, sizeof(load));
		html(f,
		     "<tr><th scope=\"row\">%s</th><td>%s</td><td>%s</td><td>%s%s%s</td><td>%s</td></tr>\n",
		     r->id, r->what, claim_text(r->word), r->why, *load ? "; " : "", load,
		     r->source);
	}
	html(f, "</tbody></table></div>\n</section>\n");
}
