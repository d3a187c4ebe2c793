/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nights drawn from a bank: whole stretches, never a block twice in a night, both ways round;
 * shares against arithmetic by hand and against the gate's exact power; the bank as the store holds
 * it.
 */
#include <errno.h>
#include <math.h>
#include "store_sample.h"
#include "gate/prove.h"
#include "gate/prove_night.h"
#include "host/host.h"
#include "stats/power.h"

static void near(double got, double want, double within)
{
	if (!(fabs(got - want) <= within))
		fail_msg("%.15g, should be %.15g", got, want);
}

static struct bank bank_new(size_t series, size_t blocks)
{
	struct bank b = {.nseries = series, .nblocks = blocks};

	b.d = xcalloc(series, sizeof(*b.d));
	for (size_t i = 0; i < series; i++)
		b.d[i] = xcalloc(blocks, sizeof(**b.d));
	b.session = xcalloc(blocks, sizeof(*b.session));
	return b;
}

static void bank_end(struct bank *b)
{
	for (size_t i = 0; i < b->nseries; i++)
		free(b->d[i]);
	free(b->d);
	free(b->session);
}

/* Looks at what it is given: values are 1000 * session + place + 1, so stretches can be told. */
struct watcher {
	unsigned nights, turned;
	unsigned places[64]; /* how often the first stretch began there */
	bool across;	     /* stretches may pass from one session into another */
};

static void watch(const double *const *first, size_t nfirst, const double *const *second,
		  size_t nsecond, size_t nseries, bool *red, void *arg)
{
	struct watcher *w = arg;
	double a = fabs(first[0][0]), b = fabs(second[0][0]);

	assert_int_equal(nfirst, 3);
	assert_int_equal(nsecond, 5);
	assert_int_equal(nseries, 2);
	for (size_t k = 0; k < nfirst; k++) {
		assert_true(first[0][k] == first[1][k]); /* the same blocks for all series */
		if (!w->across)
			near(fabs(first[0][k]), a + (double)k, 0);
	}
	for (size_t k = 0; k < nsecond; k++)
		if (!w->across)
			near(fabs(second[0][k]), b + (double)k, 0);
	assert_true(b >= a + 3 || a >= b + 5); /* clear of each other */
	if (!w->across)
		assert_true(floor(a / 1000) == floor(b / 1000));
	w->nights++;
	w->turned += first[0][0] < 0;
	if (a < 1000)
		w->places[(size_t)a]++;
	red[0] = false;
}

static void nights_are_whole_stretches(void **state)
{
	struct watcher w = {0};
	struct night_shape shape = {.first = 3, .second = 5, .judge = watch, .arg = &w};
	struct bank b = bank_new(2, 32);
	struct night_rate r;

	(void)state;
	/* sessions of 12, 4 (too short for a night) and 16 blocks */
	for (size_t k = 0; k < 32; k++) {
		b.session[k] = k < 12 ? 0 : k < 16 ? 1 : 2;
		b.d[0][k] = b.d[1][k] = k < 12	 ? (double)(k + 1)
					: k < 16 ? (double)(1000 + k)
						 : (double)(2000 + k);
	}
	assert_int_equal(prove_false_nights(&b, &shape, 20000, 1, &r), 0);
	assert_false(b.crosses);
	assert_int_equal(w.nights, 20000);
	assert_int_equal(w.turned, 10000);
	assert_int_equal(r.hits, 0);
	/* all 10 beginnings within the first session are met */
	for (size_t k = 1; k <= 10; k++)
		assert_true(w.places[k] > 0);
	assert_int_equal(w.places[11], 0);
	assert_int_equal(prove_disjoint(&b, &shape), 1 + 0 + 2);
	bank_end(&b);
}

static void short_runs_are_joined_and_said(void **state)
{
	struct watcher w = {.across = true};
	struct night_shape shape = {.first = 3, .second = 5, .judge = watch, .arg = &w};
	struct bank b = bank_new(2, 12);
	struct night_rate r;

	(void)state;
	for (size_t k = 0; k < 12; k++) {
		b.session[k] = (unsigned)(k / 6);
		b.d[0][k] = b.d[1][k] = (double)(k + 1);
	}
	assert_int_equal(prove_false_nights(&b, &shape, 100, 1, &r), 0);
	assert_true(b.crosses);
	shape.second = 10;
	assert_int_equal(prove_false_nights(&b, &shape, 100, 1, &r), -EINVAL);
	bank_end(&b);
}

/* Red when the first block of the night is above 0.5; of 20 nights' blocks, alike in all. */
static void above(const double *const *first, size_t nfirst, const double *const *second,
		  size_t nsecond, size_t nseries, bool *red, void *arg)
{
	(void)nfirst;
	(void)second;
	(void)nsecond;
	(void)arg;
	for (size_t i = 0; i < nseries; i++)
		red[i] = first[i][0] > 0.5;
}

static void shares_and_their_limits(void **state)
{
	struct night_shape shape = {.first = 1, .second = 1, .judge = above};
	struct bank b = bank_new(2, 20);
	struct night_rate r;

	(void)state;
	for (size_t k = 0; k < 20; k++)
		b.d[0][k] = k < 5 ? 1 : 0;
	/* a quarter of the blocks is red one way round, none the other: an eighth */
	assert_int_equal(prove_false_nights(&b, &shape, 40000, 3, &r), 0);
	near(r.share, 0.125, 4 * sqrt(0.125 * 0.875 / 40000));
	assert_true(r.lo < r.share && r.share < r.hi);
	near(r.hi - r.lo, 2 * 1.96 * sqrt(0.125 * 0.875 / 40000), 0.0005);
	/* shifted by 0.6, the second series is red on each; the first does not count */
	assert_int_equal(prove_found_nights(&b, &shape, 1, 0.6, 1000, 3, &r), 0);
	assert_int_equal(r.hits, 1000);
	assert_int_equal(prove_found_nights(&b, &shape, 1, 0.4, 1000, 3, &r), 0);
	assert_int_equal(r.hits, 0);
	near(r.hi, 1 - pow(0.025, 1 / 1000.0), 1e-6); /* Clopper & Pearson, none of 1000 */
	assert_int_equal(prove_found_nights(&b, &shape, 2, 0.4, 1000, 3, &r), -EINVAL);
	/* the same seed gives the same figures */
	{
		struct night_rate again;

		prove_false_nights(&b, &shape, 999, 8, &r);
		prove_false_nights(&b, &shape, 999, 8, &again);
		assert_int_equal(r.hits, again.hits);
	}
	bank_end(&b);
}

/* "10 clean A/A nights bound the rate at 26 %, 60 at 5 %, 299 at 1 %" (part 13); one night in 100
 * is 60 % of 90 nights (part 7). */
static void bounds_by_hand(void **state)
{
	(void)state;
	near(prove_none_of(10), 0.26, 0.005);
	near(prove_none_of(60), 0.05, 0.005);
	near(prove_none_of(299), 0.01, 0.0005);
	near(prove_none_of(0), 1, 0);
	near(prove_over_nights(0.01, 90), 0.595, 0.001);
	near(prove_over_nights(0, 90), 0, 0);
	near(prove_over_nights(1, 90), 1, 0);
}

static double normal(uint64_t *s)
{
	double sum = 0;

	/* twelve uniforms less six */
	for (int i = 0; i < 12; i++) {
		*s = *s * 6364136223846793005ull + 1442695040888963407ull;
		sum += (double)(*s >> 11) / 0x1p53;
	}
	return sum - 6;
}

/* A long bank of independent blocks: what is drawn agrees with the exact power of the two stages,
 * and the false nights stay below the rate. */
static void agrees_with_the_gates_power(void **state)
{
	enum { SERIES = 3, BLOCKS = 4000 };
	struct prove p = {.rule = {.blocks = 10,
				   .confirm = 20,
				   .must_see = 0.05,
				   .rate = 0.01,
				   .series = SERIES},
			  .effects = {{.effect = 0.05}, {.effect = 0.001}},
			  .neffects = 2};
	struct err e = {0};
	uint64_t seed = 4;
	double level = gate_level(&p.rule), power, lo, hi;

	(void)state;
	p.bank.bank = bank_new(SERIES, BLOCKS);
	p.bank.nseries = SERIES;
	p.bank.series = xcalloc(SERIES, sizeof(*p.bank.series));
	/* a trial varies by 4 %: what 10 + 20 blocks find of 5 % is neither all nor nothing */
	for (size_t i = 0; i < SERIES; i++)
		for (size_t k = 0; k < BLOCKS; k++)
			p.bank.bank.d[i][k] = sqrt(2) * 0.04 * normal(&seed);
	assert_int_equal(prove_rates(&p, 20000, 1, &e), 0);
	assert_true(p.rates);
	/* alone among the suspects, or beside two more at Holm's first step */
	hi = power_pairs(0.05, 0.04, 10, GATE_SCREEN, true) *
	     power_pairs(0.05, 0.04, 20, level, true);
	lo = power_pairs(0.05, 0.04, 10, GATE_SCREEN, true) *
	     power_pairs(0.05, 0.04, 20, level / 3, true);
	power = p.effects[0].mean;
	assert_true(hi < 0.95 && lo > 0.05);
	assert_true(power > lo - 0.06 && power < hi + 0.06);
	assert_true(p.effects[0].worst.share <= power);
	assert_true(p.effects[1].worst.share < 0.05);
	/* at most rate in 90 nights, by the gate's own bound; three standard errors of what 20000
	 * nights can tell */
	assert_true(p.false_90_lo <= p.rule.rate);
	assert_true(p.false_nights.share <= 0.01 / 90 + 3 * sqrt(0.01 / 90 / 20000));
	prove_free(&p);
}

/* The twin: a gate that takes the screening for the verdict is red on a tenth of all nights and
 * more, and that must be seen. */
static void hasty(const double *const *first, size_t nfirst, const double *const *second,
		  size_t nsecond, size_t nseries, bool *red, void *arg)
{
	(void)second;
	(void)nsecond;
	(void)arg;
	for (size_t i = 0; i < nseries; i++) {
		struct interval x = diff_interval(NULL, first[i], nfirst, 0.8);

		red[i] = x.lo > 0;
	}
}

static void a_hasty_gate_is_caught(void **state)
{
	struct night_shape shape = {.first = 10, .second = 20, .judge = hasty};
	struct bank b = bank_new(1, 1000);
	struct night_rate r;
	uint64_t seed = 9;

	(void)state;
	for (size_t k = 0; k < 1000; k++)
		b.d[0][k] = normal(&seed);
	assert_int_equal(prove_false_nights(&b, &shape, 4000, 1, &r), 0);
	near(r.share, 0.1, 0.03);
	assert_true(prove_over_nights(r.lo, 90) > 0.99);
	bank_end(&b);
}

static void words(void **state)
{
	struct prove p = {
		.rule = {.blocks = 10, .confirm = 20, .must_see = 0.05, .rate = 0.01, .series = 1}};

	(void)state;
	assert_int_equal(prove_status(&p), VB_UNDECIDED); /* no bank */
	p.rates = true;
	p.bank.bank.nblocks = 199;
	assert_int_equal(prove_status(&p), VB_UNDECIDED);
	p.bank.bank.nblocks = 200;
	p.bank.days = 1;
	assert_int_equal(prove_status(&p), VB_UNDECIDED); /* of one day */
	p.bank.days = 2;
	p.effects[0].effect = 0.05;
	p.effects[0].worst = (struct night_rate){.share = 0.79, .lo = 0.7, .hi = 0.85};
	p.neffects = 1;
	p.false_90_lo = 0.004;
	assert_int_equal(prove_status(&p), VB_OK);
	p.effects[0].worst.hi = 0.79;
	assert_int_equal(prove_status(&p), VB_WORSE);
	p.effects[0].worst.hi = 1;
	p.false_90_lo = 0.011;
	assert_int_equal(prove_status(&p), VB_WORSE);
}

/* --- the bank as the store holds it ------------------------------------------------------------
 */

#define PAIRS "\"pairs\":[[\"" CELL_1 "\",\"" CELL_2 "\"]]"

struct planted {
	const char *uuid, *label, *meta, *profile;
	int64_t begun;
	unsigned blocks;
	double up; /* change / base */
};

static void plant(struct store *s, const struct planted *x, const char *workload)
{
	struct store_run r = sample_run(x->uuid, x->label, x->begun);
	struct store_cell cells[2] = {
		{CELL_1, 0, (char *)"base", (char *)"{\"guest.arm\":\"base\"}"},
		{CELL_2, 1, (char *)"change", (char *)"{\"guest.arm\":\"change\"}"}};
	struct store_workload w = sample_workloads[0];
	struct err e = {0};
	char primary[64];

	expect_rc(host_id(r.host_id, &e), 0, &e);
	snprintf(primary, sizeof(primary), "{\"%s\":\"read.iops\"}", workload);
	w.name = (char *)workload;
	r.primary_json = primary;
	r.folder = (char *)"/nonexistent";
	r.profile_name = (char *)x->profile;
	r.axes_json = (char *)"[{\"key\":\"guest.arm\",\"values\":[\"base\",\"change\"]}]";
	r.meta_json = (char *)x->meta;
	r.blocks = x->blocks + 1; /* it was interrupted in the last */
	r.trials = 2 * r.blocks;
	expect_rc(store_run_begin(s, &r, cells, 2, &w, 1, &e), 0, &e);
	for (unsigned seq = 0; seq < 2 * x->blocks; seq++) {
		struct store_sample sample = {"read.iops", 1000 * (seq % 2 ? x->up : 1)};
		struct store_trial t = {.seq = seq,
					.block = seq / 2,
					.place = seq % 2,
					.workload = (char *)workload,
					.site = (char *)"small guest",
					.ok = true,
					.begun = x->begun + seq,
					.ended = x->begun + seq + 1,
					.phases_json = (char *)"{}",
					.noise_json = (char *)"{}",
					.facts_json = (char *)"{}",
					.folder = (char *)"trials/0",
					.samples = &sample,
					.nsamples = 1};

		strcpy(t.cell, seq % 2 ? CELL_2 : CELL_1);
		expect_rc(store_trial_put(s, x->uuid, &t, &e), 0, &e);
	}
}

#define DAY 86400000000000ll
#define AA "{\"vs\":{\"base\":[],\"change\":[]," PAIRS "}}"

static void the_bank_of_the_store(void **state)
{
	static const struct planted runs[] = {
		{"aaaa1111-0000-4000-8000-000000000001", "bank", AA, "quick", BEGUN, 4, 0.9},
		{"aaaa1111-0000-4000-8000-000000000002", "bank", AA, "quick", BEGUN + 3 * DAY, 3,
		 1.25},
		/* none of these belongs to it */
		{"aaaa1111-0000-4000-8000-000000000003", "night", AA, "quick", BEGUN + DAY, 3, 1},
		{"aaaa1111-0000-4000-8000-000000000004", "bank", AA, "other", BEGUN + DAY, 3, 1},
		{"aaaa1111-0000-4000-8000-000000000005", "bank", "{}", "quick", BEGUN + DAY, 3, 1},
		{"aaaa1111-0000-4000-8000-000000000006", "bank",
		 "{\"vs\":{\"base\":[],\"change\":[\"disk.ring=packed\"]," PAIRS "}}", "quick",
		 BEGUN + DAY, 3, 1},
	};
	static const struct planted renamed = {
		"aaaa1111-0000-4000-8000-000000000007", "bank", AA, "quick", BEGUN + DAY, 3, 1};
	char *db = in_folder(state, "bank.db");
	struct bank_store b;
	struct store *s;
	struct err e = {0};

	expect_rc(bank_read(db, "quick", &b, &e), 0, &e); /* no store yet */
	assert_int_equal(b.bank.nblocks, 0);
	expect_rc(store_open(db, true, &s, &e), 0, &e);
	for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++)
		plant(s, &runs[i], "randread");
	plant(s, &renamed, "randwrite");
	store_close(s);
	expect_rc(bank_read(db, "quick", &b, &e), 0, &e);
	assert_int_equal(b.nseries, 1);
	assert_int_equal(b.runs, 2);
	assert_int_equal(b.days, 2);
	assert_int_equal(b.other, 1);
	assert_int_equal(b.bank.nblocks, 7); /* what was not measured is no block */
	assert_string_equal(b.series[0].metric, "read.iops");
	/* IOPS: fewer is worse, and worse is positive; oldest first */
	for (size_t k = 0; k < 7; k++) {
		near(b.bank.d[0][k], k < 4 ? -log(0.9) : -log(1.25), 1e-12);
		assert_int_equal(b.bank.session[k], k < 4 ? 0 : 1);
	}
	near(b.series[0].sd, 0, 1e-9); /* within runs nothing varies */
	bank_free(&b);
	free(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nights_are_whole_stretches),
		cmocka_unit_test(short_runs_are_joined_and_said),
		cmocka_unit_test(shares_and_their_limits),
		cmocka_unit_test(bounds_by_hand),
		cmocka_unit_test(agrees_with_the_gates_power),
		cmocka_unit_test(a_hasty_gate_is_caught),
		cmocka_unit_test(words),
		cmocka_unit_test_setup_teardown(the_bank_of_the_store, folder_setup,
						folder_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
