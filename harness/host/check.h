/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks of this machine for the doctor: each adds lines saying what was tried, what came of it,
 * and the remedy. */
#ifndef VB_HOST_CHECK_H
#define VB_HOST_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include "base/child.h"
#include "host/host.h"

struct host_checks {
	struct host_check *list;
	size_t n;
};

/* Adds a line; remedy may be "" (for CHECK_PASS). Texts are cut to their fields. */
void host_checks_add(struct host_checks *c, enum check_state state, const char *what,
		     const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
void host_checks_free(struct host_checks *c);
unsigned host_checks_count(const struct host_checks *c, enum check_state state);

/* One line a check, then a summary; control characters are shown as '?'. */
void host_checks_print(const struct host_checks *c, FILE *out, bool colour);

/* {"checks": [{"state", "what", "detail", "remedy"}], "pass", "warn", "fail"}, new reference. */
json_t *host_checks_json(const struct host_checks *c);

/*
 * Runs fn with the rights of user (NULL or uid -1: ours) and returns what it returned: 0 or -errno.
 * A second process does it, so nothing else of what fn changes comes back. At most 5 s
 * (-ETIMEDOUT).
 */
int host_as_user(const struct child_user *user, int (*fn)(const void *arg), const void *arg);

/* "nobody" or "uid 65534", into buf. */
const char *host_user_name(uid_t uid, char *buf, size_t size);

/* user: whom QEMU will run as; NULL: us. */
void host_check_rights(struct host_checks *c, const struct child_user *user);
void host_check_uring(struct host_checks *c, const struct child_user *user);
void host_check_userfaultfd(struct host_checks *c, const struct child_user *user);
/* Opens the device and makes an empty VM. That this works does not show that a guest boots, and the
 * line says so. */
void host_check_kvm(struct host_checks *c, const struct child_user *user);
void host_check_tools(struct host_checks *c);
void host_check_qemu(struct host_checks *c, const char *qemu, const struct child_user *user);

/* O_DIRECT, preallocation and FIEMAP, tried on an unnamed file in dir (or the nearest folder above
 * that exists). */
void host_check_dir(struct host_checks *c, const char *dir, const struct child_user *user);

/* What disturbs or bends numbers, from facts (host_facts) alone. */
void host_check_setup(struct host_checks *c, const json_t *facts);

/* Other guests, and how busy the host is over a fifth of a second. */
void host_check_quiet(struct host_checks *c);

#endif
