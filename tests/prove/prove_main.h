/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the proof program's main() tells its figures, and what they tell it. */
#ifndef VB_PROVE_MAIN_H
#define VB_PROVE_MAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prove_main {
	bool short_form, tap;
	unsigned threads;
	uint64_t seed;	  /* 0: the proof's own; others show that it holds with any */
	const char *only; /* figures of which this is the beginning; NULL: all */
	size_t figures, failed;
};

/* Figures are counted in *m from now on. Before threads. */
void prove_begin(struct prove_main *m);

#endif
