/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes to running guests and to the host: written down before they are made, read back after,
 * taken back on demand, also after a SIGKILL or a reboot.
 */
#ifndef VB_APPLY_APPLY_H
#define VB_APPLY_APPLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include "base/err.h"
#include "place/place.h"

/* One change: what, the value before, the value to be. */
enum change_what {
	CHANGE_THREAD, /* affinity of a thread: "pid/start/tid" */
	CHANGE_MEMORY, /* pages of a process move to nodes */
	CHANGE_DOMAIN, /* a running libvirt domain: vcpupin, emulatorpin, iothreadpin, numatune
			  (live only) */
	CHANGE_KNOB,   /* a file of /sys or /proc */
};

/* Host-wide settings that may be changed, with consent: name, file, values that are taken. */
struct knob {
	const char *name;   /* "thp" */
	const char *path;   /* "/sys/kernel/mm/transparent_hugepage/enabled"; with * where there are
			       several (governor, scheduler) */
	const char *values; /* "always,madvise,never"; NULL: a number */
	const char *rule;   /* "MEM-03" */
	const char *help;
};
extern const struct knob knobs[];
extern const size_t nknobs;

struct change_set; /* what is to be done, or was done */

/* A set that is to be done, empty. dir: folder of the records (store_data_dir()/changes; made if
 * missing). */
int changes_new(const char *dir, struct change_set **out, struct err *e);
void changes_free(struct change_set *c);

/* Plans changes; nothing is touched yet. name: of the guest in the plan, NULL: its first. */
int changes_add_pid(struct change_set *c, pid_t pid, const struct placed_guest *g, struct err *e);
int changes_add_domain(struct change_set *c, const char *uri, const char *domain,
		       const struct placed_guest *g, struct err *e);
int changes_add_knob(struct change_set *c, const char *name, const char *value, struct err *e);

/* Says what it would do, a line a change. */
void changes_print(const struct change_set *c, FILE *out);

/*
 * Makes them in order: each is on disk (fsync of file and folder) with its value before, before it
 * is made, and marked as made after. The first that fails stops it, and those made are taken back.
 * id: of the record.
 */
int changes_apply(struct change_set *c, char id[20], struct err *e);

/* Reads back what a record (id, "" the newest) says is in force. 0: all as applied; -ENOEXEC... see
 * apply.c; told a line each. */
int changes_verify(const char *dir, const char *id,
		   void (*told)(bool ok, const char *what, void *arg), void *arg, struct err *e);

/*
 * Takes a record back, newest change first (id "" : all records). A value that someone else changed
 * since is left alone and named, unless force. What is gone (process ended, machine rebooted: sysfs
 * is as it was) is said. The record is removed when nothing of it is left. Safe to be killed and
 * called again.
 */
int changes_revert(const char *dir, const char *id, bool force,
		   void (*told)(bool ok, const char *what, void *arg), void *arg, struct err *e);

/* Records there are, a line each; returns how many. */
unsigned changes_list(const char *dir, FILE *out);

#endif
