/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of a made-up run, for tests of the analysis: built in memory, then put through a store, real
 * or fake. */
#ifndef VB_TESTS_ROWS_H
#define VB_TESTS_ROWS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "store/store.h"

struct rows {
	struct store_run run;
	struct store_cell cells[16];
	struct store_workload works[4];
	struct store_trial *trials;
	size_t ncells, nworks, ntrials;
};

#define ROWS_UUID "01234567-89ab-4cde-8f01-23456789abcd"

static inline void rows_begin(struct rows *r, const char *axes, unsigned blocks)
{
	memset(r, 0, sizeof(*r));
	strcpy(r->run.uuid, ROWS_UUID);
	strcpy(r->run.host_id, "host");
	r->run.profile_name = xstrdup("made-up");
	r->run.command = xstrdup("vbench run profiles/made-up.ini");
	r->run.status = xstrdup("complete");
	r->run.axes_json = xstrdup(axes);
	r->run.seed = 7;
	r->run.blocks = blocks;
	r->run.begun = 1;
	r->run.ended = 2;
}

static inline void rows_cell(struct rows *r, const char *label, const char *keys)
{
	struct store_cell *c = &r->cells[r->ncells];

	snprintf(c->id, sizeof(c->id), "%016zx", r->ncells + 0xc0);
	c->index = r->ncells++;
	c->label = xstrdup(label);
	c->keys_json = xstrdup(keys);
}

static inline void rows_work(struct rows *r, const char *name, const char *keys)
{
	struct store_workload *w = &r->works[r->nworks];

	snprintf(w->id, sizeof(w->id), "%zu", r->nworks);
	w->index = r->nworks++;
	w->name = xstrdup(name);
	w->keys_json = xstrdup(keys);
	w->describe = xstrdup("as described");
}

/* A good trial of a cell under a workload in a block; samples follow by rows_sample. */
static inline struct store_trial *rows_trial(struct rows *r, unsigned block, size_t cell,
					     size_t work)
{
	struct store_trial *t;

	r->trials = xrealloc(r->trials, r->ntrials + 1, sizeof(*t));
	t = memset(&r->trials[r->ntrials], 0, sizeof(*t));
	t->seq = r->ntrials++;
	t->block = block;
	strcpy(t->cell, r->cells[cell].id);
	t->workload = xstrdup(r->works[work].name);
	snprintf(t->template_id, sizeof(t->template_id), "template-%u", block);
	t->fresh = true;
	t->ok = true;
	return t;
}

static inline void rows_sample(struct store_trial *t, const char *metric, double value)
{
	struct store_sample *s;

	t->samples = xrealloc(t->samples, t->nsamples + 1, sizeof(*s));
	s = memset(&t->samples[t->nsamples++], 0, sizeof(*s));
	strncpy(s->metric, metric, sizeof(s->metric) - 1);
	s->value = value;
}

static inline void rows_check(struct store_trial *t, const char *key, const char *asked,
			      const char *got, int state)
{
	struct store_check *c;

	t->checks = xrealloc(t->checks, t->nchecks + 1, sizeof(*c));
	c = &t->checks[t->nchecks++];
	*c = (struct store_check){xstrdup(key), xstrdup(asked), xstrdup(got), xstrdup("guest"),
				  state};
}

static inline void rows_fail(struct store_trial *t, const char *cause)
{
	t->ok = false;
	t->cause = xstrdup(cause);
	t->detail = xstrdup("it broke");
}

static inline void rows_trial_end(struct store_trial *t)
{
	for (size_t i = 0; i < t->nchecks; i++) {
		free(t->checks[i].key);
		free(t->checks[i].asked);
		free(t->checks[i].got);
		free(t->checks[i].from);
	}
	free(t->checks);
	free(t->samples);
	free(t->workload);
	free(t->cause);
	free(t->detail);
	free(t->phases_json);
	free(t->noise_json);
	free(t->facts_json);
	free(t->folder);
}

static inline void rows_end(struct rows *r)
{
	for (size_t i = 0; i < r->ncells; i++) {
		free(r->cells[i].label);
		free(r->cells[i].keys_json);
	}
	for (size_t i = 0; i < r->nworks; i++) {
		free(r->works[i].name);
		free(r->works[i].keys_json);
		free(r->works[i].describe);
	}
	for (size_t i = 0; i < r->ntrials; i++)
		rows_trial_end(&r->trials[i]);
	free(r->trials);
	free(r->run.label);
	free(r->run.profile_name);
	free(r->run.profile_text);
	free(r->run.sets_json);
	free(r->run.command);
	free(r->run.version);
	free(r->run.folder);
	free(r->run.host_json);
	free(r->run.axes_json);
	free(r->run.skipped_json);
	free(r->run.primary_json);
	free(r->run.meta_json);
	free(r->run.status);
}

#endif
