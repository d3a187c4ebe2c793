// SPDX-License-Identifier: GPL-2.0-or-later
/* Block nodes: what QEMU or qemu-storage-daemon opens for a disk, from protocol to throttle filter.
 */
#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "disk/internal.h"

/* QEMU takes node names of up to 31 characters. */
#define NODE_NAME 32

struct builder {
	const struct cell *c;
	const struct disk_plan *p;
	const struct disk_unit *u;
	struct qspec **specs;
	size_t *n;
};

static void add(struct builder *b, enum qspec_kind kind, json_t *args)
{
	*b->specs = xrealloc(*b->specs, *b->n + 1, sizeof(**b->specs));
	(*b->specs)[(*b->n)++] = (struct qspec){.kind = kind, .args = args};
}

/* "vb0" of "vb0-fmt" and another end: "vb0-img". */
static const char *sibling(const char *node, const char *end, char buf[NODE_NAME])
{
	snprintf(buf, NODE_NAME, "%.*s-%s",
		 (int)(strcspn(node, "-") > 15 ? 15 : strcspn(node, "-")), node, end);
	return buf;
}

bool node_throttled(const struct cell *c)
{
	return cell_u64(c, K_THROTTLE_IOPS) || cell_u64(c, K_THROTTLE_BPS);
}

const char *node_of_format(const struct cell *c, const char *fmt_node, char buf[32])
{
	if (node_throttled(c))
		return sibling(fmt_node, "img", buf);
	snprintf(buf, NODE_NAME, "%s", fmt_node);
	return buf;
}

static json_t *cache_json(const struct cell *c)
{
	const struct cache_row *row = cell_cache(c);

	return json_pack("{s:b, s:b}", "direct", row->direct, "no-flush", row->no_flush);
}

/* A discard gets through only if every node on its way lets it. */
static void put_discard(const struct cell *c, json_t *node)
{
	if (node && cell_is(c, K_DISCARD, "unmap"))
		json_object_set_new(node, "discard", json_string("unmap"));
}

/* QAPI, BlockdevOptionsFile. The layers under the uppermost are not written. */
static json_t *file_node(const struct cell *c, const char *name, const char *path, bool read_only)
{
	json_t *node =
		json_pack("{s:s, s:s, s:s, s:s, s:o}", "driver", "file", "node-name", name,
			  "filename", path, "aio", cell_get(c, K_AIO), "cache", cache_json(c));

	put_discard(c, node);
	if (node && read_only)
		json_object_set_new(node, "read-only", json_true());
	return node;
}

/*
 * The device is opened by the harness, whose user may have been given the right to it, and passed
 * on (add-fd): QEMU's user needs none.
 */
static json_t *device_node(const struct cell *c, const struct disk_unit *u)
{
	json_t *node = json_pack("{s:s, s:s, s:s, s:o}", "driver", "host_device", "node-name",
				 u->file_node, "filename", "/dev/fdset/1", "cache", cache_json(c));

	if (node && cell_get(c, K_AIO))
		json_object_set_new(node, "aio", json_string(cell_get(c, K_AIO)));
	put_discard(c, node);
	return node;
}

/* QAPI, SocketAddress: "str" is getfd's name. No reconnect-delay: a server that ends ends the
 * trial. */
static json_t *nbd_node(const struct cell *c, const struct disk_plan *p, const struct disk_unit *u)
{
	json_t *node = json_pack("{s:s, s:s, s:{s:s, s:s}, s:s, s:o}", "driver", "nbd", "node-name",
				 u->file_node, "server", "type", "fd", "str", p->sock_name,
				 "export", "", "cache", cache_json(c));

	put_discard(c, node);
	return node;
}

static json_t *null_node(const struct cell *c, const struct disk_plan *p, const struct disk_unit *u)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:b}", "driver", "null-co", "node-name",
			 u->file_node, "size", (json_int_t)p->size, "latency-ns",
			 (json_int_t)cell_u64(c, K_LATENCY), "read-zeroes", 1);
}

/*
 * A pass-through value with the type that QMP wants: on/off and true/false are booleans except
 * where QEMU has an enumeration of those words, numbers with or without a size suffix are integers,
 * the rest is text.
 */
static json_t *typed(const char *key, const char *v)
{
	uint64_t n;

	if (!strcmp(key, "detect-zeroes"))
		return json_string(v);
	if (!strcmp(v, "on") || !strcmp(v, "true"))
		return json_true();
	if (!strcmp(v, "off") || !strcmp(v, "false"))
		return json_false();
	if (v[0] >= '0' && v[0] <= '9' && !units_size(v, &n))
		return json_integer((json_int_t)n);
	return json_string(v);
}

/* "a.b.c" goes into nested objects. */
static void put_dotted(json_t *node, const char *key, json_t *value)
{
	const char *dot = strchr(key, '.');
	json_t *inner;
	char head[80];

	if (!dot) {
		json_object_set_new(node, key, value);
		return;
	}
	snprintf(head, sizeof(head), "%.*s", (int)(dot - key), key);
	inner = json_object_get(node, head);
	if (!json_is_object(inner)) {
		inner = json_object();
		json_object_set_new(node, head, inner);
	}
	put_dotted(inner, dot + 1, value);
}

/* blockdev.KEY of the profile, on the uppermost format node; discard on its protocol node, too. */
static void put_extras(const struct cell *c, json_t *file, json_t *fmt)
{
	for (size_t i = 0; file && fmt && i < c->nextras; i++) {
		put_dotted(fmt, c->extras[i].key, typed(c->extras[i].key, c->extras[i].value));
		if (!strcmp(c->extras[i].key, "discard"))
			json_object_set_new(file, "discard", json_string(c->extras[i].value));
	}
}

/* QAPI, BlockdevOptionsQcow2. Every layer has an L2 cache of its own. */
static void put_qcow2(const struct cell *c, json_t *fmt)
{
	if (fmt && cell_u64(c, K_L2_CACHE))
		json_object_set_new(fmt, "l2-cache-size",
				    json_integer((json_int_t)cell_u64(c, K_L2_CACHE)));
}

static json_t *format_node(const struct cell *c, const char *driver, const char *name,
			   const char *file)
{
	json_t *fmt = json_pack("{s:s, s:s, s:s, s:o}", "driver", driver, "node-name", name, "file",
				file, "cache", cache_json(c));

	put_discard(c, fmt);
	if (!strcmp(driver, "qcow2"))
		put_qcow2(c, fmt);
	return fmt;
}

/*
 * A raw layer above what has no format, too, so that it compares with a raw image layer by layer.
 * Of a device or a plugin, which have a size of their own, the guest sees disk.size.
 */
static json_t *raw_node(const struct cell *c, const struct disk_plan *p, const struct disk_unit *u,
			const char *name)
{
	json_t *fmt = format_node(c, "raw", name, u->file_node);

	if (fmt && (p->device || cell_uses_nbd(c)))
		json_object_set_new(fmt, "size", json_integer((json_int_t)p->size));
	return fmt;
}

static json_t *protocol_node(const struct cell *c, const struct disk_plan *p,
			     const struct disk_unit *u)
{
	if (p->device)
		return device_node(c, u);
	if (cell_uses_nbd(c))
		return nbd_node(c, p, u);
	return u->image ? file_node(c, u->file_node, u->image, false) : null_node(c, p, u);
}

/* The data file of the lowest layer, which `fmt` is. */
static void add_data_file(struct builder *b, json_t *fmt, bool read_only)
{
	char *path = image_data_file(b->c, b->u), name[NODE_NAME];

	if (!path)
		return;
	sibling(b->u->file_node, "data", name);
	add(b, Q_BLOCKDEV, file_node(b->c, name, path, read_only));
	if (fmt)
		json_object_set_new(fmt, "data-file", json_string(name));
	free(path);
}

/*
 * A layer under the uppermost. They are nodes of their own, not opened by QEMU from the headers:
 * only cache modes are inherited then, and aio would be threads.
 */
static void add_layer(struct builder *b, unsigned i, char name[NODE_NAME])
{
	char *path = image_layer(b->c, b->u, i), file[NODE_NAME], end[24], below[NODE_NAME];
	json_t *fmt;

	snprintf(end, sizeof(end), "file-l%u", i);
	add(b, Q_BLOCKDEV, file_node(b->c, sibling(b->u->file_node, end, file), path, true));
	free(path);
	memcpy(below, name, NODE_NAME);
	snprintf(end, sizeof(end), "fmt-l%u", i);
	fmt = format_node(b->c, "qcow2", sibling(b->u->file_node, end, name), file);
	if (fmt) {
		json_object_set_new(fmt, "read-only", json_true());
		json_object_set_new(fmt, "backing", i ? json_string(below) : json_null());
	}
	if (!i)
		add_data_file(b, fmt, true);
	add(b, Q_BLOCKDEV, fmt);
}

/* One passphrase for all: a secret object for each disk keeps disks independent of each other. */
static void add_secret(struct builder *b, json_t *fmt)
{
	char id[NODE_NAME];

	sibling(b->u->file_node, "key", id);
	add(b, Q_OBJECT,
	    json_pack("{s:s, s:s, s:s}", "qom-type", "secret", "id", id, "data", IMAGE_PASSPHRASE));
	if (fmt)
		json_object_set_new(fmt, "key-secret", json_string(id));
}

static void add_format(struct builder *b, const char *name)
{
	const struct cell *c = b->c;
	const char *format = cell_get(c, K_FORMAT);
	const struct format_row *row = format_find(format);
	json_t *file = protocol_node(c, b->p, b->u), *fmt;
	char below[NODE_NAME] = "";

	if (!row || !b->u->image || !strcmp(format, "raw") || b->p->device)
		fmt = raw_node(c, b->p, b->u, name);
	else
		fmt = format_node(c, format, name, b->u->file_node);
	if (row && row->key)
		add_secret(b, fmt);
	for (unsigned i = 0; i + 1 < image_layers(c); i++)
		add_layer(b, i, below);
	if (below[0] && fmt)
		json_object_set_new(fmt, "backing", json_string(below));
	put_extras(c, file, fmt);
	if (fmt && !cell_is(c, K_DETECT_ZEROES, "off") && cell_get(c, K_DETECT_ZEROES))
		json_object_set_new(fmt, "detect-zeroes",
				    json_string(cell_get(c, K_DETECT_ZEROES)));
	add(b, Q_BLOCKDEV, file);
	if (image_layers(c) == 1)
		add_data_file(b, fmt, false);
	add(b, Q_BLOCKDEV, fmt);
}

static void put_limit(json_t *limits, const char *name, uint64_t value, uint64_t burst,
		      uint64_t seconds)
{
	char key[40];

	if (!value)
		return;
	json_object_set_new(limits, name, json_integer((json_int_t)value));
	if (!burst)
		return;
	snprintf(key, sizeof(key), "%s-max", name);
	json_object_set_new(limits, key, json_integer((json_int_t)burst));
	snprintf(key, sizeof(key), "%s-max-length", name);
	json_object_set_new(limits, key, json_integer((json_int_t)seconds));
}

/* QAPI, ThrottleGroupProperties and ThrottleLimits. A group for each disk: the limits are each
 * disk's. */
static void add_group(struct builder *b, char id[NODE_NAME])
{
	const struct cell *c = b->c;
	uint64_t seconds = cell_u64(c, K_THROTTLE_BURST) / 1000000000;
	json_t *limits = json_object();

	put_limit(limits, "iops-total", cell_u64(c, K_THROTTLE_IOPS),
		  cell_u64(c, K_THROTTLE_IOPS_MAX), seconds ? seconds : 1);
	put_limit(limits, "bps-total", cell_u64(c, K_THROTTLE_BPS), cell_u64(c, K_THROTTLE_BPS_MAX),
		  seconds ? seconds : 1);
	add(b, Q_OBJECT,
	    json_pack("{s:s, s:s, s:o}", "qom-type", "throttle-group", "id",
		      sibling(b->u->file_node, "throttle", id), "limits", limits));
}

/* Above the format: the limit is of what the guest asks for, not of what an image makes of it. */
static void add_throttle(struct builder *b, const char *below)
{
	char id[NODE_NAME];
	json_t *node;

	add_group(b, id);
	node = json_pack("{s:s, s:s, s:s, s:s, s:o}", "driver", "throttle", "node-name",
			 b->u->fmt_node, "throttle-group", id, "file", below, "cache",
			 cache_json(b->c));
	put_discard(b->c, node);
	/* blockdev.discard, too, has to pass here */
	for (size_t i = 0; node && i < b->c->nextras; i++)
		if (!strcmp(b->c->extras[i].key, "discard"))
			json_object_set_new(node, "discard", json_string(b->c->extras[i].value));
	add(b, Q_BLOCKDEV, node);
}

static void add_blank(struct builder *b)
{
	add(b, Q_BLOCKDEV,
	    json_pack("{s:s, s:s, s:I, s:b}", "driver", "null-co", "node-name", b->u->file_node,
		      "size", (json_int_t)b->p->size, "read-zeroes", 1));
	add(b, Q_BLOCKDEV,
	    json_pack("{s:s, s:s, s:s}", "driver", "raw", "node-name", b->u->fmt_node, "file",
		      b->u->file_node));
}

void image_specs(const struct cell *c, const struct disk_plan *p, const struct disk_unit *u,
		 bool blank, struct qspec **specs, size_t *n)
{
	struct builder b = {.c = c, .p = p, .u = u, .specs = specs, .n = n};
	char name[NODE_NAME];

	if (blank) {
		add_blank(&b);
		return;
	}
	add_format(&b, node_of_format(c, u->fmt_node, name));
	if (node_throttled(c))
		add_throttle(&b, name);
}
