// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the gate makes of its earlier nights, as records made by hand: how many blocks tonight
 * takes, and slow drift against the anchor. Figures are arithmetic by hand, pairs those of
 * stats/power.h.
 */
#include <math.h>
#include "gate/gate.h"
#include "stats/power.h"
#include "stats/stats.h"
#include "tests/unit/store_sample.h"

/* Tonight, of one series that was screened. */
static struct gate_night new_night(double must_see)
{
	struct gate_night n = {.uuid = UUID_A,
			       .profile = xstrdup("nightly"),
			       .rule = {10, 20, must_see, 0.01, 1},
			       .series = xcalloc(1, sizeof(*n.series)),
			       .nseries = 1,
			       .cells = 1,
			       .begun = BEGUN,
			       .ended = BEGUN + 60000000000ll};

	n.series[0] = (struct gate_series){.key = xstrdup("key"),
					   .name = xstrdup("randread, virtio-blk"),
					   .metric = metric_find("read.lat.mean")};
	return n;
}

/* Two nights or more of one series, as records of this host and profile. */
struct past {
	struct store_gate g[64];
	struct store_gate_series x[64];
	size_t n;
};

static void add_past(struct past *p, const char *kind, const char *state, double harm, double sd,
		     unsigned pairs, unsigned stage)
{
	struct store_gate_series *x = &p->x[p->n];
	struct store_gate *g = &p->g[p->n];

	*x = (struct store_gate_series){.key = (char *)"key",
					.name = (char *)"randread, virtio-blk",
					.metric = (char *)"read.lat.mean",
					.state = (char *)"same",
					.stage = stage,
					.n = pairs,
					.ratio = exp(harm),
					.sd = sd};
	*g = (struct store_gate){.kind = (char *)kind,
				 .state = (char *)state,
				 .begun = (int64_t)p->n + 1,
				 .ended = (int64_t)p->n + 2,
				 .build = (char *)"b",
				 .reference = (char *)"r",
				 .doc_json = (char *)"{\"blocks\":10}",
				 .series = x,
				 .nseries = 1};
	snprintf(g->uuid, sizeof(g->uuid), "past-%zu", p->n);
	p->n++;
}

/* Pairs are those of stats/power.h, held against published tables in tests of its own; the quantile
 * of chi-square at 90 % and 9 degrees of freedom is 14.684 [Abramowitz & Stegun, table 26.8]. */
static void plan_is_by_exact_power(void **state)
{
	/* sd of a trial, must_see 5 %, rate 90 % of one series: stage 2 at 1 % */
	struct gate_rule r = {10, 20, 0.05, 0.9, 1};
	unsigned n;

	(void)state;
	/* quiet: the least */
	gate_plan(&r, 0.001, true, true);
	assert_int_equal(r.blocks, 6);
	assert_int_equal(r.confirm, 6);
	gate_plan(&r, 0, true, true);
	assert_int_equal(r.blocks, 6);
	/* hopeless: the most, and only what is to be planned */
	gate_plan(&r, 1, true, true);
	assert_int_equal(r.blocks, 100);
	assert_int_equal(r.confirm, 200);
	r.confirm = 30;
	gate_plan(&r, 0.001, true, false);
	assert_int_equal(r.blocks, 6);
	assert_int_equal(r.confirm, 30);
	r.blocks = 10;
	/* of 10 blocks a night shows up to sqrt(14.684 / 9) = 1.2773 of its spread */
	gate_plan(&r, 0.02, false, true);
	assert_int_equal(r.blocks, 10);
	assert_int_equal(r.confirm, pairs_for(0.05, 0.02 * 1.2773, 0.01, true, 0.9));
	/* the smallest that is enough for the spread that it shows itself */
	gate_plan(&r, 0.05, true, true);
	n = r.blocks;
	assert_true(n > 14 && n < 40);
	assert_true(n >= pairs_for(0.05, 0.05 * sqrt(chi2_quantile(0.9, n - 1) / (n - 1)), 0.1,
				   true, 0.9));
	n--;
	assert_true(n < pairs_for(0.05, 0.05 * sqrt(chi2_quantile(0.9, n - 1) / (n - 1)), 0.1, true,
				  0.9));
	/* so that a night with the spread it has, and with that of nine in ten, is not blind */
	assert_true(gate_seen(&r, 0.05, 0.8) < 0.05);
	assert_true(gate_seen(&r, 0.05 * sqrt(chi2_quantile(0.9, n) / n), 0.8) < 0.0505);
}

static struct gate_night to_plan(void)
{
	struct gate_night n = new_night(0.05);

	n.rule = (struct gate_rule){10, 20, 0.05, 0.9, 1};
	n.plan_blocks = n.plan_confirm = true;
	return n;
}

static void nights_plan_the_next(void **state)
{
	struct past p = {.n = 0};
	struct gate_night n = to_plan();
	struct gate_rule want = n.rule;

	(void)state;
	/* one night of 10 pairs has 9 degrees of freedom */
	add_past(&p, GATE_NIGHT, "green", 0, 0.03, 10, 1);
	gate_plan_night(&n, p.g, p.n);
	assert_int_equal(n.rule.blocks, 10);
	assert_int_equal(n.rule.confirm, 20);
	assert_non_null(strstr(n.plan, "10 + 20, until nights"));
	/* sqrt((0.03^2 + 0.04^2) / 2) = 0.035355; what is joined, injected or accepted is no night
	 */
	add_past(&p, GATE_NIGHT, "red", 0, 0.04, 20, 2);
	add_past(&p, GATE_NIGHT, "red", 0, 0.5, 40, 2);
	p.g[2].joins = (char *)"past-1";
	add_past(&p, GATE_NIGHT, "red", 0, 0.5, 10, 1);
	p.g[3].doc_json = (char *)"{\"injected\":[\"disk.latency=1ms\"]}";
	add_past(&p, GATE_ACCEPT, "reference", 0, 0.5, 10, 1);
	add_past(&p, GATE_NIGHT, "unmeasured", 0, NAN, 0, 0);
	gate_plan_night(&n, p.g, p.n);
	gate_plan(&want, 0.0353553, true, true);
	assert_int_equal(n.rule.blocks, want.blocks);
	assert_int_equal(n.rule.confirm, want.confirm);
	assert_non_null(strstr(n.plan, "planned from 2 nights: sd 3.5 %"));
	gate_night_free(&n);
	/* the profile's own number stays */
	n = to_plan();
	n.plan_blocks = false;
	n.rule.blocks = 33;
	gate_plan_night(&n, p.g, p.n);
	assert_int_equal(n.rule.blocks, 33);
	gate_night_free(&n);
	/* none to be planned */
	n = to_plan();
	n.plan_blocks = n.plan_confirm = false;
	gate_plan_night(&n, p.g, p.n);
	assert_int_equal(n.rule.blocks, 10);
	assert_null(n.plan);
	/* another series has no history: what is quiet elsewhere does not go below 10 + 20 */
	n.plan_blocks = n.plan_confirm = true;
	p.x[0].sd = p.x[1].sd = 0.001;
	n.series = xrealloc(n.series, 2, sizeof(*n.series));
	n.series[1] = (struct gate_series){.key = xstrdup("new"), .name = xstrdup("new")};
	n.nseries = 2;
	gate_plan_night(&n, p.g, p.n);
	assert_int_equal(n.rule.blocks, 10);
	assert_int_equal(n.rule.confirm, 20);
	gate_night_free(&n);
}

/* An anchor and what came after it: nights that vary by +-0.5 %, each slower than the one before.
 */
static void fill_past(struct past *p, unsigned nights, double slope)
{
	p->n = 0;
	add_past(p, GATE_ACCEPT, "reference", 0, NAN, 0, 0);
	for (unsigned i = 0; i < nights; i++)
		add_past(p, GATE_NIGHT, "green", slope * i + (i * 7 % 4 < 2 ? 0.005 : -0.005), 0.01,
			 10, 1);
}

static bool drift_of_night(const struct past *p, double tonight, bool red)
{
	struct gate_night n = new_night(0.05);
	bool there;

	n.series[0].screen = (struct gate_stage){.n = 10, .harm = tonight};
	gate_judge_drift(&n, p->g, p->n);
	there = n.nchecks == 1;
	if (there) {
		assert_string_equal(n.checks[0].name, "drift");
		assert_int_equal(n.checks[0].ok, !red);
		assert_int_equal(gate_status(&n), red ? VB_WORSE : VB_OK);
		assert_string_equal(gate_night_word(&n), red ? "red" : "green");
		if (red)
			assert_non_null(strstr(n.checks[0].remedy, "vbench history"));
	}
	gate_night_free(&n);
	return there;
}

/*
 * 0.1 % a night: nights 20 to 26 are 1.35 % above nights 0 to 19. The spread about the line is 0.5
 * % and has no autocorrelation (+ - - + ...), so by hand t = 0.0135 / (0.005 * sqrt(1/7 + 1/20))
 * = 6.1.
 */
static void slow_drift_is_red_from_night_27(void **state)
{
	struct past p;

	(void)state;
	fill_past(&p, 25, 0.001); /* tonight is the 26th */
	assert_false(drift_of_night(&p, 0.026, true));
	fill_past(&p, 26, 0.001);
	assert_true(drift_of_night(&p, 0.026, true));
	fill_past(&p, 26, 0);
	assert_true(drift_of_night(&p, 0, false));
	/* a gain is none */
	fill_past(&p, 26, -0.001);
	assert_true(drift_of_night(&p, -0.026, false));
	/* nights of another reference, injected and joined ones do not count */
	fill_past(&p, 26, 0.001);
	p.g[22].reference = (char *)"other";
	assert_false(drift_of_night(&p, 0.026, true));
	fill_past(&p, 26, 0.001);
	p.g[22].joins = (char *)"past-1";
	assert_false(drift_of_night(&p, 0.026, true));
	/* red ones do: to leave them out would hide what they show */
	fill_past(&p, 26, 0.001);
	p.g[22].state = (char *)"red";
	assert_true(drift_of_night(&p, 0.026, true));
	/* an anchor that is not whole */
	fill_past(&p, 27, 0.001);
	for (size_t i = 5; i < p.n; i++)
		p.g[i].state = (char *)"blind";
	assert_false(drift_of_night(&p, 0.026, true));
}

/* Higher is better: a ratio that falls is a harm that grows. */
static void drift_knows_the_direction(void **state)
{
	struct past p;
	struct gate_night n = new_night(0.05);
	char *path = in_folder(state, "drift.xml"), buf[8192];
	struct err e = {0};
	FILE *f;

	fill_past(&p, 26, -0.001);
	for (size_t i = 0; i < p.n; i++)
		p.x[i].metric = (char *)"read.iops";
	n.series[0].metric = metric_find("read.iops");
	n.series[0].screen = (struct gate_stage){.n = 10, .harm = 0.026};
	gate_judge_drift(&n, p.g, p.n);
	assert_int_equal(n.nchecks, 1);
	assert_false(n.checks[0].ok);
	assert_non_null(strstr(n.checks[0].text, " -1"));
	/* a harm is a failure in JUnit, and no error */
	expect_rc(gate_junit(&n, path, &e), 0, &e);
	f = fopen(path, "r");
	assert_non_null(f);
	buf[fread(buf, 1, sizeof(buf) - 1, f)] = 0;
	fclose(f);
	assert_non_null(strstr(buf, " failures=\"1\" errors=\"0\""));
	assert_non_null(strstr(buf, "type=\"drift\""));
	free(path);
	gate_night_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan_is_by_exact_power),
		cmocka_unit_test(nights_plan_the_next),
		cmocka_unit_test(slow_drift_is_red_from_night_27),
		cmocka_unit_test(drift_knows_the_direction),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
