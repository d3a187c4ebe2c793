/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was published of queues, iothreads, aio and the ways to the data. */
#include <math.h>
#include "analysis/claims.h"

#define HAJNOCZI                                                                                \
	.what = "a queue for each of four vCPUs against one queue", .profiles = "queues",       \
	.a = "disk.queues=1 guest.poll-queues=0|-", .b = "disk.queues=4 guest.poll-queues=0|-", \
	.work = {.min_bs = 4096, .jobs = 4},                                                    \
	.source = "S. Hajnoczi, virtio-pci: enable blk and scsi multi-queue by default, 2020"

#define GARCIA_SETTING "QEMU 5.1, images on xfs on an SSD, cache=none, depth 32"
#define GARCIA_SOURCE "A. Garcia, qemu-devel, August 2020"

#define AIO(cells, name, image, when, how, lo, hi, text)                                       \
	{                                                                                      \
		.id = "garcia-aio-" name, .what = "aio=native against threads, " cells,        \
		.profiles = "cache-aio", .a = image " disk.cache=none disk.aio=threads",       \
		.b = image " disk.cache=none disk.aio=native",                                 \
		.work = {.rw = "randwrite", .pass = when}, .rule = how, .low = lo, .high = hi, \
		.published = text, .setting = GARCIA_SETTING, .source = GARCIA_SOURCE          \
	}

#define BACKEND(name, text, from, to, how, said, where)                                            \
	{                                                                                          \
		.id = name, .what = text, .profiles = "backends", .a = from, .b = to, .rule = how, \
		.low = NAN, .high = NAN, .published = said,                                        \
		.setting = "documentation, no measurement", .source = where                        \
	}

static const struct claim rows[] = {
	{.id = "hajnoczi-4-vcpus",
	 HAJNOCZI,
	 .rule = RULE_SIZE,
	 .low = 1.01,
	 .high = 1.04,
	 .published = "1 to 4 % more",
	 .setting = "4 vCPUs, Optane, aio=native"},
	{.id = "hajnoczi-32-vcpus",
	 HAJNOCZI,
	 .rule = RULE_SIZE,
	 .low = 1.33,
	 .high = 1.33,
	 .published = "33 % more (78k to 104k IOPS)",
	 .setting = "32 vCPUs, 101 disks, 32 queues against one"},
	{.id = "poll-queues",
	 .what = "two polled queues of four against none",
	 .profiles = "queues",
	 .a = "disk.queues=4 guest.poll-queues=0",
	 .b = "disk.queues=4 guest.poll-queues=2",
	 .work = {.rw = "randread", .max_bs = 512, .jobs = 2},
	 .rule = RULE_SIZE,
	 .low = 1.11,
	 .high = 1.11,
	 .published = "11 % more (367k to 408k IOPS with two jobs)",
	 .setting = "4 vCPUs, 512 B random reads, depth 64",
	 .source = "Linux commit 4e0400525691"},

	{.id = "iothread",
	 .what = "an iothread against QEMU's main loop",
	 .profiles = "iothreads",
	 .a = "disk.iothread=off",
	 .b = "disk.iothread=on disk.iothreads=1 disk.iothread-mapping=disk",
	 .rule = RULE_MORE,
	 .low = NAN,
	 .high = NAN,
	 .published = "disks should have one",
	 .setting = "advice in general",
	 .source = "Proxmox VE guide; QEMU blog, 2021; libvirt documentation"},
	{.id = "iothread-each",
	 .what = "four disks: an iothread for each against one for all",
	 .profiles = "iothreads",
	 .a = "disk.count=4 disk.iothreads=1 disk.iothread-mapping=disk",
	 .b = "disk.count=4 disk.iothreads=4 disk.iothread-mapping=disk",
	 .work = {.min_depth = 2},
	 .rule = RULE_BETWEEN, /* "at least" */
	 .low = 1.2,
	 .high = 1.2,
	 .from = 1.2,
	 .to = INFINITY,
	 .published = "at least 20 % more of all together is expected",
	 .setting = "four virtio-scsi disks, each with a controller",
	 .source = "Red Hat's test plan for iothreads"},
	{.id = "iothread-mapping",
	 .what = "one disk: queues on four iothreads against one",
	 .profiles = "iothreads",
	 .a = "disk.count=1 disk.iothreads=1 disk.iothread-mapping=disk",
	 .b = "disk.count=1 disk.iothreads=4 disk.iothread-mapping=queues",
	 .work = {.min_depth = 2},
	 .rule = RULE_MORE,
	 .low = 1,
	 .high = 2,
	 .published = "up to twice as much, and more",
	 .setting = "guests with many vCPUs, micro-benchmarks",
	 .source = "Red Hat, IOThread virtqueue mapping, 2024 and 2025"},

	AIO("qcow2 with mode full", "qcow2-full", "disk.format=qcow2 disk.mode=full", NULL,
	    RULE_SIZE, 1.37, 1.37, "37 % more (56.7k against 41.4k IOPS)"),
	AIO("raw and written", "raw-full", "disk.format=raw", "steady", RULE_SIZE, 1.30, 1.30,
	    "30 % more (58.6k against 45.2k IOPS)"),
	AIO("qcow2, thin and fresh", "qcow2-thin", "disk.format=qcow2 disk.mode=thin",
	    "first-write", RULE_SAME, 0.94, 1, "about equal (7.6k against 8.1k IOPS)"),
	AIO("raw, sparse and fresh", "raw-thin", "disk.format=raw", "first-write", RULE_SAME, 1,
	    1.04, "about equal (7.9k against 7.6k IOPS)"),
	{.id = "aio-uring",
	 .what = "aio=io_uring against native",
	 .profiles = "cache-aio",
	 .a = "disk.cache=none disk.aio=native",
	 .b = "disk.cache=none disk.aio=io_uring",
	 .rule = RULE_NONE,
	 .low = NAN,
	 .high = NAN,
	 .published = "an alternative that also takes the page cache",
	 .setting = "announcement",
	 .source = "QEMU, cover letter of the io_uring series, 2019"},

	BACKEND("null-file", "a file in the page cache against nothing at all", "disk.backend=null",
		"disk.backend=file", RULE_LESS, "the null device isolates what the way to it costs",
		"QEMU documentation, block drivers"),
	BACKEND("null-nbd", "an NBD server against nothing at all", "disk.backend=null",
		"disk.backend=nbd", RULE_LESS, "the null device isolates what the way to it costs",
		"QEMU documentation, block drivers"),
	BACKEND("file-nbd", "a file behind an NBD server against the file", "disk.backend=file",
		"disk.backend=nbd", RULE_LESS, "a socket and a process more",
		"qemu-nbd(8), nbdkit(1)"),
	BACKEND("nbd-nbdkit", "nbdkit against qemu-nbd", "disk.backend=nbd disk.nbd=qemu-nbd",
		"disk.backend=nbd disk.nbd=nbdkit", RULE_NONE, "two servers of one protocol",
		"qemu-nbd(8), nbdkit(1)"),
	BACKEND("file-vhost-user", "a file behind a vhost-user server against the file in QEMU",
		"disk.backend=file", "disk.backend=vhost-user", RULE_NONE,
		"for servers that bypass the kernel; of files nothing is said",
		"QEMU documentation, vhost-user and qemu-storage-daemon(1)"),
};

const struct claim_list claims_threads = {rows, sizeof(rows) / sizeof(rows[0])};
