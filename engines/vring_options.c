// SPDX-License-Identifier: GPL-2.0-or-later
/* The options of the fio engine vring, as fio parses and explains them (--enghelp). */
#include "engines/vring.h"
#include "optgroup.h"

#define VRING_OPTION(NAME, TITLE, TYPE, FIELD, DEFAULT, HELP)                                      \
	.name = NAME, .lname = TITLE, .type = TYPE, .off1 = offsetof(struct vring_options, FIELD), \
	.def = DEFAULT, .help = HELP, .category = FIO_OPT_C_ENGINE, .group = FIO_OPT_G_INVALID

#define VRING_TEXT_(WORD) #WORD
#define VRING_TEXT(WORD) VRING_TEXT_(WORD)

/* clang-format off */
struct fio_option vring_fio_options[] = {
	{
		VRING_OPTION("transport", "Transport", FIO_OPT_STR, transport, "vhost-user",
			     "Where the device is"),
		.posval = {
			{ .ival = "vhost-user", .oval = VRING_VHOST_USER,
			  .help = "Behind the socket path= (qemu-storage-daemon, vbench-vhost-blk, SPDK)" },
			{ .ival = "loop", .oval = VRING_LOOP,
			  .help = "In a thread of this process: serves=" },
		},
	},
	{
		VRING_OPTION("path", "Socket", FIO_OPT_STR_STORE, path, NULL,
			     "Socket of the vhost-user-blk device, or fd:N, an inherited connected socket;"
			     " loop: a name, jobs of the same name share a device"),
	},
	{
		VRING_OPTION("ring", "Ring layout", FIO_OPT_STR, packed, "split",
			     "Layout of the virtqueue"),
		.posval = {
			{ .ival = "split", .oval = 0, .help = "Split virtqueue (virtio 1.2, 2.7)" },
			{ .ival = "packed", .oval = 1, .help = "Packed virtqueue (virtio 1.2, 2.8)" },
		},
	},
	{
		VRING_OPTION("queue_size", "Queue size", FIO_OPT_INT, queue_size, "256",
			     "Entries of the ring: a power of two (split) or any number (packed) up to 32768;"
			     " below 3 the engine copies data, to have two descriptors a request"),
		.minval = 1,
		.maxval = RING_MAX_SIZE,
	},
	{
		VRING_OPTION("event_idx", "Event index", FIO_OPT_BOOL, event_idx, "1",
			     "Suppress notifications by event index (VIRTIO_F_EVENT_IDX)"),
	},
	{
		VRING_OPTION("indirect", "Indirect descriptors", FIO_OPT_BOOL, indirect, "1",
			     "One ring entry a request (VIRTIO_F_INDIRECT_DESC)"),
	},
	{
		VRING_OPTION("wait", "Wait", FIO_OPT_STR, wait, "poll",
			     "How to wait for completions"),
		.posval = {
			{ .ival = "poll", .oval = WAIT_POLL, .help = "Look at the ring all the time" },
			{ .ival = "eventfd", .oval = WAIT_EVENTFD, .help = "Sleep until the device interrupts" },
			{ .ival = "adaptive", .oval = WAIT_ADAPTIVE, .help = "Look for poll_ns, then sleep" },
		},
	},
	{
		VRING_OPTION("poll_ns", "Polling time", FIO_OPT_ULL, poll_ns, "50000",
			     "wait=adaptive: nanoseconds of looking before each sleep"),
	},
	{
		VRING_OPTION("io_timeout", "Timeout", FIO_OPT_INT, io_timeout, "30",
			     "Seconds after which a device that completes nothing is given up (ETIMEDOUT); 0: never"),
		.maxval = 86400,
	},
	{
		VRING_OPTION("hugepages", "Huge pages", FIO_OPT_BOOL, hugepages, "0",
			     "Put rings and buffers into huge pages (of the default size)"),
	},
	{
		VRING_OPTION("trim", "Trim", FIO_OPT_STR, trim, "discard",
			     "What fio's trims become"),
		.posval = {
			{ .ival = "discard", .oval = VRING_DISCARD, .help = "VIRTIO_BLK_T_DISCARD" },
			{ .ival = "write_zeroes", .oval = VRING_WRITE_ZEROES,
			  .help = "VIRTIO_BLK_T_WRITE_ZEROES, with unmap where the device can" },
		},
	},
	{
		VRING_OPTION("rewrite", "Rewrite", FIO_OPT_BOOL, rewrite, "0",
			     "Write each request's descriptors and table again, as drivers of kernels do, although the same"
			     " ones lie there already (fio's buffers do not move); to compare layouts as they are in use"),
	},
	{
		VRING_OPTION("report", "Report", FIO_OPT_STR_STORE, report, NULL,
			     "Write what was negotiated and the queues' counters to this file, as JSON"),
	},
	{
		VRING_OPTION("serves", "Device", FIO_OPT_STR, serves, "null",
			     "loop: what the device is made of"),
		.posval = {
			{ .ival = "null", .oval = BLK_NULL, .help = "Nothing: reads leave the buffer as it is" },
			{ .ival = "memory", .oval = BLK_MEMORY, .help = "Memory" },
			{ .ival = "file", .oval = BLK_FILE, .help = "serve_path=, by io_uring" },
		},
	},
	{
		VRING_OPTION("serve_path", "Device's file", FIO_OPT_STR_STORE, serve_path, NULL,
			     "loop, serves=file: regular file or block device"),
	},
	{
		VRING_OPTION("serve_size", "Device's size", FIO_OPT_STR_VAL, serve_size, "0",
			     "loop: bytes of the device; 0: 1 GiB, or the file's size"),
	},
	{
		VRING_OPTION("latency_ns", "Device's latency", FIO_OPT_ULL, latency_ns, "0",
			     "loop, serves=null: nanoseconds that each request takes at least"),
	},
	{
		VRING_OPTION("device_wait", "Device's waiting", FIO_OPT_STR, device_wait, "poll",
			     "loop: how the device waits for requests"),
		.posval = {
			{ .ival = "poll", .oval = WAIT_POLL, .help = "Look at the ring all the time" },
			{ .ival = "eventfd", .oval = WAIT_EVENTFD, .help = "Sleep until it is kicked" },
			{ .ival = "adaptive", .oval = WAIT_ADAPTIVE, .help = "Look for device_poll_ns, then sleep" },
		},
	},
	{
		VRING_OPTION("device_poll_ns", "Device's polling time", FIO_OPT_ULL, device_poll_ns,
			     VRING_TEXT(VRING_DEVICE_POLL_NS),
			     "loop, device_wait=adaptive: nanoseconds of looking before each sleep"),
	},
	{
		VRING_OPTION("device_cpu", "Device's CPU", FIO_OPT_INT, device_cpu, "-1",
			     "loop: CPU that the device's thread is pinned to; -1: none"),
		.minval = -1,
		.maxval = 65535,
	},
	{
		.name = NULL,
	},
};
/* clang-format on */
