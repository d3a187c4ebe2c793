/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How packages, cores, caches and memory hang together, by hwloc. */
#include <errno.h>
#include <hwloc.h>
#include <stdlib.h>
#include <string.h>
#include "host/gather.h"
#include "host/host.h"
#include "host/read.h"

/*
 * The whole machine, also the part a cgroup keeps from us. hwloc takes another root only from the
 * environment; snapshots are read in tests and offline, by one thread.
 */
static int topology_load(hwloc_topology_t *t, const char *root, bool io)
{
	char line[64];
	int rc = -1;

	/* Without this file hwloc would complain on stderr. */
	if (*root && !host_line(line, sizeof(line), root, "/sys/devices/system/cpu/online"))
		return -1;
	if (hwloc_topology_init(t) < 0)
		return -1;
	if (*root) {
		setenv("HWLOC_FSROOT", root, 1);
		setenv("HWLOC_COMPONENTS", "linux,stop", 1);
	}
	if (hwloc_topology_set_flags(*t, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) == 0 &&
	    (!io || hwloc_topology_set_io_types_filter(*t, HWLOC_TYPE_FILTER_KEEP_IMPORTANT) == 0))
		rc = hwloc_topology_load(*t);
	if (*root) {
		unsetenv("HWLOC_FSROOT");
		unsetenv("HWLOC_COMPONENTS");
	}
	if (rc < 0)
		hwloc_topology_destroy(*t);
	return rc;
}

static void put_count(json_t *o, const char *key, hwloc_topology_t t, hwloc_obj_type_t type)
{
	int n = hwloc_get_nbobjs_by_type(t, type);

	json_object_set_new(o, key, n >= 0 ? json_integer(n) : json_null());
}

/* Number and size of one cache, e.g. "l3": 2, "l3_bytes": 33554432. Both null where unknown. */
static void put_cache(json_t *o, const char *key, hwloc_topology_t t, hwloc_obj_type_t type)
{
	hwloc_obj_t first = hwloc_get_obj_by_type(t, type, 0);
	char bytes[32];

	snprintf(bytes, sizeof(bytes), "%s_bytes", key);
	json_object_set_new(o, key,
			    first ? json_integer(hwloc_get_nbobjs_by_type(t, type)) : json_null());
	json_object_set_new(o, bytes,
			    first && first->attr->cache.size ? json_integer(first->attr->cache.size)
							     : json_null());
}

static json_t *numa_nodes(hwloc_topology_t t)
{
	json_t *list = json_array();
	hwloc_obj_t n = NULL;

	while ((n = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, n))) {
		json_t *o = json_object();
		char *cpus = NULL;

		if (hwloc_bitmap_list_asprintf(&cpus, n->cpuset) < 0)
			cpus = NULL;
		json_object_set_new(o, "node", json_integer(n->os_index));
		json_object_set_new(o, "memory_bytes",
				    json_integer(n->attr->numanode.local_memory));
		json_object_set_new(o, "cpus", host_json_string(cpus));
		json_array_append_new(list, o);
		free(cpus);
	}
	return list;
}

json_t *host_topology_at(const char *root)
{
	json_t *o;
	hwloc_topology_t t;
	int cores, pus;

	if (topology_load(&t, root, false) < 0)
		return json_null();
	o = json_object();
	put_count(o, "packages", t, HWLOC_OBJ_PACKAGE);
	put_count(o, "numa", t, HWLOC_OBJ_NUMANODE);
	put_count(o, "cores", t, HWLOC_OBJ_CORE);
	put_count(o, "pus", t, HWLOC_OBJ_PU);
	json_object_set_new(
		o, "allowed_pus",
		json_integer(hwloc_bitmap_weight(hwloc_topology_get_allowed_cpuset(t))));
	cores = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_CORE);
	pus = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PU);
	json_object_set_new(o, "smt", cores > 0 ? json_boolean(pus > cores) : json_null());
	put_cache(o, "l1d", t, HWLOC_OBJ_L1CACHE);
	put_cache(o, "l2", t, HWLOC_OBJ_L2CACHE);
	put_cache(o, "l3", t, HWLOC_OBJ_L3CACHE);
	json_object_set_new(o, "nodes", numa_nodes(t));
	hwloc_topology_destroy(t);
	return o;
}

/* What names one machine or one part among all: host name, serial numbers, MAC addresses and the
 * like. */
static bool info_is_private(const char *name)
{
	static const char *const words[] = {"HostName", "Serial",   "UUID", "GUID",
					    "Address",	"AssetTag", "GID",  "LinuxCgroup"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(name, words[i]))
			return true;
	return false;
}

static void blank_infos(hwloc_obj_t o)
{
	hwloc_obj_t lists[] = {o->first_child, o->memory_first_child, o->io_first_child,
			       o->misc_first_child};

	for (unsigned i = 0; i < o->infos_count; i++)
		if (info_is_private(o->infos[i].name))
			o->infos[i].value[0] = '\0';
	if (o->type == HWLOC_OBJ_OS_DEVICE && o->name && host_name_is_address(o->name))
		o->name[0] = '\0';
	for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++)
		for (hwloc_obj_t c = lists[l]; c; c = c->next_sibling)
			blank_infos(c);
}

char *host_topology_xml(struct err *e)
{
	hwloc_topology_t t;
	char *buf = NULL, *copy = NULL;
	int len = 0;

	if (topology_load(&t, "", true) < 0) {
		err_set(e, -EIO, "hwloc cannot read this machine's topology (%s); is /sys mounted?",
			strerror(errno));
		return NULL;
	}
	/* A store travels to other people: it holds what the machine is, not which one it is. */
	blank_infos(hwloc_get_root_obj(t));
	if (hwloc_topology_export_xmlbuffer(t, &buf, &len, 0) < 0)
		err_set(e, -EIO, "hwloc cannot export this machine's topology as XML (%s)",
			strerror(errno));
	else
		copy = xstrdup(buf);
	if (buf)
		hwloc_free_xmlbuffer(t, buf);
	hwloc_topology_destroy(t);
	return copy;
}
