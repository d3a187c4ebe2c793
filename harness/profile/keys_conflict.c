/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a cell cannot be: guests, buses, queues, threads and servers. Images: keys_image.c. */
#include <stdlib.h>
#include "profile/internal.h"
#include "profile/keys.h"

static bool has_extra(const struct cell *c, const char *key)
{
	for (size_t i = 0; i < c->nextras; i++)
		if (!strcmp(c->extras[i].key, key))
			return true;
	return false;
}

static bool is_default(const struct cell *c, enum key_id k)
{
	char *def = value_default(&profile_keys[k]);
	bool same = !c->val[k] || (def && !strcmp(def, c->val[k]));

	free(def);
	return same;
}

/* Keys that are options of QEMU's block layer, too: said one way or the other. */
static const char *said_twice(const struct cell *c)
{
	static const struct {
		enum key_id id;
		const char *option, *why;
	} both[] = {
		{K_DISCARD, "discard",
		 "disk.discard and disk.blockdev.discard say the same thing; keep one"},
		{K_DETECT_ZEROES, "detect-zeroes",
		 "disk.detect-zeroes and disk.blockdev.detect-zeroes say the same thing; keep one"},
		{K_L2_CACHE, "l2-cache-size",
		 "disk.l2-cache-size and disk.blockdev.l2-cache-size say the same thing; keep one"},
		{K_LAZY_REFCOUNTS, "lazy-refcounts",
		 "disk.lazy-refcounts and disk.blockdev.lazy-refcounts say the same thing; keep "
		 "one"},
	};

	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++)
		if (!is_default(c, both[i].id) && has_extra(c, both[i].option))
			return both[i].why;
	return NULL;
}

/* Options of QEMU's block layer where there is none; the site is a key of every cell. */
const char *conflict_site(const struct cell *c)
{
	if (c->nextras && !cell_in_qemu(c))
		return "blockdev.KEY goes to QEMU's block layer, which is not in this path; take it out";
	return said_twice(c);
}

const char *conflict_cpu(const struct cell *c)
{
	const char *cpu = c->val[K_CPU];

	if (cell_is(c, K_ACCEL, "tcg") && cpu &&
	    (!strcmp(cpu, "host") || !strncmp(cpu, "host,", 5)))
		return "cpu=host needs KVM; use cpu=auto or cpu=max";
	return NULL;
}

/* Is it that machine, with or without properties behind it? */
static bool machine_is(const struct cell *c, const char *name)
{
	const char *m = c->val[K_MACHINE];
	size_t n = strlen(name);

	return m && !strncmp(m, name, n) && (!m[n] || m[n] == ',');
}

/* What guests cannot have one each of. */
const char *conflict_guests(const struct cell *c)
{
	if (cell_counts_guests(c) && cell_on_device(c))
		return "a block device is one guest's disk; use guest.count=1 or another backend";
	return NULL;
}

const char *conflict_machine(const struct cell *c)
{
	bool mmio = cell_is(c, K_BUS, "virtio-mmio"), microvm = machine_is(c, "microvm");
	const char *m = c->val[K_MACHINE];

	if (microvm && !mmio)
		return "a microvm has no PCI; use bus=virtio-mmio, or guest.machine=q35";
	if (mmio && !microvm)
		return "bus=virtio-mmio needs guest.machine=microvm";
	if (machine_is(c, "pc") || !strncmp(m, "pc-i440fx", 9) || machine_is(c, "isapc"))
		return "this machine has no PCI Express, behind whose ports disks are plugged; use "
		       "guest.machine=q35";
	return NULL;
}

/* Linux' virtio_blk keeps at least one queue that is not polled: it would have fewer than asked. */
const char *conflict_pages(const struct cell *c)
{
	if (cell_is(c, K_PAGES, "2M") && cell_u64(c, K_MEMORY) % (2 * MIB))
		return "huge pages of 2M need a guest.memory that is a multiple of 2M";
	if (cell_is(c, K_PAGES, "1G") && cell_u64(c, K_MEMORY) % GIB)
		return "huge pages of 1G need a guest.memory that is a multiple of 1G";
	return NULL;
}

const char *conflict_poll_queues(const struct cell *c)
{
	uint64_t n = cell_u64(c, K_POLL_QUEUES);

	return n && n >= cell_u64(c, K_QUEUES)
		       ? "poll-queues are some of disk.queues, and at least one must be left; raise "
			 "disk.queues"
		       : NULL;
}

const char *conflict_bus(const struct cell *c)
{
	if (cell_is(c, K_BUS, "ide") && cell_u64(c, K_DISKS) > 4)
		return "IDE has two channels of two disks each; use count=4 or less, or bus=ahci";
	return NULL;
}

/* One server or one device is behind one disk. */
const char *conflict_count(const struct cell *c)
{
	if (cell_u64(c, K_DISKS) <= 1)
		return NULL;
	if (cell_uses_vhost(c))
		return "a vhost-user server has one disk; use count=1 or another backend";
	if (cell_uses_nbd(c))
		return "an NBD server has one disk; use count=1 or another backend";
	return cell_on_device(c) ? "a block device is one disk; use count=1" : NULL;
}

/* Its template cannot have a disk whose server is started for the trial. */
const char *conflict_slots(const struct cell *c)
{
	if (cell_is(c, K_SLOTS, "direct") && cell_uses_vhost(c))
		return "a vhost-user disk is hot-plugged, which the root bus does not take; use "
		       "slots=ports";
	/* QEMU's nvme device has no state that could be saved (its vmstate is "unmigratable") */
	if (cell_is(c, K_SLOTS, "direct") && cell_is(c, K_BUS, "nvme") &&
	    !cell_is(c, K_START, "boot"))
		return "an NVMe disk on the root bus would stand in the template, and QEMU can't "
		       "save one; use guest.start=boot or slots=ports";
	return NULL;
}

/* qemu-fio-facts: the guest takes no more queues than it has vCPUs, without a word. */
const char *conflict_queues(const struct cell *c)
{
	if (!cell_on_host(c) && cell_u64(c, K_QUEUES) > cell_u64(c, K_VCPUS))
		return "a guest uses no more queues than vCPUs; raise guest.vcpus or lower disk.queues";
	return NULL;
}

/* VIRTIO 1.2: 2.7 (split) wants a power of two, 2.8.10.1 (packed) does not; QEMU's devices and
 * libvhost-user stop at 1024. */
const char *conflict_queue_size(const struct cell *c)
{
	uint64_t n = cell_u64(c, K_QUEUE_SIZE);
	bool power = !(n & (n - 1));

	if (!cell_on_host(c) && (!power || n < 4 || n > 1024))
		return "QEMU takes queue-size as a power of two from 4 to 1024; others need "
		       "guest.site=host";
	if (cell_is(c, K_SERVER, "storage-daemon") && (!power || n > 1024))
		return "qemu-storage-daemon takes queue-size as a power of two up to 1024; others "
		       "need server=vbench or server=loop";
	if (!power && cell_is(c, K_RING, "split"))
		return "a split ring takes powers of two only; use ring=packed or another queue-size";
	return NULL;
}

/* Seen with QEMU 7.2, and none of its versions up to now has it: a guest would get a split ring
 * without a word, and fio's driver an error in every trial. */
const char *conflict_ring(const struct cell *c)
{
	if (cell_is(c, K_RING, "packed") && cell_is(c, K_SERVER, "storage-daemon"))
		return "qemu-storage-daemon offers no packed ring; use disk.server=vbench or "
		       "disk.ring=split";
	return NULL;
}

/* How many devices of the cell want an iothread. */
static uint64_t takers(const struct cell *c)
{
	bool shared = cell_is(c, K_BUS, "virtio-scsi") && cell_is(c, K_CONTROLLERS, "shared");
	uint64_t n = cell_u64(c, K_DISKS);

	return shared || !n ? 1 : n;
}

/* Threads that nothing runs in would be told as if they took part. */
const char *conflict_iothreads(const struct cell *c)
{
	uint64_t n = cell_u64(c, K_IOTHREADS);

	if (cell_is(c, K_MAPPING, "queues")) {
		if (n > cell_u64(c, K_QUEUES))
			return "iothread-mapping=queues gives each iothread a queue at least; "
			       "lower iothreads or raise disk.queues";
		return NULL;
	}
	if (n > takers(c))
		return "there are more iothreads than disks (or virtio-scsi controllers) to have "
		       "one; lower iothreads or raise disk.count";
	return NULL;
}

const char *conflict_mapping(const struct cell *c)
{
	if (cell_is(c, K_MAPPING, "queues") && cell_is(c, K_IOTHREADS, "each"))
		return "iothread-mapping=queues needs a number of iothreads";
	return NULL;
}

/* QEMU: "ioeventfd is required for iothread" */
const char *conflict_ioeventfd(const struct cell *c)
{
	if (cell_is(c, K_IOEVENTFD, "off") && cell_on(c, K_IOTHREAD))
		return "an iothread is told of requests by an eventfd: ioeventfd=off needs "
		       "iothread=off";
	return NULL;
}

const char *conflict_backend(const struct cell *c)
{
	if (cell_uses_vring(c) && !cell_is(c, K_BACKEND, "vhost-user"))
		return "driver=vring needs backend=vhost-user";
	if (!cell_on_host(c) && cell_is(c, K_BACKEND, "vhost-user") &&
	    !cell_is(c, K_BUS, "virtio-blk"))
		return "backend=vhost-user is a virtio-blk disk to the guest; use bus=virtio-blk";
	return NULL;
}

const char *conflict_device(const struct cell *c)
{
	return cell_is(c, K_DEVICE, "none") ? "backend=block needs disk.device = /dev/..." : NULL;
}

const char *conflict_server(const struct cell *c)
{
	if (cell_is(c, K_SERVER, "loop") && !cell_on_host(c))
		return "server=loop is a thread of fio on the host; use guest.site=host";
	return NULL;
}

const char *conflict_serves(const struct cell *c)
{
	if (cell_is(c, K_SERVES, "memory") && cell_is(c, K_SERVER, "storage-daemon"))
		return "qemu-storage-daemon serves no memory; use serves=null or server=vbench";
	return NULL;
}

const char *conflict_server_wait(const struct cell *c)
{
	if (cell_is(c, K_SERVER_WAIT, "poll") && cell_is(c, K_SERVER, "storage-daemon"))
		return "qemu-storage-daemon cannot poll without end; use server-wait=adaptive with "
		       "a long server-poll";
	return NULL;
}
