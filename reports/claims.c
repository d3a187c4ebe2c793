/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Published figures beside ours, on the page and on a terminal: first what was published, numbered,
 * then each measured ratio with the numbers that it is in line with. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "reports/text.h"

static bool same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Is this the first row of its published figure, of its measured ratio? */
static bool first_published(const struct model *m, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (same(m->claims[k].id, m->claims[i].id))
			return false;
	return true;
}

static bool same_ratio(const struct model_claim *a, const struct model_claim *b)
{
	return a->workload == b->workload && same(a->what, b->what) && same(a->where, b->where);
}

static bool first_measured(const struct model *m, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (same_ratio(&m->claims[k], &m->claims[i]))
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

/* "1, 3": the figures with that word beside the ratio of claim i; new. */
static char *numbers(const struct model *m, size_t i, enum claim_word word)
{
	char *buf = NULL;
	size_t size, n = 0;
	FILE *f = open_memstream(&buf, &size);

	for (size_t k = i; f && k < m->nclaims; k++)
		if (same_ratio(&m->claims[k], &m->claims[i]) && m->claims[k].word == word)
			fprintf(f, "%s%u", n++ ? ", " : "", number_of(m, &m->claims[k]));
	if (f)
		fclose(f);
	return buf;
}

/* "-4 to -3 %" as a ratio of throughput; "" without a figure. */
static char *range(const struct model_claim *c, enum num_style s, char *buf, size_t size)
{
	char a[48], b[48];

	num_percent(c->low, s, a, sizeof(a));
	num_percent(c->high, s, b, sizeof(b));
	if (!isfinite(c->low) || !isfinite(c->high))
		snprintf(buf, size, "%s", "");
	else if (c->low == c->high)
		snprintf(buf, size, "%s", a);
	else
		snprintf(buf, size, "%s to %s", a, b);
	return buf;
}

static const char *workload_name(const struct model *m, const struct model_claim *c)
{
	const char *name = c->workload < m->nworkloads ? m->workloads[c->workload].name : NULL;

	return name ? name : "";
}

static void text_measured(const struct text *t, const struct model *m, size_t i)
{
	const struct model_claim *c = &m->claims[i];
	char *in = numbers(m, i, CLAIM_IN_LINE), *out = numbers(m, i, CLAIM_DIFFERS);
	char *open = numbers(m, i, CLAIM_UNDECIDED), *s;
	char ours[128];

	s = xasprintf("%s; %s; %s: %s%s%s%s%s%s%s", c->what, workload_name(m, c),
		      c->where ? c->where : "",
		      num_ratio(NULL, &c->ratio, NUM_ASCII, ours, sizeof(ours)),
		      in && *in ? "; in line with " : "", in ? in : "",
		      out && *out ? "; differs from " : "", out ? out : "",
		      open && *open ? "; undecided about " : "", open ? open : "");
	text_wrapped(t, "  ", s, 4);
	free(s);
	free(open);
	free(in);
	free(out);
}

void text_claims(const struct text *t, const struct model *m)
{
	char r[128], lead[32];

	if (!m->nclaims)
		return;
	text_wrapped(t, "", "published figures, on other machines in other settings:", 2);
	for (size_t i = 0; i < m->nclaims; i++) {
		const struct model_claim *c = &m->claims[i];
		char *s;

		if (!first_published(m, i))
			continue;
		range(c, NUM_ASCII, r, sizeof(r));
		s = xasprintf("%s: %s%s%s; %s (%s)", c->what, r, *r ? ": " : "", c->published,
			      c->setting, c->source);
		snprintf(lead, sizeof(lead), "  %u. ", number_of(m, c));
		text_wrapped(t, lead, s, 5);
		free(s);
	}
	text_wrapped(
		t, "",
		"beside them, IOPS of cells that differ in nothing else (undecided: the interval is "
		"wider than a factor 1.2, or \"no difference\" would do as well; differs: "
		"corrected by Holm):",
		2);
	for (size_t i = 0; i < m->nclaims; i++)
		if (first_measured(m, i))
			text_measured(t, m, i);
	fputc('\n', t->out);
}

static void table_published(FILE *f, const struct model *m)
{
	char r[128];

	html(f,
	     "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: published "
	     "figures\"><table>\n<thead><tr><th scope=\"col\" class=\"num\">#</th>"
	     "<th scope=\"col\">What</th><th scope=\"col\" class=\"num\">Published</th>"
	     "<th scope=\"col\">In words</th><th scope=\"col\">Of what</th>"
	     "<th scope=\"col\">Source</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < m->nclaims; i++) {
		const struct model_claim *c = &m->claims[i];

		if (!first_published(m, i))
			continue;
		range(c, NUM_HTML, r, sizeof(r));
		html(f,
		     "<tr><td class=\"num idx\">%u</td><th scope=\"row\">%s</th>"
		     "<td class=\"num\">%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n",
		     number_of(m, c), c->what, *r ? r : "\xe2\x80\x93", c->published, c->setting,
		     c->source);
	}
	html(f, "</tbody></table></div>\n");
}

static void row_measured(FILE *f, const struct model *m, size_t i)
{
	const struct model_claim *c = &m->claims[i];
	char *in = numbers(m, i, CLAIM_IN_LINE), *out = numbers(m, i, CLAIM_DIFFERS);
	char *open = numbers(m, i, CLAIM_UNDECIDED);
	char ours[128];

	html(f,
	     "<tr><th scope=\"row\">%s</th><td>%s</td><td>%s</td><td class=\"num\">%s</td>"
	     "<td class=\"num\">%u</td><td class=\"num\">%zu</td><td>%s</td><td>%s</td><td>%s</td></tr>\n",
	     c->what, workload_name(m, c), c->where,
	     num_ratio(NULL, &c->ratio, NUM_HTML, ours, sizeof(ours)), c->pairs, c->ratio.n, in,
	     out, open);
	free(open);
	free(in);
	free(out);
}

void part_claims(FILE *f, const struct model *m)
{
	if (!m->nclaims)
		return;
	html(f, "<section id=\"claims\" aria-labelledby=\"claims-h\">\n"
		"<h2 id=\"claims-h\">Published figures beside ours</h2>\n");
	table_published(f, m);
	html(f,
	     "<h3>Here</h3>\n<p class=\"note\">The ratio of IOPS between cells that differ in nothing "
	     "else, averaged over such pairs block by block, with its 95 %% interval. &#8220;In "
	     "line&#8221; means that a narrow interval and the published figure overlap, no more: "
	     "other machines, other settings, other devices. &#8220;Differs&#8221; was shown at 5 %%, "
	     "corrected for the number of figures (Holm). &#8220;Undecided&#8221; is everything else: "
	     "an interval wider than a factor of 1.2, or one that holds both the published figure "
	     "and no difference at all.</p>\n"
	     "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: the same ratios "
	     "here\"><table>\n<thead><tr><th scope=\"col\">What</th><th scope=\"col\">Workload</th>"
	     "<th scope=\"col\">Cells</th><th scope=\"col\" class=\"num\">Here</th>"
	     "<th scope=\"col\" class=\"num\">Pairs</th><th scope=\"col\" class=\"num\">Blocks</th>"
	     "<th scope=\"col\">In line with</th><th scope=\"col\">Differs from</th>"
	     "<th scope=\"col\">Undecided</th></tr></thead>\n"
	     "<tbody>\n");
	for (size_t i = 0; i < m->nclaims; i++)
		if (first_measured(m, i))
			row_measured(f, m, i);
	html(f, "</tbody></table></div>\n</section>\n");
}
