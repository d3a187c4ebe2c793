// SPDX-License-Identifier: GPL-2.0-or-later
/* What oVirt's high-performance machines have beyond the rules for all: a set of its own,
 * "ovirt-hp". */
#include <stdio.h>
#include <string.h>
#include "tuner/disks.h"

/* A device that such a machine is without. said: a VM_FLAG; what: for people. */
static void without(const struct subject *s, struct findings *f, const char *key, const char *what,
		    const char *xml, const char *qemu)
{
	struct finding *bad;

	if (!need_vm(s, f))
		return;
	if (!vm_is(s->vm, VM_ASKED, "on", "%s", key)) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "%s", key), "no %s", what);
		return;
	}
	bad = found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "%s", key), "a %s", what);
	finding_want(bad, "none");
	finding_change(bad, CHANGE_XML, "%s", xml);
	finding_change(bad, CHANGE_QEMU, "%s", qemu);
}

static void check_headless(const struct subject *s, struct findings *f)
{
	const char *graphics, *video, *headless;
	struct finding *bad;

	if (!need_vm(s, f))
		return;
	graphics = vm_get(s->vm, VM_ASKED, "graphics");
	video = vm_get(s->vm, VM_ASKED, "video");
	headless = vm_get(s->vm, VM_ASKED, "headless");
	if (headless ? !strcmp(headless, "on") : !graphics && !video) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "headless"), "headless");
		return;
	}
	bad = found_bad(
		f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, graphics ? "graphics" : "video"),
		"graphics %s, video %s", graphics ? graphics : "none", video ? video : "none");
	finding_want(bad, "headless, with a serial console");
	finding_change(
		bad, CHANGE_XML,
		"no <graphics>, <channel type='spicevmc'> nor <redirdev>, <video><model type='none'/></video>, and "
		"<console type='pty'/>");
	finding_change(bad, CHANGE_QEMU, "-display none -vga none -serial ...");
}

static void check_usb(const struct subject *s, struct findings *f)
{
	without(s, f, "usb", "USB controller", "<controller type='usb' model='none'/>",
		"-machine usb=off, and no -usb, -device ...-ehci, ...-xhci");
}

static void check_sound(const struct subject *s, struct findings *f)
{
	without(s, f, "sound", "sound card", "no <sound>",
		"no -device ...-hda, AC97, no -audiodev");
}

static void check_smartcard(const struct subject *s, struct findings *f)
{
	without(s, f, "smartcard", "smartcard reader", "no <smartcard>", "no -device ccid-...");
}

static void check_watchdog(const struct subject *s, struct findings *f)
{
	/* q35's chipset has one of its own, which libvirt since 9.1 shows; it does nothing by
	 * itself */
	without(s, f, "watchdog", "watchdog", "no <watchdog>", "no -device i6300esb");
}

static void check_balloon(const struct subject *s, struct findings *f)
{
	const char *balloon;
	struct finding *bad;

	if (!need_vm(s, f))
		return;
	balloon = vm_get(s->vm, VM_ASKED, "balloon");
	if (!balloon) {
		found_unknown(f, VM_ASKED, NULL, "nothing is said of a balloon");
	} else if (!strcmp(balloon, "none")) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "balloon"), "no balloon");
	} else {
		bad = found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "balloon"),
				"a memory balloon (%s)", balloon);
		finding_want(bad, "none");
		finding_change(bad, CHANGE_XML, "<memballoon model='none'/>");
		finding_change(bad, CHANGE_QEMU, "no -device virtio-balloon-pci");
	}
}

static void check_passthrough(const struct subject *s, struct findings *f)
{
	const char *model;
	struct finding *bad;

	if (!need_vm(s, f))
		return;
	model = vm_get(s->vm, VM_ASKED, "cpu.model");
	if (model && list_has("host-passthrough,host", model)) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "cpu.model"),
			 "CPU model %s", model);
		return;
	}
	bad = found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "cpu.model"), "CPU model %s",
			model ? model : "not said: QEMU's own");
	finding_want(bad, "host-passthrough");
	finding_change(bad, CHANGE_XML, "<cpu mode='host-passthrough'/>");
	finding_change(bad, CHANGE_QEMU, "-cpu host");
}

static void check_one_iothread(const struct subject *s, struct findings *f)
{
	struct finding *bad;
	uint64_t n = 0;

	if (!need_vm(s, f))
		return;
	if (!vm_number(s->vm, VM_ASKED, &n, "iothreads"))
		n = vm_count(s->vm, "iothread");
	if (n) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "iothreads"),
			 "%" PRIu64 " iothread(s)", n);
		return;
	}
	bad = found_bad(f, VM_ASKED, NULL, NULL, "no iothread");
	finding_want(bad, "one, for all disks");
	finding_change(bad, CHANGE_XML, "<iothreads>1</iothreads>");
	finding_change(bad, CHANGE_QEMU, "-object iothread,id=io0");
}

/* Pins of one kind of threads, said or not. */
static bool is_pinned(const struct vm *vm, const char *what, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!vm_get(vm, VM_ASKED, "%s.%u.pin", what, i))
			return false;
	return n > 0;
}

static void check_io_emulator_pin(const struct subject *s, struct findings *f)
{
	bool emulator, io;
	struct finding *bad;
	unsigned n;

	if (!need_vm(s, f))
		return;
	n = vm_count(s->vm, "iothread");
	emulator = vm_get(s->vm, VM_ASKED, "emulator.pin");
	io = !n || is_pinned(s->vm, "iothread", n);
	if (emulator && io) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "emulator.pin"),
			 "emulator and %u iothread(s) are pinned", n);
		return;
	}
	bad = found_bad(f, VM_ASKED, NULL, NULL, "%s%s%s not pinned",
			emulator ? "" : "emulator threads", emulator || io ? "" : " and ",
			io ? "" : "iothreads");
	finding_want(bad, "both on the first two CPUs of the node that the vCPUs are pinned to");
	finding_change(bad, CHANGE_XML,
		       "<cputune><emulatorpin cpuset='0-1'/><iothreadpin "
		       "iothread='1' cpuset='0-1'/></cputune>; vbench plan chooses");
	finding_change(bad, CHANGE_QEMU, "taskset -cp 0-1 TID, for each of them");
}

static void check_vcpu_pin(const struct subject *s, struct findings *f)
{
	struct finding *bad;
	unsigned n;

	if (!need_vm(s, f))
		return;
	n = vcpus_of(s->vm);
	if (is_pinned(s->vm, "vcpu", n)) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "vcpu.0.pin"),
			 "all %u vCPUs are pinned", n);
		return;
	}
	bad = found_bad(f, VM_ASKED, NULL, NULL, "not all of %u vCPUs are pinned", n);
	finding_want(bad, "a host CPU for each vCPU");
	finding_change(bad, CHANGE_XML,
		       "<cputune><vcpupin vcpu='0' cpuset='2'/>...</cputune>; vbench "
		       "plan chooses");
	finding_change(bad, CHANGE_QEMU, "taskset -cp CPU TID, for each of them");
}

static void check_vnuma(const struct subject *s, struct findings *f)
{
	struct finding *bad;

	if (!need_vm(s, f))
		return;
	if (vm_get(s->vm, VM_ASKED, "numatune.nodeset") ||
	    vm_get(s->vm, VM_ASKED, "numa.0.nodeset")) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "numatune.nodeset"),
			 "memory is bound to nodes, %u virtual one(s)", vm_count(s->vm, "numa"));
		return;
	}
	if (s->here && host_nodes(s) < 2) {
		found_none(f, "the host has one node");
		return;
	}
	bad = found_bad(f, VM_ASKED, NULL, NULL, "memory is bound to no node");
	finding_want(bad, "virtual nodes, each bound to the node of its vCPUs");
	finding_change(bad, CHANGE_XML, "<numatune><memory mode='strict' nodeset='0'/></numatune>");
	finding_change(bad, CHANGE_QEMU,
		       "-object memory-backend-ram,id=m0,host-nodes=0,policy=bind,...");
}

static void check_huge(const struct subject *s, struct findings *f)
{
	struct finding *bad;
	uint64_t page;

	if (!need_vm(s, f))
		return;
	if (vm_number(s->vm, VM_ASKED, &page, "memory.page") && page > 4096) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "memory.page"),
			 "pages of %" PRIu64 " KiB", page >> 10);
		return;
	}
	bad = found_bad(f, VM_ASKED, NULL, NULL, "no huge pages are asked for");
	finding_want(bad, "the largest that the host has");
	finding_change(
		bad, CHANGE_XML,
		"<memoryBacking><hugepages><page size='1' unit='G'/></hugepages></memoryBacking>");
	finding_change(bad, CHANGE_QEMU,
		       "-object memory-backend-memfd,hugetlb=on,hugetlbsize=1G,...");
}

static void check_net_queues(const struct subject *s, struct findings *f)
{
	unsigned n, one = 0;
	struct finding *bad;
	uint64_t queues;

	if (!need_vm(s, f))
		return;
	n = vm_count(s->vm, "net");
	for (unsigned i = 0; i < n; i++)
		one += !vm_number(s->vm, VM_ASKED, &queues, "net.%u.queues", i) || queues < 2;
	if (!n || vcpus_of(s->vm) == 1) {
		found_none(f, n ? "one vCPU" : "no network card is described");
	} else if (!one) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "net.0.queues"),
			 "%u card(s) with several queues", n);
	} else {
		bad = found_bad(f, VM_ASKED, NULL, NULL, "%u of %u card(s) with one queue", one, n);
		finding_want(bad, "several, at most one a vCPU");
		finding_change(bad, CHANGE_XML, "<driver name='vhost' queues='%u'/>",
			       vcpus_of(s->vm) < 4 ? vcpus_of(s->vm) : 4);
		finding_change(bad, CHANGE_QEMU,
			       "-netdev tap,...,queues=N -device "
			       "virtio-net-pci,mq=on,...");
	}
}

static void check_rng(const struct subject *s, struct findings *f)
{
	struct finding *bad;

	if (!need_vm(s, f))
		return;
	if (vm_is(s->vm, VM_ASKED, "on", "rng")) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "rng"), "virtio-rng");
		return;
	}
	bad = found_bad(f, VM_ASKED, NULL, NULL, "no virtio-rng");
	finding_want(bad, "virtio-rng from /dev/urandom");
	finding_change(bad, CHANGE_XML,
		       "<rng model='virtio'><backend model='random'>/dev/urandom"
		       "</backend></rng>");
	finding_change(bad, CHANGE_QEMU,
		       "-object rng-random,id=r0,filename=/dev/urandom -device "
		       "virtio-rng-pci,rng=r0");
}

static void check_merge(const struct subject *s, struct findings *f)
{
	struct finding *bad;
	long long run = -1;

	if (!need_vm(s, f))
		return;
	if (vm_is(s->vm, VM_ASKED, "off", "memory.merge")) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "memory.merge"),
			 "its memory is kept out of KSM");
		return;
	}
	if (s->here && snapshot_number(s->host, &run, "/sys/kernel/mm/ksm/run") && run != 1) {
		found_ok(f, VM_GOT, NULL, "/sys/kernel/mm/ksm/run", "KSM does not run");
		return;
	}
	bad = found_bad(f, VM_ASKED, NULL, NULL, "KSM may merge its memory");
	finding_want(bad, "KSM off, or this machine kept out of it");
	finding_change(bad, CHANGE_XML, "<memoryBacking><nosharepages/></memoryBacking>");
	finding_change(bad, CHANGE_QEMU, "-machine mem-merge=off");
	finding_change(bad, CHANGE_SYSFS, "echo 2 > /sys/kernel/mm/ksm/run");
}

/* clang-format off */
const struct rule_row rules_ovirt[] = {
	{"OVH-01", RULE_SHOULD, NULL, NULL, NULL, NULL, check_headless},
	{"OVH-02", RULE_SHOULD, NULL, NULL, NULL, NULL, check_usb},
	{"OVH-03", RULE_SHOULD, NULL, NULL, NULL, NULL, check_sound},
	{"OVH-04", RULE_SHOULD, NULL, NULL, NULL, NULL, check_smartcard},
	{"OVH-05", RULE_SHOULD, NULL, NULL, NULL, NULL, check_watchdog},
	{"OVH-06", RULE_SHOULD, NULL, NULL, NULL, NULL, check_balloon},
	{"OVH-07", RULE_SHOULD, NULL, NULL, NULL, NULL, check_passthrough},
	{"OVH-08", RULE_SHOULD, NULL, NULL, NULL, NULL, check_one_iothread},
	{"OVH-09", RULE_SHOULD, NULL, NULL, NULL, NULL, check_io_emulator_pin},
	{"OVH-10", RULE_SHOULD, NULL, NULL, NULL, NULL, check_vcpu_pin},
	{"OVH-11", RULE_SHOULD, NULL, NULL, NULL, NULL, check_vnuma},
	{"OVH-12", RULE_SHOULD, NULL, NULL, NULL, NULL, check_huge},
	{"OVH-13", RULE_SHOULD, NULL, NULL, NULL, NULL, check_net_queues},
	{"OVH-14", RULE_SHOULD, NULL, NULL, NULL, NULL, check_rng},
	{"OVH-15", RULE_SHOULD, NULL, NULL, NULL, NULL, check_merge},
	{NULL},
};
/* clang-format on */
