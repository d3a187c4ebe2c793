/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that write libvirt's XML share. */
#ifndef VB_VM_WRITE_XML_H
#define VB_VM_WRITE_XML_H

#include "vm/write_told.h"

/* Text as XML has it, in elements and in quoted attributes; what XML cannot hold becomes '?'. */
void xml_put(FILE *out, const char *text);
/* " name='value'"; nothing for NULL. */
void xml_put_attr(FILE *out, const char *name, const char *value);
/* " unit='KiB'>4096" of bytes. */
void xml_put_bytes(FILE *out, uint64_t bytes);
/* <!-- text -->, in which no -- may be. */
void xml_put_comment(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* libvirt's number of an iothread of that id: its own where all ids are numbers, else its place
 * from 1; 0: there is no such iothread. */
unsigned xml_thread_number(const struct vm *vm, const char *id);

void xml_write_cpu(struct told *t);	/* write_xml_cpu.c: vcpu ... clock */
void xml_write_disks(struct told *t);	/* write_xml_disk.c: disks and their controllers */
void xml_write_devices(struct told *t); /* write_xml_device.c */

#endif
