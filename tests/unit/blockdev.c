// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether a block device is in use, on machines made of a few files in the shape that proc(5) and
 * the kernel's Documentation/ABI give /proc and /sys. Real devices: tests/e2e/blockdev.t.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "host/blockdev.h"

static char root[40];

static void put(const char *path, const char *text)
{
	char *full = xasprintf("%s/%s", root, path), *dir = path_folder(full);

	assert_int_equal(dir_make(dir, 0755, NULL), 0);
	assert_int_equal(file_write(full, text, strlen(text), 0644, NULL), 0);
	free(dir);
	free(full);
}

static void link_to(const char *target, const char *path)
{
	char *full = xasprintf("%s/%s", root, path), *dir = path_folder(full);

	assert_int_equal(dir_make(dir, 0755, NULL), 0);
	assert_int_equal(symlink(target, full), 0);
	free(dir);
	free(full);
}

static void device(const char *numbers, const char *sys, bool partition)
{
	char *path = xasprintf("sys/devices/%s/dev", sys), *text = xasprintf("%s\n", numbers);
	char *link = xasprintf("sys/dev/block/%s", numbers);
	char *target = xasprintf("../../devices/%s", sys);

	put(path, text);
	link_to(target, link);
	free(path);
	path = xasprintf("%s/sys/devices/%s/holders", root, sys);
	assert_int_equal(dir_make(path, 0755, NULL), 0);
	free(path);
	path = xasprintf("sys/devices/%s/partition", sys);
	if (partition)
		put(path, "1\n");
	free(path);
	free(text);
	free(link);
	free(target);
}

/* sda with two partitions, sdb without any; the root file system is on sda1. */
static int setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/blockdev-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	device("8:0", "pci/ata1/block/sda", false);
	device("8:1", "pci/ata1/block/sda/sda1", true);
	device("8:2", "pci/ata1/block/sda/sda2", true);
	device("8:16", "pci/ata2/block/sdb", false);
	put("sys/devices/pci/ata1/block/sda/queue/rotational", "0\n");
	put("proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	put("proc/self/mountinfo", "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
				   "23 22 0:21 / /proc rw shared:2 - proc proc rw\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return dir_remove(root, NULL);
}

static void refused(unsigned minor, const char *words)
{
	struct err e = {0};

	assert_int_equal(blockdev_in_use(root, 8, minor, "/dev/it", &e), -EINVAL);
	assert_int_equal(e.status, VB_BAD_INPUT);
	if (!strstr(e.text, words) || !strstr(e.text, "/dev/it"))
		fail_msg("no \"%s\" in: %s", words, e.text);
}

static void passes(unsigned minor)
{
	struct err e = {0};

	if (blockdev_in_use(root, 8, minor, "/dev/it", &e))
		fail_msg("%s", e.text);
}

static void free_disks_pass(void **state)
{
	(void)state;
	passes(16);
	passes(2); /* beside a mounted partition, but not sharing its blocks */
	assert_int_equal(blockdev_partitions(root, 8, 0), 2);
	assert_int_equal(blockdev_partitions(root, 8, 16), 0);
	assert_int_equal(blockdev_partitions(root, 8, 1), 0);
}

static void mounted_ones_do_not(void **state)
{
	(void)state;
	refused(1, "mounted on /;");
	refused(0, "sda1, which shares its blocks, is mounted on /");
}

/* btrfs: the number is anonymous, the source names one of its devices. */
static void mounts_are_known_by_their_source(void **state)
{
	(void)state;
	put("proc/self/mountinfo",
	    "30 22 0:44 /@ /data\\040two rw,relatime shared:9 master:2 - btrfs /dev/sdb rw,space_cache\n");
	refused(16, "mounted on /data two");
	passes(0);
}

/* The whole disk with a file system, although it has partitions. */
static void a_disk_in_use_covers_its_partitions(void **state)
{
	(void)state;
	put("proc/self/mountinfo", "22 1 8:0 / /mnt rw - xfs /dev/sda rw\n");
	refused(2, "sda, which shares its blocks, is mounted on /mnt");
	passes(16);
}

static void swap_is_in_use(void **state)
{
	(void)state;
	put("proc/self/mountinfo", "");
	put("proc/swaps",
	    "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
	    "/dev/sda2                               partition\t1048572\t\t0\t\t-2\n");
	refused(2, "swapoff /dev/sda2");
	refused(0, "swapoff /dev/sda2");
	passes(1);
	passes(16);
}

static void what_a_loop_device_lies_over_is_in_use(void **state)
{
	(void)state;
	put("sys/block/loop6/loop/backing_file", "/home/x/sdb\n");
	passes(16);
	put("sys/block/loop7/loop/backing_file", "/dev/sdb\n");
	refused(16, "/dev/loop7 lies over");
	passes(2);
}

static void held_ones_are_in_use(void **state)
{
	(void)state;
	put("proc/self/mountinfo", "");
	passes(0);
	link_to("../../../../../../virtual/block/dm-3",
		"sys/devices/pci/ata1/block/sda/sda2/holders/dm-3");
	refused(2, "held by dm-3");
	refused(0, "sda2, which shares its blocks, is held by dm-3");
	passes(1);
}

/* What cannot be told is not taken for free. */
static void the_unknown_is_refused(void **state)
{
	char *path = xasprintf("%s/proc/self/mountinfo", root);

	(void)state;
	refused(99, "/sys/dev/block/8:99");
	unlink(path);
	refused(16, "mountinfo");
	free(path);
}

static void consents_are_counted_by_device(void **state)
{
	const char *const named[] = {"/dev/null", "/dev/no-such-device", root, "/etc/passwd"};
	struct blockdev b;
	struct err e = {0};

	(void)state;
	/* neither a character device nor a file is one, by whatever name */
	assert_int_equal(blockdev_consents("/dev/null", named, 4), 0);
	assert_int_equal(blockdev_consents(root, named, 4), 0);
	assert_int_equal(blockdev_look("/dev/null", &b, &e), -EINVAL);
	assert_non_null(strstr(e.text, "/dev/null is no block device"));
	assert_int_equal(blockdev_look("/dev/no-such-device", &b, &e), -EINVAL);
	assert_non_null(strstr(e.text, "No such file"));
}

/* Consent is given in spite of what cannot be seen: root sees all processes, and nobody looks for
 * readers (writes_to). */
static void what_is_not_seen_is_said(void **state)
{
	(void)state;
	assert_non_null(strstr(blockdev_unseen(0), "only read"));
	assert_null(strstr(blockdev_unseen(0), "without root"));
	assert_non_null(strstr(blockdev_unseen(1000), "only read"));
	assert_non_null(strstr(blockdev_unseen(1000), "other users"));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(free_disks_pass),
		CASE(mounted_ones_do_not),
		CASE(mounts_are_known_by_their_source),
		CASE(a_disk_in_use_covers_its_partitions),
		CASE(swap_is_in_use),
		CASE(held_ones_are_in_use),
		CASE(what_a_loop_device_lies_over_is_in_use),
		CASE(the_unknown_is_refused),
		CASE(consents_are_counted_by_device),
		CASE(what_is_not_seen_is_said),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
