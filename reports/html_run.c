/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The run itself: its host, where time went, noise, how the figures were made, and where they come
 * from. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include "base/units.h"
#include "reports/page.h"

#define LONG_VALUE 240 /* longer facts are folded away */
#define BAR_WIDTH 160

static bool same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

void part_facts(FILE *f, const struct model *m)
{
	html(f, "<section id=\"host\" aria-labelledby=\"host-h\">\n<h2 id=\"host-h\">Host</h2>\n");
	if (!m->nfacts)
		html(f, "<p>Nothing is recorded about the host.</p>\n");
	for (size_t i = 0; i < m->nfacts; i++) {
		const struct model_fact *x = &m->facts[i];
		bool begins = i == 0 || !same(x->group, m->facts[i - 1].group);
		bool ends = i + 1 == m->nfacts || !same(x->group, m->facts[i + 1].group);

		if (begins)
			html(f, "<h3>%s</h3>\n<dl class=\"table\">\n",
			     x->group && *x->group ? x->group : "Other");
		html(f, "<div><dt>%s</dt><dd>", x->name);
		if (x->value && strlen(x->value) > LONG_VALUE) {
			html(f, "<details><summary>show</summary><pre tabindex=\"0\">");
			html_block(f, x->value);
			html(f, "</pre></details>");
		} else {
			html(f, "%s", x->value && *x->value ? x->value : "\xe2\x80\x93");
		}
		html(f, "</dd></div>\n");
		if (ends)
			html(f, "</dl>\n");
	}
	html(f, "</section>\n");
}

/* Names of phases for people; others are shown as they are. */
static const char *phase_title(const char *key)
{
	static const char *const titles[][2] = {
		{"open_ns", "start the guest"}, {"image_ns", "make the image"},
		{"plug_ns", "plug the disk"},	{"check_ns", "read back asked and got"},
		{"fill_ns", "fill the disk"},	{"work_ns", "the workload"},
		{"close_ns", "end the guest"},	{"template_ns", "make the template"},
	};

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (strcmp(titles[i][0], key) == 0)
			return titles[i][1];
	return key;
}

static double number_of(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

static const char *ns_text(double ns, char *buf, size_t size)
{
	if (!(ns >= 0) || ns > 9e18)
		return "n/a";
	return units_time_text((uint64_t)ns, buf, size);
}

static void time_phases(FILE *f, json_t *phases)
{
	const char *key;
	json_t *v;
	double most = 0;
	char a[48], b[48];

	json_object_foreach(phases, key, v) most = fmax(most, number_of(v, "median"));
	html(f,
	     "<h3>A trial's time</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	     "aria-label=\"Table: phases of a trial\"><table>\n<thead><tr><th scope=\"col\">Phase</th>"
	     "<th scope=\"col\" class=\"num\">Median</th><th scope=\"col\" class=\"num\">90 %% of "
	     "trials below</th><th scope=\"col\"><span class=\"sr\">Median as a bar</span></th></tr>"
	     "</thead>\n<tbody>\n");
	json_object_foreach(phases, key, v)
	{
		double median = number_of(v, "median");

		html(f,
		     "<tr><th scope=\"row\">%s</th><td class=\"num\">%s</td><td class=\"num\">%s</td>"
		     "<td><svg class=\"bar\" width=\"160\" height=\"10\" aria-hidden=\"true\">",
		     phase_title(key), ns_text(median, a, sizeof(a)),
		     ns_text(number_of(v, "p90"), b, sizeof(b)));
		if (most > 0 && median > 0)
			fprintf(f, "<rect width=\"%.1f\" height=\"10\"/>",
				fmax(BAR_WIDTH * median / most, 0.5));
		html(f, "</svg></td></tr>\n");
	}
	html(f, "</tbody></table></div>\n");
}

static void time_noise(FILE *f, json_t *noise)
{
	const char *key;
	json_t *v;
	char a[32], b[32];

	html(f,
	     "<h3>Noise of the host around the trials</h3>\n<div class=\"scroll\" tabindex=\"0\" "
	     "role=\"region\" aria-label=\"Table: host noise\"><table>\n<thead><tr>"
	     "<th scope=\"col\">Counter</th><th scope=\"col\" class=\"num\">Median</th>"
	     "<th scope=\"col\" class=\"num\">Most</th></tr></thead>\n<tbody>\n");
	json_object_foreach(noise, key, v) html(
		f,
		"<tr><th scope=\"row\">%s</th><td class=\"num\">%s</td><td class=\"num\">%s</td>"
		"</tr>\n",
		key, num_3(number_of(v, "median"), a, sizeof(a)),
		num_3(number_of(v, "max"), b, sizeof(b)));
	html(f, "</tbody></table></div>\n");
}

void part_time(FILE *f, const struct model *m)
{
	html(f, "<section id=\"time\" aria-labelledby=\"time-h\">\n"
		"<h2 id=\"time-h\">Time and noise</h2>\n");
	if (json_object_size(m->phases))
		time_phases(f, m->phases);
	if (json_object_size(m->noise))
		time_noise(f, m->noise);
	if (!json_object_size(m->phases) && !json_object_size(m->noise))
		html(f, "<p>Nothing is recorded.</p>\n");
	html(f, "</section>\n");
}

static void method_ladder(FILE *f)
{
	html(f,
	     "<p>A rung's figure is the geometric mean over blocks; its interval is Student's, from the "
	     "logarithms. A layer is the arithmetic mean of the paired differences between a rung and "
	     "the one that it stands on, within blocks, with its 95 %% Student interval; a block that "
	     "lacks one of the two is left out. Layers are arithmetic since times of layers add up and "
	     "ratios of them do not: where all rungs have the same blocks, the layers of a stack sum to "
	     "the arithmetic mean of its uppermost rung, which is a little above the geometric one. From 6 blocks a "
	     "Hodges-Lehmann estimate is made of the same pairs and shown where it tells another story. "
	     "Further metrics are geometric means, or means where they can be zero.</p>\n"
	     "<p>&#8220;Costs&#8221; or &#8220;saves&#8221; is said where a layer was shown to differ from "
	     "zero at 5 %%, corrected for the number of layers under a workload (Holm), for time, latency "
	     "and CPU time each by itself; so an interval, which stands for itself, may exclude zero "
	     "beside &#8220;undecided&#8221;. A rung of which more than 5 %% of the trials failed is in no "
	     "difference, because failed trials are seldom a random choice. This is one run on one host: "
	     "it does not speak for another day or another host.</p>\n");
}

/* Looked at after each block, or ended by its own precision (statistics.md, part 6). */
static void method_stopping(FILE *f, const struct model *m)
{
	char share[32];

	if (m->seq_max)
		html(f,
		     "<p>The run was to go on until all was decided, for at most %u blocks, with a look "
		     "after each from the 4th. Its intervals of comparisons are group-sequential repeated "
		     "ones, wider than Student's, so that all looks together err as seldom as one; the same "
		     "interval stopped the run and stands in this report. Intervals of single cells are "
		     "Student's.</p>\n",
		     m->seq_max);
	if (m->decide > 0)
		html(f, "<p>The smallest effect that matters was given as %s %%.</p>\n",
		     num_3(100 * m->decide, share, sizeof(share)));
	if (m->precision > 0)
		html(f,
		     "<p>The run was to go on until the intervals were within %s %% on either side, for "
		     "10 blocks at least.</p>\n",
		     num_3(100 * m->precision, share, sizeof(share)));
}

static void method_cells(FILE *f)
{
	html(f,
	     "<p>A cell's figure is the geometric mean over blocks; its interval is Student's, from the "
	     "logarithms. A cell is compared to the first cell block by block: the mean of the paired "
	     "logarithmic differences with its 95 %% Student interval, given as a ratio. Metrics that can "
	     "be zero are compared by difference; those without noise exactly. A main effect is made "
	     "from each block's contrast of two values of an axis, averaged over the other axes, and "
	     "needs no equal spread among cells. Intervals need 2 blocks.</p>\n");
	html(f,
	     "<p>&#8220;Better&#8221; or &#8220;worse&#8221; is said where a difference was shown at 5 %%, "
	     "corrected for the number of cells (Holm) for the metric that judges a workload; so an "
	     "interval, which stands for itself, may exclude equality without a mark. Further metrics "
	     "are marked to explore (Benjamini and Hochberg). &#8220;Same&#8221; means that the interval "
	     "lies within what is too small to matter; all else is undecided, with the range of further blocks that "
	     "would decide it where 6 blocks or more let one tell. A cell "
	     "in which more than 5 %% of the trials failed gets no verdict, because failed trials are "
	     "seldom a random choice. This is one run on one host: it does not speak for another day or "
	     "another host.</p>\n");
}

void part_method(FILE *f, const struct model *m)
{
	html(f,
	     "<section id=\"method\" aria-labelledby=\"method-h\">\n<h2 id=\"method-h\">Method</h2>\n"
	     "<p>A trial is one run of a workload in a guest, or on the host in a process, that is fresh "
	     "for it; the trial is the unit of replication, seconds within it are not counted as samples. Cells are measured in "
	     "randomised blocks: each of the %u blocks holds every cell once under every workload, in an "
	     "order drawn anew from the recorded seed, on a guest template made anew for that block. "
	     "fio's random seed is equal within a block and differs between blocks.</p>\n",
	     m->blocks_done);
	if (m->nrungs)
		method_ladder(f);
	else
		method_cells(f);
	method_stopping(f, m);
	html(f, "<p>Also printed by <code>vbench help methods</code>.</p>\n");
	part_methods(f);
	html(f, "</section>\n");
}

static void row(FILE *f, const char *name, const char *value)
{
	html(f, "<div><dt>%s</dt><dd>%s</dd></div>\n", name,
	     value && *value ? value : "\xe2\x80\x93");
}

void part_provenance(FILE *f, const struct model *m)
{
	char text[64];

	html(f, "<section id=\"provenance\" aria-labelledby=\"provenance-h\">\n"
		"<h2 id=\"provenance-h\">Provenance</h2>\n<dl class=\"table\">\n");
	row(f, "Run", m->uuid);
	snprintf(text, sizeof(text), "%" PRIu64, m->seed);
	row(f, "Seed", text);
	row(f, "vbench", m->version);
	row(f, "Command", m->command);
	row(f, "Status", m->status);
	row(f, "Begun", num_date(m->begun, text, sizeof(text)));
	row(f, "Ended", num_date(m->ended, text, sizeof(text)));
	html(f, "</dl>\n");
	if (m->profile_text && *m->profile_text) {
		html(f, "<details id=\"profile\"><summary>The profile, as it was</summary>\n"
			"<pre tabindex=\"0\">");
		html_block(f, m->profile_text);
		html(f, "</pre></details>\n");
	}
	html(f, "</section>\n");
}
