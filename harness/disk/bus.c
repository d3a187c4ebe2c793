/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Buses: a row each. Whatever QEMU sets differently from bus to bus and is a key (ring, queues,
 * queue size, write cache) is written out on every one of them, so that a comparison varies its
 * axes and nothing else.
 */
#include <string.h>
#include "disk/internal.h"

#define FUNCTIONS 8  /* of a PCI slot */
#define AHCI_PORTS 6 /* of QEMU's ich9-ahci */

/* ata_piix and ahci serve bus=ide and bus=ahci, virtio_mmio a microvm. A kernel may lack some. */
const char *const disk_guest_modules[] = {
	"virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod", "nvme",
	"ata_piix",   "ahci",	    "virtio_mmio", NULL,
};

static const char *wce(const struct cell *c)
{
	return cell_cache(c)->write_cache ? "on" : "off";
}

static json_t *on_off(const struct cell *c, enum key_id k)
{
	return json_boolean(cell_on(c, k));
}

static json_t *number(const struct cell *c, enum key_id k)
{
	return json_integer((json_int_t)cell_u64(c, k));
}

unsigned disk_count(const struct cell *c)
{
	uint64_t n = cell_on_host(c) ? 1 : cell_u64(c, K_DISKS);

	return n ? (unsigned)n : 1;
}

/* Does a disk share its PCI device with all others? */
static bool shares_controller(const struct cell *c)
{
	return cell_is(c, K_BUS, "virtio-scsi") && !cell_is(c, K_CONTROLLERS, "each");
}

/* How many devices on PCI Express the disks are, or hang on. */
static unsigned pci_devices(const struct cell *c)
{
	return shares_controller(c) ? 1 : disk_count(c);
}

unsigned disk_root_ports(const struct cell *c)
{
	unsigned n = pci_devices(c);

	if (cell_on_host(c) || cell_is(c, K_BUS, "virtio-mmio"))
		return 0;
	if (!cell_get(c, K_SLOTS) || cell_is(c, K_SLOTS, "direct"))
		n = 0;
	else if (cell_is(c, K_SLOTS, "multifunction"))
		n = (n + FUNCTIONS - 1) / FUNCTIONS;
	return n > 2 ? n : 2;
}

/*
 * Where PCI device n has its place: a port of its own, any free slot of the root bus, or a function
 * behind a port that it shares with seven others.
 */
static void place(const struct cell *c, unsigned n, json_t *d)
{
	if (cell_is(c, K_SLOTS, "direct")) {
		json_object_set_new(d, "bus", json_string("pcie.0"));
	} else if (cell_is(c, K_SLOTS, "multifunction")) {
		json_object_set_new(d, "bus", json_sprintf("rp%u", n / FUNCTIONS));
		json_object_set_new(d, "addr", json_sprintf("0.%u", n % FUNCTIONS));
		json_object_set_new(d, "multifunction", json_true());
	} else {
		json_object_set_new(d, "bus", json_sprintf("rp%u", n));
	}
}

/*
 * The guest looks for all functions of a slot when function 0 appears (PCI Express 5.0, 6.7.3: the
 * slot is what is hot-plugged), so this one comes last of its eight. i: step, of n; the answer is a
 * permutation.
 */
static unsigned plug_order(const struct cell *c, unsigned i, unsigned n)
{
	unsigned first = i / FUNCTIONS * FUNCTIONS;
	unsigned last = first + FUNCTIONS < n ? first + FUNCTIONS - 1 : n - 1;

	if (!cell_is(c, K_SLOTS, "multifunction"))
		return i;
	return i < last ? i + 1 : first;
}

/* VIRTIO 1.2, 6: what driver and device negotiate of a ring. */
static void virtio_features(const struct cell *c, json_t *d)
{
	json_object_set_new(d, "packed", json_boolean(cell_is(c, K_RING, "packed")));
	json_object_set_new(d, "event_idx", on_off(c, K_EVENT_IDX));
	json_object_set_new(d, "indirect_desc", on_off(c, K_INDIRECT));
}

void virtio_common(const struct cell *c, unsigned n, json_t *d)
{
	place(c, n, d);
	/* packed and VERSION_1 are modern */
	json_object_set_new(d, "disable-legacy", json_string("on"));
	virtio_features(c, d);
	/* on is QEMU's default on each virtio-pci device */
	if (cell_is(c, K_IOEVENTFD, "off"))
		json_object_set_new(d, "ioeventfd", json_false());
}

unsigned disk_iothreads(const struct cell *c)
{
	if (!cell_on(c, K_IOTHREAD))
		return 0;
	return cell_is(c, K_IOTHREADS, "each") ? pci_devices(c)
					       : (unsigned)cell_u64(c, K_IOTHREADS);
}

/* One of the two properties: QEMU refuses them together. */
static void iothreads(const struct cell *c, const struct disk_env *env, const char *one, json_t *d)
{
	json_t *list;

	if (!one[0])
		return;
	if (!cell_is(c, K_MAPPING, "queues")) {
		json_object_set_new(d, "iothread", json_string(one));
		return;
	}
	/* without queues named in it QEMU deals them out in turn (QAPI, IOThreadVirtQueueMapping)
	 */
	list = json_array();
	for (unsigned i = 0; i < disk_iothreads(c); i++)
		json_array_append_new(
			list, json_pack("{s:o}", "iothread", json_sprintf("io%u", env->index + i)));
	json_object_set_new(d, "iothread-vq-mapping", list);
}

static void disk_properties(const struct cell *c, const struct disk_unit *u, json_t *d)
{
	json_object_set_new(d, "drive", json_string(u->fmt_node));
	json_object_set_new(d, "serial", json_string(u->serial));
	json_object_set_new(d, "write-cache", json_string(wce(c)));
}

static void virtio_blk_properties(const struct cell *c, const struct disk_env *env,
				  const struct disk_unit *u, json_t *d)
{
	iothreads(c, env, u->iothread, d);
	json_object_set_new(d, "num-queues", number(c, K_QUEUES));
	if (cell_get(c, K_QUEUE_SIZE))
		json_object_set_new(d, "queue-size", number(c, K_QUEUE_SIZE));
	disk_properties(c, u, d);
}

static void plug_virtio_blk(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	for (unsigned i = 0; i < p->nunits; i++) {
		unsigned n = plug_order(c, i, (unsigned)p->nunits);
		const struct disk_unit *u = &p->units[n];
		json_t *d = json_pack("{s:s, s:s}", "driver", "virtio-blk-pci", "id", u->device_id);

		virtio_common(c, env->index + n, d);
		virtio_blk_properties(c, env, u, d);
		plan_add(p, Q_DEVICE, d);
	}
}

/* The transports stand on the board, and QEMU takes the next free one. */
static void plug_virtio_mmio(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	for (size_t i = 0; i < p->nunits; i++) {
		const struct disk_unit *u = &p->units[i];
		json_t *d =
			json_pack("{s:s, s:s}", "driver", "virtio-blk-device", "id", u->device_id);

		virtio_features(c, d);
		virtio_blk_properties(c, env, u, d);
		plan_add(p, Q_DEVICE, d);
	}
}

static void scsi_controller(const struct cell *c, const struct disk_env *env, struct disk_plan *p,
			    unsigned n)
{
	json_t *d = json_pack("{s:s, s:o}", "driver", "virtio-scsi-pci", "id",
			      json_sprintf("vbscsi%u", env->index + n));

	virtio_common(c, env->index + n, d);
	iothreads(c, env, p->units[n].iothread, d);
	json_object_set_new(d, "num_queues", number(c, K_QUEUES));
	json_object_set_new(d, "virtqueue_size", number(c, K_QUEUE_SIZE));
	plan_add(p, Q_DEVICE, d);
}

/*
 * Disks of one controller are the units (LUNs) of its first target, as libvirt lays them out.
 * VIRTIO 1.2, 5.6.6.1: a target has up to 16384 of them.
 */
static void plug_virtio_scsi(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	bool shared = shares_controller(c);
	unsigned controllers = shared ? 1 : (unsigned)p->nunits;

	for (unsigned i = 0; i < controllers; i++)
		scsi_controller(c, env, p, plug_order(c, i, controllers));
	for (unsigned i = 0; i < p->nunits; i++) {
		const struct disk_unit *u = &p->units[i];
		json_t *d = json_pack("{s:s, s:s, s:o, s:i, s:i, s:i}", "driver", "scsi-hd", "id",
				      u->device_id, "bus",
				      json_sprintf("vbscsi%u.0", env->index + (shared ? 0 : i)),
				      "channel", 0, "scsi-id", 0, "lun", shared ? (int)i : 0);

		disk_properties(c, u, d);
		plan_add(p, Q_DEVICE, d);
	}
}

static void plug_nvme(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	for (unsigned i = 0; i < p->nunits; i++) {
		unsigned n = plug_order(c, i, (unsigned)p->nunits);
		const struct disk_unit *u = &p->units[n];
		json_t *d = json_pack("{s:s, s:s}", "driver", "nvme", "id", u->device_id);

		place(c, env->index + n, d);
		json_object_set_new(d, "max_ioqpairs", number(c, K_QUEUES));
		disk_properties(c, u, d);
		plan_add(p, Q_DEVICE, d);
	}
}

static void ata_disk(const struct cell *c, struct disk_plan *p, size_t i, json_t *bus,
		     unsigned unit)
{
	json_t *d = json_pack("{s:s, s:s, s:o, s:i}", "driver", "ide-hd", "id",
			      p->units[i].device_id, "bus", bus, "unit", (int)unit);

	disk_properties(c, &p->units[i], d);
	plan_add(p, Q_DEVICE, d);
}

/*
 * Two channels with two disks each. There is one such controller, since its ports lie at fixed
 * addresses; a fifth disk gets a channel that QEMU does not have, and its refusal is the answer.
 */
static void plug_ide(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	plan_add(p, Q_DEVICE,
		 json_pack("{s:s, s:o, s:s}", "driver", "piix3-ide", "id",
			   json_sprintf("vbide%u", env->index), "bus", "pcie.0"));
	for (unsigned i = 0; i < p->nunits; i++)
		ata_disk(c, p, i, json_sprintf("vbide%u.%u", env->index, i / 2), i % 2);
}

/* QEMU's ICH9 has six ports, each for one disk. More disks get more controllers. */
static void plug_ahci(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	for (unsigned i = 0; i < p->nunits; i++) {
		unsigned n = env->index + i / AHCI_PORTS;

		if (i % AHCI_PORTS == 0)
			plan_add(p, Q_DEVICE,
				 json_pack("{s:s, s:o, s:s}", "driver", "ich9-ahci", "id",
					   json_sprintf("vbahci%u", n), "bus", "pcie.0"));
		ata_disk(c, p, i, json_sprintf("vbahci%u.%u", n, i % AHCI_PORTS), 0);
	}
}

static const struct bus_row buses[] = {
	{"virtio-blk", "virtio_blk", NULL, "vb", "/virtio-backend", true, true, plug_virtio_blk},
	{"virtio-scsi", "sd", "virtio_scsi", "vbscsi", "/virtio-backend", true, true,
	 plug_virtio_scsi},
	/* QEMU's nvme always reports a volatile write cache to the guest, whatever write-cache=
	   says */
	{"nvme", "nvme", NULL, NULL, NULL, false, true, plug_nvme},
	{"ide", "sd", "ata_piix", NULL, NULL, true, true, plug_ide},
	{"ahci", "sd", "ahci", NULL, NULL, true, true, plug_ahci},
	{"virtio-mmio", "virtio_blk", NULL, "vb", "", true, false, plug_virtio_mmio},
};

const struct bus_row *bus_find(const char *name)
{
	for (size_t i = 0; name && i < sizeof(buses) / sizeof(buses[0]); i++)
		if (!strcmp(buses[i].name, name))
			return &buses[i];
	return NULL;
}

void bus_name_unit(const struct cell *c, const struct disk_env *env, unsigned i,
		   struct disk_unit *u)
{
	const struct bus_row *bus = bus_find(cell_get(c, K_BUS));
	unsigned device = env->index + (shares_controller(c) ? 0 : i);

	if (bus->virtio_id)
		snprintf(u->virtio_path, sizeof(u->virtio_path), "/machine/peripheral/%s%u%s",
			 bus->virtio_id, device, bus->virtio_child);
	if (disk_iothreads(c))
		snprintf(u->iothread, sizeof(u->iothread), "io%u",
			 env->index + (shares_controller(c) ? 0 : i % disk_iothreads(c)));
}
