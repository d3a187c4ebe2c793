/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disks and controllers of a machine as -blockdev and -device options. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"

struct text {
	char *text;
	size_t len;
	FILE *f;
};

static void begin(struct text *t, const char *first)
{
	*t = (struct text){0};
	t->f = open_memstream(&t->text, &t->len);
	if (!t->f)
		abort();
	fputs(first, t->f);
}

static void put(struct text *t, const char *key, const char *value)
{
	if (!value)
		return;
	fprintf(t->f, ",%s=", key);
	for (; *value; value++) {
		fputc(*value, t->f);
		if (*value == ',')
			fputc(',', t->f);
	}
}

/* The option is complete: onto the command line. */
static void end(struct text *t, FILE *out, const char *name)
{
	fclose(t->f);
	fprintf(out, " \\\n  -%s ", name);
	vm_put_word(out, t->text);
	free(t->text);
}

#define DISK(key) vm_get(vm, VM_ASKED, "disk.%u." key, i)

static bool is(const char *value, const char *what)
{
	return value && !strcmp(value, what);
}

/* Node names and ids: a letter, then letters, digits, "-._" [id_wellformed of QEMU's manual]. */
static void disk_id(const struct vm *vm, unsigned i, char *buf, size_t size)
{
	const char *name = DISK("name");
	bool good = name && isalpha((unsigned char)*name) && strlen(name) < 25 &&
		    !name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789-._")];

	for (unsigned k = 0; good && k < i; k++)
		good = !vm_is(vm, VM_ASKED, name, "disk.%u.name", k);
	if (good)
		snprintf(buf, size, "%s", name);
	else
		snprintf(buf, size, "disk%u", i);
}

/* --- below --- */

/* Which images can be named again from their transport and source alone. */
static bool is_nameable(const struct vm *vm, unsigned i)
{
	const char *transport = DISK("transport");

	return is(transport, "null") ||
	       (DISK("source") && (!transport || is(transport, "file") || is(transport, "nfs") ||
				   is(transport, "block") || is(transport, "rbd")));
}

static void cache_put(struct text *t, const char *cache)
{
	if (!cache)
		return;
	put(t, "cache.direct", is(cache, "none") || is(cache, "directsync") ? "on" : "off");
	if (is(cache, "unsafe"))
		put(t, "cache.no-flush", "on");
}

static void protocol_write(FILE *out, const struct vm *vm, unsigned i)
{
	const char *transport = DISK("transport"), *source = DISK("source");
	bool block = is(transport, "block"), rbd = is(transport, "rbd");
	bool null = is(transport, "null");
	struct text t;

	begin(&t, null ? "null-co" : rbd ? "rbd" : block ? "host_device" : "file");
	fprintf(t.f, ",node-name=disk%u-file", i);
	if (null) {
		put(&t, "size", "1G");
		put(&t, "read-zeroes", "on");
	} else if (rbd) {
		size_t pool = strcspn(source, "/");
		char *name = xasprintf("%.*s", (int)pool, source);

		put(&t, "pool", name);
		put(&t, "image", source[pool] ? source + pool + 1 : "");
		free(name);
	} else {
		/* A path with a colon in it must not be taken for a protocol. */
		put(&t, "filename", source);
		put(&t, "aio", DISK("aio"));
	}
	cache_put(&t, DISK("cache"));
	put(&t, "discard", DISK("discard"));
	if (is(DISK("readonly"), "on"))
		put(&t, "read-only", "on");
	end(&t, out, "blockdev");
}

static void format_write(FILE *out, const struct vm *vm, unsigned i)
{
	static const struct {
		const char *key, *option;
	} qcow2[] = {{"l2-cache", "l2-cache-size"},
		     {"l2-cache-entry", "l2-cache-entry-size"},
		     {"refcount-cache", "refcount-cache-size"},
		     {"cache-clean", "cache-clean-interval"},
		     {"overlap-check", "overlap-check"},
		     {"lazy-refcounts", "lazy-refcounts"}};
	const char *format = DISK("format");
	struct text t;

	begin(&t, format ? format : "raw");
	fprintf(t.f, ",node-name=disk%u-format,file=disk%u-file", i, i);
	cache_put(&t, DISK("cache"));
	put(&t, "discard", DISK("discard"));
	put(&t, "detect-zeroes", DISK("detect-zeroes"));
	put(&t, "read-only", DISK("readonly"));
	for (size_t k = 0; is(format, "qcow2") && k < sizeof(qcow2) / sizeof(qcow2[0]); k++)
		put(&t, qcow2[k].option, vm_get(vm, VM_ASKED, "disk.%u.%s", i, qcow2[k].key));
	end(&t, out, "blockdev");
}

static bool is_limited(const struct vm *vm, unsigned i)
{
	const char *iops = DISK("iops-limit"), *bps = DISK("bps-limit");

	return (iops && strcmp(iops, "0")) || (bps && strcmp(bps, "0"));
}

static void limits_write(FILE *out, const struct vm *vm, unsigned i)
{
	struct text t;

	begin(&t, "throttle-group");
	fprintf(t.f, ",id=limits%u", i);
	put(&t, "x-iops-total", DISK("iops-limit"));
	put(&t, "x-bps-total", DISK("bps-limit"));
	end(&t, out, "object");
	begin(&t, "throttle");
	fprintf(t.f, ",node-name=disk%u-limited,throttle-group=limits%u,file=disk%u-format", i, i,
		i);
	cache_put(&t, DISK("cache"));
	put(&t, "discard", DISK("discard"));
	put(&t, "detect-zeroes", DISK("detect-zeroes"));
	put(&t, "read-only", DISK("readonly"));
	end(&t, out, "blockdev");
}

/* --- the device --- */

static const struct {
	const char *bus, *disk, *lun;
} drivers[] = {{"virtio-blk", "virtio-blk-pci", NULL},
	       {"virtio-scsi", "scsi-hd", "scsi-block"},
	       {"scsi", "scsi-hd", "scsi-block"},
	       {"ide", "ide-hd", NULL},
	       {"sata", "ide-hd", NULL},
	       {"nvme", "nvme", NULL},
	       {"usb", "usb-storage", NULL},
	       {"vhost-user-blk", "vhost-user-blk-pci", NULL}};

static const char *driver_of(const char *bus, const char *kind)
{
	for (size_t i = 0; bus && i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (!strcmp(drivers[i].bus, bus))
			return is(kind, "lun") && drivers[i].lun ? drivers[i].lun : drivers[i].disk;
	return NULL;
}

static bool is_q35(const struct vm *vm)
{
	const char *machine = vm_get(vm, VM_ASKED, "machine");

	return machine && strstr(machine, "q35");
}

/* Which bus a disk is on, for those that need a controller named. */
static void bus_put(struct text *t, const struct vm *vm, unsigned i)
{
	const char *bus = DISK("bus"), *controller = DISK("controller");

	if (is(bus, "virtio-scsi"))
		fprintf(t->f, ",bus=vscsi%s.0", controller ? controller : "0");
	else if (is(bus, "scsi"))
		fputs(",bus=hba0.0", t->f);
	else if (is(bus, "usb"))
		fputs(",bus=disks-usb.0", t->f);
	else if (is(bus, "sata") && !is_q35(vm))
		fprintf(t->f, ",bus=ahci0.%u", i % 6);
}

static void ring_put(struct text *t, const struct vm *vm, unsigned i)
{
	const char *iothread = DISK("iothread");
	char id[128];

	if (iothread && is(DISK("bus"), "virtio-blk")) {
		write_qemu_iothread(vm, iothread, id, sizeof(id));
		put(t, "iothread", id);
	}
	put(t, "num-queues", DISK("queues"));
	put(t, "queue-size", DISK("queue-size"));
	put(t, "packed", DISK("packed"));
	put(t, "event_idx", DISK("event-idx"));
	put(t, "indirect_desc", DISK("indirect"));
	if (is(DISK("bus"), "virtio-blk")) {
		put(t, "ioeventfd", DISK("ioeventfd"));
		put(t, "seg-max-adjust", DISK("seg-max-adjust"));
	}
}

static void device_write(FILE *out, const struct vm *vm, unsigned i, const char *node)
{
	const char *bus = DISK("bus"), *kind = DISK("kind"), *cache = DISK("cache");
	const char *driver = driver_of(bus, kind), *serial = DISK("serial");
	char id[40];
	struct text t;

	disk_id(vm, i, id, sizeof(id));
	begin(&t, driver);
	put(&t, "id", id);
	put(&t, is(bus, "vhost-user-blk") ? "chardev" : "drive", node);
	bus_put(&t, vm, i);
	if (is(bus, "virtio-blk") || is(bus, "vhost-user-blk"))
		ring_put(&t, vm, i);
	if (is(bus, "nvme") && !serial)
		serial = id; /* which it must have */
	if (!is(kind, "lun") && !is(bus, "vhost-user-blk")) {
		put(&t, "serial", serial);
		put(&t, "logical_block_size", DISK("logical-block"));
		put(&t, "physical_block_size", DISK("physical-block"));
		if (cache)
			put(&t, "write-cache",
			    is(cache, "writethrough") || is(cache, "directsync") ? "off" : "on");
	}
	if (!is(bus, "vhost-user-blk"))
		put(&t, "share-rw", DISK("shareable"));
	if (!is(bus, "nvme") && !is(bus, "vhost-user-blk")) {
		const char *policy = DISK("error-policy");

		/* libvirt says "enospace", QEMU "enospc". */
		put(&t, "werror", is(policy, "enospace") ? "enospc" : policy);
	}
	end(&t, out, "device");
}

static void disk_write(FILE *out, const struct vm *vm, unsigned i)
{
	char node[32];

	if (!driver_of(DISK("bus"), DISK("kind")))
		return;
	if (is(DISK("bus"), "vhost-user-blk")) {
		struct text t;

		begin(&t, "socket");
		fprintf(t.f, ",id=vhost%u", i);
		put(&t, "path", DISK("source"));
		end(&t, out, "chardev");
		snprintf(node, sizeof(node), "vhost%u", i);
	} else {
		if (is_nameable(vm, i)) {
			protocol_write(out, vm, i);
			format_write(out, vm, i);
			if (is_limited(vm, i))
				limits_write(out, vm, i);
		}
		snprintf(node, sizeof(node), "disk%u-%s", i,
			 is_limited(vm, i) ? "limited" : "format");
	}
	device_write(out, vm, i, node);
}

/* --- controllers --- */

static void controller_write(FILE *out, const struct vm *vm, unsigned n)
{
	const char *iothread = vm_get(vm, VM_ASKED, "controller.%u.iothread", n);
	struct text t;
	char id[128];

	begin(&t, "virtio-scsi-pci");
	fprintf(t.f, ",id=vscsi%u", n);
	if (iothread) {
		write_qemu_iothread(vm, iothread, id, sizeof(id));
		put(&t, "iothread", id);
	}
	put(&t, "num_queues", vm_get(vm, VM_ASKED, "controller.%u.queues", n));
	put(&t, "virtqueue_size", vm_get(vm, VM_ASKED, "controller.%u.queue-size", n));
	put(&t, "packed", vm_get(vm, VM_ASKED, "controller.%u.packed", n));
	put(&t, "ioeventfd", vm_get(vm, VM_ASKED, "controller.%u.ioeventfd", n));
	end(&t, out, "device");
}

static bool has_bus(const struct vm *vm, unsigned n, const char *bus)
{
	for (unsigned i = 0; i < n; i++)
		if (is(DISK("bus"), bus))
			return true;
	return false;
}

static void controllers_write(FILE *out, const struct vm *vm, unsigned disks)
{
	unsigned n = vm_count(vm, "controller");
	uint64_t which;

	n = n < ARGV_MANY ? n : ARGV_MANY;
	/* A description that names disks alone still needs what they hang on. */
	for (unsigned i = 0; i < disks; i++)
		if (is(DISK("bus"), "virtio-scsi")) {
			if (!vm_number(vm, VM_ASKED, &which, "disk.%u.controller", i))
				which = 0;
			if (which >= n && which < ARGV_MANY)
				n = (unsigned)which + 1;
		}
	for (unsigned i = 0; i < n; i++)
		controller_write(out, vm, i);
	if (has_bus(vm, disks, "scsi"))
		fputs(" \\\n  -device lsi,id=hba0", out);
	if (has_bus(vm, disks, "usb"))
		fputs(" \\\n  -device qemu-xhci,id=disks-usb", out);
	if (has_bus(vm, disks, "sata") && !is_q35(vm))
		fputs(" \\\n  -device ahci,id=ahci0", out);
}

static unsigned disk_count(const struct vm *vm)
{
	unsigned n = vm_count(vm, "disk");

	return n < ARGV_MANY ? n : ARGV_MANY;
}

void write_qemu_disks(FILE *out, const struct vm *vm)
{
	unsigned n = disk_count(vm);

	controllers_write(out, vm, n);
	for (unsigned i = 0; i < n; i++)
		disk_write(out, vm, i);
}

static void note(FILE *out, const struct vm *vm, unsigned i, const char *text, const char *value)
{
	char id[40];

	disk_id(vm, i, id, sizeof(id));
	fprintf(out, "# %s: ", id);
	vm_put_comment(out, text);
	vm_put_comment(out, value ? value : "");
	fputc('\n', out);
}

void write_qemu_disk_notes(FILE *out, const struct vm *vm)
{
	for (unsigned i = 0; i < disk_count(vm); i++) {
		const char *bus = DISK("bus"), *controller = DISK("controller");
		const char *mapping = DISK("iothread-mapping");

		if (!bus)
			continue;
		if (!driver_of(bus, DISK("kind"))) {
			note(out, vm, i, "left out, there is no such disk to be plugged: ", bus);
			continue;
		}
		if (strcmp(bus, "vhost-user-blk") && !is_nameable(vm, i))
			note(out, vm, i,
			     "its image needs a -blockdev of its own, named as the device's drive=: ",
			     DISK("source") ? DISK("source") : DISK("transport"));
		if (mapping && !controller)
			note(out, vm, i, "iothread-vq-mapping (QEMU 9.0; -device as JSON) over ",
			     mapping);
		if (is(DISK("encrypted"), "on"))
			note(out, vm, i, "its key needs an -object secret", "");
		if (is(DISK("data-file"), "on"))
			note(out, vm, i, "its data file is found by the image's header", "");
		if (DISK("weight"))
			note(out, vm, i,
			     "weight of the block cgroup, which QEMU has no option for: ",
			     DISK("weight"));
	}
}
