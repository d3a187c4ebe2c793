/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The front end of vhost-user (QEMU's docs/interop/vhost-user.rst) for a virtio-blk device:
 * connect, negotiate, share memory, start and stop queues. Every message has a deadline, every
 * reply is checked: the back end is not trusted. Calls of one connection may come from several
 * threads.
 *
 * In this order: vhost_front_open, vhost_front_negotiate, vhost_front_share, then
 * vhost_front_start and vhost_front_stop per queue, vhost_front_close.
 */
#ifndef VB_ENGINES_VHOST_FRONT_H
#define VB_ENGINES_VHOST_FRONT_H

#include <linux/virtio_blk.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "engines/ring.h"

#define VHOST_FRONT_MS 5000 /* deadline of one message with its answer, when none is given */

/* What the device's configuration space says, in host order; 0 where the feature that guards a
 * field is not offered (virtio 1.2, 5.2.4). Units are those of the spec: sectors are 512 bytes. */
struct vhost_front_blk {
	uint64_t capacity;   /* sectors */
	uint32_t size_max;   /* bytes of one segment */
	uint32_t seg_max;    /* segments of one request, header and status not counted */
	uint32_t block_size; /* bytes; 512 where the device does not say */
	uint16_t num_queues; /* 1 without VIRTIO_BLK_F_MQ */
	uint32_t max_discard_sectors, max_discard_seg, discard_alignment;
	uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
	bool may_unmap; /* write zeroes may deallocate */
};

/* Fills *out from the first `size` bytes of a configuration space, little-endian, of a device that
 * offers `features`. -EPROTO with a sentence when a field cannot be (or lies beyond size). */
int vhost_front_parse(const void *config, size_t size, uint64_t features,
		      struct vhost_front_blk *out, struct err *e);

struct vhost_front;

/*
 * Connects to a socket's path, or to the inherited connected socket that "fd:N" names (which this
 * then owns), asks for the features and reads the configuration space. ms: deadline of each
 * message, 0 takes VHOST_FRONT_MS. -ENOTSUP when the back end has no configuration space or no
 * VERSION_1; -ETIMEDOUT when it does not answer.
 */
int vhost_front_open(struct vhost_front **out, const char *path, int ms, struct err *e);
void vhost_front_close(struct vhost_front *f); /* NULL is fine; does not stop queues */

uint64_t vhost_front_offered(const struct vhost_front *f);
const struct vhost_front_blk *vhost_front_blk(const struct vhost_front *f);
/* Queues that the device has and that can be named: 1 .. 256. */
unsigned vhost_front_queues(const struct vhost_front *f);
/* The connected socket, to be watched for its end (which giving it up brings about, too). */
int vhost_front_fd(const struct vhost_front *f);

/* Accepts `features` (with VHOST_F_PROTOCOL_FEATURES when it was offered: that is added here).
 * -EINVAL when some were not offered. */
int vhost_front_negotiate(struct vhost_front *f, uint64_t features, struct err *e);

/* Shares size bytes of fd, mapped here at user; descriptors name them from guest on. */
int vhost_front_share(struct vhost_front *f, int fd, uint64_t size, const void *user,
		      uint64_t guest, struct err *e);

/* Descriptors of one queue, all of this side and non-blocking. */
struct vhost_front_fds {
	int kick; /* to be written after drv_publish asked for it */
	int call; /* readable after an interrupt */
	int err;  /* readable when the device gave the queue up */
};

/* Sets up queue `index` over areas inside the shared memory, from its beginning, and enables it.
 * Fills *fds, which are the caller's (vhost_front_fds_close). */
int vhost_front_start(struct vhost_front *f, unsigned index, const struct ring_opts *o,
		      const struct ring_areas *areas, struct vhost_front_fds *fds, struct err *e);

/* Stops queue `index`: the back end finishes what it has and lets go of the ring. *base (may be
 * NULL) is where it stood, in the form of GET_VRING_BASE. */
int vhost_front_stop(struct vhost_front *f, unsigned index, uint32_t *base, struct err *e);

/*
 * Gives the connection up: for a queue that cannot be stopped, whose requests the back end may
 * still work on. It sees the connection end, and every later call here fails with -ENOTCONN. The
 * memory that was shared must not be used for anything else.
 */
void vhost_front_lose(struct vhost_front *f);

/* Makes and closes the three descriptors without a connection (the loop transport). */
int vhost_front_fds_make(struct vhost_front_fds *fds, struct err *e);
void vhost_front_fds_close(struct vhost_front_fds *fds);

#endif
