// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules of NUMA and memory. Expected states: the sections of tuning.md, read by a person, and
 * arithmetic by hand; none is copied from output.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/unit/rules_made.h"

/* Two nodes of 16 GiB, with CPUs 0-3 and 4-7. */
#define NODES "pack:2 [numa(memory=17179869184)] l3:1 core:4 pu:1"
#define ONE "pack:1 l3:1 core:8 pu:1"

#define G4 "4294967296"
#define G8 "8589934592"
#define G64 "68719476736"
#define HUGE "2097152"
#define PIN01 "vcpu.0.pin=0 vcpu.1.pin=1 "
#define PIN04 "vcpu.0.pin=0 vcpu.1.pin=4 "
#define ON0 "numatune.mode=strict numatune.nodeset=0 "

static void one_node(void **state)
{
	struct snapshot *h = host_made(NODES, NULL), *one = host_made(ONE, NULL);

	(void)state;
	expect(one, "NUMA-01", "vcpus=2 memory.size=" G8, NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "NUMA-01", "vcpus=2 memory.size=" G8, NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "NUMA-01", "vcpus=2 memory.size=" G8, NULL, 0, RULE_CANT_TELL);
	expect(h, "NUMA-01", "vcpus=2 memory.size=" G8, NULL, HERE | LATENCY, RULE_BROKEN);
	expect(h, "NUMA-01", "vcpus=2 memory.size=" G8 " " PIN01, NULL, HERE, RULE_FOLLOWED);
	expect(h, "NUMA-01", "vcpus=2 memory.size=" G8 " " PIN04, NULL, HERE, RULE_BROKEN);
	expect(h, "NUMA-01", "vcpus=2 memory.size=" G8 " cpuset=0-4", NULL, HERE, RULE_BROKEN);
	expect(h, "NUMA-01", "vcpus=2 memory.size=" G8 " numatune.nodeset=0-1", NULL, HERE,
	       RULE_BROKEN);
	/* 5 vCPUs are more than a node's 4 CPUs; 64 GiB are more than its 16 */
	expect(h, "NUMA-01", "vcpus=5 memory.size=" G8 " cpuset=0-7", NULL, HERE,
	       RULE_NOT_APPLICABLE);
	expect(h, "NUMA-01", "vcpus=2 memory.size=" G64 " " PIN04, NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "NUMA-01",
	       "vcpus=2 memory.size=" G8 " " PIN01 "got:vcpu.0.pin=0 got:vcpu.1.pin=4", NULL, RUNS,
	       RULE_BROKEN);
	snapshot_free(one);
	snapshot_free(h);
}

/* A node's last core and a twentieth of its memory are the host's (CPU-25, MEM-10). */
static void room(void **state)
{
	struct snapshot *h = host_made(NODES, NULL);

	(void)state;
	/* 16 GiB - 1/20 = 15.2 GiB, 16320875725 bytes */
	expect(h, "NUMA-04", "vcpus=2 memory.size=16320875700", NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "NUMA-04", "vcpus=2 memory.size=17179869184", NULL, HERE, RULE_BROKEN);
	/* four that float fit on 4 CPUs; four with CPUs of their own would leave none */
	expect(h, "NUMA-04", "vcpus=4 memory.size=" G8, NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "NUMA-04",
	       "vcpus=4 memory.size=" G8 " vcpu.0.pin=1 vcpu.1.pin=2 vcpu.2.pin=5 vcpu.3.pin=6 "
	       "numa.0.cpus=0-1 numa.0.nodeset=0 numa.1.cpus=2-3 numa.1.nodeset=1",
	       NULL, HERE, RULE_FOLLOWED);
	snapshot_free(h);
}

static void together(void **state)
{
	struct snapshot *h = host_made(NODES, NULL);

	(void)state;
	expect(h, "NUMA-02", "vcpus=2", NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "NUMA-02", "vcpus=2 " PIN01, NULL, HERE, RULE_BROKEN);
	expect(h, "NUMA-02", "vcpus=2 " ON0, NULL, HERE, RULE_BROKEN);
	expect(h, "NUMA-02", "vcpus=2 " PIN01 ON0, NULL, HERE, RULE_FOLLOWED);
	expect(h, "NUMA-02", "vcpus=2 " PIN01 "numatune.nodeset=1", NULL, HERE, RULE_BROKEN);
	expect(h, "NUMA-02", "vcpus=2 placement=auto " PIN01, NULL, HERE, RULE_FOLLOWED);
	/* 3 of 100 MiB are on the other node; then a half per cent, which is noise */
	expect(h, "NUMA-02",
	       "vcpus=2 " PIN01 ON0
	       "got:vcpu.0.pin=0 got:vcpu.1.pin=1 got:memory.node.0=101711872 got:memory.node.1=3145728",
	       NULL, RUNS, RULE_BROKEN);
	expect(h, "NUMA-02",
	       "vcpus=2 " PIN01 ON0
	       "got:vcpu.0.pin=0 got:vcpu.1.pin=1 got:memory.node.0=104333312 got:memory.node.1=524288",
	       NULL, RUNS, RULE_FOLLOWED);
	/* nothing was asked for, the threads were moved, the pages were not */
	expect(h, "NUMA-02",
	       "vcpus=2 got:vcpu.0.pin=4 got:vcpu.1.pin=5 got:memory.node.0=104857600", NULL, RUNS,
	       RULE_BROKEN);
	expect(h, "NUMA-02", "vcpus=2 " PIN01 ON0 "got:vcpu.0.pin=0 got:vcpu.1.pin=1", NULL, RUNS,
	       RULE_CANT_TELL);
	/* modes */
	expect(h, "NUMA-03", "vcpus=2 memory.size=" G8, NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "NUMA-03", "vcpus=2 memory.size=" G8 " " ON0, NULL, HERE, RULE_FOLLOWED);
	expect(h, "NUMA-03", "vcpus=2 memory.size=" G64 " " ON0, NULL, HERE, RULE_BROKEN);
	expect(h, "NUMA-03",
	       "vcpus=2 memory.size=" G8 " numatune.mode=preferred numatune.nodeset=0-1", NULL,
	       HERE, RULE_BROKEN);
	expect(h, "NUMA-03",
	       "vcpus=2 memory.size=" G8 " numatune.mode=preferred numatune.nodeset=0", NULL, HERE,
	       RULE_FOLLOWED);
	expect(h, "NUMA-03",
	       "vcpus=2 memory.page=" HUGE " memory.size=" G8
	       " numatune.mode=preferred numatune.nodeset=0",
	       NULL, HERE, RULE_BROKEN);
	expect(h, "NUMA-03",
	       "vcpus=2 memory.size=" G8 " numatune.mode=interleave numatune.nodeset=0-1", NULL,
	       HERE, RULE_BROKEN);
	expect(h, "NUMA-03",
	       "vcpus=2 memory.size=" G64 " numatune.mode=interleave numatune.nodeset=0-1", NULL,
	       HERE, RULE_FOLLOWED);
	expect(h, "NUMA-03", "vcpus=2 memory.size=" G8 " " ON0 "got:memory.policy=bind:0", NULL,
	       RUNS, RULE_FOLLOWED);
	expect(h, "NUMA-03", "vcpus=2 memory.size=" G8 " " ON0 "got:memory.policy=default", NULL,
	       RUNS, RULE_BROKEN);
	snapshot_free(h);
}

static void cells(void **state)
{
	struct snapshot *h = host_made(NODES, NULL);

	(void)state;
	expect(h, "NUMA-04", "vcpus=2 memory.size=" G8, NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "NUMA-04", "vcpus=2 memory.size=" G8 " numa.0.cpus=0 numa.1.cpus=1", NULL, HERE,
	       RULE_BROKEN);
	expect(h, "NUMA-04", "vcpus=6 memory.size=" G8, NULL, HERE, RULE_BROKEN);
	expect(h, "NUMA-04",
	       "vcpus=6 memory.size=" G8
	       " numa.0.cpus=0-2 numa.0.nodeset=0 numa.1.cpus=3-5 numa.1.nodeset=1",
	       NULL, HERE, RULE_FOLLOWED);
	expect(h, "NUMA-04",
	       "vcpus=6 memory.size=" G8 " numa.0.cpus=0-2 numa.0.nodeset=0 numa.1.cpus=3-5", NULL,
	       HERE, RULE_BROKEN);
	/* the second cell's vCPU 3 is pinned to node 0 */
	expect(h, "NUMA-04",
	       "vcpus=6 memory.size=" G8
	       " numa.0.cpus=0-2 numa.0.nodeset=0 numa.1.cpus=3-5 numa.1.nodeset=1 vcpu.3.pin=3",
	       NULL, HERE, RULE_BROKEN);
	expect(h, "NUMA-05", "vcpus=2 " PIN01 "got:disk.0.host-node=0", NULL, HERE, RULE_FOLLOWED);
	expect(h, "NUMA-05", "vcpus=2 " PIN01 "got:disk.0.host-node=1", NULL, HERE, RULE_BROKEN);
	expect(h, "NUMA-05", "vcpus=2 " PIN01 "iothreads=1 iothread.0.pin=5 got:disk.0.host-node=1",
	       NULL, HERE, RULE_FOLLOWED);
	expect(h, "NUMA-05", "vcpus=2 got:disk.0.host-node=1", NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "NUMA-05", "vcpus=2 " PIN01 "disk.0.bus=virtio-blk", NULL, HERE, RULE_CANT_TELL);
	/* it runs anywhere: the device's node would change nothing */
	expect(h, "NUMA-05", "vcpus=2 disk.0.bus=virtio-blk", NULL, HERE, RULE_NOT_APPLICABLE);
	snapshot_free(h);
}

static void huge(void **state)
{
	static const char *const few[] = {
		"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages=2047",
		"/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages=2047", NULL};
	static const char *const enough[] = {
		"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages=2048",
		"/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages=2048", NULL};
	struct snapshot *h = host_made(ONE, few), *m = host_made(ONE, enough);

	(void)state;
	expect(h, "MEM-01", "vcpus=1 memory.size=" G4, NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "MEM-01", "vcpus=1 memory.size=" G4, NULL, HERE | LATENCY, RULE_BROKEN);
	expect(h, "MEM-01", "vcpus=1 memory.size=" G4 " vcpu.0.pin=1", NULL, HERE, RULE_BROKEN);
	expect(h, "MEM-01", "vcpus=1 memory.size=" G4 " memory.page=" HUGE, NULL, 0, RULE_FOLLOWED);
	/* 4 GiB are 2048 pages of 2 MiB */
	expect(h, "MEM-01", "vcpus=1 memory.size=" G4 " memory.page=" HUGE, NULL, HERE,
	       RULE_BROKEN);
	expect(m, "MEM-01", "vcpus=1 memory.size=" G4 " memory.page=" HUGE, NULL, HERE,
	       RULE_FOLLOWED);
	expect(h, "MEM-01", "vcpus=1 memory.size=" G4 " memory.page=" HUGE " got:memory.huge=" G4,
	       NULL, RUNS, RULE_FOLLOWED);
	expect(h, "MEM-01", "vcpus=1 memory.size=" G4 " memory.page=" HUGE " got:memory.huge=0",
	       NULL, RUNS, RULE_BROKEN);
	expect(h, "MEM-01", "vcpus=1 memory.size=" G4 " memory.page=" HUGE, NULL, RUNS,
	       RULE_CANT_TELL);
	expect(h, "MEM-02", "vcpus=1 memory.size=" G4, NULL, HERE | LATENCY, RULE_NOT_APPLICABLE);
	expect(h, "MEM-02", "vcpus=1 memory.size=" G64, NULL, HERE | LATENCY, RULE_BROKEN);
	expect(h, "MEM-02", "vcpus=1 memory.size=" G64 " memory.page=1073741824", NULL, HERE,
	       RULE_FOLLOWED);
	expect(h, "MEM-02", "vcpus=1 memory.size=4295000000 memory.page=1073741824", NULL, HERE,
	       RULE_BROKEN);
	snapshot_free(m);
	snapshot_free(h);
}

static void kept(void **state)
{
	static const char *const ksm[] = {"/sys/kernel/mm/ksm/run=1", NULL};
	static const char *const none[] = {"/sys/kernel/mm/ksm/run=0", NULL};
	struct snapshot *h = host_made(ONE, ksm), *off = host_made(ONE, none);

	(void)state;
	expect(h, "MEM-07", "vcpus=1", NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "MEM-07", "vcpus=1", NULL, HERE | LATENCY, RULE_BROKEN);
	expect(h, "MEM-07", "vcpus=1 memory.merge=off", NULL, HERE | LATENCY, RULE_FOLLOWED);
	expect(off, "MEM-07", "vcpus=1", NULL, HERE | LATENCY, RULE_FOLLOWED);
	expect(h, "MEM-08", "vcpus=1 memory.size=" G4, NULL, LATENCY, RULE_BROKEN);
	expect(h, "MEM-08", "vcpus=1 memory.size=" G4 " memory.prealloc=on", NULL, LATENCY,
	       RULE_FOLLOWED);
	expect(h, "MEM-08", "vcpus=1 memory.size=" G4 " memory.prealloc=on got:memory.resident=" G4,
	       NULL, RUNS | LATENCY, RULE_FOLLOWED);
	expect(h, "MEM-08",
	       "vcpus=1 memory.size=" G4 " memory.prealloc=on got:memory.resident=1073741824", NULL,
	       RUNS | LATENCY, RULE_BROKEN);
	expect(h, "MEM-09", "vcpus=1 memory.size=" G4, NULL, 0, RULE_NOT_APPLICABLE);
	expect(h, "MEM-09", "vcpus=1 memory.size=" G4, NULL, REALTIME, RULE_BROKEN);
	expect(h, "MEM-09", "vcpus=1 memory.size=" G4 " memory.hard-limit=" G8, NULL, 0,
	       RULE_BROKEN);
	expect(h, "MEM-09", "vcpus=1 memory.size=" G4 " memory.locked=on memory.hard-limit=" G8,
	       NULL, 0, RULE_FOLLOWED);
	expect(h, "MEM-09", "vcpus=1 memory.size=" G4 " memory.locked=on memory.hard-limit=" G4,
	       NULL, 0, RULE_BROKEN);
	expect(h, "MEM-09", "vcpus=1 memory.size=" G4 " memory.locked=on got:memory.locked=off",
	       NULL, RUNS, RULE_BROKEN);
	expect(h, "MEM-11", "vcpus=1 memory.size=" G8 " memory.current=" G4, NULL, 0,
	       RULE_NOT_APPLICABLE);
	expect(h, "MEM-11", "vcpus=1 memory.size=" G8 " memory.current=" G4, NULL, LATENCY,
	       RULE_BROKEN);
	expect(h, "MEM-11", "vcpus=1 memory.size=" G8 " memory.current=" G8 " balloon=virtio", NULL,
	       LATENCY, RULE_FOLLOWED);
	expect(h, "MEM-11", "vcpus=1 memory.size=" G8 " balloon=virtio got:memory.current=" G4,
	       NULL, RUNS | LATENCY, RULE_BROKEN);
	expect(h, "MEM-14", "disk.0.bus=virtio-blk", NULL, 0, RULE_NOT_APPLICABLE);
	expect(h, "MEM-14", "disk.0.bus=vhost-user-blk", NULL, 0, RULE_BROKEN);
	expect(h, "MEM-14", "net.0.backend=vhost-user memory.shared=on", NULL, 0, RULE_FOLLOWED);
	snapshot_free(off);
	snapshot_free(h);
}

static void enough(void **state)
{
	/* 16 GiB; a twentieth is 0.8 GiB, so 1 GiB is left to the host */
	static const char *const plain[] = {
		"/proc/meminfo=MemTotal:       16777216 kB\nMemFree: 1 kB", NULL};
	/* of which 8 are set aside for huge pages */
	static const char *const pool[] = {
		"/proc/meminfo=MemTotal:       16777216 kB\nMemFree: 1 kB",
		"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages=4096", NULL};
	struct snapshot *h = host_made(ONE, plain), *p = host_made(ONE, pool);

	(void)state;
	expect(h, "MEM-10", "memory.size=" G8, NULL, HERE, RULE_FOLLOWED);
	expect(h, "MEM-10", "memory.size=" G8, "memory.size=" G4, HERE, RULE_FOLLOWED);
	expect(h, "MEM-10", "memory.size=" G8, "memory.size=" G8, HERE, RULE_BROKEN);
	expect(h, "MEM-10", "memory.size=" G8, "memory.size=" G8, HERE | DENSE,
	       RULE_NOT_APPLICABLE);
	expect(h, "MEM-10", NULL, "memory.size=18000000000", 0, RULE_BROKEN);
	expect(p, "MEM-10", "memory.size=" G8, NULL, HERE, RULE_BROKEN);
	expect(p, "MEM-10", "memory.page=" HUGE " memory.size=" G8, NULL, HERE, RULE_FOLLOWED);
	/* what a file claims does not wrap around */
	expect(h, "MEM-10", "memory.size=18446744073709551615", "memory.size=18446744073709551615",
	       HERE, RULE_BROKEN);
	snapshot_free(p);
	snapshot_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_node), cmocka_unit_test(room), cmocka_unit_test(together),
		cmocka_unit_test(cells),    cmocka_unit_test(huge), cmocka_unit_test(kept),
		cmocka_unit_test(enough),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
