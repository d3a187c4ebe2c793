// SPDX-License-Identifier: GPL-2.0-or-later
/* Sets of CPUs and nodes, and their lists. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/ids.h"

enum { BITS = 8 * sizeof(unsigned long) };

bool ids_has(const struct ids *s, unsigned i)
{
	return i < IDS_MAX && s->w[i / BITS] >> i % BITS & 1;
}

void ids_add(struct ids *s, unsigned i)
{
	if (i < IDS_MAX)
		s->w[i / BITS] |= 1ul << i % BITS;
}

void ids_remove(struct ids *s, unsigned i)
{
	if (i < IDS_MAX)
		s->w[i / BITS] &= ~(1ul << i % BITS);
}

bool ids_empty(const struct ids *s)
{
	for (size_t i = 0; i < IDS_MAX / BITS; i++)
		if (s->w[i])
			return false;
	return true;
}

void ids_and(struct ids *s, const struct ids *with)
{
	for (size_t i = 0; i < IDS_MAX / BITS; i++)
		s->w[i] &= with->w[i];
}

bool ids_equal(const struct ids *a, const struct ids *b)
{
	return !memcmp(a->w, b->w, sizeof(a->w));
}

bool ids_range(const char **s, unsigned *from, unsigned *to)
{
	unsigned long a, b;
	char *end;

	if (!isdigit((unsigned char)**s))
		return false;
	a = b = strtoul(*s, &end, 10);
	if (*end == '-') {
		if (!isdigit((unsigned char)end[1]))
			return false;
		b = strtoul(end + 1, &end, 10);
	}
	if (a > b || b >= IDS_MAX)
		return false;
	*s = end;
	*from = (unsigned)a;
	*to = (unsigned)b;
	return true;
}

bool ids_parse(const char *text, struct ids *out)
{
	unsigned from, to;

	memset(out, 0, sizeof(*out));
	for (const char *p = text; p && ids_range(&p, &from, &to); p++) {
		for (; from <= to; from++)
			ids_add(out, from);
		if (!*p)
			return true;
		if (*p != ',')
			break;
	}
	memset(out, 0, sizeof(*out));
	return false;
}

char *ids_text(const struct ids *s)
{
	char *out = xstrdup("");

	for (unsigned i = 0, to; i < IDS_MAX; i = to + 1) {
		char *more;

		to = i;
		if (!ids_has(s, i))
			continue;
		while (ids_has(s, to + 1))
			to++;
		more = to > i ? xasprintf("%s%s%u-%u", out, *out ? "," : "", i, to)
			      : xasprintf("%s%s%u", out, *out ? "," : "", i);
		free(out);
		out = more;
	}
	return out;
}

char *ids_canonical(const char *text)
{
	struct ids set;

	return ids_parse(text, &set) ? ids_text(&set) : NULL;
}

bool ids_file(const char *path, struct ids *out)
{
	char line[8192];

	memset(out, 0, sizeof(*out));
	return !file_line(path, line, sizeof(line)) && ids_parse(line, out);
}
