/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lies below a disk of a command line: -drive, or nodes of -blockdev, one over the other. */
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"

/* A node: an option's members that begin with prefix. */
struct node {
	const struct argv_opt *o;
	char prefix[96]; /* "", "file.", "file.file." */
};

static const char *get(const struct node *n, const char *key)
{
	return argv_get(n->o, "%s%s", n->prefix, key);
}

static bool one_of(const char *word, const char *list)
{
	size_t len = strlen(word);

	/* No word is found everywhere, and at the list's end too. */
	for (const char *p = list; len && (p = strstr(p, word)); p++)
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	return false;
}

static bool is_format(const char *driver)
{
	return one_of(driver,
		      "raw qcow2 qcow qed vmdk vdi vhdx vpc luks parallels dmg bochs cloop");
}

/* Nodes that pass requests on. */
static bool is_filter(const char *driver)
{
	return one_of(driver, "throttle copy-on-read preallocate blkdebug blklogwrites blkreplay "
			      "blkverify snapshot-access copy-before-write compress quorum");
}

static const char *driver_transport(const char *driver)
{
	static const struct {
		const char *driver, *transport;
	} of[] = {{"file", "file"},
		  {"host_device", "block"},
		  {"nbd", "nbd"},
		  {"rbd", "rbd"},
		  {"iscsi", "iscsi"},
		  {"nfs", "nfs"},
		  {"gluster", "gluster"},
		  {"http", "http"},
		  {"https", "http"},
		  {"ftp", "http"},
		  {"ftps", "http"},
		  {"nvme", "nvme"},
		  {"null-co", "null"},
		  {"null-aio", "null"},
		  {"virtio-blk-vhost-user", "vhost-user"}};

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		if (!strcmp(of[i].driver, driver))
			return of[i].transport;
	return "other";
}

const char *argv_transport(const char *name)
{
	static const struct {
		const char *prefix, *transport;
	} of[] = {{"nbd:", "nbd"},	   {"nbd+", "nbd"},	    {"rbd:", "rbd"},
		  {"iscsi:", "iscsi"},	   {"iser:", "iscsi"},	    {"nfs:", "nfs"},
		  {"gluster:", "gluster"}, {"gluster+", "gluster"}, {"http:", "http"},
		  {"https:", "http"},	   {"ftp:", "http"},	    {"ftps:", "http"},
		  {"nvme:", "nvme"},	   {"null-co:", "null"},    {"null-aio:", "null"},
		  {"ssh:", "other"},	   {"fat:", "other"},	    {"blkdebug:", "other"},
		  {"blkverify:", "other"}, {"vvfat:", "other"},	    {"host_device:", "block"}};

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		if (!strncmp(name, of[i].prefix, strlen(of[i].prefix)))
			return of[i].transport;
	/* What QEMU's file driver finds to be a block device it opens as one. */
	if (!strncmp(name, "/dev/", 5) && strncmp(name, "/dev/shm/", 9) &&
	    strncmp(name, "/dev/fdset/", 11) && strncmp(name, "/dev/fd/", 8))
		return "block";
	return "file";
}

/* A network image's name of its parts, as people write it. */
static void source_compose(const struct node *n, const char *driver, struct argv_block *b)
{
	const char *first = NULL, *second = NULL;

	free(b->source_own);
	b->source_own = NULL;
	if (!strcmp(driver, "rbd")) {
		first = get(n, "pool");
		second = get(n, "image");
	} else if (!strcmp(driver, "nbd")) {
		first = get(n, "server.host") ? get(n, "server.host") : get(n, "server.path");
		second = get(n, "export");
	} else if (!strcmp(driver, "iscsi")) {
		first = get(n, "portal");
		second = get(n, "target");
	} else if (!strcmp(driver, "nfs")) {
		first = get(n, "server.host");
		second = get(n, "path");
	} else if (!strcmp(driver, "gluster")) {
		first = get(n, "volume");
		second = get(n, "path");
	} else if (!strcmp(driver, "nvme")) {
		first = get(n, "device");
		second = get(n, "namespace");
	} else {
		first = get(n, "url") ? get(n, "url") : get(n, "path");
	}
	if (first || second)
		b->source_own = xasprintf("%s%s%s", first ? first : "", first && second ? "/" : "",
					  second ? second : "");
	b->source = b->source_own;
}

static void protocol_take(struct argv_reader *r, const struct node *n, const char *driver,
			  struct argv_block *b)
{
	const char *filename = get(n, "filename");

	(void)r;
	b->where_protocol = n->o->where;
	b->transport = driver_transport(driver);
	if (filename && (!strcmp(driver, "file") || !strcmp(driver, "host_device"))) {
		b->source = filename;
		if (!strcmp(driver, "file"))
			b->transport = argv_transport(filename);
		/* The name is a path here, whatever it begins with. */
		if (strcmp(b->transport, "block"))
			b->transport = "file";
	} else if (filename) {
		b->source = filename;
	} else {
		source_compose(n, driver, b);
	}
}

/* A value of an upper node stands unless a lower one says otherwise. */
static void tri(int *out, const char *value)
{
	if (argv_bool(value) >= 0)
		*out = argv_bool(value);
}

static void text(const char **out, const char *value)
{
	if (value)
		*out = value;
}

static void format_take(const struct node *n, const char *driver, struct argv_block *b)
{
	b->format = driver;
	text(&b->l2_cache, get(n, "l2-cache-size"));
	text(&b->l2_entry, get(n, "l2-cache-entry-size"));
	text(&b->refcount_cache, get(n, "refcount-cache-size"));
	text(&b->clean, get(n, "cache-clean-interval"));
	text(&b->overlap, get(n, "overlap-check"));
	text(&b->overlap, get(n, "overlap-check.template"));
	tri(&b->lazy, get(n, "lazy-refcounts"));
	if (get(n, "data-file") || get(n, "data-file.driver"))
		b->data_file = 1;
	if (get(n, "encrypt.format") || !strcmp(driver, "luks"))
		b->encrypted = 1;
	if (!strcmp(driver, "raw"))
		b->backing = 0;
}

static void limits_take(struct argv_reader *r, const char *group, struct argv_block *b)
{
	const struct argv_opt *o = group ? argv_by_id(r, "object", "id", group) : NULL;

	if (!o)
		return;
	text(&b->iops, argv_get(o, "x-iops-total"));
	text(&b->iops, argv_get(o, "limits.iops-total"));
	text(&b->bps, argv_get(o, "x-bps-total"));
	text(&b->bps, argv_get(o, "limits.bps-total"));
}

/* What every layer may say. */
static void common_take(const struct node *n, struct argv_block *b)
{
	tri(&b->direct, get(n, "cache.direct"));
	tri(&b->no_flush, get(n, "cache.no-flush"));
	text(&b->aio, get(n, "aio"));
	if (!b->detect_zeroes)
		b->detect_zeroes = get(n, "detect-zeroes");
	if (b->read_only < 0)
		tri(&b->read_only, get(n, "read-only"));
}

static const char *discard_word(const struct node *n)
{
	const char *value = get(n, "discard");

	if (value && !strcmp(value, "on"))
		return "unmap";
	return value && !strcmp(value, "off") ? "ignore" : value;
}

/*
 * unmap reaches the storage only when every node on the way lets it through. The uppermost that
 * says nothing ignores (QAPI, BlockdevOptions: "default: ignore"), whatever those below say:
 * libvirt always writes discard=unmap into the lowest. Nodes within another's options let it
 * through unless they say otherwise [block.c, bdrv_inherited_options].
 */
static void discard_below(const struct node *n, bool reference, struct argv_block *b)
{
	const char *value = discard_word(n);

	if (b->discard && !strcmp(b->discard, "unmap") &&
	    ((!value && reference) || (value && !strcmp(value, "ignore"))))
		b->discard = "ignore";
}

/* Where "-drive file=NAME" or a "file" that is a string goes on to; false: nowhere. */
static bool node_named(struct argv_reader *r, const char *name, struct node *out)
{
	const struct argv_opt *o = argv_by_id(r, "blockdev", "node-name", name);

	if (!o)
		o = argv_by_id(r, "drive", "id", name);
	if (!o)
		o = argv_by_id(r, "drive", "node-name", name);
	*out = (struct node){.o = o};
	return o;
}

/* The child of a key ("file", "backing") of a node: by name, or within. */
static bool child(struct argv_reader *r, const struct node *n, const char *key, struct node *out,
		  bool *reference)
{
	const char *name = get(n, key);

	*reference = name != NULL;
	if (name)
		return node_named(r, name, out);
	*out = *n;
	if (snprintf(out->prefix, sizeof(out->prefix), "%s%s.", n->prefix, key) >=
	    (int)sizeof(out->prefix))
		return false;
	return get(out, "driver") || get(out, "filename");
}

/* How many images lie below: -1 where the description leaves it to the image's header. */
static int backing_count(struct argv_reader *r, struct node n, const char *driver)
{
	int count = 0;
	bool reference;

	for (; count < ARGV_DEPTH; count++) {
		struct node below;
		char key[128];

		snprintf(key, sizeof(key), "%sbacking", n.prefix);
		if (!argv_has(n.o, key))
			return driver && !strcmp(driver, "raw") ? count : -1;
		/* JSON's null: none, whatever the header says. */
		if (!child(r, &n, "backing", &below, &reference))
			return count;
		n = below;
		driver = get(&n, "driver");
	}
	return count;
}

/* top: n is what the disk is on; else it is below, by reference or within the upper's options. */
static void chain_walk(struct argv_reader *r, struct node n, bool top, bool reference,
		       struct argv_block *b)
{
	for (int depth = 0; depth < ARGV_DEPTH; depth++) {
		const char *driver = get(&n, "driver");
		struct node below;

		common_take(&n, b);
		if (depth || !top)
			discard_below(&n, reference, b);
		else
			b->discard = discard_word(&n);
		if (!driver)
			driver = get(&n, "filename") ? "file" : "";
		if (!strcmp(driver, "throttle"))
			limits_take(r, get(&n, "throttle-group"), b);
		if (is_format(driver)) {
			/* The uppermost is what the disk is; raw below qcow2 only cuts a piece out.
			 */
			if (!b->format) {
				format_take(&n, driver, b);
				if (b->backing < 0)
					b->backing = backing_count(r, n, driver);
			}
		} else if (!is_filter(driver)) {
			protocol_take(r, &n, driver, b);
			return;
		}
		if (!child(r, &n,
			   one_of(driver, "blkdebug blkverify") && !get(&n, "file") ? "image"
										    : "file",
			   &below, &reference))
			return;
		n = below;
	}
	argv_note(r, "%s: more than %d nodes one over the other", b->where, ARGV_DEPTH);
}

/* -drive's cache words and the throttling that it alone has. */
static void drive_take(struct argv_reader *r, const struct argv_opt *o, struct argv_block *b)
{
	struct node n = {.o = o}, below;
	const char *driver = argv_get(o, "format") ? argv_get(o, "format") : argv_get(o, "driver");
	const char *file = argv_get(o, "file");
	bool reference = false;

	common_take(&n, b);
	tri(&b->read_only, argv_get(o, "readonly"));
	b->discard = discard_word(&n);
	tri(&b->writeback, argv_get(o, "cache.writeback"));
	text(&b->cache, argv_get(o, "cache"));
	text(&b->iops, argv_get(o, "iops"));
	text(&b->iops, argv_get(o, "throttling.iops-total"));
	text(&b->bps, argv_get(o, "bps"));
	text(&b->bps, argv_get(o, "throttling.bps-total"));
	text(&b->werror, argv_get(o, "werror"));
	text(&b->serial, argv_get(o, "serial"));
	if (driver && (is_format(driver) || !one_of(driver, "file host_device")))
		format_take(&n, driver, b);
	if (driver && !is_format(driver)) {
		b->format = NULL;
		protocol_take(r, &n, driver, b);
	}
	if (b->backing < 0 && driver && is_format(driver))
		b->backing = backing_count(r, n, driver);
	if (file) {
		/* -drive file=NODE takes a node's name too. */
		if (node_named(r, file, &below) && below.o != o) {
			chain_walk(r, below, true, false, b);
			return;
		}
		b->source = file;
		b->transport = argv_transport(file);
		b->where_protocol = o->where;
		/* rbd:pool/image:key=...: what follows may hold secrets. */
		if (!strcmp(b->transport, "rbd") && !strncmp(file, "rbd:", 4)) {
			free(b->source_own);
			b->source_own = xasprintf("%.*s", (int)strcspn(file + 4, ":@"), file + 4);
			b->source = b->source_own;
		}
	} else if (child(r, &n, "file", &below, &reference)) {
		chain_walk(r, below, false, reference, b);
	}
	if (argv_next(r, "snapshot", NULL) || argv_bool(argv_get(o, "snapshot")) == 1)
		argv_note(r, "%s: snapshot=on: what it writes goes to a temporary image", o->where);
}

void argv_block_read(struct argv_reader *r, const struct argv_opt *o, struct argv_block *b)
{
	*b = (struct argv_block){.top = o,
				 .direct = -1,
				 .no_flush = -1,
				 .writeback = -1,
				 .read_only = -1,
				 .lazy = -1,
				 .data_file = -1,
				 .encrypted = -1,
				 .backing = -1,
				 .where = o->where,
				 .where_protocol = o->where};
	if (!strcmp(o->name, "drive"))
		drive_take(r, o, b);
	else
		chain_walk(r, (struct node){.o = o}, true, false, b);
}

bool argv_block_find(struct argv_reader *r, const char *name, struct argv_block *b)
{
	struct node n;

	if (!node_named(r, name, &n))
		return false;
	argv_block_read(r, n.o, b);
	return true;
}

void argv_block_free(struct argv_block *b)
{
	free(b->source_own);
	b->source_own = NULL;
}
