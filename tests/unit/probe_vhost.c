/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asked against got of vhost-user disks and of host sites, both ways and unknown, on evidence
 * written by hand (its shape: HACKING.md, "Evidence"). Feature bits are those of VIRTIO 1.2,
 * section 6: 28 indirect descriptors, 29 event index, 32 version 1, 34 packed ring.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "disk/disk.h"

/*        bit 0         1         2         3
 *            0123456789012345678901234567890123456 */
#define SPLIT "0000000001000000000000000000110010000"
#define PACKED "0000000001000000000000000000110010100"
#define BARE "0000000001000000000000000000000010000"

static const char guest_text[] =
	"{'guest': {'disk': {'driver': 'virtio_blk', 'queues': 1, 'size_bytes': 67108864,"
	"  'features': '" PACKED "'}},"
	" 'qmp': {'queue': null, 'vhost_queue': {'num': 256, 'desc': 4096}, 'query-iothreads': []},"
	" 'host': {'qemu': '/usr/bin/qemu-system-x86_64', 'image_fds': [], 'uring': []},"
	" 'server': {'device': 'vbench-vhost-blk', 'features': '" PACKED "',"
	"  'queues': [{'wait': 'eventfd'}, {'wait': 'eventfd'}]},"
	" 'server_process': {'program': '/usr/lib/vbench/vbench-vhost-blk',"
	"  'image_fds': [{'fd': 5, 'flags': 2140002}], 'uring': []},"
	" 'image': {'size': 67108864, 'info': {'format': 'raw'}}}";

static const char host_text[] =
	"{'guest': null, 'host': {'site': 'host', 'program': '/usr/bin/qemu-storage-daemon',"
	"  'image_fds': [{'fd': 5, 'flags': 2140002}], 'uring': []},"
	" 'server': null,"
	" 'image': {'size': 67108864, 'info': {'format': 'raw'}},"
	" 'engine': {'engine': 'vring', 'transport': 'vhost-user', 'ring': 'split', 'queue_size': 256,"
	"  'wait': 'poll', 'capacity': 67108864, 'device_queues': 1, 'features': '" SPLIT "'}}";

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

/* Sets what the path leads to. */
static void put(json_t *root, const char *path, const char *value)
{
	const char *slash;
	char word[64];

	while ((slash = strchr(path, '/'))) {
		snprintf(word, sizeof(word), "%.*s", (int)(slash - path), path);
		root = json_object_get(root, word);
		assert_non_null(root);
		path = slash + 1;
	}
	json_object_set_new(root, path, json_of(value));
}

static struct asked_got ask(const char *evidence, const char *disk, const char *key,
			    const char *path, const char *value)
{
	struct disk_env env = {.image_dir = "/img",
			       .qemu_img = "qemu-img",
			       .storage_daemon = "/usr/bin/qemu-storage-daemon",
			       .vhost_blk = "/usr/lib/vbench/vbench-vhost-blk",
			       .engine = "/usr/lib/vbench/vring.so",
			       .vcpus = 2};
	char *text = xasprintf("%s\nsize = 64M\n[workload w]\n", disk);
	json_t *ev = json_of(evidence);
	struct asked_got rows[40], found = {.key = ""};
	struct profile *p = NULL;
	struct disk_plan plan;
	struct err e = {0};
	size_t n;

	if (path)
		put(ev, path, value);
	if (profile_parse(text, strlen(text), "t.ini", NULL, 0, &p, &e))
		print_error("%s\n", e.text);
	assert_non_null(p);
	assert_int_equal(disk_plan_make(&p->cells[0], &env, &plan, &e), 0);
	n = disk_asked_got(&p->cells[0], &plan, ev, ev, rows, 40);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(rows[i].key, key))
			found = rows[i];
	disk_plan_free(&plan);
	profile_free(p);
	json_decref(ev);
	free(text);
	return found;
}

static void expect(const char *evidence, const char *disk, const char *key, const char *path,
		   const char *value, enum got_state state, const char *got)
{
	struct asked_got r = ask(evidence, disk, key, path, value);

	if (strcmp(r.key, key) || r.state != state || !strstr(r.got, got))
		print_error("%s (%s = %s): got %d \"%s\", want %d \"%s\"\n", key,
			    path ? path : "as it is", value ? value : "", r.state, r.got, state,
			    got);
	assert_string_equal(r.key, key);
	assert_int_equal(r.state, state);
	assert_non_null(strstr(r.got, got));
}

#define OWN "[disk]\nbackend = vhost-user\nring = packed\n"
#define OWN_FILE OWN "serves = file\n"
#define DAEMON "[disk]\nbackend = vhost-user\nserver = storage-daemon\n"
#define HOST "[guest]\nsite = host\n"
#define VRING HOST DAEMON

/* What the guest has and what the device saw must both be what was asked for. */
static void ring_features_are_held_on_both_sides(void **state)
{
	(void)state;
	expect(guest_text, OWN, "disk.ring", NULL, NULL, GOT_MATCH, "packed");
	assert_string_equal(ask(guest_text, OWN, "disk.ring", NULL, NULL).from, "both");
	expect(guest_text, OWN, "disk.ring", "guest/disk/features", "'" SPLIT "'", GOT_DIFFER,
	       "the driver says split, the device saw packed");
	expect(guest_text, OWN, "disk.ring", "server/features", "'" SPLIT "'", GOT_DIFFER,
	       "the driver says packed, the device saw split");
	expect(guest_text, OWN, "disk.ring", "guest/disk/features", "null", GOT_UNKNOWN, "guest");
	/* two sides, and one is silent: no match */
	expect(guest_text, OWN, "disk.ring", "server", "null", GOT_UNKNOWN, "has not reported");
	expect(guest_text, OWN "event-idx = off\n", "disk.event-idx", "server", "null", GOT_DIFFER,
	       "on");
	/* the daemon never reports: the guest's word is what there is */
	expect(guest_text, DAEMON, "disk.event-idx", "server", "null", GOT_MATCH, "on");
	expect(guest_text, DAEMON, "disk.ring", "server", "null", GOT_DIFFER, "packed");
	expect(guest_text, OWN, "disk.event-idx", NULL, NULL, GOT_MATCH, "on");
	expect(guest_text, OWN "event-idx = off\n", "disk.event-idx", NULL, NULL, GOT_DIFFER, "on");
	expect(guest_text, OWN, "disk.indirect", "server/features", "'" BARE "'", GOT_DIFFER,
	       "the driver says on, the device saw off");
}

static void queues_are_asked_of_the_vhost_side(void **state)
{
	(void)state;
	expect(guest_text, OWN, "disk.queue-size", NULL, NULL, GOT_MATCH, "256");
	expect(guest_text, OWN, "disk.queue-size", "qmp/vhost_queue", "{'num': 128}", GOT_DIFFER,
	       "128");
	expect(guest_text, OWN, "disk.queue-size", "qmp/vhost_queue", "null", GOT_UNKNOWN,
	       "x-query-virtio-vhost-queue-status");
	expect(guest_text, OWN, "disk.backend", NULL, NULL, GOT_MATCH, "vhost-user");
	expect(guest_text, OWN, "disk.backend", "qmp/vhost_queue", "null", GOT_UNKNOWN, "");
}

static void the_server_is_known_by_its_program(void **state)
{
	(void)state;
	expect(guest_text, OWN, "disk.server", NULL, NULL, GOT_MATCH, "vbench");
	expect(guest_text, DAEMON, "disk.server", NULL, NULL, GOT_DIFFER, "vbench");
	expect(guest_text, OWN, "disk.server", "server_process/program", "'/tmp/other'", GOT_DIFFER,
	       "other");
	expect(guest_text, OWN, "disk.server", "server_process", "null", GOT_UNKNOWN,
	       "cannot be read");
	expect(guest_text, OWN, "disk.server-wait", NULL, NULL, GOT_MATCH, "eventfd");
	expect(guest_text, OWN, "disk.server-wait", "server/queues",
	       "[{'wait': 'eventfd'}, {'wait': 'poll'}]", GOT_DIFFER, "poll");
	expect(guest_text, DAEMON, "disk.server-wait", "server", "null", GOT_UNKNOWN,
	       "does not tell");
}

/* O_DIRECT is 040000 in fdinfo's octal flags on x86. */
static void the_servers_image_is_looked_at(void **state)
{
	(void)state;
	expect(guest_text, OWN_FILE, "disk.serves", NULL, NULL, GOT_MATCH, "file");
	expect(guest_text, OWN_FILE, "disk.serves", "server_process/image_fds", "[]", GOT_DIFFER,
	       "not opened");
	expect(guest_text, OWN_FILE, "disk.dir", NULL, NULL, GOT_MATCH, "/img");
	expect(guest_text, OWN, "disk.serves", NULL, NULL, GOT_UNKNOWN, "does not tell");
	expect(guest_text, OWN_FILE, "disk.cache", NULL, NULL, GOT_MATCH, "none");
	expect(guest_text, OWN_FILE "cache = writeback\n", "disk.cache", NULL, NULL, GOT_DIFFER,
	       "open with O_DIRECT");
	expect(guest_text, OWN_FILE, "disk.cache", "server_process/image_fds",
	       "[{'fd': 5, 'flags': 2100002}]", GOT_DIFFER, "open without O_DIRECT");
	expect(guest_text, OWN_FILE, "disk.cache", "server_process/image_fds", "[]", GOT_UNKNOWN,
	       "cannot be read");
	expect(guest_text, DAEMON "serves = file\n", "disk.cache", NULL, NULL, GOT_UNKNOWN,
	       "as asked");
	expect(guest_text, DAEMON "serves = file\n", "disk.format", NULL, NULL, GOT_MATCH, "raw");
	expect(guest_text, DAEMON "serves = file\nformat = qcow2\n", "disk.format", NULL, NULL,
	       GOT_DIFFER, "raw");
}

static void the_driver_within_fio_is_believed(void **state)
{
	(void)state;
	expect(host_text, VRING, "disk.driver", NULL, NULL, GOT_MATCH, "vring");
	expect(host_text, VRING, "disk.driver", "engine", "null", GOT_UNKNOWN, "not reported");
	expect(host_text, VRING, "disk.ring", NULL, NULL, GOT_MATCH, "split");
	expect(host_text, HOST OWN, "disk.ring", NULL, NULL, GOT_DIFFER, "split");
	expect(host_text, VRING, "disk.indirect", "engine/features", "'" BARE "'", GOT_DIFFER,
	       "off");
	expect(host_text, VRING, "disk.queue-size", NULL, NULL, GOT_MATCH, "256");
	expect(host_text, VRING "queue-size = 128\n", "disk.queue-size", NULL, NULL, GOT_DIFFER,
	       "256");
	expect(host_text, VRING, "disk.queues", NULL, NULL, GOT_MATCH, "1");
	expect(host_text, VRING "wait = eventfd\n", "disk.wait", NULL, NULL, GOT_DIFFER, "poll");
	expect(host_text, VRING, "disk.size", NULL, NULL, GOT_MATCH, "64M");
	expect(host_text, VRING, "disk.size", "engine/capacity", "512", GOT_DIFFER, "512");
	expect(host_text, VRING, "disk.server", NULL, NULL, GOT_MATCH, "storage-daemon");
	expect(host_text, VRING, "disk.backend", NULL, NULL, GOT_MATCH, "vhost-user");
	expect(host_text, VRING, "disk.server", "engine/transport", "'loop'", GOT_DIFFER, "loop");
	expect(host_text, HOST "[disk]\nbackend = vhost-user\nserver = loop\n", "disk.server", NULL,
	       NULL, GOT_DIFFER, "vhost-user");
	expect(host_text, HOST "[disk]\ndriver = file\n", "disk.driver", NULL, NULL, GOT_DIFFER,
	       "vring");
	expect(host_text, HOST "[disk]\ndriver = file\n", "disk.driver", "engine", "null",
	       GOT_MATCH, "file");
	expect(host_text, HOST "[disk]\ndriver = file\n", "disk.size", NULL, NULL, GOT_MATCH,
	       "64M");
	expect(host_text, HOST OWN_FILE, "disk.size", NULL, NULL, GOT_MATCH, "64M");
	expect(host_text, HOST OWN_FILE, "disk.size", "image/size", "314572800", GOT_DIFFER,
	       "the image has 300M");
}

/* before and after of one trial, one key. */
static struct asked_got ask_twice(const char *before, const char *after, const char *disk,
				  const char *key)
{
	struct disk_env env = {.image_dir = "/img",
			       .qemu_img = "qemu-img",
			       .storage_daemon = "/usr/bin/qemu-storage-daemon",
			       .storage_daemon_version = "7.2.22",
			       .engine = "/usr/lib/vbench/vring.so",
			       .vcpus = 2};
	char *text = xasprintf("%s\nsize = 64M\n[workload w]\n", disk);
	json_t *a = json_of(before), *b = json_of(after);
	struct asked_got rows[40], found = {.key = ""};
	struct profile *p = NULL;
	struct disk_plan plan;
	size_t n;

	assert_int_equal(profile_parse(text, strlen(text), "t.ini", NULL, 0, &p, NULL), 0);
	assert_int_equal(disk_plan_make(&p->cells[0], &env, &plan, NULL), 0);
	n = disk_asked_got(&p->cells[0], &plan, a, b, rows, 40);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(rows[i].key, key))
			found = rows[i];
	disk_plan_free(&plan);
	profile_free(p);
	json_decref(a);
	json_decref(b);
	free(text);
	return found;
}

/* What fio has made larger was so only afterwards. */
static void an_image_that_grew_is_seen(void **state)
{
	struct asked_got r =
		ask_twice("{'image': {'size': 67108864}}", "{'image': {'size': 314572800}}",
			  HOST "[disk]\ndriver = file\n", "disk.size");

	(void)state;
	assert_int_equal(r.state, GOT_DIFFER);
	assert_string_equal(r.got, "the image has 300M (after the workload)");
}

#define RINGS(TAIL, VERSION)                                                             \
	"{'host': {'site': 'host', 'image_fds': [{'fd': 5, 'flags': 2140002}], " VERSION \
	" 'uring': [{'fd': 7, 'sq_tail': 3}, {'fd': 9, 'sq_tail': " TAIL "}]}}"

/* The daemon's own version says how to read its rings: before 10.2 the event loop's and the block
 * layer's are two. */
static void the_daemons_rings_are_judged_by_its_version(void **state)
{
	static const char cell[] = VRING "serves = file\n";
	struct asked_got r;

	(void)state;
	r = ask_twice(RINGS("4", "'version': '7.2.22',"), RINGS("900", "'version': '7.2.22',"),
		      cell, "disk.aio");
	assert_int_equal(r.state, GOT_MATCH);
	assert_string_equal(r.got, "io_uring");
	r = ask_twice(RINGS("4", "'version': '10.2.0',"), RINGS("900", "'version': '10.2.0',"),
		      cell, "disk.aio");
	assert_int_equal(r.state, GOT_UNKNOWN);
	r = ask_twice(RINGS("4", ""), RINGS("900", ""), cell, "disk.aio");
	assert_int_equal(r.state, GOT_UNKNOWN);
	r = ask_twice(RINGS("4", "'version': 'x',"), RINGS("900", "'version': 'x',"), cell,
		      "disk.aio");
	assert_int_equal(r.state, GOT_UNKNOWN);
}

/* Times are ns in the evidence, and as people write them in the rows. */
static void waiting_is_told_by_engine_and_server(void **state)
{
	(void)state;
	expect(host_text, VRING "wait = adaptive\npoll = 1ms\n", "disk.poll", "engine/poll_ns",
	       "1000000", GOT_MATCH, "1ms");
	expect(host_text, VRING "wait = adaptive\n", "disk.poll", "engine/poll_ns", "1000000",
	       GOT_DIFFER, "1ms");
	expect(host_text, VRING "wait = adaptive\n", "disk.poll", NULL, NULL, GOT_UNKNOWN,
	       "does not tell");
	expect(guest_text, OWN "server-wait = adaptive\n", "disk.server-poll", "server/poll_ns",
	       "32768", GOT_MATCH, "32768ns");
	expect(guest_text, OWN "latency = 100us\n", "disk.latency", "server/latency_ns", "100000",
	       GOT_MATCH, "100us");
	expect(guest_text, OWN "latency = 100us\n", "disk.latency", "server/latency_ns", "0",
	       GOT_DIFFER, "0");
	expect(guest_text, OWN, "disk.serves", "server/serves", "'null'", GOT_MATCH, "null");
	expect(guest_text, OWN, "disk.serves", "server/serves", "'memory'", GOT_DIFFER, "memory");
	expect(host_text, HOST "[disk]\nbackend = vhost-user\nserver = loop\n", "disk.server-wait",
	       "engine/device_wait", "'poll'", GOT_DIFFER, "poll");
}

/* Whatever a guest, a server or an engine says instead: no crash, no match. */
static void nonsense_is_no_evidence(void **state)
{
	static const char *const odd[] = {
		"3",
		"'x'",
		"[]",
		"{}",
		"[[1]]",
		"{'features': 7, 'queues': {'wait': []}}",
		"{'features': '0101', 'queues': [1, null, {'wait': 5}], 'engine': [], 'wait': {}}"};
	static const char *const places[] = {"server", "server_process", "qmp",
					     "guest",  "engine",	 "host"};
	static const char *const cells[] = {OWN_FILE, DAEMON, VRING};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++) {
			for (size_t c = 0; c < 3; c++) {
				ask(guest_text, cells[c], "disk.ring", places[k], odd[i]);
				ask(host_text, cells[c], "disk.ring", places[k], odd[i]);
			}
		}
		expect(guest_text, OWN, "disk.ring", "guest", odd[i], GOT_UNKNOWN, "");
		expect(host_text, VRING, "disk.wait", "engine", odd[i], GOT_UNKNOWN, "");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ring_features_are_held_on_both_sides),
		cmocka_unit_test(queues_are_asked_of_the_vhost_side),
		cmocka_unit_test(the_server_is_known_by_its_program),
		cmocka_unit_test(the_servers_image_is_looked_at),
		cmocka_unit_test(the_driver_within_fio_is_believed),
		cmocka_unit_test(an_image_that_grew_is_seen),
		cmocka_unit_test(the_daemons_rings_are_judged_by_its_version),
		cmocka_unit_test(waiting_is_told_by_engine_and_server),
		cmocka_unit_test(nonsense_is_no_evidence),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
