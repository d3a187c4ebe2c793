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

/* A combination that stands for several counts them itself. */
static bool is_cell(const struct skipped *s)
{
	return !s->folded && !strchr(s->what, '(');
}

static bool goes_with(const struct skipped *a, const struct skipped *b)
{
	return is_cell(a) && is_cell(b) && !strcmp(a->reason, b->reason);
}

/* The words that all cells of s's kind have: "pages=2M". New text; "" when there are none. */
static char *common(const struct skipped *s, const struct skipped *all, size_t n)
{
	char *out = xstrdup("");

	for (const char *p = s->what; *p; p += strspn(p, " ")) {
		size_t len = strcspn(p, " ");
		bool in_all = true;

		for (size_t i = 0; i < n && in_all; i++)
			in_all = !goes_with(s, &all[i]) || has_word(all[i].what, p, len);
		if (in_all) {
			char *more = xasprintf("%s%s%.*s", out, *out ? " " : "", (int)len, p);

			free(out);
			out = more;
		}
		p += len;
	}
	return out;
}

static void print_group(const struct skipped *s, const struct skipped *all, size_t n,
			const char *before, FILE *out)
{
	size_t cells = 0, named = 0;
	char *words;

	for (size_t i = 0; i < n; i++)
		cells += goes_with(s, &all[i]);
	if (cells < 2) {
		fprintf(out, "%s%s: %s\n", before, s->what, s->reason);
		return;
	}
	words = common(s, all, n);
	fprintf(out, "%s%zu cells", before, cells);
	if (*words)
		fprintf(out, " with %s", words);
	for (size_t i = 0; !*words && i < n && named < 3; i++)
		if (goes_with(s, &all[i]))
			fprintf(out, "%s%s", named++ ? ", " : " (", all[i].what);
	if (!*words)
		fprintf(out, "%s)", cells > named ? ", ..." : "");
	fprintf(out, ": %s\n", s->reason);
	free(words);
}

void skipped_print(const struct skipped *all, size_t n, const char *before, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		bool first = !all[i].folded;

		for (size_t j = 0; j < i && first; j++)
			first = !goes_with(&all[i], &all[j]);
		if (first)
			print_group(&all[i], all, n, before, out);
	}
}
