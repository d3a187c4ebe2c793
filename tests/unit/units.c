/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes and times as people write and read them. Expected values: arithmetic by hand. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/units.h"

struct row {
	const char *text;
	int rc;
	uint64_t value;
};

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void reads_sizes(void **state)
{
	static const struct row rows[] = {
		{"0", 0, 0},
		{"512", 0, 512},
		{"512B", 0, 512},
		{"4k", 0, 4096},
		{"4K", 0, 4096},
		{"4KiB", 0, 4096},
		{"4kB", 0, 4096},
		{" 4 KiB ", 0, 4096},
		{"1m", 0, 1048576},
		{"1.5M", 0, 1572864},
		{"1G", 0, 1073741824},
		{"2T", 0, 2199023255552},
		/* 12.345 * 1048576 = 12944670.72, to the nearest byte */
		{"12.345M", 0, 12944671},
		/* 0.1 * 2^40 = 109951162777.6 */
		{"0.1T", 0, 109951162778},
		{"0.10000000000000000000000000T", 0, 109951162778},
		{"9223372036854775807", 0, INT64_MAX},
		{"9223372036854775808", -ERANGE, 0},
		{"18446744073709551616", -ERANGE, 0},
		{"99999999999999999999999999999999", -ERANGE, 0},
		/* 2^23 TiB = 2^63; one less fits */
		{"8388608T", -ERANGE, 0},
		{"8388607T", 0, 8388607ULL << 40},
		{"", -EINVAL, 0},
		{" ", -EINVAL, 0},
		{"k", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
		{"4q", -EINVAL, 0},
		{"4ki", -EINVAL, 0},
		{"4iB", -EINVAL, 0},
		{"4kk", -EINVAL, 0},
		{"4k 4k", -EINVAL, 0},
		{"1.5", -EINVAL, 0}, /* no half bytes */
		{"1.", -EINVAL, 0},
		{".5k", -EINVAL, 0},
		{"1,5k", -EINVAL, 0},
		{"4\xc2\xb5", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		uint64_t v = 77;
		int rc = units_size(rows[i].text, &v);

		if (rc != rows[i].rc || (!rc && v != rows[i].value))
			fail_msg("\"%s\": rc %d, %llu", rows[i].text, rc, (unsigned long long)v);
	}
}

static void reads_times(void **state)
{
	static const struct row rows[] = {
		{"0", 0, 0},
		{"1", 0, 1000000000},
		{"1.5", 0, 1500000000},
		{"1.5s", 0, 1500000000},
		{"200ms", 0, 200000000},
		{"100us", 0, 100000},
		{"50ns", 0, 50},
		{"30m", 0, 1800000000000},
		{"30min", 0, 1800000000000},
		{"2h", 0, 7200000000000},
		{"0.5h", 0, 1800000000000},
		{"1 s", 0, 1000000000},
		/* 0.0000000005 s is half a ns and rounds up */
		{"0.0000000005", 0, 1},
		{"0.5ns", -EINVAL, 0},
		/* 2^63 ns = 2562047.788 h */
		{"2562047h", 0, 9223369200000000000},
		{"2562048h", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"ms", -EINVAL, 0},
		{"1M", -EINVAL, 0}, /* a month, a minute, a mega? */
		{"1S", -EINVAL, 0},
		{"1sec", -EINVAL, 0},
		{"-1s", -EINVAL, 0},
		{"1s2", -EINVAL, 0},
		{"1e3", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		uint64_t v = 77;
		int rc = units_time(rows[i].text, &v);

		if (rc != rows[i].rc || (!rc && v != rows[i].value))
			fail_msg("\"%s\": rc %d, %llu", rows[i].text, rc, (unsigned long long)v);
	}
}

struct shown {
	uint64_t value;
	const char *text;
};

static void shows_sizes(void **state)
{
	static const struct shown rows[] = {
		{0, "0 B"},
		{512, "512 B"},
		{1000, "1000 B"},
		{1023, "1023 B"},
		{1024, "1 KiB"},
		{1536, "1.5 KiB"},
		{4096, "4 KiB"},
		{10240 + 512, "10.5 KiB"},
		{1572864, "1.5 MiB"},
		{1048575, "1 MiB"},	   /* 1023.999 KiB rounds to 1024 KiB */
		{1047552, "1023 KiB"},	   /* exactly */
		{10475274, "9.99 MiB"},	   /* 9.99 * 2^20 = 10475274.24 */
		{10484711, "10 MiB"},	   /* 9.999 * 2^20 */
		{1073741824, "1 GiB"},	   /* 2^30 */
		{UINT64_MAX, "16 EiB"},	   /* 2^64 - 1 */
		{107374182400, "100 GiB"}, /* 100 * 2^30 */
		{1181116006, "1.1 GiB"},   /* 1.1 * 2^30 = 1181116006.4 */
	};
	char buf[40];

	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		assert_string_equal(units_size_text(rows[i].value, buf, sizeof(buf)), rows[i].text);
}

static void shows_times(void **state)
{
	static const struct shown rows[] = {
		{0, "0 ns"},
		{999, "999 ns"},
		{1000, "1 us"},
		{12345, "12.3 us"},
		{850000000, "850 ms"},
		{999499999, "999 ms"},
		{999600000, "1 s"},
		{1200000000, "1.2 s"},
		{1234000000, "1.23 s"},
		{59900000000, "59.9 s"},
		{59960000000, "1 min"},
		{200000000000, "3 min 20 s"},
		{3599600000000, "1 h"},
		{3600000000000, "1 h"},
		{7500000000000, "2 h 5 min"},
		{90000000000000, "25 h"},
		{UINT64_MAX,
		 "5124095 h 35 min"}, /* 2^64 ns = 5124095.576 h, and 0.576 h = 34.6 min */
	};
	char buf[40];

	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		assert_string_equal(units_time_text(rows[i].value, buf, sizeof(buf)), rows[i].text);
}

static void spells_exactly(void **state)
{
	static const struct shown sizes[] = {
		{0, "0"},	    {1, "1"},		{512, "512"},
		{4096, "4k"},	    {1536, "1536"},	{1048576, "1M"},
		{1572864, "1536k"}, {1073741824, "1G"}, {1099511627776, "1T"},
	};
	static const struct shown times[] = {
		{0, "0s"},
		{1, "1ns"},
		{1500, "1500ns"},
		{700000000, "700ms"},
		{1000000000, "1s"},
		{90000000000, "90s"},
		{60000000000, "1m"},
		{5400000000000, "90m"},
		{7200000000000, "2h"},
	};
	char buf[40];

	(void)state;
	for (size_t i = 0; i < N(sizes); i++)
		assert_string_equal(units_size_spell(sizes[i].value, buf, sizeof(buf)),
				    sizes[i].text);
	for (size_t i = 0; i < N(times); i++)
		assert_string_equal(units_time_spell(times[i].value, buf, sizeof(buf)),
				    times[i].text);
}

/* What is spelt parses back to the same number: the property that cell ids rest on. */
static void spelling_reads_back(void **state)
{
	uint64_t v = 1, got;
	char buf[40];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t x;

		/* Knuth's MMIX generator; shifts give all magnitudes, and many trailing zeros. */
		v = v * 6364136223846793005ULL + 1442695040888963407ULL;
		x = (v >> 1) >> (i % 63) << (i % 63 / 2) & INT64_MAX;
		assert_int_equal(units_size(units_size_spell(x, buf, sizeof(buf)), &got), 0);
		assert_true(got == x);
		assert_int_equal(units_time(units_time_spell(x, buf, sizeof(buf)), &got), 0);
		assert_true(got == x);
	}
}

static void never_writes_past_the_buffer(void **state)
{
	char buf[8];

	(void)state;
	memset(buf, '#', sizeof(buf));
	units_time_text(200000000000, buf, 5);
	assert_string_equal(buf, "3 mi");
	assert_int_equal(buf[5], '#');
	units_size_spell(123456789, buf, 5);
	assert_string_equal(buf, "1234");
	assert_int_equal(buf[5], '#');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_sizes),
		cmocka_unit_test(reads_times),
		cmocka_unit_test(shows_sizes),
		cmocka_unit_test(shows_times),
		cmocka_unit_test(spells_exactly),
		cmocka_unit_test(spelling_reads_back),
		cmocka_unit_test(never_writes_past_the_buffer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
