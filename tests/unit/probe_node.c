// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What QEMU says of block nodes against what was asked, where it differs or is not told. The
 * evidence has the shape of QEMU's QMP reference (BlockDeviceInfo, ImageInfo,
 * ImageInfoSpecificQCow2, ThrottleLimits) and of HACKING.md; that agreement is found on real images
 * is held by image_real.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "disk/disk.h"

static const struct disk_env env = {
	.image_dir = "/img",
	.qemu_img = "qemu-img",
	.qemu_nbd = "/usr/bin/qemu-nbd",
	.nbdkit = "/usr/sbin/nbdkit",
	.vcpus = 2,
};

static json_t *json_of(const char *text)
{
	char *copy = xstrdup(text);
	json_t *j;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	j = json_loads(copy, 0, NULL);
	if (!j)
		print_error("%s\n", copy);
	assert_non_null(j);
	free(copy);
	return j;
}

/* The row of a key, which must be there. */
static struct asked_got row_of(const char *disk, const char *key, const json_t *before,
			       const json_t *after)
{
	char *text = xasprintf("[disk]\nsize = 64M\n%s\n[workload w]\n", disk);
	struct asked_got rows[80], found = {.key = ""};
	struct profile *p = NULL;
	struct disk_plan plan;
	struct err e = {0};
	size_t n;

	if (profile_parse(text, strlen(text), "t.ini", NULL, 0, &p, &e))
		print_error("%s\n", e.text);
	assert_non_null(p);
	assert_int_equal(disk_plan_make(&p->cells[0], &env, &plan, &e), 0);
	n = disk_asked_got(&p->cells[0], &plan, before, after, rows, 80);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(rows[i].key, key))
			found = rows[i];
	disk_plan_free(&plan);
	profile_free(p);
	free(text);
	assert_string_equal(found.key, key);
	return found;
}

static void expect(const char *disk, const char *key, enum got_state state, const char *got,
		   const char *evidence)
{
	json_t *before = json_of(evidence);
	struct asked_got r = row_of(disk, key, before, NULL);

	if (r.state != state || !strstr(r.got, got))
		print_error("%s of %s: got %d \"%s\", want %d \"%s\"\n", key, disk, r.state, r.got,
			    state, got);
	assert_int_equal(r.state, state);
	assert_non_null(strstr(r.got, got));
	json_decref(before);
}

#define NODES(list) "{'qmp': {'query-named-block-nodes': [" list "]}}"
#define QCOW2(data)                                                                    \
	NODES("{'node-name': 'vb0-fmt', 'drv': 'qcow2', 'image': {'format': 'qcow2', " \
	      "'cluster-size': 65536, 'format-specific': {'type': 'qcow2', 'data': {" data "}}}}")

static void options_of_another_image_differ(void **state)
{
	(void)state;
	expect("format = qcow2\ncluster-size = 2M", "disk.cluster-size", GOT_DIFFER, "64k",
	       QCOW2(""));
	expect("format = qcow2", "disk.cluster-size", GOT_MATCH, "64k", QCOW2(""));
	expect("format = qcow2\nextended-l2 = on", "disk.extended-l2", GOT_DIFFER, "off",
	       QCOW2("'extended-l2': false"));
	expect("format = qcow2", "disk.extended-l2", GOT_DIFFER, "on",
	       QCOW2("'extended-l2': true"));
	expect("format = qcow2\nlazy-refcounts = on", "disk.lazy-refcounts", GOT_DIFFER, "off",
	       QCOW2("'lazy-refcounts': false"));
	expect("format = qcow2", "disk.compat", GOT_DIFFER, "0.10", QCOW2("'compat': '0.10'"));
	expect("format = qcow2\ndata-file = on", "disk.data-file", GOT_DIFFER, "off", QCOW2(""));
	expect("format = qcow2", "disk.data-file", GOT_DIFFER, "on",
	       QCOW2("'data-file': '/img/x'"));
}

/* What qemu-img said of the file stands in for a QEMU that says nothing. */
static void without_a_node_the_file_is_asked(void **state)
{
	(void)state;
	expect("format = qcow2", "disk.cluster-size", GOT_DIFFER, "4k",
	       "{'image': {'info': {'cluster-size': 4096}}}");
	expect("format = qcow2\nbacking = 1\ncontent = data", "disk.backing", GOT_DIFFER, "0",
	       "{'image': {'info': {'cluster-size': 4096}}}");
	expect("format = qcow2\nbacking = 3\ncontent = data", "disk.backing", GOT_UNKNOWN,
	       "how many", "{'image': {'info': {'backing-filename': '/x'}}}");
	expect("format = qcow2", "disk.backing", GOT_DIFFER, "layer below",
	       "{'image': {'info': {'backing-filename': '/x'}}}");
	expect("format = qcow2", "disk.compat", GOT_UNKNOWN, "", "{}");
}

static void layers_are_counted(void **state)
{
	(void)state;
	expect("format = qcow2\nbacking = 4\ncontent = data", "disk.backing", GOT_DIFFER, "3",
	       NODES("{'node-name': 'vb0-fmt', 'backing_file_depth': 3}"));
	/* of a throttled disk the format node counts: its filter is a layer, too */
	expect("format = qcow2\nbacking = 1\ncontent = data\nthrottle-iops = 9", "disk.backing",
	       GOT_MATCH, "1",
	       NODES("{'node-name': 'vb0-fmt', 'backing_file_depth': 2},"
		     "{'node-name': 'vb0-img', 'backing_file_depth': 1}"));
}

/* 64 MiB of data take 16 MiB at least; compressed, less than 48 MiB. */
static void content_shows_in_what_is_allocated(void **state)
{
	(void)state;
	expect("format = vdi\ncontent = data", "disk.content", GOT_DIFFER, "1 MiB",
	       "{'image': {'allocated': 1048576}}");
	expect("format = vdi", "disk.content", GOT_DIFFER, "64 MiB",
	       "{'image': {'allocated': 67108864}}");
	expect("format = vdi", "disk.content", GOT_UNKNOWN, "first write", "{}");
	/* where the data lies in a file of its own */
	expect("format = qcow2\nbacking = 1\ncontent = data", "disk.content", GOT_MATCH, "data",
	       "{'image': {'allocated': 4096, 'data': {'allocated': 67108864}}}");
	expect("format = qcow2\ncontent = data\ncompression = zlib", "disk.compression", GOT_DIFFER,
	       "none", "{'image': {'allocated': 67108864}}");
	expect("format = qcow2\ncontent = data", "disk.compression", GOT_DIFFER, "less",
	       "{'image': {'allocated': 33554432}}");
	expect("format = qcow2\ncontent = data\ncompression = zstd", "disk.compression", GOT_DIFFER,
	       "zlib",
	       "{'image': {'allocated': 33554432, 'info': {'format-specific': {'data': "
	       "{'compression-type': 'zlib'}}}}}");
}

#define FILTERED(limits)                                                                \
	"{'qmp': {'throttle': {" limits "}, 'query-named-block-nodes': [{'node-name': " \
	"'vb0-fmt', 'drv': 'throttle'}]}}"

static void limits_hold_only_with_their_filter(void **state)
{
	(void)state;
	expect("throttle-iops = 500", "disk.throttle-iops", GOT_MATCH, "500",
	       FILTERED("'iops-total': 500"));
	expect("throttle-iops = 500", "disk.throttle-iops", GOT_DIFFER, "400",
	       FILTERED("'iops-total': 400"));
	expect("throttle-iops = 500", "disk.throttle-bps", GOT_DIFFER, "1M",
	       FILTERED("'bps-total': 1048576"));
	expect("throttle-iops = 500", "disk.throttle-iops", GOT_UNKNOWN, "group", FILTERED(""));
	expect("throttle-iops = 500", "disk.throttle-iops", GOT_DIFFER, "no throttle filter",
	       "{'qmp': {'throttle': {'iops-total': 500}, 'query-named-block-nodes': "
	       "[{'node-name': 'vb0-fmt', 'drv': 'raw'}]}}");
	expect("throttle-bps = 1M\nthrottle-bps-max = 2M\nthrottle-burst = 5s",
	       "disk.throttle-burst", GOT_DIFFER, "1s", FILTERED("'bps-total-max-length': 1"));
	expect("throttle-bps = 1M\nthrottle-bps-max = 2M", "disk.throttle-bps-max", GOT_DIFFER,
	       "3M", FILTERED("'bps-total-max': 3145728"));
	expect("", "disk.throttle-iops", GOT_DIFFER, "9", FILTERED("'iops-total': 9"));
}

static void back_ends_are_told_apart(void **state)
{
	static const char fd[] = "{'server_process': {'program': '/usr/bin/qemu-nbd', "
				 "'image_fds': []}, 'host': {'image_fds': []}}";

	(void)state;
	expect("backend = nbd", "disk.nbd", GOT_MATCH, "qemu-nbd", fd);
	expect("backend = nbd\nnbd = nbdkit\ncache = writeback", "disk.nbd", GOT_DIFFER, "qemu-nbd",
	       fd);
	expect("backend = nbd\nnbd = nbdkit\ncache = writeback", "disk.nbdkit", GOT_DIFFER,
	       "does not have", fd);
	expect("backend = nbd\nnbd = nbdkit\nnbdkit = memory 64M", "disk.nbdkit", GOT_UNKNOWN, "",
	       fd);
	expect("backend = nbd", "disk.backend", GOT_DIFFER, "file",
	       NODES("{'node-name': 'vb0-file', 'drv': 'file'}"));
	expect("backend = nbd", "disk.backend", GOT_MATCH, "nbd",
	       NODES("{'node-name': 'vb0-file', 'drv': 'nbd'}"));
	expect("backend = block\ndevice = /dev/loop7", "disk.backend", GOT_MATCH, "block",
	       NODES("{'node-name': 'vb0-file', 'drv': 'host_device'}"));
	expect("backend = block\ndevice = /dev/loop7", "disk.device", GOT_DIFFER, "not have it",
	       fd);
	expect("backend = block\ndevice = /dev/loop7", "disk.device", GOT_MATCH, "/dev/loop7",
	       "{'host': {'image_fds': [{'fd': 12, 'flags': 140002}]}}");
}

static void zero_detection_is_the_format_nodes(void **state)
{
	(void)state;
	expect("detect-zeroes = on", "disk.detect-zeroes", GOT_DIFFER, "off",
	       NODES("{'node-name': 'vb0-fmt', 'detect_zeroes': 'off'}"));
	expect("detect-zeroes = on\nthrottle-iops = 5", "disk.detect-zeroes", GOT_MATCH, "on",
	       NODES("{'node-name': 'vb0-fmt', 'detect_zeroes': 'off'},"
		     "{'node-name': 'vb0-img', 'detect_zeroes': 'on'}"));
	expect("discard = unmap", "disk.discard", GOT_UNKNOWN, "does not tell", NODES(""));
}

/* What stands in evidence may be anything: no row is a match by it, and none is a crash. */
static void odd_evidence_is_survived(void **state)
{
	static const char *const odd[] = {
		"{'qmp': 7, 'image': [], 'server_process': 'x'}",
		NODES("3, null, {'node-name': 5}, {'node-name': 'vb0-fmt', 'image': 'x', 'drv': 1,"
		      "'backing_file_depth': 'deep', 'detect_zeroes': {}}"),
		NODES("{'node-name': 'vb0-fmt', 'image': {'cluster-size': -1, 'format-specific': "
		      "{'data': {'compat': 7, 'lazy-refcounts': 'on', 'extended-l2': 2}}}}"),
		"{'qmp': {'throttle': {'iops-total': -1}, 'query-named-block-nodes': "
		"[{'node-name': 'vb0-fmt', 'drv': 'throttle'}]}}",
	};
	static const char *const keys[] = {
		"disk.cluster-size", "disk.extended-l2", "disk.lazy-refcounts", "disk.compat",
		"disk.backing",	     "disk.content",	 "disk.detect-zeroes"};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			expect("format = qcow2", keys[k], GOT_UNKNOWN, "", odd[i]);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		expect("throttle-iops = 500", "disk.throttle-iops", GOT_UNKNOWN, "", odd[i]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_of_another_image_differ),
		cmocka_unit_test(without_a_node_the_file_is_asked),
		cmocka_unit_test(layers_are_counted),
		cmocka_unit_test(content_shows_in_what_is_allocated),
		cmocka_unit_test(limits_hold_only_with_their_filter),
		cmocka_unit_test(back_ends_are_told_apart),
		cmocka_unit_test(zero_detection_is_the_format_nodes),
		cmocka_unit_test(odd_evidence_is_survived),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
