/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers for people: ratios as per cent with their interval, values with their unit, three digits.
 */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "reports/page.h"

#define MINUS_HTML "\xe2\x88\x92" /* U+2212 */
#define SPACE_HTML "\xc2\xa0"	  /* no-break space */

/* Ends of an interval that are further apart are not worth their digits: two blocks can give 1e-9
 * to 1e9. */
#define FOLD_MAX 1000

/* Copies text into buf in the given style: minus signs and spaces become those of the page, where a
 * line may only break before the interval. */
static char *restyle(const char *text, enum num_style s, char *buf, size_t size)
{
	size_t at = 0;

	for (; *text; text++) {
		char one[2] = {*text, 0};
		const char *put = one;

		if (s == NUM_HTML && *text == '-')
			put = MINUS_HTML;
		else if (s == NUM_HTML && *text == 'x' && isdigit((unsigned char)text[1]))
			put = "\xc3\x97"; /* U+00D7 */
		else if (s == NUM_HTML && *text == ' ' && text[1] != '[')
			put = SPACE_HTML;
		if (at + strlen(put) + 1 > size)
			break;
		memcpy(buf + at, put, strlen(put));
		at += strlen(put);
	}
	if (size)
		buf[at] = 0;
	return buf;
}

/* A number with its sign and so many decimals; what rounds to nothing has no sign. */
static char *signed_text(double v, int decimals, char *buf, size_t size)
{
	snprintf(buf, size, "%+.*f", decimals, v);
	if (strtod(buf, NULL) == 0)
		snprintf(buf, size, "0");
	return buf;
}

/* So many decimals that the width of the interval has two digits, and that no end that is not 0
 * reads as 0. */
static int percent_decimals(double lo, double hi)
{
	double width = hi - lo;
	int d = width >= 10 ? 0 : width >= 1 ? 1 : 2;

	while (d < 3 && ((lo != 0 && fabs(lo) < 0.5 * pow(10, -d)) ||
			 (hi != 0 && fabs(hi) < 0.5 * pow(10, -d))))
		d++;
	return d;
}

char *num_3(double v, char *buf, size_t size)
{
	double a = fabs(v);

	if (isnan(v))
		snprintf(buf, size, "n/a");
	else if (isinf(v))
		snprintf(buf, size, v > 0 ? "inf" : "-inf");
	else if (a != 0 && (a < 1e-4 || a >= 1e7))
		snprintf(buf, size, "%.2e", v);
	else if (a >= 99.95)
		snprintf(buf, size, "%.0f", v);
	else if (a >= 9.995)
		snprintf(buf, size, "%.1f", v);
	else
		snprintf(buf, size, "%.3g", v);
	return buf;
}

char *num_percent(double ratio, enum num_style s, char *buf, size_t size)
{
	double p = (ratio - 1) * 100;
	char text[64], n[48];

	if (!isfinite(ratio))
		snprintf(text, sizeof(text), "n/a");
	else if (ratio >= 10)
		snprintf(text, sizeof(text), "x%s", num_3(ratio, n, sizeof(n)));
	else if (strcmp(signed_text(p, fabs(p - round(p)) < 1e-6 ? 0 : 1, n, sizeof(n)), "0") == 0)
		snprintf(text, sizeof(text), "0");
	else
		snprintf(text, sizeof(text), "%s %%", n);
	return restyle(text, s, buf, size);
}

static void ratio_text(const struct interval *i, char *text, size_t size)
{
	char a[48], b[48], c[48];

	if (i->mid >= 10 || (i->hi >= 20 && isfinite(i->hi))) { /* per cent stop helping there */
		if (isfinite(i->lo) && isfinite(i->hi))
			snprintf(text, size, "x%s [%s, %s]", num_3(i->mid, a, sizeof(a)),
				 num_3(i->lo, b, sizeof(b)), num_3(i->hi, c, sizeof(c)));
		else
			snprintf(text, size, "x%s", num_3(i->mid, a, sizeof(a)));
		return;
	}
	double mid = (i->mid - 1) * 100, lo = (i->lo - 1) * 100, hi = (i->hi - 1) * 100;

	if (isfinite(lo) && isfinite(hi)) {
		int d = percent_decimals(lo, hi);

		snprintf(text, size, "%s %% [%s, %s]", signed_text(mid, d, a, sizeof(a)),
			 signed_text(lo, d, b, sizeof(b)), signed_text(hi, d, c, sizeof(c)));
	} else {
		snprintf(text, size, "%s %%",
			 signed_text(mid, fabs(mid) < 10 ? 1 : 0, a, sizeof(a)));
	}
}

/* metric_text with a sign before it. */
static char *signed_metric(const struct metric_row *m, double v, char *buf, size_t size)
{
	char n[64];

	metric_text(m, fabs(v), n, sizeof(n));
	snprintf(buf, size, "%s%s", v > 0 ? "+" : v < 0 ? "-" : "", n);
	return buf;
}

/* Where the unit begins in "45.1k IOPS" or "1.2 per I/O": at the first space; "" if there is none.
 */
static const char *unit_of(const char *text)
{
	const char *p = strchr(text, ' ');

	return p ? p : text + strlen(text);
}

/* "45.1 us [43.9, 46.2]": the unit once if it is the same, else with each. */
static void bracket(const char *mid, const char *lo, const char *hi, char *text, size_t size)
{
	const char *u = unit_of(mid);

	if (strcmp(u, unit_of(lo)) == 0 && strcmp(u, unit_of(hi)) == 0)
		snprintf(text, size, "%s [%.*s, %.*s]", mid, (int)(unit_of(lo) - lo), lo,
			 (int)(unit_of(hi) - hi), hi);
	else
		snprintf(text, size, "%s [%s, %s]", mid, lo, hi);
}

char *num_ratio(const struct metric_row *m, const struct interval *i, enum num_style s, char *buf,
		size_t size)
{
	char text[256], a[72], b[72], c[72];

	if (!isfinite(i->mid)) {
		snprintf(text, sizeof(text), "n/a");
	} else if (m && m->scale == SCALE_DIFFERENCE) {
		signed_metric(m, i->mid, a, sizeof(a));
		if (isfinite(i->lo) && isfinite(i->hi))
			bracket(a, signed_metric(m, i->lo, b, sizeof(b)),
				signed_metric(m, i->hi, c, sizeof(c)), text, sizeof(text));
		else
			snprintf(text, sizeof(text), "%s", a);
	} else if (m && m->scale == SCALE_EXACT && i->lo == i->hi) {
		num_percent(i->mid, NUM_ASCII, a, sizeof(a));
		snprintf(text, sizeof(text), "%s", i->mid == 1 ? "equal" : a);
	} else {
		ratio_text(i, text, sizeof(text));
	}
	return restyle(text, s, buf, size);
}

char *num_value(const struct metric_row *m, const struct interval *i, enum num_style s, char *buf,
		size_t size)
{
	char text[256], a[64], b[64], c[64];

	if (!m || !isfinite(i->mid)) {
		snprintf(text, sizeof(text), "n/a");
	} else if (m->scale != SCALE_EXACT && i->lo > 0 && i->hi > FOLD_MAX * i->lo) {
		metric_text(m, i->mid, a, sizeof(a));
		snprintf(text, sizeof(text), "%s [>%d-fold]", a, FOLD_MAX);
	} else if (isfinite(i->lo) && isfinite(i->hi) &&
		   (m->scale != SCALE_EXACT || i->lo != i->hi)) {
		metric_text(m, i->mid, a, sizeof(a));
		metric_text(m, i->lo, b, sizeof(b));
		metric_text(m, i->hi, c, sizeof(c));
		bracket(a, b, c, text, sizeof(text));
	} else {
		metric_text(m, i->mid, text, sizeof(text));
	}
	return restyle(text, s, buf, size);
}

char *num_date(int64_t ns, char *buf, size_t size)
{
	time_t t = (time_t)(ns / 1000000000);
	struct tm tm;

	if (size)
		buf[0] = 0;
	if (ns > 0 && gmtime_r(&t, &tm))
		strftime(buf, size, "%Y-%m-%d %H:%M:%S UTC", &tm);
	return buf;
}
