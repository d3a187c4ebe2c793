// SPDX-License-Identifier: GPL-2.0-or-later
/* A machine's CPUs and memory as the section [guest] of a profile. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "vm/profile_out.h"

#define MIB (1024ull * 1024)
#define GIB (1024 * MIB)

/* fio with O_DIRECT needs little; scratch guests stand beside machines at work. */
#define MEMORY_LEAST (256 * MIB)
#define MEMORY_MOST GIB

enum { VCPUS_MOST = 255, PIN_TEXT = 400 };

/* Letters that the profile's check of guest.cpu and guest.machine takes. */
static bool is_word(const char *s)
{
	return *s && *s != '-' && strlen(s) < 300 &&
	       !s[strspn(s,
			 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-+=,")];
}

unsigned profile_vcpus(const struct vm *vm)
{
	uint64_t n;

	if (!vm_number(vm, VM_ASKED, &n, "vcpus") && !vm_number(vm, VM_ASKED, &n, "vcpus.max"))
		n = 1;
	return n < 1 ? 1 : n > VCPUS_MOST ? VCPUS_MOST : (unsigned)n;
}

static void write_vcpus(struct told *t)
{
	unsigned n = profile_vcpus(t->vm);
	const char *said = told_get(t, "vcpus");
	char text[16];

	if (!said)
		profile_remark(t, "its vCPUs are not said");
	else if (strtoull(said, NULL, 10) > VCPUS_MOST)
		profile_remark(t, "it has %s; a guest of vbench's has %d at most", said,
			       VCPUS_MOST);
	snprintf(text, sizeof(text), "%u", n);
	profile_key(t, "vcpus", text);
}

static void write_memory(struct told *t)
{
	uint64_t has = 0, page = 0, gets;

	told_number(t, &has, "memory.size");
	told_number(t, &page, "memory.page");
	gets = has < MEMORY_LEAST  ? MEMORY_LEAST
	       : has > MEMORY_MOST ? MEMORY_MOST
				   : has / MIB * MIB;
	if (page == 2 * MIB)
		gets = gets / page * page;
	else if (page == GIB)
		gets = GIB;
	if (!has)
		profile_remark(t, "its memory is not said");
	else if (has < gets)
		profile_remark(t, "it has %llu MiB; a scratch guest with fio wants more",
			       (unsigned long long)(has / MIB));
	else if (has > gets)
		profile_remark(
			t,
			"it has %llu MiB; a scratch guest does with less, and its fio uses O_DIRECT",
			(unsigned long long)(has / MIB));
	profile_size(t, "memory", gets);
	if (page == 2 * MIB || page == GIB)
		profile_key(t, "pages", page == GIB ? "1G" : "2M");
	else if (page > 65536)
		profile_remark(t, "memory.page = %llu: of these a profile has no word",
			       (unsigned long long)page);
}

/* Under KVM "auto" is host; features are held against what the host has, which a profile may read
 * elsewhere. */
static void write_cpu(struct told *t)
{
	const char *model = told_get(t, "cpu.model"), *features = told_get(t, "cpu.features"),
		   *accel = told_get(t, "accel");
	bool host = !model || !strcmp(model, "host-passthrough") || !strcmp(model, "host") ||
		    !strcmp(model, "host-model") || !strcmp(model, "max");
	char *text;

	if (accel && !strcmp(accel, "tcg"))
		profile_key(t, "accel", "tcg");
	if (host) {
		if (model && features)
			profile_remark(
				t,
				"its features of the CPU (%s) are left out: they do not work on storage",
				features);
		profile_remark(t, "%s: the host's own CPU under KVM",
			       model ? model : "no CPU model is said");
		profile_key(t, "cpu", "auto");
		return;
	}
	text = xasprintf("%s%s%s", model, features ? "," : "", features ? features : "");
	if (is_word(text) && strlen(text) < 200 && !strchr(model, ','))
		profile_key(t, "cpu", text);
	else
		profile_remark(t, "cpu.model = %s: not a model that a profile can name", model);
	free(text);
}

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

static bool runs_here(const char *path)
{
	return path && *path == '/' && !access(path, X_OK) && !strchr(path, ',');
}

/* Versioned machine types are its own QEMU's, so they need that QEMU to be here. */
static void write_machine(struct told *t)
{
	const char *qemu = told_get(t, "qemu.path"), *machine = told_get(t, "machine");
	bool own = runs_here(qemu), pc;

	if (own)
		profile_key(t, "qemu", qemu);
	else if (qemu)
		profile_remark(t, "its QEMU, %s, is not here; this host's is taken", qemu);
	if (!machine)
		return;
	pc = !strcmp(machine, "pc") || starts(machine, "pc-i440fx");
	if (pc)
		profile_remark(
			t,
			"%s has no PCI Express, behind whose ports vbench plugs disks: q35 instead",
			machine);
	else if (own && is_word(machine) && (starts(machine, "pc-q35") || !strcmp(machine, "q35")))
		profile_key(t, "machine", machine);
	else
		profile_remark(t, "%s: taken as q35", machine);
}

/* --- pins ----------------------------------------------------------------------------------------
 */

static bool host_has_cpus(const char *list)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);

	for (const char *p = list; *p; p += strspn(p, ",-")) {
		char *end;

		if ((long)strtoul(p, &end, 10) >= n || end == p)
			return false;
		p = end;
	}
	return true;
}

static bool one_cpu(const char *list)
{
	return list && *list && !strpbrk(list, ",-") && host_has_cpus(list);
}

/* "2+22+3+23" of vCPUs that have a CPU each. */
static bool vcpu_pins(const struct vm *vm, char *text, size_t size)
{
	unsigned n = profile_vcpus(vm);
	size_t len = 0;

	for (unsigned i = 0; i < n; i++) {
		const char *pin = vm_get(vm, VM_ASKED, "vcpu.%u.pin", i);

		if (!one_cpu(pin) || len + 8 > size)
			return false;
		len += (size_t)snprintf(text + len, size - len, "%s%s", len ? "+" : "", pin);
	}
	return n > 0;
}

static void join(char *text, size_t size, const char *list)
{
	size_t n = strlen(text);

	snprintf(text + n, size - n, "/%s", list);
	for (char *p = text + n; *p; p++)
		if (*p == ',')
			*p = '+';
}

static int thread_of(const struct vm *vm, unsigned disk)
{
	const char *id = vm_get(vm, VM_ASKED, "disk.%u.iothread", disk);
	unsigned n = vm_count(vm, "iothread");

	for (unsigned i = 0; id && i < n; i++)
		if (vm_is(vm, VM_ASKED, id, "iothread.%u.id", i))
			return (int)i;
	return -1;
}

/* guest.pin: VCPUS/IOTHREADS/EMULATOR, each part after the ones before it. */
static void write_pins(struct told *t, unsigned disk)
{
	const struct vm *vm = t->vm;
	int thread = thread_of(vm, disk);
	const char *iothread = thread < 0 ? NULL : vm_get(vm, VM_ASKED, "iothread.%d.pin", thread),
		   *emulator = vm_get(vm, VM_ASKED, "emulator.pin");
	char text[PIN_TEXT] = "";

	if (!vm_get(vm, VM_ASKED, "vcpu.0.pin"))
		return;
	if (!vcpu_pins(vm, text, sizeof(text) / 2)) {
		profile_remark(
			t,
			"its vCPUs are not pinned to one CPU of this host each, which a profile could say");
		return;
	}
	for (unsigned i = 0; i < profile_vcpus(vm); i++)
		told_get(t, "vcpu.%u.pin", i);
	if (one_cpu(iothread)) {
		join(text, sizeof(text), iothread);
		told_get(t, "iothread.%d.pin", thread);
		if (emulator && host_has_cpus(emulator) && strlen(emulator) < 100) {
			join(text, sizeof(text), emulator);
			told_get(t, "emulator.pin");
		}
	}
	profile_key(t, "pin", text);
}

static void write_nodes(struct told *t)
{
	const char *set = vm_get(t->vm, VM_ASKED, "numatune.nodeset"),
		   *mode = vm_get(t->vm, VM_ASKED, "numatune.mode");
	char path[64], text[64] = "";

	if (!set || strlen(set) > 40)
		return;
	for (const char *p = set; *p; p += strspn(p, ",-")) {
		char *end;
		unsigned long node = strtoul(p, &end, 10);

		snprintf(path, sizeof(path), "/sys/devices/system/node/node%lu", node);
		if (end == p || access(path, F_OK)) {
			profile_remark(t, "numatune.nodeset = %s: this host has no node %lu", set,
				       node);
			return;
		}
		p = end;
	}
	join(text, sizeof(text), told_get(t, "numatune.nodeset"));
	profile_key(t, "nodes", text + 1);
	if (mode && (!strcmp(mode, "preferred") || !strcmp(mode, "interleave")))
		profile_key(t, "memory-mode", mode);
	told_get(t, "numatune.mode");
}

void profile_guest(struct told *t, unsigned disk)
{
	fputs("[guest]\n", t->out);
	write_vcpus(t);
	write_memory(t);
	write_cpu(t);
	write_machine(t);
	write_pins(t, disk);
	write_nodes(t);
	if (!told_flag(t, "sandbox"))
		profile_key(t, "sandbox", "off");
	putc('\n', t->out);
}
