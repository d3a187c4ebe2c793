/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plot of each workload: every cell's ratio to the first with its interval and its blocks as
 * dots. gnuplot draws, but is told numbers and stand-ins only ("L3"): no text of others ever
 * reaches it (its double quotes and backticks run shells). svg.c puts the true texts in afterwards.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/child.h"
#include "base/file.h"
#include "reports/plot.h"

enum { DRAW_TIMEOUT_MS = 60000, SVG_MAX = 8 << 20 };

double plot_axis(const struct plot *p, double ratio)
{
	if (p->difference)
		return ratio;
	return ratio > 0 && isfinite(ratio) ? log(ratio) : NAN;
}

/* What cell's block b says against the first cell's, on the axis. */
double plot_point(const struct plot *p, const struct model_value *v, size_t b)
{
	const struct model_value *f = row_primary(p->w, p->first);

	if (!v || !v->points || !f || !f->points)
		return NAN;
	return plot_axis(p,
			 p->difference ? v->points[b] - f->points[b] : v->points[b] / f->points[b]);
}

static void widen(struct plot *p, double x)
{
	if (!isfinite(x))
		return;
	p->lo = x < p->lo ? x : p->lo;
	p->hi = x > p->hi ? x : p->hi;
}

/* The range: all points and estimates; intervals too unless they are so wide that they would
 * squeeze the rest. */
static bool plot_range(struct plot *p)
{
	bool any = false;
	double inner;

	for (int pass = 0; pass < 2; pass++) {
		inner = p->hi - p->lo;
		double from = p->lo - 1.2 * inner, to = p->hi + 1.2 * inner;

		for (size_t i = 0; i < p->w->nrows; i++) {
			const struct model_value *v = row_primary(p->w, &p->w->rows[i]);

			if (!v || &p->w->rows[i] == p->first ||
			    !isfinite(plot_axis(p, v->ratio.mid)))
				continue;
			any = true;
			if (pass == 0) {
				widen(p, plot_axis(p, v->ratio.mid));
				for (size_t b = 0; b < model_points(p->m); b++)
					widen(p, plot_point(p, v, b));
			} else {
				widen(p, fmax(plot_axis(p, v->ratio.lo), from));
				widen(p, fmin(plot_axis(p, v->ratio.hi), to));
			}
		}
	}
	double least = p->difference ? fmax(fabs(p->hi), fabs(p->lo)) * 0.1 : 0.02;

	widen(p, -least);
	widen(p, least);
	inner = p->hi - p->lo;
	if (!any || !(inner > 0))
		return false;
	p->lo -= 0.04 * inner;
	p->hi += 0.04 * inner;
	return true;
}

static void plot_tic(struct plot *p, double at, const char *text)
{
	if (at < p->lo || at > p->hi || p->ntics == MAX_TICS)
		return;
	if (fabs(at) < 1e-9)
		p->zero = p->ntics;
	p->tic[p->ntics] = at;
	p->tic_text[p->ntics++] = xstrdup(text);
}

double plot_step(double range)
{
	double power = pow(10, floor(log10(range / 9)));

	for (int i = 0; i < 3; i++)
		if (range / (power * (const double[]){1, 2, 5}[i]) <= 9)
			return power * (const double[]){1, 2, 5}[i];
	return power * 10;
}

/* Ratios far apart are marked at these, as far as there is room; else the marks are even steps in
 * per cent. */
static const double wide_tics[] = {0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 1,
				   1.2,	 1.5,  2,    3,	  5,   10,  20,	 50,  100};

static void plot_tics(struct plot *p)
{
	char text[80], n[64];

	if (!p->difference && p->hi - p->lo > log(2.2)) {
		for (size_t i = 0; i < sizeof(wide_tics) / sizeof(wide_tics[0]); i++)
			plot_tic(p, log(wide_tics[i]),
				 num_percent(wide_tics[i], NUM_HTML, text, sizeof(text)));
		return;
	}
	double lo = p->difference ? p->lo : exp(p->lo) - 1;
	double hi = p->difference ? p->hi : exp(p->hi) - 1;
	double step = plot_step(hi - lo);

	for (double k = ceil(lo / step); k * step <= hi; k++) {
		double v = k == 0 ? 0 : k * step;

		if (!p->difference) {
			plot_tic(p, log1p(v), num_percent(1 + v, NUM_HTML, text, sizeof(text)));
			continue;
		}
		metric_text(p->w->primary, fabs(v), n, sizeof(n));
		snprintf(text, sizeof(text), "%s%s", v > 0 ? "+" : v < 0 ? "\xe2\x88\x92" : "", n);
		plot_tic(p, v, text);
	}
}

char *plot_label(const char *s, int columns)
{
	char *buf = NULL;
	size_t size;
	FILE *f = open_memstream(&buf, &size);
	bool cut = term_columns(s) > columns;

	if (!f)
		return xstrdup("");
	term_text(f, s, cut ? columns - 1 : 0);
	if (cut)
		fputs("\xe2\x80\xa6", f);
	fclose(f);
	return buf;
}

static char *describe(const struct plot *p)
{
	char *buf = NULL, text[128];
	size_t size;
	FILE *f = open_memstream(&buf, &size);

	for (size_t i = 0; f && i < p->rows; i++) {
		const struct model_row *r = &p->w->rows[i];
		const struct model_value *v = row_primary(p->w, r);

		if (r == p->first || !v)
			continue;
		const char *word = mark_word(row_mark(r, v));

		fprintf(f, "%s: %s%s%s. ", row_label(p->m, r),
			num_ratio(p->w->primary, &v->ratio, NUM_HTML, text, sizeof(text)),
			*word ? ", " : "", word);
	}
	if (f)
		fclose(f);
	return buf;
}

/* The texts beside and below the plot, for which gnuplot gets stand-ins. */
static void plot_texts(struct plot *p)
{
	const struct metric_row *m = p->w->primary;
	const char *way = m->better == HIGHER_IS_BETTER ? "right is better" : "left is better";
	char text[128];

	p->left = xcalloc(p->rows, sizeof(*p->left));
	p->number = xcalloc(p->rows, sizeof(*p->number));
	p->right = xcalloc(p->rows, sizeof(*p->right));
	for (size_t i = 0; i < p->rows; i++) {
		const struct model_row *r = &p->w->rows[i];
		const struct model_value *v = row_primary(p->w, r);
		const char *right = "n/a";

		if (r == p->first)
			right = "first cell";
		else if (row_mark(r, v) == MARK_FAILED)
			right = mark_word(MARK_FAILED);
		else if (v)
			right = num_ratio(m, &v->ratio, NUM_HTML, text, sizeof(text));
		p->left[i] = plot_label(row_label(p->m, r), LABEL_COLUMNS);
		p->number[i] = xasprintf("%u", r->cell + 1);
		p->right[i] = xstrdup(right);
	}
	p->title[0] = xasprintf("%s, %s to the first cell (%s)", m->title,
				p->difference ? "difference" : "compared", way);
	p->title[1] = xasprintf("compared to the first cell; %s", way);
}

/* False: there is nothing to plot. End it with plot_end either way. */
static bool plot_begin(struct plot *p, const struct model *m, size_t w)
{
	*p = (struct plot){.m = m, .w = &m->workloads[w]};
	p->first = workload_first(p->w);
	p->rows = p->w->nrows;
	p->difference = p->w->primary && p->w->primary->scale == SCALE_DIFFERENCE;
	if (!p->first || !p->w->primary || p->rows < 2 || p->rows > PLOT_ROWS || !plot_range(p))
		return false;
	plot_tics(p);
	plot_texts(p);
	return true;
}

static void plot_end(struct plot *p)
{
	for (size_t i = 0; i < p->ntics; i++)
		free(p->tic_text[i]);
	for (size_t i = 0; p->left && i < p->rows; i++) {
		free(p->left[i]);
		free(p->number[i]);
		free(p->right[i]);
	}
	free(p->left);
	free(p->number);
	free(p->right);
	free(p->title[0]);
	free(p->title[1]);
}

/* Reads back what was drawn and puts the true texts in; NULL if that can't be done. */
static char *plot_adopt(const char *dir, const struct plot *p, size_t w, bool wide)
{
	const struct svg_text texts[] = {{'L', p->left, p->rows},
					 {'N', p->number, p->rows},
					 {'R', p->right, p->rows},
					 {'T', (char **)p->tic_text, p->ntics},
					 {'X', (char **)p->title, 2}};
	char *path = xasprintf("%s/%zu-%s.svg", dir, w, wide ? "wide" : "narrow");
	char *prefix = xasprintf("w%zu%c-", w, wide ? 'w' : 'n'), *desc = describe(p);
	char *title = xasprintf("%s: %s of each cell compared to the first cell",
				p->w->name ? p->w->name : "", p->w->primary->title);
	char *svg = NULL, *done = NULL;

	if (file_read(path, SVG_MAX, &svg, NULL) == 0)
		done = svg_adopt(svg, prefix, title, desc ? desc : "", texts,
				 sizeof(texts) / sizeof(texts[0]));
	free(svg);
	free(path);
	free(prefix);
	free(title);
	free(desc);
	return done;
}

/* The script for all plots. Returns how many there will be, or -errno. */
static int script_write(const char *dir, const char *path, const struct model *m)
{
	FILE *s = fopen(path, "we");
	int n = 0;

	if (!s)
		return -errno;
	for (size_t w = 0; w < m->nworkloads; w++) {
		struct plot p;

		if (m->nrungs) {
			n += plot_ladder_script(s, dir, m, w);
			continue;
		}
		if (plot_begin(&p, m, w)) {
			plot_script(s, dir, &p, w, true);
			plot_script(s, dir, &p, w, false);
			n++;
		}
		plot_end(&p);
	}
	for (size_t i = 0; i < m->ncurves; i++)
		n += plot_curve_script(s, dir, m, i);
	bool bad = ferror(s);

	return fclose(s) != 0 || bad ? -EIO : n;
}

/* Runs gnuplot; 0, or a negative code with the reason in trouble. */
static int draw(const char *dir, const char *script, char *trouble, size_t size)
{
	const char *argv[] = {"gnuplot", "-d", script, NULL};
	struct err e = {0};
	int rc = child_run(argv, NULL, DRAW_TIMEOUT_MS, NULL, &e);

	if (rc == -ENOENT)
		snprintf(trouble, size, "gnuplot is not installed (package gnuplot-nox)");
	else if (rc < 0)
		snprintf(trouble, size, "%.400s (in %.80s)", e.text, dir);
	return rc;
}

static void draw_all(const char *dir, const struct model *m, struct plots *out)
{
	char *script = xasprintf("%s/plots.gp", dir);
	int n = script_write(dir, script, m);

	if (n < 0)
		snprintf(out->trouble, sizeof(out->trouble),
			 "gnuplot's files cannot be written: %s", strerror(-n));
	if (n > 0 && draw(dir, script, out->trouble, sizeof(out->trouble)) < 0)
		n = 0;
	free(script);
	for (size_t w = 0; n > 0 && w < m->nworkloads; w++) {
		struct plot p;

		if (m->nrungs) {
			out->wide[w] = plot_ladder_adopt(dir, m, w, true);
			out->narrow[w] = plot_ladder_adopt(dir, m, w, false);
			continue;
		}
		if (plot_begin(&p, m, w)) {
			out->wide[w] = plot_adopt(dir, &p, w, true);
			out->narrow[w] = plot_adopt(dir, &p, w, false);
			if (!out->wide[w] || !out->narrow[w])
				snprintf(out->trouble, sizeof(out->trouble),
					 "gnuplot did not write a drawing that can be read");
		}
		plot_end(&p);
	}
	for (size_t i = 0; n > 0 && i < m->ncurves; i++) {
		out->curve_wide[i] = plot_curve_adopt(dir, m, i, true);
		out->curve_narrow[i] = plot_curve_adopt(dir, m, i, false);
	}
}

void plots_make(const struct model *m, struct plots *p)
{
	const char *tmp = getenv("TMPDIR");
	struct err e = {0};

	*p = (struct plots){.n = m->nworkloads, .ncurves = m->ncurves};
	p->curve_wide = xcalloc(m->ncurves + 1, sizeof(*p->curve_wide));
	p->curve_narrow = xcalloc(m->ncurves + 1, sizeof(*p->curve_narrow));
	p->wide = xcalloc(m->nworkloads + 1, sizeof(*p->wide));
	p->narrow = xcalloc(m->nworkloads + 1, sizeof(*p->narrow));
	char *dir = xasprintf("%s/vbench-plot-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");

	if (!mkdtemp(dir)) {
		snprintf(p->trouble, sizeof(p->trouble), "no folder for gnuplot's files in %.400s",
			 tmp && *tmp == '/' ? tmp : "/tmp");
	} else {
		draw_all(dir, m, p);
		dir_remove(dir, &e);
	}
	free(dir);
}

void plots_free(struct plots *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->wide[i]);
		free(p->narrow[i]);
	}
	for (size_t i = 0; i < p->ncurves; i++) {
		free(p->curve_wide[i]);
		free(p->curve_narrow[i]);
	}
	free(p->curve_wide);
	free(p->curve_narrow);
	free(p->wide);
	free(p->narrow);
}
