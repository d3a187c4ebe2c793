/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page: one file that needs nothing else, no script, no network, and whose policy forbids both.
 */
#include <errno.h>
#include <stdlib.h>
#include "reports/page.h"
#include "reports/report.h"

/* What the page may do: show itself. Styles by hash of the one sheet; nothing is fetched, sent or
 * run. */
static void page_begin(FILE *f, const struct model *m)
{
	char hash[64] = "";

	html(f,
	     "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	     "style-src 'sha256-%s'; img-src data:; base-uri 'none'; form-action 'none'\">\n"
	     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	     "<meta name=\"color-scheme\" content=\"light dark\">\n"
	     "<meta name=\"generator\" content=\"vbench %s\">\n"
	     "<link rel=\"icon\" href=\"data:,\">\n<title>%s: vbench</title>\n<style>",
	     page_css_hash(hash), m->version, m->title ? m->title : m->profile);
	fwrite(embed_page_css, 1, embed_page_css_len, f);
	html(f, "</style>\n</head>\n<body>\n");
}

static void page_contents(FILE *f, const struct model *m)
{
	html(f, "<nav aria-label=\"Contents\"><ul>\n");
	if (m->tuning)
		html(f, "<li><a href=\"#tuning\">Tuning</a></li>\n");
	if (m->search)
		html(f, "<li><a href=\"#search\">The search</a></li>\n");
	if (m->nvs)
		html(f, "<li><a href=\"#vs\">Change against base</a></li>\n");
	if (m->nrungs)
		html(f, "<li><a href=\"#ladder\">The ladder</a></li>\n");
	for (size_t w = 0; !m->search && w < m->nworkloads; w++)
		html(f, "<li><a href=\"#w%zu\">%s</a></li>\n", w, m->workloads[w].name);
	if (m->nclaims)
		html(f, "<li><a href=\"#claims\">Published figures</a></li>\n");
	if (m->nrules)
		html(f, "<li><a href=\"#rules\">Rules on vCPUs</a></li>\n");
	if (m->nside)
		html(f, "<li><a href=\"#side\">What else differs</a></li>\n");
	html(f, "<li><a href=\"#checks\">Asked and got</a></li>\n");
	if (m->nfailures || m->trials_failed)
		html(f, "<li><a href=\"#failures\">Failed trials</a></li>\n");
	html(f,
	     "<li><a href=\"#skipped\">Not measured</a></li>\n"
	     "<li><a href=\"#repeat\">Repeat a cell</a></li>\n"
	     "<li><a href=\"#host\">Host</a></li>\n<li><a href=\"#time\">Time and noise</a></li>\n"
	     "<li><a href=\"#method\">Method</a></li>\n"
	     "<li><a href=\"#provenance\">Provenance</a></li>\n</ul></nav>\n");
}

static void page_write(FILE *f, const struct model *m)
{
	struct plots plots;

	plots_make(m, &plots);
	page_begin(f, m);
	part_head(f, m);
	page_contents(f, m);
	html(f, "<main>\n");
	part_tuning(f, m);
	part_search(f, m);
	part_vs(f, m);
	part_rungs(f, m);
	for (size_t w = 0; !m->search && w < m->nworkloads; w++)
		part_workload(f, m, w, &plots);
	part_claims(f, m);
	part_rules(f, m);
	part_side(f, m);
	part_checks(f, m);
	part_failures(f, m);
	part_skipped(f, m);
	part_repeat(f, m);
	part_facts(f, m);
	part_time(f, m);
	part_method(f, m);
	part_provenance(f, m);
	html(f, "</main>\n</body>\n</html>\n");
	plots_free(&plots);
}

static void page_write_of(FILE *f, const void *what)
{
	page_write(f, what);
}

int report_html(const struct model *m, const char *path, struct err *e)
{
	return page_save(path, page_write_of, m, e);
}
