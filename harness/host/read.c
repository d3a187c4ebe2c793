/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading small files below a root into JSON; a file that cannot be read is null. */
#include "host/read.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "base/file.h"

enum { TEXT_MAX = 4 << 20 };

static bool path_v(char *buf, size_t size, const char *root, const char *fmt, va_list ap)
{
	int n = snprintf(buf, size, "%s", root);
	int m;

	if (n < 0 || (size_t)n >= size)
		return false;
	m = vsnprintf(buf + n, size - n, fmt, ap);
	return m >= 0 && (size_t)m < size - n;
}

static bool line_v(char *buf, size_t size, const char *root, const char *fmt, va_list ap)
{
	char path[PATH_MAX];

	return path_v(path, sizeof(path), root, fmt, ap) && file_line(path, buf, size) == 0;
}

bool host_line(char *buf, size_t size, const char *root, const char *fmt, ...)
{
	va_list ap;
	bool ok;

	va_start(ap, fmt);
	ok = line_v(buf, size, root, fmt, ap);
	va_end(ap);
	return ok;
}

static bool number_v(int64_t *out, const char *root, const char *fmt, va_list ap)
{
	char buf[64], *end;

	if (!line_v(buf, sizeof(buf), root, fmt, ap) || !buf[0])
		return false;
	errno = 0;
	/* "0123" is decimal in sysfs; only an 0x makes it hexadecimal. */
	*out = strtoll(buf, &end, strncmp(buf, "0x", 2) == 0 ? 16 : 10);
	return !errno && end != buf && !*end;
}

bool host_number(int64_t *out, const char *root, const char *fmt, ...)
{
	va_list ap;
	bool ok;

	va_start(ap, fmt);
	ok = number_v(out, root, fmt, ap);
	va_end(ap);
	return ok;
}

char *host_text(const char *root, const char *fmt, ...)
{
	char path[PATH_MAX];
	char *text = NULL;
	va_list ap;
	bool ok;

	va_start(ap, fmt);
	ok = path_v(path, sizeof(path), root, fmt, ap);
	va_end(ap);
	if (!ok || file_read(path, TEXT_MAX, &text, NULL) < 0)
		return NULL;
	return text;
}

/* policy2 before policy10, 0 before 10. */
static int name_order(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

size_t host_names(char ***names, const char *root, const char *fmt, ...)
{
	char path[PATH_MAX];
	const struct dirent *d;
	size_t n = 0, room = 0;
	va_list ap;
	DIR *dir = NULL;

	*names = NULL;
	va_start(ap, fmt);
	if (path_v(path, sizeof(path), root, fmt, ap))
		dir = opendir(path);
	va_end(ap);
	if (!dir)
		return 0;
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		if (n == room) {
			room = room ? room * 2 : 16;
			*names = xrealloc(*names, room, sizeof(**names));
		}
		(*names)[n++] = xstrdup(d->d_name);
	}
	closedir(dir);
	if (n)
		qsort(*names, n, sizeof(**names), name_order);
	return n;
}

void host_names_free(char **names, size_t n)
{
	while (n)
		free(names[--n]);
	free(names);
}

json_t *host_json_string(const char *s)
{
	char *plain;
	json_t *j;

	if (!s)
		return json_null();
	j = json_string(s);
	if (j)
		return j;
	plain = xstrdup(s);
	for (char *p = plain; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	j = json_string(plain);
	free(plain);
	return j ? j : json_null();
}

json_t *host_json_line(const char *root, const char *fmt, ...)
{
	char buf[4096];
	va_list ap;
	bool ok;

	va_start(ap, fmt);
	ok = line_v(buf, sizeof(buf), root, fmt, ap);
	va_end(ap);
	return host_json_string(ok ? buf : NULL);
}

json_t *host_json_number(const char *root, const char *fmt, ...)
{
	int64_t v;
	va_list ap;
	bool ok;

	va_start(ap, fmt);
	ok = number_v(&v, root, fmt, ap);
	va_end(ap);
	return ok ? json_integer(v) : json_null();
}

char *host_chosen(char *text)
{
	char *open = strchr(text, '['), *end;

	if (!open)
		return text;
	end = strchr(open, ']');
	if (!end)
		return text;
	memmove(text, open + 1, end - open - 1);
	text[end - open - 1] = '\0';
	return text;
}

/* If the line at p is key<blanks>sep, the place behind sep, else NULL. */
static const char *line_value(const char *p, const char *key, char sep)
{
	size_t len = strlen(key);

	if (strncmp(p, key, len) != 0)
		return NULL;
	p += len;
	while (*p == ' ' || *p == '\t')
		p++;
	return *p == sep ? p + 1 : NULL;
}

bool host_field(const char *text, const char *key, char sep, char *buf, size_t size)
{
	for (const char *p = text; p; p = strchr(p, '\n')) {
		const char *v, *end;
		size_t n;

		if (*p == '\n')
			p++;
		v = line_value(p, key, sep);
		if (!v)
			continue;
		v += strspn(v, " \t");
		end = v + strcspn(v, "\n");
		while (end > v && isspace((unsigned char)end[-1]))
			end--;
		n = end - v;
		if (n >= size)
			n = size - 1;
		memcpy(buf, v, n);
		buf[n] = '\0';
		return true;
	}
	return false;
}
