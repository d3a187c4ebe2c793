/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ladder's plot on its way from the model to gnuplot's script: two panels with an axis each. */
#ifndef VB_REPORTS_PLOT_LADDER_H
#define VB_REPORTS_PLOT_LADDER_H

#include "reports/plot.h"

struct panel {
	bool layers;   /* what layers add; else the rungs themselves */
	double linear; /* layers: up to this size the axis is about linear; 0: all linear */
	double lo, hi; /* on the axis */
	double tic[MAX_TICS];
	char *text[MAX_TICS];
	size_t ntics;
	double x, y, width, height; /* of its frame, in pixels from the lower left corner */
	double stretch;		    /* pixels per unit of the axis */
};

struct ladder_plot {
	const struct model *m;
	const struct model_workload *w;
	struct panel panel[2];
	char **wide, **narrow; /* [nrungs] labels */
	char **tics;	       /* of both panels, one after the other */
	size_t ntics;
	char *title[2];
	int width, height;
};

/* ns on a panel's axis; NAN where it has no place there. */
double panel_axis(const struct panel *p, double ns);

/* Of rung i, what the panel shows: the interval, and the value of block b in ns. */
const struct interval *panel_interval(const struct ladder_plot *l, const struct panel *p, size_t i);
double panel_point(const struct ladder_plot *l, const struct panel *p, size_t i, size_t b);

/* Appends what draws l to the script s: dir/W-wide.svg or -narrow.svg will be the drawing. */
void ladder_draw(FILE *s, const char *dir, struct ladder_plot *l, size_t w, bool wide);

#endif
