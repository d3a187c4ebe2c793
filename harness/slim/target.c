// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is written: files without a name beside the result (O_TMPFILE), and a name for the finished
 * one at the very end. What dies before leaves nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/file.h"
#include "base/units.h"
#include "slim/internal.h"

#define WATCH_NS 200000000ull
#define XATTR_MAX 65536 /* of Linux: names of one file, and a value (xattr(7)) */

uint64_t slim_keep(uint64_t fs_size)
{
	const uint64_t least = 10ull << 30;

	return fs_size / 10 > least ? fs_size / 10 : least;
}

static uint64_t allocated(int fd)
{
	struct stat st;

	return fd >= 0 && !fstat(fd, &st) ? (uint64_t)st.st_blocks * 512 : 0;
}

/* A name that nobody else takes; caller frees. */
static char *fresh_name(const char *dir)
{
	unsigned char r[8] = {0};
	uint64_t n;

	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
		n = clock_real_ns() ^ (uint64_t)getpid();
	else
		memcpy(&n, r, sizeof(n));
	return xasprintf("%s/.vbench-slim-%016llx", dir, (unsigned long long)n);
}

/* In s->dirfd: a folder on the way to it that is swapped for a link meanwhile changes nothing. */
static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* QEMU's image locks, of a guest that would go on writing to a file without a name. */
static bool locked(const char *path)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool yes = fd >= 0 && !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;

	if (fd >= 0)
		close(fd);
	return yes;
}

int target_replaces(const struct slim *s, struct err *e)
{
	struct stat st;
	size_t i;

	if (fstatat(s->dirfd, base_of(s->final), &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT && !s->o->in_place
			       ? 0
			       : err_set(e, -errno, "%s: %s", s->final, strerror(errno));
	if (s->o->in_place)
		return same_file(&st, &s->chain[0].st)
			       ? 0
			       : err_set(e, -EBUSY, "%s is another file now; nothing was written",
					 s->final);
	for (i = 0; i < s->nchain; i++)
		if (same_file(&st, &s->chain[i].st))
			return err_input(e,
					 "-o %s: %s stands on that file, and would be lost with it",
					 s->final, s->o->image);
	return 0;
}

/* Before anything is made: where the result goes, and whether it may. */
int target_check(struct slim *s, struct err *e)
{
	const char *out = s->o->in_place ? s->r->image : s->o->out;
	char *folder = path_folder(out);
	const char *base = strrchr(out, '/') ? strrchr(out, '/') + 1 : out;
	struct stat st;
	int rc = 0;

	s->dir = realpath(folder, NULL);
	if (!s->dir)
		rc = err_input(e, "%s: %s", folder, strerror(errno));
	free(folder);
	if (rc)
		return rc;
	if (!*base || !strcmp(base, ".") || !strcmp(base, ".."))
		return err_input(e, "-o %s: names no file", out);
	s->final = xasprintf("%s/%s", strcmp(s->dir, "/") ? s->dir : "", base);
	s->r->out = xstrdup(s->final);
	s->dirfd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dirfd < 0)
		return err_input(e, "%s: %s", s->dir, strerror(errno));
	if (faccessat(s->dirfd, ".", W_OK | X_OK, AT_EACCESS))
		return err_input(e, "%s: cannot be written to: %s", s->dir, strerror(errno));
	if (s->o->in_place) {
		if (strcmp(s->chain[0].format, "qcow2"))
			return err_input(
				e,
				"--in-place would put a qcow2 image where %s is expected to "
				"be %s; use -o, and change its guest's configuration with it",
				s->o->image, s->chain[0].format);
		return 0;
	}
	if (lstat(s->final, &st))
		return errno == ENOENT ? 0 : err_input(e, "%s: %s", s->final, strerror(errno));
	if (st.st_dev == s->chain[0].st.st_dev && st.st_ino == s->chain[0].st.st_ino)
		return err_input(e, "-o %s is the image itself; --in-place replaces it", out);
	if (!s->o->force)
		return err_input(e, "%s exists; --force replaces it", s->final);
	if (!S_ISREG(st.st_mode))
		return err_input(e, "%s is no regular file and is not replaced", s->final);
	if (locked(s->final))
		return err_input(e, "%s is in use (a guest's disk?) and is not replaced", s->final);
	return 0;
}

static int file_make(struct slim *s, struct slim_file *f, struct err *e)
{
	int i, rc = 0;

	f->fd = openat(s->dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	/* EISDIR: a kernel or file system that does not know the flag (open(2)) */
	for (i = 0; f->fd < 0 && !rc && i < 10; i++) {
		if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EEXIST &&
		    errno != EINVAL)
			break;
		free(f->name);
		f->name = fresh_name(s->dir);
		rc = journal_path(s->journal, f->name, e);
		if (!rc)
			f->fd = openat(s->dirfd, base_of(f->name),
				       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	}
	if (rc)
		return rc;
	if (f->fd < 0)
		return err_input(e, "%s: no file can be made in it: %s", s->dir, strerror(errno));
	/* qemu-img and QEMU open it anew, as their user */
	if (s->user.uid != (uid_t)-1 && fchown(f->fd, s->user.uid, s->user.gid))
		return err_set(e, -errno, "%s: a file cannot be given to QEMU's user: %s", s->dir,
			       strerror(errno));
	return 0;
}

int target_files(struct slim *s, struct err *e)
{
	int rc = file_make(s, &s->overlay, e);

	return rc ? rc : file_make(s, &s->out, e);
}

static void target_peak(struct slim *s)
{
	uint64_t used = allocated(s->overlay.fd) + allocated(s->out.fd);

	if (used > s->r->peak)
		s->r->peak = used;
}

int target_watch(struct slim *s, struct err *e)
{
	uint64_t now = clock_mono_ns(), avail, keep;
	struct statvfs v;
	char a[32], b[32];

	if (s->dirfd < 0 || now - s->checked_ns < WATCH_NS)
		return 0;
	s->checked_ns = now;
	target_peak(s);
	if (fstatvfs(s->dirfd, &v))
		return err_set(e, -errno, "%s: %s", s->dir, strerror(errno));
	/* without what is reserved for root: QEMU does not run as root */
	avail = (uint64_t)v.f_bavail * v.f_frsize;
	keep = s->o->keep ? s->o->keep : slim_keep((uint64_t)v.f_blocks * v.f_frsize);
	if (avail >= keep)
		return 0;
	return err_set(e, -ENOSPC,
		       "%s has %s free, less than the %s that stay free so that nothing else on it "
		       "stops; make room, write the result elsewhere (-o), or lower --free",
		       s->dir, units_size_text(avail, a, sizeof(a)),
		       units_size_text(keep, b, sizeof(b)));
}

/* Labels and ACLs of the image; what this file system or user may not have stays away. */
static void copy_xattrs(struct slim *s, int from, int to)
{
	char *names = xcalloc(1, XATTR_MAX), *value = xcalloc(1, XATTR_MAX), *n;
	ssize_t len = flistxattr(from, names, XATTR_MAX);

	for (n = names; len > 0 && n < names + len; n += strlen(n) + 1) {
		ssize_t size = fgetxattr(from, n, value, XATTR_MAX);

		if (size >= 0 && fsetxattr(to, n, value, (size_t)size, 0) && errno != EOPNOTSUPP)
			slim_note(s, "%s: attribute %s was not kept: %s", s->final, n,
				  strerror(errno));
	}
	free(names);
	free(value);
}

/* Who owns it and may read it: in place as before, else ours with the image's mode, as cp(1). */
static int target_rights(struct slim *s, struct err *e)
{
	const struct stat *st = &s->chain[0].st;
	bool same = s->o->in_place;
	uid_t uid = same ? st->st_uid : geteuid();
	gid_t gid = same ? st->st_gid : getegid();
	mode_t mask = umask(077);

	umask(mask);
	if (same)
		copy_xattrs(s, s->chain[0].fd, s->out.fd);
	if (fchown(s->out.fd, uid, gid)) {
		if (!same || fchown(s->out.fd, (uid_t)-1, gid))
			slim_note(s, "%s: its owner is not kept: %s", s->final, strerror(errno));
		if (same && st->st_uid != geteuid())
			slim_note(s, "%s now belongs to you, not to user %u", s->final,
				  (unsigned)st->st_uid);
	}
	if (fchmod(s->out.fd, same ? st->st_mode & 07777 : st->st_mode & 0666 & ~mask))
		return err_set(e, -errno, "%s: %s", s->final, strerror(errno));
	if (same && st->st_nlink > 1)
		slim_note(s, "%s had %lu names: the others still mean the old image", s->final,
			  (unsigned long)st->st_nlink);
	return 0;
}

/* Gives the file a name of its own beside the final one, in the journal. */
static int target_name(struct slim *s, struct err *e)
{
	char path[64];
	int rc;

	if (s->out.name)
		return 0;
	s->out.name = fresh_name(s->dir);
	rc = journal_path(s->journal, s->out.name, e);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->out.fd);
	if (!rc && linkat(AT_FDCWD, path, s->dirfd, base_of(s->out.name), AT_SYMLINK_FOLLOW))
		rc = err_set(e, -errno, "%s: %s", s->out.name, strerror(errno));
	return rc;
}

/* Never replaces: who made that name meanwhile keeps it. 0, or -1 with errno. */
static int rename_new(int dir, const char *from, const char *to)
{
	if (!renameat2(dir, from, dir, to, RENAME_NOREPLACE))
		return 0;
	/* a file system that does not know the flag (rename(2)) */
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return linkat(dir, from, dir, to, 0) ? -1 : unlinkat(dir, from, 0);
}

int target_publish(struct slim *s, struct err *e)
{
	bool replace = s->o->in_place || s->o->force;
	const char *from, *to = base_of(s->final);
	struct stat st, ours;
	int rc = target_rights(s, e);

	target_peak(s);
	if (!rc && fsync(s->out.fd))
		rc = err_set(e, -errno, "%s: %s", s->final, strerror(errno));
	if (!rc)
		rc = target_name(s, e);
	if (!rc)
		rc = target_replaces(s, e);
	if (rc)
		return rc;
	from = base_of(s->out.name);
	/* QEMU's user can write below a folder of its own: it must still be the file we know */
	if (fstat(s->out.fd, &ours) || fstatat(s->dirfd, from, &st, AT_SYMLINK_NOFOLLOW) ||
	    !same_file(&st, &ours))
		return err_set(e, -ESTALE, "%s has gone", s->out.name);
	if (replace ? renameat(s->dirfd, from, s->dirfd, to) : rename_new(s->dirfd, from, to))
		return err_set(e, -errno, "%s: %s", s->final, strerror(errno));
	journal_done_path(s->journal, s->out.name);
	free(s->out.name);
	s->out.name = NULL;
	if (fsync(s->dirfd) && errno != EINVAL)
		slim_note(s, "%s: %s; the new name may not outlive a power loss", s->dir,
			  strerror(errno));
	if (!fstat(s->out.fd, &st)) {
		s->r->after = (uint64_t)st.st_blocks * 512;
		s->r->after_size = (uint64_t)st.st_size;
	}
	return 0;
}

static void file_close(struct slim *s, struct slim_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	if (f->name) {
		unlinkat(s->dirfd, base_of(f->name), 0);
		journal_done_path(s->journal, f->name);
	}
	free(f->name);
	f->name = NULL;
}

void target_close(struct slim *s)
{
	file_close(s, &s->overlay);
	file_close(s, &s->out);
	if (s->dirfd >= 0)
		close(s->dirfd);
	s->dirfd = -1;
	free(s->dir);
	free(s->final);
}
