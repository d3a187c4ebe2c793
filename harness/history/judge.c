// SPDX-License-Identifier: GPL-2.0-or-later
/* What the series say: change points, drift, gaps, and what cannot be said. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "history/internal.h"

#define CHANGES_MAX 64
#define DAY_NS 86400000000000ll
#define HOUR_NS 3600000000000ll

double history_scale(const struct history_series *s, const struct history_point *p)
{
	double v = s->by_ratio ? p->ratio : p->value;

	if (s->metric->scale != SCALE_RATIO)
		return p->value;
	return v > 0 ? log(v) : NAN;
}

/* --- which nights belong together
 * ------------------------------------------------------------------- */

/* The end of the stretch that begins at lo: a ratio holds for one reference build. */
static size_t stretch_end(const struct history *h, const struct history_series *s, size_t lo)
{
	const char *a = h->nights[lo].reference, *b;
	size_t i;

	for (i = lo + 1; i < h->nnights; i++) {
		b = h->nights[i].reference;
		if (s->by_ratio && b && a && strcmp(a, b))
			return i;
		if (!a)
			a = b;
	}
	return h->nnights;
}

/* --- change points
 * -------------------------------------------------------------------------------- */

/*
 * Fresh blocks of a night that the new level holds for bear the change out, whatever the series
 * does next: in the same direction, at the level that 90 nights of suspects allow.
 */
static bool borne_out(const struct history_series *s, const struct change *c, size_t end)
{
	const struct history_point *p;
	size_t i;

	for (i = c->at; i < end; i++) {
		p = &s->points[i];
		if (p->confirm_p < CHANGE_CONFIRM_P && p->confirm > 0 &&
		    (log(p->confirm) > 0) == (c->step > 0))
			return true;
	}
	return false;
}

static void take_change(const struct history *h, struct history_series *s, const struct change *c,
			size_t end)
{
	struct history_change *x;
	size_t i;

	s->changes = xrealloc(s->changes, s->nchanges + 1, sizeof(*s->changes));
	x = &s->changes[s->nchanges++];
	*x = (struct history_change){.c = *c, .ratio = NAN};
	x->by_reference = borne_out(s, c, end);
	x->confirmed = !c->provisional || x->by_reference;
	x->better = (c->step > 0) == (s->metric->better == HIGHER_IS_BETTER);
	if (s->metric->scale == SCALE_RATIO)
		x->ratio = exp(c->step);
	for (i = c->set_lo; i <= c->set_hi && i < h->nnights; i++)
		x->surroundings |= h->nights[i].changed != NULL;
}

static void find_changes(const struct history *h, struct history_series *s, const double *x)
{
	struct change_fresh *fresh = xcalloc(h->nnights + 1, sizeof(*fresh));
	struct change c[CHANGES_MAX];
	size_t lo, hi, n, i;

	for (i = 0; i < h->nnights; i++)
		fresh[i] = (struct change_fresh){
			s->points[i].confirm > 0 ? log(s->points[i].confirm) : NAN,
			s->points[i].confirm_p};
	for (lo = 0; lo < h->nnights; lo = hi) {
		hi = stretch_end(h, s, lo);
		/* another reference build may begin a stretch of ratios only */
		n = change_read_fresh(x + lo, s->by_ratio ? fresh + lo : NULL, hi - lo, CHANGE_H, c,
				      CHANGES_MAX);
		for (i = 0; i < n; i++) {
			c[i].at += lo;
			c[i].set_lo += lo;
			c[i].set_hi += lo;
			c[i].found += lo;
			take_change(h, s, &c[i], i + 1 < n ? c[i + 1].at + lo : hi);
		}
	}
	free(fresh);
}

/* Nights about their level: standard deviation within segments. */
static double own_sd(const struct history *h, const struct history_series *s, const double *x)
{
	double *seg = xcalloc(h->nnights + 1, sizeof(*seg)), ss = 0;
	size_t lo = 0, df = 0, k, i, n, hi;

	for (k = 0; k <= s->nchanges; k++) {
		if (k < s->nchanges && s->changes[k].c.provisional)
			continue;
		hi = k < s->nchanges ? s->changes[k].c.at : h->nnights;
		for (n = 0, i = lo; i < hi; i++)
			if (isfinite(x[i]))
				seg[n++] = x[i];
		if (n > 1) {
			ss += sd(seg, n) * sd(seg, n) * (double)(n - 1);
			df += n - 1;
		}
		lo = hi > lo ? hi : lo;
	}
	free(seg);
	return df >= 2 ? sqrt(ss / (double)df) : NAN;
}

/* --- the anchor
 * ----------------------------------------------------------------------------------- */

/* The first 20 nights with a value since the reference build was accepted (without a gate: of all);
 * only `gate accept` moves them. */
static void find_drift(const struct history *h, struct history_series *s, const double *x)
{
	size_t lo = 0, next, i, n = 0;

	for (next = stretch_end(h, s, 0); next < h->nnights; next = stretch_end(h, s, lo))
		lo = next;
	for (i = lo; i < h->nnights && n < CHANGE_ANCHOR; i++)
		n += isfinite(x[i]);
	s->anchor_lo = lo;
	s->anchor_hi = i;
	if (n < CHANGE_ANCHOR || h->nnights - i < CHANGE_DRIFT_NIGHTS)
		return;
	s->drift_p = change_drift(x + lo, i - lo, x + i, h->nnights - i, &s->drift_step);
	for (i = 0; i < s->nchanges; i++)
		if (s->changes[i].confirmed && s->changes[i].c.at >= lo)
			s->drift_p = NAN;
	s->drifts = s->drift_p < CHANGE_DRIFT_P;
}

/* --- gaps
 * ----------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* A series is nightly when the typical distance of its runs is a day. */
static void find_gaps(struct history *h, int64_t now)
{
	int64_t *d = xcalloc(h->nnights + 1, sizeof(*d)), typical;
	size_t i;

	for (i = 1; i < h->nnights; i++)
		d[i - 1] = h->nights[i].begun - h->nights[i - 1].begun;
	if (h->nnights >= HISTORY_TELL) {
		qsort(d, h->nnights - 1, sizeof(*d), by_size);
		typical = d[(h->nnights - 1) / 2];
		h->nightly = typical >= 20 * HOUR_NS && typical <= 28 * HOUR_NS;
	}
	free(d);
	for (i = 1; h->nightly && i <= h->nnights; i++) {
		int64_t next = i < h->nnights ? h->nights[i].begun : now;
		int64_t away = next - h->nights[i - 1].begun;
		int64_t missing = (away + DAY_NS / 2) / DAY_NS - 1;

		if (missing < 1)
			continue;
		h->gaps = xrealloc(h->gaps, h->ngaps + 1, sizeof(*h->gaps));
		h->gaps[h->ngaps++] =
			(struct history_gap){i - 1, missing < 100000 ? (unsigned)missing : 100000};
	}
}

/* --- what cannot be said
 * ---------------------------------------------------------------------------- */

static char *unsaid(const struct history *h, const struct history_series *s)
{
	size_t since = h->nnights - s->anchor_hi;

	if (s->there < HISTORY_TELL)
		return xasprintf("%zu nights: nothing can be said below %d", s->there,
				 HISTORY_TELL);
	if (s->there < CHANGE_QUIET)
		return xasprintf("change points before night %d: with %zu nights the false alarms "
				 "could not be held to their rate",
				 CHANGE_QUIET, s->there);
	if (isnan(s->drift_p) && isfinite(s->drift_step))
		return xstrdup("whether it drifts: a change point lies between the anchor and now; "
			       "`vbench gate accept` moves the anchor");
	if (isnan(s->drift_p))
		return xasprintf(
			"whether it drifts: that takes %d nights after the anchor's %d, and there "
			"are %zu",
			CHANGE_DRIFT_NIGHTS, CHANGE_ANCHOR, since);
	return NULL;
}

/* Judged by the ratio where most nights have one: then the host's own nights cancel. */
static void judge_series(const struct history *h, struct history_series *s)
{
	double *x = xcalloc(h->nnights + 1, sizeof(*x));
	size_t i, ratios = 0;

	for (i = 0; i < h->nnights; i++) {
		s->there += isfinite(s->points[i].value);
		ratios += isfinite(s->points[i].ratio);
	}
	s->by_ratio = s->metric->scale == SCALE_RATIO && 2 * ratios > s->there;
	for (i = 0; i < h->nnights; i++)
		x[i] = history_scale(s, &s->points[i]);
	if (s->there >= HISTORY_TELL) {
		find_changes(h, s, x);
		s->sd = own_sd(h, s, x);
		i = s->nchanges ? s->changes[s->nchanges - 1].c.at : 0;
		s->rho = change_rho(x + i, h->nnights - i);
		find_drift(h, s, x);
	}
	s->unsaid = unsaid(h, s);
	free(x);
}

void history_judge(struct history *h, int64_t now)
{
	size_t i;

	find_gaps(h, now);
	for (i = 0; i < h->nseries; i++)
		judge_series(h, &h->series[i]);
	if (h->nnights < HISTORY_TELL)
		h->unsaid =
			xasprintf("%zu of the %d nights that it takes to say more than this list",
				  h->nnights, HISTORY_TELL);
}
