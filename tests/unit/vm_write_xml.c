// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Facts written as libvirt's XML, virsh commands, oVirt's and Nova's properties. What is written
 * has to read back as the same facts; the other expected texts are by hand from virsh(1), oVirt's
 * REST API guide and Nova's lists of extra specs and image properties.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/file.h"
#include "vm/read.h"
#include "vm/write.h"

static struct vm *read_text(const char *text)
{
	struct vm *vm = NULL;
	struct err e = {0};

	if (vm_read_xml(text, strlen(text), "test.xml", &vm, &e))
		fail_msg("%s\n%s", e.text, text);
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

static char *written(const struct vm *vm, enum vm_format format)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct err e = {0};

	assert_non_null(f);
	if (vm_write(f, format, vm, &e))
		fail_msg("%s", e.text);
	fclose(f);
	return text;
}

static bool in_list(const char *key, const char *const *list)
{
	for (; list && *list; list++)
		if (!strncmp(key, *list, strlen(*list)))
			return true;
	return false;
}

/* Every fact of a but those that libvirt's XML has no words for is one of b. */
static void same(const struct vm *a, const struct vm *b, const char *const *except)
{
	for (size_t i = 0; i < a->nfacts; i++) {
		const struct vm_fact *f = &a->facts[i];
		const char *other = vm_get(b, VM_ASKED, "%s", f->key);

		if (in_list(f->key, except))
			continue;
		if (!other || strcmp(other, f->value))
			fail_msg("%s: %s is %s, and comes back as %s", a->name, f->key, f->value,
				 other ? other : "nothing");
	}
}

static void there_and_back(void **state)
{
	/* "os" is of libosinfo's metadata; what is passed through and who serves a socket is not
	 * among the facts, nor are sizes of cache parts and distances; bios is what libvirt takes
	 * anyway */
	static const char *const bare[] = {"os", NULL}, *const pinned[] = {"numa.distances",
									   "hostdevs",
									   "net.1",
									   "migratable",
									   "cachetune",
									   "memorytune",
									   NULL},
				 *const none[] = {NULL}, *const windows[] = {"os", NULL},
				 *const nvme[] = {"firmware", "migratable", NULL},
				 *const s390x[] = {"hostdevs", "migratable", "net.",
						   "disk.0.iothread", NULL},
				 *const aarch64[] = {"migratable", NULL},
				 *const scsi[] = {"disk.14.encrypted", NULL},
				 *const ovirt[] = {"disk.0.backing", NULL};
	static const struct {
		const char *name;
		const char *const *except;
	} table[] = {{"bare", bare},	   {"pinned", pinned}, {"nova", none},
		     {"windows", windows}, {"nvme", nvme},     {"s390x", s390x},
		     {"aarch64", aarch64}, {"scsi", scsi},     {"ovirt", ovirt}};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct vm *vm = read_fixture(table[i].name), *back;
		char *text = written(vm, VM_LIBVIRT);

		back = read_text(text);
		assert_string_equal(back->name, vm->name);
		same(vm, back, table[i].except);
		vm_free(back);
		vm_free(vm);
		free(text);
	}
}

/* Each of these would end the element, the attribute, the comment, or the command that it is in. */
static void escaped(void **state)
{
	static const char *const nasty[] = {
		"a'b\"c<d>&e;",	    "--> <evil/>",	 "$(reboot)`reboot`;reboot",
		"line\nbreak\ttab", "\xe2\x82\xac \x7f", "'; rm -rf / #"};

	(void)state;
	for (size_t i = 0; i < sizeof(nasty) / sizeof(nasty[0]); i++) {
		struct vm *vm = vm_new(nasty[i], "test"), *back;
		struct err e = {0};
		char *text, *p;

		vm_set(vm, VM_ASKED, "virtio-blk", "", "disk.0.bus");
		vm_set(vm, VM_ASKED, nasty[i], "", "disk.0.source");
		vm_set(vm, VM_ASKED, nasty[i], "", "disk.0.name");
		vm_set(vm, VM_ASKED, nasty[i], "", "disk.0.serial");
		vm_set(vm, VM_ASKED, nasty[i], "", "cpu.model");
		vm_set(vm, VM_ASKED, nasty[i], "", "disk.0.overlap-check"); /* in a comment */
		vm_set_number(vm, VM_ASKED, 1000, "", "disk.0.iops-limit");
		vm_set(vm, VM_ASKED, "1", "", "vcpu.0.pin");
		text = written(vm, VM_LIBVIRT);
		back = read_text(text);
		if (i < 3 || i == 5) {
			assert_string_equal(back->name, nasty[i]);
			assert_string_equal(vm_get(back, VM_ASKED, "disk.0.source"), nasty[i]);
			assert_string_equal(vm_get(back, VM_ASKED, "cpu.model"), nasty[i]);
		}
		vm_free(back);
		free(text);
		text = written(vm, VM_OVIRT);
		assert_null(strstr(text, "--> <evil")); /* nothing ends a comment */
		assert_int_equal(vm_read_xml(text, strlen(text), "t", &back, &e), -EINVAL);
		assert_non_null(
			strstr(e.text, "<vm>, where a <domain>")); /* well-formed, but no domain */
		free(text);
		for (enum vm_format f = VM_VIRSH; f < VM_FORMATS; f += VM_NOVA - VM_VIRSH) {
			text = written(vm, f);
			/* no line begins with what was in a value */
			assert_null(strstr(text, "\nbreak"));
			/* what a shell would run stands in single quotes, or in a comment */
			for (p = strtok(text, "\n"); p; p = strtok(NULL, "\n"))
				if (*p != '#' && strstr(p, "reboot"))
					assert_non_null(strstr(p, "'"));
			free(text);
		}
		vm_free(vm);
	}
}

#define HAS(text, part)                                                \
	do {                                                           \
		if (!strstr(text, part))                               \
			fail_msg("\"%s\" is not in:\n%s", part, text); \
	} while (0)

static void commands(void **state)
{
	struct vm *vm = read_fixture("pinned");
	char *text = written(vm, VM_VIRSH);

	(void)state;
	HAS(text, "virsh vcpupin db 0 2 $LIVE --config\n");
	HAS(text, "virsh vcpupin db 4 4,6-9 $LIVE --config\n");
	HAS(text, "virsh emulatorpin db 0-1,20-21 $LIVE --config\n");
	HAS(text, "virsh iothreadadd db 2 $LIVE --config\n");
	HAS(text, "virsh iothreadpin db 4 30 $LIVE --config\n");
	HAS(text, "virsh iothreadset db 4 --poll-max-ns 65536 $LIVE\n");
	HAS(text, "virsh numatune db --mode strict --nodeset 0-1 --config\n");
	HAS(text, "virsh schedinfo db --set cpu_shares=4096 $LIVE --config\n");
	HAS(text, "virsh schedinfo db --set vcpu_quota=-1 $LIVE --config\n");
	HAS(text, "virsh schedinfo db --set global_quota=400000 $LIVE --config\n");
	/* 40 GiB in KiB */
	HAS(text, "virsh memtune db --hard-limit 41943040KiB $LIVE --config\n");
	HAS(text,
	    "virsh blkdeviotune db vda --total-iops-sec 5000 --total-bytes-sec 209715200 $LIVE --config\n");
	HAS(text, "#   disk.0.cache = none\n");
	free(text);
	vm_free(vm);
}

static void ovirt(void **state)
{
	struct vm *vm = read_fixture("pinned");
	char *text = written(vm, VM_OVIRT);

	(void)state;
	HAS(text, "<vcpu_pin><vcpu>1</vcpu><cpu_set>22</cpu_set></vcpu_pin>");
	HAS(text, "<cpu_pinning_policy>manual</cpu_pinning_policy>");
	HAS(text, "<threads>3</threads>\n  </io>");
	HAS(text, "<name>hugepages</name>\n      <value>1048576</value>"); /* in KiB */
	HAS(text, "<ballooning>false</ballooning>");
	HAS(text, "<numa_tune_mode>strict</numa_tune_mode>");
	HAS(text, "<type>q35_ovmf</type>");
	HAS(text, "<memory>34359738368</memory>");
	free(text);
	vm_free(vm);
}

static void nova(void **state)
{
	struct vm *vm = read_fixture("nova");
	char *text = written(vm, VM_NOVA);

	(void)state;
	HAS(text, "--property hw:cpu_policy=dedicated");
	HAS(text, "--property hw:emulator_threads_policy=share");
	HAS(text, "--property hw:numa_nodes=1");
	HAS(text, "--property hw:mem_page_size=2048"); /* in KiB */
	HAS(text, "--property hw:cpu_threads=2");
	HAS(text, "--property quota:cpu_shares=4096");
	HAS(text, "--property quota:disk_total_iops_sec=2000");
	HAS(text, "--property hw_disk_bus=virtio");
	HAS(text, "--property hw_rng_model=virtio");
	HAS(text, "--property hw_machine_type=pc-i440fx-6.2");
	HAS(text, "# disk_cachemodes = network=writeback\n");
	HAS(text, "# hw_disk_discard = unmap\n");
	free(text);
	vm_free(vm);
	vm = read_fixture("pinned"); /* one vCPU there may use several CPUs */
	text = written(vm, VM_NOVA);
	assert_null(strstr(text, "cpu_policy"));
	HAS(text, "--property hw:numa_nodes=2");
	HAS(text, "--property hw:numa_cpus.1=4-7");
	HAS(text, "--property hw:numa_mem.1=16384"); /* in MiB */
	HAS(text, "--property hw:mem_page_size=1048576");
	HAS(text, "--property hw:locked_memory=true");
	HAS(text, "--property hw_firmware_type=uefi");
	free(text);
	vm_free(vm);
}

/* A plan is little more than pins: no element stands there for what it does not say. */
static void partial(void **state)
{
	struct vm *vm = vm_new("web", "a plan");
	char *text;

	(void)state;
	vm_set(vm, VM_ASKED, "4", "", "vcpu.0.pin");
	vm_set(vm, VM_ASKED, "5", "", "vcpu.1.pin");
	vm_set(vm, VM_ASKED, "iothread0", "",
	       "iothread.0.id"); /* QEMU's name: libvirt has numbers */
	vm_set(vm, VM_ASKED, "2", "", "iothread.0.pin");
	vm_set(vm, VM_ASKED, "iothread0", "", "disk.0.iothread");
	vm_set(vm, VM_ASKED, "virtio-blk", "", "disk.0.bus");
	vm_set(vm, VM_ASKED, "strict", "", "numatune.mode");
	vm_set(vm, VM_ASKED, "1", "", "numatune.nodeset");
	text = written(vm, VM_LIBVIRT);
	assert_string_equal(text, "<domain type='kvm'>\n"
				  "  <name>web</name>\n"
				  "  <iothreads>1</iothreads>\n"
				  "  <iothreadids>\n"
				  "    <iothread id='1'/>\n"
				  "  </iothreadids>\n"
				  "  <cputune>\n"
				  "    <vcpupin vcpu='0' cpuset='4'/>\n"
				  "    <vcpupin vcpu='1' cpuset='5'/>\n"
				  "    <iothreadpin iothread='1' cpuset='2'/>\n"
				  "  </cputune>\n"
				  "  <numatune>\n"
				  "    <memory mode='strict' nodeset='1'/>\n"
				  "  </numatune>\n"
				  "  <devices>\n"
				  "    <disk type='file' device='disk'>\n"
				  "      <driver name='qemu' iothread='1'/>\n"
				  "      <target dev='vda' bus='virtio'/>\n"
				  "    </disk>\n"
				  "  </devices>\n"
				  "</domain>\n");
	free(text);
	vm_free(vm);
}

/* vm_write_xml FORMAT FILE: for tests that hand it to libvirt itself. */
static int print(const char *format, const char *file)
{
	struct vm *vm = NULL;
	struct err e = {0};
	char *text = NULL;
	size_t len = 0;
	int rc = file_read(file, 1 << 20, &text, &len);

	if (!rc)
		rc = vm_read_xml(text, len, file, &vm, &e);
	for (enum vm_format f = 0; !rc && f < VM_FORMATS; f++)
		if (!strcmp(format, vm_format_names[f]))
			rc = vm_write(stdout, f, vm, &e);
	vm_free(vm);
	free(text);
	return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back), cmocka_unit_test(escaped),
		cmocka_unit_test(commands),	  cmocka_unit_test(ovirt),
		cmocka_unit_test(nova),		  cmocka_unit_test(partial),
	};

	if (argc == 3)
		return print(argv[1], argv[2]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
