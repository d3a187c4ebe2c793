// SPDX-License-Identifier: GPL-2.0-or-later
/* A comparison for a terminal and as Markdown: the surroundings first. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "compare/compare.h"
#include "reports/page.h"

#define VALUE_COLUMNS 300 /* of a fact: a kernel's command line has its place, a page does not */

struct say {
	FILE *f;
	bool markdown, colour;
};

/* Text from elsewhere. In Markdown a pipe would end the column, and markup would be taken for ours.
 */
static void put(const struct say *s, const char *text, int max)
{
	char *buf = NULL;
	size_t len = 0;
	FILE *m;

	if (!s->markdown) {
		term_text(s->f, text ? text : "", max);
		return;
	}
	m = open_memstream(&buf, &len);
	if (!m)
		return;
	term_text(m, text ? text : "", max);
	fclose(m);
	for (size_t i = 0; i < len; i++) {
		if (strchr("\\`*_{}[]<>#|!&~", buf[i]))
			fputc('\\', s->f);
		fputc(buf[i], s->f);
	}
	free(buf);
}

static void pad(const struct say *s, const char *text, int width)
{
	int used = term_columns(text ? text : "");

	put(s, text, 0);
	if (!s->markdown)
		fprintf(s->f, "%*s", used < width ? width - used : 0, "");
}

static void head(const struct say *s, const char *text)
{
	fprintf(s->f,
		s->markdown ? "\n## %s\n\n"
		: s->colour ? "\n\033[1m%s\033[0m\n"
			    : "\n%s\n",
		text);
}

static void side(const struct say *s, const char *letter, const struct compare_side *x)
{
	const struct compare_run *r = &x->runs[0];
	char date[64];

	fprintf(s->f, s->markdown ? "- **%s** " : "%s  ", letter);
	put(s, x->name, 60);
	if (x->label)
		fprintf(s->f, ": label, %zu run%s; the newest", x->nruns, x->nruns == 1 ? "" : "s");
	fprintf(s->f, ": run %.8s", r->row.uuid);
	if (!x->label && r->row.label && *r->row.label) {
		fputs(" \"", s->f);
		put(s, r->row.label, 60);
		fputc('"', s->f);
	}
	fputs(", profile ", s->f);
	put(s, r->row.profile_name, 60);
	fprintf(s->f, ", %s, %u of %u blocks, %u trials failed\n",
		num_date(r->row.begun, date, sizeof(date)), r->model->blocks_done,
		r->model->blocks_planned, r->model->trials_failed);
}

static void diff(const struct say *s, const struct compare_diff *d)
{
	fputs(s->markdown ? "| " : "  ", s->f);
	pad(s, d->group, 18);
	fputs(s->markdown ? " | " : "  ", s->f);
	pad(s, d->name, 24);
	if (d->cells)
		fprintf(s->f, " (%u cell%s)", d->cells, d->cells == 1 ? "" : "s");
	fputs(s->markdown ? " | " : "\n      A  ", s->f);
	put(s, d->a ? d->a : "(not there)", VALUE_COLUMNS);
	fputs(s->markdown ? " | " : "\n      B  ", s->f);
	put(s, d->b ? d->b : "(not there)", VALUE_COLUMNS);
	fputs(s->markdown ? " |\n" : "\n", s->f);
}

static void surroundings(const struct say *s, const struct compare *c)
{
	head(s, "What differs around them");
	if (!c->ndiffs) {
		fprintf(s->f, "Nothing that is known: %zu facts are the same.\n", c->nsame);
		return;
	}
	if (s->markdown)
		fputs("| | | A | B |\n|---|---|---|---|\n", s->f);
	for (size_t i = 0; i < c->ndiffs; i++)
		diff(s, &c->diffs[i]);
	fprintf(s->f, "%sThe other %zu facts are the same.\n", s->markdown ? "\n" : "", c->nsame);
}

static void alone(const struct say *s, const struct compare *c)
{
	if (!c->nalone)
		return;
	head(s, "Only on one side");
	for (size_t i = 0; i < c->nalone; i++) {
		const struct compare_alone *x = &c->alone[i];

		fprintf(s->f, "%s%s ", s->markdown ? "- " : "  ",
			x->workload ? "workload" : "cell");
		put(s, x->label, 100);
		if (x->why) {
			fputs(" differs: ", s->f);
			put(s, x->why, 200);
		} else {
			fprintf(s->f, ": only in %s", x->of_b ? "B" : "A");
		}
		fputc('\n', s->f);
	}
}

static char *change_text(const struct compare_row *r, char *buf, size_t size)
{
	char one[64];

	if (!isfinite(r->change))
		snprintf(buf, size, "n/a");
	else if (r->metric->scale != SCALE_DIFFERENCE)
		num_percent(r->change, NUM_ASCII, buf, size);
	else
		snprintf(buf, size, "%s%s", r->change < 0 ? "-" : "+",
			 metric_text(r->metric, fabs(r->change), one, sizeof(one)));
	return buf;
}

static char *judged_text(const struct compare_row *r, char *buf, size_t size)
{
	char one[128];

	if (r->how == HOW_NOT)
		snprintf(buf, size, "%s",
			 r->verdict == VERDICT_UNDECIDED ? verdict_word(r->verdict) : "not judged");
	else if (r->how == HOW_EXACT)
		snprintf(buf, size, "%s, exact", verdict_word(r->verdict));
	else
		snprintf(buf, size, "%s %s, %zu run%s to %zu", verdict_word(r->verdict),
			 num_ratio(r->metric, &r->judged, NUM_ASCII, one, sizeof(one)), r->nb,
			 r->nb == 1 ? "" : "s", r->na);
	return buf;
}

static const char *paint(const struct say *s, const struct compare_row *r)
{
	if (!s->colour)
		return "";
	return r->verdict == VERDICT_WORSE    ? "\033[31m"
	       : r->verdict == VERDICT_BETTER ? "\033[32m"
					      : "";
}

static void row(const struct say *s, const struct compare_row *r, int width)
{
	const char *sep = s->markdown ? " | " : "  ", *colour = paint(s, r);
	char a[64], b[64], change[64], verdict[256];

	fputs(s->markdown ? "| " : "  ", s->f);
	pad(s, r->label, width);
	fputs(sep, s->f);
	pad(s, isfinite(r->abs_a.mid) ? metric_text(r->metric, r->abs_a.mid, a, sizeof(a)) : "n/a",
	    12);
	fputs(sep, s->f);
	pad(s, isfinite(r->abs_b.mid) ? metric_text(r->metric, r->abs_b.mid, b, sizeof(b)) : "n/a",
	    12);
	fputs(sep, s->f);
	pad(s, change_text(r, change, sizeof(change)), 8);
	fprintf(s->f, "%s%s", sep, colour);
	put(s, judged_text(r, verdict, sizeof(verdict)), 0);
	fprintf(s->f, "%s%s\n", *colour ? "\033[0m" : "", s->markdown ? " |" : "");
}

static bool first_of_workload(const struct compare *c, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(c->rows[k].workload, c->rows[i].workload))
			return false;
	return true;
}

static void rows_of(const struct say *s, const struct compare *c, size_t first, int width)
{
	const struct compare_row *r = &c->rows[first];

	if (s->markdown) {
		fputs("\n**", s->f);
		put(s, r->workload, 80);
		fprintf(s->f, "**: %s\n\n| | A | B | change | verdict |\n|---|---|---|---|---|\n",
			r->metric->title);
	} else {
		put(s, r->workload, 80);
		fprintf(s->f, ": %s\n", r->metric->title);
	}
	for (size_t i = first; i < c->nrows; i++)
		if (!strcmp(c->rows[i].workload, r->workload))
			row(s, &c->rows[i], width);
}

/* Each reason once, with the number of rows that it holds for. */
static void reasons(const struct say *s, const struct compare *c)
{
	for (size_t i = 0; i < c->nrows; i++) {
		const char *why = c->rows[i].why;
		size_t n = 0, before = 0;

		for (size_t k = 0; why && k < c->nrows; k++)
			if (c->rows[k].why && !strcmp(c->rows[k].why, why)) {
				n++;
				before += k < i;
			}
		if (!n || before)
			continue;
		fprintf(s->f, "%s%s, %zu row%s: ", s->markdown ? "- " : "  ",
			c->rows[i].verdict == VERDICT_UNDECIDED ? "undecided" : "not judged", n,
			n == 1 ? "" : "s");
		put(s, why, 300);
		fputc('\n', s->f);
	}
}

static void totals(const struct say *s, const struct compare *c)
{
	static const enum verdict order[] = {VERDICT_WORSE, VERDICT_BETTER, VERDICT_SAME,
					     VERDICT_UNDECIDED, VERDICT_NONE};
	const char *sep = "";

	for (size_t k = 0; k < sizeof(order) / sizeof(*order); k++) {
		size_t n = 0;

		for (size_t i = 0; i < c->nrows; i++)
			n += c->rows[i].verdict == order[k];
		if (!n)
			continue;
		fprintf(s->f, "%s%zu %s", sep, n,
			order[k] == VERDICT_NONE ? "not judged" : verdict_word(order[k]));
		sep = ", ";
	}
	fprintf(s->f, "%s\n",
		c->nrows ? "." : "No cell was measured on both sides under the same workload.");
}

static void measured(const struct say *s, const struct compare *c)
{
	int width = 12;

	head(s, "What was measured (B against A)");
	for (size_t i = 0; i < c->nrows; i++) {
		int w = term_columns(c->rows[i].label);

		width = w > width ? w : width;
	}
	for (size_t i = 0; i < c->nrows; i++)
		if (first_of_workload(c, i))
			rows_of(s, c, i, width > 60 ? 60 : width);
	fputc('\n', s->f);
	totals(s, c);
	reasons(s, c);
	if (c->command) {
		fprintf(s->f, "%s",
			s->markdown ? "\nTo decide, both in one run:\n\n    "
				    : "To decide, both in one run:\n    ");
		term_text(s->f, c->command, 0);
		fputc('\n', s->f);
	}
}

static int say(const struct say *s, const struct compare *c)
{
	if (s->markdown)
		fputs("# Comparison of two runs\n\n", s->f);
	side(s, "A", &c->a);
	side(s, "B", &c->b);
	surroundings(s, c);
	if (c->nwarnings)
		head(s, "Before believing");
	for (size_t i = 0; i < c->nwarnings; i++) {
		fputs(s->markdown ? "- " : "  ", s->f);
		put(s, c->warnings[i], 0);
		fputc('\n', s->f);
	}
	alone(s, c);
	measured(s, c);
	return ferror(s->f) ? -EIO : 0;
}

int compare_text(const struct compare *c, FILE *f, bool colour)
{
	struct say s = {f, false, colour};

	return say(&s, c);
}

int compare_markdown(const struct compare *c, FILE *f)
{
	struct say s = {f, true, false};

	return say(&s, c);
}
