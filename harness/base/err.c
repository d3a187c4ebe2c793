/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Error sentences and the allocators that never return NULL. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/err.h"

static void err_fill(struct err *e, int rc, enum vb_status status, const char *fmt, va_list ap)
	__attribute__((format(printf, 4, 0)));

static void err_fill(struct err *e, int rc, enum vb_status status, const char *fmt, va_list ap)
{
	/* Through a buffer of its own: an argument may be e->text itself. */
	char text[sizeof(e->text)];

	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		snprintf(text, sizeof(text), "%s", fmt);
	e->rc = rc;
	e->status = status;
	memcpy(e->text, text, strlen(text) + 1);
}

int err_set(struct err *e, int rc, const char *fmt, ...)
{
	va_list ap;

	/* A failure that carries no code must still be one for every caller. */
	if (rc >= 0)
		rc = -EIO;
	if (!e)
		return rc;
	va_start(ap, fmt);
	err_fill(e, rc, VB_NOT_MEASURED, fmt, ap);
	va_end(ap);
	return rc;
}

int err_input(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -EINVAL;
	va_start(ap, fmt);
	err_fill(e, -EINVAL, VB_BAD_INPUT, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	va_list ap;
	size_t len;

	if (!e)
		return -EIO;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	len = strlen(text);
	for (const char *s = ": "; *s && len + 1 < sizeof(text); s++)
		text[len++] = *s;
	for (const char *s = e->text; *s && len + 1 < sizeof(text); s++)
		text[len++] = *s;
	text[len] = '\0';
	memcpy(e->text, text, len + 1);
	return e->rc;
}

int err_exit(const struct err *e)
{
	fprintf(stderr, "vbench: %s\n", e->text);
	return e->rc == -EINTR ? VB_INTERRUPTED : e->status ? (int)e->status : VB_NOT_MEASURED;
}

/* write(2) and _exit(2) only: stdio could want memory, and atexit handlers too. */
static void err_no_memory(void) __attribute__((noreturn));
static void err_no_memory(void)
{
	static const char text[] = "vbench: out of memory\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(VB_NOT_MEASURED);
	_exit(VB_NOT_MEASURED);
}

void *xcalloc(unsigned long n, unsigned long size)
{
	/* calloc(0) may give NULL; callers treat NULL as failure. */
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		err_no_memory();
	return p;
}

void *xrealloc(void *p, unsigned long n, unsigned long size)
{
	void *q;

	if (!n || !size)
		n = size = 1;
	q = reallocarray(p, n, size);
	if (!q)
		err_no_memory();
	return q;
}

char *xstrdup(const char *s)
{
	char *p;

	if (!s)
		return NULL;
	p = strdup(s);
	if (!p)
		err_no_memory();
	return p;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	p = xvasprintf(fmt, ap);
	va_end(ap);
	return p;
}

char *xvasprintf(const char *fmt, va_list ap)
{
	char *p;

	if (vasprintf(&p, fmt, ap) < 0)
		err_no_memory();
	return p;
}
