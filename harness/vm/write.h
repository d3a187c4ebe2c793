/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writers: a struct vm (its VM_ASKED side) in the tongues of those who run virtual machines. Pure.
 */
#ifndef VB_VM_WRITE_H
#define VB_VM_WRITE_H

#include <stdio.h>
#include "vm/vm.h"

enum vm_format {
	VM_LIBVIRT, /* elements for `virsh edit`: vcpu, iothreads, cputune, numatune, memoryBacking,
		       cpu, disks */
	VM_VIRSH,   /* commands for a running or defined domain */
	VM_QEMU, /* options of a command line; pins, which QEMU has none for, as taskset commands by
		    thread name */
	VM_QM,	 /* Proxmox: qm set */
	VM_OVIRT, /* properties of a VM as the REST interface names them */
	VM_NOVA,  /* flavor extra specs and image properties, as `openstack flavor set` commands */
	VM_FORMATS
};
extern const char
	*const vm_format_names[VM_FORMATS]; /* "libvirt", "virsh", "qemu", "qm", "ovirt", "nova" */

/*
 * Writes those facts that the format has words for; for what it has none, a comment that says so.
 * Text is escaped for where it goes (XML, shell). Facts that the vm lacks are left out: a partial
 * description gives a partial text. -EIO.
 */
int vm_write(FILE *out, enum vm_format format, const struct vm *vm, struct err *e);

#endif
