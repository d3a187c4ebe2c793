/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shares as people write them, "5%" or "0.05", in whole millionths: no rounding, no locale. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "profile/internal.h"

#define ONE 1000000u

int percent_parse(const char *text, uint64_t *millionths)
{
	size_t whole = strspn(text, "0123456789"), n = 0, places;
	const char *p = text + whole, *frac = "";
	uint64_t v = 0, unit;

	if (*p == '.') {
		frac = p + 1;
		n = strspn(frac, "0123456789");
		p = frac + n;
		if (!n)
			return -EINVAL;
	}
	places = *p == '%' ? 4 : 6;
	p += *p == '%';
	if (!whole || *p || n > places)
		return -EINVAL;
	if (whole > 4)
		return -ERANGE;
	unit = places == 4 ? ONE / 100 : ONE;
	for (size_t i = 0; i < whole; i++)
		v = v * 10 + (uint64_t)(text[i] - '0') * unit;
	for (size_t i = 0; i < n; i++) {
		unit /= 10;
		v += (uint64_t)(frac[i] - '0') * unit;
	}
	*millionths = v;
	return 0;
}

/* v / unit with as many decimals as it needs; digits: of unit. */
static char *decimal(uint64_t v, uint64_t unit, int digits)
{
	char *text = xasprintf("%llu.%0*llu", (unsigned long long)(v / unit), digits,
			       (unsigned long long)(v % unit));
	size_t n = strlen(text);

	while (text[n - 1] == '0')
		text[--n] = 0;
	if (text[n - 1] == '.')
		text[--n] = 0;
	return text;
}

char *percent_canonical(uint64_t millionths)
{
	return decimal(millionths, ONE, 6);
}

const char *percent_text(uint64_t millionths, char *buf, size_t size)
{
	char *text = decimal(millionths, ONE / 100, 4);

	snprintf(buf, size, "%s%%", text);
	free(text);
	return buf;
}
