// SPDX-License-Identifier: GPL-2.0-or-later
/* Data for images that are converted from something: repeatable, half of it compressible; also
 * with freed room in it, as disks have before their export. */
#include "run/source.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "run/policy.h"

enum { CHUNK = 1 << 20, TICK_CHUNKS = 16 };

void source_block(uint64_t seed, uint64_t block, unsigned char *out)
{
	uint64_t s = seed, word;
	size_t i;

	/* a stream of its own: neighbouring states would give the same numbers, shifted */
	s = splitmix64(&s) + block;
	s = splitmix64(&s);
	for (i = 0; i < SOURCE_BLOCK / 2; i += sizeof(word)) {
		word = splitmix64(&s);
		memcpy(out + i, &word, sizeof(word));
	}
	memset(out + SOURCE_BLOCK / 2, 'a' + (int)(block % 26), SOURCE_BLOCK / 2);
}

/* Bytes [from, to) of the source; zero: zeroes that take room. */
static int fill(int fd, uint64_t from, uint64_t to, bool zero, uint64_t seed,
		int (*tick)(void *, struct err *), void *arg, const char *path, struct err *e)
{
	unsigned char *buf = xcalloc(1, CHUNK);
	uint64_t at;
	int rc = 0;

	for (at = from; at < to && !rc; at += CHUNK) {
		size_t n = to - at < CHUNK ? (size_t)(to - at) : CHUNK, i;

		for (i = 0; i < n && !zero; i += SOURCE_BLOCK)
			source_block(seed, (at + i) / SOURCE_BLOCK, buf + i);
		rc = file_put(fd, buf, n);
		if (rc)
			err_set(e, rc, "%s: %s", path, strerror(-rc));
		else if (tick && at / CHUNK % TICK_CHUNKS == 0)
			rc = tick(arg, e);
	}
	free(buf);
	return rc;
}

static int content_put(int fd, const char *content, uint64_t bytes, uint64_t seed,
		       int (*tick)(void *, struct err *), void *arg, const char *path,
		       struct err *e)
{
	bool all = !strcmp(content, "data");
	uint64_t used = all ? bytes : bytes / 4 / SOURCE_BLOCK * SOURCE_BLOCK, freed = used * 3;
	int rc = fill(fd, 0, used, false, seed, tick, arg, path, e);

	if (!rc && !all && strcmp(content, "fresh"))
		rc = fill(fd, used, freed, !strcmp(content, "zeroed"), seed, tick, arg, path, e);
	if (!rc && fdatasync(fd))
		rc = err_set(e, -errno, "%s: %s", path, strerror(errno));
	if (!rc && !strcmp(content, "trimmed") &&
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)used,
		      (off_t)(freed - used)))
		rc = err_set(e, -errno,
			     "%s: holes cannot be punched into files here (%s); use another "
			     "disk.dir, or disk.content without trimmed",
			     path, strerror(errno));
	if (!rc && ftruncate(fd, (off_t)bytes))
		rc = err_set(e, -errno, "%s: %s", path, strerror(errno));
	return rc;
}

/*
 * The folder is QEMU's user's, who could put anything there: no link is followed, and what is made
 * is made with that user's rights on files (which a network file system may want anyway).
 */
static int create(const char *path, const struct child_user *user)
{
	bool other = user && user->uid != (uid_t)-1 && !geteuid();
	int fd, saved;

	if (other) {
		setfsgid(user->gid);
		setfsuid(user->uid);
	}
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	saved = errno;
	if (other) {
		setfsuid(geteuid());
		setfsgid(getegid());
	}
	return fd < 0 ? -saved : fd;
}

int source_make(const char *path, const char *content, uint64_t bytes, uint64_t seed,
		const struct child_user *user, int (*tick)(void *arg, struct err *e), void *arg,
		struct err *e)
{
	char *tmp;
	struct stat st;
	int fd, rc;

	if (bytes % SOURCE_BLOCK)
		return err_set(e, -EINVAL, "%s: its size must be a multiple of 4 KiB", path);
	if (!lstat(path, &st) && S_ISREG(st.st_mode) && (uint64_t)st.st_size == bytes)
		return 0;
	tmp = xasprintf("%s.part", path);
	fd = create(tmp, user);
	if (fd < 0) {
		rc = err_set(e, fd, "%s: %s", tmp, strerror(-fd));
		free(tmp);
		return rc;
	}
	rc = content_put(fd, content, bytes, seed, tick, arg, path, e);
	close(fd);
	if (!rc && rename(tmp, path))
		rc = err_set(e, -errno, "%s: %s", path, strerror(errno));
	if (rc)
		unlink(tmp);
	free(tmp);
	return rc;
}
