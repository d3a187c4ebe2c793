/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts, noise, guests and checks of machines under tests/fixtures/hosts, which were made by hand:
 * what is expected follows from each README there and from proc(5) and the kernel's
 * Documentation/ABI.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "host/check.h"
#include "host/host.h"
#include "host/id.h"
#include "host/noise.h"
#include "host/program.h"
#include "host/read.h"
#include "host/summary.h"

#define HOSTS "tests/fixtures/hosts/"
#define TWO_SOCKETS HOSTS "two-sockets"
#define LAPTOP HOSTS "laptop"
#define SMALL_VM HOSTS "small-vm"

/* The value at a path such as "topology.nodes.1.cpus"; numbers index arrays. Fails the test if a
 * step is missing. */
static const json_t *at(const json_t *j, const char *path)
{
	char *all = strdup(path), *save = NULL;

	for (char *w = strtok_r(all, ".", &save); w; w = strtok_r(NULL, ".", &save)) {
		j = json_is_array(j) ? json_array_get(j, atoi(w)) : json_object_get(j, w);
		if (!j)
			fail_msg("no %s in %s", w, path);
	}
	free(all);
	return j;
}

static void is_text(const json_t *j, const char *path, const char *want)
{
	const char *got = json_string_value(at(j, path));

	if (!got)
		fail_msg("%s is no string", path);
	assert_string_equal(got, want);
}

static void is_number(const json_t *j, const char *path, json_int_t want)
{
	if (!json_is_integer(at(j, path)))
		fail_msg("%s is no integer", path);
	assert_int_equal(json_integer_value(at(j, path)), want);
}

static void is_bool(const json_t *j, const char *path, bool want)
{
	if (!json_is_boolean(at(j, path)))
		fail_msg("%s is no boolean", path);
	assert_int_equal(json_is_true(at(j, path)), want);
}

static void is_null(const json_t *j, const char *path)
{
	if (!json_is_null(at(j, path)))
		fail_msg("%s is not null", path);
}

static json_t *facts_of(const char *root, const char *dir)
{
	const char *const dirs[] = {dir, NULL};

	return host_facts_at(root, NULL, dirs);
}

static void two_sockets_cpu_and_memory(void **state)
{
	json_t *f = facts_of(TWO_SOCKETS, NULL);

	(void)state;
	is_text(f, "cpu.source", "proc");
	is_text(f, "cpu.vendor", "GenuineIntel");
	is_text(f, "cpu.brand", "Intel(R) Xeon(R) Gold 6226R CPU @ 2.90GHz");
	is_number(f, "cpu.family", 6);
	is_number(f, "cpu.model", 85);
	is_number(f, "cpu.stepping", 7);
	is_number(f, "cpu.max_khz", 3900000);
	is_text(f, "microcode", "0x5003604");
	is_number(f, "topology.packages", 2);
	is_number(f, "topology.numa", 2);
	is_number(f, "topology.cores", 4);
	is_number(f, "topology.pus", 4);
	is_bool(f, "topology.smt", false);
	is_number(f, "topology.l3", 2);
	is_number(f, "topology.l3_bytes", 22528 * 1024);
	is_number(f, "topology.l2_bytes", 1024 * 1024);
	is_text(f, "topology.nodes.1.cpus", "2-3");
	is_number(f, "topology.nodes.0.memory_bytes", 67108864ll * 1024);
	is_number(f, "topology.nodes.1.memory_bytes", 33554432ll * 1024);
	is_number(f, "memory.total_bytes", 100663296ll * 1024);
	is_number(f, "memory.swap_free_bytes", 4194304ll * 1024);
	/* by value: 2 MiB before 1 GiB */
	is_number(f, "memory.hugepages.0.bytes", 2048 * 1024);
	is_number(f, "memory.hugepages.0.total", 512);
	is_number(f, "memory.hugepages.0.free", 100);
	is_number(f, "memory.hugepages.1.bytes", 1048576ll * 1024);
	json_decref(f);
}

static void two_sockets_settings(void **state)
{
	json_t *f = facts_of(TWO_SOCKETS, NULL);

	(void)state;
	is_bool(f, "virtualised", false);
	is_null(f, "hypervisor");
	is_text(f, "kernel", "6.1.0-25-amd64");
	is_text(f, "distro", "Debian GNU/Linux 12 (bookworm)");
	is_text(f, "governor", "performance");
	is_text(f, "frequency_driver", "intel_pstate");
	is_bool(f, "turbo", false); /* no_turbo is 1 */
	is_text(f, "thp.enabled", "always");
	is_text(f, "thp.defrag", "madvise");
	is_number(f, "ksm.run", 1);
	is_number(f, "numa_balancing", 1);
	is_number(f, "vm.swappiness", 10);
	is_null(f, "vm.dirty_bytes");
	is_bool(f, "nested", true);
	is_number(f, "halt_poll_ns", 200000);
	is_text(f, "kvm.device", "/dev/kvm");
	is_text(f, "kvm.modules.kvm_intel.ept", "Y");
	assert_null(json_object_get(at(f, "kvm.modules"), "kvmgt"));
	is_text(f, "mitigations.meltdown", "Mitigation: PTI");
	is_text(f, "mitigations.l1tf", "Not affected");
	is_number(f, "aio.max_nr", 1048576);
	is_null(f, "io_uring.disabled"); /* before Linux 6.6 */
	is_null(f, "io_uring.works");	 /* a snapshot is not probed */
	is_null(f, "qemu");
	json_decref(f);
}

static void storage_goes_down_to_the_disk(void **state)
{
	json_t *s = host_storage_at(TWO_SOCKETS, "/srv/images of guests/a");

	(void)state;
	is_text(s, "mount_point", "/srv/images of guests");
	is_text(s, "filesystem", "ext4");
	is_text(s, "kind", "local");
	is_text(s, "mount_options", "rw,noatime");
	is_text(s, "super_options", "rw,data=ordered");
	assert_int_equal(json_array_size(at(s, "devices")), 3);
	is_text(s, "devices.0.name", "dm-0");
	is_text(s, "devices.0.kind", "dm");
	is_text(s, "devices.0.target", "LVM"); /* not its UUID */
	is_text(s, "devices.1.name", "nvme0n1p3");
	is_text(s, "devices.1.kind", "partition");
	is_text(s, "devices.2.name", "nvme0n1");
	is_text(s, "devices.2.kind", "disk");
	is_text(s, "devices.2.model", "SAMSUNG MZWLJ3T8HBLS-00007"); /* without the padding */
	is_text(s, "devices.2.queue.scheduler", "none");
	is_bool(s, "devices.2.queue.rotational", false);
	is_text(s, "devices.2.queue.write_cache", "write through");
	is_number(s, "devices.2.queue.wbt_lat_usec", 2000);
	is_null(s, "size_bytes");
	json_decref(s);
}

static void storage_finds_the_right_mount(void **state)
{
	json_t *s = host_storage_at(TWO_SOCKETS, "/srv/nfs/vm");

	(void)state;
	is_text(s, "filesystem", "nfs4");
	is_text(s, "kind", "network");
	assert_int_equal(json_array_size(at(s, "devices")), 0);
	json_decref(s);
	/* /srv/nfs is a prefix of it in letters, not in folders */
	s = host_storage_at(TWO_SOCKETS, "/srv/nfsother");
	is_text(s, "kind", "memory");
	json_decref(s);
	s = host_storage_at(TWO_SOCKETS, "/srv/nfs2");
	is_text(s, "mount_point", "/");
	json_decref(s);
	s = host_storage_at(LAPTOP, "/home/u");
	is_text(s, "filesystem", "btrfs");
	is_text(s, "devices.0.name", "nvme0n1p2");
	is_text(s, "devices.1.queue.scheduler", "mq-deadline");
	json_decref(s);
	s = host_storage_at(SMALL_VM, "/var");
	is_text(s, "kind", "overlay");
	json_decref(s);
	s = host_storage_at("/nonexistent", "/var");
	is_null(s, "filesystem");
	json_decref(s);
}

static void laptop(void **state)
{
	json_t *f = facts_of(LAPTOP, "/home");

	(void)state;
	is_number(f, "topology.packages", 1);
	is_number(f, "topology.cores", 2);
	is_number(f, "topology.pus", 4);
	is_bool(f, "topology.smt", true);
	is_number(f, "topology.l2", 2);
	is_null(f, "topology.l3");
	/* policies 0 and 2 agree; policy10 comes after policy2 */
	is_text(f, "governor", "powersave, performance");
	/* "performance" must not be taken for seen because it ends "balance_performance" */
	is_text(f, "energy_preference", "balance_performance, performance");
	is_bool(f, "turbo", true);
	is_text(f, "distro", "Fedora Linux");
	is_bool(f, "nested", false);
	is_number(f, "io_uring.disabled", 2);
	is_number(f, "io_uring.group", -1);
	is_null(f, "ksm.run");
	is_null(f, "mitigations");
	is_null(f, "kvm.device");
	is_text(f, "storage.0.source", "/dev/nvme0n1p2");
	json_decref(f);
}

static void small_vm(void **state)
{
	json_t *f = facts_of(SMALL_VM, NULL);

	(void)state;
	is_bool(f, "virtualised", true);
	is_text(f, "hypervisor", "qemu"); /* by DMI */
	is_number(f, "topology.pus", 1);
	is_null(f, "microcode");
	is_null(f, "governor");
	is_null(f, "turbo");
	is_null(f, "distro");	      /* its os-release is broken */
	is_null(f, "vm.swappiness");  /* "lots" */
	is_null(f, "numa_balancing"); /* empty */
	is_null(f, "memory.available_bytes");
	is_null(f, "memory.hugepages");
	assert_int_equal(json_array_size(at(f, "storage")), 0);
	json_decref(f);
}

static void facts_come_in_the_same_order(void **state)
{
	json_t *a = facts_of(TWO_SOCKETS, "/srv/nfs"), *b = facts_of(TWO_SOCKETS, "/srv/nfs");
	char *x = json_dumps(a, 0), *y = json_dumps(b, 0);

	(void)state;
	assert_string_equal(x, y);
	free(x);
	free(y);
	json_decref(a);
	json_decref(b);
}

static void nothing_is_read_from_an_empty_root(void **state)
{
	json_t *f = facts_of("/nonexistent", "/");

	(void)state;
	is_null(f, "kernel");
	is_null(f, "virtualised");
	is_null(f, "cpu.vendor");
	is_null(f, "mitigations");
	is_null(f, "memory.total_bytes");
	json_decref(f);
}

/* Sums made with sha256sum(1). */
static void id_is_a_keyed_hash(void **state)
{
	char id[65], again[65];

	(void)state;
	assert_int_equal(host_id_at(TWO_SOCKETS, id), 0);
	assert_string_equal(id, "caaba54e9b1b8407fa85c7608859a2570cebf8ed3bf70b1c884d57b8ca57ea4d");
	/* "uninitialized" is no id (machine-id(5)): the DMI UUID stands in */
	assert_int_equal(host_id_at(SMALL_VM, id), 0);
	assert_string_equal(id, "928c52b1a44440a798ab92ca20a9b014e65954822ba07a708b27f295c31ca0cd");
	assert_int_equal(host_id(id, NULL), 0);
	assert_int_equal(host_id(again, NULL), 0);
	assert_string_equal(id, again);
	assert_int_equal(strlen(id), 64);
}

static void noise_is_taken(void **state)
{
	struct host_noise n;

	(void)state;
	host_noise_take_at(TWO_SOCKETS, &n);
	/* user 1000 nice 200 system 300 irq 60 softirq 40; guest 700 is part of user */
	assert_int_equal(n.busy_ticks, 1600);
	assert_int_equal(n.steal_ticks, 100);
	/* and idle 4000, iowait 500, steal 100 */
	assert_int_equal(n.total_ticks, 6200);
	assert_int_equal(n.psi_cpu_us, 5000000);
	assert_int_equal(n.psi_io_us, 7000000);
	assert_int_equal(n.psi_mem_us, 0);
	assert_int_equal(n.nr_running, 3);
	assert_true(n.load1 == 2.5);
	assert_int_equal(n.freq_khz, 3000000); /* (2.9 + 2.9 + 3.1 + 3.1) / 4 */
	/* a kernel of old: no steal, no PSI */
	host_noise_take_at(SMALL_VM, &n);
	assert_int_equal(n.busy_ticks, 20);
	assert_int_equal(n.total_ticks, 100);
	assert_int_equal(n.freq_khz, 0);
	host_noise_take_at("/nonexistent", &n);
	assert_int_equal(n.total_ticks, 0);
}

static void noise_shares(void **state)
{
	const struct host_noise a = {.ns = 1000000000,
				     .steal_ticks = 10,
				     .busy_ticks = 100,
				     .total_ticks = 1000,
				     .psi_cpu_us = 500,
				     .psi_io_us = 1000};
	const struct host_noise b = {.ns = 3000000000,
				     .steal_ticks = 30,
				     .busy_ticks = 150,
				     .total_ticks = 1200,
				     .psi_cpu_us = 500500,
				     .psi_io_us = 1000,
				     .load1 = 1.5,
				     .freq_khz = 7};
	json_t *d = host_noise_diff(&a, &b);

	(void)state;
	/* 20 of 200 ticks, 50 of 200; 0.5 s and 0 s of 2 s */
	assert_true(json_real_value(at(d, "steal")) == 0.1);
	assert_true(json_real_value(at(d, "busy")) == 0.25);
	assert_true(json_real_value(at(d, "psi_cpu")) == 0.25);
	assert_true(json_real_value(at(d, "psi_io")) == 0);
	is_null(d, "psi_mem");
	assert_true(json_real_value(at(d, "load1")) == 1.5);
	is_number(d, "freq_khz", 7);
	json_decref(d);
	/* nothing between: no share rather than a division by zero; backwards: no share of more
	 * than 1 */
	d = host_noise_diff(&b, &b);
	is_null(d, "busy");
	is_null(d, "psi_cpu");
	json_decref(d);
	d = host_noise_diff(&b, &a);
	is_null(d, "busy");
	json_decref(d);
}

/*
 * Of the processes there: 4242 by its name, 4243 by its exe (its name was changed) count; a zombie,
 * a kernel thread, qemu-img, a broken line and 4302 (a grandchild of 4300) do not.
 */
static void other_guests_are_counted(void **state)
{
	(void)state;
	assert_int_equal(host_other_guests_at(TWO_SOCKETS, 4300), 2);
	assert_int_equal(host_other_guests_at(TWO_SOCKETS, 4301), 2);
	assert_int_equal(host_other_guests_at(TWO_SOCKETS, 77), 3);
	assert_int_equal(host_other_guests_at(SMALL_VM, 77), 0);
}

/* The state of the check with this name; -1 if there is none. */
static int state_of(const struct host_checks *c, const char *what)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->list[i].what, what) == 0)
			return c->list[i].state;
	return -1;
}

static void checks_name_what_bends_numbers(void **state)
{
	struct host_checks c = {0};
	json_t *f = facts_of(TWO_SOCKETS, NULL);

	(void)state;
	host_check_setup(&c, f);
	assert_int_equal(state_of(&c, "bare metal"), CHECK_PASS);
	assert_int_equal(state_of(&c, "frequency governor"), CHECK_PASS);
	assert_int_equal(state_of(&c, "KSM"), CHECK_WARN);
	assert_int_equal(state_of(&c, "NUMA balancing"), CHECK_WARN);
	assert_int_equal(state_of(&c, "swap"), CHECK_WARN);
	for (size_t i = 0; i < c.n; i++)
		assert_int_equal(c.list[i].state != CHECK_PASS, c.list[i].remedy[0] != '\0');
	host_checks_free(&c);
	json_decref(f);

	f = facts_of(LAPTOP, NULL);
	host_check_setup(&c, f);
	assert_int_equal(state_of(&c, "frequency governor"), CHECK_WARN);
	assert_int_equal(state_of(&c, "KSM"), CHECK_PASS);
	assert_int_equal(state_of(&c, "swap"), CHECK_PASS);
	assert_int_equal(state_of(&c, "NUMA balancing"), -1); /* one node has nothing to balance */
	host_checks_free(&c);
	json_decref(f);

	f = facts_of(SMALL_VM, NULL);
	host_check_setup(&c, f);
	assert_int_equal(state_of(&c, "bare metal"), CHECK_WARN);
	host_checks_free(&c);
	json_decref(f);
}

static char *printed(const struct host_checks *c)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	host_checks_print(c, f, false);
	fclose(f);
	return text;
}

static void checks_print_one_safe_line_each(void **state)
{
	struct host_checks c = {0};
	char *text;

	(void)state;
	host_checks_add(&c, CHECK_PASS, "a", "", "%s", "fine");
	host_checks_add(&c, CHECK_FAIL, "b", "mend it", "%s", "bad\n\033[2Jpath");
	text = printed(&c);
	assert_string_equal(
		text, "PASS  a: fine\n"
		      "FAIL  b: bad??[2Jpath -> mend it\n"
		      "2 checks: 1 failed, 0 warnings; what failed must be mended before anything "
		      "can be measured\n");
	free(text);
	host_checks_free(&c);
}

static void versions_are_parsed(void **state)
{
	/* first lines as printed by QEMU 7.2 and 9.1, fio 3.33, gnuplot 5.4, and none */
	static const struct {
		const char *line, *version, *package;
	} rows[] = {
		{"QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright 2022",
		 "7.2.22", "Debian 1:7.2+dfsg-7+deb12u18"},
		{"QEMU emulator version 9.1.50 (v9.1.0-12-gabcdef)", "9.1.50", "v9.1.0-12-gabcdef"},
		{"fio-3.33\n", "3.33", ""},
		{"fio-3.37-10-g1234\n", "3.37-10-g1234", ""},
		{"gnuplot 5.4 patchlevel 4\n", "5.4", ""},
		{"qemu-img version 10.0.0 (unclosed\n", "10.0.0", ""},
		{"x86 and 64 bits\n1.2\n", "", ""},
		{"", "", ""},
	};
	char v[32], p[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		host_version_parse(rows[i].line, v, sizeof(v), p, sizeof(p));
		assert_string_equal(v, rows[i].version);
		assert_string_equal(p, rows[i].package);
	}
	host_version_parse("version 123.456.789 (package)", v, 4, p, 4);
	assert_string_equal(v, "123");
	assert_string_equal(p, "pac");
}

static void texts_are_read(void **state)
{
	char word[] = "a [b] c", none[] = "abc", open[] = "a [b", buf[8];
	json_t *j;

	(void)state;
	assert_string_equal(host_chosen(word), "b");
	assert_string_equal(host_chosen(none), "abc");
	assert_string_equal(host_chosen(open), "a [b");
	assert_true(host_field("model name\t: x\nmodel\t\t: 7 \n", "model", ':', buf, sizeof(buf)));
	assert_string_equal(buf, "7");
	assert_true(host_field("a: 123456789", "a", ':', buf, sizeof(buf)));
	assert_string_equal(buf, "1234567");
	assert_false(host_field("ab: 1\n", "a", ':', buf, sizeof(buf)));
	assert_false(host_field("", "a", ':', buf, sizeof(buf)));
	j = host_json_string("caf\xe9"); /* Latin 1 */
	assert_string_equal(json_string_value(j), "caf?");
	json_decref(j);
}

/* This machine, against what else says it: sysconf(3) for CPUs, /proc/cpuinfo for the processor. */
static void this_machine_agrees(void **state)
{
	json_t *f = facts_of("", "/"), *c = host_json_line("", "/proc/sys/kernel/osrelease");
	char *text = host_text("", "/proc/cpuinfo"), buf[256];

	(void)state;
	is_text(f, "kernel", json_string_value(c));
	assert_true(json_integer_value(at(f, "topology.pus")) >= sysconf(_SC_NPROCESSORS_ONLN));
#if defined(__x86_64__)
	assert_true(host_field(text, "cpu family", ':', buf, sizeof(buf)));
	is_number(f, "cpu.family", atoi(buf));
	assert_true(host_field(text, "model", ':', buf, sizeof(buf)));
	is_number(f, "cpu.model", atoi(buf));
	assert_true(host_field(text, "vendor_id", ':', buf, sizeof(buf)));
	is_text(f, "cpu.vendor", buf);
#else
	(void)buf;
#endif
	assert_true(json_integer_value(at(f, "storage.0.size_bytes")) > 0);
	free(text);
	json_decref(c);
	json_decref(f);
}

static void topology_xml_names_nobody(void **state)
{
	char name[HOST_NAME_MAX + 1] = "", quoted[HOST_NAME_MAX + 16];
	char *xml = host_topology_xml(NULL);

	(void)state;
	assert_non_null(xml);
	assert_non_null(strstr(xml, "<topology version="));
	gethostname(name, sizeof(name) - 1);
	snprintf(quoted, sizeof(quoted), "value=\"%s\"", name);
	if (*name)
		assert_null(strstr(xml, quoted));
	free(xml);
}

static void summary_stands_without_facts(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	json_t *f = facts_of(LAPTOP, "/home"), *none = json_object();

	(void)state;
	host_summary(out, none);
	fflush(out);
	assert_non_null(strstr(text, "Processor   not known\n"));
	host_summary(out, f);
	fclose(out);
	assert_non_null(strstr(text, "2 cores; 4 threads; L2 512 KiB x 2\n"));
	assert_non_null(strstr(text, "governor powersave, performance"));
	free(text);
	json_decref(f);
	json_decref(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_sockets_cpu_and_memory),
		cmocka_unit_test(two_sockets_settings),
		cmocka_unit_test(storage_goes_down_to_the_disk),
		cmocka_unit_test(storage_finds_the_right_mount),
		cmocka_unit_test(laptop),
		cmocka_unit_test(small_vm),
		cmocka_unit_test(facts_come_in_the_same_order),
		cmocka_unit_test(nothing_is_read_from_an_empty_root),
		cmocka_unit_test(id_is_a_keyed_hash),
		cmocka_unit_test(noise_is_taken),
		cmocka_unit_test(noise_shares),
		cmocka_unit_test(other_guests_are_counted),
		cmocka_unit_test(checks_name_what_bends_numbers),
		cmocka_unit_test(checks_print_one_safe_line_each),
		cmocka_unit_test(versions_are_parsed),
		cmocka_unit_test(texts_are_read),
		cmocka_unit_test(this_machine_agrees),
		cmocka_unit_test(topology_xml_names_nobody),
		cmocka_unit_test(summary_stands_without_facts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
