// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts as properties of a VM in oVirt's REST interface: a body for PUT /ovirt-engine/api/vms/ID.
 */
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"
#include "vm/write_told.h"
#include "vm/write_xml.h"

static void element(struct told *t, const char *name, const char *value)
{
	if (!value)
		return;
	fprintf(t->out, "  <%s>", name);
	xml_put(t->out, value);
	fprintf(t->out, "</%s>\n", name);
}

static void flag(struct told *t, const char *name, int value)
{
	if (value >= 0)
		element(t, name, value ? "true" : "false");
}

static void write_pins(struct told *t, FILE *f)
{
	unsigned n = vm_count(t->vm, "vcpu"), pins = 0;

	for (unsigned i = 0; i < n; i++) {
		const char *v = told_get(t, "vcpu.%u.pin", i);

		if (!v)
			continue;
		if (!pins++)
			fputs("    <cpu_tune>\n      <vcpu_pins>\n", f);
		fprintf(f, "        <vcpu_pin><vcpu>%u</vcpu><cpu_set>%s</cpu_set></vcpu_pin>\n", i,
			v);
	}
	if (pins)
		fputs("      </vcpu_pins>\n    </cpu_tune>\n", f);
}

/* oVirt's topology is sockets, cores and threads, all of them. */
static void write_topology(struct told *t, FILE *f)
{
	static const char *const parts[] = {"sockets", "cores", "threads"};
	const char *vcpus = told_get(t, "vcpus"), *v[3], *dies = told_get(t, "smp.dies");
	uint64_t cores = 1, n;
	bool said = false;

	told_get(t, "vcpus.max");
	for (size_t i = 0; i < 3; i++) {
		v[i] = told_get(t, "smp.%s", parts[i]);
		said = said || v[i];
	}
	if (!said && !vcpus)
		return;
	fputs("    <topology>\n", f);
	/* a socket's cores are those of all its dies: the parts' product is the number of vCPUs */
	if (v[1] && told_number(t, &n, "smp.cores"))
		cores = n;
	if (!said) /* one socket of so many cores */
		cores = strtoull(vcpus, NULL, 10);
	if (told_number(t, &n, "smp.dies") && n && n <= 4096 && cores <= 4096)
		cores *= n;
	fprintf(f,
		"      <sockets>%s</sockets>\n      <cores>%llu</cores>\n      <threads>%s</threads>\n",
		v[0] ? v[0] : "1", (unsigned long long)cores, v[2] ? v[2] : "1");
	fputs("    </topology>\n", f);
	if (dies && strcmp(dies, "1"))
		xml_put_comment(f, "dies = %s: oVirt has no word for them; cores has their product",
				dies);
}

static void write_cpu(struct told *t)
{
	const char *model = told_get(t, "cpu.model");
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	write_topology(t, f);
	if (model && (!strcmp(model, "host-passthrough") || !strcmp(model, "host")))
		fputs("    <mode>host_passthrough</mode>\n", f);
	else if (model && !strcmp(model, "host-model"))
		fputs("    <mode>host_model</mode>\n", f);
	write_pins(t, f);
	fclose(f);
	if (len)
		fprintf(t->out, "  <cpu>\n%s  </cpu>\n", text);
	free(text);
	if (model && strncmp(model, "host", 4))
		element(t, "custom_cpu_model", model);
	if (vm_get(t->vm, VM_ASKED, "vcpu.0.pin"))
		element(t, "cpu_pinning_policy", "manual");
}

static void write_memory(struct told *t)
{
	const char *size = told_get(t, "memory.size"), *max = told_get(t, "memory.max"),
		   *balloon = told_get(t, "balloon"), *mode = told_get(t, "numatune.mode");
	uint64_t page;

	element(t, "memory", size);
	if (balloon || max) {
		fputs("  <memory_policy>\n", t->out);
		if (balloon)
			fprintf(t->out, "    <ballooning>%s</ballooning>\n",
				strcmp(balloon, "none") ? "true" : "false");
		if (max)
			fprintf(t->out, "    <max>%s</max>\n", max);
		fputs("  </memory_policy>\n", t->out);
	}
	if (mode && strcmp(mode, "restrictive")) /* oVirt has the other three */
		element(t, "numa_tune_mode", mode);
	if (told_number(t, &page, "memory.page") && page > 65536)
		fprintf(t->out,
			"  <custom_properties>\n    <custom_property>\n      <name>hugepages</name>\n"
			"      <value>%llu</value>\n    </custom_property>\n  </custom_properties>\n",
			(unsigned long long)page >> 10);
}

/* Cells are a collection of their own: POST /ovirt-engine/api/vms/ID/numanodes, one by one. */
static void write_cells(struct told *t)
{
	unsigned n = vm_count(t->vm, "numa");
	const char *all = n ? NULL : told_get(t, "numatune.nodeset");
	uint64_t size = 0, vcpus = 0;

	/* memory is bound by cells only: one with all of it */
	if (all && told_number(t, &size, "memory.size") && told_number(t, &vcpus, "vcpus"))
		xml_put_comment(
			t->out,
			"POST .../numanodes: vm_numa_node with index 0, memory %llu (MiB), cpu cores "
			"0 to %llu, numa_node_pins %s",
			(unsigned long long)size >> 20, (unsigned long long)(vcpus ? vcpus - 1 : 0),
			all);
	for (unsigned i = 0; i < n; i++) {
		const char *cpus = told_get(t, "numa.%u.cpus", i), *nodes;
		uint64_t bytes = 0;

		told_number(t, &bytes, "numa.%u.memory", i);
		nodes = told_get(t, "numa.%u.nodeset", i);
		xml_put_comment(
			t->out,
			"POST .../numanodes: vm_numa_node with index %u, memory %llu (MiB), cpu cores %s, "
			"numa_node_pins %s",
			i, (unsigned long long)bytes >> 20, cpus ? cpus : "none",
			nodes ? nodes : "none");
	}
}

/* Interfaces of disks are properties of their attachments. */
static void write_disks(struct told *t)
{
	unsigned n = vm_count(t->vm, "disk");
	bool several = false;
	const char *queues;

	for (unsigned i = 0; i < n; i++) {
		const char *bus = told_get(t, "disk.%u.bus", i),
			   *name = told_get(t, "disk.%u.name", i),
			   *discard = told_get(t, "disk.%u.discard", i);

		if (bus)
			xml_put_comment(
				t->out,
				"PUT .../diskattachments/ID of %.60s: interface %s, pass_discard %s",
				name ? name : "disk",
				!strcmp(bus, "virtio-blk")    ? "virtio"
				: !strcmp(bus, "virtio-scsi") ? "virtio_scsi"
							      : bus,
				discard && !strcmp(discard, "unmap") ? "true" : "false");
		queues = vm_get(t->vm, VM_ASKED, "disk.%u.queues", i);
		several = several || (queues && strcmp(queues, "1"));
		if (bus && !strcmp(bus, "virtio-scsi") && told_get(t, "disk.%u.iothread", i))
			told_get(t, "disk.%u.controller", i);
	}
	for (unsigned i = 0; i < vm_count(t->vm, "controller"); i++) {
		queues = told_get(t, "controller.%u.queues", i);
		several = several || (queues && strcmp(queues, "1"));
	}
	if (several)
		flag(t, "virtio_scsi_multi_queues_enabled", 1);
}

static void write_threads(struct told *t)
{
	unsigned n = vm_count(t->vm, "iothread");
	uint64_t threads = n;

	told_number(t, &threads, "iothreads");
	for (unsigned i = 0; i < n; i++)
		told_get(t, "iothread.%u.id", i);
	if (threads || vm_get(t->vm, VM_ASKED, "iothreads"))
		fprintf(t->out, "  <io>\n    <threads>%llu</threads>\n  </io>\n",
			(unsigned long long)threads);
}

static void write_devices(struct told *t)
{
	int headless = told_flag(t, "headless");
	const char *machine = told_get(t, "machine"), *firmware = told_get(t, "firmware");
	bool q35 = machine && strstr(machine, "q35");

	element(t, "custom_emulated_machine", machine);
	if (firmware || q35)
		fprintf(t->out, "  <bios>\n    <type>%s</type>\n  </bios>\n",
			!q35				       ? "i440fx_sea_bios"
			: firmware && !strcmp(firmware, "efi") ? "q35_ovmf"
							       : "q35_sea_bios");
	flag(t, "soundcard_enabled", told_flag(t, "sound"));
	flag(t, "tpm_enabled", told_flag(t, "tpm"));
	if (told_flag(t, "rng") > 0)
		fputs("  <rng_device>\n    <source>urandom</source>\n  </rng_device>\n", t->out);
	told_get(t, "graphics");
	told_get(t, "video");
	if (headless > 0)
		xml_put_comment(t->out, "headless: DELETE each of .../graphicsconsoles");
	told_get(t, "agent"); /* oVirt gives every VM the agent's channel */
}

static void say_left(FILE *out, const struct vm_fact *f)
{
	xml_put_comment(out, "no property: %s = %.200s", f->key, f->value);
}

int vm_write_ovirt(FILE *out, const struct vm *vm, struct err *e)
{
	static const char *const given[] = {
		"uuid",	      "os",	 "qemu.*",	  "accel",	   "arch",
		"migratable", "sandbox", "debug-threads", "memory.current"};
	struct told t;

	told_begin(&t, out, vm);
	fputs("<vm>\n", out);
	xml_put_comment(out, "PUT /ovirt-engine/api/vms/ID");
	element(&t, "name", vm->name);
	write_cpu(&t);
	write_threads(&t);
	write_memory(&t);
	write_cells(&t);
	write_devices(&t);
	write_disks(&t);
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		told_skip(&t, given[i]);
	told_skip_absent(&t);
	told_left(&t, say_left);
	fputs("</vm>\n", out);
	return told_end(&t, e);
}
