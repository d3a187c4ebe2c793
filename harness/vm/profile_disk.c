// SPDX-License-Identifier: GPL-2.0-or-later
/* A machine's disk as the section [disk] of a profile. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "vm/profile_out.h"

#define SIZE_SCRATCH (1024ull * 1024 * 1024)

/* What a disk asks for, else what was found; NULL: neither. */
static const char *either(struct told *t, unsigned n, const char *what)
{
	const char *asked = told_get(t, "disk.%u.%s", n, what);

	return asked ? asked : vm_get(t->vm, VM_GOT, "disk.%u.%s", n, what);
}

static bool is(const char *value, const char *what)
{
	return value && !strcmp(value, what);
}

/* --- the bus -------------------------------------------------------------------------------------
 */

static const char *write_bus(struct told *t, unsigned n)
{
	const char *bus = either(t, n, "bus");

	told_get(t, "disk.%u.controller", n);
	told_get(t, "disk.%u.kind", n);
	if (is(bus, "sata")) {
		bus = "ahci";
	} else if (is(bus, "vhost-user-blk")) {
		profile_remark(
			t,
			"vhost-user-blk: its server is not vbench's; try --set disk.backend=vhost-user");
		bus = "virtio-blk";
	} else if (!is(bus, "virtio-blk") && !is(bus, "virtio-scsi") && !is(bus, "nvme") &&
		   !is(bus, "ide")) {
		profile_remark(t, "%s: a profile has no such bus; virtio-blk in its place",
			       bus ? bus : "unknown");
		bus = "virtio-blk";
	}
	profile_key(t, "bus", bus);
	return bus;
}

/* A fact of the disk, or of its virtio-scsi controller. */
static const char *ring_fact(struct told *t, unsigned n, const char *what)
{
	const char *v = told_get(t, "disk.%u.%s", n, what);
	uint64_t c;

	return v || !vm_number(t->vm, VM_ASKED, &c, "disk.%u.controller", n)
		       ? v
		       : told_get(t, "controller.%u.%s", (unsigned)c, what);
}

static void write_queues(struct told *t, unsigned n)
{
	const char *said = ring_fact(t, n, "queues"), *size = ring_fact(t, n, "queue-size");
	unsigned vcpus = profile_vcpus(t->vm);
	unsigned long long queues = said ? strtoull(said, NULL, 10) : vcpus, entries;
	char text[24];

	if (!said)
		profile_remark(t, "queues are not said: one for each vCPU, as QEMU does since 5.2");
	else if (queues > vcpus)
		profile_remark(t, "it has %s; its guest uses one for each vCPU", said);
	queues = queues > vcpus ? vcpus : queues < 1 ? 1 : queues;
	snprintf(text, sizeof(text), "%llu", queues);
	profile_key(t, "queues", text);
	entries = size ? strtoull(size, NULL, 10) : 0;
	if (entries >= 4 && entries <= 1024 && !(entries & (entries - 1)))
		profile_key(t, "queue-size", size);
	else if (size)
		profile_remark(t, "queue-size = %s: not one that a profile takes", size);
}

/* Whether it has a thread of its own; how many share its queues. */
static void write_threads(struct told *t, unsigned n)
{
	const char *thread = told_get(t, "disk.%u.iothread", n),
		   *mapping = told_get(t, "disk.%u.iothread-mapping", n);
	unsigned share = 0;
	uint64_t c, poll;
	char text[64];

	if (vm_number(t->vm, VM_ASKED, &c, "disk.%u.controller", n))
		ring_fact(t, n, "iothread"), ring_fact(t, n, "iothread-mapping");
	while (mapping && told_word(mapping, share, text, sizeof(text)))
		share++;
	profile_key(t, "iothread", thread || share ? "on" : "off");
	if (share > 1 && share <= profile_vcpus(t->vm)) {
		snprintf(text, sizeof(text), "%u", share);
		profile_remark(t, "its queues are dealt out to %u iothreads, which needs QEMU 9.0",
			       share);
		profile_key(t, "iothreads", text);
		profile_key(t, "iothread-mapping", "queues");
	}
	for (unsigned i = 0; thread && i < vm_count(t->vm, "iothread"); i++) {
		if (!vm_is(t->vm, VM_ASKED, thread, "iothread.%u.id", i) ||
		    !told_number(t, &poll, "iothread.%u.poll-max-ns", i) || poll > 1000000000)
			continue;
		snprintf(text, sizeof(text), "%lluns", (unsigned long long)poll);
		profile_key(t, "poll-max", text);
	}
}

static void write_virtio(struct told *t, unsigned n)
{
	static const char *const flags[] = {"event-idx", "indirect"};
	const char *packed = ring_fact(t, n, "packed"), *kick = ring_fact(t, n, "ioeventfd");
	bool thread = vm_get(t->vm, VM_ASKED, "disk.%u.iothread", n) ||
		      vm_get(t->vm, VM_ASKED, "disk.%u.iothread-mapping", n);

	profile_key(t, "ring", is(packed, "on") ? "packed" : "split");
	for (size_t i = 0; i < 2; i++)
		profile_key(t, flags[i], told_get(t, "disk.%u.%s", n, flags[i]));
	if (is(kick, "off") && thread)
		profile_remark(t, "ioeventfd is off, which an iothread does not go with");
	else
		profile_key(t, "ioeventfd", kick);
	write_queues(t, n);
	write_threads(t, n);
}

/* --- the image -----------------------------------------------------------------------------------
 */

/* A local folder beside the image that may be written. */
static void write_dir(struct told *t, unsigned n)
{
	const char *transport = told_get(t, "disk.%u.transport", n),
		   *source = told_get(t, "disk.%u.source", n);
	char *dir = source ? path_folder(source) : NULL;
	struct stat st;

	if (!source || (transport && strcmp(transport, "file") && strcmp(transport, "nfs"))) {
		profile_remark(
			t,
			"its image (%s%s%s) is no local file: the scratch image lies in vbench's own "
			"folder, unless you say another",
			transport ? transport : "unknown", source ? ": " : "",
			source ? source : "");
	} else if (*source != '/' || !dir || stat(dir, &st) || !S_ISDIR(st.st_mode) ||
		   access(dir, W_OK)) {
		profile_remark(
			t,
			"the folder of %s is not here, or may not be written: the scratch image lies in "
			"vbench's own folder",
			source);
	} else if (strchr(dir, ',') || strlen(dir) > 200) {
		profile_remark(t, "the folder of %s has a name that a profile cannot hold", source);
	} else {
		profile_remark(t, "the scratch image lies beside its own");
		profile_key(t, "dir", dir);
	}
	free(dir);
}

/* How much of it is allocated tells the mode, roughly; the mode it was made with is not kept in an
 * image. */
static void write_mode(struct told *t, unsigned n)
{
	uint64_t size, used;

	if (!vm_number(t->vm, VM_GOT, &size, "disk.%u.size", n) || !size ||
	    !vm_number(t->vm, VM_GOT, &used, "disk.%u.allocated", n)) {
		profile_remark(t, "how much of it is allocated could not be seen: thin is a guess");
		profile_key(t, "mode", "thin");
		return;
	}
	profile_remark(t, "a guess: %.0f %% of it is allocated",
		       100.0 * (double)used / (double)size);
	profile_key(t, "mode", used >= size / 10 * 9 ? "full" : "thin");
}

static void write_qcow2(struct told *t, unsigned n)
{
	static const char *const words[] = {"extended-l2", "lazy-refcounts", "compat", "data-file"};
	uint64_t bytes, chain = 0;
	char text[24];

	if (!told_number(t, &chain, "disk.%u.backing", n))
		vm_number(t->vm, VM_GOT, &chain, "disk.%u.backing", n);
	write_mode(t, n);
	if (vm_number(t->vm, VM_GOT, &bytes, "disk.%u.cluster", n))
		profile_size(t, "cluster-size", bytes);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const char *v = either(t, n, words[i]);

		if (v && (chain == 0 || strcmp(words[i], "data-file")))
			profile_key(t, words[i], v);
	}
	if (told_number(t, &bytes, "disk.%u.l2-cache", n) && bytes >= 8192)
		profile_size(t, "l2-cache-size", bytes);
	if (!chain)
		return;
	profile_remark(t, "it stands on %llu others; a chain wants data below it",
		       (unsigned long long)chain);
	profile_key(t, "content", "data");
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(chain > 64 ? 64 : chain));
	profile_key(t, "backing", text);
}

static void write_format(struct told *t, unsigned n)
{
	static const char *const known[] = {"raw", "qcow2", "qcow", "qed", "vmdk",
					    "vdi", "vpc",   "vhdx", "luks"};
	const char *format = either(t, n, "format");
	uint64_t size = 0;

	for (size_t i = 0; format && i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(format, known[i]))
			continue;
		profile_key(t, "format", format);
		if (!strcmp(format, "qcow2"))
			write_qcow2(t, n);
		format = NULL;
		goto size;
	}
	profile_remark(t, "its format (%s) is none of a profile's: raw",
		       format ? format : "not said");
	profile_key(t, "format", "raw");
size:
	if (vm_number(t->vm, VM_GOT, &size, "disk.%u.size", n))
		profile_remark(t, "it has %llu MiB; the scratch image has less",
			       (unsigned long long)size >> 20);
	profile_size(t, "size", SIZE_SCRATCH);
}

/* --- the host's side -----------------------------------------------------------------------------
 */

static void write_cache(struct told *t, unsigned n)
{
	const char *cache = told_get(t, "disk.%u.cache", n), *aio = told_get(t, "disk.%u.aio", n);
	bool direct = is(cache, "none") || is(cache, "directsync");

	if (!cache && vm_is(t->vm, VM_GOT, "on", "disk.%u.direct", n)) {
		profile_remark(t, "cache is not said; its image is open with O_DIRECT");
		cache = "none";
		direct = true;
	} else if (!cache) {
		profile_remark(t, "cache is not said: QEMU's own default");
		cache = "writeback";
	}
	profile_key(t, "cache", cache);
	if (is(aio, "native") && !direct) {
		profile_remark(t, "aio = native does not go with this cache: QEMU refuses it");
		aio = "threads";
	} else if (!aio) {
		profile_remark(t, "aio is not said: QEMU's own default");
		aio = "threads";
	}
	profile_key(t, "aio", aio);
}

static void write_layer(struct told *t, unsigned n)
{
	const char *discard = told_get(t, "disk.%u.discard", n),
		   *zeroes = told_get(t, "disk.%u.detect-zeroes", n),
		   *iops = told_get(t, "disk.%u.iops-limit", n),
		   *bps = told_get(t, "disk.%u.bps-limit", n);

	profile_key(t, "discard", discard ? discard : "ignore");
	if (is(zeroes, "unmap") && !is(discard, "unmap"))
		zeroes = "on"; /* without discards QEMU takes it as that */
	profile_key(t, "detect-zeroes", zeroes);
	if (iops && strtoull(iops, NULL, 10) <= 1000000000)
		profile_key(t, "throttle-iops", iops);
	if (bps && strtoull(bps, NULL, 10) <= 1ull << 40)
		profile_key(t, "throttle-bps", bps);
}

void profile_disk(struct told *t, unsigned n)
{
	const char *bus;

	fputs("[disk]\n", t->out);
	write_dir(t, n);
	bus = write_bus(t, n);
	if (!strncmp(bus, "virtio-", 7))
		write_virtio(t, n);
	write_format(t, n);
	write_cache(t, n);
	write_layer(t, n);
	profile_remark(t, "a machine in use has been written to");
	profile_key(t, "precondition", "fill");
}
