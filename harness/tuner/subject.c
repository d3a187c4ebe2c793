// SPDX-License-Identifier: GPL-2.0-or-later
/* What the rules' checks share: who can be looked at, and CPUs, cores and nodes of machine and
 * host. */
#include <stdlib.h>
#include <string.h>
#include "tuner/internal.h"

bool need_vm(const struct subject *s, struct findings *f)
{
	if (!s->vm)
		found_none(f, "the host alone is audited");
	return s->vm;
}

bool need_host(const struct subject *s, struct findings *f)
{
	if (!s->here && s->vm)
		found_unknown(
			f, VM_GOT, NULL,
			"nothing says that %s is to run on %s: say --here, or --snapshot FILE of its host",
			s->vm->name, snapshot_name(s->host));
	return s->here || !s->vm;
}

bool is_running(const struct subject *s)
{
	return s->vm && s->vm->running;
}

bool is_command(const struct vm *vm)
{
	static const char *const keys[] = {"vcpus", "memory.size", "machine", "accel", "cpu.model"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (*vm_where(vm, VM_ASKED, "%s", keys[i]) == '-')
			return true;
	return false;
}

bool is_profile(const struct vm *vm)
{
	/* vm/profile_in.c has the section for what no key says, and always says this */
	return !strcmp(vm_where(vm, VM_ASKED, "hostdevs"), "guest");
}

bool need_own_devices(const struct subject *s, struct findings *f)
{
	if (!need_vm(s, f))
		return false;
	if (!is_profile(s->vm))
		return true;
	found_none(f, "the guests that vbench makes for a profile are bare on purpose");
	return false;
}

bool is_proxmox(const struct vm *vm)
{
	const char *machine = vm_get(vm, VM_ASKED, "machine");

	return machine && strstr(machine, "+pve") != NULL;
}

bool is_windows(const struct vm *vm)
{
	return vm_is(vm, VM_ASKED, "windows", "os");
}

const char *cpu_option(const struct vm *vm)
{
	const char *model = vm_get(vm, VM_ASKED, "cpu.model");

	if (!model || !strcmp(model, "host-passthrough"))
		return "host";
	/* libvirt makes a named model of it when the machine starts */
	return strcmp(model, "host-model") ? model : "MODEL";
}

bool may_say(const struct subject *s, struct findings *f, const char *key)
{
	if (vm_get(s->vm, VM_ASKED, "%s", key) || !vm_is(s->vm, VM_ASKED, "on", "incomplete"))
		return false;
	found_unknown(f, VM_ASKED, NULL, "it may be in the file that %s names, which is not read",
		      fact_where(s->vm, VM_ASKED, "incomplete"));
	return true;
}

struct finding *check_flag(const struct subject *s, struct findings *f, enum vm_side side,
			   bool want, int unsaid, const char *what, const char *key)
{
	const char *value = vm_get(s->vm, side, "%s", key);
	bool on = value ? !strcmp(value, "on") : unsaid == 1;

	if (side == VM_ASKED && may_say(s, f, key))
		return NULL;
	if (!value && unsaid < 0) {
		found_unknown(f, side, NULL, "nothing says whether %s is on", what);
		return NULL;
	}
	if (on == want) {
		found_ok(f, side, NULL, fact_where(s->vm, side, "%s", key), "%s %s%s", what,
			 on ? "on" : "off", value ? "" : " (not said: QEMU's default)");
		return NULL;
	}
	return found_bad(f, side, NULL, fact_where(s->vm, side, "%s", key), "%s %s%s", what,
			 on ? "on" : "off", value ? "" : " (not said: QEMU's default)");
}

hwloc_bitmap_t cpus_parse(const char *list)
{
	char *canonical = list ? vm_cpus(list) : NULL;
	hwloc_bitmap_t set = NULL;

	if (canonical) {
		set = hwloc_bitmap_alloc();
		hwloc_bitmap_list_sscanf(set, canonical);
	}
	free(canonical);
	return set;
}

char *cpus_text(hwloc_const_bitmap_t set)
{
	char *text = NULL;

	if (hwloc_bitmap_list_asprintf(&text, set) < 0)
		abort();
	return text;
}

unsigned cpus_count(hwloc_const_bitmap_t set)
{
	int n = set ? hwloc_bitmap_weight(set) : 0;

	return n > 0 ? (unsigned)n : 0;
}

hwloc_bitmap_t thread_cpus(const struct vm *vm, enum vm_side side, const char *what, unsigned i)
{
	const char *pin = !strcmp(what, "emulator") ? vm_get(vm, side, "emulator.pin")
						    : vm_get(vm, side, "%s.%u.pin", what, i);

	if (!pin && side == VM_ASKED)
		pin = vm_get(vm, side, "cpuset");
	return cpus_parse(pin);
}

unsigned vcpus_of(const struct vm *vm)
{
	uint64_t n;

	if (!vm_number(vm, VM_ASKED, &n, "vcpus") && !vm_number(vm, VM_GOT, &n, "vcpus"))
		return 0;
	return n <= 4096 ? (unsigned)n : 4096;
}

hwloc_bitmap_t vcpus_cpus(const struct vm *vm, enum vm_side side)
{
	hwloc_bitmap_t all = hwloc_bitmap_alloc();
	unsigned n = vcpus_of(vm);

	for (unsigned i = 0; i < n; i++) {
		hwloc_bitmap_t one = thread_cpus(vm, side, "vcpu", i);

		if (!one) {
			hwloc_bitmap_free(all);
			return NULL;
		}
		hwloc_bitmap_or(all, all, one);
		hwloc_bitmap_free(one);
	}
	if (n)
		return all;
	hwloc_bitmap_free(all);
	return NULL;
}

unsigned vcpus_pinned(const struct vm *vm, enum vm_side side)
{
	unsigned pinned = 0, n = vcpus_of(vm);

	for (unsigned i = 0; i < n; i++) {
		hwloc_bitmap_t one = thread_cpus(vm, side, "vcpu", i);

		pinned += cpus_count(one) == 1;
		hwloc_bitmap_free(one);
	}
	return pinned;
}

bool is_dedicated(const struct subject *s, enum vm_side side)
{
	hwloc_bitmap_t all = hwloc_bitmap_alloc();
	unsigned n = vcpus_of(s->vm);
	bool own = n > 0;

	for (unsigned i = 0; i < n && own; i++) {
		hwloc_bitmap_t one = thread_cpus(s->vm, side, "vcpu", i);

		own = cpus_count(one) == 1 && !hwloc_bitmap_intersects(all, one);
		if (own)
			hwloc_bitmap_or(all, all, one);
		hwloc_bitmap_free(one);
	}
	/* the affinity of a thread that nobody pinned, on a host of one CPU */
	if (own && side == VM_GOT && n == 1 && host_threads(s) == 1)
		own = false;
	hwloc_bitmap_free(all);
	return own;
}

bool wants_speed(const struct subject *s)
{
	return s->latency || s->realtime || is_dedicated(s, VM_ASKED) ||
	       (is_running(s) && is_dedicated(s, VM_GOT));
}

bool need_speed(const struct subject *s, struct findings *f)
{
	if (!need_vm(s, f))
		return false;
	if (wants_speed(s))
		return true;
	found_none(
		f,
		"its vCPUs have no CPUs of their own, and nobody says that it must be fast (--for latency)");
	return false;
}

bool need_latency(const struct subject *s, struct findings *f)
{
	if (s->latency || s->realtime)
		return true;
	found_none(f, "only where latency matters (--for latency)");
	return false;
}

hwloc_bitmap_t host_cpus(const struct subject *s)
{
	return hwloc_bitmap_dup(hwloc_topology_get_topology_cpuset(snapshot_topology(s->host)));
}

unsigned host_threads(const struct subject *s)
{
	return cpus_count(hwloc_topology_get_topology_cpuset(snapshot_topology(s->host)));
}

unsigned host_cores(const struct subject *s)
{
	int n = hwloc_get_nbobjs_by_type(snapshot_topology(s->host), HWLOC_OBJ_CORE);

	/* a machine that says nothing of its cores has one a CPU */
	return n > 0 ? (unsigned)n : host_threads(s);
}

unsigned host_nodes(const struct subject *s)
{
	int n = hwloc_get_nbobjs_by_type(snapshot_topology(s->host), HWLOC_OBJ_NUMANODE);

	return n > 0 ? (unsigned)n : 1;
}

uint64_t host_memory(const struct subject *s)
{
	const char *text = snapshot_file(s->host, "/proc/meminfo"), *p;
	unsigned long long kib;
	hwloc_obj_t root;

	p = text ? strstr(text, "MemTotal:") : NULL;
	if (p && sscanf(p, "MemTotal: %llu kB", &kib) == 1)
		return kib * 1024;
	root = hwloc_get_root_obj(snapshot_topology(s->host));
	return root->total_memory;
}

hwloc_bitmap_t nodes_of(const struct subject *s, hwloc_const_bitmap_t cpus)
{
	hwloc_bitmap_t nodes = hwloc_bitmap_alloc();

	hwloc_cpuset_to_nodeset(snapshot_topology(s->host), cpus, nodes);
	return nodes;
}

/* Adds the CPUs of each object of a type that shares one with these. */
static void add_objects(hwloc_topology_t t, hwloc_obj_type_t type, hwloc_const_bitmap_t cpus,
			hwloc_bitmap_t out)
{
	for (hwloc_obj_t o = NULL; (o = hwloc_get_next_obj_by_type(t, type, o));)
		if (hwloc_bitmap_intersects(o->cpuset, cpus))
			hwloc_bitmap_or(out, out, o->cpuset);
}

hwloc_bitmap_t siblings_of(const struct subject *s, hwloc_const_bitmap_t cpus)
{
	hwloc_bitmap_t out = hwloc_bitmap_dup(cpus);

	add_objects(snapshot_topology(s->host), HWLOC_OBJ_CORE, cpus, out);
	return out;
}

hwloc_bitmap_t llc_of(const struct subject *s, unsigned cpu)
{
	static const hwloc_obj_type_t levels[] = {HWLOC_OBJ_L4CACHE, HWLOC_OBJ_L3CACHE,
						  HWLOC_OBJ_L2CACHE};
	hwloc_topology_t t = snapshot_topology(s->host);

	for (size_t l = 0; l < sizeof(levels) / sizeof(levels[0]); l++)
		for (hwloc_obj_t o = NULL; (o = hwloc_get_next_obj_by_type(t, levels[l], o));)
			if (hwloc_bitmap_isset(o->cpuset, cpu))
				return hwloc_bitmap_dup(o->cpuset);
	return NULL;
}

uint64_t node_memory(const struct subject *s, unsigned node)
{
	hwloc_obj_t o = hwloc_get_numanode_obj_by_os_index(snapshot_topology(s->host), node);
	const char *text, *p;
	unsigned long long kib;

	if (o && o->attr->numanode.local_memory)
		return o->attr->numanode.local_memory;
	text = snapshot_file(s->host, "/sys/devices/system/node/node%u/meminfo", node);
	p = text ? strstr(text, "MemTotal:") : NULL;
	return p && sscanf(p, "MemTotal: %llu kB", &kib) == 1 ? kib * 1024 : 0;
}

bool need_nodes(const struct subject *s, struct findings *f)
{
	if (!need_vm(s, f) || !need_host(s, f))
		return false;
	if (host_nodes(s) > 1)
		return true;
	found_none(f, "the host has one NUMA node");
	return false;
}

uint64_t memory_of(const struct vm *vm)
{
	uint64_t size = 0;

	vm_number(vm, VM_ASKED, &size, "memory.size");
	return size;
}

hwloc_bitmap_t cpu_nodes(const struct subject *s, enum vm_side side)
{
	hwloc_bitmap_t cpus = vcpus_cpus(s->vm, side), nodes = NULL;

	if (cpus && cpus_count(cpus) < host_threads(s))
		nodes = nodes_of(s, cpus);
	hwloc_bitmap_free(cpus);
	return nodes;
}

/* CPUs of a node that a machine may have: where vCPUs have CPUs of their own, a core is the host's
 * (CPU-25), and so is a twentieth of the memory (MEM-10). */
static unsigned node_cpus(const struct subject *s, hwloc_obj_t node)
{
	enum { SMALL = 4 }; /* a node with fewer cores has none to spare */
	hwloc_topology_t t = snapshot_topology(s->host);
	unsigned cores = 0, threads = 0;

	if (!is_dedicated(s, VM_ASKED))
		return cpus_count(node->cpuset);
	for (hwloc_obj_t o = NULL; (o = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_CORE, o));)
		if (hwloc_bitmap_intersects(o->cpuset, node->cpuset)) {
			cores++;
			threads = cpus_count(o->cpuset);
		}
	return cpus_count(node->cpuset) - (cores >= SMALL ? threads : 0);
}

bool fits_a_node(const struct subject *s)
{
	hwloc_topology_t t = snapshot_topology(s->host);
	unsigned vcpus = vcpus_of(s->vm);
	uint64_t memory = memory_of(s->vm), known = 0;

	for (hwloc_obj_t o = NULL; (o = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, o));)
		known |= node_memory(s, o->os_index);
	for (hwloc_obj_t o = NULL; (o = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, o));) {
		uint64_t room = node_memory(s, o->os_index);

		if (node_cpus(s, o) >= vcpus && (!known || room - room / 20 >= memory))
			return true;
	}
	return false;
}

/* Whether text has a word, between blanks and line ends. */
static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = text; (p = strstr(p, word)); p += len)
		if ((p == text || strchr(" \t\n", p[-1])) && (!p[len] || strchr(" \t\n", p[len])))
			return true;
	return false;
}

int host_service(const struct subject *s, const char *name)
{
	const char *text = snapshot_file(s->host, "services");

	return text ? has_word(text, name) : -1;
}

int host_cpu_flag(const struct subject *s, const char *flag)
{
	const char *text = snapshot_file(s->host, "/proc/cpuinfo"),
		   *line = text ? strstr(text, "\nflags") : NULL;
	char *copy;
	int has;

	if (!line)
		return -1;
	copy = xasprintf("%.*s", (int)strcspn(line + 1, "\n"), line + 1);
	has = has_word(copy, flag);
	free(copy);
	return has;
}

bool matters_latency(const struct subject *s)
{
	return s->latency || s->realtime;
}

const char *tuned_profile(const struct subject *s)
{
	const char *p = snapshot_file(s->host, "/etc/tuned/active_profile");

	return p && *p ? p : NULL;
}

bool is_low_latency(const char *profile)
{
	static const char *const names[] = {
		"latency-performance",	 "network-latency",  "realtime",
		"realtime-virtual-host", "cpu-partitioning", "hpc-compute"};

	for (size_t i = 0; profile && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(profile, names[i]))
			return true;
	return false;
}
