/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host says of image and block nodes: format, allocation, cache, back end. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "disk/internal.h"

const json_t *node_find(const struct evidence *ev, const char *name)
{
	const json_t *list = ev_get(ev, "qmp/query-named-block-nodes");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *node = json_array_get(list, i);
		const char *n = json_string_value(json_object_get(node, "node-name"));

		if (n && !strcmp(n, name))
			return node;
	}
	return NULL;
}

const json_t *inserted_find(const struct evidence *ev)
{
	const json_t *list = ev_get(ev, "qmp/query-block");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *inserted = json_object_get(json_array_get(list, i), "inserted");
		const char *n = json_string_value(json_object_get(inserted, "node-name"));

		if (n && !strcmp(n, ev->plan->fmt_node))
			return inserted;
	}
	return NULL;
}

static const char *drv_of(const json_t *node)
{
	return json_string_value(json_object_get(node, "drv"));
}

void probe_format(const struct evidence *ev, struct asked_got *r)
{
	char name[32];
	const char *asked = cell_get(ev->cell, K_FORMAT);
	const char *drv = drv_of(node_find(ev, node_of_format(ev->cell, ev->plan->fmt_node, name)));
	const json_t *info = ev_get(ev, "image/info/format");
	const char *file = json_string_value(info);

	/* without QEMU's word the image's own, and the size of the disk, which would be the file's
	 * if a qcow2 image were taken for a raw one */
	if (ev->plan->vhost || cell_on_host(ev->cell))
		compare_word(r, "host", asked, file, "the image was not looked at");
	else if (!drv)
		got_set(r, GOT_UNKNOWN, "host", "QEMU does not list the node %s", name);
	else if (strcmp(drv, asked))
		got_set(r, GOT_DIFFER, "host", "%.40s", drv);
	else if (file && strcmp(file, asked))
		got_set(r, GOT_DIFFER, "host", "QEMU uses %.40s, the image is %.40s", drv, file);
	else
		got_set(r, GOT_MATCH, "host", "%s", drv);
}

/* A chardev has the rings' device: QEMU shows the vhost side of it, and fio's driver its transport.
 */
static void probe_backend_vhost(const struct evidence *ev, struct asked_got *r)
{
	const char *transport = json_string_value(ev_get(ev, "engine/transport"));

	if (cell_on_host(ev->cell))
		compare_word(r, "host", "vhost-user",
			     transport && !strcmp(transport, "loop") ? "vhost-user" : transport,
			     "the driver tells no transport");
	else if (json_is_object(ev_get(ev, "qmp/vhost_queue")))
		got_set(r, GOT_MATCH, "host", "vhost-user");
	else
		got_set(r, GOT_UNKNOWN, "host",
			"this QEMU has no x-query-virtio-vhost-queue-status for the disk");
}

/* The protocol's driver for a back end within QEMU's block layer. */
static const char *protocol_driver(const char *backend)
{
	static const char *const names[][2] = {
		{"null", "null-co"}, {"nbd", "nbd"}, {"block", "host_device"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(backend, names[i][0]))
			return names[i][1];
	return "file";
}

void probe_backend(const struct evidence *ev, struct asked_got *r)
{
	const char *drv = drv_of(node_find(ev, ev->plan->file_node));
	const char *want = protocol_driver(cell_get(ev->cell, K_BACKEND));

	if (ev->plan->vhost)
		probe_backend_vhost(ev, r);
	else if (!drv)
		got_set(r, GOT_UNKNOWN, "host", "QEMU does not list the node %s",
			ev->plan->file_node);
	else if (strcmp(drv, want))
		got_set(r, GOT_DIFFER, "host", "%.40s", drv);
	else
		got_set(r, GOT_MATCH, "host", "%s", cell_get(ev->cell, K_BACKEND));
}

void probe_latency(const struct evidence *ev, struct asked_got *r)
{
	if (ev->plan->vhost)
		probe_server_latency(ev, r);
	else
		got_set(r, GOT_UNKNOWN, "host", "QEMU does not tell it; see the measured latency");
}

/* A byte count of the image's evidence (of the file that holds the data, where that is another
 * one), -1 where there is none. It is that of the time before the first write. */
static int64_t image_bytes(const struct evidence *ev, const char *name)
{
	const json_t *v = json_object_get(
		json_at(ev->before, ev->plan->nfiles ? "image/data" : "image"), name);

	return json_is_integer(v) && json_integer_value(v) >= 0 ? (int64_t)json_integer_value(v)
								: -1;
}

/*
 * Which mode an image's extents show. size is virtual; the file holds the qcow2 metadata beside it
 * (less than size / 4096 + 4 MiB), so half of size is well over the metadata of any disk, and a
 * sparse file as long as the disk is preallocated metadata. `unwritten` (FIEMAP) is the one sign
 * that tells reserved space from zeroes that were really written; space past the end of the file,
 * which XFS reserves, does not count. (The 128 KiB are the holes that qcow2 leaves between its
 * first clusters.)
 */
static const char *mode_by_extents(uint64_t size, uint64_t file, uint64_t written,
				   uint64_t unwritten)
{
	if (written + unwritten < size / 2 + (size < (8u << 20) ? size / 4 : 0))
		return file >= size ? "metadata" : "thin";
	if (written >= size && (!unwritten || written + (128u << 10) >= file))
		return "full";
	if (written + unwritten >= size && unwritten >= size / 2)
		return "falloc";
	return NULL;
}

/* Without FIEMAP (tmpfs, NFS) only what is allocated can be seen. */
static void mode_by_blocks(const char *asked, uint64_t size, int64_t file, int64_t allocated,
			   struct asked_got *r)
{
	bool all = allocated >= 0 && (uint64_t)allocated >= size;
	bool few = allocated >= 0 &&
		   (uint64_t)allocated < size / 2 + (size < (8u << 20) ? size / 4 : 0);
	const char *sparse = file >= 0 && (uint64_t)file >= size ? "metadata" : "thin";
	bool wants_all = !strcmp(asked, "falloc") || !strcmp(asked, "full");

	if (file < 0 || (!all && !few))
		got_set(r, GOT_UNKNOWN, "host",
			"this file system does not show the extents of a file");
	else if (few)
		got_set(r, strcmp(asked, sparse) ? GOT_DIFFER : GOT_MATCH, "host", "%s", sparse);
	else if (wants_all)
		got_set(r, GOT_UNKNOWN, "host",
			"falloc or full: this file system does not show unwritten extents");
	else
		got_set(r, GOT_DIFFER, "host", "falloc or full (all of it is allocated)");
}

/* A thin image shows by a short file, but for NBD room was made in it, and a data file has the
 * disk's length at once. */
static bool long_anyway(const struct cell *c)
{
	return cell_uses_nbd(c) || cell_on(c, K_DATA_FILE);
}

void probe_mode(const struct evidence *ev, struct asked_got *r)
{
	const char *asked = cell_get(ev->cell, K_MODE), *got;
	int64_t file = image_bytes(ev, "size"), allocated = image_bytes(ev, "allocated");
	int64_t written = image_bytes(ev, "mapped_bytes"),
		unwritten = image_bytes(ev, "unwritten_bytes");
	char a[32], b[32];

	if (!json_is_object(json_at(ev->before, ev->plan->nfiles ? "image/data" : "image"))) {
		got_set(r, GOT_UNKNOWN, "host",
			"the image was not looked at before its first write");
		return;
	}
	if (cell_has_data(ev->cell)) {
		got_set(r, GOT_UNKNOWN, "host",
			"the image has data in it, which is allocated in every mode");
		return;
	}
	if (file < 0 || written < 0 || unwritten < 0) {
		mode_by_blocks(asked, ev->plan->size, file, allocated, r);
		return;
	}
	got = mode_by_extents(ev->plan->size, (uint64_t)file, (uint64_t)written,
			      (uint64_t)unwritten);
	if (got && !strcmp(got, "metadata") && long_anyway(ev->cell) &&
	    (!strcmp(asked, "thin") || !strcmp(asked, "metadata")))
		got_set(r, GOT_UNKNOWN, "host",
			"thin or metadata: the file is as long as the disk either way");
	else if (got)
		got_set(r, strcmp(asked, got) ? GOT_DIFFER : GOT_MATCH, "host", "%s", got);
	else
		got_set(r, GOT_DIFFER, "host", "%s written and %s only reserved",
			units_size_text((uint64_t)written, a, sizeof(a)),
			units_size_text((uint64_t)unwritten, b, sizeof(b)));
}

/* The flags of fdinfo are octal digits; the evidence has them read as a decimal number. */
static bool has_o_direct(json_int_t digits)
{
	char text[32];

	snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, digits);
	return strtoull(text, NULL, 8) & O_DIRECT;
}

/* 1: every fd on the image has O_DIRECT, 0: none has, -1: cannot be told. */
static int fds_direct(const struct evidence *ev)
{
	char path[96];
	const json_t *fds = ev_get(ev, disk_process(ev, "image_fds", path));
	size_t n = json_array_size(fds), with = 0;

	for (size_t i = 0; i < n; i++) {
		const json_t *flags = json_object_get(json_array_get(fds, i), "flags");

		if (!json_is_integer(flags))
			return -1;
		with += has_o_direct(json_integer_value(flags));
	}
	return !n || (with && with < n) ? -1 : with == n;
}

/* 1: the guest sees a volatile cache and flushes it, 0: it sees none, -1: it does not say. */
static int guest_flushes(const struct evidence *ev)
{
	const char *s = json_string_value(ev_get(ev, "guest/disk/write_cache"));

	if (s && !strcmp(s, "write back"))
		return 1;
	return s && !strcmp(s, "write through") ? 0 : -1;
}

/* Name of a triple; those that no cache= makes are spelled out. */
static void triple_text(bool direct, bool no_flush, bool write_cache, char *buf, size_t size)
{
	static const char *const names[] = {"none", "writeback", "writethrough", "directsync",
					    "unsafe"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct cache_row *row = cache_find(names[i]);

		if (row->direct == direct && row->no_flush == no_flush &&
		    row->write_cache == write_cache) {
			snprintf(buf, size, "%s", names[i]);
			return;
		}
	}
	snprintf(buf, size, "cache.direct=%s, cache.no-flush=%s, write-cache=%s",
		 direct ? "on" : "off", no_flush ? "on" : "off", write_cache ? "on" : "off");
}

/*
 * Of a vhost-user server only the descriptor's flag shows. vbench's device has no other parts of a
 * cache mode; whether qemu-storage-daemon passes flushes on does not show anywhere.
 */
static void probe_cache_server(const struct evidence *ev, struct asked_got *r)
{
	const struct cache_row *asked = cell_cache(ev->cell);
	int fd = fds_direct(ev);

	if (fd < 0)
		got_set(r, GOT_UNKNOWN, "host",
			"the flags of the server's descriptor cannot be read");
	else if (fd != asked->direct)
		got_set(r, GOT_DIFFER, "host", "the image is open %s O_DIRECT",
			fd ? "with" : "without");
	else if (cell_in_qemu(ev->cell))
		got_set(r, GOT_UNKNOWN, "host",
			"open %s O_DIRECT as asked; what becomes of flushes does not show",
			fd ? "with" : "without");
	else
		got_set(r, GOT_MATCH, "host", "%s", asked->name);
}

/*
 * A mode is the triple of the block layer's O_DIRECT and no-flush and the device's write cache.
 * QEMU's word is held against the descriptor's own flag and against what the guest was told, for no
 * single one of them tells all modes apart.
 */
void probe_cache(const struct evidence *ev, struct asked_got *r)
{
	const struct cache_row *asked = cell_cache(ev->cell);
	const struct bus_row *bus = bus_find(cell_get(ev->cell, K_BUS));
	const json_t *cache = json_object_get(inserted_find(ev), "cache");
	const json_t *direct = json_object_get(cache, "direct"),
		     *no_flush = json_object_get(cache, "no-flush");
	const json_t *write = json_object_get(cache, "writeback");
	int fd = fds_direct(ev), guest = guest_flushes(ev);
	char text[96];

	if (ev->plan->vhost) {
		probe_cache_server(ev, r);
		return;
	}
	if (!json_is_boolean(direct) || !json_is_boolean(no_flush) || !json_is_boolean(write)) {
		got_set(r, GOT_UNKNOWN, "host", "query-block tells no cache flags of the disk");
		return;
	}
	triple_text(json_is_true(direct), json_is_true(no_flush), json_is_true(write), text,
		    sizeof(text));
	if (json_is_true(direct) != asked->direct || json_is_true(no_flush) != asked->no_flush ||
	    json_is_true(write) != asked->write_cache)
		got_set(r, GOT_DIFFER, "host", "%s", text);
	else if (fd >= 0 && fd != asked->direct)
		got_set(r, GOT_DIFFER, "host", "QEMU says %s, but the image is open %s O_DIRECT",
			text, fd ? "with" : "without");
	else if (bus && bus->wce_honest && guest >= 0 && guest != asked->write_cache)
		got_set(r, GOT_DIFFER, "guest", "QEMU says %s, but the guest sees write %s", text,
			guest ? "back" : "through");
	else if (fd < 0)
		got_set(r, GOT_UNKNOWN, "host",
			"QEMU says %s; the flags of its descriptor cannot be read", text);
	else if (bus && bus->wce_honest && guest < 0)
		got_set(r, GOT_UNKNOWN, "guest",
			"QEMU says %s; the guest does not tell its write cache", text);
	else
		got_set(r, GOT_MATCH, bus && bus->wce_honest ? "both" : "host", "%s", text);
}
