/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports: verdicts and forecasts in words, the two arms of a run, where the noise comes from,
 * methods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "reports/page.h"
#include "reports/report.h"
#include "tests/unit/model_fixture.h"

/* noinline: gcc 12 takes what open_memstream() made for the pointer that holds it */
__attribute__((noinline)) static char *text_of(const struct model *m, bool colour, int width)
{
	char *buf = NULL;
	size_t size;
	FILE *f = open_memstream(&buf, &size);

	assert_int_equal(report_text(m, f, colour, width), 0);
	fclose(f);
	return buf;
}

static char *page_of(const struct model *m)
{
	char path[] = "/tmp/vbench-page-XXXXXX", *page = NULL;
	struct err e = {0};
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(report_html(m, path, &e), 0);
	assert_int_equal(file_read(path, 16 << 20, &page, NULL), 0);
	unlink(path);
	return page;
}

static size_t count(const char *s, const char *what)
{
	size_t n = 0;

	for (; (s = strstr(s, what)) != NULL; s += strlen(what))
		n++;
	return n;
}

/* Behind its first line up to the first empty one. New. */
static char *section_of(const char *text)
{
	const char *end = strstr(text, "\n\n");

	assert_non_null(end);
	return xasprintf("%.*s\n", (int)(end - text), text);
}

/*
 * tests/golden/vs.txt was written by hand from the figures of fixture_vs(): 0.88 [0.86, 0.9] is -12
 * %
 * [-14, -10]; of 1.01 [1.004, 1.016] the interval excludes 1 and lies within 2 %.
 */
static void two_arms_stand_on_top(void **state)
{
	struct model *m = fixture_rich();
	char *text = text_of(m, false, 100), *got = section_of(text), *want = NULL, *page;

	(void)state;
	assert_int_equal(file_read("tests/golden/vs.txt", 1 << 16, &want, NULL), 0);
	assert_string_equal(got, want);
	page = page_of(m);
	assert_true(strstr(page, "<section id=\"vs\"") < strstr(page, "<section id=\"w0\""));
	assert_non_null(strstr(page, "same: differs, but by less than 2 %"));
	assert_non_null(
		strstr(page, "<td class=\"undecided\">undecided, 8 to 30 more blocks</td>"));
	free(page);
	free(text);
	free(got);
	free(want);
	model_free(m);
}

/* Undecided is a word without colour, also in a table of one. */
static void undecided_is_not_coloured(void **state)
{
	struct model *m = fixture_rich();
	char *text = text_of(m, true, 100), *save = NULL;
	unsigned seen = 0;

	(void)state;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		if (!strstr(l, "undecided") && !strstr(l, "same"))
			continue;
		seen += strstr(l, "undecided") != NULL;
		assert_null(strchr(l, '\033'));
	}
	assert_true(seen >= 3); /* a pair, two effects */
	free(text);
	model_free(m);
}

/* What the page says of the noise: the figures of fixture_workload(). */
static void spread_and_best_length_are_said(void **state)
{
	struct model *m = fixture_rich();
	char *text = text_of(m, false, 132), *page = page_of(m);

	(void)state;
	assert_non_null(strstr(text, "  best trial length here: 0.93 s (it was 2 s)"));
	assert_non_null(strstr(text,
			       "  spread: one trial 5.95 %, of which 4.9 % beyond its seconds; one "
			       "second within it 4.8 %; blocks with their templates 2 %"));
	assert_non_null(strstr(page,
			       "Best trial length here (most precision for the time it takes): "
			       "0.93 s; it was 2 s."));
	/* 3 of 94 is 3.19 %, 0.82 is 18 % less */
	assert_non_null(strstr(page, "Slow trials: 3 of 94 (3.19 %), in the median \xe2\x88\x92"
				     "18"));
	free(text);
	free(page);
	free(m->workloads[0].spread.why);
	m->workloads[0].spread.why = NULL;
	m->workloads[0].best_seconds = INFINITY;
	text = text_of(m, false, 132);
	assert_non_null(strstr(text, "best trial length here: longer than the 2 s it was"));
	free(text);
	model_free(m);
}

/* Effects that depend on another axis come before the averages that they qualify. */
static void interactions_come_first(void **state)
{
	struct model *m = fixture_rich();
	struct model_workload *w = &m->workloads[0];
	char *text, *page;

	(void)state;
	w->ninteractions = 1;
	w->interactions = xcalloc(1, sizeof(*w->interactions));
	w->interactions[0] = (struct model_interaction){.axis = xstrdup("disk.ring"),
							.from = xstrdup("split"),
							.to = xstrdup("packed"),
							.by = xstrdup("disk.bus"),
							.by_from = xstrdup("blk"),
							.by_to = xstrdup("scsi"),
							.at_from = {1.18, 1.12, 1.25, 8, 0},
							.at_to = {0.845, 0.83, 0.86, 8, 0},
							.ratio = {0.82, 0.8, 0.84, 8, 0}};
	text = text_of(m, false, 132);
	page = page_of(m);
	assert_true(strstr(text, "depend on another axis") &&
		    strstr(text, "depend on another axis") < strstr(text, "main effects"));
	assert_non_null(strstr(text,
			       "disk.ring, split -> packed: +18 % [+12, +25] with disk.bus = blk, "
			       "but -15.5 % [-17.0, -14.0] with scsi"));
	assert_true(strstr(page, "depend on another axis") <
		    strstr(page, "What each axis is worth"));
	free(text);
	free(page);
	model_free(m);
}

/* All of methods.md is in each page, as markup, and printed as it is. */
static void methods_are_in_the_page(void **state)
{
	struct model *m = fixture_small();
	char *page = page_of(m), *md = NULL, *printed = NULL, *part;
	size_t size, headings = 0, tables = 0;
	FILE *f = open_memstream(&printed, &size);

	(void)state;
	assert_int_equal(file_read("reports/methods.md", 1 << 20, &md, NULL), 0);
	assert_int_equal(report_methods(f), 0);
	fclose(f);
	assert_string_equal(printed, md);
	headings = count(md, "\n## ");
	tables = count(md, "\n|---"); /* the line below a table's head */
	part = strstr(page, "<details id=\"methods\">");
	assert_non_null(part);
	assert_non_null(strstr(part, "</details>"));
	*strstr(part, "</details>") = 0;
	assert_true(headings >= 15 && tables >= 7);
	assert_int_equal(count(part, "<h3>"), headings);
	assert_int_equal(count(part, "<table>"), tables);
	assert_int_equal(count(part, "</table>"), tables);
	assert_int_equal(count(part, "<ul>"), count(part, "</ul>"));
	assert_int_equal(count(part, "<li>"), count(md, "\n- "));
	assert_null(strstr(part, "**"));
	assert_null(strchr(part, '`'));
	assert_null(strchr(part, '|'));
	assert_non_null(strstr(part, "<td>0.25 %</td><td>8 %</td><td>11 %</td><td>18 %</td>"));
	free(page);
	free(md);
	free(printed);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_arms_stand_on_top),
		cmocka_unit_test(undecided_is_not_coloured),
		cmocka_unit_test(spread_and_best_length_are_said),
		cmocka_unit_test(interactions_come_first),
		cmocka_unit_test(methods_are_in_the_page),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
