// SPDX-License-Identifier: GPL-2.0-or-later
/* A job in a small guest: sent, watched message by message, its result and the CPU time it took. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/term.h"
#include "guest/agent_decode.h"
#include "guest/evidence.h"
#include "guest/small_internal.h"

#define JOB_GRACE_NS \
	10000000000ull /* beyond the agent's own limit, until we stop waiting for its RESULT */
#define MAX_SAMPLES 65536

/*
 * CPU spent and I/Os done between the first observation after the ramp and the last but one in
 * which the disk still moved: what lies outside is fio starting and ending.
 */
static void job_window(const struct job_sample *x, size_t n, uint64_t ramp_ns,
		       struct job_result *out)
{
	size_t first = 0, last, begin;

	while (first < n && !x[first].ios)
		first++;
	for (begin = first; begin < n && x[begin].ns - x[first].ns < ramp_ns; begin++)
		;
	for (last = n ? n - 1 : 0; last > begin && x[last].ios == x[last - 1].ios; last--)
		;
	if (last > begin + 1)
		last--;
	if (begin >= n || last <= begin || x[last].ios <= x[begin].ios)
		return;
	out->cpu_ios = x[last].ios - x[begin].ios;
	out->cpu_vcpu_ns = x[last].cpu.vcpu - x[begin].cpu.vcpu;
	out->cpu_iothread_ns = x[last].cpu.iothread - x[begin].cpu.iothread;
	out->cpu_server_ns = x[last].server - x[begin].server;
	out->cpu_rest_ns =
		x[last].cpu.rest > x[begin].cpu.rest ? x[last].cpu.rest - x[begin].cpu.rest : 0;
}

void small_job_cancel(struct small *s)
{
	vm_ask(&s->vm, WIRE_CANCEL, json_pack("{s:i}", "seq", s->job.seq), 3000, NULL, NULL);
}

int small_job_begin(struct small *s, const struct job *j, const char *fio, struct err *e)
{
	json_t *ask;
	int rc;

	s->job = (struct small_job){.deadline = clock_mono_ns() + j->timeout_ns + JOB_GRACE_NS};
	s->vm.beside_fd = s->server ? server_pidfd(s->server) : -1;
	rc = vm_threads(&s->vm, &s->job.threads, e);
	if (rc)
		return rc;
	s->vm.cause = CAUSE_AGENT;
	ask = json_pack("{s:s, s:I, s:I}", "job", fio, "timeout_ms",
			(json_int_t)(j->timeout_ns / 1000000), "interval_ms",
			(json_int_t)(j->interval_ns / 1000000));
	if (j->gate)
		json_object_set_new(ask, "gate", json_integer(j->gate));
	return agent_send(s->vm.agent, WIRE_JOB, ask, &s->job.seq, e);
}

/* As things are now: what the guest said last, and what the host sees. */
static void keep_sample(struct small *s)
{
	struct small_job *job = &s->job;
	struct job_sample *x;

	if (job->n == job->cap && job->cap < MAX_SAMPLES) {
		job->cap = job->cap ? job->cap * 2 : 64;
		job->samples = xrealloc(job->samples, job->cap, sizeof(*job->samples));
	}
	if (job->n == job->cap)
		return;
	x = &job->samples[job->n++];
	*x = (struct job_sample){.ns = clock_mono_ns(),
				 .ios = job->last.ios,
				 .guest = job->last.cpu,
				 .guest_ns = job->last.mono_ns,
				 .server = s->server ? server_cpu(s->server) : 0};
	vm_cpu(&s->vm, &job->threads, &x->cpu);
}

int small_job_message(struct small *s, struct agent_msg *msg, struct job_result *out, struct err *e)
{
	struct small_job *job = &s->job;
	char why[512];
	int rc = 0;

	job->moved = false;
	if (msg->seq == job->seq && msg->type == WIRE_PROGRESS) {
		job->moved = !agent_decode_progress(msg->body, &job->last, NULL);
		if (job->moved)
			keep_sample(s);
	} else if (msg->seq == job->seq && msg->type == WIRE_GATED) {
		job->gated = true;
	} else if (msg->seq == job->seq && msg->type == WIRE_RESULT) {
		s->vm.cause = CAUSE_AGENT;
		rc = agent_decode_result(msg->body, out, e);
		job->done = true;
		/* no progress may come between the window's end and the job's */
		if (!rc && job->last.cpu.known &&
		    !agent_decode_counters(json_object_get(out->reply, "after"), &job->last, NULL))
			keep_sample(s);
	} else if (msg->seq == job->seq && msg->type == WIRE_ERROR) {
		s->vm.cause = CAUSE_AGENT;
		rc = err_set(e, -EREMOTEIO, "the guest's agent says: %s",
			     agent_decode_error(msg->body, why, sizeof(why)));
	}
	agent_msg_free(msg);
	return rc;
}

int small_job_result(struct small *s, const struct job *j, struct job_result *out, struct err *e)
{
	int rc = 0;

	/* fio's own words would only be "Input/output error" */
	if (json_integer_value(json_object_get(out->reply, "exit")))
		rc = evidence_failed(&s->vm, s->plan, e);
	if (rc)
		job_result_free(out);
	else
		job_window(s->job.samples, s->job.n, j->ramp_ns, out);
	return rc;
}

void small_job_end(struct small *s)
{
	free(s->job.samples);
	s->job = (struct small_job){0};
}
