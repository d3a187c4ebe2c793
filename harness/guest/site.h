/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A site is where a workload runs. One table of operations; today the small guest, later N guests, a
 * migrating pair, a host process. The loop (run/) sees nothing but this.
 */
#ifndef VB_GUEST_SITE_H
#define VB_GUEST_SITE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/child.h"
#include "base/err.h"
#include "base/journal.h"
#include "disk/disk.h"
#include "profile/profile.h"

/* Why something could not be measured: the word goes into the store. */
enum cause { CAUSE_NONE, CAUSE_PLAN, CAUSE_QEMU, CAUSE_GUEST, CAUSE_AGENT, CAUSE_FIO, CAUSE_DISK_FULL,
	     CAUSE_TIMEOUT, CAUSE_MISMATCH, CAUSE_INTERRUPTED };
const char *cause_name(enum cause c);

struct job {
	const char *fio;     /* job file text */
	uint64_t timeout_ns; /* whole job, from start */
	uint64_t interval_ns; /* of progress, 0: none */
};

struct job_progress {
	double iops, bw; /* bytes/s */
	uint64_t elapsed_ns;
};

struct job_result {
	json_t *fio;	/* fio's JSON document, or NULL */
	json_t *reply;	/* the whole RESULT message */
	char *output;	/* what fio printed beside it */
	uint64_t cpu_vcpu_ns, cpu_iothread_ns, cpu_rest_ns; /* of QEMU around the job; for a host site of the process */
	uint64_t bytes_read, bytes_written; /* QEMU's real I/O on the host (/proc/PID/io), when readable */
};
void job_result_free(struct job_result *r);

struct site;
struct site_ops {
	const char *name;
	bool fresh; /* every open gives a new draw */
	/* Opens for a cell: afterwards the agent answers. template_id receives its template's id or "". */
	int (*open)(struct site *s, const struct cell *c, char template_id[40], struct err *e);
	/* Makes the plan's disk appear. Returns with its facts known. */
	int (*plug)(struct site *s, const struct disk_plan *p, struct err *e);
	/* Gathers evidence (HACKING.md, "Evidence"); new reference. */
	int (*ask)(struct site *s, json_t **evidence, struct err *e);
	int (*work)(struct site *s, const struct job *j, void (*progress)(const struct job_progress *, void *),
		    void *arg, struct job_result *out, struct err *e);
	/* Ends the site: clean asks nicely, else kill. Always succeeds in leaving nothing behind. */
	void (*close)(struct site *s, bool clean);
	/* At the end of a block: templates of that block go. */
	void (*end_block)(struct site *s);
	void (*destroy)(struct site *s);
};

struct site {
	const struct site_ops *ops;
	enum cause cause;	/* of the last failure */
	char *console;		/* path of the current guest's console log */
};

#endif
