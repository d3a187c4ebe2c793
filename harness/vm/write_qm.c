/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine as one `qm set` command of Proxmox; what that has no words for, as comments. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"

#define ASKED(...) vm_get(vm, VM_ASKED, __VA_ARGS__)

static bool is(const char *value, const char *what)
{
	return value && !strcmp(value, what);
}

static void option(FILE *out, const char *name, const char *value)
{
	if (!value)
		return;
	fprintf(out, " \\\n  --%s ", name);
	vm_put_word(out, value);
}

static void option_number(FILE *out, const char *name, uint64_t value)
{
	fprintf(out, " \\\n  --%s %" PRIu64, name, value);
}

static void option_flag(FILE *out, const char *name, const char *value)
{
	if (value)
		option_number(out, name, is(value, "on"));
}

/* The machine's number, from its name or what it was read from. */
static const char *machine_id(const struct vm *vm)
{
	const char *id = !strncmp(vm->from, "qm:", 3) ? vm->from + 3 : vm->name;

	return *id && strlen(id) < 10 && !id[strspn(id, "0123456789")] ? id : "VMID";
}

/* --- CPU --- */

/* The flags that Proxmox's cpu= has, of cpu.features. New; NULL: none. */
static char *flags_list(const char *features, char **rest)
{
	static const char *const known[] = {"md-clear", "pcid",	       "spec-ctrl", "ssbd",
					    "ibpb",	"virt-ssbd",   "amd-ssbd",  "amd-no-ssb",
					    "pdpe1gb",	"hv-tlbflush", "hv-evmcs",  "aes"};
	char *flags = NULL;

	*rest = NULL;
	for (const char *p = features; p && *p; p += strcspn(p, ","), p += *p == ',') {
		size_t len = strcspn(p, ",");
		char **to = rest, *longer;

		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (len == strlen(known[i]) + 1 && !strncmp(p + 1, known[i], len - 1))
				to = &flags;
		longer = xasprintf("%s%s%.*s", *to ? *to : "", *to ? ";" : "", (int)len, p);
		free(*to);
		*to = longer;
	}
	return flags;
}

static void cpu_write(FILE *out, const struct vm *vm)
{
	const char *model = ASKED("cpu.model"), *sockets = ASKED("smp.sockets");
	char *rest, *flags = flags_list(ASKED("cpu.features"), &rest), *cpu;
	uint64_t vcpus, max, parts = 1;

	if (vm_number(vm, VM_ASKED, &vcpus, "vcpus")) {
		if (!vm_number(vm, VM_ASKED, &max, "vcpus.max"))
			max = vcpus;
		if (!sockets || !vm_number(vm, VM_ASKED, &parts, "smp.sockets") || !parts ||
		    max % parts)
			parts = 1;
		/* Proxmox has no threads: cores stand for all that a socket holds. */
		option_number(out, "sockets", parts);
		option_number(out, "cores", max / parts);
		if (max != vcpus)
			option_number(out, "vcpus", vcpus);
	}
	if (is(model, "host-passthrough") || is(model, "host-model"))
		model = "host";
	if (model) {
		cpu = xasprintf("%s%s%s", model, flags ? ",flags=" : "", flags ? flags : "");
		option(out, "cpu", cpu);
		free(cpu);
	}
	free(flags);
	free(rest);
}

/* All CPUs that any of its threads may use; Proxmox pins the whole process. New; NULL: none. */
static char *affinity_list(const struct vm *vm)
{
	char *text = NULL, *cpus;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	for (size_t i = 0; f && i < vm->nfacts; i++) {
		const struct vm_fact *a = &vm->facts[i];
		const char *tail = strrchr(a->key, '.');

		if (a->side == VM_ASKED &&
		    (!strcmp(a->key, "cpuset") || (tail && !strcmp(tail, ".pin"))))
			fprintf(f, "%s%s", fflush(f) || !len ? "" : ",", a->value);
	}
	if (f)
		fclose(f);
	cpus = text && *text ? vm_cpus(text) : NULL;
	free(text);
	return cpus;
}

/* --- memory --- */

/* Within a list commas become semicolons; those in front of a name stay. */
static void commas_out(char *text)
{
	for (char *p = text; *p; p++)
		if (*p == ',' && isdigit((unsigned char)p[1]))
			*p = ';';
}

/* Memory of a guest without cells is bound by one cell with all of it; Proxmox knows no other way.
 * False: its facts do not suffice. */
static bool one_cell_write(FILE *out, const struct vm *vm)
{
	const char *nodes = ASKED("numatune.nodeset"), *mode = ASKED("numatune.mode");
	uint64_t size, vcpus;
	char *text;

	if (!nodes || !vm_number(vm, VM_ASKED, &size, "memory.size") ||
	    !vm_number(vm, VM_ASKED, &vcpus, "vcpus") || !vcpus || ASKED("vcpus.max") ||
	    (mode && !strcmp(mode, "restrictive")))
		return false;
	text = xasprintf("cpus=0-%" PRIu64 ",hostnodes=%s,policy=%s", vcpus - 1, nodes,
			 !mode || !strcmp(mode, "strict") ? "bind" : mode);
	commas_out(text);
	if (vcpus == 1)
		memmove(text + 6, text + 8, strlen(text + 8) + 1);
	if (out) {
		char *longer = xasprintf("%s,memory=%" PRIu64, text, size >> 20);

		option(out, "numa0", longer);
		free(longer);
	}
	free(text);
	return true;
}

static void numa_write(FILE *out, const struct vm *vm)
{
	unsigned n = vm_count(vm, "numa");
	uint64_t size;

	/* Proxmox has numa0 to numa7; its lists part by semicolons. */
	for (unsigned i = 0; i < n && i < 8; i++) {
		const char *cpus = ASKED("numa.%u.cpus", i), *mode = ASKED("numa.%u.mode", i);
		const char *nodes = ASKED("numa.%u.nodeset", i);
		char *text, name[16];
		bool sized = vm_number(vm, VM_ASKED, &size, "numa.%u.memory", i);

		if (!cpus && !sized)
			continue;
		text = xasprintf("cpus=%s%s%s%s%s", cpus ? cpus : "0", nodes ? ",hostnodes=" : "",
				 nodes ? nodes : "", nodes && mode ? ",policy=" : "",
				 !nodes || !mode	   ? ""
				 : !strcmp(mode, "strict") ? "bind"
							   : mode);
		commas_out(text);
		if (sized) {
			char *longer = xasprintf("%s,memory=%" PRIu64, text, size >> 20);

			free(text);
			text = longer;
		}
		snprintf(name, sizeof(name), "numa%u", i);
		option(out, name, text);
		free(text);
	}
}

static void memory_write(FILE *out, const struct vm *vm)
{
	uint64_t size, page = 0, current;
	bool cells = ASKED("numa.0.cpus") || ASKED("numa.0.memory");
	bool huge = vm_number(vm, VM_ASKED, &page, "memory.page") && page > 65536;
	bool one = !cells && one_cell_write(NULL, vm);
	char *affinity = affinity_list(vm);

	if (vm_number(vm, VM_ASKED, &size, "memory.size"))
		option_number(out, "memory", size >> 20);
	if (is(ASKED("balloon"), "none"))
		option_number(out, "balloon", 0);
	else if (vm_number(vm, VM_ASKED, &current, "memory.current"))
		option_number(out, "balloon", current >> 20);
	if (huge)
		option_number(out, "hugepages", page >> 20);
	/* Huge pages are had with numa=1 only. */
	if (cells || huge || one)
		option_number(out, "numa", 1);
	if (one)
		one_cell_write(out, vm);
	numa_write(out, vm);
	option(out, "affinity", affinity);
	free(affinity);
}

/* --- disks --- */

static const struct {
	const char *bus, *name;
	unsigned most;
} buses[] = {{"virtio-scsi", "scsi", 31},
	     {"virtio-blk", "virtio", 16},
	     {"sata", "sata", 6},
	     {"ide", "ide", 4}};

/* "scsi0": its name where that is one of Proxmox's, else the next of its bus. False: no such bus.
 */
static bool disk_name(const struct vm *vm, unsigned i, unsigned *next, char *buf, size_t size)
{
	const char *bus = ASKED("disk.%u.bus", i), *name = ASKED("disk.%u.name", i);

	for (size_t k = 0; bus && k < sizeof(buses) / sizeof(buses[0]); k++) {
		size_t len = strlen(buses[k].name);

		if (strcmp(buses[k].bus, bus))
			continue;
		if (name && !strncmp(name, buses[k].name, len) &&
		    isdigit((unsigned char)name[len]) && strlen(name) < len + 3) {
			snprintf(buf, size, "%s", name);
			return true;
		}
		if (next[k] >= buses[k].most)
			return false;
		snprintf(buf, size, "%s%u", buses[k].name, next[k]++);
		return true;
	}
	return false;
}

static void disk_write(FILE *out, const struct vm *vm, unsigned i, const char *name)
{
	const char *discard = ASKED("disk.%u.discard", i);
	const char *zeroes = ASKED("disk.%u.detect-zeroes", i);
	const char *iops = ASKED("disk.%u.iops-limit", i), *queues = ASKED("disk.%u.queues", i);
	const char *controller = ASKED("disk.%u.controller", i);
	uint64_t bps;

	fprintf(out, " \\\n  --%s \"$VOLUME_%s", name, name);
	if (ASKED("disk.%u.cache", i))
		fprintf(out, ",cache=%s", ASKED("disk.%u.cache", i));
	if (ASKED("disk.%u.aio", i))
		fprintf(out, ",aio=%s", ASKED("disk.%u.aio", i));
	if (discard)
		fprintf(out, ",discard=%s", is(discard, "unmap") ? "on" : "ignore");
	if (zeroes)
		fprintf(out, ",detect_zeroes=%d", !is(zeroes, "off"));
	if ((ASKED("disk.%u.iothread", i) || ASKED("disk.%u.iothread-mapping", i)) &&
	    (!strncmp(name, "scsi", 4) || !strncmp(name, "virtio", 6)))
		fputs(",iothread=1", out);
	if (controller && !queues)
		queues = ASKED("controller.%s.queues", controller);
	if (queues && !strncmp(name, "scsi", 4))
		fprintf(out, ",queues=%s", queues);
	if (is(ASKED("disk.%u.readonly", i), "on") && *name != 'i' && strncmp(name, "sata", 4))
		fputs(",ro=1", out);
	if (iops && strcmp(iops, "0"))
		fprintf(out, ",iops=%s", iops);
	/* Its megabytes are of 2^20 bytes. */
	if (vm_number(vm, VM_ASKED, &bps, "disk.%u.bps-limit", i) && bps)
		fprintf(out, ",mbps=%.2f", (double)bps / 1048576);
	fputc('"', out);
}

static void disks_write(FILE *out, const struct vm *vm)
{
	unsigned n = vm_count(vm, "disk"), next[4] = {0};
	bool scsi = false, iothread = false;
	char name[16];

	for (unsigned i = 0; i < n; i++) {
		bool is_scsi = is(ASKED("disk.%u.bus", i), "virtio-scsi");

		scsi = scsi || is_scsi;
		iothread = iothread || (is_scsi && ASKED("disk.%u.iothread", i));
	}
	if (scsi)
		option(out, "scsihw", iothread ? "virtio-scsi-single" : "virtio-scsi-pci");
	for (unsigned i = 0; i < n && i < ARGV_MANY; i++)
		if (disk_name(vm, i, next, name, sizeof(name)))
			disk_write(out, vm, i, name);
}

/* In front of the command, since qm set wants a disk's volume named along with its options. */
static void volumes_write(FILE *out, const struct vm *vm)
{
	unsigned n = vm_count(vm, "disk"), next[4] = {0};
	bool first = true;
	char name[16];

	for (unsigned i = 0; i < n && i < ARGV_MANY; i++) {
		const char *source = ASKED("disk.%u.source", i);

		if (!disk_name(vm, i, next, name, sizeof(name)))
			continue;
		if (first)
			fprintf(out,
				"# The volume of each disk, as `qm config %s` shows it in front of the "
				"first comma:\n",
				machine_id(vm));
		first = false;
		fprintf(out, "VOLUME_%s=", name);
		vm_put_word(out, source ? source : "STORAGE:VOLUME");
		fputc('\n', out);
	}
}

/* --- the rest --- */

static void machine_write(FILE *out, const struct vm *vm)
{
	const char *machine = ASKED("machine"), *firmware = ASKED("firmware");
	bool headless = is(ASKED("headless"), "on");

	if (machine)
		option(out, "machine", strstr(machine, "q35") ? "q35" : "pc");
	if (firmware)
		option(out, "bios", is(firmware, "efi") ? "ovmf" : "seabios");
	option_flag(out, "agent", ASKED("agent"));
	if (is(ASKED("rng"), "on"))
		option(out, "rng0", "source=/dev/urandom");
	option_flag(out, "tablet", ASKED("usb.tablet"));
	if (headless) {
		option(out, "serial0", "socket");
		option(out, "vga", "serial0");
	}
	if (is(ASKED("watchdog"), "on"))
		option(out, "watchdog", "i6300esb");
	if (ASKED("cpu.shares"))
		option(out, "cpuunits", ASKED("cpu.shares"));
}

static void limit_write(FILE *out, const struct vm *vm)
{
	uint64_t quota, period;
	char text[32];

	if (!vm_number(vm, VM_ASKED, &quota, "cpu.global-quota-us") || !quota)
		return;
	if (!vm_number(vm, VM_ASKED, &period, "cpu.period-us") || !period)
		period = 100000;
	snprintf(text, sizeof(text), "%.2f", (double)quota / (double)period);
	option(out, "cpulimit", text);
}

static void unsaid(FILE *out, const char *what, const char *value)
{
	fputs("# not in Proxmox's words: ", out);
	vm_put_comment(out, what);
	if (value)
		fputs(" = ", out);
	vm_put_comment(out, value ? value : "");
	fputc('\n', out);
}

static void rest_write(FILE *out, const struct vm *vm)
{
	static const char *const keys[] = {"hyperv",
					   "cpu.pmu",
					   "cpu.cache",
					   "cpu.hint-dedicated",
					   "cpu.cpu-pm",
					   "memory.locked",
					   "memory.shared",
					   "memory.prealloc",
					   "memory.merge",
					   "clock.hpet",
					   "clock.rtc",
					   "clock.pit",
					   "balloon.reporting",
					   "memory.hard-limit"};
	char *rest = NULL, *flags = flags_list(ASKED("cpu.features"), &rest);
	uint64_t page;
	/* those are always allocated when it starts */
	bool huge = vm_number(vm, VM_ASKED, &page, "memory.page") && page > 65536;

	if (rest)
		unsaid(out, "CPU features (only by args: -cpu ...)", rest);
	free(rest);
	free(flags);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (ASKED("%s", keys[i]) && !(huge && !strcmp(keys[i], "memory.prealloc")))
			unsaid(out, keys[i], ASKED("%s", keys[i]));
	if (ASKED("numatune.nodeset") && !ASKED("numa.0.cpus") && !one_cell_write(NULL, vm))
		unsaid(out, "numatune.nodeset", ASKED("numatune.nodeset"));
	for (size_t i = 0; i < vm->nfacts; i++) {
		const struct vm_fact *f = &vm->facts[i];
		const char *tail = strrchr(f->key, '.');

		if (f->side != VM_ASKED || !tail)
			continue;
		if (!strcmp(tail, ".pin") || !strcmp(tail, ".sched") ||
		    !strcmp(tail, ".iothread-mapping") || !strcmp(tail, ".poll-max-ns") ||
		    !strcmp(tail, ".queue-size") || !strcmp(tail, ".packed") ||
		    !strcmp(tail, ".l2-cache"))
			unsaid(out, f->key, f->value);
	}
}

static void nets_note(FILE *out, const struct vm *vm)
{
	unsigned n = vm_count(vm, "net");

	for (unsigned i = 0; i < n && i < 32; i++)
		if (ASKED("net.%u.queues", i))
			fprintf(out, "# net%u: add queues=%s to what `qm config` shows of it\n", i,
				ASKED("net.%u.queues", i));
}

int vm_write_qm(FILE *out, const struct vm *vm, struct err *e)
{
	(void)e;
	volumes_write(out, vm);
	fprintf(out, "qm set %s", machine_id(vm));
	cpu_write(out, vm);
	memory_write(out, vm);
	disks_write(out, vm);
	machine_write(out, vm);
	limit_write(out, vm);
	fputc('\n', out);
	nets_note(out, vm);
	rest_write(out, vm);
	return 0;
}
