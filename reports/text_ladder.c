/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ladder on a terminal: the rungs as a tree, then each workload's figures and layers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "reports/text.h"

#define INDENT_MAX 16 /* a deeper tree goes on at this depth */

/* In tables by 1: figures need the room. */
static char *indented(const struct model_rung *r)
{
	unsigned depth = r->depth < INDENT_MAX ? r->depth : INDENT_MAX;

	return xasprintf("%*s%s", (int)depth, "", r->name ? r->name : "");
}

void text_rungs(const struct text *t, const struct model *m)
{
	if (!m->nrungs)
		return;
	fputs("the ladder, each rung under the one it stands on:\n", t->out);
	for (size_t i = 0; i < m->nrungs; i++) {
		const struct model_rung *r = &m->rungs[i];
		unsigned depth = r->depth < INDENT_MAX ? r->depth : INDENT_MAX;
		char *s = xasprintf("%s%s%s%s%s", r->name ? r->name : "", r->adds ? ": + " : "",
				    r->adds ? r->adds : "", r->why ? "; not measured: " : "",
				    r->why ? r->why : "");
		char *lead = xasprintf("%*s", 2 + 2 * (int)depth, "");

		text_wrapped(t, lead, s, 6 + 2 * (int)depth);
		free(lead);
		free(s);
	}
	fputc('\n', t->out);
}

static void line_of(struct line *l, const struct model *m, const struct model_workload *w, size_t i,
		    enum step_figure f)
{
	const struct model_rung *r = &m->rungs[i];
	const struct model_layer *x = &w->steps[i].of[f];

	num_value(step_metric(f), &x->abs, NUM_ASCII, l->value, sizeof(l->value));
	if (r->below < 0)
		snprintf(l->ratio, sizeof(l->ratio), "-");
	else
		num_ratio(step_metric(f), &x->layer, NUM_ASCII, l->ratio, sizeof(l->ratio));
	l->mark = layer_mark(r, x->word);
	snprintf(l->word, sizeof(l->word), "%s%s", layer_text(x->word),
		 r->unlike && x->word ? " *" : "");
}

static void put_figure(const struct text *t, const struct model *m, const struct model_workload *w,
		       enum step_figure f)
{
	struct line *lines = xcalloc(m->nrungs + 1, sizeof(*lines));
	char **names = xcalloc(m->nrungs + 1, sizeof(*names));

	lines[0].name = step_metric(f)->title;
	snprintf(lines[0].value, sizeof(lines[0].value), "geometric mean [95 %%]");
	snprintf(lines[0].ratio, sizeof(lines[0].ratio), "its layer [95 %%]");
	for (size_t i = 0; i < m->nrungs; i++) {
		lines[i + 1].name = names[i] = indented(&m->rungs[i]);
		line_of(&lines[i + 1], m, w, i, f);
	}
	text_table(t, lines, m->nrungs + 1);
	for (size_t i = 0; i < m->nrungs; i++)
		free(names[i]);
	free(names);
	free(lines);
}

/* Why nothing was shown of some layers, each reason once with all its rungs. */
static void put_reasons(const struct text *t, const struct model *m, const struct model_workload *w)
{
	for (size_t i = 0; i < m->nrungs; i++) {
		const char *why = w->steps[i].why;
		char *s = NULL, *all;
		size_t k = 0;

		while (why && k < i && (!w->steps[k].why || strcmp(w->steps[k].why, why)))
			k++;
		if (!why || k < i)
			continue;
		for (; k < m->nrungs; k++) {
			const char *name = m->rungs[k].name ? m->rungs[k].name : "";

			if (!w->steps[k].why || strcmp(w->steps[k].why, why))
				continue;
			all = s ? xasprintf("%s, %s", s, name) : xstrdup(name);
			free(s);
			s = all;
		}
		all = xasprintf("%s: %s", s ? s : "", why);
		text_wrapped(t, "  nothing shown of ", all, 4);
		free(all);
		free(s);
	}
}

void text_ladder(const struct text *t, const struct model *m, const struct model_workload *w)
{
	char *head = xasprintf(
		"lower is better; %u block%s; a layer is its rung less the rung below, arithmetic mean",
		m->blocks_done, m->blocks_done == 1 ? "" : "s");
	bool unlike = false;

	text_wrapped(t, "  ", head, 2);
	free(head);
	/* Latency stands in the page and in --json: at depth 1 it is the time per I/O once more. */
	put_figure(t, m, w, STEP_NS);
	if (steps_have(m, w, STEP_CPU))
		put_figure(t, m, w, STEP_CPU);
	for (size_t i = 0; i < m->nrungs; i++)
		unlike |= m->rungs[i].unlike && w->steps[i].of[STEP_NS].word;
	put_reasons(t, m, w);
	text_wrapped(
		t, "  ",
		"words are corrected for the number of layers (Holm), intervals are not: one may "
		"exclude 0 beside \"undecided\"",
		2);
	if (unlike)
		text_wrapped(t, "  ",
			     "* relative: one of the two rungs was emulated, so the step holds the "
			     "emulation and says nothing of KVM",
			     2);
	if (w->headline && m->nworkloads > 1)
		text_wrapped(t, "  ", w->headline, 2);
}
