/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate's own two stages as a judge of resampled nights. */
#ifndef VB_GATE_PROVE_NIGHT_H
#define VB_GATE_PROVE_NIGHT_H

#include "gate/judge.h"
#include "gate/prove_rate.h"

/* A prove_judge; arg is a struct gate_rule. Stage 2 is taken of the suspects alone. */
void prove_gate(const double *const *first, size_t nfirst, const double *const *second,
		size_t nsecond, size_t nseries, bool *red, void *arg);

#endif
