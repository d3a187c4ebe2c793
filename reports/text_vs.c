// SPDX-License-Identifier: GPL-2.0-or-later
/* The two arms of a run on a terminal, and where a workload's noise comes from. */
#include <math.h>
#include <stdlib.h>
#include "reports/text.h"

#define COMMANDS_MAX 3 /* pairs whose commands are printed; the page has all */

static void put_arm(const struct text *t, const char *name, char *const *sets, size_t n)
{
	char *arm = vs_arm(sets, n);

	text_wrapped(t, name, arm, 10);
	free(arm);
}

static void put_command(const struct text *t, const struct model *m, const char *name, size_t cell)
{
	if (cell < m->ncells && m->cells[cell].repeat)
		text_wrapped(t, name, m->cells[cell].repeat, 10);
}

/* Pairs stand once for each workload, one after another. */
static void put_commands(const struct text *t, const struct model *m)
{
	size_t pairs = m->nworkloads ? m->nvs / m->nworkloads : 0;

	for (size_t i = 0; i < m->nvs && pairs <= COMMANDS_MAX; i += m->nworkloads) {
		if (pairs > 1)
			text_wrapped(t, "  ", vs_label(&m->vs[i]), 2);
		put_command(t, m, "  base:   ", m->vs[i].base);
		put_command(t, m, "  change: ", m->vs[i].change);
	}
}

void text_vs(const struct text *t, const struct model *m)
{
	struct line *lines;
	char **names;

	if (!m->nvs)
		return;
	text_wrapped(t, "", "change against base, interleaved in one run:", 0);
	put_arm(t, "  base:   ", m->vs_base, m->nvs_base);
	put_arm(t, "  change: ", m->vs_change, m->nvs_change);
	lines = xcalloc(m->nvs + 1, sizeof(*lines));
	names = xcalloc(m->nvs + 1, sizeof(*names));
	lines[0].name = "workload, cell";
	snprintf(lines[0].value, sizeof(lines[0].value), "judged by");
	snprintf(lines[0].ratio, sizeof(lines[0].ratio), "change to base [95 %%]");
	for (size_t i = 0; i < m->nvs; i++) {
		const struct model_vs *x = &m->vs[i];
		struct line *l = &lines[i + 1];

		l->name = names[i] = xasprintf("%s, %s", vs_workload(m, x), vs_label(x));
		l->mark = vs_mark(x);
		snprintf(l->value, sizeof(l->value), "%s",
			 x->metric && x->metric->id ? x->metric->id : "n/a");
		vs_ratio(x, NUM_ASCII, l->ratio, sizeof(l->ratio));
		if (l->mark == MARK_FAILED)
			snprintf(l->ratio, sizeof(l->ratio), "too many trials");
		vs_word(m, x, true, l->word, sizeof(l->word));
		if (l->mark == MARK_NONE)
			text_verdict(l, x->verdict, &x->more);
	}
	text_table(t, lines, m->nvs + 1);
	text_more(t, lines, m->nvs + 1);
	put_commands(t, m);
	fputc('\n', t->out);
	for (size_t i = 0; i < m->nvs; i++)
		free(names[i]);
	free(names);
	free(lines);
}

/* "best trial length here: 0.93 s (now 1.0 s): ..." */
static void put_length(const struct text *t, const struct model_workload *w)
{
	char best[32], now[32], *s;

	if (isnan(w->best_seconds)) {
		if (w->spread.why && isfinite(w->spread.length))
			text_wrapped(t, "  best trial length here: cannot be told: ", w->spread.why,
				     4);
		return;
	}
	num_3(w->spread.length, now, sizeof(now));
	if (isinf(w->best_seconds))
		s = xasprintf("longer than the %s s it was: trials differ by no more than their "
			      "seconds do",
			      now);
	else
		s = xasprintf("%s s (it was %s s)", num_3(w->best_seconds, best, sizeof(best)),
			      now);
	text_wrapped(t, "  best trial length here: ", s, 4);
	free(s);
}

void text_spread(const struct text *t, const struct model_workload *w)
{
	char trial[32], block[32], second[32], between[32], *s;
	const struct components *c = &w->template_var;
	bool blocks = c->groups >= 2 && isfinite(c->between);
	bool seconds = isfinite(w->spread.second) && isfinite(w->spread.between);

	if (!isfinite(w->trial_sd) || !(w->trial_sd > 0))
		return;
	s = xasprintf("one trial %s %%%s%s%s%s%s%s%s%s",
		      num_3(w->trial_sd * 100, trial, sizeof(trial)), seconds ? ", of which " : "",
		      seconds ? num_3(w->spread.between * 100, between, sizeof(between)) : "",
		      seconds ? " % beyond its seconds; one second within it " : "",
		      seconds ? num_3(w->spread.second * 100, second, sizeof(second)) : "",
		      seconds ? " %" : "", blocks ? "; blocks with their templates " : "",
		      blocks ? num_3(sqrt(fmax(c->between, 0)) * 100, block, sizeof(block)) : "",
		      blocks ? " %" : "");
	text_wrapped(t, "  spread: ", s, 4);
	free(s);
	put_length(t, w);
}
