// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of NUMA: virtual nodes (NUMA-04), and threads near their disks' devices (NUMA-05). */
#include <stdlib.h>
#include <string.h>
#include "tuner/internal.h"

/* --- NUMA-04: virtual nodes --- */

static void cells_remedy(struct finding *x, unsigned nodes)
{
	finding_want(
		x,
		"a virtual NUMA cell for each host node (%u) that it spans, bound to it; " NODES_PLAN,
		nodes);
	finding_change(
		x, CHANGE_XML,
		"<cpu><numa><cell id='0' cpus='0-7' memory='N' unit='KiB'/>...</numa></cpu> and <numatune><memnode cellid='0' mode='strict' nodeset='0'/>...</numatune>");
	finding_change(
		x, CHANGE_QEMU,
		"-object memory-backend-ram,id=m0,size=SIZE,host-nodes=0,policy=bind -numa node,nodeid=0,cpus=0-7,memdev=m0 ...");
}

/* A cell's vCPUs and its memory on the same host nodes. */
static void cell_check(const struct subject *s, struct findings *f, unsigned i)
{
	hwloc_bitmap_t vcpus = cpus_parse(vm_get(s->vm, VM_ASKED, "numa.%u.cpus", i)),
		       nodes = cpus_parse(vm_get(s->vm, VM_ASKED, "numa.%u.nodeset", i)),
		       cpus = hwloc_bitmap_alloc(), on;
	char part[32], *a, *b;
	int v = vcpus ? hwloc_bitmap_first(vcpus) : -1;

	snprintf(part, sizeof(part), "cell %u", i);
	for (; v >= 0; v = hwloc_bitmap_next(vcpus, v)) {
		hwloc_bitmap_t one = thread_cpus(s->vm, VM_ASKED, "vcpu", (unsigned)v);

		if (one)
			hwloc_bitmap_or(cpus, cpus, one);
		hwloc_bitmap_free(one);
	}
	on = nodes_of(s, cpus);
	a = cpus_text(on);
	b = nodes ? cpus_text(nodes) : xstrdup("none");
	if (!nodes)
		cells_remedy(found_bad(f, VM_ASKED, part,
				       fact_where(s->vm, VM_ASKED, "numa.%u.cpus", i),
				       "its memory is not bound to a host node"),
			     vm_count(s->vm, "numa"));
	else if (!hwloc_bitmap_iszero(cpus) && !hwloc_bitmap_isequal(on, nodes))
		cells_remedy(found_bad(f, VM_ASKED, part,
				       fact_where(s->vm, VM_ASKED, "numa.%u.nodeset", i),
				       "its vCPUs are pinned to node %s, its memory to node %s", a,
				       b),
			     vm_count(s->vm, "numa"));
	else
		found_ok(f, VM_ASKED, part, fact_where(s->vm, VM_ASKED, "numa.%u.nodeset", i),
			 "bound to node %s", b);
	free(b);
	free(a);
	hwloc_bitmap_free(on);
	hwloc_bitmap_free(cpus);
	hwloc_bitmap_free(nodes);
	hwloc_bitmap_free(vcpus);
}

void check_numa_04(const struct subject *s, struct findings *f)
{
	hwloc_bitmap_t spans;
	unsigned cells, nodes;
	bool fits;

	if (!need_nodes(s, f))
		return;
	fits = fits_a_node(s);
	cells = vm_count(s->vm, "numa");
	spans = cpu_nodes(s, VM_ASKED);
	nodes = spans ? cpus_count(spans) : host_nodes(s);
	hwloc_bitmap_free(spans);
	if (fits && cells > 1)
		finding_want(
			found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "numa.0.cpus"),
				  "%u virtual nodes, though it fits into one of the host", cells),
			"no virtual nodes, and the whole machine on one node of the host (NUMA-01)");
	else if (fits)
		found_none(f, "it fits into one node");
	else if (cells < 2)
		cells_remedy(
			found_bad(
				f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "vcpus"),
				"larger than a node of the host, and the guest does not know of nodes"),
			nodes);
	else
		for (unsigned i = 0; i < cells && i < 1024; i++)
			cell_check(s, f, i);
}

/* --- NUMA-05: near the device --- */

/* The threads that serve its disks: iothreads, else the vCPUs. */
static hwloc_bitmap_t io_nodes(const struct subject *s, enum vm_side side, const char **who)
{
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc(), nodes = NULL;
	uint64_t n = 0;

	vm_number(s->vm, VM_ASKED, &n, "iothreads");
	*who = "iothreads";
	for (unsigned i = 0; i < n && i < 4096; i++) {
		hwloc_bitmap_t one = thread_cpus(s->vm, side, "iothread", i);

		if (one)
			hwloc_bitmap_or(cpus, cpus, one);
		hwloc_bitmap_free(one);
	}
	if (!hwloc_bitmap_iszero(cpus) && cpus_count(cpus) < host_threads(s))
		nodes = nodes_of(s, cpus);
	hwloc_bitmap_free(cpus);
	if (nodes)
		return nodes;
	*who = "vCPUs";
	return cpu_nodes(s, side);
}

static void near_side(const struct subject *s, struct findings *f, enum vm_side side, unsigned disk,
		      unsigned node)
{
	const char *who, *name = vm_get(s->vm, VM_ASKED, "disk.%u.name", disk);
	hwloc_bitmap_t nodes = io_nodes(s, side, &who);
	const char *where = fact_where(s->vm, VM_GOT, "disk.%u.host-node", disk);
	char *list, *part;

	if (!nodes)
		return;
	list = cpus_text(nodes);
	part = name ? xasprintf("disk %s", name) : xasprintf("disk %u", disk);
	if (hwloc_bitmap_isset(nodes, node))
		found_ok(f, side, part, where, "its device is on node %u, %s on node %s", node, who,
			 list);
	else
		finding_want(found_bad(f, side, part, where,
				       "its device is on node %u, %s are on node %s", node, who,
				       list),
			     "%s on node %u; " NODES_PLAN, who, node);
	free(part);
	free(list);
	hwloc_bitmap_free(nodes);
}

void check_numa_05(const struct subject *s, struct findings *f)
{
	bool known = false, bound;
	const char *who;
	hwloc_bitmap_t nodes;

	if (!need_nodes(s, f))
		return;
	nodes = io_nodes(s, VM_ASKED, &who);
	if (!nodes && is_running(s))
		nodes = io_nodes(s, VM_GOT, &who);
	bound = nodes != NULL;
	hwloc_bitmap_free(nodes);
	for (unsigned i = 0, n = vm_count(s->vm, "disk"); i < n && i < 4096; i++) {
		uint64_t node;

		if (!vm_number(s->vm, VM_GOT, &node, "disk.%u.host-node", i) || node > 4095)
			continue;
		known = true;
		near_side(s, f, VM_ASKED, i, (unsigned)node);
		if (is_running(s))
			near_side(s, f, VM_GOT, i, (unsigned)node);
	}
	if (f->n)
		return;
	if (known || !bound)
		found_none(f, "neither iothreads nor vCPUs are bound to nodes");
	else
		found_unknown(
			f, VM_GOT, NULL,
			"the node of its disks' devices shows only on its host (cat /sys/block/DEVICE/device/numa_node there)");
}
