/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A workload's part of the page: the plot, the cells, main effects, latencies and the further
 * metrics. */
#include <math.h>
#include <string.h>
#include "reports/page.h"

/* The verdict's cell: a sign and a word, so that colour says nothing alone; undecided has neither.
 */
static void put_word(FILE *f, enum mark k, const char *word)
{
	if (k == MARK_NONE)
		html(f, "<td class=\"undecided\">%s</td>", word);
	else
		html(f, "<td class=\"mark %s\"><span aria-hidden=\"true\">%s</span> %s</td>",
		     mark_word(k), mark_sign(k), word);
}

static void put_ratio(FILE *f, const struct model_row *r, const struct model_value *v)
{
	char text[128], typical[128];

	if (row_mark(r, v) == MARK_LIMIT)
		html(f, "<td class=\"num na\">\xe2\x80\x93</td>");
	else if (r->cell == 0)
		html(f, "<td class=\"num ref\">first cell</td>");
	else if (!v || !isfinite(v->ratio.mid))
		html(f, "<td class=\"num na\">n/a</td>");
	else if (!isfinite(v->ratio.lo) && v->metric && v->metric->scale != SCALE_EXACT)
		html(f, "<td class=\"num\">%s <small>interval needs 2 blocks</small></td>",
		     num_ratio(v->metric, &v->ratio, NUM_HTML, text, sizeof(text)));
	else if (v->disagree)
		html(f,
		     "<td class=\"num\">%s <small class=\"line\">typical pair of blocks: %s</small></td>",
		     num_ratio(v->metric, &v->ratio, NUM_HTML, text, sizeof(text)),
		     num_ratio(v->metric, &v->robust, NUM_HTML, typical, sizeof(typical)));
	else
		html(f, "<td class=\"num\">%s</td>",
		     num_ratio(v->metric, &v->ratio, NUM_HTML, text, sizeof(text)));
}

static void put_value(FILE *f, const struct model_row *r, const struct model_value *v)
{
	char text[128];

	if (row_mark(r, v) == MARK_LIMIT)
		html(f, "<td class=\"limit\">%s</td>", row_limit(r));
	else if (!v || !isfinite(v->abs.mid))
		html(f, "<td class=\"num na\">n/a</td>");
	else
		html(f, "<td class=\"num\">%s</td>",
		     num_value(v->metric, &v->abs, NUM_HTML, text, sizeof(text)));
}

/* Cells under one metric: mean, ratio, mark; with trials for the table that stands first. */
static void cells_table(FILE *f, const struct model *m, const struct model_workload *w,
			const struct metric_row *metric, bool first)
{
	html(f,
	     "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: %s\">"
	     "<table class=\"cells\">\n",
	     metric->title);
	html(f,
	     "<caption class=\"%s\">%s, %s is better; 95 %% intervals</caption>\n<thead><tr>"
	     "<th scope=\"col\">#</th><th scope=\"col\">Cell</th>",
	     first ? "" : "hide", metric->title,
	     metric->better == HIGHER_IS_BETTER ? "higher" : "lower");
	if (!w->steps)
		html(f, "<th scope=\"col\" class=\"num\">Against the first</th>"
			"<th scope=\"col\">Shown</th>");
	html(f, "<th scope=\"col\" class=\"num\">%s</th>",
	     metric->scale == SCALE_DIFFERENCE ? "Mean"
	     : metric->scale == SCALE_EXACT    ? "Value"
					       : "Geometric mean");
	if (first)
		html(f, "<th scope=\"col\" class=\"num\">Trials</th>");
	html(f, "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < w->nrows; i++) {
		const struct model_row *r = &w->rows[i];
		const struct model_value *v = row_value(r, metric);
		char word[128];

		html(f, "<tr><td class=\"num idx\">%u</td><th scope=\"row\">%s", r->cell + 1,
		     row_label(m, r));
		if (first && r->best_set && workload_best_told(w))
			html(f,
			     " <span class=\"star\" title=\"not shown worse than the best cell\">"
			     "<span aria-hidden=\"true\">\xe2\x98\x85</span><span class=\"sr\"> among "
			     "the best</span></span>");
		html(f, "</th>");
		if (!w->steps) {
			put_ratio(f, r, v);
			put_word(f, row_mark(r, v), row_word(r, v, word, sizeof(word)));
		}
		put_value(f, r, v);
		if (first && r->failed)
			html(f, "<td class=\"num\">%u <small>(%u failed)</small></td>", r->ok,
			     r->failed);
		else if (first && r->limits)
			html(f, "<td class=\"num\">%u <small>(%u at the limit)</small></td>", r->ok,
			     r->limits);
		else if (first)
			html(f, "<td class=\"num\">%u</td>", r->ok);
		html(f, "</tr>\n");
	}
	html(f, "</tbody></table></div>\n");
}

static void caption_ladder(FILE *f, const struct model *m)
{
	bool unlike = false;

	for (size_t i = 0; i < m->nrungs; i++)
		unlike |= m->rungs[i].unlike;
	html(f,
	     "<figcaption>Each rung's time per I/O, and what its layer adds to the rung below, "
	     "paired by block: small dots are single blocks, the line is the 95 %% interval (an "
	     "arrow: it goes on beyond the edge). <span class=\"worse\">\xe2\x97\x8f</span> shown to "
	     "cost time, <span class=\"better\">\xe2\x97\x8f</span> shown to save some, \xe2\x97\x8f "
	     "undecided%s.</figcaption>\n",
	     unlike ? ", \xe2\x97\x8b relative" : "");
}

static void caption(FILE *f, const struct model_workload *w)
{
	html(f, "<figcaption>Each cell against the first, paired by block: small dots are single "
		"blocks, the line is the 95 %% interval (an arrow: it goes on beyond the edge). "
		"<span class=\"better\">\xe2\x96\xb2</span> shown to be better, "
		"<span class=\"worse\">\xe2\x96\xbc</span> shown to be worse, \xe2\x97\x8f same or "
		"undecided.");
	if (w->primary && w->min_effect > 0 && w->primary->scale == SCALE_RATIO) {
		char a[32];

		html(f, " The grey band holds differences of less than %s %%, too small to matter.",
		     num_3(w->min_effect * 100, a, sizeof(a)));
	}
	html(f, "<span class=\"narrow\"> Numbers on the left are those of the table.</span>"
		"</figcaption>\n");
}

static void workload_plot(FILE *f, const struct model *m, const struct model_workload *w, size_t i,
			  const struct plots *p)
{
	if (!p->wide[i] || !p->narrow[i]) {
		if (p->trouble[0])
			html(f,
			     "<p class=\"noplot\">There is no plot here: %s. The table says the same "
			     "in numbers.</p>\n",
			     p->trouble);
		else
			html(f,
			     "<p class=\"noplot\">There is no plot here: it needs two to 500 cells with good "
			     "trials in the same block.</p>\n");
		return;
	}
	html(f, "<figure>\n<div class=\"wide\">");
	fputs(p->wide[i], f); /* both have passed svg_adopt() */
	html(f, "</div>\n<div class=\"narrow\">");
	fputs(p->narrow[i], f);
	html(f, "</div>\n");
	if (w->steps)
		caption_ladder(f, m);
	else
		caption(f, w);
	html(f, "</figure>\n");
}

static void workload_effects(FILE *f, const struct model *m, const struct model_workload *w)
{
	char text[128];

	if (!w->neffects)
		return;
	html(f,
	     "<h3>What each axis is worth</h3>\n<p class=\"note\">Main effects: one value of an axis "
	     "against another, averaged over all values of the other axes, block by block.</p>\n"
	     "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: main effects\">"
	     "<table>\n<thead><tr><th scope=\"col\">Axis</th><th scope=\"col\">From</th>"
	     "<th scope=\"col\">To</th><th scope=\"col\" class=\"num\">Effect</th>"
	     "<th scope=\"col\">Shown</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < w->neffects; i++) {
		const struct model_effect *e = &w->effects[i];

		html(f,
		     "<tr><th scope=\"row\"><code>%s</code></th><td>%s</td><td>%s</td>"
		     "<td class=\"num\">%s</td>",
		     e->axis, e->from, e->to,
		     num_ratio(e->metric, &e->ratio, NUM_HTML, text, sizeof(text)));
		put_word(f, verdict_mark(e->verdict),
			 verdict_text(e->verdict, &e->more, text, sizeof(text)));
		html(f, "</tr>\n");
	}
	html(f, "</tbody></table></div>\n");
	for (size_t i = 0; i < w->neffects; i++)
		if (w->effects[i].left_out)
			html(f,
			     "<p class=\"note\"><code>%s</code>, %s to %s: %u combinations of the other "
			     "axes are left out for want of good trials.</p>\n",
			     w->effects[i].axis, w->effects[i].from, w->effects[i].to,
			     w->effects[i].left_out);
	if (m->nside)
		html(f, "<p class=\"note\">An axis brings more along than its value: see "
			"<a href=\"#side\">what else differs between the cells</a>.</p>\n");
}

/* Effects that depend on another axis: a main effect alone would mislead there. */
static void workload_interactions(FILE *f, const struct model_workload *w)
{
	char a[128], b[128];

	if (!w->ninteractions)
		return;
	html(f,
	     "<p>These effects depend on another axis, so that their average, below, says little:</p>\n<ul>\n");
	for (size_t i = 0; i < w->ninteractions; i++) {
		const struct model_interaction *x = &w->interactions[i];

		html(f,
		     "<li><code>%s</code>, %s to %s: %s with <code>%s</code> = %s, but %s with %s</li>\n",
		     x->axis, x->from, x->to,
		     num_ratio(w->primary, &x->at_from, NUM_HTML, a, sizeof(a)), x->by, x->by_from,
		     num_ratio(w->primary, &x->at_to, NUM_HTML, b, sizeof(b)), x->by_to);
	}
	html(f, "</ul>\n");
}

/* The i-th metric that any row of the workload has, in the order of the longest row; NULL behind
 * the last. */
static const struct metric_row *workload_metric(const struct model_workload *w, size_t i)
{
	const struct model_row *longest = NULL;

	for (size_t r = 0; r < w->nrows; r++)
		if (!longest || w->rows[r].nvalues > longest->nvalues)
			longest = &w->rows[r];
	return longest && i < longest->nvalues ? longest->values[i].metric : NULL;
}

static bool workload_has(const struct model_workload *w, const struct metric_row *metric)
{
	for (size_t r = 0; r < w->nrows; r++) {
		const struct model_value *v = row_value(&w->rows[r], metric);

		if (v && isfinite(v->abs.mid))
			return true;
	}
	return false;
}

/* "read.lat.p99" is a total latency: the columns of the latency table. */
static bool is_latency(const struct metric_row *metric)
{
	return metric && metric->id && strstr(metric->id, ".lat.") != NULL;
}

/* "read.lat.p99" -> "read p99" */
static const char *latency_short(const char *id, char *buf, size_t size)
{
	const char *lat = strstr(id, ".lat.");

	if (lat)
		snprintf(buf, size, "%.*s %s", (int)(lat - id), id, lat + 5);
	else
		snprintf(buf, size, "%s", id);
	return buf;
}

static void latency_cell(FILE *f, const struct model_row *r, const struct model_value *v)
{
	char text[64];
	enum mark k = row_mark(r, v);

	if (!v || !isfinite(v->abs.mid)) {
		html(f, "<td class=\"num na\">n/a</td>");
		return;
	}
	html(f, "<td class=\"num\">%s", metric_text(v->metric, v->abs.mid, text, sizeof(text)));
	if (k == MARK_BETTER || k == MARK_WORSE)
		html(f, " <span class=\"%s\" title=\"%s\">%s<span class=\"sr\"> %s</span></span>",
		     mark_word(k), mark_word(k), mark_sign(k), mark_word(k));
	html(f, "</td>");
}

static void workload_latency(FILE *f, const struct model *m, const struct model_workload *w)
{
	const struct metric_row *metric;
	char text[64];
	size_t n = 0;

	for (size_t i = 0; (metric = workload_metric(w, i)) != NULL; i++)
		n += is_latency(metric) && workload_has(w, metric);
	if (!n)
		return;
	html(f, "<h3>Latency</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		"aria-label=\"Table: latencies\"><table class=\"lat\">\n"
		"<thead><tr><th scope=\"col\">#</th><th scope=\"col\">Cell</th>");
	for (size_t i = 0; (metric = workload_metric(w, i)) != NULL; i++)
		if (is_latency(metric) && workload_has(w, metric))
			html(f, "<th scope=\"col\" class=\"num\">%s</th>",
			     latency_short(metric->id, text, sizeof(text)));
	html(f, "</tr></thead>\n<tbody>\n");
	for (size_t r = 0; r < w->nrows; r++) {
		html(f, "<tr><td class=\"num idx\">%u</td><th scope=\"row\">%s</th>",
		     w->rows[r].cell + 1, row_label(m, &w->rows[r]));
		for (size_t i = 0; (metric = workload_metric(w, i)) != NULL; i++)
			if (is_latency(metric) && workload_has(w, metric))
				latency_cell(f, &w->rows[r], row_value(&w->rows[r], metric));
		html(f, "</tr>\n");
	}
	html(f,
	     "</tbody></table></div>\n<p class=\"note\">Means over blocks of each trial's own figure, "
	     "submission to completion. Percentiles are given only where at least 100 I/Os lie above "
	     "them.</p>\n");
}

/* Not what stands above already. A ladder's CPU time does, and there as a geometric mean: one rung
 * shall not have two means on one page. */
static bool is_further(const struct model_workload *w, const struct metric_row *metric)
{
	if (!workload_has(w, metric))
		return false;
	return w->steps ? strcmp(metric->id ? metric->id : "", "cpu_per_io") != 0
			: metric != w->primary;
}

static void workload_further(FILE *f, const struct model *m, const struct model_workload *w)
{
	const struct metric_row *metric;
	size_t n = 0;

	for (size_t i = 0; (metric = workload_metric(w, i)) != NULL; i++)
		n += is_further(w, metric);
	if (!n)
		return;
	html(f, "<details class=\"further\"><summary>Further metrics (%zu)</summary>\n", n);
	if (!w->steps)
		html(f,
		     "<p class=\"note\">Looked at to explore: of the marks here about one in twenty is expected to "
		     "be false (Benjamini and Hochberg). The verdict is the table above.</p>\n");
	for (size_t i = 0; (metric = workload_metric(w, i)) != NULL; i++) {
		if (!is_further(w, metric))
			continue;
		size_t d = workload_differing(w, metric);

		html(f, "<details><summary>%s", metric->title);
		if (d)
			html(f, " <small>%zu of %zu marked</small>", d, w->nrows - 1);
		html(f, "</summary>\n");
		cells_table(f, m, w, metric, metric == w->primary);
		html(f, "</details>\n");
	}
	html(f, "</details>\n");
}

/* Cells held against the first one: what a ladder has no use for. */
static void workload_cells(FILE *f, const struct model *m, const struct model_workload *w)
{
	if (w->primary && w->nrows)
		cells_table(f, m, w, w->primary, true);
	if (w->primary && w->nrows > 1 && workload_differing(w, w->primary) == 0)
		html(f,
		     "<p class=\"note\">No cell was shown to differ from the first. That is not the "
		     "same as equal: the intervals say how large a difference could still be.</p>\n");
	if (workload_best_told(w))
		html(f,
		     "<p class=\"note\"><span class=\"star\">\xe2\x98\x85</span> not shown to be worse "
		     "than the cell with the best mean, each pair compared.</p>\n");
	workload_interactions(f, w);
	workload_effects(f, m, w);
	part_spread(f, w);
}

void part_workload(FILE *f, const struct model *m, size_t i, const struct plots *p)
{
	const struct model_workload *w = &m->workloads[i];
	const char *pass = workload_pass(w);

	html(f,
	     "<section id=\"w%zu\" class=\"workload\" aria-labelledby=\"w%zu-h\">\n"
	     "<h2 id=\"w%zu-h\">%s <small>%s%s%s</small></h2>\n",
	     i, i, i, w->name, w->describe, *pass ? ", " : "", pass);
	if (w->headline && *w->headline)
		html(f, "<p class=\"headline\">%s</p>\n", w->headline);
	workload_plot(f, m, w, i, p);
	if (w->steps)
		part_layers(f, m, w);
	else
		workload_cells(f, m, w);
	part_curves(f, m, i, p);
	part_asides(f, m, w);
	workload_latency(f, m, w);
	workload_further(f, m, w);
	html(f, "</section>\n");
}
