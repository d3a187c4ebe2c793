// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of virtqueues: how many, how long, in which layout, and who is told of what when. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tuner/disks.h"

/* QEMU: "as many as fit". virtio-blk has 16 bits for it, virtio-scsi 32. */
#define QUEUES_AUTO_BLK 65535u
#define QUEUES_AUTO_SCSI 4294967295u
/* From how many queues of all disks on they are asked about: half of the 2048 vectors that one
 * MSI-X table has room for (PCI 3.0, 6.8.2.3). Ours, not a source's. */
enum { QUEUES_MANY = 1024 };
enum { RING_OLD = 128, RING_GOOD = 256 };

/* --- BLK-08, BLK-09 ------------------------------------------------------------------------ */

/* Queues that a disk will have; 0: not to be told. *automatic: QEMU counts vCPUs. */
static unsigned queues_of(const struct disk *d, bool *automatic)
{
	struct said asked = ring_said(d, VM_ASKED, "queues");
	unsigned long n = asked.value ? strtoul(asked.value, NULL, 10) : 0;

	*automatic = !asked.value || n == QUEUES_AUTO_BLK || n == QUEUES_AUTO_SCSI;
	if (!*automatic)
		return n > UINT16_MAX ? UINT16_MAX : (unsigned)n;
	/* machine types of QEMU before 5.2 keep the default of their day, one queue */
	return machine_older(d->vm, 5, 2) == 1 ? 1 : vcpus_of(d->vm);
}

static void queues_in_force(const struct disk *d, unsigned vcpus)
{
	struct said got = ring_said(d, VM_GOT, "queues");
	unsigned long n = got.value ? strtoul(got.value, NULL, 10) : 0;
	struct finding *bad;

	if (!got.value)
		return;
	if (n == vcpus) {
		found_ok(d->f, VM_GOT, d->part, got.where, "%lu queues", n);
		return;
	}
	bad = found_bad(d->f, VM_GOT, d->part, got.where, "%lu queues in force for %u vCPUs", n,
			vcpus);
	finding_want(bad, "%u queues", vcpus);
}

static void queue_count_of(const struct disk *d)
{
	struct said asked = ring_said(d, VM_ASKED, "queues");
	unsigned vcpus = vcpus_of(d->vm), n;
	bool automatic, scsi = !strcmp(disk_bus(d), "virtio-scsi");
	struct finding *bad;
	char text[32];

	if (!disk_is_virtio(d))
		return;
	if (!vcpus) {
		found_unknown(d->f, VM_ASKED, d->part, "the number of vCPUs is not described");
		return;
	}
	n = queues_of(d, &automatic);
	if (n == vcpus) {
		found_ok(d->f, VM_ASKED, d->part, asked.where, "%u queue(s) for %u vCPU(s)%s", n,
			 vcpus, automatic ? ", QEMU's default" : "");
	} else {
		bad = found_bad(d->f, VM_ASKED, d->part, asked.where, "%u queue(s) for %u vCPUs%s",
				n, vcpus,
				automatic   ? ", the default of a machine type before 5.2"
				: n > vcpus ? ": the guest uses no more than its vCPUs"
					    : "");
		finding_want(bad, "%u queues, one a vCPU", vcpus);
		finding_change(bad, CHANGE_XML,
			       scsi ? "<driver queues='%u'/> in the controller"
				    : "<driver ... queues='%u'/>",
			       vcpus);
		snprintf(text, sizeof(text), scsi ? "num_queues=%u" : "num-queues=%u", vcpus);
		change_device(d, bad, text, text);
	}
	queues_in_force(d, vcpus);
}

static void check_queues(const struct subject *s, struct findings *f)
{
	disks_each(s, f, queue_count_of, "no disk has virtqueues of QEMU's");
}

static void check_queues_sum(const struct subject *s, struct findings *f)
{
	unsigned n, disks = 0, sum = 0;
	struct finding *bad;

	if (!need_vm(s, f))
		return;
	n = vm_count(s->vm, "disk");
	for (unsigned i = 0; i < n; i++) {
		struct disk d = {.s = s, .vm = s->vm, .i = i};
		bool automatic;

		/* disks on one controller share its queues: the controllers would be counted */
		if (strcmp(disk_bus(&d), "virtio-blk"))
			continue;
		sum += queues_of(&d, &automatic);
		disks++;
	}
	if (!disks) {
		found_none(f, "no disk is virtio-blk");
		return;
	}
	if (sum <= QUEUES_MANY) {
		found_ok(f, VM_ASKED, NULL, NULL, "%u queue(s) on %u disk(s)", sum, disks);
		return;
	}
	bad = found_bad(f, VM_ASKED, NULL, NULL, "%u queues on %u disks", sum, disks);
	finding_want(bad, "fewer queues on disks that are seldom busy, or virtio-scsi");
	finding_change(bad, CHANGE_XML, "<driver ... queues='1'/> for those");
	finding_change(bad, CHANGE_QEMU, "-device virtio-blk-pci,...,num-queues=1 for those");
}

static bool advise_queues(const struct subject *s, char *buf, size_t size)
{
	unsigned n = s->vm ? vcpus_of(s->vm) : 0;

	snprintf(buf, size, "%u", n);
	return n > 0;
}

/* --- BLK-10, BLK-11 ------------------------------------------------------------------------ */

static void ring_size_of(const struct disk *d)
{
	struct said asked = ring_said(d, VM_ASKED, "queue-size");
	bool scsi = !strcmp(disk_bus(d), "virtio-scsi");
	unsigned long n = asked.value ? strtoul(asked.value, NULL, 10) : RING_GOOD;
	struct finding *bad;

	if (!disk_is_virtio(d))
		return;
	if (!asked.value && machine_older(d->vm, 5, 0) == 1)
		n = RING_OLD;
	if (n < RING_GOOD) {
		bad = found_bad(d->f, VM_ASKED, d->part, asked.where, "rings of %lu entries%s", n,
				asked.value ? "" : ", the default of a machine type before 5.0");
		finding_want(bad, "%d entries", RING_GOOD);
		if (!scsi) /* libvirt has no word for a virtio-scsi controller's */
			finding_change(bad, CHANGE_XML, "<driver ... queue_size='256'/>");
		change_device(d, bad, "queue-size=256", "virtqueue_size=256");
	} else if (n > RING_GOOD) {
		found_unknown(d->f, VM_ASKED, d->part,
			      "rings of %lu entries: they help large sequential requests and may "
			      "cost random ones; `vbench tune` measures it",
			      n);
	} else {
		found_ok(d->f, VM_ASKED, d->part, asked.where, "rings of %lu entries%s", n,
			 asked.value ? "" : " (not said: QEMU's default)");
	}
}

static void check_ring_size(const struct subject *s, struct findings *f)
{
	disks_each(s, f, ring_size_of, "no disk has virtqueues of QEMU's");
}

static void seg_max_of(const struct disk *d)
{
	struct said said = disk_said(d, VM_ASKED, "seg-max-adjust");
	bool old = machine_older(d->vm, 5, 0) == 1,
	     on = said.value ? !strcmp(said.value, "on") : !old;
	struct finding *bad;

	if (!disk_is_virtio(d))
		return;
	if (on) {
		found_ok(d->f, VM_ASKED, d->part, said.where, "seg-max-adjust on%s",
			 said.value ? "" : " (not said: QEMU's default)");
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, said.where, "seg-max-adjust off%s",
			said.value ? "" : ", the default of a machine type before 5.0");
	finding_want(bad, "seg-max-adjust on: requests of up to ring size - 2 segments");
	finding_change(bad, CHANGE_XML, "<os><type machine='...'> of a newer version (GST-04)");
	change_device(d, bad, "seg-max-adjust=on", "seg_max_adjust=on");
}

static void check_seg_max(const struct subject *s, struct findings *f)
{
	disks_each(s, f, seg_max_of, "no disk has virtqueues of QEMU's");
}

/* --- BLK-12 -------------------------------------------------------------------------------- */

/* That it was asked for proves only the offer: virtio 1.2, 3.1.1, the driver takes what it knows.
 */
static void layout_of(const struct disk *d)
{
	struct said asked = ring_said(d, VM_ASKED, "packed"), got = ring_said(d, VM_GOT, "packed");
	bool packed = asked.value && !strcmp(asked.value, "on");
	struct finding *bad;

	if (!disk_is_virtio(d) && strcmp(disk_bus(d), "vhost-user-blk"))
		return;
	if (!packed) {
		found_ok(d->f, VM_ASKED, d->part, asked.where, "split ring%s",
			 asked.value ? "" : " (not said: QEMU's default)");
		return;
	}
	if (!got.value) {
		found_unknown(d->f, VM_GOT, d->part,
			      "packed ring offered; whether the guest took it says character 34 "
			      "(from 0) of /sys/bus/virtio/devices/virtioN/features there, and "
			      "whether it gains, only measurement");
	} else if (!strcmp(got.value, "on")) {
		found_ok(d->f, VM_GOT, d->part, got.where, "packed ring asked for and negotiated");
	} else {
		bad = found_bad(d->f, VM_GOT, d->part, got.where,
				"packed ring asked for, the guest or back end uses a split one");
		finding_want(bad, "a driver and a back end that know it, or no packed='on'");
		finding_change(bad, CHANGE_XML, "no packed attribute in <driver/>");
		change_device(d, bad, "packed=off", "packed=off");
	}
}

static void check_layout(const struct subject *s, struct findings *f)
{
	disks_each(s, f, layout_of, "no disk has virtqueues");
}

/* --- BLK-13 to BLK-15 ---------------------------------------------------------------------- */

/* A property that is on by default, and is to stay so. */
static void stays_on(const struct disk *d, const char *what, const char *attribute,
		     const char *option, const char *why)
{
	struct said said = ring_said(d, VM_ASKED, what);
	bool off = said.value && !strcmp(said.value, "off"),
	     scsi = !strcmp(disk_bus(d), "virtio-scsi");
	struct finding *bad;

	if (!disk_is_virtio(d))
		return;
	if (!off) {
		found_ok(d->f, VM_ASKED, d->part, said.where, "%s on%s", what,
			 said.value ? "" : " (not said: QEMU's default)");
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, said.where, "%s off: %s", what, why);
	finding_want(bad, "%s on, QEMU's default", what);
	if (attribute)
		finding_change(bad, CHANGE_XML, "no %s='off' in <driver/>%s", attribute,
			       scsi ? " of the controller" : "");
	change_device(d, bad, option, option);
}

static void event_idx_of(const struct disk *d)
{
	stays_on(d, "event-idx", "event_idx", "event_idx=on",
		 "a notification with every request in the worst case");
}

static void check_event_idx(const struct subject *s, struct findings *f)
{
	disks_each(s, f, event_idx_of, "no disk has virtqueues of QEMU's");
}

static void indirect_of(const struct disk *d)
{
	stays_on(d, "indirect", NULL, "indirect_desc=on",
		 "each segment of a request takes an entry of the ring");
}

static void check_indirect(const struct subject *s, struct findings *f)
{
	disks_each(s, f, indirect_of, "no disk has virtqueues of QEMU's");
}

static void ioeventfd_of(const struct disk *d)
{
	stays_on(d, "ioeventfd", "ioeventfd", "ioeventfd=on",
		 "each kick stops its vCPU until QEMU has handled it, and no iothread can be used");
}

static void check_ioeventfd(const struct subject *s, struct findings *f)
{
	disks_each(s, f, ioeventfd_of, "no disk has virtqueues of QEMU's");
}

/* --- BLK-16, BLK-17 ------------------------------------------------------------------------ */

static void poll_judge(const struct subject *s, struct findings *f, unsigned i)
{
	const char *id = vm_get(s->vm, VM_ASKED, "iothread.%u.id", i);
	const char *where = fact_where(s->vm, VM_ASKED, "iothread.%u.poll-max-ns", i);
	uint64_t ns = 32768;
	bool said = vm_number(s->vm, VM_ASKED, &ns, "iothread.%u.poll-max-ns", i);
	struct finding *bad;
	char part[64], number[16];

	snprintf(number, sizeof(number), "%u", i);
	snprintf(part, sizeof(part), "iothread %.40s", id ? id : number);
	if (s->dense ? !ns : ns || !s->latency) {
		found_ok(f, VM_ASKED, part, where, "polls for up to %" PRIu64 " ns%s", ns,
			 said ? "" : " (not said: QEMU's default)");
		return;
	}
	bad = found_bad(f, VM_ASKED, part, where, "polls for up to %" PRIu64 " ns%s", ns,
			said ? "" : " (not said: QEMU's default)");
	finding_want(bad, s->dense ? "no polling on a crowded host"
				   : "polling, where latency counts and CPUs are free");
	finding_change(bad, CHANGE_XML,
		       "<iothreadids><iothread id='1'><poll max='%u'/></iothread>"
		       "</iothreadids> (libvirt 9.4.0 and newer)",
		       s->dense ? 0 : 32768);
	finding_change(bad, CHANGE_QEMU,
		       "-object iothread,...,poll-max-ns=%u; live: qom-set "
		       "/objects/ID poll-max-ns",
		       s->dense ? 0 : 32768);
}

static void check_polling(const struct subject *s, struct findings *f)
{
	unsigned n;

	if (!need_vm(s, f))
		return;
	n = vm_count(s->vm, "iothread");
	for (unsigned i = 0; i < n; i++)
		poll_judge(s, f, i);
	if (!n)
		found_none(f, "no iothread is described");
}

static void poll_queues_of(const struct disk *d)
{
	if (!strcmp(disk_bus(d), "virtio-blk"))
		found_unknown(d->f, VM_GOT, d->part,
			      "only the guest knows: cat /sys/module/virtio_blk/parameters/"
			      "poll_queues there");
}

static void check_poll_queues(const struct subject *s, struct findings *f)
{
	if (s->vm && !s->latency)
		found_none(f, "for loads that poll themselves (--for latency)");
	else
		disks_each(s, f, poll_queues_of, "no disk is virtio-blk");
}

/* clang-format off */
const struct rule_row rules_queue[] = {
	{"BLK-08", RULE_SHOULD, "disk.queues", NULL, "1", advise_queues, check_queues},
	{"BLK-09", RULE_MAY, NULL, NULL, NULL, NULL, check_queues_sum},
	{"BLK-10", RULE_SHOULD, "disk.queue-size", "256", "1024", NULL, check_ring_size},
	{"BLK-11", RULE_SHOULD, NULL, NULL, NULL, NULL, check_seg_max},
	{"BLK-12", RULE_SHOULD, "disk.ring", "split", "packed", NULL, check_layout},
	{"BLK-13", RULE_SHOULD, "disk.event-idx", "on", "off", NULL, check_event_idx},
	{"BLK-14", RULE_SHOULD, "disk.indirect", "on", "off", NULL, check_indirect},
	{"BLK-15", RULE_SHOULD, "disk.ioeventfd", "on", "off", NULL, check_ioeventfd},
	{"BLK-16", RULE_MAY, "disk.poll-max", "32768ns", "0s", NULL, check_polling},
	{"BLK-17", RULE_MAY, "guest.poll-queues", "0", NULL, NULL, check_poll_queues},
	{NULL},
};
/* clang-format on */
