/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking a set back: after a failure while it was made, and later from its record. */
#ifndef VB_APPLY_UNDO_H
#define VB_APPLY_UNDO_H

#include "apply/internal.h"

/*
 * How to go about a value that is neither what was set nor what was there before: it stays and so
 * does the record (UNDO), it is overwritten, or it stays and is no more of our business.
 */
enum undo_how { UNDO, UNDO_FORCE, UNDO_SETTLE };

/*
 * Newest change first. The record's lock is held. The record is rewritten with what is left, or
 * removed. 0: nothing is left; -ESTALE: something is, told; or the record could not be written.
 */
int undo(struct change_set *c, enum undo_how how,
	 void (*told)(bool ok, const char *what, void *arg), void *arg, struct err *e);

#endif
