/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that write a profile share. */
#ifndef VB_VM_PROFILE_OUT_H
#define VB_VM_PROFILE_OUT_H

#include "vm/write_told.h"

/* NULL, or why a profile can't be written of it: no x86_64, no disk. *disk: the one to measure. */
const char *profile_subject(const struct vm *vm, unsigned *disk);

/* "# text" as one line, without control characters. */
void profile_remark(struct told *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "key = value"; nothing for NULL. A value of several lines or of a list is no value: a remark. */
void profile_key(struct told *t, const char *key, const char *value);
/* The same of bytes, spelled as people do. */
void profile_size(struct told *t, const char *key, uint64_t bytes);

void profile_guest(struct told *t, unsigned disk); /* the section [guest] */
void profile_disk(struct told *t, unsigned disk);  /* the section [disk] */

/* How many vCPUs its guest gets. */
unsigned profile_vcpus(const struct vm *vm);

#endif
