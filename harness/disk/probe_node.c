// SPDX-License-Identifier: GPL-2.0-or-later
/* What QEMU says of a disk's block nodes: qcow2's options, layers, throttling, NBD and devices. */
#include <string.h>
#include "base/units.h"
#include "disk/internal.h"

/*
 * What is known of the image: the format node's description in QEMU (QAPI, ImageInfo), else what
 * qemu-img said of the file before.
 */
static const json_t *image_info(const struct evidence *ev)
{
	char name[32];
	const json_t *node = node_find(ev, node_of_format(ev->cell, ev->plan->fmt_node, name));
	const json_t *image = json_object_get(node, "image");

	return json_is_object(image) ? image : ev_get(ev, "image/info");
}

/* The lowest layer's description: each one's is within that of the layer above it. A hostile depth
 * costs no more than was asked for. */
static const json_t *lowest_info(const struct evidence *ev)
{
	const json_t *info = image_info(ev);

	for (unsigned i = 1; info && i < image_layers(ev->cell); i++)
		info = json_object_get(info, "backing-image");
	return info;
}

/* A member of what is said of qcow2 alone (QAPI, ImageInfoSpecificQCow2). */
static const json_t *qcow2_info(const json_t *info, const char *name)
{
	return json_object_get(json_at(info, "format-specific/data"), name);
}

static const char *const no_info = "neither QEMU nor qemu-img describes the image";

/* A number of QEMU's in the words of the profile, as `asked` is. */
static const char *as_asked(enum key_id k, json_int_t n, char buf[40])
{
	char digits[32];

	snprintf(digits, sizeof(digits), "%lld", (long long)n);
	return key_value_text(&profile_keys[k], digits, buf, 40);
}

void probe_cluster(const struct evidence *ev, struct asked_got *r)
{
	const json_t *v = json_object_get(image_info(ev), "cluster-size");
	json_int_t got = json_integer_value(v);
	char text[40];

	if (!json_is_integer(v) || got <= 0)
		got_set(r, GOT_UNKNOWN, "host", "%s", no_info);
	else
		got_set(r, (uint64_t)got == cell_u64(ev->cell, K_CLUSTER) ? GOT_MATCH : GOT_DIFFER,
			"host", "%s", as_asked(K_CLUSTER, got, text));
}

/* on or off; a version 2 image lacks the member. */
static void compare_flag(struct asked_got *r, const json_t *info, const char *name, bool asked)
{
	const json_t *v = qcow2_info(info, name);

	if (!json_is_boolean(v))
		got_set(r, GOT_UNKNOWN, "host", "%s", no_info);
	else
		got_set(r, json_is_true(v) == asked ? GOT_MATCH : GOT_DIFFER, "host", "%s",
			json_is_true(v) ? "on" : "off");
}

void probe_extended_l2(const struct evidence *ev, struct asked_got *r)
{
	compare_flag(r, image_info(ev), "extended-l2", cell_on(ev->cell, K_EXTENDED_L2));
}

void probe_lazy_refcounts(const struct evidence *ev, struct asked_got *r)
{
	compare_flag(r, image_info(ev), "lazy-refcounts", cell_on(ev->cell, K_LAZY_REFCOUNTS));
}

void probe_compat(const struct evidence *ev, struct asked_got *r)
{
	compare_word(r, "host", cell_get(ev->cell, K_COMPAT),
		     json_string_value(qcow2_info(image_info(ev), "compat")), no_info);
}

void probe_l2_cache(const struct evidence *ev, struct asked_got *r)
{
	(void)ev;
	got_set(r, GOT_UNKNOWN, "host", "QEMU took it and does not tell it again");
}

/* Bytes on the host before the first write, of the file that holds the data; -1: not looked at. */
static int64_t data_allocated(const struct evidence *ev)
{
	const json_t *v =
		json_at(ev->before, ev->plan->nfiles ? "image/data/allocated" : "image/allocated");

	return json_is_integer(v) && json_integer_value(v) >= 0 ? (int64_t)json_integer_value(v)
								: -1;
}

/* Below that the metadata of some formats is as large as the data. */
#define TELLING_SIZE (64u << 20)

/*
 * The data compresses to about half, so that an image of it has a third of that at least. Of what
 * was deleted the stale data shows; zeroes and holes are told by nothing from what was never used.
 */
void probe_content(const struct evidence *ev, struct asked_got *r)
{
	double share = cell_data_share(ev->cell);
	const char *asked = cell_get(ev->cell, K_CONTENT);
	bool reserved = cell_is(ev->cell, K_MODE, "falloc") || cell_is(ev->cell, K_MODE, "full");
	int64_t bytes = data_allocated(ev);
	double got = (double)bytes / (double)ev->plan->size;
	/* no less than a third of it (compressed, or a format's own holes), and no more than it and
	 * a tenth for tables */
	bool there = got >= share / 3 && got <= share + 0.1;
	char text[32];

	if (bytes < 0)
		got_set(r, GOT_UNKNOWN, "host",
			"the image was not looked at before its first write");
	else if (reserved)
		got_set(r, GOT_UNKNOWN, "host", "all of the image is allocated beforehand");
	else if (ev->plan->size < TELLING_SIZE && got > 0.25)
		got_set(r, GOT_UNKNOWN, "host", "too small a disk: its metadata is as large");
	else if (!there)
		got_set(r, GOT_DIFFER, "host", "%s are allocated",
			units_size_text((uint64_t)bytes, text, sizeof(text)));
	else
		got_set(r, GOT_MATCH, "host", "%s", asked);
}

/* QEMU counts what is under the format node; without QEMU qemu-img names the next layer only. */
void probe_backing(const struct evidence *ev, struct asked_got *r)
{
	uint64_t asked = cell_u64(ev->cell, K_BACKING);
	char name[32];
	const json_t *node = node_find(ev, node_of_format(ev->cell, ev->plan->fmt_node, name));
	const json_t *depth = json_object_get(node, "backing_file_depth");
	const json_t *info = ev_get(ev, "image/info");
	bool next = json_is_string(json_object_get(info, "backing-filename"));

	if (json_is_integer(depth))
		got_set(r, json_integer_value(depth) == (json_int_t)asked ? GOT_MATCH : GOT_DIFFER,
			"host", "%lld", (long long)json_integer_value(depth));
	else if (!json_is_object(info))
		got_set(r, GOT_UNKNOWN, "host", "%s", no_info);
	else if (next != (asked > 0))
		got_set(r, GOT_DIFFER, "host", "%s", next ? "there is a layer below" : "0");
	else if (asked < 2)
		got_set(r, asked ? GOT_UNKNOWN : GOT_MATCH, "host", "%s",
			asked ? "there are layers below, but it is not told how many" : "0");
	else
		got_set(r, GOT_UNKNOWN, "host",
			"there are layers below, but it is not told how many");
}

/*
 * The header names the algorithm even when nothing was compressed: that shows in what converted
 * data takes, which is about half of it, or all of it.
 */
void probe_compression(const struct evidence *ev, struct asked_got *r)
{
	const char *asked = cell_get(ev->cell, K_COMPRESSION);
	const char *type = json_string_value(qcow2_info(lowest_info(ev), "compression-type"));
	int64_t bytes = data_allocated(ev);
	bool squeezed = bytes >= 0 &&
			(double)bytes < 0.75 * cell_data_share(ev->cell) * (double)ev->plan->size;

	if (!cell_has_data(ev->cell))
		got_set(r, GOT_UNKNOWN, "host", "there is no data in the image to be compressed");
	else if (!ev->before)
		got_set(r, GOT_UNKNOWN, "host", "shows only before the first write");
	else if (bytes < 0 || ev->plan->size < TELLING_SIZE)
		got_set(r, GOT_UNKNOWN, "host", "what the image takes on the host does not tell");
	else if (!strcmp(asked, "none"))
		got_set(r, squeezed ? GOT_DIFFER : GOT_MATCH, "host", "%s",
			squeezed ? "the image takes less than its data" : "none");
	else if (!squeezed)
		got_set(r, GOT_DIFFER, "host", "none: the image takes as much as its data");
	else if (type)
		compare_word(r, "host", asked, type, no_info);
	else if (cell_is(ev->cell, K_COMPAT, "0.10") && !strcmp(asked, "zlib"))
		got_set(r, GOT_MATCH, "host", "zlib"); /* version 2 has no other */
	else
		got_set(r, GOT_UNKNOWN, "host", "compressed; %s", no_info);
}

void probe_data_file(const struct evidence *ev, struct asked_got *r)
{
	const json_t *info = lowest_info(ev);
	bool there = json_is_string(qcow2_info(info, "data-file"));

	if (!json_is_object(json_at(info, "format-specific/data")))
		got_set(r, GOT_UNKNOWN, "host", "%s", no_info);
	else
		got_set(r, there == cell_on(ev->cell, K_DATA_FILE) ? GOT_MATCH : GOT_DIFFER, "host",
			"%s", there ? "on" : "off");
}

void probe_detect_zeroes(const struct evidence *ev, struct asked_got *r)
{
	char name[32];
	const json_t *node = node_find(ev, node_of_format(ev->cell, ev->plan->fmt_node, name));

	compare_word(r, "host", cell_get(ev->cell, K_DETECT_ZEROES),
		     json_string_value(json_object_get(node, "detect_zeroes")),
		     "QEMU does not list the node");
}

void probe_discard(const struct evidence *ev, struct asked_got *r)
{
	(void)ev;
	got_set(r, GOT_UNKNOWN, "host",
		"QEMU took it and does not tell it; it shows only in the image's allocation");
}

/* A limit of the disk's throttle group, which counts only if the device's node is its filter. unit:
 * of the key, in QEMU's. */
static void compare_limit(const struct evidence *ev, struct asked_got *r, enum key_id k,
			  const char *name, uint64_t unit)
{
	uint64_t asked = cell_u64(ev->cell, k) / unit;
	const json_t *v = json_object_get(ev_get(ev, "qmp/throttle"), name);
	const json_t *node = node_find(ev, ev->plan->fmt_node);
	const char *drv = json_string_value(json_object_get(node, "drv"));
	json_int_t got = json_integer_value(v);
	char text[40];

	if (!drv)
		got_set(r, GOT_UNKNOWN, "host", "QEMU does not list the node %s",
			ev->plan->fmt_node);
	else if (strcmp(drv, "throttle"))
		got_set(r, asked ? GOT_DIFFER : GOT_MATCH, "host", "%s",
			asked ? "the disk has no throttle filter" : "0");
	else if (!json_is_integer(v) || got < 0 || (uint64_t)got > INT64_MAX / unit)
		got_set(r, GOT_UNKNOWN, "host", "QEMU does not tell the limits of the group");
	else
		got_set(r, (uint64_t)got == asked ? GOT_MATCH : GOT_DIFFER, "host", "%s",
			as_asked(k, got * (json_int_t)unit, text));
}

void probe_throttle_iops(const struct evidence *ev, struct asked_got *r)
{
	compare_limit(ev, r, K_THROTTLE_IOPS, "iops-total", 1);
}

void probe_throttle_bps(const struct evidence *ev, struct asked_got *r)
{
	compare_limit(ev, r, K_THROTTLE_BPS, "bps-total", 1);
}

void probe_throttle_iops_max(const struct evidence *ev, struct asked_got *r)
{
	compare_limit(ev, r, K_THROTTLE_IOPS_MAX, "iops-total-max", 1);
}

void probe_throttle_bps_max(const struct evidence *ev, struct asked_got *r)
{
	compare_limit(ev, r, K_THROTTLE_BPS_MAX, "bps-total-max", 1);
}

void probe_throttle_burst(const struct evidence *ev, struct asked_got *r)
{
	bool iops = cell_u64(ev->cell, K_THROTTLE_IOPS_MAX);

	compare_limit(ev, r, K_THROTTLE_BURST,
		      iops ? "iops-total-max-length" : "bps-total-max-length", 1000000000);
}

/* QEMU got the device as a descriptor: which one it is shows among its open files. */
void probe_device(const struct evidence *ev, struct asked_got *r)
{
	const json_t *fds = ev_get(ev, "host/image_fds");

	if (!json_is_array(fds))
		got_set(r, GOT_UNKNOWN, "host", "the open files of QEMU cannot be read here");
	else
		got_set(r, json_array_size(fds) ? GOT_MATCH : GOT_DIFFER, "host", "%.100s%s",
			json_array_size(fds) ? "" : "QEMU does not have it open: ",
			cell_get(ev->cell, K_DEVICE));
}

void probe_nbd(const struct evidence *ev, struct asked_got *r)
{
	const char *program = json_string_value(ev_get(ev, "server_process/program"));
	const char *slash = program ? strrchr(program, '/') : NULL;

	compare_word(r, "host", cell_get(ev->cell, K_NBD), slash ? slash + 1 : program,
		     "the program of the server cannot be read here");
}

void probe_nbdkit(const struct evidence *ev, struct asked_got *r)
{
	const json_t *fds = ev_get(ev, "server_process/image_fds");

	if (!ev->plan->image || !json_is_array(fds))
		got_set(r, GOT_UNKNOWN, "host", "nbdkit does not tell its plugin");
	else
		got_set(r, json_array_size(fds) ? GOT_MATCH : GOT_DIFFER, "host", "%s",
			json_array_size(fds) ? "file" : "nbdkit does not have the image open");
}
