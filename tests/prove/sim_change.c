// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nights are simulated and read as the product reads them: every night anew, with what was known by
 * then. A false alarm is any alarm on any of 90 nights; a delay counts the night of the change as 1
 * and is INFINITY where it was not found. Night sd is 2 % unless said otherwise.
 */
#include <math.h>
#include <stdlib.h>
#include "stats/change.h"
#include "stats/stats.h"
#include "tests/prove/prove.h"
#include "tests/prove/sim_change.h"

#define NIGHTS 90
#define QUIET 60    /* before a change */
#define FOLLOWED 60 /* after it */
#define SD 0.02
#define BLOCKS 10 /* of an ordinary night */
#define FRESH (8 * BLOCKS)

static const double steps[] = {0.03, 0.05, 0.10};

enum shape { NORMAL, LOGNORMAL, T4 };

struct world {
	enum shape shape;
	double rho, sd, step; /* step: share that is lost from night QUIET on */
	double f;	  /* share of the night-to-night variance that more blocks do not remove */
	double h;	  /* threshold */
	double rho_known; /* what the reader takes for rho; NAN: its own estimate */
	double spoiled;	  /* share that one night of the last 60 loses */
};

/* A value as it would be measured, and its log as the product takes it. Independent t of 4 degrees
 * of freedom has variance 2. */
static double draw(struct prove_rng *g, const struct world *w, double *u, bool first)
{
	double e = prove_normal(g), chi = 0, z;
	int i;

	for (i = 0; w->shape == T4 && i < 4; i++) {
		z = prove_normal(g);
		chi += z * z;
	}
	if (w->shape == T4)
		e /= sqrt(chi / 4) * sqrt(2);
	*u = first ? e : w->rho * *u + sqrt(1 - w->rho * w->rho) * e;
	if (w->shape == LOGNORMAL) /* a coefficient of variation of sd */
		return log(1e5 * exp(sqrt(log1p(w->sd * w->sd)) * *u));
	return w->sd * *u;
}

static void series(struct prove_rng *g, const struct world *w, double *x, size_t n)
{
	size_t i, bad = QUIET / 2 + prove_below(g, NIGHTS - QUIET / 2);
	double u = 0;

	for (i = 0; i < n; i++) {
		x[i] = draw(g, w, &u, !i);
		if (i >= QUIET)
			x[i] += log1p(-w->step);
		if (w->spoiled > 0 && i == bad)
			x[i] += log1p(-w->spoiled);
	}
}

static double last_z(const struct world *w, const double *x, size_t n)
{
	return isnan(w->rho_known) ? change_last(x, n).z : change_last_rho(x, n, w->rho_known).z;
}

/* --- the bare series
 * ------------------------------------------------------------------------------ */

/* Any alarm; share of suspect nights; any alarm in the list that change_read makes of it, and any
 * that stayed in it with more than one night to answer for it. */
static void body_false(struct prove_rng *g, const void *arg, double *out)
{
	const struct world *w = arg;
	struct change c[8];
	double x[NIGHTS], z;
	size_t n, i, count;

	series(g, w, x, NIGHTS);
	out[0] = out[1] = out[3] = 0;
	for (n = CHANGE_QUIET; n <= NIGHTS; n++) {
		z = fabs(last_z(w, x, n));
		if (z > w->h)
			out[0] = 1;
		out[1] += (z > CHANGE_SUSPECT) / (double)(NIGHTS - CHANGE_QUIET + 1);
	}
	count = isnan(w->rho_known) ? change_read(x, NIGHTS, w->h, c, 8) : 0;
	out[2] = count > 0;
	for (i = 0; i < count; i++)
		if (!c[i].provisional)
			out[3] = 1;
}

/* Nights to the first alarm; whether its set holds the change; nights in the set. */
static void body_step(struct prove_rng *g, const void *arg, double *out)
{
	const struct world *w = arg;
	double x[QUIET + FOLLOWED];
	struct change c;
	size_t n;

	series(g, w, x, QUIET + FOLLOWED);
	out[0] = INFINITY;
	out[1] = out[2] = NAN;
	for (n = QUIET + 1; n <= QUIET + FOLLOWED; n++) {
		c = change_last(x, n);
		if (!(fabs(c.z) > w->h))
			continue;
		out[0] = (double)(n - QUIET);
		out[1] = c.set_lo <= QUIET && QUIET <= c.set_hi;
		out[2] = (double)(c.set_hi - c.set_lo + 1);
		return;
	}
}

static void false_point(const char *what, struct world w, size_t reps, double bound, bool twin)
{
	const char *name = prove_name("part12.false-point.%s", what);
	struct prove_stat s;
	double *v;

	if (!prove_wanted(name))
		return;
	v = prove_run(name, reps, 4, body_false, &w);
	s = prove_rate(v, reps, 4, 0);
	if (twin)
		prove_twin(name, s.value, bound, true, s.se);
	else
		prove_figure(name, s.value, bound, true, s.se);
	if (!twin && isnan(w.rho_known) && !w.rho && w.shape == NORMAL && !(w.spoiled > 0)) {
		s = prove_mean(v, reps, 4, 1);
		prove_figure(prove_name("part12.suspect-nights.%s", what), s.value, 0.16, true,
			     s.se);
	}
	free(v);
}

/* What change_read keeps: the first reading raises what the bare rule raises, and the confirmed
 * list holds no spoiled night. */
static void confirmed_list(const char *what, struct world w, size_t reps, double bound)
{
	const char *name = prove_name("part12.confirmed-list.%s", what);
	struct prove_stat s;
	double *v;

	if (!prove_wanted(name))
		return;
	v = prove_run(name, reps, 4, body_false, &w);
	s = prove_rate(v, reps, 4, 3);
	prove_figure(name, s.value, bound, true, s.se);
	free(v);
}

/* The median is at most so many nights when fewer than half are found later: a share, which has a
 * standard error. */
static void late(const char *name, double *v, size_t n, size_t k, double nights)
{
	struct prove_stat s = prove_percentile(v, n, k, 0, 0.5), r;
	size_t i;

	prove_figure(prove_name("%s.median", name), s.value, nights, true, 0);
	for (i = 0; i < n; i++)
		v[i * k] = v[i * k] > nights;
	r = prove_rate(v, n, k, 0);
	prove_figure(prove_name("%s.later-than-%g", name, nights), r.value,
		     prove_is_short() ? 0.58 : 0.5, true, r.se);
}

static void bare_steps(size_t reps)
{
	static const double bound[] = {11, 4, 1};
	struct world w = {.sd = SD, .h = CHANGE_H, .rho_known = NAN};
	struct prove_stat s;
	const char *name;
	double *v;
	size_t i;

	for (i = 0; i < 3; i++) {
		name = prove_name("part12.bare.-%g%%", 100 * steps[i]);
		if (!prove_wanted(name))
			continue;
		w.step = steps[i];
		v = prove_run(name, reps, 3, body_step, &w);
		s = prove_rate(v, reps, 3, 1);
		prove_figure(prove_name("part12.location.-%g%%", 100 * steps[i]), s.value, 0.9,
			     false, s.se);
		late(name, v, reps, 3, bound[i]);
		free(v);
	}
}

/* --- confirmation on suspect nights
 * --------------------------------------------------------------- */

/*
 * Fresh blocks of tonight's build and of the reference build, interleaved: what the nights of a
 * host vary by is in both and cancels. A night of BLOCKS has the reducible variance (1 - f) sd^2,
 * so one block has BLOCKS times that, and a pair twice as much. At f = 1 nothing is left: the
 * smallest quantum stands in for it, as in part 2. Mean and standard deviation of the pairs are
 * drawn as such.
 */
static bool confirmed(struct prove_rng *g, const struct world *w, double step,
		      const struct change *c)
{
	double pair = fmax(sqrt(2 * BLOCKS * (1 - w->f)) * w->sd, 1e-6), chi = 0, e, d, s;
	int i;

	for (i = 0; i < FRESH - 1; i++) {
		e = prove_normal(g);
		chi += e * e;
	}
	s = pair * sqrt(chi / (FRESH - 1));
	d = step + pair / sqrt(FRESH) * prove_normal(g);
	return change_borne_out(
		c, &(struct change_fresh){d, t_cdf(-fabs(d) * sqrt(FRESH) / s, FRESH - 1)});
}

/* Nights to the first confirmed alarm. */
static void body_confirm(struct prove_rng *g, const void *arg, double *out)
{
	const struct world *w = arg;
	double x[QUIET + FOLLOWED];
	struct change c;
	size_t n;

	series(g, w, x, QUIET + FOLLOWED);
	out[0] = INFINITY;
	for (n = QUIET + 1; n <= QUIET + FOLLOWED; n++) {
		c = change_last(x, n);
		if (!(fabs(c.z) > CHANGE_SUSPECT) || !confirmed(g, w, log1p(-w->step), &c))
			continue;
		out[0] = (double)(n - QUIET);
		return;
	}
}

/* Any confirmed alarm on quiet nights. */
static void body_confirm_false(struct prove_rng *g, const void *arg, double *out)
{
	const struct world *w = arg;
	double x[NIGHTS];
	struct change c;
	size_t n;

	series(g, w, x, NIGHTS);
	out[0] = 0;
	for (n = CHANGE_QUIET; n <= NIGHTS; n++) {
		c = change_last(x, n);
		if (fabs(c.z) > CHANGE_SUSPECT && confirmed(g, w, 0, &c))
			out[0] = 1;
	}
}

static void confirm_steps(size_t reps)
{
	static const double shares[] = {0, 0.1, 0.25, 0.5, 0.75, 1}, bound[] = {4, 2, 1};
	struct world w = {.sd = SD, .rho_known = NAN};
	const char *name;
	double *v;
	size_t i, k;

	for (k = 0; k < 6; k++)
		for (i = 0; i < 3; i++) {
			name = prove_name("part12.confirmed.f=%g.-%g%%", shares[k], 100 * steps[i]);
			if (!prove_wanted(name))
				continue;
			w.f = shares[k];
			w.step = steps[i];
			v = prove_run(name, reps, 1, body_confirm, &w);
			late(name, v, reps, 1, bound[i]);
			free(v);
		}
}

static void confirm_false(size_t reps, double bound)
{
	static const double shares[] = {0, 0.5, 1};
	struct world w = {.sd = SD, .rho_known = NAN};
	struct prove_stat s;
	const char *name;
	double *v;
	size_t k;

	for (k = 0; k < 3; k++) {
		name = prove_name("part12.confirmed.false-point.f=%g", shares[k]);
		if (!prove_wanted(name))
			continue;
		w.f = shares[k];
		v = prove_run(name, reps, 1, body_confirm_false, &w);
		s = prove_rate(v, reps, 1, 0);
		prove_figure(name, s.value, bound, true, s.se);
		free(v);
	}
}

/* --- the anchor
 * ----------------------------------------------------------------------------------- */

#define DRIFT_NIGHTS 180

struct slope {
	double drift; /* log a night */
	double rho;
	bool slides; /* the twin: the 20 nights before the last 7 are the baseline */
	size_t nights;
};

/* Night of the first alarm (from the end of the anchor), INFINITY: none; and whether there was one.
 */
static void body_drift(struct prove_rng *g, const void *arg, double *out)
{
	const struct slope *s = arg;
	const struct world w = {.sd = 0.01, .rho = s->rho};
	double x[CHANGE_ANCHOR + DRIFT_NIGHTS], u = 0, step, p;
	const double *last;
	size_t i, n = CHANGE_ANCHOR + s->nights;

	for (i = 0; i < n; i++)
		x[i] = draw(g, &w, &u, !i) -
		       (i < CHANGE_ANCHOR ? 0 : s->drift * (double)(i - CHANGE_ANCHOR + 1));
	out[0] = INFINITY;
	out[1] = 0;
	for (i = CHANGE_ANCHOR + CHANGE_DRIFT_NIGHTS; i <= n; i++) {
		last = x + i - CHANGE_DRIFT_NIGHTS;
		if (s->slides)
			p = change_drift(last - CHANGE_ANCHOR, CHANGE_ANCHOR, last,
					 CHANGE_DRIFT_NIGHTS, &step);
		else
			p = change_drift(x, CHANGE_ANCHOR, x + CHANGE_ANCHOR, i - CHANGE_ANCHOR,
					 &step);
		if (!(p < CHANGE_DRIFT_P))
			continue;
		out[0] = (double)(i - CHANGE_ANCHOR);
		out[1] = 1;
		return;
	}
}

static void anchor(size_t reps, size_t many)
{
	const struct slope quiet = {.nights = NIGHTS}, tied = {.rho = 0.6, .nights = NIGHTS},
			   fixed = {.drift = 0.0005, .nights = 180},
			   slides = {.drift = 0.0005, .slides = true, .nights = 180};
	struct prove_stat s;
	double *v;
	bool brief = prove_is_short();
	size_t i;

	if (!prove_wanted("part12.anchor"))
		return;
	v = prove_run("part12.anchor.quiet", many, 2, body_drift, &quiet);
	s = prove_rate(v, many, 2, 1);
	prove_figure("part12.anchor.false-point", s.value, brief ? 0.06 : 0.03, true, s.se);
	free(v);
	v = prove_run("part12.anchor.ar0.6", reps, 2, body_drift, &tied);
	s = prove_rate(v, reps, 2, 1);
	prove_figure("part12.anchor.false-point.ar0.6", s.value, brief ? 0.17 : 0.13, true, s.se);
	free(v);
	v = prove_run("part12.anchor.drift", reps, 2, body_drift, &fixed);
	late("part12.anchor.drift", v, reps, 2, 32);
	free(v);
	v = prove_run("part12.anchor.slides", reps, 2, body_drift, &slides);
	for (i = 0; i < reps; i++)
		v[2 * i] = v[2 * i] <= 32;
	s = prove_rate(v, reps, 2, 0);
	prove_twin("part12.anchor.twin-slides.found-by-32", s.value, 0.5, false, s.se);
	s = prove_rate(v, reps, 2, 1);
	prove_twin("part12.anchor.twin-slides.found-in-180", s.value, 0.95, false, s.se);
	free(v);
}

void sim_change_prove(void)
{
	const struct world iid = {.sd = SD, .h = CHANGE_H, .rho_known = NAN};
	struct world w = iid;
	size_t many = prove_reps(20000, 1500), some = prove_reps(4000, 800);
	bool brief = prove_is_short();

	/* hundreds of series cannot show a rate of 1 %: the short form holds them to twice that */
	false_point("iid-2%", iid, many, brief ? 0.02 : 0.01, false);
	w.shape = LOGNORMAL;
	w.sd = 0.05;
	false_point("lognormal-5%", w, many, brief ? 0.02 : 0.01, false);
	w = iid;
	w.rho = 0.6;
	false_point("ar0.6", w, 2 * many, brief ? 0.07 : 0.05, false);
	w.rho_known = 0;
	w.h = 4.17;
	false_point("twin-independent-nights.ar0.6", w, some, 0.05, true);
	w = iid;
	w.h = 3.36; /* 1 % for one reading of the finished series */
	false_point("twin-read-once.iid-2%", w, some, 0.02, true);
	w = iid;
	w.spoiled = 0.10;
	confirmed_list("one-night-spoiled", w, some, 0.036);
	w = iid;
	w.shape = T4;
	confirmed_list("t4", w, some, 0.036);
	bare_steps(many);
	confirm_steps(some);
	confirm_false(many, brief ? 0.02 : 0.01);
	anchor(some, many);
}
