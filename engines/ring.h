/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What both sides of a virtqueue share: where its three areas lie. Split ring: virtio 1.2, 2.7;
 * packed ring: 2.8. Structures of the areas come from the kernel's <linux/virtio_ring.h>. All
 * fields are little-endian (VERSION_1 is always negotiated); le16toh() and friends are free on the
 * machines that matter and right on the others.
 */
#ifndef VB_ENGINES_RING_H
#define VB_ENGINES_RING_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_MAX_SIZE 32768 /* 2.7 and 2.8: largest Queue Size */

/* What was negotiated for the queues of one device. */
struct ring_opts {
	unsigned size;	/* entries: a power of two (split), any number (packed), 1 .. 32768 */
	bool packed;	/* VIRTIO_F_RING_PACKED */
	bool event_idx; /* VIRTIO_F_EVENT_IDX (2.7.10 / 2.8.14) */
	bool indirect;	/* VIRTIO_F_INDIRECT_DESC (2.7.5.3 / 2.8.7) */
};

/*
 * The areas under the names of 2.6: descriptor area; driver area (split: available ring; packed:
 * driver event suppression); device area (split: used ring; packed: device event suppression).
 */
struct ring_areas {
	void *desc, *driver, *device;
};

/* Bytes of each area for so many entries, event index fields included (2.7, 2.8.10.1, 2.8.13). */
struct ring_bytes {
	size_t desc, driver, device;
};
struct ring_bytes ring_bytes(const struct ring_opts *o);

/* Alignment that 2.7 and 2.8.10.1 ask of the areas, in the order desc, driver, device: 16, 2, 4 / 16,
 * 4, 4. */

/* NULL, or why this cannot be ("512 entries are ...; a split ring takes powers of two"): a static
 * sentence. */
const char *ring_why_not(const struct ring_opts *o);

/* Whether the event index `event` lies among those passed when going from `before` to `now`
 * (2.7.10, vring_need_event): all modulo 2^16. */
static inline bool ring_passed(uint16_t event, uint16_t now, uint16_t before)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

#endif
