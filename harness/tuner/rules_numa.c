// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of NUMA: CPUs and memory of a machine on the same nodes. Virtual nodes and devices are in
 * rules_vnuma.c. */
#include <stdlib.h>
#include <string.h>
#include "tuner/internal.h"

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

/* --- NUMA-01 --- */

static void node_remedy(struct finding *x)
{
	finding_want(x, "vCPUs and memory on one node, since they fit; " NODES_PLAN);
	finding_change(
		x, CHANGE_XML,
		"<vcpu placement='static' cpuset='CPUS'>N</vcpu>, <numatune><memory mode='strict' nodeset='0'/></numatune> (CPUS: those of node 0)");
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
	finding_want(x, "vCPUs and memory on the same nodes; " NODES_PLAN);
	finding_change(x, CHANGE_XML,
		       "<numatune><memory mode='strict' nodeset='%s'/></numatune> beside <vcpupin>",
		       nodes);
	finding_change(x, CHANGE_QEMU,
		       "-object memory-backend-ram,id=m0,size=SIZE,host-nodes=%s,policy=bind "
		       "-machine memory-backend=m0",
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
