/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text from guests, profiles and files on its way to a page or a terminal: decoded, checked,
 * escaped. */
#include <locale.h>
#include <stdarg.h>
#include <string.h>
#include <wchar.h>
#include "reports/page.h"

#define REPLACEMENT 0xfffd

/* Bytes of a sequence and the range of its second byte, from the first byte (RFC 3629, section 4).
 */
static size_t sequence(unsigned char c, unsigned char *lo, unsigned char *hi)
{
	*lo = 0x80;
	*hi = 0xbf;
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef) {
		if (c == 0xe0)
			*lo = 0xa0;
		if (c == 0xed)
			*hi = 0x9f;
		return 3;
	}
	if (c >= 0xf0 && c <= 0xf4) {
		if (c == 0xf0)
			*lo = 0x90;
		if (c == 0xf4)
			*hi = 0x8f;
		return 4;
	}
	return 0;
}

size_t clean_next(const char *s, uint32_t *cp)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned char lo, hi;
	size_t i, n = sequence(p[0], &lo, &hi);

	*cp = REPLACEMENT;
	if (n == 0)
		return 1;
	if (n == 1) {
		*cp = p[0];
		return p[0] != 0;
	}
	uint32_t v = p[0] & (0x7f >> n);
	for (i = 1; i < n; i++) {
		if (p[i] < lo || p[i] > hi)
			return i;
		v = v << 6 | (p[i] & 0x3f);
		lo = 0x80;
		hi = 0xbf;
	}
	*cp = v;
	return n;
}

bool clean_hidden(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || cp == 0xad || cp == 0x61c ||
	       (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff || (cp >= 0xfdd0 && cp <= 0xfdef) ||
	       (cp & 0xfffe) == 0xfffe || (cp >= 0xfff9 && cp <= 0xfffb) ||
	       (cp >= 0xe0000 && cp <= 0xe0fff);
}

static void html_put(FILE *f, const char *s, bool block)
{
	uint32_t cp;
	size_t n;

	for (; s && (n = clean_next(s, &cp)) > 0; s += n) {
		if (block && cp == '\r' && s[1] == '\n')
			continue; /* a console's line end */
		if (cp == REPLACEMENT ||
		    (clean_hidden(cp) && !(block && (cp == '\n' || cp == '\t'))))
			fputs("\xef\xbf\xbd", f);
		else if (cp == '&')
			fputs("&amp;", f);
		else if (cp == '<')
			fputs("&lt;", f);
		else if (cp == '>')
			fputs("&gt;", f);
		else if (cp == '"')
			fputs("&quot;", f);
		else if (cp == '\'')
			fputs("&#39;", f);
		else
			fwrite(s, 1, n, f);
	}
}

void html_text(FILE *f, const char *s)
{
	html_put(f, s, false);
}

void html_block(FILE *f, const char *s)
{
	html_put(f, s, true);
}

void html(FILE *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			fputc(*fmt, f);
			continue;
		}
		fmt++;
		if (*fmt == 's') {
			html_text(f, va_arg(ap, const char *));
		} else if (*fmt == 'u') {
			fprintf(f, "%u", va_arg(ap, unsigned));
		} else if (*fmt == 'z' && fmt[1] == 'u') {
			fprintf(f, "%zu", va_arg(ap, size_t));
			fmt++;
		} else if (*fmt == '%') {
			fputc('%', f);
		} else {
			break; /* not one of ours: stop rather than guess */
		}
	}
	va_end(ap);
}

/* Columns of a character that is shown; the caller has set a UTF-8 locale if there is one. */
static int columns(uint32_t cp)
{
	int w = cp < 0x7f ? 1 : wcwidth((wchar_t)cp);

	return w < 0 ? 1 : w;
}

int term_text(FILE *f, const char *s, int max)
{
	/* wcwidth() looks at the thread's locale, which a program need not have set. */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
	int used = 0;
	uint32_t cp;
	size_t n;

	for (; s && (n = clean_next(s, &cp)) > 0; s += n) {
		bool hidden = clean_hidden(cp) || cp == REPLACEMENT;
		int w = hidden ? 1 : columns(cp);

		if (max > 0 && used + w > max)
			break;
		used += w;
		if (!f)
			continue;
		if (hidden)
			fputc('?', f);
		else
			fwrite(s, 1, n, f);
	}
	if (utf8) {
		uselocale(before);
		freelocale(utf8);
	}
	return used;
}

int term_columns(const char *s)
{
	return term_text(NULL, s, 0);
}
