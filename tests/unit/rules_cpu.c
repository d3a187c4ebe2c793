// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules of CPUs and pins, on topologies in hwloc's words. Expected states: the sections of
 * tuning.md, read by a person, and arithmetic by hand; none is copied from output. In hwloc's
 * synthetic machines CPUs are numbered in order: with pu:2, CPUs 0 and 1 are one core.
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

#define FLAT "pack:1 l3:1 core:8 pu:1" /* 8 cores, no SMT */
#define SMT "pack:2 l3:1 core:4 pu:2"  /* 2 packages, 8 cores, 16 CPUs */
#define CCX "pack:1 l3:4 core:2 pu:1"  /* 8 cores, a cache for each two */

/* Machines, as facts. */
#define PINNED4 "vcpus=4 vcpu.0.pin=2 vcpu.1.pin=3 vcpu.2.pin=4 vcpu.3.pin=5 "
#define GOT4 "got:vcpu.0.pin=2 got:vcpu.1.pin=3 got:vcpu.2.pin=4 got:vcpu.3.pin=5 "

static void model(void **state)
{
	static const char *const melts[] = {
		"/sys/devices/system/cpu/vulnerabilities/meltdown=Mitigation: PTI", NULL};
	static const char *const safe[] = {
		"/sys/devices/system/cpu/vulnerabilities/meltdown=Not affected", NULL};
	struct snapshot *h = host_made(FLAT, melts), *amd = host_made(FLAT, safe);

	(void)state;
	expect(h, "CPU-01", "accel=kvm", NULL, 0, RULE_FOLLOWED);
	expect(h, "CPU-01", "accel=tcg", NULL, 0, RULE_BROKEN);
	expect(h, "CPU-01", "vcpus=1", NULL, 0, RULE_BROKEN); /* QEMU's default is TCG */
	expect(h, "CPU-01", "accel=kvm got:accel=tcg", NULL, RUNS, RULE_BROKEN);
	expect(h, "CPU-01", "accel=xen", NULL, 0, RULE_NOT_APPLICABLE);
	expect(h, "CPU-01", NULL, NULL, 0, RULE_NOT_APPLICABLE);
	expect(h, "CPU-02", "accel=kvm cpu.model=host-passthrough", NULL, 0, RULE_FOLLOWED);
	expect(h, "CPU-02", "accel=kvm cpu.model=EPYC-Milan", NULL, 0, RULE_FOLLOWED);
	expect(h, "CPU-02", "accel=kvm cpu.model=kvm64", NULL, 0, RULE_BROKEN);
	expect(h, "CPU-02", "accel=kvm cpu.model=qemu64-v1", NULL, 0, RULE_BROKEN);
	expect(h, "CPU-02", "accel=kvm", NULL, 0, RULE_BROKEN);
	expect(h, "CPU-02", "accel=tcg", NULL, 0, RULE_NOT_APPLICABLE);
	expect(h, "CPU-22", "accel=kvm cpu.model=IvyBridge", NULL, HERE, RULE_BROKEN);
	expect(h, "CPU-22", "accel=kvm cpu.model=IvyBridge cpu.features=+pcid,-pmu", NULL, HERE,
	       RULE_FOLLOWED);
	expect(h, "CPU-22", "accel=kvm cpu.model=IvyBridge cpu.features=+pcidx", NULL, HERE,
	       RULE_BROKEN);
	expect(h, "CPU-22", "accel=kvm cpu.model=host-passthrough cpu.features=-pcid", NULL, HERE,
	       RULE_BROKEN);
	expect(h, "CPU-22", "accel=kvm cpu.model=Haswell", NULL, HERE, RULE_FOLLOWED);
	expect(amd, "CPU-22", "accel=kvm cpu.model=IvyBridge", NULL, HERE, RULE_NOT_APPLICABLE);
	snapshot_free(amd);
	snapshot_free(h);
}

static void how_many(void **state)
{
	struct snapshot *h = host_made(SMT, NULL);

	(void)state;
	/* 8 cores, 16 CPUs */
	expect(h, "CPU-03", "vcpus=8", NULL, HERE, RULE_FOLLOWED);
	expect(h, "CPU-03", "vcpus=9", NULL, HERE, RULE_BROKEN);
	expect(h, "CPU-03", "vcpus=9", NULL, 0, RULE_CANT_TELL);	 /* which host? */
	expect(h, "CPU-04", "vcpus=8", "vcpus=24", HERE, RULE_FOLLOWED); /* 32 / 16 */
	expect(h, "CPU-04", "vcpus=8", "vcpus=25", HERE, RULE_BROKEN);
	expect(h, "CPU-04", "vcpus=33", NULL, HERE, RULE_BROKEN);
	expect(h, "CPU-04", NULL, "vcpus=32", 0, RULE_FOLLOWED);
	expect(h, "CPU-04", NULL, NULL, 0, RULE_NOT_APPLICABLE);
	expect(h, "CPU-05", "vcpus=1", NULL, 0, RULE_FOLLOWED);
	expect(h, "CPU-05", "vcpus=2", NULL, 0, RULE_CANT_TELL);
	expect(h, "CPU-05", "vcpus=2 got:vcpu.0.run-ns=100000000000 got:vcpu.1.run-ns=900000000",
	       NULL, RUNS, RULE_BROKEN);
	expect(h, "CPU-05", "vcpus=2 got:vcpu.0.run-ns=100000000000 got:vcpu.1.run-ns=1000000000",
	       NULL, RUNS, RULE_FOLLOWED);
	/* waited / (ran + waited): 1/20 = 5 %, 6/106 */
	expect(h, "CPU-19", "vcpus=1 got:vcpu.0.run-ns=19000000000 got:vcpu.0.wait-ns=1000000000",
	       NULL, RUNS, RULE_FOLLOWED);
	expect(h, "CPU-19", "vcpus=1 got:vcpu.0.run-ns=100000000000 got:vcpu.0.wait-ns=6000000000",
	       NULL, RUNS, RULE_BROKEN);
	expect(h, "CPU-19", "vcpus=1", NULL, 0, RULE_NOT_APPLICABLE);
	expect(h, "CPU-18", "vcpus=1 cpu.shares=2048", NULL, 0, RULE_FOLLOWED);
	expect(h, "CPU-18", "vcpus=1 cpu.quota-us=0", NULL, 0, RULE_FOLLOWED);
	expect(h, "CPU-18", "vcpus=1 iothread.quota-us=50000", NULL, 0, RULE_BROKEN);
	expect(h, "CPU-18", "vcpus=1 got:cpu.throttled=3", NULL, RUNS, RULE_BROKEN);
	snapshot_free(h);
}

static void pins(void **state)
{
	struct snapshot *h = host_made(FLAT, NULL);

	(void)state;
	expect(h, "CPU-06", "vcpus=4", NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "CPU-06", "vcpus=4", NULL, HERE | LATENCY, RULE_BROKEN);
	expect(h, "CPU-06", "vcpus=4", NULL, HERE | DENSE, RULE_NOT_APPLICABLE);
	expect(h, "CPU-06", PINNED4, NULL, HERE | LATENCY, RULE_FOLLOWED);
	expect(h, "CPU-06", "vcpus=4 cpuset=0-5", NULL, HERE, RULE_FOLLOWED);
	expect(h, "CPU-06", "vcpus=4 cpuset=0-2", NULL, HERE, RULE_BROKEN);
	expect(h, "CPU-06", "vcpus=4 cpuset=0-5", NULL, HERE | REALTIME, RULE_BROKEN);
	expect(h, "CPU-06", "vcpus=2 vcpu.0.pin=2", NULL, HERE, RULE_BROKEN);
	expect(h, "CPU-06", "vcpus=2 vcpu.0.pin=2 vcpu.1.pin=2", NULL, HERE, RULE_BROKEN);
	/* CPU 8 is not there; without a host nobody knows */
	expect(h, "CPU-06", "vcpus=1 vcpu.0.pin=8", NULL, HERE, RULE_BROKEN);
	expect(h, "CPU-06", "vcpus=1 vcpu.0.pin=8", NULL, 0, RULE_FOLLOWED);
	expect(h, "CPU-06", PINNED4, "vcpus=1 vcpu.0.pin=5", HERE, RULE_BROKEN);
	expect(h, "CPU-06", PINNED4, "vcpus=1 vcpu.0.pin=6", HERE, RULE_FOLLOWED);
	/* in force */
	expect(h, "CPU-06", PINNED4 GOT4, NULL, RUNS, RULE_FOLLOWED);
	expect(h, "CPU-06", PINNED4 GOT4 "got:vcpu.3.pin=0-7", NULL, RUNS, RULE_BROKEN);
	expect(h, "CPU-06", PINNED4, NULL, RUNS, RULE_CANT_TELL);
	expect(h, "CPU-06", "vcpus=1 cpuset=0-3 got:vcpu.0.pin=2", NULL, RUNS, RULE_FOLLOWED);
	/* crowded by whoever moved them, though nothing was asked for */
	expect(h, "CPU-06", "vcpus=2 got:vcpu.0.pin=1 got:vcpu.1.pin=1", NULL, RUNS, RULE_BROKEN);
	expect(h, "CPU-06", "vcpus=9 got:vcpu.0.pin=0-7 got:vcpu.1.pin=0-7", NULL, RUNS,
	       RULE_CANT_TELL);
	expect(h, "CPU-06", "vcpus=1 got:vcpu.0.pin=0-7", NULL, RUNS, RULE_NOT_APPLICABLE);
	snapshot_free(h);
}

static void other_threads(void **state)
{
	struct snapshot *h = host_made(FLAT, NULL);

	(void)state;
	expect(h, "CPU-07", "vcpus=4", NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "CPU-07", PINNED4, NULL, HERE, RULE_BROKEN);
	expect(h, "CPU-07", PINNED4 "emulator.pin=0-1", NULL, HERE, RULE_FOLLOWED);
	expect(h, "CPU-07", PINNED4 "emulator.pin=0-2", NULL, HERE, RULE_BROKEN);
	expect(h, "CPU-07", PINNED4 "cpuset=0-1", NULL, HERE, RULE_FOLLOWED);
	expect(h, "CPU-07", PINNED4 GOT4 "emulator.pin=0-1 got:emulator.pin=0-1", NULL, RUNS,
	       RULE_FOLLOWED);
	expect(h, "CPU-07", PINNED4 GOT4 "emulator.pin=0-1 got:emulator.pin=0-7", NULL, RUNS,
	       RULE_BROKEN);
	expect(h, "CPU-07", "vcpus=1 got:vcpu.0.pin=1 got:emulator.pin=1", NULL, RUNS, RULE_BROKEN);
	expect(h, "CPU-08", PINNED4, NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "CPU-08", "vcpus=4 iothreads=1", NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "CPU-08", PINNED4 "iothreads=1", NULL, HERE, RULE_BROKEN);
	expect(h, "CPU-08", PINNED4 "iothreads=1 iothread.0.pin=6", NULL, HERE, RULE_FOLLOWED);
	expect(h, "CPU-08", PINNED4 "iothreads=1 iothread.0.pin=5", NULL, HERE, RULE_BROKEN);
	expect(h, "CPU-08", PINNED4 "iothreads=2 iothread.0.pin=6 iothread.1.pin=6", NULL, HERE,
	       RULE_BROKEN);
	expect(h, "CPU-08", PINNED4 GOT4 "iothreads=1 iothread.0.pin=6 got:iothread.0.pin=6", NULL,
	       RUNS, RULE_FOLLOWED);
	expect(h, "CPU-08", PINNED4 GOT4 "iothreads=1 iothread.0.pin=6 got:iothread.0.pin=0-7",
	       NULL, RUNS, RULE_BROKEN);
	/* four cores are left to the host, then none */
	expect(h, "CPU-25", PINNED4, NULL, HERE, RULE_FOLLOWED);
	expect(h, "CPU-25", PINNED4, "vcpus=4 vcpu.0.pin=0 vcpu.1.pin=1 vcpu.2.pin=6 vcpu.3.pin=7",
	       HERE, RULE_BROKEN);
	expect(h, "CPU-25", "vcpus=4", NULL, HERE, RULE_NOT_APPLICABLE);
	snapshot_free(h);
}

static void threads(void **state)
{
	struct snapshot *h = host_made(SMT, NULL), *flat = host_made(FLAT, NULL);

	(void)state;
	expect(flat, "CPU-09", PINNED4, NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "CPU-09", "vcpus=4", NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "CPU-09", PINNED4, NULL, 0, RULE_CANT_TELL);
	/* 2 and 3 are one core */
	expect(h, "CPU-09", "vcpus=2 vcpu.0.pin=2 vcpu.1.pin=3", NULL, HERE, RULE_BROKEN);
	expect(h, "CPU-09", "vcpus=2 vcpu.0.pin=2 vcpu.1.pin=3 smp.threads=2", NULL, HERE,
	       RULE_FOLLOWED);
	expect(h, "CPU-09", "vcpus=2 vcpu.0.pin=2 vcpu.1.pin=4 smp.threads=2", NULL, HERE,
	       RULE_BROKEN);
	expect(h, "CPU-09", "vcpus=2 vcpu.0.pin=2 vcpu.1.pin=4", NULL, HERE, RULE_FOLLOWED);
	expect(h, "CPU-09",
	       "vcpus=4 smp.threads=2 vcpu.0.pin=2 vcpu.1.pin=4 vcpu.2.pin=3 vcpu.3.pin=5", NULL,
	       HERE, RULE_BROKEN);
	expect(h, "CPU-09", "vcpus=1 vcpu.0.pin=2", "vcpus=1 vcpu.0.pin=3", HERE, RULE_BROKEN);
	expect(h, "CPU-09", "vcpus=1 vcpu.0.pin=2", "vcpus=1 vcpu.0.pin=4", HERE, RULE_FOLLOWED);
	/* more vCPUs than cores is well only where each has a thread and knows its siblings */
	expect(h, "CPU-10", "vcpus=2", NULL, 0, RULE_FOLLOWED);
	expect(h, "CPU-10", "vcpus=2 smp.threads=2", NULL, 0, RULE_BROKEN);
	expect(h, "CPU-10", "vcpus=2 vcpu.0.pin=0 vcpu.1.pin=2 smp.sockets=1 smp.cores=2", NULL,
	       HERE, RULE_FOLLOWED);
	/* CPUs 0 and 8 are on two packages */
	expect(h, "CPU-10", "vcpus=2 vcpu.0.pin=0 vcpu.1.pin=8 smp.sockets=1 smp.cores=2", NULL,
	       HERE, RULE_BROKEN);
	expect(h, "CPU-10", "vcpus=2 vcpu.0.pin=0 vcpu.1.pin=8 smp.sockets=2", NULL, HERE,
	       RULE_FOLLOWED);
	/* of 16 sockets to be plugged, 4 vCPUs fill the first: 2 cores of 2 threads */
	expect(h, "CPU-10",
	       "vcpus=4 vcpus.max=64 smp.sockets=16 smp.cores=2 smp.threads=2 vcpu.0.pin=0 "
	       "vcpu.1.pin=1 vcpu.2.pin=2 vcpu.3.pin=3",
	       NULL, HERE, RULE_FOLLOWED);
	/* the same with a core a socket: the guest sees two sockets, the host has one below */
	expect(h, "CPU-10",
	       "vcpus=4 vcpus.max=64 smp.sockets=32 smp.cores=1 smp.threads=2 vcpu.0.pin=0 "
	       "vcpu.1.pin=1 vcpu.2.pin=2 vcpu.3.pin=3",
	       NULL, HERE, RULE_BROKEN);
	/* a topology of 2^36 CPUs: no overflow */
	expect(h, "CPU-10",
	       "vcpus=2 smp.sockets=4096 smp.dies=4096 smp.cores=4096 smp.threads=4096 "
	       "vcpu.0.pin=0 vcpu.1.pin=1",
	       NULL, HERE, RULE_FOLLOWED);
	snapshot_free(flat);
	snapshot_free(h);
}

static void caches(void **state)
{
	struct snapshot *h = host_made(CCX, NULL);

	(void)state;
	/* CPUs 0,1 share a cache, 2,3 the next */
	expect(h, "CPU-11", "vcpus=2 vcpu.0.pin=0 vcpu.1.pin=1 smp.sockets=1 smp.cores=2", NULL,
	       HERE, RULE_FOLLOWED);
	expect(h, "CPU-11", "vcpus=2 vcpu.0.pin=1 vcpu.1.pin=2 smp.sockets=1 smp.cores=2", NULL,
	       HERE, RULE_BROKEN);
	expect(h, "CPU-11", "vcpus=2 vcpu.0.pin=1 vcpu.1.pin=2 smp.sockets=1 smp.dies=2", NULL,
	       HERE, RULE_FOLLOWED);
	/* dies to be plugged later are not seen yet */
	expect(h, "CPU-11",
	       "vcpus=2 vcpu.0.pin=0 vcpu.1.pin=1 smp.sockets=1 smp.dies=4 smp.cores=2", NULL, HERE,
	       RULE_FOLLOWED);
	expect(h, "CPU-11", "vcpus=2", NULL, HERE, RULE_NOT_APPLICABLE);
	snapshot_free(h);
}

static void promises(void **state)
{
	struct snapshot *h = host_made(FLAT, NULL);

	(void)state;
	expect(h, "CPU-20", "cpu.model=host-passthrough", NULL, 0, RULE_NOT_APPLICABLE);
	expect(h, "CPU-20", "cpu.model=host-passthrough", NULL, LATENCY, RULE_BROKEN);
	expect(h, "CPU-20", "cpu.model=host-passthrough cpu.pmu=off", NULL, LATENCY, RULE_FOLLOWED);
	expect(h, "CPU-20", "cpu.model=EPYC", NULL, LATENCY, RULE_FOLLOWED);
	expect(h, "CPU-24", "vcpus=4", NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "CPU-24", "vcpus=4 cpu.hint-dedicated=on", NULL, HERE, RULE_BROKEN);
	expect(h, "CPU-24", "vcpus=4 cpu.cpu-pm=on", NULL, HERE, RULE_BROKEN);
	expect(h, "CPU-24", PINNED4 "cpu.hint-dedicated=on", NULL, HERE, RULE_FOLLOWED);
	expect(h, "CPU-24", PINNED4, NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "CPU-24", PINNED4, NULL, HERE | LATENCY, RULE_BROKEN);
	expect(h, "CPU-23", "vcpus=2", NULL, HERE, RULE_NOT_APPLICABLE);
	expect(h, "CPU-23", "vcpus=2", NULL, HERE | REALTIME, RULE_BROKEN);
	expect(h, "CPU-23", "vcpus=2 vcpu.1.sched=fifo:1", NULL, HERE | REALTIME, RULE_FOLLOWED);
	expect(h, "CPU-23", "vcpus=2 vcpu.1.sched=fifo:1 got:vcpu.1.sched=other", NULL, RUNS,
	       RULE_BROKEN);
	expect(h, "CPU-23", "vcpus=2 vcpu.1.sched=fifo:1 got:vcpu.1.sched=fifo:1", NULL, RUNS,
	       RULE_FOLLOWED);
	snapshot_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model),    cmocka_unit_test(how_many),
		cmocka_unit_test(pins),	    cmocka_unit_test(other_threads),
		cmocka_unit_test(threads),  cmocka_unit_test(caches),
		cmocka_unit_test(promises),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
