// SPDX-License-Identifier: GPL-2.0-or-later
/* What a cell of a profile asks for, as facts of the guest that it makes. */
#include <stdlib.h>
#include <string.h>
#include "vm/read.h"

struct reader {
	struct vm *vm;
	const struct cell *cell;
};

/* The key as the place: "guest.vcpus", "disk.cache". */
static const char *place(enum key_id k, char *buf, size_t size)
{
	return key_full_name(&profile_keys[k], buf, size);
}

static void set(struct reader *r, enum key_id k, const char *value, const char *key)
{
	char where[80];

	if (value)
		vm_set(r->vm, VM_ASKED, value, place(k, where, sizeof(where)), "%s", key);
}

/* The cell's own value; words such as "auto" say nothing. */
static const char *said(const struct reader *r, enum key_id k)
{
	const char *v = cell_get(r->cell, k);

	return v && strcmp(v, "auto") && strcmp(v, "none") && strcmp(v, "any") && strcmp(v, "plan")
		       ? v
		       : NULL;
}

static void take(struct reader *r, enum key_id k, const char *key)
{
	set(r, k, said(r, k), key);
}

/* --- the machine ---------------------------------------------------------------------------------
 */

static void read_cpu(struct reader *r)
{
	const char *cpu = said(r, K_CPU);
	size_t n = cpu ? strcspn(cpu, ",") : 0;
	char model[200], features[300] = "";

	take(r, K_VCPUS, "vcpus");
	take(r, K_VCPUS, "vcpus.max");
	if (!cpu || n >= sizeof(model)) {
		/* vbench takes the host's under KVM */
		if (cell_is(r->cell, K_ACCEL, "tcg"))
			set(r, K_CPU, "max", "cpu.model");
		else if (cell_is(r->cell, K_CPU, "auto"))
			set(r, K_CPU, "host-passthrough", "cpu.model");
		return;
	}
	snprintf(model, sizeof(model), "%.*s", (int)n, cpu);
	set(r, K_CPU, strcmp(model, "host") ? model : "host-passthrough", "cpu.model");
	/* +x, -x as they stand; QEMU's x=on and x=off are the same in other words */
	for (const char *p = cpu + n; *p;) {
		size_t len = strcspn(++p, ","), used = strlen(features), name = strcspn(p, "=,");
		bool off = !strncmp(p + name, "=off", 4), signed_ = *p == '+' || *p == '-';

		if (used + len + 3 < sizeof(features) && len)
			snprintf(features + used, sizeof(features) - used, "%s%s%.*s",
				 used ? "," : "",
				 signed_ ? ""
				 : off	 ? "-"
					 : "+",
				 (int)name, p);
		p += len;
	}
	if (*features)
		set(r, K_CPU, features, "cpu.features");
	if (strstr(features, "-pmu"))
		set(r, K_CPU, "off", "cpu.pmu");
}

/* Canonical list of a part of guest.pin ("2+22+3"); the i-th CPU of it, or all. */
static void read_pins(struct reader *r)
{
	const char *pin = said(r, K_PIN);
	unsigned threads = vm_count(r->vm, "iothread"),
		 vcpus = (unsigned)cell_u64(r->cell, K_VCPUS);
	char where[80], list[400], key[32];

	place(K_PIN, where, sizeof(where));
	for (unsigned part = 0; pin && part < 3; part++) {
		size_t n = strcspn(pin, "/");
		unsigned at = 0, most = part == 0 ? vcpus : threads;
		char *cpus;

		snprintf(list, sizeof(list), "%.*s", (int)n, pin);
		for (char *p = list; *p; p++)
			if (*p == '+')
				*p = ',';
		if (part == 2 && (cpus = vm_cpus(list))) {
			vm_set(r->vm, VM_ASKED, cpus, where, "emulator.pin");
			free(cpus);
		}
		for (const char *p = list; part < 2 && *p && at < most; p += *p == ',') {
			char *end;
			unsigned long from = strtoul(p, &end, 10),
				      to = *end == '-' ? strtoul(end + 1, &end, 10) : from;

			for (; from <= to && at < most; from++, at++) {
				snprintf(key, sizeof(key), part ? "iothread.%u.pin" : "vcpu.%u.pin",
					 at);
				vm_set_number(r->vm, VM_ASKED, from, where, "%s", key);
			}
			p = end;
		}
		pin = pin[n] ? pin + n + 1 : NULL;
	}
}

static void read_memory(struct reader *r)
{
	const char *pages = said(r, K_PAGES), *nodes = said(r, K_NODES),
		   *mode = said(r, K_MEMORY_MODE);
	char list[80], *set_;

	take(r, K_MEMORY, "memory.size");
	if (pages)
		set(r, K_PAGES, strcmp(pages, "1G") ? "2097152" : "1073741824", "memory.page");
	if (!nodes)
		return;
	snprintf(list, sizeof(list), "%s", nodes);
	for (char *p = list; *p; p++)
		if (*p == '+')
			*p = ',';
	set_ = vm_cpus(list);
	set(r, K_NODES, set_, "numatune.nodeset");
	free(set_);
	set(r, K_MEMORY_MODE, mode && strcmp(mode, "bind") ? mode : "strict", "numatune.mode");
}

static void read_machine(struct reader *r)
{
	const char *qemu = cell_get(r->cell, K_QEMU), *accel = cell_get(r->cell, K_ACCEL);

	set(r, K_SITE, "linux", "os");
	set(r, K_SITE, "x86_64", "arch");
	take(r, K_MACHINE, "machine");
	set(r, K_QEMU, qemu, "qemu.path");
	if (accel && strcmp(accel, "auto"))
		take(r, K_ACCEL, "accel");
	take(r, K_SANDBOX, "sandbox");
}

/* What vbench's guests never have: harness/guest/machine_argv.c. */
static void read_bare(struct reader *r)
{
	static const char *const off[] = {"rng",	"agent",     "sound",	 "usb",
					  "usb.tablet", "smartcard", "watchdog", "tpm"};

	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++)
		vm_set_flag(r->vm, VM_ASKED, false, "guest", "%s", off[i]);
	vm_set_flag(r->vm, VM_ASKED, true, "guest", "headless");
	vm_set(r->vm, VM_ASKED, "none", "guest", "balloon");
	vm_set_number(r->vm, VM_ASKED, 0, "guest", "hostdevs");
}

/* --- disks ---------------------------------------------------------------------------------------
 */

static const char *bus_of(const struct cell *c)
{
	if (cell_is(c, K_BACKEND, "vhost-user"))
		return "vhost-user-blk";
	if (cell_is(c, K_BUS, "ahci"))
		return "sata";
	if (cell_is(c, K_BUS, "virtio-mmio"))
		return "virtio-blk";
	return cell_get(c, K_BUS);
}

static const char *transport_of(const struct cell *c)
{
	const char *backend = cell_get(c, K_BACKEND);

	return !backend || !strcmp(backend, "file") ? "file" : backend;
}

/* How many iothreads its disks have in all; the iothread of disk n. */
static unsigned iothreads_of(const struct cell *c, unsigned disks)
{
	uint64_t n = cell_u64(c, K_IOTHREADS);
	bool one = cell_is(c, K_BUS, "virtio-scsi") && !cell_is(c, K_CONTROLLERS, "each");

	if (!cell_on(c, K_IOTHREAD))
		return 0;
	return n ? (unsigned)n : one ? 1 : disks;
}

static void read_iothreads(struct reader *r, unsigned n)
{
	char where[80];

	place(K_IOTHREAD, where, sizeof(where));
	vm_set_number(r->vm, VM_ASKED, n, where, "iothreads");
	for (unsigned i = 0; i < n; i++) {
		const char *poll = cell_get(r->cell, K_POLL_MAX);

		vm_set_number(r->vm, VM_ASKED, i + 1, where, "iothread.%u.id", i);
		place(K_POLL_MAX, where, sizeof(where));
		if (poll)
			vm_set(r->vm, VM_ASKED, poll, where, "iothread.%u.poll-max-ns", i);
		place(K_IOTHREAD, where, sizeof(where));
	}
}

static void disk_set(struct reader *r, enum key_id k, const char *value, unsigned n,
		     const char *what)
{
	char where[80];

	if (value)
		vm_set(r->vm, VM_ASKED, value, place(k, where, sizeof(where)), "disk.%u.%s", n,
		       what);
}

/* Of the disk, or of its virtio-scsi controller. */
static void ring_set(struct reader *r, enum key_id k, const char *value, unsigned n,
		     const char *what)
{
	char where[80];
	uint64_t c;

	if (value && vm_number(r->vm, VM_ASKED, &c, "disk.%u.controller", n))
		vm_set(r->vm, VM_ASKED, value, place(k, where, sizeof(where)), "controller.%u.%s",
		       (unsigned)c, what);
	else
		disk_set(r, k, value, n, what);
}

static void read_threads(struct reader *r, unsigned n, unsigned threads)
{
	char text[512] = "", id[16];
	bool mapping = cell_is(r->cell, K_MAPPING, "queues") && threads > 1;
	uint64_t c;

	if (!threads)
		return;
	for (unsigned i = 0; mapping && i < threads && strlen(text) + 8 < sizeof(text); i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u", i ? "," : "",
			 i + 1);
	snprintf(id, sizeof(id), "%u",
		 (vm_number(r->vm, VM_ASKED, &c, "disk.%u.controller", n) ? (unsigned)c : n) %
				 threads +
			 1);
	ring_set(r, K_IOTHREAD, mapping ? text : id, n, mapping ? "iothread-mapping" : "iothread");
	disk_set(r, K_IOTHREAD, mapping ? text : id, n, mapping ? "iothread-mapping" : "iothread");
}

static void read_image(struct reader *r, unsigned n)
{
	static const struct {
		enum key_id key;
		const char *what;
	} same[] = {{K_EXTENDED_L2, "extended-l2"},
		    {K_LAZY_REFCOUNTS, "lazy-refcounts"},
		    {K_CLUSTER, "cluster"},
		    {K_COMPAT, "compat"},
		    {K_DATA_FILE, "data-file"},
		    {K_L2_CACHE, "l2-cache"},
		    {K_BACKING, "backing"},
		    {K_CACHE, "cache"},
		    {K_AIO, "aio"},
		    {K_DISCARD, "discard"},
		    {K_DETECT_ZEROES, "detect-zeroes"},
		    {K_THROTTLE_IOPS, "iops-limit"},
		    {K_THROTTLE_BPS, "bps-limit"}};
	const char *format = cell_get(r->cell, K_FORMAT);

	disk_set(r, K_BACKEND, transport_of(r->cell), n, "transport");
	disk_set(r, K_FORMAT, format ? format : "raw", n, "format");
	if (cell_is(r->cell, K_BACKEND, "block"))
		disk_set(r, K_DEVICE, said(r, K_DEVICE), n, "source");
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		const char *v = cell_get(r->cell, same[i].key);

		if (v && strcmp(v, "auto"))
			disk_set(r, same[i].key, v, n, same[i].what);
	}
}

static void read_disk(struct reader *r, unsigned n, unsigned threads)
{
	const struct cell *c = r->cell;
	const char *ring = cell_get(c, K_RING);
	char name[16];

	snprintf(name, sizeof(name), "disk%u", n);
	disk_set(r, K_BUS, name, n, "name");
	disk_set(r, K_BUS, bus_of(c), n, "bus");
	disk_set(r, K_BUS, "disk", n, "kind");
	if (cell_is(c, K_BUS, "virtio-scsi"))
		vm_set_number(r->vm, VM_ASKED, cell_is(c, K_CONTROLLERS, "each") ? n : 0,
			      "disk.controllers", "disk.%u.controller", n);
	read_image(r, n);
	if (ring)
		ring_set(r, K_RING, strcmp(ring, "packed") ? "off" : "on", n, "packed");
	disk_set(r, K_EVENT_IDX, cell_get(c, K_EVENT_IDX), n, "event-idx");
	disk_set(r, K_INDIRECT, cell_get(c, K_INDIRECT), n, "indirect");
	ring_set(r, K_IOEVENTFD, cell_get(c, K_IOEVENTFD), n, "ioeventfd");
	ring_set(r, K_QUEUES, cell_get(c, K_QUEUES), n, "queues");
	ring_set(r, K_QUEUE_SIZE, cell_get(c, K_QUEUE_SIZE), n, "queue-size");
	read_threads(r, n, threads);
}

int vm_read_cell(const struct profile *p, const struct cell *c, struct vm **out, struct err *e)
{
	struct reader r = {.cell = c};
	char *from;
	unsigned disks, threads;

	*out = NULL;
	if (cell_on_host(c))
		return err_input(
			e, "%s: the cell \"%.200s\" is on the host: it has no virtual machine",
			p->path, c->label);
	from = xasprintf("%s, cell \"%s\"", p->path, c->label);
	r.vm = vm_new(p->name, from);
	free(from);
	disks = (unsigned)cell_u64(c, K_DISKS);
	threads = iothreads_of(c, disks);
	read_machine(&r);
	read_cpu(&r);
	read_memory(&r);
	read_iothreads(&r, threads);
	read_pins(&r);
	for (unsigned i = 0; i < disks; i++)
		read_disk(&r, i, threads);
	read_bare(&r);
	*out = r.vm;
	return 0;
}
