// SPDX-License-Identifier: GPL-2.0-or-later
/* Attributes and texts of libvirt's XML as facts: words, numbers, flags, CPU lists, amounts. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/ids.h"
#include "vm/internal.h"
#include "vm/xml.h"

enum { KEY = 96 };

/* The key with its numbers filled in. */
#define FILL(name, fmt)                                  \
	char name[KEY];                                  \
	do {                                             \
		va_list ap_;                             \
		va_start(ap_, fmt);                      \
		vsnprintf(name, sizeof(name), fmt, ap_); \
		va_end(ap_);                             \
	} while (0)

static void put(const struct el *e, const char *attr, const char *value, const char *key)
{
	char where[XML_PATH + 48];

	if (!value || !*value || !e->x)
		return;
	snprintf(where, sizeof(where), attr ? "%s/@%.40s" : "%s", e->path, attr);
	if (vm_set(e->x->vm, VM_ASKED, value, where, "%s", key))
		e->x->nnotes++;
}

void el_fact(const struct el *e, const char *attr, const char *value, const char *key, ...)
{
	FILL(k, key);
	put(e, attr, value, k);
}

void el_take(const struct el *e, const char *attr, const char *key, ...)
{
	FILL(k, key);
	put(e, attr, attr ? el_said(e, attr) : el_text(e), k);
}

static void put_number(const struct el *e, const char *attr, uint64_t value, const char *key)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	put(e, attr, text, key);
}

void el_fact_number(const struct el *e, const char *attr, uint64_t value, const char *key, ...)
{
	FILL(k, key);
	put_number(e, attr, value, k);
}

bool el_number(const struct el *e, const char *attr, uint64_t *out)
{
	const char *v = attr ? el_attr(e, attr) : el_text(e);
	char *end;

	if (!v || !isdigit((unsigned char)*v))
		return false;
	errno = 0;
	*out = strtoull(v, &end, 10);
	return !*end && !errno;
}

void el_take_number(const struct el *e, const char *attr, const char *key, ...)
{
	const char *v = attr ? el_attr(e, attr) : el_text(e);
	uint64_t n;

	FILL(k, key);
	if (el_number(e, attr, &n))
		put_number(e, attr, n, k);
	else if (v)
		put(e, attr, v, k); /* refused there, with a note */
}

void el_fact_flag(const struct el *e, const char *attr, bool value, const char *key, ...)
{
	FILL(k, key);
	put(e, attr, value ? "on" : "off", k);
}

void el_take_on(const struct el *e, const char *attr, const char *key, ...)
{
	const char *v = el_said(e, attr);

	FILL(k, key);
	if (!v)
		return;
	if (!strcmp(v, "yes") || !strcmp(v, "on"))
		put(e, attr, "on", k);
	else if (!strcmp(v, "no") || !strcmp(v, "off"))
		put(e, attr, "off", k);
	else
		put(e, attr, v, k);
}

char *xml_cpus(const char *text)
{
	struct ids set = {0};
	unsigned from, to;
	bool in;

	for (const char *p = text;; p++) {
		p += strspn(p, " \t\n");
		in = *p != '^';
		p += !in;
		if (!ids_range(&p, &from, &to))
			return NULL;
		for (; from <= to; from++)
			(in ? ids_add : ids_remove)(&set, from);
		p += strspn(p, " \t\n");
		if (!*p)
			break;
		if (*p != ',')
			return NULL;
	}
	/* empty: all of them were taken out again */
	return ids_empty(&set) ? NULL : ids_text(&set);
}

static void put_cpus(const struct el *e, const char *attr, const char *value, const char *key)
{
	char *cpus = value ? xml_cpus(value) : NULL;

	if (cpus)
		put(e, attr, cpus, key);
	else if (value)
		el_note(e, "\"%.80s\" is not a list of CPUs or nodes", value);
	free(cpus);
}

void el_fact_cpus(const struct el *e, const char *attr, const char *value, const char *key, ...)
{
	FILL(k, key);
	put_cpus(e, attr, value, k);
}

void el_take_cpus(const struct el *e, const char *attr, const char *key, ...)
{
	FILL(k, key);
	put_cpus(e, attr, attr ? el_attr(e, attr) : el_text(e), k);
}

/* Bytes of a unit as libvirt has them ("Scaled integers"): k and KiB are 1024, KB is 1000. */
static uint64_t unit_bytes(const char *unit)
{
	static const char letters[] = "KMGTPE";
	const char *at;
	uint64_t base = 1024, n = 1;

	if (!strcasecmp(unit, "b") || !strcasecmp(unit, "byte") || !strcasecmp(unit, "bytes"))
		return 1;
	at = *unit ? strchr(letters, toupper((unsigned char)*unit)) : NULL;
	if (!at)
		return 0;
	if (!strcasecmp(unit + 1, "b"))
		base = 1000;
	else if (unit[1] && strcasecmp(unit + 1, "ib"))
		return 0;
	for (long i = at - letters; i >= 0; i--)
		n *= base;
	return n;
}

bool el_bytes(const struct el *e, const char *attr, const char *unit_attr, const char *unit,
	      uint64_t *out)
{
	const char *said = unit_attr ? el_attr(e, unit_attr) : NULL;
	uint64_t n, by = unit_bytes(said ? said : unit);

	return el_number(e, attr, &n) && by && !__builtin_mul_overflow(n, by, out);
}

void el_take_bytes(const struct el *e, const char *attr, const char *key, ...)
{
	uint64_t bytes;

	FILL(k, key);
	if (!e->node || (attr && !el_attr(e, attr)))
		return;
	if (el_bytes(e, attr, "unit", "KiB", &bytes))
		put_number(e, attr, bytes, k);
	else
		el_note(e, "no amount of memory that can be read");
}

int xml_iothread(const struct vm *vm, const char *id)
{
	unsigned n = vm_count(vm, "iothread");

	for (unsigned i = 0; id && i < n; i++)
		if (vm_is(vm, VM_ASKED, id, "iothread.%u.id", i))
			return (int)i;
	return -1;
}
