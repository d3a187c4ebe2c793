/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One cell: made from what was said, cleared of what means nothing in it, and hashed to its id. */
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include "profile/internal.h"

void text_append(char **text, const char *gap, const char *more)
{
	char *joined = xasprintf("%s%s%s", *text ? *text : "", *text ? gap : "", more);

	free(*text);
	*text = joined;
}

void text_list_free(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void settings_say(struct settings *all, const struct key_row *row, const char *key,
		  const char *where, char **values, size_t n)
{
	struct setting *s = NULL;

	for (size_t i = 0; !s && i < all->n; i++)
		if (!strcmp(all->s[i].key, key))
			s = &all->s[i];
	if (s) {
		text_list_free(s->values, s->n);
		free(s->where);
	} else {
		all->s = xrealloc(all->s, all->n + 1, sizeof(*all->s));
		s = &all->s[all->n++];
		*s = (struct setting){.row = row, .key = xstrdup(key)};
	}
	s->where = xstrdup(where);
	s->values = values;
	s->n = n;
}

void settings_free(struct settings *all)
{
	for (size_t i = 0; i < all->n; i++) {
		text_list_free(all->s[i].values, all->s[i].n);
		free(all->s[i].where);
		free(all->s[i].key);
	}
	free(all->s);
	*all = (struct settings){0};
}

bool section_of_cells(enum section s)
{
	return s == SEC_GUEST || s == SEC_DISK || s == SEC_KNOB;
}

static bool of_cell(const struct key_row *row)
{
	return section_of_cells(row->section);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void id_hash(char **lines, size_t n, char id[17])
{
	uint8_t sum[SHA256_DIGEST_LENGTH];
	SHA2_CTX ctx;

	if (n)
		qsort(lines, n, sizeof(*lines), by_text);
	SHA256Init(&ctx);
	for (size_t i = 0; i < n; i++) {
		SHA256Update(&ctx, (const uint8_t *)lines[i], strlen(lines[i]));
		SHA256Update(&ctx, (const uint8_t *)"\n", 1);
	}
	SHA256Final(sum, &ctx);
	for (size_t i = 0; i < 8; i++)
		snprintf(id + 2 * i, 3, "%02x", sum[i]);
}

static char **add_line(char **lines, size_t *n, char *line)
{
	lines = xrealloc(lines, *n + 1, sizeof(*lines));
	lines[(*n)++] = line;
	return lines;
}

/* "key=value" of the rows that differ from their default, and of the extras. */
static char **value_lines(char *const *val, bool (*mine)(const struct key_row *),
			  const struct extra *extras, size_t nextras, const char *prefix, size_t *n)
{
	char **lines = NULL, name[64];

	*n = 0;
	for (size_t i = 0; i < K_COUNT; i++) {
		const struct key_row *row = &profile_keys[i];
		char *def = mine(row) && val[i] ? value_default(row) : NULL;

		if (mine(row) && val[i] && (!def || strcmp(def, val[i])))
			lines = add_line(
				lines, n,
				xasprintf("%s=%s", key_full_name(row, name, sizeof(name)), val[i]));
		free(def);
	}
	for (size_t i = 0; i < nextras; i++)
		lines = add_line(lines, n,
				 xasprintf("%s.%s=%s", prefix, extras[i].key, extras[i].value));
	return lines;
}

char **cell_lines(const struct cell *c, size_t *n)
{
	return value_lines(c->val, of_cell, c->extras, c->nextras, "disk.blockdev", n);
}

static bool of_workload(const struct key_row *row)
{
	return row->section == SEC_WORKLOAD;
}

char **workload_lines(const struct workload *w, size_t *n)
{
	return value_lines(w->val, of_workload, w->extras, w->nextras, "workload.fio", n);
}

static void put_extra(struct cell *c, const char *key, const char *value)
{
	key += strlen("disk.blockdev.");
	for (size_t i = 0; i < c->nextras; i++) {
		if (!strcmp(c->extras[i].key, key)) {
			free(c->extras[i].value);
			c->extras[i].value = xstrdup(value);
			return;
		}
	}
	c->extras = xrealloc(c->extras, c->nextras + 1, sizeof(*c->extras));
	c->extras[c->nextras++] = (struct extra){.key = xstrdup(key), .value = xstrdup(value)};
}

void cell_start(struct cell *c)
{
	*c = (struct cell){0};
	for (size_t i = 0; i < K_COUNT; i++)
		if (of_cell(&profile_keys[i]))
			c->val[i] = value_default(&profile_keys[i]);
}

void cell_put(struct cell *c, const struct setting *s, size_t which)
{
	if (!s->row) {
		put_extra(c, s->key, s->values[which]);
		return;
	}
	free(c->val[s->row->id]);
	c->val[s->row->id] = xstrdup(s->values[which]);
}

void cell_settle(struct cell *c)
{
	const char *lost[K_COUNT] = {0};

	for (size_t i = 0; i < K_COUNT; i++)
		if (c->val[i] && profile_keys[i].applies)
			lost[i] = profile_keys[i].applies(c);
	for (size_t i = 0; i < K_COUNT; i++) {
		if (lost[i]) {
			free(c->val[i]);
			c->val[i] = NULL;
		}
	}
}

void cell_clear(struct cell *c)
{
	for (size_t i = 0; i < K_COUNT; i++)
		free(c->val[i]);
	for (size_t i = 0; i < c->nextras; i++) {
		free(c->extras[i].key);
		free(c->extras[i].value);
	}
	free(c->extras);
	free(c->label);
	*c = (struct cell){0};
}

const char *cell_conflict(const struct cell *c)
{
	const char *why = NULL;

	for (size_t i = 0; !why && i < K_COUNT; i++)
		if (c->val[i] && profile_keys[i].conflict)
			why = profile_keys[i].conflict(c);
	return why;
}

char *cell_identity(const struct cell *c)
{
	size_t n;
	char **lines = cell_lines(c, &n), *text = NULL;

	if (n)
		qsort(lines, n, sizeof(*lines), by_text);
	for (size_t i = 0; i < n; i++)
		text_append(&text, "\n", lines[i]);
	text_list_free(lines, n);
	return text ? text : xstrdup("");
}

void profile_take_cell(struct profile *p, struct cell *c)
{
	size_t n;
	char **lines = cell_lines(c, &n);

	id_hash(lines, n, c->id);
	text_list_free(lines, n);
	c->index = (unsigned)p->ncells;
	p->cells = xrealloc(p->cells, p->ncells + 1, sizeof(*p->cells));
	p->cells[p->ncells++] = *c;
}
