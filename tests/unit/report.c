/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reports: what is escaped, how numbers read, the text table, pages of empty, rich and hostile
 * models. `report --page KIND FILE` writes a page of a made-up model (rich, hostile, empty, none)
 * for tests/e2e/page.t.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "reports/page.h"
#include "reports/report.h"
#include "tests/unit/model_fixture.h"

#define FFFD "\xef\xbf\xbd"

static char *text_of(const struct model *m, bool colour, int width)
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

static char *escaped(const char *s, void (*put)(FILE *, const char *))
{
	char *buf = NULL;
	size_t size;
	FILE *f = open_memstream(&buf, &size);

	put(f, s);
	fclose(f);
	return buf;
}

static void assert_escapes(const char *s, const char *want)
{
	char *got = escaped(s, html_text);

	assert_string_equal(got, want);
	free(got);
}

/* The five characters that have a meaning in HTML content or attributes [HTML, 13.3]. */
static void markup_is_escaped(void **state)
{
	(void)state;
	assert_escapes("<script>", "&lt;script&gt;");
	assert_escapes("\"onload=", "&quot;onload=");
	assert_escapes("'&' ]]>", "&#39;&amp;&#39; ]]&gt;");
	assert_escapes(NULL, "");
	assert_escapes("", "");
}

static void controls_and_overrides_are_replaced(void **state)
{
	char *block;

	(void)state;
	assert_escapes("a\nb\tc", "a" FFFD "b" FFFD "c");
	assert_escapes("\x1b[31m\x7f", FFFD "[31m" FFFD);
	assert_escapes("\xc2\x85", FFFD); /* U+0085, C1 */
	assert_escapes("a\xe2\x80\xae"
		       "b",
		       "a" FFFD "b");				    /* U+202E RLO */
	assert_escapes("\xe2\x81\xa6x\xe2\x81\xa9", FFFD "x" FFFD); /* U+2066, U+2069 */
	block = escaped("a\r\nb\tc\rd", html_block);
	assert_string_equal(block, "a\nb\tc" FFFD "d");
	free(block);
}

/* Sequences of RFC 3629, section 4 and 10; one replacement for each maximal wrong part [Unicode
 * 15, 3.9]. */
static void wrong_utf8_is_replaced(void **state)
{
	(void)state;
	assert_escapes("\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80",
		       "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80");
	assert_escapes("\xff", FFFD);
	assert_escapes("\xc0\x80", FFFD FFFD);			 /* overlong NUL */
	assert_escapes("\xe0\x80\xaf", FFFD FFFD FFFD);		 /* overlong slash */
	assert_escapes("\xed\xa0\x80", FFFD FFFD FFFD);		 /* surrogate */
	assert_escapes("\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD); /* over U+10FFFF */
	assert_escapes("\xe4\xb8<", FFFD "&lt;"); /* cut short: the < must not be swallowed */
	assert_escapes("\xf0\x9f\x98", FFFD);	  /* cut short by the end */
}

static void formats_escape_what_is_put_in(void **state)
{
	char *buf = NULL;
	size_t size;
	FILE *f = open_memstream(&buf, &size);

	(void)state;
	html(f, "<td title=\"%s\">%u %zu 100 %%</td>", "\"<&>", 7u, (size_t)9);
	fclose(f);
	assert_string_equal(buf, "<td title=\"&quot;&lt;&amp;&gt;\">7 9 100 %</td>");
	free(buf);
}

/* U+4E2D is Wide, U+0301 a combining mark, e-acute Narrow [UAX 11]. */
static void columns_follow_unicode(void **state)
{
	(void)state;
	assert_int_equal(term_columns("abc"), 3);
	assert_int_equal(term_columns("\xc3\xa9"), 1);
	assert_int_equal(term_columns("\xe4\xb8\xad"), 2);
	assert_int_equal(term_columns("e\xcc\x81"), 1);
	assert_int_equal(term_columns("\x1b[2J\xff"), 5); /* each hidden or wrong one as '?' */
	assert_int_equal(term_text(NULL,
				   "a\xe4\xb8\xad"
				   "b",
				   2),
			 1);
}

static void assert_ratio(unsigned metric, double mid, double lo, double hi, const char *want)
{
	struct interval i = {mid, lo, hi, 8, 0};
	char got[128];

	num_ratio(&fixture_metrics[metric], &i, NUM_ASCII, got, sizeof(got));
	assert_string_equal(got, want);
}

/* By hand: (ratio - 1) * 100, rounded to what the interval's width lets one see. */
static void ratios_read_as_per_cent(void **state)
{
	(void)state;
	assert_ratio(0, 1.18, 1.12, 1.25, "+18 % [+12, +25]");
	assert_ratio(0, 0.845, 0.83, 0.86, "-15.5 % [-17.0, -14.0]");
	assert_ratio(0, 1.004, 0.998, 1.01, "+0.4 % [-0.2, +1.0]");
	assert_ratio(0, 1.0041, 1.0021, 1.0061, "+0.41 % [+0.21, +0.61]");
	assert_ratio(0, 1, 1, 1, "0 % [0, 0]");
	assert_ratio(0, 12.34, 10.12, 14.9, "x12.3 [10.1, 14.9]");
	assert_ratio(0, NAN, NAN, NAN, "n/a");
	assert_ratio(0, 1.18, NAN, NAN, "+18 %");
}

/* An end just beside 0 must not read as 0: the verdict beside it would look wrong. */
static void ends_beside_zero_keep_their_sign(void **state)
{
	(void)state;
	assert_ratio(0, 1.07, 1.004, 1.14, "+7.0 % [+0.4, +14.0]");
	assert_ratio(0, 0.95, 0.9, 0.9998, "-5.00 % [-10.00, -0.02]");
}

static void differences_read_in_their_unit(void **state)
{
	(void)state;
	assert_ratio(6, 1200, 800, 1600, "+1.20 us/IO [+800 ns/IO, +1.60 us/IO]");
	assert_ratio(6, -1200, -1600, -1100, "-1.20 us/IO [-1.60, -1.10]");
	assert_ratio(6, NAN, NAN, NAN, "n/a");
	assert_ratio(7, 4, 4, 4, "+300 %");
	assert_ratio(7, 1, 1, 1, "equal");
}

static void values_name_their_unit_once(void **state)
{
	struct interval i = {45100, 43900, 46200, 8, 0}, one = {45100, NAN, NAN, 1, NAN};
	struct interval us = {99e4, 98e4, 101e4, 8, 0}, fold = {475e3, 1e3, 1001e3, 2, 5};
	char got[128];

	(void)state;
	assert_string_equal(num_value(&fixture_metrics[0], &i, NUM_ASCII, got, sizeof(got)),
			    "45.1k IOPS [43.9k, 46.2k]");
	assert_string_equal(num_value(&fixture_metrics[0], &one, NUM_ASCII, got, sizeof(got)),
			    "45.1k IOPS");
	assert_string_equal(num_value(&fixture_metrics[1], &us, NUM_ASCII, got, sizeof(got)),
			    "990 us [980 us, 1.01 ms]");
	assert_string_equal(num_value(&fixture_metrics[1], &fold, NUM_ASCII, got, sizeof(got)),
			    "475 us [>1000-fold]");
	assert_string_equal(num_value(NULL, &i, NUM_ASCII, got, sizeof(got)), "n/a");
}

/* tests/golden/report.txt was written by hand from the figures of fixture_small(). */
static void text_is_the_golden_one(void **state)
{
	struct model *m = fixture_small();
	char *got = text_of(m, false, 100), *want = NULL;

	(void)state;
	assert_int_equal(file_read("tests/golden/report.txt", 1 << 16, &want, NULL), 0);
	assert_string_equal(got, want);
	free(got);
	free(want);
	model_free(m);
}

static void text_keeps_to_the_width(void **state)
{
	static const int widths[] = {60, 72, 80, 100, 132};
	struct model *m = fixture_rich();

	(void)state;
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		char *text = text_of(m, false, widths[i]), *save = NULL;

		for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
			assert_in_range(term_columns(l), 0, widths[i]);
		free(text);
	}
	model_free(m);
}

static void text_says_when_nothing_was_shown(void **state)
{
	struct model *m = fixture_small();
	char *text;

	(void)state;
	text = text_of(m, false, 80);
	assert_null(strstr(text, "no cell was shown to differ"));
	free(text);
	m->workloads[0].rows[1].values[0].differs = false;
	m->workloads[0].rows[1].values[0].verdict = VERDICT_UNDECIDED;
	text = text_of(m, false, 80);
	assert_non_null(strstr(text, "no cell was shown to differ from the first"));
	assert_null(strstr(text, "better\n"));
	free(text);
	model_free(m);
}

/* Escape sequences on marked lines only, and none at all unless asked for. */
static void colour_is_where_something_was_shown(void **state)
{
	struct model *m = fixture_small();
	char *text = text_of(m, false, 100), *save = NULL;
	unsigned coloured = 0;

	(void)state;
	assert_null(strchr(text, '\033'));
	free(text);
	text = text_of(m, true, 100);
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		if (!strchr(l, '\033'))
			continue;
		coloured++;
		assert_true(strstr(l, "better") || strstr(l, "worse"));
	}
	assert_int_equal(coloured, 2); /* qcow2 thin, and the effect of disk.mode */
	free(text);
	model_free(m);
}

static void hostile_text_cannot_drive_a_terminal(void **state)
{
	struct model *m = fixture_hostile();
	char *text = text_of(m, false, 80);
	uint32_t cp;
	size_t n;

	(void)state;
	for (const char *p = text; (n = clean_next(p, &cp)) > 0; p += n)
		assert_true(cp == '\n' || (!clean_hidden(cp) && cp != 0xfffd));
	free(text);
	model_free(m);
}

static void empty_models_are_reported(void **state)
{
	struct model *m = xcalloc(1, sizeof(*m));
	char *text = text_of(m, true, 0), *page = page_of(m);

	(void)state;
	assert_non_null(strstr(text, "Nothing was measured"));
	assert_non_null(strstr(page, "Nothing was measured"));
	assert_non_null(strstr(page, "</html>"));
	free(text);
	free(page);
	model_free(m);
}

/* Everything that may be missing is, but the counts are not 0. */
static struct model *hollow(void)
{
	struct model *m = xcalloc(1, sizeof(*m));

	m->ncells = 2;
	m->cells = xcalloc(2, sizeof(*m->cells));
	m->nworkloads = 2;
	m->workloads = xcalloc(2, sizeof(*m->workloads));
	m->workloads[0].nrows = 2;
	m->workloads[0].rows = xcalloc(2, sizeof(struct model_row));
	m->workloads[0].rows[1].cell = 77; /* no such cell */
	m->workloads[0].primary = &fixture_metrics[0];
	m->workloads[0].neffects = 1;
	m->workloads[0].effects = xcalloc(1, sizeof(struct model_effect));
	m->nwarnings = m->nchecks = m->nfailures = m->nfacts = m->nside = 1;
	m->warnings = xcalloc(1, sizeof(*m->warnings));
	m->checks = xcalloc(1, sizeof(*m->checks));
	m->failures = xcalloc(1, sizeof(*m->failures));
	m->facts = xcalloc(1, sizeof(*m->facts));
	m->side = xcalloc(1, sizeof(*m->side));
	m->trials_failed = 1;
	return m;
}

static void missing_texts_do_no_harm(void **state)
{
	struct model *m = hollow();
	char *text = text_of(m, true, 60), *page = page_of(m);

	(void)state;
	assert_non_null(strstr(page, "</html>"));
	assert_null(strstr(page, "(null)"));
	assert_null(strstr(text, "(null)"));
	free(text);
	free(page);
	model_free(m);
}

/* Two cells of a reason are one entry with both in it; one that shares it with none is a plain
 * line. */
static void left_out_cells_share_an_entry(void **state)
{
	struct model *m = fixture_rich();
	char *page;

	(void)state;
	json_decref(m->skipped);
	m->skipped = json_pack("[{s:s,s:s,s:b},{s:s,s:s,s:b},{s:s,s:s,s:b},{s:s,s:s,s:b}]", "what",
			       "ide pages=2M", "reason", "no <pages>", "folded", 0, "what",
			       "ide pages=1G", "reason", "no 1G", "folded", 0, "what",
			       "nvme pages=2M", "reason", "no <pages>", "folded", 0, "what",
			       "ahci pages=2M", "reason", "no <pages>", "folded", 1);
	page = page_of(m);
	assert_int_equal(count(page, "<summary><strong>2 cells with pages=2M</strong>: no "
				     "&lt;pages&gt;</summary>"),
			 1);
	assert_int_equal(count(page, "<li>ide pages=2M</li>"), 1);
	assert_int_equal(count(page, "<li>nvme pages=2M</li>"), 1);
	assert_int_equal(count(page, "<li><strong>ide pages=1G</strong>: no 1G</li>"), 1);
	assert_int_equal(count(page, "<li><strong>ahci pages=2M</strong>: no &lt;pages&gt;</li>"),
			 1);
	free(page);
	model_free(m);
}

static void page_holds_its_parts(void **state)
{
	static const char *const ids[] = {"decision", "warnings", "w0",	       "w1",	 "side",
					  "checks",   "failures", "skipped",   "repeat", "host",
					  "time",     "method",	  "provenance"};
	struct model *m = fixture_rich();
	char *page = page_of(m);

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		char *id = xasprintf(" id=\"%s\"", ids[i]);

		assert_int_equal(count(page, id), 1);
		free(id);
	}
	assert_true(strstr(page, "id=\"decision\"") < strstr(page, "id=\"w0\""));
	assert_true(strstr(page, "id=\"warnings\"") < strstr(page, "id=\"w0\""));
	assert_true(strstr(page, "id=\"w1\"") < strstr(page, "id=\"side\""));
	assert_int_equal(count(page, "<a href=\"#side\">"), 3); /* contents, two workloads */
	assert_int_equal(count(page, "<code>max_segments</code></th><td>254 (virtio-blk), 126 "
				     "(virtio-scsi)</td>"),
			 1);
	assert_int_equal(count(page, "<svg width"), 4); /* two workloads, wide and narrow */
	assert_null(strstr(page, "There is no plot here"));
	assert_true(strlen(page) < 1500000);
	free(page);
	model_free(m);
}

/* Names of elements that the page has; none that runs, loads or sends anything. */
static bool known_element(const char *p)
{
	static const char *const names[] = {
		"html",	   "head",   "meta",   "link",	     "title", "style", "body",
		"header",  "p",	     "h1",     "h2",	     "h3",    "h4",    "section",
		"ul",	   "li",     "dl",     "div",	     "dt",    "dd",    "nav",
		"a",	   "main",   "figure", "figcaption", "span",  "table", "caption",
		"thead",   "tbody",  "tr",     "th",	     "td",    "small", "details",
		"summary", "pre",    "code",   "strong",     "svg",   "g",     "defs",
		"path",	   "circle", "rect",   "polygon",    "use",   "text",  "desc",
		"!DOCTYPE"};
	size_t n = strcspn(p, " >/\n");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (n == strlen(names[i]) && strncmp(p, names[i], n) == 0)
			return true;
	return false;
}

static void hostile_text_cannot_become_markup(void **state)
{
	struct model *m = fixture_hostile();
	char *page;
	uint32_t cp;
	size_t n;

	(void)state;
	unlink("/tmp/vbench-pwned");
	page = page_of(m);
	assert_int_not_equal(access("/tmp/vbench-pwned", F_OK), 0); /* gnuplot ran no command */
	for (const char *p = page; (n = clean_next(p, &cp)) > 0; p += n)
		if (clean_hidden(cp))
			assert_true(cp == '\n' || cp == '\t');
	for (const char *p = page; (p = strchr(p, '<')) != NULL; p++)
		if (!known_element(p + (p[1] == '/' ? 2 : 1)))
			fail_msg("unknown element: %.60s", p);
	assert_null(strstr(page, "\"onload"));
	assert_null(strstr(page, "'onload"));
	assert_int_equal(count(page, "<svg width"), 4); /* and the plots are there nevertheless */
	free(page);
	model_free(m);
}

static void page_without_gnuplot_says_so(void **state)
{
	char *path = xstrdup(getenv("PATH"));
	struct model *m = fixture_rich();
	char *page;

	(void)state;
	setenv("PATH", "/nonexistent", 1);
	page = page_of(m);
	setenv("PATH", path, 1);
	assert_int_equal(count(page, "There is no plot here: "), 2);
	assert_non_null(strstr(page, "gnuplot-nox"));
	assert_non_null(strstr(page, "</html>"));
	free(page);
	free(path);
	model_free(m);
}

static void page_that_cannot_be_written_is_an_error(void **state)
{
	struct model *m = fixture_small();
	struct err e = {0};

	(void)state;
	assert_true(report_html(m, "/nonexistent/folder/page.html", &e) < 0);
	assert_non_null(strstr(e.text, "/nonexistent/folder"));
	model_free(m);
}

static char *adopt(const char *svg)
{
	char *labels[] = {(char *)"<b>&\"", (char *)"two"};
	const struct svg_text t = {'L', labels, 2};

	return svg_adopt(svg, "p-", "ti<tle", "de\"sc", &t, 1);
}

static void drawings_are_sifted(void **state)
{
	char *got = adopt("<?xml version=\"1.0\"?><!-- <script> -->\n"
			  "<svg width='9' onload='x()' xmlns:xlink=\"y\"><title>G</title>"
			  "<script>alert(1)</script><foreignObject><p>x</p></foreignObject>"
			  "<g id='a' style='fill:rgb( 1, 0, 5); stroke: black; behavior:url(x)'>"
			  "<use xlink:href='#a'/><use xlink:href='http://h/'/><image href='z'/>"
			  "<text>L0</text><text> L1 </text><text>L2</text></g></svg>");

	(void)state;
	assert_non_null(got);
	assert_string_equal(
		got,
		"<svg width=\"9\" class=\"plot\" role=\"img\" aria-labelledby=\"p-title p-desc\">"
		"<title id=\"p-title\">ti&lt;tle</title><desc id=\"p-desc\">de&quot;sc</desc>"
		"<g id=\"p-a\" fill=\"var(--better)\" stroke=\"currentColor\">"
		"<use href=\"#p-a\"/><use/><text>&lt;b&gt;&amp;&quot;</text><text>two</text>"
		"<text>L2</text></g></svg>");
	free(got);
}

static void broken_drawings_are_refused(void **state)
{
	static const char *const broken[] = {"",
					     "no markup",
					     "<svg",
					     "<svg>",
					     "<svg><g></svg>",
					     "<svg></svg></svg>",
					     "<svg a>",
					     "<svg a='>",
					     "<svg a=b></svg>",
					     "<svg><!-- </svg>",
					     "<svg/>",
					     "</svg>",
					     "<svg><></svg>",
					     "<svg><text>L0</svg",
					     "<g><svg></svg>",
					     "<svg><script></svg>"};

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		char *got = adopt(broken[i]);

		if (got)
			fail_msg("taken: %s -> %s", broken[i], got);
	}
}

static int write_page(const char *kind, const char *path)
{
	struct err e = {0};
	struct model *m = strcmp(kind, "hostile") == 0 ? fixture_hostile()
			  : strcmp(kind, "rich") == 0  ? fixture_rich()
			  : strcmp(kind, "none") == 0  ? hollow()
						       : xcalloc(1, sizeof(*m));
	int rc = report_html(m, path, &e);

	if (rc < 0)
		fprintf(stderr, "%s\n", e.text);
	model_free(m);
	return rc < 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(markup_is_escaped),
		cmocka_unit_test(controls_and_overrides_are_replaced),
		cmocka_unit_test(wrong_utf8_is_replaced),
		cmocka_unit_test(formats_escape_what_is_put_in),
		cmocka_unit_test(columns_follow_unicode),
		cmocka_unit_test(ratios_read_as_per_cent),
		cmocka_unit_test(ends_beside_zero_keep_their_sign),
		cmocka_unit_test(differences_read_in_their_unit),
		cmocka_unit_test(values_name_their_unit_once),
		cmocka_unit_test(text_is_the_golden_one),
		cmocka_unit_test(text_keeps_to_the_width),
		cmocka_unit_test(text_says_when_nothing_was_shown),
		cmocka_unit_test(colour_is_where_something_was_shown),
		cmocka_unit_test(hostile_text_cannot_drive_a_terminal),
		cmocka_unit_test(empty_models_are_reported),
		cmocka_unit_test(missing_texts_do_no_harm),
		cmocka_unit_test(left_out_cells_share_an_entry),
		cmocka_unit_test(page_holds_its_parts),
		cmocka_unit_test(hostile_text_cannot_become_markup),
		cmocka_unit_test(page_without_gnuplot_says_so),
		cmocka_unit_test(page_that_cannot_be_written_is_an_error),
		cmocka_unit_test(drawings_are_sifted),
		cmocka_unit_test(broken_drawings_are_refused),
	};

	if (argc == 4 && strcmp(argv[1], "--page") == 0)
		return write_page(argv[2], argv[3]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
