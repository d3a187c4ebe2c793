/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Buses: a row each. Whatever QEMU sets differently from bus to bus and is a key (ring, queues,
 * queue size, write cache) is written out on every one of them, so that a comparison varies its
 * axes and nothing else.
 */
#include <string.h>
#include "disk/internal.h"

const char *const disk_guest_modules[] = {
	"virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod", "nvme", NULL,
};

static const char *wce(const struct cell *c)
{
	return cell_cache(c)->write_cache ? "on" : "off";
}

static json_t *on_off(const struct cell *c, enum key_id k)
{
	return json_boolean(cell_on(c, k));
}

void virtio_common(const struct cell *c, const struct disk_env *env, json_t *d)
{
	json_object_set_new(d, "bus", json_sprintf("rp%u", env->index));
	json_object_set_new(d, "disable-legacy",
			    json_string("on")); /* packed and VERSION_1 are modern */
	json_object_set_new(d, "packed", json_boolean(!strcmp(cell_get(c, K_RING), "packed")));
	json_object_set_new(d, "event_idx", on_off(c, K_EVENT_IDX));
	json_object_set_new(d, "indirect_desc", on_off(c, K_INDIRECT));
}

/* What all virtio-pci devices of QEMU's own have in common. */
static json_t *virtio_pci(const struct cell *c, const struct disk_env *env,
			  const struct disk_plan *p, const char *driver, const char *id)
{
	json_t *d = json_pack("{s:s, s:s}", "driver", driver, "id", id);

	virtio_common(c, env, d);
	if (p->iothread[0])
		json_object_set_new(d, "iothread", json_string(p->iothread));
	return d;
}

static void plug_virtio_blk(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	json_t *d = virtio_pci(c, env, p, "virtio-blk-pci", p->device_id);

	json_object_set_new(d, "num-queues", json_integer((json_int_t)cell_u64(c, K_QUEUES)));
	json_object_set_new(d, "queue-size", json_integer((json_int_t)cell_u64(c, K_QUEUE_SIZE)));
	json_object_set_new(d, "drive", json_string(p->fmt_node));
	json_object_set_new(d, "serial", json_string(p->serial));
	json_object_set_new(d, "write-cache", json_string(wce(c)));
	plan_add(p, Q_DEVICE, d);
}

static void plug_virtio_scsi(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	char id[24];
	json_t *d;

	snprintf(id, sizeof(id), "vbscsi%u", env->index);
	d = virtio_pci(c, env, p, "virtio-scsi-pci", id);
	json_object_set_new(d, "num_queues", json_integer((json_int_t)cell_u64(c, K_QUEUES)));
	json_object_set_new(d, "virtqueue_size",
			    json_integer((json_int_t)cell_u64(c, K_QUEUE_SIZE)));
	plan_add(p, Q_DEVICE, d);

	d = json_pack("{s:s, s:s, s:s+, s:i, s:i, s:i}", "driver", "scsi-hd", "id", p->device_id,
		      "bus", id, ".0", "channel", 0, "scsi-id", 0, "lun", 0);
	json_object_set_new(d, "drive", json_string(p->fmt_node));
	json_object_set_new(d, "serial", json_string(p->serial));
	json_object_set_new(d, "write-cache", json_string(wce(c)));
	plan_add(p, Q_DEVICE, d);
}

static void plug_nvme(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	json_t *d = json_pack("{s:s, s:s}", "driver", "nvme", "id", p->device_id);

	json_object_set_new(d, "bus", json_sprintf("rp%u", env->index));
	json_object_set_new(d, "max_ioqpairs", json_integer((json_int_t)cell_u64(c, K_QUEUES)));
	json_object_set_new(d, "drive", json_string(p->fmt_node));
	json_object_set_new(d, "serial", json_string(p->serial));
	json_object_set_new(d, "write-cache", json_string(wce(c)));
	plan_add(p, Q_DEVICE, d);
}

static const struct bus_row buses[] = {
	{"virtio-blk", "virtio_blk", NULL, "vb", true, plug_virtio_blk},
	{"virtio-scsi", "sd", "virtio_scsi", "vbscsi", true, plug_virtio_scsi},
	/* QEMU's nvme always reports a volatile write cache to the guest, whatever write-cache=
	   says */
	{"nvme", "nvme", NULL, NULL, false, plug_nvme},
};

const struct bus_row *bus_find(const char *name)
{
	for (size_t i = 0; name && i < sizeof(buses) / sizeof(buses[0]); i++)
		if (!strcmp(buses[i].name, name))
			return &buses[i];
	return NULL;
}
