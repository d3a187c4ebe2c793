// SPDX-License-Identifier: GPL-2.0-or-later
/* A history as a page: a drawing a series, sentences, nights. No script, nothing fetched. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "reports/history.h"
#include "reports/page.h"

/* Of the drawing, in its own units, which are whole: a locale's decimal comma is none of SVG's. */
#define WIDTH 9000
#define HEIGHT 2200
#define LEFT 1250
#define RIGHT 100
#define TOP 100
#define BOTTOM 350

struct view {
	const struct history *h;
	const struct history_series *s;
	double lo, hi;
	FILE *f;
};

static int at_x(const struct view *v, double night)
{
	double n = v->h->nnights > 1 ? (double)v->h->nnights - 1 : 1;

	return LEFT + (int)lround(night / n * (WIDTH - LEFT - RIGHT));
}

static int at_y(const struct view *v, double y)
{
	return TOP + (int)lround((v->hi - y) / (v->hi - v->lo) * (HEIGHT - TOP - BOTTOM));
}

static bool view_range(struct view *v)
{
	double y, room;
	size_t i;

	v->lo = INFINITY;
	v->hi = -INFINITY;
	for (i = 0; i < v->h->nnights; i++) {
		y = history_scale(v->s, &v->s->points[i]);
		if (isfinite(y)) {
			v->lo = fmin(v->lo, y);
			v->hi = fmax(v->hi, y);
		}
	}
	room = 0.06 * (v->hi - v->lo);
	if (!(room > 0))
		room = fmax(fabs(v->lo) * 0.01, 1e-9);
	v->lo -= room;
	v->hi += room;
	return isfinite(v->lo) && isfinite(v->hi) && v->hi > v->lo;
}

static void put_axis(const struct view *v)
{
	const struct history_night *n = v->h->nights;
	char text[64], a[16], b[16];
	int i;

	for (i = 0; i < 3; i++) {
		double y = v->lo + (v->hi - v->lo) * (0.06 + 0.44 * i);

		if (v->s->metric->scale != SCALE_RATIO)
			metric_text(v->s->metric, y, text, sizeof(text));
		else if (v->s->by_ratio)
			num_percent(exp(y), NUM_HTML, text, sizeof(text));
		else
			metric_text(v->s->metric, exp(y), text, sizeof(text));
		fprintf(v->f,
			"<line x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\" stroke=\"var(--line)\" stroke-width=\"8\"/>",
			LEFT, WIDTH - RIGHT, at_y(v, y), at_y(v, y));
		fprintf(v->f,
			"<text x=\"%d\" y=\"%d\" text-anchor=\"end\" font-size=\"150\" fill=\"var(--muted)\">",
			LEFT - 80, at_y(v, y) + 50);
		html(v->f, "%s</text>\n", text);
	}
	fprintf(v->f, "<text x=\"%d\" y=\"%d\" font-size=\"150\" fill=\"var(--muted)\">", LEFT,
		HEIGHT - 100);
	html(v->f, "%s</text>", history_date(n[0].begun, a));
	fprintf(v->f,
		"<text x=\"%d\" y=\"%d\" text-anchor=\"end\" font-size=\"150\" fill=\"var(--muted)\">",
		WIDTH - RIGHT, HEIGHT - 100);
	html(v->f, "%s</text>\n", history_date(n[v->h->nnights - 1].begun, b));
}

/* A change's set is a band, its likeliest night a line: whole when confirmed. */
static void put_changes(const struct view *v)
{
	const struct history_change *c;
	size_t i;

	for (i = 0; i < v->s->nchanges; i++) {
		c = &v->s->changes[i];
		if (c->c.withdrawn && !c->confirmed)
			continue;
		fprintf(v->f,
			"<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"var(--band)\"/>",
			at_x(v, (double)c->c.set_lo - 0.5), TOP,
			at_x(v, (double)c->c.set_hi + 0.5) - at_x(v, (double)c->c.set_lo - 0.5),
			HEIGHT - TOP - BOTTOM);
		fprintf(v->f,
			"<line x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\" stroke=\"var(--%s)\" stroke-width=\"20\"%s/>\n",
			at_x(v, (double)c->c.at - 0.5), at_x(v, (double)c->c.at - 0.5), TOP,
			HEIGHT - BOTTOM, c->better ? "better" : "worse",
			c->confirmed ? "" : " stroke-dasharray=\"60 60\"");
	}
}

static void put_points(const struct view *v)
{
	size_t i;
	double y;

	for (i = 0; i < v->h->nnights; i++) {
		y = history_scale(v->s, &v->s->points[i]);
		if (v->h->nights[i].changed) /* host or build: a tick at the foot */
			fprintf(v->f,
				"<line x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\" stroke=\"var(--warnline)\" stroke-width=\"20\"/>",
				at_x(v, (double)i), at_x(v, (double)i), HEIGHT - BOTTOM,
				HEIGHT - BOTTOM + 90);
		if (isfinite(y))
			fprintf(v->f,
				"<circle cx=\"%d\" cy=\"%d\" r=\"32\" fill=\"var(--ink)\"/>\n",
				at_x(v, (double)i), at_y(v, y));
	}
}

static void put_sentence(void *arg, const char *text)
{
	html(arg, "<li>%s</li>\n", text);
}

static void put_series(FILE *f, const struct history *h, size_t i)
{
	struct view v = {.h = h, .s = &h->series[i], .f = f};

	html(f,
	     "<section id=\"s%zu\"><h2>%s <small>%s</small></h2>\n<p class=\"note\">%s%s, %s is better</p>\n",
	     i, v.s->workload, v.s->label, v.s->metric->title,
	     v.s->by_ratio ? ", ratio to the reference build" : "",
	     v.s->metric->better == HIGHER_IS_BETTER ? "higher" : "lower");
	if (v.s->there >= HISTORY_TELL && view_range(&v)) {
		fprintf(f,
			"<figure><svg class=\"plot\" viewBox=\"0 0 %d %d\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">",
			WIDTH, HEIGHT);
		html(f, "<title>%s, %s by night</title>\n", v.s->workload, v.s->metric->title);
		put_changes(&v);
		put_axis(&v);
		put_points(&v);
		html(f,
		     "</svg><figcaption>A point a night. Line: change point (dashed: provisional), "
		     "band: the builds among which it lies; ticks at the foot: host, QEMU or tools "
		     "changed.</figcaption></figure>\n");
	}
	html(f, "<ul>\n");
	history_sentences(h, v.s, put_sentence, f);
	html(f, "</ul></section>\n");
}

static void put_nights(FILE *f, const struct history *h)
{
	char date[16], id[9];
	size_t i;

	html(f,
	     "<section id=\"nights\"><h2>Nights</h2><div class=\"scroll\"><table><thead><tr><th>Date</th>"
	     "<th>Run</th><th>Label</th><th>What changed around it</th></tr></thead><tbody>\n");
	for (i = h->nnights; i-- > 0;) {
		snprintf(id, sizeof(id), "%.8s", h->nights[i].uuid);
		html(f, "<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n",
		     history_date(h->nights[i].begun, date), id, h->nights[i].label,
		     h->nights[i].changed ? h->nights[i].changed : "");
	}
	html(f, "</tbody></table></div></section>\n");
}

static void put_page(FILE *f, const struct history *h)
{
	char hash[64];
	size_t i;

	html(f,
	     "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	     "style-src 'sha256-%s'; img-src data:; base-uri 'none'; form-action 'none'\">\n"
	     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	     "<meta name=\"color-scheme\" content=\"light dark\">\n"
	     "<link rel=\"icon\" href=\"data:,\">\n<title>%s: history</title>\n<style>",
	     page_css_hash(hash), h->profile);
	fwrite(embed_page_css, 1, embed_page_css_len, f);
	html(f,
	     "</style>\n</head>\n<body>\n<header><p class=\"brand\">VBENCH</p><h1>%s: %zu nights</h1></header>\n<main>\n<ul>\n",
	     h->profile, h->nnights);
	history_general(h, put_sentence, f);
	html(f, "</ul>\n");
	for (i = 0; i < h->nseries; i++)
		put_series(f, h, i);
	put_nights(f, h);
	html(f, "</main>\n</body>\n</html>\n");
}

static void put_page_of(FILE *f, const void *what)
{
	put_page(f, what);
}

int report_history_html(const struct history *h, const char *path, struct err *e)
{
	return page_save(path, put_page_of, h, e);
}
