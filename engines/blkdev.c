// SPDX-License-Identifier: GPL-2.0-or-later
/* The virtio-blk device (virtio 1.2, 5.2): configuration, and chains parsed into checked requests.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "engines/blkdev_internal.h"

#define BIT(n) (UINT64_C(1) << (n))

uint64_t blk_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- the device ------------------------------------------------------------------------------- */

static const struct back_ops *back_of(enum blk_kind kind)
{
	switch (kind) {
	case BLK_NULL:
		return &back_null;
	case BLK_MEMORY:
		return &back_memory;
	case BLK_FILE:
		return &back_file;
	}
	return NULL;
}

static int opts_check(const struct blkdev_opts *o, struct err *e)
{
	if (!back_of(o->kind))
		return err_input(e, "no such back end: %d", (int)o->kind);
	if (o->block_size < BLK_SECTOR || o->block_size > 4096 ||
	    (o->block_size & (o->block_size - 1)))
		return err_input(e, "a block size of %u bytes: it is 512, 1024, 2048 or 4096",
				 o->block_size);
	if (!o->queues || o->queues > 256)
		return err_input(e, "%u queues: a device has 1 to 256", o->queues);
	if (o->queue_size > RING_MAX_SIZE)
		return err_input(e, "a queue of %u entries: the largest has %u", o->queue_size,
				 RING_MAX_SIZE);
	if (o->kind == BLK_FILE && (!o->path || !*o->path))
		return err_input(e, "a file back end needs the path of a file or block device");
	if (o->kind != BLK_FILE && !o->size)
		return err_input(e, "a disk of 0 bytes: say its size");
	if (o->size % BLK_SECTOR)
		return err_input(e, "a disk of %" PRIu64 " bytes: its size is a multiple of 512",
				 o->size);
	if (o->size > INT64_MAX)
		return err_input(e, "a disk of %" PRIu64 " bytes: that is more than 2^63 - 1",
				 o->size);
	if (o->latency_ns && o->kind != BLK_NULL)
		return err_input(e, "a latency: only the null back end has one");
	/* So that whoever ends a queue can wait for it. */
	if (o->latency_ns > BLK_LATENCY_MAX)
		return err_input(e, "a latency of %" PRIu64 " ns: at most 10 s can be had",
				 o->latency_ns);
	return 0;
}

static uint64_t features_of(const struct blkdev *b, const struct blkdev_opts *o)
{
	uint64_t f = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_BLK_F_SEG_MAX) |
		     BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_MQ);

	/* Nothing can be discarded on a disk that is read-only. */
	if (b->read_only)
		f |= BIT(VIRTIO_BLK_F_RO);
	else
		f |= BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES);
	if (o->packed)
		f |= BIT(VIRTIO_F_RING_PACKED);
	if (o->event_idx)
		f |= BIT(VIRTIO_RING_F_EVENT_IDX);
	if (o->indirect)
		f |= BIT(VIRTIO_RING_F_INDIRECT_DESC);
	return f;
}

/* A chain is header, data and status, and no longer than its queue; one piece of data there must
 * be, also in a queue of 2 (where it shares a descriptor: 2.7.4.1). */
static unsigned seg_max_of(unsigned queue_size)
{
	unsigned n = queue_size ? queue_size : 256;

	if (n <= 3)
		return 1;
	return n - 2 < BLK_SEG_MAX ? n - 2 : BLK_SEG_MAX;
}

int blkdev_open(struct blkdev **out, const struct blkdev_opts *o, struct err *e)
{
	struct blkdev *b;
	const char *id = o->id ? o->id : "vbench";
	int rc;

	*out = NULL;
	rc = opts_check(o, e);
	if (rc)
		return rc;
	b = xcalloc(1, sizeof(*b));
	b->ops = back_of(o->kind);
	b->size = o->size;
	b->latency_ns = o->latency_ns;
	b->block_size = o->block_size;
	b->queues = o->queues;
	b->seg_max = seg_max_of(o->queue_size);
	b->range_sectors = o->kind == BLK_MEMORY ? BLK_RANGE_SECTORS_MEMORY : BLK_RANGE_SECTORS;
	b->read_only = o->read_only;
	memcpy(b->id, id, strnlen(id, sizeof(b->id)));
	b->features = features_of(b, o);
	rc = b->ops->open(b, o, e);
	if (!rc && (!b->size || b->size % b->block_size)) {
		rc = err_input(e,
			       "a disk of %" PRIu64 " bytes: with blocks of %u bytes, its size "
			       "is a multiple of that",
			       b->size, b->block_size);
		b->ops->close(b);
	}
	if (rc) {
		free(b);
		return rc;
	}
	*out = b;
	return 0;
}

void blkdev_close(struct blkdev *b)
{
	if (!b)
		return;
	b->ops->close(b);
	free(b);
}

uint64_t blkdev_features(const struct blkdev *b)
{
	return b->features;
}

uint64_t blkdev_latency(const struct blkdev *b)
{
	return b->latency_ns;
}

void blkdev_negotiated(struct blkdev *b, uint64_t features)
{
	atomic_store_explicit(&b->writethrough, !(features & BIT(VIRTIO_BLK_F_FLUSH)),
			      memory_order_relaxed);
}

void blkdev_config(const struct blkdev *b, struct virtio_blk_config *out)
{
	memset(out, 0, sizeof(*out));
	out->capacity = htole64(b->size / BLK_SECTOR);
	out->seg_max = htole32(b->seg_max);
	out->blk_size = htole32(b->block_size);
	out->num_queues = htole16((uint16_t)b->queues);
	if (b->read_only)
		return;
	out->max_discard_sectors = htole32(b->range_sectors);
	out->max_discard_seg = htole32(BLK_RANGES);
	out->discard_sector_alignment = htole32(b->block_size / BLK_SECTOR);
	out->max_write_zeroes_sectors = htole32(b->range_sectors);
	out->max_write_zeroes_seg = htole32(BLK_RANGES);
	out->write_zeroes_may_unmap = 1;
}

/* --- pieces ----------------------------------------------------------------------------------- */

void pieces_gather(const struct iovec *iov, unsigned n, void *to, uint64_t len)
{
	for (char *p = to; n && len; iov++, n--) {
		size_t k = iov->iov_len < len ? iov->iov_len : len;

		memcpy(p, iov->iov_base, k);
		p += k;
		len -= k;
	}
}

void pieces_scatter(const struct iovec *iov, unsigned n, const void *from, uint64_t len)
{
	for (const char *p = from; n && len; iov++, n--) {
		size_t k = iov->iov_len < len ? iov->iov_len : len;

		memcpy(iov->iov_base, p, k);
		p += k;
		len -= k;
	}
}

void pieces_advance(struct iovec **iov, unsigned *n, uint64_t len)
{
	while (*n && (*iov)->iov_len <= len) {
		len -= (*iov)->iov_len;
		(*iov)++;
		(*n)--;
	}
	if (*n && len) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + len;
		(*iov)->iov_len -= len;
	}
}

/* --- requests --------------------------------------------------------------------------------- */

/* What lies in the driver's memory may change at any moment: it is copied once, and this keeps the
 * compiler from going back for it. */
static inline void read_once(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

static int queue_break(struct blkq *q, const char *why)
{
	q->broken = true;
	q->why = why;
	return -EPROTO;
}

/* Takes header and status byte off the chain, wherever they are (2.7.4.1): what is left of it is
 * data. False: there is no room for them. */
static bool frame_take(struct dev_chain *c, struct virtio_blk_outhdr *h, struct blkreq *r,
		       struct iovec **outs, unsigned *nouts)
{
	struct iovec *last = c->iov + c->out + c->in;

	*outs = c->iov;
	*nouts = c->out;
	if (c->out && c->iov[0].iov_len == sizeof(*h)) {
		memcpy(h, c->iov[0].iov_base, sizeof(*h));
		(*outs)++;
		(*nouts)--;
	} else {
		if (c->out_len < sizeof(*h))
			return false;
		pieces_gather(c->iov, c->out, h, sizeof(*h));
		pieces_advance(outs, nouts, sizeof(*h));
	}
	read_once();
	while (c->in && !last[-1].iov_len) {
		last--;
		c->in--;
	}
	if (!c->in)
		return false;
	last--;
	last->iov_len--;
	if (!last->iov_len)
		c->in--;
	r->status = (uint8_t *)last->iov_base + last->iov_len;
	r->id = c->id;
	r->ndescs = c->ndescs;
	/* The status byte is the last of the writable part, so that all of it counts as written. */
	r->written = c->in_len < UINT32_MAX ? (uint32_t)c->in_len : UINT32_MAX;
	return true;
}

/* 5.2.6: sectors that the disk has, and whole blocks. */
static bool range_good(const struct blkdev *b, uint64_t sector, uint64_t len)
{
	uint64_t mask = b->block_size - 1;

	return sector <= b->size / BLK_SECTOR && len <= b->size - sector * BLK_SECTOR &&
	       !((sector * BLK_SECTOR | len) & mask);
}

/* Copies and checks the segments of discard and write zeroes (5.2.6.2). VIRTIO_BLK_S_*. */
static int ranges_take(struct blkq *q, struct blkreq *r)
{
	struct virtio_blk_discard_write_zeroes seg[BLK_RANGES];
	unsigned n = (unsigned)(r->len / sizeof(*seg));
	bool discard = r->type == VIRTIO_BLK_T_DISCARD;

	if (q->dev->read_only || !r->len || r->len > sizeof(seg) || r->len % sizeof(*seg))
		return VIRTIO_BLK_S_IOERR;
	pieces_gather(r->iov, r->niov, seg, r->len);
	read_once();
	/* All are checked before the first is carried out. */
	for (unsigned i = 0; i < n; i++) {
		uint32_t flags = le32toh(seg[i].flags);

		if (flags & ~(discard ? 0 : (uint32_t)VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP))
			return VIRTIO_BLK_S_UNSUPP;
		q->ranges[i].unmap = discard || flags;
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t sector = le64toh(seg[i].sector);
		uint32_t sectors = le32toh(seg[i].num_sectors);

		if (sectors > q->dev->range_sectors ||
		    !range_good(q->dev, sector, (uint64_t)sectors * BLK_SECTOR))
			return VIRTIO_BLK_S_IOERR;
		q->ranges[i].offset = sector * BLK_SECTOR;
		q->ranges[i].len = (uint64_t)sectors * BLK_SECTOR;
	}
	r->ranges = q->ranges;
	r->nranges = n;
	return q->ops->start(q, r);
}

static int id_give(const struct blkq *q, const struct blkreq *r)
{
	size_t n = sizeof(q->dev->id);

	pieces_scatter(r->iov, r->niov, q->dev->id, r->len < n ? r->len : n);
	return VIRTIO_BLK_S_OK;
}

/* VIRTIO_BLK_S_* or BACK_LATER. */
static int request_serve(struct blkq *q, const struct virtio_blk_outhdr *h, struct blkreq *r,
			 struct iovec *outs, unsigned nouts)
{
	struct dev_chain *c = &q->chain;
	uint64_t sector = le64toh(h->sector);
	bool reads;

	r->type = le32toh(h->type);
	r->offset = 0;
	r->ranges = NULL;
	r->nranges = 0;
	reads = r->type == VIRTIO_BLK_T_IN || r->type == VIRTIO_BLK_T_GET_ID;
	r->iov = reads ? c->iov + c->out : outs;
	r->niov = reads ? c->in : nouts;
	r->len = reads ? c->in_len - 1 : c->out_len - sizeof(*h);
	switch (r->type) {
	case VIRTIO_BLK_T_OUT:
		if (q->dev->read_only)
			return VIRTIO_BLK_S_IOERR;
		/* fall through */
	case VIRTIO_BLK_T_IN:
		if (!range_good(q->dev, sector, r->len))
			return VIRTIO_BLK_S_IOERR;
		r->offset = sector * BLK_SECTOR;
		return r->len ? q->ops->start(q, r) : VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_FLUSH:
		return q->ops->start(q, r);
	case VIRTIO_BLK_T_GET_ID:
		return id_give(q, r);
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return ranges_take(q, r);
	}
	return VIRTIO_BLK_S_UNSUPP;
}

/* --- the queue -------------------------------------------------------------------------------- */

int blkq_make(struct blkq **out, struct blkdev *b, struct dev_vq *vq, struct err *e)
{
	struct blkq *q = xcalloc(1, sizeof(*q));
	int rc;

	*out = NULL;
	q->dev = b;
	q->vq = vq;
	q->ops = b->ops;
	rc = q->ops->make(q, e);
	if (rc) {
		free(q);
		return rc;
	}
	*out = q;
	return 0;
}

void blkq_free(struct blkq *q)
{
	if (!q)
		return;
	q->ops->free(q);
	free(q);
}

static void queue_flush(struct blkq *q)
{
	q->pending = 0;
	q->irq |= dev_flush(q->vq);
}

static inline void request_answer(struct blkq *q, const struct blkreq *r, uint8_t status)
{
	*r->status = status;
	dev_push(q->vq, r->id, r->ndescs, r->written);
	q->pushed++;
	if (++q->pending == BLKQ_FLUSH)
		queue_flush(q);
}

void blkq_complete(struct blkq *q, const struct blkreq *r, uint8_t status)
{
	q->inflight--;
	request_answer(q, r, status);
}

/* How many were taken, or -EPROTO. */
static int chains_take(struct blkq *q)
{
	int n = 0;

	/* No ring has more entries than RING_MAX_SIZE, but a driver may offer a chain twice. */
	while (n < BLKQ_BATCH && q->inflight < RING_MAX_SIZE) {
		struct virtio_blk_outhdr h;
		struct blkreq r;
		struct iovec *outs;
		unsigned nouts;
		int rc = dev_pop(q->vq, &q->chain);

		if (rc < 0)
			return queue_break(q, NULL);
		if (!rc)
			break;
		n++;
		if (!frame_take(&q->chain, &h, &r, &outs, &nouts))
			return queue_break(q, "a request without room for its header of 16 bytes "
					      "and its status byte");
		rc = request_serve(q, &h, &r, outs, nouts);
		if (rc == BACK_LATER)
			q->inflight++;
		else
			request_answer(q, &r, (uint8_t)rc);
		/* Whoever wants the thread to stop shall not wait for a whole turn of these. */
		if (r.nranges || r.len > BLK_LONG)
			break;
	}
	return n;
}

int blkq_turn(struct blkq *q, bool *irq)
{
	int rc = q->broken ? -EPROTO : 0;

	q->pushed = 0;
	q->irq = false;
	if (q->inflight && q->ops->reap)
		q->ops->reap(q);
	if (!q->broken && !q->stopped)
		rc = chains_take(q);
	if (q->inflight && q->ops->submit) {
		q->ops->submit(q);
		/* What was in the page cache is done by now. */
		q->ops->reap(q);
	}
	if (q->pending)
		queue_flush(q);
	*irq = q->irq;
	return rc < 0 ? rc : rc + (int)q->pushed;
}

const char *blkq_why(const struct blkq *q)
{
	return q->why ? q->why : dev_why(q->vq);
}

void blkq_stop(struct blkq *q)
{
	q->stopped = true;
}

unsigned blkq_inflight(const struct blkq *q)
{
	return q->inflight;
}

int blkq_fd(const struct blkq *q)
{
	return q->ops->fd ? q->ops->fd(q) : -1;
}

uint64_t blkq_due(const struct blkq *q)
{
	return q->ops->due ? q->ops->due(q) : UINT64_MAX;
}

bool blkq_arm(struct blkq *q)
{
	return !q->inflight || !q->ops->arm || q->ops->arm(q);
}
