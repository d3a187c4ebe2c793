/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One workload's plot on its way from the model to gnuplot's script. */
#ifndef VB_REPORTS_PLOT_H
#define VB_REPORTS_PLOT_H

#include "reports/page.h"

#define LABEL_COLUMNS 44 /* of a cell's name beside the plot */
#define MAX_TICS 24
#define PLOT_ROWS 500 /* no plot of more */

/* Stand-in colours, see svg.c. */
#define C_INK "'#010001'"
#define C_BAND "'#010002'"
#define C_LINE "'#010003'"
#define C_POINT "'#010007'"
#define C_MUTED "'#010008'"

struct plot { /* one workload, in axis units: ln(ratio), or the difference in the metric's unit */
	const struct model *m;
	const struct model_workload *w;
	const struct model_row *first;
	bool difference;
	double lo, hi;
	double tic[MAX_TICS];
	char *tic_text[MAX_TICS];
	size_t ntics, zero; /* zero: which of them is at "equal" */
	size_t rows;
	char **left, **number, **right; /* [rows]: label, number and figures of each */
	char *title[2];			/* of the axis, wide and narrow */
};

/* A ratio (or difference) on the axis; NAN where it has no place there. */
double plot_axis(const struct plot *p, double ratio);

/* What block b of a cell says against the first cell's, on the axis. */
double plot_point(const struct plot *p, const struct model_value *v, size_t b);

/* The stand-in colour of a mark, in gnuplot's quotes. */
const char *plot_colour(enum mark k);

/* A path in gnuplot's single quotes, where only the quote itself is special. */
void plot_quoted(FILE *f, const char *s);

/* A label cut at so many columns, with a sign that it was; new. */
char *plot_label(const char *s, int columns);

/* Steps of 1, 2 or 5 times a power of ten that give at most nine tics on the axis. */
double plot_step(double range);

/* Appends what draws p to the script s, wide or narrow, and writes its data files into dir:
 * W-wide.svg will be the drawing. */
void plot_script(FILE *s, const char *dir, const struct plot *p, size_t w, bool wide);

/* plot_ladder.c: the same of a ladder's workload. False (NULL): there is nothing to plot. */
bool plot_ladder_script(FILE *s, const char *dir, const struct model *m, size_t w);
char *plot_ladder_adopt(const char *dir, const struct model *m, size_t w, bool wide);

/* plot_curve.c: the same of the n-th curve of guests at once, cN-wide.svg. */
bool plot_curve_script(FILE *s, const char *dir, const struct model *m, size_t n);
char *plot_curve_adopt(const char *dir, const struct model *m, size_t n, bool wide);

#endif
