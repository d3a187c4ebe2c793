/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine that is full, told by QEMU's words: its message templates, as they stand in the 7.2
 * binary, with names filled in; and words of other failures that look alike.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "guest/plug.h"

static void full(void **state)
{
	static const char *const words[] = {
		"Bus 'rp2' not found",
		"PCI: no slot/function available for virtio-blk-pci, all in use or reserved",
		"PCI: slot 2 function 0 not available for virtio-blk-pci, in use by virtio-blk-pci,id=vb1",
		"No 'virtio-bus' bus found for device 'virtio-blk-device'",
		"IDE unit 1 is in use",
		"Can't create IDE unit 2, bus supports only 2 units",
		"Could not open '/images/vb900.raw': Too many open files",
	};
	static const char *const others[] = {
		"Bus 'rp2' does not support hotplugging",
		"'virtio-blk-pcx' is not a valid device model name",
		"Node 'vb0-fmt' not found",
		"PCI: slot 0 function 0 already occupied by virtio-blk-pci, new func virtio-blk-pci "
		"cannot be exposed to guest.",
		"Could not open '/images/vb0.raw': Permission denied",
		"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!plug_full(words[i]))
			fail_msg("not taken for full: %s", words[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (plug_full(others[i]))
			fail_msg("taken for full: %s", others[i]);
}

/* Three disks, each with a node before all devices. */
static void specs_make(struct qspec *s)
{
	for (int i = 0; i < 3; i++) {
		s[i] = (struct qspec){Q_BLOCKDEV, json_pack("{s:s, s:o}", "driver", "null-co",
							    "node-name", json_sprintf("n%d", i))};
		s[3 + i] =
			(struct qspec){Q_DEVICE, json_pack("{s:s, s:o}", "driver", "virtio-blk-pci",
							   "id", json_sprintf("vb%d", i))};
	}
}

static void specs_free(struct qspec *s)
{
	for (int i = 0; i < 6; i++)
		json_decref(s[i].args);
}

/* Two of three devices stood before the one that QEMU blames: the limit is two. */
static void cold(void **state)
{
	const char *log = "QEMU ended by itself (status 1): qemu-system-x86_64: -device "
			  "{\"driver\":\"virtio-blk-pci\",\"id\":\"vb2\"}: PCI: no slot/function "
			  "available for virtio-blk-pci, all in use or reserved\n";
	struct err e = {0};
	struct qspec s[6];

	(void)state;
	specs_make(s);
	assert_int_equal(plug_blamed(s, 6, log), 5);
	assert_int_equal(plug_cold_limit(s, 6, "virtio-blk", log, &e), -ENOSPC);
	assert_string_equal(e.text,
			    "virtio-blk: disk 3 of 3 found no place: PCI: no slot/function "
			    "available for virtio-blk-pci, all in use or reserved; the limit is 2");
	specs_free(s);
}

/* A failure that is none of room, and one that names no disk of ours, are left as they are. */
static void cold_other(void **state)
{
	static const char *const logs[] = {
		"qemu-system-x86_64: -device {\"driver\":\"virtio-blk-pci\",\"id\":\"vb2\"}: "
		"Property 'virtio-blk-pci.x' not found",
		"qemu-system-x86_64: -device virtio-serial-pci: PCI: no slot/function available for "
		"virtio-serial-pci, all in use or reserved",
		"",
	};
	struct err e = {.text = "as it was"};
	struct qspec s[6];

	(void)state;
	specs_make(s);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(plug_cold_limit(s, 6, "virtio-blk", logs[i], &e), 0);
	assert_string_equal(e.text, "as it was");
	specs_free(s);
}

/* The guest has fewer than QEMU took: the sentence ends with the number, unless it may just be
 * slow. */
static void missing(void **state)
{
	struct disk_unit units[3] = {{.serial = "a"}, {.serial = "b"}, {.serial = "c"}};
	struct disk_plan p = {.units = units, .nunits = 3};
	struct err e = {0};

	(void)state;
	assert_int_equal(plug_missing(&p, "nvme", 2, 1, 30999, true, &e), -ENOSPC);
	assert_string_equal(e.text, "nvme: the guest shows 2 of 3 disks after 30 s; number 2 "
				    "(serial b) is the first that is missing; the limit is 2");
	assert_int_equal(plug_missing(&p, "nvme", 2, 1, 30999, false, &e), -ETIMEDOUT);
	assert_string_equal(e.text, "nvme: the guest shows 2 of 3 disks after 30 s; number 2 "
				    "(serial b) is the first that is missing");
}

/* Four boots by hand: 3 s are 12 s, less than 20 s; 10 s are 40 s; an hour is more than the most.
 */
static void patience(void **state)
{
	(void)state;
	assert_int_equal(site_patience(0, 20000), 20000);
	assert_int_equal(site_patience(3000000000ull, 20000), 20000);
	assert_int_equal(site_patience(10000000000ull, 20000), 40000);
	assert_int_equal(site_patience(3600000000000ull, 20000), 600000);
	assert_int_equal(site_patience(UINT64_MAX, 20000), 600000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full),	   cmocka_unit_test(cold),     cmocka_unit_test(cold_other),
		cmocka_unit_test(missing), cmocka_unit_test(patience),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
