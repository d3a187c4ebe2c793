// SPDX-License-Identifier: GPL-2.0-or-later
/* Images: where they lie, the steps that make them, how large they can become. */
#include <stdlib.h>
#include <string.h>
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

unsigned image_layers(const struct cell *c)
{
	return 1 + (unsigned)cell_u64(c, K_BACKING);
}

char *image_layer(const struct cell *c, const struct disk_unit *u, unsigned layer)
{
	return layer + 1 < image_layers(c) ? xasprintf("%s.%u", u->image, layer)
					   : xstrdup(u->image);
}

char *image_data_file(const struct cell *c, const struct disk_unit *u)
{
	return u->image && cell_on(c, K_DATA_FILE) ? xasprintf("%s.data", u->image) : NULL;
}

char *image_source(const struct cell *c, const struct disk_env *env, uint64_t size)
{
	return xasprintf("%s/vbench-source-%s-%llu.raw",
			 env->source_dir ? env->source_dir : env->image_dir, cell_get(c, K_CONTENT),
			 (unsigned long long)size);
}

static void words(struct words *w, const char *a, const char *b)
{
	word(w, xstrdup(a));
	if (b)
		word(w, xstrdup(b));
}

static struct disk_step *add_step(struct disk_plan *p, const char *what)
{
	p->steps = xrealloc(p->steps, p->nsteps + 1, sizeof(*p->steps));
	p->steps[p->nsteps] = (struct disk_step){.what = what};
	return &p->steps[p->nsteps++];
}

static void add_file(struct disk_plan *p, char *owned)
{
	p->files = xrealloc(p->files, p->nfiles + 1, sizeof(*p->files));
	p->files[p->nfiles++] = owned;
}

/* What qemu-img calls the modes. */
static const char *preallocation(const struct cell *c)
{
	const char *mode = cell_get(c, K_MODE);

	return !mode || !strcmp(mode, "thin") ? "off" : mode;
}

static void option(FILE *f, const char *name, const char *value)
{
	fprintf(f, "%s%s=%s", ftell(f) ? "," : "", name, value);
}

/* What an image of version 3 or of other clusters is told; overlays are like the lowest layer. */
static void put_qcow2(FILE *f, const struct cell *c)
{
	if (cell_get(c, K_CLUSTER) && !cell_is(c, K_CLUSTER, "65536"))
		option(f, "cluster_size", cell_get(c, K_CLUSTER));
	if (cell_on(c, K_EXTENDED_L2))
		option(f, "extended_l2", "on");
	if (cell_on(c, K_LAZY_REFCOUNTS))
		option(f, "lazy_refcounts", "on");
	if (cell_get(c, K_COMPAT) && !cell_is(c, K_COMPAT, "1.1"))
		option(f, "compat", cell_get(c, K_COMPAT));
}

/*
 * In option strings a comma is written twice. data_file_raw is the promise that the data file alone
 * tells the content; qemu-img then makes the metadata of a thin image beforehand, which would be
 * another mode.
 */
static void put_data_file(FILE *f, const char *path, bool raw)
{
	fprintf(f, ",data_file=");
	for (; *path; path++)
		fprintf(f, *path == ',' ? ",," : "%c", *path);
	if (raw)
		option(f, "data_file_raw", "on");
}

/* The argument of -o for the lowest layer; "": there is nothing to be said. */
static char *create_options(const struct cell *c, const struct format_row *format,
			    const char *data_file)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return xstrdup("");
	if (format->key)
		option(f, "key-secret", "key0");
	if (format->preallocation)
		option(f, "preallocation", preallocation(c));
	if (format->create)
		fprintf(f, "%s%s", ftell(f) ? "," : "", format->create);
	if (cell_is(c, K_FORMAT, "qcow2")) {
		put_qcow2(f, c);
		if (cell_is(c, K_COMPRESSION, "zstd"))
			option(f, "compression_type", "zstd");
		if (data_file)
			put_data_file(f, data_file, !cell_is(c, K_MODE, "thin"));
	}
	fclose(f);
	return text;
}

static void put_create(struct words *w, const struct cell *c, const char *data_file)
{
	const struct format_row *format = format_find(cell_get(c, K_FORMAT));
	char *options = create_options(c, format, data_file);

	if (options[0])
		words(w, "-o", options);
	free(options);
	if (format->key)
		words(w, "--object", "secret,id=key0,data=" IMAGE_PASSPHRASE);
}

/* "-o" and what belongs to it stand between format and path. */
static void create_step(const struct cell *c, const struct disk_env *env, struct disk_plan *p,
			const char *path, const char *data_file, bool sample)
{
	struct disk_step *s = add_step(p, "create image");
	struct words w = {0};

	words(&w, env->qemu_img, "create");
	words(&w, "-q", "-f");
	words(&w, cell_get(c, K_FORMAT), NULL);
	put_create(&w, c, data_file);
	words(&w, path, NULL);
	word(&w, xasprintf("%llu", (unsigned long long)p->size));
	s->argv = w.v;
	s->metric = sample ? "image.create" : NULL;
}

/* The target's cache is writeback, not qemu-img's unsafe: what is written must have reached the
 * disk before the workload begins, and belongs to the time. */
static void convert_step(const struct cell *c, const struct disk_env *env, struct disk_plan *p,
			 const char *path, const char *data_file, bool sample)
{
	struct disk_step *s = add_step(p, "convert image");
	struct words w = {0};

	words(&w, env->qemu_img, "convert");
	words(&w, "-q", "-f");
	words(&w, "raw", "-t");
	words(&w, "writeback", "-O");
	words(&w, cell_get(c, K_FORMAT), NULL);
	if (!cell_is(c, K_COMPRESSION, "none") && cell_get(c, K_COMPRESSION))
		words(&w, "-c", NULL);
	put_create(&w, c, data_file);
	word(&w, image_source(c, env, p->size));
	words(&w, path, NULL);
	s->argv = w.v;
	s->metric = sample ? "image.convert" : NULL;
}

/* The layer below by its whole path: QEMU then finds that the node it is given is the one that the
 * header names, else it describes each node by the JSON of all nodes under it. */
static void overlay_step(const struct cell *c, const struct disk_env *env, struct disk_plan *p,
			 const char *path, const char *below)
{
	struct disk_step *s = add_step(p, "create overlay");
	struct words w = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	words(&w, env->qemu_img, "create");
	words(&w, "-q", "-f");
	words(&w, "qcow2", "-b");
	words(&w, below, "-F");
	words(&w, "qcow2", NULL);
	if (f) {
		put_qcow2(f, c);
		fclose(f);
	}
	if (text && text[0])
		words(&w, "-o", text);
	free(text);
	words(&w, path, NULL);
	s->argv = w.v;
}

/* What a full image takes beside its data, at most. */
static uint64_t image_overhead(const struct cell *c, uint64_t size)
{
	const struct format_row *row = format_find(cell_get(c, K_FORMAT));
	uint64_t cluster = cell_u64(c, K_CLUSTER), tables;

	if (!strcmp(row->name, "qcow2") && cluster) {
		/* 10 or 18 bytes for each cluster, rounded up; tables of whole clusters */
		tables = size / cluster * (cell_on(c, K_EXTENDED_L2) ? 32 : 16);
		return tables + (16 * cluster > row->fixed ? 16 * cluster : row->fixed);
	}
	return (row->share ? size / row->share : 0) + row->fixed;
}

/* Of one disk: the uppermost layer may become full; those between hold tables at most; the lowest
 * one keeps what it was made with. Compressed clusters are not written in place: what replaces them
 * comes beside them. */
static uint64_t image_peak(const struct cell *c, uint64_t size)
{
	uint64_t over = image_overhead(c, size), peak = size + over;
	bool full = cell_has_data(c) || cell_is(c, K_MODE, "full") || cell_is(c, K_MODE, "falloc");

	if (image_layers(c) == 1)
		return peak +
		       (full && cell_get(c, K_COMPRESSION) && !cell_is(c, K_COMPRESSION, "none")
				? size
				: 0);
	return peak + (image_layers(c) - 1) * over + (full ? size : 0);
}

/* An NBD export is as long as its file was when the server started: the file must have all the
 * room that the image can come to need, as a hole. */
static void resize_step(const struct disk_env *env, struct disk_plan *p, const char *path,
			uint64_t bytes)
{
	struct disk_step *s = add_step(p, "make room in the image");
	struct words w = {0};

	words(&w, env->qemu_img, "resize");
	words(&w, "-q", "-f");
	words(&w, "raw", path);
	word(&w, xasprintf("%llu", (unsigned long long)(bytes + 511) / 512 * 512));
	s->argv = w.v;
}

/* Where the data lie comes first in p->files; see HACKING.md, "image"/"data". */
static void unit_files(const struct cell *c, struct disk_plan *p, const struct disk_unit *u)
{
	char *data = image_data_file(c, u);

	if (data)
		add_file(p, data);
	for (unsigned i = 0; i + 1 < image_layers(c); i++)
		add_file(p, image_layer(c, u, i));
}

static void unit_steps(const struct cell *c, const struct disk_env *env, struct disk_plan *p,
		       const struct disk_unit *u, bool first)
{
	char *below = image_layer(c, u, 0), *data = image_data_file(c, u);

	if (cell_has_data(c))
		convert_step(c, env, p, below, data, first);
	else
		create_step(c, env, p, below, data, first);
	for (unsigned i = 1; i < image_layers(c); i++) {
		char *path = image_layer(c, u, i);

		overlay_step(c, env, p, path, below);
		free(below);
		below = path;
	}
	free(below);
	free(data);
}

static void unit_image(const struct cell *c, const struct disk_env *env, struct disk_plan *p,
		       struct disk_unit *u, unsigned i)
{
	u->image = xasprintf("%s/vb%u.img", env->image_dir, env->index + i);
	unit_files(c, p, u);
	unit_steps(c, env, p, u, !i);
	if (cell_uses_nbd(c) && cell_is(c, K_FORMAT, "qcow2"))
		resize_step(env, p, u->image, image_peak(c, p->size));
	p->peak_bytes += image_peak(c, p->size);
}

void image_units(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	p->size = cell_u64(c, K_SIZE);
	if (cell_on_device(c) && p->nunits) {
		p->device = true;
		p->image = xstrdup(cell_get(c, K_DEVICE));
		p->units[0].image = xstrdup(p->image);
	}
	if (!cell_has_image(c) || !p->nunits)
		return;
	if (cell_has_data(c)) {
		struct disk_step *s = add_step(p, "make source data");

		s->content = cell_get(c, K_CONTENT);
		s->source = image_source(c, env, p->size);
		s->source_bytes = p->size;
	}
	for (unsigned i = 0; i < p->nunits; i++)
		unit_image(c, env, p, &p->units[i], i);
	p->image = xstrdup(p->units[0].image);
}
