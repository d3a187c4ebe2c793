/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which CPUs and which memory for which guest: topology and wishes go in, a plan comes out. Pure:
 * nothing is read or changed; the same input gives the same plan. Rules: CPU-03, 04, 06 to 10, 25;
 * NUMA-01, 02, 04, 05; MEM-01, 02, 10 (tuning.md).
 */
#ifndef VB_PLACE_PLACE_H
#define VB_PLACE_PLACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/err.h"
#include "host/snapshot.h"

/* One logical CPU. */
struct place_cpu {
	unsigned os;		     /* the kernel's number */
	unsigned core;		     /* index over all cores; siblings share it */
	unsigned package, llc, node; /* indices; node: index into nodes */
	unsigned kind;		     /* 0: the most capable; 1, ...: ever less (hybrid machines) */
	bool usable;		     /* online, and allowed to us */
	bool taken; /* others are pinned there: stays untouched, and so does the rest of its core */
	bool isolated; /* the kernel's scheduler leaves it alone (isolcpus, CPU-16) */
};

struct place_node {
	unsigned os;
	uint64_t memory, free;	   /* bytes; free UINT64_MAX: not known */
	uint64_t huge_2m, huge_1g; /* free pages */
	uint64_t pool;	    /* bytes in huge pages of all sizes, free or not: nobody else's */
	unsigned *distance; /* to each node, as the kernel's; NULL: not known */
};

/* A guest that runs on the machine and is not in the plan. */
struct place_other {
	char *name;
	unsigned vcpus;
	char *cpus; /* that its threads are pinned to one by one: CPU list, "" none */
};

struct place_host {
	struct place_cpu *cpus;
	size_t ncpus;
	struct place_node *nodes; /* at least one: a machine without NUMA has one node */
	size_t nnodes;
	unsigned cores; /* physical, usable */
	bool numa;	/* the kernel knows nodes; without, nothing can be bound to one */
	bool dies;	/* guests can be told dies (x86) */
	bool caches; /* llc is a cache; else the package, where no cache of several cores is known
		      */
	struct place_other *others; /* see place_host_other */
	size_t nothers;
	char *offline; /* CPU list, "" none */
	char *name;    /* snapshot_name */
};

/*
 * From a snapshot; caller frees with place_host_free. A cpu's node is the lowest numbered one that
 * it is local to; its llc is the L3 it shares (without L3: the L2 that several cores share; without
 * that: its package), within its node. Huge pages, free memory and isolated CPUs are read from the
 * snapshot's files, and are 0, not known and none where those are missing.
 */
void place_host_make(const struct snapshot *s, struct place_host *out);
void place_host_free(struct place_host *h);
/*
 * Adds a guest that runs there beside the plan's: its CPUs are taken, its vCPUs count for the total
 * limit. cpus: CPU list (copied, as name is), or NULL. On a machine with one usable CPU nothing is
 * taken: there, being on it says nothing.
 */
void place_host_other(struct place_host *h, const char *name, unsigned vcpus, const char *cpus);

enum place_smt {
	PLACE_SIBLINGS, /* neighbouring vCPUs on sibling threads, and the guest is told so (CPU-09)
			 */
	PLACE_ISOLATE,	/* one vCPU a core, its siblings stay empty */
	PLACE_SPREAD,	/* cores first, then siblings */
};

struct place_guest {
	const char *name;
	unsigned vcpus;	 /* at least 1 */
	uint64_t memory; /* bytes */
	uint64_t page;	 /* 0: normal pages; 2 MiB or 1 GiB: huge pages */
	unsigned iothreads;
	int disk_node; /* os number of the node of its disk's device; -1: not known */
	bool floating; /* not pinned one to one, only kept within nodes */
};

struct place_opts {
	enum place_smt smt;
	double total_ratio;  /* all vCPUs / logical CPUs; default 2 (CPU-04) */
	bool enforce;	     /* limits are refused, not only warned about */
	unsigned keep_cores; /* a node, for the host (CPU-25); default 1 where a node has 4 or more,
				else 0 */
	bool keep_default;
	bool small_cores;     /* vCPUs may use less capable cores; else those are for iothreads and
				 housekeeping */
	const char *reserved; /* CPU list that stays untouched, or NULL */
};
void place_opts_default(struct place_opts *o);

struct placed_guest {
	char *name;
	unsigned vcpus, iothreads;
	char **vcpu;	 /* [vcpus] CPU list of each; NULL when not placed */
	char **iothread; /* [iothreads]; NULL when not placed */
	char *emulator;	 /* CPU list; NULL when not placed */
	char *nodes; /* os numbers of its nodes, as a list; its memory's nodeset. NULL: not placed,
			or the machine has no nodes to bind to */
	const char *mode; /* memory mode: "strict", "preferred", "interleave"; NULL as nodes is */
	uint64_t memory, page;
	/* What the guest is to be told; 0: leave it. */
	unsigned sockets, dies, cores, threads;
	/* Virtual NUMA cells, when it spans nodes: vCPU list, host node, bytes. ncells 0: none. */
	struct place_cell {
		char *vcpus;
		unsigned node;
		uint64_t memory;
	} * cells;
	size_t ncells;
	bool placed;   /* false: there was no place; unmet says why */
	bool floating; /* its lists are CPUs that it may share with other floating guests */
};

struct place_plan {
	struct placed_guest *guests;
	size_t nguests;
	char *housekeeping; /* CPU list left to the host */
	char *host;	    /* snapshot_name */
	/* Sentences: why it is so; what it costs; what could not be satisfied and what would help;
	 * the limits of all sources with what each says of this plan; limits that are passed and
	 * other things to look at. */
	char **why, **costs, **unmet, **limits, **warnings;
	size_t nwhy, ncosts, nunmet, nlimits, nwarnings;
};

/* More is a wish that makes no sense. */
enum {
	PLACE_GUESTS_MAX = 512,
	PLACE_VCPUS_MAX = 4096,
	PLACE_IOTHREADS_MAX = 256,
	PLACE_CPUS_MAX = 4096
};

/*
 * Makes the plan. What it promises:
 *
 * - A pinned guest has each CPU to itself, and no core has CPUs of two guests. Its emulator threads
 *   are on the kept cores, else on a core kept for that, else on its own iothreads' CPUs.
 * - CPUs that are offline, not allowed, taken or reserved are never in a plan, and the siblings of
 *   taken and reserved ones neither.
 * - A guest that fits within one node of the otherwise empty machine (CPUs; 95 % of the memory that
 *   is not in huge pages; huge pages, where it wants them and any are free) is within one node.
 * Only if there is no way to have every such guest of the plan within a node, some are spread
 *   (NUMA-04). That is decided by trying all ways when nodes^guests <= 65536 and all cores of a
 * node are alike, and otherwise by trying the emptiest nodes first for the largest guests first.
 * - A guest larger than a node is spread over the fewest nodes that hold it, evenly where that is
 *   possible, a virtual cell each.
 * - If not all guests can have CPUs of their own, the fewest guests float, the last named first:
 *   kept to a node's CPUs that are left over. As long as some guest is pinned, those are no fewer
 *   than the guest's vCPUs, and there are no more than total_ratio vCPUs on each.
 * - A guest whose memory is nowhere is not placed, the last named first; nothing else is dropped.
 *
 * 0, also when something could not be satisfied (plan->unmet); -ENOSPC when o->enforce and a limit
 * is passed; -EINVAL for a wish that makes no sense. Caller frees with place_plan_free (after 0).
 */
int place_make(const struct place_host *h, const struct place_guest *g, size_t n,
	       const struct place_opts *o, struct place_plan *out, struct err *e);
void place_plan_free(struct place_plan *p);

/* The machine as boxes of plain text: packages, nodes, caches, cores, and who sits on each CPU
 * (plan may be NULL). */
void place_draw(const struct place_host *h, const struct place_plan *plan, FILE *out);

/* The plan as text for people: each guest's pins, then the sentences. */
void place_text(const struct place_plan *p, FILE *out);

/* As JSON ("format": "vbench-plan-1"), new reference; `vbench apply` takes it. */
json_t *place_json(const struct place_plan *p);
/*
 * And back, from text that may be anything: lists are made canonical, sizes and counts are bounded
 * as above, at most PLACE_TEXT_MAX bytes. -EINVAL with the place in the text; out is then empty.
 * name: of the file, for messages. Caller frees with place_plan_free.
 */
enum { PLACE_TEXT_MAX = 16 << 20 };
int place_parse(const char *text, size_t len, const char *name, struct place_plan *out,
		struct err *e);

/* Puts a guest's plan into a machine's VM_ASKED facts (pins, numatune, cells, topology, page), for
 * vm/write.h. */
struct vm;
void place_into_vm(const struct placed_guest *g, struct vm *vm);

#endif
