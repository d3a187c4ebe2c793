// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules of the host's knobs, of clocks and of the guest. Expected states: the sections of
 * tuning.md, read by a person; none is copied from output.
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

#define ONE "pack:1 l3:1 core:2 pu:1"
#define TWO "pack:2 [numa(memory=17179869184)] l3:1 core:2 pu:1"

/* A host of such files, one rule, one state. */
static void with(const char *topology, const char *const *files, const char *id, const char *facts,
		 int how, enum rule_state want)
{
	struct snapshot *h = host_made(topology, files);

	expect(h, id, facts, NULL, how, want);
	snapshot_free(h);
}

#define FILES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define GOV(n) "/sys/devices/system/cpu/cpu" #n "/cpufreq/scaling_governor="
#define STATE(n, what) "/sys/devices/system/cpu/cpu0/cpuidle/state" #n "/" what "="
#define KVM_POLL "/sys/module/kvm/parameters/halt_poll_ns="
#define KSM "/sys/kernel/mm/ksm/"
#define THP "/sys/kernel/mm/transparent_hugepage/enabled="

static void cpus(void **state)
{
	(void)state;
	with(ONE, NULL, "CPU-12", NULL, 0, RULE_NOT_APPLICABLE);
	with(ONE, FILES(GOV(0) "performance", GOV(1) "performance"), "CPU-12", NULL, 0,
	     RULE_FOLLOWED);
	with(ONE, FILES(GOV(0) "performance", GOV(1) "powersave"), "CPU-12", NULL, 0, RULE_BROKEN);
	/* a machine from elsewhere is not held against this host */
	with(ONE, FILES(GOV(0) "powersave"), "CPU-12", "vcpus=1", 0, RULE_CANT_TELL);
	with(ONE, FILES(GOV(0) "powersave"), "CPU-12", "vcpus=1", HERE, RULE_BROKEN);
	/* 133 us is above tuned's 70, unless that state is switched off or someone holds it */
	with(ONE, FILES(STATE(0, "latency") "2", STATE(1, "latency") "133"), "CPU-13", NULL, 0,
	     RULE_NOT_APPLICABLE);
	with(ONE, FILES(STATE(0, "latency") "2", STATE(1, "latency") "133"), "CPU-13", NULL,
	     LATENCY, RULE_BROKEN);
	with(ONE, FILES(STATE(0, "latency") "2", STATE(1, "latency") "70"), "CPU-13", NULL, LATENCY,
	     RULE_FOLLOWED);
	with(ONE,
	     FILES(STATE(0, "latency") "2", STATE(1, "latency") "133", STATE(1, "disable") "1"),
	     "CPU-13", NULL, LATENCY, RULE_FOLLOWED);
	with(ONE, FILES(STATE(1, "latency") "133", "/etc/tuned/active_profile=virtual-host"),
	     "CPU-13", NULL, LATENCY, RULE_FOLLOWED);
	with(ONE, FILES(KVM_POLL "200000"), "CPU-14", NULL, 0, RULE_FOLLOWED);
	with(ONE, FILES(KVM_POLL "200000"), "CPU-14", NULL, DENSE, RULE_BROKEN);
	with(ONE, FILES(KVM_POLL "0"), "CPU-14", NULL, DENSE, RULE_FOLLOWED);
	with(ONE, FILES(KVM_POLL "0"), "CPU-14", NULL, LATENCY, RULE_BROKEN);
	with(ONE, NULL, "CPU-14", NULL, 0, RULE_NOT_APPLICABLE);
	with(ONE, NULL, "CPU-15", "vcpus=1 cpu.halt-poll=off", LATENCY, RULE_BROKEN);
	with(ONE, NULL, "CPU-15", "vcpus=1", LATENCY, RULE_CANT_TELL);
	with(ONE, NULL, "CPU-15", "vcpus=1", LATENCY | DENSE, RULE_NOT_APPLICABLE);
	with(ONE, FILES("/sys/devices/system/cpu/isolated=1"), "CPU-16", "vcpus=1 vcpu.0.pin=1",
	     HERE | REALTIME, RULE_FOLLOWED);
	with(ONE, FILES("/sys/devices/system/cpu/isolated="), "CPU-16", "vcpus=1 vcpu.0.pin=1",
	     HERE | REALTIME, RULE_BROKEN);
	with(ONE, FILES("/sys/devices/system/cpu/isolated="), "CPU-16", "vcpus=1 vcpu.0.pin=1",
	     HERE, RULE_NOT_APPLICABLE);
	with(ONE, FILES("services=irqbalance\nchronyd"), "CPU-17", NULL, LATENCY, RULE_BROKEN);
	with(ONE, FILES("services=chronyd"), "CPU-17", NULL, LATENCY, RULE_FOLLOWED);
	with(ONE, NULL, "CPU-17", NULL, LATENCY, RULE_CANT_TELL);
}

static void memory(void **state)
{
	(void)state;
	with(ONE, FILES("/proc/sys/kernel/numa_balancing=1"), "NUMA-06", NULL, 0,
	     RULE_NOT_APPLICABLE);
	with(TWO, FILES("/proc/sys/kernel/numa_balancing=1"), "NUMA-06", "vcpus=1", HERE,
	     RULE_FOLLOWED);
	with(TWO, FILES("/proc/sys/kernel/numa_balancing=0"), "NUMA-06", "vcpus=1", HERE,
	     RULE_BROKEN);
	with(TWO, FILES("/proc/sys/kernel/numa_balancing=1"), "NUMA-06",
	     "vcpus=1 vcpu.0.pin=0 numatune.nodeset=0", HERE, RULE_BROKEN);
	with(TWO, FILES("/proc/sys/kernel/numa_balancing=0"), "NUMA-06",
	     "vcpus=1 vcpu.0.pin=0 numatune.nodeset=0", HERE, RULE_FOLLOWED);
	with(TWO, FILES("services=numad"), "NUMA-07", "vcpus=1 vcpu.0.pin=0", HERE, RULE_BROKEN);
	with(TWO, FILES("services=tuned"), "NUMA-07", "vcpus=1 vcpu.0.pin=0", HERE, RULE_FOLLOWED);
	with(TWO, FILES("services=tuned"), "NUMA-07", "vcpus=1 vcpu.0.pin=0 placement=auto", HERE,
	     RULE_BROKEN);
	with(TWO, FILES("services=numad"), "NUMA-07", "vcpus=1", HERE, RULE_NOT_APPLICABLE);
	with(ONE, FILES(THP "always [madvise] never"), "MEM-03", NULL, 0, RULE_FOLLOWED);
	with(ONE, FILES(THP "always madvise [never]"), "MEM-03", NULL, 0, RULE_BROKEN);
	with(ONE, FILES(THP "always madvise [never]"), "MEM-03", "memory.page=2097152", HERE,
	     RULE_FOLLOWED);
	with(ONE, FILES(THP "[always] madvise never"), "MEM-03", "memory.page=2097152",
	     HERE | LATENCY, RULE_BROKEN);
	with(ONE, FILES(KSM "run=0"), "MEM-04", NULL, 0, RULE_FOLLOWED);
	with(ONE, FILES(KSM "run=1"), "MEM-04", NULL, 0, RULE_BROKEN);
	with(ONE, FILES(KSM "run=1"), "MEM-04", NULL, DENSE, RULE_NOT_APPLICABLE);
	with(ONE, FILES(KSM "run=0", KSM "sleep_millisecs=20"), "MEM-05", NULL, 0,
	     RULE_NOT_APPLICABLE);
	with(ONE, FILES(KSM "run=1", KSM "sleep_millisecs=20"), "MEM-05", NULL, 0, RULE_BROKEN);
	with(ONE, FILES(KSM "run=1", KSM "sleep_millisecs=2000"), "MEM-05", NULL, 0, RULE_FOLLOWED);
	with(ONE, FILES(KSM "run=1", KSM "merge_across_nodes=1"), "MEM-06", NULL, 0,
	     RULE_NOT_APPLICABLE);
	with(TWO, FILES(KSM "run=1", KSM "merge_across_nodes=1"), "MEM-06", NULL, 0, RULE_BROKEN);
	with(TWO, FILES(KSM "run=1", KSM "merge_across_nodes=0"), "MEM-06", NULL, 0, RULE_FOLLOWED);
	with(ONE,
	     FILES("/proc/swaps=Filename Type\n/dev/sda2 partition", "/proc/sys/vm/swappiness=60"),
	     "MEM-12", NULL, 0, RULE_BROKEN);
	with(ONE,
	     FILES("/proc/swaps=Filename Type\n/dev/sda2 partition", "/proc/sys/vm/swappiness=35"),
	     "MEM-12", NULL, 0, RULE_FOLLOWED);
	with(ONE, FILES("/proc/swaps=Filename Type", "/proc/sys/vm/swappiness=60"), "MEM-12", NULL,
	     0, RULE_NOT_APPLICABLE);
	with(ONE, FILES("/proc/sys/vm/dirty_ratio=20", "/proc/sys/vm/dirty_background_ratio=10"),
	     "MEM-13", NULL, 0, RULE_BROKEN);
	with(ONE, FILES("/proc/sys/vm/dirty_ratio=40", "/proc/sys/vm/dirty_background_ratio=5"),
	     "MEM-13", NULL, 0, RULE_FOLLOWED);
	with(ONE, FILES("/proc/sys/vm/dirty_ratio=0", "/proc/sys/vm/dirty_bytes=268435456"),
	     "MEM-13", NULL, 0, RULE_FOLLOWED);
	with(ONE, FILES("/proc/sys/vm/dirty_ratio=90", "/proc/sys/vm/dirty_background_ratio=50"),
	     "MEM-13", "disk.0.cache=none", HERE, RULE_NOT_APPLICABLE);
}

static void clocks(void **state)
{
	static const char clock[] =
		"/sys/devices/system/clocksource/clocksource0/current_clocksource=";
	char hpet[120], tsc[120];

	(void)state;
	snprintf(hpet, sizeof(hpet), "%shpet", clock);
	snprintf(tsc, sizeof(tsc), "%stsc", clock);
	with(ONE, FILES(tsc), "CLK-01", "accel=kvm", HERE, RULE_FOLLOWED);
	with(ONE, FILES(hpet), "CLK-01", "accel=kvm", HERE, RULE_BROKEN);
	with(ONE, FILES(hpet), "CLK-01", "accel=kvm", 0, RULE_FOLLOWED);
	with(ONE, NULL, "CLK-01", "accel=kvm clock.kvmclock=off", 0, RULE_BROKEN);
	with(ONE, NULL, "CLK-01", "accel=kvm clock.kvmclock=off os=windows", 0,
	     RULE_NOT_APPLICABLE);
	with(ONE, FILES("services=chronyd"), "CLK-02", NULL, 0, RULE_FOLLOWED);
	with(ONE, FILES("services=tuned"), "CLK-02", NULL, 0, RULE_BROKEN);
	with(ONE, FILES("services=notchronyd"), "CLK-02", NULL, 0, RULE_BROKEN);
	with(ONE, NULL, "CLK-02", NULL, 0, RULE_CANT_TELL);
	with(ONE, NULL, "CLK-03", "machine=pc-q35-7.2", 0, RULE_BROKEN);
	with(ONE, NULL, "CLK-03", "machine=pc-q35-7.2 clock.hpet=off", 0, RULE_FOLLOWED);
	with(ONE, NULL, "CLK-03", "clock.hpet=off clock.rtc=delay", 0, RULE_BROKEN);
	with(ONE, NULL, "CLK-03", "clock.hpet=off clock.pit=catchup", 0, RULE_BROKEN);
	with(ONE, NULL, "CLK-03", "machine=microvm", 0, RULE_NOT_APPLICABLE);
	with(ONE, NULL, "CLK-03", "arch=aarch64 machine=virt-7.2", 0, RULE_NOT_APPLICABLE);
	with(ONE, NULL, "CLK-04", "vcpus=1", 0, RULE_NOT_APPLICABLE);
	with(ONE, NULL, "CLK-04", "os=windows", 0, RULE_BROKEN);
	with(ONE, NULL, "CLK-04", "os=windows hyperv=runtime,stimer", 0,
	     RULE_BROKEN); /* runtime is not time */
	with(ONE, NULL, "CLK-04", "os=windows hyperv=time,stimer", 0, RULE_FOLLOWED);
	with(ONE, NULL, "CLK-05", "vcpus=1", 0, RULE_NOT_APPLICABLE);
}

static void guests(void **state)
{
	(void)state;
	with(ONE, NULL, "GST-01", NULL, 0, RULE_NOT_APPLICABLE);
	with(ONE, FILES("/etc/tuned/active_profile=virtual-host"), "GST-01", NULL, 0,
	     RULE_FOLLOWED);
	with(ONE, FILES("/etc/tuned/active_profile=powersave"), "GST-01", NULL, 0, RULE_BROKEN);
	with(ONE, FILES("/etc/tuned/active_profile=virtual-host"), "GST-02", NULL, LATENCY,
	     RULE_BROKEN);
	with(ONE, FILES("/etc/tuned/active_profile=network-latency"), "GST-02", NULL, LATENCY,
	     RULE_FOLLOWED);
	with(ONE, NULL, "GST-03", "sound=on", 0, RULE_BROKEN);
	with(ONE, NULL, "GST-03", "graphics=vnc video=virtio usb.tablet=on", 0, RULE_FOLLOWED);
	with(ONE, NULL, "GST-03", "graphics=vnc", LATENCY, RULE_BROKEN);
	with(ONE, NULL, "GST-03", "sound=off video=none", LATENCY, RULE_FOLLOWED);
	with(ONE, NULL, "GST-04", "machine=pc-q35-5.1", 0, RULE_BROKEN);
	with(ONE, NULL, "GST-04", "machine=pc-q35-5.2", 0, RULE_FOLLOWED);
	with(ONE, NULL, "GST-04", "machine=pc-i440fx-10.0", 0, RULE_FOLLOWED);
	with(ONE, NULL, "GST-04", "machine=q35", 0, RULE_FOLLOWED);
	with(ONE, NULL, "GST-04", "machine=pc-q35-rhel7.6.0", 0, RULE_CANT_TELL);
	with(ONE, NULL, "GST-05", "rng=on", 0, RULE_FOLLOWED);
	with(ONE, NULL, "GST-05", "vcpus=1", 0, RULE_BROKEN);
	with(ONE, NULL, "GST-06", "agent=on", 0, RULE_FOLLOWED);
	with(ONE, NULL, "GST-06", "vcpus=1", 0, RULE_BROKEN);
	with(ONE, NULL, "GST-07", "vcpus=1", 0, RULE_NOT_APPLICABLE);
	with(ONE, NULL, "GST-07", "os=windows hyperv=relaxed,vapic,time", 0, RULE_BROKEN);
	with(ONE, NULL, "GST-07",
	     "os=windows hyperv=relaxed,vapic,spinlocks,vpindex,runtime,synic,stimer,reset,frequencies,tlbflush,reenlightenment,ipi,time",
	     0, RULE_FOLLOWED);
	with(ONE, NULL, "GST-08", "machine=microvm", 0, RULE_NOT_APPLICABLE);
	with(ONE, NULL, "GST-09", "os=windows disk.0.bus=virtio-scsi", 0, RULE_CANT_TELL);
	with(ONE, NULL, "GST-09", "os=windows disk.0.bus=virtio-blk", 0, RULE_NOT_APPLICABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpus),
		cmocka_unit_test(memory),
		cmocka_unit_test(clocks),
		cmocka_unit_test(guests),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
