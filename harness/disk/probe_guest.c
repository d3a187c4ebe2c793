/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's kernel and the virtio device say of the disk: ring, size, queues. */
#include <inttypes.h>
#include <string.h>
#include "base/units.h"
#include "disk/internal.h"

static const char *text_or(const json_t *v, const char *other)
{
	return json_is_string(v) ? json_string_value(v) : other;
}

int feature_bit(const json_t *features, unsigned bit)
{
	const char *s = text_or(features, NULL);

	if (!s || strlen(s) <= bit || s[strspn(s, "01")])
		return -1;
	return s[bit] == '1';
}

void compare_word(struct asked_got *r, const char *from, const char *asked, const char *got,
		  const char *unknown)
{
	if (!got)
		got_set(r, GOT_UNKNOWN, from, "%s", unknown);
	else
		got_set(r, strcmp(got, asked) ? GOT_DIFFER : GOT_MATCH, from, "%.60s", got);
}

/* VIRTIO 1.2, section 6. */
struct ring_feature {
	unsigned bit;
	const char *off, *on; /* what it makes of the key */
	const char *engine;   /* where the driver within fio says it */
};

/*
 * What driver and device agreed on: the guest's word, and what the device saw in SET_FEATURES,
 * where its server tells. QEMU takes vhost-user-blk-pci,packed=on without a word when the server
 * does not offer it, so neither side alone is believed when there are two: without the word of a
 * server that reports, what the driver says is no match.
 */
static void probe_feature(const struct evidence *ev, struct asked_got *r, enum key_id key,
			  const struct ring_feature *f)
{
	bool host = cell_on_host(ev->cell);
	int driver = feature_bit(ev_get(ev, host ? f->engine : "guest/disk/features"), f->bit);
	int device = feature_bit(ev_get(ev, "server/features"), f->bit);
	int got = driver >= 0 ? driver : host ? device : -1;
	const char *from = driver < 0 ? "host" : device >= 0 ? "both" : host ? "host" : "guest";

	if (driver >= 0 && device >= 0 && driver != device)
		got_set(r, GOT_DIFFER, from, "the driver says %s, the device saw %s",
			driver ? f->on : f->off, device ? f->on : f->off);
	else
		compare_word(r, from, cell_get(ev->cell, key),
			     got < 0 ? NULL
			     : got   ? f->on
				     : f->off,
			     host ? "the driver tells no negotiated features"
				  : "the guest shows no negotiated features");
	if (r->state == GOT_MATCH && device < 0 && ev->plan->server.reports)
		got_set(r, GOT_UNKNOWN, from, "the driver says %s, the device has not reported",
			got ? f->on : f->off);
	if (r->state == GOT_UNKNOWN)
		snprintf(r->from, sizeof(r->from), "%s", host ? "host" : "guest");
}

void probe_ring(const struct evidence *ev, struct asked_got *r)
{
	static const struct ring_feature packed = {34, "split", "packed", "engine/features"};

	probe_feature(ev, r, K_RING, &packed);
}

void probe_event_idx(const struct evidence *ev, struct asked_got *r)
{
	static const struct ring_feature event_idx = {29, "off", "on", "engine/features"};

	probe_feature(ev, r, K_EVENT_IDX, &event_idx);
}

void probe_indirect(const struct evidence *ev, struct asked_got *r)
{
	static const struct ring_feature indirect = {28, "off", "on", "engine/features"};

	probe_feature(ev, r, K_INDIRECT, &indirect);
}

void compare_number(const struct evidence *ev, struct asked_got *r, const char *path,
		    const char *from, uint64_t asked, const char *unknown)
{
	const json_t *v = ev_get(ev, path);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		got_set(r, GOT_UNKNOWN, from, "%s", unknown);
	else
		got_set(r, (uint64_t)json_integer_value(v) == asked ? GOT_MATCH : GOT_DIFFER, from,
			"%" PRIu64, (uint64_t)json_integer_value(v));
}

/* A raw image is as large as its disk and stays so: fio makes a file larger when it is told to. */
static bool image_grew(const struct evidence *ev, struct asked_got *r)
{
	const json_t *v = ev_get(ev, "image/size");
	const char *format = cell_get(ev->cell, K_FORMAT);
	char buf[32];

	if (!cell_on_host(ev->cell) || !format || strcmp(format, "raw") || !json_is_integer(v) ||
	    (uint64_t)json_integer_value(v) == ev->plan->size)
		return false;
	got_set(r, GOT_DIFFER, "host", "the image has %s",
		units_size_spell((uint64_t)json_integer_value(v), buf, sizeof(buf)));
	return true;
}

/* On the host: what the driver within fio read from configuration space, or the image as it was
 * found. */
void probe_size(const struct evidence *ev, struct asked_got *r)
{
	const char *path = !cell_on_host(ev->cell)     ? "guest/disk/size_bytes"
			   : cell_uses_vring(ev->cell) ? "engine/capacity"
						       : "image/size";
	const char *from = cell_on_host(ev->cell) ? "host" : "guest";
	const json_t *v = ev_get(ev, path);
	char buf[32];

	if (image_grew(ev, r))
		return;
	compare_number(ev, r, path, from, ev->plan->size,
		       cell_on_host(ev->cell) ? "the driver tells no size"
					      : "the guest tells no size");
	if (r->state != GOT_UNKNOWN)
		got_set(r, r->state, from, "%s",
			units_size_spell((uint64_t)json_integer_value(v), buf, sizeof(buf)));
}

/* blk-mq's hardware queues; the device may offer more than the guest takes. */
void probe_queues(const struct evidence *ev, struct asked_got *r)
{
	bool host = cell_on_host(ev->cell);

	compare_number(ev, r, host ? "engine/device_queues" : "guest/disk/queues",
		       host ? "host" : "guest", cell_u64(ev->cell, K_QUEUES),
		       host ? "the driver tells no number of queues"
			    : "the guest tells no number of queues");
}

void probe_queue_size(const struct evidence *ev, struct asked_got *r)
{
	const char *path = cell_on_host(ev->cell) ? "engine/queue_size"
			   : ev->plan->vhost	  ? "qmp/vhost_queue/num"
						  : "qmp/queue/vring-num";

	compare_number(ev, r, path, "host", cell_u64(ev->cell, K_QUEUE_SIZE),
		       cell_on_host(ev->cell) ? "the driver tells no queue size"
		       : ev->plan->vhost
			       ? "this QEMU has no x-query-virtio-vhost-queue-status for the disk"
			       : "this QEMU has no x-query-virtio-queue-status for the disk");
}
