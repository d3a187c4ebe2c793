/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What guest.pin and guest.nodes of a cell come to on this host. Private to run/. */
#ifndef VB_RUN_PINS_H
#define VB_RUN_PINS_H

#include <stdio.h>
#include "guest/pin.h"
#include "run/context.h"

/*
 * Pins for so many guests of a cell: as it says itself (all alike), or as the planner places them
 * on this host (each on CPUs of its own; nodes: of its memory). *out: [guests], the run's own, made
 * once for each cell and number; NULL when the cell pins nothing and binds nothing. -EINVAL (exit
 * status 2) when the planner finds no place, with its words.
 */
int run_pins(struct run *r, const struct cell *c, unsigned guests, const struct pin **out,
	     struct err *e);
void run_pins_free(struct run *r);

/* What they come to, a line a guest (--dry-run). */
void run_pins_print(struct run *r, const struct cell *c, FILE *out);
/* The same of all cells, each once: a resumed run goes on where the first part of it ran. */
void run_pins_fingerprint(struct run *r, FILE *out);

#endif
