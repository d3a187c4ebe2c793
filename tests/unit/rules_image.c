// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules of images, networks and migration over machines made by hand. Expected states: the sections
 * of tuning.md, read by a person; sizes of qcow2's caches by arithmetic (QEMU, qcow2-cache.txt: 8
 * bytes a cluster, so 1 MiB for 8 GiB at 64 KiB).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/unit/rules_table.h"

#define QCOW2 "disk.0.format=qcow2 disk.0.transport=file "
#define GIB8 "got:disk.0.size=8589934592 got:disk.0.cluster=65536 "
#define GIB256 "got:disk.0.size=274877906944 got:disk.0.cluster=65536 "
#define GIB512 "got:disk.0.size=549755813888 got:disk.0.cluster=65536 "

static const struct rule_case cases[] = {
	{"IMG-01", "disk.0.format=raw", RULE_FOLLOWED, 0},
	{"IMG-01", "disk.0.format=vmdk", RULE_BROKEN, 0},
	{"IMG-01", "disk.0.format=raw got:disk.0.format=qcow2", RULE_BROKEN, RUNS},
	{"IMG-01", "disk.0.format=qcow2 got:disk.0.format=qcow2", RULE_FOLLOWED, RUNS},
	{"IMG-01", "disk.0.bus=virtio-blk", RULE_CANT_TELL, 0},
	{"IMG-02", QCOW2, RULE_CANT_TELL, 0},
	{"IMG-02", QCOW2 GIB8 "got:disk.0.allocated=1048576", RULE_BROKEN, RUNS},
	{"IMG-02", QCOW2 GIB8 "got:disk.0.allocated=8591245312", RULE_FOLLOWED, RUNS},
	{"IMG-03", QCOW2, RULE_NOT_APPLICABLE, 0},
	/* 8 GiB take 1 MiB: one byte less does not cover them */
	{"IMG-04", QCOW2 GIB8 "disk.0.l2-cache=1048576", RULE_FOLLOWED, RUNS},
	{"IMG-04", QCOW2 GIB8 "disk.0.l2-cache=1048575", RULE_BROKEN, RUNS},
	{"IMG-04", QCOW2 GIB8 "got:disk.0.extended-l2=on disk.0.l2-cache=1048576", RULE_BROKEN,
	 RUNS},
	{"IMG-04", QCOW2 GIB8 "got:disk.0.extended-l2=on disk.0.l2-cache=2097152", RULE_FOLLOWED,
	 RUNS},
	{"IMG-04", QCOW2 GIB256, RULE_FOLLOWED, RUNS}, /* 32 MiB, the default at most */
	{"IMG-04", QCOW2 GIB512, RULE_CANT_TELL, RUNS},
	{"IMG-04", QCOW2 GIB256 "qemu.version=3.0.0", RULE_BROKEN, RUNS}, /* 1 MiB then */
	{"IMG-04", QCOW2 "got:disk.0.size=549755813888 got:disk.0.cluster=2097152", RULE_FOLLOWED,
	 RUNS},
	{"IMG-04", QCOW2, RULE_CANT_TELL, 0},
	{"IMG-04", "disk.0.format=raw", RULE_NOT_APPLICABLE, 0},
	{"IMG-05", QCOW2 GIB512 "disk.0.l2-cache-entry=65536", RULE_BROKEN, RUNS},
	{"IMG-05", QCOW2 GIB8 "disk.0.l2-cache-entry=65536", RULE_FOLLOWED, RUNS},
	{"IMG-05", QCOW2, RULE_FOLLOWED, 0},
	{"IMG-06", QCOW2 "disk.0.cache-clean=0", RULE_BROKEN, DENSE},
	{"IMG-06", QCOW2 "disk.0.cache-clean=0", RULE_FOLLOWED, 0},
	{"IMG-07", QCOW2 "got:disk.0.cluster=65536", RULE_FOLLOWED, RUNS},
	{"IMG-07", QCOW2 "got:disk.0.cluster=4096", RULE_BROKEN, RUNS},
	{"IMG-07", QCOW2 "got:disk.0.cluster=2097152 got:disk.0.backing=0", RULE_FOLLOWED, RUNS},
	{"IMG-07", QCOW2 "got:disk.0.cluster=2097152 got:disk.0.backing=1", RULE_BROKEN, RUNS},
	{"IMG-07", QCOW2 "got:disk.0.cluster=131072 got:disk.0.backing=1 got:disk.0.extended-l2=on",
	 RULE_FOLLOWED, RUNS},
	{"IMG-08", QCOW2 "got:disk.0.backing=1 got:disk.0.extended-l2=off", RULE_BROKEN, RUNS},
	{"IMG-08", QCOW2 "got:disk.0.backing=1 got:disk.0.extended-l2=off qemu.version=5.1.0",
	 RULE_NOT_APPLICABLE, RUNS},
	{"IMG-08", QCOW2 "got:disk.0.backing=0 got:disk.0.extended-l2=off", RULE_NOT_APPLICABLE,
	 RUNS},
	{"IMG-09", QCOW2 "disk.0.lazy-refcounts=on disk.0.cache=none", RULE_BROKEN, 0},
	{"IMG-09", QCOW2 "got:disk.0.lazy-refcounts=on disk.0.cache=none", RULE_BROKEN, RUNS},
	{"IMG-09", QCOW2 "disk.0.lazy-refcounts=on disk.0.cache=writethrough", RULE_FOLLOWED, 0},
	{"IMG-10", QCOW2 "disk.0.backing=3", RULE_FOLLOWED, 0},
	{"IMG-10", QCOW2 "disk.0.backing=4", RULE_BROKEN, 0},
	{"IMG-10", QCOW2 "disk.0.backing=1 got:disk.0.backing=9", RULE_BROKEN, RUNS},
	{"IMG-11", QCOW2 "got:disk.0.compat=0.10", RULE_BROKEN, RUNS},
	{"IMG-11", QCOW2 "got:disk.0.compat=1.1", RULE_FOLLOWED, RUNS},
	{"IMG-12", QCOW2 "disk.0.refcount-cache=262144", RULE_FOLLOWED, 0}, /* 4 x 64 KiB */
	{"IMG-12", QCOW2 "disk.0.refcount-cache=65536", RULE_BROKEN, 0},
	{"IMG-15", QCOW2 "got:disk.0.data-file=on got:disk.0.backing=1", RULE_BROKEN, RUNS},
	{"IMG-15", QCOW2 "got:disk.0.data-file=on got:disk.0.backing=0", RULE_FOLLOWED, RUNS},
	{"IMG-17",
	 "disk.0.format=raw disk.0.transport=file got:disk.0.size=1048576 got:disk.0.allocated=0",
	 RULE_BROKEN, RUNS},
	{"IMG-19", QCOW2 "qemu.version=5.1.0", RULE_BROKEN, 0},
	{"IMG-19", QCOW2 "qemu.version=5.2.0", RULE_FOLLOWED, 0},
	{"IMG-19", QCOW2 "qemu.version=10.0.2", RULE_FOLLOWED, 0},
	{"IMG-19", QCOW2, RULE_CANT_TELL, 0},
	{"IMG-20", QCOW2 "disk.0.overlap-check=none", RULE_BROKEN, 0},
	{"IMG-20", QCOW2 "disk.0.overlap-check=all", RULE_FOLLOWED, 0},
	/* network */
	{"NET-01", "net.0.model=virtio net.0.backend=vhost", RULE_FOLLOWED, 0},
	{"NET-01", "net.0.model=virtio net.0.backend=tap", RULE_BROKEN, 0},
	{"NET-01", "net.0.model=rtl8139 net.0.backend=vhost", RULE_BROKEN, 0},
	{"NET-01", "net.0.backend=passthrough", RULE_FOLLOWED, 0},
	{"NET-01", "vcpus=1", RULE_NOT_APPLICABLE, 0},
	{"NET-02", "vcpus=4 net.0.queues=4", RULE_FOLLOWED, 0},
	{"NET-02", "vcpus=4 net.0.queues=5", RULE_BROKEN, 0},
	{"NET-03", "net.0.rx-queue-size=256", RULE_FOLLOWED, 0},
	{"NET-03", "net.0.rx-queue-size=255", RULE_BROKEN, 0},
	{"NET-03", "net.0.rx-queue-size=256 net.0.tx-queue-size=2048", RULE_BROKEN, 0},
	{"NET-05", "net.0.mtu=9000", RULE_CANT_TELL, 0},
	/* migration is asked about only where it is to be */
	{"MIG-15", "disk.0.cache=writeback", RULE_NOT_APPLICABLE, 0},
	{"MIG-15", "disk.0.cache=writeback", RULE_BROKEN, MIGRATES},
	{"MIG-15", "disk.0.cache=none", RULE_FOLLOWED, MIGRATES},
	{"MIG-15", "disk.0.cache=writeback disk.0.transport=rbd", RULE_NOT_APPLICABLE, MIGRATES},
	{"MIG-16", "cpu.model=host-passthrough machine=pc-q35-7.2", RULE_BROKEN, MIGRATES},
	{"MIG-16", "cpu.model=host-model machine=pc-q35-7.2", RULE_FOLLOWED, MIGRATES},
	{"MIG-16", "cpu.model=host-model machine=q35", RULE_BROKEN, MIGRATES},
	{"MIG-16", "cpu.model=host-model machine=pc-i440fx-jammy-v2", RULE_FOLLOWED, MIGRATES},
	{"MIG-16", "cpu.model=host-model machine=s390-ccw-virtio", RULE_BROKEN, MIGRATES},
	{"MIG-16", "cpu.model=host-model machine=s390-ccw-virtio-7.2", RULE_FOLLOWED, MIGRATES},
	{"MIG-16", "cpu.model=EPYC cpu.features=+pcid,+invtsc machine=pc-q35-7.2", RULE_BROKEN,
	 MIGRATES},
	{"MIG-16", "cpu.model=EPYC hostdevs=1 machine=pc-q35-7.2", RULE_BROKEN, MIGRATES},
	{"MIG-01", "disk.0.transport=rbd", RULE_FOLLOWED, MIGRATES},
	{"MIG-01", "disk.0.transport=file got:disk.0.host-fs=xfs", RULE_BROKEN, MIGRATES | RUNS},
	{"MIG-01", "disk.0.transport=file got:disk.0.host-fs=nfs4", RULE_FOLLOWED, MIGRATES | RUNS},
	{"MIG-02", "disk.0.format=raw got:disk.0.host-fs=xfs", RULE_BROKEN, MIGRATES | RUNS},
	{"MIG-10", "memory.page=2097152", RULE_CANT_TELL, MIGRATES},
	{"MIG-10", "memory.size=1073741824", RULE_NOT_APPLICABLE, MIGRATES},
};

static void judges(void **state)
{
	(void)state;
	rule_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

/* Every rule bears a machine without facts, one that runs, and no machine at all. */
static void bears_nothing(void **state)
{
	struct snapshot *host = rule_host();
	struct vm *vm = rule_vm("", true);
	struct subject subjects[] = {
		{.host = host},
		{.vm = vm, .host = host},
		{.vm = vm,
		 .host = host,
		 .here = true,
		 .latency = true,
		 .dense = true,
		 .realtime = true,
		 .migration = true},
	};
	const struct rule_row *r;

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		for (size_t i = 0; (r = rule_at(i)); i++) {
			struct findings f = {0};

			r->check(&subjects[k], &f);
			if (!f.n)
				fail_msg("%s says nothing", r->id);
			findings_free(&f);
		}
	}
	vm_free(vm);
	snapshot_free(host);
}

/* 20 GiB at 64 KiB clusters: 2.5 MiB (Igalia 2015 has the same figure). */
static void advises_l2_cache(void **state)
{
	struct snapshot *host = rule_host();
	struct vm *vm = rule_vm(QCOW2 "got:disk.0.size=21474836480 got:disk.0.cluster=65536", true);
	struct subject s = {.vm = vm, .host = host};
	char buf[32];

	(void)state;
	assert_true(rule_find("IMG-04")->advise(&s, buf, sizeof(buf)));
	assert_string_equal(buf, "2621440");
	vm_free(vm);
	vm = rule_vm(QCOW2, false);
	s.vm = vm;
	assert_false(rule_find("IMG-04")->advise(&s, buf, sizeof(buf)));
	vm_free(vm);
	snapshot_free(host);
}

/* Sets name rules that there are. */
static void sets_name_rules(void **state)
{
	(void)state;
	for (const struct rule_set *s = rule_sets; s->name; s++)
		for (size_t i = 0; s->ids && s->ids[i]; i++)
			if (!rule_find(s->ids[i]))
				fail_msg("%s: no rule %s", s->name, s->ids[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges),
		cmocka_unit_test(bears_nothing),
		cmocka_unit_test(advises_l2_cache),
		cmocka_unit_test(sets_name_rules),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
