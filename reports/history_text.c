// SPDX-License-Identifier: GPL-2.0-or-later
/* A history for a terminal: nights, a plot a series, sentences. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "reports/history.h"
#include "reports/page.h"

#define ROWS 7
#define MARGIN 14   /* columns of the axis at the left */
#define LIST_MAX 14 /* newest nights in the list */
#define BUILD_MAX 24

struct to {
	FILE *f;
	int width;
	const char *indent;
};

/* A sentence, its lines broken at blanks. */
static void put_wrapped(void *arg, const char *text)
{
	const struct to *to = arg;
	int room = to->width - (int)strlen(to->indent) - 2, at = 0;
	char *copy = xstrdup(text), *save = NULL, *w;

	fprintf(to->f, "%s", to->indent);
	for (w = strtok_r(copy, " \n\t", &save); w; w = strtok_r(NULL, " \n\t", &save)) {
		int columns = term_columns(w);

		if (at && at + 1 + columns > room) {
			fprintf(to->f, "\n%s  ", to->indent);
			at = 0;
		} else if (at) {
			fputc(' ', to->f);
			at++;
		}
		at += term_text(to->f, w, room > 8 ? room : 8);
	}
	fputc('\n', to->f);
	free(copy);
}

void report_history_line(FILE *f, const char *text)
{
	term_text(f, text, 0);
	fputc('\n', f);
}

static void put_night(const struct history *h, size_t i, const struct to *to)
{
	const struct history_night *n = &h->nights[i];
	char date[16], id[9];
	int at = 0, room;

	memcpy(id, n->uuid, 8);
	id[8] = 0;
	fprintf(to->f, "  %s  %s  ", history_date(n->begun, date), id);
	at = term_text(to->f, *n->label ? n->label : "-", BUILD_MAX);
	room = to->width - 24 - (at > BUILD_MAX ? at : BUILD_MAX) - 2;
	if (n->changed && room > 12) {
		fprintf(to->f, "%*s  ", BUILD_MAX - at > 0 ? BUILD_MAX - at : 0, "");
		term_text(to->f, n->changed, room);
	}
	fputc('\n', to->f);
}

/* --- plot
 * ------------------------------------------------------------------------------------------- */

struct grid {
	const struct history *h;
	const struct history_series *s;
	size_t columns;
	double *y; /* [columns] NAN where there is no night */
	double mid, lo, hi;
};

static size_t column_of(const struct grid *g, size_t night)
{
	return g->h->nnights <= g->columns ? night : night * g->columns / g->h->nnights;
}

static bool grid_make(struct grid *g, int width)
{
	size_t n = g->h->nnights, i, c,
	       room = width > MARGIN + 10 ? (size_t)(width - MARGIN - 2) : 10;
	double *sum, *all, v;
	size_t *count, m = 0;

	g->columns = n < room ? n : room;
	sum = xcalloc(2 * n + g->columns + 2, sizeof(*sum));
	all = sum + g->columns;
	g->y = xcalloc(g->columns + 1, sizeof(*g->y));
	count = xcalloc(g->columns + 1, sizeof(*count));
	for (i = 0; i < n; i++) {
		v = history_scale(g->s, &g->s->points[i]);
		if (!isfinite(v))
			continue;
		c = column_of(g, i);
		sum[c] += v;
		count[c]++;
		all[m++] = v;
	}
	for (c = 0; c < g->columns; c++)
		g->y[c] = count[c] ? sum[c] / (double)count[c] : NAN;
	g->mid = median(all, m);
	g->lo = INFINITY;
	g->hi = -INFINITY;
	for (c = 0; c < g->columns; c++)
		if (isfinite(g->y[c])) {
			g->lo = fmin(g->lo, g->y[c]);
			g->hi = fmax(g->hi, g->y[c]);
		}
	free(sum);
	free(count);
	if (!(g->hi > g->lo)) {
		v = g->s->metric->scale == SCALE_RATIO ? 0.01 : fmax(fabs(g->mid) * 0.01, 1e-9);
		g->lo -= v;
		g->hi += v;
	}
	return m > 0;
}

static void put_axis(const struct grid *g, int row, FILE *f)
{
	double y = g->hi - (g->hi - g->lo) * row / (ROWS - 1);
	char text[64] = "";

	if (row % 3 == 0 && g->s->metric->scale != SCALE_RATIO)
		metric_text(g->s->metric, y, text, sizeof(text));
	else if (row % 3 == 0 && g->s->by_ratio)
		num_percent(exp(y), NUM_ASCII, text, sizeof(text));
	else if (row % 3 == 0)
		metric_text(g->s->metric, exp(y), text, sizeof(text));
	fprintf(f, "%*.*s |", MARGIN - 2, MARGIN - 2, text);
}

static char mark_of(const struct grid *g, size_t c)
{
	const struct history_change *x;
	size_t i;

	for (i = 0; i < g->s->nchanges; i++) {
		x = &g->s->changes[i];
		if (column_of(g, x->c.at) == c)
			return x->confirmed ? '|' : x->c.withdrawn ? ' ' : ':';
	}
	return ' ';
}

static void put_plot(const struct history *h, const struct history_series *s, const struct to *to)
{
	struct grid g = {.h = h, .s = s};
	size_t c;
	int row, at;

	if (!grid_make(&g, to->width)) {
		free(g.y);
		return;
	}
	for (row = 0; row < ROWS; row++) {
		put_axis(&g, row, to->f);
		for (c = 0; c < g.columns; c++) {
			at = (int)lround((g.hi - g.y[c]) / (g.hi - g.lo) * (ROWS - 1));
			fputc(isfinite(g.y[c]) && at == row ? 'o' : mark_of(&g, c), to->f);
		}
		fputc('\n', to->f);
	}
	free(g.y);
}

static void put_series(const struct history *h, const struct history_series *s, const struct to *to)
{
	char *head =
		xasprintf("%s, %s: %s%s (%s is better)", s->workload, s->label, s->metric->title,
			  s->by_ratio ? ", ratio to the reference build" : "",
			  s->metric->better == HIGHER_IS_BETTER ? "higher" : "lower");
	struct to flush = {to->f, to->width, ""};
	struct to deep = {to->f, to->width, "  "};
	char value[64];

	fputc('\n', to->f);
	put_wrapped(&flush, head);
	free(head);
	if (s->there >= HISTORY_TELL)
		put_plot(h, s, to);
	for (size_t i = h->nnights; i-- > 0;)
		if (isfinite(s->points[i].value)) {
			fprintf(to->f, "  newest %s",
				metric_text(s->metric, s->points[i].value, value, sizeof(value)));
			break;
		}
	fprintf(to->f, ", %zu nights", s->there);
	if (isfinite(s->sd) && s->metric->scale == SCALE_RATIO)
		fprintf(to->f, ", sd between nights %.2g %%, autocorrelation %.2f", 100 * s->sd,
			s->rho);
	fputc('\n', to->f);
	history_sentences(h, s, put_wrapped, &deep);
}

int report_history_text(const struct history *h, FILE *out, int width)
{
	struct to to = {out, width < 40 ? 40 : width, "  "};
	size_t i, from = h->nnights > LIST_MAX ? h->nnights - LIST_MAX : 0;
	struct to flush = {out, to.width, ""};
	char *head = xasprintf("%s: %zu nights on this host%s", h->profile, h->nnights,
			       h->nightly ? ", one a day" : "");

	put_wrapped(&flush, head);
	free(head);
	if (from)
		fprintf(out, "  (%zu older nights: --json or --html has them)\n", from);
	for (i = from; i < h->nnights; i++)
		put_night(h, i, &to);
	history_general(h, put_wrapped, &to);
	for (i = 0; i < h->nseries; i++)
		put_series(h, &h->series[i], &to);
	return ferror(out) ? -EIO : 0;
}
