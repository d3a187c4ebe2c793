// SPDX-License-Identifier: GPL-2.0-or-later
/* The two arms of a run at the top of the page, and where a workload's noise comes from. */
#include <math.h>
#include <stdlib.h>
#include "reports/page.h"

static void put_arm(FILE *f, const char *name, char *const *sets, size_t n)
{
	char *arm = vs_arm(sets, n);

	html(f, "<div><dt>%s</dt><dd><code>%s</code></dd></div>\n", name, arm);
	free(arm);
}

static void put_pair(FILE *f, const struct model *m, const struct model_vs *x)
{
	char text[128], word[128], typical[128];
	enum mark k = vs_mark(x);

	html(f, "<tr><th scope=\"row\">%s</th><td>%s</td><td>%s</td><td class=\"num\">%s",
	     vs_label(x), vs_workload(m, x), x->metric ? x->metric->title : NULL,
	     vs_ratio(x, NUM_HTML, text, sizeof(text)));
	if (x->disagree && x->metric)
		html(f, " <small class=\"line\">typical pair of blocks: %s</small>",
		     num_ratio(x->metric, &x->robust, NUM_HTML, typical, sizeof(typical)));
	vs_word(m, x, false, word, sizeof(word));
	if (k == MARK_NONE)
		html(f, "</td><td class=\"undecided\">%s</td>", word);
	else
		html(f, "</td><td class=\"mark %s\"><span aria-hidden=\"true\">%s</span> %s</td>",
		     mark_word(k), mark_sign(k), word);
	html(f, "<td class=\"num\">%zu</td></tr>\n", x->ratio.n);
}

static void put_commands(FILE *f, const struct model *m, const struct model_vs *x)
{
	if (x->base >= m->ncells || x->change >= m->ncells)
		return;
	html(f, "<details><summary>%s: both commands</summary>\n<h3 class=\"sr\">%s</h3>\n",
	     vs_label(x), vs_label(x));
	code_part(f, "Base, alone", m->cells[x->base].repeat);
	code_part(f, "Change, alone", m->cells[x->change].repeat);
	code_part(f, "QEMU of base", m->cells[x->base].qemu);
	code_part(f, "QEMU of change", m->cells[x->change].qemu);
	html(f, "</details>\n");
}

void part_vs(FILE *f, const struct model *m)
{
	if (!m->nvs)
		return;
	html(f, "<section id=\"vs\" aria-labelledby=\"vs-h\">\n<h2 id=\"vs-h\">Change against "
		"base</h2>\n<dl class=\"table\">\n");
	put_arm(f, "Base", m->vs_base, m->nvs_base);
	put_arm(f, "Change", m->vs_change, m->nvs_change);
	html(f,
	     "</dl>\n<p class=\"note\">Both arms were measured in every block, in random order, each on "
	     "a template of its own. A verdict holds for all lines together (Holm).</p>\n"
	     "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	     "aria-label=\"Table: change against base\"><table class=\"vs\">\n<thead><tr>"
	     "<th scope=\"col\">Cell</th><th scope=\"col\">Workload</th>"
	     "<th scope=\"col\">Judged by</th><th scope=\"col\" class=\"num\">Change to base</th>"
	     "<th scope=\"col\">Verdict</th><th scope=\"col\" class=\"num\">Blocks</th>"
	     "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < m->nvs; i++)
		put_pair(f, m, &m->vs[i]);
	html(f, "</tbody></table></div>\n");
	for (size_t i = 0; i < m->nvs; i += m->nworkloads ? m->nworkloads : 1)
		put_commands(f, m, &m->vs[i]);
	html(f, "</section>\n");
}

static void put_length(FILE *f, const struct model_workload *w)
{
	char best[32], now[32];

	if (isnan(w->best_seconds)) {
		if (w->spread.why)
			html(f, " How long a trial should be cannot be told: %s.", w->spread.why);
		return;
	}
	num_3(w->spread.length, now, sizeof(now));
	if (isinf(w->best_seconds))
		html(f,
		     " Best trial length here: longer than the %s s that it was, since trials differ "
		     "by no more than their seconds do.",
		     now);
	else
		html(f,
		     " Best trial length here (most precision for the time it takes): %s s; it was "
		     "%s s.",
		     num_3(w->best_seconds, best, sizeof(best)), now);
}

static void put_slow(FILE *f, const struct model_workload *w)
{
	char share[32], by[64];

	if (!w->spread.judged)
		return;
	if (!w->spread.slow)
		html(f,
		     "<p class=\"note\">Slow trials: none of %zu was far off the typical one of its "
		     "cell, to the bad side.</p>\n",
		     w->spread.judged);
	else
		html(f,
		     "<p class=\"note\">Slow trials: %zu of %zu (%s %%), in the median %s against "
		     "the typical trial of their cell.</p>\n",
		     w->spread.slow, w->spread.judged,
		     num_3(100.0 * w->spread.slow / w->spread.judged, share, sizeof(share)),
		     num_percent(w->spread.slow_by, NUM_HTML, by, sizeof(by)));
}

void part_spread(FILE *f, const struct model_workload *w)
{
	char a[32], b[32];
	const struct components *c = &w->template_var;

	if (!isfinite(w->trial_sd) || !(w->trial_sd > 0))
		return;
	html(f,
	     "<p class=\"note\">Spread of one trial, block effects removed: %s %% (all cells "
	     "pooled).",
	     num_3(w->trial_sd * 100, a, sizeof(a)));
	if (c->groups >= 2 && isfinite(c->between))
		html(f, " Between blocks, each on a template of its own: %s %%.",
		     num_3(sqrt(fmax(c->between, 0)) * 100, a, sizeof(a)));
	if (isfinite(w->spread.second) && isfinite(w->spread.between))
		html(f, " One second within a trial: %s %%; trials beyond their seconds: %s %%.",
		     num_3(w->spread.second * 100, a, sizeof(a)),
		     num_3(w->spread.between * 100, b, sizeof(b)));
	put_length(f, w);
	html(f, "</p>\n");
	put_slow(f, w);
}
