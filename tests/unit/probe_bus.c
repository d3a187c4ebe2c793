// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What guest and QEMU say of how disks are attached, held against what was asked. Evidence by hand,
 * after the answers of query-pci, query-iothreads and qom-get (QEMU 7.2) and of the agent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "disk/disk.h"

static json_t *json_of(const char *text)
{
	char *copy = xstrdup(text);
	json_error_t error;
	json_t *j;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	j = json_loads(copy, 0, &error);
	if (!j)
		print_error("%s at %d of %s\n", error.text, error.position, copy);
	assert_non_null(j);
	free(copy);
	return j;
}

/* The row of one key, under one evidence for both times. */
static void expect(const char *profile, const char *evidence, const char *key, enum got_state state,
		   const char *got)
{
	struct disk_env env = {.image_dir = "/img", .qemu_img = "qemu-img", .vcpus = 4};
	struct asked_got rows[96], r = {.key = ""};
	struct profile *p = NULL;
	struct disk_plan plan;
	struct err e = {0};
	json_t *ev = json_of(evidence);
	char *text = xasprintf("%s[workload w]\n", profile);
	size_t n;

	if (profile_parse(text, strlen(text), "t.ini", NULL, 0, &p, &e))
		print_error("%s\n", e.text);
	assert_non_null(p);
	assert_int_equal(p->ncells, 1);
	assert_int_equal(disk_plan_make(&p->cells[0], &env, &plan, &e), 0);
	n = disk_asked_got(&p->cells[0], &plan, ev, ev, rows, 96);
	assert_true(n < 96);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(rows[i].key, key))
			r = rows[i];
	if (r.state != state || !strstr(r.got, got))
		print_error("%s of\n%s%s\ngot %d \"%s\", want %d \"%s\"\n", key, profile, evidence,
			    r.state, r.got, state, got);
	assert_string_equal(r.key, key);
	assert_int_equal(r.state, state);
	assert_non_null(strstr(r.got, got));
	disk_plan_free(&plan);
	profile_free(p);
	json_decref(ev);
	free(text);
}

#define DISK(driver, transport, pci)                                                 \
	"{'guest': {'disk': {'driver': '" driver "', 'transport_driver': " transport \
	", 'pci': " pci "}}}"

static void buses_are_told_by_their_drivers(void **state)
{
	static const char *const microvm =
		"[guest]\nmachine = microvm\n[disk]\nbus = virtio-mmio\niothread = off\n";

	(void)state;
	expect("[disk]\nbus = ide\n", DISK("sd", "'ata_piix'", "'0000:00:03.0'"), "disk.bus",
	       GOT_MATCH, "ide");
	expect("[disk]\nbus = ahci\n", DISK("sd", "'ahci'", "'0000:00:03.0'"), "disk.bus",
	       GOT_MATCH, "ahci");
	expect("[disk]\nbus = ahci\n", DISK("sd", "'ata_piix'", "'0000:00:03.0'"), "disk.bus",
	       GOT_DIFFER, "sd over ata_piix");
	expect(microvm, DISK("virtio_blk", "null", "null"), "disk.bus", GOT_MATCH, "virtio-mmio");
	expect(microvm, DISK("virtio_blk", "null", "'0000:00:03.0'"), "disk.bus", GOT_DIFFER,
	       "virtio_blk, on PCI");
	expect("[disk]\n", DISK("virtio_blk", "null", "null"), "disk.bus", GOT_DIFFER,
	       "virtio_blk, not on PCI");
}

/* A disk of a two-disk cell; its serial holds what sha256sum(1) says of the cell, so it is taken
 * from a cold one, which has none of that. */
#define TWO "[disk]\nbus = ide\ncount = 2\nsize = 64M\n"
#define FIRST "{'serial': 'vb0-cold', 'path': '/dev/sda', 'size_bytes': 67108864}"
#define SECOND "{'serial': 'vb1-cold', 'path': '/dev/sdb', 'size_bytes': 67108864}"

static void every_disk_is_looked_at(void **state)
{
	(void)state;
	expect(TWO, "{'guest': {'disks': [" FIRST ", " SECOND "]}}", "disk.count", GOT_MATCH, "2");
	expect(TWO, "{'guest': {'disks': [" FIRST ", null]}}", "disk.count", GOT_DIFFER,
	       "1; vb1-cold is the first that is missing");
	expect(TWO, "{'guest': {'disks': [" FIRST "]}}", "disk.count", GOT_DIFFER, "vb1-cold");
	expect(TWO, "{'guest': {'disks': [" SECOND ", " FIRST "]}}", "disk.count", GOT_DIFFER,
	       "in place of disk vb0-cold the guest shows vb1-cold");
	expect(TWO,
	       "{'guest': {'disks': [" FIRST ", {'serial': 'vb1-cold', 'size_bytes': 1048576}]}}",
	       "disk.count", GOT_DIFFER, "disk vb1-cold has 1M");
	expect(TWO, "{'guest': {'disks': [" FIRST ", {'serial': 7, 'size_bytes': -5}]}}",
	       "disk.count", GOT_DIFFER, "without a serial");
	expect(TWO, "{'guest': {'disks': [" FIRST ", {'serial': 'vb1-cold', 'size_bytes': -5}]}}",
	       "disk.count", GOT_DIFFER, "no size");
	expect(TWO, "{'guest': {'disks': 2}}", "disk.count", GOT_UNKNOWN, "does not list");
	expect("[disk]\n", "{'guest': {'disk': {'driver': 'virtio_blk'}}}", "disk.count", GOT_MATCH,
	       "1");
	expect("[disk]\n", "{}", "disk.count", GOT_UNKNOWN, "nothing");
}

#define PORT(devices)                                                                                \
	"{'qdev_id': 'rp0', 'bus': 0, 'slot': 1, 'function': 0, 'pci_bridge': {'devices': [" devices \
	"]}}"
#define DEV(id, bus, slot, function) \
	"{'qdev_id': '" id "', 'bus': " #bus ", 'slot': " #slot ", 'function': " #function "}"
#define PCI(devices) "{'qmp': {'query-pci': [{'bus': 0, 'devices': [" devices "]}]}}"

static void slots_show_in_the_tree_of_buses(void **state)
{
	static const char *const ports = "[disk]\ncount = 2\n",
				 *const direct = "[disk]\ncount = 2\nslots = direct\n",
				 *const multi = "[disk]\ncount = 2\nslots = multifunction\n";
	static const char two_ports[] =
		PCI(PORT(DEV("vb0", 1, 0, 0)) ", " PORT(DEV("vb1", 2, 0, 0))),
			  on_root[] = PCI(DEV("vb0", 0, 3, 0) ", " DEV("vb1", 0, 4, 0)),
			  functions[] = PCI(PORT(DEV("vb0", 1, 0, 0) ", " DEV("vb1", 1, 0, 1))),
			  mixed[] = PCI(PORT(DEV("vb0", 1, 0, 0)) ", " DEV("vb1", 0, 4, 0));
	static const struct {
		const char *profile, *evidence;
		enum got_state state;
		const char *got;
	} cases[] = {
		{ports, two_ports, GOT_MATCH, "ports"},
		{ports, on_root, GOT_DIFFER, "direct"},
		{ports, functions, GOT_DIFFER, "multifunction"},
		{direct, on_root, GOT_MATCH, "direct"},
		{direct, two_ports, GOT_DIFFER, "ports"},
		{multi, functions, GOT_MATCH, "multifunction"},
		{multi, two_ports, GOT_DIFFER, "ports"},
		{ports, mixed, GOT_DIFFER, "1 on the root bus, 1 behind 1 ports"},
		{"[disk]\n", PCI(PORT(DEV("vb0", 1, 0, 0))), GOT_MATCH, "ports"},
		{"[disk]\n", PCI(DEV("vb0", 0, 3, 0)), GOT_DIFFER, "direct"},
		{"[disk]\n", PCI(PORT(DEV("vb0", 1, 0, 3))), GOT_DIFFER, "multifunction"},
		{ports, "{'qmp': {'query-pci': []}}", GOT_UNKNOWN, "does not list"},
		{ports, PCI("{'qdev_id': 'other', 'bus': 3}, 7, null"), GOT_UNKNOWN,
		 "does not list"},
		{ports, PCI(DEV("vb0", 999, 0, 0)), GOT_UNKNOWN, "does not list"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(cases[i].profile, cases[i].evidence, "disk.slots", cases[i].state,
		       cases[i].got);
}

static void controllers_are_counted(void **state)
{
	static const char
		*const shared = "[disk]\nbus = virtio-scsi\ncount = 2\n",
		       *const each = "[disk]\nbus = virtio-scsi\ncount = 2\ncontrollers = each\n";
	static const char one[] = PCI(PORT(DEV("vbscsi0", 1, 0, 0))),
			  two[] = PCI(
				  PORT(DEV("vbscsi0", 1, 0, 0)) ", " PORT(DEV("vbscsi1", 2, 0, 0)));

	(void)state;
	expect(shared, one, "disk.controllers", GOT_MATCH, "shared");
	expect(shared, two, "disk.controllers", GOT_DIFFER, "2 controllers for 2 disks");
	expect(each, two, "disk.controllers", GOT_MATCH, "each");
	expect(each, one, "disk.controllers", GOT_DIFFER, "1 controller for 2 disks");
	expect(each, two, "disk.slots", GOT_MATCH, "ports");
	expect(each, "{'qmp': {}}", "disk.controllers", GOT_UNKNOWN, "does not list");
}

static void threads_and_their_polling(void **state)
{
	static const char *const three = "[disk]\ncount = 3\n",
				 *const two = "[disk]\ncount = 3\niothreads = 2\n";
	static const char ev_two[] =
		"{'qmp': {'query-iothreads': [{'id': 'io0', 'poll-max-ns': 32768},"
		" {'id': 'io1', 'poll-max-ns': 32768}, {'id': 'mon', 'poll-max-ns': 1}]}}";
	static const char ev_odd[] =
		"{'qmp': {'query-iothreads': [{'id': 'io0', 'poll-max-ns': 32768},"
		" {'id': 'io1', 'poll-max-ns': 0}]}}";

	(void)state;
	expect(two, ev_two, "disk.iothreads", GOT_MATCH, "2");
	expect(three, ev_two, "disk.iothreads", GOT_DIFFER, "2 iothreads in place of 3");
	expect(two, ev_two, "disk.poll-max", GOT_MATCH, "32768ns");
	expect(two, ev_odd, "disk.poll-max", GOT_DIFFER, "0");
	expect(two, "{'qmp': {'query-iothreads': [{'id': 'io0', 'poll-max-ns': 'x'}]}}",
	       "disk.poll-max", GOT_UNKNOWN, "does not tell");
	expect(two, "{'qmp': {'query-iothreads': {}}}", "disk.iothreads", GOT_UNKNOWN,
	       "does not list");
}

static void mapping_and_notification(void **state)
{
	static const char *const queues =
		"[guest]\nvcpus = 4\n[disk]\nqueues = 4\niothreads = 2\niothread-mapping = queues\n";
	static const char one[] =
		"{'qmp': {'device': {'iothread': '/objects/io0', 'ioeventfd': true}}}";
	static const char many[] =
		"{'qmp': {'device': {'iothread': '', 'ioeventfd': false, 'iothread-vq-mapping': "
		"[{'iothread': 'io0', 'vqs': [0, 2]}, {'iothread': 'io1', 'vqs': [1, 3]}]}}}";

	(void)state;
	expect("[disk]\n", one, "disk.iothread-mapping", GOT_MATCH, "disk");
	expect("[disk]\n", many, "disk.iothread-mapping", GOT_DIFFER, "queues");
	expect(queues, many, "disk.iothread-mapping", GOT_MATCH, "queues");
	expect(queues, one, "disk.iothread-mapping", GOT_DIFFER, "disk");
	expect(queues, "{'qmp': {'device': {'iothread-vq-mapping': [1]}}}", "disk.iothread-mapping",
	       GOT_DIFFER, "1 iothreads, not 2");
	expect("[disk]\n", "{'qmp': {'device': {}}}", "disk.iothread-mapping", GOT_UNKNOWN,
	       "does not tell");
	expect("[disk]\n", one, "disk.ioeventfd", GOT_MATCH, "on");
	expect("[disk]\niothread = off\nioeventfd = off\n", many, "disk.ioeventfd", GOT_MATCH,
	       "off");
	expect("[disk]\niothread = off\nioeventfd = off\n", one, "disk.ioeventfd", GOT_DIFFER,
	       "on");
	expect("[disk]\n", "{'qmp': {'device': {'ioeventfd': 1}}}", "disk.ioeventfd", GOT_UNKNOWN,
	       "does not tell");
}

/* The parameter is the module's; whether the disk really polls is its queue's word. */
static void poll_queues_are_the_drivers(void **state)
{
	static const char *const one = "[guest]\npoll-queues = 1\n[disk]\nqueues = 2\n";

	(void)state;
	expect(one, "{'guest': {'disk': {'poll_queues': 1, 'io_poll': 1}}}", "guest.poll-queues",
	       GOT_MATCH, "1");
	expect(one, "{'guest': {'disk': {'poll_queues': 1, 'io_poll': 0}}}", "guest.poll-queues",
	       GOT_DIFFER, "does not poll");
	expect(one, "{'guest': {'disk': {'poll_queues': 1}}}", "guest.poll-queues", GOT_UNKNOWN,
	       "whether the disk polls");
	expect(one, "{'guest': {'disk': {'poll_queues': 0, 'io_poll': 0}}}", "guest.poll-queues",
	       GOT_DIFFER, "0");
	expect("[disk]\n", "{'guest': {'disk': {'poll_queues': 0, 'io_poll': 1}}}",
	       "guest.poll-queues", GOT_DIFFER, "polls");
	expect("[disk]\n", "{'guest': {'disk': {'poll_queues': 0}}}", "guest.poll-queues",
	       GOT_MATCH, "0");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(buses_are_told_by_their_drivers),
		cmocka_unit_test(every_disk_is_looked_at),
		cmocka_unit_test(slots_show_in_the_tree_of_buses),
		cmocka_unit_test(controllers_are_counted),
		cmocka_unit_test(threads_and_their_polling),
		cmocka_unit_test(mapping_and_notification),
		cmocka_unit_test(poll_queues_are_the_drivers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
