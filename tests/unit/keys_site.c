/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which keys mean something on a host site and with a vhost-user back end, and which cells cannot
 * be. Expected by hand: VIRTIO 1.2, 2.7 and 2.8 (queue sizes), QEMU's QAPI reference
 * (vhost-user-blk export), and what the engine's and the device's options are.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "profile/profile.h"

static struct profile *parse(const char *disk, const char *workload, struct err *e)
{
	struct profile *p = NULL;
	char *text = xasprintf("%s[workload w]\n%s", disk, workload);

	profile_parse(text, strlen(text), "t.ini", NULL, 0, &p, e);
	free(text);
	return p;
}

static struct profile *good(const char *disk)
{
	struct err e = {0};
	struct profile *p = parse(disk, "", &e);

	if (!p)
		print_error("%s\n", e.text);
	assert_non_null(p);
	assert_int_equal(p->ncells, 1);
	return p;
}

static void refused(const char *disk, const char *workload, const char *part)
{
	struct err e = {0};
	struct profile *p = parse(disk, workload, &e);

	if (p || !strstr(e.text, part))
		print_error("%s: got: %s\nwant: %s\n", disk, e.text, part);
	assert_null(p);
	assert_non_null(strstr(e.text, part));
}

/* The keys of the cell that have a value, "a b c" in the table's order; [knob] is of every site. */
static char *keys_of(const char *disk)
{
	struct profile *p = good(disk);
	char *all = xstrdup("");

	for (size_t i = 0; i < K_COUNT; i++) {
		char *more;

		if (profile_keys[i].section == SEC_KNOB)
			assert_string_equal(p->cells[0].val[i], "keep");
		if (!p->cells[0].val[i] || profile_keys[i].section == SEC_KNOB)
			continue;
		more = xasprintf("%s%s%s", all, *all ? " " : "", profile_keys[i].name);
		free(all);
		all = more;
	}
	profile_free(p);
	return all;
}

static void expect_keys(const char *disk, const char *want)
{
	char *got = keys_of(disk);

	assert_string_equal(got, want);
	free(got);
}

#define GUEST "site vcpus memory accel cpu machine scheduler sandbox kernel qemu start arm "
#define MANY "count overcommit pin pages nodes "
#define LIMITS "detect-zeroes discard throttle-iops throttle-bps "
#define THREADS "iothread iothreads iothread-mapping poll-max "
#define HOST "[guest]\nsite = host\n"
#define VRING HOST "[disk]\nbackend = vhost-user\n"

static void each_site_has_its_keys(void **state)
{
	(void)state;
	expect_keys("",
		    GUEST "poll-queues " MANY "dir bus count slots ring event-idx indirect format "
			  "content size cache aio " LIMITS THREADS
			  "ioeventfd queues queue-size backend precondition");
	expect_keys("[disk]\nbackend = null\nbus = nvme\n",
		    GUEST MANY "bus count slots size " LIMITS "queues backend latency");
	expect_keys("[disk]\nbackend = vhost-user\n",
		    GUEST "poll-queues " MANY "bus count slots ring event-idx indirect size queues "
			  "queue-size backend server serves server-wait latency");
	expect_keys("[disk]\nbackend = vhost-user\nserves = file\n",
		    GUEST "poll-queues " MANY
			  "dir bus count slots ring event-idx indirect format content "
			  "size cache queues queue-size backend server serves server-wait "
			  "precondition");
	expect_keys("[disk]\nbackend = vhost-user\nserves = file\nserver = storage-daemon\n"
		    "format = qcow2\nserver-wait = adaptive\n",
		    GUEST "poll-queues " MANY
			  "dir bus count slots ring event-idx indirect format mode "
			  "cluster-size extended-l2 lazy-refcounts compat l2-cache-size content "
			  "backing compression data-file size cache aio queues queue-size backend "
			  "server serves server-wait server-poll precondition");
	expect_keys(HOST "[disk]\ndriver = none\n", "site arm driver size");
	expect_keys(HOST "[disk]\ndriver = none\nbackend = vhost-user\n", "site arm driver size");
	expect_keys(HOST "[disk]\ndriver = file\nbackend = null\nring = packed\n",
		    "site arm dir driver format content size precondition");
	expect_keys(VRING,
		    "site arm driver ring event-idx indirect size queues queue-size wait backend "
		    "server serves server-wait latency");
	expect_keys(
		VRING "server = loop\nserves = memory\nwait = adaptive\nserver-wait = poll\n",
		"site arm driver ring event-idx indirect size queue-size wait poll backend server "
		"serves server-wait");
}

/* QEMU's devices: ide-hd and nvme have no iothread property, and a microvm's transports are its
 * board's. */
static void each_bus_has_its_keys(void **state)
{
	(void)state;
#define IMAGE "size " LIMITS
#define NULLS "[disk]\nbackend = null\n"
	expect_keys(NULLS "bus = ide\n", GUEST MANY "bus count " IMAGE "backend latency");
	expect_keys(NULLS "bus = ahci\n", GUEST MANY "bus count " IMAGE "backend latency");
	expect_keys(NULLS "bus = virtio-mmio\n[guest]\nmachine = microvm\n",
		    GUEST "poll-queues " MANY "bus count ring event-idx indirect " IMAGE
			  "queues backend latency");
	expect_keys(NULLS "bus = virtio-mmio\n[guest]\nmachine = microvm,acpi=on\naccel = kvm\n",
		    GUEST "poll-queues " MANY "bus count ring event-idx indirect " IMAGE THREADS
			  "queues backend latency");
	expect_keys(NULLS "bus = virtio-scsi\ncount = 2\niothread = off\n",
		    GUEST MANY "bus count controllers slots ring event-idx indirect " IMAGE
			       "iothread ioeventfd queues queue-size backend latency");
}

static void each_back_end_has_its_keys(void **state)
{
	(void)state;
#define RINGS "count slots ring event-idx indirect "
	expect_keys("[disk]\nbackend = block\ndevice = /dev/loop0\n",
		    GUEST "poll-queues " MANY "bus " RINGS "format size cache aio " LIMITS THREADS
			  "ioeventfd queues queue-size backend device precondition");
	expect_keys("[disk]\nbackend = nbd\n",
		    GUEST "poll-queues " MANY "dir bus " RINGS
			  "format content size cache aio " LIMITS THREADS
			  "ioeventfd queues queue-size backend nbd precondition");
	expect_keys("[disk]\nbackend = nbd\nnbd = nbdkit\ncache = writeback\n", GUEST
		    "poll-queues " MANY "dir bus " RINGS "format content size cache " LIMITS THREADS
		    "ioeventfd queues queue-size backend nbd nbdkit precondition");
	expect_keys("[disk]\nbackend = nbd\nnbd = nbdkit\nnbdkit = memory 1G\n",
		    GUEST "poll-queues " MANY "bus " RINGS "size " LIMITS THREADS
			  "ioeventfd queues queue-size backend nbd nbdkit precondition");
	/* what it forgets cannot be filled (nbdkit-null-plugin(1)) */
	expect_keys("[disk]\nbackend = nbd\nnbd = nbdkit\nnbdkit = null 1G\n",
		    GUEST "poll-queues " MANY "bus " RINGS "size " LIMITS THREADS
			  "ioeventfd queues queue-size backend nbd nbdkit");
}

static void cells_that_cannot_be_say_why(void **state)
{
	(void)state;
	refused(HOST, "", "driver=vring needs backend=vhost-user");
	refused("[disk]\nbackend = vhost-user\nbus = nvme\n", "", "use bus=virtio-blk");
	refused("[disk]\nbackend = vhost-user\nbus = virtio-scsi\n", "", "use bus=virtio-blk");
	refused("[disk]\nbackend = vhost-user\nserver = loop\n", "", "use guest.site=host");
	refused(VRING "server = storage-daemon\nserves = memory\n", "", "serves no memory");
	refused(VRING "server = storage-daemon\nserver-wait = poll\n", "", "cannot poll");
	refused(VRING "serves = file\nformat = qcow2\n", "", "raw images only");
	refused(VRING "serves = file\ncache = directsync\n", "", "cache=none and cache=writeback");
	refused(VRING "server = loop\nserves = file\n", "", "cache=writeback");
	refused(HOST "[disk]\ndriver = file\nformat = qcow2\n", "", "use format=raw");
	refused(VRING "blockdev.discard = unmap\n", "", "block layer");
	refused(VRING
		"server = storage-daemon\nserves = file\nformat = qcow2\nprecondition = fill\n",
		"", "only raw images can be filled");
	refused(VRING "server = storage-daemon\nserves = file\nformat = qcow2\n",
		"precondition = fill\n", "only raw images can be filled");
}

static void queue_sizes_follow_ring_and_site(void **state)
{
	(void)state;
	refused("[disk]\nqueue-size = 2\n", "", "from 4 to 1024");
	refused("[disk]\nqueue-size = 2048\n", "", "from 4 to 1024");
	refused("[disk]\nring = packed\nqueue-size = 1000\n", "", "from 4 to 1024");
	refused(VRING "queue-size = 1000\n", "", "a split ring takes powers of two");
	refused(VRING "server = storage-daemon\nqueue-size = 2048\n", "", "1024");
	profile_free(good(VRING "queue-size = 2\n"));
	profile_free(good(VRING "queue-size = 32768\n"));
	profile_free(good(VRING "ring = packed\nqueue-size = 3\n"));
	profile_free(good(VRING "ring = packed\nqueue-size = 1000\nserver = loop\n"));
	profile_free(good(VRING "server = storage-daemon\nqueue-size = 1024\n"));
	/* packed is offered by no storage daemon yet, and a guest would get split without a word */
	refused("[disk]\nbackend = vhost-user\nserver = storage-daemon\nring = packed\n", "",
		"qemu-storage-daemon offers no packed ring; use disk.server=vbench or "
		"disk.ring=split");
	refused(VRING "server = storage-daemon\nring = packed\n", "", "no packed ring");
}

static void workloads_are_held_against_the_site(void **state)
{
	struct err e = {0};
	struct profile *p;

	(void)state;
	refused(VRING, "numjobs = 2\n", "raise disk.queues");
	p = parse(VRING "queues = 2\n", "numjobs = 2\n", &e);
	assert_non_null(p);
	profile_free(p);
	p = parse(VRING "server = loop\n", "numjobs = 2\n", &e); /* a queue for each job */
	assert_non_null(p);
	profile_free(p);
	/* a host has other memory than a guest of 256 MiB */
	p = parse(HOST "[disk]\ndriver = none\n", "bs = 1M\niodepth = 256\n", &e);
	assert_non_null(p);
	profile_free(p);
	refused("[disk]\nbackend = vhost-user\nserver = storage-daemon\nserves = file\n",
		"rw = write\nfsync = 1\n", "directsync");
	p = parse("[disk]\nbackend = vhost-user\nserver = storage-daemon\nserves = file\n"
		  "cache = directsync\n",
		  "rw = write\nfsync = 1\n", &e);
	assert_non_null(p);
	profile_free(p);
}

static void images_are_filled_where_there_are_some(void **state)
{
	static const struct {
		const char *disk;
		bool fills;
	} cases[] = {
		{"[disk]\nprecondition = fill\n", true},
		{"[disk]\nprecondition = fill\nbackend = null\n", false},
		{"[disk]\nprecondition = fill\nbackend = vhost-user\n", false},
		{"[disk]\nprecondition = fill\nbackend = vhost-user\nserves = file\n", true},
		{HOST "[disk]\ndriver = file\nprecondition = fill\n", true},
		{HOST "[disk]\ndriver = none\nprecondition = fill\n", false},
		{"[disk]\nprecondition = fill\nbackend = nbd\n", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct profile *p = good(cases[i].disk);

		assert_int_equal(workload_fills(&p->workloads[0], &p->cells[0]), cases[i].fills);
		assert_int_equal(cell_has_image(&p->cells[0]), cases[i].fills);
		profile_free(p);
	}
}

/* On the host fio gets nothing that could undo a key behind asked and got, or reach beyond the
 * disk.
 */
static void options_of_fio_are_few_on_the_host(void **state)
{
	static const char *const vring[] = {
		"transport",  "path",	     "ring",	       "queue_size", "event_idx",
		"indirect",   "wait",	     "poll_ns",	       "io_timeout", "hugepages",
		"trim",	      "report",	     "serves",	       "serve_path", "serve_size",
		"latency_ns", "device_wait", "device_poll_ns", "device_cpu",
	};
	static const char *const others[] = {
		"filesize",    "file_append",
		"fill_device", "fill_fs",
		"fallocate",   "unlink_each_loop",
		"offset",      "thread",
		"write_iolog", "uid",
		"mem",	       "cgroup",
		"read_iolog",  "lockfile",
		"nosuch",      "verify_state_save",
		"ioscheduler", "profile",
		"unlink",      "loops_",
	};
	struct profile *p;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(vring) / sizeof(vring[0]); i++) {
		char *line = xasprintf("fio.%s = 1\n", vring[i]);
		char *want = xasprintf("fio.%s is not taken on the host", vring[i]);

		refused(VRING "server = loop\n", line, want);
		free(want);
		free(line);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char *line = xasprintf("fio.%s = 1\n", others[i]);

		refused(HOST "[disk]\ndriver = file\n", line, others[i]);
		free(line);
	}
	refused(VRING, "fio.ring = split\n", "use disk.ring");
	refused(VRING, "fio.serve_path = /etc/passwd\n", "disk.dir");
	p = parse(VRING, "fio.rwmixread = 70\nfio.random_distribution = zipf:1.1\n", &e);
	assert_non_null(p);
	profile_free(p);
	/* in a guest they hurt nobody */
	p = parse("", "fio.offset = 1M\n", &e);
	assert_non_null(p);
	profile_free(p);
}

static void verify_wants_a_disk_that_keeps_something(void **state)
{
	static const char how[] = "rw = randwrite\nverify = crc32c\n";
	static const char *const kept[] = {"", VRING "serves = memory\n", VRING "serves = file\n",
					   HOST "[disk]\ndriver = file\n"};

	(void)state;
	refused("[disk]\nbackend = null\n", how, "disk.backend = null keeps nothing");
	refused("[disk]\nbackend = vhost-user\n", how, "disk.serves = null keeps nothing");
	refused(VRING "server = loop\n", how, "disk.serves = null keeps nothing");
	refused(HOST "[disk]\ndriver = none\n", how, "disk.driver = none keeps nothing");
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		struct err e = {0};
		struct profile *p = parse(kept[i], how, &e);

		assert_non_null(p);
		profile_free(p);
	}
}

static bool told(const struct profile *p, const char *what, const char *reason)
{
	for (size_t i = 0; i < p->nskipped; i++)
		if (strstr(p->skipped[i].what, what) && strstr(p->skipped[i].reason, reason))
			return true;
	return false;
}

/* vring and the null engine are ioengines: a workload's own is for the other cells. */
static void the_workloads_engine_is_not_ignored_in_silence(void **state)
{
	struct err e = {0};
	struct profile *p;

	(void)state;
	refused(VRING, "ioengine = libaio\n", "ioengine=libaio: driver=vring");
	refused(VRING, "direct = off\n", "direct=off: driver=vring");
	p = parse(HOST "[disk]\nbackend = vhost-user\ndriver = vring, file\n",
		  "ioengine = libaio\n", &e);
	assert_non_null(p);
	assert_true(told(p, "workload w: ioengine=libaio", "1 of 2 cells"));
	profile_free(p);
	p = parse(HOST "[disk]\nbackend = vhost-user\ndriver = vring, file\n", "", &e);
	assert_non_null(p);
	assert_int_equal(p->nskipped, 0);
	profile_free(p);
}

/* Ids of cells that were there before: computed with sha256sum from the sorted lines that differ
 * from the defaults; the default cell has none, and SHA-256 of nothing is e3b0c44298fc1c14... */
static void new_keys_at_their_defaults_change_no_id(void **state)
{
	struct profile *p = good("");

	(void)state;
	assert_string_equal(p->cells[0].id, "e3b0c44298fc1c14");
	profile_free(p);
	/* printf 'disk.bus=nvme\n' | sha256sum */
	p = good(
		"[disk]\nbus = nvme\nevent-idx = on\nindirect = on\nwait = eventfd\nserver = loop\n");
	assert_string_equal(p->cells[0].id, "f90363af58940d80");
	profile_free(p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_site_has_its_keys),
		cmocka_unit_test(each_bus_has_its_keys),
		cmocka_unit_test(each_back_end_has_its_keys),
		cmocka_unit_test(cells_that_cannot_be_say_why),
		cmocka_unit_test(queue_sizes_follow_ring_and_site),
		cmocka_unit_test(workloads_are_held_against_the_site),
		cmocka_unit_test(images_are_filled_where_there_are_some),
		cmocka_unit_test(options_of_fio_are_few_on_the_host),
		cmocka_unit_test(verify_wants_a_disk_that_keeps_something),
		cmocka_unit_test(the_workloads_engine_is_not_ignored_in_silence),
		cmocka_unit_test(new_keys_at_their_defaults_change_no_id),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
