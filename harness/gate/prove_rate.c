// SPDX-License-Identifier: GPL-2.0-or-later
/* Nights resampled from a bank of A/A blocks, and the shares of them that are red. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "base/err.h"
#include "gate/prove_rate.h"
#include "stats/power.h"
#include "stats/stats.h"

/* SplitMix64 [Steele, Lea & Flood 2014]. */
static uint64_t draw(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* 0 .. n - 1; n is far below 2^32, so that the bias of the remainder is far below any rate here. */
static size_t below(uint64_t *s, size_t n)
{
	return (size_t)((draw(s) >> 32) * (uint64_t)n >> 32);
}

/* A night at work: where its stretches begin, and copies of them that may be shifted. */
struct night {
	struct bank *b;
	const struct night_shape *s;
	size_t *starts, nstarts; /* places where a whole night lies within one session */
	size_t at[2];
	double **first, **second;
	bool *red;
};

static size_t session_end(const struct bank *b, size_t from)
{
	size_t i = from;

	if (b->crosses)
		return b->nblocks;
	while (i < b->nblocks && b->session[i] == b->session[from])
		i++;
	return i;
}

static size_t session_begin(const struct bank *b, size_t from)
{
	if (b->crosses)
		return 0;
	while (from && b->session[from - 1] == b->session[from])
		from--;
	return from;
}

static double **rows(size_t n, size_t len)
{
	double **out = xcalloc(n, sizeof(*out));

	for (size_t i = 0; i < n; i++)
		out[i] = xcalloc(len ? len : 1, sizeof(**out));
	return out;
}

static void rows_free(double **r, size_t n)
{
	for (size_t i = 0; r && i < n; i++)
		free(r[i]);
	free(r);
}

/* Blocks of sessions that hold a whole night. */
static void find_starts(struct night *n)
{
	size_t len = n->s->first + n->s->second;

	n->nstarts = 0;
	for (size_t i = 0; i < n->b->nblocks; i++)
		if (session_end(n->b, i) - session_begin(n->b, i) >= len)
			n->starts[n->nstarts++] = i;
}

static int night_begin(struct night *n, struct bank *b, const struct night_shape *s)
{
	*n = (struct night){.b = b, .s = s};
	if (!s->first || !b->nseries || b->nblocks < s->first + s->second)
		return -EINVAL;
	n->starts = xcalloc(b->nblocks, sizeof(*n->starts));
	b->crosses = false;
	find_starts(n);
	if (!n->nstarts) {
		b->crosses = true;
		find_starts(n);
	}
	n->first = rows(b->nseries, s->first);
	n->second = rows(b->nseries, s->second);
	n->red = xcalloc(b->nseries, sizeof(*n->red));
	return 0;
}

static void night_end(struct night *n)
{
	if (n->first)
		rows_free(n->first, n->b->nseries);
	if (n->second)
		rows_free(n->second, n->b->nseries);
	free(n->starts);
	free(n->red);
}

/*
 * Draws the two stretches: a block chosen evenly says which session (so that long ones count for
 * more); in it each order of the two stretches, and each sharing-out of the blocks that are left
 * over to before, between and after, is alike.
 */
static void night_draw(struct night *n, uint64_t *seed)
{
	size_t block = n->starts[below(seed, n->nstarts)];
	size_t begin = session_begin(n->b, block), end = session_end(n->b, block);
	size_t spare = end - begin - n->s->first - n->s->second;
	size_t x = below(seed, spare + 2), y = below(seed, spare + 1), t;
	bool swapped = draw(seed) >> 63;

	/* two of spare + 2 places without order: x != y, then x < y */
	y += y >= x;
	if (x > y) {
		t = x;
		x = y;
		y = t;
	}
	y--;
	n->at[swapped] = begin + x;
	n->at[!swapped] = begin + y + (swapped ? n->s->second : n->s->first);
}

/* Copies the stretches, turned by sign, with shift added to one series (SIZE_MAX: to none). */
static void night_fill(struct night *n, double sign, size_t series, double shift)
{
	for (size_t i = 0; i < n->b->nseries; i++) {
		double add = i == series ? shift : 0;

		for (size_t k = 0; k < n->s->first; k++)
			n->first[i][k] = sign * n->b->d[i][n->at[0] + k] + add;
		for (size_t k = 0; k < n->s->second; k++)
			n->second[i][k] = sign * n->b->d[i][n->at[1] + k] + add;
		n->red[i] = false;
	}
	n->s->judge((const double *const *)n->first, n->s->first, (const double *const *)n->second,
		    n->s->second, n->b->nseries, n->red, n->s->arg);
}

static void rate_end(struct night_rate *r)
{
	r->share = (double)r->hits / (double)r->nights;
	binomial_limits(r->hits, r->nights, 0.95, &r->lo, &r->hi);
}

static bool any(const bool *red, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (red[i])
			return true;
	return false;
}

static int rate(struct bank *b, const struct night_shape *s, size_t series, double shift,
		size_t nights, uint64_t seed, struct night_rate *out)
{
	struct night n;
	int rc = night_begin(&n, b, s);

	*out = (struct night_rate){.nights = nights};
	for (size_t i = 0; !rc && i < nights; i++) {
		/* every night both ways round; an odd one is the even one turned */
		if (!(i & 1))
			night_draw(&n, &seed);
		night_fill(&n, i & 1 ? -1 : 1, series, shift);
		out->hits += series < b->nseries ? n.red[series] : any(n.red, b->nseries);
	}
	if (!rc && nights)
		rate_end(out);
	if (!rc)
		night_end(&n);
	return rc;
}

int prove_false_nights(struct bank *b, const struct night_shape *s, size_t nights, uint64_t seed,
		       struct night_rate *out)
{
	return rate(b, s, SIZE_MAX, 0, nights, seed, out);
}

int prove_found_nights(struct bank *b, const struct night_shape *s, size_t series, double shift,
		       size_t nights, uint64_t seed, struct night_rate *out)
{
	return series < b->nseries ? rate(b, s, series, shift, nights, seed, out) : -EINVAL;
}

double prove_over_nights(double share, unsigned nights)
{
	return -expm1(nights * log1p(-share));
}

size_t prove_disjoint(const struct bank *b, const struct night_shape *s)
{
	size_t len = s->first + s->second, n = 0;

	for (size_t i = 0; len && i < b->nblocks; i = session_end(b, i))
		n += (session_end(b, i) - i) / len;
	return n;
}

double prove_none_of(size_t n)
{
	return n ? 1 - pow(0.05, 1.0 / (double)n) : 1;
}

void prove_bias(const struct bank *b, size_t series, double *mid, double *lo, double *hi)
{
	struct interval i = diff_interval(NULL, b->d[series], b->nblocks, 0.95);

	*mid = i.mid;
	*lo = i.lo;
	*hi = i.hi;
}
