// SPDX-License-Identifier: GPL-2.0-or-later
/* guest.pin = plan and guest.nodes = plan, resolved: who is given the configuration has no planner.
 */
#include <stdlib.h>
#include "disk/disk.h"
#include "host/snapshot.h"
#include "place/place.h"
#include "tune/tune.h"
#include "vm/vm.h"

static struct place_guest wish(const struct profile *p, const struct cell *c)
{
	return (struct place_guest){
		.name = p->name,
		.vcpus = (unsigned)cell_u64(c, K_VCPUS),
		.memory = cell_u64(c, K_MEMORY),
		.page = cell_page(c),
		.iothreads = disk_iothreads(c) + cell_uses_vhost(c),
		.disk_node = -1,
	};
}

/* A vhost-user server had a place (run/pins.c), and QEMU has no such thread. */
static void without_server(const struct cell *c, struct placed_guest *g)
{
	if (cell_uses_vhost(c) && g->placed)
		free(g->iothread[--g->iothreads]);
}

/*
 * Only what was measured: pins with guest.pin = plan, nodes with guest.nodes = plan. The planner
 * would also tell the guest a topology and virtual nodes, which no trial of the search had.
 */
static void put(const struct placed_guest *g, bool cpus, bool nodes, struct vm *vm)
{
	static const char from[] = "the plan";

	for (unsigned i = 0; cpus && i < g->vcpus; i++)
		vm_set(vm, VM_ASKED, g->vcpu[i], from, "vcpu.%u.pin", i);
	for (unsigned i = 0; cpus && i < g->iothreads; i++)
		vm_set(vm, VM_ASKED, g->iothread[i], from, "iothread.%u.pin", i);
	if (cpus)
		vm_set(vm, VM_ASKED, g->emulator, from, "emulator.pin");
	if (nodes && g->nodes) {
		vm_set(vm, VM_ASKED, g->mode, from, "numatune.mode");
		vm_set(vm, VM_ASKED, g->nodes, from, "numatune.nodeset");
	}
}

int tune_place(const struct profile *p, const struct cell *c, struct vm *vm, json_t **out,
	       struct err *e)
{
	bool cpus = cell_is(c, K_PIN, "plan"), nodes = cell_is(c, K_NODES, "plan");
	struct place_plan plan = {0};
	struct snapshot *s = NULL;
	struct place_host host;
	struct place_opts opts;
	struct place_guest g = wish(p, c);
	int rc;

	*out = NULL;
	if (!cpus && !nodes)
		return 0;
	rc = snapshot_take(&s, e);
	if (rc)
		return rc;
	place_host_make(s, &host);
	place_opts_default(&opts);
	rc = place_make(&host, &g, 1, &opts, &plan, e);
	if (!rc && !plan.guests[0].placed)
		rc = err_input(e, "guest.pin = plan: no place on this host: %s",
			       plan.nunmet ? plan.unmet[0] : "too many vCPUs or too much memory");
	if (!rc) {
		without_server(c, &plan.guests[0]);
		put(&plan.guests[0], cpus, nodes, vm);
		*out = place_json(&plan);
	}
	place_plan_free(&plan);
	place_host_free(&host);
	snapshot_free(s);
	return rc;
}
