// SPDX-License-Identifier: GPL-2.0-or-later
/* A peer's memory: mapped, checked, and guarded against a file that is cut short. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "engines/mem.h"

/* --- the guard -------------------------------------------------------------------------------- */

/* Mappings that may lose pages, of all struct mem of the process: what the handler of SIGBUS can
 * look at. A handler has no arguments, hence the globals. */
#define GUARDED 256

static struct {
	uintptr_t at; /* 0: free; 1: being filled in */
	size_t size, page;
} guarded[GUARDED];
static unsigned losses;
static bool installed;
static struct sigaction before;

static int guard_add(void *at, size_t size, size_t page)
{
	for (unsigned i = 0; i < GUARDED; i++) {
		uintptr_t unused = 0;

		if (!__atomic_compare_exchange_n(&guarded[i].at, &unused, 1, false,
						 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		__atomic_store_n(&guarded[i].size, size, __ATOMIC_RELAXED);
		__atomic_store_n(&guarded[i].page, page, __ATOMIC_RELAXED);
		__atomic_store_n(&guarded[i].at, (uintptr_t)at, __ATOMIC_RELEASE);
		return 0;
	}
	return -ENOSPC;
}

static void guard_remove(void *at)
{
	for (unsigned i = 0; i < GUARDED; i++) {
		if (__atomic_load_n(&guarded[i].at, __ATOMIC_RELAXED) == (uintptr_t)at)
			__atomic_store_n(&guarded[i].at, 0, __ATOMIC_RELEASE);
	}
}

static bool zero_pages(uintptr_t at, size_t size)
{
	return mmap((void *)at, size, PROT_READ | PROT_WRITE,
		    MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

/* Only system calls and atomics: this runs between any two instructions. */
static bool guard_mend(uintptr_t fault)
{
	for (unsigned i = 0; i < GUARDED; i++) {
		uintptr_t at = __atomic_load_n(&guarded[i].at, __ATOMIC_ACQUIRE);
		size_t size = __atomic_load_n(&guarded[i].size, __ATOMIC_RELAXED);
		size_t page = __atomic_load_n(&guarded[i].page, __ATOMIC_RELAXED);

		if (at <= 1 || fault - at >= size)
			continue;
		fault -= (fault - at) % page;
		__atomic_fetch_add(&losses, 1, __ATOMIC_RELEASE);
		/* One page, as what lies behind may still be there; all the rest when the process
		 * has no room for more mappings. */
		return zero_pages(fault, page) || zero_pages(fault, size - (fault - at));
	}
	return false;
}

static void guard_pass_on(int sig, siginfo_t *info, void *context)
{
	struct sigaction fatal = {.sa_handler = SIG_DFL};

	if (before.sa_flags & SA_SIGINFO && before.sa_sigaction) {
		before.sa_sigaction(sig, info, context);
	} else if (!(before.sa_flags & SA_SIGINFO) && before.sa_handler != SIG_DFL &&
		   before.sa_handler != SIG_IGN) {
		before.sa_handler(sig);
	} else if (before.sa_handler != SIG_IGN || info->si_code > 0) {
		/* The instruction runs again and ends the process; what another process sent
		 * (si_code up to 0) has to be sent again. */
		sigaction(SIGBUS, &fatal, NULL);
		if (info->si_code <= 0)
			raise(SIGBUS);
	}
}

static void guard_caught(int sig, siginfo_t *info, void *context)
{
	int kept = errno;

	if (info->si_code <= 0 || !guard_mend((uintptr_t)info->si_addr))
		guard_pass_on(sig, info, context);
	errno = kept;
}

void mem_guard(void)
{
	struct sigaction sa = {.sa_sigaction = guard_caught, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	if (__atomic_exchange_n(&installed, true, __ATOMIC_ACQ_REL))
		return;
	sigemptyset(&sa.sa_mask);
	/* What was there is known before ours can run. */
	sigaction(SIGBUS, NULL, &before);
	sigaction(SIGBUS, &sa, NULL);
}

unsigned mem_losses(void)
{
	return __atomic_load_n(&losses, __ATOMIC_ACQUIRE);
}

bool mem_lost(void)
{
	return mem_losses() > 0;
}

/* --- regions ---------------------------------------------------------------------------------- */

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static int room_check(const struct mem *m, uint64_t guest, uint64_t user, uint64_t size,
		      struct err *e)
{
	if (m->n >= MEM_REGIONS)
		return err_input(e, "the peer names more than %d memory regions", MEM_REGIONS);
	if (!size)
		return err_input(e, "a memory region of the peer's has no bytes");
	if (guest > UINT64_MAX - size || user > UINT64_MAX - size)
		return err_input(e,
				 "a memory region of the peer's runs over the end of the address "
				 "space: %#llx bytes at %#llx",
				 (unsigned long long)size, (unsigned long long)guest);
	for (unsigned i = 0; i < m->n; i++) {
		const struct mem_region *r = &m->region[i];

		if (overlap(guest, size, r->guest, r->size) ||
		    overlap(user, size, r->user, r->size))
			return err_input(e, "the peer's memory regions %u and %u overlap", i, m->n);
	}
	return 0;
}

/* Whether the file can be mapped up to `end`, and in what unit. */
static int file_check(int fd, uint64_t end, size_t *page, struct err *e)
{
	struct statfs fs;
	struct stat st;
	int rc;

	/* Only files of shmem and hugetlbfs have seals. Asked first, and of the kernel alone:
	 * fstat and fstatfs are answered by the file's own server where there is one. */
	rc = fcntl(fd, F_GET_SEALS) < 0 ? -errno : 0;
	if (rc == -EINVAL)
		return err_input(e,
				 "the peer's memory descriptor is no memory file; it has to be a "
				 "memfd, or a file on tmpfs (/dev/shm) or hugetlbfs");
	if (rc || fstat(fd, &st) || fstatfs(fd, &fs)) {
		rc = rc ? rc : -errno;
		return err_set(e, rc, "the peer's memory descriptor: %s", strerror(-rc));
	}
	if ((uint64_t)st.st_size < end)
		return err_input(e,
				 "the peer's memory file has %llu bytes, and the region ends at "
				 "%llu",
				 (unsigned long long)st.st_size, (unsigned long long)end);
	/* Huge page files are mapped in pages of theirs. */
	*page = fs.f_type == HUGETLBFS_MAGIC && fs.f_bsize > 0 ? (size_t)fs.f_bsize
							       : (size_t)sysconf(_SC_PAGESIZE);
	return 0;
}

int mem_add(struct mem *m, int fd, uint64_t offset, uint64_t guest, uint64_t user, uint64_t size,
	    struct err *e)
{
	int rc = room_check(m, guest, user, size, e);
	size_t page, lead, map_size;
	char *map;

	if (rc)
		return rc;
	if (size > INT64_MAX / 2 || offset > INT64_MAX / 2)
		return err_input(e,
				 "a memory region of the peer's is too large: %llu bytes from %llu",
				 (unsigned long long)size, (unsigned long long)offset);
	rc = file_check(fd, offset + size, &page, e);
	if (rc)
		return rc;
	lead = (size_t)(offset % page);
	map_size = (lead + (size_t)size + page - 1) / page * page;
	map = mmap(NULL, map_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		   (off_t)(offset - lead));
	if (map == MAP_FAILED)
		return err_set(e, -errno, "the peer's memory cannot be mapped (%llu bytes): %s",
			       (unsigned long long)size, strerror(errno));
	if (guard_add(map, map_size, page)) {
		munmap(map, map_size);
		return err_set(e, -ENOSPC, "more than %d memory regions of peers at once", GUARDED);
	}
	/* A guest's memory has no business in a core dump of ours. */
	madvise(map, map_size, MADV_DONTDUMP);
	m->region[m->n++] = (struct mem_region){.guest = guest,
						.user = user,
						.size = size,
						.at = map + lead,
						.map = map,
						.map_size = map_size};
	return 0;
}

int mem_add_local(struct mem *m, void *at, uint64_t guest, uint64_t size, struct err *e)
{
	int rc = room_check(m, guest, (uintptr_t)at, size, e);

	if (rc)
		return rc;
	m->region[m->n++] =
		(struct mem_region){.guest = guest, .user = (uintptr_t)at, .size = size, .at = at};
	return 0;
}

static void region_unmap(struct mem_region *r)
{
	if (!r->map)
		return;
	guard_remove(r->map);
	munmap(r->map, r->map_size);
}

int mem_remove(struct mem *m, uint64_t guest, uint64_t user, uint64_t size, struct err *e)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct mem_region *r = &m->region[i];

		if (r->guest != guest || r->user != user || r->size != size)
			continue;
		region_unmap(r);
		memmove(r, r + 1, (m->n - i - 1) * sizeof(*r));
		m->region[--m->n] = (struct mem_region){0};
		return 0;
	}
	return err_input(e,
			 "the peer takes away a memory region that it has not given: %#llx bytes "
			 "at %#llx",
			 (unsigned long long)size, (unsigned long long)guest);
}

void mem_clear(struct mem *m)
{
	for (unsigned i = 0; i < m->n; i++)
		region_unmap(&m->region[i]);
	memset(m, 0, sizeof(*m));
}

/* --- addresses -------------------------------------------------------------------------------- */

static const struct mem_region *region_of(const struct mem *m, uint64_t guest)
{
	for (unsigned i = 0; i < m->n; i++) {
		if (guest - m->region[i].guest < m->region[i].size)
			return &m->region[i];
	}
	return NULL;
}

int mem_iov(const struct mem *m, uint64_t guest, uint64_t len, struct iovec *iov, unsigned max)
{
	unsigned n = 0;

	/* Never runs over the end of the address space, since no region ends there. */
	while (len) {
		const struct mem_region *r = region_of(m, guest);
		uint64_t off, piece;

		if (!r)
			return -EFAULT;
		if (n == max)
			return -EMSGSIZE;
		off = guest - r->guest;
		piece = len < r->size - off ? len : r->size - off;
		iov[n++] = (struct iovec){r->at + off, (size_t)piece};
		guest += piece;
		len -= piece;
	}
	return (int)n;
}

void *mem_at(const struct mem *m, uint64_t guest, uint64_t len)
{
	const struct mem_region *r = region_of(m, guest);

	if (!len || !r || len > r->size - (guest - r->guest))
		return NULL;
	return r->at + (guest - r->guest);
}

void *mem_at_user(const struct mem *m, uint64_t user, uint64_t len)
{
	for (unsigned i = 0; len && i < m->n; i++) {
		const struct mem_region *r = &m->region[i];
		uint64_t off = user - r->user;

		if (off < r->size)
			return len <= r->size - off ? r->at + off : NULL;
	}
	return NULL;
}
