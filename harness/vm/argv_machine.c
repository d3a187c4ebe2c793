/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Machine, accelerator, clock and the program itself, of a command line. */
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"

/* What runs: "x86_64" of .../qemu-system-x86_64, or what its machine types give away. */
static void arch_take(struct argv_reader *r, const char *type)
{
	static const struct {
		const char *machine, *arch;
	} of[] = {{"pc", "x86_64"},	 {"q35", "x86_64"},
		  {"microvm", "x86_64"}, {"s390-ccw-virtio", "s390x"},
		  {"pseries", "ppc64"},	 {"isapc", "x86_64"}};
	const char *system = strstr(r->program, "qemu-system-");
	char name[32] = "";

	if (system) {
		size_t len = strspn(system + 12, "abcdefghijklmnopqrstuvwxyz0123456789_");

		snprintf(name, sizeof(name), "%.*s", len < 31 ? (int)len : 31, system + 12);
		if (!strcmp(name, "i386"))
			type = NULL; /* it runs 64-bit machines' types too */
	}
	for (size_t i = 0; !*name && type && i < sizeof(of) / sizeof(of[0]); i++) {
		size_t len = strlen(of[i].machine);

		if (!strncmp(type, of[i].machine, len) && (!type[len] || strchr("-+", type[len])))
			snprintf(name, sizeof(name), "%s", of[i].arch);
	}
	if (*name)
		vm_set(r->vm, VM_ASKED, name, system ? r->program : "-machine", "arch");
}

static bool is_x86(const struct argv_reader *r)
{
	return vm_is(r->vm, VM_ASKED, "x86_64", "arch") || vm_is(r->vm, VM_ASKED, "i386", "arch");
}

/* accel=kvm:tcg is a list of which the first that works is taken; so is a repeated -accel. */
static void accel_set(struct argv_reader *r, const char *value, const char *where)
{
	char first[32];

	snprintf(first, sizeof(first), "%.*s", (int)strcspn(value, ":"), value);
	if (*first)
		vm_set(r->vm, VM_ASKED, first, where, "accel");
	if (value[strlen(first)])
		argv_note(r, "%s: %s, the first that works", where, value);
}

static void accel_take(struct argv_reader *r)
{
	const char *base = strrchr(r->program, '/') ? strrchr(r->program, '/') + 1 : r->program;
	const struct argv_opt *o = NULL, *kvm = argv_next(r, "enable-kvm", NULL);
	const char *value = argv_merged(r, "machine", "accel", &o);

	if (value) {
		accel_set(r, value, o->where);
	} else if ((o = argv_next(r, "accel", NULL)) && argv_get(o, "accel")) {
		accel_set(r, argv_get(o, "accel"), o->where);
	} else if (kvm) {
		vm_set(r->vm, VM_ASKED, "kvm", kvm->where, "accel");
	} else {
		/* QEMU called by a name that ends in kvm tries that first. */
		size_t len = strlen(base);
		bool named = (len >= 3 && !strcmp(base + len - 3, "kvm")) ||
			     !strncmp(base, "qemu-kvm", 8);

		if (named || !r->incomplete)
			vm_set(r->vm, VM_ASKED, named ? "kvm" : "tcg",
			       named ? "the program's name" : "QEMU's default", "accel");
	}
}

static void machine_flags(struct argv_reader *r)
{
	static const struct {
		const char *key, *fact;
	} flags[] = {{"mem-merge", "memory.merge"}, {"usb", "usb"}, {"hpet", "clock.hpet"}};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		const struct argv_opt *o = NULL;
		const char *value = argv_merged(r, "machine", flags[i].key, &o);

		argv_set_flag(r, value, o ? o->where : "", "%s", flags[i].fact);
	}
	if (argv_next(r, "no-hpet", NULL))
		vm_set_flag(r->vm, VM_ASKED, false, "-no-hpet", "clock.hpet");
}

/* The firmware is UEFI's when it is one of the files that EDK2 is known by. */
static bool is_efi(const char *path)
{
	return path && (strcasestr(path, "ovmf") || strcasestr(path, "edk2") ||
			strcasestr(path, "aavmf") || strcasestr(path, "qemu_efi"));
}

static void firmware_take(struct argv_reader *r)
{
	const char *where = "QEMU's default", *path = NULL;
	const struct argv_opt *o = NULL;
	bool efi = false;

	while ((o = argv_next(r, "drive", o)))
		if (argv_get(o, "if") && !strcmp(argv_get(o, "if"), "pflash") && !efi) {
			path = argv_get(o, "file") ? argv_get(o, "file")
						   : argv_get(o, "file.filename");
			where = o->where;
			efi = is_efi(path);
		}
	while (!efi && (o = argv_next(r, "blockdev", o)))
		if (is_efi(argv_get(o, "filename")) || is_efi(argv_get(o, "file.filename"))) {
			efi = true;
			where = o->where;
		}
	for (size_t i = 0; !efi && i < 2; i++) {
		o = argv_next(r, i ? "pflash" : "bios", NULL);
		if (o && is_efi(o->text)) {
			efi = true;
			where = o->where;
		}
	}
	if (efi)
		vm_set(r->vm, VM_ASKED, "efi", where, "firmware");
	else if (is_x86(r) && !r->incomplete)
		vm_set(r->vm, VM_ASKED, "bios", "QEMU's default", "firmware");
}

static void clock_take(struct argv_reader *r)
{
	const struct argv_opt *o = NULL;
	const char *base = argv_merged(r, "rtc", "base", &o), *value;

	if (base)
		vm_set(r->vm, VM_ASKED,
		       !strcmp(base, "utc") || !strcmp(base, "localtime") ? base : "date", o->where,
		       "clock.base");
	else if (argv_next(r, "localtime", NULL))
		vm_set(r->vm, VM_ASKED, "localtime", "-localtime", "clock.base");
	else if (!r->incomplete)
		vm_set(r->vm, VM_ASKED, "utc", "QEMU's default", "clock.base");
	value = argv_merged(r, "rtc", "driftfix", &o);
	if (value)
		vm_set(r->vm, VM_ASKED, !strcmp(value, "slew") ? "catchup" : "delay", o->where,
		       "clock.rtc");
	value = argv_merged(r, "global", "mc146818rtc.lost_tick_policy", &o);
	if (value)
		vm_set(r->vm, VM_ASKED, !strcmp(value, "slew") ? "catchup" : value, o->where,
		       "clock.rtc");
	value = argv_merged(r, "global", "kvm-pit.lost_tick_policy", &o);
	if (value)
		vm_set(r->vm, VM_ASKED, !strcmp(value, "slew") ? "catchup" : value, o->where,
		       "clock.pit");
}

void argv_machine(struct argv_reader *r)
{
	const struct argv_opt *o = NULL;
	const char *type = argv_merged(r, "machine", "type", &o), *value;

	vm_set(r->vm, VM_ASKED, r->program, "the program", "qemu.path");
	if (type && *type)
		vm_set(r->vm, VM_ASKED, type, o->where, "machine");
	arch_take(r, type);
	if (!type && is_x86(r) && !r->incomplete)
		vm_set(r->vm, VM_ASKED, "pc", "QEMU's default", "machine");
	r->q35 = type && strstr(type, "q35");
	accel_take(r);
	machine_flags(r);
	firmware_take(r);
	clock_take(r);
	value = argv_merged(r, "sandbox", "enable", &o);
	if (value || !r->incomplete)
		argv_set_flag(r, value ? value : "off", value ? o->where : "QEMU's default",
			      "sandbox");
}
