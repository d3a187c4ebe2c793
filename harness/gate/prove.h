/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `vbench gate prove`: what the gate finds and how often it cries for nothing, shown by real A/A
 * blocks and by slow-downs put into real runs.
 */
#ifndef VB_GATE_PROVE_H
#define VB_GATE_PROVE_H

#include <jansson.h>
#include <stdio.h>
#include "gate/judge.h"
#include "gate/prove_bank.h"
#include "gate/prove_inject.h"

#define PROVE_EFFECTS 16
/* Drawn for the rate of false alarms, a tenth for each detection rate: none red of so many bounds
 * it at 0.83 % in 90 nights. */
#define PROVE_NIGHTS 40000

/* The sub-command: argv[0] is "prove". Returns an exit status: 1 the gate does not keep its
 * word, 3 the bank is too small to say. */
int gate_prove(int argc, char **argv);

/* Detection of one slow-down, drawn from the bank. */
struct prove_effect {
	double effect;		 /* share of the time that a request takes */
	struct night_rate worst; /* series that is found least often */
	size_t worst_series;
	double mean; /* share over all series */
};

struct prove {
	const char *profile;
	struct gate_rule rule;
	struct bank_store bank;
	bool planned; /* gate.blocks or gate.confirm is "auto", and the bank says how many */
	bool rates;   /* the bank holds a night at least: what follows is filled */
	struct night_rate false_nights;
	double false_90, false_90_lo, false_90_hi; /* per profile and 90 nights */
	struct prove_effect effects[PROVE_EFFECTS];
	size_t neffects;
	struct inject_step *injected;
	size_t ninjected;
	uint64_t latency_base_ns;
	double latency_ns; /* measured; NAN: nothing was injected */
};

/* Fills rates and effects' shares from the bank; seed and numbers of nights fixed by the caller. */
int prove_rates(struct prove *p, size_t nights, uint64_t seed, struct err *e);

/* VB_OK, VB_WORSE or VB_UNDECIDED, from the rates alone. */
enum vb_status prove_status(const struct prove *p);

void prove_text(const struct prove *p, FILE *out);
json_t *prove_json(const struct prove *p);
void prove_free(struct prove *p);

#endif
