/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cells to plans, against tests/golden/plan-*.json. Those were written by hand from QEMU's QMP
 * reference (blockdev-add, chardev-add, device_add, BlockdevOptions*,
 * BlockExportOptionsVhostUserBlk),
 * `-device DRIVER,help`, qemu-img(1), `vbench-vhost-blk --help` and `fio --enghelp=.../vring.so`;
 * the serials hold 12 digits of the cell's id, by sha256sum(1).
 */
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "disk/disk.h"

static struct profile *cell_of(const char *text)
{
	struct profile *p = NULL;
	struct err e = {0};
	char *whole = xasprintf("%s[workload w]\nrw = randread\n", text);

	if (profile_parse(whole, strlen(whole), "t.ini", NULL, 0, &p, &e))
		print_error("%s\n", e.text);
	assert_non_null(p);
	free(whole);
	return p;
}

static json_t *plan_json(const struct disk_plan *p)
{
	json_t *steps = json_array(), *specs = json_array(), *all;

	for (size_t i = 0; i < p->nsteps; i++) {
		json_t *argv = json_array();

		for (char **a = p->steps[i].argv; *a; a++)
			json_array_append_new(argv, json_string(*a));
		json_array_append_new(steps, argv);
	}
	for (size_t i = 0; i < p->nspecs; i++)
		json_array_append_new(specs, json_pack("[s, O]", qspec_command(p->specs[i].kind),
						       p->specs[i].args));
	all = json_pack("{s:o, s:o, s:s, s:s, s:I, s:I}", "steps", steps, "specs", specs,
			"virtio_path", p->virtio_path, "iothread", p->iothread, "size",
			(json_int_t)p->size, "peak_bytes", (json_int_t)p->peak_bytes);
	if (p->server.argv) {
		json_t *argv = json_array();

		for (char **a = p->server.argv; *a; a++)
			json_array_append_new(argv, json_string(*a));
		json_object_set_new(all, "server", argv);
		json_object_set_new(all, "listens", json_boolean(p->server.listens));
		assert_int_equal(p->server.reports, !p->server.listens);
	}
	if (p->engine)
		json_object_set_new(all, "engine", json_string(p->engine));
	if (p->sock_name[0])
		json_object_set_new(all, "sock_name", json_string(p->sock_name));
	return all;
}

static void compare_golden(const char *path)
{
	json_t *want = json_load_file(path, 0, NULL), *got;
	struct disk_env env = {.image_dir = "/img",
			       .qemu_img = "qemu-img",
			       .storage_daemon = "qemu-storage-daemon",
			       .vhost_blk = "vbench-vhost-blk",
			       .engine = "/lib/vring.so",
			       .vcpus = 4};
	struct disk_plan plan;
	struct err e = {0};
	struct profile *p;

	assert_non_null(want);
	p = cell_of(json_string_value(json_object_get(want, "profile")));
	assert_int_equal(p->ncells, 1);
	env.index = (unsigned)json_integer_value(json_object_get(want, "index"));
	json_object_del(want, "profile");
	json_object_del(want, "index");
	assert_int_equal(disk_plan_make(&p->cells[0], &env, &plan, &e), 0);
	got = plan_json(&plan);
	if (!json_equal(want, got)) {
		char *text = json_dumps(got, JSON_INDENT(1));

		print_error("%s: got %s\n", path, text);
		free(text);
	}
	assert_true(json_equal(want, got));
	json_decref(want);
	json_decref(got);
	disk_plan_free(&plan);
	profile_free(p);
}

static void plans_equal_the_golden_ones(void **state)
{
	glob_t g;

	(void)state;
	assert_int_equal(glob("tests/golden/plan-*.json", 0, NULL, &g), 0);
	assert_true(g.gl_pathc >= 12);
	for (size_t i = 0; i < g.gl_pathc; i++)
		compare_golden(g.gl_pathv[i]);
	globfree(&g);
}

/* virtio-blk's serial has 20 bytes (VIRTIO 1.2, 5.2.6), NVMe's too (NVM Express 1.4, Identify
 * Controller). */
static void names_stay_in_their_bounds(void **state)
{
	struct disk_env env = {
		.image_dir = "/img", .qemu_img = "qemu-img", .index = 4294967295u, .vcpus = 2};
	struct profile *p = cell_of("[disk]\nbus = virtio-scsi\n");
	struct disk_plan plan;

	(void)state;
	assert_int_equal(disk_plan_make(&p->cells[0], &env, &plan, NULL), 0);
	assert_true(strlen(plan.serial) <= 20);
	assert_string_equal(plan.device_id, "vb4294967295");
	disk_plan_free(&plan);
	profile_free(p);
}

static void unusable_folders_are_refused(void **state)
{
	static const char *const dirs[] = {"relative", "", NULL, "/not\xffutf8"};
	struct profile *p = cell_of("");

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct disk_env env = {.image_dir = dirs[i], .qemu_img = "qemu-img", .vcpus = 2};
		struct disk_plan plan;
		struct err e = {0};

		assert_int_equal(disk_plan_make(&p->cells[0], &env, &plan, &e), -EINVAL);
		assert_int_equal(strncmp(e.text, "disk.dir:", 9), 0);
		assert_int_equal(plan.nspecs, 0);
	}
	profile_free(p);
}

static void commands_and_options_are_qemus(void **state)
{
	(void)state;
	assert_string_equal(qspec_command(Q_OBJECT), "object-add");
	assert_string_equal(qspec_command(Q_CHARDEV), "chardev-add");
	assert_string_equal(qspec_command(Q_BLOCKDEV), "blockdev-add");
	assert_string_equal(qspec_command(Q_DEVICE), "device_add");
	assert_string_equal(qspec_option(Q_OBJECT), "-object");
	assert_string_equal(qspec_option(Q_BLOCKDEV), "-blockdev");
	assert_string_equal(qspec_option(Q_DEVICE), "-device");
}

/* What a comparison of buses must hold fixed is written out on each of them. */
static void every_bus_sets_queues_and_write_cache(void **state)
{
	struct disk_env env = {.image_dir = "/img", .qemu_img = "qemu-img", .vcpus = 2};
	struct profile *p = cell_of("[disk]\nbus = virtio-blk, virtio-scsi, nvme\nqueues = 2\n");

	(void)state;
	assert_int_equal(p->ncells, 3);
	for (size_t i = 0; i < p->ncells; i++) {
		struct disk_plan plan;
		unsigned queues = 0, cache = 0, serial = 0;

		assert_int_equal(disk_plan_make(&p->cells[i], &env, &plan, NULL), 0);
		for (size_t k = 0; k < plan.nspecs; k++) {
			static const char *const names[] = {"num-queues", "num_queues",
							    "max_ioqpairs"};

			for (size_t n = 0; n < 3; n++)
				queues += json_integer_value(json_object_get(plan.specs[k].args,
									     names[n])) == 2;
			cache += json_object_get(plan.specs[k].args, "write-cache") != NULL;
			serial += json_object_get(plan.specs[k].args, "serial") != NULL;
		}
		assert_int_equal(queues, 1);
		assert_int_equal(cache, 1);
		assert_int_equal(serial, 1);
		disk_plan_free(&plan);
	}
	profile_free(p);
}

/* What is not installed is named, with what to do about it. */
static void missing_programs_are_named(void **state)
{
	static const struct {
		const char *profile, *part;
	} cases[] = {
		{"[disk]\nbackend = vhost-user\n", "make engines"},
		{"[disk]\nbackend = vhost-user\nserver = storage-daemon\n", "qemu-storage-daemon"},
		{"[guest]\nsite = host\n[disk]\nbackend = vhost-user\nserver = loop\n", "vring.so"},
	};
	struct disk_env env = {.image_dir = "/img", .qemu_img = "qemu-img", .vcpus = 2};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct profile *p = cell_of(cases[i].profile);
		struct disk_plan plan;
		struct err e = {0};

		assert_int_equal(disk_plan_make(&p->cells[0], &env, &plan, &e), -EINVAL);
		assert_non_null(strstr(e.text, cases[i].part));
		assert_null(plan.server.argv);
		profile_free(p);
	}
}

/* fio: an engine's path needs a / and takes no , or : (it is split there). */
static void paths_that_fio_would_split_are_refused(void **state)
{
	static const char *const bad[] = {"vring.so", "/a,b/vring.so", "/a:b/vring.so",
					  "/a$b/vring.so", "/a`b/vring.so"};
	struct disk_env env = {.image_dir = "/img$HOME", .qemu_img = "qemu-img", .vcpus = 2};
	struct profile *p =
		cell_of("[guest]\nsite = host\n[disk]\nbackend = vhost-user\nserver = loop\n");
	struct disk_plan plan;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		env.engine = bad[i];
		assert_int_equal(disk_plan_make(&p->cells[0], &env, &plan, &e), -EINVAL);
		assert_int_equal(strncmp(e.text, "disk.driver:", 12), 0);
	}
	profile_free(p);
	p = cell_of("[guest]\nsite = host\n[disk]\ndriver = file\n");
	assert_int_equal(disk_plan_make(&p->cells[0], &env, &plan, &e), -EINVAL);
	assert_int_equal(strncmp(e.text, "disk.dir:", 9), 0);
	profile_free(p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans_equal_the_golden_ones),
		cmocka_unit_test(names_stay_in_their_bounds),
		cmocka_unit_test(unusable_folders_are_refused),
		cmocka_unit_test(commands_and_options_are_qemus),
		cmocka_unit_test(every_bus_sets_queues_and_write_cache),
		cmocka_unit_test(missing_programs_are_named),
		cmocka_unit_test(paths_that_fio_would_split_are_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
