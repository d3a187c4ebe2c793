// SPDX-License-Identifier: GPL-2.0-or-later
/* Whether a text may be given to hwloc's XML reader, which recurses as deep as its input does and
 * makes bitmaps as long as a CPU's number says. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "host/gather.h"

/* hwloc's export of the largest machines stays far below: some 30 levels, a few thousand CPUs, and
 * two or three objects for each. */
enum { DEPTH_MAX = 128, TAGS_MAX = 1 << 18, NUMBER_MAX = 1 << 14, VALUE_MAX = 1 << 14 };

static const char *const broken = "is not well-formed";

/* What hwloc writes, and no entity that would have to be defined. */
static bool is_plain(const char *p, const char *end)
{
	static const char *const known[] = {"&amp;",  "&lt;",  "&gt;",	"&quot;",
					    "&apos;", "&#9;", "&#10;", "&#13;"};

	for (; p < end; p++) {
		bool plain = *p != '&';

		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !plain; i++)
			plain = !strncmp(p, known[i], strlen(known[i]));
		if (!plain)
			return false;
	}
	return true;
}

static bool is_word(const char *p, const char *end, const char *word)
{
	return (size_t)(end - p) == strlen(word) && !strncmp(p, word, (size_t)(end - p));
}

/* One name="value"; *at moves behind it. big: of a number, bits: of what has its bit in sets. */
static const char *attribute_check(const char **at, bool *big, bool *bits)
{
	const char *name = *at, *end = name + strcspn(name, "= \t\r\n<>/\"'"), *p, *close;
	size_t len;

	p = end + strspn(end, " \t\r\n");
	if (end == name || *p != '=')
		return broken;
	p += 1 + strspn(p + 1, " \t\r\n");
	close = *p == '"' || *p == '\'' ? strchr(p + 1, *p) : NULL;
	if (!close)
		return broken;
	*at = close + 1;
	len = (size_t)(close - ++p);
	if (len > VALUE_MAX)
		return "has a value that is longer than any of a machine";
	if (memchr(p, '<', len) || !is_plain(p, close))
		return "has entities, of which hwloc writes none";
	if (is_word(name, end, "type"))
		*bits |= is_word(p, close, "PU") || is_word(p, close, "NUMANode");
	if (is_word(name, end, "os_index") && strtoull(p, NULL, 10) >= NUMBER_MAX)
		*big = true;
	if (is_word(name, end, "nbobjs") && strtoull(p, NULL, 10) >= NUMBER_MAX)
		*big = *bits = true;
	return NULL;
}

/* A tag from behind its "<"; *at moves behind its ">". */
static const char *tag_check(const char **at, int *depth)
{
	bool big = false, bits = false, closes = **at == '/';
	const char *p = *at + closes, *why;

	p += strcspn(p, " \t\r\n<>/\"'");
	for (;;) {
		p += strspn(p, " \t\r\n");
		if (*p == '>' || (*p == '/' && p[1] == '>'))
			break;
		why = attribute_check(&p, &big, &bits);
		if (why)
			return why;
	}
	if (big && bits)
		return "numbers CPUs or nodes higher than any machine does";
	*depth += closes ? -1 : *p == '>';
	*at = p + 1 + (*p == '/');
	return *depth < 0	    ? broken
	       : *depth > DEPTH_MAX ? "is nested deeper than any machine is"
				    : NULL;
}

/* The two lines that hwloc begins with; anything else there, such as an encoding of its own or a
 * DTD, is not skipped, and found wrong later. */
static const char *head_skip(const char *p)
{
	static const char *const heads[] = {"<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
					    "<?xml version=\"1.0\"?>",
					    "<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">",
					    "<!DOCTYPE topology SYSTEM \"hwloc.dtd\">"};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		p += strspn(p, " \t\r\n");
		if (!strncmp(p, heads[i], strlen(heads[i])))
			p += strlen(heads[i]);
	}
	return p;
}

const char *host_topology_odd(const char *xml)
{
	const char *p = head_skip(xml), *why = NULL;
	unsigned tags = 0;
	int depth = 0;

	while (!why) {
		const char *open = p + strcspn(p, "<");

		if (!is_plain(p, open))
			return "has entities, of which hwloc writes none";
		if (!*open)
			return depth || !tags ? broken : NULL;
		p = open + 1;
		if (*p == '!' || *p == '?')
			return "has declarations or comments, of which hwloc writes none";
		if (tags++ > TAGS_MAX)
			return "has more objects than any machine";
		why = tag_check(&p, &depth);
	}
	return why;
}
