/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builds the small guest's initramfs. Not compressed on purpose: QEMU hands it over in one DMA,
 * whereas an emulated CPU would have to unpack it at every boot.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <sha256.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/file.h"
#include "guest/initramfs.h"

#define MODULE_MAX (32u << 20)
#define BINARY_MAX (64u << 20)
#define MODULES_MAX 90 /* two digits, with room */

struct blob {
	char *data;
	size_t len, cap;
};

static void blob_add(struct blob *b, const void *data, size_t len)
{
	if (b->len + len > b->cap) {
		b->cap = (b->len + len) * 2;
		b->data = xrealloc(b->data, b->cap, 1);
	}
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

struct node {
	char *path;
	mode_t mode;
	dev_t rdev;
	struct blob content;
};

struct tree {
	struct node nodes[MODULES_MAX + 16];
	size_t n;
};

static struct node *tree_add(struct tree *t, char *path, mode_t mode)
{
	struct node *n = &t->nodes[t->n++];

	*n = (struct node){.path = path, .mode = mode};
	return n;
}

static void tree_free(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->nodes[i].path);
		free(t->nodes[i].content.data);
	}
}

static int node_compare(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->path, ((const struct node *)b)->path);
}

/* Modules in the order in which they are to be loaded. */
struct order {
	struct kmod_module *mods[MODULES_MAX];
	size_t n;
};

static bool order_has(const struct order *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (!strcmp(kmod_module_get_name(o->mods[i]), name))
			return true;
	return false;
}

/* What it depends on first, then itself. A dependency list of libkmod is whole and in load order.
 */
static int order_add(struct order *o, struct kmod_module *mod, struct err *e)
{
	struct kmod_list *deps = kmod_module_get_dependencies(mod), *it;
	int rc = 0;

	kmod_list_foreach(it, deps)
	{
		struct kmod_module *dep = kmod_module_get_module(it);

		if (!order_has(o, kmod_module_get_name(dep)) && o->n < MODULES_MAX)
			o->mods[o->n++] = kmod_module_ref(dep);
		kmod_module_unref(dep);
	}
	kmod_module_unref_list(deps);
	if (o->n >= MODULES_MAX)
		rc = err_set(e, -E2BIG, "the guest would need more than %d kernel modules",
			     MODULES_MAX);
	else if (!order_has(o, kmod_module_get_name(mod)))
		o->mods[o->n++] = kmod_module_ref(mod);
	return rc;
}

/* optional: it need not be there. */
static int order_wanted(struct order *o, struct kmod_ctx *ctx, const char *dir, const char *name,
			bool optional, struct err *e)
{
	struct kmod_list *found = NULL, *it;
	int rc;

	rc = kmod_module_new_from_lookup(ctx, name, &found);
	if (rc < 0)
		return err_set(e, rc, "%s: looking up module %s: %s", dir, name, strerror(-rc));
	if (!found && optional)
		return 0;
	if (!found)
		return err_set(
			e, -ENOENT,
			"%s: the guest's kernel has no module %s, built in or not; take another "
			"kernel (guest.kernel)",
			dir, name);
	kmod_list_foreach(it, found)
	{
		struct kmod_module *mod = kmod_module_get_module(it);

		/* No file: the lookup found it among the built-in ones. */
		if (!rc && kmod_module_get_path(mod))
			rc = order_add(o, mod, e);
		kmod_module_unref(mod);
	}
	kmod_module_unref_list(found);
	return rc;
}

/* A module's bytes, unpacked if they are .xz, .zst or .gz. */
static int module_read(const char *path, struct blob *out, struct err *e)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	char buf[65536];
	la_ssize_t n = -1;

	archive_read_support_filter_all(a);
	archive_read_support_format_raw(a);
	if (archive_read_open_filename(a, path, sizeof(buf)) == ARCHIVE_OK &&
	    archive_read_next_header(a, &entry) == ARCHIVE_OK)
		while ((n = archive_read_data(a, buf, sizeof(buf))) > 0 && out->len < MODULE_MAX)
			blob_add(out, buf, (size_t)n);
	if (n)
		err_set(e, -EIO, "reading kernel module %s: %s", path,
			n > 0 ? "too large" : archive_error_string(a));
	archive_read_free(a);
	return n ? -EIO : 0;
}

/* Adds modules/NN-name.ko and the list of them. */
static int tree_modules(struct tree *t, const struct order *o, struct err *e)
{
	struct blob list = {0};
	int rc = 0;

	for (size_t i = 0; !rc && i < o->n; i++) {
		const char *name = kmod_module_get_name(o->mods[i]);
		char *file = xasprintf("%02zu-%s.ko", i, name);
		struct node *n;

		n = tree_add(t, xasprintf("modules/%s", file), S_IFREG | 0644);
		blob_add(&list, file, strlen(file));
		blob_add(&list, "\n", 1);
		free(file);
		rc = module_read(kmod_module_get_path(o->mods[i]), &n->content, e);
	}
	tree_add(t, xstrdup("modules/order"), S_IFREG | 0644)->content = list;
	return rc;
}

static int tree_wanted_modules(struct tree *t, const struct initramfs_spec *spec, struct err *e)
{
	/*
	 * No configuration: blacklists and options of the host's /etc/modprobe.d are not the
	 * guest's.
	 */
	const char *const no_config[] = {NULL};
	/* For the agent's port; first, so that the driver is looking for it while the others load.
	 */
	static const char *const own[] = {"virtio_pci", "virtio_console", NULL};
	struct order o = {.n = 0};
	struct kmod_ctx *ctx;
	char *index;
	int rc = 0;

	index = xasprintf("%s/modules.dep.bin", spec->modules);
	if (!path_exists(index))
		rc = err_set(e, -ENOENT, "%s is missing: run depmod on the guest's kernel modules",
			     index);
	free(index);
	if (rc)
		return rc;
	ctx = kmod_new(spec->modules, no_config);
	if (!ctx)
		return err_set(e, -ENOMEM, "libkmod can't be set up for %s", spec->modules);
	for (size_t i = 0; !rc && own[i]; i++)
		rc = order_wanted(&o, ctx, spec->modules, own[i], false, e);
	for (size_t i = 0; !rc && spec->wanted[i]; i++)
		rc = order_wanted(&o, ctx, spec->modules, spec->wanted[i], false, e);
	for (size_t i = 0; !rc && spec->optional && spec->optional[i]; i++)
		rc = order_wanted(&o, ctx, spec->modules, spec->optional[i], true, e);
	if (!rc)
		rc = tree_modules(t, &o, e);
	for (size_t i = 0; i < o.n; i++)
		kmod_module_unref(o.mods[i]);
	kmod_unref(ctx);
	return rc;
}

static int tree_file(struct tree *t, const char *path, const char *from, struct err *e)
{
	struct node *n = tree_add(t, xstrdup(path), S_IFREG | 0755);
	int rc;

	rc = file_read(from, BINARY_MAX, &n->content.data, &n->content.len);
	if (rc)
		return err_set(e, rc, "%s (for the guest's /%s): %s", from, path, strerror(-rc));
	if (n->content.len < 4 || memcmp(n->content.data, "\177ELF", 4))
		return err_set(e, -ENOEXEC, "%s (for the guest's /%s) is no program", from, path);
	return 0;
}

static void tree_link(struct tree *t, const char *path, const char *to)
{
	blob_add(&tree_add(t, xstrdup(path), S_IFLNK | 0777)->content, to, strlen(to));
}

static int tree_fill(struct tree *t, const struct initramfs_spec *spec, struct err *e)
{
	static const char *const dirs[] = {"bin", "dev", "modules", "proc", "sys", "tmp"};
	int rc;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		tree_add(t, xstrdup(dirs[i]), S_IFDIR | 0755);
	/* The kernel opens it for /init before anything can be mounted. */
	tree_add(t, xstrdup("dev/console"), S_IFCHR | 0600)->rdev = makedev(5, 1);
	rc = tree_file(t, "init", spec->agent, e);
	if (!rc)
		rc = tree_file(t, "bin/fio", spec->fio, e);
	/* fio runs exec_prerun by it: the agent's gate (guest-agent/gate.c) */
	tree_link(t, "bin/sh", "/init");
	if (!rc)
		rc = tree_wanted_modules(t, spec, e);
	/* By name, so that folders stand before what is in them and the order is always the same.
	 */
	qsort(t->nodes, t->n, sizeof(t->nodes[0]), node_compare);
	return rc;
}

static la_ssize_t blob_write(struct archive *a, void *arg, const void *data, size_t len)
{
	(void)a;
	blob_add(arg, data, len);
	return (la_ssize_t)len;
}

static int node_write(struct archive *a, const struct node *n, size_t ino)
{
	struct archive_entry *entry = archive_entry_new();
	int rc;

	archive_entry_set_pathname(entry, n->path);
	archive_entry_set_mode(entry, n->mode);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_ino(entry, (la_int64_t)ino);
	archive_entry_set_nlink(entry, S_ISDIR(n->mode) ? 2 : 1);
	if (S_ISCHR(n->mode))
		archive_entry_set_rdev(entry, n->rdev);
	if (S_ISLNK(n->mode)) {
		char *to = strndup(n->content.data, n->content.len);

		archive_entry_set_symlink(entry, to);
		free(to);
	}
	archive_entry_set_size(entry, S_ISLNK(n->mode) ? 0 : (la_int64_t)n->content.len);
	rc = archive_write_header(a, entry);
	if (rc == ARCHIVE_OK && n->content.len && !S_ISLNK(n->mode) &&
	    archive_write_data(a, n->content.data, n->content.len) != (la_ssize_t)n->content.len)
		rc = ARCHIVE_FATAL;
	archive_entry_free(entry);
	return rc;
}

static int tree_pack(const struct tree *t, struct blob *out, struct err *e)
{
	struct archive *a = archive_write_new();
	int rc;

	rc = archive_write_set_format_cpio_newc(a);
	archive_write_set_bytes_in_last_block(a, 1);
	if (rc == ARCHIVE_OK)
		rc = archive_write_open(a, out, NULL, blob_write, NULL);
	for (size_t i = 0; rc == ARCHIVE_OK && i < t->n; i++)
		rc = node_write(a, &t->nodes[i], i + 1);
	if (rc == ARCHIVE_OK)
		rc = archive_write_close(a);
	if (rc != ARCHIVE_OK)
		err_set(e, -EIO, "packing the initramfs: %s", archive_error_string(a));
	archive_write_free(a);
	return rc == ARCHIVE_OK ? 0 : -EIO;
}

static int blob_put(const struct blob *b, int fd)
{
	for (size_t done = 0; done < b->len;) {
		ssize_t n = write(fd, b->data + done, b->len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Synced, so that the caller's rename never puts an empty file in place. */
static int blob_save(const struct blob *b, const char *path, struct err *e)
{
	int fd, rc;

	/* a new file, never one that somebody else has open, or a link that leads elsewhere */
	if (unlink(path) && errno != ENOENT)
		return err_set(e, -errno, "%s: cannot be replaced: %s", path, strerror(errno));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(e, -errno, "%s: cannot be written: %s", path, strerror(errno));
	rc = blob_put(b, fd);
	if (!rc && fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	if (!rc)
		return 0;
	unlink(path);
	return err_set(e, rc, "%s: cannot be written: %s", path, strerror(-rc));
}

int initramfs_build(const struct initramfs_spec *spec, const char *out_path, char hash[65],
		    struct err *e)
{
	struct tree *t = xcalloc(1, sizeof(*t));
	struct blob out = {0};
	int rc;

	rc = tree_fill(t, spec, e);
	if (!rc)
		rc = tree_pack(t, &out, e);
	if (!rc)
		rc = blob_save(&out, out_path, e);
	if (!rc)
		SHA256Data((const uint8_t *)out.data, out.len, hash);
	tree_free(t);
	free(t);
	free(out.data);
	return rc;
}
