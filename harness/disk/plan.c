/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A cell goes in, a plan comes out: names, image steps, and what is to be made in QEMU in which
 * order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "disk/internal.h"

unsigned disk_root_ports(const struct cell *c)
{
	(void)c;
	return 2;
}

const char *qspec_command(enum qspec_kind k)
{
	static const char *const names[] = {
		[Q_OBJECT] = "object-add",
		[Q_CHARDEV] = "chardev-add",
		[Q_BLOCKDEV] = "blockdev-add",
		[Q_DEVICE] = "device_add",
	};

	return names[k];
}

const char *qspec_option(enum qspec_kind k)
{
	static const char *const names[] = {
		[Q_OBJECT] = "-object",
		[Q_CHARDEV] = "-chardev",
		[Q_BLOCKDEV] = "-blockdev",
		[Q_DEVICE] = "-device",
	};

	return names[k];
}

void plan_add(struct disk_plan *p, enum qspec_kind kind, json_t *args)
{
	p->specs = xrealloc(p->specs, p->nspecs + 1, sizeof(*p->specs));
	p->specs[p->nspecs++] = (struct qspec){.kind = kind, .args = args};
}

static void name_things(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	const struct bus_row *bus = bus_find(cell_get(c, K_BUS));
	unsigned i = env->index;

	snprintf(p->file_node, sizeof(p->file_node), "vb%u-file", i);
	snprintf(p->fmt_node, sizeof(p->fmt_node), "vb%u-fmt", i);
	p->vhost = cell_uses_vhost(c);
	if (p->vhost)
		snprintf(p->sock_name, sizeof(p->sock_name), "vb%u-sock", i);
	if (cell_on_host(c))
		return;
	snprintf(p->device_id, sizeof(p->device_id), "vb%u", i);
	/* virtio-blk cuts serials at 20 bytes; the cell's id in it shows that this is the disk that
	 * was meant. qemu-storage-daemon's export has a serial of its own, which cannot be set. */
	if (!p->vhost || strcmp(cell_get(c, K_SERVER), "storage-daemon"))
		snprintf(p->serial, sizeof(p->serial), "vb%u-%.12s", i % 10000, c->id);
	if (bus->virtio_id)
		snprintf(p->virtio_path, sizeof(p->virtio_path),
			 "/machine/peripheral/%s%u/virtio-backend", bus->virtio_id, i);
	if (cell_on(c, K_IOTHREAD))
		snprintf(p->iothread, sizeof(p->iothread), "io%u", i);
}

/* JSON is UTF-8, and so must a path be that goes into it. */
static bool all_made(const struct disk_plan *p)
{
	for (size_t i = 0; i < p->nspecs; i++)
		if (!p->specs[i].args)
			return false;
	return true;
}

/* How long its event loop polls at most before it sleeps; QEMU tunes the time itself within that.
 * QEMU's default, written down so that a ladder's guests and servers are of one policy. */
#define IOTHREAD_POLL_MAX_NS 32768

/* QEMU's own disk: iothread, block nodes, device. */
static void plan_qemu(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	json_t *file, *fmt;

	if (p->iothread[0])
		plan_add(p, Q_OBJECT,
			 json_pack("{s:s, s:s, s:i}", "qom-type", "iothread", "id", p->iothread,
				   "poll-max-ns", IOTHREAD_POLL_MAX_NS));
	image_nodes(c, p, &file, &fmt);
	plan_add(p, Q_BLOCKDEV, file);
	plan_add(p, Q_BLOCKDEV, fmt);
	bus_find(cell_get(c, K_BUS))->plug(c, env, p);
}

int disk_plan_make(const struct cell *c, const struct disk_env *env, struct disk_plan *out,
		   struct err *e)
{
	int rc = 0;

	*out = (struct disk_plan){0};
	if (!cell_on_host(c) && !bus_find(cell_get(c, K_BUS)))
		return err_input(e, "disk.bus: \"%s\" is none that can be planned",
				 cell_get(c, K_BUS) ? cell_get(c, K_BUS) : "");
	if (cell_has_image(c) && (!env->image_dir || env->image_dir[0] != '/'))
		return err_input(e, "disk.dir: the image folder must be an absolute path");
	name_things(c, env, out);
	image_plan(c, env, out);
	if (out->vhost)
		rc = server_plan(c, env, out, e);
	if (!rc && cell_on_host(c))
		rc = engine_plan(c, env, out, e);
	else if (!rc && out->vhost)
		plug_vhost(c, env, out);
	else if (!rc)
		plan_qemu(c, env, out);
	if (!rc && !all_made(out))
		rc = err_input(
			e, "disk.dir: the path of the image folder is not UTF-8, which QMP needs");
	if (rc)
		disk_plan_free(out);
	return rc;
}

void disk_plan_free(struct disk_plan *p)
{
	for (size_t i = 0; i < p->nsteps; i++) {
		for (size_t k = 0; p->steps[i].argv[k]; k++)
			free(p->steps[i].argv[k]);
		free(p->steps[i].argv);
	}
	for (size_t i = 0; i < p->nspecs; i++)
		json_decref(p->specs[i].args);
	for (size_t k = 0; p->server.argv && p->server.argv[k]; k++)
		free(p->server.argv[k]);
	free(p->server.argv);
	free(p->server.version);
	free(p->steps);
	free(p->specs);
	free(p->image);
	free(p->engine);
	*p = (struct disk_plan){0};
}
