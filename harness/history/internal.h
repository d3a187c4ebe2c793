/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this room share. */
#ifndef VB_HISTORY_INTERNAL_H
#define VB_HISTORY_INTERNAL_H

#include "history/history.h"
#include "store/store.h"

/* A run that is a night, and the run of its suspects' fresh blocks ("": none). */
struct night_run {
	struct store_run run;
	char confirm[37];
};

/* read.c: adds night i's figures to the series, which it makes as cells and workloads come up. */
int history_read_night(struct store *s, const struct history_ask *ask, struct history *h, size_t i,
		       const struct night_run *r, struct err *e);

/* surround.c: what differs between two nights' hosts and builds; NULL: nothing. Caller frees. */
char *history_surroundings(const struct store_run *then, const struct store_run *now);
char *history_build_of(const struct store_run *r);

/* judge.c: changes, drift, gaps, and what cannot be said. */
void history_judge(struct history *h, int64_t now);

#endif
