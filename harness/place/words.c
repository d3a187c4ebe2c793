// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists of CPUs and sentences, as the planner writes them. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "place/internal.h"

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

char *list_text(const unsigned *numbers, size_t n)
{
	unsigned *sorted = xcalloc(n, sizeof(*sorted));
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		abort();
	if (n)
		memcpy(sorted, numbers, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_number);
	for (size_t i = 0, to; i < n; i = to) {
		for (to = i + 1; to < n && sorted[to] <= sorted[to - 1] + 1; to++)
			;
		fprintf(f, "%s%u", i ? "," : "", sorted[i]);
		if (sorted[to - 1] > sorted[i])
			fprintf(f, "-%u", sorted[to - 1]);
	}
	fclose(f);
	free(sorted);
	return text;
}

void say(char ***list, size_t *n, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	*list = xrealloc(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = text;
}

char *size_text(uint64_t bytes, char buf[32])
{
	return units_size_text(bytes, buf, 32);
}
