// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How disks are attached: places, names and threads of several disks on each bus, and what a cold
 * one's template has. Properties are those of `qemu-system-x86_64 -device DRIVER,help` (7.2), the
 * numbers by hand.
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

struct made {
	struct profile *profile;
	struct disk_plan plan;
};

static struct profile *profile_of(const char *text)
{
	struct profile *p = NULL;
	struct err e = {0};
	char *whole = xasprintf("%s[workload w]\n", text);

	if (profile_parse(whole, strlen(whole), "t.ini", NULL, 0, &p, &e))
		print_error("%s\n", e.text);
	assert_non_null(p);
	assert_int_equal(p->ncells, 1);
	free(whole);
	return p;
}

static struct made make(const char *text)
{
	struct disk_env env = {.image_dir = "/img", .qemu_img = "qemu-img", .vcpus = 2};
	struct made m = {.profile = profile_of(text)};
	struct err e = {0};

	if (disk_plan_make(&m.profile->cells[0], &env, &m.plan, &e))
		print_error("%s\n", e.text);
	assert_true(m.plan.nspecs > 0);
	return m;
}

static void drop(struct made *m)
{
	disk_plan_free(&m->plan);
	profile_free(m->profile);
}

static const char *text(const json_t *args, const char *name)
{
	const char *s = json_string_value(json_object_get(args, name));

	return s ? s : "";
}

/* The n-th device with that driver, in the order in which they are plugged; NULL: none. */
static const json_t *device(const struct disk_plan *p, const char *driver, size_t n)
{
	for (size_t i = 0; i < p->nspecs; i++)
		if (p->specs[i].kind == Q_DEVICE &&
		    !strcmp(text(p->specs[i].args, "driver"), driver) && !n--)
			return p->specs[i].args;
	return NULL;
}

static size_t devices(const struct disk_plan *p, const char *driver)
{
	size_t n = 0;

	while (device(p, driver, n))
		n++;
	return n;
}

static void expect_place(const struct disk_plan *p, const char *driver, size_t n, const char *id,
			 const char *bus, const char *addr)
{
	const json_t *d = device(p, driver, n);

	assert_non_null(d);
	assert_string_equal(text(d, "id"), id);
	assert_string_equal(text(d, "bus"), bus);
	assert_string_equal(text(d, "addr"), addr);
	assert_int_equal(json_is_true(json_object_get(d, "multifunction")), addr[0] != 0);
}

/* Everything that a spec uses by its name was made by one before it; no name is made twice. */
static void expect_order(const struct qspec *specs, size_t n)
{
	static const char *const uses[] = {"drive", "iothread", "file"};
	json_t *made = json_object();

	for (size_t i = 0; i < n; i++) {
		const json_t *a = specs[i].args;
		const char *name =
			specs[i].kind == Q_BLOCKDEV ? text(a, "node-name") : text(a, "id");

		for (size_t k = 0; k < 3; k++)
			if (json_is_string(json_object_get(a, uses[k])))
				assert_non_null(json_object_get(made, text(a, uses[k])));
		assert_true(name[0] != 0);
		assert_null(json_object_get(made, name));
		json_object_set_new(made, name, json_true());
	}
	json_decref(made);
}

/* Names of many disks: all different, serials within virtio-blk's 20 bytes (VIRTIO 1.2, 5.2.6). */
static void every_disk_has_its_own_names(void **state)
{
	static const char *const profiles[] = {
		"[guest]\nmemory = 4G\n[disk]\ncount = 1024\nbus = virtio-scsi\n",
		"[disk]\ncount = 64\n",
		"[disk]\ncount = 30\nbus = ahci\n",
		"[disk]\ncount = 24\nslots = direct\n",
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct made m = make(profiles[i]);
		const struct disk_plan *p = &m.plan;
		json_t *serials = json_object();

		for (size_t k = 0; k < p->nunits; k++) {
			const struct disk_unit *u = &p->units[k];

			assert_true(u->serial[0] && strlen(u->serial) <= 20);
			json_object_set_new(serials, u->serial, json_true());
			json_object_set_new(serials, u->image, json_true());
		}
		assert_int_equal(json_object_size(serials), 2 * p->nunits);
		assert_int_equal(p->nunits, cell_u64(&m.profile->cells[0], K_DISKS));
		assert_string_equal(p->serial, p->units[0].serial);
		assert_string_equal(p->image, p->units[0].image);
		assert_string_equal(p->fmt_node, p->units[0].fmt_node);
		expect_order(p->specs, p->nspecs);
		expect_order(p->blank, p->nblank);
		json_decref(serials);
		drop(&m);
	}
}

static void root_ports_are_as_many_as_the_slots_want(void **state)
{
	static const struct {
		const char *profile;
		unsigned ports;
	} cases[] = {
		{"[disk]\n", 2},
		{"[disk]\ncount = 24\n", 24},
		{"[disk]\ncount = 24\nbus = nvme\n", 24},
		{"[disk]\ncount = 24\nslots = direct\n", 2},
		{"[disk]\ncount = 24\nslots = multifunction\n", 3},
		{"[disk]\ncount = 25\nslots = multifunction\n", 4},
		{"[disk]\ncount = 256\nbus = virtio-scsi\n", 2},
		{"[disk]\ncount = 16\nbus = virtio-scsi\ncontrollers = each\n", 16},
		{"[disk]\ncount = 4\nbus = ide\n", 2},
		{"[guest]\nmachine = microvm\n[disk]\nbus = virtio-mmio\n", 0},
		{"[guest]\nsite = host\n[disk]\ndriver = file\n", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct profile *p = profile_of(cases[i].profile);

		assert_int_equal(disk_root_ports(&p->cells[0]), cases[i].ports);
		profile_free(p);
	}
}

static void a_port_for_each(void **state)
{
	struct made m = make("[disk]\ncount = 3\n");

	(void)state;
	expect_place(&m.plan, "virtio-blk-pci", 0, "vb0", "rp0", "");
	expect_place(&m.plan, "virtio-blk-pci", 1, "vb1", "rp1", "");
	expect_place(&m.plan, "virtio-blk-pci", 2, "vb2", "rp2", "");
	assert_false(m.plan.cold);
	assert_int_equal(m.plan.nblank, 0);
	drop(&m);
	m = make("[disk]\ncount = 2\nbus = nvme\n");
	expect_place(&m.plan, "nvme", 1, "vb1", "rp1", "");
	drop(&m);
}

/* The guest looks at a slot when function 0 appears: it is the last of its eight. */
static void function_0_comes_last(void **state)
{
	struct made m = make("[disk]\ncount = 10\nslots = multifunction\n");

	(void)state;
	for (unsigned i = 0; i < 7; i++) {
		char id[16], addr[16];

		snprintf(id, sizeof(id), "vb%u", i + 1);
		snprintf(addr, sizeof(addr), "0.%u", i + 1);
		expect_place(&m.plan, "virtio-blk-pci", i, id, "rp0", addr);
	}
	expect_place(&m.plan, "virtio-blk-pci", 7, "vb0", "rp0", "0.0");
	expect_place(&m.plan, "virtio-blk-pci", 8, "vb9", "rp1", "0.1");
	expect_place(&m.plan, "virtio-blk-pci", 9, "vb8", "rp1", "0.0");
	assert_string_equal(m.plan.device_id, "vb0");
	drop(&m);
	m = make(
		"[disk]\ncount = 3\nbus = virtio-scsi\ncontrollers = each\nslots = multifunction\n");
	expect_place(&m.plan, "virtio-scsi-pci", 0, "vbscsi1", "rp0", "0.1");
	expect_place(&m.plan, "virtio-scsi-pci", 2, "vbscsi0", "rp0", "0.0");
	drop(&m);
}

static void expect_lun(const struct disk_plan *p, size_t n, const char *bus, json_int_t lun)
{
	const json_t *d = device(p, "scsi-hd", n);

	assert_string_equal(text(d, "bus"), bus);
	assert_int_equal(json_integer_value(json_object_get(d, "scsi-id")), 0);
	assert_int_equal(json_integer_value(json_object_get(d, "lun")), lun);
	assert_string_equal(text(d, "drive"), p->units[n].fmt_node);
}

static void scsi_disks_share_or_have_controllers(void **state)
{
	struct made m = make("[disk]\ncount = 256\nbus = virtio-scsi\n");

	(void)state;
	assert_int_equal(devices(&m.plan, "virtio-scsi-pci"), 1);
	assert_int_equal(devices(&m.plan, "scsi-hd"), 256);
	for (size_t i = 0; i < 256; i++)
		expect_lun(&m.plan, i, "vbscsi0.0", (json_int_t)i);
	assert_string_equal(m.plan.units[255].virtio_path,
			    "/machine/peripheral/vbscsi0/virtio-backend");
	drop(&m);
	m = make("[disk]\ncount = 3\nbus = virtio-scsi\ncontrollers = each\n");
	assert_int_equal(devices(&m.plan, "virtio-scsi-pci"), 3);
	expect_lun(&m.plan, 2, "vbscsi2.0", 0);
	assert_string_equal(m.plan.units[2].virtio_path,
			    "/machine/peripheral/vbscsi2/virtio-backend");
	drop(&m);
}

/* Two channels of two (ATA), six ports (Intel ICH9). */
static void ata_disks_have_channels_and_ports(void **state)
{
	struct made m = make("[disk]\ncount = 4\nbus = ide\n");

	(void)state;
	assert_true(m.plan.cold);
	expect_place(&m.plan, "piix3-ide", 0, "vbide0", "pcie.0", "");
	expect_place(&m.plan, "ide-hd", 1, "vb1", "vbide0.0", "");
	expect_place(&m.plan, "ide-hd", 2, "vb2", "vbide0.1", "");
	assert_int_equal(json_integer_value(json_object_get(device(&m.plan, "ide-hd", 3), "unit")),
			 1);
	assert_string_equal(m.plan.virtio_path, "");
	assert_string_equal(m.plan.iothread, "");
	drop(&m);
	m = make("[disk]\ncount = 8\nbus = ahci\ncache = writethrough\n");
	assert_true(m.plan.cold);
	assert_int_equal(devices(&m.plan, "ich9-ahci"), 2);
	expect_place(&m.plan, "ide-hd", 5, "vb5", "vbahci0.5", "");
	expect_place(&m.plan, "ide-hd", 6, "vb6", "vbahci1.0", "");
	expect_place(&m.plan, "ide-hd", 7, "vb7", "vbahci1.1", "");
	assert_string_equal(text(device(&m.plan, "ide-hd", 7), "write-cache"), "off");
	drop(&m);
}

static void mmio_is_not_on_pci(void **state)
{
	struct made m = make("[guest]\nmachine = microvm\n[disk]\nbus = virtio-mmio\ncount = 2\n"
			     "ring = packed\niothread = off\nqueues = 2\n");
	const json_t *d = device(&m.plan, "virtio-blk-device", 1);

	(void)state;
	assert_true(m.plan.cold);
	assert_non_null(d);
	assert_null(json_object_get(d, "bus"));
	assert_null(json_object_get(d, "disable-legacy"));
	assert_true(json_is_true(json_object_get(d, "packed")));
	assert_int_equal(json_integer_value(json_object_get(d, "num-queues")), 2);
	assert_string_equal(m.plan.units[1].virtio_path, "/machine/peripheral/vb1");
	drop(&m);
}

static size_t objects(const struct disk_plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->nspecs; i++)
		n += p->specs[i].kind == Q_OBJECT &&
		     !strcmp(text(p->specs[i].args, "qom-type"), "iothread");
	return n;
}

static void iothreads_are_dealt_out_in_turn(void **state)
{
	static const char *const turns[] = {"io0", "io1", "io2", "io0", "io1"};
	struct made m = make("[disk]\ncount = 5\niothreads = 3\npoll-max = 7us\n");

	(void)state;
	assert_int_equal(objects(&m.plan), 3);
	for (size_t i = 0; i < 5; i++) {
		assert_string_equal(m.plan.units[i].iothread, turns[i]);
		assert_string_equal(text(device(&m.plan, "virtio-blk-pci", i), "iothread"),
				    turns[i]);
	}
	assert_int_equal(json_integer_value(json_object_get(m.plan.specs[2].args, "poll-max-ns")),
			 7000);
	drop(&m);
	m = make("[disk]\ncount = 5\n");
	assert_int_equal(objects(&m.plan), 5);
	assert_string_equal(m.plan.units[4].iothread, "io4");
	drop(&m);
	m = make("[disk]\ncount = 5\nbus = virtio-scsi\n");
	assert_int_equal(objects(&m.plan), 1);
	assert_string_equal(m.plan.units[4].iothread, "io0");
	drop(&m);
	m = make("[disk]\ncount = 5\niothread = off\n");
	assert_int_equal(objects(&m.plan), 0);
	assert_null(json_object_get(device(&m.plan, "virtio-blk-pci", 0), "iothread"));
	drop(&m);
}

/* QAPI, IOThreadVirtQueueMapping: without "vqs" QEMU deals the queues out itself. */
static void queues_are_mapped_to_all_iothreads(void **state)
{
	struct made m = make("[guest]\nvcpus = 4\n[disk]\nqueues = 4\niothreads = 2\n"
			     "iothread-mapping = queues\n");
	const json_t *d = device(&m.plan, "virtio-blk-pci", 0);
	json_t *want = json_pack("[{s:s}, {s:s}]", "iothread", "io0", "iothread", "io1");

	(void)state;
	assert_true(json_equal(json_object_get(d, "iothread-vq-mapping"), want));
	assert_null(json_object_get(d, "iothread"));
	json_decref(want);
	drop(&m);
}

static void ioeventfd_is_taken_away_only_when_asked(void **state)
{
	struct made m = make("[disk]\niothread = off\nioeventfd = off\n");

	(void)state;
	assert_true(
		json_is_false(json_object_get(device(&m.plan, "virtio-blk-pci", 0), "ioeventfd")));
	drop(&m);
	m = make("[disk]\n");
	assert_null(json_object_get(device(&m.plan, "virtio-blk-pci", 0), "ioeventfd"));
	drop(&m);
}

static json_t *all(const struct qspec *specs, size_t n, bool devices_only)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		if (!devices_only || specs[i].kind == Q_DEVICE)
			json_array_append(list, specs[i].args);
	return list;
}

/*
 * A template serves whatever lies behind the disks: it has the same devices, under the same names,
 * and nothing of an image, of a cell's id or of a limit. What the guest can see makes it another.
 */
static void equal_devices_share_a_template(void **state)
{
	static const char *const same[] = {
		"[disk]\nbus = ide\ncount = 2\nsize = 64M\n",
		"[disk]\nbus = ide\ncount = 2\nsize = 64M\nformat = qcow2\nmode = full\naio = threads\n",
		"[disk]\nbus = ide\ncount = 2\nsize = 64M\ncache = unsafe\nthrottle-iops = 10\n",
		"[disk]\nbus = ide\ncount = 2\nsize = 64M\nbackend = null\nlatency = 1ms\n",
	};
	struct made first = make(same[0]), other;
	json_t *blank = all(first.plan.blank, first.plan.nblank, false), *b;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct made m = make(same[i]);
		json_t *real = all(m.plan.specs, m.plan.nspecs, true);
		json_t *its = all(m.plan.blank, m.plan.nblank, true);
		char *dump;

		b = all(m.plan.blank, m.plan.nblank, false);
		assert_true(json_equal(blank, b));
		assert_true(json_equal(real, its));
		dump = json_dumps(b, 0);
		assert_null(strstr(dump, "/img"));
		assert_null(strstr(dump, m.profile->cells[0].id));
		free(dump);
		json_decref(b);
		json_decref(its);
		json_decref(real);
		drop(&m);
	}
	other = make("[disk]\nbus = ide\ncount = 2\nsize = 65M\n");
	b = all(other.plan.blank, other.plan.nblank, false);
	assert_false(json_equal(blank, b));
	json_decref(b);
	json_decref(blank);
	drop(&other);
	drop(&first);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_disk_has_its_own_names),
		cmocka_unit_test(root_ports_are_as_many_as_the_slots_want),
		cmocka_unit_test(a_port_for_each),
		cmocka_unit_test(function_0_comes_last),
		cmocka_unit_test(scsi_disks_share_or_have_controllers),
		cmocka_unit_test(ata_disks_have_channels_and_ports),
		cmocka_unit_test(mmio_is_not_on_pci),
		cmocka_unit_test(iothreads_are_dealt_out_in_turn),
		cmocka_unit_test(queues_are_mapped_to_all_iothreads),
		cmocka_unit_test(ioeventfd_is_taken_away_only_when_asked),
		cmocka_unit_test(equal_devices_share_a_template),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
