/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images and back ends: how an image is made, and the two block nodes (protocol and format) that
 * stand on it. */
#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "disk/internal.h"

static const struct cache_row caches[] = {
	{"none", true, false, true},	       {"writeback", false, false, true},
	{"writethrough", false, false, false}, {"directsync", true, false, false},
	{"unsafe", false, true, true},
};

const struct cache_row *cache_find(const char *name)
{
	for (size_t i = 0; name && i < sizeof(caches) / sizeof(caches[0]); i++)
		if (!strcmp(caches[i].name, name))
			return &caches[i];
	return NULL;
}

const struct cache_row *cell_cache(const struct cell *c)
{
	const struct cache_row *row = cache_find(cell_get(c, K_CACHE));

	return row ? row : &caches[0];
}

/* What qemu-img calls the modes. */
static const char *preallocation(const struct cell *c)
{
	const char *mode = cell_get(c, K_MODE);

	return !mode || !strcmp(mode, "thin") ? "off" : mode;
}

static void create_step(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	char *argv[] = {
		xstrdup(env->qemu_img),
		xstrdup("create"),
		xstrdup("-q"),
		xstrdup("-f"),
		xstrdup(cell_get(c, K_FORMAT)),
		xstrdup("-o"),
		xasprintf("preallocation=%s", preallocation(c)),
		xstrdup(p->image),
		xasprintf("%llu", (unsigned long long)p->size),
		NULL,
	};

	p->steps = xcalloc(1, sizeof(*p->steps));
	p->steps[0].what = "create image";
	p->steps[0].argv = xcalloc(sizeof(argv) / sizeof(argv[0]), sizeof(*p->steps[0].argv));
	memcpy(p->steps[0].argv, argv, sizeof(argv));
	p->nsteps = 1;
}

/*
 * The worst a full image can take: qcow2 adds 8 bytes of L2 table and 2 of refcount for each
 * cluster of 64 KiB (QEMU's docs/interop/qcow2.txt), which is 1/6554 of the data; rounded up to
 * 1/4096 and 4 MiB for headers and the file system.
 */
static uint64_t peak(const struct cell *c, uint64_t size)
{
	return !strcmp(cell_get(c, K_FORMAT), "qcow2") ? size + size / 4096 + (4u << 20) : size;
}

static json_t *cache_json(const struct cell *c)
{
	const struct cache_row *row = cell_cache(c);

	return json_pack("{s:b, s:b}", "direct", row->direct, "no-flush", row->no_flush);
}

static json_t *file_node(const struct cell *c, const struct disk_plan *p)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "driver", "file", "node-name", p->file_node,
			 "filename", p->image, "aio", cell_get(c, K_AIO), "cache", cache_json(c));
}

static json_t *null_node(const struct cell *c, const struct disk_plan *p)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:b}", "driver", "null-co", "node-name",
			 p->file_node, "size", (json_int_t)p->size, "latency-ns",
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

void image_plan(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	p->size = cell_u64(c, K_SIZE);
	if (!cell_has_image(c))
		return;
	p->image = xasprintf("%s/vb%u.img", env->image_dir, env->index);
	p->peak_bytes = peak(c, p->size);
	create_step(c, env, p);
}

void image_nodes(const struct cell *c, const struct disk_plan *p, json_t **file, json_t **fmt)
{
	*file = p->image ? file_node(c, p) : null_node(c, p);
	/* a raw layer above the null device, too, so that it compares with a raw image layer by
	 * layer */
	*fmt = json_pack("{s:s, s:s, s:s, s:o}", "driver", p->image ? cell_get(c, K_FORMAT) : "raw",
			 "node-name", p->fmt_node, "file", p->file_node, "cache", cache_json(c));
	for (size_t i = 0; *file && *fmt && i < c->nextras; i++) {
		put_dotted(*fmt, c->extras[i].key, typed(c->extras[i].key, c->extras[i].value));
		/* a discard gets through only if every node lets it */
		if (!strcmp(c->extras[i].key, "discard"))
			json_object_set_new(*file, "discard", json_string(c->extras[i].value));
	}
}
