/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gives back what a file system does not use: discarded (trim), or overwritten with zeroes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>
#include "guest-agent/agent.h"
#include "guest-agent/fs.h"

#define ZERO_CHUNK (1u << 20)
#define ZERO_LEAST 512u
#define ZERO_SYNC (16ull << 20) /* so much lies in memory at most before it is waited for */
#define ZERO_FILES 4096		/* of 4 GiB less a byte on vfat */
#define ZERO_NAME ".vbench-zero-%08x"
#define SWAP_STEP (256ull << 20)

/* The header of Linux's swap (include/linux/swap.h, union swap_header), in its first page. */
#define SWAP_VERSION_AT 1024
#define SWAP_LAST_AT 1028
#define SWAP_MAGIC "SWAPSPACE2"

/*
 * A file that has no name, so that nothing stays of it however we end, and the top folder is not
 * even touched. vfat has no such files: there it has a name for a moment, and vfat keeps no times
 * of its top folder. -1 with errno.
 */
static int zero_open(int dir, unsigned number)
{
	int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), flags;
	char name[64];

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
		snprintf(name, sizeof(name), ZERO_NAME, (unsigned)getpid() << 16 ^ number);
		fd = openat(dir, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600);
		if (fd >= 0 && unlinkat(dir, name, 0)) {
			int err = errno;

			close(fd);
			errno = err;
			return -1;
		}
	}
	/* btrfs would compress zeroes to nothing where its top folder says so; elsewhere refused */
	if (fd >= 0 && !ioctl(fd, FS_IOC_GETFLAGS, &flags)) {
		flags = (flags & ~FS_COMPR_FL) | FS_NOCOW_FL;
		ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	return fd;
}

/*
 * Writes zeroes until nothing more fits: 0 with ENOSPC met, EFBIG when the file can't be larger,
 * else an errno. Adds to *done. Smaller and smaller pieces at the end, as what is left is.
 */
static int zero_fill(int fd, const void *zeroes, uint64_t *done)
{
	size_t piece = ZERO_CHUNK;
	uint64_t unsynced = 0;

	for (;;) {
		ssize_t n = write(fd, zeroes, piece);

		if (n > 0) {
			*done += (uint64_t)n;
			unsynced += (uint64_t)n;
			if (unsynced < ZERO_SYNC)
				continue;
			unsynced = 0;
			/* here a full disk of the host shows itself, and delayed allocation */
			if (fdatasync(fd) && errno != ENOSPC)
				return errno;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ENOSPC && errno != EDQUOT)
			return errno;
		if (piece == ZERO_LEAST)
			break;
		piece /= 2;
	}
	return fsync(fd) && errno != ENOSPC ? errno : 0;
}

/*
 * XFS keeps up to 8192 blocks back for itself while it is mounted: as long as it stays so now,
 * none. (Their number is not on the disk.)
 */
struct xfs_reserve {
	uint64_t blocks, available;
};
#define XFS_SET_RESERVE _IOWR('X', 114, struct xfs_reserve) /* xfs_fs.h: XFS_IOC_SET_RESBLKS */

static void xfs_reserve_none(int dir)
{
	struct xfs_reserve none = {0};

	if (ioctl(dir, XFS_SET_RESERVE, &none))
		sys_say("xfs: its reserve stays: %s", strerror(errno));
}

/*
 * All free space of what dir is the top of that a file can take: on btrfs, what its chunks of
 * metadata have free stays as it is. False and why.
 */
static bool fs_zero(const struct fs_request *r, int dir, uint64_t *done, char why[FS_WHY])
{
	int *fds = calloc(ZERO_FILES, sizeof(*fds)), rc = fds ? EFBIG : ENOMEM;
	void *zeroes = calloc(1, ZERO_CHUNK);
	unsigned n = 0;

	rc = zeroes ? rc : ENOMEM;
	if (!strcmp(r->type, "xfs"))
		xfs_reserve_none(dir);
	while (rc == EFBIG && n < ZERO_FILES) {
		uint64_t before = *done;

		fds[n] = zero_open(dir, n);
		if (fds[n] < 0) {
			/* a full file system has no room for the next file either */
			rc = errno == ENOSPC ? 0 : errno;
			break;
		}
		rc = zero_fill(fds[n++], zeroes, done);
		if (rc == EFBIG && *done == before)
			break;
	}
	/* all are held until all is full, else one would write over what another gave back */
	if (!rc && syncfs(dir) && errno != ENOSPC)
		rc = errno;
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
	free(fds);
	free(zeroes);
	if (rc)
		fs_why(why, rc, "%s: writing zeroes into its free space", r->path + 5);
	return !rc;
}

/* One FITRIM over everything: 0 and the bytes trimmed, or an errno. */
static int trim_once(int dir, uint64_t *done)
{
	struct fstrim_range range = {.len = UINT64_MAX};

	if (ioctl(dir, FITRIM, &range))
		return errno;
	*done = range.len;
	return 0;
}

static bool fs_trim(const struct fs_request *r, int dir, uint64_t *done, char why[FS_WHY])
{
	int rc = trim_once(dir, done);

	if (rc == EOPNOTSUPP || rc == ENOTTY)
		fs_why(why, 0,
		       "%s (%s) can't be trimmed: the file system has no FITRIM, or the disk takes "
		       "no discards",
		       r->path + 5, r->type);
	else if (rc)
		fs_why(why, rc, "%s (%s): FITRIM", r->path + 5, r->type);
	return !rc;
}

static json_t *free_answer(uint64_t bytes, uint64_t free_bytes, uint64_t began)
{
	return json_pack("{s:I, s:I, s:f}", "bytes", (json_int_t)bytes, "free_bytes",
			 (json_int_t)free_bytes, "seconds", (double)(sys_mono_ns() - began) / 1e9);
}

static uint32_t get_32(const uint8_t *p, bool big)
{
	return big ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
		   : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/*
 * Where a swap's pages lie: behind the first, up to and with last_page. The magic is at the end of
 * the first page, whose size is that of the machine that made it (4 to 64 KiB). False: it is none.
 */
static bool swap_extent(int fd, uint64_t bytes, uint64_t *from, uint64_t *to)
{
	uint8_t head[65536];
	ssize_t n = pread(fd, head, sizeof(head), 0);

	for (uint64_t page = 4096; page <= sizeof(head) && (ssize_t)page <= n; page *= 2) {
		bool big;
		uint64_t last;

		if (memcmp(head + page - 10, SWAP_MAGIC, 10))
			continue;
		big = get_32(head + SWAP_VERSION_AT, true) == 1;
		if (!big && get_32(head + SWAP_VERSION_AT, false) != 1)
			return false;
		last = get_32(head + SWAP_LAST_AT, big);
		*from = page;
		*to = (last + 1) * page;
		if (*to > bytes)
			*to = bytes / page * page;
		return *to >= *from;
	}
	return false;
}

/*
 * The first page stays as it is: with it size, UUID, label and bad pages. So there is no moment at
 * which it is not swap.
 */
static json_t *swap_free(const struct fs_request *r, char why[FS_WHY])
{
	int fd = open(r->path, O_RDWR | O_EXCL | O_CLOEXEC), err;
	uint64_t bytes = 0, from, to, began = sys_mono_ns();

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes)) {
		fs_why(why, errno, "%s", r->path + 5);
		goto fail;
	}
	if (!swap_extent(fd, bytes, &from, &to)) {
		fs_why(why, 0, "%s: there is no header of a swap of version 1 on it", r->path + 5);
		goto fail;
	}
	fs_total(r, to - from);
	for (uint64_t at = from; at < to; at += SWAP_STEP) {
		uint64_t n = to - at < SWAP_STEP ? to - at : SWAP_STEP, range[2] = {at, n};

		/* with the disk's own "write zeroes, unmap if you like", if it has that */
		if (!r->zero &&
		    !fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)n))
			continue;
		if (ioctl(fd, BLKZEROOUT, range)) {
			fs_why(why, errno, "%s: writing zeroes", r->path + 5);
			goto fail;
		}
	}
	if (fsync(fd)) {
		fs_why(why, errno, "%s: flushing", r->path + 5);
		goto fail;
	}
	close(fd);
	return free_answer(to - from, to - from, began);
fail:
	err = errno;
	if (fd >= 0)
		close(fd);
	errno = err;
	return NULL;
}

/* Mounts, frees, unmounts: one pass. */
static bool free_pass(const struct fs_request *r, uint64_t *done, uint64_t *free_bytes,
		      char why[FS_WHY])
{
	int dir = fs_mount(r->path, r->type, FS_WRITE, why);
	struct statvfs vfs;
	bool ok;

	if (dir < 0)
		return false;
	/* what a replayed journal freed must be free on the disk before it is given back */
	if (syncfs(dir) || fstatvfs(dir, &vfs)) {
		fs_why(why, errno, "%s: flushing", r->path + 5);
		return false;
	}
	*free_bytes = (uint64_t)vfs.f_bfree * vfs.f_frsize;
	fs_total(r, *free_bytes);
	ok = r->zero ? fs_zero(r, dir, done, why) : fs_trim(r, dir, done, why);
	if (ok && syncfs(dir)) {
		fs_why(why, errno, "%s: flushing", r->path + 5);
		ok = false;
	}
	/* a failure has its own sentence; the kernel unmounts when we end */
	return ok && fs_unmount(dir, r->path, why);
}

/*
 * Once btrfs has written metadata, the largest free piece of that chunk belongs to a cluster of the
 * allocator's until the unmount, and FITRIM passes over clusters: of a small file system that is
 * half of all. A mount may have reasons to write (the log, chunks that nobody uses any more, the
 * UUID tree), at once or somewhat later; one after it has fewer. So it is trimmed again in a mount of
 * its own, until a pass has reached nearly all that is free, or PASSES have; what one pass reached
 * stays trimmed. That helps often, not always: a part of one metadata chunk may stay with the host.
 */
static bool btrfs_again(const struct fs_request *r, uint64_t *done, uint64_t *free_bytes,
			char why[FS_WHY])
{
	enum { PASSES = 3 };
	uint64_t most = *done;

	for (unsigned i = 1; i < PASSES && (i < 2 || most < *free_bytes / 100 * 95); i++) {
		if (!free_pass(r, done, free_bytes, why))
			return false;
		most = *done > most ? *done : most;
	}
	*done = most;
	return true;
}

json_t *fs_free(const struct fs_request *r, char why[FS_WHY])
{
	uint64_t done = 0, free_bytes = 0, began = sys_mono_ns();

	if (!strcmp(r->type, "swap"))
		return swap_free(r, why);
	if (!free_pass(r, &done, &free_bytes, why))
		return NULL;
	if (!strcmp(r->type, "btrfs") && !r->zero && !btrfs_again(r, &done, &free_bytes, why))
		return NULL;
	return free_answer(done, free_bytes, began);
}
