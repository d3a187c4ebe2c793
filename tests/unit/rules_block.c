// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules of block devices and queues over machines made by hand, on a host made by hand
 * (tests/fixtures/audit/host.json: 2 nodes, 16 cores, nvme0n1 with scheduler none and blocks of 512
 * bytes). Expected states: the sections of tuning.md, read by a person; none is copied from output.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "profile/internal.h"
#include "tests/unit/rules_table.h"

static const struct rule_case cases[] = {
	/* bus */
	{"BLK-01", "disk.0.bus=virtio-blk", RULE_FOLLOWED, 0},
	{"BLK-01", "disk.0.bus=virtio-scsi", RULE_FOLLOWED, 0},
	{"BLK-01", "disk.0.bus=vhost-user-blk", RULE_FOLLOWED, 0},
	{"BLK-01", "disk.0.bus=ide", RULE_BROKEN, 0},
	{"BLK-01", "disk.0.bus=nvme", RULE_BROKEN, 0},
	{"BLK-01", "disk.0.bus=virtio-blk disk.1.bus=usb", RULE_BROKEN, 0},
	{"BLK-01", "disk.0.format=raw", RULE_CANT_TELL, 0},
	{"BLK-01", "vcpus=4", RULE_NOT_APPLICABLE, 0},
	{"BLK-02", "disk.0.bus=virtio-blk", RULE_FOLLOWED, 0},
	{"BLK-02", "disk.0.bus=virtio-scsi", RULE_BROKEN, 0},
	{"BLK-02", "disk.0.bus=virtio-scsi disk.0.kind=lun", RULE_FOLLOWED, 0},
	{"BLK-02", "disk.27.bus=virtio-blk", RULE_FOLLOWED, 0},
	{"BLK-03", "disk.0.bus=virtio-scsi disk.0.kind=lun", RULE_BROKEN, 0},
	{"BLK-03", "disk.0.bus=virtio-scsi", RULE_FOLLOWED, 0},
	{"BLK-03", "disk.0.bus=virtio-blk", RULE_NOT_APPLICABLE, 0},
	/* controllers and iothreads */
	{"BLK-04",
	 "disk.0.bus=virtio-scsi disk.0.controller=0 disk.1.bus=virtio-scsi disk.1.controller=1",
	 RULE_FOLLOWED, 0},
	{"BLK-04",
	 "disk.0.bus=virtio-scsi disk.0.controller=0 disk.1.bus=virtio-scsi disk.1.controller=0",
	 RULE_BROKEN, 0},
	{"BLK-04",
	 "disk.0.bus=virtio-scsi disk.0.controller=0 disk.1.bus=virtio-scsi disk.1.controller=0 controller.0.iothread-mapping=a,b",
	 RULE_FOLLOWED, 0},
	{"BLK-04",
	 "disk.0.bus=virtio-scsi disk.0.controller=7 disk.1.bus=virtio-scsi disk.1.controller=7",
	 RULE_BROKEN, 0},
	{"BLK-05", "disk.0.bus=virtio-blk", RULE_BROKEN, 0},
	{"BLK-05", "disk.0.bus=virtio-blk disk.0.iothread=io0", RULE_FOLLOWED, 0},
	{"BLK-05", "disk.0.bus=virtio-blk disk.0.iothread-mapping=a,b", RULE_FOLLOWED, 0},
	{"BLK-05", "disk.0.bus=virtio-scsi disk.0.controller=3 controller.3.iothread=io0",
	 RULE_FOLLOWED, 0},
	{"BLK-05", "disk.0.bus=virtio-scsi disk.0.controller=3 controller.2.iothread=io0",
	 RULE_BROKEN, 0},
	{"BLK-05", "disk.0.bus=vhost-user-blk", RULE_NOT_APPLICABLE, 0},
	{"BLK-06", "disk.0.bus=virtio-blk iothreads=1", RULE_FOLLOWED, 0},
	{"BLK-06", "disk.0.bus=virtio-blk iothreads=2", RULE_BROKEN, 0},
	{"BLK-06", "disk.0.bus=virtio-blk disk.0.iothread-mapping=a,b iothreads=2", RULE_FOLLOWED,
	 0},
	{"BLK-06", "disk.0.bus=virtio-blk", RULE_NOT_APPLICABLE, 0},
	{"BLK-07", "disk.0.bus=virtio-blk vcpus=4 qemu.version=9.1.0", RULE_NOT_APPLICABLE, 0},
	{"BLK-07", "disk.0.bus=virtio-blk vcpus=8 qemu.version=9.1.0", RULE_BROKEN, 0},
	{"BLK-07", "disk.0.bus=virtio-blk vcpus=8 qemu.version=7.2.22", RULE_NOT_APPLICABLE, 0},
	{"BLK-07", "disk.0.bus=virtio-scsi vcpus=8 qemu.version=9.1.0", RULE_NOT_APPLICABLE, 0},
	{"BLK-07", "disk.0.bus=virtio-blk vcpus=8", RULE_CANT_TELL, 0},
	{"BLK-07", "disk.0.bus=virtio-blk vcpus=8 disk.0.iothread-mapping=a,b", RULE_FOLLOWED, 0},
	/* queues: automatic since the machine types of 5.2; 65535 is QEMU's word for it */
	{"BLK-08", "disk.0.bus=virtio-blk vcpus=4", RULE_FOLLOWED, 0},
	{"BLK-08", "disk.0.bus=virtio-blk vcpus=4 machine=pc-q35-5.1", RULE_BROKEN, 0},
	{"BLK-08", "disk.0.bus=virtio-blk vcpus=1 machine=pc-q35-5.1", RULE_FOLLOWED, 0},
	{"BLK-08", "disk.0.bus=virtio-blk vcpus=4 machine=pc-i440fx-10.0", RULE_FOLLOWED, 0},
	{"BLK-08", "disk.0.bus=virtio-blk vcpus=4 machine=q35", RULE_FOLLOWED, 0},
	{"BLK-08", "disk.0.bus=virtio-blk vcpus=4 machine=pc-q35-rhel9.2.0", RULE_FOLLOWED, 0},
	{"BLK-08", "disk.0.bus=virtio-blk vcpus=4 disk.0.queues=65535", RULE_FOLLOWED, 0},
	{"BLK-08", "disk.0.bus=virtio-blk vcpus=4 disk.0.queues=4", RULE_FOLLOWED, 0},
	{"BLK-08", "disk.0.bus=virtio-blk vcpus=4 disk.0.queues=1", RULE_BROKEN, 0},
	{"BLK-08", "disk.0.bus=virtio-blk vcpus=2 disk.0.queues=8", RULE_BROKEN, 0},
	{"BLK-08", "disk.0.bus=virtio-blk vcpus=4 disk.0.queues=4 got:disk.0.queues=2", RULE_BROKEN,
	 RUNS},
	{"BLK-08", "disk.0.bus=virtio-scsi disk.0.controller=0 controller.0.queues=2 vcpus=4",
	 RULE_BROKEN, 0},
	{"BLK-08", "disk.0.bus=virtio-blk", RULE_CANT_TELL, 0},
	{"BLK-09", "disk.0.bus=virtio-blk disk.0.queues=1024 vcpus=4", RULE_FOLLOWED, 0},
	{"BLK-09",
	 "disk.0.bus=virtio-blk disk.0.queues=1024 disk.1.bus=virtio-blk disk.1.queues=1 vcpus=4",
	 RULE_BROKEN, 0},
	{"BLK-10", "disk.0.bus=virtio-blk", RULE_FOLLOWED, 0},
	{"BLK-10", "disk.0.bus=virtio-blk machine=pc-q35-4.2", RULE_BROKEN, 0},
	{"BLK-10", "disk.0.bus=virtio-blk disk.0.queue-size=128", RULE_BROKEN, 0},
	{"BLK-10", "disk.0.bus=virtio-blk disk.0.queue-size=1024", RULE_CANT_TELL, 0},
	{"BLK-11", "disk.0.bus=virtio-blk", RULE_FOLLOWED, 0},
	{"BLK-11", "disk.0.bus=virtio-blk machine=pc-q35-4.2", RULE_BROKEN, 0},
	{"BLK-11", "disk.0.bus=virtio-blk machine=pc-q35-4.2 disk.0.seg-max-adjust=on",
	 RULE_FOLLOWED, 0},
	{"BLK-11", "disk.0.bus=virtio-blk disk.0.seg-max-adjust=off", RULE_BROKEN, 0},
	/* packed: what was asked for is an offer, and only what was negotiated counts */
	{"BLK-12", "disk.0.bus=virtio-blk", RULE_FOLLOWED, 0},
	{"BLK-12", "disk.0.bus=virtio-blk disk.0.packed=on", RULE_CANT_TELL, 0},
	{"BLK-12", "disk.0.bus=virtio-blk disk.0.packed=on got:disk.0.packed=on", RULE_FOLLOWED,
	 RUNS},
	{"BLK-12", "disk.0.bus=virtio-blk disk.0.packed=on got:disk.0.packed=off", RULE_BROKEN,
	 RUNS},
	{"BLK-12", "disk.0.bus=vhost-user-blk disk.0.packed=on got:disk.0.packed=off", RULE_BROKEN,
	 RUNS},
	{"BLK-13", "disk.0.bus=virtio-blk disk.0.event-idx=off", RULE_BROKEN, 0},
	{"BLK-13", "disk.0.bus=virtio-blk disk.0.event-idx=on", RULE_FOLLOWED, 0},
	{"BLK-14", "disk.0.bus=virtio-blk disk.0.indirect=off", RULE_BROKEN, 0},
	{"BLK-15", "disk.0.bus=virtio-scsi disk.0.controller=0 controller.0.ioeventfd=off",
	 RULE_BROKEN, 0},
	{"BLK-16", "iothread.0.id=io0", RULE_FOLLOWED, 0},
	{"BLK-16", "iothread.0.id=io0 iothread.0.poll-max-ns=0", RULE_FOLLOWED, 0},
	{"BLK-16", "iothread.0.id=io0 iothread.0.poll-max-ns=0", RULE_BROKEN, LATENCY},
	{"BLK-16", "iothread.0.id=io0", RULE_BROKEN, DENSE},
	{"BLK-17", "disk.0.bus=virtio-blk", RULE_NOT_APPLICABLE, 0},
	{"BLK-17", "disk.0.bus=virtio-blk", RULE_CANT_TELL, LATENCY},
	/* cache: asked for, and the open descriptor's O_DIRECT */
	{"BLK-18", "disk.0.cache=none", RULE_FOLLOWED, 0},
	{"BLK-18", "disk.0.bus=virtio-blk", RULE_BROKEN, 0},
	{"BLK-18", "disk.0.cache=writeback", RULE_BROKEN, 0},
	{"BLK-18", "disk.0.cache=writeback disk.0.readonly=on", RULE_NOT_APPLICABLE, 0},
	{"BLK-18", "disk.0.cache=writeback disk.0.transport=rbd", RULE_NOT_APPLICABLE, 0},
	{"BLK-18", "disk.0.cache=none got:disk.0.direct=on", RULE_FOLLOWED, RUNS},
	{"BLK-18", "disk.0.cache=none got:disk.0.direct=off", RULE_BROKEN, RUNS},
	{"BLK-18", "disk.0.cache=none", RULE_CANT_TELL, RUNS},
	{"BLK-19", "disk.0.cache=writethrough", RULE_BROKEN, 0},
	{"BLK-19", "disk.0.cache=directsync", RULE_BROKEN, 0},
	{"BLK-19", "disk.0.cache=writeback", RULE_FOLLOWED, 0},
	{"BLK-20", "disk.0.cache=unsafe", RULE_BROKEN, 0},
	{"BLK-20", "disk.0.cache=unsafe disk.0.readonly=on", RULE_NOT_APPLICABLE, 0},
	{"BLK-20", "disk.0.bus=virtio-blk", RULE_FOLLOWED, 0},
	{"BLK-21", "disk.0.cache=none disk.0.aio=native disk.0.transport=block", RULE_FOLLOWED, 0},
	{"BLK-21", "disk.0.cache=none disk.0.transport=block", RULE_BROKEN, 0},
	{"BLK-21", "disk.0.cache=none disk.0.aio=io_uring disk.0.transport=block", RULE_FOLLOWED,
	 0},
	{"BLK-21", "disk.0.cache=none disk.0.transport=file", RULE_FOLLOWED, 0},
	{"BLK-21", "disk.0.aio=native disk.0.transport=file", RULE_BROKEN, 0},
	{"BLK-21", "disk.0.cache=writethrough disk.0.aio=native disk.0.transport=file", RULE_BROKEN,
	 0},
	{"BLK-22", "disk.0.bus=virtio-blk disk.0.iothread-mapping=a,b", RULE_BROKEN, 0},
	{"BLK-22", "disk.0.bus=virtio-blk disk.0.iothread-mapping=a,b disk.0.aio=native",
	 RULE_FOLLOWED, 0},
	{"BLK-22", "disk.0.bus=virtio-blk disk.0.iothread=a", RULE_FOLLOWED, 0},
	/* the host's device */
	{"BLK-23",
	 "disk.0.transport=block got:disk.0.host-device=nvme0n1 got:disk.0.host-scheduler=none",
	 RULE_FOLLOWED, RUNS},
	{"BLK-23",
	 "disk.0.transport=block got:disk.0.host-device=nvme0n1 got:disk.0.host-scheduler=bfq",
	 RULE_BROKEN, RUNS},
	{"BLK-23",
	 "disk.0.transport=block got:disk.0.host-device=sda got:disk.0.host-scheduler=mq-deadline",
	 RULE_FOLLOWED, RUNS},
	{"BLK-23", "disk.0.transport=block", RULE_CANT_TELL, 0},
	{"BLK-23", "disk.0.transport=rbd", RULE_NOT_APPLICABLE, 0},
	{"BLK-24", "disk.0.bus=virtio-blk", RULE_CANT_TELL, 0},
	{"BLK-25", "disk.0.discard=unmap", RULE_FOLLOWED, 0},
	{"BLK-25", "disk.0.bus=virtio-blk", RULE_BROKEN, 0},
	{"BLK-25", "disk.0.format=raw got:disk.0.size=1073741824 got:disk.0.allocated=1073741824",
	 RULE_NOT_APPLICABLE, RUNS},
	{"BLK-26", "disk.0.detect-zeroes=unmap", RULE_BROKEN, 0},
	{"BLK-26", "disk.0.detect-zeroes=off", RULE_FOLLOWED, 0},
	{"BLK-27", "disk.0.bps-limit=1999999", RULE_BROKEN, 0},
	{"BLK-27", "disk.0.bps-limit=2000000", RULE_FOLLOWED, 0},
	{"BLK-27", "disk.0.bps-limit=0", RULE_NOT_APPLICABLE, 0},
	{"BLK-28", "disk.0.weight=500 got:disk.0.host-scheduler=none", RULE_BROKEN, RUNS},
	{"BLK-28", "disk.0.weight=500 got:disk.0.host-scheduler=bfq", RULE_FOLLOWED, RUNS},
	{"BLK-28", "disk.0.weight=5 got:disk.0.host-scheduler=bfq", RULE_BROKEN, RUNS},
	{"BLK-28", "disk.0.weight=500", RULE_CANT_TELL, 0},
	{"BLK-29", "disk.0.bus=virtio-blk got:disk.0.host-device=nvme0n1", RULE_FOLLOWED, RUNS},
	{"BLK-29", "disk.0.bus=virtio-blk got:disk.0.host-device=sda", RULE_BROKEN,
	 RUNS}, /* 4096 */
	{"BLK-29", "disk.0.physical-block=4096 got:disk.0.host-device=sda", RULE_FOLLOWED, RUNS},
	{"BLK-29", "disk.0.logical-block=4096 disk.0.physical-block=512", RULE_BROKEN, 0},
	{"BLK-30", "disk.0.error-policy=ignore", RULE_BROKEN, 0},
	{"BLK-30", "disk.0.error-policy=stop", RULE_FOLLOWED, 0},
	{"BLK-31", "disk.0.transport=block", RULE_FOLLOWED, 0},
	{"BLK-31", "disk.0.transport=file", RULE_CANT_TELL, 0},
	{"BLK-31", "disk.0.transport=file got:disk.0.size=1073741824 got:disk.0.allocated=4096",
	 RULE_BROKEN, RUNS},
	{"BLK-32", "disk.0.transport=file got:disk.0.host-fs=btrfs got:disk.0.nocow=off",
	 RULE_BROKEN, RUNS},
	{"BLK-32", "disk.0.transport=file got:disk.0.host-fs=btrfs got:disk.0.nocow=on",
	 RULE_FOLLOWED, RUNS},
	{"BLK-32", "disk.0.transport=file got:disk.0.host-fs=xfs", RULE_FOLLOWED, RUNS},
	{"BLK-33", "disk.0.transport=file got:disk.0.transport=nfs", RULE_BROKEN, RUNS},
	{"BLK-33", "disk.0.transport=nfs disk.0.cache=none", RULE_FOLLOWED, 0},
	{"BLK-33", "disk.0.transport=file", RULE_NOT_APPLICABLE, 0},
	{"BLK-36", "disk.0.cache=none got:disk.0.host-readahead=131072", RULE_NOT_APPLICABLE, RUNS},
	{"BLK-36", "disk.0.cache=writeback got:disk.0.host-readahead=131072", RULE_BROKEN, RUNS},
	{"BLK-36", "disk.0.cache=writeback got:disk.0.host-readahead=4194304", RULE_FOLLOWED, RUNS},
};

static void judges(void **state)
{
	(void)state;
	rule_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

/* 29 virtio-blk disks are more than i440fx has slots for [QEMU blog 2021: about 28]. */
static void counts_slots(void **state)
{
	struct rule_case c = {"BLK-02", NULL, RULE_BROKEN, 0};
	char facts[2048] = "";

	(void)state;
	for (int i = 0; i < 29; i++)
		snprintf(facts + strlen(facts), sizeof(facts) - strlen(facts),
			 "disk.%d.bus=virtio-blk ", i);
	c.facts = facts;
	rule_cases(&c, 1);
}

/* Without a machine the host's own devices are looked at: nvme0n1 has none, sda has bfq and spins
 * not. */
static void judges_the_host(void **state)
{
	const struct rule_row *r = rule_find("BLK-23");
	struct snapshot *host = rule_host();
	struct subject s = {.host = host};
	struct findings f = {0};

	(void)state;
	r->check(&s, &f);
	assert_int_equal(f.n, 2);
	assert_int_equal(f.list[0].state, RULE_FOLLOWED);
	assert_string_equal(f.list[0].where, "/sys/block/nvme0n1/queue/scheduler");
	assert_int_equal(f.list[1].state, RULE_BROKEN);
	assert_string_equal(f.list[1].sysfs, "echo none > /sys/block/sda/queue/scheduler");
	findings_free(&f);
	snapshot_free(host);
}

/* What the tuner is advised: queues as vCPUs, native where O_DIRECT is. */
static void advises(void **state)
{
	static const struct {
		const char *id, *facts, *value;
	} rows[] = {
		{"BLK-08", "vcpus=6", "6"},
		{"BLK-21", "disk.0.cache=none", "native"},
		{"BLK-21", "disk.0.cache=writeback", "io_uring"},
	};
	struct snapshot *host = rule_host();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vm *vm = rule_vm(rows[i].facts, false);
		struct subject s = {.vm = vm, .host = host};
		char buf[32];

		assert_true(rule_find(rows[i].id)->advise(&s, buf, sizeof(buf)));
		assert_string_equal(buf, rows[i].value);
		vm_free(vm);
	}
	snapshot_free(host);
}

/* No safety is for sale: the rules that guard data have no key that could trade them. */
static void sells_no_safety(void **state)
{
	const struct rule_row *r;

	(void)state;
	for (size_t i = 0; (r = rule_at(i)); i++) {
		if (r->weight == RULE_MUST && !strncmp(r->id, "BLK", 3))
			assert_null(r->key);
		if (r->good)
			assert_null(strstr(r->good, "unsafe"));
		if (r->other)
			assert_null(strstr(r->other, "unsafe"));
	}
}

static const struct key_row *key_of(const char *name)
{
	const char *dot = strchr(name, '.');

	for (int sec = 0; dot && sec < SEC_COUNT; sec++)
		if (section_names[sec] && strlen(section_names[sec]) == (size_t)(dot - name) &&
		    !strncmp(section_names[sec], name, (size_t)(dot - name)))
			return key_find((enum section)sec, dot + 1);
	return NULL;
}

/* The tuner makes axes of them: each key is one of profiles, and takes each value. */
static void names_keys(void **state)
{
	const struct rule_row *r;

	(void)state;
	for (size_t i = 0; (r = rule_at(i)); i++) {
		char all[256], *save = NULL;

		if (!r->key)
			continue;
		if (!key_of(r->key))
			fail_msg("%s: profiles have no key %s", r->id, r->key);
		snprintf(all, sizeof(all), "%s,%s", r->good ? r->good : "",
			 r->other ? r->other : "");
		for (char *v = strtok_r(all, ",", &save); v; v = strtok_r(NULL, ",", &save)) {
			struct err e = {0};
			char *canonical = NULL;

			if (value_parse(key_of(r->key), v, r->key, &canonical, &e) < 0)
				fail_msg("%s: %s", r->id, e.text);
			free(canonical);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges),	   cmocka_unit_test(counts_slots),
		cmocka_unit_test(judges_the_host), cmocka_unit_test(advises),
		cmocka_unit_test(sells_no_safety), cmocka_unit_test(names_keys),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
