/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slow-downs injected into real runs: the same base latency in both arms of a null back end, a step
 * more in the change. The step is a share of the *measured* latency, and what it came to is
 * measured again by blocks of its own: asked/got.
 */
#ifndef VB_GATE_PROVE_INJECT_H
#define VB_GATE_PROVE_INJECT_H

#include <stdint.h>
#include "gate/judge.h"
#include "gate/prove_arms.h"
#include "profile/profile.h"

#define INJECT_LABEL "injected"
#define INJECT_CALIBRATE 6	 /* blocks that measure the latency */
#define INJECT_BASE_NS 300000ull /* latency of both arms where the profile names none */

/* One series under one step. */
struct injected {
	char *name;
	double asked;		    /* share: step / measured latency */
	double got, got_lo, got_hi; /* realised slow-down of the latency, share; 95 % */
	size_t long_blocks;	    /* that this was measured in */
	bool suspect, red;	    /* of the night made of the other blocks */
	double night;	    /* harm that the second stage (without one: the first) saw; share */
	const char *metric; /* that the gate judged */
};

struct inject_step {
	double effect; /* 0.05 */
	uint64_t base_ns, step_ns;
	struct injected *series;
	size_t nseries;
	char uuid[37];
	unsigned failed;
};

/*
 * Whether latency can be injected into all cells of this profile: -EINVAL and the remedy if not
 * (null-co outside an iothread wakes in whole milliseconds, statistics.md part 13).
 */
int inject_check(const struct profile *p, struct err *e);

/* Measures the profile's latency with the base latency in both arms: mean over series, ns. */
int inject_calibrate(const struct arms_opts *o, const struct profile *p, uint64_t *base_ns,
		     double *latency_ns, struct err *e);

/* One night of the gate's shape and as many blocks again, with `effect` of that latency more. */
int inject_run(const struct arms_opts *o, const struct gate_rule *rule, double effect,
	       uint64_t base_ns, double latency_ns, struct inject_step *out, struct err *e);
void inject_free(struct inject_step *s);

#endif
