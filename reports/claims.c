/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sources claim beside what was measured, on the page and on a terminal: first what was
 * published, numbered, then each measured figure with its verdict.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "reports/text.h"

static bool same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Is this the first row of its published figure, of its measured one? */
static bool first_published(const struct model *m, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (same(m->claims[k].id, m->claims[i].id))
			return false;
	return true;
}

static bool same_measured(const struct model_claim *a, const struct model_claim *b)
{
	return a->workload == b->workload && a->metric == b->metric && a->count == b->count &&
	       same(a->what, b->what) && same(a->where, b->where);
}

static bool first_measured(const struct model *m, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (same_measured(&m->claims[k], &m->claims[i]))
			return false;
	return true;
}

/* Published figures are numbered in the order in which they stand. */
static unsigned number_of(const struct model *m, const struct model_claim *c)
{
	unsigned n = 0;

	for (size_t i = 0; i < m->nclaims; i++) {
		n += first_published(m, i);
		if (same(m->claims[i].id, c->id))
			break;
	}
	return n;
}

/* "-4 %", or "21" of disks. */
static void amount(const struct model_claim *c, double v, enum num_style s, char *buf, size_t size)
{
	if (c->count)
		snprintf(buf, size, "%.0f", v);
	else
		num_percent(v, s, buf, size);
}

/* "-4 % to -3 %"; "" without a figure. */
static char *published(const struct model_claim *c, enum num_style s, char *buf, size_t size)
{
	char a[48], b[48];

	amount(c, c->low, s, a, sizeof(a));
	amount(c, c->high, s, b, sizeof(b));
	if (!isfinite(c->low) || !isfinite(c->high) || c->low <= 0)
		snprintf(buf, size, "%s", "");
	else if (c->low == c->high)
		snprintf(buf, size, "%s", a);
	else
		snprintf(buf, size, "%s to %s", a, b);
	return buf;
}

/* "more", "less", "-6 % to -2 %", "at least +20 %"; "" where nothing is asserted. */
static char *asserted(const struct model_claim *c, enum num_style s, char *buf, size_t size)
{
	char a[48], b[48];

	amount(c, c->from, s, a, sizeof(a));
	amount(c, c->to, s, b, sizeof(b));
	if (isnan(c->from) || isnan(c->to))
		snprintf(buf, size, "%s", "");
	else if (isinf(c->to))
		snprintf(buf, size, "%s%s", c->from == 1 ? "more" : "at least ",
			 c->from == 1 ? "" : a);
	else if (c->from <= 0)
		snprintf(buf, size, "%s%s", c->to == 1 ? "less" : "at most ", c->to == 1 ? "" : b);
	else
		snprintf(buf, size, "%s to %s", a, b);
	return buf;
}

/* "1 (-4 % to -3 %), 3 (less)": the published figures with that word beside the measured one of
 * claim i; new. */
static char *numbers(const struct model *m, size_t i, enum claim_word word)
{
	char *buf = NULL, r[128];
	size_t size, n = 0;
	FILE *f = open_memstream(&buf, &size);

	for (size_t k = i; f && k < m->nclaims; k++) {
		const struct model_claim *c = &m->claims[k];

		if (!same_measured(c, &m->claims[i]) || c->word != word)
			continue;
		if (!*published(c, NUM_ASCII, r, sizeof(r)))
			asserted(c, NUM_ASCII, r, sizeof(r));
		fprintf(f, "%s%u%s%s%s", n++ ? ", " : "", number_of(m, c), *r ? " (" : "", r,
			*r ? ")" : "");
	}
	if (f)
		fclose(f);
	return buf;
}

/* "-24 % [-30, -18]"; of disks "24 (64 refused)". */
static char *measured(const struct model_claim *c, enum num_style s, char *buf, size_t size)
{
	if (!c->count)
		return num_ratio(NULL, &c->ratio, s, buf, size);
	if (c->ratio.lo == c->ratio.hi)
		snprintf(buf, size, "%.0f", c->ratio.lo);
	else if (isfinite(c->ratio.hi))
		snprintf(buf, size, "%.0f (%.0f refused)", c->ratio.lo, c->ratio.hi + 1);
	else
		snprintf(buf, size, "%.0f (none refused)", c->ratio.lo);
	return buf;
}

static const char *workload_name(const struct model *m, const struct model_claim *c)
{
	const char *name = c->workload < m->nworkloads ? m->workloads[c->workload].name : NULL;

	return name && !c->count ? name : "";
}

/* "5 confirmed, 2 refuted, 1 undecided, 3 no figure"; new. */
static char *verdicts(const struct model *m)
{
	static const enum claim_word order[] = {CLAIM_CONFIRMED, CLAIM_REFUTED, CLAIM_UNDECIDED,
						CLAIM_NONE};
	char *buf = NULL;
	size_t size, parts = 0;
	FILE *f = open_memstream(&buf, &size);

	for (size_t i = 0; f && i < sizeof(order) / sizeof(order[0]); i++) {
		unsigned n = 0;

		for (size_t k = 0; k < m->nclaims; k++)
			n += m->claims[k].word == order[i];
		if (n)
			fprintf(f, "%s%u %s", parts++ ? ", " : "", n,
				order[i] == CLAIM_NONE ? "without a figure" : claim_text(order[i]));
	}
	if (f)
		fclose(f);
	return buf;
}

/* Where a figure comes from stands once over all those that follow each other. */
static void text_published(const struct text *t, const struct model *m, const struct model_claim *c,
			   const struct model_claim *before)
{
	char r[128], range[128], lead[32], *s;

	if (!before || !same(before->source, c->source) || !same(before->setting, c->setting)) {
		s = xasprintf("%s (%s):", c->source, c->setting);
		text_wrapped(t, "  ", s, 4);
		free(s);
	}
	published(c, NUM_ASCII, r, sizeof(r));
	asserted(c, NUM_ASCII, range, sizeof(range));
	s = xasprintf("%s: %s%s%s%s%s", c->what, r, *r ? ": " : "", c->published,
		      *range ? "; asserts " : "", range);
	snprintf(lead, sizeof(lead), "  %u. ", number_of(m, c));
	text_wrapped(t, lead, s, (int)strlen(lead));
	free(s);
}

static void text_measured(const struct text *t, const struct model *m, size_t i)
{
	static const enum claim_word order[] = {CLAIM_CONFIRMED, CLAIM_REFUTED, CLAIM_UNDECIDED,
						CLAIM_NONE};
	const struct model_claim *c = &m->claims[i];
	const char *work = workload_name(m, c);
	char ours[128], *s, *more;

	s = xasprintf("%s; %s%s%s: %s", c->what, work, *work ? "; " : "", c->where ? c->where : "",
		      measured(c, NUM_ASCII, ours, sizeof(ours)));
	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		char *n = numbers(m, i, order[k]);

		if (n && *n) {
			more = xasprintf("%s; %s: %s", s, claim_text(order[k]), n);
			free(s);
			s = more;
		}
		free(n);
	}
	text_wrapped(t, "  ", s, 4);
	free(s);
}

void text_claims(const struct text *t, const struct model *m)
{
	const struct model_claim *before = NULL;
	char *sum, *s;

	if (!m->nclaims)
		return;
	sum = verdicts(m);
	s = xasprintf("what sources claim, of other machines in other settings (%s):",
		      sum ? sum : "");
	text_wrapped(t, "", s, 2);
	free(s);
	free(sum);
	for (size_t i = 0; i < m->nclaims; i++) {
		if (!first_published(m, i))
			continue;
		text_published(t, m, &m->claims[i], before);
		before = &m->claims[i];
	}
	text_wrapped(t, "",
		     "beside it, cells that differ in nothing else (confirmed: the 95 % interval "
		     "lies within what is asserted; refuted: shown to lie outside, corrected by "
		     "Holm; undecided: neither):",
		     2);
	for (size_t i = 0; i < m->nclaims; i++)
		if (first_measured(m, i))
			text_measured(t, m, i);
	fputc('\n', t->out);
}

#define DASH "\xe2\x80\x93"

static void table_published(FILE *f, const struct model *m)
{
	char r[128], range[128];

	html(f,
	     "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: published "
	     "figures\"><table>\n<thead><tr><th scope=\"col\" class=\"num\">#</th>"
	     "<th scope=\"col\">What</th><th scope=\"col\" class=\"num\">Published</th>"
	     "<th scope=\"col\" class=\"num\">Asserts</th>"
	     "<th scope=\"col\">In words</th><th scope=\"col\">Of what</th>"
	     "<th scope=\"col\">Source</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < m->nclaims; i++) {
		const struct model_claim *c = &m->claims[i];

		if (!first_published(m, i))
			continue;
		published(c, NUM_HTML, r, sizeof(r));
		asserted(c, NUM_HTML, range, sizeof(range));
		html(f,
		     "<tr><td class=\"num idx\">%u</td><th scope=\"row\">%s</th>"
		     "<td class=\"num\">%s</td><td class=\"num\">%s</td><td>%s</td><td>%s</td>"
		     "<td>%s</td></tr>\n",
		     number_of(m, c), c->what, *r ? r : DASH, *range ? range : DASH, c->published,
		     c->setting, c->source);
	}
	html(f, "</tbody></table></div>\n");
}

/* A sign and a word, so that colour says nothing alone. */
static void verdict(FILE *f, enum claim_word w)
{
	const char *sign = w == CLAIM_CONFIRMED ? "\xe2\x9c\x93" : "\xe2\x9c\x95";

	if (w == CLAIM_CONFIRMED || w == CLAIM_REFUTED)
		html(f, "<td class=\"verdict %s\"><span aria-hidden=\"true\">%s</span> %s</td>",
		     claim_text(w), sign, claim_text(w));
	else
		html(f, "<td class=\"verdict\">%s</td>", claim_text(w));
}

static void row_measured(FILE *f, const struct model *m, const struct model_claim *c)
{
	char r[128], ours[128];

	published(c, NUM_HTML, r, sizeof(r));
	html(f,
	     "<tr><td class=\"num idx\">%u</td><th scope=\"row\">%s</th><td>%s</td><td>%s</td>"
	     "<td class=\"num\">%s</td><td class=\"num\">%s</td><td class=\"num\">%u</td>"
	     "<td class=\"num\">%zu</td>",
	     number_of(m, c), c->what, workload_name(m, c), c->where, *r ? r : DASH,
	     measured(c, NUM_HTML, ours, sizeof(ours)), c->pairs, c->ratio.n);
	verdict(f, c->word);
	html(f, "</tr>\n");
}

void part_claims(FILE *f, const struct model *m)
{
	char *sum;

	if (!m->nclaims)
		return;
	sum = verdicts(m);
	html(f,
	     "<section id=\"claims\" aria-labelledby=\"claims-h\">\n"
	     "<h2 id=\"claims-h\">What sources claim <small>%s</small></h2>\n"
	     "<p class=\"note\">Other machines, other settings, other devices. &#8220;Asserts&#8221; "
	     "is the range of the ratio that the claim stands for here: an order is any ratio on its "
	     "side of equal; of a figure the direction and about the size (from half to one and a "
	     "half times the published effect on the logarithm, at most a factor of two away); of "
	     "equality 5 %%, or the published spread.</p>\n",
	     sum ? sum : "");
	free(sum);
	table_published(f, m);
	html(f, "<h3>Here</h3>\n<p class=\"note\">The ratio between cells that differ in nothing "
		"else, averaged over such pairs block by block, with its 95 %% interval. "
		"&#8220;Confirmed&#8221;: the interval, for itself, lies within what is asserted; "
		"&#8220;refuted&#8221;: shown to lie outside at 5 %%, corrected for the number of "
		"claims (Holm); &#8220;undecided&#8221;: neither.</p>\n"
		"<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: the same "
		"here\"><table>\n<thead><tr><th scope=\"col\" class=\"num\">#</th>"
		"<th scope=\"col\">What</th><th scope=\"col\">Workload</th>"
		"<th scope=\"col\">Cells</th><th scope=\"col\" class=\"num\">Published</th>"
		"<th scope=\"col\" class=\"num\">Here</th>"
		"<th scope=\"col\" class=\"num\">Pairs</th>"
		"<th scope=\"col\" class=\"num\">Blocks</th><th scope=\"col\">Verdict</th></tr>"
		"</thead>\n<tbody>\n");
	for (size_t i = 0; i < m->nclaims; i++)
		row_measured(f, m, &m->claims[i]);
	html(f, "</tbody></table></div>\n</section>\n");
}
