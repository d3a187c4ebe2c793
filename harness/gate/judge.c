// SPDX-License-Identifier: GPL-2.0-or-later
/* The gate's two stages as arithmetic: levels, suspects, what a night can see. */
#include <math.h>
#include <stdlib.h>
#include "base/err.h"
#include "gate/judge.h"
#include "stats/power.h"
#include "stats/sequential.h"
#include "stats/stats.h"

#define CONFIRM_MAX 0.01 /* level of stage 2 where the rate would allow more */
#define BLOCKS_MAX 10000u

#define PLAN_MIN 6u
#define PLAN_POWER 0.9	 /* of each stage */
#define PLAN_UNLUCKY 0.1 /* share of nights with more spread than is planned for */

static double suspect_chance(const struct gate_rule *r)
{
	return fmin(1, GATE_SCREEN * (double)(r->series ? r->series : 1));
}

double gate_level(const struct gate_rule *r)
{
	return fmin(CONFIRM_MAX, r->rate / (GATE_NIGHTS * suspect_chance(r)));
}

double gate_rate_bound(const struct gate_rule *r)
{
	return fmin(1, GATE_NIGHTS * suspect_chance(r) * gate_level(r));
}

struct gate_stage gate_stage_of(const double *base, const double *change, size_t blocks,
				bool higher_is_better, double floor)
{
	struct gate_stage s = {.harm = NAN, .sd = NAN, .p_worse = NAN, .p_better = NAN};
	struct interval i = ratio_interval(base, change, blocks, 0.95, floor);
	double t;

	s.n = i.n;
	if (!i.n)
		return s;
	s.harm = log(i.mid) * (higher_is_better ? -1 : 1);
	if (i.n < 2)
		return s;
	s.sd = i.sd;
	if (s.sd > 0) {
		t = s.harm / (s.sd / sqrt((double)s.n));
		s.p_better = t_cdf(t, (double)(s.n - 1));
		s.p_worse = t_cdf(-t, (double)(s.n - 1));
	} else {
		/* all pairs alike to the last bit: certain, or no difference at all */
		s.p_worse = s.harm > 0 ? 0 : 1;
		s.p_better = s.harm < 0 ? 0 : 1;
	}
	return s;
}

int gate_suspect(const struct gate_stage *screen)
{
	if (screen->p_worse < GATE_SCREEN)
		return 1;
	return screen->p_better < GATE_SCREEN ? -1 : 0;
}

void gate_confirm(const struct gate_rule *r, const struct gate_stage *confirm, const int *suspect,
		  size_t n, double *p, int *shown)
{
	double *family = xcalloc(n + 1, sizeof(*family)), level = gate_level(r);
	size_t i;
	int which;

	for (which = 1; which >= -1; which -= 2) {
		for (i = 0; i < n; i++)
			family[i] = suspect[i] != which ? NAN
				    : which > 0		? confirm[i].p_worse
							: confirm[i].p_better;
		holm(family, n);
		for (i = 0; i < n; i++) {
			if (suspect[i] != which)
				continue;
			p[i] = family[i];
			shown[i] = family[i] < level ? which : 0;
		}
	}
	for (i = 0; i < n; i++) {
		if (suspect[i])
			continue;
		p[i] = NAN;
		shown[i] = 0;
	}
	free(family);
}

/* One slow series beside the false suspects that are to be expected: Holm's first step. */
static double first_step(const struct gate_rule *r)
{
	double others = GATE_SCREEN * (double)(r->series > 1 ? r->series - 1 : 0);

	return gate_level(r) / (1 + ceil(others));
}

static double night_power(const struct gate_rule *r, double effect, double sd)
{
	/* a noiseless metric: whatever differs is found */
	if (sd <= 0)
		return 1;
	return power_pairs(effect, sd, r->blocks, GATE_SCREEN, true) *
	       power_pairs(effect, sd, r->confirm, first_step(r), true);
}

double gate_seen(const struct gate_rule *r, double sd, double power)
{
	double lo = 0, hi = 1e-3;
	int i;

	if (!isfinite(sd) || r->blocks < 2 || r->confirm < 2)
		return NAN;
	while (night_power(r, hi, sd) < power) {
		lo = hi;
		hi *= 2;
		if (hi > 1e6)
			return NAN;
	}
	for (i = 0; i < 60 && hi - lo > 1e-6 * hi; i++) {
		double mid = (lo + hi) / 2;

		if (night_power(r, mid, sd) < power)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}

unsigned gate_needs(const struct gate_rule *r, double sd, double power)
{
	double share = r->blocks ? (double)r->confirm / r->blocks : 2;
	unsigned lo = 1, hi = BLOCKS_MAX;

	while (hi - lo > 1) {
		struct gate_rule x = *r;
		unsigned mid = lo + (hi - lo) / 2;

		x.blocks = mid;
		x.confirm = (unsigned)ceil(mid * share);
		if (x.confirm < 2)
			x.confirm = 2;
		if (night_power(&x, r->must_see, sd) < power)
			lo = mid;
		else
			hi = mid;
	}
	return hi == BLOCKS_MAX ? 0 : hi;
}

/*
 * What the noisiest of the series shows of its spread, of n blocks, as a multiple of the true one;
 * exceeded on one night in ten (Bonferroni: series need not be independent).
 */
static double unlucky(const struct gate_rule *r, unsigned n)
{
	double chance = PLAN_UNLUCKY / (double)(r->series ? r->series : 1);

	return sqrt(chi2_quantile(1 - chance, n - 1) / (n - 1));
}

static unsigned plan_stage(const struct gate_rule *r, double sd, double level, unsigned max)
{
	unsigned n = sd > 0 ? pairs_for(r->must_see, sd, level, true, PLAN_POWER) : PLAN_MIN;

	if (!n || n > max)
		return max;
	return n < PLAN_MIN ? PLAN_MIN : n;
}

void gate_plan(struct gate_rule *r, double sd, bool blocks, bool confirm)
{
	/* more blocks need fewer blocks: they show the spread better */
	if (blocks)
		for (r->blocks = PLAN_MIN; r->blocks < GATE_PLAN_BLOCKS; r->blocks++)
			if (plan_stage(r, sd * unlucky(r, r->blocks), GATE_SCREEN,
				       GATE_PLAN_BLOCKS) <= r->blocks)
				break;
	if (confirm)
		r->confirm =
			plan_stage(r, sd * unlucky(r, r->blocks), first_step(r), GATE_PLAN_CONFIRM);
}

struct gate_limits gate_sequence(const struct gate_stage *all, double level, size_t series)
{
	struct gate_limits l = {-INFINITY, INFINITY};
	double half;

	if (all->n < 2 || !isfinite(all->sd))
		return l;
	half = confseq_factor((unsigned)all->n, level / (double)(series ? series : 1)) * all->sd /
	       sqrt((double)all->n);
	if (!isfinite(half))
		return l;
	l.lo = all->harm - half;
	l.hi = all->harm + half;
	return l;
}
