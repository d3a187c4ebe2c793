// SPDX-License-Identifier: GPL-2.0-or-later
/* The knee of overcommit (reports/methods.md): what its interval covers, and knees where there is
 * none. */
#include <math.h>
#include <stdlib.h>
#include "analysis/knee.h"
#include "prove.h"
#include "stats/stats.h"

#define LEVELS 6
#define BLOCKS 6

static const double ratios[LEVELS] = {0.5, 1, 1.5, 2, 3, 4};

struct knee_case {
	double sd, at, slope; /* at 0: a straight line of that slope */
};

/* log y = block (sd 5 %) + slope * max(0, ln x - ln at) + error */
static void draw(struct prove_rng *g, const struct knee_case *c, double *y)
{
	for (int b = 0; b < BLOCKS; b++) {
		double block = 0.05 * prove_normal(g);

		for (int k = 0; k < LEVELS; k++) {
			double l = log(ratios[k]) - (c->at > 0 ? log(c->at) : 0);
			double down = c->at > 0 ? fmax(l, 0) : l;

			y[k * BLOCKS + b] =
				exp(5 + block + c->slope * down + c->sd * prove_normal(g));
		}
	}
}

/* The slope's change at the best break, tested as if that break had been known. */
static bool as_if_known(const struct knee *k, double at)
{
	double u[LEVELS], x[LEVELS], xm = 0, um = 0, xx = 0, xu = 0, uu = 0;

	for (int i = 0; i < LEVELS; i++) {
		x[i] = log(ratios[i]);
		u[i] = x[i] > at ? x[i] - at : 0;
		xm += x[i] / LEVELS;
		um += u[i] / LEVELS;
	}
	for (int i = 0; i < LEVELS; i++) {
		xx += (x[i] - xm) * (x[i] - xm);
		xu += (x[i] - xm) * (u[i] - um);
		uu += (u[i] - um) * (u[i] - um);
	}
	return fabs(k->after - k->before) * sqrt((uu - xu * xu / xx) * BLOCKS) / k->sd >
	       t_quantile(0.95, BLOCKS * (LEVELS - 1) - 3);
}

/* shown, covered (NAN: not shown), half-width (NAN), the wrong twin's word */
static void one(struct prove_rng *g, const void *arg, double *out)
{
	const struct knee_case *c = arg;
	double y[LEVELS * BLOCKS];
	struct knee k;

	draw(g, c, y);
	knee_fit(ratios, LEVELS, y, BLOCKS, -1, 0.95, &k);
	out[0] = k.word == KNEE_SHOWN_AT;
	out[1] = out[2] = NAN;
	out[3] = 0;
	if (k.word == KNEE_SHOWN_AT) {
		out[1] = (k.lo_open || k.lo <= c->at) && (k.hi_open || c->at <= k.hi);
		out[2] = (k.hi - k.lo) / 2;
	}
	/* the break itself is not told unless shown: the twin takes the best of the levels */
	for (int i = 1; i < LEVELS - 1 && !isnan(k.before) && !isnan(k.after); i++)
		out[3] = fmax(out[3], as_if_known(&k, log(ratios[i])));
}

static void covered(double sd, double at)
{
	struct knee_case c = {sd, at, -1};
	size_t n = prove_reps(4000, 150);
	const char *name = prove_name("part16.knee%g.sd%g", at, 100 * sd);
	double *v;
	struct prove_stat s;

	if (!prove_wanted(name))
		return;
	v = prove_run(name, n, 4, one, &c);
	s = prove_rate(v, n, 4, 1);
	prove_figure(prove_name("%s.covered", name), s.value, prove_is_short() ? 0.85 : 0.92, false,
		     s.se);
	s = prove_rate(v, n, 4, 0);
	prove_figure(prove_name("%s.found", name), s.value, prove_is_short() ? 0.9 : 0.98, false,
		     s.se);
	if (at == 2) {
		s = prove_mean(v, n, 4, 2);
		prove_figure(prove_name("%s.half-width", name), s.value, 4 * sd, true, s.se);
	}
	free(v);
}

static void none(double sd, double slope)
{
	struct knee_case c = {sd, 0, slope};
	size_t n = prove_reps(8000, 4000);
	const char *name = prove_name("part16.straight%g.sd%g", slope, 100 * sd);
	double *v;
	struct prove_stat s;

	if (!prove_wanted(name))
		return;
	v = prove_run(name, n, 4, one, &c);
	s = prove_rate(v, n, 4, 0);
	prove_nominal(prove_name("%s.false", name), &s, 0.05);
	s = prove_rate(v, n, 4, 3);
	prove_twin(prove_name("%s.break-as-if-known", name), s.value, 0.05, true, s.se);
	free(v);
}

void prove_part16(void)
{
	static const double sds[] = {0.02, 0.05, 0.1}, ats[] = {1.3, 2, 2.5};

	for (int i = 0; i < 3; i++) {
		for (int k = 0; k < 3; k++)
			if (!prove_is_short() || k == 1)
				covered(sds[i], ats[k]);
		/* the rate does not depend on the noise, nor on the line: one is enough for the
		 * short form */
		if (!prove_is_short() || i == 1)
			none(sds[i], 0);
		if (!prove_is_short())
			none(sds[i], -0.5);
	}
}
