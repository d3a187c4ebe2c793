/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the writers share: facts of the asked side, each ticked off when it is asked for, so that
 * the rest can be named. */
#ifndef VB_VM_WRITE_TOLD_H
#define VB_VM_WRITE_TOLD_H

#include <stdio.h>
#include "vm/vm.h"

struct told {
	FILE *out;
	const struct vm *vm;
	bool *done; /* by fact */
};

void told_begin(struct told *t, FILE *out, const struct vm *vm);
/* 0, or -EIO with a sentence when the text did not get out; frees what told_begin took. */
int told_end(struct told *t, struct err *e);

/* A fact's value or NULL, ticked off. Borrowed. */
const char *told_get(struct told *t, const char *key, ...) __attribute__((format(printf, 2, 3)));
bool told_number(struct told *t, uint64_t *out, const char *key, ...)
	__attribute__((format(printf, 3, 4)));
/* 1 on, 0 off, -1 not said. */
int told_flag(struct told *t, const char *key, ...) __attribute__((format(printf, 2, 3)));
/* Ticks off what a format need not say: a key of the table with its #, or one that ends with *. */
void told_skip(struct told *t, const char *pattern);
/* Ticks off devices that are said not to be there. */
void told_skip_absent(struct told *t);
/* Calls say with each fact that was not asked for. */
void told_left(struct told *t, void (*say)(FILE *out, const struct vm_fact *f));

/* The n-th word (from 0) of a list with commas, into buf; false: there is none, or it is too long.
 */
bool told_word(const char *list, unsigned n, char *buf, size_t size);

#endif
