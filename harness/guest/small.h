/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The small guest as a site: restored from its block's template, or booted cold. */
#ifndef VB_GUEST_SMALL_H
#define VB_GUEST_SMALL_H

#include "guest/machine.h"
#include "guest/site.h"
#include "guest/vm.h"

struct small_opts {
	struct vm_env env;
	const char *templates; /* folder for the states */
	int boot_ms;	       /* limit of a boot */
	/* Resolves a cell's machine (accelerator, kernel, initramfs); kernel: the version it must
	 * report. */
	int (*machine)(void *arg, const struct cell *c, struct machine *out, const char **kernel,
		       struct err *e);
	void *arg;
	/* told after each template: boot and save time and size, for the run's record; may be NULL
	 */
	void (*made)(void *arg, const char *id, uint64_t boot_ns, uint64_t save_ns, uint64_t bytes);
	/* told why a template could not be made, before it is tried once more; may be NULL */
	void (*again)(void *arg, const char *why);
};

/* Caller ends with s->ops->destroy. */
struct site *site_small_new(const struct small_opts *o);

/*
 * One more guest beside the first, from the first's templates: for sites of several. It ends before
 * the first does.
 */
struct site *site_small_peer(struct site *first);

#endif
