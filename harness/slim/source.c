// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The image: opened by us, read by QEMU through descriptors. So QEMU's user needs no right on it,
 * and no name in its header makes QEMU open anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "slim/internal.h"

#define QMP_MS 120000ull

/* What QEMU can open from one descriptor. */
static const char *const formats[] = {"raw", "qcow2", "qcow", "qed",	   "vmdk",
				      "vdi", "vpc",   "vhdx", "parallels", NULL};

static bool format_known(const char *name)
{
	size_t i;

	for (i = 0; formats[i]; i++)
		if (!strcmp(formats[i], name))
			return true;
	return false;
}

static bool can_have_backing(const char *format)
{
	return !strcmp(format, "qcow2") || !strcmp(format, "qcow") || !strcmp(format, "qed") ||
	       !strcmp(format, "vmdk");
}

int source_qmp(struct slim *s, const char *cmd, json_t *args, json_t **ret, struct err *e)
{
	return vm_qmp(&s->vm, cmd, args, ret, QMP_MS, e);
}

int source_fdset(struct slim *s, int fd, char path[32], struct err *e)
{
	unsigned set = ++s->fdsets;
	int rc = qmp_call(&s->vm.qmp, "add-fd", json_pack("{s:i}", "fdset-id", (int)set), fd,
			  clock_mono_ns() + QMP_MS * 1000000, NULL, e);

	snprintf(path, 32, "/dev/fdset/%u", set);
	return rc;
}

/* A writable loop device over the file: its mount would change it under our eyes. */
static int source_looped(const struct slim_link *l, struct err *e)
{
	glob_t g = {0};
	size_t i;
	int rc = 0;

	if (glob("/sys/block/loop*/loop/backing_file", GLOB_NOSORT, NULL, &g))
		g.gl_pathc = 0;
	for (i = 0; i < g.gl_pathc && !rc; i++) {
		char path[PATH_MAX], *ro = xstrdup(g.gl_pathv[i]), name[32] = "";
		uint64_t readonly = 0;
		struct stat st;

		strcpy(strstr(ro, "/loop/backing_file"), "/ro");
		sscanf(g.gl_pathv[i], "/sys/block/%31[^/]", name);
		if (!file_line(g.gl_pathv[i], path, sizeof(path)) && !stat(path, &st) &&
		    st.st_dev == l->st.st_dev && st.st_ino == l->st.st_ino &&
		    (file_u64(ro, &readonly) || !readonly))
			rc = err_input(
				e,
				"%s is in use: /dev/%s is a loop device over it; unmount what "
				"is on it, then: losetup -d /dev/%s",
				l->path, name, name);
		free(ro);
	}
	globfree(&g);
	return rc;
}

/* path is taken over. asked: the format that someone names, NULL: by its bytes. */
static int link_open(struct slim *s, char *path, const char *asked, struct err *e)
{
	struct slim_link *l = &s->chain[s->nchain];
	const char *format;
	bool descriptor;
	int rc;

	*l = (struct slim_link){.path = path, .fd = -1};
	snprintf(l->node, sizeof(l->node), "image%zu", s->nchain);
	snprintf(l->file_node, sizeof(l->file_node), "file%zu", s->nchain);
	s->nchain++;
	/* not blocking: a fifo would wait for its writer */
	l->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (l->fd < 0 || fstat(l->fd, &l->st))
		return err_input(e, "%s: %s", path, strerror(errno));
	if (!S_ISREG(l->st.st_mode))
		return err_input(e,
				 "%s is no regular file; slim works on image files alone (copy a "
				 "device into one: qemu-img convert)",
				 path);
	if (!l->st.st_size)
		return err_input(e, "%s is empty", path);
	rc = slim_probe(l->fd, (uint64_t)l->st.st_size, &format, &descriptor);
	if (rc)
		return err_set(e, rc, "%s: %s", path, strerror(-rc));
	if (asked && *asked) {
		/* QEMU takes a VMDK without a header for such a text, wherever its words stand */
		descriptor = !strcmp(asked, "vmdk") && (descriptor || strcmp(format, "vmdk"));
		format = asked;
	}
	if (descriptor)
		return err_input(e,
				 "%s only describes a VMDK of several files; make one of it first: "
				 "qemu-img convert -O qcow2",
				 path);
	if (!strcmp(format, "luks"))
		return err_input(e, "%s is encrypted (LUKS): what is free in it cannot be seen",
				 path);
	if (!format_known(format))
		return err_input(
			e,
			"%s: format \"%s\" is not supported; it is one of raw, qcow2, qcow, "
			"qed, vmdk, vdi, vpc, vhdx, parallels",
			path, format);
	snprintf(l->format, sizeof(l->format), "%s", format);
	return source_looped(l, e);
}

int source_open(struct slim *s, struct err *e)
{
	char *real = realpath(s->o->image, NULL);
	int rc;

	if (!real)
		return err_input(e, "%s: %s", s->o->image, strerror(errno));
	s->r->image = real;
	rc = link_open(s, xstrdup(s->o->image), s->o->format, e);
	if (rc)
		return rc;
	snprintf(s->r->format, sizeof(s->r->format), "%s", s->chain[0].format);
	s->r->before = (uint64_t)s->chain[0].st.st_blocks * 512;
	s->r->before_size = (uint64_t)s->chain[0].st.st_size;
	return 0;
}

/* QEMU's words for a lock that another process has. */
static int in_use(const struct slim_link *l, int rc, struct err *e)
{
	char why[512];

	if (!e || !strstr(e->text, "lock")) {
		err_prefix(e, "%s", l->path);
		return rc;
	}
	snprintf(why, sizeof(why), "%.500s", e->text);
	return err_set(e, -EBUSY, "%s is in use; shut its guest down first (%s)", l->path, why);
}

static int node_add(struct slim *s, const struct slim_link *l, const char *backing, struct err *e)
{
	json_t *args = json_pack("{s:s, s:s, s:s, s:b}", "driver", l->format, "node-name", l->node,
				 "file", l->file_node, "read-only", 1);
	int rc;

	if (can_have_backing(l->format))
		json_object_set_new(args, "backing", backing ? json_string(backing) : json_null());
	rc = source_qmp(s, "blockdev-add", args, NULL, e);
	return rc ? in_use(l, rc, e) : 0;
}

/* What QEMU says of a node's image; new reference, NULL with a sentence. */
static json_t *node_info(struct slim *s, const struct slim_link *l, struct err *e)
{
	json_t *all = NULL, *row, *found = NULL;
	size_t i;

	if (source_qmp(s, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), &all, e))
		return NULL;
	json_array_foreach(all, i, row)
	{
		const char *name = json_string_value(json_object_get(row, "node-name"));

		if (name && !strcmp(name, l->node))
			found = json_incref(json_object_get(row, "image"));
	}
	json_decref(all);
	if (!json_is_object(found))
		err_set(e, -EPROTO, "%s: QEMU does not describe it", l->path);
	return found;
}

/* External data files must be known before QEMU opens the image: it would look for them itself. */
static int refuse_data_file(const struct slim_link *l, struct err *e)
{
	unsigned char h[80];

	if (strcmp(l->format, "qcow2") || pread(l->fd, h, sizeof(h), 0) != sizeof(h) || h[7] < 3)
		return 0;
	/* docs/interop/qcow2.txt: bit 2 of the incompatible features, bytes 72 to 79 */
	if (h[79] & 4)
		return err_input(
			e,
			"%s keeps its data in another file (data_file); make one image of it "
			"first: qemu-img convert -O qcow2",
			l->path);
	return 0;
}

static int refuse_state(const struct slim_link *l, const json_t *info, bool top, struct err *e)
{
	const json_t *data = json_object_get(json_object_get(info, "format-specific"), "data");
	size_t n = json_array_size(json_object_get(info, "snapshots"));

	if (json_is_true(json_object_get(data, "corrupt")))
		return err_input(e, "%s is marked as corrupt; see `qemu-img check %s`", l->path,
				 l->path);
	if (json_is_true(json_object_get(info, "dirty-flag")))
		return err_input(
			e,
			"%s was not closed properly (dirty); mend it first: qemu-img check "
			"-r all %s",
			l->path, l->path);
	if (json_is_true(json_object_get(info, "encrypted")))
		return err_input(e, "%s is encrypted: what is free in it cannot be seen", l->path);
	if (top && n)
		return err_input(e,
				 "%s holds %zu internal snapshot%s, which a conversion would drop; "
				 "delete them first (qemu-img snapshot -l, -d), or keep the image",
				 l->path, n, n == 1 ? "" : "s");
	return 0;
}

/* Opens what the image stands on. Its name was written by whoever made the image, or by its guest.
 */
static int backing_open(struct slim *s, const struct slim_link *l, const json_t *info,
			struct err *e)
{
	const char *name = json_string_value(json_object_get(info, "backing-filename"));
	const char *format = json_string_value(json_object_get(info, "backing-filename-format"));
	char *path, *folder;
	int rc;

	if (!s->o->format)
		return err_input(
			e,
			"%s seems to be %s with the backing file %s, but the guest of a raw "
			"disk could have written that there; if it is so: --format %s",
			l->path, l->format, name, l->format);
	if (s->nchain == SLIM_CHAIN_MAX)
		return err_input(e, "%s: more than %d images on top of each other", s->o->image,
				 SLIM_CHAIN_MAX - 1);
	if (strchr(name, ':') && !strncmp(name + strcspn(name, ":/"), ":", 1))
		return err_input(e, "%s stands on %s, which is no plain file", l->path, name);
	folder = path_folder(l->path);
	path = *name == '/' ? xstrdup(name) : xasprintf("%s/%s", folder, name);
	free(folder);
	rc = link_open(s, path, format, e);
	return rc ? err_prefix(e, "backing file of %s", s->o->image) : 0;
}

static int node_open(struct slim *s, size_t i, bool *more, struct err *e)
{
	struct slim_link *l = &s->chain[i];
	char path[32];
	json_t *info;
	int rc = refuse_data_file(l, e);

	*more = false;
	if (!rc)
		rc = source_fdset(s, l->fd, path, e);
	if (!rc)
		rc = source_qmp(s, "blockdev-add",
				json_pack("{s:s, s:s, s:s, s:b}", "driver", "file", "node-name",
					  l->file_node, "filename", path, "read-only", 1),
				NULL, e);
	if (!rc)
		rc = node_add(s, l, NULL, e);
	info = rc ? NULL : node_info(s, l, e);
	if (!info)
		return rc ? rc : e ? e->rc : -EPROTO;
	rc = refuse_state(l, info, i == 0, e);
	if (!rc && i == 0) {
		const json_t *data =
			json_object_get(json_object_get(info, "format-specific"), "data");
		json_int_t cluster = json_integer_value(json_object_get(info, "cluster-size"));

		s->r->virtual_size =
			(uint64_t)json_integer_value(json_object_get(info, "virtual-size"));
		s->r->cluster_size =
			strcmp(l->format, "qcow2") || cluster < 512 ? 65536 : (uint64_t)cluster;
		s->r->extended_l2 = json_is_true(json_object_get(data, "extended-l2"));
		if (json_array_size(json_object_get(data, "bitmaps")))
			slim_note(s,
				  "%s holds dirty bitmaps: the result has none, the next "
				  "incremental backup must be a full one",
				  l->path);
	}
	if (!rc)
		rc = convert_check(s, l, e);
	if (!rc && json_is_string(json_object_get(info, "backing-filename"))) {
		*more = true;
		rc = source_qmp(s, "blockdev-del", json_pack("{s:s}", "node-name", l->node), NULL,
				e);
		if (!rc)
			rc = backing_open(s, l, info, e);
	}
	json_decref(info);
	return rc;
}

int source_nodes(struct slim *s, struct err *e)
{
	bool more = true;
	size_t i;
	int rc = 0;

	slim_step(s, "checking the image");
	for (i = 0; !rc && more; i++)
		rc = node_open(s, i, &more, e);
	/* from the bottom, which stands already, to the top */
	for (i = s->nchain; !rc && i-- > 1;)
		rc = node_add(s, &s->chain[i - 1], s->chain[i].node, e);
	if (!rc && s->nchain > 1)
		slim_note(s,
			  "%s stands on %zu other image%s (%s%s): the result holds all their data "
			  "and stands alone",
			  s->o->image, s->nchain - 1, s->nchain == 2 ? "" : "s", s->chain[1].path,
			  s->nchain == 2 ? "" : ", ...");
	return rc;
}

int source_unchanged(const struct slim *s, struct err *e)
{
	size_t i;

	for (i = 0; i < s->nchain; i++) {
		const struct slim_link *l = &s->chain[i];
		struct stat now, named;

		if (fstat(l->fd, &now) || stat(l->path, &named))
			return err_set(e, -errno, "%s: %s", l->path, strerror(errno));
		if (now.st_size != l->st.st_size || now.st_dev != named.st_dev ||
		    now.st_ino != named.st_ino || now.st_mtim.tv_sec != l->st.st_mtim.tv_sec ||
		    now.st_mtim.tv_nsec != l->st.st_mtim.tv_nsec)
			return err_set(
				e, -EBUSY,
				"%s was changed meanwhile: is its guest running? Nothing was "
				"written",
				l->path);
	}
	return 0;
}

void source_close(struct slim *s)
{
	size_t i;

	for (i = 0; i < s->nchain; i++) {
		if (s->chain[i].fd >= 0)
			close(s->chain[i].fd);
		free(s->chain[i].path);
	}
	s->nchain = 0;
}
