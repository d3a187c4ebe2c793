/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a key of the table means nothing in a cell. */
#include "profile/keys.h"

static bool virtio(const struct cell *c)
{
	return c->val[K_BUS] && !strncmp(c->val[K_BUS], "virtio-", 7);
}

const char *applies_guest(const struct cell *c)
{
	return cell_on_host(c) ? "on the host there is no guest" : NULL;
}

const char *applies_driver(const struct cell *c)
{
	return cell_on_host(c) ? NULL : "in a guest its kernel drives the disk";
}

const char *applies_bus(const struct cell *c)
{
	return cell_on_host(c) ? "on the host the disk is on no bus" : NULL;
}

const char *applies_guests(const struct cell *c)
{
	const char *why = applies_guest(c);

	return why || !cell_overcommit(c) ? why : "guest.overcommit says how many guests there are";
}

const char *applies_memory_mode(const struct cell *c)
{
	const char *why = applies_guest(c);

	return why || !cell_is(c, K_NODES, "any") ? why : "guest.nodes names no nodes";
}

/* The virtio_blk driver of the guest has them, whatever serves its device. */
const char *applies_poll_queues(const struct cell *c)
{
	const char *why = applies_guest(c);

	return why || cell_is(c, K_BUS, "virtio-blk") || cell_is(c, K_BUS, "virtio-mmio")
		       ? why
		       : "only the guest's virtio-blk driver has poll queues";
}

/* --- how many disks, and where --- */

const char *applies_count(const struct cell *c)
{
	return cell_on_host(c) ? "on the host there is one disk" : NULL;
}

const char *applies_controllers(const struct cell *c)
{
	const char *why = applies_count(c);

	if (why)
		return why;
	if (!cell_is(c, K_BUS, "virtio-scsi"))
		return "only virtio-scsi has a controller beside its disks";
	return cell_u64(c, K_DISKS) > 1 ? NULL : "one disk has one controller";
}

const char *applies_slots(const struct cell *c)
{
	bool shared = cell_is(c, K_BUS, "virtio-scsi") && !cell_is(c, K_CONTROLLERS, "each");
	bool one = shared || cell_u64(c, K_DISKS) <= 1;
	/* asked for the reason, it is the value that has been lost */
	bool functions = !c->val[K_SLOTS] || cell_is(c, K_SLOTS, "multifunction");

	if (cell_on_host(c))
		return "on the host there is no PCI bus of the guest";
	if (cell_is(c, K_BUS, "virtio-mmio"))
		return "virtio-mmio is on no PCI bus";
	if (cell_is(c, K_BUS, "ide") || cell_is(c, K_BUS, "ahci"))
		return "this bus has a controller of its own for all disks";
	/* as slots = ports, then */
	return one && functions ? "one PCI device has nothing to share its port with" : NULL;
}

/* --- images --- */

const char *applies_file(const struct cell *c)
{
	if (cell_has_image(c))
		return NULL;
	if (cell_uses_vhost(c))
		return "only serves = file has an image";
	if (cell_uses_nbd(c))
		return "only nbdkit = file has an image";
	if (cell_on_device(c))
		return "a block device has no image file";
	return cell_on_host(c) ? "without a file behind it there is no image"
			       : "a null back end has no image";
}

/* A device is taken as it is, and that is told: raw. */
const char *applies_format(const struct cell *c)
{
	return cell_on_device(c) ? NULL : applies_file(c);
}

const char *applies_mode(const struct cell *c)
{
	const char *why = applies_file(c);

	if (why || cell_is(c, K_FORMAT, "qcow2"))
		return why;
	return cell_is(c, K_FORMAT, "raw") ? "a raw image has no qcow2 allocation mode"
					   : "only a qcow2 image has an allocation mode";
}

const char *applies_qcow2(const struct cell *c)
{
	const char *why = applies_file(c);

	return why || cell_is(c, K_FORMAT, "qcow2") ? why : "only a qcow2 image has it";
}

const char *applies_v3(const struct cell *c)
{
	const char *why = applies_qcow2(c);

	return why || cell_is(c, K_COMPAT, "1.1") ? why : "only compat = 1.1 has it";
}

const char *applies_written(const struct cell *c)
{
	return cell_can_fill(c) ? NULL : applies_file(c);
}

/* A device is opened as an image is. */
const char *applies_cache(const struct cell *c)
{
	const char *why = cell_on_device(c) ? NULL : applies_file(c);

	if (!why && cell_on_host(c) && !cell_uses_vhost(c))
		return "fio opens the image itself: the workload's direct says it";
	return why;
}

const char *applies_aio(const struct cell *c)
{
	const char *why = applies_cache(c);

	if (why && cell_has_image(c))
		return "fio opens the image itself: the workload's ioengine says it";
	if (!why && cell_uses_nbd(c) && cell_is(c, K_NBD, "nbdkit"))
		return "nbdkit's threads read and write by themselves";
	return why || cell_in_qemu(c) ? why : "vbench's device submits through io_uring only";
}

/* --- QEMU's block layer --- */

const char *applies_block_layer(const struct cell *c)
{
	if (cell_on_host(c))
		return "on the host there is no QEMU";
	return cell_uses_vhost(c) ? "the vhost-user back end is a process of its own" : NULL;
}

const char *applies_throttle_iops(const struct cell *c)
{
	const char *why = applies_block_layer(c);

	return why || cell_u64(c, K_THROTTLE_IOPS) ? why : "only throttle-iops has a burst";
}

const char *applies_throttle_bps(const struct cell *c)
{
	const char *why = applies_block_layer(c);

	return why || cell_u64(c, K_THROTTLE_BPS) ? why : "only throttle-bps has a burst";
}

/* A burst that has no limit below it is none; asked again, such a limit has lost its value. */
const char *applies_throttle_burst(const struct cell *c)
{
	const char *why = applies_block_layer(c);
	bool iops = cell_u64(c, K_THROTTLE_IOPS) && cell_u64(c, K_THROTTLE_IOPS_MAX);
	bool bps = cell_u64(c, K_THROTTLE_BPS) && cell_u64(c, K_THROTTLE_BPS_MAX);

	return why || iops || bps ? why
				  : "only throttle-iops-max and throttle-bps-max have a length";
}

/* --- rings and threads --- */

const char *applies_virtio(const struct cell *c)
{
	if (cell_on_host(c))
		return cell_uses_vring(c) ? NULL : "only driver = vring has a virtio ring";
	if (virtio(c))
		return NULL;
	return cell_is(c, K_BUS, "nvme") ? "nvme has no virtio ring"
					 : "this bus has no virtio ring";
}

/* VIRTIO 1.2, 4.2.2: QueueNumMax is the device's to say, and QEMU's virtio-mmio says 1024. */
const char *applies_queue_size(const struct cell *c)
{
	return cell_is(c, K_BUS, "virtio-mmio") ? "virtio-mmio has 1024 entries, always"
						: applies_virtio(c);
}

/* The transports of a microvm belong to its board. */
const char *applies_ioeventfd(const struct cell *c)
{
	const char *why = applies_block_layer(c);

	if (why)
		return why;
	return cell_is(c, K_BUS, "virtio-mmio")
		       ? "virtio-mmio has an eventfd under KVM and none under TCG"
		       : applies_virtio(c);
}

const char *applies_queues(const struct cell *c)
{
	if (cell_on_host(c) && !cell_uses_vring(c))
		return "only driver = vring has queues";
	if (!cell_on_host(c) && (cell_is(c, K_BUS, "ide") || cell_is(c, K_BUS, "ahci")))
		return "this bus has one queue for each disk";
	return cell_uses_vhost(c) && cell_is(c, K_SERVER, "loop")
		       ? "server = loop has one queue for each job of fio"
		       : NULL;
}

/*
 * An iothread is told of requests by an eventfd, and virtio-mmio has that only under KVM (QEMU
 * 7.2: "ioeventfd is required for iothread"). What accel = auto becomes is not known here.
 */
const char *applies_iothread(const struct cell *c)
{
	const char *why = applies_block_layer(c);

	if (why)
		return why;
	if (cell_is(c, K_BUS, "virtio-mmio") && !cell_is(c, K_ACCEL, "kvm"))
		return "virtio-mmio has iothreads under KVM only: guest.accel = kvm";
	if (virtio(c))
		return NULL;
	return cell_is(c, K_BUS, "nvme") ? "QEMU's nvme has no iothread"
					 : "this bus is served by QEMU's main loop";
}

const char *applies_iothreads(const struct cell *c)
{
	const char *why = applies_iothread(c);

	return why || cell_on(c, K_IOTHREAD) ? why : "without an iothread there is none to set";
}

const char *applies_wait(const struct cell *c)
{
	return cell_uses_vring(c) ? NULL : "only driver = vring chooses how it waits";
}

const char *applies_poll(const struct cell *c)
{
	const char *why = applies_wait(c);

	return why || cell_is(c, K_WAIT, "adaptive") ? why
						     : "only wait = adaptive polls for a while";
}

/* --- what is behind the disk --- */

const char *applies_backend(const struct cell *c)
{
	if (!cell_on_host(c) || cell_uses_vring(c))
		return NULL;
	return cell_is(c, K_DRIVER, "file") ? "driver = file has the image itself behind it"
					    : "fio's null engine has nothing behind it";
}

const char *applies_device(const struct cell *c)
{
	return cell_on_device(c) ? NULL : "only backend = block writes to a device of the host";
}

const char *applies_nbd(const struct cell *c)
{
	return cell_uses_nbd(c) ? NULL : "only backend = nbd has an NBD server";
}

const char *applies_nbdkit(const struct cell *c)
{
	const char *why = applies_nbd(c);

	return why || cell_is(c, K_NBD, "nbdkit") ? why : "only nbd = nbdkit has plugins";
}

const char *applies_vhost(const struct cell *c)
{
	return cell_uses_vhost(c) ? NULL : "only backend = vhost-user has a server";
}

const char *applies_server_poll(const struct cell *c)
{
	const char *why = applies_vhost(c);

	return why || cell_is(c, K_SERVER_WAIT, "adaptive")
		       ? why
		       : "only server-wait = adaptive polls for a while";
}

const char *applies_latency(const struct cell *c)
{
	if (cell_uses_vhost(c) ? cell_is(c, K_SERVES, "null")
			       : !cell_on_host(c) && cell_is(c, K_BACKEND, "null"))
		return NULL;
	return "only a null back end has a latency to set";
}
