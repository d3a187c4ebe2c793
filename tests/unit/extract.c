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
 * 1000 requests of 8 KiB (16000 sectors): the disk merged two of fio's 4 KiB into one, so these are
 * 2000 of fio's I/Os. 4000 switches; steal 10 of 20 + 10 + 60 + 10 ticks.
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

/* As reads, without a guest: its reply has no counters. engine may be NULL. */
static int extract_host(const char *engine, uint64_t fio_ns, uint64_t server_ns, uint64_t ios,
			struct store_sample *out)
{
	struct job_result r = {.fio = json_loads(reads, 0, NULL),
			       .reply = json_loads("{\"exit\":0,\"signal\":0}", 0, NULL),
			       .engine = engine ? json_loads(engine, JSON_DECODE_ANY, NULL) : NULL,
			       .cpu_fio_ns = fio_ns,
			       .cpu_server_ns = server_ns,
			       .cpu_ios = ios};
	struct err e = {0};
	int n;

	if (engine)
		assert_non_null(r.engine);
	n = extract_samples(&r, out, &e);
	json_decref(r.fio);
	json_decref(r.reply);
	json_decref(r.engine);
	assert_true(n > 0);
	return n;
}

/* 9000 ns of fio and 6000 ns of its server for 10 I/Os. */
static void cpu_of_a_host_site(void **state)
{
	struct store_sample s[EXTRACT_MAX];
	int n = extract_host(NULL, 9000, 6000, 10, s);

	(void)state;
	assert_true(sample(s, n, "iops") == 2000.5);
	assert_true(sample(s, n, "cpu_per_io") == 1500);
	assert_true(sample(s, n, "cpu_per_io.fio") == 900);
	assert_true(sample(s, n, "cpu_per_io.server") == 600);
	assert_true(isnan(sample(s, n, "cpu_per_io.vcpu")));
	assert_true(isnan(sample(s, n, "cpu_per_io.iothread")));
	assert_true(isnan(sample(s, n, "guest.ctxt_per_io")));
	assert_true(isnan(sample(s, n, "vring.batch")));
	n = extract_host(NULL, 9000, 0, 10, s);
	assert_true(sample(s, n, "cpu_per_io") == 900);
	assert_true(isnan(sample(s, n, "cpu_per_io.server")));
	n = extract_host(NULL, 9000, 6000, 0, s); /* no window */
	assert_true(isnan(sample(s, n, "cpu_per_io")));
}

/* 2112 reads of a verification "in 1 ms" (fio 3.33) are no load: the total is that of the writes. */
static void reads_that_check(void **state)
{
	static const char verified[] =
		"{\"jobs\":[{\"error\":0,"
		"\"read\":{\"total_ios\":2112,\"io_bytes\":2214592512,\"iops\":2112000.0,\"bw_bytes\":2214592512000},"
		"\"write\":{\"total_ios\":2124,\"io_bytes\":2227175424,\"iops\":21.25,\"bw_bytes\":22282240}}]}";
	struct job_result r = {.fio = json_loads(verified, 0, NULL),
			       .reply = json_loads(merged, 0, NULL),
			       .reads_check = true};
	struct store_sample s[EXTRACT_MAX];
	struct err e = {0};
	int n = extract_samples(&r, s, &e);

	(void)state;
	assert_true(sample(s, n, "iops") == 21.25);
	assert_true(sample(s, n, "write.iops") == 21.25);
	assert_true(isnan(sample(s, n, "read.iops")));
	json_decref(r.fio);
	json_decref(r.reply);
}

/* A server beside QEMU: 6000 ns of QEMU's and 4000 ns of its own in a window of 5 requests, which
 * are 10 I/Os (merged). */
static void cpu_of_a_server_beside_a_guest(void **state)
{
	struct job_result r = {.fio = json_loads(reads, 0, NULL),
			       .reply = json_loads(merged, 0, NULL),
			       .cpu_vcpu_ns = 3000,
			       .cpu_iothread_ns = 2000,
			       .cpu_rest_ns = 1000,
			       .cpu_server_ns = 4000,
			       .cpu_ios = 5};
	struct store_sample s[EXTRACT_MAX];
	struct err e = {0};
	int n = extract_samples(&r, s, &e);

	(void)state;
	assert_true(sample(s, n, "cpu_per_io") == 1000);
	assert_true(sample(s, n, "cpu_per_io.vcpu") == 300);
	assert_true(sample(s, n, "cpu_per_io.server") == 400);
	assert_true(isnan(sample(s, n, "cpu_per_io.fio")));
	json_decref(r.fio);
	json_decref(r.reply);
}

/* Two queues: 100 + 300 requests in 50 + 50 batches; 20 kicks; 10 interrupts; 800 lines written and
 * 400 read. */
static void counters_of_the_engine(void **state)
{
	static const char two[] =
		"{\"queues\":[{\"added\":100,\"done\":100,\"publishes\":50,\"kicks\":20,\"interrupts\":10,"
		"\"sleeps\":0,\"descs\":100,\"lines_written\":200,\"lines_read\":100},"
		"{\"added\":300,\"done\":300,\"publishes\":50,\"kicks\":0,\"interrupts\":0,"
		"\"sleeps\":4,\"descs\":900,\"lines_written\":600,\"lines_read\":300}]}";
	struct store_sample s[EXTRACT_MAX];
	int n = extract_host(two, 1000, 0, 10, s);

	(void)state;
	assert_true(sample(s, n, "vring.batch") == 4);
	assert_true(sample(s, n, "vring.kicks_per_io") == 0.05);
	assert_true(sample(s, n, "vring.interrupts_per_io") == 0.025);
	assert_true(sample(s, n, "vring.sleeps_per_io") == 0.01);
	assert_true(sample(s, n, "vring.descs_per_io") == 2.5);
	assert_true(sample(s, n, "vring.lines_per_io") == 3);
}

/* Whatever the report lacks has no sample, and what it has still does. */
static void odd_reports_of_the_engine(void **state)
{
	static const char *const odd[] = {
		"{}",
		"[]",
		"3",
		"{\"queues\":[]}",
		"{\"queues\":{}}",
		"{\"queues\":[3]}",
		"{\"queues\":[{\"done\":0,\"kicks\":5}]}",
		"{\"queues\":[{\"done\":\"x\",\"kicks\":5}]}",
		"{\"queues\":[{\"done\":-5,\"kicks\":5}]}",
		"{\"queues\":[{\"done\":5,\"kicks\":5},{\"kicks\":5}]}",
	};
	struct store_sample s[EXTRACT_MAX];
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		n = extract_host(odd[i], 1000, 0, 10, s);
		assert_true(isnan(sample(s, n, "vring.kicks_per_io")));
		assert_true(sample(s, n, "read.iops") == 2000.5);
	}
	n = extract_host("{\"queues\":[{\"done\":10,\"kicks\":5,\"publishes\":0}]}", 1000, 0, 10,
			 s);
	assert_true(sample(s, n, "vring.kicks_per_io") == 0.5);
	assert_true(isnan(sample(s, n, "vring.batch")));
	assert_true(isnan(sample(s, n, "vring.lines_per_io")));
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
		cmocka_unit_test(cpu_of_a_host_site),
		cmocka_unit_test(reads_that_check), cmocka_unit_test(cpu_of_a_server_beside_a_guest),
		cmocka_unit_test(counters_of_the_engine),
		cmocka_unit_test(odd_reports_of_the_engine),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
