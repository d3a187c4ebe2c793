/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One SHA-256 over all that a file system holds. What is hashed, in this order, integers being
 * little-endian: the text "vbench-sum-1\n"; then for each object, folders before what is in them
 * and names in the order of their bytes:
 *
 *   u32 length of the path, the path ("" for the top folder, "a/b" below)
 *   u32 mode, u32 uid, u32 gid, u64 device number of a device, else 0
 *   i64 seconds and u32 nanoseconds of mtime
 *   u32 number of extended attributes; each u32 length, name, u32 length, value; by name
 *   symbolic link: u32 length, target
 *   regular file: u64 size; then each block of 64 KiB that is not all zeroes: u64 offset, u32
 *   length, bytes (holes and zeroes are the same); then u64 ~0
 *
 * Not hashed: ctime and atime, inode numbers, link counts (a file with two names is hashed twice),
 * sizes of folders.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "guest-agent/agent.h"
#include "guest-agent/fs.h"

#define BLOCK 65536
#define DEPTH_MAX 2048 /* folders within folders; one descriptor each */
#define PATH_BYTES_MAX (1 << 20)
#define READ_AHEAD (1 << 20) /* bytes a read */

struct sum {
	SHA2_CTX sha;
	char *path; /* PATH_BYTES_MAX */
	size_t path_len;
	uint8_t *buf;	     /* READ_AHEAD */
	char *names, *value; /* XATTR_LIST_MAX, XATTR_SIZE_MAX */
	uint64_t files, dirs, others, bytes;
	char *why; /* FS_WHY */
};

static void put(struct sum *s, const void *data, size_t len)
{
	SHA256Update(&s->sha, data, len);
}

static void put_int(struct sum *s, uint64_t v, unsigned bytes)
{
	uint8_t le[8];

	for (unsigned i = 0; i < bytes; i++)
		le[i] = (uint8_t)(v >> (8 * i));
	put(s, le, bytes);
}

static void put_text(struct sum *s, const char *text, size_t len)
{
	put_int(s, len, 4);
	put(s, text, len);
}

static bool sum_fail(struct sum *s, int err, const char *what)
{
	if (err == ENOKEY)
		what = "it is encrypted (fscrypt), and its key is not here";
	fs_why(s->why, err == ENOKEY ? 0 : err, "\"%.600s\": %s", s->path_len ? s->path : "/",
	       what);
	return false;
}

static int text_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* at: "/proc/self/fd/FOLDER/NAME", so that a link's own attributes are read, not its target's. */
static bool sum_xattrs(struct sum *s, const char *at)
{
	ssize_t n = llistxattr(at, s->names, XATTR_LIST_MAX), len;
	char **list, *p;
	size_t count = 0, i = 0;

	if (n < 0 && errno != ENOTSUP)
		return sum_fail(s, errno, "listing extended attributes");
	n = n < 0 ? 0 : n;
	for (p = s->names; p < s->names + n; p += strlen(p) + 1)
		count++;
	list = calloc(count + 1, sizeof(*list));
	if (!list)
		return sum_fail(s, ENOMEM, "extended attributes");
	for (p = s->names; p < s->names + n; p += strlen(p) + 1)
		list[i++] = p;
	qsort(list, count, sizeof(*list), text_order);
	put_int(s, count, 4);
	for (i = 0; i < count; i++) {
		len = lgetxattr(at, list[i], s->value, XATTR_SIZE_MAX);
		if (len < 0)
			break;
		put_text(s, list[i], strlen(list[i]));
		put_text(s, s->value, (size_t)len);
	}
	free(list);
	return i == count || sum_fail(s, errno, "reading an extended attribute");
}

static bool all_zero(const uint8_t *b, size_t n)
{
	return !b[0] && !memcmp(b, b + 1, n - 1);
}

/* Fills buf from at as far as want goes; the number of bytes, short at the end, -errno. */
static ssize_t read_full(int fd, uint8_t *buf, size_t want, off_t at)
{
	size_t got = 0;

	while (got < want) {
		ssize_t n = pread(fd, buf + got, want - got, at + (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* The blocks that are not all zeroes; holes are skipped where the file system can tell them. */
static bool sum_content(struct sum *s, int fd, off_t size)
{
	for (off_t at = 0; at < size;) {
		off_t data = lseek(fd, at, SEEK_DATA);
		size_t want;
		ssize_t n;

		if (data < 0 && errno == ENXIO)
			break;
		if (data > at)
			at = data / BLOCK * BLOCK;
		want = size - at < READ_AHEAD ? (size_t)(size - at) : READ_AHEAD;
		n = read_full(fd, s->buf, want, at);
		if (n != (ssize_t)want)
			return sum_fail(s, n < 0 ? (int)-n : EIO, "reading");
		for (size_t b = 0; b < want; b += BLOCK) {
			size_t len = want - b < BLOCK ? want - b : BLOCK;

			if (all_zero(s->buf + b, len))
				continue;
			put_int(s, (uint64_t)at + b, 8);
			put_int(s, len, 4);
			put(s, s->buf + b, len);
		}
		at += (off_t)want;
	}
	put_int(s, UINT64_MAX, 8);
	return true;
}

static bool sum_file(struct sum *s, int dir, const char *name, const struct stat *st)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return sum_fail(s, errno, "opening");
	put_int(s, (uint64_t)st->st_size, 8);
	ok = sum_content(s, fd, st->st_size);
	/* What has been read is not needed again: the small guest's memory is. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	s->files++;
	s->bytes += (uint64_t)st->st_size;
	return ok;
}

static bool sum_link(struct sum *s, int dir, const char *name)
{
	ssize_t n = readlinkat(dir, name, (char *)s->buf, READ_AHEAD);

	if (n < 0)
		return sum_fail(s, errno, "reading a symbolic link");
	put_text(s, (char *)s->buf, (size_t)n);
	s->others++;
	return true;
}

/* Everything about it but its content. dir/name must be what st is of. */
static bool sum_meta(struct sum *s, int dir, const char *name, const struct stat *st)
{
	bool device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
	char at[300];

	put_text(s, s->path, s->path_len);
	put_int(s, st->st_mode, 4);
	put_int(s, st->st_uid, 4);
	put_int(s, st->st_gid, 4);
	/* major and minor, so that it does not hang on how libc puts them together */
	put_int(s, device ? (uint64_t)major(st->st_rdev) << 32 | minor(st->st_rdev) : 0, 8);
	put_int(s, (uint64_t)st->st_mtim.tv_sec, 8);
	put_int(s, (uint64_t)st->st_mtim.tv_nsec, 4);
	snprintf(at, sizeof(at), "/proc/self/fd/%d/%s", dir, name);
	return sum_xattrs(s, at);
}

/* Names of a folder in order, NULL-terminated; free with names_free. NULL with errno. */
static char **names_read(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char **names = NULL;
	size_t n = 0, cap = 0;
	struct dirent *x;

	if (!d)
		goto fail;
	for (;;) {
		if (n + 1 >= cap) {
			char **more = realloc(names, (cap = cap ? 2 * cap : 64) * sizeof(*names));

			if (!more)
				goto fail;
			names = more;
		}
		names[n] = NULL;
		errno = 0;
		x = readdir(d);
		if (!x && errno)
			goto fail;
		if (!x)
			break;
		if (!strcmp(x->d_name, ".") || !strcmp(x->d_name, ".."))
			continue;
		names[n] = strdup(x->d_name);
		if (!names[n])
			goto fail;
		n++;
	}
	closedir(d);
	qsort(names, n, sizeof(*names), text_order);
	return names;
fail:
	err = errno;
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	errno = err;
	return NULL;
}

static void names_free(char **names)
{
	for (size_t i = 0; names[i]; i++)
		free(names[i]);
	free(names);
}

static bool sum_folder(struct sum *s, int dir, unsigned depth);

/*
 * One object. A folder's device number may be other than its parent's: btrfs's subvolumes; nothing
 * is mounted in what was mounted for this, so all of it is of one file system.
 */
static bool sum_object(struct sum *s, int dir, const char *name, unsigned depth)
{
	struct stat st;
	int fd;
	bool ok;

	if (strchr(name, '/'))
		return sum_fail(s, EUCLEAN, "a name with a slash in it");
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return sum_fail(s, errno, "its inode");
	if (!sum_meta(s, dir, name, &st))
		return false;
	if (S_ISREG(st.st_mode))
		return sum_file(s, dir, name, &st);
	if (S_ISLNK(st.st_mode))
		return sum_link(s, dir, name);
	if (!S_ISDIR(st.st_mode)) {
		s->others++;
		return true;
	}
	if (depth >= DEPTH_MAX)
		return sum_fail(s, ELOOP, "too many folders within each other");
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
	if (fd < 0)
		return sum_fail(s, errno, "opening");
	ok = sum_folder(s, fd, depth + 1);
	close(fd);
	return ok;
}

static bool sum_folder(struct sum *s, int dir, unsigned depth)
{
	char **names = names_read(dir);
	size_t was = s->path_len;
	bool ok = true;

	if (!names)
		return sum_fail(s, errno, "reading the folder");
	s->dirs++;
	for (size_t i = 0; ok && names[i]; i++) {
		size_t n = strlen(names[i]);

		if (was + 1 + n >= PATH_BYTES_MAX) {
			ok = sum_fail(s, ENAMETOOLONG, "a path");
			break;
		}
		if (was)
			s->path[s->path_len++] = '/';
		memcpy(s->path + s->path_len, names[i], n + 1);
		s->path_len += n;
		ok = sum_object(s, dir, names[i], depth);
		/* the path of what failed stays for the sentence that was made of it */
		s->path_len = was;
		s->path[was] = 0;
	}
	names_free(names);
	return ok;
}

static bool sum_all(struct sum *s, int dir)
{
	static const char begin[] = "vbench-sum-1\n";
	struct stat st;

	SHA256Init(&s->sha);
	put(s, begin, sizeof(begin) - 1);
	if (fstat(dir, &st))
		return sum_fail(s, errno, "its inode");
	return sum_meta(s, dir, ".", &st) && sum_folder(s, dir, 0);
}

static json_t *sum_answer(struct sum *s)
{
	char hex[SHA256_DIGEST_STRING_LENGTH];

	SHA256End(&s->sha, hex);
	return json_pack("{s:I, s:I, s:I, s:I, s:s}", "files", (json_int_t)s->files, "dirs",
			 (json_int_t)s->dirs, "others", (json_int_t)s->others, "bytes",
			 (json_int_t)s->bytes, "sha256", hex);
}

json_t *fs_sum(const struct fs_request *r, char why[FS_WHY])
{
	struct sum s = {.why = why};
	struct statvfs vfs;
	json_t *answer = NULL;
	int dir;

	s.path = calloc(1, PATH_BYTES_MAX);
	s.buf = malloc(READ_AHEAD);
	s.names = malloc(XATTR_LIST_MAX);
	s.value = malloc(XATTR_SIZE_MAX);
	if (!s.path || !s.buf || !s.names || !s.value) {
		fs_why(why, ENOMEM, "%s", r->path);
		return NULL;
	}
	dir = fs_mount(r->path, r->type, FS_READ, why);
	if (dir < 0)
		return NULL;
	if (!fstatvfs(dir, &vfs))
		fs_total(r, (uint64_t)(vfs.f_blocks - vfs.f_bfree) * vfs.f_frsize);
	if (sum_all(&s, dir))
		answer = sum_answer(&s);
	/* a failure above has its own sentence; the kernel unmounts when we end */
	if (answer && !fs_unmount(dir, r->path, why)) {
		json_decref(answer);
		answer = NULL;
	}
	/* what it holds is left to the process's end, which is near */
	return answer;
}
