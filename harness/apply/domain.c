// SPDX-License-Identifier: GPL-2.0-or-later
/* Running libvirt domains: pins and memory's nodes, live only; a domain's stored description stays
 * as it is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "apply/libvirt.h"

enum { NO_DOMAIN = 42 }; /* libvirt/virterror.h: VIR_ERR_NO_DOMAIN */

/*
 * The domain of a change, if it still runs since the change was made up. Only libvirt's own word
 * that there is none lets a record be forgotten: a daemon that does not answer, or says no, does
 * not.
 */
static int dom_open(struct dom *d, const struct change *c, struct err *e)
{
	int rc = dom_connect(d, c->uri, e), active = 0;
	unsigned number = 0;

	if (rc)
		return rc;
	d->dom = d->l.by_uuid(d->conn, c->uuid);
	if (d->dom)
		active = d->l.active(d->dom);
	else if (d->l.last_code() != NO_DOMAIN)
		active = -1;
	if (active == 1)
		number = d->l.number(d->dom);
	if (active == 1 && number == (unsigned)c->number)
		return 0;
	if (active < 0 || number == ~0u) {
		rc = dom_refused(d, c->name, e);
		dom_close(d);
		return rc;
	}
	dom_close(d);
	return err_set(e, -ESRCH, "domain %s: does not run any more, or was started anew", c->name);
}

/* libvirt's maps: bit i of byte i / 8 is CPU i (libvirt-domain.h, VIR_CPU_USED). */
static char *map_text(const unsigned char *map)
{
	struct ids set = {0};

	for (unsigned i = 0; i < IDS_MAX; i++)
		if (map[i / 8] >> i % 8 & 1)
			ids_add(&set, i);
	return ids_text(&set);
}

/* Returns how many bytes matter: libvirt takes no map that is longer than its own. */
static int map_make(const char *list, unsigned char *map)
{
	struct ids set;
	int len = 0;

	memset(map, 0, MAP_BYTES);
	if (!ids_parse(list, &set))
		return 0;
	for (unsigned i = 0; i < IDS_MAX; i++) {
		if (ids_has(&set, i)) {
			map[i / 8] |= (unsigned char)(1u << i % 8);
			len = (int)i / 8 + 1;
		}
	}
	return len;
}

static unsigned role_number(const char *role)
{
	const char *blank = strchr(role, ' ');

	return blank ? (unsigned)strtoul(blank + 1, NULL, 10) : 0;
}

static int get_vcpu(const struct dom *d, unsigned at, char **value)
{
	unsigned char *maps = xcalloc(at + 1, MAP_BYTES);
	int n = d->l.vcpu_pins(d->dom, (int)at + 1, maps, MAP_BYTES, LIVE);

	if (n > (int)at)
		*value = map_text(maps + (size_t)at * MAP_BYTES);
	free(maps);
	return n > (int)at ? 0 : -EIO;
}

static int get_emulator(const struct dom *d, char **value)
{
	unsigned char map[MAP_BYTES] = {0};

	if (d->l.emulator_pin(d->dom, map, MAP_BYTES, LIVE) < 1)
		return -EIO;
	*value = map_text(map);
	return 0;
}

static void iothreads_free(const struct dom *d, struct iothread_info **list, int n)
{
	for (int i = 0; i < n; i++)
		d->l.iothread_free(list[i]);
	free(list);
}

static int get_iothread(const struct dom *d, unsigned id, char **value)
{
	struct iothread_info **list = NULL;
	int n = d->l.iothreads(d->dom, &list, LIVE), rc = -EIO;

	for (int i = 0; i < n; i++) {
		unsigned char map[MAP_BYTES] = {0};

		if (list[i]->id != id || list[i]->len < 0 || list[i]->len > MAP_BYTES)
			continue;
		memcpy(map, list[i]->map, (size_t)list[i]->len);
		*value = map_text(map);
		rc = 0;
	}
	if (n >= 0)
		iothreads_free(d, list, n);
	return rc;
}

static char *all_nodes(void)
{
	struct ids set;

	return ids_file("/sys/devices/system/node/has_memory", &set) ||
			       ids_file("/sys/devices/system/node/online", &set)
		       ? ids_text(&set)
		       : xstrdup("0");
}

/* "": none is set, so memory may be anywhere. */
static int get_numa(const struct dom *d, char **value)
{
	struct param list[PARAMS_MAX];
	int n = 0, rc;

	memset(list, 0, sizeof(list));
	rc = d->l.numa(d->dom, NULL, &n, LIVE | STRINGS);
	if (rc < 0 || n < 1 || n > PARAMS_MAX || d->l.numa(d->dom, list, &n, LIVE | STRINGS) < 0)
		return -EIO;
	for (int i = 0; i < n; i++) {
		struct ids set;

		if (list[i].type != TYPE_STRING)
			continue;
		if (!*value && !strncmp(list[i].field, "numa_nodeset", sizeof(list[i].field)))
			*value = ids_parse(list[i].value.s, &set) ? ids_text(&set) : xstrdup("");
		free(list[i].value.s);
	}
	return *value ? 0 : -EIO;
}

static int domain_get(const struct change *c, char **value, struct err *e)
{
	struct dom d;
	char *name;
	int rc = dom_open(&d, c, e);

	if (rc)
		return rc;
	*value = NULL;
	if (!strncmp(c->role, "vcpu ", 5))
		rc = get_vcpu(&d, role_number(c->role), value);
	else if (!strncmp(c->role, "iothread ", 9))
		rc = get_iothread(&d, role_number(c->role), value);
	else if (!strcmp(c->role, "emulator"))
		rc = get_emulator(&d, value);
	else
		rc = get_numa(&d, value);
	if (rc) {
		name = change_name(c);
		rc = dom_refused(&d, name, e);
		free(name);
	}
	dom_close(&d);
	return rc;
}

/* libvirt has no way back to none: all nodes come to the same. */
static int set_numa(const struct dom *d, const char *value)
{
	struct param p = {.field = "numa_nodeset", .type = TYPE_STRING};
	char *text = *value ? xstrdup(value) : all_nodes();
	int rc;

	p.value.s = text;
	rc = d->l.set_numa(d->dom, &p, 1, LIVE);
	free(text);
	return rc;
}

static int domain_set(const struct change *c, const char *value, struct err *e)
{
	unsigned char map[MAP_BYTES];
	int len = map_make(value, map), rc;
	struct dom d;
	char *name;

	rc = dom_open(&d, c, e);
	if (rc)
		return rc;
	if (!strncmp(c->role, "vcpu ", 5))
		rc = d.l.pin_vcpu(d.dom, role_number(c->role), map, len, LIVE);
	else if (!strncmp(c->role, "iothread ", 9))
		rc = d.l.pin_iothread(d.dom, role_number(c->role), map, len, LIVE);
	else if (!strcmp(c->role, "emulator"))
		rc = d.l.pin_emulator(d.dom, map, len, LIVE);
	else
		rc = set_numa(&d, value);
	if (rc < 0) {
		name = change_name(c);
		rc = dom_refused(&d, name, e);
		if (e && !strcmp(c->role, "numatune")) {
			size_t used = strlen(e->text);

			snprintf(e->text + used, sizeof(e->text) - used,
				 "; --no-memory applies the rest of the plan");
		}
		free(name);
	}
	dom_close(&d);
	return rc < 0 ? rc : 0;
}

static bool domain_same(const struct change *c, const char *now, const char *want)
{
	bool same;
	char *all;

	if (strcmp(c->role, "numatune"))
		return thread_ops.same(c, now, want);
	if (*want)
		return !strcmp(now, want);
	all = all_nodes();
	same = !*now || !strcmp(now, all);
	free(all);
	return same;
}

static bool domain_partly(const struct change *c, const char *now)
{
	(void)c;
	(void)now;
	return false;
}

static void domain_save(const struct change *c, json_t *out)
{
	json_object_set_new(out, "uri", json_string(c->uri));
	json_object_set_new(out, "uuid", json_string(c->uuid));
	json_object_set_new(out, "name", json_string(c->name));
	json_object_set_new(out, "number", json_integer(c->number));
	json_object_set_new(out, "role", json_string(c->role));
}

static const char *clean(const json_t *in, const char *key)
{
	const char *s = json_string_value(json_object_get(in, key));

	for (const char *p = s; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return NULL;
	return s && strlen(s) < 1024 ? s : NULL;
}

static bool role_sane(const char *role)
{
	const char *n = !strncmp(role, "vcpu ", 5)	 ? role + 5
			: !strncmp(role, "iothread ", 9) ? role + 9
							 : NULL;

	if (!n)
		return !strcmp(role, "emulator") || !strcmp(role, "numatune");
	return *n && strlen(n) <= 4 && !n[strspn(n, "0123456789")];
}

static bool domain_load(struct change *c, const json_t *in)
{
	const char *uri = clean(in, "uri"), *uuid = clean(in, "uuid"), *name = clean(in, "name"),
		   *role = clean(in, "role");
	const json_t *number = json_object_get(in, "number");
	struct ids set;

	if (!uri || !libvirt_uri_sane(uri) || !uuid || strlen(uuid) != UUID_TEXT - 1 || !name ||
	    !role || !role_sane(role) || !json_is_integer(number) ||
	    json_integer_value(number) < 0 || json_integer_value(number) > INT32_MAX ||
	    !ids_parse(c->after, &set) ||
	    (!ids_parse(c->before, &set) && (*c->before || strcmp(role, "numatune"))))
		return false;
	c->uri = xstrdup(uri);
	c->uuid = xstrdup(uuid);
	c->name = xstrdup(name);
	c->role = xstrdup(role);
	c->number = (int)json_integer_value(number);
	return true;
}

const struct change_ops domain_ops = {
	.word = "domain",
	.get = domain_get,
	.set = domain_set,
	.same = domain_same,
	.partly = domain_partly,
	.save = domain_save,
	.load = domain_load,
};

/* --- a plan for a domain --- */

struct who {
	const char *uri, *name;
	char uuid[UUID_TEXT];
	int number;
	unsigned iothread[IOTHREADS_MAX];
	unsigned vcpus, iothreads;
};

static int up(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

static int who_read(struct who *w, struct err *e)
{
	struct iothread_info **list = NULL;
	struct dom d;
	int n, rc = dom_connect(&d, w->uri, e);

	if (rc)
		return rc;
	d.dom = d.l.by_name(d.conn, w->name);
	if (!d.dom || d.l.active(d.dom) != 1) {
		rc = err_input(
			e, "libvirt:%s: %s at %s", w->name,
			d.dom ? "does not run; `vbench plan --export libvirt` gives what to put into "
				"its description"
			      : "there is no such domain",
			w->uri);
		dom_close(&d);
		return rc;
	}
	w->number = (int)d.l.number(d.dom);
	n = d.l.vcpus(d.dom, LIVE);
	rc = d.l.uuid(d.dom, w->uuid);
	w->vcpus = n > 0 ? (unsigned)n : 0;
	n = rc < 0 ? -1 : d.l.iothreads(d.dom, &list, LIVE);
	for (int i = 0; i < n && w->iothreads < IOTHREADS_MAX; i++)
		w->iothread[w->iothreads++] = list[i]->id;
	if (n >= 0)
		iothreads_free(&d, list, n);
	qsort(w->iothread, w->iothreads, sizeof(*w->iothread), up);
	rc = n < 0 ? dom_refused(&d, w->name, e) : 0;
	dom_close(&d);
	return rc;
}

static int domain_add(struct change_set *c, const struct who *w, char *role, const char *value,
		      struct err *e)
{
	struct change *ch = set_add(c, CHANGE_DOMAIN);
	struct ids set;
	int rc = 0;

	if (!ch) {
		free(role);
		return err_set(e, -E2BIG, "too many changes at once");
	}
	ch->role = role;
	ch->uri = xstrdup(w->uri);
	ch->uuid = xstrdup(w->uuid);
	ch->name = xstrdup(w->name);
	ch->number = w->number;
	if (strcmp(role, "numatune"))
		rc = plan_cpus(value, role, &ch->after, e);
	else if (ids_parse(value, &set))
		ch->after = ids_text(&set);
	else
		rc = err_input(e, "the plan's nodes \"%.80s\" are no list", value);
	if (!rc)
		rc = domain_get(ch, &ch->before, e);
	if (rc) {
		change_clear(ch);
		c->n--;
	}
	return rc;
}

int changes_add_domain(struct change_set *c, const char *uri, const char *domain,
		       const struct placed_guest *g, struct err *e)
{
	struct who w = {.uri = uri ? uri : "qemu:///system", .name = domain};
	int rc;

	if (!g->placed || !g->vcpus)
		return err_input(e, "the plan has no place for guest %s", g->name ? g->name : "?");
	rc = who_read(&w, e);
	if (rc)
		return rc;
	if (w.vcpus != g->vcpus || w.iothreads != g->iothreads)
		return err_input(
			e,
			"libvirt:%s has %u vCPUs and %u iothreads, the plan %u and %u: it is "
			"another machine's",
			domain, w.vcpus, w.iothreads, g->vcpus, g->iothreads);
	if (!c->target)
		c->target = xasprintf("libvirt:%s", domain);
	for (unsigned i = 0; !rc && i < g->vcpus; i++)
		rc = domain_add(c, &w, xasprintf("vcpu %u", i), g->vcpu[i], e);
	for (unsigned i = 0; !rc && i < g->iothreads; i++)
		rc = domain_add(c, &w, xasprintf("iothread %u", w.iothread[i]), g->iothread[i], e);
	if (!rc)
		rc = domain_add(c, &w, xstrdup("emulator"), g->emulator, e);
	if (!rc && g->nodes && *g->nodes)
		rc = domain_add(c, &w, xstrdup("numatune"), g->nodes, e);
	return rc;
}
