// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Change points of a series of nights: two-sample t of every split by generalised least squares
 * under AR(1), re-read nightly. A night's regression is x = mu + step * [night >= k] + u; whitening
 * turns u into independent errors, after which every split is a regression on two columns whose
 * sums of squares are suffix sums: O(n) a night for all splits together.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "stats/change.h"
#include "stats/stats.h"

#define TELL_MIN 6  /* nights below which a segment says nothing */
#define LEFT_MIN 2  /* nights before a split */
#define RHO_SPARE 8 /* newest nights that rho is not taken from: a change would sit there */
#define RHO_MIN 8   /* nights below which rho is not told */
#define RHO_MAX 0.9
#define SET_DROP 2.4 /* log-likelihood below the best: in the location set, see change.h */
#define PENDING 3    /* nights below h after which a provisional alarm is taken back */
#define CLIP 2.5     /* robust standard deviations from the median, for the confirmed list */
#define Z_MAX 38.0   /* beyond, a normal tail is no double */

/* A segment's nights that are there, whitened. */
struct white {
	size_t n;
	size_t *night;		   /* index in the segment */
	double *w, *a, *e;	   /* value, intercept's column, the step's own first entry */
	double saa, saw, sww;	   /* sums over all of them */
	double *tail_aa, *tail_aw; /* [n + 1] sums from i on */
};

static void white_free(struct white *s)
{
	free(s->night);
	free(s->w);
}

/* n doubles six times over in one piece; false: no memory, or nothing to do. */
static bool white_room(struct white *s, size_t n)
{
	*s = (struct white){0};
	if (n < TELL_MIN || n > (1U << 24))
		return false;
	s->night = malloc(n * sizeof(*s->night));
	s->w = malloc((5 * n + 2) * sizeof(*s->w));
	if (!s->night || !s->w) {
		white_free(s);
		return false;
	}
	s->a = s->w + n;
	s->e = s->a + n;
	s->tail_aa = s->e + n;
	s->tail_aw = s->tail_aa + n + 1;
	return true;
}

/*
 * Nights i and j correlate by rho^(j - i), so a gap weakens the tie instead of closing up. Values
 * are taken from the first one, which no statistic depends on but the sums' rounding does.
 */
static void white_fill(struct white *s, const double *x, size_t n, double rho)
{
	double origin = 0, r, scale;
	size_t i, last = 0;

	for (i = 0; i < n; i++) {
		if (!isfinite(x[i]))
			continue;
		if (!s->n) {
			origin = x[i];
			r = 0;
		} else {
			r = i - last == 1 ? rho : pow(rho, (double)(i - last));
		}
		scale = 1 / sqrt(1 - r * r);
		s->w[s->n] = (x[i] - origin - (s->n ? r * (x[last] - origin) : 0)) * scale;
		s->a[s->n] = (1 - r) * scale;
		s->e[s->n] = scale;
		s->night[s->n++] = last = i;
	}
	s->tail_aa[s->n] = s->tail_aw[s->n] = 0;
	for (i = s->n; i-- > 0;) {
		s->tail_aa[i] = s->tail_aa[i + 1] + s->a[i] * s->a[i];
		s->tail_aw[i] = s->tail_aw[i + 1] + s->a[i] * s->w[i];
		s->sww += s->w[i] * s->w[i];
	}
	s->saa = s->tail_aa[0];
	s->saw = s->tail_aw[0];
}

/* The step's column is e at k, a after it, 0 before. What a split takes off the residual sum of
 * squares of the constant level is step^2 * room. */
static double white_step(const struct white *s, size_t k, double *room)
{
	double sas = s->a[k] * s->e[k] + s->tail_aa[k + 1];
	double sss = s->e[k] * s->e[k] + s->tail_aa[k + 1];
	double ssw = s->e[k] * s->w[k] + s->tail_aw[k + 1];

	*room = sss - sas * sas / s->saa;
	return *room > 0 ? (ssw - sas * s->saw / s->saa) / *room : 0;
}

/* t on the normal scale: the z with the same tail. */
static double z_of(double t, double df)
{
	double tail = t_cdf(-fabs(t), df), z = tail > 0 ? -normal_quantile(tail) : Z_MAX;

	return copysign(z < Z_MAX ? z : Z_MAX, t);
}

/* Those splits whose likelihood falls short of the best by no more than SET_DROP. */
static void locate(const struct white *s, double rss0, double best_gain, struct change *c)
{
	double room, step, limit = exp(2 * SET_DROP / (double)s->n);
	double least = rss0 - best_gain;
	size_t k;

	for (k = LEFT_MIN; k < s->n; k++) {
		step = white_step(s, k, &room);
		if (rss0 - step * step * room > least * limit)
			continue;
		if (s->night[k] < c->set_lo)
			c->set_lo = s->night[k];
		if (s->night[k] > c->set_hi)
			c->set_hi = s->night[k];
	}
}

static void judge(const struct white *s, struct change *c)
{
	double rss0 = s->sww - s->saw * s->saw / s->saa, gain = 0, room, step, rss;
	size_t k, best = 0;

	for (k = LEFT_MIN; k < s->n; k++) {
		step = white_step(s, k, &room);
		if (step * step * room > gain) {
			gain = step * step * room;
			c->step = step;
			best = k;
		}
	}
	/* equal nights, or differences that only rounding made */
	if (!best || !(gain > 1e-20 * (double)s->n))
		return;
	rss = rss0 - gain > 1e-12 * rss0 ? rss0 - gain : 1e-12 * rss0;
	c->z = z_of(copysign(sqrt(gain / (rss / (double)(s->n - 2))), c->step), (double)(s->n - 2));
	c->at = c->set_lo = c->set_hi = s->night[best];
	c->provisional = best == s->n - 1;
	locate(s, rss0, rss0 - rss, c);
}

struct change change_last_rho(const double *x, size_t n, double rho)
{
	struct change c = {.found = n ? n - 1 : 0, .rho = rho};
	struct white s;

	if (!white_room(&s, n))
		return c;
	white_fill(&s, x, n, rho);
	if (s.n >= TELL_MIN)
		judge(&s, &c);
	white_free(&s);
	return c;
}

/*
 * c1/c0 about the mean is low by (1 + 4 rho) / n [Kendall 1954]; solved for rho. (The (1 + 3 rho) /
 * n of Marriott & Pope 1954 belongs to the regression of a night on the one before.) Pairs of
 * neighbouring nights that are both there.
 */
double change_rho(const double *x, size_t n)
{
	double m = 0, c0 = 0, c1 = 0, r;
	size_t i, count = 0, pairs = 0;

	for (i = 0; i < n; i++)
		if (isfinite(x[i])) {
			m += x[i];
			count++;
		}
	if (count < RHO_MIN)
		return 0;
	m /= (double)count;
	for (i = 0; i < n; i++) {
		if (!isfinite(x[i]))
			continue;
		c0 += (x[i] - m) * (x[i] - m);
		if (i && isfinite(x[i - 1])) {
			c1 += (x[i] - m) * (x[i - 1] - m);
			pairs++;
		}
	}
	if (!(c0 > 0) || !pairs)
		return 0;
	r = c1 / c0 * (double)(count - 1) / (double)pairs; /* 1 where none is missing */
	r = (r * (double)count + 1) / ((double)count - 4);
	return r < 0 ? 0 : r > RHO_MAX ? RHO_MAX : r;
}

struct change change_last(const double *x, size_t n)
{
	return change_last_rho(x, n, n > RHO_SPARE ? change_rho(x, n - RHO_SPARE) : 0);
}

/* --- night by night -----------------------------------------------------------------------------
 */

struct reader {
	double *x;	    /* ours: nights that were taken back are NAN */
	const struct change_fresh *fresh; /* NULL: none */
	double *clipped;    /* room for a segment */
	size_t segment;	    /* its first night */
	bool pending;	    /* an alarm waits for more nights ... */
	struct change what; /* ... this one */
	struct change *out; /* where it stands in the list; NULL: there was no room */
	unsigned patience;  /* nights below h that it may still see */
};

static size_t nights(const double *x, size_t n)
{
	size_t i, count = 0;

	for (i = 0; i < n; i++)
		count += isfinite(x[i]);
	return count;
}

/*
 * Whether the alarm stands without the size of single nights: at the median and so many robust
 * standard deviations they are cut off, and more than one must be behind the split. One bad night
 * can raise an alarm, which makes it provisional, but cannot confirm it.
 */
static bool stands_clipped(struct reader *r, const double *x, size_t n, double h, struct change *c)
{
	double mid, mad;
	struct change k;
	size_t i, m = 0;

	if (c->provisional)
		return false;
	for (i = 0; i < n; i++)
		if (isfinite(x[i]))
			r->clipped[m++] = x[i];
	mid = median(r->clipped, m);
	for (i = 0; i < m; i++)
		r->clipped[i] = fabs(r->clipped[i] - mid);
	mad = 1.4826 * CLIP * median(r->clipped, m);
	for (i = 0; i < n; i++)
		r->clipped[i] = isfinite(x[i]) ? fmin(fmax(x[i], mid - mad), mid + mad) : NAN;
	k = change_last(r->clipped, n);
	return fabs(k.z) > h && !k.provisional && (k.z > 0) == (c->z > 0);
}

/* An alarm that several nights did not bear out. If one night had raised it, that night belongs to
 * no level. */
static void take_back(struct reader *r)
{
	if (!r->pending || r->patience-- > 1)
		return;
	r->pending = false;
	if (r->out)
		r->out->withdrawn = true;
	if (r->what.at == r->what.found)
		r->x[r->what.found] = NAN;
}

bool change_borne_out(const struct change *c, const struct change_fresh *fresh)
{
	return fabs(c->z) > CHANGE_SUSPECT && fresh->p < CHANGE_CONFIRM_P &&
	       (fresh->step > 0) == (c->step > 0);
}

/*
 * Night t. True: *c is an alarm that is new, or the pending one with what is known of it by now;
 * its nights are counted in the whole series.
 */
static bool night(struct reader *r, size_t t, double h, struct change *c)
{
	const double *x = r->x + r->segment;
	size_t n = t - r->segment + 1;
	bool sure;

	if (!isfinite(r->x[t]) || nights(x, n) < CHANGE_QUIET)
		return false;
	*c = change_last(x, n);
	sure = r->fresh && !r->segment && change_borne_out(c, &r->fresh[t]);
	if (!sure && !(fabs(c->z) > h)) {
		take_back(r);
		return false;
	}
	c->provisional = !sure && !stands_clipped(r, x, n, h, c);
	c->at += r->segment;
	c->set_lo += r->segment;
	c->set_hi += r->segment;
	c->found = r->pending ? r->what.found : t;
	r->patience = PENDING;
	return true;
}

size_t change_read(const double *x, size_t n, double h, struct change *out, size_t max)
{
	return change_read_fresh(x, NULL, n, h, out, max);
}

size_t change_read_fresh(const double *x, const struct change_fresh *fresh, size_t n, double h,
			 struct change *out, size_t max)
{
	struct reader r = {.x = n && n < (1U << 24) ? malloc(2 * n * sizeof(*x)) : NULL,
			   .fresh = fresh};
	size_t t, count = 0;
	struct change c;

	if (!r.x)
		return 0;
	memcpy(r.x, x, n * sizeof(*x));
	r.clipped = r.x + n;
	for (t = CHANGE_QUIET - 1; t < n; t++) {
		if (!night(&r, t, h, &c))
			continue;
		count += !r.pending;
		r.out = count <= max ? &out[count - 1] : NULL;
		if (r.out)
			*r.out = c;
		r.pending = c.provisional;
		r.what = c;
		if (!c.provisional)
			r.segment = c.at;
	}
	free(r.x);
	return count < max ? count : max;
}

/* --- the anchor
 * ----------------------------------------------------------------------------------- */

/* A straight line through all nights, whose residuals have the nights' own spread: a drift is not
 * in it. y becomes the residuals; returns their standard deviation, *n of them. */
static double line_off(double *y, size_t room, size_t *n)
{
	double t, mt = 0, my = 0, stt = 0, sty = 0, rss = 0;
	size_t i;

	*n = 0;
	for (i = 0; i < room; i++)
		if (isfinite(y[i])) {
			mt += (double)i;
			my += y[i];
			++*n;
		}
	mt /= (double)*n;
	my /= (double)*n;
	for (i = 0; i < room; i++)
		if (isfinite(y[i])) {
			t = (double)i - mt;
			stt += t * t;
			sty += t * (y[i] - my);
		}
	for (i = 0; i < room; i++) {
		y[i] -= my + sty / stt * ((double)i - mt);
		if (isfinite(y[i]))
			rss += y[i] * y[i];
	}
	return sqrt(rss / (double)(*n - 2));
}

/* Variance of the mean of n neighbouring nights in units of one night's, under AR(1). */
static double mean_variance(size_t n, double rho)
{
	double sum = 1, power = 1;
	size_t j;

	for (j = 1; j < n; j++) {
		power *= rho;
		sum += 2 * (1 - (double)j / (double)n) * power;
	}
	return sum / (double)n;
}

static double mean_there(const double *x, size_t n, size_t *count)
{
	double sum = 0;
	size_t i;

	*count = 0;
	for (i = 0; i < n; i++)
		if (isfinite(x[i])) {
			sum += x[i];
			++*count;
		}
	return *count ? sum / (double)*count : NAN;
}

double change_drift(const double *anchor, size_t nanchor, const double *since, size_t nsince,
		    double *step)
{
	size_t n, na, nb, last = nsince < CHANGE_DRIFT_NIGHTS ? nsince : CHANGE_DRIFT_NIGHTS;
	double ma = mean_there(anchor, nanchor, &na), s, rho, *y;
	double mb = mean_there(since + nsince - last, last, &nb);

	*step = NAN;
	if (na < 8 || nb < 3 || nanchor + nsince > (1U << 24))
		return NAN;
	y = malloc((nanchor + nsince) * sizeof(*y));
	if (!y)
		return NAN;
	memcpy(y, anchor, nanchor * sizeof(*y));
	memcpy(y + nanchor, since, nsince * sizeof(*y));
	s = line_off(y, nanchor + nsince, &n);
	rho = change_rho(y, nanchor + nsince);
	free(y);
	*step = mb - ma;
	if (!(s > 0))
		return *step == 0 ? 1 : 0;
	return 2 * t_cdf(-fabs(*step) / (s * sqrt(mean_variance(na, rho) + mean_variance(nb, rho))),
			 (double)(n - 2));
}
