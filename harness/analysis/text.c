/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small texts of the analysis: sentences that grow, percentages, levels of an axis, shell words. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"
#include "profile/profile.h"

void text_add(char **s, const char *fmt, ...)
{
	char *more = NULL, *all;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&more, fmt, ap) < 0)
		more = NULL;
	va_end(ap);
	all = xasprintf("%s%s", *s ? *s : "", more ? more : "");
	free(more);
	free(*s);
	*s = all;
}

char *text_shell(const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_./=:,@%+-";
	char *out, *p;

	if (*s && !s[strspn(s, plain)])
		return xstrdup(s);
	p = out = xcalloc(4 * strlen(s) + 3, 1);
	*p++ = '\'';
	for (; *s; s++) {
		if (*s == '\'')
			p = stpcpy(p, "'\\''");
		else
			*p++ = *s;
	}
	*p++ = '\'';
	return out;
}

const char *key_short(const char *key)
{
	const char *dot = strchr(key, '.');

	return dot ? dot + 1 : key;
}

static const struct key_row *find_row(const char *key)
{
	char name[128];

	for (int k = 0; k < K_COUNT; k++)
		if (profile_keys[k].name &&
		    !strcmp(key_full_name(&profile_keys[k], name, sizeof(name)), key))
			return &profile_keys[k];
	return NULL;
}

char *level_text(const char *key, const char *canonical)
{
	char buf[64];

	if (!canonical)
		return xstrdup("-");
	if (strlen(canonical) >= 32) /* no number is as long, and a path is never respelled */
		return xstrdup(canonical);
	return xstrdup(key_value_text(find_row(key), canonical, buf, sizeof(buf)));
}

char *level_label(const char *key, const char *text)
{
	const struct key_row *row = find_row(key);

	if (row && row->counts)
		return xasprintf("%s %s%s", text, row->counts, strcmp(text, "1") ? "s" : "");
	return row && row->bare ? xstrdup(text) : xasprintf("%s=%s", key_short(key), text);
}

/* Two digits are as much as an interval deserves. */
static char *percent(double share, const char *sign)
{
	double p = fabs(100 * share);

	return xasprintf("%s%.*f %%", sign, p < 9.95 ? 1 : 0, p);
}

char *text_change(double ratio)
{
	return ratio > 3 ? xasprintf("%.1f times", ratio)
			 : percent(ratio - 1, ratio < 1 ? "-" : "");
}

char *text_signed(double ratio)
{
	return percent(ratio - 1, ratio < 1 ? "-" : "+");
}

const char *json_text(const json_t *v, char *buf, size_t size)
{
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_STRING:
		return json_string_value(v);
	case JSON_INTEGER:
		snprintf(buf, size, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		return buf;
	case JSON_REAL:
		snprintf(buf, size, "%.4g", json_real_value(v));
		return buf;
	case JSON_TRUE:
		return "yes";
	case JSON_FALSE:
		return "no";
	default:
		return NULL;
	}
}

const char *cell_value(const struct model_cell *c, const char *key)
{
	return json_string_value(json_object_get(c->keys, key));
}

bool cell_value_is(const struct model_cell *c, const char *key, const char *value)
{
	const char *v = cell_value(c, key);

	return v && !strcmp(v, value);
}

const char *axis_key(const struct model *m, size_t i)
{
	return json_string_value(json_object_get(json_array_get(m->axes, i), "key"));
}

void *array_add(void *array, size_t *n, size_t size)
{
	char *a = xrealloc(array, *n + 1, size);

	memset(a + *n * size, 0, size);
	(*n)++;
	return a;
}
