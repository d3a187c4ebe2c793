/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A split virtqueue filled in by hand from virtio 1.2, 2.7: the driver of the device's tests, which
 * can also do what no driver may. One thread uses it.
 */
#ifndef VB_TESTS_HANDRING_H
#define VB_TESTS_HANDRING_H

#include <endian.h>
#include <linux/virtio_blk.h>
#include <string.h>
#include <sys/mman.h>
#include "engines/blkdev.h"

#define HAND_SIZE 256		 /* entries */
#define HAND_GUEST 0x40000000ull /* address of the first byte, as descriptors have it */
#define HAND_BYTES (8u << 20)

/* Where things are: below HAND_FREE the ring itself. */
#define HAND_DRIVER 0x2000
#define HAND_DEVICE 0x4000
#define HAND_FREE 0x10000

struct hand {
	char *at;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next, added, taken;
	struct mem mem;
	struct dev_vq *vq;
};

/* A descriptor: place in the memory, length, and whether the device writes it. */
struct hand_seg {
	uint32_t off, len;
	bool in;
};

static inline void hand_make(struct hand *h, bool event_idx)
{
	struct ring_opts o = {.size = HAND_SIZE, .indirect = true, .event_idx = event_idx};
	struct ring_areas areas;

	memset(h, 0, sizeof(*h));
	h->at = mmap(NULL, HAND_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(h->at != MAP_FAILED);
	h->desc = (void *)h->at;
	h->avail = (void *)(h->at + HAND_DRIVER);
	h->used = (void *)(h->at + HAND_DEVICE);
	areas = (struct ring_areas){h->desc, h->avail, h->used};
	assert_int_equal(mem_add_local(&h->mem, h->at, HAND_GUEST, HAND_BYTES, NULL), 0);
	assert_int_equal(dev_make(&h->vq, &o, &areas, 0, &h->mem, NULL), 0);
}

static inline void hand_free(struct hand *h)
{
	dev_free(h->vq);
	mem_clear(&h->mem);
	munmap(h->at, HAND_BYTES);
}

/* Makes a chain of n descriptors available (2.7.13); returns its head. Descriptors are handed out
 * in a circle: at most HAND_SIZE may be in flight. */
static inline uint16_t hand_add(struct hand *h, const struct hand_seg *s, unsigned n)
{
	uint16_t head = h->next;

	for (unsigned i = 0; i < n; i++) {
		struct vring_desc *d = &h->desc[h->next];

		h->next = (uint16_t)((h->next + 1) % HAND_SIZE);
		d->addr = htole64(HAND_GUEST + s[i].off);
		d->len = htole32(s[i].len);
		d->flags = htole16((uint16_t)((s[i].in ? VRING_DESC_F_WRITE : 0) |
					      (i + 1 < n ? VRING_DESC_F_NEXT : 0)));
		d->next = htole16(h->next);
	}
	h->avail->ring[h->added % HAND_SIZE] = htole16(head);
	h->added++;
	__atomic_store_n(&h->avail->idx, htole16(h->added), __ATOMIC_RELEASE);
	return head;
}

/* The next used element (2.7.14); false: there is none. */
static inline bool hand_take(struct hand *h, uint32_t *id, uint32_t *len)
{
	const vring_used_elem_t *u = &h->used->ring[h->taken % HAND_SIZE];

	if (le16toh(__atomic_load_n(&h->used->idx, __ATOMIC_ACQUIRE)) == h->taken)
		return false;
	*id = le32toh(u->id);
	*len = le32toh(u->len);
	h->taken++;
	return true;
}

/* avail_event (2.7.10): behind the last used element. */
static inline uint16_t hand_avail_event(const struct hand *h)
{
	return le16toh(
		__atomic_load_n((uint16_t *)(void *)&h->used->ring[HAND_SIZE], __ATOMIC_ACQUIRE));
}

/* 5.2.6: type, reserved, sector. */
static inline void hand_header(struct hand *h, uint32_t off, uint32_t type, uint64_t sector)
{
	uint32_t words[2] = {htole32(type), 0};
	uint64_t s = htole64(sector);

	memcpy(h->at + off, words, 8);
	memcpy(h->at + off + 8, &s, 8);
}

#endif
