// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's plan as facts of a machine, for the writers of other tongues. */
#include "place/internal.h"
#include "vm/vm.h"

#define ASKED VM_ASKED
static const char where[] = "vbench plan";

static void topology_set(const struct placed_guest *g, struct vm *vm)
{
	if (!g->sockets)
		return;
	vm_set_number(vm, ASKED, g->sockets, where, "smp.sockets");
	vm_set_number(vm, ASKED, g->dies, where, "smp.dies");
	vm_set_number(vm, ASKED, g->cores, where, "smp.cores");
	vm_set_number(vm, ASKED, g->threads, where, "smp.threads");
}

static void memory_set(const struct placed_guest *g, struct vm *vm)
{
	vm_set_number(vm, ASKED, g->memory, where, "memory.size");
	if (g->page)
		vm_set_number(vm, ASKED, g->page, where, "memory.page");
	/* what is reserved when it is mapped need not be on the node that it is bound to: without
	 * all of it at the start, the guest dies of SIGBUS later */
	if (g->page && g->nodes)
		vm_set_flag(vm, ASKED, true, where, "memory.prealloc");
	if (g->nodes) {
		vm_set(vm, ASKED, g->mode, where, "numatune.mode");
		vm_set(vm, ASKED, g->nodes, where, "numatune.nodeset");
	}
	/* cells of another plan go */
	for (unsigned i = 0, n = vm_count(vm, "numa"); i < n; i++) {
		vm_set(vm, ASKED, NULL, where, "numa.%u.cpus", i);
		vm_set(vm, ASKED, NULL, where, "numa.%u.memory", i);
		vm_set(vm, ASKED, NULL, where, "numa.%u.mode", i);
		vm_set(vm, ASKED, NULL, where, "numa.%u.nodeset", i);
	}
	for (unsigned i = 0; i < g->ncells; i++) {
		vm_set(vm, ASKED, g->cells[i].vcpus, where, "numa.%u.cpus", i);
		vm_set_number(vm, ASKED, g->cells[i].memory, where, "numa.%u.memory", i);
		vm_set(vm, ASKED, "strict", where, "numa.%u.mode", i);
		vm_set_number(vm, ASKED, g->cells[i].node, where, "numa.%u.nodeset", i);
	}
}

void place_into_vm(const struct placed_guest *g, struct vm *vm)
{
	if (!g->placed)
		return;
	vm_set_number(vm, ASKED, g->vcpus, where, "vcpus");
	for (unsigned i = 0; i < g->vcpus; i++)
		vm_set(vm, ASKED, g->vcpu[i], where, "vcpu.%u.pin", i);
	vm_set_number(vm, ASKED, g->iothreads, where, "iothreads");
	for (unsigned i = 0; i < g->iothreads; i++)
		vm_set(vm, ASKED, g->iothread[i], where, "iothread.%u.pin", i);
	vm_set(vm, ASKED, g->emulator, where, "emulator.pin");
	topology_set(g, vm);
	memory_set(g, vm);
}
