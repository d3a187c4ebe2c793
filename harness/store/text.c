/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text from guests and files is any bytes; what goes into the store is UTF-8, and paths stay
 * inside. */
#include <stdlib.h>
#include <string.h>
#include "store/db.h"

/*
 * Length of the well-formed sequence at p (The Unicode Standard, table 3-7), or, negated, of the
 * maximal subpart of an ill-formed one, which is what a single U+FFFD replaces (ibid.,
 * section 3.9).
 */
static int utf8_sequence(const unsigned char *p, size_t left)
{
	unsigned char lo = 0x80, hi = 0xbf;
	int need, i;

	if (p[0] == 0)
		return -1;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		need = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		need = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		need = 4;
	else
		return -1;
	if (p[0] == 0xe0)
		lo = 0xa0; /* overlong */
	else if (p[0] == 0xed)
		hi = 0x9f; /* surrogates */
	else if (p[0] == 0xf0)
		lo = 0x90; /* overlong */
	else if (p[0] == 0xf4)
		hi = 0x8f; /* above U+10FFFF */
	for (i = 1; i < need; i++) {
		if ((size_t)i >= left || p[i] < lo || p[i] > hi)
			return -i;
		lo = 0x80;
		hi = 0xbf;
	}
	return need;
}

bool text_ok(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t i = 0;

	while (i < len) {
		int n = utf8_sequence(p + i, len - i);

		if (n < 0)
			return false;
		i += (size_t)n;
	}
	return true;
}

char *text_clean(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	char *out, *w;
	size_t i = 0;

	/* Each byte becomes at most the three of U+FFFD. */
	out = xrealloc(NULL, len + 1, 3);
	w = out;
	while (i < len) {
		int n = utf8_sequence(p + i, len - i);

		if (n > 0) {
			memcpy(w, p + i, (size_t)n);
			w += n;
			i += (size_t)n;
		} else {
			memcpy(w, "\xef\xbf\xbd", 3);
			w += 3;
			i += (size_t)-n;
		}
	}
	*w = 0;
	return out;
}

bool db_path_ok(const char *path)
{
	size_t len = strlen(path), start = 0, i, part;
	unsigned depth = 0;

	if (!len || len > BUNDLE_MAX_PATH || !text_ok(path, len))
		return false;
	for (i = 0; i <= len; i++) {
		unsigned char c = (unsigned char)path[i];

		if (c && (c < 0x20 || c == 0x7f || c == '\\'))
			return false;
		if (c && c != '/')
			continue;
		part = i - start;
		if (!part || part > 255 || ++depth > BUNDLE_MAX_DEPTH)
			return false;
		if (path[start] == '.' && (part == 1 || (part == 2 && path[start + 1] == '.')))
			return false;
		start = i + 1;
	}
	return true;
}

bool db_uuid_ok(const char *text)
{
	size_t i;

	for (i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		char c = text[i];

		if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return !text[36];
}
