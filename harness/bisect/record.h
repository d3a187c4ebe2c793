/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record of an ends' check: a small JSON file in the data folder, so that each of many steps
 * need not repeat it. */
#ifndef VB_BISECT_RECORD_H
#define VB_BISECT_RECORD_H

#include "bisect/bisect.h"

/*
 * The text of which a record speaks: host, profile, settings, and the files that good and bad name
 * with their sizes and times. NULL and a sentence when the profile cannot be read. New.
 */
char *bisect_record_of(const struct bisect_opts *o, const struct set_list *good,
		       const struct set_list *bad, struct err *e);

/* 0, -ENOENT when there is none (or one that cannot be read: it is measured anew). */
int bisect_record_read(const char *of, struct bisect_ends *out);

int bisect_record_write(const char *of, const struct bisect_ends *x, struct err *e);

#endif
