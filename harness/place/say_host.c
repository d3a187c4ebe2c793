// SPDX-License-Identifier: GPL-2.0-or-later
/* What a plan says of the machine: the host's own cores, guests beside, memory, siblings of others.
 */
#include <stdlib.h>
#include <string.h>
#include "place/internal.h"
#include "vm/vm.h"

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static bool on_core(const struct room *r, unsigned a, unsigned b)
{
	return r->h->cpus[a].core == r->h->cpus[b].core;
}

/* Guests that run there and are not in the plan. */
void say_others(const struct room *r, struct place_plan *out)
{
	enum { NAMED = 4 };
	char *cpus = NULL, *names = NULL, *longer, *list;
	size_t n = 0;

	for (size_t i = 0; i < r->h->nothers; i++) {
		const struct place_other *o = &r->h->others[i];

		if (!*o->cpus)
			continue;
		longer = xasprintf("%s%s%s", cpus ? cpus : "", cpus ? "," : "", o->cpus);
		free(cpus);
		cpus = longer;
		if (n++ < NAMED) {
			longer =
				xasprintf("%s%s%s", names ? names : "", names ? ", " : "", o->name);
			free(names);
			names = longer;
		}
	}
	list = cpus ? vm_cpus(cpus) : NULL;
	if (list && n > NAMED)
		say(&out->why, &out->nwhy,
		    "CPU%s %s: threads of %s and %zu more, which run here, are pinned to them: they stay "
		    "untouched, with their cores",
		    strpbrk(list, ",-") ? "s" : "", list, names, n - NAMED);
	else if (list)
		say(&out->why, &out->nwhy,
		    "CPU%s %s: threads of %s, which run%s here, are pinned to %s: %s untouched, with "
		    "%s core%s",
		    strpbrk(list, ",-") ? "s" : "", list, names, n == 1 ? "s" : "",
		    strpbrk(list, ",-") ? "them" : "it",
		    strpbrk(list, ",-") ? "they stay" : "it stays",
		    strpbrk(list, ",-") ? "their" : "its", strpbrk(list, ",-") ? "s" : "");
	free(list);
	free(names);
	free(cpus);
}

void say_host(const struct room *r, struct place_plan *out)
{
	size_t n, usable = 0;
	unsigned *kept = kept_cpus(r, NULL, &n);
	char *list = list_text(kept, n);

	for (size_t i = 0; i < r->ncores; i++)
		usable += r->cores[i].n;

	if (r->lone)
		say(&out->why, &out->nwhy,
		    "CPU%s %s: no guest's, for QEMU's other threads, which must not be on vCPUs' "
		    "(CPU-07)",
		    plural(n), list);
	else if (n)
		say(&out->why, &out->nwhy,
		    "CPU%s %s: the host's own, for its work and QEMU's other threads (CPU-07, CPU-25)",
		    plural(n), list);
	if (n)
		say(&out->costs, &out->ncosts, "kept from guests: %zu of %zu CPUs", n, usable);
	else
		say(&out->unmet, &out->nunmet,
		    "no core is kept for the host: what it does, it does on guests' CPUs (CPU-25)%s",
		    r->ncores > 1 && !r->o->keep_cores ? "; --keep-cores 1 keeps one a node" : "");
	if (!r->h->numa)
		say(&out->why, &out->nwhy,
		    "the kernel knows no NUMA nodes here: memory is not bound to any");
	free(list);
	free(kept);
}

/* What the plan wants of a node beside what is free there now. */
void say_free(const struct room *r, struct place_plan *out)
{
	for (unsigned i = 0; i < r->h->nnodes; i++) {
		uint64_t want = 0;
		char a[32], b[32];

		for (size_t k = 0; k < r->n; k++)
			want += r->seats[k].pool == POOL_NORMAL ? r->seats[k].memory[i] : 0;
		if (want > r->h->nodes[i].free)
			say(&out->warnings, &out->nwarnings,
			    "node %u: %s is free now, the plan wants %s; caches may give way, a guest "
			    "that runs already has its part",
			    r->h->nodes[i].os, size_text(r->h->nodes[i].free, a),
			    size_text(want, b));
		if (r->memnode[i] != i)
			say(&out->why, &out->nwhy,
			    "node %u has no memory: what runs there has it from node %u, the nearest",
			    r->h->nodes[i].os, r->h->nodes[r->memnode[i]].os);
	}
}

/* Siblings that run something else, out of sight. */
void say_strangers(const struct room *r, struct place_plan *out)
{
	unsigned *list = xcalloc(r->h->ncpus, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < r->ncores; i++)
		for (size_t k = 0; k < r->h->ncpus; k++)
			if (r->cores[i].owner != NOBODY && !r->h->cpus[k].usable &&
			    on_core(r, r->cores[i].cpu[0], (unsigned)k))
				list[n++] = r->h->cpus[k].os;
	if (n) {
		char *text = list_text(list, n);

		say(&out->warnings, &out->nwarnings,
		    "CPU%s %s share%s cores with this plan and %s not ours: others may run there",
		    plural(n), text, n == 1 ? "s" : "", n == 1 ? "is" : "are");
		free(text);
	}
	free(list);
}
