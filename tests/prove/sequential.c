// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs that are looked at after every block (statistics.md, part 6). */
#include <math.h>
#include <stdlib.h>
#include "stats/power.h"
#include "stats/sequential.h"
#include "stats/verdict.h"
#include "shape.h"

#define MAX_N 240
#define LEVEL 0.95

/* --- tables --- */

static void factors(void)
{
	static const unsigned looks[] = {4, 5, 6, 8, 10, 12, 15, 20, 30, 40};
	static const struct {
		unsigned max;
		double c[10], round[10];
	} table[] = {
		{12, {4.9, 4.6, 4.1, 3.5, 3.1, 2.87}, {0.05, 0.05, 0.05, 0.05, 0.05, 0.02}},
		{20,
		 {5.9, 5.5, 4.8, 3.9, 3.5, 3.2, 2.97, 2.71},
		 {0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.02, 0.02}},
		{40,
		 {7.4, 6.9, 5.7, 4.6, 4.0, 3.7, 3.4, 3.1, 2.8, 2.6},
		 {0.1, 0.16, 0.1, 0.06, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05}},
	};
	static const struct {
		unsigned n;
		double c;
	} confseq[] = {{5, 8.45}, {6, 5.45}, {10, 3.87}, {20, 3.42}, {40, 3.32}};

	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < 10 && table[i].c[j] > 0; j++)
			prove_near(prove_name("part6.factor.max%u.n%u", table[i].max, looks[j]),
				   seq_factor(table[i].max, looks[j]), table[i].c[j],
				   table[i].round[j]);
	for (size_t i = 0; i < 5; i++)
		prove_near(prove_name("part6.confseq-factor.n%u", confseq[i].n),
			   confseq_factor(confseq[i].n, 0.05), confseq[i].c, 0.0051);
	prove_equal("part6.confseq-factor.n4", confseq_factor(4, 0.05), INFINITY);
	prove_equal("part6.factor.before-the-first-look", seq_factor(40, 3), INFINITY);
}

/*
 * The error spent up to a look is 5 % * n / max: which decides where a boundary found by simulation
 * and the exact one differ (max 40, n = 5: 6.9 and 6.75).
 */
#define EARLY 10

static void early_looks(struct prove_rng *g, const void *arg, double *out)
{
	unsigned max = *(const unsigned *)arg;
	double sum = 0, sum2 = 0;
	bool out_before = false;

	for (unsigned n = 1; n <= EARLY; n++) {
		double d = prove_normal(g), s;

		sum += d;
		sum2 += d * d;
		if (n >= SEQ_FIRST) {
			s = sqrt((sum2 - sum * sum / n) / (n - 1));
			if (fabs(sum / n) > seq_factor(max, n) * s / sqrt(n))
				out_before = true;
			out[n - SEQ_FIRST] = out_before;
		}
	}
}

static void spending(void)
{
	size_t reps = prove_reps(2000000, 60000), k = EARLY - SEQ_FIRST + 1;

	for (unsigned max = 20; max <= 100; max += max == 20 ? 20 : 60) {
		double *v =
			prove_run(prove_name("part6.spent.max%u", max), reps, k, early_looks, &max);

		for (unsigned n = SEQ_FIRST; n <= EARLY; n++) {
			struct prove_stat r = prove_rate(v, reps, k, n - SEQ_FIRST);

			if (n != 7 && n != 9)
				prove_agrees(prove_name("part6.spent.max%u.n%u", max, n), r.value,
					     r.se, 0.05 * n / max, 0);
		}
		free(v);
	}
}

/* --- false verdicts --- */

enum method {
	REPEATED, /* the group-sequential interval */
	CONFSEQ,  /* the confidence sequence */
	NAIVE,	  /* the t interval after each block */
	PLUG_IN,  /* the mixture SPRT with the estimated variance for the known one */
};

struct look_case {
	enum shape shape;
	enum method method;
	unsigned first, max;
	double theta, min_effect, sd; /* sd > 0: normal errors with it instead of the shape */
};

/* The mixture likelihood ratio with a normal mixing law as wide as an observation [formula of
 * Johari et al. 2022], put as an interval: the means that it does not reject at 1/alpha. */
static struct interval plug_in(const double *a, const double *b, unsigned n)
{
	struct interval r = ratio_interval(a, b, n, LEVEL, 0);
	double half = r.sd * sqrt((1 + 1.0 / n) / n * (log1p(n) + 2 * log(1 / 0.05)));

	r.lo = r.mid * exp(-half);
	r.hi = r.mid * exp(half);
	return r;
}

static struct interval look(const struct look_case *c, const double *a, const double *b, unsigned n)
{
	switch (c->method) {
	case REPEATED:
		return seq_ratio(a, b, n, c->max, 0);
	case CONFSEQ:
		return seq_ratio(a, b, n, 0, 0);
	case PLUG_IN:
		return plug_in(a, b, n);
	default:
		return ratio_interval(a, b, n, LEVEL, 0);
	}
}

enum { WRONG, SAME, UNDECIDED, BLOCKS, COVERS, PLAIN_COVERS, RATIO_OF_EFFECT, RUN_FIGURES };

/* A run until decided, as the loop does it: the verdict of the interval of the method closes it. */
static void until_decided(struct prove_rng *g, const void *arg, double *out)
{
	const struct look_case *c = arg;
	double a[MAX_N], b[MAX_N];
	enum verdict v = VERDICT_UNDECIDED;
	struct interval r = {NAN, NAN, NAN, 0, NAN};
	unsigned n;

	if (c->sd > 0)
		normal_pairs(g, c->sd, c->theta, c->max, a, b);
	else
		shape_pairs(g, c->shape, c->theta, c->max, a, b);
	for (n = c->first; n <= c->max && v == VERDICT_UNDECIDED; n++) {
		r = look(c, a, b, n);
		v = verdict_ratio(&r, false, c->min_effect);
	}
	n--;
	out[WRONG] = v == (c->theta > 0 ? VERDICT_BETTER : VERDICT_WORSE) ||
		     (c->theta == 0 && v == VERDICT_BETTER);
	out[SAME] = v == VERDICT_SAME;
	out[UNDECIDED] = v == VERDICT_UNDECIDED;
	out[BLOCKS] = n;
	out[COVERS] = r.lo <= exp(c->theta) && exp(c->theta) <= r.hi;
	r = ratio_interval(a, b, n, LEVEL, 0);
	out[PLAIN_COVERS] = r.lo <= exp(c->theta) && exp(c->theta) <= r.hi;
	out[RATIO_OF_EFFECT] = v == VERDICT_WORSE ? log(r.mid) / c->theta : NAN;
}

/* No smallest effect: "same" never stops a run first, so that every false verdict is counted. */
#define NONE_TOO_SMALL 1e-9

static void false_verdicts(void)
{
	static const struct {
		enum shape shape;
		unsigned max;
		double published; /* NAN: none */
	} table[] = {
		{SHAPE_NORMAL2, 40, 0.050}, {SHAPE_NORMAL2, 12, 0.050}, {SHAPE_NORMAL2, 20, 0.050},
		{SHAPE_NORMAL2, 100, 0.05}, {SHAPE_T3, 40, 0.039},	{SHAPE_SKEWED, 40, 0.034},
		{SHAPE_SPOILED, 40, 0.017},
	};
	size_t reps = prove_reps(40000, 1500), k = RUN_FIGURES;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct look_case c = {table[i].shape, REPEATED, SEQ_FIRST, table[i].max, 0,
				      NONE_TOO_SMALL, 0};
		const char *name = prove_name("part6.false.%s.max%u", shape_word[c.shape], c.max);
		struct prove_stat r;
		double *v;

		if (prove_is_short() && (i == 0 || i == 2 || i == 3))
			continue;
		v = prove_run(name, i == 1 ? 4 * reps : reps, k, until_decided, &c);
		r = prove_rate(v, i == 1 ? 4 * reps : reps, k, WRONG);
		if (!prove_is_short() || i != 1)
			prove_nominal(name, &r, 0.05);
		if (c.shape == SHAPE_NORMAL2)
			prove_agrees(prove_name("%s.exact", name), r.value, r.se, 0.05, 0.0005);
		free(v);
	}
}

static void wrong_looks(void)
{
	struct look_case naive = {SHAPE_NORMAL2, NAIVE, 3, 30, 0, NONE_TOO_SMALL, 0};
	struct look_case plug = {SHAPE_NORMAL2, PLUG_IN, 3, 30, 0, NONE_TOO_SMALL, 0};
	struct look_case confseq = {SHAPE_NORMAL2, CONFSEQ, 2, 31, 0, NONE_TOO_SMALL, 0};
	size_t reps = prove_reps(40000, 1500), k = RUN_FIGURES;
	double *v = prove_run("part6.naive", reps, k, until_decided, &naive);
	struct prove_stat r = prove_rate(v, reps, k, WRONG);

	prove_twin("part6.twin.naive-looks", r.value, 0.055, true, r.se);
	prove_agrees("part6.naive-looks-as-published", r.value, r.se, 0.265, 0.003);
	free(v);
	v = prove_run("part6.plug-in", reps, k, until_decided, &plug);
	r = prove_rate(v, reps, k, WRONG);
	prove_twin("part6.twin.plug-in-variance", r.value, 0.055, true, r.se);
	prove_agrees("part6.plug-in-as-published", r.value, r.se, 0.154, 0.003);
	free(v);
	v = prove_run("part6.confseq", reps, k, until_decided, &confseq);
	r = prove_rate(v, reps, k, WRONG);
	prove_figure("part6.false.confidence-sequence", r.value, 0.05, true, r.se);
	prove_agrees("part6.confidence-sequence-as-published", r.value, r.se, 0.023, 0.002);
	free(v);
}

/* A true effect of just min_effect, called "same". */
static void edge_of_same(void)
{
	size_t reps = prove_reps(40000, 1500), k = RUN_FIGURES;

	for (int sign = -1; sign <= 1; sign += 2) {
		struct look_case c = {SHAPE_NORMAL2,	  REPEATED, SEQ_FIRST, 40,
				      sign * log1p(0.05), 0.05,	    0.02};
		const char *name = prove_name("part6.min-effect-called-same.%s",
					      sign < 0 ? "better" : "worse");
		double *v = prove_run(name, reps, k, until_decided, &c);
		struct prove_stat r = prove_rate(v, reps, k, SAME);

		prove_figure(name, r.value, 0.025, true, r.se);
		free(v);
	}
}

/* --- how long it takes, and what is reported then --- */

static void blocks_to_a_verdict(void)
{
	static const double effect[] = {0, 0.03, 0.05, 0.10};
	static const struct {
		double min_effect, sd, mean[4], undecided[4];
	} table[] = {
		{0.02, 0.01, {10.6, 6.6, 4.8, 4.0}, {NAN, NAN, NAN, NAN}},
		{0.02, 0.02, {25, 12, 7.6, 4.9}, {NAN, NAN, NAN, NAN}},
		{0.02, 0.05, {39, 30, 20, 9.4}, {0.95, 0.38, NAN, NAN}},
		{0.05, 0.02, {8.5, 10.5, 7.6, 4.9}, {NAN, NAN, NAN, NAN}},
		{0.05, 0.05, {25, 27, 19, 9.4}, {NAN, NAN, NAN, NAN}},
	};
	size_t reps = prove_reps(20000, 400), k = RUN_FIGURES;

	for (size_t i = 0; i < 5; i++)
		for (size_t j = 0; j < 4; j++) {
			struct look_case c = {
				SHAPE_NORMAL2,	     REPEATED,	 SEQ_FIRST, 40, log1p(effect[j]),
				table[i].min_effect, table[i].sd};
			const char *name =
				prove_name("part6.blocks.m%g.sd%g.effect%g", 100 * c.min_effect,
					   100 * c.sd, 100 * effect[j]);
			double mean = table[i].mean[j];
			struct prove_stat r;
			double *v;

			if (prove_is_short() && (i != 1 || j > 1))
				continue;
			v = prove_run(name, reps, k, until_decided, &c);
			r = prove_mean(v, reps, k, BLOCKS);
			/* Rounded, and up to a tenth of a block or 2 % of noise in the table. */
			prove_agrees(name, r.value, r.se, mean,
				     mean >= 11 ? 0.5 + 0.02 * mean : 0.15);
			r = prove_rate(v, reps, k, UNDECIDED);
			if (!isnan(table[i].undecided[j]))
				prove_agrees(prove_name("%s.undecided", name), r.value, r.se,
					     table[i].undecided[j], 0.015);
			free(v);
		}
}

static void reported(void)
{
	size_t reps = prove_reps(40000, 3000), k = RUN_FIGURES;
	struct look_case c = {SHAPE_NORMAL2, REPEATED, SEQ_FIRST, 40, log1p(0.05), 0.02, 0.02};
	double *v = prove_run("part6.reported", reps, k, until_decided, &c);
	struct prove_stat r = prove_rate(v, reps, k, COVERS);

	prove_figure("part6.coverage.repeated-interval", r.value, 0.95, false, r.se);
	/* Not far off: 92 to 94 %. A short run cannot tell it from 95. */
	r = prove_rate(v, reps, k, PLAIN_COVERS);
	if (!prove_is_short())
		prove_twin("part6.twin.plain-interval-after-a-stop", r.value, 0.945, false, r.se);
	r = prove_mean(v, reps, k, RATIO_OF_EFFECT);
	if (!prove_is_short())
		prove_twin("part6.twin.estimate-after-a-stop", r.value, 1.01, true, r.se);
	free(v);
}

/* --- a width asked for --- */

struct width_case {
	double sd, w;
	unsigned first;
};

enum { LOOKING, STEIN, LOOKING_N, STEIN_N, WIDTH_FIGURES };

static void width_asked(struct prove_rng *g, const void *arg, double *out)
{
	const struct width_case *c = arg;
	double a[MAX_N], b[MAX_N];
	struct interval r;
	unsigned n = c->first, n0 = 10, total;

	normal_pairs(g, c->sd, 0, MAX_N, a, b);
	for (;; n++) {
		r = ratio_interval(a, b, n, LEVEL, 0);
		if (n == MAX_N || log(r.hi / r.lo) / 2 <= c->w)
			break;
	}
	out[LOOKING] = r.lo <= 1 && 1 <= r.hi;
	out[LOOKING_N] = n;
	/* The second stage keeps the first one's standard deviation: that is what makes it exact.
	 */
	total = stein_blocks(ratio_interval(a, b, n0, LEVEL, 0).sd, n0, c->w, LEVEL);
	out[STEIN_N] = total;
	if (total > MAX_N)
		total = MAX_N;
	r = ratio_interval(a, b, total, LEVEL, 0);
	out[STEIN] = fabs(log(r.mid)) <= c->w;
}

static void precision(void)
{
	static const struct width_case table[] = {
		{0.02, 0.03, 10}, {0.05, 0.03, 10}, {0.02, 0.02, 10},
		{0.02, 0.03, 3},  {0.05, 0.03, 3},
	};
	size_t reps = prove_reps(20000, 800), k = WIDTH_FIGURES;

	for (size_t i = 0; i < 5; i++) {
		const struct width_case *c = &table[i];
		const char *what = prove_name("sd%g.width%g", 100 * c->sd, 100 * c->w);
		struct prove_stat r;
		double *v;

		if (prove_is_short() && i != 2 && i != 3)
			continue;
		v = prove_run(prove_name("part6.precision.%s.from%u", what, c->first), reps, k,
			      width_asked, c);
		r = prove_rate(v, reps, k, LOOKING);
		if (c->first >= 10) {
			prove_figure(prove_name("part6.precision.from10.%s", what), r.value, 0.93,
				     false, r.se);
			r = prove_rate(v, reps, k, STEIN);
			prove_figure(prove_name("part6.stein.%s", what), r.value,
				     prove_is_short() ? 0.93 : 0.945, false, r.se);
		} else if (!prove_is_short()) {
			prove_twin(prove_name("part6.twin.precision.from3.%s", what), r.value,
				   0.945, false, r.se);
		}
		free(v);
	}
}

void prove_part6(void)
{
	factors();
	spending();
	false_verdicts();
	wrong_looks();
	edge_of_same();
	blocks_to_a_verdict();
	reported();
	precision();
}
