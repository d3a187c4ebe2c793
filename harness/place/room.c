// SPDX-License-Identifier: GPL-2.0-or-later
/* The machine while guests are being seated: cores, memory, and who has them. */
#include <stdlib.h>
#include <string.h>
#include "place/internal.h"

const struct way way_least = {0, IO_SIBLINGS};

uint64_t guest_memory(const struct place_guest *g)
{
	uint64_t page = g->page ? g->page : 4096;

	return (g->memory + page - 1) / page * page;
}

unsigned node_distance(const struct place_host *h, unsigned from, unsigned to)
{
	if (from == to)
		return h->nodes[from].distance ? h->nodes[from].distance[to] : 10;
	return h->nodes[from].distance ? h->nodes[from].distance[to] : 20;
}

int disk_node(const struct place_host *h, const struct place_guest *g)
{
	for (size_t i = 0; i < h->nnodes && g->disk_node >= 0; i++)
		if (h->nodes[i].os == (unsigned)g->disk_node)
			return (int)i;
	return -1;
}

static struct core *core_of(struct room *r, unsigned id)
{
	for (size_t i = 0; i < r->ncores; i++)
		if (r->h->cpus[r->cores[i].cpu[0]].core == id)
			return &r->cores[i];
	return NULL;
}

static int by_place(const void *a, const void *b)
{
	const struct core *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	if (x->llc != y->llc)
		return x->llc < y->llc ? -1 : 1;
	return x->cpu[0] < y->cpu[0] ? -1 : 1;
}

/* Cores with the CPUs that may be used; a core that is partly someone else's is shut. */
static void cores_make(struct room *r, const bool *reserved)
{
	const struct place_host *h = r->h;
	unsigned *fill;

	r->cores = xcalloc(h->ncpus, sizeof(*r->cores));
	r->cpus = xcalloc(h->ncpus * 2, sizeof(*r->cpus));
	for (size_t i = 0, used = 0; i < h->ncpus; i++) {
		struct core *c;

		if (!h->cpus[i].usable || core_of(r, h->cpus[i].core))
			continue;
		c = &r->cores[r->ncores++];
		*c = (struct core){h->cpus[i].node, h->cpus[i].llc, h->cpus[i].package,
				   h->cpus[i].kind, NULL,	    0,
				   false,	    false,	    false,
				   NOBODY};
		c->cpu = fill = r->cpus + used;
		c->isolated = true;
		for (size_t k = i; k < h->ncpus; k++) {
			if (h->cpus[k].core != h->cpus[i].core)
				continue;
			c->shut |= h->cpus[k].taken || reserved[h->cpus[k].os % PLACE_CPUS_MAX];
			if (!h->cpus[k].usable)
				continue;
			c->isolated &= h->cpus[k].isolated;
			fill[c->n++] = (unsigned)k;
		}
		used += c->n;
	}
	qsort(r->cores, r->ncores, sizeof(*r->cores), by_place);
}

/* The host's cores of a node: the least capable ones, not isolated ones, the first ones. */
static bool keep_core(struct room *r, unsigned node)
{
	struct core *best = NULL;

	for (size_t i = 0; i < r->ncores; i++) {
		struct core *c = &r->cores[i];

		if (c->node != node || c->kept || c->shut)
			continue;
		if (!best || c->isolated < best->isolated ||
		    (c->isolated == best->isolated && c->kind > best->kind))
			best = c;
	}
	if (best)
		best->kept = true;
	return best != NULL;
}

static void keep_cores(struct room *r)
{
	for (unsigned node = 0; node < r->h->nnodes; node++) {
		unsigned n = 0, want;

		for (size_t i = 0; i < r->ncores; i++)
			n += r->cores[i].node == node && !r->cores[i].shut;
		want = r->o->keep_default ? n >= 4 : r->o->keep_cores;
		for (unsigned k = 0; k < want && keep_core(r, node); k++)
			r->any_kept = true;
	}
}

bool room_keep_one(struct room *r)
{
	size_t most = 0;
	unsigned best = 0;

	for (unsigned node = 0; node < r->h->nnodes; node++) {
		size_t n = 0;

		for (size_t i = 0; i < r->ncores; i++)
			n += r->cores[i].node == node && !r->cores[i].shut;
		if (n > most) {
			most = n;
			best = node;
		}
	}
	return r->lone = most && keep_core(r, best);
}

/* The nearest node with memory; its own where it has some. */
static unsigned nearest_memory(const struct place_host *h, unsigned node)
{
	unsigned best = node;

	if (h->nodes[node].memory)
		return node;
	for (unsigned i = 0; i < h->nnodes; i++)
		if (h->nodes[i].memory &&
		    (best == node || node_distance(h, node, i) < node_distance(h, node, best)))
			best = i;
	return best;
}

static void memory_open(struct room *r)
{
	const struct place_host *h = r->h;

	for (unsigned i = 0; i < h->nnodes; i++) {
		const struct place_node *n = &h->nodes[i];
		uint64_t open = n->memory > n->pool ? n->memory - n->pool : 0;

		/* CPU-25, MEM-10: 5 % at least for the host */
		r->left[POOL_NORMAL][i] = open - open / 20;
		r->left[POOL_2M][i] = n->huge_2m << 21;
		r->left[POOL_1G][i] = n->huge_1g << 30;
	}
}

void room_open(struct room *r, const struct place_host *h, const struct place_guest *g, size_t n,
	       const struct place_opts *o, const bool *reserved)
{
	*r = (struct room){.h = h, .o = o, .g = g, .n = n};
	cores_make(r, reserved);
	keep_cores(r);
	r->memnode = xcalloc(h->nnodes, sizeof(*r->memnode));
	for (unsigned i = 0; i < h->nnodes; i++)
		r->memnode[i] = nearest_memory(h, i);
	for (int p = 0; p < POOLS; p++)
		r->left[p] = xcalloc(h->nnodes, sizeof(uint64_t));
	r->seats = xcalloc(n, sizeof(*r->seats));
	r->order = xcalloc(n, sizeof(*r->order));
	for (size_t i = 0; i < n; i++) {
		struct seat *s = &r->seats[i];

		s->vcpu = xcalloc(g[i].vcpus, sizeof(unsigned));
		s->iothread = xcalloc(g[i].iothreads, sizeof(unsigned));
		s->parts = xcalloc(h->nnodes, sizeof(*s->parts));
		s->memory = xcalloc(h->nnodes, sizeof(*s->memory));
		s->in = xcalloc(h->nnodes, sizeof(*s->in));
		r->order[i] = i;
	}
	memory_open(r);
}

void room_close(struct room *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->seats[i].vcpu);
		free(r->seats[i].iothread);
		free(r->seats[i].parts);
		free(r->seats[i].memory);
		free(r->seats[i].in);
	}
	for (int p = 0; p < POOLS; p++)
		free(r->left[p]);
	free(r->seats);
	free(r->order);
	free(r->memnode);
	free(r->cpus);
	free(r->cores);
}

void room_clear(struct room *r)
{
	for (size_t i = 0; i < r->n; i++)
		seat_leave(r, i);
	if (r->lone)
		for (size_t i = 0; i < r->ncores; i++)
			r->cores[i].kept = false;
	r->lone = false;
}

static enum pool wanted(const struct place_guest *g)
{
	return g->page == 1u << 21 ? POOL_2M : g->page == 1u << 30 ? POOL_1G : POOL_NORMAL;
}

bool memory_fits(const struct room *r, size_t guest, unsigned node, uint64_t bytes, enum pool *pool)
{
	const struct seat *s = &r->seats[guest];
	bool begun = false;

	for (size_t i = 0; i < r->h->nnodes; i++)
		begun |= s->memory[i] > 0;
	*pool = begun ? s->pool : wanted(&r->g[guest]);
	if (r->left[*pool][node] >= bytes)
		return true;
	if (begun || !r->soft_pages || *pool == POOL_NORMAL)
		return false;
	*pool = POOL_NORMAL;
	return r->left[*pool][node] >= bytes;
}

bool memory_take(struct room *r, size_t guest, unsigned node, uint64_t bytes)
{
	struct seat *s = &r->seats[guest];
	enum pool pool;

	if (!memory_fits(r, guest, node, bytes, &pool))
		return false;
	s->pool = pool;
	s->memory[node] += bytes;
	r->left[pool][node] -= bytes;
	return true;
}

void seat_leave(struct room *r, size_t guest)
{
	struct seat *s = &r->seats[guest];

	for (size_t i = 0; i < r->ncores; i++)
		if (r->cores[i].owner == (int)guest)
			r->cores[i].owner = NOBODY;
	for (size_t i = 0; i < r->h->nnodes; i++) {
		r->left[s->pool][i] += s->memory[i];
		s->memory[i] = 0;
		s->in[i] = false;
	}
	s->nparts = 0;
	s->pool = POOL_NORMAL;
	s->cells = s->uneven = false;
	s->kind = SEAT_NONE;
}

unsigned node_free_cpus(const struct room *r, unsigned node)
{
	unsigned n = 0;

	for (size_t i = 0; i < r->ncores; i++) {
		const struct core *c = &r->cores[i];

		if (c->node == node && c->owner == NOBODY && !c->kept && !c->shut)
			n += c->n;
	}
	return n;
}
