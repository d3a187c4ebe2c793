/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The space while it is made: axes of the state, and what is left out of it. Private to tune/. */
#ifndef VB_TUNE_SPACE_H
#define VB_TUNE_SPACE_H

#include "tune/tune.h"

/* Of an axis: "disk.ring", its i-th value, how many. Borrowed. */
const char *space_key(const json_t *axis);
const char *space_at(const json_t *axis, size_t i);
size_t space_size(const json_t *axis);

/* The axis of that key, borrowed; NULL: none. */
json_t *space_axis(const json_t *state, const char *key);

/* Adds a value to an axis, unless it is there, or unsafe: then it is left out, with the reason. */
void space_add(json_t *state, json_t *axis, const char *value);
void space_left_out(json_t *state, const char *key, const char *value, const char *why);

/* Whether --fix names the key. */
bool space_is_fixed(const struct tune_opts *o, const char *key);

/* advised.c: what rules add, and what they take out (practice.c). start: of one cell. */
int space_by_practice(json_t *state, const struct profile *start, const struct tune_opts *o,
		      struct err *e);

#endif
