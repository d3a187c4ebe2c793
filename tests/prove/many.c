// SPDX-License-Identifier: GPL-2.0-or-later
/* Many comparisons, and components of variance (statistics.md, parts 7 and 8). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "stats/stats.h"
#include "shape.h"

#define LEVEL 0.95
#define OTHERS 11 /* 12 cells, one of them the reference */
#define MAX_M (OTHERS * 18)
#define MAX_N 20

struct family_case {
	size_t n, metrics;
	size_t real; /* comparisons that have an effect, of the first ones */
	double effect;
};

enum { ANY_RAW, ANY_HOLM, ANY_BH, SHARE_BH, SHARE_RAW, FAMILY_FIGURES };

static void compare_all(struct prove_rng *g, const struct family_case *c, double *p)
{
	double a[MAX_N], b[MAX_N];
	struct interval r;
	size_t at = 0;

	for (size_t m = 0; m < c->metrics; m++) {
		for (size_t k = 0; k < c->n; k++)
			a[k] = exp(0.02 * prove_normal(g));
		for (size_t i = 0; i < OTHERS; i++, at++) {
			for (size_t k = 0; k < c->n; k++)
				b[k] = exp((at < c->real ? c->effect : 0) + 0.02 * prove_normal(g));
			r = ratio_interval(a, b, c->n, LEVEL, 0);
			p[at] = ratio_p(&r);
		}
	}
}

static void shown(const double *p, const struct family_case *c, double *any, double *share)
{
	size_t wrong = 0, all = 0;

	for (size_t i = 0; i < OTHERS * c->metrics; i++) {
		all += p[i] < 0.05;
		wrong += p[i] < 0.05 && i >= c->real;
	}
	*any = wrong > 0;
	if (share)
		*share = all ? (double)wrong / all : 0;
}

static void family(struct prove_rng *g, const void *arg, double *out)
{
	const struct family_case *c = arg;
	double p[MAX_M], adjusted[MAX_M];
	size_t m = OTHERS * c->metrics;

	compare_all(g, c, p);
	shown(p, c, &out[ANY_RAW], &out[SHARE_RAW]);
	memcpy(adjusted, p, m * sizeof(*p));
	holm(adjusted, m);
	shown(adjusted, c, &out[ANY_HOLM], NULL);
	memcpy(adjusted, p, m * sizeof(*p));
	bh(adjusted, m);
	shown(adjusted, c, &out[ANY_BH], &out[SHARE_BH]);
}

static void families(void)
{
	static const struct family_case table[] = {
		{3, 2, 0, 0}, {6, 2, 0, 0}, {10, 2, 0, 0}, {3, 18, 0, 0}, {10, 18, 0, 0},
	};
	size_t reps = prove_reps(40000, 1500), k = FAMILY_FIGURES;

	for (size_t i = 0; i < 5; i++) {
		const struct family_case *c = &table[i];
		const char *what = prove_name("metrics%zu.n%zu", c->metrics, c->n);
		struct prove_stat r;
		double *v;

		if (prove_is_short() && c->metrics > 2)
			continue;
		v = prove_run(prove_name("part7.family.%s", what), reps, k, family, c);
		r = prove_rate(v, reps, k, ANY_RAW);
		prove_twin(prove_name("part7.twin.uncorrected.%s", what), r.value, 0.055, true,
			   r.se);
		if (c->n == 3)
			prove_agrees(prove_name("part7.uncorrected-as-published.%s", what), r.value,
				     r.se, c->metrics == 2 ? 0.60 : 0.985,
				     c->metrics == 2 ? 0.05 : 0.015);
		r = prove_rate(v, reps, k, ANY_HOLM);
		prove_figure(prove_name("part7.holm.%s", what), r.value,
			     prove_is_short() ? 0.0625 : 0.055, true, r.se);
		free(v);
	}
}

/* A third of the comparisons have an effect: Holm's family error and BH's share of false
 * discoveries. */
static void discoveries(void)
{
	struct family_case c = {8, 18, OTHERS * 6, 0.05};
	size_t reps = prove_reps(20000, 2500), k = FAMILY_FIGURES;
	double *v = prove_run("part7.discoveries", reps, k, family, &c);
	struct prove_stat r = prove_mean(v, reps, k, SHARE_BH);

	prove_figure("part7.bh.false-discoveries", r.value, 0.05, true, r.se);
	r = prove_mean(v, reps, k, SHARE_RAW);
	prove_twin("part7.twin.uncorrected.false-discoveries", r.value, 0.055, true, r.se);
	r = prove_rate(v, reps, k, ANY_HOLM);
	prove_nominal("part7.holm.with-effects", &r, 0.05);
	free(v);
}

/* Holm's first step of 22 comparisons, as half a width in units of a trial's sd. */
static void first_step(void)
{
	static const struct {
		size_t n;
		double half, round;
	} table[] = {{3, 17, 0.6}, {6, 3.3, 0.1}, {10, 1.9, 0.05}};

	for (size_t i = 0; i < 3; i++)
		prove_near(prove_name("part7.holm-first-step.n%zu", table[i].n),
			   t_interval_of(0, M_SQRT2, table[i].n, 1 - 0.05 / 22).hi, table[i].half,
			   table[i].round);
}

/*
 * The set of cells not shown worse than the best: Bonferroni over all pairs, as the model has it.
 * How often the truly best cell is left out; the twin judges each at 5 %.
 */
static void best_of(struct prove_rng *g, const void *arg, double *out)
{
	const struct family_case *c = arg;
	double y[OTHERS + 1][MAX_N], pairs = (OTHERS + 1) * OTHERS / 2.0, top = -INFINITY, p;
	size_t best = 0;
	struct interval r;

	/* All cells are equally good, so each is a best one: the hardest case for keeping cell 0.
	 */
	for (size_t i = 0; i <= OTHERS; i++) {
		double m = 0;

		for (size_t k = 0; k < c->n; k++) {
			y[i][k] = exp(0.02 * prove_normal(g));
			m += log(y[i][k]);
		}
		if (m > top) {
			top = m;
			best = i;
		}
	}
	r = ratio_interval(y[best], y[0], c->n, LEVEL, 0);
	p = best ? ratio_p(&r) : 1;
	out[0] = p * pairs < 0.05;
	out[1] = p < 0.05;
}

static void best_cells(void)
{
	size_t reps = prove_reps(40000, 3000);

	for (size_t n = 3; n <= 10; n += 7) {
		struct family_case c = {n, 1, 0, 0};
		const char *name = prove_name("part7.best-cell-left-out.n%zu", n);
		double *v = prove_run(name, reps, 2, best_of, &c);
		struct prove_stat r = prove_rate(v, reps, 2, 0);

		prove_figure(name, r.value, 0.05, true, r.se);
		r = prove_rate(v, reps, 2, 1);
		prove_twin(prove_name("part7.twin.best-cell-by-5-percent.n%zu", n), r.value, 0.055,
			   true, r.se);
		free(v);
	}
}

void prove_part7(void)
{
	families();
	discoveries();
	first_step();
	best_cells();
}

/* --- part 8 --- */

struct variance_case {
	double between, within;
	size_t groups, each;
	bool uneven; /* every other group has half as many */
};

#define GROUPS_MAX 10
#define EACH_MAX 10

static void components(struct prove_rng *g, const void *arg, double *out)
{
	const struct variance_case *c = arg;
	double x[GROUPS_MAX * EACH_MAX];
	size_t n[GROUPS_MAX], at = 0;
	struct components r;

	for (size_t i = 0; i < c->groups; i++) {
		double m = c->between * prove_normal(g);

		n[i] = c->uneven && i % 2 ? c->each / 2 : c->each;
		for (size_t j = 0; j < n[i]; j++)
			x[at++] = m + c->within * prove_normal(g);
	}
	r = variance_components(x, n, c->groups);
	out[0] = r.between;
	out[1] = r.within;
}

/* Cells x blocks with a block effect, one value in ten missing. */
static void two_ways(struct prove_rng *g, const void *arg, double *out)
{
	const struct variance_case *c = arg;
	double x[GROUPS_MAX * EACH_MAX];
	struct two_way r;

	for (size_t b = 0; b < c->each; b++) {
		double block = c->between * prove_normal(g);

		for (size_t i = 0; i < c->groups; i++)
			x[i * c->each + b] =
				(i + b) % 10 == 9 ? NAN
						  : 0.3 * i + block + c->within * prove_normal(g);
	}
	r = two_way_fit(x, c->groups, c->each);
	out[0] = r.blocks.between;
	out[1] = r.residual_sd * r.residual_sd;
}

static void variances(void)
{
	static const struct variance_case table[] = {{0.02, 0.01, 10, 10, false},
						     {0.01, 0.01, 10, 10, false},
						     {0.02, 0.02, 10, 10, true}};
	size_t reps = prove_reps(40000, 2000);

	for (int two = 0; two < 2; two++)
		for (size_t i = 0; i < (two ? 2 : 3); i++) {
			const struct variance_case *c = &table[i];
			const char *what = prove_name("%s.between%g.within%g%s",
						      two ? "two-way" : "groups", 100 * c->between,
						      100 * c->within, c->uneven ? ".uneven" : "");
			double *v = prove_run(prove_name("part8.%s", what), reps, 2,
					      two ? two_ways : components, c);
			struct prove_stat b = prove_mean(v, reps, 2, 0),
					  w = prove_mean(v, reps, 2, 1);

			prove_agrees(prove_name("part8.variance-between.%s", what), 1e4 * b.value,
				     1e4 * b.se, 1e4 * c->between * c->between, 0.0005);
			prove_agrees(prove_name("part8.variance-within.%s", what), 1e4 * w.value,
				     1e4 * w.se, 1e4 * c->within * c->within, 0.0005);
			free(v);
		}
}

/*
 * The probe of part 8: 0.9 s of overhead, v_w = 23 and v_b = 24 percent squared, read back from
 * seconds by the product's components; wall time for equal precision is (c0 + t) (v_b + v_w / t).
 */
static void length(struct prove_rng *g, const void *arg, double *out)
{
	struct variance_case c = {sqrt(24), sqrt(23), GROUPS_MAX, EACH_MAX, false};
	double v[2];

	(void)arg;
	components(g, &c, v);
	out[0] = v[0];
	out[1] = v[1];
}

static double wall(double t, double between, double within)
{
	return (0.9 + t) * (between + within / t);
}

static void best_length(void)
{
	static const double seconds[] = {2, 4, 8}, cost[] = {1.15, 1.63, 2.7},
			    round[] = {0.01, 0.01, 0.06};
	size_t reps = prove_reps(100000, 5000);
	double *v = prove_run("part8.length", reps, 2, length, NULL);
	struct prove_stat b = prove_mean(v, reps, 2, 0), w = prove_mean(v, reps, 2, 1);
	double t = sqrt(0.9 * w.value / b.value);

	prove_agrees("part8.best-trial-seconds", t, t / 2 * (b.se / b.value + w.se / w.value), 0.93,
		     0.005);
	for (int i = 0; i < 3; i++)
		prove_near(prove_name("part8.cost-of-%g-seconds", seconds[i]),
			   wall(seconds[i], 24, 23) / wall(sqrt(0.9 * 23 / 24), 24, 23), cost[i],
			   round[i]);
	free(v);
}

void prove_part8(void)
{
	variances();
	best_length();
}
