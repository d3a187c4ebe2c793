// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page of methods: methods.md as it is, or as a part of the page. It is our own text, in the
 * few forms that it uses: headings, paragraphs, lists, tables, **strong** and `code`.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "reports/page.h"
#include "reports/report.h"

/* methods.md, put into the program by the Makefile. */
extern const unsigned char embed_methods_md[];
extern const size_t embed_methods_md_len;

int report_methods(FILE *out)
{
	fwrite(embed_methods_md, 1, embed_methods_md_len, out);
	return ferror(out) ? -EIO : 0;
}

enum form { FORM_NONE, FORM_TEXT, FORM_LIST, FORM_TABLE };

/* Text with `code` and **strong** in it; a mark without its partner stays as it is. */
static void put_inline(FILE *f, char *s)
{
	while (*s) {
		bool code = *s == '`', strong = !strncmp(s, "**", 2);
		char *begin = s + (code ? 1 : 2);
		char *end = code ? strchr(begin, '`') : strong ? strstr(begin, "**") : NULL;
		size_t plain = strcspn(s + 1, "`*") + 1;

		if (end) {
			*end = 0;
			html(f, code ? "<code>%s</code>" : "<strong>%s</strong>", begin);
			s = end + (code ? 1 : 2);
		} else {
			char *part = xasprintf("%.*s", (int)plain, s);

			html(f, "%s", part);
			free(part);
			s += plain;
		}
	}
}

/* "| a | b |"; the line of dashes below a table's head says nothing more. */
static void put_row(FILE *f, char *line, bool head)
{
	char *end;

	if (!line[strspn(line, "|-: ")])
		return;
	html(f, "<tr>");
	for (line++; (end = strchr(line, '|')); line = end + 1) {
		*end = 0;
		line += strspn(line, " ");
		while (*line && line[strlen(line) - 1] == ' ')
			line[strlen(line) - 1] = 0;
		html(f, head ? "<th scope=\"col\">" : "<td>");
		put_inline(f, line);
		html(f, head ? "</th>" : "</td>");
	}
	html(f, "</tr>\n");
}

static void form_end(FILE *f, enum form form)
{
	if (form == FORM_TEXT)
		html(f, "</p>\n");
	else if (form == FORM_LIST)
		html(f, "</li></ul>\n");
	else if (form == FORM_TABLE)
		html(f, "</tbody></table></div>\n");
}

static void form_begin(FILE *f, enum form form)
{
	if (form == FORM_TEXT)
		html(f, "<p>");
	else if (form == FORM_LIST)
		html(f, "<ul>\n");
	else if (form == FORM_TABLE)
		html(f, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
			"aria-label=\"Table: figures\"><table>\n");
}

static enum form form_of(const char *line, enum form before)
{
	if (!*line || *line == '#')
		return FORM_NONE;
	if (*line == '|')
		return FORM_TABLE;
	if (!strncmp(line, "- ", 2))
		return FORM_LIST;
	return before == FORM_LIST ? FORM_LIST : FORM_TEXT; /* a point goes on */
}

static void put_line(FILE *f, char *line, enum form form, bool first)
{
	bool point = !strncmp(line, "- ", 2);

	if (form == FORM_TABLE) {
		if (first)
			html(f, "<thead>");
		put_row(f, line, first);
		if (first)
			html(f, "</thead><tbody>\n");
	} else if (form == FORM_LIST) {
		if (point)
			html(f, first ? "<li>" : "</li>\n<li>");
		else
			html(f, "\n");
		put_inline(f, line + (point ? 2 : 0));
	} else if (form == FORM_TEXT) {
		if (!first)
			html(f, "\n");
		put_inline(f, line);
	} else if (!strncmp(line, "## ", 3)) { /* the page has an h2 above */
		html(f, "<h3>%s</h3>\n", line + 3);
	}
}

void part_methods(FILE *f)
{
	char *text = xasprintf("%.*s", (int)embed_methods_md_len, (const char *)embed_methods_md);
	enum form before = FORM_NONE, now;
	char *next;

	html(f, "<details id=\"methods\"><summary>Every method: what, why, source, assumptions, "
		"simulated figures</summary>\n");
	for (char *line = text; *line; line = next) {
		size_t n = strcspn(line, "\n");

		next = line + n + (line[n] != 0);
		line[n] = 0;
		now = form_of(line, before);
		if (now != before) {
			form_end(f, before);
			form_begin(f, now);
		}
		put_line(f, line, now, now != before);
		before = now;
	}
	form_end(f, before);
	html(f, "</details>\n");
	free(text);
}
