/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plans against the real QEMU, without a guest: every valid cell of broad profiles is plugged and
 * its settings come back, and what the table of keys calls senseless is what QEMU refuses. Skipped
 * where there is no QEMU.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/child.h"
#include "base/file.h"
#include "disk/disk.h"

#define PORTS 12
#define QEMU "qemu-system-x86_64"

struct vm {
	struct child child;
	FILE *in, *out;
	char dir[64];
};

static bool have(const char *program)
{
	const char *const argv[] = {program, "--version", NULL};

	return !child_run(argv, NULL, 20000, NULL, NULL);
}

/* One command; its answer, with "return" or "error". */
static json_t *qmp(struct vm *v, const char *command, json_t *args)
{
	json_t *line = json_pack("{s:s, s:O*}", "execute", command, "arguments", args),
	       *answer = NULL;
	char *text = json_dumps(line, JSON_COMPACT), *buf = NULL;
	size_t size = 0;

	fprintf(v->in, "%s\n", text);
	fflush(v->in);
	free(text);
	json_decref(line);
	while (!answer && getline(&buf, &size, v->out) > 0) {
		answer = json_loads(buf, 0, NULL);
		if (!json_object_get(answer, "return") && !json_object_get(answer, "error")) {
			json_decref(answer);
			answer = NULL;
		}
	}
	free(buf);
	assert_non_null(answer);
	return answer;
}

static void vm_start(struct vm *v)
{
	const char *argv[16 + 2 * PORTS] = {QEMU,	   "-machine", "q35", "-accel",	  "tcg",
					    "-smp",	   "2",	       "-S",  "-display", "none",
					    "-nodefaults", "-m",       "64",  "-qmp",	  "stdio"};
	static const char *const ports[PORTS] = {
		"pcie-root-port,id=rp0,chassis=1",   "pcie-root-port,id=rp1,chassis=2",
		"pcie-root-port,id=rp2,chassis=3",   "pcie-root-port,id=rp3,chassis=4",
		"pcie-root-port,id=rp4,chassis=5",   "pcie-root-port,id=rp5,chassis=6",
		"pcie-root-port,id=rp6,chassis=7",   "pcie-root-port,id=rp7,chassis=8",
		"pcie-root-port,id=rp8,chassis=9",   "pcie-root-port,id=rp9,chassis=10",
		"pcie-root-port,id=rp10,chassis=11", "pcie-root-port,id=rp11,chassis=12",
	};
	struct child_opts o = {.argv = argv, .err = -1};
	int to[2], from[2];
	size_t n = 15;

	for (size_t i = 0; i < PORTS; i++) {
		argv[n++] = "-device";
		argv[n++] = ports[i];
	}
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	o.in = to[0];
	o.out = from[1];
	/* /tmp may be a tmpfs, which refuses O_DIRECT */
	strcpy(v->dir, "/var/tmp/vbench-plug-XXXXXX");
	assert_non_null(mkdtemp(v->dir));
	assert_int_equal(child_start(&v->child, &o, NULL), 0);
	close(to[0]);
	close(from[1]);
	v->in = fdopen(to[1], "w");
	v->out = fdopen(from[0], "r");
	json_decref(qmp(v, "qmp_capabilities", NULL));
}

static void vm_end(struct vm *v)
{
	int status;

	fclose(v->in);
	fclose(v->out);
	child_end(&v->child, 2000, &status);
	dir_remove(v->dir, NULL);
}

static struct profile *profile_of(const char *text)
{
	struct profile *p = NULL;
	struct err e = {0};

	if (profile_parse(text, strlen(text), "t.ini", NULL, 0, &p, &e))
		print_error("%s\n", e.text);
	assert_non_null(p);
	return p;
}

/* Several disks share this QEMU: only the iothread of this one counts. */
static json_t *own_iothreads(const json_t *all, const struct disk_plan *plan)
{
	json_t *own = json_array();

	for (size_t i = 0; i < json_array_size(all); i++) {
		json_t *t = json_array_get(all, i);

		/* "io3" goes with "vb3" */
		if (!strcmp(json_string_value(json_object_get(t, "id")) + 2, plan->device_id + 2))
			json_array_append(own, t);
	}
	return own;
}

/* What QMP alone can say; the rest of the evidence stays unknown. */
static json_t *evidence_of(struct vm *v, const struct disk_plan *plan)
{
	static const char *const names[] = {"query-block", "query-named-block-nodes",
					    "query-iothreads"};
	json_t *answers = json_object(), *r;

	for (size_t i = 0; i < 3; i++) {
		r = qmp(v, names[i], NULL);
		json_object_set(answers, names[i], json_object_get(r, "return"));
		json_decref(r);
	}
	json_object_set_new(answers, "query-iothreads",
			    own_iothreads(json_object_get(answers, "query-iothreads"), plan));
	if (plan->virtio_path[0]) {
		json_t *args = json_pack("{s:s, s:i}", "path", plan->virtio_path, "queue", 0);

		r = qmp(v, "x-query-virtio-queue-status", args);
		json_object_set(answers, "queue", json_object_get(r, "return"));
		json_decref(args);
		json_decref(r);
	}
	return json_pack("{s:o}", "qmp", answers);
}

/* Nothing differs, and what QMP tells was told. */
static void check_back(struct vm *v, const struct cell *c, const struct disk_plan *plan)
{
	json_t *evidence = evidence_of(v, plan);
	struct asked_got rows[32];
	size_t n = disk_asked_got(c, plan, evidence, NULL, rows, 32), told = 0;

	for (size_t i = 0; i < n; i++) {
		bool by_qmp =
			strstr(" disk.format disk.backend disk.queue-size ", rows[i].key) != NULL;

		if (rows[i].state == GOT_DIFFER || (by_qmp && rows[i].state != GOT_MATCH))
			print_error("%s: %s: asked %s, got %s\n", c->label, rows[i].key,
				    rows[i].asked, rows[i].got);
		assert_int_not_equal(rows[i].state, GOT_DIFFER);
		if (by_qmp)
			assert_int_equal(rows[i].state, GOT_MATCH);
		/* the flags are right; only the descriptor and the guest are missing */
		if (!strcmp(rows[i].key, "disk.cache"))
			assert_non_null(strstr(rows[i].got, "QEMU says"));
		told += rows[i].state == GOT_MATCH;
	}
	assert_true(told);
	json_decref(evidence);
}

static void plug(struct vm *v, const struct cell *c, unsigned index)
{
	struct disk_env env = {
		.image_dir = v->dir, .qemu_img = "qemu-img", .index = index, .vcpus = 2};
	struct disk_plan plan;
	struct err e = {0};

	assert_int_equal(disk_plan_make(c, &env, &plan, &e), 0);
	for (size_t i = 0; i < plan.nsteps; i++) {
		if (child_run((const char *const *)plan.steps[i].argv, NULL, 60000, NULL, &e))
			print_error("%s: %s\n", c->label, e.text);
		assert_int_equal(e.rc, 0);
	}
	for (size_t i = 0; i < plan.nspecs; i++) {
		json_t *r = qmp(v, qspec_command(plan.specs[i].kind), plan.specs[i].args);
		const json_t *error = json_object_get(r, "error");

		if (error)
			print_error("%s: %s: %s\n", c->label, qspec_command(plan.specs[i].kind),
				    json_string_value(json_object_get(error, "desc")));
		assert_null(error);
		json_decref(r);
	}
	check_back(v, c, &plan);
	disk_plan_free(&plan);
}

static void plug_all(const char *text, size_t cells)
{
	struct profile *p = profile_of(text);
	struct vm v;

	assert_int_equal(p->ncells, cells);
	for (size_t i = 0; i < p->ncells; i++) {
		if (i % PORTS == 0)
			vm_start(&v);
		plug(&v, &p->cells[i], (unsigned)(i % PORTS));
		if (i % PORTS == PORTS - 1 || i == p->ncells - 1)
			vm_end(&v);
	}
	profile_free(p);
}

/* By hand: (2 buses x 2 rings x 2 iothreads + nvme) x (raw + 4 modes) = 9 x 5 */
static void every_bus_takes_every_image(void **state)
{
	(void)state;
	if (!have(QEMU) || !have("qemu-img"))
		skip();
	plug_all(
		"[disk]\nsize = 1M\nbus = virtio-blk, virtio-scsi, nvme\nring = split, packed\nformat = raw, qcow2\n"
		"mode = thin, metadata, falloc, full\niothread = on, off\n[workload w]\n",
		45);
}

/* 3 buses x (5 caches x 3 aio - 3 impossible) = 36 */
static void every_bus_takes_every_cache_and_aio(void **state)
{
	(void)state;
	if (!have(QEMU) || !have("qemu-img"))
		skip();
	plug_all(
		"[disk]\nsize = 1M\nbus = virtio-blk, virtio-scsi, nvme\n"
		"cache = none, writeback, writethrough, directsync, unsafe\naio = io_uring, native, threads\n[workload w]\n",
		36);
}

/* 2 buses x 3 queue sizes x 2 + nvme x 2 = 14, and null: 3 buses x 2 latencies = 6 */
static void queues_and_null_devices_are_taken(void **state)
{
	(void)state;
	if (!have(QEMU) || !have("qemu-img"))
		skip();
	plug_all(
		"[disk]\nsize = 1M\nbus = virtio-blk, virtio-scsi, nvme\nqueue-size = 4, 64, 1024\nqueues = 1, 2\n"
		"[workload w]\n",
		14);
	plug_all(
		"[disk]\nbackend = null\nbus = virtio-blk, virtio-scsi, nvme\nlatency = 0, 100us\n[workload w]\n",
		6);
	plug_all(
		"[disk]\nsize = 1M\nformat = qcow2\nblockdev.discard = unmap\nblockdev.detect-zeroes = unmap\n"
		"blockdev.l2-cache-size = 64k\nblockdev.lazy-refcounts = on\nblockdev.overlap-check.template = none\n"
		"[workload w]\n",
		1);
}

/* The first spec that makes something of that kind gets one more argument; QEMU must refuse it with
 * a word of reason. */
static void refused(struct vm *v, const char *text, enum qspec_kind kind, const char *key,
		    json_t *value, const char *reason)
{
	struct disk_env env = {.image_dir = v->dir, .qemu_img = "qemu-img", .index = 0, .vcpus = 2};
	struct profile *p = profile_of(text);
	struct disk_plan plan;
	bool done = false;

	assert_int_equal(disk_plan_make(&p->cells[0], &env, &plan, NULL), 0);
	for (size_t i = 0; i < plan.nsteps; i++)
		assert_int_equal(
			child_run((const char *const *)plan.steps[i].argv, NULL, 60000, NULL, NULL),
			0);
	for (size_t i = 0; i < plan.nspecs && !done; i++) {
		json_t *r;
		const char *desc;

		done = plan.specs[i].kind == kind;
		if (done)
			json_object_set_new(plan.specs[i].args, key, value);
		r = qmp(v, qspec_command(plan.specs[i].kind), plan.specs[i].args);
		desc = json_string_value(json_object_get(json_object_get(r, "error"), "desc"));
		if (done && (!desc || !strstr(desc, reason)))
			print_error("%s=...: %s\n", key, desc ? desc : "taken");
		if (done)
			assert_true(desc && strstr(desc, reason));
		json_decref(r);
	}
	assert_true(done);
	disk_plan_free(&plan);
	profile_free(p);
}

static void in_fresh_vm(const char *text, enum qspec_kind kind, const char *key, json_t *value,
			const char *reason)
{
	struct vm v;

	vm_start(&v);
	refused(&v, text, kind, key, value, reason);
	vm_end(&v);
}

static void what_is_skipped_is_what_qemu_refuses(void **state)
{
	static const char blk[] = "[disk]\nsize = 1M\n[workload w]\n",
			  nvme[] = "[disk]\nsize = 1M\nbus = nvme\n[workload w]\n";
	static const char buffered[] = "[disk]\nsize = 1M\ncache = writeback\n[workload w]\n";

	(void)state;
	if (!have(QEMU) || !have("qemu-img"))
		skip();
	in_fresh_vm(buffered, Q_BLOCKDEV, "aio", json_string("native"), "cache.direct");
	in_fresh_vm(nvme, Q_DEVICE, "packed", json_true(), "packed");
	in_fresh_vm(nvme, Q_DEVICE, "iothread", json_string("io0"), "iothread");
	in_fresh_vm(nvme, Q_DEVICE, "queue-size", json_integer(64), "queue-size");
	in_fresh_vm(blk, Q_DEVICE, "queue-size", json_integer(100), "power of 2");
	in_fresh_vm(blk, Q_DEVICE, "queue-size", json_integer(2048), "2048");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bus_takes_every_image),
		cmocka_unit_test(every_bus_takes_every_cache_and_aio),
		cmocka_unit_test(queues_and_null_devices_are_taken),
		cmocka_unit_test(what_is_skipped_is_what_qemu_refuses),
	};

	alarm(300);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
