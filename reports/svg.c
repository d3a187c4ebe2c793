/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What gnuplot has drawn, taken over into the page: known elements and attributes only, ids and
 * colours made the page's. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "reports/page.h"

static const char *const elements[] = {"svg",	  "g",	      "defs", "path", "circle", "rect",
				       "polygon", "polyline", "line", "use",  "text",	"tspan"};

static const char *const attributes[] = {"width",
					 "height",
					 "viewBox",
					 "fill",
					 "stroke",
					 "color",
					 "stroke-width",
					 "opacity",
					 "fill-opacity",
					 "stroke-opacity",
					 "transform",
					 "x",
					 "y",
					 "x1",
					 "y1",
					 "x2",
					 "y2",
					 "cx",
					 "cy",
					 "r",
					 "rx",
					 "ry",
					 "points",
					 "d",
					 "text-anchor",
					 "font-size",
					 "font-weight",
					 "font-style",
					 "id",
					 "stroke-dasharray",
					 "stroke-linecap",
					 "stroke-linejoin",
					 "shape-rendering",
					 "dx",
					 "dy"};

/* The colours that gnuplot is told to use and what they stand for, so that a page can be light or
 * dark. */
static const struct {
	unsigned r, g, b;
	const char *page;
} colours[] = {
	{1, 0, 1, "var(--ink)"},   {1, 0, 2, "var(--band)"},   {1, 0, 3, "var(--line)"},
	{1, 0, 4, "var(--plain)"}, {1, 0, 5, "var(--better)"}, {1, 0, 6, "var(--worse)"},
	{1, 0, 7, "var(--point)"}, {1, 0, 8, "var(--muted)"},
};

struct span {
	const char *p;
	size_t n;
};

static bool span_is(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static bool span_in(struct span s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_is(s, list[i]))
			return true;
	return false;
}

static struct span span_trim(struct span s)
{
	while (s.n && isspace((unsigned char)s.p[0]))
		s.p++, s.n--;
	while (s.n && isspace((unsigned char)s.p[s.n - 1]))
		s.n--;
	return s;
}

static void put_escaped(FILE *f, struct span s)
{
	char *copy = xcalloc(s.n + 1, 1);

	memcpy(copy, s.p, s.n);
	html_block(f, copy);
	free(copy);
}

/* A paint: "black" and the stand-ins become the page's, anything else passes escaped. */
static void put_paint(FILE *f, struct span v)
{
	unsigned r, g, b;
	char text[64] = "";

	v = span_trim(v);
	if (v.n < sizeof(text))
		memcpy(text, v.p, v.n);
	if (span_is(v, "black") || span_is(v, "white")) {
		fputs(v.p[0] == 'b' ? "currentColor" : "var(--paper)", f);
		return;
	}
	if (sscanf(text, "rgb( %u , %u , %u )", &r, &g, &b) == 3) {
		for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++) {
			if (colours[i].r == r && colours[i].g == g && colours[i].b == b) {
				fputs(colours[i].page, f);
				return;
			}
		}
	}
	put_escaped(f, v);
}

static void put_style(FILE *f, struct span v, const char *prefix);

static void put_attribute(FILE *f, struct span name, struct span v, const char *prefix)
{
	if (span_is(name, "style")) {
		put_style(f, v, prefix);
	} else if (span_is(name, "xlink:href") || span_is(name, "href")) {
		if (v.n < 2 || v.p[0] != '#')
			return; /* only to places in this plot */
		fprintf(f, " href=\"#%s", prefix);
		put_escaped(f, (struct span){v.p + 1, v.n - 1});
		fputc('"', f);
	} else if (span_in(name, attributes, sizeof(attributes) / sizeof(attributes[0]))) {
		fprintf(f, " %.*s=\"", (int)name.n, name.p);
		if (span_is(name, "id"))
			fputs(prefix, f);
		if (span_is(name, "fill") || span_is(name, "stroke") || span_is(name, "color"))
			put_paint(f, v);
		else
			put_escaped(f, v);
		fputc('"', f);
	}
}

/* "fill:none; stroke:black" -> fill="none" stroke="currentColor" */
static void put_style(FILE *f, struct span v, const char *prefix)
{
	const char *end = v.p + v.n;

	while (v.p < end) {
		const char *semi = memchr(v.p, ';', (size_t)(end - v.p));
		const char *stop = semi ? semi : end;
		const char *colon = memchr(v.p, ':', (size_t)(stop - v.p));

		if (colon) {
			struct span name = span_trim((struct span){v.p, (size_t)(colon - v.p)});
			struct span val =
				span_trim((struct span){colon + 1, (size_t)(stop - colon - 1)});

			if (!span_is(name, "style") && !span_is(name, "href") &&
			    !span_is(name, "xlink:href") && !span_is(name, "id"))
				put_attribute(f, name, val, prefix);
		}
		v.p = semi ? semi + 1 : end;
	}
}

static bool name_char(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_' || c == ':' || c == '.';
}

static const char *skip_space(const char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	return p;
}

/* Attributes up to the end of the tag; NULL f reads over them. Returns what is behind '>', NULL if
 * broken. */
static const char *put_attributes(FILE *f, const char *p, const char *prefix, bool *empty)
{
	*empty = false;
	for (;;) {
		p = skip_space(p);
		if (*p == '>')
			return p + 1;
		if (p[0] == '/' && p[1] == '>') {
			*empty = true;
			return p + 2;
		}
		struct span name = {p, 0};

		while (name_char(*p))
			p++;
		name.n = (size_t)(p - name.p);
		p = skip_space(p);
		if (!name.n || *p != '=')
			return NULL;
		p = skip_space(p + 1);
		if (*p != '"' && *p != '\'')
			return NULL;
		const char *close = strchr(p + 1, *p);

		if (!close)
			return NULL;
		if (f)
			put_attribute(f, name, (struct span){p + 1, (size_t)(close - p - 1)},
				      prefix);
		p = close + 1;
	}
}

/* Text between tags: a stand-in becomes what it stands for, blanks one newline. */
static void put_text(FILE *f, struct span s, const struct svg_text *texts, size_t ntexts)
{
	s = span_trim(s);
	if (!s.n)
		return;
	for (size_t i = 0; i < ntexts; i++) {
		size_t k = 0, at = 1;

		if (s.p[0] != texts[i].letter || s.n < 2 || s.n > 8)
			continue;
		while (at < s.n && isdigit((unsigned char)s.p[at]))
			k = k * 10 + (size_t)(s.p[at++] - '0');
		if (at == s.n && k < texts[i].n) {
			html_text(f, texts[i].text[k]);
			return;
		}
	}
	put_escaped(f, s); /* entities of gnuplot's own would show as written; it is given none */
}

struct adopt {
	FILE *f;
	const char *prefix, *title, *desc;
	const struct svg_text *texts;
	size_t ntexts;
	unsigned depth;	   /* open elements that were passed on */
	unsigned dropping; /* open elements inside one that was not, itself included */
	bool root;	   /* <svg> has been seen */
};

static void adopt_root(struct adopt *a)
{
	FILE *f = a->f;

	a->root = true;
	html(f,
	     " class=\"plot\" role=\"img\" aria-labelledby=\"%stitle %sdesc\">"
	     "<title id=\"%stitle\">%s</title><desc id=\"%sdesc\">%s</desc>",
	     a->prefix, a->prefix, a->prefix, a->title, a->prefix, a->desc);
}

/* One tag, p behind its '<'. Returns what is behind it, NULL if broken. */
static const char *adopt_tag(struct adopt *a, const char *p)
{
	bool empty, closing = *p == '/';
	struct span name = {p + closing, 0};

	while (name_char(name.p[name.n]))
		name.n++;
	p = name.p + name.n;
	if (!name.n)
		return NULL;
	if (closing) {
		p = strchr(p, '>');
		if (!p)
			return NULL;
		if (a->dropping) {
			a->dropping--;
			return p + 1;
		}
		if (a->depth == 0)
			return NULL;
		a->depth--;
		fprintf(a->f, "</%.*s>", (int)name.n, name.p);
		return p + 1;
	}
	bool is_root = !a->root && span_is(name, "svg");
	bool drop = a->dropping || (!a->root && !is_root) || (a->root && span_is(name, "svg")) ||
		    !span_in(name, elements, sizeof(elements) / sizeof(elements[0]));

	if (!drop)
		fprintf(a->f, "<%.*s", (int)name.n, name.p);
	p = put_attributes(drop ? NULL : a->f, p, a->prefix, &empty);
	if (!p || (is_root && empty))
		return NULL;
	if (drop) {
		a->dropping += !empty;
		return p;
	}
	if (is_root)
		adopt_root(a);
	else
		fputs(empty ? "/>" : ">", a->f);
	a->depth += !empty;
	return p;
}

/* Behind a prolog, comment, doctype or CDATA section; NULL if it does not end. */
static const char *skip_other(const char *p)
{
	const char *end = strncmp(p, "<!--", 4) == 0	    ? "-->"
			  : strncmp(p, "<![CDATA[", 9) == 0 ? "]]>"
							    : ">";
	const char *q = strstr(p, end);

	return q ? q + strlen(end) : NULL;
}

static bool adopt_all(struct adopt *a, const char *p)
{
	while (p && *p) {
		if (*p != '<') {
			size_t n = strcspn(p, "<");

			if (!a->dropping && a->depth)
				put_text(a->f, (struct span){p, n}, a->texts, a->ntexts);
			p += n;
		} else if (p[1] == '?' || p[1] == '!') {
			p = skip_other(p);
		} else {
			p = adopt_tag(a, p + 1);
		}
	}
	return p && a->root && a->depth == 0 && a->dropping == 0;
}

char *svg_adopt(const char *svg, const char *prefix, const char *title, const char *desc,
		const struct svg_text *texts, size_t ntexts)
{
	char *buf = NULL;
	size_t size;
	struct adopt a = {
		.prefix = prefix, .title = title, .desc = desc, .texts = texts, .ntexts = ntexts};

	a.f = open_memstream(&buf, &size);
	if (!a.f)
		return NULL;
	bool ok = adopt_all(&a, svg);

	if (fclose(a.f) != 0 || !ok) {
		free(buf);
		return NULL;
	}
	return buf;
}
