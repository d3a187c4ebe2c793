/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small guest's initramfs: the agent as /init, fio, and the modules that the guest's kernel
 * needs.
 */
#ifndef VB_GUEST_INITRAMFS_H
#define VB_GUEST_INITRAMFS_H

#include "base/err.h"

struct initramfs_spec {
	const char *agent;	   /* path of the static agent */
	const char *fio;	   /* path of the static fio */
	const char *modules;	   /* ".../lib/modules/VERSION" of the guest's kernel, with depmod's
				      indices */
	const char *const *wanted; /* modules, NULL-terminated; what they and the agent depend on
				      comes along */
	/* Modules taken if the kernel has them, after the others; NULL: none. */
	const char *const *optional;
};

/*
 * Writes the archive (newc, not compressed) to out_path, and its SHA-256 in hex to hash. There is
 * no temporary file beside it, which a journal would not know: out_path is to be a journalled
 * temporary itself, and the caller renames it, for until the return it is half written. What
 * stands there already is replaced; on failure nothing is left. Equal input gives equal bytes.
 * Modules built into the kernel are left out; one of wanted that the kernel does not have at all is
 * -ENOENT.
 */
int initramfs_build(const struct initramfs_spec *spec, const char *out_path, char hash[65],
		    struct err *e);

#endif
