/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of a machine that a snapshot keeps, as texts in memory. */
#ifndef VB_HOST_GATHER_H
#define VB_HOST_GATHER_H

#include <stdbool.h>
#include <stddef.h>

struct host_file {
	char *path, *text;
};

/* Sorted by path, numbers within it by value (strverscmp). */
struct host_files {
	struct host_file *list;
	size_t n;
};

/* Reads what matches the NULL-terminated glob patterns, then sorts. What cannot be read is left
 * out; of a file longer than HOST_FILE_MAX the whole lines of its beginning are kept. */
#define HOST_FILE_MAX (64u << 10)
void host_files_gather(struct host_files *f, const char *const *patterns);

/* Copies both; a text loses its last newline, and what is no UTF-8 in it becomes '?'. Sort before
 * finding. */
void host_files_add(struct host_files *f, const char *path, const char *text);
void host_files_sort(struct host_files *f);
const char *host_files_find(const struct host_files *f,
			    const char *path); /* NULL: none. Borrowed */
void host_files_free(struct host_files *f);

/*
 * A file that no kernel has, "services": the names, one a line, of those programs that run and
 * have a say in placement and clocks: irqbalance, numad, ksmtuned, tuned, chronyd, ntpd, ....
 */
void host_services(struct host_files *f);

/* Leaves only those kernel parameters in a command line that are about speed. In place. */
void host_cmdline_clean(char *text);

/*
 * What keeps a text from being a topology as hwloc exports it: NULL, nothing; else "has entities",
 * to follow the text's name. Nesting, numbers, lengths and counts are bounded, since hwloc's reader
 * is not: then hwloc may read it. Linear in the text. static text.
 */
const char *host_topology_odd(const char *xml);

struct hwloc_topology;
/* hwloc's topology of an XML text, of which host_topology_odd found nothing. -EINVAL: it has none;
 * -ENOMEM. */
int host_topology_load(const char *xml, struct hwloc_topology **out);
/*
 * Whether hwloc survives that, and finds what it made consistent: tried in a child, since its
 * reader was not made for texts from others. -EINVAL: no; -EAGAIN, -ENOMEM: there was no child to
 * be had.
 */
int host_topology_try(const char *xml);

/* Takes the names of devices and files out of /proc/swaps. In place. */
void host_swaps_clean(char *text);

/* Whether a network interface's name holds its hardware address. */
bool host_name_is_address(const char *name);

/* libcpuid's raw dump of this processor as text; NULL where there is none. Caller frees. */
char *host_cpuid_dump(void);

#endif
