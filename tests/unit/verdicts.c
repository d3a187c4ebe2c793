/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words, forecasts, the two arms of a run, repeated intervals: store -> model. Values are made so
 * that the answers come out by hand: log differences of x - s, x, x + s have mean x and sd s;
 * patterns -s, +s of an even number of blocks have sd s * sqrt(n / (n - 1)).
 */
#include "stored.h"

/* ids that rows.h gives to the first four cells */
#define ID0 "00000000000000c0"
#define ID1 "00000000000000c1"
#define ID2 "00000000000000c2"
#define ID3 "00000000000000c3"

/* Cell c of block k under every workload: 1000 * factor[c], times exp(s[c]) and exp(-s[c]) in turn.
 */
static void fill(struct rows *r, unsigned blocks, const double *factor, const double *s)
{
	for (unsigned k = 0; k < blocks; k++)
		for (size_t w = 0; w < r->nworks; w++)
			for (size_t c = 0; c < r->ncells; c++)
				rows_sample(rows_trial(r, k, c, w), "read.iops",
					    (1000 << k % 3) * factor[c] *
						    exp(k % 2 ? -s[c] : s[c]));
	r->run.trials = r->ntrials;
}

static const struct model_value *value(const struct model *m, size_t row)
{
	return &m->workloads[0].rows[row].values[0];
}

/*
 * Eight blocks, alternating: sd of pairs s * sqrt(8/7), half-width t(7, 97.5 %) = 2.364624 times
 * sd / sqrt(8). IOPS: min_effect 2 %, m = 0.019803. By hand for each cell:
 *   0.9,  s 0.01: ln -0.10536 +- 0.00894: worse;     1.1: better;
 *   1.001 s 0.01: 0.0010 +- 0.0089: within 0.0198: same
 *   1.01  s 0.05: 0.00995 +- 0.0447: undecided
 */
static void words(void **state)
{
	static const double factor[] = {1, 0.9, 1.1, 1.001, 1.01},
			    s[] = {0, 0.01, 0.01, 0.01, 0.05};
	static const enum verdict want[] = {VERDICT_NONE, VERDICT_WORSE, VERDICT_BETTER,
					    VERDICT_SAME, VERDICT_UNDECIDED};
	struct rows r;
	struct model *m;
	json_t *j, *rows;

	(void)state;
	rows_begin(&r, "[{\"key\":\"disk.queues\",\"values\":[\"1\",\"2\",\"3\",\"4\",\"5\"]}]", 8);
	for (int c = 0; c < 5; c++) {
		char keys[64], label[8];

		snprintf(keys, sizeof(keys), "{\"disk.queues\":\"%d\"}", c + 1);
		snprintf(label, sizeof(label), "%d", c + 1);
		rows_cell(&r, label, keys);
	}
	rows_work(&r, "w", DEEP);
	fill(&r, 8, factor, s);
	m = model_of(&r);
	near(value(m, 1)->ratio.hi, 0.9 * exp(2.364624 * 0.01 * sqrt(8.0 / 7) / sqrt(8)), 1e-6);
	j = model_json(m);
	rows = json_object_get(json_array_get(json_object_get(j, "workloads"), 0), "rows");
	for (size_t c = 0; c < 5; c++) {
		const json_t *v =
			json_array_get(json_object_get(json_array_get(rows, c), "values"), 0);
		const char *word = json_string_value(json_object_get(v, "verdict"));

		assert_int_equal(value(m, c)->verdict, want[c]);
		assert_int_equal(value(m, c)->differs, c == 1 || c == 2);
		assert_int_equal(value(m, c)->better, c == 2);
		assert_int_equal(value(m, c)->same, c == 3);
		assert_int_equal(value(m, c)->more.known, c == 4);
		assert_string_equal(word ? word : "null", want[c] ? verdict_word(want[c]) : "null");
		assert_int_equal(json_is_object(json_object_get(v, "more")), c == 4);
		/* effects of the one axis are the same four comparisons */
		if (c)
			assert_int_equal(m->workloads[0].effects[c - 1].verdict, want[c]);
	}
	/*
	 * Needed is the larger of 0.00995 and 0.019803 - 0.00995 = 0.00985. With the sd as it is,
	 * 0.05345: 1.96 * 0.05345 / 0.00995 squared is 111 blocks, so the range holds 103 more.
	 */
	assert_true(value(m, 4)->more.lo < 103 && value(m, 4)->more.hi > 103);
	/* and at the ends of the sd's interval, 0.661 and 2.035 times: 48 and 460 blocks in all */
	assert_in_range(value(m, 4)->more.lo, 38, 45);
	assert_in_range(value(m, 4)->more.hi, 440, 460);
	json_decref(j);
	model_free(m);
	rows_end(&r);
}

/* Part 4: below 6 blocks s says too little of sigma. */
static void no_forecast_below_six(void **state)
{
	static const double factor[] = {1, 1.01}, s[] = {0, 0.05};

	(void)state;
	for (unsigned blocks = 5; blocks <= 6; blocks++) {
		struct rows r;
		struct model *m;

		rows_begin(&r, RING, blocks);
		rows_cell(&r, "split", "{\"disk.ring\":\"split\"}");
		rows_cell(&r, "packed", "{\"disk.ring\":\"packed\"}");
		rows_work(&r, "w", DEEP);
		fill(&r, blocks, factor, s);
		m = model_of(&r);
		assert_int_equal(value(m, 1)->verdict, VERDICT_UNDECIDED);
		assert_int_equal(value(m, 1)->more.known, blocks == 6);
		assert_int_equal(strstr(m->workloads[0].headline, "more blocks") != NULL,
				 blocks == 6);
		model_free(m);
		rows_end(&r);
	}
}

/*
 * Holm: nine cells that were shown alone with p about 0.03 are not shown among nine. Six blocks,
 * alternating: sd 0.01 * sqrt(6/5) = 0.010954, t = x / (sd / sqrt(6)) and x = 0.0135 give t
 * = 3.019, p(5 df) = 0.0294; 9 * p is over 5 %. Half-width 2.5706 * 0.004472 = 0.0115: the interval
 * excludes 0, yet the word is undecided.
 */
static void shown_alone_only(void **state)
{
	double factor[10], s[10];
	struct rows r;
	struct model *m;

	(void)state;
	rows_begin(&r, "[]", 6);
	for (int c = 0; c < 10; c++) {
		char label[8];

		snprintf(label, sizeof(label), "c%d", c);
		rows_cell(&r, label, "{}");
		factor[c] = c ? exp(-0.0135) : 1;
		s[c] = c ? 0.01 : 0;
	}
	rows_work(&r, "w", DEEP);
	fill(&r, 6, factor, s);
	m = model_of(&r);
	assert_true(value(m, 1)->ratio.hi < 1);
	near(value(m, 1)->p, fmin(1, 9 * 0.02942), 2e-3);
	assert_int_equal(value(m, 1)->verdict, VERDICT_UNDECIDED);
	assert_false(value(m, 1)->differs);
	/* what would decide counts for nine: more than the interval alone, which is there already
	 */
	assert_true(value(m, 1)->more.known && value(m, 1)->more.hi > value(m, 1)->more.lo);
	model_free(m);
	rows_end(&r);
}

static void arms(struct rows *r, unsigned blocks, const char *meta)
{
	rows_begin(r, "[]", blocks);
	rows_cell(r, "raw base", "{\"guest.arm\":\"base\",\"disk.format\":\"raw\"}");
	rows_cell(r, "base qcow2", "{\"guest.arm\":\"base\",\"disk.format\":\"qcow2\"}");
	rows_cell(r, "raw change", "{\"guest.arm\":\"change\",\"disk.format\":\"raw\"}");
	rows_cell(r, "change qcow2", "{\"guest.arm\":\"change\",\"disk.format\":\"qcow2\"}");
	r->run.meta_json = xstrdup(meta);
}

#define PAIRS "\"pairs\":[[\"" ID0 "\",\"" ID2 "\"],[\"" ID1 "\",\"" ID3 "\"]]"
#define VS "{\"vs\":{\"base\":[],\"change\":[\"disk.ring=packed\"]," PAIRS "}}"

/*
 * Change over base, not cell over first cell: qcow2 is half as fast as raw in both arms. Eight
 * blocks as above: raw -10 % worse, qcow2 +0.1 % same. Cells of the arms are numbers 0, 1 and 2, 3.
 */
static void two_arms(void **state)
{
	static const double factor[] = {1, 0.5, 0.9, 0.5005}, s[] = {0, 0, 0.01, 0.01};
	struct rows r;
	struct model *m;
	json_t *j, *one;

	(void)state;
	arms(&r, 8, VS);
	rows_work(&r, "w", DEEP);
	rows_work(&r, "x", DEEP);
	fill(&r, 8, factor, s);
	m = model_of(&r);
	assert_int_equal(m->nvs, 4);
	for (size_t i = 0; i < 4; i++) {
		const struct model_vs *x = &m->vs[i];

		assert_int_equal(x->workload, i % 2);
		assert_int_equal(x->base, i / 2);
		assert_int_equal(x->change, i / 2 + 2);
		assert_string_equal(x->label, i / 2 ? "qcow2" : "raw");
		near(x->ratio.mid, i / 2 ? 1.001 : 0.9, 1e-9);
		assert_int_equal(x->ratio.n, 8);
		near(x->sd, 0.01 * sqrt(8.0 / 7), 1e-9);
		assert_int_equal(x->verdict, i / 2 ? VERDICT_SAME : VERDICT_WORSE);
		near(x->change_points[1] / x->base_points[1], (i / 2 ? 1.001 : 0.9) * exp(-0.01),
		     1e-9);
		/* Holm over four: the two small p are equal, so both are 4 p */
		if (i < 2)
			near(x->p, 4 * x->p_raw, 1e-9);
	}
	assert_int_equal(m->nvs_base, 0);
	assert_string_equal(m->vs_change[0], "disk.ring=packed");
	assert_non_null(strstr(m->headline,
			       "disk.ring=packed against the profile as it is: 2 worse, 2 same. "
			       "w, raw: reads per second worse -10 % (95 % interval"));
	/* the change is in the command of its arm alone */
	assert_null(strstr(m->cells[0].repeat, "packed"));
	assert_non_null(strstr(m->cells[2].repeat, "--set disk.ring=packed"));
	j = model_json(m);
	one = json_array_get(json_object_get(j, "vs"), 0);
	assert_string_equal(json_string_value(json_object_get(one, "verdict")), "worse");
	assert_string_equal(json_string_value(json_object_get(one, "base")), ID0);
	assert_string_equal(json_string_value(json_object_get(one, "change")), ID2);
	assert_int_equal(json_array_size(json_object_get(one, "base_points")), 8);
	json_decref(j);
	model_free(m);
	rows_end(&r);
}

/* Notes of a run may come from elsewhere: nothing in them is trusted. */
static void odd_pairs(void **state)
{
	static const char *const metas[] = {
		"{\"vs\":{\"pairs\":[[\"nowhere\",\"" ID2 "\"],[\"" ID1 "\",\"" ID1
		"\"],7,[],[null,{}]]}}",
		"{\"vs\":{\"base\":[1,null],\"change\":{},\"pairs\":{}}}",
		"{\"vs\":[],\"decide\":7,\"precision\":[]}",
		"{\"decide\":{\"max_blocks\":-3,\"min_effect\":\"x\"}}",
		"{\"decide\":{\"max_blocks\":1000000,\"min_effect\":1e300}}"};
	static const double factor[] = {1, 1, 1, 1}, s[] = {0, 0, 0, 0};

	(void)state;
	for (size_t i = 0; i < sizeof(metas) / sizeof(*metas); i++) {
		struct rows r;
		struct model *m;

		arms(&r, 6, metas[i]);
		rows_work(&r, "w", DEEP);
		fill(&r, 6, factor, s);
		m = model_of(&r);
		assert_int_equal(m->nvs, 0);
		assert_int_equal(m->seq_max, 0);
		assert_int_equal(warned(m, "5 pairs of cells are not those of this run"), i == 0);
		assert_int_equal(warned(m, "no usable number of blocks"), i >= 2);
		model_free(m);
		rows_end(&r);
	}
}

/* More than 5 % of one arm's trials failed: the pair has no verdict, the other pair has. */
static void failed_arm(void **state)
{
	static const double factor[] = {1, 1, 0.5, 1}, s[] = {0, 0, 0.01, 0.001};
	struct rows r;
	struct model *m;

	(void)state;
	arms(&r, 8, VS);
	rows_work(&r, "w", DEEP);
	fill(&r, 8, factor, s);
	for (size_t i = 0; i < r.ntrials; i++)
		if (r.trials[i].block == 3 && !strcmp(r.trials[i].cell, ID2)) {
			rows_fail(&r.trials[i], "timeout");
			r.trials[i].nsamples = 0;
		}
	m = model_of(&r);
	assert_true(m->vs[0].too_many_failed);
	assert_int_equal(m->vs[0].verdict, VERDICT_NONE);
	assert_true(isnan(m->vs[0].ratio.mid) && isnan(m->vs[0].p));
	assert_int_equal(m->vs[1].verdict, VERDICT_SAME);
	model_free(m);
	rows_end(&r);
}

/*
 * run.decide with at most 40 blocks, ended after 10: the factor is 4.0 of part 6's table (two
 * digits) instead of Student's 2.262. min_effect is the run's: 5 %, m = 0.0488. Ten blocks,
 * alternating: sd = 0.02 * sqrt(10/9) = 0.021082, half 4.0 * 0.021082 / sqrt(10) = 0.0267. raw: ln
 * 0.975 = -0.0253: Student's interval (+-0.0151) excludes 0, the repeated one does not; it reaches
 * -0.052, so neither is it the same: undecided. qcow2: +2 % within 5 %: same.
 */
static void repeated_intervals(void **state)
{
	static const double factor[] = {1, 0.5, 0.975, 0.51}, s[] = {0, 0, 0.02, 0.02};
	struct rows r;
	struct model *m;
	double half;

	(void)state;
	arms(&r, 40,
	     "{\"vs\":{\"base\":[],\"change\":[\"disk.ring=packed\"]," PAIRS
	     "},\"decide\":{\"max_blocks\":40,\"min_effect\":0.05}}");
	rows_work(&r, "w", DEEP);
	fill(&r, 10, factor, s);
	m = model_of(&r);
	assert_int_equal(m->seq_max, 40);
	assert_true(m->stopped_early);
	assert_int_equal(m->blocks_done, 10);
	assert_int_equal(m->blocks_planned, 40);
	near(m->workloads[0].min_effect, 0.05, 1e-12);
	half = log(m->vs[0].ratio.hi / m->vs[0].ratio.lo) / 2;
	near(half * sqrt(10) / m->vs[0].sd, 4.0, 0.02);
	assert_int_equal(m->vs[0].verdict, VERDICT_UNDECIDED);
	assert_true(m->vs[0].p_raw > 0.05);
	assert_int_equal(m->vs[1].verdict, VERDICT_SAME);
	assert_true(m->vs[0].more.known && m->vs[0].more.lo >= 1);
	assert_true(warned(m, "Stopped early, after 10 of at most 40 blocks"));
	assert_false(warned(m, "time asked for was used up"));
	/* the same interval for every comparison of the run: cell 3 against the first */
	near(log(value(m, 2)->ratio.hi / value(m, 2)->ratio.lo) / 2 * sqrt(10) / 0.021082, 4.0,
	     0.02);
	model_free(m);
	rows_end(&r);
}

/* p is below 5 % exactly when the repeated interval excludes equality, on either side of it. */
static void repeated_p_agrees(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++) {
		double factor[] = {1, 0.5, exp(-0.002 * i), 0.5}, s[] = {0, 0, 0.02, 0.02};
		struct rows r;
		struct model *m;

		arms(&r, 12,
		     "{\"vs\":{\"pairs\":[[\"" ID0 "\",\"" ID2 "\"]]},"
		     "\"decide\":{\"max_blocks\":12,\"min_effect\":0.02}}");
		rows_work(&r, "w", DEEP);
		fill(&r, 6 + i % 7, factor, s);
		m = model_of(&r);
		assert_int_equal(m->vs[0].p_raw < 0.05, m->vs[0].ratio.hi < 1);
		assert_int_equal(m->vs[0].verdict == VERDICT_WORSE,
				 m->vs[0].ratio.hi < 1 && m->vs[0].ratio.lo < 1 / 1.02);
		model_free(m);
		rows_end(&r);
	}
}

/* A cell that was decided leaves later blocks; they count as blocks nevertheless. */
static void cells_leave(void **state)
{
	static const double factor[] = {1, 1, 0.5, 1.01}, s[] = {0, 0, 0.01, 0.05};
	struct rows r;
	struct model *m;

	(void)state;
	arms(&r, 20,
	     "{\"vs\":{\"base\":[],\"change\":[]," PAIRS
	     "},\"decide\":{\"max_blocks\":20,\"min_effect\":0.02}}");
	rows_work(&r, "w", DEEP);
	fill(&r, 4, factor, s);
	for (unsigned k = 4; k < 9; k++)
		for (size_t c = 1; c < 4; c += 2)
			rows_sample(rows_trial(&r, k, c, 0), "read.iops",
				    1000 * factor[c] * exp(k % 2 ? -s[c] : s[c]));
	m = model_of(&r);
	assert_int_equal(m->blocks_done, 9);
	assert_int_equal(m->vs[0].ratio.n, 4);
	assert_int_equal(m->vs[1].ratio.n, 9);
	assert_int_equal(m->vs[0].verdict, VERDICT_WORSE);
	assert_non_null(strstr(m->headline, "The same against itself (A/A)"));
	model_free(m);
	rows_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(no_forecast_below_six),
		cmocka_unit_test(shown_alone_only),
		cmocka_unit_test(two_arms),
		cmocka_unit_test(odd_pairs),
		cmocka_unit_test(failed_arm),
		cmocka_unit_test(repeated_intervals),
		cmocka_unit_test(repeated_p_agrees),
		cmocka_unit_test(cells_leave),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
