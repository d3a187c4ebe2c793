// SPDX-License-Identifier: GPL-2.0-or-later
/* Successive halving. */
#include <math.h>
#include <stdlib.h>
#include "stats/race.h"

unsigned race_rounds(size_t n)
{
	unsigned rounds = 0;

	for (; n > 1; n = race_keep(n))
		rounds++;
	return rounds ? rounds : 1;
}

unsigned race_blocks(size_t n, size_t visits)
{
	size_t share = visits / race_rounds(n), blocks = share / (n + 1);

	if (!blocks && n + 1 <= visits)
		blocks = 1;
	return (unsigned)blocks;
}

size_t race_cells(size_t visits)
{
	size_t n = RACE_BEST;

	/* a round has one block at least */
	for (; n > 1; n--) {
		size_t need = 0;

		for (size_t k = n; k > 1; k = race_keep(k))
			need += k + 1;
		if (need <= visits)
			break;
	}
	return n;
}

size_t race_keep(size_t n)
{
	return n / 2;
}

static int by_worth(const void *x, const void *y)
{
	const struct race_cell *a = x, *b = y;

	if (isnan(a->mean) != isnan(b->mean))
		return isnan(a->mean) ? 1 : -1;
	if (!isnan(a->mean) && a->mean != b->mean)
		return a->mean < b->mean ? -1 : 1;
	if (a->changes != b->changes)
		return a->changes < b->changes ? -1 : 1;
	if (a->before != b->before)
		return a->before < b->before ? -1 : 1;
	return a->cell < b->cell ? -1 : a->cell > b->cell;
}

void race_sort(struct race_cell *c, size_t n)
{
	qsort(c, n, sizeof(*c), by_worth);
}
