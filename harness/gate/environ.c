// SPDX-License-Identifier: GPL-2.0-or-later
/* The host beside the build: which facts count, and how two nights differ in them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "gate/environ.h"

/* Paths in host facts; one that ends in an object stands for all its members. */
static const char *const paths[] = {
	"architecture",
	"cpu.vendor",
	"cpu.brand",
	"cpu.family",
	"cpu.model",
	"cpu.stepping",
	"topology.packages",
	"topology.numa",
	"topology.cores",
	"topology.pus",
	"topology.allowed_pus",
	"virtualised",
	"hypervisor",
	"distro",
	"microcode",
	"mitigations",
	"frequency_driver",
	"governor",
	"energy_preference",
	"kernel",
	"kernel_version",
	"cmdline",
	"clocksource",
	"smt",
	"turbo",
	"isolated_cpus",
	"nohz_full",
	"cpuidle",
	"tuned",
	"thp",
	"ksm.run",
	"numa_balancing",
	"vm.swappiness",
	"vm.dirty_ratio",
	"vm.dirty_background_ratio",
	"vm.dirty_bytes",
	"vm.dirty_background_bytes",
	"vm.zone_reclaim_mode",
	"nested",
	"halt_poll_ns",
	"memory.hugepages",
	"io_uring.works",
	"kvm.modules",
};

static char *as_text(const json_t *v)
{
	if (json_is_string(v))
		return xstrdup(json_string_value(v));
	return json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
}

/* How many huge pages are free changes with every guest. */
static json_t *hugepages(const json_t *list)
{
	json_t *out = json_object();
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *row = json_array_get(list, i);
		char name[32];

		snprintf(name, sizeof(name), "%lld",
			 (long long)json_integer_value(json_object_get(row, "bytes")));
		json_object_set(out, name, json_object_get(row, "total"));
	}
	return out;
}

static void put(json_t *out, const char *path, const json_t *v)
{
	char *text;

	if (!v || json_is_null(v))
		return;
	text = as_text(v);
	json_object_set_new(out, path, json_string(text));
	free(text);
}

static void put_path(json_t *out, const json_t *facts, const char *path)
{
	const char *dot = strchr(path, '.');
	char group[32];
	json_t *v, *member;
	const char *key;

	if (dot) {
		snprintf(group, sizeof(group), "%.*s", (int)(dot - path), path);
		v = json_object_get(json_object_get(facts, group), dot + 1);
	} else {
		v = json_object_get(facts, path);
	}
	if (v && !strcmp(path, "memory.hugepages")) {
		v = hugepages(v);
		put(out, path, v);
		json_decref(v);
	} else if (json_is_object(v)) {
		json_object_foreach(v, key, member)
		{
			char *name = xasprintf("%s.%s", path, key);

			put(out, name, member);
			free(name);
		}
	} else {
		put(out, path, v);
	}
}

json_t *environ_of(const json_t *facts)
{
	json_t *out = json_object();
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		put_path(out, facts, paths[i]);
	return out;
}

static void add_line(char **all, const char *key, const char *a, const char *b)
{
	char *more = xasprintf("%s%s%s: %s -> %s", *all ? *all : "", *all ? "\n" : "", key,
			       a ? a : "not known", b ? b : "not known");

	free(*all);
	*all = more;
}

char *environ_diff(const json_t *then, const json_t *now)
{
	json_t *a, *b = (json_t *)now; /* jansson's iterators take no const */
	char *all = NULL;
	const char *key;
	json_t *v;

	a = (json_t *)then;
	json_object_foreach(a, key, v)
	{
		const char *x = json_string_value(v),
			   *y = json_string_value(json_object_get(b, key));

		if (!x || !y || strcmp(x, y))
			add_line(&all, key, x, y);
	}
	json_object_foreach(b, key, v) if (!json_object_get(a, key))
		add_line(&all, key, NULL, json_string_value(v));
	return all;
}
