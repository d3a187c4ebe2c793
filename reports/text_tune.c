// SPDX-License-Identifier: GPL-2.0-or-later
/* A tuning on a terminal: what is recommended and why, and the ranks of a search. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "reports/text.h"

#define RANKS 16 /* cells of a search that are printed; the page has all */

static void put_settings(const struct text *t, const struct model *m)
{
	const json_t *list = json_object_get(m->tuning, "settings"), *s;
	size_t i, n = json_array_size(list);
	struct line *lines = xcalloc(n + 1, sizeof(*lines));
	char **names = xcalloc(n + 1, sizeof(*names));

	json_array_foreach(list, i, s)
	{
		struct line *l = &lines[i];

		l->name = names[i] = xstrdup(tuning_text(s, "key"));
		snprintf(l->value, sizeof(l->value), "%s -> %s", tuning_text(s, "from"),
			 tuning_text(s, "to"));
		if (json_object_get(s, "worth"))
			tuning_speed(json_object_get(s, "worth"), l->ratio, sizeof(l->ratio));
		else
			snprintf(l->ratio, sizeof(l->ratio), "%.120s", tuning_text(s, "alone"));
		snprintf(l->word, sizeof(l->word), "%s", tuning_text(s, "word"));
	}
	if (n) {
		text_wrapped(t, "  ",
			     "settings of the search's winner, each undone in turn, and what "
			     "each is worth in speed:",
			     2);
		text_table(t, lines, n);
	}
	for (i = 0; i < n; i++)
		free(names[i]);
	free(names);
	free(lines);
}

static void put_values(const struct text *t, const struct model *m, const char *which)
{
	const json_t *axes = json_object_get(m->tuning, "axes"), *a;
	size_t i;

	json_array_foreach(axes, i, a)
	{
		const char *was = tuning_value(m, "start", i), *is = tuning_value(m, which, i);
		char *s;

		if (json_array_size(json_object_get(a, "values")) < 2)
			continue;
		s = strcmp(was, is)
			    ? xasprintf("%s = %s (start: %s)", tuning_text(a, "key"), is, was)
			    : xasprintf("%s = %s", tuning_text(a, "key"), is);
		text_wrapped(t, "  ", s, 4);
		free(s);
	}
}

void text_tuning(const struct text *t, const struct model *m)
{
	const char *which = tuning_text(m->tuning, "recommended");
	char *lines[TUNING_SENTENCES], *s;
	size_t n;

	if (!m->tuning || !*which)
		return;
	s = xasprintf("tuning: recommended is the %s: %s",
		      !strcmp(which, "lean") ? "winner less what is not shown to be worth having"
					     : which,
		      tuning_text(m->tuning, "because"));
	text_wrapped(t, "", s, 2);
	free(s);
	put_values(t, m, which);
	put_settings(t, m);
	n = tuning_sentences(m, lines);
	for (size_t i = 0; i < n; i++) {
		text_wrapped(t, "  ", lines[i], 4);
		free(lines[i]);
	}
	fputc('\n', t->out);
}

void text_search(const struct text *t, const struct model *m)
{
	const struct model_search *s = m->search;
	size_t n = s ? (s->ncells < RANKS ? s->ncells : RANKS) : 0, k = 0;
	struct line *lines;

	if (!s)
		return;
	lines = xcalloc(n + 2, sizeof(*lines));
	lines[k].name = "cell, by rank";
	snprintf(lines[k].ratio, sizeof(lines[k].ratio), "visits");
	snprintf(lines[k++].value, sizeof(lines[k].value), "predicted speed");
	for (size_t i = 0; i < n; i++, k++) {
		const struct model_tried *c = &s->cells[i];

		snprintf(lines[k].number, sizeof(lines[k].number), "%zu", i + 1);
		lines[k].name = m->cells[c->cell].label ? m->cells[c->cell].label : "";
		if (isfinite(c->predicted))
			snprintf(lines[k].value, sizeof(lines[k].value), "%+.1f %%",
				 100 * (c->predicted - 1));
		snprintf(lines[k].ratio, sizeof(lines[k].ratio), "%u%s", c->visits,
			 c->failed ? ", failed" : "");
		snprintf(lines[k].word, sizeof(lines[k].word), "%s",
			 (long)c->cell == s->winner  ? "winner"
			 : (long)c->cell == s->start ? "start"
			 : c->raced		     ? "raced"
			 : c->visits		     ? ""
						     : "not visited");
	}
	text_wrapped(t, "",
		     "search, cells by the model of main effects and pairs of axes, to the "
		     "start:",
		     2);
	text_table(t, lines, k);
	free(lines);
	if (s->ncells > n)
		text_wrapped(t, "  ", "(the page has all cells)", 2);
	text_wrapped(t, "  ", search_note, 2);
	fputc('\n', t->out);
}
