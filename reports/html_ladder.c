/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ladder on the page: the stacks, and under each workload what every layer adds. */
#include <math.h>
#include <string.h>
#include "reports/page.h"

#define DEPTH_MAX 8 /* classes in the style sheet; a deeper tree goes on at this one */
#define STACK_MAX 32

static const char dash[] = "\xe2\x80\x93";

/* The name, and below it the rung that it stands on and the layer in the profile's words. */
static void put_name(FILE *f, const struct model_rung *r)
{
	unsigned depth = r->depth < DEPTH_MAX ? r->depth : DEPTH_MAX;

	html(f, "<th scope=\"row\" class=\"rung d%u\">%s", depth, r->name);
	if (r->over)
		html(f, "<small class=\"line\">on %s%s%s</small>", r->over, r->adds ? ": + " : "",
		     r->adds);
	html(f, "</th>");
}

/* Each stack from the ground up, as one draws it: ground, + layer, + layer. */
void part_rungs(FILE *f, const struct model *m)
{
	size_t stack[STACK_MAX];

	if (!m->nrungs)
		return;
	html(f,
	     "<section id=\"ladder\" aria-labelledby=\"ladder-h\">\n"
	     "<h2 id=\"ladder-h\">The ladder</h2>\n<p>Each rung differs from the one that it "
	     "stands on by one layer; what that is stands in the tables. The stacks, from the ground up:</p>\n<ul class=\"stacks\">\n");
	for (size_t i = 0; i < m->nrungs; i++) {
		size_t n = rung_is_top(m, i) ? rung_stack(m, i, stack, STACK_MAX) : 0;

		for (size_t k = 0; k < n; k++) {
			const struct model_rung *r = &m->rungs[stack[k]];

			html(f, k ? " \xe2\x86\x92 %s" : "<li>%s", r->name);
		}
		if (n)
			html(f, "</li>\n");
	}
	html(f, "</ul>\n");
	for (size_t i = 0; i < m->nrungs; i++)
		if (m->rungs[i].why)
			html(f, "<p class=\"note\"><strong>%s</strong> was not measured: %s</p>\n",
			     m->rungs[i].name, m->rungs[i].why);
	html(f, "</section>\n");
}

static void put_mean(FILE *f, const struct model_layer *l, enum step_figure fig)
{
	char text[128];

	if (isfinite(l->abs.mid))
		html(f, "<td class=\"num\">%s</td>",
		     num_value(step_metric(fig), &l->abs, NUM_HTML, text, sizeof(text)));
	else
		html(f, "<td class=\"num na\">n/a</td>");
}

static void put_layer(FILE *f, const struct model_rung *r, const struct model_layer *l,
		      enum step_figure fig)
{
	char text[128], typical[128];

	if (r->below < 0) {
		html(f, "<td class=\"num ref\">%s</td>", dash);
	} else if (!isfinite(l->layer.mid)) {
		html(f, "<td class=\"num na\">n/a</td>");
	} else {
		html(f, "<td class=\"num\">%s",
		     num_ratio(step_metric(fig), &l->layer, NUM_HTML, text, sizeof(text)));
		if (l->disagree)
			html(f, " <small class=\"line\">typical pair of blocks: %s</small>",
			     num_ratio(step_metric(fig), &l->robust, NUM_HTML, typical,
				       sizeof(typical)));
		html(f, "</td>");
	}
}

/* A sign and a word; what was not shown has a word, but no colour. */
static void put_word(FILE *f, const struct model_rung *r, enum layer_word w)
{
	const char *relative = r->unlike && w ? ", relative" : "";

	if (layer_mark(r, w) == MARK_NONE)
		html(f, "<td>%s%s</td>", layer_text(w), relative);
	else
		html(f, "<td class=\"mark %s\"><span aria-hidden=\"true\">%s</span> %s</td>",
		     mark_word(layer_mark(r, w)), w == LAYER_COSTS ? "+" : "\xe2\x88\x92",
		     layer_text(w));
}

static void put_row(FILE *f, const struct model *m, const struct model_workload *w, size_t i,
		    bool cpu)
{
	const struct model_rung *r = &m->rungs[i];
	const struct model_step *s = &w->steps[i];

	html(f, "<tr>");
	put_name(f, r);
	put_mean(f, &s->of[STEP_NS], STEP_NS);
	put_layer(f, r, &s->of[STEP_NS], STEP_NS);
	put_word(f, r, s->of[STEP_NS].word);
	if (cpu) {
		put_mean(f, &s->of[STEP_CPU], STEP_CPU);
		put_layer(f, r, &s->of[STEP_CPU], STEP_CPU);
		put_word(f, r, s->of[STEP_CPU].word);
	}
	html(f, "</tr>\n");
}

static void figure_heads(FILE *f, enum step_figure fig, const char *layer)
{
	html(f,
	     "<th scope=\"col\" class=\"num\">%s</th><th scope=\"col\" class=\"num\">%s</th>"
	     "<th scope=\"col\">Shown</th>",
	     fig == STEP_NS    ? "Time per I/O"
	     : fig == STEP_LAT ? "Latency"
			       : "CPU time per I/O",
	     layer);
}

static void layers_table(FILE *f, const struct model *m, const struct model_workload *w)
{
	bool cpu = steps_have(m, w, STEP_CPU);

	html(f,
	     "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: layers\">"
	     "<table class=\"ladder\">\n<caption>Geometric means over blocks with 95 %% intervals; a "
	     "layer is its rung less the one that it stands on, block by block (arithmetic "
	     "mean)</caption>\n<thead><tr>"
	     "<th scope=\"col\">Rung, what it stands on, and its layer</th>");
	figure_heads(f, STEP_NS, "The layer's time");
	if (cpu)
		figure_heads(f, STEP_CPU, "The layer's CPU time");
	html(f, "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < m->nrungs; i++)
		put_row(f, m, w, i, cpu);
	html(f, "</tbody></table></div>\n");
}

static void latency_table(FILE *f, const struct model *m, const struct model_workload *w)
{
	if (!steps_have(m, w, STEP_LAT))
		return;
	html(f,
	     "<details class=\"further\"><summary>Latency by layer</summary>\n<p class=\"note\">What "
	     "one I/O waits, submission to completion. With one in flight this is the time per I/O "
	     "once more, less what fio does in between.</p>\n<div class=\"scroll\" tabindex=\"0\" "
	     "role=\"region\" aria-label=\"Table: latency by layer\"><table class=\"ladder\">\n<thead><tr>"
	     "<th scope=\"col\">Rung, what it stands on, and its layer</th>");
	figure_heads(f, STEP_LAT, "The layer's latency");
	html(f, "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < m->nrungs; i++) {
		const struct model_layer *l = &w->steps[i].of[STEP_LAT];

		html(f, "<tr>");
		put_name(f, &m->rungs[i]);
		put_mean(f, l, STEP_LAT);
		put_layer(f, &m->rungs[i], l, STEP_LAT);
		put_word(f, &m->rungs[i], l->word);
		html(f, "</tr>\n");
	}
	html(f, "</tbody></table></div>\n</details>\n");
}

void part_layers(FILE *f, const struct model *m, const struct model_workload *w)
{
	bool unlike = false;

	layers_table(f, m, w);
	html(f,
	     "<p class=\"note\">Time per I/O is elapsed time, one second by IOPS: with several in "
	     "flight less than what each one waits. CPU time is that of all processes that take "
	     "part. Marked is what was shown at 5 %%, corrected for the number of layers (Holm), "
	     "for each figure by itself; &#8220;undecided&#8221; is everything else. Intervals are not "
	     "corrected, so one may exclude 0 beside it.</p>\n");
	for (size_t i = 0; i < m->nrungs; i++) {
		unlike |= m->rungs[i].unlike && w->steps[i].of[STEP_NS].word;
		if (w->steps[i].why)
			html(f, "<p class=\"note\">No layer of <strong>%s</strong>: %s.</p>\n",
			     m->rungs[i].name, w->steps[i].why);
	}
	if (unlike)
		html(f,
		     "<p class=\"note\">&#8220;Relative&#8221;: one of the two rungs was emulated, so "
		     "the step holds the emulation, too, and says nothing of KVM: it has no colour, and a "
		     "hollow mark in the drawing.</p>\n");
	latency_table(f, m, w);
}
