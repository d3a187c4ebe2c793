/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Evidence below the answers: asked and got, failures, what was left out, how to repeat a cell. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "reports/page.h"

static void section_begin(FILE *f, const char *id, const char *title)
{
	html(f, "<section id=\"%s\" aria-labelledby=\"%s-h\">\n<h2 id=\"%s-h\">%s</h2>\n", id, id,
	     id, title);
}

static void scroll_begin(FILE *f, const char *what)
{
	html(f,
	     "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: %s\"><table>\n",
	     what);
}

void part_side(FILE *f, const struct model *m)
{
	if (!m->nside)
		return;
	section_begin(f, "side", "What else differs between the cells");
	html(f,
	     "<p>%s, as the guest reports its disk. Nobody asked for these; they come with %s "
	     "holds them, too.</p>\n",
	     m->nrungs ? "Beside what the rungs say" : "Beside the axes",
	     m->nrungs ? "a rung, and its layer" : "an axis, and its effect");
	scroll_begin(f, "what else differs");
	html(f,
	     "<thead><tr><th scope=\"col\">Fact</th><th scope=\"col\">Values, and where</th></tr>"
	     "</thead>\n<tbody>\n");
	for (size_t i = 0; i < m->nside; i++)
		html(f, "<tr><th scope=\"row\"><code>%s</code></th><td>%s</td></tr>\n",
		     m->side[i].name, m->side[i].values);
	html(f, "</tbody></table></div>\n</section>\n");
}

static void check_row(FILE *f, const struct model_check *c)
{
	html(f, "<tr><th scope=\"row\"><code>%s</code></th><td class=\"num\">%u</td>", c->key,
	     c->match);
	if (c->differ)
		html(f,
		     "<td class=\"num mark worse\"><span aria-hidden=\"true\">\xe2\x9c\x95</span> "
		     "%u</td>",
		     c->differ);
	else
		html(f, "<td class=\"num\">0</td>");
	html(f, "<td class=\"num\">%u</td><td>%s</td><td>%s</td><td>%s</td></tr>\n", c->unknown,
	     c->asked, c->got, c->cell_label);
}

void part_checks(FILE *f, const struct model *m)
{
	unsigned match = 0, differ = 0, unknown = 0;

	section_begin(f, "checks", "Asked and got");
	if (!m->nchecks) {
		html(f,
		     "<p>No trial came as far as reading back what is in force.</p>\n</section>\n");
		return;
	}
	for (size_t i = 0; i < m->nchecks; i++) {
		match += m->checks[i].match;
		differ += m->checks[i].differ;
		unknown += m->checks[i].unknown;
	}
	html(f,
	     "<p>Read back from guest and host after plugging and again after the workload: %u as "
	     "asked, %u different, %u that this QEMU or these rights cannot tell. A trial with a "
	     "difference counts as failed and gives no number.</p>\n",
	     match, differ, unknown);
	scroll_begin(f, "asked and got");
	html(f,
	     "<thead><tr><th scope=\"col\">Key</th><th scope=\"col\" class=\"num\">Match</th>"
	     "<th scope=\"col\" class=\"num\">Differ</th><th scope=\"col\" class=\"num\">Unknown</th>"
	     "<th scope=\"col\">Asked, for example</th><th scope=\"col\">Got</th>"
	     "<th scope=\"col\">In cell</th></tr></thead>\n<tbody>\n");
	for (int differing = 1; differing >= 0; differing--) /* those that differ stand first */
		for (size_t i = 0; i < m->nchecks; i++)
			if ((m->checks[i].differ > 0) == differing)
				check_row(f, &m->checks[i]);
	html(f, "</tbody></table></div>\n</section>\n");
}

void part_failures(FILE *f, const struct model *m)
{
	if (!m->nfailures && !m->trials_failed)
		return;
	section_begin(f, "failures", "Failed trials");
	html(f,
	     "<p>%u %s failed. A block in which a cell failed is left out of that cell's "
	     "comparison; nothing is put in its place.</p>\n",
	     m->trials_failed, m->trials_failed == 1 ? "trial" : "trials");
	for (size_t i = 0; i < m->nfailures; i++) {
		const struct model_failure *x = &m->failures[i];

		html(f,
		     "<details class=\"failure\"%s><summary><strong>%s</strong> trial %u: %s "
		     "<small>%s</small></summary>\n",
		     m->nfailures <= 2 ? " open" : "", x->cause, x->seq, x->cell_label,
		     x->workload);
		html(f, "<pre tabindex=\"0\">");
		html_block(f, x->detail && *x->detail ? x->detail : "(nothing further is known)");
		html(f, "</pre></details>\n");
	}
	html(f, "</section>\n");
}

static void folded_list(FILE *f, const json_t *skipped)
{
	size_t i;
	json_t *s;

	html(f, "<ul>\n");
	json_array_foreach(skipped, i, s)
	{
		if (json_is_true(json_object_get(s, "folded")))
			html(f, "<li><strong>%s</strong>: %s</li>\n",
			     json_string_value(json_object_get(s, "what")),
			     json_string_value(json_object_get(s, "reason")));
	}
	html(f, "</ul>\n");
}

/* Cells that share a reason are one entry, which opens. */
static void left_out_list(FILE *f, const struct model *m)
{
	json_t *lines = model_left_out(m), *l, *cell;
	size_t i, k;

	html(f, "<ul>\n");
	json_array_foreach(lines, i, l)
	{
		const char *what = json_string_value(json_object_get(l, "what"));
		const char *reason = json_string_value(json_object_get(l, "reason"));
		json_t *cells = json_object_get(l, "cells");

		if (!json_array_size(cells)) {
			html(f, "<li><strong>%s</strong>: %s</li>\n", what, reason);
			continue;
		}
		html(f,
		     "<li><details><summary><strong>%s</strong>: %s</summary>\n"
		     "<ul>\n",
		     what, reason);
		json_array_foreach(cells, k, cell)
			html(f, "<li>%s</li>\n", json_string_value(cell));
		html(f, "</ul>\n</details></li>\n");
	}
	html(f, "</ul>\n");
	json_decref(lines);
}

void part_skipped(FILE *f, const struct model *m)
{
	size_t i, folded = 0, n = json_array_size(m->skipped);
	json_t *s;

	json_array_foreach(m->skipped, i, s) folded += json_is_true(json_object_get(s, "folded"));
	section_begin(f, "skipped", "Not measured");
	if (!n)
		html(f, "<p>Every %s was measured.</p>\n",
		     m->nrungs ? "rung" : "combination of the axes");
	if (n > folded) {
		html(f, "<p>%s that cannot be:</p>\n", m->nrungs ? "Rungs" : "Combinations");
		left_out_list(f, m);
	}
	if (folded) {
		html(f, m->nrungs
				? "<p>What rungs say that means nothing in them:</p>\n"
				: "<p>Combinations that equal a cell that is measured, and are not "
				  "measured twice:</p>\n");
		folded_list(f, m->skipped);
	}
	html(f, "</section>\n");
}

void code_part(FILE *f, const char *title, const char *text)
{
	if (!text || !*text)
		return;
	html(f, "<h4>%s</h4>\n<pre tabindex=\"0\">", title);
	html_block(f, text);
	html(f, "</pre>\n");
}

/* A JSON value as a person reads it: strings bare, null as a dash, the rest as JSON. */
static void put_json(FILE *f, const json_t *v)
{
	char *text;

	if (json_is_string(v)) {
		html(f, "%s", json_string_value(v));
	} else if (!v || json_is_null(v)) {
		html(f, "\xe2\x80\x93");
	} else {
		text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
		html(f, "%s", text);
		free(text);
	}
}

static void json_table(FILE *f, const char *title, json_t *object)
{
	const char *key;
	json_t *v;

	if (json_object_size(object) == 0)
		return;
	html(f, "<h4>%s</h4>\n", title);
	scroll_begin(f, title);
	html(f,
	     "<thead class=\"hide\"><tr><th scope=\"col\">Name</th><th scope=\"col\">Value</th></tr>"
	     "</thead>\n<tbody>\n");
	json_object_foreach(object, key, v)
	{
		html(f, "<tr><th scope=\"row\"><code>%s</code></th><td>", key);
		put_json(f, v);
		html(f, "</td></tr>\n");
	}
	html(f, "</tbody></table></div>\n");
}

void part_repeat(FILE *f, const struct model *m)
{
	section_begin(f, "repeat", "Repeat a cell");
	if (!m->ncells)
		html(f, "<p>The run has no cells.</p>\n");
	else
		html(f,
		     "<p>For each cell: the command that measures it alone, the command line of QEMU "
		     "and the commands that plugged its disk, as they were in its first good trial, and "
		     "what the guest saw.</p>\n");
	for (size_t i = 0; i < m->ncells; i++) {
		const struct model_cell *c = &m->cells[i];

		html(f,
		     "<details id=\"cell%zu\"><summary>%zu. %s <small><code>%s</code></small>"
		     "</summary>\n<h3 class=\"sr\">Cell %zu</h3>\n",
		     i + 1, i + 1, c->label ? c->label : "(no name)", c->id, i + 1);
		code_part(f, "Command that repeats it", c->repeat);
		code_part(f, "QEMU", c->qemu);
		code_part(f, "Plugging the disk (QMP)", c->plug);
		json_table(f, "Disk as the guest saw it", c->facts);
		json_table(f, "All keys", c->keys);
		html(f, "</details>\n");
	}
	html(f, "</section>\n");
}

int page_save(const char *path, void (*put)(FILE *f, const void *what), const void *what,
	      struct err *e)
{
	char *page = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&page, &size);
	int rc;

	if (!f)
		return err_set(e, -ENOMEM, "no memory for the page");
	put(f, what);
	if (fclose(f) != 0)
		rc = err_set(e, -ENOMEM, "no memory for the page");
	else
		rc = file_write(path, page, size, 0644, e);
	free(page);
	return rc;
}
