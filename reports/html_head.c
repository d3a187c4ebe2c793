/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Top of the page: what was asked, the decision, what to know before believing it, and what was
 * varied. */
#include <string.h>
#include "base/units.h"
#include "reports/page.h"

static void fact(FILE *f, const char *name, const char *value)
{
	if (value && *value)
		html(f, "<div><dt>%s</dt><dd>%s</dd></div>\n", name, value);
}

static void head_facts(FILE *f, const struct model *m)
{
	char a[160], b[64];

	html(f, "<dl class=\"facts\">\n");
	fact(f, "Profile", m->profile);
	fact(f, "Label", m->label);
	fact(f, "Accelerator", m->accel);
	snprintf(a, sizeof(a), "%u of %u", m->blocks_done, m->blocks_planned);
	fact(f, "Blocks", a);
	if (m->trials_limit)
		snprintf(a, sizeof(a), "%u good, %u failed, %u at a limit, %u planned",
			 m->trials_ok, m->trials_failed, m->trials_limit, m->trials_planned);
	else
		snprintf(a, sizeof(a), "%u good, %u failed, %u planned", m->trials_ok,
			 m->trials_failed, m->trials_planned);
	fact(f, "Trials", a);
	fact(f, "Begun", num_date(m->begun, a, sizeof(a)));
	if (m->begun > 0 && m->ended > m->begun)
		fact(f, "Took", units_time_text((uint64_t)(m->ended - m->begun), b, sizeof(b)));
	if (m->status && strcmp(m->status, "complete") != 0)
		fact(f, "Status", m->status);
	html(f, "</dl>\n");
}

/* "disk.bus: virtio-blk, virtio-scsi" for each axis. */
static void head_axes(FILE *f, const struct model *m)
{
	size_t i, k;
	json_t *axis, *v;

	if (json_array_size(m->axes) == 0)
		return;
	html(f, "<p class=\"axes\">%zu cells from ", m->ncells);
	json_array_foreach(m->axes, i, axis)
	{
		json_t *values = json_object_get(axis, "values");

		html(f, "%s<code>%s</code> {", i ? " \xc3\x97 " : "",
		     json_string_value(json_object_get(axis, "key")));
		json_array_foreach(values, k, v)
			html(f, "%s%s", k ? ", " : "", json_string_value(v));
		html(f, "}");
	}
	html(f, "</p>\n");
}

static void head_warnings(FILE *f, const struct model *m)
{
	bool own = m->relative_only;

	for (size_t i = 0; own && i < m->nwarnings; i++)
		own = !m->warnings[i] || !strstr(m->warnings[i], "TCG");
	if (!m->nwarnings && !own)
		return;
	html(f, "<section id=\"warnings\" class=\"warnings\" aria-labelledby=\"warnings-h\">"
		"<h2 id=\"warnings-h\">Before you believe it</h2>\n<ul>\n");
	if (own)
		html(f,
		     "<li>Measured under TCG (emulation): figures are good for comparing the cells "
		     "of this run with each other, not for what a guest under KVM reaches.</li>\n");
	for (size_t i = 0; i < m->nwarnings; i++)
		html(f, "<li>%s</li>\n", m->warnings[i]);
	html(f, "</ul></section>\n");
}

void part_head(FILE *f, const struct model *m)
{
	const char *decision = m->headline;

	if (!decision || !*decision)
		decision = m->trials_ok ? "This run has no answer yet."
					: "Nothing was measured: no trial of this run succeeded.";
	html(f, "<header>\n<p class=\"brand\">vbench</p>\n<h1>%s</h1>\n",
	     m->title && *m->title	 ? m->title
	     : m->profile && *m->profile ? m->profile
					 : "Untitled run");
	if (m->question && *m->question)
		html(f, "<p class=\"question\">%s</p>\n", m->question);
	html(f, "<p id=\"decision\" class=\"decision\">%s</p>\n", decision);
	if (!m->trials_ok && m->headline && *m->headline)
		html(f, "<p class=\"empty\">No trial of this run succeeded.</p>\n");
	head_warnings(f, m);
	head_facts(f, m);
	head_axes(f, m);
	if (m->source && *m->source)
		html(f, "<p class=\"note\">Where the question comes from: %s</p>\n", m->source);
	html(f, "</header>\n");
}
