/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs this machine has: where they lie and which version they say they are. */
#ifndef VB_HOST_PROGRAM_H
#define VB_HOST_PROGRAM_H

#include <jansson.h>

/* The system emulator of this architecture, by name: "qemu-system-x86_64". */
const char *host_qemu_name(void);

/*
 * Path of a program: name itself if it holds a '/', else the first executable of that name in PATH,
 * /usr/sbin, /sbin or /usr/libexec (where RHEL keeps qemu-kvm). NULL if there is none; caller
 * frees.
 */
char *host_program_find(const char *name);

/* {"path", "version", "package"} from the first line of `name --version`; all null where it cannot
 * be run. */
json_t *host_program_facts(const char *name);

/*
 * From "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)", "fio-3.33" or "gnuplot 5.4 patchlevel
 * 4": the first number with a dot in it and what follows up to a blank; package is what stands in
 * parentheses, or "". Both are cut to size. version is "" if there is none.
 */
void host_version_parse(const char *line, char *version, size_t vsize, char *package, size_t psize);

#endif
