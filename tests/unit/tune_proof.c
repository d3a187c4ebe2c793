// SPDX-License-Identifier: GPL-2.0-or-later
/* A tuning's proof from trials that are made by hand, and what is recommended of it. Expected
 * values: arithmetic by hand. */
#include "store_sample.h"
#include <math.h>
#include "run/run.h"
#include "store/store.h"
#include "tune/tune.h"

#define BLOCKS 20

struct world {
	char *db;
	struct store *s;
	unsigned seq;
	struct tune_opts o;
	json_t *state;
};

static void begin(struct world *w, void **state, const char *cells[3], const char *pairs)
{
	static const struct store_workload works[2] = {
		{(char *)"r", "00000000000000w1", 0, (char *)"{}", (char *)"randread"},
		{(char *)"w", "00000000000000w2", 1, (char *)"{}", (char *)"randwrite"},
	};
	struct store_cell list[3] = {{CELL_1, 0, (char *)cells[0], (char *)"{}"},
				     {CELL_2, 1, (char *)cells[1], (char *)"{}"},
				     {"00000000000000c3", 2, (char *)cells[2], (char *)"{}"}};
	struct store_run r = sample_run(UUID_A, "t: proof", BEGUN);
	struct err e = {0};

	*w = (struct world){.db = in_folder(state, "db")};
	w->s = open_store(w->db);
	r.blocks = BLOCKS;
	r.folder = (char *)"";
	r.meta_json = xasprintf("{\"listed_pairs\":%s}", pairs);
	expect_rc(store_run_begin(w->s, &r, list, cells[2] ? 3 : 2, works, 2, &e), 0, &e);
	free(r.meta_json);
	w->o = (struct tune_opts){.db = w->db, .stop_fd = -1};
	w->state = json_pack("{s:f, s:{s:{s:s, s:s}}}", "min_effect", 0.02, "search", "primary",
			     "r", "read.iops", "w", "write.iops");
}

/* iops 0: the trial failed. */
static void put(struct world *w, const char *cell, bool writes, unsigned block, double iops)
{
	struct store_sample sample = {.value = iops};
	struct store_trial t = {.seq = w->seq++,
				.block = block,
				.workload = (char *)(writes ? "w" : "r"),
				.site = (char *)"small guest",
				.ok = iops > 0,
				.cause = iops > 0 ? NULL : (char *)"timeout",
				.folder = (char *)"",
				.samples = &sample,
				.nsamples = iops > 0};
	struct err e = {0};

	snprintf(sample.metric, sizeof(sample.metric), writes ? "write.iops" : "read.iops");
	snprintf(t.cell, sizeof(t.cell), "%s", cell);
	expect_rc(store_trial_put(w->s, UUID_A, &t, &e), 0, &e);
}

/* Each block: reads and writes, with an error of 1 % up and down in turn. */
static void put_all(struct world *w, const char *cell, double reads, double writes)
{
	for (unsigned b = 0; b < BLOCKS; b++) {
		put(w, cell, false, b, reads * (b % 2 ? 1.01 : 1 / 1.01));
		put(w, cell, true, b, writes * (b % 3 ? 1 / 1.01 : 1.01));
	}
}

static json_t *judge(struct world *w)
{
	struct err e = {0};
	json_t *out = NULL;

	expect_rc(tune_judge(w->state, UUID_A, &w->o, &out, &e), 0, &e);
	return out;
}

static void end(struct world *w)
{
	store_close(w->s);
	json_decref(w->state);
	free(w->db);
}

static const json_t *first(const json_t *judged)
{
	return json_array_get(json_object_get(judged, "pairs"), 0);
}

static const char *word(const json_t *o)
{
	return tune_str(o, "verdict");
}

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

/* Reads twice as fast, writes at 0.8: sqrt(1.6) = 1.265 in all, and that hides a loss. */
static void a_mean_hides_no_loss(void **state)
{
	struct world w;
	json_t *judged;
	const json_t *p, *one;

	begin(&w, state, (const char *[3]){"start", "winner", NULL}, "[[0,1]]");
	put_all(&w, CELL_1, 1000, 500);
	put_all(&w, CELL_2, 2000, 400);
	judged = judge(&w);
	p = first(judged);
	assert_string_equal(word(p), "better");
	assert_true(fabs(number(p, "speed") - sqrt(1.6)) < 1e-9);
	one = json_array_get(json_object_get(p, "workloads"), 0);
	assert_string_equal(tune_str(one, "workload"), "r");
	assert_string_equal(word(one), "better");
	assert_true(fabs(number(one, "speed") - 2) < 1e-9);
	one = json_array_get(json_object_get(p, "workloads"), 1);
	assert_string_equal(tune_str(one, "workload"), "w");
	assert_string_equal(word(one), "worse");
	assert_true(fabs(number(one, "speed") - 0.8) < 1e-9);
	json_decref(judged);
	end(&w);
}

/* Slow trials time out: of 20, one may (5 %), as in the report; with two nothing is shown. */
static void a_winner_that_fails_is_none(void **state)
{
	for (unsigned fail = 1; fail <= 2; fail++) {
		struct world w;
		json_t *judged;
		const json_t *one;

		begin(&w, state, (const char *[3]){"start", "winner", NULL}, "[[0,1]]");
		put_all(&w, CELL_1, 1000, 500);
		for (unsigned b = 0; b < BLOCKS; b++) {
			put(&w, CELL_2, false, b, b < fail ? 0 : b % 2 ? 2010 : 1990);
			put(&w, CELL_2, true, b, b % 2 ? 1010 : 990);
		}
		judged = judge(&w);
		assert_string_equal(word(first(judged)), fail == 1 ? "better" : "failed");
		one = json_array_get(json_object_get(first(judged), "workloads"), 0);
		assert_string_equal(word(one), fail == 1 ? "better" : "failed");
		one = json_array_get(json_object_get(first(judged), "workloads"), 1);
		assert_string_equal(word(one), "better");
		json_object_set_new(w.state, "winner", json_array());
		json_object_set_new(w.state, "final", judged);
		assert_string_equal(tune_settle_proof(w.state, judged), "check");
		assert_string_equal(tune_str(w.state, "recommended"),
				    fail == 1 ? "winner" : "start");
		assert_int_equal(tune_status(w.state), fail == 1 ? VB_OK : VB_NOT_MEASURED);
		end(&w);
		folder_teardown(state);
		folder_setup(state);
	}
}

/* The fastest of all cells is not the best where half of its trials fail. */
static void no_best_that_fails(void **state)
{
	struct world w;
	struct err e = {0};
	json_t *rank = NULL;

	begin(&w, state, (const char *[3]){"a", "b", "c"}, "[]");
	put_all(&w, CELL_1, 1000, 500);
	put_all(&w, CELL_2, 2000, 1000);
	for (unsigned b = 0; b < BLOCKS; b++) {
		put(&w, "00000000000000c3", false, b, b % 2 ? 9000 : 0);
		put(&w, "00000000000000c3", true, b, 9000);
	}
	expect_rc(tune_rank(w.state, UUID_A, CELL_2, &w.o, &rank, &e), 0, &e);
	assert_int_equal(json_integer_value(json_object_get(rank, "rank")), 1);
	assert_string_equal(tune_str(rank, "best"), "b");
	/* every second trial of the third's first workload */
	assert_int_equal(json_integer_value(json_object_get(rank, "failed")), (BLOCKS + 1) / 2);
	json_decref(rank);
	end(&w);
}

/* A setting without which trials fail is not taken out. */
static void what_fails_when_undone_stays(void **state)
{
	struct world w;
	json_t *judged, *s;

	begin(&w, state, (const char *[3]){"start", "winner", "winner less x"}, "[[0,1],[2,1]]");
	put_all(&w, CELL_1, 1000, 500);
	put_all(&w, CELL_2, 2000, 1000);
	for (unsigned b = 0; b < BLOCKS; b++) {
		put(&w, "00000000000000c3", false, b, b < 10 ? 0 : 2000);
		put(&w, "00000000000000c3", true, b, 1000);
	}
	json_object_set_new(w.state, "winner", json_pack("[s]", "on"));
	s = json_pack("{s:s, s:s, s:s, s:i, s:s}", "key", "disk.x", "from", "off", "to", "on",
		      "axis", 0, "cell", "winner less x");
	json_object_set_new(w.state, "settings", json_pack("[o]", s));
	judged = judge(&w);
	assert_string_equal(tune_settle_proof(w.state, judged), "check");
	assert_string_equal(tune_str(s, "word"), "bound");
	assert_string_equal(tune_str(s, "alone"), "10 of 20 trials failed without it");
	assert_string_equal(tune_str(w.state, "recommended"), "winner");
	json_decref(judged);
	end(&w);
}

/* The confirmation measures the search's winner a second time: where it is the start's equal there,
 * the proof alone does not recommend it. */
static void a_second_look_counts(void **state)
{
	static const double second[] = {1, 2};

	for (int i = 0; i < 2; i++) {
		struct world w;
		json_t *judged;

		begin(&w, state, (const char *[3]){"start", "lean", "winner"}, "[[0,1],[2,1]]");
		put_all(&w, CELL_1, 1000, 500);
		put_all(&w, CELL_2, 1000, 500);
		put_all(&w, "00000000000000c3", 1000 * second[i], 500 * second[i]);
		judged = judge(&w);
		assert_string_equal(word(json_object_get(judged, "again")), i ? "better" : "same");
		tune_settle_confirmation(w.state, judged);
		assert_string_equal(tune_str(w.state, "recommended"), i ? "winner" : "start");
		json_object_set_new(w.state, "final",
				    json_pack("{s:[{s:s, s:s, s:s}]}", "pairs", "base", "start",
					      "change", "winner", "verdict", "better"));
		assert_int_equal(tune_status(w.state), i ? VB_OK : VB_UNDECIDED);
		json_decref(judged);
		end(&w);
		folder_teardown(state);
		folder_setup(state);
	}
}

/* Nothing measured, or not the start: that is no "nothing better than the start". */
static void a_blind_search_says_so(void **state)
{
	json_t *s = json_pack("{s:s, s:{s:i, s:b}}", "recommended", "start", "search", "measured",
			      12, "start_failed", 0);
	json_t *found = json_object_get(s, "search");

	(void)state;
	assert_int_equal(tune_status(s), VB_OK);
	json_object_set_new(found, "measured", json_integer(0));
	assert_int_equal(tune_status(s), VB_NOT_MEASURED);
	json_object_set_new(found, "measured", json_integer(8));
	json_object_set_new(found, "start_failed", json_true());
	assert_int_equal(tune_status(s), VB_NOT_MEASURED);
	json_decref(s);
}

static void blocks_are_fresh_in_their_draws_too(void **state)
{
	static const char *const keys[] = {"final_run", "confirm_run", "exhaustive_run"};
	json_t *s = json_pack("{s:s, s:s, s:s, s:[], s:[]}", "path", "p.ini", "label", "p", "text",
			      "[workload r]\nrw = randread\n[run]\nseed = 7\n", "sets", "axes");
	char *seed[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		seed[i] = tune_fresh_seed(s, keys[i]);
		assert_non_null(seed[i]);
		assert_string_not_equal(seed[i], "run.seed=7");
		for (int k = 0; k < i; k++)
			assert_string_not_equal(seed[i], seed[k]);
	}
	for (int i = 0; i < 3; i++)
		free(seed[i]);
	json_object_set_new(s, "text", json_string("[workload r]\nrw = randread\n"));
	assert_null(tune_fresh_seed(s, "final_run"));
	json_decref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_mean_hides_no_loss, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(a_winner_that_fails_is_none, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(no_best_that_fails, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(what_fails_when_undone_stays, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(a_second_look_counts, folder_setup,
						folder_teardown),
		cmocka_unit_test(a_blind_search_says_so),
		cmocka_unit_test(blocks_are_fresh_in_their_draws_too),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
