/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gathers what is in force, from QMP and /proc; says nothing about what it means (HACKING.md,
 * "Evidence"). */
#ifndef VB_GUEST_EVIDENCE_H
#define VB_GUEST_EVIDENCE_H

#include "disk/disk.h"
#include "guest/vm.h"

/* The "qmp" object; new reference. NULL with cause set when QEMU does not answer any more. */
json_t *evidence_qmp(struct vm *v, const struct disk_plan *p, struct err *e);

/* The "host" object; new reference. image may be NULL. */
json_t *evidence_host(const struct vm *v, const struct vm_threads *t, const char *image);

/*
 * What /proc shows of a process that has a disk open, in the shape of "host" but with "program" in
 * the place of "qemu" and without "cpu_ns": a vhost-user server, or fio. New reference.
 */
json_t *evidence_process(pid_t pid, const char *image);

/*
 * Address ("0000:01:00.0") of the PCI function of the device with that id, from query-pci: what its
 * port's bus is called is the firmware's choice. -ENOENT: QEMU does not list it.
 */
int evidence_pci(struct vm *v, const char *device_id, char out[32], struct err *e);

/* The "image" object, to be taken before the first write; JSON null for a NULL image. */
json_t *evidence_image(const char *image, const char *qemu_img, const struct child_user *user);

/*
 * Holds the keys of [guest] against the evidence: site, accel, vcpus, memory, machine, cpu,
 * scheduler, kernel, qemu, sandbox, start. m: the machine as it was resolved. Returns the number of
 * rows written.
 */
size_t guest_asked_got(const struct cell *c, const struct machine *m, const char *kernel,
		       const json_t *evidence, struct asked_got *out, size_t max);

#endif
