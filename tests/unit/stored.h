/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Made-up rows through a real store to a model, for tests of the analysis. */
#ifndef VB_TESTS_STORED_H
#define VB_TESTS_STORED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <unistd.h>
#include "analysis/model.h"
#include "base/file.h"
#include "rows.h"

#define DEEP "{\"workload.rw\":\"randread\",\"workload.iodepth\":\"8\",\"workload.numjobs\":\"1\"}"
#define RING "[{\"key\":\"disk.ring\",\"values\":[\"split\",\"packed\"]}]"

static inline void near(double got, double want, double error)
{
	if (!(fabs(got - want) <= error * fmax(1, fabs(want))))
		fail_msg("%.15g, should be %.15g", got, want);
}

/* The model of these rows, through a real store. The caller frees it. */
static inline struct model *model_of(const struct rows *r)
{
	char dir[] = "/tmp/vbench-stored-XXXXXX", *path;
	struct store *s;
	struct model *m;
	struct err e = {0};

	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/runs.db", dir);
	assert_int_equal(store_open(path, true, &s, &e), 0);
	if (store_run_begin(s, &r->run, r->cells, r->ncells, r->works, r->nworks, &e))
		fail_msg("%s", e.text);
	for (size_t i = 0; i < r->ntrials; i++)
		if (store_trial_put(s, r->run.uuid, &r->trials[i], &e))
			fail_msg("%s", e.text);
	if (store_run_status(s, r->run.uuid, r->run.status, r->run.ended, &e))
		fail_msg("%s", e.text);
	if (model_make(s, r->run.uuid, &m, &e))
		fail_msg("%s", e.text);
	store_close(s);
	assert_int_equal(dir_remove(dir, &e), 0);
	free(path);
	return m;
}

static inline bool warned(const struct model *m, const char *part)
{
	for (size_t i = 0; i < m->nwarnings; i++)
		if (strstr(m->warnings[i], part))
			return true;
	return false;
}

#endif
