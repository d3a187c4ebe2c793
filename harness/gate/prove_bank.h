/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bank of real A/A blocks: runs of the store with the label "bank", put one after another. */
#ifndef VB_GATE_PROVE_BANK_H
#define VB_GATE_PROVE_BANK_H

#include <stdint.h>
#include "base/err.h"
#include "gate/prove_rate.h"
#include "profile/profile.h"

#define BANK_LABEL "bank"
#define BANK_ENOUGH 200 /* blocks, before its rates are evidence (statistics.md part 13) */
#define BANK_DAYS 2	/* days, at the least: "several" */

struct bank_series {
	char *key;  /* what makes two runs' series the same one */
	char *name; /* for people */
	const char *metric;
	double sd; /* of one trial, pooled over the bank: that of a pair / sqrt(2); NAN */
	size_t pairs, missing;
};

struct bank_store {
	struct bank bank; /* blocks in the order in which they were measured */
	struct bank_series *series;
	size_t nseries;	   /* = bank.nseries */
	size_t runs, days; /* that it is made of: days of this host's calendar */
	size_t other;	   /* runs of that label and profile with other series: left out */
	size_t apart;	   /* series whose metric is no ratio: the gate compares those otherwise */
	int64_t first, last; /* when its runs began; ns */
};

/*
 * Reads the bank of this host and this profile (its name, cells, workloads and metrics: series are
 * those of the newest run of it). No run at all gives 0 blocks, not an error.
 */
int bank_read(const char *db, const char *profile, struct bank_store *out, struct err *e);
/* Blocks and days enough for its rates to be evidence. */
bool bank_enough(const struct bank_store *b);

void bank_free(struct bank_store *b);

#endif
