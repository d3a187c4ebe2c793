/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A site is where a workload runs. One table of operations; today the small guest, later N guests,
 * a migrating pair, a host process. The loop (run/) sees nothing but this.
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
enum cause {
	CAUSE_NONE,
	CAUSE_PLAN,
	CAUSE_QEMU,
	CAUSE_SERVER, /* the vhost-user server beside it */
	CAUSE_GUEST,
	CAUSE_AGENT,
	CAUSE_FIO,
	CAUSE_DISK_FULL,
	CAUSE_IO,    /* the host answered a request of the guest with an error */
	CAUSE_LIMIT, /* QEMU or the guest takes no more disks: a finding, no failure of the run */
	CAUSE_TIMEOUT,
	CAUSE_MISMATCH,
	CAUSE_INTERRUPTED
};
const char *cause_name(enum cause c);

struct job {
	const char *fio;      /* job file text */
	char *const *each;    /* with several guests: one text each, in the place of fio */
	unsigned gate;	      /* so many threads of fio in each guest wait at the gate; 0: none */
	uint64_t timeout_ns;  /* whole job, from start */
	uint64_t interval_ns; /* of progress, 0: none */
	uint64_t ramp_ns;     /* I/O before this is not counted (for the CPU window) */
};

/* A guest's own account of its CPUs, in ticks since it booted. */
struct guest_cpu {
	bool known;
	uint64_t busy, total, steal;
};

struct job_progress {
	struct guest_cpu cpu;
	uint64_t mono_ns; /* of the guest when it was sent; 0: not told */
	double iops, bw;  /* bytes/s */
	uint64_t elapsed_ns;
	uint64_t ios; /* completed by the guest's disk since the job began, its ramp included */
};

struct job_result;

/*
 * One of several guests that ran together. Shares are of the window in which all of them measured;
 * NAN: not known. Times are CLOCK_MONOTONIC ns of this host.
 */
struct job_guest {
	struct job_result *result;  /* its own; owned */
	uint64_t go_ns, go_late_ns; /* its gate was opened after the first and before the second */
	uint64_t from_ns, to_ns;    /* its measured window */
	double cpu;		    /* its own CPUs' utilisation, as it sees it */
	double steal;		    /* of its CPU time; NAN where it cannot know (TCG) */
	double wait; /* its vCPU threads waited for a CPU of the host: of wall time x vCPUs */
};

/* What the guests of a trial have in common. */
struct job_together {
	struct job_guest *guest;
	size_t n;
	uint64_t spread_ns; /* between the first start and the last */
	double overlap;	 /* share of what all measured, in which all were at work, in ramps too */
	double host_cpu; /* share of the host's CPUs that was busy then; NAN */
};

struct job_result {
	json_t *fio;   /* fio's JSON document, or NULL */
	json_t *reply; /* the whole RESULT message */
	char *output;  /* what fio printed beside it */
	/*
	 * CPU time of QEMU by thread class (for a host site: of the process) within a window of
	 * steady I/O, and the I/Os that the guest's disk completed in the same window: fio's start
	 * and end, which a short job must not be charged with, lie outside. cpu_ios 0: cannot be
	 * told.
	 */
	uint64_t cpu_vcpu_ns, cpu_iothread_ns, cpu_rest_ns, cpu_ios;
	/* In the same window: a vhost-user server beside QEMU or fio; on a host site, fio's process
	 * (the three above are 0 there). */
	uint64_t cpu_server_ns, cpu_fio_ns;
	json_t *engine; /* what fio's vring engine reports of itself, or NULL */
	/* A workload that writes only and verifies: its reads are checks, not load. Set by whoever
	 * knows the workload. */
	bool reads_check;
	struct job_together *together; /* of several guests; NULL: one, without a gate */
};
void job_result_free(struct job_result *r);

struct pin; /* guest/pin.h */
struct site;
struct site_ops {
	const char *name;
	bool fresh; /* every open gives a new draw */
	/* At the start of a block, for each of its cells: what open will need (the block's
	 * templates). p: a plan for the cell, of which a cold one's blank disks go into the
	 * template; its images need not be there. */
	int (*prepare)(struct site *s, const struct cell *c, const struct disk_plan *p,
		       struct err *e);
	/* Opens for a cell: afterwards the agent answers. A cold plan's disks are there then.
	 * template_id receives its template's id or "". */
	int (*open)(struct site *s, const struct cell *c, const struct disk_plan *p,
		    char template_id[40], struct err *e);
	/* Makes the plan's disks appear, as far as they are not there. Returns with their facts
	 * known. CAUSE_LIMIT when there is no room for all of them. */
	int (*plug)(struct site *s, const struct disk_plan *p, struct err *e);
	/* Gathers evidence (HACKING.md, "Evidence") except "image"; new reference. */
	int (*ask)(struct site *s, json_t **evidence, struct err *e);
	/* Asked/got of the site's own keys ([guest]), from such evidence. */
	size_t (*agreed)(struct site *s, const struct cell *c, const json_t *evidence,
			 struct asked_got *out, size_t max);
	int (*work)(struct site *s, const struct job *j,
		    void (*progress)(const struct job_progress *, void *), void *arg,
		    struct job_result *out, struct err *e);
	/* Ends the site: clean asks nicely, else kill. Always succeeds in leaving nothing behind.
	 */
	void (*close)(struct site *s, bool clean);
	/* At the end of a block: templates of that block go. */
	void (*end_block)(struct site *s);
	void (*destroy)(struct site *s);
};

struct site {
	const struct site_ops *ops;
	enum cause cause;    /* of the last failure */
	const char *folder;  /* where the current trial's raw artefacts go; set by the loop before
				open */
	unsigned block;	     /* current block */
	char target[256];    /* after plug: the disk's path where the workload runs, "/dev/vda"; "":
				engine alone says where */
	char **targets;	     /* after plug: the paths of all disks, NULL-terminated; owned by the
				site until close; NULL: target alone */
	uint64_t rss_bytes;  /* after plug: resident memory of QEMU; 0: none, or not known */
	const char *engine;  /* after plug: fio's engine lines, NULL: the workload's (see
				workload_fio_job) */
	uint64_t visible_ns; /* after plug: how long the guest took to show the disk */
	uint64_t boot_ns;    /* after open: how long the slowest guest took to boot; 0: none did */
	/*
	 * A site of several guests (guest/many.h): how many, set by the loop before open, which
	 * gets as many plans one behind the other, as plug does; and after open the guests
	 * themselves, each a site with its own target. Its evidence is {"guests": [...]}. 0 and
	 * NULL: one guest.
	 */
	size_t guests;
	struct site *const *each;
	/* before open: where each guest's threads and memory go; NULL: anywhere. Borrowed */
	const struct pin *pins;
};

/*
 * A deadline in ms for what a guest does: least_ms, and on a host so loaded, or so slow, that the
 * guest's boot took long, as long as four boots; 10 minutes at most. boot_ns 0: not known.
 */
int site_patience(uint64_t boot_ns, int least_ms);

#endif
