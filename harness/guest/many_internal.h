/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several guests from within: many.c and their common job (many_job.c). */
#ifndef VB_GUEST_MANY_INTERNAL_H
#define VB_GUEST_MANY_INTERNAL_H

#include "guest/many.h"
#include "guest/small_internal.h"

struct many {
	struct site site;
	struct small *first;  /* the caller's */
	struct small **guest; /* [made], of which n are in use; guest[0] is first */
	size_t made, n;
	char *folder[MANY_MAX];
	struct site *each[MANY_MAX];
};

/* The i-th guest's failure as the site's: cause and name. Returns rc. */
int many_fail(struct many *m, size_t i, int rc, struct err *e);

int many_work(struct site *site, const struct job *j,
	      void (*progress)(const struct job_progress *, void *), void *arg,
	      struct job_result *out, struct err *e);

#endif
