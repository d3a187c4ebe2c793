/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks of the folder for images: what its file system can do is tried on a file that has no name.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/err.h"
#include "host/check.h"
#include "host/read.h"

enum { TRY_BYTES = 64 << 10, TRY_ALIGN = 4096, TRY_FALLOC = 1 << 20 };

/* The folder, or the nearest one above it that exists. */
static char *nearest(const char *dir)
{
	char *path = xstrdup(dir), *slash;
	struct stat st;

	while (stat(path, &st) < 0 && errno == ENOENT) {
		slash = strrchr(path, '/');
		if (!slash || slash == path) {
			free(path);
			return xstrdup(slash ? "/" : ".");
		}
		*slash = '\0';
	}
	return path;
}

/* An empty file without a name; where the file system has no O_TMPFILE, one whose name goes at
 * once. */
static int unnamed_file(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char *path;

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd >= 0 ? fd : -errno;
	path = xasprintf("%s/.vbench-doctor-XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	else
		unlink(path);
	free(path);
	return fd;
}

/* A page-aligned write and read with O_DIRECT, as QEMU does with cache.direct=on: 0 or -errno. */
static int try_direct(int fd)
{
	int flags = fcntl(fd, F_GETFL), rc = 0;
	void *buf = NULL;

	if (fcntl(fd, F_SETFL, flags | O_DIRECT) < 0)
		return -errno;
	if (posix_memalign(&buf, TRY_ALIGN, TRY_BYTES))
		return -ENOMEM;
	memset(buf, 0xa5, TRY_BYTES);
	if (pwrite(fd, buf, TRY_BYTES, 0) != TRY_BYTES || pread(fd, buf, TRY_BYTES, 0) != TRY_BYTES)
		rc = errno ? -errno : -EIO;
	free(buf);
	fcntl(fd, F_SETFL, flags);
	return rc;
}

static void check_direct(struct host_checks *c, int fd)
{
	int rc;

	errno = 0;
	rc = try_direct(fd);
	if (rc == 0)
		host_checks_add(c, CHECK_PASS, "O_DIRECT", "", "works on the image folder");
	else
		host_checks_add(
			c, CHECK_WARN, "O_DIRECT", "use another disk.dir, or cache = writeback",
			"not on the image folder (%s): cache = none and directsync fail there",
			strerror(-rc));
}

/* Unwritten extents show what is preallocated but not yet written; without FIEMAP a preallocation
 * is "unknown". */
static void check_extents(struct host_checks *c, int fd)
{
	struct {
		struct fiemap head;
		struct fiemap_extent extent[4];
	} map = {.head = {.fm_length = FIEMAP_MAX_OFFSET,
			  .fm_flags = FIEMAP_FLAG_SYNC,
			  .fm_extent_count = 4}};
	int rc = fallocate(fd, 0, TRY_FALLOC, TRY_FALLOC) < 0 ? -errno : 0;

	if (rc == 0)
		host_checks_add(c, CHECK_PASS, "fallocate", "", "works on the image folder");
	else
		host_checks_add(
			c, CHECK_WARN, "fallocate", "use another disk.dir, or mode = full",
			"not on the image folder (%s): mode = falloc cannot be measured there",
			strerror(-rc));
	if (ioctl(fd, FS_IOC_FIEMAP, &map) == 0 && (rc < 0 || map.head.fm_mapped_extents > 0))
		host_checks_add(c, CHECK_PASS, "FIEMAP", "",
				"tells how images are laid out (%u extents)",
				map.head.fm_mapped_extents);
	else
		host_checks_add(
			c, CHECK_WARN, "FIEMAP",
			"use another disk.dir (ext4, xfs, btrfs), or strict = off",
			"no answer on the image folder: whether images are preallocated as asked can't be "
			"told");
}

static int try_enter(const void *arg)
{
	return chdir(arg) < 0 ? -errno : 0;
}

static void check_kind(struct host_checks *c, const char *dir)
{
	json_t *s = host_storage_at("", dir);
	const char *kind = json_string_value(json_object_get(s, "kind"));
	const char *type = json_string_value(json_object_get(s, "filesystem"));
	const char *what = "image folder";

	if (!kind || !type)
		host_checks_add(c, CHECK_WARN, what, "mount /proc",
				"%s: its file system can't be told", dir);
	else if (strcmp(kind, "memory") == 0)
		host_checks_add(c, CHECK_WARN, what,
				"name a folder on the disk that is meant: --dir",
				"%s lies in memory (%s): no disk of this host is measured there",
				dir, type);
	else if (strcmp(kind, "overlay") == 0)
		host_checks_add(
			c, CHECK_WARN, what, "name a folder on a real file system: --dir",
			"%s lies on an overlay (a container?): its copying is measured, too", dir);
	else
		host_checks_add(c, CHECK_PASS, what, "", "%s on %s (%s)", dir, type, kind);
	json_decref(s);
}

void host_check_dir(struct host_checks *c, const char *dir, const struct child_user *user)
{
	char *path = nearest(dir), name[64];
	int fd = unnamed_file(path), rc;

	check_kind(c, path);
	if (fd < 0) {
		host_checks_add(c, CHECK_FAIL, "image folder writable",
				"name another one: --dir (disk.dir)",
				"no file can be made in %s: %s", path, strerror(-fd));
	} else {
		check_direct(c, fd);
		check_extents(c, fd);
		close(fd);
	}
	rc = host_as_user(user, try_enter, path);
	if (rc < 0)
		host_checks_add(c, CHECK_FAIL, "image folder for QEMU",
				"chmod o+x the folders above it, or --dir",
				"%s cannot enter %s: %s",
				host_user_name(user ? user->uid : geteuid(), name, sizeof(name)),
				path, strerror(-rc));
	free(path);
}
