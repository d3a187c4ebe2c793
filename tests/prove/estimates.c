// SPDX-License-Identifier: GPL-2.0-or-later
/* Coverage and width of the intervals of a ratio, and of main effects (statistics.md, parts 2, 3).
 */
#include <math.h>
#include <stdlib.h>
#include "stats/stats.h"
#include "shape.h"

#define MAX_N 30
#define LEVEL 0.95
#define RESAMPLE 999

struct pairs_case {
	enum shape shape;
	size_t n;
	double theta;
};

enum { T_COVERS, T_COVERS_MEAN, T_HALF, HL_COVERS, HL_HALF, PAIR_FIGURES };

static double covers(const struct interval *r, double truth)
{
	return r->lo <= truth && truth <= r->hi;
}

static double half(const struct interval *r)
{
	return (log(r->hi) - log(r->lo)) / 2;
}

static void pair_intervals(struct prove_rng *g, const void *arg, double *out)
{
	const struct pairs_case *c = arg;
	double a[MAX_N], b[MAX_N], d[MAX_N];
	struct interval t, hl;

	shape_pairs(g, c->shape, c->theta, c->n, a, b);
	t = ratio_interval(a, b, c->n, LEVEL, 0);
	out[T_COVERS] = covers(&t, exp(c->theta));
	out[T_COVERS_MEAN] = covers(&t, exp(c->theta + shape_mean(c->shape)));
	out[T_HALF] = half(&t);
	for (size_t i = 0; i < c->n; i++)
		d[i] = log(b[i] / a[i]);
	hl = hodges_lehmann(d, c->n, LEVEL);
	out[HL_COVERS] = isnan(hl.lo) ? NAN : covers(&hl, c->theta);
	out[HL_HALF] = (hl.hi - hl.lo) / 2;
}

static void coverage(void)
{
	size_t reps = prove_reps(40000, 4000);

	for (enum shape s = 0; s < SHAPES_ALIKE; s++)
		for (size_t n = 3; n <= 20; n++) {
			struct pairs_case c = {s, n, 0.07};
			const char *name;
			struct prove_stat r;
			double *v;

			if (prove_is_short() && n != 3 && n != 6 && n != 20)
				continue;
			name = prove_name("part2.coverage.%s.n%zu", shape_word[s], n);
			v = prove_run(name, reps, PAIR_FIGURES, pair_intervals, &c);
			r = prove_rate(v, reps, PAIR_FIGURES, T_COVERS);
			prove_figure(name, r.value, 0.93, false, r.se);
			r = prove_rate(v, reps, PAIR_FIGURES, HL_COVERS);
			if (n >= 6)
				prove_figure(prove_name("part2.hodges-lehmann.%s.n%zu",
							shape_word[s], n),
					     r.value, 0.93, false, r.se);
			/* Logs of lognormal values are normal: there the interval is exact. */
			if (s <= SHAPE_LOGN30) {
				r = prove_rate(v, reps, PAIR_FIGURES, T_COVERS);
				prove_agrees(prove_name("part2.exact.%s.n%zu", shape_word[s], n),
					     r.value, r.se, 0.95, 0);
			}
			free(v);
		}
}

/*
 * Slow trials in one cell only. The interval is one of the typical trial (the median of the pairs):
 * that it covers. Read as one of the mean, in which the slow trials count, it would be wrong; hence
 * their line of their own in the report.
 */
static void one_cell(void)
{
	static const size_t sizes[] = {3, 6, 10, 20};
	size_t reps = prove_reps(40000, 4000);

	for (size_t i = 0; i < 4; i++) {
		struct pairs_case c = {SHAPE_SPOILED_B, sizes[i], 0.07};
		const char *name = prove_name("part2.spoiled-in-one-cell.n%zu", c.n);
		double *v = prove_run(name, reps, PAIR_FIGURES, pair_intervals, &c);
		struct prove_stat r = prove_rate(v, reps, PAIR_FIGURES, T_COVERS);

		prove_figure(name, r.value, 0.93, false, r.se);
		r = prove_rate(v, reps, PAIR_FIGURES, T_COVERS_MEAN);
		if (c.n >= 6)
			prove_twin(prove_name("part2.twin.read-as-the-mean.n%zu", c.n), r.value,
				   0.93, false, r.se);
		free(v);
	}
}

/* Half-widths when s is sigma, in units of a trial's sd; and Hodges-Lehmann's beside it. */
static void widths(void)
{
	static const struct {
		size_t n;
		double half;
	} table[] = {{3, 3.51},	 {4, 2.25},  {5, 1.76},	 {6, 1.48},  {8, 1.18},
		     {10, 1.01}, {12, 0.90}, {15, 0.78}, {20, 0.66}, {30, 0.53}};
	size_t reps = prove_reps(50000, 4000);
	struct pairs_case normal = {SHAPE_NORMAL2, 20, 0}, spoiled = {SHAPE_SPOILED, 20, 0};
	double *v = prove_run("part2.width", reps, PAIR_FIGURES, pair_intervals, &normal);
	double *w = prove_run("part2.width-spoiled", reps, PAIR_FIGURES, pair_intervals, &spoiled);
	struct prove_stat t, hl;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		prove_near(prove_name("part2.half-width.n%zu", table[i].n),
			   t_interval_of(0, M_SQRT2, table[i].n, LEVEL).hi, table[i].half, 0.0051);
	t = prove_mean(v, reps, PAIR_FIGURES, T_HALF);
	hl = prove_mean(v, reps, PAIR_FIGURES, HL_HALF);
	prove_agrees("part2.hl-half-over-t.normal.n20", hl.value / t.value,
		     (hl.se + t.se) / t.value, 1.03, 0.01);
	t = prove_percentile(w, reps, PAIR_FIGURES, T_HALF, 0.5);
	hl = prove_percentile(w, reps, PAIR_FIGURES, HL_HALF, 0.5);
	prove_figure("part2.hl-half-over-t.spoiled.n20", hl.value / t.value, 0.75, true,
		     (hl.se + t.se) / t.value);
	free(v);
	free(w);
}

/* --- the percentile bootstrap --- */

static void bootstrap(struct prove_rng *g, const void *arg, double *out)
{
	const struct pairs_case *c = arg;
	double a[MAX_N], b[MAX_N], d[MAX_N], m[RESAMPLE];

	shape_pairs(g, c->shape, c->theta, c->n, a, b);
	for (size_t i = 0; i < c->n; i++)
		d[i] = log(b[i] / a[i]);
	for (size_t k = 0; k < RESAMPLE; k++) {
		m[k] = 0;
		for (size_t i = 0; i < c->n; i++)
			m[k] += d[prove_below(g, c->n)] / c->n;
	}
	out[0] = percentile(m, RESAMPLE, 0.025) <= c->theta &&
		 c->theta <= percentile(m, RESAMPLE, 0.975);
}

static void bootstrap_twin(void)
{
	static const struct {
		size_t n;
		double coverage;
	} table[] = {{3, 0.75}, {5, 0.83}, {10, 0.90}, {20, 0.925}};
	size_t reps = prove_reps(20000, 1500);

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct pairs_case c = {SHAPE_NORMAL2, table[i].n, 0.07};
		const char *name = prove_name("part2.twin.bootstrap.n%zu", table[i].n);
		struct prove_stat r;
		double *v;

		/* At n = 20 it is nearly right: a short run cannot tell. */
		if (prove_is_short() && table[i].n > 10)
			continue;
		v = prove_run(name, reps, 1, bootstrap, &c);
		r = prove_rate(v, reps, 1, 0);
		if (table[i].n < 20)
			prove_twin(name, r.value, 0.93, false, r.se);
		prove_agrees(prove_name("part2.bootstrap-as-published.n%zu", table[i].n), r.value,
			     r.se, table[i].coverage, 0.01);
		free(v);
	}
}

/* --- a metric that comes in steps --- */

#define QUANTUM 0.01 /* of the log: a bin */

static void quantised(struct prove_rng *g, const void *arg, double *out)
{
	const struct pairs_case *c = arg;
	double a[MAX_N], b[MAX_N];
	struct interval with, without;

	/* No noise but the block's, which carries the reading over the steps. */
	for (size_t i = 0; i < c->n; i++) {
		double at = 5 + 0.05 * prove_normal(g);

		a[i] = exp(QUANTUM * round(at / QUANTUM));
		b[i] = exp(QUANTUM * round((at + c->theta) / QUANTUM));
	}
	with = ratio_interval(a, b, c->n, LEVEL, QUANTUM / sqrt(12));
	without = ratio_interval(a, b, c->n, LEVEL, 0);
	out[0] = covers(&with, exp(c->theta));
	/* Equal readings give an interval of no width: rounding of the logs is no width either. */
	out[1] = without.lo - 1e-9 <= exp(c->theta) && exp(c->theta) <= without.hi + 1e-9;
}

static void variance_floor(void)
{
	size_t reps = prove_reps(50000, 3000);

	for (size_t n = 3; n <= 5; n += 2) {
		struct pairs_case c = {SHAPE_NORMAL2, n, 0.3 * QUANTUM};
		const char *name = prove_name("part2.floor.n%zu", n);
		double *v = prove_run(name, reps, 2, quantised, &c);
		struct prove_stat r = prove_rate(v, reps, 2, 0);

		prove_figure(name, r.value, 0.93, false, r.se);
		r = prove_rate(v, reps, 2, 1);
		prove_twin(prove_name("part2.twin.no-floor.n%zu", n), r.value, 0.93, false, r.se);
		free(v);
	}
}

void prove_part2(void)
{
	coverage();
	one_cell();
	widths();
	bootstrap_twin();
	variance_floor();
}

/* --- part 3: 2 x 2 x 3 cells, 3 blocks --- */

#define CELLS 12
#define COMBOS 6 /* of the other axes, for a level of a two-level axis */
#define BLOCKS 3

struct matrix_case {
	double noisy; /* sd of cells 0 and 6 (one combination, both levels); the others' is 1 % */
	size_t blocks;
};

enum {
	PAIR_HALF,
	MAIN_COVERS,
	MAIN_HALF,
	POOLED_PAIR,
	POOLED_MAIN,
	POOLED_HALF,
	PAIR_COVERS,
	MATRIX_FIGURES
};

static double pooled_half(const struct two_way *f, double terms, size_t blocks)
{
	return t_quantile(0.5 + LEVEL / 2, f->df) * f->residual_sd * sqrt(2 / terms / blocks);
}

static void matrix(struct prove_rng *g, const void *arg, double *out)
{
	const struct matrix_case *c = arg;
	double ya[BLOCKS * COMBOS], yb[BLOCKS * COMBOS], x[CELLS * BLOCKS], a[BLOCKS], b[BLOCKS];
	double pair = 0, main = 0, h;
	struct interval r, p;
	struct two_way fit;

	for (size_t k = 0; k < c->blocks; k++) {
		double block = 0.05 * prove_normal(g);

		for (size_t i = 0; i < CELLS; i++) {
			double sd = i % COMBOS ? 0.01 : c->noisy;
			double v = block + 0.1 * i + sd * prove_normal(g);

			x[i * c->blocks + k] = v;
			(i < COMBOS ? ya : yb)[k * COMBOS + i % COMBOS] = exp(v);
		}
		a[k] = ya[k * COMBOS];
		b[k] = yb[k * COMBOS];
		pair += (log(b[k] / a[k])) / c->blocks;
	}
	p = ratio_interval(a, b, c->blocks, LEVEL, 0);
	r = main_effect(ya, yb, c->blocks, COMBOS, LEVEL);
	fit = two_way_fit(x, CELLS, c->blocks);
	main = log(r.mid);
	out[PAIR_HALF] = half(&p) / 0.01;
	out[PAIR_COVERS] = covers(&p, exp(0.6));
	out[MAIN_COVERS] = covers(&r, exp(0.6));
	out[MAIN_HALF] = half(&r) / 0.01;
	out[POOLED_PAIR] = fabs(pair - 0.6) <= pooled_half(&fit, 1, c->blocks);
	h = pooled_half(&fit, COMBOS, c->blocks);
	out[POOLED_MAIN] = fabs(main - 0.6) <= h;
	out[POOLED_HALF] = h / 0.01;
}

void prove_part3(void)
{
	size_t reps = prove_reps(100000, 5000), k = MATRIX_FIGURES;
	struct matrix_case even = {0.01, BLOCKS}, uneven = {0.05, BLOCKS};
	double *v = prove_run("part3.even", reps, k, matrix, &even);
	struct prove_stat r = prove_percentile(v, reps, k, PAIR_HALF, 0.5);

	prove_agrees("part3.half-width.pair", r.value, r.se, 2.9, 0.05);
	r = prove_percentile(v, reps, k, MAIN_HALF, 0.5);
	prove_agrees("part3.half-width.main-effect", r.value, r.se, 1.2, 0.05);
	r = prove_percentile(v, reps, k, POOLED_HALF, 0.5);
	prove_agrees("part3.half-width.pooled", r.value, r.se, 0.68, 0.005);
	r = prove_rate(v, reps, k, MAIN_COVERS);
	prove_agrees("part3.coverage.main-effect.equal-sd", r.value, r.se, 0.95, 0);
	free(v);
	v = prove_run("part3.uneven", reps, k, matrix, &uneven);
	r = prove_rate(v, reps, k, MAIN_COVERS);
	prove_figure("part3.coverage.main-effect.unequal-sd", r.value, 0.93, false, r.se);
	prove_agrees("part3.exact.main-effect.unequal-sd", r.value, r.se, 0.95, 0);
	r = prove_rate(v, reps, k, PAIR_COVERS);
	prove_figure("part3.coverage.noisy-pair", r.value, 0.93, false, r.se);
	r = prove_rate(v, reps, k, POOLED_PAIR);
	prove_twin("part3.twin.pooled-sd-of-noisy-pair", r.value, 0.93, false, r.se);
	prove_agrees("part3.pooled-as-published", r.value, r.se, 0.61, 0.01);
	r = prove_rate(v, reps, k, POOLED_MAIN);
	prove_agrees("part3.pooled-main-as-published", r.value, r.se, 0.925, 0.006);
	free(v);
}
