// SPDX-License-Identifier: GPL-2.0-or-later
/* Nights resampled from a bank of A/A blocks, whose neighbours are alike (statistics.md, part 13).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "gate/judge.h"
#include "gate/prove_night.h"
#include "gate/prove_rate.h"
#include "stats/power.h"
#include "prove.h"

#define SERIES 4
#define SESSIONS 10
#define LENGTH 36 /* blocks of a session */
#define BLOCKS (SESSIONS * LENGTH)
#define FIRST 6
#define SECOND 12
#define DRAWS 200 /* nights drawn from each bank */
#define SHIFT 0.05

struct bank_case {
	double sd, rho; /* of pairs; lag-1 autocorrelation of neighbouring blocks */
	bool shuffled;	/* the wrong way: single blocks drawn, as if they were independent */
};

static struct gate_rule rule(void)
{
	return (struct gate_rule){FIRST, SECOND, 0.05, 0.9, SERIES}; /* stage 2 at 1 % */
}

static void session(struct prove_rng *g, const struct bank_case *c, double *d, size_t n)
{
	double u = prove_normal(g);

	for (size_t i = 0; i < n; i++) {
		d[i] = c->sd * u;
		u = c->rho * u + sqrt(1 - c->rho * c->rho) * prove_normal(g);
	}
}

static void shuffle(struct prove_rng *g, double (*d)[BLOCKS])
{
	for (size_t i = BLOCKS - 1; i; i--) {
		size_t j = prove_below(g, i + 1);

		for (size_t s = 0; s < SERIES; s++) {
			double t = d[s][i];

			d[s][i] = d[s][j];
			d[s][j] = t;
		}
	}
}

enum { BANK_FALSE, BANK_FOUND, BANK_FIGURES };

/* A bank, and what it says of the gate. */
static void banked(struct prove_rng *g, const void *arg, double *out)
{
	const struct bank_case *c = arg;
	double d[SERIES][BLOCKS], *row[SERIES];
	struct gate_rule r = rule();
	struct night_shape s = {FIRST, SECOND, prove_gate, &r};
	struct bank b = {SERIES, BLOCKS, row, NULL, false};
	unsigned of[BLOCKS];
	struct night_rate rate;

	for (size_t i = 0; i < SERIES; i++) {
		row[i] = d[i];
		for (size_t k = 0; k < SESSIONS; k++)
			session(g, c, d[i] + k * LENGTH, LENGTH);
	}
	for (size_t i = 0; i < BLOCKS; i++)
		of[i] = i / LENGTH;
	b.session = of;
	if (c->shuffled)
		shuffle(g, d);
	out[BANK_FALSE] = prove_false_nights(&b, &s, DRAWS, prove_u64(g), &rate) ? NAN : rate.share;
	out[BANK_FOUND] = prove_found_nights(&b, &s, 0, log1p(SHIFT), DRAWS, prove_u64(g), &rate)
				  ? NAN
				  : rate.share;
}

/* Fresh nights of the same world, of which a bank is to speak. */
static void fresh(struct prove_rng *g, const void *arg, double *out)
{
	const struct bank_case *c = arg;
	double a[SERIES][FIRST], b[SERIES][SECOND];
	const double *first[SERIES], *second[SERIES];
	struct gate_rule r = rule();
	bool red[SERIES];

	for (int shifted = 0; shifted < 2; shifted++) {
		for (size_t i = 0; i < SERIES; i++) {
			session(g, c, a[i], FIRST);
			session(g, c, b[i], SECOND);
			first[i] = a[i];
			second[i] = b[i];
		}
		for (size_t i = 0; shifted && i < SECOND; i++) {
			if (i < FIRST)
				a[0][i] += log1p(SHIFT);
			b[0][i] += log1p(SHIFT);
		}
		for (size_t i = 0; i < SERIES; i++)
			red[i] = false;
		prove_gate(first, FIRST, second, SECOND, SERIES, red, &r);
		out[shifted ? BANK_FOUND : BANK_FALSE] =
			shifted ? red[0] : red[0] || red[1] || red[2] || red[3];
	}
}

/* Share that a bank says over the share of fresh nights, with its standard error. */
static struct prove_stat over(struct prove_stat said, struct prove_stat truth)
{
	struct prove_stat r = {said.value / truth.value, 0, said.n};

	r.se = r.value * hypot(said.se / said.value, truth.se / truth.value);
	return r;
}

void prove_bank_figures(void)
{
	static const struct bank_case worlds[] = {{0.03, 0, false}, {0.03, 0.5, false}};
	size_t banks = prove_reps(600, 40), nights = prove_reps(200000, 8000), k = BANK_FIGURES;

	for (size_t i = 0; i < 2; i++) {
		struct bank_case c = worlds[i];
		const char *what = c.rho > 0 ? "neighbours-alike" : "independent";
		double *t = prove_run(prove_name("part13.fresh.%s", what), nights, k, fresh, &c);
		double *v = prove_run(prove_name("part13.bank.%s", what), banks, k, banked, &c);
		struct prove_stat truth = prove_rate(t, nights, k, BANK_FALSE);
		struct prove_stat r = over(prove_mean(v, banks, k, BANK_FALSE), truth);

		/* Two stretches of one session are a little alike, two nights' stages are not. */
		prove_agrees(prove_name("part13.bank.false-over-true.%s", what), r.value, r.se, 1,
			     0.1);
		r = prove_mean(v, banks, k, BANK_FOUND);
		truth = prove_rate(t, nights, k, BANK_FOUND);
		prove_agrees(prove_name("part13.bank.found.%s", what), r.value,
			     hypot(r.se, truth.se), truth.value, 0.02);
		free(v);
		if (c.rho > 0) {
			truth = prove_rate(t, nights, k, BANK_FALSE);
			c.shuffled = true;
			v = prove_run("part13.bank.shuffled", banks, k, banked, &c);
			r = over(prove_mean(v, banks, k, BANK_FALSE), truth);
			prove_twin("part13.twin.single-blocks-drawn", r.value, 0.7, false, r.se);
			free(v);
		}
		free(t);
	}
}
