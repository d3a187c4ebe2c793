/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the parts of guest and host sites lie: beside an in-tree program (build/...), else under
 * PREFIX. */
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
 * being what follows "vmlinuz-" in its name), NULL or "auto" for the packaged one of clouds, or
 * "full" for the one with drivers of real machines. -EINVAL with the remedy.
 */
int assets_find(struct assets *a, const char *kernel, struct err *e);
void assets_free(struct assets *a);

/* What host sites and vhost-user disks are made of; NULL where it is not there. */
struct host_assets {
	char *fio;	 /* that loads engines: build/fio/fio */
	char *vring;	 /* the engine */
	char *vhost_blk; /* the vhost-user-blk device */
	char *dir;	 /* where engine and device were looked for */
};

/* VBENCH_ENGINES names another folder for engine and device, ../fio/fio from there being its fio.
 * Never fails. */
void assets_host(struct host_assets *a);
void assets_host_free(struct host_assets *a);

#endif
