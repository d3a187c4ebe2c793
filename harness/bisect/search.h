/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Binary search over a list of builds, good end first, bad end last, whose tests may stay
 * undecided. Pure. Both neighbours of the answer are tested once more; what then contradicts itself
 * counts as undecided, and the search goes on around it. Every build is tested at most twice.
 */
#ifndef VB_BISECT_SEARCH_H
#define VB_BISECT_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include "bisect/wald.h"

struct search {
	size_t n;
	enum wald_answer *answer; /* of each build; WALD_MORE: not tested */
	bool *again;		  /* tested a second time */
};

/* n >= 2 builds; the first is good, the last is bad. Freed with search_free. */
void search_begin(struct search *s, size_t n);
void search_free(struct search *s);

/* The next build to test, and whether it is for the second time. false: the search is over. */
bool search_next(const struct search *s, size_t *build, bool *again);

/* Its answer: good, bad or undecided. The ends keep theirs. */
void search_tell(struct search *s, size_t build, enum wald_answer a);

/* The last build known to be good, and the first known to be bad: the change came with one of the
 * builds lo + 1 .. hi. */
void search_range(const struct search *s, size_t *lo, size_t *hi);

#endif
