// SPDX-License-Identifier: GPL-2.0-or-later
/* tuning.md as a table: `## ID Title`, then `- Field: text`, continued by lines that are indented.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tuner/internal.h"

extern const unsigned char embed_tuning_md[];
extern const size_t embed_tuning_md_len;

/* The fields of a section, by the names that tuning.md has. */
static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	{"Rule", offsetof(struct rule_text, rule)},
	{"When", offsetof(struct rule_text, when)},
	{"See", offsetof(struct rule_text, see)},
	{"QEMU", offsetof(struct rule_text, qemu)},
	{"libvirt", offsetof(struct rule_text, libvirt)},
	{"sysfs", offsetof(struct rule_text, sysfs)},
	{"Guest", offsetof(struct rule_text, guest)},
	{"Proxmox", offsetof(struct rule_text, proxmox)},
	{"Size", offsetof(struct rule_text, size)},
	{"Conflict", offsetof(struct rule_text, conflict)},
	{"Sources", offsetof(struct rule_text, sources)},
};

static const char **field_of(struct rule_text *t, const char *line, const char **text)
{
	if (strncmp(line, "- ", 2))
		return NULL;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t len = strlen(fields[i].name);

		if (strncmp(line + 2, fields[i].name, len) || line[2 + len] != ':')
			continue;
		*text = line + 3 + len + strspn(line + 3 + len, " ");
		return (const char **)((char *)t + fields[i].offset);
	}
	return NULL;
}

/* "CPU-06" at the beginning of text: letters, a hyphen, digits. Its length, or 0. */
static size_t id_length(const char *text)
{
	size_t n = 0, digits;

	while (isupper((unsigned char)text[n]))
		n++;
	if (!n || text[n] != '-')
		return 0;
	digits = strspn(text + n + 1, "0123456789");
	return digits && text[n + 1 + digits] == ' ' ? n + 1 + digits : 0;
}

/* A new section, when line begins one with an id. line is cut up. */
static bool section_begin(struct rule_texts_list *list, char *line)
{
	size_t len = strncmp(line, "## ", 3) ? 0 : id_length(line + 3);

	if (!len)
		return false;
	list->text = xrealloc(list->text, list->n + 1, sizeof(*list->text));
	line[3 + len] = '\0';
	list->text[list->n++] = (struct rule_text){.id = line + 3, .title = line + 4 + len};
	return true;
}

/* Moves a continued line up behind the field's text, in place: the copy shrinks, never grows. */
static void line_join(char *end, char *line)
{
	*end = ' ';
	memmove(end + 1, line, strlen(line) + 1);
}

void rule_texts_parse(char *copy, struct rule_texts_list *list)
{
	bool inside = false;
	char *save = NULL, *end = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *text, **field;

		if (*line == '#') {
			inside = section_begin(list, line);
			end = NULL;
			continue;
		}
		field = inside ? field_of(&list->text[list->n - 1], line, &text) : NULL;
		if (field) {
			*field = text;
			end = line + strlen(line);
		} else if (end && *line == ' ') {
			line += strspn(line, " ");
			line_join(end, line);
			end += strlen(end);
		} else {
			end = NULL;
		}
	}
}

/* Parsed once and kept: the text is a constant of the program, and callers borrow from it. */
static const struct rule_texts_list *embedded(void)
{
	static struct rule_texts_list list;

	if (!list.text)
		rule_texts_parse(
			xasprintf("%.*s", (int)embed_tuning_md_len, (const char *)embed_tuning_md),
			&list);
	return &list;
}

const struct rule_text *rule_texts(size_t *n)
{
	const struct rule_texts_list *list = embedded();

	*n = list->n;
	return list->text;
}

const struct rule_text *rule_text(const char *id)
{
	const struct rule_texts_list *list = embedded();

	for (size_t i = 0; i < list->n; i++)
		if (!strcasecmp(list->text[i].id, id))
			return &list->text[i];
	return NULL;
}

void rule_document(FILE *out)
{
	fwrite(embed_tuning_md, 1, embed_tuning_md_len, out);
}

bool rule_link(const char **sources, struct rule_source *out)
{
	const char *open = strchr(*sources, '['), *mid = open ? strstr(open, "](") : NULL,
		   *end = mid ? strchr(mid, ')') : NULL;

	if (!end)
		return false;
	*out = (struct rule_source){open + 1, (size_t)(mid - open - 1), mid + 2,
				    (size_t)(end - mid - 2)};
	*sources = end + 1;
	return true;
}

void rule_print(const struct rule_text *t, FILE *out)
{
	const struct rule_row *row = rule_find(t->id);

	fprintf(out, "%s  %s%s%s%s\n", t->id, t->title, row ? " (" : "",
		row ? rule_weight_name(row->weight) : "", row ? ")" : "");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const char *text = *(const char *const *)((const char *)t + fields[i].offset);
		struct rule_source s;

		if (!text)
			continue;
		fputc('\n', out);
		if (strcmp(fields[i].name, "Sources")) {
			text_put(out, fields[i].name, text);
			continue;
		}
		for (const char *p = text, *label = fields[i].name; rule_link(&p, &s); label = "") {
			char *line = xasprintf("%.*s: %.*s", (int)s.title_len, s.title,
					       (int)s.url_len, s.url);

			text_put(out, label, line);
			free(line);
		}
	}
	if (row && row->key)
		fprintf(out, "\n  %-9s %s=%s%s%s in a profile measures it\n", "Try", row->key,
			row->other ? row->other : "...", row->good ? "," : "",
			row->good ? row->good : "");
}
