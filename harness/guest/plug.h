/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plugging a plan's disks, finding them in the guest, and telling a machine that is full from one
 * that is broken. */
#ifndef VB_GUEST_PLUG_H
#define VB_GUEST_PLUG_H

#include <stdbool.h>
#include <stddef.h>
#include "disk/disk.h"
#include "guest/vm.h"

/*
 * Do QEMU's words say that a device found no place: no bus or slot of that number, all in use, or
 * no more file descriptors? (hw/pci, hw/scsi, hw/ide and qdev word it, each in its own way.)
 */
bool plug_full(const char *words);

/*
 * For device `failed` of specs: a sentence that says how many of its kind fitted. fitted: how many
 * of them QEMU has taken. bus: as the profile names it. -ENOSPC.
 */
int plug_limit(const struct qspec *specs, size_t n, size_t failed, size_t fitted, const char *bus,
	       const char *words, struct err *e);

/*
 * For disks on the command line: which spec a QEMU that did not start complains about. log: its
 * last words, which quote the option. n: none of them.
 */
size_t plug_blamed(const struct qspec *specs, size_t n, const char *log);

/*
 * After QEMU ended at its start: if it said that a cold disk found no place, the sentence in e is
 * replaced by plug_limit's and its code returned; else 0 and e as it was.
 */
int plug_cold_limit(const struct qspec *specs, size_t n, const char *bus, const char *log,
		    struct err *e);

/* Gives QEMU all specs of a hot-pluggable plan. v->cause is CAUSE_LIMIT when they do not fit. */
int plug_specs(struct vm *v, const struct disk_plan *p, const char *bus, struct err *e);

/*
 * For a guest that shows only `there` disks of the plan after ms milliseconds, of which number
 * `missing` (from 0) is the first that is not: a sentence, which ends with the number that did fit
 * where that is a limit (-ENOSPC), and not just slow (-ETIMEDOUT).
 */
int plug_missing(const struct disk_plan *p, const char *bus, size_t there, size_t missing, int ms,
		 bool limit, struct err *e);

/*
 * Waits until the guest shows all disks of the plan (more than one) and sets their scheduler.
 * *targets: their paths, NULL-terminated, *disks: the agent's list; both the caller's. When some
 * are missing in the end, CAUSE_LIMIT.
 */
int plug_find(struct vm *v, const struct disk_plan *p, const char *bus, const char *scheduler,
	      char ***targets, json_t **disks, struct err *e);
void targets_free(char **targets);

#endif
