// SPDX-License-Identifier: GPL-2.0-or-later
/* Sets of CPUs and nodes, and their lists as the kernel writes them. */
#include <stdlib.h>
#include <string.h>
#include "apply/internal.h"
#include "base/file.h"
#include "vm/vm.h"

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

/* vm_cpus has checked the form: numbers, "-" and "," only, ranges the right way round. */
bool ids_parse(const char *text, struct ids *out)
{
	char *list = text ? vm_cpus(text) : NULL, *p = list;

	memset(out, 0, sizeof(*out));
	while (p && *p) {
		unsigned long from = strtoul(p, &p, 10),
			      to = *p == '-' ? strtoul(p + 1, &p, 10) : from;

		for (; from <= to && from < IDS_MAX; from++)
			ids_add(out, (unsigned)from);
		if (*p == ',')
			p++;
	}
	free(list);
	return !ids_empty(out);
}

char *ids_text(const struct ids *s)
{
	char *out = xstrdup("");

	for (unsigned i = 0; i < IDS_MAX; i++) {
		unsigned to = i;
		char *more;

		if (!ids_has(s, i))
			continue;
		while (ids_has(s, to + 1))
			to++;
		more = to > i ? xasprintf("%s%s%u-%u", out, *out ? "," : "", i, to)
			      : xasprintf("%s%s%u", out, *out ? "," : "", i);
		free(out);
		out = more;
		i = to;
	}
	return out;
}

bool ids_file(const char *path, struct ids *out)
{
	char line[8192];

	memset(out, 0, sizeof(*out));
	return !file_line(path, line, sizeof(line)) && ids_parse(line, out);
}
