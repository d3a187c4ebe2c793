// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints harness/stats/seq_table.c: the boundaries of repeated intervals on the t statistic, by
 * numerical recursion.
 *
 * Let S and Q be the sum and the sum of squares of n normal values of mean 0, r = S / sqrt(Q), so
 * that t^2 = (n - 1) r^2 / (n - r^2). By Basu's theorem the path of r is independent of Q, hence
 *the next value over sqrt(Q) is tan(h), h independent of the path with density proportional to
 * cos^(n-1) h, and
 *
 *	r' = (S + sqrt(Q) tan h) / (sqrt(Q) sqrt(1 + tan^2 h)) = r cos h + sin h.
 *
 * The path of |t| is a Markov chain in one dimension, and the density of r at each look is an
 *integral over that of the look before, cut at its boundary, as for known variance [Armitage,
 *McPherson & Rowe 1969]. With |r| < R the next r' is below sqrt(1 + R^2); r' = sqrt(1 + R^2) sin b
 *makes the density smooth in b up to that end.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "stats/sequential.h"

#define ALPHA 0.05
#define POINTS 600 /* of the density in b */
#define NODES 48   /* of each integral over h */
#define MAXPOINTS 4800

/* Density of r >= 0 at look n (it is even), on b in [0, end]: r = top sin b. */
struct density {
	unsigned n, points;
	double top, end;
	double f[MAXPOINTS + 1];
};

struct rule {
	int n;
	double x[256], w[256];
};

/* Gauss-Legendre on [-1, 1], roots by Newton's steps. */
static void legendre(struct rule *r, int n)
{
	r->n = n;
	for (int i = 0; i < n; i++) {
		double x = cos(M_PI * (i + 0.75) / (n + 0.5)), d = 1;

		for (int it = 0; it < 50; it++) {
			double p0 = 1, p1 = x;

			for (int k = 2; k <= n; k++) {
				double p = ((2 * k - 1) * x * p1 - (k - 1) * p0) / k;

				p0 = p1;
				p1 = p;
			}
			d = n * (x * p1 - p0) / (x * x - 1);
			x -= p1 / d;
		}
		r->x[i] = x;
		r->w[i] = 2 / ((1 - x * x) * d * d);
	}
}

/* Cubic through the four points around b. */
static double density_at(const struct density *d, double r)
{
	double s = r / d->top, u;
	long i;

	u = asin(s > 1 ? 1 : s) / d->end * d->points;
	i = (long)u - 1;
	if (i < 0)
		i = 0;
	if (i > (long)d->points - 3)
		i = (long)d->points - 3;
	u -= i;
	return d->f[i] * (u - 1) * (u - 2) * (u - 3) / -6 +
	       d->f[i + 1] * u * (u - 2) * (u - 3) / 2 + d->f[i + 2] * u * (u - 1) * (u - 3) / -2 +
	       d->f[i + 3] * u * (u - 1) * (u - 2) / 6;
}

/* 1 / integral of cos^(n-1) over (-pi/2, pi/2). */
static double scale_of(unsigned n)
{
	int sign;

	return exp(lgamma_r((n + 1) / 2.0, &sign) - lgamma_r(n / 2.0, &sign)) / sqrt(M_PI);
}

/*
 * Density of r' = y >= 0 at look n + 1, from d cut at R. For given y and h there is one r, (y - sin
 * h) / cos h; it lies within R for h between b - a and the smaller of b + a and pi - a - b, tan a =
 * R.
 */
static double next_density(const struct density *d, const struct rule *rule, double R, double b)
{
	double a = atan(R), y = sqrt(1 + R * R) * sin(b), sum = 0;
	double lo = b - a, hi = fmin(b + a, M_PI - a - b), half = (hi - lo) / 2;
	unsigned power = d->n - 2;

	for (int i = 0; i < rule->n; i++) {
		double h = lo + half * (1 + rule->x[i]), c = cos(h), r = fabs(y - sin(h)) / c;

		sum += rule->w[i] * pow(c, power) * density_at(d, fmin(r, R));
	}
	return sum * half * scale_of(d->n);
}

/* Look n without a boundary before it: r^2 / n is Beta(1/2, (n - 1) / 2). */
static double first_density(unsigned n, double r)
{
	double q = 1 - r * r / n;

	return q > 0 ? scale_of(n - 1) / sqrt(n) * pow(q, (n - 3) / 2.0) : 0;
}

struct look {
	const struct density *before; /* NULL: the first */
	const struct rule *rule;
	double R, top;
	unsigned n;
};

static double look_density(const struct look *l, double b)
{
	if (!l->before)
		return first_density(l->n, l->top * sin(b));
	return next_density(l->before, l->rule, l->R, b);
}

/* Two-sided mass beyond b. */
static double mass_beyond(const struct look *l, const struct rule *rule, double b)
{
	double half = (M_PI / 2 - b) / 2, sum = 0;

	for (int i = 0; i < rule->n; i++) {
		double at = b + half * (1 + rule->x[i]);

		sum += rule->w[i] * look_density(l, at) * l->top * cos(at);
	}
	return 2 * sum * half;
}

/* b beyond which the look spends `spend`. */
static double boundary(const struct look *l, const struct rule *rule, double spend)
{
	double lo = 0, hi = M_PI / 2;

	for (int i = 0; i < 44; i++) {
		double at = (lo + hi) / 2;

		if (mass_beyond(l, rule, at) > spend)
			lo = at;
		else
			hi = at;
	}
	return (lo + hi) / 2;
}

static void row(unsigned max, unsigned points, const struct rule *rule, double *c)
{
	struct density *d = calloc(2, sizeof(*d)), *before = NULL, *now = d;
	double R = 0;

	if (!d)
		exit(1);
	for (unsigned n = SEQ_FIRST; n <= max; n++) {
		struct look l = {before, rule, R, before ? sqrt(1 + R * R) : sqrt(n), n};
		double end = boundary(&l, rule, before ? ALPHA / max : ALPHA * n / max);

		R = l.top * sin(end);
		c[n - SEQ_FIRST] = sqrt((n - 1) * R * R / (n - R * R));
		now->n = n;
		now->points = points;
		now->top = l.top;
		now->end = end;
		for (unsigned i = 0; i <= points; i++)
			now->f[i] = look_density(&l, end * i / points);
		before = now;
		now = before == d ? d + 1 : d;
	}
	free(d);
}

static double check_error(void)
{
	static const unsigned maxes[] = {4, 5, 7, 12, 40, 100};
	struct rule fine, usual;
	double a[SEQ_MAX], b[SEQ_MAX], worst = 0;

	legendre(&usual, NODES);
	legendre(&fine, 2 * NODES);
	for (size_t i = 0; i < sizeof(maxes) / sizeof(*maxes); i++) {
		row(maxes[i], POINTS, &usual, a);
		row(maxes[i], 2 * POINTS, &fine, b);
		for (unsigned n = SEQ_FIRST; n <= maxes[i]; n++)
			worst = fmax(worst, fabs(a[n - SEQ_FIRST] - b[n - SEQ_FIRST]));
	}
	return worst;
}

int main(void)
{
	double c[SEQ_MAX];
	struct rule rule;

	legendre(&rule, NODES);
	printf("// SPDX-License-Identifier: GPL-2.0-or-later\n"
	       "/*\n * Boundaries c_n of repeated intervals on the t statistic, in thousandths, rounded up: "
	       "error 5 %% over\n * all looks, spent as 5 %% * n / max. Made by "
	       "tests/prove/seq_table_make.c by numerical recursion,\n"
	       " * without simulation; twice the points and nodes change no figure by more than %.0e.\n"
	       " */\n/* clang-format off */\n#include \"stats/seq_table.h\"\n\n"
	       "const unsigned short seq_table[SEQ_TABLE_SIZE] = {\n",
	       check_error());
	for (unsigned max = SEQ_FIRST; max <= SEQ_MAX; max++) {
		int col = printf("\t/* %u */", max) + 7;

		row(max, POINTS, &rule, c);
		for (unsigned n = SEQ_FIRST; n <= max; n++) {
			if (col > 92)
				col = printf("\n\t") + 6;
			col += printf(" %.0f,", ceil(c[n - SEQ_FIRST] * 1000 - 1e-3));
		}
		printf("\n");
	}
	printf("};\n");
	return 0;
}
