/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fio's document -> samples. Expected values: arithmetic by hand on fio's documented binning. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "run/extract.h"

/*
 * fio 3.x, stat.h: 64 bins an octave from 128 ns on, below that a bin a nanosecond; it prints a
 * bin's middle. In [1024, 2048) a bin is 16 wide, so the first one, [1024, 1040), is printed as
 * 1032.
 */
static void bins_are_those_of_fio(void **state)
{
	double lo, hi;

	(void)state;
	extract_bin(100, &lo, &hi);
	assert_true(lo == 99.5 && hi == 100.5);
	extract_bin(129, &lo, &hi);
	assert_true(lo == 128 && hi == 130);
	extract_bin(1032, &lo, &hi);
	assert_true(lo == 1024 && hi == 1040);
	/* the last bin of that octave: [2032, 2048) */
	extract_bin(2040, &lo, &hi);
	assert_true(lo == 2032 && hi == 2048);
	/* [1048576, 2097152): 16384 wide */
	extract_bin(1048576 + 8192, &lo, &hi);
	assert_true(lo == 1048576 && hi == 1064960);
}

/*
 * 1000 requests of 8 KiB (16000 sectors): the disk merged two of fio's 4 KiB into one, so these are 2000 of fio's I/Os.
 * 4000 switches; steal 10 of 20 + 10 + 60 + 10 ticks.
 */
static const char merged[] =
	"{\"before\":{\"ctxt\":1000,\"disk_stat\":[30,0,100,0,20,0,0,0,0,0,0],\"cpu\":{\"user\":10,\"nice\":0,"
	"\"system\":10,\"idle\":100,\"iowait\":0,\"irq\":0,\"softirq\":0,\"steal\":5}},"
	"\"after\":{\"ctxt\":5000,\"disk_stat\":[1030,0,16100,0,20,0,0,0,0,0,0],\"cpu\":{\"user\":30,\"nice\":0,"
	"\"system\":20,\"idle\":160,\"iowait\":0,\"irq\":0,\"softirq\":0,\"steal\":15}}}";

static double sample(const struct store_sample *s, int n, const char *metric)
{
	int i;

	for (i = 0; i < n; i++)
		if (!strcmp(s[i].metric, metric))
			return s[i].value;
	return NAN;
}

static int extract(const char *fio, const char *reply, uint64_t ios, struct store_sample *out,
		   struct err *e)
{
	struct job_result r = {.fio = json_loads(fio, 0, NULL),
			       .reply = json_loads(reply, 0, NULL),
			       .cpu_vcpu_ns = 3000,
			       .cpu_iothread_ns = 2000,
			       .cpu_rest_ns = 1000,
			       .cpu_ios = ios};
	int n;

	assert_non_null(r.fio);
	assert_non_null(r.reply);
	n = extract_samples(&r, out, e);
	json_decref(r.fio);
	json_decref(r.reply);
	return n;
}

/* 1000 I/Os: 900 in [1024, 1040), 100 in [2032, 2048). p50 lies 500/900 into the first bin: 1024 +
 * 16 * 5/9. */
static const char reads[] =
	"{\"jobs\":[{\"error\":0,\"read\":{\"total_ios\":1000,\"io_bytes\":4096000,\"iops\":2000.5,\"bw_bytes\":8194048,"
	"\"lat_ns\":{\"mean\":1130.5,\"bins\":{\"2040\":100,\"1032\":900}},"
	"\"slat_ns\":{\"mean\":130.25},\"clat_ns\":{\"mean\":1000.25}},"
	"\"write\":{\"total_ios\":0,\"iops\":0,\"bw_bytes\":0,\"lat_ns\":{\"mean\":0}},"
	"\"trim\":{\"total_ios\":0}}]}";

static void values_are_taken_over(void **state)
{
	struct store_sample s[EXTRACT_MAX];
	struct err e = {0};
	int n = extract(reads, merged, 5, s, &e);

	(void)state;
	assert_true(n > 0);
	assert_true(sample(s, n, "read.iops") == 2000.5);
	assert_true(sample(s, n, "iops") == 2000.5);
	assert_true(sample(s, n, "read.bw") == 8194048);
	assert_true(sample(s, n, "read.lat.mean") == 1130.5);
	assert_true(sample(s, n, "read.slat.mean") == 130.25);
	assert_true(sample(s, n, "read.clat.mean") == 1000.25);
	assert_true(fabs(sample(s, n, "read.lat.p50") - (1024 + 16 * 5.0 / 9)) < 1e-6);
	assert_true(isnan(sample(s, n, "write.iops")));
	/* 6000 ns in a window of 5 requests, that is 10 of fio's I/Os */
	assert_true(sample(s, n, "cpu_per_io") == 600);
	assert_true(sample(s, n, "cpu_per_io.vcpu") == 300);
	assert_true(sample(s, n, "cpu_per_io.iothread") == 200);
	assert_true(sample(s, n, "cpu_per_io.rest") == 100);
}

/* 1000 I/Os have 10 above p99: not enough to print it (statistics.md, part 9: at least 100). */
static void percentiles_without_support_are_left_out(void **state)
{
	static const char many[] =
		"{\"jobs\":[{\"error\":0,\"read\":{\"total_ios\":10000,\"iops\":1,\"bw_bytes\":1,"
		"\"lat_ns\":{\"mean\":1032,\"bins\":{\"1032\":10000}}}}]}";
	struct store_sample s[EXTRACT_MAX];
	struct err e = {0};
	int n = extract(reads, "{}", 10, s, &e);

	(void)state;
	assert_true(isnan(sample(s, n, "read.lat.p99")));
	n = extract(many, "{}", 10, s, &e);
	/* 10000 have exactly 100 above: 1024 + 16 * 0.99 */
	assert_true(fabs(sample(s, n, "read.lat.p99") - (1024 + 16 * 0.99)) < 1e-6);
	assert_true(isnan(sample(s, n, "read.lat.p99.9")));
}

static void cpu_without_a_window_is_left_out(void **state)
{
	struct store_sample s[EXTRACT_MAX];
	struct err e = {0};
	int n = extract(reads, merged, 0, s, &e);

	(void)state;
	assert_true(n > 0);
	assert_true(isnan(sample(s, n, "cpu_per_io")));
}

static void guest_counters_are_differences(void **state)
{
	struct store_sample s[EXTRACT_MAX];
	struct err e = {0};
	int n = extract(reads, merged, 10, s, &e);

	(void)state;
	/* as merged says: 4000 switches over 2000 I/Os, 10 of 100 ticks */
	assert_true(sample(s, n, "guest.ctxt_per_io") == 2);
	assert_true(sample(s, n, "guest.steal") == 0.1);
}

static void what_is_no_result_is_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"jobs\":[]}",
		"{\"jobs\":{}}",
		"{\"jobs\":[3]}",
		"{\"jobs\":[{\"error\":5,\"read\":{\"total_ios\":10,\"iops\":1}}]}",
		"{\"jobs\":[{\"error\":0,\"read\":{\"total_ios\":0}}]}",
		"{\"jobs\":[{\"error\":0,\"read\":{\"total_ios\":\"many\"}}]}",
		"{\"jobs\":[{\"error\":0},{\"error\":0}]}",
	};
	struct store_sample s[EXTRACT_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct err e = {0};

		assert_int_equal(extract(bad[i], "{}", 1, s, &e), -EPROTO);
		assert_true(e.text[0]);
	}
}

/* A guest that lies costs its numbers, nothing else: negative, huge and ill-typed values are no
 * samples. */
static void lies_are_dropped(void **state)
{
	static const char lie[] =
		"{\"jobs\":[{\"error\":0,\"read\":{\"total_ios\":1000,\"iops\":-5,\"bw_bytes\":\"x\","
		"\"lat_ns\":{\"mean\":1e308,\"bins\":{\"1032\":9223372036854775807,\"-3\":4,\"abc\":1,"
		"\"18446744073709551615\":300,\"1048\":\"7\"}}}}]}";
	struct store_sample s[EXTRACT_MAX];
	struct err e = {0};
	int n = extract(lie, "{\"before\":[],\"after\":3}", 1, s, &e);

	(void)state;
	assert_true(n >= 0);
	assert_true(isnan(sample(s, n, "read.iops")));
	assert_true(isnan(sample(s, n, "read.bw")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bins_are_those_of_fio),
		cmocka_unit_test(values_are_taken_over),
		cmocka_unit_test(percentiles_without_support_are_left_out),
		cmocka_unit_test(cpu_without_a_window_is_left_out),
		cmocka_unit_test(guest_counters_are_differences),
		cmocka_unit_test(what_is_no_result_is_refused),
		cmocka_unit_test(lies_are_dropped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
