// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Facts of QEMU command lines. What is expected was read off the fixtures by hand, by QEMU's manual
 * (qemu-system-x86_64(1)) and its block drivers' options (qapi/block-core.json).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/file.h"
#include "vm/read.h"

#define FOLDER "tests/fixtures/vms/"

static struct vm *fixture(const char *name)
{
	char *path = xasprintf(FOLDER "%s.argv", name);
	struct err e = {0};
	struct vm *vm;

	if (vm_open(path, &vm, &e))
		fail_msg("%s: %s", path, e.text);
	free(path);
	return vm;
}

static struct vm *command(const char *text)
{
	struct err e = {0};
	struct vm *vm;

	if (vm_read_command(text, strlen(text), "test", &vm, &e))
		fail_msg("%s: %s", text, e.text);
	return vm;
}

struct fact {
	const char *key, *value; /* value NULL: not said */
};

static void expect(const struct vm *vm, const struct fact *facts)
{
	for (; facts->key; facts++) {
		const char *value = vm_get(vm, VM_ASKED, "%s", facts->key);

		if (!facts->value != !value || (value && strcmp(value, facts->value)))
			fail_msg("%s: %s is %s, expected %s", vm->name, facts->key,
				 value ? value : "(none)", facts->value ? facts->value : "(none)");
	}
}

static bool has_note(const struct vm *vm, const char *part)
{
	for (size_t i = 0; i < vm->nnotes; i++)
		if (strstr(vm->notes[i], part))
			return true;
	return false;
}

#define FIXTURE(name, ...)                                              \
	do {                                                            \
		static const struct fact facts_[] = {__VA_ARGS__, {0}}; \
		struct vm *vm_ = fixture(name);                         \
		expect(vm_, facts_);                                    \
		vm_free(vm_);                                           \
	} while (0)

#define COMMAND(text, ...)                                              \
	do {                                                            \
		static const struct fact facts_[] = {__VA_ARGS__, {0}}; \
		struct vm *vm_ = command(text);                         \
		expect(vm_, facts_);                                    \
		vm_free(vm_);                                           \
	} while (0)

static void test_libvirt_json(void **state)
{
	(void)state;
	FIXTURE("libvirt9-q35", {"machine", "pc-q35-7.2"}, {"arch", "x86_64"}, {"accel", "kvm"},
		{"firmware", "efi"}, {"cpu.model", "host-passthrough"}, {"cpu.migratable", "on"},
		{"cpu.features", "+migratable,+pcid,-pmu"}, {"cpu.pmu", "off"},
		{"hyperv", "time,relaxed,vapic,spinlocks"}, {"vcpus", "8"}, {"vcpus.max", NULL},
		{"smp.cores", "4"}, {"smp.threads", "2"}, {"memory.size", "8589934592"},
		{"memory.source", "memfd"}, {"memory.page", "2097152"}, {"memory.shared", "on"},
		{"memory.prealloc", "on"}, {"numatune.mode", "strict"}, {"numatune.nodeset", "0-1"},
		{"memory.locked", "off"}, {"clock.rtc", "catchup"}, {"clock.pit", "delay"},
		{"clock.hpet", "off"}, {"sandbox", "on"}, {"headless", "on"}, {"agent", "on"},
		{"balloon.autodeflate", "on"}, {"balloon.reporting", "on"}, {"rng", "on"});
	FIXTURE("libvirt9-q35", {"iothreads", "2"}, {"iothread.1.poll-max-ns", "50000"},
		{"disk.0.bus", "virtio-blk"}, {"disk.0.format", "qcow2"}, {"disk.0.cache", "none"},
		{"disk.0.aio", "native"}, {"disk.0.discard", "unmap"}, {"disk.0.backing", "1"},
		{"disk.0.l2-cache", "4194304"}, {"disk.0.iothread", "iothread1"},
		{"disk.0.queues", "8"}, {"disk.0.queue-size", "256"}, {"disk.0.packed", "on"},
		{"disk.0.serial", "WEB01"}, {"disk.0.source", "/var/lib/libvirt/images/web.qcow2"},
		/* write-cache=off over a page cache in use: each write is flushed */
		{"disk.1.cache", "writethrough"}, {"disk.1.transport", "block"},
		{"disk.1.bus", "virtio-scsi"}, {"disk.1.iothread", "iothread2"},
		{"disk.1.backing", "0"}, {"controller.0.queues", "4"}, {"disk.2.bus", NULL},
		{"net.0.queues", "4"}, {"net.0.backend", "vhost"}, {"net.0.mtu", "9000"});
}

static void test_libvirt_drive(void **state)
{
	(void)state;
	FIXTURE("libvirt6-drive", {"memory.max", "17179869184"}, {"vcpus", "2"},
		{"vcpus.max", "16"}, {"memory.merge", "off"}, {"memory.locked", "on"},
		{"numa.0.cpus", "0-3,8-11"}, {"numa.1.cpus", "4-7,12-15"},
		{"numa.1.memory", "2147483648"}, {"numa.1.nodeset", "1"}, {"numa.distances", "on"},
		{"memory.page", "1073741824"}, {"disk.0.source", "/srv/images/old,1.img"},
		{"disk.0.iops-limit", "5000"}, {"disk.0.bps-limit", "104857600"},
		{"disk.0.event-idx", "off"}, {"disk.1.bus", "scsi"}, {"disk.1.transport", "rbd"},
		{"disk.1.source", "pool/disk2"}, {"disk.2.bus", "ide"},
		{"disk.2.cache", "directsync"}, {"disk.3.bus", NULL}, {"net.0.queues", "2"},
		{"graphics", "vnc"}, {"video", "qxl"}, {"sound", "on"}, {"hostdevs", "1"},
		{"watchdog", "on"}, {"usb.tablet", "on"}, {"migratable", "off"},
		{"clock.base", "localtime"}, {"clock.hpet", "off"});
}

static void test_proxmox(void **state)
{
	(void)state;
	FIXTURE("proxmox8", {"accel", "kvm"}, {"memory.page", "2097152"}, {"numa.0.mode", "strict"},
		{"disk.0.bus", "virtio-scsi"}, {"disk.0.iothread", "iothread-virtioscsi0"},
		{"disk.0.cache", "none"}, {"disk.0.discard", "unmap"}, {"disk.0.aio", "io_uring"},
		{"disk.1.cache", "unsafe"}, {"disk.1.backing", NULL}, {"disk.1.aio", "threads"},
		{"net.0.queues", "4"}, {"agent", "on"}, {"rng", "off"}, {"balloon", "virtio"});
	FIXTURE("proxmox7-q35", {"disk.0.bus", "sata"}, {"hostdevs", "1"}, {"clock.pit", "discard"},
		{"clock.hypervclock", "on"}, {"smp.sockets", "2"},
		{"cpu.features", "-kvm,+kvm-pv-eoi,+kvm-pv-unhalt"},
		/* what -readconfig adds is not known, so nothing is said to be missing */
		{"usb", NULL}, {"rng", NULL}, {"headless", NULL});
}

static void test_ovirt(void **state)
{
	(void)state;
	FIXTURE("ovirt", {"cpu.hint-dedicated", "on"}, {"cpu.cache", "passthrough"},
		{"cpu.cpu-pm", "on"}, {"cpu.halt-poll", "off"}, {"vcpus.max", "128"},
		{"numa.0.nodeset", "1"}, {"controller.0.iothread", "iothread1"},
		{"disk.0.iothread", "iothread1"}, {"disk.0.error-policy", "stop"},
		{"disk.0.aio", "native"}, {"migratable", "off"});
}

static void test_script(void **state)
{
	(void)state;
	FIXTURE("script", {"cpuset", "2-3"}, {"accel", "kvm"}, {"memory.size", "2147483648"},
		{"disk.0.cache", "writethrough"}, {"disk.0.bus", "virtio-blk"},
		{"disk.1.source", "/data/with blank.img"}, {"disk.1.bus", "ide"},
		{"disk.2.bus", NULL}, {"net.0.model", "virtio"}, {"net.0.backend", "user"});
	/* 128 MiB and one CPU are QEMU's own defaults */
	FIXTURE("bare", {"accel", "tcg"}, {"memory.size", "134217728"}, {"vcpus", "1"},
		{"disk.0.source", "disk.img"}, {"disk.0.cache", NULL}, {"video", "vga"},
		{"headless", "off"});
}

static void test_later_wins(void **state)
{
	(void)state;
	FIXTURE("override", {"machine", "q35"}, {"accel", "tcg"}, {"clock.hpet", "off"},
		{"memory.size", "1073741824"}, {"vcpus", "4"}, {"smp.cores", "2"},
		{"smp.sockets", "2"}, {"cpu.model", "max"}, {"cpu.features", "-avx,+x2apic"},
		/* -global is what a device has that does not say otherwise itself */
		{"disk.0.queues", "2"}, {"disk.0.queue-size", "64"}, {"disk.0.packed", "on"},
		{"disk.0.cache-clean", "60"}, {"disk.0.l2-cache", "2097152"},
		{"disk.1.source", "/b.qcow2"}, {"disk.1.aio", "io_uring"},
		{"disk.1.cache", "unsafe"}, {"disk.1.queue-size", NULL},
		{"disk.2.transport", "nbd"}, {"disk.2.source", "store/vol1"},
		{"disk.2.format", "raw"});
}

static void test_chains(void **state)
{
	(void)state;
	FIXTURE("throttle", {"disk.0.format", "qcow2"}, {"disk.0.source", "/data/t.qcow2"},
		{"disk.0.iops-limit", "1000"}, {"disk.0.bps-limit", "10485760"},
		{"disk.0.discard", "unmap"}, {"disk.0.overlap-check", "none"},
		{"disk.0.lazy-refcounts", "on"}, {"disk.0.iothread-mapping", "io0,io1"},
		{"disk.1.bus", "nvme"}, {"disk.1.transport", "null"}, {"disk.2.bus", "nvme"},
		{"disk.2.source", "/data/ns.img"}, {"disk.3.bus", "vhost-user-blk"},
		{"disk.3.source", "/run/vu.sock"}, {"disk.4.bus", "sata"}, {"disk.5.kind", "lun"},
		{"disk.5.bus", "virtio-scsi"}, {"disk.6.bus", "usb"}, {"disk.7.bus", NULL},
		{"iothreads", "2"});
	/* discard stops at the first node that does not let it through */
	COMMAND("qemu-system-x86_64 -blockdev file,node-name=f,filename=/x "
		"-blockdev raw,node-name=r,file=f,discard=unmap -device virtio-blk-pci,drive=r",
		{"disk.0.discard", "ignore"});
	/* the uppermost node ignores unless it says otherwise: as libvirt writes a disk without
	 * discard='unmap'. What QEMU 7.2's file kept after its monitor's "qemu-io f discard". */
	COMMAND("qemu-system-x86_64 -blockdev file,node-name=f,filename=/x,discard=unmap "
		"-blockdev qcow2,node-name=q,file=f -device virtio-blk-pci,drive=q",
		{"disk.0.discard", NULL});
	COMMAND("qemu-system-x86_64 -drive if=virtio,driver=qcow2,discard=unmap,"
		"file.driver=file,file.filename=/x",
		{"disk.0.discard", "unmap"});
	COMMAND("qemu-system-x86_64 -drive if=virtio,driver=qcow2,file.driver=file,"
		"file.filename=/x,file.discard=unmap",
		{"disk.0.discard", NULL});
}

static void test_other_machines(void **state)
{
	struct vm *vm = fixture("arm-virt");

	(void)state;
	assert_true(has_note(vm, "\"-unknown-option\" is not known; left aside with what"));
	assert_true(has_note(vm, "\"-frobnicate\""));
	assert_true(has_note(vm, "\"no-such-device\""));
	vm_free(vm);
	FIXTURE("arm-virt", {"arch", "aarch64"}, {"disk.0.bus", "virtio-blk"}, {"firmware", "efi"},
		{"net.0.backend", "user"}, {"graphics", "gtk"});
	FIXTURE("s390", {"arch", "s390x"}, {"disk.0.bus", "virtio-blk"}, {"disk.0.iothread", "t0"},
		{"disk.0.queues", "2"}, {"balloon", "virtio"}, {"watchdog", "on"},
		{"hostdevs", "1"}, {"net.0.backend", "tap"});
}

/* The words of -drive cache= are documented by what they set, in qemu-system-x86_64(1). */
static void test_cache_words(void **state)
{
	static const struct {
		const char *options, *word;
	} cases[] = {
		{"-drive if=virtio,file=x", NULL},
		{"-drive if=virtio,file=x,cache=off", "none"},
		{"-drive if=virtio,file=x,cache=none", "none"},
		{"-drive if=virtio,file=x,cache=writeback", "writeback"},
		{"-drive if=virtio,file=x,cache=writethrough", "writethrough"},
		{"-drive if=virtio,file=x,cache=directsync", "directsync"},
		{"-drive if=virtio,file=x,cache=unsafe", "unsafe"},
		{"-drive if=virtio,file=x,cache.direct=on,cache.writeback=off", "directsync"},
		{"-drive if=virtio,file=x,cache.direct=on", "none"},
		{"-drive if=virtio,file=x,cache.writeback=off", "writethrough"},
		{"-drive if=virtio,file=x,cache.no-flush=on", "unsafe"},
		{"-drive if=none,id=d,file=x,cache=none -device virtio-blk-pci,drive=d,write-cache=off",
		 "directsync"},
		{"-drive if=none,id=d,file=x,cache=directsync "
		 "-device virtio-blk-pci,drive=d,write-cache=on",
		 "none"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = xasprintf("qemu-system-x86_64 %s", cases[i].options);
		struct vm *vm = command(text);
		const char *word = vm_get(vm, VM_ASKED, "disk.0.cache");

		if (!word != !cases[i].word || (word && strcmp(word, cases[i].word)))
			fail_msg("%s: %s", text, word ? word : "(none)");
		vm_free(vm);
		free(text);
	}
}

/* -smp: levels left out are computed, cores before sockets and threads (QEMU 6.2's manual). */
static void test_smp(void **state)
{
	(void)state;
	COMMAND("kvm -smp 4", {"vcpus", "4"}, {"smp.cores", NULL});
	COMMAND("kvm -smp cores=4", {"vcpus", "4"}, {"smp.sockets", "1"}, {"smp.cores", "4"});
	COMMAND("kvm -smp 8,sockets=2", {"vcpus", "8"}, {"smp.cores", "4"}, {"smp.threads", "1"});
	COMMAND("kvm -smp 8,sockets=2,cores=2", {"smp.threads", "2"});
	COMMAND("kvm -smp 2,maxcpus=8,cores=2,threads=2", {"vcpus", "2"}, {"vcpus.max", "8"},
		{"smp.sockets", "2"});
	COMMAND("kvm -smp sockets=2,dies=2,cores=2,threads=2", {"vcpus", "16"}, {"smp.dies", "2"});
}

static void test_sizes(void **state)
{
	(void)state;
	COMMAND("kvm -m 512", {"memory.size", "536870912"});
	COMMAND("kvm -m 1.5G", {"memory.size", "1610612736"});
	COMMAND("kvm -m size=524288k", {"memory.size", "536870912"});
	COMMAND("kvm -m 1G,slots=2,maxmem=4G", {"memory.max", "4294967296"});
	COMMAND("kvm -m lots", {"memory.size", NULL});
}

/* As POSIX has it (Shell Command Language, 2.2). */
static void test_shell(void **state)
{
	(void)state;
	COMMAND("A=1 B='x y' kvm -name 'a b' -m \\\n 1G", {"memory.size", "1073741824"});
	COMMAND("kvm -hda a\\ b", {"disk.0.source", "a b"});
	COMMAND("kvm -hda \"a\\\"b\\c\"", {"disk.0.source", "a\"b\\c"});
	COMMAND("kvm -hda 'a'\"b\"c", {"disk.0.source", "abc"});
	COMMAND("kvm -hda 'a#b' # -m 1G", {"disk.0.source", "a#b"}, {"memory.size", "134217728"});
	COMMAND("echo kvm2; kvm -m 1G >x 2>&1 -smp 2 | tee log", {"memory.size", "1073741824"},
		{"vcpus", "2"});
	COMMAND("numactl --membind=1 --physcpubind=4-7 kvm", {"cpuset", "4-7"},
		{"numatune.nodeset", "1"}, {"numatune.mode", "strict"});
}

static void refused(const char *text, size_t len, const char *part)
{
	struct err e = {0};
	struct vm *vm;

	assert_int_equal(vm_read_command(text, len, "test", &vm, &e), -EINVAL);
	assert_null(vm);
	assert_int_equal(e.status, VB_BAD_INPUT);
	if (!strstr(e.text, part))
		fail_msg("%.60s: %s", text, e.text);
}

static void test_refused(void **state)
{
	size_t many = 3 * 20001 + 8;
	char *text = calloc(1, many + 1);

	(void)state;
	refused("ls -l", 5, "no QEMU command line");
	refused("", 0, "no QEMU command line");
	refused("kvm -name 'x", 12, "a quote is not closed");
	strcpy(text, "kvm ");
	for (size_t i = 4; i + 3 < many; i += 3)
		memcpy(text + i, "-S ", 3);
	refused(text, strlen(text), "more than 20000 words");
	free(text);
}

static void refused_target(const char *target, int rc, const char *part)
{
	struct err e = {0};
	struct vm *vm;

	assert_int_equal(vm_open(target, &vm, &e), rc);
	assert_null(vm);
	assert_int_equal(e.status, VB_BAD_INPUT);
	if (!strstr(e.text, part))
		fail_msg("%s: %s", target, e.text);
}

static void test_targets(void **state)
{
	char folder[] = "/tmp/vbench-target-XXXXXX", path[64];

	(void)state;
	refused_target("pid:x", -EINVAL, "a process has a number");
	refused_target("pid:99999999", -ESRCH, "there is no process 99999999");
	refused_target("qm:1;reboot", -EINVAL, "machines have numbers");
	refused_target("/nonexistent/x", -ENOENT, "/nonexistent/x: No such file");
	refused_target("/tmp", -EINVAL, "is a folder");
	refused_target("/dev/zero", -EINVAL, "is a character device");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/image", folder);
	assert_int_equal(file_write(path, "QFI\xfb\0\0\0\3", 8, 0600, NULL), 0);
	refused_target(path, -EINVAL, "is a disk image (qcow2)");
	assert_int_equal(file_write(path, "\n# nothing\n", 11, 0600, NULL), 0);
	refused_target(path, -EINVAL, "is empty");
	/* /proc/N/cmdline as it stands: words end with a NUL */
	assert_int_equal(file_write(path, "kvm\0-m\0001G\0-name\0a b", 19, 0600, NULL), 0);
	{
		struct err e = {0};
		struct vm *vm;

		assert_int_equal(vm_open(path, &vm, &e), 0);
		assert_true(vm_is(vm, VM_ASKED, "1073741824", "memory.size"));
		assert_string_equal(vm->name, "a b");
		vm_free(vm);
	}
	assert_int_equal(dir_remove(folder, NULL), 0);
}

/* Nodes that go round in circles, and text that is no text. */
static void test_hostile(void **state)
{
	json_t *json;
	struct vm *vm;

	(void)state;
	vm = command("kvm -blockdev raw,node-name=a,file=b -blockdev raw,node-name=b,file=a "
		     "-device virtio-blk-pci,drive=a -device virtio-blk-pci,drive=nowhere "
		     "-blockdev driver=,node-name=e -device virtio-blk-pci,drive=e");
	assert_int_equal(vm_count(vm, "disk"), 3);
	vm_free(vm);
	vm = command("kvm -blockdev qcow2,node-name=a,file=f,backing=a "
		     "-device virtio-blk-pci,drive=a -m 99999999999999999999G -smp 0,cores=-1");
	assert_true(has_note(vm, "is not a size"));
	vm_free(vm);
	vm = command("kvm -name '\xff\xfe\x01' -uuid '\xc3\xa4\xed\xa0\x80' -device {\"a\":");
	json = vm_json(vm);
	assert_non_null(json);
	assert_string_equal(vm->name, "???");
	assert_true(vm_is(vm, VM_ASKED, "\xc3\xa4???", "uuid"));
	json_decref(json);
	vm_free(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libvirt_json), cmocka_unit_test(test_libvirt_drive),
		cmocka_unit_test(test_proxmox),	     cmocka_unit_test(test_ovirt),
		cmocka_unit_test(test_script),	     cmocka_unit_test(test_later_wins),
		cmocka_unit_test(test_chains),	     cmocka_unit_test(test_other_machines),
		cmocka_unit_test(test_cache_words),  cmocka_unit_test(test_smp),
		cmocka_unit_test(test_sizes),	     cmocka_unit_test(test_shell),
		cmocka_unit_test(test_refused),	     cmocka_unit_test(test_targets),
		cmocka_unit_test(test_hostile),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
