// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is written as a QEMU command line is read back as the same machine; Proxmox's command by its
 * manual (qm(1)).
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/child.h"
#include "base/file.h"
#include "vm/read.h"
#include "vm/write.h"

static struct vm *open_vm(const char *path)
{
	struct err e = {0};
	struct vm *vm;

	if (vm_open(path, &vm, &e))
		fail_msg("%s: %s", path, e.text);
	return vm;
}

static char *written(const struct vm *vm, enum vm_format format)
{
	struct err e = {0};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_int_equal(vm_write(f, format, vm, &e), 0);
	fclose(f);
	return text;
}

static struct vm *reread(const char *text)
{
	struct err e = {0};
	struct vm *vm;

	if (vm_read_command(text, strlen(text), "written", &vm, &e))
		fail_msg("%s\n%s", e.text, text);
	return vm;
}

/* Facts that stand behind the command as comments, and those that the text need not repeat. */
static bool is_left_out(const char *key)
{
	static const char *const keys[] = {"graphics",	    "video",	      "hostdevs",
					   "sound",	    "firmware",	      "migratable",
					   "tpm",	    "headless",	      "usb",
					   "debug-threads", "numa.distances", "incomplete"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(key, keys[i]))
			return true;
	/* The chain is found by the image's header, the mapping is QEMU 9's. */
	return strstr(key, ".backing") || strstr(key, "iothread-mapping") || !strcmp(key, "cpuset");
}

static void round_trip(const char *path)
{
	struct vm *a = open_vm(path), *b;
	char *text = written(a, VM_QEMU);

	b = reread(text);
	assert_string_equal(a->name, b->name);
	for (size_t i = 0; i < a->nfacts; i++) {
		const struct vm_fact *f = &a->facts[i];
		const char *value = vm_get(b, VM_ASKED, "%s", f->key);

		if (f->side == VM_ASKED && !is_left_out(f->key) &&
		    (!value || strcmp(value, f->value)))
			fail_msg("%s: %s was %s, is %s\n%s", path, f->key, f->value,
				 value ? value : "(none)", text);
	}
	vm_free(a);
	vm_free(b);
	free(text);
}

static void test_round_trips(void **state)
{
	static const char *const names[] = {"libvirt9-q35", "libvirt6-drive", "ovirt",
					    "proxmox7-q35", "bare",	      "script"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = xasprintf("tests/fixtures/vms/%s.argv", names[i]);

		round_trip(path);
		free(path);
	}
}

static struct vm *pinned(void)
{
	struct vm *vm = vm_new("we b'1", "test");

	vm_set(vm, VM_ASKED, "kvm", "", "accel");
	vm_set(vm, VM_ASKED, "2", "", "vcpus");
	vm_set(vm, VM_ASKED, "4294967296", "", "memory.size");
	vm_set(vm, VM_ASKED, "2097152", "", "memory.page");
	vm_set(vm, VM_ASKED, "strict", "", "numatune.mode");
	vm_set(vm, VM_ASKED, "0,2", "", "numatune.nodeset");
	vm_set(vm, VM_ASKED, "2", "", "vcpu.0.pin");
	vm_set(vm, VM_ASKED, "3", "", "vcpu.1.pin");
	vm_set(vm, VM_ASKED, "fifo:1", "", "vcpu.1.sched");
	vm_set(vm, VM_ASKED, "0-1", "", "emulator.pin");
	vm_set(vm, VM_ASKED, "1", "", "iothread.0.id");
	vm_set(vm, VM_ASKED, "1", "", "iothread.0.pin");
	vm_set(vm, VM_ASKED, "iothread-virtioscsi0", "", "iothread.1.id");
	vm_set(vm, VM_ASKED, "0", "", "iothread.1.pin");
	vm_set(vm, VM_ASKED, "virtio-blk", "", "disk.0.bus");
	vm_set(vm, VM_ASKED, "1", "", "disk.0.iothread");
	vm_set(vm, VM_ASKED, "/a b,c.img", "", "disk.0.source");
	vm_set(vm, VM_ASKED, "none", "", "disk.0.cache");
	vm_set(vm, VM_ASKED, "virtio-scsi", "", "disk.1.bus");
	vm_set(vm, VM_ASKED, "0", "", "disk.1.controller");
	vm_set(vm, VM_ASKED, "nbd", "", "disk.1.transport");
	vm_set(vm, VM_ASKED, "store\n'/vol", "", "disk.1.source");
	vm_set(vm, VM_ASKED, "iothread-virtioscsi0", "", "controller.0.iothread");
	return vm;
}

static void contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no %s in\n%s", part, text);
}

static void test_pins(void **state)
{
	struct vm *vm = pinned(), *back;
	char *text = written(vm, VM_QEMU);

	(void)state;
	contains(text, "pin 'CPU 0' taskset -p -c 2\n");
	contains(text, "pin 'CPU 1' taskset -p -c 3\n");
	contains(text, "pin 'CPU 1' chrt -f -p 1\n");
	contains(text, "taskset -a -p -c 0-1 $qemu_pid\n");
	/* libvirt's number 1 is QEMU's iothread1; an id too long for a thread's name gets a short
	 * one */
	contains(text, "pin 'IO iothread1' taskset -p -c 1\n");
	contains(text, "pin 'IO io1' taskset -p -c 0\n");
	contains(text, "-device virtio-scsi-pci,id=vscsi0,iothread=io1");
	contains(text, "host-nodes=0,host-nodes=2,policy=bind");
	contains(text, "hugetlb=on,hugetlbsize=2097152");
	contains(text, "'file,node-name=disk0-file,filename=/a b,,c.img,cache.direct=on'");
	/* what cannot be named again is said, on one line */
	contains(text, "its image needs a -blockdev of its own, named as the device's drive=: "
		       "store?'/vol\n");
	back = reread(text);
	assert_string_equal(back->name, "we b'1");
	assert_true(vm_is(back, VM_ASKED, "0,2", "numatune.nodeset"));
	assert_true(vm_is(back, VM_ASKED, "iothread1", "disk.0.iothread"));
	vm_free(vm);
	vm_free(back);
	free(text);
}

static void test_shell_quotes(void **state)
{
	static const char *const hostile[] = {"$(touch x)", "`x`", "a;b", "a\"b", "*", "x y", "''"};

	(void)state;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct vm *vm = vm_new(hostile[i], "test"), *back;
		char *text, *word;

		vm_set(vm, VM_ASKED, "virtio-blk", "", "disk.0.bus");
		vm_set(vm, VM_ASKED, hostile[i], "", "disk.0.source");
		text = written(vm, VM_QEMU);
		/* in single quotes nothing is special to a shell but their end */
		word = strstr(text, "guest=");
		assert_int_equal(word[-1], '\'');
		back = reread(text);
		assert_string_equal(back->name, hostile[i]);
		assert_true(vm_is(back, VM_ASKED, hostile[i], "disk.0.source"));
		vm_free(vm);
		vm_free(back);
		free(text);
	}
}

static void test_qm(void **state)
{
	struct vm *vm = open_vm("tests/fixtures/vms/proxmox8.argv"), *p = pinned();
	char *text;

	(void)state;
	free(vm->name);
	vm->name = xstrdup("101");
	text = written(vm, VM_QM);
	contains(text, "qm set 101 ");
	contains(text, "--sockets 1 ");
	contains(text, "--cores 4 ");
	contains(text, "--cpu 'host,flags=+aes;+pcid'");
	contains(text, "--hugepages 2 ");
	contains(text, "--numa0 cpus=0-3,hostnodes=0,policy=bind,memory=8192 ");
	contains(text, "--scsihw virtio-scsi-single ");
	contains(text, "--scsi0 \"$VOLUME_scsi0,cache=none,aio=io_uring,discard=on,detect_zeroes=1,"
		       "iothread=1\"");
	contains(text, "VOLUME_scsi0=/dev/pve/vm-101-disk-0\n");
	vm_free(vm);
	free(text);
	text = written(p, VM_QM);
	contains(text, "--affinity 0-3 ");
	contains(text, "# not in Proxmox's words: vcpu.0.pin = 2\n");
	vm_free(p);
	free(text);
}

/* A machine with a bit of everything that QEMU 7.2 has under TCG and without rights. */
static struct vm *various(const char *folder)
{
	static const char *const buses[] = {"virtio-blk", "virtio-scsi", "sata",
					    "nvme",	  "usb",	 "scsi"};
	static const struct {
		const char *key, *value;
	} facts[] = {{"arch", "x86_64"},
		     {"machine", "q35"},
		     {"accel", "tcg"},
		     {"cpu.model", "qemu64"},
		     {"cpu.features", "+avx,-x2apic"},
		     {"vcpus", "2"},
		     {"vcpus.max", "4"},
		     {"smp.sockets", "1"},
		     {"smp.cores", "2"},
		     {"smp.threads", "2"},
		     {"memory.size", "50331648"},
		     {"memory.max", "134217728"},
		     {"memory.source", "memfd"},
		     {"memory.shared", "on"},
		     {"memory.merge", "off"},
		     {"iothread.0.id", "1"},
		     {"iothread.1.id", "io-two"},
		     {"iothread.1.poll-max-ns", "0"},
		     {"iothreads", "2"},
		     {"controller.0.iothread", "io-two"},
		     {"controller.0.queues", "2"},
		     {"disk.0.iothread", "1"},
		     {"disk.0.queues", "2"},
		     {"disk.0.queue-size", "64"},
		     {"disk.0.packed", "on"},
		     {"disk.0.event-idx", "off"},
		     {"disk.0.iops-limit", "100"},
		     {"disk.0.bps-limit", "1048576"},
		     {"disk.0.l2-cache", "1048576"},
		     {"disk.0.cache-clean", "60"},
		     {"disk.0.format", "qcow2"},
		     {"disk.1.controller", "0"},
		     {"disk.0.lazy-refcounts", "on"},
		     {"disk.1.error-policy", "stop"},
		     {"net.0.model", "virtio"},
		     {"net.0.backend", "user"},
		     {"net.0.mtu", "1500"},
		     {"net.0.rx-queue-size", "512"},
		     {"balloon", "virtio"},
		     {"balloon.reporting", "on"},
		     {"rng", "on"},
		     {"usb", "on"},
		     {"usb.tablet", "on"},
		     {"watchdog", "on"},
		     {"clock.base", "utc"},
		     {"clock.rtc", "catchup"},
		     {"sandbox", "on"},
		     {"headless", "on"},
		     {"debug-threads", "on"}};
	struct vm *vm = vm_new("various", "test");

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		assert_int_equal(vm_set(vm, VM_ASKED, facts[i].value, "", "%s", facts[i].key), 0);
	for (unsigned i = 0; i < sizeof(buses) / sizeof(buses[0]); i++) {
		char *path = xasprintf("%s/disk %u.img", folder, i);

		vm_set(vm, VM_ASKED, buses[i], "", "disk.%u.bus", i);
		vm_set(vm, VM_ASKED, "file", "", "disk.%u.transport", i);
		vm_set(vm, VM_ASKED, path, "", "disk.%u.source", i);
		vm_set(vm, VM_ASKED, i % 2 ? "directsync" : "writeback", "", "disk.%u.cache", i);
		vm_set(vm, VM_ASKED, "unmap", "", "disk.%u.discard", i);
		vm_set(vm, VM_ASKED, "unmap", "", "disk.%u.detect-zeroes", i);
		free(path);
	}
	return vm;
}

static void images_make(const char *folder)
{
	for (unsigned i = 0; i < 6; i++) {
		char *path = xasprintf("%s/disk %u.img", folder, i);
		const char *const argv[] = {"qemu-img",		 "create", "-q", "-f",
					    i ? "raw" : "qcow2", path,	   "4M", NULL};
		struct err e = {0};

		if (child_run(argv, NULL, 20000, NULL, &e))
			fail_msg("%s", e.text);
		free(path);
	}
}

/* Started by a shell from what was written, behind the program's name only what makes it stop. */
static int started(const char *text, const char *folder)
{
	size_t program = strcspn(text, " ");
	char *pidfile = xasprintf("%s/pid", folder), *command;
	const char *argv[] = {"timeout", "60", "sh", "-c", NULL, NULL};
	struct err e = {0};
	uint64_t pid = 0;

	command = xasprintf("%.*s -S -daemonize -pidfile %s%s", (int)program, text, pidfile,
			    text + program);
	argv[4] = command;
	if (child_run(argv, NULL, 70000, NULL, &e))
		fail_msg("%s\n%s", e.text, text);
	assert_int_equal(file_u64(pidfile, &pid), 0);
	free(command);
	free(pidfile);
	return (int)pid;
}

static bool in_path(const char *name)
{
	char *command = xasprintf("command -v %s", name);
	const char *const argv[] = {"sh", "-c", command, NULL};
	bool found = !child_run(argv, NULL, 10000, NULL, NULL);

	free(command);
	return found;
}

/* QEMU is the judge of what it takes; and what then runs reads as what was asked for. */
static void test_real_qemu(void **state)
{
	char folder[] = "/var/tmp/vbench-write-XXXXXX";
	struct vm *vm, *run = NULL;
	struct err e = {0};
	char *text;
	int pid;

	(void)state;
	if (!in_path("qemu-system-x86_64") || !in_path("qemu-img"))
		skip();
	assert_non_null(mkdtemp(folder));
	images_make(folder);
	vm = various(folder);
	text = written(vm, VM_QEMU);
	pid = started(text, folder);
	assert_true(pid > 1);
	if (vm_read_pid(pid, &run, &e))
		fail_msg("%s", e.text);
	kill(pid, SIGKILL);
	for (size_t i = 0; i < vm->nfacts; i++) {
		const struct vm_fact *f = &vm->facts[i];
		/* libvirt's number is QEMU's iothread1 */
		const char *value = vm_get(run, VM_ASKED, "%s", f->key);
		const char *want = !strcmp(f->value, "1") && strstr(f->key, "iothread")
					   ? "iothread1"
					   : f->value;

		if (!value || strcmp(value, want))
			fail_msg("%s was %s, is %s\n%s", f->key, want, value ? value : "(none)",
				 text);
	}
	assert_true(vm_is(run, VM_GOT, "2", "iothreads"));
	assert_true(vm_is(run, VM_GOT, "memfd", "memory.source"));
	assert_true(vm_is(run, VM_GOT, "50331648", "memory.size"));
	assert_true(vm_is(run, VM_GOT, "on", "disk.1.direct"));
	assert_true(vm_is(run, VM_GOT, "off", "disk.2.direct"));
	vm_free(vm);
	vm_free(run);
	free(text);
	assert_int_equal(dir_remove(folder, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),  cmocka_unit_test(test_pins),
		cmocka_unit_test(test_shell_quotes), cmocka_unit_test(test_qm),
		cmocka_unit_test(test_real_qemu),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
