// SPDX-License-Identifier: GPL-2.0-or-later
/* A tuning's record as sentences: what counts, what was shown and how surely, what it cost. The
 * same ones on the terminal and on the page. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "reports/page.h"

__attribute__((format(printf, 2, 3))) static void add(char **s, const char *fmt, ...)
{
	char *more = NULL, *longer;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&more, fmt, ap) < 0)
		abort();
	va_end(ap);
	longer = xasprintf("%s%s", *s ? *s : "", more);
	free(more);
	free(*s);
	*s = longer;
}

/* {workload: metric} that the search went by. */
static json_t *objective(const struct model *m)
{
	return json_object_get(json_object_get(m->tuning, "search"), "primary");
}

static char *what_counts(const struct model *m)
{
	json_t *by = objective(m), *v;
	size_t n = json_object_size(by), i = 0;
	const char *name;
	char *s = NULL;

	if (!n)
		return NULL;
	add(&s, "What counts: %s", n > 1 ? "the geometric mean of " : "");
	json_object_foreach(by, name, v)
	{
		add(&s, "%s%s of %s",
		    !i		 ? ""
		    : i + 1 == n ? " and "
				 : ", ",
		    json_string_value(v) ? json_string_value(v) : "?", name);
		i++;
	}
	add(&s, ", as speed: more is better.");
	return s;
}

/* Rules of safety that the recommendation breaks: the start's own, since none is broken anew. */
static char *unsafe(const struct model *m)
{
	const json_t *r;
	char *s = NULL;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(m->tuning, "audit_end"), "rules"), i, r)
	{
		if (strcmp(tuning_text(r, "weight"), "must"))
			continue;
		add(&s, "%s%s, %s", s ? "; " : "Unsafe, as the start is: ", tuning_text(r, "id"),
		    tuning_text(r, "title"));
	}
	if (s)
		add(&s, ". No speed is worth it; mend that first.");
	return s;
}

/* A pair, and what the mean over several workloads hides. NULL: it was not measured. */
static char *judged(const char *what, const json_t *p)
{
	const json_t *w;
	char buf[128], *s = NULL;
	size_t i;

	if (!json_is_object(p))
		return NULL;
	add(&s, "%s: %s: %s", what, tuning_speed(p, buf, sizeof(buf)), tuning_text(p, "verdict"));
	json_array_foreach(json_object_get(p, "workloads"), i, w)
	{
		bool known = json_is_number(json_object_get(w, "speed"));

		add(&s, "; %s by itself: %s%s%s", tuning_text(w, "workload"),
		    known ? tuning_speed(w, buf, sizeof(buf)) : "", known ? ": " : "",
		    tuning_text(w, "verdict"));
	}
	add(&s, ".");
	return s;
}

static const json_t *pair_at(const struct model *m, const char *run, size_t i)
{
	return json_array_get(json_object_get(json_object_get(m->tuning, run), "pairs"), i);
}

static char *method(const struct model *m)
{
	const json_t *final = json_object_get(m->tuning, "final");
	size_t n = json_array_size(json_object_get(final, "pairs"));
	long long max = tuning_number(final, "max_blocks");
	char *s = NULL;

	if (n && max)
		add(&s,
		    "The proof was looked at after each block, of at most %lld: its 95 %% "
		    "intervals hold at every look; a gain that was shown early looks larger "
		    "than it is, by a tenth or so.",
		    max);
	if (n > 1)
		add(&s,
		    "%sBetter and worse are words of %zu comparisons together (Holm, 5 %%): an "
		    "interval of a single one may exclude 0 where its word is undecided.",
		    s ? " " : "", n);
	return s;
}

static char *left(const struct model *m)
{
	const json_t *gone = json_object_get(json_object_get(m->tuning, "search"), "failed"), *v;
	char *s = NULL;
	size_t i;

	json_array_foreach(gone, i, v)
		add(&s, "%s%s",
		    s ? "; " : "Cells that left the search because a trial failed or met a limit: ",
		    json_string_value(v) ? json_string_value(v) : "?");
	if (s)
		add(&s, ".");
	return s;
}

size_t tuning_sentences(const struct model *m, char **out)
{
	bool lean = !strcmp(tuning_text(m->tuning, "recommended"), "lean");
	char *all[TUNING_SENTENCES] = {
		unsafe(m),
		what_counts(m),
		lean ? judged("Speed of what is recommended against the start, in fresh blocks",
			      pair_at(m, "confirm", 0))
		     : judged("Speed of the search's winner against the start, in fresh blocks",
			      pair_at(m, "final", 0)),
		lean ? judged("Against the search's winner, in the same blocks",
			      pair_at(m, "confirm", 1))
		     : judged("Without what was not shown to be worth having, against the start",
			      pair_at(m, "confirm", 0)),
		judged("The search's winner against the start, measured again beside it",
		       json_object_get(json_object_get(m->tuning, "confirm"), "again")),
		method(m),
		tuning_spent(m),
		left(m),
		tuning_near(m),
		xstrdup(tuning_safety),
	};
	size_t n = 0;

	for (size_t i = 0; i < TUNING_SENTENCES; i++)
		if (all[i])
			out[n++] = all[i];
	return n;
}
