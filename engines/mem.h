/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of a vhost-user peer: regions mapped from its file descriptors, and the only way from
 * its addresses to pointers. Everything it names is checked against the regions; what is not wholly
 * inside is refused.
 */
#ifndef VB_ENGINES_MEM_H
#define VB_ENGINES_MEM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include "base/err.h"

#define MEM_REGIONS 32

struct mem_region {
	uint64_t guest; /* first address as descriptors name it */
	uint64_t user;	/* the same as SET_VRING_ADDR names it (the peer's own pointers) */
	uint64_t size;	/* bytes */
	char *at;	/* where it is here */
	void *map;	/* what to unmap; NULL: not ours */
	size_t map_size;
};

/* Regions do not overlap, in either address space. Not changed while queues run. */
struct mem {
	struct mem_region region[MEM_REGIONS];
	unsigned n;
};

/* Maps size bytes from offset of fd (which stays the caller's) as one more region. Refuses sizes of
 * 0, overflow, overlap, a file that is shorter, more than MEM_REGIONS, and what is no memory file
 * (memfd, tmpfs, hugetlbfs): a page of any other may have to be fetched from where the peer can
 * hold it back for ever, as may the answer to fstat (FUSE, a network). */
int mem_add(struct mem *m, int fd, uint64_t offset, uint64_t guest, uint64_t user, uint64_t size,
	    struct err *e);

/* Memory of this process as a region (the loop transport). */
int mem_add_local(struct mem *m, void *at, uint64_t guest, uint64_t size, struct err *e);

/* Unmaps the region that has just these three numbers; -EINVAL when there is none. */
int mem_remove(struct mem *m, uint64_t guest, uint64_t user, uint64_t size, struct err *e);

/* Unmaps all; the structure is then as it starts, zeroed. */
void mem_clear(struct mem *m);

/* len bytes at a descriptor's address as pieces in iov (one, unless they cross regions); how many,
 * 0 for len 0, -EFAULT when not wholly inside, -EMSGSIZE when max is too few. */
int mem_iov(const struct mem *m, uint64_t guest, uint64_t len, struct iovec *iov, unsigned max);

/* The same for what must be in one piece (indirect tables, areas); NULL if it is not, or has no
 * bytes. */
void *mem_at(const struct mem *m, uint64_t guest, uint64_t len);
void *mem_at_user(const struct mem *m, uint64_t user, uint64_t len);

/*
 * A peer may cut its file short after it was mapped: the next touch is SIGBUS. Installs a handler
 * (for the whole process, for good; a second call does nothing) that puts a zero page of our own in
 * the place of what went away in a region of mem_add's and counts it (mem_losses: what peers of
 * this process have done so far; mem_lost: any); a SIGBUS from elsewhere goes where it went before.
 */
void mem_guard(void);
unsigned mem_losses(void);
bool mem_lost(void);

#endif
