// SPDX-License-Identifier: GPL-2.0-or-later
/* Why a plan is as it is, what it costs, and what would help where a wish is not met. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "place/internal.h"

/* A list of the os numbers of what a guest's parts say; caller frees. */
static char *nodes_text(const struct room *r, const struct seat *s)
{
	unsigned *list = xcalloc(r->h->nnodes, sizeof(*list));
	size_t n = 0;
	char *text;

	for (size_t i = 0; i < s->nparts && s->kind == SEAT_PINNED; i++)
		list[n++] = r->h->nodes[s->parts[i].node].os;
	for (unsigned i = 0; i < r->h->nnodes && s->kind == SEAT_FLOAT; i++)
		if (s->in[i])
			list[n++] = r->h->nodes[i].os;
	text = list_text(list, n);
	free(list);
	return text;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* How many different numbers there are among the CPUs. */
static unsigned count_llcs(const struct room *r, const struct seat *s, unsigned vcpus)
{
	unsigned n = 0;

	for (unsigned i = 0; i < vcpus; i++) {
		bool first = true;

		for (unsigned k = 0; k < i && first; k++)
			first = r->h->cpus[s->vcpu[k]].llc != r->h->cpus[s->vcpu[i]].llc;
		n += first;
	}
	return n;
}

static bool on_core(const struct room *r, unsigned a, unsigned b)
{
	return r->h->cpus[a].core == r->h->cpus[b].core;
}

static bool has_cpu(const unsigned *list, unsigned n, unsigned cpu)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i] == cpu)
			return true;
	return false;
}

/* Some of its vCPUs share a core. */
static bool has_siblings(const struct room *r, size_t guest)
{
	const struct seat *s = &r->seats[guest];

	for (unsigned i = 0; i < r->g[guest].vcpus; i++)
		for (unsigned k = 0; k < i; k++)
			if (on_core(r, s->vcpu[i], s->vcpu[k]))
				return true;
	return false;
}

/* CPUs of a guest's cores that nobody uses; caller frees. */
static unsigned *empty_cpus(const struct room *r, size_t guest, size_t *n)
{
	const struct seat *s = &r->seats[guest];
	unsigned *list = xcalloc(r->h->ncpus, sizeof(*list));

	*n = 0;
	for (size_t i = 0; i < r->ncores; i++)
		for (unsigned k = 0; r->cores[i].owner == (int)guest && k < r->cores[i].n; k++) {
			unsigned cpu = r->cores[i].cpu[k];

			if (!has_cpu(s->vcpu, r->g[guest].vcpus, cpu) &&
			    !has_cpu(s->iothread, r->g[guest].iothreads, cpu))
				list[(*n)++] = r->h->cpus[cpu].os;
		}
	return list;
}

static void say_smt(const struct room *r, size_t guest, const struct placed_guest *p,
		    struct place_plan *out)
{
	const char *name = p->name;
	unsigned *empty;
	size_t n;

	if (p->threads > 1)
		say(&out->why, &out->nwhy,
		    "%s: each core's %u siblings have neighbouring vCPUs, and the guest is told so: "
		    "sockets=%u dies=%u cores=%u threads=%u (CPU-09, CPU-10)",
		    name, p->threads, p->sockets, p->dies, p->cores, p->threads);
	else if (has_siblings(r, guest))
		say(&out->costs, &out->ncosts,
		    "%s: some of its vCPUs share a core, and it is not told so, since its cores have "
		    "unequal numbers of them (CPU-09); --smt isolate gives each a core, where there "
		    "are enough",
		    name);
	empty = empty_cpus(r, guest, &n);
	if (n) {
		char *list = list_text(empty, n);

		say(&out->costs, &out->ncosts,
		    "%s: CPU%s %s stay%s empty beside its threads, since no two guests share a core%s",
		    name, plural(n), list, n == 1 ? "s" : "",
		    r->o->smt == PLACE_ISOLATE ? " and --smt isolate gives each vCPU one"
					       : " (CPU-09)");
		free(list);
	}
	free(empty);
}

static void say_where(const struct room *r, size_t guest, struct place_plan *out)
{
	const struct seat *s = &r->seats[guest];
	const struct place_guest *g = &r->g[guest];
	unsigned llcs = count_llcs(r, s, g->vcpus);
	char *nodes = nodes_text(r, s), caches[64];

	/* without a cache that cores share there is nothing to be said of one */
	if (!r->h->caches)
		*caches = '\0';
	else if (llcs == 1)
		snprintf(caches, sizeof(caches), ", in one last-level cache");
	else
		snprintf(caches, sizeof(caches), ", in %u last-level caches", llcs);
	if (s->nparts == 1)
		say(&out->why, &out->nwhy,
		    "%s: %u vCPU%s with %s own within node %s%s (NUMA-01, CPU-06)", g->name,
		    g->vcpus, plural(g->vcpus), g->vcpus == 1 ? "a CPU of its" : "CPUs of their",
		    nodes, caches);
	else
		say(&out->why, &out->nwhy,
		    "%s: %u vCPUs with CPUs of their own over nodes %s, a virtual cell for each "
		    "(NUMA-04)%s",
		    g->name, g->vcpus, nodes, caches);
	free(nodes);
}

/* Some of it is not of the node that its vCPUs have theirs from. */
static bool memory_is_far(const struct room *r, size_t guest)
{
	const struct seat *s = &r->seats[guest];

	for (unsigned i = 0; i < r->h->nnodes; i++)
		if (s->memory[i] && i != r->memnode[s->parts[0].node])
			return true;
	return false;
}

static void say_spread(const struct room *r, size_t guest, const struct placed_guest *p,
		       struct place_plan *out)
{
	const struct seat *s = &r->seats[guest];

	if (s->nparts > 1) {
		say(&out->costs, &out->ncosts,
		    "%s: what a vCPU wants from another cell comes from another node; its own scheduler "
		    "must know the cells",
		    p->name);
		if (s->fits_node)
			say(&out->unmet, &out->nunmet,
			    "%s: alone it would fit one node, but not beside the other guests; a "
			    "smaller guest, or one less, would help (NUMA-01)",
			    p->name);
		if (s->uneven)
			say(&out->unmet, &out->nunmet,
			    "%s: its cells are of unequal size, since the nodes' room is", p->name);
	} else if (memory_is_far(r, guest) && p->nodes) {
		say(&out->unmet, &out->nunmet,
		    "%s: its memory does not fit near its vCPUs, which are too few for cells: it is on "
		    "node%s %s (NUMA-02, NUMA-03); more vCPUs or less memory would help",
		    p->name, p->nodes[1] ? "s" : "", p->nodes);
	}
}

static void say_disk(const struct room *r, size_t guest, struct place_plan *out)
{
	const struct seat *s = &r->seats[guest];
	const struct place_guest *g = &r->g[guest];
	int disk = disk_node(r->h, g);
	bool there = false;

	if (g->disk_node < 0)
		return;
	if (disk < 0) {
		say(&out->warnings, &out->nwarnings,
		    "%s: its disk is said to be near node %d, which this machine does not have",
		    g->name, g->disk_node);
		return;
	}
	for (size_t i = 0; i < s->nparts && s->kind == SEAT_PINNED; i++)
		there |= s->parts[i].node == (unsigned)disk;
	there |= s->kind == SEAT_FLOAT && s->in[disk];
	if (there)
		say(&out->why, &out->nwhy, "%s: node %d is its disk's (NUMA-05)", g->name,
		    g->disk_node);
	else
		say(&out->unmet, &out->nunmet,
		    "%s: its disk is near node %d, where there is no room for it: interrupts and "
		    "requests cross nodes (NUMA-05)",
		    g->name, g->disk_node);
}

static bool beside_vcpu(const struct room *r, size_t guest)
{
	const struct seat *s = &r->seats[guest];

	for (unsigned i = 0; i < r->g[guest].iothreads; i++)
		for (unsigned k = 0; k < r->g[guest].vcpus; k++)
			if (on_core(r, s->iothread[i], s->vcpu[k]))
				return true;
	return false;
}

static bool beside_iothread(const struct room *r, size_t guest)
{
	const struct seat *s = &r->seats[guest];

	for (unsigned i = 0; i < r->g[guest].iothreads; i++)
		for (unsigned k = 0; k < i; k++)
			if (on_core(r, s->iothread[i], s->iothread[k]))
				return true;
	return false;
}

static void say_iothreads(const struct room *r, size_t guest, const struct placed_guest *p,
			  struct place_plan *out)
{
	if (!p->iothreads)
		return;
	if (beside_vcpu(r, guest))
		say(&out->unmet, &out->nunmet,
		    "%s: an iothread is on the sibling of a vCPU, since there was no core for it; "
		    "a polling iothread slows that vCPU (CPU-08)",
		    p->name);
	else if (beside_iothread(r, guest))
		say(&out->unmet, &out->nunmet,
		    "%s: iothreads are on siblings of one core, since its node has no more cores for them (CPU-08)",
		    p->name);
	else
		say(&out->why, &out->nwhy, "%s: %u iothread%s on %s own in %s node%s (CPU-08)",
		    p->name, p->iothreads, plural(p->iothreads),
		    p->iothreads == 1 ? "a core of its" : "cores of their",
		    r->seats[guest].nparts > 1 ? "one" : "the same",
		    r->seats[guest].nparts > 1 ? " of its vCPUs" : "");
}

static void say_kinds(const struct room *r, size_t guest, struct place_plan *out)
{
	const struct seat *s = &r->seats[guest];
	unsigned least = UINT32_MAX, most = 0;

	for (unsigned i = 0; i < r->g[guest].vcpus; i++) {
		unsigned kind = r->h->cpus[s->vcpu[i]].kind;

		least = kind < least ? kind : least;
		most = kind > most ? kind : most;
	}
	if (least != most)
		say(&out->unmet, &out->nunmet,
		    "%s: its vCPUs are on cores of unlike kinds, since one kind has too few; it cannot be "
		    "told which are slow",
		    r->g[guest].name);
	else if (least)
		say(&out->costs, &out->ncosts, "%s: its vCPUs are on less capable cores",
		    r->g[guest].name);
	for (unsigned i = 0; i < r->g[guest].iothreads; i++)
		if (r->h->cpus[s->iothread[i]].kind > most) {
			say(&out->costs, &out->ncosts,
			    "%s: %s, so that vCPUs have the others; an "
			    "iothread that is busy all the time would want a capable one (CPU-08)",
			    r->g[guest].name,
			    r->g[guest].iothreads > 1 ? "its iothreads are on less capable cores"
						      : "its iothread is on a less capable core");
			return;
		}
}

static void say_emulator(const struct room *r, const struct placed_guest *p, struct place_plan *out)
{
	for (unsigned i = 0; i < p->iothreads; i++)
		if (!r->any_kept && !r->lone && !strcmp(p->emulator, p->iothread[i])) {
			say(&out->costs, &out->ncosts,
			    "%s: QEMU's other threads share CPU %s with an iothread: there is no other "
			    "that is not a vCPU's (CPU-07)",
			    p->name, p->emulator);
			return;
		}
}

static void say_pages(const struct room *r, size_t guest, struct place_plan *out)
{
	const struct seat *s = &r->seats[guest];
	const struct place_guest *g = &r->g[guest];
	char size[32];

	if (!g->page || s->pool != POOL_NORMAL)
		return;
	size_text(g->page, size);
	for (unsigned i = 0; i < r->h->nnodes; i++) {
		uint64_t want = s->memory[i] / g->page, free_there;

		if (!want)
			continue;
		free_there = g->page == 1u << 21 ? r->h->nodes[i].huge_2m : r->h->nodes[i].huge_1g;
		say(&out->unmet, &out->nunmet,
		    "%s: wants %" PRIu64 " pages of %s on node %u, where %" PRIu64
		    " are free (other guests of the plan may want them, too): reserve them%s (%s)",
		    g->name, want, size, r->h->nodes[i].os, free_there,
		    g->page == 1u << 30 ? " on the kernel's command line"
					: ", early after the machine's start",
		    g->page == 1u << 30 ? "MEM-02" : "MEM-01");
	}
}

static void say_pinned(const struct room *r, size_t guest, const struct placed_guest *p,
		       struct place_plan *out)
{
	say_where(r, guest, out);
	say_disk(r, guest, out);
	say_smt(r, guest, p, out);
	say_iothreads(r, guest, p, out);
	say_emulator(r, p, out);
	say_spread(r, guest, p, out);
	say_kinds(r, guest, out);
	say_pages(r, guest, out);
}

static bool any_pinned(const struct room *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->seats[i].kind == SEAT_PINNED)
			return true;
	return false;
}

static bool has_kinds(const struct room *r)
{
	for (size_t i = 0; i < r->ncores; i++)
		if (r->cores[i].kind)
			return true;
	return false;
}

/* What keeps a guest from CPUs of its own. */
static const char *float_reason(const struct room *r, const struct seat *s)
{
	if (!s->fits)
		return "with its iothreads and the host's cores it wants more than this machine has; fewer "
		       "vCPUs would help";
	if (any_pinned(r))
		return "the machine has too few for all guests, and those named before it come first";
	return r->n > 1
		       ? "the machine has too few for all guests, and to pin some would leave the others "
			 "too little"
		       : "none would be left for QEMU's other threads, which must not be on vCPUs' (CPU-07)";
}

static void say_float(const struct room *r, size_t guest, const struct placed_guest *p,
		      struct place_plan *out)
{
	const struct seat *s = &r->seats[guest];
	char *nodes = nodes_text(r, s);
	bool isolated = false;

	for (size_t i = 0; i < r->ncores; i++)
		isolated |= r->cores[i].isolated && float_cpu(r, &r->cores[i], s->in);
	say(&out->why, &out->nwhy, "%s: not pinned one to one, but kept to CPU%s %s of node%s %s%s",
	    p->name, strpbrk(p->vcpu[0], ",-") ? "s" : "", p->vcpu[0],
	    strpbrk(nodes, ",-") ? "s" : "", nodes,
	    any_pinned(r) ? ", which pinned guests leave alone" : "");
	if (isolated)
		say(&out->warnings, &out->nwarnings,
		    "%s: floats on isolated CPUs, among which the scheduler moves nothing (CPU-16); pin it, "
		    "or leave it other CPUs",
		    p->name);
	if (!r->g[guest].floating)
		say(&out->unmet, &out->nunmet, "%s: no CPUs of its own (CPU-06): %s%s", p->name,
		    float_reason(r, s),
		    has_kinds(r) && !r->o->small_cores ? "; --small-cores takes those, too" : "");
	say_disk(r, guest, out);
	say_pages(r, guest, out);
	free(nodes);
}

static void say_none(const struct room *r, size_t guest, struct place_plan *out)
{
	const struct place_guest *g = &r->g[guest];
	char want[32];

	say(&out->unmet, &out->nunmet,
	    "%s: not placed: no memory (%s) is left for it with 5 %% for the host, or no CPU that may be "
	    "used; less memory, or one guest less, would help (MEM-10)",
	    g->name, size_text(guest_memory(g), want));
}

void result_say(const struct room *r, struct place_plan *out)
{
	bool pinned = false;

	say_host(r, out);
	say_others(r, out);
	for (size_t i = 0; i < r->n; i++) {
		pinned |= r->seats[i].kind == SEAT_PINNED;
		if (r->seats[i].kind == SEAT_PINNED)
			say_pinned(r, i, &out->guests[i], out);
		else if (r->seats[i].kind == SEAT_FLOAT)
			say_float(r, i, &out->guests[i], out);
		else
			say_none(r, i, out);
	}
	if (pinned)
		say(&out->costs, &out->ncosts,
		    "pinned guests migrate only to where the same CPUs are free (CPU-06)");
	say_free(r, out);
	say_strangers(r, out);
}
