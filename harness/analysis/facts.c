/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The environment in display order: host facts as stored, then the guest's. Unknown keys are shown,
 * not dropped. */
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"
#include "base/units.h"

#define DEPTH_MAX 6
#define FACTS_MAX 2000 /* an odd store shall not make a page without end */

/* Where a top-level key of the host's facts is shown, and under which name if it is a plain value.
 */
static const struct {
	const char *key, *group, *name;
} places[] = {
	{"cpu", "Host CPU", NULL},
	{"microcode", "Host CPU", "microcode"},
	{"virtualised", "Host CPU", "virtualised"},
	{"hypervisor", "Host CPU", "hypervisor"},
	{"governor", "Host CPU", "frequency governor"},
	{"frequency_driver", "Host CPU", "frequency driver"},
	{"energy_preference", "Host CPU", "energy preference"},
	{"topology", "Topology", NULL},
	{"memory", "Memory", NULL},
	{"thp", "Memory", "transparent huge pages"},
	{"ksm", "Memory", "KSM"},
	{"numa_balancing", "Memory", "NUMA balancing"},
	{"kernel", "Kernel", "release"},
	{"architecture", "Kernel", "architecture"},
	{"distro", "Kernel", "distribution"},
	{"cmdline", "Kernel", "command line"},
	{"io_uring", "Kernel", "io_uring"},
	{"mitigations", "Mitigations", NULL},
	{"kvm", "KVM", NULL},
	{"nested", "KVM", "nested"},
	{"halt_poll_ns", "KVM", "halt polling"},
	{"qemu", "QEMU", NULL},
	{"qemu_img", "QEMU", "qemu-img"},
	{"fio", "fio", NULL},
	{"storage", "Storage", NULL},
};

static bool ends(const char *s, const char *with)
{
	size_t n = strlen(s), k = strlen(with);

	return n >= k && !strcmp(s + n - k, with);
}

/* A number in its unit, told by the key's ending, which is dropped from the name. */
static char *value_text(const char *key, const json_t *v)
{
	char buf[64];
	const char *text;

	if (json_is_integer(v) && json_integer_value(v) >= 0) {
		if (ends(key, "bytes"))
			return xstrdup(units_size_text(json_integer_value(v), buf, sizeof(buf)));
		if (ends(key, "_ns"))
			return xstrdup(units_time_text(json_integer_value(v), buf, sizeof(buf)));
		if (ends(key, "_khz"))
			return xasprintf("%.0f MHz", json_integer_value(v) / 1e3);
	}
	text = json_text(v, buf, sizeof(buf));
	return text ? xstrdup(text) : NULL;
}

static char *name_join(const char *path, const char *key)
{
	static const char *const units[] = {"_bytes", "_ns", "_khz"};
	char *s = xasprintf("%s%s%s", path, *path && *key ? " " : "", key);

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (ends(s, units[i]))
			s[strlen(s) - strlen(units[i])] = 0;
	for (char *c = s; *c; c++)
		if (*c == '_')
			*c = ' ';
	return s;
}

static void fact(struct model *m, const char *group, const char *name, const char *value)
{
	struct model_fact *f;

	if (m->nfacts >= FACTS_MAX)
		return;
	m->facts = array_add(m->facts, &m->nfacts, sizeof(*m->facts));
	f = &m->facts[m->nfacts - 1];
	f->group = xstrdup(group);
	f->name = xstrdup(*name ? name : "value");
	f->value = xstrdup(value);
}

/* "a, b, c" of an array of plain values, or NULL if it holds anything else. */
static char *list_text(const json_t *array)
{
	char *all = NULL;

	for (size_t i = 0; i < json_array_size(array); i++) {
		char *one = value_text("", json_array_get(array, i));

		if (!one) {
			free(all);
			return NULL;
		}
		text_add(&all, "%s%s", all ? ", " : "", one);
		free(one);
	}
	return all;
}

static void walk(struct model *m, const char *group, const char *path, const char *key, json_t *v,
		 int depth);

static void walk_array(struct model *m, const char *group, const char *name, json_t *v, int depth)
{
	char *text = list_text(v);

	if (text)
		fact(m, group, name, text);
	for (size_t i = 0; !text && i < json_array_size(v); i++) {
		json_t *item = json_array_get(v, i);
		const char *dir = json_string_value(json_object_get(item, "dir"));
		char *at;

		if (json_array_size(v) == 1)
			at = xstrdup(name);
		else if (dir)
			at = xasprintf("%s%s%s:", name, *name ? " " : "", dir);
		else
			at = xasprintf("%s%s%zu:", name, *name ? " " : "", i + 1);
		walk(m, group, at, "", item, depth + 1);
		free(at);
	}
	free(text);
}

static void walk(struct model *m, const char *group, const char *path, const char *key, json_t *v,
		 int depth)
{
	char *name = name_join(path, key), *text = NULL;
	const char *k;
	json_t *member;

	if (depth > DEPTH_MAX) {
		/* nothing of ours nests as deep */
	} else if (json_is_object(v)) {
		json_object_foreach(v, k, member) walk(m, group, name, k, member, depth + 1);
	} else if (json_is_array(v)) {
		walk_array(m, group, name, v, depth);
	} else if (!json_is_null(
			   v)) { /* what could not be read is left out: not every machine has it */
		text = value_text(key, v);
		fact(m, group, name, text ? text : "");
	}
	free(text);
	free(name);
}

/* Facts are walked under the place's name when they are plain or named, else under their own
 * members' names. */
static void host_facts_walk(struct model *m, json_t *host)
{
	const size_t nplaces = sizeof(places) / sizeof(*places);
	const char *key;
	json_t *v;

	for (size_t i = 0; i < nplaces; i++) {
		v = json_object_get(host, places[i].key);
		if (!v)
			continue;
		walk(m, places[i].group, places[i].name ? places[i].name : "",
		     !places[i].name && !json_is_object(v) && !json_is_array(v) ? places[i].key
										: "",
		     v, 0);
	}
	json_object_foreach(host, key, v)
	{
		size_t i = 0;

		while (i < nplaces && strcmp(places[i].key, key))
			i++;
		if (i == nplaces)
			walk(m, "Other", "", key, v, 0);
	}
}

static void guest_facts_walk(struct build *b)
{
	for (size_t i = 0; i < b->ntrials; i++) {
		json_t *all, *guest;

		if (!b->trials[i].ok || !b->trials[i].facts_json)
			continue;
		all = json_read(b->m, "facts of a trial", b->trials[i].facts_json, JSON_OBJECT);
		guest = json_object_get(all, "guest");
		if (json_is_object(guest)) {
			json_object_del(guest, "boot_id"); /* another one in every template */
			walk(b->m, "Guest", "", "", guest, 0);
		}
		json_decref(all);
		return;
	}
}

void build_facts(struct build *b)
{
	json_t *host = json_read(b->m, "host facts", b->run.host_json, JSON_OBJECT);

	host_facts_walk(b->m, host);
	guest_facts_walk(b);
	json_decref(host);
}
