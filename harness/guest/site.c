// SPDX-License-Identifier: GPL-2.0-or-later
/* What all sites share. */
#include <stdlib.h>
#include "guest/site.h"

const char *cause_name(enum cause c)
{
	static const char *const names[] = {
		[CAUSE_NONE] = "none",
		[CAUSE_PLAN] = "plan",
		[CAUSE_QEMU] = "qemu",
		[CAUSE_SERVER] = "server",
		[CAUSE_GUEST] = "guest",
		[CAUSE_AGENT] = "agent",
		[CAUSE_FIO] = "fio",
		[CAUSE_DISK_FULL] = "disk-full",
		[CAUSE_IO] = "io",
		[CAUSE_LIMIT] = "limit",
		[CAUSE_TIMEOUT] = "timeout",
		[CAUSE_MISMATCH] = "mismatch",
		[CAUSE_INTERRUPTED] = "interrupted",
	};

	return (unsigned)c < sizeof(names) / sizeof(*names) ? names[c] : "none";
}

int site_patience(uint64_t boot_ns, int least_ms)
{
	enum { BOOTS = 4, MOST_MS = 600000 };
	uint64_t ms = boot_ns / 1000000;

	if (ms > MOST_MS / BOOTS)
		ms = MOST_MS / BOOTS;
	return (int)ms * BOOTS > least_ms ? (int)ms * BOOTS : least_ms;
}

void job_result_free(struct job_result *r)
{
	size_t i;

	json_decref(r->fio);
	json_decref(r->reply);
	json_decref(r->engine);
	free(r->output);
	for (i = 0; r->together && i < r->together->n; i++) {
		if (r->together->guest[i].result)
			job_result_free(r->together->guest[i].result);
		free(r->together->guest[i].result);
	}
	if (r->together)
		free(r->together->guest);
	free(r->together);
	*r = (struct job_result){0};
}
