// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plans of images: steps, block nodes, servers, sizes. Expected texts were written by hand from
 * qemu-img(1), qemu-nbd(8), nbdkit(1) and QEMU's QMP reference (BlockdevOptions*, ThrottleLimits,
 * SecretProperties); sizes by arithmetic, as each test says.
 */
#include <errno.h>
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
	.source_dir = "/src",
	.qemu_img = "qemu-img",
	.qemu_nbd = "qemu-nbd",
	.nbdkit = "nbdkit",
	.vcpus = 4,
};

static struct profile *cell_of(const char *disk)
{
	struct profile *p = NULL;
	struct err e = {0};
	char *whole = xasprintf("[disk]\nsize = 64M\n%s\n[workload w]\nrw = randread\n", disk);

	if (profile_parse(whole, strlen(whole), "t.ini", NULL, 0, &p, &e))
		print_error("%s\n", e.text);
	assert_non_null(p);
	assert_int_equal(p->ncells, 1);
	free(whole);
	return p;
}

static struct disk_plan plan_of(const char *disk)
{
	struct profile *p = cell_of(disk);
	struct disk_plan plan;
	struct err e = {0};

	if (disk_plan_make(&p->cells[0], &env, &plan, &e))
		print_error("%s\n", e.text);
	assert_string_equal(e.text, "");
	profile_free(p);
	return plan;
}

/* The words of an argv, with a blank between them. */
static void expect_words(char **argv, const char *want)
{
	char *got = xstrdup("");

	for (; argv && *argv; argv++) {
		char *longer = xasprintf("%s%s%s", got, got[0] ? " " : "", *argv);

		free(got);
		got = longer;
	}
	assert_string_equal(got, want);
	free(got);
}

/* The block nodes and their objects, in order, up to the first device and without iothreads; ' for
 * ". */
static void expect_nodes(const struct qspec *specs, size_t n, const char *const *want)
{
	for (size_t i = 0; i < n && specs[i].kind != Q_DEVICE; i++) {
		char *text;
		json_t *wanted;

		if (specs[i].kind == Q_OBJECT &&
		    !strcmp("iothread",
			    json_string_value(json_object_get(specs[i].args, "qom-type"))))
			continue;
		assert_non_null(*want);
		text = xstrdup(*want++);
		for (char *s = text; *s; s++)
			if (*s == '\'')
				*s = '"';
		wanted = json_loads(text, 0, NULL);
		assert_non_null(wanted);
		if (!json_equal(wanted, specs[i].args)) {
			char *got = json_dumps(specs[i].args, JSON_COMPACT);

			print_error("want %s\ngot  %s\n", text, got);
			free(got);
		}
		assert_true(json_equal(wanted, specs[i].args));
		json_decref(wanted);
		free(text);
	}
	assert_null(*want);
}

#define DIRECT "'cache': {'direct': true, 'no-flush': false}"
#define FILE_NODE(name, path)                                            \
	"{'driver': 'file', 'node-name': '" name "', 'filename': '" path \
	"', 'aio': 'io_uring', " DIRECT

static void a_chain_is_made_and_opened_layer_by_layer(void **state)
{
	static const char *const nodes[] = {
		FILE_NODE("vb0-file-l0", "/img/vb0.img.0") ", 'read-only': true}",
		"{'driver': 'qcow2', 'node-name': 'vb0-fmt-l0', 'file': 'vb0-file-l0', " DIRECT
		", 'l2-cache-size': 131072, 'read-only': true, 'backing': null}",
		FILE_NODE("vb0-file-l1", "/img/vb0.img.1") ", 'read-only': true}",
		"{'driver': 'qcow2', 'node-name': 'vb0-fmt-l1', 'file': 'vb0-file-l1', " DIRECT
		", 'l2-cache-size': 131072, 'read-only': true, 'backing': 'vb0-fmt-l0'}",
		FILE_NODE("vb0-file", "/img/vb0.img") "}",
		"{'driver': 'qcow2', 'node-name': 'vb0-fmt', 'file': 'vb0-file', " DIRECT
		", 'l2-cache-size': 131072, 'backing': 'vb0-fmt-l1'}",
		NULL,
	};
	struct disk_plan p = plan_of("format = qcow2\ncontent = data\nbacking = 2\n"
				     "cluster-size = 128k\nextended-l2 = on\nlazy-refcounts = on\n"
				     "compression = zstd\nl2-cache-size = 128k");

	(void)state;
	assert_int_equal(p.nsteps, 4);
	assert_string_equal(p.steps[0].source, "/src/vbench-source-data-67108864.raw");
	assert_int_equal(p.steps[0].source_bytes, 67108864);
	expect_words(p.steps[1].argv,
		     "qemu-img convert -q -f raw -t writeback -O qcow2 -c -o "
		     "preallocation=off,cluster_size=131072,extended_l2=on,lazy_refcounts=on,"
		     "compression_type=zstd /src/vbench-source-data-67108864.raw /img/vb0.img.0");
	assert_string_equal(p.steps[1].metric, "image.convert");
	expect_words(p.steps[2].argv,
		     "qemu-img create -q -f qcow2 -b /img/vb0.img.0 -F qcow2 -o "
		     "cluster_size=131072,extended_l2=on,lazy_refcounts=on /img/vb0.img.1");
	expect_words(p.steps[3].argv,
		     "qemu-img create -q -f qcow2 -b /img/vb0.img.1 -F qcow2 -o "
		     "cluster_size=131072,extended_l2=on,lazy_refcounts=on /img/vb0.img");
	assert_string_equal(p.image, "/img/vb0.img");
	assert_int_equal(p.nfiles, 2);
	assert_string_equal(p.files[0], "/img/vb0.img.0");
	assert_string_equal(p.files[1], "/img/vb0.img.1");
	expect_nodes(p.specs, p.nspecs, nodes);
	/* two layers may be full (64 MiB), and three have tables: 512 clusters of 32 bytes, and 4
	 * MiB */
	assert_int_equal(p.peak_bytes, 2 * 67108864 + 3 * (512 * 32 + 4 * 1048576));
	disk_plan_free(&p);
}

static void limits_stand_on_an_encrypted_image(void **state)
{
	static const char *const nodes[] = {
		"{'qom-type': 'secret', 'id': 'vb0-key', 'data': 'vbench'}",
		"{'driver': 'file', 'node-name': 'vb0-file', 'filename': '/img/vb0.img', 'aio': "
		"'threads', 'cache': {'direct': false, 'no-flush': true}, 'discard': 'unmap'}",
		"{'driver': 'luks', 'node-name': 'vb0-img', 'file': 'vb0-file', 'cache': "
		"{'direct': false, 'no-flush': true}, 'discard': 'unmap', 'key-secret': 'vb0-key', "
		"'detect-zeroes': 'unmap'}",
		"{'qom-type': 'throttle-group', 'id': 'vb0-throttle', 'limits': {'iops-total': 500,"
		" 'iops-total-max': 700, 'iops-total-max-length': 5, 'bps-total': 1048576}}",
		"{'driver': 'throttle', 'node-name': 'vb0-fmt', 'throttle-group': 'vb0-throttle', "
		"'file': 'vb0-img', 'cache': {'direct': false, 'no-flush': true}, 'discard': "
		"'unmap'}",
		NULL,
	};
	struct disk_plan p =
		plan_of("format = luks\nthrottle-iops = 500\nthrottle-iops-max = 700\n"
			"throttle-burst = 5s\nthrottle-bps = 1M\ncache = unsafe\naio = threads\n"
			"discard = unmap\ndetect-zeroes = unmap");

	(void)state;
	assert_int_equal(p.nsteps, 1);
	expect_words(p.steps[0].argv,
		     "qemu-img create -q -f luks -o key-secret=key0,preallocation=off,"
		     "hash-alg=sha512,iter-time=10 --object secret,id=key0,data=vbench "
		     "/img/vb0.img 67108864");
	assert_string_equal(p.steps[0].metric, "image.create");
	expect_nodes(p.specs, p.nspecs, nodes);
	disk_plan_free(&p);
}

/* A comma in an option's value is written twice (QEMU's option syntax). */
static void a_data_file_lies_beside_its_image(void **state)
{
	static const char *const nodes[] = {
		FILE_NODE("vb0-file", "/a,b/vb0.img") "}",
		FILE_NODE("vb0-data", "/a,b/vb0.img.data") "}",
		"{'driver': 'qcow2', 'node-name': 'vb0-fmt', 'file': 'vb0-file', " DIRECT
		", 'data-file': 'vb0-data'}",
		NULL,
	};
	struct profile *c = cell_of("format = qcow2\ndata-file = on\nmode = falloc");
	struct disk_env comma = env;
	struct disk_plan p;

	(void)state;
	comma.image_dir = "/a,b";
	assert_int_equal(disk_plan_make(&c->cells[0], &comma, &p, NULL), 0);
	expect_words(p.steps[0].argv,
		     "qemu-img create -q -f qcow2 -o preallocation=falloc,data_file="
		     "/a,,b/vb0.img.data,data_file_raw=on /a,b/vb0.img 67108864");
	assert_int_equal(p.nfiles, 1);
	assert_string_equal(p.files[0], "/a,b/vb0.img.data");
	expect_nodes(p.specs, p.nspecs, nodes);
	disk_plan_free(&p);
	profile_free(c);
}

static void an_nbd_server_has_the_file(void **state)
{
	static const char *const nodes[] = {
		"{'driver': 'nbd', 'node-name': 'vb0-file', 'server': {'type': 'fd', 'str': "
		"'vb0-sock'}, 'export': '', " DIRECT "}",
		"{'driver': 'qcow2', 'node-name': 'vb0-fmt', 'file': 'vb0-file', " DIRECT "}",
		NULL,
	};
	struct disk_plan p = plan_of("backend = nbd\nformat = qcow2\naio = native");

	(void)state;
	/* 1024 clusters of 16 bytes, and 4 MiB, beside the data */
	expect_words(p.steps[1].argv, "qemu-img resize -q -f raw /img/vb0.img 71319552");
	assert_int_equal(71319552, 67108864 + 1024 * 16 + 4 * 1048576);
	expect_nodes(p.specs, p.nspecs, nodes);
	expect_words(p.server.argv, "qemu-nbd --persistent --shared=1 --format=raw --cache=none "
				    "--aio=native --discard=ignore --detect-zeroes=off "
				    "/img/vb0.img");
	assert_true(p.server.listens && p.server.activated);
	assert_string_equal(p.sock_name, "vb0-sock");
	disk_plan_free(&p);
}

static void nbdkit_gets_its_plugins_words(void **state)
{
	static const char *const nodes[] = {
		"{'driver': 'nbd', 'node-name': 'vb0-file', 'server': {'type': 'fd', 'str': "
		"'vb0-sock'}, 'export': '', " DIRECT "}",
		"{'driver': 'raw', 'node-name': 'vb0-fmt', 'file': 'vb0-file', " DIRECT
		", 'size': 67108864}",
		NULL,
	};
	struct disk_plan p = plan_of("backend = nbd\nnbd = nbdkit\nnbdkit = memory  128M");

	(void)state;
	expect_words(p.server.argv, "nbdkit --foreground memory 128M");
	assert_int_equal(p.nsteps, 0);
	assert_null(p.image);
	expect_nodes(p.specs, p.nspecs, nodes);
	disk_plan_free(&p);
	p = plan_of("backend = nbd\nnbd = nbdkit\ncache = writeback");
	expect_words(p.server.argv, "nbdkit --foreground file file=/img/vb0.img");
	disk_plan_free(&p);
}

/* The harness opens it and passes it on: see struct site_ops. */
static void a_device_is_never_made_or_removed(void **state)
{
	struct disk_plan p = plan_of("backend = block\ndevice = /dev/loop7");

	(void)state;
	assert_int_equal(p.nsteps, 0);
	assert_int_equal(p.nfiles, 0);
	assert_int_equal(p.peak_bytes, 0);
	assert_true(p.device);
	assert_string_equal(p.image, "/dev/loop7");
	assert_string_equal(json_string_value(json_object_get(p.specs[1].args, "driver")),
			    "host_device");
	assert_string_equal(json_string_value(json_object_get(p.specs[1].args, "filename")),
			    "/dev/fdset/1");
	assert_int_equal(json_integer_value(json_object_get(p.specs[2].args, "size")), 67108864);
	disk_plan_free(&p);
}

/* A blank disk has no image, whatever the cell's has. */
static void a_template_has_blank_disks(void **state)
{
	static const char *const nodes[] = {
		"{'driver': 'null-co', 'node-name': 'vb0-file', 'size': 67108864, 'read-zeroes': "
		"true}",
		"{'driver': 'raw', 'node-name': 'vb0-fmt', 'file': 'vb0-file'}",
		NULL,
	};
	struct disk_plan p = plan_of("bus = ide\nformat = luks\nthrottle-iops = 100");

	(void)state;
	assert_true(p.cold);
	expect_nodes(p.blank, p.nblank, nodes);
	disk_plan_free(&p);
}

static void what_cannot_be_served_is_refused(void **state)
{
	static const struct {
		const char *disk;
		bool programs;
		const char *part;
	} cases[] = {
		{"backend = nbd", false, "disk.nbd: there is no qemu-nbd"},
		{"backend = nbd\nnbd = nbdkit\ncache = writeback", false, "there is no nbdkit"},
	};
	struct disk_env without = env;

	(void)state;
	without.qemu_nbd = without.nbdkit = NULL;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct profile *p = cell_of(cases[i].disk);
		struct disk_plan plan;
		struct err e = {0};

		assert_int_equal(disk_plan_make(&p->cells[0], cases[i].programs ? &env : &without,
						&plan, &e),
				 -EINVAL);
		assert_non_null(strstr(e.text, cases[i].part));
		profile_free(p);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_is_made_and_opened_layer_by_layer),
		cmocka_unit_test(limits_stand_on_an_encrypted_image),
		cmocka_unit_test(a_data_file_lies_beside_its_image),
		cmocka_unit_test(an_nbd_server_has_the_file),
		cmocka_unit_test(nbdkit_gets_its_plugins_words),
		cmocka_unit_test(a_device_is_never_made_or_removed),
		cmocka_unit_test(a_template_has_blank_disks),
		cmocka_unit_test(what_cannot_be_served_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
