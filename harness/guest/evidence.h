/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gathers what is in force, from QMP and /proc; says nothing about what it means (HACKING.md,
 * "Evidence"). */
#ifndef VB_GUEST_EVIDENCE_H
#define VB_GUEST_EVIDENCE_H

#include "disk/disk.h"
#include "guest/vm.h"

/* The "qmp" object; new reference. NULL with cause set when QEMU does not answer any more. */
json_t *evidence_qmp(struct vm *v, const struct disk_plan *p, struct err *e);

/*
 * Parts of it (evidence_disk.c), new references; JSON null, or members that are null, where QEMU
 * does not say: a property of an object; properties of the disk's device; its first queue; the same
 * of a vhost-user device; the limits of its throttle group.
 */
json_t *evidence_qom(struct vm *v, const char *path, const char *prop);
json_t *evidence_device(struct vm *v, const struct disk_plan *p);
json_t *evidence_queue(struct vm *v, const struct disk_plan *p);
json_t *evidence_vhost_queue(struct vm *v, const struct disk_plan *p);
json_t *evidence_throttle(struct vm *v, const struct disk_plan *p);

/*
 * Did QEMU fail any request of the guest's? Not every device tells so by an event (nvme has no
 * werror). 0: none; else cause is set, CAUSE_DISK_FULL where the image's file system is full.
 */
int evidence_failed(struct vm *v, const struct disk_plan *p, struct err *e);

/* Are the plan's images still there? -EIO and which one is not: QEMU itself would write on. */
int evidence_images(const struct disk_plan *p, struct err *e);

/* The "host" object; new reference. image may be NULL. */
json_t *evidence_host(const struct vm *v, const struct vm_threads *t, const char *image);

/*
 * What /proc shows of a process that has a disk open, in the shape of "host" but with "program" in
 * the place of "qemu" and without "cpu_ns": a vhost-user server, or fio. New reference.
 */
json_t *evidence_process(pid_t pid, const char *image);

/* Resident memory of a process in bytes (VmRSS), 0: not known. */
uint64_t evidence_rss(pid_t pid);

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
