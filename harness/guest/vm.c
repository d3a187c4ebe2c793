// SPDX-License-Identifier: GPL-2.0-or-later
/* Starting, driving and ending one QEMU. All its sockets are anonymous pairs: nothing to find,
 * steal or leave behind. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "base/term.h"
#include "guest/agent_decode.h"
#include "guest/vm.h"

#define QMP_START_MS 60000 /* until QEMU greets: a loaded host may need long to page it in */
#define MS 1000000ull

/* Why QEMU ended, from its exit status and its last words. */
static int vm_gone(struct vm *v, struct err *e)
{
	int status = 0;
	char buf[64], *tail;
	bool ended = !child_wait(&v->child, 2000, &status);

	sink_drain(&v->log);
	sink_drain(&v->console);
	if (ended && v->env->journal)
		v->child.pid = 0;
	v->cause = CAUSE_QEMU;
	tail = sink_tail(&v->log, 600);
	err_set(e, -ECONNRESET, "QEMU ended by itself (%s)%s%s",
		ended ? child_status_text(status, buf, sizeof(buf))
		      : "it closed its control socket",
		*tail ? ": " : "", tail);
	free(tail);
	return -ECONNRESET;
}

/* A guest that powers itself off, resets or panics also makes QEMU end (-no-reboot): the event says
 * which. */
static int vm_events(struct vm *v, struct err *e)
{
	json_t *ev;
	int rc = 0;

	while (!rc && (ev = qmp_event(&v->qmp, NULL))) {
		const char *name = json_string_value(json_object_get(ev, "event"));
		json_t *data = json_object_get(ev, "data");

		if (!strcmp(name, "SHUTDOWN")) {
			const char *why = json_string_value(json_object_get(data, "reason"));
			const char *alarm = sink_alarm(&v->console);
			char *tail;

			sink_drain(&v->console);
			tail = sink_tail(&v->console, 600);
			v->cause = CAUSE_GUEST;
			rc = err_set(e, -ECONNRESET, "the guest went down (%s)%s%s%s%s",
				     why ? why : "?", *alarm ? ": " : "", alarm,
				     *tail ? "; its console ends: " : "", tail);
			free(tail);
		} else if (!strcmp(name, "BLOCK_IO_ERROR") &&
			   strcmp(json_string_value(json_object_get(data, "action")) ?: "",
				  "ignore")) {
			bool full = json_is_true(json_object_get(data, "nospace"));
			const char *why = json_string_value(json_object_get(data, "reason"));

			v->cause = full ? CAUSE_DISK_FULL : CAUSE_IO;
			rc = err_set(e, full ? -ENOSPC : -EIO, "I/O error on the image: %s",
				     why    ? why
				     : full ? "no space left"
					    : "unknown");
		} else if (!strcmp(name, "BLOCK_IMAGE_CORRUPTED")) {
			const char *why = json_string_value(json_object_get(data, "msg"));

			v->cause = CAUSE_IO;
			rc = err_set(e, -EIO, "QEMU finds the image corrupt: %s",
				     why ? why : "(it gives no reason)");
		}
		json_decref(ev);
	}
	return rc;
}

static int vm_pair(int sv[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return err_set(e, -errno, "socketpair: %s", strerror(errno));
	return 0;
}

static void vm_artefact(const char *folder, const char *name, char *const *argv)
{
	char *shell = argv_shell(argv), *path = xasprintf("%s/%s", folder, name);
	FILE *f = fopen(path, "we");

	if (f) {
		fprintf(f, "%s\n", shell);
		fclose(f);
	}
	free(path);
	free(shell);
}

static int vm_spawn(struct vm *v, const struct machine *m, int incoming_fd, const char *folder,
		    int ours[4], struct err *e)
{
	int theirs[4] = {-1, -1, -1, -1}, i, rc = 0;
	char **argv;

	for (i = 0; i < 4 && !rc; i++) {
		int sv[2];

		rc = vm_pair(sv, e);
		if (!rc) {
			ours[i] = sv[0];
			theirs[i] = sv[1];
		}
	}
	if (!rc) {
		struct machine_fds fds = {theirs[0], theirs[1], theirs[2], incoming_fd};
		int keep[4] = {theirs[0], theirs[1], theirs[2], incoming_fd};
		struct child_opts o = {.in = -1,
				       .out = theirs[3],
				       .err = theirs[3],
				       .keep = keep,
				       .nkeep = incoming_fd >= 0 ? 4 : 3,
				       .user = v->env->user,
				       .own_group = true};

		argv = machine_argv(m, &fds, false);
		o.argv = (const char *const *)argv;
		if (folder)
			vm_artefact(folder, "qemu.txt", argv);
		rc = child_start(&v->child, &o, e);
		argv_free(argv);
	}
	for (i = 0; i < 4; i++)
		if (theirs[i] >= 0)
			close(theirs[i]);
	return rc;
}

int vm_start(struct vm *v, const struct vm_env *env, const struct machine *m, int incoming_fd,
	     const char *folder, struct err *e)
{
	int ours[4] = {-1, -1, -1, -1}, i, rc;
	char *console = folder ? xasprintf("%s/console.log", folder) : NULL;
	char *log = folder ? xasprintf("%s/qemu.log", folder) : NULL;

	*v = (struct vm){.env = env,
			 .child = {.pidfd = -1},
			 .qmp = {.fd = -1},
			 .beside_fd = -1,
			 .console = {.fd = -1, .file = -1},
			 .log = {.fd = -1, .file = -1}};
	v->cause = CAUSE_QEMU;
	rc = vm_spawn(v, m, incoming_fd, folder, ours, e);
	if (rc) {
		for (i = 0; i < 4; i++)
			if (ours[i] >= 0)
				close(ours[i]);
		goto out;
	}
	if (env->journal)
		journal_pid(env->journal, v->child.pid, NULL);
	qmp_init(&v->qmp, ours[0]);
	v->agent = agent_new(ours[1]);
	rc = sink_open(&v->console, ours[2], console, e);
	if (!rc)
		rc = sink_open(&v->log, ours[3], log, e);
	else
		close(ours[3]);
	if (!rc) {
		rc = qmp_greet(&v->qmp, clock_mono_ns() + QMP_START_MS * MS, e);
		if (rc == -ECONNRESET)
			rc = vm_gone(v, e);
	}
	if (rc)
		vm_end(v, false);
out:
	free(console);
	free(log);
	return rc;
}

int vm_qmp(struct vm *v, const char *cmd, json_t *args, json_t **ret, int timeout_ms, struct err *e)
{
	int rc = qmp_call(&v->qmp, cmd, args, -1, clock_mono_ns() + (uint64_t)timeout_ms * MS, ret,
			  e);

	if (!rc)
		return 0;
	v->cause = rc == -ETIMEDOUT ? CAUSE_TIMEOUT : CAUSE_QEMU;
	if (rc == -ECONNRESET) {
		struct err why = {0};

		if (vm_events(v, &why))
			return err_set(e, rc, "%s", why.text);
		return vm_gone(v, e);
	}
	return rc;
}

size_t vm_fds(const struct vm *v, struct pollfd fds[VM_FDS])
{
	const int all[VM_FDS] = {agent_fd(v->agent), v->qmp.fd,	      v->console.fd, v->log.fd,
				 v->child.pidfd,     v->env->stop_fd, v->beside_fd};

	for (size_t i = 0; i < VM_FDS; i++)
		fds[i] = (struct pollfd){.fd = all[i], .events = POLLIN};
	return VM_FDS;
}

/*
 * One poll over everything that can happen. Returns 1 when an agent message may be there, 0 after a
 * quiet slice, negative when the wait is over.
 */
static int vm_poll(struct vm *v, int timeout_ms, struct err *e)
{
	struct pollfd p[VM_FDS];
	int rc;

	if (poll(p, vm_fds(v, p), timeout_ms) < 0 && errno != EINTR)
		return err_set(e, -errno, "poll: %s", strerror(errno));
	if (p[5].revents) {
		v->cause = CAUSE_INTERRUPTED;
		return err_set(e, -EINTR, "interrupted");
	}
	if (p[2].revents)
		sink_drain(&v->console);
	if (p[3].revents)
		sink_drain(&v->log);
	if (p[1].revents) {
		struct err lost = {0};
		int in = qmp_input(&v->qmp, &lost);

		rc = vm_events(v, e);
		if (rc)
			return rc;
		if (in)
			return vm_gone(v, e);
	}
	if (p[4].revents)
		return vm_gone(v, e);
	rc = p[6].revents && v->beside ? v->beside(v->beside_arg, e) : 0;
	if (rc) {
		v->beside_fd = -1; /* its owner closes it */
		v->cause = CAUSE_QEMU;
		return rc;
	}
	if (p[0].revents) {
		rc = agent_input(v->agent, e);
		if (rc) {
			/* QEMU's end closes this socket too, a moment before the others tell why */
			if (rc == -ECONNRESET || rc == -EPIPE)
				return vm_gone(v, e);
			v->cause = CAUSE_AGENT;
			return rc;
		}
		return 1;
	}
	return 0;
}

static int vm_tick(struct vm *v, uint64_t *last, struct err *e)
{
	uint64_t now = clock_mono_ns();

	if (!v->env->tick || now - *last < 250 * MS)
		return 0;
	*last = now;
	return v->env->tick(v->env->tick_arg, &v->cause, e);
}

static int vm_silent(struct vm *v, struct err *e)
{
	char *tail;

	sink_drain(&v->console);
	tail = sink_tail(&v->console, 500);
	v->cause = CAUSE_TIMEOUT;
	err_set(e, -ETIMEDOUT, "the guest did not answer in time%s%s",
		*tail ? "; its console ends: " : "", tail);
	free(tail);
	return -ETIMEDOUT;
}

int vm_next(struct vm *v, uint64_t deadline, struct agent_msg *msg, struct err *e)
{
	uint64_t last = 0;

	for (;;) {
		uint64_t now = clock_mono_ns();
		int rc;

		if (agent_take(v->agent, msg) > 0)
			return 0;
		if (now >= deadline) {
			return vm_silent(v, e);
		}
		rc = vm_tick(v, &last, e);
		if (rc)
			return rc;
		now = (deadline - now) / MS + 1;
		rc = vm_poll(v, now > 250 ? 250 : (int)now, e);
		if (rc < 0)
			return rc;
	}
}

int vm_turn(struct vm *v, struct err *e)
{
	int rc = vm_poll(v, 0, e);

	return rc < 0 ? rc : 0;
}

int vm_idle(struct vm *v, int ms, struct err *e)
{
	uint64_t until = clock_mono_ns() + (uint64_t)ms * MS;

	for (;;) {
		uint64_t now = clock_mono_ns();
		int rc;

		if (now >= until)
			return 0;
		rc = vm_poll(v, (int)((until - now) / MS + 1), e);
		if (rc < 0)
			return rc;
	}
}

int vm_ask(struct vm *v, enum wire_type type, json_t *payload, int timeout_ms, json_t **body,
	   struct err *e)
{
	uint64_t deadline = clock_mono_ns() + (uint64_t)timeout_ms * MS;
	struct agent_msg msg;
	uint16_t seq;
	int rc = agent_send(v->agent, type, payload, &seq, e);

	if (body)
		*body = NULL;
	if (rc) {
		v->cause = CAUSE_AGENT;
		return rc;
	}
	for (;;) {
		rc = vm_next(v, deadline, &msg, e);
		if (rc)
			return rc;
		if (msg.seq == seq && msg.type == WIRE_ERROR) {
			char why[512];

			v->cause = CAUSE_AGENT;
			rc = err_set(e, -EREMOTEIO, "the guest's agent says: %s",
				     agent_decode_error(msg.body, why, sizeof(why)));
			agent_msg_free(&msg);
			return rc;
		}
		if (msg.seq == seq && (msg.type == WIRE_REPLY || msg.type == WIRE_RESULT)) {
			if (body)
				*body = json_incref(msg.body);
			agent_msg_free(&msg);
			return 0;
		}
		agent_msg_free(&msg);
	}
}

void vm_end(struct vm *v, bool clean)
{
	pid_t pid = v->child.pid;
	uint64_t start = v->child.start;

	if (v->child.pid && clean &&
	    !qmp_call(&v->qmp, "quit", NULL, -1, clock_mono_ns() + 5000 * MS, NULL, NULL))
		child_wait(&v->child, 10000, NULL);
	/* SIGTERM makes a stuck QEMU wait for I/O that never ends: there is nothing in it to save
	 */
	child_end(&v->child, 0, NULL);
	/* one that hangs in the kernel stays on the list, for the next start to try again */
	if (pid && v->env && v->env->journal && (!start || child_start_time(pid) != start))
		journal_done_pid(v->env->journal, pid);
	qmp_free(&v->qmp);
	agent_free(v->agent);
	v->agent = NULL;
	sink_close(&v->console);
	sink_close(&v->log);
}

int vm_threads(struct vm *v, struct vm_threads *out, struct err *e)
{
	json_t *r = NULL, *row;
	size_t i;
	int rc = vm_qmp(v, "query-cpus-fast", NULL, &r, VM_ANSWER_MS, e);

	*out = (struct vm_threads){0};
	if (rc)
		return rc;
	json_array_foreach(r, i, row)
	{
		if (out->nvcpu < sizeof(out->vcpu) / sizeof(*out->vcpu))
			out->vcpu[out->nvcpu++] =
				(int)json_integer_value(json_object_get(row, "thread-id"));
	}
	json_decref(r);
	rc = vm_qmp(v, "query-iothreads", NULL, &r, VM_ANSWER_MS, e);
	if (rc)
		return rc;
	json_array_foreach(r, i, row)
	{
		if (out->niothread < sizeof(out->iothread) / sizeof(*out->iothread))
			out->iothread[out->niothread++] =
				(int)json_integer_value(json_object_get(row, "thread-id"));
	}
	json_decref(r);
	return 0;
}

/* ns that a thread has run, and that it has waited on a run queue: schedstat's first two numbers
 * (Documentation/scheduler/sched-stats). */
static uint64_t thread_ns(pid_t pid, int tid, uint64_t *wait)
{
	char path[64], line[96], *end;
	uint64_t ran;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)pid, tid);
	if (file_line(path, line, sizeof(line)))
		return 0;
	ran = strtoull(line, &end, 10);
	*wait += strtoull(end, NULL, 10);
	return ran;
}

void vm_cpu(const struct vm *v, const struct vm_threads *t, struct vm_cpu *out)
{
	struct timespec ts;
	clockid_t clock;
	uint64_t all = 0, other = 0;
	size_t i;

	*out = (struct vm_cpu){0};
	for (i = 0; i < t->nvcpu; i++)
		out->vcpu += thread_ns(v->child.pid, t->vcpu[i], &out->wait);
	for (i = 0; i < t->niothread; i++)
		out->iothread += thread_ns(v->child.pid, t->iothread[i], &other);
	if (!clock_getcpuclockid(v->child.pid, &clock) && !clock_gettime(clock, &ts))
		all = (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
	out->rest = all > out->vcpu + out->iothread ? all - out->vcpu - out->iothread : 0;
}
