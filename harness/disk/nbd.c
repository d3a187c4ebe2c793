// SPDX-License-Identifier: GPL-2.0-or-later
/* NBD servers: the door for back ends that QEMU has no driver for. */
#include <string.h>
#include "disk/internal.h"

/*
 * qemu-nbd(8). It serves the file as it is: the format is QEMU's, so that a format over NBD costs
 * what it costs there. Flushes are the client's, so two of QEMU's cache modes are enough here.
 * --persistent: whether it ends is the harness's matter, not that of a connection.
 */
static void put_qemu_nbd(struct words *w, const struct cell *c, const struct disk_env *env,
			 const struct disk_plan *p)
{
	word(w, xstrdup(env->qemu_nbd));
	word(w, xstrdup("--persistent"));
	word(w, xstrdup("--shared=1"));
	word(w, xstrdup("--format=raw"));
	word(w, xasprintf("--cache=%s", cell_cache(c)->direct ? "none" : "writeback"));
	if (cell_get(c, K_AIO))
		word(w, xasprintf("--aio=%s", cell_get(c, K_AIO)));
	word(w, xasprintf("--discard=%s", cell_is(c, K_DISCARD, "unmap") ? "unmap" : "ignore"));
	word(w, xstrdup("--detect-zeroes=off"));
	word(w, xstrdup(p->image));
}

/* nbdkit(1): in the foreground, then the plugin and its parameters, split at blanks. */
static void put_nbdkit(struct words *w, const struct cell *c, const struct disk_env *env,
		       const struct disk_plan *p)
{
	const char *s = cell_get(c, K_NBDKIT);

	word(w, xstrdup(env->nbdkit));
	word(w, xstrdup("--foreground"));
	if (p->image) {
		word(w, xstrdup("file"));
		word(w, xasprintf("file=%s", p->image));
		return;
	}
	while (s && *(s += strspn(s, " \t"))) {
		size_t n = strcspn(s, " \t");

		word(w, xasprintf("%.*s", (int)n, s));
		s += n;
	}
}

/* What lies in one file that does not grow. */
static int check_image(const struct cell *c, const struct disk_plan *p, struct err *e)
{
	const struct format_row *row = format_find(cell_get(c, K_FORMAT));

	if (!p->image || !row)
		return 0;
	if (!row->fixed_file)
		return err_input(e,
				 "disk.format: an NBD export does not grow, which %s needs; use "
				 "raw, qcow2 or luks",
				 row->name);
	if (image_layers(c) > 1 || cell_on(c, K_DATA_FILE))
		return err_input(e, "disk.backend: one NBD export is one file; use backing = 0 and "
				    "data-file = off, or backend = file");
	return 0;
}

int nbd_plan(const struct cell *c, const struct disk_env *env, struct disk_plan *p, struct err *e)
{
	bool kit = cell_is(c, K_NBD, "nbdkit");
	struct words w = {0};
	int rc = check_image(c, p, e);

	if (rc)
		return rc;
	if (cell_is_cold(c))
		return err_input(e,
				 "disk.backend: an NBD server's socket reaches QEMU only while it "
				 "runs; use a bus that can be hot-plugged (virtio-blk, "
				 "virtio-scsi, nvme), without slots = direct");
	if (cell_u64(c, K_DISKS) > 1)
		return err_input(e, "disk.count: an NBD server has one disk; use count = 1");
	if (kit && !env->nbdkit)
		return err_input(e, "disk.nbd: there is no nbdkit; install it (Debian: nbdkit), or "
				    "use nbd = qemu-nbd");
	if (!kit && !env->qemu_nbd)
		return err_input(e, "disk.nbd: there is no qemu-nbd; install it (Debian: "
				    "qemu-utils), or use nbd = nbdkit");
	if (kit)
		put_nbdkit(&w, c, env, p);
	else
		put_qemu_nbd(&w, c, env, p);
	snprintf(p->sock_name, sizeof(p->sock_name), "vb%u-sock", env->index);
	p->server = (struct disk_server){.argv = w.v,
					 .what = kit ? "nbdkit" : "qemu-nbd",
					 .listens = true,
					 .activated = true};
	return 0;
}
