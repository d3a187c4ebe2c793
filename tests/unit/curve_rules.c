// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules on vCPUs to CPUs against curves made by hand: what a knee at a known place says of 2, 4
 * and 5. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "analysis/build.h"

#define BLOCKS 6
#define LEVELS 6

static double ratios[LEVELS] = {0.5, 1, 1.5, 2, 3, 4};

struct world {
	struct model m;
	struct model_row rows[LEVELS];
	struct model_value load[LEVELS];
	struct model_workload work;
	struct model_curve curve;
	struct model_point at[LEVELS];
	struct interval abs[CURVE_FIGURES][LEVELS];
	double points[CURVE_FIGURES][LEVELS * BLOCKS];
};

struct host {
	double knee;  /* 0: none */
	double power; /* IOPS per guest fall as 1/x to it behind the knee, and latencies grow */
	double load;  /* of the CPUs at 1:1, and in proportion elsewhere; 0: not known */
	bool latency;
};

/* Errors are of about 1 %. */
static void figure(struct world *w, enum curve_figure f, const struct host *h)
{
	struct model_knee *k = &w->curve.of[f];
	double knee = h->knee, worse = f == CURVE_SHARE ? -h->power : h->power;
	int sign = f == CURVE_SHARE ? -1 : 1;

	k->metric = metric_find(f == CURVE_SHARE ? "iops" : "read.lat.p99");
	k->abs = w->abs[f];
	k->points = w->points[f];
	for (int i = 0; i < LEVELS; i++) {
		for (int b = 0; b < BLOCKS; b++) {
			double over = knee > 0 && ratios[i] > knee ? ratios[i] / knee : 1;

			k->points[i * BLOCKS + b] = 1000 * pow(over, worse) *
						    exp(0.01 * ((i * 5 + b * 7 + i * b) % 3 - 1));
		}
		k->abs[i] = gmean_interval(k->points + i * BLOCKS, BLOCKS, LEVEL);
	}
	knee_fit(ratios, LEVELS, k->points, BLOCKS, sign, LEVEL, &k->fit);
	k->wide = k->fit;
}

static void make(struct world *w, const struct host *h)
{
	*w = (struct world){.m = {.blocks_planned = BLOCKS}};
	w->work.name = (char *)"w";
	w->m.workloads = &w->work;
	w->m.nworkloads = 1;
	w->m.curves = &w->curve;
	w->m.ncurves = 1;
	w->curve.at = w->at;
	w->curve.npoints = LEVELS;
	w->work.rows = w->rows;
	w->work.nrows = h->load > 0 ? LEVELS : 0;
	for (int i = 0; i < LEVELS; i++) {
		double busy = h->load * ratios[i];

		w->at[i] = (struct model_point){.ratio = ratios[i], .cell = (unsigned)i};
		w->load[i] = (struct model_value){.metric = metric_find("host.cpu"),
						  .abs = {busy, busy, busy, BLOCKS, 0}};
		w->rows[i] = (struct model_row){
			.cell = (unsigned)i, .values = &w->load[i], .nvalues = 1};
	}
	figure(w, CURVE_SHARE, h);
	if (h->latency)
		figure(w, CURVE_P99, h);
	curve_rules(&w->m);
	curve_headline(&w->m);
}

static void judged(struct host h, enum claim_word two, enum claim_word four, enum claim_word five,
		   const char *why)
{
	struct world w;

	make(&w, &h);
	assert_int_equal(w.m.nrules, 3);
	assert_float_equal(w.m.rules[0].ratio, 2, 0);
	assert_int_equal(w.m.rules[0].word, two);
	assert_int_equal(w.m.rules[1].word, four);
	assert_int_equal(w.m.rules[2].word, five);
	if (!strstr(w.m.rules[0].why, why))
		fail_msg("got: %s", w.m.rules[0].why);
	for (int i = 0; i < 3; i++)
		free(w.m.rules[i].why);
	assert_non_null(strstr(w.m.headline, "CPU-04"));
	free(w.m.rules);
	free(w.m.headline);
}

/* The knee lies before all three. */
static void refuted_by_an_early_knee(void **state)
{
	(void)state;
	judged((struct host){1.5, 1, 0.2, true}, CLAIM_REFUTED, CLAIM_REFUTED, CLAIM_REFUTED,
	       "knee between 1.");
}

static void confirmed_by_a_later_one(void **state)
{
	(void)state;
	judged((struct host){2.6, 1, 0.2, true}, CLAIM_CONFIRMED, CLAIM_REFUTED, CLAIM_REFUTED, "");
}

/* At the ratio itself the interval lies on both sides. */
static void undecided_at_the_knee(void **state)
{
	(void)state;
	judged((struct host){2, 1, 0.2, true}, CLAIM_UNDECIDED, CLAIM_REFUTED, CLAIM_REFUTED,
	       "knee between");
}

/* Flat to the end: what was measured holds, what was not stays open. */
static void confirmed_without_a_knee(void **state)
{
	(void)state;
	judged((struct host){0, 1, 0.2, true}, CLAIM_CONFIRMED, CLAIM_CONFIRMED, CLAIM_UNDECIDED,
	       "");
}

/* IOPS alone refute, but confirm nothing. */
static void nothing_confirmed_without_latency(void **state)
{
	(void)state;
	judged((struct host){0, 1, 0.2, false}, CLAIM_UNDECIDED, CLAIM_UNDECIDED, CLAIM_UNDECIDED,
	       "p99: not measured");
	judged((struct host){1.5, 1, 0.2, false}, CLAIM_REFUTED, CLAIM_REFUTED, CLAIM_REFUTED, "");
}

/* By hand: behind a knee at 1.2 with a power of 0.15 it is (2/1.2)^0.15 = 1.08 times as bad at 2,
 * and (4/1.2)^0.15 = 1.20 at 4: a bend that nobody would mind at 2 is nothing against the rule. */
static void a_bend_that_costs_little(void **state)
{
	(void)state;
	judged((struct host){1.2, 0.15, 0.2, true}, CLAIM_UNDECIDED, CLAIM_REFUTED, CLAIM_REFUTED,
	       "1.08 times as bad");
}

/*
 * The first rule's source is of guests that keep CPUs at about 20 %: a knee under 45 % says nothing
 * against it, none under 5 % nothing for it; the other way round both say all the more. The other
 * rules have no such figure.
 */
static void only_under_the_load_that_the_source_has_in_mind(void **state)
{
	(void)state;
	judged((struct host){1.5, 1, 0.45, true}, CLAIM_UNDECIDED, CLAIM_REFUTED, CLAIM_REFUTED,
	       "busy by 45 % at 1, and the rule is of guests that make it about 20 % at 1");
	judged((struct host){0, 1, 0.05, true}, CLAIM_UNDECIDED, CLAIM_CONFIRMED, CLAIM_UNDECIDED,
	       "busy by 5 % at 1");
	judged((struct host){0, 1, 0.45, true}, CLAIM_CONFIRMED, CLAIM_CONFIRMED, CLAIM_UNDECIDED,
	       "");
	judged((struct host){1.5, 1, 0.05, true}, CLAIM_REFUTED, CLAIM_REFUTED, CLAIM_REFUTED, "");
	judged((struct host){1.5, 1, 0, true}, CLAIM_UNDECIDED, CLAIM_REFUTED, CLAIM_REFUTED,
	       "is not known");
}

/* By hand: what is compared is the level below 1:1 where there is none at it, so that is the one to
 * be named: (2/1.2)^0.15 = 1.08 as above. */
static void no_level_at_one(void **state)
{
	(void)state;
	ratios[1] = 0.8;
	judged((struct host){1.2, 0.15, 0.2, true}, CLAIM_UNDECIDED, CLAIM_REFUTED, CLAIM_REFUTED,
	       "1.08 times as bad as at 0.8");
	ratios[1] = 1;
}

static void the_load_is_told_beside(void **state)
{
	struct world w;

	(void)state;
	make(&w, &(struct host){0, 1, 0.22, true});
	assert_float_equal(w.m.rules[0].one.says, 0.2, 0);
	assert_float_equal(w.m.rules[0].at.says, 0.4, 0);
	assert_float_equal(w.m.rules[0].busy, 0.5, 0);
	assert_float_equal(w.m.rules[0].one.was.mid, 0.22, 1e-12);
	assert_float_equal(w.m.rules[0].at.was.mid, 0.44, 1e-12);
	assert_true(isnan(w.m.rules[1].one.says) && isnan(w.m.rules[1].busy));
	/* 5:1 was not measured: the nearest is 4 */
	assert_float_equal(w.m.rules[2].at.ratio, 4, 0);
	for (int i = 0; i < 3; i++)
		free(w.m.rules[i].why);
	free(w.m.rules);
	free(w.m.headline);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuted_by_an_early_knee),
		cmocka_unit_test(confirmed_by_a_later_one),
		cmocka_unit_test(undecided_at_the_knee),
		cmocka_unit_test(confirmed_without_a_knee),
		cmocka_unit_test(nothing_confirmed_without_latency),
		cmocka_unit_test(a_bend_that_costs_little),
		cmocka_unit_test(only_under_the_load_that_the_source_has_in_mind),
		cmocka_unit_test(no_level_at_one),
		cmocka_unit_test(the_load_is_told_beside),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
