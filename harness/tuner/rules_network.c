// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of networks, as far as storage and migration travel on them. */
#include <stdio.h>
#include <string.h>
#include "tuner/disks.h"

enum { RING_MIN = 256, RING_MAX = 1024, NETS_MAX = 1024 };

static void part_name(char part[32], unsigned i)
{
	snprintf(part, 32, "net %u", i);
}

/* Calls check for every network card; says so when there is none. */
static void nets_each(const struct subject *s, struct findings *f,
		      void (*check)(const struct vm *vm, unsigned i, const char *part,
				    struct findings *f),
		      const char *none)
{
	size_t before = f->n;
	unsigned n;

	if (!need_vm(s, f))
		return;
	n = vm_count(s->vm, "net");
	for (unsigned i = 0; i < n && i < NETS_MAX; i++) {
		char part[32];

		part_name(part, i);
		check(s->vm, i, part, f);
	}
	if (f->n == before)
		found_none(f, "%s", n ? none : "no network card is described");
}

/* vhost stands behind tap devices only: libvirt takes it for a user network, without effect. */
static const char *user_net(const char *backend)
{
	return backend && !strcmp(backend, "user")
		       ? "<interface type='network'><source network='default'/>, or type='bridge'; "
		       : "";
}

static void model_of(const struct vm *vm, unsigned i, const char *part, struct findings *f)
{
	const char *model = vm_get(vm, VM_ASKED, "net.%u.model", i),
		   *backend = vm_get(vm, VM_ASKED, "net.%u.backend", i);
	struct finding *bad;

	if (backend && list_has("passthrough,vdpa", backend)) {
		found_ok(f, VM_ASKED, part, fact_where(vm, VM_ASKED, "net.%u.backend", i), "%s",
			 backend);
	} else if (!model) {
		found_unknown(f, VM_ASKED, part, "its model is not described");
	} else if (strncmp(model, "virtio", 6)) {
		bad = found_bad(f, VM_ASKED, part, fact_where(vm, VM_ASKED, "net.%u.model", i),
				"model %s, emulated hardware", model);
		finding_want(bad, "virtio-net with vhost");
		finding_change(bad, CHANGE_XML, "%s<model type='virtio'/><driver name='vhost'/>",
			       user_net(backend));
		finding_change(bad, CHANGE_QEMU,
			       "-netdev tap,id=n0,vhost=on -device "
			       "virtio-net-pci,netdev=n0");
	} else if (backend && list_has("tap,user", backend)) {
		bad = found_bad(f, VM_ASKED, part, fact_where(vm, VM_ASKED, "net.%u.backend", i),
				"virtio-net through QEMU itself (%s)", backend);
		finding_want(bad, "the kernel's vhost-net behind it");
		finding_change(bad, CHANGE_XML, "%s%s<driver name='vhost'/>", user_net(backend),
			       *user_net(backend) ? "<model type='virtio'/>" : "");
		finding_change(bad, CHANGE_QEMU, "-netdev tap,id=n0,vhost=on");
	} else {
		found_ok(f, VM_ASKED, part, fact_where(vm, VM_ASKED, "net.%u.model", i),
			 "virtio-net, %s",
			 backend ? backend
				 : "back end not said (libvirt takes "
				   "vhost where the kernel has it)");
	}
}

static void check_model(const struct subject *s, struct findings *f)
{
	nets_each(s, f, model_of, "no network card");
}

static void queues_of(const struct vm *vm, unsigned i, const char *part, struct findings *f)
{
	const char *where = fact_where(vm, VM_ASKED, "net.%u.queues", i);
	unsigned vcpus = vcpus_of(vm);
	struct finding *bad;
	uint64_t n;

	if (!vm_number(vm, VM_ASKED, &n, "net.%u.queues", i) || !vcpus)
		return;
	if (n <= vcpus) {
		found_ok(f, VM_ASKED, part, where, "%" PRIu64 " queue pair(s) for %u vCPU(s)", n,
			 vcpus);
		return;
	}
	bad = found_bad(f, VM_ASKED, part, where, "%" PRIu64 " queue pairs for %u vCPU(s)", n,
			vcpus);
	finding_want(bad, "at most %u, and more than one only for many connections", vcpus);
	finding_change(bad, CHANGE_XML, "<driver name='vhost' queues='%u'/>", vcpus);
	finding_change(bad, CHANGE_QEMU,
		       "-netdev tap,...,queues=%u -device virtio-net-pci,mq=on,"
		       "vectors=%u,...",
		       vcpus, 2 * vcpus + 2);
	finding_change(bad, CHANGE_GUEST, "ethtool -L IF combined %u", vcpus);
}

static void check_queues(const struct subject *s, struct findings *f)
{
	nets_each(s, f, queues_of, "one queue pair each, which serves all but many connections");
}

static void ring_of(const struct vm *vm, unsigned i, const char *part, struct findings *f)
{
	static const char *const keys[] = {"rx-queue-size", "tx-queue-size"};

	for (size_t k = 0; k < 2; k++) {
		const char *where = fact_where(vm, VM_ASKED, "net.%u.%s", i, keys[k]);
		struct finding *bad;
		uint64_t n;

		if (!vm_number(vm, VM_ASKED, &n, "net.%u.%s", i, keys[k]))
			continue;
		if (n >= RING_MIN && n <= RING_MAX) {
			found_ok(f, VM_ASKED, part, where, "%s %" PRIu64, keys[k], n);
			continue;
		}
		bad = found_bad(f, VM_ASKED, part, where, "%s %" PRIu64, keys[k], n);
		finding_want(bad, "%d to %d", RING_MIN, RING_MAX);
		/* a tap's tx ring has 256 entries, whatever is asked for [virtio-net.c] */
		finding_change(bad, CHANGE_XML, "<driver name='vhost' %s/>",
			       k ? "tx_queue_size='256'" : "rx_queue_size='1024'");
		finding_change(bad, CHANGE_QEMU, "-device virtio-net-pci,...,%s",
			       k ? "tx_queue_size=256" : "rx_queue_size=1024");
	}
}

static void check_ring(const struct subject *s, struct findings *f)
{
	nets_each(s, f, ring_of, "ring sizes are not said: QEMU's default of 256");
}

static void check_separate(const struct subject *s, struct findings *f)
{
	if (!need_vm(s, f))
		return;
	if (s->migration)
		found_unknown(f, VM_GOT, NULL,
			      "which network a migration takes is not in a description: ip route "
			      "get DESTINATION");
	else
		found_none(f, "for machines that migrate (--for migration)");
}

static void mtu_of(const struct vm *vm, unsigned i, const char *part, struct findings *f)
{
	uint64_t n;

	if (vm_number(vm, VM_ASKED, &n, "net.%u.mtu", i))
		found_unknown(f, VM_ASKED, part,
			      "MTU %" PRIu64
			      " is asked for; whether bridge and wire have it says ip "
			      "link on the host",
			      n);
}

static void check_mtu(const struct subject *s, struct findings *f)
{
	nets_each(s, f, mtu_of, "no MTU is asked for: that of the bridge holds");
}

/* clang-format off */
const struct rule_row rules_network[] = {
	{"NET-01", RULE_SHOULD, NULL, NULL, NULL, NULL, check_model},
	{"NET-02", RULE_SHOULD, NULL, NULL, NULL, NULL, check_queues},
	{"NET-03", RULE_SHOULD, NULL, NULL, NULL, NULL, check_ring},
	{"NET-04", RULE_MAY, NULL, NULL, NULL, NULL, check_separate},
	{"NET-05", RULE_MAY, NULL, NULL, NULL, NULL, check_mtu},
	{NULL},
};
/* clang-format on */
