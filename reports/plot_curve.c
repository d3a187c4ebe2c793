// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A curve's plot: IOPS per guest and the 99th percentile over the ratio of vCPUs to CPUs, on
 * logarithmic axes, one panel beside or over the other. Placed in pixels, and gnuplot sees numbers
 * and stand-ins only, as in plot_ladder.c.
 */
#include <math.h>
#include <stdlib.h>
#include "base/file.h"
#include "reports/plot.h"

enum { SVG_MAX = 8 << 20, PANEL_HEIGHT = 220, HEAD = 24, FOOT = 52, LEFT = 86 };

struct curve_panel {
	const struct model_knee *k;
	double lo, hi; /* log10 of the values */
	double x, y, width, height;
	double tic[MAX_TICS];
	size_t ntics;
};

struct curve_plot {
	const struct model *m;
	const struct model_curve *c;
	struct curve_panel panel[CURVE_FIGURES];
	char *tics[CURVE_FIGURES * MAX_TICS]; /* their texts, one panel behind the other */
	size_t ntics;
	char **ratio;			/* [npoints] */
	char *title[CURVE_FIGURES + 1]; /* of the panels, and of the axis of ratios */
	double lo, hi;			/* log10 of the ratios */
	int width, height;
};

static void widen(struct curve_panel *p, double v)
{
	if (!(v > 0) || !isfinite(v))
		return;
	p->lo = fmin(p->lo, log10(v));
	p->hi = fmax(p->hi, log10(v));
}

/* Its axis holds all points and means; of intervals what does not squeeze them. */
static bool range_of(struct curve_plot *l, struct curve_panel *p)
{
	size_t n = l->c->npoints * model_points(l->m);
	double span;

	p->lo = INFINITY;
	p->hi = -INFINITY;
	for (size_t i = 0; p->k->metric && i < n; i++)
		widen(p, p->k->points[i]);
	if (!isfinite(p->lo))
		return false;
	span = fmax(p->hi - p->lo, 0.1);
	p->lo -= 0.1 * span;
	p->hi += 0.1 * span;
	return true;
}

static void tics_of(struct curve_plot *l, struct curve_panel *p)
{
	static const double steps[] = {1, 2, 5};
	bool fine = p->hi - p->lo < 2;

	for (int e = -3; e < 15; e++)
		for (int i = 0; i < (fine ? 3 : 1); i++) {
			double v = steps[i] * pow(10, e), at = log10(v);
			char buf[64];

			if (at < p->lo || at > p->hi || p->ntics == MAX_TICS)
				continue;
			p->tic[p->ntics++] = at;
			l->tics[l->ntics++] =
				xstrdup(metric_text(p->k->metric, v, buf, sizeof(buf)));
		}
}

/* Values so close to each other that no round one lies among them: the first says where that is. */
static void tic_of_one(struct curve_plot *l, struct curve_panel *p)
{
	char buf[64];

	for (size_t i = 0; !p->ntics && i < l->c->npoints; i++) {
		if (!(p->k->abs[i].mid > 0) || !isfinite(p->k->abs[i].mid))
			continue;
		p->tic[p->ntics++] = log10(p->k->abs[i].mid);
		l->tics[l->ntics++] =
			xstrdup(metric_text(p->k->metric, p->k->abs[i].mid, buf, sizeof(buf)));
	}
}

static bool curve_begin(struct curve_plot *l, const struct model *m, const struct model_curve *c)
{
	bool any = false;

	*l = (struct curve_plot){.m = m, .c = c};
	if (c->npoints < 2 || c->npoints > PLOT_ROWS)
		return false;
	l->lo = log10(c->at[0].ratio);
	l->hi = log10(c->at[c->npoints - 1].ratio);
	l->ratio = xcalloc(c->npoints, sizeof(*l->ratio));
	for (size_t i = 0; i < c->npoints; i++)
		l->ratio[i] = xasprintf("%.3g", c->at[i].ratio);
	for (int f = 0; f < CURVE_FIGURES; f++) {
		l->panel[f].k = &c->of[f];
		l->title[f] = xstrdup(curve_figure_word(f));
		if (range_of(l, &l->panel[f])) {
			tics_of(l, &l->panel[f]);
			tic_of_one(l, &l->panel[f]);
			any = true;
		} else {
			l->panel[f].k = NULL;
		}
	}
	l->title[CURVE_FIGURES] = xstrdup("vCPUs of all guests to CPUs of the host");
	return any && l->hi > l->lo;
}

static void curve_end(struct curve_plot *l)
{
	for (size_t i = 0; l->ratio && i < l->c->npoints; i++)
		free(l->ratio[i]);
	free(l->ratio);
	for (size_t i = 0; i < l->ntics; i++)
		free(l->tics[i]);
	for (int f = 0; f <= CURVE_FIGURES; f++)
		free(l->title[f]);
}

/* ---- pixels ---- */

static void lay_out(struct curve_plot *l, bool wide)
{
	l->width = wide ? 1000 : 344;
	l->height = (PANEL_HEIGHT + HEAD + FOOT) * (wide ? 1 : CURVE_FIGURES);
	for (int f = 0; f < CURVE_FIGURES; f++) {
		struct curve_panel *p = &l->panel[f];
		double room = wide ? l->width / CURVE_FIGURES : l->width;

		p->x = LEFT + (wide ? f * room : 0);
		p->width = room - LEFT - 24;
		p->height = PANEL_HEIGHT;
		p->y = FOOT + (wide ? 0 : (CURVE_FIGURES - 1 - f) * (PANEL_HEIGHT + HEAD + FOOT));
	}
}

static double pixel_x(const struct curve_plot *l, const struct curve_panel *p, double ratio)
{
	double at = (log10(ratio) - l->lo) / (l->hi - l->lo);

	return p->x + 8 + (p->width - 16) * fmin(fmax(at, 0), 1);
}

static double pixel_y(const struct curve_panel *p, double v)
{
	double at = (log10(v) - p->lo) / (p->hi - p->lo);

	return p->y + p->height * fmin(fmax(at, 0), 1);
}

static void line(FILE *s, double x0, double y0, double x1, double y1, const char *style)
{
	fprintf(s, "set arrow from %.1f,%.1f to %.1f,%.1f nohead %s\n", x0, y0, x1, y1, style);
}

static void frame(FILE *s, const struct curve_plot *l, const struct curve_panel *p, int f,
		  size_t from)
{
	line(s, p->x, p->y, p->x + p->width, p->y, "back lw 1 lc rgb " C_LINE);
	for (size_t i = 0; i < p->ntics; i++) {
		double y = pixel_y(p, pow(10, p->tic[i]));

		line(s, p->x, y, p->x + p->width, y, "back lw 0.6 lc rgb " C_LINE);
		fprintf(s, "set label 'T%zu' at %.1f,%.1f right tc rgb " C_MUTED "\n", from + i,
			p->x - 8, y);
	}
	for (size_t i = 0; i < l->c->npoints; i++)
		fprintf(s, "set label 'L%zu' at %.1f,%.1f center tc rgb " C_MUTED "\n", i,
			pixel_x(l, p, l->c->at[i].ratio), p->y - 13);
	fprintf(s, "set label 'X%d' at %.1f,%.1f center tc rgb " C_MUTED "\n", CURVE_FIGURES,
		p->x + p->width / 2, p->y - 34);
	fprintf(s, "set label 'X%d' at %.1f,%.1f left tc rgb " C_INK "\n", f, p->x,
		p->y + p->height + 11);
	if (p->k->fit.word != KNEE_SHOWN_AT)
		return;
	for (int i = 0; i < 3; i++) {
		double x = pixel_x(l, p,
				   i == 0   ? p->k->fit.lo
				   : i == 1 ? p->k->fit.at
					    : p->k->fit.hi);

		line(s, x, p->y, x, p->y + p->height,
		     i == 1 ? "lw 1.6 lc rgb " C_INK : "dt 2 lw 1 lc rgb " C_INK);
	}
}

/* Dots, then the means' polyline, then intervals: one data block each. */
static void data(FILE *s, const struct curve_plot *l, int what)
{
	size_t nb = model_points(l->m);

	for (int f = 0; f < CURVE_FIGURES; f++) {
		const struct curve_panel *p = &l->panel[f];

		for (size_t i = 0; p->k && i < l->c->npoints; i++) {
			double x = pixel_x(l, p, l->c->at[i].ratio);
			const struct interval *v = &p->k->abs[i];

			for (size_t b = 0; what == 0 && b < nb; b++)
				if (p->k->points[i * nb + b] > 0)
					fprintf(s, "%.1f %.1f\n", x + 2 * (double)(b % 3) - 2,
						pixel_y(p, p->k->points[i * nb + b]));
			if (what == 1 && v->mid > 0)
				fprintf(s, "%.1f %.1f\n", x, pixel_y(p, v->mid));
			if (what == 2 && v->lo > 0 && isfinite(v->hi))
				fprintf(s, "%.1f %.1f %.1f\n", x, pixel_y(p, v->lo),
					pixel_y(p, v->hi) - pixel_y(p, v->lo));
		}
		if (what == 1)
			fputc('\n', s); /* parts the two panels' lines */
	}
}

static void draw(FILE *s, const char *dir, struct curve_plot *l, size_t n, bool wide)
{
	char *out = xasprintf("%s/c%zu-%s.svg", dir, n, wide ? "wide" : "narrow");
	size_t from = 0;

	lay_out(l, wide);
	fprintf(s,
		"reset\nunset border\nunset key\nunset tics\nset xrange [0:%d]\n"
		"set yrange [0:%d]\nset lmargin at screen 0\nset rmargin at screen 1\n"
		"set bmargin at screen 0\nset tmargin at screen 1\n"
		"set terminal svg size %d,%d font 'sans-serif,13' noenhanced\n",
		l->width, l->height, l->width, l->height);
	for (int f = 0; f < CURVE_FIGURES; f++) {
		if (l->panel[f].k)
			frame(s, l, &l->panel[f], f, from);
		from += l->panel[f].ntics;
	}
	fputs("set output ", s);
	plot_quoted(s, out);
	fputc('\n', s);
	for (int what = 0; what < 3; what++) {
		fprintf(s, "$C%d << EOD\n", what);
		data(s, l, what);
		/* a block without a line would be an error */
		fputs(what == 2 ? "-9 -9 0\nEOD\n" : "-9 -9\nEOD\n", s);
	}
	fputs("plot $C0 using 1:2 with points pt 7 ps 0.36 lc rgb " C_POINT
	      " notitle, $C1 using 1:2 with linespoints pt 7 ps 0.85 lw 1.4 lc rgb " C_INK
	      " notitle, $C2 using 1:2:(0):3 with vectors nohead lw 2 lc rgb " C_INK " notitle\n"
	      "unset output\n",
	      s);
	free(out);
}

bool plot_curve_script(FILE *s, const char *dir, const struct model *m, size_t n)
{
	struct curve_plot l;
	bool any = curve_begin(&l, m, &m->curves[n]);

	if (any) {
		draw(s, dir, &l, n, true);
		draw(s, dir, &l, n, false);
	}
	curve_end(&l);
	return any;
}

static char *describe(const struct curve_plot *l)
{
	char *buf = NULL, a[64], b[64];
	size_t size;
	FILE *f = open_memstream(&buf, &size);

	for (size_t i = 0; f && i < l->c->npoints; i++)
		fprintf(f, "%s: %s per guest, p99 %s. ", l->ratio[i],
			curve_text(l->m, l->c, i, CURVE_EACH, a, sizeof(a)),
			curve_text(l->m, l->c, i, CURVE_LATENCY, b, sizeof(b)));
	if (f)
		fclose(f);
	return buf;
}

char *plot_curve_adopt(const char *dir, const struct model *m, size_t n, bool wide)
{
	struct curve_plot l;
	char *path, *prefix, *title, *desc, *svg = NULL, *done = NULL;

	if (!curve_begin(&l, m, &m->curves[n])) {
		curve_end(&l);
		return NULL;
	}
	const struct svg_text texts[] = {{'L', l.ratio, l.c->npoints},
					 {'T', l.tics, l.ntics},
					 {'X', l.title, CURVE_FIGURES + 1}};

	path = xasprintf("%s/c%zu-%s.svg", dir, n, wide ? "wide" : "narrow");
	prefix = xasprintf("c%zu%c-", n, wide ? 'w' : 'n');
	title = xasprintf("%s: guests at once", m->workloads[l.c->workload].name);
	desc = describe(&l);
	if (file_read(path, SVG_MAX, &svg, NULL) == 0)
		done = svg_adopt(svg, prefix, title, desc ? desc : "", texts,
				 sizeof(texts) / sizeof(texts[0]));
	free(svg);
	free(path);
	free(prefix);
	free(title);
	free(desc);
	curve_end(&l);
	return done;
}
