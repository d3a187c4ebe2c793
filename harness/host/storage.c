/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lies under a folder: mount, file system, and the stack of block devices down to the disks.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "base/err.h"
#include "host/read.h"

enum { STACK_MAX = 8 }; /* levels: partition on LUKS on LVM on RAID on disk is five */

/* One line of /proc/PID/mountinfo (proc(5)), fields unescaped. */
struct mount {
	char *dev, *point, *options, *type, *source, *super;
};

/* "\040" and the like, in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		unsigned v;

		if (s[0] == '\\' && sscanf(s + 1, "%3o", &v) == 1 &&
		    strspn(s + 1, "01234567") >= 3) {
			*to = (char)v;
			s += 3;
		} else {
			*to = *s;
		}
	}
	*to = '\0';
}

/* Cuts a line of mountinfo up in place: "id parent dev root point options [tags] - type source
 * super". */
static bool mount_parse(char *line, struct mount *m, int *id)
{
	char *head[6], *save = NULL, *word, *tail = strstr(line, " - ");

	if (!tail)
		return false;
	*tail = '\0';
	tail += 3;
	for (int i = 0; i < 6; i++)
		if (!(head[i] = strtok_r(i ? NULL : line, " ", &save)))
			return false;
	*id = atoi(head[0]);
	m->dev = head[2];
	m->point = head[4];
	m->options = head[5];
	save = NULL;
	m->type = strtok_r(tail, " ", &save);
	m->source = strtok_r(NULL, " ", &save);
	word = strtok_r(NULL, "", &save);
	m->super = word ? word : tail + strlen(tail);
	if (!m->type || !m->source)
		return false;
	unescape(m->point);
	unescape(m->source);
	return true;
}

static bool lies_below(const char *dir, const char *point)
{
	size_t n = strlen(point);

	if (n == 1 && *point == '/')
		return true;
	return strncmp(dir, point, n) == 0 && (dir[n] == '/' || !dir[n]);
}

/*
 * The mount that dir lies on: by its id where there is one (id >= 0), else by the longest mount
 * point; of mounts over one another the last is the visible one. m points into text.
 */
static bool mount_find(char *text, const char *dir, int id, struct mount *m)
{
	char *save = NULL;
	size_t best = 0;
	bool found = false;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		struct mount one = {0};
		int one_id;
		size_t len;

		if (!mount_parse(l, &one, &one_id))
			continue;
		len = strlen(one.point);
		if (id >= 0 ? one_id == id
			    : lies_below(dir, one.point) && (!found || len >= best)) {
			*m = one;
			best = len;
			found = true;
		}
	}
	return found;
}

/* Id of the mount under an open file, by fdinfo; -1 if it can't be told. */
static int mount_id(int fd)
{
	char *text = host_text("", "/proc/self/fdinfo/%d", fd);
	char buf[32];
	int id = -1;

	if (text && host_field(text, "mnt_id", ':', buf, sizeof(buf)))
		id = atoi(buf);
	free(text);
	return id;
}

/* The folder itself, or the nearest one above it that exists: images are put there later. */
static int open_nearest(const char *dir, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s", *dir ? dir : ".");
	for (;;) {
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		char *slash;

		if (fd >= 0)
			return fd;
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC); /* no right to list it */
		if (fd >= 0)
			return fd;
		slash = strrchr(path, '/');
		if (!slash)
			return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (slash == path)
			return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		*slash = '\0';
	}
}

/* What an operator must know before believing a number from there. */
static const char *kind_of(const char *type)
{
	static const struct {
		const char *type, *kind;
	} kinds[] = {
		{"tmpfs", "memory"},	   {"ramfs", "memory"},	    {"devtmpfs", "memory"},
		{"overlay", "overlay"},	   {"nfs", "network"},	    {"nfs4", "network"},
		{"cifs", "network"},	   {"smb3", "network"},	    {"ceph", "network"},
		{"9p", "network"},	   {"virtiofs", "network"}, {"ocfs2", "cluster"},
		{"gfs2", "cluster"},	   {"lustre", "network"},   {"fuse.glusterfs", "network"},
		{"fuse.sshfs", "network"}, {"beegfs", "network"},   {"gpfs", "cluster"},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(type, kinds[i].type) == 0)
			return kinds[i].kind;
	return strncmp(type, "fuse", 4) == 0 ? "fuse" : "local";
}

static json_t *trimmed(const char *root, const char *disk, const char *file)
{
	char line[256], *p = line;

	if (!host_line(line, sizeof(line), root, "/sys/class/block/%s/%s", disk, file))
		return json_null();
	p += strspn(p, " ");
	return host_json_string(*p ? p : NULL);
}

static json_t *scheduler(const char *root, const char *disk)
{
	char line[256];

	if (!host_line(line, sizeof(line), root, "/sys/class/block/%s/queue/scheduler", disk))
		return json_null();
	return host_json_string(host_chosen(line));
}

static json_t *queue(const char *root, const char *disk)
{
	static const char *const numbers[] = {
		"nr_requests",	  "logical_block_size", "physical_block_size",
		"max_sectors_kb", "discard_max_bytes",	"read_ahead_kb",
		"nomerges",	  "rq_affinity",	"wbt_lat_usec",
		"io_poll",
	};
	json_t *o = json_object();
	int64_t rot;

	json_object_set_new(o, "scheduler", scheduler(root, disk));
	json_object_set_new(o, "rotational",
			    host_number(&rot, root, "/sys/class/block/%s/queue/rotational", disk)
				    ? json_boolean(rot != 0)
				    : json_null());
	json_object_set_new(o, "write_cache",
			    host_json_line(root, "/sys/class/block/%s/queue/write_cache", disk));
	json_object_set_new(o, "zoned",
			    host_json_line(root, "/sys/class/block/%s/queue/zoned", disk));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		json_object_set_new(
			o, numbers[i],
			host_json_number(root, "/sys/class/block/%s/queue/%s", disk, numbers[i]));
	return o;
}

/* The disk a partition is on: its folder is the parent of the partition's. */
static bool parent_disk(const char *root, const char *part, char name[256])
{
	char path[PATH_MAX], real[PATH_MAX], *slash;

	snprintf(path, sizeof(path), "%s/sys/class/block/%s", root, part);
	if (!realpath(path, real) || !(slash = strrchr(real, '/')))
		return false;
	*slash = '\0';
	slash = strrchr(real, '/');
	if (!slash || strlen(slash + 1) >= 256)
		return false;
	strcpy(name, slash + 1);
	return true;
}

static void put_devices(const char *root, const char *name, int depth, json_t *list);

static void put_slaves(const char *root, const char *name, int depth, json_t *list)
{
	char **names;
	size_t n = host_names(&names, root, "/sys/class/block/%s/slaves", name);

	for (size_t i = 0; i < n; i++)
		put_devices(root, names[i], depth + 1, list);
	host_names_free(names, n);
}

/* dm, md, loop, partition or disk, with what it lies on behind it: top down, depth first, each
 * device once. */
static void put_devices(const char *root, const char *name, int depth, json_t *list)
{
	char line[1024], disk[256];
	const char *kind = "disk";
	json_t *o, *seen;
	int64_t part;
	size_t i;

	json_array_foreach(list, i,
			   seen) if (strcmp(json_string_value(json_object_get(seen, "name")),
					    name) == 0) return;
	o = json_object();
	json_object_set_new(o, "name", host_json_string(name));
	if (json_is_null(json_object_get(o, "name")))
		json_object_set_new(o, "name", json_string("?"));
	json_array_append_new(list, o);
	if (host_number(&part, root, "/sys/class/block/%s/partition", name)) {
		json_object_set_new(o, "kind", json_string("partition"));
		if (depth < STACK_MAX && parent_disk(root, name, disk))
			put_devices(root, disk, depth + 1, list);
		return;
	}
	if (host_line(line, sizeof(line), root, "/sys/class/block/%s/dm/uuid", name)) {
		kind = "dm";
		line[strcspn(line, "-")] = '\0'; /* LVM, CRYPT, mpath; the rest is an id */
		json_object_set_new(o, "target", host_json_string(line));
	} else if (host_line(line, sizeof(line), root, "/sys/class/block/%s/md/level", name)) {
		kind = "md";
		json_object_set_new(o, "target", host_json_string(line));
	} else if (host_line(line, sizeof(line), root, "/sys/class/block/%s/loop/backing_file",
			     name)) {
		kind = "loop";
		json_object_set_new(o, "target", host_json_string(line));
	}
	json_object_set_new(o, "kind", json_string(kind));
	json_object_set_new(o, "vendor", trimmed(root, name, "device/vendor"));
	json_object_set_new(o, "model", trimmed(root, name, "device/model"));
	json_object_set_new(o, "firmware", trimmed(root, name, "device/firmware_rev"));
	json_object_set_new(o, "queue", queue(root, name));
	if (depth < STACK_MAX)
		put_slaves(root, name, depth, list);
}

/*
 * Name of the device in /sys/class/block: by number, and where the file system has an anonymous one
 * (btrfs, overlay) by the source's path.
 */
static bool device_name(const char *root, const struct mount *m, char name[256])
{
	char path[PATH_MAX], real[PATH_MAX];
	const char *base;

	snprintf(path, sizeof(path), "%s/sys/dev/block/%s", root, m->dev);
	if (!realpath(path, real)) {
		if (strncmp(m->source, "/dev/", 5) != 0)
			return false;
		/* /dev/mapper/x and /dev/disk/by-... are links to the kernel's name. */
		snprintf(path, sizeof(path), "%s%s", root, m->source);
		if (!realpath(path, real))
			snprintf(real, sizeof(real), "%s", m->source);
	}
	base = strrchr(real, '/');
	if (!base || strlen(base + 1) >= 256 || !base[1])
		return false;
	strcpy(name, base + 1);
	snprintf(path, sizeof(path), "%s/sys/class/block/%s", root, name);
	return access(path, F_OK) == 0;
}

static void put_mount(const char *root, const struct mount *m, json_t *o)
{
	json_t *devices = json_array();
	char name[256];

	json_object_set_new(o, "filesystem", host_json_string(m->type));
	json_object_set_new(o, "kind", json_string(kind_of(m->type)));
	json_object_set_new(o, "mount_point", host_json_string(m->point));
	json_object_set_new(o, "mount_options", host_json_string(m->options));
	json_object_set_new(o, "super_options", host_json_string(m->super));
	json_object_set_new(o, "source", host_json_string(m->source));
	if (device_name(root, m, name))
		put_devices(root, name, 0, devices);
	json_object_set_new(o, "devices", devices);
}

static void put_sizes(int fd, json_t *o)
{
	struct statvfs v;
	bool ok = fd >= 0 && fstatvfs(fd, &v) == 0;
	int flags;

	json_object_set_new(o, "size_bytes",
			    ok ? json_integer((json_int_t)v.f_blocks * v.f_frsize) : json_null());
	json_object_set_new(o, "free_bytes",
			    ok ? json_integer((json_int_t)v.f_bavail * v.f_frsize) : json_null());
	/* chattr +C on the folder: new files are not copied on write (btrfs). */
	ok = fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0;
	json_object_set_new(o, "nocow", ok ? json_boolean(flags & FS_NOCOW_FL) : json_null());
}

json_t *host_storage_at(const char *root, const char *dir)
{
	static const char *const keys[] = {"filesystem",    "kind",	     "mount_point",
					   "mount_options", "super_options", "source",
					   "devices"};
	char path[PATH_MAX], real[PATH_MAX];
	char *text = host_text(root, "/proc/self/mountinfo");
	int fd = *root ? -1 : open_nearest(dir, path), id = fd >= 0 ? mount_id(fd) : -1;
	json_t *o = json_object();
	struct mount m = {0};

	if (*root || !realpath(path, real))
		snprintf(real, sizeof(real), "%s", dir);
	json_object_set_new(o, "dir", host_json_string(dir));
	if (text && mount_find(text, real, id, &m))
		put_mount(root, &m, o);
	else
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			json_object_set_new(o, keys[i], json_null());
	put_sizes(fd, o);
	if (fd >= 0)
		close(fd);
	free(text);
	return o;
}
