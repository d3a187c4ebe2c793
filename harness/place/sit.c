// SPDX-License-Identifier: GPL-2.0-or-later
/* One part of a guest onto free cores of one node: siblings, shared caches, kinds, iothreads. */
#include <stdlib.h>
#include <string.h>
#include "place/internal.h"

/* A core and how many of its CPUs vCPUs take. */
struct pick {
	unsigned core, n;
};

/* Cores that share a cache: a stretch of a list. */
struct group {
	unsigned first, n, room; /* room: see need_of */
};

struct choice {
	struct room *r;
	unsigned vcpus, iothreads;
	struct way way;
	unsigned *list; /* cores that vCPUs may take, by place */
	unsigned n;
	struct pick *picks;
	unsigned npicks;
};

static const struct core *core_at(const struct choice *c, unsigned i)
{
	return &c->r->cores[i];
}

static bool by_cores(const struct choice *c)
{
	return c->r->o->smt == PLACE_ISOLATE || (c->r->o->smt == PLACE_SPREAD && c->way.cores);
}

/* How much a choice needs: cores, or CPUs. */
static unsigned need_of(const struct choice *c)
{
	if (c->r->o->smt == PLACE_ISOLATE)
		return c->vcpus;
	return by_cores(c) ? c->way.cores : c->vcpus;
}

static unsigned room_of(const struct choice *c, const unsigned *list, unsigned n)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += by_cores(c) ? 1 : core_at(c, list[i])->n;
	return sum;
}

/* Full cores first for neighbours on siblings; narrow ones first where siblings stay empty. */
static void order_cores(const struct choice *c, unsigned *list, unsigned n)
{
	bool narrow = c->r->o->smt == PLACE_ISOLATE;

	for (unsigned i = 1; i < n; i++) {
		unsigned one = list[i], k = i;
		const struct core *x = core_at(c, one), *y;

		for (; k; k--) {
			y = core_at(c, list[k - 1]);
			if (x->n == y->n ? x->isolated <= y->isolated
					 : (narrow ? x->n > y->n : x->n < y->n))
				break;
			list[k] = list[k - 1];
		}
		list[k] = one;
	}
}

/* Neighbouring vCPUs fill a core; the last, if it fills none, gets the narrowest that is left. */
static unsigned take_siblings(const struct choice *c, const unsigned *list, unsigned n,
			      struct pick *out)
{
	unsigned left = c->vcpus, picks = 0;

	for (unsigned i = 0; i < n && left; i++) {
		unsigned at = i;

		if (core_at(c, list[i])->n > left)
			for (unsigned k = i + 1; k < n; k++)
				if (core_at(c, list[k])->n >= left &&
				    core_at(c, list[k])->n < core_at(c, list[at])->n)
					at = k;
		out[picks].core = list[at];
		out[picks].n = core_at(c, list[at])->n < left ? core_at(c, list[at])->n : left;
		left -= out[picks++].n;
	}
	return left ? 0 : picks;
}

/* One vCPU on each of `cores` cores, then one more on each that has room. */
static unsigned take_cores(const struct choice *c, const unsigned *list, unsigned n, unsigned cores,
			   struct pick *out)
{
	unsigned left = c->vcpus;
	bool more = true;

	if (n < cores)
		return 0;
	for (unsigned i = 0; i < cores; i++)
		out[i] = (struct pick){list[i], 0};
	for (; left && more;) {
		more = false;
		for (unsigned i = 0; i < cores && left; i++)
			if (out[i].n < core_at(c, out[i].core)->n) {
				out[i].n++;
				left--;
				more = true;
			}
	}
	return left ? 0 : cores;
}

/* Onto the first of these cores; 0: they do not suffice. */
static unsigned take(const struct choice *c, const unsigned *list, unsigned n, struct pick *out)
{
	unsigned *sorted = xcalloc(n, sizeof(*sorted)), picks;

	memcpy(sorted, list, n * sizeof(*sorted));
	order_cores(c, sorted, n);
	if (by_cores(c))
		picks = take_cores(c, sorted, n, need_of(c), out);
	else
		picks = take_siblings(c, sorted, n, out);
	free(sorted);
	return picks;
}

static unsigned groups_make(const struct choice *c, struct group *g)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n; i++) {
		if (!i || core_at(c, c->list[i])->llc != core_at(c, c->list[i - 1])->llc)
			g[n++] = (struct group){i, 0, 0};
		g[n - 1].n++;
	}
	for (unsigned i = 0; i < n; i++)
		g[i].room = room_of(c, c->list + g[i].first, g[i].n);
	return n;
}

/* Cores that are given up for iothreads, at the most. */
static bool io_beside(const struct choice *c, unsigned spare)
{
	return spare >= c->iothreads;
}

/* Within one cache: the group that is filled best, if possible one that has the iothreads, too. */
static bool choose_one(struct choice *c, const struct group *g, unsigned n)
{
	struct pick *try = xcalloc(c->n, sizeof(*try));
	unsigned best = n, best_spare = 0;
	bool best_io = false;

	for (unsigned i = 0; i < n; i++) {
		unsigned picks = take(c, c->list + g[i].first, g[i].n, try), spare;
		bool io;

		if (!picks)
			continue;
		spare = g[i].n - picks;
		io = io_beside(c, spare);
		if (best < n && (io != best_io ? best_io : spare >= best_spare))
			continue;
		best = i;
		best_spare = spare;
		best_io = io;
		c->npicks = picks;
		memcpy(c->picks, try, picks * sizeof(*try));
	}
	free(try);
	return best < n;
}

static int by_room(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->room != y->room)
		return x->room > y->room ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

static int by_first(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* The first m of those with the least room that have `each` cores of that width; fewer: none. */
static unsigned groups_even(const struct choice *c, const struct group *g, unsigned n, unsigned m,
			    unsigned each, unsigned wide, struct group *out)
{
	unsigned found = 0, least = 0;

	for (unsigned room = 0; found < m; room = least) {
		least = UINT32_MAX;
		for (unsigned i = 0; i < n; i++)
			if (g[i].room > room && g[i].room < least)
				least = g[i].room;
		if (least == UINT32_MAX)
			return 0;
		/* g is by falling room, then by place */
		for (unsigned i = 0; i < n && found < m; i++) {
			unsigned cores = 0;

			for (unsigned k = 0; k < g[i].n && g[i].room == least; k++)
				cores += core_at(c, c->list[g[i].first + k])->n >= wide;
			if (cores >= each)
				out[found++] = g[i];
		}
	}
	qsort(out, m, sizeof(*out), by_first);
	return m;
}

/*
 * The same number of cores in each of m caches, so that the guest can be told (CPU-10, CPU-11). Of
 * those that have enough the smallest are taken.
 */
static bool choose_even(struct choice *c, const struct group *g, unsigned n, unsigned m)
{
	unsigned wide = 1, cores = need_of(c), *list, used = 0;
	struct group *even;

	for (unsigned i = 0; i < c->n && !by_cores(c); i++)
		if (core_at(c, c->list[i])->n > wide)
			wide = core_at(c, c->list[i])->n;
	if (!by_cores(c))
		cores = c->vcpus % wide ? 0 : c->vcpus / wide;
	if (!cores || cores % m)
		return false;
	list = xcalloc(c->n, sizeof(*list));
	even = xcalloc(m, sizeof(*even));
	m = groups_even(c, g, n, m, cores / m, wide, even);
	for (unsigned i = 0; i < m; i++)
		for (unsigned k = 0, taken = 0; k < even[i].n && taken < cores / m; k++)
			if (core_at(c, c->list[even[i].first + k])->n >= wide) {
				list[used++] = c->list[even[i].first + k];
				taken++;
			}
	c->npicks = m ? take(c, list, used, c->picks) : 0;
	free(even);
	free(list);
	return c->npicks > 0;
}

/* Over the fewest caches. */
static bool choose_many(struct choice *c, struct group *g, unsigned n)
{
	unsigned sum = 0, m = 0, *list, used = 0;

	qsort(g, n, sizeof(*g), by_room);
	while (m < n && sum < need_of(c))
		sum += g[m++].room;
	if (sum < need_of(c))
		return false;
	if (m > 1 && choose_even(c, g, n, m))
		return true;
	list = xcalloc(c->n, sizeof(*list));
	/* CPUs may suffice where cores of PLACE_SPREAD, each of them with room, do not */
	for (unsigned i = 0; i < m; i++)
		for (unsigned k = 0; k < g[i].n; k++)
			list[used++] = c->list[g[i].first + k];
	c->npicks = take(c, list, used, c->picks);
	free(list);
	return c->npicks > 0;
}

/* Cores of the node that are free, of kinds from..to. */
static void list_free(struct choice *c, unsigned node, unsigned from, unsigned to)
{
	c->n = 0;
	for (unsigned i = 0; i < c->r->ncores; i++) {
		const struct core *x = core_at(c, i);

		if (x->node == node && x->owner == NOBODY && !x->kept && !x->shut &&
		    x->kind >= from && x->kind <= to)
			c->list[c->n++] = i;
	}
}

static bool choose(struct choice *c)
{
	struct group *g = xcalloc(c->n, sizeof(*g));
	unsigned n = groups_make(c, g);
	bool done = choose_one(c, g, n) || choose_many(c, g, n);

	free(g);
	return done;
}

static bool picked(const struct choice *c, unsigned core)
{
	for (unsigned i = 0; i < c->npicks; i++)
		if (c->picks[i].core == core)
			return true;
	return false;
}

static bool near(const struct choice *c, const struct core *x)
{
	for (unsigned i = 0; i < c->npicks; i++)
		if (core_at(c, c->picks[i].core)->llc == x->llc)
			return true;
	return false;
}

static unsigned free_in_llc(const struct choice *c, unsigned llc)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n; i++)
		n += core_at(c, c->list[i])->llc == llc;
	return n;
}

/* Less capable cores, isolated ones, near the vCPUs, in caches that are in use already. */
static bool better_for_io(const struct choice *c, const struct core *x, const struct core *y)
{
	unsigned a, b;

	if (x->kind != y->kind)
		return x->kind > y->kind;
	/* where the host's tasks are kept away from, guests belong; floating ones need the others
	 */
	if (x->isolated != y->isolated)
		return x->isolated;
	if (near(c, x) != near(c, y))
		return near(c, x);
	a = free_in_llc(c, x->llc);
	b = free_in_llc(c, y->llc);
	return a < b;
}

/* Free cores for iothreads, best first, as places in list; returns how many. */
static unsigned io_cores(const struct choice *c, unsigned *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n; i++) {
		unsigned k = n;

		if (picked(c, c->list[i]))
			continue;
		for (; k && better_for_io(c, core_at(c, c->list[i]), core_at(c, out[k - 1])); k--)
			out[k] = out[k - 1];
		out[k] = c->list[i];
		n++;
	}
	return n;
}

/* Puts iothreads onto CPUs; false: there are too few. Marks the cores as the guest's. */
static bool io_sit(struct choice *c, struct seat *s, int guest)
{
	unsigned *cores = xcalloc(c->n, sizeof(*cores)), n = io_cores(c, cores), done = 0;

	if (c->way.io == IO_SIBLINGS && c->r->o->smt != PLACE_ISOLATE)
		for (unsigned i = c->npicks; i-- && done < c->iothreads;) {
			const struct core *x = core_at(c, c->picks[i].core);

			for (unsigned k = c->picks[i].n; k < x->n && done < c->iothreads; k++)
				s->iothread[done++] = x->cpu[k];
		}
	for (unsigned i = 0; i < n && done < c->iothreads; i++) {
		struct core *x = &c->r->cores[cores[i]];
		unsigned most = c->way.io == IO_OWN ? 1 : x->n;

		for (unsigned k = 0; k < most && done < c->iothreads; k++)
			s->iothread[done++] = x->cpu[k];
		x->owner = guest;
	}
	free(cores);
	return done == c->iothreads;
}

/* Neighbours on siblings; with PLACE_SPREAD cores first, unless all are filled anyway. */
static void vcpus_number(const struct choice *c, unsigned first, struct seat *s)
{
	unsigned next = first, pass;
	bool full = true;

	for (unsigned i = 0; i < c->npicks; i++)
		full &= c->picks[i].n == core_at(c, c->picks[i].core)->n;
	if (c->r->o->smt != PLACE_SPREAD || full) {
		for (unsigned i = 0; i < c->npicks; i++)
			for (unsigned k = 0; k < c->picks[i].n; k++)
				s->vcpu[next++] = core_at(c, c->picks[i].core)->cpu[k];
		return;
	}
	for (pass = 0; next < first + c->vcpus; pass++)
		for (unsigned i = 0; i < c->npicks; i++)
			if (pass < c->picks[i].n)
				s->vcpu[next++] = core_at(c, c->picks[i].core)->cpu[pass];
}

/* vCPUs on kinds from..to; iothreads on any. */
static bool sit_kinds(struct choice *c, size_t guest, const struct part *p, unsigned from,
		      unsigned to)
{
	struct seat *s = &c->r->seats[guest];

	list_free(c, p->node, from, to);
	if (!c->n || !choose(c))
		return false;
	list_free(c, p->node, 0, UINT32_MAX);
	if (!io_sit(c, s, (int)guest)) {
		for (unsigned i = 0; i < c->n; i++)
			c->r->cores[c->list[i]].owner = NOBODY;
		return false;
	}
	for (unsigned i = 0; i < c->npicks; i++)
		c->r->cores[c->picks[i].core].owner = (int)guest;
	vcpus_number(c, p->first, s);
	return true;
}

bool part_sit(struct room *r, size_t guest, const struct part *p, struct way way)
{
	struct choice c = {.r = r, .vcpus = p->vcpus, .iothreads = p->iothreads, .way = way};
	unsigned kinds = 0;
	bool done;

	c.list = xcalloc(r->ncores, sizeof(*c.list));
	c.picks = xcalloc(r->ncores, sizeof(*c.picks));
	for (size_t i = 0; i < r->ncores; i++)
		if (r->cores[i].node == p->node && r->cores[i].kind > kinds)
			kinds = r->cores[i].kind;
	done = sit_kinds(&c, guest, p, 0, 0);
	for (unsigned k = 1; k <= kinds && !done && r->o->small_cores; k++)
		done = sit_kinds(&c, guest, p, k, k);
	if (!done && kinds && r->o->small_cores)
		done = sit_kinds(&c, guest, p, 0, UINT32_MAX);
	free(c.list);
	free(c.picks);
	return done;
}

bool seat_sit(struct room *r, size_t guest, struct way way)
{
	struct seat *s = &r->seats[guest];

	for (size_t i = 0; i < s->nparts; i++) {
		if (part_sit(r, guest, &s->parts[i], way))
			continue;
		for (size_t k = 0; k < r->ncores; k++)
			if (r->cores[k].owner == (int)guest)
				r->cores[k].owner = NOBODY;
		return false;
	}
	return true;
}
