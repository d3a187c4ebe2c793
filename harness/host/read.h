/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading /proc, /sys and /etc below a root, into JSON. A root of "" is this machine; any other is
 * a snapshot of a machine (a folder holding proc, sys and etc), where nothing is probed, only read.
 */
#ifndef VB_HOST_READ_H
#define VB_HOST_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* First line of the file, as far as it fits; false if it cannot be read. */
bool host_line(char *buf, size_t size, const char *root, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A (signed) decimal or 0x number that fills the first line; false if there is none. */
bool host_number(int64_t *out, const char *root, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The whole file (at most 4 MiB), caller frees; NULL if it cannot be read. */
char *host_text(const char *root, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Names in a folder, sorted (numbers by value), without "." and ".."; n names, caller frees with
 * host_names_free. */
size_t host_names(char ***names, const char *root, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void host_names_free(char **names, size_t n);

/* New references; never NULL. A string that is no UTF-8 has its odd bytes shown as '?'. */
json_t *host_json_string(const char *s); /* NULL gives null */
json_t *host_json_line(const char *root, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
json_t *host_json_number(const char *root, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* "always [madvise] never" -> madvise, in place; text without brackets stays. Returns text. */
char *host_chosen(char *text);

/*
 * Value of "key<blanks><sep>value" in a text of such lines, copied to buf without blanks around it;
 * false if there is none. The first match counts.
 */
bool host_field(const char *text, const char *key, char sep, char *buf, size_t size);

/* Like host_facts, but of the machine that root is a snapshot of. */
json_t *host_facts_at(const char *root, const char *qemu, const char *const *image_dirs);

/* Parts of it; new references. */
json_t *host_cpu_at(const char *root);
json_t *host_topology_at(const char *root);
json_t *host_storage_at(const char *root, const char *dir);

/* {"virtualised": true|false|null, "hypervisor": name or null} are put into facts. */
void host_hypervisor_at(const char *root, json_t *facts);

#endif
