// SPDX-License-Identifier: GPL-2.0-or-later
/* Asked against got for the keys of [guest]: pure, evidence in, rows out. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "guest/evidence.h"
#include "guest/pin.h"

struct rows {
	struct asked_got *out;
	size_t n, max;
};

/* got NULL: unknown, why says the reason. */
static void row(struct rows *r, const char *key, const char *from, const char *asked,
		const char *got, const char *why)
{
	struct asked_got *a;

	if (r->n >= r->max)
		return;
	a = &r->out[r->n++];
	memset(a, 0, sizeof(*a));
	snprintf(a->key, sizeof(a->key), "%s", key);
	snprintf(a->from, sizeof(a->from), "%s", from);
	snprintf(a->asked, sizeof(a->asked), "%s", asked);
	snprintf(a->got, sizeof(a->got), "%s", got ? got : why);
	a->state = !got ? GOT_UNKNOWN : strcmp(asked, got) ? GOT_DIFFER : GOT_MATCH;
}

static const json_t *at(const json_t *o, const char *a, const char *b)
{
	return json_object_get(json_object_get(o, a), b);
}

/* Who answers FACTS is a guest's agent. */
static void ask_site(struct rows *r, const struct cell *c, const json_t *facts)
{
	const char *site = cell_get(c, K_SITE);

	if (site)
		row(r, "guest.site", "guest", site,
		    json_string_value(json_object_get(facts, "kernel")) ? "guest" : NULL,
		    "the agent does not say");
}

static void ask_accel(struct rows *r, const struct machine *m, const json_t *qmp)
{
	const json_t *on = at(qmp, "query-kvm", "enabled");

	row(r, "guest.accel", "host", m->accel,
	    !on		       ? NULL
	    : json_is_true(on) ? "kvm"
			       : "tcg",
	    "QEMU does not answer query-kvm");
}

static void ask_vcpus(struct rows *r, const struct machine *m, const json_t *qmp,
		      const json_t *facts)
{
	const json_t *host = json_object_get(qmp, "query-cpus-fast"),
		     *guest = json_object_get(facts, "cpus");
	char asked[24], got[64];
	json_int_t h = (json_int_t)json_array_size(host), g = json_integer_value(guest);

	snprintf(asked, sizeof(asked), "%u", m->vcpus);
	if (host && guest && h == g)
		snprintf(got, sizeof(got), "%" JSON_INTEGER_FORMAT, h);
	else
		snprintf(got, sizeof(got),
			 "%" JSON_INTEGER_FORMAT " (host), %" JSON_INTEGER_FORMAT " (guest)", h, g);
	row(r, "guest.vcpus", "both", asked, host && guest ? got : NULL, "no answer");
}

static void ask_memory(struct rows *r, const struct machine *m, const json_t *qmp)
{
	const json_t *base = at(qmp, "query-memory-size-summary", "base-memory");
	char asked[32], got[32];

	units_size_text(m->memory, asked, sizeof(asked));
	units_size_text((uint64_t)json_integer_value(base), got, sizeof(got));
	row(r, "guest.memory", "host", asked, base ? got : NULL, "QEMU does not say");
}

/* The QOM type of a vCPU is "MODEL-x86_64-cpu"; features behind a comma are not in it. */
static void ask_cpu(struct rows *r, const struct machine *m, const json_t *qmp)
{
	const char *type = json_string_value(json_object_get(qmp, "cpu"));
	char asked[96], got[96];
	size_t n;

	snprintf(asked, sizeof(asked), "%.*s", (int)strcspn(m->cpu, ","), m->cpu);
	n = type ? strlen(type) : 0;
	if (n > 11 && !strcmp(type + n - 11, "-x86_64-cpu"))
		snprintf(got, sizeof(got), "%.*s", (int)(n - 11), type);
	else
		type = NULL;
	row(r, "guest.cpu", "host", asked, type ? got : NULL,
	    "QEMU does not name its vCPUs' model");
}

/* The agent's fact is release and build; the release is what names the package. */
static void ask_kernel(struct rows *r, const char *kernel, const json_t *facts)
{
	const char *k = json_string_value(json_object_get(facts, "kernel"));
	char got[128];

	snprintf(got, sizeof(got), "%.*s", k ? (int)strcspn(k, " ") : 0, k ? k : "");
	row(r, "guest.kernel", "guest", kernel, k ? got : NULL, "the agent does not say");
}

static void ask_sandbox(struct rows *r, const struct machine *m, const json_t *host)
{
	const json_t *s = json_object_get(host, "seccomp");

	row(r, "guest.sandbox", "host", m->sandbox ? "on" : "off",
	    !s				 ? NULL
	    : json_integer_value(s) == 2 ? "on"
					 : "off",
	    "/proc/PID/status has no Seccomp line");
}

/* A QEMU that was started on a saved state says so for ever: its incoming migration is "completed".
 */
static void ask_start(struct rows *r, const struct cell *c, const json_t *qmp)
{
	const json_t *m = json_object_get(qmp, "query-migrate");
	const char *status = json_string_value(json_object_get(m, "status"));

	row(r, "guest.start", "host", cell_get(c, K_START) ? cell_get(c, K_START) : "template",
	    !m					     ? NULL
	    : status && !strcmp(status, "completed") ? "template"
						     : "boot",
	    "QEMU does not answer query-migrate");
}

/* "vcpus 4 5, iothreads 2, emulator 0-1" of what /proc says; false: something could not be read. */
static bool affinity_text(const json_t *a, bool vcpus, bool iothreads, bool emulator, char *buf,
			  size_t size)
{
	static const char *const classes[] = {"vcpu", "iothread", "emulator"};
	static const char *const names[] = {"vcpus", "iothreads", "emulator"};
	const bool want[] = {vcpus, iothreads, emulator};
	size_t len = 0, i;
	json_t *v;

	*buf = 0;
	for (int k = 0; k < 3; k++) {
		const json_t *list = json_object_get(a, classes[k]);

		if (!want[k] || !json_array_size(list))
			continue;
		len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? ", " : "", names[k]);
		json_array_foreach((json_t *)list, i, v)
		{
			if (!json_is_string(v))
				return false;
			if (len < size)
				len += (size_t)snprintf(buf + len, size - len, " %s",
							json_string_value(v));
			len = len < size ? len : size - 1;
		}
	}
	return true;
}

/* Threads that nobody pinned have the affinity that vbench has. */
static bool affinity_own(const json_t *a)
{
	static const char *const classes[] = {"vcpu", "iothread", "emulator"};
	const json_t *own = json_object_get(a, "own");
	size_t i;
	json_t *v;

	for (int k = 0; k < 3; k++)
		json_array_foreach(json_object_get(a, classes[k]), i,
				   v) if (!json_equal(v, own)) return false;
	return true;
}

/* ", server 2-3" behind it; false: could not be read. */
static bool server_text_add(const json_t *process, char *buf, size_t size)
{
	const json_t *list = json_object_get(process, "affinity");
	size_t len = strlen(buf), i;
	json_t *v;

	if (!json_array_size(list))
		return false;
	len += (size_t)snprintf(buf + len, size - len, "%sserver", len ? ", " : "");
	json_array_foreach((json_t *)list, i, v)
	{
		if (!json_is_string(v))
			return false;
		if (len < size)
			len += (size_t)snprintf(buf + len, size - len, " %s", json_string_value(v));
	}
	return true;
}

/* Which CPUs each thread may use. Rules CPU-06, 07 and 08 of tuning.md. */
static void ask_pin(struct rows *r, const struct machine *m, const json_t *host,
		    const json_t *server)
{
	const json_t *a = json_object_get(host, "affinity");
	const struct pin *p = m->pin;
	bool pinned = p && (p->nvcpu || p->niothread || p->emulator || p->server),
	     known = json_array_size(json_object_get(a, "vcpu")) > 0;
	char got[sizeof(r->out->got)] = "none", *asked;

	asked = pinned ? pin_text(p, json_array_size(json_object_get(a, "vcpu")),
				  json_array_size(json_object_get(a, "iothread")))
		       : xstrdup("none");
	if (known && (pinned || !affinity_own(a)))
		known = affinity_text(a, !pinned || p->nvcpu, !pinned || p->niothread,
				      !pinned || p->emulator, got, sizeof(got)) &&
			(!pinned || !p->server || server_text_add(server, got, sizeof(got)));
	/* a long list is cut on both sides alike */
	if (strlen(asked) >= sizeof(got))
		asked[sizeof(got) - 1] = 0;
	row(r, "guest.pin", "host", asked, known ? got : NULL, "/proc/PID/task cannot be read");
	free(asked);
}

/* MEM-01: huge pages are asked for of the host, which may have none. */
static void ask_pages(struct rows *r, const struct machine *m, const json_t *memory)
{
	json_int_t page = json_integer_value(json_object_get(memory, "page"));
	const char *asked = m->page >> 30 ? "1G" : m->page ? "2M" : "any";

	row(r, "guest.pages", "host", asked,
	    !page	      ? NULL
	    : page >= 1 << 30 ? "1G"
	    : page >= 2 << 20 ? "2M"
			      : "any",
	    "/proc/PID/numa_maps does not tell");
}

/* NUMA-02: where its pages are, beside what was said about it. */
static void ask_nodes(struct rows *r, const struct machine *m, const json_t *memory)
{
	const char *policy = json_string_value(json_object_get(memory, "policy"));
	char asked[128], got[160], *nodes = m->nodes ? pin_nodes(m->nodes) : NULL;
	size_t k;

	if (m->nodes)
		snprintf(asked, sizeof(asked), "%s:%s",
			 !strcmp(m->policy, "preferred") ? "prefer" : m->policy,
			 nodes ? nodes : m->nodes);
	else
		snprintf(asked, sizeof(asked), "any");
	free(nodes);
	if (policy) {
		/* "bind=static:0": flags are of no matter */
		k = strcspn(policy, "=:");
		snprintf(got, sizeof(got), "%.*s%s", (int)k, policy,
			 strchr(policy, ':') ? strchr(policy, ':') : "");
		if (!strcmp(got, "default") || !strcmp(got, "local"))
			snprintf(got, sizeof(got), "any");
	}
	row(r, "guest.nodes", "host", asked, policy ? got : NULL,
	    "/proc/PID/numa_maps does not tell");
}

static void ask_mode(struct rows *r, const struct machine *m, const json_t *memory)
{
	const char *policy = json_string_value(json_object_get(memory, "policy"));
	char got[32];

	if (!m->nodes)
		return;
	snprintf(got, sizeof(got), "%.*s", (int)(policy ? strcspn(policy, "=: ") : 0),
		 policy ? policy : "");
	row(r, "guest.memory-mode", "host", m->policy,
	    !policy		     ? NULL
	    : !strcmp(got, "prefer") ? "preferred"
				     : got,
	    "/proc/PID/numa_maps does not tell");
}

size_t guest_asked_got(const struct cell *c, const struct machine *m, const char *kernel,
		       const json_t *evidence, struct asked_got *out, size_t max)
{
	struct rows r = {out, 0, max};
	const json_t *qmp = json_object_get(evidence, "qmp"),
		     *host = json_object_get(evidence, "host");
	const json_t *guest = json_object_get(evidence, "guest");
	const json_t *facts = json_object_get(guest, "facts"),
		     *disk = json_object_get(guest, "disk");
	const char *sched = cell_get(c, K_SCHEDULER);

	ask_site(&r, c, facts);
	ask_accel(&r, m, qmp);
	ask_vcpus(&r, m, qmp, facts);
	ask_memory(&r, m, qmp);
	ask_cpu(&r, m, qmp);
	row(&r, "guest.machine", "host", m->qemu.machine,
	    json_string_value(json_object_get(qmp, "machine")), "QEMU does not say");
	row(&r, "guest.qemu", "host", m->qemu.exe, json_string_value(json_object_get(host, "qemu")),
	    "/proc/PID/exe cannot be read");
	ask_kernel(&r, kernel, facts);
	ask_sandbox(&r, m, host);
	if (sched)
		row(&r, "guest.scheduler", "guest", sched,
		    json_string_value(json_object_get(disk, "scheduler")),
		    "the disk has no scheduler file");
	ask_start(&r, c, qmp);
	ask_pin(&r, m, host, json_object_get(evidence, "server_process"));
	ask_pages(&r, m, json_object_get(host, "memory"));
	ask_nodes(&r, m, json_object_get(host, "memory"));
	ask_mode(&r, m, json_object_get(host, "memory"));
	return r.n;
}
