// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of NUMA: CPUs and memory of a machine on the same nodes. */
#include <stdlib.h>
#include <string.h>
#include "tuner/internal.h"

#define PLAN "vbench plan works out CPUs and nodes together"

/* There is a machine, its host is known, and has more than one node. */
static bool need_nodes(const struct subject *s, struct findings *f)
{
	if (!need_vm(s, f) || !need_host(s, f))
		return false;
	if (host_nodes(s) > 1)
		return true;
	found_none(f, "the host has one NUMA node");
	return false;
}

static uint64_t memory_of(const struct vm *vm)
{
	uint64_t size = 0;

	vm_number(vm, VM_ASKED, &size, "memory.size");
	return size;
}

/* Where its vCPUs may run, as nodes; NULL: everywhere, or not known. */
static hwloc_bitmap_t cpu_nodes(const struct subject *s, enum vm_side side)
{
	hwloc_bitmap_t cpus = vcpus_cpus(s->vm, side), nodes = NULL;

	if (cpus && cpus_count(cpus) < host_threads(s))
		nodes = nodes_of(s, cpus);
	hwloc_bitmap_free(cpus);
	return nodes;
}

/* Where its memory was asked to be: numatune, and its cells' memnodes. NULL: nowhere in particular.
 */
static hwloc_bitmap_t memory_nodes(const struct vm *vm)
{
	hwloc_bitmap_t nodes = cpus_parse(vm_get(vm, VM_ASKED, "numatune.nodeset"));

	for (unsigned i = 0, n = vm_count(vm, "numa"); i < n; i++) {
		hwloc_bitmap_t cell = cpus_parse(vm_get(vm, VM_ASKED, "numa.%u.nodeset", i));

		if (cell && !nodes)
			nodes = hwloc_bitmap_alloc();
		if (cell)
			hwloc_bitmap_or(nodes, nodes, cell);
		hwloc_bitmap_free(cell);
	}
	return nodes;
}

/* Nodes on which at least a hundredth of the resident guest memory is; NULL: not known. */
static hwloc_bitmap_t page_nodes(const struct vm *vm)
{
	unsigned n = vm_count(vm, "memory.node");
	hwloc_bitmap_t nodes = NULL;
	uint64_t sum = 0, bytes;

	for (unsigned i = 0; i < n; i++)
		if (vm_number(vm, VM_GOT, &bytes, "memory.node.%u", i))
			sum += bytes;
	for (unsigned i = 0; sum && i < n; i++) {
		if (!nodes)
			nodes = hwloc_bitmap_alloc();
		if (vm_number(vm, VM_GOT, &bytes, "memory.node.%u", i) && bytes > sum / 100)
			hwloc_bitmap_set(nodes, i);
	}
	return nodes;
}

/* Whether some node has room for all of it; where the memory of nodes is not known, by CPUs alone.
 */
static bool fits_a_node(const struct subject *s)
{
	hwloc_topology_t t = snapshot_topology(s->host);
	unsigned vcpus = vcpus_of(s->vm);
	uint64_t memory = memory_of(s->vm), known = 0;

	for (hwloc_obj_t o = NULL; (o = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, o));)
		known |= node_memory(s, o->os_index);
	for (hwloc_obj_t o = NULL; (o = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, o));)
		if (cpus_count(o->cpuset) >= vcpus &&
		    (!known || node_memory(s, o->os_index) >= memory))
			return true;
	return false;
}

/* --- NUMA-01 --- */

static void node_remedy(struct finding *x)
{
	finding_want(x, "vCPUs and memory on one node, since they fit; " PLAN);
	finding_change(
		x, CHANGE_XML,
		"<vcpu placement='static' cpuset='CPUS OF NODE 0'>..., <numatune><memory mode='strict' nodeset='0'/></numatune>");
	finding_change(
		x, CHANGE_QEMU,
		"numactl --cpunodebind=0 qemu-system-x86_64 -object memory-backend-ram,id=m0,size=SIZE,host-nodes=0,policy=bind -machine memory-backend=m0 ...");
}

static void one_node(const struct subject *s, struct findings *f, enum vm_side side,
		     hwloc_const_bitmap_t nodes, const char *what, const char *where)
{
	char *list;

	if (!nodes)
		return;
	list = cpus_text(nodes);
	if (hwloc_bitmap_weight(nodes) <= 1)
		found_ok(f, side, NULL, where, "%s on node %s", what, list);
	else
		node_remedy(found_bad(f, side, NULL, where,
				      "%s on node %s, though one of %s has room", what, list,
				      snapshot_name(s->host)));
	free(list);
}

static void check_numa_01(const struct subject *s, struct findings *f)
{
	hwloc_bitmap_t cpus, memory, got, pages;
	bool latency = s->latency || s->realtime;

	if (!need_nodes(s, f))
		return;
	if (!fits_a_node(s)) {
		found_none(f, "it is larger than a node (see NUMA-04)");
		return;
	}
	cpus = cpu_nodes(s, VM_ASKED);
	memory = memory_nodes(s->vm);
	got = is_running(s) ? cpu_nodes(s, VM_GOT) : NULL;
	pages = is_running(s) ? page_nodes(s->vm) : NULL;
	one_node(s, f, VM_ASKED, cpus, "vCPUs", fact_where(s->vm, VM_ASKED, "vcpu.0.pin"));
	one_node(s, f, VM_ASKED, memory, "memory", fact_where(s->vm, VM_ASKED, "numatune.nodeset"));
	one_node(s, f, VM_GOT, got, "vCPU threads", fact_where(s->vm, VM_GOT, "vcpu.0.pin"));
	/* pages of a machine that nobody placed may lie anywhere, and balancing moves them */
	if (cpus || memory || latency)
		one_node(s, f, VM_GOT, pages, "its pages are",
			 fact_where(s->vm, VM_GOT, "memory.node.0"));
	if (!cpus && !memory && latency)
		node_remedy(found_bad(f, VM_ASKED, NULL, NULL,
				      "it may run, and have memory, on any node"));
	if (!f->n)
		found_none(f, "nobody placed it: automatic NUMA balancing may (NUMA-06)");
	hwloc_bitmap_free(pages);
	hwloc_bitmap_free(got);
	hwloc_bitmap_free(memory);
	hwloc_bitmap_free(cpus);
}

/* --- NUMA-02: pins, nodeset and pages agree --- */

static void both_remedy(struct finding *x, const char *nodes)
{
	finding_want(x, "vCPUs and memory on the same nodes; " PLAN);
	finding_change(x, CHANGE_XML,
		       "<numatune><memory mode='strict' nodeset='%s'/></numatune> beside <vcpupin>",
		       nodes);
	finding_change(x, CHANGE_QEMU,
		       "-object memory-backend-ram,id=m0,size=SIZE,host-nodes=%s,policy=bind",
		       nodes);
}

static void both_asked(const struct subject *s, struct findings *f, hwloc_const_bitmap_t cpus,
		       hwloc_const_bitmap_t memory)
{
	char *c = cpus ? cpus_text(cpus) : NULL, *m = memory ? cpus_text(memory) : NULL;
	bool automatic = vm_is(s->vm, VM_ASKED, "auto", "numatune.placement") ||
			 vm_is(s->vm, VM_ASKED, "auto", "placement");

	if (cpus && memory && hwloc_bitmap_isequal(cpus, memory))
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "numatune.nodeset"),
			 "vCPUs and memory on node %s", m);
	else if (cpus && memory)
		both_remedy(found_bad(f, VM_ASKED, NULL,
				      fact_where(s->vm, VM_ASKED, "numatune.nodeset"),
				      "vCPUs are pinned to node %s, memory to node %s", c, m),
			    c);
	else if (automatic)
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "placement"),
			 "placed at start by numad, vCPUs and memory together");
	else if (cpus)
		both_remedy(found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "vcpu.0.pin"),
				      "vCPUs are pinned to node %s, memory to none", c),
			    c);
	else if (memory && !is_running(s) && is_command(s->vm))
		found_unknown(
			f, VM_GOT, NULL,
			"memory is bound to node %s; a command line has no pins, they show only while it runs (pid:N)",
			m);
	else if (memory && !is_command(s->vm))
		both_remedy(found_bad(f, VM_ASKED, NULL,
				      fact_where(s->vm, VM_ASKED, "numatune.nodeset"),
				      "memory is bound to node %s, vCPUs to none", m),
			    m);
	free(m);
	free(c);
}

static void both_got(const struct subject *s, struct findings *f, hwloc_const_bitmap_t asked)
{
	hwloc_bitmap_t cpus = cpu_nodes(s, VM_GOT), pages = page_nodes(s->vm);
	const char *where = fact_where(s->vm, VM_GOT, "memory.policy")
				    ? vm_where(s->vm, VM_GOT, "memory.policy")
				    : fact_where(s->vm, VM_GOT, "memory.node.0");
	char *p = pages ? cpus_text(pages) : NULL, *c = cpus ? cpus_text(cpus) : NULL,
	     *a = asked ? cpus_text(asked) : NULL;

	if (!pages && (cpus || asked))
		found_unknown(f, VM_GOT, NULL,
			      "where its pages are cannot be read (as root: numa_maps)");
	else if (asked && !hwloc_bitmap_isincluded(pages, asked))
		both_remedy(found_bad(f, VM_GOT, NULL, where,
				      "pages lie on node %s, although node %s are asked for", p, a),
			    a);
	else if (cpus && !hwloc_bitmap_isincluded(pages, cpus))
		both_remedy(found_bad(f, VM_GOT, NULL, where,
				      "pages lie on node %s, its vCPU threads run on node %s", p,
				      c),
			    c);
	else if (pages && (cpus || asked))
		found_ok(f, VM_GOT, NULL, where,
			 "pages lie on node %s, vCPU threads run on node %s", p, c ? c : "(all)");
	free(a);
	free(c);
	free(p);
	hwloc_bitmap_free(pages);
	hwloc_bitmap_free(cpus);
}

static void check_numa_02(const struct subject *s, struct findings *f)
{
	hwloc_bitmap_t cpus, memory;

	if (!need_nodes(s, f))
		return;
	cpus = cpu_nodes(s, VM_ASKED);
	memory = memory_nodes(s->vm);
	both_asked(s, f, cpus, memory);
	if (is_running(s))
		both_got(s, f, memory);
	if (!f->n)
		found_none(f, "neither vCPUs nor memory are bound to nodes");
	hwloc_bitmap_free(memory);
	hwloc_bitmap_free(cpus);
}

/* --- NUMA-03: the mode --- */

static uint64_t memory_on(const struct subject *s, hwloc_const_bitmap_t nodes)
{
	uint64_t sum = 0;
	int i;

	for (i = hwloc_bitmap_first(nodes); i >= 0; i = hwloc_bitmap_next(nodes, i))
		sum += node_memory(s, (unsigned)i);
	return sum;
}

static void mode_asked(const struct subject *s, struct findings *f, const char *mode,
		       hwloc_const_bitmap_t nodes)
{
	const char *where = fact_where(s->vm, VM_ASKED, "numatune.mode");
	uint64_t room = memory_on(s, nodes), size = memory_of(s->vm), page = 0;
	char *list = cpus_text(nodes);
	struct finding *x = NULL;

	vm_number(s->vm, VM_ASKED, &page, "memory.page");
	if (!strcmp(mode, "strict") && room && size > room) {
		x = found_bad(f, VM_ASKED, NULL, where,
			      "strict on node %s, which have %" PRIu64 " MiB for its %" PRIu64
			      " MiB",
			      list, room >> 20, size >> 20);
		finding_want(x, "nodes with room for it, or interleave over more");
	} else if (!strcmp(mode, "preferred") && hwloc_bitmap_weight(nodes) > 1) {
		x = found_bad(f, VM_ASKED, NULL, where,
			      "preferred with node %s: the kernel prefers one node only", list);
		finding_want(x, "strict with these nodes, or preferred with one");
	} else if (!strcmp(mode, "preferred") && page > 4096) {
		x = found_bad(
			f, VM_ASKED, NULL, where,
			"preferred with huge pages: when the node has none left, others' are taken without a word");
		finding_want(x, "strict");
	} else if (!strcmp(mode, "interleave") && hwloc_bitmap_weight(nodes) > 1 &&
		   fits_a_node(s)) {
		x = found_bad(
			f, VM_ASKED, NULL, where,
			"interleaved over node %s, though it fits into one: half of its accesses and more are remote",
			list);
		finding_want(x, "strict on one node");
	} else {
		found_ok(f, VM_ASKED, NULL, where, "%s on node %s", mode, list);
	}
	if (x) {
		finding_change(x, CHANGE_XML,
			       "<numatune><memory mode='strict' nodeset='NODES'/></numatune>");
		finding_change(x, CHANGE_QEMU,
			       "-object memory-backend-ram,...,host-nodes=NODES,policy=bind");
	}
	free(list);
}

/* The kernel's word in numa_maps for a mode of libvirt's; NULL: none of its own. */
static const char *policy_of(const char *mode)
{
	return !strcmp(mode, "strict")	     ? "bind"
	       : !strcmp(mode, "preferred")  ? "prefer"
	       : !strcmp(mode, "interleave") ? "interleave"
					     : NULL;
}

static void mode_got(const struct subject *s, struct findings *f, const char *mode)
{
	const char *policy = vm_get(s->vm, VM_GOT, "memory.policy"), *want = policy_of(mode),
		   *where = fact_where(s->vm, VM_GOT, "memory.policy");
	struct finding *x;

	if (!policy || !want)
		return;
	if (!strncmp(policy, want, strlen(want))) {
		found_ok(f, VM_GOT, NULL, where, "policy %s", policy);
		return;
	}
	x = found_bad(f, VM_GOT, NULL, where, "policy %s, although %s is asked for", policy, mode);
	finding_want(x, "policy %s", want);
}

static void check_numa_03(const struct subject *s, struct findings *f)
{
	const char *mode = s->vm ? vm_get(s->vm, VM_ASKED, "numatune.mode") : NULL;
	hwloc_bitmap_t nodes;

	if (!need_nodes(s, f))
		return;
	nodes = cpus_parse(vm_get(s->vm, VM_ASKED, "numatune.nodeset"));
	if (mode && nodes)
		mode_asked(s, f, mode, nodes);
	if (mode && is_running(s))
		mode_got(s, f, mode);
	if (!f->n)
		found_none(f, "no memory mode is asked for");
	hwloc_bitmap_free(nodes);
}

/* --- NUMA-04: virtual nodes --- */

static void cells_remedy(struct finding *x, unsigned nodes)
{
	finding_want(
		x, "a virtual NUMA cell for each host node (%u) that it spans, bound to it; " PLAN,
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

static void check_numa_04(const struct subject *s, struct findings *f)
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
			     "%s on node %u; " PLAN, who, node);
	free(part);
	free(list);
	hwloc_bitmap_free(nodes);
}

static void check_numa_05(const struct subject *s, struct findings *f)
{
	bool known = false;

	if (!need_nodes(s, f))
		return;
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
	if (known)
		found_none(f, "neither iothreads nor vCPUs are bound to nodes");
	else
		found_unknown(
			f, VM_GOT, NULL,
			"the node of its disks' devices shows only on its host (cat /sys/block/DEVICE/device/numa_node there)");
}

/* --- NUMA-07 --- */

static void check_numa_07(const struct subject *s, struct findings *f)
{
	bool pinned, automatic;
	struct finding *x;
	int numad;

	if (!need_vm(s, f) || !need_host(s, f))
		return;
	pinned = fact_where(s->vm, VM_ASKED, "vcpu.0.pin") ||
		 fact_where(s->vm, VM_ASKED, "numatune.nodeset");
	automatic = vm_is(s->vm, VM_ASKED, "auto", "placement") ||
		    vm_is(s->vm, VM_ASKED, "auto", "numatune.placement");
	numad = host_service(s, "numad");
	if (!pinned) {
		found_none(f, "nothing of it is placed by hand");
	} else if (automatic || numad > 0) {
		x = found_bad(f, numad > 0 ? VM_GOT : VM_ASKED, NULL,
			      automatic ? fact_where(s->vm, VM_ASKED, "placement") : NULL,
			      automatic ? "placed by hand, and by numad at start too"
					: "placed by hand, while numad runs and moves processes");
		finding_want(x, "one of the two");
		finding_change(x, CHANGE_XML, "<vcpu placement='static'>");
		finding_change(x, CHANGE_SYSFS, "systemctl disable --now numad");
	} else if (numad < 0) {
		found_unknown(f, VM_GOT, NULL, "the snapshot does not say whether numad runs");
	} else {
		found_ok(f, VM_GOT, NULL, NULL, "placed by hand, numad does not run");
	}
}

const struct rule_row rules_numa[] = {
	{"NUMA-01", RULE_SHOULD, NULL, NULL, NULL, NULL, check_numa_01},
	{"NUMA-02", RULE_SHOULD, "guest.nodes", "plan", "any", NULL, check_numa_02},
	{"NUMA-03", RULE_SHOULD, "guest.memory-mode", "bind", "preferred,interleave", NULL,
	 check_numa_03},
	{"NUMA-04", RULE_SHOULD, NULL, NULL, NULL, NULL, check_numa_04},
	{"NUMA-05", RULE_SHOULD, NULL, NULL, NULL, NULL, check_numa_05},
	{"NUMA-07", RULE_SHOULD, NULL, NULL, NULL, NULL, check_numa_07},
	{.id = NULL},
};
