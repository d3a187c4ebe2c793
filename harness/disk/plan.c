/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A cell goes in, a plan comes out: names, image steps, and what is to be made in QEMU in which
 * order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "disk/internal.h"

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

void word(struct words *w, char *owned)
{
	w->v = xrealloc(w->v, w->n + 2, sizeof(*w->v));
	w->v[w->n++] = owned;
	w->v[w->n] = NULL;
}

void plan_add(struct disk_plan *p, enum qspec_kind kind, json_t *args)
{
	p->specs = xrealloc(p->specs, p->nspecs + 1, sizeof(*p->specs));
	p->specs[p->nspecs++] = (struct qspec){.kind = kind, .args = args};
}

/*
 * virtio-blk cuts serials at 20 bytes; the cell's id in it shows that this is the disk that was
 * meant. A cold disk's serial is in its template, which equal devices share: it has none there.
 */
static void name_serial(const struct cell *c, const struct disk_plan *p, unsigned n, char *serial,
			size_t size)
{
	if (p->vhost && !strcmp(cell_get(c, K_SERVER), "storage-daemon"))
		return; /* its export has a serial of its own, which cannot be set */
	if (p->cold)
		snprintf(serial, size, "vb%u-cold", n % 10000);
	else
		snprintf(serial, size, "vb%u-%.12s", n % 10000, c->id);
}

static void name_unit(const struct cell *c, const struct disk_env *env, struct disk_plan *p,
		      unsigned i)
{
	struct disk_unit *u = &p->units[i];
	unsigned n = env->index + i;

	snprintf(u->file_node, sizeof(u->file_node), "vb%u-file", n);
	snprintf(u->fmt_node, sizeof(u->fmt_node), "vb%u-fmt", n);
	if (cell_on_host(c))
		return;
	snprintf(u->device_id, sizeof(u->device_id), "vb%u", n);
	name_serial(c, p, n, u->serial, sizeof(u->serial));
	bus_name_unit(c, env, i, u);
}

static void name_things(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	const struct disk_unit *first;

	p->vhost = cell_uses_vhost(c);
	p->cold = cell_is_cold(c);
	p->nunits = disk_count(c);
	p->units = xcalloc(p->nunits, sizeof(*p->units));
	for (unsigned i = 0; i < p->nunits; i++)
		name_unit(c, env, p, i);
	if (p->vhost)
		snprintf(p->sock_name, sizeof(p->sock_name), "vb%u-sock", env->index);
	first = &p->units[0];
	snprintf(p->serial, sizeof(p->serial), "%s", first->serial);
	snprintf(p->device_id, sizeof(p->device_id), "%s", first->device_id);
	snprintf(p->file_node, sizeof(p->file_node), "%s", first->file_node);
	snprintf(p->fmt_node, sizeof(p->fmt_node), "%s", first->fmt_node);
	snprintf(p->virtio_path, sizeof(p->virtio_path), "%s", first->virtio_path);
	snprintf(p->iothread, sizeof(p->iothread), "%s", first->iothread);
}

/* JSON is UTF-8, and so must a path be that goes into it. */
static bool all_made(const struct disk_plan *p)
{
	for (size_t i = 0; i < p->nspecs; i++)
		if (!p->specs[i].args)
			return false;
	return true;
}

/*
 * How long its event loop polls at most before it sleeps; QEMU tunes the time itself within that.
 * Always written down, so that a ladder's guests and servers are of one policy.
 */
static void plan_iothreads(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	for (unsigned i = 0; i < disk_iothreads(c); i++)
		plan_add(p, Q_OBJECT,
			 json_pack("{s:s, s:o, s:I}", "qom-type", "iothread", "id",
				   json_sprintf("io%u", env->index + i), "poll-max-ns",
				   (json_int_t)cell_u64(c, K_POLL_MAX)));
}

/* The template's disks: the same threads and devices, but nothing of the images. */
static void plan_blank(const struct cell *c, struct disk_plan *p, size_t threads, size_t devices)
{
	struct qspec *all = p->specs;
	size_t nall = p->nspecs;

	p->specs = NULL;
	p->nspecs = 0;
	for (size_t i = 0; i < threads; i++)
		plan_add(p, all[i].kind, json_incref(all[i].args));
	for (size_t i = 0; i < p->nunits; i++)
		image_specs(c, p, &p->units[i], true, &p->specs, &p->nspecs);
	for (size_t i = devices; i < nall; i++)
		plan_add(p, all[i].kind, json_incref(all[i].args));
	p->blank = p->specs;
	p->nblank = p->nspecs;
	p->specs = all;
	p->nspecs = nall;
}

/* QEMU's own disks: iothreads, block nodes, devices. */
static void plan_qemu(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	size_t threads, devices;

	plan_iothreads(c, env, p);
	threads = p->nspecs;
	for (size_t i = 0; i < p->nunits; i++)
		image_specs(c, p, &p->units[i], false, &p->specs, &p->nspecs);
	devices = p->nspecs;
	bus_find(cell_get(c, K_BUS))->plug(c, env, p);
	if (p->cold)
		plan_blank(c, p, threads, devices);
}

/* A vhost-user disk's socket is handed to QEMU when it runs; a cold disk is there before. */
static int check_cold(const struct disk_plan *p, struct err *e)
{
	return p->cold && p->vhost
		       ? err_input(e, "disk.slots: a vhost-user disk is hot-plugged, and so not on "
				      "the root bus itself; use slots = ports")
		       : 0;
}

int disk_plan_make(const struct cell *c, const struct disk_env *env, struct disk_plan *out,
		   struct err *e)
{
	int rc;

	*out = (struct disk_plan){0};
	if (!cell_on_host(c) && !bus_find(cell_get(c, K_BUS)))
		return err_input(e, "disk.bus: \"%s\" is none that can be planned",
				 cell_get(c, K_BUS) ? cell_get(c, K_BUS) : "");
	if (cell_has_image(c) && (!env->image_dir || env->image_dir[0] != '/'))
		return err_input(e, "disk.dir: the image folder must be an absolute path");
	name_things(c, env, out);
	image_units(c, env, out);
	rc = check_cold(out, e);
	if (!rc && out->vhost)
		rc = server_plan(c, env, out, e);
	if (!rc && cell_uses_nbd(c))
		rc = nbd_plan(c, env, out, e);
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

static void words_free(char **v)
{
	for (size_t i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}

static void specs_free(struct qspec *specs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_decref(specs[i].args);
	free(specs);
}

void disk_plan_free(struct disk_plan *p)
{
	char *image = p->image;

	for (size_t i = 0; i < p->nsteps; i++) {
		words_free(p->steps[i].argv);
		free(p->steps[i].source);
	}
	for (size_t i = 0; i < p->nunits; i++) {
		/* the plan's own may be the first one's itself */
		if (p->units[i].image == image)
			image = NULL;
		free(p->units[i].image);
	}
	for (size_t i = 0; i < p->nfiles; i++)
		free(p->files[i]);
	specs_free(p->specs, p->nspecs);
	specs_free(p->blank, p->nblank);
	words_free(p->server.argv);
	free(p->server.version);
	free(p->steps);
	free(p->files);
	free(p->units);
	free(image);
	free(p->engine);
	*p = (struct disk_plan){0};
}
