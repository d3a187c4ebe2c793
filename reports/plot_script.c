/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plot as gnuplot's commands and data files: numbers and stand-ins, nothing else. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include "reports/plot.h"

static const char *const mark_colour[] = {"'#010004'", "'#010005'", "'#010006'", "'#010008'",
					  "'#010004'"};
static const int mark_shape[] = {7, 9, 11, 7, 7}; /* disc, triangle up, triangle down */

const char *plot_colour(enum mark k)
{
	return mark_colour[k];
}

static double row_y(const struct plot *p, size_t row)
{
	return (double)(p->rows - row);
}

/* Dots of the blocks: x, y; spread out a little below the estimate so that they do not hide each
 * other. */
static void put_points(FILE *f, const struct plot *p)
{
	for (size_t i = 0; i < p->rows; i++) {
		const struct model_value *v = row_primary(p->w, &p->w->rows[i]);

		for (size_t b = 0; b < model_points(p->m) && &p->w->rows[i] != p->first; b++) {
			double x = plot_point(p, v, b);

			if (isfinite(x))
				fprintf(f, "%.6g %.3f\n", x,
					row_y(p, i) - 0.24 - 0.07 * (double)(b % 3));
		}
	}
}

/* Estimates of one mark: x, y. */
static size_t put_mids(FILE *f, const struct plot *p, enum mark k)
{
	size_t n = 0;

	for (size_t i = 0; i < p->rows; i++) {
		const struct model_row *r = &p->w->rows[i];
		const struct model_value *v = row_primary(p->w, r);
		double x = v && r != p->first ? plot_axis(p, v->ratio.mid) : NAN;

		if (row_mark(r, v) != k || !isfinite(x))
			continue;
		fprintf(f, "%.6g %.3f\n", x, row_y(p, i));
		n++;
	}
	return n;
}

/* Intervals of one mark, as arrows from the middle: x, y, dx; an end beyond the range is put on its
 * edge. */
static size_t put_ends(FILE *f, const struct plot *p, enum mark k, bool cut)
{
	size_t n = 0;

	for (size_t i = 0; i < p->rows; i++) {
		const struct model_row *r = &p->w->rows[i];
		const struct model_value *v = row_primary(p->w, r);

		if (!v || r == p->first || row_mark(r, v) != k)
			continue;
		double mid = plot_axis(p, v->ratio.mid);
		double end[2] = {plot_axis(p, v->ratio.lo), plot_axis(p, v->ratio.hi)};

		if (v->ratio.lo <= 0 && !p->difference)
			end[0] = p->lo - 1;
		for (int e = 0; e < 2; e++) {
			bool beyond = e ? end[1] > p->hi : end[0] < p->lo;

			if (!isfinite(mid) || !isfinite(end[e]) || beyond != cut)
				continue;
			if (beyond)
				end[e] = e ? p->hi : p->lo;
			fprintf(f, "%.6g %.3f %.6g\n", mid, row_y(p, i), end[e] - mid);
			n++;
		}
	}
	return n;
}

void plot_quoted(FILE *f, const char *s)
{
	fputc('\'', f);
	for (; *s; s++)
		fprintf(f, *s == '\'' ? "''" : "%c", *s);
	fputc('\'', f);
}

/* Lets put write a data file and adds it to the plot command with this style, if there is anything
 * in it. */
struct layers {
	FILE *script;
	const char *dir;
	size_t n;
	size_t w;
};

static FILE *layer_open(struct layers *l, char **path)
{
	*path = xasprintf("%s/%zu-%zu.dat", l->dir, l->w, l->n);
	return fopen(*path, "we");
}

static void layer_close(struct layers *l, FILE *f, char *path, bool any, const char *using,
			const char *style)
{
	if (f)
		fclose(f);
	if (f && any) {
		fputs(l->n ? ", " : "plot ", l->script);
		plot_quoted(l->script, path);
		fprintf(l->script, " using %s with %s notitle", using, style);
		l->n++;
	}
	free(path);
}

static void plot_layers(struct layers *l, const struct plot *p)
{
	char style[128], *path;
	FILE *f = layer_open(l, &path);

	if (f)
		put_points(f, p);
	layer_close(l, f, path, f && ftell(f) > 0, "1:2", "points pt 7 ps 0.36 lc rgb " C_POINT);
	for (int k = MARK_NONE; k <= MARK_SAME; k++) {
		for (int cut = 0; cut < 2; cut++) {
			f = layer_open(l, &path);
			snprintf(style, sizeof(style), "vectors %s lw 2 lc rgb %s",
				 cut ? "head filled size screen 0.008,25" : "nohead",
				 mark_colour[k]);
			layer_close(l, f, path, f && put_ends(f, p, (enum mark)k, cut), "1:2:3:(0)",
				    style);
		}
		f = layer_open(l, &path);
		snprintf(style, sizeof(style), "points pt %d ps %s lc rgb %s", mark_shape[k],
			 k == MARK_BETTER || k == MARK_WORSE ? "1.15" : "0.85", mark_colour[k]);
		layer_close(l, f, path, f && put_mids(f, p, (enum mark)k), "1:2", style);
	}
	fputc('\n', l->script);
}

/* Pixels of the drawing and of the axis in it. */
struct size {
	int width, height;
	double left, right;
};

#define COLUMN 7.1 /* pixels of a character in 13 px type, about */
#define FIGURE 7.9 /* and of digits and signs, which are wider than letters in most faces */

static struct size size_of(const struct plot *p, bool wide)
{
	struct size z = {wide ? 1000 : 344, (wide ? 72 : 70) + (int)p->rows * (wide ? 27 : 25), 34,
			 332};
	int name = 0, figures = 0;

	for (size_t i = 0; i < p->rows; i++) {
		name = MAX(name, term_columns(row_label(p->m, &p->w->rows[i])));
		figures = MAX(figures, term_columns(p->right[i]));
	}
	if (wide) {
		z.left = 26 + MIN(name, LABEL_COLUMNS) * COLUMN;
		z.right = z.width - 14 - MIN(figures, LABEL_COLUMNS) * FIGURE;
	}
	return z;
}

/* Every how many-th tic (counted from "equal") has room for its text. */
static size_t tic_stride(const struct plot *p, const struct size *z)
{
	double scale = (z->right - z->left) / (p->hi - p->lo);
	size_t k, i;

	for (k = 1; k < p->ntics; k++) {
		for (i = p->zero % k; i + k < p->ntics; i += k) {
			int both = term_columns(p->tic_text[i]) + term_columns(p->tic_text[i + k]);

			if ((p->tic[i + k] - p->tic[i]) * scale < both * COLUMN / 2 + 8)
				break;
		}
		if (i + k >= p->ntics)
			break;
	}
	return k;
}

static void frame_tics(FILE *s, const struct plot *p, const struct size *z)
{
	size_t stride = tic_stride(p, z), first = p->zero % stride;

	fputs("set xtics scale 0.5 tc rgb " C_MUTED " (", s);
	for (size_t i = first; i < p->ntics; i += stride)
		fprintf(s, "%s'T%zu' %.6g", i > first ? ", " : "", i, p->tic[i]);
	fputs(")\nset grid xtics lt 1 lw 0.6 lc rgb " C_LINE "\n", s);
}

/* The rows' texts on the axis y or y2, as stand-ins of that letter. */
static void frame_rows(FILE *s, const struct plot *p, const char *axis, char letter)
{
	fprintf(s, "set %srange [0.3:%.1f]\nset %stics scale 0 tc rgb " C_INK " (", axis,
		(double)p->rows + 0.6, axis);
	for (size_t i = 0; i < p->rows; i++)
		fprintf(s, "%s'%c%zu' %g", i ? ", " : "", letter, i, row_y(p, i));
	fputs(")\n", s);
}

/* Frame, axis, tics and the band of what is too small to matter. */
static void plot_frame(FILE *s, const struct plot *p, const struct size *z, bool wide)
{
	double band = p->w->min_effect;
	double from = p->difference ? -band : log1p(-band), to = p->difference ? band : log1p(band);

	fprintf(s,
		"reset\nset border 1 lw 1 lc rgb " C_LINE "\nunset key\nset tics nomirror\n"
		"set xrange [%.6g:%.6g]\n",
		p->lo, p->hi);
	frame_tics(s, p, z);
	frame_rows(s, p, "y", wide ? 'L' : 'N');
	if (wide)
		frame_rows(s, p, "y2", 'R');
	fprintf(s, "set xlabel 'X%d' offset 0,0.4 tc rgb " C_MUTED "\n", wide ? 0 : 1);
	if (band > 0 && (p->difference || band < 1))
		fprintf(s,
			"set object 1 rectangle from %.6g, graph 0 to %.6g, graph 1 fillcolor rgb " C_BAND
			" fillstyle solid noborder behind\n",
			fmax(from, p->lo), fmin(to, p->hi));
	fprintf(s,
		"set arrow 1 from 0, graph 0 to 0, graph 1 nohead lw 1.4 lc rgb " C_INK " back\n");
	fprintf(s, "set terminal svg size %d,%d font 'sans-serif,13' noenhanced\n", z->width,
		z->height);
	fprintf(s, "set lmargin at screen %.4f\nset rmargin at screen %.4f\n", z->left / z->width,
		z->right / z->width);
	fprintf(s, "set tmargin at screen %.4f\nset bmargin at screen %.4f\n", 1 - 6.0 / z->height,
		56.0 / z->height);
}

void plot_script(FILE *s, const char *dir, const struct plot *p, size_t w, bool wide)
{
	struct size z = size_of(p, wide);
	struct layers l = {.script = s, .dir = dir, .w = 2 * w + wide};
	char *out = xasprintf("%s/%zu-%s.svg", dir, w, wide ? "wide" : "narrow");

	plot_frame(s, p, &z, wide);
	fputs("set output ", s);
	plot_quoted(s, out);
	fputc('\n', s);
	free(out);
	plot_layers(&l, p);
	fputs("unset output\n", s);
}
