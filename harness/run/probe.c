// SPDX-License-Identifier: GPL-2.0-or-later
/* Boots the small guest of a default profile under KVM, as a run with accel = auto would. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "run/context.h"
#include "run/probe.h"

int run_probe_kvm(const char *qemu, struct accel_answer *out, struct err *e)
{
	static const char text[] = "[workload probe]\nrw = randread\n";
	struct run_opts o = {.quiet = true, .stop_fd = -1};
	struct run r = {0};
	struct profile *p = NULL;
	char *set = qemu ? xasprintf("guest.qemu=%s", qemu) : NULL;
	const char *sets[] = {set};
	int rc;

	snprintf(r.uuid, sizeof(r.uuid), "doctor--");
	term_init(&r.term, true);
	rc = profile_parse(text, strlen(text), "doctor", sets, set ? 1 : 0, &p, e);
	if (!rc)
		rc = run_setup(&r, p, &o, e);
	if (!rc)
		rc = accel_device(&r.user, out->reason, sizeof(out->reason)) ? 1 : 0;
	if (!rc)
		rc = run_prepare_kernels(&r, e);
	if (!rc)
		rc = run_probe_cell(&r, &p->cells[0], false, out, e);
	if (rc == 1) {
		out->kvm = out->remembered = false;
		rc = 0;
	}
	run_teardown(&r);
	profile_free(p);
	free(set);
	return rc;
}
