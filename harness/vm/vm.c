/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about a virtual machine, with their places. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ids.h"
#include "vm/internal.h"
#include "vm/vm.h"

enum { KEY_MAX = 96 };

struct vm *vm_new(const char *name, const char *from)
{
	struct vm *vm = xcalloc(1, sizeof(*vm));

	vm->name = xstrdup(name);
	vm->from = xstrdup(from);
	return vm;
}

static void fact_clear(struct vm_fact *f)
{
	free(f->key);
	free(f->value);
	free(f->where);
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	for (size_t i = 0; i < vm->nfacts; i++)
		fact_clear(&vm->facts[i]);
	for (size_t i = 0; i < vm->nnotes; i++)
		free(vm->notes[i]);
	free(vm->index);
	free(vm->facts);
	free(vm->notes);
	free(vm->name);
	free(vm->from);
	free(vm);
}

void vm_note(struct vm *vm, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	vm->notes = xrealloc(vm->notes, vm->nnotes + 1, sizeof(*vm->notes));
	vm->notes[vm->nnotes++] = text;
}

/* Whether a key with numbers is one of the pattern. */
static bool key_matches(const char *pattern, const char *key)
{
	for (; *pattern; pattern++) {
		if (*pattern != '#') {
			if (*key++ != *pattern)
				return false;
			continue;
		}
		if (!isdigit((unsigned char)*key))
			return false;
		while (isdigit((unsigned char)*key))
			key++;
	}
	return !*key;
}

const struct vm_key *vm_key_find(const char *key)
{
	for (size_t i = 0; i < nvm_keys; i++)
		if (key_matches(vm_keys[i].key, key))
			return &vm_keys[i];
	return NULL;
}

static bool is_number(const char *s)
{
	return *s && strlen(s) <= 20 && s[strspn(s, "0123456789")] == '\0';
}

/* "a" in "a,b,c". */
static bool in_list(const char *word, const char *list)
{
	size_t len = strlen(word);

	for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (!strncmp(p, word, len) && (p[len] == ',' || !p[len]))
			return true;
	return false;
}

static bool value_fits(const struct vm_key *k, const char *value)
{
	bool fits = false;
	char *cpus;

	switch (k->type) {
	case VM_TEXT:
		return *value && (!k->values || in_list(value, k->values));
	case VM_FLAG:
		return !strcmp(value, "on") || !strcmp(value, "off");
	case VM_NUMBER:
	case VM_BYTES:
		return is_number(value);
	case VM_CPUS:
		cpus = vm_cpus(value);
		fits = cpus && !strcmp(cpus, value);
		free(cpus);
		return fits;
	case VM_LIST:
		return *value && !strpbrk(value, " \t\n");
	}
	return false;
}

/* FNV-1a [Fowler, Noll & Vo]. */
static size_t key_hash(enum vm_side side, const char *key)
{
	uint64_t h = 0xcbf29ce484222325ull ^ (uint64_t)side;

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 0x100000001b3ull;
	return (size_t)(h ^ h >> 32);
}

/* The slot of a key, or the free one where it would go: linear probing, slots hold 1 + place. */
static size_t *slot_of(const struct vm *vm, enum vm_side side, const char *key)
{
	size_t at = key_hash(side, key) & (vm->nindex - 1);

	for (;; at = (at + 1) & (vm->nindex - 1)) {
		size_t i = vm->index[at];

		if (!i || (vm->facts[i - 1].side == side && !strcmp(vm->facts[i - 1].key, key)))
			return &vm->index[at];
	}
}

static struct vm_fact *fact_find(const struct vm *vm, enum vm_side side, const char *key)
{
	size_t i = vm->nindex ? *slot_of(vm, side, key) : 0;

	return i ? &vm->facts[i - 1] : NULL;
}

/* Anew from the facts: with room for one more, half empty. */
static void index_make(struct vm *vm)
{
	size_t n = 64;

	while (n < 2 * (vm->nfacts + 1))
		n *= 2;
	free(vm->index);
	vm->index = xcalloc(n, sizeof(*vm->index));
	vm->nindex = n;
	for (size_t i = 0; i < vm->nfacts; i++)
		*slot_of(vm, vm->facts[i].side, vm->facts[i].key) = i + 1;
}

static int fact_set(struct vm *vm, enum vm_side side, const char *value, const char *where,
		    const char *key)
{
	const struct vm_key *row = vm_key_find(key);
	struct vm_fact *f = fact_find(vm, side, key);

	if (!value) {
		if (f) {
			fact_clear(f);
			*f = vm->facts[--vm->nfacts];
			index_make(vm);
		}
		return 0;
	}
	if (!row || !value_fits(row, value)) {
		vm_note(vm, "%s: \"%.80s\" is not understood as %s", where ? where : vm->from,
			value, key);
		return -EINVAL;
	}
	if (f) {
		fact_clear(f);
	} else {
		if (2 * (vm->nfacts + 1) > vm->nindex)
			index_make(vm);
		*slot_of(vm, side, key) = vm->nfacts + 1;
		vm->facts = xrealloc(vm->facts, vm->nfacts + 1, sizeof(*vm->facts));
		f = &vm->facts[vm->nfacts++];
	}
	*f = (struct vm_fact){side, xstrdup(key), xstrdup(value), xstrdup(where ? where : "")};
	return 0;
}

void vm_drop_side(struct vm *vm, enum vm_side side)
{
	size_t kept = 0;

	for (size_t i = 0; i < vm->nfacts; i++)
		if (vm->facts[i].side == side)
			fact_clear(&vm->facts[i]);
		else
			vm->facts[kept++] = vm->facts[i];
	vm->nfacts = kept;
	index_make(vm);
}

/* The key with its numbers filled in. */
#define KEY(name, fmt)                                   \
	char name[KEY_MAX];                              \
	do {                                             \
		va_list ap_;                             \
		va_start(ap_, fmt);                      \
		vsnprintf(name, sizeof(name), fmt, ap_); \
		va_end(ap_);                             \
	} while (0)

int vm_set(struct vm *vm, enum vm_side side, const char *value, const char *where, const char *fmt,
	   ...)
{
	KEY(key, fmt);
	return fact_set(vm, side, value, where, key);
}

int vm_set_number(struct vm *vm, enum vm_side side, uint64_t value, const char *where,
		  const char *fmt, ...)
{
	char text[24];

	KEY(key, fmt);
	snprintf(text, sizeof(text), "%" PRIu64, value);
	return fact_set(vm, side, text, where, key);
}

int vm_set_flag(struct vm *vm, enum vm_side side, bool value, const char *where, const char *fmt,
		...)
{
	KEY(key, fmt);
	return fact_set(vm, side, value ? "on" : "off", where, key);
}

const char *vm_get(const struct vm *vm, enum vm_side side, const char *fmt, ...)
{
	struct vm_fact *f;

	KEY(key, fmt);
	f = fact_find(vm, side, key);
	return f ? f->value : NULL;
}

const char *vm_where(const struct vm *vm, enum vm_side side, const char *fmt, ...)
{
	struct vm_fact *f;

	KEY(key, fmt);
	f = fact_find(vm, side, key);
	return f ? f->where : "";
}

bool vm_number(const struct vm *vm, enum vm_side side, uint64_t *out, const char *fmt, ...)
{
	struct vm_fact *f;

	KEY(key, fmt);
	f = fact_find(vm, side, key);
	if (!f || !is_number(f->value))
		return false;
	errno = 0;
	*out = strtoull(f->value, NULL, 10);
	return errno == 0;
}

bool vm_is(const struct vm *vm, enum vm_side side, const char *value, const char *fmt, ...)
{
	struct vm_fact *f;

	KEY(key, fmt);
	f = fact_find(vm, side, key);
	return f && !strcmp(f->value, value);
}

unsigned vm_count(const struct vm *vm, const char *what)
{
	size_t len = strlen(what);
	unsigned n = 0;

	for (size_t i = 0; i < vm->nfacts; i++) {
		const char *key = vm->facts[i].key;
		unsigned long at;

		if (strncmp(key, what, len) || key[len] != '.' ||
		    !isdigit((unsigned char)key[len + 1]))
			continue;
		at = strtoul(key + len + 1, NULL, 10);
		if (at < 1u << 20 && at + 1 > n)
			n = at + 1;
	}
	return n;
}

static json_t *side_json(const struct vm *vm, enum vm_side side)
{
	json_t *o = json_object();

	for (size_t i = 0; i < vm->nfacts; i++)
		if (vm->facts[i].side == side)
			json_object_set_new(o, vm->facts[i].key,
					    json_pack("{s:s, s:s}", "value", vm->facts[i].value,
						      "where", vm->facts[i].where));
	return o;
}

json_t *vm_json(const struct vm *vm)
{
	json_t *notes = json_array();

	for (size_t i = 0; i < vm->nnotes; i++)
		json_array_append_new(notes, json_string(vm->notes[i]));
	return json_pack("{s:s, s:s, s:b, s:i, s:o, s:o, s:o}", "name", vm->name, "from", vm->from,
			 "running", vm->running, "pid", vm->pid, "asked", side_json(vm, VM_ASKED),
			 "got", side_json(vm, VM_GOT), "notes", notes);
}

char *vm_cpus(const char *text)
{
	return ids_canonical(text);
}
