/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disks of the guest: found by serial or PCI address, set up and described from sysfs. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "guest-agent/agent.h"

#define SERIAL_MAX 256
#define VPD_HEADER 4 /* SPC-4, 7.8.1: the serial follows it in page 80h */

/* A disk's serial without the blanks around it (NVMe, SCSI and ATA pad with them); false if it has
 * none. */
static bool serial_read(const char *root, const char *name, char out[SERIAL_MAX])
{
	char buf[SERIAL_MAX];
	const char *from = buf;
	ssize_t n;

	n = sys_read(buf, sizeof(buf), "%s/sys/block/%s/serial", root, name); /* virtio-blk */
	if (n <= 0) {
		/* SCSI, and ATA by way of libata's translation */
		n = sys_read(buf, sizeof(buf), "%s/sys/block/%s/device/vpd_pg80", root, name);
		if (n > VPD_HEADER) {
			from += VPD_HEADER;
			n -= VPD_HEADER;
		} else {
			n = sys_read(buf, sizeof(buf), "%s/sys/block/%s/device/serial", root,
				     name); /* NVMe */
		}
	}
	while (n > 0 && (*from == ' ' || !*from)) {
		from++;
		n--;
	}
	while (n > 0 && (from[n - 1] == ' ' || !from[n - 1]))
		n--;
	if (n <= 0)
		return false;
	memcpy(out, from, (size_t)n);
	out[n] = 0;
	return true;
}

static bool serial_is(const char *root, const char *name, const char *want)
{
	char got[SERIAL_MAX];

	return serial_read(root, name, got) && !strcmp(got, want);
}

/*
 * A SCSI disk whose capacity was asked for while its neighbours came has none: each of them raises
 * a unit attention on all others ("reported LUNs data has changed", SPC-4), and the kernel gives up
 * after a few. It is to ask once more.
 */
static bool sized(const char *root, const char *name)
{
	char buf[PATH_MAX];

	if (sys_read(buf, sizeof(buf), "%s/sys/block/%s/size", root, name) <= 0 || strcmp(buf, "0"))
		return true;
	if (snprintf(buf, sizeof(buf), "%s/sys/block/%s/device/rescan", root, name) <
	    (int)sizeof(buf))
		sys_write(buf, "1");
	return sys_read(buf, sizeof(buf), "%s/sys/block/%s/size", root, name) <= 0 ||
	       strcmp(buf, "0") != 0;
}

/* Is it there for users: not a hidden path of a multipath disk, with its device node and a size. */
static bool usable(const char *root, const char *name)
{
	char buf[PATH_MAX];

	if (sys_read(buf, sizeof(buf), "%s/sys/block/%s/hidden", root, name) > 0 && buf[0] == '1')
		return false;
	if (snprintf(buf, sizeof(buf), "%s/dev/%s", root, name) >= (int)sizeof(buf))
		return false;
	return !access(buf, F_OK) && sized(root, name);
}

/* Base name of what the link DIR/NAME points to; false if there is no such link. */
static bool link_base(const char *dir, const char *name, char *out, size_t size)
{
	char path[PATH_MAX], to[PATH_MAX];
	const char *base;
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return false;
	n = readlink(path, to, sizeof(to) - 1);
	if (n < 0)
		return false;
	to[n] = 0;
	base = strrchr(to, '/');
	base = base ? base + 1 : to;
	if (strlen(base) >= size)
		return false;
	strcpy(out, base);
	return true;
}

/* What the folders above the disk say: each is a device that the next lower one hangs on. */
struct ancestry {
	char driver[64], transport[64]; /* nearest driver, and the one above it */
	char pci[32];			/* address of the nearest PCI device */
	char pci_path[PATH_MAX];
	char features[256]; /* of the virtio device */
};

static void ancestry_read(const char *root, const char *name, struct ancestry *a)
{
	char path[PATH_MAX], dir[PATH_MAX], base[64], *slash;

	snprintf(path, sizeof(path), "%s/sys/block/%s", root, name);
	if (!realpath(path, dir))
		return;
	/* Up to the top folder of devices, whose parent is /sys itself. */
	while ((slash = strrchr(dir, '/')) && slash != dir && !a->pci[0]) {
		*slash = 0;
		if (link_base(dir, "driver", base, sizeof(base))) {
			if (!a->driver[0])
				strcpy(a->driver, base);
			else if (!a->transport[0])
				strcpy(a->transport, base);
		}
		if (!a->features[0])
			sys_read(a->features, sizeof(a->features), "%s/features", dir);
		if (link_base(dir, "subsystem", base, sizeof(base)) && !strcmp(base, "pci")) {
			snprintf(a->pci, sizeof(a->pci), "%.31s", strrchr(dir, '/') + 1);
			strcpy(a->pci_path, dir);
		}
	}
}

static bool pci_is(const char *root, const char *name, const char *want)
{
	struct ancestry a = {0};

	ancestry_read(root, name, &a);
	return !strcmp(a.pci, want);
}

bool disk_find(const char *root, const char *serial, const char *pci, char name[DISK_NAME_MAX])
{
	char path[PATH_MAX];
	struct dirent *d;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/sys/block", root);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (d = readdir(dir))) {
		if (d->d_name[0] == '.' || strlen(d->d_name) >= DISK_NAME_MAX)
			continue;
		if (serial[0] && !serial_is(root, d->d_name, serial))
			continue;
		if ((pci[0] && !pci_is(root, d->d_name, pci)) || !usable(root, d->d_name))
			continue;
		strcpy(name, d->d_name);
		found = true;
	}
	closedir(dir);
	return found;
}

/* Which of the serials it is that a disk has; n: none of them. */
static size_t serial_among(const char *serial, const json_t *serials)
{
	size_t n = json_array_size(serials), i;

	for (i = 0; i < n; i++)
		if (!strcmp(json_string_value(json_array_get(serials, i)), serial))
			break;
	return i;
}

size_t disk_index(const char *root, const json_t *serials, char (*names)[DISK_NAME_MAX])
{
	size_t n = json_array_size(serials), found = 0, i;
	char path[PATH_MAX], serial[SERIAL_MAX];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/sys/block", root);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.' || strlen(d->d_name) >= DISK_NAME_MAX)
			continue;
		/* once known it need not be read again: every disk costs several system calls */
		for (i = 0; i < n && strcmp(names[i], d->d_name); i++)
			;
		if (i < n || !serial_read(root, d->d_name, serial))
			continue;
		i = serial_among(serial, serials);
		if (i < n && !names[i][0] && usable(root, d->d_name))
			strcpy(names[i], d->d_name);
	}
	if (dir)
		closedir(dir);
	for (i = 0; i < n; i++)
		found += names[i][0] != 0;
	return found;
}

bool disk_any(const char *root)
{
	char path[PATH_MAX];
	struct dirent *d;
	bool any = false;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/sys/block", root);
	dir = opendir(path);
	while (dir && !any && (d = readdir(dir))) {
		/* loop and ram devices hang on nothing */
		snprintf(path, sizeof(path), "%s/sys/block/%s/device", root, d->d_name);
		any = d->d_name[0] != '.' && !access(path, F_OK);
	}
	if (dir)
		closedir(dir);
	return any;
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

void disk_set_clear(struct disk_set *s)
{
	free(s->names);
	*s = (struct disk_set){0};
}

bool disk_set_has(const struct disk_set *s, const char *name)
{
	return s->n && bsearch(name, s->names, s->n, sizeof(*s->names), name_compare);
}

void disk_set_add(struct disk_set *s, const char *name)
{
	char(*names)[DISK_NAME_MAX] = realloc(s->names, (s->n + 1) * sizeof(*names));

	if (!names)
		sys_fatal("no memory for %zu disks", s->n + 1);
	s->names = names;
	snprintf(names[s->n++], sizeof(*names), "%s", name);
	qsort(names, s->n, sizeof(*names), name_compare);
}

int disk_set_scheduler(const char *root, const char *name, const char *want, char *buf, size_t size)
{
	char path[PATH_MAX], have[256];
	int rc;

	snprintf(path, sizeof(path), "%s/sys/block/%s/queue/scheduler", root, name);
	rc = sys_write(path, want);
	if (!rc)
		return 0;
	sys_read(have, sizeof(have), "%s", path);
	snprintf(buf, size, "scheduler \"%.32s\" of %s: %s; this kernel has: %s", want, name,
		 strerror(-rc), have);
	return rc;
}

static json_t *text_or_null(const char *s)
{
	return s[0] ? sys_clean_text(s, strlen(s)) : json_null();
}

/* "[none] mq-deadline" -> "none" */
static json_t *scheduler_chosen(const char *schedulers)
{
	const char *from = strchr(schedulers, '['), *to = from ? strchr(from, ']') : NULL;

	return to ? sys_clean_text(from + 1, (size_t)(to - from - 1)) : text_or_null(schedulers);
}

static json_t *count_or_null(int n)
{
	return n < 0 ? json_null() : json_integer(n);
}

static void queue_facts(const char *root, const char *name, json_t *j)
{
	static const char *const numbers[] = {
		"logical_block_size", "physical_block_size", "discard_max_bytes", "nr_requests",
		"max_segments",	      "max_sectors_kb",	     "rotational",	  "wbt_lat_usec"};
	char schedulers[256] = "";

	sys_read(schedulers, sizeof(schedulers), "%s/sys/block/%s/queue/scheduler", root, name);
	json_object_set_new(j, "scheduler", scheduler_chosen(schedulers));
	json_object_set_new(j, "schedulers", text_or_null(schedulers));
	json_object_set_new(j, "write_cache",
			    sys_json_text("%s/sys/block/%s/queue/write_cache", root, name));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		json_object_set_new(
			j, numbers[i],
			sys_json_int("%s/sys/block/%s/queue/%s", root, name, numbers[i]));
}

static json_t *size_bytes(const char *root, const char *name)
{
	json_t *sectors = sys_json_int("%s/sys/block/%s/size", root, name);
	json_t *bytes = json_is_integer(sectors) ? json_integer(json_integer_value(sectors) * 512)
						 : json_null();

	json_decref(sectors);
	return bytes;
}

json_t *disk_brief(const char *root, const char *name, const char *serial)
{
	json_t *j = json_object();

	json_object_set_new(j, "serial", json_string(serial));
	json_object_set_new(j, "path", json_sprintf("/dev/%s", name));
	json_object_set_new(j, "size_bytes", size_bytes(root, name));
	return j;
}

json_t *disk_facts(const char *root, const char *name, const char *serial)
{
	json_t *j = json_object();
	struct ancestry a = {0};

	ancestry_read(root, name, &a);
	json_object_set_new(j, "name", json_string(name));
	json_object_set_new(j, "path", json_sprintf("/dev/%s", name));
	json_object_set_new(j, "driver", text_or_null(a.driver));
	/* Only a SCSI disk has a driver of its own above its transport's. */
	json_object_set_new(j, "transport_driver",
			    strcmp(a.driver, "sd") ? json_null() : text_or_null(a.transport));
	json_object_set_new(j, "pci", text_or_null(a.pci));
	json_object_set_new(j, "serial", json_string(serial));
	json_object_set_new(j, "size_bytes", size_bytes(root, name));
	json_object_set_new(j, "features", text_or_null(a.features));
	json_object_set_new(j, "queues",
			    count_or_null(sys_count("%s/sys/block/%s/mq", root, name)));
	queue_facts(root, name, j);
	json_object_set_new(j, "poll_queues",
			    sys_json_int("%s/sys/module/virtio_blk/parameters/poll_queues", root));
	json_object_set_new(j, "io_poll",
			    sys_json_int("%s/sys/block/%s/queue/io_poll", root, name));
	json_object_set_new(j, "msix_vectors",
			    a.pci[0] ? count_or_null(sys_count("%s/msi_irqs", a.pci_path))
				     : json_null());
	return j;
}
