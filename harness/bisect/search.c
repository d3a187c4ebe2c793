// SPDX-License-Identifier: GPL-2.0-or-later
/* Binary search over builds whose tests may stay undecided. */
#include <stdlib.h>
#include "base/err.h"
#include "bisect/search.h"

void search_begin(struct search *s, size_t n)
{
	*s = (struct search){.n = n};
	s->answer = xcalloc(n, sizeof(*s->answer));
	s->again = xcalloc(n, sizeof(*s->again));
	s->answer[0] = WALD_GOOD;
	s->answer[n - 1] = WALD_BAD;
	/* the ends were compared with each other, with more pairs than a step has */
	s->again[0] = s->again[n - 1] = true;
}

void search_free(struct search *s)
{
	free(s->answer);
	free(s->again);
	*s = (struct search){0};
}

void search_range(const struct search *s, size_t *lo, size_t *hi)
{
	size_t i;

	for (i = 1; s->answer[i] != WALD_BAD; i++)
		;
	*hi = i;
	while (s->answer[--i] != WALD_GOOD)
		;
	*lo = i;
}

bool search_next(const struct search *s, size_t *build, bool *again)
{
	size_t lo, hi, mid;

	search_range(s, &lo, &hi);
	mid = lo + (hi - lo) / 2;
	*again = false;
	/* the untested build that is nearest to the middle: an undecided one is walked around */
	for (size_t off = 0; off < hi - lo; off++) {
		if (mid + off < hi && s->answer[mid + off] == WALD_MORE)
			return *build = mid + off, true;
		if (mid >= lo + off && s->answer[mid - off] == WALD_MORE)
			return *build = mid - off, true;
	}
	*again = true;
	if (!s->again[hi])
		return *build = hi, true;
	if (!s->again[lo])
		return *build = lo, true;
	return false;
}

void search_tell(struct search *s, size_t build, enum wald_answer a)
{
	enum wald_answer before = s->answer[build];

	if (build == 0 || build + 1 >= s->n || a == WALD_MORE)
		return;
	if (before != WALD_MORE)
		s->again[build] = true;
	s->answer[build] = before == WALD_MORE || before == a ? a : WALD_UNDECIDED;
}
