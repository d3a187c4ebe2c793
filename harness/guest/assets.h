/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the small guest's parts lie: beside an in-tree program (build/guest), else under PREFIX. */
#ifndef VB_GUEST_ASSETS_H
#define VB_GUEST_ASSETS_H

#include "base/err.h"

struct assets {
	char *vmlinuz;
	char *modules; /* .../lib/modules/VERSION */
	char *kernel;  /* VERSION */
	char *fio, *agent;
};

/* The folder that holds profiles/ and other shared files; caller frees. */
char *assets_share_dir(void);

/*
 * kernel: a path to a kernel image (its modules are looked for in /lib/modules/VERSION, VERSION
 * being what follows "vmlinuz-" in its name), or NULL or "auto" for the packaged one. -ENOENT with
 * the remedy.
 */
int assets_find(struct assets *a, const char *kernel, struct err *e);
void assets_free(struct assets *a);

#endif
