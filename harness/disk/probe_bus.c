/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the disks are attached: bus, number, controllers, PCI slots, iothreads, notification. */
#include <inttypes.h>
#include <string.h>
#include "base/units.h"
#include "disk/internal.h"

static const char *word_at(const struct evidence *ev, const char *path)
{
	return json_string_value(ev_get(ev, path));
}

/* The latest answer about the disk: one that was asked for and had no such thing says null. */
static const json_t *guest_disk(const struct evidence *ev)
{
	return ev_get(ev, "guest/disk");
}

/* virtio-blk and virtio-mmio have one driver in the guest; whether it is on PCI tells them apart.
 */
static bool on_wrong_side(const struct evidence *ev, const struct bus_row *bus)
{
	const json_t *pci = json_object_get(guest_disk(ev), "pci");

	return pci && json_is_null(pci) == bus->pci;
}

void probe_bus(const struct evidence *ev, struct asked_got *r)
{
	const struct bus_row *bus = bus_find(cell_get(ev->cell, K_BUS));
	const char *driver = word_at(ev, "guest/disk/driver");
	const char *transport = word_at(ev, "guest/disk/transport_driver");

	if (!driver || !bus)
		got_set(r, GOT_UNKNOWN, "guest", "the guest names no driver of the disk");
	else if (strcmp(driver, bus->driver) ||
		 strcmp(transport ? transport : "", bus->transport ? bus->transport : ""))
		got_set(r, GOT_DIFFER, "guest", "the guest drives it with %.40s%s%.40s", driver,
			transport ? " over " : "", transport ? transport : "");
	else if (on_wrong_side(ev, bus))
		got_set(r, GOT_DIFFER, "guest", "the guest drives it with %.40s, %s PCI", driver,
			bus->pci ? "not on" : "on");
	else
		got_set(r, GOT_MATCH, "guest", "%s", bus->name);
}

/* What is wrong with one of several disks, if anything: true, and r says it. */
static bool wrong_disk(const struct disk_plan *p, size_t i, const json_t *disk, struct asked_got *r)
{
	const char *serial = json_string_value(json_object_get(disk, "serial"));
	const json_t *size = json_object_get(disk, "size_bytes");
	char buf[32];

	if (!serial || strcmp(serial, p->units[i].serial))
		got_set(r, GOT_DIFFER, "guest", "in place of disk %s the guest shows %.40s",
			p->units[i].serial, serial ? serial : "one without a serial");
	else if (!json_is_integer(size) || (uint64_t)json_integer_value(size) != p->size)
		got_set(r, GOT_DIFFER, "guest", "disk %s has %s", serial,
			json_is_integer(size) && json_integer_value(size) >= 0
				? units_size_spell((uint64_t)json_integer_value(size), buf,
						   sizeof(buf))
				: "no size");
	else
		return false;
	return true;
}

/* Every disk, by its serial and with its size. */
void probe_count(const struct evidence *ev, struct asked_got *r)
{
	const struct disk_plan *p = ev->plan;
	const json_t *disks = ev_get(ev, "guest/disks"), *disk;
	size_t there = 0, missing = p->nunits, i;

	if (p->nunits == 1) {
		bool one = json_is_object(guest_disk(ev));

		got_set(r, one ? GOT_MATCH : GOT_UNKNOWN, "guest", "%s",
			one ? "1" : "the guest tells nothing of its disk");
		return;
	}
	if (!json_is_array(disks)) {
		got_set(r, GOT_UNKNOWN, "guest", "the guest does not list its disks");
		return;
	}
	for (i = 0; i < p->nunits; i++) {
		disk = json_array_get(disks, i);
		if (json_is_object(disk)) {
			there++;
			if (wrong_disk(p, i, disk, r))
				return;
		} else if (missing == p->nunits) {
			missing = i;
		}
	}
	if (missing < p->nunits)
		got_set(r, GOT_DIFFER, "guest", "%zu; %s is the first that is missing", there,
			p->units[missing].serial);
	else
		got_set(r, GOT_MATCH, "guest", "%zu", there);
}

/* PCI as QEMU shows it: a tree of buses, of which bridges lead to the next. */
#define PCI_DEPTH 4

/* Calls see for each device, until it returns false. */
static bool pci_walk(const json_t *devices, int depth,
		     bool (*see)(const json_t *device, const char *id, void *arg), void *arg)
{
	for (size_t i = 0; depth && i < json_array_size(devices); i++) {
		const json_t *d = json_array_get(devices, i);
		const char *id = json_string_value(json_object_get(d, "qdev_id"));

		if ((id && !see(d, id, arg)) ||
		    !pci_walk(json_at(d, "pci_bridge/devices"), depth - 1, see, arg))
			return false;
	}
	return true;
}

static bool pci_devices(const struct evidence *ev,
			bool (*see)(const json_t *device, const char *id, void *arg), void *arg)
{
	const json_t *buses = ev_get(ev, "qmp/query-pci");

	for (size_t i = 0; i < json_array_size(buses); i++)
		if (!pci_walk(json_object_get(json_array_get(buses, i), "devices"), PCI_DEPTH, see,
			      arg))
			break;
	return json_array_size(buses) > 0;
}

static bool count_scsi(const json_t *device, const char *id, void *arg)
{
	(void)device;
	*(unsigned *)arg += !strncmp(id, "vbscsi", 6);
	return true;
}

void probe_controllers(const struct evidence *ev, struct asked_got *r)
{
	const char *asked = cell_get(ev->cell, K_CONTROLLERS);
	unsigned n = 0, want = !strcmp(asked, "shared") ? 1 : disk_count(ev->cell);

	if (!pci_devices(ev, count_scsi, &n))
		got_set(r, GOT_UNKNOWN, "host", "QEMU does not list its PCI devices");
	else if (n != want)
		got_set(r, GOT_DIFFER, "host", "%u controller%s for %u disks", n, n == 1 ? "" : "s",
			disk_count(ev->cell));
	else
		got_set(r, GOT_MATCH, "host", "%s", asked);
}

/* What the disks' PCI devices, or their controllers, are found to have in common. */
struct slots {
	const char *prefix; /* of their ids: "vb" or "vbscsi" */
	size_t n;
	size_t direct;		  /* on the root bus itself */
	size_t functions;	  /* behind a port, but not function 0 */
	uint32_t buses[256 / 32]; /* on which there is one */
	size_t nbuses;
};

static bool see_slot(const json_t *device, const char *id, void *arg)
{
	struct slots *s = arg;
	json_int_t bus = json_integer_value(json_object_get(device, "bus"));
	size_t k = strlen(s->prefix);

	if (strncmp(id, s->prefix, k) || !id[k] || id[k + strspn(id + k, "0123456789")] ||
	    bus < 0 || bus > 255)
		return true;
	s->n++;
	if (!bus) {
		s->direct++;
		return true;
	}
	if (json_integer_value(json_object_get(device, "function")))
		s->functions++;
	if (!(s->buses[bus / 32] & 1u << bus % 32)) {
		s->buses[bus / 32] |= 1u << bus % 32;
		s->nbuses++;
	}
	return true;
}

void probe_slots(const struct evidence *ev, struct asked_got *r)
{
	const struct bus_row *bus = bus_find(cell_get(ev->cell, K_BUS));
	struct slots s = {.prefix = bus && bus->virtio_id ? bus->virtio_id : "vb"};
	const char *got = NULL;

	if (!pci_devices(ev, see_slot, &s) || !s.n) {
		got_set(r, GOT_UNKNOWN, "host",
			"QEMU does not list the disk among its PCI devices");
		return;
	}
	if (s.direct == s.n)
		got = "direct";
	else if (!s.direct && s.functions)
		got = s.nbuses == (s.n + 7) / 8 ? "multifunction" : NULL;
	else if (!s.direct && s.n == s.nbuses)
		got = "ports";
	if (got)
		compare_word(r, "host", cell_get(ev->cell, K_SLOTS), got, "");
	else
		got_set(r, GOT_DIFFER, "host",
			"%zu on the root bus, %zu behind %zu ports, %zu of these as functions 1 to 7",
			s.direct, s.n - s.direct, s.nbuses, s.functions);
}

/* The vbench iothreads in QEMU's list, "io0" up. other: how many have not this poll-max-ns. */
static bool iothreads_found(const struct evidence *ev, uint64_t poll, unsigned *n, uint64_t *other)
{
	const json_t *list = ev_get(ev, "qmp/query-iothreads"), *t;
	size_t i;

	*n = 0;
	*other = poll;
	json_array_foreach((json_t *)(uintptr_t)list, i, t)
	{
		const char *id = json_string_value(json_object_get(t, "id"));
		const json_t *max = json_object_get(t, "poll-max-ns");

		if (!id || strncmp(id, "io", 2))
			continue;
		++*n;
		if (!json_is_integer(max) || json_integer_value(max) < 0)
			return false;
		if ((uint64_t)json_integer_value(max) != poll)
			*other = (uint64_t)json_integer_value(max);
	}
	return json_is_array(list);
}

void probe_iothreads(const struct evidence *ev, struct asked_got *r)
{
	unsigned n, want = disk_iothreads(ev->cell);
	uint64_t other;

	if (!iothreads_found(ev, 0, &n, &other))
		got_set(r, GOT_UNKNOWN, "host", "QEMU does not list its iothreads");
	else if (n != want)
		got_set(r, GOT_DIFFER, "host", "%u iothread%s in place of %u", n, n == 1 ? "" : "s",
			want);
	else
		got_set(r, GOT_MATCH, "host", "%s", cell_get(ev->cell, K_IOTHREADS));
}

void probe_poll_max(const struct evidence *ev, struct asked_got *r)
{
	uint64_t asked = cell_u64(ev->cell, K_POLL_MAX), got;
	unsigned n;
	char buf[32];

	if (!iothreads_found(ev, asked, &n, &got) || !n)
		got_set(r, GOT_UNKNOWN, "host", "QEMU does not tell how long its iothreads poll");
	else
		got_set(r, got == asked ? GOT_MATCH : GOT_DIFFER, "host", "%s",
			units_time_spell(got, buf, sizeof(buf)));
}

/* QEMU's device either has one iothread or a list for its queues. */
void probe_mapping(const struct evidence *ev, struct asked_got *r)
{
	const char *one = word_at(ev, "qmp/device/iothread");
	size_t many = json_array_size(ev_get(ev, "qmp/device/iothread-vq-mapping"));
	bool queues = !strcmp(cell_get(ev->cell, K_MAPPING), "queues");

	if (many && queues && many != disk_iothreads(ev->cell))
		got_set(r, GOT_DIFFER, "host", "queues are dealt out to %zu iothreads, not %u",
			many, disk_iothreads(ev->cell));
	else
		compare_word(r, "host", queues ? "queues" : "disk",
			     many	   ? "queues"
			     : one && *one ? "disk"
					   : NULL,
			     "QEMU does not tell the device's iothread");
}

void probe_ioeventfd(const struct evidence *ev, struct asked_got *r)
{
	const json_t *v = ev_get(ev, "qmp/device/ioeventfd");

	compare_word(r, "host", cell_get(ev->cell, K_IOEVENTFD),
		     !json_is_boolean(v) ? NULL
		     : json_is_true(v)	 ? "on"
					 : "off",
		     "QEMU does not tell whether the device has an ioeventfd");
}

/* The driver takes fewer than its parameter says, where the disk has too few queues; then the
 * queue does not poll at all. */
void probe_poll_queues(const struct evidence *ev, struct asked_got *r)
{
	uint64_t asked = cell_u64(ev->cell, K_POLL_QUEUES);
	const json_t *polls = ev_get(ev, "guest/disk/io_poll");

	compare_number(ev, r, "guest/disk/poll_queues", "guest", asked,
		       "the guest's virtio_blk does not tell its poll queues");
	if (r->state != GOT_MATCH)
		return;
	if (asked && !json_is_integer(polls))
		got_set(r, GOT_UNKNOWN, "guest", "the guest does not tell whether the disk polls");
	else if (json_is_integer(polls) && !json_integer_value(polls) != !asked)
		got_set(r, GOT_DIFFER, "guest",
			"virtio_blk.poll_queues is %" PRIu64 ", but the disk's queue %s", asked,
			asked ? "does not poll" : "polls");
}
