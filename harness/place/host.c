// SPDX-License-Identifier: GPL-2.0-or-later
/* The machine as the planner sees it, from a snapshot. */
#include <errno.h>
#include <hwloc.h>
#include <stdlib.h>
#include <string.h>
#include "place/internal.h"

static bool node_has(hwloc_obj_t node, unsigned os)
{
	return node->cpuset && hwloc_bitmap_isset(node->cpuset, os);
}

/* Nodes without CPUs (attached memory) are local to the CPUs of others; those are numbered later.
 */
static unsigned node_of(hwloc_topology_t t, const struct place_host *h, unsigned os)
{
	hwloc_obj_t n = NULL;
	unsigned best = 0;
	bool found = false;

	while ((n = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, n))) {
		unsigned i = n->logical_index;

		if (i >= h->nnodes || !node_has(n, os))
			continue;
		if (!found || h->nodes[i].os < h->nodes[best].os)
			best = i;
		found = true;
	}
	return best;
}

/* The cache that cores share last, or the package, or the machine. */
static hwloc_obj_t llc_of(hwloc_topology_t t, hwloc_obj_t pu)
{
	hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_CORE, pu);
	hwloc_obj_t l3 = hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_L3CACHE, pu);
	hwloc_obj_t l2 = hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_L2CACHE, pu);
	hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_PACKAGE, pu);

	if (l3)
		return l3;
	if (l2 && core && !hwloc_bitmap_isincluded(l2->cpuset, core->cpuset))
		return l2;
	return package ? package : hwloc_get_root_obj(t);
}

/* Index of a pair (node, object) among those seen before. */
static unsigned llc_index(struct place_host *h, hwloc_obj_t *seen, size_t i, hwloc_obj_t llc)
{
	unsigned next = 0;

	for (size_t k = 0; k < i; k++) {
		if (seen[k] == llc && h->cpus[k].node == h->cpus[i].node)
			return h->cpus[k].llc;
		if (h->cpus[k].llc >= next)
			next = h->cpus[k].llc + 1;
	}
	return next;
}

static unsigned kind_of(hwloc_topology_t t, unsigned os)
{
	int n = hwloc_cpukinds_get_nr(t, 0), kind = 0, efficiency = -1, most = -1;
	hwloc_bitmap_t set = hwloc_bitmap_alloc();

	hwloc_bitmap_only(set, os);
	if (n > 1)
		kind = hwloc_cpukinds_get_by_cpuset(t, set, 0);
	hwloc_bitmap_free(set);
	if (n < 2 || kind < 0)
		return 0;
	hwloc_cpukinds_get_info(t, (unsigned)kind, NULL, &efficiency, NULL, NULL, 0);
	hwloc_cpukinds_get_info(t, (unsigned)n - 1, NULL, &most, NULL, NULL, 0);
	/* hwloc sorts them by rising performance; -1: it cannot tell which are the better ones */
	return efficiency < 0 || most < efficiency ? 0 : (unsigned)(most - efficiency);
}

static void cpus_make(hwloc_topology_t t, struct place_host *h)
{
	hwloc_const_cpuset_t allowed = hwloc_topology_get_allowed_cpuset(t);
	int n = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PU);
	hwloc_obj_t *seen;

	h->ncpus = n > 0 ? (size_t)n : 0;
	h->cpus = xcalloc(h->ncpus, sizeof(*h->cpus));
	seen = xcalloc(h->ncpus, sizeof(*seen));
	h->caches = true;
	for (size_t i = 0; i < h->ncpus; i++) {
		hwloc_obj_t pu = hwloc_get_obj_by_type(t, HWLOC_OBJ_PU, (unsigned)i);
		hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_CORE, pu);
		hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_PACKAGE, pu);
		struct place_cpu *c = &h->cpus[i];

		c->os = pu->os_index;
		/* without cores in the topology, each CPU is one */
		c->core = core ? core->logical_index : (unsigned)i;
		c->package = package ? package->logical_index : 0;
		c->node = node_of(t, h, c->os);
		c->kind = kind_of(t, c->os);
		c->usable = hwloc_bitmap_isset(allowed, c->os) && c->os < PLACE_CPUS_MAX;
		seen[i] = llc_of(t, pu);
		h->caches &= hwloc_obj_type_is_cache(seen[i]->type) != 0;
		c->llc = llc_index(h, seen, i, seen[i]);
	}
	free(seen);
}

/* No node has more; sums of many stay within 64 bits. */
#define MEMORY_MAX ((uint64_t)1 << 52)

static uint64_t bounded_pages(long long n, uint64_t kib)
{
	return n < 0 ? 0 : (uint64_t)n < MEMORY_MAX / (kib << 10) ? (uint64_t)n : 0;
}

/* "HugePages" of one size, free or all; 0 where the file is missing. */
static uint64_t pages(const struct snapshot *s, unsigned node, uint64_t kib, const char *which)
{
	long long n;

	if (snapshot_number(s, &n, "/sys/devices/system/node/node%u/hugepages/hugepages-%llukB/%s",
			    node, (unsigned long long)kib, which))
		return bounded_pages(n, kib);
	return 0;
}

/* The same of a machine without nodes. */
static uint64_t pages_all(const struct snapshot *s, uint64_t kib, const char *which)
{
	long long n;

	if (snapshot_number(s, &n, "/sys/kernel/mm/hugepages/hugepages-%llukB/%s",
			    (unsigned long long)kib, which))
		return bounded_pages(n, kib);
	return 0;
}

static uint64_t meminfo(const char *text, const char *key)
{
	const char *at = text ? strstr(text, key) : NULL;
	unsigned long long kib;

	if (!at || sscanf(at + strlen(key), " %llu kB", &kib) != 1 || kib > MEMORY_MAX >> 10)
		return UINT64_MAX;
	return kib << 10;
}

static void node_memory(const struct snapshot *s, struct place_host *h, struct place_node *n)
{
	const char *info =
		h->numa ? snapshot_file(s, "/sys/devices/system/node/node%u/meminfo", n->os)
			: snapshot_file(s, "/proc/meminfo");
	uint64_t total = meminfo(info, "MemTotal:"), nr2, nr1;

	n->free = meminfo(info, "MemFree:");
	/* what the kernel itself holds is in hwloc's figure, too */
	if (total != UINT64_MAX)
		n->memory = total;
	if (h->numa) {
		n->huge_2m = pages(s, n->os, 2048, "free_hugepages");
		n->huge_1g = pages(s, n->os, 1048576, "free_hugepages");
		nr2 = pages(s, n->os, 2048, "nr_hugepages");
		nr1 = pages(s, n->os, 1048576, "nr_hugepages");
	} else {
		n->huge_2m = pages_all(s, 2048, "free_hugepages");
		n->huge_1g = pages_all(s, 1048576, "free_hugepages");
		nr2 = pages_all(s, 2048, "nr_hugepages");
		nr1 = pages_all(s, 1048576, "nr_hugepages");
	}
	n->pool = (nr2 << 21) + (nr1 << 30);
}

static void distances_make(hwloc_topology_t t, struct place_host *h)
{
	struct hwloc_distances_s *d = NULL;
	unsigned one = 1;

	if (hwloc_distances_get_by_name(t, "NUMALatency", &one, &d, 0) < 0 || !one || !d)
		return;
	for (size_t i = 0; i < h->nnodes && d->nbobjs == h->nnodes; i++) {
		unsigned from = d->objs[i]->logical_index;

		if (d->objs[i]->type != HWLOC_OBJ_NUMANODE || from >= h->nnodes ||
		    h->nodes[from].distance)
			break;
		h->nodes[from].distance = xcalloc(h->nnodes, sizeof(unsigned));
		for (size_t k = 0; k < h->nnodes; k++)
			if (d->objs[k]->logical_index < h->nnodes)
				h->nodes[from].distance[d->objs[k]->logical_index] =
					(unsigned)d->values[i * d->nbobjs + k];
	}
	hwloc_distances_release(t, d);
}

static void nodes_make(const struct snapshot *s, hwloc_topology_t t, struct place_host *h)
{
	int n = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_NUMANODE);

	/* hwloc shows one node where the kernel knows none */
	h->numa = n > 1 || snapshot_file(s, "/sys/devices/system/node/online");
	h->nnodes = n > 0 ? (size_t)n : 1;
	h->nodes = xcalloc(h->nnodes, sizeof(*h->nodes));
	for (size_t i = 0; i < h->nnodes; i++) {
		hwloc_obj_t o = hwloc_get_obj_by_type(t, HWLOC_OBJ_NUMANODE, (unsigned)i);

		if (o) {
			h->nodes[i].os = o->os_index;
			h->nodes[i].memory = o->attr->numanode.local_memory < MEMORY_MAX
						     ? o->attr->numanode.local_memory
						     : MEMORY_MAX;
		}
		node_memory(s, h, &h->nodes[i]);
	}
	distances_make(t, h);
}

static void isolated_mark(const struct snapshot *s, struct place_host *h)
{
	const char *text = snapshot_file(s, "/sys/devices/system/cpu/isolated");
	hwloc_bitmap_t set = hwloc_bitmap_alloc();

	if (text && *text && hwloc_bitmap_list_sscanf(set, text) == 0)
		for (size_t i = 0; i < h->ncpus; i++)
			h->cpus[i].isolated = hwloc_bitmap_isset(set, h->cpus[i].os);
	hwloc_bitmap_free(set);
}

static unsigned cores_count(const struct place_host *h)
{
	unsigned n = 0;

	for (size_t i = 0; i < h->ncpus; i++) {
		bool first = h->cpus[i].usable;

		for (size_t k = 0; k < i && first; k++)
			first = !(h->cpus[k].usable && h->cpus[k].core == h->cpus[i].core);
		n += first;
	}
	return n;
}

/* What the kernel could bring online, or hwloc left out. */
static char *offline_text(hwloc_topology_t t)
{
	hwloc_bitmap_t off = hwloc_bitmap_dup(hwloc_topology_get_complete_cpuset(t));
	hwloc_const_cpuset_t on = hwloc_topology_get_topology_cpuset(t);
	char *text = NULL, *copy;

	hwloc_bitmap_andnot(off, off, on);
	if (hwloc_bitmap_list_asprintf(&text, off) < 0)
		text = NULL;
	copy = xstrdup(text ? text : "");
	free(text);
	hwloc_bitmap_free(off);
	return copy;
}

void place_host_make(const struct snapshot *s, struct place_host *out)
{
	hwloc_topology_t t = snapshot_topology(s);
	const char *arch = hwloc_obj_get_info_by_name(hwloc_get_root_obj(t), "Architecture");

	*out = (struct place_host){0};
	out->name = xstrdup(snapshot_name(s));
	out->dies = !arch || !strcmp(arch, "x86_64") || !strncmp(arch, "i", 1);
	nodes_make(s, t, out);
	cpus_make(t, out);
	isolated_mark(s, out);
	out->cores = cores_count(out);
	out->offline = offline_text(t);
}

void place_host_other(struct place_host *h, const char *name, unsigned vcpus, const char *cpus)
{
	hwloc_bitmap_t set = hwloc_bitmap_alloc();
	size_t usable = 0;

	h->others = xrealloc(h->others, h->nothers + 1, sizeof(*h->others));
	for (size_t i = 0; i < h->ncpus; i++)
		usable += h->cpus[i].usable;
	if (!cpus || usable < 2 || hwloc_bitmap_list_sscanf(set, cpus) < 0)
		cpus = "";
	h->others[h->nothers++] = (struct place_other){xstrdup(name), vcpus, xstrdup(cpus)};
	for (size_t i = 0; i < h->ncpus && *cpus; i++)
		h->cpus[i].taken |= hwloc_bitmap_isset(set, h->cpus[i].os);
	hwloc_bitmap_free(set);
}

void place_host_free(struct place_host *h)
{
	for (size_t i = 0; i < h->nnodes; i++)
		free(h->nodes[i].distance);
	for (size_t i = 0; i < h->nothers; i++) {
		free(h->others[i].name);
		free(h->others[i].cpus);
	}
	free(h->others);
	free(h->nodes);
	free(h->cpus);
	free(h->offline);
	free(h->name);
	*h = (struct place_host){0};
}
