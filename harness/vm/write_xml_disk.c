// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts of disks as libvirt's XML, with the virtio-scsi controllers that they are on. */
#include <stdlib.h>
#include <string.h>
#include "vm/write_xml.h"

enum { CONTROLLERS = 1024 };

static bool is_bus(const struct told *t, unsigned n, const char *bus)
{
	return vm_is(t->vm, VM_ASKED, bus, "disk.%u.bus", n);
}

static unsigned controller_of(const struct told *t, unsigned n)
{
	uint64_t c;

	return vm_number(t->vm, VM_ASKED, &c, "disk.%u.controller", n) && c < CONTROLLERS
		       ? (unsigned)c
		       : 0;
}

/* --- controllers ---------------------------------------------------------------------------------
 */

/* Ends the tag of a <driver> with the iothreads that share the queues. */
static void put_mapping(struct told *t, const char *list)
{
	char id[64];

	fputs(">\n          <iothreads>\n", t->out);
	for (unsigned i = 0; told_word(list, i, id, sizeof(id)); i++)
		fprintf(t->out, "            <iothread id='%u'/>\n", xml_thread_number(t->vm, id));
	fputs("          </iothreads>\n", t->out);
}

static void put_thread(struct told *t, const char *id)
{
	if (id && xml_thread_number(t->vm, id))
		fprintf(t->out, " iothread='%u'", xml_thread_number(t->vm, id));
}

static void put_on(struct told *t, const char *name, int flag)
{
	if (flag >= 0)
		xml_put_attr(t->out, name, flag ? "on" : "off");
}

/* What its disks say of the thread, where the controller itself says nothing. */
static const char *of_disks(const struct told *t, unsigned c, const char *what)
{
	unsigned disks = vm_count(t->vm, "disk");

	for (unsigned i = 0; i < disks; i++)
		if (is_bus(t, i, "virtio-scsi") && controller_of(t, i) == c &&
		    vm_get(t->vm, VM_ASKED, "disk.%u.%s", i, what))
			return vm_get(t->vm, VM_ASKED, "disk.%u.%s", i, what);
	return NULL;
}

static void write_controller(struct told *t, unsigned c)
{
	const char *thread = told_get(t, "controller.%u.iothread", c),
		   *mapping = told_get(t, "controller.%u.iothread-mapping", c),
		   *queues = told_get(t, "controller.%u.queues", c),
		   *size = told_get(t, "controller.%u.queue-size", c);
	int packed = told_flag(t, "controller.%u.packed", c),
	    ioeventfd = told_flag(t, "controller.%u.ioeventfd", c);

	if (!thread)
		thread = of_disks(t, c, "iothread");
	if (!mapping)
		mapping = of_disks(t, c, "iothread-mapping");
	fprintf(t->out, "    <controller type='scsi' index='%u' model='virtio-scsi'", c);
	if (!thread && !mapping && !queues && !size && packed < 0 && ioeventfd < 0) {
		fputs("/>\n", t->out);
		return;
	}
	fputs(">\n      <driver", t->out);
	if (!mapping)
		put_thread(t, thread);
	xml_put_attr(t->out, "queues", queues);
	xml_put_attr(t->out, "queue_size", size);
	put_on(t, "packed", packed);
	put_on(t, "ioeventfd", ioeventfd);
	if (mapping) {
		put_mapping(t, mapping);
		fputs("      </driver>\n", t->out);
	} else {
		fputs("/>\n", t->out);
	}
	fputs("    </controller>\n", t->out);
}

/* Returns the index of a controller for SCSI disks that are not virtio's; it is written, too, when
 * there are any. */
static unsigned write_controllers(struct told *t)
{
	unsigned n = vm_count(t->vm, "controller"), disks = vm_count(t->vm, "disk");
	bool other = false;

	for (unsigned i = 0; i < disks; i++) {
		if (is_bus(t, i, "virtio-scsi") && controller_of(t, i) >= n)
			n = controller_of(t, i) + 1;
		other = other || is_bus(t, i, "scsi");
	}
	for (unsigned c = 0; c < n; c++)
		write_controller(t, c);
	if (other)
		fprintf(t->out, "    <controller type='scsi' index='%u' model='lsilogic'/>\n", n);
	return n;
}

/* --- disks ---------------------------------------------------------------------------------------
 */

static const char *libvirt_bus(const char *bus)
{
	static const char *const table[][2] = {
		{"virtio-blk", "virtio"}, {"vhost-user-blk", "virtio"},
		{"virtio-scsi", "scsi"},  {"scsi", "scsi"},
		{"sata", "sata"},	  {"ide", "ide"},
		{"usb", "usb"},		  {"sd", "sd"},
		{"nvme", "nvme"}};

	for (size_t i = 0; bus && i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(bus, table[i][0]))
			return table[i][1];
	return "virtio";
}

static const char *prefix_of(const char *bus)
{
	return !strcmp(bus, "virtio") ? "vd" : !strcmp(bus, "ide") ? "hd" : "sd";
}

/* Whether a disk's own name is one that libvirt takes for its bus. */
static bool name_fits(const struct told *t, unsigned n)
{
	const char *name = vm_get(t->vm, VM_ASKED, "disk.%u.name", n),
		   *prefix = prefix_of(libvirt_bus(vm_get(t->vm, VM_ASKED, "disk.%u.bus", n)));

	return name && !strncmp(name, prefix, 2) && name[2] && strlen(name) < 8 &&
	       !name[2 + strspn(name + 2, "abcdefghijklmnopqrstuvwxyz")];
}

/* "vda" .. "vdzz" of the how-manieth it is. */
static void make_name(char *buf, size_t size, const char *prefix, unsigned at)
{
	if (at < 26)
		snprintf(buf, size, "%s%c", prefix, 'a' + (int)at);
	else
		snprintf(buf, size, "%s%c%c", prefix, 'a' + (int)(at / 26 - 1) % 26,
			 'a' + (int)(at % 26));
}

/* The disk's own name, or, if any disk's will not do, one by count. */
static const char *target_name(struct told *t, unsigned n, bool own, char *buf, size_t size)
{
	const char *prefix = prefix_of(libvirt_bus(vm_get(t->vm, VM_ASKED, "disk.%u.bus", n)));
	unsigned at = 0;

	if (own)
		return told_get(t, "disk.%u.name", n);
	for (unsigned i = 0; i < n; i++)
		at += vm_get(t->vm, VM_ASKED, "disk.%u.bus", i) &&
		      prefix_of(libvirt_bus(vm_get(t->vm, VM_ASKED, "disk.%u.bus", i))) == prefix;
	make_name(buf, size, prefix, at);
	told_get(t, "disk.%u.name", n);
	return buf;
}

static const char *libvirt_type(const char *transport)
{
	static const char *const table[][2] = {{"file", "file"},
					       {"nfs", "file"},
					       {"other", "file"},
					       {"null", "file"},
					       {"block", "block"},
					       {"volume", "volume"},
					       {"vhost-user", "vhostuser"},
					       {"nvme", "nvme"},
					       {"nbd", "network"},
					       {"rbd", "network"},
					       {"iscsi", "network"},
					       {"gluster", "network"},
					       {"http", "network"}};

	for (size_t i = 0; transport && i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(transport, table[i][0]))
			return table[i][1];
	return "file";
}

static void write_source(struct told *t, unsigned n, const char *transport, const char *source)
{
	const char *type = libvirt_type(transport), *slash = source ? strrchr(source, '/') : NULL;

	if (!source) {
		if (!strcmp(type, "nvme"))
			xml_put_comment(t->out,
					"disk.%u: the PCI address of its source is to be added", n);
		return;
	}
	fputs("      <source", t->out);
	if (!strcmp(type, "network")) {
		xml_put_attr(t->out, "protocol", transport);
		xml_put_attr(t->out, "name", source);
	} else if (!strcmp(type, "volume") && slash) {
		char *pool = xasprintf("%.*s", (int)(slash - source), source);

		xml_put_attr(t->out, "pool", pool);
		xml_put_attr(t->out, "volume", slash + 1);
		free(pool);
	} else if (!strcmp(type, "vhostuser")) {
		fputs(" type='unix'", t->out);
		xml_put_attr(t->out, "path", source);
	} else {
		xml_put_attr(t->out, strcmp(type, "block") ? "file" : "dev", source);
	}
	fputs("/>\n", t->out);
	if (!strcmp(type, "network"))
		xml_put_comment(t->out, "disk.%u: <host> and <auth> of the source are to be added",
				n);
}

static void put_cache_size(struct told *t, const char *bytes)
{
	fprintf(t->out,
		"          <metadata_cache>\n            <max_size unit='bytes'>%s</max_size>\n"
		"          </metadata_cache>\n",
		bytes);
}

static void write_driver(struct told *t, unsigned n)
{
	static const char *const attrs[][2] = {{"type", "format"},
					       {"cache", "cache"},
					       {"io", "aio"},
					       {"discard", "discard"},
					       {"detect_zeroes", "detect-zeroes"},
					       {"error_policy", "error-policy"},
					       {"queues", "queues"},
					       {"queue_size", "queue-size"}};
	static const char *const flags[][2] = {
		{"packed", "packed"}, {"event_idx", "event-idx"}, {"ioeventfd", "ioeventfd"}};
	const char *thread = told_get(t, "disk.%u.iothread", n),
		   *mapping = told_get(t, "disk.%u.iothread-mapping", n),
		   *cache = told_get(t, "disk.%u.l2-cache", n);
	bool scsi = is_bus(t, n, "virtio-scsi"); /* its controller has the thread */

	fputs("      <driver name='qemu'", t->out);
	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++)
		xml_put_attr(t->out, attrs[i][0], told_get(t, "disk.%u.%s", n, attrs[i][1]));
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		put_on(t, flags[i][0], told_flag(t, "disk.%u.%s", n, flags[i][1]));
	mapping = scsi ? NULL : mapping;
	if (!scsi && !mapping)
		put_thread(t, thread);
	if (!mapping && !cache) {
		fputs("/>\n", t->out);
		return;
	}
	if (mapping)
		put_mapping(t, mapping);
	else
		fputs(">\n", t->out);
	if (cache)
		put_cache_size(t, cache);
	fputs("      </driver>\n", t->out);
}

static void write_limits(struct told *t, unsigned n)
{
	const char *iops = told_get(t, "disk.%u.iops-limit", n),
		   *bps = told_get(t, "disk.%u.bps-limit", n);

	if (!iops && !bps)
		return;
	fputs("      <iotune>\n", t->out);
	if (bps)
		fprintf(t->out, "        <total_bytes_sec>%s</total_bytes_sec>\n", bps);
	if (iops)
		fprintf(t->out, "        <total_iops_sec>%s</total_iops_sec>\n", iops);
	fputs("      </iotune>\n", t->out);
}

/* The place on its controller: of those before it on the same one. */
static void write_address(struct told *t, unsigned n, unsigned other)
{
	bool scsi = is_bus(t, n, "virtio-scsi");
	unsigned c = scsi ? controller_of(t, n) : other, unit = 0;

	told_get(t, "disk.%u.controller", n);
	if (!scsi && !is_bus(t, n, "scsi"))
		return;
	for (unsigned i = 0; i < n; i++)
		unit += is_bus(t, i, scsi ? "virtio-scsi" : "scsi") &&
			(!scsi || controller_of(t, i) == c);
	fprintf(t->out,
		"      <address type='drive' controller='%u' bus='0' target='0' unit='%u'/>\n", c,
		unit);
}

static void write_disk(struct told *t, unsigned n, bool own, unsigned other)
{
	const char *transport = told_get(t, "disk.%u.transport", n),
		   *source = told_get(t, "disk.%u.source", n),
		   *kind = told_get(t, "disk.%u.kind", n), *bus = told_get(t, "disk.%u.bus", n),
		   *serial = told_get(t, "disk.%u.serial", n),
		   *logical = told_get(t, "disk.%u.logical-block", n),
		   *physical = told_get(t, "disk.%u.physical-block", n),
		   *backing = told_get(t, "disk.%u.backing", n);
	char name[16];

	fprintf(t->out, "    <disk type='%s' device='%s'>\n", libvirt_type(transport),
		kind && !strcmp(kind, "lun") ? "lun" : "disk");
	write_driver(t, n);
	write_source(t, n, transport, source);
	if (backing && !strcmp(backing, "0"))
		fputs("      <backingStore/>\n", t->out);
	fputs("      <target", t->out);
	xml_put_attr(t->out, "dev", target_name(t, n, own, name, sizeof(name)));
	xml_put_attr(t->out, "bus", libvirt_bus(bus));
	fputs("/>\n", t->out);
	if (logical || physical) {
		fputs("      <blockio", t->out);
		xml_put_attr(t->out, "logical_block_size", logical);
		xml_put_attr(t->out, "physical_block_size", physical);
		fputs("/>\n", t->out);
	}
	write_limits(t, n);
	if (told_flag(t, "disk.%u.readonly", n) > 0)
		fputs("      <readonly/>\n", t->out);
	if (told_flag(t, "disk.%u.shareable", n) > 0)
		fputs("      <shareable/>\n", t->out);
	if (serial) {
		fputs("      <serial>", t->out);
		xml_put(t->out, serial);
		fputs("</serial>\n", t->out);
	}
	write_address(t, n, other);
	fputs("    </disk>\n", t->out);
}

void xml_write_disks(struct told *t)
{
	unsigned disks = vm_count(t->vm, "disk"), other = write_controllers(t);
	bool own = true;

	for (unsigned i = 0; i < disks; i++)
		own = own && (name_fits(t, i) || !vm_get(t->vm, VM_ASKED, "disk.%u.bus", i));
	for (unsigned i = 0; i < disks; i++)
		if (vm_get(t->vm, VM_ASKED, "disk.%u.bus", i))
			write_disk(t, i, own, other);
}
