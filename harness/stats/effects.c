/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Main effects of a profile's axes, and the components of variance (statistics.md, parts 3 and 8).
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include "stats/stats.h"

static double log_ratio(double a, double b)
{
	double d = a > 0 && b > 0 ? log(b) - log(a) : NAN;

	return isfinite(d) ? d : NAN;
}

static bool combo_in_use(const double *ya, const double *yb, size_t nblocks, size_t ncombos,
			 size_t c)
{
	for (size_t k = 0; k < nblocks; k++)
		if (!isnan(log_ratio(ya[k * ncombos + c], yb[k * ncombos + c])))
			return true;
	return false;
}

struct interval main_effect(const double *ya, const double *yb, size_t nblocks, size_t ncombos,
			    double level)
{
	struct interval r = {NAN, NAN, NAN, 0, NAN};
	double *d = calloc(nblocks ? nblocks : 1, sizeof(*d));
	size_t used = 0, n = 0;

	if (!d)
		return r;
	for (size_t c = 0; c < ncombos; c++) {
		if (!combo_in_use(ya, yb, nblocks, ncombos, c))
			continue;
		used++;
		for (size_t k = 0; k < nblocks; k++) /* a NAN stays and takes the block out below */
			d[k] += log_ratio(ya[k * ncombos + c], yb[k * ncombos + c]);
	}
	for (size_t k = 0; used && k < nblocks; k++)
		if (!isnan(d[k]))
			d[n++] = d[k] / used;
	if (n) {
		r = t_interval(d, n, level, 0);
		r.mid = exp(r.mid);
		r.lo = exp(r.lo);
		r.hi = exp(r.hi);
	}
	free(d);
	return r;
}

struct components variance_components(const double *x, const size_t *n, size_t groups)
{
	struct components c = {NAN, NAN, NAN, 0};
	double ss_between = 0, ss_within = 0, sum_n2 = 0, grand = 0, n0, ms_between;
	size_t total = 0, at = 0;

	for (size_t g = 0; g < groups; g++) {
		if (!n[g])
			return c;
		total += n[g];
		sum_n2 += (double)n[g] * n[g];
	}
	if (groups < 2 || total <= groups)
		return c;
	grand = mean(x, total);
	for (size_t g = 0; g < groups; g++) {
		double m = mean(x + at, n[g]);

		ss_between += n[g] * (m - grand) * (m - grand);
		for (size_t i = 0; i < n[g]; i++)
			ss_within += (x[at + i] - m) * (x[at + i] - m);
		at += n[g];
	}
	if (isnan(grand))
		return c;
	ms_between = ss_between / (groups - 1);
	c.within = ss_within / (total - groups);
	/* Groups of unequal size weigh as n0 equal ones: E(MSB) = within + n0 * between. */
	n0 = (total - sum_n2 / total) / (groups - 1);
	c.between = fmax(0, (ms_between - c.within) / n0);
	c.f = ms_between / c.within;
	c.groups = groups;
	return c;
}

/* One sweep of least squares: each row's (or column's) effect is the mean of what the other leaves.
 * Returns the largest change. */
static double sweep(const double *x, size_t n, size_t m, size_t step_n, size_t step_m, double *eff,
		    const double *other)
{
	double change = 0;

	for (size_t i = 0; i < n; i++) {
		double sum = 0;
		size_t k = 0;

		for (size_t j = 0; j < m; j++) {
			double v = x[i * step_n + j * step_m];

			if (!isnan(v)) {
				sum += v - other[j];
				k++;
			}
		}
		if (k && fabs(sum / k - eff[i]) > change)
			change = fabs(sum / k - eff[i]);
		if (k)
			eff[i] = sum / k;
	}
	return change;
}

/* How many rows, columns and fields hold anything. */
static void occupied(const double *x, size_t ncells, size_t nblocks, size_t *cells, size_t *blocks,
		     size_t *values)
{
	*cells = *blocks = *values = 0;
	for (size_t c = 0; c < ncells; c++) {
		size_t k = 0;

		for (size_t b = 0; b < nblocks; b++)
			k += !isnan(x[c * nblocks + b]);
		*cells += k > 0;
		*values += k;
	}
	for (size_t b = 0; b < nblocks; b++) {
		size_t k = 0;

		for (size_t c = 0; c < ncells; c++)
			k += !isnan(x[c * nblocks + b]);
		*blocks += k > 0;
	}
}

/* Residual sums of squares with the block effects and with the cells' means alone. */
static void squares(const double *x, size_t ncells, size_t nblocks, const double *mu,
		    const double *beta, double *with, double *without)
{
	*with = *without = 0;
	for (size_t c = 0; c < ncells; c++) {
		double m = 0;
		size_t k = 0;

		for (size_t b = 0; b < nblocks; b++)
			if (!isnan(x[c * nblocks + b])) {
				m += x[c * nblocks + b];
				k++;
			}
		for (size_t b = 0; k && b < nblocks; b++) {
			double v = x[c * nblocks + b], r = v - mu[c] - beta[b];

			if (isnan(v))
				continue;
			*with += r * r;
			*without += (v - m / k) * (v - m / k);
		}
	}
}

struct two_way two_way_fit(const double *x, size_t ncells, size_t nblocks)
{
	struct two_way r = {NAN, 0, {NAN, NAN, NAN, 0}};
	double *mu = calloc(ncells + 1, sizeof(*mu)), *beta = calloc(nblocks + 1, sizeof(*beta));
	double with, without, ms_blocks, k0;
	size_t cells, blocks, values;

	if (!mu || !beta)
		goto out;
	occupied(x, ncells, nblocks, &cells, &blocks, &values);
	if (cells < 2 || blocks < 2 || values + 1 <= cells + blocks)
		goto out;
	/* Alternating projections: done after one round when nothing is missing, quick when little
	 * is. */
	for (int i = 0; i < 2000; i++) {
		double moved = sweep(x, ncells, nblocks, nblocks, 1, mu, beta);

		moved = fmax(moved, sweep(x, nblocks, ncells, 1, nblocks, beta, mu));
		if (moved < 1e-14)
			break;
	}
	squares(x, ncells, nblocks, mu, beta, &with, &without);
	r.df = values + 1 - cells - blocks;
	r.residual_sd = sqrt(with / r.df);
	r.blocks.within = with / r.df;
	/*
	 * Henderson's third method: the sum of squares that blocks explain beside fixed cells has
	 * the expectation (blocks - 1) * within + (values - cells) * between, also when values are
	 * missing.
	 */
	k0 = (double)(values - cells) / (blocks - 1);
	ms_blocks = fmax(0, without - with) / (blocks - 1);
	r.blocks.between = fmax(0, (ms_blocks - r.blocks.within) / k0);
	r.blocks.f = ms_blocks / r.blocks.within;
	r.blocks.groups = blocks;
out:
	free(mu);
	free(beta);
	return r;
}
