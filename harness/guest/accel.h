/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which accelerator really works: only a guest that came up under it proves that. */
#ifndef VB_GUEST_ACCEL_H
#define VB_GUEST_ACCEL_H

#include <stdbool.h>
#include "guest/vm.h"

#define ACCEL_BOOT_MS 40000

struct accel_answer {
	bool kvm;	  /* KVM works */
	bool remembered;  /* from an earlier try in this boot of the host */
	char reason[700]; /* why not, one sentence without a full stop */
};

/*
 * Tries KVM for a machine (its accel and cpu must be those of the KVM try). memory_file: where
 * outcomes are remembered, NULL: nowhere. A missing device or right is looked up afresh every time;
 * the boot's outcome is kept per boot of the host, user, QEMU and guest kernel. 0 (answer filled,
 * also when KVM does not work), or -EINTR when stopped.
 */
int accel_probe(const struct vm_env *env, const struct machine *m, const char *memory_file,
		struct accel_answer *out, struct err *e);

/* As root: makes the caller's own rights those of user for the test of the device. */
int accel_device(const struct child_user *user, char *reason, size_t size);

#endif
