// SPDX-License-Identifier: GPL-2.0-or-later
/* Percentiles read from fio's bins (statistics.md, part 9). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "stats/stats.h"
#include "shape.h"

/*
 * Bins of 1/64 of an octave's base, as fio has them for latencies in ns: from 2^e on, each 2^e / 64
 * wide. Here from 64 ns to 2^26 ns.
 */
#define OCTAVE 64
#define FROM 6
#define BINS ((26 - FROM) * OCTAVE)
#define MAX_N 20
#define LEVEL 0.95

struct bins {
	double lo[BINS], hi[BINS];
};

static void bins_make(struct bins *b)
{
	for (size_t i = 0; i < BINS; i++) {
		double width = ldexp(1, FROM + (int)(i / OCTAVE)) / OCTAVE;

		b->lo[i] = ldexp(1, FROM + (int)(i / OCTAVE)) + i % OCTAVE * width;
		b->hi[i] = b->lo[i] + width;
	}
}

static size_t bin_of(double ns)
{
	int e;
	double m = frexp(ns, &e); /* 0.5 <= m < 1 */
	long i = (long)(e - 1 - FROM) * OCTAVE + (long)((m * 2 - 1) * OCTAVE);

	return i < 0 ? 0 : i >= BINS ? BINS - 1 : i;
}

/* Adds I/Os of a trial: lognormal about median ns. */
static void trial_fill(struct prove_rng *g, double median_ns, double sigma, size_t ios,
		       unsigned long long *count)
{
	double mu = log(median_ns);

	for (size_t i = 0; i < ios; i++)
		count[bin_of(exp(mu + sigma * prove_normal(g)))]++;
}

struct io_case {
	const struct bins *bins;
	size_t ios, n;
	double p, sigma, boot, theta;
};

/* --- noise of one trial --- */

static const double levels[] = {0.50, 0.99, 0.999};

static void one_trial(struct prove_rng *g, const void *arg, double *out)
{
	const struct io_case *c = arg;
	unsigned long long count[BINS] = {0};

	trial_fill(g, 100000, c->sigma, c->ios, count);
	for (int i = 0; i < 3; i++)
		out[i] =
			log(histogram_percentile(c->bins->lo, c->bins->hi, count, BINS, levels[i]));
}

static void noise(const struct bins *b)
{
	static const struct {
		size_t ios;
		double sd[3];
	} table[] = {{5000, {0.7, 1.9, 4.5}}, {20000, {0.4, 1.1, 2.3}}, {100000, {0.16, 0.5, 1.2}}};

	for (size_t i = 0; i < 3; i++) {
		struct io_case c = {b, table[i].ios, 1, 0, 0.4, 0, 0};
		size_t reps = prove_reps(c.ios > 50000 ? 600 : 3000, 120);
		double *v, x[3000];

		if (prove_is_short() && i)
			continue;
		v = prove_run(prove_name("part9.noise.%zu", c.ios), reps, 3, one_trial, &c);
		for (size_t j = 0; j < 3; j++) {
			double s;

			for (size_t r = 0; r < reps; r++)
				x[r] = v[r * 3 + j];
			s = 100 * sd(x, reps);
			/* 60 to 250 replications there: an error of up to 9 %; and its rounding. */
			prove_agrees(prove_name("part9.noise.p%g.ios%zu", 100 * levels[j], c.ios),
				     s, s / sqrt(2.0 * reps), table[i].sd[j],
				     0.1 * table[i].sd[j] + (table[i].sd[j] < 0.2 ? 0.03 : 0.05));
		}
		free(v);
	}
}

/* --- steps --- */

/* The bin's own value, as a reader without interpolation takes it: its middle. */
static double step_percentile(const struct bins *b, const unsigned long long *count, double p)
{
	unsigned long long total = 0, before = 0;

	for (size_t i = 0; i < BINS; i++)
		total += count[i];
	for (size_t i = 0; i < BINS; i++)
		if ((before += count[i]) >= p * total)
			return (b->lo[i] + b->hi[i]) / 2;
	return NAN;
}

enum { STEP_ERROR, SMOOTH_ERROR, STEP_COVERS, SMOOTH_COVERS, STEP_FIGURES };

/* A tight distribution (sigma 0.6 %, less than a bin), +0.5 % in truth, its place among the bins
 * drawn. */
static void tight(struct prove_rng *g, const void *arg, double *out)
{
	const struct io_case *c = arg;
	double a[MAX_N], b[MAX_N], sa[MAX_N], sb[MAX_N], floor,
		at = 100000 * (1 + 0.1 * prove_uniform(g));
	struct interval smooth, step;

	for (size_t k = 0; k < c->n; k++) {
		unsigned long long ca[BINS] = {0}, cb[BINS] = {0};

		trial_fill(g, at, c->sigma, c->ios, ca);
		trial_fill(g, at * exp(c->theta), c->sigma, c->ios, cb);
		a[k] = histogram_percentile(c->bins->lo, c->bins->hi, ca, BINS, 0.5);
		b[k] = histogram_percentile(c->bins->lo, c->bins->hi, cb, BINS, 0.5);
		sa[k] = step_percentile(c->bins, ca, 0.5);
		sb[k] = step_percentile(c->bins, cb, 0.5);
	}
	floor = (c->bins->hi[bin_of(at)] - c->bins->lo[bin_of(at)]) / at / sqrt(12);
	smooth = ratio_interval(a, b, c->n, LEVEL, floor);
	step = ratio_interval(sa, sb, c->n, LEVEL, 0);
	out[STEP_ERROR] = fabs(log(step.mid) - c->theta);
	out[SMOOTH_ERROR] = fabs(log(smooth.mid) - c->theta);
	out[STEP_COVERS] = step.lo <= exp(c->theta) && exp(c->theta) <= step.hi;
	out[SMOOTH_COVERS] = smooth.lo <= exp(c->theta) && exp(c->theta) <= smooth.hi;
}

static void steps(const struct bins *b)
{
	struct io_case c = {b, 1000, 6, 0.5, 0.006, 0, 0.005};
	size_t reps = prove_reps(6000, 400), k = STEP_FIGURES;
	double *v = prove_run("part9.steps", reps, k, tight, &c);
	struct prove_stat smooth = prove_rate(v, reps, k, SMOOTH_COVERS);
	struct prove_stat step = prove_rate(v, reps, k, STEP_COVERS);

	prove_figure("part9.interpolated.coverage", smooth.value, 0.93, false, smooth.se);
	prove_twin("part9.twin.bins-as-read.coverage", step.value, 0.93, false, step.se);
	smooth = prove_mean(v, reps, k, SMOOTH_ERROR);
	step = prove_mean(v, reps, k, STEP_ERROR);
	prove_figure("part9.interpolated.error-over-bins-as-read", smooth.value / step.value, 0.6,
		     true, (smooth.se + step.se) / step.value);
	free(v);
}

/* --- pooled histograms --- */

enum { POOLED_COVERS, TRIALS_COVER, POOLED_FIGURES };

/* The log percentile at rank p * n + z * sqrt(n p (1 - p)): a limit by order statistics. */
static double rank_limit(const struct io_case *c, const unsigned long long *count, double z)
{
	double n = (double)c->ios * c->n, p = c->p + z * sqrt(c->p * (1 - c->p) / n);

	return log(histogram_percentile(c->bins->lo, c->bins->hi, count, BINS, p));
}

static void boots(struct prove_rng *g, const void *arg, double *out)
{
	const struct io_case *c = arg;
	unsigned long long all[BINS] = {0};
	/* The percentile of a typical boot: ln 100 us + sigma * z_p. */
	double x[MAX_N], truth = log(100000) + c->sigma * normal_quantile(c->p);
	struct interval t;

	for (size_t k = 0; k < c->n; k++) {
		unsigned long long count[BINS] = {0};

		trial_fill(g, 100000 * exp(c->boot * prove_normal(g)), c->sigma, c->ios, count);
		x[k] = histogram_percentile(c->bins->lo, c->bins->hi, count, BINS, c->p);
		for (size_t i = 0; i < BINS; i++)
			all[i] += count[i];
	}
	t = gmean_interval(x, c->n, LEVEL);
	out[TRIALS_COVER] = log(t.lo) <= truth && truth <= log(t.hi);
	out[POOLED_COVERS] =
		rank_limit(c, all, -1.96) <= truth && truth <= rank_limit(c, all, 1.96);
}

static void pooled(const struct bins *b)
{
	static const double boot[] = {0.01, 0.03};
	size_t reps = prove_reps(2000, 250);

	for (size_t i = 0; i < 2; i++) {
		struct io_case c = {b, 2000, 10, 0.5, 0.4, boot[i], 0};
		const char *what = prove_name("boots%g", 100 * boot[i]);
		struct prove_stat r;
		double *v;

		if (prove_is_short() && !i)
			continue;
		if (!prove_is_short())
			c.ios = 5000;
		v = prove_run(prove_name("part9.pooled.%s", what), reps, POOLED_FIGURES, boots, &c);
		r = prove_rate(v, reps, POOLED_FIGURES, TRIALS_COVER);
		prove_figure(prove_name("part9.percentile-a-trial.%s", what), r.value,
			     prove_is_short() ? 0.90 : 0.93, false, r.se);
		r = prove_rate(v, reps, POOLED_FIGURES, POOLED_COVERS);
		prove_twin(prove_name("part9.twin.pooled-histogram.%s", what), r.value, 0.93, false,
			   r.se);
		free(v);
	}
}

void prove_part9(void)
{
	struct bins b; /* 20 KiB */

	bins_make(&b);
	noise(&b);
	steps(&b);
	pooled(&b);
}
