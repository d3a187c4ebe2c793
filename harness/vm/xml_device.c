// SPDX-License-Identifier: GPL-2.0-or-later
/* libvirt's other devices as facts: network, random numbers, agent, graphics, host devices. */
#include <string.h>
#include "vm/xml.h"

/* --- network -------------------------------------------------------------------------------------
 */

/* What a tap is served by: libvirt takes vhost-net for virtio under KVM unless told otherwise. */
static const char *tap_backend(const struct el *net, const struct el *driver, const char *model)
{
	const char *said = el_attr(driver, "name");

	if (said && (!strcmp(said, "vhost") || !strcmp(said, "qemu")))
		return strcmp(said, "vhost") ? "tap" : "vhost";
	return model && !strncmp(model, "virtio", 6) && vm_is(net->x->vm, VM_ASKED, "kvm", "accel")
		       ? "vhost"
		       : "tap";
}

static const char *net_backend(const struct el *net, const struct el *driver, const char *model)
{
	static const char *const types[][2] = {{"user", "user"},    {"vhostuser", "vhost-user"},
					       {"vdpa", "vdpa"},    {"hostdev", "passthrough"},
					       {"mcast", "other"},  {"server", "other"},
					       {"client", "other"}, {"udp", "other"},
					       {"null", "other"}};
	const char *type = el_attr(net, "type");

	for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(type, types[i][0]))
			return types[i][1];
	return type ? tap_backend(net, driver, model) : NULL;
}

static void read_net(const struct el *net, unsigned n)
{
	struct el m = el_child(net, "model"), driver = el_child(net, "driver"),
		  mtu = el_child(net, "mtu");
	const char *model = el_attr(&m, "type");

	if (model && !strncmp(model, "virtio", 6))
		el_fact(&m, "type", "virtio", "net.%u.model", n);
	else
		el_take(&m, "type", "net.%u.model", n);
	el_fact(net, "type", net_backend(net, &driver, model), "net.%u.backend", n);
	el_take_number(&driver, "queues", "net.%u.queues", n);
	el_take_number(&driver, "rx_queue_size", "net.%u.rx-queue-size", n);
	el_take_number(&driver, "tx_queue_size", "net.%u.tx-queue-size", n);
	el_take_number(&mtu, "size", "net.%u.mtu", n);
}

static void read_nets(const struct el *devices)
{
	struct el it = {0};
	unsigned n = 0;

	while (el_each(devices, "interface", &it)) {
		if (n == XML_NETS) {
			el_note(&it, "more than %d; the others are left aside", XML_NETS);
			return;
		}
		read_net(&it, n++);
	}
}

/* --- the rest ------------------------------------------------------------------------------------
 */

void xml_stuck(const struct el *e)
{
	if (!e->x->stuck.node)
		e->x->stuck = *e;
}

/* A flag for whether there is any of a kind; where: the device, or the list that has none. */
static void take_any(const struct el *devices, const char *name, const char *key)
{
	struct el e = el_child(devices, name);

	el_fact_flag(e.node ? &e : devices, NULL, e.node, "%s", key);
}

/* Their types, each once: "vnc,spice". */
static bool take_types(const struct el *devices, const char *name, const char *below,
		       const char *key)
{
	char list[256] = "";
	struct el it = {0}, first = {0};

	while (it.at < 64 && el_each(devices, name, &it)) {
		struct el m = *below ? el_child(&it, below) : it;
		const char *type = el_attr(&m, "type");
		size_t n = strlen(list);

		if (!type || !*type || strlen(type) > 32 || strpbrk(type, ", \t\n") ||
		    !strcmp(type, "none") || strstr(list, type) ||
		    n + strlen(type) + 2 > sizeof(list))
			continue;
		snprintf(list + n, sizeof(list) - n, "%s%s", n ? "," : "", type);
		if (!first.node)
			first = m;
	}
	el_fact(&first, "type", list, "%s", key);
	return *list;
}

static void read_agent(const struct el *devices)
{
	struct el it = {0}, target;

	while (el_each(devices, "channel", &it)) {
		target = el_child(&it, "target");
		if (el_is(&target, "name", "org.qemu.guest_agent.0")) {
			el_fact_flag(&target, "name", true, "agent");
			return;
		}
	}
	el_fact_flag(devices, NULL, false, "agent");
}

/* libvirt adds a USB controller where none is named, so its absence tells nothing. */
static void read_usb(const struct el *devices)
{
	struct el it = {0}, tablet = {0};
	bool found = false;

	while (el_each(devices, "controller", &it)) {
		if (!el_is(&it, "type", "usb"))
			continue;
		found = !el_is(&it, "model", "none");
		el_fact_flag(&it, found ? "type" : "model", found, "usb");
		if (found)
			break;
	}
	it = (struct el){0};
	while (!tablet.node && el_each(devices, "input", &it))
		if (el_is(&it, "type", "tablet") && !el_is(&it, "bus", "virtio"))
			tablet = it;
	el_fact_flag(tablet.node ? &tablet : devices, tablet.node ? "type" : NULL, tablet.node,
		     "usb.tablet");
}

/* PCI and mediated devices go by VFIO; interfaces of type hostdev, and network ones, too. */
static void read_hostdevs(const struct el *devices)
{
	struct el it = {0}, first = *devices;
	uint64_t n = 0;

	while (el_each(devices, "hostdev", &it)) {
		if (!el_is(&it, "type", "pci") && !el_is(&it, "type", "mdev")) {
			el_note(&it, "a device of the host of type %.20s is not looked at",
				el_attr(&it, "type") ? el_attr(&it, "type") : "unknown");
			continue;
		}
		if (!n++)
			first = it;
	}
	it = (struct el){0};
	while (el_each(devices, "interface", &it))
		if (el_is(&it, "type", "hostdev") && !n++)
			first = it;
	el_fact_number(&first, NULL, n, "hostdevs");
	if (n)
		xml_stuck(&first);
}

/* QEMU blocks migration while a file system of 9p is mounted. */
static void read_filesystems(const struct el *devices)
{
	struct el fs = el_child(devices, "filesystem"), dimm = el_child(devices, "memory"),
		  shmem = el_child(devices, "shmem");

	if (fs.node) {
		xml_stuck(&fs);
		el_note(&fs,
			"a folder of the host is shared: it may keep the machine from migrating");
	}
	if (dimm.node)
		el_note(&dimm, "memory devices are left aside");
	if (shmem.node)
		el_note(&shmem, "shared memory devices are left aside");
}

void xml_read_devices(const struct el *domain)
{
	struct el devices = el_child(domain, "devices"), emulator = el_child(&devices, "emulator");
	struct xml *x = domain->x;
	bool graphics, video;

	if (!devices.node)
		return;
	el_take(&emulator, NULL, "qemu.path");
	read_nets(&devices);
	take_any(&devices, "rng", "rng");
	take_any(&devices, "sound", "sound");
	take_any(&devices, "smartcard", "smartcard");
	take_any(&devices, "watchdog", "watchdog");
	take_any(&devices, "tpm", "tpm");
	read_agent(&devices);
	graphics = take_types(&devices, "graphics", "", "graphics");
	video = take_types(&devices, "video", "model", "video");
	el_fact_flag(&devices, NULL, !graphics && !video, "headless");
	read_usb(&devices);
	read_hostdevs(&devices);
	read_filesystems(&devices);
	/* QEMU refuses to migrate an invariant TSC whose rate it does not know */
	if (x->invtsc.node && !x->tsc_rate)
		xml_stuck(&x->invtsc);
	el_fact_flag(x->stuck.node ? &x->stuck : domain, NULL, !x->stuck.node, "migratable");
}
