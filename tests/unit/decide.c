// SPDX-License-Identifier: GPL-2.0-or-later
/* How a run comes by its policy: pairs, primary metrics, what the store says of run.decide, what
 * goes into the record. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "host/host.h"
#include "rows.h"
#include "run/decide.h"

#define TWO "[disk]\nring = split, packed\n"
#define WORK "[workload w]\n"

static struct profile *parse(const char *text, bool arms)
{
	struct profile *p = NULL;
	struct err e = {0};
	const char *change = "disk.cache=writeback";
	int rc = arms ? profile_parse_arms(text, strlen(text), "dir/night.ini", NULL, 0, NULL, 0,
					   &change, 1, &p, &e)
		      : profile_parse(text, strlen(text), "dir/night.ini", NULL, 0, &p, &e);

	if (rc)
		print_error("%s\n", e.text);
	assert_int_equal(rc, 0);
	return p;
}

/* The rule of the report: mean latency with one request in flight, else IOPS. */
static void a_workload_has_one_primary_metric(void **state)
{
	static const struct {
		const char *workload, *run, *metric;
	} rows[] = {
		{"", "", "read.lat.mean"},
		{"iodepth = 2\n", "", "read.iops"},
		{"numjobs = 2\n", "", "read.iops"},
		{"rw = write\n", "", "write.lat.mean"},
		{"rw = randwrite\niodepth = 8\n", "", "write.iops"},
		{"rw = rw\n", "", "read.lat.mean"},
		{"rw = randrw\niodepth = 8\n", "", "iops"},
		{"", "[run]\nprimary = read.lat.p99\n", "read.lat.p99"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = xasprintf(WORK "%s%s", rows[i].workload, rows[i].run);
		struct profile *p = parse(text, false);
		struct run r = {.profile = p};
		const struct store_sample s[] = {{"write.bw", 1}, {.value = 2}};
		struct store_sample named[2];

		memcpy(named, s, sizeof(s));
		snprintf(named[1].metric, sizeof(named[1].metric), "%s", rows[i].metric);
		assert_string_equal(run_primary(&r, 0)->id, rows[i].metric);
		assert_true(run_primary_value(&r, 0, named, 2) == 2);
		assert_true(isnan(run_primary_value(&r, 0, named, 1)));
		profile_free(p);
		free(text);
	}
}

static unsigned trials_of_a_block(struct run *r)
{
	struct policy *p = run_policy(r);
	unsigned n = 0;
	struct order o;

	while (p->ask(p, &o) && !o.block) {
		struct outcome told = {.order = o, .ok = true, .primary = NAN};

		p->tell(p, &told);
		n++;
	}
	p->free(p);
	return n;
}

static void the_policy_is_of_the_profile(void **state)
{
	static const struct {
		const char *run;
		bool sequential;
		unsigned first;
		const char *policy;
	} rows[] = {
		{"", false, 1, "fixed blocks"},
		{"[run]\ndecide = 5%\n", true, 4, "until decided"},
		{"[run]\nprecision = 5%\n", true, 10, "until precise"},
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (int arms = 0; arms < 2; arms++) {
			char *text = xasprintf(TWO WORK "%s", rows[i].run);
			struct profile *p = parse(text, arms);
			struct run r = {.profile = p, .blocks = 12, .seed = 3};
			struct policy *policy = run_policy(&r);

			assert_int_equal(run_is_sequential(&r), rows[i].sequential);
			assert_int_equal(run_first_look(&r), rows[i].first);
			assert_string_equal(policy->name, rows[i].policy);
			/* with arms each against its other self, else each against the first */
			assert_int_equal(policy->open(policy), !rows[i].sequential ? 0
							       : arms		   ? 2
										   : 1);
			assert_int_equal(policy->total(policy), 12 * p->ncells);
			policy->free(policy);
			assert_int_equal(trials_of_a_block(&r), p->ncells);
			profile_free(p);
			free(text);
		}
	}
}

static void the_record_says_what_was_planned(void **state)
{
	struct profile *p = parse(WORK "[run]\ndecide = 5%\n", true);
	struct run r = {.profile = p, .blocks = 12};
	json_t *vs = run_vs_json(p), *decide, *pair;
	const char *name = NULL;

	(void)state;
	assert_int_equal(json_array_size(json_object_get(vs, "base")), 0);
	assert_string_equal(json_string_value(json_array_get(json_object_get(vs, "change"), 0)),
			    "disk.cache=writeback");
	pair = json_array_get(json_object_get(vs, "pairs"), 0);
	assert_string_equal(json_string_value(json_array_get(pair, 0)), p->cells[0].id);
	assert_string_equal(json_string_value(json_array_get(pair, 1)), p->cells[1].id);
	decide = run_decide_json(&r, &name);
	assert_string_equal(name, "decide");
	assert_int_equal(json_integer_value(json_object_get(decide, "max_blocks")), 12);
	assert_true(fabs(json_real_value(json_object_get(decide, "min_effect")) - 0.05) < 1e-12);
	json_decref(vs);
	json_decref(decide);
	profile_free(p);
	p = parse(TWO WORK "[run]\nprecision = 3%\n", false);
	r.profile = p;
	assert_null(run_vs_json(p));
	decide = run_decide_json(&r, &name);
	assert_string_equal(name, "precision");
	assert_true(fabs(json_real_value(json_object_get(decide, "width")) - 0.03) < 1e-12);
	json_decref(decide);
	profile_free(p);
	p = parse(TWO WORK, false);
	r.profile = p;
	assert_null(run_decide_json(&r, &name));
	profile_free(p);
}

/* Additive model, two cells, 12 blocks: one cell's logs alternate by +-SPREAD, the other's stand
 * still. Half of it remains in each of the 24 residuals: RSS = 24 * (SPREAD/2)^2, 11 degrees of
 * freedom, sd = SPREAD * sqrt(6/11) = 5 %. */
#define SPREAD 0.0677

struct past_run {
	const char *profile, *status, *work, *host; /* NULL: night, complete, w, this one */
	unsigned blocks;			    /* 0: 12 */
	double spread;				    /* 0: SPREAD */
};

static char *store_of(const struct past_run *runs, size_t n)
{
	char *path = xasprintf("%s/decide-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	struct store *s = NULL;
	struct err e = {0};
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	assert_int_equal(store_open(path, true, &s, &e), 0);
	for (size_t i = 0; i < n; i++) {
		unsigned blocks = runs[i].blocks ? runs[i].blocks : 12;
		double spread = runs[i].spread > 0 ? runs[i].spread : SPREAD;
		struct rows r;

		rows_begin(&r, "[]", blocks);
		r.run.uuid[0] = (char)('1' + i);
		r.run.begun = (int64_t)i + 1;
		free(r.run.profile_name);
		r.run.profile_name = xstrdup(runs[i].profile ? runs[i].profile : "night");
		free(r.run.status);
		r.run.status = xstrdup(runs[i].status ? runs[i].status : "complete");
		if (runs[i].host)
			strcpy(r.run.host_id, runs[i].host);
		else
			assert_int_equal(host_id(r.run.host_id, &e), 0);
		rows_cell(&r, "split", "{}");
		rows_cell(&r, "packed", "{}");
		rows_work(&r, runs[i].work ? runs[i].work : "w", "{}");
		for (unsigned b = 0; b < blocks; b++)
			for (unsigned c = 0; c < 2; c++)
				rows_sample(rows_trial(&r, b, c, 0), "read.lat.mean",
					    1000 * exp(c ? b % 2 ? spread : -spread : 0));
		if (store_run_begin(s, &r.run, r.cells, r.ncells, r.works, r.nworks, &e))
			fail_msg("%s", e.text);
		for (size_t k = 0; k < r.ntrials; k++)
			if (store_trial_put(s, r.run.uuid, &r.trials[k], &e))
				fail_msg("%s", e.text);
		rows_end(&r);
	}
	store_close(s);
	return path;
}

/* NULL: allowed; else the sentence has it. */
static void expect(const char *db, const char *run, unsigned blocks, const char *part)
{
	char *text = xasprintf(TWO WORK "[run]\n%s", run);
	struct profile *p = parse(text, false);
	const struct run_opts o = {.db = db};
	struct run r = {.profile = p, .opts = &o, .blocks = blocks};
	struct err e = {0};
	int rc = run_decide_check(&r, &e);

	if ((rc != 0) != (part != NULL) || (part && !strstr(e.text, part)))
		print_error("%s: got: %s\nwant: %s\n", run, e.text, part ? part : "nothing");
	assert_int_equal(rc, part ? -EINVAL : 0);
	if (part)
		assert_non_null(strstr(e.text, part));
	profile_free(p);
	free(text);
}

static void drop(char *db)
{
	static const char *const tails[] = {"", "-wal", "-shm"};

	for (size_t i = 0; i < 3; i++) {
		char *path = xasprintf("%s%s", db, tails[i]);

		unlink(path);
		free(path);
	}
	free(db);
}

/*
 * sd 5 %, 40 pairs: t(0.975; 39) = 2.0227, times sqrt(2/40) * 0.05 = 0.02261, a ratio of 2.29 %;
 * twice is 4.57 %. 10 pairs: 2.2622 * sqrt(2/10) * 0.05 = 0.05058, 5.19 %; twice 10.4 %.
 */
static void what_could_not_be_decided_is_refused(void **state)
{
	static const struct past_run one[] = {{0}};
	char *db = store_of(one, 1);

	(void)state;
	expect(db, "decide = 4.5%\n", 40, "take 4.6% or more");
	expect(db, "decide = 4.5%\n", 40, "show differences of 2.29% at the best");
	expect(db, "decide = 4.5%\n", 40, "run 11234567: trials vary by 5%");
	expect(db, "decide = 4.6%\n", 40, NULL);
	expect(db, "decide = 10%\n", 10, "take 10.4% or more");
	expect(db, "decide = 10.4%\n", 10, NULL);
	/* fixed blocks and precision are not held against it */
	expect(db, "blocks = 3\n", 3, NULL);
	expect(db, "precision = 1%\n", 40, NULL);
	drop(db);
}

static void only_its_own_past_counts(void **state)
{
	static const struct past_run others[] = {
		{.profile = "day"}, {.status = "interrupted"}, {.host = "another"}};
	static const struct past_run calmer[] = {{0}, {.spread = SPREAD / 10}};
	static const struct past_run few[] = {{.blocks = 10}};
	static const struct past_run other_work[] = {{.work = "x"}};
	char *db = store_of(others, 3);

	(void)state;
	expect(db, "decide = 1%\n", 40, NULL);
	drop(db);
	/* the newest */
	db = store_of(calmer, 2);
	expect(db, "decide = 1%\n", 40, NULL);
	expect(db, "decide = 0.4%\n", 40, "run 21234567");
	drop(db);
	/* 9 degrees of freedom do not say enough; 10 do */
	db = store_of(few, 1);
	expect(db, "decide = 1%\n", 40, NULL);
	drop(db);
	db = store_of(&(const struct past_run){.blocks = 11}, 1);
	expect(db, "decide = 1%\n", 40, "or more");
	drop(db);
	db = store_of(other_work, 1);
	expect(db, "decide = 1%\n", 40, NULL);
	drop(db);
	expect("/nonexistent/vbench.db", "decide = 1%\n", 40, NULL);
}

static void a_share_wants_a_ratio(void **state)
{
	(void)state;
	expect("/nonexistent", "decide = 5%\nprimary = image.bytes\n", 40, "image.bytes");
	expect("/nonexistent", "precision = 5%\nprimary = cpu_per_io\n", 40, "run.precision");
	expect("/nonexistent", "decide = 5%\nprimary = nonsense\n", 40, "is no metric");
	expect("/nonexistent", "decide = 5%\nprimary = read.lat.p99\n", 40, NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_workload_has_one_primary_metric),
		cmocka_unit_test(the_policy_is_of_the_profile),
		cmocka_unit_test(the_record_says_what_was_planned),
		cmocka_unit_test(what_could_not_be_decided_is_refused),
		cmocka_unit_test(only_its_own_past_counts),
		cmocka_unit_test(a_share_wants_a_ratio),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
