// SPDX-License-Identifier: GPL-2.0-or-later
/* Sizes of a virtqueue's areas, and which virtqueues there can be. */
#include "engines/ring.h"

struct ring_bytes ring_bytes(const struct ring_opts *o)
{
	size_t n = o->size;

	/* 2.8.13: the ring, and two event suppression structures of 4 bytes each. */
	if (o->packed)
		return (struct ring_bytes){.desc = n * sizeof(struct vring_packed_desc),
					   .driver = sizeof(struct vring_packed_desc_event),
					   .device = sizeof(struct vring_packed_desc_event)};
	/* 2.7: 16 * size, 6 + 2 * size, 6 + 8 * size. The 6 is flags, idx and the event field,
	 * which has its place even when the feature is off. */
	return (struct ring_bytes){.desc = n * sizeof(struct vring_desc),
				   .driver = 6 + n * sizeof(uint16_t),
				   .device = 6 + n * sizeof(struct vring_used_elem)};
}

const char *ring_why_not(const struct ring_opts *o)
{
	if (!o->size)
		return "a virtqueue needs at least 1 entry; give a queue size of 1 to 32768";
	if (o->size > RING_MAX_SIZE)
		return "a virtqueue has at most 32768 entries (virtio 1.2, 2.7 and 2.8); give a "
		       "smaller queue size";
	if (!o->packed && (o->size & (o->size - 1)))
		return "a split ring takes powers of two only (virtio 1.2, 2.7); give a power of "
		       "two, or use the packed ring";
	return NULL;
}
