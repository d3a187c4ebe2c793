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

static const double ratios[LEVELS] = {0.5, 1, 1.5, 2, 3, 4};

struct world {
	struct model m;
	struct model_workload work;
	struct model_curve curve;
	struct model_point at[LEVELS];
	struct interval abs[CURVE_FIGURES][LEVELS];
	double points[CURVE_FIGURES][LEVELS * BLOCKS];
};

/* IOPS per guest that fall as 1/x behind the knee (0: never), and latencies that grow as x; errors
 * of about 1 %. */
static void figure(struct world *w, enum curve_figure f, double knee)
{
	struct model_knee *k = &w->curve.of[f];
	int worse = f == CURVE_SHARE ? -1 : 1;

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
	knee_fit(ratios, LEVELS, k->points, BLOCKS, worse, LEVEL, &k->fit);
	k->wide = k->fit;
}

static void make(struct world *w, double knee, bool latency)
{
	*w = (struct world){.m = {.blocks_planned = BLOCKS}};
	w->work.name = (char *)"w";
	w->m.workloads = &w->work;
	w->m.nworkloads = 1;
	w->m.curves = &w->curve;
	w->m.ncurves = 1;
	w->curve.at = w->at;
	w->curve.npoints = LEVELS;
	for (int i = 0; i < LEVELS; i++)
		w->at[i] = (struct model_point){.ratio = ratios[i]};
	figure(w, CURVE_SHARE, knee);
	if (latency)
		figure(w, CURVE_P99, knee);
	curve_rules(&w->m);
	curve_headline(&w->m);
}

static void judged(double knee, bool latency, enum claim_word two, enum claim_word four,
		   enum claim_word five)
{
	struct world w;

	make(&w, knee, latency);
	assert_int_equal(w.m.nrules, 3);
	assert_float_equal(w.m.rules[0].ratio, 2, 0);
	assert_int_equal(w.m.rules[0].word, two);
	assert_int_equal(w.m.rules[1].word, four);
	assert_int_equal(w.m.rules[2].word, five);
	for (int i = 0; i < 3; i++) {
		assert_non_null(w.m.rules[i].why);
		free(w.m.rules[i].why);
	}
	assert_non_null(strstr(w.m.headline, "CPU-04"));
	free(w.m.rules);
	free(w.m.headline);
}

/* The knee lies before all three. */
static void refuted_by_an_early_knee(void **state)
{
	(void)state;
	judged(1.5, true, CLAIM_REFUTED, CLAIM_REFUTED, CLAIM_REFUTED);
}

static void confirmed_by_a_later_one(void **state)
{
	(void)state;
	judged(2.6, true, CLAIM_CONFIRMED, CLAIM_REFUTED, CLAIM_REFUTED);
}

/* At the ratio itself the interval lies on both sides. */
static void undecided_at_the_knee(void **state)
{
	(void)state;
	judged(2, true, CLAIM_UNDECIDED, CLAIM_REFUTED, CLAIM_REFUTED);
}

/* Flat to the end: what was measured holds, what was not stays open. */
static void confirmed_without_a_knee(void **state)
{
	(void)state;
	judged(0, true, CLAIM_CONFIRMED, CLAIM_CONFIRMED, CLAIM_UNDECIDED);
}

/* IOPS alone refute, but confirm nothing. */
static void nothing_confirmed_without_latency(void **state)
{
	(void)state;
	judged(0, false, CLAIM_UNDECIDED, CLAIM_UNDECIDED, CLAIM_UNDECIDED);
	judged(1.5, false, CLAIM_REFUTED, CLAIM_REFUTED, CLAIM_REFUTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuted_by_an_early_knee),
		cmocka_unit_test(confirmed_by_a_later_one),
		cmocka_unit_test(undecided_at_the_knee),
		cmocka_unit_test(confirmed_without_a_knee),
		cmocka_unit_test(nothing_confirmed_without_latency),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
