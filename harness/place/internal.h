/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the planner share: the machine while guests are being seated. */
#ifndef VB_PLACE_INTERNAL_H
#define VB_PLACE_INTERNAL_H

#include "place/place.h"

enum { NOBODY = -1, THREADS_MAX = 64, NAME_BYTES_MAX = 256 };

/* A core with its CPUs that may be used. */
struct core {
	unsigned node, llc, package, kind;
	unsigned *cpu; /* indices into host->cpus */
	unsigned n;
	bool kept; /* the host's */
	bool shut; /* one of its CPUs is someone else's */
	bool isolated;
	int owner; /* guest, or NOBODY */
};

enum pool { POOL_NORMAL, POOL_2M, POOL_1G, POOLS };

/* The part of a guest that is in one node. */
struct part {
	unsigned node;	       /* of its CPUs */
	unsigned first, vcpus; /* vCPU numbers */
	unsigned iothreads;
	uint64_t memory; /* bytes of it, near the node */
};

enum seat_kind { SEAT_NONE, SEAT_PINNED, SEAT_FLOAT };

struct seat {
	enum seat_kind kind;
	struct part *parts;
	size_t nparts;
	unsigned *vcpu, *iothread; /* pinned: indices into host->cpus */
	uint64_t *memory;	   /* [nnodes] bytes taken of each node */
	enum pool pool;		   /* they come from */
	bool cells;		   /* parts are virtual NUMA cells, memory in step with them */
	bool uneven;
	bool *in; /* [nnodes] floating: on the CPUs of these nodes */
	/* whether it would fit a node of the empty machine; whether it could be pinned at all */
	bool fits_node, fits;
	/* said as a wish, or made so because there was no room */
	bool may_pin;
};

struct room {
	const struct place_host *h;
	const struct place_opts *o;
	const struct place_guest *g;
	size_t n;
	struct core *cores;
	size_t ncores;
	unsigned *cpus;	       /* storage of the cores' cpu */
	uint64_t *left[POOLS]; /* [nnodes] bytes */
	unsigned *memnode;     /* [nnodes] where a node's CPUs find memory */
	struct seat *seats;
	size_t *order;	     /* guests, largest first */
	unsigned long steps; /* of search that are left */
	/* What may be given up in this attempt. */
	bool soft_pages;  /* huge pages that are not there */
	bool may_scatter; /* memory near the CPUs */
	bool may_spread;  /* being within a node */
	bool lone;	  /* a core is kept for emulator threads only */
	bool any_kept;
};

/* How generously a guest is seated. */
enum io_way { IO_OWN, IO_PACKED, IO_SIBLINGS };
struct way {
	unsigned cores; /* for the vCPUs of PLACE_SPREAD; 0: the fewest */
	enum io_way io;
};
extern const struct way way_least;

/* room.c */
void room_open(struct room *r, const struct place_host *h, const struct place_guest *g, size_t n,
	       const struct place_opts *o, const bool *reserved);
void room_close(struct room *r);
/* Everyone gets up; the lone core is given back. */
void room_clear(struct room *r);
/* Keeps a core for emulator threads, if no node keeps one. False: there is none to keep. */
bool room_keep_one(struct room *r);
uint64_t guest_memory(const struct place_guest *g); /* rounded up to whole pages */
/* Takes bytes of a guest from one node's pool; false: not there. */
bool memory_take(struct room *r, size_t guest, unsigned node, uint64_t bytes);
bool memory_fits(const struct room *r, size_t guest, unsigned node, uint64_t bytes,
		 enum pool *pool);
void seat_leave(struct room *r, size_t guest);
unsigned node_distance(const struct place_host *h, unsigned from, unsigned to);
int disk_node(const struct place_host *h, const struct place_guest *g); /* index, -1: none */

/* sit.c: a part of a guest onto free cores of its node. Takes nothing when it fails. */
bool part_sit(struct room *r, size_t guest, const struct part *p, struct way way);
/* All parts of a guest; nothing is taken when it fails. CPUs only. */
bool seat_sit(struct room *r, size_t guest, struct way way);
/* Free CPUs of a node. */
unsigned node_free_cpus(const struct room *r, unsigned node);

/* spread.c: a guest over several nodes, beginning at one: the fewest that hold it. */
bool seat_spread(struct room *r, size_t guest, unsigned seed);
/* All of it within a node. */
bool seat_one(struct room *r, size_t guest, unsigned node);
/* CPUs in a node, memory of several: for guests with fewer vCPUs than they need nodes. */
bool seat_scatter(struct room *r, size_t guest, unsigned node);

/* search.c: seats all guests with may_pin, or nobody. */
bool search_pinned(struct room *r);
void search_alone(struct room *r); /* fills fits_node, fits; on an empty room */
void search_order(struct room *r); /* largest first */

/* float.c: seats all others but the dropped ones. ratio: no more vCPUs on a CPU; 0: any. */
bool float_seat(struct room *r, double ratio, const bool *dropped);
bool float_cpu(const struct room *r, const struct core *c, const bool *nodes);

/* words.c */
char *list_text(const unsigned *numbers, size_t n); /* canonical CPU list; caller frees */
void say(char ***list, size_t *n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
char *size_text(uint64_t bytes, char buf[32]);

/* limits.c */
int limits_check(const struct place_host *h, const struct place_guest *g, size_t n,
		 const struct place_opts *o, struct place_plan *out, struct err *e);

/* result.c: what was found, into the plan; say.c: its reasons. */
void result_fill(const struct room *r, struct place_plan *out);
void result_say(const struct room *r, struct place_plan *out);
/* say_host.c: the host's cores; guests that are not in the plan; what nodes have free; CPUs that
 * are not ours beside those of the plan. */
void say_host(const struct room *r, struct place_plan *out);
void say_others(const struct room *r, struct place_plan *out);
void say_free(const struct room *r, struct place_plan *out);
void say_strangers(const struct room *r, struct place_plan *out);
unsigned *kept_cpus(const struct room *r, const bool *nodes, size_t *n); /* os numbers */
void topology_tell(const struct room *r, size_t guest, struct placed_guest *out);

#endif
