// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The gate's judgement of stores made by hand: green, red, gain, blind, missing, failed,
 * mismatched, renamed, joined; its levels; its records; TAP and exit status. Figures are those of
 * statistics.md, part 11, or arithmetic by hand.
 */
#include <errno.h>
#include <math.h>
#include "gate/environ.h"
#include "gate/gate.h"
#include "tests/unit/store_sample.h"

#define BASE "00000000000000b1"
#define CHANGE "00000000000000c1"
#define BLOCKS 10

/* One trial of a run of one pair and one workload; value by the caller, NAN: failed. */
struct shape {
	double harm;	   /* log ratio of latencies */
	double noise;	   /* alternates + and - */
	int skip;	   /* seq that is not stored; -1: none */
	int fail;	   /* seq that failed; -1: none */
	const char *cause; /* of it */
};
static const struct shape plain = {.noise = 0.01, .skip = -1, .fail = -1};

static void put_one(struct store *s, const char *uuid, unsigned seq, const struct shape *x)
{
	bool change = seq % 2;
	/* the pairs' differences alternate around the harm, so that their sd is 2 * noise or so */
	double sign = seq / 2 % 2 ? 1 : -1;
	double v = 1e5 * exp(change ? x->harm + sign * x->noise : -sign * x->noise);
	struct store_sample sample = {"read.lat.mean", v};
	bool ok = (int)seq != x->fail;
	struct store_trial t = {.seq = seq,
				.block = seq / 2,
				.place = seq % 2,
				.workload = (char *)"randread",
				.site = (char *)"small guest",
				.fresh = true,
				.template_id = "t",
				.ok = ok,
				.cause = ok ? NULL : (char *)x->cause,
				.detail = ok ? NULL : (char *)"it went wrong\nmore",
				.begun = BEGUN + seq * 2000000000ll,
				.ended = BEGUN + seq * 2000000000ll + 1500000000,
				.samples = &sample,
				.nsamples = ok};
	struct err e = {0};

	snprintf(t.cell, sizeof(t.cell), "%s", change ? CHANGE : BASE);
	expect_rc(store_trial_put(s, uuid, &t, &e), 0, &e);
}

static void put_run(struct store *s, const char *uuid, unsigned blocks, const struct shape *x)
{
	static const struct store_cell cells[2] = {
		{BASE, 0, (char *)"base virtio-blk", (char *)"{}"},
		{CHANGE, 1, (char *)"change virtio-blk", (char *)"{}"},
	};
	struct store_run r = sample_run(uuid, "build", BEGUN);
	struct err e = {0};
	unsigned i;

	r.blocks = blocks;
	r.trials = 2 * blocks;
	expect_rc(store_run_begin(s, &r, cells, 2, sample_workloads, 1, &e), 0, &e);
	for (i = 0; i < 2 * blocks; i++)
		if ((int)i != x->skip)
			put_one(s, uuid, i, x);
}

static struct gate_night new_night(double must_see)
{
	struct gate_night n = {.uuid = UUID_A,
			       .profile = xstrdup("nightly"),
			       .label = xstrdup("build #7"),
			       .rule = {BLOCKS, 2 * BLOCKS, must_see, 0.01, 1},
			       .series = xcalloc(1, sizeof(*n.series)),
			       .nseries = 1,
			       .cells = 1,
			       .begun = BEGUN,
			       .ended = BEGUN + 60000000000ll};

	n.series[0] = (struct gate_series){.key = xstrdup("key"),
					   .name = xstrdup("randread, virtio-blk"),
					   .workload = xstrdup("randread"),
					   .base_id = BASE,
					   .change_id = CHANGE,
					   .base_label = xstrdup("base virtio-blk"),
					   .change_label = xstrdup("change virtio-blk"),
					   .metric = metric_find("read.lat.mean")};
	snprintf(n.screen_run, sizeof(n.screen_run), "%s", UUID_A);
	snprintf(n.confirm_run, sizeof(n.confirm_run), "%s", UUID_B);
	return n;
}

static void end_series(struct gate_night *n)
{
	/* as gate_series_free does */
	for (size_t i = 0; i < n->nseries; i++)
		assert_non_null(n->series[i].key);
	gate_night_free(n);
}

/* Judges both stages; fills *n (end_series). */
static void judge(void **state, const struct shape *one, const struct shape *two, double must_see,
		  struct gate_night *n)
{
	char *path = in_folder(state, "gate.db");
	struct err e = {0};
	struct store *s;

	unlink(path);
	s = open_store(path);
	put_run(s, UUID_A, BLOCKS, one);
	if (two)
		put_run(s, UUID_B, 2 * BLOCKS, two);
	*n = new_night(must_see);
	expect_rc(gate_judge_screen(s, n, &e), 0, &e);
	if (n->series[0].suspect && two)
		expect_rc(gate_judge_confirm(s, n, &e), 0, &e);
	gate_judge_rest(n);
	store_close(s);
	free(path);
}

static void equal_builds_are_green(void **state)
{
	struct gate_night n;

	judge(state, &plain, NULL, 0.5, &n);
	assert_int_equal(n.series[0].state, GATE_SAME);
	assert_int_equal(n.series[0].screen.n, BLOCKS);
	assert_true(fabs(n.series[0].screen.harm) < 1e-9);
	assert_int_equal(gate_status(&n), VB_OK);
	assert_string_equal(gate_night_word(&n), "green");
	/* 1.5 s, as put_one has it */
	assert_true(fabs(n.trial_seconds - 1.5) < 1e-9);
	end_series(&n);
}

static void a_loss_is_red_only_when_fresh_blocks_confirm_it(void **state)
{
	struct shape slow = plain;
	struct gate_night n;

	slow.harm = log(1.10);
	judge(state, &slow, &slow, 0.5, &n);
	assert_int_equal(n.series[0].suspect, 1);
	assert_int_equal(n.series[0].state, GATE_WORSE);
	assert_true(fabs(n.series[0].confirm.harm - log(1.10)) < 1e-9);
	assert_int_equal(gate_status(&n), VB_WORSE);
	end_series(&n);
	judge(state, &slow, &plain, 0.5, &n);
	assert_int_equal(n.series[0].suspect, 1);
	assert_int_equal(n.series[0].state, GATE_SAME);
	assert_int_equal(gate_status(&n), VB_OK);
	end_series(&n);
	/* suspected, and stage 2 is not there: never green */
	judge(state, &slow, NULL, 0.5, &n);
	assert_int_equal(n.series[0].state, GATE_MISSING);
	assert_int_equal(gate_status(&n), VB_NOT_MEASURED);
	end_series(&n);
}

static void a_gain_is_shown_and_never_red(void **state)
{
	struct shape fast = plain;
	struct gate_night n;

	fast.harm = -log(1.10);
	judge(state, &fast, &fast, 0.5, &n);
	assert_int_equal(n.series[0].suspect, -1);
	assert_int_equal(n.series[0].state, GATE_BETTER);
	assert_int_equal(gate_status(&n), VB_OK);
	end_series(&n);
}

static void what_could_not_be_seen_is_blind(void **state)
{
	struct shape noisy = plain;
	struct gate_night n;

	noisy.noise =
		0.10; /* sd of a trial 10 %: part 5 wants 117 pairs for 5 % at 1 % two-sided */
	judge(state, &noisy, NULL, 0.05, &n);
	assert_int_equal(n.series[0].state, GATE_BLIND);
	assert_true(n.series[0].needs > 40);
	assert_int_equal(gate_status(&n), VB_UNDECIDED);
	assert_string_equal(gate_night_word(&n), "blind");
	end_series(&n);
}

static void missing_failed_and_mismatched_speak(void **state)
{
	struct shape x = plain;
	struct gate_night n;

	x.skip = 7;
	judge(state, &x, NULL, 0.5, &n);
	assert_int_equal(n.series[0].state, GATE_MISSING);
	assert_non_null(strstr(n.series[0].why, "1 of its 20 trials"));
	assert_int_equal(gate_status(&n), VB_NOT_MEASURED);
	end_series(&n);
	x = plain;
	x.fail = 6; /* one of ten: 10 % of the cell's */
	x.cause = "qemu";
	judge(state, &x, NULL, 0.5, &n);
	assert_int_equal(n.series[0].state, GATE_FAILED);
	assert_non_null(strstr(n.series[0].why, "10 % of the trials of its reference arm"));
	end_series(&n);
	x.fail = 7;
	x.cause = "mismatch";
	judge(state, &x, NULL, 0.5, &n);
	assert_int_equal(n.series[0].state, GATE_MISMATCHED);
	assert_non_null(strstr(n.series[0].why, "it went wrong"));
	assert_int_equal(gate_status(&n), VB_NOT_MEASURED);
	end_series(&n);
}

static void a_renamed_workload_speaks_twice(void **state)
{
	struct store_gate_series old = {.key = (char *)"old",
					.name = (char *)"reads, virtio-blk",
					.metric = (char *)"read.lat.mean",
					.state = (char *)"accepted"};
	struct store_gate accepted = {.series = &old, .nseries = 1};
	struct gate_night n;

	judge(state, &plain, NULL, 0.5, &n);
	gate_judge_known(&n, &accepted);
	assert_int_equal(n.nseries, 2);
	assert_int_equal(n.series[0].state, GATE_RENAMED);
	assert_int_equal(n.series[1].state, GATE_RENAMED);
	assert_string_equal(n.series[1].name, "reads, virtio-blk");
	assert_int_equal(gate_status(&n), VB_NOT_MEASURED);
	end_series(&n);
	old.key = (char *)"key";
	judge(state, &plain, NULL, 0.5, &n);
	gate_judge_known(&n, &accepted);
	assert_int_equal(n.nseries, 1);
	assert_int_equal(gate_status(&n), VB_OK);
	end_series(&n);
}

/* Red stays red until the record shows that the harm is below must_see. */
static void a_rerun_joins_the_record(void **state)
{
	static const char *const runs[] = {UUID_A, UUID_B};
	char *path = in_folder(state, "joined.db");
	struct store *s = open_store(path);
	struct shape slow = plain;
	struct gate_night n;
	struct err e = {0};

	slow.harm = log(1.10);
	put_run(s, UUID_A, 20, &slow);
	put_run(s, UUID_B, 20, &slow);
	n = new_night(0.05);
	n.joins = xstrdup(UUID_C);
	expect_rc(gate_judge_joined(s, &n, runs, 2, &e), 0, &e);
	assert_int_equal(n.series[0].confirm.n, 40);
	assert_int_equal(n.series[0].state, GATE_WORSE);
	assert_string_equal(gate_night_word(&n), "red");
	end_series(&n);
	store_close(s);
	unlink(path);
	s = open_store(path);
	put_run(s, UUID_A, 20, &plain);
	put_run(s, UUID_B, 20, &plain);
	n = new_night(0.05);
	n.joins = xstrdup(UUID_C);
	expect_rc(gate_judge_joined(s, &n, runs, 2, &e), 0, &e);
	assert_int_equal(n.series[0].state, GATE_SAME);
	assert_string_equal(gate_night_word(&n), "cleared");
	end_series(&n);
	/* neither shown: 5 % harm against a must_see of 5 % cannot be below it */
	store_close(s);
	unlink(path);
	s = open_store(path);
	slow.harm = log(1.05);
	slow.noise = 0.08;
	put_run(s, UUID_A, 20, &slow);
	put_run(s, UUID_B, 20, &slow);
	n = new_night(0.05);
	n.joins = xstrdup(UUID_C);
	expect_rc(gate_judge_joined(s, &n, runs, 2, &e), 0, &e);
	assert_true(n.series[0].limits.lo < 0);
	assert_int_equal(n.series[0].state, GATE_WORSE);
	end_series(&n);
	store_close(s);
	free(path);
}

/* Rate 1 % in 90 nights: 24 series have a false suspect nearly every night, 2 in a fifth of them.
 */
static void levels_split_the_rate(void **state)
{
	struct gate_rule r = {10, 20, 0.05, 0.01, 24};

	(void)state;
	assert_true(fabs(gate_level(&r) - 0.01 / 90) < 1e-12);
	r.series = 2;
	assert_true(fabs(gate_level(&r) - 0.01 / 18) < 1e-12);
	assert_true(fabs(gate_rate_bound(&r) - 0.01) < 1e-12);
	r.rate = 1;
	assert_true(gate_level(&r) == 0.01);
}

/* statistics.md, part 11: 24 series, stage 2 at 1 % (a rate of 90 %): found on the first night. */
static void what_is_seen_is_as_simulated(void **state)
{
	static const struct {
		unsigned one, two;
		double sd, effect, found;
	} rows[] = {
		{6, 12, 0.02, 0.03, 0.56},  {10, 20, 0.02, 0.03, 0.92}, {10, 20, 0.05, 0.05, 0.47},
		{20, 40, 0.05, 0.05, 0.92}, {20, 40, 0.05, 0.03, 0.33},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct gate_rule r = {rows[i].one, rows[i].two, 0.05, 0.9, 24};
		double seen = gate_seen(&r, rows[i].sd, rows[i].found);

		assert_true(fabs(gate_level(&r) - 0.01) < 1e-12);
		if (fabs(seen - rows[i].effect) > 0.1 * rows[i].effect)
			fail_msg("%u + %u, sd %g: %g is found with %g, not %g", rows[i].one,
				 rows[i].two, rows[i].sd, seen, rows[i].found, rows[i].effect);
	}
}

static void needs_are_what_makes_it_seen(void **state)
{
	struct gate_rule r = {10, 20, 0.05, 0.01, 4};
	unsigned n = gate_needs(&r, 0.05, 0.8);

	(void)state;
	assert_true(n > 10);
	r.blocks = n;
	r.confirm = 2 * n;
	assert_true(gate_seen(&r, 0.05, 0.8) <= 0.0501);
	r.blocks = n - 1;
	r.confirm = 2 * (n - 1);
	assert_true(gate_seen(&r, 0.05, 0.8) > 0.05);
}

/* Holm over two suspects: the smaller p doubled. */
static void suspects_share_the_level(void **state)
{
	struct gate_rule r = {10, 20, 0.05, 0.9, 24}; /* level 1 % */
	struct gate_stage st[3] = {{.n = 20, .p_worse = 0.006, .p_better = 0.994},
				   {.n = 20, .p_worse = 0.4, .p_better = 0.6},
				   {.n = 20, .p_worse = 0.006, .p_better = 0.994}};
	int suspect[3] = {1, 1, 0}, shown[3];
	double p[3];

	(void)state;
	gate_confirm(&r, st, suspect, 3, p, shown);
	assert_true(fabs(p[0] - 0.012) < 1e-12);
	assert_int_equal(shown[0], 0);
	assert_true(isnan(p[2]));
	suspect[1] = 0;
	gate_confirm(&r, st, suspect, 3, p, shown);
	assert_int_equal(shown[0], 1);
	assert_int_equal(shown[2], 0);
}

/* 10 % slower, and fresh blocks that cannot tell: neither red nor green. */
static void a_suspect_that_loud_blocks_leave_open_is_blind(void **state)
{
	struct shape slow = plain, loud = plain;
	struct gate_night n;

	slow.harm = log(1.10);
	loud.harm = log(1.10);
	loud.noise = 0.5;
	judge(state, &slow, &loud, 0.5, &n);
	assert_int_equal(n.series[0].suspect, 1);
	assert_int_equal(n.series[0].state, GATE_BLIND);
	assert_true(n.series[0].seen80 > 0.5);
	assert_int_equal(gate_status(&n), VB_UNDECIDED);
	end_series(&n);
}

/* A spread in which no harm could be seen, whatever its size: then there is no figure to name. */
static void a_night_that_sees_nothing_names_no_figure(void **state)
{
	struct shape loud = plain;
	struct gate_night n;

	loud.noise = 6.5;
	judge(state, &loud, NULL, 0.5, &n);
	assert_int_equal(n.series[0].state, GATE_BLIND);
	assert_true(isnan(n.series[0].seen80));
	assert_non_null(strstr(n.series[0].why, "hidden a harm of any size"));
	assert_null(strstr(n.series[0].why, "nan"));
	end_series(&n);
}

static void a_changed_host_is_told_line_by_line(void **state)
{
	json_t *a = json_loads("{\"kernel\":\"6.1\",\"microcode\":\"0x1\",\"governor\":null,"
			       "\"mitigations\":{\"mds\":\"off\"},\"boot_id\":\"x\"}",
			       0, NULL);
	json_t *b =
		json_loads("{\"kernel\":\"6.2\",\"microcode\":\"0x1\",\"governor\":\"powersave\","
			   "\"mitigations\":{\"mds\":\"on\"},\"boot_id\":\"y\"}",
			   0, NULL);
	json_t *x = environ_of(a), *y = environ_of(b);
	char *diff = environ_diff(x, y), *none = environ_diff(x, x);

	(void)state;
	assert_string_equal(diff, "mitigations.mds: off -> on\nkernel: 6.1 -> 6.2\n"
				  "governor: not known -> powersave");
	assert_null(none);
	free(diff);
	json_decref(a);
	json_decref(b);
	json_decref(x);
	json_decref(y);
}

static void tap_escapes_and_counts(void **state)
{
	struct gate_night n;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	judge(state, &plain, NULL, 0.5, &n);
	free(n.series[0].name);
	n.series[0].name = xstrdup("a # TODO\nb");
	gate_check_add(&n, "host", false, xstrdup("changed\nkernel: \"a\" -> b"),
		       xstrdup("accept it"));
	gate_tap(&n, f);
	fclose(f);
	assert_non_null(strstr(text, "\n1..2\n"));
	assert_non_null(strstr(text, "\nnot ok 1 - host: changed\n"));
	assert_non_null(strstr(text, "message: \"changed\\nkernel: \\\"a\\\" -> b\"\n"));
	assert_non_null(strstr(text, "\nok 2 - a \\# TODO b: same"));
	assert_int_equal(gate_status(&n), VB_NOT_MEASURED);
	free(text);
	end_series(&n);
}

static void records_come_back(void **state)
{
	char *path = in_folder(state, "records.db");
	struct store *s = open_store(path);
	struct store_gate_series x = {.key = (char *)"k",
				      .name = (char *)"n",
				      .metric = (char *)"m",
				      .state = (char *)"same",
				      .stage = 1,
				      .n = 10,
				      .ratio = 1.01,
				      .lo = 0.99,
				      .hi = NAN,
				      .sd = 0.02,
				      .p = NAN,
				      .seen = 0.03};
	struct store_gate g = {.uuid = UUID_A,
			       .host_id = "h",
			       .profile = (char *)"p",
			       .kind = (char *)GATE_NIGHT,
			       .state = (char *)"begun",
			       .begun = 5,
			       .build = (char *)"b",
			       .doc_json = (char *)"{}"},
			  *got;
	struct err e = {0};
	size_t n;

	expect_rc(store_gate_put(s, &g, &e), 0, &e);
	expect_rc(store_gate_put(s, &g, &e), -EEXIST, &e);
	g.state = (char *)"green";
	g.ended = 9;
	g.series = &x;
	g.nseries = 1;
	expect_rc(store_gate_update(s, &g, &e), 0, &e);
	expect_rc(store_gate_update(s, &g, &e), 0, &e);
	expect_rc(store_gates(s, "h", "p", &got, &n, &e), 0, &e);
	assert_int_equal(n, 1);
	assert_string_equal(got[0].state, "green");
	assert_true(got[0].begun == 5 && got[0].ended == 9);
	assert_int_equal(got[0].nseries, 1);
	assert_true(got[0].series[0].ratio == 1.01 && isnan(got[0].series[0].hi));
	assert_null(got[0].joins);
	store_gates_free(got, n);
	expect_rc(store_gates(s, "other", NULL, &got, &n, &e), 0, &e);
	assert_int_equal(n, 0);
	snprintf(g.uuid, sizeof(g.uuid), "%s", UUID_B);
	expect_rc(store_gate_update(s, &g, &e), -ENOENT, &e);
	store_close(s);
	free(path);
}

/* A store of the first schema: its runs stay, and the gate's tables come. */
static void an_old_store_is_migrated(void **state)
{
	char *path = in_folder(state, "old.db");
	struct store *s = open_store(path);
	struct store_gate *got;
	struct err e = {0};
	int64_t version;
	size_t n;

	begin_run(s, UUID_A, "x", BEGUN, NULL);
	put_trial(s, UUID_A, 0, false);
	expect_rc(db_exec(s, "DROP TABLE gate_series; DROP TABLE gate; PRAGMA user_version = 1",
			  "t", &e),
		  0, &e);
	expect_rc(schema_exact(s, 1, &e), 0, &e);
	store_close(s);
	s = NULL;
	expect_rc(store_open(path, false, &s, &e), 0, &e);
	expect_rc(db_number(s, "PRAGMA user_version", &version, &e), 0, &e);
	assert_int_equal(version, STORE_VERSION);
	expect_rc(schema_exact(s, STORE_VERSION, &e), 0, &e);
	assert_int_equal(count_trials(s, UUID_A), 1);
	expect_rc(store_gates(s, NULL, NULL, &got, &n, &e), 0, &e);
	assert_int_equal(n, 0);
	store_close(s);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_builds_are_green),
		cmocka_unit_test(a_loss_is_red_only_when_fresh_blocks_confirm_it),
		cmocka_unit_test(a_gain_is_shown_and_never_red),
		cmocka_unit_test(what_could_not_be_seen_is_blind),
		cmocka_unit_test(missing_failed_and_mismatched_speak),
		cmocka_unit_test(a_renamed_workload_speaks_twice),
		cmocka_unit_test(a_rerun_joins_the_record),
		cmocka_unit_test(levels_split_the_rate),
		cmocka_unit_test(what_is_seen_is_as_simulated),
		cmocka_unit_test(needs_are_what_makes_it_seen),
		cmocka_unit_test(suspects_share_the_level),
		cmocka_unit_test(a_suspect_that_loud_blocks_leave_open_is_blind),
		cmocka_unit_test(a_night_that_sees_nothing_names_no_figure),
		cmocka_unit_test(a_changed_host_is_told_line_by_line),
		cmocka_unit_test(tap_escapes_and_counts),
		cmocka_unit_test(records_come_back),
		cmocka_unit_test(an_old_store_is_migrated),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
