/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readers: from the world's descriptions of a virtual machine to struct vm. None disturbs the
 * machine it looks at. */
#ifndef VB_VM_READ_H
#define VB_VM_READ_H

#include <stdio.h>
#include "profile/profile.h"
#include "vm/vm.h"

/* No description is longer. */
#define VM_TEXT_MAX (8u << 20)

/*
 * TARGET as users write it (target.c):
 *   libvirt:NAME or libvirt:URI#NAME   a domain of libvirt, by its library (loaded only then); its
 *                      running process too
 *   pid:N              a running QEMU: /proc/N/cmdline is what was asked, the rest of /proc/N what
 * is in force qm:ID              Proxmox: what `qm showcmd ID` prints; its process too, if it runs
 *   FILE               told by its content: libvirt domain XML; a profile (.ini); any QEMU command
 *                      line, also as `qm showcmd` or `virsh domxml-to-native` print it
 *   -                  the same from standard input
 * 0 and a new vm, or -EINVAL, -ENOENT, -EPERM, ... with one sentence that names place and remedy.
 */
int vm_open(const char *target, struct vm **out, struct err *e);

/* argv.c. from: for messages and "where". Anything unknown is a note, never an error; a command
 * line that is not of QEMU is -EINVAL. */
int vm_read_argv(char *const *argv, const char *from, struct vm **out, struct err *e);
/* The same from text as a shell would read it (quotes, backslashes, line continuations; nothing is
 * run or expanded). */
int vm_read_command(const char *text, size_t len, const char *from, struct vm **out, struct err *e);

/* xml.c: libvirt domain XML. No entity is expanded, no network, no DTD; bounded in size and depth.
 */
int vm_read_xml(const char *text, size_t len, const char *from, struct vm **out, struct err *e);

/* proc.c: a running QEMU. Asked from its command line; then vm_read_proc for what is in force. */
int vm_read_pid(int pid, struct vm **out, struct err *e);
/*
 * Adds VM_GOT of a running process to a vm that was read otherwise: threads and their affinities,
 * memory by node and page size, open flags of images. Without rights to see something, it is not
 * said. -ESRCH when the process is gone, also when it goes, or becomes another, while being read.
 */
int vm_read_proc(struct vm *vm, int pid, struct err *e);
/* image.c: VM_GOT of images and their host devices (qemu-img info -U, sysfs), of a live target
 * only. */
void vm_read_images(struct vm *vm);

/* libvirt.c: by libvirt.so, loaded now. -ENOENT with the remedy where that is not installed.
 * Read-only connection. */
int vm_read_libvirt(const char *uri, const char *name, struct vm **out, struct err *e);

/* profile_in.c: what a cell of a profile asks for. */
int vm_read_cell(const struct profile *p, const struct cell *c, struct vm **out, struct err *e);

/* profile_out.c: `vbench profile`: an INI that measures such a machine on scratch images beside its
 * own. What cannot be said in a profile stands in it as a comment. */
int vm_write_profile(const struct vm *vm, FILE *out, struct err *e);

#endif
