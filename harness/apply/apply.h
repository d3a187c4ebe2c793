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

/* A set that is to be done, empty. dir: folder of the records (store_data_dir()/changes), which is
 * made when the first is written. */
int changes_new(const char *dir, struct change_set **out, struct err *e);
void changes_free(struct change_set *c);
/* For changes_add_pid: thread ids come from QEMU itself, over the QMP socket at that path, instead
 * of from the threads' names. */
void changes_set_qmp(struct change_set *c, const char *socket);
/* Between two changes, a readable fd (term_stop_fd) ends changes_apply with -EINTR, all taken back;
 * -1: none. Borrowed. */
void changes_set_stop(struct change_set *c, int fd);

/*
 * Plan changes; the values before are read, nothing is touched yet. g->nodes NULL or "": memory is
 * left where it is. -EINVAL when the machine is not the plan's (other numbers of vCPUs or
 * iothreads), -ENOENT when there is no such knob here. A domain is found by libvirt's library,
 * loaded then, at a local URI (NULL: qemu:///system).
 */
int changes_add_pid(struct change_set *c, pid_t pid, const struct placed_guest *g, struct err *e);
int changes_add_domain(struct change_set *c, const char *uri, const char *domain,
		       const struct placed_guest *g, struct err *e);
/* name: a row of knobs, where there are several with ":" and which: "scheduler:sda",
 * "nr-hugepages:2M:node1"; "governor" is all of them. Consent is the caller's affair. */
int changes_add_knob(struct change_set *c, const char *name, const char *value, struct err *e);

/*
 * What is in force of a knob, as changes_add_knob names and takes it; where its files differ, their
 * distinct values with a blank between. Caller frees. -ENOENT: this machine has no such file;
 * -EINVAL: no such knob.
 */
int changes_knob_read(const char *name, char **value, struct err *e);

/* Says what it would do, a line a change. */
void changes_print(const struct change_set *c, FILE *out);

/*
 * Makes them in order: each is on disk (fsync of file and folder) with its value before, before it
 * is made, and marked as made after. The first that fails stops it, and those made are taken back:
 * all or nothing. Threads that a process starts meanwhile are taken along. id: of the record, "" on
 * failure. -EBUSY: another vbench is at it; -EINTR; what the kernel or libvirt said.
 */
int changes_apply(struct change_set *c, char id[20], struct err *e);

/*
 * Reads back what a record (id or its beginning, "" the newest) says is in force: values, threads
 * made since, page sizes; told a line each. 0: all as applied; -ESTALE: not all; -EINVAL: no such
 * record, or one that somebody edited.
 */
int changes_verify(const char *dir, const char *id,
		   void (*told)(bool ok, const char *what, void *arg), void *arg, struct err *e);

/*
 * Takes a record back, newest change first (id "" : all records). A value that someone else changed
 * since is left alone and named, unless force. What is gone (process ended, machine rebooted: sysfs
 * is as it was) is said. The record is removed when nothing of it is left. Safe to be killed and
 * called again. 0: nothing is left; -ESTALE: something is; -EINVAL: no such record (given an id),
 * or one that somebody edited, of which nothing is carried out. Which page of memory lay on which
 * node is not restored, only how much lay where.
 */
int changes_revert(const char *dir, const char *id, bool force,
		   void (*told)(bool ok, const char *what, void *arg), void *arg, struct err *e);

/*
 * The same for all records, of one who does not insist: what somebody else changed since stays, is
 * told, and forgotten. For the left-overs of runs, which nobody would ask about again. A folder
 * that is not there has none. -ESTALE: something could not be put back.
 */
int changes_settle(const char *dir, void (*told)(bool ok, const char *what, void *arg), void *arg,
		   struct err *e);

/* Records there are, newest first, a line each; returns how many. */
unsigned changes_list(const char *dir, FILE *out);
/* The same: [{"id", "target", "changes": n, "this_boot": bool} or {"id", "error"}, ...]; new
 * reference. */
json_t *changes_json(const char *dir);

#endif
