// SPDX-License-Identifier: GPL-2.0-or-later
/* A tuning on the page: what is recommended, what each setting is worth, what it cost; and the
 * cells of a search by rank. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "reports/page.h"

static void put_values(FILE *f, const struct model *m, const char *which)
{
	const json_t *axes = json_object_get(m->tuning, "axes"), *a;
	size_t i;

	html(f,
	     "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: start and "
	     "recommendation\"><table>\n<thead><tr><th scope=\"col\">Setting</th>"
	     "<th scope=\"col\">Start</th><th scope=\"col\">Search's winner</th>"
	     "<th scope=\"col\">Recommended</th></tr></thead>\n<tbody>\n");
	json_array_foreach(axes, i, a)
	{
		if (json_array_size(json_object_get(a, "values")) < 2)
			continue;
		html(f,
		     "<tr><th scope=\"row\"><code>%s</code></th><td>%s</td><td>%s</td><td>%s</td></tr>\n",
		     tuning_text(a, "key"), tuning_value(m, "start", i),
		     tuning_value(m, "winner", i), tuning_value(m, which, i));
	}
	html(f, "</tbody></table></div>\n");
}

static void put_setting(FILE *f, const json_t *s)
{
	char *advised = tuning_ids(json_object_get(s, "advised")),
	     *against = tuning_ids(json_object_get(s, "against")), speed[128];
	const json_t *worth = json_object_get(s, "worth");

	html(f,
	     "<tr><th scope=\"row\"><code>%s</code></th><td>%s</td><td>%s</td><td>%s</td>"
	     "<td class=\"num\">%s</td><td>%s%s</td></tr>\n",
	     tuning_text(s, "key"), tuning_text(s, "from"), tuning_text(s, "to"),
	     tuning_text(s, "word"),
	     worth ? tuning_speed(worth, speed, sizeof(speed)) : tuning_text(s, "alone"),
	     *advised	? advised
	     : *against ? "against "
			: "\xe2\x80\x93",
	     *advised ? "" : against);
	free(advised);
	free(against);
}

static void put_settings(FILE *f, const struct model *m)
{
	const json_t *list = json_object_get(m->tuning, "settings"), *s;
	size_t i;

	if (!json_array_size(list))
		return;
	html(f,
	     "<h3>What each setting is worth</h3>\n<p class=\"note\">The winner against itself with "
	     "one setting undone, in the blocks of the proof. Kept: shown better; dropped: shown "
	     "worse, or the same; undecided: neither was shown; bound: it cannot be undone alone, or trials "
	     "fail without it. An interval is of its comparison alone, the word of all together.</p>\n"
	     "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: settings\">"
	     "<table>\n<thead><tr><th scope=\"col\">Setting</th><th scope=\"col\">From</th>"
	     "<th scope=\"col\">To</th><th scope=\"col\">Word</th>"
	     "<th scope=\"col\" class=\"num\">Worth in speed [95 %%]</th>"
	     "<th scope=\"col\">Advised by</th></tr></thead>\n<tbody>\n");
	json_array_foreach(list, i, s) put_setting(f, s);
	html(f, "</tbody></table></div>\n");
}

static void put_audit(FILE *f, const json_t *a, const char *of)
{
	const json_t *r;
	char n[3][24];
	size_t i;

	if (!json_is_object(a))
		return;
	snprintf(n[0], sizeof(n[0]), "%lld", tuning_number(a, "followed"));
	snprintf(n[1], sizeof(n[1]), "%lld", tuning_number(a, "broken"));
	snprintf(n[2], sizeof(n[2]), "%lld", tuning_number(a, "cant_tell"));
	html(f,
	     "<details><summary>Audit of %s: %s rules followed, %s not, %s cannot be told</summary>\n"
	     "<ul>\n",
	     of, n[0], n[1], n[2]);
	json_array_foreach(json_object_get(a, "rules"), i, r)
		html(f, "<li>%s (%s): %s: %s</li>\n", tuning_text(r, "id"),
		     tuning_text(r, "weight"), tuning_text(r, "title"), tuning_text(r, "found"));
	html(f, "</ul></details>\n");
}

static void put_kept(FILE *f, const json_t *kept)
{
	const char *id = tuning_text(kept, "record");

	if (*id)
		html(f,
		     "<p>Settings of the host were left in force: <code>vbench revert %s</code> takes "
		     "them back.</p>\n",
		     id);
}

void part_tuning(FILE *f, const struct model *m)
{
	const char *which = tuning_text(m->tuning, "recommended");
	char *lines[TUNING_SENTENCES];
	size_t n;

	if (!m->tuning)
		return;
	html(f,
	     "<section id=\"tuning\" aria-labelledby=\"tuning-h\">\n<h2 id=\"tuning-h\">Tuning</h2>\n");
	if (!*which) {
		html(f,
		     "<p>This run is part of a tuning that has not come to its end.</p>\n</section>\n");
		return;
	}
	html(f, "<p>Recommended: <strong>%s</strong>: %s.</p>\n",
	     !strcmp(which, "lean")    ? "the winner less what was not shown to be worth having"
	     : !strcmp(which, "start") ? "the start, as it is"
				       : "the search's winner",
	     tuning_text(m->tuning, "because"));
	n = tuning_sentences(m, lines);
	html(f, "<ul>\n");
	for (size_t i = 0; i < n; i++) {
		html(f, "<li>%s</li>\n", lines[i]);
		free(lines[i]);
	}
	html(f, "</ul>\n");
	put_values(f, m, which);
	put_settings(f, m);
	put_kept(f, json_object_get(m->tuning, "kept"));
	put_audit(f, json_object_get(m->tuning, "audit"), "the start");
	put_audit(f, json_object_get(m->tuning, "audit_end"), "what is recommended");
	html(f, "</section>\n");
}

static void put_means(FILE *f, const struct model *m, unsigned cell)
{
	char text[128];

	for (size_t w = 0; w < m->nworkloads; w++) {
		const struct model_workload *x = &m->workloads[w];
		const struct model_value *v =
			cell < x->nrows ? row_primary(x, &x->rows[cell]) : NULL;

		if (v && isfinite(v->abs.mid))
			html(f, "<td class=\"num\">%s</td>",
			     num_value(v->metric, &v->abs, NUM_HTML, text, sizeof(text)));
		else
			html(f, "<td class=\"num na\">\xe2\x80\x93</td>");
	}
}

static void put_rank(FILE *f, const struct model *m, size_t rank)
{
	const struct model_tried *c = &m->search->cells[rank];
	char text[32] = "n/a";

	if (isfinite(c->predicted))
		snprintf(text, sizeof(text), "%+.1f %%", 100 * (c->predicted - 1));
	html(f,
	     "<tr><td class=\"num idx\">%zu</td><th scope=\"row\">%s</th><td class=\"num\">%s</td>"
	     "<td class=\"num\">%u</td><td>%s</td>",
	     rank + 1, m->cells[c->cell].label, text, c->visits,
	     (long)c->cell == m->search->winner	 ? "winner"
	     : (long)c->cell == m->search->start ? "start"
	     : c->failed			 ? "left: a trial failed"
	     : c->raced				 ? "raced"
	     : c->visits			 ? "screened"
						 : "not visited");
	put_means(f, m, c->cell);
	html(f, "</tr>\n");
}

void part_search(FILE *f, const struct model *m)
{
	if (!m->search)
		return;
	html(f,
	     "<section id=\"search\" aria-labelledby=\"search-h\">\n<h2 id=\"search-h\">The "
	     "search</h2>\n<p>%s</p>\n<p class=\"note\">Predicted speed is to the start, by a model "
	     "of main effects and pairs of axes fitted to all visits. Means are of the visits, "
	     "without intervals.</p>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	     "aria-label=\"Table: cells by rank\"><table>\n<thead><tr><th scope=\"col\">Rank</th>"
	     "<th scope=\"col\">Cell</th><th scope=\"col\" class=\"num\">Predicted speed</th>"
	     "<th scope=\"col\" class=\"num\">Visits</th><th scope=\"col\">What became of it</th>",
	     search_note);
	for (size_t w = 0; w < m->nworkloads; w++)
		html(f, "<th scope=\"col\" class=\"num\">%s</th>", m->workloads[w].name);
	html(f, "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < m->search->ncells; i++)
		put_rank(f, m, i);
	html(f, "</tbody></table></div>\n</section>\n");
}
