// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libvirt's XML read into facts. Expected values are by hand from the text of each fixture
 * (tests/fixtures/vms) and the element's meaning in libvirt's "Domain XML format".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/file.h"
#include "vm/read.h"

struct want {
	const char *key, *value; /* NULL: not said */
	const char *where;	 /* NULL: not looked at */
};

static struct vm *read_text(const char *text)
{
	struct vm *vm = NULL;
	struct err e = {0};

	if (vm_read_xml(text, strlen(text), "test.xml", &vm, &e))
		fail_msg("%s", e.text);
	return vm;
}

static struct vm *read_fixture(const char *name)
{
	char path[128], *text;
	struct vm *vm;

	snprintf(path, sizeof(path), "tests/fixtures/vms/%s.xml", name);
	assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
	vm = read_text(text);
	free(text);
	return vm;
}

static void check(const struct vm *vm, const struct want *w, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = vm_get(vm, VM_ASKED, "%s", w[i].key);

		if ((got != NULL) != (w[i].value != NULL) || (got && strcmp(got, w[i].value)))
			fail_msg("%s is %s, and not %s", w[i].key, got ? got : "not said",
				 w[i].value ? w[i].value : "unsaid");
		if (w[i].where)
			assert_string_equal(vm_where(vm, VM_ASKED, "%s", w[i].key), w[i].where);
	}
}

#define CHECK(vm, ...)                                         \
	do {                                                   \
		static const struct want w_[] = {__VA_ARGS__}; \
		check(vm, w_, sizeof(w_) / sizeof(w_[0]));     \
	} while (0)

static bool has_note(const struct vm *vm, const char *part)
{
	for (size_t i = 0; i < vm->nnotes; i++)
		if (strstr(vm->notes[i], part))
			return true;
	return false;
}

/* As virt-manager makes it, running. */
static void bare(void **state)
{
	struct vm *vm = read_fixture("bare");

	(void)state;
	assert_string_equal(vm->name, "web");
	assert_false(vm->running);
	CHECK(vm, {"uuid", "8c5bb1f2-94a0-4a53-9c2e-5f1b0a7d1e10", "domain/uuid"},
	      {"os", "linux", NULL}, {"accel", "kvm", "domain/@type"},
	      {"machine", "pc-q35-7.2", "domain/os/type/@machine"}, {"arch", "x86_64", NULL},
	      {"firmware", NULL, NULL}, {"vcpus", "4", "domain/vcpu"}, {"vcpus.max", "4", NULL},
	      {"placement", "static", "domain/vcpu/@placement"}, {"cpuset", NULL, NULL},
	      {"memory.size", "4294967296", "domain/memory"},
	      {"memory.current", "4294967296", NULL}, {"memory.page", NULL, NULL},
	      {"memory.merge", NULL, NULL}, {"cpu.model", "host-passthrough", "domain/cpu/@mode"},
	      {"cpu.migratable", "on", "domain/cpu/@migratable"}, {"hyperv", NULL, NULL},
	      {"clock.base", "utc", NULL},
	      {"clock.rtc", "catchup", "domain/clock/timer[1]/@tickpolicy"},
	      {"clock.pit", "delay", NULL}, {"clock.hpet", "off", NULL},
	      {"clock.kvmclock", NULL, NULL});
	CHECK(vm, {"iothreads", NULL, NULL}, {"disk.0.name", "vda", NULL},
	      {"disk.0.bus", "virtio-blk", "domain/devices/disk[1]/target/@bus"},
	      {"disk.0.transport", "file", NULL},
	      {"disk.0.source", "/var/lib/libvirt/images/web.qcow2", NULL},
	      {"disk.0.format", "qcow2", "domain/devices/disk[1]/driver/@type"},
	      {"disk.0.discard", "unmap", NULL}, {"disk.0.cache", NULL, NULL},
	      {"disk.0.aio", NULL, NULL}, {"disk.0.backing", "0", NULL},
	      {"disk.1.name", NULL, NULL}, /* the other is a cdrom */
	      {"net.0.model", "virtio", NULL}, {"net.0.backend", "vhost", NULL},
	      {"balloon", "virtio", NULL}, {"rng", "on", NULL}, {"agent", "on", NULL},
	      {"graphics", "spice", NULL}, {"video", "qxl", NULL}, {"sound", "on", NULL},
	      {"usb", "on", NULL}, {"usb.tablet", "on", NULL}, {"smartcard", "off", NULL},
	      {"hostdevs", "0", NULL}, {"watchdog", "off", NULL}, {"tpm", "off", NULL},
	      {"headless", "off", NULL}, {"migratable", "on", NULL});
	vm_free(vm);
}

/* Pins, schedulers, quotas. "2-9,^5,20" is 2, 3, 4, 6, 7, 8, 9, 20. */
static void pinned_cpus(void **state)
{
	struct vm *vm = read_fixture("pinned");

	(void)state;
	CHECK(vm, {"vcpus", "6", "domain/vcpu/@current"}, {"vcpus.max", "8", NULL},
	      {"cpuset", "2-4,6-9,20", "domain/vcpu/@cpuset"}, {"iothreads", "3", NULL},
	      /* those without a number of their own get the lowest that is free */
	      {"iothread.0.id", "2", NULL}, {"iothread.1.id", "4", NULL},
	      {"iothread.2.id", "1", NULL},
	      {"iothread.1.poll-max-ns", "65536", "domain/iothreadids/iothread[2]/poll/@max"},
	      {"iothread.0.poll-max-ns", NULL, NULL}, {"vcpu.0.pin", "2", NULL},
	      {"vcpu.1.pin", "22", "domain/cputune/vcpupin[2]/@cpuset"},
	      {"vcpu.4.pin", "4,6-9", NULL}, {"vcpu.7.pin", "8", NULL}, {"vcpu.8.pin", NULL, NULL},
	      {"emulator.pin", "0-1,20-21", "domain/cputune/emulatorpin/@cpuset"},
	      {"iothread.0.pin", "10", NULL}, {"iothread.1.pin", "30", NULL},
	      {"iothread.2.pin", "11", NULL}, {"emulator.sched", "batch", NULL},
	      {"vcpu.0.sched", "fifo:1", NULL}, {"vcpu.1.sched", "fifo:1", NULL},
	      {"vcpu.2.sched", NULL, NULL}, {"vcpu.3.sched", "fifo:1", NULL},
	      {"iothread.0.sched", "rr:5", NULL}, {"iothread.1.sched", NULL, NULL});
	/* -1 is no quota; there is one word for periods, and that of the iothreads differs */
	CHECK(vm, {"cpu.shares", "4096", NULL}, {"cpu.period-us", "50000", "domain/cputune/period"},
	      {"cpu.quota-us", "0", NULL}, {"cpu.global-quota-us", "400000", NULL},
	      {"emulator.quota-us", "25000", NULL}, {"iothread.quota-us", "100000", NULL},
	      {"cachetune", "on", NULL}, {"memorytune", "on", NULL});
	assert_true(has_note(vm, "domain/cputune/iothread_period"));
	CHECK(vm, {"cpu.model", "Skylake-Server-IBRS", "domain/cpu/model"},
	      {"cpu.features", "+pcid,+invtsc,-hle,-rtm", NULL}, {"smp.sockets", "2", NULL},
	      {"smp.dies", "1", NULL}, {"smp.cores", "2", NULL}, {"smp.threads", "2", NULL},
	      {"cpu.cache", "emulate", NULL}, {"cpu.pmu", "off", NULL},
	      {"cpu.hint-dedicated", "on", "domain/features/kvm/hint-dedicated/@state"},
	      {"cpu.halt-poll", "on", NULL},
	      {"cpu.cpu-pm", "on", "domain/commandline/arg[2]/@value"}, {"firmware", "efi", NULL},
	      {"clock.kvmclock", "on", NULL}, {"clock.tsc", "native", NULL});
	assert_true(has_note(vm, "\"cpu-pm=on\" is handed to QEMU"));
	vm_free(vm);
}

/* 32 GiB = 32 * 2^30 = 34359738368, 40 GiB = 42949672960, 16 GiB = 17179869184. */
static void pinned_memory_and_disks(void **state)
{
	struct vm *vm = read_fixture("pinned");

	(void)state;
	CHECK(vm, {"memory.size", "34359738368", NULL}, {"memory.current", "34359738368", NULL},
	      {"memory.hard-limit", "42949672960", NULL}, {"memory.page", "1073741824", NULL},
	      {"memory.merge", "off", NULL}, {"memory.locked", "on", NULL},
	      {"memory.source", "memfd", NULL}, {"memory.shared", "on", NULL},
	      {"memory.prealloc", "on", NULL}, {"memory.discard", "on", NULL},
	      {"numatune.mode", "strict", NULL}, {"numatune.nodeset", "0-1", NULL},
	      {"numa.0.cpus", "0-3", NULL}, {"numa.0.memory", "17179869184", NULL},
	      {"numa.0.mode", "strict", NULL}, {"numa.0.nodeset", "0", NULL},
	      {"numa.1.cpus", "4-7", NULL}, {"numa.1.memory", "17179869184", NULL},
	      {"numa.1.mode", "preferred", NULL}, {"numa.1.nodeset", "1", NULL},
	      {"numa.distances", "on", NULL}, {"balloon", "none", NULL});
	CHECK(vm, {"disk.0.transport", "block", NULL}, {"disk.0.source", "/dev/vg0/db", NULL},
	      {"disk.0.format", "raw", NULL}, {"disk.0.cache", "none", NULL},
	      {"disk.0.aio", "native", "domain/devices/disk[1]/driver/@io"},
	      {"disk.0.discard", "unmap", NULL}, {"disk.0.detect-zeroes", "unmap", NULL},
	      {"disk.0.iothread", "4", NULL}, {"disk.0.queues", "4", NULL},
	      {"disk.0.queue-size", "512", NULL}, {"disk.0.packed", "on", NULL},
	      {"disk.0.event-idx", "on", NULL}, {"disk.0.ioeventfd", "on", NULL},
	      {"disk.0.error-policy", "stop", NULL}, {"disk.0.serial", "DB0001", NULL},
	      {"disk.0.logical-block", "512", NULL}, {"disk.0.physical-block", "4096", NULL},
	      {"disk.0.bps-limit", "209715200", NULL}, {"disk.0.iops-limit", "5000", NULL},
	      {"disk.0.weight", "800", NULL}, {"disk.0.shareable", NULL, NULL});
	/* 1000 reads and 500 writes a second */
	CHECK(vm, {"disk.1.cache", "directsync", NULL}, {"disk.1.aio", "io_uring", NULL},
	      {"disk.1.iothread", NULL, NULL}, {"disk.1.iothread-mapping", "2,4", NULL},
	      {"disk.1.iops-limit", "1500", NULL}, {"disk.1.shareable", "on", NULL},
	      {"disk.1.weight", "900", "domain/blkiotune/device[1]/weight"},
	      {"net.0.backend", "tap", NULL}, {"net.0.queues", "8", NULL},
	      {"net.0.rx-queue-size", "1024", NULL}, {"net.0.tx-queue-size", "512", NULL},
	      {"net.0.mtu", "9000", NULL}, {"net.1.backend", "vhost-user", NULL},
	      {"usb", "off", "domain/devices/controller[1]/@model"}, {"usb.tablet", "off", NULL},
	      {"hostdevs", "1", "domain/devices/hostdev[1]"}, {"watchdog", "on", NULL},
	      {"tpm", "on", NULL}, {"rng", "off", NULL}, {"headless", "on", NULL},
	      {"migratable", "off", "domain/devices/hostdev[1]"});
	vm_free(vm);
}

static void ovirt(void **state)
{
	struct vm *vm = read_fixture("ovirt");

	(void)state;
	assert_string_equal(vm->name, "vm101");
	/* 16777216 KiB = 16 GiB = 17179869184; its thread is its controller's */
	CHECK(vm, {"vcpus", "2", NULL}, {"vcpus.max", "16", NULL},
	      {"memory.max", "17179869184", NULL}, {"iothreads", "1", NULL},
	      {"iothread.0.id", "1", NULL}, {"clock.base", "utc", "domain/clock/@basis"},
	      {"numa.0.cpus", "0-15", NULL}, {"disk.0.bus", "virtio-scsi", NULL},
	      {"disk.0.controller", "0", NULL},
	      {"disk.0.iothread", "1", "domain/devices/controller[1]/driver/@iothread"},
	      {"disk.0.backing", "1", NULL}, {"disk.0.error-policy", "stop", NULL},
	      {"disk.0.format", "qcow2", NULL}, {"disk.0.cache", "none", NULL},
	      {"controller.0.iothread", "1", NULL}, {"net.0.backend", "vhost", NULL},
	      {"net.0.queues", "2", NULL}, {"net.0.mtu", "1500", NULL}, {"os", NULL, NULL},
	      {"cpu.features", "-hle,-rtm", NULL}, {"agent", "on", NULL}, {"sound", "off", NULL});
	vm_free(vm);
}

static void nova(void **state)
{
	struct vm *vm = read_fixture("nova");

	(void)state;
	CHECK(vm, {"cpu.model", "host-model", NULL}, {"memory.page", "2097152", NULL},
	      {"memory.merge", "off", NULL}, {"memory.shared", "on", NULL},
	      {"vcpu.3.pin", "21", NULL}, {"emulator.pin", "4-5,20-21", NULL},
	      {"numatune.nodeset", "0", NULL}, {"numa.0.nodeset", "0", NULL},
	      {"disk.0.transport", "rbd", NULL}, {"disk.0.source", "vms/3a4c9e10_disk", NULL},
	      {"disk.0.iops-limit", "2000", NULL}, {"disk.0.bps-limit", NULL, NULL},
	      {"balloon.autodeflate", "off", NULL}, {"balloon.reporting", "on", NULL},
	      {"video", "virtio", NULL}, {"watchdog", "on", NULL}, {"rng", "on", NULL},
	      {"agent", "off", NULL}, {"net.0.rx-queue-size", "512", NULL});
	vm_free(vm);
}

/* Twelve disks take turns on the controllers 0 and 3, of which that one is the second of virtio's.
 */
static void many_disks(void **state)
{
	struct vm *vm = read_fixture("scsi");

	(void)state;
	assert_int_equal(vm_count(vm, "disk"), 15);
	assert_int_equal(vm_count(vm, "controller"), 2);
	for (unsigned i = 0; i < 12; i++) {
		char source[40];

		snprintf(source, sizeof(source), "/srv/images/data%u.img", i);
		assert_true(vm_is(vm, VM_ASKED, "virtio-scsi", "disk.%u.bus", i));
		assert_true(vm_is(vm, VM_ASKED, source, "disk.%u.source", i));
		assert_true(vm_is(vm, VM_ASKED, i % 2 ? "1" : "0", "disk.%u.controller", i));
		assert_true(vm_is(vm, VM_ASKED, i % 2 ? "2" : "1", "disk.%u.iothread", i));
	}
	CHECK(vm, {"controller.0.queues", "4", NULL}, {"controller.0.ioeventfd", "on", NULL},
	      {"controller.1.iothread", "2", NULL}, {"controller.1.queues", "8", NULL},
	      {"controller.1.packed", "on", NULL}, {"disk.12.kind", "lun", NULL},
	      {"disk.12.shareable", "on", NULL}, {"disk.13.bus", "scsi", NULL},
	      {"disk.13.controller", NULL, NULL}, {"disk.13.iothread", NULL, NULL},
	      /* 16 MiB */
	      {"disk.14.transport", "volume", NULL},
	      {"disk.14.source", "pool1/scratch.qcow2", NULL},
	      {"disk.14.l2-cache", "16777216", NULL}, {"disk.14.encrypted", "on", NULL},
	      {"memory.size", "8589934592", NULL}, /* 8388608 KiB: KiB is what libvirt takes */
	      {"cpu.cache", "passthrough", NULL}, {"cpu.migratable", "off", NULL},
	      {"iothread.1.pin", "7", NULL}, {"usb", NULL, NULL}, {"balloon", NULL, NULL});
	vm_free(vm);
}

static void windows(void **state)
{
	struct vm *vm = read_fixture("windows");

	(void)state;
	assert_string_equal(vm->name, "win & \"files\" <2>");
	CHECK(vm, {"os", "windows", NULL},
	      {"memory.size", "16000000000", NULL}, /* GB are decimal */
	      {"placement", "auto", NULL}, {"numatune.placement", "auto", NULL},
	      {"numatune.mode", "interleave", NULL}, {"firmware", "efi", NULL},
	      {"hyperv",
	       "relaxed,vapic,spinlocks,vpindex,synic,stimer,stimer-direct,frequencies,time", NULL},
	      {"clock.base", "localtime", NULL}, {"clock.hypervclock", "on", NULL},
	      {"disk.0.bus", "sata", NULL}, {"disk.0.cache", "writethrough", NULL},
	      {"disk.0.aio", "threads", NULL}, {"disk.0.discard", "ignore", NULL},
	      {"disk.0.detect-zeroes", "off", NULL}, {"disk.1.bus", NULL, NULL}, /* a floppy */
	      {"net.0.model", "e1000e", NULL}, {"net.0.backend", "tap", NULL},
	      {"net.1.backend", "user", NULL}, {"graphics", "vnc,spice", NULL},
	      {"video", "cirrus", NULL}, {"smartcard", "on", NULL}, {"tpm", "on", NULL});
	vm_free(vm);
}

/* As libvirt keeps a running domain in /run/libvirt/qemu, under emulation. */
static void status_file(void **state)
{
	struct vm *vm = read_fixture("nvme");

	(void)state;
	assert_string_equal(vm->name, "edge");
	assert_false(vm->running);
	CHECK(vm, {"accel", "tcg", NULL}, {"cpu.model", "max", NULL}, {"firmware", "bios", NULL},
	      {"memory.size", "1073741824", "domstatus/domain/memory"},
	      {"disk.0.transport", "nvme", NULL}, {"disk.0.source", NULL, NULL},
	      {"disk.1.bus", "vhost-user-blk", NULL}, {"disk.1.source", "/run/spdk/vhost.0", NULL},
	      {"disk.1.transport", "vhost-user", NULL}, {"disk.2.transport", "nbd", NULL},
	      {"disk.2.cache", "unsafe", NULL}, {"disk.3.transport", "iscsi", NULL},
	      {"disk.3.cache", NULL, NULL}, {"disk.3.bus", "ide", NULL},
	      {"disk.3.readonly", "on", NULL}, {"net.0.backend", "tap", NULL},
	      {"balloon", "virtio", NULL},
	      {"migratable", "off", "domstatus/domain/devices/disk[3]/transient"});
	vm_free(vm);
}

static void other_architectures(void **state)
{
	struct vm *vm = read_fixture("s390x");

	(void)state;
	/* Linux' huge page there is 1 MiB; an mdev and an interface are passed through */
	CHECK(vm, {"arch", "s390x", NULL}, {"memory.page", "1048576", NULL},
	      {"hostdevs", "2", NULL}, {"disk.0.bus", "virtio-blk", NULL},
	      {"disk.0.iothread", "9", NULL}, {"net.0.backend", "passthrough", NULL},
	      {"migratable", "off", NULL});
	assert_true(has_note(vm, "domain/memoryBacking/hugepages"));
	vm_free(vm);
	vm = read_fixture("aarch64");
	CHECK(vm, {"arch", "aarch64", NULL}, {"firmware", "efi", "domain/os/@firmware"},
	      {"cpuset", "0-3", NULL}, {"cpu.pmu", "on", NULL}, {"smp.cores", "2", NULL},
	      {"headless", "on", NULL}, {"video", NULL, NULL}, {"migratable", "off", NULL});
	assert_true(has_note(vm, "clusters"));
	vm_free(vm);
}

/* libvirt, "Scaled integers": b, KB and k, MB and M, ... */
static void units(void **state)
{
	static const struct {
		const char *text, *bytes;
	} table[] = {{"<memory unit='b'>1048577</memory>", "1048577"},
		     {"<memory unit='bytes'>512</memory>", "512"},
		     {"<memory unit='KB'>3</memory>", "3000"},
		     {"<memory unit='k'>3</memory>", "3072"},
		     {"<memory unit='KiB'>3</memory>", "3072"},
		     {"<memory>3</memory>", "3072"},
		     {"<memory unit='MB'>2</memory>", "2000000"},
		     {"<memory unit='M'>2</memory>", "2097152"},
		     {"<memory unit='MiB'>2</memory>", "2097152"},
		     {"<memory unit='GiB'> 1\n</memory>", "1073741824"},
		     {"<memory unit='TB'>1</memory>", "1000000000000"},
		     {"<memory unit='TiB'>1</memory>", "1099511627776"},
		     {"<memory unit='furlongs'>1</memory>", NULL},
		     {"<memory unit='EiB'>17</memory>", NULL}, /* over 2^64 */
		     {"<memory>-1</memory>", NULL},
		     {"<memory>1.5</memory>", NULL},
		     {"<memory/>", NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char text[200];
		struct want w = {"memory.size", table[i].bytes, NULL};
		struct vm *vm;

		snprintf(text, sizeof(text), "<domain><name>x</name>%s</domain>", table[i].text);
		vm = read_text(text);
		check(vm, &w, 1);
		if (!table[i].bytes)
			assert_true(has_note(vm, "domain/memory"));
		vm_free(vm);
	}
}

/* libvirt's lists: ranges, ^ takes out what stands before it. */
static void cpu_lists(void **state)
{
	static const struct {
		const char *text, *cpus;
	} table[] = {{"0", "0"},
		     {"0-3,^1", "0,2-3"},
		     {"4,2,3", "2-4"},
		     {" 1 , 2 ", "1-2"},
		     {"0-7,^2-4", "0-1,5-7"},
		     {"^1,1", "1"},
		     {"1,^1", NULL},
		     {"3-1", NULL},
		     {"a", NULL},
		     {"1,,2", NULL},
		     {"4096", NULL},
		     {"-1", NULL},
		     {"1-", NULL},
		     {"", NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char text[200];
		struct want w = {"cpuset", table[i].cpus, NULL};
		struct vm *vm;

		snprintf(text, sizeof(text), "<domain><vcpu cpuset='%s'>1</vcpu></domain>",
			 table[i].text);
		vm = read_text(text);
		check(vm, &w, 1);
		vm_free(vm);
	}
}

/* Nothing is known of devices that a description has no list of. */
static void little(void **state)
{
	struct vm *vm = read_text("<domain/>");

	(void)state;
	assert_string_equal(vm->name, "unnamed");
	assert_int_equal(vm->nfacts, 0);
	vm_free(vm);
	/* without an address the eighth disk is on the second controller: seven for each */
	vm = read_text(
		"<domain><devices><controller type='scsi' model='virtio-scsi'>"
		"<driver queues='2'/></controller>"
		"<controller type='scsi' model='virtio-scsi'><driver queues='3'/></controller>"
		"<disk><target dev='sdg' bus='scsi'/></disk><disk><target dev='sdh'/></disk>"
		"<disk><target dev='vda'/></disk></devices></domain>");
	CHECK(vm, {"disk.0.controller", "0", NULL}, {"disk.1.controller", "1", NULL},
	      {"disk.1.bus", "virtio-scsi", NULL}, {"disk.2.bus", "virtio-blk", NULL},
	      {"controller.1.queues", "3", NULL}, {"rng", "off", "domain/devices"});
	vm_free(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bare),
		cmocka_unit_test(pinned_cpus),
		cmocka_unit_test(pinned_memory_and_disks),
		cmocka_unit_test(ovirt),
		cmocka_unit_test(nova),
		cmocka_unit_test(many_disks),
		cmocka_unit_test(windows),
		cmocka_unit_test(status_file),
		cmocka_unit_test(other_architectures),
		cmocka_unit_test(units),
		cmocka_unit_test(cpu_lists),
		cmocka_unit_test(little),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
