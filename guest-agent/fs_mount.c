/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mounts what may be broken, says in the kernel's own words why it can't be, and takes it back. */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "guest-agent/agent.h"
#include "guest-agent/fs.h"

#define MOUNT_DIR "/tmp/fs"
#define BUSY_STEPS                                                                     \
	500 /* of 10 ms: what an ended process had mounted may be still on its way out \
	     */
#define KMSG_MAX 8192

/*
 * Options, so that what is mounted is read as it was written, and the kernel writes nothing of its
 * own: noinit_itable, since mkfs leaves ext4's inode tables to be zeroed at the first mount;
 * nouuid, since disk and result carry the same; subvolid 5 is btrfs's top, below which all others
 * lie. look: neither journal nor log is replayed.
 */
static const struct fs_kind {
	const char *type, *data, *look;
} kinds[] = {
	{"ext2", "noinit_itable", NULL},
	{"ext3", "noinit_itable", "noload"},
	{"ext4", "noinit_itable", "noload"},
	{"xfs", "nouuid", "norecovery"},
	{"btrfs", "subvolid=5", "rescue=nologreplay"},
	{"vfat", "codepage=437,iocharset=iso8859-1,utf8=1,shortname=mixed,tz=UTC", NULL},
};

static const struct fs_kind *kind_of(const char *type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].type, type))
			return &kinds[i];
	return NULL;
}

bool fs_known(const char *type)
{
	return kind_of(type) != NULL;
}

void fs_why(char why[FS_WHY], int err, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(why, FS_WHY, fmt, ap);
	va_end(ap);
	n = strlen(why);
	if (err)
		snprintf(why + n, FS_WHY - n, ": %s", strerror(err));
}

/* Opens it so that nobody else has it mounted; waits a little for that. -1 with errno. */
static int device_alone(const char *path, int flags)
{
	struct timespec step = {.tv_nsec = 10 * (long)MS_NS};
	int fd = -1;

	for (int i = 0; i < BUSY_STEPS; i++) {
		fd = open(path, flags | O_EXCL | O_CLOEXEC);
		if (fd >= 0 || errno != EBUSY)
			break;
		nanosleep(&step, NULL);
	}
	return fd;
}

/* ext4 cleans up orphans even when it is mounted read-only, unless the device is. */
static int device_readonly(const char *path, int on)
{
	int fd = device_alone(path, O_RDONLY), rc;

	if (fd < 0)
		return -errno;
	rc = ioctl(fd, BLKROSET, &on) ? -errno : 0;
	close(fd);
	return rc;
}

/* btrfs remembers devices by the file system's id, which disk and result share. */
static void btrfs_forget(void)
{
	struct btrfs_ioctl_vol_args all = {0};
	int fd = open("/dev/btrfs-control", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	if (ioctl(fd, BTRFS_IOC_FORGET_DEV, &all))
		sys_say("btrfs: forgetting devices: %s", strerror(errno));
	close(fd);
}

/*
 * A line of the kernel since kmsg was opened that names the device. It has facilities and a time in
 * front, up to a ";", and attributes in further lines (Documentation/ABI/testing/dev-kmsg).
 */
static void kmsg_reason(int kmsg, const char *name, char *out, size_t size)
{
	char line[KMSG_MAX];
	ssize_t n;

	out[0] = 0;
	for (int i = 0; i < 1000; i++) {
		char *text;

		n = read(kmsg, line, sizeof(line) - 1);
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (n <= 0)
			return;
		line[n] = 0;
		text = strchr(line, ';');
		if (!text)
			continue;
		text++;
		text[strcspn(text, "\n")] = 0;
		/* level 4 and below: warnings and errors; "<6>" tells of what went well */
		if (!out[0] && (line[0] - '0') % 8 <= 4 && line[1] == ',' && strstr(text, name))
			snprintf(out, size, "%s", text);
	}
}

static int mount_try(const struct fs_kind *k, const char *path, enum fs_how how)
{
	unsigned long flags =
		MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | (how == FS_WRITE ? 0 : MS_RDONLY);
	char data[256];

	snprintf(data, sizeof(data), "%s%s%s", k->data, how == FS_LOOK && k->look ? "," : "",
		 how == FS_LOOK && k->look ? k->look : "");
	if (!mount(path, MOUNT_DIR, k->type, flags, data))
		return 0;
	/* a kernel without the old names: ext4's driver reads ext2 and ext3, too */
	if (errno == ENODEV && !strncmp(k->type, "ext", 3) &&
	    !mount(path, MOUNT_DIR, "ext4", flags, data))
		return 0;
	return -errno;
}

int fs_mount(const char *path, const char *type, enum fs_how how, char why[FS_WHY])
{
	const char *name = path + strlen("/dev/");
	const struct fs_kind *k = kind_of(type);
	char said[400];
	int kmsg, rc, dir;

	if (!k) {
		fs_why(why, 0, "%s: no file system of type \"%s\" is understood", name, type);
		return -1;
	}
	rc = device_readonly(path, how == FS_LOOK);
	if (rc && how == FS_LOOK) {
		fs_why(why, -rc, "%s: making the device read-only", name);
		return -1;
	}
	if (!strcmp(type, "btrfs"))
		btrfs_forget();
	mkdir(MOUNT_DIR, 0700);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	lseek(kmsg, 0, SEEK_END);
	rc = mount_try(k, path, how);
	if (rc) {
		kmsg_reason(kmsg, name, said, sizeof(said));
		fs_why(why, -rc, "%s (%s) can't be mounted%s%s%s", name, type,
		       said[0] ? " (the kernel says: " : "", said, said[0] ? ")" : "");
	}
	close(kmsg);
	if (rc) {
		device_readonly(path, 0);
		return -1;
	}
	dir = open(MOUNT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		fs_why(why, errno, "%s: its top folder", name);
	return dir;
}

bool fs_unmount(int dir, const char *path, char why[FS_WHY])
{
	const char *name = path + strlen("/dev/");
	bool ok = true;
	int fd;

	if (dir >= 0) {
		close(dir);
		if (umount2(MOUNT_DIR, UMOUNT_NOFOLLOW)) {
			fs_why(why, errno, "%s: unmounting", name);
			return false;
		}
	}
	device_readonly(path, 0);
	/* Opened alone: really unmounted. What is in the disk's cache goes to the host's side. */
	fd = device_alone(path, O_RDWR);
	if (fd < 0 && (errno == EROFS || errno == EACCES))
		return true;
	if (fd < 0 || fsync(fd)) {
		fs_why(why, errno, "%s: flushing after it was unmounted", name);
		ok = false;
	}
	if (fd >= 0) {
		ioctl(fd, BLKFLSBUF, 0);
		close(fd);
	}
	return ok;
}
