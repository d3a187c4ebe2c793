/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images of a live machine: what qemu-img says of them, and what of the host they lie on. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/child.h"
#include "base/file.h"
#include "vm/internal.h"

enum { INFO_MS = 10000, CHAIN_MAX = 32, MOUNTS_MAX = 16 << 20 };

/* --- where a path is mounted --- */

struct mount {
	char *point, *type, *source;
};

static void mount_clear(struct mount *m)
{
	free(m->point);
	free(m->type);
	free(m->source);
	*m = (struct mount){0};
}

/* The kernel writes blanks in names as \040. */
static void unescape(char *text)
{
	char *out = text;

	for (char *p = text; *p; p++) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] && p[3]) {
			*out++ = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
			p += 3;
		} else {
			*out++ = *p;
		}
	}
	*out = '\0';
}

static bool is_below(const char *path, const char *point)
{
	size_t len = strlen(point);

	if (!strcmp(point, "/"))
		return *path == '/';
	return !strncmp(path, point, len) && (path[len] == '/' || !path[len]);
}

/*
 * The mount that a path lies on, by its text: nothing is asked of the file system, which could be a
 * server that does not answer. False: none.
 */
static bool mount_find(const char *path, struct mount *m)
{
	char *text, *save = NULL;

	*m = (struct mount){0};
	if (file_read("/proc/self/mountinfo", MOUNTS_MAX, &text, NULL))
		return false;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *tail = strstr(line, " - "), *point = line, *end;

		for (int i = 0; point && i < 4; i++)
			point = strchr(point, ' ') ? strchr(point, ' ') + 1 : NULL;
		end = point ? strchr(point, ' ') : NULL;
		if (!tail || !end || end > tail)
			continue;
		*end = '\0';
		unescape(point);
		if (!is_below(path, point) || (m->point && strlen(point) < strlen(m->point)))
			continue;
		mount_clear(m);
		m->point = xstrdup(point);
		m->type = xasprintf("%.*s", (int)strcspn(tail + 3, " "), tail + 3);
		tail = strchr(tail + 3, ' ');
		m->source = tail ? xasprintf("%.*s", (int)strcspn(tail + 1, " "), tail + 1)
				 : xstrdup("");
	}
	free(text);
	return m->point;
}

static bool is_network(const char *type)
{
	static const char *const types[] = {
		"nfs",	      "nfs4",		"cifs", "smb3",	 "9p",	   "ceph",    "afs",
		"fuse.sshfs", "fuse.glusterfs", "gfs2", "ocfs2", "lustre", "virtiofs"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i], type))
			return true;
	return false;
}

/* --- the block device below --- */

/* /sys folder of a block device by its number; a partition's disk. New; NULL: none. */
static char *device_folder(dev_t dev)
{
	char name[64], *path, *part;

	snprintf(name, sizeof(name), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	path = realpath(name, NULL);
	if (!path)
		return NULL;
	part = xasprintf("%s/partition", path);
	if (path_exists(part))
		*strrchr(path, '/') = '\0';
	free(part);
	return path;
}

static void device_facts(struct vm *vm, const char *folder, unsigned disk)
{
	char path[4400], line[256], *open, *close_;
	uint64_t number;

	snprintf(path, sizeof(path), "%s/queue/scheduler", folder);
	if (!file_line(path, line, sizeof(line)) && *line) {
		open = strchr(line, '[');
		close_ = open ? strchr(open, ']') : NULL;
		if (close_)
			*close_ = '\0';
		vm_set(vm, VM_GOT, close_ ? open + 1 : line, path, "disk.%u.host-scheduler", disk);
	}
	snprintf(path, sizeof(path), "%s/queue/rotational", folder);
	if (!file_u64(path, &number))
		vm_set_flag(vm, VM_GOT, number, path, "disk.%u.rotational", disk);
	snprintf(path, sizeof(path), "%s/queue/read_ahead_kb", folder);
	if (!file_u64(path, &number) && number < 1u << 30)
		vm_set_number(vm, VM_GOT, number << 10, path, "disk.%u.host-readahead", disk);
	/* The controller's, or that of the device which it sits on; -1 is no number: none. */
	for (int up = 1; up <= 3; up++) {
		snprintf(path, sizeof(path), "%s%s/numa_node", folder,
			 up == 1   ? "/device"
			 : up == 2 ? "/device/device"
				   : "/device/device/device");
		if (!file_u64(path, &number)) {
			vm_set_number(vm, VM_GOT, number, path, "disk.%u.host-node", disk);
			break;
		}
	}
}

static void device_take(struct vm *vm, dev_t dev, unsigned disk)
{
	char *folder = device_folder(dev);

	if (!folder)
		return;
	vm_set(vm, VM_GOT, strrchr(folder, '/') + 1, folder, "disk.%u.host-device", disk);
	device_facts(vm, folder, disk);
	free(folder);
}

/* --- qemu-img --- */

/* Commas are doubled in --image-opts. */
static char *doubled(const char *path)
{
	char *out = xcalloc(1, strlen(path) * 2 + 1), *p = out;

	for (; *path; path++) {
		*p++ = *path;
		if (*path == ',')
			*p++ = ',';
	}
	return out;
}

/*
 * qemu-img's answer for one file, whose backing file it is not let near: a header may name
 * anything, a server too. The file's name is an option of its own, so that "nbd:x" is a name. New
 * reference.
 */
static json_t *image_info(const char *path, const char *format, bool block, char **why)
{
	char *name = doubled(path), *text = NULL;
	/* From a header or a stranger's command line: one word, or it is not said at all. */
	bool plain = format && *format &&
		     !format[strspn(format, "abcdefghijklmnopqrstuvwxyz0123456789")];
	char *opts = xasprintf("%s%s%sfile.driver=%s,file.filename=%s", plain ? "driver=" : "",
			       plain ? format : "", plain ? "," : "",
			       block ? "host_device" : "file", name);
	const char *const argv[] = {"qemu-img",	    "info", "-U", "--output=json",
				    "--image-opts", opts,   NULL};
	struct err e = {0};
	json_t *info = NULL;

	if (child_run(argv, NULL, INFO_MS, &text, &e))
		*why = xstrdup(e.text);
	else
		info = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
	if (!info && !*why)
		*why = xstrdup("its answer is not JSON");
	if (!json_is_object(info)) {
		json_decref(info);
		info = NULL;
	}
	free(text);
	free(opts);
	free(name);
	return info;
}

static void set_bytes(struct vm *vm, const json_t *value, const char *key, unsigned disk)
{
	if (json_is_integer(value) && json_integer_value(value) >= 0)
		vm_set_number(vm, VM_GOT, (uint64_t)json_integer_value(value), "qemu-img info",
			      "disk.%u.%s", disk, key);
}

static void set_flag(struct vm *vm, const json_t *value, const char *key, unsigned disk)
{
	if (json_is_boolean(value))
		vm_set_flag(vm, VM_GOT, json_is_true(value), "qemu-img info", "disk.%u.%s", disk,
			    key);
}

static void info_take(struct vm *vm, const json_t *info, unsigned disk)
{
	const json_t *data = json_object_get(json_object_get(info, "format-specific"), "data");
	const char *format = json_string_value(json_object_get(info, "format"));
	const char *compat = json_string_value(json_object_get(data, "compat"));

	if (format && *format)
		vm_set(vm, VM_GOT, format, "qemu-img info", "disk.%u.format", disk);
	set_bytes(vm, json_object_get(info, "virtual-size"), "size", disk);
	set_bytes(vm, json_object_get(info, "actual-size"), "allocated", disk);
	set_bytes(vm, json_object_get(info, "cluster-size"), "cluster", disk);
	set_flag(vm, json_object_get(info, "encrypted"), "encrypted", disk);
	set_flag(vm, json_object_get(data, "lazy-refcounts"), "lazy-refcounts", disk);
	set_flag(vm, json_object_get(data, "extended-l2"), "extended-l2", disk);
	if (compat && *compat)
		vm_set(vm, VM_GOT, compat, "qemu-img info", "disk.%u.compat", disk);
	if (format && !strcmp(format, "qcow2"))
		vm_set_flag(vm, VM_GOT, json_object_get(data, "data-file") != NULL, "qemu-img info",
			    "disk.%u.data-file", disk);
}

/* A backing file that is a path of this host and no protocol's address. */
static bool is_local(const char *name)
{
	return *name == '/' && !strstr(name, "://");
}

/* Length of the chain below; each file is asked about alone. */
static void chain_take(struct vm *vm, json_t *info, unsigned disk)
{
	unsigned count = 0;
	json_t *at = json_incref(info);

	while (at && count < CHAIN_MAX) {
		const char *next = json_string_value(json_object_get(at, "full-backing-filename"));
		const char *format =
			json_string_value(json_object_get(at, "backing-filename-format"));
		struct mount m;
		char *why = NULL;
		json_t *below = NULL;

		if (!next)
			next = json_string_value(json_object_get(at, "backing-filename"));
		if (!next)
			break;
		count++;
		if (!is_local(next)) {
			vm_note(vm,
				"disk %u: the chain goes on in \"%.120s\", which is not looked at",
				disk, next);
		} else if (mount_find(next, &m) && !is_network(m.type)) {
			below = image_info(next, format, false, &why);
		}
		if (why)
			vm_note(vm, "disk %u: backing file \"%.120s\": %.200s", disk, next, why);
		free(why);
		if (is_local(next))
			mount_clear(&m);
		json_decref(at);
		at = below;
	}
	json_decref(at);
	vm_set_number(vm, VM_GOT, count, "qemu-img info", "disk.%u.backing", disk);
}

/* --- one image --- */

static void file_attributes(struct vm *vm, const char *path, unsigned disk)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW), flags = 0;

	if (fd >= 0 && !ioctl(fd, FS_IOC_GETFLAGS, &flags))
		vm_set_flag(vm, VM_GOT, flags & FS_NOCOW_FL, path, "disk.%u.nocow", disk);
	if (fd >= 0)
		close(fd);
}

/* A file system without a device number of its own (btrfs, overlay) names its device as source. */
static void file_device(struct vm *vm, const struct stat *st, const struct mount *m, unsigned disk)
{
	struct stat source;

	if (major(st->st_dev))
		device_take(vm, st->st_dev, disk);
	else if (!strncmp(m->source, "/dev/", 5) && !stat(m->source, &source) &&
		 S_ISBLK(source.st_mode))
		device_take(vm, source.st_rdev, disk);
}

static void image_take(struct vm *vm, const char *path, const struct mount *m, unsigned disk)
{
	const char *format = vm_get(vm, VM_ASKED, "disk.%u.format", disk);
	char *why = NULL;
	struct stat st;
	json_t *info;

	if (stat(path, &st)) {
		vm_note(vm, "disk %u: \"%.200s\" cannot be looked at: %s", disk, path,
			strerror(errno));
		return;
	}
	if (S_ISBLK(st.st_mode)) {
		device_take(vm, st.st_rdev, disk);
	} else if (S_ISREG(st.st_mode)) {
		vm_set(vm, VM_GOT, m->type, "/proc/self/mountinfo", "disk.%u.host-fs", disk);
		file_device(vm, &st, m, disk);
		file_attributes(vm, path, disk);
	} else {
		return;
	}
	info = image_info(path, format, S_ISBLK(st.st_mode), &why);
	if (info) {
		info_take(vm, info, disk);
		chain_take(vm, info, disk);
	} else {
		vm_note(vm, "disk %u: qemu-img says nothing of \"%.200s\": %.300s", disk, path,
			why);
	}
	/* A raw image of a guest's making must not be probed, so "raw" is what was said of it. */
	json_decref(info);
	free(why);
}

/* Relative names are the process's. New. */
static char *image_path(const struct vm *vm, const char *source)
{
	char link[32], folder[4096];
	ssize_t n;

	if (!strncmp(source, "file:", 5))
		source += 5;
	if (*source == '/' || !vm->pid)
		return xstrdup(source);
	snprintf(link, sizeof(link), "/proc/%d/cwd", vm->pid);
	n = readlink(link, folder, sizeof(folder) - 1);
	if (n < 0)
		return xstrdup(source);
	folder[n] = '\0';
	return xasprintf("%s/%s", folder, source);
}

/* Whether some descriptor of the process is open on the file that lies at path here. */
static bool is_open_there(int pid, const char *path)
{
	enum { FDS_MAX = 65536 };
	char folder[32];
	struct stat want, st;
	struct dirent *entry;
	bool found = false;
	DIR *d;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", pid);
	d = opendir(folder);
	if (stat(path, &want) || !d)
		found = !d; /* without rights to see, nothing speaks against it */
	for (size_t i = 0; d && !found && i < FDS_MAX && (entry = readdir(d)); i++)
		found = !fstatat(dirfd(d), entry->d_name, &st, 0) &&
			((st.st_dev == want.st_dev && st.st_ino == want.st_ino) ||
			 (S_ISBLK(st.st_mode) && S_ISBLK(want.st_mode) &&
			  st.st_rdev == want.st_rdev));
	if (d)
		closedir(d);
	return found;
}

/* In a container, a path may be another file's here: its facts would be of a stranger. */
static bool is_strangers(struct vm *vm, const char *path, unsigned disk)
{
	char link[32];

	snprintf(link, sizeof(link), "/proc/%d/ns/mnt", vm->pid);
	if (!vm->pid || !proc_other_root(AT_FDCWD, link) || is_open_there(vm->pid, path))
		return false;
	vm_note(vm,
		"disk %u: \"%.200s\" is not here what it is where process %d runs, so what lies in the "
		"image is left out; nsenter -t %d -m qemu-img info -U shows it",
		disk, path, vm->pid, vm->pid);
	return true;
}

void vm_read_images(struct vm *vm)
{
	unsigned disks = vm_count(vm, "disk");

	for (unsigned i = 0; i < disks; i++) {
		const char *source = vm_get(vm, VM_GOT, "disk.%u.source", i);
		const char *transport = vm_get(vm, VM_ASKED, "disk.%u.transport", i);
		struct mount m;
		char *path;

		if (!source) /* GOT where it was asked for as a descriptor */
			source = vm_get(vm, VM_ASKED, "disk.%u.source", i);
		/* what could not be told was noted by proc_files */
		if (source && !strncmp(source, "/dev/fdset/", 11))
			continue;
		if (!source || !transport ||
		    (strcmp(transport, "file") && strcmp(transport, "block")))
			continue;
		path = image_path(vm, source);
		if (is_strangers(vm, path, i)) {
			free(path);
			continue;
		}
		if (!mount_find(path, &m)) {
			vm_note(vm, "disk %u: \"%.200s\" is no path of this host", i, path);
		} else if (is_network(m.type)) {
			vm_set(vm, VM_GOT, m.type, "/proc/self/mountinfo", "disk.%u.host-fs", i);
			if (!strncmp(m.type, "nfs", 3))
				vm_set(vm, VM_GOT, "nfs", "/proc/self/mountinfo",
				       "disk.%u.transport", i);
		} else {
			image_take(vm, path, &m, i);
		}
		mount_clear(&m);
		free(path);
	}
}
