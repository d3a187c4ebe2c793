// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The back end over a regular file or block device, through one io_uring per queue. A request is a
 * row of steps, of which one at a time is in the ring; what is ready waits in a list of its own,
 * so that neither a full submission nor a full completion queue loses anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "engines/back_file.h"

#define SQ_ENTRIES 256
#define CQ_ENTRIES 1024 /* what one queue has in the kernel at most */
#define CHUNK 64	/* requests that are allocated at once */

/* --- the file --------------------------------------------------------------------------------- */

static int file_size(int fd, const struct stat *st, uint64_t *size)
{
	if (S_ISBLK(st->st_mode))
		return ioctl(fd, BLKGETSIZE64, size) < 0 ? -errno : 0;
	*size = (uint64_t)st->st_size;
	return 0;
}

/* What O_DIRECT asks for. Where the kernel does not say, reading tells. */
static void file_alignment(struct file *f)
{
	char *p;

#ifdef STATX_DIOALIGN
	struct statx sx = {0};

	if (!statx(f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) &&
	    (sx.stx_mask & STATX_DIOALIGN) && sx.stx_dio_offset_align) {
		f->mem_align = sx.stx_dio_mem_align;
		f->io_align = sx.stx_dio_offset_align;
		return;
	}
#endif
	f->mem_align = f->io_align = 4096;
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return;
	for (unsigned align = 512; align < 4096; align *= 2)
		if (pread(f->fd, p + align, align, 0) >= 0) {
			f->mem_align = f->io_align = align;
			break;
		}
	munmap(p, 8192);
}

static int file_check(struct blkdev *b, struct file *f, const struct blkdev_opts *o, struct err *e)
{
	struct stat st;
	uint64_t size = 0;
	int rc;

	if (fstat(f->fd, &st) < 0)
		return err_set(e, -errno, "%s: %s", o->path, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_input(e, "%s: neither a regular file nor a block device", o->path);
	/* O_NONBLOCK was for opening a FIFO; io_uring would take it as "fail rather than wait". */
	if (fcntl(f->fd, F_SETFL, f->direct ? O_DIRECT : 0) < 0)
		return err_set(e, -errno, "%s: %s", o->path, strerror(errno));
	rc = file_size(f->fd, &st, &size);
	if (rc)
		return err_set(e, rc, "%s: its size: %s", o->path, strerror(-rc));
	if (!b->size)
		b->size = size - size % b->block_size;
	if (b->size > size)
		return err_input(e, "%s: %" PRIu64 " bytes, fewer than the disk's %" PRIu64,
				 o->path, size, b->size);
	if (!b->size)
		return err_input(e, "%s: it is empty; make it as large as the disk shall be",
				 o->path);
	if (!f->direct)
		return 0;
	file_alignment(f);
	if (b->block_size % f->io_align)
		return err_input(e,
				 "%s: O_DIRECT takes multiples of %u bytes there: a block size of "
				 "%u needs direct off, or blocks of %u",
				 o->path, f->io_align, b->block_size, f->io_align);
	return 0;
}

static int file_open(struct blkdev *b, const struct blkdev_opts *o, struct err *e)
{
	struct file *f = xcalloc(1, sizeof(*f));
	int flags = (b->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int rc;

	f->direct = o->direct;
	f->fd = open(o->path, flags | (f->direct ? O_DIRECT : 0));
	if (f->fd < 0) {
		rc = err_set(e, -errno, "%s: %s%s", o->path, strerror(errno),
			     f->direct && errno == EINVAL ? " (no O_DIRECT there: direct off)"
							  : "");
		free(f);
		return rc;
	}
	rc = file_check(b, f, o, e);
	if (rc) {
		close(f->fd);
		free(f);
		return rc;
	}
	/* Pages, which any O_DIRECT takes; never written, so they are the one zero page. */
	f->zeroes = mmap(NULL, FILE_ZERO_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f->zeroes == MAP_FAILED) {
		rc = err_set(e, -errno, "%s: a page of zeroes: %s", o->path, strerror(errno));
		close(f->fd);
		free(f);
		return rc;
	}
	b->back = f;
	return 0;
}

static void file_close(struct blkdev *b)
{
	struct file *f = b->back;

	close(f->fd);
	munmap(f->zeroes, FILE_ZERO_BYTES);
	free(f);
}

/* --- the queue -------------------------------------------------------------------------------- */

static void list_init(struct file_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static struct filereq *slot_take(struct file_queue *fq)
{
	struct filereq *f;

	if (!fq->free) {
		struct filereq *more = xcalloc(CHUNK, sizeof(*more));

		fq->chunks = xrealloc(fq->chunks, fq->nchunks + 1, sizeof(*fq->chunks));
		fq->chunks[fq->nchunks++] = more;
		for (unsigned i = 0; i < CHUNK; i++) {
			more[i].next = fq->free;
			fq->free = &more[i];
		}
	}
	f = fq->free;
	fq->free = f->next;
	return f;
}

static int file_start(struct blkq *q, const struct blkreq *r)
{
	struct file_queue *fq = q->back;
	struct filereq *f = slot_take(fq);

	filereq_fill(q->dev->back, f, r);
	file_list_add(&fq->ready, f);
	return BACK_LATER;
}

static void file_submit(struct blkq *q)
{
	struct file_queue *fq = q->back;

	while (fq->in_ring < CQ_ENTRIES && fq->ready.first) {
		struct filereq *f;
		struct io_uring_sqe *sqe;

		/* A place in the ring first, so that what was taken from the list can go. */
		if (!io_uring_sq_space_left(&fq->ring) && io_uring_submit(&fq->ring) <= 0)
			break;
		f = file_list_take(&fq->ready);
		if (!filereq_ready(q, f))
			continue;
		sqe = io_uring_get_sqe(&fq->ring);
		filereq_prep(q, f, sqe);
		fq->in_ring++;
	}
	/* What cannot go now (memory is short) stays in the ring for the next turn. */
	if (io_uring_sq_ready(&fq->ring))
		io_uring_submit(&fq->ring);
}

static void file_reap(struct blkq *q)
{
	struct file_queue *fq = q->back;
	struct io_uring_cqe *cqes[32];
	unsigned n;

	/* Bounded by what is in the ring: nothing is submitted meanwhile. */
	while ((n = io_uring_peek_batch_cqe(&fq->ring, cqes, 32))) {
		for (unsigned i = 0; i < n; i++) {
			struct filereq *f = io_uring_cqe_get_data(cqes[i]);
			int res = cqes[i]->res;

			fq->in_ring--;
			filereq_result(q, f, res);
		}
		io_uring_cq_advance(&fq->ring, n);
	}
}

static int file_fd(const struct blkq *q)
{
	const struct file_queue *fq = q->back;

	return fq->ring.ring_fd;
}

static bool file_arm(struct blkq *q)
{
	struct file_queue *fq = q->back;
	unsigned flags = __atomic_load_n(fq->ring.sq.kflags, __ATOMIC_ACQUIRE);

	/* The ring's own descriptor is readable as long as it holds completions, so that one that
	 * comes after this look is not missed. */
	return !io_uring_cq_ready(&fq->ring) && !io_uring_sq_ready(&fq->ring) &&
	       !(flags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) &&
	       (!fq->ready.first || fq->in_ring >= CQ_ENTRIES);
}

static int ring_open(struct io_uring *ring)
{
	struct io_uring_params p = {
		.flags =
			IORING_SETUP_CQSIZE | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		.cq_entries = CQ_ENTRIES,
	};
	int rc = io_uring_queue_init_params(SQ_ENTRIES, ring, &p);

	/* Before Linux 5.19: completions interrupt the thread instead. */
	if (rc == -EINVAL) {
		memset(&p, 0, sizeof(p));
		p.flags = IORING_SETUP_CQSIZE;
		p.cq_entries = CQ_ENTRIES;
		rc = io_uring_queue_init_params(SQ_ENTRIES, ring, &p);
	}
	return rc;
}

static int file_make(struct blkq *q, struct err *e)
{
	struct file_queue *fq = xcalloc(1, sizeof(*fq));
	const struct file *file = q->dev->back;
	int rc = ring_open(&fq->ring);

	if (rc) {
		free(fq);
		return err_set(
			e, rc, "io_uring: %s%s", strerror(-rc),
			rc == -EPERM || rc == -ENOSYS
				? " (see /proc/sys/kernel/io_uring_disabled, and the sandbox)"
				: "");
	}
	rc = io_uring_register_files(&fq->ring, &file->fd, 1);
	if (rc < 0) {
		io_uring_queue_exit(&fq->ring);
		free(fq);
		return err_set(e, rc, "io_uring: registering the file: %s", strerror(-rc));
	}
	/* Spares a look-up in each system call; Linux 5.18. */
	io_uring_register_ring_fd(&fq->ring);
	list_init(&fq->ready);
	list_init(&fq->starved);
	q->back = fq;
	return 0;
}

static void file_free(struct blkq *q)
{
	struct file_queue *fq = q->back;
	bool busy = fq->in_ring;

	io_uring_queue_exit(&fq->ring);
	/* The kernel may still write into the buffers of what is in flight: better lost than
	 * somebody else's. */
	if (!busy) {
		for (unsigned i = 0; i < fq->nchunks; i++) {
			for (unsigned j = 0; j < CHUNK; j++) {
				free(fq->chunks[i][j].table);
				free(fq->chunks[i][j].bounce);
			}
			free(fq->chunks[i]);
		}
		free(fq->chunks);
	}
	while (fq->nbounce)
		free(fq->bounce[--fq->nbounce]);
	free(fq);
}

const struct back_ops back_file = {
	.name = "file",
	.open = file_open,
	.close = file_close,
	.make = file_make,
	.free = file_free,
	.start = file_start,
	.submit = file_submit,
	.reap = file_reap,
	.fd = file_fd,
	.arm = file_arm,
};
