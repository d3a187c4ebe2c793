// SPDX-License-Identifier: GPL-2.0-or-later
/* libvirt's disks and SCSI controllers as facts. */
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "vm/xml.h"

/* <driver iothread=> and <driver><iothreads>, of a disk or a controller: key is "disk" or
 * "controller". */
static void take_iothreads(const struct el *driver, const char *key, unsigned n)
{
	struct el threads = el_child(driver, "iothreads"), it = {0};
	char list[1024] = "";
	size_t len = 0;

	el_take(driver, "iothread", "%s.%u.iothread", key, n);
	while (it.at < XML_IOTHREADS && el_each(&threads, "iothread", &it)) {
		const char *id = el_attr(&it, "id");

		if (!id || !*id || strpbrk(id, ", \t\n") || len + strlen(id) + 2 > sizeof(list))
			continue;
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", len ? "," : "", id);
	}
	el_fact(&threads, NULL, list, "%s.%u.iothread-mapping", key, n);
}

/* --- controllers ---------------------------------------------------------------------------------
 */

static void read_controller(const struct el *c, uint64_t index)
{
	struct xml *x = c->x;
	struct el driver = el_child(c, "driver");
	unsigned n;

	if (x->ncontrollers == XML_CONTROLLERS) {
		el_note(c, "more than %d SCSI controllers; this one is left aside",
			XML_CONTROLLERS);
		return;
	}
	n = x->ncontrollers++;
	x->controllers[n] = (unsigned)index;
	/* counted by the fact that is always there */
	take_iothreads(&driver, "controller", n);
	el_take_number(&driver, "queues", "controller.%u.queues", n);
	el_take_number(&driver, "queue_size", "controller.%u.queue-size", n);
	el_take_on(&driver, "packed", "controller.%u.packed", n);
	el_take_on(&driver, "ioeventfd", "controller.%u.ioeventfd", n);
}

static bool is_virtio(const char *model)
{
	return model && !strncmp(model, "virtio-", 7); /* -scsi, -transitional, -non-transitional */
}

static void read_controllers(const struct el *devices)
{
	struct xml *x = devices->x;
	struct el it = {0};
	uint64_t next = 0, index;

	while (el_each(devices, "controller", &it)) {
		if (!el_is(&it, "type", "scsi"))
			continue;
		index = next;
		el_number(&it, "index", &index);
		next = index + 1;
		if (is_virtio(el_attr(&it, "model")))
			read_controller(&it, index);
		else if (x->nothers < XML_CONTROLLERS)
			x->others[x->nothers++] = (unsigned)index;
	}
}

/* # of the virtio-scsi controller that a disk's address names; -1: it is another's, or unknown. */
static int controller_of(const struct el *disk, const char *dev)
{
	struct xml *x = disk->x;
	struct el address = el_child(disk, "address");
	uint64_t index = 0;

	/* Without an address libvirt takes seven disks for each controller, by their names. */
	if (!el_number(&address, "controller", &index) && dev && !strncmp(dev, "sd", 2) && dev[2]) {
		uint64_t at = 0;

		for (const char *p = dev + 2; *p >= 'a' && *p <= 'z' && at < 1u << 20; p++)
			at = at * 26 + (uint64_t)(*p - 'a' + 1);
		index = at ? (at - 1) / 7 : 0;
	}
	for (unsigned i = 0; i < x->ncontrollers; i++)
		if (x->controllers[i] == index)
			return (int)i;
	return -1;
}

/* --- disks ---------------------------------------------------------------------------------------
 */

static void read_bus(const struct el *disk, unsigned n)
{
	static const char *const prefixes[][2] = {
		{"vd", "virtio"}, {"sd", "scsi"}, {"hd", "ide"}, {"nvme", "nvme"}};
	struct el target = el_child(disk, "target");
	const char *bus = el_attr(&target, "bus"), *dev = el_attr(&target, "dev"), *is = NULL;
	bool vhost = el_is(disk, "type", "vhostuser") || el_is(disk, "type", "vhostvdpa");
	int controller;

	for (size_t i = 0; !bus && dev && i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(dev, prefixes[i][0], strlen(prefixes[i][0])))
			bus = prefixes[i][1];
	el_fact(&target, "dev", dev, "disk.%u.name", n);
	if (!bus)
		return;
	if (!strcmp(bus, "virtio")) {
		is = vhost ? "vhost-user-blk" : "virtio-blk";
	} else if (!strcmp(bus, "scsi")) {
		controller = controller_of(disk, dev);
		is = controller >= 0 ? "virtio-scsi" : "scsi";
		if (controller >= 0)
			el_fact_number(&target, "bus", (uint64_t)controller, "disk.%u.controller",
				       n);
	} else if (!strcmp(bus, "ide") || !strcmp(bus, "sata") || !strcmp(bus, "usb") ||
		   !strcmp(bus, "sd") || !strcmp(bus, "nvme")) {
		is = bus;
	} else {
		el_note(&target, "the bus \"%.40s\" is not known", bus);
	}
	el_fact(&target, "bus", is, "disk.%u.bus", n);
}

static const char *transport_of(const char *type, const char *protocol)
{
	static const char *const protocols[][2] = {
		{"nbd", "nbd"},		{"rbd", "rbd"},	  {"iscsi", "iscsi"}, {"nfs", "nfs"},
		{"gluster", "gluster"}, {"http", "http"}, {"https", "http"}};

	if (!strcmp(type, "file") || !strcmp(type, "block") || !strcmp(type, "volume") ||
	    !strcmp(type, "nvme"))
		return type;
	if (!strcmp(type, "vhostuser"))
		return "vhost-user";
	for (size_t i = 0;
	     protocol && !strcmp(type, "network") && i < sizeof(protocols) / sizeof(protocols[0]);
	     i++)
		if (!strcmp(protocol, protocols[i][0]))
			return protocols[i][1];
	return "other";
}

static void read_source(const struct el *disk, unsigned n)
{
	static const char *const attrs[] = {"file", "dev", "dir", "name", "path"};
	struct el source = el_child(disk, "source");
	const char *type = el_attr(disk, "type"), *pool = el_attr(&source, "pool"),
		   *volume = el_attr(&source, "volume");

	if (!type)
		type = "file";
	el_fact(disk, "type", transport_of(type, el_attr(&source, "protocol")), "disk.%u.transport",
		n);
	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		if (el_attr(&source, attrs[i])) {
			el_take(&source, attrs[i], "disk.%u.source", n);
			return;
		}
	}
	if (pool && volume) {
		char *text = xasprintf("%s/%s", pool, volume);

		el_fact(&source, "volume", text, "disk.%u.source", n);
		free(text);
	}
}

static void read_driver(const struct el *disk, unsigned n)
{
	struct el d = el_child(disk, "driver"), l2 = el_down(&d, "metadata_cache/max_size");

	el_take(&d, "type", "disk.%u.format", n);
	el_take(&d, "cache", "disk.%u.cache", n);
	el_take(&d, "io", "disk.%u.aio", n);
	el_take(&d, "discard", "disk.%u.discard", n);
	el_take(&d, "detect_zeroes", "disk.%u.detect-zeroes", n);
	el_take(&d, "error_policy", "disk.%u.error-policy", n);
	el_take_number(&d, "queues", "disk.%u.queues", n);
	el_take_number(&d, "queue_size", "disk.%u.queue-size", n);
	el_take_on(&d, "packed", "disk.%u.packed", n);
	el_take_on(&d, "event_idx", "disk.%u.event-idx", n);
	el_take_on(&d, "ioeventfd", "disk.%u.ioeventfd", n);
	take_iothreads(&d, "disk", n);
	/* its max_size is qcow2's cache-size, of which the L2 tables get what there is */
	if (l2.node && el_attr(&l2, "unit"))
		el_take_bytes(&l2, NULL, "disk.%u.l2-cache", n);
	else
		el_take_number(&l2, NULL, "disk.%u.l2-cache", n);
	if (el_is(&d, "copy_on_read", "on"))
		el_note(&d, "copy_on_read is on: reads write");
}

/* The total, or what reads and writes may take together. */
static void take_limit(const struct el *tune, const char *what, const char *key, unsigned n)
{
	static const char *const kinds[] = {"total", "read", "write"};
	uint64_t sum = 0, bound;
	struct el at = {0};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char name[48];
		struct el e;

		snprintf(name, sizeof(name), "%s_%s_sec", kinds[i], what);
		e = el_child(tune, name);
		if (!el_number(&e, NULL, &bound))
			continue;
		at = at.node ? *tune : e;
		sum = __builtin_add_overflow(sum, bound, &sum) ? UINT64_MAX : sum;
		if (i)
			el_note(&e, "a limit of its own for this direction; the sum is taken");
	}
	if (at.node)
		el_fact_number(&at, NULL, sum, "disk.%u.%s", n, key);
}

/* Images below this one, where the description follows the chain to its end. */
static void read_backing(const struct el *disk, unsigned n)
{
	struct el b = el_child(disk, "backingStore"), first = b;
	unsigned depth = 0;

	if (!b.node)
		return;
	while (b.node && el_child(&b, "source").node && depth < 200) {
		depth++;
		b = el_child(&b, "backingStore");
	}
	el_fact_number(&first, NULL, depth, "disk.%u.backing", n);
}

/* <blkiotune>: the device's own weight, else the machine's. */
static void read_weight(const struct el *domain, unsigned n)
{
	struct el tune = el_child(domain, "blkiotune"), all = el_child(&tune, "weight"), it = {0};
	const char *source = vm_get(domain->x->vm, VM_ASKED, "disk.%u.source", n);

	el_take_number(&all, NULL, "disk.%u.weight", n);
	while (source && it.at < 64 && el_each(&tune, "device", &it)) {
		struct el path = el_child(&it, "path"), weight = el_child(&it, "weight");

		if (el_text(&path) && !strcmp(el_text(&path), source))
			el_take_number(&weight, NULL, "disk.%u.weight", n);
	}
}

/* What a disk has from its controller. */
static void inherit(const struct el *disk, unsigned n)
{
	struct vm *vm = disk->x->vm;
	const char *thread;
	uint64_t c;

	if (!vm_number(vm, VM_ASKED, &c, "disk.%u.controller", n))
		return;
	thread = vm_get(vm, VM_ASKED, "controller.%u.iothread", (unsigned)c);
	if (thread)
		vm_set(vm, VM_ASKED, thread,
		       vm_where(vm, VM_ASKED, "controller.%u.iothread", (unsigned)c),
		       "disk.%u.iothread", n);
	thread = vm_get(vm, VM_ASKED, "controller.%u.iothread-mapping", (unsigned)c);
	if (thread)
		vm_set(vm, VM_ASKED, thread,
		       vm_where(vm, VM_ASKED, "controller.%u.iothread-mapping", (unsigned)c),
		       "disk.%u.iothread-mapping", n);
}

static void read_disk(const struct el *domain, const struct el *disk, unsigned n)
{
	struct el block = el_child(disk, "blockio"), tune = el_child(disk, "iotune"),
		  serial = el_child(disk, "serial"), readonly = el_child(disk, "readonly"),
		  share = el_child(disk, "shareable"), crypt = el_child(disk, "encryption"),
		  inner = el_down(disk, "source/encryption"), mirror = el_child(disk, "mirror"),
		  transient = el_child(disk, "transient"), slots[] = {readonly, share};
	static const char *const flags[] = {"readonly", "shareable"};

	read_bus(disk, n);
	el_fact(disk, "device", el_is(disk, "device", "lun") ? "lun" : "disk", "disk.%u.kind", n);
	read_source(disk, n);
	read_driver(disk, n);
	el_take(&serial, NULL, "disk.%u.serial", n);
	for (size_t i = 0; i < 2; i++)
		if (slots[i].node)
			el_fact_flag(&slots[i], NULL, true, "disk.%u.%s", n, flags[i]);
	el_take_number(&block, "logical_block_size", "disk.%u.logical-block", n);
	el_take_number(&block, "physical_block_size", "disk.%u.physical-block", n);
	take_limit(&tune, "iops", "iops-limit", n);
	take_limit(&tune, "bytes", "bps-limit", n);
	if (crypt.node || inner.node)
		el_fact_flag(crypt.node ? &crypt : &inner, NULL, true, "disk.%u.encrypted", n);
	read_backing(disk, n);
	read_weight(domain, n);
	inherit(disk, n);
	if (mirror.node)
		el_note(&mirror, "a block job is under way");
	if (transient.node)
		xml_stuck(&transient);
}

void xml_read_disks(const struct el *domain)
{
	struct el devices = el_child(domain, "devices"), it = {0};
	unsigned n = 0;

	read_controllers(&devices);
	while (el_each(&devices, "disk", &it)) {
		if (el_is(&it, "device", "cdrom") || el_is(&it, "device", "floppy"))
			continue;
		if (n == XML_DISKS) {
			el_note(&it, "more than %d disks; the others are left aside", XML_DISKS);
			return;
		}
		read_disk(domain, &it, n++);
	}
}
