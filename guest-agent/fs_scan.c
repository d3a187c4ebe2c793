/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lies on a disk: partitions as the kernel sees them, contents as libblkid does. */
#include <blkid/blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "guest-agent/agent.h"
#include "guest-agent/fs.h"

#define VOLUMES_MAX 1024

/* btrfs's superblock (fs/btrfs/ctree.h, struct btrfs_super_block), at 64 KiB. */
#define BTRFS_SUPER 65536
#define BTRFS_MAGIC_AT 0x40
#define BTRFS_DEVICES_AT 0x88

struct volume {
	char name[FS_NAME_MAX];
	unsigned number; /* of the partition, 0: the whole disk */
	uint64_t bytes;
	char type[32], uuid[80], label[128], usage[16];
	char refused[FS_WHY];
};

/* Why what is no file system of ours is left alone. */
static const struct {
	const char *type, *why;
} others[] = {
	{"LVM2_member", "it belongs to a volume group of LVM, whose volumes are not looked into"},
	{"LVM1_member", "it belongs to a volume group of LVM, whose volumes are not looked into"},
	{"crypto_LUKS", "it is encrypted (LUKS), and what is free in it can't be told"},
	{"BitLocker", "it is encrypted (BitLocker), and what is free in it can't be told"},
	{"linux_raid_member", "it belongs to a RAID array (md), which may have other members"},
	{"zfs_member", "it belongs to a ZFS pool, which the small guest's kernel can't read"},
	{"bcache", "it belongs to a bcache set, which may have other members"},
	{"ntfs", "it is NTFS, which the small guest's kernel can't write"},
	{"iso9660", "it is an ISO 9660 image: read-only, nothing in it is free"},
	{"udf", "it is UDF, which vbench slim leaves alone"},
	{"squashfs", "it is squashfs: read-only, nothing in it is free"},
	{"swsuspend", "a suspended system is stored in it"},
	{"jbd", "it is the journal of an ext4 file system that lies elsewhere"},
};

static void text_clean(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || (unsigned char)*s > 126)
			*s = '?';
}

static void value_get(blkid_probe pr, const char *key, char *out, size_t size)
{
	const char *s = NULL;

	out[0] = 0;
	if (!blkid_probe_lookup_value(pr, key, &s, NULL) && s)
		snprintf(out, size, "%s", s);
	text_clean(out);
}

/* What the first bytes say; v->refused when they contradict each other or can't be read. */
static void volume_probe(struct volume *v)
{
	blkid_probe pr;
	char path[FS_NAME_MAX + 8];
	int rc;

	snprintf(path, sizeof(path), "/dev/%s", v->name);
	pr = blkid_new_probe_from_filename(path);
	if (!pr) {
		snprintf(v->refused, sizeof(v->refused), "it can't be read: %s", strerror(errno));
		return;
	}
	v->bytes = (uint64_t)blkid_probe_get_size(pr);
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID |
						      BLKID_SUBLKS_LABEL | BLKID_SUBLKS_USAGE);
	errno = 0;
	rc = blkid_do_safeprobe(pr);
	if (!rc) {
		value_get(pr, "TYPE", v->type, sizeof(v->type));
		value_get(pr, "UUID", v->uuid, sizeof(v->uuid));
		value_get(pr, "LABEL", v->label, sizeof(v->label));
		value_get(pr, "USAGE", v->usage, sizeof(v->usage));
	} else if (rc == -2) {
		strcpy(v->refused, "it carries the marks of more than one file system; wipefs(8) "
				   "shows and removes what is left over");
	} else if (rc < 0) {
		snprintf(v->refused, sizeof(v->refused), "it can't be read: %s",
			 strerror(errno ? errno : EIO));
	}
	blkid_free_probe(pr);
}

/* How many devices btrfs says it is made of; 0 if that can't be read. */
static uint64_t btrfs_devices(const char *name)
{
	char path[FS_NAME_MAX + 8];
	uint8_t super[BTRFS_DEVICES_AT + 8];
	uint64_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (pread(fd, super, sizeof(super), BTRFS_SUPER) == (ssize_t)sizeof(super) &&
	    !memcmp(super + BTRFS_MAGIC_AT, "_BHRfS_M", 8))
		for (int i = 7; i >= 0; i--)
			n = n << 8 | super[BTRFS_DEVICES_AT + i];
	close(fd);
	return n;
}

/* Of what was recognised: is it one that can be worked on. A mount that writes nothing decides. */
static void volume_judge(struct volume *v)
{
	char path[FS_NAME_MAX + 8], why[FS_WHY];
	uint64_t n;
	int dir;

	if (v->refused[0] || !strcmp(v->type, "swap"))
		return;
	if (!v->type[0]) {
		strcpy(v->refused, "nothing that is known was found on it");
		return;
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcmp(others[i].type, v->type))
			continue;
		strcpy(v->refused, others[i].why);
		return;
	}
	if (!fs_known(v->type)) {
		snprintf(v->refused, sizeof(v->refused),
			 "it is %s, which vbench slim does not understand", v->type);
		return;
	}
	n = strcmp(v->type, "btrfs") ? 1 : btrfs_devices(v->name);
	if (n != 1) {
		snprintf(v->refused, sizeof(v->refused),
			 "it is one of %llu devices of a btrfs file system", (unsigned long long)n);
		return;
	}
	snprintf(path, sizeof(path), "/dev/%s", v->name);
	dir = fs_mount(path, v->type, FS_LOOK, v->refused);
	if (dir >= 0 && !fs_unmount(dir, path, why))
		strcpy(v->refused, why);
}

/* Partitions of the disk as the kernel has them. Number found, or -1. */
static int partitions_list(const char *disk, struct volume *v, int max)
{
	char dir[PATH_MAX], buf[32];
	struct dirent *d;
	int n = 0;
	DIR *folder;

	snprintf(dir, sizeof(dir), "/sys/class/block/%s", disk);
	folder = opendir(dir);
	if (!folder)
		return -1;
	while (n < max && (d = readdir(folder))) {
		if (strlen(d->d_name) >= FS_NAME_MAX ||
		    sys_read(buf, sizeof(buf), "%s/%s/partition", dir, d->d_name) <= 0)
			continue;
		v[n] = (struct volume){.number = (unsigned)strtoul(buf, NULL, 10)};
		strcpy(v[n++].name, d->d_name);
	}
	closedir(folder);
	return n;
}

static int volume_order(const void *a, const void *b)
{
	const struct volume *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* The kind of partition table, and the partitions that only contain others ("extended"). */
static void table_read(const char *path, char *table, size_t size, struct volume *v, int n)
{
	blkid_probe pr = blkid_new_probe_from_filename(path);
	blkid_partlist list;
	blkid_parttable t;

	snprintf(table, size, "none");
	if (!pr)
		return;
	blkid_probe_enable_superblocks(pr, 0);
	blkid_probe_enable_partitions(pr, 1);
	list = blkid_probe_get_partitions(pr);
	t = list ? blkid_partlist_get_table(list) : NULL;
	if (t && blkid_parttable_get_type(t))
		snprintf(table, size, "%s", blkid_parttable_get_type(t));
	for (int i = 0; t && i < n; i++) {
		blkid_partition part =
			blkid_partlist_get_partition_by_partno(list, (int)v[i].number);

		if (part && blkid_partition_is_extended(part))
			strcpy(v[i].refused,
			       "it is an extended partition: what is in it stands here by itself");
	}
	blkid_free_probe(pr);
}

static json_t *volume_json(const struct volume *v)
{
	json_t *refused =
		v->refused[0] ? sys_clean_text(v->refused, strlen(v->refused)) : json_null();

	return json_pack("{s:s+, s:s, s:s, s:s, s:I, s:o}", "path", "/dev/", v->name, "type",
			 v->type, "uuid", v->uuid, "label", v->label, "bytes", (json_int_t)v->bytes,
			 "refused", refused);
}

/* Whole is the disk's own content, which must not be there beside partitions. */
static json_t *volumes_json(const char *table, struct volume *whole, struct volume *v, int n)
{
	json_t *list = json_array();

	if (!n && strcmp(table, "none") && !whole->type[0])
		snprintf(whole->refused, sizeof(whole->refused),
			 "it has a partition table (%s) in which the kernel found no partition",
			 table);
	if (!n || whole->type[0] || whole->refused[0]) {
		if (n && !whole->refused[0])
			snprintf(whole->refused, sizeof(whole->refused),
				 "the disk carries both partitions and a %s of its own",
				 whole->type);
		else if (!n)
			volume_judge(whole);
		json_array_append_new(list, volume_json(whole));
	}
	for (int i = 0; i < n; i++) {
		if (!v[i].refused[0]) {
			volume_probe(&v[i]);
			if (whole->type[0] || whole->refused[0])
				snprintf(v[i].refused, sizeof(v[i].refused),
					 "the disk carries both partitions and a file system of "
					 "its own: which one is meant can't be told");
			else
				volume_judge(&v[i]);
		}
		json_array_append_new(list, volume_json(&v[i]));
	}
	return json_pack("{s:s, s:o}", "table", table, "volumes", list);
}

json_t *fs_scan(const struct fs_request *r, char why[FS_WHY])
{
	const char *disk = r->path + strlen("/dev/");
	struct volume *v = calloc(VOLUMES_MAX, sizeof(*v)), whole = {0};
	char table[16];
	json_t *answer;
	int n, fd;

	if (!v) {
		fs_why(why, ENOMEM, "%s", disk);
		return NULL;
	}
	/* An open waits for the kernel to be done with reading the partition table. */
	fd = open(r->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fs_why(why, errno, "%s", disk);
		free(v);
		return NULL;
	}
	close(fd);
	n = partitions_list(disk, v, VOLUMES_MAX - 1);
	if (n < 0) {
		fs_why(why, errno, "%s: its partitions", disk);
		free(v);
		return NULL;
	}
	qsort(v, (size_t)n, sizeof(*v), volume_order);
	snprintf(whole.name, sizeof(whole.name), "%s", disk);
	table_read(r->path, table, sizeof(table), v, n);
	volume_probe(&whole);
	answer = volumes_json(table, &whole, v, n);
	free(v);
	if (!answer)
		fs_why(why, ENOMEM, "%s", disk);
	return answer;
}
