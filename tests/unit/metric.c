/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of metrics: each row's direction, scale and unit stated by hand; values as people read
 * them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "store/metric.h"

/*
 * From the meaning of each metric (more I/O per second is good, more time is bad), written down
 * without looking at the table. Effects: statistics.md part 4 (2 % rates and means, 5 % p99, 10 %
 * p99.9).
 */
static const struct {
	const char *id, *unit;
	enum better better;
	enum metric_scale scale;
	double min_effect;
} expected[] = {
	{"iops", "IOPS", HIGHER_IS_BETTER, SCALE_RATIO, 0.02},
	{"read.iops", "IOPS", HIGHER_IS_BETTER, SCALE_RATIO, 0.02},
	{"read.bw", "B/s", HIGHER_IS_BETTER, SCALE_RATIO, 0.02},
	{"read.lat.mean", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.02},
	{"read.lat.p50", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.02},
	{"read.lat.p99", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.05},
	{"read.lat.p99.9", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.10},
	{"read.slat.mean", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.02},
	{"read.clat.mean", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.02},
	{"read.clat.p99", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.05},
	{"write.iops", "IOPS", HIGHER_IS_BETTER, SCALE_RATIO, 0.02},
	{"write.bw", "B/s", HIGHER_IS_BETTER, SCALE_RATIO, 0.02},
	{"write.lat.mean", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.02},
	{"write.lat.p50", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.02},
	{"write.lat.p99", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.05},
	{"write.lat.p99.9", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.10},
	{"write.slat.mean", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.02},
	{"write.clat.mean", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.02},
	{"write.clat.p99", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.05},
	{"sync.lat.mean", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.02},
	{"sync.lat.p99", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.05},
	{"cpu_per_io", "ns/IO", LOWER_IS_BETTER, SCALE_DIFFERENCE, 500},
	{"cpu_per_io.vcpu", "ns/IO", LOWER_IS_BETTER, SCALE_DIFFERENCE, 500},
	{"cpu_per_io.iothread", "ns/IO", LOWER_IS_BETTER, SCALE_DIFFERENCE, 500},
	{"cpu_per_io.rest", "ns/IO", LOWER_IS_BETTER, SCALE_DIFFERENCE, 500},
	{"cpu_per_io.server", "ns/IO", LOWER_IS_BETTER, SCALE_DIFFERENCE, 50},
	{"cpu_per_io.fio", "ns/IO", LOWER_IS_BETTER, SCALE_DIFFERENCE, 50},
	{"iops.per_disk", "IOPS", HIGHER_IS_BETTER, SCALE_RATIO, 0.02},
	{"plug.time", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.05},
	{"host.rss", "B", LOWER_IS_BETTER, SCALE_RATIO, 0.02},
	{"image.create", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.05},
	{"image.convert", "ns", LOWER_IS_BETTER, SCALE_RATIO, 0.05},
	{"vring.kicks_per_io", "1/IO", LOWER_IS_BETTER, SCALE_DIFFERENCE, 0.02},
	{"vring.interrupts_per_io", "1/IO", LOWER_IS_BETTER, SCALE_DIFFERENCE, 0.02},
	{"vring.sleeps_per_io", "1/IO", LOWER_IS_BETTER, SCALE_DIFFERENCE, 0.02},
	{"vring.descs_per_io", "1/IO", LOWER_IS_BETTER, SCALE_DIFFERENCE, 0.02},
	{"vring.lines_per_io", "1/IO", LOWER_IS_BETTER, SCALE_DIFFERENCE, 0.02},
	{"vring.batch", "chains", HIGHER_IS_BETTER, SCALE_RATIO, 0.05},
	{"guest.ctxt_per_io", "1/IO", LOWER_IS_BETTER, SCALE_DIFFERENCE, 0.05},
	{"guest.steal", "share", LOWER_IS_BETTER, SCALE_DIFFERENCE, 0.01},
	{"fairness.jain", "share", HIGHER_IS_BETTER, SCALE_DIFFERENCE, 0.01},
	{"guest.iops.min", "IOPS", HIGHER_IS_BETTER, SCALE_RATIO, 0.02},
	{"guest.iops.max", "IOPS", HIGHER_IS_BETTER, SCALE_RATIO, 0.02},
	{"guest.cpu", "share", LOWER_IS_BETTER, SCALE_DIFFERENCE, 0.01},
	{"runqueue.wait", "share", LOWER_IS_BETTER, SCALE_DIFFERENCE, 0.01},
	{"host.cpu", "share", LOWER_IS_BETTER, SCALE_DIFFERENCE, 0.01},
	{"image.bytes", "B", LOWER_IS_BETTER, SCALE_EXACT, 0},
};

static void each_row_has_its_direction(void **state)
{
	size_t i, n = sizeof(expected) / sizeof(expected[0]);

	(void)state;
	/* Neither more rows than are judged here nor fewer. */
	assert_int_equal(nmetrics, n);
	for (i = 0; i < n; i++) {
		const struct metric_row *m = metric_find(expected[i].id);

		if (!m)
			fail_msg("no metric %s", expected[i].id);
		if (m->better != expected[i].better || m->scale != expected[i].scale)
			fail_msg("%s: direction or scale", m->id);
		assert_string_equal(m->unit, expected[i].unit);
		if (fabs(m->min_effect - expected[i].min_effect) > 1e-12)
			fail_msg("%s: smallest effect %g", m->id, m->min_effect);
	}
}

static void percentiles_are_marked(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < nmetrics; i++) {
		/* A percentile says so in its id: ".pNN". */
		bool named = strstr(metrics[i].id, ".p5") || strstr(metrics[i].id, ".p9");

		assert_int_equal(metrics[i].percentile, named);
		/* An id fits struct store_sample. */
		assert_true(strlen(metrics[i].id) < 40);
		assert_true(strlen(metrics[i].title) > 0);
	}
}

static void unknown_metric_is_null(void **state)
{
	(void)state;
	assert_null(metric_find("read.lat"));
	assert_null(metric_find(""));
	assert_null(metric_find("read.lat.p99.99"));
}

static void check_text(const char *id, double value, const char *want)
{
	char buf[64];

	assert_string_equal(metric_text(metric_find(id), value, buf, sizeof(buf)), want);
}

/* Arithmetic by hand: three digits, decimal prefixes for IOPS, binary for bytes, ns/us/ms/s for
 * times. */
static void values_read_well(void **state)
{
	char tiny[6];

	(void)state;
	check_text("iops", 0, "0 IOPS");
	check_text("iops", 7, "7.00 IOPS");
	check_text("iops", 843, "843 IOPS");
	check_text("iops", 999.4, "999 IOPS");
	check_text("iops", 999.5, "1.00k IOPS");
	check_text("iops", 12345, "12.3k IOPS");
	check_text("iops", 999499, "999k IOPS");
	check_text("iops", 1234567, "1.23M IOPS");
	check_text("read.bw", 512, "512 B/s");
	check_text("read.bw", 312.0 * 1048576, "312 MiB/s");
	check_text("read.bw", 1536, "1.50 KiB/s");
	check_text("read.bw", 1023.4 * 1048576, "1023 MiB/s");
	check_text("read.bw", 1024.0 * 1048576, "1.00 GiB/s");
	check_text("image.bytes", 1099511627776.0, "1.00 TiB");
	check_text("image.bytes", 196624, "192 KiB");
	check_text("read.lat.p99", 45123, "45.1 us");
	check_text("read.lat.p99", 999, "999 ns");
	check_text("read.lat.p99", 9994, "9.99 us");
	check_text("read.lat.p99", 9996, "10.0 us");
	check_text("read.lat.mean", 2500000, "2.50 ms");
	check_text("read.lat.mean", 3e9, "3.00 s");
	check_text("read.lat.mean", 120e9, "120 s");
	check_text("cpu_per_io", 15300, "15.3 us/IO");
	check_text("cpu_per_io", -15300, "-15.3 us/IO");
	check_text("cpu_per_io", 0, "0 ns/IO");
	check_text("guest.ctxt_per_io", 0.25, "0.250 per I/O");
	check_text("guest.ctxt_per_io", 2.5, "2.50 per I/O");
	check_text("guest.steal", 0.0123, "1.23 %");
	check_text("read.lat.p99", NAN, "-");
	check_text("iops", INFINITY, "-");
	metric_text(metric_find("iops"), 12345, tiny, sizeof(tiny));
	assert_string_equal(tiny, "12.3k");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_has_its_direction),
		cmocka_unit_test(percentiles_are_marked),
		cmocka_unit_test(unknown_metric_is_null),
		cmocka_unit_test(values_read_well),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
