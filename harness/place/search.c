// SPDX-License-Identifier: GPL-2.0-or-later
/* Which guest in which node: depth first, the emptiest nodes first, a bounded number of steps; then
 * everyone as comfortably as the room that is left permits. */
#include <stdlib.h>
#include <string.h>
#include "place/internal.h"

enum how { ONE, SPREAD, SCATTER };

struct candidate {
	unsigned node;
	enum how how;
	/* the smaller the better, the first first */
	double rank[4];
	uint64_t look; /* equal for nodes that are equal to this guest */
};

static bool seat_as(struct room *r, size_t guest, const struct candidate *c)
{
	if (c->how == ONE)
		return seat_one(r, guest, c->node);
	return c->how == SPREAD ? seat_spread(r, guest, c->node) : seat_scatter(r, guest, c->node);
}

static bool fits_any(struct room *r, size_t guest, enum how how)
{
	for (unsigned node = 0; node < r->h->nnodes; node++)
		if (seat_as(r, guest, &(struct candidate){.node = node, .how = how})) {
			seat_leave(r, guest);
			return true;
		}
	return false;
}

void search_alone(struct room *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct seat *s = &r->seats[i];

		s->fits_node = fits_any(r, i, ONE);
		s->fits = s->fits_node || fits_any(r, i, SPREAD) || fits_any(r, i, SCATTER);
	}
}

/* The larger of its shares of CPUs and memory. */
static double weight(const struct room *r, size_t guest)
{
	double cpus = 1, memory = 1, a, b;

	for (size_t i = 0; i < r->ncores; i++)
		cpus += r->o->smt == PLACE_ISOLATE ? 1 : r->cores[i].n;
	for (size_t i = 0; i < r->h->nnodes; i++)
		memory += (double)r->h->nodes[i].memory;
	a = (r->g[guest].vcpus + r->g[guest].iothreads) / cpus;
	b = (double)r->g[guest].memory / memory;
	return a > b ? a : b;
}

void search_order(struct room *r)
{
	for (size_t i = 1; i < r->n; i++) {
		size_t one = r->order[i], k = i;

		for (; k && weight(r, one) > weight(r, r->order[k - 1]); k--)
			r->order[k] = r->order[k - 1];
		r->order[k] = one;
	}
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	/* FNV-1a's step, over words */
	return (h ^ v) * 0x100000001b3u;
}

/* What a node has left, as one number. Caches don't matter to whether a guest fits. */
static uint64_t look(const struct room *r, unsigned node)
{
	unsigned count[4][THREADS_MAX + 1] = {{0}};
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < r->ncores; i++) {
		const struct core *c = &r->cores[i];

		if (c->node == node && c->owner == NOBODY && !c->kept && !c->shut)
			count[c->kind < 3 ? c->kind : 3][c->n < THREADS_MAX ? c->n : THREADS_MAX]++;
	}
	for (size_t k = 0; k < 4; k++)
		for (size_t t = 0; t <= THREADS_MAX; t++)
			h = mix(h, count[k][t]);
	for (int p = 0; p < POOLS; p++)
		h = mix(h, r->left[p][r->memnode[node]]);
	return mix(h, r->memnode[node] == node ? 0 : r->memnode[node] + 1);
}

/* Whether the disk of another guest, which is not seated yet, is there. */
static bool wanted_by_others(const struct room *r, size_t guest, unsigned node)
{
	for (size_t i = 0; i < r->n; i++)
		if (i != guest && r->seats[i].may_pin && r->seats[i].kind == SEAT_NONE &&
		    disk_node(r->h, &r->g[i]) == (int)node)
			return true;
	return false;
}

static double fullness(const struct room *r, unsigned node)
{
	unsigned all = 0;

	for (size_t i = 0; i < r->ncores; i++)
		if (r->cores[i].node == node && !r->cores[i].kept && !r->cores[i].shut)
			all += r->cores[i].n;
	return all ? 1 - (double)node_free_cpus(r, node) / all : 1;
}

static unsigned isolated_free(const struct room *r, unsigned node)
{
	unsigned n = 0;

	for (size_t i = 0; i < r->ncores; i++)
		n += r->cores[i].node == node && r->cores[i].isolated &&
		     r->cores[i].owner == NOBODY && !r->cores[i].kept && !r->cores[i].shut;
	return n;
}

static void rank_one(const struct room *r, size_t guest, struct candidate *c)
{
	enum pool pool;
	bool pages =
		memory_fits(r, guest, r->memnode[c->node], guest_memory(&r->g[guest]), &pool) &&
		(!r->g[guest].page || pool != POOL_NORMAL);

	c->look = look(r, c->node);
	/* pages that are there; the disk; CPUs that are free of the host's tasks; an empty node */
	c->rank[0] = pages ? 0 : 1;
	c->rank[1] = disk_node(r->h, &r->g[guest]) == (int)c->node ? 0
		     : wanted_by_others(r, guest, c->node)	   ? 2
								   : 1;
	c->rank[2] = isolated_free(r, c->node) ? 0 : 1;
	c->rank[3] = fullness(r, c->node);
}

/* Tries it, to see how many nodes it takes and how far they are from each other. */
static bool rank_spread(struct room *r, size_t guest, struct candidate *c)
{
	const struct seat *s = &r->seats[guest];
	int disk = disk_node(r->h, &r->g[guest]);
	double far = 0;
	bool has_disk = false;

	if (!seat_as(r, guest, c))
		return false;
	for (size_t i = 0; i < s->nparts; i++) {
		has_disk |= (int)s->parts[i].node == disk;
		for (size_t k = 0; k < s->nparts; k++)
			far += node_distance(r->h, s->parts[i].node, s->parts[k].node);
	}
	c->rank[0] = (double)s->nparts + (s->uneven ? 0.5 : 0);
	c->rank[1] = has_disk || disk < 0 ? 0 : 1;
	c->rank[2] = far;
	c->rank[3] = fullness(r, c->node);
	seat_leave(r, guest);
	return true;
}

static int by_rank(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->how != y->how)
		return x->how < y->how ? -1 : 1;
	for (size_t i = 0; i < sizeof(x->rank) / sizeof(x->rank[0]); i++)
		if (x->rank[i] < y->rank[i] || x->rank[i] > y->rank[i])
			return x->rank[i] < y->rank[i] ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

/* Room for 3 * nnodes. */
static size_t candidates(struct room *r, size_t guest, struct candidate *out)
{
	const struct seat *s = &r->seats[guest];
	unsigned nodes = (unsigned)r->h->nnodes;
	size_t n = 0;

	for (unsigned i = 0; i < nodes && s->fits_node; i++) {
		out[n] = (struct candidate){.node = i, .how = ONE};
		rank_one(r, guest, &out[n++]);
	}
	for (unsigned i = 0; i < nodes && (!s->fits_node || r->may_spread); i++) {
		out[n] = (struct candidate){.node = i, .how = SPREAD};
		n += rank_spread(r, guest, &out[n]);
	}
	for (unsigned i = 0; i < nodes && r->may_scatter; i++)
		out[n++] = (struct candidate){.node = i, .how = SCATTER};
	qsort(out, n, sizeof(*out), by_rank);
	return n;
}

/* Seats the guests from order[i] on. */
static bool descend(struct room *r, size_t i)
{
	struct candidate *c;
	size_t n, guest;
	bool done = false;

	while (i < r->n && !r->seats[r->order[i]].may_pin)
		i++;
	if (i == r->n)
		return true;
	guest = r->order[i];
	c = xcalloc(r->h->nnodes * 3, sizeof(*c));
	n = candidates(r, guest, c);
	for (size_t k = 0; k < n && !done && r->steps; k++) {
		bool seen = false;

		for (size_t m = 0; m < k && c[k].how == ONE; m++)
			seen |= c[m].how == ONE && c[m].look == c[k].look;
		if (seen)
			continue;
		r->steps--;
		if (!seat_as(r, guest, &c[k]))
			continue;
		done = descend(r, i + 1);
		if (!done)
			seat_leave(r, guest);
	}
	free(c);
	return done;
}

static void cores_leave(struct room *r, size_t guest)
{
	for (size_t i = 0; i < r->ncores; i++)
		if (r->cores[i].owner == (int)guest)
			r->cores[i].owner = NOBODY;
}

/* Whether the guests from order[i] on still find CPUs in their nodes. */
static bool rest_fits(struct room *r, size_t i)
{
	size_t k;
	bool fits = true;

	for (k = i; k < r->n && fits; k++)
		if (r->seats[r->order[k]].kind == SEAT_PINNED)
			fits = seat_sit(r, r->order[k], way_least);
	while (k-- > i)
		if (r->seats[r->order[k]].kind == SEAT_PINNED)
			cores_leave(r, r->order[k]);
	return fits;
}

/* A fair share of the free cores of its (first) node among those that still wait for theirs. */
static unsigned fair_cores(const struct room *r, size_t i)
{
	const struct seat *s = &r->seats[r->order[i]];
	unsigned node = s->parts[0].node, waiting = 0, cores = 0, share;

	for (size_t k = i; k < r->n; k++) {
		const struct seat *t = &r->seats[r->order[k]];

		for (size_t p = 0; t->kind == SEAT_PINNED && p < t->nparts; p++)
			if (t->parts[p].node == node)
				waiting += t->parts[p].vcpus + t->parts[p].iothreads;
	}
	for (size_t k = 0; k < r->ncores; k++) {
		const struct core *c = &r->cores[k];

		cores += c->node == node && c->owner == NOBODY && !c->kept && !c->shut &&
			 (!c->kind || r->o->small_cores);
	}
	share = waiting ? cores * s->parts[0].vcpus / waiting : 0;
	return share < s->parts[0].vcpus ? share : s->parts[0].vcpus;
}

/* One guest as comfortably as leaves room for the others. */
static bool settle_one(struct room *r, size_t i)
{
	size_t guest = r->order[i];
	unsigned cores = r->o->smt == PLACE_SPREAD ? fair_cores(r, i) : 0;

	for (;; cores--) {
		for (int io = IO_OWN; io <= IO_SIBLINGS; io++) {
			if (!seat_sit(r, guest, (struct way){cores, (enum io_way)io}))
				continue;
			if (rest_fits(r, i + 1))
				return true;
			cores_leave(r, guest);
		}
		if (!cores)
			return false;
	}
}

bool search_pinned(struct room *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->seats[i].may_pin && !r->seats[i].fits)
			return false;
	if (!descend(r, 0))
		return false;
	for (size_t i = 0; i < r->n; i++)
		if (r->seats[i].kind == SEAT_PINNED)
			cores_leave(r, i);
	for (size_t i = 0; i < r->n; i++)
		if (r->seats[r->order[i]].kind == SEAT_PINNED && !settle_one(r, i))
			return false;
	return true;
}
