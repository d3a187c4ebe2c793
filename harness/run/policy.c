// SPDX-License-Identifier: GPL-2.0-or-later
/* Policy "fixed": randomised complete blocks. */
#include <stdlib.h>
#include "base/err.h"
#include "run/policy.h"

uint64_t splitmix64(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* Independent streams for what is drawn in a block. */
static uint64_t stream(uint64_t seed, unsigned block, unsigned purpose)
{
	uint64_t s = seed;

	s = splitmix64(&s) ^ block;
	s = splitmix64(&s) ^ purpose;
	return splitmix64(&s);
}

uint64_t policy_randseed(uint64_t seed, unsigned block)
{
	return stream(seed, block, 1) % 0x7ffffffe + 1;
}

/* Without the bias of a plain remainder. */
static uint64_t below(uint64_t *s, uint64_t n)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % n, x;

	do
		x = splitmix64(s);
	while (x >= limit);
	return x % n;
}

void policy_shuffle(uint64_t seed, unsigned block, unsigned *order, unsigned n)
{
	uint64_t s = stream(seed, block, 0);
	unsigned i;

	for (i = n; i > 1; i--) {
		unsigned j = (unsigned)below(&s, i), t = order[i - 1];

		order[i - 1] = order[j];
		order[j] = t;
	}
}

struct fixed {
	struct policy policy;
	uint64_t seed;
	unsigned blocks, cells, workloads;
	unsigned next;	 /* seq */
	unsigned drawn;	 /* the block that order[] is of, plus 1 */
	unsigned *order; /* place -> cell * workloads + workload */
};

static void fixed_draw(struct fixed *f, unsigned block)
{
	unsigned n = f->cells * f->workloads, i;

	for (i = 0; i < n; i++)
		f->order[i] = i;
	policy_shuffle(f->seed, block, f->order, n);
	f->drawn = block + 1;
}

static bool fixed_ask(struct policy *p, struct order *out)
{
	struct fixed *f = (struct fixed *)p;
	unsigned per = f->cells * f->workloads, what;

	if (!per || f->next >= f->blocks * per)
		return false;
	out->seq = f->next;
	out->block = f->next / per;
	out->place = f->next % per;
	if (f->drawn != out->block + 1)
		fixed_draw(f, out->block);
	what = f->order[out->place];
	out->cell = what / f->workloads;
	out->workload = what % f->workloads;
	out->randseed = policy_randseed(f->seed, out->block);
	return true;
}

static void fixed_tell(struct policy *p, const struct outcome *r)
{
	struct fixed *f = (struct fixed *)p;

	/* a failed trial is not repeated: slow cells fail more often, so repeating would bias */
	f->next = r->order.seq + 1;
}

static unsigned fixed_total(const struct policy *p)
{
	const struct fixed *f = (const struct fixed *)p;

	return f->blocks * f->cells * f->workloads;
}

static bool fixed_takes_part(const struct policy *p, unsigned cell)
{
	return cell < ((const struct fixed *)p)->cells;
}

static unsigned fixed_open(const struct policy *p)
{
	(void)p;
	return 0;
}

static void fixed_free(struct policy *p)
{
	free(((struct fixed *)p)->order);
	free(p);
}

struct policy *policy_fixed(uint64_t seed, unsigned blocks, unsigned cells, unsigned workloads)
{
	struct fixed *f = xcalloc(1, sizeof(*f));

	f->policy = (struct policy){.name = "fixed blocks",
				    .ask = fixed_ask,
				    .tell = fixed_tell,
				    .total = fixed_total,
				    .takes_part = fixed_takes_part,
				    .open = fixed_open,
				    .free = fixed_free};
	f->seed = seed;
	f->blocks = blocks;
	f->cells = cells;
	f->workloads = workloads;
	f->order = xcalloc((unsigned long)cells * workloads + 1, sizeof(*f->order));
	return &f->policy;
}
