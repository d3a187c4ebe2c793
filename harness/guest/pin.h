/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which CPUs a guest's threads may use, and which memory: set by guest.pin, guest.pages,
 * guest.nodes; and read back. */
#ifndef VB_GUEST_PIN_H
#define VB_GUEST_PIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/err.h"

struct vm_threads;

/* CPU lists as the kernel writes them ("0-3,8"). A class without lists stays as it is. */
struct pin {
	char **vcpu; /* vCPU i gets list i modulo nvcpu */
	size_t nvcpu;
	char **iothread; /* the same */
	size_t niothread;
	char *emulator; /* all other threads of QEMU */
	char *server;	/* all threads of its disk's vhost-user server */
	char *nodes;	/* NUMA nodes that the planner wants its memory on ("0"); NULL: no word */
};

/*
 * From guest.pin as written out: "VCPUS[/IOTHREADS[/EMULATOR]]", each CPU numbers and ranges joined
 * by +
 * ("4-7/2+3/0-1"): vCPU i and iothread i on the i-th CPU of their part, the other threads on any of
 * theirs. NULL, or what is wrong with the text. out may be NULL: only checked. Free with pin_free.
 */
const char *pin_parse(const char *text, struct pin *out);
void pin_free(struct pin *p);

/* Nodes as the kernel writes them ("0-1") of what guest.nodes or the planner say ("0+1", "0,1");
 * NULL: no list. Caller frees. */
char *pin_nodes(const char *text);

/* All CPUs of the iothreads' part as one list; NULL: it has none. Caller frees. */
char *pin_iothreads(const struct pin *p);

/* For people, and for asked/got: "vcpus 4 5 6 7, iothreads 2 3, emulator 0-1, server 2-3", for so
 * many threads of each. Caller frees. */
char *pin_text(const struct pin *p, size_t nvcpu, size_t niothread);

/*
 * Sets the affinity of every thread of a QEMU process (sched_setaffinity); threads that it makes
 * later inherit it. -EINVAL with the CPU named when this host has it not.
 */
int pin_threads(pid_t pid, const struct vm_threads *t, const struct pin *p, struct err *e);

/* The same for every thread of another process (who, for messages). */
int pin_process(pid_t pid, const char *list, const char *who, struct err *e);
/* Each distinct affinity of a process's threads: ["2-3", ...], null for what cannot be read. New
 * reference. */
json_t *pin_process_evidence(pid_t pid);

/* What is in force: {"vcpu": ["4", ...], "iothread": [...], "emulator": ["0-1", ...: each distinct
 * one], "own": vbench's own affinity}; null for what cannot be read. New reference. */
json_t *pin_evidence(pid_t pid, const struct vm_threads *t);

/*
 * The guest's memory, which is the process's largest mapping: {"page": bytes a page, "nodes": {"0":
 * bytes, ...}, "policy": "default" | "bind:0" | ...} from /proc/PID/numa_maps; null where it cannot
 * be read. New reference.
 */
json_t *pin_memory(pid_t pid);
/* The same of a numa_maps's text. */
json_t *pin_memory_text(const char *text);

#endif
