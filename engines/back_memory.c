// SPDX-License-Identifier: GPL-2.0-or-later
/* The back end in this process's own memory: every request is a copy, done at once. */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "engines/blkdev_internal.h"

static int memory_open(struct blkdev *b, const struct blkdev_opts *o, struct err *e)
{
	void *p = MAP_FAILED;

	(void)o;
	errno = ENOMEM;
	if (b->size <= SIZE_MAX)
		p = mmap(NULL, b->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return err_set(e, -errno, "%" PRIu64 " bytes of memory for the disk: %s", b->size,
			       strerror(errno));
	/* Fewer TLB misses; a hint, so whether it is taken does not matter. */
	madvise(p, b->size, MADV_HUGEPAGE);
	b->back = p;
	return 0;
}

static void memory_close(struct blkdev *b)
{
	munmap(b->back, b->size);
}

static int memory_make(struct blkq *q, struct err *e)
{
	(void)q;
	(void)e;
	return 0;
}

static void memory_free(struct blkq *q)
{
	(void)q;
}

/* Whole pages go back to the system where that is allowed: they read as zeroes from then on. */
static void memory_zero(char *at, const struct blk_range *r)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = (uintptr_t)at + r->offset, to = from + r->len;
	uintptr_t first = (from + page - 1) & ~(page - 1), last = to & ~(page - 1);

	if (!r->unmap || first >= last || madvise((void *)first, last - first, MADV_DONTNEED)) {
		memset((void *)from, 0, r->len);
		return;
	}
	memset((void *)from, 0, first - from);
	memset((void *)last, 0, to - last);
}

static int memory_start(struct blkq *q, const struct blkreq *r)
{
	char *at = q->dev->back;

	switch (r->type) {
	case VIRTIO_BLK_T_IN:
		pieces_scatter(r->iov, r->niov, at + r->offset, r->len);
		break;
	case VIRTIO_BLK_T_OUT:
		pieces_gather(r->iov, r->niov, at + r->offset, r->len);
		break;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		for (unsigned i = 0; i < r->nranges; i++)
			memory_zero(at, &r->ranges[i]);
		break;
	}
	return VIRTIO_BLK_S_OK;
}

const struct back_ops back_memory = {
	.name = "memory",
	.open = memory_open,
	.close = memory_close,
	.make = memory_make,
	.free = memory_free,
	.start = memory_start,
};
