// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest within one node, over several, or in one with memory of several. */
#include <stdlib.h>
#include <string.h>
#include "place/internal.h"

bool seat_one(struct room *r, size_t guest, unsigned node)
{
	struct seat *s = &r->seats[guest];

	s->parts[0] = (struct part){node, 0, r->g[guest].vcpus, r->g[guest].iothreads,
				    guest_memory(&r->g[guest])};
	s->nparts = 1;
	if (memory_take(r, guest, r->memnode[node], guest_memory(&r->g[guest])) &&
	    seat_sit(r, guest, way_least)) {
		s->kind = SEAT_PINNED;
		return true;
	}
	seat_leave(r, guest);
	return false;
}

/* All nodes, nearest to one first. */
static unsigned *nodes_near(const struct place_host *h, unsigned seed)
{
	unsigned *list = xcalloc(h->nnodes, sizeof(*list));

	for (unsigned i = 0; i < h->nnodes; i++) {
		unsigned k = i;

		for (; k && (i == seed ||
			     (list[k - 1] != seed &&
			      node_distance(h, seed, i) < node_distance(h, seed, list[k - 1])));
		     k--)
			list[k] = list[k - 1];
		list[k] = i;
	}
	return list;
}

/* CPUs of one core that vCPUs fill together, at the most. */
static unsigned width(const struct room *r)
{
	unsigned wide = 1;

	for (size_t i = 0; i < r->ncores && r->o->smt != PLACE_ISOLATE; i++)
		if (r->cores[i].n > wide)
			wide = r->cores[i].n;
	return wide;
}

/*
 * First vCPU (and byte) of share i out of m: whole cores where there is at least one for each
 * share, and whole pages.
 */
static unsigned vcpu_cut(const struct room *r, size_t guest, unsigned i, unsigned m)
{
	unsigned v = r->g[guest].vcpus, w = width(r), units = (v + w - 1) / w, at;

	if (units < m) {
		units = v;
		w = 1;
	}
	/* the first shares are the larger ones */
	at = (units * i + m - 1) / m * w;
	return at < v ? at : v;
}

static uint64_t byte_unit(const struct place_guest *g)
{
	return g->page ? g->page : 1u << 20;
}

static uint64_t memory_cut(const struct place_guest *g, unsigned i, unsigned m)
{
	uint64_t all = guest_memory(g), unit = byte_unit(g);

	return i == m ? all : all / unit * i / m * unit;
}

/* One share onto a node; what was taken stays until seat_leave. */
static bool share_sit(struct room *r, size_t guest, struct part p)
{
	struct seat *s = &r->seats[guest];
	unsigned memnode = r->memnode[p.node];

	if (!memory_take(r, guest, memnode, p.memory))
		return false;
	if (!part_sit(r, guest, &p, way_least)) {
		s->memory[memnode] -= p.memory;
		r->left[s->pool][memnode] += p.memory;
		return false;
	}
	s->parts[s->nparts++] = p;
	return true;
}

/* Equal shares on m nodes; those with the disk get the iothreads, else the first. */
static bool spread_even(struct room *r, size_t guest, const unsigned *nodes, unsigned m, int io)
{
	const struct place_guest *g = &r->g[guest];
	struct seat *s = &r->seats[guest];

	if (vcpu_cut(r, guest, m - 1, m) >= g->vcpus || memory_cut(g, 1, m) == 0)
		return false;
	for (unsigned k = 0; k < r->h->nnodes && s->nparts < m; k++) {
		unsigned i = (unsigned)s->nparts, first = vcpu_cut(r, guest, i, m);
		bool has_io = io < 0 ? i == 0 : nodes[k] == (unsigned)io;
		struct part p = {nodes[k], first, vcpu_cut(r, guest, i + 1, m) - first,
				 has_io ? g->iothreads : 0,
				 memory_cut(g, i + 1, m) - memory_cut(g, i, m)};

		share_sit(r, guest, p);
	}
	for (size_t i = 0; i < s->nparts && io >= 0; i++)
		if (s->parts[i].node == (unsigned)io)
			io = -1;
	if (s->nparts == m && io < 0) {
		s->kind = SEAT_PINNED;
		s->cells = true;
		return true;
	}
	seat_leave(r, guest);
	return false;
}

/* What part of the guest a node could hold; 1: all. */
static double share_of(const struct room *r, size_t guest, unsigned node)
{
	const struct place_guest *g = &r->g[guest];
	double cpus, bytes;
	enum pool pool;
	unsigned n = 0;

	for (size_t i = 0; i < r->ncores; i++) {
		const struct core *c = &r->cores[i];

		if (c->node == node && c->owner == NOBODY && !c->kept && !c->shut &&
		    (!c->kind || r->o->small_cores))
			n += r->o->smt == PLACE_ISOLATE ? 1 : c->n;
	}
	cpus = (double)n / (g->vcpus + g->iothreads);
	if (!memory_fits(r, guest, r->memnode[node], byte_unit(g), &pool))
		return 0;
	bytes = (double)r->left[pool][r->memnode[node]] / (double)(g->memory ? g->memory : 1);
	return cpus < bytes ? cpus : bytes;
}

/* Shares as large as m nodes can hold: the seed, and those that can hold most. */
static bool spread_uneven(struct room *r, size_t guest, const unsigned *nodes, unsigned m)
{
	const struct place_guest *g = &r->g[guest];
	struct seat *s = &r->seats[guest];
	uint64_t unit = byte_unit(g), had = 0;
	unsigned *of = xcalloc(m, sizeof(*of)), n = 1, v = 0, w = width(r);
	double sum, run = 0;
	bool done = true;

	of[0] = nodes[0];
	for (; n < m; n++) {
		int best = -1;

		for (unsigned k = 1; k < r->h->nnodes; k++) {
			bool used = false;

			for (unsigned i = 0; i < n; i++)
				used |= of[i] == nodes[k];
			if (!used && (best < 0 || share_of(r, guest, nodes[k]) >
							  share_of(r, guest, (unsigned)best)))
				best = (int)nodes[k];
		}
		of[n] = (unsigned)best;
	}
	sum = 0;
	for (unsigned i = 0; i < m; i++)
		sum += share_of(r, guest, of[i]);
	done = sum >= 1;
	double *part = xcalloc(m, sizeof(*part));
	for (unsigned i = 0; i < m; i++)
		part[i] = done ? share_of(r, guest, of[i]) / sum : 0;
	for (unsigned i = 0; i < m && done; i++) {
		unsigned to;
		uint64_t bytes;

		run += part[i];
		to = i == m - 1 ? g->vcpus : (unsigned)(run * g->vcpus / w + 0.5) * w;
		bytes = i == m - 1 ? guest_memory(g)
				   : (uint64_t)(run * (double)(guest_memory(g) / unit)) * unit;
		done = to > v && to <= g->vcpus && bytes > had &&
		       share_sit(
			       r, guest,
			       (struct part){of[i], v, to - v, i ? 0 : g->iothreads, bytes - had});
		v = to;
		had = bytes;
	}
	free(part);
	free(of);
	if (!done) {
		seat_leave(r, guest);
		return false;
	}
	s->kind = SEAT_PINNED;
	s->cells = s->uneven = true;
	return true;
}

bool seat_spread(struct room *r, size_t guest, unsigned seed)
{
	unsigned *nodes = nodes_near(r->h, seed), n = (unsigned)r->h->nnodes;
	int disk = disk_node(r->h, &r->g[guest]);
	bool done = false;

	for (unsigned m = 2; m <= n && m <= r->g[guest].vcpus && !done; m++)
		done = (disk >= 0 && spread_even(r, guest, nodes, m, disk)) ||
		       spread_even(r, guest, nodes, m, -1) || spread_uneven(r, guest, nodes, m);
	free(nodes);
	return done;
}

bool seat_scatter(struct room *r, size_t guest, unsigned node)
{
	const struct place_guest *g = &r->g[guest];
	struct seat *s = &r->seats[guest];
	unsigned *nodes = nodes_near(r->h, node);
	uint64_t left = guest_memory(g);
	enum pool pool;

	s->parts[0] = (struct part){node, 0, g->vcpus, g->iothreads, left};
	s->nparts = 1;
	for (unsigned k = 0; k < r->h->nnodes && left; k++) {
		uint64_t unit = byte_unit(g), bytes;

		if (!memory_fits(r, guest, nodes[k], left < unit ? left : unit, &pool))
			continue;
		bytes = r->left[pool][nodes[k]];
		bytes = left < bytes ? left : bytes / unit * unit;
		if (memory_take(r, guest, nodes[k], bytes))
			left -= bytes;
	}
	free(nodes);
	if (!left && seat_sit(r, guest, way_least)) {
		s->kind = SEAT_PINNED;
		return true;
	}
	seat_leave(r, guest);
	return false;
}
