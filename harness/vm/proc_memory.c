/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's RAM within a running QEMU: where its pages lie, and how large they are. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"

enum { MAPS_MAX = 200000, RAMS_MAX = 128, NODES_MAX = 1024, LINE_ROOM = 1 << 16 };

struct map {
	uint64_t from, to;
	uint64_t page, resident, swapped, thp, huge, locked;
	bool shared, merge, lock, writable;
	char source; /* a: anonymous, m: memfd, f: a file */
	int ram;     /* which of the guest's; -1: none */
};

struct rams {
	uint64_t size[RAMS_MAX]; /* what was asked for */
	int cell[RAMS_MAX];	 /* of virtual NUMA; -1: all */
	char policy[RAMS_MAX][64];
	int n;
};

/* --- smaps --- */

/* "7f00-7f10 rw-s 00000000 00:01 123  /memfd:ram (deleted)"; false: not such a line. */
static bool header_take(const char *line, struct map *m)
{
	char perms[8];
	int path = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %*s %n", &m->from, &m->to, perms,
		   &path) < 3 ||
	    m->to < m->from || strlen(perms) < 4)
		return false;
	m->ram = -1;
	m->shared = perms[3] == 's';
	m->writable = perms[0] == 'r' && perms[1] == 'w';
	line += path;
	m->source = !path || *line == '\0' || *line == '\n' || *line == '[' ? 'a'
		    : !strncmp(line, "/memfd:", 7)			    ? 'm'
		    : !strncmp(line, "/dev/zero", 9) || !strncmp(line, "/anon_hugepage", 14) ||
				    !strncmp(line, "/SYSV", 5)
			    ? 'a'
			    : 'f';
	return true;
}

/* A line of a mapping's own: "Rss:  1024 kB". */
static void detail_take(const char *line, struct map *m)
{
	char name[40];
	uint64_t kib;

	if (!strncmp(line, "VmFlags:", 8)) {
		m->merge = strstr(line, " mg");
		m->lock = strstr(line, " lo");
		return;
	}
	if (sscanf(line, "%39[A-Za-z_]: %" SCNu64 " kB", name, &kib) != 2 || kib > UINT64_MAX >> 11)
		return;
	kib <<= 10;
	if (!strcmp(name, "KernelPageSize"))
		m->page = kib;
	else if (!strcmp(name, "Rss"))
		m->resident = kib;
	else if (!strcmp(name, "Swap"))
		m->swapped = kib;
	else if (!strcmp(name, "AnonHugePages") || !strcmp(name, "ShmemPmdMapped") ||
		 !strcmp(name, "FilePmdMapped"))
		m->thp += kib;
	else if (!strcmp(name, "Shared_Hugetlb") || !strcmp(name, "Private_Hugetlb"))
		m->huge += kib;
	else if (!strcmp(name, "Locked"))
		m->locked = kib;
}

/* All mappings, in order of their addresses; new. NULL: smaps cannot be read. */
static struct map *maps_list(const struct proc *p, size_t *n)
{
	FILE *f = proc_stream(p, "smaps");
	struct map *list = NULL, m;
	size_t room = 0;
	char *line = xcalloc(1, LINE_ROOM);

	*n = 0;
	while (f && *n < MAPS_MAX && fgets(line, LINE_ROOM, f)) {
		m = (struct map){0};
		if (header_take(line, &m)) {
			if (*n == room) {
				room = room ? room * 2 : 64;
				list = xrealloc(list, room, sizeof(*list));
			}
			list[(*n)++] = m;
		} else if (*n) {
			detail_take(line, &list[*n - 1]);
		}
	}
	if (f)
		fclose(f);
	free(line);
	return list;
}

/* --- which of them is RAM --- */

static void rams_wanted(const struct vm *vm, struct rams *w)
{
	unsigned cells = vm_count(vm, "numa");
	uint64_t size;

	for (unsigned i = 0; i < cells && w->n < RAMS_MAX; i++)
		if (vm_number(vm, VM_ASKED, &size, "numa.%u.memory", i) && size) {
			w->cell[w->n] = (int)i;
			w->size[w->n++] = size;
		}
	if (!w->n && vm_number(vm, VM_ASKED, &size, "memory.size") && size) {
		w->cell[0] = -1;
		w->size[w->n++] = size;
	}
}

static uint64_t map_size(const struct map *m)
{
	return m->to - m->from;
}

/* The mapping's size is that of the RAM, rounded up to its pages. */
static bool size_fits(uint64_t size, uint64_t want, uint64_t page)
{
	return size >= want && size - want < (page ? page : 4096);
}

/*
 * QEMU maps each back end in one piece, with an unreadable page behind it; the kernel may show it
 * in several when only part of it is locked or merged. So: the one of that very size, else
 * neighbours that make it up. Largest of resident when there are several.
 */
static bool ram_find(struct map *maps, size_t n, const struct rams *w, int which)
{
	struct map *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (maps[i].ram < 0 && maps[i].writable &&
		    size_fits(map_size(&maps[i]), w->size[which], maps[i].page) &&
		    (!best || maps[i].resident + maps[i].huge > best->resident + best->huge))
			best = &maps[i];
	if (best) {
		best->ram = which;
		return true;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t sum = 0;
		size_t k = i;

		while (k < n && maps[k].ram < 0 && maps[k].writable && sum < w->size[which] &&
		       maps[k].source == maps[i].source &&
		       (k == i || maps[k - 1].to == maps[k].from))
			sum += map_size(&maps[k++]);
		if (k == i || !size_fits(sum, w->size[which], maps[i].page))
			continue;
		while (i < k)
			maps[i++].ram = which;
		return true;
	}
	return false;
}

/* RAM of two cells on one back end, or of a machine whose cells are cut out of one mapping. */
static bool rams_find(struct vm *vm, struct map *maps, size_t n, struct rams *w)
{
	uint64_t total;
	bool all = w->n > 0;

	for (int i = 0; i < w->n; i++)
		all = ram_find(maps, n, w, i) && all;
	if (all || !vm_number(vm, VM_ASKED, &total, "memory.size"))
		return all;
	for (size_t i = 0; i < n; i++)
		maps[i].ram = -1;
	w->n = 1;
	w->cell[0] = -1;
	w->size[0] = total;
	return ram_find(maps, n, w, 0);
}

/* --- numa_maps --- */

/* "7f00 bind:0 anon=5 dirty=5 N0=5 kernelpagesize_kB=4" */
static void line_take(char *line, const struct map *maps, size_t n, struct rams *w, uint64_t *node)
{
	uint64_t from = strtoull(line, NULL, 16), pages[64] = {0}, page = 4096;
	char *save, *word = strtok_r(line, " \n", &save), *policy;
	unsigned of[64];
	size_t found = 0, i = 0;

	while (i < n && maps[i].from != from)
		i++;
	if (i == n || maps[i].ram < 0)
		return;
	policy = strtok_r(NULL, " \n", &save);
	if (policy)
		snprintf(w->policy[maps[i].ram], sizeof(w->policy[0]), "%s", policy);
	while (policy && (word = strtok_r(NULL, " \n", &save))) {
		unsigned number;
		uint64_t count;

		if (sscanf(word, "N%u=%" SCNu64, &number, &count) == 2 && number < NODES_MAX &&
		    found < 64) {
			of[found] = number;
			pages[found++] = count;
		} else if (sscanf(word, "kernelpagesize_kB=%" SCNu64, &count) == 1 &&
			   count < 1u << 30) {
			page = count << 10;
		}
	}
	for (i = 0; i < found; i++)
		node[of[i]] += pages[i] * page;
}

static void nodes_take(struct vm *vm, const struct proc *p, const struct map *maps, size_t n,
		       struct rams *w)
{
	FILE *f = proc_stream(p, "numa_maps");
	uint64_t *node = xcalloc(NODES_MAX, sizeof(*node));
	char *line = xcalloc(1, LINE_ROOM), where[48];
	bool read = false;

	snprintf(where, sizeof(where), "/proc/%d/numa_maps", p->pid);
	for (size_t i = 0; f && i < MAPS_MAX && fgets(line, LINE_ROOM, f); i++) {
		read = true;
		line_take(line, maps, n, w, node);
	}
	if (f)
		fclose(f);
	for (unsigned i = 0; i < NODES_MAX; i++)
		if (node[i])
			vm_set_number(vm, VM_GOT, node[i], where, "memory.node.%u", i);
	if (!read)
		vm_note(vm, "%s cannot be read: which host nodes its memory is on is left out",
			where);
	free(line);
	free(node);
}

/* --- facts --- */

/* "bind:0" as libvirt's mode and nodes, for rules that hold what was asked for against it. */
static void policy_set(struct vm *vm, const struct rams *w, int i, const char *where)
{
	static const struct {
		const char *kernel, *mode;
	} modes[] = {{"bind:", "strict"}, {"prefer:", "preferred"}, {"interleave:", "interleave"}};
	char prefix[24] = "numatune";

	if (w->cell[i] >= 0)
		snprintf(prefix, sizeof(prefix), "numa.%d", w->cell[i]);
	for (size_t k = 0; k < sizeof(modes) / sizeof(modes[0]); k++) {
		size_t len = strlen(modes[k].kernel);
		const char *nodes = w->policy[i];
		char *list;

		if (strncmp(nodes, modes[k].kernel, len))
			continue;
		list = vm_cpus(nodes + len);
		vm_set(vm, VM_GOT, modes[k].mode, where, "%s.mode", prefix);
		if (list)
			vm_set(vm, VM_GOT, list, where, "%s.nodeset", prefix);
		free(list);
	}
}

static void policies_set(struct vm *vm, const struct rams *w, int pid)
{
	const char *first = w->policy[0];
	bool same = true;
	char where[48];

	snprintf(where, sizeof(where), "/proc/%d/numa_maps", pid);
	for (int i = 0; i < w->n; i++) {
		same = same && !strcmp(first, w->policy[i]);
		policy_set(vm, w, i, where);
	}
	if (*first)
		vm_set(vm, VM_GOT, same ? first : "mixed", where, "memory.policy");
}

static void sums_set(struct vm *vm, const struct map *maps, size_t n, int pid)
{
	uint64_t size = 0, resident = 0, swapped = 0, thp = 0, huge = 0, page = 0;
	bool shared = false, merge = false, lock = true;
	char source = 0, where[48];

	snprintf(where, sizeof(where), "/proc/%d/smaps", pid);
	for (size_t i = 0; i < n; i++) {
		const struct map *m = &maps[i];

		if (m->ram < 0)
			continue;
		size += map_size(m);
		resident += m->resident + m->huge;
		swapped += m->swapped;
		thp += m->thp;
		huge += m->huge;
		/* The smallest: one cell without huge pages is what the whole is worth. */
		page = !page || (m->page && m->page < page) ? m->page : page;
		shared = shared || m->shared;
		merge = merge || m->merge;
		lock = lock && m->lock;
		source = m->source;
	}
	vm_set_number(vm, VM_GOT, size, where, "memory.size");
	vm_set_number(vm, VM_GOT, resident, where, "memory.resident");
	vm_set_number(vm, VM_GOT, swapped, where, "memory.swapped");
	vm_set_number(vm, VM_GOT, thp, where, "memory.thp");
	vm_set_number(vm, VM_GOT, huge, where, "memory.huge");
	if (page)
		vm_set_number(vm, VM_GOT, page, where, "memory.page");
	vm_set(vm, VM_GOT,
	       source == 'm'   ? "memfd"
	       : source == 'f' ? "file"
			       : "anonymous",
	       where, "memory.source");
	vm_set_flag(vm, VM_GOT, shared, where, "memory.shared");
	vm_set_flag(vm, VM_GOT, merge, where, "memory.merge");
	vm_set_flag(vm, VM_GOT, lock, where, "memory.locked");
}

void proc_memory(struct vm *vm, const struct proc *p)
{
	struct rams w = {0};
	size_t n;
	struct map *maps = maps_list(p, &n);

	if (!n) {
		vm_note(vm,
			"/proc/%d/smaps cannot be read: memory in force is left out; root, or the "
			"user that QEMU runs as, may",
			p->pid);
		free(maps);
		return;
	}
	rams_wanted(vm, &w);
	if (!rams_find(vm, maps, n, &w)) {
		vm_note(vm,
			"/proc/%d/smaps: none of its mappings is of the size of the guest's memory, so "
			"what backs it is left out",
			p->pid);
	} else {
		nodes_take(vm, p, maps, n, &w);
		policies_set(vm, &w, p->pid);
		sums_set(vm, maps, n, p->pid);
	}
	free(maps);
}
