// SPDX-License-Identifier: GPL-2.0-or-later
/* What the reports ask about several guests at once: a curve's columns, its knees in words. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "reports/page.h"

static const struct {
	const char *title, *metric;
} columns[CURVE_COLUMNS] = {
	[CURVE_RATIO] = {"vCPU:CPU", NULL},
	[CURVE_GUESTS] = {"guests", NULL},
	[CURVE_ALL] = {"IOPS, all", "iops"},
	[CURVE_EACH] = {"per guest", NULL},
	[CURVE_LATENCY] = {"p99", NULL},
	[CURVE_WAIT] = {"vCPU wait", "runqueue.wait"},
	[CURVE_STEAL] = {"steal", "guest.steal"},
	[CURVE_HOST] = {"host CPU", "host.cpu"},
	[CURVE_FAIR] = {"fairness", "fairness.jain"},
};

const char *curve_title(enum curve_column c)
{
	return columns[c].title;
}

static const struct model_row *row_at(const struct model *m, const struct model_curve *c, size_t i)
{
	const struct model_workload *w = &m->workloads[c->workload];

	for (size_t k = 0; k < w->nrows; k++)
		if (w->rows[k].cell == c->at[i].cell)
			return &w->rows[k];
	return NULL;
}

/* With how many blocks it is of, where not all have it: a percentile that only some could tell. */
static void figure_text(const struct model *m, const struct model_knee *k, size_t i, char *buf,
			size_t size)
{
	size_t n = 0, used;

	if (!k->metric || !isfinite(k->abs[i].mid))
		return;
	metric_text(k->metric, k->abs[i].mid, buf, size);
	for (size_t b = 0; k->points && b < m->blocks_planned; b++)
		n += isfinite(k->points[i * m->blocks_planned + b]);
	used = strlen(buf);
	if (n && n < m->blocks_planned && used < size)
		snprintf(buf + used, size - used, " (%zu of %zu)", n, (size_t)m->blocks_planned);
}

char *curve_text(const struct model *m, const struct model_curve *c, size_t i,
		 enum curve_column col, char *buf, size_t size)
{
	const struct model_row *r = row_at(m, c, i);
	const struct metric_row *metric =
		columns[col].metric ? metric_find(columns[col].metric) : NULL;
	const struct model_value *v = r && metric ? row_value(r, metric) : NULL;

	snprintf(buf, size, "-");
	if (col == CURVE_RATIO)
		snprintf(buf, size, "%.3g", c->at[i].ratio);
	else if (col == CURVE_GUESTS)
		snprintf(buf, size, "%u x %u", c->at[i].guests, c->at[i].vcpus);
	else if (col == CURVE_EACH)
		figure_text(m, &c->of[CURVE_SHARE], i, buf, size);
	else if (col == CURVE_LATENCY)
		figure_text(m, &c->of[CURVE_P99], i, buf, size);
	else if (col == CURVE_FAIR && v && isfinite(v->abs.mid))
		snprintf(buf, size, "%.3f", v->abs.mid);
	else if (v && isfinite(v->abs.mid))
		metric_text(metric, v->abs.mid, buf, size);
	return buf;
}

bool curve_has(const struct model *m, const struct model_curve *c, enum curve_column col)
{
	char buf[64];

	for (size_t i = 0; i < c->npoints; i++)
		if (strcmp(curve_text(m, c, i, col, buf, sizeof(buf)), "-"))
			return true;
	return false;
}

const char *curve_figure_word(enum curve_figure f)
{
	return f == CURVE_SHARE ? "IOPS per guest" : "99th percentile";
}

char *knee_text(const struct model_knee *k, char *buf, size_t size)
{
	if (!k->metric)
		snprintf(buf, size, "not measured");
	else if (k->fit.word == KNEE_NONE)
		snprintf(buf, size, "%s", k->fit.why ? k->fit.why : "cannot be told");
	else if (k->fit.word == KNEE_STRAIGHT)
		snprintf(buf, size, "no knee shown within the range (p = %.2g)", k->fit.p);
	else
		snprintf(buf, size, "knee at %.2f [%.2f%s, %.2f%s] vCPUs a CPU (p = %.2g)",
			 k->fit.at, k->fit.lo, k->fit.lo_open ? " or less" : "", k->fit.hi,
			 k->fit.hi_open ? " or more" : "", k->fit.p);
	return buf;
}

/* One level of the host's CPUs: "21 % at 1 (the source: about 20 %)". */
static size_t load_part(const struct model_load *l, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%.0f %% at %.3g", 100 * l->was.mid, l->ratio);
	size_t used = n > 0 && (size_t)n < size ? (size_t)n : size - 1;

	if (!isfinite(l->says))
		return used;
	n = snprintf(buf + used, size - used, " (its source: about %.0f %%)", 100 * l->says);
	return used + (n > 0 && (size_t)n < size - used ? (size_t)n : 0);
}

char *rule_load_text(const struct model_rule *r, char *buf, size_t size)
{
	size_t n;

	buf[0] = 0;
	if (!isfinite(r->one.was.mid) || !isfinite(r->at.was.mid))
		return buf;
	n = (size_t)snprintf(buf, size, "host CPU ");
	n += load_part(&r->one, buf + n, size - n);
	n += (size_t)snprintf(buf + n, size - n, ", ");
	n += load_part(&r->at, buf + n, size - n);
	if (isfinite(r->busy))
		snprintf(buf + n, size - n, "; above %.0f %% it calls a host busy", 100 * r->busy);
	return buf;
}
