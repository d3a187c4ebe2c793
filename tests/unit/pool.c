// SPDX-License-Identifier: GPL-2.0-or-later
/* Several guests' results as one: sums, merged histograms, fairness, and when all measured.
 * Expected values are worked out by hand in the comments. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "guest/many.h"
#include "run/extract.h"
#include "run/pool.h"

#define MS 1000000ull

static json_t *json_of(const char *text)
{
	json_error_t e;
	json_t *v = json_loads(text, 0, &e);

	if (!v)
		fail_msg("%s at %d", e.text, e.position);
	return v;
}

static struct job_together *guests(size_t n)
{
	struct job_together *t = calloc(1, sizeof(*t));

	t->n = n;
	t->host_cpu = NAN;
	t->guest = calloc(n, sizeof(*t->guest));
	for (size_t i = 0; i < n; i++)
		t->guest[i] = (struct job_guest){.result = calloc(1, sizeof(struct job_result)),
						 .cpu = NAN,
						 .steal = NAN,
						 .wait = NAN};
	return t;
}

static void guest_has(struct job_together *t, size_t i, const char *fio)
{
	t->guest[i].result->fio = json_of(fio);
	t->guest[i].result->reply = json_of("{\"before\":{},\"after\":{}}");
}

/* Two guests read, with a load on the CPUs beside, whose entry is no I/O of anyone's. */
static const char first[] =
	"{\"fio version\":\"fio-3.33\",\"jobs\":[{\"jobname\":\"vbench-r\",\"error\":0,\"read\":{"
	"\"total_ios\":30000,\"io_bytes\":122880000,\"iops\":3000,\"bw_bytes\":12288000,\"runtime\":10000,"
	"\"lat_ns\":{\"N\":30000,\"mean\":100.0,\"bins\":{\"100\":29000,\"120\":1000}}}},"
	"{\"jobname\":\"cpu-load\",\"error\":0,\"read\":{\"total_ios\":77,\"iops\":7.0}}]}";
static const char second[] =
	"{\"jobs\":[{\"jobname\":\"vbench-r\",\"error\":0,\"read\":{"
	"\"total_ios\":10000,\"io_bytes\":40960000,\"iops\":1000,\"bw_bytes\":4096000,\"runtime\":10000,"
	"\"lat_ns\":{\"N\":10000,\"mean\":200.0,\"bins\":{\"100\":1000,\"120\":9000}}}}]}";

static double sample(const struct store_sample *s, int n, const char *metric)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(s[i].metric, metric))
			return s[i].value;
	return NAN;
}

/*
 * 3000 + 1000 IOPS; the mean of all 40000 requests is (30000 * 100 + 10000 * 200) / 40000 = 125 ns.
 * Merged bins: 30000 at 100, 10000 at 120: the median is in the first, at 100 - 0.5 + 20000/30000;
 * the 99th percentile in the second, at 120 - 0.5 + (39600 - 30000)/10000. Jain: 4000^2 / (2 *
 * (3000^2 + 1000^2)) = 16 / 20.
 */
static void adds_guests_up(void **state)
{
	struct store_sample s[EXTRACT_MAX];
	struct job_result r = {.together = guests(2)};
	struct err e = {0};
	int n;

	(void)state;
	guest_has(r.together, 0, first);
	guest_has(r.together, 1, second);
	assert_int_equal(pool_results(&r, &e), 0);
	n = extract_samples(&r, s, &e);
	assert_true(n > 0);
	assert_float_equal(sample(s, n, "read.iops"), 4000, 1e-9);
	assert_float_equal(sample(s, n, "iops"), 4000, 1e-9);
	assert_float_equal(sample(s, n, "read.bw"), 16384000, 1e-6);
	assert_float_equal(sample(s, n, "read.lat.mean"), 125, 1e-9);
	assert_float_equal(sample(s, n, "read.lat.p50"), 99.5 + 20000.0 / 30000, 1e-6);
	assert_float_equal(sample(s, n, "read.lat.p99"), 119.5 + 9600.0 / 10000, 1e-6);
	assert_float_equal(sample(s, n, "fairness.jain"), 0.8, 1e-12);
	assert_float_equal(sample(s, n, "guest.iops.min"), 1000, 1e-9);
	assert_float_equal(sample(s, n, "guest.iops.max"), 3000, 1e-9);
	/* not known: no sample, and no zero */
	assert_true(isnan(sample(s, n, "guest.steal")));
	assert_true(isnan(sample(s, n, "runqueue.wait")));
	job_result_free(&r);
}

/* Of what is known the mean: 0.2 and 0.4. */
static void shares_are_means(void **state)
{
	struct store_sample s[EXTRACT_MAX];
	struct job_together *t = guests(3);
	struct job_result r = {.together = t};
	int n;

	(void)state;
	t->guest[0].wait = 0.2;
	t->guest[2].wait = 0.4;
	t->guest[1].cpu = 0.5;
	t->host_cpu = 0.75;
	n = extract_together(t, s, 0);
	assert_float_equal(sample(s, n, "runqueue.wait"), 0.3, 1e-12);
	assert_float_equal(sample(s, n, "guest.cpu"), 0.5, 1e-12);
	assert_float_equal(sample(s, n, "host.cpu"), 0.75, 1e-12);
	job_result_free(&r);
}

/* (1+2+3)^2 / (3 * (1+4+9)) = 36/42; all equal 1; one has all: 1/n. */
static void jain_by_hand(void **state)
{
	const double v[] = {1, 2, 3}, same[] = {7, 7, 7, 7}, one[] = {0, 5, 0, 0, 0},
		     none[] = {0, 0};

	(void)state;
	assert_float_equal(extract_jain(v, 3), 36.0 / 42, 1e-12);
	assert_float_equal(extract_jain(same, 4), 1, 1e-12);
	assert_float_equal(extract_jain(one, 5), 0.2, 1e-12);
	assert_true(isnan(extract_jain(none, 2)));
}

static void names_the_guest_that_lies(void **state)
{
	struct job_result r = {.together = guests(2)};
	struct err e = {0};

	(void)state;
	guest_has(r.together, 0, first);
	guest_has(r.together, 1, "{\"jobs\":[{\"jobname\":\"cpu-load\",\"error\":0}]}");
	assert_int_equal(pool_results(&r, &e), -EPROTO);
	assert_non_null(strstr(e.text, "guest 2"));
	assert_null(r.fio);
	job_result_free(&r);
}

static void a_load_that_failed_is_told(void **state)
{
	json_t *doc = json_of("{\"jobs\":[{\"jobname\":\"vbench-r\",\"error\":0},"
			      "{\"jobname\":\"cpu-load\",\"error\":22}]}");
	struct err e = {0};

	(void)state;
	assert_null(extract_group(doc, &e));
	assert_non_null(strstr(e.text, "load on the CPUs"));
	json_decref(doc);
}

/* Rubbish in every place of a document: nothing crashes, and sums stay finite. */
static void survives_lies(void **state)
{
	static const char *const lies[] = {
		"{\"jobs\":[{\"jobname\":7,\"error\":0,\"read\":{\"total_ios\":-5,\"iops\":\"many\","
		"\"lat_ns\":{\"N\":1e308,\"mean\":1e308,\"bins\":{\"x\":1,\"-1\":9223372036854775807}}}}]}",
		"{\"jobs\":[{\"read\":[],\"write\":{\"lat_ns\":{\"N\":5,\"mean\":1,\"bins\":[]}}}]}",
	};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct job_result r = {.together = guests(2)};

		guest_has(r.together, 0, lies[i]);
		guest_has(r.together, 1, second);
		json_decref(r.together->guest[0].result->reply);
		r.together->guest[0].result->reply = json_of(
			"{\"before\":{\"disk_stat\":[1,\"x\",9223372036854775807]},\"after\":7}");
		assert_int_equal(pool_results(&r, &e), 0);
		assert_true(
			json_number_value(json_object_get(
				json_object_get(json_array_get(json_object_get(r.fio, "jobs"), 0),
						"read"),
				"iops")) >= 1000);
		job_result_free(&r);
	}
}

/* ---- when all measured ---- */

static void began(struct job_together *t, size_t i, uint64_t first_ms, uint64_t last_ms)
{
	struct job_guest *g = &t->guest[i];

	g->go_ns = 1000 * MS;
	g->result->fio = json_of("{\"jobs\":[{\"read\":{\"runtime\":2000}}]}");
	g->result->reply = json_pack("{s:{s:I, s:I, s:I}}", "gate", "open_ns",
				     (json_int_t)(10 * MS), "first_ns", (json_int_t)(first_ms * MS),
				     "last_ns", (json_int_t)(last_ms * MS));
}

#define NOW (9000 * MS) /* by the host's clock, when all results are in */

/*
 * Guests' clocks are 990 ms and 985 ms behind the host's. Threads began at host times 1010..1015
 * and 1035..1040 ms; with 500 ms of ramp and 2000 ms measured, all of a guest's did from 1515 to
 * 3510 and from 1540 to 3535. All were at work from 1040 on, before anybody measured, until 3510;
 * the second guest's last thread measured until 3540, 30 ms of its 2000 without the first. The
 * starts (of the last threads) are 25 ms apart.
 */
static void windows_by_hand(void **state)
{
	const int64_t offset[] = {990 * (int64_t)MS, 985 * (int64_t)MS};
	struct job_result r = {.together = guests(2)};
	struct err e = {0};

	(void)state;
	began(r.together, 0, 20, 25);
	began(r.together, 1, 50, 55);
	assert_int_equal(many_windows(r.together, 500 * MS, offset, NOW, &e), 0);
	assert_int_equal(r.together->guest[0].from_ns, 1515 * MS);
	assert_int_equal(r.together->guest[0].to_ns, 3510 * MS);
	assert_int_equal(r.together->guest[1].from_ns, 1540 * MS);
	assert_int_equal(r.together->spread_ns, 25 * MS);
	assert_float_equal(r.together->overlap, 0.99125, 1e-9);
	job_result_free(&r);
}

/*
 * Starts at 1010, 1110 and 1310 ms. Behind a ramp of 500 ms all were at work before anybody
 * measured, and the first has its end at 3510: the others measured for 100 and 300 of 2000 ms
 * without it. Without a ramp each loses 300 ms at its two ends.
 */
static void a_ramp_covers_the_start(void **state)
{
	const int64_t right = 990 * (int64_t)MS, offset[] = {right, right, right};
	struct job_result r = {.together = guests(3)};
	struct err e = {0};

	(void)state;
	began(r.together, 0, 20, 20);
	began(r.together, 1, 120, 120);
	began(r.together, 2, 320, 320);
	assert_int_equal(many_windows(r.together, 500 * MS, offset, NOW, &e), 0);
	assert_float_equal(r.together->overlap, 1 - 400. / 6000, 1e-9);
	assert_int_equal(many_windows(r.together, 0, offset, NOW, &e), 0);
	assert_float_equal(r.together->overlap, 1 - 900. / 6000, 1e-9);
	job_result_free(&r);
}

/* A start before the host gave the word, threads before their gate was opened, no times at all;
 * an end that is still to come; clocks that no sum may be made of. */
static void times_that_cannot_be(void **state)
{
	static const struct {
		int64_t offset;
		json_int_t open, first, last; /* ns */
	} lies[] = {
		{900 * (int64_t)MS, 10 * MS, 20 * MS, 25 * MS},
		{990 * (int64_t)MS, 10 * MS, 5 * MS, 25 * MS},
		{990 * (int64_t)MS, 10 * MS, 20 * MS, 15 * MS},
		{990 * (int64_t)MS, 0, 0, 0},
		{990 * (int64_t)MS, -5, -4, -3},
		{90000 * (int64_t)MS, 10 * MS, 20 * MS, 25 * MS},
		{990 * (int64_t)MS, 10 * MS, INT64_MAX - 1, INT64_MAX},
		{INT64_MAX, 10 * MS, 20 * MS, 25 * MS},
		{INT64_MIN, 10 * MS, 20 * MS, 25 * MS},
		{INT64_MIN, 1, INT64_MAX / 4, INT64_MAX / 4},
		{-1, INT64_MAX / 4 - 2, INT64_MAX / 4 - 2, INT64_MAX / 4 - 1},
	};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		const int64_t offset[] = {990 * (int64_t)MS, lies[i].offset};
		struct job_result r = {.together = guests(2)};

		began(r.together, 0, 20, 25);
		began(r.together, 1, 20, 25);
		json_decref(r.together->guest[1].result->reply);
		r.together->guest[1].result->reply =
			json_pack("{s:{s:I, s:I, s:I}}", "gate", "open_ns", lies[i].open,
				  "first_ns", lies[i].first, "last_ns", lies[i].last);
		assert_int_equal(many_windows(r.together, 500 * MS, offset, NOW, &e), -EPROTO);
		assert_non_null(strstr(e.text, "guest 2"));
		job_result_free(&r);
	}
}

/* One that begins when another is done has nothing in common with it. */
static void no_common_window(void **state)
{
	const int64_t offset[] = {990 * (int64_t)MS, 990 * (int64_t)MS};
	struct job_result r = {.together = guests(2)};
	struct err e = {0};

	(void)state;
	began(r.together, 0, 20, 20);
	began(r.together, 1, 2520, 2520);
	assert_int_equal(many_windows(r.together, 0, offset, NOW, &e), 0);
	assert_float_equal(r.together->overlap, 0, 0);
	job_result_free(&r);
}

static void told_for_the_report(void **state)
{
	struct job_result r = {.together = guests(2)};
	json_t *j, *g;

	(void)state;
	guest_has(r.together, 0, first);
	guest_has(r.together, 1, second);
	r.together->guest[0].from_ns = 5 * MS;
	r.together->guest[1].from_ns = 7 * MS;
	j = pool_together(r.together, 3, 4);
	g = json_object_get(j, "guests");
	/* 2 guests x 3 vCPUs on 4 CPUs */
	assert_float_equal(json_number_value(json_object_get(j, "ratio")), 1.5, 1e-12);
	assert_int_equal(json_array_size(g), 2);
	assert_float_equal(json_number_value(json_object_get(json_array_get(g, 0), "iops")), 3000,
			   1e-9);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(g, 1), "start_ns")),
			 2 * MS);
	assert_true(json_is_null(json_object_get(json_array_get(g, 0), "steal")));
	json_decref(j);
	job_result_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_guests_up),
		cmocka_unit_test(shares_are_means),
		cmocka_unit_test(jain_by_hand),
		cmocka_unit_test(names_the_guest_that_lies),
		cmocka_unit_test(a_load_that_failed_is_told),
		cmocka_unit_test(survives_lies),
		cmocka_unit_test(windows_by_hand),
		cmocka_unit_test(a_ramp_covers_the_start),
		cmocka_unit_test(times_that_cannot_be),
		cmocka_unit_test(no_common_window),
		cmocka_unit_test(told_for_the_report),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
