// SPDX-License-Identifier: GPL-2.0-or-later
/* What QMP says of the disk's device: its properties, its ring, its limits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include "base/file.h"
#include "guest/evidence.h"

json_t *evidence_qom(struct vm *v, const char *path, const char *prop)
{
	json_t *r = NULL;

	if (vm_qmp(v, "qom-get", json_pack("{s:s, s:s}", "path", path, "property", prop), &r,
		   VM_ANSWER_MS, NULL))
		return json_null();
	return r;
}

/* The QOM path of the device that users configure: the proxy of a virtio device, not what is
 * behind it. Caller frees. */
static char *device_path(const struct disk_plan *p)
{
	static const char tail[] = "/virtio-backend";
	size_t n = strlen(p->virtio_path), k = strlen(tail);

	if (!n)
		return xasprintf("/machine/peripheral/%s", p->device_id);
	if (n > k && !strcmp(p->virtio_path + n - k, tail))
		n -= k;
	return xasprintf("%.*s", (int)n, p->virtio_path);
}

/* On the board the transport has it: the device's bus hangs on that. */
static json_t *mmio_ioeventfd(struct vm *v, const char *device)
{
	json_t *bus = evidence_qom(v, device, "parent_bus"), *r = NULL;
	char *path = xstrdup(json_string_value(bus) ? json_string_value(bus) : "");
	char *slash = strrchr(path, '/');

	if (slash && slash != path) {
		*slash = 0;
		r = evidence_qom(v, path, "ioeventfd");
	}
	free(path);
	json_decref(bus);
	return r ? r : json_null();
}

json_t *evidence_device(struct vm *v, const struct disk_plan *p)
{
	static const char *const props[] = {"type", "ioeventfd", "iothread", "iothread-vq-mapping"};
	char *path = device_path(p);
	json_t *out = json_object();
	const char *type;

	for (size_t i = 0; i < sizeof(props) / sizeof(*props); i++)
		json_object_set_new(out, props[i], evidence_qom(v, path, props[i]));
	type = json_string_value(json_object_get(out, "type"));
	if (type && json_is_null(json_object_get(out, "ioeventfd")) &&
	    !strcmp(type, "virtio-blk-device"))
		json_object_set_new(out, "ioeventfd", mmio_ioeventfd(v, path));
	free(path);
	return out;
}

/* A SCSI controller's first two queues are control and event (VIRTIO 1.2, 5.6.2). */
static int first_queue(const struct disk_plan *p)
{
	for (size_t i = 0; i < p->nspecs; i++) {
		const char *driver = json_string_value(json_object_get(p->specs[i].args, "driver"));

		if (p->specs[i].kind == Q_DEVICE && driver && !strncmp(driver, "virtio-scsi", 11))
			return 2;
	}
	return 0;
}

/*
 * Ring size of QEMU's own virtio device. Never asked of a vhost device: the query sends
 * GET_VRING_BASE, which stops the ring for good.
 */
json_t *evidence_queue(struct vm *v, const struct disk_plan *p)
{
	json_t *r = NULL;

	if (p->vhost || !p->virtio_path[0])
		return json_null();
	if (vm_qmp(v, "x-query-virtio-queue-status",
		   json_pack("{s:s, s:i}", "path", p->virtio_path, "queue", first_queue(p)), &r,
		   VM_ANSWER_MS, NULL))
		return json_null();
	return r;
}

/* The same of a device whose rings a vhost-user server has: this query leaves them alone. */
json_t *evidence_vhost_queue(struct vm *v, const struct disk_plan *p)
{
	json_t *r = NULL;

	if (vm_qmp(v, "x-query-virtio-vhost-queue-status",
		   json_pack("{s:s, s:i}", "path", p->virtio_path, "queue", 0), &r, VM_ANSWER_MS,
		   NULL))
		return json_null();
	return r;
}

json_t *evidence_throttle(struct vm *v, const struct disk_plan *p)
{
	json_t *r = NULL;
	char *path;

	for (size_t i = 0; i < p->nspecs; i++) {
		const char *type = json_string_value(json_object_get(p->specs[i].args, "qom-type"));
		const char *id = json_string_value(json_object_get(p->specs[i].args, "id"));

		if (r || p->specs[i].kind != Q_OBJECT || !type || !id ||
		    strcmp(type, "throttle-group"))
			continue;
		path = xasprintf("/objects/%s", id);
		r = evidence_qom(v, path, "limits");
		free(path);
	}
	return r ? r : json_null();
}

/* Less than this is a full file system: what is kept for root, or rounded away. */
#define FULL_BYTES (64u << 10)

static bool file_system_full(const char *image)
{
	struct statvfs v;

	return image && !statvfs(image, &v) &&
	       (uint64_t)v.f_bavail * (v.f_frsize ? v.f_frsize : v.f_bsize) < FULL_BYTES;
}

int evidence_failed(struct vm *v, const struct disk_plan *p, struct err *e)
{
	static const char *const counts[] = {"failed_rd_operations", "failed_wr_operations",
					     "failed_flush_operations"};
	json_t *rows = NULL, *row;
	json_int_t n[3] = {0};
	size_t i, k;
	bool full;
	int rc = vm_qmp(v, "query-blockstats", NULL, &rows, VM_ANSWER_MS, e);

	if (rc)
		return rc;
	json_array_foreach(rows, i, row)
	{
		for (k = 0; k < 3; k++)
			n[k] += json_integer_value(
				json_object_get(json_object_get(row, "stats"), counts[k]));
	}
	json_decref(rows);
	if (!n[0] && !n[1] && !n[2])
		return 0;
	full = n[1] && file_system_full(p->image);
	v->cause = full ? CAUSE_DISK_FULL : CAUSE_IO;
	return err_set(
		e, full ? -ENOSPC : -EIO,
		"QEMU could not do %lld reads, %lld writes and %lld flushes of the guest's%s",
		(long long)n[0], (long long)n[1], (long long)n[2],
		full ? ": no space left where the image is" : "");
}

int evidence_images(const struct disk_plan *p, struct err *e)
{
	struct stat st;

	for (size_t i = 0; !p->device && i < p->nunits; i++)
		if (p->units[i].image && stat(p->units[i].image, &st) && errno == ENOENT)
			return err_set(
				e, -EIO,
				"the image %s is gone: something removed it while QEMU had it "
				"open",
				p->units[i].image);
	return 0;
}
