/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's command line. The first is the one that vbench had before there were other
 * machines: cells of then must get it to the byte. The others are QEMU's documented options, and
 * arithmetic on slots (8 functions each, PCI Local Bus 3.0, 3.2.2.3.4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "guest/machine.h"
#include "guest/template.h"

static struct machine q35(void)
{
	return (struct machine){
		.qemu = {.path = (char *)"/q",
			 .machine = (char *)"pc-q35-7.2",
			 .version = (char *)"7.2.22",
			 .build = (char *)"b",
			 .tsc_khz = 2000123},
		.accel = "tcg",
		.cpu = "max",
		.vcpus = 2,
		.memory = 256ull << 20,
		.sandbox = true,
		.ports = 2,
		.vmlinuz = "/v",
		.initramfs = "/i",
	};
}

static char *line(const struct machine *m)
{
	const struct machine_fds fds = {3, 4, 5, -1};
	char **argv = machine_argv(m, &fds, false), *text = argv_shell(argv);

	argv_free(argv);
	return text;
}

static void has(const struct machine *m, const char *what, bool want)
{
	char *text = line(m);

	if (!strstr(text, what) == want)
		fail_msg("%s \"%s\": %s", want ? "without" : "with", what, text);
	free(text);
}

static void as_ever(void **state)
{
	struct machine m = q35();
	char *text = line(&m);

	(void)state;
	assert_string_equal(
		text,
		"/q -name vbench,debug-threads=on -nodefaults -no-user-config -no-reboot -display "
		"none -machine pc-q35-7.2 -accel tcg -cpu max -smp 2 -m 256M -sandbox "
		"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny -kernel /v "
		"-initrd /i -append 'console=ttyS0 8250.nr_uarts=1 i8042.noaux no_timer_check quiet "
		"panic=-1 oops=panic random.trust_cpu=on cryptomgr.notests tsc=reliable "
		"tsc_early_khz=2000123' -chardev socket,id=qmp,fd=3 -mon chardev=qmp,mode=control -chardev socket,id=console,fd=5 "
		"-serial chardev:console -chardev socket,id=agent,fd=4 -device "
		"virtio-serial-pci,id=vser,disable-legacy=on,max_ports=2 -device "
		"virtserialport,bus=vser.0,chardev=agent,name=org.vbench.agent.0 -device "
		"pcie-root-port,id=rp0,chassis=1,slot=1 -device "
		"pcie-root-port,id=rp1,chassis=2,slot=2");
	free(text);
}

static void ports(void **state)
{
	struct machine m = q35();

	(void)state;
	m.ports = 11;
	has(&m, "id=rp1,chassis=2,slot=2 ", true);
	has(&m, "id=rp2,chassis=3,slot=3,addr=4.0,multifunction=on,io-reserve=0", true);
	has(&m, "id=rp9,chassis=10,slot=10,addr=4.7,io-reserve=0", true);
	has(&m, "id=rp10,chassis=11,slot=11,addr=5.0,multifunction=on", true);
	/* the last that is ever asked for is below slot 31, the chipset's */
	m.ports = MACHINE_PORTS_MAX;
	has(&m, "addr=1e.7,", true);
	has(&m, "addr=1f.", false);
	/* their interrupts would take the vectors of the disks; two ports are left as they are */
	has(&m, " pcie_pme=nomsi ", true);
	m.ports = 2;
	has(&m, "pcie_pme", false);
}

static void board(void **state)
{
	struct machine m = q35();

	(void)state;
	m.qemu.machine = (char *)"microvm";
	m.mmio = true;
	m.ports = 0;
	has(&m, "-machine microvm ", true);
	has(&m, "pci", false);
	has(&m, "-global virtio-mmio.force-legacy=false", true);
	has(&m, "virtio-serial-device,id=vser", true);
	has(&m, "tsc_early_khz=2000123", true);
	has(&m, "virtio-mmio.ioeventfd", false);
	m.no_ioeventfd = true;
	has(&m, "-global virtio-mmio.ioeventfd=off", true);
	m.accel = "kvm";
	has(&m, "tsc", false);
}

static void poll_queues(void **state)
{
	struct machine m = q35(), n = q35();
	char a[17], b[17];

	(void)state;
	m.poll_queues = 2;
	has(&m, "tsc=reliable tsc_early_khz=2000123 virtio_blk.poll_queues=2'", true);
	machine_hash(&m, a);
	machine_hash(&n, b);
	assert_string_not_equal(a, b);
}

/* Templates are shared by machines whose disks on the command line are equal, and by no others. */
static void cold(void **state)
{
	struct qspec one = {Q_DEVICE, json_pack("{s:s, s:s}", "driver", "ide-hd", "serial", "x")};
	struct qspec other = {Q_DEVICE, json_pack("{s:s, s:s}", "driver", "ide-hd", "serial", "y")};
	struct machine m = q35(), n = q35();
	char a[17], b[17];

	(void)state;
	m.cold = &one;
	m.ncold = 1;
	has(&m, "-device '{\"driver\":\"ide-hd\",\"serial\":\"x\"}'", true);
	n.cold = &one;
	n.ncold = 1;
	machine_hash(&m, a);
	machine_hash(&n, b);
	assert_string_equal(a, b);
	n.cold = &other;
	machine_hash(&n, b);
	assert_string_not_equal(a, b);
	n.ncold = 0;
	machine_hash(&n, b);
	assert_string_not_equal(a, b);
	json_decref(one.args);
	json_decref(other.args);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_ever),     cmocka_unit_test(ports), cmocka_unit_test(board),
		cmocka_unit_test(poll_queues), cmocka_unit_test(cold),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
