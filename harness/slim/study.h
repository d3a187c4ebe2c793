/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vbench slim --study: which recipe makes which image how small. */
#ifndef VB_SLIM_STUDY_H
#define VB_SLIM_STUDY_H

#include "base/child.h"
#include "base/journal.h"
#include "slim/slim.h"

#define STUDY_STATES 4
#define STUDY_RECIPES 6

struct study {
	const struct slim_opts *o;
	uint64_t size;				     /* of the file system, bytes */
	char *dir, *files;			     /* while it goes on */
	uint64_t bytes[STUDY_STATES][STUDY_RECIPES]; /* allocated by the result; 0: not reached */
};

const char *slim_study_state(size_t i);	 /* "fresh", "deleted", "zeroed", "trimmed" */
const char *slim_study_recipe(size_t i); /* "as it is", "convert", ... */

/*
 * Makes an ext4 image of size bytes with mkfs.ext4 and debugfs of the host in a folder of its own
 * within o->data, and tries every recipe on every state. Of o, image, out and how are not looked
 * at. Nothing stays. 0, -EINTR, or -errno and a sentence.
 */
int slim_study(const struct slim_opts *o, uint64_t size, struct study *y, struct err *e);
void slim_study_print(const struct study *y, FILE *out);
json_t *slim_study_json(const struct study *y);

/* Frees the space within a qcow2 image itself, as its own guest would. For images of ours alone. */
int slim_inside(const struct slim_opts *o, const char *image, enum slim_how how, struct err *e);

#endif
