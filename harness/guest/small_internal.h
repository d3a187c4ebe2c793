/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The small guest from within: shared by small.c, its job (small_job.c) and several of them
 * (many.c). */
#ifndef VB_GUEST_SMALL_INTERNAL_H
#define VB_GUEST_SMALL_INTERNAL_H

#include "guest/server.h"
#include "guest/small.h"
#include "guest/template.h"

/* One observation of the running job: how far the disk is, and what QEMU and its server have spent.
 */
struct job_sample {
	uint64_t ns, ios;
	struct vm_cpu cpu;
	uint64_t server; /* CPU time of the vhost-user server */
	struct guest_cpu guest;
	uint64_t guest_ns; /* its clock; 0: not told */
};

/* The job that is going on in a guest. */
struct small_job {
	uint16_t seq;
	uint64_t deadline;
	struct vm_threads threads;
	struct job_sample *samples;
	size_t n, cap;
	struct job_progress last;
	bool moved; /* the last message was progress, and is in last */
	bool gated; /* its threads stand at the gate */
	bool done;  /* its result is there */
};

struct small {
	struct site site;
	struct small_opts o;
	struct template *templates;
	size_t ntemplates;
	struct vm vm;
	bool up;
	struct machine machine;
	const char *kernel;
	const struct disk_plan *plan;
	struct server *server; /* the plan's, NULL: none */
	char pci[32];	       /* of a disk without a serial */
	char scheduler[32], bus[24];
	json_t *facts;
	json_t *disks; /* what the agent said of several */
	struct small_job job;
	struct small *first; /* whose templates it uses; NULL: its own */
};

static inline struct small *small_of(struct site *s)
{
	return (struct small *)s;
}

/* The cause of a failure as the site has it; returns rc, or what a dead server says. */
int small_fail(struct small *s, int rc, struct err *e);

/*
 * small_job.c. begin sends the job; then each message is given to message, until job.done; result
 * looks for what fio cannot tell and fills the window's figures; end forgets the job. 0, or
 * negative with vm.cause set. Messages of other requests are dropped.
 */
int small_job_begin(struct small *s, const struct job *j, const char *fio, struct err *e);
int small_job_message(struct small *s, struct agent_msg *msg, struct job_result *out,
		      struct err *e);
int small_job_result(struct small *s, const struct job *j, struct job_result *out, struct err *e);
void small_job_end(struct small *s);
/* Asks the agent to end the job and waits a little for its last word, so that the guest can be used
 * on. */
void small_job_cancel(struct small *s);

#endif
