/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ladder's plot: on one side each rung's time per I/O on a logarithmic axis, on the other what
 * its layer adds, around zero. Everything is placed in pixels, so that one gnuplot plot holds both
 * panels, side by side or one over the other. As in plot.c, gnuplot sees numbers and stand-ins
 * only.
 */
#include <math.h>
#include <stdlib.h>
#include "base/file.h"
#include "reports/plot_ladder.h"

enum { WIDE_LABEL = 40, NARROW_LABEL = 18, SVG_MAX = 8 << 20 };

#define LINEAR_MAX 30 /* layers whose sizes are further apart than this go on a symlog axis */

/* ---- axes ---- */

/* symlog as asinh: linear around 0, logarithmic far from it, and odd, so that signs stay. */
double panel_axis(const struct panel *p, double ns)
{
	if (!p->layers)
		return ns > 0 && isfinite(ns) ? log10(ns) : NAN;
	return p->linear > 0 ? asinh(ns / p->linear) : ns;
}

const struct interval *panel_interval(const struct ladder_plot *l, const struct panel *p, size_t i)
{
	const struct model_layer *x = &l->w->steps[i].of[STEP_NS];

	return p->layers ? &x->layer : &x->abs;
}

/* The value of block b, in ns. */
double panel_point(const struct ladder_plot *l, const struct panel *p, size_t i, size_t b)
{
	const struct model_layer *x = &l->w->steps[i].of[STEP_NS], *y;
	long below = l->m->rungs[i].below;

	if (!x->points || (p->layers && !isfinite(x->layer.mid)))
		return NAN;
	if (!p->layers)
		return x->points[b];
	if (below < 0 || (size_t)below >= l->m->nrungs)
		return NAN;
	y = &l->w->steps[below].of[STEP_NS];
	return y->points ? x->points[b] - y->points[b] : NAN;
}

static void choose_scale(const struct ladder_plot *l, struct panel *p)
{
	double least = INFINITY, most = 0;

	for (size_t i = 0; i < l->m->nrungs; i++) {
		const struct interval *v = panel_interval(l, p, i);
		/* What is not told from 0 counts as large as it might be. */
		double d = fmax(fabs(v->mid), (v->hi - v->lo) / 2);

		if (!(d > 0) || !isfinite(d))
			continue;
		least = fmin(least, d);
		most = fmax(most, d);
	}
	if (most > LINEAR_MAX * least)
		p->linear = fmax(pow(10, floor(log10(least))), most * 1e-6);
}

static void widen(struct panel *p, double x)
{
	if (isfinite(x)) {
		p->lo = fmin(p->lo, x);
		p->hi = fmax(p->hi, x);
	}
}

/* The same, but not beyond lo..hi; NAN stays nothing. */
static void widen_within(struct panel *p, double x, double lo, double hi)
{
	if (!isnan(x))
		widen(p, fmin(fmax(x, lo), hi));
}

/* All estimates and points; of an interval's ends what does not squeeze the rest. */
static bool choose_range(const struct ladder_plot *l, struct panel *p)
{
	double span, lo, hi;

	p->lo = INFINITY;
	p->hi = -INFINITY;
	if (p->layers)
		p->lo = p->hi = 0;
	for (size_t i = 0; i < l->m->nrungs; i++) {
		widen(p, panel_axis(p, panel_interval(l, p, i)->mid));
		for (size_t b = 0; b < model_points(l->m); b++)
			widen(p, panel_axis(p, panel_point(l, p, i, b)));
	}
	span = fmax(p->hi - p->lo, p->layers ? 0 : 0.3);
	lo = p->lo - span;
	hi = p->hi + span;
	for (size_t i = 0; i < l->m->nrungs; i++) {
		widen_within(p, panel_axis(p, panel_interval(l, p, i)->lo), lo, hi);
		widen_within(p, panel_axis(p, panel_interval(l, p, i)->hi), lo, hi);
	}
	if (!isfinite(p->lo) || !isfinite(p->hi))
		return false;
	if (!(p->hi - p->lo > 0)) { /* one rung, one block */
		p->lo -= 0.5;
		p->hi += 0.5;
	}
	span = p->hi - p->lo;
	p->lo -= 0.06 * span;
	p->hi += 0.06 * span;
	return isfinite(span);
}

/* "200 ns", "+5 us", "0" */
static void tic_add(struct panel *p, double ns)
{
	static const struct {
		double from;
		const char *unit;
	} units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "\xc2\xb5s"}, {0, "ns"}};
	double at = panel_axis(p, ns), a = fabs(ns);
	size_t u = 0;

	if (!isfinite(at) || at < p->lo || at > p->hi || p->ntics == MAX_TICS)
		return;
	while (a < units[u].from * (1 - 1e-9))
		u++;
	p->tic[p->ntics] = at;
	p->text[p->ntics++] = ns == 0 ? xstrdup("0")
				      : xasprintf("%s%g\xc2\xa0%s",
						  !p->layers ? ""
						  : ns > 0   ? "+"
							     : "\xe2\x88\x92",
						  a / fmax(units[u].from, 1), units[u].unit);
}

static void choose_tics(struct panel *p)
{
	static const double steps[] = {1, 2, 5};

	if (p->layers && !(p->linear > 0)) {
		double step = plot_step(p->hi - p->lo);

		for (double k = ceil(p->lo / step); k * step <= p->hi; k++)
			tic_add(p, k == 0 ? 0 : k * step);
		return;
	}
	if (p->layers)
		tic_add(p, 0);
	for (int k = -1; k < 13; k++) {
		for (size_t i = 0; i < (p->hi - p->lo < 2.2 && !p->layers ? 3 : 1); i++) {
			double ns = steps[i] * pow(10, k);

			if (!p->layers || ns >= p->linear)
				tic_add(p, ns);
			if (p->layers && ns >= p->linear)
				tic_add(p, -ns);
		}
	}
}

/* ---- texts ---- */

static void plot_texts(struct ladder_plot *l)
{
	size_t n = l->m->nrungs;

	l->wide = xcalloc(n + 1, sizeof(*l->wide));
	l->narrow = xcalloc(n + 1, sizeof(*l->narrow));
	for (size_t i = 0; i < n; i++) {
		const char *name = l->m->rungs[i].name;

		l->wide[i] = plot_label(name ? name : "", WIDE_LABEL);
		l->narrow[i] = plot_label(name ? name : "", NARROW_LABEL);
	}
	l->title[0] = xstrdup("time per I/O (logarithmic)");
	l->title[1] = xstrdup(l->panel[1].linear > 0 ? "what the layer adds (symlog)"
						     : "what the layer adds");
	l->tics = xcalloc(l->panel[0].ntics + l->panel[1].ntics + 1, sizeof(*l->tics));
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < l->panel[k].ntics; i++)
			l->tics[l->ntics++] = l->panel[k].text[i];
}

static bool ladder_begin(struct ladder_plot *l, const struct model *m, size_t w)
{
	*l = (struct ladder_plot){.m = m, .w = &m->workloads[w]};
	l->panel[1].layers = true;
	if (!l->w->steps || m->nrungs < 2 || m->nrungs > PLOT_ROWS)
		return false;
	choose_scale(l, &l->panel[1]);
	for (int k = 0; k < 2; k++) {
		if (!choose_range(l, &l->panel[k]))
			return false;
		choose_tics(&l->panel[k]);
	}
	plot_texts(l);
	return true;
}

static void ladder_end(struct ladder_plot *l)
{
	for (size_t i = 0; i < l->m->nrungs && l->wide; i++) {
		free(l->wide[i]);
		free(l->narrow[i]);
	}
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < l->panel[k].ntics; i++)
			free(l->panel[k].text[i]);
	free(l->wide);
	free(l->narrow);
	free(l->tics);
	free(l->title[0]);
	free(l->title[1]);
}

bool plot_ladder_script(FILE *s, const char *dir, const struct model *m, size_t w)
{
	struct ladder_plot l;
	bool any = ladder_begin(&l, m, w);

	if (any) {
		ladder_draw(s, dir, &l, w, true);
		ladder_draw(s, dir, &l, w, false);
	}
	ladder_end(&l);
	return any;
}

static char *describe(const struct ladder_plot *l)
{
	char *buf = NULL, a[128], b[128];
	size_t size;
	FILE *f = open_memstream(&buf, &size);

	for (size_t i = 0; f && i < l->m->nrungs; i++) {
		const struct model_layer *x = &l->w->steps[i].of[STEP_NS];

		fprintf(f, "%s: %s", l->m->rungs[i].name ? l->m->rungs[i].name : "",
			num_value(step_metric(STEP_NS), &x->abs, NUM_HTML, a, sizeof(a)));
		if (isfinite(x->layer.mid))
			fprintf(f, ", its layer %s, %s%s",
				num_ratio(step_metric(STEP_NS), &x->layer, NUM_HTML, b, sizeof(b)),
				layer_text(x->word), l->m->rungs[i].unlike ? " (relative)" : "");
		fputs(". ", f);
	}
	if (f)
		fclose(f);
	return buf;
}

char *plot_ladder_adopt(const char *dir, const struct model *m, size_t w, bool wide)
{
	struct ladder_plot l;
	char *path, *prefix, *title, *desc, *svg = NULL, *done = NULL;

	if (!ladder_begin(&l, m, w)) {
		ladder_end(&l);
		return NULL;
	}
	const struct svg_text texts[] = {{'L', l.wide, m->nrungs},
					 {'N', l.narrow, m->nrungs},
					 {'T', l.tics, l.ntics},
					 {'X', l.title, 2}};

	path = xasprintf("%s/%zu-%s.svg", dir, w, wide ? "wide" : "narrow");
	prefix = xasprintf("w%zu%c-", w, wide ? 'w' : 'n');
	title = xasprintf("%s: time per I/O of each rung, and what each layer adds",
			  l.w->name ? l.w->name : "");
	desc = describe(&l);
	if (file_read(path, SVG_MAX, &svg, NULL) == 0)
		done = svg_adopt(svg, prefix, title, desc ? desc : "", texts,
				 sizeof(texts) / sizeof(texts[0]));
	free(svg);
	free(path);
	free(prefix);
	free(title);
	free(desc);
	ladder_end(&l);
	return done;
}
