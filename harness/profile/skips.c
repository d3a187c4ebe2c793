// SPDX-License-Identifier: GPL-2.0-or-later
/* What is not measured, in lines that a reader can take in: one for each reason. */
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "profile/profile.h"

static bool has_word(const char *text, const char *word, size_t len)
{
	for (const char *p = text; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		if (n == len && !memcmp(p, word, len))
			return true;
		p += n;
	}
	return false;
}

/* A combination that stands for several counts them itself; a rung has a name that its reader
 * knows. */
static bool is_cell(const struct skipped *s)
{
	return !s->folded && !strchr(s->what, '(') && strncmp(s->what, "rung ", 5) != 0;
}

static bool goes_with(const struct skipped *a, const struct skipped *b)
{
	return is_cell(a) && is_cell(b) && !strcmp(a->reason, b->reason);
}

/* The words that all cells of a line have: "pages=2M". New text; "" when there are none. */
static char *common(const struct skipped_line *l, const struct skipped *all)
{
	char *out = xstrdup("");

	for (const char *p = all[l->cell[0]].what; *p; p += strspn(p, " ")) {
		size_t len = strcspn(p, " ");
		bool in_all = true;

		for (size_t i = 0; i < l->ncell && in_all; i++)
			in_all = has_word(all[l->cell[i]].what, p, len);
		if (in_all) {
			char *more = xasprintf("%s%s%.*s", out, *out ? " " : "", (int)len, p);

			free(out);
			out = more;
		}
		p += len;
	}
	return out;
}

/* "3 cells with pages=2M", "2 cells (a b, c)"; of one cell its own words. */
static char *line_words(const struct skipped_line *l, const struct skipped *all)
{
	const char *first = all[l->cell[0]].what;
	char *words, *out;

	if (l->ncell < 2)
		return xstrdup(first);
	words = common(l, all);
	if (*words)
		out = xasprintf("%zu cells with %s", l->ncell, words);
	else
		out = xasprintf("%zu cells (%s, %s%s%s%s)", l->ncell, first, all[l->cell[1]].what,
				l->ncell > 2 ? ", " : "", l->ncell > 2 ? all[l->cell[2]].what : "",
				l->ncell > 3 ? ", ..." : "");
	free(words);
	return out;
}

struct skipped_line *skipped_lines(const struct skipped *all, size_t n, size_t *nlines)
{
	struct skipped_line *lines = xcalloc(n + 1, sizeof(*lines));

	*nlines = 0;
	for (size_t i = 0; i < n; i++) {
		struct skipped_line *l = &lines[*nlines];
		bool first = !all[i].folded;

		for (size_t j = 0; j < i && first; j++)
			first = !goes_with(&all[i], &all[j]);
		if (!first)
			continue;
		l->reason = all[i].reason;
		l->cell = xcalloc(n - i, sizeof(*l->cell));
		for (size_t j = i; j < n; j++)
			if (j == i || goes_with(&all[i], &all[j]))
				l->cell[l->ncell++] = j;
		l->what = line_words(l, all);
		++*nlines;
	}
	return lines;
}

void skipped_lines_free(struct skipped_line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(lines[i].what);
		free(lines[i].cell);
	}
	free(lines);
}

void skipped_print(const struct skipped *all, size_t n, const char *before, FILE *out)
{
	size_t nlines;
	struct skipped_line *lines = skipped_lines(all, n, &nlines);

	for (size_t i = 0; i < nlines; i++)
		fprintf(out, "%s%s: %s\n", before, lines[i].what, lines[i].reason);
	skipped_lines_free(lines, nlines);
}

void skipped_print_all(const struct skipped *all, size_t n, const char *indent, FILE *out)
{
	char *before = xasprintf("%sskipped: ", indent);

	for (size_t i = 0; i < n; i++)
		if (all[i].folded)
			fprintf(out, "%sfolded: %s: %s\n", indent, all[i].what, all[i].reason);
	skipped_print(all, n, before, out);
	free(before);
}

json_t *skipped_json(const struct skipped *all, size_t n)
{
	json_t *out = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(out,
				      json_pack("{s:s, s:s, s:b}", "what", all[i].what, "reason",
						all[i].reason, "folded", all[i].folded));
	return out;
}

struct skipped *skipped_of(const json_t *list, size_t *n)
{
	struct skipped *all = xcalloc(json_array_size(list) + 1, sizeof(*all));
	const json_t *x;
	size_t i;

	*n = 0;
	json_array_foreach(list, i, x)
	{
		const char *what = json_string_value(json_object_get(x, "what"));
		const char *reason = json_string_value(json_object_get(x, "reason"));

		if (what && reason)
			all[(*n)++] = (struct skipped){(char *)what, (char *)reason,
						       json_is_true(json_object_get(x, "folded"))};
	}
	return all;
}
