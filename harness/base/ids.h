/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of CPUs or NUMA nodes by number, and their lists as people and the kernel write them. */
#ifndef VB_BASE_IDS_H
#define VB_BASE_IDS_H

#include <stdbool.h>

/* More than any host of today has; what is longer is refused, never cut. */
enum { IDS_MAX = 4096 };

/* The words are laid out as sched_setaffinity(2) takes them. */
struct ids {
	unsigned long w[IDS_MAX / (8 * sizeof(unsigned long))];
};

/* Reads "4" or "4-7" at *s and moves *s behind it; false (and nothing moved): neither, or
 * backwards, or a number above IDS_MAX - 1. */
bool ids_range(const char **s, unsigned *from, unsigned *to);

/* False: not a list ("0-3,8"; the kernel's "cpu list" without strides), or empty. *out is set, or
 * empty. */
bool ids_parse(const char *text, struct ids *out);

/* Canonical text: ascending, neighbours joined; "" for none. Caller frees. */
char *ids_text(const struct ids *s);

/* Canonical text of a list; NULL where ids_parse says false. Caller frees. */
char *ids_canonical(const char *text);

bool ids_has(const struct ids *s, unsigned i);
void ids_add(struct ids *s, unsigned i);
void ids_remove(struct ids *s, unsigned i);
bool ids_empty(const struct ids *s);
void ids_and(struct ids *s, const struct ids *with);
bool ids_equal(const struct ids *a, const struct ids *b);

/* Ids of a file such as /sys/devices/system/node/online; false where it says nothing. */
bool ids_file(const char *path, struct ids *out);

#endif
