/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one table of metrics: name, unit, direction. Copied into every store, so that old stores
 * explain themselves. */
#ifndef VB_STORE_METRIC_H
#define VB_STORE_METRIC_H

#include <stdbool.h>
#include <stddef.h>

enum better { HIGHER_IS_BETTER, LOWER_IS_BETTER };

/* How two cells are compared: by ratio (positive), by difference (can be 0), exactly (no noise). */
enum metric_scale { SCALE_RATIO, SCALE_DIFFERENCE, SCALE_EXACT };

struct metric_row {
	const char *id;	   /* "read.lat.p99" */
	const char *title; /* "read latency, 99th percentile" */
	const char *unit;  /* "IOPS", "B/s", "ns", "ns/IO", "1/IO", "B", "share", "chains" */
	enum better better;
	enum metric_scale scale;
	double min_effect; /* smallest effect of interest: 0.02 is 2 %; for SCALE_DIFFERENCE in the
			      unit */
	bool percentile;   /* only stored with at least 100 I/Os above it */
};

extern const struct metric_row metrics[];
extern const size_t nmetrics;

/* fio's bins are at most 1/64 of their value wide: no percentile is known better. */
#define METRIC_BIN (1.0 / 64)

/* The least standard deviation that a log ratio of the metric can have: a bin's width / sqrt(12) for
 * percentiles, else 0 (statistics.md, parts 2 and 9). */
double metric_sd_floor(const struct metric_row *m);

/* NULL if there is none such. */
const struct metric_row *metric_find(const char *id);

/* A value with its unit, for people: "12.3k IOPS", "45.1 us", "312 MiB/s". Into buf. */
char *metric_text(const struct metric_row *m, double value, char *buf, size_t size);

#endif
