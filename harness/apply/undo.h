/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking a set back: after a failure while it was made, and later from its record. */
#ifndef VB_APPLY_UNDO_H
#define VB_APPLY_UNDO_H

#include "apply/internal.h"

/*
 * Newest change first. The record's lock is held. The record is rewritten with what is left, or
 * removed. 0: nothing is left; -ESTALE: something is, told; or the record could not be written.
 */
int undo(struct change_set *c, bool force, void (*told)(bool ok, const char *what, void *arg),
	 void *arg, struct err *e);

#endif
