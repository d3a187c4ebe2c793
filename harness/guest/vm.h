/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A running QEMU with the small guest in it: its process, control socket, agent channel and logs as
 * one thing. */
#ifndef VB_GUEST_VM_H
#define VB_GUEST_VM_H

#include <jansson.h>
#include <poll.h>
#include <stdint.h>
#include "base/child.h"
#include "base/journal.h"
#include "guest/agent.h"
#include "guest/machine.h"
#include "guest/qmp.h"
#include "guest/sink.h"
#include "guest/site.h"

/* What all machines of a run share. */
struct vm_env {
	const struct child_user *user; /* NULL: ours */
	struct journal *journal;       /* NULL: none kept */
	int stop_fd;		       /* readable when the user wants to stop; -1: none */
	/* called about four times a second while waiting; nonzero ends the wait with that code and
	 * *cause */
	int (*tick)(void *arg, enum cause *cause, struct err *e);
	void *tick_arg;
};

struct vm {
	const struct vm_env *env;
	struct child child;
	struct qmp qmp;
	struct agent *agent;
	struct sink console, log;
	/*
	 * A process that the machine cannot do without (a vhost-user server), -1: none. Whenever
	 * beside_fd becomes readable in a wait, beside says what happened; nonzero ends the wait.
	 * Set after the start.
	 */
	int beside_fd;
	int (*beside)(void *arg, struct err *e);
	void *beside_arg;
	/* how long this machine, or the one whose state it has, took to boot; 0: not known */
	uint64_t boot_ns;
	enum cause cause; /* of the last failure */
};

/*
 * Starts QEMU. incoming_fd >= 0 restores from it (not closed here). folder receives qemu.txt,
 * console.log, qemu.log. Returns when QMP is in command mode. On failure nothing runs and v->cause
 * says why.
 */
int vm_start(struct vm *v, const struct vm_env *env, const struct machine *m, int incoming_fd,
	     const char *folder, struct err *e);

/*
 * How long QEMU may take to answer a question that it need not think about. It answers from its
 * main loop, which waits meanwhile for whatever else it does: an image of a device without an
 * iothread, on a disk that others flush; a CPU that others have.
 */
#define VM_ANSWER_MS 30000

/* One QMP call with a deadline of timeout_ms; see qmp_call. Sets cause. */
int vm_qmp(struct vm *v, const char *cmd, json_t *args, json_t **ret, int timeout_ms,
	   struct err *e);

/*
 * Waits for the next message of the agent: 0 and *msg (caller: agent_msg_free), or negative with
 * cause set: QEMU ended, the guest shut down or panicked, an I/O error, the deadline
 * (CLOCK_MONOTONIC ns), a stop.
 */
int vm_next(struct vm *v, uint64_t deadline, struct agent_msg *msg, struct err *e);

/* Sends a request and waits for its answer; messages to other requests are dropped. payload is
 * stolen. */
int vm_ask(struct vm *v, enum wire_type type, json_t *payload, int timeout_ms, json_t **body,
	   struct err *e);

/* Waits while driving sinks and events, for at most ms. 0, or as vm_next. */
int vm_idle(struct vm *v, int ms, struct err *e);

/*
 * For a caller that waits for several machines at once: the descriptors to poll (at most VM_FDS;
 * returns how many), and then a turn, which handles what there is without waiting. A turn is 0, or
 * as vm_next; messages of the agent are taken with agent_take afterwards.
 */
#define VM_FDS 7
size_t vm_fds(const struct vm *v, struct pollfd fds[VM_FDS]);
int vm_turn(struct vm *v, struct err *e);

/* clean: QMP quit (images closed properly), then by force. Never fails to end it. */
void vm_end(struct vm *v, bool clean);

/* CPU time of the process by thread class, in ns since it started. Threads that have ended count as
 * rest. */
struct vm_cpu {
	uint64_t vcpu, iothread, rest;
	uint64_t wait; /* in which vCPU threads could have run and had no CPU */
};

/* Threads of the classes, read once through QMP. */
struct vm_threads {
	int vcpu[256], iothread[64];
	size_t nvcpu, niothread;
};
int vm_threads(struct vm *v, struct vm_threads *out, struct err *e);
void vm_cpu(const struct vm *v, const struct vm_threads *t, struct vm_cpu *out);

#endif
