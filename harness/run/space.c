/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The free-space rule: a full pool pauses every guest on it, so vbench never fills one. */
#include "run/space.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include "base/units.h"

uint64_t space_keep(uint64_t size)
{
	const uint64_t least = 10ull << 30;

	return size / 10 > least ? size / 10 : least;
}

static int nearest_statvfs(const char *dir, struct statvfs *v)
{
	char path[PATH_MAX], *slash;

	if (!*dir || strlen(dir) >= sizeof(path))
		return *dir ? -ENAMETOOLONG : -ENOENT;
	strcpy(path, dir);
	while (statvfs(path, v) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != ENOENT)
			return -errno;
		slash = strrchr(path, '/');
		if (!slash)
			strcpy(path, ".");
		else if (slash == path)
			strcpy(path, "/");
		else
			*slash = '\0';
	}
	return 0;
}

int space_get(const char *dir, uint64_t keep_bytes, struct space *s, struct err *e)
{
	struct statvfs v;
	int rc = nearest_statvfs(dir, &v);

	if (rc < 0)
		return err_set(e, rc, "cannot ask for the free space of the image folder %s: %s",
			       dir, strerror(-rc));
	s->size = (uint64_t)v.f_blocks * v.f_frsize;
	/* Without what is reserved for root: QEMU does not run as root. */
	s->avail = (uint64_t)v.f_bavail * v.f_frsize;
	s->keep = keep_bytes ? keep_bytes : space_keep(s->size);
	return 0;
}

int space_judge(const char *dir, const struct space *s, uint64_t need_bytes, struct err *e)
{
	char need[32], keep[32], avail[32];

	if (s->avail >= s->keep && s->avail - s->keep >= need_bytes)
		return 0;
	units_size_text(need_bytes, need, sizeof(need));
	units_size_text(s->keep, keep, sizeof(keep));
	units_size_text(s->avail, avail, sizeof(avail));
	if (!need_bytes)
		return err_set(
			e, -ENOSPC,
			"%s has %s free, less than the %s that stay free so that nothing else on it "
			"stops; make room, or use another disk.dir, or lower host.free",
			dir, avail, keep);
	return err_set(
		e, -ENOSPC,
		"%s has %s free; this needs %s beside the %s that stay free so that nothing else on it "
		"stops; make room, use a smaller disk.size or another disk.dir, or lower host.free",
		dir, avail, need, keep);
}

int space_check(const char *dir, uint64_t need_bytes, uint64_t keep_bytes, struct err *e)
{
	struct space s = {0};
	int rc = space_get(dir, keep_bytes, &s, e);

	return rc < 0 ? rc : space_judge(dir, &s, need_bytes, e);
}
