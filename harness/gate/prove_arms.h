/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a profile in two arms and reads its pairs back: what `gate prove` and `bisect` share. */
#ifndef VB_GATE_PROVE_ARMS_H
#define VB_GATE_PROVE_ARMS_H

#include <stdbool.h>
#include <stddef.h>
#include "analysis/model.h"
#include "base/err.h"

/* "section.key=value" settings; texts are borrowed, the array is the list's own. */
struct set_list {
	const char **text;
	size_t n;
};

void set_list_add(struct set_list *l, const char *text);
void set_list_free(struct set_list *l);

struct arms_opts {
	const char *profile; /* file */
	const char *db, *command;
	struct set_list sets; /* of both arms */
	bool wait, quiet;
	int stop_fd; /* signalfd; -1: none */
};

struct arms_run {
	char uuid[37];
	unsigned ok, failed;
	struct model *model; /* NULL: nothing was measured */
};

/*
 * Measures so many blocks with base and change (either may be empty) and the run's label. Sets that
 * come last win: run.blocks and run.label are the caller's here, and a profile's run.decide is
 * switched off, since both kinds of caller look on their own. 0, -EINTR when stopped, else -errno.
 * Trials that failed are in the result, not an error. Free with arms_free in every case.
 */
int arms_measure(const struct arms_opts *o, const char *label, unsigned blocks,
		 const struct set_list *base, const struct set_list *change, struct arms_run *out,
		 struct err *e);
void arms_free(struct arms_run *r);

/*
 * The pair of one block, turned so that worse is positive: ln(change / base), for SCALE_DIFFERENCE
 * change - base in the metric's unit. NAN where either is missing, or is not positive for a ratio.
 */
double arms_harm(const struct model_vs *v, size_t block);

/* The same of all blocks: harm[model.blocks_planned]; returns how many pairs there are. */
size_t arms_harms(const struct model *m, const struct model_vs *v, double *harm);

/* The smallest effect that matters on that scale: ln(1 + min_effect), or in the metric's unit. */
double arms_effect(const struct model_vs *v, double min_effect);

/* "randread, virtio-blk packed". New. */
char *arms_name(const struct model *m, const struct model_vs *v);

#endif
