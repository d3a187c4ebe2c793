// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts as extra specs of a Nova flavor and properties of its image: openstack commands. Nova
 * chooses CPUs and nodes itself, so pins become policies. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"
#include "vm/write_told.h"

/* One property, as a word of its own on a continued line. */
static void put(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(FILE *out, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	fputs(" \\\n  --property ", out);
	vm_put_word(out, text);
	free(text);
}

static const char *yes(int flag)
{
	return flag ? "true" : "false";
}

/* --- the flavor ----------------------------------------------------------------------------------
 */

/* Whether each vCPU that is said to be pinned has one CPU. */
static bool dedicated(struct told *t)
{
	unsigned n = vm_count(t->vm, "vcpu");
	bool all = false;

	for (unsigned i = 0; i < n; i++) {
		const char *pin = told_get(t, "vcpu.%u.pin", i);

		if (pin && strpbrk(pin, ",-"))
			return false;
		all = all || pin;
	}
	return all;
}

static void flavor_cpu(struct told *t, FILE *f)
{
	static const char *const smp[] = {"sockets", "cores", "threads"};
	static const char *const quotas[][2] = {{"cpu.shares", "cpu_shares"},
						{"cpu.period-us", "cpu_period"},
						{"cpu.quota-us", "cpu_quota"}};
	const char *emulator = told_get(t, "emulator.pin");
	int pmu = told_flag(t, "cpu.pmu");
	uint64_t threads;

	if (dedicated(t)) {
		bool own = true;

		put(f, "hw:cpu_policy=dedicated");
		for (unsigned i = 0; emulator && i < vm_count(t->vm, "vcpu"); i++) {
			const char *pin = vm_get(t->vm, VM_ASKED, "vcpu.%u.pin", i);

			own = own && !(pin && !strcmp(pin, emulator));
		}
		/* vCPUs on sibling threads, as the guest is told */
		if (vm_number(t->vm, VM_ASKED, &threads, "smp.threads") && threads > 1)
			put(f, "hw:cpu_thread_policy=require");
		if (emulator && own) /* on [compute]cpu_shared_set */
			put(f, "hw:emulator_threads_policy=share");
	}
	for (size_t i = 0; i < 3; i++) {
		const char *v = told_get(t, "smp.%s", smp[i]);
		uint64_t n, dies;

		/* Nova has no dies: a socket's cores are those of all its dies */
		if (i == 1 && told_number(t, &dies, "smp.dies") && dies > 1 && dies <= 4096 &&
		    told_number(t, &n, "smp.cores") && n <= 4096)
			put(f, "hw:cpu_cores=%llu", (unsigned long long)(n * dies));
		else if (v)
			put(f, "hw:cpu_%s=%s", smp[i], v);
	}
	for (size_t i = 0; i < 3; i++) {
		const char *v = told_get(t, "%s", quotas[i][0]);

		if (v && strcmp(v, "0"))
			put(f, "quota:%s=%s", quotas[i][1], v);
	}
	if (pmu >= 0)
		put(f, "hw:pmu=%s", yes(pmu));
}

/* Nova takes memory by cell in MiB, and numbers cells as libvirt does. */
static void flavor_cells(struct told *t, FILE *f)
{
	unsigned cells = vm_count(t->vm, "numa"), known = 0;

	for (unsigned i = 0; i < cells; i++)
		known += vm_get(t->vm, VM_ASKED, "numa.%u.cpus", i) != NULL;
	if (known)
		put(f, "hw:numa_nodes=%u", known);
	else if (vm_is(t->vm, VM_ASKED, "0", "numatune.nodeset") ||
		 (vm_get(t->vm, VM_ASKED, "numatune.nodeset") &&
		  !strpbrk(vm_get(t->vm, VM_ASKED, "numatune.nodeset"), ",-")))
		put(f, "hw:numa_nodes=1"); /* all of it on one of the host's nodes, whichever */
	for (unsigned i = 0; known > 1 && i < cells; i++) {
		const char *cpus = told_get(t, "numa.%u.cpus", i);
		uint64_t bytes;

		if (!cpus || !told_number(t, &bytes, "numa.%u.memory", i))
			continue;
		put(f, "hw:numa_cpus.%u=%s", i, cpus);
		put(f, "hw:numa_mem.%u=%llu", i, (unsigned long long)bytes >> 20);
	}
	for (unsigned i = 0; i < cells; i++) {
		told_get(t, "numa.%u.cpus", i);
		told_get(t, "numa.%u.memory", i);
	}
}

static void flavor_memory(struct told *t, FILE *f)
{
	uint64_t page;

	if (told_number(t, &page, "memory.page"))
		put(f, "hw:mem_page_size=%llu", (unsigned long long)page >> 10);
	if (told_flag(t, "memory.locked") > 0)
		put(f, "hw:locked_memory=true");
}

/* Quotas of a flavor hold for each disk. */
static void flavor_disk(struct told *t, FILE *f)
{
	static const char *const limits[][2] = {{"iops-limit", "disk_total_iops_sec"},
						{"bps-limit", "disk_total_bytes_sec"}};
	uint64_t n;

	for (size_t i = 0; i < 2; i++)
		if (told_number(t, &n, "disk.0.%s", limits[i][0]) && n)
			put(f, "quota:%s=%llu", limits[i][1], (unsigned long long)n);
	if (vm_number(t->vm, VM_ASKED, &n, "net.0.queues") && n > 1)
		put(f, "hw:vif_multiqueue_enabled=true");
}

/* --- the image -----------------------------------------------------------------------------------
 */

static void image_disk(struct told *t, FILE *f)
{
	static const char *const buses[][2] = {{"virtio-blk", "virtio"}, {"virtio-scsi", "scsi"},
					       {"scsi", "scsi"},	 {"sata", "sata"},
					       {"ide", "ide"},		 {"usb", "usb"}};
	const char *bus = told_get(t, "disk.0.bus");

	for (size_t i = 0; bus && i < sizeof(buses) / sizeof(buses[0]); i++)
		if (!strcmp(bus, buses[i][0]))
			put(f, "hw_disk_bus=%s", buses[i][1]);
	if (bus && !strcmp(bus, "virtio-scsi"))
		put(f, "hw_scsi_model=virtio-scsi");
	if (vm_is(t->vm, VM_ASKED, "on", "disk.0.packed")) {
		told_get(t, "disk.0.packed");
		put(f, "hw_virtio_packed_ring=true");
	}
}

static void image_devices(struct told *t, FILE *f)
{
	const char *os = told_get(t, "os"), *machine = told_get(t, "machine"),
		   *firmware = told_get(t, "firmware"), *arch = told_get(t, "arch"),
		   *net = told_get(t, "net.0.model"), *video = told_get(t, "video");
	int hpet = told_flag(t, "clock.hpet"), watchdog = told_flag(t, "watchdog");

	if (arch)
		put(f, "hw_architecture=%s", arch);
	if (os && strcmp(os, "other"))
		put(f, "os_type=%s", os);
	if (machine)
		put(f, "hw_machine_type=%s", machine);
	if (firmware)
		put(f, "hw_firmware_type=%s", strcmp(firmware, "efi") ? firmware : "uefi");
	if (net)
		put(f, "hw_vif_model=%s", net);
	if (video && !strchr(video, ','))
		put(f, "hw_video_model=%s", video);
	if (told_flag(t, "agent") > 0)
		put(f, "hw_qemu_guest_agent=yes");
	if (told_flag(t, "rng") > 0)
		put(f, "hw_rng_model=virtio");
	if (told_flag(t, "usb.tablet") > 0)
		put(f, "hw_input_bus=usb");
	if (hpet >= 0)
		put(f, "hw_time_hpet=%s", yes(hpet));
	if (watchdog > 0)
		put(f, "hw_watchdog_action=reset");
}

/* --- what the compute host's nova.conf says for all ----------------------------------------------
 */

static void write_conf(struct told *t)
{
	const char *cache = told_get(t, "disk.0.cache"), *discard = told_get(t, "disk.0.discard"),
		   *model = told_get(t, "cpu.model"), *transport = told_get(t, "disk.0.transport"),
		   *rx = told_get(t, "net.0.rx-queue-size"),
		   *tx = told_get(t, "net.0.tx-queue-size");
	bool file = !transport || !strcmp(transport, "file");

	if (!cache && !discard && !model && !rx && !tx)
		return;
	fputs("# for all machines of a compute host, in its nova.conf:\n# [libvirt]\n", t->out);
	if (cache)
		fprintf(t->out, "# disk_cachemodes = %s=%s\n",
			file			      ? "file"
			: !strcmp(transport, "block") ? "block"
						      : "network",
			cache);
	if (discard)
		fprintf(t->out, "# hw_disk_discard = %s\n", discard);
	if (rx)
		fprintf(t->out, "# rx_queue_size = %s\n", rx);
	if (tx)
		fprintf(t->out, "# tx_queue_size = %s\n", tx);
	if (!model)
		return;
	fputs("# cpu_mode = ", t->out);
	if (!strncmp(model, "host", 4)) {
		vm_put_comment(t->out, strcmp(model, "host") ? model : "host-passthrough");
	} else {
		fputs("custom\n# cpu_models = ", t->out);
		vm_put_comment(t->out, model);
	}
	putc('\n', t->out);
}

static void say_left(FILE *out, const struct vm_fact *f)
{
	fputs("#   ", out);
	vm_put_comment(out, f->key);
	fputs(" = ", out);
	vm_put_comment(out, f->value);
	putc('\n', out);
}

/* "openstack KIND set PROPERTIES $NAME", if there are any. */
static void command(struct told *t, const char *kind, const char *variable,
		    void (*const parts[])(struct told *t, FILE *f))
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	for (size_t i = 0; parts[i]; i++)
		parts[i](t, f);
	fclose(f);
	if (len)
		fprintf(t->out, "openstack %s set \"$%s\"%s\n", kind, variable, text);
	free(text);
}

int vm_write_nova(FILE *out, const struct vm *vm, struct err *e)
{
	static void (*const flavor[])(struct told *, FILE *) = {flavor_cpu, flavor_cells,
								flavor_memory, flavor_disk, NULL};
	static void (*const image[])(struct told *, FILE *) = {image_disk, image_devices, NULL};
	static const char *const given[] = {
		"uuid",		 "qemu.*",	   "accel",	    "migratable",   "sandbox",
		"debug-threads", "memory.current", "graphics",	    "headless",	    "disk.#.name",
		"disk.#.source", "disk.#.kind",	   "disk.#.format", "disk.#.serial"};
	const char *vcpus, *size;
	struct told t;

	told_begin(&t, out, vm);
	vcpus = told_get(&t, "vcpus");
	told_get(&t, "vcpus.max");
	size = told_get(&t, "memory.size");
	fputs("FLAVOR=flavor-of-", out);
	vm_put_word(out, vm->name);
	fputs(" IMAGE=image-of-", out);
	vm_put_word(out, vm->name);
	putc('\n', out);
	if (vcpus && size)
		fprintf(out, "openstack flavor create \"$FLAVOR\" --vcpus %s --ram %llu --disk 0\n",
			vcpus, strtoull(size, NULL, 10) >> 20);
	command(&t, "flavor", "FLAVOR", flavor);
	command(&t, "image", "IMAGE", image);
	write_conf(&t);
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		told_skip(&t, given[i]);
	fputs("# Nova has no word for the following; it chooses CPUs and nodes itself:\n", out);
	told_skip_absent(&t);
	told_left(&t, say_left);
	return told_end(&t, e);
}
