/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Change points: t of a split by hand, generalised least squares against a solver that inverts the
 * covariance matrix itself, alarms read night by night, drift. Rates and delays are proved by
 * simulation (tests/prove).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "stats/change.h"
#include "stats/stats.h"

#define N 40

static void close_to(double got, double want, double within)
{
	if (!(fabs(got - want) <= within))
		fail_msg("%.12g instead of %.12g", got, want);
}

/* Nights without trend, step or autocorrelation that matters: 0, +-1, +-2, +-3 in a fixed mixed
 * order. */
static double wiggle(size_t i)
{
	return (double)((i * 3 + i / 7) % 7) - 3;
}

/* Means 0 and 10, squares within 4 + 2 = 6 with 4 df: t = 10 / sqrt(1.5 * (1/4 + 1/2)). */
static void test_by_hand(void **state)
{
	const double x[] = {1, -1, 1, -1, 11, 9};
	struct change c = change_last_rho(x, 6, 0);

	(void)state;
	assert_int_equal(c.at, 4);
	assert_int_equal(c.found, 5);
	assert_false(c.provisional);
	close_to(c.step, 10, 1e-12);
	close_to(c.z, -normal_quantile(t_cdf(-10 / sqrt(1.125), 4)), 1e-9);
	assert_true(c.set_lo <= 4 && 4 <= c.set_hi);
}

/* --- the same from the definition: covariance matrix, normal equations
 * ----------------------------- */

static void solve(double a[N][N], double *b, size_t n)
{
	size_t i, j, k;

	for (i = 0; i < n; i++)
		for (j = i + 1; j < n; j++) {
			double f = a[j][i] / a[i][i];

			for (k = i; k < n; k++)
				a[j][k] -= f * a[i][k];
			b[j] -= f * b[i];
		}
	for (i = n; i-- > 0;) {
		for (j = i + 1; j < n; j++)
			b[i] -= a[i][j] * b[j];
		b[i] /= a[i][i];
	}
}

/* V^-1 v, where V[i][j] = rho^|t_i - t_j|. */
static void weigh(const size_t *t, size_t n, double rho, const double *v, double *out)
{
	double a[N][N];
	size_t i, j;

	for (i = 0; i < n; i++)
		for (j = 0; j < n; j++)
			a[i][j] = pow(rho, fabs((double)t[i] - (double)t[j]));
	memcpy(out, v, n * sizeof(*v));
	solve(a, out, n);
}

static double dot(const double *a, const double *b, size_t n)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		s += a[i] * b[i];
	return s;
}

static double slow_t(const double *y, const size_t *t, size_t n, size_t k, double rho)
{
	double one[N], step[N], wo[N], ws[N], wy[N], oo, os, ss, oy, sy, det, b, a, rss;

	for (size_t i = 0; i < n; i++) {
		one[i] = 1;
		step[i] = i >= k;
	}
	weigh(t, n, rho, one, wo);
	weigh(t, n, rho, step, ws);
	weigh(t, n, rho, y, wy);
	oo = dot(one, wo, n);
	os = dot(step, wo, n);
	ss = dot(step, ws, n);
	oy = dot(one, wy, n);
	sy = dot(step, wy, n);
	det = oo * ss - os * os;
	b = (oo * sy - os * oy) / det;
	a = (ss * oy - os * sy) / det;
	rss = dot(y, wy, n) - a * oy - b * sy;
	return b / sqrt(rss / (double)(n - 2) * oo / det);
}

static void against_slow(const double *x, size_t n, double rho)
{
	double y[N], best = 0, t;
	size_t at[N], m = 0, k, where = 0;
	struct change c = change_last_rho(x, n, rho);

	for (k = 0; k < n; k++)
		if (isfinite(x[k])) {
			y[m] = x[k];
			at[m++] = k;
		}
	for (k = 2; k < m; k++) {
		t = slow_t(y, at, m, k, rho);
		if (fabs(t) > fabs(best)) {
			best = t;
			where = at[k];
		}
	}
	assert_int_equal(c.at, where);
	close_to(c.z, copysign(-normal_quantile(t_cdf(-fabs(best), (double)(m - 2))), best), 1e-6);
}

static void test_gls(void **state)
{
	double x[N];
	size_t i;

	(void)state;
	for (i = 0; i < N; i++)
		x[i] = 100 + wiggle(i) + (i >= 31 ? 4 : 0);
	against_slow(x, N, 0);
	against_slow(x, N, 0.3);
	against_slow(x, N, 0.9);
	x[3] = x[17] = x[18] = x[33] = NAN; /* gaps weaken the tie, they do not close up */
	against_slow(x, N, 0.6);
	x[0] = x[39] = NAN;
	against_slow(x, N, 0.6);
}

static void test_nothing_to_tell(void **state)
{
	double x[N], none[N];
	struct change c[2];
	size_t i;

	(void)state;
	for (i = 0; i < N; i++) {
		x[i] = 5;
		none[i] = NAN;
	}
	assert_true(change_last(x, N).z == 0);
	assert_true(change_last(x, 0).z == 0);
	assert_true(change_last(none, N).z == 0);
	assert_int_equal(change_read(x, N, CHANGE_H, c, 2), 0);
	assert_int_equal(change_read(none, N, CHANGE_H, c, 2), 0);
	assert_int_equal(change_read(NULL, 0, CHANGE_H, c, 2), 0);
	x[4] = 9;
	assert_true(change_last(x, 5).z == 0); /* fewer than six nights */
	for (i = 0; i < N; i++)
		x[i] = i % 2 ? INFINITY : wiggle(i);
	assert_true(isfinite(change_last(x, N).z)); /* what is not finite is missing */
}

/* 1, 1, -1, -1, ...: of 15 products of neighbours eight are 1 and seven -1, c1/c0 = 1/16; solved
 * for the bias (16 r + 1) / (16 - 4) = 1/6. */
static void test_rho(void **state)
{
	double x[64];
	size_t i;

	(void)state;
	for (i = 0; i < 16; i++)
		x[i] = i % 4 < 2 ? 1 : -1;
	close_to(change_rho(x, 16), 1 / 6.0, 1e-12);
	for (i = 0; i < 16; i++)
		x[i] = i % 2 ? 1 : -1;
	assert_true(change_rho(x, 16) == 0);
	for (i = 0; i < 64; i++)
		x[i] = (double)i;
	close_to(change_rho(x, 64), 0.9, 0);
	assert_true(change_rho(x, 7) == 0);
}

/* --- night by night
 * ------------------------------------------------------------------------------- */

static void nights(double *x, size_t n, size_t at, double step)
{
	for (size_t i = 0; i < n; i++)
		x[i] = wiggle(i) + (i >= at ? step : 0);
}

static void test_step(void **state)
{
	struct change c[4];
	double x[80];

	(void)state;
	nights(x, 80, 50, -20); /* ten standard deviations */
	assert_int_equal(change_read(x, 80, CHANGE_H, c, 4), 1);
	assert_int_equal(c[0].at, 50);
	assert_int_equal(c[0].found, 50); /* on the first night ... */
	assert_false(c[0].provisional);	  /* ... and borne out by those after it */
	assert_false(c[0].withdrawn);
	assert_true(c[0].z < -CHANGE_H);
	assert_true(c[0].step < -15);
	assert_true(c[0].set_lo <= 50 && 50 <= c[0].set_hi);
	/* as read on that very night */
	assert_int_equal(change_read(x, 51, CHANGE_H, c, 4), 1);
	assert_true(c[0].provisional);
	assert_int_equal(change_read(x, 50, CHANGE_H, c, 4), 0);
}

static void test_two_steps(void **state)
{
	struct change c[4];
	double x[120];

	(void)state;
	nights(x, 120, 40, -20);
	for (size_t i = 85; i < 120; i++)
		x[i] += 30;
	assert_int_equal(change_read(x, 120, CHANGE_H, c, 4), 2);
	assert_int_equal(c[0].at, 40);
	assert_int_equal(c[1].at, 85);
	assert_true(c[1].z > 0);
	/* a list with room for one holds the first, whole */
	memset(c, 0, sizeof(c));
	assert_int_equal(change_read(x, 120, CHANGE_H, c, 1), 1);
	assert_int_equal(c[0].at, 40);
	assert_false(c[0].provisional);
	assert_int_equal(c[1].at, 0);
	assert_int_equal(change_read(x, 120, CHANGE_H, NULL, 0), 0);
}

/* One night ten standard deviations low answers for itself only. */
static void test_spoiled_night(void **state)
{
	struct change c[4];
	double x[80];

	(void)state;
	nights(x, 80, 80, 0);
	x[60] -= 20;
	assert_int_equal(change_read(x, 80, CHANGE_H, c, 4), 1);
	assert_int_equal(c[0].found, 60);
	assert_true(c[0].provisional);
	assert_true(c[0].withdrawn);
	assert_int_equal(change_read(x, 62, CHANGE_H, c, 4),
			 1); /* one night later it still may be true */
	assert_false(c[0].withdrawn);
}

static void test_quiet_first(void **state)
{
	struct change c[4];
	double x[80];

	(void)state;
	nights(x, 80, 20, -20);
	assert_int_equal(change_read(x, CHANGE_QUIET - 1, CHANGE_H, c, 4), 0);
	assert_int_equal(change_read(x, CHANGE_QUIET, CHANGE_H, c, 4), 1);
	assert_int_equal(c[0].at, 20);
	/* missing nights are none: ten of them put the first alarm off by ten */
	for (size_t i = 0; i < 10; i++)
		x[i] = NAN;
	assert_int_equal(change_read(x, CHANGE_QUIET + 9, CHANGE_H, c, 4), 0);
	assert_int_equal(change_read(x, CHANGE_QUIET + 10, CHANGE_H, c, 4), 1);
	assert_int_equal(c[0].at, 20);
}

/* --- drift
 * ---------------------------------------------------------------------------------------- */

static void test_drift(void **state)
{
	double x[80], step;
	size_t i;

	(void)state;
	nights(x, 80, 80, 0);
	assert_true(change_drift(x, 20, x + 20, 60, &step) > 0.05);
	/* the last seven of the wiggle are one of each value: mean 0 in both, less what 20 of it
	 * leave */
	assert_true(fabs(step) < 1);
	for (i = 20; i < 80; i++)
		x[i] += 0.1 * (double)(i - 19); /* 5.7 in the mean of the last seven, sd 2 */
	assert_true(change_drift(x, 20, x + 20, 60, &step) < CHANGE_DRIFT_P);
	close_to(step, 5.8, 0.6);
	for (i = 73; i < 78; i++)
		x[i] = NAN; /* two of seven are too few */
	assert_true(isnan(change_drift(x, 20, x + 20, 60, &step)));
	assert_true(isnan(step));
	assert_true(isnan(change_drift(x, 5, x + 20, 60, &step)));
	assert_true(isnan(change_drift(x, 20, x + 20, 0, &step)));
	for (i = 0; i < 80; i++)
		x[i] = 3;
	assert_true(change_drift(x, 20, x + 20, 60, &step) == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_gls),
		cmocka_unit_test(test_nothing_to_tell),
		cmocka_unit_test(test_rho),
		cmocka_unit_test(test_step),
		cmocka_unit_test(test_two_steps),
		cmocka_unit_test(test_spoiled_night),
		cmocka_unit_test(test_quiet_first),
		cmocka_unit_test(test_drift),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
