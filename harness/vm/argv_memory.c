/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory, its back ends and virtual NUMA nodes, of a command line. */
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"

/* The page size that a hugetlbfs mount's usual names tell; 0: it has none of them. */
static uint64_t path_page(const char *path)
{
	static const struct {
		const char *part;
		uint64_t page;
	} names[] = {{"1048576kB", 1ull << 30},
		     {"2048kB", 2ull << 20},
		     {"1024M", 1ull << 30},
		     {"1G", 1ull << 30},
		     {"2M", 2ull << 20}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strstr(path, names[i].part))
			return names[i].page;
	return 0;
}

static void page_take(struct argv_reader *r, const char *path, const char *where)
{
	uint64_t page = path_page(path);

	if (!strstr(path, "hugepages") && !strstr(path, "hugetlb") && !strstr(path, "/huge"))
		return;
	if (!page) {
		page = 2u << 20;
		argv_note(r,
			  "%s: the page size of %.120s is that of its mount; taken for 2 MiB, the "
			  "default of x86",
			  where, path);
	}
	vm_set_number(r->vm, VM_ASKED, page, where, "memory.page");
}

/* Host nodes: "0-1" repeated, or JSON's host-nodes.0, host-nodes.1. New, canonical; NULL: none. */
static char *indexed_list(const struct argv_opt *o, const char *key)
{
	char *text = NULL, *cpus;
	size_t len = 0, klen = strlen(key);
	FILE *f = open_memstream(&text, &len);

	for (size_t i = 0; f && i < o->npairs && len < 1 << 16; i++) {
		const struct argv_pair *p = &o->pairs[i];

		if (strncmp(p->key, key, klen) || (p->key[klen] && p->key[klen] != '.') ||
		    !p->value)
			continue;
		fprintf(f, "%s%s", len ? "," : "", p->value);
		fflush(f);
	}
	if (f)
		fclose(f);
	cpus = text && *text ? vm_cpus(text) : NULL;
	free(text);
	return cpus;
}

/* QEMU's policies in libvirt's words; NULL: none. */
static const char *policy_mode(const char *policy)
{
	if (!policy)
		return NULL;
	return !strcmp(policy, "bind")	       ? "strict"
	       : !strcmp(policy, "preferred")  ? "preferred"
	       : !strcmp(policy, "interleave") ? "interleave"
					       : NULL;
}

static void backend_policy(struct argv_reader *r, const struct argv_opt *o, const char *prefix)
{
	const char *mode = policy_mode(argv_get(o, "policy"));
	char *nodes = indexed_list(o, "host-nodes");

	if (mode)
		vm_set(r->vm, VM_ASKED, mode, o->where, "%s.mode", prefix);
	if (mode && nodes)
		vm_set(r->vm, VM_ASKED, nodes, o->where, "%s.nodeset", prefix);
	free(nodes);
}

/* What a memory-backend-* asks for; prefix: whose policy it is, "numatune" or "numa.0". */
static void backend_take(struct argv_reader *r, const struct argv_opt *o, const char *prefix)
{
	const char *type = argv_get(o, "qom-type"), *path = argv_get(o, "mem-path");
	struct vm *vm = r->vm;

	type = type && !strncmp(type, "memory-backend-", 15) ? type + 15 : "";
	if (!strcmp(type, "ram"))
		vm_set(vm, VM_ASKED, "anonymous", o->where, "memory.source");
	else if (!strcmp(type, "file"))
		vm_set(vm, VM_ASKED, "file", o->where, "memory.source");
	else if (!strcmp(type, "memfd"))
		vm_set(vm, VM_ASKED, "memfd", o->where, "memory.source");
	else
		argv_note(r, "%s: memory of %.60s", o->where, type);
	argv_set_flag(r, argv_get(o, "share"), o->where, "memory.shared");
	/* memfd is shared unless it is said not to be [qapi/qom.json]. */
	if (!strcmp(type, "memfd") && !argv_get(o, "share"))
		vm_set_flag(vm, VM_ASKED, true, o->where, "memory.shared");
	argv_set_flag(r, argv_get(o, "prealloc"), o->where, "memory.prealloc");
	argv_set_flag(r, argv_get(o, "merge"), o->where, "memory.merge");
	argv_set_flag(r, argv_get(o, "discard-data"), o->where, "memory.discard");
	if (!strcmp(type, "file") && path)
		page_take(r, path, o->where);
	if (argv_bool(argv_get(o, "hugetlb")) == 1)
		argv_set_size(r, argv_get(o, "hugetlbsize") ? argv_get(o, "hugetlbsize") : "2M", 0,
			      o->where, "memory.page");
	backend_policy(r, o, prefix);
}

static bool is_backend(const struct argv_opt *o)
{
	const char *type = o ? argv_get(o, "qom-type") : NULL;

	return type && !strncmp(type, "memory-backend-", 15);
}

static void numa_cpus(struct argv_reader *r, const struct argv_opt *o, unsigned node)
{
	char *cpus = indexed_list(o, "cpus");

	if (cpus)
		vm_set(r->vm, VM_ASKED, cpus, o->where, "numa.%u.cpus", node);
	free(cpus);
}

static void numa_node(struct argv_reader *r, const struct argv_opt *o, unsigned *next)
{
	const char *id = argv_get(o, "nodeid"), *mem = argv_get(o, "mem");
	const char *memdev = argv_get(o, "memdev");
	unsigned long node = id ? strtoul(id, NULL, 10) : *next;
	const struct argv_opt *b;
	char prefix[24];

	/* QEMU's MAX_NODES. */
	if (node >= 128) {
		argv_note(r, "%s: no node %.20s can be", o->where, id ? id : "");
		return;
	}
	*next = (unsigned)node + 1;
	numa_cpus(r, o, (unsigned)node);
	argv_set_size(r, mem, 20, o->where, "numa.%lu.memory", node);
	b = memdev ? argv_by_id(r, "object", "id", memdev) : NULL;
	if (!is_backend(b))
		return;
	snprintf(prefix, sizeof(prefix), "numa.%lu", node);
	backend_take(r, b, prefix);
	argv_set_size(r, argv_get(b, "size"), 0, b->where, "numa.%lu.memory", node);
}

static void numa_take(struct argv_reader *r)
{
	const struct argv_opt *o = NULL;
	unsigned next = 0;
	bool by_cpu = false;

	while ((o = argv_next(r, "numa", o))) {
		const char *type = argv_get(o, "type");

		if (type && !strcmp(type, "node"))
			numa_node(r, o, &next);
		else if (type && !strcmp(type, "dist"))
			vm_set_flag(r->vm, VM_ASKED, true, o->where, "numa.distances");
		else
			by_cpu = by_cpu || (type && !strcmp(type, "cpu"));
	}
	if (by_cpu)
		argv_note(r, "-numa cpu: which vCPUs belong to which node is not told from it");
}

static void size_take(struct argv_reader *r)
{
	const struct argv_opt *o = NULL;
	const char *size = argv_merged(r, "m", "size", &o);
	const char *max;

	if (size) {
		argv_set_size(r, size, 20, o->where, "memory.size");
	} else if ((size = argv_merged(r, "machine", "memory.size", &o))) {
		argv_set_size(r, size, 20, o->where, "memory.size");
	} else if (!r->incomplete) {
		vm_set_number(r->vm, VM_ASKED, 128u << 20, "QEMU's default", "memory.size");
	}
	max = argv_merged(r, "m", "maxmem", &o);
	argv_set_size(r, max, 0, o ? o->where : "", "memory.max");
}

/* -mem-path and -mem-prealloc: what came before objects, and is still taken. */
static void legacy_take(struct argv_reader *r)
{
	const struct argv_opt *path = argv_next(r, "mem-path", NULL);
	const struct argv_opt *fill = argv_next(r, "mem-prealloc", NULL);

	if (path) {
		vm_set(r->vm, VM_ASKED, "file", path->where, "memory.source");
		page_take(r, path->text, path->where);
	}
	if (fill)
		vm_set_flag(r->vm, VM_ASKED, true, fill->where, "memory.prealloc");
}

void argv_memory(struct argv_reader *r)
{
	const struct argv_opt *o = NULL, *b;
	const char *value;

	size_take(r);
	legacy_take(r);
	value = argv_merged(r, "machine", "memory-backend", &o);
	b = value ? argv_by_id(r, "object", "id", value) : NULL;
	if (is_backend(b)) {
		backend_take(r, b, "numatune");
		/* Without -m, the back end's size is the machine's. */
		if (!argv_next(r, "m", NULL))
			argv_set_size(r, argv_get(b, "size"), 0, b->where, "memory.size");
	}
	numa_take(r);
	value = argv_merged(r, "overcommit", "mem-lock", &o);
	argv_set_flag(r, value, value ? o->where : "", "memory.locked");
	value = argv_merged(r, "realtime", "mlock", &o);
	argv_set_flag(r, value, value ? o->where : "", "memory.locked");
}
