/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes and times, read and written; exact integer arithmetic, no floating point on the way in. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/units.h"

struct unit {
	const char *name;
	uint64_t factor;
};

#define KIB 1024ULL

static const struct unit size_units[] = {
	{"T", KIB *KIB *KIB *KIB}, {"G", KIB *KIB *KIB}, {"M", KIB *KIB}, {"k", KIB}, {"", 1},
};

static const struct unit time_units[] = {
	{"h", 3600000000000ULL}, {"m", 60000000000ULL}, {"s", 1000000000ULL},
	{"ms", 1000000ULL},	 {"us", 1000ULL},	{"ns", 1},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* digits [ "." digits ], blanks around it skipped. The value is whole + frac / scale. */
struct number {
	uint64_t whole, frac, scale;
	bool fraction;
	bool over;
};

static bool units_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *units_blank(const char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

/* Where the number ends, or NULL if there is none. */
static const char *units_number(const char *s, struct number *n)
{
	*n = (struct number){.scale = 1};
	s = units_blank(s);
	if (!units_digit(*s))
		return NULL;
	for (; units_digit(*s); s++) {
		if (__builtin_mul_overflow(n->whole, 10, &n->whole) ||
		    __builtin_add_overflow(n->whole, (uint64_t)(*s - '0'), &n->whole))
			n->over = true;
	}
	if (*s == '.') {
		if (!units_digit(*++s))
			return NULL;
		n->fraction = true;
		/* Digits beyond the 15th are below one byte of a TiB and below one ns of an hour.
		 */
		for (; units_digit(*s); s++) {
			if (n->scale >= 1000000000000000ULL)
				continue;
			n->frac = n->frac * 10 + (uint64_t)(*s - '0');
			n->scale *= 10;
		}
	}
	return units_blank(s);
}

/* Rounds to the nearest whole unit, halves up; the result fits int64_t, as SQLite's integers do. */
static int units_scale(const struct number *n, uint64_t factor, uint64_t *out)
{
	unsigned __int128 v;

	if (n->over)
		return -ERANGE;
	/* Half a byte and half a nanosecond are mistakes, not roundings. */
	if (n->fraction && factor == 1)
		return -EINVAL;
	v = ((unsigned __int128)n->frac * factor + n->scale / 2) / n->scale;
	v += (unsigned __int128)n->whole * factor;
	if (v > INT64_MAX)
		return -ERANGE;
	*out = (uint64_t)v;
	return 0;
}

/* Whether s is only blanks from here. */
static bool units_end(const char *s)
{
	return !*units_blank(s);
}

int units_size(const char *text, uint64_t *bytes)
{
	struct number n;
	const char *s = units_number(text, &n);
	uint64_t factor = 1;

	if (!s)
		return -EINVAL;
	for (size_t i = 0; i + 1 < COUNT(size_units); i++) {
		if (*s && !strncasecmp(s, size_units[i].name, 1)) {
			factor = size_units[i].factor;
			s++;
			if (*s == 'i' && s[1] == 'B')
				s++;
			break;
		}
	}
	if (*s == 'B')
		s++;
	if (!units_end(s))
		return -EINVAL;
	return units_scale(&n, factor, bytes);
}

int units_time(const char *text, uint64_t *ns)
{
	struct number n;
	const char *s = units_number(text, &n);
	size_t len;

	if (!s)
		return -EINVAL;
	len = strcspn(s, " \t");
	if (!units_end(s + len))
		return -EINVAL;
	if (!len)
		return units_scale(&n, 1000000000ULL, ns);
	if (len == 3 && !strncmp(s, "min", 3))
		return units_scale(&n, 60000000000ULL, ns);
	for (size_t i = 0; i < COUNT(time_units); i++) {
		if (strlen(time_units[i].name) == len && !strncmp(s, time_units[i].name, len))
			return units_scale(&n, time_units[i].factor, ns);
	}
	return -EINVAL;
}

/* v / factor with at most three significant digits and no trailing zeros: "1.5", "12.3", "850". */
static void units_three(uint64_t v, uint64_t factor, char *buf, size_t size)
{
	unsigned decimals = v / factor >= 100 ? 0 : v / factor >= 10 ? 1 : 2;
	uint64_t ten, scaled;
	size_t len;

	for (;;) {
		ten = decimals == 2 ? 100 : decimals == 1 ? 10 : 1;
		scaled = (uint64_t)(((unsigned __int128)v * ten + factor / 2) / factor);
		/* 9.996 rounds to 10.00: one digit too many. */
		if (scaled < 1000 || !decimals)
			break;
		decimals--;
	}
	if (!decimals) {
		snprintf(buf, size, "%llu", (unsigned long long)scaled);
		return;
	}
	snprintf(buf, size, "%llu.%0*llu", (unsigned long long)(scaled / ten), (int)decimals,
		 (unsigned long long)(scaled % ten));
	len = strlen(buf);
	while (len && buf[len - 1] == '0')
		buf[--len] = '\0';
	if (len && buf[len - 1] == '.')
		buf[len - 1] = '\0';
}

char *units_size_text(uint64_t bytes, char *buf, size_t size)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	uint64_t factor = 1;
	char digits[32];
	size_t i = 0;

	/* 1023.7 KiB rounds to 1024: call it 1 MiB. */
	while (i + 1 < COUNT(names) && bytes / factor >= 1023 &&
	       (unsigned __int128)bytes * 2 >= (unsigned __int128)factor * 2047) {
		factor *= 1024;
		i++;
	}
	units_three(bytes, factor, digits, sizeof(digits));
	snprintf(buf, size, "%s %s", digits, names[i]);
	return buf;
}

char *units_time_text(uint64_t ns, char *buf, size_t size)
{
	static const struct unit small[] = {
		{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
	uint64_t s = ns / 1000000000ULL + (ns % 1000000000ULL >= 500000000ULL);
	char digits[32];
	size_t i = 0;

	if (ns < 59950000000ULL) { /* from there on three digits say 60 s */
		while (i + 1 < COUNT(small) && ns * 2 >= small[i].factor * 1999)
			i++;
		units_three(ns, small[i].factor, digits, sizeof(digits));
		snprintf(buf, size, "%s %s", digits, small[i].name);
	} else if (s < 3600) {
		if (s % 60)
			snprintf(buf, size, "%u min %u s", (unsigned)(s / 60), (unsigned)(s % 60));
		else
			snprintf(buf, size, "%u min", (unsigned)(s / 60));
	} else {
		uint64_t m = (s + 30) / 60;

		if (m % 60)
			snprintf(buf, size, "%llu h %u min", (unsigned long long)(m / 60),
				 (unsigned)(m % 60));
		else
			snprintf(buf, size, "%llu h", (unsigned long long)(m / 60));
	}
	return buf;
}

static char *units_spell(const struct unit *table, size_t n, uint64_t v, char *buf, size_t size)
{
	size_t i = 0;

	while (i + 1 < n && v % table[i].factor)
		i++;
	snprintf(buf, size, "%llu%s", (unsigned long long)(v / table[i].factor), table[i].name);
	return buf;
}

char *units_size_spell(uint64_t bytes, char *buf, size_t size)
{
	if (!bytes)
		return units_spell(&size_units[COUNT(size_units) - 1], 1, 0, buf, size);
	return units_spell(size_units, COUNT(size_units), bytes, buf, size);
}

char *units_time_spell(uint64_t ns, char *buf, size_t size)
{
	if (!ns) { /* every unit divides nothing; seconds are the customary one */
		snprintf(buf, size, "0s");
		return buf;
	}
	return units_spell(time_units, COUNT(time_units), ns, buf, size);
}
