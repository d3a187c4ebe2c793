/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy decides the next trial from the results so far. Resume is replay: stored results are
 * told again, in order. */
#ifndef VB_RUN_POLICY_H
#define VB_RUN_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct order {
	unsigned seq;		 /* from 0 */
	unsigned block, place;	 /* place within the block */
	unsigned cell, workload; /* indices into the profile's */
	uint64_t randseed; /* fio's: equal for all trials of a block, different between blocks */
};

struct outcome {
	struct order order;
	bool ok;
};

struct policy {
	const char *name;
	/* The next trial; false when there is none. Asking twice without telling gives the same
	 * order. */
	bool (*ask)(struct policy *p, struct order *out);
	/* Its result. */
	void (*tell)(struct policy *p, const struct outcome *r);
	/* Trials in all, as far as can be said now. */
	unsigned (*total)(const struct policy *p);
	void (*free)(struct policy *p);
};

/*
 * Fixed number of blocks. Every block holds each (cell, workload) once, in an order drawn afresh
 * from (seed, block) by Fisher and Yates's shuffle: randomised complete blocks [Box, Hunter &
 * Hunter 2005].
 */
struct policy *policy_fixed(uint64_t seed, unsigned blocks, unsigned cells, unsigned workloads);

/* fio's seed for a block: a function of run seed and block alone, in 1 .. 2^31-1. */
uint64_t policy_randseed(uint64_t seed, unsigned block);

/* SplitMix64 [Steele, Lea & Flood 2014]: the next number of a stream whose state is *s. */
uint64_t splitmix64(uint64_t *s);

#endif
