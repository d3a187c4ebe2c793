// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of block devices: bus, controllers, iothreads; and the table of all of part BLK but the
 * queues. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tuner/disks.h"

/* libvirt refuses a virtio disk with an address of another bus, and two of one name. */
#define TO_VIRTIO \
	"<target dev='vda' bus='virtio'/> (or the next free name), without the disk's <address>"

/* virtio-blk disks that an i440fx machine with its usual devices has slots for [QEMU blog 2021]. */
enum { SLOTS = 28 };

/* --- BLK-01 -------------------------------------------------------------------------------- */

static void bus_of(const struct disk *d)
{
	struct said bus = disk_said(d, VM_ASKED, "bus");
	struct finding *bad;

	if (!bus.value) {
		found_unknown(d->f, VM_ASKED, d->part, "its bus is not described");
		return;
	}
	if (!strncmp(bus.value, "virtio-", 7) || !strcmp(bus.value, "vhost-user-blk")) {
		found_ok(d->f, VM_ASKED, d->part, bus.where, "bus %s", bus.value);
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, bus.where, "bus %s, emulated hardware", bus.value);
	finding_want(bad, "a virtio disk");
	finding_change(bad, CHANGE_XML, TO_VIRTIO);
	finding_change(bad, CHANGE_QEMU, "-device virtio-blk-pci,drive=NODE");
	finding_change(bad, CHANGE_GUEST,
		       "drivers first: Linux has them, Windows needs virtio-win; mount by UUID, "
		       "since the disk's name changes");
}

static void check_bus(const struct subject *s, struct findings *f)
{
	disks_each(s, f, bus_of, "no disk");
}

/* --- BLK-02 -------------------------------------------------------------------------------- */

/* How many disks are on a bus. */
static unsigned disks_on(const struct vm *vm, const char *bus)
{
	unsigned n = vm_count(vm, "disk"), on = 0;

	for (unsigned i = 0; i < n; i++)
		on += vm_is(vm, VM_ASKED, bus, "disk.%u.bus", i);
	return on;
}

/* Something on virtio-scsi needs SCSI: commands passed through, or a disk shared by reservations.
 */
static bool needs_scsi(const struct vm *vm)
{
	unsigned n = vm_count(vm, "disk");

	for (unsigned i = 0; i < n; i++)
		if (vm_is(vm, VM_ASKED, "lun", "disk.%u.kind", i) ||
		    (vm_is(vm, VM_ASKED, "virtio-scsi", "disk.%u.bus", i) &&
		     vm_is(vm, VM_ASKED, "on", "disk.%u.shareable", i)))
			return true;
	return false;
}

static void check_bus_choice(const struct subject *s, struct findings *f)
{
	unsigned blk, scsi;
	struct finding *bad;

	if (!need_vm(s, f))
		return;
	blk = disks_on(s->vm, "virtio-blk");
	scsi = disks_on(s->vm, "virtio-scsi");
	if (!blk && !scsi) {
		found_none(f, "no disk is virtio-blk or virtio-scsi");
	} else if (blk > SLOTS) {
		bad = found_bad(f, VM_ASKED, NULL, NULL, "%u virtio-blk disks, a PCI slot each",
				blk);
		finding_want(bad, "virtio-scsi for more than %d disks", SLOTS);
		finding_change(
			bad, CHANGE_XML,
			"<controller type='scsi' model='virtio-scsi'/> and <target bus='scsi'/>");
		finding_change(bad, CHANGE_QEMU,
			       "-device virtio-scsi-pci,id=s0 -device "
			       "scsi-hd,bus=s0.0,drive=NODE");
	} else if (scsi && blk + scsi <= SLOTS && !needs_scsi(s->vm)) {
		bad = found_bad(f, VM_ASKED, NULL, NULL,
				"%u disk(s) on virtio-scsi, nothing described needs SCSI", scsi);
		finding_want(bad, "virtio-blk, if the guest needs no SCSI commands: measure both");
		finding_change(bad, CHANGE_XML, TO_VIRTIO);
		finding_change(bad, CHANGE_QEMU, "-device virtio-blk-pci,drive=NODE");
	} else {
		found_ok(f, VM_ASKED, NULL, NULL, "%u disk(s) on virtio-blk, %u on virtio-scsi%s",
			 blk, scsi, needs_scsi(s->vm) ? ", where SCSI is needed" : "");
	}
}

/* --- BLK-03 -------------------------------------------------------------------------------- */

static void passthrough_of(const struct disk *d)
{
	struct said kind = disk_said(d, VM_ASKED, "kind");
	struct finding *bad;

	if (strcmp(disk_bus(d), "virtio-scsi"))
		return;
	if (!kind.value || strcmp(kind.value, "lun")) {
		found_ok(d->f, VM_ASKED, d->part, kind.where, "scsi-hd%s",
			 kind.value ? "" : " (not said)");
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, kind.where,
			"SCSI commands are passed through to the host's device");
	finding_want(bad, "scsi-hd, unless the guest needs persistent reservations or the like");
	finding_change(bad, CHANGE_XML, "<disk device='disk'>");
	finding_change(bad, CHANGE_QEMU, "-device scsi-hd in place of scsi-block, scsi-generic");
}

static void check_passthrough(const struct subject *s, struct findings *f)
{
	disks_each(s, f, passthrough_of, "no disk is on virtio-scsi");
}

/* --- BLK-04 -------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The controllers of all disks on virtio-scsi, a number each, in order; caller frees. */
static uint64_t *controllers_of(const struct vm *vm, size_t *n)
{
	unsigned disks = vm_count(vm, "disk");
	uint64_t *list = NULL, c;

	*n = 0;
	for (unsigned i = 0; i < disks; i++) {
		if (!vm_is(vm, VM_ASKED, "virtio-scsi", "disk.%u.bus", i) ||
		    !vm_number(vm, VM_ASKED, &c, "disk.%u.controller", i))
			continue;
		list = xrealloc(list, *n + 1, sizeof(*list));
		list[(*n)++] = c;
	}
	if (list)
		qsort(list, *n, sizeof(*list), compare_numbers);
	return list;
}

static void controller_judge(const struct subject *s, struct findings *f, uint64_t c, size_t on)
{
	bool mapped = vm_get(s->vm, VM_ASKED, "controller.%" PRIu64 ".iothread-mapping", c);
	struct finding *bad;
	char part[48];

	snprintf(part, sizeof(part), "controller scsi %" PRIu64, c);
	if (on == 1 || mapped) {
		found_ok(f, VM_ASKED, part, NULL, "%zu disk(s)%s", on,
			 mapped ? ", queues mapped to several iothreads" : "");
		return;
	}
	bad = found_bad(f, VM_ASKED, part, NULL, "%zu disks share it, and its one thread", on);
	finding_want(bad, "a controller with an iothread of its own for each busy disk");
	finding_change(bad, CHANGE_XML,
		       "<controller type='scsi' index='1' model='virtio-scsi'><driver "
		       "iothread='2'/></controller>, and <address type='drive' controller='1' "
		       ".../> in the disk");
	finding_change(bad, CHANGE_QEMU,
		       "-device virtio-scsi-pci,id=s1,iothread=io1 -device "
		       "scsi-hd,bus=s1.0,drive=NODE");
}

static void check_controllers(const struct subject *s, struct findings *f)
{
	uint64_t *list;
	size_t n;

	if (!need_vm(s, f))
		return;
	list = controllers_of(s->vm, &n);
	for (size_t i = 0, next; i < n; i = next) {
		for (next = i + 1; next < n && list[next] == list[i];)
			next++;
		controller_judge(s, f, list[i], next - i);
	}
	if (!n)
		found_none(f, "no disk is on a virtio-scsi controller");
	free(list);
}

/* --- BLK-05 -------------------------------------------------------------------------------- */

static void iothread_of(const struct disk *d)
{
	struct said t = ring_said(d, VM_ASKED, "iothread");
	unsigned mapped = disk_mapping(d);
	struct finding *bad;

	if (!disk_is_virtio(d) || disk_is(d, VM_ASKED, "ioeventfd", "off"))
		return; /* others cannot have one; without ioeventfd QEMU refuses it (BLK-15) */
	if (mapped) {
		found_ok(d->f, VM_ASKED, d->part, ring_said(d, VM_ASKED, "iothread-mapping").where,
			 "%u iothreads share its queues", mapped);
		return;
	}
	if (t.value) {
		found_ok(d->f, VM_ASKED, d->part, t.where, "iothread %s", t.value);
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, NULL, "no iothread: QEMU's main loop serves it");
	finding_want(bad, "an iothread");
	finding_change(bad, CHANGE_XML, "%s%s",
		       vm_count(d->vm, "iothread") ? "" : "<iothreads>1</iothreads>; ",
		       !strcmp(disk_bus(d), "virtio-scsi")
			       ? "<driver iothread='1'/> in the controller"
			       : "<driver ... iothread='1'/> in the disk");
	finding_change(bad, CHANGE_QEMU, "-object iothread,id=io0 -device %s,iothread=io0",
		       !strcmp(disk_bus(d), "virtio-scsi") ? "virtio-scsi-pci"
							   : "virtio-blk-pci,...");
}

static void check_iothread(const struct subject *s, struct findings *f)
{
	disks_each(s, f, iothread_of, "no disk is on a bus that takes iothreads");
}

/* --- BLK-06 -------------------------------------------------------------------------------- */

static unsigned iothreads_of(const struct vm *vm)
{
	uint64_t n;

	if (vm_number(vm, VM_ASKED, &n, "iothreads"))
		return n < 65536 ? (unsigned)n : 65536;
	return vm_count(vm, "iothread");
}

/* Threads that the disks can keep busy: one a disk, or as many as its queues are mapped to. */
static unsigned iothreads_used(const struct vm *vm, const struct subject *s)
{
	unsigned n = vm_count(vm, "disk"), used = 0;

	for (unsigned i = 0; i < n; i++) {
		struct disk d = {.s = s, .vm = vm, .i = i};
		unsigned mapped = disk_mapping(&d);

		if (disk_is_virtio(&d))
			used += mapped ? mapped : 1;
	}
	return used;
}

static void check_iothread_count(const struct subject *s, struct findings *f)
{
	unsigned have, use, cpus;
	struct finding *bad = NULL;

	if (!need_vm(s, f))
		return;
	have = iothreads_of(s->vm);
	use = iothreads_used(s->vm, s);
	cpus = s->here ? host_threads(s) : 0;
	if (!have) {
		found_none(f, "no iothread");
		return;
	}
	if (have > use) {
		bad = found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "iothreads"),
				"%u iothreads, %u of them can have work", have, use);
		finding_want(bad, "at most %u: one a virtio disk, or as many as queues are mapped",
			     use);
	} else if (cpus && have > 2 * cpus) {
		bad = found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "iothreads"),
				"%u iothreads on %u host CPUs", have, cpus);
		finding_want(bad, "at most %u: two a host CPU, and rather fewer", 2 * cpus);
		use = 2 * cpus;
	}
	if (!bad) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "iothreads"),
			 "%u iothread(s)", have);
		return;
	}
	finding_change(bad, CHANGE_XML, "<iothreads>%u</iothreads>", use);
	finding_change(bad, CHANGE_QEMU, "fewer -object iothread");
}

/* --- BLK-07 -------------------------------------------------------------------------------- */

static void mapping_of(const struct disk *d)
{
	bool scsi = !strcmp(disk_bus(d), "virtio-scsi");
	unsigned cpus = vcpus_of(d->vm), mapped = disk_mapping(d);
	int old = qemu_older(d->vm, scsi ? 10 : 9, 0);
	struct finding *bad;

	if (!disk_is_virtio(d))
		return;
	if (mapped) {
		found_ok(d->f, VM_ASKED, d->part, ring_said(d, VM_ASKED, "iothread-mapping").where,
			 "%u iothreads share its queues", mapped);
	} else if (!cpus || cpus <= 4) {
		return;
	} else if (old == 1) {
		found_none(d->f, "%s: QEMU before %s cannot map queues to iothreads", d->part,
			   scsi ? "10.0" : "9.0");
	} else if (old < 0) {
		found_unknown(d->f, VM_ASKED, d->part,
			      "%u vCPUs, one iothread at most; QEMU's version is not said, and it "
			      "takes %s or newer to map queues to several",
			      cpus, scsi ? "10.0" : "9.0");
	} else {
		bad = found_bad(d->f, VM_ASKED, d->part, NULL,
				"%u vCPUs, and one thread for all of its queues", cpus);
		finding_want(bad,
			     "its queues on 2 to 4 iothreads, if all vCPUs submit I/O: measure");
		finding_change(bad, CHANGE_XML,
			       "<driver queues='%u'><iothreads><iothread id='1'/><iothread "
			       "id='2'/></iothreads></driver>",
			       cpus);
		finding_change(bad, CHANGE_QEMU,
			       "-device '{\"driver\":\"%s\",\"iothread-vq-mapping\":"
			       "[{\"iothread\":\"io0\"},{\"iothread\":\"io1\"}],...}'",
			       scsi ? "virtio-scsi-pci" : "virtio-blk-pci");
	}
}

static void check_mapping(const struct subject *s, struct findings *f)
{
	disks_each(s, f, mapping_of, "no virtio disk of a machine with more than 4 vCPUs");
}

/* Native AIO for what is opened with O_DIRECT; QEMU refuses it else. */
static bool advise_aio(const struct subject *s, char *buf, size_t size)
{
	struct disk d = {.s = s, .vm = s->vm};

	if (!s->vm || !vm_count(s->vm, "disk"))
		return false;
	snprintf(buf, size, "%s", disk_direct(&d) ? "native" : "io_uring");
	return true;
}

/* clang-format off */
const struct rule_row rules_block[] = {
	{"BLK-01", RULE_SHOULD, "disk.bus", "virtio-blk", "virtio-scsi", NULL, check_bus},
	{"BLK-02", RULE_MAY, "disk.bus", "virtio-blk", "virtio-scsi", NULL, check_bus_choice},
	{"BLK-03", RULE_MAY, NULL, NULL, NULL, NULL, check_passthrough},
	{"BLK-04", RULE_SHOULD, "disk.controllers", "each", "shared", NULL, check_controllers},
	{"BLK-05", RULE_SHOULD, "disk.iothread", "on", "off", NULL, check_iothread},
	{"BLK-06", RULE_SHOULD, NULL, NULL, NULL, NULL, check_iothread_count},
	{"BLK-07", RULE_MAY, "disk.iothread-mapping", "queues", "disk", NULL, check_mapping},
	{"BLK-18", RULE_SHOULD, "disk.cache", "none", "writeback", NULL, blk_cache_none},
	{"BLK-19", RULE_SHOULD, NULL, NULL, NULL, NULL, blk_cache_through},
	{"BLK-20", RULE_MUST, NULL, NULL, NULL, NULL, blk_cache_unsafe},
	{"BLK-21", RULE_SHOULD, "disk.aio", NULL, "io_uring,threads", advise_aio, blk_aio},
	{"BLK-22", RULE_MAY, NULL, NULL, NULL, NULL, blk_aio_threads},
	{"BLK-23", RULE_SHOULD, NULL, NULL, NULL, NULL, blk_host_scheduler},
	{"BLK-24", RULE_SHOULD, "guest.scheduler", "none", "mq-deadline", NULL, blk_guest_scheduler},
	{"BLK-25", RULE_MAY, "disk.discard", "unmap", "ignore", NULL, blk_discard},
	{"BLK-26", RULE_MAY, "disk.detect-zeroes", "off", "unmap", NULL, blk_detect_zeroes},
	{"BLK-27", RULE_SHOULD, NULL, NULL, NULL, NULL, blk_throttle},
	{"BLK-28", RULE_SHOULD, NULL, NULL, NULL, NULL, blk_weight},
	{"BLK-29", RULE_MAY, NULL, NULL, NULL, NULL, blk_block_size},
	{"BLK-30", RULE_MUST, NULL, NULL, NULL, NULL, blk_flush},
	{"BLK-31", RULE_MAY, NULL, NULL, NULL, NULL, blk_device},
	{"BLK-32", RULE_SHOULD, NULL, NULL, NULL, NULL, blk_filesystem},
	{"BLK-33", RULE_SHOULD, NULL, NULL, NULL, NULL, blk_nfs},
	{"BLK-34", RULE_MAY, NULL, NULL, NULL, NULL, blk_batch},
	{"BLK-35", RULE_MAY, NULL, NULL, NULL, NULL, blk_bypass},
	{"BLK-36", RULE_MAY, NULL, NULL, NULL, NULL, blk_readahead},
	{NULL},
};
/* clang-format on */
