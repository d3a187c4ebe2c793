/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts every stored trial where it belongs: cell, workload, block. */
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

const struct store_trial *build_trial(const struct build *b, size_t cell, size_t work, size_t block)
{
	long t = b->grid[(cell * b->nworks + work) * b->nblocks + block];

	return t < 0 ? NULL : &b->trials[t];
}

static long find_cell(const struct build *b, const char *id)
{
	for (size_t i = 0; i < b->ncells; i++)
		if (!strcmp(b->cells[i].id, id))
			return i;
	return -1;
}

static long find_work(const struct build *b, const char *name)
{
	for (size_t i = 0; name && i < b->nworks; i++)
		if (b->works[i].name && !strcmp(b->works[i].name, name))
			return i;
	return -1;
}

/* Finds the place of each trial; returns how many belong nowhere. */
static size_t place_all(struct build *b)
{
	size_t lost = 0;

	for (size_t i = 0; i < b->ntrials; i++) {
		const struct store_trial *t = &b->trials[i];

		b->cell_of[i] = find_cell(b, t->cell);
		b->work_of[i] = find_work(b, t->workload);
		if (b->cell_of[i] < 0 || b->work_of[i] < 0 || t->block >= BLOCKS_MAX) {
			b->cell_of[i] = b->work_of[i] = -1;
			lost++;
		} else if (t->block >= b->nblocks) {
			b->nblocks = t->block + 1;
		}
	}
	return lost;
}

/* A block is done when every cell has a trial under every workload in it, good or failed. */
static unsigned blocks_done(const struct build *b, const char *tried)
{
	size_t per_block = b->ncells * b->nworks;
	unsigned done = 0;

	for (size_t k = 0; per_block && k < b->nblocks; k++) {
		size_t n = 0;

		for (size_t i = 0; i < per_block; i++)
			n += tried[i * b->nblocks + k];
		done += n == per_block;
	}
	return done;
}

bool trial_at_limit(const struct store_trial *t)
{
	return !t->ok && t->cause && !strcmp(t->cause, "limit");
}

void build_place(struct build *b)
{
	struct model *m = b->m;
	size_t lost, fields;
	char *tried;

	b->cell_of = xcalloc(b->ntrials + 1, sizeof(*b->cell_of));
	b->work_of = xcalloc(b->ntrials + 1, sizeof(*b->work_of));
	lost = place_all(b);
	if (lost)
		model_warn(
			m,
			"%zu stored trials belong to no cell, workload or block of this run and are left out.",
			lost);
	if (b->run.blocks > b->nblocks && b->run.blocks <= BLOCKS_MAX)
		b->nblocks = b->run.blocks;
	m->blocks_planned = b->nblocks;

	fields = b->ncells * b->nworks * b->nblocks;
	b->grid = xcalloc(fields + 1, sizeof(*b->grid));
	tried = xcalloc(fields + 1, 1);
	memset(b->grid, 0xff, (fields + 1) * sizeof(*b->grid));
	for (size_t i = 0; i < b->ntrials; i++) {
		const struct store_trial *t = &b->trials[i];
		size_t at;

		if (b->cell_of[i] < 0)
			continue;
		at = (b->cell_of[i] * b->nworks + b->work_of[i]) * b->nblocks + t->block;
		tried[at] = 1;
		if (t->ok)
			b->grid[at] = i; /* a trial repeated in its place counts once: the last good
					    one */
		m->trials_ok += t->ok;
		m->trials_failed += !t->ok && !trial_at_limit(t);
		m->trials_limit += trial_at_limit(t);
	}
	m->blocks_done = blocks_done(b, tried);
	free(tried);
}
