/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads of a running QEMU: which is which, where they may run, how long they wait. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "vm/internal.h"

enum { THREADS_MAX = 65536 };

struct thread {
	int tid;
	char comm[32];
};

/* "CPU 3/KVM", as QEMU names them with debug-threads=on; -1: no vCPU. */
static int vcpu_of(const char *comm)
{
	char *end;
	long n;

	if (strncmp(comm, "CPU ", 4) || !isdigit((unsigned char)comm[4]))
		return -1;
	n = strtol(comm + 4, &end, 10);
	return *end == '/' && n < 4096 ? (int)n : -1;
}

/* libvirt numbers them 1, 2 and names QEMU's objects iothread1, iothread2. */
static bool is_named(const char *id, const char *name)
{
	char own[128];

	snprintf(own, sizeof(own), "%s%s", isdigit((unsigned char)*id) ? "iothread" : "", id);
	return !strcmp(own, name);
}

/* "IO name": the iothread of that id; a new one where the command line named none such; -1: none.
 */
static int iothread_of(struct vm *vm, const char *comm, const char *where)
{
	unsigned count = vm_count(vm, "iothread");

	/* The monitor's own thread does no disk I/O. */
	if (strncmp(comm, "IO ", 3) || !comm[3] || !strcmp(comm, "IO mon_iothread"))
		return -1;
	for (unsigned i = 0; i < count; i++) {
		const char *id = vm_get(vm, VM_ASKED, "iothread.%u.id", i);

		if (id && is_named(id, comm + 3))
			return (int)i;
	}
	vm_set(vm, VM_GOT, comm + 3, where, "iothread.%u.id", count);
	return (int)count;
}

/*
 * Whether each iothread asked for was found. QEMU names a thread with pthread_setname_np(3), which
 * refuses what is longer than 15 characters: an id over 12 has no name of its own, and its thread
 * looks like any other.
 */
static bool iothreads_found(struct vm *vm, const char *where)
{
	unsigned count = vm_count(vm, "iothread"), lost = 0;
	const char *first = NULL;

	for (unsigned i = 0; i < count; i++) {
		const char *id = vm_get(vm, VM_ASKED, "iothread.%u.id", i);

		if (!id || vm_get(vm, VM_GOT, "iothread.%u.tid", i))
			continue;
		first = first ? first : id;
		lost++;
	}
	if (lost)
		vm_note(vm,
			"%s: %u of its iothreads cannot be told from other threads (\"%s\"%s): a "
			"thread's name holds 15 characters, so only ids up to 12 show",
			where, lost, first, lost > 1 ? ", ..." : "");
	return !lost;
}

/* Fields 40 and 41 of stat: real-time priority and policy [proc(5)]. */
static bool sched_text(const struct proc *p, int tid, char *buf, size_t size)
{
	char *text = proc_text(p, 4096, "task/%d/stat", tid);
	const char *at = text ? strrchr(text, ')') : NULL;
	unsigned long priority = 0, policy = 0;
	int field = 2;

	while (at && field < 41 && (at = strchr(at + 1, ' '))) {
		field++;
		if (field == 40)
			priority = strtoul(at + 1, NULL, 10);
		if (field == 41)
			policy = strtoul(at + 1, NULL, 10);
	}
	free(text);
	if (field < 41)
		return false;
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		snprintf(buf, size, "%s:%lu", policy == SCHED_FIFO ? "fifo" : "rr", priority);
	else
		snprintf(buf, size, "%s",
			 policy == SCHED_BATCH	? "batch"
			 : policy == SCHED_IDLE ? "idle"
			 : policy == 6		? "deadline"
						: "other");
	return true;
}

/* Affinity and policy under a prefix: "vcpu.0", "iothread.1", "emulator". */
static void thread_set(struct vm *vm, const struct proc *p, int tid, const char *prefix)
{
	char *status = proc_text(p, 1 << 16, "task/%d/status", tid), value[8192], where[64];

	snprintf(where, sizeof(where), "/proc/%d/task/%d", p->pid, tid);
	if (status && proc_field(status, "Cpus_allowed_list", value, sizeof(value))) {
		char *cpus = vm_cpus(value);

		if (cpus)
			vm_set(vm, VM_GOT, cpus, where, "%s.pin", prefix);
		free(cpus);
	}
	if (sched_text(p, tid, value, sizeof(value)))
		vm_set(vm, VM_GOT, value, where, "%s.sched", prefix);
	free(status);
}

static void vcpu_set(struct vm *vm, const struct proc *p, int tid, int n)
{
	char *text = proc_text(p, 256, "task/%d/schedstat", tid), prefix[24], where[64];
	uint64_t run, wait;

	snprintf(prefix, sizeof(prefix), "vcpu.%d", n);
	snprintf(where, sizeof(where), "/proc/%d/task/%d", p->pid, tid);
	thread_set(vm, p, tid, prefix);
	vm_set_number(vm, VM_GOT, (uint64_t)tid, where, "vcpu.%d.tid", n);
	if (text && sscanf(text, "%" SCNu64 " %" SCNu64, &run, &wait) == 2) {
		vm_set_number(vm, VM_GOT, run, where, "vcpu.%d.run-ns", n);
		vm_set_number(vm, VM_GOT, wait, where, "vcpu.%d.wait-ns", n);
	}
	free(text);
}

static int by_tid(const void *a, const void *b)
{
	const struct thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

/* New, in order of their numbers. */
static struct thread *threads_list(const struct proc *p, size_t *n)
{
	int fd = openat(p->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct thread *list = NULL;
	struct dirent *entry;

	*n = 0;
	if (!d && fd >= 0)
		close(fd);
	while (d && *n < THREADS_MAX && (entry = readdir(d))) {
		int tid = atoi(entry->d_name);
		char *comm;

		if (tid <= 0)
			continue;
		comm = proc_text(p, 64, "task/%d/comm", tid);
		if (!comm)
			continue; /* it has ended meanwhile */
		comm[strcspn(comm, "\n")] = '\0';
		list = xrealloc(list, *n + 1, sizeof(*list));
		list[*n].tid = tid;
		snprintf(list[(*n)++].comm, sizeof(list->comm), "%s", comm);
		free(comm);
	}
	if (d)
		closedir(d);
	if (*n)
		qsort(list, *n, sizeof(*list), by_tid);
	return list;
}

void proc_threads(struct vm *vm, const struct proc *p)
{
	size_t n, rest = 0, vcpus = 0, iothreads = 0;
	struct thread *list = threads_list(p, &n);
	char where[64];

	for (size_t i = 0; i < n; i++) {
		char *comm = vm_clean_text(list[i].comm, strlen(list[i].comm));
		int vcpu = vcpu_of(comm), io = -1;

		snprintf(where, sizeof(where), "/proc/%d/task/%d", p->pid, list[i].tid);
		if (vcpu >= 0) {
			vcpus++;
			vcpu_set(vm, p, list[i].tid, vcpu);
		} else if ((io = iothread_of(vm, comm, where)) >= 0) {
			char prefix[24];

			iothreads++;
			snprintf(prefix, sizeof(prefix), "iothread.%d", io);
			thread_set(vm, p, list[i].tid, prefix);
			vm_set_number(vm, VM_GOT, (uint64_t)list[i].tid, where, "iothread.%d.tid",
				      io);
		} else {
			rest++;
		}
		free(comm);
	}
	free(list);
	thread_set(vm, p, p->pid, "emulator");
	snprintf(where, sizeof(where), "/proc/%d/task", p->pid);
	if (!n) {
		vm_note(vm, "%s cannot be listed: its threads are left out", where);
		return;
	}
	vm_set_flag(vm, VM_GOT, vcpus > 0, where, "debug-threads");
	if (!vcpus) {
		vm_note(vm,
			"%s: threads carry no names (QEMU runs without -name ...,debug-threads=on), "
			"so which are vCPUs or iothreads cannot be told",
			where);
		return;
	}
	vm_set_number(vm, VM_GOT, vcpus, where, "vcpus");
	if (!iothreads_found(vm, where))
		return;
	vm_set_number(vm, VM_GOT, iothreads, where, "iothreads");
	vm_set_number(vm, VM_GOT, rest, where, "emulator.threads");
}
