// SPDX-License-Identifier: GPL-2.0-or-later
/* Which machine a cell gets: its accelerator resolved, loudly where it is not the one hoped for. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "guest/accel.h"
#include "guest/template.h"
#include "run/context.h"
#include "run/guests.h"
#include "run/pins.h"

/* With accel = kvm, for looking up and for the probe. */
static void kvm_machine(struct run *r, const struct cell *c, struct machine *m)
{
	struct run_kernel *k = run_kernel_of(r, c);

	machine_make(m, c, &run_qemu_of(r, c)->info, "kvm", k->vmlinuz, k->initramfs);
	m->shared = profile_shared_memory(r->profile);
	m->arm = NULL; /* what a machine can do is the same in both arms */
}

static const struct run_accel *accel_of(struct run *r, const struct machine *kvm)
{
	char hash[17];
	size_t i;

	machine_hash(kvm, hash);
	for (i = 0; i < r->naccels; i++)
		if (!strcmp(r->accels[i].key, hash))
			return &r->accels[i];
	return NULL;
}

int run_machine(void *arg, const struct cell *c, struct machine *out, const char **kernel,
		struct err *e)
{
	struct run *r = arg;
	struct run_kernel *k = run_kernel_of(r, c);
	const char *accel = cell_get(c, K_ACCEL);

	if (strcmp(accel, "tcg")) {
		struct machine m;
		const struct run_accel *a;

		kvm_machine(r, c, &m);
		a = accel_of(r, &m);
		accel = a ? a->accel : "kvm";
	}
	machine_make(out, c, &run_qemu_of(r, c)->info, accel, k->vmlinuz, k->initramfs);
	out->shared = profile_shared_memory(r->profile);
	if (cell_is(c, K_NODES, "plan")) {
		const struct pin *pins;
		int rc = run_pins(r, c, run_guests(c), &pins, e);

		if (rc)
			return rc;
		out->nodes = pins ? pins->nodes : NULL;
	}
	if (kernel)
		*kernel = k->version;
	return 0;
}

int run_probe_cell(struct run *r, const struct cell *c, bool remember, struct accel_answer *out,
		   struct err *e)
{
	struct vm_env env = {.user = &r->user, .journal = r->journal, .stop_fd = r->opts->stop_fd};
	char *memory = xasprintf("%s/accel.json", r->data);
	struct machine m;
	int rc;

	kvm_machine(r, c, &m);
	rc = accel_probe(&env, &m, remember ? memory : NULL, out, e);
	free(memory);
	return rc;
}

void run_warn(struct run *r, const char *fmt, ...)
{
	va_list ap;

	term_end(&r->term);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static struct run_accel *accel_add(struct run *r, const struct machine *kvm, bool works,
				   const char *reason)
{
	struct run_accel *a;

	r->accels = xrealloc(r->accels, r->naccels + 1, sizeof(*r->accels));
	a = &r->accels[r->naccels++];
	machine_hash(kvm, a->key);
	snprintf(a->accel, sizeof(a->accel), "%s", works ? "kvm" : "tcg");
	snprintf(a->reason, sizeof(a->reason), "%s", reason);
	return a;
}

const char *run_accels_guess(struct run *r)
{
	char reason[700];
	const char *said = NULL;
	size_t i;

	for (i = 0; i < r->profile->ncells; i++) {
		const struct cell *c = &r->profile->cells[i];
		struct machine m;

		if (cell_on_host(c) || strcmp(cell_get(c, K_ACCEL), "auto"))
			continue;
		kvm_machine(r, c, &m);
		if (accel_of(r, &m))
			continue;
		if (accel_device(&r->user, reason, sizeof(reason)))
			said = accel_add(r, &m, false, reason)->reason;
	}
	return said;
}

int run_accels(struct run *r, struct err *e)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < r->profile->ncells && !rc; i++) {
		const struct cell *c = &r->profile->cells[i];
		const char *asked = cell_get(c, K_ACCEL);
		struct accel_answer ans;
		struct run_accel *a;
		struct machine m;

		if (cell_on_host(c) || !strcmp(asked, "tcg"))
			continue;
		kvm_machine(r, c, &m);
		if (!accel_of(r, &m)) {
			/* who insists on KVM may have mended it since */
			rc = run_probe_cell(r, c, strcmp(asked, "kvm"), &ans, e);
			if (rc)
				break;
			a = accel_add(r, &m, ans.kvm, ans.reason);
			if (ans.remembered && !ans.kvm)
				snprintf(
					a->reason, sizeof(a->reason),
					"%.600s (remembered since this host booted; remove %s/accel.json to try again)",
					ans.reason, r->data);
			if (!ans.kvm && strcmp(asked, "kvm"))
				run_warn(
					r,
					"vbench: WARNING: KVM does not work here, falling back to TCG: %s. "
					"Figures under TCG are good for comparison only.",
					a->reason);
		}
		if (strcmp(accel_of(r, &m)->accel, "kvm") && !strncmp(m.cpu, "host", 4) &&
		    cell_get(c, K_CPU) && strcmp(cell_get(c, K_CPU), "auto"))
			rc = err_input(e, "guest.cpu = %s needs KVM, which does not work here: %s",
				       m.cpu, accel_of(r, &m)->reason);
		else if (!strcmp(asked, "kvm") && strcmp(accel_of(r, &m)->accel, "kvm"))
			rc = err_set(e, -ENODEV,
				     "guest.accel = kvm, but KVM does not work here: %s",
				     accel_of(r, &m)->reason);
	}
	return rc;
}
