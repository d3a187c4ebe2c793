/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asked against got, both ways and unknown, on evidence written by hand after the answers of
 * QEMU 7.2, Linux 6.1 and fdinfo(5); HACKING.md ("Evidence") has its shape. Feature bits are those
 * of VIRTIO 1.2, section 6.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "disk/disk.h"

/* Bits 9, 28, 29, 32 and, in the second, 34: the character of that number is 1. */
#define SPLIT "0000000001000000000000000000110010000000000000000000000000000000"
#define PACKED "0000000001000000000000000000110010100000000000000000000000000000"
#define NO_EVENT_IDX "0000000001000000000000000000100010000000000000000000000000000000"
#define NO_INDIRECT "0000000001000000000000000000010010000000000000000000000000000000"

/* A good answer for a 64 MiB virtio-blk disk, cache none, io_uring, on an iothread; raw unless
 * said. */
static const char before_text[] =
	"{'guest': {'disk': {'name': 'vda', 'driver': 'virtio_blk', 'transport_driver': null, 'queues': 1,"
	"  'size_bytes': 67108864, 'write_cache': 'write back', 'nr_requests': 256, 'max_segments': 254,"
	"  'features': '" SPLIT "', 'pci': '0000:01:00.0', 'poll_queues': 0, 'io_poll': 0}},"
	" 'qmp': {'query-version': {'qemu': {'major': 7, 'minor': 2, 'micro': 22}}, 'query-block': [{'qdev': '/machine/peripheral/vb0/virtio-backend', 'inserted':"
	"    {'node-name': 'vb0-fmt', 'drv': 'raw', 'cache': {'direct': true, 'no-flush': false, 'writeback': true}}}],"
	"  'query-named-block-nodes': [{'node-name': 'vb0-fmt', 'drv': 'raw', 'detect_zeroes': 'off'},"
	"    {'node-name': 'vb0-file', 'drv': 'file'}],"
	"  'query-iothreads': [{'id': 'io0', 'thread-id': 7, 'poll-max-ns': 32768}], 'queue': {'vring-num': 256},"
	"  'query-pci': [{'bus': 0, 'devices': [{'qdev_id': '', 'bus': 0, 'slot': 0, 'function': 0}, {'qdev_id': 'rp0', 'bus': 0, 'slot': 1,"
	"    'function': 0, 'pci_bridge': {'bus': {'number': 0}, 'devices': [{'qdev_id': 'vb0', 'bus': 1, 'slot': 0, 'function': 0}]}}]}],"
	"  'device': {'ioeventfd': true, 'iothread': '/objects/io0', 'iothread-vq-mapping': null, 'multifunction': false, 'type': 'virtio-blk-pci'}},"
	" 'host': {'image_fds': [{'fd': 12, 'flags': 2140002}], 'uring': [{'fd': 9, 'sq_tail': 10}, {'fd': 14, 'sq_tail': 3}],"
	"  'aio_nr': 0, 'workers': 0, 'cpu_ns': {'vcpu': 5, 'iothread': 1000, 'rest': 3}},"
	" 'image': {'size': 67108864, 'allocated': 4096, 'extents': 1, 'unwritten': 0, 'mapped_bytes': 4096,"
	"  'unwritten_bytes': 0, 'info': {'format': 'raw'}}}";

static json_t *json_of(const char *text)
{
	char *copy = strdup(text);
	json_error_t error;
	json_t *j;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	j = json_loads(copy, JSON_DECODE_ANY, &error);
	if (!j)
		print_error("%s at %d\n", error.text, error.position);
	assert_non_null(j);
	free(copy);
	return j;
}

/* Sets what the path leads to; NULL takes it out. Numbers in a path are places in an array. */
static void put(json_t *root, const char *path, const char *value)
{
	char word[64];
	size_t n = strcspn(path, "/");
	json_t *at = root;

	while (path[n]) {
		snprintf(word, sizeof(word), "%.*s", (int)n, path);
		at = json_is_array(at) ? json_array_get(at, (size_t)atoi(word))
				       : json_object_get(at, word);
		assert_non_null(at);
		path += n + 1;
		n = strcspn(path, "/");
	}
	if (value)
		json_object_set_new(at, path, json_of(value));
	else
		json_object_del(at, path);
}

struct change {
	const char *path, *value;
	int when; /* 0: before, 1: after, 2: both */
};

/* Evidence of a good trial: the two rings and the iothread have worked. */
static void evidence(json_t **before, json_t **after, const struct change *c, size_t n)
{
	*before = json_of(before_text);
	*after = json_of(before_text);
	put(*after, "host/uring/0/sq_tail", "500");
	put(*after, "host/uring/1/sq_tail", "9000");
	put(*after, "host/cpu_ns/iothread", "900000");
	put(*after, "image", NULL);
	for (size_t i = 0; i < n; i++) {
		if (c[i].when != 1)
			put(*before, c[i].path, c[i].value);
		if (c[i].when != 0)
			put(*after, c[i].path, c[i].value);
	}
}

static struct profile *cell_of(const char *disk)
{
	struct profile *p = NULL;
	struct err e = {0};
	char *text = xasprintf("[disk]\nsize = 64M\n%s[workload w]\n", disk);

	if (profile_parse(text, strlen(text), "t.ini", NULL, 0, &p, &e))
		print_error("%s\n", e.text);
	assert_non_null(p);
	free(text);
	return p;
}

static struct asked_got ask(const char *disk, const char *key, const json_t *before,
			    const json_t *after)
{
	struct disk_env env = {.image_dir = "/img", .qemu_img = "qemu-img", .vcpus = 2};
	struct profile *p = cell_of(disk);
	struct asked_got rows[64], found = {.key = ""};
	struct disk_plan plan;
	size_t n;

	assert_int_equal(disk_plan_make(&p->cells[0], &env, &plan, NULL), 0);
	n = disk_asked_got(&p->cells[0], &plan, before, after, rows, 64);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(rows[i].key, key))
			found = rows[i];
	disk_plan_free(&plan);
	profile_free(p);
	return found;
}

/* One row under changes of the good evidence. */
static void expect_n(const char *disk, const char *key, const struct change *c, size_t n,
		     enum got_state state, const char *asked, const char *got)
{
	json_t *before, *after;
	struct asked_got r;

	evidence(&before, &after, c, n);
	r = ask(disk, key, before, after);
	if (strcmp(r.key, key) || r.state != state || strcmp(r.asked, asked) || !strstr(r.got, got))
		print_error("%s of\n%sgot %d \"%s\", want %d \"%s\" (asked \"%s\", want \"%s\")\n",
			    key, disk, r.state, r.got, state, got, r.asked, asked);
	assert_string_equal(r.key, key);
	assert_int_equal(r.state, state);
	assert_string_equal(r.asked, asked);
	assert_non_null(strstr(r.got, got));
	if (state == GOT_MATCH)
		assert_true(r.from[0] == 'g' || r.from[0] == 'h' || r.from[0] == 'b');
	json_decref(before);
	json_decref(after);
}

#define EXPECT(disk, key, state, asked, got, ...)                                                \
	do {                                                                                     \
		const struct change changes[] = {__VA_ARGS__};                                   \
		expect_n(disk, key, changes, sizeof(changes) / sizeof(changes[0]), state, asked, \
			 got);                                                                   \
	} while (0)
#define NOTHING                               \
	{                                     \
		"guest/disk/name", "'vda'", 2 \
	}

static void a_good_trial_matches_throughout(void **state)
{
	struct disk_env env = {.image_dir = "/img", .qemu_img = "qemu-img", .vcpus = 2};
	struct profile *p = cell_of("");
	struct asked_got rows[64];
	struct disk_plan plan;
	json_t *before, *after;
	size_t n;

	(void)state;
	evidence(&before, &after, NULL, 0);
	assert_int_equal(disk_plan_make(&p->cells[0], &env, &plan, NULL), 0);
	n = disk_asked_got(&p->cells[0], &plan, before, after, rows, 64);
	/* dir bus ring event-idx indirect format size cache aio iothread queues queue-size backend;
	 * content detect-zeroes throttle-iops throttle-bps; slots count iothreads iothread-mapping
	 * poll-max ioeventfd poll-queues. A raw image has no mode; of discard, l2-cache-size and
	 * compression nothing is asked */
	assert_int_equal(n, 24);
	for (size_t i = 0; i < n; i++) {
		if (rows[i].state != GOT_MATCH)
			print_error("%s: %s\n", rows[i].key, rows[i].got);
		assert_int_equal(rows[i].state, GOT_MATCH);
	}
	assert_int_equal(disk_asked_got(&p->cells[0], &plan, before, after, rows, 3), 3);
	json_decref(before);
	json_decref(after);
	disk_plan_free(&plan);
	profile_free(p);
}

static void without_evidence_all_is_unknown(void **state)
{
	static const char *const empty[] = {
		"{}", "null", "[]", "{'guest': 3, 'qmp': [], 'host': {'uring': {}}, 'image': 1}"};
	struct disk_env env = {.image_dir = "/img", .qemu_img = "qemu-img", .vcpus = 2};
	struct profile *p = cell_of("format = qcow2\nmode = full\nblockdev.discard = unmap\n");
	struct asked_got rows[64];
	struct disk_plan plan;

	(void)state;
	assert_int_equal(disk_plan_make(&p->cells[0], &env, &plan, NULL), 0);
	for (size_t i = 0; i < 5; i++) {
		json_t *ev = i < 4 ? json_of(empty[i]) : NULL;
		size_t n = disk_asked_got(&p->cells[0], &plan, ev, ev, rows, 64);

		/* these, mode and the passed-through option; and
		 * cluster-size extended-l2 lazy-refcounts compat backing data-file, without
		 * content, for mode = full says that */
		assert_int_equal(n, 31);
		for (size_t k = 0; k < n; k++) {
			assert_int_equal(rows[k].state, GOT_UNKNOWN);
			assert_true(rows[k].got[0] != 0);
		}
		json_decref(ev);
	}
	disk_plan_free(&plan);
	profile_free(p);
}

static void bus(void **state)
{
	(void)state;
	EXPECT("", "disk.bus", GOT_MATCH, "virtio-blk", "virtio-blk", NOTHING);
	EXPECT("", "disk.bus", GOT_DIFFER, "virtio-blk", "sd over virtio_scsi",
	       {"guest/disk/driver", "'sd'", 2},
	       {"guest/disk/transport_driver", "'virtio_scsi'", 2});
	EXPECT("bus = virtio-scsi\n", "disk.bus", GOT_MATCH, "virtio-scsi", "virtio-scsi",
	       {"guest/disk/driver", "'sd'", 2},
	       {"guest/disk/transport_driver", "'virtio_scsi'", 2});
	EXPECT("bus = virtio-scsi\n", "disk.bus", GOT_DIFFER, "virtio-scsi", "sd over ata_piix",
	       {"guest/disk/driver", "'sd'", 2}, {"guest/disk/transport_driver", "'ata_piix'", 2});
	EXPECT("bus = nvme\n", "disk.bus", GOT_MATCH, "nvme", "nvme",
	       {"guest/disk/driver", "'nvme'", 2});
	EXPECT("bus = nvme\n", "disk.bus", GOT_UNKNOWN, "nvme", "no driver",
	       {"guest/disk/driver", "17", 2});
}

static void ring(void **state)
{
	(void)state;
	EXPECT("ring = split\n", "disk.ring", GOT_MATCH, "split", "split", NOTHING);
	EXPECT("ring = packed\n", "disk.ring", GOT_DIFFER, "packed", "split", NOTHING);
	EXPECT("ring = packed\n", "disk.ring", GOT_MATCH, "packed", "packed",
	       {"guest/disk/features", "'" PACKED "'", 2});
	EXPECT("ring = split\n", "disk.ring", GOT_DIFFER, "split", "packed",
	       {"guest/disk/features", "'" PACKED "'", 2});
	/* what changes on the way is seen, too */
	EXPECT("ring = packed\n", "disk.ring", GOT_DIFFER, "packed", "split (after the workload)",
	       {"guest/disk/features", "'" PACKED "'", 0});
	EXPECT("ring = packed\n", "disk.ring", GOT_UNKNOWN, "packed", "no negotiated features",
	       {"guest/disk/features", "'0101'", 2});
	EXPECT("ring = packed\n", "disk.ring", GOT_UNKNOWN, "packed", "no negotiated features",
	       {"guest/disk/features", "'packed packed packed packed packed packed'", 2});
}

static void format_and_back_end(void **state)
{
	(void)state;
	EXPECT("format = qcow2\n", "disk.format", GOT_DIFFER, "qcow2", "raw", NOTHING);
	EXPECT("format = qcow2\n", "disk.format", GOT_DIFFER, "qcow2",
	       "QEMU uses qcow2, the image is raw",
	       {"qmp/query-named-block-nodes/0/drv", "'qcow2'", 2});
	EXPECT("format = qcow2\n", "disk.format", GOT_MATCH, "qcow2", "qcow2",
	       {"qmp/query-named-block-nodes/0/drv", "'qcow2'", 2},
	       {"image/info/format", "'qcow2'", 0});
	EXPECT("", "disk.backend", GOT_DIFFER, "file", "null-co",
	       {"qmp/query-named-block-nodes/1/drv", "'null-co'", 2});
	EXPECT("backend = null\n", "disk.backend", GOT_MATCH, "null", "null",
	       {"qmp/query-named-block-nodes/1/drv", "'null-co'", 2});
	EXPECT("backend = null\n", "disk.backend", GOT_DIFFER, "null", "file", NOTHING);
	EXPECT("backend = null\n", "disk.backend", GOT_UNKNOWN, "null", "does not list",
	       {"qmp/query-named-block-nodes/1/node-name", "'other'", 2});
	EXPECT("backend = null\nlatency = 1ms\n", "disk.latency", GOT_UNKNOWN, "1ms",
	       "does not tell", NOTHING);
}

static void size_and_queues(void **state)
{
	(void)state;
	EXPECT("", "disk.size", GOT_MATCH, "64M", "64M", NOTHING);
	EXPECT("", "disk.size", GOT_DIFFER, "64M", "32M", {"guest/disk/size_bytes", "33554432", 2});
	EXPECT("", "disk.size", GOT_UNKNOWN, "64M", "no size", {"guest/disk/size_bytes", "-1", 2});
	EXPECT("queues = 2\n", "disk.queues", GOT_DIFFER, "2", "1", NOTHING);
	EXPECT("queues = 2\n", "disk.queues", GOT_MATCH, "2", "2", {"guest/disk/queues", "2", 2});
	EXPECT("queues = 2\n", "disk.queues", GOT_UNKNOWN, "2", "no number",
	       {"guest/disk/queues", "null", 2});
	EXPECT("queue-size = 64\n", "disk.queue-size", GOT_DIFFER, "64", "256", NOTHING);
	EXPECT("queue-size = 64\n", "disk.queue-size", GOT_MATCH, "64", "64",
	       {"qmp/queue/vring-num", "64", 2});
	EXPECT("queue-size = 64\n", "disk.queue-size", GOT_UNKNOWN, "64",
	       "x-query-virtio-queue-status", {"qmp/queue", "null", 2});
}

#define QCACHE "qmp/query-block/0/inserted/cache"
#define TRIPLE(d, n, w)                                       \
	{QCACHE "/direct", d, 2}, {QCACHE "/no-flush", n, 2}, \
	{                                                     \
		QCACHE "/writeback", w, 2                     \
	}
#define BUFFERED                                       \
	{                                              \
		"host/image_fds/0/flags", "2100002", 2 \
	}
#define THROUGH                                                \
	{                                                      \
		"guest/disk/write_cache", "'write through'", 2 \
	}

/* The five triples are those of qemu(1), -drive, cache=. */
static void cache_modes_are_triples(void **state)
{
	(void)state;
	EXPECT("cache = none\n", "disk.cache", GOT_MATCH, "none", "none", NOTHING);
	EXPECT("cache = writeback\n", "disk.cache", GOT_MATCH, "writeback", "writeback",
	       TRIPLE("false", "false", "true"), BUFFERED);
	EXPECT("cache = writethrough\n", "disk.cache", GOT_MATCH, "writethrough", "writethrough",
	       TRIPLE("false", "false", "false"), BUFFERED, THROUGH);
	EXPECT("cache = directsync\n", "disk.cache", GOT_MATCH, "directsync", "directsync",
	       TRIPLE("true", "false", "false"), THROUGH);
	EXPECT("cache = unsafe\n", "disk.cache", GOT_MATCH, "unsafe", "unsafe",
	       TRIPLE("false", "true", "true"), BUFFERED);
	EXPECT("cache = directsync\n", "disk.cache", GOT_DIFFER, "directsync", "none", NOTHING);
	EXPECT("cache = none\n", "disk.cache", GOT_DIFFER, "none", "directsync",
	       TRIPLE("true", "false", "false"), THROUGH);
	EXPECT("cache = writeback\n", "disk.cache", GOT_DIFFER, "writeback", "unsafe",
	       TRIPLE("false", "true", "true"), BUFFERED);
	EXPECT("cache = none\n", "disk.cache", GOT_DIFFER, "none", "cache.no-flush=on",
	       TRIPLE("true", "true", "false"));
}

static void cache_needs_all_its_witnesses(void **state)
{
	(void)state;
	EXPECT("cache = none\n", "disk.cache", GOT_DIFFER, "none", "open without O_DIRECT",
	       BUFFERED);
	EXPECT("cache = writeback\n", "disk.cache", GOT_DIFFER, "writeback", "open with O_DIRECT",
	       TRIPLE("false", "false", "true"));
	EXPECT("cache = none\n", "disk.cache", GOT_DIFFER, "none", "guest sees write through",
	       THROUGH);
	EXPECT("cache = none\n", "disk.cache", GOT_UNKNOWN, "none", "descriptor cannot be read",
	       {"host/image_fds", "null", 2});
	EXPECT("cache = none\n", "disk.cache", GOT_UNKNOWN, "none", "guest does not tell",
	       {"guest/disk/write_cache", "null", 2});
	EXPECT("cache = none\n", "disk.cache", GOT_UNKNOWN, "none", "no cache flags",
	       {"qmp/query-block", "[]", 2});
	/* QEMU's nvme shows a write cache in any case */
	EXPECT("bus = nvme\ncache = directsync\n", "disk.cache", GOT_MATCH, "directsync",
	       "directsync", TRIPLE("true", "false", "false"));
}

#define QCOW2                                                \
	{"qmp/query-named-block-nodes/0/drv", "'qcow2'", 2}, \
	{                                                    \
		"image/info/format", "'qcow2'", 0            \
	}
#define IMAGE(size, written, unwritten)                                     \
	QCOW2, {"image/size", size, 0}, {"image/mapped_bytes", written, 0}, \
	{                                                                   \
		"image/unwritten_bytes", unwritten, 0                       \
	}

/*
 * What filefrag -v(8) showed on ext4 for qemu-img 7.2's 64 MiB qcow2 of each mode, in blocks of
 * 4096 bytes: thin 49 written; metadata 49 + 16; falloc the same and 48 + 16336 unwritten; full 49
 * + 64 + 16336 written.
 */
static void mode_is_read_from_extents(void **state)
{
	(void)state;
	EXPECT("format=qcow2\nmode=thin\n", "disk.mode", GOT_MATCH, "thin", "thin",
	       IMAGE("196616", "200704", "0"));
	EXPECT("format=qcow2\nmode=metadata\n", "disk.mode", GOT_MATCH, "metadata", "metadata",
	       IMAGE("67436544", "266240", "0"));
	EXPECT("format=qcow2\nmode=falloc\n", "disk.mode", GOT_MATCH, "falloc", "falloc",
	       IMAGE("67436544", "266240", "67108864"));
	EXPECT("format=qcow2\nmode=full\n", "disk.mode", GOT_MATCH, "full", "full",
	       IMAGE("67436544", "67375104", "0"));
	EXPECT("format=qcow2\nmode=full\n", "disk.mode", GOT_DIFFER, "full", "falloc",
	       IMAGE("67436544", "266240", "67108864"));
	EXPECT("format=qcow2\nmode=falloc\n", "disk.mode", GOT_DIFFER, "falloc", "full",
	       IMAGE("67436544", "67375104", "0"));
	EXPECT("format=qcow2\nmode=metadata\n", "disk.mode", GOT_DIFFER, "metadata", "thin",
	       IMAGE("196616", "200704", "0"));
	EXPECT("format=qcow2\nmode=thin\n", "disk.mode", GOT_DIFFER, "thin", "metadata",
	       IMAGE("67436544", "266240", "0"));
	/* a full one of which a megabyte was never written */
	EXPECT("format=qcow2\nmode=full\n", "disk.mode", GOT_DIFFER, "full", "only reserved",
	       IMAGE("67436544", "66326528", "1048576"));
	/* XFS may reserve space behind the end of a file */
	EXPECT("format=qcow2\nmode=full\n", "disk.mode", GOT_MATCH, "full", "full",
	       IMAGE("67436544", "67375104", "33554432"));
}

#define NO_FIEMAP                                  \
	QCOW2, {"image/mapped_bytes", "null", 0},  \
	{                                          \
		"image/unwritten_bytes", "null", 0 \
	}

static void mode_without_extents_is_half_known(void **state)
{
	(void)state;
	EXPECT("format=qcow2\nmode=full\n", "disk.mode", GOT_UNKNOWN, "full",
	       "does not show unwritten", NO_FIEMAP, {"image/size", "67436544", 0},
	       {"image/allocated", "67436544", 0});
	EXPECT("format=qcow2\nmode=thin\n", "disk.mode", GOT_DIFFER, "thin", "falloc or full",
	       NO_FIEMAP, {"image/size", "67436544", 0}, {"image/allocated", "67436544", 0});
	EXPECT("format=qcow2\nmode=full\n", "disk.mode", GOT_DIFFER, "full", "metadata", NO_FIEMAP,
	       {"image/size", "67436544", 0}, {"image/allocated", "266240", 0});
	EXPECT("format=qcow2\nmode=thin\n", "disk.mode", GOT_MATCH, "thin", "thin", NO_FIEMAP,
	       {"image/size", "196616", 0}, {"image/allocated", "200704", 0});
	EXPECT("format=qcow2\nmode=thin\n", "disk.mode", GOT_UNKNOWN, "thin", "not looked at",
	       {"image", "null", 0});
}

#define STILL(n)                                    \
	{                                           \
		"host/uring/" n "/sq_tail", "10", 2 \
	}
#define RINGS(before, after)           \
	{"host/uring", before, 0},     \
	{                              \
		"host/uring", after, 1 \
	}
#define NO_RING RINGS("[]", "[]")
#define LOOP_RING RINGS("[{'fd': 9, 'sq_tail': 10}]", "[{'fd': 9, 'sq_tail': 50}]")
#define NO_IOTHREAD                            \
	{                                      \
		"qmp/query-iothreads", "[]", 2 \
	}

/*
 * Real trials (QEMU 7.2.22 of Debian, TCG, 3000 I/Os) showed: io_uring on an iothread two rings,
 * one of which grew by as many, one stayed at 0; without iothread one ring that grew; native and
 * threads none, aio-nr 2048 on an iothread and 1024 without, workers 1 -> 1 (native) and 2 -> 5, 1
 * -> 3 (threads). Builds whose iothreads poll with io_uring have one ring more that grows.
 */
static void aio_shows_by_its_effect(void **state)
{
	(void)state;
	EXPECT("aio = io_uring\n", "disk.aio", GOT_MATCH, "io_uring", "io_uring", NOTHING);
	EXPECT("aio = io_uring\n", "disk.aio", GOT_MATCH, "io_uring", "io_uring", STILL("0"));
	EXPECT("aio = io_uring\n", "disk.aio", GOT_UNKNOWN, "io_uring", "event loop", LOOP_RING);
	EXPECT("aio = io_uring\n", "disk.aio", GOT_DIFFER, "io_uring", "no io_uring took",
	       STILL("0"), STILL("1"));
	EXPECT("aio = io_uring\n", "disk.aio", GOT_DIFFER, "io_uring", "no io_uring took", NO_RING);
	/* compressed clusters: O_DIRECT wants aligned requests, the page cache takes any */
	EXPECT("format = qcow2\ncontent = data\ncompression = zstd\n", "disk.aio", GOT_UNKNOWN,
	       "io_uring", "not aligned", NO_RING);
	EXPECT("format = qcow2\ncontent = data\ncompression = zstd\ncache = writeback\n", "disk.aio",
	       GOT_UNKNOWN, "io_uring", "no I/O of the guest reached", NO_RING);
	EXPECT("aio = io_uring\niothread = off\n", "disk.aio", GOT_MATCH, "io_uring", "io_uring",
	       LOOP_RING);
	EXPECT("aio = io_uring\n", "disk.aio", GOT_UNKNOWN, "io_uring", "event loop",
	       {"qmp/query-version/qemu", "{'major': 10, 'minor': 2}", 2});
	EXPECT("aio = io_uring\n", "disk.aio", GOT_MATCH, "io_uring", "io_uring",
	       {"qmp/query-version/qemu", "{'major': 10, 'minor': 1}", 2});
	EXPECT("aio = io_uring\n", "disk.aio", GOT_UNKNOWN, "io_uring", "cannot be read",
	       {"host/uring", "null", 1});
}

static void native_aio_shows_by_its_contexts(void **state)
{
	(void)state;
	EXPECT("aio = native\n", "disk.aio", GOT_DIFFER, "native", "io_uring",
	       {"host/aio_nr", "1024", 2});
	EXPECT("aio = native\n", "disk.aio", GOT_MATCH, "native", "native", NO_RING,
	       {"host/aio_nr", "2048", 2}, {"host/workers", "1", 2});
	EXPECT("aio = native\niothread = off\n", "disk.aio", GOT_MATCH, "native", "native", NO_RING,
	       {"host/aio_nr", "1024", 2});
	EXPECT("aio = native\n", "disk.aio", GOT_DIFFER, "native", "no aio context", NO_RING);
	/* threads came, or others have contexts, too */
	EXPECT("aio = native\n", "disk.aio", GOT_UNKNOWN, "native", "maybe of other", NO_RING,
	       {"host/aio_nr", "1024", 2}, {"host/workers", "4", 1});
	EXPECT("aio = native\n", "disk.aio", GOT_UNKNOWN, "native", "maybe of other", NO_RING,
	       {"host/aio_nr", "65536", 2});
	EXPECT("aio = native\n", "disk.aio", GOT_MATCH, "native", "native", LOOP_RING,
	       {"host/aio_nr", "65536", 2}, {"host/aio_rings", "1", 2}, {"host/workers", "4", 1});
	EXPECT("aio = native\n", "disk.aio", GOT_DIFFER, "native", "no aio context", NO_RING,
	       {"host/aio_nr", "2048", 2}, {"host/aio_rings", "0", 2});
}

static void threads_show_by_elimination(void **state)
{
	(void)state;
	EXPECT("aio = threads\n", "disk.aio", GOT_MATCH, "threads", "threads", NO_RING,
	       {"host/workers", "1", 2});
	EXPECT("aio = threads\n", "disk.aio", GOT_MATCH, "threads", "threads", LOOP_RING,
	       {"host/workers", "5", 1});
	EXPECT("aio = threads\n", "disk.aio", GOT_DIFFER, "threads", "io_uring",
	       {"host/workers", "8", 1});
	EXPECT("aio = threads\n", "disk.aio", GOT_DIFFER, "threads", "native", NO_RING,
	       {"host/aio_rings", "1", 2});
	EXPECT("aio = threads\n", "disk.aio", GOT_UNKNOWN, "threads", "event loop", LOOP_RING);
	EXPECT("aio = threads\n", "disk.aio", GOT_UNKNOWN, "threads", "maybe of this QEMU", NO_RING,
	       {"host/aio_nr", "1024", 2});
	EXPECT("aio = threads\n", "disk.aio", GOT_MATCH, "threads", "threads", NO_RING,
	       {"host/aio_nr", "1024", 2}, {"host/workers", "3", 1});
}

/* SqTail is 32 bits wide: a ring that wrapped has worked. */
static void a_wrapped_ring_has_worked(void **state)
{
	(void)state;
	EXPECT("aio = io_uring\n", "disk.aio", GOT_MATCH, "io_uring", "io_uring",
	       {"host/uring/1/sq_tail", "4294967290", 0}, {"host/uring/1/sq_tail", "100", 1});
}

static void iothread(void **state)
{
	(void)state;
	EXPECT("iothread = on\n", "disk.iothread", GOT_MATCH, "on", "on", NOTHING);
	EXPECT("iothread = on\n", "disk.iothread", GOT_DIFFER, "on", "no iothread io0",
	       NO_IOTHREAD);
	EXPECT("iothread = on\n", "disk.iothread", GOT_DIFFER, "on", "used no CPU time",
	       {"host/cpu_ns/iothread", "1000", 1});
	EXPECT("iothread = on\n", "disk.iothread", GOT_UNKNOWN, "on", "CPU time",
	       {"host/cpu_ns", "null", 1});
	EXPECT("iothread = off\n", "disk.iothread", GOT_MATCH, "off", "off", NO_IOTHREAD);
	EXPECT("iothread = off\n", "disk.iothread", GOT_DIFFER, "off", "there is an iothread",
	       NOTHING);
	EXPECT("iothread = off\n", "disk.iothread", GOT_UNKNOWN, "off", "does not list",
	       {"qmp/query-iothreads", "null", 2});
}

/* Bits 28 and 29 (VIRTIO 1.2, section 6) as the guest shows them. */
static void event_index_and_indirect(void **state)
{
	(void)state;
	EXPECT("event-idx = off\n", "disk.event-idx", GOT_DIFFER, "off", "on", NOTHING);
	EXPECT("", "disk.event-idx", GOT_DIFFER, "on", "off",
	       {"guest/disk/features", "'" NO_EVENT_IDX "'", 2});
	EXPECT("event-idx = off\n", "disk.event-idx", GOT_MATCH, "off", "off",
	       {"guest/disk/features", "'" NO_EVENT_IDX "'", 2});
	EXPECT("", "disk.indirect", GOT_MATCH, "on", "on",
	       {"guest/disk/features", "'" NO_EVENT_IDX "'", 2});
	EXPECT("", "disk.indirect", GOT_DIFFER, "on", "off",
	       {"guest/disk/features", "'" NO_INDIRECT "'", 2});
	EXPECT("", "disk.indirect", GOT_UNKNOWN, "on", "no negotiated features",
	       {"guest/disk/features", "'01'", 2});
}

static void folder_and_pass_through(void **state)
{
	(void)state;
	EXPECT("dir = /img\n", "disk.dir", GOT_MATCH, "/img", "/img", NOTHING);
	EXPECT("dir = /img\n", "disk.dir", GOT_DIFFER, "/img", "no file open in /img",
	       {"host/image_fds", "[]", 2});
	EXPECT("dir = /img\n", "disk.dir", GOT_UNKNOWN, "/img", "cannot be read",
	       {"host/image_fds", "null", 2});
	EXPECT("blockdev.detect-zeroes = on\n", "disk.blockdev.detect-zeroes", GOT_DIFFER, "on",
	       "off", NOTHING);
	EXPECT("blockdev.detect-zeroes = off\n", "disk.blockdev.detect-zeroes", GOT_MATCH, "off",
	       "off", NOTHING);
	EXPECT("blockdev.discard = unmap\n", "disk.blockdev.discard", GOT_UNKNOWN, "unmap",
	       "does not tell", NOTHING);
}

/* A guest that lies in colour: nothing of it may move a terminal, and no text overflows. */
static void hostile_text_is_masked_and_cut(void **state)
{
	json_t *before, *after, *facts;
	char long_text[600];
	struct asked_got r;

	(void)state;
	evidence(&before, &after, NULL, 0);
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = 0;
	memcpy(long_text, "\033[2J\n", 5);
	json_object_set_new(json_object_get(json_object_get(before, "guest"), "disk"), "driver",
			    json_string(long_text));
	r = ask("", "disk.bus", before, after);
	assert_int_equal(r.state, GOT_DIFFER);
	assert_true(strlen(r.got) < 120);
	for (const char *c = r.got; *c; c++)
		assert_true(*c >= ' ' && *c != 127);
	facts = disk_side_facts(before);
	assert_null(json_object_get(facts, "driver")); /* too long to be one */
	assert_int_equal(json_integer_value(json_object_get(facts, "nr_requests")), 256);
	assert_int_equal(json_integer_value(json_object_get(facts, "max_segments")), 254);
	json_decref(facts);
	facts = disk_side_facts(NULL);
	assert_true(json_is_object(facts) && !json_object_size(facts));
	json_decref(facts);
	json_decref(before);
	json_decref(after);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_trial_matches_throughout),
		cmocka_unit_test(without_evidence_all_is_unknown),
		cmocka_unit_test(bus),
		cmocka_unit_test(ring),
		cmocka_unit_test(format_and_back_end),
		cmocka_unit_test(size_and_queues),
		cmocka_unit_test(cache_modes_are_triples),
		cmocka_unit_test(cache_needs_all_its_witnesses),
		cmocka_unit_test(mode_is_read_from_extents),
		cmocka_unit_test(mode_without_extents_is_half_known),
		cmocka_unit_test(aio_shows_by_its_effect),
		cmocka_unit_test(native_aio_shows_by_its_contexts),
		cmocka_unit_test(threads_show_by_elimination),
		cmocka_unit_test(a_wrapped_ring_has_worked),
		cmocka_unit_test(iothread),
		cmocka_unit_test(event_index_and_indirect),
		cmocka_unit_test(folder_and_pass_through),
		cmocka_unit_test(hostile_text_is_masked_and_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
