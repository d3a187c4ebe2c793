/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * History from a store with nights made by hand: which runs are nights, what is judged by which
 * figure, what is said and what cannot be. `history --make DIR` leaves the store for
 * tests/cli/history.t.
 */
#include <math.h>
#include "tests/unit/store_sample.h"
#include "history/history.h"
#include "host/host.h"
#include "store/gate.h"
#include "store/store.h"

#define DAY 86400000000000ll
#define HOSTILE "b\"><script>alert(1)</script>\x1b[31m"

/* 0, +-1, +-2, +-3 tenths of a per cent in a fixed mixed order. */
static double wiggle(size_t i)
{
	return exp(0.001 * ((double)((i * 3 + i / 7) % 7) - 3));
}

struct night {
	const char *profile, *label, *host_json, *status, *meta;
	unsigned number; /* makes the uuid, from 1 */
	int day;
	double base, change; /* IOPS; base 0: no second arm */
	unsigned failed;     /* trials more, of the change's cell */
};

static void uuid_of(char uuid[37], unsigned number)
{
	snprintf(uuid, 37, "%08x-0000-4000-8000-000000000000", 0xc0000000u + number);
}

static void put(struct store *s, const char *uuid, unsigned *seq, const char *cell, unsigned block,
		double iops)
{
	struct store_sample samples[2] = {{"read.iops", iops}, {"read.lat.mean", 1e9 / iops}};
	char folder[16];
	struct store_trial t = {.seq = *seq,
				.block = block,
				.workload = (char *)"randread",
				.site = (char *)"small guest",
				.ok = iops > 0,
				.cause = iops > 0 ? NULL : (char *)"guest",
				.detail = iops > 0 ? NULL : (char *)"no answer",
				.begun = BEGUN,
				.ended = BEGUN + 1,
				.folder = folder,
				.samples = samples,
				.nsamples = iops > 0 ? 2 : 0};
	struct err e = {0};

	snprintf(folder, sizeof(folder), "trials/%u", (*seq)++);
	strcpy(t.cell, cell);
	expect_rc(store_trial_put(s, uuid, &t, &e), 0, &e);
}

static void make_night(struct store *s, const char *host, const struct night *n)
{
	static const struct store_cell cells[2] = {
		{CELL_1, 0, (char *)"change packed", (char *)"{\"guest.arm\":\"change\"}"},
		{CELL_2, 1, (char *)"base packed", (char *)"{\"guest.arm\":\"base\"}"},
	};
	char uuid[37];
	struct store_run r;
	struct err e = {0};
	unsigned seq = 0, b;

	uuid_of(uuid, n->number);
	r = sample_run(uuid, n->label, BEGUN + n->day * DAY);
	snprintf(r.host_id, sizeof(r.host_id), "%s", host);
	r.profile_name = (char *)n->profile;
	r.host_json = (char *)(n->host_json ? n->host_json : "{\"kernel\":\"6.1.0-40\"}");
	if (n->base > 0)
		r.meta_json = (char *)"{\"vs\":{\"base\":[],\"change\":[],\"pairs\":[[\"" CELL_2
				      "\",\"" CELL_1 "\"]]}}";
	expect_rc(store_run_begin(s, &r, cells, n->base > 0 ? 2 : 1, sample_workloads, 1, &e), 0,
		  &e);
	for (b = 0; b < 3; b++) {
		/* 4, 0 and -4 per cent about the mean, in both arms: the ratio is exact */
		double off = exp(0.04 * (1 - (double)b));

		put(s, uuid, &seq, CELL_1, b, n->change * off);
		if (n->base > 0)
			put(s, uuid, &seq, CELL_2, b, n->base * off);
	}
	for (b = 0; b < n->failed; b++)
		put(s, uuid, &seq, CELL_1, 3 + b, 0);
	expect_rc(store_run_status(s, uuid, n->status ? n->status : "complete",
				   BEGUN + n->day * DAY + 1, &e),
		  0, &e);
}

static void record(struct store *s, const char *host, unsigned number, unsigned screen,
		   unsigned confirm, const char *joins, const char *reference)
{
	struct store_gate g = {.profile = (char *)"gated",
			       .kind = (char *)GATE_NIGHT,
			       .state = (char *)"green",
			       .begun = BEGUN,
			       .ended = BEGUN + 1,
			       .label = (char *)"",
			       .build = (char *)"f00",
			       .reference = (char *)reference,
			       .joins = (char *)joins,
			       .doc_json = (char *)"{}"};
	char a[37], b[37];
	struct err e = {0};

	uuid_of(g.uuid, 0x1000 + number);
	uuid_of(a, screen);
	uuid_of(b, confirm);
	snprintf(g.host_id, sizeof(g.host_id), "%s", host);
	g.screen_run = a;
	g.confirm_run = confirm ? b : NULL;
	expect_rc(store_gate_put(s, &g, &e), 0, &e);
}

/*
 * "plain": 45 nights of 1000 IOPS, 900 from the 38th on; after the 10th two nights are missing;
 * another kernel from the 20th on; the 38th has a hostile label and a failed trial.
 */
static void make_plain(struct store *s, const char *host)
{
	char label[16];

	for (unsigned i = 0; i < 45; i++) {
		struct night n = {.profile = "plain",
				  .label = label,
				  .number = 1 + i,
				  .day = (int)(i + (i >= 10 ? 2 : 0)),
				  .change = wiggle(i) * (i >= 37 ? 900 : 1000),
				  .failed = i == 37};

		snprintf(label, sizeof(label), "v%u", i + 1);
		if (i == 37)
			n.label = HOSTILE;
		if (i >= 19)
			n.host_json = "{\"kernel\":\"6.1.0-41\"}";
		make_night(s, host, &n);
	}
	/* neither of these is a night of it */
	make_night(s, host, &(struct night){"plain", "ab", NULL, NULL, NULL, 90, 50, 500, 400, 0});
	make_night(s, host,
		   &(struct night){"plain", "cut", NULL, "interrupted", NULL, 91, 50, 0, 1, 0});
	make_night(s, "ff", &(struct night){"plain", "far", NULL, NULL, NULL, 92, 50, 0, 1, 0});
}

/*
 * "gated": 40 nights in which the host wanders by up to 30 % and the build is as the reference; on
 * the 35th it is 4 % slower, and fresh blocks say so as well. A repeat of that night joins its
 * record.
 */
static void make_gated(struct store *s, const char *host)
{
	char joined[37];

	for (unsigned i = 0; i < 40; i++) {
		double at = 1000 * exp(0.3 * sin(i));
		double slow = i >= 34 ? 0.96 : 1;

		make_night(s, host,
			   &(struct night){"gated", "", NULL, NULL, NULL, 200 + i, (int)i, at,
					   at * slow * wiggle(i), 0});
		record(s, host, i, 200 + i, i == 34 ? 300 : 0, NULL, "ref-1");
	}
	make_night(
		s, host,
		&(struct night){"gated", "", NULL, NULL, NULL, 300, 34, 800, 768 * wiggle(0), 0});
	make_night(s, host, &(struct night){"gated", "", NULL, NULL, NULL, 301, 34, 800, 400, 0});
	uuid_of(joined, 0x1000 + 34);
	record(s, host, 100, 301, 0, joined, "ref-1");
}

static struct store *make(const char *path, const char *host)
{
	struct store *s = NULL;
	struct err e = {0};

	expect_rc(store_open(path, true, &s, &e), 0, &e);
	make_gated(s, host);
	make_plain(s, host);
	for (unsigned i = 0; i < 3; i++)
		make_night(s, host,
			   &(struct night){"young", "y", NULL, NULL, NULL, 400 + i, 60 + (int)i, 0,
					   700, 0});
	return s;
}

/* --- tests
 * ---------------------------------------------------------------------------------------- */

static int setup(void **state)
{
	char *dir, *path;

	if (folder_setup(state))
		return -1;
	dir = *state;
	path = xasprintf("%s/h.db", dir);
	store_close(make(path, "host-1"));
	free(path);
	return 0;
}

static struct history *history_of(void **state, const char *profile)
{
	struct history_ask ask = {.profile = profile, .host = "host-1"};
	char *path = in_folder(state, "h.db");
	struct history *h = NULL;
	struct store *s = NULL;
	struct err e = {0};

	expect_rc(store_open(path, false, &s, &e), 0, &e);
	expect_rc(history_make(s, &ask, &h, &e), 0, &e);
	store_close(s);
	free(path);
	return h;
}

static void test_plain(void **state)
{
	struct history *h = history_of(state, "plain");
	const struct history_series *s = &h->series[0];
	const struct history_change *c;

	assert_int_equal(h->nnights, 45);
	assert_int_equal(h->nseries, 1);
	assert_string_equal(h->nights[0].label, "v1");
	assert_string_equal(s->metric->id, "read.iops");
	assert_false(s->by_ratio);
	/* the geometric mean takes the trials' +-4 % out again */
	assert_true(fabs(s->points[7].value - 1000 * wiggle(7)) < 1e-6);
	assert_true(isnan(s->points[7].ratio));
	assert_int_equal(s->points[37].ok, 3);
	assert_int_equal(s->points[37].failed, 1);
	assert_int_equal(s->nchanges, 1);
	c = &s->changes[0];
	assert_int_equal(c->c.at, 37);
	assert_int_equal(c->c.found, 37);
	assert_true(c->confirmed);
	assert_false(c->by_reference);
	assert_false(c->better);
	assert_true(fabs(c->ratio - 0.9) < 0.005);
	assert_false(c->surroundings);
	assert_true(history_alarms(h));
	history_free(h);
}

/* The same loss as latency: the figure rises, and that is worse as well. */
static void test_direction(void **state)
{
	struct history_ask ask = {"plain", "host-1", "read.lat.mean", NULL, 0};
	char *path = in_folder(state, "h.db");
	struct history *h = NULL;
	struct store *s = NULL;
	struct err e = {0};

	expect_rc(store_open(path, false, &s, &e), 0, &e);
	expect_rc(history_make(s, &ask, &h, &e), 0, &e);
	assert_int_equal(h->series[0].nchanges, 1);
	assert_true(h->series[0].changes[0].c.step > 0);
	assert_true(fabs(h->series[0].changes[0].ratio - 1 / 0.9) < 0.006);
	assert_false(h->series[0].changes[0].better);
	assert_true(history_alarms(h));
	history_free(h);
	store_close(s);
	free(path);
}

static void test_marks(void **state)
{
	struct history *h = history_of(state, "plain");

	assert_true(h->nightly);
	assert_int_equal(h->ngaps, 1);
	assert_int_equal(h->gaps[0].after, 9);
	assert_int_equal(h->gaps[0].missing, 2);
	assert_null(h->nights[18].changed);
	assert_string_equal(h->nights[19].changed, "host kernel 6.1.0-40 -> 6.1.0-41");
	assert_null(h->nights[20].changed);
	history_free(h);
}

static void test_builds(void **state)
{
	struct history *h = history_of(state, "plain");
	static const struct {
		size_t lo, hi;
		const char *text;
	} rows[] = {{3, 3, "v4"}, {3, 4, "v4 or v5"}, {3, 6, "v4 .. v7 (4 builds)"}};

	for (size_t i = 0; i < 3; i++) {
		char *text = history_builds(h, rows[i].lo, rows[i].hi);

		assert_string_equal(text, rows[i].text);
		free(text);
	}
	history_free(h);
}

/* The host's wander of 30 % is in both arms: judged by the ratio, a loss of 4 % stands out. */
static void test_gated(void **state)
{
	struct history *h = history_of(state, "gated");
	const struct history_series *s = &h->series[0];

	assert_int_equal(h->nnights, 40); /* neither the fresh blocks nor the repeat */
	assert_int_equal(h->nseries, 1);  /* the reference build has no series */
	assert_true(h->nights[0].gate);
	assert_string_equal(h->nights[0].reference, "ref-1");
	assert_true(s->by_ratio);
	assert_true(fabs(s->points[5].ratio - wiggle(5)) < 1e-9);
	assert_true(isnan(s->points[5].confirm));
	assert_true(fabs(s->points[34].confirm - 0.96 * wiggle(0)) < 1e-9);
	assert_true(s->points[34].confirm_p < 1e-6);
	assert_int_equal(s->nchanges, 1);
	assert_int_equal(s->changes[0].c.at, 34);
	assert_true(s->changes[0].by_reference);
	assert_false(s->changes[0].better);
	assert_true(fabs(s->changes[0].ratio - 0.96) < 0.005);
	history_free(h);
}

static void test_young(void **state)
{
	struct history *h = history_of(state, NULL); /* the newest run's profile */

	assert_string_equal(h->profile, "young");
	assert_int_equal(h->nnights, 3);
	assert_non_null(h->unsaid);
	assert_non_null(h->series[0].unsaid);
	assert_int_equal(h->series[0].nchanges, 0);
	assert_true(isnan(h->series[0].drift_p));
	assert_false(history_alarms(h));
	history_free(h);
}

static void test_refusals(void **state)
{
	static const struct {
		struct history_ask ask;
		const char *says;
	} rows[] = {
		{{"none", "host-1", NULL, NULL, 0}, "no complete run of profile \"none\""},
		{{"plain", "host-9", NULL, NULL, 0}, "no complete run"},
		{{NULL, "host-9", NULL, NULL, 0}, "no complete run"},
		{{"plain", "host-1", "read.x", NULL, 0}, "no metric \"read.x\""},
		{{"plain", "host-1", "write.iops", NULL, 0}, "write.iops"},
		{{"plain", "host-1", NULL, "split", 0}, "no cell \"split\""},
	};
	char *path = in_folder(state, "h.db");
	struct store *s = NULL;
	struct err e = {0};

	expect_rc(store_open(path, false, &s, &e), 0, &e);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct history *h = NULL;

		memset(&e, 0, sizeof(e));
		assert_true(history_make(s, &rows[i].ask, &h, &e) < 0);
		assert_null(h);
		assert_int_equal(e.status, VB_BAD_INPUT);
		assert_non_null(strstr(e.text, rows[i].says));
	}
	store_close(s);
	free(path);
}

static void test_cell(void **state)
{
	static const char *const names[] = {"packed", "change packed", CELL_1, "00000000000000c"};
	char *path = in_folder(state, "h.db");
	struct store *s = NULL;
	struct err e = {0};

	expect_rc(store_open(path, false, &s, &e), 0, &e);
	for (size_t i = 0; i < 4; i++) {
		struct history_ask ask = {"gated", "host-1", "read.iops", names[i], 0};
		struct history *h = NULL;

		expect_rc(history_make(s, &ask, &h, &e), 0, &e);
		assert_int_equal(h->nseries, 1);
		history_free(h);
	}
	store_close(s);
	free(path);
}

/* A store on disk with this machine's own id, for the command. */
static int make_for_command(const char *dir)
{
	char host[65], *path = xasprintf("%s/h.db", dir);
	struct err e = {0};

	if (host_id(host, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	store_close(make(path, host));
	free(path);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	 cmocka_unit_test(test_direction),
		cmocka_unit_test(test_marks),	 cmocka_unit_test(test_builds),
		cmocka_unit_test(test_gated),	 cmocka_unit_test(test_young),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_cell),
	};

	if (argc == 3 && !strcmp(argv[1], "--make"))
		return make_for_command(argv[2]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, folder_teardown);
}
