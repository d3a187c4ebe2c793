// SPDX-License-Identifier: GPL-2.0-or-later
/* Findings that say the same of forty disks, said once. */
#include <stdlib.h>
#include <string.h>
#include "tuner/internal.h"

/* Parts that are named; of more, how many there are. What is broken is looked for by name. */
enum { NAMES_BROKEN = 64, NAMES_OTHER = 8 };

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* "disk sda": its kind has so many characters. 0: no part, or one of one word. */
static size_t kind_length(const char *part)
{
	const char *blank = part ? strchr(part, ' ') : NULL;

	return blank ? (size_t)(blank - part) : 0;
}

/* Everything but the part, and the place in which it was found. */
static bool is_alike(const struct finding *a, const struct finding *b)
{
	size_t kind = kind_length(a->part);

	return a->state == b->state && a->side == b->side && kind && kind == kind_length(b->part) &&
	       !strncmp(a->part, b->part, kind) && same_text(a->found, b->found) &&
	       same_text(a->want, b->want) && same_text(a->xml, b->xml) &&
	       same_text(a->qemu, b->qemu) && same_text(a->sysfs, b->sysfs) &&
	       same_text(a->guest, b->guest);
}

char *audit_parts(const struct findings *f, size_t k, enum rule_state state, size_t *alike)
{
	const struct finding *x = &f->list[k];
	size_t most = state == RULE_BROKEN ? NAMES_BROKEN : NAMES_OTHER;
	char *text = NULL;
	size_t len;
	FILE *out;

	*alike = 1;
	if (x->state != state)
		return NULL;
	for (size_t i = 0; i < k; i++)
		if (is_alike(&f->list[i], x))
			return NULL;
	out = open_memstream(&text, &len);
	if (!out)
		abort();
	fputs(x->part ? x->part : "", out);
	for (size_t i = k + 1; i < f->n; i++) {
		const struct finding *y = &f->list[i];

		if (!is_alike(x, y))
			continue;
		if (++*alike <= most)
			fprintf(out, ", %s", y->part + kind_length(y->part) + 1);
	}
	if (*alike > most)
		fprintf(out, " and %zu more", *alike - most);
	fclose(out);
	return text;
}
