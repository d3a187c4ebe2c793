/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ladder's plot as gnuplot's commands: numbers, all of them pixels, and stand-ins. */
#include <math.h>
#include <stdlib.h>
#include "reports/plot_ladder.h"

#define COLUMN 7.1 /* pixels of a character in 13 px type, about */
#define FOOT 50.0  /* pixels below a panel, for tics and title */
#define HEAD 8.0

static void lay_out(struct ladder_plot *l, bool wide)
{
	double rows = (double)l->m->nrungs * (wide ? 27 : 25) + 6, left = 0;
	char **labels = wide ? l->wide : l->narrow;

	for (size_t i = 0; i < l->m->nrungs; i++)
		left = fmax(left, term_columns(labels[i]) * COLUMN);
	left += 12;
	l->width = wide ? 1000 : 344;
	l->height = (int)((wide ? 1 : 2) * (rows + FOOT + HEAD));
	for (int k = 0; k < 2; k++) {
		struct panel *p = &l->panel[k];
		double room = l->width - left - 24;

		p->width = wide ? room / 2 - 20 : room;
		p->x = left + (wide && k ? room / 2 + 20 : 0);
		p->y = FOOT + (wide || k ? 0 : rows + FOOT + HEAD);
		p->height = rows;
		p->stretch = p->width / (p->hi - p->lo);
	}
}

static double pixel_x(const struct panel *p, double at)
{
	return p->x + (at - p->lo) * p->stretch;
}

static double pixel_y(const struct ladder_plot *l, const struct panel *p, size_t i)
{
	return p->y + p->height * (1 - ((double)i + 0.5) / (double)l->m->nrungs);
}

static void line(FILE *s, double x0, double y0, double x1, double y1, const char *style)
{
	fprintf(s, "set arrow from %.1f,%.1f to %.1f,%.1f nohead %s\n", x0, y0, x1, y1, style);
}

/* Tics that have room, the first one first: it is 0 where there is a 0. */
static void frame_tics(FILE *s, const struct panel *p, size_t from)
{
	double kept[MAX_TICS], half[MAX_TICS];
	size_t n = 0;

	for (size_t i = 0; i < p->ntics; i++) {
		double x = pixel_x(p, p->tic[i]), h = term_columns(p->text[i]) * COLUMN / 2 + 4;
		bool room = true;

		for (size_t k = 0; k < n; k++)
			room &= fabs(x - kept[k]) >= h + half[k];
		if (!room)
			continue;
		kept[n] = x;
		half[n++] = h;
		line(s, x, p->y, x, p->y + p->height, "back lw 0.6 lc rgb " C_LINE);
		fprintf(s, "set label 'T%zu' at %.1f,%.1f center tc rgb " C_MUTED "\n", from + i, x,
			p->y - 13);
	}
}

static void frame(FILE *s, const struct ladder_plot *l, int k, bool wide)
{
	const struct panel *p = &l->panel[k];

	line(s, p->x, p->y, p->x + p->width, p->y, "back lw 1 lc rgb " C_LINE);
	frame_tics(s, p, k ? l->panel[0].ntics : 0);
	if (p->layers)
		line(s, pixel_x(p, 0), p->y, pixel_x(p, 0), p->y + p->height,
		     "back lw 1.4 lc rgb " C_INK);
	fprintf(s, "set label 'X%d' at %.1f,%.1f center tc rgb " C_MUTED "\n", k,
		p->x + p->width / 2, p->y - 34);
	for (size_t i = 0; (!wide || !k) && i < l->m->nrungs; i++)
		fprintf(s, "set label '%c%zu' at %.1f,%.1f right tc rgb " C_INK "\n",
			wide ? 'L' : 'N', i, p->x - 8, pixel_y(l, p, i));
}

/* ---- data ---- */

static enum mark mark_at(const struct ladder_plot *l, const struct panel *p, size_t i)
{
	return p->layers ? layer_mark(&l->m->rungs[i], l->w->steps[i].of[STEP_NS].word) : MARK_NONE;
}

/* A layer that holds the emulation has a hollow mark: its length says nothing of KVM. */
static bool hollow_at(const struct ladder_plot *l, const struct panel *p, size_t i)
{
	return p->layers && l->m->rungs[i].unlike;
}

static void put_points(FILE *s, const struct ladder_plot *l, const struct panel *p)
{
	for (size_t i = 0; i < l->m->nrungs; i++)
		for (size_t b = 0; b < model_points(l->m); b++) {
			double at = panel_axis(p, panel_point(l, p, i, b));

			if (isfinite(at))
				fprintf(s, "%.1f %.1f\n", pixel_x(p, at),
					pixel_y(l, p, i) - 6 - 2 * (double)(b % 3));
		}
}

static void put_mids(FILE *s, const struct ladder_plot *l, const struct panel *p, enum mark k,
		     bool hollow)
{
	for (size_t i = 0; i < l->m->nrungs; i++) {
		double at = panel_axis(p, panel_interval(l, p, i)->mid);

		if (isfinite(at) && mark_at(l, p, i) == k && hollow_at(l, p, i) == hollow)
			fprintf(s, "%.1f %.1f\n", pixel_x(p, at), pixel_y(l, p, i));
	}
}

/* From the middle to either end; an end beyond the axis is put on its edge (cut). */
static void put_ends(FILE *s, const struct ladder_plot *l, const struct panel *p, enum mark k,
		     bool cut)
{
	for (size_t i = 0; i < l->m->nrungs; i++) {
		const struct interval *v = panel_interval(l, p, i);
		double mid = panel_axis(p, v->mid),
		       end[2] = {panel_axis(p, v->lo), panel_axis(p, v->hi)};

		if (!p->layers && v->lo <= 0)
			end[0] = p->lo - 1;
		for (int e = 0; e < 2; e++) {
			bool beyond = e ? end[1] > p->hi : end[0] < p->lo;

			if (!isfinite(mid) || !isfinite(end[e]) || beyond != cut ||
			    mark_at(l, p, i) != k)
				continue;
			fprintf(s, "%.1f %.1f %.1f\n", pixel_x(p, mid), pixel_y(l, p, i),
				(fmin(fmax(end[e], p->lo), p->hi) - mid) * p->stretch);
		}
	}
}

struct layers {
	FILE *script, *plot; /* data blocks, and the plot command that uses them */
	size_t n;
};

/* Takes what put wrote as a data block of gnuplot, if it is anything. */
static void layer_take(struct layers *o, char *data, const char *using, const char *style)
{
	if (data && *data) {
		fprintf(o->script, "$D%zu << EOD\n%sEOD\n", o->n, data);
		fprintf(o->plot, "%s$D%zu using %s with %s notitle", o->n ? ", " : "plot ", o->n,
			using, style);
		o->n++;
	}
	free(data);
}

static void layers_of_mark(struct layers *o, const struct ladder_plot *l, enum mark k)
{
	char style[128], *data = NULL;
	size_t size;
	FILE *f;

	for (int cut = 0; cut < 2; cut++) {
		f = open_memstream(&data, &size);
		for (int i = 0; f && i < 2; i++)
			put_ends(f, l, &l->panel[i], k, cut);
		if (f)
			fclose(f);
		snprintf(style, sizeof(style), "vectors %s lw 2 lc rgb %s",
			 cut ? "head filled size screen 0.008,25" : "nohead", plot_colour(k));
		layer_take(o, f ? data : NULL, "1:2:3:(0)", style);
	}
	for (int hollow = 0; hollow < 2; hollow++) {
		f = open_memstream(&data, &size);
		for (int i = 0; f && i < 2; i++)
			put_mids(f, l, &l->panel[i], k, hollow);
		if (f)
			fclose(f);
		snprintf(style, sizeof(style), "points pt %d ps %s lc rgb %s", hollow ? 6 : 7,
			 hollow ? "1.0 lw 2" : "0.85", plot_colour(k));
		layer_take(o, f ? data : NULL, "1:2", style);
	}
}

static void put_layers(FILE *s, const struct ladder_plot *l)
{
	struct layers o = {.script = s};
	char *data = NULL, *command = NULL;
	size_t size, length;
	FILE *f = open_memstream(&data, &size);

	o.plot = open_memstream(&command, &length);
	if (f && o.plot) {
		for (int i = 0; i < 2; i++)
			put_points(f, l, &l->panel[i]);
		fclose(f);
		f = NULL;
		layer_take(&o, data, "1:2", "points pt 7 ps 0.36 lc rgb " C_POINT);
		layers_of_mark(&o, l, MARK_NONE);
		layers_of_mark(&o, l, MARK_BETTER);
		layers_of_mark(&o, l, MARK_WORSE);
	}
	if (f)
		fclose(f);
	if (o.plot) {
		fclose(o.plot);
		fprintf(s, "%s\n", command);
	}
	free(command);
}

void ladder_draw(FILE *s, const char *dir, struct ladder_plot *l, size_t w, bool wide)
{
	char *out = xasprintf("%s/%zu-%s.svg", dir, w, wide ? "wide" : "narrow");

	lay_out(l, wide);
	fprintf(s,
		"reset\nunset border\nunset key\nunset tics\nset xrange [0:%d]\n"
		"set yrange [0:%d]\nset lmargin at screen 0\nset rmargin at screen 1\n"
		"set bmargin at screen 0\nset tmargin at screen 1\n"
		"set terminal svg size %d,%d font 'sans-serif,13' noenhanced\n",
		l->width, l->height, l->width, l->height);
	for (int k = 0; k < 2; k++)
		frame(s, l, k, wide);
	fputs("set output ", s);
	plot_quoted(s, out);
	fputc('\n', s);
	put_layers(s, l);
	fputs("unset output\n", s);
	free(out);
}
