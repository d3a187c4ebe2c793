/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest booted once to "agent ready" and saved; fresh guests are restored from it in a fraction
 * of a boot. */
#ifndef VB_GUEST_TEMPLATE_H
#define VB_GUEST_TEMPLATE_H

#include "guest/vm.h"

struct template
{
	char id[40];	  /* unique for this draw: "b03-<machine>-<random>" */
	char machine[17]; /* hash of machine_key */
	char *path;	  /* the saved state; removed by template_drop */
	int rc;		  /* nonzero: could not be made, and why */
	enum cause cause;
	char *why;
	uint64_t boot_ns, save_ns, bytes;
};

/* Hash of a machine, 16 hex digits. */
void machine_hash(const struct machine *m, char out[17]);

/*
 * Boots and saves. Always fills *out; returns out->rc. folder (made if missing) receives the state
 * and the boot's logs. boot_ms: limit until the agent answers.
 */
int template_make(const struct vm_env *env, const struct machine *m, unsigned block,
		  const char *folder, int boot_ms, struct template *out, struct err *e);
void template_drop(struct template *t);

/* Starts a fresh guest from it and says hello: afterwards the agent answers. */
int template_restore(struct vm *v, const struct vm_env *env, const struct machine *m,
		     const struct template *t, const char *folder, struct err *e);

/* Starts a guest by booting it, to "agent ready" and hello. */
int vm_boot(struct vm *v, const struct vm_env *env, const struct machine *m, const char *folder,
	    int boot_ms, struct err *e);

#endif
