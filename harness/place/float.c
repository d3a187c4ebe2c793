// SPDX-License-Identifier: GPL-2.0-or-later
/* Guests without CPUs of their own: kept to a node, on the CPUs that pinned guests leave. */
#include <stdlib.h>
#include <string.h>
#include "place/internal.h"

/* What the scheduler can use for all: not the host's, not pinned, and balanced by it (CPU-16). */
static bool shared_core(const struct room *r, const struct core *c, bool isolated, bool small)
{
	return c->owner == NOBODY && !c->kept && !c->shut && (isolated || !c->isolated) &&
	       (small || !c->kind || r->o->small_cores);
}

/* Isolated or less capable CPUs only where a machine has no others. */
static bool any_shared(const struct room *r, bool isolated, bool small)
{
	for (size_t i = 0; i < r->ncores; i++)
		if (shared_core(r, &r->cores[i], isolated, small))
			return true;
	return false;
}

static bool core_floats(const struct room *r, const struct core *c)
{
	if (any_shared(r, false, false))
		return shared_core(r, c, false, false);
	if (any_shared(r, false, true))
		return shared_core(r, c, false, true);
	return shared_core(r, c, true, true);
}

bool float_cpu(const struct room *r, const struct core *c, const bool *nodes)
{
	return nodes[c->node] && core_floats(r, c);
}

static unsigned node_pool(const struct room *r, unsigned node)
{
	unsigned n = 0;

	for (size_t i = 0; i < r->ncores; i++)
		if (r->cores[i].node == node && core_floats(r, &r->cores[i]))
			n += r->cores[i].n;
	return n;
}

struct pools {
	unsigned *cpus; /* [nnodes] */
	double *load;	/* vCPUs there */
	double ratio;
};

/* Whether node a is the better one for a guest than b. */
static bool better(const struct room *r, const struct pools *p, size_t guest, unsigned a,
		   unsigned b)
{
	unsigned v = r->g[guest].vcpus;
	int disk = disk_node(r->h, &r->g[guest]);
	double la = (p->load[a] + v) / p->cpus[a], lb = (p->load[b] + v) / p->cpus[b];

	/* more vCPUs than CPUs make a guest fight with itself */
	if ((p->cpus[a] >= v) != (p->cpus[b] >= v))
		return p->cpus[a] >= v;
	if ((la <= r->o->total_ratio) != (lb <= r->o->total_ratio))
		return la <= r->o->total_ratio;
	if ((disk == (int)a) != (disk == (int)b))
		return disk == (int)a;
	return la < lb;
}

static bool take_spread_memory(struct room *r, size_t guest, const unsigned *nodes, unsigned n)
{
	uint64_t left = guest_memory(&r->g[guest]), unit = r->g[guest].page;
	enum pool pool;

	if (!unit)
		unit = 4096;
	for (unsigned k = 0; k < n && left; k++) {
		uint64_t bytes;

		if (!memory_fits(r, guest, r->memnode[nodes[k]], unit, &pool))
			continue;
		bytes = r->left[pool][r->memnode[nodes[k]]] / unit * unit;
		if (bytes > left)
			bytes = left;
		if (memory_take(r, guest, r->memnode[nodes[k]], bytes))
			left -= bytes;
	}
	return !left;
}

static void memory_back(struct room *r, size_t guest)
{
	struct seat *s = &r->seats[guest];

	for (unsigned i = 0; i < r->h->nnodes; i++) {
		r->left[s->pool][i] += s->memory[i];
		s->memory[i] = 0;
	}
	s->pool = POOL_NORMAL;
}

static bool over(const struct pools *p, double vcpus, double cpus)
{
	return p->ratio > 0 && vcpus > p->ratio * cpus;
}

/* Within one node. */
static bool float_one(struct room *r, struct pools *p, size_t guest)
{
	struct seat *s = &r->seats[guest];
	unsigned v = r->g[guest].vcpus, best = 0;
	bool found = false;
	enum pool pool;

	for (unsigned i = 0; i < r->h->nnodes; i++) {
		if (p->cpus[i] < v || over(p, p->load[i] + v, p->cpus[i]) ||
		    !memory_fits(r, guest, r->memnode[i], guest_memory(&r->g[guest]), &pool))
			continue;
		if (!found || better(r, p, guest, i, best))
			best = i;
		found = true;
	}
	if (!found || !memory_take(r, guest, r->memnode[best], guest_memory(&r->g[guest])))
		return false;
	s->in[best] = true;
	p->load[best] += v;
	return true;
}

/* Over as few as it needs, those with the fewest vCPUs a CPU first. */
static bool float_many(struct room *r, struct pools *p, size_t guest)
{
	struct seat *s = &r->seats[guest];
	unsigned v = r->g[guest].vcpus, n = 0, *nodes = xcalloc(r->h->nnodes, sizeof(*nodes));
	double cpus = 0, load = 0;
	bool memory = false;

	for (unsigned i = 0; i < r->h->nnodes; i++) {
		unsigned k = n++;

		for (; k && p->cpus[i] &&
		       (!p->cpus[nodes[k - 1]] || better(r, p, guest, i, nodes[k - 1]));
		     k--)
			nodes[k] = nodes[k - 1];
		nodes[k] = i;
	}
	for (n = 0; n < r->h->nnodes && !(memory && cpus >= v && !over(p, load, cpus)); n++) {
		s->in[nodes[n]] = true;
		cpus += p->cpus[nodes[n]];
		load += p->load[nodes[n]] + (n ? 0 : v);
		memory_back(r, guest);
		memory = take_spread_memory(r, guest, nodes, n + 1);
	}
	for (unsigned i = 0; i < n; i++)
		if (cpus > 0)
			p->load[nodes[i]] += v * p->cpus[nodes[i]] / cpus;
	free(nodes);
	/* a guest that fights with itself is worse off than all are without pinned ones */
	return memory && cpus > 0 && !over(p, load, cpus) && (p->ratio <= 0 || cpus >= v);
}

bool float_seat(struct room *r, double ratio, const bool *dropped)
{
	struct pools p = {xcalloc(r->h->nnodes, sizeof(unsigned)),
			  xcalloc(r->h->nnodes, sizeof(double)), ratio};
	bool done = true;

	for (unsigned i = 0; i < r->h->nnodes; i++)
		p.cpus[i] = node_pool(r, i);
	for (size_t i = 0; i < r->n && done; i++) {
		if (r->seats[i].kind == SEAT_PINNED || dropped[i])
			continue;
		done = float_one(r, &p, i);
		if (!done) {
			seat_leave(r, i);
			done = float_many(r, &p, i);
		}
		r->seats[i].kind = SEAT_FLOAT;
	}
	free(p.cpus);
	free(p.load);
	return done;
}
