// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration space of a virtio-blk device (virtio 1.2, 5.2.4), read and checked. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "engines/vhost_front.h"

static bool has(uint64_t bits, unsigned bit)
{
	return bits >> bit & 1;
}

static int front_check(const struct vhost_front_blk *b, uint64_t features, struct err *e)
{
	if (b->capacity > UINT64_MAX >> 9 || b->capacity << 9 > INT64_MAX)
		return err_set(e, -EPROTO,
			       "a capacity of %" PRIu64 " sectors is more than any file can have",
			       b->capacity);
	if (b->block_size < 512 || b->block_size > 1U << 20 || b->block_size & (b->block_size - 1))
		return err_set(e, -EPROTO, "blocks of %u bytes are none of 512 .. 1 MiB",
			       b->block_size);
	/* qemu-storage-daemon offers SIZE_MAX and leaves the field at 0: no bound. */
	if (b->size_max && b->size_max < 512)
		return err_set(e, -EPROTO, "segments of at most %u bytes hold no sector",
			       b->size_max);
	if (has(features, VIRTIO_BLK_F_SEG_MAX) && !b->seg_max)
		return err_set(e, -EPROTO, "requests of at most 0 segments carry no data");
	if (!b->num_queues)
		return err_set(e, -EPROTO, "num_queues is 0");
	return 0;
}

int vhost_front_parse(const void *config, size_t size, uint64_t features,
		      struct vhost_front_blk *out, struct err *e)
{
	struct virtio_blk_config c = {0};

	memset(out, 0, sizeof(*out));
	out->block_size = 512;
	out->num_queues = 1;
	if (size < sizeof(c.capacity))
		return err_set(e, -EPROTO, "%zu bytes of configuration space are too few", size);
	memcpy(&c, config, size < sizeof(c) ? size : sizeof(c));
	out->capacity = le64toh(c.capacity);
	if (has(features, VIRTIO_BLK_F_SIZE_MAX))
		out->size_max = le32toh(c.size_max);
	if (has(features, VIRTIO_BLK_F_SEG_MAX))
		out->seg_max = le32toh(c.seg_max);
	if (has(features, VIRTIO_BLK_F_BLK_SIZE))
		out->block_size = le32toh(c.blk_size);
	if (has(features, VIRTIO_BLK_F_MQ))
		out->num_queues = le16toh(c.num_queues);
	if (has(features, VIRTIO_BLK_F_DISCARD)) {
		out->max_discard_sectors = le32toh(c.max_discard_sectors);
		out->max_discard_seg = le32toh(c.max_discard_seg);
		out->discard_alignment = le32toh(c.discard_sector_alignment);
	}
	if (has(features, VIRTIO_BLK_F_WRITE_ZEROES)) {
		out->max_write_zeroes_sectors = le32toh(c.max_write_zeroes_sectors);
		out->max_write_zeroes_seg = le32toh(c.max_write_zeroes_seg);
		out->may_unmap = c.write_zeroes_may_unmap;
	}
	return front_check(out, features, e);
}
