// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests on their way to the device. A request's slot is fio's index of its io_u: header, status
 * byte and indirect table of a slot stay where they are, so that little of them has to be written
 * again.
 */
#include "engines/vring.h"

#define SECTOR_SHIFT 9

/* Ended here and now: fio takes its latency from the stamp, which would be the slot's last one. */
static enum fio_q_status submit_refuse(struct io_u *io_u, int error)
{
	fio_gettime(&io_u->issue_time, NULL);
	io_u->error = (unsigned)error;
	return FIO_Q_COMPLETED;
}

/* Two descriptors (2.7.4.1): the slot's bounce buffer holds header, data and status in a row. */
static int submit_add_copy(struct vring_queue *q, const struct io_u *io_u, const void *data,
			   uint32_t len)
{
	size_t at = q->place->bounce + io_u->index * q->place->stride;
	const struct virtio_blk_outhdr *header = &q->slots[io_u->index].header;
	bool in = io_u->ddir == DDIR_READ;
	struct drv_seg segs[2];
	char *to = q->memory + at;

	memcpy(to, header, sizeof(*header));
	if (!in && len)
		memcpy(to + sizeof(*header), data, len);
	to[sizeof(*header) + len] = (char)0xff;
	q->length[io_u->index] = len;
	segs[0] = (struct drv_seg){q->guest + at, sizeof(*header) + (in ? 0 : len)};
	segs[1] = (struct drv_seg){q->guest + at + segs[0].len, 1 + (in ? len : 0)};
	return drv_add(q->vq, segs, 1, 1, io_u->index);
}

/* As many data segments as the device's size_max asks for. */
static int submit_add_long(struct vring_queue *q, const struct io_u *io_u, uint64_t data,
			   uint32_t len)
{
	struct drv_seg *segs = q->segs;
	uint64_t slot = q->slots_at + io_u->index * sizeof(struct vring_slot);
	unsigned n = 1;

	while (len) {
		uint32_t part = len < q->seg_size ? len : q->seg_size;

		segs[n++] = (struct drv_seg){data, part};
		data += part;
		len -= part;
	}
	segs[0] = (struct drv_seg){slot, sizeof(struct virtio_blk_outhdr)};
	segs[n] = (struct drv_seg){slot + offsetof(struct vring_slot, status), 1};
	if (io_u->ddir == DDIR_READ)
		return drv_add(q->vq, segs, 1, n, io_u->index);
	return drv_add(q->vq, segs, n, 1, io_u->index);
}

/* Flush: no data. Trim: one segment that says which sectors. */
static int submit_add_other(struct vring_queue *q, const struct io_u *io_u)
{
	struct virtio_blk_discard_write_zeroes *d = &q->slots[io_u->index].discard;
	uint32_t len = 0;
	uint64_t at = 0;

	if (io_u->ddir == DDIR_TRIM) {
		d->sector = htole64(io_u->offset >> SECTOR_SHIFT);
		d->num_sectors = htole32((uint32_t)(io_u->xfer_buflen >> SECTOR_SHIFT));
		d->flags = q->trim_flags;
		len = sizeof(*d);
		at = q->guest + (uint64_t)((char *)d - q->memory);
	}
	if (q->place->copies)
		return submit_add_copy(q, io_u, d, len);
	return submit_add_long(q, io_u, at, len);
}

/* Reads and writes of fio's buffers where they lie. */
static inline int submit_add_data(struct vring_queue *q, const struct io_u *io_u)
{
	uint64_t data = q->guest + (uint64_t)((char *)io_u->xfer_buf - q->memory);
	uint32_t len = (uint32_t)io_u->xfer_buflen;
	uint64_t slot = q->slots_at + io_u->index * sizeof(struct vring_slot);
	struct drv_seg segs[3];

	if (unlikely(!q->plain))
		return q->place->copies ? submit_add_copy(q, io_u, io_u->xfer_buf, len)
					: submit_add_long(q, io_u, data, len);
	segs[0] = (struct drv_seg){slot, sizeof(struct virtio_blk_outhdr)};
	segs[1] = (struct drv_seg){data, len};
	segs[2] = (struct drv_seg){slot + offsetof(struct vring_slot, status), 1};
	if (io_u->ddir == DDIR_READ)
		return drv_add(q->vq, segs, 1, 2, io_u->index);
	return drv_add(q->vq, segs, 2, 1, io_u->index);
}

/* Writes header and status and adds the chain. 0; -ENOSPC: no room now; else not possible. */
static inline int submit_add(struct vring_queue *q, const struct io_u *io_u)
{
	struct vring_slot *slot = &q->slots[io_u->index];
	struct virtio_blk_outhdr *h = &slot->header;

	/* What no device answers: a status that it forgets is no success. */
	slot->status = 0xff;
	if (likely(io_u->ddir == DDIR_READ || io_u->ddir == DDIR_WRITE)) {
		h->type = htole32(io_u->ddir == DDIR_READ ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT);
		h->sector = htole64(io_u->offset >> SECTOR_SHIFT);
		return submit_add_data(q, io_u);
	}
	h->type = io_u->ddir == DDIR_TRIM ? q->trim_type : htole32(VIRTIO_BLK_T_FLUSH);
	h->sector = 0;
	return submit_add_other(q, io_u);
}

/* Whether fio's buffer lies elsewhere: it does where ours were too small for it. */
static inline bool submit_is_outside(const struct vring_queue *q, const struct io_u *io_u)
{
	uintptr_t at = (uintptr_t)io_u->xfer_buf - q->data;

	return at > q->data_size || io_u->xfer_buflen > q->data_size - at;
}

/*
 * Never FIO_Q_BUSY: fio 3.33 fills a write's verify header anew when it tries again, and then finds
 * the seeds of a read and write mix out of step. What has no room waits here, as it would for a tag
 * in the kernel.
 */
enum fio_q_status vring_submit(struct thread_data *td, struct io_u *io_u)
{
	struct vring_queue *q = td->io_ops_data;
	int rc;

	fio_ro_check(td, io_u);
	if (unlikely(q->dead))
		return submit_refuse(io_u, q->dead);
	if (likely(ddir_rw(io_u->ddir))) {
		if (unlikely((io_u->offset | io_u->xfer_buflen) & q->mask))
			return submit_refuse(io_u, EINVAL);
		if (io_u->ddir != DDIR_TRIM && unlikely(submit_is_outside(q, io_u)))
			return submit_refuse(io_u, EFAULT);
	} else if (!q->can_flush) {
		/* Without the flush feature the device's cache is write-through (5.2.6.2). */
		return submit_refuse(io_u, 0);
	}
	if (likely(q->nadded == q->npending)) {
		rc = submit_add(q, io_u);
		if (likely(!rc))
			q->nadded++;
		else if (rc != -ENOSPC)
			return submit_refuse(io_u, -rc);
	}
	q->pending[q->npending++] = io_u;
	return FIO_Q_QUEUED;
}

/* As fio's io_uring engine does it: the submission belongs to slat, so the stamp comes after it. */
static void submit_stamp(struct vring_queue *q, struct thread_data *td)
{
	struct timespec now;

	if (!q->sets_time)
		return;
	fio_gettime(&now, NULL);
	for (unsigned i = 0; i < q->nadded; i++) {
		struct io_u *io_u = q->pending[i];

		io_u->issue_time = now;
		io_u_queued(td, io_u);
	}
	/* only used for iolog */
	if (unlikely(td->o.read_iolog_file))
		td->last_issue = now;
}

/* False: the device keeps the kick from getting out (vring_watch.c). */
static bool submit_kick(struct vring_queue *q)
{
	unsigned n = atomic_load_explicit(&q->kicking, memory_order_relaxed);
	uint64_t one = 1;
	ssize_t k;

	atomic_store_explicit(&q->kicking, n + 1, memory_order_relaxed);
	do
		k = write(q->fds.kick, &one, sizeof(one));
	while (unlikely(k < 0 && errno == EINTR && !vring_watch_expired(q)));
	atomic_store_explicit(&q->kicking, n + 2, memory_order_relaxed);
	/* EAGAIN: the counter is full, so a kick is pending anyway. */
	if (likely(k >= 0 || errno == EAGAIN))
		return true;
	log_err("vring: %s: queue %u: the kick: %s\n", q->conn->name, q->place->queue,
		errno == EINTR ? "the device has filled its counter and made it block"
			       : strerror(errno));
	return false;
}

int vring_commit(struct thread_data *td)
{
	struct vring_queue *q = td->io_ops_data;
	bool told = true;

	if (!q->nadded)
		return 0;
	if (drv_publish(q->vq))
		told = submit_kick(q);
	submit_stamp(q, td);
	io_u_mark_submit(td, q->nadded);
	q->npending -= q->nadded;
	if (unlikely(q->npending))
		memmove(q->pending, q->pending + q->nadded, q->npending * sizeof(*q->pending));
	q->nadded = 0;
	if (unlikely(!told)) {
		/* What the last getevents handed out is fio's, and may be in flight anew. */
		if (!q->refilling)
			q->nevents = 0;
		vring_die(q, EIO);
	}
	return 0;
}

void vring_refill(struct thread_data *td)
{
	struct vring_queue *q = td->io_ops_data;

	while (q->nadded < q->npending && !submit_add(q, q->pending[q->nadded]))
		q->nadded++;
	q->refilling = true;
	vring_commit(td);
	q->refilling = false;
}
