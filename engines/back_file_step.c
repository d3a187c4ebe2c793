// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a request does to a file: a row of steps, of which one at a time is in the ring. Reads and
 * writes go on where they came short, ranges follow one another, and what the file system cannot do
 * is done in another way.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include "engines/back_file.h"

#define STEP_MAX (1u << 30) /* bytes of one step; a longer request takes several */
#define ZERO_PIECES 16	    /* of FILE_ZERO_BYTES, in one write where no fallocate helps */
#define RETRIES 100	    /* of what the kernel could not do just now */

void file_list_add(struct file_list *l, struct filereq *f)
{
	f->next = NULL;
	*l->last = f;
	l->last = &f->next;
}

struct filereq *file_list_take(struct file_list *l)
{
	struct filereq *f = l->first;

	if (f) {
		l->first = f->next;
		if (!l->first)
			l->last = &l->first;
	}
	return f;
}

static bool is_aligned(const struct file *f, const struct blkreq *r)
{
	for (unsigned i = 0; i < r->niov; i++)
		if ((uintptr_t)r->iov[i].iov_base % f->mem_align || r->iov[i].iov_len % f->io_align)
			return false;
	return true;
}

/* The pieces and ranges of a request lie in the queue: the slot gets copies. */
void filereq_fill(const struct file *file, struct filereq *f, const struct blkreq *r)
{
	f->r = *r;
	f->retries = 0;
	f->done = 0;
	f->range = 0;
	f->bounced = false;
	f->r.iov = f->few;
	if (r->niov > FILE_FEW) {
		if (r->niov > f->table_size) {
			f->table = xrealloc(f->table, r->niov, sizeof(*f->table));
			f->table_size = r->niov;
		}
		f->r.iov = f->table;
	}
	if (r->niov)
		memcpy(f->r.iov, r->iov, r->niov * sizeof(*r->iov));
	f->r.ranges = f->range_table;
	if (r->nranges)
		memcpy(f->range_table, r->ranges, r->nranges * sizeof(*r->ranges));
	switch (r->type) {
	case VIRTIO_BLK_T_FLUSH:
		f->step = STEP_SYNC;
		break;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		/* Which fallocate, if any, is found out when it is its turn. */
		f->step = STEP_RANGE;
		f->mode = 0;
		break;
	default:
		pieces_advance(&f->r.iov, &f->r.niov, 0);
		f->step = STEP_RW;
		f->bounced = file->direct && !is_aligned(file, &f->r);
	}
}

/* A buffer for the parts of a request; without one it waits in `starved`. */
static bool bounce_take(struct file_queue *fq, struct filereq *f)
{
	if (f->bounce)
		return true;
	if (fq->nbounce)
		f->bounce = fq->bounce[--fq->nbounce];
	else if (fq->bounces_made < FILE_BOUNCES) {
		void *p = NULL;

		/* A page is aligned enough for any O_DIRECT. */
		if (posix_memalign(&p, 4096, FILE_BOUNCE_BYTES))
			p = NULL;
		f->bounce = p;
		fq->bounces_made += p != NULL;
	}
	return f->bounce;
}

static void bounce_give(struct file_queue *fq, struct filereq *f)
{
	struct filereq *next;

	if (!f->bounce)
		return;
	fq->bounce[fq->nbounce++] = f->bounce;
	f->bounce = NULL;
	next = file_list_take(&fq->starved);
	if (next)
		file_list_add(&fq->ready, next);
}

static void prep_rw(const struct blkq *q, struct filereq *f, struct io_uring_sqe *sqe)
{
	bool writes = f->r.type == VIRTIO_BLK_T_OUT;
	uint64_t left = f->r.len - f->done, at = f->r.offset + f->done;
	struct iovec one = f->r.iov[0];

	if (f->bounced) {
		one.iov_base = f->bounce;
		one.iov_len = left < FILE_BOUNCE_BYTES ? left : FILE_BOUNCE_BYTES;
		if (writes)
			pieces_gather(f->r.iov, f->r.niov, f->bounce, one.iov_len);
	}
	if (f->bounced || f->r.niov == 1) {
		unsigned n = one.iov_len < STEP_MAX ? (unsigned)one.iov_len : STEP_MAX;

		if (writes)
			io_uring_prep_write(sqe, 0, one.iov_base, n, at);
		else
			io_uring_prep_read(sqe, 0, one.iov_base, n, at);
	} else if (writes) {
		io_uring_prep_writev(sqe, 0, f->r.iov, f->r.niov, at);
	} else {
		io_uring_prep_readv(sqe, 0, f->r.iov, f->r.niov, at);
	}
	/* 5.2.6.2: without the flush feature, a write that completes is on stable storage. */
	if (writes && atomic_load_explicit(&q->dev->writethrough, memory_order_relaxed))
		sqe->rw_flags = RWF_DSYNC;
}

static void prep_zero(const struct file *file, struct filereq *f, struct io_uring_sqe *sqe)
{
	const struct blk_range *r = &f->r.ranges[f->range];
	uint64_t left = r->len - f->done;
	unsigned n = 0;

	/* Discard and write zeroes have no use for the pieces of their chain any more. */
	if (f->table_size < ZERO_PIECES) {
		f->table = xrealloc(f->table, ZERO_PIECES, sizeof(*f->table));
		f->table_size = ZERO_PIECES;
	}
	for (; n < ZERO_PIECES && left; n++) {
		size_t k = left < FILE_ZERO_BYTES ? left : FILE_ZERO_BYTES;

		f->table[n] = (struct iovec){.iov_base = file->zeroes, .iov_len = k};
		left -= k;
	}
	io_uring_prep_writev(sqe, 0, f->table, n, r->offset + f->done);
}

/* How to make a range zero (or discard it) with what the file system can; -1: by writing. */
static int range_mode(struct file *file, const struct blk_range *r)
{
	if (r->unmap && !atomic_load_explicit(&file->no_punch, memory_order_relaxed))
		return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	if (!atomic_load_explicit(&file->no_zero, memory_order_relaxed))
		return FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
	return -1;
}

void filereq_prep(const struct blkq *q, struct filereq *f, struct io_uring_sqe *sqe)
{
	const struct blk_range *r = &f->r.ranges[f->range];

	switch (f->step) {
	case STEP_RW:
		prep_rw(q, f, sqe);
		break;
	case STEP_RANGE:
		io_uring_prep_fallocate(sqe, 0, f->mode, (off_t)r->offset, (off_t)r->len);
		break;
	case STEP_ZERO:
		prep_zero(q->dev->back, f, sqe);
		break;
	case STEP_SYNC:
		io_uring_prep_fsync(sqe, 0, IORING_FSYNC_DATASYNC);
		break;
	}
	/* File 0 of the registered ones. */
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data(sqe, f);
}

static void req_end(struct blkq *q, struct filereq *f, uint8_t status)
{
	struct file_queue *fq = q->back;

	bounce_give(fq, f);
	blkq_complete(q, &f->r, status);
	f->next = fq->free;
	fq->free = f;
}

/* Finds what is to be done about the range at hand, or the first after it that has something. */
static void req_range(struct blkq *q, struct filereq *f)
{
	struct file_queue *fq = q->back;
	struct file *file = q->dev->back;

	for (; f->range < f->r.nranges; f->range++) {
		const struct blk_range *r = &f->r.ranges[f->range];

		if (!r->len)
			continue;
		/* A discard that cannot be is none (5.2.6.2: the device MAY deallocate). */
		if (f->r.type == VIRTIO_BLK_T_DISCARD &&
		    atomic_load_explicit(&file->no_punch, memory_order_relaxed))
			continue;
		f->mode = range_mode(file, r);
		f->step = f->mode < 0 ? STEP_ZERO : STEP_RANGE;
		f->done = 0;
		file_list_add(&fq->ready, f);
		return;
	}
	if (atomic_load_explicit(&q->dev->writethrough, memory_order_relaxed)) {
		f->step = STEP_SYNC;
		file_list_add(&fq->ready, f);
		return;
	}
	req_end(q, f, VIRTIO_BLK_S_OK);
}

bool filereq_ready(struct blkq *q, struct filereq *f)
{
	struct file_queue *fq = q->back;

	if (f->step == STEP_RANGE && !f->mode) {
		req_range(q, f);
		return false;
	}
	if (!f->bounced || bounce_take(fq, f))
		return true;
	/* Somebody gives one back; unless not even one could be made. */
	if (fq->bounces_made)
		file_list_add(&fq->starved, f);
	else
		req_end(q, f, VIRTIO_BLK_S_IOERR);
	return false;
}

/* The step did res bytes (or -errno): what is next? */
static void done_rw(struct blkq *q, struct filereq *f, unsigned n)
{
	struct file_queue *fq = q->back;

	if (n > f->r.len - f->done)
		n = (unsigned)(f->r.len - f->done);
	if (f->bounced && f->r.type == VIRTIO_BLK_T_IN)
		pieces_scatter(f->r.iov, f->r.niov, f->bounce, n);
	f->done += n;
	/* The end of a file that has become shorter. */
	if (!n || f->done == f->r.len) {
		req_end(q, f, f->done == f->r.len ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR);
		return;
	}
	pieces_advance(&f->r.iov, &f->r.niov, n);
	f->retries = 0;
	file_list_add(&fq->ready, f);
}

static void done_zero(struct blkq *q, struct filereq *f, unsigned n)
{
	struct file_queue *fq = q->back;

	f->done += n;
	if (!n) {
		req_end(q, f, VIRTIO_BLK_S_IOERR);
	} else if (f->done >= f->r.ranges[f->range].len) {
		f->range++;
		req_range(q, f);
	} else {
		f->retries = 0;
		file_list_add(&fq->ready, f);
	}
}

static void step_failed(struct blkq *q, struct filereq *f, int rc)
{
	struct file_queue *fq = q->back;
	struct file *file = q->dev->back;

	if ((rc == -EINTR || rc == -EAGAIN) && f->retries++ < RETRIES) {
		file_list_add(&fq->ready, f);
	} else if (f->step == STEP_RW && rc == -EINVAL && file->direct && !f->bounced) {
		/* O_DIRECT is pickier there than it said: a page-aligned buffer is the last word.
		 */
		f->bounced = true;
		file_list_add(&fq->ready, f);
	} else if (f->step == STEP_RANGE &&
		   (rc == -EOPNOTSUPP || rc == -ENOSYS || rc == -ENODEV || rc == -EINVAL)) {
		/* There is another way to do it; the ways only get fewer. */
		atomic_store_explicit(f->mode & FALLOC_FL_PUNCH_HOLE ? &file->no_punch
								     : &file->no_zero,
				      true, memory_order_relaxed);
		req_range(q, f);
	} else {
		req_end(q, f, VIRTIO_BLK_S_IOERR);
	}
}

void filereq_result(struct blkq *q, struct filereq *f, int res)
{
	if (res < 0) {
		step_failed(q, f, res);
		return;
	}
	switch (f->step) {
	case STEP_RW:
		done_rw(q, f, (unsigned)res);
		break;
	case STEP_ZERO:
		done_zero(q, f, (unsigned)res);
		break;
	case STEP_RANGE:
		f->range++;
		req_range(q, f);
		break;
	case STEP_SYNC:
		req_end(q, f, VIRTIO_BLK_S_OK);
		break;
	}
}
