// SPDX-License-Identifier: GPL-2.0-or-later
/* From seats to the plan: lists of CPUs and nodes, cells, what the host keeps. */
#include <stdlib.h>
#include <string.h>
#include "place/internal.h"

static char *one_text(const struct place_host *h, unsigned cpu)
{
	return xasprintf("%u", h->cpus[cpu].os);
}

/* CPUs of cores of these nodes that are of use; NULL: all nodes. Caller frees. */
static unsigned *cpus_where(const struct room *r, const bool *nodes,
			    bool (*of_use)(const struct room *r, const struct core *c), size_t *n)
{
	unsigned *list = xcalloc(r->h->ncpus, sizeof(*list));

	*n = 0;
	for (size_t i = 0; i < r->ncores; i++)
		if ((!nodes || nodes[r->cores[i].node]) && of_use(r, &r->cores[i]))
			for (unsigned k = 0; k < r->cores[i].n; k++)
				list[(*n)++] = r->h->cpus[r->cores[i].cpu[k]].os;
	return list;
}

static bool is_kept(const struct room *r, const struct core *c)
{
	(void)r;
	return c->kept;
}

static bool is_over(const struct room *r, const struct core *c)
{
	(void)r;
	return c->owner == NOBODY && !c->shut;
}

static bool is_floated(const struct room *r, const struct core *c)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->seats[i].kind == SEAT_FLOAT && float_cpu(r, c, r->seats[i].in))
			return true;
	return false;
}

/* Nobody's, no floating guest is let on it, and the scheduler uses it. */
static bool is_host(const struct room *r, const struct core *c)
{
	return c->kept || (is_over(r, c) && !c->isolated && !is_floated(r, c));
}

unsigned *kept_cpus(const struct room *r, const bool *nodes, size_t *n)
{
	return cpus_where(r, nodes, is_kept, n);
}

/* The nearest cores that are kept; without any those that nobody has; else the iothreads'. */
static char *emulator_text(const struct room *r, size_t guest, const bool *nodes)
{
	const struct seat *s = &r->seats[guest];
	bool (*const of_use[])(const struct room *, const struct core *) = {is_kept, is_host,
									    is_over};
	unsigned *list;
	size_t n;
	char *text;

	for (size_t i = 0; i < 6; i++) {
		list = cpus_where(r, i % 2 ? NULL : nodes, of_use[i / 2], &n);
		text = n ? list_text(list, n) : NULL;
		free(list);
		if (text)
			return text;
	}
	list = xcalloc(r->g[guest].iothreads, sizeof(*list));
	for (n = 0; n < r->g[guest].iothreads; n++)
		list[n] = r->h->cpus[s->iothread[n]].os;
	text = list_text(list, n);
	free(list);
	return text;
}

static void memory_fill(const struct room *r, size_t guest, struct placed_guest *out)
{
	const struct seat *s = &r->seats[guest];
	unsigned *nodes = xcalloc(r->h->nnodes, sizeof(*nodes));
	size_t n = 0;

	for (unsigned i = 0; i < r->h->nnodes; i++)
		if (s->memory[i])
			nodes[n++] = r->h->nodes[i].os;
	if (r->h->numa) {
		out->nodes = list_text(nodes, n);
		out->mode = n > 1 && !s->cells ? "interleave" : "strict";
	}
	free(nodes);
}

/* The guest's memory in shares as the parts took it. */
static void cells_fill(const struct room *r, size_t guest, struct placed_guest *out)
{
	const struct seat *s = &r->seats[guest];

	if (!s->cells || !r->h->numa)
		return;
	out->cells = xcalloc(s->nparts, sizeof(*out->cells));
	out->ncells = s->nparts;
	for (size_t i = 0; i < s->nparts; i++) {
		const struct part *p = &s->parts[i];

		out->cells[i].vcpus =
			p->vcpus > 1 ? xasprintf("%u-%u", p->first, p->first + p->vcpus - 1)
				     : xasprintf("%u", p->first);
		out->cells[i].node = r->h->nodes[r->memnode[p->node]].os;
		out->cells[i].memory = p->memory;
	}
}

static void pinned_fill(const struct room *r, size_t guest, struct placed_guest *out)
{
	const struct seat *s = &r->seats[guest];
	bool *nodes = xcalloc(r->h->nnodes, sizeof(*nodes));

	for (unsigned i = 0; i < out->vcpus; i++)
		out->vcpu[i] = one_text(r->h, s->vcpu[i]);
	for (unsigned i = 0; i < out->iothreads; i++)
		out->iothread[i] = one_text(r->h, s->iothread[i]);
	for (size_t i = 0; i < s->nparts; i++)
		nodes[s->parts[i].node] = true;
	out->emulator = emulator_text(r, guest, nodes);
	topology_tell(r, guest, out);
	cells_fill(r, guest, out);
	free(nodes);
}

static char *float_text(const struct room *r, const bool *nodes)
{
	unsigned *list = xcalloc(r->h->ncpus, sizeof(*list));
	size_t n = 0;
	char *text;

	for (size_t i = 0; i < r->ncores; i++)
		for (unsigned k = 0; float_cpu(r, &r->cores[i], nodes) && k < r->cores[i].n; k++)
			list[n++] = r->h->cpus[r->cores[i].cpu[k]].os;
	text = list_text(list, n);
	free(list);
	return text;
}

static void float_fill(const struct room *r, size_t guest, struct placed_guest *out)
{
	const bool *nodes = r->seats[guest].in;
	size_t n;
	unsigned *kept = kept_cpus(r, nodes, &n);

	for (unsigned i = 0; i < out->vcpus; i++)
		out->vcpu[i] = float_text(r, nodes);
	for (unsigned i = 0; i < out->iothreads; i++)
		out->iothread[i] = float_text(r, nodes);
	out->emulator = n ? list_text(kept, n) : float_text(r, nodes);
	free(kept);
	out->floating = true;
}

/* A file's name may be of any bytes; the plan's texts are for terminals and JSON. */
static char *plain_copy(const char *s)
{
	json_t *text = json_string(s);
	char *copy = xstrdup(s);

	for (char *p = copy; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127 || (!text && (unsigned char)*p > 127))
			*p = '?';
	json_decref(text);
	return copy;
}

void result_fill(const struct room *r, struct place_plan *out)
{
	unsigned *list;
	size_t n;

	out->host = plain_copy(r->h->name ? r->h->name : "this host");
	out->guests = xcalloc(r->n, sizeof(*out->guests));
	out->nguests = r->n;
	for (size_t i = 0; i < r->n; i++) {
		struct placed_guest *g = &out->guests[i];

		g->name = xstrdup(r->g[i].name);
		g->vcpus = r->g[i].vcpus;
		g->iothreads = r->g[i].iothreads;
		g->memory = guest_memory(&r->g[i]);
		g->page = r->g[i].page;
		if (r->seats[i].kind == SEAT_NONE)
			continue;
		g->placed = true;
		g->vcpu = xcalloc(g->vcpus, sizeof(char *));
		g->iothread = xcalloc(g->iothreads, sizeof(char *));
		if (r->seats[i].kind == SEAT_PINNED)
			pinned_fill(r, i, g);
		else
			float_fill(r, i, g);
		memory_fill(r, i, g);
	}
	list = cpus_where(r, NULL, is_host, &n);
	out->housekeeping = list_text(list, n);
	free(list);
}

static void texts_free(char **list, size_t n)
{
	for (size_t i = 0; i < n && list; i++)
		free(list[i]);
	free(list);
}

void place_plan_free(struct place_plan *p)
{
	for (size_t i = 0; i < p->nguests; i++) {
		struct placed_guest *g = &p->guests[i];

		texts_free(g->vcpu, g->vcpus);
		texts_free(g->iothread, g->iothreads);
		for (size_t k = 0; k < g->ncells; k++)
			free(g->cells[k].vcpus);
		free(g->cells);
		free(g->emulator);
		free(g->nodes);
		free(g->name);
	}
	free(p->guests);
	free(p->housekeeping);
	free(p->host);
	texts_free(p->why, p->nwhy);
	texts_free(p->costs, p->ncosts);
	texts_free(p->unmet, p->nunmet);
	texts_free(p->limits, p->nlimits);
	texts_free(p->warnings, p->nwarnings);
	*p = (struct place_plan){0};
}
