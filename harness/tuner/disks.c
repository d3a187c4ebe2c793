// SPDX-License-Identifier: GPL-2.0-or-later
/* A machine's disks one by one, and what is said of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tuner/disks.h"

enum { DISKS_MAX = 4096 }; /* more are not looked at: a broken description, not a machine */

void disks_each(const struct subject *s, struct findings *f, void (*check)(const struct disk *d),
		const char *none)
{
	size_t before = f->n;
	unsigned n;

	if (!need_vm(s, f))
		return;
	n = vm_count(s->vm, "disk");
	if (!n && !vm_get(s->vm, VM_GOT, "images.late")) {
		found_none(f, "no disk is described%s",
			   is_running(s) && is_command(s->vm)
				   ? " (those plugged in later show to its monitor only)"
				   : "");
		return;
	}
	for (unsigned i = 0; i < n && i < DISKS_MAX; i++) {
		const char *name = vm_get(s->vm, VM_ASKED, "disk.%u.name", i);
		char part[128], number[16];

		if (!name)
			name = vm_get(s->vm, VM_GOT, "disk.%u.name", i);
		snprintf(number, sizeof(number), "%u", i);
		snprintf(part, sizeof(part), "disk %.100s", name ? name : number);
		check(&(struct disk){.s = s, .vm = s->vm, .i = i, .part = part, .f = f});
	}
	/* What is not known to be there cannot be followed, nor not apply. */
	if (vm_get(s->vm, VM_GOT, "images.late"))
		found_unknown(f, VM_GOT, NULL,
			      "images opened since it started (%s) may be of disks that only its "
			      "monitor knows; which images: see what was left aside",
			      vm_get(s->vm, VM_GOT, "images.late"));
	if (f->n == before)
		found_none(f, "%s", none);
}

struct said disk_said(const struct disk *d, enum vm_side side, const char *what)
{
	return (struct said){vm_get(d->vm, side, "disk.%u.%s", d->i, what),
			     fact_where(d->vm, side, "disk.%u.%s", d->i, what)};
}

struct said ring_said(const struct disk *d, enum vm_side side, const char *what)
{
	struct said said = disk_said(d, side, what);
	uint64_t c;

	if (said.value || strcmp(disk_bus(d), "virtio-scsi") ||
	    !vm_number(d->vm, VM_ASKED, &c, "disk.%u.controller", d->i) || c > DISKS_MAX)
		return said;
	return (struct said){vm_get(d->vm, side, "controller.%u.%s", (unsigned)c, what),
			     fact_where(d->vm, side, "controller.%u.%s", (unsigned)c, what)};
}

bool disk_is(const struct disk *d, enum vm_side side, const char *what, const char *value)
{
	return vm_is(d->vm, side, value, "disk.%u.%s", d->i, what);
}

bool disk_number(const struct disk *d, enum vm_side side, const char *what, uint64_t *out)
{
	return vm_number(d->vm, side, out, "disk.%u.%s", d->i, what);
}

const char *disk_best(const struct disk *d, const char *what)
{
	const char *got = vm_get(d->vm, VM_GOT, "disk.%u.%s", d->i, what);

	return got ? got : vm_get(d->vm, VM_ASKED, "disk.%u.%s", d->i, what);
}

const char *disk_bus(const struct disk *d)
{
	const char *bus = disk_best(d, "bus");

	return bus ? bus : "";
}

bool disk_is_virtio(const struct disk *d)
{
	const char *bus = disk_bus(d);

	return !strcmp(bus, "virtio-blk") || !strcmp(bus, "virtio-scsi");
}

/* What is below: as in force where that is known, since a file may lie on NFS. */
static bool transport_is(const struct disk *d, const char *words)
{
	const char *t = disk_best(d, "transport");

	return t && list_has(words, t);
}

bool disk_is_local(const struct disk *d)
{
	return !disk_best(d, "transport") || transport_is(d, "file,block,nfs,volume");
}

bool disk_is_file(const struct disk *d)
{
	return transport_is(d, "file,nfs");
}

bool disk_on_nfs(const struct disk *d)
{
	const char *fs = vm_get(d->vm, VM_GOT, "disk.%u.host-fs", d->i);

	return transport_is(d, "nfs") || disk_is(d, VM_ASKED, "transport", "nfs") ||
	       (fs && !strncmp(fs, "nfs", 3));
}

bool disk_readonly(const struct disk *d)
{
	return disk_is(d, VM_ASKED, "readonly", "on") || disk_is(d, VM_GOT, "readonly", "on");
}

const char *disk_cache(const struct disk *d)
{
	const char *cache = vm_get(d->vm, VM_ASKED, "disk.%u.cache", d->i);

	return cache ? cache : "writeback";
}

bool disk_direct(const struct disk *d)
{
	return list_has("none,directsync", disk_cache(d));
}

const char *disk_format(const struct disk *d)
{
	const char *format = disk_best(d, "format");

	return format ? format : "";
}

bool disk_is_qcow2(const struct disk *d)
{
	return !strcmp(disk_format(d), "qcow2");
}

bool disk_has_iothread(const struct disk *d)
{
	return ring_said(d, VM_ASKED, "iothread").value || disk_mapping(d);
}

unsigned disk_mapping(const struct disk *d)
{
	return list_count(ring_said(d, VM_ASKED, "iothread-mapping").value);
}

int disk_allocated(const struct disk *d)
{
	uint64_t size, allocated;

	if (!disk_number(d, VM_GOT, "size", &size) ||
	    !disk_number(d, VM_GOT, "allocated", &allocated))
		return -1;
	/* file systems round, and count their own indirect blocks: a hundredth does not matter */
	return allocated >= size - size / 100;
}

void change_device(const struct disk *d, struct finding *f, const char *blk, const char *scsi)
{
	if (!strcmp(disk_bus(d), "virtio-scsi")) {
		if (scsi)
			finding_change(f, CHANGE_QEMU, "-device virtio-scsi-pci,%s", scsi);
	} else if (blk) {
		finding_change(f, CHANGE_QEMU, "-device virtio-blk-pci,...,%s", blk);
	}
}

unsigned list_count(const char *list)
{
	unsigned n = list && *list ? 1 : 0;

	for (; list && *list; list++)
		n += *list == ',';
	return n;
}

bool list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (!strncmp(p, word, len) && (p[len] == ',' || !p[len]))
			return true;
	return false;
}

static int version_older(const char *text, unsigned major, unsigned minor)
{
	unsigned a, b;

	if (!text || sscanf(text, "%4u.%4u", &a, &b) != 2)
		return -1;
	return a < major || (a == major && b < minor);
}

int machine_older(const struct vm *vm, unsigned major, unsigned minor)
{
	const char *type = vm_get(vm, VM_ASKED, "machine"), *dash;

	if (!type)
		type = vm_get(vm, VM_GOT, "machine");
	/* pc-q35-7.2, pc-i440fx-2.11, virt-6.0, microvm has none. RHEL counts otherwise
	 * (pc-q35-rhel9.2.0), and such a name does not begin with a digit after its last hyphen. */
	dash = type ? strrchr(type, '-') : NULL;
	return dash ? version_older(dash + 1, major, minor) : -1;
}

int qemu_older(const struct vm *vm, unsigned major, unsigned minor)
{
	const char *text = vm_get(vm, VM_GOT, "qemu.version");

	return version_older(text ? text : vm_get(vm, VM_ASKED, "qemu.version"), major, minor);
}
