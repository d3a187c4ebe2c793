/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run's own record: its rows in the store and its folder, written at its start and read again to
 * resume. */
#ifndef VB_RUN_RECORD_H
#define VB_RUN_RECORD_H

#include "run/context.h"

/* Makes the folder (profile.ini, host.json, topology.xml) and the store's rows; opens r->store. */
int record_begin(struct run *r, struct err *e);

/*
 * Finds an unfinished run ("": the newest of this host) and sets r up as it was begun: uuid, seed,
 * blocks, folder, store. Its profile is the stored one, whatever became of the file. Caller frees
 * row and profile.
 */
int record_reopen(struct run *r, const struct run_opts *o, const char *what, struct store_run *row,
		  struct profile **p, struct err *e);

/* Refuses to go on with another QEMU, guest, accelerator, fio or engine than the run was begun
 * with. */
int record_same(struct run *r, const struct store_run *row, struct err *e);

#endif
