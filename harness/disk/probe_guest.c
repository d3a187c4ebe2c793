/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's kernel and the virtio device say of the disk: bus, ring, size, queues. */
#include <inttypes.h>
#include <string.h>
#include "base/units.h"
#include "disk/internal.h"

#define VIRTIO_F_RING_PACKED 34 /* VIRTIO 1.2, section 6 */

static const char *text_or(const json_t *v, const char *other)
{
	return json_is_string(v) ? json_string_value(v) : other;
}

void probe_bus(const struct evidence *ev, struct asked_got *r)
{
	const struct bus_row *bus = bus_find(cell_get(ev->cell, K_BUS));
	const char *driver = text_or(ev_get(ev, "guest/disk/driver"), NULL);
	const char *transport = text_or(ev_get(ev, "guest/disk/transport_driver"), NULL);

	if (!driver || !bus)
		got_set(r, GOT_UNKNOWN, "guest", "the guest names no driver of the disk");
	else if (!strcmp(driver, bus->driver) &&
		 !strcmp(transport ? transport : "", bus->transport ? bus->transport : ""))
		got_set(r, GOT_MATCH, "guest", "%s", bus->name);
	else
		got_set(r, GOT_DIFFER, "guest", "the guest drives it with %.40s%s%.40s", driver,
			transport ? " over " : "", transport ? transport : "");
}

void probe_ring(const struct evidence *ev, struct asked_got *r)
{
	const char *features = text_or(ev_get(ev, "guest/disk/features"), NULL);
	const char *got;

	if (!features || strlen(features) <= VIRTIO_F_RING_PACKED ||
	    features[strspn(features, "01")]) {
		got_set(r, GOT_UNKNOWN, "guest", "the guest shows no negotiated features");
		return;
	}
	got = features[VIRTIO_F_RING_PACKED] == '1' ? "packed" : "split";
	got_set(r, strcmp(got, cell_get(ev->cell, K_RING)) ? GOT_DIFFER : GOT_MATCH, "guest", "%s",
		got);
}

/* A whole number at path against the one that was asked for. */
static void compare_number(const struct evidence *ev, struct asked_got *r, const char *path,
			   const char *from, uint64_t asked, const char *unknown)
{
	const json_t *v = ev_get(ev, path);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		got_set(r, GOT_UNKNOWN, from, "%s", unknown);
	else
		got_set(r, (uint64_t)json_integer_value(v) == asked ? GOT_MATCH : GOT_DIFFER, from,
			"%" PRIu64, (uint64_t)json_integer_value(v));
}

void probe_size(const struct evidence *ev, struct asked_got *r)
{
	const json_t *v = ev_get(ev, "guest/disk/size_bytes");
	char buf[32];

	compare_number(ev, r, "guest/disk/size_bytes", "guest", ev->plan->size,
		       "the guest tells no size");
	if (r->state != GOT_UNKNOWN)
		got_set(r, r->state, "guest", "%s",
			units_size_spell((uint64_t)json_integer_value(v), buf, sizeof(buf)));
}

/* blk-mq's hardware queues; the device may offer more than the guest takes. */
void probe_queues(const struct evidence *ev, struct asked_got *r)
{
	compare_number(ev, r, "guest/disk/queues", "guest", cell_u64(ev->cell, K_QUEUES),
		       "the guest tells no number of queues");
}

void probe_queue_size(const struct evidence *ev, struct asked_got *r)
{
	compare_number(ev, r, "qmp/queue/vring-num", "host", cell_u64(ev->cell, K_QUEUE_SIZE),
		       "this QEMU has no x-query-virtio-queue-status for the disk");
}
