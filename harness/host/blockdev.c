// SPDX-License-Identifier: GPL-2.0-or-later
/* May a block device be overwritten? In use is refused for good; what looks like data is told. */
#include "host/blockdev.h"
#include <blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/file.h"
#include "host/read.h"

enum { FAMILY_MAX = 300 }; /* a disk, and partitions: Linux takes 256 of them */

/* A device together with what shares its blocks: its partitions, or the disk that it is part of. */
struct family {
	struct {
		unsigned major, minor;
		char name[64], sys[PATH_MAX]; /* sys: its folder, below root */
	} m[FAMILY_MAX];
	size_t n;
	bool overflow;
};

static bool family_add(struct family *f, const char *root, const char *sys)
{
	char line[64];
	const char *slash = strrchr(sys, '/');
	unsigned major, minor;

	if (!host_line(line, sizeof(line), root, "%s/dev", sys) ||
	    sscanf(line, "%u:%u", &major, &minor) != 2)
		return false;
	if (f->n == FAMILY_MAX) {
		f->overflow = true;
		return false;
	}
	f->m[f->n].major = major;
	f->m[f->n].minor = minor;
	snprintf(f->m[f->n].name, sizeof(f->m[0].name), "%s", slash ? slash + 1 : sys);
	snprintf(f->m[f->n].sys, sizeof(f->m[0].sys), "%s", sys);
	f->n++;
	return true;
}

/* The folder in /sys of a device, as a path below root; false if it has none. */
static bool sys_of(const char *root, unsigned major, unsigned minor, char out[PATH_MAX])
{
	char *link = xasprintf("%s/sys/dev/block/%u:%u", root, major, minor);
	char *real = realpath(link, NULL), *base = realpath(*root ? root : "/", NULL);
	size_t skip = base && strcmp(base, "/") ? strlen(base) : 0;
	bool ok = real && strlen(real) > skip && strlen(real) - skip < PATH_MAX;

	if (ok)
		strcpy(out, real + skip);
	free(real);
	free(base);
	free(link);
	return ok;
}

static bool is_partition(const char *root, const char *sys)
{
	char line[32];

	return host_line(line, sizeof(line), root, "%s/partition", sys);
}

static void family_find(struct family *f, const char *root, unsigned major, unsigned minor)
{
	char sys[PATH_MAX], child[PATH_MAX + 70], **names = NULL;
	size_t n, i;

	f->n = 0;
	f->overflow = false;
	if (!sys_of(root, major, minor, sys) || !family_add(f, root, sys))
		return;
	if (is_partition(root, sys)) {
		/* who has the whole disk has this, too; its other partitions do not matter */
		*strrchr(sys, '/') = 0;
		family_add(f, root, sys);
		return;
	}
	n = host_names(&names, root, "%s", sys);
	for (i = 0; i < n; i++) {
		if (strlen(names[i]) >= 64)
			continue;
		snprintf(child, sizeof(child), "%s/%s", sys, names[i]);
		if (is_partition(root, child))
			family_add(f, root, child);
	}
	host_names_free(names, n);
}

size_t blockdev_partitions(const char *root, unsigned major, unsigned minor)
{
	struct family *f = xcalloc(1, sizeof(*f));
	char sys[PATH_MAX];
	size_t n = 0;

	family_find(f, root, major, minor);
	if (f->n && sys_of(root, major, minor, sys) && !is_partition(root, sys))
		n = f->n - 1;
	free(f);
	return n;
}

/* Index in the family of a device number or of a path to it; -1: none of it. */
static int member(const struct family *f, unsigned major, unsigned minor)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->m[i].major == major && f->m[i].minor == minor)
			return (int)i;
	return -1;
}

static int member_path(const struct family *f, const char *root, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (!*root && !stat(path, &st) && S_ISBLK(st.st_mode))
		return member(f, major(st.st_rdev), minor(st.st_rdev));
	if (strncmp(path, "/dev/", 5))
		return -1;
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->m[i].name, slash + 1))
			return (int)i;
	return -1;
}

static int refuse(const struct family *f, int who, const char *label, struct err *e,
		  const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static int refuse(const struct family *f, int who, const char *label, struct err *e,
		  const char *fmt, ...)
{
	char what[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (who > 0)
		return err_input(e, "%s may not be overwritten: %s, which shares its blocks, %s",
				 label, f->m[who].name, what);
	return err_input(e, "%s may not be overwritten: it %s", label, what);
}

/* "\040" and the like (proc(5), mountinfo), in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; to++) {
		if (s[0] == '\\' && strspn(s + 1, "01234567") >= 3) {
			*to = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*to = *s++;
		}
	}
	*to = 0;
}

/*
 * By number and by source: a file system over several devices (btrfs) has a number of its own. What
 * other mount namespaces have shows only in the exclusive open.
 */
static int not_mounted(const struct family *f, const char *root, const char *label, struct err *e)
{
	char *text = host_text(root, "/proc/self/mountinfo"), *line, *save = NULL;
	int rc = 0;

	if (!text)
		return err_input(e,
				 "%s: /proc/self/mountinfo cannot be read, so that it cannot be "
				 "told whether it is mounted",
				 label);
	for (line = strtok_r(text, "\n", &save); line && !rc; line = strtok_r(NULL, "\n", &save)) {
		char point[PATH_MAX] = "", source[PATH_MAX] = "", *tail = strstr(line, " - ");
		unsigned major, minor;
		int who;

		if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &major, &minor, point) != 3)
			continue;
		if (tail)
			sscanf(tail + 3, "%*s %4095s", source);
		unescape(point);
		unescape(source);
		who = member(f, major, minor);
		if (who < 0 && source[0] == '/')
			who = member_path(f, root, source);
		if (who >= 0)
			rc = refuse(f, who, label, e, "is mounted on %s; umount it first", point);
	}
	free(text);
	return rc;
}

static int no_swap(const struct family *f, const char *root, const char *label, struct err *e)
{
	char *text = host_text(root, "/proc/swaps"), *line, *save = NULL;
	int rc = 0;

	/* a kernel without swap has no such file */
	for (line = text ? strtok_r(text, "\n", &save) : NULL; line && !rc;
	     line = strtok_r(NULL, "\n", &save)) {
		char path[PATH_MAX];
		int who;

		if (sscanf(line, "%4095s", path) != 1 || path[0] != '/')
			continue;
		unescape(path);
		who = member_path(f, root, path);
		if (who >= 0)
			rc = refuse(f, who, label, e, "is swap space in use; swapoff %s first",
				    path);
	}
	free(text);
	return rc;
}

static int not_held(const struct family *f, const char *root, const char *label, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < f->n && !rc; i++) {
		char **names = NULL;
		size_t n = host_names(&names, root, "%s/holders", f->m[i].sys);

		if (n)
			rc = refuse(f, (int)i, label, e,
				    "is held by %s (device mapper, RAID or the like); stop that "
				    "first",
				    names[0]);
		host_names_free(names, n);
	}
	return rc;
}

/* A loop device takes neither hold of the device that it lies over nor opens it exclusively. */
static int not_looped(const struct family *f, const char *root, const char *label, struct err *e)
{
	char **names = NULL, path[PATH_MAX];
	size_t n = host_names(&names, root, "/sys/block"), i;
	int rc = 0, who;

	for (i = 0; i < n && !rc; i++) {
		if (strncmp(names[i], "loop", 4) ||
		    !host_line(path, sizeof(path), root, "/sys/block/%s/loop/backing_file",
			       names[i]) ||
		    strncmp(path, "/dev/", 5))
			continue;
		who = member_path(f, root, path);
		if (who >= 0)
			rc = refuse(
				f, who, label, e,
				"is what the loop device /dev/%s lies over; losetup -d it first",
				names[i]);
	}
	host_names_free(names, n);
	return rc;
}

/* A loop device over a device would write to that one, whose users are not known here. */
static int not_over_device(const struct family *f, const char *root, const char *label,
			   struct err *e)
{
	char path[PATH_MAX];
	struct stat st;
	int rc = 0;

	for (size_t i = 0; i < f->n && !rc && !*root; i++)
		if (host_line(path, sizeof(path), root, "%s/loop/backing_file", f->m[i].sys) &&
		    !strncmp(path, "/dev/", 5) && !stat(path, &st) && S_ISBLK(st.st_mode))
			rc = refuse(f, (int)i, label, e, "lies over %s; name that device itself",
				    path);
	return rc;
}

int blockdev_in_use(const char *root, unsigned major, unsigned minor, const char *label,
		    struct err *e)
{
	struct family *f = xcalloc(1, sizeof(*f));
	int rc = 0;

	family_find(f, root, major, minor);
	if (!f->n || f->overflow)
		rc = err_input(e,
			       "%s: /sys/dev/block/%u:%u does not tell what it is part of, so that "
			       "nothing can be said of its use",
			       label, major, minor);
	if (!rc)
		rc = not_mounted(f, root, label, e);
	if (!rc)
		rc = no_swap(f, root, label, e);
	if (!rc)
		rc = not_held(f, root, label, e);
	if (!rc)
		rc = not_looped(f, root, label, e);
	if (!rc)
		rc = not_over_device(f, root, label, e);
	free(f);
	return rc;
}

/* One fd of another process: open for writing on a device of the family? */
static bool writes_to(int proc, const char *pid, const char *fd, const struct family *f)
{
	char path[128], *text = NULL, *flags;
	struct stat st;
	bool yes = false;

	snprintf(path, sizeof(path), "%s/fd/%s", pid, fd);
	if (fstatat(proc, path, &st, 0) || !S_ISBLK(st.st_mode) ||
	    member(f, major(st.st_rdev), minor(st.st_rdev)) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, fd);
	if (!file_read(path, 65536, &text, NULL) && (flags = strstr(text, "flags:")))
		yes = (strtoul(flags + 6, NULL, 8) & O_ACCMODE) != O_RDONLY;
	free(text);
	return yes;
}

/*
 * QEMU does not open a guest's disk exclusively, so another guest's would look free. Only root sees
 * every process: blockdev_unseen() says so where consent is asked for.
 */
static int no_writers(const struct family *f, const char *label, struct err *e)
{
	DIR *d = opendir("/proc");
	struct dirent *p;
	int rc = 0;

	while (d && !rc && (p = readdir(d))) {
		char path[300], comm[64] = "?";
		struct dirent *x;
		DIR *fds;

		if (p->d_name[0] < '0' || p->d_name[0] > '9' || strlen(p->d_name) > 20 ||
		    atoi(p->d_name) == (int)getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%s/fd", p->d_name);
		fds = opendir(path);
		while (fds && !rc && (x = readdir(fds))) {
			if (x->d_name[0] == '.' || strlen(x->d_name) > 20 ||
			    !writes_to(dirfd(d), p->d_name, x->d_name, f))
				continue;
			snprintf(path, sizeof(path), "/proc/%s/comm", p->d_name);
			file_line(path, comm, sizeof(comm));
			rc = refuse(f, -1, label, e,
				    "is open for writing in process %s (%s); end that first",
				    p->d_name, comm);
		}
		if (fds)
			closedir(fds);
	}
	if (d)
		closedir(d);
	return rc;
}

const char *blockdev_unseen(uid_t uid)
{
	return uid ? "processes of other users that have it open are not seen without root, and "
		     "such as only read it are not looked for"
		   : "processes that only read it are not looked for";
}

/* What libblkid finds, into out->found; -EIO when the device cannot be read. */
static int probe_content(int fd, const char *label, struct blockdev *out, struct err *e)
{
	blkid_probe pr = blkid_new_probe();
	const char *type = NULL, *table = NULL, *name = NULL;
	int rc;

	if (!pr || blkid_probe_set_device(pr, fd, 0, 0)) {
		blkid_free_probe(pr);
		return err_set(e, -EIO, "%s: libblkid cannot look at it", label);
	}
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE |
						      BLKID_SUBLKS_LABEL | BLKID_SUBLKS_MAGIC);
	blkid_probe_enable_partitions(pr, 1);
	rc = blkid_do_safeprobe(pr);
	if (rc == 0) {
		blkid_probe_lookup_value(pr, "TYPE", &type, NULL);
		blkid_probe_lookup_value(pr, "PTTYPE", &table, NULL);
		blkid_probe_lookup_value(pr, "LABEL", &name, NULL);
		snprintf(out->found, sizeof(out->found), "%s%s%s%s%s%s%s",
			 type ? "a signature of " : "", type ? type : "", name ? ", labelled " : "",
			 name ? name : "", type && table ? ", and " : "",
			 table ? "a partition table of type " : "", table ? table : "");
	} else if (rc == -2) {
		snprintf(out->found, sizeof(out->found), "signatures of more than one kind");
	} else if (rc != 1) {
		rc = err_set(e, -EIO, "%s: it cannot be read: %s", label,
			     strerror(errno ? errno : EIO));
		blkid_free_probe(pr);
		return rc;
	}
	blkid_free_probe(pr);
	return 0;
}

/* Claims it for a moment, as mount, mdadm and cryptsetup claim theirs for good. Open for reading,
 * so that udev sees no write. */
static int claim(const char *path, int *fd, struct blockdev *out, struct err *e)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct stat st;
	int ro = 0;

	*fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0 && errno == EBUSY)
		return err_input(e,
				 "%s may not be overwritten: something else has opened it "
				 "exclusively (a mount in another namespace, RAID, LVM, a backing "
				 "device); end that first",
				 path);
	if (*fd < 0 || access(path, R_OK | W_OK))
		return err_input(e,
				 "%s: %s; run vbench as root, or as a user who may read and write "
				 "it",
				 path, strerror(errno));
	if (fstat(*fd, &st) || !S_ISBLK(st.st_mode) || st.st_rdev != out->dev)
		return err_input(e, "%s became another device while it was looked at", path);
	if (ioctl(*fd, BLKROGET, &ro) || ro)
		return err_input(e, "%s is read-only", path);
	if (ioctl(*fd, BLKGETSIZE64, &out->bytes))
		return err_input(e, "%s: its size cannot be told: %s", path, strerror(errno));
	/* QEMU's image locks; in one /dev they lie on the same node */
	if (!fcntl(*fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK)
		return err_input(e,
				 "%s may not be overwritten: another process has locked it (a "
				 "guest's disk?); end that first",
				 path);
	return 0;
}

int blockdev_look(const char *path, struct blockdev *out, struct err *e)
{
	struct family *f;
	struct stat st;
	size_t parts;
	int fd = -1, rc;

	*out = (struct blockdev){0};
	if (stat(path, &st))
		return err_input(e, "%s: %s", path, strerror(errno));
	if (!S_ISBLK(st.st_mode))
		return err_input(e, "%s is no block device", path);
	out->dev = st.st_rdev;
	f = xcalloc(1, sizeof(*f));
	family_find(f, "", major(st.st_rdev), minor(st.st_rdev));
	if (f->n)
		snprintf(out->name, sizeof(out->name), "%s", f->m[0].name);
	rc = blockdev_in_use("", major(st.st_rdev), minor(st.st_rdev), path, e);
	if (!rc)
		rc = no_writers(f, path, e);
	if (!rc)
		rc = claim(path, &fd, out, e);
	if (!rc)
		rc = probe_content(fd, path, out, e);
	if (fd >= 0)
		close(fd);
	free(f);
	parts = blockdev_partitions("", major(st.st_rdev), minor(st.st_rdev));
	if (!rc && parts) {
		char *had = xstrdup(out->found);

		snprintf(out->found, sizeof(out->found), "%zu partition%s%s%.300s", parts,
			 parts == 1 ? "" : "s", *had ? ", " : "", had);
		free(had);
	}
	return rc;
}

unsigned blockdev_consents(const char *path, const char *const *named, size_t n)
{
	struct stat st, other;
	unsigned times = 0;

	if (stat(path, &st) || !S_ISBLK(st.st_mode))
		return 0;
	for (size_t i = 0; i < n; i++)
		times += !stat(named[i], &other) && S_ISBLK(other.st_mode) &&
			 other.st_rdev == st.st_rdev;
	return times;
}
