/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What went wrong: a return code for the caller, a sentence for the user, an exit status for the
 * shell. */
#ifndef VB_BASE_ERR_H
#define VB_BASE_ERR_H

#include <stdarg.h>
/* Exit statuses of every sub-command (HACKING.md, "Commands"). */
enum vb_status {
	VB_OK = 0,
	VB_WORSE = 1,	  /* worse, or a rule not followed */
	VB_BAD_INPUT = 2, /* the user can mend it: wrong key, missing file, missing right */
	VB_UNDECIDED = 3,
	VB_NOT_MEASURED = 4, /* missing, failed or mismatched */
	VB_INTERRUPTED = 130,
};

/*
 * Filled by the function that fails, shown once by cmd/. rc is 0 or -errno, text one sentence (or a
 * few) that names the place and the remedy, status what the process shall exit with.
 * A struct err on the stack starts as `struct err e = {0};`. Every function that takes one accepts
 * NULL and then only returns the code.
 */
struct err {
	int rc;
	enum vb_status status;
	char text[2048];
};

/* Records a failure (exit status 4) and returns rc, which is negative. Text over the limit is cut.
 */
int err_set(struct err *e, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same for bad input (exit status 2); returns -EINVAL. */
int err_input(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "what: " in front of the sentence already there; returns e->rc. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Shows the sentence on stderr behind "vbench: ", and returns what the process shall exit with. */
int err_exit(const struct err *e);

/* malloc family that ends the process with a clear message when memory is gone. */
void *xcalloc(unsigned long n, unsigned long size);
void *xrealloc(void *p, unsigned long n, unsigned long size); /* n * size is overflow-checked */
char *xstrdup(const char *s);				      /* NULL gives NULL */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

#endif
