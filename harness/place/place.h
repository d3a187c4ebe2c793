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
	bool taken; /* others' guests are pinned there, or it is kept (see place_opts) */
};

struct place_node {
	unsigned os;
	uint64_t memory, free;	   /* bytes; free UINT64_MAX: not known */
	uint64_t huge_2m, huge_1g; /* free pages */
	unsigned *distance;	   /* to each node, as the kernel's; NULL: not known */
};

struct place_host {
	struct place_cpu *cpus;
	size_t ncpus;
	struct place_node *nodes; /* at least one: a machine without NUMA has one node */
	size_t nnodes;
	unsigned cores; /* physical, usable */
};

/* From a snapshot; caller frees with place_host_free. */
void place_host_make(const struct snapshot *s, struct place_host *out);
void place_host_free(struct place_host *h);

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
	char **vcpu;	  /* [vcpus] CPU list of each */
	char **iothread;  /* [iothreads] */
	char *emulator;	  /* CPU list */
	char *nodes;	  /* os numbers of its nodes, as a list; its memory's nodeset */
	const char *mode; /* memory mode: "strict", "preferred", "interleave" */
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
	bool placed; /* false: there was no place; unmet says why */
};

struct place_plan {
	struct placed_guest *guests;
	size_t nguests;
	char *housekeeping; /* CPU list left to the host */
	char *host;	    /* snapshot_name */
	/* Sentences: why it is so; what it costs; what could not be satisfied; limits and the other
	 * sources' views of them. */
	char **why, **costs, **unmet, **warnings;
	size_t nwhy, ncosts, nunmet, nwarnings;
};

/*
 * Makes the plan. 0, also when something could not be satisfied (plan->unmet); -ENOSPC when
 * o->enforce and a limit is passed; -EINVAL for a wish that makes no sense. Caller frees with
 * place_plan_free.
 */
int place_make(const struct place_host *h, const struct place_guest *g, size_t n,
	       const struct place_opts *o, struct place_plan *out, struct err *e);
void place_plan_free(struct place_plan *p);

/* The plan as text for people, and as JSON ("format": "vbench-plan-1") that `vbench apply` takes;
 * and back. */
void place_text(const struct place_plan *p, FILE *out);
json_t *place_json(const struct place_plan *p);
int place_parse(const char *text, size_t len, const char *name, struct place_plan *out,
		struct err *e);

/* Puts a guest's plan into a machine's VM_ASKED facts (pins, numatune, cells, topology, page), for
 * vm/write.h. */
struct vm;
void place_into_vm(const struct placed_guest *g, struct vm *vm);

#endif
