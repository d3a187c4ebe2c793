/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report on a terminal: a table of each workload's cells, main effects, the answer. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "reports/report.h"
#include "reports/text.h"

#define MIN_WIDTH 60

static void spaces(const struct text *t, int n)
{
	for (; n > 0; n--)
		fputc(' ', t->out);
}

/* Text and blanks up to so many columns. */
static void padded(const struct text *t, const char *s, int columns)
{
	spaces(t, columns - term_text(t->out, s, 0));
}

/* Words of s folded at the width, beginning in column at, later lines indented; ends the line. */
static void put_words(const struct text *t, const char *s, int at, int indent)
{
	bool begun = false;

	while (s && *s) {
		size_t n = strcspn(s, " \n");
		char *word = xasprintf("%.*s", (int)n, s);
		int columns = term_columns(word);

		if (n && begun && at + 1 + columns > t->width) {
			fputc('\n', t->out);
			spaces(t, indent);
			at = indent;
			begun = false;
		}
		if (n) {
			if (begun)
				fputc(' ', t->out);
			at += begun + term_text(t->out, word, 0);
			begun = true;
		}
		free(word);
		s += n + (s[n] != 0);
	}
	fputc('\n', t->out);
}

void text_wrapped(const struct text *t, const char *first, const char *s, int indent)
{
	put_words(t, s, term_text(t->out, first, 0), indent);
}

static void put_word(const struct text *t, const struct line *l)
{
	static const char *const on[] = {"", "\033[32m", "\033[33m", "\033[31m", "", ""};

	if (!l->word[0])
		return;
	bool colour = t->colour && *on[l->mark];

	fputs(colour ? on[l->mark] : "", t->out);
	term_text(t->out, l->word, 0);
	if (colour)
		fputs("\033[0m", t->out);
}

static int widest(int have, const char *s)
{
	int c = term_columns(s);

	return c > have ? c : have;
}

/* How wide the columns are, and over how many lines a row goes: 1 if the width holds all, else 2
 * or 3. */
struct columns {
	int number, lead, name, value, ratio, lines;
};

static struct columns columns_of(const struct text *t, const struct line *lines, size_t n)
{
	struct columns c = {0};
	int word = 0;

	for (size_t i = 0; i < n; i++) {
		c.number = widest(c.number, lines[i].number);
		c.name = widest(c.name, lines[i].name);
		c.value = widest(c.value, lines[i].value);
		c.ratio = widest(c.ratio, lines[i].ratio);
		word = widest(word, lines[i].word);
	}
	c.lead = 2 + c.number + (c.number ? 2 : 0);
	int figures = c.value + 2 + c.ratio + (word ? 2 + word : 0);

	c.lines = c.lead + c.name + 2 + figures <= t->width ? 1
		  : c.lead + figures <= t->width	    ? 2
							    : 3;
	return c;
}

/* Ratio and word; no blanks stay at the end of a line. */
static void put_ratio(const struct text *t, const struct line *l, const struct columns *c)
{
	if (l->word[0]) {
		padded(t, l->ratio, c->ratio + 2);
		put_word(t, l);
	} else {
		term_text(t->out, l->ratio, 0);
	}
	fputc('\n', t->out);
}

static void put_line(const struct text *t, const struct line *l, const struct columns *c)
{
	spaces(t, c->number ? 2 + c->number - term_columns(l->number) : 2);
	term_text(t->out, l->number, 0);
	spaces(t, c->number ? 2 : 0);
	if (c->lines == 1) {
		padded(t, l->name, c->name + 2);
	} else {
		int indent = c->lead + (int)strspn(l->name, " "); /* a tree's */

		spaces(t, indent - c->lead);
		put_words(t, l->name, indent, indent);
		spaces(t, c->lead);
	}
	if (c->lines == 3) {
		term_text(t->out, l->value, 0);
		fputc('\n', t->out);
		spaces(t, c->lead);
	} else {
		padded(t, l->value, c->value + 2);
	}
	put_ratio(t, l, c);
}

void text_table(const struct text *t, const struct line *lines, size_t n)
{
	struct columns c = columns_of(t, lines, n);

	for (size_t i = 0; i < n; i++)
		put_line(t, &lines[i], &c);
}

void text_verdict(struct line *l, enum verdict v, const struct forecast *more)
{
	char *blocks;

	verdict_text(v, more, l->word, sizeof(l->word));
	blocks = strstr(l->word, " block");
	if (blocks)
		*blocks = 0;
}

void text_more(const struct text *t, const struct line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(lines[i].word, " more")) {
			text_wrapped(t, "  ", "\"more\": further blocks that would decide", 2);
			return;
		}
}

static void line_of(struct line *l, const struct model *m, const struct model_workload *w,
		    const struct model_row *r)
{
	const struct model_value *v = row_primary(w, r);

	snprintf(l->number, sizeof(l->number), "%u%s", r->cell + 1,
		 !workload_best_told(w) ? ""
		 : r->best_set		? "*"
					: " ");
	l->name = row_label(m, r);
	l->mark = row_mark(r, v);
	snprintf(l->value, sizeof(l->value), "n/a");
	if (v)
		num_value(w->primary, &v->abs, NUM_ASCII, l->value, sizeof(l->value));
	if (l->mark == MARK_LIMIT)
		snprintf(l->value, sizeof(l->value), "-");
	if (l->mark == MARK_LIMIT)
		snprintf(l->ratio, sizeof(l->ratio), "limit");
	else if (r->cell == 0)
		snprintf(l->ratio, sizeof(l->ratio), "first cell");
	else if (l->mark == MARK_FAILED)
		snprintf(l->ratio, sizeof(l->ratio), "failed: %u of %u trials", r->failed,
			 r->ok + r->failed);
	else if (!v || !isfinite(v->ratio.mid))
		snprintf(l->ratio, sizeof(l->ratio), "n/a");
	else
		num_ratio(w->primary, &v->ratio, NUM_ASCII, l->ratio, sizeof(l->ratio));
	if (l->mark != MARK_FAILED && l->mark != MARK_LIMIT)
		row_word(r, v, l->word, sizeof(l->word));
	if (l->mark == MARK_NONE && v && r->cell)
		text_verdict(l, v->verdict, &v->more);
}

static void put_cells(const struct text *t, const struct model *m, const struct model_workload *w)
{
	struct line *lines = xcalloc(w->nrows + 1, sizeof(*lines));

	lines[0].name = "cell";
	snprintf(lines[0].number, sizeof(lines[0].number), "#");
	snprintf(lines[0].value, sizeof(lines[0].value), "%s [95 %%]",
		 w->primary->scale == SCALE_DIFFERENCE ? "mean" : "geometric mean");
	snprintf(lines[0].ratio, sizeof(lines[0].ratio), "to first [95 %%]");
	for (size_t i = 0; i < w->nrows; i++)
		line_of(&lines[i + 1], m, w, &w->rows[i]);
	text_table(t, lines, w->nrows + 1);
	text_more(t, lines, w->nrows + 1);
	free(lines);
}

/* Why cells are not there; equal reasons once. */
static void put_limits(const struct text *t, const struct model_workload *w)
{
	for (size_t i = 0; i < w->nrows; i++) {
		const struct model_row *r = &w->rows[i];
		char *cells = NULL, *more;
		bool first = r->limits != 0;

		for (size_t k = 0; k < i && first; k++)
			first = !w->rows[k].limits || strcmp(row_limit(&w->rows[k]), row_limit(r));
		for (size_t k = i; k < w->nrows && first; k++) {
			if (!w->rows[k].limits || strcmp(row_limit(&w->rows[k]), row_limit(r)))
				continue;
			more = xasprintf("%s%s%u", cells ? cells : "", cells ? ", " : "",
					 w->rows[k].cell + 1);
			free(cells);
			cells = more;
		}
		if (!cells)
			continue;
		more = xasprintf("%s: limit: %s", cells, row_limit(r));
		text_wrapped(t, "  ", more, 4);
		free(more);
		free(cells);
	}
}

/* Read before the main effects, which they qualify. */
static void put_interactions(const struct text *t, const struct model_workload *w)
{
	char a[FIELD], b[FIELD];

	for (size_t i = 0; i < w->ninteractions; i++) {
		const struct model_interaction *x = &w->interactions[i];
		char *s = xasprintf(
			"%s, %s -> %s: %s with %s = %s, but %s with %s", x->axis, x->from, x->to,
			num_ratio(w->primary, &x->at_from, NUM_ASCII, a, sizeof(a)), x->by,
			x->by_from, num_ratio(w->primary, &x->at_to, NUM_ASCII, b, sizeof(b)),
			x->by_to);

		if (!i)
			text_wrapped(t, "  ", "effects that depend on another axis:", 2);
		text_wrapped(t, "  ", s, 4);
		free(s);
	}
}

static void put_effects(const struct text *t, const struct model_workload *w)
{
	struct line *lines = xcalloc(w->neffects + 1, sizeof(*lines));
	char **names = xcalloc(w->neffects + 1, sizeof(*names));

	for (size_t i = 0; i < w->neffects; i++) {
		const struct model_effect *e = &w->effects[i];
		struct line *l = &lines[i];

		names[i] = xasprintf("%s", e->axis ? e->axis : "");
		l->name = names[i];
		snprintf(l->value, sizeof(l->value), "%s -> %s", e->from ? e->from : "",
			 e->to ? e->to : "");
		num_ratio(e->metric, &e->ratio, NUM_ASCII, l->ratio, sizeof(l->ratio));
		l->mark = verdict_mark(e->verdict);
		text_verdict(l, e->verdict, &e->more);
	}
	if (w->neffects) {
		text_wrapped(t, "  ", "main effects, averaged over the other axes:", 2);
		text_table(t, lines, w->neffects);
	}
	for (size_t i = 0; i < w->neffects; i++)
		free(names[i]);
	free(names);
	free(lines);
}

/* Whether there is an interval against the first cell at all. */
static bool any_interval(const struct model_workload *w)
{
	for (size_t i = 0; i < w->nrows; i++) {
		const struct model_value *v = row_primary(w, &w->rows[i]);

		if (v && w->rows[i].cell != 0 && isfinite(v->ratio.lo) && isfinite(v->ratio.hi))
			return true;
	}
	return false;
}

static void put_workload(const struct text *t, const struct model *m,
			 const struct model_workload *w)
{
	const char *pass = workload_pass(w);
	char *head = xasprintf("%s%s%s%s%s", w->name ? w->name : "", w->describe ? ": " : "",
			       w->describe ? w->describe : "", *pass ? ", " : "", pass);

	text_wrapped(t, "", head, 2);
	free(head);
	if (!w->primary || !w->nrows) {
		fputs("  nothing was measured\n\n", t->out);
		return;
	}
	if (w->steps) {
		text_ladder(t, m, w);
		fputc('\n', t->out);
		return;
	}
	head = xasprintf("%s, %s is better; %u blocks", w->primary->title,
			 w->primary->better == HIGHER_IS_BETTER ? "higher" : "lower",
			 m->blocks_done);
	text_wrapped(t, "  ", head, 2);
	free(head);
	put_cells(t, m, w);
	put_limits(t, w);
	if (w == m->workloads) /* made in the same way for each workload */
		text_aside(t, m, w, ASIDE_IMAGE);
	text_aside(t, m, w, ASIDE_DISKS);
	if (w->nrows > 1 && !any_interval(w))
		fputs("  an interval needs 2 blocks\n", t->out);
	else if (w->nrows > 1 && workload_differing(w, w->primary) == 0)
		fputs("  no cell was shown to differ from the first\n", t->out);
	if (workload_best_told(w))
		fputs("  * not shown worse than the best cell\n", t->out);
	put_interactions(t, w);
	put_effects(t, w);
	text_curves(t, m, w);
	text_spread(t, w);
	if (w->headline && m->nworkloads > 1)
		text_wrapped(t, "  ", w->headline, 2);
	fputc('\n', t->out);
}

/* What a bus or a driver brings along: the effects above hold it, too. */
static void put_side(const struct text *t, const struct model_side *side)
{
	char *s =
		xasprintf("%s %s", side->name ? side->name : "", side->values ? side->values : "");

	text_wrapped(t, "beside the axes: ", s, 2);
	free(s);
}

int report_text(const struct model *m, FILE *out, bool colour, int width)
{
	struct text t = {out, colour, width < MIN_WIDTH ? MIN_WIDTH : width};

	text_tuning(&t, m);
	text_search(&t, m);
	text_vs(&t, m);
	text_rungs(&t, m);
	for (size_t i = 0; !m->search && i < m->nworkloads; i++)
		put_workload(&t, m, &m->workloads[i]);
	text_claims(&t, m);
	text_rules(&t, m);
	for (size_t i = 0; !m->nrungs && i < m->nside; i++) /* rungs differ on purpose */
		put_side(&t, &m->side[i]);
	if (m->nside && !m->nrungs)
		fputc('\n', out);
	if (m->trials_failed) {
		char *s = xasprintf("%u of %u trials failed", m->trials_failed,
				    m->trials_ok + m->trials_failed + m->trials_limit);

		text_wrapped(&t, "", s, 2);
		free(s);
	}
	if (m->trials_limit) {
		char *s = xasprintf("%u trials ended at a limit, which is a finding",
				    m->trials_limit);

		text_wrapped(&t, "", s, 2);
		free(s);
	}
	for (size_t i = 0; i < m->nwarnings; i++)
		text_wrapped(&t, "note: ", m->warnings[i], 6);
	if (m->headline && *m->headline)
		text_wrapped(&t, "", m->headline, 0);
	else if (!m->trials_ok)
		text_wrapped(&t, "", "Nothing was measured: no trial of this run succeeded.", 0);
	return ferror(out) ? -EIO : 0;
}
