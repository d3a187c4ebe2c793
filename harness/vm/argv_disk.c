/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disks and virtio-scsi controllers of a command line. */
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"

static const struct disk_driver {
	const char *name; /* without -pci, -ccw, ... */
	const char *bus;  /* NULL: its controller's */
	const char *kind;
} disk_drivers[] = {
	{"virtio-blk", "virtio-blk", "disk"},
	{"vhost-user-blk", "vhost-user-blk", "disk"},
	{"scsi-hd", NULL, "disk"},
	{"scsi-disk", NULL, "disk"},
	{"scsi-block", NULL, "lun"},
	{"scsi-generic", NULL, "lun"},
	{"ide-hd", NULL, "disk"},
	{"ide-drive", NULL, "disk"},
	{"nvme", "nvme", "disk"},
	{"nvme-ns", "nvme", "disk"},
	{"usb-storage", "usb", "disk"},
	{"sd-card", "sd", "disk"},
};

/* "virtio-blk-pci-non-transitional" is a virtio-blk: behind the name comes how it is attached. */
static bool is_driver(const char *driver, const char *name)
{
	static const char *const tails[] = {
		"", "-pci", "-ccw", "-device", "-pci-transitional", "-pci-non-transitional"};
	size_t len = strlen(name);

	if (strncmp(driver, name, len))
		return false;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
		if (!strcmp(driver + len, tails[i]))
			return true;
	return false;
}

/* Properties of an iothread mapping as one list of ids; NULL: none. New. */
static char *mapping_list(const struct argv_opt *o)
{
	char *list = NULL;

	for (unsigned i = 0; i < ARGV_MANY; i++) {
		const char *id = argv_get(o, "iothread-vq-mapping.%u.iothread", i);
		char *longer;

		if (!id)
			break;
		longer = xasprintf("%s%s%s", list ? list : "", list ? "," : "", id);
		free(list);
		list = longer;
	}
	return list;
}

static void mapping_take(struct argv_reader *r, const struct argv_opt *o, const char *what,
			 unsigned n)
{
	char *list = mapping_list(o);

	if (list)
		vm_set(r->vm, VM_ASKED, list, o->where, "%s.%u.iothread-mapping", what, n);
	free(list);
}

static const char *property(struct argv_reader *r, const struct argv_opt *o, const char *name,
			    const char **where)
{
	*where = o->where;
	return argv_property(r, o, name, where);
}

/* --- controllers --- */

static void controllers_take(struct argv_reader *r)
{
	const struct argv_opt *o = NULL;
	unsigned n = 0;

	while ((o = argv_next(r, "device", o)) && n < ARGV_MANY) {
		const char *driver = argv_get(o, "driver"), *value, *where;

		if (!driver || !is_driver(driver, "virtio-scsi"))
			continue;
		value = property(r, o, "iothread", &where);
		if (value)
			vm_set(r->vm, VM_ASKED, value, where, "controller.%u.iothread", n);
		mapping_take(r, o, "controller", n);
		value = property(r, o, "num_queues", &where);
		argv_set_number(r, value, where, "controller.%u.queues", n);
		value = property(r, o, "virtqueue_size", &where);
		argv_set_number(r, value, where, "controller.%u.queue-size", n);
		value = property(r, o, "packed", &where);
		argv_set_flag(r, value, where, "controller.%u.packed", n);
		value = property(r, o, "ioeventfd", &where);
		argv_set_flag(r, value ? value : "on", value ? where : "QEMU's default",
			      "controller.%u.ioeventfd", n);
		n++;
	}
}

/*
 * The device that a bus belongs to: "scsi0.0" is of id scsi0. *index: its number among virtio-scsi
 * controllers. Without bus=, the first that has SCSI disks.
 */
static const struct argv_opt *controller_of(struct argv_reader *r, const char *bus, unsigned *index)
{
	size_t len = bus ? strcspn(bus, ".") : 0;
	const struct argv_opt *o = NULL;
	unsigned n = 0;

	for (const char *p = bus; p && (p = strchr(p, '.')); p++)
		len = (size_t)(p - bus);
	while ((o = argv_next(r, "device", o))) {
		const char *driver = argv_get(o, "driver"), *id = argv_get(o, "id");
		bool virtio = driver && is_driver(driver, "virtio-scsi");

		r->steps += o->npairs;
		if (r->steps > ARGV_STEPS)
			return NULL;
		*index = n;
		if (bus ? id && strlen(id) == len && !strncmp(id, bus, len) : virtio)
			return o;
		n += virtio;
	}
	return NULL;
}

static bool driver_begins(const struct argv_opt *o, const char *with)
{
	const char *driver = o ? argv_get(o, "driver") : NULL;

	return driver && !strncmp(driver, with, strlen(with));
}

/* The bus of a disk whose driver leaves it open, and for virtio-scsi what its controller lends. */
static const char *bus_of(struct argv_reader *r, const struct argv_opt *o, unsigned disk)
{
	const char *bus = argv_get(o, "bus"), *value;
	unsigned index = 0;
	const struct argv_opt *c = controller_of(r, bus, &index);

	if (driver_begins(o, "ide")) {
		const char *driver = c ? argv_get(c, "driver") : NULL;
		bool ahci = bus && c ? driver && strstr(driver, "ahci") : r->q35;

		return ahci ? "sata" : "ide";
	}
	if (driver_begins(c, "usb"))
		return "usb";
	if (!driver_begins(c, "virtio-scsi"))
		return "scsi";
	vm_set_number(r->vm, VM_ASKED, index, o->where, "disk.%u.controller", disk);
	value = vm_get(r->vm, VM_ASKED, "controller.%u.iothread", index);
	if (value) {
		char *copy = xstrdup(value);

		vm_set(r->vm, VM_ASKED, copy, c->where, "disk.%u.iothread", disk);
		free(copy);
	}
	mapping_take(r, c, "disk", disk);
	if (index >= ARGV_MANY)
		argv_note(r, "%s: more controllers than are looked at", o->where);
	return "virtio-scsi";
}

/* --- what lies below --- */

/* One of QEMU's five words for what the four settings make; NULL: nothing was said. */
static const char *cache_word(struct argv_reader *r, const struct argv_block *b, int write_cache)
{
	int writeback = write_cache >= 0 ? write_cache : b->writeback;

	if (b->cache && write_cache < 0)
		return !strcmp(b->cache, "off") ? "none" : b->cache;
	if (b->cache) {
		/* The device's word on its write cache wins over the drive's. */
		bool direct = !strcmp(b->cache, "none") || !strcmp(b->cache, "off") ||
			      !strcmp(b->cache, "directsync");

		if (!strcmp(b->cache, "unsafe"))
			return b->cache;
		return direct	     ? write_cache ? "none" : "directsync"
		       : write_cache ? "writeback"
				     : "writethrough";
	}
	if (b->direct < 0 && b->no_flush < 0 && writeback < 0)
		return NULL;
	if (b->no_flush == 1) {
		if (b->direct == 1)
			argv_note(r, "%s: flushes are ignored (cache.no-flush)", b->where);
		return "unsafe";
	}
	if (b->direct == 1)
		return writeback ? "none" : "directsync";
	return writeback ? "writeback" : "writethrough";
}

static void set_tri(struct argv_reader *r, int value, const char *where, const char *key,
		    unsigned disk)
{
	if (value >= 0)
		vm_set_flag(r->vm, VM_ASKED, value, where, "disk.%u.%s", disk, key);
}

static void set_text(struct argv_reader *r, const char *value, const char *where, const char *key,
		     unsigned disk)
{
	if (value && *value)
		vm_set(r->vm, VM_ASKED, value, where, "disk.%u.%s", disk, key);
}

static void block_set(struct argv_reader *r, const struct argv_block *b, int write_cache,
		      unsigned disk)
{
	set_text(r, b->format, b->where, "format", disk);
	set_text(r, b->transport, b->where_protocol, "transport", disk);
	set_text(r, b->source, b->where_protocol, "source", disk);
	set_text(r, cache_word(r, b, write_cache), b->where_protocol, "cache", disk);
	set_text(r, b->aio, b->where_protocol, "aio", disk);
	set_text(r, b->discard, b->where, "discard", disk);
	set_text(r, b->detect_zeroes, b->where, "detect-zeroes", disk);
	set_text(r, b->serial, b->where, "serial", disk);
	set_text(r, b->werror, b->where, "error-policy", disk);
	set_text(r, b->overlap, b->where, "overlap-check", disk);
	set_tri(r, b->read_only, b->where, "readonly", disk);
	set_tri(r, b->lazy, b->where, "lazy-refcounts", disk);
	set_tri(r, b->data_file, b->where, "data-file", disk);
	set_tri(r, b->encrypted, b->where, "encrypted", disk);
	argv_set_size(r, b->l2_cache, 0, b->where, "disk.%u.l2-cache", disk);
	argv_set_size(r, b->l2_entry, 0, b->where, "disk.%u.l2-cache-entry", disk);
	argv_set_size(r, b->refcount_cache, 0, b->where, "disk.%u.refcount-cache", disk);
	argv_set_number(r, b->clean, b->where, "disk.%u.cache-clean", disk);
	argv_set_number(r, b->iops, b->where, "disk.%u.iops-limit", disk);
	argv_set_size(r, b->bps, 0, b->where, "disk.%u.bps-limit", disk);
	if (b->backing >= 0)
		vm_set_number(r->vm, VM_ASKED, (uint64_t)b->backing, b->where, "disk.%u.backing",
			      disk);
}

/* --- disks --- */

static void vhost_user_set(struct argv_reader *r, const struct argv_opt *o, unsigned disk)
{
	const char *id = argv_get(o, "chardev");
	const struct argv_opt *c = id ? argv_by_id(r, "chardev", "id", id) : NULL;

	vm_set(r->vm, VM_ASKED, "vhost-user", o->where, "disk.%u.transport", disk);
	if (c)
		set_text(r,
			 argv_get(c, "path") ? argv_get(c, "path") : argv_get(c, "addr.data.path"),
			 c->where, "source", disk);
}

static void device_set(struct argv_reader *r, const struct argv_opt *o, unsigned disk)
{
	static const struct {
		const char *property, *key;
	} flags[] = {{"packed", "packed"},	    {"event_idx", "event-idx"},
		     {"indirect_desc", "indirect"}, {"ioeventfd", "ioeventfd"},
		     {"share-rw", "shareable"},	    {"seg-max-adjust", "seg-max-adjust"}},
	  sizes[] = {{"logical_block_size", "logical-block"},
		     {"physical_block_size", "physical-block"}},
	  texts[] = {{"serial", "serial"}, {"werror", "error-policy"}, {"iothread", "iothread"}};
	const char *driver = argv_get(o, "driver"), *where, *value;
	bool ring = is_driver(driver, "virtio-blk") || is_driver(driver, "vhost-user-blk");

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		value = property(r, o, texts[i].property, &where);
		if (value && strcmp(value, "auto"))
			set_text(r, value, where, texts[i].key, disk);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		value = property(r, o, sizes[i].property, &where);
		argv_set_size(r, value, 0, where, "disk.%u.%s", disk, sizes[i].key);
	}
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		value = property(r, o, flags[i].property, &where);
		argv_set_flag(r, value, where, "disk.%u.%s", disk, flags[i].key);
	}
	if (!ring)
		return;
	mapping_take(r, o, "disk", disk);
	value = property(r, o, "num-queues", &where);
	/* 65535 is the number that means automatic. */
	if (value && strcmp(value, "65535") && strcmp(value, "auto"))
		argv_set_number(r, value, where, "disk.%u.queues", disk);
	value = property(r, o, "queue-size", &where);
	argv_set_number(r, value, where, "disk.%u.queue-size", disk);
}

static void device_disk(struct argv_reader *r, const struct argv_opt *o,
			const struct disk_driver *d)
{
	const char *node = argv_get(o, "drive"), *where, *name = argv_get(o, "id");
	struct argv_block b;
	unsigned disk = r->ndisks;
	bool below;

	/* nvme without a drive is a controller for nvme-ns. */
	if (!node && strcmp(d->bus ? d->bus : "", "vhost-user-blk"))
		return;
	below = node && argv_block_find(r, node, &b);
	if (below && argv_get(b.top, "media") && !strcmp(argv_get(b.top, "media"), "cdrom")) {
		argv_block_free(&b);
		return;
	}
	r->ndisks++;
	set_text(r, name ? name : node, o->where, "name", disk);
	vm_set(r->vm, VM_ASKED, d->kind, o->where, "disk.%u.kind", disk);
	vm_set(r->vm, VM_ASKED, d->bus ? d->bus : bus_of(r, o, disk), o->where, "disk.%u.bus",
	       disk);
	if (below) {
		block_set(r, &b, argv_bool(property(r, o, "write-cache", &where)), disk);
		argv_block_free(&b);
	} else if (node) {
		argv_note(r, "%s: there is no drive or node \"%.60s\"", o->where, node);
	} else {
		vhost_user_set(r, o, disk);
	}
	device_set(r, o, disk);
}

/* -drive if=...: a disk by itself, without a -device. */
static const char *drive_bus(const struct argv_reader *r, const struct argv_opt *o)
{
	const char *interface = argv_get(o, "if"), *media = argv_get(o, "media");
	const char *arch = vm_get(r->vm, VM_ASKED, "arch");
	bool ide = !arch || !strcmp(arch, "x86_64") || !strcmp(arch, "i386");

	if (media && !strcmp(media, "cdrom"))
		return NULL;
	if (!interface)
		interface = ide ? "ide" : "virtio";
	if (!strcmp(interface, "ide"))
		return r->q35 ? "sata" : "ide";
	if (!strcmp(interface, "virtio"))
		return "virtio-blk";
	if (!strcmp(interface, "scsi") || !strcmp(interface, "sd"))
		return interface;
	return NULL;
}

static void drive_disk(struct argv_reader *r, const struct argv_opt *o)
{
	const char *bus = drive_bus(r, o);
	unsigned disk = r->ndisks;
	struct argv_block b;

	if (!bus)
		return;
	r->ndisks++;
	set_text(r, argv_get(o, "id"), o->where, "name", disk);
	vm_set(r->vm, VM_ASKED, bus, o->where, "disk.%u.bus", disk);
	vm_set(r->vm, VM_ASKED, "disk", o->where, "disk.%u.kind", disk);
	argv_block_read(r, o, &b);
	block_set(r, &b, -1, disk);
	argv_block_free(&b);
}

/* -hda FILE, and the file that stands there without an option. */
static void hda_disk(struct argv_reader *r, const struct argv_opt *o)
{
	unsigned disk = r->ndisks;
	bool ide = !vm_get(r->vm, VM_ASKED, "arch") || vm_is(r->vm, VM_ASKED, "x86_64", "arch") ||
		   vm_is(r->vm, VM_ASKED, "i386", "arch");

	/* Two channels of two. More are words that were no options, not disks. */
	if (++r->nhda > 4) {
		argv_note(r, "\"%.60s\" is left aside: -hda to -hdd are four", o->text);
		return;
	}
	r->ndisks++;
	vm_set(r->vm, VM_ASKED,
	       !ide	? "virtio-blk"
	       : r->q35 ? "sata"
			: "ide",
	       o->where, "disk.%u.bus", disk);
	vm_set(r->vm, VM_ASKED, "disk", o->where, "disk.%u.kind", disk);
	set_text(r, o->text, o->where, "source", disk);
	set_text(r, argv_transport(o->text), o->where, "transport", disk);
}

void argv_disks(struct argv_reader *r)
{
	controllers_take(r);
	for (size_t i = 0; i < r->nopts; i++) {
		const struct argv_opt *o = &r->opts[i];
		const char *driver = argv_get(o, "driver");

		if (r->ndisks >= ARGV_MANY) {
			argv_note(r, "more than %d disks; the rest is left aside", ARGV_MANY);
			return;
		}
		if (!strcmp(o->name, "hda"))
			hda_disk(r, o);
		else if (!strcmp(o->name, "drive"))
			drive_disk(r, o);
		for (size_t d = 0; !strcmp(o->name, "device") && driver &&
				   d < sizeof(disk_drivers) / sizeof(disk_drivers[0]);
		     d++)
			if (is_driver(driver, disk_drivers[d].name)) {
				device_disk(r, o, &disk_drivers[d]);
				break;
			}
	}
}
