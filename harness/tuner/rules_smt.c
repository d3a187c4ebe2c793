// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of cores, caches and what the guest is told of them: CPU-09, CPU-10, CPU-11, CPU-25. */
#include <stdlib.h>
#include "tuner/disks.h"

/* A number of the guest's topology; 1 when it is not said. */
static unsigned smp(const struct vm *vm, const char *what)
{
	uint64_t n;

	return vm_number(vm, VM_ASKED, &n, "smp.%s", what) && n >= 1 && n <= 4096 ? (unsigned)n : 1;
}

/* The one CPU that a vCPU of a dedicated machine has. */
static unsigned cpu_of(const struct vm *vm, enum vm_side side, unsigned i)
{
	hwloc_bitmap_t one = thread_cpus(vm, side, "vcpu", i);
	int cpu = one ? hwloc_bitmap_first(one) : -1;

	hwloc_bitmap_free(one);
	return cpu < 0 ? 0 : (unsigned)cpu;
}

/* The core of each vCPU's CPU, as a number; caller frees. */
static int *cores_of(const struct subject *s, enum vm_side side)
{
	hwloc_topology_t t = snapshot_topology(s->host);
	unsigned n = vcpus_of(s->vm);
	int *core = xcalloc(n, sizeof(*core));

	for (unsigned i = 0; i < n; i++) {
		unsigned cpu = cpu_of(s->vm, side, i);
		hwloc_obj_t pu = hwloc_get_pu_obj_by_os_index(t, cpu),
			    o = pu ? hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_CORE, pu) : NULL;

		core[i] = o ? (int)o->logical_index : -1 - (int)cpu;
	}
	return core;
}

/*
 * QEMU numbers a guest's sibling threads next to each other: with `threads` a core, vCPUs i*threads
 * to i*threads+threads-1 are one core of the guest. They must share a core of the host, and no
 * others may. Sets the first pair that is wrong.
 */
static bool threads_fit(const struct subject *s, enum vm_side side, unsigned threads, unsigned *a,
			unsigned *b)
{
	unsigned n = vcpus_of(s->vm);
	int *core = cores_of(s, side);
	bool fit = true;

	for (unsigned i = 0; i < n && fit; i++)
		for (unsigned k = i + 1; k < n && fit; k++) {
			fit = (core[i] == core[k]) == (i / threads == k / threads);
			*a = i;
			*b = k;
		}
	free(core);
	return fit;
}

static void threads_side(const struct subject *s, struct findings *f, enum vm_side side)
{
	unsigned threads = smp(s->vm, "threads"), n = vcpus_of(s->vm), a, b;
	const char *where = fact_where(s->vm, side, "vcpu.0.pin");
	struct finding *x;

	if (!is_dedicated(s, side))
		return;
	if (threads_fit(s, side, threads, &a, &b)) {
		found_ok(f, side, NULL, where,
			 threads > 1 ? "threads that the guest takes for siblings are siblings"
				     : "no two vCPUs share a core");
		return;
	}
	x = found_bad(
		f, side, NULL, where,
		a / threads == b / threads
			? "vCPUs %u and %u are one core to the guest, but CPUs %u and %u are not"
			: "vCPUs %u and %u are two cores to the guest, but CPUs %u and %u are one",
		a, b, cpu_of(s->vm, side, a), cpu_of(s->vm, side, b));
	finding_want(x,
		     "either one vCPU a core, or threads=2 with vCPUs 0 and 1, 2 and 3, ... on the "
		     "sibling threads of a core (vbench plan --smt isolate|siblings)");
	if (n % 2) { /* no whole number of cores: libvirt and QEMU refuse it */
		finding_change(
			x, CHANGE_XML,
			"<cpu><topology sockets='1' cores='%u' threads='1'/></cpu> with a core for each vCPU",
			n);
		finding_change(x, CHANGE_QEMU, "-smp %u,sockets=1,cores=%u,threads=1", n, n);
		return;
	}
	finding_change(
		x, CHANGE_XML,
		"<cpu><topology sockets='1' cores='%u' threads='2'/></cpu> with <vcpupin> by pairs",
		n / 2);
	finding_change(x, CHANGE_QEMU, "-smp %u,sockets=1,cores=%u,threads=2", n, n / 2);
}

/* Another machine on the other thread of one of our cores. */
static void cores_alone(const struct subject *s, struct findings *f, enum vm_side side)
{
	hwloc_bitmap_t ours = is_dedicated(s, side) ? vcpus_cpus(s->vm, side) : NULL,
		       cores = ours ? siblings_of(s, ours) : NULL;

	if (cores)
		hwloc_bitmap_andnot(cores, cores, ours);
	for (size_t i = 0; cores && i < s->nothers; i++) {
		hwloc_bitmap_t theirs =
			vcpus_cpus(s->others[i], s->others[i]->running ? VM_GOT : VM_ASKED);
		bool all = theirs && cpus_count(theirs) == host_threads(s);

		if (theirs && !all && hwloc_bitmap_intersects(theirs, cores))
			finding_want(found_bad(f, side, NULL, fact_where(s->vm, side, "vcpu.0.pin"),
					       "%s runs on the other threads of its cores",
					       s->others[i]->name),
				     "whole cores for each machine");
		hwloc_bitmap_free(theirs);
	}
	hwloc_bitmap_free(cores);
	hwloc_bitmap_free(ours);
}

void check_cpu_09(const struct subject *s, struct findings *f)
{
	if (!need_vm(s, f) || !need_host(s, f))
		return;
	if (host_threads(s) <= host_cores(s)) {
		found_none(f, "the host's cores have one thread each");
		return;
	}
	for (enum vm_side side = VM_ASKED; side <= VM_GOT; side++) {
		if (side == VM_GOT && !is_running(s))
			continue;
		threads_side(s, f, side);
		cores_alone(s, f, side);
	}
	if (!f->n)
		found_none(f, "its vCPUs have no CPUs of their own");
}

/* --- CPU-10, CPU-11: what the guest is told ------------------------------------------------------
 */

static unsigned packages_of(const struct subject *s, hwloc_const_bitmap_t cpus)
{
	hwloc_topology_t t = snapshot_topology(s->host);
	unsigned n = 0;

	for (hwloc_obj_t o = NULL; (o = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_PACKAGE, o));)
		n += hwloc_bitmap_intersects(o->cpuset, cpus) != 0;
	return n ? n : 1;
}

/* What the guest believes of a machine that floats: siblings would mislead its scheduler. */
static void topology_floating(const struct subject *s, struct findings *f)
{
	unsigned threads = smp(s->vm, "threads"), n = vcpus_of(s->vm);
	const char *where = fact_where(s->vm, VM_ASKED, "smp.threads");
	struct finding *x;

	if (threads == 1 && !vm_get(s->vm, VM_ASKED, "smp.sockets")) {
		found_ok(f, VM_ASKED, NULL, where, "one thread a core: no false siblings");
		return;
	}
	if (threads == 1) {
		found_ok(f, VM_ASKED, NULL, where,
			 "sockets %u, dies %u, cores %u, threads 1: no false siblings",
			 smp(s->vm, "sockets"), smp(s->vm, "dies"), smp(s->vm, "cores"));
		return;
	}
	x = found_bad(f, VM_ASKED, NULL, where,
		      "the guest is told of %u threads a core, but its vCPUs run anywhere",
		      threads);
	finding_want(x, "one thread a core, as long as vCPUs are not pinned to siblings");
	/* Windows for desktops uses no more than two sockets */
	finding_change(x, CHANGE_XML, "<cpu><topology sockets='%u' cores='%u' threads='1'/></cpu>",
		       is_windows(s->vm) ? 1 : n, is_windows(s->vm) ? n : 1);
	finding_change(x, CHANGE_QEMU, "-smp %u,sockets=%u,cores=%u,threads=1", n,
		       is_windows(s->vm) ? 1 : n, is_windows(s->vm) ? n : 1);
}

/*
 * Sockets (dies: sockets x dies) that the vCPUs online at start fill: vCPUs are numbered thread by
 * thread, core by core, die by die; the rest of a topology is for those to be plugged.
 */
static unsigned online_of(const struct vm *vm, bool dies)
{
	uint64_t n = vcpus_of(vm), each = (uint64_t)smp(vm, "cores") * smp(vm, "threads");

	if (!vm_get(vm, VM_ASKED, "smp.sockets") && !vm_get(vm, VM_ASKED, "smp.cores"))
		/* libvirt makes a socket of each; so did QEMU's machine types before 6.2 */
		return is_command(vm) && machine_older(vm, 6, 2) != 1 ? 1 : (unsigned)n;
	if (!dies)
		each *= smp(vm, "dies");
	return (unsigned)((n + each - 1) / each);
}

static void topology_pinned(const struct subject *s, struct findings *f, enum vm_side side)
{
	hwloc_bitmap_t cpus = vcpus_cpus(s->vm, side);
	unsigned sockets = online_of(s->vm, false), real = packages_of(s, cpus),
		 n = vcpus_of(s->vm), threads = smp(s->vm, "threads"),
		 cores = n / real / threads ? n / real / threads : 1;
	const char *where = fact_where(s->vm, VM_ASKED, "smp.sockets");
	struct finding *x;

	hwloc_bitmap_free(cpus);
	if (sockets == real) {
		found_ok(f, VM_ASKED, NULL, where, "%u sockets in the guest as under its pins",
			 real);
		return;
	}
	x = found_bad(f, VM_ASKED, NULL, where,
		      "the guest is told of %u sockets, its vCPUs are pinned to %u of the host",
		      sockets, real);
	finding_want(x, "the topology of the CPUs that it is pinned to");
	finding_change(x, CHANGE_XML,
		       "<cpu><topology sockets='%u' dies='1' cores='%u' threads='%u'/></cpu>", real,
		       cores, threads);
	finding_change(x, CHANGE_QEMU, "-smp %u,sockets=%u,cores=%u,threads=%u", n, real, cores,
		       threads);
}

void check_cpu_10(const struct subject *s, struct findings *f)
{
	enum vm_side side = VM_ASKED;

	if (!need_vm(s, f))
		return;
	if (!vcpus_of(s->vm)) {
		found_unknown(f, VM_ASKED, NULL, "nothing says how many vCPUs it has");
		return;
	}
	if (!is_dedicated(s, side) && is_running(s) && is_dedicated(s, VM_GOT))
		side = VM_GOT;
	if (!is_dedicated(s, side))
		topology_floating(s, f);
	else if (need_host(s, f))
		topology_pinned(s, f, side);
}

/* How many last-level caches the CPUs are spread over; 0: the host says nothing of them. */
static unsigned llcs_of(const struct subject *s, hwloc_const_bitmap_t cpus)
{
	hwloc_bitmap_t left = hwloc_bitmap_dup(cpus);
	unsigned n = 0;

	while (!hwloc_bitmap_iszero(left)) {
		hwloc_bitmap_t llc = llc_of(s, (unsigned)hwloc_bitmap_first(left));

		if (!llc) {
			n = 0;
			break;
		}
		hwloc_bitmap_andnot(left, left, llc);
		hwloc_bitmap_free(llc);
		n++;
	}
	hwloc_bitmap_free(left);
	return n;
}

static void caches_side(const struct subject *s, struct findings *f, enum vm_side side)
{
	hwloc_bitmap_t cpus = vcpus_cpus(s->vm, side);
	unsigned real = llcs_of(s, cpus), sockets = packages_of(s, cpus),
		 told = online_of(s->vm, true), n = vcpus_of(s->vm);
	const char *where = fact_where(s->vm, VM_ASKED, "smp.dies");
	struct finding *x;

	hwloc_bitmap_free(cpus);
	if (!real) {
		found_unknown(f, side, NULL, "the host says nothing of its caches");
		return;
	}
	if (told == real) {
		found_ok(f, side, NULL, where,
			 "%u last-level caches in the guest as under its pins", real);
		return;
	}
	if (real == 1) {
		found_none(f, "its CPUs share one last-level cache (CPU-10 has the sockets)");
		return;
	}
	x = found_bad(f, side, NULL, where,
		      "the guest sees %u last-level cache%s (sockets x dies), its CPUs have %u",
		      told, told == 1 ? "" : "s", real);
	finding_want(x, "a die for each last-level cache; see index3/shared_cpu_list in the guest");
	finding_change(x, CHANGE_XML,
		       "<cpu><topology sockets='%u' dies='%u' cores='%u' threads='%u'/></cpu>",
		       sockets, real / sockets ? real / sockets : 1,
		       n / real / smp(s->vm, "threads") ? n / real / smp(s->vm, "threads") : 1,
		       smp(s->vm, "threads"));
	finding_change(x, CHANGE_QEMU, "-smp %u,sockets=%u,dies=%u,...", n, sockets,
		       real / sockets ? real / sockets : 1);
}

void check_cpu_11(const struct subject *s, struct findings *f)
{
	enum vm_side side = VM_ASKED;

	if (!need_vm(s, f))
		return;
	if (!is_dedicated(s, side) && is_running(s))
		side = VM_GOT;
	if (!is_dedicated(s, side))
		found_none(f,
			   "its vCPUs have no CPUs of their own, so no cache of the host's either");
	else if (need_host(s, f))
		caches_side(s, f, side);
}

/* --- CPU-25: what is left to the host ------------------------------------------------------------
 */

/* All CPUs that vCPUs of this and the other machines are pinned to, one to one. */
static hwloc_bitmap_t pinned_by_all(const struct subject *s)
{
	hwloc_bitmap_t all = is_dedicated(s, VM_ASKED) ? vcpus_cpus(s->vm, VM_ASKED)
			     : is_running(s) && is_dedicated(s, VM_GOT) ? vcpus_cpus(s->vm, VM_GOT)
									: NULL;

	for (size_t i = 0; all && i < s->nothers; i++) {
		enum vm_side side = s->others[i]->running ? VM_GOT : VM_ASKED;
		hwloc_bitmap_t theirs = vcpus_pinned(s->others[i], side) == vcpus_of(s->others[i])
						? vcpus_cpus(s->others[i], side)
						: NULL;

		if (theirs)
			hwloc_bitmap_or(all, all, theirs);
		hwloc_bitmap_free(theirs);
	}
	return all;
}

/* Whole cores of a node, and how many of them no vCPU is pinned to. */
static void node_cores(const struct subject *s, hwloc_obj_t node, hwloc_const_bitmap_t pinned,
		       unsigned *cores, unsigned *free_cores)
{
	hwloc_topology_t t = snapshot_topology(s->host);

	*cores = *free_cores = 0;
	for (hwloc_obj_t o = NULL; (o = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_CORE, o));) {
		if (!hwloc_bitmap_intersects(o->cpuset, node->cpuset))
			continue;
		++*cores;
		*free_cores += !hwloc_bitmap_intersects(o->cpuset, pinned);
	}
}

void check_cpu_25(const struct subject *s, struct findings *f)
{
	enum { SMALL = 4 }; /* a node with fewer cores has none to spare */
	hwloc_topology_t t = snapshot_topology(s->host);
	hwloc_bitmap_t pinned;

	if (!need_vm(s, f) || !need_host(s, f))
		return;
	pinned = pinned_by_all(s);
	for (hwloc_obj_t o = NULL;
	     pinned && (o = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, o));) {
		unsigned cores, left;
		char part[32];

		node_cores(s, o, pinned, &cores, &left);
		if (cores < SMALL || !hwloc_bitmap_intersects(o->cpuset, pinned))
			continue;
		snprintf(part, sizeof(part), "node %u", o->os_index);
		if (left)
			found_ok(f, VM_ASKED, part, NULL, "%u of %u cores are left to the host",
				 left, cores);
		else
			finding_want(
				found_bad(f, VM_ASKED, part,
					  fact_where(s->vm, VM_ASKED, "vcpu.0.pin"),
					  "vCPUs are pinned to each of its %u cores", cores),
				"at least one core of the node without vCPUs, for the host, QEMU's "
				"own threads and interrupts");
	}
	if (!f->n)
		found_none(
			f,
			pinned ? "nodes of fewer than 4 cores have none to spare"
			       : "no vCPU is pinned one to one: the scheduler shares the CPUs out");
	hwloc_bitmap_free(pinned);
}
