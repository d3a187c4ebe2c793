// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts ticked off as a writer asks for them, and what is left at the end. */
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "vm/write_told.h"

enum { KEY = 96 };

void told_begin(struct told *t, FILE *out, const struct vm *vm)
{
	*t = (struct told){.out = out, .vm = vm, .done = xcalloc(vm->nfacts + 1, sizeof(bool))};
}

int told_end(struct told *t, struct err *e)
{
	free(t->done);
	t->done = NULL;
	if (fflush(t->out) || ferror(t->out))
		return err_set(e, -EIO, "the text could not be written: %s", strerror(errno));
	return 0;
}

static const char *get(struct told *t, const char *key)
{
	for (size_t i = 0; i < t->vm->nfacts; i++) {
		if (t->vm->facts[i].side != VM_ASKED || strcmp(t->vm->facts[i].key, key))
			continue;
		t->done[i] = true;
		return t->vm->facts[i].value;
	}
	return NULL;
}

const char *told_get(struct told *t, const char *key, ...)
{
	char name[KEY];
	va_list ap;

	va_start(ap, key);
	vsnprintf(name, sizeof(name), key, ap);
	va_end(ap);
	return get(t, name);
}

bool told_number(struct told *t, uint64_t *out, const char *key, ...)
{
	const char *value;
	char name[KEY];
	va_list ap;

	va_start(ap, key);
	vsnprintf(name, sizeof(name), key, ap);
	va_end(ap);
	value = get(t, name);
	if (!value)
		return false;
	errno = 0;
	*out = strtoull(value, NULL, 10);
	return !errno;
}

int told_flag(struct told *t, const char *key, ...)
{
	const char *value;
	char name[KEY];
	va_list ap;

	va_start(ap, key);
	vsnprintf(name, sizeof(name), key, ap);
	va_end(ap);
	value = get(t, name);
	return value ? !strcmp(value, "on") : -1;
}

void told_skip(struct told *t, const char *pattern)
{
	for (size_t i = 0; i < t->vm->nfacts; i++) {
		const struct vm_key *row = vm_key_find(t->vm->facts[i].key);

		if (!strcmp(t->vm->facts[i].key, pattern) ||
		    (row && !fnmatch(pattern, row->key, 0)))
			t->done[i] = true;
	}
}

void told_skip_absent(struct told *t)
{
	static const char *const devices[] = {"rng",	  "agent",	"sound",
					      "usb",	  "usb.tablet", "smartcard",
					      "watchdog", "tpm",	"hostdevs"};

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		if (vm_is(t->vm, VM_ASKED, "off", "%s", devices[i]) ||
		    vm_is(t->vm, VM_ASKED, "0", "%s", devices[i]))
			told_skip(t, devices[i]);
}

void told_left(struct told *t, void (*say)(FILE *out, const struct vm_fact *f))
{
	for (size_t i = 0; i < t->vm->nfacts; i++)
		if (t->vm->facts[i].side == VM_ASKED && !t->done[i])
			say(t->out, &t->vm->facts[i]);
}

bool told_word(const char *list, unsigned n, char *buf, size_t size)
{
	size_t len;

	for (; list && n; n--) {
		list = strchr(list, ',');
		list = list ? list + 1 : NULL;
	}
	if (!list)
		return false;
	len = strcspn(list, ",");
	if (!len || len >= size)
		return false;
	memcpy(buf, list, len);
	buf[len] = '\0';
	return true;
}
