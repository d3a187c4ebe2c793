/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rules' checks share: who can be looked at, CPU sets, the usual findings. */
#ifndef VB_TUNER_INTERNAL_H
#define VB_TUNER_INTERNAL_H

#include <hwloc.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include "tuner/audit.h"
#include "tuner/rule.h"

/* --- words (text.c, rule.c) --- */

struct rule_texts_list {
	struct rule_text *text;
	size_t n;
};
/* Adds the sections of a text in the form of tuning.md; copy is cut up, and borrowed from. */
void rule_texts_parse(char *copy, struct rule_texts_list *list);

/* "  label     text", wrapped at 100 columns with the text's own left edge. */
void text_put(FILE *out, const char *label, const char *text);

/* --- findings --- */

/* The usual findings; each returns what it added, as finding_add does. part and where may be
 * NULL. */
struct finding *found_ok(struct findings *f, enum vm_side side, const char *part, const char *where,
			 const char *found, ...) __attribute__((format(printf, 5, 6)));
struct finding *found_bad(struct findings *f, enum vm_side side, const char *part,
			  const char *where, const char *found, ...)
	__attribute__((format(printf, 5, 6)));
/* why: the reason. */
void found_none(struct findings *f, const char *why, ...) __attribute__((format(printf, 2, 3)));
/* side: what cannot be told; how: the reason, and what would tell. */
void found_unknown(struct findings *f, enum vm_side side, const char *part, const char *how, ...)
	__attribute__((format(printf, 4, 5)));

/* Each adds the reason why not, when it is false. */
/* There is a machine to look at, not only a host. */
bool need_vm(const struct subject *s, struct findings *f);
/* Host facts may be held against the machine (or the host alone is audited). */
bool need_host(const struct subject *s, struct findings *f);

/* The machine runs, so that VM_GOT can say something. */
bool is_running(const struct subject *s);
/* It was described by a QEMU command line, which has no words for pins. */
bool is_command(const struct vm *vm);
/* It is what a profile of vbench's asks for: the guest is vbench's own, and bare on purpose. */
bool is_profile(const struct vm *vm);
/* Adds "not applicable" for such a guest, where no key of a profile decides. */
bool need_own_devices(const struct subject *s, struct findings *f);
/* Proxmox VE started it, by its machine type. */
bool is_proxmox(const struct vm *vm);
bool is_windows(const struct vm *vm);
/* The model as -cpu takes it, for advice: libvirt's modes are no models of QEMU's. Borrowed. */
const char *cpu_option(const struct vm *vm);
/* "/domain/..." or "", as found_* take it: NULL when the fact is not there. */
#define fact_where(vm, side, ...) \
	(*vm_where(vm, side, __VA_ARGS__) ? vm_where(vm, side, __VA_ARGS__) : (const char *)NULL)

/* Whether an unsaid fact may be in a file that was not read (-readconfig); says so as "can't tell".
 */
bool may_say(const struct subject *s, struct findings *f, const char *key);

/*
 * A fact that should be on (or off). Says followed or broken of the side where it is there; where
 * it is not said, what QEMU does by itself: unsaid 1 on, 0 off, -1 cannot be told. Returns the
 * finding when broken (want and changes are the caller's), else NULL.
 */
struct finding *check_flag(const struct subject *s, struct findings *f, enum vm_side side,
			   bool want, int unsaid, const char *what, const char *key);

/* --- CPUs and nodes: hwloc's bitmaps, to be freed by hwloc_bitmap_free --- */

/* Of a CPU list; NULL for NULL and for what is not one. */
hwloc_bitmap_t cpus_parse(const char *list);
/* As the kernel writes it: "0-3,8"; caller frees. */
char *cpus_text(hwloc_const_bitmap_t set);
unsigned cpus_count(hwloc_const_bitmap_t set);

/* Where a thread was asked to be, or is: its own pin, else the machine's cpuset (VM_ASKED), else
 * NULL (free to go everywhere, or not known). what: "vcpu", "iothread", "emulator" (i is 0). */
hwloc_bitmap_t thread_cpus(const struct vm *vm, enum vm_side side, const char *what, unsigned i);
/* Of all vCPUs together; NULL when one of them has none. */
hwloc_bitmap_t vcpus_cpus(const struct vm *vm, enum vm_side side);
/* How many vCPUs are pinned to exactly one CPU. */
unsigned vcpus_pinned(const struct vm *vm, enum vm_side side);
/* Number of vCPUs online at start; 0: not known. */
unsigned vcpus_of(const struct vm *vm);
/* Every vCPU has one CPU of its own (asked for, or in force). */
bool is_dedicated(const struct subject *s, enum vm_side side);
/* It is one of those guests that the advice for speed is for: a CPU of its own for each vCPU, or
 * --for latency or realtime says so. */
bool wants_speed(const struct subject *s);
/* The same as a check: adds "not applicable" when not. */
bool need_speed(const struct subject *s, struct findings *f);
/* --for latency or realtime, else "not applicable". */
bool need_latency(const struct subject *s, struct findings *f);

/* All CPUs of the host that are online; physical cores; nodes with CPUs or memory. */
hwloc_bitmap_t host_cpus(const struct subject *s);
unsigned host_threads(const struct subject *s);
unsigned host_cores(const struct subject *s);
unsigned host_nodes(const struct subject *s);
/* Bytes of memory; 0: not known. */
uint64_t host_memory(const struct subject *s);
/* The word of a file of the host ("services", one a line) is there; -1: the file is not known. */
int host_service(const struct subject *s, const char *name);
/* A flag of the first CPU in /proc/cpuinfo; -1: not known. */
int host_cpu_flag(const struct subject *s, const char *flag);
/* --for latency or realtime. */
bool matters_latency(const struct subject *s);
/* tuned's profile on the host; NULL: tuned is not in use, or the snapshot has no word of it. */
const char *tuned_profile(const struct subject *s);
/* One of tuned's profiles for low latency. */
bool is_low_latency(const char *profile);
/* The nodes (os numbers) that CPUs belong to. */
hwloc_bitmap_t nodes_of(const struct subject *s, hwloc_const_bitmap_t cpus);
/* All CPUs that share a core with these, these included. */
hwloc_bitmap_t siblings_of(const struct subject *s, hwloc_const_bitmap_t cpus);
/* Bytes of memory of a node; 0: none, or not known (of no node then). */
uint64_t node_memory(const struct subject *s, unsigned node);
/* The CPUs that share cpu's last-level cache; NULL: not known. */
hwloc_bitmap_t llc_of(const struct subject *s, unsigned cpu);

/* --- nodes --- */

#define NODES_PLAN "vbench plan works out CPUs and nodes together"

/* There is a machine, its host is known, and has more than one node; else adds why not. */
bool need_nodes(const struct subject *s, struct findings *f);
/* Bytes of memory asked for; 0: not said. */
uint64_t memory_of(const struct vm *vm);
/* Where its vCPUs may run, as nodes; NULL: everywhere, or not known. */
hwloc_bitmap_t cpu_nodes(const struct subject *s, enum vm_side side);
/* Whether some node has room for all of it beside what is the host's; where the memory of nodes is
 * not known, by CPUs alone. */
bool fits_a_node(const struct subject *s);

/* --- checks that stand in another file than their row --- */

void check_cpu_06(const struct subject *s, struct findings *f); /* rules_pin.c */
void check_cpu_07(const struct subject *s, struct findings *f);
void check_cpu_08(const struct subject *s, struct findings *f);
void check_cpu_09(const struct subject *s, struct findings *f); /* rules_smt.c */
void check_cpu_10(const struct subject *s, struct findings *f);
void check_cpu_11(const struct subject *s, struct findings *f);
void check_cpu_25(const struct subject *s, struct findings *f);
void check_cpu_23(const struct subject *s, struct findings *f); /* rules_dedicated.c */
void check_cpu_24(const struct subject *s, struct findings *f);
void check_numa_04(const struct subject *s, struct findings *f); /* rules_vnuma.c */
void check_numa_05(const struct subject *s, struct findings *f);
void check_cpu_12(const struct subject *s, struct findings *f); /* rules_power.c */
void check_cpu_13(const struct subject *s, struct findings *f);
void check_cpu_14(const struct subject *s, struct findings *f);
void check_cpu_15(const struct subject *s, struct findings *f);
void check_cpu_16(const struct subject *s, struct findings *f);
void check_cpu_17(const struct subject *s, struct findings *f);

#endif
