/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine as it was at one moment, in memory or in one file: so that advice can be asked for, and
 * tested, elsewhere. */
#ifndef VB_HOST_SNAPSHOT_H
#define VB_HOST_SNAPSHOT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

struct snapshot;
struct hwloc_topology; /* hwloc_topology_t points to one */

/*
 * Takes one of this machine: hwloc's topology (the whole machine, I/O devices included, and what a
 * cgroup keeps from us marked as not allowed), libcpuid's raw dump, and the files of
 * snapshot_patterns as they are now. Reads only. Caller frees. -EIO with a sentence when hwloc
 * cannot read the machine; a file that is not there or not readable is left out.
 */
int snapshot_take(struct snapshot **out, struct err *e);

/*
 * From a file that snapshot_save (or `vbench host --save`) wrote: JSON, "format" 1. -EINVAL with
 * place and remedy for anything else; at most SNAPSHOT_MAX bytes. Caller frees.
 */
#define SNAPSHOT_MAX (64u << 20)
int snapshot_load(const char *file, struct snapshot **out, struct err *e);
int snapshot_parse(const char *text, size_t len, const char *name, struct snapshot **out,
		   struct err *e);

/* Writes it; an existing file is left alone (-EEXIST). Names, serial numbers and addresses are
 * blanked. */
int snapshot_save(const struct snapshot *s, const char *file, struct err *e);

void snapshot_free(struct snapshot *s);

/* Whether it is of this machine, now. */
bool snapshot_is_live(const struct snapshot *s);
/* "this host", or the snapshot's file. Borrowed. */
const char *snapshot_name(const struct snapshot *s);

/* The topology; borrowed, read only. Never NULL. */
struct hwloc_topology *snapshot_topology(const struct snapshot *s);
/* host_facts, of this machine as it is when first asked for; an empty object where the snapshot has
 * none. Borrowed. */
const json_t *snapshot_facts(const struct snapshot *s);
/* The topology as hwloc's XML, without names and serial numbers. Borrowed. */
const char *snapshot_xml(const struct snapshot *s);
/* libcpuid's raw dump as text, or NULL. Borrowed. */
const char *snapshot_cpuid(const struct snapshot *s);

/*
 * Text of a file ("/sys/kernel/mm/ksm/run"), without its last newline; NULL: it was not there, not
 * readable, or is not among snapshot_patterns. "services" has the names, one a line, of those
 * running programs that have a say in placement and clocks (irqbalance, numad, ...). Borrowed.
 */
const char *snapshot_file(const struct snapshot *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The word in brackets of a file such as "always [madvise] never", into buf; text without brackets
 * as it is. False: no such file. */
bool snapshot_chosen(const struct snapshot *s, char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* A decimal number that fills the file; false: none. */
bool snapshot_number(const struct snapshot *s, long long *out, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * Calls told with each file that matches a glob pattern ("/sys/block/?*" as a prefix pattern of
 * fnmatch(3) with FNM_PATHNAME), in order of their names (numbers by value).
 */
void snapshot_each(const struct snapshot *s, const char *pattern,
		   void (*told)(const char *path, const char *text, void *arg), void *arg);

/* glob(3) patterns of what is read, NULL-terminated. */
extern const char *const snapshot_patterns[];

#endif
