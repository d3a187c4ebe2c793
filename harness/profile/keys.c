/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of profile keys: parsing, errors, help and the hash of a cell all come from it. */
#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "profile/profile.h"

const char *const section_names[SEC_COUNT] = {
	[SEC_PROFILE] = "profile", [SEC_HOST] = "host",		[SEC_GUEST] = "guest",
	[SEC_DISK] = "disk",	   [SEC_WORKLOAD] = "workload", [SEC_RUN] = "run",
};

#define KIB 1024ull
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)
#define TIB (KIB * GIB)
#define MSEC 1000000ull
#define HOUR (3600ull * 1000 * MSEC)

static bool is(const struct cell *c, enum key_id k, const char *value)
{
	return c->val[k] && !strcmp(c->val[k], value);
}

static bool virtio(const struct cell *c)
{
	return c->val[K_BUS] && !strncmp(c->val[K_BUS], "virtio-", 7);
}

/* When a key means nothing. */

static const char *applies_guest(const struct cell *c)
{
	return cell_on_host(c) ? "on the host there is no guest" : NULL;
}

static const char *applies_driver(const struct cell *c)
{
	return cell_on_host(c) ? NULL : "in a guest its kernel drives the disk";
}

static const char *applies_bus(const struct cell *c)
{
	return cell_on_host(c) ? "on the host the disk is on no bus" : NULL;
}

static const char *applies_backend(const struct cell *c)
{
	if (!cell_on_host(c) || cell_uses_vring(c))
		return NULL;
	return is(c, K_DRIVER, "file") ? "driver = file has the image itself behind it"
				       : "fio's null engine has nothing behind it";
}

static const char *applies_file(const struct cell *c)
{
	if (cell_has_image(c))
		return NULL;
	if (cell_uses_vhost(c))
		return "only serves = file has an image";
	return cell_on_host(c) ? "without a file behind it there is no image"
			       : "a null back end has no image";
}

static const char *applies_mode(const struct cell *c)
{
	const char *why = applies_file(c);

	if (why)
		return why;
	return is(c, K_FORMAT, "qcow2") ? NULL : "a raw image has no qcow2 allocation mode";
}

static const char *applies_qcow2(const struct cell *c)
{
	const char *why = applies_file(c);

	if (why)
		return why;
	return is(c, K_FORMAT, "qcow2") ? NULL : "only a qcow2 image has it";
}

static const char *applies_v3(const struct cell *c)
{
	const char *why = applies_qcow2(c);

	return why || is(c, K_COMPAT, "1.1") ? why : "only compat = 1.1 has it";
}

/* The disk's memory of what was written, an image or a device. */
static const char *applies_written(const struct cell *c)
{
	return cell_on_device(c) ? NULL : applies_file(c);
}

/* What QEMU's block layer does itself. */
static const char *applies_block_layer(const struct cell *c)
{
	if (cell_on_host(c))
		return "on the host there is no QEMU";
	return cell_uses_vhost(c) ? "the vhost-user back end is a process of its own" : NULL;
}

static const char *applies_throttle_iops(const struct cell *c)
{
	const char *why = applies_block_layer(c);

	return why || cell_u64(c, K_THROTTLE_IOPS) ? why : "only throttle-iops has a burst";
}

static const char *applies_throttle_bps(const struct cell *c)
{
	const char *why = applies_block_layer(c);

	return why || cell_u64(c, K_THROTTLE_BPS) ? why : "only throttle-bps has a burst";
}

static const char *applies_throttle_burst(const struct cell *c)
{
	const char *why = applies_block_layer(c);

	return why || cell_u64(c, K_THROTTLE_IOPS_MAX) || cell_u64(c, K_THROTTLE_BPS_MAX)
		       ? why
		       : "only throttle-iops-max and throttle-bps-max have a length";
}

static const char *applies_count(const struct cell *c)
{
	if (cell_on_host(c))
		return "on the host there is one disk";
	return cell_uses_vhost(c) ? "a vhost-user disk comes alone" : NULL;
}

static const char *applies_controllers(const struct cell *c)
{
	const char *why = applies_count(c);

	if (why)
		return why;
	if (!is(c, K_BUS, "virtio-scsi"))
		return "only virtio-scsi has a controller beside its disks";
	return cell_u64(c, K_DISKS) > 1 ? NULL : "one disk has one controller";
}

static const char *applies_slots(const struct cell *c)
{
	if (cell_on_host(c))
		return "on the host there is no PCI bus of the guest";
	if (is(c, K_BUS, "ide") || is(c, K_BUS, "ahci") || is(c, K_BUS, "virtio-mmio"))
		return "this bus is not on PCI Express, or has a controller of its own";
	return NULL;
}

static const char *applies_poll_queues(const struct cell *c)
{
	const char *why = applies_guest(c);

	return why || is(c, K_BUS, "virtio-blk") || is(c, K_BUS, "virtio-mmio")
		       ? why
		       : "only the guest's virtio-blk driver has poll queues";
}

static const char *applies_device(const struct cell *c)
{
	return cell_on_device(c) ? NULL : "only backend = block writes to a device of the host";
}

static const char *applies_nbd(const struct cell *c)
{
	return cell_uses_nbd(c) ? NULL : "only backend = nbd has an NBD server";
}

static const char *applies_nbdkit(const struct cell *c)
{
	const char *why = applies_nbd(c);

	return why || is(c, K_NBD, "nbdkit") ? why : "only nbd = nbdkit has plugins";
}

static const char *applies_cache(const struct cell *c)
{
	const char *why = applies_file(c);

	if (!why && cell_on_host(c) && !cell_uses_vhost(c))
		return "fio opens the image itself: the workload's direct says it";
	return why;
}

static const char *applies_aio(const struct cell *c)
{
	const char *why = applies_cache(c);

	if (why && cell_has_image(c))
		return "fio opens the image itself: the workload's ioengine says it";
	return why || cell_in_qemu(c) ? why : "vbench's device submits through io_uring only";
}

static const char *applies_latency(const struct cell *c)
{
	if (cell_uses_vhost(c) ? is(c, K_SERVES, "null")
			       : !cell_on_host(c) && is(c, K_BACKEND, "null"))
		return NULL;
	return "only a null back end has a latency to set";
}

static const char *applies_virtio(const struct cell *c)
{
	if (cell_on_host(c))
		return cell_uses_vring(c) ? NULL : "only driver = vring has a virtio ring";
	if (virtio(c))
		return NULL;
	return is(c, K_BUS, "nvme") ? "nvme has no virtio ring" : "this bus has no virtio ring";
}

static const char *applies_ioeventfd(const struct cell *c)
{
	const char *why = applies_block_layer(c);

	return why ? why : applies_virtio(c);
}

static const char *applies_queues(const struct cell *c)
{
	if (cell_on_host(c) && !cell_uses_vring(c))
		return "only driver = vring has queues";
	return cell_uses_vhost(c) && is(c, K_SERVER, "loop")
		       ? "server = loop has one queue for each job of fio"
		       : NULL;
}

static const char *applies_iothread(const struct cell *c)
{
	if (cell_on_host(c))
		return "on the host there is no QEMU";
	if (cell_uses_vhost(c))
		return "the vhost-user back end is a process of its own";
	if (virtio(c))
		return NULL;
	return is(c, K_BUS, "nvme") ? "QEMU's nvme has no iothread"
				    : "this bus is served by QEMU's main loop";
}

/* What belongs to an iothread. */
static const char *applies_iothreads(const struct cell *c)
{
	const char *why = applies_iothread(c);

	return why || cell_on(c, K_IOTHREAD) ? why : "without an iothread there is none to set";
}

static const char *applies_wait(const struct cell *c)
{
	return cell_uses_vring(c) ? NULL : "only driver = vring chooses how it waits";
}

static const char *applies_poll(const struct cell *c)
{
	const char *why = applies_wait(c);

	return why || is(c, K_WAIT, "adaptive") ? why : "only wait = adaptive polls for a while";
}

static const char *applies_vhost(const struct cell *c)
{
	return cell_uses_vhost(c) ? NULL : "only backend = vhost-user has a server";
}

static const char *applies_server_poll(const struct cell *c)
{
	const char *why = applies_vhost(c);

	return why || is(c, K_SERVER_WAIT, "adaptive")
		       ? why
		       : "only server-wait = adaptive polls for a while";
}

/* When a cell cannot be. */

static const char *conflict_cpu(const struct cell *c)
{
	const char *cpu = c->val[K_CPU];

	if (is(c, K_ACCEL, "tcg") && cpu && (!strcmp(cpu, "host") || !strncmp(cpu, "host,", 5)))
		return "cpu=host needs KVM; use cpu=auto or cpu=max";
	return NULL;
}

/* Options of QEMU's block layer where there is none; the site is a key of every cell. */
static const char *conflict_site(const struct cell *c)
{
	if (c->nextras && !cell_in_qemu(c))
		return "blockdev.KEY goes to QEMU's block layer, which is not in this path; take it out";
	return NULL;
}

static const char *conflict_aio(const struct cell *c)
{
	if (is(c, K_AIO, "native") && !is(c, K_CACHE, "none") && !is(c, K_CACHE, "directsync"))
		return "QEMU's aio=native needs O_DIRECT: cache=none or cache=directsync";
	return NULL;
}

/* vbench's device always offers a write cache and honours flushes: that is two of QEMU's modes. */
static const char *conflict_cache(const struct cell *c)
{
	if (is(c, K_SERVER, "loop") && !is(c, K_CACHE, "writeback"))
		return "server=loop reads its file through the page cache: cache=writeback";
	if (!cell_in_qemu(c) && !is(c, K_CACHE, "none") && !is(c, K_CACHE, "writeback"))
		return "vbench's device has cache=none and cache=writeback only";
	return NULL;
}

static const char *conflict_format(const struct cell *c)
{
	if (is(c, K_FORMAT, "raw") || cell_in_qemu(c))
		return NULL;
	return cell_uses_vhost(c) ? "vbench's device serves raw images only; use "
				    "server=storage-daemon or format=raw"
				  : "driver=file reads the image as it is; use format=raw";
}

/* qemu-fio-facts: the guest takes no more queues than it has vCPUs, without a word. */
static const char *conflict_queues(const struct cell *c)
{
	if (!cell_on_host(c) && cell_u64(c, K_QUEUES) > cell_u64(c, K_VCPUS))
		return "a guest uses no more queues than vCPUs; raise guest.vcpus or lower disk.queues";
	return NULL;
}

/* VIRTIO 1.2: 2.7 (split) wants a power of two, 2.8.10.1 (packed) does not; QEMU's devices and
 * libvhost-user stop at 1024. */
static const char *conflict_queue_size(const struct cell *c)
{
	uint64_t n = cell_u64(c, K_QUEUE_SIZE);
	bool power = !(n & (n - 1));

	if (!cell_on_host(c) && (!power || n < 4 || n > 1024))
		return "QEMU takes queue-size as a power of two from 4 to 1024; others need "
		       "guest.site=host";
	if (is(c, K_SERVER, "storage-daemon") && (!power || n > 1024))
		return "qemu-storage-daemon takes queue-size as a power of two up to 1024; others "
		       "need server=vbench or server=loop";
	if (!power && is(c, K_RING, "split"))
		return "a split ring takes powers of two only; use ring=packed or another queue-size";
	return NULL;
}

static const char *conflict_backend(const struct cell *c)
{
	if (cell_uses_vring(c) && !is(c, K_BACKEND, "vhost-user"))
		return "driver=vring needs backend=vhost-user";
	if (!cell_on_host(c) && is(c, K_BACKEND, "vhost-user") && !is(c, K_BUS, "virtio-blk"))
		return "backend=vhost-user is a virtio-blk disk to the guest; use bus=virtio-blk";
	return NULL;
}

static const char *conflict_server(const struct cell *c)
{
	if (is(c, K_SERVER, "loop") && !cell_on_host(c))
		return "server=loop is a thread of fio on the host; use guest.site=host";
	return NULL;
}

static const char *conflict_serves(const struct cell *c)
{
	if (is(c, K_SERVES, "memory") && is(c, K_SERVER, "storage-daemon"))
		return "qemu-storage-daemon serves no memory; use serves=null or server=vbench";
	return NULL;
}

static const char *conflict_server_wait(const struct cell *c)
{
	if (is(c, K_SERVER_WAIT, "poll") && is(c, K_SERVER, "storage-daemon"))
		return "qemu-storage-daemon cannot poll without end; use server-wait=adaptive with "
		       "a long server-poll";
	return NULL;
}

/* Seen with QEMU 7.2, and none of its versions up to now has it: a guest would get a split ring
 * without a word, and fio's driver an error in every trial. */
static const char *conflict_ring(const struct cell *c)
{
	if (is(c, K_RING, "packed") && is(c, K_SERVER, "storage-daemon"))
		return "qemu-storage-daemon offers no packed ring; use disk.server=vbench or "
		       "disk.ring=split";
	return NULL;
}

/* On the host an image is filled as a file, before its server opens it. */
static const char *conflict_precondition(const struct cell *c)
{
	if (cell_on_host(c) && is(c, K_PRECONDITION, "fill") && is(c, K_FORMAT, "qcow2"))
		return "on the host only raw images can be filled; use format=raw";
	return NULL;
}

/* When a single value will not do. */

/* Said as fio has it: bytes a second, or a number of I/Os with "iops" behind it. */
static const char *check_rate(const char *v)
{
	size_t digits = strspn(v, "0123456789");
	uint64_t bytes;

	if (!strcmp(v, "none"))
		return NULL;
	if (digits && digits < 10 && !strcmp(v + digits, "iops"))
		return atoll(v) ? NULL : "must be over 0; write none for no limit";
	if (units_size(v, &bytes) || !bytes)
		return "is no rate; write 10M (bytes a second), 1000iops or none";
	return NULL;
}

#define QEMU_WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-=,"

static const char *check_qemu_word(const char *v)
{
	if (v[0] == '-' || v[strspn(v, QEMU_WORD)])
		return "may hold only letters, digits and _.+-=,";
	return NULL;
}

static const char *check_name(const char *v)
{
	if (v[0] == '-' ||
	    v[strspn(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")])
		return "may hold only letters, digits and _.-";
	return NULL;
}

static const char *check_absolute(const char *v)
{
	if (strcmp(v, "auto") && v[0] != '/')
		return "must be an absolute path (or auto)";
	return NULL;
}

static const char *check_binary(const char *v)
{
	if (v[0] == '-')
		return "must be the name or path of a program";
	if (strchr(v, '/') && v[0] != '/')
		return "must be a name looked up in PATH, or an absolute path";
	return NULL;
}

static const char *check_device(const char *v)
{
	return strncmp(v, "/dev/", 5) ? "must be a block device, /dev/..." : NULL;
}

static const char *check_nbdkit(const char *v)
{
	if (v[0] == '-' || strpbrk(v, "'\"\\`$;|&<>"))
		return "must be a plugin and its arguments, with blanks between";
	return NULL;
}

static const char *conflict_device(const struct cell *c)
{
	return cell_on_device(c) && !c->val[K_DEVICE]
		       ? "backend=block needs disk.device = /dev/..."
		       : NULL;
}

/* clang-format off */
const struct key_row profile_keys[K_COUNT] = {
	[K_TITLE] = { .id = K_TITLE, .section = SEC_PROFILE, .name = "title", .type = KT_STRING, .max = 200,
		.help = "heading of the report" },
	[K_QUESTION] = { .id = K_QUESTION, .section = SEC_PROFILE, .name = "question", .type = KT_STRING, .max = 400,
		.help = "the question that this profile answers; ready profiles are listed with it" },
	[K_SOURCE] = { .id = K_SOURCE, .section = SEC_PROFILE, .name = "source", .type = KT_STRING, .max = 400,
		.help = "where the practice under test is written down" },

	[K_HOST_USER] = { .id = K_HOST_USER, .section = SEC_HOST, .name = "user", .type = KT_STRING, .def = "auto", .words = "auto",
		.max = 32, .check = check_name,
		.help = "whose rights QEMU gets when vbench is started as root" },
	[K_HOST_FREE] = { .id = K_HOST_FREE, .section = SEC_HOST, .name = "free", .type = KT_SIZE, .def = "auto", .words = "auto",
		.help = "space that stays free on the image folder's file system; auto: the larger of 10 % and 10G" },
	[K_HOST_BUSY] = { .id = K_HOST_BUSY, .section = SEC_HOST, .name = "busy", .type = KT_ENUM, .values = "warn,refuse", .def = "warn",
		.help = "what to do on a host that is busy already" },

	[K_SITE] = { .id = K_SITE, .section = SEC_GUEST, .name = "site", .type = KT_ENUM, .values = "guest,host", .def = "guest",
		.axis = true, .bare = true, .conflict = conflict_site,
		.help = "where fio runs: in a small guest, or on the host itself (see disk.driver)" },
	[K_VCPUS] = { .id = K_VCPUS, .section = SEC_GUEST, .name = "vcpus", .type = KT_INT, .min = 1, .max = 255, .def = "2",
		.axis = true, .applies = applies_guest, .help = "virtual CPUs" },
	[K_MEMORY] = { .id = K_MEMORY, .section = SEC_GUEST, .name = "memory", .type = KT_SIZE, .min = 128 * MIB, .max = 4 * TIB,
		.step = MIB, .def = "256M", .axis = true, .applies = applies_guest, .help = "guest memory" },
	[K_ACCEL] = { .id = K_ACCEL, .section = SEC_GUEST, .name = "accel", .type = KT_ENUM, .values = "auto,kvm,tcg", .def = "auto",
		.axis = true, .bare = true,
		.applies = applies_guest, .help = "auto: KVM if the small guest really boots under it, else TCG, loudly" },
	[K_CPU] = { .id = K_CPU, .section = SEC_GUEST, .name = "cpu", .type = KT_STRING, .def = "auto", .words = "auto", .max = 400,
		.axis = true, .check = check_qemu_word, .conflict = conflict_cpu,
		.applies = applies_guest,
		.help = "CPU model with features (host,-x2apic); auto: host under KVM, max under TCG" },
	[K_MACHINE] = { .id = K_MACHINE, .section = SEC_GUEST, .name = "machine", .type = KT_STRING, .def = "q35", .axis = true,
		.check = check_qemu_word, .applies = applies_guest,
		.help = "machine type; an alias is pinned to its versioned name" },
	[K_SCHEDULER] = { .id = K_SCHEDULER, .section = SEC_GUEST, .name = "scheduler", .type = KT_ENUM, .values = "none,mq-deadline",
		.def = "none", .axis = true, .applies = applies_guest, .help = "I/O scheduler of the disk in the guest" },
	[K_SANDBOX] = { .id = K_SANDBOX, .section = SEC_GUEST, .name = "sandbox", .type = KT_BOOL, .def = "on", .axis = true,
		.applies = applies_guest, .help = "QEMU's seccomp sandbox, as libvirt sets it" },
	[K_KERNEL] = { .id = K_KERNEL, .section = SEC_GUEST, .name = "kernel", .type = KT_PATH, .def = "auto", .words = "auto",
		.axis = true, .check = check_absolute,
		.applies = applies_guest, .help = "guest kernel image (vmlinuz-VERSION); auto: the one that came with vbench" },
	[K_QEMU] = { .id = K_QEMU, .section = SEC_GUEST, .name = "qemu", .type = KT_PATH, .def = "qemu-system-x86_64", .axis = true,
		.check = check_binary, .applies = applies_guest, .help = "QEMU binary; list two to compare builds" },
	[K_START] = { .id = K_START, .section = SEC_GUEST, .name = "start", .type = KT_ENUM, .values = "template,boot",
		.def = "template", .axis = true, .applies = applies_guest,
		.help = "fresh guests restored from a template of the block, or booted" },
	[K_POLL_QUEUES] = { .id = K_POLL_QUEUES, .section = SEC_GUEST, .name = "poll-queues", .type = KT_INT, .max = 64, .def = "0",
		.axis = true, .applies = applies_poll_queues,
		.help = "of disk.queues so many are polled (virtio_blk.poll_queues), for fio.hipri = 1" },

	[K_DIR] = { .id = K_DIR, .section = SEC_DISK, .name = "dir", .type = KT_PATH, .def = "auto", .words = "auto", .axis = true,
		.check = check_absolute, .applies = applies_file,
		.help = "folder in which the image lies; auto: the run's own" },
	[K_DRIVER] = { .id = K_DRIVER, .section = SEC_DISK, .name = "driver", .type = KT_ENUM, .values = "vring,file,none",
		.def = "vring", .axis = true, .bare = true,
		.applies = applies_driver,
		.help = "on the host: vring, a virtio-blk driver within fio; file, the image itself; none, fio's null engine" },
	[K_BUS] = { .id = K_BUS, .section = SEC_DISK, .name = "bus", .type = KT_ENUM, .values = "virtio-blk,virtio-scsi,nvme,ide,ahci,virtio-mmio",
		.aliases = "virtio=virtio-blk,scsi=virtio-scsi", .def = "virtio-blk", .axis = true, .bare = true,
		.applies = applies_bus, .help = "how the guest sees the disk; virtio-mmio comes with guest.machine = microvm" },
	[K_DISKS] = { .id = K_DISKS, .section = SEC_DISK, .name = "count", .type = KT_INT, .min = 1, .max = 1024, .def = "1",
		.axis = true, .applies = applies_count, .help = "so many equal disks in the guest" },
	[K_CONTROLLERS] = { .id = K_CONTROLLERS, .section = SEC_DISK, .name = "controllers", .type = KT_ENUM, .values = "shared,each",
		.def = "shared", .axis = true, .applies = applies_controllers,
		.help = "one virtio-scsi controller for all disks, or one for each" },
	[K_SLOTS] = { .id = K_SLOTS, .section = SEC_DISK, .name = "slots", .type = KT_ENUM, .values = "ports,direct,multifunction",
		.def = "ports", .axis = true, .applies = applies_slots,
		.help = "PCI devices of disks: each behind a root port; on the root bus; eight functions behind a port" },
	[K_RING] = { .id = K_RING, .section = SEC_DISK, .name = "ring", .type = KT_ENUM, .values = "split,packed", .def = "split",
		.axis = true, .bare = true, .applies = applies_virtio, .conflict = conflict_ring,
		.help = "layout of the virtqueues" },
	[K_EVENT_IDX] = { .id = K_EVENT_IDX, .section = SEC_DISK, .name = "event-idx", .type = KT_BOOL, .def = "on", .axis = true,
		.applies = applies_virtio, .help = "either side names the index at which it wants to be notified" },
	[K_INDIRECT] = { .id = K_INDIRECT, .section = SEC_DISK, .name = "indirect", .type = KT_BOOL, .def = "on", .axis = true,
		.applies = applies_virtio, .help = "a request's descriptors lie in a table of their own" },
	[K_FORMAT] = { .id = K_FORMAT, .section = SEC_DISK, .name = "format", .type = KT_ENUM, .values = "raw,qcow2,qcow,qed,vmdk,vdi,vpc,vhdx,luks",
		.aliases = "vhd=vpc", .def = "raw",
		.refused = "zvhd=Huawei's own format, no QEMU driver|zvhd2=Huawei's own format, no QEMU driver",
		.axis = true, .bare = true, .applies = applies_file, .conflict = conflict_format,
		.help = "format of the image" },
	[K_MODE] = { .id = K_MODE, .section = SEC_DISK, .name = "mode", .type = KT_ENUM, .values = "thin,metadata,falloc,full",
		.aliases = "dynamic=metadata,prealloc=full,off=thin", .def = "thin", .axis = true, .bare = true,
		.applies = applies_mode, .help = "what of a qcow2 image is allocated beforehand" },
	[K_CLUSTER] = { .id = K_CLUSTER, .section = SEC_DISK, .name = "cluster-size", .type = KT_SIZE, .min = 512, .max = 2 * MIB,
		.def = "64k", .axis = true, .applies = applies_qcow2, .help = "of a qcow2 image, a power of two" },
	[K_EXTENDED_L2] = { .id = K_EXTENDED_L2, .section = SEC_DISK, .name = "extended-l2", .type = KT_BOOL, .def = "off",
		.axis = true, .applies = applies_v3, .help = "qcow2 allocates 32nds of a cluster" },
	[K_LAZY_REFCOUNTS] = { .id = K_LAZY_REFCOUNTS, .section = SEC_DISK, .name = "lazy-refcounts", .type = KT_BOOL, .def = "off",
		.axis = true, .applies = applies_v3, .help = "qcow2 postpones its reference counts" },
	[K_COMPAT] = { .id = K_COMPAT, .section = SEC_DISK, .name = "compat", .type = KT_ENUM, .values = "1.1,0.10", .def = "1.1",
		.axis = true, .applies = applies_qcow2, .help = "version of the qcow2 format" },
	[K_L2_CACHE] = { .id = K_L2_CACHE, .section = SEC_DISK, .name = "l2-cache-size", .type = KT_SIZE, .min = 1, .def = "auto",
		.words = "auto", .axis = true, .applies = applies_qcow2,
		.help = "memory for qcow2's L2 tables; auto: QEMU's, at most 32M" },
	[K_CONTENT] = { .id = K_CONTENT, .section = SEC_DISK, .name = "content", .type = KT_ENUM, .values = "empty,data", .def = "empty",
		.axis = true, .applies = applies_file,
		.help = "data: the image is converted from a full raw one, whose data compresses to about half" },
	[K_BACKING] = { .id = K_BACKING, .section = SEC_DISK, .name = "backing", .type = KT_INT, .max = 64, .def = "0", .axis = true,
		.applies = applies_qcow2, .help = "qcow2 overlays on top of the image, one on the other" },
	[K_COMPRESSION] = { .id = K_COMPRESSION, .section = SEC_DISK, .name = "compression", .type = KT_ENUM, .values = "none,zlib,zstd",
		.def = "none", .axis = true, .applies = applies_qcow2, .help = "of the data in the image, with content = data" },
	[K_DATA_FILE] = { .id = K_DATA_FILE, .section = SEC_DISK, .name = "data-file", .type = KT_BOOL, .def = "off", .axis = true,
		.applies = applies_v3, .help = "qcow2 keeps its data in a raw file beside it" },
	[K_SIZE] = { .id = K_SIZE, .section = SEC_DISK, .name = "size", .type = KT_SIZE, .min = MIB, .max = 16 * TIB, .step = MIB,
		.def = "1G", .axis = true, .help = "size of the disk" },
	[K_CACHE] = { .id = K_CACHE, .section = SEC_DISK, .name = "cache", .type = KT_ENUM,
		.values = "none,writeback,writethrough,directsync,unsafe", .def = "none", .axis = true,
		.applies = applies_cache, .conflict = conflict_cache,
		.help = "host page cache and flushes, as QEMU's cache= names them" },
	[K_AIO] = { .id = K_AIO, .section = SEC_DISK, .name = "aio", .type = KT_ENUM, .values = "io_uring,native,threads",
		.def = "io_uring", .axis = true, .bare = true, .applies = applies_aio, .conflict = conflict_aio,
		.help = "how QEMU submits to the host" },
	[K_DETECT_ZEROES] = { .id = K_DETECT_ZEROES, .section = SEC_DISK, .name = "detect-zeroes", .type = KT_ENUM,
		.values = "off,on,unmap", .def = "off", .axis = true, .applies = applies_block_layer,
		.help = "QEMU looks for zeroes in what is written" },
	[K_DISCARD] = { .id = K_DISCARD, .section = SEC_DISK, .name = "discard", .type = KT_ENUM, .values = "ignore,unmap",
		.def = "ignore", .axis = true, .applies = applies_block_layer, .help = "whether discards reach the image" },
	[K_THROTTLE_IOPS] = { .id = K_THROTTLE_IOPS, .section = SEC_DISK, .name = "throttle-iops", .type = KT_INT, .def = "0",
		.axis = true, .applies = applies_block_layer, .help = "QEMU's limit of requests a second for each disk; 0: none" },
	[K_THROTTLE_BPS] = { .id = K_THROTTLE_BPS, .section = SEC_DISK, .name = "throttle-bps", .type = KT_SIZE, .def = "0",
		.axis = true, .applies = applies_block_layer, .help = "QEMU's limit of bytes a second for each disk; 0: none" },
	[K_THROTTLE_IOPS_MAX] = { .id = K_THROTTLE_IOPS_MAX, .section = SEC_DISK, .name = "throttle-iops-max", .type = KT_INT,
		.def = "0", .axis = true, .applies = applies_throttle_iops, .help = "limit in a burst; 0: no bursts" },
	[K_THROTTLE_BPS_MAX] = { .id = K_THROTTLE_BPS_MAX, .section = SEC_DISK, .name = "throttle-bps-max", .type = KT_SIZE,
		.def = "0", .axis = true, .applies = applies_throttle_bps, .help = "limit in a burst; 0: no bursts" },
	[K_THROTTLE_BURST] = { .id = K_THROTTLE_BURST, .section = SEC_DISK, .name = "throttle-burst", .type = KT_TIME,
		.min = 1000 * MSEC, .max = HOUR, .def = "1s", .axis = true, .applies = applies_throttle_burst,
		.help = "how long a burst may last, in whole seconds" },
	[K_IOTHREAD] = { .id = K_IOTHREAD, .section = SEC_DISK, .name = "iothread", .type = KT_BOOL, .def = "on", .axis = true,
		.applies = applies_iothread, .help = "the disk has a thread of its own in QEMU" },
	[K_IOTHREADS] = { .id = K_IOTHREADS, .section = SEC_DISK, .name = "iothreads", .type = KT_INT, .min = 1, .max = 64,
		.def = "each", .words = "each", .axis = true, .applies = applies_iothreads,
		.help = "so many for all disks, dealt out in turn; each: one for every disk (controller)" },
	[K_MAPPING] = { .id = K_MAPPING, .section = SEC_DISK, .name = "iothread-mapping", .type = KT_ENUM, .values = "disk,queues",
		.def = "disk", .axis = true, .applies = applies_iothreads,
		.help = "queues: each disk's queues are dealt out to all iothreads (iothread-vq-mapping, QEMU 9.0)" },
	[K_POLL_MAX] = { .id = K_POLL_MAX, .section = SEC_DISK, .name = "poll-max", .type = KT_TIME, .max = 1000 * MSEC,
		.def = "32768ns", .axis = true, .applies = applies_iothreads,
		.help = "how long an iothread polls at most before it sleeps" },
	[K_IOEVENTFD] = { .id = K_IOEVENTFD, .section = SEC_DISK, .name = "ioeventfd", .type = KT_BOOL, .def = "on", .axis = true,
		.applies = applies_ioeventfd, .help = "kicks arrive through an eventfd; off: by an exit to QEMU" },
	[K_QUEUES] = { .id = K_QUEUES, .section = SEC_DISK, .name = "queues", .type = KT_INT, .min = 1, .max = 255, .def = "1",
		.axis = true, .conflict = conflict_queues, .applies = applies_queues,
		.help = "request queues; on the host at least one for each job of fio" },
	[K_QUEUE_SIZE] = { .id = K_QUEUE_SIZE, .section = SEC_DISK, .name = "queue-size", .type = KT_INT, .min = 2, .max = 32768,
		.def = "256", .axis = true, .applies = applies_virtio,
		.conflict = conflict_queue_size,
		.help = "entries of each virtqueue: in a guest powers of two from 4 to 1024, on the host any number if packed" },
	[K_WAIT] = { .id = K_WAIT, .section = SEC_DISK, .name = "wait", .type = KT_ENUM, .values = "poll,eventfd,adaptive",
		.def = "poll", .axis = true, .applies = applies_wait, .help = "how the vring driver waits for completions" },
	[K_POLL] = { .id = K_POLL, .section = SEC_DISK, .name = "poll", .type = KT_TIME, .min = 0, .max = 1000 * MSEC, .def = "50us",
		.axis = true, .applies = applies_poll,
		.help = "with wait = adaptive: how long the driver polls before it sleeps" },
	[K_BACKEND] = { .id = K_BACKEND, .section = SEC_DISK, .name = "backend", .type = KT_ENUM, .values = "file,null,vhost-user,nbd,block",
		.def = "file", .axis = true,
		.applies = applies_backend, .conflict = conflict_backend,
		.help = "an image on the host, QEMU's null device, a process that serves the virtqueues, an NBD server, or a block device" },
	[K_DEVICE] = { .id = K_DEVICE, .section = SEC_DISK, .name = "device", .type = KT_PATH, .axis = true, .check = check_device,
		.applies = applies_device, .conflict = conflict_device,
		.help = "block device of the host that is written, with --consent DEVICE on the command line" },
	[K_NBD] = { .id = K_NBD, .section = SEC_DISK, .name = "nbd", .type = KT_ENUM, .values = "qemu-nbd,nbdkit", .def = "qemu-nbd",
		.axis = true, .bare = true, .applies = applies_nbd, .help = "the NBD server" },
	[K_NBDKIT] = { .id = K_NBDKIT, .section = SEC_DISK, .name = "nbdkit", .type = KT_STRING, .def = "file", .axis = true,
		.check = check_nbdkit, .applies = applies_nbdkit,
		.help = "nbdkit's plugin with its arguments (memory 1G); file: the disk's image" },
	[K_SERVER] = { .id = K_SERVER, .section = SEC_DISK, .name = "server", .type = KT_ENUM, .values = "vbench,storage-daemon,loop",
		.def = "vbench", .axis = true, .bare = true,
		.applies = applies_vhost, .conflict = conflict_server,
		.help = "the vhost-user process: vbench's device, qemu-storage-daemon; loop: a thread of fio itself" },
	[K_SERVES] = { .id = K_SERVES, .section = SEC_DISK, .name = "serves", .type = KT_ENUM, .values = "null,file,memory",
		.def = "null", .axis = true, .applies = applies_vhost, .conflict = conflict_serves,
		.help = "what the vhost-user server has behind it" },
	[K_SERVER_WAIT] = { .id = K_SERVER_WAIT, .section = SEC_DISK, .name = "server-wait", .type = KT_ENUM,
		.values = "eventfd,poll,adaptive", .def = "eventfd", .axis = true,
		.applies = applies_vhost, .conflict = conflict_server_wait,
		.help = "how the vhost-user server waits for requests" },
	[K_SERVER_POLL] = { .id = K_SERVER_POLL, .section = SEC_DISK, .name = "server-poll", .type = KT_TIME, .max = 1000 * MSEC,
		.def = "32768ns", .axis = true, .applies = applies_server_poll,
		.help = "with server-wait = adaptive: how long the server polls before it sleeps" },
	[K_LATENCY] = { .id = K_LATENCY, .section = SEC_DISK, .name = "latency", .type = KT_TIME, .max = 1000 * MSEC, .def = "0s",
		.axis = true, .applies = applies_latency,
		.help = "what each request of a null back end takes (exact only with an iothread)" },
	[K_PRECONDITION] = { .id = K_PRECONDITION, .section = SEC_DISK, .name = "precondition", .type = KT_ENUM,
		.values = "none,fill,random",
		.def = "none", .axis = true, .applies = applies_written, .conflict = conflict_precondition,
		.help = "fill: the whole disk is written once before the workload; random: and then once more in random order" },

	[K_RW] = { .id = K_RW, .section = SEC_WORKLOAD, .name = "rw", .type = KT_ENUM,
		.values = "read,write,randread,randwrite,rw,randrw", .aliases = "readwrite=rw",
		.def = "randread", .help = "pattern of the I/O" },
	[K_BS] = { .id = K_BS, .section = SEC_WORKLOAD, .name = "bs", .type = KT_SIZE, .min = 512, .max = 16 * MIB, .step = 512,
		.def = "4k", .help = "size of a request" },
	[K_IODEPTH] = { .id = K_IODEPTH, .section = SEC_WORKLOAD, .name = "iodepth", .type = KT_INT, .min = 1, .max = 4096, .def = "1",
		.help = "requests in flight, for each job" },
	[K_NUMJOBS] = { .id = K_NUMJOBS, .section = SEC_WORKLOAD, .name = "numjobs", .type = KT_INT, .min = 1, .max = 256, .def = "1",
		.help = "jobs (threads) side by side" },
	[K_RUNTIME] = { .id = K_RUNTIME, .section = SEC_WORKLOAD, .name = "runtime", .type = KT_TIME, .min = 50 * MSEC, .max = 24 * HOUR,
		.def = "700ms", .help = "how long a trial measures" },
	[K_RAMP] = { .id = K_RAMP, .section = SEC_WORKLOAD, .name = "ramp", .type = KT_TIME, .max = HOUR, .def = "300ms",
		.help = "how long it runs before it measures" },
	[K_RATE] = { .id = K_RATE, .section = SEC_WORKLOAD, .name = "rate", .type = KT_STRING, .def = "none", .words = "none",
		.check = check_rate, .help = "limit for each job: bytes a second (10M) or 1000iops" },
	[K_WSIZE] = { .id = K_WSIZE, .section = SEC_WORKLOAD, .name = "size", .type = KT_SIZE, .min = 512, .step = 512, .def = "all",
		.words = "all", .help = "part of the disk, from its start, that is used" },
	[K_FSYNC] = { .id = K_FSYNC, .section = SEC_WORKLOAD, .name = "fsync", .type = KT_INT, .max = 1000000, .def = "0",
		.help = "fsync after so many writes; 0: never" },
	[K_FDATASYNC] = { .id = K_FDATASYNC, .section = SEC_WORKLOAD, .name = "fdatasync", .type = KT_INT, .max = 1000000, .def = "0",
		.help = "fdatasync after so many writes; 0: never" },
	[K_DIRECT] = { .id = K_DIRECT, .section = SEC_WORKLOAD, .name = "direct", .type = KT_BOOL, .def = "on",
		.help = "O_DIRECT in the guest" },
	[K_VERIFY] = { .id = K_VERIFY, .section = SEC_WORKLOAD, .name = "verify", .type = KT_ENUM,
		.values = "none,crc32c,md5,sha256,xxhash", .def = "none",
		.help = "read back and check what was written (not for figures)" },
	[K_IOENGINE] = { .id = K_IOENGINE, .section = SEC_WORKLOAD, .name = "ioengine", .type = KT_ENUM,
		.values = "io_uring,libaio,sync,psync,pvsync,pvsync2", .def = "io_uring",
		.help = "how fio submits in the guest" },
	[K_WPRECONDITION] = { .id = K_WPRECONDITION, .section = SEC_WORKLOAD, .name = "precondition", .type = KT_ENUM,
		.values = "disk,none,fill,random", .aliases = "first-write=none,steady=fill", .def = "disk",
		.help = "overrides disk.precondition: reads want fill (steady), the first write wants none" },
	[K_WDISKS] = { .id = K_WDISKS, .section = SEC_WORKLOAD, .name = "disks", .type = KT_ENUM, .values = "each,round", .def = "each",
		.help = "with disk.count over 1: jobs for each disk, or every job goes round all of them" },

	[K_BLOCKS] = { .id = K_BLOCKS, .section = SEC_RUN, .name = "blocks", .type = KT_INT, .min = 1, .max = 10000, .def = "6",
		.help = "how often each cell is measured, each time in a fresh guest" },
	[K_SEED] = { .id = K_SEED, .section = SEC_RUN, .name = "seed", .type = KT_INT, .def = "random", .words = "random",
		.help = "of the order and of fio's addresses" },
	[K_LABEL] = { .id = K_LABEL, .section = SEC_RUN, .name = "label", .type = KT_STRING, .max = 100,
		.help = "names what is under test (a build), for later look-ups" },
	[K_STRICT] = { .id = K_STRICT, .section = SEC_RUN, .name = "strict", .type = KT_BOOL, .def = "off",
		.help = "a setting that cannot be read back fails the trial, too" },
	[K_OUT] = { .id = K_OUT, .section = SEC_RUN, .name = "out", .type = KT_PATH, .def = "auto", .words = "auto",
		.help = "where the HTML report goes; auto: into the run's folder" },
	[K_PRIMARY] = { .id = K_PRIMARY, .section = SEC_RUN, .name = "primary", .type = KT_STRING, .def = "auto", .words = "auto",
		.max = 39, .check = check_name,
		.help = "the metric that decides; auto: by workload" },
	[K_ONLY] = { .id = K_ONLY, .section = SEC_RUN, .name = "only", .type = KT_STRING, .max = 4000,
		.help = "measure these cells alone: labels (in a ladder the rungs' names) or ids, with commas between" },
};
/* clang-format on */
