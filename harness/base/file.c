/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole small files, atomic writes, folders. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"

enum {
	FILE_CHUNK = 64 * 1024,
	DIR_DEPTH_MAX = 64, /* a folder of ours is a few levels deep; each level costs an fd */
};

static ssize_t file_read_some(int fd, void *buf, size_t len)
{
	ssize_t n;

	do {
		n = read(fd, buf, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int file_put(int fd, const void *bytes, size_t len)
{
	const char *data = bytes;

	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Reads up to max bytes, and one more to learn whether there is more. */
static int file_slurp(int fd, size_t max, char **out, size_t *len)
{
	size_t size = 0, used = 0;
	char *buf = NULL;
	ssize_t n = 0;

	for (;;) {
		if (size - used < 2) {
			size = size ? size * 2 : 4096;
			buf = xrealloc(buf, size, 1);
		}
		n = file_read_some(fd, buf + used, size - used - 1);
		if (n <= 0)
			break;
		used += (size_t)n;
		if (used > max) {
			n = -EFBIG;
			break;
		}
	}
	if (n < 0) {
		free(buf);
		return (int)n;
	}
	buf[used] = '\0';
	*out = buf;
	if (len)
		*len = used;
	return 0;
}

int file_read(const char *path, size_t max, char **out, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc;

	*out = NULL;
	if (len)
		*len = 0;
	if (fd < 0)
		return -errno;
	rc = file_slurp(fd, max, out, len);
	close(fd);
	return rc;
}

int file_line(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = 0;

	if (size)
		buf[0] = '\0';
	if (fd < 0)
		return -errno;
	while (used + 1 < size) {
		n = file_read_some(fd, buf + used, size - used - 1);
		if (n <= 0)
			break;
		used += (size_t)n;
		if (memchr(buf + used - n, '\n', (size_t)n))
			break;
	}
	close(fd);
	if (!size)
		return 0;
	buf[used] = '\0';
	if (n < 0) {
		buf[0] = '\0';
		return (int)n;
	}
	used = strcspn(buf, "\n");
	while (used && strchr(" \t\r\v\f", buf[used - 1]))
		used--;
	buf[used] = '\0';
	return 0;
}

int file_u64(const char *path, uint64_t *out)
{
	char buf[64], *end;
	uint64_t v;
	int rc = file_line(path, buf, sizeof(buf));

	if (rc)
		return rc;
	/* strtoull would take blanks and signs. */
	if (buf[0] < '0' || buf[0] > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(buf, &end, 10);
	if (errno)
		return -errno;
	if (*end)
		return -EINVAL;
	*out = v;
	return 0;
}

char *path_folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	if (slash == path)
		return xstrdup("/");
	return xasprintf("%.*s", (int)(slash - path), path);
}

/* Without it the rename itself can be lost in a power cut. Some file systems refuse: no loss of
 * ours. */
static void file_sync_parent(const char *path)
{
	char *dir = path_folder(path);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(dir);
}

int file_write(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
	char *tmp = NULL;
	int fd = -1, rc;

	for (unsigned i = 0; fd < 0; i++) {
		free(tmp);
		tmp = xasprintf("%s.%d.%u.tmp", path, (int)getpid(), i);
		fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (fd < 0 && (errno != EEXIST || i > 100)) {
			rc = -errno;
			free(tmp);
			return err_set(e, rc, "%s: cannot be written: %s", path, strerror(-rc));
		}
	}
	rc = file_put(fd, data, len);
	if (!rc && fsync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && !rc)
		rc = -errno;
	if (!rc && rename(tmp, path) < 0)
		rc = -errno;
	if (rc) {
		unlink(tmp);
		free(tmp);
		return err_set(e, rc, "%s: cannot be written: %s", path, strerror(-rc));
	}
	free(tmp);
	file_sync_parent(path);
	return 0;
}

int dir_make(const char *path, mode_t mode, struct err *e)
{
	char *p = xstrdup(path);
	struct stat st;
	int rc = 0;

	for (char *s = p; !rc && *s; s++) {
		char *end = s + strcspn(s, "/");
		char kept = *end;

		*end = '\0';
		/* Another process may make it between our looking and making: EEXIST is fine. */
		if (*p && mkdir(p, mode) < 0 && errno != EEXIST) {
			rc = -errno;
			/* A folder above that we may not write into, but that is there, is fine
			 * too. */
			if (!stat(p, &st) && S_ISDIR(st.st_mode))
				rc = 0;
		}
		if (rc)
			err_set(e, rc, "%s: cannot be made: %s", p, strerror(-rc));
		*end = kept;
		s = end;
		if (!kept)
			break;
	}
	free(p);
	if (rc)
		return rc;
	if (stat(path, &st) < 0) {
		rc = -errno;
		return err_set(e, rc, "%s: %s", path, strerror(-rc));
	}
	if (!S_ISDIR(st.st_mode))
		return err_set(e, -ENOTDIR, "%s: is there, but is not a folder", path);
	return 0;
}

/* Same device is not enough: a bind mount has it too. */
static bool dir_is_mount(int dirfd, const char *name, dev_t parent_dev, const struct stat *st)
{
	struct statx sx;

	if (st->st_dev != parent_dev)
		return true;
	if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &sx) < 0)
		return false;
	return sx.stx_attributes_mask & sx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int dir_remove_entry(int dirfd, const char *name, dev_t dev, unsigned depth, struct err *e);

/* fd is consumed. */
static int dir_empty(int fd, dev_t dev, unsigned depth, struct err *e)
{
	DIR *d = fdopendir(fd);
	struct dirent *de;
	int rc = 0;

	if (!d) {
		rc = -errno;
		close(fd);
		return err_set(e, rc, "cannot be listed: %s", strerror(-rc));
	}
	/* What can be removed is removed even when something else cannot; the first failure is
	 * told. */
	while ((de = readdir(d))) {
		int one;

		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		one = dir_remove_entry(dirfd(d), de->d_name, dev, depth + 1, rc ? NULL : e);
		if (!rc)
			rc = one;
	}
	closedir(d);
	return rc;
}

static int dir_remove_entry(int dirfd, const char *name, dev_t dev, unsigned depth, struct err *e)
{
	struct stat st;
	int fd, rc;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		rc = -errno;
		return rc == -ENOENT ? 0 : err_set(e, rc, "%s: %s", name, strerror(-rc));
	}
	if (!S_ISDIR(st.st_mode)) {
		if (!unlinkat(dirfd, name, 0) || errno == ENOENT)
			return 0;
		rc = -errno;
		return err_set(e, rc, "%s: cannot be removed: %s", name, strerror(-rc));
	}
	if (dir_is_mount(dirfd, name, dev, &st))
		return err_set(e, -EBUSY,
			       "%s: is a mount point and is left alone; unmount it first", name);
	if (depth >= DIR_DEPTH_MAX)
		return err_set(e, -ELOOP, "%s: lies too deep to be one of ours and is left alone",
			       name);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
		return err_set(e, rc, "%s: cannot be opened: %s", name, strerror(-rc));
	}
	rc = dir_empty(fd, dev, depth, e);
	if (!rc && unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
		rc = -errno;
		return err_set(e, rc, "%s: cannot be removed: %s", name, strerror(-rc));
	}
	if (rc && e)
		err_prefix(e, "%s", name);
	return rc;
}

int dir_remove_at(int dirfd, const char *name, struct err *e)
{
	struct stat st;

	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return err_set(e, -EINVAL, "\"%s\" is not a name in a folder", name);
	if (fstat(dirfd, &st) < 0)
		return err_set(e, -errno, "%s: %s", name, strerror(errno));
	return dir_remove_entry(dirfd, name, st.st_dev, 0, e);
}

int dir_remove(const char *path, struct err *e)
{
	char *copy = xstrdup(path), *dir, *slash;
	size_t len = strlen(copy);
	int fd, rc;

	/* "a/b/" must not make a last component of nothing, and follow a link b. */
	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	slash = strrchr(copy, '/');
	dir = path_folder(copy);
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		rc = errno == ENOENT ? 0 : -errno;
		if (rc)
			err_set(e, rc, "%s: %s", dir, strerror(-rc));
	} else {
		rc = dir_remove_at(fd, slash ? slash + 1 : copy, e);
		if (rc)
			err_prefix(e, "%s", dir);
		close(fd);
	}
	free(dir);
	free(copy);
	return rc;
}

/* copy_file_range shares extents where it can; where it cannot, or stops short, read and write
 * finish. */
static int file_copy_data(int in, int out)
{
	char *buf;
	ssize_t n;
	int rc = 0;

	do {
		n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0);
	} while (n > 0 || (n < 0 && errno == EINTR));
	buf = xcalloc(1, FILE_CHUNK);
	while (!rc) {
		n = file_read_some(in, buf, FILE_CHUNK);
		if (n <= 0) {
			rc = (int)n;
			break;
		}
		rc = file_put(out, buf, (size_t)n);
	}
	free(buf);
	return rc;
}

static int file_copy_open(const char *from, const char *to, mode_t mode, int *in, int *out)
{
	struct stat a, b;

	/* O_NONBLOCK: a FIFO in its place must not hang us. */
	*in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*in < 0)
		return -errno;
	if (fstat(*in, &a) < 0)
		return -errno;
	if (!S_ISREG(a.st_mode))
		return S_ISDIR(a.st_mode) ? -EISDIR : -EINVAL;
	/* Onto itself would truncate it before the first read. */
	if (!stat(to, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		return -EINVAL;
	*out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	return *out < 0 ? -errno : 0;
}

int file_copy(const char *from, const char *to, mode_t mode, struct err *e)
{
	int in = -1, out = -1;
	int rc = file_copy_open(from, to, mode, &in, &out);

	if (!rc)
		rc = file_copy_data(in, out);
	if (out >= 0 && close(out) < 0 && !rc)
		rc = -errno;
	/* Half a copy is worse than none. */
	if (rc && out >= 0)
		unlink(to);
	if (in >= 0)
		close(in);
	if (rc)
		return err_set(e, rc, "%s: cannot be copied to %s: %s", from, to, strerror(-rc));
	return 0;
}

bool path_exists(const char *path)
{
	struct stat st;

	return !stat(path, &st);
}
